/*
 * A uv_stream_t as a medium. libuv pushes bytes, a medium is asked for them
 * (asyncio has no such transport; uvloop's are of this kind). Two owners of the
 * handle are possible: the application (medium_uv_lent.c) and the medium
 * (made_uv.c).
 *
 *   bytes that came     where they are
 *   inside read_cb      view, in the scratch that all sockets of the loop share
 *   after it            kept, in memory of the medium; reading is stopped until
 *                       they were taken
 *   bytes to be sent    uv_try_write takes them from the caller; of those that
 *                       it refuses a few go to spare, for one uv_write, which
 *                       ends when there is room again
 *
 * Invariant: libuv refers to memory of the medium alone, which lives until
 * libuv has called back.
 */
#include "io/medium_uv.h"

#include <string.h>

#include "core/life.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/turn.h"

/* Pieces for one uv_try_write. */
#define PIECES 16u

typedef uva__uv_medium_t stream_t;

static inline stream_t *stream_of(const uva__medium_t *medium)
{
    return (stream_t *)(uintptr_t)medium;
}

/* --- the handle --- */

static inline bool stream_is_there(stream_t *self)
{
    return self->stream != NULL && self->owner->is_there(self);
}

static int stream_fileno(const uva__medium_t *medium)
{
    stream_t *self = stream_of(medium);
    uv_os_fd_t fd;

    return stream_is_there(self) &&
                   uv_fileno((const uv_handle_t *)self->stream, &fd) >= 0
               ? fd
               : -1;
}

void uva__uv_medium_maybe_free(uva__uv_medium_t *self)
{
    uva_loop_t *loop = self->loop;

    if (!self->closed || self->stream != NULL || self->queued ||
        self->writing || self->shuts || self->inside) {
        return;
    }
    uva__slab_put(&loop->slab, self, self->owner->bytes);
    if (loop->closed) { /* The loop's memory waits for its last object. */
        uva__loop_maybe_free(loop);
    }
}

/* --- telling from the ready queue --- */

/* Tell what is there in the next iteration, behind all that this one queues, as
 * if a poll had found it. */
static void stream_queue(stream_t *self)
{
    if (!self->queued) {
        self->queued = true;
        uva__loop_add_flush(self->loop, &self->flush);
    }
}

static void stream_flush(uva__flush_t *flush)
{
    stream_t *self = UVA__CONTAINER_OF(flush, stream_t, flush);

    uva__loop_push(self->loop, &self->node);
}

static void stream_tell(uva__ready_t *node)
{
    stream_t *self = UVA__CONTAINER_OF(node, stream_t, node);
    int events = 0;

    self->queued = false;
    if (self->closed) {
        uva__uv_medium_maybe_free(self);
        return;
    }
    if (self->kept.bytes > 0 || self->ended != 0 || self->failed < 0) {
        events |= self->events & UV_READABLE;
    }
    if (!self->writing) {
        events |= self->events & UV_WRITABLE;
    }
    if (events != 0) {
        self->base.ready(self->base.upper, events | UVA__MEDIUM_IN_DRAIN);
    }
}

static void stream_drop(uva__ready_t *node)
{
    stream_t *self = UVA__CONTAINER_OF(node, stream_t, node);

    self->queued = false;
    uva__uv_medium_maybe_free(self);
}

static const uva__ready_ops_t stream_node_ops = {.run = stream_tell,
                                                 .drop = stream_drop};

/* --- receiving --- */

/* No buffer if the turn has read enough: then libuv reads nothing, and says
 * that there is something. */
void uva__uv_medium_alloc(uva__uv_medium_t *self, uv_buf_t *buffer)
{
    bool spent = self->owner->receive != NULL &&
                 UVA__IO_OF(self->loop)->spent_bytes >= UVA__READ_BUDGET_BYTES;

    *buffer = uv_buf_init((char *)uva__blocks_of(self->loop)->scratch,
                          spent ? 0 : UVA__READ_BYTES);
}

static void stream_stop(stream_t *self)
{
    if (self->reading) {
        self->reading = false;
        (void)uv_read_stop(self->stream);
    }
}

/* read_cb ends, and what stands above has not taken all: other sockets will
 * read into the scratch. It is told again if it has taken a part; if it has
 * taken nothing it asks by itself. */
static void stream_keep(stream_t *self, bool taken)
{
    uva__supply_t supply = {.first = {self->view, self->view_bytes},
                            .bytes = self->view_bytes};

    self->view_bytes = 0;
    if (uva__output_keep(&self->kept, &supply, self->loop) < 0) {
        self->ended = UV_ENOMEM; /* A stream with a hole must not go on. */
    }
    if (self->stream != NULL) {
        stream_stop(self);
    }
    if (taken) {
        stream_queue(self);
    }
}

/* Why no more will come. libuv says UV_EOF where a socket that has hung up is
 * empty, and drops the error that lies behind the bytes. */
static int stream_end(const stream_t *self, int code)
{
    int error = 0;

    if (code == UV_EOF) {
        error = uva__socket_error(stream_fileno(&self->base));
    }
    return error == 0 || error == UV_ENOTSOCK ? code : error;
}

