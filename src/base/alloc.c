/*
 * The allocator hook, its counters, and the fault points of tests.
 *
 * Invariant: live_bytes is the sum of the sizes in the headers of all blocks
 * that were handed out and not freed. So a header is written in one function
 * (alloc_note), and the size of a block is taken off before the block may move.
 *
 * Any thread may allocate: the counters are atomic. Their order beside other
 * memory means nothing, so they are relaxed.
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "uva/alloc.h"
#include "uva/errors.h"
#include "uva/testing.h"

#include "base/util.h"

#include <uv.h>

/* Stands before each block. The union keeps the block behind it aligned as
 * malloc aligns. */
typedef union alloc_header_u {
    size_t size;
    max_align_t align;
} alloc_header_t;

/* Replaced as a whole by uva_set_allocator, before the first allocation: later
 * a block would be freed by another allocator than the one that made it. */
static uva_allocator_t allocator = {sizeof(uva_allocator_t), malloc, realloc,
                                    calloc, free};
static atomic_size_t live_bytes;
static atomic_bool in_use; /* Something was allocated: no replacement. */

/* Fault points of tests. The countdown is 1 when the allocation that is to fail
 * comes, and stays 1 if all later ones are to fail too; 0 is off. */
static atomic_bool faults_armed; /* The countdown is not 0: one load to ask. */
static atomic_ullong faults_countdown;
static atomic_bool faults_all;

static atomic_bool strict;        /* uva_testing_strict_allocation. */
static atomic_ullong allocations; /* Ever asked for, refused ones too. */

/* Count an allocation down while faults are armed. @return Whether it is to
 * fail. */
static UVA__NOINLINE bool alloc_fails_slow(void)
{
    unsigned long long left = atomic_load(&faults_countdown);

    if (left > 1) {
        atomic_store(&faults_countdown, left - 1);
        return false;
    }
    if (left == 1 && !atomic_load(&faults_all)) {
        atomic_store(&faults_countdown, 0);
        atomic_store(&faults_armed, false);
    }
    return left == 1;
}

/* Asked once by every allocation, before memory is taken. */
static inline bool alloc_fails(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return UVA__UNLIKELY(
               atomic_load_explicit(&faults_armed, memory_order_relaxed)) &&
           alloc_fails_slow();
}

/* Count a block of size bytes that the allocator gave; NULL if it gave none.
 * @return The block behind its header. */
static inline void *alloc_note(alloc_header_t *header, size_t size)
{
    if (header == NULL) {
        return NULL;
    }
    header->size = size;
    atomic_fetch_add_explicit(&live_bytes, size, memory_order_relaxed);
    atomic_store_explicit(&in_use, true, memory_order_relaxed);
    return header + 1;
}

void *uva__malloc(size_t size)
{
    if (alloc_fails() || size > SIZE_MAX - sizeof(alloc_header_t)) {
        return NULL;
    }
    return alloc_note(allocator.malloc(sizeof(alloc_header_t) + size), size);
}

void *uva__calloc(size_t count, size_t size)
{
    /* The product must not wrap: the block would be smaller than asked for. */
    if (alloc_fails() ||
        (size != 0 && count > (SIZE_MAX - sizeof(alloc_header_t)) / size)) {
        return NULL;
    }
    size *= count;
    return alloc_note(allocator.calloc(1, sizeof(alloc_header_t) + size), size);
}

void *uva__realloc(void *pointer, size_t size)
{
    alloc_header_t *header = pointer;
    size_t old;

    if (pointer == NULL) {
        return uva__malloc(size);
    }
    if (alloc_fails() || size > SIZE_MAX - sizeof(alloc_header_t)) {
        return NULL;
    }
    header--;
    old = header->size; /* The header is gone once realloc has succeeded. */
    header = allocator.realloc(header, sizeof(alloc_header_t) + size);
    if (header == NULL) {
        return NULL;
    }
    atomic_fetch_sub_explicit(&live_bytes, old, memory_order_relaxed);
    return alloc_note(header, size);
}

void uva__free(void *pointer)
{
    alloc_header_t *header = pointer;

    if (pointer != NULL) {
        header--;
        atomic_fetch_sub_explicit(&live_bytes, header->size,
                                  memory_order_relaxed);
        allocator.free(header);
    }
}

char *uva__strdup(const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text) + 1;
    char *copy = text == NULL ? NULL : uva__malloc(size);

    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

bool uva__alloc_strict(void)
{
    return atomic_load(&strict);
}

int uva_set_allocator(const uva_allocator_t *replacement, unsigned flags)
{
    if (replacement == NULL || replacement->malloc == NULL ||
        replacement->realloc == NULL || replacement->calloc == NULL ||
        replacement->free == NULL ||
        (flags & ~(unsigned)UVA_ALLOCATOR_LIBUV) != 0) {
        return UV_EINVAL;
    }
    if (atomic_load(&in_use)) {
        return UV_EBUSY;
    }
    /* libuv first: if it refuses, nothing has changed. */
    if ((flags & UVA_ALLOCATOR_LIBUV) != 0) {
        int r = uv_replace_allocator(replacement->malloc, replacement->realloc,
                                     replacement->calloc, replacement->free);
        if (r < 0) {
            return r;
        }
    }
    allocator = *replacement;
    return 0;
}

size_t uva_allocated_bytes(void)
{
    return atomic_load(&live_bytes);
}

void uva_testing_fail_allocation(uint64_t count, bool all)
{
    atomic_store(&faults_countdown, count);
    atomic_store(&faults_all, all);
    atomic_store(&faults_armed, count != 0); /* Last: it opens the others. */
}

void uva_testing_strict_allocation(bool enabled)
{
    atomic_store(&strict, enabled);
}

uint64_t uva_testing_allocations(void)
{
    return atomic_load(&allocations);
}
