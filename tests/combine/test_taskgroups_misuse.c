/*
 * Task groups: CPython's tests of spawning and misuse, with both kinds of
 * coroutine; cancelling a group; lost groups; no memory.
 */
#include "groups.h"

#include "base/util.h"

#include <string.h>

/* --- children that come and go --- */

KIND_TEST(taskgroup_23, uva_taskgroup_t g; int i; int r;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_23 */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    for (self->i = 0; self->i < 10; self->i++) {
        AWAIT(self->r, uva_sleep, UVA_MS(100));
        (void)KIND_SPAWN_IN(&self->g, foo, UVA_MS(300));
        if (self->i == 5) {
            /* Of the loop's tasks one is the parent. */
            ck_assert_uint_lt(uva_loop_all_tasks(loop, NULL, 0) - 1, 5);
        }
    }
    AWAIT(self->r, uva_sleep, UVA_MS(1350));
    ck_assert_uint_eq(uva_loop_all_tasks(loop, NULL, 0) - 1, 0);
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    ck_assert_int_eq(self->r, 0);
    UVA_END
    return 0;
}

KIND_TASK(void, root, uva_taskgroup_t *g; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_MS(100));
    (void)KIND_SPAWN_IN(self->g, foo, UVA_MS(100));
    (void)KIND_SPAWN_IN(self->g, foo, UVA_MS(200));
    UVA_END
    return self->r;
}

KIND_TEST(taskgroup_24, uva_taskgroup_t g;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_24 */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, root, .g = &self->g);
    AWAIT_IS(0, uva_taskgroup_exit, &self->g, 0);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(300));
    UVA_END
    return 0;
}

KIND_TASK(void, hydra, uva_taskgroup_t *g; int *nhydras; int r;)
{
    UVA_BEGIN
    ++*self->nhydras;
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    if (self->r < 0) {
        return self->r;
    }
    (void)KIND_SPAWN_IN(self->g, hydra, self->g, self->nhydras);
    (void)KIND_SPAWN_IN(self->g, hydra, self->g, self->nhydras);
    UVA_END
    return 0;
}

KIND_TASK(void, hercules, int *nhydras; int r;)
{
    UVA_BEGIN
    while (*self->nhydras < 10) {
        AWAIT(self->r, uva_sleep, UVA_MS(15));
    }
    UVA_END
    return ZERO_DIVISION_ERROR;
}

KIND_TEST(taskgroup_25, uva_taskgroup_t g; int nhydras;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_25 */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, hydra, &self->g, &self->nhydras);
    (void)KIND_SPAWN_IN(&self->g, hercules, &self->nhydras);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->g, 0);
    ck_assert(error_types(uva_task_error(), ZERO_DIVISION_ERROR, 0));
    ck_assert_int_ge(self->nhydras, 10);
    UVA_END
    return 0;
}

/* --- name and context --- */

static int yield_once(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(0);
}

UVA_TEST(taskgroup_task_name)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_task_name */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t g;
    uva_task_t *task;

    options.name = "yolo";
    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    task = uva_taskgroup_create_task(&g, yield_once, NULL, &options);
    ck_assert_str_eq(uva_task_get_name(task), "yolo");
    ck_assert_int_eq(uva_taskgroup_exit(&g, 0), 0);
}

static uva_context_var_t cvar = {"cvar", NULL};

static int set_cvar(void *arg, void **ret_result)
{
    int r = uva_sleep(0);

    (void)ret_result;
    return r < 0 ? r : uva_context_var_set(&cvar, arg, NULL);
}

UVA_TEST(taskgroup_task_context)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_task_context */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    int one = 1;
    int two = 2;
    void *value = NULL;
    uva_taskgroup_t g;
    uva_task_t *task;

    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    options.context = uva_copy_context();
    ck_assert(!uva_context_get(options.context, &cvar, &value));
    task = uva_taskgroup_create_task(&g, set_cvar, &one, &options);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
    ck_assert(uva_context_get(options.context, &cvar, &value));
    ck_assert_ptr_eq(value, &one);
    task = uva_taskgroup_create_task(&g, set_cvar, &two, &options);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
    ck_assert(uva_context_get(options.context, &cvar, &value));
    ck_assert_ptr_eq(value, &two);
    ck_assert_int_eq(uva_taskgroup_exit(&g, 0), 0);
    uva_context_unref(options.context);
}

/* --- refusals --- */

