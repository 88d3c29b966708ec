/*
 * A stream handle of libuv that the application owns, as a medium.
 */
#ifndef UVA__IO_MEDIUM_UV_LENT_H
#define UVA__IO_MEDIUM_UV_LENT_H

#include "io/io.h"
#include "io/medium.h"

/**
 * Make a medium of a connected uv_tcp_t, uv_pipe_t or uv_tty_t. Its data is in
 * use until the medium is closed; it is never closed.
 *
 * @param stream Borrowed: memory of the application. If that closes it, the
 *               medium lets go of it before the memory may be freed; see
 *               uva__media_uv_look.
 * @return 0, or a code as of uva_transport_from_uv.
 */
int uva__medium_uv(uva_loop_t *loop,
                   uv_stream_t *stream,
                   uva__medium_t **ret_medium);
/** Let go of handles that the application is closing. To be called at least
 * once between a uv_close and the end of the iteration, when libuv calls
 * close_cb. */
void uva__media_uv_look(uva__io_t *io);

#endif /* UVA__IO_MEDIUM_UV_LENT_H */
