/*
 * How bytes leave by a medium (asyncio.selector_events,
 * _SelectorSocketTransport, write and _write_ready); stream_read.c has how they
 * enter.
 *
 * Invariant: the medium is watched for writability exactly while it has
 * refused some of the output (blocked). A transport that has output and is not
 * blocked is dirty, and is flushed before another task runs.
 */
#include "io/stream_write.h"

#include <stdint.h>

#include "base/log.h"
#include "core/object.h"
#include "core/owner.h"
#include "io/stream_read.h"

/* At most so many bytes of a task's short writes are collected, or as many as
 * the high mark if that is less: drain must wait when asyncio's would. */
#define COLLECT_BYTES 16384u

/* Which dropped write of a lost connection is logged. asyncio: constants.py,
 * LOG_THRESHOLD_FOR_CONNLOST_WRITES; asyncio also logs each that follows. */
#define DROPPED_WRITES_LOGGED 5u

/* Pieces to one sendmsg: Linux copies so many iovecs to its stack
 * (UIO_FASTIOV), and allocates for more. */
#define PIECES 8

/* Everything was sent: do what close and write_eof waited for. asyncio:
 * selector_events.py, _write_sendmsg, its end: a close wins over write_eof, as
 * the descriptor's close sends the end of stream too. */
static void transport_sent(uva_transport_t *transport)
{
    uva__medium_t *medium = transport->medium;

    if (transport->state == UVA__TRANSPORT_CLOSING) {
        int r = medium->ops->end == NULL ? 0 : medium->ops->end(medium);
        if (r == UVA_PENDING) {
            transport->blocked = true; /* It tells when it is writable. */
        } else {
            uva__transport_fail(transport, r);
        }
    } else if (transport->write_eof && !transport->write_shut &&
               !transport->filtering) { /* The filter may not take it yet. */
        transport->write_shut = true;
        medium->ops->shut(medium);
    }
}

/* To be called after a change of the unsent bytes, of a mark, or of state: tell
 * what stands on the transport, do what close and write_eof have waited for,
 * ask the poll. The transport may be LOST afterwards. */
static inline void transport_settle(uva_transport_t *transport)
{
    uva__transport_check_marks(transport);
    if (transport->state < UVA__TRANSPORT_LOST &&
        uva__transport_unsent(transport) == 0) {
        transport_sent(transport);
    } else if (transport->medium != NULL &&
               uva__medium_held(transport->medium) > 0) {
        transport->blocked = true; /* It tells when it holds none. */
    }
    if (UVA__LIKELY(transport->state < UVA__TRANSPORT_LOST)) {
        uva__transport_watch(transport);
    }
    if (UVA__UNLIKELY(transport->sends_file)) {
        (void)uva_waiter_wake(transport->more->sender);
    }
}

/* --- sending --- */

/* A send took less than all. A part or nothing (UV_EAGAIN): the socket is full,
 * so the transport is blocked until the poll says otherwise. An error: read
 * what the peer sent before it, then lose the connection.
 * @return Whether the connection is still there. */
static UVA__NOINLINE bool transport_sent_less(uva_transport_t *transport,
                                              uva__supply_t *supply,
                                              ssize_t sent)
{
    if (sent < 0 && sent != UV_EAGAIN) {
        uva__transport_read_ahead(transport);
        uva__transport_fail(transport, (int)sent);
        return false;
    }
    transport->blocked = true;
    if (sent > 0) {
        uva__output_consume(&transport->out, supply, transport->loop,
                            (size_t)sent);
    }
    return true;
}

/* Send the output, and the supply behind it, until the system takes no more. A
 * blocked transport sends nothing: bytes must not overtake those refused
 * before.
 * @return Whether the connection is still there. */