KIND_TASK(void, late_spawner, uva_taskgroup_t *g;)
{
    UVA_BEGIN
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(uva_future_exception(
                         UVA_FUTURE(KIND_SPAWN_IN(self->g, foo, UVA_MS(1)))),
                     UV_EPERM);
    UVA_END
    return 0;
}

KIND_TEST(taskgroup_no_create_task_after_failure, uva_taskgroup_t g;)
{
    /* test_taskgroups.py,
     * TestTaskGroup.test_taskgroup_no_create_task_after_failure */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, crash_after, UVA_MS(1), ZERO_DIVISION_ERROR);
    (void)KIND_SPAWN_IN(&self->g, late_spawner, &self->g);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->g, 0);
    ck_assert(error_types(uva_task_error(), ZERO_DIVISION_ERROR, 0));
    UVA_END
    return 0;
}

KIND_TASK(void, exit_raises, uva_taskgroup_t tg;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
    (void)KIND_SPAWN_IN(&self->tg, crash_after, 0, CUSTOM_ERROR);
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    /* What the body had open fails to close. */
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->tg,
             uva_fail(CUSTOM_ERROR, "not closed"));
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    ck_assert_uint_eq(uva_error_member_count(uva_task_error()), 2);
    ck_assert(error_types(uva_task_error(), CUSTOM_ERROR, 0));
    /* The body's failure is the last, with the text it was given. */
    ck_assert_str_eq(uva_error_text(uva_error_member(uva_task_error(), 1)),
                     "not closed");
    UVA_END
    return 0;
}

UVA_TEST(taskgroup_context_manager_exit_raises)
{
    /* test_taskgroups.py,
     * TestTaskGroup.test_taskgroup_context_manager_exit_raises */
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(exit_raises)), 0);
}

KIND_TEST(taskgroup_already_entered, uva_taskgroup_t tg;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_already_entered */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), UV_EPERM);
    AWAIT_IS(0, uva_taskgroup_exit, &self->tg, 0);
    UVA_END
    return 0;
}

KIND_TEST(taskgroup_double_enter, uva_taskgroup_t tg; int i;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_double_enter: a scope
     * that was left is memory of the caller again, and may be entered anew;
     * only leaving it twice is noticed. */
    UVA_BEGIN
    for (self->i = 0; self->i < 2; self->i++) {
        ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
        (void)KIND_SPAWN_IN(&self->tg, foo, UVA_MS(1));
        AWAIT_IS(0, uva_taskgroup_exit, &self->tg, 0);
        AWAIT_IS(KEY_ERROR, uva_taskgroup_exit, &self->tg, KEY_ERROR);
    }
    UVA_END
    return 0;
}

static void count_up(void *data)
{
    ++*(int *)data;
}

/* A refused child costs nothing and its argument is dropped, once. */
static int spawn_refused(uva_taskgroup_t *tg)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    int dropped = 0;
    uva_task_t *task;

    options.arg_destroy = count_up;
    task = uva_taskgroup_create_task(tg, yield_once, &dropped, &options);
    ck_assert_int_eq(dropped, 1);
    return uva_future_exception(UVA_FUTURE(task));
}

KIND_TEST(taskgroup_finished, uva_taskgroup_t tg; int r;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_finished */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
    AWAIT(self->r, uva_taskgroup_exit, &self->tg, 0);
    ck_assert_int_eq(spawn_refused(&self->tg), UV_EPERM);
    UVA_END
    return 0;
}

KIND_TEST(taskgroup_not_entered, uva_taskgroup_t tg;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_not_entered */
    ck_assert_int_eq(spawn_refused(&self->tg), UV_EPERM);
    ck_assert_int_eq(
        uva_future_exception(UVA_FUTURE(KIND_SPAWN_IN(&self->tg, foo, 0))),
        UV_EPERM);
    return 0;
}

static void group_in_callback(void *data)
{
    uva_taskgroup_t tg;

    ck_assert_int_eq(uva_taskgroup_enter(&tg), UVA_ENOTASK);
    ck_assert_int_eq(spawn_refused(&tg), UVA_ENOTASK);
    uva_taskgroup_cancel(&tg);
    ck_assert_int_eq(uva_taskgroup_exit(&tg, 0), UVA_ENOTASK);
    ck_assert_int_eq(uva_taskgroup_exit(&tg, KEY_ERROR), KEY_ERROR);
    *(bool *)data = true;
}

