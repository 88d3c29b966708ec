/*
 * Signal handlers and waits for signals, by real signals. What they do beside
 * hosts, threads and children is in test_signals_shared.c.
 */
#include "loops.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static uva_loop_t *loop;

/* Valgrind does not grow a stack for the frame of a signal. */
static void grow_stack(void)
{
    volatile char room[64 * 1024];

    for (size_t i = 0; i < sizeof room; i += 1024) {
        room[i] = 0;
    }
}

static void setup(void)
{
    loops_setup();
    grow_stack();
    (void)signal(SIGINT, SIG_DFL);
    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
}

static void teardown(void)
{
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    uva_loop_unref(loop);
    loops_teardown();
}

static void add(int number, uva_callback_cb callback, void *data)
{
    ck_assert_int_eq(uva_loop_add_signal_handler(loop, number, callback, data),
                     0);
}

static void (*action_of(int number))(int)
{
    struct sigaction action;

    ck_assert_int_eq(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

static void run(void)
{
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
}

/* Counts, and stops the loop. */
static void came(void *data)
{
    ++*(int *)data;
    uva_loop_stop(loop);
}

static void raise_it(void *data)
{
    raise(*(const int *)data);
}

/* Turn the loop so often that a signal that was raised has come. */
static void turn(void)
{
    for (int i = 0; i < 4; i++) {
        uva_loop_stop(loop);
        run();
    }
}

/* --- CPython's --- */

START_TEST(check_signal)
{
    /* test_unix_events.py, SelectorEventLoopSignalTests.test_check_signal */
    const int numbers[] = {-1, 0, 32, 33, 65, 4096, INT_MIN, INT_MAX};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ck_assert_int_eq(
            uva_loop_add_signal_handler(loop, numbers[i], stop, loop),
            UV_EINVAL);
        ck_assert_int_eq(uva_loop_remove_signal_handler(loop, numbers[i]),
                         UV_EINVAL);
    }
}
END_TEST

START_TEST(add_signal_handler)
{
    /* test_events.py, EventLoopTestsMixin.test_add_signal_handler */
    /* test_unix_events.py, SelectorEventLoopSignalTests.test_add_signal_handler
     */
    int caught = 0;

    ck_assert_int_eq(uva_loop_add_signal_handler(loop, SIGKILL, came, &caught),
                     UV_EPERM);
    ck_assert_int_eq(uva_loop_add_signal_handler(loop, SIGSTOP, came, &caught),
                     UV_EPERM);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGKILL), 0);
    add(SIGINT, came, &caught);
    kill(getpid(), SIGINT);
    run();
    ck_assert_int_eq(caught, 1);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGINT), 1);
    ck_assert(action_of(SIGINT) == SIG_DFL);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGINT), 0);
}
END_TEST

/* One SIGALRM of the system's timer, while the loop waits. */
static void alarm_soon(void)
{
    const struct itimerval soon = {{0, 0}, {0, 10000}};

    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

START_TEST(signal_handling_while_selecting)
{
    /* test_events.py,
     * EventLoopTestsMixin.test_signal_handling_while_selecting */
    int caught = 0;

    add(SIGALRM, came, &caught);
    alarm_soon();
    call_later(loop, UVA_SEC(60), stop, loop);
    run();
    ck_assert_int_eq(caught, 1);
}
END_TEST

static void check_args(void *data)
{
    ck_assert_int_eq(*(const int *)data, 42);
    uva_loop_stop(loop);
}

START_TEST(signal_handling_args)
{
    /* test_events.py, EventLoopTestsMixin.test_signal_handling_args */
    int some_args = 42;

    add(SIGALRM, check_args, &some_args);
    alarm_soon();
    call_later(loop, UVA_SEC(60), stop, loop);
    run();
}
END_TEST

START_TEST(handle_signal_no_handler)
{
    /* test_unix_events.py,
     * SelectorEventLoopSignalTests.test_handle_signal_no_handler */
    int caught = 0;

    add(SIGUSR1, count_up, &caught);
    raise(SIGUSR1); /* It is on its way when the handler goes. */
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGUSR1), 1);
    turn();
    ck_assert_int_eq(caught, 0);
}
END_TEST

