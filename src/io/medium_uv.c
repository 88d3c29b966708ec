/*
 * A uv_stream_t of the application as a medium. libuv pushes bytes, a medium is
 * asked for them (asyncio has no such transport; uvloop's are of this kind).
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
 * libuv has called back. The handle is not looked at once the application may
 * have freed it: stream is NULL from then on.
 */
#include "io/medium_uv.h"

#include <string.h>

#include "core/driver_uv_close.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/ready.h"
#include "io/output.h"

/* Bytes for one uv_write. Few, as they only find out when there is room; in the
 * medium, so that no memory is needed for them. */
#define SPARE_BYTES 256u

/* Pieces for one uv_try_write. */
#define PIECES 16u

typedef struct stream_s {
    uva__medium_t base;  /* First: a medium is cast to it. */
    uva_list_t link;     /* Of uva__io_t.lent, while stream is there. */
    uva_loop_t *loop;    /* Borrowed. */
    uv_stream_t *stream; /* Borrowed; NULL once it was let go. */
    void *data;          /* What the application had in stream->data. */
    const uint8_t *view; /* Inside read_cb: what came and was not taken. */
    size_t view_bytes;   /* At view. */
    uva__output_t kept;  /* What came before and was not taken. */
    int ended;           /* No more will come: UV_EOF, or why; else 0. */
    int failed;          /* Why nothing more can be sent; else 0. */
    size_t held;         /* Bytes in spare; they stay if they were lost. */
    uva__ready_t node;   /* Tells what is there, from the ready queue. */
    uv_write_t write;    /* Of spare. */
    uv_shutdown_t shutting;
    uint8_t events; /* Asked for. */
    bool queued;    /* node is in the queue. */
    bool reading;   /* libuv reads. */
    bool writing;   /* write is under way. */
    bool shuts;     /* shutting is under way. */
    bool inside;    /* Inside read_cb. */
    bool closed;    /* Nothing stands on it. */
    char spare[SPARE_BYTES];
} stream_t;

static inline stream_t *stream_of(const uva__medium_t *medium)
{
    return (stream_t *)(uintptr_t)medium;
}

/* --- the handle --- */

/* The handle is the application's again. */
static void stream_let_go(stream_t *self)
{
    if (self->stream != NULL) {
        self->stream->data = self->data;
        self->stream = NULL;
        self->reading = false;
        uva__list_remove(&self->link);
    }
}

/* Whether the handle may be used. If a host has closed all handles of the loop,
 * the memory of this one may be gone. */
static bool stream_is_there(stream_t *self)
{
    if (self->stream == NULL) {
        return false;
    }
    if (uva__loop_uv(self->loop) == NULL) {
        self->stream = NULL;
        uva__list_remove(&self->link);
    } else if (uv_is_closing((const uv_handle_t *)self->stream)) {
        stream_let_go(self);
    }
    return self->stream != NULL;
}

/* Free the medium when it is closed and neither libuv nor the queue has it. */
static void stream_maybe_free(stream_t *self)
{
    uva_loop_t *loop = self->loop;

    if (!self->closed || self->queued || self->writing || self->shuts ||
        self->inside) {
        return;
    }
    uva__slab_put(&loop->slab, self, sizeof *self);
    if (loop->closed) { /* The loop's memory waits for its last object. */
        uva__loop_maybe_free(loop);
    }
}

/* --- telling from the ready queue --- */

static void stream_queue(stream_t *self)
{
    if (!self->queued) {
        self->queued = true;
        uva__loop_push(self->loop, &self->node);
    }
}

static void stream_tell(uva__ready_t *node)
{
    stream_t *self = UVA__CONTAINER_OF(node, stream_t, node);
    int events = 0;

    self->queued = false;
    if (self->closed) {
        stream_maybe_free(self);
        return;
    }
    if (self->kept.bytes > 0 || self->ended != 0) {
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
    stream_maybe_free(self);
}

static const uva__ready_ops_t stream_node_ops = {.run = stream_tell,
                                                 .drop = stream_drop};

/* --- receiving --- */

static void stream_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buffer)
{
    stream_t *self = handle->data;

    (void)hint;
    *buffer = uv_buf_init((char *)uva__blocks_of(self->loop)->scratch,
                          UVA__READ_BYTES);
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

static void
stream_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    stream_t *self = stream->data;

    if (count == 0) { /* Nothing was there. */
        return;
    }
    if (count < 0) {
        stream_stop(self);
        self->ended = (int)count;
    } else {
        self->view = (const uint8_t *)buffer->base;
        self->view_bytes = (size_t)count;
    }
    self->inside = true;
    self->base.ready(self->base.upper, UV_READABLE);
    self->inside = false;
    if (self->closed) {
        stream_maybe_free(self);
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
        r = uv_read_start(self->stream, stream_alloc, stream_read);
        self->reading = r >= 0;
    }
    return r;
}

static ssize_t stream_receive(uva__medium_t *medium, void *data, size_t size)
{
    stream_t *self = stream_of(medium);
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
    return self->failed < 0         ? self->failed
           : !stream_is_there(self) ? UV_ECONNABORTED
                                    : UV_EAGAIN;
}

/* --- sending --- */

/* spare has left, or never will: then it stays unsent, so that nothing takes it
 * for sent. */
