/*
 * The life of a transport, and the public functions that only look at it or
 * pause it (asyncio.transports, and _SelectorTransport of
 * asyncio.selector_events).
 *
 * Invariant: the memory goes when no user has a reference, the transport is
 * CLOSED, its handle's close_cb has come, no queue has it, and its handler has
 * ended. What stands on the transport hears connection_made and connection_lost
 * from the ready queue, in this order, and connection_lost of every transport
 * that it was told of. transports.h has the table of the states.
 */
#include "io/transports.h"

#include <string.h>
#include <unistd.h>

#include "core/driver_uv_close.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "io/sockets.h"

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
                        const uva__direct_ops_t *ops,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes)
{
    kind->ops = ops; /* Zero stands for "not given" in all three numbers. */
    kind->limit_bytes = limit_bytes == 0 ? LIMIT_BYTES : limit_bytes;
    kind->high_bytes = high_bytes;
    kind->low_bytes = low_bytes;
    if (kind->limit_bytes > LIMIT_MOST) {
        return UV_EINVAL;
    }
    return uva__transport_marks(0, &kind->high_bytes, &kind->low_bytes);
}

void uva__transport_maybe_free(uva_transport_t *transport)
{
    uva_loop_t *loop = transport->loop;
    size_t bytes = sizeof *transport + transport->ops->state_bytes;

    if (transport->refs > 0 || transport->state != UVA__TRANSPORT_CLOSED ||
        transport->handle_open || transport->queued || transport->dirty ||
        transport->deferred || transport->task != NULL) {
        return;
    }
    uva__input_destroy(&transport->in);
    uva__slab_put(&loop->slab, transport, bytes);
    if (loop->closed) { /* The loop's memory waits for its last object. */
        uva__loop_maybe_free(loop);
    }
}

/* libuv is done with the handle, so the memory around it may go. */
static void transport_close_cb(uv_handle_t *handle)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(handle, uva_transport_t, poll);

    transport->handle_open = false;
    uva__transport_maybe_free(transport);
}

/* Close the descriptor at once, and the handle when libuv says so: its memory
 * must stay until close_cb, which comes in a later phase of libuv's loop. */
static void transport_close_handle(uva_transport_t *transport)
{
    int fd = transport->fd;

    /* The output's blocks go at once: users may keep a lost transport for long.
     */
    uva__output_clear(&transport->out, transport->loop);
    transport->blocked = false;
    transport->fd = -1;
    transport->events = 0;
    /* If a host has closed the handle and libuv is through with it, close_cb is
     * called here and may free the transport: fd was copied, nothing else is
     * touched. The handle goes before its descriptor: libuv still removes the
     * descriptor from epoll, where a new socket may have the same number. */
    uva__uv_handle_close((uv_handle_t *)&transport->poll, transport_close_cb);
    close(fd);
}

static const uva__ready_ops_t transport_ops;

/* The input pauses its transport by this pointer, as it must not know
 * transports. asyncio: StreamReader calls transport.pause_reading. */
static void transport_set_paused(uva_transport_t *transport, bool paused)
{
    if (paused) {
        uva_transport_pause_reading(transport);
    } else {
        uva_transport_resume_reading(transport);
    }
}

int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       int take_fd,
                       const uva__sockaddr_t *peer,
                       uva__transport_state_t state,
                       uva_transport_t **ret_transport)
{
    size_t bytes = sizeof(uva_transport_t) + kind->ops->state_bytes;
    uva_transport_t *transport = uva__slab_get(&loop->slab, bytes);
    uv_loop_t *uv;
    int r;

    if (transport == NULL) {
        close(take_fd);
        return UV_ENOMEM;
    }
    memset(transport, 0, bytes); /* Its state too: init may rely on it. */
    uv = uva__loop_uv(loop);     /* NULL once the host has closed it. */
    r = uv == NULL ? UV_ECANCELED : uv_poll_init(uv, &transport->poll, take_fd);
    if (r < 0) {
        uva__slab_put(&loop->slab, transport, bytes);
        close(take_fd);
        return r;
    }
    uva__socket_prepare(take_fd);
    transport->loop = loop;
    transport->ready.ops = &transport_ops;
    transport->ops = kind->ops;
    transport->high_bytes = kind->high_bytes;
    transport->low_bytes = kind->low_bytes;
    transport->fd = take_fd;
    transport->peer = *peer;
    transport->state = (uint8_t)state;
    transport->handle_open = true;
    uva__loop_op_begin(loop); /* Ends in transport_lost or _discard. */
    uva__input_init(&transport->in, loop, transport, kind->limit_bytes);
    transport->in.set_paused = transport_set_paused;
    kind->ops->init(uva__transport_behind(transport), transport);
    *ret_transport = transport;
    return 0;
}

void uva__transport_discard(uva_transport_t *transport)
{
    uva_loop_t *loop = transport->loop;

    transport->state = UVA__TRANSPORT_CLOSED;
    uva__list_remove(&transport->link);
    transport_close_handle(transport); /* Last: it may free the transport. */
    uva__loop_op_end(loop);
}

/* --- from the ready queue --- */

void uva__transport_push(uva_transport_t *transport)
{
    if (!transport->queued) {
        transport->queued = true;
        uva__loop_push(transport->loop, &transport->ready);
    }
}

