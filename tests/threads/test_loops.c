/*
 * Loops in threads: their life, placement, statistics.
 */
#include <stdatomic.h>

#include <uv.h>

#include "loops.h"

static atomic_int ended;

static uva_loops_t *start_loops(unsigned count)
{
    uva_loops_options_t options = UVA_LOOPS_OPTIONS_INIT;
    uva_loops_t *loops;

    options.count = count;
    ck_assert_int_eq(uva_loops_start(&options, &loops), 0);
    ck_assert_uint_eq(uva_loops_count(loops), count);
    return loops;
}

static void end_loops(uva_loops_t *take_loops, int expected)
{
    ck_assert_int_eq(uva_loops_stop(take_loops, UVA_SEC(5)), expected);
    ck_assert_ptr_null(uva_loops_unref(take_loops));
}

/* Gives the loop that it runs in. */
static int where_body(void *arg, void **ret_result)
{
    int r = uva_sleep(0);

    (void)arg;
    *ret_result = uva_get_running_loop();
    return r;
}

static int wait_body(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_FOREVER);

    (void)arg;
    (void)ret_result;
    atomic_fetch_add(&ended, 1);
    return r;
}

static uva_loop_t *loop_of(uva_job_t *take_job)
{
    void *loop = NULL;

    ck_assert_int_eq(uva_job_result(take_job, UVA_FOREVER, &loop), 0);
    uva_job_unref(take_job);
    return loop;
}

START_TEST(starts_and_stops)
{
    for (int i = 0; i < 100; i++) {
        uva_loops_t *loops = start_loops(2);
        uva_job_t *job = uva_run_on_loops(loops, i % 2, where_body, NULL, NULL);

        ck_assert_ptr_eq(loop_of(job),
                         uva_loops_get(loops, i % 2 == 0 ? 0 : 1));
        end_loops(loops, 0);
    }
}
END_TEST

START_TEST(has_a_loop_for_each_processor)
{
    uva_loops_options_t options = UVA_LOOPS_OPTIONS_INIT;
    uva_loops_t *loops;

    options.pin = true;
    options.name = "a name that is longer than the system has room for";
    ck_assert_int_eq(uva_loops_start(&options, &loops), 0);
    ck_assert_uint_eq(uva_loops_count(loops), uv_available_parallelism());
    ck_assert_ptr_null(uva_loops_get(loops, uva_loops_count(loops)));
    ck_assert_ptr_eq(uva_loops_ref(loops), loops);
    ck_assert_ptr_null(uva_loops_unref(loops));
    end_loops(loops, 0);
    ck_assert_ptr_null(uva_loops_ref(NULL));
    ck_assert_ptr_null(uva_loops_unref(NULL));
    ck_assert_uint_eq(uva_loops_count(NULL), 0);
}
END_TEST

START_TEST(refuses_options)
{
    uva_loops_options_t options = UVA_LOOPS_OPTIONS_INIT;
    uva_loop_options_t loop = UVA_LOOP_OPTIONS_INIT;
    uva_loops_t *loops;

    options.count = 100000;
    ck_assert_int_eq(uva_loops_start(&options, &loops), UV_EINVAL);
    options.count = 2;
    options.loop = &loop;
    loop.size = 0; /* Each of the threads finds that out. */
    ck_assert_int_eq(uva_loops_start(&options, &loops), UV_EINVAL);
    options.size = 0;
    ck_assert_int_eq(uva_loops_start(&options, &loops), UV_EINVAL);
}
END_TEST

static int start_and_stop(void)
{
    uva_loops_options_t options = UVA_LOOPS_OPTIONS_INIT;
    uva_loops_t *loops;
    int r;

    options.count = 2;
    r = uva_loops_start(&options, &loops);
    if (r >= 0) {
        uva_testing_fail_allocation(0, false);
        end_loops(loops, 0);
    }
    return r;
}

START_TEST(starts_or_leaves_nothing)
{
    UVA_OOM_TEST(start_and_stop());
}
END_TEST

START_TEST(stops_without_memory)
{
    uva_loops_t *loops = start_loops(2);
    uva_job_t *jobs[4];

    atomic_store(&ended, 0);
    for (int i = 0; i < 4; i++) {
        jobs[i] = uva_run_on_loops(loops, i % 2, wait_body, NULL, NULL);
        ck_assert(!uva_job_done(jobs[i]));
        loop_of(uva_run_on_loops(loops, i % 2, where_body, NULL, NULL));
    }
    uva_testing_fail_allocation(1, true);
    ck_assert_int_ge(uva_loops_stop(loops, UVA_SEC(5)), 0);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(atomic_load(&ended), 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(uva_job_result(jobs[i], UVA_FOREVER, NULL),
                         UV_ECANCELED);
        uva_job_unref(jobs[i]);
    }
    uva_loops_unref(loops);
}
END_TEST

