/*
 * run and Runner: CPython's tests; what a run takes and gives back.
 * test_interrupt.c has those that end a process.
 */
#include "kinds.h"
#include "loops.h"

#include <signal.h>

static int number = 42;

static int make_virtual(uva_loop_t **ret_loop)
{
    return uva_loop_new_virtual(NULL, ret_loop);
}

/* --- run --- */

static int return_number(void *arg, void **ret_result)
{
    int r = uva_sleep(0);

    (void)arg;
    *ret_result = &number;
    return r;
}

UVA_TASK(int, typed_main, int value;)
{
    *ret = args->value;
    return uva_sleep(0);
}

UVA_STACKLESS(int, stackless_main, int value; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_yield);
    *ret = self->value;
    UVA_END
    return self->r;
}

START_TEST(asyncio_run_return)
{
    /* test_runners.py, RunTests.test_asyncio_run_return */
    void *result = NULL;
    int value = 0;

    ck_assert_int_eq(uva_run(return_number, NULL, NULL, &result), 0);
    ck_assert_ptr_eq(result, &number);
    ck_assert_int_eq(uva_run_task(typed_main, NULL, &value, .value = 42), 0);
    ck_assert_int_eq(value, 42);
    ck_assert_int_eq(uva_run_task(stackless_main, NULL, &value, .value = 43),
                     0);
    ck_assert_int_eq(value, 43);
    ck_assert_int_eq(uva_run_task(typed_main, NULL, NULL, .value = 42), 0);
}
END_TEST

static int spam(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(0) < 0 ? 0 : uva_fail(VALUE_ERROR, "%s", "spam");
}

START_TEST(asyncio_run_raises)
{
    /* test_runners.py, RunTests.test_asyncio_run_raises */
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uva_error_t *error = NULL;

    options.ret_error = &error;
    uva_test_log_begin();
    ck_assert_int_eq(uva_run(spam, NULL, &options, NULL), VALUE_ERROR);
    ck_assert_int_eq(uva_error_code(error), VALUE_ERROR);
    ck_assert_str_eq(uva_error_text(error), "spam");
    uva_error_unref(error);
    /* Who got it is the one who tells it. */
    ck_assert_str_eq(uva_test_log(), "");
    ck_assert_int_eq(uva_run(nothing, NULL, &options, NULL), 0);
    ck_assert_ptr_null(error);
}
END_TEST

static int expect_debug(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_loop_get_debug(uva_get_running_loop()) == *(const bool *)arg
               ? 0
               : UV_EINVAL;
}

static int run_with_debug(bool debug, bool expected)
{
    uva_loop_options_t loop_options = UVA_LOOP_OPTIONS_INIT;
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;

    loop_options.debug = debug;
    options.loop = &loop_options;
    return uva_run(expect_debug, &expected, &options, NULL);
}

START_TEST(asyncio_run_debug)
{
    /* test_runners.py, RunTests.test_asyncio_run_debug: the environment adds
     * debug mode and never takes it away. */
    ck_assert_int_eq(run_with_debug(false, false), 0);
    ck_assert_int_eq(run_with_debug(true, true), 0);
    setenv("UVA_DEBUG", "1", 1);
    ck_assert_int_eq(uva_run(expect_debug, &(bool){true}, NULL, NULL), 0);
    ck_assert_int_eq(run_with_debug(false, true), 0);
    setenv("UVA_DEBUG", "", 1);
    ck_assert_int_eq(run_with_debug(true, true), 0);
    ck_assert_int_eq(uva_run(expect_debug, &(bool){false}, NULL, NULL), 0);
    unsetenv("UVA_DEBUG");
}
END_TEST

static int fails_in_words(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_fail(*(const int *)arg, "port %s", "22x");
}

/* The code alone does not say it: where nobody takes the record, the log has
 * it. */
START_TEST(failed_run_is_told)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uva_error_t *error = NULL;

    uva_test_log_begin();
    ck_assert_int_eq(uva_run(fails_in_words, &(int){UV_EINVAL}, NULL, NULL),
                     UV_EINVAL);
    ck_assert(logged("The main task of a run failed; task '"));
    ck_assert(logged(": port 22x (EINVAL)\n"));
    uva_test_log_begin();
    ck_assert_int_eq(uva_run(fails_in_words, &(int){UV_ECANCELED}, NULL, NULL),
                     UV_ECANCELED);
    options.ret_error = &error;
    ck_assert_int_eq(uva_run(fails_in_words, &(int){UV_EIO}, &options, NULL),
                     UV_EIO);
    ck_assert_str_eq(uva_error_text(error), "port 22x");
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
    uva_error_unref(error);
}
END_TEST

