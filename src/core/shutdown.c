/*
 * Shutdown of a loop (asyncio.runners, _cancel_all_tasks).
 *
 * Invariant: each pass cancels the tasks that are unfinished when it begins,
 * and ends when all of those have ended; passes repeat while tasks are left.
 * Then servers and connections that are still open are closed, for nobody is
 * left to do it; the loop waits for operations in flight and closes. A step
 * follows each turn: what it waits for makes a turn come.
 */
#include "uva/events.h"

#include "uva/graph.h"

#include "base/alloc.h"
#include "base/log.h"
#include "core/driver.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/reports.h"
#include "core/services.h"
#include "core/shutdown.h"
#include "core/timers.h"
#include "core/turn.h"

typedef uva__shutdown_t shutdown_t;

/* So long a task may take to end before the log names it. */
#define SHUTDOWN_TELL_NS 1000000000u

/* Limits on a task for which no time passes: so many cancellations, and so many
 * turns after each. */
enum {
    SHUTDOWN_PASSES = 100,
    SHUTDOWN_TURNS = 1000
};

static void shutdown_release_pass(uva_loop_t *loop, shutdown_t *shutdown)
{
    for (size_t i = 0; i < shutdown->count; i++) {
        uva_future_t *future = &shutdown->tasks[i]->base;
        if (future->state == UVA__FUTURE_FINISHED && future->code < 0 &&
            (future->flags & UVA__RETRIEVED) == 0) {
            future->flags |= UVA__RETRIEVED;
            uva__report(loop, future, future->code,
                        "unhandled exception during shutdown of the loop");
        }
        uva__future_unref(future);
    }
    uva__free(shutdown->tasks);
    shutdown->tasks = NULL;
    shutdown->count = 0;
}

/* Cancel what is unfinished. Without memory to remember the tasks they are
 * cancelled all the same; only their failures go unreported here. */
static void shutdown_begin_pass(uva_loop_t *loop, shutdown_t *shutdown)
{
    uva_loop_t *outer = uva__here;
    uva_list_t *last = loop->tasks.all.prev;
    uva_list_t *link = loop->tasks.all.next;

    shutdown->tasks = uva__malloc(loop->tasks.count * sizeof *shutdown->tasks);
    uva__here = loop;
    for (bool more = loop->tasks.count > 0; more; link = link->next) {
        uva_task_t *task = UVA__CONTAINER_OF(link, uva_task_t, link);
        more = link != last;
        if (shutdown->tasks != NULL) {
            shutdown->tasks[shutdown->count++] = uva_task_ref(task);
        }
        (void)uva_task_cancel(task);
    }
    uva__here = outer;
}

static bool shutdown_pass_done(const shutdown_t *shutdown)
{
    for (size_t i = 0; i < shutdown->count; i++) {
        if (uva__future_pending(&shutdown->tasks[i]->base)) {
            return false;
        }
    }
    return true;
}

/* --- those that swallow their cancellation --- */

static void shutdown_tell(uva__timer_t *timer)
{
    shutdown_t *shutdown = UVA__CONTAINER_OF(timer, shutdown_t, tell);
    uva_loop_t *loop = UVA__CONTAINER_OF(shutdown, uva_loop_t, shutdown_place);
    uva_buffer_t text = {0};

    if (loop->tasks.count > 0 && uva_loop_format_tasks(loop, &text) >= 0 &&
        text.data != NULL) {
        uva__log(UVA_LOG_WARNING,
                 "the shutdown of a loop waits for tasks that go on after "
                 "their cancellation:\n%s",
                 (const char *)text.data);
    }
    uva_buffer_clear(&text);
}

static void shutdown_limit(uva__timer_t *timer)
{
    shutdown_t *shutdown = UVA__CONTAINER_OF(timer, shutdown_t, limit);

    shutdown->timed_out = true;
}

