/*
 * The life of a loop: making, running, closing (asyncio.base_events).
 *
 *   state     set by                 what is possible
 *   open      uva__loop_new          everything
 *   running   loop_run               everything but to run and to close
 *   closing   uva__loop_close_now    futures end, destructors run; nothing can
 *                                    be scheduled
 *   closed    uva__loop_closed       references are dropped, by any thread
 *
 * Invariant: a loop closes only when no task and no operation is left, so that
 * nothing is cut off; everything that is scheduled is dropped then, once.
 */
#include "uva/events.h"

#include <string.h>

#include "base/alloc.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "core/calls.h"
#include "core/debug.h"
#include "core/driver.h"
#include "core/futures.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/made.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/registry.h"
#include "core/reports.h"
#include "core/scopes.h"
#include "core/services.h"
#include "core/step.h"
#include "core/tasks.h"
#include "core/timers.h"
#include "core/turn.h"
#include "core/watchdog.h"

/* Iterations between two polls, if no option says otherwise. The most keeps the
 * budget of steps inside an int32_t. */
#define LOOP_ITERATIONS      61u
#define LOOP_ITERATIONS_MOST 1000000u
#define LOOP_SLOW_NS         100000000u

/* --- running --- */

/* asyncio: base_events.py, _check_running: neither this loop nor another one of
 * the thread may run. */
static int loop_runnable(uva_loop_t *loop)
{
    if (loop->driver.forked) {
        return uva__bare(UVA_EFORKED);
    }
    if (loop->closing || loop->running || uva__running() != NULL ||
        uva__loop_host_lost(loop)) {
        return uva__bare(UV_EPERM);
    }
    return loop->driver.ops->inside(loop) ? uva__bare(UV_EBUSY) : 0;
}

/* Run the loop until it is stopped. The calling thread becomes its owner. */
static int loop_run(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;
    int r;

    uva__loop_own(loop);
    loop->running = true;
    if (!loop->driver.hosted) { /* In a host's callback no loop is running. */
        uva__here = loop;
    }
    r = loop->driver.ops->run(loop);
    uva__here = outer;
    loop->running = false;
    loop->stopping = false;
    return r;
}

/* asyncio: base_events.py, run_forever. */
int uva_loop_run_forever(uva_loop_t *loop)
{
    int r = loop == NULL ? UVA_ENOLOOP : loop_runnable(loop);

    return r < 0 ? r : loop_run(loop);
}

/* asyncio: base_events.py, _run_until_complete_cb. */
static void loop_stop_cb(uva_future_t *future, void *data)
{
    (void)future;
    uva_loop_stop(data);
}

/* asyncio: base_events.py, run_until_complete. A loop that was stopped before
 * the future is done has failed (RuntimeError). */
int uva_loop_run_until_complete(uva_loop_t *loop,
                                uva_future_t *future,
                                void **ret_result)
{
    int r;

    if (loop == NULL || future == NULL) {
        return loop == NULL ? UVA_ENOLOOP : UV_ENOMEM;
    }
    if (future->kind == UVA__KIND_REFUSED) {
        return future->code;
    }
    if (future->loop != loop) {
        return UVA_EWRONGLOOP;
    }
    r = loop_runnable(loop);
    if (r < 0) {
        return r;
    }
    uva__loop_own(loop);
    r = uva_future_add_done_callback(future, loop_stop_cb, loop, NULL);
    if (r < 0) {
        return r;
    }
    uva__future_ref(future);
    r = loop_run(loop);
    if (!uva__future_pending(future)) {
        r = r < 0 ? r : uva_future_result(future, ret_result);
    } else {
        (void)uva_future_remove_done_callback(future, loop_stop_cb, loop);
        r = r < 0 ? r : UV_EPERM;
    }
    uva__future_unref(future);
    return r;
}

