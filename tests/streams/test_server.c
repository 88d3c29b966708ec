/*
 * Servers: starting, accepting, serving, closing. CPython's tests, and what C
 * adds: connections without descriptors or memory, a bound on connections.
 */
#include "kinds.h"
#include "serving.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/timers.h"
#include "io/server.h"
#include "streams/streams.h"

/* --- handlers --- */

/* Reads to the end, then closes. */
static int serve_all(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    uva_buffer_t all;
    int r = uva_reader_read_all(reader, UVA_NO_LIMIT, &all);

    if (arg != NULL) {
        ++*(int *)arg;
    }
    if (r >= 0) {
        uva_buffer_clear(&all);
    }
    uva_writer_close(writer);
    return r < 0 ? r : uva_writer_wait_closed(writer);
}

/* --- typed handlers --- */

UVA_STACKLESS(int, shout, uva_reader_t *reader; uva_writer_t * writer; int step;
              uva_bytes_t line;)
{
    int r;

    UVA_BEGIN
    for (;;) {
        UVA_AWAIT(r, uva_reader_readline_view, self->reader, &self->line);
        if (r <= 0) {
            return r;
        }
        for (size_t i = 0; i < self->line.size; i++) {
            char c = (char)self->line.data[i];
            if (c >= 'a' && c <= 'z') {
                c = (char)(c - 'a' + 'A' + self->step);
            }
            r = uva_writer_write(self->writer, &c, 1);
            if (r < 0) {
                return r;
            }
        }
        UVA_AWAIT(r, uva_writer_drain, self->writer);
        if (r < 0) {
            return r;
        }
    }
    UVA_END
    return 0;
}

static int dropped;

UVA_STACKLESS_DROP(int, fail_late, fail_late_drop, uva_writer_t *writer;
                   uva_reader_t * reader;
                   int code;
                   uva_buffer_t line;)
{
    int r;

    UVA_BEGIN
    UVA_AWAIT(r, uva_reader_readline, self->reader, &self->line);
    UVA_END
    return r < 0 ? r : uva_fail(self->code, "said %s", self->line.data);
}

static void fail_late_drop(fail_late_args_t *self)
{
    dropped++;
    uva_buffer_clear(&self->line);
}

UVA_TASK(void, shout_stackful, int more; uva_writer_t * writer;
         uva_reader_t * reader;)
{
    uva_buffer_t line;
    int r;

    while ((r = uva_reader_readline(args->reader, &line)) > 0) {
        r = uva_writer_printf(args->writer, "%d %s", args->more,
                              (char *)line.data);
        uva_buffer_clear(&line);
        if (r < 0) {
            break;
        }
    }
    return r;
}

UVA_STACKLESS(uint16_t, start_stackless, uva_server_t **server;
              uva_start_server_op_t op;)
{
    int r;

    UVA_BEGIN
    UVA_AWAIT(r, uva_start_server, &self->op, shout, "127.0.0.1", "0", NULL,
              self->server, .step = 1);
    UVA_END
    *ret = r < 0 ? 0 : uva_server_port(*self->server);
    return r;
}

static void
ck_answers(const uva_server_t *server, const char *line, const char *answer)
{
    int fd = uva_test_dial(uva_server_port(server));

    for (int i = 0; i < 3; i++) {
        uva_test_send(fd, line);
        uva_test_expect(fd, answer);
    }
    shutdown(fd, SHUT_WR);
    uva_test_expect_eof(fd);
    close(fd);
}

UVA_NET_TEST(typed_handlers)
{
    uva_server_t *server;
    uint16_t port;

    ck_assert_int_eq(uva_start_server(shout, "127.0.0.1", "0", NULL, &server),
                     0);
    ck_answers(server, "abc\n", "ABC\n");
    ck_answers(server, "xyz!\n", "XYZ!\n");
    stop(server);

    ck_assert_int_eq(uva_start_server(shout_stackful, "127.0.0.1", "0", NULL,
                                      &server, .more = 7),
                     0);
    ck_answers(server, "abc\n", "7 abc\n");
    stop(server);

    ck_assert_int_eq(start_stackless_await(
                         uva_spawn(start_stackless, .server = &server), &port),
                     0);
    ck_assert_uint_eq(port, uva_server_port(server));
    ck_answers(server, "abc\n", "BCD\n");
    stop(server);
}

UVA_NET_TEST(typed_handler_fails)
{
    uva_server_t *server;
    uva_test_reports_t reports;
    int fd;

    dropped = 0;
    uva_test_collect_reports(&reports);
    ck_assert_int_eq(uva_start_server(fail_late, "127.0.0.1", "0", NULL,
                                      &server, .code = UVA_EUSER),
                     0);
    fd = uva_test_dial(uva_server_port(server));
    uva_test_send(fd, "no\n");
    uva_test_expect_eof(fd);
    ck_assert_int_eq(reports.count, 1);
    ck_assert_int_eq(reports.code, UVA_EUSER);
    ck_assert_str_eq(reports.message,
                     "Unhandled exception in client_connected_cb");
    ck_assert_str_eq(reports.text, "said no\n");
    ck_assert_int_eq(dropped, 1);
    close(fd);
    stop(server);
}

/* --- handlers that end --- */

