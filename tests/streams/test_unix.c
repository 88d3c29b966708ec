/*
 * Unix sockets and descriptors of users: streams over them, servers of them,
 * the files that come and go with a server, and what is refused.
 */
#include "kinds.h"
#include "serving.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/server.h"

/* --- paths --- */

static bool exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

/* An abstract name of the test's own. */
static const char *abstract_name(void)
{
    static char name[32];

    (void)snprintf(name, sizeof name, "@uva-test-%ld", (long)getpid());
    return name;
}

/* --- plain sockets --- */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

static int plain_bound(const char *path, int type)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int plain_listening(const char *path, int backlog)
{
    int fd = plain_bound(path, SOCK_STREAM);

    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

static int plain_dial(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address),
                     0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* --- handlers, clients, servers --- */

static int serve_line(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    uva_buffer_t line;
    int r = uva_reader_readline(reader, &line);

    if (arg != NULL) {
        ++*(int *)arg;
    }
    if (r >= 0) {
        r = uva_writer_write_take(writer, &line);
    }
    return r;
}

UVA_STACKLESS(void, serve_lines, uva_reader_t *reader; uva_writer_t * writer;
              uva_bytes_t line;)
{
    int r;

    UVA_BEGIN
    for (;;) {
        UVA_AWAIT(r, uva_reader_readline_view, self->reader, &self->line);
        if (r <= 0) {
            return r;
        }
        r = uva_writer_write(self->writer, self->line.data, self->line.size);
        if (r < 0) {
            return r;
        }
        UVA_AWAIT(r, uva_writer_drain, self->writer);
        if (r < 0) {
            return r;
        }
    }
    UVA_END
    return 0;
}

/* Connect, say a line, hear it. */
KIND_TASK(void, greet, const char *path;
          const uva_connection_options_t *options;
          uva_open_connection_op_t op;
          uva_reader_t * reader;
          uva_writer_t * writer;
          uva_bytes_t line;
          int r;)
{
    UVA_BEGIN
    AWAIT_OP(self->r, uva_open_unix_connection, &self->op, self->path,
             self->options, &self->reader, &self->writer);
    if (self->r < 0) {
        return self->r;
    }
    ck_assert_int_eq(uva_writer_write(self->writer, "hello world!\n", 13), 0);
    AWAIT(self->r, uva_reader_readline_view, self->reader, &self->line);
    if (self->r >= 0) {
        ck_assert_int_eq(self->r, 13);
        ck_assert_int_eq(memcmp(self->line.data, "hello world!\n", 13), 0);
    }
    AWAIT_IS(0, uva_connection_close, self->reader, self->writer);
    UVA_END
    return self->r < 0 ? self->r : 0;
}

/* Start a server of plain handlers, and close it. */
KIND_TASK(void, start_and_close, const char *path;
          const uva_server_options_t *options;
          uva_start_server_op_t op;
          uva_server_t * server;
          int r;)
{
    UVA_BEGIN
    AWAIT_OP(self->r, uva_start_unix_server_callback, &self->op, serve_line,
             NULL, self->path, self->options, &self->server);
    UVA_END
    if (self->r >= 0) {
        uva_server_close(self->server);
        uva_server_unref(self->server);
    }
    return self->r;
}

/* Await a task that fails: its code, and what its words begin with. */
static void ck_fails(uva_future_t *take_future, int code, const char *words)
{
    const uva_error_t *error;

    ck_assert_int_eq(uva_await(take_future, NULL), code);
    error = uva_future_error(take_future);
    if (words == NULL) {
        ck_assert_ptr_null(error);
    } else {
        ck_assert_ptr_nonnull(error);
        ck_assert_ptr_nonnull(strstr(uva_error_text(error), words));
    }
    uva_future_unref(take_future);
}

#define CK_GREETS(path) ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(greet, path)), 0)
#define CK_GREET_FAILS(code, words, ...) \
    ck_fails(UVA_FUTURE(KIND_SPAWN(greet, __VA_ARGS__)), code, words)
#define CK_STARTS(...) \
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(start_and_close, __VA_ARGS__)), 0)
#define CK_START_FAILS(code, words, ...) \
    ck_fails(UVA_FUTURE(KIND_SPAWN(start_and_close, __VA_ARGS__)), code, words)

static uva_server_t *start_at(const char *path,
                              const uva_server_options_t *options)
{
    uva_server_t *server;

    ck_assert_int_eq(uva_start_unix_server_callback(serve_line, NULL, path,
                                                    options, &server),
                     0);
    return server;
}

/* --- streams --- */

UVA_NET_TEST(start_unix_server)
{
    /* test_streams.py, StreamTests.test_start_unix_server
     * test_streams.py, StreamTests.test_open_unix_connection */
    place_t place;
    uva_server_t *server;

    place_make(&place);
    ck_assert_int_eq(
        uva_start_unix_server(serve_lines, place.path, NULL, &server), 0);
    CK_GREETS(place.path);
    stop(server);
    server = start_at(place.path, NULL);
    CK_GREETS(place.path);
    CK_GREETS(place.path);
    stop(server);
    place_end(&place);
}

