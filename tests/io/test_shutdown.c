/*
 * How connections and servers end: the limit of a close, shutting servers down,
 * and what their handlers hear of it.
 */
#include "kinds.h"
#include "serving.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/protocols.h"

#include "core/timers.h"
#include "io/server.h"

/* Larger than what the two sockets of a connection hold. */
#define MUCH (32u * 1024u * 1024u)

static char much[MUCH];

/* --- the limit of a close --- */

static uva_connection_options_t limited(uint64_t timeout_ns)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;

    options.close_timeout_ns = timeout_ns;
    return options;
}

KIND_TASK(int, close_writer, uva_writer_t *writer; int r;)
{
    UVA_BEGIN
    uva_writer_close(self->writer);
    AWAIT(self->r, uva_writer_wait_closed, self->writer);
    UVA_END
    return self->r;
}

UVA_NET_TEST(close_ends_after_its_limit)
{
    uva_connection_options_t options = limited(UVA_MS(30));
    uva_test_link_t link;
    uint64_t begun_ns;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
    begun_ns = uva_loop_time(uva_get_running_loop());
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(close_writer, link.writer)),
                     UV_ETIMEDOUT);
    ck_assert_uint_ge(uva_loop_time(uva_get_running_loop()),
                      begun_ns + UVA_MS(30));
    ck_assert_int_eq(uva_transport_fileno(uva_writer_transport(link.writer)),
                     -1);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(close_within_its_limit)
{
    /* The peer reads: all of it arrives, and the timer is gone. */
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t link;
    close_writer_task_t *task;
    size_t left = MUCH;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
    task = KIND_SPAWN(close_writer, link.writer);
    while (left > 0) {
        long count = uva_test_drop(link.fd, left);
        ck_assert_int_ge(count, 0);
        left -= (size_t)count;
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(close_with_nothing_left)
{
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t link;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, "all", 3), 0);
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(close_writer, link.writer)), 0);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    uva_test_expect(link.fd, "all");
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(abort_and_loss_beat_the_limit)
{
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t links[2];

    for (int i = 0; i < 2; i++) {
        uva_test_link(&links[i], &options);
        ck_assert_int_eq(uva_writer_write(links[i].writer, much, MUCH), 0);
        uva_writer_close(links[i].writer);
    }
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 2);
    uva_transport_abort(uva_writer_transport(links[0].writer));
    ck_assert_int_eq(uva_writer_wait_closed(links[0].writer), 0);
    uva_test_reset(links[1].fd);
    ck_assert_int_eq(uva_writer_wait_closed(links[1].writer), UV_ECONNRESET);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    for (int i = 0; i < 2; i++) {
        uva_reader_unref(links[i].reader);
        uva_writer_unref(links[i].writer);
    }
    close(links[0].fd);
}

UVA_NET_TEST_STRICT(limit_without_memory)
{
    /* The connection ends at once. */
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t link;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
    uva_testing_fail_allocation(1, true);
    uva_writer_close(link.writer);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), UV_ENOMEM);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(options_of_an_older_program)
{
    uva_connection_options_t options = limited(UVA_MS(1));
    uva_test_link_t link;
    uva_reader_t *reader;
    uva_writer_t *writer;

    options.size = offsetof(uva_connection_options_t, close_timeout_ns);
    uva_test_link(&link, &options);
    ck_assert(!uva_writer_transport(link.writer)->close_limited);
    uva_test_unlink(&link);
    options.size--;
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1", "1", &options, &reader, &writer),
        UV_EINVAL);
}

static int serve_much(UVA_UNUSED uva_reader_t *reader,
                      uva_writer_t *writer,
                      UVA_UNUSED void *arg)
{
    return uva_writer_write(writer, much, MUCH); /* Then it is closed. */
}

UVA_NET_TEST(limit_of_a_server)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    int fd;

    options.close_timeout_ns = UVA_MS(20);
    server = start(serve_much, NULL, &options);
    fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
    close(fd);
}

/* --- handlers, and what they were told --- */

typedef struct told_s {
    int begun;
    int lines;
    int ends;  /* Reads that gave the end of the stream. */
    int codes; /* Handlers that have ended with a code. */
} told_t;

