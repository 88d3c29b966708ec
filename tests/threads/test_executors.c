/*
 * Executors and jobs in plain threads: pools, workers, waiting, cancelling,
 * shutting down.
 */
#include "loops.h"

#include <stdatomic.h>

#include <uv.h>

#include "base/thread.h"

static atomic_int freed;

static void count_freed(void *value)
{
    (void)value;
    atomic_fetch_add(&freed, 1);
}

static uva_executor_t *new_pool(unsigned workers, size_t max_queued)
{
    uva_thread_pool_options_t options = UVA_THREAD_POOL_OPTIONS_INIT;
    uva_executor_t *pool;

    options.max_workers = workers;
    options.max_queued = max_queued;
    ck_assert_int_eq(uva_thread_pool_new(&options, &pool), 0);
    return pool;
}

static void end_pool(uva_executor_t *pool)
{
    ck_assert_int_eq(uva_executor_shutdown(pool, true, false), 0);
    uva_executor_unref(pool);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}

/* A job that says when it runs, and waits to be let go. */
typedef struct gate_s {
    uv_sem_t begun;
    uv_sem_t go;
} gate_t;

static gate_t gate;

static void gate_init(void)
{
    ck_assert_int_eq(uv_sem_init(&gate.begun, 0), 0);
    ck_assert_int_eq(uv_sem_init(&gate.go, 0), 0);
    freed = 0;
}

static void gate_destroy(void)
{
    uv_sem_destroy(&gate.begun);
    uv_sem_destroy(&gate.go);
}

static int run_gate(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    uv_sem_post(&gate.begun);
    uv_sem_wait(&gate.go);
    return 0;
}

static int run_square(void *arg, void **ret_result)
{
    int *number = arg;

    *number *= *number;
    *ret_result = number;
    return 0;
}

static int run_failure(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return UV_EIO;
}

static uva_job_t *submit_gate(uva_executor_t *pool)
{
    uva_job_t *job = uva_executor_submit(pool, run_gate, NULL, NULL);

    uv_sem_wait(&gate.begun);
    return job;
}

/* --- jobs --- */

START_TEST(submit)
{
    /* test_thread_pool.py, ThreadPoolExecutorTest.test_submit */
    uva_executor_t *pool = new_pool(2, 0);
    int number = 12;
    uva_job_t *job = uva_executor_submit(pool, run_square, &number, NULL);
    void *result = NULL;

    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, &result), 0);
    ck_assert_ptr_eq(result, &number);
    ck_assert_int_eq(number, 144);
    ck_assert(uva_job_done(job) && !uva_job_cancelled(job));
    ck_assert(!uva_job_cancel(job));
    uva_job_unref(job);
    end_pool(pool);
}
END_TEST

START_TEST(states_of_a_job)
{
    /* test_future.py, FutureTests.test_result_with_timeout;
     * test_future.py, FutureTests.test_running;
     * test_future.py, FutureTests.test_done;
     * test_future.py, FutureTests.test_cancelled;
     * test_future.py, FutureTests.test_cancel */
    uva_executor_t *pool = new_pool(1, 0);
    uva_job_t *running;
    uva_job_t *queued;
    uva_job_t *failed;

    gate_init();
    running = submit_gate(pool);
    queued = uva_executor_submit(pool, run_gate, NULL, NULL);
    failed = uva_executor_submit(pool, run_failure, NULL, NULL);
    ck_assert(uva_job_running(running) && !uva_job_done(running));
    ck_assert(!uva_job_running(queued) && !uva_job_done(queued));
    ck_assert_int_eq(uva_job_result(running, UVA_MS(5), NULL), UV_ETIMEDOUT);
    ck_assert_int_eq(uva_job_result(running, 0, NULL), UV_ETIMEDOUT);
    ck_assert(!uva_job_cancel(running));
    ck_assert(uva_job_cancel(queued) && uva_job_cancel(queued));
    ck_assert(uva_job_cancelled(queued) && uva_job_done(queued));
    ck_assert_int_eq(uva_job_result(queued, UVA_FOREVER, NULL), UV_ECANCELED);
    uv_sem_post(&gate.go);
    ck_assert_int_eq(uva_job_result(failed, UVA_FOREVER, NULL), UV_EIO);
    ck_assert_int_eq(uva_job_result(running, UVA_FOREVER, NULL), 0);
    uva_job_unref(running);
    uva_job_unref(queued);
    uva_job_unref(failed);
    end_pool(pool);
    gate_destroy();
}
END_TEST

