/*
 * Children whose results go to where the parent wants them, and children that
 * are made with the group in their options.
 */
#include "kinds.h"

#include "base/util.h"

UVA_TASK(int, doubles, int number; int code;)
{
    int r = uva_sleep(UVA_MS(1));

    *ret = 2 * args->number;
    return r < 0 ? r : args->code;
}

UVA_STACKLESS(int64_t, doubles_light, int number; uva_sleep_op_t op; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_sleep, &self->op, UVA_MS(1));
    *ret = 2 * self->number;
    UVA_END
    return self->r;
}

UVA_TASK(int, at_once, int number;)
{
    *ret = args->number;
    return 0;
}

UVA_TASK(void, gives_nothing)
{
    return 0;
}

UVA_TEST(values_are_there_after_the_exit)
{
    uva_taskgroup_t group;
    int64_t light = -1;
    int heavy = -1;

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_spawn_into(&group, &heavy, doubles, .number = 21);
    (void)uva_taskgroup_spawn_into(&group, &light, doubles_light, .number = 4);
    (void)uva_taskgroup_spawn_into(&group, NULL, doubles, .number = 1);
    (void)uva_taskgroup_spawn_into(&group, NULL, gives_nothing);
    ck_assert_int_eq(heavy, -1);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(heavy, 42);
    ck_assert_int_eq(light, 8);
}

UVA_TEST(failures_write_nothing)
{
    uva_taskgroup_t group;
    int failed = -1;
    int cancelled = -1;
    int refused = -1;

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_spawn_into(&group, &failed, doubles, 1, UV_EIO);
    (void)uva_taskgroup_spawn_into(&group, &cancelled, doubles, 1);
    uva_taskgroup_cancel(&group);
    (void)uva_taskgroup_spawn_into(&group, &refused, doubles, 1);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(failed, -1);
    ck_assert_int_eq(cancelled, -1);
    ck_assert_int_eq(refused, -1);

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_spawn_into(&group, &failed, doubles, 1, UV_EIO);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_int_eq(failed, -1);
}

/* Who has taken the result before does not take it from the parent. */
UVA_TEST(value_that_was_awaited_too)
{
    uva_taskgroup_t group;
    doubles_task_t *child;
    int value = -1;
    int other = -1;

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    child = uva_taskgroup_spawn_into(&group, &value, doubles, .number = 3);
    uva_task_ref(UVA_ERASE(child));
    ck_assert_int_eq(doubles_await(child, &other), 0);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(other, 6);
    ck_assert_int_eq(value, 6);
}

UVA_TEST(value_of_an_eager_child)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_taskgroup_t group;
    int value = -1;

    uva_loop_set_task_factory(loop, uva_eager_task_factory, NULL);
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_spawn_into(&group, &value, at_once, .number = 5);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(value, 5);
    uva_loop_set_task_factory(loop, NULL, NULL);
}

static UVA__NOINLINE void leave_a_group(int *value)
{
    uva_taskgroup_t group;

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_spawn_into(&group, value, at_once, .number = 5);
}

/* The frame may be gone, and so may be what a child would write to. */
UVA_TEST(group_that_was_left_writes_nothing)
{
    int value = -1;

    uva_test_log_begin();
    leave_a_group(&value);
    uva_test_clobber();
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(value, -1);
    uva_test_log_end();
}

/* A factory is given no group again: it makes the task, the group has it. */
static uva_task_t *makes(uva_loop_t *loop,
                         uva_coro_cb body,
                         void *arg,
                         const uva_task_options_t *options,
                         void *data)
{
    ++*(int *)data;
    ck_assert_ptr_null(options->group);
    return uva_loop_create_task(loop, body, arg, options);
}

static int counts(void *arg, UVA_UNUSED void **ret_result)
{
    ++*(int *)arg;
    return uva_sleep(UVA_MS(1)) < 0 ? UV_ECANCELED : 0;
}

UVA_TEST(group_in_the_options)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t group;
    uva_task_t *child;
    int calls = 0;
    int runs = 0;

    uva_loop_set_task_factory(loop, makes, &calls);
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    options.group = &group;
    options.name = "child";
    child = uva_create_task_with(counts, &runs, &options);
    ck_assert_str_eq(uva_task_get_name(child), "child");
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(calls, 1);
    uva_loop_set_task_factory(loop, NULL, NULL);

    /* It was left. */
    child = uva_create_task_with(counts, &runs, &options);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(child)), UV_EPERM);
    child = UVA_ERASE(uva_spawn_with(&options, at_once));
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(child)), UV_EPERM);
    ck_assert_int_eq(runs, 1);
}

UVA_TEST(go_runs_by_itself)
{
    uva_test_log_begin();
    uva_go(at_once, .number = 1);
    uva_go(doubles, .number = 1, .code = UV_EIO);
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "function doubles"));
    ck_assert_ptr_null(strstr(uva_test_log(), "at_once"));
    uva_test_log_end();
}

int main(void)
{
    Suite *suite = suite_create("taskgroups_values");
    TCase *values = UVA_TCASE(suite, "Values");
    TCase *options = UVA_TCASE(suite, "Options");

    UVA_ADD_TESTS(values, values_are_there_after_the_exit,
                  failures_write_nothing, value_that_was_awaited_too,
                  value_of_an_eager_child, group_that_was_left_writes_nothing);
    UVA_ADD_TESTS(options, group_in_the_options, go_runs_by_itself);
    return uva_test_main(suite);
}