static int
serve_failing(UVA_UNUSED uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    UVA_IGNORE(uva_writer_write(writer, "sorry", 5));
    return uva_fail(*(int *)arg, "test");
}

UVA_NET_TEST(unhandled_exception)
{
    /* test_streams.py, StreamTests.test_unhandled_exception */
    int code = UVA_EUSER - 1;
    uva_server_t *server = start(serve_failing, &code, NULL);
    uva_test_reports_t reports;
    int fd = uva_test_dial(uva_server_port(server));

    uva_test_collect_reports(&reports);
    uva_test_expect(fd, "sorry");
    uva_test_expect_eof(fd);
    ck_assert_int_eq(reports.count, 1);
    ck_assert_int_eq(reports.code, code);
    ck_assert_str_eq(reports.message,
                     "Unhandled exception in client_connected_cb");
    ck_assert_str_eq(reports.text, "test");
    close(fd);
    stop(server);
}

/* Answers until the connection is lost, and fails with that. */
static int
serve_to_the_loss(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    char byte;
    int r = uva_reader_read(reader, &byte, 1);

    ck_assert_str_eq(uva_task_get_coro(uva_current_task()),
                     "serve_to_the_loss");
    if (r > 0 && *(int *)arg == 1) {
        for (int i = 0; i < 100; i++) {
            UVA_IGNORE(uva_writer_write(writer, "x", 1));
            if (i % 10 == 0) {
                UVA_TICK();
            }
        }
        r = uva_writer_drain(writer);
    }
    r = r > 0 ? uva_reader_read(reader, &byte, 1) : r;
    return *(int *)arg == 2 && r < 0 ? UVA_EUSER : r;
}

UVA_TASK(void, read_byte, uva_reader_t *reader; int fails;)
{
    char byte;
    int r = uva_reader_read(args->reader, &byte, 1);

    (void)ret;
    return r < 0 && args->fails != 0 ? args->fails : r;
}

/* Lets a child read. */
static int
serve_by_group(uva_reader_t *reader, UVA_UNUSED uva_writer_t *writer, void *arg)
{
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, read_byte, .reader = reader,
                        .fails = *(int *)arg);
    return uva_taskgroup_exit(&group, 0);
}

UVA_NET_TEST(loss_in_a_group)
{
    /* A group whose children have all failed by the loss tells the loss. */
    int codes[] = {0, UVA_EUSER};

    for (int i = 0; i < 2; i++) {
        uva_test_reports_t reports;
        uva_server_t *server;
        int fd;
        ck_assert_int_eq(uva_start_server_callback(serve_by_group, &codes[i],
                                                   "127.0.0.1", "0", NULL,
                                                   &server),
                         0);
        uva_test_collect_reports(&reports);
        fd = uva_test_dial(uva_server_port(server));
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
        uva_test_reset(fd);
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 0);
        for (int ticks = 0; ticks < 30; ticks++) {
            UVA_TICK();
        }
        ck_assert_int_eq(reports.count, i);
        stop(server);
    }
}

UVA_NET_TEST(loss_of_a_client)
{
    /* A peer that resets writes nothing into the log of a server but for
     * debugging: there is the handler, and who it was. Another failure is
     * reported, with the handler's name. */
    int how = 0;
    uva_server_t *server;
    uva_test_reports_t reports;

    ck_assert_int_eq(uva_start_server_callback(serve_to_the_loss, &how,
                                               "127.0.0.1", "0", NULL, &server),
                     0);
    for (; how < 3; how++) {
        struct sockaddr_in own;
        socklen_t size = sizeof own;
        char wanted[100];
        int fd = uva_test_dial(uva_server_port(server));
        if (how == 2) {
            uva_loop_set_exception_handler(uva_get_running_loop(), NULL, NULL);
        } else {
            uva_test_collect_reports(&reports);
        }
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&own, &size), 0);
        uva_test_log_begin();
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
        uva_test_send(fd, "x");
        uva_test_reset(fd);
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 0);
        for (int i = 0; i < 30; i++) {
            UVA_TICK(); /* The handler hears of it, and ends. */
        }
        uva_test_log_end();
        if (how == 2) {
            ck_assert_ptr_nonnull(
                strstr(uva_test_log(), "(function serve_to_the_loss)"));
            continue;
        }
        ck_assert_int_eq(reports.count, 0);
        (void)snprintf(wanted, sizeof wanted,
                       "serve_to_the_loss: the connection with ('127.0.0.1', "
                       "%u) was lost: ",
                       (unsigned)ntohs(own.sin_port));
        ck_assert_msg(strstr(uva_test_log(), wanted) != NULL, "%s",
                      uva_test_log());
    }
    stop(server);
}

static uva_future_t *handler_gather;

/* Begins eagerly, is gathered before its server waits for it, and leaves that
 * one no memory, which it does not need. */
static int serve_gathered(UVA_UNUSED uva_reader_t *reader,
                          UVA_UNUSED uva_writer_t *writer,
                          UVA_UNUSED void *arg)
{
    uva_future_t *self = uva_future_ref(UVA_FUTURE(uva_current_task()));

    handler_gather = uva_gather_future(&self, 1, 0);
    uva_testing_fail_allocation(*(const uint64_t *)arg, false);
    return uva_sleep(0);
}

