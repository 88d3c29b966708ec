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

typedef struct unread_s {
    uva__medium_t base;   /* First: a medium is cast to it. */
    uva__medium_t *below; /* Owned; NULL once it is closed. */
    uva_buffer_t bytes;   /* Owned. */
    size_t taken;         /* Of bytes. */
    uva__ready_t ready;   /* Queued while bytes are left and are asked for. */
    bool queued;          /* ready is in the queue. */
    uint8_t events;       /* Asked for. */
} unread_t;

static inline unread_t *unread_of(const uva__medium_t *medium)
{
    return (unread_t *)(uintptr_t)medium;
}

static bool unread_has_bytes(const unread_t *self)
{
    return self->taken < self->bytes.size;
}

static void unread_free(unread_t *self)
{
    uva_buffer_clear(&self->bytes);
    uva__slab_put(&self->base.loop->slab, self, sizeof *self);
}

/* The node: tell that there are bytes, unless they were taken meanwhile. */
static void unread_tell(uva__ready_t *ready)
{
    unread_t *self = UVA__CONTAINER_OF(ready, unread_t, ready);

    self->queued = false;
    if (self->below == NULL) {
        unread_free(self);
    } else if ((self->events & UV_READABLE) != 0 && unread_has_bytes(self)) {
        self->base.ready(self->base.upper, UV_READABLE);
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
    if (unread_has_bytes(self)) {
        below &= ~UV_READABLE;
        if ((events & UV_READABLE) != 0 && !self->queued) {
            self->queued = true;
            uva__loop_push(medium->loop, &self->ready);
        }
    }
    return self->below->ops->watch(self->below, below);
}

static ssize_t unread_receive(uva__medium_t *medium, void *data, size_t size)
{
    unread_t *self = unread_of(medium);
    size_t left = self->bytes.size - self->taken;
    size_t part = left < size ? left : size;

    if (left == 0) {
        return uva__medium_receive(self->below, data, size);
    }
    memcpy(data, self->bytes.data + self->taken, part);
    self->taken += part;
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

static void unread_close(uva__medium_t *take_medium)
{
    unread_t *self = unread_of(take_medium);
    uva__medium_t *below = self->below;

    self->below = NULL;
    if (!self->queued) { /* Else the node frees it. */
        unread_free(self);
    }
    below->ops->close(below);
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
    .receive = unread_receive,
    .send = unread_send,
    .watch = unread_watch,
    .shut = unread_shut,
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

int uva__medium_unread(uva__medium_t **medium, uva__input_t *in)
{
    uva__medium_t *below = *medium;
    unread_t *self = uva__slab_get(&below->loop->slab, sizeof *self);
    int r;

    if (self == NULL) {
        return UV_ENOMEM;
    }
    memset(self, 0, sizeof *self);
    r = uva__input_detach(in, &self->bytes);
    if (r < 0) {
        uva__slab_put(&below->loop->slab, self, sizeof *self);
        return r;
    }
    self->base = (uva__medium_t){.ops = &unread_ops,
                                 .ready = below->ready,
                                 .upper = below->upper,
                                 .loop = below->loop,
                                 .fd = -1};
    self->below = below;
    self->ready.ops = &unread_ready_ops;
    uva__medium_give(below, unread_ready, self);
    *medium = &self->base;
    return 0;
}
