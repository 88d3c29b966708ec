/*
 * Whether a host is inside uv_run.
 */
#ifndef UVA__CORE_DRIVER_INSIDE_H
#define UVA__CORE_DRIVER_INSIDE_H

#include "uva/events.h"

/** Whether a uv_run of this host is among the callers of this function, or may
 * be, for all that the unwinder knows. Walks the whole stack: it is for calls
 * that are rare. Call it from the host's thread. */
bool uva__inside_by_stack(const uv_loop_t *host);
/** Whether the host was made by another copy of libuv than the one that we
 * call: its uv_run could not be found on the stack. */
bool uva__inside_other_copy(const uv_loop_t *host);

#endif /* UVA__CORE_DRIVER_INSIDE_H */
