/*
 * The loop: CPython's tests of running, stopping, closing and threads.
 */
#include "kinds.h"
#include "loops.h"

#include <inttypes.h>

/* --- closing --- */

START_TEST(close_base)
{
    /* test_base_events.py, BaseEventLoopTests.test_close */
    uva_loop_t *loop = new_loop();
    uva_future_t *f = uva_loop_create_future(loop);

    ck_assert(!uva_loop_is_closed(loop));
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert(uva_loop_is_closed(loop));
    /* It is possible to close more than once. */
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(uva_loop_run_forever(loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, f, NULL), UV_EPERM);
    uva_future_unref(f);
    uva_loop_unref(loop);
}
END_TEST

START_TEST(close_events)
{
    /* test_events.py, EventLoopTestsMixin.test_close */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();
    int dropped = 0;
    uva_task_t *task;

    options.arg_destroy = count_up;
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(uva_loop_run_forever(loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_call_soon(loop, stop, loop, NULL, NULL),
                     UV_EPERM);
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(loop, stop, loop, NULL, NULL), UV_EPERM);
    ck_assert_int_eq(
        uva_loop_call_later(loop, UVA_SEC(1), stop, loop, NULL, NULL),
        UV_EPERM);
    ck_assert_int_eq(
        uva_loop_call_at(loop, uva_loop_time(loop), stop, loop, NULL, NULL),
        UV_EPERM);
    task = uva_loop_create_task(loop, nothing, &dropped, &options);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_EPERM);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(uva_future_exception(uva_loop_create_future(loop)),
                     UV_EPERM);
    /* What only looks still works, and a stop is nothing. */
    ck_assert_uint_eq(uva_loop_time(loop), 0);
    ck_assert_ptr_null(uva_loop_uv(loop));
    uva_loop_stop(loop);
    ck_assert_uint_eq(uva_loop_all_tasks(loop, NULL, 0), 0);
    uva_loop_unref(loop);
}
END_TEST

START_TEST(create_task_error_closes_coro)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_create_task_error_closes_coro */
    uva_loop_t *loop = new_loop();
    uva_awaitable_t awaitable = {NULL, nothing, NULL};
    char told[128];

    ck_assert_int_eq(uva_loop_close(loop), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uva_future_exception(uva_ensure_future(&awaitable, loop)),
                     UV_EPERM);
    (void)snprintf(told, sizeof told,
                   "a task was refused: function 0x%" PRIxPTR
                   ": operation not permitted (EPERM)\n",
                   (uintptr_t)nothing);
    ck_assert_str_eq(uva_test_log(), told);
    uva_test_log_end();
    uva_loop_unref(loop);
}
END_TEST

static int close_loop(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_loop_close(arg);
}

START_TEST(close_running_event_loop)
{
    /* test_events.py, EventLoopTestsMixin.test_close_running_event_loop */
    uva_loop_t *loop = new_loop();

    ck_assert_int_eq(run_task(loop, close_loop, loop), UV_EPERM);
    ck_assert(!uva_loop_is_closed(loop));
    end_loop(loop);
}
END_TEST

/* --- running --- */

START_TEST(run_until_complete_loop)
{
    /* test_base_events.py, BaseEventLoopTests.test_run_until_complete_loop */
    uva_loop_t *loop = new_loop();
    uva_loop_t *other_loop = new_loop();
    uva_future_t *task = uva_loop_create_future(loop);

    ck_assert_int_eq(uva_loop_run_until_complete(other_loop, task, NULL),
                     UVA_EWRONGLOOP);
    uva_future_unref(task);
    end_loop(loop);
    end_loop(other_loop);
}
END_TEST

START_TEST(run_until_complete_loop_orphan_future_close_loop)
{
    /* test_base_events.py, BaseEventLoopTests.
     * test_run_until_complete_loop_orphan_future_close_loop: a stop takes the
     * place of the exception that ends the first run. */
    const uint64_t short_ns = UVA_MS(100);
    const uint64_t long_ns = UVA_MS(200);
    uva_loop_t *loop = new_loop();
    uint64_t delays[] = {short_ns, long_ns};

    UVA_IGNORE(uva_loop_call_soon(loop, stop, loop, NULL, NULL));
    ck_assert_int_eq(run_task(loop, sleep_for, &delays[0]), UV_EPERM);
    /* Fails if the first run left its callback behind. */
    ck_assert_int_eq(run_task(loop, sleep_for, &delays[1]), 0);
    ck_assert_uint_eq(uva_loop_time(loop), long_ns);
    end_loop(loop);
}
END_TEST

static int run_inner(void *arg, void **ret_result)
{
    uva_loop_t *loop = arg;

    (void)ret_result;
    ck_assert(uva_loop_is_running(loop));
    return run_task(loop, nothing, NULL);
}

