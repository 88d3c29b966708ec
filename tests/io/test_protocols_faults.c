/*
 * Protocols on a system that refuses: each call of read, send, sendmsg,
 * accept4, socket and connect fails in turn, or takes less than all; each
 * allocation fails in turn. The calls are replaced by ones of ours. libuv's
 * handles send by write and writev.
 */
/* The fortified forms of the calls, which clang has inline, cannot be replaced.
 */
#undef _FORTIFY_SOURCE

#include "noting.h"
#include "serving.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- the system --- */

typedef enum call_e {
    CALL_NONE,
    CALL_READ,
    CALL_SEND,
    CALL_SENDMSG,
    CALL_ACCEPT,
    CALL_SOCKET,
    CALL_CONNECT
} call_t;

/* Instead of an error: as much as a byte is read or sent. */
#define SHORT (-1)
/* Likewise: nothing is sent, and that is no error. */
#define NOTHING (-2)

/* Which call is to fail, and how. */
static struct {
    call_t call;
    int error; /* errno, or SHORT. */
    int nth;   /* From 1 on. */
    int seen;
} fault;

/* Whether a call fails now; errno is set then, unless it is to be short. */
static bool fault_hits(call_t call, int fd)
{
    struct stat info;

    if (fault.call != call ||
        (fd >= 0 && (fstat(fd, &info) < 0 || !S_ISSOCK(info.st_mode))) ||
        ++fault.seen != fault.nth) {
        return false;
    }
    errno = fault.error;
    return true;
}

/* The system's own function; fn points to a pointer to one. */
static void real(const char *name, void *fn)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) {
        abort();
    }
    memcpy(fn, &found, sizeof found);
}

/* With _GNU_SOURCE the addresses are unions of pointers. */
#if defined(__GLIBC__)
typedef __CONST_SOCKADDR_ARG const_address_t;
typedef __SOCKADDR_ARG address_t;
#else
typedef const struct sockaddr *const_address_t;
typedef struct sockaddr *address_t;
#endif

UVA_EXTERN ssize_t read(int fd, void *data, size_t size)
{
    static ssize_t (*next)(int, void *, size_t);

    if (next == NULL) {
        real("read", &next);
    }
    if (fault_hits(CALL_READ, fd)) {
        return fault.error == SHORT ? next(fd, data, 1) : -1;
    }
    return next(fd, data, size);
}

UVA_EXTERN ssize_t send(int fd, const void *data, size_t size, int flags)
{
    static ssize_t (*next)(int, const void *, size_t, int);

    if (next == NULL) {
        real("send", &next);
    }
    if (fault_hits(CALL_SEND, fd)) {
        return fault.error == SHORT     ? next(fd, data, 1, flags)
               : fault.error == NOTHING ? 0
                                        : -1;
    }
    return next(fd, data, size, flags);
}

UVA_EXTERN ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*next)(int, const void *, size_t);

    if (next == NULL) {
        real("write", &next);
    }
    if (fault_hits(CALL_SEND, fd)) {
        return fault.error == SHORT     ? next(fd, data, 1)
               : fault.error == NOTHING ? 0
                                        : -1;
    }
    return next(fd, data, size);
}

UVA_EXTERN ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);

    if (next == NULL) {
        real("writev", &next);
    }
    if (fault_hits(CALL_SENDMSG, fd)) {
        struct iovec piece = {pieces->iov_base, 1};
        return fault.error == SHORT     ? next(fd, &piece, 1)
               : fault.error == NOTHING ? 0
                                        : -1;
    }
    return next(fd, pieces, count);
}

UVA_EXTERN ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);

    if (next == NULL) {
        real("sendmsg", &next);
    }
    if (fault_hits(CALL_SENDMSG, fd)) {
        struct iovec piece = {message->msg_iov->iov_base, 1};
        struct msghdr less = {.msg_iov = &piece, .msg_iovlen = 1};
        return fault.error == SHORT     ? next(fd, &less, flags)
               : fault.error == NOTHING ? 0
                                        : -1;
    }
    return next(fd, message, flags);
}

UVA_EXTERN int accept4(int fd, address_t address, socklen_t *size, int flags)
{
    static int (*next)(int, address_t, socklen_t *, int);

    if (next == NULL) {
        real("accept4", &next);
    }
    return fault_hits(CALL_ACCEPT, fd) ? -1 : next(fd, address, size, flags);
}

