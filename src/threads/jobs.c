/*
 * Jobs (concurrent.futures, Future): what threads have in the place of
 * futures.
 *
 *   state      set by                         left by
 *   PENDING    its making                     begin, cancel, fail
 *   RUNNING    uva_work_begin                 its function's return
 *   ENDING     uva_work_done                  the end of its arguments
 *   CANCELLED  uva_job_cancel                 never
 *   FINISHED   uva_work_done, a refusal       never
 *
 * Invariant: under the mutex a job is done once, and its watches leave it then.
 * Whoever has the work has a reference of the job, so arguments and result stay
 * as long as a thread may touch them, whatever became of the task. The loop
 * that waits for the job has a reference too.
 */
#include "threads/jobs.h"

#include <string.h>

#include "base/alloc.h"
#include "base/errors.h"
#include "base/list.h"
#include "core/context.h"

#define JOB_BLOCK_BYTES 512u  /* Fits most jobs with what stands behind. */
#define JOB_SPARES      1024u /* Blocks that a loop keeps. */

/* The job that runs in this thread. */
static UVA__TLS uva_job_t *current_job;

static uva_job_t *job_of_work(uva_work_t *work)
{
    return UVA__CONTAINER_OF(work, uva_job_t, work);
}

static bool state_done(uva__job_state_t state)
{
    return state == UVA__JOB_CANCELLED || state == UVA__JOB_FINISHED;
}

static uva__job_state_t job_state(const uva_job_t *job)
{
    uv_mutex_t *mutex = &((uva_job_t *)(uintptr_t)job)->mutex;
    uva__job_state_t state;

    uv_mutex_lock(mutex);
    state = job->state;
    uv_mutex_unlock(mutex);
    return state;
}

/* --- making and freeing --- */

static int call_enter(void *args, void *ret)
{
    const uva__job_call_t *call = args;

    return call->fn(call->arg, ret);
}

/* The memory of most jobs has one size, and a loop keeps some of it, whose
 * mutex is ready for use. In strict mode of the allocator it keeps none. */
static void jobs_forget(uva__threads_t *threads)
{
    while (threads->spare_jobs != NULL) {
        uva_job_t *job = threads->spare_jobs;
        threads->spare_jobs =
            job->work.next == NULL ? NULL : job_of_work(job->work.next);
        uv_mutex_destroy(&job->mutex);
        uva__free(job);
    }
}

static uva__threads_t *job_keeper(uva_loop_t *loop)
{
    uva__threads_t *threads;

    return loop == NULL || loop->slab.classes < UVA__SLAB_CLASSES ||
                   uva__threads_get(loop, &threads) < 0
               ? NULL
               : threads;
}

/* @return false if the memory is not to be kept. */
static bool job_keep(uva_loop_t *loop, uva_job_t *job)
{
    uva__threads_t *threads = NULL;

    if (!job->spare || loop->closing) {
        return false;
    }
    threads = job_keeper(loop);
    if (threads == NULL || threads->spare_count == JOB_SPARES) {
        return false;
    }
    job->work.next =
        threads->spare_jobs == NULL ? NULL : &threads->spare_jobs->work;
    threads->spare_jobs = job;
    threads->spare_count++;
    threads->forget_jobs = jobs_forget;
    return true;
}

static uva_job_t *job_allocate(uva_loop_t *loop, size_t bytes)
{
    bool spare = bytes <= JOB_BLOCK_BYTES;
    uva__threads_t *threads = spare ? job_keeper(loop) : NULL;
    uva_job_t *job;

    if (threads != NULL && threads->spare_jobs != NULL) {
        job = threads->spare_jobs;
        threads->spare_jobs =
            job->work.next == NULL ? NULL : job_of_work(job->work.next);
        threads->spare_count--;
        return job;
    }
    job = uva__malloc(spare && threads != NULL ? JOB_BLOCK_BYTES : bytes);
    if (job == NULL) {
        return NULL;
    }
    if (uv_mutex_init(&job->mutex) < 0) {
        uva__free(job);
        return NULL;
    }
    job->spare = threads != NULL;
    return job;
}

static void job_free(uva_loop_t *loop, uva_job_t *job)
{
    if (loop == NULL || !job_keep(loop, job)) {
        uv_mutex_destroy(&job->mutex);
        uva__free(job);
    }
}

static uva_job_t *job_new(uva_loop_t *loop, size_t bytes, bool with_context)
{
    uva_job_t *job = job_allocate(loop, bytes);

    if (job == NULL) {
        return NULL;
    }
    memset(&job->work, 0, sizeof job->work);
    memset(&job->refs, 0,
           offsetof(uva_job_t, spare) - offsetof(uva_job_t, refs));
    if (with_context && uva__context_copy_current(&job->context) < 0) {
        job_free(loop, job);
        return NULL;
    }
    atomic_init(&job->refs, 1);
    uva__list_init(&job->watches);
    return job;
}

