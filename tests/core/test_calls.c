/*
 * Scheduled calls: CPython's tests of handles, call_soon, call_later and
 * call_at. test_calls_owned.c has what calls own.
 */
#include "uva_test.h"

#include <string.h>

static uva_test_trace_t calls;

static void note(void *data)
{
    uva_test_trace(&calls, "%s", (const char *)data);
}

static char a[] = "a";
static char b[] = "b";
static char c[] = "c";

static uva_handle_t *soon(char *word)
{
    uva_handle_t *handle;

    ck_assert_int_eq(
        uva_loop_call_soon(uva_test_loop, note, word, NULL, &handle), 0);
    return handle;
}

static uva_handle_t *later(uint64_t delay_ns, char *word)
{
    uva_handle_t *handle;

    ck_assert_int_eq(
        uva_loop_call_later(uva_test_loop, delay_ns, note, word, NULL, &handle),
        0);
    return handle;
}

static void step(void)
{
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
}

/* --- handles --- */

START_TEST(handle)
{
    /* test_events.py, HandleTests.test_handle */
    uva_handle_t *h = soon(a);

    ck_assert(!uva_handle_cancelled(h));
    uva_handle_cancel(h);
    ck_assert(uva_handle_cancelled(h));
    uva_handle_cancel(h);
    ck_assert(uva_handle_cancelled(h));
    uva_handle_unref(h);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "");
}
END_TEST

typedef struct reported_s {
    uva_handle_t *handle;
    int code;
    char message[64];
} reported_t;

static void
keep_report(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    reported_t *reported = data;

    ck_assert_ptr_eq(loop, uva_test_loop);
    reported->handle = exception->handle;
    reported->code = exception->code;
    strncpy(reported->message, exception->message,
            sizeof reported->message - 1);
}

static void report_itself(void *data)
{
    uva_exception_t exception = {.size = sizeof exception,
                                 .message = "a callback has failed",
                                 .code = UV_EINVAL,
                                 .handle = *(uva_handle_t **)data};

    uva_loop_call_exception_handler(uva_get_running_loop(), &exception);
}

START_TEST(callback_with_exception)
{
    /* test_events.py, HandleTests.test_callback_with_exception: a callback
     * cannot fail; it reports what has. */
    reported_t reported = {NULL, 0, ""};
    uva_handle_t *h;

    uva_loop_set_exception_handler(uva_test_loop, keep_report, &reported);
    ck_assert_int_eq(
        uva_loop_call_soon(uva_test_loop, report_itself, &h, NULL, &h), 0);
    step();
    ck_assert_ptr_eq(reported.handle, h);
    ck_assert_int_eq(reported.code, UV_EINVAL);
    ck_assert_str_eq(reported.message, "a callback has failed");
    uva_handle_unref(h);
}
END_TEST

/* What tells of a handle: its queries, and a report about it. */
static bool tells(uva_handle_t *h, const char *words)
{
    uva_exception_t exception = {
        .size = sizeof exception, .message = "told", .handle = h};
    bool found;

    uva_test_log_begin();
    uva_loop_default_exception_handler(uva_test_loop, &exception);
    found = strstr(uva_test_log(), words) != NULL;
    uva_test_log_end();
    return found;
}

START_TEST(handle_repr)
{
    /* test_events.py, HandleTests.test_handle_repr */
    uva_handle_t *h = soon(a);

    ck_assert(tells(h, "a call of note made at "));
    uva_handle_cancel(h);
    ck_assert(uva_handle_cancelled(h));
    ck_assert(tells(h, "a cancelled call of note made at "));
    uva_handle_unref(h);
    ck_assert(uva_handle_when(NULL) == 0 && !uva_handle_cancelled(NULL));
}
END_TEST

