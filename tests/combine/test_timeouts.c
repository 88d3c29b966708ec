/*
 * Timeouts: CPython's tests, with both kinds of coroutine.
 */
#include "kinds.h"

/* --- coming and not coming --- */

KIND_TEST(timeout_basic, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_basic */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm));
    UVA_END
    return 0;
}

KIND_TEST(timeout_at_basic, uva_timeout_t cm; uint64_t deadline_ns; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_at_basic */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->deadline_ns = uva_loop_time(loop) + UVA_MS(10);
    ck_assert_int_eq(uva_timeout_enter_at(&self->cm, self->deadline_ns), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm));
    ck_assert_uint_eq(uva_timeout_when(&self->cm), self->deadline_ns);
    UVA_END
    return 0;
}

KIND_TEST(nested_timeouts, uva_timeout_t cm1; uva_timeout_t cm2; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_nested_timeouts */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    ck_assert_int_eq(
        uva_timeout_enter_at(&self->cm1, uva_loop_time(loop) + UVA_MS(10)), 0);
    ck_assert_int_eq(
        uva_timeout_enter_at(&self->cm2, uva_timeout_when(&self->cm1)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    /* Only the outermost one turns the cancellation. */
    self->r = uva_timeout_exit(&self->cm2, self->r);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_exit(&self->cm1, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm1));
    ck_assert(uva_timeout_expired(&self->cm2));
    UVA_END
    return 0;
}

KIND_TEST(waiter_cancelled, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_waiter_cancelled */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    UVA_END
    return 0;
}

KIND_TEST(timeout_not_called, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_not_called */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_SEC(10)), 0);
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert_uint_gt(uva_timeout_when(&self->cm), uva_loop_time(loop));
    UVA_END
    return 0;
}

KIND_TEST(timeout_disabled, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_disabled */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_FOREVER), 0);
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert(uva_timeout_when(&self->cm) == UVA_FOREVER);
    UVA_END
    return 0;
}

KIND_TEST(timeout_at_disabled, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_at_disabled */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter_at(&self->cm, UVA_FOREVER), 0);
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert(uva_timeout_when(&self->cm) == UVA_FOREVER);
    UVA_END
    return 0;
}

KIND_TEST(timeout_zero, uva_timeout_t cm; uint64_t t0; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_zero */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->t0 = uva_loop_time(loop);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, 0), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm));
    ck_assert_uint_le(self->t0, uva_timeout_when(&self->cm));
    ck_assert_uint_le(uva_timeout_when(&self->cm), uva_loop_time(loop));
    UVA_END
    return 0;
}

KIND_TEST(timeout_zero_sleep_zero, uva_timeout_t cm; uint64_t t0; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_zero_sleep_zero */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->t0 = uva_loop_time(loop);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, 0), 0);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm));
    ck_assert_uint_le(self->t0, uva_timeout_when(&self->cm));
    ck_assert_uint_le(uva_timeout_when(&self->cm), uva_loop_time(loop));
    UVA_END
    return 0;
}

KIND_TEST(timeout_in_the_past_sleep_zero, uva_timeout_t cm; uint64_t t0; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_in_the_past_sleep_zero */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_SEC(20)); /* Virtual time begins at 0. */
    self->t0 = uva_loop_time(loop);
    ck_assert_int_eq(uva_timeout_enter_at(&self->cm, self->t0 - UVA_SEC(11)),
                     0);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm));
    ck_assert_uint_ge(self->t0, uva_timeout_when(&self->cm));
    ck_assert_uint_le(uva_timeout_when(&self->cm), uva_loop_time(loop));
    UVA_END
    return 0;
}

/* --- other failures --- */

KIND_TEST(foreign_exception_passed, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_foreign_exception_passed */
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, KEY_ERROR), KEY_ERROR);
    ck_assert(!uva_timeout_expired(&self->cm));
    return 0;
}

KIND_TASK(void, crash)
{
    UVA_BEGIN
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    UVA_END
    return uva_fail(ZERO_DIVISION_ERROR, "crash in cleanup");
}

KIND_TEST(foreign_exception_on_timeout, uva_timeout_t cm; crash_args_t sub;
          int r;)
{
    /* test_timeouts.py, TimeoutTests.test_foreign_exception_on_timeout */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    AWAIT(self->r, crash_call, &self->sub, NULL);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), ZERO_DIVISION_ERROR);
    ck_assert(uva_timeout_expired(&self->cm));
    /* The failure is the one that was raised, with its own text. */
    ck_assert_int_eq(uva_error_code(uva_task_error()), ZERO_DIVISION_ERROR);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "crash in cleanup");
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    UVA_END
    return 0;
}

