/*
 * The network in memory: servers and connections of virtual loops, which find
 * each other by host and port.
 */
#include "kinds.h"
#include "net.h"

#include <string.h>

#include "uva/connections.h"
#include "uva/protocols.h"

/* --- what the tests share --- */

KIND_TASK(void, echo_line, uva_reader_t *reader; uva_writer_t * writer;
          uva_bytes_t line;
          int r;)
{
    UVA_BEGIN
    for (;;) {
        AWAIT(self->r, uva_reader_readline_view, self->reader, &self->line);
        if (self->r <= 0) {
            break;
        }
        self->r =
            uva_writer_write(self->writer, self->line.data, self->line.size);
        if (self->r < 0) {
            break;
        }
    }
    UVA_END
    return self->r < 0 ? self->r : 0;
}

static uva_server_t *start(const char *host, const char *port)
{
    uva_server_t *server;

    ck_assert_int_eq(uva_start_server(echo_line, host, port, NULL, &server), 0);
    return server;
}

static void stop(uva_server_t *server)
{
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
}

/* Say a line to a server, and close. @return 0, or why nobody was there. */
static int say(const char *host, const char *port)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t line;
    int r = uva_open_connection(host, port, NULL, &reader, &writer);

    if (r < 0) {
        return r;
    }
    ck_assert_int_eq(uva_transport_medium(uva_writer_transport(writer)),
                     UVA_MEDIUM_MEMORY);
    ck_assert_int_eq(uva_writer_write(writer, "hello\n", 6), 0);
    r = uva_reader_readline_view(reader, &line);
    if (r == UV_ECANCELED) {
        (void)uva_connection_close(reader, writer);
        return r;
    }
    ck_assert_int_eq(r, 6);
    ck_assert_int_eq(memcmp(line.data, "hello\n", 6), 0);
    return uva_connection_close(reader, writer);
}

/* --- finding --- */

UVA_TEST(names)
{
    uva_server_t *db = start("db", "80");
    uva_server_t *web = start("web", "80");

    ck_assert_int_eq(say("db", "80"), 0);
    ck_assert_int_eq(say("web", "80"), 0);
    ck_assert_int_eq(say("web", "81"), UV_ECONNREFUSED);
    ck_assert_int_eq(say("Web", "80"), UV_ECONNREFUSED);
    ck_assert_int_eq(say("localhost", "80"), UV_ECONNREFUSED);
    stop(db);
    ck_assert_int_eq(say("db", "80"), UV_ECONNREFUSED);
    ck_assert_int_eq(say("web", "80"), 0);
    stop(web);
}

UVA_TEST(this_host)
{
    static const char *const hosts[] = {"", "localhost", "127.0.0.1",
                                        "0.0.0.0"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        uva_server_t *server = start(hosts[i], "7000");
        for (size_t k = 0; k < sizeof hosts / sizeof *hosts; k++) {
            ck_assert_int_eq(say(hosts[k], "7000"), 0);
        }
        ck_assert_int_eq(say("::1", "7000"),
                         hosts[i][0] == '\0' ? 0 : UV_ECONNREFUSED);
        ck_assert_int_eq(say("db", "7000"), UV_ECONNREFUSED);
        stop(server);
    }
}

UVA_TEST(families)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_connection_options_t from = UVA_CONNECTION_OPTIONS_INIT;
    uva_address_t address;
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;

    options.family = UVA_FAMILY_IPV6;
    from.family = UVA_FAMILY_IPV6;
    ck_assert_int_eq(uva_start_server(echo_line, "db", "80", &options, &server),
                     0);
    ck_assert_int_eq(uva_server_get_sockname(server, 0, &address), 0);
    ck_assert_str_eq(address.host, "fd00::1");
    ck_assert_int_eq(say("db", "80"), UV_ECONNREFUSED);
    ck_assert_int_eq(uva_open_connection("db", "80", &from, &reader, &writer),
                     0);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1", "80", &from, &reader, &writer),
        UV_EAI_NONAME);
    stop(server);
}

