/*
 * A transport of a stream of bytes: how it opens. uva/transports.h has how it
 * is closed.
 */
#ifndef UVA__IO_STREAM_TRANSPORT_H
#define UVA__IO_STREAM_TRANSPORT_H

#include "io/transports.h"

/**
 * The connection is there. An accepted transport queues connection_made and
 * reads after it; a connected one is OPEN and read from here on.
 *
 * The transport is CONNECTING and in no list, or ACCEPTED and in its owner's.
 */
void uva__transport_open(uva_transport_t *transport);

#endif /* UVA__IO_STREAM_TRANSPORT_H */