/* --- placement --- */

START_TEST(next_goes_round)
{
    uva_loops_t *loops = start_loops(3);

    for (unsigned i = 0; i < 9; i++) {
        ck_assert_ptr_eq(loop_of(uva_run_on_loops(loops, UVA_LOOP_NEXT,
                                                  where_body, NULL, NULL)),
                         uva_loops_get(loops, i % 3));
    }
    end_loops(loops, 0);
}
END_TEST

START_TEST(least_evens_out)
{
    uva_loops_t *loops = start_loops(3);
    uva_job_t *jobs[12];
    uva_loop_stats_t stats = UVA_LOOP_STATS_INIT;

    jobs[0] = uva_run_on_loops(loops, 0, wait_body, NULL, NULL);
    jobs[1] = uva_run_on_loops(loops, 0, wait_body, NULL, NULL);
    for (int i = 2; i < 12; i++) {
        jobs[i] =
            uva_run_on_loops(loops, UVA_LOOP_LEAST, wait_body, NULL, NULL);
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(uva_loops_get_stats(loops, i, UVA_FOREVER, &stats), 0);
        ck_assert_uint_eq(stats.tasks, 4);
        ck_assert_uint_gt(stats.iterations, 0);
        ck_assert_uint_eq(stats.connections, 0);
    }
    end_loops(loops, 0);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(uva_job_result(jobs[i], UVA_FOREVER, NULL),
                         UV_ECANCELED);
        uva_job_unref(jobs[i]);
    }
}
END_TEST

static void count_freed(void *value)
{
    ++*(int *)value;
}

START_TEST(there_is_no_such_loop)
{
    uva_loops_t *loops = start_loops(1);
    uva_job_options_t options = UVA_JOB_OPTIONS_INIT;
    uva_loop_stats_t stats = UVA_LOOP_STATS_INIT;
    int freed = 0;
    const int wheres[] = {1, -3};
    uva_job_t *job;

    options.destroy = count_freed;
    for (int i = 0; i < 2; i++) {
        job = uva_run_on_loops(loops, wheres[i], where_body, &freed, &options);
        ck_assert_int_eq(uva_job_result(job, 0, NULL), UVA_ENOLOOP);
        uva_job_unref(job);
    }
    ck_assert_int_eq(freed, 2);
    uva_testing_fail_allocation(1, false);
    ck_assert_ptr_null(
        uva_run_on_loops(loops, 0, where_body, &freed, &options));
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(freed, 3);
    ck_assert_int_eq(uva_loops_get_stats(loops, 1, 0, &stats), UVA_ENOLOOP);
    stats.size = 0;
    ck_assert_int_eq(uva_loops_get_stats(loops, 0, 0, &stats), UV_EINVAL);
    ck_assert_int_eq(uva_loop_get_stats(NULL, &stats), UVA_ENOLOOP);
    end_loops(loops, 0);
}
END_TEST

/* --- stopping --- */

/* Goes on after the first cancellations. */
static int ignore_body(void *arg, void **ret_result)
{
    (void)ret_result;
    for (int i = 0; i < *(const int *)arg; i++) {
        UVA_IGNORE(uva_sleep(UVA_FOREVER));
    }
    atomic_fetch_add(&ended, 1);
    return 0;
}

START_TEST(tasks_that_go_on_are_counted)
{
    uva_loops_t *loops = start_loops(2);
    int count = 3;
    uva_job_t *jobs[3];

    uva_test_log_begin();
    atomic_store(&ended, 0);
    for (int i = 0; i < 3; i++) {
        jobs[i] = uva_run_on_loops(loops, i % 2, ignore_body, &count, NULL);
        loop_of(uva_run_on_loops(loops, i % 2, where_body, NULL, NULL));
    }
    ck_assert_int_eq(uva_loops_stop(loops, UVA_MS(50)), 3);
    ck_assert(logged("goes on after its cancellation"));
    uva_test_log_end();
    ck_assert_int_eq(atomic_load(&ended), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(uva_job_done(jobs[i]));
        uva_job_unref(jobs[i]);
    }
    ck_assert_int_eq(uva_loops_stop(loops, 0), UV_EPERM);
    uva_loops_unref(loops);
}
END_TEST