UVA_TEST(refused_names)
{
    uva_server_t *server = start("db", "80");
    uva_server_t *other;

    ck_assert_int_eq(uva_start_server(echo_line, "db", "80", NULL, &other),
                     UV_EADDRINUSE);
    ck_assert_int_eq(say("db", "http"), UV_EAI_SERVICE);
    ck_assert_int_eq(say("db", "65536"), UV_EINVAL);
    stop(server);
    stop(start("db", "80"));
}

UVA_TEST(addresses)
{
    uva_server_t *server = start("db", "0");
    uint16_t port = uva_server_port(server);
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_address_t own;
    uva_address_t peer;
    uva_reader_t *reader;
    uva_writer_t *writer;

    ck_assert_uint_ge(port, 49152);
    ck_assert_uint_eq(uva_server_socket_count(server), 1);
    ck_assert_int_eq(
        uva_open_connection("db", uva_test_port(port), NULL, &reader, &writer),
        0);
    ck_assert_int_eq(
        uva_transport_get_peername(uva_writer_transport(writer), &peer), 0);
    ck_assert_int_eq(
        uva_transport_get_sockname(uva_writer_transport(writer), &own), 0);
    ck_assert_str_eq(peer.host, "10.0.0.1");
    ck_assert_uint_eq(peer.port, port);
    ck_assert_str_eq(own.host, "10.0.0.1");
    ck_assert_uint_ne(own.port, port);
    uva_writer_close(writer);
    ck_assert_int_eq(
        uva_transport_get_sockname(uva_writer_transport(writer), &own),
        UV_ENOTCONN);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);

    stop(server);
    server = start("", uva_test_port(port));
    ck_assert_int_eq(uva_open_connection("0.0.0.0", uva_test_port(port), NULL,
                                         &reader, &writer),
                     0);
    ck_assert_int_eq(
        uva_transport_get_peername(uva_writer_transport(writer), &peer), 0);
    ck_assert_str_eq(peer.host, "127.0.0.1");
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    stop(server);

    server = start("db", uva_test_port(port));
    options.local_host = "localhost";
    options.local_port = "1234";
    ck_assert_int_eq(uva_open_connection("db", uva_test_port(port), &options,
                                         &reader, &writer),
                     0);
    ck_assert_int_eq(
        uva_transport_get_sockname(uva_writer_transport(writer), &own), 0);
    ck_assert_str_eq(own.host, "127.0.0.1");
    ck_assert_uint_eq(own.port, 1234);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    options.local_host = "::1";
    ck_assert_int_eq(uva_open_connection("db", uva_test_port(port), &options,
                                         &reader, &writer),
                     UV_EADDRNOTAVAIL);
    options.local_host = "db";
    options.local_port = uva_test_port(port);
    ck_assert_int_eq(uva_open_connection("db", uva_test_port(port), &options,
                                         &reader, &writer),
                     UV_EADDRINUSE);
    stop(server);
}

/* --- servers --- */

UVA_TEST(deferred)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    options.deferred = true;
    ck_assert_int_eq(uva_start_server(echo_line, "db", "80", &options, &server),
                     0);
    ck_assert_int_eq(say("db", "80"), UV_ECONNREFUSED);
    ck_assert_int_eq(uva_server_start_serving(server), 0);
    ck_assert_int_eq(say("db", "80"), 0);
    stop(server);
}

/* Connections beyond the limit wait, and are reset when the server closes. */
UVA_TEST(full)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    uva_reader_t *readers[3];
    uva_writer_t *writers[3];
    uva_bytes_t line;

    options.max_connections = 1;
    ck_assert_int_eq(uva_start_server(echo_line, "db", "80", &options, &server),
                     0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
            uva_open_connection("db", "80", NULL, &readers[i], &writers[i]), 0);
        ck_assert_int_eq(uva_writer_write(writers[i], "a\n", 2), 0);
    }
    ck_assert_int_eq(uva_reader_readline_view(readers[0], &line), 2);
    UVA_TICK();
    UVA_TICK();
    ck_assert_uint_eq(uva_server_connection_count(server), 1);
    ck_assert_int_eq(uva_connection_close(readers[0], writers[0]), 0);
    ck_assert_int_eq(uva_reader_readline_view(readers[1], &line), 2);
    uva_server_close(server);
    ck_assert_int_eq(uva_reader_readline_view(readers[2], &line),
                     UV_ECONNRESET);
    ck_assert_int_eq(uva_connection_close(readers[2], writers[2]),
                     UV_ECONNRESET);
    ck_assert_int_eq(uva_connection_close(readers[1], writers[1]), 0);
    stop(server);
}

