/*
 * How bytes leave a connected socket; stream_read.c has how they enter.
 *
 * These are the files that leave uv_tcp_t for uv_poll_t. What uv_write queues
 * is sent by write(2) when the socket is writable again; if the peer has closed
 * meanwhile that raises SIGPIPE, which a library may not ignore for its
 * process. So the bytes are sent by uva__socket_send. It also costs half.
 *
 * Invariant: the poll is asked for writability exactly while the system has
 * refused some of the output (blocked); a transport that has output and is not
 * blocked is dirty.
 */
#include "io/stream_write.h"

#include <stdint.h>
#include <sys/socket.h>

#include "base/log.h"
#include "core/object.h"
#include "core/owner.h"
#include "io/sockets.h"
#include "io/stream_read.h"

/* So much of a task's short writes is collected, or up to the high mark if that
 * is less. */
#define COLLECT_BYTES 16384u

/* The write that is logged. asyncio: constants.py,
 * LOG_THRESHOLD_FOR_CONNLOST_WRITES; it logs each that follows too. */
#define DROPPED_WRITES_LOGGED 5u

/* Pieces to one sendmsg: the kernel takes so many without allocating. */
#define PIECES 8

/* --- marks --- */

/* asyncio: transports.py, _FlowControlMixin: pause above the high mark, resume
 * at the low one. */
static void transport_check_marks(uva_transport_t *transport)
{
    void *state = uva__transport_behind(transport);

    if (transport->writing_paused) {
        if (transport->out.bytes <= transport->low_bytes) {
            transport->writing_paused = false;
            transport->ops->resume_writing(state);
        }
    } else if (transport->out.bytes > transport->high_bytes) {
        transport->writing_paused = true;
        transport->ops->pause_writing(state);
    }
}

/* Everything was sent: what close and write_eof waited for. */
static void transport_sent(uva_transport_t *transport)
{
    if (transport->state == UVA__TRANSPORT_CLOSING) {
        uva__transport_fail(transport, 0);
    } else if (transport->write_eof && !transport->write_shut) {
        transport->write_shut = true;
        (void)shutdown(transport->fd, SHUT_WR);
    }
}

/* After a change of the unsent bytes or of a mark: tell what stands on the
 * transport, do what close and write_eof have waited for, ask the poll. */
static inline void transport_settle(uva_transport_t *transport)
{
    transport_check_marks(transport);
    if (transport->out.bytes == 0) {
        transport_sent(transport);
    }
    if (UVA__LIKELY(transport->state < UVA__TRANSPORT_LOST)) {
        uva__transport_watch(transport);
    }
}

/* --- sending --- */

/* The system has taken a part of the pieces, or nothing, or the connection is
 * lost: then the bytes are read first that came before.
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

/* Send the output, and a supply behind it, until the system takes no more.
 * @return Whether the connection is still there. */
static inline bool transport_send(uva_transport_t *transport,
                                  uva__supply_t *supply)
{
    size_t left = transport->out.bytes + supply->bytes;

    while (left > 0 && !transport->blocked) {
        struct iovec pieces[PIECES];
        size_t total;
        size_t count =
            uva__output_pieces(&transport->out, supply, pieces, PIECES, &total);
        ssize_t sent = uva__socket_send(transport->fd, pieces, count);
        if (UVA__UNLIKELY(sent < (ssize_t)total)) {
            return transport_sent_less(transport, supply, sent);
        }
        uva__output_consume(&transport->out, supply, transport->loop, total);
        left -= total;
    }
    return true;
}

/* What a write has to do when more was to look at than to send: keep the rest,
 * tell what stands on the transport, ask the poll. */
static UVA__NOINLINE int transport_end_write(uva_transport_t *transport,
                                             uva__supply_t *supply)
{
    int r = 0;

    if (supply->bytes > 0) {
        r = uva__output_keep(&transport->out, supply, transport->loop);
        if (UVA__UNLIKELY(r < 0 && supply->begun)) {
            uva__transport_fail(transport, r); /* A part of it has left. */
            return r;
        }
    }
    transport_settle(transport);
    return r;
}