UVA_NET_TEST_STRICT(handler_gathered_meanwhile)
{
    uva_loop_t *loop = uva_get_running_loop();

    for (uint64_t fails = 0; fails < 2; fails++) {
        uva_server_t *server = start(serve_gathered, &fails, NULL);
        uva_test_reports_t reports;
        int fd = uva_test_dial(uva_server_port(server));
        handler_gather = NULL;
        uva_test_collect_reports(&reports);
        uva_loop_set_task_factory(loop, uva_eager_task_factory, NULL);
        UVA_TEST_UNTIL(handler_gather != NULL);
        uva_loop_set_task_factory(loop, NULL, NULL);
        uva_testing_fail_allocation(0, false);
        uva_test_expect_eof(fd);
        ck_assert_int_eq(uva_await(handler_gather, NULL), 0);
        uva_future_unref(handler_gather);
        ck_assert_int_eq(reports.count, 0);
        (void)close(fd);
        stop(server);
    }
}

static int serve_cancelled(UVA_UNUSED uva_reader_t *reader,
                           uva_writer_t *writer,
                           UVA_UNUSED void *arg)
{
    uva_writer_close(writer);
    uva_task_cancel(uva_current_task());
    return uva_sleep(UVA_SEC(100));
}

UVA_NET_TEST(unhandled_cancel)
{
    /* test_streams.py, StreamTests.test_unhandled_cancel */
    uva_server_t *server = start(serve_cancelled, NULL, NULL);
    uva_test_reports_t reports;
    int fd = uva_test_dial(uva_server_port(server));

    uva_test_collect_reports(&reports);
    uva_test_expect_eof(fd);
    ck_assert_int_eq(reports.count, 0);
    close(fd);
    stop(server);
}

static int serve_hello(UVA_UNUSED uva_reader_t *reader,
                       uva_writer_t *writer,
                       UVA_UNUSED void *arg)
{
    return uva_writer_printf(writer, "hello");
}

UVA_NET_TEST(handler_returns)
{
    /* asyncio closes a connection when its writer is collected; here it is
     * closed, all sent, when the handler returns. */
    uva_server_t *server = start(serve_hello, NULL, NULL);
    int fd = uva_test_dial(uva_server_port(server));

    uva_test_expect(fd, "hello");
    uva_test_expect_eof(fd);
    close(fd);
    stop(server);
}

static int
serve_and_close(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    uva_writer_t **kept = arg;

    if (kept != NULL) {
        *kept = uva_writer_ref(writer);
    }
    UVA_IGNORE(uva_writer_write(writer, "bye", 3));
    /* Its references are the server's. */
    return uva_connection_close(reader, writer);
}

UVA_NET_TEST(handler_closes_and_keeps)
{
    uva_writer_t *kept = NULL;
    uva_server_t *server = start(serve_and_close, &kept, NULL);
    int fd = uva_test_dial(uva_server_port(server));

    uva_test_expect(fd, "bye");
    uva_test_expect_eof(fd);
    close(fd);
    stop(server);
    ck_assert(uva_writer_is_closing(kept));
    ck_assert_int_eq(uva_writer_wait_closed(kept), 0);
    uva_writer_unref(kept);
}

/* --- what handlers inherit --- */

static uva_context_var_t colour = {"colour", NULL};
static char blue[] = "blue";
static char red[] = "red";
static char changed[] = "changed";

static int serve_context(UVA_UNUSED uva_reader_t *reader,
                         uva_writer_t *writer,
                         UVA_UNUSED void *arg)
{
    char *old = uva_context_var_get(&colour);

    UVA_IGNORE(uva_context_var_set(&colour, changed, NULL));
    return uva_writer_printf(writer, "%s", old == NULL ? "none" : old);
}

UVA_NET_TEST(context)
{
    /* Each handler runs in a copy of the context of start_server. */
    uva_server_t *server;

    ck_assert_int_eq(uva_context_var_set(&colour, blue, NULL), 0);
    server = start(serve_context, NULL, NULL);
    ck_assert_int_eq(uva_context_var_set(&colour, red, NULL), 0);
    for (int i = 0; i < 2; i++) {
        int fd = uva_test_dial(uva_server_port(server));
        uva_test_expect(fd, "blue");
        uva_test_expect_eof(fd);
        close(fd);
    }
    stop(server);
}

/* --- serving --- */

typedef struct serving_s {
    uva_server_t *server;
    uva_task_t *main_task;
} serving_t;

static int
serve_and_cancel(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    serving_t *serving = arg;
    uva_bytes_t line;

    ck_assert_int_gt(uva_reader_readline_view(reader, &line), 0);
    uva_task_cancel(serving->main_task);
    ck_assert_int_eq(uva_writer_write(writer, "1", 1), 0);
    uva_writer_close(writer);
    return uva_writer_wait_closed(writer);
}

KIND_TASK(int, serve_forever, uva_server_t *server; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_serve_forever, self->server);
    UVA_END
    return self->r;
}

