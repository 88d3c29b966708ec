/*
 * Reading a connected socket.
 */
#ifndef UVA__IO_STREAM_READ_H
#define UVA__IO_STREAM_READ_H

#include "core/loop.h"
#include "io/transports.h"

/** The socket has bytes, or its end: read, or wait for the next budget. */
void uva__transport_read(uva_transport_t *transport);
/** A send has failed: read what came before, whether a task wants it or not, as
 * far as reading ahead goes. */
void uva__transport_read_ahead(uva_transport_t *transport);
/** The tasks that waited for the bytes of this turn have run: the read budget
 * is whole again. */
void uva__reads_renew(uva__flush_t *renew);

#endif /* UVA__IO_STREAM_READ_H */
