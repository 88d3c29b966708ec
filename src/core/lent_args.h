/*
 * Debug mode's watch over arguments that point into the frame of the task that
 * has made a task.
 */
#ifndef UVA__CORE_LENT_ARGS_H
#define UVA__CORE_LENT_ARGS_H

#include "core/loop.h"

/** In a new task, which has its extra, remember the first argument that points
 * into the stack of the running task. Nothing is remembered if none does, if
 * the running task is stackless, or without memory. */
void uva__lent_args_note(uva_task_t *task, const void *args);
/** Report, once, that the frame is gone while the task goes on. Before each
 * step of the task. */
void uva__lent_args_check(uva_task_t *task);

#endif /* UVA__CORE_LENT_ARGS_H */
