/*
 * All loops of the process, for forks and for debuggers.
 */
#ifndef UVA__CORE_REGISTRY_H
#define UVA__CORE_REGISTRY_H

#include "uva/types.h"

/** Of uva_loop_t.registered: every loop from its making until it is freed. To
 * be looked at between lock and unlock. */
extern uva_list_t uva__registry;

void uva__registry_lock(void);
void uva__registry_unlock(void);
/** Whether a loop is in the list: one that was freed is not. */
bool uva__registry_has(const uva_loop_t *loop);
/** @thread any */
void uva__registry_add(uva_loop_t *loop);
void uva__registry_remove(uva_loop_t *loop);

#endif /* UVA__CORE_REGISTRY_H */
