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

/* The way of a job back to its task. */
typedef struct uva__job_home_s {
    uva__ready_t ready;   /* Of the inbox, once the job is done. */
    uva_loop_t *loop;     /* Counted. The rest is of its thread alone: */
    uva_waiter_t *waiter; /* Borrowed: of the task, while it waits. */
    bool counted;         /* The loop counts it: the task is there. */
    bool arrived;
} uva__job_home_t;

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
    /* Tells the loop that waits for the job, which is done, and takes the
     * reference of that loop. Any thread. NULL for none. */
    void (*tell)(uva_job_t *job);
    bool spare; /* Its block can be used for another job. */
    union {
        uva_promise_t promise;
        uva__job_home_t home;
    };
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
