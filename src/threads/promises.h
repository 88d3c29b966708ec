/*
 * What the threads floor does with promises beside their public functions.
 */
#ifndef UVA__THREADS_PROMISES_H
#define UVA__THREADS_PROMISES_H

#include "uva/promises.h"

#include "core/loop.h"

/** uva_promise_new on a loop that the calling thread owns. */
uva_promise_t *uva__promise_new(uva_loop_t *loop);

/** Let the end of the loop wait for a promise that is made. */
void uva__promise_keep_loop(uva_promise_t *promise);

#endif /* UVA__THREADS_PROMISES_H */