static void stream_written(uv_write_t *write, int status)
{
    stream_t *self = UVA__CONTAINER_OF(write, stream_t, write);

    self->writing = false;
    if (self->closed) {
        stream_maybe_free(self);
        return;
    }
    if (status < 0) {
        (void)stream_is_there(self); /* Let go: close_cb may come next. */
        self->failed = self->stream == NULL ? UV_ECONNABORTED : status;
        self->base.ready(self->base.upper, self->failed);
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
    for (size_t i = 0; i < count && self->held < SPARE_BYTES; i++) {
        size_t skip = sent < pieces[i].len ? sent : pieces[i].len;
        size_t part = pieces[i].len - skip;
        if (part > SPARE_BYTES - self->held) {
            part = SPARE_BYTES - self->held;
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
    stream_maybe_free(self);
}

static void stream_shut(uva__medium_t *medium)
{
    stream_t *self = stream_of(medium);

    if (stream_is_there(self)) {
        self->shuts =
            uv_shutdown(&self->shutting, self->stream, stream_shut_cb) >= 0;
    }
}

/* --- the medium --- */

static int stream_watch(uva__medium_t *medium, int events)
{
    stream_t *self = stream_of(medium);

    if (self->failed < 0 || !stream_is_there(self)) {
        return self->failed < 0 ? self->failed : UV_ECONNABORTED;
    }
    self->events = (uint8_t)events;
    if ((events & UV_WRITABLE) != 0 && !self->writing) {
        stream_queue(self);
    }
    return stream_ask(self);
}

/* Bytes in spare leave though the transport is aborted: libuv has them. */
static void stream_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    stream_t *self = stream_of(take_medium);

    self->closed = true;
    self->view_bytes = 0;
    uva__output_clear(&self->kept, loop);
    if (stream_is_there(self)) {
        stream_stop(self);
        stream_let_go(self);
    }
    stream_maybe_free(self);
}

static bool stream_is_gone(const uva__medium_t *medium)
{
    return !stream_is_there(stream_of(medium));
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

#define STREAM_OPS(medium_way)                                                 \
    {                                                                          \
        .kind = UVA_MEDIUM_UV, .way = (medium_way), .receive = stream_receive, \
        .send = stream_send, .watch = stream_watch, .shut = stream_shut,       \
        .held = stream_held, .close = stream_close, .is_gone = stream_is_gone, \
        .fileno = stream_fileno,                                               \
    }

/* By uva__medium_way_t. */
static const uva__medium_ops_t stream_ops[] = {
    STREAM_OPS(UVA__MEDIUM_BOTH),
    STREAM_OPS(UVA__MEDIUM_READS),
    STREAM_OPS(UVA__MEDIUM_WRITES),
};

/* Whether a handle may become a medium. That the application reads shows only
 * by starting to read: libuv has no other question for it. */
static int stream_check(uva_loop_t *loop, uv_stream_t *stream)
{
    uv_handle_type type = uv_handle_get_type((const uv_handle_t *)stream);
    uv_loop_t *uv = uva__loop_uv(loop);
    int r;

    if (uv == NULL) {
        return UV_ECANCELED;
    }
    if (type != UV_TCP && type != UV_NAMED_PIPE && type != UV_TTY) {
        return UV_EINVAL;
    }
    if (stream->loop != uv) {
        return UVA_EWRONGLOOP;
    }
    if (uv_is_closing((const uv_handle_t *)stream)) {
        return UV_EBADF;
    }
    UVA__LIST_FOREACH (other, &UVA__IO_OF(loop)->lent, stream_t, link) {
        if (other->stream == stream) {
            return UV_EALREADY;
        }
    }
    if (!uv_is_readable(stream)) {
        return uv_is_writable(stream) ? 0 : UV_ENOTCONN;
    }
    r = uv_read_start(stream, stream_alloc, stream_read);
    if (r >= 0) {
        (void)uv_read_stop(stream);
    }
    return r;
}

int uva__medium_uv(uva_loop_t *loop,
                   uv_stream_t *stream,
                   uva__medium_t **ret_medium)
{
    int r = stream_check(loop, stream);
    stream_t *self;

    if (r < 0) {
        return r;
    }
    self = uva__slab_get(&loop->slab, sizeof *self);
    if (self == NULL) {
        return UV_ENOMEM;
    }
    memset(self, 0, sizeof *self);
    self->base = (uva__medium_t){
        .ops = &stream_ops[!uv_is_writable(stream)   ? UVA__MEDIUM_READS
                           : !uv_is_readable(stream) ? UVA__MEDIUM_WRITES
                                                     : UVA__MEDIUM_BOTH],
        .fd = -1};
    self->loop = loop;
    self->node.ops = &stream_node_ops;
    self->stream = stream;
    self->data = stream->data;
    stream->data = self;
    uva__list_append(&UVA__IO_OF(loop)->lent, &self->link);
    *ret_medium = &self->base;
    return 0;
}

void uva__media_uv_look(uva__io_t *io)
{
    const uv_loop_t *uv = uva__loop_uv(io->loop);

    if (uv == NULL || !uva__uv_closes(uv)) {
        return; /* Nearly always. */
    }
    UVA__LIST_FOREACH_SAFE(self, &io->lent, stream_t, link)
    {
        if (uv_is_closing((const uv_handle_t *)self->stream)) {
            stream_let_go(self);
            if (self->base.ready != NULL) {
                self->base.ready(self->base.upper, UV_ECONNABORTED);
            }
        }
    }
}
