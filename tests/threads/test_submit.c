/*
 * Executors from tasks: typed and plain functions, the same combinators as for
 * coroutines, cancellation, contexts, the end of a run.
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

static uv_sem_t begun;
static uv_sem_t go;
static atomic_int ended;

static void gate_init(void)
{
    ck_assert_int_eq(uv_sem_init(&begun, 0), 0);
    ck_assert_int_eq(uv_sem_init(&go, 0), 0);
    freed = 0;
    ended = 0;
}

static void gate_destroy(void)
{
    uv_sem_destroy(&begun);
    uv_sem_destroy(&go);
}

UVA_TASK(int, square, int number;)
{
    if (args->number < 0) {
        return UV_ERANGE;
    }
    *ret = args->number * args->number;
    return 0;
}

UVA_TASK(int, coroutine_square, int number;)
{
    int r = uva_sleep(UVA_MS(1));

    *ret = args->number * args->number;
    return r;
}

/* Works on all of its arguments after whoever submitted it may be gone. */
UVA_TASK(long, gated, long numbers[16];)
{
    uv_sem_post(&begun);
    uv_sem_wait(&go);
    for (int i = 0; i < 16; i++) {
        *ret += args->numbers[i];
    }
    atomic_fetch_add(&ended, 1);
    return 0;
}

UVA_TASK(int, awaiting)
{
    *ret = uva_sleep(0);
    return 0;
}

UVA_TASK_DROP(int, owning, owning_free, void *owned; bool wait;)
{
    if (args->wait) {
        uv_sem_post(&begun);
        uv_sem_wait(&go);
    }
    *ret = args->owned != NULL;
    return 0;
}

static void owning_free(owning_args_t *args)
{
    count_freed(args->owned);
}

/* A loop that is closed without a shutdown does not wait for its threads: a
 * test that looks for what is left does. */
static void end_default(void)
{
    ck_assert_int_eq(uva_shutdown_default_executor(UVA_FOREVER), 0);
}

/* --- typed --- */

UVA_TEST(to_thread)
{
    /* test_threads.py, ToThreadTests.test_to_thread;
     * test_threads.py, ToThreadTests.test_to_thread_args_kwargs;
     * test_threads.py, ToThreadTests.test_to_thread_once */
    int value = 0;

    ck_assert_int_eq(square_await(uva_to_thread(square, .number = 7), &value),
                     0);
    ck_assert_int_eq(value, 49);
    end_default();
}

UVA_TEST(to_thread_exception)
{
    /* test_threads.py, ToThreadTests.test_to_thread_exception */
    int value = 3;

    ck_assert_int_eq(square_await(uva_to_thread(square, .number = -1), &value),
                     UV_ERANGE);
    ck_assert_int_eq(value, 3);
    end_default();
}

UVA_TEST(to_thread_concurrent)
{
    /* test_threads.py, ToThreadTests.test_to_thread_concurrent */
    square_task_t *tasks[10];
    int values[10];

    for (int i = 0; i < 10; i++) {
        tasks[i] = uva_to_thread(square, .number = i);
    }
    ck_assert_int_eq(square_gather(tasks, 10, 0, NULL, values), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(values[i], i * i);
    }
    end_default();
}

static uva_context_var_t variable = {.name = "variable"};
static int in_task;
static int in_thread;

UVA_TASK(void *, look)
{
    *ret = uva_context_var_get(&variable);
    return uva_context_var_set(&variable, &in_thread, NULL);
}

UVA_TEST(to_thread_contextvars)
{
    /* test_threads.py, ToThreadTests.test_to_thread_contextvars */
    void *seen = NULL;

    ck_assert_int_eq(uva_context_var_set(&variable, &in_task, NULL), 0);
    ck_assert_int_eq(look_await(uva_to_thread(look), &seen), 0);
    ck_assert_ptr_eq(seen, &in_task);
    ck_assert_ptr_eq(uva_context_var_get(&variable), &in_task);
    end_default();
}

