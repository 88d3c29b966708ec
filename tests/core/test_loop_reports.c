/*
 * The loop: CPython's tests of exception handlers, task factories and debug
 * mode.
 */
#include "kinds.h"
#include "loops.h"

/* --- failures --- */

START_TEST(run_forever_keyboard_interrupt)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_run_forever_keyboard_interrupt: a failure that
     * the run has returned was seen. */
    uva_loop_t *loop = new_loop();
    int code = UV_EINTR;

    uva_test_log_begin();
    ck_assert_int_eq(run_task(loop, fail_with, &code), UV_EINTR);
    end_loop(loop);
    ck_assert_str_eq(uva_test_log(), "");
}
END_TEST

static void call_and_stop(void *data)
{
    ++*(int *)data;
    uva_loop_stop(uva_get_running_loop());
}

static void call_call_and_stop(void *data)
{
    UVA_IGNORE(uva_loop_call_soon(NULL, call_and_stop, data, NULL, NULL));
}

START_TEST(run_until_complete_baseexception)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_run_until_complete_baseexception */
    uva_loop_t *loop = new_loop();
    int code = UV_EINTR;
    int called = 0;

    ck_assert_int_eq(run_task(loop, fail_with, &code), UV_EINTR);
    /* No stop is left over that would end the next run too early. */
    UVA_IGNORE(
        uva_loop_call_soon(loop, call_call_and_stop, &called, NULL, NULL));
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(called, 1);
    end_loop(loop);
}
END_TEST

static void report_failure(void *data)
{
    uva_exception_t exception = {.size = sizeof exception,
                                 .message = "zero_error has failed",
                                 .code = ZERO_DIVISION_ERROR};

    (void)uva_future_set_result(data, NULL, NULL);
    uva_loop_call_exception_handler(uva_get_running_loop(), &exception);
}

START_TEST(default_exc_handler_callback)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_default_exc_handler_callback: a callback cannot
     * fail; it reports what has. */
    uva_loop_t *loop = new_loop();

    for (int timed = 0; timed < 2; timed++) {
        uva_future_t *fut = uva_loop_create_future(loop);
        uva_test_log_begin();
        if (timed) {
            UVA_IGNORE(uva_loop_call_later(loop, UVA_MS(10), report_failure,
                                           fut, NULL, NULL));
        } else {
            UVA_IGNORE(
                uva_loop_call_soon(loop, report_failure, fut, NULL, NULL));
        }
        UVA_IGNORE(
            uva_future_add_done_callback(fut, stop_when_done, loop, NULL));
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert(logged("zero_error has failed"));
        ck_assert(logged(uva_err_name(ZERO_DIVISION_ERROR)));
        uva_future_unref(fut);
    }
    end_loop(loop);
}
END_TEST

KIND_TASK(void, zero_error_coro, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    UVA_END
    return uva_fail(ZERO_DIVISION_ERROR, "division by zero");
}

KIND_LOOP_TEST(default_exc_handler_coro)
{
    /* test_base_events.py, BaseEventLoopTests.test_default_exc_handler_coro */
    uva_loop_t *loop = new_loop();
    zero_error_coro_task_t *fut =
        KIND_SPAWN_WITH(ON_LOOP(loop), zero_error_coro, .r = 0);

    UVA_IGNORE(uva_future_add_done_callback(UVA_FUTURE(fut), stop_when_done,
                                            loop, NULL));
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    uva_test_log_begin();
    uva_task_unref(UVA_ERASE(fut));
    ck_assert(logged("Task exception was never retrieved"));
    ck_assert(logged("function zero_error_coro"));
    ck_assert(logged("division by zero"));
    end_loop(loop);
}

typedef struct handled_s {
    int calls;
    int code;
    uva_loop_t *loop;
    uva_handle_t *handle;
} handled_t;

static void keep(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    handled_t *handled = data;

    handled->calls++;
    handled->code = exception->code;
    handled->loop = loop;
    handled->handle = exception->handle;
}

static void report_handle(void *data)
{
    uva_exception_t exception = {.size = sizeof exception,
                                 .message = "zero_error has failed",
                                 .code = ZERO_DIVISION_ERROR,
                                 .handle = *(uva_handle_t **)data};

    uva_loop_call_exception_handler(uva_get_running_loop(), &exception);
}

