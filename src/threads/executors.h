/*
 * What the threads floor does with executors beside their public functions.
 */
#ifndef UVA__THREADS_EXECUTORS_H
#define UVA__THREADS_EXECUTORS_H

#include "uva/executors.h"

/** Give a job to an executor; one that is refused has failed with the code. */
void uva__executor_take(uva_executor_t *executor, uva_job_t *job);

/** Join the threads of an executor, in whichever thread this is. */
int uva__executor_end(uva_executor_t *executor, bool cancel_queued);
/** Say in the log which of its jobs have not ended. */
void uva__executor_log_jobs(uva_executor_t *executor);

#endif /* UVA__THREADS_EXECUTORS_H */
