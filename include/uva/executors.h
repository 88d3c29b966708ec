/**
 * @file
 * Executors: running blocking functions in other threads (concurrent.futures,
 * and asyncio's to_thread and run_in_executor).
 *
 *     UVA_TASK(size_t, measure, const char *path;)
 *     {
 *         ... blocking calls; args->path ...
 *         *ret = size;
 *         return 0;
 *     }
 *
 *     measure_task_t *task = uva_to_thread(measure, .path = "/etc/hosts");
 *     int r = measure_await(task, &size);
 *
 * The task is one as any other: gather, wait, groups and timeouts take it.
 *
 * A body that runs in an executor is no task: what would suspend returns
 * UVA_ENOTASK there. It may call all that is marked "@thread any".
 */
#ifndef UVA_EXECUTORS_H
#define UVA_EXECUTORS_H

#include "uva/coroutines.h"
#include "uva/futures.h"
#include "uva/tasks.h"
#include "uva/typed.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/* --- executors --- */

/** Options of a pool of threads; zero means default. */
typedef struct uva_thread_pool_options_s {
    size_t size;          /* sizeof(uva_thread_pool_options_t). */
    unsigned max_workers; /* Threads; default CPUs + 4, and at most 32. */
    size_t max_queued;    /* Jobs that wait for a thread; a job beyond is
                             refused with UV_EAGAIN. Default no limit. */
    const char *name;     /* Copied: threads are called name_0, ..., as far as
                             the system has room. Default "uva". */
    size_t stack_bytes;   /* Of a thread; default the system's. */
    uint64_t idle_ns;     /* A thread without a job ends after it; default 10 s.
                           */
    int (*initializer)(void *arg); /* In each thread before its first job; a
                                      negative code breaks the pool. */
    void *initializer_arg;         /* Borrowed. */
} uva_thread_pool_options_t;

/** The defaults. */
#define UVA_THREAD_POOL_OPTIONS_INIT                                    \
    {                                                                   \
        sizeof(uva_thread_pool_options_t), 0, 0, NULL, 0, 0, NULL, NULL \
    }

/**
 * Make a pool of threads. A thread is started when a job finds none idle.
 *
 * @param options NULL for the defaults.
 * @param ret_executor New reference; unset on failure.
 * @thread any
 * @asyncio concurrent.futures.ThreadPoolExecutor
 */
UVA_EXTERN UVA_NODISCARD int
uva_thread_pool_new(const uva_thread_pool_options_t *options,
                    uva_executor_t **ret_executor);
/** One thread, which stays and keeps the order of its jobs: for libraries whose
 * handles belong to one thread. @param name NULL for "uva". @thread any */
UVA_EXTERN UVA_NODISCARD int uva_worker_new(const char *name,
                                            uva_executor_t **ret_executor);
/** Take a reference. @return executor itself; NULL for NULL. @thread any */
UVA_EXTERN uva_executor_t *uva_executor_ref(uva_executor_t *executor);
/** Drop a reference. After the last one its jobs still end, then its threads
 * do. @return NULL. @thread any */
UVA_EXTERN uva_executor_t *uva_executor_unref(uva_executor_t *executor);

/**
 * Take no more jobs: they are refused with UV_EPERM from here on.
 *
 * @param wait          Return when all its jobs and threads have ended.
 * @param cancel_queued Cancel the jobs that have not begun.
 * @retval UVA_EDEADLOCK It would wait in a thread that a loop runs in, or in a
 *                       thread of its own; nothing was done.
 * @thread any
 * @asyncio Executor.shutdown
 */
UVA_EXTERN int
uva_executor_shutdown(uva_executor_t *executor, bool wait, bool cancel_queued);
/**
 * The same, awaited. For stackful tasks only.
 *
 * @param timeout_ns Nanoseconds; UVA_FOREVER for none.
 * @retval UV_ETIMEDOUT Jobs are still running, which the log names. They go on,
 *                      and their threads end with them.
 * @suspends Always.
 * @asyncio loop.shutdown_default_executor
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_executor_shutdown_async(
    uva_executor_t *executor, bool cancel_queued, uint64_t timeout_ns);

/* --- jobs: what threads have in the place of futures --- */

/** Options of a job; zero means default. */
typedef struct uva_job_options_s {
    size_t size;                   /* sizeof(uva_job_options_t). */
    uva_destroy_cb destroy;        /* Frees arg, once, after the job or instead
                                      of it, in any thread. */
    uva_destroy_cb result_destroy; /* Frees a result that nobody has taken. */
    void (*interrupt)(void *arg);  /* Makes a running job end sooner; called in
                                      the thread that cancels, and may not use
                                      the job. */
    bool without_context; /* Default: runs in a copy of the submitter's. */
} uva_job_options_t;

/** The defaults. */
#define UVA_JOB_OPTIONS_INIT                               \
    {                                                      \
        sizeof(uva_job_options_t), NULL, NULL, NULL, false \
    }