UVA__INLINE bool transport_send(uva_transport_t *transport,
                                uva__supply_t *supply)
{
    size_t left = transport->out.bytes + supply->bytes;

    while (left > 0 && !transport->blocked) {
        struct iovec pieces[PIECES];
        size_t total;
        size_t count =
            uva__output_pieces(&transport->out, supply, pieces, PIECES, &total);
        ssize_t sent = uva__medium_send(transport->medium, pieces, count);
        if (UVA__UNLIKELY(sent < (ssize_t)total)) {
            return transport_sent_less(transport, supply, sent);
        }
        uva__output_consume(&transport->out, supply, transport->loop, total);
        left -= total;
    }
    return true;
}

/* The end of a write on a transport with a special flag: keep the rest of the
 * supply, then settle. */
static UVA__NOINLINE int transport_end_write(uva_transport_t *transport,
                                             uva__supply_t *supply)
{
    int r = 0;

    if (supply->bytes > 0) {
        r = uva__output_keep(&transport->out, supply, transport->loop);
        if (UVA__UNLIKELY(r < 0 && supply->begun)) {
            /* A part has left: the peer must not take what follows for the
             * rest of it. */
            uva__transport_fail(transport, r);
            return r;
        }
    }
    transport_settle(transport);
    return r;
}

/* Send what can leave now, and keep the rest of the supply. @return 0 on a lost
 * connection too (asyncio: write raises nothing, connection_lost tells). */
UVA__INLINE int transport_push_out(uva_transport_t *transport,
                                   uva__supply_t *supply)
{
    if (UVA__UNLIKELY(!transport_send(transport, supply))) {
        return 0;
    }
    /* No flag is set, not even blocked: all was sent, and no mark can have been
     * passed. */
    return UVA__LIKELY(transport->write_special == 0)
               ? 0
               : transport_end_write(transport, supply);
}

bool uva__transport_flush(uva_transport_t *transport)
{
    uva__supply_t nothing = {0};

    if (transport->state < UVA__TRANSPORT_LOST) {
        (void)transport_push_out(transport, &nothing);
    }
    return uva__transport_unsent(transport) == 0;
}

void uva__transport_send_collected(uva_transport_t *transport)
{
    if (transport->dirty && transport->state < UVA__TRANSPORT_LOST) {
        (void)uva__transport_flush(transport);
    }
}

void uva__transport_writable(uva_transport_t *transport)
{
    /* First: transport_send sends nothing while blocked is set. */
    transport->blocked = false;
    (void)uva__transport_flush(transport);
}

/* Flush every dirty transport. dirty keeps the memory of each until here, so
 * one that has lost its last reference meanwhile may have to be freed. */
static void writes_send(uva__ready_t *ready)
{
    uva__io_t *io = UVA__CONTAINER_OF(ready, uva__io_t, send);

    while (io->dirty != NULL) {
        uva_transport_t *transport = io->dirty;
        /* Out of the stack before the flush, which may make it dirty again. */
        io->dirty = transport->next_dirty;
        transport->dirty = false;
        (void)uva__transport_flush(transport);
        if (UVA__UNLIKELY(transport->refs == 0)) {
            uva__transport_maybe_free(transport);
        }
    }
}

const uva__ready_ops_t uva__writes_send_ops = {.run = writes_send,
                                               .drop = writes_send};

/* The transport has collected bytes of the running task: send them before
 * anything else runs. */
static void transport_mark_dirty(uva_transport_t *transport)
{
    uva__io_t *io = UVA__IO_OF(transport->loop);

    if (!transport->dirty) {
        transport->dirty = true;
        transport->next_dirty = io->dirty;
        if (io->dirty == NULL) {
            uva__io_send_next(io);
        }
        io->dirty = transport;
    }
}

/* --- writing --- */

/* A write on a lost connection: dropped, and 0, so that a task that only writes
 * needs no check. asyncio: selector_events.py, _SelectorSocketTransport.write.
 */
