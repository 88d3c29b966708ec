/*
 * Making connections and servers with protocols: by host, by path, by
 * descriptor; what is refused; each iteration cancelled, each allocation
 * failed.
 */
#include "kinds.h"
#include "noting.h"
#include "serving.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the ways --- */

/* How a connection is made, or a server. */
typedef enum way_e {
    BY_HOST,
    BY_PATH,
    BY_DESCRIPTOR
} way_t;

/* Make a connection, and abort it. */
KIND_TASK(void, join, way_t way; const uva_protocol_ops_t *table;
          notes_t * notes;
          const char *host; /* Or the path. */
          const char *port;
          int fd;
          uva_create_connection_op_t op;
          uva_transport_t * transport;
          int r;)
{
    UVA_BEGIN
    if (self->way == BY_HOST) {
        AWAIT_OP(self->r, uva_create_connection, &self->op, self->table,
                 self->notes, self->host, self->port, NULL, &self->transport);
    } else if (self->way == BY_PATH) {
        AWAIT_OP(self->r, uva_create_unix_connection, &self->op, self->table,
                 self->notes, self->host, NULL, &self->transport);
    } else {
        AWAIT_OP(self->r, uva_create_connection_fd, &self->op, self->table,
                 self->notes, self->fd, NULL, &self->transport);
    }
    if (self->r >= 0) {
        ck_assert_str_eq(self->notes->text, "made;");
        ck_assert_ptr_eq(uva_transport_get_protocol(self->transport),
                         &self->notes->protocol->base);
        ck_assert_int_eq(uva_transport_medium(self->transport),
                         self->way == BY_HOST ? UVA_MEDIUM_TCP
                                              : UVA_MEDIUM_UNIX);
        uva_transport_abort(self->transport);
        ck_assert_int_eq(uva_transport_medium(self->transport),
                         self->way == BY_HOST ? UVA_MEDIUM_TCP
                                              : UVA_MEDIUM_UNIX);
        uva_transport_unref(self->transport);
    }
    UVA_END
    return self->r;
}

/* Start a server, and close it. */
KIND_TASK(void, serve, way_t way; const uva_protocol_ops_t *table;
          notes_t * notes;
          const char *host;
          const uva_server_options_t *options;
          uva_create_server_op_t op;
          uva_server_t * server;
          int r;)
{
    UVA_BEGIN
    if (self->way == BY_HOST) {
        AWAIT_OP(self->r, uva_create_server, &self->op, self->table,
                 self->notes, self->host, self->host == NULL ? NULL : "0",
                 self->options, &self->server);
    } else {
        AWAIT_OP(self->r, uva_create_unix_server, &self->op, self->table,
                 self->notes, self->host, self->options, &self->server);
    }
    if (self->r >= 0) {
        uva_server_close(self->server);
        uva_server_unref(self->server);
    }
    UVA_END
    return self->r;
}

/* Something to connect to: a server of protocols that hear nothing. */
typedef struct target_s {
    way_t way;
    place_t place;
    notes_t notes;
    uva_server_t *server;
    char port[8];
    const char *host;
    int fd;         /* Of a pair; the last join was given it. */
    size_t sockets; /* That are open while nothing is connected. */
} target_t;

static void target_make(target_t *target, way_t way)
{
    memset(target, 0, sizeof *target);
    target->way = way;
    place_make(&target->place);
    if (way == BY_PATH) {
        target->host = target->place.path;
        ck_assert_int_eq(uva_create_unix_server(&noting_ops, &target->notes,
                                                target->host, NULL,
                                                &target->server),
                         0);
    } else if (way == BY_HOST) {
        target->host = "127.0.0.1";
        ck_assert_int_eq(uva_create_server(&noting_ops, &target->notes,
                                           target->host, "0", NULL,
                                           &target->server),
                         0);
        uva_test_put_port(target->port, uva_server_port(target->server));
    }
    target->sockets = uva_test_sockets();
}

static void target_end(target_t *target)
{
    if (target->server != NULL) {
        uva_server_close(target->server);
        ck_assert_int_eq(uva_server_wait_closed(target->server), 0);
        uva_server_unref(target->server);
    }
    ck_assert_int_eq(target->notes.made, target->notes.ended);
    place_end(&target->place);
}

/* Nothing is connected any more, and each protocol has heard of its end. */
static bool target_is_still(const target_t *target, const notes_t *notes)
{
    return (target->server == NULL ||
            uva_server_connection_count(target->server) == 0) &&
           target->notes.made == target->notes.ended &&
           notes->made == notes->ended && uva_test_sockets() == target->sockets;
}

