/*
 * A unix socket that lets descriptors go along with its bytes, as a medium
 * above the socket (Python: socket.send_fds, socket.recv_fds).
 *
 * Descriptors go beside a byte. Those to be sent wait in parcels, each for its
 * place in the stream: one send ends in front of the next parcel. Those that
 * come are kept for the transport, as they belong to bytes that are read later.
 *
 * Invariant: the places of the parcels grow, and none is behind what was sent.
 * Each descriptor of a parcel is a duplicate, and is closed with it.
 */
#include "io/medium_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/util.h"
#include "core/loop.h"

typedef struct parcel_s {
    uva_list_t link; /* Of carrier_t.parcels. */
    uint64_t place;  /* So many bytes of the stream go before. */
    size_t count;
    int fds[]; /* Owned. */
} parcel_t;

typedef struct carrier_s {
    uva__medium_t base;   /* First: a medium is cast to it. */
    uva__medium_t *below; /* Owned: a plain socket. */
    uva_loop_t *loop;     /* Borrowed. */
    uva__fds_t *arrived;  /* Borrowed; NULL: none is received. */
    uva_list_t parcels;   /* Of parcel_t.link, in order. */
    uint64_t sent_bytes;  /* Of the stream, since this is here. */
} carrier_t;

static inline carrier_t *carrier_of(const uva__medium_t *medium)
{
    return (carrier_t *)(uintptr_t)medium;
}

/* --- what has come --- */

size_t uva__fds_take(uva__fds_t *self, int *fds, size_t room)
{
    size_t count = self->count < room ? self->count : room;

    if (count > 0) {
        memcpy(fds, self->fds, count * sizeof *fds);
        self->count -= count;
        memmove(self->fds, self->fds + count, self->count * sizeof *fds);
    }
    if (self->count == 0) {
        uva__free(self->fds);
        self->fds = NULL;
    }
    return count;
}

void uva__fds_close(uva__fds_t *self)
{
    uva__close_all(self->fds, self->count);
    uva__free(self->fds);
    self->fds = NULL;
    self->count = 0;
}

/* Keep descriptors; on failure they are closed. */
static int fds_keep(uva__fds_t *self, const int *fds, size_t count)
{
    int *grown = NULL;
    int r = UV_ENOBUFS;

    if (count <= self->most_count - self->count) {
        grown = uva__realloc(self->fds, (self->count + count) * sizeof *fds);
        r = UV_ENOMEM;
    }
    if (grown == NULL) {
        uva__close_all(fds, count);
        return r;
    }
    memcpy(grown + self->count, fds, count * sizeof *fds);
    self->fds = grown;
    self->count += count;
    return 0;
}

/* Bytes whose descriptors are lost are not received either: whoever reads them
 * would take later descriptors for theirs. */
static ssize_t carrier_receive(uva__medium_t *medium, void *data, size_t size)
{
    carrier_t *self = carrier_of(medium);
    int fds[UVA_FDS_MOST];
    size_t count;
    ssize_t received;
    int r = 0;

    if (self->arrived == NULL) {
        return uva__socket_read(self->below->fd, data, size);
    }
    received = uva__socket_read_fds(self->below->fd, data, size, fds, &count);
    if (count > 0) {
        r = fds_keep(self->arrived, fds, count);
    }
    return r < 0 ? r : received;
}

/* --- what is to be sent --- */

static void parcel_drop(parcel_t *parcel)
{
    uva__list_remove(&parcel->link);
    uva__close_all(parcel->fds, parcel->count);
    uva__free(parcel);
}

/* Shorten pieces to so many bytes, which are above 0. @return How many are
 * left. */
static size_t pieces_limit(struct iovec *pieces, size_t count, uint64_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].iov_len >= bytes) {
            pieces[i].iov_len = (size_t)bytes;
            return i + 1;
        }
        bytes -= pieces[i].iov_len;
    }
    return count;
}

/* Bytes in front of the next parcel, or its own, up to the one behind. */
static ssize_t
carrier_send_parcel(carrier_t *self, struct iovec *pieces, size_t count)
{
    int fd = self->below->fd;
    parcel_t *first = UVA__LIST_FIRST(&self->parcels, parcel_t, link);
    ssize_t sent;

    if (first->place > self->sent_bytes) {
        count = pieces_limit(pieces, count, first->place - self->sent_bytes);
        return uva__socket_send(fd, pieces, count);
    }
    if (first->link.next != &self->parcels) {
        const parcel_t *second =
            UVA__CONTAINER_OF(first->link.next, parcel_t, link);
        count = pieces_limit(pieces, count, second->place - first->place);
    }
    sent = uva__socket_send_fds(fd, pieces, count, first->fds, first->count);
    if (sent > 0) {
        parcel_drop(first);
    }
    return sent;
}

