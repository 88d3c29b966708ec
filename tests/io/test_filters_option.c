/*
 * Connections and servers that begin with a filter: nothing is heard before it
 * is ready, and a failure of it is the call's, or logged by the server.
 */
#include "kinds.h"
#include "net.h"
#include "test_filters.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/protocols.h"

/* --- a protocol that counts --- */

typedef struct notes_s {
    int made;
    int lost;
    int status;
    int received;
    uva_transport_t *transport;
} notes_t;

typedef struct count_s {
    uva_protocol_t base;
} count_t;

static int count_made(uva_protocol_t *self)
{
    notes_t *notes = self->arg;

    notes->made++;
    notes->transport = self->transport;
    return 0;
}

static void count_lost(uva_protocol_t *self, int status)
{
    notes_t *notes = self->arg;

    notes->lost++;
    notes->status = status;
}

/* It sends back what comes. */
static int count_received(uva_protocol_t *self, uva_bytes_t data)
{
    notes_t *notes = self->arg;

    notes->received += (int)data.size;
    return uva_transport_write(self->transport, data.data, data.size);
}

static const uva_protocol_ops_t count_ops = {
    UVA_PROTOCOL_OPS(count_t),
    .connection_made = count_made,
    .connection_lost = count_lost,
    .data_received = count_received,
};

/* --- servers --- */

static uva_filter_kind_t slow_frames; /* Lives as long as connections. */

static void slow_frames_init(void)
{
    slow_frames = uva_test_frames;
    slow_frames.opening_ns = UVA_SEC(60);
    slow_frames.closing_ns = UVA_SEC(60);
}

static uva_server_t *serve(notes_t *notes, const uva_filter_kind_t *kind)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.filter = kind;
    ck_assert_int_eq(uva_create_server(&count_ops, notes, "127.0.0.1", "0",
                                       &options, &server),
                     0);
    return server;
}

static void serve_end(uva_server_t *server)
{
    uva_server_abort_clients(server);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
    UVA_TEST_UNTIL(uva_test_engines == 0);
}

static int dial(uint16_t port,
                const uva_filter_kind_t *kind,
                uva_reader_t **ret_reader,
                uva_writer_t **ret_writer)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;

    options.filter = kind;
    return uva_open_connection("127.0.0.1", uva_test_port(port), &options,
                               ret_reader, ret_writer);
}

/* --- both sides --- */

UVA_TASK(void, echo_line, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_bytes_t line;
    int r = (int)uva_reader_readline_view(args->reader, &line);

    (void)ret;
    return r < 0 ? r : uva_writer_write(args->writer, line.data, line.size);
}

static void echo_once(uva_reader_t *reader, uva_writer_t *writer)
{
    uva_bytes_t line;

    ck_assert_int_eq(uva_writer_write(writer, "there and back\n", 15), 0);
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 15);
    ck_assert_int_eq(memcmp(line.data, "there and back\n", 15), 0);
}

UVA_NET_TEST(streams_on_both_sides)
{
    const uva_filter_kind_t *kinds[] = {&uva_test_rot13, &uva_test_frames};

    for (int i = 0; i < 2; i++) {
        uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
        uva_server_t *server;
        uva_reader_t *reader;
        uva_writer_t *writer;
        options.filter = kinds[i];
        ck_assert_int_eq(
            uva_start_server(echo_line, "127.0.0.1", "0", &options, &server),
            0);
        ck_assert_int_eq(
            dial(uva_server_port(server), kinds[i], &reader, &writer), 0);
        echo_once(reader, writer);
        UVA_IGNORE(uva_connection_close(reader, writer));
        serve_end(server);
    }
}

