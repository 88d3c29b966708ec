/*
 * Hosts that do as hosts do: close every handle they find, go first, turn in
 * another thread, poll by themselves, turn inside their guest's tasks, fork.
 * The host is a plain uv_loop_t. test_hosts_end.c has their ends.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "stack/switch.h"

#if defined(__linux__)
#    include <sys/epoll.h>
#endif

/* --- threads --- */

static void turn_host(void *data)
{
    (void)data;
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}

static void turn_in_a_thread(void)
{
    uv_thread_t thread;

    ck_assert_int_eq(uv_thread_create(&thread, turn_host, NULL), 0);
    uv_thread_join(&thread);
}

static int used;

static void use_guest(void *data)
{
    uva_task_t *task;

    (void)data;
    task = uva_loop_create_task(guest, nothing, NULL, NULL);
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
    call_soon(guest, count_up, &used);
    call_later(guest, 0, count_up, &used);
}

static void nothing_due(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void use_in_check(uv_check_t *check)
{
    use_guest(NULL);
    uv_close((uv_handle_t *)check, NULL);
}

/* A check comes after the first prepare; the timer ends its poll. */
static void check_once(uv_check_t *check, uv_timer_t *timer, uv_check_cb use)
{
    ck_assert_int_eq(uv_check_init(&host, check), 0);
    ck_assert_int_eq(uv_check_start(check, use), 0);
    ck_assert_int_eq(uv_timer_init(&host, timer), 0);
    ck_assert_int_eq(uv_timer_start(timer, nothing_due, 1, 0), 0);
}

/* Made in one thread, turned in another: its callbacks may call in. */
START_TEST(turned_in_another_thread)
{
    uint64_t delay_ns = UVA_MS(1);
    static uv_check_t check;
    static uv_timer_t timer;
    uva_task_t *task = uva_loop_create_task(guest, sleep_for, &delay_ns, NULL);

    used = 0;
    check_once(&check, &timer, use_in_check);
    turn_in_a_thread();
    ck_assert_int_eq(used, 2);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    /* This thread has it no longer, until it says so. */
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_call_soon(guest, count_up, &used, NULL, NULL),
                     UV_EPERM);
    ck_assert(logged("uva_loop_adopt"));
    uva_test_log_end();
    ck_assert_int_eq(uva_loop_adopt(guest), 0);
    use_guest(NULL);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(used, 4);
    uva_task_unref(task);
}
END_TEST

static void adopt_and_use(uv_timer_t *timer)
{
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_call_soon(guest, count_up, &used, NULL, NULL),
                     UV_EPERM);
    uva_test_log_end();
    ck_assert_int_eq(uva_loop_adopt(guest), 0);
    use_guest(NULL);
    uv_close((uv_handle_t *)timer, NULL);
}

static void use_before_the_turn(void *data)
{
    static uv_timer_t timer;

    (void)data;
    /* libuv runs what is due before any handle of the guest. */
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, adopt_and_use, 0, 0), 0);
    turn_host(NULL);
    ck_assert_int_eq(uva_loop_close(guest), 0);
    turn_host(NULL);
}

START_TEST(adopted_before_the_first_turn)
{
    uv_thread_t thread;

    used = 0;
    ck_assert_int_eq(uv_thread_create(&thread, use_before_the_turn, NULL), 0);
    uv_thread_join(&thread);
    ck_assert_int_eq(used, 2);
    ck_assert_int_eq(uva_loop_adopt(guest), UV_EPERM);
    ck_assert_int_eq(uva_loop_adopt(NULL), UVA_ENOLOOP);
    guest = uva_loop_unref(guest);
}
END_TEST

static int adopt_in_task(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_loop_adopt(guest);
}

START_TEST(adopted_while_it_runs)
{
    ck_assert_int_eq(run_task(guest, adopt_in_task, NULL), UV_EPERM);
}
END_TEST

enum {
    WRONG_CALLS = 200
};

static uv_sem_t turned;
static bool turning_ends;

static void say_turned(uv_check_t *check)
{
    uv_sem_post(&turned);
    uv_close((uv_handle_t *)check, NULL);
}

