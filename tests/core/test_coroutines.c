/*
 * Coroutines that are driven by hand: what Python's generators do. Their end
 * is in test_generators.c.
 */
#include "driven.h"
#include "kinds.h"

#include <stdio.h>
#include <string.h>

/* --- values and errors both ways --- */

/* 1, 2, 3, and then the sum of what was sent. */
static int counts(void *arg, void **ret_result)
{
    int sum = number_of(arg);

    for (intptr_t i = 1; i <= 3; i++) {
        void *sent = NULL;
        int r = uva_coroutine_yield(value_of(i), &sent);
        if (r < 0) {
            return r;
        }
        sum += number_of(sent);
    }
    *ret_result = value_of(sum);
    return 0;
}

static void drive_counts(void)
{
    uva_coroutine_t *coroutine = make(counts, value_of(1000));

    check_send(coroutine, 7, 1, 1); /* The first one's value goes nowhere. */
    check_send(coroutine, 10, 1, 2);
    check_send(coroutine, 20, 1, 3);
    ck_assert(!uva_coroutine_done(coroutine));
    check_send(coroutine, 30, 0, 1060);
    ck_assert(uva_coroutine_done(coroutine));
    check_send(coroutine, 40, UV_EALREADY, 0);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_EIO, NULL), UV_EALREADY);
    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert_ptr_null(uva_coroutine_unref(coroutine));
}

UVA_TEST(values_in_task)
{
    drive_counts();
}

static void drive_in_callback(void *data)
{
    ck_assert_ptr_null(uva_current_task());
    drive_counts();
    *(int *)data += 1;
}

START_TEST(values_in_callback)
{
    int calls = 0;

    ck_assert_int_eq(uva_loop_call_soon(uva_test_loop, drive_in_callback,
                                        &calls, NULL, NULL),
                     0);
    hand_run_ready();
    ck_assert_int_eq(calls, 1);
}
END_TEST

UVA_STACKLESS(int, drives_light)
{
    (void)self;
    drive_counts();
    *ret = 1;
    return 0;
}

UVA_TEST(values_in_stackless_task)
{
    ck_assert_int_eq(drives_light_await(uva_spawn(drives_light), NULL), 0);
}

UVA_TEST(values_may_be_ignored)
{
    uva_coroutine_t *coroutine = make(counts, NULL);

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, NULL), 1);
    }
    ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, NULL), 0);
    uva_coroutine_unref(coroutine);
}

/* Tells each error that was thrown in, and goes on until UV_EIO. */
static int catches(void *arg, void **ret_result)
{
    void *value = arg;

    for (;;) {
        int r = uva_coroutine_yield(value, NULL);
        if (r == UV_EIO) {
            *ret_result = value_of(99);
            return 0;
        }
        if (r == UV_EPIPE) {
            return UV_ENOENT;
        }
        value = value_of(r);
    }
}

UVA_TEST(errors_thrown_in)
{
    uva_coroutine_t *coroutine = make(catches, value_of(5));
    void *value = NULL;

    check_send(coroutine, 0, 1, 5);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_ENOMEM, &value), 1);
    ck_assert_int_eq(number_of(value), UV_ENOMEM);
    check_send(coroutine, 0, 1, 0);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, 0, &value), UV_EINVAL);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_EIO, &value), 0);
    ck_assert_int_eq(number_of(value), 99);
    uva_coroutine_unref(coroutine);

    /* One that ends with a failure. */
    coroutine = make(catches, NULL);
    check_send(coroutine, 0, 1, 0);
    value = value_of(1);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_EPIPE, &value),
                     UV_ENOENT);
    ck_assert_int_eq(number_of(value), 1);
    ck_assert(uva_coroutine_done(coroutine));
    check_send(coroutine, 0, UV_EALREADY, 0);
    uva_coroutine_unref(coroutine);
}

static int never_runs(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_abort_msg("ran");
    return 0;
}

UVA_TEST(thrown_into_before_start)
{
    uva_coroutine_t *coroutine = make(never_runs, NULL);

    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_EIO, NULL), UV_EIO);
    ck_assert(uva_coroutine_done(coroutine));
    uva_coroutine_unref(coroutine);
    coroutine = make(never_runs, NULL);
    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert(uva_coroutine_done(coroutine));
    uva_coroutine_unref(coroutine);
    uva_coroutine_unref(make(never_runs, NULL));
    uva_coroutine_unref(NULL);
    ck_assert_ptr_null(uva_coroutine_ref(NULL));
}

/* What one was told when it was closed. */
typedef struct closed_s {
    int cleanups;
    int code;
} closed_t;