static void note_job(uva_job_t *job, void *data)
{
    (void)job;
    atomic_fetch_add((atomic_int *)data, 1);
}

START_TEST(done_callbacks)
{
    /* test_future.py, FutureTests.test_done_callback_with_result;
     * test_future.py, FutureTests.test_done_callback_with_cancel;
     * test_future.py, FutureTests.test_done_callback_already_cancelled */
    uva_executor_t *pool = new_pool(1, 0);
    atomic_int called = 0;
    uva_job_t *running;
    uva_job_t *queued;

    gate_init();
    running = submit_gate(pool);
    queued = uva_executor_submit(pool, run_gate, NULL, NULL);
    ck_assert_int_eq(uva_job_add_done_callback(running, note_job, &called), 0);
    ck_assert_int_eq(uva_job_add_done_callback(running, note_job, &called), 0);
    ck_assert_int_eq(uva_job_add_done_callback(queued, note_job, &called), 0);
    ck_assert_int_eq(uva_job_add_done_callback(queued, NULL, NULL), UV_EINVAL);
    uva_job_cancel(queued);
    ck_assert_int_eq(called, 1);
    ck_assert_int_eq(uva_job_add_done_callback(queued, note_job, &called), 0);
    ck_assert_int_eq(called, 2);
    uv_sem_post(&gate.go);
    uva_job_unref(running);
    uva_job_unref(queued);
    end_pool(pool);
    ck_assert_int_eq(called, 4);
    gate_destroy();
}
END_TEST

static int run_until_interrupted(void *arg, void **ret_result)
{
    (void)ret_result;
    uv_sem_post(&gate.begun);
    while (!uva_job_interrupted()) {
        uv_sem_wait(arg);
    }
    return UV_EINTR;
}

static void interrupt(void *arg)
{
    uv_sem_post(arg);
}

START_TEST(interrupted)
{
    uva_executor_t *pool = new_pool(1, 0);
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_job_t *job;

    gate_init();
    ck_assert(!uva_job_interrupted());
    options.interrupt = interrupt;
    options.destroy = count_freed;
    job = uva_executor_submit(pool, run_until_interrupted, &gate.go, &options);
    uv_sem_wait(&gate.begun);
    ck_assert(!uva_job_cancel(job));
    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UV_EINTR);
    ck_assert_int_eq(freed, 1);
    uva_job_unref(job);
    end_pool(pool);
    gate_destroy();
}
END_TEST

/* A job that is NULL has failed for lack of memory. */
START_TEST(no_job)
{
    int called = 0;

    ck_assert_int_eq(uva_job_result(NULL, 0, NULL), UV_ENOMEM);
    ck_assert(uva_job_done(NULL));
    ck_assert(!uva_job_running(NULL) && !uva_job_cancelled(NULL));
    ck_assert(!uva_job_cancel(NULL));
    ck_assert_ptr_null(uva_job_ref(NULL));
    ck_assert_ptr_null(uva_job_unref(NULL));
    ck_assert_int_eq(uva_job_add_done_callback(NULL, note_job, &called),
                     UV_ENOMEM);
    ck_assert_int_eq(uva_executor_shutdown(NULL, false, false), UV_EINVAL);
    ck_assert_ptr_null(uva_executor_ref(NULL));
    ck_assert_ptr_null(uva_executor_unref(NULL));
}
END_TEST

/* --- waiting for several --- */