static int transport_write_dropped(uva_transport_t *transport)
{
    if (transport->dropped <= DROPPED_WRITES_LOGGED) {
        transport->dropped++;
    }
    /* Logged once; for debugging only if the peer caused the loss: a peer must
     * not be able to fill a log. */
    if (transport->dropped == DROPPED_WRITES_LOGGED) {
        char where[UVA__ADDRESS_TEXT];
        uva__peer_format(&transport->peer, where);
        uva__log(transport->status < 0 ? UVA_LOG_DEBUG : UVA_LOG_WARNING,
                 "writes to the connection with %s, which is lost, are dropped",
                 where);
    }
    return 0;
}

/* Whether a write may wait for other writes of the running task. Outside of a
 * task nothing would come that sends it, and on a blocked transport it would
 * have to wait for the poll anyway. */
static inline bool transport_collects(const uva_transport_t *transport,
                                      size_t size)
{
    size_t most = transport->high_bytes < COLLECT_BYTES ? transport->high_bytes
                                                        : COLLECT_BYTES;

    return size < UVA__SMALL_BYTES && transport->out.bytes + size <= most &&
           !transport->blocked && transport->loop->step.current != NULL;
}

/* Whether a write has so many and so small lines that one copy of them all is
 * cheaper than several calls of sendmsg with PIECES each. */
static inline bool supply_is_crumbs(const uva__supply_t *supply)
{
    return supply->rest_count > PIECES &&
           supply->bytes / supply->rest_count < UVA__SMALL_BYTES;
}

/* Whether a write must not be made, or has nothing to write; *ret_r is its
 * result then. The order is asyncio's: write_eof, sendfile, then an empty
 * write, then a loss. The writing end of a pipe takes nothing from its close
 * on. */
static UVA__NOINLINE bool
transport_refuses(uva_transport_t *transport, size_t size, int *ret_r)
{
    if (transport->unwritable) {
        *ret_r = uva__bare(UV_ENOTSUP);
    } else if (transport->write_eof) {
        *ret_r = uva__bare(UV_EPERM);
    } else if (transport->sends_file) {
        *ret_r = uva__bare(UV_EBUSY);
    } else if (size == 0) {
        *ret_r = 0;
    } else if (size > PTRDIFF_MAX) {
        *ret_r = uva__bare(UV_EINVAL);
    } else if (transport->state >= (transport->unreadable
                                        ? UVA__TRANSPORT_CLOSING
                                        : UVA__TRANSPORT_LOST)) {
        *ret_r = transport_write_dropped(transport);
    } else {
        return false;
    }
    return true;
}

/* The way of every write: copied to the output if it is short and a task writes
 * it, else sent, behind what was collected. */
UVA__INLINE int transport_write(uva_transport_t *transport,
                                uva__supply_t *supply)
{
    bool collects;
    int r;

    /* Both sizes that need a look in one comparison: 0 wraps to SIZE_MAX. */
    if (UVA__UNLIKELY(transport->write_special != 0 ||
                      supply->bytes - 1 >= PTRDIFF_MAX) &&
        transport_refuses(transport, supply->bytes, &r)) {
        return r;
    }
    collects = transport_collects(transport, supply->bytes);
    if (UVA__UNLIKELY(collects || supply_is_crumbs(supply))) {
        r = uva__output_keep(&transport->out, supply, transport->loop);
        if (UVA__UNLIKELY(r < 0)) {
            return r;
        }
    }
    if (collects) {
        transport_mark_dirty(transport);
        return 0;
    }
    return transport_push_out(transport, supply);
}

int uva_transport_write(uva_transport_t *transport,
                        const void *data,
                        size_t size)
{
    uva__supply_t supply = {.first = {data, size}, .bytes = size};

    if (UVA__UNLIKELY(!uva__loop_owned(transport->loop))) {
        return uva__bare(UV_EPERM);
    }
    return transport_write(transport, &supply);
}

/* What was sent or copied is done with, so that a caller need not look at the
 * result to free it. */
