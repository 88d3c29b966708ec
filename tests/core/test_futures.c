/*
 * Futures: CPython's tests of results, failures and what is told of them.
 * test_futures_callbacks.c has those of done callbacks.
 */
#include "kinds.h"

#include <string.h>

static int number = 42;
static char foo[] = "foo";

static uva_future_t *new_future(void)
{
    return uva_loop_create_future(uva_test_loop);
}

static bool logged(const char *words)
{
    return strstr(uva_test_log(), words) != NULL;
}

/* --- making --- */

START_TEST(initial_state)
{
    /* test_futures.py, BaseFutureTests.test_initial_state */
    uva_future_t *f = new_future();

    ck_assert(!uva_future_cancelled(f));
    ck_assert(!uva_future_done(f));
    ck_assert(uva_future_cancel(f));
    ck_assert(uva_future_cancelled(f));
    uva_future_unref(f);
}
END_TEST

START_TEST(constructor_without_loop)
{
    /* test_futures.py, BaseFutureTests.test_constructor_without_loop */
    uva_future_t *f = uva_create_future();

    ck_assert_int_eq(uva_future_exception(f), UVA_ENOLOOP);
    ck_assert_int_eq(uva_future_exception(uva_loop_create_future(NULL)),
                     UVA_ENOLOOP);
    uva_future_unref(f);
}
END_TEST

KIND_TEST(constructor_use_running_loop, uva_future_t *f;)
{
    /* test_futures.py, BaseFutureTests.test_constructor_use_running_loop */
    self->f = uva_create_future();
    ck_assert_ptr_eq(uva_future_get_loop(self->f), uva_get_running_loop());
    uva_future_unref(self->f);
    return 0;
}

/* --- results --- */

START_TEST(future_cancel_message_getter)
{
    /* test_futures.py, BaseFutureTests.test_future_cancel_message_getter */
    uva_future_t *f = new_future();

    ck_assert_ptr_null(uva_future_get_cancel_message(f));
    ck_assert(uva_future_cancel_message(f, "my message"));
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, f, NULL),
                     UV_ECANCELED);
    ck_assert_str_eq(uva_future_get_cancel_message(f), "my message");
    uva_future_unref(f);
}
END_TEST

/* How a future ends; nothing changes it afterwards. */
static const struct {
    const char *name;
    bool cancelled;
    int code;
} ends[] = {
    /* test_futures.py, BaseFutureTests: rows */
    {"cancel", true, UV_ECANCELED},
    {"result", false, 0},
    {"exception", false, RUNTIME_ERROR},
};

START_TEST(end_of_a_future)
{
    uva_future_t *f = new_future();
    void *value = NULL;
    int code;

    UVA_FIND_ROW();
    code = UVA_ROW(ends)->code;
    ck_assert_int_eq(uva_future_result(f, &value), UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_future_exception(f), UVA_EINVALIDSTATE);
    if (UVA_ROW(ends)->cancelled) {
        ck_assert(uva_future_cancel(f));
    } else {
        ck_assert_int_eq(code == 0 ? uva_future_set_result(f, &number, NULL)
                                   : uva_future_set_exception(f, code, NULL),
                         0);
    }
    ck_assert_int_eq(uva_future_cancelled(f), UVA_ROW(ends)->cancelled);
    ck_assert(uva_future_done(f));
    ck_assert_int_eq(uva_future_result(f, &value), code);
    ck_assert_ptr_eq(value, code == 0 ? &number : NULL);
    ck_assert_int_eq(uva_future_exception(f), code);
    ck_assert_int_eq(uva_future_set_result(f, NULL, NULL), UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_future_set_exception(f, KEY_ERROR, NULL),
                     UVA_EINVALIDSTATE);
    ck_assert(!uva_future_cancel(f));
    uva_future_unref(f);
}
END_TEST

/* A failure is a negative code. */
START_TEST(exception_that_is_none)
{
    uva_future_t *f = new_future();

    ck_assert_int_eq(uva_future_set_exception(f, 0, NULL), UV_EINVAL);
    ck_assert_int_eq(uva_future_set_exception(f, 1, NULL), UV_EINVAL);
    ck_assert_int_eq(uva_future_set_error(f, NULL), UV_EINVAL);
    ck_assert(!uva_future_done(f));
    ck_assert_int_eq(uva_future_set_exception(f, KEY_ERROR, "no key"), 0);
    ck_assert_int_eq(uva_error_code(uva_future_error(f)), KEY_ERROR);
    ck_assert_str_eq(uva_error_text(uva_future_error(f)), "no key");
    ck_assert_int_eq(uva_future_exception(f), KEY_ERROR);
    uva_future_unref(f);
}
END_TEST