UVA_NET_TEST(abstract)
{
    uva_server_t *server = start_at(abstract_name(), NULL);
    uva_address_t address;

    CK_GREETS(abstract_name());
    ck_assert_int_eq(uva_server_get_sockname(server, 0, &address), 0);
    ck_assert_str_eq(address.host, abstract_name());
    ck_assert(!exists(abstract_name()));
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", abstract_name());
    stop(server);
    CK_STARTS(abstract_name());
    CK_GREET_FAILS(UV_ECONNREFUSED, "Connect call failed '@uva-test-",
                   abstract_name());
}

static int keep_addresses(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    uva_address_t *addresses = arg;
    uva_transport_t *transport = uva_writer_transport(writer);

    (void)reader;
    ck_assert_int_eq(uva_transport_get_peername(transport, &addresses[0]), 0);
    return uva_transport_get_sockname(transport, &addresses[1]);
}

static void ck_unix(const uva_address_t *address, const char *host)
{
    ck_assert_str_eq(address->host, host);
    ck_assert_int_eq(address->family, UVA_FAMILY_UNIX);
    ck_assert_uint_eq(address->port, 0);
}

static void ck_addresses(const char *path)
{
    uva_address_t served[2];
    uva_address_t address;
    uva_transport_t *transport;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_server_t *server;
    char byte;

    ck_assert_int_eq(uva_start_unix_server_callback(keep_addresses, served,
                                                    path, NULL, &server),
                     0);
    ck_assert_uint_eq(uva_server_port(server), 0);
    ck_assert_uint_eq(uva_server_socket_count(server), 1);
    ck_assert_int_eq(uva_server_get_sockname(server, 0, &address), 0);
    ck_unix(&address, path);

    ck_assert_int_eq(uva_open_unix_connection(path, NULL, &reader, &writer), 0);
    transport = uva_writer_transport(writer);
    ck_assert_int_eq(uva_transport_get_sockname(transport, &address), 0);
    ck_unix(&address, "");
    ck_assert_int_eq(uva_reader_read(reader, &byte, 1), 0);
    ck_unix(&served[0], "");
    ck_unix(&served[1], path);
    uva_transport_abort(transport);
    ck_assert_int_eq(uva_writer_wait_closed(writer), 0);
    ck_assert_int_eq(uva_transport_get_sockname(transport, &address),
                     UV_ENOTCONN);
    ck_assert_int_eq(uva_transport_get_peername(transport, &address), 0);
    ck_unix(&address, path);
    uva_reader_unref(reader);
    uva_writer_unref(writer);
    stop(server);
    ck_assert_int_eq(uva_server_get_sockname(server, 0, &address), UV_EINVAL);
}

UVA_NET_TEST(addresses)
{
    /* test_events.py, EventLoopTestsMixin.test_create_unix_server */
    place_t place;

    place_make(&place);
    ck_addresses(place.path);
    ck_addresses(abstract_name());
    place_end(&place);
}

UVA_NET_TEST(longest_path)
{
    /* A path and an abstract name that fill the system's room. */
    struct sockaddr_un address;
    char name[sizeof address.sun_path + 2];
    size_t most = sizeof address.sun_path;
    place_t place;

    place_make(&place);
    memset(name, 'x', sizeof name);
    (void)snprintf(name, sizeof name, "%s", place.folder);
    name[strlen(name)] = '/';
    name[most - 1] = '\0';
    ck_addresses(name);
    name[most - 1] = 'x';
    name[most] = '\0';
    CK_GREET_FAILS(UV_ENAMETOOLONG, "107 bytes at most, not 108", name);
    CK_START_FAILS(UV_ENAMETOOLONG, "107 bytes at most, not 108", name);
    name[0] = '@';
    ck_addresses(name);
    name[most] = 'x';
    name[most + 1] = '\0';
    CK_GREET_FAILS(UV_ENAMETOOLONG, "108 bytes at most, not 109", name);
    CK_START_FAILS(UV_ENAMETOOLONG, "108 bytes at most, not 109", name);
    place_end(&place);
}

KIND_TASK(void, serve_forever, uva_server_t *server; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_server_start_serving, self->server);
    ck_assert_int_eq(self->r, 0);
    ck_assert(uva_server_is_serving(self->server));
    AWAIT(self->r, uva_server_serve_forever, self->server);
    UVA_END
    return self->r;
}

/* Waits for a line, cancels what serves, says "1". */
static int
serve_and_cancel(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    uva_bytes_t line;
    int r = uva_reader_readline_view(reader, &line);

    uva_task_cancel(*(uva_task_t **)arg);
    return r < 0 ? r : uva_writer_write(writer, "1", 1);
}