KIND_TEST(foreign_exception_on_timeout_2, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_foreign_exception_on_timeout_2 */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    self->r = uva_fail(VALUE_ERROR, "first");
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    UVA_IGNORE(uva_fail(KEY_ERROR, "second"));
    self->r = uva_fail(ZERO_DIVISION_ERROR, "third");
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), ZERO_DIVISION_ERROR);
    /* Each failure was raised while the one before was handled. */
    ck_assert_str_eq(uva_error_text(uva_task_error()), "third");
    ck_assert_int_eq(uva_error_code(uva_error_cause(uva_task_error())),
                     KEY_ERROR);
    UVA_END
    return 0;
}

KIND_TEST(foreign_cancel_doesnt_timeout_if_not_expired, uva_timeout_t cm;
          int r;)
{
    /* test_timeouts.py,
     * TimeoutTests.test_foreign_cancel_doesnt_timeout_if_not_expired */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_SEC(10)), 0);
    uva_task_cancel(uva_current_task());
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ECANCELED);
    ck_assert(!uva_timeout_expired(&self->cm));
    UVA_END
    return 0;
}

KIND_TASK(void, outer, uva_timeout_t cm; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(1)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    UVA_END
    return 0;
}

UVA_TEST(outer_task_is_not_cancelled)
{
    /* test_timeouts.py, TimeoutTests.test_outer_task_is_not_cancelled */
    outer_task_t *task = KIND_SPAWN(outer);

    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
    ck_assert(!UVA_CANCELLED(task));
    ck_assert(UVA_DONE(task));
    uva_task_unref(UVA_ERASE(task));
}

/* --- a loop that is busy --- */

KIND_TEST(nested_timeouts_concurrent, uva_timeout_t cm1; uva_timeout_t cm2;
          int r;)
{
    /* test_timeouts.py, TimeoutTests.test_nested_timeouts_concurrent */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm1, UVA_MS(2)), 0);
    ck_assert_int_eq(uva_timeout_enter(&self->cm2, UVA_MS(100)), 0);
    /* Pretend we crunch some numbers. */
    (void)uva_loop_advance(uva_get_running_loop(), UVA_MS(10));
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    self->r = uva_timeout_exit(&self->cm2, self->r);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_exit(&self->cm1, self->r), UV_ETIMEDOUT);
    UVA_END
    return 0;
}

KIND_TEST(nested_timeouts_loop_busy, uva_timeout_t cm1; uva_timeout_t cm2;
          uint64_t t0;
          int r;)
{
    /* test_timeouts.py, TimeoutTests.test_nested_timeouts_loop_busy */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->t0 = uva_loop_time(loop);
    ck_assert_int_eq(uva_timeout_enter(&self->cm1, UVA_MS(100)), 0);
    ck_assert_int_eq(uva_timeout_enter(&self->cm2, UVA_MS(10)), 0);
    /* The loop is busy until just before the outer deadline. */
    (void)uva_loop_advance(loop, UVA_MS(99));
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    self->r = uva_timeout_exit(&self->cm2, self->r);
    ck_assert_int_eq(self->r, UV_ETIMEDOUT);
    /* The inner one was caught; the outer one interrupts what follows. */
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm1, self->r), UV_ETIMEDOUT);
    ck_assert_uint_ge(uva_loop_time(loop), self->t0);
    ck_assert_uint_le(uva_loop_time(loop), self->t0 + UVA_SEC(1));
    UVA_END
    return 0;
}

/* Both deadlines pass while the loop is busy: the inner exit finds two
 * cancellations and leaves the outer one's in place. */
KIND_TEST(both_deadlines_pass_while_busy, uva_timeout_t cm1; uva_timeout_t cm2;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm1, UVA_MS(100)), 0);
    ck_assert_int_eq(uva_timeout_enter(&self->cm2, UVA_MS(10)), 0);
    (void)uva_loop_advance(uva_get_running_loop(), UVA_MS(100));
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    self->r = uva_timeout_exit(&self->cm2, self->r);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_exit(&self->cm1, self->r), UV_ETIMEDOUT);
    UVA_END
    return 0;
}

/* --- moving the deadline, and what a timeout tells of itself --- */

KIND_TASK(void, f, uva_future_t *fut; uint64_t deadline_ns; uva_timeout_t cm;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter_at(&self->cm, self->deadline_ns), 0);
    (void)uva_future_set_result(self->fut, &self->cm, NULL);
    AWAIT(self->r, uva_sleep, UVA_SEC(50));
    self->r = uva_timeout_exit(&self->cm, self->r);
    ck_assert(!uva_timeout_expired(&self->cm));
    UVA_END
    return self->r;
}

