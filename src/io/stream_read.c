/*
 * How bytes enter a connected socket: read(2) when the poll says so, into the
 * block of its intake. stream_transport.c has how they leave, and why libuv's
 * own way is not taken.
 *
 * Invariant: one look at a socket ends after a fixed number of bytes, and all
 * of a turn after a portion; who has to wait for the next portion is late. What
 * came before an error is read before the error is told.
 */
#include <errno.h>
#include <unistd.h>

#include "io/intake.h"
#include "io/io.h"

static ssize_t
transport_read_once(uva_transport_t *transport, uint8_t *data, size_t size)
{
    ssize_t count;

    do {
        count = read(transport->fd, data, size);
    } while (UVA__UNLIKELY(count < 0) && errno == EINTR);
    return count;
}

/* The end, an error, or nothing. */
static UVA__NOINLINE void
transport_read_end(uva_transport_t *transport, ssize_t count, int error)
{
    /* A block that was to be read into is for nobody. */
    uva__intake_unused(&transport->in);
    if (count == 0) {
        transport->read_eof = true;
        uva__transport_watch(transport);
        uva__intake_end(&transport->in, 0);
    } else if (error != EAGAIN && error != EWOULDBLOCK && error != EINTR) {
        uva__transport_fail(transport, uv_translate_sys_error(error));
    }
}

static UVA__NOINLINE void transport_read_nothing(uva_transport_t *transport,
                                                 uva__block_t *block,
                                                 ssize_t count)
{
    int error = errno;

    uva__block_put(uva__transport_loop(transport), block);
    transport_read_end(transport, count, error);
}

static void transports_next_portion(uva__ready_t *ready);

static UVA__NOINLINE void transports_fill_portion(uva__io_t *io)
{
    if (io->portion.run == NULL) {
        io->portion.run = transports_next_portion;
        uva__loop_push(io->loop, &io->portion);
    }
}

static inline void transport_took(uva_transport_t *transport, size_t size)
{
    uva__io_t *io = uva__transport_loop(transport)->io;

    if (io->portion_bytes == 0) {
        uva__loop_add_flush(io->loop, &io->flush);
    }
    io->portion_bytes += size;
    if (UVA__UNLIKELY(io->portion_bytes >= UVA__PORTION_BYTES)) {
        transports_fill_portion(io);
    }
}

/* Read until the socket is empty, nobody wants more, or others must have
 * their turn; total bytes were read already. */
static UVA__NOINLINE void transport_read(uva_transport_t *transport,
                                         size_t total)
{
    ssize_t count;
    size_t size;

    do {
        uint8_t *data = uva__intake_place(&transport->in, &size);
        int r;
        count = transport_read_once(transport, data, size);
        if (count <= 0) {
            transport_read_end(transport, count, errno);
            return;
        }
        r = uva__intake_feed(&transport->in, data, (size_t)count);
        if (r < 0) {
            uva__transport_fail(transport, r);
            return;
        }
        total += (size_t)count;
        transport_took(transport, (size_t)count);
        /* A short read has emptied the socket. */
    } while ((size_t)count == size && total < UVA__BURST_BYTES &&
             (transport->events & UV_READABLE) != 0);
}

/* Adapt the block to a read that filled it, or took little of it. */
static UVA__NOINLINE void transport_adapt(uva_transport_t *transport, bool full)
{
    size_t size = transport->in.size;

    uva__intake_adapt(&transport->in);
    /* The largest block is enough for one look: more would have to move it. */
    if (full && size < UVA__BLOCK_BYTES(UVA__BLOCK_CLASSES - 2) &&
        (transport->events & UV_READABLE) != 0) {
        transport_read(transport, size);
    }
}

