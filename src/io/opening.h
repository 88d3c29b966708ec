/*
 * Connections that begin with a filter.
 */
#ifndef UVA__IO_OPENING_H
#define UVA__IO_OPENING_H

#include "io/transports.h"

/** uva__transport_open for a transport whose owner has a filter: the filter is
 * pushed in the drain, and connection_made comes once it is ready. If it fails
 * the consumer hears nothing. */
void uva__opening_accept(uva_transport_t *transport);
/**
 * uva__transport_open for a connection with a filter. connection_made, if the
 * consumer hears it, comes before a task that on_phase wakes goes on.
 *
 * @param kind     Borrowed until the connection is closed.
 * @param on_phase Called with data when the filter is ready or has failed, or
 *                 the transport is lost; not by this call.
 * @retval 0         The node is queued, or on_phase will tell.
 * @retval UV_ENOMEM The transport is to be abandoned, as is one whose task
 *                   does not wait for it any more.
 */
int uva__opening_connect(uva_transport_t *transport,
                         const uva_filter_kind_t *kind,
                         const char *host,
                         void (*on_phase)(void *data),
                         void *data);
/** Close at once a connection whose filter is not ready: its consumer hears
 * nothing, nor does on_phase. */
void uva__opening_abandon(uva_transport_t *transport);

#endif /* UVA__IO_OPENING_H */