/* Close the end of a pair that no join has taken. */
static void target_give_back(target_t *target)
{
    if (target->way == BY_DESCRIPTOR) {
        close(target->fd);
    }
}

/* A join of the target; *ret_peer is the other end of a pair, else -1. */
static join_task_t *target_join(target_t *target, notes_t *notes, int *ret_peer)
{
    int fds[2] = {-1, -1};

    if (target->way == BY_DESCRIPTOR) {
        ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    }
    target->fd = fds[0];
    *ret_peer = fds[1];
    return KIND_SPAWN(join, target->way, &noting_ops, notes, target->host,
                      target->port, fds[0]);
}

static void peer_ends(int take_peer)
{
    if (take_peer >= 0) {
        uva_test_expect_eof(take_peer);
        close(take_peer);
    }
}

static const way_t ways[] = {BY_HOST, BY_PATH, BY_DESCRIPTOR};
#define WAYS (sizeof ways / sizeof *ways)

/* --- they work --- */

UVA_NET_TEST(made_when_it_returns)
{
    /* test_events.py, EventLoopTestsMixin.test_create_connection
     * test_events.py, EventLoopTestsMixin.test_create_unix_connection
     * test_events.py, EventLoopTestsMixin.test_connect_accepted_socket
     * test_sock_lowlevel.py, BaseSockTestsMixin.test_create_connection_sock
     * test_unix_events.py,
     * SelectorEventLoopUnixSocketTests.test_create_unix_connection_path_sock */
    for (size_t i = 0; i < WAYS; i++) {
        notes_t notes = {0};
        target_t target;
        int peer;
        target_make(&target, ways[i]);
        ck_assert_int_eq(UVA_JOIN(target_join(&target, &notes, &peer)), 0);
        peer_ends(peer);
        UVA_TEST_UNTIL(target_is_still(&target, &notes));
        ck_assert_str_eq(notes.text, "made;lost OK;");
        ck_assert_str_eq(target.notes.text,
                         ways[i] == BY_DESCRIPTOR ? "" : "made;eof;lost OK;");
        target_end(&target);
    }
}

UVA_NET_TEST(unix_server_serves)
{
    /* test_server.py, SelectorStartServerTests.test_start_unix_server_1 */
    notes_t client = {0};
    uva_transport_t *transport;
    target_t target;

    target_make(&target, BY_PATH);
    ck_assert_int_eq(uva_create_unix_connection(&noting_ops, &client,
                                                target.host, NULL, &transport),
                     0);
    ck_assert_int_eq(uva_transport_write(transport, "x", 1), 0);
    UVA_TEST_UNTIL(heard(&target.notes, "data x"));
    ck_assert_int_eq(
        uva_transport_medium(target.notes.protocol->base.transport),
        UVA_MEDIUM_UNIX);
    ck_assert_int_eq(
        uva_transport_write(target.notes.protocol->base.transport, "y", 1), 0);
    UVA_TEST_UNTIL(heard(&client, "data y"));
    uva_transport_close(transport);
    uva_transport_unref(transport);
    UVA_TEST_UNTIL(target_is_still(&target, &client));
    ck_assert_str_eq(target.notes.text, "made;data x;eof;lost OK;");
    target_end(&target);
}

UVA_NET_TEST(server_of_descriptors)
{
    /* test_events.py, EventLoopTestsMixin.test_create_server_sock */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    notes_t notes = {0};
    uva_server_t *server;
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 5, &port);
    int fd;

    options.fds = &listener;
    options.fd_count = 1;
    ck_assert_int_eq(
        uva_create_server(&noting_ops, &notes, NULL, NULL, &options, &server),
        0);
    fd = uva_test_dial(port);
    UVA_TEST_UNTIL(notes.made == 1);
    close(fd);
    UVA_TEST_UNTIL(notes.ended == 1);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
    ck_assert(!is_open(listener));
}

/* --- what is refused --- */

