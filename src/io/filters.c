/*
 * Pushing filters on transports that live, and popping them again (asyncio:
 * base_events.py, loop.start_tls, which makes a new transport instead).
 *
 * Invariant: while a task waits here, the transport is kept, and no other task
 * may push or pop (transport->filtering). If the task is cancelled the
 * connection is aborted, as the peer is in the middle of something.
 */
#include <string.h>

#include "core/owner.h"
#include "io/input.h"
#include "io/medium_filter.h"
#include "io/medium_unread.h"
#include "io/stream_write.h"
#include "io/transports.h"

typedef struct change_s {
    uva_transport_t *transport; /* Counted. */
    uva_filter_t *filter;       /* Borrowed; NULL once its end was told. */
    uva_waiter_t *waiter;       /* Borrowed: of the task that waits. */
    uva__filter_phase_t wanted; /* The phase that ends the wait. */
    int status;                 /* Of the filter, once its end was told. */
} change_t;

/* The filter has come to a phase, or has failed. A failure is kept here, as the
 * filter goes with its transport. */
static void change_on_phase(void *data)
{
    change_t *change = data;
    uva_filter_t *filter = change->filter;

    if (filter->status < 0) {
        change->status = filter->status;
        filter->on_phase = NULL;
        change->filter = NULL;
    }
    (void)uva_waiter_wake(change->waiter);
}

/* Why a transport may not be changed, or 0. */
static int change_refused(const uva_transport_t *transport)
{
    if (uva__task_current() == NULL) {
        return UVA_ENOTASK;
    }
    if (!uva__loop_owned(transport->loop)) {
        return UV_EPERM;
    }
    return !transport->made || transport->filtering || transport->write_eof ||
                   transport->sends_file ||
                   transport->state >= UVA__TRANSPORT_CLOSING
               ? UV_EPERM
               : 0;
}

/* Begin to wait for a phase of a filter. */
static int
change_begin(void **op, uva_transport_t *transport, uva__filter_phase_t wanted)
{
    change_t *change = uva__slab_get(&transport->loop->slab, sizeof *change);

    if (change == NULL) {
        return UV_ENOMEM;
    }
    *change = (change_t){.transport = uva_transport_ref(transport),
                         .waiter = uva_waiter_current(),
                         .wanted = wanted};
    transport->filtering = true;
    *op = change;
    return 0;
}

/* The last call, with its result. */
static int change_end(void **op, int r)
{
    change_t *change = *op;
    uva_transport_t *transport = change->transport;

    *op = NULL;
    transport->filtering = false;
    if (change->filter != NULL) {
        change->filter->on_phase = NULL;
    }
    if (r == UV_ECANCELED) {
        uva__transport_fail(transport, 0);
    } else if (r >= 0) { /* What was written meanwhile, and its end. */
        (void)uva__transport_flush(transport);
        if (transport->ends_idle) { /* It may be idle only from now on. */
            uva__transport_end_idle(transport);
        }
    }
    uva__slab_put(&transport->loop->slab, change, sizeof *change);
    (void)uva_transport_unref(transport);
    return uva__bare(r);
}

/* Wait until the filter has come so far. @return 0, UVA_PENDING, or a code. */
static int change_wait(change_t *change)
{
    const uva_filter_t *filter = change->filter;
    bool sent;

    if (filter == NULL) {
        return change->status;
    }
    if (filter->status < 0) {
        return filter->status;
    }
    sent = change->wanted == UVA__FILTER_OPEN || uva__filter_held(filter) == 0;
    if (filter->phase >= change->wanted && sent && filter->send_status == 0) {
        return 0;
    } /* A send that has failed fails the filter in the drain. */
    return uva_waiter_suspend(change->waiter, NULL, NULL);
}

/* The task runs again. */
static int change_resumed(change_t *change)
{
    int r = uva_waiter_finish(change->waiter);

    return r < 0 ? r : change_wait(change);
}

/* --- push --- */

static size_t transport_filter_count(const uva_transport_t *transport)
{
    size_t count = 0;

    for (uva__medium_t *medium = transport->medium; medium != NULL;
         medium = uva__medium_next(medium)) {
        count += uva__filter_of(medium) != NULL;
    }
    return count;
}

/* Put the filter on the transport, above what was read ahead. */
static int push_begin(change_t *change,
                      const uva_filter_kind_t *kind,
                      bool is_server,
                      const char *host)
{
    uva_transport_t *transport = change->transport;
    int r = 0;

    uva__transport_send_collected(transport);
    if (transport->state >= UVA__TRANSPORT_LOST) {
        return transport->status < 0 ? transport->status : UV_ECONNABORTED;
    }
    if (transport->in != NULL) {
        r = uva__medium_unread_input(&transport->medium, transport->in);
    }
    if (r >= 0) {
        r = uva__filter_new(transport, &transport->medium, &transport->out,
                            kind, is_server, host);
    }
    if (transport->state >= UVA__TRANSPORT_LOST) { /* By start. */
        return transport->status < 0 ? transport->status : UV_ECONNABORTED;
    }
    transport->events = 0;       /* Those of the medium below. */
    if (transport->in != NULL) { /* The end comes again, behind the bytes. */
        transport->read_eof = false;
    }
    if (r >= 0 && transport->in != NULL) {
        uva__input_go_on(transport->in);
    }
    if (r >= 0) {
        change->filter = uva__filter_of(transport->medium);
        change->filter->on_phase = change_on_phase;
        change->filter->on_phase_data = change;
    }
    uva__transport_watch(transport);
    return r;
}