/* More than a backlog holds. */
UVA_TEST(many)
{
    enum {
        COUNT = 1000
    };
    uva_server_t *server = start("db", "80");
    uva_reader_t *readers[COUNT];
    uva_writer_t *writers[COUNT];

    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(
            uva_open_connection("db", "80", NULL, &readers[i], &writers[i]), 0);
    }
    UVA_TEST_UNTIL(uva_server_connection_count(server) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(uva_connection_close(readers[i], writers[i]), 0);
    }
    ck_assert_int_eq(uva_server_shutdown(server, UVA_SEC(1)), 0);
    uva_server_unref(server);
}

typedef struct heard_s {
    int made;
    int lost;
    size_t bytes;
} heard_t;

static int heard_made(uva_protocol_t *self)
{
    ((heard_t *)self->arg)->made++;
    return uva_transport_write(self->transport, "hello", 5);
}

static int heard_data(uva_protocol_t *self, uva_bytes_t data)
{
    ((heard_t *)self->arg)->bytes += data.size;
    return 0;
}

static void heard_lost(uva_protocol_t *self, int status)
{
    ck_assert_int_eq(status, 0);
    ((heard_t *)self->arg)->lost++;
}

typedef struct hearing_s {
    uva_protocol_t base;
} hearing_t;

static const uva_protocol_ops_t hearing = {
    UVA_PROTOCOL_OPS(hearing_t),
    .connection_made = heard_made,
    .data_received = heard_data,
    .connection_lost = heard_lost,
};

UVA_TEST(protocols)
{
    heard_t ends[2] = {{0}, {0}};
    uva_server_t *server;
    uva_transport_t *transport;

    ck_assert_int_eq(
        uva_create_server(&hearing, &ends[0], "db", "80", NULL, &server), 0);
    ck_assert_int_eq(
        uva_create_connection(&hearing, &ends[1], "db", "80", NULL, &transport),
        0);
    ck_assert_int_eq(ends[1].made, 1);
    UVA_TEST_UNTIL(ends[0].bytes == 5 && ends[1].bytes == 5);
    uva_transport_close(transport);
    UVA_TEST_UNTIL(ends[0].lost == 1 && ends[1].lost == 1);
    uva_transport_unref(transport);
    stop(server);
}

/* --- ends --- */

static int say_to_db(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return say("db", "80");
}

/* A connect that is cancelled at each of its iterations. */
UVA_TEST(cancelled)
{
    uva_server_t *server = start("db", "80");

    for (int turns = 0; turns < 8; turns++) {
        uva_task_t *task = uva_create_task(say_to_db, NULL);
        int r;
        for (int i = 0; i < turns; i++) {
            UVA_TICK();
        }
        (void)uva_task_cancel(task);
        r = uva_join(UVA_FUTURE(task), NULL);
        ck_assert(r == UV_ECANCELED || r == 0);
    }
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 0);
    stop(server);
}

/* Say a line, however it ends. */
static int try_to_say(void)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t line;
    int r = uva_open_connection("db", "80", NULL, &reader, &writer);
    int closed;

    if (r < 0) {
        return r;
    }
    r = uva_writer_write(writer, "hello\n", 6);
    if (r >= 0) {
        r = uva_reader_readline_view(reader, &line);
    }
    closed = uva_connection_close(reader, writer);
    return r < 0 ? r : closed < 0 ? closed : r;
}

/* Each allocation fails in turn, on whichever side: an accept pauses for a
 * second then. In the end nothing is left. */
