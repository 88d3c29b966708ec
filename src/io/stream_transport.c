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
#include "io/intake.h"
#include "io/io.h"

#if !defined(MSG_NOSIGNAL)
#    define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE is set instead. */
#endif

/* asyncio: constants.py, LOG_THRESHOLD_FOR_CONNLOST_WRITES. */
#define DROPPED_WRITES_LOGGED 5u

/* Pieces to one sendmsg: the kernel takes so many without allocating. */
#define PIECES 8

/* --- reading --- */

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

/* What came is much, or little, for its block. */
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

/* --- reading in portions --- */

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

/* The error that a socket keeps, which ends libuv's watch of it. */
static UVA__NOINLINE void transport_poll_failed(uva_transport_t *transport)
{
    int events = transport->events;
    int error = 0;
    socklen_t size = sizeof error;

    transport->events = 0;
    if ((events & UV_READABLE) != 0) {
        transport_read(transport, 0); /* It tells more: data may be left. */
    }
    if (transport->state < UVA__TRANSPORT_LOST &&
        getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
        error != 0) {
        uva__transport_fail(transport, uv_translate_sys_error(error));
    }
    if (transport->state < UVA__TRANSPORT_LOST && transport->blocked) {
        transport->blocked = false;
        (void)uva__transport_flush(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_watch(transport);
    }
}

static UVA__NOINLINE void transport_writable(uva_transport_t *transport)
{
    transport->blocked = false;
    (void)uva__transport_flush(transport);
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_watch(transport);
    }
}

void uva__transport_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva_transport_t *transport = UVA__CONTAINER_OF(poll, uva_transport_t, poll);

    /* What was asked for may have changed since the poll. */
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
            transport_writable(transport);
        }
    }
}

/* --- the ring of unsent bytes --- */

static void out_append(uva_transport_t *transport, uva__block_t *block)
{
    if (transport->out == NULL) {
        block->next = block;
    } else {
        block->next = transport->out->next;
        transport->out->next = block;
    }
    transport->out = block;
    transport->out_bytes += block->size;
}

static void out_pop(uva_transport_t *transport)
{
    uva__block_t *first = transport->out->next;

    if (first == transport->out) {
        transport->out = NULL;
    } else {
        transport->out->next = first->next;
    }
    uva__block_put(uva__transport_loop(transport), first);
}

static void out_consume(uva_transport_t *transport, size_t count)
{
    transport->out_bytes -= count;
    while (transport->out != NULL) {
        uva__block_t *first = transport->out->next;
        if (count < first->size) {
            first->data += count;
            first->size -= count;
            return;
        }
        count -= first->size;
        out_pop(transport);
    }
}

void uva__transport_drop_out(uva_transport_t *transport)
{
    out_consume(transport, transport->out_bytes);
    transport->blocked = false;
}

static inline uva__block_t *out_new(uva_transport_t *transport, size_t room)
{
    uva__block_t *block =
        uva__block_get(uva__transport_loop(transport), room + sizeof *block);

    if (UVA__LIKELY(block != NULL)) {
        block->data = uva__block_begin(block);
        block->size = 0;
        block->room = block->bytes - sizeof *block;
    }
    return block;
}

static inline void
out_fill(uva__block_t *block, const uint8_t *data, size_t size)
{
    memcpy(block->data + block->size, data, size);
    block->size += size;
    block->room -= size;
}

/* Keep a copy of pieces, but for the bytes to skip at their front. All or
 * nothing: a new block, if one is needed, comes first. */
