/*
 * The ready queue of a loop, and the inbox for calls of other threads.
 */
#ifndef UVA__CORE_READY_H
#define UVA__CORE_READY_H

#include "base/util.h"
#include "core/loop.h"

/** Called before work is queued outside of the drain: the driver may be about
 * to wait and is told to turn, and what other threads have queued before goes
 * first. */
void uva__loop_attend(uva_loop_t *loop);

/** Move the calls of other threads to the ready queue. The owner's thread only.
 */
void uva__loop_take_inbox(uva_loop_t *loop);
/** The same, if there are any. Before the owner queues a call of its own: calls
 * run in the order in which they were made, in whichever thread. */
void uva__loop_inbox_first(uva_loop_t *loop);

/**
 * Put a node into the inbox, from any thread that has a reference of the loop.
 * Before it is run or dropped it is counted in loop->calls.count, and its run
 * and its drop take it out of there.
 *
 * @retval 1       It will run.
 * @retval 0       The loop is closing: its thread will drop the node.
 * @retval UV_EPERM The loop is closed: the node is in no queue.
 */
int uva__loop_post(uva_loop_t *loop, uva__ready_t *ready);

/** Append a node to the ready queue: it runs in the next iteration. It is in no
 * other queue, and has its ops; it is not freed before it runs or is dropped.
 */
static inline void uva__loop_push(uva_loop_t *loop, uva__ready_t *ready)
{
    if (UVA__UNLIKELY(!loop->ready.draining)) {
        uva__loop_attend(loop);
    }
    ready->next = NULL;
    *loop->ready.tail = ready;
    loop->ready.tail = &ready->next;
}

/** The same for a caller inside the drain, where the driver need not be told.
 * The node's next is NULL already. */
UVA__INLINE void uva__loop_push_last(uva_loop_t *loop, uva__ready_t *ready)
{
    UVA__ASSERT2(loop->ready.draining && ready->next == NULL);
    *loop->ready.tail = ready;
    loop->ready.tail = &ready->next;
}

/** The same for a node with any next. */
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

    if (ready == NULL) {
        return NULL;
    }
    loop->ready.budget -= UVA__ITERATION_STEPS;
    if (UVA__UNLIKELY(loop->ready.budget < 0)) {
        return NULL;
    }
    loop->ready.iterations++;
    loop->ready.head = NULL;
    loop->ready.tail = &loop->ready.head;
    return ready;
}

/** uva__loop_next_iteration has returned NULL: take back what an iteration
 * costs that the budget did not allow. */
static inline void uva__loop_no_iteration(uva_loop_t *loop)
{
    if (loop->ready.head != NULL) {
        loop->ready.budget += UVA__ITERATION_STEPS;
    }
}

/** Drop a node that will not run: its loop closes, or its future is freed.
 * Destructors run, which may queue more. */
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
