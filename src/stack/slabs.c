/*
 * Slabs of slots: mapped, guarded, taken, given back.
 *
 *   a slot is   its bit in slab->fresh   its pages      its control block
 *   fresh       set                      not touched    none
 *   used        clear                    may be there   valid, low is set
 *
 * Invariant: a slab with a fresh slot is in `open` of its class, any other slab
 * in `full`. A slab whose last used slot becomes fresh again is unmapped.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/slabs.h"

#include <sys/mman.h>

#if defined(__linux__)
#    include <sys/prctl.h>
#endif
#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/valgrind.h>
#endif

#include "uva/errors.h"

#include "base/alloc.h"
#include "base/list.h"
#include "stack/overflow.h"

#ifndef MAP_NORESERVE
#    define MAP_NORESERVE 0
#endif
#ifndef MAP_ANONYMOUS
#    define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef PR_SET_VMA
#    define PR_SET_VMA           0x53564d41
#    define PR_SET_VMA_ANON_NAME 0
#endif

/* How much larger frames are in this build; see uva__slab_scale. */
#if defined(UVA__ASAN) || defined(UVA__TSAN)
#    define SLAB_SCALE_SHIFT 2u
#elif defined(__GNUC__) && !defined(__OPTIMIZE__)
#    define SLAB_SCALE_SHIFT 1u
#else
#    define SLAB_SCALE_SHIFT 0u
#endif

/* The first slab of a class is small; each next one is twice as large, up to a
 * bound. A guard is a sixteenth of its slot, up to a bound. */
enum {
    SLAB_FIRST_COUNT = 16
};
static const size_t slab_bytes_max = (size_t)64 << 20;
static const size_t slab_guard_bytes_max = (size_t)64 << 10;

/* The lowest byte of a slot, which is that of its guard. */
static char *slab_slot(const uva__stack_slab_t *slab,
                       const uva__stack_class_t *home,
                       uint32_t index)
{
    return slab->base + (size_t)index * home->slot_bytes;
}

/* Map address space for a slab. The system backs a page when it is touched, so
 * most of the slab never costs memory. NULL if the system refuses. */
static void *slab_map(size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED) {
        return NULL;
    }
    /* Neither call has to succeed. The first gives a name in /proc/PID/maps.
     * The second keeps the system from backing a stack of one page with a huge
     * page. */
#if defined(__linux__)
    (void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, base, bytes, "uva stacks");
#endif
#if defined(MADV_NOHUGEPAGE)
    (void)madvise(base, bytes, MADV_NOHUGEPAGE);
#endif
    return base;
}

/* Guard the slots as well as the machine can, and note in the pool what did not
 * work: markers fail in locked memory, and slots without a page for a guard
 * have to be checked in each suspension. */
static void slab_guard(uva__stack_slab_t *slab,
                       uva__stack_pool_t *pool,
                       const uva__stack_class_t *home)
{
    uva__guard_range_t range = {
        .base = slab->base,
        .slot_bytes = home->slot_bytes,
        .guard_bytes = home->guard_bytes,
        .count = slab->slot_count,
    };

    slab->guarded_count = (uint32_t)uva__guards_install(
        &range, (uva__stack_guard_t)pool->guard, &slab->guard);
    if (pool->guard == UVA__STACK_GUARD_MARKER &&
        slab->guard != UVA__STACK_GUARD_MARKER) {
        pool->locked = true;
    }
    if (slab->guarded_count < slab->slot_count) {
        pool->checks = true;
    }
}

