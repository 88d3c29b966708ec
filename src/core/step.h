/*
 * Leaving the running stackful task: the path of every suspension, inline
 * where it counts. The rest of stepping is in step.c.
 */
#ifndef UVA__CORE_STEP_H
#define UVA__CORE_STEP_H

#include "core/ending.h"
#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

/** The node of a stackless task. */
extern const uva__ready_ops_t uva__stackless_ops;
/** The nodes of a stackful task: not begun; begun. */
extern const uva__ready_ops_t uva__stackful_new_ops;
extern const uva__ready_ops_t uva__stackful_ops;
/** Let the flow of a stack be one that runs tasks, as every idle stack's is. */
void uva__task_prepare_stack(uva__stack_t *stack);
/** Run the first step of a new task now. */
void uva__task_start_eager(uva_task_t *task);

/** The rest of uva__task_next: a new task, or the loop. ready is the next
 * node, NULL if there is none. */
uva__context_t *uva__task_next_slow(uva_loop_t *loop, uva__ready_t *ready);

/**
 * Take the next ready node if it is a stackful task, which becomes the current
 * one, so that its stack is entered without the detour by the loop's.
 *
 * @return The flow to go on with: of that task, or of the loop.
 */
UVA__INLINE uva__context_t *uva__task_next(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->ready.batch;
    uva_task_t *task;

    if (UVA__LIKELY(ready == NULL)) { /* Often: iterations of a few tasks. */
        ready = uva__loop_next_iteration(loop);
    }
    if (UVA__UNLIKELY(ready == NULL || ready->ops != loop->step.resume_ops)) {
        return uva__task_next_slow(loop, ready);
    }
    loop->ready.batch = ready->next;
    loop->ready.budget--;
    task = uva__task_of_ready(ready);
    loop->step.current = task;
    return uva__task_flow(task);
}

/** Leave a task that has scopes or a canary to check, or C++ exceptions to
 * keep. */
void uva__task_leave_slow(uva_loop_t *loop, uva_task_t *task);

/** Not 0 if more than the switch is to be done when a task suspends. */
UVA__INLINE uint64_t uva__task_leaves_slowly(const uva_loop_t *loop,
                                             const uva_task_t *task)
{
    return (task->base.flags & UVA__CHECK_AT_SUSPEND) |
           uva__exceptions_any(loop->step.exceptions);
}

/** Suspend the running stackful task until its node is taken. */
UVA__INLINE void uva__task_leave(uva_loop_t *loop, uva_task_t *task)
{
    if (UVA__UNLIKELY(uva__task_leaves_slowly(loop, task) != 0)) {
        uva__task_leave_slow(loop, task);
        return;
    }
    uva__context_jump(uva__task_flow(task), uva__task_next(loop));
}

/** Prepare a step of a stackless task that was cancelled, or is new and waits
 * for its start. @return Whether to step: not if its body never begins, or not
 * yet. */
bool uva__stackless_ready_slow(uva_task_t *task);

/** End a wait of the running task that has left its list, if it was in one. */
UVA__INLINE int uva__waiter_finish(uva_task_t *task)
{
    bool cancelled = task->base.phase == UVA__PHASE_CANCELLED ||
                     (task->base.flags & UVA__MUST_CANCEL) != 0;

    task->base.phase = UVA__PHASE_IDLE;
    if (UVA__UNLIKELY(cancelled)) {
        uva__task_deliver_cancel(task);
        return UV_ECANCELED;
    }
    return 0;
}

/** One step of a stackless task; the caller has taken its node, and sets
 * loop->step.current when no other step follows. */
UVA__INLINE void uva__stackless_step_now(uva_loop_t *loop, uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    int r;

    loop->step.current = task;
    if (UVA__UNLIKELY((task->base.flags & (UVA__MUST_CANCEL | UVA__NEW)) !=
                      0)) {
        if ((task->base.flags & (UVA__MUST_CANCEL | UVA__WAITS_FOR_START)) !=
                0 &&
            !uva__stackless_ready_slow(task)) {
            return;
        }
        task->base.flags &= (uint16_t)~UVA__NEW;
    }
    r = task->coro->enter(task + 1, uva__task_ret(task));
    if (UVA__LIKELY(r == UVA__YIELD)) {
        uva__loop_push_running(loop, ready);
    } else if (r != UVA_PENDING) {
        uva__task_finish(task, r);
    }
}

#endif /* UVA__CORE_STEP_H */
