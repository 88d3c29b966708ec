/*
 * sleep (asyncio.tasks).
 *
 * Invariant: as in asyncio a sleep ends two iterations after its deadline is
 * seen: the timer runs, which wakes the task, which runs in the next. No
 * future is made for it: the task's own waiter stands for one.
 */
#include "uva/tasks.h"

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/timers.h"
#include "core/waiters.h"

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
    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
        uva__task_deliver_cancel(task);
        return UV_ECANCELED;
    }
    return 0;
}

static void sleep_fire(uva__timer_t *timer)
{
    uva_task_t *task = uva__task_of_waiter(timer->waiter);

    /* Many a task ends when it has slept: then it queues what was not touched
     * for as long. */
    UVA__PREFETCH_WRITE(task->base.callbacks);
    (void)uva__waiter_wake(timer->waiter);
}

int uva_sleep_poll(uva_sleep_op_t *op, uint64_t delay_ns)
{
    uva_task_t *task = uva__task_current();
    int r;

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

static UVA__NOINLINE int sleep_slow(uint64_t delay_ns)
{
    uva_loop_t *loop = uva__here;
    uva_task_t *task = loop->current;
    uva_sleep_op_t op;
    int r;

    if (task == NULL || uva__task_stackless(task)) {
        return UVA_ENOTASK;
    }
    if (delay_ns == 0) {
        uva__loop_push_running(loop, &task->ready);
        return uva__task_yield_watched(loop, task);
    }
    while ((r = uva_sleep_poll(&op, delay_ns)) == UVA_PENDING) {
        uva_block("uva_sleep");
    }
    return r;
}

/* A yield is one iteration without a waiter: a cancellation finds the task as
 * it finds one that has not started. What it returns is what the switch
 * returns, so it has no frame to come back to. */
int uva_sleep(uint64_t delay_ns)
{
    uva_loop_t *loop = uva__here;
    uva_task_t *task = loop->current;

    if (UVA__UNLIKELY(task == NULL || delay_ns != 0 ||
                      (task->base.flags & (UVA__STACKLESS | UVA__WATCHED)) !=
                          0)) {
        return sleep_slow(delay_ns);
    }
    uva__loop_push_running(loop, &task->ready);
    return uva__task_yield(loop, task);
}