/* Serves lines; says each again. */
static int serve_lines(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    told_t *told = arg;
    uva_bytes_t line;
    int r;

    told->begun++;
    while ((r = uva_reader_readline_view(reader, &line)) > 0) {
        told->lines++;
        r = uva_writer_write(writer, line.data, line.size);
        ck_assert_int_eq(r, 0);
    }
    told->ends += r == 0;
    told->codes += r < 0;
    return r;
}

/* Writes to a peer that does not read. */
static int
serve_busy(UVA_UNUSED uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    told_t *told = arg;
    int r;

    told->begun++;
    do {
        r = uva_writer_write(writer, much, MUCH / 64);
        r = r < 0 ? r : uva_writer_drain(writer);
    } while (r >= 0);
    told->codes++;
    return r;
}

/* Ignores all that happens to it, until the test ends. */
static uva_event_t stubborn;

static int serve_stubborn(UVA_UNUSED uva_reader_t *reader,
                          UVA_UNUSED uva_writer_t *writer,
                          void *arg)
{
    ((told_t *)arg)->begun++;
    return uva_event_wait(&stubborn);
}

KIND_TASK(int, shut, uva_server_t *server; uint64_t grace_ns; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_shutdown, self->server, self->grace_ns);
    UVA_END
    *ret = self->r;
    return self->r < 0 ? self->r : 0;
}

/* @return As of uva_server_shutdown. */
static int shut_in_task(uva_server_t *server, uint64_t grace_ns)
{
    shut_task_t *task = KIND_SPAWN(shut, server, grace_ns);
    int aborted = -1;
    int r = shut_await(task, &aborted);

    return r < 0 ? r : aborted;
}

static void dial_all(const uva_server_t *server, int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        fds[i] = uva_test_dial(uva_server_port(server));
    }
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++) {
        close(fds[i]);
    }
}

/* A server, and connections whose handlers have begun. */
typedef struct served_s {
    told_t told;
    uva_server_t *server;
    int count;
    int fds[6];
} served_t;

static void served_begin(served_t *served,
                         uva_client_connected_cb handler,
                         int count,
                         const uva_server_options_t *options)
{
    *served = (served_t){.count = count};
    served->server = start(handler, &served->told, options);
    dial_all(served->server, served->fds, count);
    UVA_TEST_UNTIL(served->told.begun == count);
}

static void served_end(served_t *served)
{
    close_all(served->fds, served->count);
    uva_server_unref(served->server);
}

/* Await a shutdown that has succeeded. */
static void ck_aborts(shut_task_t *take_task, int count)
{
    int aborted = -1;

    ck_assert_int_eq(shut_await(take_task, &aborted), 0);
    ck_assert_int_eq(aborted, count);
}

static uint64_t now_ns(void)
{
    return uva_loop_time(uva_get_running_loop());
}

/* --- the grace --- */

UVA_NET_TEST(nothing_to_end)
{
    uva_server_t *server = start(serve_lines, NULL, NULL);

    ck_assert(!uva_server_closing(server));
    ck_assert_int_eq(shut_in_task(server, UVA_SEC(600)), 0);
    ck_assert(uva_server_closing(server));
    ck_assert_uint_eq(uva_server_socket_count(server), 0);
    ck_assert_int_eq(shut_in_task(server, 0), 0);
    uva_server_unref(server);
}

UVA_NET_TEST(handlers_end_by_themselves)
{
    told_t told = {0};
    uva_server_t *server = start(serve_lines, &told, NULL);
    shut_task_t *task;
    int fds[3];

    dial_all(server, fds, 3);
    UVA_TEST_UNTIL(told.begun == 3);
    task = KIND_SPAWN(shut, server, UVA_SEC(600));
    uva_test_send(fds[0], "late\n"); /* Still served. */
    uva_test_expect(fds[0], "late\n");
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    close_all(fds, 3);
    ck_aborts(task, 0);
    ck_assert_int_eq(told.ends, 3);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    uva_server_unref(server);
}

