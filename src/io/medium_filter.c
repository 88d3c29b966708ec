/*
 * Filters as media (asyncio.sslproto, SSLProtocol, without its SSL).
 *
 * An engine is called in the drain, or inside a write. The medium below tells
 * its news anywhere, so they wait for the filter's node.
 *
 * Invariant: what the engine has made for above is received before anything
 * else is read from below, and what it has made for below is sent before it is
 * given more to write. So neither side holds more than what one call of the
 * engine makes.
 */
#include "io/medium_filter.h"

#include <string.h>

#include "base/util.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/ready.h"
#include "io/transports.h"

#define OPENING_NS UVA_SEC(60) /* asyncio: SSL_HANDSHAKE_TIMEOUT. */
#define CLOSING_NS UVA_SEC(5)

/* Reads from below in one call: some bring nothing for above, and other
 * connections have to have their turn. */
#define PULLS 4

/* Pieces to one send of the medium below. */
#define PIECES 8

/* --- the state --- */

static const uva__medium_ops_t filter_ops;
static const uva__medium_ops_t filter_ops_no_eof;

uva_filter_t *uva__filter_of(uva__medium_t *medium)
{
    return medium->ops == &filter_ops || medium->ops == &filter_ops_no_eof
               ? (uva_filter_t *)(void *)medium
               : NULL;
}

static inline uva_filter_t *filter_of(const uva__medium_t *medium)
{
    return (uva_filter_t *)(uintptr_t)medium;
}

static bool filter_can_send(const uva_filter_t *self)
{
    return self->phase == UVA__FILTER_OPEN && uva__filter_held(self) == 0;
}

/* --- the medium's functions --- */

static ssize_t filter_receive(uva__medium_t *medium, void *data, size_t size)
{
    uva_filter_t *self = filter_of(medium);
    int pulls = 0;

    while (self->plain.bytes.bytes == 0 && !self->eof && pulls < PULLS &&
           uva__filter_pull(self)) {
        pulls++;
    }
    if (self->plain.bytes.bytes > 0) {
        return (ssize_t)uva__output_take(&self->plain.bytes, self->loop, data,
                                         size);
    }
    if (self->status < 0 || self->eof) {
        return self->status;
    }
    if (pulls == PULLS) { /* More may be there: go on in the next iteration. */
        self->has_raw = true;
        uva__filter_queue(self);
    }
    return UV_EAGAIN;
}

/* Let the engine encode pieces, PIECES at most. @return Their bytes. */
static ssize_t
filter_write(uva_filter_t *self, const struct iovec *pieces, size_t count)
{
    uva_bytes_t views[PIECES];
    ssize_t total = 0;
    int r;

    for (size_t i = 0; i < count; i++) {
        views[i] = (uva_bytes_t){pieces[i].iov_base, pieces[i].iov_len};
        total += (ssize_t)pieces[i].iov_len;
    }
    self->calls++;
    r = self->kind->ops->write(self->state, views, count);
    uva__filter_called(self);
    if (r < 0) {
        uva__filter_fail(self, r);
    }
    return total;
}

static ssize_t
filter_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    uva_filter_t *self = filter_of(medium);
    ssize_t total;

    if (self->status < 0 || self->send_status < 0) {
        return self->status < 0 ? self->status : self->send_status;
    }
    if (self->calls > 0) {
        return UV_EAGAIN; /* Behind what the engine is called with. */
    }
    if (!filter_can_send(self)) {
        /* A peer that has said goodbye reads no more; while a task pops the
         * filter, bytes wait for the medium below. */
        return self->phase == UVA__FILTER_CLOSED && !self->transport->filtering
                   ? UV_EPIPE
                   : UV_EAGAIN;
    }
    count = count < PIECES ? count : PIECES;
    total = filter_write(self, pieces, count);
    if (self->status < 0 || self->send_status < 0) {
        return self->status < 0 ? self->status : self->send_status;
    }
    if (uva__filter_held(self) > 0 && medium->ready != NULL) {
        medium->ready(medium->upper, UVA__MEDIUM_HOLDS);
    }
    return total;
}

/* Whether the connection is closed before its engine was ready, and nothing
 * waits for that: it ends once the wire is empty. */
