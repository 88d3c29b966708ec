/*
 * Options and limits of a loop, the version and features of the library, and
 * everything without memory.
 */
#include "kinds.h"
#include "loops.h"

/* --- version and features --- */

START_TEST(version)
{
    char text[32];

    ck_assert_uint_eq(uva_version(), UVA_VERSION_HEX);
    ck_assert_str_eq(uva_version_string(), UVA_VERSION_STRING);
    snprintf(text, sizeof text, "%u.%u.%u", uva_version() >> 16,
             uva_version() >> 8 & 0xff, uva_version() & 0xff);
    ck_assert_str_eq(uva_version_string(), text);
}
END_TEST

static bool is_one_of(const char *word, const char *words)
{
    const char *found = word == NULL ? NULL : strstr(words, word);

    return found != NULL && found[strlen(word)] == ' ';
}

START_TEST(features_are_named)
{
    const uva_features_t *features = uva_features();

    ck_assert_ptr_eq(features, uva_features()); /* Static. */
    ck_assert(is_one_of(features->guard, "marker mprotect canary "));
    ck_assert(is_one_of(features->coro_switch, "x86_64 aarch64 ucontext "));
    ck_assert_str_eq(features->libuv, uv_version_string());
    ck_assert(is_one_of(features->tools, "none asan tsan valgrind "));
}
END_TEST

static void look_at_features(void *data)
{
    *(const uva_features_t **)data = uva_features();
}

START_TEST(features_from_any_thread)
{
    const uva_features_t *features[4] = {NULL};
    uv_thread_t threads[4];

    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(
            uv_thread_create(&threads[i], look_at_features, &features[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        uv_thread_join(&threads[i]);
        ck_assert_ptr_eq(features[i], uva_features());
    }
}
END_TEST

/* --- options --- */

START_TEST(options_out_of_range)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *loop = NULL;

    options.size = sizeof options - 1;
    ck_assert_int_eq(uva_loop_new(&options, &loop), UV_EINVAL);
    options = (uva_loop_options_t)UVA_LOOP_OPTIONS_INIT;
    options.guard = (uva_guard_t)(UVA_GUARD_CANARY + 1);
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), UV_EINVAL);
    options = (uva_loop_options_t)UVA_LOOP_OPTIONS_INIT;
    options.stack_bytes = SIZE_MAX;
    ck_assert_int_lt(uva_loop_new_virtual(&options, &loop), 0);
    ck_assert_ptr_null(loop);
}
END_TEST

static int count_ran(void *arg, void **ret_result)
{
    (void)ret_result;
    ++*(int *)arg;
    return uva_sleep(UVA_MS(1));
}

static int code_of(uva_task_t *take_task)
{
    int code = uva_future_exception(UVA_FUTURE(take_task));

    uva_task_unref(take_task);
    return code;
}

/* A limit refuses, and gives way as tasks end. */
START_TEST(limit_on_tasks)
{
    uva_task_options_t dropping = UVA_TASK_OPTIONS_INIT;
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_task_t *tasks[3];
    uva_loop_t *loop;
    int ran = 0;
    int dropped = 0;

    dropping.arg_destroy = count_up;
    options.max_tasks = 3;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < 3; i++) {
            tasks[i] = uva_loop_create_task(loop, count_ran, &ran, NULL);
        }
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(code_of(uva_loop_create_task(loop, nothing,
                                                          &dropped, &dropping)),
                             UV_EAGAIN);
        }
        ck_assert_int_eq(dropped, 2 * round);
        ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
        ck_assert_int_eq(ran, 3 * round);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(code_of(tasks[i]), 0);
        }
    }
    end_loop(loop);
}
END_TEST

UVA_STACKLESS(void, stackless_child, int *ran;)
{
    ++*self->ran;
    return 0;
}

static int spawn_beyond(void *arg, void **ret_result)
{
    stackless_child_task_t *first = uva_spawn(stackless_child, .ran = arg);
    stackless_child_task_t *second = uva_spawn(stackless_child, .ran = arg);
    uva_task_t *third = uva_create_task(count_ran, arg);
    int r;

    (void)ret_result;
    /* Nobody needs to look before the await. */
    r = stackless_child_await(second, NULL);
    ck_assert_int_eq(r, UV_EAGAIN);
    ck_assert_int_eq(uva_join(UVA_FUTURE(third), NULL), UV_EAGAIN);
    return stackless_child_await(first, NULL);
}