uva_job_t *uva__job_new_call(uva_loop_t *loop,
                             uva_coro_cb fn,
                             void *arg,
                             const uva_job_options_t *options)
{
    uva_job_t *job = job_new(loop, sizeof *job,
                             options == NULL || !options->without_context);

    if (job == NULL) {
        return NULL;
    }
    job->call = (uva__job_call_t){fn, arg};
    if (options != NULL) {
        job->destroy = options->destroy;
        job->result_destroy = options->result_destroy;
        job->interrupt = options->interrupt;
    }
    job->work.enter = call_enter;
    job->work.args = &job->call;
    job->work.args_bytes = sizeof job->call;
    job->work.ret = &job->result;
    job->work.ret_bytes = sizeof job->result;
    return job;
}

/* Arguments and result stand behind the job, at multiples of 16 bytes, which
 * fits every type. */
uva_job_t *
uva__job_new_typed(uva_loop_t *loop, const uva__coro_t *coro, const void *args)
{
    size_t args_place = UVA__ROUND(sizeof(uva_job_t), 16);
    size_t ret_place = args_place + UVA__ROUND((size_t)coro->frame_bytes, 16);
    uva_job_t *job = job_new(loop, ret_place + coro->ret_bytes, true);

    if (job == NULL) {
        return NULL;
    }
    job->drop = coro->drop;
    job->work.name = coro->name;
    job->work.enter = coro->enter;
    job->work.args = (char *)job + args_place;
    job->work.args_bytes = coro->frame_bytes;
    job->work.ret = (char *)job + ret_place;
    job->work.ret_bytes = coro->ret_bytes;
    memcpy(job->work.args, args, coro->frame_bytes);
    memset(job->work.ret, 0, coro->ret_bytes);
    return job;
}

/* The arguments are freed once; the result, if nobody has taken it, at the end.
 */
static void job_drop_args(uva_job_t *job)
{
    void (*drop)(void *) = job->drop;
    uva_destroy_cb destroy = job->destroy;

    job->drop = NULL;
    job->destroy = NULL;
    if (drop != NULL) {
        drop(job->work.args);
    }
    if (destroy != NULL) {
        destroy(job->call.arg);
    }
}

uva_job_t *uva_job_ref(uva_job_t *job)
{
    if (job != NULL) {
        atomic_fetch_add_explicit(&job->refs, 1, memory_order_relaxed);
    }
    return job;
}

