/*
 * How bytes enter and leave a connected socket.
 *
 * This is the file that leaves uv_tcp_t for uv_poll_t. What uv_write queues is
 * sent by write(2) when the socket is writable again; if the peer has closed
 * meanwhile that raises SIGPIPE, which a library may not ignore for its
 * process. So the bytes are sent here, by sendmsg with MSG_NOSIGNAL. It also
 * lets one look at a socket end after a fixed number of bytes, and costs half.
 *
 * Invariant: out is a ring of what is unsent, in order; the poll is asked for
 * writability exactly while the system has refused some of it (blocked), and a
 * transport that has unsent bytes and is not blocked is dirty.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "io/io.h"

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE is set instead. */
#endif

/* asyncio: constants.py, LOG_THRESHOLD_FOR_CONNLOST_WRITES. */
#define DROPPED_WRITES_LOGGED 5u

/* Pieces to one sendmsg: the kernel takes so many without allocating. */
#define PIECES 8

/* --- reading --- */

static ssize_t transport_read_once(uva_transport_t *transport, uint8_t *data,
                                   size_t size)
{
    ssize_t count;

    do {
        count = read(transport->fd, data, size);
    } while (UVA__UNLIKELY(count < 0) && errno == EINTR);
    return count;
}

static void transport_read_end(uva_transport_t *transport, ssize_t count)
{
    if (count == 0) {
        transport->read_eof = true;
        uva__transport_watch(transport);
        if (transport->ops->eof_received != NULL) {
            transport->ops->eof_received(uva__transport_behind(transport));
        }
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        uva__transport_fail(transport, uv_translate_sys_error(errno));
    }
}

static inline bool transport_reads(const uva_transport_t *transport)
{
    return transport->state == UVA__TRANSPORT_OPEN &&
           !transport->reading_paused && !transport->read_eof;
}

static void transport_read(uva_transport_t *transport)
{
    uva__io_t *io = uva__transport_loop(transport)->io;
    void *state = uva__transport_behind(transport);
    size_t total = 0;
    ssize_t count;
    size_t size;

    do {
        uint8_t *data;
        int r;
        size = 0;
        transport->ops->get_buffer(state, &data, &size);
        if (size == 0) {
            data = io->scratch;
            size = UVA__READ_BYTES;
        }
        count = transport_read_once(transport, data, size);
        if (UVA__UNLIKELY(count <= 0)) {
            transport_read_end(transport, count);
            return;
        }
        r = transport->ops->data_received(state, data, (size_t)count);
        if (UVA__UNLIKELY(r < 0)) {
            uva__transport_fail(transport, r);
            return;
        }
        total += (size_t)count;
        /* A short read has emptied the socket; the others wait for a long. */
    } while ((size_t)count == size && total < UVA__BURST_BYTES &&
             transport_reads(transport));
}

/* The error that a socket keeps, which ends libuv's watch of it. */
static void transport_poll_failed(uva_transport_t *transport)
{
    int error = 0;
    socklen_t size = sizeof error;

    transport->events = 0;
    if (transport_reads(transport)) {
        transport_read(transport); /* It tells more: data may be left. */
    }
    if (transport->state < UVA__TRANSPORT_LOST &&
        getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
        error != 0) {
        uva__transport_fail(transport, uv_translate_sys_error(error));
    }
    if (transport->state < UVA__TRANSPORT_LOST && transport->blocked) {
        (void)uva__transport_flush(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_watch(transport);
    }
}

void uva__transport_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(poll, uva_transport_t, poll);

    if (UVA__UNLIKELY(status < 0)) {
        transport_poll_failed(transport);
        return;
    }
    if (UVA__LIKELY((events & UV_READABLE) != 0) &&
        transport_reads(transport)) {
        transport_read(transport);
    }
    if (UVA__UNLIKELY((events & UV_WRITABLE) != 0) && transport->blocked) {
        transport->blocked = false;
        (void)uva__transport_flush(transport);
        if (transport->state < UVA__TRANSPORT_LOST) {
            uva__transport_watch(transport);
        }
    }
}

/* --- the ring of unsent bytes --- */

static uva__out_t *out_first(const uva_transport_t *transport)
{
    return transport->out->next;
}

static void out_append(uva_transport_t *transport, uva__out_t *out)
{
    if (transport->out == NULL) {
        out->next = out;
    } else {
        out->next = transport->out->next;
        transport->out->next = out;
    }
    transport->out = out;
    transport->out_bytes += out->size;
}

static void out_pop(uva_transport_t *transport)
{
    uva__out_t *out = out_first(transport);

    if (out == transport->out) {
        transport->out = NULL;
    } else {
        transport->out->next = out->next;
    }
    uva__free(out->taken);
    uva__block_put(uva__transport_loop(transport), (uint8_t *)out,
                   out->block_bytes);
}

static void out_consume(uva_transport_t *transport, size_t count)
{
    transport->out_bytes -= count;
    while (transport->out != NULL) {
        uva__out_t *out = out_first(transport);
        if (count < out->size) {
            out->data += count;
            out->size -= count;
            return;
        }
        count -= out->size;
        out_pop(transport);
    }
}