int uva_transport_push_filter_poll(uva_filter_op_t *op,
                                   uva_transport_t *transport,
                                   const uva_filter_kind_t *kind,
                                   bool is_server,
                                   const char *host)
{
    int r;

    if (op->state != NULL) {
        r = change_resumed(op->state);
    } else {
        r = change_refused(transport);
        if (r >= 0 && (kind == NULL || !uva__filter_kind_fits(kind))) {
            r = UV_EINVAL;
        }
        if (r >= 0 && (transport->unreadable || transport->unwritable)) {
            r = UV_ENOTSUP; /* An engine talks in both directions. */
        }
        if (r >= 0 && transport_filter_count(transport) >= UVA_FILTERS_MOST) {
            r = UV_E2BIG;
        }
        if (r >= 0) {
            r = change_begin(&op->state, transport, UVA__FILTER_OPEN);
        }
        if (r < 0) {
            return uva__bare(r);
        }
        r = push_begin(op->state, kind, is_server, host);
        r = r < 0 ? r : change_wait(op->state);
    }
    return r == UVA_PENDING ? r : change_end(&op->state, r);
}

int uva_transport_push_filter(uva_transport_t *transport,
                              const uva_filter_kind_t *kind,
                              bool is_server,
                              const char *host)
{
    uva_filter_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_transport_push_filter, &op, transport, kind, is_server,
              host);
    return r;
}

/* --- pop --- */

/* Where the last filter of a transport is kept; NULL if there is none. */
static uva__medium_t **transport_last_filter(uva_transport_t *transport)
{
    uva__medium_t **place = &transport->medium;

    while (place != NULL && *place != NULL && uva__filter_of(*place) == NULL) {
        place = uva__medium_below(*place);
    }
    return place == NULL || *place == NULL ? NULL : place;
}

/* Leave a filter that is closed and has sent all: the medium below takes its
 * place in *medium. In front of it is what the filter has given and nobody has
 * taken, then what it has not read itself. @return 0, or UV_ENOMEM with nothing
 * changed. */
static int pop_leave(uva_filter_t *self, uva__medium_t **medium)
{
    uva__medium_t *below = self->below;
    int r = 0;

    if (self->unread.bytes.bytes > 0) {
        r = uva__medium_unread(&below, self->loop, &self->unread.bytes);
    }
    if (r >= 0 && self->plain.bytes.bytes > 0) {
        r = uva__medium_unread(&below, self->loop, &self->plain.bytes);
    }
    if (r < 0) {
        self->below = below; /* What was given back stays there. */
        return r;
    }
    (void)below->ops->watch(below, 0);
    uva__medium_give(below, self->base.ready, self->base.upper);
    self->below = NULL;
    self->base.ready = NULL;
    *medium = below;
    uva__filter_queue(self); /* The node frees it. */
    return 0;
}

/* Let the engine have all that was written, then close it. What was written for
 * an engine that is closed already must not leave without it. */
static void pop_begin(change_t *change)
{
    uva_transport_t *transport = change->transport;
    uva_filter_t *filter = uva__filter_of(*transport_last_filter(transport));

    change->filter = filter;
    filter->on_phase = change_on_phase;
    filter->on_phase_data = change;
    if (filter->phase == UVA__FILTER_OPEN) {
        uva__filter_write_all(filter, &transport->out);
    } else if (transport->out.bytes > 0) {
        uva__filter_fail(filter, UV_EPIPE);
    }
    uva__filter_close(filter);
}

/* The filter has said goodbye: go on with the medium below. */
static int pop_finish(change_t *change)
{
    uva_transport_t *transport = change->transport;
    uva__medium_t **place = transport_last_filter(transport);
    int r = pop_leave(change->filter, place);

    if (r >= 0) {
        change->filter = NULL;
        transport->events = 0;
        transport->read_eof = false;
        if (transport->in != NULL) {
            uva__input_go_on(transport->in);
        }
        transport->blocked = false;
        uva__transport_watch(transport);
    }
    return r;
}

int uva_transport_pop_filter_poll(uva_filter_op_t *op,
                                  uva_transport_t *transport)
{
    int r;

    if (op->state != NULL) {
        r = change_resumed(op->state);
    } else {
        r = change_refused(transport);
        if (r >= 0 && transport_last_filter(transport) == NULL) {
            r = UV_ENOENT;
        }
        if (r >= 0) {
            r = change_begin(&op->state, transport, UVA__FILTER_CLOSED);
        }
        if (r < 0) {
            return uva__bare(r);
        }
        pop_begin(op->state);
        r = change_wait(op->state);
    }
    if (r == 0) {
        r = pop_finish(op->state);
    }
    return r == UVA_PENDING ? r : change_end(&op->state, r);
}

int uva_transport_pop_filter(uva_transport_t *transport)
{
    uva_filter_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_transport_pop_filter, &op, transport);
    return r;
}

/* --- asking --- */

int uva_transport_get_extra(const uva_transport_t *transport,
                            unsigned key,
                            void *ret_value)
{
    for (uva__medium_t *medium = transport->medium; medium != NULL;
         medium = uva__medium_next(medium)) {
        const uva_filter_t *filter = uva__filter_of(medium);
        if (filter != NULL && filter->started &&
            filter->kind->ops->extra != NULL) {
            int r = filter->kind->ops->extra(filter->state, key, ret_value);
            if (r != UV_ENOTSUP) {
                return r;
            }
        }
    }
    return uva__bare(UV_ENOTSUP);
}
