/*
 * Giving the memory of idle stacks back to the system.
 *
 * Invariant: the control block of a stack goes with its pages, so all that is
 * needed afterwards is copied before, and the slot is fresh again. A stack
 * whose pages cannot be given back, because they are locked, stays idle.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/trim.h"

#include <sys/mman.h>

#include "stack/guards.h"
#include "stack/slabs.h"

enum {
    TRIM_BATCH_COUNT = 64 /* Stacks of one system call. */
};

/* A stack that is being given back. */
typedef struct stack_trim_s {
    uva__stack_t *stack;    /* Valid only if its pages were kept. */
    uva__context_t context; /* The flow that was suspended on it. */
    uva__stack_slab_t *slab;
    uint32_t index;
    uint32_t range; /* Which of the ranges of its batch holds it. */
} stack_trim_t;

/* Add a slot to the ranges of a batch. Neighbours that went idle one after the
 * other become one range, which saves a quarter of the time. A range does not
 * reach over the end of a slab: the next slab may be locked and refuse.
 * @return How many ranges there are. */
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

/* The pages of a stack stay: put it back among the idle ones. */
static void stack_keep(uva__stack_t *stack, uva__stack_class_t *home)
{
    uva__stack_enter_tools(stack);
    stack->clean = UVA__STACK_DIRTY;
    stack->next = home->idle;
    home->idle = stack;
}

/* Give back the first batch of a list of stacks of a class. @return How many;
 * the others of the batch are idle again. */
static size_t class_trim_batch(uva__stack_t **list,
                               uva__stack_class_t *home,
                               uva__stack_pool_t *pool)
{
    stack_trim_t entries[TRIM_BATCH_COUNT];
    struct iovec ranges[TRIM_BATCH_COUNT];
    uint32_t range_count = 0;
    size_t count = 0;
    size_t given = 0;
    size_t done;

    for (; count < TRIM_BATCH_COUNT && *list != NULL; count++) {
        uva__stack_t *stack = *list;
        char *slot = stack->low - home->guard_bytes;

        /* The flow is destroyed when the pages have gone, not by
         * uva__stack_leave_tools: the pages may be refused. */
        entries[count].context = stack->context;
        *list = stack->next;
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
    /* The ranges include the guards, which stay guards. */
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

/* The list is taken aside, so that stacks that are idle again, because their
 * pages were refused, are tried once. */
static size_t class_trim(uva__stack_class_t *home, uva__stack_pool_t *pool)
{
    uva__stack_t *rest = home->idle;
    size_t given = 0;

    home->idle = NULL;
    while (rest != NULL) {
        given += class_trim_batch(&rest, home, pool);
    }
    return given * (home->slot_bytes - home->guard_bytes);
}

size_t uva__stack_pool_trim(uva__stack_pool_t *pool)
{
    size_t bytes = 0;

    for (size_t i = 0; i < UVA__STACK_CLASS_COUNT; i++) {
        bytes += class_trim(&pool->classes[i], pool);
    }
    return bytes;
}
