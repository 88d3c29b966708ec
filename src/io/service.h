/*
 * The part of a loop that io keeps: made when it is first needed.
 */
#ifndef UVA__IO_SERVICE_H
#define UVA__IO_SERVICE_H

#include "io/io.h"

/** @retval UV_ENOTSUP The loop has no sockets. @retval UV_EPERM It closes. */
int uva__io_get(uva_loop_t *loop, uva__io_t **ret_io);

#endif /* UVA__IO_SERVICE_H */
