/*
 * Task groups beyond asyncio: policies, a bound on running children.
 */
#include "uva_test.h"

typedef struct job_s {
    uint64_t delay_ns;
    int code;
    bool ran;
    int ended; /* What the body saw; 1 while it has not. */
} job_t;

static int *running;
static int most;

static int job_body(void *arg, void **ret_result)
{
    job_t *job = arg;
    int r;

    (void)ret_result;
    job->ran = true;
    if (running != NULL && ++*running > most) {
        most = *running;
    }
    r = uva_sleep(job->delay_ns);
    if (running != NULL) {
        --*running;
    }
    job->ended = r < 0 ? r : job->code;
    return job->ended;
}

static void spawn_jobs(uva_taskgroup_t *group, job_t *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i].ended = 1;
        ck_assert(!uva_future_done(UVA_FUTURE(
            uva_taskgroup_create_task(group, job_body, &jobs[i], NULL))));
    }
}

static int collect_all_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    job_t jobs[3] = {{UVA_MS(1), -30001, false, 0},
                     {UVA_MS(3), 0, false, 0},
                     {UVA_MS(2), -30002, false, 0}};

    (void)arg;
    (void)ret_result;
    options.policy = UVA_GROUP_COLLECT_ALL;
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
    spawn_jobs(&group, jobs, 3);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_int_eq(jobs[1].ended, 0); /* Nobody was cancelled. */
    ck_assert_uint_eq(uva_error_member_count(uva_task_error()), 2);
    ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), 0)),
                     -30001);
    ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), 1)),
                     -30002);
    return 0;
}

START_TEST(collect_all)
{
    ck_assert_int_eq(uva_test_run(collect_all_main, NULL), 0);
}
END_TEST

static int first_success_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    job_t jobs[3] = {{UVA_MS(1), -30001, false, 0},
                     {UVA_MS(2), 0, false, 0},
                     {UVA_SEC(9), 0, false, 0}};
    uint64_t begin_ns = uva_loop_time(uva_get_running_loop());
    int r;

    (void)arg;
    (void)ret_result;
    options.policy = UVA_GROUP_FIRST_SUCCESS;
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
    spawn_jobs(&group, jobs, 3);
    r = uva_sleep(UVA_SEC(100)); /* The body is cancelled as well. */
    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert_int_eq(uva_taskgroup_exit(&group, r), 0);
    ck_assert_int_eq(jobs[2].ended, UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()) - begin_ns,
                      UVA_MS(2));
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    return 0;
}

START_TEST(first_success)
{
    ck_assert_int_eq(uva_test_run(first_success_main, NULL), 0);
}
END_TEST

static int no_success_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    job_t jobs[2] = {{UVA_MS(1), -30001, false, 0},
                     {UVA_MS(2), -30002, false, 0}};

    (void)arg;
    (void)ret_result;
    options.policy = UVA_GROUP_FIRST_SUCCESS;
    (void)uva_taskgroup_enter_with(&group, &options);
    spawn_jobs(&group, jobs, 2);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_uint_eq(uva_error_member_count(uva_task_error()), 2);
    return 0;
}

START_TEST(first_success_of_none)
{
    ck_assert_int_eq(uva_test_run(no_success_main, NULL), 0);
}
END_TEST

static int bound_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    job_t jobs[7];
    int count = 0;

    (void)arg;
    (void)ret_result;
    for (int i = 0; i < 7; i++) {
        jobs[i] = (job_t){UVA_MS(10), 0, false, 0};
    }
    running = &count;
    most = 0;
    options.max_running = 2;
    (void)uva_taskgroup_enter_with(&group, &options);
    spawn_jobs(&group, jobs, 7);
    ck_assert_int_eq(uva_sleep(UVA_MS(5)), 0);
    ck_assert(jobs[1].ran && !jobs[2].ran); /* In order. */
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    running = NULL;
    ck_assert_int_eq(most, 2);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(40));
    return 0;
}

START_TEST(bound)
{
    ck_assert_int_eq(uva_test_run(bound_main, NULL), 0);
}
END_TEST

static int bound_failure_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    job_t jobs[4] = {{UVA_MS(1), -30001, false, 0},
                     {UVA_SEC(1), 0, false, 0},
                     {UVA_SEC(1), 0, false, 0},
                     {UVA_SEC(1), 0, false, 0}};

    (void)arg;
    (void)ret_result;
    options.max_running = 1;
    (void)uva_taskgroup_enter_with(&group, &options);
    spawn_jobs(&group, jobs, 4);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    /* One may have got its turn by the failure; none that waited ran. */
    ck_assert(!jobs[2].ran && !jobs[3].ran);
    ck_assert_uint_eq(uva_error_member_count(uva_task_error()), 1);
    return 0;
}

START_TEST(bound_and_failure)
{
    ck_assert_int_eq(uva_test_run(bound_failure_main, NULL), 0);
}
END_TEST

