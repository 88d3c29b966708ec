/*
 * How deep a stack was used: the lowest byte that is not zero. And a table of
 * the deepest use of each function.
 *
 * Invariant: a stack that is marked clean was all zero below its control block
 * when its use began. Pages that are not resident are zero without a look. A
 * page that was swapped out counts as zero too; that is the only error, and a
 * small one.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/measure.h"

#include <string.h>
#include <sys/mman.h>

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif

#include "base/alloc.h"
#include "stack/guards.h"

enum {
    MEASURE_PAGE_COUNT = 64, /* Looked up with one call. */
    MEASURE_RED_ZONE_BYTES = 256,
    MEASURE_ZERO_PAGE_COUNT = 4 /* More are dropped, not written. */
};

/* Set bit 0 of an element for each page from low on that is resident; of all
 * elements where the system does not tell. */
static void measure_resident(char *low, unsigned char *pages, size_t count)
{
#if defined(__linux__)
    if (mincore(low, count * uva__page_bytes(), pages) == 0) {
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) {
        pages[i] = 1;
    }
    (void)low;
}

/* The first word that is not zero; end if there is none. Not checked by ASan:
 * it reads the red zones of dead frames. */
UVA__NO_ASAN static const uintptr_t *measure_scan(const char *low,
                                                  const char *end)
{
    const uintptr_t *word = (const uintptr_t *)(const void *)low;
    const uintptr_t *stop = (const uintptr_t *)(const void *)end;

#if defined(UVA_HAVE_VALGRIND)
    /* Dead frames are out of bounds for memcheck. */
    VALGRIND_MAKE_MEM_DEFINED(low, end - low);
#endif
    for (; word + 8 <= stop; word += 8) {
        if ((word[0] | word[1] | word[2] | word[3] | word[4] | word[5] |
             word[6] | word[7]) != 0) {
            break;
        }
    }
    while (word < stop && *word == 0) {
        word++;
    }
    return word;
}

/* The lowest word that is not zero; the top of the stack if there is none. */
static char *measure_find(const uva__stack_t *stack)
{
    unsigned char pages[MEASURE_PAGE_COUNT];
    size_t page_bytes = uva__page_bytes();
    char *top = stack->low + uva__stack_bytes(stack);
    char *low = stack->low;

    while (low < top) {
        size_t count = ((size_t)(top - low) + page_bytes - 1) / page_bytes;
        if (count > MEASURE_PAGE_COUNT) {
            count = MEASURE_PAGE_COUNT;
        }
        measure_resident(low, pages, count);
        for (size_t i = 0; i < count; i++, low += page_bytes) {
            const char *end = low + page_bytes < top ? low + page_bytes : top;
            const char *dirty;
            if ((pages[i] & 1) == 0) {
                continue;
            }
            dirty = (const char *)measure_scan(low, end);
            if (dirty < end) {
                return low + (dirty - low);
            }
        }
    }
    return top;
}

/* Zero the words from low to end. Volatile, or compilers would call memset: its
 * frame may lie where this writes, and ASan checks it. */
UVA__NO_ASAN static void measure_zero(char *low, const char *end)
{
    volatile uintptr_t *word = (volatile uintptr_t *)(void *)low;

#if defined(UVA_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(low, end - low);
#endif
    while ((const volatile char *)word < end) {
        *word++ = 0;
    }
}

/* The lowest byte that must not be zeroed: of the running frames, if the stack
 * is the one that runs this; else of the frames that are suspended on it; else
 * the top. */
static char *measure_kept(uva__stack_t *stack)
{
    char *here = __builtin_frame_address(0);

    if (here >= stack->low && here < uva__stack_top(stack)) {
        here -= MEASURE_RED_ZONE_BYTES;
        return here - (uintptr_t)here % sizeof(uintptr_t);
    }
    if (stack->context.sp != NULL) {
#if defined(UVA__SWITCH_UCONTEXT)
        /* The sp is a variable of the frame that is suspended. */
        return (char *)stack->context.sp - MEASURE_RED_ZONE_BYTES;
#else
        return stack->context.sp;
#endif
    }
    return uva__stack_top(stack);
}

/* Zero everything from dirty up to what is in use. Many whole pages are given
 * back to the system, which is cheaper than to write them. */
static void measure_clean(uva__stack_t *stack, char *dirty)
{
    size_t page_bytes = uva__page_bytes();
    char *kept = measure_kept(stack);
    char *first = dirty - (uintptr_t)dirty % page_bytes;
    char *last = kept - (uintptr_t)kept % page_bytes;

    if (dirty >= kept) {
        return;
    }
    if (last > first &&
        (size_t)(last - first) / page_bytes > MEASURE_ZERO_PAGE_COUNT &&
        madvise(first, (size_t)(last - first), MADV_DONTNEED) == 0) {
        dirty = last;
    }
    measure_zero(dirty, kept);
}

size_t uva__stack_high_water(const uva__stack_t *stack)
{
    return (size_t)((const char *)stack - measure_find(stack));
}

size_t uva__stack_measure(uva__stack_t *stack)
{
    char *dirty = measure_find(stack);
    size_t bytes = (size_t)(uva__stack_top(stack) - dirty);

    measure_clean(stack, dirty);
    stack->clean = UVA__STACK_CLEANED;
    return bytes;
}

void uva__stack_clean(uva__stack_t *stack)
{
    measure_clean(stack, measure_find(stack));
    stack->clean = UVA__STACK_CLEAN;
}

/* --- a table of functions --- */

/* How often a function is measured where stacks are not cleaned for it. More
 * samples would tell little. */
#define USAGE_SAMPLES 32u

/* A linear search: a program has few functions that run as tasks. */
static uva__usage_t *usage_find(uva__usage_t *table, uva__usage_key_t key)
{
    while (table != NULL && (table->key.body != key.body ||
                             strcmp(table->key.function, key.function) != 0)) {
        table = table->next;
    }
    return table;
}

/* Add a function to the table. NULL without memory. */
static uva__usage_t *usage_add(uva__usage_t **table, uva__usage_key_t key)
{
    uva__usage_t *usage = uva__calloc(1, sizeof *usage);

    if (usage != NULL) {
        usage->key = key;
        usage->next = *table;
        *table = usage;
    }
    return usage;
}

void uva__usage_note(uva__usage_t **table,
                     uva__usage_key_t key,
                     uva__stack_t *stack,
                     bool measures_all)
{
    uva__usage_t *usage = usage_find(*table, key);
    size_t bytes;

    if (!measures_all && (!uva__stack_is_clean(stack) ||
                          (usage != NULL && usage->samples >= USAGE_SAMPLES))) {
        return;
    }
    bytes =
        measures_all ? uva__stack_measure(stack) : uva__stack_high_water(stack);
    usage = usage != NULL ? usage : usage_add(table, key);
    if (usage == NULL) {
        return; /* No memory: a sample less. */
    }
    usage->samples++;
    if (bytes > usage->max_bytes) {
        usage->max_bytes = bytes;
    }
}

void uva__usage_free(uva__usage_t **table)
{
    while (*table != NULL) {
        uva__usage_t *usage = *table;
        *table = usage->next;
        uva__free(usage);
    }
}
