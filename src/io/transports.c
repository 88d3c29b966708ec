/*
 * The life of a transport, and the public functions that only look at it or
 * pause it (asyncio.transports, and _SelectorTransport of
 * asyncio.selector_events).
 *
 * Invariant: the memory goes when no user has a reference, the transport is
 * CLOSED, no queue has it, and its handler has ended. The consumer hears
 * connection_made and connection_lost from the ready queue, in this order, and
 * connection_lost of every transport that it was told of. transports.h has the
 * table of the states.
 */
#include "io/transports.h"

#include <string.h>

#include "base/alloc.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/timers.h"

#define HIGH_BYTES  65536u /* asyncio: _set_write_buffer_limits, 64 KiB. */
#define LIMIT_BYTES 65536u /* asyncio: streams.py, _DEFAULT_LIMIT. */
#define LIMIT_MOST  (1024u * 1024u * 1024u) /* Twice of it fits 32 bits. */

/* --- making and freeing --- */

/* asyncio: transports.py, _FlowControlMixin._set_write_buffer_limits. A high
 * mark that is derived stops at SIZE_MAX; Python's numbers do not overflow. */
int uva__transport_marks(size_t none, size_t *high_bytes, size_t *low_bytes)
{
    if (*high_bytes == none) {
        *high_bytes = *low_bytes == none          ? HIGH_BYTES
                      : *low_bytes > SIZE_MAX / 4 ? SIZE_MAX
                                                  : *low_bytes * 4;
    }
    if (*low_bytes == none) {
        *low_bytes = *high_bytes / 4;
    }
    return *high_bytes < *low_bytes ? UV_EINVAL : 0;
}

int uva__transport_kind(uva__transport_kind_t *kind,
                        const uva__factory_t *factory,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes,
                        uint64_t close_timeout_ns)
{
    kind->factory = *factory; /* Zero stands for "not given" in all numbers. */
    kind->limit_bytes = limit_bytes == 0 ? LIMIT_BYTES : limit_bytes;
    kind->high_bytes = high_bytes;
    kind->low_bytes = low_bytes;
    kind->close_timeout_ns = close_timeout_ns;
    kind->most_fds = 0;
    if (kind->limit_bytes > LIMIT_MOST) {
        return UV_EINVAL;
    }
    return uva__transport_marks(0, &kind->high_bytes, &kind->low_bytes);
}

int uva__transport_more(uva_transport_t *transport)
{
    if (transport->more == NULL) {
        transport->more = uva__calloc(1, sizeof *transport->more);
    }
    return transport->more == NULL ? UV_ENOMEM : 0;
}

void uva__transport_less(uva_transport_t *transport)
{
    const uva__more_t *more = transport->more;

    if (more->born == NULL && !transport->sends_file &&
        more->fds.most_count == 0) {
        uva__free(transport->more);
        transport->more = NULL;
    }
}

int uva__transport_receive_fds(uva_transport_t *transport, size_t most_count)
{
    uva__medium_t *carrier;
    int r = 0;

    if (!uva__medium_passes_fds(transport->medium)) {
        return 0;
    }
    r = uva__transport_more(transport);
    if (r >= 0) {
        r = uva__medium_fds(&transport->medium, transport->loop, &carrier);
    }
    if (r >= 0) {
        transport->more->fds.most_count = most_count;
        uva__medium_receive_fds(carrier, &transport->more->fds);
    } else if (transport->more != NULL) {
        uva__transport_less(transport);
    }
    return r;
}

/* Destroy the states of the consumers: that behind the transport, and, if a
 * consumer was replaced, perhaps one beside it. */
static void transport_destroy_states(uva_transport_t *transport)
{
    uva__more_t *more = transport->more;
    const uva__consumer_ops_t *born =
        more == NULL || more->born == NULL ? transport->ops : more->born;

    born->destroy(uva__transport_behind(transport));
    if (more != NULL) {
        if (more->beside_ops != NULL) {
            more->beside_ops->destroy(more->beside);
            uva__free(more->beside);
        }
        uva__fds_close(&more->fds);
        uva__free(more);
    }
}

void uva__transport_maybe_free(uva_transport_t *transport)
{
    uva_loop_t *loop = transport->loop;

    if (transport->refs > 0 || transport->state != UVA__TRANSPORT_CLOSED ||
        transport->queued || transport->dirty || transport->deferred ||
        transport->handler != NULL) {
        return;
    }
    transport_destroy_states(transport);
    uva__peer_clear(&transport->peer);
    uva__slab_put(&loop->slab, transport,
                  sizeof *transport + transport->behind_bytes);
    if (loop->closed) { /* The loop's memory waits for its last object. */
        uva__loop_maybe_free(loop);
    }
}

