/*
 * The end of uva on an application's loop: closing, shutdown, and that the
 * host and its handles are as they were.
 */
#include "host.h"

/* --- closing --- */

typedef struct told_s {
    int unfinished;
    uva_task_t *task;
} told_t;

static void
count_unfinished(uva_loop_t *of, const uva_exception_t *exception, void *data)
{
    told_t *told = data;

    ck_assert_ptr_eq(of, guest);
    ck_assert_ptr_nonnull(strstr(exception->message, "unfinished"));
    told->unfinished++;
    told->task = exception->task;
}

/* A close that cannot be is told, and changes nothing. */
START_TEST(close_with_unfinished_tasks)
{
    told_t told = {0, NULL};
    uint64_t delay_ns = UVA_MS(2);
    int count = 0;
    uva_task_t *task = uva_loop_create_task(guest, sleep_for, &delay_ns, NULL);
    uva_task_t *other = uva_loop_create_task(guest, nothing, NULL, NULL);

    uva_loop_set_exception_handler(guest, count_unfinished, &told);
    call_soon(guest, count_up, &count);
    call_later(guest, UVA_MS(1), count_up, &count);
    for (int i = 1; i <= 2; i++) {
        ck_assert_int_eq(uva_loop_close(guest), UV_EBUSY);
        ck_assert_int_eq(told.unfinished, 2 * i);
        ck_assert_ptr_eq(told.task, other);
        ck_assert(!uva_loop_is_closed(guest));
    }
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(other)), 0);
    uva_task_unref(task);
    uva_task_unref(other);
}
END_TEST

static void close_from_host(void *data)
{
    *(int *)data = uva_loop_close(guest);
}