UVA_NET_TEST(start_server_1)
{
    /* test_server.py, BaseStartServer.test_start_server_1 */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    serving_t serving;
    serve_forever_task_t *task;
    uint16_t port;
    int fd;

    options.deferred = true;
    serving.server = start(serve_and_cancel, &serving, &options);
    ck_assert(!uva_server_is_serving(serving.server));
    port = uva_server_port(serving.server);
    task = KIND_SPAWN(serve_forever, serving.server);
    serving.main_task = UVA_ERASE(task);
    UVA_TEST_UNTIL(uva_server_is_serving(serving.server));
    fd = uva_test_dial(port);
    for (int i = 0; i < 5 * 1024 / 8; i++) {
        uva_test_send(fd, "11111111");
    }
    uva_test_send(fd, "\n");
    uva_test_expect(fd, "1");
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_server_socket_count(serving.server), 0);
    ck_assert_uint_eq(uva_server_port(serving.server), 0);
    ck_assert(!uva_server_is_serving(serving.server));
    ck_assert_uint_eq(uva_server_connection_count(serving.server), 0);
    ck_assert_int_eq(uva_server_serve_forever(serving.server), UV_EPERM);
    ck_assert_int_eq(uva_server_start_serving(serving.server), UV_EPERM);
    close(fd);
    uva_server_unref(serving.server);
}

UVA_NET_TEST(serve_forever_and_close)
{
    /* Closing a server cancels who serves it, in asyncio too. */
    uva_server_t *server = start(serve_all, NULL, NULL);
    serve_forever_task_t *task = KIND_SPAWN(serve_forever, server);
    serve_forever_task_t *second;
    uva_reader_t *reader;
    uva_writer_t *writer;

    dial(server, &reader, &writer);
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    second = KIND_SPAWN(serve_forever, server);
    ck_assert_int_eq(UVA_JOIN(second), UV_EPERM);
    uva_server_close(server);
    for (int i = 0; i < 10; i++) {
        UVA_TICK();
    }
    /* It waits for the connections. */
    ck_assert(!UVA_DONE(task));
    hang_up(reader, writer);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    uva_server_unref(server);
}

UVA_NET_TEST(serve_forever_twice_cancelled)
{
    uva_server_t *server = start(serve_all, NULL, NULL);
    serve_forever_task_t *task = KIND_SPAWN(serve_forever, server);
    uva_reader_t *reader;
    uva_writer_t *writer;

    dial(server, &reader, &writer);
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    uva_task_cancel(UVA_ERASE(task));
    UVA_TICK();
    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_server_connection_count(server), 1);
    hang_up(reader, writer);
    stop(server);
}

UVA_NET_TEST(start_serving)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;

    options.deferred = true;
    server = start(serve_hello, NULL, &options);
    ck_assert_int_eq(uva_open_connection("127.0.0.1",
                                         uva_test_port(uva_server_port(server)),
                                         NULL, &reader, &writer),
                     UV_ECONNREFUSED);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_server_start_serving(server), 0);
        ck_assert(uva_server_is_serving(server));
    }
    ck_assert_ptr_eq(uva_server_get_loop(server), uva_get_running_loop());
    dial(server, &reader, &writer);
    hang_up(reader, writer);
    stop(server);
}

/* --- closing --- */

KIND_TASK(int, wait_closed, uva_server_t *server; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_wait_closed, self->server);
    UVA_END
    return self->r;
}

UVA_NET_TEST(wait_closed_basic)
{
    /* test_server.py, TestServer2.test_wait_closed_basic */
    uva_server_t *server = start(serve_all, NULL, NULL);
    wait_closed_task_t *tasks[3];
    uva_reader_t *reader;
    uva_writer_t *writer;

    tasks[0] = KIND_SPAWN(wait_closed, server);
    UVA_TICK();
    ck_assert(!UVA_DONE(tasks[0]));
    dial(server, &reader, &writer);
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    tasks[1] = KIND_SPAWN(wait_closed, server);
    UVA_TICK();
    uva_server_close(server);
    uva_server_close(server);
    UVA_TICK();
    tasks[2] = KIND_SPAWN(wait_closed, server);
    UVA_TICK();
    for (int i = 0; i < 3; i++) {
        ck_assert(!UVA_DONE(tasks[i]));
    }
    hang_up(reader, writer);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(UVA_JOIN(tasks[i]), 0);
    }
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
}

static void close_server(void *data)
{
    uva_server_close(data);
}

static void close_writer(void *data)
{
    uva_writer_close(data);
}