UVA_EXTERN int socket(int family, int type, int protocol)
{
    static int (*next)(int, int, int);

    if (next == NULL) {
        real("socket", &next);
    }
    return fault_hits(CALL_SOCKET, -1) ? -1 : next(family, type, protocol);
}

UVA_EXTERN int connect(int fd, const_address_t address, socklen_t size)
{
    static int (*next)(int, const_address_t, socklen_t);

    if (next == NULL) {
        real("connect", &next);
    }
    return fault_hits(CALL_CONNECT, fd) ? -1 : next(fd, address, size);
}

/* --- an echo --- */

#define MESSAGE_BYTES 3000u

/* One end; the server's sends back what comes. */
typedef struct end_s {
    uva_protocol_t base;
} end_t;

typedef struct side_s {
    size_t received;
    int made;
    int ended;
    int status; /* Of the loss. */
    bool wrong; /* A byte was not the one that was sent. */
    bool echoes;
} side_t;

static side_t *side_of(uva_protocol_t *self)
{
    return self->arg;
}

static int end_made(uva_protocol_t *self)
{
    side_of(self)->made++;
    return 0;
}

static int end_data(uva_protocol_t *self, uva_bytes_t data)
{
    side_t *side = side_of(self);

    for (size_t i = 0; i < data.size; i++) {
        if (data.data[i] != (uint8_t)(side->received + i)) {
            side->wrong = true;
        }
    }
    side->received += data.size;
    return side->echoes
               ? uva_transport_write(self->transport, data.data, data.size)
               : 0;
}

static void end_lost(uva_protocol_t *self, int status)
{
    side_of(self)->ended++;
    side_of(self)->status = status;
}

static const uva_protocol_ops_t end_ops = {
    UVA_PROTOCOL_OPS(end_t), .connection_made = end_made,
    .data_received = end_data, .connection_lost = end_lost};

/* The same with memory of its own. */
static uint8_t end_memory[700];

static size_t end_buffer(uva_protocol_t *self, size_t hint_bytes, void **ret)
{
    (void)self;
    (void)hint_bytes;
    *ret = end_memory;
    return sizeof end_memory;
}

static int end_updated(uva_protocol_t *self, size_t size)
{
    return end_data(self, (uva_bytes_t){end_memory, size});
}

static const uva_protocol_ops_t end_buffered_ops = {
    UVA_PROTOCOL_OPS(end_t), .connection_made = end_made,
    .get_buffer = end_buffer, .buffer_updated = end_updated,
    .connection_lost = end_lost};

typedef struct echo_s {
    const char *path; /* NULL: TCP. */
    const uva_protocol_ops_t *ops;
    side_t client;
    side_t server;
    int started;   /* What create_server has returned. */
    int connected; /* What create_connection has. */
    uva_test_reports_t reports;
} echo_t;

static int echo_connect(const echo_t *echo,
                        const uva_server_t *server,
                        side_t *side,
                        uva_transport_t **ret_transport)
{
    return echo->path == NULL
               ? uva_create_connection(echo->ops, side, "127.0.0.1",
                                       uva_test_port(uva_server_port(server)),
                                       NULL, ret_transport)
               : uva_create_unix_connection(echo->ops, side, echo->path, NULL,
                                            ret_transport);
}

/* Send a message in two pieces, and wait until it is back, or until nothing
 * more can come. */
static void echo_talk(echo_t *echo, uva_transport_t *transport)
{
    uint8_t message[MESSAGE_BYTES];
    uva_bytes_t pieces[] = {{message, 1500}, {message + 1500, 1500}};
    int r;

    for (size_t i = 0; i < MESSAGE_BYTES; i++) {
        message[i] = (uint8_t)i;
    }
    r = uva_transport_writelines(transport, pieces, 2);
    ck_assert(r == 0 || r == UV_ENOMEM);
    UVA_TEST_UNTIL(r < 0 || echo->client.received == MESSAGE_BYTES ||
                   echo->client.ended > 0 || echo->reports.count > 0);
    uva_transport_close(transport);
    uva_transport_unref(transport);
}

