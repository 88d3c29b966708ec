/*
 * The life of a loop after its end: references to it, and the moment when its
 * memory is freed.
 */
#ifndef UVA__CORE_LIFE_H
#define UVA__CORE_LIFE_H

#include "core/loop.h"

/** Free a loop's own memory: it is closed, or got no driver. */
void uva__loop_discard(uva_loop_t *loop);
/** Free a closed loop that nothing refers to any more. */
void uva__loop_maybe_free(uva_loop_t *loop);

/** The slow half of uva__loop_enter. */
uva_loop_t *uva__loop_enter_closed(uva_loop_t *loop);
/** Give the mutex back, and free a closed loop that nothing refers to. */
void uva__loop_unlock(uva_loop_t *loop);
/** Let other threads in again; the loop may be gone then. */
void uva__loop_leave(uva_loop_t *entered);
/** Before references of what belongs to a loop change: any thread may do that
 * once it is closed, one at a time. @return For uva__loop_leave. */
static inline uva_loop_t *uva__loop_enter(uva_loop_t *loop)
{
    return UVA__LIKELY(!loop->closed) ? NULL : uva__loop_enter_closed(loop);
}

#endif /* UVA__CORE_LIFE_H */
