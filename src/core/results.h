/*
 * What a done future holds.
 */
#ifndef UVA__CORE_RESULTS_H
#define UVA__CORE_RESULTS_H

#include "core/object.h"

/** Where a done future keeps its result: a task's return value, or the void
 * pointer of a plain future. */
void *uva__future_value(uva_future_t *future);
/** Move the result of a done future out, size bytes: those of a typed task, or
 * a void pointer, which a typed task fills as far as its own result goes.
 * @return 0, its code, or UVA_EINVALIDSTATE. */
int uva__future_take(uva_future_t *future, void *ret, size_t size);
/** The code of a done future; marks it as seen. NULL failed with ENOMEM. */
int uva__future_code(uva_future_t *future);

#endif /* UVA__CORE_RESULTS_H */