UVA_NET_TEST(start_unix_server_1)
{
    /* test_server.py, SelectorStartServerTests.test_start_unix_server_1 */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    serve_forever_task_t *task;
    uva_task_t *main_task;
    char line[5 * 1024 + 2];
    uva_server_t *server;
    place_t place;
    int fd;

    place_make(&place);
    options.deferred = true;
    ck_assert_int_eq(uva_start_unix_server_callback(serve_and_cancel,
                                                    &main_task, place.path,
                                                    &options, &server),
                     0);
    ck_assert(!uva_server_is_serving(server));
    task = KIND_SPAWN(serve_forever, server);
    main_task = UVA_ERASE(task);
    UVA_TEST_UNTIL(uva_server_is_serving(server));
    fd = plain_dial(place.path);
    memset(line, '1', sizeof line);
    memcpy(line + sizeof line - 2, "\n", 2);
    uva_test_send(fd, line);
    uva_test_expect(fd, "1");
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva_server_socket_count(server), 0);
    ck_assert(!uva_server_is_serving(server));
    ck_assert_int_eq(uva_server_serve_forever(server), UV_EPERM);
    close(fd);
    uva_server_unref(server);
    place_end(&place);
}

UVA_NET_TEST(open_unix_connection_error)
{
    /* test_streams.py, StreamTests.test_open_unix_connection_error: the failure
     * of a connection reaches its reader. */
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_server_t *server;
    place_t place;
    char byte;

    place_make(&place);
    server = start_at(place.path, NULL);
    ck_assert_int_eq(
        uva_open_unix_connection(place.path, NULL, &reader, &writer), 0);
    ck_assert_int_eq(uva_reader_set_exception(reader, ZERO_DIVISION_ERROR), 0);
    ck_assert_int_eq(uva_reader_read(reader, &byte, 1), ZERO_DIVISION_ERROR);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    stop(server);
    place_end(&place);
}

UVA_NET_TEST(full_backlog)
{
    /* The system would let nobody know when there is room. asyncio gives out a
     * connection that is none. */
    int fds[64];
    int count = 0;
    place_t place;
    int listener;
    int r = 0;

    place_make(&place);
    listener = plain_listening(place.path, 0);
    do {
        uva_reader_t *reader;
        uva_writer_t *writer;
        r = uva_open_unix_connection(place.path, NULL, &reader, &writer);
        if (r >= 0) {
            fds[count] =
                dup(uva_transport_fileno(uva_writer_transport(writer)));
            ck_assert_int_eq(uva_connection_close(reader, writer), 0);
        }
    } while (r >= 0 && ++count < 64);
    ck_assert_int_eq(r, UV_EAGAIN);
    CK_GREET_FAILS(UV_EAGAIN, "Connect call failed '/tmp/uva-", place.path);
    while (count > 0) {
        close(fds[--count]);
    }
    close(listener);
    ck_assert_int_eq(unlink(place.path), 0);
    place_end(&place);
}

/* --- files --- */

UVA_NET_TEST(unix_server_addr_cleanup)
{
    /* test_server.py, UnixServerCleanupTests.test_unix_server_addr_cleanup */
    uva_server_t *server;
    place_t place;

    place_make(&place);
    server = start_at(place.path, NULL);
    ck_assert(exists(place.path));
    uva_server_close(server);
    ck_assert(!exists(place.path));
    stop(server);
    place_end(&place);
}

/* A server on one descriptor, which it gets. */
static uva_server_t *start_fd(int take_fd)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;

    options.fds = &take_fd;
    options.fd_count = 1;
    return start_at(NULL, &options);
}

UVA_NET_TEST(unix_server_sock_cleanup)
{
    /* test_server.py, UnixServerCleanupTests.test_unix_server_sock_cleanup */
    uva_server_t *server;
    place_t place;

    place_make(&place);
    server = start_fd(plain_bound(place.path, SOCK_STREAM));
    CK_GREETS(place.path);
    stop(server);
    ck_assert(!exists(place.path));
    place_end(&place);
}

UVA_NET_TEST(unix_server_cleanup_gone)
{
    /* test_server.py, UnixServerCleanupTests.test_unix_server_cleanup_gone */
    uva_server_t *server;
    place_t place;

    place_make(&place);
    server = start_fd(plain_bound(place.path, SOCK_STREAM));
    ck_assert_int_eq(unlink(place.path), 0);
    uva_test_log_begin();
    stop(server);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
    place_end(&place);
}

UVA_NET_TEST(unix_server_cleanup_replaced)
{
    /* test_server.py, UnixServerCleanupTests.test_unix_server_cleanup_replaced
     */
    uva_server_t *server;
    place_t place;
    int fd;

    place_make(&place);
    server = start_at(place.path, NULL);
    ck_assert_int_eq(unlink(place.path), 0);
    fd = plain_bound(place.path, SOCK_STREAM);
    stop(server);
    ck_assert(exists(place.path));
    close(fd);
    ck_assert_int_eq(unlink(place.path), 0);
    place_end(&place);
}

UVA_NET_TEST(unix_server_cleanup_prevented)
{
    /* test_server.py, UnixServerCleanupTests.test_unix_server_cleanup_prevented
     */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    place_t place;

    place_make(&place);
    options.keep_path = true;
    stop(start_at(place.path, &options));
    ck_assert(exists(place.path));
    /* Nobody listens there: the next server replaces it. */
    CK_STARTS(place.path);
    ck_assert(!exists(place.path));
    place_end(&place);
}