UVA_NET_TEST(protocols_on_both_sides)
{
    const uva_filter_kind_t *kinds[] = {&uva_test_rot13, &uva_test_frames};

    for (int i = 0; i < 2; i++) {
        uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
        notes_t here = {0};
        notes_t there = {0};
        uva_server_t *server = serve(&there, kinds[i]);
        uva_transport_t *transport;
        options.filter = kinds[i];
        ck_assert_int_eq(
            uva_create_connection(&count_ops, &here, "127.0.0.1",
                                  uva_test_port(uva_server_port(server)),
                                  &options, &transport),
            0);
        ck_assert_int_eq(here.made, 1);
        ck_assert_int_eq(uva_transport_write(transport, "x", 1), 0);
        UVA_TEST_UNTIL(here.received > 10);
        uva_transport_close(transport);
        UVA_TEST_UNTIL(here.lost == 1 && there.lost == 1);
        ck_assert_int_eq(here.status, 0);
        ck_assert_int_eq(there.made, 1);
        uva_transport_unref(transport);
        serve_end(server);
    }
}

UVA_NET_TEST(unix_and_descriptors)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_reader_t *reader = NULL;
    uva_writer_t *writer = NULL;
    uva_transport_t *transport;
    notes_t notes = {0};
    int fds[2];

    options.filter = &uva_test_frames;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    uva_test_send(fds[1], "HELLO\n");
    ck_assert_int_eq(uva_create_connection_fd(&count_ops, &notes, fds[0],
                                              &options, &transport),
                     0);
    ck_assert_int_eq(notes.made, 1);
    uva_transport_abort(transport);
    uva_transport_unref(transport);
    close(fds[1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    /* It does not wait, so it has no time for a filter. */
    ck_assert_int_eq(uva_open_connection_fd(fds[0], &options, &reader, &writer),
                     UV_EINVAL);
    close(fds[1]);
    UVA_TEST_UNTIL(notes.lost == 1 && uva_test_engines == 0);
}

/* --- what the filter is told --- */

static char host_told[64];
static bool server_told;

static int ask_start(uva_filter_t *filter,
                     void *data,
                     bool is_server,
                     const char *host,
                     void **ret_state)
{
    (void)data;
    (void)snprintf(host_told, sizeof host_told, "%s",
                   host == NULL ? "none" : host);
    server_told = is_server;
    *ret_state = filter;
    uva_filter_ready(filter, UV_EACCES);
    return 0;
}

static int ask_received(void *state, uva_bytes_t data)
{
    (void)state;
    (void)data;
    return 0;
}

static int ask_write(void *state, const uva_bytes_t *pieces, size_t count)
{
    (void)state;
    (void)pieces;
    (void)count;
    return 0;
}

static const uva_filter_ops_t ask_ops = {
    .size = sizeof(uva_filter_ops_t),
    .name = "ask",
    .start = ask_start,
    .received = ask_received,
    .write = ask_write,
};

static const uva_filter_kind_t ask = {
    .size = sizeof(uva_filter_kind_t),
    .ops = &ask_ops,
};

UVA_NET_TEST(the_name_it_expects)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 8, &port);

    options.filter = &ask;
    for (int i = 0; i < 2; i++) {
        options.filter_host = i == 0 ? NULL : "other.test";
        ck_assert_int_eq(uva_open_connection("127.0.0.1", uva_test_port(port),
                                             &options, &reader, &writer),
                         UV_EACCES);
        ck_assert_str_eq(host_told, i == 0 ? "127.0.0.1" : "other.test");
        ck_assert(!server_told);
    }
    close(listener);
}

UVA_NET_TEST(a_kind_that_is_none)
{
    uva_filter_kind_t kind = uva_test_frames;
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;

    kind.size = 1;
    options.filter = &kind;
    ck_assert_int_eq(dial(1, &kind, &reader, &writer), UV_EINVAL);
    ck_assert_int_eq(
        uva_start_server(echo_line, "127.0.0.1", "0", &options, &server),
        UV_EINVAL);
}

/* --- a connect whose filter fails --- */