UVA_TEST(nothing_suspends_there)
{
    int r = 0;

    ck_assert_int_eq(awaiting_await(uva_to_thread(awaiting), &r), 0);
    ck_assert_int_eq(r, UVA_ENOTASK);
    end_default();
}

UVA_TEST(names)
{
    square_task_t *task = uva_to_thread(square, .number = 2);
    int value;

    ck_assert_str_eq(uva_task_get_coro(UVA_ERASE(task)), "square");
    ck_assert_int_eq(square_await(task, &value), 0);
    end_default();
}

/* Coroutines and threads in one gather, one group. */
UVA_TEST(mixed)
{
    uva_task_t *tasks[2] = {
        UVA_ERASE(uva_spawn(coroutine_square, .number = 3)),
        UVA_ERASE(uva_to_thread(square, .number = 4)),
    };
    int *values[2];
    uva_taskgroup_t group;
    square_task_t *child;
    int value = 0;

    ck_assert_int_eq(uva_wait(UVA_FUTURES(tasks), 2, UVA_FOREVER,
                              UVA_ALL_COMPLETED, NULL, NULL),
                     2);
    for (int i = 0; i < 2; i++) {
        void *borrowed;
        ck_assert_int_eq(uva_future_result(UVA_FUTURE(tasks[i]), &borrowed), 0);
        values[i] = borrowed;
    }
    ck_assert_int_eq(*values[0], 9);
    ck_assert_int_eq(*values[1], 16);
    uva_task_unref(tasks[0]);
    uva_task_unref(tasks[1]);
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    child = uva_taskgroup_submit(&group, NULL, square, .number = 5);
    uva_taskgroup_spawn(&group, coroutine_square, .number = 6);
    uva_task_ref(UVA_ERASE(child));
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(square_await(child, &value), 0);
    ck_assert_int_eq(value, 25);
    end_default();
}

/* Jobs whose tasks wait for their turn in a group have ended before it. */
UVA_TEST(ends_before_its_task_begins)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    square_task_t *children[3];
    int value = 0;

    options.max_running = 1;
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
    for (int i = 0; i < 3; i++) {
        children[i] = uva_taskgroup_submit(&group, NULL, square, .number = i);
        uva_task_ref(UVA_ERASE(children[i]));
    }
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(square_await(children[i], &value), 0);
        ck_assert_int_eq(value, i * i);
    }
    end_default();
}

UVA_TEST(arguments_are_dropped)
{
    int value = 0;

    freed = 0;
    ck_assert_int_eq(
        owning_await(uva_to_thread(owning, .owned = &freed), &value), 0);
    ck_assert_int_eq(value, 1);
    ck_assert_int_eq(freed, 1);
    end_default();
}

/* --- cancelling --- */

UVA_TEST(cancelled_while_it_runs)
{
    gated_args_t arguments = {.numbers = {1, 2, 3}};
    gated_task_t *task;

    gate_init();
    task = gated_submit(NULL, arguments, NULL);
    uv_sem_wait(&begun);
    UVA_TICK();
    ck_assert(uva_task_cancel(UVA_ERASE(task)));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_int_eq(ended, 0);
    uv_sem_post(&go);
    end_default();
    ck_assert_int_eq(ended, 1);
    gate_destroy();
}

/* Before its first step, and before a thread has taken it. */
UVA_TEST(cancelled_before_it_begins)
{
    uva_executor_t *worker;
    gated_task_t *running;
    gated_task_t *queued;
    owning_task_t *owning_one;

    gate_init();
    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    running = uva_submit(worker, gated, .numbers = {1});
    queued = uva_submit(worker, gated, .numbers = {2});
    owning_one = uva_submit(worker, owning, .owned = &freed);
    uva_task_cancel(UVA_ERASE(queued));
    uva_task_cancel(UVA_ERASE(owning_one));
    ck_assert_int_eq(UVA_JOIN(queued), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(owning_one), UV_ECANCELED);
    uv_sem_wait(&begun);
    uv_sem_post(&go);
    ck_assert_int_eq(UVA_JOIN(running), 0);
    ck_assert_int_eq(uva_executor_shutdown_async(worker, false, UVA_FOREVER),
                     0);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(freed, 1);
    uva_executor_unref(worker);
    gate_destroy();
}

