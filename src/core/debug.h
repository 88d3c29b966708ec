/*
 * Debug mode and the view from outside.
 */
#ifndef UVA__CORE_DEBUG_H
#define UVA__CORE_DEBUG_H

#include "core/loop.h"

/** Run a node of the ready queue, and name it if that took long. */
void uva__debug_run(uva_loop_t *loop, uva__ready_t *ready);
/** Remember where a future or task was made. */
void uva__debug_note(uva_future_t *future, const char *here);
/** Say, once, what keeps a closed loop in memory that nobody refers to. */
void uva__debug_tell_left(uva_loop_t *loop);
/** Whether UVA_DEBUG is set to anything but "", "0". */
bool uva__debug_from_environment(void);

/** Whether a measurement of this task's stack is wanted. */
bool uva__usage_wanted(uva_loop_t *loop, const uva_task_t *task, bool clean);
/** Note how deep a finished task's function used its stack. */
void uva__usage_note(uva_loop_t *loop, const uva_task_t *task, size_t bytes);
void uva__usage_free(uva_loop_t *loop);

#endif /* UVA__CORE_DEBUG_H */