static int cleans_up(void *arg, void **ret_result)
{
    closed_t *closed = arg;

    (void)ret_result;
    closed->code = uva_coroutine_yield(NULL, NULL);
    closed->cleanups++;
    return closed->code;
}

static int keeps_suspended(void *arg, void **ret_result)
{
    uva_coroutine_t *coroutine = make(cleans_up, arg);

    check_send(coroutine, 0, 1, 0);
    *ret_result = coroutine;
    return 0;
}

/* --- delegating --- */

UVA_TEST(delegation)
{
    uva_coroutine_t *coroutine = make(counts, NULL);

    for (int i = 0; i < 3; i++) {
        coroutine = make(delegates, coroutine);
    }
    check_send(coroutine, 0, 1, 1);
    check_send(coroutine, 10, 1, 2);
    check_send(coroutine, 20, 1, 3);
    check_send(coroutine, 30, 0, 60);
    uva_coroutine_unref(coroutine);
}

UVA_TEST(delegation_of_errors)
{
    uva_coroutine_t *coroutine =
        make(delegates, make(delegates, make(catches, NULL)));
    void *value = NULL;

    check_send(coroutine, 0, 1, 0);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_ENOTDIR, &value), 1);
    ck_assert_int_eq(number_of(value), UV_ENOTDIR);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_EPIPE, NULL), UV_ENOENT);
    uva_coroutine_unref(coroutine);
}

UVA_TEST(delegation_closed)
{
    closed_t closed = {0, 0};
    uva_coroutine_t *coroutine =
        make(delegates, make(delegates, make(cleans_up, &closed)));

    check_send(coroutine, 0, 1, 0);
    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert_int_eq(closed.cleanups, 1);
    uva_coroutine_unref(coroutine);
}