UVA_NET_TEST(grace_is_over)
{
    served_t s;
    uint64_t begun_ns;

    served_begin(&s, serve_lines, 3, NULL);
    begun_ns = now_ns();
    ck_assert_int_eq(shut_in_task(s.server, UVA_MS(20)), 3);
    ck_assert_uint_ge(now_ns(), begun_ns + UVA_MS(20));
    ck_assert_int_eq(s.told.ends, 3);
    ck_assert_uint_eq(uva_server_connection_count(s.server), 0);
    for (int i = 0; i < 3; i++) {
        uva_test_expect_eof(s.fds[i]);
    }
    served_end(&s);
}

UVA_NET_TEST(no_grace)
{
    served_t s;

    served_begin(&s, serve_busy, 3, NULL);
    ck_assert_int_eq(shut_in_task(s.server, 0), 3);
    ck_assert_int_eq(s.told.codes, 3); /* Handlers that do end have ended. */
    served_end(&s);
}

UVA_NET_TEST(accepted_and_not_begun)
{
    /* The connections were accepted, their handlers have not begun. */
    told_t told = {0};
    uva_server_t *server = start(serve_lines, &told, NULL);
    int fds[2];

    dial_all(server, fds, 2);
    UVA_TEST_UNTIL(uva_server_connection_count(server) > 0);
    ck_assert_int_gt(shut_in_task(server, 0), 0);
    ck_assert_int_eq(told.ends, told.begun);
    close_all(fds, 2);
    uva_server_unref(server);
}

UVA_NET_TEST(several_shut_it_down)
{
    /* The earliest end counts, and all are told the same. */
    served_t s;
    shut_task_t *tasks[4];

    served_begin(&s, serve_lines, 2, NULL);
    tasks[0] = KIND_SPAWN(shut, s.server, UVA_FOREVER);
    tasks[1] = KIND_SPAWN(shut, s.server, UVA_SEC(600));
    tasks[2] = KIND_SPAWN(shut, s.server, UVA_MS(10));
    tasks[3] = KIND_SPAWN(shut, s.server, UVA_SEC(300));
    for (int i = 0; i < 4; i++) {
        ck_aborts(tasks[i], 2);
    }
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    ck_assert_int_eq(shut_in_task(s.server, 0), 2); /* Once more: no change. */
    served_end(&s);
}

UVA_NET_TEST(impatience)
{
    /* A second call without a grace ends the first. */
    served_t s;
    shut_task_t *task;

    served_begin(&s, serve_lines, 1, NULL);
    task = KIND_SPAWN(shut, s.server, UVA_FOREVER);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(shut_in_task(s.server, 0), 1);
    ck_aborts(task, 1);
    served_end(&s);
}

KIND_TASK(int, serve_forever, uva_server_t *server; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_serve_forever, self->server);
    UVA_END
    return self->r;
}

KIND_TASK(int, wait_closed, uva_server_t *server; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_wait_closed, self->server);
    UVA_END
    return self->r;
}

UVA_NET_TEST(others_wait_for_the_server)
{
    served_t s;
    serve_forever_task_t *forever;
    wait_closed_task_t *closed;

    served_begin(&s, serve_lines, 1, NULL);
    forever = KIND_SPAWN(serve_forever, s.server);
    closed = KIND_SPAWN(wait_closed, s.server);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(shut_in_task(s.server, UVA_MS(5)), 1);
    ck_assert_int_eq(UVA_JOIN(forever), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(closed), 0);
    served_end(&s);
}

UVA_NET_TEST(cancelled_shutdown_aborts)
{
    served_t s;
    shut_task_t *task;

    served_begin(&s, serve_lines, 2, NULL);
    task = KIND_SPAWN(shut, s.server, UVA_FOREVER);
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    UVA_TEST_UNTIL(s.told.ends == 2);
    ck_assert_int_eq(shut_in_task(s.server, 0), 2); /* What the first did. */
    /* Cancelled before its first call: nothing begins. */
    task = KIND_SPAWN(shut, s.server, UVA_FOREVER);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    served_end(&s);
}

UVA_NET_TEST(last_reference_goes_meanwhile)
{
    told_t told = {0};
    uva_server_t *server = start(serve_lines, &told, NULL);
    shut_task_t *task;
    int fd = uva_test_dial(uva_server_port(server));

    UVA_TEST_UNTIL(told.begun == 1);
    task = KIND_SPAWN(shut, server, UVA_MS(5));
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_server_unref(server);
    ck_aborts(task, 1);
    close(fd);
}

