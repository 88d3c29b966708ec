/*
 * Two media in memory that are each other's peer. They need no descriptor, so a
 * virtual loop has them too.
 *
 * As with TCP, what one side has sent can be received after it has closed; a
 * side that closes with bytes it has not received resets the connection.
 *
 * Invariant: each side is told in the drain, by a node of its own, and never
 * inside a call of the other: the order of events is that of sockets.
 */
#include "io/medium_memory.h"

#include <string.h>

#include "core/loop.h"
#include "core/ready.h"
#include "io/output.h"

typedef struct memory_s {
    uva__medium_t base;    /* First: a medium is cast to it. */
    struct memory_s *peer; /* Borrowed; NULL once it has closed. */
    uva_loop_t *loop;      /* Borrowed. */
    uva__output_t in;      /* What the peer has sent, and was not received. */
    size_t capacity;       /* More bytes than this in is never filled with. */
    uva__ready_t ready;    /* Tells what watch has asked for. */
    int reset;             /* The peer has reset it: a code; 0 if not. */
    bool queued;           /* ready is in the queue. */
    bool closed;           /* The node frees it. */
    bool eof;              /* No more comes behind in. */
    uint8_t events;        /* Asked for. */
} memory_t;

static inline memory_t *memory_of(const uva__medium_t *medium)
{
    return (memory_t *)(uintptr_t)medium;
}

static void memory_free(memory_t *self)
{
    uva__output_clear(&self->in, self->loop);
    uva__slab_put(&self->loop->slab, self, sizeof *self);
}

/* How many bytes the peer takes now. */
static size_t memory_room(const memory_t *self)
{
    const memory_t *peer = self->peer;

    return peer == NULL || peer->in.bytes >= peer->capacity
               ? 0
               : peer->capacity - peer->in.bytes;
}

/* What is possible of what was asked for. A lost peer lets a send fail, which
 * is possible too. */
static int memory_news(const memory_t *self)
{
    int events = 0;

    if (self->in.bytes > 0 || self->eof || self->reset < 0) {
        events |= UV_READABLE;
    }
    if (self->peer == NULL || memory_room(self) > 0) {
        events |= UV_WRITABLE;
    }
    return events & self->events;
}

/* Something has changed: queue the node if it has something to tell. */
static void memory_changed(memory_t *self)
{
    if (!self->queued && memory_news(self) != 0) {
        self->queued = true;
        uva__loop_push(self->loop, &self->ready);
    }
}

static void memory_run(uva__ready_t *ready)
{
    memory_t *self = UVA__CONTAINER_OF(ready, memory_t, ready);
    int events = memory_news(self);

    self->queued = false;
    if (self->closed) {
        memory_free(self);
    } else if (events != 0) { /* Last: it may free the medium. */
        self->base.ready(self->base.upper, events | UVA__MEDIUM_IN_DRAIN);
    }
}

static void memory_drop(uva__ready_t *ready)
{
    memory_t *self = UVA__CONTAINER_OF(ready, memory_t, ready);

    self->queued = false;
    if (self->closed) {
        memory_free(self);
    }
}

static const uva__ready_ops_t memory_ready_ops = {.run = memory_run,
                                                  .drop = memory_drop};

static ssize_t memory_receive(uva__medium_t *medium, void *data, size_t size)
{
    memory_t *self = memory_of(medium);
    size_t part;

    if (self->reset < 0) {
        return self->reset;
    }
    if (self->in.bytes == 0) {
        return self->eof ? 0 : UV_EAGAIN;
    }
    part = uva__output_take(&self->in, self->loop, data, size);
    memory_changed(self); /* More may be there. */
    if (self->peer != NULL) {
        memory_changed(self->peer); /* It may have waited for room. */
    }
    return (ssize_t)part;
}

static ssize_t
memory_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    memory_t *self = memory_of(medium);
    size_t room = memory_room(self);
    size_t total = 0;
    int r = 0;

    if (self->peer == NULL) {
        return self->reset < 0 ? self->reset : UV_EPIPE;
    }
    for (size_t i = 0; i < count && room > 0 && r >= 0; i++) {
        size_t part = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        uva__supply_t supply = {.first = {pieces[i].iov_base, part},
                                .bytes = part};
        r = uva__output_keep(&self->peer->in, &supply, self->loop);
        if (r >= 0) {
            total += part;
            room -= part;
        }
    }
    if (total == 0) {
        return r < 0 ? r : UV_EAGAIN;
    }
    memory_changed(self->peer);
    return (ssize_t)total;
}

static int memory_watch(uva__medium_t *medium, int events)
{
    memory_t *self = memory_of(medium);

    self->events = (uint8_t)events;
    memory_changed(self);
    return 0;
}

static void memory_shut(uva__medium_t *medium)
{
    memory_t *peer = memory_of(medium)->peer;

    if (peer != NULL) {
        peer->eof = true;
        memory_changed(peer);
    }
}

static void memory_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    memory_t *self = memory_of(take_medium);
    memory_t *peer = self->peer;

    (void)loop;
    if (peer != NULL) {
        peer->peer = NULL;
        peer->eof = true;
        if (self->in.bytes > 0) {
            peer->reset = UV_ECONNRESET;
        }
        memory_changed(peer);
    }
    self->peer = NULL;
    self->closed = true;
    if (!self->queued) {
        memory_free(self);
    }
}

static bool memory_is_gone(const uva__medium_t *medium)
{
    (void)medium; /* No host knows of it. */
    return false;
}

static int memory_fileno(const uva__medium_t *medium)
{
    (void)medium;
    return -1;
}

static const uva__medium_ops_t memory_ops = {
    .kind = UVA_MEDIUM_MEMORY,
    .receive = memory_receive,
    .send = memory_send,
    .watch = memory_watch,
    .shut = memory_shut,
    .close = memory_close,
    .is_gone = memory_is_gone,
    .fileno = memory_fileno,
};

static memory_t *memory_new(uva_loop_t *loop, size_t capacity_bytes)
{
    memory_t *self = uva__slab_get(&loop->slab, sizeof *self);

    if (self != NULL) {
        memset(self, 0, sizeof *self);
        self->base = (uva__medium_t){.ops = &memory_ops, .fd = -1};
        self->loop = loop;
        self->capacity = capacity_bytes;
        self->ready.ops = &memory_ready_ops;
    }
    return self;
}

int uva__medium_memory_pair(uva_loop_t *loop,
                            size_t capacity_bytes,
                            uva__medium_t *ret_media[2])
{
    memory_t *one = memory_new(loop, capacity_bytes);
    memory_t *other = one == NULL ? NULL : memory_new(loop, capacity_bytes);

    if (other == NULL) {
        if (one != NULL) {
            memory_free(one);
        }
        return UV_ENOMEM;
    }
    one->peer = other;
    other->peer = one;
    ret_media[0] = &one->base;
    ret_media[1] = &other->base;
    return 0;
}
