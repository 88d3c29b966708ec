/*
 * Timers: a wheel with a heap, and the list of those that are due (asyncio:
 * base_events.py, _run_once, from self._scheduled to self._ready).
 *
 *   state          the timer stands               left by
 *   IDLE           nowhere                        start
 *   1, 3 (wheel)   in the wheel, or its heap      the deadline, stop
 *   DUE            in the list of due timers      its turn, stop
 *
 * Invariant: while the list of due timers is not empty, its one node is in the
 * ready queue. So the due timers of a poll round run one after another at the
 * place where asyncio's handles would stand, and each can be stopped to the
 * last moment by leaving the list.
 */
#include "core/timers.h"

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

/* A wake-up for timers costs two system calls, whatever the number of timers
 * that it finds. So after one the kernel is not asked for the next any sooner
 * than this: later deadlines fire together, each a little late. After a wake-up
 * that found many the deadlines are dense, and the gap is longer. */
#define TIMERS_GAP_NS       ((uint64_t)100 * 1000)
#define TIMERS_DENSE_GAP_NS ((uint64_t)400 * 1000)
#define TIMERS_DENSE        8u

/* A poll round takes so many timers, and those of the last one's deadline, as
 * if it had read the clock earlier. With a million due at once the tasks of the
 * first would have left the cache before they run: that costs half as much
 * again. */
#define TIMERS_AT_ONCE 512u

/* 1 and 3 are the wheel's. */
enum {
    TIMER_IDLE = 0,
    TIMER_DUE = 2
};

int uva__timer_start(uva_loop_t *loop,
                     uva__timer_t *timer,
                     uint64_t when_ns,
                     void (*fire)(uva__timer_t *timer))
{
    int r;

    timer->fire = fire;
    timer->waiter = NULL;
    timer->state = TIMER_IDLE;
    if (when_ns == UVA_FOREVER) {
        return 0;
    }
    r = uva__wheel_insert(&loop->timers.wheel, timer, when_ns,
                          loop->turn.round_ns);
    if (r < 0) {
        return r;
    }
    /* Outside of the drain the driver may be about to wait, and has to learn of
     * the new deadline. */
    if (UVA__UNLIKELY(!loop->ready.draining)) {
        loop->driver.ops->attend(loop);
    }
    return 0;
}

void uva__timer_stop(uva_loop_t *loop, uva__timer_t *timer)
{
    if (timer->state == TIMER_DUE) {
        uva__list_remove(&timer->at.link);
    } else if (timer->state != TIMER_IDLE) {
        uva__wheel_remove(&loop->timers.wheel, timer);
    }
    timer->state = TIMER_IDLE;
}

/* Fire the timers that are due; the only work of the node due_ready. */
static void timers_run_due(uva__ready_t *ready)
{
    uva_loop_t *loop = UVA__CONTAINER_OF(ready, uva_loop_t, timers.due_ready);
    uva_list_t due;

    /* The due timers move to a list of this call: those that come due while it
     * runs belong to a later poll round, and queue the node anew. Stopping a
     * timer takes it out of this list as well. */
    ready->ops = NULL;
    uva__list_init(&due);
    if (!uva__list_empty(&loop->timers.due)) {
        uva__list_insert_before(loop->timers.due.next, &due);
        uva__list_remove(&loop->timers.due);
        uva__list_init(&loop->timers.due);
    }
    while (!uva__list_empty(&due)) {
        uva__timer_t *timer = UVA__LIST_FIRST(&due, uva__timer_t, at.link);
        uva__list_remove(&timer->at.link);
        timer->state = TIMER_IDLE;
        timer->fire(timer);
    }
}

static const uva__ready_ops_t timers_due_ops = {.run = timers_run_due,
                                                .drop = timers_run_due};

/* The wheel gives timers with equal deadlines in the order in which they were
 * started. */
void uva__timers_collect(uva_loop_t *loop, uint64_t now_ns)
{
    uint64_t last_ns = 0;
    size_t count = 0;

    while (loop->timers.wheel.count > 0 &&
           uva__wheel_next(&loop->timers.wheel) <= now_ns) {
        uva__timer_t *timer = uva__wheel_first(&loop->timers.wheel);
        if (count >= TIMERS_AT_ONCE && timer->when_ns != last_ns) {
            break;
        }
        uva__wheel_remove(&loop->timers.wheel, timer);
        timer->state = TIMER_DUE;
        uva__list_append(&loop->timers.due, &timer->at.link);
        last_ns = timer->when_ns;
        count++;
    }
    if (uva__list_empty(&loop->timers.due)) {
        return;
    }
    loop->timers.next_wake_ns =
        now_ns + (count < TIMERS_DENSE ? TIMERS_GAP_NS : TIMERS_DENSE_GAP_NS);
    if (loop->timers.due_ready.ops == NULL) {
        loop->timers.due_ready.ops = &timers_due_ops;
        uva__loop_push(loop, &loop->timers.due_ready);
    }
}