static void end_turning(void *data)
{
    uva_future_t *future = data;

    turning_ends = true;
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
}

static int wait_for_it(void *arg, void **ret_result)
{
    return uva_await(arg, ret_result);
}

/* While another thread turns the host, the one that attached is a wrong one. */
START_TEST(first_thread_while_another_turns)
{
    uva_future_t *future = uva_loop_create_future(guest);
    uva_task_t *task = uva_loop_create_task(guest, wait_for_it, future, NULL);
    static uv_check_t check;
    static uv_timer_t timer;
    uv_thread_t thread;

    ck_assert_int_eq(uv_sem_init(&turned, 0), 0);
    check_once(&check, &timer, say_turned);
    ck_assert_int_eq(uv_thread_create(&thread, turn_host, NULL), 0);
    uv_sem_wait(&turned);
    uva_test_log_begin();
    for (int i = 0; i < WRONG_CALLS; i++) {
        ck_assert_int_eq(uva_loop_call_soon(guest, stop, guest, NULL, NULL),
                         UV_EPERM);
    }
    uva_test_log_end();
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(guest, end_turning, future, NULL, NULL),
        0);
    uv_thread_join(&thread);
    ck_assert(turning_ends);
    ck_assert_int_eq(uva_loop_adopt(guest), 0);
    uva_task_unref(task);
    uva_future_unref(future);
    uv_sem_destroy(&turned);
}
END_TEST

static void host_of_ones_own(void *data)
{
    for (int i = 0; i < 10; i++) {
        uint64_t delay_ns = UVA_US(700);
        uv_loop_t mine;
        uva_loop_t *own;
        uva_task_t *tasks[8];

        ck_assert_int_eq(uv_loop_init(&mine), 0);
        ck_assert_int_eq(uva_loop_attach(&mine, NULL, &own), 0);
        for (size_t k = 0; k < 8; k++) {
            tasks[k] = uva_loop_create_task(own, sleep_for, &delay_ns, NULL);
        }
        ck_assert_int_eq(uv_run(&mine, UV_RUN_DEFAULT), 0);
        for (size_t k = 0; k < 8; k++) {
            ck_assert_int_eq(uva_future_exception(UVA_FUTURE(tasks[k])), 0);
            uva_task_unref(tasks[k]);
        }
        end_loop(own);
        ck_assert_int_eq(uv_run(&mine, UV_RUN_DEFAULT), 0);
        ck_assert_int_eq(uv_loop_close(&mine), 0);
    }
    *(bool *)data = true;
}

