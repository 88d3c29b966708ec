/*
 * Bytes that were read and given back, as a medium above another one: they are
 * received first, then those of the medium below. So whatever takes over a
 * connection in the middle of its stream finds all that nobody has taken.
 *
 * Invariant: while bytes are left, the medium below is not watched for
 * readability, and the node tells that there is something to receive.
 */
#include "io/medium_unread.h"

#include <string.h>

#include "base/util.h"
#include "core/loop.h"
#include "core/ready.h"
#include "io/input.h"

typedef struct unread_s {
    uva__medium_t base;   /* First: a medium is cast to it. */
    uva__medium_t *below; /* Owned; NULL once it is closed. */
    uva_loop_t *loop;     /* Borrowed. */
    uva__output_t bytes;  /* What was given back, and not received. */
    uva__ready_t ready;   /* Queued while bytes are left and are asked for. */
    bool queued;          /* ready is in the queue. */
    uint8_t events;       /* Asked for. */
} unread_t;

static inline unread_t *unread_of(const uva__medium_t *medium)
{
    return (unread_t *)(uintptr_t)medium;
}

static void unread_free(unread_t *self)
{
    uva__output_clear(&self->bytes, self->loop);
    uva__slab_put(&self->loop->slab, self, sizeof *self);
}

/* The node: tell that there are bytes, unless they were taken meanwhile. */
static void unread_tell(uva__ready_t *ready)
{
    unread_t *self = UVA__CONTAINER_OF(ready, unread_t, ready);

    self->queued = false;
    if (self->below == NULL) {
        unread_free(self);
    } else if ((self->events & UV_READABLE) != 0 && self->bytes.bytes > 0) {
        self->base.ready(self->base.upper, UV_READABLE | UVA__MEDIUM_IN_DRAIN);
    }
}

static void unread_drop(uva__ready_t *ready)
{
    unread_t *self = UVA__CONTAINER_OF(ready, unread_t, ready);

    self->queued = false;
    if (self->below == NULL) {
        unread_free(self);
    }
}

static const uva__ready_ops_t unread_ready_ops = {.run = unread_tell,
                                                  .drop = unread_drop};

static int unread_watch(uva__medium_t *medium, int events)
{
    unread_t *self = unread_of(medium);
    int below = events;

    self->events = (uint8_t)events;
    if (self->bytes.bytes > 0) {
        below &= ~UV_READABLE;
        if ((events & UV_READABLE) != 0 && !self->queued) {
            self->queued = true;
            uva__loop_push(self->loop, &self->ready);
        }
    }
    return self->below->ops->watch(self->below, below);
}

static ssize_t unread_receive(uva__medium_t *medium, void *data, size_t size)
{
    unread_t *self = unread_of(medium);
    size_t part;

    if (self->bytes.bytes == 0) {
        return uva__medium_receive(self->below, data, size);
    }
    part = uva__output_take(&self->bytes, self->loop, data, size);
    /* Watch again: the medium below if these were the last bytes, else the
     * node. A refusal of the medium below is told by its own receive. */
    (void)unread_watch(medium, self->events);
    return (ssize_t)part;
}

static ssize_t
unread_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    return uva__medium_send(unread_of(medium)->below, pieces, count);
}

static void unread_shut(uva__medium_t *medium)
{
    uva__medium_t *below = unread_of(medium)->below;

    below->ops->shut(below);
}

static void unread_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    unread_t *self = unread_of(take_medium);
    uva__medium_t *below = self->below;

    self->below = NULL;
    if (!self->queued) { /* Else the node frees it. */
        unread_free(self);
    }
    below->ops->close(below, loop);
}

static int unread_end(uva__medium_t *medium)
{
    uva__medium_t *below = unread_of(medium)->below;

    return below->ops->end == NULL ? 0 : below->ops->end(below);
}

static size_t unread_held(const uva__medium_t *medium)
{
    return uva__medium_held(unread_of(medium)->below);
}

static size_t unread_kept(const uva__medium_t *medium)
{
    return unread_of(medium)->bytes.bytes;
}

static uva__medium_t **unread_below(uva__medium_t *medium)
{
    return &unread_of(medium)->below;
}

static bool unread_is_gone(const uva__medium_t *medium)
{
    const uva__medium_t *below = unread_of(medium)->below;

    return below->ops->is_gone(below);
}

static int unread_fileno(const uva__medium_t *medium)
{
    const uva__medium_t *below = unread_of(medium)->below;

    return below->ops->fileno(below);
}

static const uva__medium_ops_t unread_ops = {
    .passes = true,
    .receive = unread_receive,
    .send = unread_send,
    .watch = unread_watch,
    .shut = unread_shut,
    .end = unread_end,
    .held = unread_held,
    .kept = unread_kept,
    .below = unread_below,
    .close = unread_close,
    .is_gone = unread_is_gone,
    .fileno = unread_fileno,
};

/* The medium below tells something. */
static void unread_ready(void *upper, int events)
{
    unread_t *self = upper;

    self->base.ready(self->base.upper, events);
}

int uva__medium_unread(uva__medium_t **medium,
                       uva_loop_t *loop,
                       uva__output_t *take_bytes)
{
    uva__medium_t *below = *medium;
    unread_t *self = uva__slab_get(&loop->slab, sizeof *self);

    if (self == NULL) {
        return UV_ENOMEM;
    }
    memset(self, 0, sizeof *self);
    self->base = (uva__medium_t){.ops = &unread_ops,
                                 .ready = below->ready,
                                 .upper = below->upper,
                                 .fd = -1};
    self->below = below;
    self->loop = loop;
    self->bytes = *take_bytes;
    *take_bytes = (uva__output_t){0};
    self->ready.ops = &unread_ready_ops;
    uva__medium_give(below, unread_ready, self);
    *medium = &self->base;
    return 0;
}

int uva__medium_unread_input(uva__medium_t **medium, uva__input_t *in)
{
    uva__output_t bytes = {0};
    uva__supply_t supply;
    int r;

    uva__input_gather(in);
    if (in->size == 0) {
        return 0;
    }
    supply = (uva__supply_t){.first = {in->data, in->size}, .bytes = in->size};
    r = uva__output_keep(&bytes, &supply, in->loop);
    if (r >= 0) {
        r = uva__medium_unread(medium, in->loop, &bytes);
    }
    if (r < 0) {
        uva__output_clear(&bytes, in->loop);
        return r;
    }
    uva__input_consume(in, in->size);
    return 0;
}
