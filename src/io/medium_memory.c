/*
 * Two media in memory that are each other's peer.
 *
 * As with TCP, what one side has sent can be received after it has closed, and
 * before the code of a reset; a side that closes with bytes it has not received
 * resets the connection.
 *
 * What one side does to the other is news: bytes, an end, a loss. Without a
 * latency news has arrived at once; with one it waits in a queue of the other
 * side, in order.
 *
 * Invariant: each side is told in the drain, by a node of its own, and never
 * inside a call of the other: the order of events is that of sockets.
 */
#include "io/medium_memory.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fifo.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/timers.h"

#define ROOM_FIRST 512u  /* Of the ring, when the first byte comes. */
#define ROOM_KEPT  4096u /* A ring that is empty and larger is freed. */

/* What happens to a side. */
typedef enum news_kind_e {
    NEWS_OPEN,  /* It is connected; or it could not be, with a code. */
    NEWS_EOF,   /* The peer sends no more. */
    NEWS_GONE,  /* The peer has closed; with a code it has reset. */
    NEWS_BYTES, /* Bytes of the ring have arrived. */
} news_kind_t;

typedef struct news_s {
    uva__fifo_link_t link; /* Of memory_t.coming. */
    uint64_t when_ns;      /* Arrives then. */
    size_t bytes;
    int code;
    news_kind_t kind;
} news_t;

typedef struct memory_s {
    uva__medium_t base;      /* First: a medium is cast to it. */
    struct memory_s *peer;   /* Borrowed; NULL once it has closed. */
    uva_loop_t *loop;        /* Borrowed. */
    uva__ready_t ready;      /* Tells what watch has asked for. */
    uint8_t *ring;           /* Owned: what the peer has sent, and was not
                                received; NULL before the first byte. */
    size_t room;             /* Of ring: a power of 2, or 0. */
    size_t first;            /* In ring: the oldest byte. */
    size_t bytes;            /* In ring. */
    size_t arrived;          /* Of bytes: may be received. */
    size_t capacity;         /* bytes does not exceed it. */
    int code;                /* Why the connection is lost; 0 if it is not. */
    uint8_t events;          /* Asked for. */
    bool queued;             /* ready is in the queue. */
    bool closed;             /* The node frees it. */
    bool opening;            /* NEWS_OPEN has not arrived. */
    bool eof;                /* No more arrives. */
    bool gone;               /* NEWS_GONE has arrived. */
    bool late;               /* Something was sent to a peer that had closed. */
    uint64_t latency_ns;     /* Of what comes from the peer. */
    uva__fifo_t coming;      /* Of news_t.link: not arrived, in order. */
    news_t once[NEWS_BYTES]; /* Each comes once at most, so it needs no memory
                                when it happens. */
    uva__timer_t timer;      /* Runs while coming is not empty. */
    uva__peer_t name;
} memory_t;

static inline memory_t *memory_of(const uva__medium_t *medium)
{
    return (memory_t *)(uintptr_t)medium;
}

/* --- the ring --- */

/* Make room for size bytes more. */
static UVA__NOINLINE int ring_grow(memory_t *self, size_t size)
{
    size_t room = self->room == 0 ? ROOM_FIRST : self->room;
    size_t tail = self->room - self->first;
    size_t part = self->bytes < tail ? self->bytes : tail;
    uint8_t *ring;

    while (room < self->bytes + size) {
        room *= 2;
    }
    ring = uva__malloc(room);
    if (ring == NULL) {
        return UV_ENOMEM;
    }
    if (self->bytes > 0) {
        memcpy(ring, self->ring + self->first, part);
        memcpy(ring + part, self->ring, self->bytes - part);
    }
    uva__free(self->ring);
    self->ring = ring;
    self->room = room;
    self->first = 0;
    return 0;
}