void uva__uv_medium_read(uva__uv_medium_t *self,
                         ssize_t count,
                         const uv_buf_t *buffer)
{
    if (count == 0) { /* Nothing was there. */
        return;
    }
    if (count == UV_ENOBUFS && buffer->len == 0) { /* By the alloc above. */
        count = 0;
    } else if (count < 0) {
        stream_stop(self);
        self->ended = stream_end(self, (int)count);
    } else {
        self->view = (const uint8_t *)buffer->base;
        self->view_bytes = (size_t)count;
    }
    self->inside = true;
    self->base.ready(self->base.upper, UV_READABLE);
    self->inside = false;
    if (self->closed) {
        uva__uv_medium_maybe_free(self);
    } else if (self->view_bytes > 0) {
        stream_keep(self, self->view_bytes < (size_t)count);
    }
}

/* Let libuv read if that is asked for; what is there already is told instead.
 */
static int stream_ask(stream_t *self)
{
    int r = 0;

    if ((self->events & UV_READABLE) == 0 ||
        self->base.ops->way == UVA__MEDIUM_WRITES) {
        stream_stop(self);
    } else if (self->kept.bytes > 0 || self->ended != 0) {
        stream_queue(self);
    } else if (!self->reading) {
        r = uv_read_start(self->stream, self->owner->alloc, self->owner->read);
        self->reading = r >= 0;
    }
    return r;
}

static ssize_t stream_receive(uva__medium_t *medium, void *data, size_t size)
{
    stream_t *self = stream_of(medium);
    ssize_t count;
    size_t part;

    if (self->view_bytes > 0) {
        part = self->view_bytes < size ? self->view_bytes : size;
        memmove(data, self->view, part); /* It may be the scratch, too. */
        self->view += part;
        self->view_bytes -= part;
        return (ssize_t)part;
    }
    if (self->kept.bytes > 0) {
        part = uva__output_take(&self->kept, self->loop, data, size);
        if (stream_is_there(self)) {
            int r = stream_ask(self);
            self->ended = r < 0 ? r : self->ended;
        }
        return (ssize_t)part;
    }
    if (self->ended != 0) {
        return self->ended == UV_EOF ? 0 : self->ended;
    }
    if (!stream_is_there(self)) {
        return self->failed < 0 ? self->failed : UV_ECONNABORTED;
    }
    count = self->owner->receive == NULL
                ? UV_EAGAIN
                : self->owner->receive(self, data, size);
    return count <= 0 && self->failed < 0 ? self->failed : count;
}

/* --- sending --- */

/* spare has left, or never will: then it stays unsent, so that nothing takes it
 * for sent. */
static void stream_written(uv_write_t *write, int status)
{
    stream_t *self = UVA__CONTAINER_OF(write, stream_t, write);

    self->writing = false;
    if (self->closed) {
        uva__uv_medium_maybe_free(self);
        return;
    }
    if (status < 0) {
        if (stream_is_there(self)) {
            self->failed = status;
            self->base.ready(self->base.upper, status);
        } else { /* close_cb may come next; a look tells of the loss. */
            self->failed = UV_ECONNABORTED;
        }
        return;
    }
    self->held = 0;
    if ((self->events & UV_WRITABLE) != 0) {
        self->base.ready(self->base.upper, UV_WRITABLE);
    }
}

/* Copy the first bytes behind those that were sent to spare. */
static void stream_fill_spare(stream_t *self,
                              const uv_buf_t *pieces,
                              size_t count,
                              size_t sent)
{
    for (size_t i = 0; i < count && self->held < UVA__UV_SPARE_BYTES; i++) {
        size_t skip = sent < pieces[i].len ? sent : pieces[i].len;
        size_t part = pieces[i].len - skip;
        if (part > UVA__UV_SPARE_BYTES - self->held) {
            part = UVA__UV_SPARE_BYTES - self->held;
        }
        memcpy(self->spare + self->held, pieces[i].base + skip, part);
        self->held += part;
        sent -= skip;
    }
}

/* libuv takes no more now. It tells only of an end of uv_write, so a few bytes
 * go there. @return Bytes that were taken in all. */
static ssize_t stream_send_spare(stream_t *self,
                                 const uv_buf_t *pieces,
                                 size_t count,
                                 size_t sent)
{
    uv_buf_t spare;
    int r;

    stream_fill_spare(self, pieces, count, sent);
    spare = uv_buf_init(self->spare, (unsigned)self->held);
    r = uv_write(&self->write, self->stream, &spare, 1, stream_written);
    if (r < 0) {
        self->held = 0;
        return r;
    }
    sent += self->held; /* Before ready, which may close the medium. */
    self->writing = true;
    self->base.ready(self->base.upper, UVA__MEDIUM_HOLDS);
    return (ssize_t)sent;
}