UVA_TEST(timed_out)
{
    gated_task_t *task;
    long value = 0;

    gate_init();
    task = uva_to_thread(gated, .numbers = {1});
    uv_sem_wait(&begun);
    ck_assert_int_eq(gated_wait_for(task, 0, &value), UV_ETIMEDOUT);
    uv_sem_post(&go);
    ck_assert_int_eq(uva_shutdown_default_executor(UVA_FOREVER), 0);
    gate_destroy();
}

/* The executor refuses: the task fails with its code. */
UVA_TEST(refused)
{
    uva_executor_t *worker;
    int value = 0;

    freed = 0;
    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    ck_assert_int_eq(uva_executor_shutdown(worker, false, false), 0);
    ck_assert_int_eq(uva_executor_shutdown(worker, true, false), UVA_EDEADLOCK);
    ck_assert_int_eq(
        owning_await(uva_submit(worker, owning, .owned = &freed), &value),
        UV_EPERM);
    ck_assert_int_eq(freed, 1);
    uva_executor_unref(worker);
}

START_TEST(without_a_loop)
{
    freed = 0;
    ck_assert_int_eq(uva_future_exception(
                         UVA_FUTURE(uva_to_thread(owning, .owned = &freed))),
                     UVA_ENOLOOP);
    ck_assert_int_eq(freed, 1);
    ck_assert_int_eq(
        uva_future_exception(uva_run_in_executor(NULL, nothing, NULL, NULL)),
        UVA_ENOLOOP);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

/* --- plain --- */

static int run_value(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int run_gated(void *arg, void **ret_result)
{
    uv_sem_post(&begun);
    uv_sem_wait(&go);
    *ret_result = arg;
    return 0;
}

UVA_TEST(run_in_executor)
{
    /* test_events.py, EventLoopTestsMixin.test_run_in_executor */
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    void *value = NULL;

    freed = 0;
    options.destroy = count_freed;
    options.result_destroy = count_freed;
    ck_assert_int_eq(
        uva_join(uva_run_in_executor(NULL, run_value, &freed, &options),
                 &value),
        0);
    ck_assert_ptr_eq(value, &freed);
    ck_assert_int_eq(freed, 1);
    ck_assert_int_eq(
        uva_join(uva_run_in_executor(NULL, run_value, &freed, &options), NULL),
        0);
    ck_assert_int_eq(
        uva_join(uva_run_in_executor(NULL, NULL, NULL, NULL), NULL), UV_EINVAL);
    end_default();
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(freed, 3);
}

UVA_TEST(run_in_executor_cancel)
{
    /* test_events.py, EventLoopTestsMixin.test_run_in_executor_cancel */
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_future_t *future;

    gate_init();
    options.result_destroy = count_freed;
    future = uva_run_in_executor(NULL, run_gated, &freed, &options);
    uv_sem_wait(&begun);
    ck_assert(uva_future_cancel(future));
    ck_assert_int_eq(uva_join(future, NULL), UV_ECANCELED);
    uv_sem_post(&go);
    ck_assert_int_eq(uva_shutdown_default_executor(UVA_FOREVER), 0);
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(freed, 1);
    gate_destroy();
}

UVA_TEST(wrap_future)
{
    /* test_futures.py, BaseFutureTests.test_wrap_future */
    uva_executor_t *worker;
    uva_job_t *job;
    uva_future_t *futures[2];
    void *value = NULL;

    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    job = uva_executor_submit(worker, run_value, &freed, NULL);
    futures[0] = uva_wrap_job(job);
    futures[1] = uva_wrap_job(job);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_join(futures[i], &value), 0);
        ck_assert_ptr_eq(value, &freed);
    }
    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, &value), 0);
    ck_assert_int_eq(uva_join(uva_wrap_job(job), &value), 0);
    ck_assert_ptr_null(uva_wrap_job(NULL));
    uva_job_unref(job);
    ck_assert_int_eq(uva_executor_shutdown_async(worker, false, UVA_FOREVER),
                     0);
    uva_executor_unref(worker);
}