UVA_NET_TEST(tables_that_are_none)
{
    /* Nothing is made, and a descriptor that was taken is closed. */
    static const uva_protocol_ops_t small = {.size = 8, .protocol_bytes = 64};
    static const uva_protocol_ops_t no_head = {.size = sizeof small,
                                               .protocol_bytes = 8};
    const uva_protocol_ops_t *tables[] = {NULL, &small, &no_head};
    notes_t notes = {0};

    for (size_t i = 0; i < 3; i++) {
        int fds[2];
        ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(join, BY_HOST, tables[i], &notes,
                                             "127.0.0.1", "1")),
                         UV_EINVAL);
        ck_assert_int_eq(
            UVA_JOIN(KIND_SPAWN(join, BY_PATH, tables[i], &notes, "/x")),
            UV_EINVAL);
        ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(join, BY_DESCRIPTOR, tables[i],
                                             &notes, .fd = fds[0])),
                         UV_EINVAL);
        ck_assert(!is_open(fds[0]));
        close(fds[1]);
        ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(serve, BY_HOST, tables[i], &notes,
                                             "127.0.0.1")),
                         UV_EINVAL);
        ck_assert_int_eq(
            UVA_JOIN(KIND_SPAWN(serve, BY_PATH, tables[i], &notes, "/x")),
            UV_EINVAL);
    }
}

static const struct {
    const char *name;
    int type; /* 0: a file. */
    int code;
} no_connections[] = {
    {"listening_socket", SOCK_STREAM, UV_ENOTCONN},
    {"file", 0, UV_ENOTSOCK},
    /* test_base_events.py, BaseEventLoopWithSelectorTests: rows */
    {"create_connection_wrong_sock", SOCK_DGRAM, UV_EINVAL},
};

UVA_NET_TEST(descriptor_that_is_no_connection)
{
    int type = UVA_ROW(no_connections)->type;
    notes_t notes = {0};
    int fd = type == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                       : socket(AF_INET, type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(join, BY_DESCRIPTOR, &noting_ops,
                                         &notes, .fd = fd)),
                     UVA_ROW(no_connections)->code);
    ck_assert(!is_open(fd));
    ck_assert_str_eq(notes.text, "");
}

static const struct {
    const char *name;
    int type;
    const char *host;
    int code;
} listeners[] = {
    /* test_base_events.py, BaseEventLoopWithSelectorTests: rows */
    {"create_server_wrong_sock", SOCK_DGRAM, NULL, UV_EINVAL},
    {"create_server_stream_bittype", SOCK_STREAM | SOCK_NONBLOCK, NULL, 0},
    {"create_server_host_port_sock", SOCK_STREAM, "127.0.0.1", UV_EINVAL},
};

UVA_NET_TEST(server_of_a_descriptor)
{
    int code = UVA_ROW(listeners)->code;
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    notes_t notes = {0};
    int fd = socket(AF_INET, UVA_ROW(listeners)->type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    options.fds = &fd;
    options.fd_count = 1;
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(serve, BY_HOST, &noting_ops, &notes,
                                         UVA_ROW(listeners)->host, &options)),
                     code);
    ck_assert(is_open(fd) == (code < 0));
    if (code < 0) {
        close(fd);
    }
}

UVA_NET_TEST(server_of_ipv6)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_server_ipv6 */
    notes_t notes = {0};
    int r = UVA_JOIN(KIND_SPAWN(serve, BY_HOST, &noting_ops, &notes, "::1"));

    ck_assert(r == 0 || r == UV_EADDRNOTAVAIL); /* Without IPv6. */
}

static void no_task(void *data)
{
    uva_transport_t *transport;

    ck_assert_int_eq(uva_create_connection_fd(&noting_ops, NULL, *(int *)data,
                                              NULL, &transport),
                     UVA_ENOTASK);
}

UVA_NET_TEST(descriptor_outside_of_a_task)
{
    int fds[2];
    uva_handle_t *handle;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_assert_int_eq(uva_loop_call_soon(NULL, no_task, &fds[0], NULL, &handle),
                     0);
    UVA_TICK();
    ck_assert(!is_open(fds[0]));
    uva_handle_unref(handle);
    close(fds[1]);
}

/* --- cancelled, and without memory --- */

UVA_NET_TEST(connection_cancelled_at_each_iteration)
{
    /* test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_timeout */
    for (size_t i = 0; i < WAYS; i++) {
        target_t target;
        int r = UV_ECANCELED;
        target_make(&target, ways[i]);
        for (int n = 0; r == UV_ECANCELED; n++) {
            notes_t notes = {0};
            int peer;
            join_task_t *task = target_join(&target, &notes, &peer);
            ck_assert_int_lt(n, 1000);
            for (int tick = 0; tick < n; tick++) {
                UVA_TICK();
            }
            uva_task_cancel(UVA_ERASE(task));
            r = UVA_JOIN(task);
            ck_assert(r == 0 || r == UV_ECANCELED);
            if (n == 0) { /* It did not begin, and has taken nothing. */
                ck_assert_int_eq(notes.made, 0);
                target_give_back(&target);
            }
            peer_ends(peer);
            UVA_TEST_UNTIL(target_is_still(&target, &notes));
            /* As in asyncio: once connection_made was called for, it comes, and
             * the end behind it. */
            ck_assert(notes.text[0] == '\0' ||
                      strcmp(notes.text, "made;lost OK;") == 0);
        }
        target_end(&target);
    }
}