UVA_TEST_STRICT(no_memory)
{
    uva_test_reports_t reports;
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
    int failed = 0;
    int r;

    uva_test_collect_reports(&reports);
    stop(start("db", "80")); /* The name and the network stay. */
    UVA_OOM_TEST(uva_start_server(echo_line, "db", "80", NULL, &server));
    UVA_OOM_TEST(uva_open_connection("db", "81", NULL, &reader, &writer) ==
                         UV_ECONNREFUSED
                     ? 0
                     : UV_ENOMEM);
    uva_test_log_begin();
    for (uint64_t n = 1; n <= 40; n++) {
        uva_testing_fail_allocation(n, false);
        r = try_to_say();
        uva_testing_fail_allocation(0, false);
        ck_assert(r == 6 || r == 0 || r == UV_ENOMEM || r == UV_ECONNRESET);
        failed += r != 6;
    }
    ck_assert_int_eq(r, 6);
    ck_assert_int_gt(failed, 5);
    uva_test_log_end();
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 0);
    stop(server);
}

/* --- networks --- */

static int set_latency(uint64_t latency_ns)
{
    uva_testing_network_options_t options = UVA_TESTING_NETWORK_OPTIONS_INIT;
    uva_testing_network_t *network;
    int r;

    options.latency_ns = latency_ns;
    ck_assert_int_eq(uva_testing_network_new(&options, &network), 0);
    r = uva_loop_set_network(uva_get_running_loop(), network);
    uva_testing_network_unref(network);
    return r;
}

static uint64_t now(void)
{
    return uva_loop_time(uva_get_running_loop());
}

/* A connect takes two latencies, a round trip two, a refusal two. */
UVA_TEST(latency)
{
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t line;

    ck_assert_int_eq(set_latency(UVA_MS(10)), 0);
    server = start("db", "80");
    ck_assert_uint_eq(now(), 0);
    ck_assert_int_eq(uva_open_connection("db", "80", NULL, &reader, &writer),
                     0);
    ck_assert_uint_eq(now(), UVA_MS(20));
    ck_assert_int_eq(uva_writer_write(writer, "a\n", 2), 0);
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 2);
    ck_assert_uint_eq(now(), UVA_MS(40));
    ck_assert_int_eq(uva_writer_write_eof(writer), 0);
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 0);
    ck_assert_uint_eq(now(), UVA_MS(60));
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    ck_assert_int_eq(say("db", "81"), UV_ECONNREFUSED);
    ck_assert_uint_eq(now(), UVA_MS(80));
    stop(server);
}

/* What is sent before the peer's close has arrived is lost, and resets. */
UVA_TEST(late_close)
{
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
    char byte;

    ck_assert_int_eq(set_latency(UVA_MS(10)), 0);
    server = start("db", "80");
    ck_assert_int_eq(uva_open_connection("db", "80", NULL, &reader, &writer),
                     0);
    uva_server_abort_clients(server);
    ck_assert_int_eq(uva_writer_write(writer, "a\n", 2), 0);
    ck_assert_int_eq(uva_reader_read(reader, &byte, 1), UV_ECONNRESET);
    ck_assert_uint_eq(now(), UVA_MS(30));
    ck_assert_int_eq(uva_connection_close(reader, writer), UV_ECONNRESET);
    stop(server);
}

/* Much through a window of 64 KiB, which moves once in a latency. */
UVA_TEST(late_bytes)
{
    static char much[1 << 20];
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;

    ck_assert_int_eq(set_latency(UVA_MS(1)), 0);
    memset(much, 'x', sizeof much);
    for (size_t i = 1000; i <= sizeof much; i += 1000) {
        much[i - 1] = '\n';
    }
    server = start("db", "80");
    ck_assert_int_eq(uva_open_connection("db", "80", NULL, &reader, &writer),
                     0);
    ck_assert_int_eq(uva_writer_write(writer, much, 500000), 0);
    for (int i = 0; i < 500; i++) {
        uva_bytes_t line;
        ck_assert_int_eq(uva_reader_readline_view(reader, &line), 1000);
        ck_assert_int_eq(memcmp(line.data, much, 1000), 0);
    }
    ck_assert_uint_ge(now(), UVA_MS(9));
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    stop(server);
}

/* Without a task that could wake, virtual time tells it. */
static int wait_for_nothing(void *arg, void **ret_result)
{
    uva_server_t *server = start("db", "80");
    uva_reader_t *reader;
    uva_writer_t *writer;
    char byte;
    int r;

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_open_connection("db", "80", NULL, &reader, &writer),
                     0);
    r = uva_reader_read(reader, &byte, 1);
    (void)uva_connection_close(reader, writer);
    uva_server_close(server);
    uva_server_unref(server);
    return r;
}