/* Connect with a filter, streams without notes, and close. */
KIND_TASK(void, connects, uint16_t port; const uva_filter_kind_t *kind;
          notes_t * notes;
          uva_connection_options_t options;
          char text[8];
          uva_open_connection_op_t stream_op;
          uva_create_connection_op_t op;
          uva_reader_t * reader;
          uva_writer_t * writer;
          uva_transport_t * transport;
          int r;)
{
    UVA_BEGIN
    self->options.size = sizeof self->options;
    self->options.filter = self->kind;
    uva_test_put_port(self->text, self->port);
    if (self->notes == NULL) {
        AWAIT_OP(self->r, uva_open_connection, &self->stream_op, "127.0.0.1",
                 self->text, &self->options, &self->reader, &self->writer);
        if (self->r >= 0) {
            AWAIT(self->r, uva_connection_close, self->reader, self->writer);
        }
    } else {
        AWAIT_OP(self->r, uva_create_connection, &self->op, &count_ops,
                 self->notes, "127.0.0.1", self->text, &self->options,
                 &self->transport);
        if (self->r >= 0) {
            uva_transport_abort(self->transport);
        }
        uva_transport_unref(self->transport);
    }
    UVA_END
    return self->r;
}

UVA_NET_TEST(opening_fails)
{
    static const struct {
        const char *sent;
        int how; /* 0: no more comes; 1: the end of the stream; 2: a reset. */
        int code;
    } rows[] = {
        {"HEL", 0, UV_ETIMEDOUT},
        {"HOLA\n", 0, UV_EPROTO},
        {"HEL", 1, UV_EPROTO},
        {"HEL", 2, UV_ECONNRESET},
    };
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 8, &port);

    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        notes_t notes = {0};
        connects_task_t *task = KIND_SPAWN(
            connects, .port = port,
            .kind = rows[i / 2].code == UV_ETIMEDOUT ? &uva_test_quick_frames
                                                     : &uva_test_frames,
            .notes = i % 2 == 0 ? NULL : &notes);
        int fd = -1;
        UVA_TEST_UNTIL((fd = accept(listener, NULL, NULL)) >= 0);
        uva_test_expect(fd, "HELLO\n");
        uva_test_send(fd, rows[i / 2].sent);
        if (rows[i / 2].how == 1) {
            ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        } else if (rows[i / 2].how == 2) {
            uva_test_reset(fd);
        }
        ck_assert_int_eq(connects_await(task, NULL), rows[i / 2].code);
        UVA_TEST_UNTIL(uva_test_engines == 0);
        ck_assert_int_eq(notes.made + notes.lost, 0);
        if (rows[i / 2].how != 2) {
            close(fd);
        }
    }
    close(listener);
}

UVA_NET_TEST(connect_cancelled)
{
    /* At each turn until it is through. */
    for (int i = 0; i < 2; i++) {
        int r = UV_ECANCELED;
        for (int turns = 0; r == UV_ECANCELED; turns++) {
            notes_t notes = {0};
            notes_t there = {0};
            uva_server_t *server = serve(&there, &uva_test_frames);
            connects_task_t *task = KIND_SPAWN(
                connects, .port = uva_server_port(server),
                .kind = &uva_test_frames, .notes = i == 0 ? NULL : &notes);
            for (int k = 0; k < turns; k++) {
                UVA_TICK();
            }
            uva_future_cancel(UVA_FUTURE(task));
            r = connects_await(task, NULL);
            UVA_TEST_UNTIL(notes.made == notes.lost);
            serve_end(server);
            ck_assert_int_lt(turns, 1000);
        }
        ck_assert_int_eq(r, 0);
    }
}

