/*
 * Closing handles of libuv.
 */
#ifndef UVA__CORE_DRIVER_UV_CLOSE_H
#define UVA__CORE_DRIVER_UV_CLOSE_H

#include <uv.h>

/** Close a handle that somebody else may have closed. callback comes when libuv
 * is through with it, which is at once if it has been already; then nothing
 * of libuv is called. */
void uva__uv_handle_close(uv_handle_t *handle, uv_close_cb callback);

#endif /* UVA__CORE_DRIVER_UV_CLOSE_H */
