/*
 * A transport of a stream of bytes: how it opens.
 */
#ifndef UVA__IO_STREAM_TRANSPORT_H
#define UVA__IO_STREAM_TRANSPORT_H

#include "io/transports.h"

/** A connection is there: begin to read, after connection_made if it was
 * accepted. */
void uva__transport_open(uva_transport_t *transport);

#endif /* UVA__IO_STREAM_TRANSPORT_H */