/* asyncio: base_events.py, stop: the iteration that runs is finished. */
void uva_loop_stop(uva_loop_t *loop)
{
    if (loop != NULL && uva__loop_owned(loop) && !loop->closing) {
        loop->stopping = true;
        if (loop->running) {
            loop->ready.budget = 0; /* No further iteration begins. */
        }
        /* The driver may be about to wait: a stop ends this wait. */
        if (!loop->ready.draining) {
            loop->driver.ops->attend(loop);
        }
    }
}

bool uva_loop_is_running(const uva_loop_t *loop)
{
    return loop->running;
}

bool uva_loop_is_closed(const uva_loop_t *loop)
{
    return loop->closing;
}

uint64_t uva_loop_time(const uva_loop_t *loop)
{
    return loop->driver.ops->now(loop);
}

uint64_t uva_loop_iterations(const uva_loop_t *loop)
{
    return loop->ready.iterations;
}

int uva_loop_get_stats(uva_loop_t *loop, uva_loop_stats_t *ret_stats)
{
    if (loop == NULL || ret_stats->size < sizeof *ret_stats) {
        return uva__bare(loop == NULL ? UVA_ENOLOOP : UV_EINVAL);
    }
    if (!uva__loop_owned(loop)) {
        return uva__bare(UV_EPERM);
    }
    *ret_stats = (uva_loop_stats_t){
        .size = ret_stats->size,
        .iterations = loop->ready.iterations,
        .tasks = loop->tasks.count,
        .calls = loop->calls.count,
        .timers = loop->timers.wheel.count,
        .operations = loop->op_count,
    };
    uva__services_stats(loop, ret_stats);
    return 0;
}

/* The driver's uv_loop_t while it may be used. */
static uv_loop_t *loop_uv(uva_loop_t *loop)
{
    return loop->closed || loop->driver.ops->lost(loop)
               ? NULL
               : loop->driver.ops->uv(loop);
}

/* From now on others have the uv_loop_t too: the shortcuts for a loop that uva
 * has for itself end. */
uv_loop_t *uva_loop_uv(uva_loop_t *loop)
{
    if (!uva__loop_owned(loop)) {
        return NULL;
    }
    loop->driver.exclusive = false;
    loop->driver.aside |= UVA__ASIDE_SHARED;
    return loop_uv(loop);
}

/* A service opens handles: rounds without a poll would not see their events. */
uv_loop_t *uva__loop_uv(uva_loop_t *loop)
{
    loop->polls = true;
    return loop_uv(loop);
}

/* --- making --- */

/* Translate a number of iterations into a budget of steps. */
static void loop_set_iterations(uva_loop_t *loop, unsigned iterations)
{
    if (iterations > LOOP_ITERATIONS_MOST) {
        iterations = LOOP_ITERATIONS_MOST;
    }
    /* As many iterations as there are, if each has one step. The last of them
     * needs no room for another one. */
    loop->limits.steps =
        (int32_t)iterations * (UVA__ITERATION_STEPS + 1) - UVA__ITERATION_STEPS;
    loop->turn.fitting_steps = loop->limits.steps;
}

/* Apply the options, and make the pool of stacks, which is the last to fail.
 * @retval UV_EINVAL */
static int loop_options(uva_loop_t *loop, const uva_loop_options_t *options)
{
    uva__stack_options_t stacks = {0};

    loop->limits.max_tasks = SIZE_MAX;
    loop_set_iterations(loop, LOOP_ITERATIONS);
    if (options == NULL) {
        return uva__stack_pool_init(&loop->stacks, NULL);
    }
    if (options->size < sizeof *options || options->guard > UVA_GUARD_CANARY) {
        return uva__bare(UV_EINVAL);
    }
    if (options->max_tasks != 0) {
        loop->limits.max_tasks = options->max_tasks;
    }
    if (options->iterations_per_poll != 0) {
        loop_set_iterations(loop, options->iterations_per_poll);
    }
    loop->limits.stack_census = options->stack_census;
    loop->debug.enabled = loop->debug.enabled || options->debug;
    stacks.default_bytes = options->stack_bytes;
    stacks.limit_bytes = options->max_stack_bytes;
    stacks.guard = (uva__stack_guard_t)options->guard;
    return uva__stack_pool_init(&loop->stacks, &stacks);
}

