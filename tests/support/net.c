/*
 * The other side of a connection, by plain sockets or by media in memory.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/tcp.h>

#include "core/futures.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/tasks.h"
#include "core/timers.h"
#include "core/waiters.h"
#include "io/medium_memory.h"
#include "io/network.h"
#include "io/service.h"

/* --- running --- */

typedef struct net_main_s {
    uva_coro_cb body;
    void *arg;
} net_main_t;

static int net_main(void *arg, void **ret_result)
{
    const net_main_t *main_task = arg;
    uva_loop_t *loop = uva_get_running_loop();
    int r = main_task->body(main_task->arg, ret_result);

    UVA_TEST_UNTIL(loop->op_count == 0);
    return r;
}

uva_test_mark_t uva_test_net_mark(void)
{
    uv_loop_t loop;

    /* The first loop of a process opens what libuv never closes. */
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    return uva_test_mark();
}

int uva_test_run_net(uva_coro_cb body, void *arg)
{
    net_main_t main_task = {body, arg};
    uva_test_mark_t mark = uva_test_net_mark();
    uva_loop_t *loop;
    uva_task_t *task;
    int r;

    ck_assert_int_eq(uva_test_link_is_memory()
                         ? uva_loop_new_virtual(NULL, &loop)
                         : uva_loop_new(NULL, &loop),
                     0);
    task = uva_loop_create_task(loop, net_main, &main_task, NULL);
    r = uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL);
    uva_task_unref(task);
    end_loop(loop);
    uva_test_nothing_left(mark);
    return r;
}

int uva_test_run_net_strict(uva_coro_cb body, void *arg)
{
    int r;

    uva_testing_strict_allocation(true);
    r = uva_test_run_net(body, arg);
    uva_testing_strict_allocation(false);
    return r;
}

const char *uva_test_port(uint16_t port)
{
    static char text[8];

    (void)snprintf(text, sizeof text, "%u", (unsigned)port);
    return text;
}

void uva_test_put_port(char *text, uint16_t port)
{
    (void)snprintf(text, 8, "%u", (unsigned)port);
}

/* --- sockets --- */

static void net_address(struct sockaddr_storage *address,
                        uva_family_t family,
                        uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    memset(address, 0, sizeof *address);
    if (family == UVA_FAMILY_IPV6) {
        in6.sin6_addr = in6addr_loopback;
        in6.sin6_port = htons(port);
        memcpy(address, &in6, sizeof in6);
    } else {
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in.sin_port = htons(port);
        memcpy(address, &in, sizeof in);
    }
}

int uva_test_listen(uva_family_t family, int backlog, uint16_t *ret_port)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int on = 1;
    int fd = socket(family == UVA_FAMILY_IPV6 ? AF_INET6 : AF_INET,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    net_address(&address, family, *ret_port);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(family == UVA_FAMILY_IPV6
                          ? ((struct sockaddr_in6 *)&address)->sin6_port
                          : ((struct sockaddr_in *)&address)->sin_port);
    return fd;
}

int uva_test_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    return fd;
}

int uva_test_dial(uint16_t port)
{
    struct sockaddr_storage address;
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    net_address(&address, UVA_FAMILY_IPV4, port);
    /* The kernel completes it, before anybody accepts. */
    ck_assert_int_eq(
        connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)),
        0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

uint16_t uva_test_unused_port(void)
{
    uint16_t port = 0;

    close(uva_test_listen(UVA_FAMILY_IPV4, 1, &port));
    return port;
}

/* --- media behind numbers --- */

enum {
    MEMORY_FIRST = 1 << 20, /* Above every descriptor. */
    MEMORY_MOST = 256
};

static uva__medium_t *memory_ends[MEMORY_MOST];

/* The place of the medium behind a number; NULL for a descriptor. */
static uva__medium_t **memory_end(int fd)
{
    return fd < MEMORY_FIRST ? NULL : &memory_ends[fd - MEMORY_FIRST];
}

static int memory_number(uva__medium_t *medium)
{
    int i = 0;

    while (memory_ends[i] != NULL) {
        i++;
        ck_assert_int_lt(i, MEMORY_MOST);
    }
    memory_ends[i] = medium;
    return MEMORY_FIRST + i;
}

ssize_t uva_test_recv(int fd, void *data, size_t size)
{
    uva__medium_t **end = memory_end(fd);
    ssize_t part;

    if (end == NULL) {
        return recv(fd, data, size, MSG_DONTWAIT);
    }
    part = (*end)->ops->receive(*end, data, size);
    errno = part == UV_EAGAIN ? EAGAIN : ECONNRESET;
    return part < 0 ? -1 : part;
}

