/*
 * How bytes enter a connected socket: read(2) when the poll says so, into the
 * place that its input reserves.
 *
 * Invariant: all reads of a turn together bring in a little more than the read
 * budget at most; a socket that finds it spent is deferred, and read when the
 * tasks that waited for these bytes have run. What came before an error is read
 * before the error is told.
 */
#include "io/stream_read.h"

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/turn.h"
#include "io/sockets.h"

/* Bytes after which a socket has had its turn: what one large block holds. To
 * read more would make the block grow, and move what is in it. */
#define TURN_BYTES 32768u

/* --- one read --- */

/* Read into the place that was reserved. @return Bytes, 0 at the end of the
 * stream, UV_EAGAIN, or why the connection is to be lost. */
UVA__INLINE ssize_t transport_read_into(uva_transport_t *transport,
                                        uva__place_t place)
{
    ssize_t count = uva__socket_read(transport->fd, place.data, place.room);
    int r;

    if (UVA__UNLIKELY(count <= 0)) {
        uva__input_unused(&transport->in);
        return count;
    }
    r = uva__input_commit(&transport->in, place, (size_t)count);
    return UVA__UNLIKELY(r < 0) ? r : count;
}

/* A read has found the end of the stream, an error, or nothing. */
static UVA__NOINLINE void transport_read_end(uva_transport_t *transport,
                                             ssize_t count)
{
    if (count == 0) {
        transport->read_eof = true;
        uva__transport_watch(transport);
        uva__input_end(&transport->in, 0);
    } else if (count != UV_EAGAIN) {
        uva__transport_fail(transport, (int)count);
    }
}

/* --- the read budget --- */

static const uva__ready_ops_t go_on_ops;

static UVA__NOINLINE void reads_spent(uva__io_t *io)
{
    if (io->go_on.ops == NULL) {
        io->go_on.ops = &go_on_ops;
        uva__loop_push(io->loop, &io->go_on);
    }
}

static inline void reads_spend(uva__io_t *io, size_t size)
{
    if (io->spent_bytes == 0) {
        uva__loop_add_flush(io->loop, &io->renew);
    }
    io->spent_bytes += size;
    if (UVA__UNLIKELY(io->spent_bytes >= UVA__READ_BUDGET_BYTES)) {
        reads_spent(io);
    }
}

void uva__reads_renew(uva__flush_t *renew)
{
    uva__io_t *io = UVA__CONTAINER_OF(renew, uva__io_t, renew);

    /* With some deferred, reads_go_on does it. */
    if (uva__fifo_empty(&io->deferred)) {
        io->spent_bytes = 0;
    }
}

/* Queue behind those that are deferred already. */
static UVA__NOINLINE void transport_defer(uva_transport_t *transport)
{
    if (!transport->deferred) {
        transport->deferred = true;
        uva__io_defer(UVA__IO_OF(transport->loop), &transport->deferred_link);
    }
}

/* The tasks that waited for the last budget's bytes have run. */
static void reads_go_on(uva__ready_t *go_on)
{
    uva__io_t *io = UVA__CONTAINER_OF(go_on, uva__io_t, go_on);

    go_on->ops = NULL;
    io->spent_bytes = 0;
    while (!uva__fifo_empty(&io->deferred) &&
           io->spent_bytes < UVA__READ_BUDGET_BYTES) {
        uva_transport_t *transport = UVA__CONTAINER_OF(
            uva__io_pop_deferred(io), uva_transport_t, deferred_link);
        transport->deferred = false;
        if ((transport->events & UV_READABLE) != 0) {
            uva__transport_read(transport);
        } else {
            uva__transport_maybe_free(transport);
        }
    }
}

static const uva__ready_ops_t go_on_ops = {.run = reads_go_on,
                                           .drop = reads_go_on};

/* --- reading --- */

/*
 * The policy of reading, all of it. A socket is read until it is empty, which a
 * short read tells; until it has had its turn; until its input has paused it,
 * or its user; or until the connection is gone. It is read at all only while
 * the budget of the turn is not spent.
 */
void uva__transport_read(uva_transport_t *transport)
{
    uva__io_t *io = UVA__IO_OF(transport->loop);
    uva__place_t place;
    size_t total = 0;
    ssize_t count;

    if (UVA__UNLIKELY(io->spent_bytes >= UVA__READ_BUDGET_BYTES)) {
        transport_defer(transport);
        return;
    }
    do {
        place = uva__input_reserve(&transport->in);
        count = transport_read_into(transport, place);
        if (UVA__UNLIKELY(count <= 0)) {
            transport_read_end(transport, count);
            return;
        }
        reads_spend(io, (size_t)count);
        total += (size_t)count;
    } while (UVA__UNLIKELY((size_t)count == place.room) && total < TURN_BYTES &&
             (transport->events & UV_READABLE) != 0);
}

void uva__transport_read_ahead(uva_transport_t *transport)
{
    uva__input_t *in = &transport->in;

    while (transport->state == UVA__TRANSPORT_OPEN && !transport->read_eof &&
           !uva__input_full(in) &&
           transport_read_into(transport, uva__input_reserve(in)) > 0) {
    }
}