UVA_NET_TEST(existing_path_sock)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_existing_path_sock */
    place_t place;

    place_make(&place);
    close(plain_listening(place.path, 1));
    CK_STARTS(place.path);
    ck_assert(!exists(place.path));
    place_end(&place);
}

UVA_NET_TEST(existing_path_nonsock)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_existing_path_nonsock */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    place_t place;

    place_make(&place);
    close(open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", place.path);
    options.steal_path = true;
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", place.path, &options);
    ck_assert_int_eq(unlink(place.path), 0);
    /* Neither a link to nowhere, nor a folder. */
    ck_assert_int_eq(symlink("nowhere", place.path), 0);
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", place.path, &options);
    ck_assert_int_eq(unlink(place.path), 0);
    ck_assert_int_eq(mkdir(place.path, 0700), 0);
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", place.path, &options);
    ck_assert_int_eq(rmdir(place.path), 0);
    place_end(&place);
}

UVA_NET_TEST(live_server)
{
    /* A server lives there: it stays, unless the path is stolen, as asyncio
     * does. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *first;
    uva_server_t *second;
    place_t place;
    char words[80];

    place_make(&place);
    first = start_at(place.path, NULL);
    (void)snprintf(words, sizeof words, "Address '%s' is already in use",
                   place.path);
    CK_START_FAILS(UV_EADDRINUSE, words, place.path);
    CK_GREETS(place.path);
    options.steal_path = true;
    second = start_at(place.path, &options);
    stop(first);
    CK_GREETS(place.path);
    stop(second);
    ck_assert(!exists(place.path));
    place_end(&place);
}

UVA_NET_TEST(live_servers_of_others)
{
    /* One whose backlog is full, and one of datagrams. */
    place_t place;
    int fds[64];
    int count = 0;
    int fd;

    place_make(&place);
    fd = plain_listening(place.path, 0);
    for (int r = 0; r == 0 && count < 64; count++) {
        struct sockaddr_un address = address_of(place.path);
        fds[count] =
            socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        r = connect(fds[count], (struct sockaddr *)&address, sizeof address);
    }
    ck_assert_int_lt(count, 64);
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", place.path);
    while (count > 0) {
        close(fds[--count]);
    }
    close(fd);
    ck_assert_int_eq(unlink(place.path), 0);
    fd = plain_bound(place.path, SOCK_DGRAM);
    CK_START_FAILS(UV_EADDRINUSE, "is already in use", place.path);
    close(fd);
    ck_assert_int_eq(unlink(place.path), 0);
    place_end(&place);
}

UVA_NET_TEST(unix_mode)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    mode_t umasked = umask(077);
    uva_server_t *server;
    struct stat info;
    place_t place;

    place_make(&place);
    server = start_at(place.path, NULL);
    ck_assert_int_eq(lstat(place.path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
    stop(server);
    options.unix_mode = 0666;
    server = start_at(place.path, &options);
    ck_assert_int_eq(lstat(place.path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0666);
    stop(server);
    options.unix_mode = 010000;
    CK_START_FAILS(UV_EINVAL, NULL, place.path, &options);
    (void)umask(umasked);
    place_end(&place);
}

UVA_NET_TEST(file_that_cannot_be_removed)
{
    uva_server_t *server;
    place_t place;

    if (geteuid() == 0) {
        return; /* root may remove everything. */
    }
    place_make(&place);
    server = start_at(place.path, NULL);
    ck_assert_int_eq(chmod(place.folder, 0500), 0);
    uva_test_log_begin();
    stop(server);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "cannot remove the socket"));
    uva_test_log_end();
    ck_assert_int_eq(chmod(place.folder, 0700), 0);
    ck_assert_int_eq(unlink(place.path), 0);
    place_end(&place);
}

/* --- what is refused --- */

UVA_NET_TEST(no_paths)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_nopath_nosock
     * test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_connection_nopath_nosock */
    static const char *const paths[] = {NULL, "", "@"};

    for (size_t i = 0; i < 3; i++) {
        CK_GREET_FAILS(UV_EINVAL, "is empty", paths[i]);
        CK_START_FAILS(UV_EINVAL, "is empty", paths[i]);
    }
    CK_GREET_FAILS(UV_ENOENT, "Connect call failed '/nowhere/socket': ",
                   "/nowhere/socket");
    CK_GREET_FAILS(UV_ECONNREFUSED,
                   "Connect call failed '/dev/null': ", "/dev/null");
}

UVA_NET_TEST(bind_error)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_bind_error */
    size_t sockets = uva_test_sockets();

    CK_START_FAILS(UV_ENOENT, "bind on address '/nowhere/socket'",
                   "/nowhere/socket");
    ck_assert_uint_eq(uva_test_sockets(), sockets);
}

