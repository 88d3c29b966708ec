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

/* --- a future that ends as a job of its own does --- */

static uva_job_t *job_of_promise(uva_promise_t *promise)
{
    return UVA__CONTAINER_OF(promise, uva_job_t, promise);
}

/* In the loop's thread, unless the loop is closed. */
static void job_promise_gone(uva_promise_t *promise)
{
    uva__job_unref_in(promise->loop->closed ? NULL : promise->loop,
                      job_of_promise(promise));
}

static void job_promise_cancel(void *data)
{
    (void)uva_job_cancel(data);
}

/* In the thread that has ended the job, which may be gone then. The future owns
 * the result, and not the job. */
static void job_promise_tell(uva_job_t *job)
{
    uva_destroy_cb destroy = NULL;
    void *result = NULL;

    if (job->code >= 0) {
        result = job->result;
        job->result = NULL;
        destroy = result == NULL ? NULL : job->result_destroy;
    }
    uva__promise_end(&job->promise, job->code < 0 ? job->code : 0, result,
                     destroy);
}

/* A future that ends as a new job does, which no other thread knows yet, and
 * cancels it. @return New reference; NULL without memory. */
static uva_future_t *job_promise(uva_job_t *job, uva_loop_t *loop)
{
    memset(&job->promise, 0, sizeof job->promise);
    if (!uva__promise_init(loop, &job->promise, job_promise_gone)) {
        return NULL;
    }
    job->tell = job_promise_tell;
    atomic_store_explicit(&job->refs, 2, memory_order_relaxed);
    uva_promise_on_cancel(&job->promise, job_promise_cancel, job, NULL);
    return uva__future_ref(job->promise.future);
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
    future = job_promise(job, loop);
    if (future != NULL) {
        job_submit(loop, executor, job);
    }
    uva__job_unref_in(loop, job); /* Without a future this frees arg. */
    return future;
}

/* --- a task that ends as a job does --- */

/* The frame of a stackless task that waits for the job. Result and name are
 * those of the function, so each such task has a table of its own. */
typedef struct submitted_s {
    uva__coro_t coro;
    uva_job_t *job; /* Counted. */
    int uva__z;     /* Stays 0: the body begins anew at each step. */
} submitted_t;

/* The job has come home, whether the task is there or not. */
static void home_arrive(uva__ready_t *ready)
{
    uva_job_t *job = UVA__CONTAINER_OF(ready, uva_job_t, home.ready);
    uva_loop_t *loop = job->home.loop;

    loop->calls.count--;
    job->home.arrived = true;
    if (job->home.counted) {
        job->home.counted = false;
        uva__threads_wait_end(loop);
        if (job->home.waiter != NULL) { /* Else the task has not begun. */
            (void)uva_waiter_wake(job->home.waiter);
        }
    }
    uva__job_unref_in(loop, job);
    uva_loop_unref(loop);
}

static const uva__ready_ops_t home_ops = {.run = home_arrive,
                                          .drop = home_arrive};

/* In the thread that has ended the job. No task is left on a closed loop. */
static void home_tell(uva_job_t *job)
{
    uva_loop_t *loop = job->home.loop;

    /* In the child of a fork its mutex may be held by a thread that is not
     * there. */
    if (!loop->driver.forked && uva__loop_post(loop, &job->home.ready) < 0) {
        uva_job_unref(job);
        uva_loop_unref(loop);
    }
}

/* A new job, which no other thread knows yet, gets a way back to its task. */
static void home_begin(uva_job_t *job, uva_loop_t *loop)
{
    job->home = (uva__job_home_t){.ready = {NULL, &home_ops},
                                  .loop = uva_loop_ref(loop),
                                  .counted = true};
    job->tell = home_tell;
    atomic_store_explicit(&job->refs, 2, memory_order_relaxed);
    uva__threads_wait_begin(loop);
}

static int submitted_enter(void *args, void *ret)
{
    submitted_t *submitted = args;
    uva_job_t *job = submitted->job;
    uva_waiter_t *waiter = uva_waiter_current();
    int r = 0;

    if (uva_waiter_resumed(waiter)) {
        job->home.waiter = NULL;
        r = uva_waiter_finish(waiter);
    } else if (!job->home.arrived) {
        job->home.waiter = waiter;
        return uva_waiter_suspend(waiter, NULL, NULL);
    }
    if (r >= 0) {
        r = job->code;
    }
    if (r < 0) {
        return uva__bare(r);
    }
    memcpy(ret, job->work.ret, submitted->coro.ret_bytes);
    return r;
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
    uva_job_t *job = submitted->job;

    job->home.waiter = NULL;
    if (job->home.counted) {
        job->home.counted = false;
        uva__threads_wait_end(job->home.loop);
        (void)uva_job_cancel(job);
    }
    uva__job_unref_in(uva__running(), job);
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
    home_begin(submitted.job, loop);
    uva_job_ref(submitted.job);
    task = uva__spawn(&submitted.coro, &submitted, options, here);
    if (task != NULL && uva_future_get_loop(UVA_FUTURE(task)) != NULL) {
        job_submit(loop, executor, submitted.job);
    }
    uva_job_unref(submitted.job);
    return task;
}
