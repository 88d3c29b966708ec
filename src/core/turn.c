/*
 * The loop's turn (asyncio.base_events, _run_once).
 *
 * Invariant: an iteration is what was in the ready queue when it began. What
 * it queues waits for the next. Several iterations may pass in one turn; the
 * clock is read, timers join and other threads' calls arrive once a turn.
 */
#include "core/turn.h"

#include "core/debug.h"
#include "core/driver.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/timers.h"
#include "core/watchdog.h"

#define LOOP_DRAIN_NS        50000u
#define LOOP_ROUNDS          128u /* To a poll that would find nothing. */
#define LOOP_ROUNDS_DEFERRED 16u  /* The same while a service is behind. */

/* On an application's loop that nobody runs through uva, a stop waits for the
 * next run. */
static inline bool loop_stopping(const uva_loop_t *loop)
{
    return UVA__UNLIKELY(loop->stopping) && loop->running;
}

static void loop_drain_debug(uva_loop_t *loop)
{
    uva__ready_t *ready;

    while ((ready = loop->ready.batch) != NULL ||
           (ready = uva__loop_next_iteration(loop)) != NULL) {
        loop->ready.batch = ready->next;
        loop->ready.budget--;
        uva__debug_run(loop, ready);
    }
    uva__loop_no_iteration(loop);
}

static void loop_drain(uva_loop_t *loop)
{
    uva__ready_t *ready;

    if (UVA__UNLIKELY(loop->debug.enabled)) {
        loop_drain_debug(loop);
        return;
    }
    ready = loop->ready.batch;
    do {
        while (ready != NULL) {
            loop->ready.batch = ready->next;
            loop->ready.budget--;
            if (UVA__LIKELY(ready->ops == &uva__stackless_ops)) {
                uva__stackless_step_now(loop, ready);
            } else {
                loop->step.current = NULL;
                ready->ops->run(ready);
            }
            ready = loop->ready.batch;
        }
        ready = uva__loop_next_iteration(loop);
    } while (ready != NULL);
    uva__loop_no_iteration(loop);
    loop->step.current = NULL;
}

/*
 * How many steps fit into the time of one poll round, from how long those of
 * the last turn took: a clock read a turn and not a step. A turn that left work
 * behind tells it, as nobody slept since; what it told holds until the next
 * one.
 */
static void loop_budget(uva_loop_t *loop, uint64_t now_ns)
{
    uint64_t iterations = loop->ready.iterations - loop->turn.round_iterations;
    int64_t steps = (int64_t)loop->turn.round_budget - loop->ready.budget -
                    (int64_t)iterations * UVA__ITERATION_STEPS;

    if (loop->turn.left_work && steps > 0) {
        uint64_t step_ns = (now_ns - loop->turn.round_ns) / (uint64_t)steps + 1;
        uint64_t fit = LOOP_DRAIN_NS / step_ns + 1;
        loop->turn.fitting_steps = fit < (uint64_t)loop->limits.steps
                                       ? (int32_t)fit
                                       : loop->limits.steps;
    }
    /* One iteration at least: asyncio's stop still gives one. */
    loop->ready.budget = UVA__ITERATION_STEPS;
    if (!loop_stopping(loop)) {
        loop->ready.budget += loop->turn.fitting_steps;
    }
    loop->turn.round_budget = loop->ready.budget;
    loop->turn.round_iterations = loop->ready.iterations;
    loop->turn.round_ns = now_ns;
}

static void loop_take_calls(uva_loop_t *loop)
{
    loop->inbox.woken = false;
    uva__loop_take_inbox(loop);
    if (loop->turn.interrupted) {
        loop->turn.interrupted = 0;
        (void)uva_task_cancel(loop->turn.interrupt_task);
    }
}

/* A poll round: what the driver has found, and what runs by it. */
static void loop_round(uva_loop_t *loop)
{
    uint64_t now_ns = loop->driver.ops->now(loop);

    loop_budget(loop, now_ns);
    if (loop->inbox.woken) {
        loop_take_calls(loop);
    }
    if (uva__wheel_next(&loop->timers.wheel) <= now_ns) {
        uva__timers_collect(loop, now_ns);
    }
    loop_drain(loop);
}

/* Whether the next round comes at once: there is work, and no need to poll. If
 * no service has opened anything, a poll finds no more than what is asked for
 * here; and it can wait while a service is behind. */
static inline bool loop_rounds_on(uva_loop_t *loop)
{
    if (!loop->driver.exclusive || (loop->polls && !loop->behind) ||
        loop->ready.head == NULL || loop->stopping || loop->shutdown != NULL) {
        return false;
    }
    loop->inbox.woken =
        loop->inbox.woken || loop->turn.interrupted ||
        atomic_load_explicit(&loop->inbox.last, memory_order_relaxed) != NULL;
    loop->turn.left_work = true;
    return true;
}

/* Whoever runs the loop may do so in a catch block of C++. */
static UVA__NOINLINE bool turn_with_exceptions(uva_loop_t *loop)
{
    uva__exceptions_t taken = uva__exceptions_take(loop->step.exceptions);
    bool ready = uva__loop_turn(loop);

    uva__exceptions_give(loop->step.exceptions, &taken);
    return ready;
}

bool uva__loop_turn(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;
    unsigned rounds;

    if (UVA__UNLIKELY(uva__exceptions_any(loop->step.exceptions) != 0)) {
        return turn_with_exceptions(loop);
    }
    uva__here = loop;
    loop->ready.draining = true;
    if (UVA__UNLIKELY(loop->debug.watchdog != NULL)) {
        uva__watchdog_enter(loop);
    }
    loop_round(loop);
    /* Not for ever: the driver has handles of its own to close. */
    rounds = loop->polls ? LOOP_ROUNDS_DEFERRED : LOOP_ROUNDS;
    while (--rounds > 0 && loop_rounds_on(loop)) {
        loop_round(loop);
    }
    if (loop->ready.iterations != loop->turn.round_iterations) {
        loop->reports.stuck = false;
    }
    uva__loop_flush(loop);
    loop->ready.draining = false;
    uva__here = outer;
    if (UVA__UNLIKELY(loop->shutdown != NULL)) {
        loop->shutdown->step(loop);
    }
    loop->turn.left_work = loop->ready.head != NULL;
    return loop->turn.left_work;
}

void uva__loop_add_flush(uva_loop_t *loop, uva__flush_t *flush)
{
    if (!uva__list_linked(&flush->link)) {
        uva__list_append(&loop->turn.flushes, &flush->link);
        if (UVA__UNLIKELY(!loop->ready.draining)) {
            loop->driver.ops->attend(loop);
        }
    }
}

void uva__loop_flush(uva_loop_t *loop)
{
    while (!uva__list_empty(&loop->turn.flushes)) {
        uva__flush_t *flush =
            UVA__LIST_FIRST(&loop->turn.flushes, uva__flush_t, link);
        uva__list_remove(&flush->link);
        flush->run(flush);
    }
}

bool uva__loop_busy(const uva_loop_t *loop)
{
    return loop->ready.head != NULL || loop->tasks.count > 0 ||
           loop->calls.count > 0 || loop->op_count > 0 ||
           loop->shutdown != NULL;
}
