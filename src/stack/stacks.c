/*
 * The stack pool: slabs, slots, idle lists.
 *
 * Invariant: each slot is in exactly one state. Fresh: its bit in the slab is
 * set, none of its pages is touched, it has no control block. Idle: in `idle`
 * or `cold` of its class. In use: the holder's. A slab with a fresh slot is in
 * `open`, any other in `full`; a slab all of whose slots are fresh again is
 * unmapped.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/stacks.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__linux__)
#    include <sys/prctl.h>
#endif
#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif
#if defined(UVA__ASAN)
#    include <sanitizer/asan_interface.h>
#endif

#include "uva/errors.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"
#include "stack/guards.h"
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

#if defined(UVA__ASAN) || defined(UVA__TSAN)
#    define STACK_SCALE_SHIFT 2u
#elif defined(__GNUC__) && !defined(__OPTIMIZE__)
#    define STACK_SCALE_SHIFT 1u
#else
#    define STACK_SCALE_SHIFT 0u
#endif

enum {
    STACK_LINE_BYTES = 64,
    STACK_COLOUR_COUNT = 32,
    STACK_BLOCK_BYTES = ((int)sizeof(uva__stack_t) + STACK_LINE_BYTES - 1) /
                        STACK_LINE_BYTES * STACK_LINE_BYTES,
    STACK_FIRST_SLAB_COUNT = 16,
    STACK_CANARY_WORDS = 32,
    STACK_TRIM_BATCH_COUNT = 64,
    STACK_TRIM_CALL_COUNT = 1024
};
static const size_t stack_slab_bytes_max = (size_t)64 << 20;
static const size_t stack_guard_bytes_max = (size_t)64 << 10;

/* Half a page is left for the first frames of the last colour. */
static_assert(STACK_BLOCK_BYTES + STACK_COLOUR_COUNT * STACK_LINE_BYTES <= 2304,
              "control block and colour leave room on their page");

struct uva__stack_slab_s {
    uva_list_t link; /* In open or full of its class. */
    char *base;
    size_t bytes;
    uint32_t slot_count;
    uint32_t fresh_count;
    uint32_t guarded_count; /* The first so many slots. */
    int watch_number;
    uva__stack_guard_t guard; /* Of those. */
    uint64_t fresh[];         /* A bit per slot. */
};

/* --- slots --- */

static char *slab_slot(const uva__stack_slab_t *slab,
                       const uva__stack_class_t *home,
                       uint32_t index)
{
    return slab->base + (size_t)index * home->slot_bytes;
}

uva__stack_t *uva__stack_at(char *slot, size_t slot_bytes, size_t index)
{
    size_t colour = index % STACK_COLOUR_COUNT;

    return (uva__stack_t *)(void *)(slot + slot_bytes - STACK_BLOCK_BYTES -
                                    colour * STACK_LINE_BYTES);
}

/* Tell the tools of a stack that comes into being ... */
static void stack_enter_tools(uva__stack_t *stack)
{
#if defined(UVA_HAVE_VALGRIND)
    stack->valgrind_id = (uint32_t)VALGRIND_STACK_REGISTER(
        stack->low, uva__stack_top(stack) - 1);
#else
    (void)stack;
#endif
}

/* ... and of one that ends. */
static void stack_leave_tools(uva__stack_t *stack)
{
    if (stack->context.sp != NULL) {
        uva__context_destroy(&stack->context);
    }
#if defined(UVA_HAVE_VALGRIND)
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
    uva__stack_unpoison(stack);
}

#if defined(UVA__ASAN)
void uva__stack_unpoison(uva__stack_t *stack)
{
    /* Frames that are still suspended keep their red zones. Clean shadow is not
     * written, as that would cost an eighth of the stack in memory. */
    char *end =
        stack->context.sp != NULL ? stack->context.sp : uva__stack_top(stack);
    char *first =
        __asan_region_is_poisoned(stack->low, (size_t)(end - stack->low));

    if (first != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(first, (size_t)(end - first));
    }
}
#endif

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
    slab->fresh[word] &= slab->fresh[word] - 1;
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
        .clean = 1,
    };
    stack_enter_tools(stack);
    return stack;
}