START_TEST(many_hosts_in_threads)
{
    uv_thread_t threads[4];
    bool ended[4] = {false};

    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(
            uv_thread_create(&threads[i], host_of_ones_own, &ended[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        uv_thread_join(&threads[i]);
        ck_assert(ended[i]);
    }
}
END_TEST

/* --- turns --- */

static int step_often(void *arg, void **ret_result)
{
    int r = 0;

    (void)ret_result;
    for (int i = 0; r == 0 && i < 20; i++) {
        r = uva_sleep(UVA_MS(2));
        ++*(int *)arg;
    }
    return r;
}

static void stop_host(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* The host stops in the middle, many times, and goes on. */
START_TEST(host_that_stops_in_the_middle)
{
    static uv_timer_t timer;
    int steps = 0;
    int runs = 0;
    uva_task_t *task = uva_loop_create_task(guest, step_often, &steps, NULL);

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, stop_host, 1, 1), 0);
    uv_unref((uv_handle_t *)&timer);
    while (!uva_future_done(UVA_FUTURE(task))) {
        (void)uv_run(&host, UV_RUN_DEFAULT);
        runs++;
    }
    ck_assert_int_eq(steps, 20);
    ck_assert_int_gt(runs, 5);
    uva_task_unref(task);
    uv_close((uv_handle_t *)&timer, NULL);
}
END_TEST

static void nest(uv_timer_t *timer)
{
    bool *nesting = timer->data;

    if (!*nesting) {
        *nesting = true;
        (void)uv_run(timer->loop, UV_RUN_NOWAIT);
        *nesting = false;
    }
}

/* A callback of the host turns it: the guest's turn is one like any other. */
START_TEST(uv_run_in_a_callback_of_the_host)
{
    static uv_timer_t timer;
    bool nesting = false;
    int steps = 0;
    uva_task_t *task = uva_loop_create_task(guest, step_often, &steps, NULL);

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &nesting;
    ck_assert_int_eq(uv_timer_start(&timer, nest, 1, 1), 0);
    uv_unref((uv_handle_t *)&timer);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(steps, 20);
    uva_task_unref(task);
    uv_close((uv_handle_t *)&timer, NULL);
}
END_TEST

typedef struct turner_s {
    uv_loop_t *uv;
    uv_run_mode mode;
    int steps;
} turner_t;

/* Code that a task calls turns the loop below it. */
static int turn_in_task(void *arg, void **ret_result)
{
    turner_t *turner = arg;
    int r = 0;

    (void)ret_result;
    for (int i = 0; r == 0 && i < 10; i++) {
        (void)uv_run(turner->uv, turner->mode);
        r = uva_sleep(UVA_US(100));
        turner->steps++;
    }
    return r;
}

static void turn_in_call(void *data)
{
    turner_t *turner = data;

    (void)uv_run(turner->uv, turner->mode);
    turner->steps++;
}

static void check_turner(uva_loop_t *loop, uv_run_mode mode)
{
    turner_t turner = {uva_loop_uv(loop), mode, 0};
    int steps = 0;
    uva_task_t *task = uva_loop_create_task(loop, step_often, &steps, NULL);

    call_soon(loop, turn_in_call, &turner);
    ck_assert_int_eq(run_task(loop, turn_in_task, &turner), 0);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    ck_assert_int_eq(turner.steps, 11);
    ck_assert_int_eq(steps, 20);
    uva_task_unref(task);
}

/* The turn is not entered again, and uv_run returns when nobody else has
 * anything to do. */
START_TEST(uv_run_in_a_task)
{
    const uv_run_mode modes[] = {UV_RUN_NOWAIT, UV_RUN_ONCE, UV_RUN_DEFAULT};
    uva_loop_t *own = new_real_loop();
    turner_t turner = {&host, modes[_i], 0};
    uva_task_t *task;

    check_turner(guest, modes[_i]);
    check_turner(own, modes[_i]);
    end_loop(own);
    /* The same where only the host turns. */
    task = uva_loop_create_task(guest, turn_in_task, &turner, NULL);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(turner.steps, 10);
    uva_task_unref(task);
}
END_TEST

/* A library that is built on uva, in an application that is. */
static int use_inner(void *arg, void **ret_result)
{
    uint64_t delay_ns = UVA_MS(2);
    uva_loop_t *inner;
    uva_task_t *task;

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(
        uva_loop_attach(uva_loop_uv(uva_get_running_loop()), NULL, &inner), 0);
    task = uva_loop_create_task(inner, sleep_for, &delay_ns, NULL);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UVA_EWRONGLOOP);
    while (!uva_future_done(UVA_FUTURE(task))) {
        ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    }
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
    ck_assert_int_eq(uva_loop_shutdown(inner, NULL), UV_EPERM);
    ck_assert_int_eq(uva_loop_close(inner), 0);
    while (!uva_loop_is_detached(inner)) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    uva_loop_unref(inner);
    return 0;
}

START_TEST(guest_of_a_guest)
{
    uva_loop_t *own = new_real_loop();

    ck_assert_int_eq(run_task(own, use_inner, NULL), 0);
    ck_assert_int_eq(run_task(guest, use_inner, NULL), 0);
    end_loop(own);
}
END_TEST

/* --- whether the host is inside uv_run --- */

