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

#endif /* UVA__CORE_REPORTS_H */
