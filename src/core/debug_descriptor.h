/*
 * Where debuggers find the loops of a process, and the tasks in them.
 */
#ifndef UVA__CORE_DEBUG_DESCRIPTOR_H
#define UVA__CORE_DEBUG_DESCRIPTOR_H

#include "uva/types.h"

/** Let debuggers find a loop, from its making until it is freed. @thread any */
void uva__debug_enlist(uva_loop_t *loop);
void uva__debug_delist(uva_loop_t *loop);

#endif /* UVA__CORE_DEBUG_DESCRIPTOR_H */