static int run_again(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_run(nothing, NULL, NULL, NULL);
}

START_TEST(asyncio_run_from_running_loop)
{
    /* test_runners.py, RunTests.test_asyncio_run_from_running_loop */
    ck_assert_int_eq(uva_run(run_again, NULL, NULL, NULL), UV_EPERM);
}
END_TEST

static uva_task_t *lo_task;

static int leave_task(void *arg, void **ret_result)
{
    lo_task = uva_create_task(sleep_until_cancelled, arg);
    UVA_IGNORE(uva_sleep(0));
    *ret_result = &number;
    return 0;
}

START_TEST(asyncio_run_cancels_hanging_tasks)
{
    /* test_runners.py, RunTests.test_asyncio_run_cancels_hanging_tasks */
    int cancelled = 0;
    void *result = NULL;

    ck_assert_int_eq(uva_run(leave_task, &cancelled, NULL, &result), 0);
    ck_assert_ptr_eq(result, &number);
    ck_assert(uva_future_done(UVA_FUTURE(lo_task)));
    ck_assert_int_eq(cancelled, 1);
    uva_task_unref(lo_task);
}
END_TEST

static int fail_when_cancelled(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_FOREVER);

    (void)arg;
    (void)ret_result;
    return r == UV_ECANCELED ? ZERO_DIVISION_ERROR : r;
}

typedef struct reported_s {
    int calls;
    int code;
    uva_task_t *task;
    bool at_shutdown;
} reported_t;

static void keep(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    reported_t *reported = data;

    (void)loop;
    reported->calls++;
    reported->code = exception->code;
    reported->task = exception->task;
    reported->at_shutdown = strstr(exception->message, "shutdown") != NULL;
}

static int leave_failing_task(void *arg, void **ret_result)
{
    uva_loop_set_exception_handler(uva_get_running_loop(), keep, arg);
    lo_task = uva_create_task(fail_when_cancelled, NULL);
    UVA_IGNORE(uva_sleep(0));
    *ret_result = &number;
    return 0;
}

START_TEST(asyncio_run_reports_hanging_tasks_errors)
{
    /* test_runners.py, RunTests.test_asyncio_run_reports_hanging_tasks_errors
     */
    reported_t reported = {0, 0, NULL, false};
    void *result = NULL;

    ck_assert_int_eq(uva_run(leave_failing_task, &reported, NULL, &result), 0);
    ck_assert_ptr_eq(result, &number);
    ck_assert(uva_future_done(UVA_FUTURE(lo_task)));
    ck_assert_int_eq(reported.calls, 1);
    ck_assert(reported.at_shutdown);
    ck_assert_ptr_eq(reported.task, lo_task);
    ck_assert_int_eq(reported.code, ZERO_DIVISION_ERROR);
    uva_task_unref(lo_task);
}
END_TEST

static int stop_when_cancelled(void *arg, void **ret_result)
{
    int *ended = arg;
    int r = uva_sleep(UVA_FOREVER);

    (void)ret_result;
    uva_loop_stop(uva_get_running_loop());
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ++*ended;
    return r;
}

static int leave_stopping_task(void *arg, void **ret_result)
{
    (void)ret_result;
    uva_task_unref(uva_create_task(stop_when_cancelled, arg));
    return uva_sleep(0);
}

/* asyncio: RuntimeError, and the task is abandoned. */
START_TEST(stop_in_a_clean_up)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    int ended = 0;

    options.loop_factory = _i == 0 ? make_virtual : NULL;
    ck_assert_int_eq(uva_run(leave_stopping_task, &ended, &options, NULL), 0);
    ck_assert_int_eq(ended, 1);
}
END_TEST

static int interrupt_and_wait(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    raise(SIGINT);
    /* One request too many is left. */
    ck_assert_int_eq(uva_sleep(UVA_FOREVER), UV_ECANCELED);
    uva_task_cancel(uva_current_task());
    ck_assert_int_eq(uva_sleep(UVA_FOREVER), UV_ECANCELED);
    return UV_ECANCELED;
}