KIND_TEST(reschedule, uva_future_t *fut; f_task_t * task; uint64_t deadline1;
          void *cm;
          int r;)
{
    /* test_timeouts.py, TimeoutTests.test_reschedule */
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->fut = uva_create_future();
    self->deadline1 = uva_loop_time(loop) + UVA_SEC(10);
    self->task =
        KIND_SPAWN(f, .fut = self->fut, .deadline_ns = self->deadline1);
    AWAIT(self->r, uva_join, self->fut, &self->cm);
    ck_assert_uint_eq(uva_timeout_when(self->cm), self->deadline1);
    ck_assert_int_eq(
        uva_timeout_reschedule(self->cm, self->deadline1 + UVA_SEC(20)), 0);
    ck_assert_uint_eq(uva_timeout_when(self->cm),
                      self->deadline1 + UVA_SEC(20));
    ck_assert_int_eq(uva_timeout_reschedule(self->cm, UVA_FOREVER), 0);
    ck_assert(uva_timeout_when(self->cm) == UVA_FOREVER);

    uva_task_cancel(UVA_ERASE(self->task));
    AWAIT_IS(UV_ECANCELED, uva_join, UVA_FUTURE(self->task), NULL);
    UVA_END
    return 0;
}

/* A moved deadline is the one that comes: later, sooner, and at once. */
KIND_TEST(reschedule_moves_the_deadline, uva_timeout_t cm; uint64_t t0; int r;)
{
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->t0 = uva_loop_time(loop);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_MS(30)), 0);
    AWAIT_IS(0, uva_sleep, UVA_MS(20));
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_MS(25)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert_uint_eq(uva_loop_time(loop) - self->t0, UVA_MS(25));

    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_FOREVER), 0);
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, uva_loop_time(loop)), 0);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);

    /* One that is due but did not come yet can still be moved. */
    ck_assert_int_eq(uva_timeout_enter(&self->cm, 0), 0);
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_SEC(5)), 0);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), 0);
    UVA_END
    return 0;
}

KIND_TEST(repr_active, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_repr_active: there is no repr; what
     * it shows are the answers of these. */
    uva_loop_t *loop = uva_get_running_loop();

    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_SEC(10)), 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert_uint_eq(uva_timeout_when(&self->cm),
                      uva_loop_time(loop) + UVA_SEC(10));
    return uva_timeout_exit(&self->cm, 0);
}

KIND_TEST(repr_expired, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_repr_expired */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm));
    UVA_END
    return 0;
}

KIND_TEST(repr_finished, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_repr_finished */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_SEC(10)), 0);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_SEC(1)), UV_EPERM);
    UVA_END
    return 0;
}

KIND_TEST(repr_disabled, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_repr_disabled */
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_FOREVER), 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert(uva_timeout_when(&self->cm) == UVA_FOREVER);
    return uva_timeout_exit(&self->cm, 0);
}

/* --- with cancellation --- */

KIND_TEST(nested_timeout_in_finally, uva_timeout_t cm1; uva_timeout_t cm2;
          int r;)
{
    /* test_timeouts.py, TimeoutTests.test_nested_timeout_in_finally */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm1, UVA_MS(10)), 0);
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(uva_timeout_enter(&self->cm2, UVA_MS(10)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_exit(&self->cm2, self->r), UV_ETIMEDOUT);
    ck_assert_int_eq(uva_timeout_exit(&self->cm1, UV_ECANCELED), UV_ETIMEDOUT);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    UVA_END
    return 0;
}

KIND_TEST(timeout_after_cancellation, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_after_cancellation */
    UVA_BEGIN
    uva_task_cancel(uva_current_task());
    AWAIT(self->r, uva_sleep, UVA_SEC(1)); /* Work which will be cancelled. */
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, 0), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(1)); /* Some cleanup. */
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    UVA_END
    return 0;
}

KIND_TEST(cancel_in_timeout_after_cancellation, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_cancel_in_timeout_after_cancellation
     */
    UVA_BEGIN
    uva_task_cancel(uva_current_task());
    AWAIT(self->r, uva_sleep, UVA_SEC(1)); /* Work which will be cancelled. */
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_SEC(1)), 0);
    uva_task_cancel(uva_current_task());
    AWAIT(self->r, uva_sleep, UVA_SEC(2)); /* Some cleanup. */
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ECANCELED);
    UVA_END
    return 0;
}

/* --- misuse --- */

KIND_TEST(timeout_already_entered, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_already_entered */
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), UV_EPERM);
    return uva_timeout_exit(&self->cm, 0);
}

KIND_TEST(timeout_double_enter, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_double_enter: a scope that
     * was left is memory of the caller again, and may be entered anew; only
     * leaving it twice is noticed. */
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, 0), 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, KEY_ERROR), KEY_ERROR);
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    return uva_timeout_exit(&self->cm, 0);
}

KIND_TEST(timeout_finished, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_finished */
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, 0), 0);
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_MS(20)), UV_EPERM);
    return 0;
}

