/*
 * The end of a host and its guest, in each order: the host walks its loop and
 * closes every handle, the guest is detached, shut down with a deadline, and
 * loops of uva's own that have handles of others.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "net.h"

/* --- the host closes every handle it finds --- */

static void close_handle(uv_handle_t *handle, void *data)
{
    ck_assert_ptr_null(handle->data); /* The host would take it for its own. */
    ++*(int *)data;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void walk_and_close(void)
{
    int count = 0;

    uv_walk(&host, close_handle, &count);
    ck_assert_int_ge(count, 5);
}

/* The host is gone: its memory says nothing any more. */
static void end_host(void)
{
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&host), 0);
    memset(&host, 0xee, sizeof host);
}

/* Another one for the fixture to close. */
static void no_guest(void)
{
    guest = NULL;
    ck_assert_int_eq(uv_loop_init(&host), 0);
}

static void count_done(uva_loop_t *loop, int status, void *data)
{
    ck_assert_ptr_eq(loop, guest);
    *(int *)data += status == 0 ? 1 : 100;
}

static int refused_call(void)
{
    return uva_loop_call_soon(guest, stop, guest, NULL, NULL);
}

static int refused_task(void)
{
    uva_task_t *task = uva_loop_create_task(guest, nothing, NULL, NULL);
    int r = uva_future_exception(UVA_FUTURE(task));

    uva_task_unref(task);
    return r;
}

static int refused_run(void)
{
    return uva_loop_run_forever(guest);
}

static int shut_down(void)
{
    int done = 0;
    int r = uva_loop_shutdown(
        guest, &(uva_shutdown_options_t){.size = sizeof(uva_shutdown_options_t),
                                         .done = count_done,
                                         .data = &done});

    ck_assert_int_eq(done, 1);
    return r;
}

static int used_by_close;

static int close_guest(void)
{
    return uva_loop_close(guest);
}

static int detach_guest(void)
{
    return uva_loop_detach(guest);
}

static const struct next_call_s {
    int (*call)(void);
    int code;
} next_calls[] = {
    {close_guest, 0},         {shut_down, 0},           {detach_guest, 0},
    {refused_call, UV_EPERM}, {refused_task, UV_EPERM}, {refused_run, UV_EPERM},
};

static int words_in_log(const char *words)
{
    const char *text = uva_test_log();
    int count = 0;

    while ((text = strstr(text, words)) != NULL) {
        count++;
        text++;
    }
    return count;
}

/* Whatever is called next: every task ends, the loop is closed, once. */
START_TEST(host_walks_and_goes)
{
    const struct next_call_s *next = &next_calls[_i];
    int cancelled = 0;
    uva_task_t *tasks[2];

    for (size_t i = 0; i < 2; i++) {
        tasks[i] = uva_loop_create_task(guest, sleep_until_cancelled,
                                        &cancelled, NULL);
    }
    call_later(guest, UVA_SEC(60), stop, guest);
    (void)uv_run(&host, UV_RUN_NOWAIT);
    walk_and_close();
    end_host();
    uva_test_log_begin();
    ck_assert_int_eq(next->call(), next->code);
    ck_assert_int_eq(cancelled, 2);
    ck_assert(uva_loop_is_closed(guest));
    ck_assert(uva_loop_is_detached(guest));
    ck_assert_int_eq(uva_loop_close(guest), 0);
    ck_assert_int_eq(words_in_log("closed by its host"), 1);
    uva_test_log_end();
    for (size_t i = 0; i < 2; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        uva_task_unref(tasks[i]);
    }
    ck_assert_ptr_null(uva_loop_uv(guest));
    uva_loop_unref(guest);
    no_guest();
}
END_TEST

/* The last reference alone ends it too. */
START_TEST(host_walks_and_the_reference_goes)
{
    int cancelled = 0;

    uva_task_unref(
        uva_loop_create_task(guest, sleep_until_cancelled, &cancelled, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT);
    walk_and_close();
    end_host();
    uva_test_log_begin();
    uva_loop_unref(guest);
    uva_test_log_end();
    ck_assert_int_eq(cancelled, 1);
    no_guest();
}
END_TEST

static void count_close(uv_handle_t *handle)
{
    ck_assert_ptr_null(handle->data);
    used_by_close++;
}

static void close_with_callback(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle)) {
        uv_close(handle, count_close);
    }
}