typedef struct ended_s {
    told_t told;
    int fd;
    int r; /* Of the shutdown. */
} ended_t;

static int shuts_for_ever(void *arg, UVA_UNUSED void **ret_result)
{
    void **args = arg;

    ((ended_t *)args[1])->r = uva_server_shutdown(args[0], UVA_FOREVER);
    uva_server_unref(args[0]);
    return UV_ECANCELED;
}

static int ends_meanwhile(void *arg, UVA_UNUSED void **ret_result)
{
    static void *args[2];
    ended_t *ended = arg;
    uva_server_t *server = start(serve_lines, &ended->told, NULL);

    ended->fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(ended->told.begun == 1);
    args[0] = server;
    args[1] = ended;
    uva_task_unref(uva_create_task(shuts_for_ever, args));
    return uva_sleep(0);
}

START_TEST(loop_ends_meanwhile)
{
    ended_t ended = {.r = 1};
    uva_test_mark_t mark = uva_test_net_mark();

    ck_assert_int_eq(uva_run(ends_meanwhile, &ended, NULL, NULL), 0);
    ck_assert_int_eq(ended.r, UV_ECANCELED);
    close(ended.fd);
    uva_test_nothing_left(mark);
}
END_TEST

UVA_NET_TEST_STRICT(shutdown_without_memory)
{
    /* Nothing has changed; without a grace no memory is needed. */
    served_t s;
    int r = UV_ENOMEM;

    served_begin(&s, serve_lines, 1, NULL);
    for (uint64_t n = 1; r == UV_ENOMEM; n++) {
        uva_testing_fail_allocation(n, false);
        r = uva_server_shutdown(s.server, UVA_MS(1));
        uva_testing_fail_allocation(0, false);
        ck_assert(r == 1 || (r == UV_ENOMEM &&
                             uva_server_is_serving(s.server) && n < 10));
    }
    ck_assert_int_eq(r, 1);
    served_end(&s);

    served_begin(&s, serve_lines, 1, NULL);
    uva_testing_fail_allocation(1, true);
    r = uva_server_shutdown(s.server, 0);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(r, 1);
    served_end(&s);
}

UVA_NET_TEST_STRICT(sooner_without_memory)
{
    /* The end that the first task was promised cannot be kept: it is now. */
    served_t s;
    shut_task_t *task;
    int r;

    served_begin(&s, serve_lines, 1, NULL);
    task = KIND_SPAWN(shut, s.server, UVA_SEC(600));
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_testing_fail_allocation(1, true);
    r = uva_server_shutdown(s.server, UVA_SEC(300));
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(r, 1);
    ck_aborts(task, 1);
    served_end(&s);
}

static void shut_outside(void *data)
{
    uva_server_t *server = data;

    ck_assert_int_eq(uva_server_shutdown_poll(server, 0), UVA_ENOTASK);
    ck_assert_int_eq(uva_server_wait_closing_poll(server), UVA_ENOTASK);
    uva_server_ref(server);
}

UVA_NET_TEST(shutdown_outside_of_a_task)
{
    uva_server_t *server = start(serve_lines, NULL, NULL);

    ck_assert_int_eq(uva_loop_call_soon(uva_get_running_loop(), shut_outside,
                                        server, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert(uva_server_is_serving(server));
    uva_server_unref(server);
    ck_assert_int_eq(shut_in_task(server, 0), 0);
    uva_server_unref(server);
}

/* --- what ignores the end --- */

UVA_NET_TEST(stubborn_handlers)
{
    served_t s = {.count = 3};

    /* The log names the handler as it stands in this call. */
    ck_assert_int_eq(uva_start_server_callback(serve_stubborn, &s.told,
                                               "127.0.0.1", "0", NULL,
                                               &s.server),
                     0);
    uva_event_init(&stubborn);
    dial_all(s.server, s.fds, 3);
    UVA_TEST_UNTIL(s.told.begun == 3);
    uva_test_log_begin();
    ck_assert_int_eq(shut_in_task(s.server, UVA_MS(1)), 3);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "3 of its handlers go on"));
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "serve_stubborn"));
    uva_test_log_end();
    uva_event_set(&stubborn);
    served_end(&s);
    ck_assert_int_eq(uva_sleep(0), 0);
}

