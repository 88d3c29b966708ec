/*
 * Timeouts: CPython's tests, with both kinds of coroutine.
 */
#include "kinds.h"

/* --- coming and not coming --- */

/* One scope around one sleep. */
enum {
    IN_THE_PAST = 1 << 0, /* The deadline is 11 s ago. */
    BY_DEADLINE = 1 << 1, /* It is entered with a point in time. */
    WITHOUT_SLEEP = 1 << 2,
    CANCELLED_BEFORE = 1 << 3,
    CANCELLED_WITHIN = 1 << 4
};
static const struct {
    const char *name;
    uint64_t delay_ns;
    uint64_t sleep_ns;
    int code; /* Of the exit. */
    unsigned flags;
    int raises; /* By the block itself. */
} scopes[] = {
    /* test_timeouts.py, TimeoutTests: rows */
    {"timeout_basic", UVA_MS(10), UVA_SEC(10), .code = UV_ETIMEDOUT},
    {"timeout_at_basic", UVA_MS(10), UVA_SEC(10), .code = UV_ETIMEDOUT,
     .flags = BY_DEADLINE},
    {"waiter_cancelled", UVA_MS(10), UVA_SEC(10), .code = UV_ETIMEDOUT},
    {"timeout_not_called", UVA_SEC(10), UVA_MS(10), .code = 0},
    {"timeout_disabled", UVA_FOREVER, UVA_MS(10), .code = 0},
    {"timeout_at_disabled", UVA_FOREVER, UVA_MS(10), .code = 0,
     .flags = BY_DEADLINE},
    {"timeout_zero", 0, UVA_SEC(10), .code = UV_ETIMEDOUT},
    {"timeout_zero_sleep_zero", 0, 0, .code = UV_ETIMEDOUT},
    {"timeout_in_the_past_sleep_zero", 0, 0, .code = UV_ETIMEDOUT,
     .flags = BY_DEADLINE | IN_THE_PAST},
    /* There is no repr; what it shows are the answers that each row asks. */
    {"repr_active", UVA_SEC(10), 0, .code = 0, .flags = WITHOUT_SLEEP},
    {"repr_expired", UVA_MS(10), UVA_SEC(10), .code = UV_ETIMEDOUT},
    {"repr_finished", UVA_SEC(10), 0, .code = 0},
    {"repr_disabled", UVA_FOREVER, 0, .code = 0, .flags = WITHOUT_SLEEP},
    {"timeout_finished", UVA_MS(10), 0, .code = 0, .flags = WITHOUT_SLEEP},
    {"timeout_expired", UVA_MS(10), UVA_SEC(1), .code = UV_ETIMEDOUT},
    {"foreign_exception_passed", UVA_MS(10), 0, .code = KEY_ERROR,
     .flags = WITHOUT_SLEEP, .raises = KEY_ERROR},
    {"foreign_cancel_doesnt_timeout_if_not_expired", UVA_SEC(10), UVA_SEC(10),
     .code = UV_ECANCELED, .flags = CANCELLED_WITHIN},
    {"timeout_after_cancellation", 0, UVA_SEC(1), .code = UV_ETIMEDOUT,
     .flags = CANCELLED_BEFORE},
    {"cancel_in_timeout_after_cancellation", UVA_SEC(1), UVA_SEC(2),
     .code = UV_ECANCELED, .flags = CANCELLED_BEFORE | CANCELLED_WITHIN},
};

