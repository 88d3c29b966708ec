/*
 * Ending a loop whose tasks are unfinished.
 */
#ifndef UVA__CORE_SHUTDOWN_H
#define UVA__CORE_SHUTDOWN_H

#include "core/loop.h"

/** Go on with a shutdown after a turn. */
void uva__shutdown_step(uva_loop_t *loop);
/** The loop of a shutdown has closed. */
void uva__shutdown_closed(uva_loop_t *loop);

#endif /* UVA__CORE_SHUTDOWN_H */