/* As much as is taken now. */
static ssize_t net_send(int fd, const void *data, size_t size)
{
    uva__medium_t **end = memory_end(fd);
    struct iovec piece = {(void *)(uintptr_t)data, size};
    ssize_t part;

    if (end == NULL) {
        return send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    part = (*end)->ops->send(*end, &piece, 1);
    return part < 0 ? -1 : part;
}

void uva_test_shut(int fd)
{
    uva__medium_t **end = memory_end(fd);

    if (end != NULL) {
        (*end)->ops->shut(*end);
    } else {
        (void)shutdown(fd, SHUT_WR);
    }
}

void uva_test_close(int fd)
{
    uva__medium_t **end = memory_end(fd);

    if (end != NULL) {
        (*end)->ops->close(*end, NULL);
        *end = NULL;
    } else {
        close(fd);
    }
}

void uva_test_reset(int fd)
{
    uva__medium_t **end = memory_end(fd);
    struct linger linger = {1, 0};

    if (end != NULL) {
        uva__medium_memory_reset(*end);
        *end = NULL;
        return;
    }
    ck_assert_int_eq(
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

/* --- bytes --- */

void uva_test_send(int fd, const char *text)
{
    ssize_t size = (ssize_t)strlen(text);

    ck_assert_int_eq(net_send(fd, text, (size_t)size), size);
}

void uva_test_expect(int fd, const char *text)
{
    char got[1024];
    size_t size = strlen(text);
    size_t count = 0;

    ck_assert_uint_lt(size, sizeof got);
    while (count < size) {
        ssize_t part = -1;
        UVA_TEST_UNTIL((part = uva_test_recv(fd, got + count, size - count)) >=
                       0);
        ck_assert_int_gt(part, 0);
        count += (size_t)part;
    }
    got[count] = '\0';
    ck_assert_str_eq(got, text);
}

void uva_test_expect_eof(int fd)
{
    char got;

    UVA_TEST_UNTIL(uva_test_recv(fd, &got, 1) == 0);
}

long uva_test_drop(int fd, size_t size)
{
    static char dropped[65536];
    long total = 0;

    while (size > 0) {
        ssize_t part = uva_test_recv(
            fd, dropped, size < sizeof dropped ? size : sizeof dropped);
        if (part == 0 || (part < 0 && errno != EAGAIN)) {
            return total == 0 ? -1 : total;
        }
        if (part < 0) {
            break;
        }
        total += part;
        size -= (size_t)part;
    }
    return total;
}

size_t uva_test_stuff(int fd, size_t size)
{
    static const char zeros[65536];
    size_t total = 0;

    while (total < size) {
        size_t left = size - total;
        ssize_t part =
            net_send(fd, zeros, left < sizeof zeros ? left : sizeof zeros);
        if (part < 0) {
            break;
        }
        total += (size_t)part;
    }
    return total;
}

/* --- both ends --- */

static bool link_is(const char *name)
{
    const char *kind = getenv("UVA_TEST_LINK");

    return kind != NULL && strcmp(kind, name) == 0;
}

bool uva_test_link_is_memory(void)
{
    return link_is("memory");
}

bool uva_test_link_is_tcp(void)
{
    return !link_is("unix") && !link_is("memory");
}

bool uva_test_link_resets(void)
{
    return !link_is("unix");
}

static void link_arrived(void *data)
{
    (void)data;
}

/* A connection on the network of the virtual loop, which a medium accepts that
 * no transport has. */
static void link_memory(uva_test_link_t *link,
                        const uva_connection_options_t *options)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva__sockaddr_t address = {.size = sizeof(struct sockaddr_in)};
    uva__binding_t *binding;
    uva__medium_t *medium;
    uva__sockaddr_t peer;
    uva__io_t *io;

    ck_assert_int_eq(uva__io_get_hosts(loop, &io), 0);
    address.in.sin_family = AF_INET;
    address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(uva__network_bind(io->network, loop, &address,
                                       link_arrived, NULL, &binding),
                     0);
    uva__binding_listen(binding);
    address = *uva__binding_address(binding);
    ck_assert_int_eq(uva_open_connection(
                         "127.0.0.1", uva_test_port(ntohs(address.in.sin_port)),
                         options, &link->reader, &link->writer),
                     0);
    ck_assert_int_eq(uva__binding_accept(binding, &peer, &medium), 0);
    uva__binding_close(binding);
    link->fd = memory_number(medium);
}

/* Both ends of a unix connection. */
static void link_unix(uva_test_link_t *link,
                      const uva_connection_options_t *options)
{
    int fds[2];

    ck_assert_int_eq(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    ck_assert_int_eq(
        uva_open_connection_fd(fds[0], options, &link->reader, &link->writer),
        0);
    link->fd = fds[1];
}

void uva_test_link(uva_test_link_t *link,
                   const uva_connection_options_t *options)
{
    uint16_t port = 0;
    int listener;

    if (uva_test_link_is_memory() &&
        uva__loop_uv(uva_get_running_loop()) == NULL) {
        link_memory(link, options);
        return;
    }
    if (link_is("unix")) {
        link_unix(link, options);
        return;
    }
    listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);
    ck_assert_int_eq(uva_open_connection("127.0.0.1", uva_test_port(port),
                                         options, &link->reader, &link->writer),
                     0);
    link->fd = uva_test_accept(listener);
    close(listener);
}

void uva_test_unlink(uva_test_link_t *link)
{
    uva_writer_close(link->writer);
    if (link->fd >= 0) {
        uva_test_close(link->fd);
    }
    if (uva_writer_wait_closed(link->writer) < 0) {
        /* Lost: that is for the test to look at. */
    }
    uva_reader_unref(link->reader);
    uva_writer_unref(link->writer);
}

/* --- reports --- */

static void
reports_collect(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    uva_test_reports_t *reports = data;

    (void)loop;
    reports->count++;
    reports->code = exception->code;
    (void)snprintf(reports->message, sizeof reports->message, "%s",
                   exception->message);
    (void)snprintf(reports->text, sizeof reports->text, "%s",
                   exception->error == NULL ? ""
                                            : uva_error_text(exception->error));
}

void uva_test_collect_reports(uva_test_reports_t *reports)
{
    memset(reports, 0, sizeof *reports);
    uva_loop_set_exception_handler(uva_get_running_loop(), reports_collect,
                                   reports);
}