START_TEST(taskgroup_without_parent_task)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_without_parent_task */
    bool called = false;

    ck_assert_int_eq(uva_loop_call_soon(uva_test_loop, group_in_callback,
                                        &called, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert(called);
}
END_TEST

typedef struct owned_s {
    int *dropped;
} owned_t;

UVA_TASK_DROP(void, owner, owner_drop, owned_t owned;)
{
    (void)args;
    (void)ret;
    return 0;
}

static void owner_drop(owner_args_t *args)
{
    ++*args->owned.dropped;
}

UVA_TEST(coro_closed_when_tg_closed)
{
    /* test_taskgroups.py, TestTaskGroup.test_coro_closed_when_tg_closed */
    int dropped = 0;
    uva_taskgroup_t tg;
    owner_task_t *task;

    ck_assert_int_eq(uva_taskgroup_enter(&tg), 0);
    ck_assert_int_eq(uva_taskgroup_exit(&tg, 0), 0);
    task = uva_taskgroup_spawn(&tg, owner, {&dropped});
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_EPERM);
    ck_assert_int_eq(dropped, 1);
}

/* --- counts of cancellation --- */

KIND_TEST(cancelling_level_preserved, uva_taskgroup_t tg;)
{
    /* test_taskgroups.py, TestTaskGroup.test_cancelling_level_preserved */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
    (void)KIND_SPAWN_IN(&self->tg, crash_after, 0, RUNTIME_ERROR);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->tg, 0);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    UVA_END
    return 0;
}

KIND_TEST(nested_groups_both_cancelled, uva_taskgroup_t outer;
          uva_taskgroup_t inner;)
{
    /* test_taskgroups.py, TestTaskGroup.test_nested_groups_both_cancelled */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->outer), 0);
    ck_assert_int_eq(uva_taskgroup_enter(&self->inner), 0);
    (void)KIND_SPAWN_IN(&self->inner, crash_after, 0, RUNTIME_ERROR);
    (void)KIND_SPAWN_IN(&self->outer, crash_after, 0, VALUE_ERROR);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->inner, 0);
    ck_assert(error_types(uva_task_error(), RUNTIME_ERROR, 0));
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 1);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->outer, 0);
    ck_assert(error_types(uva_task_error(), VALUE_ERROR, 0));
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    UVA_END
    return 0;
}

KIND_TASK(void, raise_error, uva_future_t *event; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_future_set_result(self->event, NULL, NULL), 0);
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    return RUNTIME_ERROR;
}

KIND_TASK(void, inner, uva_future_t *event; uva_taskgroup_t tg; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
    (void)KIND_SPAWN_IN(&self->tg, raise_error, self->event);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(self->r, UV_ECANCELED);
    AWAIT(self->r, uva_taskgroup_exit, &self->tg, self->r);
    ck_assert_int_eq(self->r, UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), RUNTIME_ERROR, 0));
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 1);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(self->r, UV_ECANCELED);
    UVA_END
    return self->r;
}

UVA_TEST(error_and_cancel)
{
    /* test_taskgroups.py, TestTaskGroup.test_error_and_cancel */
    uva_future_t *event = NULL;
    inner_task_t *task = NULL;

    event = uva_create_future();
    task = KIND_SPAWN(inner, .event = event);
    ck_assert_int_eq(uva_join(event, NULL), 0);
    ck_assert_uint_eq(uva_task_cancelling(UVA_ERASE(task)), 0);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_uint_eq(uva_task_cancelling(UVA_ERASE(task)), 1);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
    ck_assert(UVA_CANCELLED(task));
    uva_task_unref(UVA_ERASE(task));
}

/* --- cancelling a group --- */

KIND_TEST(group_cancel_from_inside, uva_taskgroup_t g; int num; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, count, UVA_SEC(5), &self->num, 1, 100);
    AWAIT(self->r, uva_sleep, 0);
    uva_taskgroup_cancel(&self->g);
    uva_taskgroup_cancel(&self->g);
    ck_assert_int_eq(
        uva_future_exception(UVA_FUTURE(KIND_SPAWN_IN(&self->g, foo, 0))),
        UV_EPERM);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(self->r, UV_ECANCELED);
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(self->num, 1);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    AWAIT_IS(0, uva_sleep, 0);
    UVA_END
    return 0;
}

