/*
 * Leaving the running stackful task: the path of every suspension, inline
 * where it counts. The rest of stepping is in coroutines.c.
 */
#ifndef UVA__CORE_STEP_H
#define UVA__CORE_STEP_H

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

/** The node function of a stackless task. */
void uva__stackless_step(uva__ready_t *ready);
/** The node functions of a stackful task: not begun; begun; begun, and to be
 * cancelled when it yields. */
void uva__stackful_start(uva__ready_t *ready);
void uva__task_resume(uva__ready_t *ready);
void uva__task_resume_cancelled(uva__ready_t *ready);
/** Let the flow of a stack be one that runs tasks, as every idle stack's is. */
void uva__task_prepare_stack(uva__stack_t *stack);
/** Run the first step of a new task now. */
void uva__task_start_eager(uva_task_t *task);
/** End a task whose body returned r, or never ran. */
void uva__task_finish(uva_task_t *task, int r);
/** Deliver a cancellation: its message becomes the task's error record. */
void uva__task_deliver_cancel(uva_task_t *task);
/** Whether a node of a ready queue or callback ring is a task's. */
bool uva__ready_is_task(const uva__ready_t *ready);

/** Leave for whoever is next when it is not a task that was left: a new one, or
 * the loop. A task that has exceptions of C++ to keep leaves this way too. */
uva__resumed_t uva__task_leave_slow(uva_loop_t *loop, uva_task_t *task);
int uva__task_yield_slow(uva_loop_t *loop, uva_task_t *task);
/** Leave a task that has scopes, or a stack with a canary: they are looked at
 * before. */
uva_task_t *uva__task_leave_watched(uva_loop_t *loop, uva_task_t *task);
int uva__task_yield_watched(uva_loop_t *loop, uva_task_t *task);

static inline uva__stackful_t *uva__task_stackful(uva_task_t *task)
{
    return UVA__CONTAINER_OF(task, uva__stackful_t, task);
}

/** The context by which a stackful task is left and resumed. */
static inline uva__context_t *uva__task_flow(uva_task_t *task)
{
    return uva__task_stackful(task)->flow;
}

/** Take a node, the next one, of a task that was left by a function of this
 * file: it is what runs. */
UVA__INLINE uva_task_t *uva__task_take(uva_loop_t *loop, uva__ready_t *ready)
{
    uva_task_t *task;

    loop->batch = ready->next;
    loop->budget--;
    task = uva__task_of_ready(ready);
    UVA__HIDE(task); /* And so take all from one register. */
    loop->current = task;
    return task;
}

/** Take the next node if it is a task that was left like this one: straight
 * over, in order, without the detour by the loop's stack. NULL if it is not, or
 * if the running one has exceptions to keep: two conditions, one branch. */
UVA__INLINE uva_task_t *uva__task_next(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->batch;

    if (ready == NULL) {
        UVA__FORGET(loop->budget);
        ready = uva__loop_next_iteration(loop);
        UVA__FORGET(loop->budget);
        if (UVA__UNLIKELY(ready == NULL)) {
            return NULL;
        }
    }
    if (UVA__UNLIKELY((((uintptr_t)ready->run ^ (uintptr_t)loop->direct) |
                       uva__exceptions_any(loop->exceptions)) != 0)) {
        loop->batch = ready;
        return NULL;
    }
    return uva__task_take(loop, ready);
}

/** Suspend the running task, to which nothing is to be looked at. */
UVA__INLINE uva_task_t *uva__task_leave_plain(uva_loop_t *loop,
                                              uva_task_t *task)
{
    uva_task_t *next = uva__task_next(loop);

    if (UVA__UNLIKELY(next == NULL)) {
        return uva__task_leave_slow(loop, task).given;
    }
    return uva__context_switch(uva__task_flow(task), uva__task_flow(next),
                               next);
}

/** The same of a task that has queued itself. @return 0, or UV_ECANCELED if it
 * was cancelled meanwhile: uva__task_resume_cancelled tells. */
UVA__INLINE int uva__task_yield(uva_loop_t *loop, uva_task_t *task)
{
    uva__context_t *flow = uva__task_flow(task);
    uva_task_t *next = uva__task_next(loop);

    if (UVA__UNLIKELY(next == NULL)) {
        return uva__task_yield_slow(loop, task);
    }
    return uva__context_yield(flow, uva__task_flow(next), next);
}

/** Suspend the running task. @return The same when it is resumed: who resumes
 * it knows it, so that the caller need not keep it. */
UVA__INLINE uva_task_t *uva__task_leave_now(uva_loop_t *loop, uva_task_t *task)
{
    if (UVA__UNLIKELY((task->base.flags & UVA__WATCHED) != 0)) {
        return uva__task_leave_watched(loop, task);
    }
    return uva__task_leave_plain(loop, task);
}

/** Prepare a step of a stackless task that is new or cancelled.
 * @return Whether to step: not if it was cancelled before its first. */
bool uva__stackless_ready(uva_task_t *task);

/** One step of a stackless task; the caller has taken its node, and sets
 * loop->current when no other step follows. */
UVA__INLINE void uva__stackless_step_now(uva_loop_t *loop, uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    char *frame = (char *)(task + 1);
    int r;

    loop->current = task;
    if (UVA__UNLIKELY((task->base.flags & (UVA__MUST_CANCEL | UVA__NEW)) !=
                      0) &&
        !uva__stackless_ready(task)) {
        return;
    }
    r = task->coro->enter(frame, frame + task->coro->ret_place);
    if (UVA__LIKELY(r == UVA__YIELD)) {
        uva__loop_push_running(loop, ready);
    } else if (r != UVA_PENDING) {
        uva__task_finish(task, r);
    }
}

#endif /* UVA__CORE_STEP_H */
