/*
 * What waits for what, as the drivers report it.
 */
#ifndef UVA__CORE_GRAPH_H
#define UVA__CORE_GRAPH_H

#include "core/loop.h"

/** Tell which task waits for what, once, when nothing can wake them. If
 * somebody may come whom libuv does not know (outside), it is told at the level
 * of debugging, and once for a loop. */
void uva__loop_report_stuck(uva_loop_t *loop, bool outside);

#endif /* UVA__CORE_GRAPH_H */
