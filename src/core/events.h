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
/** Cancel a timer's call, if it is one. */
void uva__handle_drop_timer(uva__timer_t *timer);
/** What a node that is no task stands for, in words. */
const char *uva__handle_describe(const uva__ready_t *ready);

#endif /* UVA__CORE_EVENTS_H */
