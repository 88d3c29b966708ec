/*
 * The report of tasks that nothing can wake, for the drivers.
 */
#ifndef UVA__CORE_GRAPH_H
#define UVA__CORE_GRAPH_H

#include "core/loop.h"

/** Log the list of unfinished tasks, as nothing can wake them; once, until
 * something has run again. outside: another thread or a host may still wake
 * them, of which libuv knows nothing; then the level is that of debugging, and
 * it is logged once for a loop. Without memory the line comes without the list.
 */
void uva__loop_report_stuck(uva_loop_t *loop, bool outside);

#endif /* UVA__CORE_GRAPH_H */
