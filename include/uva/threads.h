/**
 * @file
 * Tasks of a loop for other threads and loops: running a body there, and
 * waiting for it here.
 */
#ifndef UVA_THREADS_H
#define UVA_THREADS_H

#include "uva/executors.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * Run body(arg) as a task of a loop, from another thread.
 *
 * The job ends as the task does. Cancelling the job cancels the task. A loop
 * that is closed, or closes before the task was made, cancels the job.
 *
 * @param options NULL for the defaults. interrupt is not used. The destructor
 *                of arg runs in the loop's thread, or, if no task was made,
 *                with the job.
 * @return New reference. Without a loop the job has failed with UVA_ENOLOOP.
 *         NULL without memory.
 * @thread any, with a reference of the loop
 * @asyncio run_coroutine_threadsafe
 */
UVA_EXTERN UVA_NODISCARD uva_job_t *
uva_run_coroutine_threadsafe(uva_loop_t *loop,
                             uva_coro_cb body,
                             void *arg,
                             const uva_job_options_t *options);

/**
 * Await a future, or a task, of another loop: a future of the running loop that
 * ends as that one does. Its result moves over, as by uva_join. Cancelling it
 * cancels the foreign one. A foreign loop that closes cancels it.
 *
 * In the foreign thread, and then in this one:
 *
 *     uva_future_ref(foreign);
 *     r = uva_join(uva_wrap_future(foreign), &value);
 *
 * @param take_foreign A reference that was taken in the thread of its loop;
 *                     dropped there, on error too. A future of the running loop
 *                     is returned itself.
 * @return New reference; NULL without memory; UVA_ENOLOOP outside of loops.
 * @thread any, in a loop
 * @asyncio wrap_future
 */
UVA_EXTERN UVA_NODISCARD uva_future_t *
uva_wrap_future(uva_future_t *take_foreign);

UVA_END_DECLS

#endif /* UVA_THREADS_H */