UVA_NET_TEST(full_server_shuts_down)
{
    /* Those beyond the limit are never served; the server accepts no more. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    told_t told = {0};
    uva_server_t *server;
    int fds[6];

    options.max_connections = 2;
    options.end_idle = true;
    uva_test_log_begin();
    server = start(serve_lines, &told, &options);
    dial_all(server, fds, 6);
    UVA_TEST_UNTIL(told.begun == 2);
    ck_assert_int_eq(shut_in_task(server, UVA_SEC(600)), 0);
    ck_assert_int_eq(told.begun, 2);
    for (int i = 0; i < 6; i++) {
        UVA_TEST_UNTIL(uva_test_drop(fds[i], 100) < 0);
    }
    uva_test_log_end();
    close_all(fds, 6);
    uva_server_unref(server);
}

/* Of four connections one writes, the next one ignores all, one serves lines
 * and is idle, and the last has begun one. */
static int serve_mixed(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    switch (((told_t *)arg)->begun % 4) {
    case 0:
        return serve_busy(reader, writer, arg);
    case 1:
        return serve_stubborn(reader, writer, arg);
    default:
        return serve_lines(reader, writer, arg);
    }
}

UVA_NET_TEST(hundred_connections)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    told_t told = {0};
    uva_server_t *server;
    uint64_t begun_ns;
    int fds[100];

    options.end_idle = true;
    options.close_timeout_ns = UVA_SEC(600);
    server = start(serve_mixed, &told, &options);
    uva_event_init(&stubborn);
    for (int i = 0; i < 100; i++) {
        fds[i] = uva_test_dial(uva_server_port(server));
        UVA_TEST_UNTIL(told.begun == i + 1);
        if (i % 4 == 3) {
            uva_test_send(fds[i], "begun");
        }
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(uva_sleep(0), 0); /* The begun lines arrive. */
    }
    uva_test_log_begin();
    begun_ns = now_ns();
    ck_assert_int_eq(shut_in_task(server, UVA_MS(50)), 75);
    ck_assert_uint_ge(now_ns(), begun_ns + UVA_MS(50));
    ck_assert_msg(strstr(uva_test_log(), "25 of its handlers go on") != NULL,
                  "%s", uva_test_log());
    uva_test_log_end();
    ck_assert_int_eq(told.codes, 25);
    ck_assert_int_eq(told.ends, 50);
    uva_event_set(&stubborn);
    close_all(fds, 100);
    uva_server_unref(server);
    ck_assert_int_eq(uva_sleep(0), 0);
}

/* --- a protocol that asks --- */

typedef struct asking_s {
    uva_protocol_t base;
} asking_t;

static uva_server_t *asked; /* The server that the last protocol has found. */
static int lost_count;

static int asking_data(uva_protocol_t *self, uva_bytes_t data)
{
    asked = uva_transport_get_server(self->transport);
    if (uva_server_closing(asked)) {
        uva_transport_close(self->transport);
        return 0;
    }
    return uva_transport_write(self->transport, data.data, data.size);
}

static void asking_lost(uva_protocol_t *self, int status)
{
    ck_assert_int_eq(status, 0);
    ck_assert_ptr_nonnull(uva_transport_get_server(self->transport));
    lost_count++;
}

static const uva_protocol_ops_t asking_ops = {
    UVA_PROTOCOL_OPS(asking_t),
    .data_received = asking_data,
    .connection_lost = asking_lost,
};

/* --- idle handlers --- */

typedef int read_fn(uva_reader_t *reader);

static int by_read(uva_reader_t *reader)
{
    char data[8];

    return uva_reader_read(reader, data, sizeof data);
}

static int by_view(uva_reader_t *reader)
{
    uva_bytes_t data;

    return uva_reader_read_view(reader, UVA_NO_LIMIT, &data);
}

static int by_line(uva_reader_t *reader)
{
    uva_bytes_t line;

    return uva_reader_readline_view(reader, &line);
}

static int by_count(uva_reader_t *reader)
{
    char data[8];
    size_t partial;
    int r = uva_reader_readexactly(reader, data, sizeof data, &partial);

    return r == UVA_EINCOMPLETEREAD && partial == 0 ? 0 : r;
}

