/*
 * What tasks are called.
 */
#ifndef UVA__CORE_NAMES_H
#define UVA__CORE_NAMES_H

#include "core/object.h"

/** The name of a coroutine, or that which its arguments begin with. */
const char *uva__coro_function(const uva__coro_t *coro, const void *args);
/** The name of the function that a task runs. */
const char *uva__task_function(const uva_task_t *task);

#endif /* UVA__CORE_NAMES_H */
