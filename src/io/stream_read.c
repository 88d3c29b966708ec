/*
 * How bytes enter: the consumer receives when the medium has something, into
 * the place that its input reserves (asyncio.selector_events,
 * _SelectorSocketTransport, _read_ready and what it calls).
 *
 * Invariant: the reads of all sockets in one turn bring in at most the read
 * budget and one read more. A transport that finds the budget spent is
 * deferred, and read when the tasks that waited for the earlier bytes have run.
 * Bytes that came before an error are read before the error is told.
 */
#include "io/stream_read.h"

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/turn.h"
#include "io/input.h"

/* Bytes after which a socket has had its turn: what a block of 32 KiB holds.
 * Reading on would make the block grow, and move the bytes in it. */
#define TURN_BYTES 32768u

/* --- one read --- */

/* Receive once, into the place that the input reserves. UV_ENOMEM: the bytes
 * are gone. */
static inline uva__received_t transport_fill_input(uva_transport_t *transport)
{
    uva__input_t *in = transport->in;
    uva__place_t place = uva__input_reserve(in);
    ssize_t count =
        uva__medium_receive(transport->medium, place.data, place.room);

    if (UVA__UNLIKELY(count <= 0)) {
        uva__input_unused(in);
    } else {
        int r = uva__input_commit(in, place, (size_t)count);
        count = UVA__UNLIKELY(r < 0) ? r : count;
    }
    return (uva__received_t){count, place.room};
}

/* Let the consumer receive once. */
static inline uva__received_t transport_receive(uva_transport_t *transport)
{
    return UVA__LIKELY(transport->in != NULL)
               ? transport_fill_input(transport)
               : transport->ops->read(transport->consumer);
}

/* The other end of a pipe is gone, and so ends this one, whatever eof_received
 * returns. What was written and not taken is lost by that. asyncio:
 * unix_events.py, _read_ready of _UnixReadPipeTransport and of
 * _UnixWritePipeTransport. */
static void transport_pipe_end(uva_transport_t *transport)
{
    int status = transport->out.bytes > 0 ? UV_EPIPE : 0;

    if (transport->unwritable) {
        transport->state = UVA__TRANSPORT_CLOSING;
        transport->ending = true;
        uva__transport_watch(transport);
        transport->ops->eof_received(transport->consumer);
    }
    uva__transport_fail(transport, status);
}

/* A read has found the end of the stream, an error, or nothing. The end of the
 * stream closes one direction only: the consumer may go on writing, so the
 * transport stays open and is watched for readability no more (it would always
 * be readable). asyncio: streams.py, StreamReaderProtocol.eof_received. */
static UVA__NOINLINE void transport_read_end(uva_transport_t *transport,
                                             ssize_t count)
{
    if (count == UV_EAGAIN && transport->in != NULL &&
        uva__input_ends_idle(transport->in) && !transport->filtering &&
        !uva__medium_is_busy(transport->medium)) {
        count = 0;
    }
    if (count == 0 && (transport->unreadable || transport->unwritable)) {
        transport_pipe_end(transport);
    } else if (count == 0) {
        transport->read_eof = true;
        uva__transport_watch(transport);
        transport->ops->eof_received(transport->consumer);
    } else if (count != UV_EAGAIN) {
        uva__transport_fail(transport, (int)count);
    }
}

/* --- the read budget --- */

static const uva__ready_ops_t go_on_ops;

/* The budget is spent: let the deferred transports be read by a node at the end
 * of the ready queue, behind the tasks that the bytes have woken. */
static UVA__NOINLINE void reads_spent(uva__io_t *io)
{
    if (io->go_on.ops == NULL) {
        io->go_on.ops = &go_on_ops;
        uva__loop_push(io->loop, &io->go_on);
    }
}

/* Charge size bytes to the budget. The first ones of a turn queue its renewal.
 */
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

    /* With a transport deferred, reads_go_on renews the budget: a renewal here
     * would let new sockets overtake the deferred ones. */
    if (uva__fifo_empty(&io->deferred)) {
        io->spent_bytes = 0;
    }
}

/* Put a transport behind those that are deferred already: each gets its turn.
 */
static UVA__NOINLINE void transport_defer(uva_transport_t *transport)
{
    if (!transport->deferred) {
        transport->deferred = true;
        uva__io_defer(UVA__IO_OF(transport->loop), &transport->deferred_link);
    }
}

/* The tasks that waited for the last budget's bytes have run: spend a new
 * budget on the deferred transports. If it is spent again, reads_spend has
 * queued this node anew. */
static void reads_go_on(uva__ready_t *go_on)
{
    uva__io_t *io = UVA__CONTAINER_OF(go_on, uva__io_t, go_on);

    go_on->ops = NULL; /* Not queued: reads_spent may queue it again. */
    io->spent_bytes = 0;
    while (!uva__fifo_empty(&io->deferred) &&
           io->spent_bytes < UVA__READ_BUDGET_BYTES) {
        uva_transport_t *transport = UVA__CONTAINER_OF(
            uva__io_pop_deferred(io), uva_transport_t, deferred_link);
        transport->deferred = false;
        /* It may have been paused or lost since, and deferred may have been the
         * last thing that kept it in memory. */
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
 * The policy of reading, all of it. A medium is read until a read does not fill
 * its place (the medium is empty then, and a read that says UV_EAGAIN is
 * saved); until it has had its turn; until its consumer has paused it; or until
 * the connection is gone. It is read at all only while the turn's budget is not
 * spent. A protocol is let read once, as in asyncio (there up to 256 KiB): what
 * it has woken must run before it is asked for room again.
 */
void uva__transport_read(uva_transport_t *transport)
{
    uva__io_t *io = UVA__IO_OF(transport->loop);
    uva__received_t received;
    size_t total = 0;

    if (UVA__UNLIKELY(io->spent_bytes >= UVA__READ_BUDGET_BYTES)) {
        transport_defer(transport);
        return;
    }
    do {
        received = transport_receive(transport);
        if (UVA__UNLIKELY(received.count <= 0)) {
            transport_read_end(transport, received.count);
            return;
        }
        reads_spend(io, (size_t)received.count);
        total += (size_t)received.count;
    } while (UVA__UNLIKELY((size_t)received.count == received.room) &&
             transport->in != NULL && total < TURN_BYTES &&
             (transport->events & UV_READABLE) != 0);
}

/* A peer that answers and then resets the connection: its answer lies in the
 * socket while our send fails. Without this the answer would be lost. Reading
 * may be paused; so the bytes are bounded by a read budget of its own. A
 * consumer that runs code of users cannot be asked inside a write: it loses the
 * answer, as in asyncio. */
void uva__transport_read_ahead(uva_transport_t *transport)
{
    size_t total = 0;
    ssize_t count = 1;

    if (transport->reads_in_drain || transport->state != UVA__TRANSPORT_OPEN ||
        transport->read_eof) {
        return;
    }
    while (count > 0 && total < UVA__READ_BUDGET_BYTES) {
        count = transport_receive(transport).count;
        total += count > 0 ? (size_t)count : 0;
    }
}