/* Append bytes for which there is room. */
static void ring_put(memory_t *self, const void *data, size_t size)
{
    size_t at = (self->first + self->bytes) & (self->room - 1);
    size_t part = self->room - at < size ? self->room - at : size;

    memcpy(self->ring + at, data, part);
    if (part < size) {
        memcpy(self->ring, (const uint8_t *)data + part, size - part);
    }
    self->bytes += size;
}

/* Take the first bytes; so many are there. */
static void ring_take(memory_t *self, void *data, size_t size)
{
    size_t tail = self->room - self->first;
    size_t part = tail < size ? tail : size;

    memcpy(data, self->ring + self->first, part);
    if (part < size) {
        memcpy((uint8_t *)data + part, self->ring, size - part);
    }
    self->first = (self->first + size) & (self->room - 1);
    self->bytes -= size;
    if (self->bytes == 0 && self->room > ROOM_KEPT) {
        uva__free(self->ring);
        self->ring = NULL;
        self->room = 0;
        self->first = 0;
    }
}

/* --- telling --- */

/* How many bytes can be sent now. A peer that has closed takes all, and loses
 * them, until this side knows. */
static inline size_t memory_space(const memory_t *self)
{
    const memory_t *peer = self->peer;

    return peer == NULL ? SIZE_MAX : peer->capacity - peer->bytes;
}

/* What is possible of what was asked for. A loss lets both fail, which is
 * possible too. */
static inline int memory_possible(const memory_t *self)
{
    int events = 0;

    if (self->opening) {
        return 0;
    }
    if (self->arrived > 0 || self->eof || self->code < 0) {
        events |= UV_READABLE;
    }
    if (memory_space(self) > 0 || self->code < 0) {
        events |= UV_WRITABLE;
    }
    return events & self->events;
}

/* Something has changed: queue the node if it has something to tell. */
static inline void memory_changed(memory_t *self)
{
    if (self->events != 0 && !self->queued && memory_possible(self) != 0) {
        self->queued = true;
        uva__loop_push(self->loop, &self->ready);
    }
}

static void memory_free(memory_t *self)
{
    uva__slab_put(&self->loop->slab, self, sizeof *self);
}