/* Name the tasks of the pass that have not ended; the handler is user code. */
static void shutdown_report(uva_loop_t *loop, int code)
{
    shutdown_t *shutdown = loop->shutdown;

    if (loop->op_count > 0) {
        uva__log(UVA_LOG_WARNING,
                 "the shutdown of a loop waits for %zu operations in flight",
                 loop->op_count);
    }
    for (size_t i = 0; i < shutdown->count; i++) {
        uva_future_t *future = &shutdown->tasks[i]->base;
        if (uva__future_pending(future)) {
            uva__report(loop, future, code,
                        "A task goes on after its cancellation: the loop "
                        "cannot be shut down");
        }
    }
}

/* --- its life --- */

static void shutdown_ready(uva__ready_t *ready)
{
    ready->ops = NULL;
}

static const uva__ready_ops_t shutdown_ops = {.run = shutdown_ready,
                                              .drop = shutdown_ready};

static void shutdown_stop(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    uva__timer_stop(loop, &shutdown->tell);
    uva__timer_stop(loop, &shutdown->limit);
    shutdown_release_pass(loop, shutdown);
    loop->shutdown = NULL; /* No handler begins another one before. */
}

/* The loop stays open. */
static void shutdown_give_up(uva_loop_t *loop, int r)
{
    uva_loop_cb done = loop->shutdown->done;
    void *data = loop->shutdown->data;
    bool blocking = loop->shutdown->blocking;

    if (r == UV_ETIMEDOUT) {
        shutdown_report(loop, r);
    }
    shutdown_stop(loop);
    if (!blocking && done != NULL) {
        done(loop, r, data);
    }
    uva_loop_unref(loop);
}

static void shutdown_finish(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    uva__timer_stop(loop, &shutdown->tell);
    uva__timer_stop(loop, &shutdown->limit);
    if (shutdown->blocking) {
        loop->stopping = true;
    } else {
        uva__loop_close_now(loop);
    }
}

/* @return Whether nothing is left but to close. */
static bool shutdown_go_on(uva_loop_t *loop, shutdown_t *shutdown)
{
    if (!shutdown_pass_done(shutdown)) {
        return false;
    }
    shutdown_release_pass(loop, shutdown);
    if (loop->tasks.count > 0) {
        shutdown_begin_pass(loop, shutdown);
        return false;
    }
    if (loop->op_count > 0) {
        uva__services_abandon(loop);
    }
    return loop->op_count == 0 && loop->ready.head == NULL;
}

static void shutdown_step(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    /* Whose handles were closed in this turn ends at the next call. */
    if (loop->closing || (!loop->driver.lost && loop->driver.ops->lost(loop))) {
        return;
    }
    if (shutdown_go_on(loop, shutdown)) {
        shutdown_finish(loop);
    } else if (shutdown->timed_out && shutdown->blocking) {
        loop->stopping = true;
    } else if (shutdown->timed_out) {
        shutdown_give_up(loop, UV_ETIMEDOUT);
    }
}

static void shutdown_closed(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;
    uva_loop_cb done = shutdown->done;
    void *data = shutdown->data;

    loop->shutdown = NULL;
    if (done != NULL) {
        done(loop, 0, data);
    }
    (void)uva_loop_unref(loop); /* uva__loop_closed has another. */
}

/* @retval UV_ENOMEM For the deadline. */
static int shutdown_begin(uva_loop_t *loop,
                          const uva_shutdown_options_t *options,
                          bool blocking)
{
    shutdown_t *shutdown = &loop->shutdown_place;
    uva__ready_t ready = shutdown->ready;
    int r = 0;

    *shutdown = (shutdown_t){.step = shutdown_step,
                             .closed = shutdown_closed,
                             .done = options->done,
                             .data = options->data,
                             .ready = ready,
                             .blocking = blocking};
    if (options->timeout_ns > 0) {
        r = uva__timer_start(loop, &shutdown->limit,
                             uva__loop_deadline(loop, options->timeout_ns),
                             shutdown_limit);
        if (r < 0) {
            return r;
        }
    }
    (void)uva__timer_start(loop, &shutdown->tell,
                           uva__loop_deadline(loop, SHUTDOWN_TELL_NS),
                           shutdown_tell);
    loop->shutdown = shutdown;
    uva_loop_ref(loop); /* Until it is closed, or this is given up. */
    if (shutdown->ready.ops == NULL) {
        shutdown->ready.ops = &shutdown_ops;
        uva__loop_push(loop, &shutdown->ready);
    }
    shutdown_begin_pass(loop, shutdown);
    return 0;
}