KIND_TASK(void, canceller, uva_taskgroup_t *g; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    uva_taskgroup_cancel(self->g);
    if (self->r >= 0) {
        AWAIT(self->r, uva_sleep, UVA_SEC(1));
        ck_assert_int_eq(self->r, UV_ECANCELED);
    }
    UVA_END
    return self->r;
}

KIND_TEST(group_cancel_from_a_child, uva_taskgroup_t g; int num;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, canceller, &self->g);
    (void)KIND_SPAWN_IN(&self->g, count, UVA_SEC(5), &self->num, 1, 100);
    AWAIT_IS(0, uva_taskgroup_exit, &self->g, 0);
    ck_assert_int_eq(self->num, 1);
    UVA_END
    return 0;
}

KIND_TEST(group_cancel_from_outside, uva_taskgroup_t g; canceller_task_t * task;
          int num;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    self->task = KIND_SPAWN(canceller, &self->g);
    (void)KIND_SPAWN_IN(&self->g, count, UVA_SEC(5), &self->num, 1, 100);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(self->num, 1);
    uva_task_cancel(UVA_ERASE(self->task));
    AWAIT_IS(UV_ECANCELED, uva_join, UVA_FUTURE(self->task), NULL);
    /* A group that was left is not reached any more. */
    uva_taskgroup_cancel(&self->g);
    AWAIT_IS(0, uva_sleep, 0);
    UVA_END
    return 0;
}

KIND_TEST(group_cancel_does_not_hide_failures, uva_taskgroup_t g; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, crash_after, UVA_SEC(1), ZERO_DIVISION_ERROR,
                        true);
    AWAIT(self->r, uva_sleep, 0);
    uva_taskgroup_cancel(&self->g);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->g, VALUE_ERROR);
    ck_assert(error_types(uva_task_error(), ZERO_DIVISION_ERROR, VALUE_ERROR));
    UVA_END
    return 0;
}

/* The parent is cancelled from outside too: that one is not swallowed. */
KIND_TASK(void, cancels_its_group, uva_taskgroup_t g; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, canceller, &self->g);
    AWAIT(self->r, uva_taskgroup_exit, &self->g, 0);
    UVA_END
    return self->r;
}

UVA_TEST(group_cancel_and_cancellation)
{
    cancels_its_group_task_t *task = KIND_SPAWN(cancels_its_group);

    ck_assert_int_eq(uva_sleep(UVA_MS(5)), 0);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), UV_ECANCELED);
}

/* --- eager children --- */

static int fail_at_once(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return KEY_ERROR;
}

UVA_TEST(eager_child_that_fails_at_once)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t g;
    uva_task_t *task;

    options.eager_start = true;
    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    task = uva_taskgroup_create_task(&g, fail_at_once, NULL, &options);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), UV_ECANCELED);
    ck_assert_int_eq(uva_taskgroup_exit(&g, UV_ECANCELED), UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), KEY_ERROR, 0));
}

/* --- groups that are lost --- */

static UVA__NOINLINE void lose_a_group(int *num)
{
    uva_taskgroup_t g;

    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    (void)uva_taskgroup_spawn(&g, count, UVA_SEC(1), num, 1, 100);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0); /* It is not lost yet. */
}

UVA_TEST(group_left_without_exit_is_reported)
{
    int num = 0;

    uva_test_log_begin();
    lose_a_group(&num);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_clobber();
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_ptr_nonnull(strstr(
        uva_test_log(), "A task group was left without uva_taskgroup_exit"));
    ck_assert_int_eq(num, 1); /* Its child was cancelled. */
    uva_test_log_end();
}

static int ends_inside(void *arg, void **ret_result)
{
    uva_taskgroup_t g;

    (void)ret_result;
    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    (void)uva_taskgroup_spawn(&g, count, UVA_SEC(1), arg, 1, 100);
    return uva_sleep(UVA_MS(1));
}

UVA_TEST(group_whose_parent_ended_is_reported)
{
    int num = 0;
    uva_task_t *task = uva_create_task(ends_inside, &num);

    uva_test_log_begin();
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_ptr_nonnull(strstr(
        uva_test_log(), "A task group was left without uva_taskgroup_exit"));
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(num, 1);
    uva_test_log_end();
}

/* --- without memory, beyond a limit --- */