/**
 * Run fn(arg, &result) in an executor.
 *
 * @return New reference. A job that is refused has failed already: UV_EPERM
 *         after a shutdown, UV_EAGAIN beyond max_queued, UVA_EBROKENEXECUTOR,
 *         UVA_EFORKED in the child of a fork, UV_EINVAL. NULL without memory:
 *         every function takes it for a job that has failed with UV_ENOMEM.
 * @thread any
 * @asyncio Executor.submit
 */
UVA_EXTERN UVA_NODISCARD uva_job_t *
uva_executor_submit(uva_executor_t *executor,
                    uva_coro_cb fn,
                    void *arg,
                    const uva_job_options_t *options);
/** Take a reference. @return job itself; NULL for NULL. @thread any */
UVA_EXTERN uva_job_t *uva_job_ref(uva_job_t *job);
/** Drop a reference; the job goes on. @return NULL. @thread any */
UVA_EXTERN uva_job_t *uva_job_unref(uva_job_t *job);

/**
 * Wait, in this thread, until a job is done.
 *
 * @param timeout_ns Nanoseconds; UVA_FOREVER for none.
 * @param ret_result Its value, borrowed from the job; may be NULL.
 * @return What fn returned, or:
 * @retval UV_ECANCELED  It was cancelled.
 * @retval UV_ETIMEDOUT  It is not done; it goes on.
 * @retval UVA_EDEADLOCK It is not done, and a loop runs in this thread, which
 *                       would stand still.
 * @thread any
 * @asyncio concurrent.futures.Future.result
 */
UVA_EXTERN UVA_NODISCARD int
uva_job_result(uva_job_t *job, uint64_t timeout_ns, void **ret_result);
/** Cancel a job that has not begun. One that runs goes on: its interrupt is
 * called, and uva_job_interrupted is true in it. @return Whether it is
 * cancelled. @thread any @asyncio concurrent.futures.Future.cancel */
UVA_EXTERN bool uva_job_cancel(uva_job_t *job);
/** Whether it was cancelled before it began. @thread any
 * @asyncio concurrent.futures.Future.cancelled */
UVA_EXTERN bool uva_job_cancelled(const uva_job_t *job);
/** Whether its function runs. @thread any
 * @asyncio concurrent.futures.Future.running */
UVA_EXTERN bool uva_job_running(const uva_job_t *job);
/** Whether it has ended, or was cancelled; true for NULL. @thread any
 * @asyncio concurrent.futures.Future.done */
UVA_EXTERN bool uva_job_done(const uva_job_t *job);
/** Called once when a job is done. job: borrowed for the call. */
typedef void (*uva_job_cb)(uva_job_t *job, void *data);
/** Call callback(job, data) in the thread that ends or cancels the job; at once
 * if it is done. @retval UV_ENOMEM It will not be called. @thread any
 * @asyncio concurrent.futures.Future.add_done_callback */
UVA_EXTERN UVA_NODISCARD int
uva_job_add_done_callback(uva_job_t *job, uva_job_cb callback, void *data);
/** Inside of a job: whether somebody has cancelled it since it began. False
 * elsewhere. @thread any */
UVA_EXTERN bool uva_job_interrupted(void);

/**
 * Wait, in this thread, for several jobs.
 *
 * @param ret_done Array of count: which are done; may be NULL.
 * @return How many are done, which may be too few after the time; or
 *         UVA_EDEADLOCK, UV_ENOMEM, UV_EINVAL.
 * @thread any
 * @asyncio concurrent.futures.wait
 */
UVA_EXTERN UVA_NODISCARD int uva_jobs_wait(uva_job_t *const *jobs,
                                           size_t count,
                                           uint64_t timeout_ns,
                                           uva_return_when_t when,
                                           bool *ret_done);
/**
 * Wait, in this thread, until one of several jobs is done.
 *
 * Jobs that are NULL are left out: set each to NULL that you have seen.
 *
 * @return The index of one that is done, or:
 * @retval UV_ENOENT    There are only NULLs.
 * @retval UV_ETIMEDOUT None is done in time.
 * @thread any
 * @asyncio concurrent.futures.as_completed
 */
UVA_EXTERN UVA_NODISCARD int
uva_jobs_next(uva_job_t *const *jobs, size_t count, uint64_t timeout_ns);

/* --- from tasks --- */

/**
 * Run a typed function in an executor: uva_submit(executor, name, .argument =
 * value, ...). Its task is awaited, gathered, grouped as any.
 *
 * Arguments are copied, and the body works on the copy: so cancelling the task
 * ends it at once with UV_ECANCELED, while a body that runs goes on with what
 * it has. What the arguments point to must outlive it. A destructor of
 * arguments (UVA_TASK_DROP) runs in the executor's thread.
 *
 * @param executor NULL: the loop's default.
 * @return NAME_task_t *, new reference, refused as by uva_spawn. The failure of
 *         a job that the executor refuses is that of the task.
 * @asyncio loop.run_in_executor
 */