static void use_a_host_of_ones_own(void *data)
{
    uint64_t delay_ns = UVA_US(100);
    uv_loop_t mine;
    uva_loop_t *own;

    ck_assert_int_eq(uv_loop_init(&mine), 0);
    ck_assert_int_eq(uva_loop_attach(&mine, NULL, &own), 0);
    ck_assert_int_eq(run_task(own, sleep_for, &delay_ns), 0);
    ck_assert_int_eq(uva_loop_shutdown(own, NULL), 0);
    ck_assert(uva_loop_is_closed(own));
    uva_loop_unref(own);
    ck_assert_int_eq(uv_loop_close(&mine), 0);
    ++*(int *)data;
}

/* Inside uv_run of one host, another is not. */
START_TEST(host_in_a_callback_of_another)
{
    ck_assert_int_eq(in_each_callback(use_a_host_of_ones_own), HOST_CALLBACKS);
}
END_TEST

static void attach_and_run(uv_timer_t *timer)
{
    ck_assert_int_eq(uva_loop_attach(timer->loop, NULL, &guest), 0);
    ck_assert_int_eq(uva_loop_run_forever(guest), UV_EBUSY);
    ++*(int *)timer->data;
    uv_close((uv_handle_t *)timer, NULL);
}

/* In a timer of the first turn, of a host that no handle of ours has seen. */
START_TEST(attached_inside_the_host)
{
    static uv_timer_t timer;
    int ran = 0;

    host_detach();
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &ran;
    ck_assert_int_eq(uv_timer_start(&timer, attach_and_run, 0, 0), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(ran, 1);
}
END_TEST

START_TEST(host_says_where_it_is)
{
    uva_loop_t *own = new_real_loop();

    ck_assert_int_eq(uva_loop_set_inside(guest, UVA_INSIDE_YES), 0);
    ck_assert_int_eq(uva_loop_run_forever(guest), UV_EBUSY);
    ck_assert_int_eq(uva_loop_set_inside(guest, UVA_INSIDE_NO), 0);
    ck_assert_int_eq(run_task(guest, nothing, NULL), 0);
    ck_assert_int_eq(uva_loop_set_inside(guest, UVA_INSIDE_UNKNOWN), 0);
    ck_assert_int_eq(run_task(guest, nothing, NULL), 0);
    ck_assert_int_eq(uva_loop_set_inside(own, UVA_INSIDE_NO), UV_ENOTSUP);
    ck_assert_int_eq(uva_loop_set_inside(NULL, UVA_INSIDE_NO), UVA_ENOLOOP);
    end_loop(own);
}
END_TEST

static void foreign_async(uv_async_t *async)
{
    (void)async;
}

/* A host that was made by another copy of libuv: what cannot be seen is not
 * turned until the host says that it is not turning. */
START_TEST(host_of_another_copy)
{
    uv_async_cb known = host.wq_async.async_cb;
    uva_task_t *task;

    host_detach();
    host.wq_async.async_cb = foreign_async;
    ck_assert_int_eq(uva_loop_attach(&host, NULL, &guest), 0);
    host.wq_async.async_cb = known;
    task = uva_loop_create_task(guest, nothing, NULL, NULL);
    ck_assert_int_eq(uva_loop_run_forever(guest), UV_EBUSY);
    ck_assert_int_eq(uva_loop_run_until_complete(guest, UVA_FUTURE(task), NULL),
                     UV_EBUSY);
    ck_assert_int_eq(uva_loop_set_inside(guest, UVA_INSIDE_NO), 0);
    ck_assert_int_eq(uva_loop_run_until_complete(guest, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
}
END_TEST

/* --- hosts that poll by themselves --- */

#if defined(__linux__)

static int embed_turns;

/* Poll the backend as long as the host says, and at most 5 s. */
static void embed_until_done(uva_task_t *task)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(epoll_ctl(fd, EPOLL_CTL_ADD, uv_backend_fd(&host), &event),
                     0);
    for (embed_turns = 0; !uva_future_done(UVA_FUTURE(task)); embed_turns++) {
        int timeout_ms = uv_backend_timeout(&host);
        ck_assert_int_lt(embed_turns, 10000);
        ck_assert_int_ne(epoll_wait(fd, &event, 1,
                                    timeout_ms < 0 ? 5000 : timeout_ms) == 0 &&
                             timeout_ms < 0,
                         1);
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    (void)close(fd);
}

static int sleep_thrice(void *arg, void **ret_result)
{
    int r = 0;

    (void)arg;
    (void)ret_result;
    for (int i = 0; r == 0 && i < 3; i++) {
        r = uva_sleep(UVA_MS(5));
    }
    return r;
}

static int yield_often(void *arg, void **ret_result)
{
    int r = 0;

    (void)arg;
    (void)ret_result;
    for (int i = 0; r == 0 && i < 500; i++) {
        r = uva_sleep(0);
    }
    return r;
}

typedef struct gate_s {
    uva_future_t *future;
    uva_coro_cb then;
} gate_t;

static int wait_at_gate(void *arg, void **ret_result)
{
    const gate_t *gate = arg;
    int r = uva_await(gate->future, NULL);

    return r < 0 ? r : gate->then(NULL, ret_result);
}

static void knock(void *data)
{
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(guest, complete_soon, data, NULL, NULL),
        0);
}

/* What a turn creates is armed when it ends: nobody but the host polls. */
START_TEST(embedded_by_its_backend)
{
    const uva_coro_cb bodies[] = {sleep_thrice, yield_often};
    gate_t gate = {uva_loop_create_future(guest), bodies[_i]};
    uva_task_t *task = uva_loop_create_task(guest, bodies[_i], NULL, NULL);
    uv_thread_t thread;

    embed_until_done(task);
    uva_task_unref(task);
    /* The same when another thread wakes it. */
    task = uva_loop_create_task(guest, wait_at_gate, &gate, NULL);
    (void)uv_run(&host, UV_RUN_NOWAIT);
    (void)uv_run(&host, UV_RUN_NOWAIT);
    ck_assert_int_eq(uv_thread_create(&thread, knock, gate.future), 0);
    embed_until_done(task);
    uv_thread_join(&thread);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
    uva_future_unref(gate.future);
}
END_TEST

static void count_turn(uv_prepare_t *prepare)
{
    ++*(int *)prepare->data;
}

/* A deadline is one wake-up. */
START_TEST(sleeper_wakes_once_a_tick)
{
    static uv_prepare_t prepare;
    int turns = 0;
    uva_task_t *task;

    ck_assert_int_eq(uv_prepare_init(&host, &prepare), 0);
    prepare.data = &turns;
    ck_assert_int_eq(uv_prepare_start(&prepare, count_turn), 0);
    uv_unref((uv_handle_t *)&prepare);
    task = uva_loop_create_task(guest, sleep_thrice, NULL, NULL);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    /* One begins, three wake. */
    ck_assert_int_le(turns, 4);
    uva_task_unref(task);
    uv_close((uv_handle_t *)&prepare, NULL);
}
END_TEST

#endif

/* --- forks --- */

/* ThreadSanitizer loses the stacks of tasks in a child: none runs tasks there.
 */
#if defined(UVA__TSAN)
#    define CHILDREN 0
#else
#    define CHILDREN 1
#endif

/* Make a child that runs run(data) and ends with what that returns. */
static pid_t fork_child(int (*run)(void *data), void *data)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        _exit(run(data));
    }
    return pid;
}

