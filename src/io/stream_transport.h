/*
 * A transport of a stream of bytes: how it opens. uva/transports.h has how it
 * is closed.
 */
#ifndef UVA__IO_STREAM_TRANSPORT_H
#define UVA__IO_STREAM_TRANSPORT_H

#include "io/transports.h"

/**
 * The connection is there. A transport whose consumer hears connection_made
 * queues it and reads after it; any other is OPEN and read from here on.
 *
 * A connected transport is in no list yet, an accepted one in its owner's.
 */
void uva__transport_open(uva_transport_t *transport);

#endif /* UVA__IO_STREAM_TRANSPORT_H */
