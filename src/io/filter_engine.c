/*
 * What an engine of a filter calls (uva/filters.h), inside its own calls or
 * later. medium_filter.c calls the engine.
 */
#include "io/filter_below.h"

#include "core/loop.h"

void uva_filter_ready(uva_filter_t *filter, int status)
{
    if (filter->phase != UVA__FILTER_OPENING) {
        return;
    }
    if (status < 0) {
        uva__filter_fail(filter, status);
    } else {
        uva__filter_set_phase(filter, UVA__FILTER_OPEN);
        uva__filter_queue(filter);
    }
}

int uva_filter_send(uva_filter_t *filter, const void *data, size_t size)
{
    int r = uva__flow_put(&filter->wire, filter->loop, data, size);

    uva__filter_flush(filter);
    return r;
}

void *uva_filter_send_room(uva_filter_t *filter,
                           size_t wanted_bytes,
                           size_t *ret_room)
{
    return uva__flow_room(&filter->wire, filter->loop, wanted_bytes, ret_room);
}

void uva_filter_send_filled(uva_filter_t *filter, size_t size)
{
    uva__flow_filled(&filter->wire, size);
    uva__filter_flush(filter);
}

/* The engine has given something to what stands above. */
static void filter_given(uva_filter_t *filter)
{
    if (filter->calls == 0) { /* Later, by itself. */
        uva__filter_queue(filter);
    }
}

int uva_filter_give(uva_filter_t *filter, const void *data, size_t size)
{
    int r = uva__flow_put(&filter->plain, filter->loop, data, size);

    filter_given(filter);
    return r;
}

void *uva_filter_give_room(uva_filter_t *filter,
                           size_t wanted_bytes,
                           size_t *ret_room)
{
    return uva__flow_room(&filter->plain, filter->loop, wanted_bytes, ret_room);
}

void uva_filter_give_filled(uva_filter_t *filter, size_t size)
{
    uva__flow_filled(&filter->plain, size);
    filter_given(filter);
}

void uva_filter_eof(uva_filter_t *filter)
{
    filter->eof = true;
    filter_given(filter);
}

void uva_filter_closed(uva_filter_t *filter)
{
    if (filter->phase == UVA__FILTER_OPEN ||
        filter->phase == UVA__FILTER_CLOSING) {
        uva__filter_set_phase(filter, UVA__FILTER_CLOSED);
        uva__filter_queue(filter);
    }
}

int uva_filter_unread(uva_filter_t *filter, const void *data, size_t size)
{
    return uva__flow_put(&filter->unread, filter->loop, data, size);
}

uva_transport_t *uva_filter_transport(const uva_filter_t *filter)
{
    return filter->transport;
}
