/*
 * Signals where others have a part in them: hosts with a uv_signal_t of their
 * own, other loops and threads, actions that the program sets, runs, children.
 */
#include "child.h"
#include "host.h"

#include <signal.h>
#include <stdio.h>

static uva_loop_t *other; /* A second loop of uva's. */
static uv_signal_t theirs;
static int their_count;
static int own_count;

static void setup(void)
{
    host_setup();
    ck_assert_int_eq(uva_loop_new(NULL, &other), 0);
    ck_assert_int_eq(uv_signal_init(&host, &theirs), 0);
    uv_unref((uv_handle_t *)&theirs);
}

static void teardown(void)
{
    ck_assert_int_eq(uva_loop_close(other), 0);
    uva_loop_unref(other);
    if (!uv_is_closing((uv_handle_t *)&theirs)) {
        uv_close((uv_handle_t *)&theirs, NULL);
    }
    (void)signal(SIGUSR1, SIG_DFL);
    host_teardown();
}

static void their_cb(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    their_count++;
}

static void own_handler(int number)
{
    (void)number;
    own_count++;
}

static void add(uva_loop_t *loop, int number, uva_callback_cb call, void *data)
{
    ck_assert_int_eq(uva_loop_add_signal_handler(loop, number, call, data), 0);
}

static struct sigaction action_of(int number)
{
    struct sigaction action;

    ck_assert_int_eq(sigaction(number, NULL, &action), 0);
    return action;
}

static void keep_cb(uv_timer_t *timer)
{
    (void)timer;
}

/* Turn the host so often that a signal that was raised has come. libuv polls
 * only if something keeps it running. */