/* --- awaiting --- */

typedef struct fixture_s {
    uva_future_t *f;
    void *x;
    void *y;
} fixture_t;

static char words[][2] = {"A", "B", "C"};

static int fixture(void *arg, void **ret_result)
{
    fixture_t *state = arg;

    (void)ret_result;
    ck_assert_int_eq(uva_coroutine_yield(words[0], NULL), 0);
    ck_assert_int_eq(uva_await(state->f, &state->x), 0);
    ck_assert_int_eq(uva_coroutine_yield(words[1], NULL), 0);
    ck_assert_int_eq(uva_await(state->f, &state->y), 0);
    ck_assert_int_eq(uva_coroutine_yield(words[2], NULL), 0);
    return 0;
}

static void set_number(void *data)
{
    ck_assert_int_eq(uva_future_set_result(data, &number, NULL), 0);
}

UVA_TEST(yield_from_twice)
{
    /* test_futures.py, BaseFutureTests.test_yield_from_twice */
    uva_loop_t *loop = uva_get_running_loop();
    fixture_t state = {uva_create_future(), NULL, NULL};
    uva_coroutine_t *g;
    uint64_t iterations;
    void *value = NULL;

    ck_assert_int_eq(uva_coroutine_new(fixture, &state, NULL, &g), 0);
    ck_assert_int_eq(uva_coroutine_send(g, NULL, &value), 1);
    ck_assert_str_eq(value, "A");
    /* The first await waits, and this task with it. */
    ck_assert_int_eq(uva_loop_call_soon(NULL, set_number, state.f, NULL, NULL),
                     0);
    iterations = uva_loop_iterations(loop);
    ck_assert_int_eq(uva_coroutine_send(g, NULL, &value), 1);
    ck_assert_uint_gt(uva_loop_iterations(loop), iterations);
    ck_assert_str_eq(value, "B");
    ck_assert_int_eq(*(int *)state.x, 42);
    /* The second one does not. */
    iterations = uva_loop_iterations(loop);
    ck_assert_int_eq(uva_coroutine_send(g, NULL, &value), 1);
    ck_assert_uint_eq(uva_loop_iterations(loop), iterations);
    ck_assert_str_eq(value, "C");
    ck_assert_int_eq(*(int *)state.y, 42);
    ck_assert_int_eq(uva_coroutine_send(g, NULL, &value), 0);
    uva_coroutine_unref(g);
    uva_future_unref(state.f);
}

/* --- what is told of a future --- */

static bool tells(uva_future_t *future, const char *text)
{
    uva_buffer_t buffer = {0};
    bool same;

    ck_assert_int_eq(uva_format_call_graph(future, &buffer), 0);
    same = strncmp((const char *)buffer.data, text, strlen(text)) == 0;
    uva_buffer_clear(&buffer);
    return same;
}

START_TEST(future_repr)
{
    /* test_futures.py, BaseFutureTests.test_future_repr: what tells of a
     * future is the call graph. Callbacks are not named. */
    uva_future_t *f;

    uva_loop_set_debug(uva_test_loop, true);
    f = new_future();
    ck_assert(tells(f, "* a future, pending, made at "));
    uva_future_unref(f);
    uva_loop_set_debug(uva_test_loop, false);

    f = new_future();
    ck_assert(tells(f, "* a future, pending\n"));
    uva_future_cancel(f);
    ck_assert(tells(f, "* a future, cancelled\n"));
    uva_future_unref(f);

    f = new_future();
    (void)uva_future_set_result(f, &number, NULL);
    ck_assert(tells(f, "* a future, finished\n"));
    uva_future_unref(f);

    f = new_future();
    (void)uva_future_set_exception(f, UV_EINVAL, NULL);
    ck_assert(tells(f, "* a future, failed with EINVAL ("));
    ck_assert_int_eq(uva_future_exception(f), UV_EINVAL);
    uva_future_unref(f);
}
END_TEST

START_TEST(copy_state)
{
    /* test_futures.py, BaseFutureTests.test_copy_state: what copies the state
     * of a future is a shield. */
    uva_future_t *f = new_future();
    uva_future_t *newf = uva_shield_future(f);
    void *value = NULL;

    (void)uva_future_set_result(f, &number, NULL);
    hand_briefly();
    ck_assert(uva_future_done(newf));
    ck_assert_int_eq(uva_future_result(newf, &value), 0);
    ck_assert_ptr_eq(value, &number);
    uva_future_unref(f);
    uva_future_unref(newf);

    f = new_future();
    newf = uva_shield_future(f);
    (void)uva_future_set_exception(f, RUNTIME_ERROR, "said once");
    hand_briefly();
    ck_assert(uva_future_done(newf));
    ck_assert_int_eq(uva_future_result(newf, NULL), RUNTIME_ERROR);
    ck_assert_str_eq(uva_error_text(uva_future_error(newf)), "said once");
    ck_assert_ptr_null(uva_error_cause(uva_future_error(newf)));
    uva_future_unref(f);
    uva_future_unref(newf);

    f = new_future();
    newf = uva_shield_future(f);
    (void)uva_future_cancel_message(f, "why");
    hand_briefly();
    ck_assert(uva_future_cancelled(newf));
    ck_assert_ptr_null(uva_future_get_cancel_message(newf));
    uva_future_unref(f);
    uva_future_unref(newf);
}
END_TEST

