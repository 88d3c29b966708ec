/*
 * The ready queue of a loop, and the inbox for calls of other threads.
 */
#ifndef UVA__CORE_READY_H
#define UVA__CORE_READY_H

#include "base/util.h"
#include "core/loop.h"

/** Work is about to be queued while the driver does not look: tell it, and let
 * go first what other threads have queued before. */
void uva__loop_attend(uva_loop_t *loop);

/** Move the calls of other threads to the ready queue. */
void uva__loop_take_inbox(uva_loop_t *loop);
/** The same, if there are any: one queue for all threads. */
void uva__loop_inbox_first(uva_loop_t *loop);

/** Append a node to the ready queue: it runs in the next iteration. */
static inline void uva__loop_push(uva_loop_t *loop, uva__ready_t *ready)
{
    if (UVA__UNLIKELY(!loop->ready.draining)) {
        uva__loop_attend(loop);
    }
    ready->next = NULL;
    *loop->ready.tail = ready;
    loop->ready.tail = &ready->next;
}

/** The same in the drain, where the driver has been told, for a node that is
 * fit to be the last. */
UVA__INLINE void uva__loop_push_last(uva_loop_t *loop, uva__ready_t *ready)
{
    UVA__ASSERT2(loop->ready.draining && ready->next == NULL);
    *loop->ready.tail = ready;
    loop->ready.tail = &ready->next;
}

/** The same for any: what a running task queues. */
UVA__INLINE void uva__loop_push_running(uva_loop_t *loop, uva__ready_t *ready)
{
    ready->next = NULL;
    uva__loop_push_last(loop, ready);
}

/** Begin the next iteration inside a drain: the caller sets loop->ready.batch.
 * @return Its first node; NULL when the budget is used (a stop takes it away),
 * or nothing is ready. */
UVA__INLINE uva__ready_t *uva__loop_next_iteration(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->ready.head;

    if (ready == NULL ||
        UVA__UNLIKELY(loop->ready.budget < UVA__ITERATION_STEPS)) {
        return NULL;
    }
    loop->ready.budget -= UVA__ITERATION_STEPS;
    loop->ready.iterations++;
    loop->ready.head = NULL;
    loop->ready.tail = &loop->ready.head;
    return ready;
}

/** Drop a node of a loop that closes, or a callback of a future that is freed:
 * it will not run. This may queue more. */
static inline void uva__ready_drop(uva__ready_t *ready)
{
    ready->ops->drop(ready);
}

/** The future that goes on when a node runs; NULL if there is none. */
static inline uva_future_t *uva__ready_waiter(uva__ready_t *ready)
{
    return ready->ops->waiter == NULL ? NULL : ready->ops->waiter(ready);
}

#endif /* UVA__CORE_READY_H */