START_TEST(handle_repr_debug)
{
    /* test_events.py, HandleTests.test_handle_repr_debug */
    uva_handle_t *h;
    const char *here;

    uva_loop_set_debug(uva_test_loop, true);
    /* clang-format off */
    UVA_IGNORE(uva_loop_call_soon(uva_test_loop, note, a, NULL, &h)); here = UVA__HERE;
    /* clang-format on */
    ck_assert(tells(h, here));
    uva_handle_cancel(h);
    ck_assert(tells(h, here));
    /* A second cancellation changes nothing. */
    uva_handle_cancel(h);
    ck_assert(tells(h, here));
    uva_handle_unref(h);
}
END_TEST

START_TEST(handle_source_traceback)
{
    /* test_events.py, HandleTests.test_handle_source_traceback */
    uva_loop_t *loop = uva_test_loop;
    uva_handle_t *h;
    const char *here;

    /* clang-format off */
    UVA_IGNORE(uva_loop_call_soon(loop, note, a, NULL, &h)); here = UVA__HERE;
    ck_assert(tells(h, here));
    uva_handle_unref(h);
    UVA_IGNORE(uva_loop_call_soon_threadsafe(loop, note, a, NULL, &h)); here = UVA__HERE;
    ck_assert(tells(h, here));
    uva_handle_unref(h);
    UVA_IGNORE(uva_loop_call_later(loop, 0, note, a, NULL, &h)); here = UVA__HERE;
    ck_assert(tells(h, here));
    uva_handle_unref(h);
    UVA_IGNORE(uva_loop_call_at(loop, 0, note, a, NULL, &h)); here = UVA__HERE;
    ck_assert(tells(h, here));
    uva_handle_unref(h);
    /* clang-format on */
}
END_TEST

/* --- timers --- */

START_TEST(when)
{
    /* test_events.py, TimerTests.test_when */
    uint64_t when_ns = uva_loop_time(uva_test_loop) + UVA_SEC(3);
    uva_handle_t *h;

    ck_assert_int_eq(
        uva_loop_call_at(uva_test_loop, when_ns, note, a, NULL, &h), 0);
    ck_assert_uint_eq(uva_handle_when(h), when_ns);
    uva_handle_unref(h);
}
END_TEST

START_TEST(timer)
{
    /* test_events.py, TimerTests.test_timer */
    uva_handle_t *h = later(UVA_SEC(1), a);

    ck_assert(!uva_handle_cancelled(h));
    uva_handle_cancel(h);
    ck_assert(uva_handle_cancelled(h));
    uva_handle_unref(h);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "");
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
}
END_TEST

START_TEST(timer_repr)
{
    /* test_events.py, TimerTests.test_timer_repr */
    uva_handle_t *h = later(UVA_NS(123), a);

    ck_assert_uint_eq(uva_handle_when(h), 123);
    ck_assert(tells(h, "a call of note made at "));
    uva_handle_cancel(h);
    ck_assert_uint_eq(uva_handle_when(h), 123);
    ck_assert(tells(h, "a cancelled call of note made at "));
    uva_handle_unref(h);
}
END_TEST

START_TEST(timer_repr_debug)
{
    /* test_events.py, TimerTests.test_timer_repr_debug */
    uva_handle_t *h;
    const char *here;

    uva_loop_set_debug(uva_test_loop, true);
    /* clang-format off */
    UVA_IGNORE(uva_loop_call_later(uva_test_loop, 123, note, a, NULL, &h)); here = UVA__HERE;
    /* clang-format on */
    ck_assert(tells(h, here));
    uva_handle_cancel(h);
    ck_assert(tells(h, here));
    uva_handle_unref(h);
}
END_TEST