static void remove_usr1(void *data)
{
    ck_assert_int_eq(uva_loop_remove_signal_handler(data, SIGUSR1), 1);
}

START_TEST(handle_signal_cancelled_handler)
{
    /* test_unix_events.py,
     * SelectorEventLoopSignalTests.test_handle_signal_cancelled_handler */
    int caught = 0;

    /* The other handler runs first, and finds this one in the ready queue. */
    add(SIGUSR2, remove_usr1, loop);
    add(SIGUSR1, count_up, &caught);
    raise(SIGUSR2);
    raise(SIGUSR1);
    turn();
    ck_assert_int_eq(caught, 0);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGUSR1), 0);
}
END_TEST

START_TEST(add_signal_handler_install_error2)
{
    /* test_unix_events.py,
     * SelectorEventLoopSignalTests.test_add_signal_handler_install_error2 */
    int caught = 0;

    add(SIGHUP, came, &caught);
    ck_assert_int_eq(uva_loop_add_signal_handler(loop, SIGKILL, stop, loop),
                     UV_EPERM);
    raise(SIGHUP);
    run();
    ck_assert_int_eq(caught, 1);
}
END_TEST

START_TEST(add_signal_handler_install_error3)
{
    /* test_unix_events.py,
     * SelectorEventLoopSignalTests.test_add_signal_handler_install_error3 */
    ck_assert_int_eq(uva_loop_add_signal_handler(loop, SIGSTOP, stop, loop),
                     UV_EPERM);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGSTOP), 0);
}
END_TEST

START_TEST(remove_signal_handler)
{
    /* test_unix_events.py,
     * SelectorEventLoopSignalTests.test_remove_signal_handler */
    add(SIGHUP, stop, loop);
    ck_assert(action_of(SIGHUP) != SIG_DFL);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGHUP), 1);
    ck_assert(action_of(SIGHUP) == SIG_DFL);
}
END_TEST

START_TEST(remove_signal_handler_2)
{
    /* test_unix_events.py,
     * SelectorEventLoopSignalTests.test_remove_signal_handler_2 */
    add(SIGINT, stop, loop);
    add(SIGHUP, stop, loop);
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGINT), 1);
    ck_assert(action_of(SIGINT) == SIG_DFL);
    raise(SIGHUP);
    run();
}
END_TEST

START_TEST(close_removes_all)
{
    /* test_unix_events.py, SelectorEventLoopSignalTests.test_close */
    uva_loop_t *other;

    ck_assert_int_eq(uva_loop_new(NULL, &other), 0);
    /* With the uv_loop_t in other hands the close looks for open handles. */
    ck_assert(_i == 0 || uva_loop_uv(other) != NULL);
    ck_assert_int_eq(uva_loop_add_signal_handler(other, SIGHUP, stop, other),
                     0);
    ck_assert_int_eq(uva_loop_add_signal_handler(other, SIGCHLD, stop, other),
                     0);
    raise(SIGCHLD); /* It does not come any more. */
    ck_assert_int_eq(uva_loop_close(other), 0);
    ck_assert(action_of(SIGHUP) == SIG_DFL);
    ck_assert(action_of(SIGCHLD) == SIG_DFL);
    ck_assert_int_eq(uva_loop_remove_signal_handler(other, SIGHUP), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_add_signal_handler(other, SIGHUP, stop, other),
                     UV_EPERM);
    uva_loop_unref(other);
}
END_TEST

/* --- handlers --- */

START_TEST(without_a_loop)
{
    ck_assert_int_eq(uva_loop_add_signal_handler(NULL, SIGHUP, stop, loop),
                     UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_remove_signal_handler(NULL, SIGHUP), UVA_ENOLOOP);
}
END_TEST

