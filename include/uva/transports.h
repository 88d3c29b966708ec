/**
 * @file
 * Transports: a connection's lower half. Bytes go in without waiting and leave
 * when the peer takes them; high and low marks say when to wait.
 *
 * Small writes between two looks of the loop at the outside leave together, in
 * one system call; larger ones leave at once, with what stands before them.
 */
#ifndef UVA_TRANSPORTS_H
#define UVA_TRANSPORTS_H

#include "uva/errors.h"
#include "uva/events.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Kinds of internet addresses. */
typedef enum uva_family_e {
    UVA_FAMILY_ANY,
    UVA_FAMILY_IPV4,
    UVA_FAMILY_IPV6
} uva_family_t;

/** The address of one end of a connection. */
typedef struct uva_address_s {
    char host[64]; /* Numeric: "127.0.0.1", "::1", "fe80::1%eth0". */
    uint16_t port; /* In the order of the host. */
    uva_family_t family;
} uva_address_t;

/** Take a reference. @return transport itself; NULL for NULL. */
UVA_EXTERN uva_transport_t *uva_transport_ref(uva_transport_t *transport);
/** Drop a reference; the last one of an open transport closes it and warns in
 * debug mode. @return NULL. */
UVA_EXTERN uva_transport_t *uva_transport_unref(uva_transport_t *transport);
/** Borrowed. */
UVA_EXTERN uva_loop_t *uva_transport_get_loop(const uva_transport_t *transport);

/** The descriptor of the socket, to look at; -1 once it is closed.
 * @asyncio get_extra_info('socket') */
UVA_EXTERN int uva_transport_fileno(const uva_transport_t *transport);
/** The address of the peer. @retval UV_ENOTCONN There is none any more.
 * @asyncio get_extra_info('peername') */
UVA_EXTERN int uva_transport_get_peername(const uva_transport_t *transport,
                                          uva_address_t *ret_address);
/** The address of this end. @asyncio get_extra_info('sockname') */
UVA_EXTERN int uva_transport_get_sockname(const uva_transport_t *transport,
                                          uva_address_t *ret_address);

/**
 * Stop reading, send what was written, close. Idempotent.
 * @suspends Never.
 * @asyncio BaseTransport.close
 */
UVA_EXTERN void uva_transport_close(uva_transport_t *transport);
/** Close at once; what was not sent is dropped.
 * @asyncio WriteTransport.abort */
UVA_EXTERN void uva_transport_abort(uva_transport_t *transport);
/** Whether it is closing or closed. @asyncio BaseTransport.is_closing */
UVA_EXTERN bool uva_transport_is_closing(const uva_transport_t *transport);

/** Whether it reads: open and not paused. @asyncio ReadTransport.is_reading */
UVA_EXTERN bool uva_transport_is_reading(const uva_transport_t *transport);
/** Read no more until resumed; idempotent, nothing when closing.
 * @asyncio ReadTransport.pause_reading */
UVA_EXTERN void uva_transport_pause_reading(uva_transport_t *transport);
/** Read again; idempotent. @asyncio ReadTransport.resume_reading */
UVA_EXTERN void uva_transport_resume_reading(uva_transport_t *transport);

/**
 * Send bytes, or keep a copy of those that cannot leave yet.
 *
 * On a connection that is lost they are dropped, with a warning from the fifth
 * call on.
 *
 * @retval UV_EPERM  After write_eof.
 * @retval UV_ENOMEM Nothing was kept; if some of it was sent already, the
 *                   connection is lost too.
 * @suspends Never.
 * @asyncio WriteTransport.write
 */
UVA_EXTERN int uva_transport_write(uva_transport_t *transport, const void *data,
                                   size_t size);
/** The same for several pieces, as one.
 * @asyncio WriteTransport.writelines */
UVA_EXTERN int uva_transport_writelines(uva_transport_t *transport,
                                        const uva_bytes_t *lines, size_t count);
/**
 * Send end of stream behind what was written; reading goes on. Idempotent.
 * @asyncio WriteTransport.write_eof
 */
UVA_EXTERN int uva_transport_write_eof(uva_transport_t *transport);
/** Always true for TCP. @asyncio WriteTransport.can_write_eof */
UVA_EXTERN bool uva_transport_can_write_eof(const uva_transport_t *transport);

/**
 * Set the marks of unsent bytes: above high_bytes writers should wait, at
 * low_bytes they go on. SIZE_MAX for one of them derives it from the other
 * (low = high / 4, high = 4 * low), for both gives the defaults.
 *
 * @retval UV_EINVAL high_bytes < low_bytes. Unchanged.
 * @asyncio WriteTransport.set_write_buffer_limits
 */
UVA_EXTERN int uva_transport_set_write_buffer_limits(uva_transport_t *transport,
                                                     size_t high_bytes,
                                                     size_t low_bytes);
/** @asyncio WriteTransport.get_write_buffer_limits */
UVA_EXTERN void
uva_transport_get_write_buffer_limits(const uva_transport_t *transport,
                                      size_t *ret_high_bytes,
                                      size_t *ret_low_bytes);
/** Bytes that were written and not sent.
 * @asyncio WriteTransport.get_write_buffer_size */
UVA_EXTERN size_t
uva_transport_get_write_buffer_size(const uva_transport_t *transport);

/** private: memory for bytes from the loop's reserve, for a protocol that
 * stands on a transport. size: in, what is needed; out, what there is. NULL
 * without memory. A NULL transport has no reserve. */
UVA_EXTERN uint8_t *uva__transport_buffer(uva_transport_t *transport,
                                          size_t *size);
/** private: give it back; size as it came out. */
UVA_EXTERN void uva__transport_buffer_return(uva_transport_t *transport,
                                             uint8_t *data, size_t size);
/** private: send what can leave now. @return Whether nothing is left. */
UVA_EXTERN bool uva__transport_flush(uva_transport_t *transport);
/** private: the state of the protocol that stands on it. */
UVA_EXTERN void *uva__transport_state(uva_transport_t *transport);
/** private: why it was lost; 0 if it was not, or by a close. */
UVA_EXTERN int uva__transport_status(const uva_transport_t *transport);
/** private: keep it until a task has ended, then report a failure of that and
 * close. */
UVA_EXTERN void uva__transport_serve(uva_transport_t *transport,
                                     uva_task_t *take_task);
/** private: whether the running task is that one. */
UVA_EXTERN bool uva__transport_served(const uva_transport_t *transport);

UVA_END_DECLS

#endif /* UVA_TRANSPORTS_H */