static void run_reporter(uva_loop_t *loop, uva_handle_t **ret_handle)
{
    ck_assert_int_eq(
        uva_loop_call_soon(loop, report_handle, ret_handle, NULL, ret_handle),
        0);
    ck_assert_int_eq(uva_loop_step(loop), 1);
}

START_TEST(set_exc_handler_custom)
{
    /* test_base_events.py, BaseEventLoopTests.test_set_exc_handler_custom */
    uva_loop_t *loop = new_loop();
    handled_t handled = {0, 0, NULL, NULL};
    uva_handle_t *handle;
    void *data = NULL;

    uva_loop_set_debug(loop, true);
    ck_assert(uva_loop_get_exception_handler(loop, NULL) == NULL);
    uva_loop_set_exception_handler(loop, keep, &handled);
    ck_assert(uva_loop_get_exception_handler(loop, &data) == keep);
    ck_assert_ptr_eq(data, &handled);
    run_reporter(loop, &handle);
    ck_assert_int_eq(handled.calls, 1);
    ck_assert_int_eq(handled.code, ZERO_DIVISION_ERROR);
    ck_assert_ptr_eq(handled.loop, loop);
    ck_assert_ptr_eq(handled.handle, handle);
    uva_handle_unref(handle);

    uva_loop_set_exception_handler(loop, NULL, NULL);
    uva_test_log_begin();
    run_reporter(loop, &handle);
    ck_assert(logged("zero_error has failed"));
    ck_assert(logged("call of report_handle made at "));
    ck_assert_int_eq(handled.calls, 1);
    uva_handle_unref(handle);
    end_loop(loop);
}
END_TEST

/* A handler that has a failure of its own to tell. */
static void
broken(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    uva_exception_t own = {.size = sizeof own,
                           .message = "the handler has failed too",
                           .code = KEY_ERROR};

    (void)exception;
    ++*(int *)data;
    uva_loop_call_exception_handler(loop, &own);
}

START_TEST(set_exc_handler_broken)
{
    /* test_base_events.py, BaseEventLoopTests.test_set_exc_handler_broken */
    uva_loop_t *loop = new_loop();
    uva_handle_t *handle;
    int calls = 0;

    uva_loop_set_exception_handler(loop, broken, &calls);
    uva_test_log_begin();
    run_reporter(loop, &handle);
    ck_assert_int_eq(calls, 1);
    ck_assert(logged("the handler has failed too"));
    uva_handle_unref(handle);
    end_loop(loop);
}
END_TEST

/* --- task factories and names --- */

static uva_task_t *naming_factory(uva_loop_t *loop,
                                  uva_coro_cb body,
                                  void *arg,
                                  const uva_task_options_t *options,
                                  void *data)
{
    uva_task_t *task = uva_loop_create_task(loop, body, arg, options);

    ++*(int *)data;
    if (options == NULL || options->name == NULL) {
        ck_assert_int_eq(uva_task_set_name(task, "made by the factory"), 0);
    }
    return task;
}

static bool
runs_named(uva_loop_t *loop, uva_task_t *take_task, const char *name)
{
    bool named = strcmp(uva_task_get_name(take_task), name) == 0;

    ck_assert_int_eq(
        uva_loop_run_until_complete(loop, UVA_FUTURE(take_task), NULL), 0);
    uva_task_unref(take_task);
    return named;
}

START_TEST(set_task_factory)
{
    /* test_base_events.py, BaseEventLoopTests.test_set_task_factory */
    uva_loop_t *loop = new_loop();
    int made = 0;
    void *data = NULL;

    ck_assert(uva_loop_get_task_factory(loop, NULL) == NULL);
    uva_loop_set_task_factory(loop, naming_factory, &made);
    ck_assert(uva_loop_get_task_factory(loop, &data) == naming_factory);
    ck_assert_ptr_eq(data, &made);
    ck_assert(runs_named(loop, uva_loop_create_task(loop, nothing, NULL, NULL),
                         "made by the factory"));
    ck_assert_int_eq(made, 1);

    uva_loop_set_task_factory(loop, NULL, NULL);
    ck_assert(uva_loop_get_task_factory(loop, NULL) == NULL);
    ck_assert(!runs_named(loop, uva_loop_create_task(loop, nothing, NULL, NULL),
                          "made by the factory"));
    ck_assert_int_eq(made, 1);
    end_loop(loop);
}
END_TEST