/* --- slabs --- */

static void *slab_map(size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED) {
        return NULL;
    }
    /* Both only improve things: a name in /proc/PID/maps, and no huge page
     * under a stack that needs a small one. */
#if defined(__linux__)
    (void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, base, bytes, "uva stacks");
#endif
#if defined(MADV_NOHUGEPAGE)
    (void)madvise(base, bytes, MADV_NOHUGEPAGE);
#endif
    return base;
}

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

static void slab_destroy(uva__stack_slab_t *slab, uva__stack_pool_t *pool)
{
    uva__list_remove(&slab->link);
    uva__overflow_forget(slab->watch_number);
    uva__guards_release(slab->guarded_count, slab->guard);
    pool->mapped_bytes -= slab->bytes;
    munmap(slab->base, slab->bytes);
    uva__free(slab);
}

/* The slots of used stacks, for tools that keep something for each. */
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
            stack_leave_tools(
                uva__stack_at(slab_slot(slab, home, i), home->slot_bytes, i));
        }
    }
#else
    (void)slab;
    (void)home;
#endif
}

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
    if (bytes == home->slab_bytes && bytes < stack_slab_bytes_max &&
        !pool->locked) {
        home->slab_bytes = bytes * 2;
    }
    return 0;
}

/* --- classes --- */

static uva__stack_class_t *pool_class(uva__stack_pool_t *pool,
                                      size_t size_bytes)
{
    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        if (size_bytes <= pool->classes[i].slot_bytes >> STACK_SCALE_SHIFT) {
            return &pool->classes[i];
        }
    }
    return NULL;
}

static void class_init(uva__stack_class_t *home, size_t slot_bytes)
{
    size_t page_bytes = uva__page_bytes();
    size_t guard_bytes = slot_bytes / 16;
    size_t slab_bytes = slot_bytes * STACK_FIRST_SLAB_COUNT;

    if (guard_bytes > stack_guard_bytes_max) {
        guard_bytes = stack_guard_bytes_max;
    }
    if (guard_bytes < page_bytes) {
        guard_bytes = page_bytes;
    }
    if (slab_bytes > stack_slab_bytes_max) {
        slab_bytes = slot_bytes > stack_slab_bytes_max ? slot_bytes
                                                       : stack_slab_bytes_max;
    }
    *home = (uva__stack_class_t){
        .slot_bytes = slot_bytes,
        .guard_bytes = guard_bytes,
        .slab_bytes = slab_bytes,
    };
    uva__list_init(&home->open);
    uva__list_init(&home->full);
}

int uva__stack_pool_init(uva__stack_pool_t *pool,
                         const uva__stack_options_t *options)
{
    static const uva__stack_options_t defaults = {0};
    size_t slot_bytes = (size_t)64 << 10 << STACK_SCALE_SHIFT;
    size_t default_bytes;

    if (options == NULL) {
        options = &defaults;
    }
    default_bytes = options->default_bytes != 0 ? options->default_bytes
                                                : UVA__STACK_DEFAULT_BYTES;
    if ((unsigned)options->guard > UVA__STACK_GUARD_CANARY) {
        return UV_EINVAL;
    }
    *pool = (uva__stack_pool_t){
        .guard = (uint8_t)options->guard,
        .limit_bytes = options->limit_bytes,
    };
    if (options->guard == UVA__STACK_GUARD_AUTO) {
        pool->guard = (uint8_t)uva__stack_guard_probe();
    }
    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        class_init(&pool->classes[i], slot_bytes);
        slot_bytes *= i < 2 ? 4 : 2; /* 64 KiB, 256 KiB, 1 MiB, 2 MiB, ... */
    }
    pool->standard = pool_class(pool, default_bytes);
    return pool->standard != NULL ? 0 : UV_EINVAL;
}

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