KIND_TEST(timeout_expired, uva_timeout_t cm; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_expired */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UV_ETIMEDOUT);
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_MS(20)), UV_EPERM);
    UVA_END
    return 0;
}

KIND_TEST(timeout_expiring, uva_timeout_t cm;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_expiring */
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_MS(20)), UV_EPERM);
    /* The cancellation was swallowed: the block succeeds. */
    ck_assert_int_eq(uva_timeout_exit(&self->cm, 0), 0);
    ck_assert(uva_timeout_expired(&self->cm));
    UVA_END
    return 0;
}

START_TEST(timeout_not_entered)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_not_entered */
    uva_timeout_t cm = {.state = 0};

    ck_assert_int_eq(uva_timeout_reschedule(&cm, UVA_MS(20)), UV_EPERM);
    ck_assert_int_eq(uva_timeout_exit(&cm, KEY_ERROR), KEY_ERROR);
    ck_assert(!uva_timeout_expired(&cm));
}
END_TEST

static void timeout_in_callback(void *data)
{
    uva_timeout_t cm;

    ck_assert_int_eq(uva_timeout_enter(&cm, UVA_MS(10)), UVA_ENOTASK);
    ck_assert_int_eq(uva_timeout_reschedule(&cm, UVA_MS(20)), UV_EPERM);
    /* Who did not look at the code of the enter is told by the exit. */
    ck_assert_int_eq(uva_timeout_exit(&cm, 0), UVA_ENOTASK);
    *(bool *)data = true;
}

START_TEST(timeout_without_task)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_without_task */
    bool called = false;
    uva_timeout_t cm;

    ck_assert_int_eq(uva_timeout_enter(&cm, UVA_MS(10)), UVA_ENOTASK);
    ck_assert_int_eq(uva_timeout_exit(&cm, KEY_ERROR), KEY_ERROR);
    ck_assert_int_eq(uva_loop_call_soon(uva_test_loop, timeout_in_callback,
                                        &called, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert(called);
}
END_TEST

/* --- with a group --- */

KIND_TASK(void, crash_in_cleanup, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_SEC(2)); /* Interrupted after 10 ms. */
    ck_assert_int_eq(self->r, UV_ECANCELED);
    UVA_END
    return ZERO_DIVISION_ERROR;
}

KIND_TEST(timeout_taskgroup, uva_timeout_t cm; uva_taskgroup_t tg; int r;)
{
    /* test_timeouts.py, TimeoutTests.test_timeout_taskgroup */
    const uva_error_t *error;

    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm, UVA_MS(10)), 0);
    ck_assert_int_eq(uva_taskgroup_enter(&self->tg), 0);
    (void)KIND_SPAWN_IN(&self->tg, crash_in_cleanup);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    ck_assert_int_eq(self->r, UV_ECANCELED);
    AWAIT(self->r, uva_taskgroup_exit, &self->tg, self->r);
    ck_assert_int_eq(self->r, UVA_EGROUP);
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r), UVA_EGROUP);
    error = uva_task_error();
    ck_assert_int_eq(uva_error_code(error), UVA_EGROUP);
    ck_assert_uint_eq(uva_error_member_count(error), 1);
    ck_assert_int_eq(uva_error_code(uva_error_member(error, 0)),
                     ZERO_DIVISION_ERROR);
    UVA_END
    return 0;
}

/* --- the suite --- */

static void add_coming(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, timeout_basic, timeout_at_basic, nested_timeouts,
                   waiter_cancelled, timeout_not_called, timeout_disabled,
                   timeout_at_disabled, timeout_zero, timeout_zero_sleep_zero,
                   timeout_in_the_past_sleep_zero, nested_timeouts_concurrent,
                   nested_timeouts_loop_busy, both_deadlines_pass_while_busy,
                   reschedule, reschedule_moves_the_deadline, repr_active,
                   repr_expired, repr_finished, repr_disabled);
}

static void add_failures(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, foreign_exception_passed,
                   foreign_exception_on_timeout, foreign_exception_on_timeout_2,
                   foreign_cancel_doesnt_timeout_if_not_expired,
                   outer_task_is_not_cancelled, nested_timeout_in_finally,
                   timeout_after_cancellation,
                   cancel_in_timeout_after_cancellation, timeout_taskgroup);
}

static void add_misuse(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, timeout_already_entered, timeout_double_enter,
                   timeout_finished, timeout_expired, timeout_expiring);
    UVA_ADD_TESTS(tcase, timeout_not_entered);
}

int main(void)
{
    Suite *suite = suite_create("timeouts");
    TCase *outside = UVA_TCASE(suite, "Outside");

    add_coming(UVA_TCASE(suite, "Coming"));
    add_failures(UVA_TCASE(suite, "Failures"));
    add_misuse(UVA_TCASE(suite, "Misuse"));
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, timeout_without_task);
    return uva_test_main(suite);
}