int uva_transport_write_take(uva_transport_t *transport,
                             uva_buffer_t *take_buffer)
{
    uva__taken_supply_t taken = {
        .supply = {.first = {take_buffer->data, take_buffer->size},
                   .bytes = take_buffer->size,
                   .takes = true},
        .take = take_buffer};
    int r = uva__loop_owned(transport->loop)
                ? transport_write(transport, &taken.supply)
                : uva__bare(UV_EPERM);

    uva_buffer_clear(take_buffer);
    return r;
}

int uva__transport_send_piece(uva_transport_t *transport,
                              const void *data,
                              size_t size)
{
    uva__supply_t supply = {.first = {data, size}, .bytes = size};

    return transport_push_out(transport, &supply);
}

int uva_transport_writelines(uva_transport_t *transport,
                             const uva_bytes_t *lines,
                             size_t count)
{
    uva__supply_t supply = {.rest = lines, .rest_count = count};

    if (!uva__loop_owned(transport->loop)) {
        return uva__bare(UV_EPERM);
    }
    for (size_t i = 0; i < count; i++) {
        /* The sum stays below what a size can be, so it cannot overflow. */
        if (lines[i].size > PTRDIFF_MAX - supply.bytes) {
            return uva__bare(UV_EINVAL);
        }
        supply.bytes += lines[i].size;
    }
    return transport_write(transport, &supply);
}

/* asyncio: true for every transport but TLS. A lost one says true: nobody would
 * hear the end of its stream, as nobody hears its writes. */
bool uva_transport_can_write_eof(const uva_transport_t *transport)
{
    uva__medium_t *medium = transport->unreadable ? NULL : transport->medium;

    if (transport->unwritable) {
        return false;
    }
    while (medium != NULL && medium->ops->shut != NULL) {
        medium = uva__medium_next(medium);
    }
    return medium == NULL;
}

unsigned uva_transport_can(const uva_transport_t *transport)
{
    uva__medium_t *medium = transport->medium;
    unsigned can = 0;

    if (!transport->unreadable) {
        can |= UVA_CAN_READ;
    }
    if (!transport->unwritable) {
        can |= UVA_CAN_WRITE;
    }
    if (uva_transport_can_write_eof(transport)) {
        can |= UVA_CAN_WRITE_EOF;
    }
    if (medium != NULL && uva__medium_sender(medium)->ops->sendfile != NULL) {
        can |= UVA_CAN_SENDFILE;
    }
    if (medium != NULL && uva__medium_passes_fds(medium)) {
        can |= UVA_CAN_PASS_FDS;
    }
    return can;
}

/* --- the limits of unsent bytes --- */

int uva_transport_set_write_buffer_limits(uva_transport_t *transport,
                                          size_t high_bytes,
                                          size_t low_bytes)
{
    if (!uva__loop_owned(transport->loop)) {
        return uva__bare(UV_EPERM);
    }
    if (uva__transport_marks(SIZE_MAX, &high_bytes, &low_bytes) < 0) {
        return uva__bare(UV_EINVAL);
    }
    transport->high_bytes = high_bytes;
    transport->low_bytes = low_bytes;
    if (transport->state < UVA__TRANSPORT_LOST && !transport->blocked) {
        /* asyncio has no collected bytes: offer them to the socket before they
         * count against the new marks. */
        (void)uva__transport_flush(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        transport_settle(transport);
    }
    return 0;
}

void uva_transport_get_write_buffer_limits(const uva_transport_t *transport,
                                           size_t *ret_high_bytes,
                                           size_t *ret_low_bytes)
{
    *ret_high_bytes = transport->high_bytes;
    *ret_low_bytes = transport->low_bytes;
}

size_t uva_transport_get_write_buffer_size(uva_transport_t *transport)
{
    if (uva__loop_owned(transport->loop)) {
        uva__transport_send_collected(transport);
    }
    return uva__transport_unsent(transport);
}