static bool filter_is_given_up(const uva_filter_t *self)
{
    return self->phase == UVA__FILTER_OPENING &&
           self->transport->state == UVA__TRANSPORT_CLOSING &&
           self->transport->out.bytes == 0;
}

/* Whether a send or an end of what stands above would come to something. */
static bool filter_is_writable(const uva_filter_t *self)
{
    bool over = (self->phase == UVA__FILTER_CLOSED && !self->below_ends) ||
                filter_is_given_up(self);

    return filter_can_send(self) || self->status < 0 ||
           (over && uva__filter_held(self) == 0);
}

/* Whether what stands above is to be told something that it has asked for. */
static int filter_news(const uva_filter_t *self)
{
    int events = 0;

    if (self->phase != UVA__FILTER_OPENING &&
        (self->plain.bytes.bytes > 0 || self->eof || self->has_raw ||
         self->status < 0)) {
        events |= UV_READABLE;
    }
    if (filter_is_writable(self)) {
        events |= UV_WRITABLE;
    }
    return events & self->events;
}

static int filter_watch_below(uva_filter_t *self, int events)
{
    if (events == self->below_events) {
        return 0; /* To ask would cost an epoll_ctl. */
    }
    self->below_events = (uint8_t)events;
    return self->below->ops->watch(self->below, events);
}

static int filter_watch(uva__medium_t *medium, int events)
{
    uva_filter_t *self = filter_of(medium);
    bool reads =
        self->phase == UVA__FILTER_OPENING ||
        self->phase == UVA__FILTER_CLOSING ||
        (self->phase == UVA__FILTER_OPEN && (events & UV_READABLE) != 0 &&
         self->plain.bytes.bytes == 0 && !self->has_raw);
    int below = 0;

    self->events = (uint8_t)events;
    if (reads && !self->raw_eof && self->status == 0) {
        below |= UV_READABLE;
    }
    if (uva__filter_held(self) > 0 || self->below_ends) {
        below |= UV_WRITABLE;
    }
    if (filter_news(self) != 0) {
        uva__filter_queue(self);
    }
    return filter_watch_below(self, below);
}

static void filter_shut(uva__medium_t *medium)
{
    uva_filter_t *self = filter_of(medium);
    int r = 0;

    if (self->phase == UVA__FILTER_OPEN) {
        self->calls++;
        r = self->kind->ops->write_eof(self->state);
        uva__filter_called(self);
    }
    if (r < 0) {
        uva__filter_fail(self, r);
    }
}

static int filter_end(uva__medium_t *medium)
{
    uva_filter_t *self = filter_of(medium);
    uva__medium_t *below = self->below;
    int r;

    if (self->calls > 0) {
        return UVA_PENDING; /* The engine may have more to send. */
    }
    if (self->phase == UVA__FILTER_OPENING) {
        return 0;
    }
    uva__filter_close(self);
    if (self->below == NULL || self->status < 0) {
        return self->status; /* An engine has aborted, or has failed. */
    }
    if (self->phase != UVA__FILTER_CLOSED || uva__filter_held(self) > 0) {
        return UVA_PENDING;
    }
    r = below->ops->end == NULL ? 0 : below->ops->end(below);
    self->below_ends = r == UVA_PENDING;
    return r;
}

/* The engine is destroyed by the node, as that runs code of users. */
static void filter_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    uva_filter_t *self = filter_of(take_medium);
    uva__medium_t *below = self->below;

    self->below = NULL;
    take_medium->ready = NULL;
    if (self->status == 0) {
        self->status = self->transport->status < 0 ? self->transport->status
                                                   : UV_ECONNABORTED;
    }
    uva__filter_set_phase(self, UVA__FILTER_CLOSED);
    self->on_phase = NULL; /* It may be gone when an engine acts later. */
    uva__filter_queue(self);
    below->ops->close(below, loop);
}

static size_t filter_held(const uva__medium_t *medium)
{
    return uva__filter_held(filter_of(medium));
}

static size_t filter_kept(const uva__medium_t *medium)
{
    return filter_of(medium)->plain.bytes.bytes;
}

static bool filter_is_busy(const uva__medium_t *medium)
{
    const uva_filter_t *self = filter_of(medium);
    const uva_filter_ops_t *ops = self->kind->ops;

    return self->phase == UVA__FILTER_OPENING ||
           (self->phase == UVA__FILTER_OPEN && ops->partial != NULL &&
            ops->partial(self->state));
}