/* From a callback of the host: the handles close in its next turn. */
START_TEST(close_inside_the_host)
{
    static uv_timer_t timer;
    int r = 1;
    int dropped = 0;
    host_call_t call = {close_from_host, &r};
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    options.destroy = count_up;
    ck_assert_int_eq(
        uva_loop_call_later(guest, UVA_SEC(60), stop, &dropped, &options, NULL),
        0);
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &call;
    ck_assert_int_eq(uv_timer_start(&timer, host_timer_once, 1, 0), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert(uva_loop_is_closed(guest));
    ck_assert_ptr_null(uva_loop_uv(guest));
}
END_TEST

/* The last reference may go before the handles are closed. */
START_TEST(dropped_before_the_handles_close)
{
    ck_assert_int_eq(uva_loop_close(guest), 0);
    end_loop(guest);
    guest = NULL;
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}
END_TEST

static void close_in_a_call(void *data)
{
    *(int *)data = uva_loop_close(guest);
}

START_TEST(close_inside_itself)
{
    int r = 1;

    call_soon(guest, close_in_a_call, &r);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(r, UV_EPERM);
}
END_TEST

/* --- shutdown --- */

typedef struct ended_s {
    int count;
    int status;
    bool closed;
} ended_t;

static void ended_cb(uva_loop_t *of, int status, void *data)
{
    ended_t *ended = data;

    ck_assert_ptr_eq(of, guest);
    ck_assert_ptr_null(uva_get_running_loop());
    ended->count++;
    ended->status = status;
    ended->closed = uva_loop_is_closed(of);
}

static ended_t ended;
static int shut;

static int shut_guest(void)
{
    uva_shutdown_options_t options = UVA_SHUTDOWN_OPTIONS_INIT;

    options.done = ended_cb;
    options.data = &ended;
    return uva_loop_shutdown(guest, &options);
}

static void shut_down(void *data)
{
    (void)data;
    shut = shut_guest();
    /* It has begun, and does not begin twice. */
    ck_assert_int_eq(ended.count, 0);
    ck_assert_int_eq(shut_guest(), UV_EPERM);
    ck_assert(!uva_loop_is_closed(guest));
}

static void shut_down_inside(uint64_t delay_ms)
{
    static uv_timer_t timer;
    static host_call_t call = {shut_down, NULL};

    memset(&ended, 0, sizeof ended);
    shut = 1;
    (void)uv_run(&host,
                 UV_RUN_NOWAIT); /* What is there takes its first step. */
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = &call;
    ck_assert_int_eq(uv_timer_start(&timer, host_timer_once, delay_ms, 0), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(shut, 0);
    ck_assert_int_eq(ended.count, 1);
    ck_assert_int_eq(ended.status, 0);
    ck_assert(ended.closed);
    ck_assert(uva_loop_is_closed(guest));
}

START_TEST(shutdown_inside_the_host)
{
    int cancelled = 0;
    uva_task_t *tasks[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = uva_loop_create_task(guest, sleep_until_cancelled,
                                        &cancelled, NULL);
    }
    shut_down_inside(1);
    ck_assert_int_eq(cancelled, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        uva_task_unref(tasks[i]);
    }
}
END_TEST

START_TEST(shutdown_of_an_idle_loop_inside_the_host)
{
    shut_down_inside(0);
}
END_TEST

/* Takes its time and a second request. */
static int swallow(void *arg, void **ret_result)
{
    int *seen = arg;

    (void)ret_result;
    for (int i = 0; i < 2; i++) {
        if (uva_sleep(UVA_SEC(60)) == UV_ECANCELED) {
            ++*seen;
            UVA_IGNORE(uva_sleep(UVA_MS(1)));
            if (i == 0) { /* What it makes is cancelled too. */
                uva_task_unref(
                    uva_create_task(sleep_until_cancelled, seen + 1));
                return 0;
            }
        }
    }
    return 0;
}

START_TEST(shutdown_waits_for_those_that_swallow)
{
    int seen[2] = {0, 0};

    uva_task_unref(uva_loop_create_task(guest, swallow, seen, NULL));
    shut_down_inside(1);
    ck_assert_int_eq(seen[0], 1);
    ck_assert_int_eq(seen[1], 1);
}
END_TEST

static int fail_late(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    UVA_IGNORE(uva_sleep(UVA_SEC(60)));
    return uva_fail(UV_EIO, "the disk is gone");
}

START_TEST(shutdown_reports_failures)
{
    uva_task_unref(uva_loop_create_task(guest, fail_late, NULL, NULL));
    uva_test_log_begin();
    shut_down_inside(1);
    ck_assert(logged("shutdown"));
    ck_assert(logged("the disk is gone"));
}
END_TEST

/* Where the host is not inside uv_run it is all done at once. */
START_TEST(shutdown_from_main)
{
    int cancelled = 0;

    memset(&ended, 0, sizeof ended);
    uva_task_unref(
        uva_loop_create_task(guest, sleep_until_cancelled, &cancelled, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT);
    ck_assert_int_eq(shut_guest(), 0);
    ck_assert_int_eq(cancelled, 1);
    ck_assert(uva_loop_is_closed(guest));
    ck_assert_int_eq(ended.count, 1);
    ck_assert_int_eq(ended.status, 0);
    ck_assert_int_eq(shut_guest(), UV_EPERM);
    ck_assert_int_eq(ended.count, 1);
}
END_TEST

static void count_ended(uva_loop_t *of, int status, void *data)
{
    (void)of;
    ck_assert_int_eq(status, 0);
    ++*(int *)data;
}

/* The same on loops that have no host. */
START_TEST(shutdown_of_loops_of_ones_own)
{
    for (int real = 0; real < 2; real++) {
        uva_loop_t *own = real ? new_real_loop() : new_loop();
        int count = 0;
        int cancelled = 0;
        uva_task_t *task =
            uva_loop_create_task(own, sleep_until_cancelled, &cancelled, NULL);
        call_soon(own, stop, own);
        ck_assert_int_eq(uva_loop_run_forever(own), 0);
        ck_assert_int_eq(
            uva_loop_shutdown(own,
                              &(uva_shutdown_options_t){
                                  .size = sizeof(uva_shutdown_options_t),
                                  .done = count_ended,
                                  .data = &count}),
            0);
        ck_assert_int_eq(count, 1);
        ck_assert_int_eq(cancelled, 1);
        ck_assert(uva_loop_is_closed(own));
        ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
        uva_task_unref(task);
        uva_loop_unref(own);
    }
}
END_TEST

static int shut_down_in_task(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_loop_shutdown(guest, NULL);
}

START_TEST(shutdown_inside_itself)
{
    ck_assert_int_eq(run_task(guest, shut_down_in_task, NULL), UV_EPERM);
    ck_assert_int_eq(uva_loop_shutdown(NULL, NULL), UVA_ENOLOOP);
}
END_TEST

/* Without memory it has not begun, and can begin again. */
START_TEST(shutdown_oom)
{
    int cancelled = 0;
    int r = UV_ENOMEM;

    uva_task_unref(
        uva_loop_create_task(guest, sleep_until_cancelled, &cancelled, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT);
    for (uint64_t n = 1; r == UV_ENOMEM; n++) {
        uva_testing_fail_allocation(n, false);
        r = uva_loop_shutdown(guest, NULL);
        uva_testing_fail_allocation(0, false);
        ck_assert(uva_loop_is_closed(guest) == (r == 0));
    }
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(cancelled, 1);
}
END_TEST

/* --- the host's own handles --- */

static void count_handles(uv_handle_t *handle, void *data)
{
    int *counts = data;

    counts[0]++;
    counts[1] += uv_is_active(handle) != 0;
    counts[2] += uv_has_ref(handle) != 0;
    counts[3] += uv_is_closing(handle) != 0;
}

static void never(uv_timer_t *timer)
{
    (void)timer;
    ck_abort_msg("the timer was not to fire");
}

static void ignore_async(uv_async_t *async)
{
    (void)async;
}

START_TEST(host_handles_are_untouched)
{
    static uv_timer_t timers[2];
    static uv_async_t async;
    uint64_t delay_ns = UVA_MS(1);
    int before[4] = {0};
    int after[4] = {0};

    host_detach();
    ck_assert_int_eq(uv_timer_init(&host, &timers[0]), 0);
    ck_assert_int_eq(uv_timer_init(&host, &timers[1]), 0);
    ck_assert_int_eq(uv_timer_start(&timers[0], never, 60000, 0), 0);
    ck_assert_int_eq(uv_async_init(&host, &async, ignore_async), 0);
    uv_unref((uv_handle_t *)&async);
    uv_walk(&host, count_handles, before);
    ck_assert_int_eq(before[0], 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(uva_loop_attach(&host, NULL, &guest), 0);
        ck_assert_int_eq(run_task(guest, sleep_for, &delay_ns), 0);
        if (i == 2) {
            ck_assert_int_eq(uva_loop_shutdown(guest, NULL), 0);
        }
        end_loop(guest);
        guest = NULL;
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    uv_walk(&host, count_handles, after);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(after[i], before[i]);
    }
    uv_close((uv_handle_t *)&timers[0], NULL);
    uv_close((uv_handle_t *)&timers[1], NULL);
    uv_close((uv_handle_t *)&async, NULL);
}
END_TEST

/* A loop that nobody closed closes with its last reference, and says so. */
START_TEST(loop_that_was_not_closed)
{
    uva_test_log_begin();
    guest = uva_loop_unref(guest);
    ck_assert(logged("not closed"));
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("attached_close");
    TCase *closing = UVA_HOST_TCASE(suite, "Closing");
    TCase *shutdown = UVA_HOST_TCASE(suite, "Shutdown");

    UVA_ADD_TESTS(closing, close_with_unfinished_tasks, close_inside_the_host,
                  dropped_before_the_handles_close, close_inside_itself,
                  host_handles_are_untouched, loop_that_was_not_closed);
    UVA_ADD_TESTS(shutdown, shutdown_inside_the_host,
                  shutdown_of_an_idle_loop_inside_the_host,
                  shutdown_waits_for_those_that_swallow,
                  shutdown_reports_failures, shutdown_from_main,
                  shutdown_of_loops_of_ones_own, shutdown_inside_itself,
                  shutdown_oom);
    return uva_test_main(suite);
}
