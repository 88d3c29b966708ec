/*
 * A transport of bytes: what opens it, what its medium tells, what ends it
 * (asyncio.selector_events, _SelectorSocketTransport).
 *
 * Invariant: close sends everything that was written before it ends the
 * connection. abort offers collected bytes to the system once, as asyncio's
 * write would have done, and drops the rest.
 */
#include "io/stream_transport.h"

#include "base/log.h"
#include "core/life.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/timers.h"
#include "io/stream_read.h"
#include "io/stream_write.h"

/* --- what the medium tells --- */

/* What the medium tells must wait for the drain, as it would run code of users,
 * and this is not called there. */
static inline bool transport_waits(const uva_transport_t *transport, int events)
{
    return UVA__UNLIKELY(transport->reads_in_drain) &&
           (events & UVA__MEDIUM_IN_DRAIN) == 0;
}

/* Read and send what the medium has told of and the transport still asks for:
 * whatever ran between may have paused or ended it. asyncio:
 * selector_events.py, remove_reader cancels the reader's handle. */
static void transport_told(uva_transport_t *transport, int events)
{
    if ((events & transport->events & UV_READABLE) != 0) {
        uva__transport_read(transport);
    }
    /* Asked again: a read may have lost the transport. */
    if ((events & transport->events & UV_WRITABLE) != 0) {
        uva__transport_writable(transport);
    }
}

/* The medium has an error, and is watched no more. The bytes that came before
 * it are read first, as far as they are wanted. The read or the send that finds
 * nothing else tells the error itself. */
static UVA__NOINLINE void transport_medium_failed(uva_transport_t *transport)
{
    int events = transport->events;

    if (transport_waits(transport, 0)) { /* It is not told in the drain. */
        uva__transport_push_told(transport, events);
    } else {
        transport_told(transport, events);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        /* Bytes are left: watch again, which events must not hide. */
        transport->events = 0;
        uva__transport_watch(transport);
    }
}

/* What a medium tells beside bytes to be read. */
static UVA__NOINLINE void transport_ready_more(uva_transport_t *transport,
                                               int events)
{
    if (UVA__UNLIKELY(events < 0)) {
        transport_medium_failed(transport);
        return;
    }
    if (UVA__UNLIKELY((events & UVA__MEDIUM_HOLDS) != 0)) {
        transport->blocked = true;
    }
    if (transport_waits(transport, events)) {
        uva__transport_push_told(transport, events & transport->events);
    } else {
        transport_told(transport, events);
    }
}

/* The uva__medium_ready_cb of a transport. Bytes for an input are nearly all
 * that is ever told: they are read here, as transport_told would. */
static void transport_ready(void *upper, int events)
{
    uva_transport_t *transport = upper;

    if (UVA__UNLIKELY(events != UV_READABLE || transport->reads_in_drain)) {
        transport_ready_more(transport, events);
    } else if ((transport->events & UV_READABLE) != 0) {
        uva__transport_read(transport);
    }
}

/* --- opening --- */

void uva__transport_open(uva_transport_t *transport)
{
    uva__medium_give(transport->medium, transport_ready, transport);
    if (transport->owner == NULL) {
        uva__list_append(&UVA__IO_OF(transport->loop)->transports,
                         &transport->link);
    }
    if (transport->filtering) {
        return; /* opening.c goes on when its filter is ready. */
    }
    if (uva__transport_hears(transport)) {
        uva__transport_push(transport); /* connection_made comes first. */
    } else {
        transport->state = UVA__TRANSPORT_OPEN;
        transport->made = true;
        uva__transport_watch(transport);
    }
}

/* --- ending --- */

void uva_transport_abort(uva_transport_t *transport)
{
    if (uva__loop_owned(transport->loop)) {
        uva__transport_send_collected(transport);
        uva__transport_fail(transport, 0);
    }
}

/* The peer has not taken in time what was left when the transport was closed.
 */
static void close_limit_fire(uva__timer_t *timer)
{
    uva__close_limit_t *limit =
        UVA__CONTAINER_OF(timer, uva__close_limit_t, timer);

    uva__transport_fail(limit->transport, UV_ETIMEDOUT);
}

/* Without memory for the timer the connection ends at once: without the limit
 * it might hold its descriptor for ever. */
static void transport_limit_close(uva_transport_t *transport)
{
    uva_loop_t *loop = transport->loop;
    uva__close_limit_t *limit = uva__transport_close_limit(transport);
    int r = uva__timer_start(loop, &limit->timer,
                             uva__loop_deadline(loop, limit->timeout_ns),
                             close_limit_fire);

    if (r < 0) {
        uva__transport_fail(transport, r);
    }
}

/* asyncio: selector_events.py, _SelectorTransport.close: with nothing to send
 * it is lost at once, else when the last byte has left. Reading ends here: the
 * flush asks the poll for what a CLOSING transport wants. */
void uva_transport_close(uva_transport_t *transport)
{
    if (!uva__loop_owned(transport->loop) ||
        transport->state >= UVA__TRANSPORT_CLOSING) {
        return;
    }
    transport->state = UVA__TRANSPORT_CLOSING;
    transport->ending = true;
    (void)uva__transport_flush(transport);
    if (transport->close_limited && transport->state < UVA__TRANSPORT_LOST) {
        transport_limit_close(transport);
    }
}

int uva_transport_write_eof(uva_transport_t *transport)
{
    if (!uva__loop_owned(transport->loop)) {
        return uva__bare(UV_EPERM);
    }
    if (!uva_transport_can_write_eof(transport)) {
        return uva__bare(UV_ENOTSUP);
    }
    if (transport->state >= UVA__TRANSPORT_CLOSING || transport->write_eof) {
        return 0;
    }
    if (transport->sends_file) {
        return uva__bare(UV_EBUSY);
    }
    if (transport->unreadable) {
        /* asyncio: unix_events.py, _UnixWritePipeTransport.close. */
        uva_transport_close(transport);
        return 0;
    }
    transport->write_eof = true; /* The flush shuts it if all is sent. */
    (void)uva__transport_flush(transport);
    return 0;
}

/* Drop a user's reference. asyncio: selector_events.py,
 * _SelectorTransport.__del__ warns and closes too; a close that has still to
 * send goes on without any reference. */
static void transport_drop(uva_transport_t *transport)
{
    if (--transport->refs > 0) {
        return;
    }
    if (transport->state < UVA__TRANSPORT_CLOSING) {
        if (transport->loop->debug.enabled) {
            uva__log(UVA_LOG_WARNING, "a connection was not closed");
        }
        uva_transport_close(transport);
    }
    uva__transport_maybe_free(transport);
}

uva_transport_t *uva_transport_unref(uva_transport_t *transport)
{
    if (transport != NULL && uva__loop_owned(transport->loop)) {
        /* The transport of a closed loop may be dropped by any thread. */
        uva_loop_t *entered = uva__loop_enter(transport->loop);
        transport_drop(transport);
        uva__loop_leave(entered);
    }
    return NULL;
}
