/*
 * Cancelling what a task awaits.
 */
#ifndef UVA__CORE_CANCEL_H
#define UVA__CORE_CANCEL_H

#include "core/object.h"

/** Ask what a task has just begun to await to cancel, as it is to be cancelled
 * itself; if that will not, the request stays. */
void uva__task_cancel_await(uva_task_t *task);
#endif /* UVA__CORE_CANCEL_H */
