/*
 * Reports to the exception handler.
 */
#ifndef UVA__CORE_REPORTS_H
#define UVA__CORE_REPORTS_H

#include "core/loop.h"

/** Tell the exception handler. */
void uva__report(uva_loop_t *loop,
                 uva_future_t *future,
                 int code,
                 const char *message);
/** Call the exception handler of a loop that the caller keeps. */
void uva__report_exception(uva_loop_t *loop, const uva_exception_t *exception);

/** Append what there is to say of a failure: its text, its code, and the same
 * of its members. error may be NULL. */
void uva__failure_describe(uva_buffer_t *text,
                           int code,
                           const uva_error_t *error);

#endif /* UVA__CORE_REPORTS_H */
