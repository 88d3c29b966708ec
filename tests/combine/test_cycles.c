/*
 * What gathers and shields keep: the futures that they wait for, and of a
 * shield whose result is borrowed. Where those are never done they keep each
 * other, and the end of the loop frees them all.
 */
#include <string.h>

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

    loop = new_loop();
    inner = uva_loop_create_future(loop);
    outer = uva_shield_future(inner);
    gather = gather_of(&outer, 1);
    end_loop(loop);
    ck_assert(!uva_future_done(outer) && !uva_future_done(gather));
    uva_future_unref(inner);
    uva_future_unref(gather);
    uva_future_unref(outer);
    ck_assert_uint_eq(uva_allocated_bytes(), bytes);
}
END_TEST

static void spoil(void *result)
{
    memset(result, 'x', 4);
}

/* Gives a word that is spoilt with the task. */
static int give(void *arg, void **ret_result)
{
    *ret_result = arg;
    return uva_sleep(1);
}

/* await shield(create_task(...)): nobody else has the task. */
UVA_TEST(shield_keeps_the_result)
{
    char word[] = "word";
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;
    uva_future_t *shield;
    void *result = NULL;

    options.result_destroy = spoil;
    task = uva_create_task_with(give, word, &options);
    shield = uva_shield_future(UVA_FUTURE(task));
    uva_task_unref(task);
    ck_assert_int_eq(uva_await(shield, &result), 0);
    ck_assert_int_eq(uva_sleep(1), 0);
    ck_assert_str_eq(result, "word");
    uva_future_unref(shield);
    ck_assert_str_eq(word, "xxxx");
}

int main(void)
{
    Suite *suite = suite_create("cycles");
    TCase *close = UVA_TCASE(suite, "Close");
    TCase *keep = UVA_TCASE(suite, "Keep");

    UVA_ADD_TESTS(close, gather_of_pending, gather_that_failed_early,
                  gather_of_one_twice, shield_of_pending,
                  shield_of_gather_of_shield, held_beyond_the_loop);
    UVA_ADD_TESTS(keep, shield_keeps_the_result);
    return uva_test_main(suite);
}
