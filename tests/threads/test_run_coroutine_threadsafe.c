/*
 * Tasks of a loop that other threads run and wait for.
 */
#include "loops.h"

#include <stdatomic.h>

#include <uv.h>

static atomic_int freed;

static void count_freed(void *value)
{
    (void)value;
    atomic_fetch_add(&freed, 1);
}

/* What the body of a task does, and what a thread does with its job. */
typedef struct case_s {
    uva_loop_t *loop;
    uva_coro_cb body;
    void *arg;
    uint64_t timeout_ns;
    bool cancel;
    int result;
    bool cancelled;
    void *value;
} case_t;

static int run_add(void *arg, void **ret_result)
{
    int r = uva_sleep(0);

    *ret_result = arg;
    return r;
}

static int run_failure(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return UV_EIO;
}

static int run_forever(void *arg, void **ret_result)
{
    (void)ret_result;
    uv_sem_post(arg);
    return uva_sleep(UVA_FOREVER);
}

static int run_cancelled(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    uva_task_cancel(uva_current_task());
    return uva_sleep(UVA_SEC(1));
}

static void in_thread(void *data)
{
    case_t *own = data;
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_job_t *job;

    options.destroy = count_freed;
    options.result_destroy = count_freed;
    job =
        uva_run_coroutine_threadsafe(own->loop, own->body, own->arg, &options);
    if (own->cancel) {
        uv_sem_wait(own->arg);
        uva_job_cancel(job);
    }
    own->result = uva_job_result(job, own->timeout_ns, &own->value);
    if (own->result == UV_ETIMEDOUT) {
        uva_job_cancel(job);
    }
    own->cancelled = uva_job_cancelled(job);
    uva_job_unref(job);
}

/* Run a loop until the thread of the case has ended. */
static int run_thread(void *arg, void **ret_result)
{
    (void)ret_result;
    in_thread(arg);
    return 0;
}

UVA_TASK(void, main_of, case_t *own;)
{
    int r =
        uva_join(uva_run_in_executor(NULL, run_thread, args->own, NULL), NULL);

    return r < 0 ? r : uva_sleep(0);
}

static void run_case(case_t *own)
{
    uva_loop_t *loop;
    uva_task_t *task;

    freed = 0;
    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    own->loop = loop;
    task = UVA_ERASE(uva_spawn_with(ON_LOOP(loop), main_of, .own = own));
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    uva_loop_unref(loop);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}

START_TEST(run_coroutine_threadsafe)
{
    /* test_tasks.py, RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe
     */
    case_t own = {.body = run_add, .arg = &own, .timeout_ns = UVA_FOREVER};

    run_case(&own);
    ck_assert_int_eq(own.result, 0);
    ck_assert_ptr_eq(own.value, &own);
    ck_assert_int_eq(freed, 2);
}
END_TEST

START_TEST(run_coroutine_threadsafe_with_exception)
{
    /* test_tasks.py,
     * RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_with_exception
     */
    case_t own = {.body = run_failure, .timeout_ns = UVA_FOREVER};

    run_case(&own);
    ck_assert_int_eq(own.result, UV_EIO);
    ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(run_coroutine_threadsafe_with_timeout)
{
    /* test_tasks.py,
     * RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_with_timeout */
    uv_sem_t begun;
    case_t own = {.body = run_forever, .arg = &begun, .timeout_ns = 1};

    ck_assert_int_eq(uv_sem_init(&begun, 0), 0);
    run_case(&own);
    ck_assert_int_eq(own.result, UV_ETIMEDOUT);
    ck_assert(own.cancelled);
    ck_assert_int_eq(freed, 1);
    uv_sem_destroy(&begun);
}
END_TEST

START_TEST(run_coroutine_threadsafe_task_cancelled)
{
    /* test_tasks.py,
     * RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_task_cancelled
     */
    case_t own = {.body = run_cancelled, .timeout_ns = UVA_FOREVER};

    run_case(&own);
    ck_assert_int_eq(own.result, UV_ECANCELED);
    ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(the_thread_cancels)
{
    uv_sem_t begun;
    case_t own = {.body = run_forever,
                  .arg = &begun,
                  .timeout_ns = UVA_FOREVER,
                  .cancel = true};

    ck_assert_int_eq(uv_sem_init(&begun, 0), 0);
    run_case(&own);
    ck_assert_int_eq(own.result, UV_ECANCELED);
    ck_assert(own.cancelled);
    ck_assert_int_eq(freed, 1);
    uv_sem_destroy(&begun);
}
END_TEST

static uva_task_t *refuse(uva_loop_t *loop,
                          uva_coro_cb body,
                          void *arg,
                          const uva_task_options_t *options,
                          void *data)
{
    (void)loop;
    (void)body;
    (void)data;
    options->arg_destroy(arg);
    return (uva_task_t *)(void *)uva_future_refused(UV_EAGAIN);
}

START_TEST(run_coroutine_threadsafe_task_factory_exception)
{
    /* test_tasks.py, RunCoroutineThreadsafeTests.
     * test_run_coroutine_threadsafe_task_factory_exception */
    uva_loop_t *loop = new_real_loop();
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_job_t *job;

    freed = 0;
    options.destroy = count_freed;
    uva_loop_set_task_factory(loop, refuse, NULL);
    job = uva_run_coroutine_threadsafe(loop, run_add, NULL, &options);
    uva_loop_stop(loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert(uva_job_done(job));
    ck_assert_int_lt(uva_job_result(job, 0, NULL), 0);
    ck_assert_int_eq(freed, 1);
    uva_job_unref(job);
    end_loop(loop);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

/* A loop that closes before the task was made, and one that is closed. */
START_TEST(the_loop_closes)
{
    uva_loop_t *loop = new_real_loop();
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_job_t *jobs[2];

    freed = 0;
    options.destroy = count_freed;
    jobs[0] = uva_run_coroutine_threadsafe(loop, run_add, NULL, &options);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    jobs[1] = uva_run_coroutine_threadsafe(loop, run_add, NULL, &options);
    for (int i = 0; i < 2; i++) {
        ck_assert(uva_job_cancelled(jobs[i]));
        ck_assert_int_eq(uva_job_result(jobs[i], 0, NULL), UV_ECANCELED);
        uva_job_unref(jobs[i]);
    }
    ck_assert_int_eq(freed, 2);
    jobs[0] = uva_run_coroutine_threadsafe(NULL, run_add, NULL, &options);
    ck_assert_int_eq(uva_job_result(jobs[0], 0, NULL), UVA_ENOLOOP);
    uva_job_unref(jobs[0]);
    uva_loop_unref(loop);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_coroutine_threadsafe");
    TCase *tcase = UVA_TCASE(suite, "RunCoroutineThreadsafe");

    UVA_ADD_TESTS(tcase, run_coroutine_threadsafe,
                  run_coroutine_threadsafe_with_exception,
                  run_coroutine_threadsafe_with_timeout,
                  run_coroutine_threadsafe_task_cancelled,
                  run_coroutine_threadsafe_task_factory_exception,
                  the_thread_cancels, the_loop_closes);
    return uva_test_main(suite);
}
