/*
 * Coroutines that are driven by hand: what Python's generators do. Their end
 * is in test_generators.c.
 */
#include "by_hand.h"

#include <stdio.h>
#include <string.h>

static int number_of(const void *value)
{
    return (int)(intptr_t)value;
}

static void *value_of(intptr_t number)
{
    return (void *)number;
}

/* Resume, and check what comes out. */
static void check_send(uva_coroutine_t *coroutine, int sent, int r, int got)
{
    void *value = NULL;

    ck_assert_int_eq(uva_coroutine_send(coroutine, value_of(sent), &value), r);
    ck_assert_int_eq(number_of(value), got);
}

static uva_coroutine_t *make(uva_coro_cb body, void *arg)
{
    uva_coroutine_t *coroutine = NULL;

    ck_assert_int_eq(uva_coroutine_new(body, arg, NULL, &coroutine), 0);
    ck_assert(!uva_coroutine_done(coroutine));
    return coroutine;
}

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
    ck_assert_int_eq(
        uva_await_typed(drives_light, uva_spawn(drives_light), NULL), 0);
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

/* Passes on to the coroutine that arg is, and ends with its result. */
static int delegates(void *arg, void **ret_result)
{
    int r = uva_coroutine_delegate(arg, ret_result);

    uva_coroutine_unref(arg);
    return r;
}

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

static int sends_once(void *arg, void **ret_result)
{
    *ret_result = value_of(uva_coroutine_send(arg, NULL, NULL));
    return 0;
}

START_TEST(resumed_on_another_loop)
{
    closed_t closed = {0, 0};
    uva_loop_t *other = hand_loop_new();
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
    hand_loop_close(other);
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

/* --- awaiting inside --- */

/* Yields, sleeps, yields: what a task does meanwhile is its own affair. */
static int sleeps_between(void *arg, void **ret_result)
{
    uva_task_t *task = uva_current_task();
    int r;

    ck_assert_ptr_nonnull(task);
    for (intptr_t i = 0; i < number_of(arg); i++) {
        r = uva_sleep(UVA_MS(10));
        ck_assert_ptr_eq(uva_current_task(), task);
        if (r < 0) {
            *ret_result = value_of(-1);
            return r;
        }
        r = uva_coroutine_yield(value_of(i), NULL);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int iterates(void *arg, void **ret_result)
{
    uva_coroutine_t *coroutine = make(sleeps_between, arg);
    intptr_t sum = 0;
    void *value = NULL;
    int r;

    while ((r = uva_coroutine_send(coroutine, NULL, &value)) == 1) {
        sum += number_of(value);
    }
    uva_coroutine_unref(coroutine);
    *ret_result = value_of(sum);
    return r;
}

UVA_TEST(await_inside)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_task_t *tasks[3];
    void *sums[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = uva_create_task(iterates, value_of(5));
    }
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 3, 0, sums), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(number_of(sums[i]), 10);
    }
    /* Side by side, not one after the other. */
    ck_assert_uint_eq(uva_loop_time(loop), UVA_MS(50));
}

UVA_TEST(await_inside_cancelled)
{
    uva_task_t *task = uva_create_task(iterates, value_of(5));

    ck_assert_int_eq(uva_sleep(UVA_MS(25)), 0);
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), UV_ECANCELED);
}

UVA_TEST(await_inside_delegated)
{
    uva_coroutine_t *coroutine =
        make(delegates, make(delegates, make(sleeps_between, value_of(2))));

    check_send(coroutine, 0, 1, 0);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(10));
    check_send(coroutine, 0, 1, 1);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(20));
    check_send(coroutine, 0, 0, 0);
    uva_coroutine_unref(coroutine);
}

static int sends_to_busy(void *arg, void **ret_result)
{
    uva_coroutine_t *coroutine = arg;
    intptr_t refused = 0;

    refused += uva_coroutine_send(coroutine, NULL, NULL) == UV_EPERM;
    refused += uva_coroutine_close(coroutine) == UV_EPERM;
    *ret_result = value_of(refused);
    return 0;
}

UVA_TEST(awaiting_one_is_refused)
{
    /* It waits for its task: no other one may resume it. */
    uva_coroutine_t *coroutine = make(sleeps_between, value_of(1));
    uva_task_t *task = uva_create_task(sends_once, coroutine);
    uva_task_t *other = uva_create_task(sends_to_busy, coroutine);
    void *refused = NULL;

    ck_assert_int_eq(uva_join(UVA_FUTURE(other), &refused), 0);
    ck_assert_int_eq(number_of(refused), 2);
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), 0);
    check_send(coroutine, 0, 0, 0);
    uva_coroutine_unref(coroutine);
}

static int times_out(void *arg, void **ret_result)
{
    int r = 0;

    (void)arg;
    (void)ret_result;
    for (intptr_t i = 1; i <= 2; i++) {
        uva_timeout_t timeout;
        (void)uva_timeout_enter(&timeout, UVA_MS(5));
        r = uva_timeout_exit(&timeout, uva_sleep(UVA_SEC(1)));
        ck_assert_int_eq(r, UV_ETIMEDOUT);
        r = uva_coroutine_yield(value_of(i), NULL);
    }
    return r;
}