static void turn_host(void)
{
    uv_timer_t keep;

    ck_assert_int_eq(uv_timer_init(&host, &keep), 0);
    ck_assert_int_eq(uv_timer_start(&keep, keep_cb, 60000, 0), 0);
    for (int i = 0; i < 4; i++) {
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    if (!uv_is_closing((uv_handle_t *)&keep)) {
        uv_close((uv_handle_t *)&keep, NULL);
    }
    (void)uv_run(&host, UV_RUN_NOWAIT);
}

static void turn_other(void)
{
    for (int i = 0; i < 4; i++) {
        uva_loop_stop(other);
        ck_assert_int_eq(uva_loop_run_forever(other), 0);
    }
}

/* --- the action --- */

static void set_own(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = own_handler;
    action.sa_flags = SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGHUP);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

/* One letter is one step: small ones start, capitals stop. */
static void step(char letter, int *counts)
{
    switch (letter) {
    case 'g':
        add(guest, SIGUSR1, count_up, &counts[0]);
        break;
    case 'G':
        ck_assert_int_eq(uva_loop_remove_signal_handler(guest, SIGUSR1), 1);
        break;
    case 'o':
        add(other, SIGUSR1, count_up, &counts[1]);
        break;
    case 'O':
        ck_assert_int_eq(uva_loop_remove_signal_handler(other, SIGUSR1), 1);
        break;
    case 'h':
        ck_assert_int_eq(uv_signal_start(&theirs, their_cb, SIGUSR1), 0);
        break;
    case 'H':
        ck_assert_int_eq(uv_signal_stop(&theirs), 0);
        break;
    case 'p': /* The program's own handler. */
        set_own();
        break;
    case 'i':
        (void)signal(SIGUSR1, SIG_IGN);
        break;
    default:
        ck_abort_msg("no step %c", letter);
    }
}

static char action_letter(void)
{
    struct sigaction action = action_of(SIGUSR1);

    if (action.sa_handler == own_handler) {
        ck_assert_int_eq(action.sa_flags & SA_NODEFER, SA_NODEFER);
        ck_assert_int_eq(sigismember(&action.sa_mask, SIGHUP), 1);
        return 'p';
    }
    return action.sa_handler == SIG_DFL   ? '-'
           : action.sa_handler == SIG_IGN ? 'i'
                                          : 'u';
}

/* Steps, and the action at the end: u is libuv's. Whoever watches gets the
 * signal after each step. */
static const struct {
    const char *steps;
    char action;
} orders[] = {
    {"gG", '-'},
    {"pgG", 'p'},
    {"igG", 'i'},
    {"pgGgG", 'p'},
    /* Two loops of uva's, in each order. */
    {"pgoG", 'u'},
    {"pgoGO", 'p'},
    {"igoOG", 'i'},
    /* A host that began after uva. */
    {"pghG", 'u'},
    {"pghGH", '-'},
    {"pghHG", 'p'},
    {"pghoGHO", 'p'},
    {"ighHgG", 'i'},
    /* A host that began before: what stood there is not known. */
    {"phgG", 'u'},
    {"phgHG", '-'},
    {"phgGH", '-'},
    {"pghGgHG", '-'},
    /* The program changes the action meanwhile: that is its own. */
    {"gpG", 'p'},
    {"igpG", 'p'},
    {"gopGO", 'p'},
    {"gipG", 'p'},
    {"giG", 'i'},
};

/* Raise the signal if libuv has it, and check that each gets it. */
static void check_delivery(bool has_guest, bool has_other, bool has_host)
{
    int counts[3] = {0};

    their_count = 0;
    if (has_guest) {
        add(guest, SIGUSR1, count_up, &counts[0]);
    }
    if (has_other) {
        add(other, SIGUSR1, count_up, &counts[1]);
    }
    raise(SIGUSR1);
    turn_host();
    turn_other();
    ck_assert_int_eq(counts[0], has_guest);
    ck_assert_int_eq(counts[1], has_other);
    ck_assert_int_eq(their_count, has_host);
}

START_TEST(action_comes_back)
{
    const char *steps = orders[_i].steps;
    bool has[3] = {false};
    int counts[3] = {0};

    for (const char *at = steps; *at != '\0'; at++) {
        const char *letters = "goh";
        const char *start = strchr(letters, *at | 0x20);
        step(*at, counts);
        if (start != NULL) {
            has[start - letters] = (*at & 0x20) != 0;
        }
        if (action_letter() == 'u') {
            check_delivery(has[0], has[1], has[2]);
        }
    }
    ck_assert_msg(action_letter() == orders[_i].action, "%s leaves %c", steps,
                  action_letter());
    (void)uv_signal_stop(&theirs);
}
END_TEST

/* --- hosts --- */

/* A handler does not keep the host running; the signal comes by its turns. */
START_TEST(handler_on_a_host)
{
    int caught = 0;

    add(guest, SIGUSR1, count_up, &caught);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    raise(SIGUSR1);
    turn_host();
    ck_assert_int_eq(caught, 1);
}
END_TEST

static int wait_for_usr1(void *arg, void **ret_result)
{
    const int number = SIGUSR1;

    (void)ret_result;
    *(int *)arg = uva_signal_wait(&number, 1);
    return 0;
}

static void raise_usr1(uv_timer_t *timer)
{
    raise(SIGUSR1);
    uv_close((uv_handle_t *)timer, NULL);
}

/* A task that waits keeps it running. */
START_TEST(wait_on_a_host)
{
    uv_timer_t timer;
    int got = 0;
    uva_task_t *task = uva_loop_create_task(guest, wait_for_usr1, &got, NULL);

    turn_host(); /* It waits. */
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, raise_usr1, 1, 0), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(got, SIGUSR1);
    uva_task_unref(task);
}
END_TEST

static void close_signal(uv_handle_t *handle, void *data)
{
    if (handle->type == UV_SIGNAL && handle != (uv_handle_t *)&theirs) {
        uv_close(handle, NULL);
        ++*(int *)data;
    }
}

/* A host that closes the handle of a signal ends its waits and its handler, and
 * the action comes back. */
START_TEST(host_closes_the_handle)
{
    int caught = 0;
    int closed = 0;
    int got = 0;
    uva_task_t *task = uva_loop_create_task(guest, wait_for_usr1, &got, NULL);

    set_own();
    uva_test_log_begin();
    add(guest, SIGUSR1, count_up, &caught);
    turn_host();
    uv_walk(&host, close_signal, &closed);
    ck_assert_int_eq(closed, 1);
    turn_host();
    ck_assert_int_eq(got, UV_EBADF);
    ck_assert_int_eq(action_letter(), 'p');
    ck_assert_int_eq(uva_loop_remove_signal_handler(guest, SIGUSR1), 0);
    ck_assert(logged("the host has closed the handle of signal"));
    uva_task_unref(task);
    add(guest, SIGUSR1, count_up, &caught);
    raise(SIGUSR1);
    turn_host();
    ck_assert_int_eq(caught, 1);
}
END_TEST

