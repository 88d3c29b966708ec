/*
 * The default executor of a loop.
 */
#ifndef UVA__THREADS_DEFAULT_EXECUTOR_H
#define UVA__THREADS_DEFAULT_EXECUTOR_H

#include "uva/executors.h"

/** executor itself, or the loop's default for NULL, which is made when it is
 * not there; borrowed. @retval UV_EPERM It is shut down, or the loop closes. */
int uva__executor_of(uva_loop_t *loop,
                     uva_executor_t *executor,
                     uva_executor_t **ret_executor);

#endif /* UVA__THREADS_DEFAULT_EXECUTOR_H */
