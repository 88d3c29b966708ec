/*
 * Debug mode and the view from outside.
 */
#ifndef UVA__CORE_DEBUG_H
#define UVA__CORE_DEBUG_H

#include "core/loop.h"

/** Run a node of the ready queue, and name it if that took long. */
void uva__debug_run(uva_loop_t *loop, uva__ready_t *ready);
/** Whether UVA_DEBUG is set to anything but "", "0". */
bool uva__debug_from_environment(void);

/** What the stack usage of a task is noted under. */
uva__usage_key_t uva__task_usage_key(const uva_task_t *task);

#endif /* UVA__CORE_DEBUG_H */