KIND_TEST(one_scope, uva_timeout_t cm; uint64_t t0; uint64_t when; int r;)
{
    unsigned flags = UVA_ROW(scopes)->flags;
    uint64_t delay_ns = UVA_ROW(scopes)->delay_ns;
    bool expires = UVA_ROW(scopes)->code == UV_ETIMEDOUT;
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    if ((flags & CANCELLED_BEFORE) != 0) {
        uva_task_cancel(uva_current_task());
    }
    AWAIT(self->r, uva_sleep, UVA_SEC(20)); /* Virtual time begins at 0. */
    ck_assert_int_eq(self->r, flags & CANCELLED_BEFORE ? UV_ECANCELED : 0);
    self->t0 = uva_loop_time(loop);
    self->when = delay_ns == UVA_FOREVER ? UVA_FOREVER : self->t0 + delay_ns;
    self->when -= flags & IN_THE_PAST ? UVA_SEC(11) : 0;
    self->r = flags & BY_DEADLINE ? uva_timeout_enter_at(&self->cm, self->when)
                                  : uva_timeout_enter(&self->cm, delay_ns);
    ck_assert_int_eq(self->r, 0);
    ck_assert(!uva_timeout_expired(&self->cm));
    ck_assert_uint_eq(uva_timeout_when(&self->cm), self->when);

    self->r = UVA_ROW(scopes)->raises;
    if ((flags & CANCELLED_WITHIN) != 0) {
        uva_task_cancel(uva_current_task());
    }
    if ((flags & WITHOUT_SLEEP) == 0) {
        AWAIT(self->r, uva_sleep, UVA_ROW(scopes)->sleep_ns);
        ck_assert_int_eq(self->r,
                         UVA_ROW(scopes)->code == 0 ? 0 : UV_ECANCELED);
    }
    ck_assert_int_eq(uva_timeout_exit(&self->cm, self->r),
                     UVA_ROW(scopes)->code);
    ck_assert_int_eq(uva_timeout_expired(&self->cm), expires);
    ck_assert_uint_eq(uva_timeout_when(&self->cm), self->when);
    ck_assert_int_eq(self->when <= uva_loop_time(loop), expires);
    ck_assert_int_eq(uva_timeout_reschedule(&self->cm, UVA_MS(20)), UV_EPERM);
    UVA_END
    return 0;
}

/* A scope within another, on a loop that is busy for a while. */
static const struct {
    const char *name;
    uint64_t outer_ns;
    uint64_t inner_ns;
    uint64_t busy_ns;
    int code; /* Of the inner exit: the outermost turns the cancellation. */
    bool inner_expires;
} nested[] = {
    /* The inner exit finds two cancellations, and leaves the outer one's. */
    {"both_deadlines_pass_while_busy", UVA_MS(100), UVA_MS(10), UVA_MS(100),
     UV_ECANCELED, true},
    /* test_timeouts.py, TimeoutTests: rows */
    {"nested_timeouts", UVA_MS(10), UVA_MS(10), 0, UV_ECANCELED, true},
    {"nested_timeouts_concurrent", UVA_MS(2), UVA_MS(100), UVA_MS(10),
     UV_ECANCELED, false},
    {"nested_timeouts_loop_busy", UVA_MS(100), UVA_MS(10), UVA_MS(99),
     UV_ETIMEDOUT, true},
};

KIND_TEST(two_scopes, uva_timeout_t cm1; uva_timeout_t cm2; int r;)
{
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->cm1, UVA_ROW(nested)->outer_ns),
                     0);
    ck_assert_int_eq(
        uva_timeout_enter_at(&self->cm2, UVA_ROW(nested)->inner_ns), 0);
    (void)uva_loop_advance(loop, UVA_ROW(nested)->busy_ns);
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    self->r = uva_timeout_exit(&self->cm2, self->r);
    ck_assert_int_eq(self->r, UVA_ROW(nested)->code);
    if (self->r == UV_ETIMEDOUT) {
        /* It was caught; the outer one interrupts what follows. */
        AWAIT(self->r, uva_sleep, UVA_SEC(10));
    }
    ck_assert_int_eq(uva_timeout_exit(&self->cm1, self->r), UV_ETIMEDOUT);
    ck_assert(uva_timeout_expired(&self->cm1));
    ck_assert_int_eq(uva_timeout_expired(&self->cm2),
                     UVA_ROW(nested)->inner_expires);
    ck_assert_uint_le(uva_loop_time(loop), UVA_SEC(1));
    UVA_END
    return 0;
}

/* --- other failures --- */

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
    KIND_ADD_TABLE(tcase, one_scope, scopes);
    KIND_ADD_TABLE(tcase, two_scopes, nested);
    KIND_ADD_TESTS(tcase, reschedule, reschedule_moves_the_deadline);
}

static void add_failures(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, foreign_exception_on_timeout,
                   foreign_exception_on_timeout_2, outer_task_is_not_cancelled,
                   nested_timeout_in_finally, timeout_taskgroup);
}

static void add_misuse(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, timeout_already_entered, timeout_double_enter,
                   timeout_expiring);
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
