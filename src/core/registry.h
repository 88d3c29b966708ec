/*
 * The list of all loops of the process, for forks and for debuggers.
 */
#ifndef UVA__CORE_REGISTRY_H
#define UVA__CORE_REGISTRY_H

#include "uva/types.h"

/** All loops, by uva_loop_t.registered. Read it between lock and unlock only.
 */
extern uva_list_t uva__registry;

/** Keep loops from being made and freed by other threads. Also taken around a
 * fork, so that the child finds the list whole. @thread any */
void uva__registry_lock(void);
void uva__registry_unlock(void);
/** Whether a loop is in the list, which one that was freed is not; under the
 * lock. The pointer is compared and not followed. */
bool uva__registry_has(const uva_loop_t *loop);
/** Put a loop into the list, when it has its driver. @thread any */
void uva__registry_add(uva_loop_t *loop);
/** Take a loop out before its memory is freed; nothing if it is not in the
 * list. @thread any */
void uva__registry_remove(uva_loop_t *loop);

#endif /* UVA__CORE_REGISTRY_H */