START_TEST(timer_comparison)
{
    /* test_events.py, TimerTests.test_timer_comparison: handles are not
     * compared; what their order decides is who comes first. */
    uva_handle_t *h1 = later(UVA_SEC(2), a);
    uva_handle_t *h2 = later(UVA_SEC(2), b);
    uva_handle_t *h3 = later(UVA_SEC(1), c);
    uva_handle_t *h4 = later(UVA_SEC(2), c);

    ck_assert_uint_eq(uva_handle_when(h1), uva_handle_when(h2));
    ck_assert_uint_lt(uva_handle_when(h3), uva_handle_when(h1));
    uva_handle_cancel(h4);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    /* The earlier one first; equal ones in the order they were made. */
    ck_assert_str_eq(calls.text, "c a b");
    uva_handle_unref(h1);
    uva_handle_unref(h2);
    uva_handle_unref(h3);
    uva_handle_unref(h4);
}
END_TEST

/* --- scheduling --- */

START_TEST(add_callback_handle)
{
    /* test_base_events.py, BaseEventLoopTests.test__add_callback_handle */
    uva_handle_unref(soon(a));
    /* It is ready, no deadline is waited for. */
    step();
    ck_assert_str_eq(calls.text, "a");
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), 0);
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 0);
}
END_TEST

START_TEST(add_callback_cancelled_handle)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test__add_callback_cancelled_handle */
    uva_handle_t *h = soon(a);

    uva_handle_cancel(h);
    uva_handle_unref(h);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "");
}
END_TEST

START_TEST(call_soon)
{
    /* test_base_events.py, BaseEventLoopTests.test_call_soon */
    uva_handle_t *h = soon(a);

    ck_assert_ptr_nonnull(h);
    ck_assert_str_eq(calls.text, "");
    step();
    ck_assert_str_eq(calls.text, "a");
    ck_assert_uint_eq(uva_handle_when(h), 0);
    uva_handle_unref(h);
}
END_TEST

static void count_destroy(void *data)
{
    ++*(int *)data;
}

static const uva_call_options_t destroying = {sizeof(uva_call_options_t), NULL,
                                              count_destroy};

START_TEST(call_soon_non_callable)
{
    /* test_base_events.py, BaseEventLoopTests.test_call_soon_non_callable */
    uva_loop_t *loop = uva_test_loop;
    int destroyed = 0;
    uva_handle_t *h = NULL;

    ck_assert_int_eq(
        uva_loop_call_soon(loop, NULL, &destroyed, &destroying, &h), UV_EINVAL);
    ck_assert_int_eq(
        uva_loop_call_later(loop, 0, NULL, &destroyed, &destroying, &h),
        UV_EINVAL);
    ck_assert_int_eq(
        uva_loop_call_at(loop, 0, NULL, &destroyed, &destroying, &h),
        UV_EINVAL);
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(loop, NULL, &destroyed, &destroying, &h),
        UV_EINVAL);
    ck_assert_int_eq(destroyed, 4);
    ck_assert_ptr_null(h);
}
END_TEST

START_TEST(call_later)
{
    /* test_base_events.py, BaseEventLoopTests.test_call_later */
    uva_handle_t *h = later(UVA_SEC(10), a);

    ck_assert_uint_eq(uva_handle_when(h), UVA_SEC(10));
    uva_handle_unref(soon(b));
    step();
    ck_assert_str_eq(calls.text, "b"); /* It is not ready. */
    step();
    ck_assert_str_eq(calls.text, "b a");
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_SEC(10));
    uva_handle_unref(h);
}
END_TEST

START_TEST(call_later_negative_delays)
{
    /* test_base_events.py, BaseEventLoopTests.test_call_later_negative_delays:
     * there are no negative durations, but deadlines in the past. */
    ck_assert_int_eq(uva_loop_advance(uva_test_loop, UVA_SEC(10)), 0);
    UVA_IGNORE(
        uva_loop_call_at(uva_test_loop, UVA_SEC(9), note, a, NULL, NULL));
    UVA_IGNORE(
        uva_loop_call_at(uva_test_loop, UVA_SEC(8), note, b, NULL, NULL));
    step();
    ck_assert_str_eq(calls.text, "b a");
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_SEC(10));
}
END_TEST