START_TEST(limit_on_tasks_inside)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *loop;
    int ran = 0;

    options.max_tasks = 2;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    ck_assert_int_eq(run_task(loop, spawn_beyond, &ran), 0);
    ck_assert_int_eq(ran, 1);
    end_loop(loop);
}
END_TEST

/* A stack that cannot be had fails its task, the body does not run, and the
 * others go on. */
START_TEST(limit_on_stacks)
{
    enum {
        COUNT = 200
    };
    uva_task_options_t dropping = UVA_TASK_OPTIONS_INIT;
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_task_t *tasks[COUNT];
    uva_loop_t *loop;
    int args[COUNT] = {0};
    int ran = 0;
    int refused = 0;

    /* Counts the body with 1, the destructor with 1. */
    dropping.arg_destroy = count_up;
    options.stack_bytes = 64 * 1024;
    options.max_stack_bytes = 4 * 1024 * 1024;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    for (int i = 0; i < COUNT; i++) {
        tasks[i] = uva_loop_create_task(loop, count_ran, &args[i], &dropping);
    }
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    for (int i = 0; i < COUNT; i++) {
        int code = code_of(tasks[i]);
        ck_assert(code == 0 || code == UV_EAGAIN);
        ck_assert_int_eq(args[i], code == 0 ? 2 : 1);
        ran += code == 0;
        refused += code == UV_EAGAIN;
    }
    ck_assert_int_gt(ran, 0);
    ck_assert_int_gt(refused, 0);
    /* There are stacks again. */
    ck_assert_int_eq(run_task(loop, count_ran, &args[0]), 0);
    end_loop(loop);
}
END_TEST

/* --- all of it, without memory --- */

static uva_context_var_t var = {"var", NULL};

/* What tasks point to: they may outlive the frame that made them. */
static uint64_t short_ns = UVA_MS(2);
static uint64_t long_ns = UVA_SEC(1);
static int code = UV_EIO;
static int counted;

static int late_failure(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_MS(1));

    (void)ret_result;
    return r < 0 ? r : uva_fail(*(int *)arg, "failed with %d", *(int *)arg);
}

static int gather_some(void)
{
    uva_task_t *tasks[] = {
        uva_create_task(sleep_for, &short_ns),
        uva_create_task(late_failure, &code),
        uva_create_task(nothing, NULL),
    };

    return uva_gather(UVA_FUTURES(tasks), 3, 0, NULL);
}

static int wait_for_some(void)
{
    uva_task_t *tasks[] = {
        uva_create_task(sleep_for, &short_ns),
        uva_create_task(nothing, NULL),
    };
    int r = uva_wait(UVA_FUTURES(tasks), 2, UVA_MS(1), UVA_FIRST_COMPLETED,
                     NULL, NULL);

    for (int i = 0; i < 2; i++) {
        int cancelled = uva_cancel_and_wait(UVA_FUTURE(tasks[i]));
        r = r < 0 ? r : cancelled;
        if (!uva_future_done(
                UVA_FUTURE(tasks[i]))) { /* There was no memory to wait. */
            uva_task_cancel(tasks[i]);
        }
        uva_task_unref(tasks[i]);
    }
    return r < 0 ? r : 0;
}

static int complete_some(void)
{
    uva_task_t *tasks[] = {uva_create_task(sleep_for, &short_ns),
                           uva_create_task(nothing, NULL)};
    uva_as_completed_t iterator;
    uva_future_t *future;
    int r =
        uva_as_completed_start(&iterator, UVA_FUTURES(tasks), 2, UVA_SEC(1));

    if (r >= 0) {
        while ((r = uva_as_completed_next(&iterator, &future)) == 1) {
            UVA_IGNORE(uva_future_exception(future));
        }
        uva_as_completed_destroy(&iterator);
    }
    uva_task_unref(tasks[0]);
    uva_task_unref(tasks[1]);
    return r;
}

static int group_some(void)
{
    uva_taskgroup_t group;
    int r = uva_taskgroup_enter(&group);

    (void)uva_taskgroup_create_task(&group, sleep_for, &short_ns, NULL);
    (void)uva_taskgroup_create_task(&group, late_failure, &code, NULL);
    return uva_taskgroup_exit(&group, r);
}

