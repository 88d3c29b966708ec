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

#define LOOP_DRAIN_NS   50000u
#define LOOP_LOOKS      128u /* To a poll that would find nothing. */
#define LOOP_LOOKS_LATE 16u  /* The same while a service is behind. */

/* On an application's loop that nobody runs through uva, a stop waits for the
 * next run. */
static inline bool loop_stopping(const uva_loop_t *loop)
{
    return UVA__UNLIKELY(loop->stopping) && loop->running;
}

static void loop_drain_debug(uva_loop_t *loop)
{
    uva__ready_t *ready;

    while ((ready = loop->batch) != NULL ||
           (ready = uva__loop_next_iteration(loop)) != NULL) {
        loop->batch = ready->next;
        loop->budget--;
        uva__debug_run(loop, ready);
    }
}

static void loop_drain(uva_loop_t *loop)
{
    uva__ready_t *ready;

    if (UVA__UNLIKELY(loop->debug)) {
        loop_drain_debug(loop);
        return;
    }
    ready = loop->batch;
    do {
        while (ready != NULL) {
            loop->batch = ready->next;
            loop->budget--;
            if (UVA__LIKELY(ready->ops == &uva__stackless_ops)) {
                uva__stackless_step_now(loop, ready);
            } else {
                loop->current = NULL;
                ready->ops->run(ready);
            }
            ready = loop->batch;
        }
        ready = uva__loop_next_iteration(loop);
    } while (ready != NULL);
    loop->current = NULL;
}

/*
 * How many steps fit into the time between two looks, from how long those of
 * the last turn took: a clock read a turn and not a step. A turn that left work
 * behind tells it, as nobody slept since; what it told holds until the next
 * one.
 */
static void loop_budget(uva_loop_t *loop, uint64_t now_ns)
{
    uint64_t iterations = loop->iterations - loop->looked_iterations;
    int64_t steps = (int64_t)loop->looked_budget - loop->budget -
                    (int64_t)iterations * UVA__ITERATION_STEPS;

    if (loop->looked_ready && steps > 0) {
        uint64_t step_ns = (now_ns - loop->looked_ns) / (uint64_t)steps + 1;
        uint64_t fit = LOOP_DRAIN_NS / step_ns + 1;
        loop->fitting_steps = fit < (uint64_t)loop->limits.steps
                                  ? (int32_t)fit
                                  : loop->limits.steps;
    }
    /* One iteration at least: asyncio's stop still gives one. */
    loop->budget = UVA__ITERATION_STEPS;
    if (!loop_stopping(loop)) {
        loop->budget += loop->fitting_steps;
    }
    loop->looked_budget = loop->budget;
    loop->looked_iterations = loop->iterations;
    loop->looked_ns = now_ns;
}

static void loop_take_calls(uva_loop_t *loop)
{
    loop->inbox_woken = false;
    uva__loop_take_inbox(loop);
    if (loop->interrupted) {
        loop->interrupted = 0;
        (void)uva_task_cancel(loop->interrupt_task);
    }
}

/* One look at what the driver has found, and what runs by it. */
static void loop_look(uva_loop_t *loop)
{
    uint64_t now_ns = loop->driver->now(loop);

    loop_budget(loop, now_ns);
    if (loop->inbox_woken) {
        loop_take_calls(loop);
    }
    if (uva__wheel_next(&loop->timers) <= now_ns) {
        uva__timers_collect(loop, now_ns);
    }
    loop_drain(loop);
}

/* Whether to look again at once: there is work, and no need to poll. Where no
 * service has opened anything, a poll finds no more than what is asked for
 * here; and it can wait while a service is behind. */
static inline bool loop_looks_on(uva_loop_t *loop)
{
    if (!loop->alone || (loop->polls && !loop->behind) || loop->head == NULL ||
        loop->stopping || loop->shutdown != NULL) {
        return false;
    }
    loop->inbox_woken =
        loop->inbox_woken || loop->interrupted ||
        atomic_load_explicit(&loop->inbox, memory_order_relaxed) != NULL;
    loop->looked_ready = true;
    return true;
}

/* Whoever runs the loop may do so in a catch block of C++. */
static UVA__NOINLINE bool turn_with_exceptions(uva_loop_t *loop)
{
    uva__exceptions_t taken = uva__exceptions_take(loop->exceptions);
    bool ready = uva__loop_turn(loop);

    uva__exceptions_give(loop->exceptions, &taken);
    return ready;
}

bool uva__loop_turn(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;
    unsigned looks;

    if (UVA__UNLIKELY(uva__exceptions_any(loop->exceptions) != 0)) {
        return turn_with_exceptions(loop);
    }
    uva__here = loop;
    loop->attended = true;
    loop_look(loop);
    /* Not for ever: the driver has handles of its own to close. */
    looks = loop->polls ? LOOP_LOOKS_LATE : LOOP_LOOKS;
    while (--looks > 0 && loop_looks_on(loop)) {
        loop_look(loop);
    }
    if (loop->iterations != loop->looked_iterations) {
        loop->stuck = false;
    }
    uva__loop_flush(loop);
    loop->attended = false;
    uva__here = outer;
    if (UVA__UNLIKELY(loop->shutdown != NULL)) {
        loop->shutdown->step(loop);
    }
    loop->looked_ready = loop->head != NULL;
    return loop->looked_ready;
}

void uva__loop_add_flush(uva_loop_t *loop, uva__flush_t *flush)
{
    if (!uva__list_linked(&flush->link)) {
        uva__list_append(&loop->flushes, &flush->link);
        if (UVA__UNLIKELY(!loop->attended)) {
            loop->driver->attend(loop);
        }
    }
}

void uva__loop_flush(uva_loop_t *loop)
{
    while (!uva__list_empty(&loop->flushes)) {
        uva__flush_t *flush =
            UVA__LIST_FIRST(&loop->flushes, uva__flush_t, link);
        uva__list_remove(&flush->link);
        flush->run(flush);
    }
}

bool uva__loop_busy(const uva_loop_t *loop)
{
    return loop->head != NULL || loop->task_count > 0 || loop->call_count > 0 ||
           loop->op_count > 0 || loop->shutdown != NULL;
}