static void stop(void *data)
{
    uva_loop_stop(data);
}

START_TEST(time_and_call_at)
{
    /* test_base_events.py, BaseEventLoopTests.test_time_and_call_at */
    const uint64_t delay_ns = UVA_MS(5);
    uva_loop_t *loop;
    uint64_t t0;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    t0 = uva_loop_time(loop);
    ck_assert_int_eq(
        uva_loop_call_at(loop, t0 + delay_ns, stop, loop, NULL, NULL), 0);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_uint_ge(uva_loop_time(loop) - t0, delay_ns);
    end_loop(loop);
}
END_TEST

START_TEST(run_once)
{
    /* test_base_events.py, BaseEventLoopTests.test__run_once */
    uva_handle_t *h1 = later(UVA_SEC(5), a);
    uva_handle_t *h2 = later(UVA_SEC(10), b);

    uva_handle_cancel(h1);
    step();
    /* It waited for the one that was not cancelled. */
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_SEC(10));
    ck_assert_str_eq(calls.text, "b");
    uva_handle_unref(h1);
    uva_handle_unref(h2);
}
END_TEST

static void call_another(void *data)
{
    note(a);
    ck_assert_int_eq(uva_loop_call_soon(NULL, note, data, NULL, NULL), 0);
}

START_TEST(run_once_schedule_handle)
{
    /* test_base_events.py, BaseEventLoopTests.test__run_once_schedule_handle
     */
    UVA_IGNORE(uva_loop_call_at(uva_test_loop, 0, call_another, b, NULL, NULL));
    step();
    ck_assert_str_eq(calls.text, "a");
    step();
    ck_assert_str_eq(calls.text, "a b");
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 0);
}
END_TEST

START_TEST(run_once_cancelled_event_cleanup)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test__run_once_cancelled_event_cleanup: a cancelled
     * deadline is forgotten at once, wherever it stands. */
    uva_handle_t *kept = later(UVA_SEC(3000), a);
    uva_handle_t *handles[300];
    int destroyed = 0;

    for (int i = 0; i < 300; i++) {
        uint64_t delay_ns = i % 3 == 0 ? UVA_SEC(100) : UVA_SEC(3600 + i % 7);
        ck_assert_int_eq(uva_loop_call_later(uva_test_loop, delay_ns, note, b,
                                             NULL, &handles[i]),
                         0);
    }
    for (int i = 0; i < 300; i++) {
        int at = i * 7 % 300; /* In another order than they were made. */
        uva_handle_cancel(handles[at]);
        ck_assert_ptr_null(uva_handle_unref(handles[at]));
    }
    ck_assert_int_eq(uva_loop_call_later(uva_test_loop, UVA_SEC(1), note,
                                         &destroyed, &destroying, &handles[0]),
                     0);
    uva_handle_cancel(handles[0]);
    ck_assert_int_eq(destroyed, 1);
    uva_handle_unref(handles[0]);
    step();
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_SEC(3000));
    ck_assert_str_eq(calls.text, "a");
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 0);
    uva_handle_unref(kept);
}
END_TEST

/* --- on a loop that runs --- */

static void note_and_stop(void *data)
{
    note(data);
    uva_loop_stop(uva_get_running_loop());
}

