/*
 * Jobs as futures and tasks of a loop (asyncio.base_events, run_in_executor;
 * asyncio.threads; asyncio.futures, wrap_future).
 *
 * Invariant: the loop's side and the thread's share the job alone, which is
 * counted. The thread works on the memory of the job; what it has made is
 * copied into the task in the loop's thread. So a task may end, and a loop may
 * close, whatever the thread still does.
 */
#include <string.h>

#include "uva/executors.h"

#include "base/alloc.h"
#include "core/futures.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/tasks.h"
#include "threads/default_executor.h"
#include "threads/executors.h"
#include "threads/jobs.h"
#include "threads/promises.h"

/* --- a future that ends as any job does --- */

typedef struct bridge_s {
    uva__job_watch_t watch;
    uva_promise_t *promise; /* Counted. */
    uva_job_t *job;         /* Counted. */
} bridge_t;

/* In the thread that has ended the job. */
static void bridge_done(uva__job_watch_t *watch, uva_job_t *job)
{
    bridge_t *bridge = UVA__CONTAINER_OF(watch, bridge_t, watch);
    uva_promise_t *promise = bridge->promise;

    if (job->code < 0) {
        (void)uva_promise_set_exception(promise, job->code, NULL);
    } else {
        (void)uva_promise_set_result(promise, job->result, NULL);
    }
    uva_promise_unref(promise);
    uva_job_unref(job);
    uva__free(bridge);
}

static void bridge_cancel(void *data)
{
    (void)uva_job_cancel(data);
}

static void bridge_forget(void *data)
{
    (void)uva_job_unref(data);
}

/* @return New reference; NULL without memory. */
static uva_future_t *bridge_new(uva_loop_t *loop, uva_job_t *job)
{
    bridge_t *bridge = uva__calloc(1, sizeof *bridge);
    uva_promise_t *promise = bridge == NULL ? NULL : uva__promise_new(loop);
    uva_future_t *future;

    if (promise == NULL) {
        uva__free(bridge);
        return NULL;
    }
    future = uva__future_ref(uva_promise_future(promise));
    bridge->watch.done = bridge_done;
    bridge->promise = promise;
    bridge->job = uva_job_ref(job);
    uva_promise_on_cancel(promise, bridge_cancel, uva_job_ref(job),
                          bridge_forget);
    if (!uva__job_watch(job, &bridge->watch)) {
        bridge_done(&bridge->watch, job);
    }
    return future;
}

uva_future_t *uva_wrap_job(uva_job_t *job)
{
    uva_loop_t *loop = uva__running();

    if (loop == NULL) {
        return uva_future_refused(UVA_ENOLOOP);
    }
    return job == NULL ? NULL : bridge_new(loop, job);
}

/* Give a job to an executor, or end it: who awaits it learns why. */
static void
job_submit(uva_loop_t *loop, uva_executor_t *executor, uva_job_t *job)
{
    int r = uva__executor_of(loop, executor, &executor);

    if (r < 0) {
        uva__job_fail(job, r);
    } else {
        uva__executor_take(executor, job);
    }
}

/* asyncio: base_events.py, run_in_executor. */
uva_future_t *uva_run_in_executor(uva_executor_t *executor,
                                  uva_coro_cb fn,
                                  void *arg,
                                  const uva_job_options_t *options)
{
    uva_loop_t *loop = uva__running();
    bool valid = options == NULL || options->size >= sizeof *options;
    uva_destroy_cb destroy = valid && options != NULL ? options->destroy : NULL;
    uva_future_t *future;
    uva_job_t *job;

    if (loop == NULL || loop->closing || fn == NULL || !valid) {
        if (destroy != NULL) {
            destroy(arg);
        }
        return uva_future_refused(loop == NULL    ? UVA_ENOLOOP
                                  : loop->closing ? UV_EPERM
                                                  : UV_EINVAL);
    }
    job = uva__job_new_call(loop, fn, arg, options);
    if (job == NULL) {
        if (destroy != NULL) {
            destroy(arg);
        }
        return NULL;
    }
    future = uva__job_promise(job, loop, true);
    if (future != NULL) {
        job_submit(loop, executor, job);
    }
    uva__job_unref_in(loop, job); /* Without a future this frees arg. */
    return future;
}