static uva__medium_t **filter_below(uva__medium_t *medium)
{
    return &filter_of(medium)->below;
}

static bool filter_is_gone(const uva__medium_t *medium)
{
    const uva__medium_t *below = filter_of(medium)->below;

    return below->ops->is_gone(below);
}

static int filter_fileno(const uva__medium_t *medium)
{
    const uva__medium_t *below = filter_of(medium)->below;

    return below->ops->fileno(below);
}

#define FILTER_OPS(shut_function)                                              \
    {                                                                          \
        .receive = filter_receive, .send = filter_send, .watch = filter_watch, \
        .shut = (shut_function), .end = filter_end, .held = filter_held,       \
        .kept = filter_kept, .below = filter_below, .close = filter_close,     \
        .is_busy = filter_is_busy, .is_gone = filter_is_gone,                  \
        .fileno = filter_fileno,                                               \
    }

static const uva__medium_ops_t filter_ops = FILTER_OPS(filter_shut);
/* Of an engine that has no end of stream in one direction. */
static const uva__medium_ops_t filter_ops_no_eof = FILTER_OPS(NULL);

/* --- the node --- */

static void filter_free(uva_filter_t *self)
{
    uva_loop_t *loop = self->loop;

    if (self->started && self->kind->ops->destroy != NULL) {
        self->kind->ops->destroy(self->state);
    }
    uva__flow_clear(&self->plain, loop);
    uva__flow_clear(&self->wire, loop);
    uva__output_clear(&self->unread.bytes, loop);
    uva__slab_put(&loop->slab, self, sizeof *self);
}

/* Whether bytes that came before a failure are kept here or above, for a
 * transport that still reads. */
static bool filter_has_readers(const uva_filter_t *self)
{
    const uva_transport_t *transport = self->transport;
    uva__medium_t *medium = transport->medium;
    size_t kept = uva__medium_kept(medium);

    while (medium != &self->base) {
        medium = uva__medium_next(medium);
        kept += uva__medium_kept(medium);
    }
    return kept > 0 && transport->state < UVA__TRANSPORT_CLOSING;
}

/* Tell what stands above. A failure ends the transport here if nothing above
 * would ask for it: all was taken. */
static void filter_tell(uva_filter_t *self)
{
    int events = filter_news(self);

    if (self->phase == UVA__FILTER_CLOSED && self->on_phase != NULL) {
        self->on_phase(self->on_phase_data); /* All may have been sent now. */
    }
    if (self->status < 0 && !filter_has_readers(self)) {
        uva__transport_fail(self->transport, self->status);
    } else if (events != 0 && self->base.ready != NULL) {
        self->base.ready(self->base.upper, events | UVA__MEDIUM_IN_DRAIN);
    }
}

/* In the drain: let the engine read while it opens or closes, tell what stands
 * above, and ask the medium below for what is wanted now. */
static void filter_run(uva__ready_t *ready)
{
    uva_filter_t *self = UVA__CONTAINER_OF(ready, uva_filter_t, ready);
    int pulls = 0;
    int r;

    self->queued = false;
    self->calls++; /* Keeps the filter until the end. */
    while (self->has_raw && pulls++ < PULLS &&
           (self->phase == UVA__FILTER_OPENING ||
            self->phase == UVA__FILTER_CLOSING)) {
        (void)uva__filter_pull(self);
    }
    uva__filter_called(self);
    if (self->below != NULL && self->send_status < 0) {
        uva__filter_read_ahead(self);
    }
    if (self->below != NULL) {
        filter_tell(self);
    }
    if (self->below == NULL) {
        if (!self->queued) {
            filter_free(self);
        }
        return;
    }
    r = filter_watch(&self->base, self->events);
    if (r < 0) {
        uva__filter_fail(self, r);
    }
}

static void filter_drop(uva__ready_t *ready)
{
    uva_filter_t *self = UVA__CONTAINER_OF(ready, uva_filter_t, ready);

    self->queued = false;
    if (self->below == NULL) {
        filter_free(self);
    }
}

static const uva__ready_ops_t filter_ready_ops = {.run = filter_run,
                                                  .drop = filter_drop};