START_TEST(asyncio_run_without_uncancel)
{
    /* test_runners.py, RunTests.test_asyncio_run_without_uncancel: every task
     * can take a request back; when one is left the cancellation is no
     * KeyboardInterrupt. */
    ck_assert_int_eq(uva_run(interrupt_and_wait, NULL, NULL, NULL),
                     UV_ECANCELED);
}
END_TEST

static uva_loop_t *made;
static int made_count;

static int factory(uva_loop_t **ret_loop)
{
    int r = uva_loop_new_virtual(NULL, &made);

    made_count++;
    *ret_loop = made;
    return r;
}

static int expect_made(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_get_running_loop() == made ? 0 : UV_EINVAL;
}

START_TEST(asyncio_run_loop_factory)
{
    /* test_runners.py, RunTests.test_asyncio_run_loop_factory */
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;

    made_count = 0;
    options.loop_factory = factory;
    ck_assert_int_eq(uva_run(expect_made, NULL, &options, NULL), 0);
    ck_assert_int_eq(made_count, 1);
}
END_TEST

static int failing_factory(uva_loop_t **ret_loop)
{
    (void)ret_loop;
    return UV_EMFILE;
}

/* What cannot be run is dropped. */
START_TEST(run_without_a_loop)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uva_task_options_t task_options = UVA_TASK_OPTIONS_INIT;
    uva_runner_t runner;
    int dropped = 0;

    options.loop_factory = failing_factory;
    ck_assert_int_eq(uva_run(nothing, NULL, &options, NULL), UV_EMFILE);
    task_options.arg_destroy = count_up;
    uva_runner_init(&runner, &options);
    ck_assert_int_eq(
        uva_runner_run(&runner, nothing, &dropped, &task_options, NULL),
        UV_EMFILE);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
}
END_TEST

/* --- Runner --- */

static const struct {
    const char *name;
    bool debug;
} modes[] = {
    /* test_runners.py, RunnerTests: rows */
    {"non_debug", false},
    {"debug", true},
};

START_TEST(runner_in_debug)
{
    uva_loop_options_t loop_options = UVA_LOOP_OPTIONS_INIT;
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uva_runner_t runner;
    uva_loop_t *loop;

    UVA_FIND_ROW();
    loop_options.debug = UVA_ROW(modes)->debug;
    options.loop = &loop_options;
    uva_runner_init(&runner, &options);
    loop = uva_runner_get_loop(&runner);
    ck_assert_ptr_nonnull(loop);
    ck_assert_int_eq(uva_loop_get_debug(loop), UVA_ROW(modes)->debug);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
}
END_TEST

START_TEST(custom_factory)
{
    /* test_runners.py, RunnerTests.test_custom_factory */
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uva_runner_t runner;
    uva_loop_t *loop;

    options.loop_factory = factory;
    uva_runner_init(&runner, &options);
    loop = uva_runner_get_loop(&runner);
    ck_assert_ptr_nonnull(loop);
    ck_assert_ptr_eq(loop, made);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
}
END_TEST

static const struct {
    const char *name;
    bool runs;
    int closes;
} ends[] = {
    /* test_runners.py, RunnerTests: rows */
    {"run", true, 1},
    {"explicit_close", false, 1},
    {"double_close", false, 2},
};

START_TEST(runner_closes_its_loop)
{
    uva_runner_t runner;
    uva_loop_t *loop;
    void *result = NULL;

    UVA_FIND_ROW();
    uva_runner_init(&runner, NULL);
    if (UVA_ROW(ends)->runs) {
        ck_assert_int_eq(
            uva_runner_run(&runner, return_number, NULL, NULL, &result), 0);
        ck_assert_ptr_eq(result, &number);
    }
    loop = uva_runner_get_loop(&runner);
    ck_assert_ptr_nonnull(loop);
    uva_loop_ref(loop);
    for (int i = 0; i < UVA_ROW(ends)->closes; i++) {
        ck_assert_int_eq(uva_runner_close(&runner), 0);
        ck_assert(uva_loop_is_closed(loop));
        ck_assert_ptr_null(uva_runner_get_loop(&runner));
    }
    uva_loop_unref(loop);
}
END_TEST

static int append(void *arg, void **ret_result)
{
    (void)ret_result;
    ++*(int *)arg;
    return 0;
}

