#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GUEST_TASKS = 32,
    GUEST_WAITS = 16,
    GUEST_NAPS = 3,
    GUEST_LINES = 20
};

typedef struct guest_wait_s {
    uva_future_t *future; /* Counted: the callback may come after the loop. */
    uva_task_t *task;     /* Borrowed from the tasks. */
} guest_wait_t;

struct guest_s {
    uva_loop_t *loop;
    struct {
        uva_task_t *task;
        bool lingers;
        bool may_fail; /* The host looks at its result. */
    } tasks[GUEST_TASKS];
    int task_count;
    guest_wait_t waits[GUEST_WAITS];
    int wait_count;
    uva_server_t *server;
    int naps;
    int lines;
    bool left; /* A shutdown was begun, */
    int told;  /* and that it is done was told so often. */
    int failures;
};

void guest_fail(guest_t *guest, const char *what)
{
    guest->failures++;
    printf("FAIL: %s\n", what);
    fflush(stdout);
}

static void guest_check(guest_t *guest, bool holds, const char *what)
{
    if (!holds) {
        guest_fail(guest, what);
    }
}

static int
guest_spawn(guest_t *guest, uva_coro_cb body, void *arg, bool lingers)
{
    int number = guest->task_count++;

    guest->tasks[number].task =
        uva_loop_create_task(guest->loop, body, arg, NULL);
    guest->tasks[number].lingers = lingers;
    return number;
}

void guest_work(guest_t *guest, uva_coro_cb body, void *arg)
{
    (void)guest_spawn(guest, body, arg, false);
}

void guest_linger(guest_t *guest, uva_coro_cb body, void *arg)
{
    (void)guest_spawn(guest, body, arg, true);
}

uva_loop_t *guest_loop(guest_t *guest)
{
    return guest->loop;
}

/* --- what it does by itself --- */

static int nap(void *arg, void **ret_result)
{
    guest_t *guest = arg;
    int r = 0;

    (void)ret_result;
    for (int i = 0; r == 0 && i < GUEST_NAPS; i++) {
        uint64_t begin_ns = uva_loop_time(guest->loop);
        r = uva_sleep(UVA_MS(1));
        guest_check(guest,
                    r < 0 || uva_loop_time(guest->loop) - begin_ns >= UVA_MS(1),
                    "a sleep was too short");
        guest->naps++;
    }
    return r;
}

static int sleep_on(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(UVA_FOREVER);
}

static int echo_serve(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    uva_bytes_t data;
    int r;

    (void)arg;
    do {
        r = uva_reader_read_view(reader, SIZE_MAX, &data);
        if (r > 0) {
            r = uva_writer_write(writer, data.data, data.size);
        }
    } while (r >= 0 && data.size > 0);
    return r;
}

/* Send lines to a server and get them back. */
static int echo_lines(guest_t *guest, int port, int count)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    char text[16];
    char line[32];
    char back[32];
    int r;

    snprintf(text, sizeof text, "%d", port);
    r = uva_open_connection("127.0.0.1", text, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    for (int i = 0; r == 0 && i < count; i++) {
        int size = snprintf(line, sizeof line, "line %d of %d\n", i, count);
        r = uva_writer_write(writer, line, (size_t)size);
        if (r == 0) {
            r = uva_reader_readexactly(reader, back, (size_t)size, NULL);
        }
        guest_check(guest, r < 0 || memcmp(line, back, (size_t)size) == 0,
                    "an echo came back changed");
    }
    (void)uva_connection_close(reader, writer);
    return r;
}

static int serve_and_talk(void *arg, void **ret_result)
{
    guest_t *guest = arg;
    int r;

    (void)ret_result;
    r = uva_start_server_callback(echo_serve, NULL, "127.0.0.1", "0", NULL,
                                  &guest->server);
    if (r == 0) {
        r = echo_lines(guest, uva_server_port(guest->server), GUEST_LINES);
        guest->lines = GUEST_LINES;
    }
    return r;
}

/* A connection on which nothing comes, until the end. */
static int listen_on(void *arg, void **ret_result)
{
    guest_t *guest = arg;
    uva_reader_t *reader;
    uva_writer_t *writer;
    char text[16];
    char byte;
    int r = 0;

    (void)ret_result;
    while (r == 0 && guest->server == NULL) {
        r = uva_sleep(UVA_MS(1));
    }
    if (r < 0) {
        return r;
    }
    snprintf(text, sizeof text, "%d", uva_server_port(guest->server));
    r = uva_open_connection("127.0.0.1", text, NULL, &reader, &writer);
    if (r < 0) {
        return r;
    }
    r = uva_reader_read(reader, &byte, 1);
    (void)uva_connection_close(reader, writer);
    return r;
}

guest_t *guest_attach(void *host)
{
    guest_t *guest = calloc(1, sizeof *guest);
    int r;

    if (guest == NULL) {
        return NULL;
    }
    r = uva_loop_attach(host, NULL, &guest->loop);
    if (r < 0) {
        printf("FAIL: attach: %s\n", uva_strerror(r));
        free(guest);
        return NULL;
    }
    guest_work(guest, nap, guest);
    guest_work(guest, serve_and_talk, guest);
    guest_linger(guest, sleep_on, guest);
    guest_linger(guest, listen_on, guest);
    return guest;
}