static int held_cancel_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    job_t jobs[3] = {{UVA_MS(10), 0, false, 0},
                     {UVA_MS(10), 0, false, 0},
                     {UVA_MS(10), 0, false, 0}};
    uva_task_t *second;

    (void)arg;
    (void)ret_result;
    options.max_running = 1;
    (void)uva_taskgroup_enter_with(&group, &options);
    spawn_jobs(&group, jobs, 1);
    second = uva_task_ref(
        uva_taskgroup_create_task(&group, job_body, &jobs[1], NULL));
    (void)uva_taskgroup_create_task(&group, job_body, &jobs[2], NULL);
    ck_assert_int_eq(uva_cancel_and_wait(UVA_FUTURE(second)), 0);
    ck_assert(uva_future_cancelled(UVA_FUTURE(second)));
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), 0);
    uva_task_unref(second);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert(!jobs[1].ran && jobs[2].ran);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(20));
    return 0;
}

START_TEST(cancelled_while_held)
{
    ck_assert_int_eq(uva_test_run(held_cancel_main, NULL), 0);
}
END_TEST

static int cancel_wait_main(void *arg, void **ret_result)
{
    uva_taskgroup_t group;
    job_t jobs[2] = {{UVA_SEC(1), 0, false, 0}, {UVA_SEC(1), 0, false, 0}};

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    spawn_jobs(&group, jobs, 2);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_taskgroup_cancel_and_wait(&group), 0);
    ck_assert_int_eq(jobs[0].ended, UV_ECANCELED);
    ck_assert_int_eq(jobs[1].ended, UV_ECANCELED);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0); /* Nothing is left over. */
    return 0;
}

START_TEST(cancel_and_wait)
{
    ck_assert_int_eq(uva_test_run(cancel_wait_main, NULL), 0);
}
END_TEST

static int end_the_group_of_another(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_taskgroup_cancel_and_wait(arg);
}

static void end_the_group_in_a_callback(void *data)
{
    ck_assert_int_eq(uva_taskgroup_cancel_and_wait(data), UVA_ENOTASK);
}

static int only_the_parent_main(void *arg, void **ret_result)
{
    uva_taskgroup_t group;
    job_t job = {UVA_MS(5), 0, false, 0};
    uva_task_t *other;

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    spawn_jobs(&group, &job, 1);
    other = uva_create_task(end_the_group_of_another, &group);
    ck_assert_int_eq(uva_loop_call_soon(NULL, end_the_group_in_a_callback,
                                        &group, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(uva_join(UVA_FUTURE(other), NULL), UV_EPERM);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(job.ended, 0);
    return 0;
}

/* Whom the exit refuses has cancelled nothing. */
START_TEST(cancel_and_wait_is_for_the_parent)
{
    ck_assert_int_eq(uva_test_run(only_the_parent_main, NULL), 0);
}
END_TEST

typedef struct turn_s {
    uva_task_t *victim;
    uint64_t ended;
    uint64_t began;
} turn_t;

static int cancels_next(void *arg, void **ret_result)
{
    turn_t *turn = arg;

    (void)ret_result;
    ck_assert(uva_task_cancel(turn->victim));
    turn->ended = uva_loop_iterations(uva_get_running_loop());
    return 0;
}

static int never_runs(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_abort_msg("a task that was cancelled has begun");
    return 0;
}

static int has_turn(void *arg, void **ret_result)
{
    turn_t *turn = arg;

    (void)ret_result;
    turn->began = uva_loop_iterations(uva_get_running_loop());
    return 0;
}

static int cancelled_turn_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;
    turn_t turn = {0};

    (void)arg;
    (void)ret_result;
    options.max_running = 1;
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
    (void)uva_taskgroup_create_task(&group, cancels_next, &turn, NULL);
    turn.victim = uva_taskgroup_create_task(&group, never_runs, NULL, NULL);
    (void)uva_taskgroup_create_task(&group, has_turn, &turn, NULL);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    /* The first is seen to end in the next iteration, and then the third goes
     * on at once, as the second is not there to end first. */
    ck_assert_uint_eq(turn.began, turn.ended + 2);
    return 0;
}

START_TEST(cancelled_takes_no_turn)
{
    ck_assert_int_eq(uva_test_run(cancelled_turn_main, NULL), 0);
}
END_TEST

static int bad_options_main(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    uva_taskgroup_t group;

    (void)arg;
    (void)ret_result;
    options.policy = (uva_group_policy_t)7;
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), UV_EINVAL);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UV_EINVAL);
    return 0;
}

START_TEST(bad_options)
{
    ck_assert_int_eq(uva_test_run(bad_options_main, NULL), 0);
}
END_TEST

/* --- cancellations from outside --- */

static int cleans_up(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_SEC(3600));

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0);
    return r;
}

static int succeeds(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(UVA_MS(100));
}

/* Ways of a group to its end, which its first child's clean-up draws out. */
enum {
    END_BY_CANCEL,   /* In the body. */
    END_BY_CALLBACK, /* In the exit. */
    END_BY_FIRST_SUCCESS,
    ENDS
};