UVA_NET_TEST(wait_closed_race)
{
    /* test_server.py, TestServer2.test_wait_closed_race */
    uva_server_t *server = start(serve_all, NULL, NULL);
    wait_closed_task_t *task = KIND_SPAWN(wait_closed, server);
    uva_reader_t *reader;
    uva_writer_t *writer;

    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    dial(server, &reader, &writer);
    ck_assert_int_eq(uva_loop_call_soon(NULL, close_server, server, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_loop_call_soon(NULL, close_writer, writer, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    uva_reader_unref(reader);
    uva_writer_unref(writer);
    uva_server_unref(server);
}

UVA_NET_TEST(wait_closed_cancelled)
{
    uva_server_t *server = start(serve_all, NULL, NULL);
    wait_closed_task_t *task = KIND_SPAWN(wait_closed, server);

    UVA_TICK();
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(uva_server_is_serving(server));
    stop(server);
}

UVA_NET_TEST(close_clients)
{
    /* test_server.py, TestServer2.test_close_clients */
    uva_server_t *server = start(serve_all, NULL, NULL);
    wait_closed_task_t *task = KIND_SPAWN(wait_closed, server);
    uva_reader_t *reader;
    uva_writer_t *writer;

    dial(server, &reader, &writer);
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    uva_server_close(server);
    uva_server_close_clients(server);
    UVA_TICK();
    UVA_TICK();
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(UVA_JOIN(task), 0);
    hang_up(reader, writer);
    uva_server_unref(server);
}

static int
serve_stuffing(UVA_UNUSED uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    static char zeros[100000];

    while (!writer->paused) {
        UVA_IGNORE(uva_writer_write(writer, zeros, sizeof zeros));
    }
    *(bool *)arg = true;
    return uva_writer_wait_closed(writer);
}

UVA_NET_TEST(abort_clients)
{
    /* test_server.py, TestServer2.test_abort_clients */
    bool stuffed = false;
    uva_server_t *server = start(serve_stuffing, &stuffed, NULL);
    wait_closed_task_t *task;
    int fd = uva_test_dial(uva_server_port(server));

    UVA_TEST_UNTIL(stuffed);
    task = KIND_SPAWN(wait_closed, server);
    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    uva_server_close(server);
    uva_server_close_clients(server);
    UVA_TICK();
    UVA_TICK();
    ck_assert(!UVA_DONE(task)); /* There is too much to send. */
    uva_server_abort_clients(server);
    UVA_TICK();
    UVA_TICK();
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(UVA_JOIN(task), 0);
    close(fd);
    uva_server_unref(server);
}

UVA_NET_TEST(close_with_clients)
{
    /* Connections live on when their server is closed, and when nobody has a
     * reference of it. */
    int served = 0;
    uva_server_t *server = start(serve_all, &served, NULL);
    uint16_t port = uva_server_port(server);
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t view;

    dial(server, &reader, &writer);
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    uva_server_close(server);
    ck_assert_ptr_null(uva_server_unref(server));
    ck_assert_int_eq(uva_open_connection("127.0.0.1", uva_test_port(port), NULL,
                                         &reader, &writer),
                     UV_ECONNREFUSED);
    ck_assert_int_eq(uva_writer_write(writer, "late", 4), 0);
    ck_assert_int_eq(uva_writer_write_eof(writer), 0);
    ck_assert_int_eq(uva_reader_read_view(reader, 9, &view), 0);
    ck_assert_int_eq(served, 1);
    hang_up(reader, writer);
}

UVA_NET_TEST(accepted_but_not_made)
{
    /* Closed between its arrival and its handler's first step. */
    int served = 0;
    uva_server_t *server = start(serve_all, &served, NULL);
    uva_test_reports_t reports;
    int fds[10];

    uva_test_collect_reports(&reports);
    for (int i = 0; i < 10; i++) {
        fds[i] = uva_test_dial(uva_server_port(server));
    }
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 10);
    uva_server_abort_clients(server);
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 0);
    UVA_TEST_UNTIL(served == 10);
    for (int i = 0; i < 10; i++) {
        uva_test_expect_eof(fds[i]);
        close(fds[i]);
    }
    ck_assert_int_eq(reports.count, 0);
    stop(server);
}

UVA_NET_TEST(unclosed_server)
{
    uva_server_t *server = start(serve_all, NULL, NULL);

    uva_loop_set_debug(uva_get_running_loop(), true);
    ck_assert_ptr_eq(uva_server_ref(server), server);
    ck_assert_ptr_null(uva_server_unref(server));
    uva_test_log_begin();
    ck_assert_ptr_null(uva_server_unref(server));
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "was not closed"));
    uva_test_log_end();
    ck_assert_ptr_null(uva_server_ref(NULL));
    ck_assert_ptr_null(uva_server_unref(NULL));
}

typedef struct left_s {
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
} left_t;

static int leave_a_server(void *arg, UVA_UNUSED void **ret_result)
{
    left_t *left = arg;

    left->server = start(serve_all, NULL, NULL);
    dial(left->server, &left->reader, &left->writer);
    UVA_TEST_UNTIL(uva_server_connection_count(left->server) == 1);
    return 0;
}

START_TEST(run_ends_with_a_server)
{
    /* As asyncio.run: what is left open is closed with the loop. */
    uva_test_mark_t mark = uva_test_net_mark();
    left_t left;

    ck_assert_int_eq(uva_run(leave_a_server, &left, NULL, NULL), 0);
    ck_assert_uint_eq(uva_test_descriptors(), mark.descriptor_count);
    ck_assert_uint_eq(uva_server_socket_count(left.server), 0);
    ck_assert(uva_writer_is_closing(left.writer));
    uva_server_unref(left.server);
    uva_reader_unref(left.reader);
    uva_writer_unref(left.writer);
    uva_test_nothing_left(mark);
}
END_TEST

/* Sends more than the system takes, and closes; nobody reads it. */
static int serve_much(UVA_UNUSED uva_reader_t *reader,
                      uva_writer_t *writer,
                      UVA_UNUSED void *arg)
{
    static char much[64 * 1024 * 1024];

    return uva_writer_write(writer, much, sizeof much);
}

