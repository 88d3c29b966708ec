/*
 * Giving the memory of idle stacks back to the system.
 *
 * Invariant: a stack whose pages were given back has no control block any
 * more: its slot is fresh again. One whose pages cannot be given back, as they
 * are locked, stays idle.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/trim.h"

#include <sys/mman.h>

#include "stack/guards.h"
#include "stack/slabs.h"

enum {
    TRIM_BATCH_COUNT = 64,
    TRIM_CALL_COUNT = 1024
};

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

static void stack_keep(uva__stack_t *stack, uva__stack_class_t *home)
{
    uva__stack_enter_tools(stack);
    stack->clean = UVA__STACK_DIRTY;
    stack->next = home->idle;
    home->idle = stack;
}

/* Give back one batch of cold stacks; returns how many. */
static size_t class_trim_batch(uva__stack_class_t *home,
                               uva__stack_pool_t *pool)
{
    stack_trim_t entries[TRIM_BATCH_COUNT];
    struct iovec ranges[TRIM_BATCH_COUNT];
    uint32_t range_count = 0;
    size_t count = 0;
    size_t given = 0;
    size_t done;

    for (; count < TRIM_BATCH_COUNT && home->cold != NULL; count++) {
        uva__stack_t *stack = home->cold;
        char *slot = stack->low - home->guard_bytes;

        entries[count].context = stack->context;
        home->cold = stack->next;
        stack->context.sp = NULL;
        uva__stack_leave_tools(stack);
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
            uva__slab_refresh(entries[i].slab, entries[i].index, home, pool);
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
        while (home->cold != NULL && count < TRIM_CALL_COUNT) {
            size_t done = class_trim_batch(home, pool);
            count += TRIM_BATCH_COUNT;
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
