/*
 * Waiting for jobs in a thread (concurrent.futures, Future.result, wait,
 * as_completed).
 *
 * Invariant: a thread that waits has a watch in each job, which lies in its
 * frame or is freed by it. Watches are called under the mutex of their job, and
 * taken back under it before the thread goes on.
 */
#include "uva/executors.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "base/util.h"
#include "core/owner.h"
#include "threads/jobs.h"

typedef struct wait_s {
    uv_mutex_t mutex; /* Of what follows. */
    uv_cond_t changed;
    size_t done; /* Jobs; each time it appears. */
    bool failed; /* One of them has. */
} wait_t;

typedef struct wait_watch_s {
    uva__job_watch_t watch;
    wait_t *wait;
} wait_watch_t;

static void wait_count(wait_t *wait, int code)
{
    uv_mutex_lock(&wait->mutex);
    wait->done++;
    wait->failed = wait->failed || (code < 0 && code != UV_ECANCELED);
    uv_cond_signal(&wait->changed);
    uv_mutex_unlock(&wait->mutex);
}

static void wait_done(uva__job_watch_t *watch, uva_job_t *job)
{
    wait_count(UVA__CONTAINER_OF(watch, wait_watch_t, watch)->wait, job->code);
}

static bool wait_over(const wait_t *wait, size_t count, uva_return_when_t when)
{
    return wait->done == count ||
           (when == UVA_FIRST_COMPLETED && wait->done > 0) ||
           (when == UVA_FIRST_EXCEPTION && wait->failed);
}

/* Sleep until the wait is over, or the time is. */
static void wait_sleep(wait_t *wait,
                       size_t count,
                       uint64_t timeout_ns,
                       uva_return_when_t when)
{
    uint64_t begin_ns = uv_hrtime();

    uv_mutex_lock(&wait->mutex);
    while (!wait_over(wait, count, when)) {
        uint64_t passed_ns = uv_hrtime() - begin_ns;
        if (timeout_ns == UVA_FOREVER) {
            uv_cond_wait(&wait->changed, &wait->mutex);
        } else if (passed_ns >= timeout_ns) {
            break;
        } else {
            (void)uv_cond_timedwait(&wait->changed, &wait->mutex,
                                    timeout_ns - passed_ns);
        }
    }
    uv_mutex_unlock(&wait->mutex);
}

static bool job_failed(const uva_job_t *job)
{
    return job == NULL || (job->code < 0 && job->code != UV_ECANCELED);
}

/* Whether the wait is over already: then the thread need not sleep, and may run
 * a loop. */
static bool
jobs_over(uva_job_t *const *jobs, size_t count, uva_return_when_t when)
{
    size_t done = 0;
    bool failed = false;

    for (size_t i = 0; i < count; i++) {
        if (uva_job_done(jobs[i])) {
            done++;
            failed = failed || job_failed(jobs[i]);
        }
    }
    return wait_over(&(wait_t){.done = done, .failed = failed}, count, when);
}

/* Wait with watches, one for each job. */
static int jobs_wait(uva_job_t *const *jobs,
                     size_t count,
                     uint64_t timeout_ns,
                     uva_return_when_t when,
                     wait_watch_t *watches)
{
    wait_t wait = {.done = 0};

    if (jobs_over(jobs, count, when) || timeout_ns == 0) {
        return 0;
    }
    if (uva__running() != NULL) {
        return uva__bare(UVA_EDEADLOCK);
    }
    if (uv_mutex_init(&wait.mutex) < 0) {
        return UV_ENOMEM;
    }
    if (uv_cond_init(&wait.changed) < 0) {
        uv_mutex_destroy(&wait.mutex);
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        watches[i] = (wait_watch_t){
            .watch = {.inside = true, .done = wait_done}, .wait = &wait};
        if (jobs[i] == NULL || !uva__job_watch(jobs[i], &watches[i].watch)) {
            wait_count(&wait, jobs[i] == NULL ? UV_ENOMEM : jobs[i]->code);
        }
    }
    wait_sleep(&wait, count, timeout_ns, when);
    for (size_t i = 0; i < count; i++) {
        if (jobs[i] != NULL) {
            uva__job_unwatch(jobs[i], &watches[i].watch);
        }
    }
    uv_cond_destroy(&wait.changed);
    uv_mutex_destroy(&wait.mutex);
    return 0;
}

int uva_job_result(uva_job_t *job, uint64_t timeout_ns, void **ret_result)
{
    wait_watch_t watch;
    int r;

    if (job == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = jobs_wait(&job, 1, timeout_ns, UVA_ALL_COMPLETED, &watch);
    if (r >= 0 && !uva_job_done(job)) {
        r = UV_ETIMEDOUT;
    }
    if (r < 0 || job->code < 0) {
        return uva__bare(r < 0 ? r : job->code);
    }
    if (ret_result != NULL) {
        *ret_result = job->work.name == NULL ? job->result : job->work.ret;
    }
    return job->code;
}

int uva_jobs_wait(uva_job_t *const *jobs,
                  size_t count,
                  uint64_t timeout_ns,
                  uva_return_when_t when,
                  bool *ret_done)
{
    wait_watch_t *watches;
    int done = 0;
    int r;

    if (count == 0 || count > INT32_MAX || when > UVA_FIRST_EXCEPTION) {
        return uva__bare(UV_EINVAL);
    }
    watches = uva__calloc(count, sizeof *watches);
    if (watches == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = jobs_wait(jobs, count, timeout_ns, when, watches);
    uva__free(watches);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        bool is = uva_job_done(jobs[i]);
        done += is;
        if (ret_done != NULL) {
            ret_done[i] = is;
        }
    }
    return done;
}

/* Only the jobs that are there are waited for: they are gathered first. */
int uva_jobs_next(uva_job_t *const *jobs, size_t count, uint64_t timeout_ns)
{
    uva_job_t **left = uva__calloc(count + 1, sizeof *left);
    size_t left_count = 0;
    int r = 0;

    if (left == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    for (size_t i = 0; i < count; i++) {
        if (jobs[i] != NULL) {
            left[left_count++] = jobs[i];
        }
    }
    if (left_count == 0) {
        r = UV_ENOENT;
    } else {
        r = uva_jobs_wait(left, left_count, timeout_ns, UVA_FIRST_COMPLETED,
                          NULL);
        r = r == 0 ? UV_ETIMEDOUT : r;
    }
    uva__free(left);
    for (size_t i = 0; r > 0 && i < count; i++) {
        if (jobs[i] != NULL && uva_job_done(jobs[i])) {
            return (int)i;
        }
    }
    return uva__bare(r);
}