static ssize_t
carrier_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    carrier_t *self = carrier_of(medium);
    ssize_t sent = uva__list_empty(&self->parcels)
                       ? uva__socket_send(self->below->fd, pieces, count)
                       : carrier_send_parcel(self, pieces, count);

    self->sent_bytes += sent > 0 ? (uint64_t)sent : 0;
    return sent;
}

int uva__medium_send_fds(uva__medium_t *carrier,
                         size_t unsent_bytes,
                         const int *fds,
                         size_t count)
{
    carrier_t *self = carrier_of(carrier);
    parcel_t *parcel = uva__malloc(sizeof *parcel + count * sizeof *fds);
    int r = 0;

    if (parcel == NULL) {
        return UV_ENOMEM;
    }
    parcel->place = self->sent_bytes + unsent_bytes;
    parcel->count = 0;
    uva__list_append(&self->parcels, &parcel->link);
    while (r >= 0 && parcel->count < count) {
        r = fcntl(fds[parcel->count], F_DUPFD_CLOEXEC, 3);
        if (r >= 0) {
            parcel->fds[parcel->count++] = r;
        } else {
            r = uv_translate_sys_error(errno);
        }
    }
    if (r < 0) {
        parcel_drop(parcel);
        return r;
    }
    return 0;
}

void uva__medium_unsend_fds(uva__medium_t *carrier)
{
    uva_list_t *last = carrier_of(carrier)->parcels.prev;

    parcel_drop(UVA__CONTAINER_OF(last, parcel_t, link));
}

void uva__medium_receive_fds(uva__medium_t *carrier, uva__fds_t *fds)
{
    carrier_of(carrier)->arrived = fds;
}

/* --- the rest is the socket's --- */

static int carrier_watch(uva__medium_t *medium, int events)
{
    uva__medium_t *below = carrier_of(medium)->below;

    return below->ops->watch(below, events);
}

static void carrier_shut(uva__medium_t *medium)
{
    uva__medium_t *below = carrier_of(medium)->below;

    below->ops->shut(below);
}

static uva__medium_t **carrier_below(uva__medium_t *medium)
{
    return &carrier_of(medium)->below;
}

static void carrier_close(uva__medium_t *take_medium, uva_loop_t *loop)
{
    carrier_t *self = carrier_of(take_medium);
    uva__medium_t *below = self->below;

    while (!uva__list_empty(&self->parcels)) {
        parcel_drop(UVA__LIST_FIRST(&self->parcels, parcel_t, link));
    }
    uva__slab_put(&loop->slab, self, sizeof *self);
    below->ops->close(below, loop);
}

static bool carrier_is_gone(const uva__medium_t *medium)
{
    const uva__medium_t *below = carrier_of(medium)->below;

    return below->ops->is_gone(below);
}

static int carrier_fileno(const uva__medium_t *medium)
{
    return carrier_of(medium)->below->fd;
}

static const uva__medium_ops_t carrier_ops = {
    .kind = UVA_MEDIUM_UNIX,
    .passes = true,
    .receive = carrier_receive,
    .send = carrier_send,
    .watch = carrier_watch,
    .shut = carrier_shut,
    .below = carrier_below,
    .close = carrier_close,
    .is_gone = carrier_is_gone,
    .fileno = carrier_fileno,
};

static void carrier_ready(void *upper, int events)
{
    carrier_t *self = upper;

    self->base.ready(self->base.upper, events);
}

bool uva__medium_passes_fds(uva__medium_t *medium)
{
    uva__medium_t *sender = uva__medium_sender(medium);
    uva__sockaddr_t name;

    /* The kind is that of all sockets but TCP. */
    return sender->fd >= 0 && sender->ops->kind == UVA_MEDIUM_UNIX &&
           uva__sockaddr_of_socket(sender->fd, &name) >= 0 &&
           name.any.sa_family == AF_UNIX;
}

int uva__medium_fds(uva__medium_t **medium,
                    uva_loop_t *loop,
                    uva__medium_t **ret_carrier)
{
    carrier_t *self;

    while ((*medium)->ops->passes && (*medium)->ops != &carrier_ops) {
        medium = (*medium)->ops->below(*medium);
    }
    if ((*medium)->ops != &carrier_ops) {
        uva__medium_t *below = *medium;
        self = uva__slab_get(&loop->slab, sizeof *self);
        if (self == NULL) {
            return UV_ENOMEM;
        }
        memset(self, 0, sizeof *self);
        self->base = (uva__medium_t){.ops = &carrier_ops,
                                     .ready = below->ready,
                                     .upper = below->upper,
                                     .fd = -1};
        self->below = below;
        self->loop = loop;
        uva__list_init(&self->parcels);
        uva__medium_give(below, carrier_ready, self);
        *medium = &self->base;
    }
    *ret_carrier = *medium;
    return 0;
}