START_TEST(deadlock)
{
    uva_test_mark_t mark = uva_test_net_mark();
    uva_loop_t *loop = new_loop();
    uva_task_t *task = uva_loop_create_task(loop, wait_for_nothing, NULL, NULL);

    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     UVA_EDEADLOCK);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "echo_line"));
    uva_test_log_end();
    uva_task_unref(task);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    end_loop(loop);
    uva_test_nothing_left(mark);
}
END_TEST

static int serve_db(void *arg, void **ret_result)
{
    (void)ret_result;
    *(uva_server_t **)arg = start("db", "80");
    return 0;
}

/* Two loops on one network, turned in turns. */
START_TEST(two_loops)
{
    uva_test_mark_t mark = uva_test_net_mark();
    uva_testing_network_t *network;
    uva_loop_t *loops[2] = {new_loop(), new_loop()};
    uva_server_t *server = NULL;
    uva_task_t *tasks[2];

    ck_assert_int_eq(uva_testing_network_new(NULL, &network), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_loop_set_network(loops[i], network), 0);
    }
    uva_testing_network_unref(network);
    tasks[0] = uva_loop_create_task(loops[0], serve_db, &server, NULL);
    ck_assert_int_eq(
        uva_loop_run_until_complete(loops[0], UVA_FUTURE(tasks[0]), NULL), 0);
    tasks[1] = uva_loop_create_task(loops[1], say_to_db, NULL, NULL);
    for (int i = 0; !UVA_DONE(tasks[1]); i++) {
        ck_assert_int_lt(i, 100);
        ck_assert_int_ge(uva_loop_step(loops[0]), 0);
        ck_assert_int_ge(uva_loop_step(loops[1]), 0);
    }
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(tasks[1]), NULL), 0);
    ck_assert_int_eq(uva_loop_run_until_idle(loops[1]), 0);
    ck_assert_int_eq(uva_loop_run_until_idle(loops[0]), 0);
    ck_assert_uint_eq(uva_server_connection_count(server), 0);
    uva_server_close(server);
    uva_server_unref(server);
    for (int i = 0; i < 2; i++) {
        uva_task_unref(tasks[i]);
        end_loop(loops[i]);
    }
    uva_test_nothing_left(mark);
}
END_TEST

START_TEST(refusals)
{
    uva_test_mark_t mark = uva_test_net_mark();
    uva_testing_network_options_t options = {.size = 1};
    uva_loop_t *real = new_real_loop();
    uva_loop_t *loop = new_loop();
    uva_testing_network_t *network = NULL;

    ck_assert_int_eq(uva_testing_network_new(&options, &network), UV_EINVAL);
    ck_assert_ptr_null(uva_testing_network_ref(NULL));
    ck_assert_ptr_null(uva_testing_network_unref(NULL));
    UVA_OOM_TEST(uva_testing_network_new(NULL, &network));
    ck_assert_int_eq(uva_loop_set_network(real, network), UV_EINVAL);
    ck_assert_int_eq(uva_loop_set_network(loop, NULL), UV_EINVAL);
    ck_assert_int_eq(uva_loop_set_network(loop, network), 0);
    ck_assert_int_eq(uva_loop_set_network(loop, network), 0);
    uva_testing_network_unref(network);
    end_loop(loop);
    end_loop(real);
    uva_test_nothing_left(mark);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *finding = UVA_TCASE(suite, "Finding");
    TCase *servers = UVA_TCASE(suite, "Servers");
    TCase *ends = UVA_TCASE(suite, "Ends");
    TCase *networks = UVA_TCASE(suite, "Networks");

    UVA_ADD_TESTS(finding, names, this_host, families, refused_names,
                  addresses);
    UVA_ADD_TESTS(servers, deferred, full, many, protocols);
    UVA_ADD_TESTS(ends, cancelled, no_memory);
    UVA_ADD_TESTS(networks, latency, late_close, late_bytes, deadlock,
                  two_loops, refusals);
    return uva_test_main(suite);
}
