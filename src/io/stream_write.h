/*
 * Writing to a connected socket: what other files of io call. uva/transports.h
 * has the calls of users.
 */
#ifndef UVA__IO_STREAM_WRITE_H
#define UVA__IO_STREAM_WRITE_H

#include "core/object.h"
#include "io/transports.h"

/* Writes of a running task that are shorter than this are collected, and leave
 * together when the task suspends or ends. */
#define UVA__SMALL_BYTES 1024u

/** Send what can leave now; nothing on a lost transport. A CLOSING transport
 * whose last byte leaves is LOST afterwards. @return Whether nothing is unsent.
 */
bool uva__transport_flush(uva_transport_t *transport);
/** Send bytes that were collected and not yet offered to the system, so that
 * the caller finds the transport as asyncio's would be after write. */
void uva__transport_send_collected(uva_transport_t *transport);
/** uva_transport_write for the task that sends a file; size is above 0, and the
 * transport is not LOST. */
int uva__transport_send_piece(uva_transport_t *transport,
                              const void *data,
                              size_t size);
/** The poll says that the system takes more. */
void uva__transport_writable(uva_transport_t *transport);
/** The ops of uva__io_t.send, the node that flushes all dirty transports. */
extern const uva__ready_ops_t uva__writes_send_ops;

#endif /* UVA__IO_STREAM_WRITE_H */
