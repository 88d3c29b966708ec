/*
 * Reading a connected socket. The bytes go to the transport's input, which
 * wakes the task that waits for them; no code of a user runs in here.
 */
#ifndef UVA__IO_STREAM_READ_H
#define UVA__IO_STREAM_READ_H

#include "core/loop.h"
#include "io/transports.h"

/** The poll says that the socket has bytes, its end, or an error: read it, or
 * defer it to the next budget. The transport may be LOST afterwards. Its
 * events must hold UV_READABLE. */
void uva__transport_read(uva_transport_t *transport);
/** A send has failed: read what the peer sent before, without a budget, until
 * the input is full. The caller ends the transport afterwards. */
void uva__transport_read_ahead(uva_transport_t *transport);
/** The flush of uva__io_t.renew, at the end of a turn: the tasks that waited
 * for the bytes of this turn have run, so the read budget is whole again. */
void uva__reads_renew(uva__flush_t *renew);

#endif /* UVA__IO_STREAM_READ_H */
