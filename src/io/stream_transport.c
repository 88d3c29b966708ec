/*
 * A connected socket as a transport of bytes: what opens it, what its poll
 * says, what ends it (asyncio.selector_events, _SelectorSocketTransport).
 *
 * Invariant: close sends everything that was written before it ends the
 * connection. abort offers collected bytes to the system once, as asyncio's
 * write would have done, and drops the rest.
 */
#include "io/stream_transport.h"

#include "base/log.h"
#include "core/life.h"
#include "core/owner.h"
#include "io/stream_read.h"
#include "io/stream_write.h"

/* --- opening and polling --- */

/* The poll says that the socket has an error; libuv has stopped the poll then
 * (uv_poll_cb with a status). The bytes that came before it are read first, as
 * far as they are wanted. The read or the send that finds nothing else tells
 * the error itself, so status is not looked at. */
static UVA__NOINLINE void transport_poll_failed(uva_transport_t *transport)
{
    if ((transport->events & UV_READABLE) != 0) {
        uva__transport_read(transport);
    }
    if ((transport->events & UV_WRITABLE) != 0) {
        uva__transport_writable(transport);
    }
    if (transport->state < UVA__TRANSPORT_LOST) {
        /* Bytes are left: start the poll again, which events must not hide. */
        transport->events = 0;
        uva__transport_watch(transport);
    }
}

/* The callback of an open transport's poll. Runs inside libuv, in no task. */
static void transport_poll_cb(uv_poll_t *poll, int status, int events)
{
    uva_transport_t *transport = UVA__CONTAINER_OF(poll, uva_transport_t, poll);

    if (UVA__UNLIKELY(status < 0)) {
        transport_poll_failed(transport);
        return;
    }
    /* transport->events is looked at each time: the poll's events were
     * collected before other callbacks ran, and a read may pause or lose the
     * transport. */
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
    if (transport->of.owner != NULL) {  /* A server has accepted it. */
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