/* The leaves of a tree in order, each level a coroutine of its own. */
static int walks_tree(void *arg, void **ret_result)
{
    int depth = number_of(arg) / 100;
    int leaf = number_of(arg) % 100;

    (void)ret_result;
    if (depth == 0) {
        return uva_coroutine_yield(value_of(leaf), NULL);
    }
    for (int i = 0; i < 2; i++) {
        uva_coroutine_t *below =
            make(walks_tree, value_of((depth - 1) * 100 + leaf * 2 + i));
        int r = uva_coroutine_delegate(below, NULL);
        uva_coroutine_unref(below);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

UVA_TEST(delegation_in_a_tree)
{
    uva_coroutine_t *coroutine = make(walks_tree, value_of(500));

    for (int i = 0; i < 32; i++) {
        check_send(coroutine, 0, 1, i);
    }
    check_send(coroutine, 0, 0, 0);
    uva_coroutine_unref(coroutine);
}

/* --- who may resume what --- */

static int resumes_itself(void *arg, void **ret_result)
{
    uva_coroutine_t *self = *(uva_coroutine_t **)arg;
    intptr_t refused = 0;

    refused += uva_coroutine_send(self, NULL, NULL) == UV_EPERM;
    refused += uva_coroutine_throw(self, UV_EIO, NULL) == UV_EPERM;
    refused += uva_coroutine_close(self) == UV_EPERM;
    *ret_result = value_of(refused);
    return 0;
}

UVA_TEST(running_one_is_refused)
{
    uva_coroutine_t *coroutine;

    coroutine = make(resumes_itself, &coroutine);
    check_send(coroutine, 0, 0, 3);
    uva_coroutine_unref(coroutine);
}

UVA_TEST(yield_outside)
{
    ck_assert_int_eq(uva_coroutine_yield(NULL, NULL), UVA_ENOTASK);
}

START_TEST(made_outside)
{
    uva_coroutine_options_t options = UVA_COROUTINE_OPTIONS_INIT;
    uva_coroutine_t *coroutine = NULL;

    ck_assert_int_eq(uva_coroutine_new(counts, NULL, &options, &coroutine),
                     UVA_ENOLOOP);
    ck_assert_ptr_null(coroutine);
}
END_TEST

START_TEST(resumed_on_another_loop)
{
    closed_t closed = {0, 0};
    uva_loop_t *other = new_loop();
    uva_task_t *task =
        uva_loop_create_task(uva_test_loop, keeps_suspended, &closed, NULL);
    uva_coroutine_t *coroutine;

    ck_assert_int_eq(hand_run(task), 0);
    coroutine = hand_value(UVA_FUTURE(task));
    uva_task_unref(task);
    task = uva_loop_create_task(other, sends_once, coroutine, NULL);
    ck_assert_int_eq(uva_loop_run_until_complete(other, UVA_FUTURE(task), NULL),
                     0);
    ck_assert_int_eq(number_of(hand_value(UVA_FUTURE(task))), UV_EPERM);
    uva_task_unref(task);
    end_loop(other);
    uva_coroutine_unref(coroutine);
    ck_assert_int_eq(closed.cleanups, 1);
}
END_TEST

UVA_TEST(handed_from_task_to_task)
{
    uva_coroutine_t *coroutine = make(counts, NULL);

    for (int i = 0; i < 4; i++) {
        void *r = NULL;
        ck_assert_int_eq(
            uva_join(UVA_FUTURE(uva_create_task(sends_once, coroutine)), &r),
            0);
        ck_assert_int_eq(number_of(r), i < 3);
    }
    ck_assert(uva_coroutine_done(coroutine));
    uva_coroutine_unref(coroutine);
}

/* --- arguments, memory, stacks --- */

static void count_drop(void *value)
{
    *(int *)value += 1;
}

static int yields_once(void *arg, void **ret_result)
{
    (void)ret_result;
    ck_assert_int_eq(*(int *)arg, 0);
    return uva_coroutine_yield(NULL, NULL);
}

static uva_coroutine_t *make_dropping(int *drops)
{
    uva_coroutine_options_t options = UVA_COROUTINE_OPTIONS_INIT;
    uva_coroutine_t *coroutine;

    *drops = 0;
    options.arg_destroy = count_drop;
    ck_assert_int_eq(
        uva_coroutine_new(yields_once, drops, &options, &coroutine), 0);
    return coroutine;
}

UVA_TEST(argument_dropped_once)
{
    int drops;
    uva_coroutine_t *coroutine = make_dropping(&drops);

    /* After the body. */
    check_send(coroutine, 0, 1, 0);
    ck_assert_int_eq(drops, 0);
    check_send(coroutine, 0, 0, 0);
    ck_assert_int_eq(drops, 1);
    uva_coroutine_unref(coroutine);
    ck_assert_int_eq(drops, 1);
    /* Never started, thrown into before it started, closed, dropped. */
    uva_coroutine_unref(make_dropping(&drops));
    ck_assert_int_eq(drops, 1);
    coroutine = make_dropping(&drops);
    ck_assert_int_eq(uva_coroutine_throw(coroutine, UV_EIO, NULL), UV_EIO);
    ck_assert_int_eq(drops, 1);
    uva_coroutine_unref(coroutine);
    ck_assert_int_eq(drops, 1);
    coroutine = make_dropping(&drops);
    check_send(coroutine, 0, 1, 0);
    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert_int_eq(drops, 1);
    uva_coroutine_unref(coroutine);
    coroutine = make_dropping(&drops);
    check_send(coroutine, 0, 1, 0);
    uva_coroutine_unref(coroutine);
    ck_assert_int_eq(drops, 1);
}

UVA_TEST_STRICT(argument_dropped_when_refused)
{
    uva_coroutine_options_t options = UVA_COROUTINE_OPTIONS_INIT;
    uva_coroutine_t *coroutine = NULL;
    int drops = 0;

    options.arg_destroy = count_drop;
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(
        uva_coroutine_new(yields_once, &drops, &options, &coroutine),
        UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(drops, 1);
    ck_assert_int_eq(uva_coroutine_new(NULL, &drops, &options, &coroutine),
                     UV_EINVAL);
    ck_assert_int_eq(drops, 2);
    options.size = 0;
    ck_assert_int_eq(
        uva_coroutine_new(yields_once, &drops, &options, &coroutine),
        UV_EINVAL);
    ck_assert_int_eq(drops, 3);
    ck_assert_ptr_null(coroutine);
}

/* 1 if the limit left room for the first and none for the second. */
static int runs_out_of_stacks(void *arg, void **ret_result)
{
    uva_coroutine_t *first = make(counts, NULL);
    uva_coroutine_t *second = make(counts, NULL);
    int r;

    (void)ret_result;
    if (uva_coroutine_send(first, NULL, NULL) == 1) {
        r = uva_coroutine_send(second, NULL, NULL);
        if (r < 0) {
            *(int *)arg += 1;
            ck_assert(r == UV_ENOMEM || r == UV_EAGAIN);
            ck_assert(!uva_coroutine_done(second)); /* It has not started. */
            uva_coroutine_unref(first);
            first = NULL;
            check_send(second, 0, 1, 1);
        }
    }
    uva_coroutine_unref(first);
    uva_coroutine_unref(second);
    return 0;
}

START_TEST(no_stack_left)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    int met = 0;

    options.stack_bytes = 64 * 1024;
    for (size_t count = 1; count < 64; count++) {
        uva_loop_t *loop;
        uva_task_t *task;
        options.max_stack_bytes = count * 64 * 1024;
        ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
        task = uva_loop_create_task(loop, runs_out_of_stacks, &met, NULL);
        UVA_IGNORE(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL));
        uva_task_unref(task);
        end_loop(loop);
    }
    ck_assert_int_gt(met, 0);
}
END_TEST

UVA_TEST(many_in_turn)
{
    /* Stacks are used again: by tasks after coroutines and the other way. */
    for (int i = 0; i < 1000; i++) {
        uva_coroutine_t *coroutine = make(counts, NULL);
        check_send(coroutine, 0, 1, 1);
        if (i % 2 == 0) {
            check_send(coroutine, 0, 1, 2);
        }
        if (i % 10 == 0) {
            void *r = NULL;
            ck_assert_int_eq(
                uva_join(UVA_FUTURE(uva_create_task(sends_once, coroutine)),
                         &r),
                0);
            ck_assert_int_eq(number_of(r), 1);
        }
        uva_coroutine_unref(coroutine);
    }
}

UVA_TEST(many_at_once)
{
    enum {
        COUNT = 200
    };
    uva_coroutine_t *coroutines[COUNT];

    for (int i = 0; i < COUNT; i++) {
        coroutines[i] = make(counts, value_of(i));
        check_send(coroutines[i], 0, 1, 1);
    }
    for (int i = COUNT - 1; i >= 0; i -= 3) {
        check_send(coroutines[i], 1, 1, 2);
    }
    for (int i = 0; i < COUNT; i++) {
        uva_coroutine_unref(coroutines[i]);
    }
}

/* The stack of a coroutine that has ended is the next task's, which is entered
 * straight from the task that drove it. */
UVA_TASK(int, drives)
{
    drive_counts();
    *ret = 1;
    return uva_sleep(0);
}

UVA_TASK(int, answers)
{
    *ret = 42;
    return 0;
}

UVA_TEST(stack_goes_to_a_task)
{
    drives_task_t *first = uva_spawn(drives);
    answers_task_t *second = uva_spawn(answers);
    int value = 0;

    ck_assert_int_eq(answers_await(second, &value), 0);
    ck_assert_int_eq(value, 42);
    ck_assert_int_eq(drives_await(first, &value), 0);
    ck_assert_int_eq(value, 1);
}

UVA_TASK(void, digs)
{
    volatile char frame[8000];

    (void)args;
    (void)ret;
    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = 1;
    }
    return uva_sleep(0);
}