/* Blocks the thread. */
static int block_body(void *arg, void **ret_result)
{
    uv_sem_t *sems = arg;

    (void)ret_result;
    uv_sem_post(&sems[0]);
    uv_sem_wait(&sems[1]);
    return 0;
}

START_TEST(a_thread_that_is_blocked_is_left_behind)
{
    uva_loops_t *loops = start_loops(2);
    uva_loop_stats_t stats = UVA_LOOP_STATS_INIT;
    uv_sem_t sems[2];
    uva_job_t *job;

    ck_assert_int_eq(uv_sem_init(&sems[0], 0), 0);
    ck_assert_int_eq(uv_sem_init(&sems[1], 0), 0);
    job = uva_run_on_loops(loops, 1, block_body, sems, NULL);
    uv_sem_wait(&sems[0]);
    ck_assert_int_eq(uva_loops_get_stats(loops, 1, UVA_MS(1), &stats),
                     UV_ETIMEDOUT);
    ck_assert_int_eq(uva_loops_stop(loops, 0), 1);
    uva_loops_unref(loops);
    uv_sem_post(&sems[1]);
    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), 0);
    uva_job_unref(job);
    while (uva_allocated_bytes() > 0) { /* Its thread frees the rest. */
        uv_sleep(1);
    }
    uv_sem_destroy(&sems[0]);
    uv_sem_destroy(&sems[1]);
}
END_TEST

static int stop_body(void *arg, void **ret_result)
{
    uva_loop_stats_t stats = UVA_LOOP_STATS_INIT;
    uva_loops_t *loops = arg;

    *ret_result = NULL;
    if (uva_loops_get_stats(loops, 0, UVA_FOREVER, &stats) < 0 ||
        stats.tasks != 1 ||
        uva_loops_get_stats(loops, 1, UVA_FOREVER, &stats) != UVA_EDEADLOCK) {
        return UV_EIO;
    }
    return uva_loops_stop(loops, 0);
}

START_TEST(a_loop_does_not_stop_them)
{
    uva_loops_t *loops = start_loops(2);
    uva_job_t *job = uva_run_on_loops(loops, 0, stop_body, loops, NULL);

    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UVA_EDEADLOCK);
    uva_job_unref(job);
    end_loops(loops, 0);
    ck_assert_int_eq(uva_loops_stop(NULL, 0), UV_EINVAL);
}
END_TEST

static int stop_loop_body(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    uva_loop_stop(uva_get_running_loop());
    return uva_sleep(0);
}

START_TEST(a_task_stops_its_loop_in_vain)
{
    uva_loops_t *loops = start_loops(1);
    uva_job_t *job = uva_run_on_loops(loops, 0, stop_loop_body, NULL, NULL);

    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), 0);
    uva_job_unref(job);
    loop_of(uva_run_on_loops(loops, 0, where_body, NULL, NULL));
    end_loops(loops, 0);
}
END_TEST

START_TEST(the_last_reference_stops_them)
{
    uva_loops_t *loops = start_loops(2);
    uva_job_t *job = uva_run_on_loops(loops, 1, wait_body, NULL, NULL);

    uva_test_log_begin();
    uva_loops_unref(loops);
    ck_assert_int_eq(uva_job_result(job, UVA_FOREVER, NULL), UV_ECANCELED);
    uva_job_unref(job);
    while (uva_allocated_bytes() > 0) {
        uv_sleep(1);
    }
    ck_assert(logged("loops in threads were not stopped"));
    uva_test_log_end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loops");
    TCase *life = UVA_LOOPS_TCASE(suite, "Life");
    TCase *placement = UVA_LOOPS_TCASE(suite, "Placement");
    TCase *stopping = UVA_LOOPS_TCASE(suite, "Stopping");

    UVA_ADD_TESTS(life, starts_and_stops, has_a_loop_for_each_processor,
                  refuses_options, starts_or_leaves_nothing,
                  stops_without_memory);
    UVA_ADD_TESTS(placement, next_goes_round, least_evens_out,
                  there_is_no_such_loop);
    UVA_ADD_TESTS(stopping, tasks_that_go_on_are_counted,
                  a_thread_that_is_blocked_is_left_behind,
                  a_loop_does_not_stop_them, a_task_stops_its_loop_in_vain,
                  the_last_reference_stops_them);
    return uva_test_main(suite);
}
