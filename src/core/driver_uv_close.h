/*
 * Closing handles of libuv.
 */
#ifndef UVA__CORE_DRIVER_UV_CLOSE_H
#define UVA__CORE_DRIVER_UV_CLOSE_H

#include <stdbool.h>

#include <uv.h>

/** Whether handles of a loop were closed in this iteration, by whomever, so
 * that their callbacks come at its end; true where that cannot be known. */
static inline bool uva__uv_closes(const uv_loop_t *uv)
{
#if defined(_WIN32)
    (void)uv;
    return true;
#else
    return uv->closing_handles != NULL;
#endif
}

/** Close a handle that a host may have closed before. callback is called once,
 * when libuv is done with the handle: at once, without a call of libuv, if it
 * is done already. Without memory, for a handle that the host is closing, it is
 * never called. */
void uva__uv_handle_close(uv_handle_t *handle, uv_close_cb callback);

#endif /* UVA__CORE_DRIVER_UV_CLOSE_H */