static void cancels_group(void *data)
{
    uva_taskgroup_cancel(data);
}

static int ends_a_group(void *arg, void **ret_result)
{
    uva_taskgroup_options_t options = UVA_TASKGROUP_OPTIONS_INIT;
    int end = *(const int *)arg;
    uva_taskgroup_t group;

    (void)ret_result;
    options.policy = end == END_BY_FIRST_SUCCESS ? UVA_GROUP_FIRST_SUCCESS
                                                 : UVA_GROUP_FAIL_FAST;
    ck_assert_int_eq(uva_taskgroup_enter_with(&group, &options), 0);
    (void)uva_taskgroup_create_task(&group, cleans_up, NULL, NULL);
    if (end == END_BY_FIRST_SUCCESS) {
        (void)uva_taskgroup_create_task(&group, succeeds, NULL, NULL);
    } else if (end == END_BY_CALLBACK) {
        ck_assert_int_eq(uva_loop_call_later(NULL, UVA_MS(100), cancels_group,
                                             &group, NULL, NULL),
                         0);
    } else {
        ck_assert_int_eq(uva_sleep(UVA_MS(100)), 0);
        return uva_taskgroup_cancel_and_wait(&group);
    }
    return uva_taskgroup_exit(&group, 0);
}

/* The group ends from 0.1 s to 1.1 s; in between comes another's request. */
UVA_TEST(cancelled_from_outside_while_it_ends)
{
    for (int end = 0; end < ENDS; end++) {
        uva_task_t *task = uva_create_task(ends_a_group, &end);

        ck_assert_int_eq(uva_sleep(UVA_MS(500)), 0);
        ck_assert(uva_future_cancel_message(UVA_FUTURE(task), "from outside"));
        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
        ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)),
                         "from outside");
        ck_assert_uint_eq(uva_task_cancelling(task), 1);
        uva_task_unref(task);

        task = uva_create_task(ends_a_group, &end);
        ck_assert_int_eq(
            uva_wait_for(uva_future_ref(UVA_FUTURE(task)), UVA_MS(500), NULL),
            UV_ETIMEDOUT);
        uva_task_unref(task);

        task = uva_create_task(ends_a_group, &end); /* Nobody asks. */
        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
        ck_assert_uint_eq(uva_task_cancelling(task), 0);
        uva_task_unref(task);
    }
}

static int timed_out_while_it_ends(int end)
{
    uva_timeout_t timeout;

    ck_assert_int_eq(uva_timeout_enter(&timeout, UVA_MS(500)), 0);
    return uva_timeout_exit(&timeout, ends_a_group(&end, NULL));
}

UVA_TEST(timed_out_from_outside_while_it_ends)
{
    for (int end = 0; end < ENDS; end++) {
        ck_assert_int_eq(timed_out_while_it_ends(end), UV_ETIMEDOUT);
        ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    }
}

/* A request that was swallowed stays counted; the group's own is not taken for
 * another, delivered or not. */
UVA_TEST(cancelled_in_a_task_that_swallowed_one)
{
    uva_task_t *self = uva_current_task();
    uva_taskgroup_t group;

    (void)uva_task_cancel(self);
    ck_assert_int_eq(uva_sleep(0), UV_ECANCELED);
    for (int end = 0; end < ENDS; end++) {
        ck_assert_int_eq(ends_a_group(&end, NULL), 0);
    }
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    ck_assert_int_eq(uva_taskgroup_cancel_and_wait(&group), 0);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_uint_eq(uva_task_cancelling(self), 1);
    (void)uva_task_uncancel(self);
}

/* One that was not yet delivered when the group was entered is another's. */
UVA_TEST(cancelled_before_it_was_entered)
{
    uva_task_t *self = uva_current_task();
    uva_taskgroup_t group;

    (void)uva_task_cancel(self);
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_create_task(&group, cleans_up, NULL, NULL);
    ck_assert_int_eq(uva_taskgroup_cancel_and_wait(&group), UV_ECANCELED);
    ck_assert_uint_eq(uva_task_cancelling(self), 1);
    (void)uva_task_uncancel(self);
}

int main(void)
{
    Suite *suite = suite_create("taskgroups_policies");
    TCase *policies = UVA_TCASE(suite, "Policies");
    TCase *bounds = UVA_TCASE(suite, "Bounds");
    TCase *outside = UVA_TCASE(suite, "Outside");

    UVA_ADD_TESTS(policies, collect_all, first_success, first_success_of_none,
                  cancel_and_wait, cancel_and_wait_is_for_the_parent,
                  bad_options);
    UVA_ADD_TESTS(bounds, bound, bound_and_failure, cancelled_while_held,
                  cancelled_takes_no_turn);
    UVA_ADD_TESTS(outside, cancelled_from_outside_while_it_ends,
                  timed_out_from_outside_while_it_ends,
                  cancelled_in_a_task_that_swallowed_one,
                  cancelled_before_it_was_entered);
    return uva_test_main(suite);
}