static int child_status(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int go_on_in_child(void *data)
{
    uva_task_t *task = data;

    if (uv_loop_fork(&host) < 0 || uva_loop_fork(guest) < 0) {
        return 1;
    }
    (void)uv_run(&host, UV_RUN_DEFAULT);
    if (!uva_future_done(UVA_FUTURE(task)) || uva_loop_close(guest) < 0) {
        return 2;
    }
    uva_task_unref(task); /* The child's own copy of the parent's. */
    return 0;
}

/* Both sides sleep on, each by its own timer. */
START_TEST(both_sides_of_a_fork_go_on)
{
    int steps = 0;
    uva_task_t *task = uva_loop_create_task(guest, step_often, &steps, NULL);
    pid_t pid;

    while (steps < 5) {
        (void)uv_run(&host, UV_RUN_ONCE);
    }
    pid = fork_child(go_on_in_child, task);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(steps, 20);
    ck_assert_int_eq(child_status(pid), 0);
    ck_assert_int_eq(uva_loop_fork(guest), 0); /* Nothing to do here. */
    uva_task_unref(task);
}
END_TEST

static void count_codes(int *wrong, int r)
{
    *wrong += r != UVA_EFORKED;
}

static int use_in_child(void *data)
{
    uva_task_t *task = data;
    int wrong = 0;
    uva_task_t *refused = uva_loop_create_task(guest, nothing, NULL, NULL);
    int steps;

    uva_set_log(NULL, NULL);
    count_codes(&wrong, uva_future_exception(UVA_FUTURE(refused)));
    count_codes(&wrong, uva_loop_call_soon(guest, stop, guest, NULL, NULL));
    count_codes(&wrong,
                uva_loop_call_soon_threadsafe(guest, stop, guest, NULL, NULL));
    count_codes(&wrong, uva_loop_run_forever(guest));
    count_codes(&wrong, uva_loop_close(guest));
    count_codes(&wrong, uva_loop_shutdown(guest, NULL));
    count_codes(&wrong, uva_loop_detach(guest));
    count_codes(&wrong, uva_loop_adopt(guest));
    count_codes(&wrong, uva_loop_set_inside(guest, UVA_INSIDE_NO));
    /* Turning the host runs nothing, and returns. */
    if (uv_loop_fork(&host) < 0) {
        return 100;
    }
    for (steps = 0; steps < 10; steps++) {
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    (void)uv_run(&host, UV_RUN_DEFAULT);
    return wrong + (uva_future_done(UVA_FUTURE(task)) ? 50 : 0);
}

/* A child that was not told is refused, and the parent is not disturbed. */
START_TEST(child_that_does_not_say_so)
{
    int steps = 0;
    uva_task_t *task = uva_loop_create_task(guest, step_often, &steps, NULL);
    pid_t pid;

    while (steps < 5) {
        (void)uv_run(&host, UV_RUN_ONCE);
    }
    pid = fork_child(use_in_child, task);
    ck_assert_int_eq(child_status(pid), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(steps, 20);
    uva_task_unref(task);
}
END_TEST

typedef struct forker_s {
    pid_t pid;
    bool tells;
    int beside; /* Steps of another task. */
} forker_t;

static int step_beside(void *arg, void **ret_result)
{
    forker_t *forker = arg;
    int r = 0;

    (void)ret_result;
    for (int i = 0; r == 0 && i < 10; i++) {
        r = uva_sleep(0);
        forker->beside++;
    }
    return r;
}

/* A task forks while another is ready, which runs on in the child only if that
 * is told. */
static int fork_in_task(void *arg, void **ret_result)
{
    forker_t *forker = arg;
    uva_task_t *beside = uva_create_task(step_beside, forker);
    int r;

    (void)ret_result;
    r = uva_sleep(0);
    forker->pid = r < 0 ? -1 : fork();
    if (forker->pid == 0) {
        if (forker->tells && uva_loop_fork(uva_get_running_loop()) < 0) {
            _exit(1);
        }
        r = uva_join(UVA_FUTURE(beside), NULL);
        _exit(forker->tells && r == 0 && forker->beside == 10 ? 0 : 2);
    }
    return uva_join(UVA_FUTURE(beside), NULL);
}

START_TEST(fork_in_a_task)
{
    forker_t forker = {0, _i == 1, 0};
    uva_loop_t *own = new_real_loop();
    pid_t self = getpid();
    int r;

    uva_test_log_begin();
    r = run_task(own, fork_in_task, &forker);
    if (getpid() != self) { /* Its run ended, and nothing else ran in it. */
        _exit(r == UVA_EFORKED && forker.beside <= 1 ? 0 : 3);
    }
    uva_test_log_end();
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(forker.beside, 10);
    ck_assert_int_eq(child_status(forker.pid), 0);
    end_loop(own);
}
END_TEST

/* --- calls on the loop's stack --- */

static pthread_t stack_thread;
static char *stack_place;

static void note_place(void *data)
{
    char here;

    ck_assert_ptr_null(uva_current_task());
    ck_assert_int_eq(uva_sleep(0), UVA_ENOTASK);
    stack_thread = pthread_self();
    stack_place = &here;
    ++*(int *)data;
}

static bool is_near(const char *a, const char *b)
{
    return (a < b ? b - a : a - b) < 65536;
}

static int call_there(void *arg, void **ret_result)
{
    char here;
    int called = 0;
    int r = uva_call_on_thread_stack(note_place, &called);

    (void)ret_result;
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(called, 1);
    ck_assert(pthread_equal(stack_thread, pthread_self()));
    ck_assert(is_near(stack_place, arg));
    ck_assert(!is_near(stack_place, &here));
    ck_assert_int_eq(uva_call_on_thread_stack(NULL, NULL), UV_EINVAL);
    return 0;
}

UVA_STACKLESS(void, call_there_stackless, int called; uva_thread_stack_op_t op;)
{
    int r;

    UVA_BEGIN
    UVA_AWAIT(r, uva_call_on_thread_stack, &self->op, note_place,
              &self->called);
    ck_assert_int_eq(self->called, 1);
    UVA_END
    return r;
}

START_TEST(call_on_the_stack_of_the_thread)
{
    char here;
    uva_future_t *task;

    ck_assert_int_eq(run_task(guest, call_there, &here), 0);
    task = UVA_FUTURE(uva_spawn_with(ON_LOOP(guest), call_there_stackless));
    ck_assert_int_eq(uva_loop_run_until_complete(guest, task, NULL), 0);
    uva_future_unref(task);
    ck_assert_int_eq(uva_call_on_thread_stack(note_place, NULL), UVA_ENOTASK);
}
END_TEST

static int call_cancelled(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_call_on_thread_stack(count_up, arg);
}

/* One that was cancelled before its turn is not called. */
START_TEST(call_that_was_cancelled)
{
    int called = 0;
    uva_task_t *task =
        uva_loop_create_task(guest, call_cancelled, &called, NULL);

    call_soon(guest, uva_test_cancel, task);
    ck_assert_int_eq(uva_loop_run_until_complete(guest, UVA_FUTURE(task), NULL),
                     UV_ECANCELED);
    ck_assert_int_eq(called, 0);
    uva_task_unref(task);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts");
    TCase *threads = UVA_HOST_TCASE(suite, "Threads");
    TCase *turns = UVA_HOST_TCASE(suite, "Turns");
    TCase *inside = UVA_HOST_TCASE(suite, "Inside");
    TCase *forks = UVA_HOST_TCASE(suite, "Forks");
    TCase *stacks = UVA_HOST_TCASE(suite, "ThreadStack");

    UVA_ADD_TESTS(threads, turned_in_another_thread,
                  adopted_before_the_first_turn, adopted_while_it_runs,
                  first_thread_while_another_turns, many_hosts_in_threads);
    UVA_ADD_TESTS(turns, host_that_stops_in_the_middle,
                  uv_run_in_a_callback_of_the_host);
    tcase_add_loop_test(turns, uv_run_in_a_task, 0, 3);
    UVA_ADD_TESTS(turns, guest_of_a_guest);
#if defined(__linux__)
    tcase_add_loop_test(turns, embedded_by_its_backend, 0, 2);
    UVA_ADD_TESTS(turns, sleeper_wakes_once_a_tick);
#endif
    UVA_ADD_TESTS(inside, host_in_a_callback_of_another,
                  attached_inside_the_host, host_says_where_it_is,
                  host_of_another_copy);
    tcase_add_loop_test(forks, both_sides_of_a_fork_go_on, 0, CHILDREN);
    tcase_add_loop_test(forks, fork_in_a_task, 0, 2 * CHILDREN);
    UVA_ADD_TESTS(forks, child_that_does_not_say_so);
    UVA_ADD_TESTS(stacks, call_on_the_stack_of_the_thread,
                  call_that_was_cancelled);
    return uva_test_main(suite);
}
