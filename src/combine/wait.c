/*
 * wait, wait_for and cancel-and-wait (asyncio.tasks).
 *
 * A wait has a state of its own, because a record among the callbacks of a
 * future may run after the task has gone on: members.c keeps the state until
 * the last record has run. wait_for is an await with a timeout around it. Only
 * with a timeout of 0 it cancels the future and waits for its end, as asyncio
 * does.
 *
 * Invariant: a wait never wakes its task once it is over.
 */
#include "uva/tasks.h"

#include "combine/members.h"
#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/results.h"
#include "core/timers.h"

/* The state of a wait, from its first call to its last. */
typedef struct wait_s {
    uva__members_t members;
    uva_return_when_t when;
} wait_t;

/* The wait is over for the task: stop the timer and wake the task. The task may
 * be woken already; a second time does nothing. */
static void wait_wake(uva__members_t *members)
{
    uva__timer_stop(members->loop, &members->timer);
    (void)uva_waiter_wake(members->waiter);
}

/* asyncio: tasks.py, _on_completion: a cancelled future is no exception. */
static bool wait_failed(uva_future_t *future)
{
    return !uva_future_cancelled(future) && uva__future_code(future) < 0;
}

/* One of the futures is done: wake the task if that is enough. */
static void wait_member_done(uva__members_t *members, uva__member_t *member)
{
    uva_return_when_t when = UVA__CONTAINER_OF(members, wait_t, members)->when;

    if (members->left == 0 || when == UVA_FIRST_COMPLETED ||
        (when == UVA_FIRST_EXCEPTION && wait_failed(member->future))) {
        wait_wake(members);
    }
}

/* A timeout wakes the task just as the last of the futures does. */
static const uva__members_ops_t wait_ops = {sizeof(wait_t), wait_member_done,
                                            wait_wake};

/* Make the state; the caller then suspends the task, even if all futures are
 * done already: their records run in the next iteration and wake it. asyncio:
 * tasks.py, _wait, does the same. */
static int wait_start(uva_wait_op_t *op,
                      uva_task_t *task,
                      const uva_future_ref_t *futures,
                      size_t count,
                      uint64_t timeout_ns,
                      uva_return_when_t when)
{
    uva__members_t *members;
    int r = uva__members_new(task->base.loop, &wait_ops, futures, count,
                             timeout_ns, &members);

    if (r >= 0) {
        members->waiter = &task->waiter;
        UVA__CONTAINER_OF(members, wait_t, members)->when = when;
        op->state = members;
    }
    return r;
}

/* Give the futures out: in the caller's order, each once, borrowed. A future
 * that is done by now counts as done, whether or not its record has run.
 * asyncio: tasks.py, _wait. @return How many are done. */
static int wait_results(const uva__members_t *members,
                        uva_future_t **ret_done,
                        uva_future_t **ret_pending)
{
    size_t done = 0;
    size_t pending = 0;

    for (size_t i = 0; i < members->count; i++) {
        const uva__member_t *member = &members->places[i];
        if (!member->counted) {
            continue;
        }
        if (uva_future_done(member->future)) {
            if (ret_done != NULL) {
                ret_done[done] = member->future;
            }
            done++;
        } else {
            if (ret_pending != NULL) {
                ret_pending[pending] = member->future;
            }
            pending++;
        }
    }
    return (int)done;
}

/* asyncio: tasks.py, wait. A timeout is no failure: it gives what is done. */
int uva_wait_poll(uva_wait_op_t *op,
                  const uva_future_ref_t *futures,
                  size_t count,
                  uint64_t timeout_ns,
                  uva_return_when_t when,
                  uva_future_t **ret_done,
                  uva_future_t **ret_pending)
{
    uva_task_t *task = uva__task_current();
    uva__members_t *members;
    int r;

    if (task == NULL) {
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        if (count == 0 || when > UVA_FIRST_EXCEPTION) {
            return uva__bare(UV_EINVAL);
        }
        r = wait_start(op, task, futures, count, timeout_ns, when);
        return r < 0 ? r : uva_waiter_suspend(&task->waiter, NULL, NULL);
    }
    members = op->state;
    r = uva_waiter_finish(&task->waiter);
    uva__members_leave(members);
    if (r >= 0) {
        r = wait_results(members, ret_done, ret_pending);
    }
    op->state = NULL;
    uva__members_unref(members);
    return r;
}

int uva_wait(const uva_future_ref_t *futures,
             size_t count,
             uint64_t timeout_ns,
             uva_return_when_t when,
             uva_future_t **ret_done,
             uva_future_t **ret_pending)
{
    uva_wait_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_wait, &op, futures, count, timeout_ns, when, ret_done,
              ret_pending);
    return r;
}

/* --- cancel and wait --- */