/* The medium below tells something. */
static void filter_below_ready(void *upper, int events)
{
    uva_filter_t *self = upper;

    if (events < 0) {
        self->below_events = 0; /* It is watched no more. */
    }
    self->below_ends = false; /* It is asked again. */
    if (events < 0 || (events & UV_READABLE) != 0) {
        self->has_raw = true;
        uva__filter_queue(self);
    }
    if (events > 0 && (events & UV_WRITABLE) != 0) {
        uva__filter_flush(self);
        uva__filter_queue(self);
    }
}

/* --- opening, closing --- */

static void filter_timed_out(uva__timer_t *timer)
{
    uva__filter_fail(UVA__CONTAINER_OF(timer, uva_filter_t, timer),
                     UV_ETIMEDOUT);
}

bool uva__filter_kind_fits(const uva_filter_kind_t *kind)
{
    return kind == NULL ||
           (kind->size == sizeof *kind && kind->ops != NULL &&
            kind->ops->size == sizeof *kind->ops && kind->ops->start != NULL &&
            kind->ops->received != NULL && kind->ops->write != NULL);
}

int uva__filter_new(uva_transport_t *transport,
                    uva__medium_t **medium,
                    uva__output_t *out,
                    const uva_filter_kind_t *kind,
                    bool is_server,
                    const char *host)
{
    uva_loop_t *loop = transport->loop;
    uva__medium_t *below = *medium;
    uva_filter_t *self = uva__slab_get(&loop->slab, sizeof *self);
    uint64_t opening_ns = kind->opening_ns == 0 ? OPENING_NS : kind->opening_ns;
    int r;

    if (self == NULL) {
        return UV_ENOMEM;
    }
    memset(self, 0, sizeof *self);
    r = uva__timer_start(loop, &self->timer,
                         uva__loop_deadline(loop, opening_ns),
                         filter_timed_out);
    if (r < 0) {
        uva__slab_put(&loop->slab, self, sizeof *self);
        return r;
    }
    self->base = (uva__medium_t){
        .ops = kind->ops->write_eof == NULL ? &filter_ops_no_eof : &filter_ops,
        .ready = below->ready,
        .upper = below->upper,
        .fd = -1,
    };
    self->below = below;
    self->ready.ops = &filter_ready_ops;
    self->kind = kind;
    self->transport = transport;
    self->loop = loop;
    self->wire.bytes = *out;
    *out = (uva__output_t){0};
    (void)below->ops->watch(below, 0);
    uva__medium_give(below, filter_below_ready, self);
    *medium = &self->base;
    self->calls++;
    r = kind->ops->start(self, kind->data, is_server, host, &self->state);
    self->started = r >= 0;
    uva__filter_called(self);
    if (r < 0) {
        uva__filter_fail(self, r);
    }
    uva__filter_queue(self); /* It asks the medium below for bytes. */
    return 0;
}

void uva__filter_write_all(uva_filter_t *self, uva__output_t *out)
{
    uva__supply_t nothing = {0};

    while (out->bytes > 0 && self->status == 0) {
        struct iovec pieces[PIECES];
        size_t total;
        size_t count =
            uva__output_pieces(out, &nothing, pieces, PIECES, &total);
        (void)filter_write(self, pieces, count);
        uva__output_consume_slow(out, NULL, self->loop, total);
    }
}

void uva__filter_close(uva_filter_t *self)
{
    uint64_t closing_ns =
        self->kind->closing_ns == 0 ? CLOSING_NS : self->kind->closing_ns;
    int r = 0;

    if (self->phase != UVA__FILTER_OPEN) {
        return;
    }
    self->phase = UVA__FILTER_CLOSING;
    if (self->kind->ops->close != NULL) {
        self->calls++;
        r = self->kind->ops->close(self->state);
        uva__filter_called(self);
    }
    if (r == UVA_PENDING && self->phase == UVA__FILTER_CLOSING) {
        r = uva__timer_start(self->loop, &self->timer,
                             uva__loop_deadline(self->loop, closing_ns),
                             filter_timed_out);
    } else if (r == 0 && self->phase == UVA__FILTER_CLOSING) {
        uva__filter_set_phase(self, UVA__FILTER_CLOSED);
    }
    if (r < 0 && r != UVA_PENDING) {
        uva__filter_fail(self, r);
    }
    uva__filter_queue(self);
}
