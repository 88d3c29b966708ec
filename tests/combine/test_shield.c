/*
 * shield, and its opposite: to cancel and wait.
 */
#include "kinds.h"

static int values[3];

KIND_TASK(int, gives, int value;)
{
    *ret = self->value;
    return 0;
}

KIND_TASK(int, counts, uva_future_t *future; int *proof; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->future, NULL);
    if (self->r < 0) {
        return self->r;
    }
    UVA_END
    *self->proof += 1;
    return 0;
}

/* How the inner future ends, or the outer one. */
typedef enum shield_end_e {
    RESULT,
    EXCEPTION,
    CANCEL_INNER,
    CANCEL_OUTER
} shield_end_t;

static const struct {
    const char *name;
    shield_end_t end;
    int code;   /* Of the outer future. */
    bool first; /* It ends before the shield is made. */
} shields_of_one[] = {
    /* test_tasks.py, BaseTaskTests: rows */
    {"shield_result", RESULT, 0, false},
    {"shield_shortcut", RESULT, 0, true},
    {"shield_exception", EXCEPTION, RUNTIME_ERROR, false},
    {"shield_cancel_inner", CANCEL_INNER, UV_ECANCELED, false},
    {"shield_cancel_outer", CANCEL_OUTER, UV_ECANCELED, false},
};

static void
shield_end(shield_end_t end, uva_future_t *inner, uva_future_t *outer)
{
    switch (end) {
    case RESULT:
        ck_assert_int_eq(uva_future_set_result(inner, &values[1], NULL), 0);
        break;
    case EXCEPTION:
        ck_assert_int_eq(
            uva_future_set_exception(inner, RUNTIME_ERROR, "expected"), 0);
        break;
    default:
        ck_assert(uva_future_cancel(end == CANCEL_INNER ? inner : outer));
    }
}

KIND_LOOP_TEST(shield_of_one)
{
    shield_end_t end = UVA_ROW(shields_of_one)->end;
    uva_future_t *inner = hand_future();
    uva_future_t *outer;

    if (UVA_ROW(shields_of_one)->first) {
        shield_end(end, inner, NULL);
        outer = uva_shield_future(inner);
    } else {
        outer = uva_shield_future(inner);
        hand_briefly();
        shield_end(end, inner, outer);
    }
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, outer, NULL),
                     UVA_ROW(shields_of_one)->code);
    hand_briefly();
    ck_assert_int_eq(uva_future_cancelled(outer), end >= CANCEL_INNER);
    ck_assert(end != RESULT || hand_value(outer) == &values[1]);
    ck_assert_ptr_eq(uva_future_error(outer), uva_future_error(inner));
    ck_assert_int_eq(uva_future_done(inner), end != CANCEL_OUTER);
    ck_assert(!hand_has_callbacks(outer));
    ck_assert(!hand_has_callbacks(inner));
    uva_future_unref(outer);
    uva_future_unref(inner);
}

KIND_TASK(void, takes, uva_future_t *take_future; void *result; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_join, self->take_future, &self->result);
    UVA_END
    return self->r;
}

/* A result that a join has moved out is nobody else's. */
KIND_LOOP_TEST(shield_of_a_moved_result)
{
    uva_future_t *inner = hand_future();
    uva_task_t *taker =
        KIND_ERASED(takes, .take_future = uva_future_ref(inner));
    uva_future_t *outer;

    hand_briefly();
    outer = uva_shield_future(inner);
    ck_assert_int_eq(uva_future_set_result(inner, &values[1], NULL), 0);
    hand_briefly();
    ck_assert_int_eq(uva_future_result(outer, NULL), UVA_EINVALIDSTATE);
    ck_assert_int_eq(hand_run_take(taker), 0);
    uva_future_unref(outer);
    uva_future_unref(inner);
}

