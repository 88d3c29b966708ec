/*
 * The media of what the library makes itself, on libuv's own handles: uv_tcp_t
 * for TCP, uv_pipe_t for other sockets and for pipes that are read
 * (-DUVA_IO=uv). made_socket.c is the usual choice.
 *
 * Listening stays on uv_poll_t: without descriptors libuv's accept closes the
 * connections that wait. So does connecting, which is common to both choices: a
 * descriptor goes to a stream handle once it is connected. A pipe that is
 * written stays too: libuv does not tell that its reader has left. So do
 * terminals, whose modes uv_tty_t changes, and devices, which epoll may refuse:
 * libuv aborts then.
 *
 * Invariant: the memory goes when libuv has called close_cb and each other
 * callback. The handle's data is not used: a host may walk all handles and take
 * it for its own.
 */
#include <fcntl.h>
#include <unistd.h>

#include "core/driver_uv_close.h"
#include "core/life.h"
#include "core/loop.h"
#include "io/medium_uv.h"

typedef struct owned_s {
    uva__uv_medium_t medium; /* First: it is cast to this. */
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    int flags; /* The descriptor gets them back at the end; -1: none. */
} owned_t;

static owned_t *owned_of_handle(uv_handle_t *handle)
{
    return UVA__CONTAINER_OF(handle, owned_t, handle.any);
}

static void owned_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buffer)
{
    (void)hint;
    uva__uv_medium_alloc(&owned_of_handle(handle)->medium, buffer);
}

static void
owned_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    uva__uv_medium_read(&owned_of_handle((uv_handle_t *)stream)->medium, count,
                        buffer);
}

/* Asked beside what libuv pushes: when a write fails, for what the peer has
 * sent before, and when the turn had read enough. */
static ssize_t owned_receive(uva__uv_medium_t *medium, void *data, size_t size)
{
    return uva__socket_read(medium->base.ops->fileno(&medium->base), data,
                            size);
}

static void owned_shut(uva__uv_medium_t *medium)
{
    (void)shutdown(medium->base.ops->fileno(&medium->base), SHUT_WR);
}

static bool owned_is_there(uva__uv_medium_t *medium)
{
    return !uv_is_closing((const uv_handle_t *)medium->stream);
}

static void owned_close_cb(uv_handle_t *handle)
{
    owned_t *self = owned_of_handle(handle);

    self->medium.stream = NULL;
    uva__uv_medium_maybe_free(&self->medium);
}

/* libuv closes the descriptor at once, unless it is a standard one. What is in
 * spare is dropped. */
static void owned_let_go(uva__uv_medium_t *medium)
{
    owned_t *self = (owned_t *)(uintptr_t)medium;
    uv_os_fd_t fd;

    if (owned_is_there(medium) && uv_fileno(&self->handle.any, &fd) >= 0) {
        if (self->flags >= 0) {
            (void)fcntl(fd, F_SETFL, self->flags);
        }
        uv_close(&self->handle.any, owned_close_cb);
        if (fd <= STDERR_FILENO) {
            close(fd);
        }
    } else { /* close_cb may come at once. */
        uva__uv_handle_close(&self->handle.any, owned_close_cb);
    }
}

static const uva__uv_owner_t owned_owner = {
    .bytes = sizeof(owned_t),
    .alloc = owned_alloc,
    .read = owned_read,
    .receive = owned_receive,
    .shut = owned_shut,
    .is_there = owned_is_there,
    .let_go = owned_let_go,
};

/* Make a medium of a stream handle on a descriptor, which is taken, on failure
 * too: it is closed then. */
static int owned_new(uva_loop_t *loop,
                     const uva__pipe_t *take_pipe,
                     uva__medium_way_t way,
                     uva__medium_t **ret_medium)
{
    bool is_tcp = take_pipe->kind == UVA_MEDIUM_TCP;
    owned_t *self = uva__slab_get(&loop->slab, sizeof *self);
    uv_loop_t *uv = uva__loop_uv(loop); /* NULL once the host has closed it. */
    int r = self == NULL ? UV_ENOMEM : uv == NULL ? UV_ECANCELED : 0;

    if (r < 0) {
        if (self != NULL) {
            uva__slab_put(&loop->slab, self, sizeof *self);
        }
        uva__pipe_close(take_pipe);
        return uva__bare(r);
    }
    uva__uv_medium_init(&self->medium, loop, &self->handle.stream, &owned_owner,
                        take_pipe->kind, way);
    self->flags = (take_pipe->flags & O_NONBLOCK) == 0 ? take_pipe->flags : -1;
    if (is_tcp) {
        (void)uv_tcp_init(uv, &self->handle.tcp); /* Opens nothing. */
        r = uv_tcp_open(&self->handle.tcp, take_pipe->fd);
    } else {
        (void)uv_pipe_init(uv, &self->handle.pipe, 0);
        r = uv_pipe_open(&self->handle.pipe, take_pipe->fd);
    }
    self->handle.any.data = NULL;
    if (r < 0) {
        uva__pipe_close(take_pipe);
        self->medium.base.ops->close(&self->medium.base, loop);
        return uva__bare(r);
    }
    *ret_medium = &self->medium.base;
    return 0;
}

int uva__medium_connected(uva_loop_t *loop,
                          int take_fd,
                          uva__medium_t **ret_medium)
{
    uva__pipe_t socket = {.fd = take_fd, .flags = -1};

    socket.kind =
        uva__socket_prepare(take_fd) ? UVA_MEDIUM_TCP : UVA_MEDIUM_UNIX;
    return owned_new(loop, &socket, UVA__MEDIUM_BOTH, ret_medium);
}

int uva__medium_settle(uva_loop_t *loop, uva__medium_t **medium)
{
    return uva__medium_connected(loop, uva__medium_socket_leave(*medium, loop),
                                 medium);
}

int uva__medium_pipe(uva_loop_t *loop,
                     int take_fd,
                     bool writes,
                     uva__medium_t **ret_medium)
{
    uva__pipe_t pipe;
    int r = uva__pipe_adopt(take_fd, writes, &pipe);

    if (r < 0) {
        return r;
    }
    return writes || !pipe.tells_end || pipe.kind == UVA_MEDIUM_TTY
               ? uva__medium_fd(loop, &pipe, writes, ret_medium)
               : owned_new(loop, &pipe, UVA__MEDIUM_READS, ret_medium);
}