/* connection_made of an accepted connection. A connection that was lost before
 * it still hears connection_made, and connection_lost in the next iteration:
 * asyncio queues both by call_soon. Reading begins after connection_made, never
 * before (asyncio: selector_events.py, _SelectorSocketTransport.__init__). */
static void transport_made(uva_transport_t *transport)
{
    bool lost = transport->state == UVA__TRANSPORT_LOST;

    transport->made = true;
    if (!lost) {
        transport->state = UVA__TRANSPORT_OPEN;
    }
    transport->ops->connection_made(uva__transport_behind(transport),
                                    transport->of.owner->data);
    if (lost) {
        uva__transport_push(transport);
    } else if (transport->state == UVA__TRANSPORT_OPEN) {
        uva__transport_watch(transport);
    }
}

/* connection_lost, the last thing that happens to a transport. asyncio:
 * selector_events.py, _SelectorTransport._call_connection_lost: the server
 * detaches it afterwards, so wait_closed returns behind connection_lost. */
static void transport_lost(uva_transport_t *transport)
{
    uva_loop_t *loop = transport->loop;

    transport->state = UVA__TRANSPORT_CLOSED;
    /* The input first: what stands on the transport may ask it. */
    uva__input_lose(&transport->in, transport->status);
    transport->ops->connection_lost(uva__transport_behind(transport),
                                    transport->status);
    uva__list_remove(&transport->link);
    uva__loop_op_end(loop);
    if (transport->of.owner != NULL) {
        transport->of.owner->left(transport); /* May free the owner. */
    }
    uva__transport_maybe_free(transport);
}

/* The ready node. drop, which comes instead when a closing loop empties its
 * queue, does the same: otherwise the transport would never be freed. */
static void transport_run(uva__ready_t *ready)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(ready, uva_transport_t, ready);

    transport->queued = false; /* Before both, which may queue it again. */
    if (!transport->made) {
        transport_made(transport);
    } else {
        transport_lost(transport);
    }
}

static const uva__ready_ops_t transport_ops = {.run = transport_run,
                                               .drop = transport_run};

/* --- ending --- */

/* asyncio: selector_events.py, _SelectorTransport._force_close. The descriptor
 * is closed here and not in connection_lost, so that the peer hears at once. */
void uva__transport_fail(uva_transport_t *transport, int status)
{
    if (transport->state >= UVA__TRANSPORT_LOST) {
        return; /* The first reason counts, and connection_lost comes once. */
    }
    transport->state = UVA__TRANSPORT_LOST;
    transport->ending = true;
    transport->status = status;
    transport_close_handle(transport);
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
            uv_is_closing((uv_handle_t *)&transport->poll)) {
            uva__transport_fail(transport, UV_ECONNABORTED);
        }
    }
}

/* --- watching --- */

void uva__transport_watch(uva_transport_t *transport)
{
    int events = 0;
    int r = 0;

    /* A CLOSING transport reads no more (asyncio: _SelectorTransport.close). */
    if (transport->state == UVA__TRANSPORT_OPEN && !transport->read_eof &&
        !transport->reading_paused) {
        events |= UV_READABLE;
    }
    if (transport->blocked) {
        events |= UV_WRITABLE;
    }
    if (events == transport->events) {
        return; /* Most calls: uv_poll_start would cost an epoll_ctl. */
    }
    transport->events = (uint8_t)events;
    if (uv_is_closing((const uv_handle_t *)&transport->poll)) {
        /* The host has closed the handle; uv_poll_start would assert. */
        r = UV_ECONNABORTED;
    } else if (events == 0) {
        (void)uv_poll_stop(&transport->poll);
    } else {
        r = uv_poll_start(&transport->poll, events, transport->poll_cb);
    }
    if (r < 0) {
        uva__transport_fail(transport, r);
    }
}

bool uva_transport_is_reading(const uva_transport_t *transport)
{
    return transport->state <= UVA__TRANSPORT_OPEN &&
           !transport->reading_paused;
}

/* asyncio: selector_events.py, _SelectorTransport.pause_reading: nothing when
 * it is closing or paused. Before connection_made the poll is not asked:
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

uva_loop_t *uva_transport_get_loop(const uva_transport_t *transport)
{
    return transport->loop;
}

int uva_transport_fileno(const uva_transport_t *transport)
{
    return transport->fd;
}

int uva_transport_get_peername(const uva_transport_t *transport,
                               uva_address_t *ret_address)
{
    return uva__address_from(&transport->peer, ret_address);
}

/* Unlike the peer's address, this end's is not kept: the socket knows it. */
int uva_transport_get_sockname(const uva_transport_t *transport,
                               uva_address_t *ret_address)
{
    if (transport->fd < 0) {
        return uva__bare(UV_ENOTCONN);
    }
    return uva__address_of_socket(transport->fd, ret_address);
}

/* --- for what stands on it --- */

void *uva__transport_state(uva_transport_t *transport)
{
    return uva__transport_behind(transport);
}

uva__input_t *uva__transport_input(uva_transport_t *transport)
{
    return &transport->in;
}

int uva__transport_status(const uva_transport_t *transport)
{
    return transport->status;
}