/* Make a loop without a driver. @retval UV_ENOMEM */
static int loop_create(const uva_loop_options_t *options, uva_loop_t **ret_loop)
{
    uva_loop_t *loop = uva__calloc(1, sizeof *loop);
    int r;

    if (loop == NULL) {
        return UV_ENOMEM;
    }
    /* Before libuv opens descriptors: see its header. */
    uva__fill_standard_descriptors();
    loop->debug.enabled = uva__debug_from_environment();
    r = loop_options(loop, options);
    if (r < 0) {
        uva__free(loop);
        return r;
    }
    r = uv_mutex_init_recursive(&loop->mutex);
    if (r < 0) {
        uva__stack_pool_destroy(&loop->stacks);
        uva__free(loop);
        return r;
    }
    loop->ready.tail = &loop->ready.head;
    loop->step.base = &loop->step.context;
    uva__list_init(&loop->tasks.all);
    uva__list_init(&loop->timers.due);
    uva__list_init(&loop->turn.flushes);
    uva__list_init(&loop->calls.never);
    uva__list_init(&loop->futures.cycles);
    uva__slab_init(&loop->slab);
    uva__wheel_init(&loop->timers.wheel, &loop->slab);
    uva__context_self(&loop->step.context);
    atomic_init(&loop->thread, uv_thread_self());
    loop->step.exceptions = uva__exceptions_here();
    atomic_init(&loop->refs, 1);
    loop->debug.slow_ns = LOOP_SLOW_NS;
    /* The one kind that is not made by uva__future_new, which registers kinds.
     */
    loop->futures.kinds[UVA__KIND_TASK] = &uva__task_kind;
    uva_loop_set_debug(loop, loop->debug.enabled);
    *ret_loop = loop;
    return 0;
}

int uva__loop_new(const uva_loop_options_t *options,
                  uva__driver_open_cb open_driver,
                  uv_loop_t *host,
                  uva_loop_t **ret_loop)
{
    uva_loop_t *loop;
    int r = loop_create(options, &loop);

    if (r < 0) {
        return r;
    }
    loop->driver.hosted = host != NULL;
    r = open_driver(loop, host);
    if (r < 0) {
        uva__loop_discard(loop);
        return r;
    }
    loop->driver.open = true;
    /* The last step: a loop in the list is whole. */
    uva__registry_add(loop);
    *ret_loop = loop;
    return 0;
}

/* --- closing --- */

/* The owner is about to drop a reference of an open loop. If it is the last
 * one, the loop is closed, as nobody could close it afterwards. @return Whether
 * the reference is to be dropped. */
static bool loop_unref_open(uva_loop_t *loop)
{
    /* A shutdown that goes on in the host's turns has a reference as well; if
     * the host has closed the handles, no turn comes. */
    if (loop->refs == 2 && loop->shutdown != NULL && !loop->driver.lost) {
        (void)uva__loop_host_lost(loop);
    }
    if (loop->refs == 1 && !loop->closing && !uva__loop_host_lost(loop)) {
        uva__log(UVA_LOG_WARNING, "a loop was dropped that was not closed");
        UVA_IGNORE(uva_loop_close(loop));
    }
    /* Else the loop could not be closed and is in use: a leak is better than a
     * crash. */
    return loop->refs > 1 || loop->closing;
}

