/*
 * A medium on a uv_stream_t that the application owns.
 *
 * Invariant: the handle is not looked at once the application may have freed
 * it: stream is NULL from then on. Its data is the medium until it is let go.
 */
#include "io/medium_uv_lent.h"

#include "core/driver_uv_close.h"
#include "core/loop.h"
#include "io/medium_uv.h"

/* The handle is the application's again. Bytes in spare leave though the
 * transport is aborted: libuv has them. */
static void lent_let_go(uva__uv_medium_t *self)
{
    self->stream->data = self->data;
    self->stream = NULL;
    self->reading = false;
    uva__list_remove(&self->link);
}

/* If a host has closed all handles of the loop, the memory of this one may be
 * gone. */
static bool lent_is_there(uva__uv_medium_t *self)
{
    if (uva__loop_uv(self->loop) == NULL) {
        self->stream = NULL;
        uva__list_remove(&self->link);
    } else if (uv_is_closing((const uv_handle_t *)self->stream)) {
        lent_let_go(self);
    }
    return self->stream != NULL;
}

static void lent_alloc(uv_handle_t *handle, size_t hint, uv_buf_t *buffer)
{
    (void)hint;
    uva__uv_medium_alloc(handle->data, buffer);
}

static void
lent_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    uva__uv_medium_read(stream->data, count, buffer);
}

static const uva__uv_owner_t lent_owner = {
    .bytes = sizeof(uva__uv_medium_t),
    .alloc = lent_alloc,
    .read = lent_read,
    .is_there = lent_is_there,
    .let_go = lent_let_go,
};

/* Whether a handle may become a medium. That the application reads shows only
 * by starting to read: libuv has no other question for it. */
static int lent_check(uva_loop_t *loop, uv_stream_t *stream)
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
    UVA__LIST_FOREACH (other, &UVA__IO_OF(loop)->lent, uva__uv_medium_t, link) {
        if (other->stream == stream) {
            return UV_EALREADY;
        }
    }
    if (!uv_is_readable(stream)) {
        return uv_is_writable(stream) ? 0 : UV_ENOTCONN;
    }
    r = uv_read_start(stream, lent_alloc, lent_read);
    if (r >= 0) {
        (void)uv_read_stop(stream);
    }
    return r;
}

int uva__medium_uv(uva_loop_t *loop,
                   uv_stream_t *stream,
                   uva__medium_t **ret_medium)
{
    int r = lent_check(loop, stream);
    uva__uv_medium_t *self;

    if (r < 0) {
        return r;
    }
    self = uva__slab_get(&loop->slab, sizeof *self);
    if (self == NULL) {
        return UV_ENOMEM;
    }
    uva__uv_medium_init(self, loop, stream, &lent_owner, UVA_MEDIUM_UV,
                        !uv_is_writable(stream)   ? UVA__MEDIUM_READS
                        : !uv_is_readable(stream) ? UVA__MEDIUM_WRITES
                                                  : UVA__MEDIUM_BOTH);
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
    UVA__LIST_FOREACH_SAFE(self, &io->lent, uva__uv_medium_t, link)
    {
        if (uv_is_closing((const uv_handle_t *)self->stream)) {
            lent_let_go(self);
            if (self->base.ready != NULL) {
                self->base.ready(self->base.upper, UV_ECONNABORTED);
            }
        }
    }
}
