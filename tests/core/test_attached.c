/*
 * uva on an application's loop: both live side by side, uv_run returns when
 * neither has anything to do, uva's calls work in the host's callbacks.
 * test_attached_close.c has closing and shutdown.
 */
#include "host.h"

/* --- side by side --- */

static void host_tick(uv_timer_t *timer)
{
    int *ticks = timer->data;

    ck_assert_ptr_null(uva_get_running_loop());
    if (++*ticks == 5) {
        uv_timer_stop(timer);
    }
}

static int tick_too(void *arg, void **ret_result)
{
    int r = 0;

    (void)ret_result;
    for (int i = 0; r == 0 && i < 5; i++) {
        r = uva_sleep(UVA_MS(1));
        ++*(int *)arg;
    }
    return r;
}

START_TEST(host_and_uva_side_by_side)
{
    int host_ticks = 0;
    int uva_ticks = 0;
    static uv_timer_t timer;
    uva_task_t *task;

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &host_ticks;
    ck_assert_int_eq(uv_timer_start(&timer, host_tick, 1, 1), 0);
    task = uva_loop_create_task(guest, tick_too, &uva_ticks, NULL);
    /* Nothing but uv_run. */
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(host_ticks, 5);
    ck_assert_int_eq(uva_ticks, 5);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
    uv_close((uv_handle_t *)&timer, NULL);
}
END_TEST

/* One step of each at a time. */
START_TEST(host_that_turns_by_hand)
{
    const uv_run_mode modes[] = {UV_RUN_NOWAIT, UV_RUN_ONCE};
    int ticks = 0;
    uva_task_t *task = uva_loop_create_task(guest, tick_too, &ticks, NULL);
    int turns = 0;

    while (!uva_future_done(UVA_FUTURE(task)) && turns < 1000000) {
        uv_run(&host, modes[_i]);
        turns++;
    }
    ck_assert_int_eq(ticks, 5);
    uva_task_unref(task);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}
END_TEST

/* --- when uv_run returns --- */

static void note_time(void *data)
{
    *(uint64_t *)data = uv_hrtime();
}

START_TEST(uv_run_returns_when_there_is_nothing)
{
    uint64_t ran = 0;
    uint64_t delay_ns = UVA_MS(3);
    uva_handle_t *handle;
    uint64_t begin_ns = uv_hrtime();
    uva_task_t *task;

    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_alive(&host), 0);

    /* It stays while a call is scheduled, */
    call_later(guest, UVA_MS(3), note_time, &ran);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_uint_ge(ran - begin_ns, UVA_MS(3));
    call_soon(guest, note_time, &ran);
    begin_ns = uv_hrtime();
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_uint_ge(ran, begin_ns);
    ck_assert_int_eq(
        uva_loop_call_later(guest, UVA_SEC(60), note_time, &ran, NULL, &handle),
        0);
    uva_handle_cancel(handle);
    uva_handle_unref(handle);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);

    /* and while a task is unfinished. */
    begin_ns = uv_hrtime();
    task = uva_loop_create_task(guest, sleep_for, &delay_ns, NULL);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_uint_ge(uv_hrtime() - begin_ns, UVA_MS(3));
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
    ck_assert_int_eq(uv_loop_alive(&host), 0);
}
END_TEST

static int wait_for_it(void *arg, void **ret_result)
{
    return uva_await(arg, ret_result);
}

static void complete(uv_timer_t *timer)
{
    ck_assert_int_eq(uva_future_set_result(timer->data, NULL, NULL), 0);
}

/* A task that waits for something of the host. */
START_TEST(host_completes_a_future)
{
    uva_future_t *future = uva_loop_create_future(guest);
    uva_task_t *task = uva_loop_create_task(guest, wait_for_it, future, NULL);
    static uv_timer_t timer;

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = future;
    ck_assert_int_eq(uv_timer_start(&timer, complete, 2, 0), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
    uva_future_unref(future);
    uv_close((uv_handle_t *)&timer, NULL);
}
END_TEST

static void post(void *data)
{
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(guest, complete_soon, data, NULL, NULL),
        0);
}