/* Make a slab of fresh slots, in no list yet. NULL without memory. */
static uva__stack_slab_t *slab_new(uva__stack_pool_t *pool,
                                   const uva__stack_class_t *home,
                                   uint32_t slot_count)
{
    size_t word_count = ((size_t)slot_count + 63) / 64;
    size_t bytes = slot_count * home->slot_bytes;
    uva__stack_slab_t *slab =
        uva__calloc(1, sizeof *slab + word_count * sizeof slab->fresh[0]);

    if (slab == NULL) {
        return NULL;
    }
    slab->base = slab_map(bytes);
    if (slab->base == NULL) {
        goto fail_map;
    }
    slab->watch_number =
        uva__overflow_watch(slab->base, bytes, home->slot_bytes);
    if (slab->watch_number < 0) {
        goto fail_watch;
    }
    slab->bytes = bytes;
    slab->slot_count = slot_count;
    slab->fresh_count = slot_count;
    for (uint32_t i = 0; i < slot_count; i++) {
        slab->fresh[i / 64] |= (uint64_t)1 << (i % 64);
    }
    slab_guard(slab, pool, home);
    pool->mapped_bytes += bytes;
    return slab;

fail_watch:
    munmap(slab->base, bytes);
fail_map:
    uva__free(slab);
    return NULL;
}

/* Unmap a slab of which no stack is in use. The handler of overflows forgets it
 * first: its addresses may belong to something else right after. */
static void slab_destroy(uva__stack_slab_t *slab, uva__stack_pool_t *pool)
{
    uva__list_remove(&slab->link);
    uva__overflow_forget(slab->watch_number);
    uva__guards_release(slab->guarded_count, slab->guard);
    pool->mapped_bytes -= slab->bytes;
    munmap(slab->base, slab->bytes);
    uva__free(slab);
}

/* Tell the tools that the used stacks of a slab end. A plain build has no tool
 * to tell, and reads no control block: that would touch every stack's page. */
static void slab_leave_tools(uva__stack_slab_t *slab,
                             const uva__stack_class_t *home)
{
#if defined(UVA__ASAN) || defined(UVA__TSAN) || defined(UVA_HAVE_VALGRIND)
#    if !defined(UVA__ASAN) && !defined(UVA__TSAN)
    if (!RUNNING_ON_VALGRIND) {
        return;
    }
#    endif
    for (uint32_t i = 0; i < slab->slot_count; i++) {
        if ((slab->fresh[i / 64] >> (i % 64) & 1) == 0) {
            uva__stack_leave_tools(
                uva__stack_at(slab_slot(slab, home, i), home->slot_bytes, i));
        }
    }
#else
    (void)slab;
    (void)home;
#endif
}

/* Map one more slab for a class. The pool's limit bounds it, but for one slot.
 * Where the system refuses a slab, a smaller one is tried. */
static int class_grow(uva__stack_class_t *home, uva__stack_pool_t *pool)
{
    size_t bytes = home->slab_bytes;
    uva__stack_slab_t *slab;

    if (pool->limit_bytes != 0 &&
        bytes > pool->limit_bytes - pool->touched_bytes) {
        bytes = pool->limit_bytes - pool->touched_bytes;
    }
    for (;;) {
        uint32_t slot_count = (uint32_t)(bytes / home->slot_bytes);
        if (slot_count == 0) {
            slot_count = 1;
        }
        slab = slab_new(pool, home, slot_count);
        if (slab != NULL) {
            break;
        }
        if (slot_count == 1) {
            return UV_ENOMEM;
        }
        bytes /= 2; /* Strict overcommit, RLIMIT_AS, a full address space. */
        home->slab_bytes = bytes;
    }
    uva__list_append(&home->open, &slab->link);
    /* Locked memory is all resident at once: stay small. */
    if (bytes == home->slab_bytes && bytes < slab_bytes_max && !pool->locked) {
        home->slab_bytes = bytes * 2;
    }
    return 0;
}

/* --- classes --- */

unsigned uva__slab_scale(void)
{
    return SLAB_SCALE_SHIFT;
}