UVA_NET_TEST(wrong_options)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_server_options_t server_options = UVA_SERVER_OPTIONS_INIT;
    place_t place;

    place_make(&place);
    options.high_bytes = 5;
    options.low_bytes = 6;
    CK_GREET_FAILS(UV_EINVAL, NULL, place.path, &options);
    server_options.high_bytes = 5;
    server_options.low_bytes = 6;
    CK_START_FAILS(UV_EINVAL, NULL, place.path, &server_options);
    server_options.high_bytes = 0;
    server_options.family = UVA_FAMILY_UNIX;
    CK_START_FAILS(UV_EINVAL, NULL, place.path, &server_options);
    place_end(&place);
}

UVA_NET_TEST(options_of_other_versions)
{
    /* A program that was compiled with fewer members passes a smaller struct,
     * behind which anything may lie. */
    struct {
        uva_server_options_t options;
        char more[16];
    } other = {.options = UVA_SERVER_OPTIONS_INIT};
    place_t place;

    place_make(&place);
    other.options.size = offsetof(uva_server_options_t, fds);
    other.options.fds = (const int *)&other;
    other.options.fd_count = 7;
    other.options.keep_path = true;
    CK_STARTS(place.path, &other.options);
    ck_assert(!exists(place.path));
    other.options.size = offsetof(uva_server_options_t, keep_path);
    other.options.fd_count = 0;
    CK_STARTS(place.path, &other.options);
    ck_assert(!exists(place.path));
    other.options.size = sizeof other;
    other.options.keep_path = false;
    CK_STARTS(place.path, &other.options);
    other.options.size = offsetof(uva_server_options_t, fds) - 1;
    CK_START_FAILS(UV_EINVAL, NULL, place.path, &other.options);
    place_end(&place);
}

static int open_host(const char *host, const char *local_host)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_reader_t *reader;
    uva_writer_t *writer;

    options.local_host = local_host;
    return uva_open_connection(host, "80", &options, &reader, &writer);
}

UVA_NET_TEST(host_too_long)
{
    char host[257];
    uva_server_t *server;

    memset(host, 'h', sizeof host);
    host[256] = '\0';
    ck_assert_int_eq(open_host(host, NULL), UV_ENAMETOOLONG);
    ck_assert_ptr_nonnull(
        strstr(uva_error_text(uva_task_error()), "255 bytes at most, not 256"));
    ck_assert_int_eq(open_host("127.0.0.1", host), UV_ENAMETOOLONG);
    ck_assert_int_eq(
        uva_start_server_callback(serve_line, NULL, host, "0", NULL, &server),
        UV_ENAMETOOLONG);
}

UVA_TEST(no_sockets_in_virtual_loops)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    int fds[2];

    CK_GREET_FAILS(UV_ENOTSUP, NULL, "/tmp/x");
    CK_START_FAILS(UV_ENOTSUP, NULL, "/tmp/x");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_assert_int_eq(uva_open_connection_fd(fds[0], NULL, &reader, &writer),
                     UV_ENOTSUP);
    ck_assert(!is_open(fds[0]));
    close(fds[1]);
}

/* --- connections on descriptors --- */

static void ck_talks(int take_fd, int peer)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t line;

    ck_assert_int_eq(uva_open_connection_fd(take_fd, NULL, &reader, &writer),
                     0);
    ck_assert_int_ne(fcntl(take_fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(take_fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(uva_transport_fileno(uva_writer_transport(writer)),
                     take_fd);
    uva_test_send(peer, "abc\n");
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 4);
    ck_assert_int_eq(uva_writer_write(writer, line.data, line.size), 0);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    uva_test_expect(peer, "abc\n");
    uva_test_expect_eof(peer);
    ck_assert(!is_open(take_fd));
}

UVA_NET_TEST(connected_descriptors)
{
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_talks(fds[0], fds[1]);
    close(fds[1]);
    fds[0] = uva_test_dial(port);
    fds[1] = uva_test_accept(listener);
    ck_talks(fds[1], fds[0]);
    close(fds[0]);
    close(listener);
}

typedef struct callback_open_s {
    int fd;
    int r;
    uva_reader_t *reader;
    uva_writer_t *writer;
} callback_open_t;

static void open_in_callback(void *data)
{
    callback_open_t *opened = data;

    opened->r = uva_open_connection_fd(opened->fd, NULL, &opened->reader,
                                       &opened->writer);
}

UVA_NET_TEST(descriptor_in_a_callback)
{
    callback_open_t opened;
    uva_address_t address;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    opened.fd = fds[0];
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, open_in_callback, &opened, NULL, NULL), 0);
    UVA_TICK();
    ck_assert_int_eq(opened.r, 0);
    ck_assert_int_eq(uva_transport_get_peername(
                         uva_writer_transport(opened.writer), &address),
                     0);
    ck_unix(&address, "");
    ck_assert_int_eq(uva_connection_close(opened.reader, opened.writer), 0);
    close(fds[1]);
}

START_TEST(descriptor_without_a_loop)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_assert_int_eq(uva_open_connection_fd(fds[0], NULL, &reader, &writer),
                     UVA_ENOLOOP);
    ck_assert(!is_open(fds[0]));
    close(fds[1]);
}
END_TEST