static const uva__ready_ops_t transport_ops;

/* Bytes behind a transport: the state, and the limit if there is one. */
static size_t transport_behind_bytes(const uva__transport_kind_t *kind)
{
    size_t bytes = kind->factory.state_bytes;
    size_t align = _Alignof(uva__close_limit_t);

    return kind->close_timeout_ns == 0 ? bytes
                                       : (bytes + align - 1) / align * align +
                                             sizeof(uva__close_limit_t);
}

int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       uva__medium_t *take_medium,
                       const uva__sockaddr_t *peer,
                       uva__owner_t *owner,
                       uva_transport_t **ret_transport)
{
    const uva__factory_t *factory = &kind->factory;
    size_t behind = transport_behind_bytes(kind);
    size_t bytes = sizeof(uva_transport_t) + behind;
    uva_transport_t *transport = uva__slab_get(&loop->slab, bytes);
    int r = transport == NULL ? UV_ENOMEM : 0;

    if (r >= 0) {
        memset(transport, 0, bytes); /* Its state too: init may rely on it. */
        transport->loop = loop;
        transport->medium = take_medium;
        r = uva__peer_set(&transport->peer, peer);
    }
    if (r >= 0 && kind->most_fds > 0) {
        r = uva__transport_receive_fds(transport, kind->most_fds);
        if (r < 0) {
            uva__peer_clear(&transport->peer);
        }
    }
    if (r < 0) {
        if (transport != NULL) {
            uva__slab_put(&loop->slab, transport, bytes);
        }
        take_medium->ops->close(take_medium, loop);
        return r;
    }
    transport->ready.ops = &transport_ops;
    transport->ops = factory->ops;
    transport->consumer = uva__transport_behind(transport);
    transport->behind_bytes = (uint32_t)behind;
    transport->reads_in_drain = true; /* Unless init sets an input. */
    transport->high_bytes = kind->high_bytes;
    transport->low_bytes = kind->low_bytes;
    transport->state = UVA__TRANSPORT_ACCEPTED;
    transport->owner = owner;
    if (kind->close_timeout_ns > 0) {
        transport->close_limited = true;
        *uva__transport_close_limit(transport) = (uva__close_limit_t){
            .transport = transport, .timeout_ns = kind->close_timeout_ns};
    }
    transport->medium_kind = take_medium->ops->kind & 7u;
    transport->unreadable = take_medium->ops->way == UVA__MEDIUM_WRITES;
    transport->unwritable = take_medium->ops->way == UVA__MEDIUM_READS;
    uva__loop_op_begin(loop); /* Ends in uva__transport_end. */
    factory->ops->init(transport->consumer, transport, factory,
                       kind->limit_bytes);
    *ret_transport = transport;
    return 0;
}

void uva__transport_discard(uva_transport_t *transport)
{
    transport->state = UVA__TRANSPORT_CLOSED;
    transport->medium->ops->close(transport->medium, transport->loop);
    transport->medium = NULL;
    uva__loop_op_end(transport->loop);
    uva__transport_maybe_free(transport);
}

/* --- from the ready queue --- */

void uva__transport_push(uva_transport_t *transport)
{
    if (!transport->queued) {
        transport->queued = true;
        uva__loop_push(transport->loop, &transport->ready);
    }
}

void uva__transport_push_told(uva_transport_t *transport, int events)
{
    if (events != 0) { /* Else the node would tell of a loss. */
        transport->told_events =
            ((unsigned)events | transport->told_events) & 3u;
        uva__transport_push(transport);
    }
}

/* A task that waits already is told by the read that is queued here, one that
 * waits later by that of uva__input_wait: each asks the medium, so that bytes
 * which have arrived are never taken for idleness. */
void uva__transport_end_idle(uva_transport_t *transport)
{
    transport->ends_idle = true;
    if (transport->in != NULL) {
        transport->in->ends_idle = true;
        uva__transport_push_told(transport, UV_READABLE);
    }
}

/* connection_made. A connection that was lost before it still hears it, and
 * connection_lost in the next iteration: asyncio queues both by call_soon.
 * Reading begins after connection_made, never before (asyncio:
 * selector_events.py, _SelectorSocketTransport.__init__). */
static void transport_made(uva_transport_t *transport)
{
    bool lost = transport->state == UVA__TRANSPORT_LOST;

    transport->made = true;
    if (transport->state == UVA__TRANSPORT_ACCEPTED) { /* Else it is closing. */
        transport->state = UVA__TRANSPORT_OPEN;
    }
    if (uva__transport_hears(transport)) {
        transport->ops->connection_made(
            transport->consumer, transport,
            transport->owner == NULL ? NULL : transport->owner->data);
    }
    /* A user who made it without an await may have written before. */
    if (transport->state < UVA__TRANSPORT_LOST && !transport->writing_paused) {
        uva__transport_check_marks(transport);
    }
    if (lost) {
        uva__transport_push(transport);
    } else if (transport->state == UVA__TRANSPORT_OPEN) {
        uva__transport_watch(transport);
    }
}

