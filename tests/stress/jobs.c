/*
 * Jobs across threads: four threads and a loop submit to one pool, cancel at
 * random, and the loop may be shut down in the middle. Not one of a seed: the
 * threads run as they like. Each job is told once, and each argument freed
 * once.
 */
#include <stdatomic.h>

#include "stress.h"

#include <uv.h>

enum {
    THREADS = 4,
    JOBS = 250 /* Of each thread, and as many of the loop. */
};

static struct {
    uva_executor_t *pool;
    uva_loop_t *loop;
    atomic_int told;   /* Done callbacks. */
    atomic_int freed;  /* Arguments. */
    atomic_int ended;  /* Bodies that ran. */
    atomic_int posted; /* Promises' values that were freed. */
    bool shuts;
    unsigned cancel_in;
} jobs;

static void count_freed(void *value)
{
    (void)value;
    atomic_fetch_add(&jobs.freed, 1);
}

static void count_posted(void *value)
{
    (void)value;
    atomic_fetch_add(&jobs.posted, 1);
}

static void count_told(uva_job_t *job, void *data)
{
    (void)job;
    (void)data;
    atomic_fetch_add(&jobs.told, 1);
}

static int run_job(void *arg, void **ret_result)
{
    *ret_result = arg;
    atomic_fetch_add(&jobs.ended, 1);
    return 0;
}

static void submit_all(void *data)
{
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    unsigned turn = (unsigned)(uintptr_t)data;

    options.destroy = count_freed;
    options.result_destroy = count_posted;
    for (unsigned i = 0; i < JOBS; i++) {
        bool here = i % 8 == 0;
        uva_job_t *job =
            here ? uva_run_coroutine_threadsafe(jobs.loop, run_job, &jobs,
                                                &options)
                 : uva_executor_submit(jobs.pool, run_job, &jobs, &options);
        STRESS_CHECK(job != NULL &&
                         uva_job_add_done_callback(job, count_told, NULL) >= 0,
                     "no memory");
        if ((i + turn) % jobs.cancel_in == 0) {
            uva_job_cancel(job);
        } else if (i % 16 == 1) {
            UVA_IGNORE(uva_job_result(job, UVA_FOREVER, NULL));
        }
        uva_job_unref(job);
    }
}

UVA_TASK(int, add, int number;)
{
    *ret = args->number + 1;
    return 0;
}

static int run_loop(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    for (int i = 0; i < JOBS; i++) {
        add_task_t *task = uva_submit(jobs.pool, add, .number = i);
        int value = 0;
        int r;
        if ((unsigned)i % jobs.cancel_in == 0) {
            uva_task_cancel(UVA_ERASE(task));
        }
        r = add_await(task, &value);
        STRESS_CHECK(r == UV_ECANCELED || (r == 0 && value == i + 1),
                     "a job of the loop gave %d: %s", value, uva_strerror(r));
        if (jobs.shuts && i == JOBS / 2) {
            /* The threads go on without the loop. */
            uva_task_unref(UVA_ERASE(uva_submit(jobs.pool, add, .number = i)));
            return 0;
        }
    }
    return 0;
}

void stress_jobs(void)
{
    uv_thread_t threads[THREADS];
    int count = THREADS * JOBS;

    jobs.told = 0;
    jobs.freed = 0;
    jobs.ended = 0;
    jobs.posted = 0;
    jobs.shuts = stress_once_in(2);
    jobs.cancel_in = 3 + stress_below(50);
    STRESS_CHECK(uva_thread_pool_new(NULL, &jobs.pool) >= 0 &&
                     uva_loop_new(NULL, &jobs.loop) >= 0,
                 "no memory");
    for (uintptr_t i = 0; i < THREADS; i++) {
        STRESS_CHECK(uv_thread_create(&threads[i], submit_all, (void *)i) == 0,
                     "no thread");
    }
    {
        uva_task_t *task =
            uva_loop_create_task(jobs.loop, run_loop, NULL, NULL);
        STRESS_CHECK(
            uva_loop_run_until_complete(jobs.loop, UVA_FUTURE(task), NULL) == 0,
            "the loop did not run");
        uva_task_unref(task);
    }
    STRESS_CHECK(uva_loop_shutdown(jobs.loop, NULL) == 0, "no shutdown");
    for (int i = 0; i < THREADS; i++) {
        (void)uv_thread_join(&threads[i]);
    }
    uva_loop_unref(jobs.loop);
    STRESS_CHECK(uva_executor_shutdown(jobs.pool, true, false) == 0,
                 "no shutdown of the pool");
    uva_executor_unref(jobs.pool);
    STRESS_CHECK(jobs.told == count, "%d jobs were told, not %d", jobs.told,
                 count);
    STRESS_CHECK(jobs.freed == count, "%d arguments were freed, not %d",
                 jobs.freed, count);
    STRESS_CHECK(jobs.posted == jobs.ended, "%d results were freed, not %d",
                 jobs.posted, jobs.ended);
    STRESS_CHECK(uva_allocated_bytes() == 0, "%zu bytes are left",
                 uva_allocated_bytes());
}