void uva__transport_drop_out(uva_transport_t *transport)
{
    out_consume(transport, transport->out_bytes);
    transport->blocked = false;
}

static uva__out_t *out_new(uva_transport_t *transport, size_t room)
{
    size_t bytes = sizeof(uva__out_t) + room;
    void *block = uva__block_get(uva__transport_loop(transport), &bytes);
    uva__out_t *out = block;

    if (out == NULL) {
        return NULL;
    }
    out->data = (uint8_t *)(out + 1);
    out->size = 0;
    out->room = bytes - sizeof *out;
    out->block_bytes = bytes;
    out->taken = NULL;
    return out;
}

static inline void out_fill(uva__out_t *out, const uint8_t *data, size_t size)
{
    memcpy(out->data + out->size, data, size);
    out->size += size;
    out->room -= size;
}

/* Keep a copy of pieces, but for the bytes to skip at their front. All or
 * nothing: a new block, if one is needed, comes first. */
static int out_copy(uva_transport_t *transport, const uva_bytes_t *pieces,
                    size_t count, size_t total, size_t skip)
{
    uva__out_t *last = transport->out;
    size_t left = total - skip;
    size_t room = last == NULL ? 0 : last->room;
    uva__out_t *fresh = NULL;

    if (left > room) {
        /* At least as much as there is: small writes need few blocks. */
        size_t more = left - room;
        fresh = out_new(transport, more > transport->out_bytes
                                       ? more
                                       : transport->out_bytes);
        if (fresh == NULL) {
            return UV_ENOMEM;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *data = pieces[i].data;
        size_t size = pieces[i].size;
        size_t part = size < skip ? size : skip;
        skip -= part;
        data += part;
        size -= part;
        part = size < room ? size : room;
        if (part > 0) {
            out_fill(last, data, part);
            room -= part;
            transport->out_bytes += part;
        }
        if (size > part) {
            out_fill(fresh, data + part, size - part);
        }
    }
    if (fresh != NULL) {
        out_append(transport, fresh);
    }
    return 0;
}

/* --- sending --- */

/* @return Bytes that left, UV_EAGAIN, or another code. */
static ssize_t transport_send(uva_transport_t *transport, struct iovec *pieces,
                              size_t count)
{
    struct msghdr message;
    ssize_t sent;

    if (count == 1) {
        do {
            sent = send(transport->fd, pieces->iov_base, pieces->iov_len,
                        MSG_NOSIGNAL);
        } while (UVA__UNLIKELY(sent < 0) && errno == EINTR);
    } else {
        memset(&message, 0, sizeof message);
        message.msg_iov = pieces;
        message.msg_iovlen = count;
        do {
            sent = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
        } while (UVA__UNLIKELY(sent < 0) && errno == EINTR);
    }
    if (UVA__UNLIKELY(sent < 0)) {
        return errno == EAGAIN || errno == EWOULDBLOCK
                   ? UV_EAGAIN
                   : uv_translate_sys_error(errno);
    }
    return sent;
}

static size_t out_pieces(const uva_transport_t *transport,
                         struct iovec *pieces, size_t count, size_t *ret_total)
{
    uva__out_t *out = transport->out;
    size_t i = 0;

    *ret_total = 0;
    while (out != NULL && i < count) {
        out = out->next;
        pieces[i].iov_base = out->data;
        pieces[i].iov_len = out->size;
        *ret_total += out->size;
        i++;
        if (out == transport->out) {
            break;
        }
    }
    return i;
}

/* Send the ring. @return Whether the connection is still there. */
static bool transport_send_out(uva_transport_t *transport)
{
    while (transport->out != NULL && !transport->blocked) {
        struct iovec pieces[PIECES];
        size_t total;
        size_t count = out_pieces(transport, pieces, PIECES, &total);
        ssize_t sent = transport_send(transport, pieces, count);
        if (UVA__UNLIKELY(sent < 0 && sent != UV_EAGAIN)) {
            uva__transport_fail(transport, (int)sent);
            return false;
        }
        if (UVA__LIKELY(sent > 0)) {
            out_consume(transport, (size_t)sent);
        }
        transport->blocked = sent < 0 || (size_t)sent < total;
    }
    return true;
}

bool uva__transport_flush(uva_transport_t *transport)
{
    if (transport->state >= UVA__TRANSPORT_LOST ||
        !transport_send_out(transport)) {
        return true;
    }
    if (UVA__UNLIKELY(transport->blocked)) {
        uva__transport_watch(transport);
    }
    uva__transport_check_marks(transport);
    if (transport->out == NULL) {
        uva__transport_sent(transport);
        return true;
    }
    return false;
}

void uva__transports_flush(uva__flush_t *flush)
{
    uva__io_t *io = UVA__CONTAINER_OF(flush, uva__io_t, flush);

    while (io->dirty != NULL) {
        uva_transport_t *transport = io->dirty;
        io->dirty = transport->next_dirty;
        transport->dirty = false;
        (void)uva__transport_flush(transport);
        uva__transport_maybe_free(transport);
    }
}

static inline void transport_mark_dirty(uva_transport_t *transport)
{
    uva_loop_t *loop = uva__transport_loop(transport);

    if (!transport->dirty) {
        transport->dirty = true;
        transport->next_dirty = loop->io->dirty;
        loop->io->dirty = transport;
        uva__loop_add_flush(loop, &loop->io->flush);
    }
}

/* --- writing --- */

static int transport_write_dropped(uva_transport_t *transport)
{
    if (transport->dropped < UINT8_MAX) {
        transport->dropped++;
    }
    if (transport->dropped >= DROPPED_WRITES_LOGGED) {
        uva__log(UVA_LOG_WARNING,
                 "a write to a connection that is lost was dropped");
    }
    return 0;
}

/* Fill pieces with data from skip on. @return How many. */
static size_t data_pieces(const uva_bytes_t *data, size_t count, size_t skip,
                          struct iovec *pieces, size_t room,
                          size_t *ret_total)
{
    size_t used = 0;

    *ret_total = 0;
    for (size_t i = 0; i < count && used < room; i++) {
        size_t size = data[i].size;
        if (size <= skip) {
            skip -= size;
            continue;
        }
        /* sendmsg takes what it reads by pointers to what could change. */
        pieces[used].iov_base = (void *)(uintptr_t)(data[i].data + skip);
        pieces[used].iov_len = size - skip;
        *ret_total += size - skip;
        skip = 0;
        used++;
    }
    return used;
}

/* Send the ring and data behind it until the system takes no more.
 * @return Whether the connection is still there; *ret_sent: bytes of data. */
static bool transport_send_all(uva_transport_t *transport,
                               const uva_bytes_t *data, size_t count,
                               size_t total, size_t *ret_sent)
{
    *ret_sent = 0;
    while (*ret_sent < total && !transport->blocked) {
        struct iovec pieces[PIECES];
        size_t before;
        size_t behind = 0;
        size_t used = out_pieces(transport, pieces, PIECES - 1, &before);
        ssize_t sent;
        if (before == transport->out_bytes) {
            used += data_pieces(data, count, *ret_sent, pieces + used,
                                PIECES - used, &behind);
        }
        sent = transport_send(transport, pieces, used);
        if (UVA__UNLIKELY(sent < 0 && sent != UV_EAGAIN)) {
            uva__transport_fail(transport, (int)sent);
            return false;
        }
        if (sent > 0) {
            size_t old = (size_t)sent < before ? (size_t)sent : before;
            out_consume(transport, old);
            *ret_sent += (size_t)sent - old;
        }
        transport->blocked = sent < 0 || (size_t)sent < before + behind;
    }
    return true;
}

/* Send at once, keep what the system does not take. */
static int transport_write_now(uva_transport_t *transport,
                               const uva_bytes_t *data, size_t count,
                               size_t total)
{
    size_t sent;
    int r = 0;

    if (!transport_send_all(transport, data, count, total, &sent)) {
        return 0; /* asyncio: connection_lost tells. */
    }
    if (sent < total) {
        r = out_copy(transport, data, count, total, sent);
        if (UVA__UNLIKELY(r < 0 && sent > 0)) {
            uva__transport_fail(transport, r); /* A part of it has left. */
            return r;
        }
    }
    if (transport->blocked) {
        uva__transport_watch(transport);
    }
    return r;
}

/* Bytes that may wait for others to leave with them. */
static size_t transport_collects(const uva_transport_t *transport)
{
    return transport->high_bytes < UVA__COLLECT_BYTES ? transport->high_bytes
                                                      : UVA__COLLECT_BYTES;
}

static int transport_write(uva_transport_t *transport, const uva_bytes_t *data,
                           size_t count, size_t total)
{
    int r;

    if (UVA__UNLIKELY(transport->write_eof)) {
        return UV_EPERM;
    }
    if (UVA__UNLIKELY(total == 0)) {
        return 0;
    }
    if (UVA__UNLIKELY(transport->state >= UVA__TRANSPORT_LOST)) {
        return transport_write_dropped(transport);
    }
    if (!transport->blocked &&
        transport->out_bytes + total <= transport_collects(transport)) {
        r = out_copy(transport, data, count, total, 0);
        if (UVA__LIKELY(r >= 0)) {
            transport_mark_dirty(transport);
        }
        return r;
    }
    r = transport->blocked
            ? out_copy(transport, data, count, total, 0)
            : transport_write_now(transport, data, count, total);
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_check_marks(transport);
    }
    return r;
}

int uva_transport_write(uva_transport_t *transport, const void *data,
                        size_t size)
{
    uva_bytes_t piece;

    piece.data = data;
    piece.size = size;
    return transport_write(transport, &piece, 1, size);
}

int uva_transport_writelines(uva_transport_t *transport,
                             const uva_bytes_t *lines, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += lines[i].size;
    }
    return transport_write(transport, lines, count, total);
}