UVA_NET_TEST(engine_ends_while_it_opens)
{
    void (*acts[])(uva_transport_t *) = {uva_transport_abort,
                                         uva_transport_close};
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 8, &port);

    for (int i = 0; i < 8; i++) {
        notes_t notes = {0};
        uva_test_probe_t probe = {.waits = true,
                                  .act = acts[i % 2],
                                  .call = i / 4 == 0 ? UVA_TEST_IN_START
                                                     : UVA_TEST_IN_RECEIVED};
        uva_filter_kind_t kind = uva_test_probe_kind(&probe);
        connects_task_t *task =
            KIND_SPAWN(connects, .port = port, .kind = &kind,
                       .notes = i / 2 % 2 == 0 ? NULL : &notes);
        int fd = -1;
        UVA_TEST_UNTIL((fd = accept(listener, NULL, NULL)) >= 0);
        uva_test_send(fd, "x");
        ck_assert_int_eq(connects_await(task, NULL), UV_ECONNABORTED);
        ck_assert_int_eq(notes.made + notes.lost, 0);
        UVA_TEST_UNTIL(uva_test_engines == 0);
        close(fd);
    }
    close(listener);
}

/* --- a server whose clients fail --- */

UVA_NET_TEST(a_server_goes_on)
{
    static uva_filter_kind_t kind;

    kind = uva_test_frames;
    kind.opening_ns = UVA_MS(300); /* For the late one; the others are quick. */
    /* Silence, and in debug mode a report, of a client that does not open. */
    for (int debug = 0; debug < 2; debug++) {
        uva_test_reports_t reports;
        notes_t notes = {0};
        uva_server_t *server = serve(&notes, &kind);
        uva_reader_t *reader;
        uva_writer_t *writer;
        int fds[3];
        uva_loop_set_debug(uva_get_running_loop(), debug == 1);
        uva_test_collect_reports(&reports);
        uva_test_log_begin();
        for (int i = 0; i < 3; i++) { /* Wrong, late, gone. */
            fds[i] = uva_test_dial(uva_server_port(server));
            uva_test_expect(fds[i], "HELLO\n");
        }
        uva_test_send(fds[0], "HOLA\n");
        close(fds[2]);
        while (uva_server_connection_count(server) > 0) {
            ck_assert_int_eq(uva_sleep(UVA_MS(5)), 0);
        }
        uva_test_expect_eof(fds[0]);
        uva_test_expect_eof(fds[1]);
        ck_assert_int_eq(notes.made + notes.lost, 0);
        ck_assert_int_eq(reports.count, debug * 3);
        if (debug == 1) {
            ck_assert_str_eq(
                reports.message,
                "Error on transport creation for incoming connection");
        }
        ck_assert_ptr_nonnull(strstr(uva_test_log(), "has not opened"));
        uva_test_log_end();
        uva_loop_set_debug(uva_get_running_loop(), false);
        ck_assert_int_eq(
            dial(uva_server_port(server), &uva_test_frames, &reader, &writer),
            0);
        echo_once(reader, writer);
        UVA_IGNORE(uva_connection_close(reader, writer));
        ck_assert_int_eq(notes.made, 1);
        serve_end(server);
        close(fds[0]);
        close(fds[1]);
    }
}

UVA_NET_TEST(nothing_is_heard_before)
{
    uva_test_probe_t probe = {.waits = true};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    notes_t notes = {0};
    uva_server_t *server = serve(&notes, &kind);
    int fd = uva_test_dial(uva_server_port(server));

    uva_test_send(fd, "early");
    UVA_TEST_UNTIL(probe.filter != NULL);
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    ck_assert_int_eq(notes.made + notes.received, 0);
    uva_filter_ready(probe.filter, 0);
    UVA_TEST_UNTIL(notes.received == 5);
    ck_assert_int_eq(notes.made, 1);
    uva_test_expect(fd, "early");
    probe.waits = false;
    serve_end(server);
    ck_assert_int_eq(notes.lost, 1);
    close(fd);
}

/* --- ends while clients open --- */

UVA_NET_TEST(clients_end_while_they_open)
{
    slow_frames_init();
    for (int i = 0; i < 8; i++) {
        notes_t notes = {0};
        uva_server_t *server = serve(&notes, &slow_frames);
        int fd = uva_test_dial(uva_server_port(server));
        if (i / 4 == 0) { /* Else the filter has perhaps not begun. */
            uva_test_expect(fd, "HELLO\n");
        } else {
            UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
        }
        if (i % 4 == 0) {
            uva_server_close_clients(server);
        } else if (i % 4 == 1) {
            uva_server_abort_clients(server);
        } else if (i % 4 == 2) {
            ck_assert_int_eq(uva_server_shutdown(server, 0), 1);
        } else {
            ck_assert_int_eq(uva_server_shutdown(server, UVA_MS(2)), 1);
        }
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 0);
        ck_assert_int_eq(notes.made + notes.lost, 0);
        serve_end(server);
        close(fd);
    }
}