KIND_TASK(int, shields, uva_future_t *future; int *proof; uva_task_t * inner;
          int r;)
{
    UVA_BEGIN
    self->inner =
        KIND_ERASED(counts, .future = self->future, .proof = self->proof);
    AWAIT(self->r, uva_shield, UVA_FUTURE(self->inner), NULL);
    uva_task_unref(self->inner);
    if (self->r < 0) {
        return self->r;
    }
    UVA_END
    *self->proof += 100;
    return 0;
}

KIND_LOOP_TEST(shield_effect)
{
    /* test_tasks.py, BaseTaskTests.test_shield_effect */
    int proof = 0;
    uva_future_t *future = hand_future();
    uva_task_t *task = KIND_ERASED(shields, .future = future, .proof = &proof);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    hand_briefly();
    ck_assert_int_eq(proof, 1);
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_LOOP_TEST(shield_gather)
{
    /* test_tasks.py, BaseTaskTests.test_shield_gather */
    uva_future_t *one = hand_future();
    uva_future_t *two = hand_future();
    uva_future_t *children[] = {uva_future_ref(one), uva_future_ref(two)};
    uva_future_t *parent = uva_gather_future(UVA_FUTURES(children), 2, 0);
    uva_future_t *outer = uva_shield_future(parent);
    const uva_result_t *results;

    hand_briefly();
    ck_assert(uva_future_cancel(outer));
    hand_briefly();
    ck_assert(uva_future_cancelled(outer));
    ck_assert_int_eq(uva_future_set_result(one, &values[1], NULL), 0);
    ck_assert_int_eq(uva_future_set_result(two, &values[2], NULL), 0);
    hand_briefly();
    results = hand_value(parent);
    ck_assert_ptr_eq(results[0].value, &values[1]);
    ck_assert_ptr_eq(results[1].value, &values[2]);
    uva_future_unref(outer);
    uva_future_unref(parent);
    uva_future_unref(one);
    uva_future_unref(two);
}

KIND_LOOP_TEST(gather_shield)
{
    /* test_tasks.py, BaseTaskTests.test_gather_shield */
    uva_future_t *one = hand_future();
    uva_future_t *two = hand_future();
    uva_future_t *inner1 = uva_shield_future(one);
    uva_future_t *inner2 = uva_shield_future(two);
    uva_future_t *inners[] = {uva_future_ref(inner1), uva_future_ref(inner2)};
    uva_future_t *parent = uva_gather_future(UVA_FUTURES(inners), 2, 0);

    hand_briefly();
    ck_assert(uva_future_cancel(parent));
    /* This cancels inner1 and inner2 but not one and two. */
    hand_briefly();
    ck_assert_int_eq(uva_future_exception(parent), UV_ECANCELED);
    ck_assert(uva_future_cancelled(inner1));
    ck_assert(uva_future_cancelled(inner2));
    ck_assert_int_eq(uva_future_set_result(one, &values[1], NULL), 0);
    ck_assert_int_eq(uva_future_set_result(two, &values[2], NULL), 0);
    hand_briefly();
    uva_future_unref(parent);
    uva_future_unref(inner1);
    uva_future_unref(inner2);
    uva_future_unref(one);
    uva_future_unref(two);
}

START_TEST(shield_coroutine_without_loop)
{
    /* test_tasks.py, BaseTaskTests.test_shield_coroutine_without_loop */
    uva_future_t *outer = uva_shield_future(
        UVA_FUTURE(gives_spawn((gives_args_t){.value = 42}, NULL)));

    ck_assert_int_eq(uva_future_exception(outer), UVA_ENOLOOP);
}
END_TEST

KIND_TASK(uva_future_t *, shields_one, uva_task_t *inner;)
{
    self->inner = KIND_ERASED(gives, .value = 42);
    *ret = uva_shield_future(UVA_FUTURE(self->inner));
    uva_task_unref(self->inner);
    return 0;
}

KIND_LOOP_TEST(shield_coroutine_use_running_loop)
{
    /* test_tasks.py, BaseTaskTests.test_shield_coroutine_use_running_loop */
    uva_future_t *outer = hand_made(KIND_ERASED(shields_one));

    ck_assert_int_eq(*(int *)hand_value(outer), 42);
    uva_future_unref(outer);
}

/* --- cancel and wait --- */

KIND_TASK(int, slow_to_end, uint64_t cleanup_ns; int *ended; int r;)
{
    UVA_BEGIN
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(10));
    AWAIT(self->r, uva_sleep, self->cleanup_ns);
    *self->ended += 1;
    UVA_END
    *ret = 5;
    return self->r < 0 ? UV_ECANCELED : 0;
}