START_TEST(handler_is_replaced)
{
    int first = 0;
    int second = 0;

    add(SIGUSR1, came, &first);
    add(SIGUSR1, came, &second);
    raise(SIGUSR1);
    run();
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(second, 1);
}
END_TEST

static void remove_self(void *data)
{
    came(data);
    remove_usr1(loop);
}

static void replace_self(void *data)
{
    remove_self(data);
    add(SIGUSR1, came, data);
}

START_TEST(handler_removes_itself)
{
    int caught = 0;

    add(SIGUSR1, _i == 0 ? remove_self : replace_self, &caught);
    raise(SIGUSR1);
    run();
    ck_assert_int_eq(caught, 1);
    ck_assert_int_eq(action_of(SIGUSR1) == SIG_DFL, _i == 0);
    turn();
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGUSR1), _i);
}
END_TEST

static uva_context_var_t var = {"signal", NULL};

static void check_context(void *data)
{
    ck_assert_ptr_eq(uva_context_var_get(&var), data);
    uva_loop_stop(loop);
}

static void add_in_context(void *data)
{
    ck_assert_int_eq(uva_context_var_set(&var, data, NULL), 0);
    add(SIGUSR1, check_context, data);
    ck_assert_int_eq(uva_context_var_set(&var, NULL, NULL), 0);
}

START_TEST(handler_has_its_context)
{
    uva_context_t *context = uva_context_new();
    int value;

    ck_assert_int_eq(uva_context_run(context, add_in_context, &value), 0);
    uva_context_unref(context);
    raise(SIGUSR1);
    run();
}
END_TEST

/* Many that come before a turn are one; no signal after a turn is lost. */
START_TEST(storm)
{
    int caught = 0;

    add(SIGUSR1, came, &caught);
    for (int i = 0; i < 10000; i++) {
        raise(SIGUSR1);
    }
    run();
    ck_assert_int_eq(caught, 1);
    turn();
    for (int i = 0; i < 100; i++) {
        caught = 0;
        raise(SIGUSR1);
        run();
        ck_assert_int_eq(caught, 1);
    }
}
END_TEST

/* --- waits --- */

static const int usr[] = {SIGUSR1, SIGUSR2};

static int wait_usr(void *arg, void **ret_result)
{
    (void)ret_result;
    *(int *)arg = uva_signal_wait(usr, 2);
    return *(int *)arg < 0 ? *(int *)arg : 0;
}

UVA_STACKLESS(int, wait_usr_flat, int *ret_number; uva_signal_wait_op_t op;
              int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_signal_wait, &self->op, usr, 2);
    *self->ret_number = self->r;
    UVA_END
    return self->r < 0 ? self->r : 0;
}

static uva_task_t *spawn_wait(bool stackful, int *ret_number)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    if (stackful) {
        return uva_loop_create_task(loop, wait_usr, ret_number, NULL);
    }
    options.loop = loop;
    return UVA_ERASE(
        uva_spawn_with(&options, wait_usr_flat, .ret_number = ret_number));
}

static int run_until(uva_task_t *take_task)
{
    int r = uva_loop_run_until_complete(loop, UVA_FUTURE(take_task), NULL);

    uva_task_unref(take_task);
    return r;
}

/* A task waits, another and a handler too: all of them get it. */
START_TEST(all_that_wait_get_it)
{
    int number = usr[_i];
    int got[3] = {0};
    int caught = 0;
    uva_task_t *tasks[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = spawn_wait(i % 2 == 0, &got[i]);
    }
    add(SIGUSR2, count_up, &caught);
    call_later(loop, UVA_MS(1), raise_it, &number);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(run_until(tasks[i]), 0);
        ck_assert_int_eq(got[i], number);
    }
    ck_assert_int_eq(caught, _i);
    ck_assert(action_of(SIGUSR1) == SIG_DFL);
    ck_assert(action_of(SIGUSR2) != SIG_DFL);
}
END_TEST

