/*
 * The end of a task (asyncio.tasks, Task.__step): its code, its error record,
 * and those who wait for it.
 *
 * Invariant: the arguments are dropped before the task is done, in the task
 * itself while it has a stack, and the loop's reference goes last.
 */
#include "core/ending.h"

#include "base/errors.h"
#include "core/context.h"
#include "core/failures.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/scopes.h"

/* The record that a failed task keeps: the one its body named, or, as the
 * cause, that of the await whose code it passed on. A cancellation is passed on
 * as it is. */
static void task_settle_error(uva_task_t *task, int r)
{
    uva__extra_t *extra = task->extra;
    uva_error_t *error = extra->error;

    if (error == NULL) {
        return;
    }
    if (uva_error_code(error) != r) {
        extra->error = uva_error_unref(error);
    } else if (extra->error_awaited && r != UV_ECANCELED) {
        uva_error_t *passed = uva__error_new(r, NULL, uva_error_ref(error));
        if (passed != NULL) {
            extra->error = passed;
            uva_error_unref(error);
        }
    }
}

/* The code that a task ends with, and its state with it. */
static int task_settle_code(uva_task_t *task, int r)
{
    if ((task->base.flags & UVA__MUST_CANCEL) != 0 && r >= 0) {
        r = UV_ECANCELED; /* asyncio: cancelled right before it stops. */
        uva__task_deliver_cancel(task);
    }
    if (r == UV_ECANCELED && (task->base.flags & UVA__MUST_CANCEL) == 0 &&
        task->extra != NULL && task->extra->left_code != 0) {
        r = task->extra->left_code; /* Nobody else has cancelled it. */
    }
    return uva__code_of_body(r);
}

/* --- ending --- */

static void task_finish_extra(uva_task_t *task, int r)
{
    uva__scope_check(task, NULL);
    uva__task_drop_cancel(task);
    task_settle_error(task, r);
}

static inline void task_delist(uva_loop_t *loop, uva_task_t *task)
{
    task->link.prev->next = task->link.next;
    task->link.next->prev = task->link.prev;
    loop->tasks.count--;
}

/* The destructor of the arguments may cancel the task, and wait in it, if that
 * has a stack. A stackless one has had its last step: nobody would step it
 * again, so this is no part of it. */
static void task_drop_args(uva_task_t *task)
{
    bool outside = uva__task_stackless(task);
    uva_context_t *outer = NULL;

    if (outside) {
        outer = uva__context_enter(uva_task_get_context(task));
        task->base.loop->step.current = NULL;
    }
    task->coro->drop(uva__task_frame(task));
    if (outside) {
        uva__context_exit_to(outer);
    }
}

static UVA__NOINLINE void task_finish_slow(uva_task_t *task, int r)
{
    if (task->coro->drop != NULL) {
        task_drop_args(task);
    }
    r = task_settle_code(task, r);
    if (task->extra != NULL) {
        task_finish_extra(task, r);
    }
    task_delist(task->base.loop, task);
    uva__future_finish(
        &task->base,
        r == UV_ECANCELED ? UVA__FUTURE_CANCELLED : UVA__FUTURE_FINISHED, r);
    uva__future_unref(&task->base);
}

void uva__task_finish(uva_task_t *task, int r)
{
    uva_loop_t *loop = task->base.loop;

    UVA__ASSERT2(task->base.state == UVA__FUTURE_PENDING);
    if (UVA__UNLIKELY(r < 0 || (task->base.flags &
                                (UVA__MUST_CANCEL | UVA__HAS_CALLBACKS |
                                 UVA__HAS_EXTRA)) != 0)) {
        task_finish_slow(task, r);
        return;
    }
    task_delist(loop, task);
    task->base.code = r;
    task->base.state = UVA__FUTURE_FINISHED;
    if (task->base.callbacks != NULL) {
        uva__future_queue_records(loop, &task->base);
    }
    if (--task->base.refs == 0) {
        uva__future_free(&task->base);
    }
}
