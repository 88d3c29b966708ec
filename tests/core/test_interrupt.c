/*
 * SIGINT and SIGTERM in a run, each time in a process of its own: the first one
 * cancels the main task, a second one has its default action, and what others
 * have set is left alone.
 */
#include "child.h"
#include "loops.h"

#include <signal.h>

#include "stack/switch.h"

/* The signal of a test: each runs once for either. */
static int number = SIGINT;

static void interrupt_self(void *data)
{
    (void)data;
    raise(number);
}

/* Waits, to be interrupted, and is asked to end. */
static int interrupted_sleep(void)
{
    ck_assert_int_eq(
        uva_loop_call_later(NULL, UVA_MS(5), interrupt_self, NULL, NULL, NULL),
        0);
    return uva_sleep(UVA_SEC(60));
}

static bool signal_is_default(void)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 &&
           action.sa_handler == SIG_DFL;
}

static void begin(void)
{
    (void)signal(number, SIG_DFL);
}

/* --- the first one --- */

static int pass_on(void *arg, void **ret_result)
{
    int r = interrupted_sleep();

    (void)ret_result;
    if (r == UV_ECANCELED) {
        ++*(int *)arg;
    }
    return r;
}

static int first_cancels(void *arg)
{
    int cancelled = 0;

    (void)arg;
    begin();
    if (uva_run(pass_on, &cancelled, NULL, NULL) != UV_EINTR ||
        cancelled != 1) {
        return 1;
    }
    return signal_is_default() ? 0 : 2;
}

static int swallow(void *arg, void **ret_result)
{
    int r = interrupted_sleep();

    *ret_result = arg;
    return r == UV_ECANCELED ? 0 : UV_EINVAL;
}

static int swallowed(void *arg)
{
    int value = 7;
    void *result = NULL;

    (void)arg;
    begin();
    if (uva_run(swallow, &value, NULL, &result) != 0 || result != &value) {
        return 1;
    }
    return signal_is_default() ? 0 : 2;
}

static int in_a_runner(void *arg)
{
    uva_runner_t runner;
    int cancelled = 0;

    (void)arg;
    begin();
    uva_runner_init(&runner, NULL);
    /* Each run counts anew. */
    for (int i = 1; i <= 3; i++) {
        if (uva_runner_run(&runner, pass_on, &cancelled, NULL, NULL) !=
                UV_EINTR ||
            cancelled != i || !signal_is_default()) {
            return i;
        }
    }
    return uva_runner_close(&runner) == 0 ? 0 : 4;
}

/* A body that never awaits is not reached by it. */
static int busy(void *arg, void **ret_result)
{
    (void)ret_result;
    raise(number);
    *(int *)arg = uva_task_cancelling(uva_current_task()) == 0;
    return 0;
}

static int while_busy(void *arg)
{
    int ran = 0;

    (void)arg;
    begin();
    return uva_run(busy, &ran, NULL, NULL) == 0 && ran ? 0 : 1;
}

START_TEST(first_one_cancels_the_main_task)
{
    int (*const children[])(void *) = {first_cancels, swallowed, in_a_runner,
                                       while_busy};
    child_t child;

    number = _i % 2 == 0 ? SIGINT : SIGTERM;
    child_run(&child, children[_i / 2], NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

/* --- the second one --- */

static int ignore_cancellation(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(interrupted_sleep(), UV_ECANCELED);
    (void)interrupted_sleep();
    return 0;
}

static int second_kills(void *arg)
{
    (void)arg;
    begin();
    UVA_IGNORE(uva_run(ignore_cancellation, NULL, NULL, NULL));
    return 1;
}

static int swallow_at_the_end(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_FOREVER);

    (void)arg;
    (void)ret_result;
    raise(number); /* The main task has ended: it is not there for it. */
    return r;
}

static int leave_one(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    uva_task_unref(uva_create_task(swallow_at_the_end, NULL));
    return uva_sleep(0);
}

static int during_shutdown_kills(void *arg)
{
    (void)arg;
    begin();
    UVA_IGNORE(uva_run(leave_one, NULL, NULL, NULL));
    return 1;
}

START_TEST(second_one_has_its_default_action)
{
    int (*const children[])(void *) = {second_kills, during_shutdown_kills};
    child_t child;

    number = _i % 2 == 0 ? SIGINT : SIGTERM;
    child_run(&child, children[_i / 2], NULL);
    ck_assert_msg(WIFSIGNALED(child.status) && WTERMSIG(child.status) == number,
                  "status %x: %s", child.status, child.text);
}
END_TEST

/* --- one of each --- */

/* The other signal is the second one, and has its default action. */
static int mixed_body(void *arg, void **ret_result)
{
    int r = interrupted_sleep();

    (void)arg;
    (void)ret_result;
    number = number == SIGINT ? SIGTERM : SIGINT;
    return r == UV_ECANCELED ? interrupted_sleep() : r;
}

static int mixed(void *arg)
{
    begin();
    (void)signal(number == SIGINT ? SIGTERM : SIGINT, SIG_DFL);
    (void)arg;
    UVA_IGNORE(uva_run(mixed_body, NULL, NULL, NULL));
    return 1;
}

START_TEST(other_one_is_a_second_one)
{
    child_t child;

    number = _i == 0 ? SIGINT : SIGTERM;
    child_run(&child, mixed, NULL);
    ck_assert_msg(WIFSIGNALED(child.status) &&
                      WTERMSIG(child.status) ==
                          (number == SIGINT ? SIGTERM : SIGINT),
                  "status %x: %s", child.status, child.text);
}
END_TEST

static int tell_body(void *arg, void **ret_result)
{
    (void)ret_result;
    return *(const bool *)arg ? interrupted_sleep() : uva_sleep(0);
}

static int told(void *arg)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    bool signalled = true;
    int came = -1;

    (void)arg;
    begin();
    options.ret_signal = &came;
    if (uva_run(tell_body, &signalled, &options, NULL) != UV_EINTR ||
        came != number) {
        return 1;
    }
    signalled = false;
    return uva_run(tell_body, &signalled, &options, NULL) == 0 && came == 0 ? 0
                                                                            : 2;
}