KIND_TASK(int, ends_another, uva_future_t *other; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_cancel_and_wait, self->other);
    UVA_END
    *ret = self->r;
    return self->r;
}

KIND_LOOP_TEST(cancel_and_wait)
{
    /* However long it takes, and however it ends. */
    int ended = 0;
    uva_task_t *slow =
        KIND_ERASED(slow_to_end, .cleanup_ns = UVA_SEC(3), .ended = &ended);
    uva_future_t *future = hand_future();
    uva_task_t *task;

    hand_briefly();
    task = KIND_ERASED(ends_another, .other = UVA_FUTURE(slow));
    ck_assert_int_eq(hand_run_take(task), 0);
    ck_assert_int_eq(ended, 1);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_SEC(3));
    ck_assert_int_eq(hand_int(slow), 5);
    /* Done already: nothing to wait for. */
    task = KIND_ERASED(ends_another, .other = UVA_FUTURE(slow));
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
    uva_task_unref(slow);
    task = KIND_ERASED(ends_another, .other = future);
    ck_assert_int_eq(hand_run_take(task), 0);
    ck_assert(uva_future_cancelled(future));
    uva_future_unref(future);
}

KIND_LOOP_TEST(cancel_and_wait_cancelled)
{
    /* Who waits is cancelled: the other one was asked, and goes on ending. */
    int ended = 0;
    uva_task_t *slow =
        KIND_ERASED(slow_to_end, .cleanup_ns = UVA_SEC(3), .ended = &ended);
    uva_task_t *task;

    hand_briefly();
    task = KIND_ERASED(ends_another, .other = UVA_FUTURE(slow));
    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run_take(task), UV_ECANCELED);
    ck_assert_int_eq(ended, 0);
    ck_assert_uint_eq(uva_task_cancelling(slow), 1);
    ck_assert(!hand_has_callbacks(UVA_FUTURE(slow)));
    ck_assert_int_eq(hand_run_take(slow), 0);
    ck_assert_int_eq(ended, 1);
}

KIND_TASK(int, ends_itself, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_cancel_and_wait, UVA_FUTURE(uva_current_task()));
    UVA_END
    *ret = self->r;
    return 0;
}

KIND_LOOP_TEST(cancel_and_wait_for_oneself)
{
    uva_task_t *task = KIND_ERASED(ends_itself);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), UV_EPERM);
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    uva_task_unref(task);
}

int main(void)
{
    Suite *suite = suite_create("shield");
    TCase *shield = UVA_TCASE(suite, "Shield");
    TCase *end = UVA_TCASE(suite, "CancelAndWait");
    TCase *outside = UVA_TCASE(suite, "Outside");

    KIND_ADD_TABLE(shield, shield_of_one, shields_of_one);
    KIND_ADD_TESTS(shield, shield_of_a_moved_result, shield_effect,
                   shield_gather, gather_shield,
                   shield_coroutine_use_running_loop);
    KIND_ADD_TESTS(end, cancel_and_wait, cancel_and_wait_cancelled,
                   cancel_and_wait_for_oneself);
    UVA_ADD_TESTS(outside, shield_coroutine_without_loop);
    return uva_test_main(suite);
}