uva_loop_t *uva_loop_unref(uva_loop_t *loop)
{
    unsigned refs;

    if (loop == NULL ||
        (!loop->closed && uva__loop_is_owner(loop) && !loop_unref_open(loop))) {
        return NULL;
    }
    refs = loop->refs;
    while (refs > 1) {
        if (atomic_compare_exchange_weak(&loop->refs, &refs, refs - 1)) {
            return NULL;
        }
    }
    /* The mutex may be held by a thread that is not in this process. */
    if (loop->driver.forked) {
        return NULL;
    }
    uv_mutex_lock(&loop->mutex);
    /* A leak again: only the owner can close the loop. */
    if (!loop->inbox.closed) {
        uv_mutex_unlock(&loop->mutex);
        (void)uva__loop_owned(loop);
        return NULL;
    }
    atomic_fetch_sub(&loop->refs, 1);
    uva__loop_unlock(loop);
    return NULL;
}

/* Drop all calls, timers and ready nodes. Destructors may complete futures,
 * which queues more nodes: the last loop takes them as they come. */
static void loop_drop_calls(uva_loop_t *loop)
{
    uva__loop_take_inbox(loop);
    uva__handle_drop_never(loop);
    while (loop->timers.wheel.count > 0) {
        uva__timer_t *timer = uva__wheel_first(&loop->timers.wheel);
        if (!uva__handle_drop_timer(timer)) {
            uva__timer_stop(loop, timer);
        }
    }
    while (!uva__list_empty(&loop->timers.due)) {
        uva__timer_t *timer =
            UVA__LIST_FIRST(&loop->timers.due, uva__timer_t, at.link);
        if (!uva__handle_drop_timer(timer)) {
            uva__timer_stop(loop, timer);
        }
    }
    while (loop->ready.head != NULL) {
        uva__ready_t *ready = loop->ready.head;
        loop->ready.head = ready->next;
        if (loop->ready.head == NULL) {
            loop->ready.tail = &loop->ready.head;
        }
        uva__ready_drop(ready);
    }
    uva__loop_flush(loop);
}

/* Futures that will never be done release each other. */
static void loop_open_cycles(uva_loop_t *loop)
{
    while (!uva__list_empty(&loop->futures.cycles)) {
        uva__cycle_t *cycle =
            UVA__LIST_FIRST(&loop->futures.cycles, uva__cycle_t, link);

        uva__list_remove(&cycle->link);
        cycle->open(cycle);
    }
}

/* Drop what is left. Destructors can schedule nothing on a loop that closes,
 * but they complete futures, and drop what keeps others. */
static void loop_drop(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;

    uva__here = loop;
    /* A destructor may queue nodes, and a cycle that is opened may too: until
     * nothing is left. */
    do {
        loop_drop_calls(loop);
        loop_open_cycles(loop);
    } while (loop->ready.head != NULL);
    uva__here = outer;
}

/* Report the unfinished tasks, each once. The handler may do anything but run
 * the loop: so the tasks in the list stay there, and tasks that it makes come
 * behind the last one, where this ends. */
static void loop_report_unfinished(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;
    uva_list_t *last = loop->tasks.all.prev;
    uva_list_t *link = loop->tasks.all.next;

    uva__here = loop;
    for (bool more = loop->tasks.count > 0; more; link = link->next) {
        more = link != last;
        uva__report(loop, &UVA__CONTAINER_OF(link, uva_task_t, link)->base, 0,
                    "The loop cannot be closed: a task is unfinished");
    }
    uva__here = outer;
    if (loop->op_count > 0) {
        uva__log(UVA_LOG_WARNING,
                 "the loop cannot be closed: %zu operations are in flight",
                 loop->op_count);
    }
}

/* asyncio: base_events.py, close. asyncio closes under unfinished tasks; here
 * that is refused, as their stacks would be lost. */