void uva__stack_pool_destroy(uva__stack_pool_t *pool)
{
    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        uva__stack_class_t *home = &pool->classes[i];
        class_destroy_slabs(home, pool, &home->open);
        class_destroy_slabs(home, pool, &home->full);
        home->idle = NULL;
        home->cold = NULL;
        home->touched_count = 0;
    }
    pool->touched_bytes = 0;
}

/* --- trimming --- */

typedef struct stack_trim_s {
    uva__stack_t *stack;    /* Gone once its pages are. */
    uva__context_t context; /* Its flow. */
    uva__stack_slab_t *slab;
    uint32_t index;
    uint32_t range; /* Which of the ranges of its batch holds it. */
} stack_trim_t;

/* Neighbours that went idle one after the other are one range: a quarter of
 * the time is saved. Not over the end of a slab, as another one may be locked
 * and refuse. Returns how many ranges there are. */
static uint32_t ranges_add(struct iovec *ranges,
                           uint32_t count,
                           const uva__stack_slab_t *slab,
                           char *slot,
                           size_t bytes)
{
    struct iovec *last = count > 0 ? &ranges[count - 1] : NULL;

    if (last != NULL && last->iov_base == slot + bytes &&
        slot + bytes != slab->base + slab->bytes) {
        last->iov_base = slot;
        last->iov_len += bytes;
        return count;
    }
    if (last != NULL && (char *)last->iov_base + last->iov_len == slot &&
        slot != slab->base) {
        last->iov_len += bytes;
        return count;
    }
    ranges[count] = (struct iovec){.iov_base = slot, .iov_len = bytes};
    return count + 1;
}

static void slot_refresh(const stack_trim_t *entry,
                         uva__stack_class_t *home,
                         uva__stack_pool_t *pool)
{
    uva__stack_slab_t *slab = entry->slab;

    slab->fresh[entry->index / 64] |= (uint64_t)1 << (entry->index % 64);
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

static void stack_keep(uva__stack_t *stack, uva__stack_class_t *home)
{
    stack_enter_tools(stack);
    stack->clean = 0;
    stack->next = home->idle;
    home->idle = stack;
}

/* Give back one batch of cold stacks; returns how many. */
static size_t class_trim_batch(uva__stack_class_t *home,
                               uva__stack_pool_t *pool)
{
    stack_trim_t entries[STACK_TRIM_BATCH_COUNT];
    struct iovec ranges[STACK_TRIM_BATCH_COUNT];
    uint32_t range_count = 0;
    size_t count = 0;
    size_t given = 0;
    size_t done;

    for (; count < STACK_TRIM_BATCH_COUNT && home->cold != NULL; count++) {
        uva__stack_t *stack = home->cold;
        char *slot = stack->low - home->guard_bytes;

        entries[count].context = stack->context;
        home->cold = stack->next;
        stack->context.sp = NULL;
        stack_leave_tools(stack);
        range_count = ranges_add(ranges, range_count, stack->slab, slot,
                                 home->slot_bytes);
        entries[count].stack = stack;
        entries[count].slab = stack->slab;
        entries[count].index =
            (uint32_t)((size_t)(slot - stack->slab->base) / home->slot_bytes);
        entries[count].range = range_count - 1;
    }
    /* A guard in a range stays what it is. */
    done = uva__guards_advise(ranges, range_count, MADV_DONTNEED);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].range < done) {
            uva__context_destroy(&entries[i].context);
            slot_refresh(&entries[i], home, pool);
            given++;
        } else { /* Locked pages cannot be given back. */
            entries[i].stack->context = entries[i].context;
            stack_keep(entries[i].stack, home);
        }
    }
    return given;
}

size_t uva__stack_pool_trim(uva__stack_pool_t *pool)
{
    size_t bytes = 0;
    size_t count = 0;

    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        uva__stack_class_t *home = &pool->classes[i];
        while (home->cold != NULL && count < STACK_TRIM_CALL_COUNT) {
            size_t done = class_trim_batch(home, pool);
            count += STACK_TRIM_BATCH_COUNT;
            bytes += done * (home->slot_bytes - home->guard_bytes);
        }
        if (home->cold == NULL) {
            home->cold = home->idle;
            home->idle = NULL;
        }
    }
    return bytes;
}