static void memory_run(uva__ready_t *ready)
{
    memory_t *self = UVA__CONTAINER_OF(ready, memory_t, ready);
    int events;

    self->queued = false;
    if (self->closed) {
        memory_free(self);
        return;
    }
    events = memory_possible(self);
    if (events != 0) { /* Last: it may free the medium. */
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

/* --- news --- */

static void memory_apply(memory_t *self, news_kind_t kind, size_t bytes, int r)
{
    switch (kind) {
    case NEWS_OPEN:
        self->opening = false;
        self->code = r;
        break;
    case NEWS_EOF:
        self->eof = true;
        break;
    case NEWS_GONE:
        self->eof = true;
        self->gone = true;
        if (self->code == 0) {
            self->code = self->late ? UV_ECONNRESET : r;
        }
        break;
    case NEWS_BYTES:
        self->arrived += bytes;
        break;
    }
}

/* Take the first news out of the queue; that of bytes was allocated. */
static void memory_forget_first(memory_t *self)
{
    news_t *news = UVA__FIFO_FIRST(&self->coming, news_t, link);

    (void)uva__fifo_pop(&self->coming);
    if (news->kind == NEWS_BYTES) {
        uva__slab_put(&self->loop->slab, news, sizeof *news);
    }
}

/* Let everything arrive whose time has come. */
static void memory_arrive(memory_t *self, uint64_t now_ns)
{
    while (!uva__fifo_empty(&self->coming)) {
        const news_t *news = UVA__FIFO_FIRST(&self->coming, news_t, link);
        if (news->when_ns > now_ns) {
            break;
        }
        memory_apply(self, news->kind, news->bytes, news->code);
        memory_forget_first(self);
    }
}

static void memory_fire(uva__timer_t *timer);

/* Wait for the first news. Without memory for the timer all of it arrives at
 * once. */
static void memory_wait(memory_t *self)
{
    const news_t *news = UVA__FIFO_FIRST(&self->coming, news_t, link);

    if (uva__timer_start(self->loop, &self->timer, news->when_ns, memory_fire) <
        0) {
        memory_arrive(self, UVA_FOREVER);
    }
}

static void memory_fire(uva__timer_t *timer)
{
    memory_t *self = UVA__CONTAINER_OF(timer, memory_t, timer);

    memory_arrive(self, uva__loop_deadline(self->loop, 0));
    if (!uva__fifo_empty(&self->coming)) {
        memory_wait(self);
    }
    memory_changed(self);
}

/* News is on its way; it does not overtake. */
static void memory_queue(memory_t *self, news_t *news)
{
    bool waits = !uva__fifo_empty(&self->coming);

    if (waits) {
        const news_t *last = UVA__FIFO_LAST(&self->coming, news_t, link);
        if (news->when_ns < last->when_ns) {
            news->when_ns = last->when_ns;
        }
    }
    uva__fifo_append(&self->coming, &news->link);
    if (!waits) {
        memory_wait(self);
    }
}

/* The opening, the end, or the loss of a side. */
static void
memory_tell(memory_t *self, news_kind_t kind, int code, uint64_t delay_ns)
{
    news_t *news = &self->once[kind];

    if (delay_ns == 0 && uva__fifo_empty(&self->coming)) {
        memory_apply(self, kind, 0, code);
    } else {
        *news = (news_t){.kind = kind,
                         .code = code,
                         .when_ns = uva__loop_deadline(self->loop, delay_ns)};
        memory_queue(self, news);
    }
    memory_changed(self);
}

/* Bytes are sent to a side with a latency. They arrive together with those that
 * were sent at the same time. */
static UVA__NOINLINE int memory_send_late(memory_t *self, size_t bytes)
{
    uint64_t when_ns = uva__loop_deadline(self->loop, self->latency_ns);
    news_t *news;

    if (!uva__fifo_empty(&self->coming)) {
        news = UVA__FIFO_LAST(&self->coming, news_t, link);
        if (news->kind == NEWS_BYTES && news->when_ns == when_ns) {
            news->bytes += bytes;
            return 0;
        }
    }
    news = uva__slab_get(&self->loop->slab, sizeof *news);
    if (news == NULL) {
        return UV_ENOMEM;
    }
    *news = (news_t){.kind = NEWS_BYTES, .bytes = bytes, .when_ns = when_ns};
    memory_queue(self, news);
    return 0;
}

/* --- the medium --- */

static ssize_t memory_receive(uva__medium_t *medium, void *data, size_t size)
{
    memory_t *self = memory_of(medium);
    memory_t *peer = self->peer;

    if (self->arrived == 0) {
        return self->code < 0 ? self->code : self->eof ? 0 : UV_EAGAIN;
    }
    size = size < self->arrived ? size : self->arrived;
    ring_take(self, data, size);
    self->arrived -= size;
    memory_changed(self); /* More may be there. */
    if (peer != NULL && (peer->events & UV_WRITABLE) != 0) {
        memory_changed(peer); /* It has waited for room. */
    }
    return (ssize_t)size;
}

/* A send that nobody takes: the peer has closed, or is not there yet. */
static UVA__NOINLINE ssize_t memory_send_lost(memory_t *self,
                                              const struct iovec *pieces,
                                              size_t count)
{
    ssize_t total = 0;

    if (self->opening) {
        return UV_EAGAIN;
    }
    if (self->code < 0 || self->gone) {
        return self->code < 0 ? self->code : UV_EPIPE;
    }
    for (size_t i = 0; i < count; i++) {
        total += (ssize_t)pieces[i].iov_len;
    }
    self->late = true;
    return total;
}

static ssize_t
memory_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    memory_t *self = memory_of(medium);
    memory_t *peer = self->peer;
    size_t space = memory_space(self);
    size_t total = 0;

    if (UVA__UNLIKELY(peer == NULL || self->opening)) {
        return memory_send_lost(self, pieces, count);
    }
    for (size_t i = 0; i < count && total < space; i++) {
        total += pieces[i].iov_len;
    }
    total = total < space ? total : space;
    if (total == 0) {
        return UV_EAGAIN;
    }
    if ((peer->room - peer->bytes < total && ring_grow(peer, total) < 0) ||
        (peer->latency_ns > 0 && memory_send_late(peer, total) < 0)) {
        return UV_ENOMEM;
    }
    for (size_t left = total; left > 0; pieces++) {
        size_t part = pieces->iov_len < left ? pieces->iov_len : left;
        ring_put(peer, pieces->iov_base, part);
        left -= part;
    }
    if (peer->latency_ns == 0) {
        peer->arrived += total;
    }
    memory_changed(peer);
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
        memory_tell(peer, NEWS_EOF, 0, peer->latency_ns);
    }
}

