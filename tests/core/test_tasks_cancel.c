/*
 * Tasks: cancelling them.
 */
#include "by_hand.h"

#include <string.h>

/* --- bodies --- */

KIND_CORO(int, sleeper, uint64_t delay_ns; int value; int r;)
{
    UVA_BEGIN
    AWAIT_SLEEP(self->r, self->delay_ns);
    UVA_END
    *ret = self->value;
    return self->r;
}

KIND_CORO(int, waits, uva_future_t *future; int *proof;)
{
    int r;

    UVA_BEGIN
    AWAIT_FUTURE(r, self->future, NULL);
    if (r < 0) {
        return r;
    }
    UVA_END
    if (self->proof != NULL) {
        *self->proof += 1;
    }
    *ret = 42;
    return 0;
}

static void check_text(uva_task_t *task, const char *part, bool expected)
{
    uva_buffer_t text;
    const char *found;

    ck_assert_int_eq(uva_format_call_graph(UVA_FUTURE(task), &text), 0);
    found = strstr((const char *)text.data, part);
    ck_assert_msg((found != NULL) == expected, "%s in: %s", part,
                  (const char *)text.data);
    uva_buffer_clear(&text);
}

static bool must_cancel(const uva_task_t *task)
{
    return (task->base.flags & UVA__MUST_CANCEL) != 0;
}

static void check_cancelled(uva_task_t *take_task)
{
    ck_assert(uva_future_done(UVA_FUTURE(take_task)));
    ck_assert(uva_future_cancelled(UVA_FUTURE(take_task)));
    ck_assert(!uva_task_cancel(take_task));
    uva_task_unref(take_task);
}

/* --- the count of requests --- */

HAND_TEST(cancelling)
{
    /* test_tasks.py, BaseTaskTests.test_cancelling */
    uva_task_t *task = HAND_SPAWN(sleeper, .delay_ns = UVA_SEC(10));

    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    check_text(task, " cancelling", false);
    ck_assert(uva_task_cancel(task));
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    check_text(task, " cancelling", true);
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    uva_task_unref(task);
}

KIND_CORO(int, uncancels, int r;)
{
    UVA_BEGIN
    AWAIT_SLEEP(self->r, UVA_SEC(10));
    if (self->r == UV_ECANCELED) {
        (void)uva_task_uncancel(uva_current_task());
        AWAIT_SLEEP(self->r, UVA_SEC(10));
    }
    UVA_END
    return self->r;
}

HAND_TEST(uncancel_basic)
{
    /* test_tasks.py, BaseTaskTests.test_uncancel_basic */
    uva_task_t *task = HAND_SPAWN(uncancels);

    ck_assert_int_eq(hand_run_take(HAND_SPAWN(sleeper, .delay_ns = UVA_MS(10))),
                     0);
    ck_assert(uva_task_cancel(task));
    check_text(task, " cancelling", true);
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_run_take(HAND_SPAWN(sleeper, .delay_ns = UVA_MS(10))),
                     0);

    check_text(task, " cancelling", false);
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));

    ck_assert(uva_task_cancel(task));
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert(uva_future_done(UVA_FUTURE(task)));

    (void)uva_task_uncancel(task);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
}

typedef struct outcome_s {
    bool timed_out;
    bool block_finished;
    bool outer_reached;
    uva_task_t *task;
} outcome_t;

static void on_timeout(void *data)
{
    outcome_t *outcome = data;

    outcome->timed_out = true;
    (void)uva_task_cancel(outcome->task);
}

/* What uva_timeout_t does, spelt out: the block is left by its own request
 * only, and the request is taken back. */
KIND_CORO(int, request, uint64_t delay_ns; uint64_t timeout_ns;
          outcome_t * outcome;
          uva_handle_t * timer;
          int r;)
{
    UVA_BEGIN
    self->outcome->task = uva_current_task();
    ck_assert_int_eq(uva_loop_call_later(NULL, self->timeout_ns, on_timeout,
                                         self->outcome, NULL, &self->timer),
                     0);
    AWAIT_SLEEP(self->r, self->delay_ns);
    self->outcome->block_finished = self->r >= 0;
    uva_handle_cancel(self->timer);
    uva_handle_unref(self->timer);
    if (self->outcome->timed_out &&
        uva_task_uncancel(uva_current_task()) == 0 && self->r == UV_ECANCELED) {
        self->r = UV_ETIMEDOUT;
    }
    if (self->r < 0 && self->r != UV_ETIMEDOUT) {
        return self->r;
    }
    ck_assert_int_eq(self->r == UV_ETIMEDOUT, self->outcome->timed_out);
    self->outcome->outer_reached = true;
    AWAIT_SLEEP(self->r, 0);
    UVA_END
    return self->r;
}