/* loop: that of the calling thread, or NULL. */
static void job_unref(uva_job_t *job, uva_loop_t *loop)
{
    if (atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    job_drop_args(job);
    if (job->result_destroy != NULL && job->result != NULL) {
        job->result_destroy(job->result);
    }
    uva_context_unref(job->context);
    job_free(loop, job);
}

uva_job_t *uva_job_unref(uva_job_t *job)
{
    if (job != NULL) {
        job_unref(job, NULL);
    }
    return NULL;
}

void uva__job_unref_in(uva_loop_t *loop, uva_job_t *job)
{
    job_unref(job, loop);
}

/* --- watches --- */

bool uva__job_watch(uva_job_t *job, uva__job_watch_t *watch)
{
    bool pending;

    uv_mutex_lock(&job->mutex);
    pending = !state_done(job->state);
    if (pending) {
        uva__list_append(&job->watches, &watch->link);
    }
    uv_mutex_unlock(&job->mutex);
    return pending;
}

void uva__job_unwatch(uva_job_t *job, uva__job_watch_t *watch)
{
    uv_mutex_lock(&job->mutex);
    uva__list_remove(&watch->link);
    uv_mutex_unlock(&job->mutex);
}

/* With the mutex, which is given back: the job is done. Watches that may be
 * taken back are called under it, the others after it; nobody else finds these.
 * A loop is told last, so that the job is freed in the loop's thread.
 *
 * @param gives_ref The caller's reference is taken.
 */
static void job_done_unlock(uva_job_t *job,
                            uva__job_state_t state,
                            int code,
                            bool gives_ref)
{
    uva_list_t outside;

    job->state = state;
    job->code = code;
    uva__list_init(&outside);
    while (!uva__list_empty(&job->watches)) {
        uva__job_watch_t *watch =
            UVA__LIST_FIRST(&job->watches, uva__job_watch_t, link);

        uva__list_remove(&watch->link);
        if (watch->inside) {
            watch->done(watch, job);
        } else {
            uva__list_append(&outside, &watch->link);
        }
    }
    uv_mutex_unlock(&job->mutex);
    while (!uva__list_empty(&outside)) {
        uva__job_watch_t *watch =
            UVA__LIST_FIRST(&outside, uva__job_watch_t, link);

        uva__list_remove(&watch->link);
        watch->done(watch, job);
    }
    if (job->tell == NULL) {
        uva_job_unref(gives_ref ? job : NULL);
        return;
    }
    if (gives_ref) { /* Not the last one: the loop that is told has one. */
        atomic_fetch_sub_explicit(&job->refs, 1, memory_order_release);
    }
    job->tell(job);
}

bool uva__job_finish(uva_job_t *job, int code)
{
    uv_mutex_lock(&job->mutex);
    if (state_done(job->state)) {
        uv_mutex_unlock(&job->mutex);
        return false;
    }
    job_done_unlock(job, UVA__JOB_FINISHED, code, false);
    return true;
}

void uva__job_fail(uva_job_t *job, int code)
{
    job_drop_args(job);
    (void)uva__job_finish(job, code);
}

/* --- running --- */

bool uva_work_begin(uva_work_t *work)
{
    uva_job_t *job = job_of_work(work);
    bool begins;

    uv_mutex_lock(&job->mutex);
    begins = job->state == UVA__JOB_PENDING;
    if (begins) {
        job->state = UVA__JOB_RUNNING;
    }
    uv_mutex_unlock(&job->mutex);
    if (!begins) {
        job_drop_args(job);
        uva_job_unref(job);
    }
    return begins;
}

/* From ENDING on no interrupt is called, which uses the arguments. Whoever
 * waits for the job finds its arguments freed. */
void uva_work_done(uva_work_t *work, int status)
{
    uva_job_t *job = job_of_work(work);

    uv_mutex_lock(&job->mutex);
    if (job->drop != NULL || job->destroy != NULL) {
        job->state = UVA__JOB_ENDING;
        uv_mutex_unlock(&job->mutex);
        job_drop_args(job);
        uv_mutex_lock(&job->mutex);
    }
    job_done_unlock(job, UVA__JOB_FINISHED, uva__code_of_body(status), true);
}

void uva_work_run(uva_work_t *work)
{
    uva_job_t *job = job_of_work(work);
    uva_job_t *outer_job = current_job;
    uva_context_t *outer;
    int r;

    if (!uva_work_begin(work)) {
        return;
    }
    outer = uva__context_enter(job->context);
    current_job = job;
    r = work->enter(work->args, work->ret);
    current_job = outer_job;
    uva__context_exit_to(outer);
    uva_work_done(work, r);
}

void uva_work_cancel(uva_work_t *work)
{
    (void)uva_job_cancel(job_of_work(work));
    UVA_IGNORE(uva_work_begin(work)); /* Gives the reference back. */
}

bool uva_job_interrupted(void)
{
    return current_job != NULL && atomic_load(&current_job->interrupted);
}

/* --- asking --- */

/* concurrent.futures: _base.py, Future.cancel. interrupt is called under the
 * mutex, so that the arguments stay until it has returned. */
bool uva_job_cancel(uva_job_t *job)
{
    bool cancelled;

    if (job == NULL) {
        return false;
    }
    uv_mutex_lock(&job->mutex);
    if (job->state == UVA__JOB_PENDING) {
        job_done_unlock(job, UVA__JOB_CANCELLED, UV_ECANCELED, false);
        return true;
    }
    if (job->state == UVA__JOB_RUNNING) {
        atomic_store(&job->interrupted, true);
        if (job->interrupt != NULL) {
            job->interrupt(job->call.arg);
        }
    }
    cancelled = job->state == UVA__JOB_CANCELLED;
    uv_mutex_unlock(&job->mutex);
    return cancelled;
}

bool uva_job_cancelled(const uva_job_t *job)
{
    return job != NULL && job_state(job) == UVA__JOB_CANCELLED;
}

bool uva_job_running(const uva_job_t *job)
{
    uva__job_state_t state = job == NULL ? UVA__JOB_FINISHED : job_state(job);

    return state == UVA__JOB_RUNNING || state == UVA__JOB_ENDING;
}

bool uva_job_done(const uva_job_t *job)
{
    return job == NULL || state_done(job_state(job));
}

typedef struct job_callback_s {
    uva__job_watch_t watch;
    uva_job_cb callback;
    void *data;
} job_callback_t;

static void job_callback_run(uva__job_watch_t *watch, uva_job_t *job)
{
    job_callback_t *own = UVA__CONTAINER_OF(watch, job_callback_t, watch);

    own->callback(job, own->data);
    uva__free(own);
}

int uva_job_add_done_callback(uva_job_t *job, uva_job_cb callback, void *data)
{
    job_callback_t *own;

    if (job == NULL || callback == NULL) {
        return uva__bare(job == NULL ? UV_ENOMEM : UV_EINVAL);
    }
    own = uva__calloc(1, sizeof *own);
    if (own == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    own->watch.done = job_callback_run;
    own->callback = callback;
    own->data = data;
    if (!uva__job_watch(job, &own->watch)) {
        job_callback_run(&own->watch, job);
    }
    return 0;
}