START_TEST(wait_for_jobs)
{
    /* test_wait.py, ThreadPoolWaitTests.test_first_completed;
     * test_wait.py, ThreadPoolWaitTests.test_first_exception;
     * test_wait.py, ThreadPoolWaitTests.test_all_completed;
     * test_wait.py, ThreadPoolWaitTests.test_timeout */
    uva_executor_t *pool = new_pool(2, 0);
    int number = 3;
    uva_job_t *jobs[3] = {NULL, NULL, NULL};
    bool done[3];

    gate_init();
    jobs[0] = submit_gate(pool);
    jobs[1] = uva_executor_submit(pool, run_square, &number, NULL);
    ck_assert_int_eq(
        uva_jobs_wait(jobs, 2, UVA_FOREVER, UVA_FIRST_COMPLETED, done), 1);
    ck_assert(!done[0] && done[1]);
    ck_assert_int_eq(uva_jobs_wait(jobs, 2, UVA_MS(2), UVA_ALL_COMPLETED, done),
                     1);
    jobs[2] = uva_executor_submit(pool, run_failure, NULL, NULL);
    ck_assert_int_ge(
        uva_jobs_wait(jobs, 3, UVA_FOREVER, UVA_FIRST_EXCEPTION, done), 2);
    ck_assert(done[2] && !done[0]);
    uv_sem_post(&gate.go);
    ck_assert_int_eq(
        uva_jobs_wait(jobs, 3, UVA_FOREVER, UVA_ALL_COMPLETED, NULL), 3);
    ck_assert_int_eq(uva_jobs_wait(jobs, 0, 0, UVA_ALL_COMPLETED, NULL),
                     UV_EINVAL);
    for (int i = 0; i < 3; i++) {
        uva_job_unref(jobs[i]);
    }
    end_pool(pool);
    gate_destroy();
}
END_TEST

START_TEST(next_of_jobs)
{
    /* test_concurrent_futures/test_as_completed.py,
     * AsCompletedTests.test_no_timeout, test_zero_timeout */
    uva_executor_t *pool = new_pool(2, 0);
    int number = 3;
    uva_job_t *jobs[2];

    gate_init();
    jobs[0] = submit_gate(pool);
    jobs[1] = uva_executor_submit(pool, run_square, &number, NULL);
    ck_assert_int_eq(uva_jobs_next(jobs, 2, UVA_FOREVER), 1);
    jobs[1] = uva_job_unref(jobs[1]);
    ck_assert_int_eq(uva_jobs_next(jobs, 2, 0), UV_ETIMEDOUT);
    uv_sem_post(&gate.go);
    ck_assert_int_eq(uva_jobs_next(jobs, 2, UVA_FOREVER), 0);
    jobs[0] = uva_job_unref(jobs[0]);
    ck_assert_int_eq(uva_jobs_next(jobs, 2, UVA_FOREVER), UV_ENOENT);
    end_pool(pool);
    gate_destroy();
}
END_TEST

/* --- pools --- */

static int run_where(void *arg, void **ret_result)
{
    static _Thread_local char here;

    (void)arg;
    *ret_result = &here;
    return 0;
}

START_TEST(an_idle_thread_is_used)
{
    /* test_thread_pool.py, ThreadPoolExecutorTest.test_idle_thread_reuse */
    uva_executor_t *pool = new_pool(4, 0);
    void *first = NULL;

    for (int i = 0; i < 3; i++) {
        uva_job_t *job = uva_executor_submit(pool, run_where, NULL, NULL);
        void *where = NULL;
        ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, &where), 0);
        uva_job_unref(job);
        uv_sleep(2); /* It is idle again. */
        first = i == 0 ? where : first;
        ck_assert_ptr_eq(where, first);
    }
    end_pool(pool);
}
END_TEST