static int by_all(uva_reader_t *reader)
{
    uva_buffer_t all;
    int r = uva_reader_read_all(reader, UVA_NO_LIMIT, &all);

    if (r >= 0) {
        uva_buffer_clear(&all);
    }
    return r;
}

static read_fn *const reads[] = {by_read, by_view, by_line, by_count, by_all};

typedef struct idle_s {
    int begun;
    int next;    /* Of reads. */
    int results; /* The sum of all. */
    int at_eof;
} idle_t;

static int
serve_idle(uva_reader_t *reader, UVA_UNUSED uva_writer_t *writer, void *arg)
{
    idle_t *idle = arg;

    idle->begun++;
    idle->results += reads[idle->next++ % 5](reader);
    idle->at_eof += uva_reader_at_eof(reader);
    return 0;
}

UVA_NET_TEST(idle_reads_end)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    idle_t idle = {0};
    uva_server_t *server;
    int fds[5];

    options.end_idle = true;
    server = start(serve_idle, &idle, &options);
    dial_all(server, fds, 5);
    UVA_TEST_UNTIL(idle.begun == 5);
    ck_assert_int_eq(shut_in_task(server, UVA_FOREVER), 0);
    ck_assert_int_eq(idle.results, 0);
    ck_assert_int_eq(idle.at_eof, 5);
    close_all(fds, 5);
    uva_server_unref(server);
}

UVA_NET_TEST(requests_that_arrived_are_served)
{
    /* One is in the system, unread; one is begun, and goes on later. Both
     * handlers end when they would wait for the next. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    served_t s;
    shut_task_t *task;

    options.end_idle = true;
    served_begin(&s, serve_lines, 2, &options);
    uva_test_send(s.fds[1], "beg");
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    uva_test_send(s.fds[0], "one\ntwo\n");
    task = KIND_SPAWN(shut, s.server, UVA_FOREVER);
    uva_test_expect(s.fds[0], "one\ntwo\n");
    uva_test_expect_eof(s.fds[0]);
    ck_assert_int_eq(s.told.ends, 1);
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    uva_test_send(s.fds[1], "un\n");
    uva_test_expect(s.fds[1], "begun\n");
    ck_aborts(task, 0);
    ck_assert_int_eq(s.told.lines, 3);
    ck_assert_int_eq(s.told.ends, 2);
    served_end(&s);
}

UVA_NET_TEST(begun_exact_read_goes_on)
{
    /* Its bytes lie at the place of the task, not in the buffer. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    idle_t idle = {.next = 3};
    uva_server_t *server;
    int fd;

    options.end_idle = true;
    server = start(serve_idle, &idle, &options);
    fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(idle.begun == 1);
    uva_test_send(fd, "half");
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    uva_server_close(server);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_uint_eq(uva_server_connection_count(server), 1);
    uva_test_send(fd, "full");
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    ck_assert_int_eq(idle.results, 8);
    ck_assert_int_eq(idle.at_eof, 0);
    close(fd);
    uva_server_unref(server);
}

UVA_NET_TEST(streams_that_come_later_end_too)
{
    /* A protocol stood there when the server was closed. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    uva_transport_t *transport;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t line;
    int fd;

    options.end_idle = true;
    ck_assert_int_eq(uva_create_server(&asking_ops, NULL, "127.0.0.1", "0",
                                       &options, &server),
                     0);
    fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    transport = UVA__LIST_FIRST(&server->clients, uva_transport_t, link);
    UVA_TEST_UNTIL(transport->made);
    uva_server_close(server);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_stream_on(transport, 0, &reader, &writer), 0);
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 0);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    close(fd);
    uva_server_unref(server);
}

UVA_NET_TEST(idle_handlers_live_on_without_the_option)
{
    told_t told = {0};
    uva_server_t *server = start(serve_lines, &told, NULL);
    int fd = uva_test_dial(uva_server_port(server));

    UVA_TEST_UNTIL(told.begun == 1);
    uva_server_close(server);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_int_eq(told.ends, 0);
    uva_test_send(fd, "on\n");
    uva_test_expect(fd, "on\n");
    close(fd);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
}

UVA_NET_TEST(accepted_late_and_idle)
{
    /* The handler begins, and reads, when the server is closed already. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    told_t told = {0};
    uva_server_t *server;
    int fd;

    options.end_idle = true;
    server = start(serve_lines, &told, &options);
    fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    ck_assert_int_eq(told.ends, told.begun);
    close(fd);
    uva_server_unref(server);
}

/* --- who asks --- */

KIND_TASK(int, wait_closing, uva_server_t *server; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_wait_closing, self->server);
    UVA_END
    return self->r;
}