/* --- what it does with the host --- */

static int await_host(void *arg, void **ret_result)
{
    return uva_await(arg, ret_result);
}

int guest_expect(guest_t *guest, int lingers)
{
    int number = guest->wait_count++;
    guest_wait_t *wait = &guest->waits[number];
    int task;

    wait->future = uva_loop_create_future(guest->loop);
    task = guest_spawn(guest, await_host, wait->future, lingers != 0);
    guest->tasks[task].may_fail = lingers == 0;
    wait->task = guest->tasks[task].task;
    return number;
}

void guest_complete(guest_t *guest, int number, int value)
{
    (void)uva_future_set_result(guest->waits[number].future,
                                (void *)(intptr_t)value, NULL);
}

void guest_cancel(guest_t *guest, int number)
{
    (void)uva_task_cancel(guest->waits[number].task);
}

int guest_result(guest_t *guest, int number)
{
    uva_future_t *task = UVA_FUTURE(guest->waits[number].task);
    void *value = NULL;
    int r;

    if (!uva_future_done(task)) {
        return UVA_PENDING;
    }
    r = uva_future_result(task, &value);
    return r < 0 ? r : (int)(intptr_t)value;
}

typedef struct guest_call_s {
    guest_t *guest;
    int port;
} guest_call_t;

static int talk(void *arg, void **ret_result)
{
    guest_call_t *call = arg;

    (void)ret_result;
    return echo_lines(call->guest, call->port, GUEST_LINES);
}

void guest_talk(guest_t *guest, int port)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    guest_call_t *call = malloc(sizeof *call);

    if (call == NULL) {
        guest_fail(guest, "no memory");
        return;
    }
    call->guest = guest;
    call->port = port;
    options.arg_destroy = free;
    guest->tasks[guest->task_count++].task =
        uva_loop_create_task(guest->loop, talk, call, &options);
}

int guest_port(guest_t *guest)
{
    return guest->server == NULL ? 0 : uva_server_port(guest->server);
}

int guest_ready(guest_t *guest)
{
    for (int i = 0; i < guest->task_count; i++) {
        if (!guest->tasks[i].lingers &&
            !uva_future_done(UVA_FUTURE(guest->tasks[i].task))) {
            return 0;
        }
    }
    return 1;
}

/* --- the end --- */

static void count_done(uva_loop_t *loop, int status, void *data)
{
    guest_t *guest = data;

    (void)loop;
    (void)status;
    guest->told++;
}

void guest_leave(guest_t *guest)
{
    int r = uva_loop_shutdown(
        guest->loop,
        &(uva_shutdown_options_t){.size = sizeof(uva_shutdown_options_t),
                                  .done = count_done,
                                  .data = guest});

    guest_check(guest, r == 0, "the shutdown was refused");
    guest->left = true;
}

void guest_detach(guest_t *guest)
{
    int r = uva_loop_detach(guest->loop);

    guest_check(guest, r == 0, "the guest could not detach");
}

int guest_gone(guest_t *guest)
{
    return uva_loop_is_detached(guest->loop);
}

static void guest_check_task(guest_t *guest, uva_task_t *task, bool lingers)
{
    int code;

    if (!uva_future_done(UVA_FUTURE(task))) {
        guest_fail(guest, "a task is unfinished");
        return;
    }
    code = uva_future_exception(UVA_FUTURE(task));
    if (lingers != (code < 0)) {
        guest_fail(guest, lingers ? "a task without an end succeeded"
                                  : "a task failed");
        printf("  %s: %s\n", uva_task_get_name(task), uva_strerror(code));
    }
}

int guest_ended(guest_t *guest)
{
    for (int i = 0; i < guest->task_count; i++) {
        if (!guest->tasks[i].may_fail) {
            guest_check_task(guest, guest->tasks[i].task,
                             guest->tasks[i].lingers);
        }
    }
    return guest->failures;
}

int guest_finish(guest_t *take_guest)
{
    guest_t *guest = take_guest;
    int failures;

    guest_check(guest, guest->naps == GUEST_NAPS, "not all naps were taken");
    guest_check(guest, guest->lines == GUEST_LINES, "not all lines came back");
    /* Where the host has closed the handles, this call may be the first to find
     * it out. */
    guest_check(guest, uva_loop_is_detached(guest->loop),
                "something of the loop is left on the host");
    guest_check(guest, guest->told == guest->left, "the end was told wrong");
    (void)guest_ended(guest);
    for (int i = 0; i < guest->task_count; i++) {
        uva_task_unref(guest->tasks[i].task);
    }
    for (int i = 0; i < guest->wait_count; i++) {
        uva_future_unref(guest->waits[i].future);
    }
    uva_server_unref(guest->server);
    uva_loop_unref(guest->loop);
    guest_check(guest, uva_allocated_bytes() == 0, "memory was left behind");
    failures = guest->failures;
    free(guest);
    return failures;
}

static guest_t *at_exit;

static void exit_finish(void)
{
    if (!guest_gone(at_exit)) {
        guest_detach(at_exit);
    }
    if (guest_finish(at_exit) != 0) {
        _exit(1);
    }
}

void guest_finish_at_exit(guest_t *take_guest)
{
    at_exit = take_guest;
    guest_check(at_exit, atexit(exit_finish) == 0, "no place for an exit");
}