/* asyncio: tasks.py, _cancel_and_wait. The record is appended before the future
 * is asked to cancel: it may be done at once. A task that waited for itself
 * would never go on. */
int uva_cancel_and_wait_poll(uva_wait_op_t *op, uva_future_t *future)
{
    uva_task_t *task = uva__task_current();
    uva_future_ref_t futures[] = {future};
    int r;

    if (task == NULL) {
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        if (!uva__future_pending(future)) {
            return 0;
        }
        if (future == &task->base) {
            return uva__bare(UV_EPERM);
        }
        r = wait_start(op, task, futures, 1, UVA_FOREVER, UVA_ALL_COMPLETED);
        if (r < 0) {
            return r;
        }
        (void)uva_future_cancel(future);
        return uva_waiter_suspend(&task->waiter, NULL, NULL);
    }
    r = uva_wait_poll(op, futures, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL,
                      NULL);
    return r < 0 ? r : 0;
}

int uva_cancel_and_wait(uva_future_t *future)
{
    uva_wait_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_cancel_and_wait, &op, future);
    return r;
}

/* --- wait_for --- */

/* Which way a wait_for goes, from its first poll to its last. */
enum {
    WAIT_FOR_NEW,
    WAIT_FOR_CANCEL, /* No time: cancel the future, and wait for its end. */
    WAIT_FOR_AWAIT   /* Await the future in a timeout. */
};

/* Move the result of a done future out. Only WAIT_FOR_CANCEL comes here, so a
 * cancellation stands for the timeout. */
static int wait_for_result(uva_future_t *future, void *ret, size_t size)
{
    int r = uva__future_take(future, ret, size);

    if (r == UV_ECANCELED) {
        return uva__bare(UV_ETIMEDOUT);
    }
    if (r < 0) {
        uva__task_note_failure(uva__task_current(), future, r);
    }
    return r;
}

/* asyncio: tasks.py, wait_for: with no time the future is asked to cancel at
 * once, and waited for; else a timeout is put around the await. */
static void
wait_for_begin(uva_wait_for_op_t *op, uva_future_t *future, uint64_t timeout_ns)
{
    if (timeout_ns == 0 && uva__future_pending(future)) {
        op->cancel.state = NULL;
        op->stage = WAIT_FOR_CANCEL;
    } else {
        (void)uva_timeout_enter(&op->timeout,
                                timeout_ns == 0 ? UVA_FOREVER : timeout_ns);
        op->stage = WAIT_FOR_AWAIT;
    }
}

/* asyncio: tasks.py, wait_for. Both ways end with the reference dropped and the
 * result moved out. */
int uva__wait_for_typed_poll(uva_wait_for_op_t *op,
                             uva_future_t *take_task,
                             uint64_t timeout_ns,
                             void *ret,
                             size_t ret_bytes)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (task == NULL) {
        uva_future_unref(take_task);
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        wait_for_begin(op, take_task, timeout_ns);
    }
    if (op->stage == WAIT_FOR_CANCEL) {
        r = uva_cancel_and_wait_poll(&op->cancel, take_task);
        if (r == UVA_PENDING) {
            return r;
        }
        if (r >= 0) {
            r = wait_for_result(take_task, ret, ret_bytes);
        }
        (void)uva_future_unref(take_task);
    } else {
        /* This moves the result out and drops the reference when it ends. */
        r = uva__await_typed_poll(take_task, ret, ret_bytes);
        if (r == UVA_PENDING) {
            return r;
        }
        r = uva_timeout_exit(&op->timeout, r);
    }
    op->stage = WAIT_FOR_NEW;
    return r;
}

/* Not UVA_DRIVE, which would not drop the future where the caller cannot
 * block. */
int uva__wait_for_typed(uva_future_t *take_task,
                        uint64_t timeout_ns,
                        void *ret,
                        size_t ret_bytes)
{
    uva_wait_for_op_t op;
    int r = uva__block_check();

    if (r < 0) {
        uva_future_unref(take_task);
        return r;
    }
    while ((r = uva__wait_for_typed_poll(&op, take_task, timeout_ns, ret,
                                         ret_bytes)) == UVA_PENDING) {
        uva__block("uva_wait_for");
    }
    return r;
}

/* The plain forms: the result is a void pointer. */
int uva_wait_for_poll(uva_wait_for_op_t *op,
                      uva_future_t *take_future,
                      uint64_t timeout_ns,
                      void **ret_result)
{
    return uva__wait_for_typed_poll(op, take_future, timeout_ns, ret_result,
                                    sizeof *ret_result);
}

int uva_wait_for(uva_future_t *take_future,
                 uint64_t timeout_ns,
                 void **ret_result)
{
    return uva__wait_for_typed(take_future, timeout_ns, ret_result,
                               sizeof *ret_result);
}