/* Refused as a connection; closed, as it was taken. */
static void ck_no_connection(int take_fd, int code, const char *words)
{
    uva_reader_t *reader;
    uva_writer_t *writer;

    ck_assert_int_eq(uva_open_connection_fd(take_fd, NULL, &reader, &writer),
                     code);
    ck_assert(!is_open(take_fd));
    ck_assert_ptr_nonnull(uva_task_error());
    ck_assert_ptr_nonnull(strstr(uva_error_text(uva_task_error()), words));
}

UVA_NET_TEST(no_connections)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_connection_path_inetsock, but for its family: a stream
     * may stand on a socket of any. */
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uint16_t port = 0;
    int fds[2];

    ck_no_connection(-1, UV_EBADF, "the descriptor -1 cannot be used");
    ck_no_connection(1 << 20, UV_EBADF, "cannot be used");
    ck_no_connection(open("/dev/null", O_RDWR | O_CLOEXEC), UV_ENOTSOCK,
                     "cannot be used");
    ck_no_connection(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), UV_ENOTSOCK,
                     "cannot be used");
    ck_no_connection(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), UV_EINVAL,
                     "is no stream socket");
    ck_no_connection(uva_test_listen(UVA_FAMILY_IPV4, 1, &port), UV_EINVAL,
                     "listens");
    ck_no_connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                     UV_ENOTCONN, "cannot be used");
    ck_no_connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                     UV_ENOTCONN, "cannot be used");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    options.size = 3;
    ck_assert_int_eq(uva_open_connection_fd(fds[0], &options, &reader, &writer),
                     UV_EINVAL);
    ck_assert(!is_open(fds[0]));
    close(fds[1]);
}

/* --- servers on descriptors --- */

/* Start a server of fds in the manner of start_server. */
static int start_fds(const int *fds,
                     size_t count,
                     const char *host,
                     uva_server_t **ret_server)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;

    options.fds = fds;
    options.fd_count = count;
    return uva_start_server_callback(serve_line, NULL, host, NULL, &options,
                                     ret_server);
}

UVA_NET_TEST(listening_descriptors)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_path_stream_bittype */
    uint16_t port = 0;
    uva_server_t *server;
    uva_address_t address;
    place_t place;
    int fds[2];
    int fd;

    place_make(&place);
    fds[0] = uva_test_listen(UVA_FAMILY_IPV4, 5, &port);
    fds[1] = plain_bound(place.path, SOCK_STREAM | SOCK_NONBLOCK);
    ck_assert_int_eq(start_fds(fds, 2, NULL, &server), 0);
    ck_assert_uint_eq(uva_server_port(server), port);
    ck_assert_int_eq(uva_server_get_sockname(server, 1, &address), 0);
    ck_unix(&address, place.path);
    CK_GREETS(place.path);
    fd = uva_test_dial(port);
    uva_test_send(fd, "abc\n");
    uva_test_expect(fd, "abc\n");
    uva_test_expect_eof(fd);
    close(fd);
    uva_server_close(server);
    ck_assert(!is_open(fds[0]));
    ck_assert(!is_open(fds[1]));
    stop(server);
    /* The file goes with a unix server alone. */
    ck_assert_int_eq(unlink(place.path), 0);
    place_end(&place);
}

/* Refused as listeners: all stay open, and the caller's. */
static void ck_no_listener(int take_fd, int code, const char *words)
{
    uint16_t port = 0;
    int fds[2] = {uva_test_listen(UVA_FAMILY_IPV4, 5, &port), take_fd};
    bool was_open = is_open(take_fd);
    uva_server_t *server;

    ck_assert_int_eq(start_fds(fds, 2, NULL, &server), code);
    ck_assert_ptr_nonnull(uva_task_error());
    ck_assert_ptr_nonnull(strstr(uva_error_text(uva_task_error()), words));
    ck_assert(is_open(fds[0]));
    ck_assert(is_open(take_fd) == was_open);
    if (was_open) {
        close(take_fd);
    }
    close(fds[0]);
}

UVA_NET_TEST(no_listeners)
{
    uint16_t port = 0;
    uva_server_t *server;
    int fds[2];

    ck_no_listener(-1, UV_EBADF, "the descriptor -1 cannot be used");
    ck_no_listener(open("/dev/null", O_RDWR | O_CLOEXEC), UV_ENOTSOCK,
                   "cannot be used");
    ck_no_listener(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), UV_EINVAL,
                   "is no stream socket");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_no_listener(fds[0], UV_EINVAL, "is connected");
    close(fds[1]);
    /* One that is given twice; one with an address beside it; none. */
    fds[0] = fds[1] = uva_test_listen(UVA_FAMILY_IPV4, 5, &port);
    ck_assert_int_eq(start_fds(fds, 2, NULL, &server), UV_EINVAL);
    ck_assert(is_open(fds[0]));
    ck_assert_int_eq(start_fds(fds, 1, "127.0.0.1", &server), UV_EINVAL);
    ck_assert_int_eq(start_fds(NULL, 1, NULL, &server), UV_EINVAL);
    ck_assert_int_eq(start_fds(fds, SIZE_MAX, NULL, &server), UV_EINVAL);
    /* It is still as good as before. */
    ck_assert_int_eq(start_fds(fds, 1, NULL, &server), 0);
    ck_assert_uint_eq(uva_server_port(server), port);
    stop(server);
}