HAND_TEST(uncancel_structured_blocks)
{
    /* test_tasks.py, BaseTaskTests.test_uncancel_structured_blocks */
    outcome_t late = {false, false, false, NULL};
    outcome_t early = {false, false, false, NULL};
    uva_task_t *task = HAND_SPAWN(request, .delay_ns = UVA_SEC(10),
                                  .timeout_ns = UVA_MS(100), .outcome = &late);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert(late.timed_out);
    ck_assert(!late.block_finished);
    ck_assert(late.outer_reached);
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    uva_task_unref(task);

    task = HAND_SPAWN(request, .delay_ns = 0, .timeout_ns = UVA_SEC(10),
                      .outcome = &early);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert(!early.timed_out);
    ck_assert(early.block_finished);
    ck_assert(early.outer_reached);
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    uva_task_unref(task);
}

HAND_TEST(uncancel_resets_must_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_uncancel_resets_must_cancel */
    uva_future_t *future = hand_future();
    uva_task_t *task = HAND_SPAWN(waits, .future = future);

    hand_briefly();
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    ck_assert(uva_task_cancel(task));
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    ck_assert(must_cancel(task));
    ck_assert_uint_eq(uva_task_uncancel(task), 0);
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    ck_assert(!must_cancel(task));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 42);
    uva_task_unref(task);
    uva_future_unref(future);
}

static void cancel_main(void *data)
{
    (void)uva_task_cancel(data);
}

/* asyncio counts in whole numbers; here those beyond 65,535 lie elsewhere. */
UVA_TEST(cancelling_more_often_than_16_bits_count)
{
    enum {
        MANY = 70000
    };
    uva_task_t *task = uva_current_task();
    uva_timeout_t timeout;

    for (unsigned i = 0; i < MANY; i++) {
        ck_assert(uva_task_cancel(task));
    }
    ck_assert_uint_eq(uva_task_cancelling(task), MANY);
    ck_assert_int_eq(uva_sleep(0), UV_ECANCELED);
    /* One from outside is not taken for the deadline's. */
    ck_assert_int_eq(uva_timeout_enter(&timeout, UVA_MS(5)), 0);
    ck_assert_int_eq(
        uva_loop_call_later(NULL, UVA_MS(1), cancel_main, task, NULL, NULL), 0);
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), UV_ECANCELED);
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_exit(&timeout, UV_ECANCELED), UV_ECANCELED);
    for (unsigned i = MANY + 1; i > 0; i--) {
        ck_assert_uint_eq(uva_task_cancelling(task), i);
        ck_assert_uint_eq(uva_task_uncancel(task), i - 1);
    }
    ck_assert_uint_eq(uva_task_uncancel(task), 0);
    ck_assert_int_eq(uva_sleep(0), 0);
}

/* --- messages --- */

HAND_TEST(task_cancel_message_getter)
{
    /* test_tasks.py, BaseTaskTests.test_task_cancel_message_getter */
    uva_task_t *task = HAND_SPAWN(sleeper);

    ck_assert_ptr_null(uva_future_get_cancel_message(UVA_FUTURE(task)));
    ck_assert(uva_future_cancel_message(UVA_FUTURE(task), "my message"));
    ck_assert_str_eq(uva_error_text(task->extra->request), "my message");
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)),
                     "my message");
    uva_task_unref(task);
}

typedef int (*look_cb)(uva_future_t *future);

static int look_at_result(uva_future_t *future)
{
    return uva_future_result(future, NULL);
}

