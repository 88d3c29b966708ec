/*
 * The error record of the running task: with which failure it goes, and how
 * long; codes that nothing can fail with; names of codes.
 */
#include "kinds.h"

#include <limits.h>

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
    TCase *names = UVA_TCASE(suite, "Names");

    tcase_add_test(names, names_of_codes);
    tcase_add_test(names, names_with_a_number_live_for_a_while);
    return uva_test_main(suite);
}
