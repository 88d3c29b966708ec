/*
 * One end of a pipe as a medium: of a pipe, a FIFO, a terminal, another
 * character device, or a socket that is used in one direction
 * (asyncio.unix_events, _UnixReadPipeTransport, _UnixWritePipeTransport).
 *
 * It is a uv_poll_t and not a uv_pipe_t: that raises SIGPIPE, and does not tell
 * a writing end that its reader has left. Such an end is watched as if it were
 * read: nothing ever comes, so whatever is told is the end.
 *
 * Invariant: the memory goes in close_cb, when libuv is done with the handle.
 */
#include "io/medium.h"

#include <string.h>

#include "core/driver_uv_close.h"
#include "core/life.h"
#include "core/loop.h"
#include "io/pipes.h"

typedef struct end_s {
    uva__medium_t base; /* First: a medium is cast to its end. */
    uv_poll_t poll;     /* data is NULL, as a host may take it for its own. */
    uva__pipe_t pipe;
} end_t;

static inline end_t *end_of(const uva__medium_t *medium)
{
    return (end_t *)(uintptr_t)medium;
}

static ssize_t end_receive(uva__medium_t *medium, void *data, size_t size)
{
    return uva__socket_read(end_of(medium)->pipe.fd, data, size);
}

/* Of a writing end: 0 when the reader has left. */
static ssize_t end_receive_end(uva__medium_t *medium, void *data, size_t size)
{
    (void)data;
    (void)size;
    return uva__pipe_reader_left(end_of(medium)->pipe.fd) ? 0 : UV_EAGAIN;
}

static ssize_t
end_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    const uva__pipe_t *pipe = &end_of(medium)->pipe;

    return pipe->kind == UVA_MEDIUM_UNIX
               ? uva__socket_send(pipe->fd, pieces, count)
               : uva__pipe_write(pipe->fd, pieces, count);
}

/* Of a reading end: a transport refuses writes before. */
static ssize_t
end_send_none(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    (void)medium;
    (void)pieces;
    (void)count;
    return UV_ENOTSUP;
}

static void end_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva__medium_t *medium = &UVA__CONTAINER_OF(poll, end_t, poll)->base;

    medium->ready(medium->upper, status < 0 ? status : events);
}

static int end_watch(uva__medium_t *medium, int events)
{
    end_t *self = end_of(medium);

    if (uv_is_closing((const uv_handle_t *)&self->poll)) {
        /* The host has closed the handle; uv_poll_start would assert. */
        return UV_ECONNABORTED;
    }
    if (medium->ops->way == UVA__MEDIUM_WRITES && !self->pipe.tells_end) {
        events &= ~UV_READABLE;
    }
    return events == 0 ? uv_poll_stop(&self->poll)
                       : uv_poll_start(&self->poll, events, end_poll_cb);
}

/* libuv is done with the handle, so the memory around it may go. */
static void end_close_cb(uv_handle_t *handle)
{
    end_t *self = UVA__CONTAINER_OF(handle, end_t, poll);
    uva_loop_t *loop = self->base.upper; /* Set by end_close. */

    uva__slab_put(&loop->slab, self, sizeof *self);
    if (loop->closed) { /* The loop's memory waits for its last object. */
        uva__loop_maybe_free(loop);
    }
}

/* The descriptor goes behind its handle, which libuv still removes from epoll;
 * it is copied, as close_cb may be called inside uva__uv_handle_close. */
static void end_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    end_t *self = end_of(take_medium);
    uva__pipe_t pipe = self->pipe;

    take_medium->upper = loop; /* For close_cb: nothing stands on it now. */
    uva__uv_handle_close((uv_handle_t *)&self->poll, end_close_cb);
    uva__pipe_close(&pipe);
}

static bool end_is_gone(const uva__medium_t *medium)
{
    return uv_is_closing((const uv_handle_t *)&end_of(medium)->poll);
}

static int end_fileno(const uva__medium_t *medium)
{
    return end_of(medium)->pipe.fd;
}

#define END_OPS(medium_kind, medium_way, receive_function, send_function) \
    {                                                                     \
        .kind = (medium_kind), .way = (medium_way),                       \
        .receive = (receive_function), .send = (send_function),           \
        .watch = end_watch, .close = end_close, .is_gone = end_is_gone,   \
        .fileno = end_fileno,                                             \
    }
#define READS(medium_kind) \
    END_OPS(medium_kind, UVA__MEDIUM_READS, end_receive, end_send_none)
#define WRITES(medium_kind) \
    END_OPS(medium_kind, UVA__MEDIUM_WRITES, end_receive_end, end_send)

/* By kind, then by whether it writes. */
static const uva__medium_ops_t end_ops[][2] = {
    [UVA_MEDIUM_UNIX] = {READS(UVA_MEDIUM_UNIX), WRITES(UVA_MEDIUM_UNIX)},
    [UVA_MEDIUM_PIPE] = {READS(UVA_MEDIUM_PIPE), WRITES(UVA_MEDIUM_PIPE)},
    [UVA_MEDIUM_TTY] = {READS(UVA_MEDIUM_TTY), WRITES(UVA_MEDIUM_TTY)},
};

int uva__medium_fd(uva_loop_t *loop,
                   const uva__pipe_t *take_pipe,
                   bool writes,
                   uva__medium_t **ret_medium)
{
    end_t *self = uva__slab_get(&loop->slab, sizeof *self);
    uv_loop_t *uv = uva__loop_uv(loop); /* NULL once the host has closed it. */
    int r = self == NULL ? UV_ENOMEM : uv == NULL ? UV_ECANCELED : 0;

    if (r >= 0) {
        memset(self, 0, sizeof *self);
        r = uv_poll_init(uv, &self->poll, take_pipe->fd);
    }
    if (r < 0) {
        if (self != NULL) {
            uva__slab_put(&loop->slab, self, sizeof *self);
        }
        uva__pipe_close(take_pipe);
        return uva__bare(r);
    }
    self->base.ops = &end_ops[take_pipe->kind][writes];
    self->base.fd = -1; /* It is no plain socket. */
    self->pipe = *take_pipe;
    *ret_medium = &self->base;
    return 0;
}
