/*
 * The error record of the running task: with which failure it goes, and how
 * long; codes that nothing can fail with; names of codes.
 */
#include "kinds.h"

#include <limits.h>

/* --- codes that nothing can fail with --- */

static const int no_failures[] = {UVA_PENDING, UVA__YIELD, 0, 7};

UVA_TEST(codes_that_are_refused)
{
    uva_future_t *future = uva_create_future();
    uva_reader_t *reader;

    ck_assert_int_eq(uva_reader_new(0, &reader), 0);
    for (size_t i = 0; i < 4; i++) {
        int code = no_failures[i];

        ck_assert_int_eq(uva_future_set_exception(future, code, "text"),
                         UV_EINVAL);
        ck_assert_int_eq(uva_reader_set_exception(reader, code), UV_EINVAL);
        ck_assert_int_eq(uva_fail(code, "text"), UV_EINVAL);
        ck_assert_int_eq(uva_fail(code, NULL), UV_EINVAL);
        ck_assert_ptr_null(uva_task_error());
    }
    ck_assert(!uva_future_done(future));
    ck_assert_int_eq(uva_reader_exception(reader), 0);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    uva_future_unref(future);
    uva_reader_unref(reader);
}

static int returns(void *arg, void **ret_result)
{
    (void)ret_result;
    return *(const int *)arg;
}

static int predicate(void *data)
{
    return *(const int *)data;
}

UVA_TEST(bodies_that_return_no_code)
{
    for (int i = 0; i < 2; i++) {
        int code = no_failures[i];
        uva_attempt_t attempt = {returns, &code};
        uva_condition_t condition = UVA_CONDITION_INIT;
        uva_coroutine_t *coroutine;
        uva_taskgroup_t group;
        int status = 0;

        ck_assert_int_eq(UVA_JOIN(uva_create_task(returns, &code)), UV_EINVAL);
        ck_assert_int_eq(
            uva_staggered_race(&attempt, 1, UVA_FOREVER, NULL, &status),
            UV_ENOENT);
        ck_assert_int_eq(status, UV_EINVAL);

        ck_assert_int_eq(uva_coroutine_new(returns, &code, NULL, &coroutine),
                         0);
        ck_assert_int_eq(uva_coroutine_throw(coroutine, code, NULL), UV_EINVAL);
        ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, NULL), UV_EINVAL);
        uva_coroutine_unref(coroutine);

        ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
        ck_assert_int_eq(uva_taskgroup_exit(&group, code), UVA_EGROUP);
        ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), 0)),
                         UV_EINVAL);

        ck_assert_int_eq(uva_condition_acquire(&condition), 0);
        ck_assert_int_eq(uva_condition_wait_for(&condition, predicate, &code),
                         UV_EINVAL);
        ck_assert_int_eq(uva_condition_release(&condition), 0);
    }
}

/* --- names --- */

START_TEST(names_of_codes)
{
    ck_assert_str_eq(uva_err_name(0), "OK");
    ck_assert_str_eq(uva_err_name(12), "OK");
    ck_assert_str_eq(uva_strerror(12), uva_strerror(0));
    ck_assert_str_eq(uva_err_name(UV_ECANCELED), "ECANCELED");
    ck_assert_str_eq(uva_err_name(UVA_EGROUP), "UVA_EGROUP");
    ck_assert_str_eq(uva_err_name(UVA_PENDING), "UVA_PENDING");
    ck_assert_str_eq(uva_err_name(UVA_EUSER), "UVA_EUSER");
    ck_assert_str_eq(uva_err_name(INT_MIN), "UVA_EUSER-2147453648");
    ck_assert_str_eq(uva_err_name(-25000), "UNKNOWN-25000");
    ck_assert_str_eq(uva_error_text(NULL), "no details");
}
END_TEST

START_TEST(names_with_a_number_live_for_a_while)
{
    const char *names[8];

    for (int i = 0; i < 8; i++) {
        names[i] = uva_err_name(UVA_EUSER - 1 - i);
    }
    ck_assert_str_eq(names[0], "UVA_EUSER-1");
    ck_assert_str_eq(names[7], "UVA_EUSER-8");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("failures");
    TCase *codes = UVA_TCASE(suite, "Codes");
    TCase *names = UVA_TCASE(suite, "Names");

    tcase_add_test(codes, codes_that_are_refused);
    tcase_add_test(codes, bodies_that_return_no_code);
    tcase_add_test(names, names_of_codes);
    tcase_add_test(names, names_with_a_number_live_for_a_while);
    return uva_test_main(suite);
}