/* --- the ways to begin --- */

/* Turn the loop by itself, not its driver, until nothing is ready. */
static void shutdown_turns(uva_loop_t *loop)
{
    for (int i = 0; i < SHUTDOWN_TURNS && !loop->closing; i++) {
        if (loop->ready.head == NULL && uva__list_empty(&loop->turn.flushes)) {
            return;
        }
        (void)uva__loop_turn(loop);
    }
}

/* Run what has no host, or has all of its own, to the end of a shutdown. */
static int shutdown_run(uva_loop_t *loop)
{
    bool unfinished;
    int r;

    loop->shutdown->blocking = true;
    do { /* Whoever stops the loop meanwhile does not stop its end. */
        r = uva_loop_run_forever(loop);
        unfinished = loop->tasks.count > 0 || loop->op_count > 0;
    } while (r >= 0 && unfinished && !loop->shutdown->timed_out);
    if (r >= 0 && unfinished) {
        r = UV_ETIMEDOUT;
    }
    if (r >= 0) {
        r = uva_loop_close(loop);
    }
    while (r >= 0 && !loop->closed) {
        loop->driver.ops->turn(loop); /* The handles on a host close. */
    }
    if (r < 0) {
        shutdown_give_up(loop, r);
    }
    return r;
}

int uva__shutdown_now(uva_loop_t *loop)
{
    const uva_shutdown_options_t options = UVA_SHUTDOWN_OPTIONS_INIT;
    int r = 0;

    uva_loop_ref(loop);
    if (loop->shutdown == NULL) {
        r = shutdown_begin(loop, &options, false);
    }
    for (int pass = 0; pass < SHUTDOWN_PASSES && loop->shutdown != NULL;
         pass++) {
        shutdown_turns(loop);
        if (loop->closing || loop->tasks.count == 0) {
            break;
        }
        shutdown_release_pass(loop, loop->shutdown);
        shutdown_begin_pass(loop, loop->shutdown);
    }
    if (loop->closing || loop->shutdown == NULL) {
        r = loop->closing ? 0 : UV_EBUSY;
    } else if (loop->tasks.count > 0) {
        r = UV_EBUSY;
        shutdown_report(loop, r);
        shutdown_give_up(loop, r);
    } else if (loop->driver.lost) {
        uva__loop_close_now(loop);
    } else if (!loop->driver.hosted) {
        r = shutdown_run(loop);
    }
    uva_loop_unref(loop);
    return r;
}

static int shutdown_start(uva_loop_t *loop,
                          const uva_shutdown_options_t *options,
                          const char *function)
{
    const uva_shutdown_options_t defaults = UVA_SHUTDOWN_OPTIONS_INIT;
    int r;

    if (loop == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    options = options == NULL ? &defaults : options;
    if (options->size < sizeof *options) {
        return uva__bare(UV_EINVAL);
    }
    if (loop->driver.forked) {
        return uva__bare(UVA_EFORKED);
    }
    if (!uva__loop_owned_for(loop, function) || loop->closing ||
        loop->running || loop->shutdown != NULL || uva__running() != NULL) {
        return uva__bare(UV_EPERM);
    }
    if (loop->driver.ops->lost(loop)) {
        r = shutdown_begin(loop, options, false);
        if (r >= 0 && (!uva__loop_host_lost(loop) || !loop->closing)) {
            r = uva__shutdown_now(loop);
        }
        return r;
    }
    r = shutdown_begin(loop, options, !loop->driver.ops->inside(loop));
    if (r >= 0 && loop->shutdown->blocking) {
        uva_loop_ref(loop);
        r = shutdown_run(loop);
        uva_loop_unref(loop);
    }
    return r;
}

int uva_loop_shutdown(uva_loop_t *loop, const uva_shutdown_options_t *options)
{
    return shutdown_start(loop, options, __func__);
}
