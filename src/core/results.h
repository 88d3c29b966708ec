/*
 * The contents of a done future: its code, and its result.
 */
#ifndef UVA__CORE_RESULTS_H
#define UVA__CORE_RESULTS_H

#include "core/object.h"

/** The place where a done future keeps its result: a task's return value, or
 * the void pointer of a plain future; borrowed. */
void *uva__future_value(uva_future_t *future);
/** Move the result of a done future out: size bytes, which are those of a typed
 * task, or a void pointer, which a typed task fills as far as its own result
 * goes. ret is written on success alone. @return 0 or more, the future's code,
 * or UVA_EINVALIDSTATE if the result was moved out before. */
int uva__future_take(uva_future_t *future, void *ret, size_t size);
/** The code of a done future; a failure counts as seen from then on. NULL is a
 * future that failed with UV_ENOMEM. */
int uva__future_code(uva_future_t *future);

#endif /* UVA__CORE_RESULTS_H */