/* --- failures that nobody looked at --- */

typedef int (*look_cb)(uva_future_t *future);

static int look_at_result(uva_future_t *future)
{
    return uva_future_result(future, NULL);
}

static int cancel_late(uva_future_t *future)
{
    return uva_future_cancel(future) ? 0 : RUNTIME_ERROR;
}

static const struct {
    const char *name;
    bool done;
    int code;
    look_cb look; /* Gives the code. */
    bool told;
} dropped[] = {
    /* test_futures.py, BaseFutureTests: rows */
    {"tb_logger_abandoned", false, 0, NULL, false},
    {"tb_logger_not_called_after_cancel", true, RUNTIME_ERROR, cancel_late,
     false},
    {"tb_logger_result_unretrieved", true, 0, NULL, false},
    {"tb_logger_result_retrieved", true, 0, look_at_result, false},
    {"tb_logger_exception_unretrieved", true, RUNTIME_ERROR, NULL, true},
    {"tb_logger_exception_retrieved", true, RUNTIME_ERROR, uva_future_exception,
     false},
    {"tb_logger_exception_result_retrieved", true, RUNTIME_ERROR,
     look_at_result, false},
};

START_TEST(dropped_future)
{
    uva_future_t *fut = new_future();
    int code;
    look_cb look;

    UVA_FIND_ROW();
    code = UVA_ROW(dropped)->code;
    look = UVA_ROW(dropped)->look;
    uva_test_log_begin();
    if (code < 0) {
        (void)uva_future_set_exception(fut, code, "boom");
    } else if (UVA_ROW(dropped)->done) {
        (void)uva_future_set_result(fut, &number, NULL);
    }
    ck_assert(look == NULL || look(fut) == code);
    uva_future_unref(fut);
    hand_briefly();
    if (UVA_ROW(dropped)->told) {
        ck_assert(logged("Future exception was never retrieved"));
        ck_assert(logged("boom"));
    } else {
        ck_assert_str_eq(uva_test_log(), "");
    }
}
END_TEST

static void check_future_exception_never_retrieved(bool debug)
{
    uva_future_t *future;

    uva_loop_set_debug(uva_test_loop, debug);
    future = uva_loop_create_future(uva_test_loop);
    uva_test_log_begin();
    (void)uva_future_set_exception(future, UV_ENOMEM, NULL);
    uva_future_unref(future);
    hand_briefly();
    /* One record. */
    ck_assert_ptr_eq(strchr(uva_test_log(), '\n'),
                     uva_test_log() + strlen(uva_test_log()) - 1);
    ck_assert_ptr_eq(
        strstr(uva_test_log(), "Future exception was never retrieved"),
        uva_test_log());
    ck_assert(logged("ENOMEM"));
    ck_assert(logged("made at ") == debug);
    ck_assert(logged("test_futures.c:") == debug);
}

START_TEST(future_exception_never_retrieved)
{
    /* test_futures.py, BaseFutureTests.test_future_exception_never_retrieved */
    check_future_exception_never_retrieved(false);
}
END_TEST

START_TEST(future_exception_never_retrieved_debug)
{
    /* test_futures.py,
     * BaseFutureTests.test_future_exception_never_retrieved_debug */
    check_future_exception_never_retrieved(true);
}
END_TEST

static void
keep_source(uva_loop_t *loop, const uva_exception_t *what, void *data)
{
    (void)loop;
    *(const char **)data = what->source;
}

START_TEST(future_source_traceback)
{
    /* test_futures.py, BaseFutureTests.test_future_source_traceback */
    const char *source = NULL;
    uva_future_t *future;
    const char *here;

    uva_loop_set_exception_handler(uva_test_loop, keep_source, &source);
    uva_loop_set_debug(uva_test_loop, true);
    future = uva_loop_create_future(uva_test_loop), here = UVA__HERE;
    (void)uva_future_set_exception(future, KEY_ERROR, NULL);
    uva_future_unref(future);
    ck_assert_str_eq(source, here);
}
END_TEST

