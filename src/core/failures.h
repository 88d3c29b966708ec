/*
 * The error record of a running task, and requests to cancel that are not
 * delivered.
 */
#ifndef UVA__CORE_FAILURES_H
#define UVA__CORE_FAILURES_H

#include "core/loop.h"

/** Remember the record of an awaited failure or cancellation, which gives the
 * task the code r. */
void uva__task_note_failure(uva_task_t *task, uva_future_t *future, int r);
/** Set the error of the running task, which fails with code; takes the
 * reference. Without one (NULL) the words of an earlier failure with this code
 * are forgotten. */
void uva__task_set_error(uva_task_t *task, int code, uva_error_t *take_error);
/** The record that a running task would end with if its body returned code;
 * borrowed; NULL if there is none. */
uva_error_t *uva__task_error_of(const uva_task_t *task, int code);

/** Set the words of a request to cancel (NULL: none). */
void uva__task_set_request(uva_task_t *task, uva_error_t *words);
/** Deliver a cancellation: its message becomes the task's error record. */
void uva__task_deliver_cancel(uva_task_t *task);
/** Forget a request that was not delivered, with its message. */
void uva__task_drop_cancel(uva_task_t *task);

#endif /* UVA__CORE_FAILURES_H */