void uva__transport_begin(uva_transport_t *transport)
{
    transport->ready.ops = &transport_ops;
    transport->filtering = false;
    transport_made(transport);
    if (transport->told_events != 0) {
        uva__transport_push(transport);
    }
}

/* connection_lost, the last thing that happens to a transport. asyncio:
 * selector_events.py, _SelectorTransport._call_connection_lost: the server
 * detaches it afterwards, so wait_closed returns behind connection_lost. */
void uva__transport_end(uva_transport_t *transport)
{
    uva_loop_t *loop = transport->loop;

    transport->state = UVA__TRANSPORT_CLOSED;
    if (transport->made) {
        transport->ops->connection_lost(transport->consumer, transport->status);
    }
    uva__list_remove(&transport->link);
    uva__loop_op_end(loop);
    if (transport->owner != NULL) {
        transport->owner->left(transport); /* May free the owner. */
    }
    uva__transport_maybe_free(transport);
}

/* What the medium has told of had to wait for the drain. Whatever ran earlier
 * in the same iteration may have paused or ended the transport: a loss is told
 * in the next one. asyncio: selector_events.py, remove_reader cancels the
 * reader's handle. */
static void transport_run_told(uva_transport_t *transport)
{
    uva__medium_t *medium = transport->medium;
    int events = transport->told_events;

    transport->told_events = 0;
    if (transport->state == UVA__TRANSPORT_LOST) {
        uva__transport_push(transport);
    } else {
        medium->ready(medium->upper, events | UVA__MEDIUM_IN_DRAIN);
    }
}

/* The ready node: connection_made, what was told, connection_lost. */
static void transport_run(uva__ready_t *ready)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(ready, uva_transport_t, ready);

    transport->queued = false; /* Before all, which may queue it again. */
    if (!transport->made) {
        transport_made(transport);
        if (transport->told_events != 0) {
            uva__transport_push(transport);
        }
    } else if (transport->told_events != 0) {
        transport_run_told(transport);
    } else {
        uva__transport_end(transport);
    }
}

/* A closing loop empties its queue: nothing is read any more, but the end is
 * told, or the transport would never be freed. */
static void transport_drop(uva__ready_t *ready)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(ready, uva_transport_t, ready);

    transport->queued = false;
    transport->told_events = 0;
    if (!transport->made) {
        transport_made(transport);
    } else if (transport->state == UVA__TRANSPORT_LOST) {
        uva__transport_end(transport);
    }
}

static const uva__ready_ops_t transport_ops = {.run = transport_run,
                                               .drop = transport_drop};

/* --- ending --- */

/* Let the medium go. Unsent bytes go at once: users may keep a lost transport
 * for long. */
static void transport_close_medium(uva_transport_t *transport)
{
    uva__medium_t *medium = transport->medium;

    if (transport->close_limited) {
        uva__timer_stop(transport->loop,
                        &uva__transport_close_limit(transport)->timer);
    }
    uva__output_clear(&transport->out, transport->loop);
    transport->blocked = false;
    transport->medium = NULL;
    transport->events = 0;
    medium->ops->close(medium, transport->loop);
    if (transport->sends_file) {
        (void)uva_waiter_wake(transport->more->sender);
    }
}

/* asyncio: selector_events.py, _SelectorTransport._force_close. The medium is
 * closed here and not in connection_lost, so that the peer hears at once. */
void uva__transport_fail(uva_transport_t *transport, int status)
{
    if (transport->state >= UVA__TRANSPORT_LOST) {
        return; /* The first reason counts, and connection_lost comes once. */
    }
    transport->state = UVA__TRANSPORT_LOST;
    transport->ending = true;
    transport->status = status;
    transport_close_medium(transport);
    uva__transport_push(transport);
}

bool uva_transport_is_closing(const uva_transport_t *transport)
{
    return transport->state >= UVA__TRANSPORT_CLOSING;
}

/* Connections of a list that are looked at in a turn: a fixed price, however
 * many there are. */
#define LOOKS 4

void uva__transports_look(uva_list_t *transports)
{
    for (int i = 0; i < LOOKS && !uva__list_empty(transports); i++) {
        uva_transport_t *transport =
            UVA__LIST_FIRST(transports, uva_transport_t, link);

        /* To the end of the list, so that the next look sees others. */
        uva__list_remove(&transport->link);
        uva__list_append(transports, &transport->link);
        if (transport->state < UVA__TRANSPORT_LOST &&
            transport->medium->ops->is_gone(transport->medium)) {
            uva__transport_fail(transport, UV_ECONNABORTED);
        }
    }
}