UVA_NET_TEST(no_unix_listeners)
{
    /* test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_path_inetsock
     * test_unix_events.py, SelectorEventLoopUnixSocketTests.
     * test_create_unix_server_path_dgram
     * test_events.py, EventLoopTestsMixin.
     * test_create_unix_server_path_socket_error */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uint16_t port = 0;
    int fd = uva_test_listen(UVA_FAMILY_IPV4, 5, &port);

    options.fds = &fd;
    options.fd_count = 1;
    CK_START_FAILS(UV_EINVAL, "is no unix socket", NULL, &options);
    CK_START_FAILS(UV_EINVAL, "exclude each other", "/test", &options);
    close(fd);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CK_START_FAILS(UV_EINVAL, "is no stream socket", NULL, &options);
    close(fd);
    /* Not bound: the system refuses to listen. */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CK_START_FAILS(UV_EINVAL, NULL, NULL, &options);
    ck_assert(is_open(fd));
    close(fd);
}

static int keep_alive(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    socklen_t size = sizeof(int);

    (void)reader;
    return getsockopt(uva_transport_fileno(uva_writer_transport(writer)),
                      SOL_SOCKET, SO_KEEPALIVE, arg, &size);
}

UVA_NET_TEST(keep_alive_reaches_connections)
{
    /* asyncio: create_server(keep_alive=), which is new in 3.13. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;

    for (int wanted = 0; wanted < 2; wanted++) {
        int got = -1;
        int fd;
        options.keep_alive = wanted == 1;
        ck_assert_int_eq(uva_start_server_callback(keep_alive, &got,
                                                   "127.0.0.1", "0", &options,
                                                   &server),
                         0);
        fd = uva_test_dial(uva_server_port(server));
        uva_test_expect_eof(fd);
        ck_assert_int_eq(got, wanted);
        close(fd);
        stop(server);
    }
}

/* --- without memory, without descriptors, cancelled --- */

/* Let what was closed be given back. */
static void settle(void)
{
    UVA_TEST_UNTIL(uva_get_running_loop()->op_count == 0);
    for (int i = 0; i < 200; i++) { /* Several polls. */
        UVA_TICK();
    }
}

static int try_open(const char *path)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    int r = uva_open_unix_connection(path, NULL, &reader, &writer);

    if (r >= 0) {
        r = uva_connection_close(reader, writer);
    }
    settle();
    return r;
}

static int try_pair(void)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    int fds[2];
    int r;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    r = uva_open_connection_fd(fds[0], NULL, &reader, &writer);
    if (r >= 0) {
        r = uva_connection_close(reader, writer);
    }
    settle();
    ck_assert(!is_open(fds[0]));
    close(fds[1]);
    return r;
}

static int try_start(const char *path, const uva_server_options_t *options)
{
    uva_server_t *server;
    int r = uva_start_unix_server_callback(serve_line, NULL, path, options,
                                           &server);

    if (r >= 0) {
        uva_server_close(server);
        uva_server_unref(server);
    }
    settle();
    ck_assert(path == NULL || !exists(path));
    return r;
}

UVA_NET_TEST_STRICT(oom_unix)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    place_t place;
    int fd;

    place_make(&place);
    fd = plain_listening(place.path, 50);
    ck_assert_int_eq(try_open(place.path),
                     0); /* The loop's part comes first. */
    UVA_OOM_TEST(try_open(place.path));
    UVA_OOM_TEST(try_pair());
    close(fd);
    ck_assert_int_eq(unlink(place.path), 0);

    UVA_OOM_TEST(try_start(place.path, NULL));
    UVA_OOM_TEST(try_start(abstract_name(), NULL));
    fd = plain_bound(place.path, SOCK_STREAM);
    options.fds = &fd;
    options.fd_count = 1;
    UVA_OOM_TEST(try_start(NULL, &options));
    ck_assert(!is_open(fd));
    ck_assert(!exists(place.path));
    place_end(&place);
}

