/*
 * One consumer of a transport takes the place of another (asyncio.transports,
 * BaseTransport.set_protocol).
 *
 * Invariant: no byte is lost. What the input of the last consumer holds goes
 * back into the medium, where the next one finds it; an end of stream is
 * received again. On a transport that is closing nothing is left to read; the
 * next consumer hears of the loss.
 */
#include "base/alloc.h"
#include "io/input.h"
#include "io/medium_filter.h"
#include "io/medium_unread.h"
#include "io/transports.h"

/* Keep what the state behind the transport is of, as another consumer comes. */
static int transport_remember(uva_transport_t *transport)
{
    int r = uva__transport_more(transport);

    if (r >= 0 && transport->more->born == NULL) {
        transport->more->born = transport->ops;
    }
    return r;
}

/* Whether an engine of a filter is being called: the bytes of that call have
 * their place in the consumer that asked for them. */
static bool transport_in_engine(const uva_transport_t *transport)
{
    for (uva__medium_t *medium = transport->medium; medium != NULL;
         medium = uva__medium_next(medium)) {
        const uva_filter_t *filter = uva__filter_of(medium);
        if (filter != NULL && filter->calls > 0) {
            return true;
        }
    }
    return false;
}

int uva__transport_replace(uva_transport_t *transport,
                           const uva__consumer_ops_t *ops,
                           void *consumer)
{
    uva__input_t *old = transport->in;
    bool paused = old != NULL && old->paused;
    bool reads = transport->state < UVA__TRANSPORT_CLOSING;
    int r = transport_in_engine(transport) ? UV_EPERM
                                           : transport_remember(transport);

    if (r >= 0 && old != NULL && reads) {
        r = uva__medium_unread_input(&transport->medium, old);
    }
    if (r < 0) {
        return r;
    }
    if (paused) { /* The input did: nobody else would resume it. */
        old->paused = false;
        transport->reading_paused = false;
    }
    transport->ops->replaced(transport->consumer);
    transport->ops = ops;
    transport->consumer = consumer;
    uva__transport_set_input(transport, NULL);
    if (reads) {
        transport->read_eof = false;
        transport->events = 0; /* Of the medium below: ask the new one. */
        uva__transport_watch(transport);
    }
    return 0;
}

/* The state for a consumer of a factory: that behind the transport if it was
 * made with the same factory, else the one beside it. NULL without memory. */
static void *transport_state_for(uva_transport_t *transport,
                                 const uva__factory_t *factory)
{
    uva__more_t *more;

    if (transport_remember(transport) < 0) {
        return NULL;
    }
    more = transport->more;
    if (more->born == factory->ops) {
        return uva__transport_behind(transport);
    }
    if (more->beside == NULL) {
        more->beside = uva__calloc(1, factory->state_bytes);
        more->beside_ops = more->beside == NULL ? NULL : factory->ops;
    }
    return more->beside;
}

int uva__transport_stand(uva_transport_t *transport,
                         const uva__factory_t *factory,
                         size_t limit_bytes,
                         void **ret_state)
{
    void *state;

    if (!transport->made) {
        return UV_EPERM;
    }
    state = transport_state_for(transport, factory);
    if (state == NULL) {
        return UV_ENOMEM;
    }
    if (transport->consumer != state) {
        int r = uva__transport_replace(transport, factory->ops, state);
        if (r < 0) {
            return r;
        }
        factory->ops->init(state, transport, factory, limit_bytes);
    }
    *ret_state = state;
    return 0;
}