static int leave_a_closed_server(void *arg, UVA_UNUSED void **ret_result)
{
    int *fd = arg;
    uva_server_t *server = start(serve_much, NULL, NULL);

    *fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(uva_test_drop(*fd, 1) == 1);
    uva_server_close(server);
    uva_server_close_clients(server);
    uva_server_unref(server);
    return 0;
}

START_TEST(run_ends_with_a_client_that_does_not_read)
{
    /* The server is closed; its client is closing, and would for ever. */
    uva_test_mark_t mark = uva_test_net_mark();
    int fd;

    ck_assert_int_eq(uva_run(leave_a_closed_server, &fd, NULL, NULL), 0);
    close(fd);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- addresses --- */

UVA_NET_TEST(all_addresses)
{
    /* test_events.py, EventLoopTestsMixin.test_create_server_dual_stack: a
     * socket for each family. */
    uva_server_t *server;
    bool v4 = false;
    uva_address_t address;
    size_t count;

    ck_assert_int_eq(
        uva_start_server_callback(serve_hello, NULL, NULL, "0", NULL, &server),
        0);
    count = uva_server_socket_count(server);
    ck_assert_uint_ge(count, 1);
    for (size_t i = 0; i < count; i++) {
        const char *host;
        uva_reader_t *reader;
        uva_writer_t *writer;
        ck_assert_int_eq(uva_server_get_sockname(server, i, &address), 0);
        ck_assert_uint_ne(address.port, 0);
        v4 = v4 || address.family == UVA_FAMILY_IPV4;
        host = address.family == UVA_FAMILY_IPV4 ? "127.0.0.1" : "::1";
        ck_assert_int_eq(uva_open_connection(host, uva_test_port(address.port),
                                             NULL, &reader, &writer),
                         0);
        hang_up(reader, writer);
    }
    ck_assert(v4);
    ck_assert_int_eq(uva_server_get_sockname(server, count, &address),
                     UV_EINVAL);
    stop(server);
}

UVA_NET_TEST(one_family)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_server_empty_host */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    uva_address_t address;

    options.family = UVA_FAMILY_IPV4;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "", "0",
                                               &options, &server),
                     0);
    ck_assert_uint_eq(uva_server_socket_count(server), 1);
    ck_assert_int_eq(uva_server_get_sockname(server, 0, &address), 0);
    ck_assert_str_eq(address.host, "0.0.0.0");
    ck_assert_uint_eq(address.port, uva_server_port(server));
    stop(server);
}

UVA_NET_TEST(address_in_use)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_server_cant_bind
     * test_events.py,
     * EventLoopTestsMixin.test_create_server_reuse_port
     * test_events.py, EventLoopTestsMixin.test_create_server_addr_in_use */
    uva_server_t *server = start(serve_hello, NULL, NULL);
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *second;
    uva_server_t *third;
    char port[8];

    uva_test_put_port(port, uva_server_port(server));
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               port, NULL, &second),
                     UV_EADDRINUSE);
    options.exclusive_address = true;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               port, &options, &second),
                     UV_EADDRINUSE);
    stop(server);

    /* Two servers of one port, if both want it. */
    options.exclusive_address = false;
    options.reuse_port = true;
    second = start(serve_hello, NULL, &options);
    uva_test_put_port(port, uva_server_port(second));
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               port, &options, &third),
                     0);
    stop(second);
    stop(third);
}

UVA_NET_TEST(wrong_options)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_server_no_host_port_sock */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               NULL, NULL, &server),
                     UV_EINVAL);
    options.size = 1;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               "0", &options, &server),
                     UV_EINVAL);
    options.size = sizeof options;
    options.backlog_count = -1;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               "0", &options, &server),
                     UV_EINVAL);
    options.backlog_count = 0;
    options.max_connections = 16777217;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               "0", &options, &server),
                     UV_EINVAL);
    options.max_connections = 0;
    options.limit_bytes = SIZE_MAX;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               "0", &options, &server),
                     UV_EINVAL);
    options.limit_bytes = 0;
    options.high_bytes = 1;
    options.low_bytes = 2;
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "127.0.0.1",
                                               "0", &options, &server),
                     UV_EINVAL);
    /* An address that this host does not have. */
    uva_test_log_begin();
    ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL, "192.0.2.1",
                                               "0", NULL, &server),
                     UV_EADDRNOTAVAIL);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "192.0.2.1"));
    uva_test_log_end();
}