static int run_count(void *arg, void **ret_result)
{
    (void)ret_result;
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

/* Jobs that nobody waits for are run; an executor that is dropped ends them. */
START_TEST(dropped_with_jobs)
{
    /* test_shutdown.py, ThreadPoolShutdownTest.test_hang_issue12364;
     * test_shutdown.py, ThreadPoolShutdownTest.test_del_shutdown */
    atomic_int count = 0;
    uva_executor_t *pool = new_pool(3, 0);

    for (int i = 0; i < 1000; i++) {
        uva_job_unref(uva_executor_submit(pool, run_count, &count, NULL));
    }
    uva_executor_unref(pool);
    while (uva_allocated_bytes() > 0) {
        uv_sleep(1);
    }
    ck_assert_int_eq(count, 1000);
}
END_TEST

START_TEST(shut_down)
{
    /* test_shutdown.py, ThreadPoolShutdownTest.test_run_after_shutdown;
     * test_shutdown.py, ThreadPoolShutdownTest.test_cancel_futures */
    uva_executor_t *pool = new_pool(1, 0);
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_job_t *running;
    uva_job_t *queued;
    uva_job_t *late;

    gate_init();
    options.destroy = count_freed;
    running = submit_gate(pool);
    queued = uva_executor_submit(pool, run_gate, NULL, &options);
    ck_assert_int_eq(uva_executor_shutdown(pool, false, true), 0);
    ck_assert(uva_job_cancelled(queued));
    ck_assert_int_eq(freed, 1);
    late = uva_executor_submit(pool, run_gate, NULL, &options);
    ck_assert_int_eq(uva_job_result(late, UVA_FOREVER, NULL), UV_EPERM);
    ck_assert_int_eq(freed, 2);
    uv_sem_post(&gate.go);
    ck_assert_int_eq(uva_job_result(running, UVA_FOREVER, NULL), 0);
    uva_job_unref(running);
    uva_job_unref(queued);
    uva_job_unref(late);
    end_pool(pool);
    gate_destroy();
}
END_TEST

static uva_executor_t *own_pool;

static int run_shutdown(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_executor_shutdown(own_pool, true, false);
}

START_TEST(a_thread_does_not_wait_for_itself)
{
    uva_job_t *job;

    own_pool = new_pool(1, 0);
    job = uva_executor_submit(own_pool, run_shutdown, NULL, NULL);
    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UVA_EDEADLOCK);
    uva_job_unref(job);
    end_pool(own_pool);
}
END_TEST

START_TEST(bounded)
{
    uva_executor_t *pool = new_pool(1, 1);
    uva_job_t *jobs[3];

    gate_init();
    jobs[0] = submit_gate(pool);
    jobs[1] = uva_executor_submit(pool, run_failure, NULL, NULL);
    jobs[2] = uva_executor_submit(pool, run_failure, NULL, NULL);
    ck_assert_int_eq(uva_job_result(jobs[2], 0, NULL), UV_EAGAIN);
    uv_sem_post(&gate.go);
    ck_assert_int_eq(uva_job_result(jobs[1], UVA_FOREVER, NULL), UV_EIO);
    for (int i = 0; i < 3; i++) {
        uva_job_unref(jobs[i]);
    }
    end_pool(pool);
    gate_destroy();
}
END_TEST

static int initialize(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static int initialize_not(void *arg)
{
    (void)arg;
    return UV_EIO;
}

START_TEST(initializers)
{
    /* test_init.py, ThreadPoolInitializerTest.test_initializer;
     * test_init.py, ThreadPoolFailingInitializerTest.test_initializer */
    uva_thread_pool_options_t options = UVA_THREAD_POOL_OPTIONS_INIT;
    atomic_int called = 0;
    uva_executor_t *pool;
    uva_job_t *job;

    options.max_workers = 1;
    options.initializer = initialize;
    options.initializer_arg = &called;
    ck_assert_int_eq(uva_thread_pool_new(&options, &pool), 0);
    for (int i = 0; i < 3; i++) {
        job = uva_executor_submit(pool, run_failure, NULL, NULL);
        ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UV_EIO);
        ck_assert_int_eq(called, 1);
        uva_job_unref(job);
    }
    end_pool(pool);
    options.initializer = initialize_not;
    ck_assert_int_eq(uva_thread_pool_new(&options, &pool), 0);
    for (int i = 0; i < 2; i++) {
        job = uva_executor_submit(pool, run_failure, NULL, NULL);
        ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL),
                         UVA_EBROKENEXECUTOR);
        uva_job_unref(job);
    }
    end_pool(pool);
}
END_TEST