UVA_NET_TEST(server_cancelled_at_each_iteration)
{
    notes_t notes = {0};
    place_t place;
    struct stat info;

    place_make(&place);
    for (size_t i = 0; i < 2; i++) {
        size_t sockets = uva_test_sockets();
        int r = UV_ECANCELED;
        for (int n = 0; r == UV_ECANCELED; n++) {
            serve_task_t *task =
                KIND_SPAWN(serve, ways[i], &noting_ops, &notes,
                           ways[i] == BY_PATH ? place.path : "127.0.0.1");
            ck_assert_int_lt(n, 1000);
            for (int tick = 0; tick < n; tick++) {
                UVA_TICK();
            }
            uva_task_cancel(UVA_ERASE(task));
            r = UVA_JOIN(task);
            UVA_TEST_UNTIL(uva_test_sockets() == sockets);
            ck_assert_int_lt(lstat(place.path, &info), 0);
        }
        ck_assert_int_eq(r, 0);
    }
    place_end(&place);
}

/* A join of a plain listener, or of a pair, and some turns for its end. */
static int try_join(way_t way, const char *host, const char *port)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    int fds[2] = {-1, -1};
    int r;

    if (way == BY_HOST) {
        r = uva_create_connection(&noting_ops, &notes, host, port, NULL,
                                  &transport);
    } else {
        ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        r = uva_create_connection_fd(&noting_ops, &notes, fds[0], NULL,
                                     &transport);
        close(fds[1]);
    }
    if (r >= 0) {
        uva_transport_abort(transport);
        uva_transport_unref(transport);
    }
    for (int i = 0; i < 200; i++) { /* Several polls. */
        UVA_TICK();
    }
    ck_assert_int_eq(notes.made, r >= 0);
    ck_assert_int_eq(notes.ended, r >= 0);
    return r;
}

static int try_serve(way_t way, const char *host)
{
    notes_t notes = {0};
    uva_server_t *server;
    int r =
        way == BY_HOST
            ? uva_create_server(&noting_ops, &notes, host, "0", NULL, &server)
            : uva_create_unix_server(&noting_ops, &notes, host, NULL, &server);

    if (r >= 0) {
        uva_server_close(server);
        uva_server_unref(server);
    }
    for (int i = 0; i < 200; i++) { /* Several polls. */
        UVA_TICK();
    }
    return r;
}

UVA_NET_TEST_STRICT(without_memory)
{
    place_t place;
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 50, &port);

    place_make(&place);
    /* The loop's own part comes first. */
    ck_assert_int_eq(try_join(BY_HOST, "127.0.0.1", uva_test_port(port)), 0);
    UVA_OOM_TEST(try_join(BY_HOST, "127.0.0.1", uva_test_port(port)));
    UVA_OOM_TEST(try_join(BY_DESCRIPTOR, NULL, NULL));
    UVA_OOM_TEST(try_serve(BY_HOST, "127.0.0.1"));
    UVA_OOM_TEST(try_serve(BY_PATH, place.path));
    close(listener);
    place_end(&place);
}

int main(void)
{
    Suite *suite = suite_create("protocols_making");
    TCase *ways_case = UVA_TCASE(suite, "Ways");
    TCase *refused = UVA_TCASE(suite, "Refused");
    TCase *failures = UVA_TCASE(suite, "Failures");

    KIND_ADD_TESTS(ways_case, made_when_it_returns);
    UVA_ADD_TESTS(ways_case, unix_server_serves, server_of_descriptors);
    KIND_ADD_TESTS(refused, tables_that_are_none, server_of_ipv6);
    KIND_ADD_TABLE(refused, descriptor_that_is_no_connection, no_connections);
    KIND_ADD_TABLE(refused, server_of_a_descriptor, listeners);
    UVA_ADD_TESTS(refused, descriptor_outside_of_a_task);
    KIND_ADD_TESTS(failures, connection_cancelled_at_each_iteration,
                   server_cancelled_at_each_iteration);
    UVA_ADD_TESTS(failures, without_memory);
    return uva_test_main(suite);
}