START_TEST(options_tell_which_came)
{
    child_t child;

    number = _i == 0 ? SIGINT : SIGTERM;
    child_run(&child, told, NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

/* --- a child --- */

/* ThreadSanitizer puts off the signals of a child whose parent has threads. */
#if defined(UVA__TSAN)
#    define CHILDREN 0
#else
#    define CHILDREN 2
#endif

/* The child of a fork does not have the parent's run: a signal ends it. */
static void fork_now(void *data)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        raise(number);
        _exit(1);
    }
    *(int *)data = waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
                   WTERMSIG(status) == number;
}

static int fork_body(void *arg, void **ret_result)
{
    (void)ret_result;
    call_soon(NULL, fork_now, arg);
    return uva_sleep(UVA_MS(1));
}

static int forked(void *arg)
{
    int killed = 0;

    (void)arg;
    begin();
    return uva_run(fork_body, &killed, NULL, NULL) == 0 && killed ? 0 : 1;
}

START_TEST(child_of_a_fork_has_the_default_action)
{
    child_t child;

    number = _i == 0 ? SIGINT : SIGTERM;
    child_run(&child, forked, NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

/* --- what others have set --- */

static int ignored(void *arg)
{
    uint64_t delay_ns = UVA_MS(20);
    int r;

    (void)arg;
    (void)signal(number, SIG_IGN);
    raise(number);
    r = uva_run(sleep_for, &delay_ns, NULL, NULL);
    return r == 0 && signal(number, SIG_DFL) == SIG_IGN ? 0 : 1;
}

static volatile sig_atomic_t own_count;

static void own_handler(int signal_number)
{
    (void)signal_number;
    own_count = own_count + 1;
}

static int raise_and_sleep(void *arg, void **ret_result)
{
    (void)ret_result;
    raise(number);
    return uva_sleep(*(const uint64_t *)arg);
}

static int handled(void *arg)
{
    uint64_t delay_ns = UVA_MS(1);
    int r;

    (void)arg;
    (void)signal(number, own_handler);
    r = uva_run(raise_and_sleep, &delay_ns, NULL, NULL);
    return r == 0 && own_count == 1 && signal(number, SIG_DFL) == own_handler
               ? 0
               : 1;
}

static int set_own_handler(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    (void)signal(number, own_handler);
    raise(number);
    return uva_sleep(UVA_MS(1));
}

/* A handler that the program sets meanwhile is its own afterwards too. */
static int replaced(void *arg)
{
    (void)arg;
    begin();
    if (uva_run(set_own_handler, NULL, NULL, NULL) != 0 || own_count != 1) {
        return 1;
    }
    return signal(number, SIG_DFL) == own_handler ? 0 : 2;
}

static int keep_body(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return signal_is_default() ? 0 : UV_EINVAL;
}

static int kept(void *arg)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;

    (void)arg;
    begin();
    options.keep_signals = true;
    return uva_run(keep_body, NULL, &options, NULL) == 0 ? 0 : 1;
}

START_TEST(what_others_have_set_is_left_alone)
{
    int (*const children[])(void *) = {ignored, handled, replaced, kept};
    child_t child;

    number = _i % 2 == 0 ? SIGINT : SIGTERM;
    child_run(&child, children[_i / 2], NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

/* --- two runs at once --- */

static void run_in_thread(void *data)
{
    uint64_t delay_ns = UVA_MS(50);

    *(int *)data = uva_run(sleep_for, &delay_ns, NULL, NULL);
}

static int start_other_run(void *arg, void **ret_result)
{
    uv_thread_t thread;
    int other = 1;
    int r;

    (void)ret_result;
    if (uv_thread_create(&thread, run_in_thread, &other) < 0) {
        return UV_EINVAL;
    }
    r = interrupted_sleep();
    uv_thread_join(&thread);
    *(int *)arg = other;
    return r;
}

/* The run that was there first is the one that is interrupted. */
static int two_runs(void *arg)
{
    int other = 1;

    (void)arg;
    begin();
    if (uva_run(start_other_run, &other, NULL, NULL) != UV_EINTR) {
        return 1;
    }
    return other == 0 && signal_is_default() ? 0 : 2;
}

START_TEST(one_run_of_a_process_is_interrupted)
{
    child_t child;

    number = _i % 2 == 0 ? SIGINT : SIGTERM;
    child_run(&child, two_runs, NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("interrupt");
    TCase *interrupt = UVA_TCASE(suite, "Interrupt");

    tcase_add_loop_test(interrupt, first_one_cancels_the_main_task, 0, 8);
    tcase_add_loop_test(interrupt, second_one_has_its_default_action, 0, 4);
    tcase_add_loop_test(interrupt, other_one_is_a_second_one, 0, 2);
    tcase_add_loop_test(interrupt, options_tell_which_came, 0, 2);
    tcase_add_loop_test(interrupt, child_of_a_fork_has_the_default_action, 0,
                        CHILDREN);
    tcase_add_loop_test(interrupt, what_others_have_set_is_left_alone, 0, 8);
    tcase_add_loop_test(interrupt, one_run_of_a_process_is_interrupted, 0, 2);
    return uva_test_main(suite);
}
