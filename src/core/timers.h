/*
 * The loop's side of deadlines.
 */
#ifndef UVA__CORE_TIMERS_H
#define UVA__CORE_TIMERS_H

#include "core/loop.h"

/** Let the timers that are due join the ready queue. */
void uva__timers_collect(uva_loop_t *loop, uint64_t now_ns);

#endif /* UVA__CORE_TIMERS_H */