START_TEST(create_named_task_with_default_factory)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_create_named_task_with_default_factory */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();

    options.name = "test_task";
    ck_assert(runs_named(loop,
                         uva_loop_create_task(loop, nothing, NULL, &options),
                         "test_task"));
    end_loop(loop);
}
END_TEST

START_TEST(create_named_task_with_custom_factory)
{
    /* test_base_events.py,
     * BaseEventLoopTests.test_create_named_task_with_custom_factory */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();
    int made = 0;

    options.name = "test_task";
    uva_loop_set_task_factory(loop, naming_factory, &made);
    ck_assert(runs_named(loop,
                         uva_loop_create_task(loop, nothing, NULL, &options),
                         "test_task"));
    ck_assert_int_eq(made, 1);
    end_loop(loop);
}
END_TEST

/* --- debug mode --- */

START_TEST(set_debug)
{
    /* test_base_events.py, BaseEventLoopTests.test_set_debug */
    uva_loop_t *loop = new_loop();

    uva_loop_set_debug(loop, true);
    ck_assert(uva_loop_get_debug(loop));
    uva_loop_set_debug(loop, false);
    ck_assert(!uva_loop_get_debug(loop));
    end_loop(loop);
}
END_TEST

static bool debug_with(const char *value)
{
    uva_loop_t *loop;
    bool debug;

    if (value == NULL) {
        unsetenv("UVA_DEBUG");
    } else {
        setenv("UVA_DEBUG", value, 1);
    }
    loop = new_loop();
    debug = uva_loop_get_debug(loop);
    end_loop(loop);
    unsetenv("UVA_DEBUG");
    return debug;
}

START_TEST(env_var_debug)
{
    /* test_base_events.py, BaseEventLoopTests.test_env_var_debug */
    ck_assert(!debug_with(NULL));
    ck_assert(!debug_with(""));
    ck_assert(!debug_with("0"));
    ck_assert(debug_with("1"));
}
END_TEST

static void stop_loop_cb(void *data)
{
    uva_loop_stop(data);
}

KIND_TASK(void, stop_loop_coro, uva_loop_t *loop;)
{
    uva_loop_stop(self->loop);
    return 0;
}

KIND_LOOP_TEST(log_slow_callbacks)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_log_slow_callbacks */
    uva_loop_t *loop = new_loop();
    stop_loop_coro_task_t *task;

    uva_loop_set_debug(loop, true);
    uva_loop_set_slow_callback(loop, 0);
    UVA_IGNORE(uva_loop_call_soon(loop, stop_loop_cb, loop, NULL, NULL));
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert(logged("executing callback stop_loop_cb made at "));
    ck_assert(logged("test_loop_reports.c:"));
    ck_assert(logged(" took 0."));
    ck_assert(logged(" seconds\n"));

    task = KIND_SPAWN_WITH(ON_LOOP(loop), stop_loop_coro, .loop = loop);
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert(logged("executing a step of task '"));
    ck_assert(logged("(function stop_loop_coro"));
    uva_task_unref(UVA_ERASE(task));
    uva_loop_set_debug(loop, false);
    end_loop(loop);
}

/* --- the suite --- */

int main(void)
{
    Suite *suite = suite_create("loop_reports");
    TCase *failures = UVA_LOOPS_TCASE(suite, "Failures");
    TCase *factory = UVA_LOOPS_TCASE(suite, "Factory");
    TCase *debug = UVA_LOOPS_TCASE(suite, "Debug");

    UVA_ADD_TESTS(failures, run_forever_keyboard_interrupt,
                  run_until_complete_baseexception,
                  default_exc_handler_callback);
    KIND_ADD_TESTS(failures, default_exc_handler_coro);
    UVA_ADD_TESTS(failures, set_exc_handler_custom, set_exc_handler_broken);
    UVA_ADD_TESTS(factory, set_task_factory,
                  create_named_task_with_default_factory,
                  create_named_task_with_custom_factory);
    UVA_ADD_TESTS(debug, set_debug, env_var_debug);
    KIND_ADD_TESTS(debug, log_slow_callbacks);
    return uva_test_main(suite);
}