/* Cancel a task, wait for it, and end as looking at it does. */
KIND_CORO(int, canceller, look_cb look; const char *message; bool start;
          bool with_message;
          uva_future_t * child;
          int r;)
{
    UVA_BEGIN
    self->child = UVA_FUTURE(HAND_SPAWN(sleeper, .delay_ns = UVA_SEC(10)));
    if (self->start) {
        AWAIT_SLEEP(self->r, 0);
    }
    if (self->with_message) {
        (void)uva_future_cancel_message(self->child, self->message);
    } else {
        (void)uva_future_cancel(self->child);
    }
    AWAIT_WAIT(self->r, &self->child, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL,
               NULL);
    ck_assert_int_eq(self->r, 1);
    self->r = self->look(self->child);
    uva_future_unref(self->child);
    UVA_END
    return self->r;
}

static void
run_canceller(look_cb look, const char *message, bool start, bool with_message)
{
    uva_task_t *task = HAND_SPAWN(canceller, .look = look, .message = message,
                                  .start = start, .with_message = with_message);
    const char *got;

    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    got = uva_future_get_cancel_message(UVA_FUTURE(task));
    if (message == NULL) {
        ck_assert_ptr_null(got);
    } else {
        ck_assert_ptr_nonnull(got);
        ck_assert_str_eq(got, message);
    }
    uva_task_unref(task);
}

HAND_TEST(cancel_with_message_then_future_result)
{
    /* test_tasks.py,
     * BaseTaskTests.test_cancel_with_message_then_future_result */
    run_canceller(look_at_result, NULL, true, false);
    run_canceller(look_at_result, NULL, true, true);
    run_canceller(look_at_result, "my message", true, true);
}

HAND_TEST(cancel_with_message_then_future_exception)
{
    /* test_tasks.py,
     * BaseTaskTests.test_cancel_with_message_then_future_exception */
    run_canceller(uva_future_exception, NULL, true, false);
    run_canceller(uva_future_exception, NULL, true, true);
    run_canceller(uva_future_exception, "my message", true, true);
}

HAND_TEST(cancel_with_message_before_starting_task)
{
    /* test_tasks.py,
     * BaseTaskTests.test_cancel_with_message_before_starting_task */
    run_canceller(uva_future_exception, "my message", false, true);
}

/* --- where a cancellation arrives --- */

static void cancel_soon(void *data)
{
    ck_assert(uva_task_cancel(data));
}

HAND_TEST(cancel)
{
    /* test_tasks.py, BaseTaskTests.test_cancel */
    uva_task_t *task =
        HAND_SPAWN(sleeper, .delay_ns = UVA_SEC(10), .value = 12);

    ck_assert_int_eq(
        uva_loop_call_soon(uva_test_loop, cancel_soon, task, NULL, NULL), 0);
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
    check_cancelled(task);
}

KIND_CORO(int, yields_twice, int r;)
{
    UVA_BEGIN
    AWAIT_SLEEP(self->r, 0);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT_SLEEP(self->r, 0);
    UVA_END
    *ret = 12;
    return self->r;
}

HAND_TEST(cancel_yield)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_yield */
    uva_task_t *task = HAND_SPAWN(yields_twice);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    check_cancelled(task);
}

HAND_TEST(cancel_inner_future)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_inner_future */
    uva_future_t *future = hand_future();
    uva_task_t *task = HAND_SPAWN(waits, .future = future);

    hand_briefly();
    ck_assert(uva_future_cancel(future));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert(uva_future_cancelled(future));
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    uva_future_unref(future);
}

HAND_TEST(cancel_both_task_and_inner_future)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_both_task_and_inner_future */
    uva_future_t *future = hand_future();
    uva_task_t *task = HAND_SPAWN(waits, .future = future);

    hand_briefly();
    ck_assert(uva_future_cancel(future));
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert(uva_future_cancelled(future));
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    uva_future_unref(future);
}

HAND_TEST(task_cancel_waiter_future)
{
    /* test_tasks.py, BaseTaskTests.test_task_cancel_waiter_future */
    uva_future_t *future = hand_future();
    uva_task_t *task = HAND_SPAWN(waits, .future = future);

    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), future);
    ck_assert(uva_task_cancel(task));
    hand_briefly();
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_ptr_null(hand_awaited(task));
    ck_assert(uva_future_cancelled(future));
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_CORO(int, catches, uva_future_t *one; uva_future_t * two; int r;)
{
    UVA_BEGIN
    AWAIT_FUTURE(self->r, self->one, NULL);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT_FUTURE(self->r, self->two, NULL);
    UVA_END
    if (self->r == UV_ECANCELED) {
        *ret = 42;
        return 0;
    }
    return self->r;
}