static int time_out(void)
{
    uva_future_t *shield;
    uva_task_t *task = uva_create_task(sleep_for, &long_ns);
    int r;

    shield = uva_shield_future(UVA_FUTURE(task));
    r = uva_wait_for(shield, UVA_MS(1), NULL);
    uva_task_cancel(task);
    uva_task_unref(task);
    return r;
}

static int name_and_call(void)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_buffer_t text = {0};
    int r;

    options.name = "named";
    r = uva_context_var_set(&var, &var, NULL);
    r = r < 0 ? r : uva_loop_call_soon(NULL, count_up, &counted, NULL, NULL);
    r = r < 0 ? r
              : uva_loop_call_later(NULL, UVA_US(10), count_up, &counted, NULL,
                                    NULL);
    r = r < 0 ? r : uva_format_call_graph(NULL, &text);
    uva_buffer_clear(&text);
    if (r >= 0) {
        r = uva_join(UVA_FUTURE(uva_create_task_with(nothing, NULL, &options)),
                     NULL);
    }
    return r;
}

static bool is_expected(int r, int expected)
{
    return r == expected || r == UV_ENOMEM || r == UVA_EGROUP;
}

static int everything(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_assert(is_expected(gather_some(), UV_EIO));
    ck_assert(is_expected(wait_for_some(), 0));
    ck_assert(is_expected(complete_some(), 0));
    ck_assert(is_expected(group_some(), UVA_EGROUP));
    ck_assert(is_expected(time_out(), UV_ETIMEDOUT));
    ck_assert(is_expected(name_and_call(), 0));
    /* No cancellation of the library's own is left. */
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    return 0;
}

static int make_virtual(uva_loop_t **ret_loop)
{
    return uva_loop_new_virtual(NULL, ret_loop);
}

/* The n-th allocation fails, or all from the n-th on: nothing is left, nothing
 * hangs, and nobody hears of anything but memory. */
START_TEST(every_allocation_fails_once)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uint64_t begin;
    uint64_t count;

    options.loop_factory = make_virtual;
    uva_set_log(NULL, NULL);
    uva_testing_strict_allocation(true);
    begin = uva_testing_allocations();
    ck_assert_int_eq(uva_run(everything, NULL, &options, NULL), 0);
    count = uva_testing_allocations() - begin;
    ck_assert_uint_gt(count, 50);
    for (uint64_t n = 1; n <= count; n++) {
        int r;
        uva_testing_fail_allocation(n, false);
        r = uva_run(everything, NULL, &options, NULL);
        uva_testing_fail_allocation(0, false);
        ck_assert(r == 0 || r == UV_ENOMEM);
        ck_assert_uint_eq(uva_allocated_bytes(), loops_mark.bytes);
    }
    uva_testing_strict_allocation(false);
}
END_TEST

static int gather_at_last(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_assert(is_expected(gather_some(), UV_EIO));
    return 0;
}

static int group_at_last(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_assert(is_expected(group_some(), UVA_EGROUP));
    return 0;
}

START_TEST(memory_ends_for_good)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;

    options.loop_factory = make_virtual;
    uva_set_log(NULL, NULL);
    uva_testing_strict_allocation(true);
    for (uint64_t n = 1; n <= 60; n++) {
        int r;
        uva_testing_fail_allocation(n, true);
        r = uva_run(_i == 0 ? gather_at_last : group_at_last, NULL, &options,
                    NULL);
        uva_testing_fail_allocation(0, false);
        ck_assert(r == 0 || r == UV_ENOMEM);
        ck_assert_uint_eq(uva_allocated_bytes(), loops_mark.bytes);
    }
    uva_testing_strict_allocation(false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *about = UVA_LOOPS_TCASE(suite, "About");
    TCase *limits = UVA_LOOPS_TCASE(suite, "Limits");
    TCase *memory = UVA_LOOPS_TCASE(suite, "Memory");

    UVA_ADD_TESTS(about, version, features_are_named, features_from_any_thread);
    UVA_ADD_TESTS(limits, options_out_of_range, limit_on_tasks,
                  limit_on_tasks_inside, limit_on_stacks);
    UVA_ADD_TESTS(memory, every_allocation_fails_once);
    tcase_add_loop_test(memory, memory_ends_for_good, 0, 2);
    return uva_test_main(suite);
}
