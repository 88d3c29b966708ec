/*
 * The loop's turn and its life (asyncio.base_events).
 *
 * Invariant: an iteration is what was in the ready queue when it began. What
 * it queues waits for the next. Several iterations may pass in one turn; the
 * clock is read, timers join and other threads' calls arrive once a turn.
 */
#include "uva/events.h"

#include <string.h>

#include "uva/testing.h"

#include "base/alloc.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "core/debug.h"
#include "core/events.h"
#include "core/hosts.h"
#include "core/registry.h"
#include "core/scopes.h"
#include "core/shutdown.h"
#include "core/step.h"
#include "core/timers.h"

#define LOOP_ITERATIONS      61u
#define LOOP_ITERATIONS_MOST 1000000u
#define LOOP_DRAIN_NS        50000u
#define LOOP_LOOKS           128u /* To a poll that would find nothing. */
#define LOOP_LOOKS_LATE      16u  /* The same while sockets are late. */
#define LOOP_LOOKS_CLOCK     4u   /* To one that reads the clock. */
#define LOOP_SLOW_NS         100000000u

/* --- one turn --- */

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
            if (UVA__LIKELY(ready->run == uva__stackless_step)) {
                uva__stackless_step_now(loop, ready);
            } else {
                loop->current = NULL;
                ready->run(ready);
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

/* The same while there is no deadline: the clock is read when several looks can
 * tell together how long a step takes. */
static void loop_look_briefly(uva_loop_t *loop)
{
    int32_t more = loop->fitting_steps + UVA__ITERATION_STEPS - loop->budget;

    loop->budget += more;
    loop->looked_budget += more;
    if (loop->inbox_woken) {
        loop_take_calls(loop);
    }
    loop_drain(loop);
}

/* Whether to look again at once: there is work, and a poll would find no more
 * than what is asked for here, or sockets while those that the last one found
 * are not worked off. */
static inline bool loop_looks_on(uva_loop_t *loop)
{
    if (!loop->alone || (loop->has_io && !loop->has_late) ||
        loop->head == NULL || loop->stopping || loop->shutdown != NULL) {
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
    looks = loop->has_io ? LOOP_LOOKS_LATE : LOOP_LOOKS;
    while (--looks > 0 && loop_looks_on(loop)) {
        if (looks % LOOP_LOOKS_CLOCK != 0 && !loop->has_io &&
            loop->timers.count == 0) {
            loop_look_briefly(loop);
        } else {
            loop_look(loop);
        }
    }
    if (loop->iterations != loop->looked_iterations) {
        loop->stuck = false;
    }
    uva__loop_flush(loop);
    loop->attended = false;
    uva__here = outer;
    if (UVA__UNLIKELY(loop->shutdown != NULL)) {
        uva__shutdown_step(loop);
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

/* --- running --- */

static int loop_runnable(uva_loop_t *loop)
{
    if (loop->forked) {
        return uva__bare(UVA_EFORKED);
    }
    if (loop->closing || loop->running || uva__running() != NULL ||
        uva__loop_host_lost(loop)) {
        return uva__bare(UV_EPERM);
    }
    return loop->driver->inside(loop) ? uva__bare(UV_EBUSY) : 0;
}

static int loop_run(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;
    int r;

    uva__loop_own(loop);
    loop->running = true;
    if (!loop->hosted) { /* In a host's callback no loop is running. */
        uva__here = loop;
    }
    r = loop->driver->run(loop);
    uva__here = outer;
    loop->running = false;
    loop->stopping = false;
    return r;
}

int uva_loop_run_forever(uva_loop_t *loop)
{
    int r = loop == NULL ? UVA_ENOLOOP : loop_runnable(loop);

    return r < 0 ? r : loop_run(loop);
}

static void loop_stop_cb(uva_future_t *future, void *data)
{
    (void)future;
    uva_loop_stop(data);
}

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

void uva_loop_stop(uva_loop_t *loop)
{
    if (loop != NULL && uva__loop_owned(loop) && !loop->closing) {
        loop->stopping = true;
        if (loop->running) {
            loop->budget = 0; /* No further iteration begins. */
        }
        if (!loop->attended) {
            loop->driver->attend(loop);
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
    return loop->driver->now(loop);
}

uint64_t uva_loop_iterations(const uva_loop_t *loop)
{
    return loop->iterations;
}

static uv_loop_t *loop_uv(uva_loop_t *loop)
{
    return loop->closed || loop->driver->lost(loop) ? NULL
                                                    : loop->driver->uv(loop);
}

uv_loop_t *uva_loop_uv(uva_loop_t *loop)
{
    if (!uva__loop_owned(loop)) {
        return NULL;
    }
    loop->alone = false;
    loop->aside |= UVA__ASIDE_SHARED;
    return loop_uv(loop);
}

uv_loop_t *uva__loop_uv(uva_loop_t *loop)
{
    loop->has_io = true;
    return loop_uv(loop);
}

/* --- making --- */

static void loop_set_iterations(uva_loop_t *loop, unsigned iterations)
{
    if (iterations > LOOP_ITERATIONS_MOST) {
        iterations = LOOP_ITERATIONS_MOST;
    }
    /* As many as there are of one step. */
    loop->limits.steps =
        (int32_t)iterations * (UVA__ITERATION_STEPS + 1) - UVA__ITERATION_STEPS;
    loop->fitting_steps = loop->limits.steps;
}

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
    loop->debug = loop->debug || options->debug;
    stacks.default_bytes = options->stack_bytes;
    stacks.limit_bytes = options->max_stack_bytes;
    stacks.guard = (uva__stack_guard_t)options->guard;
    return uva__stack_pool_init(&loop->stacks, &stacks);
}

static int loop_create(const uva_loop_options_t *options, uva_loop_t **ret_loop)
{
    uva_loop_t *loop = uva__calloc(1, sizeof *loop);
    int r;

    if (loop == NULL) {
        return UV_ENOMEM;
    }
    uva__fill_standard_descriptors();
    loop->debug = uva__debug_from_environment();
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
    loop->tail = &loop->head;
    loop->base = &loop->context;
    uva__list_init(&loop->tasks);
    uva__list_init(&loop->due);
    uva__list_init(&loop->flushes);
    uva__list_init(&loop->never);
    uva__list_init(&loop->bonds);
    uva__slab_init(&loop->slab);
    uva__wheel_init(&loop->timers, &loop->slab);
    uva__context_self(&loop->context);
    atomic_init(&loop->thread, uv_thread_self());
    loop->exceptions = uva__exceptions_here();
    atomic_init(&loop->refs, 1);
    loop->slow_ns = LOOP_SLOW_NS;
    uva__loop_make_heads(loop);
    uva_loop_set_debug(loop, loop->debug);
    *ret_loop = loop;
    return 0;
}

/* Undo loop_create for a loop that got no driver. */
static void loop_discard(uva_loop_t *loop)
{
    uva__registry_remove(loop);
    uv_mutex_destroy(&loop->mutex);
    uva__slab_destroy(&loop->slab);
    uva__stack_pool_destroy(&loop->stacks);
    uva__free(loop);
}

static int loop_new(const uva_loop_options_t *options,
                    uv_loop_t *host,
                    bool is_virtual,
                    uva_loop_t **ret_loop)
{
    uva_loop_t *loop;
    int r = loop_create(options, &loop);

    if (r < 0) {
        return r;
    }
    loop->hosted = host != NULL;
    r = is_virtual ? uva__driver_virtual_new(loop)
                   : uva__driver_uv_new(loop, host);
    if (r < 0) {
        loop_discard(loop);
        return r;
    }
    loop->driver_open = true;
    uva__registry_add(loop);
    *ret_loop = loop;
    return 0;
}

int uva_loop_new(const uva_loop_options_t *options, uva_loop_t **ret_loop)
{
    return loop_new(options, NULL, false, ret_loop);
}

int uva_loop_attach(uv_loop_t *host,
                    const uva_loop_options_t *options,
                    uva_loop_t **ret_loop)
{
    return host == NULL ? uva__bare(UV_EINVAL)
                        : loop_new(options, host, false, ret_loop);
}

int uva_loop_new_virtual(const uva_loop_options_t *options,
                         uva_loop_t **ret_loop)
{
    return loop_new(options, NULL, true, ret_loop);
}

/* --- closing --- */

uva_loop_t *uva_loop_ref(uva_loop_t *loop)
{
    if (loop != NULL) {
        atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    }
    return loop;
}

/* Give the mutex back and free a closed loop that nothing refers to. Whoever
 * waits for the mutex meanwhile has a reference, or an object of the loop. */
static void loop_unlock(uva_loop_t *loop)
{
    bool over = loop->closed && loop->refs == 0;
    bool left = loop->slab.live > 0;

    if (over && left && loop->debug) {
        uva__debug_tell_left(loop);
    }
    uv_mutex_unlock(&loop->mutex);
    if (over && !left) {
        uva__usage_free(loop);
        uva__wheel_destroy(&loop->timers);
        loop_discard(loop);
    }
}

void uva__loop_maybe_free(uva_loop_t *loop)
{
    if (loop->refs == 0) {
        uv_mutex_lock(&loop->mutex);
        loop_unlock(loop);
    }
}

uva_loop_t *uva__loop_enter_closed(uva_loop_t *loop)
{
    uv_mutex_lock(&loop->mutex);
    return uva_loop_ref(loop);
}

void uva__loop_leave(uva_loop_t *entered)
{
    if (entered != NULL) {
        atomic_fetch_sub(&entered->refs, 1);
        loop_unlock(entered);
    }
}

/* The owner is about to drop a reference of an open loop: it ends what nobody
 * else would. @return Whether the reference is to be dropped. */
static bool loop_unref_open(uva_loop_t *loop)
{
    /* A shutdown that goes on in the host's turns has a reference as well. */
    if (loop->refs == 2 && loop->shutdown != NULL && !loop->lost) {
        (void)uva__loop_host_lost(loop);
    }
    if (loop->refs == 1 && !loop->closing && !uva__loop_host_lost(loop)) {
        uva__log(UVA_LOG_WARNING, "a loop was dropped that was not closed");
        UVA_IGNORE(uva_loop_close(loop));
    }
    /* It is in use: a leak is better than a crash. */
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
    if (loop->forked) { /* The mutex may be a thread's that is not here. */
        return NULL;
    }
    uv_mutex_lock(&loop->mutex);
    if (!loop->inbox_closed) { /* A leak again: it is its owner's to close. */
        uv_mutex_unlock(&loop->mutex);
        (void)uva__loop_owned(loop);
        return NULL;
    }
    atomic_fetch_sub(&loop->refs, 1);
    loop_unlock(loop);
    return NULL;
}

void uva__ready_drop(uva__ready_t *ready)
{
    if (ready->run == uva__callback_run) {
        uva__callback_release(UVA__CONTAINER_OF(ready, uva__callback_t, ready));
    } else if (!uva__handle_drop_ready(ready)) {
        ready->run(ready);
    }
}

static void loop_drop_calls(uva_loop_t *loop)
{
    uva__loop_take_inbox(loop);
    uva__handle_drop_never(loop);
    while (loop->timers.count > 0) {
        uva__timer_t *timer = uva__wheel_first(&loop->timers);
        if (!uva__handle_drop_timer(timer)) {
            uva__timer_stop(loop, timer);
        }
    }
    while (!uva__list_empty(&loop->due)) {
        uva__timer_t *timer =
            UVA__LIST_FIRST(&loop->due, uva__timer_t, at.link);
        if (!uva__handle_drop_timer(timer)) {
            uva__timer_stop(loop, timer);
        }
    }
    while (loop->head != NULL) {
        uva__ready_t *ready = loop->head;
        loop->head = ready->next;
        if (loop->head == NULL) {
            loop->tail = &loop->head;
        }
        uva__ready_drop(ready);
    }
    uva__loop_flush(loop);
}

/* Futures that nobody is going to complete let go of each other. */
static void loop_release_bonds(uva_loop_t *loop)
{
    while (!uva__list_empty(&loop->bonds)) {
        uva__bond_t *bond = UVA__LIST_FIRST(&loop->bonds, uva__bond_t, link);

        uva__list_remove(&bond->link);
        bond->release(bond);
    }
}

/* Drop what is left. Destructors can schedule nothing on a loop that closes,
 * but they complete futures, and drop what keeps others. */
static void loop_drop(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;

    uva__here = loop;
    do {
        loop_drop_calls(loop);
        loop_release_bonds(loop);
    } while (loop->head != NULL);
    uva__here = outer;
}

/* The handler may do anything but run the loop, so that those in the list stay
 * there; tasks that it makes come behind them. */
static void loop_report_unfinished(uva_loop_t *loop)
{
    uva_loop_t *outer = uva__here;
    uva_list_t *last = loop->tasks.prev;
    uva_list_t *link = loop->tasks.next;

    uva__here = loop;
    for (bool more = loop->task_count > 0; more; link = link->next) {
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

int uva_loop_close(uva_loop_t *loop)
{
    int r;

    if (loop == NULL) {
        return 0;
    }
    if (loop->forked) {
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
        return loop->closing ? 0 : uva__shutdown_now(loop);
    }
    if (loop->task_count > 0 || loop->op_count > 0) {
        loop_report_unfinished(loop);
        return uva__bare(UV_EBUSY);
    }
    r = loop->driver->vacant(loop);
    if (r >= 0) {
        uva__loop_close_now(loop);
    }
    return r;
}

void uva__loop_close_now(uva_loop_t *loop)
{
    loop->attended = true; /* Nothing that is dropped needs the driver. */
    uv_mutex_lock(&loop->mutex);
    loop->inbox_closed = true;
    uv_mutex_unlock(&loop->mutex);
    loop->closing = true; /* Whoever is told by what is dropped finds it so. */
    loop_drop(loop);
    uva_loop_ref(loop); /* uva__loop_closed gives it back. */
    loop->driver->close(loop);
}

/* Drop what came while the driver closed. From then on the inbox takes nothing,
 * and the mutex is held. */
static void loop_drop_last(uva_loop_t *loop)
{
    loop_drop(loop);
    uv_mutex_lock(&loop->mutex);
    while (loop->inbox != NULL) {
        uv_mutex_unlock(&loop->mutex); /* Destructors may wait for threads. */
        loop_drop(loop);
        uv_mutex_lock(&loop->mutex);
    }
}

void uva__loop_closed(uva_loop_t *loop)
{
    loop_drop_last(loop);
    loop->driver_open = false;
    loop->attended = false; /* Nobody takes what would be queued. */
    if (loop->io != NULL) {
        loop->io_hooks->closed(loop);
    }
    uva__loop_free_scopes(loop);
    uva__stack_pool_destroy(&loop->stacks);
    loop->closed = true; /* Other threads come in where the mutex is free. */
    uv_mutex_unlock(&loop->mutex);
    if (loop->shutdown != NULL) {
        uva__shutdown_closed(loop);
    }
    (void)uva_loop_unref(loop);
}

/* --- debug mode --- */

void uva_loop_set_debug(uva_loop_t *loop, bool enabled)
{
    if (!uva__loop_owned(loop)) {
        return;
    }
    loop->debug = enabled;
    loop->direct = enabled ? NULL : uva__task_resume;
    loop->starts = enabled ? NULL : uva__stackful_start;
    uva__loop_settle_spawns(loop);
}

bool uva_loop_get_debug(const uva_loop_t *loop)
{
    return loop->debug;
}

void uva_loop_set_slow_callback(uva_loop_t *loop, uint64_t slow_ns)
{
    if (uva__loop_owned(loop)) {
        loop->slow_ns = slow_ns;
    }
}