void uva__slab_class_init(uva__stack_class_t *home, size_t slot_bytes)
{
    size_t page_bytes = uva__page_bytes();
    size_t guard_bytes = slot_bytes / 16;
    size_t slab_bytes = slot_bytes * SLAB_FIRST_COUNT;

    if (guard_bytes > slab_guard_bytes_max) {
        guard_bytes = slab_guard_bytes_max;
    }
    if (guard_bytes < page_bytes) {
        guard_bytes = page_bytes;
    }
    if (slab_bytes > slab_bytes_max) {
        slab_bytes = slot_bytes > slab_bytes_max ? slot_bytes : slab_bytes_max;
    }
    *home = (uva__stack_class_t){
        .slot_bytes = slot_bytes,
        .guard_bytes = guard_bytes,
        .slab_bytes = slab_bytes,
    };
    uva__list_init(&home->open);
    uva__list_init(&home->full);
}

/* Unmap the slabs of one of the lists of a class. */
static void class_destroy_slabs(uva__stack_class_t *home,
                                uva__stack_pool_t *pool,
                                uva_list_t *slabs)
{
    while (!uva__list_empty(slabs)) {
        uva__stack_slab_t *slab =
            UVA__LIST_FIRST(slabs, uva__stack_slab_t, link);
        slab_leave_tools(slab, home);
        slab_destroy(slab, pool);
    }
}

void uva__slab_class_destroy(uva__stack_class_t *home, uva__stack_pool_t *pool)
{
    class_destroy_slabs(home, pool, &home->open);
    class_destroy_slabs(home, pool, &home->full);
    home->idle = NULL;
    home->touched_count = 0;
}

/* --- slots --- */

/* Take the lowest fresh slot of a slab that has one, and write its control
 * block. Low slots first: used stacks stay close together. */
static uva__stack_t *slab_take(uva__stack_slab_t *slab,
                               uva__stack_class_t *home)
{
    uint32_t word = 0;
    uint32_t index;
    char *slot;
    uva__stack_t *stack;

    while (slab->fresh[word] == 0) {
        word++;
    }
    index = word * 64 + (uint32_t)__builtin_ctzll(slab->fresh[word]);
    slab->fresh[word] &= slab->fresh[word] - 1; /* Clears that bit. */
    if (--slab->fresh_count == 0) {
        uva__list_remove(&slab->link);
        uva__list_append(&home->full, &slab->link);
    }

    slot = slab_slot(slab, home, index);
    stack = uva__stack_at(slot, home->slot_bytes, index);
    *stack = (uva__stack_t){
        .home = home,
        .slab = slab,
        .low = slot + home->guard_bytes,
        .guard =
            (uint8_t)(index < slab->guarded_count ? slab->guard
                                                  : UVA__STACK_GUARD_CANARY),
        .clean = UVA__STACK_CLEAN,
        .size_log2 = (uint8_t)__builtin_ctzll(home->slot_bytes),
    };
    uva__stack_enter_tools(stack);
    return stack;
}

int uva__slab_take(uva__stack_class_t *home,
                   uva__stack_pool_t *pool,
                   uva__stack_t **ret_stack)
{
    int r = uva__list_empty(&home->open) ? class_grow(home, pool) : 0;

    if (r < 0) {
        return r;
    }
    home->touched_count++;
    pool->touched_bytes += home->slot_bytes;
    *ret_stack =
        slab_take(UVA__LIST_FIRST(&home->open, uva__stack_slab_t, link), home);
    return 0;
}

/* The slab may be unmapped when this returns. */
void uva__slab_refresh(uva__stack_slab_t *slab,
                       uint32_t index,
                       uva__stack_class_t *home,
                       uva__stack_pool_t *pool)
{
    slab->fresh[index / 64] |= (uint64_t)1 << (index % 64);
    home->touched_count--;
    pool->touched_bytes -= home->slot_bytes;
    if (slab->fresh_count++ == 0) {
        uva__list_remove(&slab->link);
        uva__list_append(&home->open, &slab->link);
    }
    if (slab->fresh_count == slab->slot_count) {
        slab_destroy(slab, pool);
    }
}