START_TEST(run_until_complete_nesting)
{
    /* test_events.py, EventLoopTestsMixin.test_run_until_complete_nesting */
    uva_loop_t *loop = new_loop();

    ck_assert(!uva_loop_is_running(loop));
    ck_assert_int_eq(run_task(loop, run_inner, loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    end_loop(loop);
}
END_TEST

START_TEST(run_until_complete)
{
    /* test_events.py, EventLoopTestsMixin.test_run_until_complete */
    uint64_t delay_ns = UVA_MS(5);
    uva_loop_t *loop = new_real_loop();
    uint64_t t0;

    t0 = uva_loop_time(loop);
    ck_assert_int_eq(run_task(loop, sleep_for, &delay_ns), 0);
    ck_assert_uint_ge(uva_loop_time(loop) - t0, delay_ns);
    end_loop(loop);
}
END_TEST

static int stop_and_sleep(void *arg, void **ret_result)
{
    (void)ret_result;
    uva_loop_stop(arg);
    return uva_sleep(UVA_MS(100));
}

START_TEST(run_until_complete_stopped)
{
    /* test_events.py, EventLoopTestsMixin.test_run_until_complete_stopped */
    uva_loop_t *loop = new_loop();

    ck_assert_int_eq(run_task(loop, stop_and_sleep, loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    end_loop(loop);
}
END_TEST

static int run_other(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_loop_run_forever(arg);
}

START_TEST(running_loop_within_a_loop)
{
    /* test_base_events.py, RunningLoopTests.test_running_loop_within_a_loop */
    uva_loop_t *loop = new_loop();
    uva_loop_t *outer_loop = new_loop();

    ck_assert_int_eq(run_task(outer_loop, run_other, loop), UV_EPERM);
    end_loop(loop);
    end_loop(outer_loop);
}
END_TEST

KIND_TASK(void, running_is, uva_loop_t *loop;)
{
    ck_assert_ptr_eq(uva_get_running_loop(), self->loop);
    ck_assert_ptr_eq(uva_future_get_loop(UVA_FUTURE(uva_current_task())),
                     self->loop);
    return 0;
}

KIND_LOOP_TEST(get_event_loop_returns_running_loop)
{
    /* test_events.py,
     * GetEventLoopTestsMixin.test_get_event_loop_returns_running_loop: there
     * is no loop but the one that runs. */
    uva_loop_t *loop = new_loop();
    running_is_task_t *task;

    ck_assert_ptr_null(uva_get_running_loop());
    task = KIND_SPAWN_WITH(ON_LOOP(loop), running_is, .loop = loop);
    ck_assert_ptr_null(uva_get_running_loop());
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    ck_assert_ptr_null(uva_get_running_loop());
    uva_task_unref(UVA_ERASE(task));
    end_loop(loop);
}

/* --- stopping --- */

START_TEST(run_once)
{
    /* test_base_events.py, BaseEventLoopTests.test_run_once */
    uva_loop_t *loop = new_loop();
    int count = 0;

    UVA_IGNORE(uva_loop_call_soon(loop, count_up, &count, NULL, NULL));
    UVA_IGNORE(uva_loop_call_soon(loop, stop, loop, NULL, NULL));
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(count, 1);
    end_loop(loop);
}
END_TEST

static void call_count_up(void *data)
{
    ck_assert_int_eq(uva_loop_call_soon(NULL, count_up, data, NULL, NULL), 0);
}

START_TEST(run_forever_pre_stopped)
{
    /* test_base_events.py, BaseEventLoopTests.test_run_forever_pre_stopped */
    uva_loop_t *loop;
    int count = 0;

    for (int real = 0; real < 2; real++) {
        loop = NULL;
        ck_assert_int_eq(real ? uva_loop_new(NULL, &loop)
                              : uva_loop_new_virtual(NULL, &loop),
                         0);
        uva_loop_stop(loop);
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        /* What is ready runs, in one iteration, without waiting. */
        count = 0;
        uva_loop_stop(loop);
        UVA_IGNORE(uva_loop_call_soon(loop, call_count_up, &count, NULL, NULL));
        UVA_IGNORE(uva_loop_call_later(loop, UVA_SEC(60), count_up, &count,
                                       NULL, NULL));
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert_int_eq(count, 0);
        uva_loop_stop(loop);
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert_int_eq(count, 1);
        end_loop(loop);
    }
}
END_TEST

static void stop_and_call(void *data)
{
    uva_loop_stop(uva_get_running_loop());
    ck_assert_int_eq(uva_loop_call_soon(NULL, count_up, data, NULL, NULL), 0);
}

START_TEST(stop_ends_with_its_iteration)
{
    /* asyncio: BaseEventLoop.stop: what the last iteration has queued waits
     * for the next run. A real loop passes several iterations in one turn. */
    uva_loop_t *loop;
    int count;

    for (int real = 0; real < 2; real++) {
        loop = NULL;
        count = 0;
        ck_assert_int_eq(real ? uva_loop_new(NULL, &loop)
                              : uva_loop_new_virtual(NULL, &loop),
                         0);
        UVA_IGNORE(uva_loop_call_soon(loop, stop_and_call, &count, NULL, NULL));
        UVA_IGNORE(uva_loop_call_soon(loop, count_up, &count, NULL, NULL));
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert_int_eq(count, 1);
        uva_loop_stop(loop);
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert_int_eq(count, 2);
        end_loop(loop);
    }
}
END_TEST

START_TEST(custom_run_forever_integration)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_custom_run_forever_integration: a loop that the
     * application turns itself. */
    uva_loop_t *loop;
    uv_loop_t host;
    int count = 0;

    ck_assert_int_eq(uv_loop_init(&host), 0);
    ck_assert_int_eq(uva_loop_attach(&host, NULL, &loop), 0);
    UVA_IGNORE(uva_loop_call_soon(loop, count_up, &count, NULL, NULL));
    for (int i = 0; i < 10; i++) {
        uv_run(&host, UV_RUN_NOWAIT);
    }
    ck_assert_ptr_null(uva_get_running_loop());
    ck_assert(!uva_loop_is_running(loop));
    ck_assert_int_eq(count, 1);
    end_loop(loop);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&host), 0);
}
END_TEST

static int callcount;

static void clear_selector(void *data)
{
    uva_handle_cancel(data);
}

static void do_event(void *data)
{
    callcount++;
    UVA_IGNORE(uva_loop_call_soon(NULL, clear_selector, data, NULL, NULL));
}

START_TEST(single_selecter_event_callback_after_stopping)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_single_selecter_event_callback_after_stopping:
     * what came from outside runs once, however often the loop is stopped. */
    uva_loop_t *loop;
    uva_handle_t *doer = NULL;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    callcount = 0;
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(loop, do_event, NULL, NULL, &doer), 0);
    for (int i = 0; i < 2; i++) {
        UVA_IGNORE(uva_loop_call_soon(loop, stop, loop, NULL, NULL));
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert_int_eq(callcount, 1);
    }
    uva_handle_unref(doer);
    end_loop(loop);
}
END_TEST

