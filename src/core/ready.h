/*
 * The ready queue, and whose loop this is: which loop runs in this thread,
 * which thread owns a loop, who may take references of what belongs to it.
 */
#ifndef UVA__CORE_READY_H
#define UVA__CORE_READY_H

#include "base/util.h"
#include "core/loop.h"

/** The loop whose tasks and callbacks run in this thread. Never NULL: a loop
 * without a task stands for none, so who asks for the task need not ask for the
 * loop. */
extern UVA__TLS uva_loop_t *uva__here;
extern uva_loop_t uva__nowhere;

/** The same; NULL if none. */
static inline uva_loop_t *uva__running(void)
{
    return uva__here == &uva__nowhere ? NULL : uva__here;
}

/** uva__loop_owned where the loop does not run in this thread. */
bool uva__loop_owned_slow(const uva_loop_t *loop, const char *function);

/** Whether the loop belongs to the calling thread. Any thread may ask. */
static inline bool uva__loop_is_owner(const uva_loop_t *loop)
{
    uv_thread_t owner =
        atomic_load_explicit(&loop->thread, memory_order_relaxed);
    uv_thread_t self = uv_thread_self();

    return uv_thread_equal(&self, &owner) != 0;
}

/** Make the calling thread the owner. Others may be asking whether they are. */
static inline void uva__loop_own(uva_loop_t *loop)
{
    if (UVA__UNLIKELY(!uva__loop_is_owner(loop))) {
        atomic_store_explicit(&loop->thread, uv_thread_self(),
                              memory_order_relaxed);
        loop->exceptions = uva__exceptions_here();
        uva__context_self(&loop->context); /* Tools: it is another stack. */
    }
}

/**
 * Whether the calling thread may touch what belongs to the loop. If not, the
 * log names the public function that asks, and the thread. Every public
 * function that is not for any thread asks before it changes anything.
 */
static inline bool uva__loop_owned_for(const uva_loop_t *loop,
                                       const char *function)
{
    return UVA__LIKELY(uva__here == loop) ||
           uva__loop_owned_slow(loop, function);
}

/** The same in the public function itself. */
#define uva__loop_owned(loop) uva__loop_owned_for(loop, __func__)

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
    if (UVA__UNLIKELY(!loop->attended)) {
        uva__loop_attend(loop);
    }
    ready->next = NULL;
    *loop->tail = ready;
    loop->tail = &ready->next;
}

/** The same in the drain, where the driver has been told, for a node that is
 * fit to be the last. */
UVA__INLINE void uva__loop_push_last(uva_loop_t *loop, uva__ready_t *ready)
{
    UVA__ASSERT2(loop->attended && ready->next == NULL);
    *loop->tail = ready;
    loop->tail = &ready->next;
}

/** The same for any: what a running task queues. */
UVA__INLINE void uva__loop_push_running(uva_loop_t *loop, uva__ready_t *ready)
{
    ready->next = NULL;
    uva__loop_push_last(loop, ready);
}

/** Begin the next iteration inside a drain: the caller sets loop->batch.
 * @return Its first node; NULL when the budget is used (a stop takes it away),
 * or nothing is ready. */
UVA__INLINE uva__ready_t *uva__loop_next_iteration(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->head;

    if (ready == NULL || UVA__UNLIKELY(loop->budget < UVA__ITERATION_STEPS)) {
        return NULL;
    }
    loop->budget -= UVA__ITERATION_STEPS;
    loop->iterations++;
    loop->head = NULL;
    loop->tail = &loop->head;
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

/** Free a loop's own memory: it is closed, or got no driver. */
void uva__loop_discard(uva_loop_t *loop);
/** Free a closed loop that nothing refers to any more. */
void uva__loop_maybe_free(uva_loop_t *loop);

/** The slow half of uva__loop_enter. */
uva_loop_t *uva__loop_enter_closed(uva_loop_t *loop);
/** Give the mutex back, and free a closed loop that nothing refers to. */
void uva__loop_unlock(uva_loop_t *loop);
/** Let other threads in again; the loop may be gone then. */
void uva__loop_leave(uva_loop_t *entered);
/** Before references of what belongs to a loop change: any thread may do that
 * once it is closed, one at a time. @return For uva__loop_leave. */
static inline uva_loop_t *uva__loop_enter(uva_loop_t *loop)
{
    return UVA__LIKELY(!loop->closed) ? NULL : uva__loop_enter_closed(loop);
}

/** The running task if it can wait; else NULL. */
static inline uva_task_t *uva__task_current(void)
{
    return uva__here->current;
}

#endif /* UVA__CORE_READY_H */