/* The handles are on their way out: the loop's memory goes with the last. */
START_TEST(guest_ends_before_the_host_has_turned)
{
    int cancelled = 0;

    uva_task_unref(
        uva_loop_create_task(guest, sleep_until_cancelled, &cancelled, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT);
    used_by_close = 0;
    uv_walk(&host, close_with_callback, NULL);
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_close(guest), 0);
    uva_test_log_end();
    ck_assert_int_eq(cancelled, 1);
    ck_assert(uva_loop_is_closed(guest));
    ck_assert(!uva_loop_is_detached(guest));
    if (_i == 0) {
        ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
        ck_assert(uva_loop_is_detached(guest));
    }
    uva_loop_unref(guest);
    end_host();
    ck_assert_int_ge(used_by_close, 5);
    no_guest();
}
END_TEST

static int swallow_all(void *arg, void **ret_result)
{
    const bool *ends = arg;

    (void)ret_result;
    while (!*ends) {
        UVA_IGNORE(uva_sleep(UVA_MS(1)));
    }
    return 0;
}

/* --- with connections and a server --- */

typedef struct open_s {
    int ended;
    bool connected;
    uva_server_t *server;
} open_t;

static int take_client(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    open_t *open = arg;
    uint8_t byte[1];
    int r;

    open->connected = true;
    r = uva_reader_readexactly(reader, byte, 1, NULL);
    open->ended++;
    uva_connection_close(reader, writer);
    return r;
}

static int stay_open(void *arg, void **ret_result)
{
    open_t *open = arg;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uint8_t byte[1];
    int r;

    (void)ret_result;
    ck_assert_int_eq(uva_start_server_callback(take_client, open, "127.0.0.1",
                                               "0", NULL, &open->server),
                     0);
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1",
                            uva_test_port(uva_server_port(open->server)), NULL,
                            &reader, &writer),
        0);
    r = uva_reader_readexactly(reader, byte, 1, NULL);
    open->ended++;
    uva_connection_close(reader, writer);
    return r;
}

static uva_task_t *open_both(open_t *open)
{
    uva_task_t *task = uva_loop_create_task(guest, stay_open, open, NULL);

    while (!open->connected) {
        (void)uv_run(&host, UV_RUN_ONCE);
    }
    return task;
}

/* Those who read end with a code, every descriptor is closed. */
START_TEST(host_walks_with_connections_open)
{
    size_t before = uva_test_sockets();
    open_t open = {0};
    uva_task_t *task = open_both(&open);

    walk_and_close();
    if (_i == 0) {
        end_host();
    }
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_close(guest), 0);
    uva_test_log_end();
    ck_assert_int_eq(open.ended, 2);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_ECANCELED);
    uva_task_unref(task);
    uva_server_unref(open.server);
    ck_assert_uint_eq(uva_test_sockets(), before);
    uva_loop_unref(guest);
    if (_i == 1) {
        end_host();
    }
    no_guest();
}
END_TEST

/* The last reference of a server goes while it is closed by that. */
static int serve_until_cancelled(void *arg, void **ret_result)
{
    uva_server_t *server;
    int r;

    (void)ret_result;
    ck_assert_int_eq(uva_start_server_callback(take_client, arg, "127.0.0.1",
                                               "0", NULL, &server),
                     0);
    ((open_t *)arg)->connected = true;
    r = uva_sleep(UVA_FOREVER);
    uva_server_unref(server);
    return r;
}

static int look_up(void *arg, void **ret_result)
{
    uva_reader_t *reader;
    uva_writer_t *writer;

    (void)arg;
    (void)ret_result;
    return uva_open_connection("localhost", "9", NULL, &reader, &writer);
}

START_TEST(host_walks_while_a_name_is_looked_up)
{
    open_t open = {0};
    int done = 0;
    uva_task_t *tasks[2];

    tasks[0] = uva_loop_create_task(guest, serve_until_cancelled, &open, NULL);
    while (!open.connected) {
        (void)uv_run(&host, UV_RUN_ONCE);
    }
    tasks[1] = uva_loop_create_task(guest, look_up, NULL, NULL);
    (void)uv_run(&host, UV_RUN_NOWAIT);
    walk_and_close();
    uva_test_log_begin();
    if (_i == 0) {
        ck_assert_int_eq(
            uva_loop_shutdown(guest,
                              &(uva_shutdown_options_t){
                                  .size = sizeof(uva_shutdown_options_t),
                                  .done = count_done,
                                  .data = &done}),
            0);
        ck_assert_int_eq(done, 0); /* The handles are on their way. */
    }
    end_host();
    ck_assert(uva_loop_is_detached(guest));
    uva_test_log_end();
    ck_assert_int_eq(done, _i == 0);
    ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[0])));
    ck_assert(uva_future_done(UVA_FUTURE(tasks[1])));
    uva_task_unref(tasks[0]);
    uva_task_unref(tasks[1]);
    uva_loop_unref(guest);
    no_guest();
}
END_TEST

