/*
 * A stream socket as a medium: a descriptor, and the uv_poll_t that watches it
 * (asyncio.selector_events, what _SelectorTransport asks of its socket).
 *
 * It is a uv_poll_t and not a uv_tcp_t: what uv_write queues is sent by
 * write(2) when the socket is writable again. If the peer has closed meanwhile,
 * that raises SIGPIPE, which a library may not ignore for its process.
 *
 * Invariant: the memory goes in close_cb, when libuv is done with the handle.
 */
#include "io/medium.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/driver_uv_close.h"
#include "core/life.h"
#include "core/loop.h"
#include "io/sockets.h"

typedef struct socket_s {
    uva__medium_t base; /* First: a medium is cast to its socket. */
    uv_poll_t poll;     /* data is NULL, as a host may walk all handles and take
                           data for its own. */
} socket_t;

static inline socket_t *socket_of(const uva__medium_t *medium)
{
    return (socket_t *)(uintptr_t)medium;
}

static ssize_t socket_receive(uva__medium_t *medium, void *data, size_t size)
{
    return uva__socket_read(medium->fd, data, size);
}

static ssize_t
socket_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    return uva__socket_send(medium->fd, pieces, count);
}

#if UVA__SOCKET_SENDS_FILES

static ssize_t
socket_sendfile(uva__medium_t *medium, int file, uint64_t offset, size_t size)
{
    return uva__socket_sendfile(medium->fd, file, offset, size);
}

#else
#    define socket_sendfile NULL
#endif

static void socket_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva__medium_t *medium = &UVA__CONTAINER_OF(poll, socket_t, poll)->base;

    medium->ready(medium->upper, status < 0 ? status : events);
}

static int socket_watch(uva__medium_t *medium, int events)
{
    uv_poll_t *poll = &socket_of(medium)->poll;

    if (uv_is_closing((const uv_handle_t *)poll)) {
        /* The host has closed the handle; uv_poll_start would assert. */
        return UV_ECONNABORTED;
    }
    return events == 0 ? uv_poll_stop(poll)
                       : uv_poll_start(poll, events, socket_poll_cb);
}

static void socket_shut(uva__medium_t *medium)
{
    (void)shutdown(medium->fd, SHUT_WR);
}

/* libuv is done with the handle, so the memory around it may go. */
static void socket_close_cb(uv_handle_t *handle)
{
    socket_t *self = UVA__CONTAINER_OF(handle, socket_t, poll);
    uva_loop_t *loop = self->base.upper; /* Set by socket_close. */

    uva__slab_put(&loop->slab, self, sizeof *self);
    if (loop->closed) { /* The loop's memory waits for its last object. */
        uva__loop_maybe_free(loop);
    }
}

/* If a host has closed the handle and libuv is through with it, close_cb is
 * called inside uva__uv_handle_close: fd is copied before. */
int uva__medium_socket_leave(uva__medium_t *take_medium, uva_loop_t *loop)
{
    socket_t *self = socket_of(take_medium);
    int fd = self->base.fd;

    take_medium->upper = loop; /* For close_cb: nothing stands on it now. */
    uva__uv_handle_close((uv_handle_t *)&self->poll, socket_close_cb);
    return fd;
}

/* The handle goes before its descriptor: libuv still removes the descriptor
 * from epoll, where a new socket may have the same number. */
static void socket_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    close(uva__medium_socket_leave(take_medium, loop));
}

static bool socket_is_gone(const uva__medium_t *medium)
{
    return uv_is_closing((const uv_handle_t *)&socket_of(medium)->poll);
}

static int socket_fileno(const uva__medium_t *medium)
{
    return medium->fd;
}

#define SOCKET_OPS(medium_kind)                                                \
    {                                                                          \
        .kind = (medium_kind), .receive = socket_receive, .send = socket_send, \
        .watch = socket_watch, .shut = socket_shut, .close = socket_close,     \
        .is_gone = socket_is_gone, .fileno = socket_fileno,                    \
        .sendfile = socket_sendfile,                                           \
    }

static const uva__medium_ops_t tcp_ops = SOCKET_OPS(UVA_MEDIUM_TCP);
static const uva__medium_ops_t unix_ops = SOCKET_OPS(UVA_MEDIUM_UNIX);

int uva__medium_socket(uva_loop_t *loop,
                       int take_fd,
                       uva__medium_t **ret_medium)
{
    socket_t *self = uva__slab_get(&loop->slab, sizeof *self);
    uv_loop_t *uv = uva__loop_uv(loop); /* NULL once the host has closed it. */
    int r = self == NULL ? UV_ENOMEM : uv == NULL ? UV_ECANCELED : 0;

    if (r >= 0) {
        memset(self, 0, sizeof *self);
        r = uv_poll_init(uv, &self->poll, take_fd);
    }
    if (r < 0) {
        if (self != NULL) {
            uva__slab_put(&loop->slab, self, sizeof *self);
        }
        close(take_fd);
        return r;
    }
    self->base.ops = uva__socket_prepare(take_fd) ? &tcp_ops : &unix_ops;
    self->base.fd = take_fd;
    *ret_medium = &self->base;
    return 0;
}