/* The common case: nothing has come before, and a block takes it all. */
static inline void transport_readable(uva_transport_t *transport)
{
    uva__intake_t *in = &transport->in;
    uva_loop_t *loop = uva__transport_loop(transport);
    uva__block_t *block;
    size_t room;
    ssize_t count;

    if (UVA__UNLIKELY(in->block != NULL || in->wants != UVA__WANTS_ANY)) {
        transport_read(transport, 0);
        return;
    }
    block = uva__block_get_class(loop, in->expected);
    if (UVA__UNLIKELY(block == NULL)) {
        transport_read(transport, 0);
        return;
    }
    room = block->bytes - sizeof *block;
    count = read(transport->fd, uva__block_begin(block), room);
    if (UVA__UNLIKELY(count <= 0)) {
        transport_read_nothing(transport, block, count);
        return;
    }
    in->block = block;
    in->data = uva__block_begin(block);
    in->size = (size_t)count;
    transport_took(transport, (size_t)count);
    if (in->waiter != NULL) {
        (void)uva__waiter_wake(in->waiter);
    }
    if (UVA__UNLIKELY((size_t)count == room || (size_t)count < in->few_bytes ||
                      (size_t)count > in->pause_bytes)) {
        transport_adapt(transport, (size_t)count == room);
    }
}

void uva__transport_read_ahead(uva_transport_t *transport)
{
    uva__intake_t *in = &transport->in;

    while (transport->state == UVA__TRANSPORT_OPEN && !transport->read_eof &&
           in->size <= in->pause_bytes) {
        size_t size;
        uint8_t *data = uva__intake_place(in, &size);
        ssize_t count = transport_read_once(transport, data, size);
        if (count <= 0 || uva__intake_feed(in, data, (size_t)count) < 0) {
            uva__intake_unused(in);
            return;
        }
    }
}

/* --- in portions --- */

/* Queue behind those that are late. */
static UVA__NOINLINE void transport_postpone(uva_transport_t *transport)
{
    uva__io_t *io = uva__transport_loop(transport)->io;

    if (transport->late) {
        return;
    }
    transport->late = true;
    if (io->late == NULL) {
        io->loop->has_late = true;
        transport->next_late = transport;
    } else {
        transport->next_late = io->late->next_late;
        io->late->next_late = transport;
    }
    io->late = transport;
}

static uva_transport_t *transports_pop_late(uva__io_t *io)
{
    uva_transport_t *transport = io->late->next_late;

    if (transport == io->late) {
        io->loop->has_late = false;
        io->late = NULL;
    } else {
        io->late->next_late = transport->next_late;
    }
    transport->late = false;
    return transport;
}

/* Those that waited for the last portion have run. */
static void transports_next_portion(uva__ready_t *ready)
{
    uva__io_t *io = UVA__CONTAINER_OF(ready, uva__io_t, portion);

    ready->run = NULL;
    io->portion_bytes = 0;
    while (io->late != NULL && io->portion_bytes < UVA__PORTION_BYTES) {
        uva_transport_t *transport = transports_pop_late(io);
        if ((transport->events & UV_READABLE) != 0) {
            transport_readable(transport);
        } else {
            uva__transport_maybe_free(transport);
        }
    }
}

/* Read, or wait for a portion in which it fits. Nobody is late but while one
 * is full. */
static inline void transport_read_or_wait(uva_transport_t *transport)
{
    if (UVA__UNLIKELY(uva__transport_loop(transport)->io->portion_bytes >=
                      UVA__PORTION_BYTES)) {
        transport_postpone(transport);
    } else {
        transport_readable(transport);
    }
}

/* --- what the poll says --- */

/* A socket with an error ends libuv's watch of it. Whoever reads gets what came
 * before first, in portions, as far as it is wanted; the read or the send that
 * finds nothing else tells the error. */
static UVA__NOINLINE void transport_poll_failed(uva_transport_t *transport)
{
    if ((transport->events & UV_READABLE) != 0) {
        transport_read_or_wait(transport);
    }
    if ((transport->events & UV_WRITABLE) != 0) {
        uva__transport_writable(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        transport->events = 0;
        uva__transport_watch(transport);
    }
}

void uva__transport_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva_transport_t *transport = UVA__CONTAINER_OF(poll, uva_transport_t, poll);

    /* The events that are asked for may have changed since the poll. */
    events &= transport->events;
    if (UVA__UNLIKELY(status < 0)) {
        transport_poll_failed(transport);
    } else if (UVA__LIKELY(events == UV_READABLE)) {
        transport_read_or_wait(transport);
    } else {
        if ((events & UV_READABLE) != 0) {
            transport_read_or_wait(transport);
        }
        if ((events & transport->events & UV_WRITABLE) != 0) {
            uva__transport_writable(transport);
        }
    }
}