/* --- watching --- */

void uva__transport_watch(uva_transport_t *transport)
{
    int events = 0;
    int r;

    /* A CLOSING transport reads no more (asyncio: _SelectorTransport.close). */
    if (transport->state == UVA__TRANSPORT_OPEN && !transport->read_eof &&
        !transport->reading_paused) {
        events |= UV_READABLE;
    }
    if (transport->blocked) {
        events |= UV_WRITABLE;
    }
    if (events == transport->events) {
        return; /* Most calls: to ask would cost an epoll_ctl. */
    }
    transport->events = (unsigned)events & 3u;
    r = transport->medium->ops->watch(transport->medium, events);
    if (r < 0) {
        uva__transport_fail(transport, r);
    }
}

bool uva_transport_is_reading(const uva_transport_t *transport)
{
    return transport->state <= UVA__TRANSPORT_OPEN &&
           !transport->reading_paused && !transport->unreadable;
}

/* asyncio: selector_events.py, _SelectorTransport.pause_reading: nothing when
 * it is closing or paused. Before connection_made the medium is not asked:
 * reading begins behind it, and looks at reading_paused then. */
void uva_transport_pause_reading(uva_transport_t *transport)
{
    if (uva__loop_owned(transport->loop) &&
        uva_transport_is_reading(transport)) {
        transport->reading_paused = true;
        if (transport->made) {
            uva__transport_watch(transport);
        }
    }
}

void uva_transport_resume_reading(uva_transport_t *transport)
{
    if (uva__loop_owned(transport->loop) &&
        transport->state <= UVA__TRANSPORT_OPEN && transport->reading_paused) {
        transport->reading_paused = false;
        if (transport->made) {
            uva__transport_watch(transport);
        }
    }
}

/* --- looking --- */

uva_transport_t *uva_transport_ref(uva_transport_t *transport)
{
    if (transport != NULL && uva__loop_owned(transport->loop)) {
        /* Any thread may do this once the loop is closed, one at a time. */
        uva_loop_t *entered = uva__loop_enter(transport->loop);
        transport->refs++;
        uva__loop_leave(entered);
    }
    return transport;
}

uva_loop_t *uva__transport_loop(const uva_transport_t *transport)
{
    return transport->loop;
}

uva_medium_kind_t uva_transport_medium(const uva_transport_t *transport)
{
    return (uva_medium_kind_t)transport->medium_kind;
}

int uva_transport_fileno(const uva_transport_t *transport)
{
    return transport->medium == NULL
               ? -1
               : transport->medium->ops->fileno(transport->medium);
}

int uva_transport_get_peername(const uva_transport_t *transport,
                               uva_address_t *ret_address)
{
    uva__sockaddr_t peer = uva__peer_get(&transport->peer);

    return uva__address_from(&peer, ret_address);
}

/* Unlike the peer's address, this end's is not kept: the lowest medium, or its
 * socket, knows it. */
int uva_transport_get_sockname(const uva_transport_t *transport,
                               uva_address_t *ret_address)
{
    uva__medium_t *medium = transport->medium;
    uva__sockaddr_t address;

    if (medium == NULL) {
        return uva__bare(UV_ENOTCONN);
    }
    for (uva__medium_t *below = medium; below != NULL;
         below = uva__medium_next(below)) {
        medium = below;
    }
    if (medium->ops->sockname == NULL) {
        int fd = medium->ops->fileno(medium);
        return fd < 0 ? uva__bare(UV_ENOTCONN)
                      : uva__address_of_socket(fd, ret_address);
    }
    address = medium->ops->sockname(medium);
    return uva__address_from(&address, ret_address);
}

int uva_transport_get_peercred(const uva_transport_t *transport,
                               uva_peercred_t *ret_peer)
{
    int fd = uva_transport_fileno(transport);

    return uva__bare(transport->medium_kind != UVA_MEDIUM_UNIX ? UV_ENOTSUP
                     : fd < 0                                  ? UV_ENOTCONN
                              : uva__socket_peercred(fd, ret_peer));
}

/* --- for what stands on it --- */

void uva__transport_set_input(uva_transport_t *transport, uva__input_t *in)
{
    transport->in = in;
    transport->reads_in_drain = in == NULL;
    if (in != NULL) {
        in->ends_idle = transport->ends_idle;
    }
}

void *uva__transport_state(uva_transport_t *transport)
{
    return transport->consumer;
}

int uva__transport_status(const uva_transport_t *transport)
{
    return transport->status;
}