/* A host that sleeps wakes for a call of another thread. */
START_TEST(thread_wakes_the_host)
{
    uva_future_t *future = uva_loop_create_future(guest);
    uva_task_t *task = uva_loop_create_task(guest, wait_for_it, future, NULL);
    uv_thread_t thread;

    uv_run(&host, UV_RUN_NOWAIT);
    ck_assert_int_eq(uv_thread_create(&thread, post, future), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    uv_thread_join(&thread);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
    uva_future_unref(future);
}
END_TEST

/* A thread-safe call of the host's own thread keeps uv_run as any other. */
START_TEST(threadsafe_call_of_the_host_itself)
{
    uint64_t ran = 0;

    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(guest, note_time, &ran, NULL, NULL), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_uint_gt(ran, 0);
}
END_TEST

/* --- running it by hand --- */

START_TEST(run_until_complete_from_main)
{
    uint64_t delay_ns = UVA_MS(1);
    int ticks = 0;
    static uv_timer_t timer;

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &ticks;
    ck_assert_int_eq(uv_timer_start(&timer, host_tick, 1, 1), 0);
    ck_assert_int_eq(run_task(guest, sleep_for, &delay_ns), 0);
    ck_assert_int_eq(run_task(guest, sleep_for, &delay_ns), 0);
    /* The host's timer ran along, and goes on. */
    ck_assert_int_eq(uv_is_active((uv_handle_t *)&timer), 1);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(ticks, 5);
    call_soon(guest, stop, guest);
    ck_assert_int_eq(uva_loop_run_forever(guest), 0);
    uv_close((uv_handle_t *)&timer, NULL);
}
END_TEST

/* Run from inside a callback of the host: refused, and nothing is changed. */
static void try_to_run(void *data)
{
    uva_future_t *future = uva_loop_create_future(guest);

    ck_assert_int_eq(uva_loop_run_forever(guest), UV_EBUSY);
    ck_assert_int_eq(uva_loop_run_until_complete(guest, future, NULL),
                     UV_EBUSY);
    ck_assert(!uva_loop_is_running(guest));
    uva_future_unref(future);
    ++*(int *)data;
}

START_TEST(run_inside_the_host_is_refused)
{
    int tried = in_each_callback(try_to_run);

    ck_assert_int_eq(tried, HOST_CALLBACKS);
    /* And inside one of its own. */
    ck_assert_int_eq(run_task(guest, run_nested, NULL), UV_EPERM);
}
END_TEST

/* --- calls from the host's callbacks --- */

static int finish_at_once(void *arg, void **ret_result)
{
    (void)ret_result;
    ck_assert_ptr_eq(uva_get_running_loop(), guest);
    ++*(int *)arg;
    return 0;
}

static void done_too(uva_future_t *future, void *data)
{
    ck_assert_int_eq(uva_future_exception(future), 0);
    ++*(int *)data;
}

static void schedule_soon(void *data)
{
    ck_assert_int_eq(uva_loop_call_soon(NULL, count_up, data, NULL, NULL),
                     UVA_ENOLOOP);
    call_soon(guest, count_up, data);
}

static void schedule_later(void *data)
{
    call_later(guest, UVA_US(100), count_up, data);
}

static void schedule_much_later(void *data)
{
    call_later(guest, UVA_MS(4), count_up, data);
}

static void schedule_threadsafe(void *data)
{
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(guest, count_up, data, NULL, NULL), 0);
}

static void schedule_task(void *data)
{
    uva_task_unref(uva_loop_create_task(guest, finish_at_once, data, NULL));
}

static void schedule_done_callback(void *data)
{
    uva_future_t *future = uva_loop_create_future(guest);

    ck_assert_int_eq(uva_future_add_done_callback(future, done_too, data, NULL),
                     0);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    uva_future_unref(future);
}

static void schedule_all(void *data)
{
    ck_assert_ptr_null(uva_get_running_loop());
    ck_assert_ptr_null(uva_current_task());
    ck_assert_int_eq(uva_sleep(0), UVA_ENOTASK);
    schedule_soon(data);
    schedule_later(data);
    schedule_much_later(data);
    schedule_threadsafe(data);
    schedule_task(data);
    schedule_done_callback(data);
}

/* Each alone must wake a host that has nothing else to do. */
START_TEST(calls_from_the_hosts_callbacks)
{
    void (*const schedule[])(void *) = {
        schedule_soon,       schedule_later, schedule_much_later,
        schedule_threadsafe, schedule_task,  schedule_done_callback,
        schedule_all};
    int each = schedule[_i] == schedule_all ? 6 : 1;

    ck_assert_int_eq(in_each_callback(schedule[_i]), each * HOST_CALLBACKS);
}
END_TEST

static int late_count;

static void schedule_and_stop(uv_prepare_t *prepare)
{
    void (*const *schedule)(void *) = prepare->data;

    (*schedule)(&late_count);
    uv_prepare_stop(prepare);
}

