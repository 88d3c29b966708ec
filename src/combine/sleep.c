/*
 * sleep (asyncio.tasks).
 *
 * Invariant: as in asyncio a sleep ends two iterations after its deadline is
 * seen. In the first the timer runs and wakes the task, in the second the task
 * runs. asyncio makes a future for it; here the task's own waiter does.
 */
#include "uva/tasks.h"

#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/timers.h"
#include "core/waiters.h"

/* The result of a yield that has ended: UV_ECANCELED if the task was cancelled
 * meanwhile. A yielding task waits for nothing that a cancellation could wake,
 * so the cancellation waits for it here. */
static inline int yield_end(uva_task_t *task)
{
    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
        uva__task_deliver_cancel(task);
        return UV_ECANCELED;
    }
    return 0;
}

int uva_yield_poll(void)
{
    uva_task_t *task = uva__task_current();

    if (UVA__UNLIKELY(task == NULL)) {
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        task->base.phase = UVA__PHASE_YIELD;
        uva__loop_push(task->base.loop, &task->ready);
        return UVA_PENDING;
    }
    task->base.phase = UVA__PHASE_IDLE;
    return yield_end(task);
}

/* The deadline has come. */
static void sleep_fire(uva__timer_t *timer)
{
    (void)uva__waiter_wake(timer->waiter);
}

int uva_sleep_poll(uva_sleep_op_t *op, uint64_t delay_ns)
{
    uva_task_t *task = uva__task_current();
    int r;

    /* asyncio: tasks.py, sleep: no time is one bare yield. */
    if (delay_ns == 0 || task == NULL) {
        return uva_yield_poll();
    }
    if (task->base.phase != UVA__PHASE_IDLE) {
        uva__timer_stop(task->base.loop, &op->timer);
        return uva__waiter_finish(task);
    }
    r = uva__timer_start(task->base.loop, &op->timer,
                         uva__loop_deadline(task->base.loop, delay_ns),
                         sleep_fire);
    op->timer.waiter = &task->waiter;
    return r < 0 ? uva__bare(r) : uva__waiter_suspend(task);
}

/* The way of every sleep but the commonest yield. */
static UVA__NOINLINE int sleep_slow(uint64_t delay_ns)
{
    uva_sleep_op_t op;
    int r;

    if (uva__block_check() < 0) {
        return UVA_ENOTASK;
    }
    while ((r = uva_sleep_poll(&op, delay_ns)) == UVA_PENDING) {
        uva__block("uva_sleep");
    }
    return r;
}

/* A yield of a task that has nothing to check or to keep is the commonest
 * suspension of all, so it is inline, without a frame for the timer. */
int uva_sleep(uint64_t delay_ns)
{
    uva_loop_t *loop = uva__here;
    uva_task_t *task = loop->step.current;

    if (UVA__UNLIKELY(task == NULL ||
                      (delay_ns | (task->base.flags & UVA__STACKLESS) |
                       uva__task_leaves_slowly(loop, task)) != 0)) {
        return sleep_slow(delay_ns);
    }
    uva__loop_push_running(loop, &task->ready);
    uva__context_yield(uva__task_flow(task), uva__task_next(loop));
    return yield_end(task);
}
