/*
 * Shutdown of a loop (asyncio.runners, Runner.close and _cancel_all_tasks).
 *
 * Invariant: a pass cancels the tasks that are unfinished when it begins, and
 * ends when all of them have ended; passes repeat while tasks are left. Then
 * servers and connections that are still open are closed, because no task is
 * left to do it; the loop waits for the operations in flight and closes. A step
 * of the shutdown follows each turn of the loop, and everything that it waits
 * for makes a turn come.
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

/* A task may take so long to end before the log names it. */
#define SHUTDOWN_WARNING_NS 1000000000u

/* Limits for a shutdown during which no time passes: the number of
 * cancellations, and of turns after each. */
enum {
    SHUTDOWN_PASSES = 100,
    SHUTDOWN_TURNS = 1000
};

/* asyncio: runners.py, _cancel_all_tasks: a failure of a cancelled task goes to
 * the exception handler. The tasks of the pass are released. */
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

/* Cancel the unfinished tasks. Tasks that are made meanwhile come behind the
 * last one, and belong to the next pass. Without memory to remember the tasks
 * they are cancelled all the same; only their failures go unreported here. */
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

/* Without memory for the tasks a pass is done at once, and the next one cancels
 * what is left. */
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

/* The timer "warning": tasks may need long for a reason, so the log names them
 * once and the shutdown goes on. */
static void shutdown_warn(uva__timer_t *timer)
{
    shutdown_t *shutdown = UVA__CONTAINER_OF(timer, shutdown_t, warning);
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

/* The deadline has come; the step after this turn acts on it. */
static void shutdown_limit(uva__timer_t *timer)
{
    shutdown_t *shutdown = UVA__CONTAINER_OF(timer, shutdown_t, limit);

    shutdown->timed_out = true;
}

/* Report the tasks of the pass that have not ended, to the handler, which is
 * code of users. */
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

/* The node has made a turn come, and is free for the next shutdown. */
static void shutdown_ready(uva__ready_t *ready)
{
    ready->ops = NULL;
}

static const uva__ready_ops_t shutdown_ops = {.run = shutdown_ready,
                                              .drop = shutdown_ready};

/* End the shutdown itself, whatever came of it. */
static void shutdown_stop(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    uva__timer_stop(loop, &shutdown->warning);
    uva__timer_stop(loop, &shutdown->limit);
    shutdown_release_pass(loop, shutdown);
    loop->shutdown = NULL; /* The last: while it is set, no handler can begin
                              another shutdown. */
}

/* End the shutdown without closing the loop; the caller learns the reason by r,
 * from its own return or from done. */
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

/* Nothing is left. A blocking shutdown leaves uv_run first, and closes then. */
static void shutdown_finish(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    uva__timer_stop(loop, &shutdown->warning);
    uva__timer_stop(loop, &shutdown->limit);
    if (shutdown->blocking) {
        loop->stopping = true;
    } else {
        uva__loop_close_now(loop);
    }
}

/* Work on the present stage. @return Whether nothing is left but to close. */
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
    uva__services_abandon(loop);
    return loop->op_count == 0 && loop->ready.head == NULL;
}

/* The step that follows each turn. */
static void shutdown_step(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    /* A host that has closed the handles in this turn: the next call of a
     * public function notices it and ends the loop. */
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

/* The loop has closed: tell the caller. */
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

/* No memory for the deadline; nothing has begun. */
/* Begin a shutdown in the place that the loop has for it, with its first pass.
 */
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
    /* Without memory the log names no tasks. */
    (void)uva__timer_start(loop, &shutdown->warning,
                           uva__loop_deadline(loop, SHUTDOWN_WARNING_NS),
                           shutdown_warn);
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

/* Turn the loop without its driver, until nothing is ready: a host that is gone
 * polls nothing. */
static void shutdown_turns(uva_loop_t *loop)
{
    for (int i = 0; i < SHUTDOWN_TURNS && !loop->closing; i++) {
        if (loop->ready.head == NULL && uva__list_empty(&loop->turn.flushes)) {
            return;
        }
        (void)uva__loop_turn(loop);
    }
}

/* Run the loop to the end of its shutdown. On an attached loop this turns the
 * host, which is not inside uv_run. */
static int shutdown_run(uva_loop_t *loop)
{
    bool unfinished;
    int r;

    loop->shutdown->blocking = true;
    do { /* A stop of the loop in between does not stop its end. */
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

/* A task gets a cancellation in each pass, with turns after it. The loop is
 * referenced, as a handler may drop it. */
int uva__shutdown_now(uva_loop_t *loop)
{
    const uva_shutdown_options_t options = UVA_SHUTDOWN_OPTIONS_INIT;
    int r = 0;

    uva_loop_ref(loop);
    if (loop->shutdown == NULL) {
        r = shutdown_begin(loop, &options, false);
    }
    /* A task may go on after a cancellation and end by a later one. No time
     * passes here, so a task that waits for time never ends. */
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
        /* The handles are closed already: no turn of the host will come. */
        uva__loop_close_now(loop);
    } else if (!loop->driver.hosted) {
        r = shutdown_run(loop);
    }
    uva_loop_unref(loop);
    return r;
}

/* Begin a shutdown. It blocks unless the host may be inside uv_run: then the
 * host's turns go on with it. */
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
    /* A host that has closed the handles: the tasks end in this call. */
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