START_TEST(wait_is_cancelled)
{
    int got = 0;
    uva_task_t *task = spawn_wait(_i == 0, &got);

    turn();
    ck_assert(action_of(SIGUSR1) != SIG_DFL);
    uva_task_cancel(task);
    ck_assert_int_eq(run_until(task), UV_ECANCELED);
    ck_assert_int_eq(got, UV_ECANCELED);
    ck_assert(action_of(SIGUSR1) == SIG_DFL);
}
END_TEST

static void cancel(void *data)
{
    uva_task_cancel(data);
}

/* What came between the wake-up and a cancellation is kept where signals are
 * kept, and the next wait has it at once. */
START_TEST(cancelled_after_the_signal)
{
    int got = 0;
    uva_task_t *task = spawn_wait(_i == 0, &got);

    add(SIGUSR1, NULL, NULL);
    add(SIGUSR2, cancel, task); /* Runs before the task that USR1 has woken. */
    turn();
    raise(SIGUSR2);
    raise(SIGUSR1);
    turn();
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)) ||
              uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
    if (got == UV_ECANCELED) {
        ck_assert_int_eq(run_until(spawn_wait(_i == 0, &got)), 0);
    }
    ck_assert_int_gt(got, 0);
}
END_TEST

/* A handler without a callback keeps what comes between two waits, once. */
START_TEST(kept_between_two_waits)
{
    int got = 0;
    uva_task_t *task;

    add(SIGUSR1, NULL, NULL);
    raise(SIGUSR1);
    turn();
    raise(SIGUSR1);
    turn();
    ck_assert_int_eq(run_until(spawn_wait(_i == 0, &got)), 0);
    ck_assert_int_eq(got, SIGUSR1);
    task = spawn_wait(_i == 0, &got);
    turn();
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    raise(SIGUSR2);
    ck_assert_int_eq(run_until(task), 0);
    ck_assert_int_eq(got, SIGUSR2);
    /* With the handler goes what was kept. */
    raise(SIGUSR1);
    turn();
    ck_assert_int_eq(uva_loop_remove_signal_handler(loop, SIGUSR1), 1);
    add(SIGUSR1, NULL, NULL);
    task = spawn_wait(_i == 0, &got);
    turn();
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    uva_task_cancel(task);
    ck_assert_int_eq(run_until(task), UV_ECANCELED);
}
END_TEST

static int wait_refused(void *arg, void **ret_result)
{
    const int numbers[] = {SIGUSR1, *(const int *)arg};

    (void)ret_result;
    ck_assert_int_eq(uva_signal_wait(numbers, 0), UV_EINVAL);
    return uva_signal_wait(numbers, 2);
}

START_TEST(wait_is_refused)
{
    struct {
        int number;
        int code;
    } refused[] = {{0, UV_EINVAL},
                   {65, UV_EINVAL},
                   {SIGKILL, UV_EPERM},
                   {SIGSTOP, UV_EPERM}};

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        ck_assert_int_eq(run_task(loop, wait_refused, &refused[i].number),
                         refused[i].code);
        ck_assert(action_of(SIGUSR1) == SIG_DFL);
    }
    ck_assert_int_eq(uva_signal_wait(usr, 2), UVA_ENOTASK);
}
END_TEST

static int timed_wait(void *arg, void **ret_result)
{
    uva_timeout_t timeout;

    (void)arg;
    (void)ret_result;
    (void)uva_timeout_enter(&timeout, UVA_MS(1));
    return uva_timeout_exit(&timeout, uva_signal_wait(usr, 2));
}

START_TEST(wait_with_a_timeout)
{
    ck_assert_int_eq(run_task(loop, timed_wait, NULL), UV_ETIMEDOUT);
}
END_TEST

/* --- what they keep running --- */

static int wait_for_ever(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_event_wait(arg);
}

static void set_event(void *data)
{
    uva_event_set(data);
}