static ssize_t
stream_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    stream_t *self = stream_of(medium);
    uv_buf_t buffers[PIECES];
    size_t total = 0;
    int r;

    if (self->failed < 0) {
        return self->failed;
    }
    if (!stream_is_there(self)) {
        return UV_ECONNABORTED;
    }
    if (self->writing) {
        return UV_EAGAIN;
    }
    count = count < PIECES ? count : PIECES;
    for (size_t i = 0; i < count; i++) {
        buffers[i].base = pieces[i].iov_base;
        buffers[i].len = pieces[i].iov_len;
        total += pieces[i].iov_len;
    }
    r = uv_try_write(self->stream, buffers, (unsigned)count);
    if (r < 0 && r != UV_EAGAIN) {
        return r;
    }
    if (r >= 0 && (size_t)r == total) {
        return r;
    }
    return stream_send_spare(self, buffers, count, r < 0 ? 0 : (size_t)r);
}

static size_t stream_held(const uva__medium_t *medium)
{
    return stream_of(medium)->held;
}

static void stream_shut_cb(uv_shutdown_t *request, int status)
{
    stream_t *self = UVA__CONTAINER_OF(request, stream_t, shutting);

    (void)status; /* A lost connection is told by others. */
    self->shuts = false;
    uva__uv_medium_maybe_free(self);
}

static void stream_shut(uva__medium_t *medium)
{
    stream_t *self = stream_of(medium);

    if (!stream_is_there(self)) {
        return;
    }
    if (self->owner->shut != NULL) {
        self->owner->shut(self);
    } else {
        self->shuts =
            uv_shutdown(&self->shutting, self->stream, stream_shut_cb) >= 0;
    }
}

/* --- the medium --- */

static int stream_watch(uva__medium_t *medium, int events)
{
    stream_t *self = stream_of(medium);

    if (!stream_is_there(self) ||
        (self->failed < 0 && self->owner->receive == NULL)) {
        return self->failed < 0 ? self->failed : UV_ECONNABORTED;
    }
    self->events = (uint8_t)events;
    if (self->failed < 0) { /* What came before it may be there still. */
        stream_queue(self);
        return 0;
    }
    if ((events & UV_WRITABLE) != 0 && !self->writing) {
        stream_queue(self);
    }
    return stream_ask(self);
}

static void stream_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    stream_t *self = stream_of(take_medium);

    self->view_bytes = 0;
    uva__output_clear(&self->kept, loop);
    if (stream_is_there(self)) {
        stream_stop(self);
    }
    if (self->stream != NULL) {
        self->owner->let_go(self);
    }
    self->closed = true; /* From here on it may be freed. */
    uva__uv_medium_maybe_free(self);
}

static bool stream_is_gone(const uva__medium_t *medium)
{
    return !stream_is_there(stream_of(medium));
}

#define STREAM_OPS(medium_kind, medium_way, medium_shut)                       \
    {                                                                          \
        .kind = (medium_kind), .way = (medium_way), .receive = stream_receive, \
        .send = stream_send, .watch = stream_watch, .shut = (medium_shut),     \
        .held = stream_held, .close = stream_close, .is_gone = stream_is_gone, \
        .fileno = stream_fileno,                                               \
    }

/* What the owners of handles make. */
static const uva__medium_ops_t stream_ops[] = {
    STREAM_OPS(UVA_MEDIUM_UV, UVA__MEDIUM_BOTH, stream_shut),
    STREAM_OPS(UVA_MEDIUM_UV, UVA__MEDIUM_READS, stream_shut),
    STREAM_OPS(UVA_MEDIUM_UV, UVA__MEDIUM_WRITES, stream_shut),
    STREAM_OPS(UVA_MEDIUM_TCP, UVA__MEDIUM_BOTH, stream_shut),
    STREAM_OPS(UVA_MEDIUM_UNIX, UVA__MEDIUM_BOTH, stream_shut),
    STREAM_OPS(UVA_MEDIUM_UNIX, UVA__MEDIUM_READS, stream_shut),
    STREAM_OPS(UVA_MEDIUM_PIPE, UVA__MEDIUM_READS, stream_shut),
};

/* A terminal has no end to be sent; uv_shutdown would only make its handle
 * useless for writing. */
static const uva__medium_ops_t tty_ops =
    STREAM_OPS(UVA_MEDIUM_UV, UVA__MEDIUM_BOTH, NULL);

void uva__uv_medium_init(uva__uv_medium_t *self,
                         uva_loop_t *loop,
                         uv_stream_t *stream,
                         const uva__uv_owner_t *owner,
                         uva_medium_kind_t kind,
                         uva__medium_way_t way)
{
    const uva__medium_ops_t *ops = stream_ops;

    while (ops->kind != kind || ops->way != way) {
        ops++;
    }
    if (ops == stream_ops &&
        uv_handle_get_type((const uv_handle_t *)stream) == UV_TTY) {
        ops = &tty_ops;
    }
    memset(self, 0, sizeof *self);
    self->base.ops = ops;
    self->base.fd = -1;
    self->loop = loop;
    self->stream = stream;
    self->owner = owner;
    self->flush.run = stream_flush;
    self->node.ops = &stream_node_ops;
}