UVA_TEST(wrap_future_cancel)
{
    /* test_futures.py, BaseFutureTests.test_wrap_future_cancel;
     * test_futures.py, BaseFutureTests.test_wrap_future_cancel2 */
    uva_executor_t *worker;
    uva_job_t *jobs[3];
    uva_future_t *futures[3];

    gate_init();
    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    for (int i = 0; i < 3; i++) {
        jobs[i] = uva_executor_submit(worker, run_gated, NULL, NULL);
        futures[i] = uva_wrap_job(jobs[i]);
    }
    uv_sem_wait(&begun);
    ck_assert_int_eq(uva_job_result(jobs[0], UVA_MS(1), NULL), UVA_EDEADLOCK);
    ck_assert(uva_future_cancel(futures[1]));
    UVA_TICK();
    ck_assert(uva_job_cancelled(jobs[1]));
    ck_assert(uva_job_cancel(jobs[2]));
    ck_assert_int_eq(uva_join(futures[2], NULL), UV_ECANCELED);
    ck_assert_int_eq(uva_join(futures[1], NULL), UV_ECANCELED);
    uv_sem_post(&go);
    ck_assert_int_eq(uva_join(futures[0], NULL), 0);
    for (int i = 0; i < 3; i++) {
        uva_job_unref(jobs[i]);
    }
    ck_assert_int_eq(uva_executor_shutdown_async(worker, false, UVA_FOREVER),
                     0);
    uva_executor_unref(worker);
    gate_destroy();
}

/* --- the default executor, and the end of a run --- */

UVA_TEST(set_default_executor)
{
    uva_executor_t *worker;
    void *value;

    ck_assert_int_eq(uva_worker_new("mine", &worker), 0);
    ck_assert_int_eq(
        uva_loop_set_default_executor(uva_get_running_loop(), NULL), UV_EINVAL);
    ck_assert_int_eq(uva_loop_set_default_executor(NULL, worker), UVA_ENOLOOP);
    ck_assert_int_eq(
        uva_loop_set_default_executor(uva_get_running_loop(), worker), 0);
    uva_executor_unref(worker);
    ck_assert_int_eq(
        uva_join(uva_run_in_executor(NULL, run_value, &freed, NULL), &value),
        0);
    ck_assert_int_eq(uva_shutdown_default_executor(UVA_FOREVER), 0);
    ck_assert_int_eq(uva_shutdown_default_executor(UVA_FOREVER), 0);
    /* test_base_events.py, BaseEventLoopTests.test_shutdown_default_executor:
     * it takes no more jobs. */
    ck_assert_int_eq(
        uva_join(uva_run_in_executor(NULL, run_value, &freed, NULL), &value),
        UV_EPERM);
}

static int shut_down_too_soon(void *arg, void **ret_result)
{
    uva_executor_t *worker;
    gated_task_t *task;

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    task = uva_submit(worker, gated, .numbers = {1});
    uv_sem_wait(&begun);
    ck_assert_int_eq(uva_executor_shutdown_async(worker, false, 0),
                     UV_ETIMEDOUT);
    ck_assert(logged("a job has not ended: gated"));
    uv_sem_post(&go);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(uva_executor_shutdown_async(worker, false, UVA_FOREVER),
                     0);
    uva_executor_unref(worker);
    return 0;
}

/* Whoever gave up waiting leaves a thread behind, which ends with the jobs. */
START_TEST(shutdown_times_out)
{
    gate_init();
    uva_test_log_begin();
    ck_assert_int_eq(uva_run(shut_down_too_soon, NULL, NULL, NULL), 0);
    uva_test_log_end();
    while (uva_allocated_bytes() > 0) {
        uv_sleep(1);
    }
    gate_destroy();
}
END_TEST

