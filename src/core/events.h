/*
 * What the loop has to know of scheduled calls.
 */
#ifndef UVA__CORE_EVENTS_H
#define UVA__CORE_EVENTS_H

#include "core/loop.h"

/** Move the calls of other threads to the ready queue. */
void uva__loop_take_inbox(uva_loop_t *loop);
/** Drop a node if it is a scheduled call. @return Whether it was one. */
bool uva__handle_drop_ready(uva__ready_t *ready);
/** Cancel the calls that never come. */
void uva__handle_drop_never(uva_loop_t *loop);
/** Cancel a timer's call, if it is one. */
void uva__handle_drop_timer(uva__timer_t *timer);
/** Whether a node is a scheduled call. */
bool uva__handle_is(const uva__ready_t *ready);
/** What such a node calls: the name of the callback, NUL, where it was
 * scheduled; NULL if that is unknown. */
const char *uva__handle_site(const uva__ready_t *ready);
/** Where a scheduled call was made; NULL if that is unknown. */
const char *uva__handle_source(const uva_handle_t *handle);

#endif /* UVA__CORE_EVENTS_H */