/* Close this side; the other one finds code behind what was sent. */
static void memory_end(memory_t *self, int code)
{
    memory_t *peer = self->peer;

    self->peer = NULL;
    if (peer != NULL) {
        peer->peer = NULL;
        memory_tell(peer, NEWS_GONE, code, peer->latency_ns);
    }
    uva__timer_stop(self->loop, &self->timer);
    while (!uva__fifo_empty(&self->coming)) {
        memory_forget_first(self);
    }
    uva__free(self->ring);
    self->ring = NULL;
    self->closed = true;
    if (!self->queued) {
        memory_free(self);
    }
}

static void memory_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    memory_t *self = memory_of(take_medium);

    (void)loop;
    memory_end(self, self->bytes > 0 ? UV_ECONNRESET : 0);
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

static uva__sockaddr_t memory_sockname(const uva__medium_t *medium)
{
    return uva__peer_get(&memory_of(medium)->name);
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
    .sockname = memory_sockname,
};

/* --- making --- */

static memory_t *memory_new(uva_loop_t *loop)
{
    memory_t *self = uva__slab_get(&loop->slab, sizeof *self);

    if (self != NULL) {
        memset(self, 0, sizeof *self);
        self->base = (uva__medium_t){.ops = &memory_ops, .fd = -1};
        self->loop = loop;
        self->ready.ops = &memory_ready_ops;
    }
    return self;
}

int uva__medium_memory_pair(const uva__memory_pair_t *pair,
                            uva__medium_t *ret_media[2])
{
    memory_t *sides[2];

    sides[0] = memory_new(pair->loops[0]);
    sides[1] = sides[0] == NULL ? NULL : memory_new(pair->loops[1]);
    if (sides[1] == NULL) {
        if (sides[0] != NULL) {
            memory_free(sides[0]);
        }
        return UV_ENOMEM;
    }
    for (int i = 0; i < 2; i++) {
        memory_t *self = sides[i];
        self->peer = sides[1 - i];
        self->capacity = pair->capacity_bytes;
        self->latency_ns = pair->latency_ns;
        if (pair->names[i] != NULL) { /* Cannot fail: it is no path. */
            (void)uva__peer_set(&self->name, pair->names[i]);
        }
        self->opening = pair->connects;
        ret_media[i] = &self->base;
    }
    if (pair->connects) {
        memory_tell(sides[0], NEWS_OPEN, 0, 2 * pair->latency_ns);
        memory_tell(sides[1], NEWS_OPEN, 0, pair->latency_ns);
    }
    return 0;
}

int uva__medium_memory_refused(uva_loop_t *loop,
                               int code,
                               uint64_t delay_ns,
                               uva__medium_t **ret_medium)
{
    memory_t *self = memory_new(loop);

    if (self == NULL) {
        return UV_ENOMEM;
    }
    self->opening = true;
    memory_tell(self, NEWS_OPEN, code, delay_ns);
    *ret_medium = &self->base;
    return 0;
}

int uva__medium_memory_status(const uva__medium_t *medium)
{
    return memory_of(medium)->code;
}

void uva__medium_memory_reset(uva__medium_t *take_medium)
{
    memory_end(memory_of(take_medium), UV_ECONNRESET);
}