/* Works until its server is closing. */
static int serve_until_closing(UVA_UNUSED uva_reader_t *reader,
                               uva_writer_t *writer,
                               void *arg)
{
    uva_server_t *server =
        uva_transport_get_server(uva_writer_transport(writer));

    ((told_t *)arg)->begun++;
    ck_assert(!uva_server_closing(server));
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(wait_closing, server)), 0);
    ck_assert(uva_server_closing(server));
    return uva_writer_write(writer, "bye", 3);
}

UVA_NET_TEST(handlers_wait_for_closing)
{
    served_t s;
    wait_closing_task_t *task;

    served_begin(&s, serve_until_closing, 1, NULL);
    task = KIND_SPAWN(wait_closing, s.server);
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_int_eq(shut_in_task(s.server, UVA_FOREVER), 0);
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(wait_closing, s.server)), 0);
    uva_test_expect(s.fds[0], "bye");
    served_end(&s);
}

UVA_NET_TEST(server_of_a_transport)
{
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    ck_assert_ptr_null(
        uva_transport_get_server(uva_writer_transport(link.writer)));
    uva_test_unlink(&link);
}

UVA_NET_TEST(protocols_ask)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    shut_task_t *task;
    int fds[3];

    options.end_idle = true; /* Means nothing to them. */
    lost_count = 0;
    ck_assert_int_eq(uva_create_server(&asking_ops, NULL, "127.0.0.1", "0",
                                       &options, &server),
                     0);
    dial_all(server, fds, 3);
    for (int i = 0; i < 3; i++) {
        uva_test_send(fds[i], "echo");
        uva_test_expect(fds[i], "echo");
    }
    ck_assert_ptr_eq(asked, server);
    task = KIND_SPAWN(shut, server, UVA_MS(50));
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_test_send(fds[1], "more");
    uva_test_expect_eof(fds[1]);
    UVA_TEST_UNTIL(lost_count == 1);
    ck_aborts(task, 2);
    ck_assert_int_eq(lost_count, 3);
    close_all(fds, 3);
    uva_server_unref(server);
}

int main(void)
{
    Suite *suite = suite_create("shutdown");
    TCase *limits = UVA_TCASE(suite, "Limits");
    TCase *grace = UVA_TCASE(suite, "Grace");
    TCase *ignoring = UVA_TCASE(suite, "Ignoring");
    TCase *idle = UVA_TCASE(suite, "Idle");
    TCase *asking = UVA_TCASE(suite, "Asking");

    KIND_ADD_TESTS(limits, close_ends_after_its_limit, close_within_its_limit);
    UVA_ADD_TESTS(limits, close_with_nothing_left,
                  abort_and_loss_beat_the_limit, limit_without_memory,
                  options_of_an_older_program, limit_of_a_server);
    KIND_ADD_TESTS(grace, nothing_to_end, handlers_end_by_themselves,
                   grace_is_over, no_grace, accepted_and_not_begun,
                   several_shut_it_down, impatience, others_wait_for_the_server,
                   cancelled_shutdown_aborts, last_reference_goes_meanwhile);
    UVA_ADD_TESTS(grace, loop_ends_meanwhile, shutdown_without_memory,
                  sooner_without_memory, shutdown_outside_of_a_task);
    KIND_ADD_TESTS(ignoring, stubborn_handlers, full_server_shuts_down,
                   hundred_connections);
    KIND_ADD_TESTS(idle, idle_reads_end, requests_that_arrived_are_served);
    UVA_ADD_TESTS(
        idle, begun_exact_read_goes_on, streams_that_come_later_end_too,
        idle_handlers_live_on_without_the_option, accepted_late_and_idle);
    KIND_ADD_TESTS(asking, handlers_wait_for_closing, protocols_ask);
    UVA_ADD_TESTS(asking, server_of_a_transport);
    return uva_test_main(suite);
}
