/*
 * Connections that begin with a filter (asyncio.base_events,
 * create_connection and create_server with ssl; asyncio.sslproto, its
 * handshake).
 *
 * Invariant: until its filter is ready a transport is ACCEPTED, not made, and
 * filtering, and its node runs here. Its consumer has heard nothing; if it is
 * lost, it never does.
 */
#include "io/opening.h"

#include "base/log.h"
#include "core/reports.h"
#include "io/medium_filter.h"
#include "io/stream_transport.h"

/* A server goes on when one of its connections has failed so. A peer can cause
 * that at will, so it must not fill a log. asyncio: selector_events.py,
 * _accept_connection2, which reports it in debug mode; sslproto.py,
 * _fatal_error. */
static void opening_log(const uva_transport_t *transport)
{
    char where[UVA__ADDRESS_TEXT];

    uva__peer_format(&transport->peer, where);
    uva__log(UVA_LOG_DEBUG, "the connection with %s has not opened: %s (%s)",
             where, uva_strerror(transport->status),
             uva_err_name(transport->status));
}

static void opening_on_phase(void *data)
{
    uva__transport_push(data);
}

/* Put the filter on the transport. */
static int opening_begin(uva_transport_t *transport,
                         const uva_filter_kind_t *kind,
                         bool is_server,
                         const char *host)
{
    int r = uva__filter_new(transport, &transport->medium, &transport->out,
                            kind, is_server, host);

    if (r >= 0 && transport->state < UVA__TRANSPORT_LOST) {
        uva_filter_t *filter = uva__filter_of(transport->medium);
        filter->on_phase = opening_on_phase;
        filter->on_phase_data = transport;
        if (filter->phase != UVA__FILTER_OPENING) {
            uva__transport_push(transport);
        }
    }
    return r;
}

/* In the drain: the filter of an accepted transport is to be pushed, or a
 * filter is ready or has failed. */
static void opening_step(uva_transport_t *transport)
{
    uva_filter_t *filter = uva__filter_of(transport->medium);
    int r = 0;

    if (filter == NULL) {
        r = opening_begin(transport, transport->owner->filter, true, NULL);
    } else if (filter->status < 0) {
        r = filter->status;
    } else if (filter->phase != UVA__FILTER_OPENING) {
        filter->on_phase = NULL;
        uva__transport_begin(transport);
    }
    if (r < 0) { /* The node comes again. */
        uva__transport_fail(transport, r);
    }
}

static void opening_run(uva__ready_t *ready)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(ready, uva_transport_t, ready);
    uva_loop_t *loop = transport->loop;
    int status = transport->owner == NULL ? 0 : transport->status;

    transport->queued = false;
    if (transport->state < UVA__TRANSPORT_LOST) {
        opening_step(transport);
        return;
    }
    if (status < 0) {
        opening_log(transport);
    }
    uva__transport_end(transport);
    if (status < 0 && loop->debug.enabled) {
        uva__report(loop, NULL, status,
                    "Error on transport creation for incoming connection");
    }
}

static void opening_drop(uva__ready_t *ready)
{
    uva_transport_t *transport =
        UVA__CONTAINER_OF(ready, uva_transport_t, ready);

    transport->queued = false;
    if (transport->state == UVA__TRANSPORT_LOST) {
        uva__transport_end(transport);
    }
}

static const uva__ready_ops_t opening_ops = {.run = opening_run,
                                             .drop = opening_drop};

/* Open a transport whose consumer is not to hear of it yet. */
static void opening_open(uva_transport_t *transport)
{
    transport->filtering = true;
    transport->ready.ops = &opening_ops;
    uva__transport_open(transport);
}

void uva__opening_accept(uva_transport_t *transport)
{
    opening_open(transport);
    uva__transport_push(transport);
}

int uva__opening_connect(uva_transport_t *transport,
                         const uva_filter_kind_t *kind,
                         const char *host,
                         void (*on_phase)(void *data),
                         void *data)
{
    int r;

    opening_open(transport);
    r = opening_begin(transport, kind, false, host);
    if (r >= 0 && !transport->queued) {
        uva_filter_t *filter = uva__filter_of(transport->medium);
        filter->on_phase = on_phase;
        filter->on_phase_data = data;
    }
    return r;
}

void uva__opening_abandon(uva_transport_t *transport)
{
    if (transport->state < UVA__TRANSPORT_LOST) {
        uva_filter_t *filter = uva__filter_of(transport->medium);
        if (filter != NULL) {
            filter->on_phase = NULL;
        }
    }
    uva__transport_fail(transport, 0);
}