/* --- a task that ends as a job does --- */

/* The frame of a stackless task that awaits the future of the job. Result and
 * name are those of the function, so each such task has a table of its own. */
typedef struct submitted_s {
    uva__coro_t coro;
    uva_job_t *job;       /* Counted. */
    uva_future_t *future; /* Counted. */
    int uva__z;           /* Stays 0: the body begins anew at each step. */
} submitted_t;

static int submitted_enter(void *args, void *ret)
{
    submitted_t *submitted = args;
    int r = uva_await_poll(submitted->future, NULL);

    if (r < 0) {
        return r;
    }
    memcpy(ret, submitted->job->work.ret, submitted->coro.ret_bytes);
    return submitted->job->code;
}

static void submitted_fill(void *args, void *ret, const void *from)
{
    submitted_t *submitted = args;
    uva_task_t *task = (uva_task_t *)args - 1;

    *submitted = *(const submitted_t *)from;
    memset(ret, 0, submitted->coro.ret_bytes);
    task->coro = &submitted->coro;
}

/* The task has ended, or never began: then the job is cancelled. */
static void submitted_drop(void *args)
{
    submitted_t *submitted = args;

    if (!uva_future_done(submitted->future)) {
        (void)uva_future_cancel(submitted->future);
    }
    uva__future_unref(submitted->future);
    uva__job_unref_in(uva__running(), submitted->job);
}

static uva__coro_t submitted_coro(const uva__coro_t *coro)
{
    uint32_t ret_place = (uint32_t)UVA__ROUND(sizeof(submitted_t), 16);

    return (uva__coro_t){
        .name = coro->name,
        .enter = submitted_enter,
        .fill = submitted_fill,
        .drop = submitted_drop,
        .frame_bytes = sizeof(submitted_t),
        .place = offsetof(submitted_t, uva__z),
        .ret_place = ret_place,
        .ret_bytes = coro->ret_bytes,
        .units =
            UVA__FRAME_UNITS(sizeof(submitted_t), ret_place + coro->ret_bytes) -
            1,
        .stackless = 1,
    };
}

/* The task is made before the job begins, as a job cannot be taken back. */
uva_task_t *uva__submit(uva_executor_t *executor,
                        const uva__coro_t *coro,
                        const void *args,
                        const uva_task_options_t *options,
                        const char *here)
{
    uva_loop_t *loop = options != NULL && options->loop != NULL
                           ? options->loop
                           : uva__running();
    submitted_t submitted = {.coro = submitted_coro(coro)};
    uva_task_t *task;
    int r = loop == NULL ? UVA_ENOLOOP : uva__loop_refuses(loop, "uva_submit");

    if (r < 0) {
        return uva__task_refuse(coro, args, here, r);
    }
    submitted.job = uva__job_new_typed(loop, coro, args);
    if (submitted.job == NULL) {
        return uva__task_refuse(coro, args, here, UV_ENOMEM);
    }
    submitted.future = uva__job_promise(submitted.job, loop, false);
    if (submitted.future == NULL) {
        submitted.job->drop = NULL; /* The refusal drops args. */
        uva_job_unref(submitted.job);
        return uva__task_refuse(coro, args, here, UV_ENOMEM);
    }
    uva_job_ref(submitted.job);
    task = uva__spawn(&submitted.coro, &submitted, options, here);
    if (task != NULL && uva_future_get_loop(UVA_FUTURE(task)) != NULL) {
        job_submit(loop, executor, submitted.job);
    }
    uva_job_unref(submitted.job);
    return task;
}