/* Start a server, connect to it, talk, end all. Nothing may be left. */
static void echo_run(echo_t *echo)
{
    size_t sockets = uva_test_sockets();
    uva_transport_t *transport;
    uva_server_t *server;
    struct stat info;

    echo->server.echoes = true;
    uva_test_collect_reports(&echo->reports);
    echo->connected = UV_EAI_NODATA; /* It was not tried. */
    echo->started = echo->path == NULL
                        ? uva_create_server(echo->ops, &echo->server,
                                            "127.0.0.1", "0", NULL, &server)
                        : uva_create_unix_server(echo->ops, &echo->server,
                                                 echo->path, NULL, &server);
    if (echo->started >= 0) {
        echo->connected = echo_connect(echo, server, &echo->client, &transport);
        if (echo->connected >= 0) {
            echo_talk(echo, transport);
        }
        uva_server_close(server);
        UVA_TEST_UNTIL(echo->server.made == echo->server.ended);
        ck_assert_int_eq(uva_server_wait_closed(server), 0);
        uva_server_unref(server);
    }
    UVA_TEST_UNTIL(echo->client.made == echo->client.ended);
    UVA_TEST_UNTIL(uva_test_sockets() == sockets);
    ck_assert(echo->path == NULL || lstat(echo->path, &info) < 0);
    ck_assert(!echo->client.wrong && !echo->server.wrong);
}

/* --- what is expected --- */

typedef enum expect_e {
    EXPECT_NOTHING, /* It is made good. */
    EXPECT_LOSS,    /* One side has the code; the other ends too. */
    EXPECT_START,   /* create_server or create_connection has the code. */
    EXPECT_REPORT   /* The exception handler has the code. */
} expect_t;

typedef struct row_s {
    call_t call;
    int error;
    expect_t expect;
} row_t;

static const row_t rows[] = {
    {CALL_READ, EINTR, EXPECT_NOTHING},
    {CALL_READ, EAGAIN, EXPECT_NOTHING},
    {CALL_READ, SHORT, EXPECT_NOTHING},
    {CALL_READ, ECONNRESET, EXPECT_LOSS},
    {CALL_READ, ENOBUFS, EXPECT_LOSS},
    {CALL_SEND, EINTR, EXPECT_NOTHING},
    {CALL_SEND, EAGAIN, EXPECT_NOTHING},
    {CALL_SEND, SHORT, EXPECT_NOTHING},
    {CALL_SEND, NOTHING, EXPECT_NOTHING},
    {CALL_SEND, ECONNRESET, EXPECT_LOSS},
    {CALL_SEND, ENOBUFS, EXPECT_LOSS},
    {CALL_SENDMSG, EINTR, EXPECT_NOTHING},
    {CALL_SENDMSG, EAGAIN, EXPECT_NOTHING},
    {CALL_SENDMSG, SHORT, EXPECT_NOTHING},
    {CALL_SENDMSG, NOTHING, EXPECT_NOTHING},
    {CALL_SENDMSG, ECONNRESET, EXPECT_LOSS},
    {CALL_SENDMSG, ENOBUFS, EXPECT_LOSS},
    {CALL_ACCEPT, EINTR, EXPECT_NOTHING},
    {CALL_ACCEPT, EAGAIN, EXPECT_NOTHING},
    {CALL_ACCEPT, ECONNABORTED, EXPECT_NOTHING},
    {CALL_ACCEPT, EMFILE, EXPECT_REPORT},
    {CALL_ACCEPT, ENOBUFS, EXPECT_REPORT},
    {CALL_SOCKET, EMFILE, EXPECT_START},
    {CALL_SOCKET, ENOBUFS, EXPECT_START},
    {CALL_CONNECT, EINTR, EXPECT_NOTHING},
    {CALL_CONNECT, EAGAIN, EXPECT_START},
    {CALL_CONNECT, ENOBUFS, EXPECT_START},
    {CALL_CONNECT, ECONNRESET, EXPECT_START},
};

static bool is_end(int status)
{
    return status == 0 || status == UV_ECONNRESET || status == UV_EPIPE;
}

