/*
 * Gathers and shields of futures that are never done: they and the futures
 * keep each other, and the end of the loop frees them all.
 */
#include "uva_test.h"

/* Gather count futures, which stay the caller's. */
static uva_future_t *gather_of(uva_future_t *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)uva_future_ref(futures[i]);
    }
    return uva_gather_future(UVA_FUTURES(futures), count, 0);
}

UVA_TEST(gather_of_pending)
{
    uva_future_t *children[2] = {uva_create_future(), uva_create_future()};

    uva_future_unref(gather_of(children, 2));
    uva_future_unref(children[0]);
    uva_future_unref(children[1]);
}

UVA_TEST(gather_that_failed_early)
{
    uva_future_t *children[2] = {uva_create_future(), uva_create_future()};
    uva_future_t *gather = gather_of(children, 2);

    ck_assert_int_eq(uva_future_set_exception(children[0], UVA_EUSER, NULL), 0);
    ck_assert_int_eq(uva_await(gather, NULL), UVA_EUSER);
    uva_future_unref(gather);
    uva_future_unref(children[0]);
    uva_future_unref(children[1]);
}

UVA_TEST(gather_of_one_twice)
{
    uva_future_t *child = uva_create_future();
    uva_future_t *children[2] = {child, child};

    uva_future_unref(gather_of(children, 2));
    uva_future_unref(child);
}

UVA_TEST(shield_of_pending)
{
    uva_future_t *inner = uva_create_future();

    uva_future_unref(uva_shield_future(inner));
    uva_future_unref(inner);
}

UVA_TEST(shield_of_gather_of_shield)
{
    uva_future_t *inner = uva_create_future();
    uva_future_t *middle = uva_shield_future(inner);
    uva_future_t *gather = gather_of(&middle, 1);

    uva_future_unref(uva_shield_future(gather));
    uva_future_unref(gather);
    uva_future_unref(middle);
    uva_future_unref(inner);
}

/* Who keeps a reference beyond the loop finds a future that is pending. */
START_TEST(held_beyond_the_loop)
{
    size_t bytes = uva_allocated_bytes();
    uva_future_t *inner;
    uva_future_t *outer;
    uva_future_t *gather;
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new_virtual(NULL, &loop), 0);
    inner = uva_loop_create_future(loop);
    outer = uva_shield_future(inner);
    gather = gather_of(&outer, 1);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    uva_loop_unref(loop);
    ck_assert(!uva_future_done(outer) && !uva_future_done(gather));
    uva_future_unref(inner);
    uva_future_unref(gather);
    uva_future_unref(outer);
    ck_assert_uint_eq(uva_allocated_bytes(), bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bonds");
    TCase *close = UVA_TCASE(suite, "Close");

    tcase_add_test(close, gather_of_pending);
    tcase_add_test(close, gather_that_failed_early);
    tcase_add_test(close, gather_of_one_twice);
    tcase_add_test(close, shield_of_pending);
    tcase_add_test(close, shield_of_gather_of_shield);
    tcase_add_test(close, held_beyond_the_loop);
    return uva_test_main(suite);
}
