/*
 * A connected socket as a transport of bytes: what opens it, what its poll
 * says, what ends it (_SelectorSocketTransport of asyncio.selector_events).
 *
 * Invariant: close sends what was written before it ends the connection; abort
 * sends what a task has collected, once, and drops the rest.
 */
#include "io/stream_transport.h"

#include "base/log.h"
#include "core/life.h"
#include "core/owner.h"
#include "io/stream_read.h"
#include "io/stream_write.h"

/* --- opening and polling --- */

/* A socket with an error ends libuv's watch of it. Its reader gets what came
 * before first, within the budget, as far as it is wanted; the read or the send
 * that finds nothing else tells the error. */
static UVA__NOINLINE void transport_poll_failed(uva_transport_t *transport)
{
    if ((transport->events & UV_READABLE) != 0) {
        uva__transport_read(transport);
    }
    if ((transport->events & UV_WRITABLE) != 0) {
        uva__transport_writable(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        transport->events = 0;
        uva__transport_watch(transport);
    }
}

static void transport_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva_transport_t *transport = UVA__CONTAINER_OF(poll, uva_transport_t, poll);

    if (UVA__UNLIKELY(status < 0)) {
        transport_poll_failed(transport);
        return;
    }
    /* The events that are asked for may have changed since the poll, and change
     * by the read. */
    if ((events & transport->events & UV_READABLE) != 0) {
        uva__transport_read(transport);
    }
    if ((events & transport->events & UV_WRITABLE) != 0) {
        uva__transport_writable(transport);
    }
}

void uva__transport_open(uva_transport_t *transport)
{
    transport->poll_cb = transport_poll_cb;
    if (transport->of.owner != NULL) {
        uva__transport_push(transport); /* connection_made comes first. */
        return;
    }
    transport->state = UVA__TRANSPORT_OPEN;
    transport->made = true;
    uva__list_append(&UVA__IO_OF(transport->loop)->transports,
                     &transport->link);
    uva__transport_watch(transport);
}

/* --- ending --- */

void uva_transport_abort(uva_transport_t *transport)
{
    if (uva__loop_owned(transport->loop)) {
        uva__transport_send_collected(transport);
        uva__transport_fail(transport, 0);
    }
}

void uva_transport_close(uva_transport_t *transport)
{
    if (!uva__loop_owned(transport->loop) ||
        transport->state >= UVA__TRANSPORT_CLOSING) {
        return;
    }
    transport->state = UVA__TRANSPORT_CLOSING;
    transport->ending = true;
    (void)uva__transport_flush(transport);
}

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
        uva_loop_t *entered = uva__loop_enter(transport->loop);
        transport_drop(transport);
        uva__loop_leave(entered);
    }
    return NULL;
}
