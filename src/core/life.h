/*
 * References to a loop, and the moment when its memory is freed. Once a loop is
 * closed, any thread may drop references of it and of its objects: all but
 * uva__loop_enter's first test is under the loop's mutex.
 */
#ifndef UVA__CORE_LIFE_H
#define UVA__CORE_LIFE_H

#include "core/loop.h"

/** Free a loop's own memory: it is closed and nothing refers to it, or it is
 * new and got no driver. */
void uva__loop_discard(uva_loop_t *loop);
/** Free a closed loop that nothing refers to any more; the caller has freed one
 * of its objects, which may have been the last. */
void uva__loop_maybe_free(uva_loop_t *loop);

/** The rest of uva__loop_enter, for a closed loop. */
uva_loop_t *uva__loop_enter_closed(uva_loop_t *loop);
/** Give the mutex back, and free the loop if it is closed and nothing refers to
 * it. */
void uva__loop_unlock(uva_loop_t *loop);
/** The end of uva__loop_enter; NULL is nothing to be done. The loop may be
 * freed by this. */
void uva__loop_leave(uva_loop_t *entered);
/** Called before a reference of an object of the loop changes. An open loop's
 * thread needs nothing for it; once the loop is closed, its mutex is taken, so
 * that threads do this one at a time. @return For uva__loop_leave. */
static inline uva_loop_t *uva__loop_enter(uva_loop_t *loop)
{
    return UVA__LIKELY(!loop->closed) ? NULL : uva__loop_enter_closed(loop);
}

#endif /* UVA__CORE_LIFE_H */