/* A task that only a handler or a signal can wake is not told to be stuck. */
START_TEST(nothing_is_stuck)
{
    uva_event_t event = UVA_EVENT_INIT;
    int number = SIGUSR1;
    int got = 0;

    uva_test_log_begin();
    if (_i == 0) {
        add(SIGALRM, set_event, &event);
        alarm_soon();
        ck_assert_int_eq(run_task(loop, wait_for_ever, &event), 0);
    } else {
        call_later(loop, UVA_MS(1), raise_it, &number);
        ck_assert_int_eq(run_until(spawn_wait(true, &got)), 0);
    }
    ck_assert_str_eq(uva_test_log(), "");
}
END_TEST

/* --- what fails --- */

static int handler_and_wait(void)
{
    const uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *other;
    int r = uva_loop_new(&options, &other);

    if (r < 0) {
        return r;
    }
    r = uva_loop_add_signal_handler(other, SIGUSR1, stop, other);
    if (r >= 0) {
        r = uva_loop_add_signal_handler(other, SIGUSR2, stop, other);
    }
    ck_assert_int_eq(uva_loop_close(other), 0);
    uva_loop_unref(other);
    return r;
}

static int wait_without_memory(void *arg, void **ret_result)
{
    const int number = SIGUSR2;

    (void)arg;
    (void)ret_result;
    add(SIGUSR2, NULL, NULL);
    raise(SIGUSR2);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(uva_signal_wait(usr, 1), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    return uva_signal_wait(&number, 1) == SIGUSR2 ? 0 : UV_EINVAL;
}

START_TEST(without_memory)
{
    UVA_OOM_TEST(handler_and_wait());
    ck_assert_int_eq(run_task(loop, wait_without_memory, NULL), 0);
    ck_assert(action_of(SIGUSR1) == SIG_DFL);
}
END_TEST

static int wait_virtual(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_loop_add_signal_handler(NULL, SIGUSR1, stop, NULL),
                     UV_ENOTSUP);
    ck_assert_int_eq(uva_loop_remove_signal_handler(NULL, SIGUSR1), 0);
    return uva_signal_wait(usr, 2);
}

START_TEST(virtual_loop_has_none)
{
    ck_assert_int_eq(uva_test_run(wait_virtual, NULL), UV_ENOTSUP);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *cpython = UVA_TCASE(suite, "CPython");
    TCase *handlers = UVA_TCASE(suite, "Handlers");
    TCase *waits = UVA_TCASE(suite, "Waits");
    TCase *failures = UVA_TCASE(suite, "Failures");
    TCase *const cases[] = {cpython, handlers, waits, failures};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
    }
    UVA_ADD_TESTS(cpython, check_signal, add_signal_handler,
                  signal_handling_while_selecting, signal_handling_args,
                  handle_signal_no_handler, handle_signal_cancelled_handler,
                  add_signal_handler_install_error2,
                  add_signal_handler_install_error3, remove_signal_handler,
                  remove_signal_handler_2);
    tcase_add_loop_test(cpython, close_removes_all, 0, 2);
    UVA_ADD_TESTS(handlers, without_a_loop, handler_is_replaced,
                  handler_has_its_context, storm);
    tcase_add_loop_test(handlers, handler_removes_itself, 0, 2);
    tcase_add_loop_test(waits, all_that_wait_get_it, 0, 2);
    tcase_add_loop_test(waits, wait_is_cancelled, 0, 2);
    tcase_add_loop_test(waits, cancelled_after_the_signal, 0, 2);
    tcase_add_loop_test(waits, kept_between_two_waits, 0, 2);
    tcase_add_loop_test(waits, nothing_is_stuck, 0, 2);
    UVA_ADD_TESTS(waits, wait_is_refused, wait_with_a_timeout);
    UVA_ADD_TESTS(failures, without_memory, virtual_loop_has_none);
    return uva_test_main(suite);
}