/* A thread without work ends; the next job starts another one. */
START_TEST(idle_threads_end)
{
    uva_thread_pool_options_t options = UVA_THREAD_POOL_OPTIONS_INIT;
    atomic_int called = 0;
    uva_executor_t *pool;

    options.max_workers = 1;
    options.idle_ns = 1;
    options.initializer = initialize;
    options.initializer_arg = &called;
    ck_assert_int_eq(uva_thread_pool_new(&options, &pool), 0);
    while (called < 3) {
        uva_job_t *job = uva_executor_submit(pool, run_failure, NULL, NULL);
        ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UV_EIO);
        uva_job_unref(job);
        uv_sleep(1);
    }
    end_pool(pool);
}
END_TEST

typedef struct order_s {
    int next;
    bool wrong;
} order_t;

typedef struct numbered_s {
    order_t *order;
    int number;
} numbered_t;

static int run_numbered(void *arg, void **ret_result)
{
    const numbered_t *numbered = arg;

    (void)ret_result;
    numbered->order->wrong |= numbered->order->next++ != numbered->number;
    return 0;
}

START_TEST(a_worker_keeps_the_order)
{
    enum {
        COUNT = 200
    };
    static numbered_t numbered[COUNT];
    order_t order = {0};
    uva_executor_t *worker;

    ck_assert_int_eq(uva_worker_new("worker", &worker), 0);
    for (int i = 0; i < COUNT; i++) {
        numbered[i] = (numbered_t){&order, i};
        uva_job_unref(
            uva_executor_submit(worker, run_numbered, &numbered[i], NULL));
    }
    end_pool(worker);
    ck_assert_int_eq(order.next, COUNT);
    ck_assert(!order.wrong);
}
END_TEST

/* --- executors of one's own --- */

static int inline_submit(void *state, uva_work_t *work)
{
    (void)state;
    uva_work_run(work);
    return 0;
}

static int inline_shutdown(void *state, bool wait, bool cancel_queued)
{
    (void)state;
    (void)wait;
    (void)cancel_queued;
    return 0;
}

static const uva_executor_ops_t inline_ops = {sizeof(uva_executor_ops_t),
                                              inline_submit, inline_shutdown,
                                              count_freed, NULL};

START_TEST(own_executor)
{
    uva_executor_t *executor;
    int number = 5;
    uva_job_t *job;

    freed = 0;
    ck_assert_int_eq(uva_executor_new(&inline_ops, &number, &executor), 0);
    job = uva_executor_submit(executor, run_square, &number, NULL);
    ck_assert_int_eq(uva_job_result(job, 0, NULL), 0);
    ck_assert_int_eq(number, 25);
    uva_job_unref(job);
    uva_executor_unref(executor);
    ck_assert_int_eq(freed, 1);
    ck_assert_int_eq(uva_executor_new(NULL, NULL, &executor), UV_EINVAL);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

static int make_all(void)
{
    uva_executor_t *pool;
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    int r = uva_thread_pool_new(NULL, &pool);
    uva_job_t *job;

    if (r < 0) {
        return r;
    }
    options.destroy = count_freed;
    job = uva_executor_submit(pool, run_failure, NULL, &options);
    r = job == NULL ? UV_ENOMEM : 0;
    uva_job_unref(job);
    uva_executor_shutdown(pool, true, false);
    uva_executor_unref(pool);
    return r;
}

START_TEST(without_memory)
{
    freed = 0;
    UVA_OOM_TEST(make_all());
    ck_assert_int_eq(freed, 3 - 1); /* Refused once, run once. */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("executors");
    TCase *tcase = UVA_TCASE(suite, "jobs");

    UVA_ADD_TESTS(tcase, submit, states_of_a_job, done_callbacks, interrupted,
                  no_job, wait_for_jobs, next_of_jobs);
    tcase = UVA_TCASE(suite, "pools");
    UVA_ADD_TESTS(tcase, an_idle_thread_is_used, dropped_with_jobs, shut_down,
                  a_thread_does_not_wait_for_itself, bounded, initializers,
                  idle_threads_end, a_worker_keeps_the_order);
    tcase = UVA_TCASE(suite, "own");
    UVA_ADD_TESTS(tcase, own_executor, without_memory);
    return uva_test_main(suite);
}