static void row_check(const row_t *row, const echo_t *echo)
{
    int code = row->error < 0 ? 0 : uv_translate_sys_error(row->error);

    switch (row->expect) {
    case EXPECT_NOTHING:
        ck_assert_int_eq(echo->started, 0);
        ck_assert_int_eq(echo->connected, 0);
        ck_assert_uint_eq(echo->client.received, MESSAGE_BYTES);
        ck_assert_int_eq(echo->client.status, 0);
        ck_assert_int_eq(echo->server.status, 0);
        ck_assert_int_eq(echo->reports.count, 0);
        break;
    case EXPECT_LOSS: /* It may come when all was said, and is not seen then. */
        ck_assert(is_end(echo->client.status) || echo->client.status == code);
        ck_assert(is_end(echo->server.status) || echo->server.status == code);
        ck_assert(echo->client.status == code || echo->server.status == code ||
                  echo->client.received == MESSAGE_BYTES);
        ck_assert_int_eq(echo->reports.count, 0);
        break;
    case EXPECT_START:
        ck_assert(echo->started == code || echo->connected == code);
        ck_assert_int_eq(echo->reports.count, 0);
        break;
    default:
        ck_assert_int_eq(echo->reports.count, 1);
        ck_assert_int_eq(echo->reports.code, code);
        break;
    }
}

/* Let each call of a kind fail in turn. */
static void
row_run(const row_t *row, const char *path, const uva_protocol_ops_t *ops)
{
    int hits = 0;

    for (int nth = 1;; nth++) {
        echo_t echo = {.path = path, .ops = ops};
        bool hit;
        ck_assert_int_lt(nth, 100);
        fault.error = row->error;
        fault.nth = nth;
        fault.seen = 0;
        fault.call = row->call;
        echo_run(&echo);
        fault.call = CALL_NONE;
        hit = fault.seen >= nth;
        if (!hit) {
            break;
        }
        hits++;
        row_check(row, &echo);
    }
    ck_assert_int_gt(hits, 0);
}

UVA_NET_TEST(each_system_call_fails)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_read_ready_conn_reset
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_read_ready_err
     * test_selector_events.py, SelectorTransportTests.test_fatal_error
     * test_selector_events.py, SelectorSocketTransportBufferedProtocolTests.
     * test_read_ready_conn_reset
     * test_selector_events.py, SelectorSocketTransportBufferedProtocolTests.
     * test_read_ready_err
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_partial_none
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_ready_partial_none
     * test_selector_events.py, SelectorSocketTransportTests.test_write_partial
     * test_selector_events.py, SelectorSocketTransportTests.test_write_buffer
     * test_selector_events.py, SelectorSocketTransportTests.test_write_tryagain
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_exception
     * test_selector_events.py, SelectorSocketTransportTests.test_write_ready
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_ready_tryagain
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_writelines_sendmsg_full
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_writelines_sendmsg_partial
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_sendmsg_full
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_sendmsg_partial
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_sendmsg_half_buffer
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_sendmsg_OSError
     * test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_create_connection_connect_err
     * test_base_events.py,
     * BaseEventLoopWithSelectorTests.test_accept_connection_exception */
    place_t place;

    place_make(&place);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row_run(&rows[i], NULL, &end_ops);
        row_run(&rows[i], place.path, &end_buffered_ops);
    }
    place_end(&place);
}

UVA_NET_TEST_STRICT(each_allocation_fails)
{
    /* Whatever is refused, all ends, and nothing is left. */
    place_t place;
    echo_t whole = {.path = place.path, .ops = &end_ops};
    int wholes = 0;

    place_make(&place);
    echo_run(&whole); /* The loop's own part comes first. */
    for (uint64_t n = 1; wholes < 3; n++) {
        echo_t echo = {.path = place.path, .ops = &end_ops};
        ck_assert_uint_lt(n, 1000);
        uva_testing_fail_allocation(n, false);
        echo_run(&echo);
        uva_testing_fail_allocation(0, false);
        if (echo.client.received == MESSAGE_BYTES) {
            wholes++; /* No more than three refusals in a row are made good. */
            continue;
        }
        wholes = 0;
        ck_assert(echo.started == UV_ENOMEM || echo.connected == UV_ENOMEM ||
                  echo.client.status == UV_ENOMEM ||
                  echo.server.status == UV_ENOMEM ||
                  echo.reports.code == UV_ENOMEM);
    }
    place_end(&place);
}

int main(void)
{
    Suite *suite = suite_create("protocols_faults");
    TCase *system = UVA_TCASE(suite, "System");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(system, each_system_call_fails);
    UVA_ADD_TESTS(memory, each_allocation_fails);
    return uva_test_main(suite);
}
