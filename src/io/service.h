/*
 * io's part of a loop, made when the loop opens its first transport.
 */
#ifndef UVA__IO_SERVICE_H
#define UVA__IO_SERVICE_H

#include "io/io.h"

/**
 * Find io's part of a loop; make it if there is none. The loop owns it, and
 * frees it when the loop is closed. Every operation that may be a loop's first
 * one of io calls this, or uva__io_get_sockets, before it touches UVA__IO_OF.
 *
 * @retval UV_EPERM   The loop is closing, and had none.
 * @retval UV_ENOMEM  Nothing was made.
 */
int uva__io_get(uva_loop_t *loop, uva__io_t **ret_io);
/** The same for an operation on hosts: a virtual loop has a network in memory
 * then (uva__io_t.network). @retval UV_ENOMEM Nothing was made. */
int uva__io_get_hosts(uva_loop_t *loop, uva__io_t **ret_io);
/** The same for an operation on sockets.
 * @retval UV_ENOTSUP The loop has no sockets: its clock is virtual. */
int uva__io_get_sockets(uva_loop_t *loop, uva__io_t **ret_io);

#endif /* UVA__IO_SERVICE_H */