#define uva_submit(executor, ...) uva_submit_with(NULL, executor, __VA_ARGS__)
/** uva_submit with options of the task. */
#define uva_submit_with(options, executor, ...) \
    UVA__SUBMIT(options, executor, __VA_ARGS__, .uva__z = 0)
#define UVA__SUBMIT(options, executor, name, ...) \
    name##__submit(executor, (name##_args_t){__VA_ARGS__}, options, UVA__HERE)
/** uva_submit to the loop's default executor. @asyncio to_thread */
#define uva_to_thread(...) uva_submit(NULL, __VA_ARGS__)
/** A child of a group that runs in an executor. The job is submitted at once,
 * also while max_running of the group holds the child back: a pool of few
 * workers bounds jobs. @return NAME_task_t *, borrowed until the exit. */
#define uva_taskgroup_submit(in_group, executor, ...)                          \
    uva_submit_with((&(uva_task_options_t){.size = sizeof(uva_task_options_t), \
                                           .group = (in_group)}),              \
                    executor, __VA_ARGS__)

/**
 * The plain form: run fn(arg) in an executor, as a future of the running loop.
 *
 * Cancelling the future cancels the job, which goes on if it has begun; its
 * result is destroyed then.
 *
 * @param executor NULL: the loop's default.
 * @param options  NULL for the defaults.
 * @return New reference; refused as uva_create_task; NULL without memory.
 * @asyncio loop.run_in_executor
 */
UVA_EXTERN UVA_NODISCARD uva_future_t *
uva_run_in_executor(uva_executor_t *executor,
                    uva_coro_cb fn,
                    void *arg,
                    const uva_job_options_t *options);
/** A future of the running loop that ends as a job does, and cancels it. Its
 * value is borrowed from the job. @return New reference; NULL without memory.
 * @asyncio wrap_future */
UVA_EXTERN UVA_NODISCARD uva_future_t *uva_wrap_job(uva_job_t *job);

/** Set the executor that NULL stands for, which a loop otherwise makes when it
 * needs one. The loop takes a reference of its own, and shuts the executor down
 * when it ends: uva_loop_shutdown, uva_run and Runners wait for its jobs, 300 s
 * at most. @retval UV_EINVAL executor is NULL.
 * @asyncio loop.set_default_executor */
UVA_EXTERN int uva_loop_set_default_executor(uva_loop_t *loop,
                                             uva_executor_t *executor);
/** Shut the default executor of the running loop down and wait for it, as
 * uva_executor_shutdown_async. For stackful tasks only.
 * @suspends Always, if there is one.
 * @asyncio loop.shutdown_default_executor */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_shutdown_default_executor(uint64_t timeout_ns);

/* --- executors of one's own --- */

/** What an executor gets: a function, bytes in, bytes out. It has it until it
 * has called uva_work_run or uva_work_done, or uva_work_begin was false. */
typedef struct uva_work_s {
    const char *name; /* Of a typed function; NULL for uva_executor_submit. */
    int (*enter)(void *args, void *ret);
    void *args;
    size_t args_bytes;
    void *ret;
    size_t ret_bytes;
    struct uva_work_s *next; /* The executor's, for a queue. */
} uva_work_t;

/** The functions of an executor, static. Each runs in any thread. */
typedef struct uva_executor_ops_s {
    size_t size; /* sizeof(uva_executor_ops_t). */
    /** Take work, and end it once, later or in the call; or refuse it with a
     * negative code. */
    int (*submit)(void *state, uva_work_t *work);
    /** As uva_executor_shutdown; it may be called again. */
    int (*shutdown)(void *state, bool wait, bool cancel_queued);
    /** Nobody can submit any more: what was submitted ends. */
    void (*destroy)(void *state);
    /** Say in the log which jobs have not ended, after a shutdown that has
     * waited in vain; may be NULL. */
    void (*log_jobs)(void *state);
} uva_executor_ops_t;

/** Make an executor. @param take_state Destroyed on failure too.
 * @retval UV_EINVAL A function is missing. @thread any */
UVA_EXTERN UVA_NODISCARD int uva_executor_new(const uva_executor_ops_t *ops,
                                              void *take_state,
                                              uva_executor_t **ret_executor);
/** Begin to run. @return false if it was cancelled: then it is gone.
 * @thread any */
UVA_EXTERN UVA_NODISCARD bool uva_work_begin(uva_work_t *work);
/** Work that has begun has ended with a code, its result at ret. @thread any */
UVA_EXTERN void uva_work_done(uva_work_t *work, int status);
/** Begin, run it in this thread, end. @thread any */
UVA_EXTERN void uva_work_run(uva_work_t *work);
/** Cancel work that has not begun, which ends it. @thread any */
UVA_EXTERN void uva_work_cancel(uva_work_t *work);

UVA_END_DECLS

#endif /* UVA_EXECUTORS_H */
