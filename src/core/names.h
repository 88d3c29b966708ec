/*
 * The names of tasks and of their functions, for reports.
 */
#ifndef UVA__CORE_NAMES_H
#define UVA__CORE_NAMES_H

#include "core/object.h"

/** The name of a coroutine's function; static. Without one in coro it is the
 * first word of the arguments, as in plain tasks; "?" if that is NULL. */
const char *uva__coro_function(const uva__coro_t *coro, const void *args);
/** The name of the function that a task runs; static, never NULL. */
const char *uva__task_function(const uva_task_t *task);

#endif /* UVA__CORE_NAMES_H */