static int options_of(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    size_t high;
    size_t low;
    int on = 0;
    socklen_t size = sizeof on;
    int fd = uva_transport_fileno(uva_writer_transport(writer));

    uva_transport_get_write_buffer_limits(uva_writer_transport(writer), &high,
                                          &low);
    (void)getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size);
    *(bool *)arg = high == 4000 && low == 1000 && on != 0 &&
                   reader->in.limit == 77 &&
                   (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 &&
                   (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
    return 0;
}

UVA_NET_TEST(options_reach_connections)
{
    /* test_base_events.py,
     * TestSelectorUtils.test_set_nodelay */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    bool good = false;
    uva_server_t *server;
    int fd;

    options.limit_bytes = 77;
    options.low_bytes = 1000;
    server = start(options_of, &good, &options);
    ck_assert_int_eq(fcntl(server->listeners[0].fd, F_GETFD) & FD_CLOEXEC,
                     FD_CLOEXEC);
    fd = uva_test_dial(uva_server_port(server));
    uva_test_expect_eof(fd);
    ck_assert(good);
    close(fd);
    stop(server);
}

/* --- many, and too many --- */

UVA_NET_TEST(accepts_many_at_once)
{
    /* test_selector_events.py,
     * BaseSelectorEventLoopTests.test_accept_connection_multiple */
    uva_server_t *server = start(serve_hello, NULL, NULL);
    int fds[50];

    for (int i = 0; i < 50; i++) {
        fds[i] = uva_test_dial(uva_server_port(server));
    }
    for (int i = 0; i < 50; i++) {
        uva_test_expect(fds[i], "hello");
        close(fds[i]);
    }
    stop(server);
}

UVA_NET_TEST(max_connections)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    int fds[10];

    options.max_connections = 3;
    server = start(serve_all, NULL, &options);
    uva_test_log_begin();
    for (int i = 0; i < 10; i++) {
        fds[i] = uva_test_dial(uva_server_port(server));
    }
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 3);
    for (int i = 0; i < 10; i++) {
        for (int j = 0; j < 10; j++) {
            UVA_TICK();
        }
        ck_assert_uint_eq(uva_server_connection_count(server), 3);
        if (i < 7) {
            /* Whoever goes makes room for one. */
            shutdown(fds[i], SHUT_WR);
            uva_test_expect_eof(fds[i]);
            UVA_TEST_UNTIL(uva_server_connection_count(server) == 3);
        }
    }
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "EAGAIN"));
    ck_assert_ptr_eq(strstr(uva_test_log(), "EAGAIN"),
                     strrchr(uva_test_log(), 'E'));
    uva_test_log_end();
    for (int i = 0; i < 10; i++) {
        close(fds[i]);
    }
    stop(server);
}

/* Without descriptors: what asyncio does, and no turn is wasted. */
static int without_descriptors(UVA_UNUSED void *arg,
                               UVA_UNUSED void **ret_result)
{
    uva_server_t *server = start(serve_hello, NULL, NULL);
    uva_loop_t *loop = uva_get_running_loop();
    uva_test_reports_t reports;
    struct rlimit limit;
    struct rlimit old;
    int held[64];
    int count = 0;
    uint64_t begun_ns;
    uint64_t iterations;
    int fd;

    uva_test_collect_reports(&reports);
    fd = uva_test_dial(uva_server_port(server));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (count < 64 && (held[count] = dup(fd)) >= 0) {
        count++;
    }
    ck_assert_int_eq(errno, EMFILE);
    begun_ns = uva_loop_time(loop);
    UVA_TEST_UNTIL(reports.count == 1);
    ck_assert_int_eq(reports.code, UV_EMFILE);
    ck_assert_str_eq(reports.message, "socket.accept() out of system resource");
    /* For a second nothing is asked of the system. */
    iterations = uva_loop_iterations(loop);
    ck_assert_int_eq(uva_sleep(UVA_MS(300)), 0);
    ck_assert_uint_lt(uva_loop_iterations(loop), iterations + 20);
    ck_assert_int_eq(reports.count, 1);
    ck_assert_uint_eq(uva_server_connection_count(server), 0);
    while (count > 0) {
        close(held[--count]);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    if (recv(fd, held, 1, MSG_DONTWAIT) == 0) {
        /* Valgrind accepts it first, and then finds that it may not. */
        close(fd);
        fd = uva_test_dial(uva_server_port(server));
    }
    while (recv(fd, held, 1, MSG_DONTWAIT) <= 0) {
        ck_assert_uint_lt(uva_loop_time(loop), begun_ns + UVA_SEC(20));
        ck_assert_int_eq(uva_sleep(UVA_MS(20)), 0);
    }
    ck_assert_uint_ge(uva_loop_time(loop), begun_ns + UVA_SEC(1));
    ck_assert_int_eq(reports.count, 1);
    close(fd);
    stop(server);
    return 0;
}

START_TEST(emfile)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_accept_connection_retry */
    ck_child_passes(without_descriptors);
}
END_TEST

UVA_NET_TEST(accept_that_always_fails)
{
    /* A socket that listens no more: accept fails, and the poll says at once
     * that it might not. It is told, and asked again a second later; asyncio
     * spins. */
    uva_server_t *server = start(serve_hello, NULL, NULL);
    uva_loop_t *loop = uva_get_running_loop();
    uva_test_reports_t reports;
    uint64_t iterations;

    uva_test_collect_reports(&reports);
    ck_assert_int_eq(shutdown(server->listeners[0].fd, SHUT_RDWR), 0);
    UVA_TEST_UNTIL(reports.count == 1);
    ck_assert_int_eq(reports.code, UV_EINVAL);
    ck_assert_str_eq(reports.message, "socket.accept() failed");
    ck_assert(!server->listeners[0].watched);
    iterations = uva_loop_iterations(loop);
    ck_assert_int_eq(uva_sleep(UVA_MS(50)), 0);
    ck_assert_uint_lt(uva_loop_iterations(loop), iterations + 20);
    ck_assert_int_eq(reports.count, 1);
    stop(server);
}

