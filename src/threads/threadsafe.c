/*
 * Tasks for other threads (asyncio.tasks, run_coroutine_threadsafe).
 *
 * Invariant: the call that makes the task, and each call that cancels it, has a
 * reference of the job. The task belongs to the loop's thread, and so does
 * job_task_t.task.
 */
#include "uva/threads.h"

#include "base/alloc.h"
#include "core/futures.h"
#include "core/owner.h"
#include "core/results.h"
#include "threads/jobs.h"

/* A job that is a task of a loop. */
typedef struct job_task_s {
    uva__job_watch_t watch; /* Of its job: it may be cancelled by a thread. */
    uva_loop_t *loop;       /* Counted. */
    uva_job_t *job;         /* Counted. */
    uva_task_t *task;       /* Counted; NULL before it is made. */
    atomic_uint refs;       /* Of the watch, and of the loop's side. */
    atomic_bool ended;      /* The task has ended, or will not be. */
} job_task_t;

static void job_task_unref(void *data)
{
    job_task_t *own = data;

    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    uva_job_unref(own->job);
    uva_loop_unref(own->loop);
    uva__free(own);
}

/* --- in the loop's thread --- */

static void job_task_cancel(void *data)
{
    job_task_t *own = data;

    if (own->task != NULL) {
        uva_task_cancel(own->task);
    }
}

/* The task has ended: so does the job, unless it was cancelled before. Its
 * result is the job's from here on. */
static void job_task_done(uva_future_t *future, void *data)
{
    job_task_t *own = data;
    void *result = NULL;
    int r = uva__future_take(future, &result, sizeof result);

    own->task = NULL;
    atomic_store(&own->ended, true);
    if (r >= 0) {
        uv_mutex_lock(&own->job->mutex);
        own->job->result = result;
        uv_mutex_unlock(&own->job->mutex);
    }
    (void)uva__job_finish(own->job, r);
    (void)uva_future_unref(future);
}

/* After the call that makes the task, or instead of it: the loop closes. */
static void job_task_forget(void *data)
{
    job_task_t *own = data;

    if (own->task == NULL && !atomic_load(&own->ended)) {
        atomic_store(&own->ended, true);
        (void)uva_job_cancel(own->job);
    }
    job_task_unref(own);
}

/* The done callback has run; or the loop has closed behind the end of the task;
 * or there was none, as the task was refused. */
static void job_task_leave(void *data)
{
    job_task_t *own = data;

    if (own->task != NULL && uva_future_done(UVA_FUTURE(own->task))) {
        job_task_done(UVA_FUTURE(own->task), own);
    }
    job_task_unref(own);
}

/* asyncio: tasks.py, run_coroutine_threadsafe.callback. The argument is the
 * task's from here on. */
static void job_task_make(void *data)
{
    job_task_t *own = data;
    uva_job_t *job = own->job;
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_call_options_t done = UVA_CALL_OPTIONS_INIT;
    int r;

    if (uva_job_done(job)) { /* Cancelled before. */
        atomic_store(&own->ended, true);
        return;
    }
    options.arg_destroy = job->destroy;
    options.result_destroy = job->result_destroy;
    job->destroy = NULL;
    own->task =
        uva_loop_create_task(own->loop, job->call.fn, job->call.arg, &options);
    atomic_fetch_add(&own->refs, 1);
    done.destroy = job_task_leave;
    r = uva_future_add_done_callback(UVA_FUTURE(own->task), job_task_done, own,
                                     &done);
    if (r < 0) { /* Without a task, or without memory to hear of its end. */
        uva_task_cancel(own->task);
        own->task = uva_task_unref(own->task);
        atomic_store(&own->ended, true);
        (void)uva__job_finish(job, r);
    }
}

/* --- in any thread --- */

/* The job is done: by its task, or by a thread that has cancelled it. */
static void job_task_job_done(uva__job_watch_t *watch, uva_job_t *job)
{
    job_task_t *own = UVA__CONTAINER_OF(watch, job_task_t, watch);
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    if (!uva_job_cancelled(job) || atomic_load(&own->ended)) {
        job_task_unref(own);
        return;
    }
    options.destroy = job_task_unref; /* Takes the reference of the watch. */
    UVA_IGNORE(uva_loop_call_soon_threadsafe(own->loop, job_task_cancel, own,
                                             &options, NULL));
}

uva_job_t *uva_run_coroutine_threadsafe(uva_loop_t *loop,
                                        uva_coro_cb body,
                                        void *arg,
                                        const uva_job_options_t *options)
{
    bool valid = options == NULL || options->size >= sizeof *options;
    uva_call_options_t call = UVA_CALL_OPTIONS_INIT;
    job_task_t *own = uva__calloc(1, sizeof *own);
    uva_job_t *job = own == NULL ? NULL
                                 : uva__job_new_call(NULL, body, arg,
                                                     valid ? options : NULL);

    if (job == NULL) {
        uva__free(own);
        if (valid && options != NULL && options->destroy != NULL) {
            options->destroy(arg);
        }
        return NULL;
    }
    if (loop == NULL || body == NULL || !valid) {
        uva__free(own);
        uva__job_fail(job, loop == NULL ? UVA_ENOLOOP : UV_EINVAL);
        return job;
    }
    own->watch.done = job_task_job_done;
    own->loop = uva_loop_ref(loop);
    own->job = uva_job_ref(job);
    atomic_init(&own->refs, 2);
    (void)uva__job_watch(job, &own->watch);
    call.context = job->context;
    call.destroy = job_task_forget;
    /* A refusal runs job_task_forget, which cancels the job. */
    UVA_IGNORE(
        uva_loop_call_soon_threadsafe(loop, job_task_make, own, &call, NULL));
    return job;
}
