/*
 * Timeouts as blocks, timeouts whose frame was left, and deadlines that cannot
 * be kept.
 */
#include "kinds.h"

#include "base/util.h"

#include <string.h>

/* --- the block --- */

UVA_TEST(block_turns_its_cancellation)
{
    int r = 1;

    UVA_TIMEOUT (r, UVA_MS(10)) {
        r = uva_sleep(UVA_SEC(1));
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    UVA_TIMEOUT (r, UVA_SEC(1)) {
        r = uva_sleep(UVA_MS(10));
    }
    ck_assert_int_eq(r, 0);
    UVA_TIMEOUT (r, UVA_SEC(1)) {
        r = KEY_ERROR;
    }
    ck_assert_int_eq(r, KEY_ERROR);
}

static int leave_by_return(void)
{
    int r = 0;

    UVA_TIMEOUT (r, UVA_MS(10)) {
        return 7;
    }
    return r;
}

UVA_TEST(block_left_early_disarms_the_deadline)
{
    int r = 0;

    ck_assert_int_eq(leave_by_return(), 7);
    UVA_TIMEOUT (r, UVA_MS(10)) {
        break;
    }
    UVA_TIMEOUT (r, UVA_MS(10)) {
        continue;
    }
    UVA_TIMEOUT (r, UVA_MS(10)) {
        goto out;
    }
    ck_abort_msg("the block was not left");
out:
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
}

UVA_TEST(block_left_by_break_is_turned)
{
    int r = 0;

    UVA_TIMEOUT (r, UVA_MS(10)) {
        r = uva_sleep(UVA_SEC(1));
        break;
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    UVA_TIMEOUT (r, UVA_MS(10)) {
        r = uva_sleep(UVA_SEC(1));
        continue;
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    UVA_TIMEOUT (r, UVA_SEC(1)) {
        UVA_TIMEOUT (r, UVA_MS(10)) {
            r = uva_sleep(UVA_SEC(10));
            break;
        }
        ck_assert_int_eq(r, UV_ETIMEDOUT);
        r = 3;
        break;
    }
    ck_assert_int_eq(r, 3);
}

/* --- blocks that are left by return --- */

static int returns_out(void *arg, void **ret_result)
{
    int r = 0;

    (void)arg;
    (void)ret_result;
    UVA_TIMEOUT (r, UVA_MS(10)) {
        return uva_sleep(UVA_SEC(1));
    }
    return r;
}

/* asyncio: return leaves by way of __aexit__, which raises TimeoutError. */
UVA_TEST(task_that_returns_out_has_timed_out)
{
    uva_taskgroup_t group;
    uva_task_t *task = uva_create_task(returns_out, NULL);

    uva_test_log_begin();
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ETIMEDOUT);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_create_task(&group, returns_out, NULL, NULL);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), 0)),
                     UV_ETIMEDOUT);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
}

static int asks_and_goes_on(void *arg, void **ret_result)
{
    int r = returns_out(NULL, NULL);

    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    if (arg != NULL) {
        r = uva_sleep(UVA_SEC(1)); /* Somebody cancels. */
    }
    (void)ret_result;
    return r;
}

/* A function that it calls cannot be helped; it is told once. */
UVA_TEST(helper_that_returns_out_is_told_once)
{
    static char really;
    uva_task_t *task;
    const char *told;

    uva_test_log_begin();
    task = uva_create_task(asks_and_goes_on, NULL);
    ck_assert_int_eq(UVA_JOIN(task), UV_ETIMEDOUT);
    told = strstr(uva_test_log(), "leave the block by break");
    ck_assert_ptr_nonnull(told);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "asks_and_goes_on"));

    task = uva_create_task(asks_and_goes_on, &really);
    ck_assert_int_eq(uva_sleep(UVA_MS(500)), 0);
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_ptr_null(strstr(told + 1, "leave the block by break"));
    uva_test_log_end();
}

