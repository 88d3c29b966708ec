/*
 * What tests that make loops by themselves share: calls of a loop, bodies
 * and callbacks that do one small thing, and a fixture that proves that nothing
 * is left.
 */
#ifndef TEST_LOOPS_H
#define TEST_LOOPS_H

#include <stdlib.h>
#include <string.h>

#include "uva_test.h"

static inline bool logged(const char *words)
{
    return strstr(uva_test_log(), words) != NULL;
}

/* --- loops --- */

/* Run body(arg) as a task of a loop to its end. */
static inline int run_task(uva_loop_t *loop, uva_coro_cb body, void *arg)
{
    uva_task_t *task = uva_loop_create_task(loop, body, arg, NULL);
    int r = uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL);

    uva_task_unref(task);
    return r;
}

static inline void
call_soon(uva_loop_t *loop, uva_callback_cb callback, void *data)
{
    ck_assert_int_eq(uva_loop_call_soon(loop, callback, data, NULL, NULL), 0);
}

static inline void call_later(uva_loop_t *loop,
                              uint64_t delay_ns,
                              uva_callback_cb callback,
                              void *data)
{
    ck_assert_int_eq(
        uva_loop_call_later(loop, delay_ns, callback, data, NULL, NULL), 0);
}

static inline void call_at(uva_loop_t *loop,
                           uint64_t when_ns,
                           uva_callback_cb callback,
                           void *data)
{
    ck_assert_int_eq(
        uva_loop_call_at(loop, when_ns, callback, data, NULL, NULL), 0);
}

/* --- bodies and callbacks --- */

static inline int nothing(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

/* Ends with the code that arg points to. */
static inline int fail_with(void *arg, void **ret_result)
{
    (void)ret_result;
    return *(const int *)arg;
}

/* Sleeps as long as arg says. */
static inline int sleep_for(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_sleep(*(const uint64_t *)arg);
}

/* Counts a cancellation in arg, and passes it on. */
static inline int sleep_until_cancelled(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_FOREVER);

    (void)ret_result;
    if (r == UV_ECANCELED) {
        ++*(int *)arg;
    }
    return r;
}

static inline void stop(void *data)
{
    uva_loop_stop(data);
}

static inline void count_up(void *data)
{
    ++*(int *)data;
}

static inline void stop_when_done(uva_future_t *future, void *data)
{
    (void)future;
    uva_loop_stop(data);
}

/* --- the fixture --- */

static uva_test_mark_t loops_mark;

/* libuv keeps two descriptors from its first loop on. */
static UVA_UNUSED void loops_setup(void)
{
    uv_loop_t first;

    ck_assert_int_eq(uv_loop_init(&first), 0);
    ck_assert_int_eq(uv_loop_close(&first), 0);
    loops_mark = uva_test_mark();
}

static UVA_UNUSED void loops_teardown(void)
{
    uva_test_log_end();
    uva_test_nothing_left(loops_mark);
}

/** A case whose tests leave nothing: UVA_LOOPS_TCASE(suite, "Name"). */
#define UVA_LOOPS_TCASE(suite, name) loops_case(UVA_TCASE(suite, name))
static inline TCase *loops_case(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, loops_setup, loops_teardown);
    return tcase;
}

#endif /* TEST_LOOPS_H */