static int spawn_two_and_exit(int *dropped)
{
    uva_taskgroup_t g;
    int r = uva_taskgroup_enter(&g);

    (void)uva_taskgroup_spawn(&g, owner, {dropped});
    (void)uva_taskgroup_spawn(&g, owner, {dropped});
    uva_testing_fail_allocation(0, false);
    r = uva_taskgroup_exit(&g, r);
    ck_assert_int_eq(*dropped, 2);
    *dropped = 0;
    /* Without memory for a record there are no members to tell. */
    for (size_t i = 0; i < uva_error_member_count(uva_task_error()); i++) {
        ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), i)),
                         UV_ENOMEM);
    }
    return r;
}

static uint64_t group_without(bool all)
{
    int dropped = 0;
    int r = UV_ENOMEM;
    uint64_t n;

    for (n = 1; r == UV_ENOMEM || r == UVA_EGROUP; n++) {
        uva_testing_fail_allocation(n, all);
        r = spawn_two_and_exit(&dropped);
        ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    }
    ck_assert_int_eq(r, 0);
    return n;
}

UVA_TEST_STRICT(group_without_memory)
{
    /* A spawn that finds no memory looks once more, another way. */
    ck_assert_uint_gt(group_without(false), 3);
    ck_assert_uint_gt(group_without(true), 5);
}

static int too_many_children(void *arg, void **ret_result)
{
    uva_taskgroup_t g;
    int num = 0;

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    (void)uva_taskgroup_spawn(&g, count, UVA_SEC(1), &num, 1, 100);
    (void)uva_taskgroup_spawn(&g, count, UVA_SEC(1), &num, 1, 100);
    ck_assert_int_eq(uva_taskgroup_exit(&g, 0), UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), UV_EAGAIN, 0));
    return num;
}

START_TEST(refused_child_fails_its_group)
{
    uva_test_mark_t mark = uva_test_mark();
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *loop;
    uva_task_t *task;

    options.max_tasks = 2;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    task = uva_loop_create_task(loop, too_many_children, NULL, NULL);
    /* The first one was cancelled before its first step. */
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    uva_loop_unref(loop);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- the suite --- */

static void add_spawning(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, taskgroup_23, taskgroup_24, taskgroup_25);
    UVA_ADD_TESTS(tcase, taskgroup_task_name, taskgroup_task_context);
    KIND_ADD_TESTS(tcase, taskgroup_no_create_task_after_failure,
                   taskgroup_context_manager_exit_raises);
    UVA_ADD_TESTS(tcase, coro_closed_when_tg_closed,
                  eager_child_that_fails_at_once);
}

static void spawn_as_stranger(void *data)
{
    int dropped = 0;
    owner_task_t *task = uva_taskgroup_spawn(data, owner, {&dropped});

    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_EPERM);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(uva_taskgroup_create_task(
                         data, ends_inside, NULL, NULL))),
                     UV_EPERM);
}

UVA_TEST(child_from_another_thread_is_refused)
{
    uva_taskgroup_t g;
    uv_thread_t thread;

    ck_assert_int_eq(uva_taskgroup_enter(&g), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uv_thread_create(&thread, spawn_as_stranger, &g), 0);
    ck_assert_int_eq(uv_thread_join(&thread), 0);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "non-thread-safe operation"));
    uva_test_log_end();
    ck_assert_int_eq(uva_taskgroup_exit(&g, 0), 0);
}

static void add_misuse(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, taskgroup_already_entered, taskgroup_double_enter,
                   taskgroup_finished, taskgroup_not_entered);
    UVA_ADD_TESTS(tcase, group_left_without_exit_is_reported,
                  group_whose_parent_ended_is_reported, group_without_memory,
                  refused_child_fails_its_group,
                  child_from_another_thread_is_refused);
}

static void add_cancellation(TCase *tcase)
{
    KIND_ADD_TESTS(
        tcase, cancelling_level_preserved, nested_groups_both_cancelled,
        error_and_cancel, group_cancel_from_inside, group_cancel_from_a_child,
        group_cancel_from_outside, group_cancel_does_not_hide_failures,
        group_cancel_and_cancellation);
}

int main(void)
{
    Suite *suite = suite_create("taskgroups_misuse");
    TCase *outside = UVA_TCASE(suite, "Outside");

    add_spawning(UVA_TCASE(suite, "Spawning"));
    add_misuse(UVA_TCASE(suite, "Misuse"));
    add_cancellation(UVA_TCASE(suite, "Cancellation"));
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, taskgroup_without_parent_task);
    return uva_test_main(suite);
}