int uva_loop_close(uva_loop_t *loop)
{
    int r;

    if (loop == NULL) {
        return 0;
    }
    if (loop->driver.forked) {
        return uva__bare(UVA_EFORKED);
    }
    if (!uva__loop_owned(loop)) {
        return uva__bare(UV_EPERM);
    }
    if (loop->closing) {
        return 0;
    }
    if (loop->running || uva__here == loop) {
        return uva__bare(UV_EPERM);
    }
    if (uva__loop_host_lost(loop)) {
        return loop->closing ? 0 : loop->driver.ops->on_lost(loop);
    }
    /* Tasks and operations refer to the loop: it could not be freed under them.
     */
    if (loop->tasks.count > 0 || loop->op_count > 0) {
        loop_report_unfinished(loop);
        return uva__bare(UV_EBUSY);
    }
    r = loop->driver.ops->vacant(loop);
    if (r >= 0) {
        uva__loop_close_now(loop);
    }
    return r;
}

/* The order counts: draining first, so that nothing that is dropped tells the
 * driver; then the inbox, so that other threads are refused; then closing, as
 * destructors may ask. */
void uva__loop_close_now(uva_loop_t *loop)
{
    loop->ready.draining = true;
    uv_mutex_lock(&loop->mutex);
    loop->inbox.closed = true;
    uv_mutex_unlock(&loop->mutex);
    loop->closing = true;
    uva__watchdog_end(loop);
    loop_drop(loop);
    uva__services_closing(loop);
    uva_loop_ref(loop); /* uva__loop_closed gives it back. */
    loop->driver.ops->close(loop);
}

/* Drop the calls of other threads that came while the driver closed. Returns
 * with the mutex held and an empty inbox. */
static void loop_drop_last(uva_loop_t *loop)
{
    loop_drop(loop);
    uv_mutex_lock(&loop->mutex);
    while (loop->inbox.last != NULL) {
        uv_mutex_unlock(&loop->mutex); /* Destructors may wait for threads. */
        loop_drop(loop);
        uv_mutex_lock(&loop->mutex);
    }
}

/* closed is set under the mutex, as threads drop references by it from then on.
 * The last act gives back the reference of uva__loop_close_now. */
void uva__loop_closed(uva_loop_t *loop)
{
    loop_drop_last(loop);
    loop->driver.open = false;
    /* No drain follows: futures that end drop their callbacks. */
    loop->ready.draining = false;
    uva__services_closed(loop);
    uva__loop_free_scopes(loop);
    uva__stack_pool_destroy(&loop->stacks);
    loop->closed = true; /* Other threads come in where the mutex is free. */
    uv_mutex_unlock(&loop->mutex);
    if (loop->shutdown != NULL) {
        loop->shutdown->closed(loop);
    }
    (void)uva_loop_unref(loop);
}

/* --- what needs a reference --- */

/* The handler may drop the caller's reference of the loop: so it gets one of
 * its own. Reports of uva need none, as the future or task that they are about
 * keeps the loop. */
void uva_loop_call_exception_handler(uva_loop_t *loop,
                                     const uva_exception_t *exception)
{
    if (uva__loop_owned(loop)) {
        uva_loop_ref(loop);
        uva__report_exception(loop, exception);
        uva_loop_unref(loop);
    }
}

/* --- debug mode --- */

/* In debug mode no shortcut passes the loop by: every step is measured, every
 * spawn is noted. */
void uva_loop_set_debug(uva_loop_t *loop, bool enabled)
{
    if (!uva__loop_owned(loop)) {
        return;
    }
    loop->debug.enabled = enabled;
    loop->step.resume_ops = enabled ? NULL : &uva__stackful_ops;
    loop->step.start_ops = enabled ? NULL : &uva__stackful_new_ops;
    loop->debug.tell_left = enabled ? uva__made_tell_left : NULL;
    uva__loop_settle_spawns(loop);
}

bool uva_loop_get_debug(const uva_loop_t *loop)
{
    return loop->debug.enabled;
}

void uva_loop_set_slow_callback(uva_loop_t *loop, uint64_t slow_ns)
{
    if (uva__loop_owned(loop)) {
        loop->debug.slow_ns = slow_ns;
    }
}