UVA_NET_TEST_STRICT(oom_start)
{
    uva_server_t *server;

    /* What a loop keeps for sockets comes with the first. */
    for (uint64_t n = 1; n <= 3; n++) {
        uva_testing_fail_allocation(n, false);
        ck_assert_int_eq(uva_start_server_callback(serve_hello, NULL,
                                                   "127.0.0.1", "0", NULL,
                                                   &server),
                         UV_ENOMEM);
        uva_testing_fail_allocation(0, false);
    }
    stop(start(serve_hello, NULL, NULL));
    UVA_OOM_TEST(uva_start_server_callback(serve_hello, NULL, "127.0.0.1", "0",
                                           NULL, &server));
    stop(server);
}

UVA_NET_TEST_STRICT(oom_accept)
{
    /* Each allocation for a connection fails once: it is reported, and the
     * server lives. */
    uva_server_t *server = start(serve_hello, NULL, NULL);
    uva_test_reports_t reports;
    int answers = 0;

    uva_test_collect_reports(&reports);
    for (uint64_t n = 1; answers < 3; n++) {
        int fd = uva_test_dial(uva_server_port(server));
        char byte;
        long got = 0;
        ck_assert_uint_lt(n, 50);
        reports.count = 0;
        uva_testing_fail_allocation(n, false);
        for (int i = 0; i < 200 && got == 0; i++) {
            UVA_TICK();
            got = recv(fd, &byte, 1, MSG_DONTWAIT);
            got = got < 0 ? 0 : got == 0 ? -1 : got;
        }
        uva_testing_fail_allocation(0, false);
        if (got > 0) {
            answers++;
        } else {
            UVA_TEST_UNTIL(reports.count > 0);
            ck_assert_int_eq(reports.code, UV_ENOMEM);
        }
        /* It does not wait for the second that a lack of memory costs. */
        for (size_t i = 0; i < server->listener_count; i++) {
            uva__timer_t *timer = &server->listeners[i].timer;
            if (timer->state != 0) {
                uva__timer_stop(server->loop, timer);
                timer->fire(timer);
            }
        }
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 0 &&
                       recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) >= 0);
        close(fd);
    }
    stop(server);
}

UVA_NET_TEST(spawn_refused)
{
    /* A handler that cannot be made costs its connection, and is told of. */
    uva_server_t *server = start(serve_hello, NULL, NULL);
    uva_loop_t *loop = uva_get_running_loop();
    size_t most = loop->limits.max_tasks;
    uva_test_reports_t reports;
    int fd = uva_test_dial(uva_server_port(server));

    uva_test_collect_reports(&reports);
    loop->limits.max_tasks = loop->tasks.count;
    uva_test_expect_eof(fd);
    loop->limits.max_tasks = most;
    ck_assert_int_eq(reports.count, 1);
    ck_assert_int_eq(reports.code, UV_EAGAIN);
    close(fd);
    stop(server);
}

KIND_TASK(int, start_and_wait, uva_start_server_op_t op; int r;
          uva_server_t * server;)
{
    UVA_BEGIN
    AWAIT_OP(self->r, uva_start_server_callback, &self->op, serve_hello, NULL,
             "127.0.0.1", "0", NULL, &self->server);
    UVA_END
    if (self->r >= 0) {
        uva_server_close(self->server);
        uva_server_unref(self->server);
    }
    return self->r;
}

UVA_NET_TEST(start_cancelled)
{
    /* In the iteration between listening and returning. */
    start_and_wait_task_t *task = KIND_SPAWN(start_and_wait);
    size_t descriptors = uva_test_descriptors();

    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_test_descriptors(), descriptors);
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(start_and_wait)), 0);
}

static void add_more(Suite *suite)
{
    TCase *addresses = UVA_TCASE(suite, "Addresses");
    TCase *many = UVA_TCASE(suite, "Many");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(addresses, all_addresses, one_family, address_in_use,
                  wrong_options, options_reach_connections);

    UVA_ADD_TESTS(many, accepts_many_at_once, max_connections, emfile);

    UVA_ADD_TESTS(memory, oom_start, oom_accept);
    UVA_ADD_TESTS(many, accept_that_always_fails);
    UVA_ADD_TESTS(memory, spawn_refused);
    KIND_ADD_TESTS(memory, start_cancelled);
}

int main(void)
{
    Suite *suite = suite_create("server");
    TCase *handler = UVA_TCASE(suite, "Handler");
    TCase *serving = UVA_TCASE(suite, "Serving");
    TCase *closing = UVA_TCASE(suite, "Close");

    UVA_ADD_TESTS(handler, typed_handlers, typed_handler_fails,
                  unhandled_exception, loss_of_a_client, loss_in_a_group,
                  handler_gathered_meanwhile, unhandled_cancel, handler_returns,
                  handler_closes_and_keeps, context);

    KIND_ADD_TESTS(serving, start_server_1, serve_forever_and_close,
                   serve_forever_twice_cancelled);
    UVA_ADD_TESTS(serving, start_serving);

    KIND_ADD_TESTS(closing, wait_closed_basic, wait_closed_race,
                   wait_closed_cancelled, close_clients, abort_clients);
    UVA_ADD_TESTS(closing, close_with_clients, accepted_but_not_made,
                  unclosed_server, run_ends_with_a_server,
                  run_ends_with_a_client_that_does_not_read);
    add_more(suite);
    return uva_test_main(suite);
}
