/*
 * Debug mode names a task whose argument points into a frame that is gone.
 */
#include <string.h>

#include "uva_test.h"

#define RETURNED "points into a frame that has returned"

UVA_TASK(void, borrower, int *lent; uint64_t delay_ns;)
{
    int r = uva_sleep(args->delay_ns);

    if (r >= 0 && args->lent != NULL) {
        r = uva_sleep(args->delay_ns);
    }
    return r;
}

/* Returns while its child still runs, as a gather that failed would. Through a
 * pointer, or it might become part of its caller's frame. The frame is deeper
 * than what its caller awaits with, or nobody could tell that it is gone. */
static borrower_task_t *lend(void)
{
    int buffer[1024];
    borrower_task_t *task =
        uva_spawn(borrower, .lent = buffer, .delay_ns = UVA_MS(5));

    UVA_IGNORE(uva_sleep(UVA_MS(1)));
    return task;
}

static borrower_task_t *(*volatile lend_and_return)(void) = lend;

static void debug_begin(void)
{
    uva_loop_set_debug(uva_get_running_loop(), true);
    uva_test_log_begin();
}

UVA_TEST(outlived)
{
    borrower_task_t *task;

    debug_begin();
    task = lend_and_return();
    UVA_IGNORE(UVA_JOIN(task));
    ck_assert_ptr_nonnull(strstr(uva_test_log(), RETURNED));
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "borrower"));
    uva_test_log_end();
}

UVA_TEST(in_time)
{
    int local = 0;

    debug_begin();
    UVA_IGNORE(
        UVA_JOIN(uva_spawn(borrower, .lent = &local, .delay_ns = UVA_MS(5))));
    ck_assert_ptr_null(strstr(uva_test_log(), RETURNED));
    uva_test_log_end();
}

UVA_TASK(void, lender, borrower_task_t **ret_task;)
{
    *args->ret_task = lend_and_return();
    return 0;
}

/* Padding is no pointer, whatever stands in it; Valgrind does not complain of a
 * look at it. */
UVA_TASK(void, padded, char first; int *lent; char second;)
{
    return args->lent != NULL && args->first == args->second ? 0 : UV_EINVAL;
}

UVA_TEST(padding)
{
    uva_taskgroup_t group;
    int local = 0;

    debug_begin();
    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_spawn(&group, padded, 'x', &local, 'x');
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(UVA_JOIN(uva_spawn(padded, 'x', &local, 'x')), 0);
    ck_assert_int_eq(UVA_JOIN(uva_spawn_with(NULL, padded, 'x', &local, 'x')),
                     0);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
}

UVA_TEST(lender_has_ended)
{
    borrower_task_t *task;

    debug_begin();
    UVA_IGNORE(UVA_JOIN(uva_spawn(lender, .ret_task = &task)));
    UVA_IGNORE(UVA_JOIN(task));
    ck_assert_ptr_nonnull(strstr(uva_test_log(), RETURNED));
    uva_test_log_end();
}

int main(void)
{
    Suite *suite = suite_create("lent_args");
    TCase *loans = UVA_TCASE(suite, "Loans");

    UVA_ADD_TESTS(loans, outlived, in_time, lender_has_ended, padding);
    return uva_test_main(suite);
}