UVA_TEST(timeout_inside)
{
    uva_coroutine_t *coroutine = make(times_out, NULL);

    check_send(coroutine, 0, 1, 1);
    check_send(coroutine, 0, 1, 2);
    check_send(coroutine, 0, 0, 0);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(10));
    uva_coroutine_unref(coroutine);
}

static int awaits_nothing(void *arg, void **ret_result)
{
    (void)arg;
    *ret_result = value_of(uva_sleep(1));
    return 0;
}

static void drive_awaiting(void *data)
{
    uva_coroutine_t *coroutine = make(awaits_nothing, NULL);

    check_send(coroutine, 0, 0, UVA_ENOTASK);
    uva_coroutine_unref(coroutine);
    if (data != NULL) {
        *(int *)data += 1;
    }
}

UVA_STACKLESS(int, drives_awaiting)
{
    (void)self;
    *ret = 0;
    drive_awaiting(NULL);
    return 0;
}

START_TEST(await_inside_without_stack)
{
    /* No task, or one without a stack, can wait in somebody else's frames. */
    drives_awaiting_args_t args = {0};
    int calls = 0;

    ck_assert_int_eq(
        uva_loop_call_soon(uva_test_loop, drive_awaiting, &calls, NULL, NULL),
        0);
    hand_run_ready();
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(
        hand_run_take(uva__task_new(uva_test_loop, &drives_awaiting__coro,
                                    &args, NULL, "here")),
        0);
}
END_TEST

/* --- tasks that are made inside --- */

UVA_STACKLESS(int, yields_by_mistake)
{
    (void)self;
    *ret = uva_coroutine_yield(NULL, NULL);
    return 0;
}

static int starts_eagerly(void *arg, void **ret_result)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    yields_by_mistake_task_t *task;
    void *code = NULL;

    (void)arg;
    options.eager_start = true;
    task = uva_spawn_with(&options, yields_by_mistake);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(task), &code), 0);
    *ret_result = value_of(*(int *)code);
    uva_task_unref(UVA_ERASE(task));
    return 0;
}

static void drive_eager(void *data)
{
    uva_coroutine_t *coroutine = make(starts_eagerly, NULL);

    check_send(coroutine, 0, 0, UVA_ENOTASK);
    uva_coroutine_unref(coroutine);
    if (data != NULL) {
        *(int *)data += 1;
    }
}

UVA_STACKLESS(int, drives_eager)
{
    (void)self;
    *ret = 0;
    drive_eager(NULL);
    return 0;
}

UVA_TEST(eager_task_is_no_part)
{
    int calls = 0;

    drive_eager(&calls);
    ck_assert_int_eq(uva_call_soon(drive_eager, &calls), 0);
    ck_assert_int_eq(
        uva_await_typed(drives_eager, uva_spawn(drives_eager), NULL), 0);
    ck_assert_int_eq(calls, 2);
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
        (void)uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL);
        uva_task_unref(task);
        hand_loop_close(loop);
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
        uva_coroutine_unref(coroutine);
        if (i % 10 == 0) {
            void *sum = NULL;
            ck_assert_int_eq(
                uva_join(UVA_FUTURE(uva_create_task(iterates, value_of(3))),
                         &sum),
                0);
            ck_assert_int_eq(number_of(sum), 3);
        }
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

int main(void)
{
    Suite *suite = suite_create("coroutines");
    TCase *values = UVA_TCASE(suite, "Values");
    TCase *outside = UVA_TCASE(suite, "Outside");
    TCase *delegate = UVA_TCASE(suite, "Delegate");
    TCase *who = UVA_TCASE(suite, "Who");
    TCase *inside = UVA_TCASE(suite, "Await");
    TCase *memory = UVA_TCASE(suite, "Memory");

    tcase_add_test(values, values_in_task);
    tcase_add_test(values, values_in_stackless_task);
    tcase_add_test(values, values_may_be_ignored);
    tcase_add_test(values, errors_thrown_in);
    tcase_add_test(values, thrown_into_before_start);
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    tcase_add_test(outside, values_in_callback);
    tcase_add_test(outside, made_outside);
    tcase_add_test(outside, resumed_on_another_loop);
    tcase_add_test(outside, await_inside_without_stack);
    tcase_add_test(delegate, delegation);
    tcase_add_test(delegate, delegation_of_errors);
    tcase_add_test(delegate, delegation_closed);
    tcase_add_test(delegate, delegation_in_a_tree);
    tcase_add_test(who, running_one_is_refused);
    tcase_add_test(who, yield_outside);
    tcase_add_test(who, handed_from_task_to_task);
    tcase_add_test(who, awaiting_one_is_refused);
    tcase_add_test(who, eager_task_is_no_part);
    tcase_add_test(inside, await_inside);
    tcase_add_test(inside, await_inside_cancelled);
    tcase_add_test(inside, await_inside_delegated);
    tcase_add_test(inside, timeout_inside);
    tcase_add_test(memory, argument_dropped_once);
    tcase_add_test(memory, argument_dropped_when_refused);
    tcase_add_test(memory, no_stack_left);
    tcase_add_test(memory, many_in_turn);
    tcase_add_test(memory, many_at_once);
    return uva_test_main(suite);
}
