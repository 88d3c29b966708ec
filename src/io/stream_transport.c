/*
 * How bytes leave a connected socket; stream_read.c has how they enter.
 *
 * These are the files that leave uv_tcp_t for uv_poll_t. What uv_write queues
 * is sent by write(2) when the socket is writable again; if the peer has closed
 * meanwhile that raises SIGPIPE, which a library may not ignore for its
 * process. So the bytes are sent here, by sendmsg with MSG_NOSIGNAL. It also
 * costs half.
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
#    define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE is set instead. */
#endif

/* The write that is told. asyncio: constants.py,
 * LOG_THRESHOLD_FOR_CONNLOST_WRITES; it tells each that follows too. */
#define DROPPED_WRITES_LOGGED 5u

/* Pieces to one sendmsg: the kernel takes so many without allocating. */
#define PIECES 8

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

/* Data that is to be sent, and how far that has come. */
typedef struct supply_s {
    const uva_bytes_t *data;
    size_t count;
    size_t total;
    size_t sent;
    size_t index; /* Of the first piece that was not sent whole. */
    size_t skip;  /* Bytes of it that were sent. */
} supply_t;

/* Fill pieces with what was not sent. @return How many. */
static size_t supply_pieces(const supply_t *supply,
                            struct iovec *pieces,
                            size_t room,
                            size_t *ret_total)
{
    size_t skip = supply->skip;
    size_t used = 0;

    *ret_total = 0;
    for (size_t i = supply->index; i < supply->count && used < room; i++) {
        size_t size = supply->data[i].size - skip;
        if (size > 0) {
            /* sendmsg takes what it reads by pointers to what could change. */
            pieces[used].iov_base =
                (void *)(uintptr_t)(supply->data[i].data + skip);
            pieces[used].iov_len = size;
            *ret_total += size;
            used++;
        }
        skip = 0;
    }
    return used;
}

/* Many small pieces are cheaper to copy than to send. */
static bool supply_is_crumbs(const supply_t *supply)
{
    return supply->count > PIECES &&
           supply->total / supply->count < UVA__SMALL_BYTES;
}

/* Fill one piece with a copy of what was not sent, as far as the memory that
 * all share holds it. @return 1. */
static size_t supply_copy(const supply_t *supply,
                          uint8_t *scratch,
                          struct iovec *piece,
                          size_t *ret_total)
{
    size_t skip = supply->skip;
    size_t used = 0;

    for (size_t i = supply->index; i < supply->count; i++) {
        size_t size = supply->data[i].size - skip;
        size_t room = UVA__READ_BYTES - used;
        size_t part = size < room ? size : room;
        if (part > 0) {
            memcpy(scratch + used, supply->data[i].data + skip, part);
            used += part;
        }
        if (part < size) {
            break;
        }
        skip = 0;
    }
    piece->iov_base = scratch;
    piece->iov_len = used;
    *ret_total = used;
    return 1;
}

static void supply_consume(supply_t *supply, size_t count)
{
    supply->sent += count;
    while (supply->index < supply->count) {
        size_t left = supply->data[supply->index].size - supply->skip;
        if (count < left) {
            supply->skip += count;
            return;
        }
        count -= left;
        supply->skip = 0;
        supply->index++;
    }
}

/* Keep a copy of what was not sent. All or nothing: a new block, if one is
 * needed, comes first. */
static int out_copy(uva_transport_t *transport, const supply_t *supply)
{
    uva__block_t *last = transport->out;
    size_t left = supply->total - supply->sent;
    size_t room = last == NULL ? 0 : last->room;
    size_t skip = supply->skip;
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
    for (size_t i = supply->index; i < supply->count; i++) {
        const uint8_t *data = supply->data[i].data + skip;
        size_t size = supply->data[i].size - skip;
        size_t part = size < room ? size : room;
        skip = 0;
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

/* Lose the connection after a failed send, once the bytes are read that came
 * before. */
static UVA__NOINLINE void transport_send_failed(uva_transport_t *transport,
                                                int code)
{
    uva__transport_read_ahead(transport);
    uva__transport_fail(transport, code);
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
            transport_send_failed(transport, (int)sent);
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
        } else if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK &&
                   errno != EINTR) {
            transport_send_failed(transport, uv_translate_sys_error(errno));
        }
        return false; /* The slow way sees to the rest. */
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

void uva__transports_send(uva__ready_t *ready)
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

void uva__transports_flush(uva__flush_t *flush)
{
    uva__io_t *io = UVA__CONTAINER_OF(flush, uva__io_t, flush);

    /* Whom the turn has woken has run, and answered. */
    if (io->late == NULL) {
        io->portion_bytes = 0;
    }
}

/* Before anybody else runs, what the running task has collected is sent. */
static inline void transport_mark_dirty(uva_transport_t *transport)
{
    uva__io_t *io = uva__transport_loop(transport)->io;

    if (!transport->dirty) {
        transport->dirty = true;
        transport->next_dirty = io->dirty;
        if (io->dirty == NULL) {
            io->send.next = io->loop->batch;
            io->loop->batch = &io->send;
        }
        io->dirty = transport;
    }
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
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva__transport_watch(transport);
    }
}

/* --- writing --- */

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

/* Send the ring and data behind it until the system takes no more.
 * @return Whether the connection is still there. */