HAND_TEST(cancel_task_catching)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_task_catching */
    uva_future_t *one = hand_future();
    uva_future_t *two = hand_future();
    uva_task_t *task = HAND_SPAWN(catches, .one = one, .two = two);

    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), one);
    ck_assert_int_eq(uva_future_set_result(one, NULL, NULL), 0);
    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), two);
    ck_assert(uva_task_cancel(task));
    ck_assert(uva_future_cancelled(two));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 42);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    uva_future_unref(one);
    uva_future_unref(two);
}

KIND_CORO(void *, ignores, uva_future_t *futures[3]; int r;)
{
    UVA_BEGIN
    AWAIT_FUTURE(self->r, self->futures[0], NULL);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT_FUTURE(self->r, self->futures[1], NULL);
    AWAIT_FUTURE(self->r, self->futures[2], ret);
    UVA_END
    return self->r;
}

HAND_TEST(cancel_task_ignoring)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_task_ignoring */
    uva_future_t *f[3] = {hand_future(), hand_future(), hand_future()};
    uva_task_t *task = HAND_SPAWN(ignores, .futures = {f[0], f[1], f[2]});
    int value = 42;

    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), f[0]);
    ck_assert_int_eq(uva_future_set_result(f[0], NULL, NULL), 0);
    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), f[1]);
    ck_assert(uva_task_cancel(task));
    ck_assert(uva_future_cancelled(f[1]));
    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), f[2]);
    ck_assert_int_eq(uva_future_set_result(f[2], &value, NULL), 0);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_ptr_eq(*(void **)hand_value(UVA_FUTURE(task)), &value);
    ck_assert(!uva_future_cancelled(f[2]));
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    for (int i = 0; i < 3; i++) {
        uva_future_unref(f[i]);
    }
}

KIND_CORO(int, cancels_itself, bool sleeps; int r;)
{
    UVA_BEGIN
    ck_assert(uva_task_cancel(uva_current_task()));
    ck_assert(must_cancel(uva_current_task()));
    if (self->sleeps) {
        AWAIT_SLEEP(self->r, UVA_SEC(100));
    }
    UVA_END
    *ret = 12;
    return self->r;
}

static void run_cancels_itself(bool sleeps)
{
    uva_task_t *task = HAND_SPAWN(cancels_itself, .sleeps = sleeps);

    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
    ck_assert(!must_cancel(task));
    check_cancelled(task);
}

HAND_TEST(cancel_current_task)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_current_task */
    run_cancels_itself(true);
}

HAND_TEST(cancel_at_end)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_at_end */
    run_cancels_itself(false);
}

KIND_CORO(int, awaits_nested, uva_future_t *future; uva_task_t * *nested;
          int r;)
{
    UVA_BEGIN
    *self->nested = HAND_SPAWN(waits, .future = self->future);
    AWAIT_SLEEP(self->r, 0);
    ck_assert(uva_task_cancel(uva_current_task()));
    AWAIT_FUTURE(self->r, UVA_FUTURE(*self->nested), NULL);
    UVA_END
    return self->r;
}

HAND_TEST(cancel_awaited_task)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_awaited_task */
    uva_future_t *future = hand_future();
    uva_task_t *nested = NULL;
    uva_task_t *task =
        HAND_SPAWN(awaits_nested, .future = future, .nested = &nested);

    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert(uva_future_cancelled(UVA_FUTURE(nested)));
    ck_assert(uva_future_cancelled(future));
    uva_task_unref(task);
    uva_task_unref(nested);
    uva_future_unref(future);
}

KIND_CORO(int, cancels_sleeping, uva_task_t *sleeping; int r;)
{
    UVA_BEGIN
    self->sleeping = HAND_SPAWN(sleeper, .delay_ns = UVA_SEC(5000));
    ck_assert_int_eq(uva_loop_call_later(NULL, UVA_MS(100), cancel_soon,
                                         self->sleeping, NULL, NULL),
                     0);
    AWAIT_JOIN(self->r, UVA_FUTURE(self->sleeping), NULL);
    UVA_END
    *ret = self->r;
    return 0;
}

