/*
 * Tasks: cancelling them.
 */
#include "kinds.h"

#include "core/extra.h"
#include "core/object.h"

#include <string.h>

/* --- bodies --- */

KIND_TASK(int, sleeper, uint64_t delay_ns; int value; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    UVA_END
    *ret = self->value;
    return self->r;
}

KIND_TASK(int, waits, uva_future_t *future; int *proof;)
{
    int r;

    UVA_BEGIN
    AWAIT(r, uva_await, self->future, NULL);
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

KIND_LOOP_TEST(cancelling)
{
    /* test_tasks.py, BaseTaskTests.test_cancelling */
    uva_task_t *task = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(10));

    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    check_text(task, " cancelling", false);
    ck_assert(uva_task_cancel(task));
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    check_text(task, " cancelling", true);
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    uva_task_unref(task);
}

KIND_TASK(int, uncancels, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    if (self->r == UV_ECANCELED) {
        (void)uva_task_uncancel(uva_current_task());
        AWAIT(self->r, uva_sleep, UVA_SEC(10));
    }
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(uncancel_basic)
{
    /* test_tasks.py, BaseTaskTests.test_uncancel_basic */
    uva_task_t *task = KIND_ERASED(uncancels);

    ck_assert_int_eq(
        hand_run_take(KIND_ERASED(sleeper, .delay_ns = UVA_MS(10))), 0);
    ck_assert(uva_task_cancel(task));
    check_text(task, " cancelling", true);
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(
        hand_run_take(KIND_ERASED(sleeper, .delay_ns = UVA_MS(10))), 0);

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
KIND_TASK(int, request, uint64_t delay_ns; uint64_t timeout_ns;
          outcome_t * outcome;
          uva_handle_t * timer;
          int r;)
{
    UVA_BEGIN
    self->outcome->task = uva_current_task();
    ck_assert_int_eq(uva_loop_call_later(NULL, self->timeout_ns, on_timeout,
                                         self->outcome, NULL, &self->timer),
                     0);
    AWAIT(self->r, uva_sleep, self->delay_ns);
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
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(uncancel_structured_blocks)
{
    /* test_tasks.py, BaseTaskTests.test_uncancel_structured_blocks */
    static const uint64_t times[][2] = {{UVA_SEC(10), UVA_MS(100)},
                                        {0, UVA_SEC(10)}};

    for (size_t i = 0; i < 2; i++) {
        bool late = times[i][0] > times[i][1];
        outcome_t outcome = {false, false, false, NULL};
        uva_task_t *task =
            KIND_ERASED(request, .delay_ns = times[i][0],
                        .timeout_ns = times[i][1], .outcome = &outcome);

        ck_assert_int_eq(hand_run(task), 0);
        ck_assert_int_eq(outcome.timed_out, late);
        ck_assert_int_eq(outcome.block_finished, !late);
        ck_assert(outcome.outer_reached);
        ck_assert_uint_eq(uva_task_cancelling(task), 0);
        uva_task_unref(task);
    }
}

KIND_LOOP_TEST(uncancel_resets_must_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_uncancel_resets_must_cancel */
    uva_future_t *future = hand_future();
    uva_task_t *task = KIND_ERASED(waits, .future = future);

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

KIND_LOOP_TEST(task_cancel_message_getter)
{
    /* test_tasks.py, BaseTaskTests.test_task_cancel_message_getter */
    uva_task_t *task = KIND_ERASED(sleeper);

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
KIND_TASK(int, canceller, look_cb look; const char *message; bool start;
          bool with_message;
          uva_future_t * child;
          int r;)
{
    UVA_BEGIN
    self->child = UVA_FUTURE(KIND_ERASED(sleeper, .delay_ns = UVA_SEC(10)));
    if (self->start) {
        AWAIT(self->r, uva_sleep, 0);
    }
    if (self->with_message) {
        (void)uva_future_cancel_message(self->child, self->message);
    } else {
        (void)uva_future_cancel(self->child);
    }
    AWAIT_IS(1, uva_wait, &self->child, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL,
             NULL);
    self->r = self->look(self->child);
    uva_future_unref(self->child);
    UVA_END
    return self->r;
}

static void
run_canceller(look_cb look, const char *message, bool start, bool with_message)
{
    uva_task_t *task =
        KIND_ERASED(canceller, .look = look, .message = message, .start = start,
                    .with_message = with_message);
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

static const struct {
    const char *name;
    look_cb look;
    bool start;
} messages[] = {
    /* test_tasks.py, BaseTaskTests: rows */
    {"cancel_with_message_then_future_result", look_at_result, true},
    {"cancel_with_message_then_future_exception", uva_future_exception, true},
    {"cancel_with_message_before_starting_task", uva_future_exception, false},
};

KIND_LOOP_TEST(cancel_with_message)
{
    look_cb look = UVA_ROW(messages)->look;
    bool start = UVA_ROW(messages)->start;

    run_canceller(look, NULL, start, false);
    run_canceller(look, NULL, start, true);
    run_canceller(look, "my message", start, true);
}

/* --- where a cancellation arrives --- */

static void cancel_soon(void *data)
{
    ck_assert(uva_task_cancel(data));
}

KIND_LOOP_TEST(cancel)
{
    /* test_tasks.py, BaseTaskTests.test_cancel */
    uva_task_t *task =
        KIND_ERASED(sleeper, .delay_ns = UVA_SEC(10), .value = 12);

    ck_assert_int_eq(
        uva_loop_call_soon(uva_test_loop, cancel_soon, task, NULL, NULL), 0);
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
    check_cancelled(task);
}

KIND_TASK(int, yields_twice, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    *ret = 12;
    return self->r;
}

KIND_LOOP_TEST(cancel_yield)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_yield */
    uva_task_t *task = KIND_ERASED(yields_twice);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    check_cancelled(task);
}

static const struct {
    const char *name;
    bool future; /* Is cancelled first. */
    bool task;
    bool runs; /* Before the loop is run to the task's end. */
} awaiting[] = {
    /* test_tasks.py, BaseTaskTests: rows */
    {"cancel_inner_future", true, false, false},
    {"cancel_both_task_and_inner_future", true, true, false},
    {"task_cancel_waiter_future", false, true, true},
};

KIND_LOOP_TEST(cancel_while_awaiting)
{
    uva_future_t *future = hand_future();
    uva_task_t *task = KIND_ERASED(waits, .future = future);

    hand_briefly();
    ck_assert_ptr_eq(hand_awaited(task), future);
    ck_assert(!UVA_ROW(awaiting)->future || uva_future_cancel(future));
    ck_assert(!UVA_ROW(awaiting)->task || uva_task_cancel(task));
    if (UVA_ROW(awaiting)->runs) {
        hand_briefly();
    }
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_ptr_null(hand_awaited(task));
    ck_assert(uva_future_cancelled(future));
    check_cancelled(task);
    uva_future_unref(future);
}

KIND_TASK(int, catches, uva_future_t *one; uva_future_t * two; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->one, NULL);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT(self->r, uva_await, self->two, NULL);
    UVA_END
    if (self->r == UV_ECANCELED) {
        *ret = 42;
        return 0;
    }
    return self->r;
}

KIND_LOOP_TEST(cancel_task_catching)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_task_catching */
    uva_future_t *one = hand_future();
    uva_future_t *two = hand_future();
    uva_task_t *task = KIND_ERASED(catches, .one = one, .two = two);

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

KIND_TASK(void *, ignores, uva_future_t *futures[3]; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->futures[0], NULL);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT(self->r, uva_await, self->futures[1], NULL);
    AWAIT(self->r, uva_await, self->futures[2], ret);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(cancel_task_ignoring)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_task_ignoring */
    uva_future_t *f[3] = {hand_future(), hand_future(), hand_future()};
    uva_task_t *task = KIND_ERASED(ignores, .futures = {f[0], f[1], f[2]});
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

KIND_TASK(int, cancels_itself, bool sleeps; int r;)
{
    UVA_BEGIN
    ck_assert(uva_task_cancel(uva_current_task()));
    ck_assert(must_cancel(uva_current_task()));
    if (self->sleeps) {
        AWAIT(self->r, uva_sleep, UVA_SEC(100));
    }
    UVA_END
    *ret = 12;
    return self->r;
}

static const struct {
    const char *name;
    bool sleeps;
} current[] = {
    /* test_tasks.py, BaseTaskTests: rows */
    {"cancel_current_task", true},
    {"cancel_at_end", false},
};

KIND_LOOP_TEST(cancel_itself)
{
    uva_task_t *task =
        KIND_ERASED(cancels_itself, .sleeps = UVA_ROW(current)->sleeps);

    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
    ck_assert(!must_cancel(task));
    check_cancelled(task);
}

KIND_TASK(int, awaits_nested, uva_future_t *future; uva_task_t * *nested;
          int r;)
{
    UVA_BEGIN
    *self->nested = KIND_ERASED(waits, .future = self->future);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert(uva_task_cancel(uva_current_task()));
    AWAIT(self->r, uva_await, UVA_FUTURE(*self->nested), NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(cancel_awaited_task)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_awaited_task */
    uva_future_t *future = hand_future();
    uva_task_t *nested = NULL;
    uva_task_t *task =
        KIND_ERASED(awaits_nested, .future = future, .nested = &nested);

    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert(uva_future_cancelled(UVA_FUTURE(nested)));
    ck_assert(uva_future_cancelled(future));
    uva_task_unref(task);
    uva_task_unref(nested);
    uva_future_unref(future);
}

KIND_TASK(int, cancels_sleeping, uva_task_t *sleeping; int r;)
{
    UVA_BEGIN
    self->sleeping = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(5000));
    ck_assert_int_eq(uva_loop_call_later(NULL, UVA_MS(100), cancel_soon,
                                         self->sleeping, NULL, NULL),
                     0);
    AWAIT(self->r, uva_join, UVA_FUTURE(self->sleeping), NULL);
    UVA_END
    *ret = self->r;
    return 0;
}

KIND_LOOP_TEST(task_cancel_sleeping_task)
{
    /* test_tasks.py, BaseTaskTests.test_task_cancel_sleeping_task */
    uva_task_t *task = KIND_ERASED(cancels_sleeping);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_MS(100));
    uva_task_unref(task);
}

KIND_TASK(int, answers_with_failure, sleeper_args_t sub; int slept; int r;)
{
    UVA_BEGIN
    self->sub.delay_ns = UVA_SEC(10);
    AWAIT(self->r, sleeper_call, &self->sub, &self->slept);
    UVA_END
    return self->r == UV_ECANCELED ? CUSTOM_ERROR : self->r;
}

KIND_LOOP_TEST(baseexception_during_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_baseexception_during_cancel: no
     * failure leaves the loop's run, so only the task ends with it. */
    uva_task_t *task = KIND_ERASED(answers_with_failure);

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

KIND_TASK(int, inner_proof, uva_future_t *future; int *proof; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->future, NULL);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    *self->proof += 1;
    UVA_END
    return self->r;
}

KIND_TASK(int, outer_proof, uva_future_t *future; int *proof; int r; int value;
          inner_proof_args_t sub;)
{
    UVA_BEGIN
    self->sub.future = self->future;
    self->sub.proof = self->proof;
    AWAIT(self->r, inner_proof_call, &self->sub, &self->value);
    *self->proof += self->r == UV_ECANCELED ? 100 : 10;
    UVA_END
    return 0;
}

KIND_LOOP_TEST(yield_future_passes_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_yield_future_passes_cancel */
    uva_future_t *future = hand_future();
    int proof = 0;
    uva_task_t *task =
        KIND_ERASED(outer_proof, .future = future, .proof = &proof);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(proof, 101);
    ck_assert(uva_future_cancelled(future));
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_TASK(int, outer_waits, uva_future_t *future; int *proof;
          uva_future_t * child;
          int r;)
{
    UVA_BEGIN
    self->child = UVA_FUTURE(
        KIND_ERASED(waits, .future = self->future, .proof = self->proof));
    AWAIT(self->r, uva_wait, &self->child, 1, UVA_FOREVER, UVA_ALL_COMPLETED,
          NULL, NULL);
    uva_future_unref(self->child);
    if (self->r < 0) {
        return self->r;
    }
    *self->proof += 100;
    UVA_END
    return 0;
}

KIND_LOOP_TEST(yield_wait_does_not_shield_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_yield_wait_does_not_shield_cancel */
    uva_future_t *future = hand_future();
    int proof = 0;
    uva_task_t *task =
        KIND_ERASED(outer_waits, .future = future, .proof = &proof);

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    hand_briefly();
    ck_assert_int_eq(proof, 1);
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_TASK(int, fails)
{
    return TYPE_ERROR;
}

KIND_TASK(int, cancels_failed, uva_task_t *child; int r;)
{
    UVA_BEGIN
    self->child = KIND_ERASED(fails);
    AWAIT(self->r, uva_sleep, UVA_MS(50));
    ck_assert(!uva_task_cancel(self->child));
    uva_task_unref(self->child);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(tb_logger_not_called_after_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_tb_logger_not_called_after_cancel */
    uva_test_log_begin();
    ck_assert_int_eq(hand_run_take(KIND_ERASED(cancels_failed)), 0);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
}

/* --- while a typed task is awaited --- */

KIND_TASK(int, answers, int value;)
{
    *ret = self->value;
    return 0;
}

KIND_TASK(int, cancels, uva_task_t *victim; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    ck_assert(uva_task_cancel(self->victim));
    return self->r;
}

KIND_TASK(int, awaits_itself, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, awaits_itself_await,
          (awaits_itself_task_t *)(void *)uva_task_ref(uva_current_task()),
          ret);
    UVA_END
    return self->r;
}

UVA_TEST(typed_await_of_itself)
{
    awaits_itself_task_t *child = KIND_SPAWN(awaits_itself);

    ck_assert_int_eq(uva_sleep(0), 0); /* Nobody awaits it when it does. */
    ck_assert_int_eq(awaits_itself_await(child, NULL), UV_EPERM);
}

/* asyncio: the future that a task with a cancellation due awaits is asked. */
UVA_TEST(typed_await_with_a_cancel_due)
{
    uva_task_t *seen = NULL;
    int value = 0;
    sleeper_task_t *child =
        KIND_SPAWN(sleeper, .delay_ns = UVA_SEC(1), .value = 7);

    seen = uva_task_ref(UVA_ERASE(child));
    ck_assert(uva_task_cancel(uva_current_task()));
    ck_assert_int_eq(sleeper_await(child, &value), UV_ECANCELED);
    ck_assert_int_eq(value, 0);
    check_cancelled(seen);
}

/* asyncio: the child has ended, its parent has not gone on yet. */
UVA_TEST(typed_await_cancelled_after_its_wake_up)
{
    answers_task_t *child = NULL;
    uva_task_t *seen = NULL;
    int value = 0;
    cancels_task_t *other = KIND_SPAWN(cancels, .victim = uva_current_task());

    child = KIND_SPAWN(answers, .value = 7);
    seen = uva_task_ref(UVA_ERASE(child));
    ck_assert_int_eq(answers_await(child, &value), UV_ECANCELED);
    ck_assert_int_eq(value, 0);
    ck_assert(uva_future_done(UVA_FUTURE(seen)));
    ck_assert(!uva_future_cancelled(UVA_FUTURE(seen)));
    uva_task_unref(seen);
    ck_assert_int_eq(cancels_await(other, NULL), 0);
}

int main(void)
{
    Suite *suite = suite_create("tasks_cancel");
    TCase *count = UVA_TCASE(suite, "Cancelling");
    TCase *message = UVA_TCASE(suite, "CancelMessage");
    TCase *arrive = UVA_TCASE(suite, "Cancel");
    TCase *through = UVA_TCASE(suite, "CancelThrough");

    KIND_ADD_TESTS(count, cancelling, uncancel_basic,
                   uncancel_structured_blocks, uncancel_resets_must_cancel);
    UVA_ADD_TESTS(count, cancelling_more_often_than_16_bits_count);
    KIND_ADD_TESTS(message, task_cancel_message_getter);
    KIND_ADD_TABLE(message, cancel_with_message, messages);
    KIND_ADD_TABLE(arrive, cancel_while_awaiting, awaiting);
    KIND_ADD_TABLE(arrive, cancel_itself, current);
    KIND_ADD_TESTS(arrive, cancel, cancel_yield, cancel_task_catching,
                   cancel_task_ignoring, cancel_awaited_task,
                   task_cancel_sleeping_task, baseexception_during_cancel);
    KIND_ADD_TESTS(
        through, typed_await_of_itself, typed_await_with_a_cancel_due,
        typed_await_cancelled_after_its_wake_up, yield_future_passes_cancel,
        yield_wait_does_not_shield_cancel, tb_logger_not_called_after_cancel);
    return uva_test_main(suite);
}
