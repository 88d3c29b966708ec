/*
 * Writing to a connected socket.
 */
#ifndef UVA__IO_STREAM_WRITE_H
#define UVA__IO_STREAM_WRITE_H

#include "core/object.h"
#include "io/transports.h"

/* Writes of a running task that are shorter than this are collected. */
#define UVA__SMALL_BYTES 1024u

/** Send what can leave now. @return Whether nothing is left to send. */
bool uva__transport_flush(uva_transport_t *transport);
/** Send what was only collected. */
void uva__transport_send_collected(uva_transport_t *transport);
/** The system takes more. */
void uva__transport_writable(uva_transport_t *transport);
/** The node that flushes all transports that have collected bytes. */
extern const uva__ready_ops_t uva__writes_send_ops;

#endif /* UVA__IO_STREAM_WRITE_H */
