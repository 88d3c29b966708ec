/*
 * The error record of a running task, and requests to cancel that are not
 * delivered yet. The loop's thread only; where memory is lacking, a text is
 * lost and a code never is.
 */
#ifndef UVA__CORE_FAILURES_H
#define UVA__CORE_FAILURES_H

#include "core/loop.h"

/** The running task has awaited a future, which gives it the code r: a failure
 * or a cancellation. The record of the future becomes the task's. */
void uva__task_note_failure(uva_task_t *task, uva_future_t *future, int r);
/** Set the error record of the running task, in which a call fails with code;
 * takes the reference. NULL: the failure has no record, so an earlier one with
 * the same code, which would be mistaken for its, is dropped. */
void uva__task_set_error(uva_task_t *task, int code, uva_error_t *take_error);
/** The error record of the task if its body returned code; borrowed; NULL if
 * there is none. */
uva_error_t *uva__task_error_of(const uva_task_t *task, int code);

/** Set the words of a request to cancel, borrowed; NULL if it has none. */
void uva__task_set_request(uva_task_t *task, uva_error_t *words);
/** Deliver a request to cancel, in the step in which the task sees
 * UV_ECANCELED: its words become the task's error record. */
void uva__task_deliver_cancel(uva_task_t *task);
/** Forget a request that was not delivered, with its message. */
void uva__task_drop_cancel(uva_task_t *task);

#endif /* UVA__CORE_FAILURES_H */