/* Send what can leave now, and keep the rest of the supply. */
UVA__INLINE int transport_push_out(uva_transport_t *transport,
                                   uva__supply_t *supply)
{
    if (UVA__UNLIKELY(!transport_send(transport, supply))) {
        return 0; /* asyncio: connection_lost tells. */
    }
    /* Not blocked, so all was sent. */
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
    return transport->out.bytes == 0;
}

void uva__transport_send_collected(uva_transport_t *transport)
{
    if (transport->dirty && transport->state < UVA__TRANSPORT_LOST) {
        (void)uva__transport_flush(transport);
    }
}

void uva__transport_writable(uva_transport_t *transport)
{
    transport->blocked = false;
    (void)uva__transport_flush(transport);
}

static void writes_send(uva__ready_t *ready)
{
    uva__io_t *io = UVA__CONTAINER_OF(ready, uva__io_t, send);

    while (io->dirty != NULL) {
        uva_transport_t *transport = io->dirty;
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

/* What the running task has collected is sent before anything else runs. */
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

/* A write on a connection that is lost. */
static int transport_write_dropped(uva_transport_t *transport)
{
    if (transport->dropped < UINT8_MAX) {
        transport->dropped++;
    }
    /* Once, and where a peer can cause it not by default. */
    if (transport->dropped == DROPPED_WRITES_LOGGED) {
        char where[UVA__ADDRESS_TEXT];
        uva__address_format(&transport->peer, where);
        uva__log(transport->status < 0 ? UVA_LOG_DEBUG : UVA_LOG_WARNING,
                 "writes to the connection with %s, which is lost, are dropped",
                 where);
    }
    return 0;
}

/* Whether a write may wait for others of the running task. */
static inline bool transport_collects(const uva_transport_t *transport,
                                      size_t size)
{
    size_t most = transport->high_bytes < COLLECT_BYTES ? transport->high_bytes
                                                        : COLLECT_BYTES;

    return size < UVA__SMALL_BYTES && transport->out.bytes + size <= most &&
           !transport->blocked && transport->loop->step.current != NULL;
}

/* Many small pieces are cheaper to copy than to send. */
static inline bool supply_is_crumbs(const uva__supply_t *supply)
{
    return supply->rest_count > PIECES &&
           supply->bytes / supply->rest_count < UVA__SMALL_BYTES;
}

/* A write that must not be made, or is none. @return Whether it is: then *ret_r
 * is its result. */
static UVA__NOINLINE bool
transport_refuses(uva_transport_t *transport, size_t size, int *ret_r)
{
    if (transport->write_eof) {
        *ret_r = uva__bare(UV_EPERM);
    } else if (size == 0) {
        *ret_r = 0;
    } else if (size > PTRDIFF_MAX) {
        *ret_r = uva__bare(UV_EINVAL);
    } else if (transport->state >= UVA__TRANSPORT_LOST) {
        *ret_r = transport_write_dropped(transport);
    } else {
        return false;
    }
    return true;
}

/* The way of every write: copied, if it is short and the task goes on, else
 * sent. */
UVA__INLINE int transport_write(uva_transport_t *transport,
                                uva__supply_t *supply)
{
    bool collects;
    int r;

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

int uva_transport_writelines(uva_transport_t *transport,
                             const uva_bytes_t *lines,
                             size_t count)
{
    uva__supply_t supply = {.rest = lines, .rest_count = count};

    if (!uva__loop_owned(transport->loop)) {
        return uva__bare(UV_EPERM);
    }
    for (size_t i = 0; i < count; i++) {
        if (lines[i].size > PTRDIFF_MAX - supply.bytes) {
            return uva__bare(UV_EINVAL);
        }
        supply.bytes += lines[i].size;
    }
    return transport_write(transport, &supply);
}

int uva_transport_write_eof(uva_transport_t *transport)
{
    if (!uva__loop_owned(transport->loop)) {
        return uva__bare(UV_EPERM);
    }
    if (transport->state >= UVA__TRANSPORT_CLOSING || transport->write_eof) {
        return 0;
    }
    transport->write_eof = true;
    (void)uva__transport_flush(transport);
    return 0;
}

bool uva_transport_can_write_eof(const uva_transport_t *transport)
{
    (void)transport;
    return true;
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
        /* Collected bytes count only after they were offered to the socket. */
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
    return transport->out.bytes;
}
