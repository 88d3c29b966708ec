/*
 * Arguments that point into the frame of whoever made a task.
 */
#ifndef UVA__CORE_LENT_ARGS_H
#define UVA__CORE_LENT_ARGS_H

#include "core/loop.h"

/** Remember the first argument of a new task that points into the stack of the
 * running one. */
void uva__lent_args_note(uva_task_t *task, const void *args);
/** Report, once, that the frame is gone while the task goes on. */
void uva__lent_args_check(uva_task_t *task);

#endif /* UVA__CORE_LENT_ARGS_H */