/* --- threads --- */

typedef struct checker_s {
    uva_loop_t *loop;
    uva_future_t *fut;
    bool create_loop;
} checker_t;

static void set_done(void *data)
{
    (void)uva_future_set_result(data, NULL, NULL);
}

static void check_in_thread(void *data)
{
    checker_t *checker = data;
    uva_loop_t *loop = checker->loop;
    uva_loop_t *own = checker->create_loop ? new_loop() : NULL;
    int dropped = 0;
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    options.arg_destroy = count_up;
    ck_assert_int_eq(uva_loop_call_soon(loop, stop, loop, NULL, NULL),
                     UV_EPERM);
    ck_assert_int_eq(
        uva_loop_call_later(loop, UVA_SEC(60), stop, loop, NULL, NULL),
        UV_EPERM);
    ck_assert_int_eq(uva_loop_call_at(loop, 0, stop, loop, NULL, NULL),
                     UV_EPERM);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(uva_loop_create_task(
                         loop, nothing, &dropped, &options))),
                     UV_EPERM);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(uva_future_exception(uva_loop_create_future(loop)),
                     UV_EPERM);
    ck_assert_int_eq(uva_loop_close(loop), UV_EPERM);
    uva_loop_stop(loop);
    if (own != NULL) {
        end_loop(own);
    }
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(loop, set_done, checker->fut, NULL, NULL),
        0);
    uva_loop_release(loop);
}

START_TEST(check_thread)
{
    /* test_base_events.py, BaseEventLoopTests.test_check_thread: always, not
     * in debug mode alone. */
    for (int i = 0; i < 4; i++) {
        uva_loop_t *loop = new_loop();
        checker_t checker = {loop, uva_loop_create_future(loop), i >= 2};
        uv_thread_t thread;

        uva_loop_set_debug(loop, i % 2 == 0);
        uva_test_log_begin();
        uva_loop_hold(loop);
        ck_assert_int_eq(uv_thread_create(&thread, check_in_thread, &checker),
                         0);
        ck_assert_int_eq(uva_loop_run_until_complete(loop, checker.fut, NULL),
                         0);
        uv_thread_join(&thread);
        ck_assert(logged("non-thread-safe operation invoked on an event loop"));
        uva_future_unref(checker.fut);
        end_loop(loop);
    }
}
END_TEST

/* --- the suite --- */

static void add_running(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, run_until_complete_loop,
                  run_until_complete_loop_orphan_future_close_loop,
                  run_until_complete_nesting, run_until_complete,
                  run_until_complete_stopped, running_loop_within_a_loop);
    KIND_ADD_TESTS(tcase, get_event_loop_returns_running_loop);
    UVA_ADD_TESTS(tcase, run_once, run_forever_pre_stopped,
                  stop_ends_with_its_iteration, custom_run_forever_integration,
                  single_selecter_event_callback_after_stopping);
}

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *closing = UVA_LOOPS_TCASE(suite, "Closing");
    TCase *threads = UVA_LOOPS_TCASE(suite, "Threads");

    UVA_ADD_TESTS(closing, close_base, close_events,
                  create_task_error_closes_coro, close_running_event_loop);
    add_running(UVA_LOOPS_TCASE(suite, "Running"));
    UVA_ADD_TESTS(threads, check_thread);
    return uva_test_main(suite);
}