static void close_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

/* In the turn that follows, before it sleeps. */
static void note_when(uv_prepare_t *prepare)
{
    if (late_count == 1 && *(uint64_t *)prepare->data == 0) {
        *(uint64_t *)prepare->data = uv_hrtime();
    }
}

/* A prepare callback that runs after uva's own schedules something, and the
 * host is about to sleep: it must not sleep over it. */
START_TEST(call_of_a_late_prepare_callback)
{
    void (*const schedule[])(void *) = {schedule_soon, schedule_later,
                                        schedule_much_later, schedule_task,
                                        schedule_done_callback};
    static uv_prepare_t prepare;
    static uv_timer_t timer;
    static uv_prepare_t notes;
    uint64_t called_ns = 0;
    uint64_t begin_ns;

    host_detach(); /* libuv calls the handle first that was started last. */
    late_count = 0;
    prepare.data = (void *)(uintptr_t)&schedule[_i];
    ck_assert_int_eq(uv_prepare_init(&host, &prepare), 0);
    ck_assert_int_eq(uv_prepare_start(&prepare, schedule_and_stop), 0);
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    ck_assert_int_eq(uv_timer_start(&timer, close_timer, 500, 0), 0);
    notes.data = &called_ns;
    ck_assert_int_eq(uv_prepare_init(&host, &notes), 0);
    ck_assert_int_eq(uv_prepare_start(&notes, note_when), 0);
    uv_unref((uv_handle_t *)&notes);
    ck_assert_int_eq(uva_loop_attach(&host, NULL, &guest), 0);
    begin_ns = uv_hrtime();
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(late_count, 1);
    ck_assert_uint_lt(called_ns - begin_ns, UVA_MS(250));
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&notes, NULL);
}
END_TEST

static void stop_it(void *data)
{
    uva_loop_stop(guest);
    ++*(int *)data;
}

/* A stop from a callback of the host ends a run that uva does, */
START_TEST(stop_from_a_host_callback)
{
    static uv_timer_t timer;
    int stopped = 0;
    int code = 0;
    host_call_t call = {stop_it, &stopped};

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &call;
    ck_assert_int_eq(uv_timer_start(&timer, host_timer_cb, 1, 0), 0);
    ck_assert_int_eq(uva_loop_run_forever(guest), 0);
    ck_assert_int_eq(stopped, 1);
    uv_close((uv_handle_t *)&timer, NULL);
    /* and leaves the host's own alone: the next run is one iteration. */
    uva_loop_stop(guest);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uva_loop_run_forever(guest), 0);
    ck_assert_int_eq(run_task(guest, fail_with, &code), 0);
}
END_TEST

/* --- two on one host --- */

START_TEST(two_loops_on_one_host)
{
    uint64_t delay_ns = UVA_MS(1);
    uva_loop_t *other;
    uva_task_t *task;

    ck_assert_int_eq(uva_loop_attach(&host, NULL, &other), 0);
    task = uva_loop_create_task(other, sleep_for, &delay_ns, NULL);
    ck_assert_int_eq(run_task(guest, sleep_for, &delay_ns), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
    end_loop(other);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}
END_TEST

START_TEST(attach_to_nothing)
{
    uva_loop_t *none = NULL;

    ck_assert_int_eq(uva_loop_attach(NULL, NULL, &none), UV_EINVAL);
    ck_assert_ptr_null(none);
    ck_assert_ptr_eq(uva_loop_uv(guest), &host);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attached");
    TCase *together = UVA_HOST_TCASE(suite, "Together");
    TCase *running = UVA_HOST_TCASE(suite, "Running");

    UVA_ADD_TESTS(together, host_and_uva_side_by_side);
    tcase_add_loop_test(together, host_that_turns_by_hand, 0, 2);
    UVA_ADD_TESTS(together, uv_run_returns_when_there_is_nothing,
                  host_completes_a_future, thread_wakes_the_host,
                  threadsafe_call_of_the_host_itself, two_loops_on_one_host,
                  attach_to_nothing);
    UVA_ADD_TESTS(running, run_until_complete_from_main,
                  run_inside_the_host_is_refused);
    tcase_add_loop_test(running, calls_from_the_hosts_callbacks, 0, 7);
    tcase_add_loop_test(running, call_of_a_late_prepare_callback, 0, 5);
    UVA_ADD_TESTS(running, stop_from_a_host_callback);
    return uva_test_main(suite);
}
