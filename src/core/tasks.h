/*
 * Making tasks, and their names.
 */
#ifndef UVA__CORE_TASKS_H
#define UVA__CORE_TASKS_H

#include "core/loop.h"

/** Settle loop->tasks.fast_spawn after a change. */
void uva__loop_settle_spawns(uva_loop_t *loop);
/** Make a task whose frame is a copy of args and schedule it: on that loop,
 * whatever options hold; NULL is none. Refuses with a future; drops args then.
 */
uva_task_t *uva__task_new(uva_loop_t *loop,
                          const uva__coro_t *coro,
                          const void *args,
                          const uva_task_options_t *options,
                          const char *here);

/** Refuse a task, drop its args, and tell the log. */
uva_task_t *uva__task_refuse(const uva__coro_t *coro,
                             const void *args,
                             const char *here,
                             int code);

#endif /* UVA__CORE_TASKS_H */