static void close_any(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

START_TEST(host_closes_all_handles)
{
    int caught = 0;
    int got = 0;
    uva_task_t *task = uva_loop_create_task(guest, wait_for_usr1, &got, NULL);

    set_own();
    uva_test_log_begin();
    add(guest, SIGUSR1, count_up, &caught);
    turn_host();
    uv_walk(&host, close_any, NULL);
    turn_host();
    ck_assert(uva_loop_is_detached(guest));
    uva_task_unref(task);
    guest = uva_loop_unref(guest);
    ck_assert_int_lt(got, 0);
    ck_assert_int_eq(action_letter(), 'p');
}
END_TEST

static void close_guest(uv_check_t *check)
{
    if (*(int *)check->data == 0) {
        *(int *)check->data = 1;
        ck_assert_int_eq(uva_loop_close(guest), 0);
        uv_close((uv_handle_t *)check, NULL);
    }
}

/* The loop closes between a signal and the turn of its handler. */
START_TEST(close_with_a_call_in_the_queue)
{
    uv_check_t check; /* Started after uva's, so it runs before. */
    int closed = 0;
    int caught = 0;

    add(guest, SIGUSR1, count_up, &caught);
    turn_host();
    ck_assert_int_eq(uv_check_init(&host, &check), 0);
    check.data = &closed;
    ck_assert_int_eq(uv_check_start(&check, close_guest), 0);
    raise(SIGUSR1);
    turn_host();
    ck_assert_int_eq(closed, 1);
    guest = uva_loop_unref(guest);
    ck_assert_int_eq(caught, 0);
    ck_assert_int_eq(action_letter(), '-');
}
END_TEST

/* --- threads --- */

typedef struct waiting_s {
    uv_thread_t thread;
    uv_sem_t *ready;
    int got;
} waiting_t;

static void post(void *data)
{
    uv_sem_post(data);
}

/* The call runs after this task has begun to wait. */
static int tell_and_wait(void *arg, void **ret_result)
{
    waiting_t *waiting = arg;

    call_soon(NULL, post, waiting->ready);
    return wait_for_usr1(&waiting->got, ret_result);
}

static void wait_in_thread(void *data)
{
    uva_loop_t *loop;

    if (uva_loop_new(NULL, &loop) >= 0) {
        UVA_IGNORE(run_task(loop, tell_and_wait, data));
        UVA_IGNORE(uva_loop_close(loop));
        uva_loop_unref(loop);
    }
}

START_TEST(loops_of_several_threads)
{
    waiting_t waiting[4];
    uv_sem_t ready;

    set_own();
    ck_assert_int_eq(uv_sem_init(&ready, 0), 0);
    for (int i = 0; i < 4; i++) {
        waiting[i] = (waiting_t){.ready = &ready};
        ck_assert_int_eq(
            uv_thread_create(&waiting[i].thread, wait_in_thread, &waiting[i]),
            0);
    }
    for (int i = 0; i < 4; i++) {
        uv_sem_wait(&ready);
    }
    kill(getpid(), SIGUSR1); /* Whichever thread the system takes. */
    for (int i = 0; i < 4; i++) {
        uv_thread_join(&waiting[i].thread);
        ck_assert_int_eq(waiting[i].got, SIGUSR1);
    }
    uv_sem_destroy(&ready);
    ck_assert_int_eq(action_letter(), 'p');
}
END_TEST

/* --- children --- */

#if defined(UVA__TSAN) /* It loses the stacks of tasks in a child. */
#    define CHILDREN 0
#else
#    define CHILDREN 1
#endif

static int die(void *arg)
{
    (void)arg;
    raise(SIGUSR1);
    return 0;
}

START_TEST(fork_signal_handling)
{
    /* test_unix_events.py, TestFork.test_fork_signal_handling */
    int caught = 0;
    child_t child;

    add(guest, SIGUSR1, count_up, &caught);
    add(other, SIGUSR1, count_up, &caught);
    child_run(&child, die, NULL);
    ck_assert(child_died(&child, SIGUSR1, ""));
    turn_host();
    turn_other();
    ck_assert_int_eq(caught, 0);
    raise(SIGUSR1);
    turn_host();
    turn_other();
    ck_assert_int_eq(caught, 2);
}
END_TEST

static int go_on(void *arg)
{
    int *caught = arg;

    if (uva_loop_fork(other) < 0) {
        return 1;
    }
    raise(SIGUSR1);
    for (int i = 0; i < 4; i++) {
        uva_loop_stop(other);
        if (uva_loop_run_forever(other) < 0) {
            return 2;
        }
    }
    if (*caught != 1) {
        return 3;
    }
    return uva_loop_close(other) == 0 &&
                   action_of(SIGUSR1).sa_handler == own_handler
               ? 0
               : 4;
}

/* One more is on its way in the parent when the child is made. */
START_TEST(child_goes_on)
{
    int caught = 0;
    child_t child;

    set_own();
    add(other, SIGUSR1, count_up, &caught);
    raise(SIGUSR1);
    child_run(&child, go_on, &caught);
    ck_assert_msg(child_exited(&child, 0), "%x", child.status);
    turn_other();
    ck_assert_int_eq(caught, 1);
}
END_TEST

/* What a program finds that is started now: its masks of signals. */
static void inherited(char *text, size_t size, bool forks)
{
    const char *command = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    FILE *file = NULL;
    int pipes[2];

    if (forks) {
        ck_assert_int_eq(pipe(pipes), 0);
        if (fork() == 0) {
            dup2(pipes[1], STDOUT_FILENO);
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
            _exit(127);
        }
        close(pipes[1]);
        file = fdopen(pipes[0], "r");
    } else {
        file = popen(command, "r");
    }
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    if (forks) {
        fclose(file);
        wait(NULL);
    } else {
        pclose(file);
    }
}

typedef struct masks_s {
    char text[512];
    bool forks;
} masks_t;

static int look_in_task(void *arg, void **ret_result)
{
    masks_t *masks = arg;

    (void)ret_result;
    inherited(masks->text, sizeof masks->text, masks->forks);
    return 0;
}

START_TEST(started_programs_inherit_nothing)
{
    masks_t before = {.forks = _i == 1};
    masks_t after = before;
    int caught = 0;

    inherited(before.text, sizeof before.text, before.forks);
    add(other, SIGUSR1, count_up, &caught);
    add(other, SIGTERM, count_up, &caught);
    add(other, SIGCHLD, count_up, &caught);
    ck_assert_int_eq(run_task(other, look_in_task, &after), 0);
    ck_assert_str_eq(before.text, after.text);
}
END_TEST

/* --- runs --- */

static int body_takes_over(void *arg, void **ret_result)
{
    int caught = 0;
    int r;

    (void)ret_result;
    if (uva_loop_add_signal_handler(NULL, SIGTERM, count_up, &caught) < 0) {
        return UV_EINVAL;
    }
    raise(SIGTERM);
    r = uva_sleep(UVA_MS(1));
    if (r < 0 || caught != 1) {
        return UV_EIO;
    }
    if (*(const bool *)arg) { /* The run's own watch is back. */
        (void)uva_loop_remove_signal_handler(NULL, SIGTERM);
        raise(SIGTERM);
        r = uva_sleep(UVA_SEC(60));
    }
    return r;
}

static int run_with_handler(void *arg)
{
    bool removes = false;

    (void)arg;
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    if (uva_run(body_takes_over, &removes, NULL, NULL) != 0 ||
        action_of(SIGTERM).sa_handler != SIG_DFL ||
        action_of(SIGINT).sa_handler != SIG_DFL) {
        return 1;
    }
    removes = true;
    return uva_run(body_takes_over, &removes, NULL, NULL) == UV_EINTR &&
                   action_of(SIGTERM).sa_handler == SIG_DFL
               ? 0
               : 2;
}

/* A handler of the main task goes before the watch of its run. */
START_TEST(handler_in_a_run)
{
    child_t child;

    child_run(&child, run_with_handler, NULL);
    ck_assert_msg(child_exited(&child, 0), "status %x: %s", child.status,
                  child.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals_shared");
    TCase *actions = UVA_TCASE(suite, "Actions");
    TCase *hosts = UVA_TCASE(suite, "Hosts");
    TCase *threads = UVA_TCASE(suite, "Threads");
    TCase *children = UVA_TCASE(suite, "Children");
    TCase *const cases[] = {actions, hosts, threads, children};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tcase_add_checked_fixture(cases[i], setup, teardown);
    }
    tcase_add_loop_test(actions, action_comes_back, 0,
                        sizeof orders / sizeof *orders);
    UVA_ADD_TESTS(actions, handler_in_a_run);
    UVA_ADD_TESTS(hosts, handler_on_a_host, wait_on_a_host,
                  host_closes_the_handle, host_closes_all_handles,
                  close_with_a_call_in_the_queue);
    UVA_ADD_TESTS(threads, loops_of_several_threads);
    UVA_ADD_TESTS(children, fork_signal_handling);
    tcase_add_loop_test(children, child_goes_on, 0, CHILDREN);
    tcase_add_loop_test(children, started_programs_inherit_nothing, 0, 2);
    return uva_test_main(suite);
}
