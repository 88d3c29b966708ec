/*
 * What the threads floor does with promises beside their public functions.
 */
#ifndef UVA__THREADS_PROMISES_H
#define UVA__THREADS_PROMISES_H

#include "uva/promises.h"

#include "core/loop.h"

/** uva_promise_new on a loop that the calling thread owns. */
uva_promise_t *uva__promise_new(uva_loop_t *loop);

/** Cancel the future of a promise, and let its loop count it no longer. The
 * loop's thread. */
void uva__promise_abandon(uva_promise_t *promise);

/** The promise of a link in uva__threads_t.promises. */
uva_promise_t *uva__promise_of_link(uva_list_t *link);

#endif /* UVA__THREADS_PROMISES_H */