START_TEST(second_with_block_raises)
{
    /* test_runners.py, RunnerTests.test_second_with_block_raises */
    uva_runner_t runner;
    int ret = 0;

    uva_runner_init(&runner, NULL);
    ck_assert_int_eq(uva_runner_run(&runner, append, &ret, NULL, NULL), 0);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
    ck_assert_int_eq(uva_runner_run(&runner, append, &ret, NULL, NULL),
                     UV_EPERM);
    ck_assert_int_eq(ret, 1);
}
END_TEST

static int values[] = {-1, 1, 2};
static uva_context_var_t cvar = {"cvar", &values[0]};

static int set_and_return_old(void *arg, void **ret_result)
{
    void *old = uva_context_var_get(&cvar);
    int r = uva_sleep(0);

    if (r >= 0) {
        r = uva_context_var_set(&cvar, arg, NULL);
    }
    *ret_result = old;
    return r;
}

static int get_context(void *arg, void **ret_result)
{
    (void)arg;
    *ret_result = uva_copy_context();
    return 0;
}

START_TEST(run_keeps_context)
{
    /* test_runners.py, RunnerTests.test_run_keeps_context */
    uva_runner_t runner;
    void *result = NULL;
    void *value = NULL;

    uva_runner_init(&runner, NULL);
    ck_assert_int_eq(
        uva_runner_run(&runner, set_and_return_old, &values[1], NULL, &result),
        0);
    ck_assert_int_eq(*(int *)result, -1);
    ck_assert_int_eq(
        uva_runner_run(&runner, set_and_return_old, &values[2], NULL, &result),
        0);
    ck_assert_int_eq(*(int *)result, 1);
    ck_assert_int_eq(uva_runner_run(&runner, get_context, NULL, NULL, &result),
                     0);
    ck_assert(uva_context_get(result, &cvar, &value));
    ck_assert_int_eq(*(int *)value, 2);
    uva_context_unref(result);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
    /* The caller's context is as it was. */
    ck_assert_ptr_eq(uva_context_var_get(&cvar), &values[0]);
}
END_TEST

static int run_runner(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_runner_run(arg, nothing, NULL, NULL, NULL);
}

START_TEST(recursive_run)
{
    /* test_runners.py, RunnerTests.test_recursive_run */
    uva_runner_t runner;

    uva_runner_init(&runner, NULL);
    ck_assert_int_eq(uva_runner_run(&runner, run_runner, &runner, NULL, NULL),
                     UV_EPERM);
    ck_assert_int_eq(uva_runner_run(&runner, nothing, NULL, NULL, NULL), 0);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
}
END_TEST

/* --- Ctrl-C --- */

static void interrupt_self(void *data)
{
    (void)data;
    raise(SIGINT);
}

static int yield_until_cancelled(void *arg, void **ret_result)
{
    int r;

    (void)arg;
    (void)ret_result;
    do {
        r = uva_sleep(0);
    } while (r == 0);
    ck_assert_int_eq(r, UV_ECANCELED);
    return r;
}

static int await_future(void *arg, void **ret_result)
{
    uva_future_t *fut = uva_create_future();
    int r = uva_await(fut, ret_result);

    (void)arg;
    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert(uva_future_cancelled(fut));
    uva_future_unref(fut);
    return r;
}

static int subtask(void *arg, void **ret_result)
{
    (void)ret_result;
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_task_cancel(arg);
    raise(SIGINT);
    return 0;
}

static int start_subtask_and_sleep(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    uva_task_unref(uva_create_task(subtask, uva_current_task()));
    return uva_sleep(UVA_SEC(10));
}

static const struct {
    const char *name;
    uva_coro_cb body;
    int code;
} interrupted[] = {
    /* test_runners.py, RunnerTests: rows */
    {"interrupt_call_soon", yield_until_cancelled, UV_EINTR},
    {"interrupt_wait", await_future, UV_EINTR},
    {"interrupt_cancelled_task", start_subtask_and_sleep, UV_ECANCELED},
};

START_TEST(runner_is_interrupted)
{
    uva_runner_t runner;
    uva_loop_t *loop;

    UVA_FIND_ROW();
    uva_runner_init(&runner, NULL);
    loop = uva_runner_get_loop(&runner);
    ck_assert_ptr_nonnull(loop);
    if (UVA_ROW(interrupted)->code == UV_EINTR) {
        call_later(loop, UVA_MS(10), interrupt_self, NULL);
    }
    ck_assert_int_eq(
        uva_runner_run(&runner, UVA_ROW(interrupted)->body, NULL, NULL, NULL),
        UVA_ROW(interrupted)->code);
    ck_assert_int_eq(uva_runner_close(&runner), 0);
}
END_TEST