static int returns_before_it_is_told(void *arg, void **ret_result)
{
    int r = 0;

    (void)arg;
    (void)ret_result;
    UVA_TIMEOUT (r, UVA_MS(10)) {
        (void)uva_task_cancel(uva_current_task());
        r = uva_sleep(UVA_SEC(1));
        return r;
    }
    return r;
}

UVA_TEST(task_that_was_cancelled_too_is_cancelled)
{
    uva_task_t *task = uva_create_task(returns_before_it_is_told, NULL);

    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
}

/* --- scopes that are lost --- */

static UVA__NOINLINE void lose_a_timeout(void)
{
    uva_timeout_t cm;

    ck_assert_int_eq(uva_timeout_enter(&cm, UVA_MS(10)), 0);
}

UVA_TEST(left_without_exit_is_reported)
{
    uva_test_log_begin();
    lose_a_timeout();
    uva_test_clobber();
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0); /* Its deadline is off. */
    ck_assert_ptr_nonnull(
        strstr(uva_test_log(), "A timeout was left without uva_timeout_exit"));
    uva_test_log_end();
}

static UVA__NOINLINE void lose_the_outer_timeout(void)
{
    uva_timeout_t outer;
    uva_timeout_t inner;

    ck_assert_int_eq(uva_timeout_enter(&outer, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_enter(&inner, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_exit(&inner, 0), 0);
}

UVA_TEST(yield_sees_that_an_outer_one_is_lost)
{
    uva_test_log_begin();
    lose_the_outer_timeout();
    uva_test_clobber();
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_ptr_nonnull(
        strstr(uva_test_log(), "A timeout was left without uva_timeout_exit"));
    uva_test_log_end();
}

static int ends_inside(void *arg, void **ret_result)
{
    uva_timeout_t cm;

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_timeout_enter(&cm, UVA_MS(10)), 0);
    return 0;
}

UVA_TEST(ended_without_exit_is_reported)
{
    uva_task_t *task = uva_create_task(ends_inside, NULL);

    uva_test_log_begin();
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_ptr_nonnull(
        strstr(uva_test_log(), "A timeout was left without uva_timeout_exit"));
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0);
    uva_test_log_end();
}

/* --- without memory --- */

static int enter_and_wait(uint64_t delay_ns)
{
    uva_timeout_t cm;
    int r = uva_timeout_enter(&cm, delay_ns);
    int entered = r;

    uva_testing_fail_allocation(0, false);
    r = uva_timeout_exit(&cm, uva_sleep(UVA_SEC(1)));
    ck_assert_int_eq(r, entered < 0 ? UV_ENOMEM : UV_ETIMEDOUT);
    return entered < 0 ? entered : 0;
}

UVA_TEST_STRICT(deadline_that_cannot_be_kept_has_come)
{
    const uint64_t delays[] = {0, UVA_MS(10)};

    for (size_t i = 0; i < 2; i++) {
        int r = UV_ENOMEM;
        for (uint64_t n = 1; r == UV_ENOMEM; n++) {
            uva_testing_fail_allocation(n, false);
            r = enter_and_wait(delays[i]);
            ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
        }
        ck_assert_int_eq(r, 0);
    }
}

int main(void)
{
    Suite *suite = suite_create("timeout_scopes");
    TCase *block = UVA_TCASE(suite, "Block");
    TCase *returned = UVA_TCASE(suite, "Returned");
    TCase *lost = UVA_TCASE(suite, "Lost");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(block, block_turns_its_cancellation,
                  block_left_early_disarms_the_deadline,
                  block_left_by_break_is_turned);
    UVA_ADD_TESTS(returned, task_that_returns_out_has_timed_out,
                  helper_that_returns_out_is_told_once,
                  task_that_was_cancelled_too_is_cancelled);
    UVA_ADD_TESTS(lost, left_without_exit_is_reported,
                  yield_sees_that_an_outer_one_is_lost,
                  ended_without_exit_is_reported);
    UVA_ADD_TESTS(memory, deadline_that_cannot_be_kept_has_come);
    return uva_test_main(suite);
}