/* Each call that needs a descriptor, with fewer and fewer of them. */
static int without_descriptors(UVA_UNUSED void *arg,
                               UVA_UNUSED void **ret_result)
{
    struct rlimit limit;
    struct rlimit old;
    place_t place;
    uva_server_t *server;
    int held[64];
    int count = 0;

    place_make(&place);
    server = start_at(place.path, NULL);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (count < 64 && (held[count] = dup(0)) >= 0) {
        count++;
    }
    CK_GREET_FAILS(UV_EMFILE, "Connect call failed", place.path);
    CK_START_FAILS(UV_EMFILE, "bind on address", place.path);
    /* One for the server's socket, and none to look who lives there. */
    close(held[--count]);
    CK_START_FAILS(UV_EMFILE, "bind on address", place.path);
    ck_assert(exists(place.path));
    while (count > 0) {
        close(held[--count]);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    CK_GREETS(place.path);
    stop(server);
    place_end(&place);
    return 0;
}

START_TEST(emfile_unix)
{
    kind_stackful = _i == 0;
    ck_child_passes(without_descriptors);
}
END_TEST

UVA_NET_TEST(cancelled_at_each_iteration)
{
    /* Opening and starting: whatever is cancelled leaves nothing; what was
     * through before the cancellation succeeds. */
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    place_t place;
    size_t sockets;
    int fd;
    int r = UV_ECANCELED;

    place_make(&place);
    server = start_at(place.path, NULL);
    sockets = uva_test_sockets();
    for (int n = 0; r == UV_ECANCELED; n++) {
        greet_task_t *task = KIND_SPAWN(greet, place.path);
        ck_assert_int_lt(n, 1000);
        for (int i = 0; i < n; i++) {
            UVA_TICK();
        }
        uva_task_cancel(UVA_ERASE(task));
        r = UVA_JOIN(task);
        ck_assert(r == 0 || r == UV_ECANCELED);
        UVA_TEST_UNTIL(uva_server_connection_count(server) == 0 &&
                       uva_test_sockets() == sockets);
    }
    stop(server);

    fd = plain_bound(place.path, SOCK_STREAM);
    options.fds = &fd;
    options.fd_count = 1;
    r = UV_ECANCELED;
    for (int n = 0; r == UV_ECANCELED; n++) {
        start_and_close_task_t *task =
            KIND_SPAWN(start_and_close, NULL, &options);
        ck_assert_int_lt(n, 10);
        for (int i = 0; i < n; i++) {
            UVA_TICK();
        }
        uva_task_cancel(UVA_ERASE(task));
        r = UVA_JOIN(task);
        ck_assert(is_open(fd) == (r < 0));
    }
    ck_assert_int_eq(r, 0);

    r = UV_ECANCELED;
    for (int n = 0; r == UV_ECANCELED; n++) {
        start_and_close_task_t *task = KIND_SPAWN(start_and_close, place.path);
        ck_assert_int_lt(n, 10);
        for (int i = 0; i < n; i++) {
            UVA_TICK();
        }
        uva_task_cancel(UVA_ERASE(task));
        r = UVA_JOIN(task);
        ck_assert(!exists(place.path));
    }
    ck_assert_int_eq(r, 0);
    place_end(&place);
}

UVA_NET_TEST(who_is_there)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_transport_t *transport;
    uva_peercred_t peer = {0};
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(uva_open_connection_fd(fds[0], NULL, &reader, &writer), 0);
    transport = uva_transport_ref(uva_writer_transport(writer));
    ck_assert_int_eq(uva_transport_get_peercred(transport, &peer), 0);
    ck_assert_int_eq(peer.pid, getpid());
    ck_assert_uint_eq(peer.uid, getuid());
    ck_assert_uint_eq(peer.gid, getgid());
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    ck_assert_int_eq(uva_transport_get_peercred(transport, &peer), UV_ENOTCONN);
    uva_transport_unref(transport);
    close(fds[1]);
}

int main(void)
{
    Suite *suite = suite_create("unix");
    TCase *streams = UVA_TCASE(suite, "Streams");
    TCase *files = UVA_TCASE(suite, "Files");
    TCase *refused = UVA_TCASE(suite, "Refused");
    TCase *descriptors = UVA_TCASE(suite, "Descriptors");
    TCase *failures = UVA_TCASE(suite, "Failures");

    KIND_ADD_TESTS(streams, start_unix_server, abstract, longest_path,
                   start_unix_server_1);
    UVA_ADD_TESTS(streams, addresses, open_unix_connection_error);
    KIND_ADD_TESTS(streams, full_backlog);

    UVA_ADD_TESTS(files, unix_server_addr_cleanup, unix_server_sock_cleanup,
                  unix_server_cleanup_gone, unix_server_cleanup_replaced,
                  unix_server_cleanup_prevented);
    KIND_ADD_TESTS(files, existing_path_sock, existing_path_nonsock,
                   live_server, live_servers_of_others);
    UVA_ADD_TESTS(files, unix_mode, file_that_cannot_be_removed);

    KIND_ADD_TESTS(refused, no_paths, bind_error, wrong_options,
                   options_of_other_versions, no_sockets_in_virtual_loops);
    UVA_ADD_TESTS(refused, host_too_long);

    UVA_ADD_TESTS(descriptors, connected_descriptors, descriptor_in_a_callback,
                  descriptor_without_a_loop, no_connections,
                  listening_descriptors, no_listeners);
    KIND_ADD_TESTS(descriptors, no_unix_listeners);
    UVA_ADD_TESTS(descriptors, who_is_there, keep_alive_reaches_connections);

    UVA_ADD_TESTS(failures, oom_unix);
    KIND_ADD_TESTS(failures, emfile_unix, cancelled_at_each_iteration);
    return uva_test_main(suite);
}