HAND_TEST(task_cancel_sleeping_task)
{
    /* test_tasks.py, BaseTaskTests.test_task_cancel_sleeping_task */
    uva_task_t *task = HAND_SPAWN(cancels_sleeping);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_MS(100));
    uva_task_unref(task);
}

KIND_CORO(int, answers_with_failure, sleeper_args_t sub; int slept; int r;)
{
    UVA_BEGIN
    self->sub.delay_ns = UVA_SEC(10);
    AWAIT_CALL(self->r, sleeper, &self->sub, &self->slept);
    UVA_END
    return self->r == UV_ECANCELED ? CUSTOM_ERROR : self->r;
}

HAND_TEST(baseexception_during_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_baseexception_during_cancel: no
     * failure leaves the loop's run, so only the task ends with it. */
    uva_task_t *task = HAND_SPAWN(answers_with_failure);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    hand_briefly();
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), CUSTOM_ERROR);
    uva_task_unref(task);
}

/* --- through calls, tasks and wait --- */

KIND_CORO(int, inner_proof, uva_future_t *future; int *proof; int r;)
{
    UVA_BEGIN
    AWAIT_FUTURE(self->r, self->future, NULL);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    *self->proof += 1;
    UVA_END
    return self->r;
}

KIND_CORO(int, outer_proof, uva_future_t *future; int *proof; int r; int value;
          inner_proof_args_t sub;)
{
    UVA_BEGIN
    self->sub.future = self->future;
    self->sub.proof = self->proof;
    AWAIT_CALL(self->r, inner_proof, &self->sub, &self->value);
    *self->proof += self->r == UV_ECANCELED ? 100 : 10;
    UVA_END
    return 0;
}

