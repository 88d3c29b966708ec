/*
 * Cancelling what a task awaits.
 */
#ifndef UVA__CORE_CANCEL_H
#define UVA__CORE_CANCEL_H

#include "core/object.h"

/** Pass a pending request to cancel (UVA__MUST_CANCEL) on to the future that
 * the task has just begun to await. The task is suspended with the phase
 * FUTURE. If the future refuses, the request stays, and the task's next step
 * delivers it. */
void uva__task_cancel_await(uva_task_t *task);

#endif /* UVA__CORE_CANCEL_H */
