/*
 * Coroutines that are driven by hand, and tasks: awaits inside, and tasks that
 * are made inside.
 */
#include "driven.h"
#include "kinds.h"

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
    ck_assert_int_eq(hand_run_take(UVA_ERASE(
                         drives_awaiting_spawn(args, ON_LOOP(uva_test_loop)))),
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
    ck_assert_int_eq(uva_loop_call_soon(NULL, drive_eager, &calls, NULL, NULL),
                     0);
    ck_assert_int_eq(drives_eager_await(uva_spawn(drives_eager), NULL), 0);
    ck_assert_int_eq(calls, 2);
}

int main(void)
{
    Suite *suite = suite_create("coroutines_await");
    TCase *inside = UVA_TCASE(suite, "Await");
    TCase *outside = UVA_TCASE(suite, "Outside");

    UVA_ADD_TESTS(inside, await_inside, await_inside_cancelled,
                  await_inside_delegated, awaiting_one_is_refused,
                  timeout_inside, eager_task_is_no_part);
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, await_inside_without_stack);
    return uva_test_main(suite);
}