START_TEST(set_result_unless_cancelled)
{
    /* test_futures.py, BaseFutureTests.test_set_result_unless_cancelled */
    uva_future_t *fut = new_future();

    uva_future_cancel(fut);
    ck_assert_int_eq(uva_future_set_result(fut, &number, NULL),
                     UVA_EINVALIDSTATE);
    ck_assert(uva_future_cancelled(fut));
    uva_future_unref(fut);
}
END_TEST

/* --- exception handlers and contexts --- */

static uva_context_var_t name = {"name", foo};
static char bar[] = "bar";

static void
expect_bar(uva_loop_t *loop, const uva_exception_t *what, void *data)
{
    (void)loop;
    (void)what;
    ck_assert_str_eq(uva_context_var_get(&name), "bar");
    *(bool *)data = true;
}

KIND_TASK(void, fail_in_context)
{
    ck_assert_int_eq(uva_context_var_set(&name, bar, NULL), 0);
    return ZERO_DIVISION_ERROR;
}

UVA_TEST(task_exc_handler_correct_context)
{
    /* test_futures2.py, FutureTests.test_task_exc_handler_correct_context */
    bool called = false;

    uva_loop_set_exception_handler(uva_get_running_loop(), expect_bar, &called);
    uva_task_unref(UVA_ERASE(KIND_SPAWN(fail_in_context)));
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert(called);
    ck_assert_str_eq(uva_context_var_get(&name), "foo");
}

static void report_in_context(void *data)
{
    uva_exception_t what = {.size = sizeof what,
                            .message = "a callback has failed",
                            .code = ZERO_DIVISION_ERROR};

    ck_assert_int_eq(uva_context_var_set(&name, bar, NULL), 0);
    uva_loop_call_exception_handler(uva_get_running_loop(), &what);
    what.handle = *(uva_handle_t **)data;
    uva_loop_call_exception_handler(uva_get_running_loop(), &what);
}

KIND_TEST(handle_exc_handler_correct_context, bool called;
          uva_handle_t * handle;
          int r;)
{
    /* test_futures2.py, FutureTests.test_handle_exc_handler_correct_context: a
     * callback cannot fail; it may report that something has. */
    UVA_BEGIN
    uva_loop_set_exception_handler(uva_get_running_loop(), expect_bar,
                                   &self->called);
    ck_assert_int_eq(uva_loop_call_soon(uva_get_running_loop(),
                                        report_in_context, &self->handle, NULL,
                                        &self->handle),
                     0);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert(self->called);
    ck_assert_str_eq(uva_context_var_get(&name), "foo");
    uva_handle_unref(self->handle);
    UVA_END
    return 0;
}

UVA_TEST(recursive_repr_for_pending_tasks)
{
    /* test_futures2.py,
     * FutureReprTests.test_recursive_repr_for_pending_tasks */
    uva_future_t *future = uva_create_future();
    uva_future_t *self = UVA_FUTURE(uva_current_task());
    uva_buffer_t text = {0};

    /* This task waits for the future, which waits for this task. */
    ck_assert_int_eq(uva_future_add_to_awaited_by(future, self), 0);
    ck_assert_int_eq(uva_future_add_to_awaited_by(self, future), 0);
    ck_assert_int_eq(uva_format_call_graph(future, &text), 0);
    ck_assert_ptr_nonnull(strstr((const char *)text.data, "(a cycle)"));
    uva_buffer_clear(&text);
    uva_future_discard_from_awaited_by(future, self);
    uva_future_discard_from_awaited_by(self, future);
    uva_future_unref(future);
}

/* --- the suite --- */

static void add_log(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TABLE(tcase, dropped_future, dropped);
    UVA_ADD_TESTS(tcase, future_exception_never_retrieved,
                  future_exception_never_retrieved_debug,
                  future_source_traceback);
}

static void add_state(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TABLE(tcase, end_of_a_future, ends);
    UVA_ADD_TESTS(tcase, initial_state, constructor_without_loop,
                  future_cancel_message_getter, exception_that_is_none,
                  future_repr, copy_state, set_result_unless_cancelled);
}

int main(void)
{
    Suite *suite = suite_create("futures");
    TCase *tasks = UVA_TCASE(suite, "Tasks");

    add_state(UVA_TCASE(suite, "State"));
    add_log(UVA_TCASE(suite, "Log"));
    KIND_ADD_TESTS(tasks, constructor_use_running_loop);
    UVA_ADD_TESTS(tasks, yield_from_twice);
    KIND_ADD_TESTS(tasks, task_exc_handler_correct_context,
                   handle_exc_handler_correct_context);
    UVA_ADD_TESTS(tasks, recursive_repr_for_pending_tasks);
    return uva_test_main(suite);
}