static void let_go(void *data)
{
    (void)data;
    uv_sleep(5);
    uv_sem_post(&go);
}

/* The main task ends while a job runs: the run waits for it. */
static int leave_a_job(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    uva_task_unref(UVA_ERASE(uva_to_thread(gated, .numbers = {1})));
    uv_sem_wait(&begun);
    return 0;
}

START_TEST(a_run_waits_for_its_jobs)
{
    uv_thread_t thread;

    gate_init();
    ck_assert_int_eq(uv_thread_create(&thread, let_go, NULL), 0);
    ck_assert_int_eq(uva_run(leave_a_job, NULL, NULL, NULL), 0);
    ck_assert_int_eq(uv_thread_join(&thread), 0);
    ck_assert_int_eq(ended, 1);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
    gate_destroy();
}
END_TEST

/* A loop is closed under a job of an executor that is not its own. */
static int leave_a_job_of(void *arg, void **ret_result)
{
    (void)ret_result;
    uva_task_unref(UVA_ERASE(uva_submit(arg, gated, .numbers = {1})));
    uva_task_unref(UVA_ERASE(uva_submit(arg, owning, .owned = &freed)));
    uv_sem_wait(&begun);
    return 0;
}

START_TEST(a_loop_closes_under_a_job)
{
    uva_executor_t *worker;

    gate_init();
    ck_assert_int_eq(uva_worker_new(NULL, &worker), 0);
    ck_assert_int_eq(uva_run(leave_a_job_of, worker, NULL, NULL), 0);
    ck_assert_int_eq(ended, 0);
    uv_sem_post(&go);
    ck_assert_int_eq(uva_executor_shutdown(worker, true, false), 0);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(freed, 1);
    uva_executor_unref(worker);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
    gate_destroy();
}
END_TEST

/* What both sides drop, they have dropped when this returns. */
static void end_worker(uva_executor_t *worker)
{
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(uva_executor_shutdown_async(worker, false, UVA_FOREVER),
                     0);
    uva_executor_unref(worker);
    UVA_TICK();
    UVA_TICK();
}

static int submit_one(void)
{
    uva_executor_t *worker;
    int value = 0;
    int r = uva_worker_new(NULL, &worker);

    if (r >= 0) {
        r = owning_await(uva_submit(worker, owning, .owned = &freed), &value);
        ck_assert(r < 0 || value == 1);
        end_worker(worker);
    }
    return r;
}

static int run_one(void)
{
    uva_executor_t *worker;
    int r = uva_worker_new(NULL, &worker);

    if (r >= 0) {
        r = uva_join(uva_run_in_executor(worker, run_value, &freed, NULL),
                     NULL);
        end_worker(worker);
    }
    return r;
}

UVA_TEST_STRICT(without_memory)
{
    ck_assert_int_eq(run_one(), 0); /* The loop's part stays. */
    UVA_OOM_TEST(run_one());
    UVA_OOM_TEST(submit_one());
}

int main(void)
{
    Suite *suite = suite_create("submit");
    TCase *tcase = UVA_TCASE(suite, "typed");

    UVA_ADD_TESTS(tcase, to_thread, to_thread_exception, to_thread_concurrent,
                  to_thread_contextvars, nothing_suspends_there, names, mixed,
                  ends_before_its_task_begins, arguments_are_dropped);
    tcase = UVA_TCASE(suite, "cancel");
    UVA_ADD_TESTS(tcase, cancelled_while_it_runs, cancelled_before_it_begins,
                  timed_out, refused, without_a_loop);
    tcase = UVA_TCASE(suite, "plain");
    UVA_ADD_TESTS(tcase, run_in_executor, run_in_executor_cancel, wrap_future,
                  wrap_future_cancel);
    tcase = UVA_TCASE(suite, "end");
    UVA_ADD_TESTS(tcase, set_default_executor, shutdown_times_out,
                  a_run_waits_for_its_jobs, a_loop_closes_under_a_job,
                  without_memory);
    return uva_test_main(suite);
}
