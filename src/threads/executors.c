/*
 * Executors (concurrent.futures, Executor): a table of functions, counted.
 *
 * Invariant: an executor gets each job once, with a reference, and answers for
 * it once. In the child of a fork no executor of the parent is touched: its
 * threads are not there, and its locks may be held by them.
 */
#include "threads/executors.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/util.h"
#include "core/owner.h"
#include "threads/jobs.h"

struct uva_executor_s {
    atomic_uint refs;
    unsigned forks; /* Of the process at its making. */
    const uva_executor_ops_t *ops;
    void *state;
};

/* --- forks --- */

static atomic_uint fork_count;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void fork_in_child(void)
{
    atomic_fetch_add(&fork_count, 1);
}

static void fork_watch(void)
{
    (void)pthread_atfork(NULL, NULL, fork_in_child);
}

static bool executor_forked(const uva_executor_t *executor)
{
    return executor->forks != atomic_load(&fork_count);
}

/* --- making --- */

int uva_executor_new(const uva_executor_ops_t *ops,
                     void *take_state,
                     uva_executor_t **ret_executor)
{
    uva_executor_t *executor;

    if (ops == NULL || ops->size < sizeof *ops || ops->submit == NULL ||
        ops->shutdown == NULL || ops->destroy == NULL) {
        if (ops != NULL && ops->size >= sizeof *ops && ops->destroy != NULL) {
            ops->destroy(take_state);
        }
        return uva__bare(UV_EINVAL);
    }
    executor = uva__calloc(1, sizeof *executor);
    if (executor == NULL) {
        ops->destroy(take_state);
        return uva__bare(UV_ENOMEM);
    }
    (void)pthread_once(&fork_once, fork_watch);
    atomic_init(&executor->refs, 1);
    executor->forks = atomic_load(&fork_count);
    executor->ops = ops;
    executor->state = take_state;
    *ret_executor = executor;
    return 0;
}

uva_executor_t *uva_executor_ref(uva_executor_t *executor)
{
    if (executor != NULL) {
        atomic_fetch_add_explicit(&executor->refs, 1, memory_order_relaxed);
    }
    return executor;
}

uva_executor_t *uva_executor_unref(uva_executor_t *executor)
{
    if (executor != NULL &&
        atomic_fetch_sub_explicit(&executor->refs, 1, memory_order_acq_rel) ==
            1) {
        if (!executor_forked(executor)) {
            executor->ops->destroy(executor->state);
        }
        uva__free(executor);
    }
    return NULL;
}

/* --- submitting --- */

/* The executor may end the job before it returns, in another thread. */
void uva__executor_take(uva_executor_t *executor, uva_job_t *job)
{
    int r = executor == NULL            ? UV_EINVAL
            : executor_forked(executor) ? UVA_EFORKED
                                        : 0;

    uva_job_ref(job);
    if (r == 0) {
        r = executor->ops->submit(executor->state, &job->work);
    }
    if (r < 0) {
        uva__job_fail(job, r);
        uva_job_unref(job);
    }
}

uva_job_t *uva_executor_submit(uva_executor_t *executor,
                               uva_coro_cb fn,
                               void *arg,
                               const uva_job_options_t *options)
{
    bool valid = options == NULL || options->size >= sizeof *options;
    uva_job_t *job = uva__job_new_call(NULL, fn, arg, valid ? options : NULL);

    if (job == NULL) {
        if (valid && options != NULL && options->destroy != NULL) {
            options->destroy(arg);
        }
        return NULL;
    }
    if (fn == NULL || !valid) {
        uva__job_fail(job, UV_EINVAL);
    } else {
        uva__executor_take(executor, job);
    }
    return job;
}

/* --- ending --- */

int uva__executor_end(uva_executor_t *executor, bool cancel_queued)
{
    return executor->ops->shutdown(executor->state, true, cancel_queued);
}

void uva__executor_log_jobs(uva_executor_t *executor)
{
    if (executor->ops->log_jobs != NULL) {
        executor->ops->log_jobs(executor->state);
    }
}

int uva_executor_shutdown(uva_executor_t *executor,
                          bool wait,
                          bool cancel_queued)
{
    if (executor == NULL || executor_forked(executor)) {
        return uva__bare(executor == NULL ? UV_EINVAL : UVA_EFORKED);
    }
    if (wait && uva__running() != NULL) {
        return uva__bare(UVA_EDEADLOCK);
    }
    return uva__bare(
        executor->ops->shutdown(executor->state, wait, cancel_queued));
}