/* An operation of the host's own keeps uv_run going, and the guest open. */
START_TEST(operations_of_the_host)
{
    ck_assert_int_eq(uva_loop_op_begin(guest), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_ne(uv_run(&host, UV_RUN_NOWAIT), 0);
    }
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_close(guest), UV_EBUSY);
    uva_test_log_end();
    uva_loop_op_end(guest);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uva_loop_close(guest), 0);
    ck_assert_int_eq(uva_loop_op_begin(guest), UV_EPERM);
    ck_assert_int_eq(uva_loop_op_begin(NULL), UVA_ENOLOOP);
}
END_TEST

static void close_poll(uv_handle_t *handle, void *data)
{
    uv_handle_type type = uv_handle_get_type(handle);

    (void)data;
    if ((type == UV_POLL || type == UV_TCP) && !uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* The host closes the handles of sockets: connections end with a code. */
START_TEST(host_closes_some_handles)
{
    uint64_t delay_ns = UVA_MS(2);
    open_t open = {0};
    uva_task_t *task = open_both(&open);

    ck_assert_int_eq(run_task(guest, sleep_for, &delay_ns), 0);
    uv_walk(&host, close_poll, NULL);
    uva_test_log_begin();
    while (open.ended < 2) {
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_ECONNABORTED);
    while (uva_server_is_serving(open.server)) {
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    uva_test_log_end();
    /* One of them was what deadlines wake by. */
    ck_assert_int_eq(run_task(guest, sleep_for, &delay_ns), 0);
    uva_task_unref(task);
    uva_server_unref(open.server);
    ck_assert_int_eq(uva_loop_shutdown(guest, NULL), 0);
}
END_TEST

/* --- the guest is detached --- */

static int clean_up_slowly(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_FOREVER);

    (void)ret_result;
    if (uva_sleep(UVA_SEC(60)) == UV_ECANCELED) { /* No time passes. */
        ++*(int *)arg;
    }
    return r;
}

/* Without a turn of the host. Its next one lets go of the handles. */
START_TEST(detached_before_the_host_goes)
{
    int cancelled = 0;
    open_t open = {0};
    uva_task_t *task = open_both(&open);

    uva_task_unref(
        uva_loop_create_task(guest, sleep_until_cancelled, &cancelled, NULL));
    uva_task_unref(
        uva_loop_create_task(guest, clean_up_slowly, &cancelled, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT);
    ck_assert_int_eq(uva_loop_detach(guest), 0);
    ck_assert_int_eq(cancelled, 2);
    ck_assert_int_eq(open.ended, 2);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert(!uva_loop_is_detached(guest));
    ck_assert_int_eq(uv_loop_close(&host), UV_EBUSY);
    while (!uva_loop_is_detached(guest)) {
        (void)uv_run(&host, UV_RUN_NOWAIT);
    }
    uva_task_unref(task);
    uva_server_unref(open.server);
    ck_assert_int_eq(uva_loop_detach(guest), 0);
    uva_loop_unref(guest);
    ck_assert_int_eq(uv_loop_close(&host), 0);
    no_guest();
}
END_TEST

static int detach_in_task(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_loop_detach(arg);
}

START_TEST(detach_of_loops_of_ones_own)
{
    for (int real = 0; real < 2; real++) {
        uva_loop_t *own = real ? new_real_loop() : new_loop();
        int cancelled = 0;
        uva_task_t *task =
            uva_loop_create_task(own, clean_up_slowly, &cancelled, NULL);

        ck_assert_int_eq(run_task(own, nothing, NULL), 0);
        ck_assert_int_eq(run_task(own, detach_in_task, own), UV_EPERM);
        ck_assert_int_eq(uva_loop_detach(own), 0);
        ck_assert_int_eq(cancelled, 1);
        ck_assert(uva_loop_is_detached(own));
        uva_task_unref(task);
        uva_loop_unref(own);
    }
    ck_assert_int_eq(uva_loop_detach(NULL), 0);
}
END_TEST

typedef struct named_s {
    int count;
    int code;
    uva_task_t *task;
} named_t;

static void
name_task(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    named_t *named = data;

    (void)loop;
    named->count++;
    named->code = exception->code;
    named->task = exception->task;
}

/* One that swallows every cancellation is named, and the loop stays open. */
START_TEST(detach_of_one_that_swallows)
{
    bool ends = false;
    named_t named = {0};
    uva_task_t *task = uva_loop_create_task(guest, swallow_all, &ends, NULL);

    uva_loop_set_exception_handler(guest, name_task, &named);
    (void)uv_run(&host, UV_RUN_NOWAIT);
    ck_assert_int_eq(uva_loop_detach(guest), UV_EBUSY);
    ck_assert_int_eq(named.count, 1);
    ck_assert_int_eq(named.code, UV_EBUSY);
    ck_assert_ptr_eq(named.task, task);
    ck_assert(!uva_loop_is_closed(guest));
    ends = true;
    ck_assert_int_eq(uva_loop_run_until_complete(guest, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
}
END_TEST

/* --- shutdown --- */

/* A clean-up that sleeps: virtual time moves, and what cannot end is told. */
START_TEST(shutdown_in_virtual_time)
{
    const uint64_t delay_ns = UVA_SEC(60);
    uva_loop_t *own = new_loop();
    int cancelled = 0;
    uint64_t begin_ns = uva_loop_time(own);
    uva_task_t *task;

    task = uva_loop_create_task(own, clean_up_slowly, &cancelled, NULL);
    ck_assert_int_eq(uva_task_set_name(task, "sweeper"), 0);
    uva_task_unref(task);
    ck_assert_int_eq(run_task(own, nothing, NULL), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_shutdown(own, NULL), 0);
    ck_assert_int_eq(cancelled, 0);
    ck_assert_uint_eq(uva_loop_time(own) - begin_ns, delay_ns);
    /* After a second it was told who, and where. */
    ck_assert(logged("the shutdown of a loop waits"));
    ck_assert(logged("sweeper"));
    ck_assert(logged("uva_sleep"));
    uva_test_log_end();
    uva_loop_unref(own);
}
END_TEST

typedef struct gates_s {
    uva_future_t *futures[2];
} gates_t;

static int wait_twice(void *arg, void **ret_result)
{
    const gates_t *gates = arg;

    UVA_IGNORE(uva_await(gates->futures[0], ret_result));
    return uva_await(gates->futures[1], ret_result);
}

/* It waits for what nobody will give it: told, and no hang. */
START_TEST(shutdown_that_nothing_can_end)
{
    uva_loop_t *own = new_loop();
    gates_t gates = {
        {uva_loop_create_future(own), uva_loop_create_future(own)}};
    uva_task_t *task = uva_loop_create_task(own, wait_twice, &gates, NULL);

    ck_assert_int_eq(run_task(own, nothing, NULL), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_shutdown(own, NULL), UVA_EDEADLOCK);
    ck_assert(logged("the shutdown of a loop waits"));
    ck_assert(logged("nothing can wake"));
    uva_test_log_end();
    ck_assert(!uva_loop_is_closed(own));
    ck_assert_int_eq(uva_loop_shutdown(own, NULL), 0);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    uva_future_unref(gates.futures[0]);
    uva_future_unref(gates.futures[1]);
    uva_loop_unref(own);
}
END_TEST

static uint64_t turns_of_host;

static void count_turn(uv_prepare_t *prepare)
{
    (void)prepare;
    turns_of_host++;
}

static int clean_up_briefly(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_FOREVER);

    (void)arg;
    (void)ret_result;
    UVA_IGNORE(uva_sleep(UVA_MS(20)));
    return r;
}

/* The host sleeps while a clean-up does. */
START_TEST(shutdown_does_not_poll_busily)
{
    static uv_prepare_t prepare;

    turns_of_host = 0;
    ck_assert_int_eq(uv_prepare_init(&host, &prepare), 0);
    ck_assert_int_eq(uv_prepare_start(&prepare, count_turn), 0);
    uv_unref((uv_handle_t *)&prepare);
    uva_task_unref(uva_loop_create_task(guest, clean_up_briefly, NULL, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT);
    ck_assert_int_eq(uva_loop_shutdown(guest, NULL), 0);
    ck_assert_uint_le(turns_of_host, 12);
    uv_close((uv_handle_t *)&prepare, NULL);
}
END_TEST

typedef struct late_s {
    int count;
    int status;
} late_t;

static void note_late(uva_loop_t *loop, int status, void *data)
{
    late_t *late = data;

    (void)loop;
    late->count++;
    late->status = status;
}

/* A deadline, on each kind of loop: the task is named, the loop is open and may
 * be shut down again. */
START_TEST(shutdown_with_a_deadline)
{
    for (int kind = 0; kind < 3; kind++) {
        uva_loop_t *loop = kind == 0   ? uva_loop_ref(guest)
                           : kind == 1 ? new_real_loop()
                                       : new_loop();
        uva_shutdown_options_t options = UVA_SHUTDOWN_OPTIONS_INIT;
        bool ends = false;
        named_t named = {0};
        late_t late = {0};
        uva_task_t *task = uva_loop_create_task(loop, swallow_all, &ends, NULL);

        options.timeout_ns = UVA_MS(5);
        options.done = note_late;
        options.data = &late;
        uva_loop_set_exception_handler(loop, name_task, &named);
        ck_assert_int_eq(run_task(loop, nothing, NULL), 0);
        ck_assert_int_eq(uva_loop_shutdown(loop, &options), UV_ETIMEDOUT);
        ck_assert_int_eq(late.count, 0); /* It returned a failure. */
        ck_assert_int_eq(named.count, 1);
        ck_assert_int_eq(named.code, UV_ETIMEDOUT);
        ck_assert_ptr_eq(named.task, task);
        ck_assert(!uva_loop_is_closed(loop));
        ends = true;
        ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
        ck_assert(uva_loop_is_closed(loop));
        uva_task_unref(task);
        uva_loop_unref(loop);
        options.size = 1;
        ck_assert_int_eq(uva_loop_shutdown(guest, &options), UV_EINVAL);
    }
}
END_TEST

static uva_shutdown_options_t inside_options;

static void shut_down_inside(uv_timer_t *timer)
{
    ck_assert_int_eq(uva_loop_shutdown(guest, &inside_options), 0);
    if (timer->data != NULL) {
        guest = uva_loop_unref(guest);
    }
    uv_close((uv_handle_t *)timer, NULL);
}

static void shut_down_in_a_timer(bool unref)
{
    static uv_timer_t timer;

    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = unref ? &timer : NULL;
    ck_assert_int_eq(uv_timer_start(&timer, shut_down_inside, 1, 0), 0);
}

START_TEST(shutdown_inside_the_host_with_a_deadline)
{
    bool ends = false;
    named_t named = {0};
    late_t late = {0};
    uva_task_t *task = uva_loop_create_task(guest, swallow_all, &ends, NULL);

    inside_options = (uva_shutdown_options_t)UVA_SHUTDOWN_OPTIONS_INIT;
    inside_options.timeout_ns = UVA_MS(5);
    inside_options.done = note_late;
    inside_options.data = &late;
    uva_loop_set_exception_handler(guest, name_task, &named);
    (void)uv_run(&host, UV_RUN_NOWAIT); /* It takes its first step. */
    shut_down_in_a_timer(false);
    while (late.count == 0) {
        (void)uv_run(&host, UV_RUN_ONCE);
    }
    ck_assert_int_eq(late.status, UV_ETIMEDOUT);
    ck_assert_int_eq(named.count, 1);
    ck_assert_ptr_eq(named.task, task);
    ck_assert(!uva_loop_is_closed(guest));
    ends = true;
    ck_assert_int_eq(uva_loop_run_until_complete(guest, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
}
END_TEST

/* A shutdown keeps the loop until it is done. */
START_TEST(shutdown_and_the_reference_goes)
{
    late_t late = {0};
    int cancelled = 0;

    inside_options = (uva_shutdown_options_t)UVA_SHUTDOWN_OPTIONS_INIT;
    inside_options.done = note_late;
    inside_options.data = &late;
    uva_task_unref(
        uva_loop_create_task(guest, sleep_until_cancelled, &cancelled, NULL));
    (void)uv_run(&host, UV_RUN_NOWAIT); /* It takes its first step. */
    shut_down_in_a_timer(true);
    uva_test_log_begin();
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
    ck_assert_int_eq(cancelled, 1);
    ck_assert_int_eq(late.count, 1);
    ck_assert_int_eq(late.status, 0);
}
END_TEST

/* --- handles of others on a loop of our own --- */

static void free_timer(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

START_TEST(own_loop_with_handles_of_others)
{
    uva_loop_t *own = new_real_loop();
    uv_timer_t timer;
    bool freed = false;

    ck_assert_int_eq(uv_timer_init(uva_loop_uv(own), &timer), 0);
    timer.data = &freed;
    uva_test_log_begin();
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(i == 0 ? uva_loop_close(own)
                                : uva_loop_shutdown(own, NULL),
                         UV_EBUSY);
        ck_assert(logged("1 timer"));
        ck_assert(!uva_loop_is_closed(own));
    }
    uva_test_log_end();
    ck_assert_int_eq(run_task(own, nothing, NULL), 0);
    uv_close((uv_handle_t *)&timer, free_timer);
    ck_assert_int_eq(uva_loop_close(own), 0);
    ck_assert(freed);
    uva_loop_unref(own);
}
END_TEST

static uv_timer_t left;
static uva_loop_t *left_loop;

static int leave_a_timer(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    left_loop = uva_get_running_loop();
    return uv_timer_init(uva_loop_uv(left_loop), &left);
}

/* The end of a run leaves the loop, rather than close under a library. */
START_TEST(run_that_leaves_a_handle)
{
    bool freed = false;

    uva_test_log_begin();
    ck_assert_int_eq(uva_run(leave_a_timer, NULL, NULL, NULL), UV_EBUSY);
    ck_assert(logged("handles of others are open on it: 1 timer"));
    uva_test_log_end();
    left.data = &freed;
    uv_close((uv_handle_t *)&left, free_timer);
    ck_assert_int_eq(uva_loop_close(left_loop), 0);
    ck_assert(freed);
    uva_loop_unref(left_loop);
}
END_TEST

/* --- what is left of a closed loop --- */

static void drop_future(void *data)
{
    uva_future_unref(data);
}

static void call_after_the_end(void *data)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    options.destroy = drop_future;
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(guest, complete_soon, data,
                                                   &options, NULL),
                     UV_EPERM);
}

/* Another thread may have the last reference of something. */
START_TEST(thread_that_ends_after_the_loop)
{
    uva_future_t *future = uva_loop_create_future(guest);
    uv_thread_t thread;

    ck_assert_int_eq(uva_loop_close(guest), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_thread_create(&thread, call_after_the_end, future), 0);
    uv_thread_join(&thread);
    guest = uva_loop_unref(guest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts_end");
    TCase *walkers = UVA_HOST_TCASE(suite, "Walkers");
    TCase *detach = UVA_HOST_TCASE(suite, "Detach");
    TCase *shutdown = UVA_HOST_TCASE(suite, "Shutdown");
    TCase *others = UVA_HOST_TCASE(suite, "Others");

    tcase_add_loop_test(walkers, host_walks_and_goes, 0,
                        (int)(sizeof next_calls / sizeof *next_calls));
    UVA_ADD_TESTS(walkers, host_walks_and_the_reference_goes);
    tcase_add_loop_test(walkers, guest_ends_before_the_host_has_turned, 0, 2);
    tcase_add_loop_test(walkers, host_walks_with_connections_open, 0, 2);
    tcase_add_loop_test(walkers, host_walks_while_a_name_is_looked_up, 0, 2);
    UVA_ADD_TESTS(walkers, operations_of_the_host, host_closes_some_handles);
    UVA_ADD_TESTS(detach, detached_before_the_host_goes,
                  detach_of_loops_of_ones_own, detach_of_one_that_swallows);
    UVA_ADD_TESTS(shutdown, shutdown_in_virtual_time,
                  shutdown_that_nothing_can_end, shutdown_does_not_poll_busily,
                  shutdown_with_a_deadline,
                  shutdown_inside_the_host_with_a_deadline,
                  shutdown_and_the_reference_goes);
    UVA_ADD_TESTS(others, own_loop_with_handles_of_others,
                  run_that_leaves_a_handle, thread_that_ends_after_the_loop);
    return uva_test_main(suite);
}
