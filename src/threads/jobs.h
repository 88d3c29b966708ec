/*
 * Jobs as they lie in memory, and what watches them.
 */
#ifndef UVA__THREADS_JOBS_H
#define UVA__THREADS_JOBS_H

#include <stdatomic.h>

#include "uva/executors.h"

#include "base/thread.h"
#include "threads/promises.h"

/* Called once when a job is done. */
typedef struct uva__job_watch_s {
    uva_list_t link; /* Of uva_job_t.watches. */
    bool inside; /* done is called under the job's mutex, for a watch that may
                    be taken back. */
    void (*done)(struct uva__job_watch_s *watch, uva_job_t *job);
} uva__job_watch_t;

typedef enum uva__job_state_e {
    UVA__JOB_PENDING,
    UVA__JOB_RUNNING,
    UVA__JOB_ENDING, /* Its function has returned; its arguments are freed. */
    UVA__JOB_CANCELLED,
    UVA__JOB_FINISHED
} uva__job_state_t;

/* The arguments of a job of uva_executor_submit. */
typedef struct uva__job_call_s {
    uva_coro_cb fn;
    void *arg;
} uva__job_call_t;

struct uva_job_s {
    uva_work_t work;
    uv_mutex_t mutex; /* Of state, code, watches. */
    atomic_uint refs;
    uva__job_state_t state;
    atomic_bool interrupted;
    int code; /* Once it is done. */
    uva__job_call_t call;
    void *result;             /* Of a call. */
    uva_destroy_cb destroy;   /* Of call.arg. */
    void (*drop)(void *args); /* Of typed arguments. */
    uva_destroy_cb result_destroy;
    void (*interrupt)(void *arg);
    uva_context_t *context; /* Counted. */
    uva_list_t watches;     /* Of uva__job_watch_t.link, oldest first. */
    bool promised;          /* A loop waits for it, by promise. */
    bool gives_result;      /* The future of the promise owns the result. */
    bool spare;             /* Its block can be used for another job. */
    uva_promise_t promise;  /* Has a reference of the job. */
};

/** Make a job of a call, or of a typed function, whose arguments are copied and
 * belong to it then. One reference. NULL without memory; then the argument is
 * the caller's still.
 *
 * @param loop That of the calling thread, which has spare memory; or NULL. */
uva_job_t *uva__job_new_call(uva_loop_t *loop,
                             uva_coro_cb fn,
                             void *arg,
                             const uva_job_options_t *options);
uva_job_t *
uva__job_new_typed(uva_loop_t *loop, const uva__coro_t *coro, const void *args);
/** A future of the calling thread's loop that ends as a new job does, which no
 * other thread knows yet. Cancelling it cancels the job.
 *
 * @param gives_result The future owns the result of a call.
 * @return New reference; NULL without memory. */
uva_future_t *
uva__job_promise(uva_job_t *job, uva_loop_t *loop, bool gives_result);
/** uva_job_unref in the thread of a loop, which may keep its memory. */
void uva__job_unref_in(uva_loop_t *loop, uva_job_t *job);

/** End a job that never began with a code. */
void uva__job_fail(uva_job_t *job, int code);
/** End a job whose function did not run here. A job of any state but done ends.
 * @return Whether it did. */
bool uva__job_finish(uva_job_t *job, int code);

/** Watch a job. @return false if it is done: the watch is not called. */
bool uva__job_watch(uva_job_t *job, uva__job_watch_t *watch);
/** Take a watch back, which has inside set. */
void uva__job_unwatch(uva_job_t *job, uva__job_watch_t *watch);

#endif /* UVA__THREADS_JOBS_H */
