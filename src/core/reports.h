/*
 * Reports to the exception handler of a loop, for errors that no caller can
 * receive.
 */
#ifndef UVA__CORE_REPORTS_H
#define UVA__CORE_REPORTS_H

#include "core/loop.h"

/** Report a message about a future or task; future may be NULL, code is 0 if
 * none belongs to it. The handler is code of users and may do anything but run
 * or close the loop: call this last, with the caller's objects in order. A
 * caller in another thread is refused. */
void uva__report(uva_loop_t *loop,
                 uva_future_t *future,
                 int code,
                 const char *message);
/** Call the exception handler of a loop that the caller keeps. */
void uva__report_exception(uva_loop_t *loop, const uva_exception_t *exception);

/** Append the description of a failure: its text, its code, and the same for
 * its members. error may be NULL. Without memory the text ends early. */
void uva__failure_describe(uva_buffer_t *text,
                           int code,
                           const uva_error_t *error);

#endif /* UVA__CORE_REPORTS_H */
