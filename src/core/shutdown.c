/*
 * Shutdown of a loop (asyncio.runners, _cancel_all_tasks).
 *
 * Invariant: each pass cancels the tasks that are unfinished when it begins,
 * and ends when all of those have ended; passes repeat while tasks are left.
 * Then servers and connections that are still open are closed, for nobody is
 * left to do it; the loop waits for operations in flight and closes.
 */
#include "uva/events.h"

#include "base/alloc.h"
#include "core/loop.h"
#include "core/shutdown.h"

typedef uva__shutdown_t shutdown_t;

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
    uva_list_t *last = loop->tasks.prev;
    uva_list_t *link = loop->tasks.next;

    shutdown->tasks = uva__malloc(loop->task_count * sizeof *shutdown->tasks);
    uva__here = loop;
    for (bool more = loop->task_count > 0; more; link = link->next) {
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

static void shutdown_finish(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    if (shutdown->blocking) {
        loop->stopping = true;
        return;
    }
    UVA_IGNORE(uva_loop_close(loop));
}

void uva__shutdown_step(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;

    if (loop->closing || !shutdown_pass_done(shutdown)) {
        return;
    }
    shutdown_release_pass(loop, shutdown);
    if (loop->task_count > 0) {
        shutdown_begin_pass(loop, shutdown);
        return;
    }
    if (loop->op_count > 0 && loop->io != NULL) {
        loop->io_hooks->abandon(loop);
    }
    if (loop->op_count == 0 && loop->head == NULL) {
        shutdown_finish(loop);
    }
}

void uva__shutdown_closed(uva_loop_t *loop)
{
    shutdown_t *shutdown = loop->shutdown;
    uva_loop_cb done = shutdown->done;
    void *data = shutdown->data;

    loop->shutdown = NULL;
    if (done != NULL) {
        done(loop, 0, data);
    }
}

static int shutdown_abort(uva_loop_t *loop, int r)
{
    shutdown_release_pass(loop, loop->shutdown);
    loop->shutdown = NULL; /* No handler begins another one before. */
    return r;
}

int uva_loop_shutdown(uva_loop_t *loop, uva_loop_cb done, void *data)
{
    shutdown_t *shutdown;
    int r;

    if (loop == NULL) {
        return UVA_ENOLOOP;
    }
    if (!uva__loop_owned(loop) || loop->closing || loop->running ||
        loop->shutdown != NULL || uva__running() != NULL) {
        return UV_EPERM;
    }
    shutdown = &loop->shutdown_place;
    *shutdown = (shutdown_t){
        .done = done, .data = data, .blocking = !loop->driver->inside(loop)};
    loop->shutdown = shutdown;
    shutdown_begin_pass(loop, shutdown);
    if (!shutdown->blocking) {
        loop->driver->attend(loop);
        return 0;
    }
    uva_loop_ref(loop);
    r = uva_loop_run_forever(loop);
    if (r >= 0) {
        r = uva_loop_close(loop);
    }
    while (r >= 0 && !loop->closed) {
        loop->driver->turn(loop); /* The handles on a host close. */
    }
    if (r < 0) {
        r = shutdown_abort(loop, r);
    }
    uva_loop_unref(loop);
    return r;
}