/* The main task returns while filters are open, open, or close. */
static int ends_with_filters(void *arg, UVA_UNUSED void **ret_result)
{
    static notes_t notes; /* It outlives this task, as the server does. */
    int *fds = arg;
    uva_server_t *server = serve(&notes, &slow_frames);
    connects_task_t *task;

    notes = (notes_t){0};
    for (int i = 0; i < 3; i++) {
        fds[i] = uva_test_dial(uva_server_port(server));
        if (i > 0) {
            uva_test_send(fds[i], "HELLO\n");
        }
    }
    UVA_TEST_UNTIL(notes.made == 2);
    uva_transport_close(notes.transport); /* Waits for a goodbye. */
    task = KIND_SPAWN(connects, .port = uva_server_port(server),
                      .kind = &slow_frames, .notes = NULL);
    UVA_TICK();
    UVA_TICK();
    uva_task_unref(UVA_ERASE(task));
    uva_server_unref(server);
    return 0;
}

START_TEST(the_loop_ends_with_filters)
{
    int fds[3];
    uva_test_mark_t mark = uva_test_net_mark();

    slow_frames_init();
    ck_assert_int_eq(uva_run(ends_with_filters, fds, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    ck_assert_int_eq(uva_test_engines, 0);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- memory --- */

static int connect_and_close(uint16_t port, notes_t *notes)
{
    connects_task_t *task = KIND_SPAWN(
        connects, .port = port, .kind = &uva_test_frames, .notes = notes);
    int r = task == NULL ? UV_ENOMEM : connects_await(task, NULL);

    uva_testing_fail_allocation(0, false);
    return r;
}

/* A server of its own each time: one that could not accept pauses. */
static int connect_without(uint64_t n, bool streams)
{
    notes_t here = {0};
    notes_t there = {0};
    uva_server_t *server = serve(&there, &uva_test_frames);
    int r;

    uva_testing_fail_allocation(n, false);
    r = connect_and_close(uva_server_port(server), streams ? NULL : &here);
    UVA_TEST_UNTIL(here.made == here.lost && there.made == there.lost);
    serve_end(server);
    return r;
}

UVA_NET_TEST_STRICT(each_allocation_fails)
{
    /* Of the client or of the server: whatever is refused, both end. */
    for (int i = 0; i < 2; i++) {
        int wholes = 0;
        ck_assert_int_eq(connect_without(0, i == 0), 0);
        for (uint64_t n = 1; wholes < 5; n++) {
            wholes = connect_without(n, i == 0) == 0 ? wholes + 1 : 0;
            ck_assert_uint_lt(n, 300);
        }
    }
}

int main(void)
{
    Suite *suite = suite_create("filters_option");
    TCase *both = UVA_TCASE(suite, "Both");
    TCase *connects_case = UVA_TCASE(suite, "Connects");
    TCase *serves = UVA_TCASE(suite, "Serves");
    TCase *ends = UVA_TCASE(suite, "Ends");

    UVA_ADD_TESTS(both, streams_on_both_sides, protocols_on_both_sides,
                  unix_and_descriptors, the_name_it_expects,
                  a_kind_that_is_none);
    KIND_ADD_TESTS(connects_case, opening_fails, connect_cancelled,
                   engine_ends_while_it_opens);
    UVA_ADD_TESTS(serves, a_server_goes_on, nothing_is_heard_before);
    KIND_ADD_TESTS(ends, clients_end_while_they_open,
                   the_loop_ends_with_filters, each_allocation_fails);
    return uva_test_main(suite);
}