static bool transport_send_all(uva_transport_t *transport, supply_t *supply)
{
    uint8_t *scratch = uva__transport_loop(transport)->io->scratch;

    while (supply->sent < supply->total && !transport->blocked) {
        struct iovec pieces[PIECES];
        size_t before;
        size_t behind = 0;
        size_t used = out_pieces(transport, pieces, PIECES - 1, &before);
        ssize_t sent;
        if (before == transport->out_bytes) {
            used += supply_is_crumbs(supply)
                        ? supply_copy(supply, scratch, pieces + used, &behind)
                        : supply_pieces(supply, pieces + used, PIECES - used,
                                        &behind);
        }
        sent = transport_send(transport, pieces, used);
        if (UVA__UNLIKELY(sent < 0 && sent != UV_EAGAIN)) {
            transport_send_failed(transport, (int)sent);
            return false;
        }
        if (sent > 0) {
            size_t old = (size_t)sent < before ? (size_t)sent : before;
            out_consume(transport, old);
            supply_consume(supply, (size_t)sent - old);
        }
        transport->blocked = sent < 0 || (size_t)sent < before + behind;
    }
    return true;
}

/* Keep what the system did not take. */
static int transport_keep(uva_transport_t *transport, const supply_t *supply)
{
    int r = 0;

    if (supply->sent < supply->total) {
        r = out_copy(transport, supply);
        if (UVA__UNLIKELY(r < 0 && supply->sent > 0)) {
            uva__transport_fail(transport, r); /* A part of it has left. */
            return r;
        }
    }
    uva__transport_settle(transport);
    return r;
}

/* Send at once, keep what the system does not take. */
static int transport_write_now(uva_transport_t *transport, supply_t *supply)
{
    if (!transport_send_all(transport, supply)) {
        return 0; /* asyncio: connection_lost tells. */
    }
    return transport_keep(transport, supply);
}

/* Whether a write may wait for others: none waits that nobody would end. */
static inline bool transport_collects(const uva_transport_t *transport,
                                      size_t size)
{
    return size < UVA__SMALL_BYTES && size <= transport->collect_bytes &&
           uva__transport_loop(transport)->current != NULL;
}

static UVA__NOINLINE int transport_write_slow(uva_transport_t *transport,
                                              supply_t *supply)
{
    int r;

    if (UVA__UNLIKELY(transport->write_eof)) {
        return uva__bare(UV_EPERM);
    }
    if (UVA__UNLIKELY(supply->total == 0)) {
        return 0;
    }
    if (UVA__UNLIKELY(supply->total > PTRDIFF_MAX)) {
        return uva__bare(UV_EINVAL);
    }
    if (UVA__UNLIKELY(transport->state >= UVA__TRANSPORT_LOST)) {
        return transport_write_dropped(transport);
    }
    if (transport_collects(transport, supply->total)) {
        r = out_copy(transport, supply);
        if (UVA__LIKELY(r >= 0)) {
            transport->collect_bytes -= supply->total;
            transport_mark_dirty(transport);
        }
        return r;
    }
    return transport->blocked ? transport_keep(transport, supply)
                              : transport_write_now(transport, supply);
}

/* A small write that waits for others, if nothing does yet, or in a block that
 * has room for it. @return Whether that could be done. */
static inline bool
transport_collect(uva_transport_t *transport, const void *data, size_t size)
{
    uva__block_t *out = transport->out;

    if (out != NULL) {
        if (out->room < size) {
            return false;
        }
        out_fill(out, data, size);
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
    uva_bytes_t piece = {.data = data, .size = size};
    supply_t supply = {.data = &piece, .count = 1, .total = size};

    if (!uva__loop_owned_for(uva__transport_loop(transport),
                             "uva_transport_write")) {
        return uva__bare(UV_EPERM);
    }
    return transport_write_slow(transport, &supply);
}

/* The system has taken a part of a write, or nothing. */
static UVA__NOINLINE int transport_write_rest(uva_transport_t *transport,
                                              const void *data,
                                              size_t size,
                                              ssize_t sent,
                                              int error)
{
    uva_bytes_t piece = {.data = data, .size = size};
    supply_t supply = {.data = &piece, .count = 1, .total = size};

    if (sent < 0 && error == EINTR) {
        return transport_write_slow(transport, &supply);
    }
    if (sent < 0 && error != EAGAIN && error != EWOULDBLOCK) {
        transport_send_failed(transport, uv_translate_sys_error(error));
        return 0; /* asyncio: connection_lost tells. */
    }
    transport->blocked = true;
    supply_consume(&supply, sent < 0 ? 0 : (size_t)sent);
    return transport_keep(transport, &supply);
}

int uva_transport_write(uva_transport_t *transport,
                        const void *data,
                        size_t size)
{
    /* 0 is for the slow way too, and collect_bytes is 0 when there is more to
     * look at. */
    if (UVA__UNLIKELY(uva__here != uva__transport_loop(transport) ||
                      size - 1 >= transport->collect_bytes)) {
        return transport_write_one(transport, data, size);
    }
    if (UVA__LIKELY(size >= UVA__SMALL_BYTES) && transport->out == NULL) {
        ssize_t sent = send(transport->fd, data, size, MSG_NOSIGNAL);
        if (UVA__UNLIKELY(sent < 0 || (size_t)sent < size)) {
            return transport_write_rest(transport, data, size, sent, errno);
        }
        return 0;
    }
    if (transport_collects(transport, size) &&
        UVA__LIKELY(transport_collect(transport, data, size))) {
        return 0;
    }
    return transport_write_one(transport, data, size);
}

int uva_transport_writelines(uva_transport_t *transport,
                             const uva_bytes_t *lines,
                             size_t count)
{
    supply_t supply = {.data = lines, .count = count};

    if (!uva__loop_owned(uva__transport_loop(transport))) {
        return uva__bare(UV_EPERM);
    }
    for (size_t i = 0; i < count; i++) {
        if (lines[i].size > PTRDIFF_MAX - supply.total) {
            return uva__bare(UV_EINVAL);
        }
        supply.total += lines[i].size;
    }
    return transport_write_slow(transport, &supply);
}