/* One stack serves three tasks. It is measured when it is fresh, or each time.
 */
START_TEST(stack_usage_by_function)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_stack_usage_t usage;
    uva_loop_t *loop;

    options.stack_census = _i == 1;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    ck_assert_uint_eq(uva_loop_stack_usage(loop, NULL, 0), 0);
    for (int i = 0; i < 3; i++) {
        digs_task_t *task = digs_spawn((digs_args_t){0}, ON_LOOP(loop));
        ck_assert_int_eq(
            uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL), 0);
        uva_task_unref(UVA_ERASE(task));
    }
    ck_assert_uint_eq(uva_loop_stack_usage(loop, NULL, 0), 1);
    ck_assert_uint_eq(uva_loop_stack_usage(loop, &usage, 1), 1);
    ck_assert_str_eq(usage.function, "digs");
    ck_assert_uint_eq(usage.samples, _i == 1 ? 3 : 1);
    /* A sanitizer may put the array elsewhere. */
    ck_assert_uint_ge(usage.max_bytes,
                      strcmp(uva_features()->tools, "none") == 0 ? 8000 : 1);
    end_loop(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("coroutines");
    TCase *values = UVA_TCASE(suite, "Values");
    TCase *outside = UVA_TCASE(suite, "Outside");
    TCase *delegate = UVA_TCASE(suite, "Delegate");
    TCase *who = UVA_TCASE(suite, "Who");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(values, values_in_task, values_in_stackless_task,
                  values_may_be_ignored, errors_thrown_in,
                  thrown_into_before_start);
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, values_in_callback, made_outside,
                  resumed_on_another_loop);
    UVA_ADD_TESTS(delegate, delegation, delegation_of_errors, delegation_closed,
                  delegation_in_a_tree);
    UVA_ADD_TESTS(who, running_one_is_refused, yield_outside,
                  handed_from_task_to_task);
    UVA_ADD_TESTS(memory, argument_dropped_once, argument_dropped_when_refused,
                  no_stack_left, stack_goes_to_a_task, many_in_turn,
                  many_at_once);
    tcase_add_loop_test(memory, stack_usage_by_function, 0, 2);
    return uva_test_main(suite);
}