static size_t class_trim_all(uva__stack_class_t *home, uva__stack_pool_t *pool)
{
    size_t total = 0;

    for (int round = 0; round < 2; round++) { /* The cold, then the idle. */
        size_t done = 1;
        while (home->cold != NULL && done > 0) {
            done = class_trim_batch(home, pool);
            total += done * (home->slot_bytes - home->guard_bytes);
        }
        if (home->cold == NULL) {
            home->cold = home->idle;
            home->idle = NULL;
        }
    }
    return total;
}

size_t uva__stack_pool_trim_all(uva__stack_pool_t *pool)
{
    size_t bytes = 0;

    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        bytes += class_trim_all(&pool->classes[i], pool);
    }
    return bytes;
}

/* --- taking and looking --- */

static bool pool_limit_reached(uva__stack_pool_t *pool,
                               const uva__stack_class_t *home)
{
    return pool->limit_bytes != 0 &&
           pool->limit_bytes - pool->touched_bytes < home->slot_bytes;
}

int uva__stack_get_slow(uva__stack_pool_t *pool,
                        size_t size_bytes,
                        uva__stack_t **ret_stack)
{
    uva__stack_class_t *home =
        size_bytes == 0 ? pool->standard : pool_class(pool, size_bytes);
    uva__stack_t **list;

    if (home == NULL) {
        return UV_EINVAL;
    }
    list = home->idle != NULL ? &home->idle : &home->cold;
    if (*list != NULL) {
        uva__stack_t *stack = *list;
        *list = stack->next;
        uva__stack_unpoison(stack);
        *ret_stack = stack;
        return 0;
    }
    if (pool_limit_reached(pool, home)) {
        /* Idle stacks of other sizes must not count against this one. */
        uva__stack_pool_trim_all(pool);
        if (pool_limit_reached(pool, home)) {
            return UV_EAGAIN;
        }
    }
    if (uva__list_empty(&home->open)) {
        int r = class_grow(home, pool);
        if (r < 0) {
            return r;
        }
    }
    home->touched_count++;
    pool->touched_bytes += home->slot_bytes;
    *ret_stack =
        slab_take(UVA__LIST_FIRST(&home->open, uva__stack_slab_t, link), home);
    uva__stack_unpoison(*ret_stack);
    return 0;
}

size_t uva__stack_pool_count(const uva__stack_pool_t *pool)
{
    size_t count = 0;

    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        const uva__stack_class_t *home = &pool->classes[i];
        count += home->touched_count;
        for (const uva__stack_t *s = home->idle; s != NULL; s = s->next) {
            count--;
        }
        for (const uva__stack_t *s = home->cold; s != NULL; s = s->next) {
            count--;
        }
    }
    return count;
}

uva__stack_guard_t uva__stack_pool_guard(const uva__stack_pool_t *pool)
{
    if (pool->guard == UVA__STACK_GUARD_MARKER && pool->locked) {
        return UVA__STACK_GUARD_MPROTECT;
    }
    return (uva__stack_guard_t)pool->guard;
}

UVA__NO_ASAN void uva__stack_check_slow(uva__stack_t *stack, const char *sp)
{
    const uintptr_t *word = (const uintptr_t *)(const void *)stack->low;
    uintptr_t seen = 0;

    if (stack->guard != UVA__STACK_GUARD_CANARY) {
        return;
    }
    /* The canary is the zero of a page that nobody touched: reading it costs
     * no memory, writing one of another value would cost a page a stack. */
#if defined(UVA_HAVE_VALGRIND)
    VALGRIND_MAKE_MEM_DEFINED(word - STACK_CANARY_WORDS,
                              STACK_CANARY_WORDS * sizeof *word);
#endif
    for (int i = 1; i <= STACK_CANARY_WORDS; i++) {
        seen |= word[-i];
    }
    if (seen != 0 ||
        (sp != NULL && (sp < stack->low || sp > uva__stack_top(stack)))) {
        uva__overflow_die(stack);
    }
}