HAND_TEST(yield_future_passes_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_yield_future_passes_cancel */
    uva_future_t *future = hand_future();
    int proof = 0;
    uva_task_t *task =
        HAND_SPAWN(outer_proof, .future = future, .proof = &proof);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(proof, 101);
    ck_assert(uva_future_cancelled(future));
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_CORO(int, outer_waits, uva_future_t *future; int *proof;
          uva_future_t * child;
          int r;)
{
    UVA_BEGIN
    self->child = UVA_FUTURE(
        HAND_SPAWN(waits, .future = self->future, .proof = self->proof));
    AWAIT_WAIT(self->r, &self->child, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL,
               NULL);
    uva_future_unref(self->child);
    if (self->r < 0) {
        return self->r;
    }
    *self->proof += 100;
    UVA_END
    return 0;
}

HAND_TEST(yield_wait_does_not_shield_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_yield_wait_does_not_shield_cancel */
    uva_future_t *future = hand_future();
    int proof = 0;
    uva_task_t *task =
        HAND_SPAWN(outer_waits, .future = future, .proof = &proof);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    hand_briefly();
    ck_assert_int_eq(proof, 1);
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_CORO(int, fails)
{
    return TYPE_ERROR;
}

KIND_CORO(int, cancels_failed, uva_task_t *child; int r;)
{
    UVA_BEGIN
    self->child = HAND_SPAWN(fails);
    AWAIT_SLEEP(self->r, UVA_MS(50));
    ck_assert(!uva_task_cancel(self->child));
    uva_task_unref(self->child);
    UVA_END
    return self->r;
}

HAND_TEST(tb_logger_not_called_after_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_tb_logger_not_called_after_cancel */
    uva_test_log_begin();
    ck_assert_int_eq(hand_run_take(HAND_SPAWN(cancels_failed)), 0);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
}

/* --- while a typed task is awaited --- */

KIND_CORO(int, answers, int value;)
{
    *ret = self->value;
    return 0;
}

KIND_CORO(int, cancels, uva_task_t *victim; int r;)
{
    UVA_BEGIN
    AWAIT_SLEEP(self->r, 0);
    UVA_END
    ck_assert(uva_task_cancel(self->victim));
    return self->r;
}

KIND_CORO(int, awaits_itself, int r;)
{
    UVA_BEGIN
    AWAIT_TYPED(
        self->r, awaits_itself,
        (awaits_itself_task_t *)(void *)uva_task_ref(uva_current_task()), ret);
    UVA_END
    return self->r;
}

KIND_TEST(typed_await_of_itself, awaits_itself_task_t *child; int r;)
{
    UVA_BEGIN
    self->child = KIND_SPAWN(awaits_itself);
    AWAIT_SLEEP(self->r, 0); /* Nobody awaits it when it does. */
    AWAIT_TYPED(self->r, awaits_itself, self->child, NULL);
    ck_assert_int_eq(self->r, UV_EPERM);
    UVA_END
    return 0;
}

/* asyncio: the future that a task with a cancellation due awaits is asked. */
KIND_TEST(typed_await_with_a_cancel_due, sleeper_task_t *child;
          uva_task_t * seen;
          int value;
          int r;)
{
    UVA_BEGIN
    self->child = KIND_SPAWN(sleeper, .delay_ns = UVA_SEC(1), .value = 7);
    self->seen = uva_task_ref(UVA_ERASE(self->child));
    ck_assert(uva_task_cancel(uva_current_task()));
    AWAIT_TYPED(self->r, sleeper, self->child, &self->value);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(self->value, 0);
    check_cancelled(self->seen);
    UVA_END
    return 0;
}

/* asyncio: the child has ended, its parent has not gone on yet. */
KIND_TEST(typed_await_cancelled_after_its_wake_up, answers_task_t *child;
          cancels_task_t * other;
          uva_task_t * seen;
          int value;
          int r;)
{
    UVA_BEGIN
    self->other = KIND_SPAWN(cancels, .victim = uva_current_task());
    self->child = KIND_SPAWN(answers, .value = 7);
    self->seen = uva_task_ref(UVA_ERASE(self->child));
    AWAIT_TYPED(self->r, answers, self->child, &self->value);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(self->value, 0);
    ck_assert(uva_future_done(UVA_FUTURE(self->seen)));
    ck_assert(!uva_future_cancelled(UVA_FUTURE(self->seen)));
    uva_task_unref(self->seen);
    AWAIT_TYPED(self->r, cancels, self->other, NULL);
    ck_assert_int_eq(self->r, 0);
    UVA_END
    return 0;
}

int main(void)
{
    Suite *suite = suite_create("tasks_cancel");
    TCase *count = UVA_TCASE(suite, "Cancelling");
    TCase *message = UVA_TCASE(suite, "CancelMessage");
    TCase *arrive = UVA_TCASE(suite, "Cancel");
    TCase *through = UVA_TCASE(suite, "CancelThrough");

    UVA_TEST_BOTH(count, cancelling);
    UVA_TEST_BOTH(count, uncancel_basic);
    UVA_TEST_BOTH(count, uncancel_structured_blocks);
    UVA_TEST_BOTH(count, uncancel_resets_must_cancel);
    tcase_add_test(count, cancelling_more_often_than_16_bits_count);
    UVA_TEST_BOTH(message, task_cancel_message_getter);
    UVA_TEST_BOTH(message, cancel_with_message_then_future_result);
    UVA_TEST_BOTH(message, cancel_with_message_then_future_exception);
    UVA_TEST_BOTH(message, cancel_with_message_before_starting_task);
    UVA_TEST_BOTH(arrive, cancel);
    UVA_TEST_BOTH(arrive, cancel_yield);
    UVA_TEST_BOTH(arrive, cancel_inner_future);
    UVA_TEST_BOTH(arrive, cancel_both_task_and_inner_future);
    UVA_TEST_BOTH(arrive, task_cancel_waiter_future);
    UVA_TEST_BOTH(arrive, cancel_task_catching);
    UVA_TEST_BOTH(arrive, cancel_task_ignoring);
    UVA_TEST_BOTH(arrive, cancel_current_task);
    UVA_TEST_BOTH(arrive, cancel_at_end);
    UVA_TEST_BOTH(arrive, cancel_awaited_task);
    UVA_TEST_BOTH(arrive, task_cancel_sleeping_task);
    UVA_TEST_BOTH(arrive, baseexception_during_cancel);
    UVA_TEST_BOTH(through, typed_await_of_itself);
    UVA_TEST_BOTH(through, typed_await_with_a_cancel_due);
    UVA_TEST_BOTH(through, typed_await_cancelled_after_its_wake_up);
    UVA_TEST_BOTH(through, yield_future_passes_cancel);
    UVA_TEST_BOTH(through, yield_wait_does_not_shield_cancel);
    UVA_TEST_BOTH(through, tb_logger_not_called_after_cancel);
    return uva_test_main(suite);
}