static int out_copy(uva_transport_t *transport,
                    const uva_bytes_t *pieces,
                    size_t count,
                    size_t total,
                    size_t skip)
{
    uva__block_t *last = transport->out;
    size_t left = total - skip;
    size_t room = last == NULL ? 0 : last->room;
    uva__block_t *fresh = NULL;

    if (left > room) {
        /* At least as much as there is: small writes need few blocks. */
        size_t more = left - room;
        fresh =
            out_new(transport,
                    more > transport->out_bytes ? more : transport->out_bytes);
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

/* The block of the newest view, if data is of that view: it can be sent from
 * where it lies. */
static inline uva__block_t *transport_viewed(const uva_transport_t *transport,
                                             const void *data)
{
    const uva__intake_t *in = uva__transport_loop(transport)->io->viewed;
    uva__block_t *block = in == NULL ? NULL : in->block;

    if (block == NULL || (uintptr_t)data - (uintptr_t)block >= block->bytes ||
        block->refs != 1) {
        return NULL;
    }
    return block;
}

/* Keep a piece but for the bytes to skip where it lies. @return Whether that
 * can be done. */
static bool out_lend(uva_transport_t *transport,
                     const uva_bytes_t *piece,
                     size_t count,
                     size_t skip)
{
    uva__block_t *block =
        count == 1 ? transport_viewed(transport, piece->data) : NULL;

    if (block == NULL) {
        return false;
    }
    block->refs++;
    block->data = (uint8_t *)(uintptr_t)piece->data + skip;
    block->size = piece->size - skip;
    block->room = 0;
    out_append(transport, block);
    return true;
}

/* --- sending --- */

/* @return Bytes that left, UV_EAGAIN, or another code. */
static ssize_t
transport_send(uva_transport_t *transport, struct iovec *pieces, size_t count)
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
                         struct iovec *pieces,
                         size_t count,
                         size_t *ret_total)
{
    uva__block_t *out = transport->out;
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

static UVA__NOINLINE bool transport_flush_slow(uva_transport_t *transport)
{
    if (transport->state >= UVA__TRANSPORT_LOST ||
        !transport_send_out(transport)) {
        return true;
    }
    uva__transport_settle(transport);
    return transport->out == NULL;
}

/* One block, which the system takes whole: the common case. */
static inline bool transport_flush_one(uva_transport_t *transport)
{
    uva__block_t *out = transport->out;
    ssize_t sent;

    if (UVA__UNLIKELY(out == NULL || out->next != out || transport->blocked)) {
        return false;
    }
    sent = send(transport->fd, out->data, out->size, MSG_NOSIGNAL);
    if (UVA__UNLIKELY(sent < 0 || (size_t)sent < out->size)) {
        if (sent > 0) {
            out_consume(transport, (size_t)sent);
        }
        return false; /* The slow way finds out why. */
    }
    transport->collect_bytes += out->size;
    transport->out = NULL;
    transport->out_bytes = 0;
    uva__block_put(uva__transport_loop(transport), out);
    return true;
}

bool uva__transport_flush(uva_transport_t *transport)
{
    if (UVA__LIKELY(transport_flush_one(transport)) &&
        UVA__LIKELY(!transport->settles)) {
        return true;
    }
    return transport_flush_slow(transport);
}

void uva__transports_flush(uva__flush_t *flush)
{
    uva__io_t *io = UVA__CONTAINER_OF(flush, uva__io_t, flush);

    while (io->dirty != NULL) {
        uva_transport_t *transport = io->dirty;
        io->dirty = transport->next_dirty;
        transport->dirty = false;
        (void)uva__transport_flush(transport);
        if (UVA__UNLIKELY(transport->refs == 0)) {
            uva__transport_maybe_free(transport);
        }
    }
    /* Whom the turn has woken has run, and answered. */
    if (io->late == NULL) {
        io->portion_bytes = 0;
    }
}

static inline void transport_mark_dirty(uva_transport_t *transport)
{
    uva__io_t *io = uva__transport_loop(transport)->io;

    if (!transport->dirty) {
        transport->dirty = true;
        transport->next_dirty = io->dirty;
        if (io->dirty == NULL) {
            uva__loop_add_flush(io->loop, &io->flush);
        }
        io->dirty = transport;
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
static size_t data_pieces(const uva_bytes_t *data,
                          size_t count,
                          size_t skip,
                          struct iovec *pieces,
                          size_t room,
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
                               const uva_bytes_t *data,
                               size_t count,
                               size_t total,
                               size_t *ret_sent)
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
                               const uva_bytes_t *data,
                               size_t count,
                               size_t total)
{
    size_t sent;
    int r = 0;

    if (!transport_send_all(transport, data, count, total, &sent)) {
        return 0; /* asyncio: connection_lost tells. */
    }
    if (sent < total && !out_lend(transport, data, count, sent)) {
        r = out_copy(transport, data, count, total, sent);
        if (UVA__UNLIKELY(r < 0 && sent > 0)) {
            uva__transport_fail(transport, r); /* A part of it has left. */
            return r;
        }
    }
    return r;
}

static UVA__NOINLINE int transport_write_slow(uva_transport_t *transport,
                                              const uva_bytes_t *data,
                                              size_t count,
                                              size_t total)
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
    if (total <= transport->collect_bytes) {
        r = out_copy(transport, data, count, total, 0);
        if (UVA__LIKELY(r >= 0)) {
            transport->collect_bytes -= total;
            transport_mark_dirty(transport);
        }
        return r;
    }
    r = transport->blocked ? out_copy(transport, data, count, total, 0)
                           : transport_write_now(transport, data, count, total);
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_settle(transport);
    }
    return r;
}

/* A write that waits for others, if nothing does yet, or in a block that has
 * room for it. @return Whether that could be done. */
static inline bool
transport_collect(uva_transport_t *transport, const void *data, size_t size)
{
    uva__block_t *out = transport->out;

    /* 0 is for the slow way too. */
    if (UVA__UNLIKELY(size - 1 >= transport->collect_bytes)) {
        return false;
    }
    if (out != NULL) {
        if (out->room < size) {
            return false;
        }
        out_fill(out, data, size);
    } else if ((out = transport_viewed(transport, data)) != NULL) {
        out->refs++;
        out->data = (uint8_t *)(uintptr_t)data;
        out->size = size;
        out->room = 0;
        out->next = out;
    } else {
        out = out_new(transport, size);
        if (UVA__UNLIKELY(out == NULL)) {
            return false;
        }
        out_fill(out, data, size);
        out->next = out;
    }
    transport->out = out;
    transport->out_bytes += size;
    transport->collect_bytes -= size;
    transport_mark_dirty(transport);
    return true;
}

static UVA__NOINLINE int
transport_write_one(uva_transport_t *transport, const void *data, size_t size)
{
    uva_bytes_t piece;

    if (!uva__loop_owned(uva__transport_loop(transport))) {
        return UV_EPERM;
    }
    piece.data = data;
    piece.size = size;
    return transport_write_slow(transport, &piece, 1, size);
}

int uva_transport_write(uva_transport_t *transport,
                        const void *data,
                        size_t size)
{
    if (UVA__LIKELY(uva__here == uva__transport_loop(transport)) &&
        UVA__LIKELY(transport_collect(transport, data, size))) {
        return 0;
    }
    return transport_write_one(transport, data, size);
}

int uva_transport_writelines(uva_transport_t *transport,
                             const uva_bytes_t *lines,
                             size_t count)
{
    size_t total = 0;

    if (!uva__loop_owned(uva__transport_loop(transport))) {
        return UV_EPERM;
    }
    for (size_t i = 0; i < count; i++) {
        total += lines[i].size;
    }
    return transport_write_slow(transport, lines, count, total);
}