START_TEST(call_later_runs)
{
    /* test_events.py, EventLoopTestsMixin.test_call_later */
    UVA_IGNORE(uva_loop_call_later(uva_test_loop, UVA_MS(100), note_and_stop, a,
                                   NULL, NULL));
    ck_assert_int_eq(uva_loop_run_forever(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "a");
}
END_TEST

START_TEST(call_soon_runs)
{
    /* test_events.py, EventLoopTestsMixin.test_call_soon */
    UVA_IGNORE(uva_loop_call_soon(uva_test_loop, note_and_stop, a, NULL, NULL));
    ck_assert_int_eq(uva_loop_run_forever(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "a");
}
END_TEST

static void note_and_stop_at_two(void *data)
{
    note(data);
    if (strchr(calls.text, ' ') != NULL) {
        uva_loop_stop(uva_get_running_loop());
    }
}

static void run_in_thread(void *data)
{
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(data, note_and_stop_at_two,
                                                   a, NULL, NULL),
                     0);
}

START_TEST(call_soon_threadsafe)
{
    /* test_events.py, EventLoopTestsMixin.test_call_soon_threadsafe */
    uv_thread_t thread;

    ck_assert_int_eq(uv_thread_create(&thread, run_in_thread, uva_test_loop),
                     0);
    uv_thread_join(&thread);
    UVA_IGNORE(
        uva_loop_call_soon(uva_test_loop, note_and_stop_at_two, b, NULL, NULL));
    ck_assert_int_eq(uva_loop_run_forever(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "a b");
}
END_TEST

START_TEST(call_soon_threadsafe_same_thread)
{
    /* test_events.py, EventLoopTestsMixin.test_call_soon_threadsafe_same_thread
     */
    UVA_IGNORE(uva_loop_call_soon_threadsafe(
        uva_test_loop, note_and_stop_at_two, a, NULL, NULL));
    UVA_IGNORE(
        uva_loop_call_soon(uva_test_loop, note_and_stop_at_two, b, NULL, NULL));
    ck_assert_int_eq(uva_loop_run_forever(uva_test_loop), 0);
    ck_assert_str_eq(calls.text, "a b");
}
END_TEST

static int sleep_shorter_and_shorter(void *arg, void **ret_result)
{
    const uint64_t delays[] = {UVA_MS(10), UVA_US(100), UVA_US(1), UVA_NS(10),
                               0};
    int r = 0;

    (void)arg;
    (void)ret_result;
    for (size_t i = 0; r == 0 && i < 5; i++) {
        uint64_t begin_ns = uv_hrtime();
        r = uva_sleep(delays[i]);
        ck_assert_uint_ge(uv_hrtime() - begin_ns, delays[i]);
    }
    return r;
}

START_TEST(timeout_rounding)
{
    /* test_events.py, EventLoopTestsMixin.test_timeout_rounding */
    uva_loop_t *loop;
    uva_task_t *task;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    task = uva_loop_create_task(loop, sleep_shorter_and_shorter, NULL, NULL);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    ck_assert_uint_le(uva_loop_iterations(loop), 20);
    end_loop(loop);
}
END_TEST

/* --- the suite --- */

/* libuv keeps two descriptors from its first loop on. */
static void setup(void)
{
    uv_loop_t first;

    ck_assert_int_eq(uv_loop_init(&first), 0);
    ck_assert_int_eq(uv_loop_close(&first), 0);
    memset(&calls, 0, sizeof calls);
    uva_test_loop_setup();
}

static void add_handles(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, uva_test_loop_teardown);
    UVA_ADD_TESTS(tcase, handle, callback_with_exception, handle_repr,
                  handle_repr_debug, handle_source_traceback, when, timer,
                  timer_repr, timer_repr_debug, timer_comparison);
}

static void add_scheduling(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, uva_test_loop_teardown);
    UVA_ADD_TESTS(tcase, add_callback_handle, add_callback_cancelled_handle,
                  call_soon, call_soon_non_callable, call_later,
                  call_later_negative_delays, time_and_call_at, run_once,
                  run_once_schedule_handle, run_once_cancelled_event_cleanup,
                  call_later_runs, call_soon_runs, call_soon_threadsafe,
                  call_soon_threadsafe_same_thread, timeout_rounding);
}

int main(void)
{
    Suite *suite = suite_create("calls");

    add_handles(UVA_TCASE(suite, "Handles"));
    add_scheduling(UVA_TCASE(suite, "Scheduling"));
    return uva_test_main(suite);
}