static struct sigaction sigint_now(void)
{
    struct sigaction action;

    ck_assert_int_eq(sigaction(SIGINT, NULL, &action), 0);
    return action;
}

static int expect_default_action(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return sigint_now().sa_handler == SIG_DFL ? 0 : UV_EINVAL;
}

START_TEST(signal_install_not_supported_ok)
{
    /* test_runners.py, RunnerTests.test_signal_install_not_supported_ok: a
     * loop that no signal could wake runs without. */
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;

    options.loop_factory = factory;
    ck_assert_int_eq(uva_run(expect_default_action, NULL, &options, NULL), 0);
    options.loop_factory = NULL;
    options.keep_signals = true;
    ck_assert_int_eq(uva_run(expect_default_action, NULL, &options, NULL), 0);
}
END_TEST

/* --- what is taken --- */

typedef struct owned_s {
    int *dropped;
} owned_t;

UVA_TASK_DROP(void, owner, owner_drop, owned_t owned; int code;)
{
    (void)ret;
    ck_assert_int_eq(*args->owned.dropped, 0);
    return args->code;
}

static void owner_drop(owner_args_t *args)
{
    ++*args->owned.dropped;
}

static int run_owner(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_run_task(owner, NULL, NULL, {arg}, 0);
}

/* The arguments of a main task are dropped once: after it, or instead. */
START_TEST(run_drops_its_arguments)
{
    int dropped = 0;
    uint64_t count = 0;
    int r;

    ck_assert_int_eq(uva_run_task(owner, NULL, NULL, {&dropped}, KEY_ERROR),
                     KEY_ERROR);
    ck_assert_int_eq(dropped, 1);
    dropped = 0;
    ck_assert_int_eq(uva_run(run_owner, &dropped, NULL, NULL), UV_EPERM);
    ck_assert_int_eq(dropped, 1);

    uva_testing_strict_allocation(true);
    do {
        dropped = 0;
        uva_testing_fail_allocation(++count, false);
        r = uva_run_task(owner, NULL, NULL, {&dropped}, 0);
        uva_testing_fail_allocation(0, false);
        ck_assert_int_eq(dropped, 1);
        ck_assert_uint_eq(uva_allocated_bytes(), loops_mark.bytes);
    } while (r == UV_ENOMEM);
    uva_testing_strict_allocation(false);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_gt(count, 3);
}
END_TEST

/* --- the suite --- */

/* Check has a handler of its own, and uva leaves handlers alone. */
static void default_sigint(void)
{
    (void)signal(SIGINT, SIG_DFL);
    uva_test_log_begin(); /* That only Ctrl-C can wake them is said there. */
}

static void add_run(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, asyncio_run_return, asyncio_run_raises,
                  asyncio_run_debug, failed_run_is_told,
                  asyncio_run_from_running_loop,
                  asyncio_run_cancels_hanging_tasks,
                  asyncio_run_reports_hanging_tasks_errors);
    tcase_add_loop_test(tcase, stop_in_a_clean_up, 0, 2);
    UVA_ADD_TESTS(tcase, asyncio_run_without_uncancel, asyncio_run_loop_factory,
                  run_without_a_loop, run_drops_its_arguments);
}

static void add_runner(TCase *tcase)
{
    UVA_ADD_TABLE(tcase, runner_in_debug, modes);
    UVA_ADD_TABLE(tcase, runner_closes_its_loop, ends);
    UVA_ADD_TABLE(tcase, runner_is_interrupted, interrupted);
    UVA_ADD_TESTS(tcase, custom_factory, second_with_block_raises,
                  run_keeps_context, recursive_run,
                  signal_install_not_supported_ok);
}

int main(void)
{
    Suite *suite = suite_create("runners");
    TCase *run_case = UVA_LOOPS_TCASE(suite, "Run");
    TCase *runner_case = UVA_LOOPS_TCASE(suite, "Runner");

    tcase_add_checked_fixture(run_case, default_sigint, NULL);
    tcase_add_checked_fixture(runner_case, default_sigint, NULL);
    add_run(run_case);
    add_runner(runner_case);
    return uva_test_main(suite);
}
