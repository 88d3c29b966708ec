/*
 * The default executor of a loop, and the awaited end of executors
 * (asyncio.base_events, run_in_executor, shutdown_default_executor).
 *
 * Invariant: a thread of its own waits for the threads of an executor, so that
 * the loop goes on, and no executor needs to know of loops.
 */
#include "threads/default_executor.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/thread.h"
#include "core/futures.h"
#include "core/owner.h"
#include "core/timers.h"
#include "threads/executors.h"
#include "threads/promises.h"
#include "threads/service.h"

/* asyncio: constants.py, THREAD_JOIN_TIMEOUT. */
#define END_LIMIT_NS UVA_SEC(300)

/* --- waiting for the end of an executor --- */

typedef struct uva__ender_s {
    uv_thread_t thread;
    uva_executor_t *executor; /* Counted. */
    uva_promise_t *promise;   /* Counted. */
    uva_future_t *future;     /* Counted; the loop's thread alone. */
    bool cancel_queued;
    atomic_uint refs; /* Of the loop's side, and of the thread. */
} ender_t;

static void ender_unref(ender_t *ender)
{
    if (atomic_fetch_sub_explicit(&ender->refs, 1, memory_order_acq_rel) == 1) {
        uva_executor_unref(ender->executor);
        uva__free(ender);
    }
}

static void ender_run(void *data)
{
    ender_t *ender = data;

    (void)uva__executor_end(ender->executor, ender->cancel_queued);
    (void)uva_promise_set_result(ender->promise, NULL, NULL);
    uva_promise_unref(ender->promise);
    ender_unref(ender);
}

/* Let an executor end, and have a future that is done then. @return NULL
 * without memory; the executor takes no more jobs all the same. */
static ender_t *
ender_new(uva_loop_t *loop, uva_executor_t *executor, bool cancel_queued)
{
    ender_t *ender = uva__calloc(1, sizeof *ender);
    uva_promise_t *promise = ender == NULL ? NULL : uva__promise_new(loop);

    (void)uva_executor_shutdown(executor, false, cancel_queued);
    if (promise == NULL) {
        uva__free(ender);
        return NULL;
    }
    atomic_init(&ender->refs, 2);
    ender->future = uva__future_ref(uva_promise_future(promise));
    ender->executor = uva_executor_ref(executor);
    ender->promise = promise;
    ender->cancel_queued = cancel_queued;
    if (uva__thread_start(&ender->thread, 0, ender_run, ender) < 0) {
        uva_executor_unref(executor);
        uva_promise_unref(promise);
        uva__future_unref(ender->future);
        uva__free(ender);
        return NULL;
    }
    return ender;
}

/* The future is done: the thread is about to end, and nothing of it is to be
 * left when the loop is. If the future was cancelled, the thread waits on. */
static void ender_free(ender_t *ender)
{
    if (uva_future_cancelled(ender->future)) {
        uva__thread_detach(&ender->thread);
    } else {
        uva__thread_end(&ender->thread);
    }
    uva__future_unref(ender->future);
    ender_unref(ender);
}

/* The rest of the time is for the threads: they end with their jobs. */
int uva_executor_shutdown_async(uva_executor_t *executor,
                                bool cancel_queued,
                                uint64_t timeout_ns)
{
    ender_t *ender;
    int r;

    if (executor == NULL || uva__task_current() == NULL) {
        return uva__bare(executor == NULL ? UV_EINVAL : UVA_ENOTASK);
    }
    ender = ender_new(uva__running(), executor, cancel_queued);
    if (ender == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = uva_wait_for(uva__future_ref(ender->future), timeout_ns, NULL);
    if (r == UV_ETIMEDOUT) {
        uva__executor_log_jobs(executor);
    }
    ender_free(ender);
    return r;
}

/* --- the loop's end --- */

/* asyncio: base_events.py, shutdown_default_executor. */
static void end_too_late(uva__timer_t *timer)
{
    uva__threads_t *threads =
        UVA__CONTAINER_OF(timer, uva__threads_t, end_limit);

    uva__log(UVA_LOG_WARNING,
             "the default executor has jobs that did not end in 300 s");
    uva__executor_log_jobs(threads->end->executor);
    (void)uva_future_cancel(threads->end->future);
}

static void end_done(uva_future_t *future, void *data)
{
    uva__threads_t *threads = data;
    ender_t *ender = threads->end;

    (void)future;
    uva__timer_stop(threads->loop, &threads->end_limit);
    threads->end = NULL;
    ender_free(ender);
}

/* A loop whose host has closed its handles waits for nothing. */
static ender_t *end_begin(uva__threads_t *threads)
{
    uva_loop_t *loop = threads->loop;
    ender_t *ender =
        loop->driver.lost ? NULL : ender_new(loop, threads->executor, false);

    if (ender == NULL) {
        return NULL;
    }
    if (uva_future_add_done_callback(ender->future, end_done, threads, NULL) <
        0) {
        (void)uva_future_cancel(ender->future);
        ender_free(ender);
        return NULL;
    }
    uva__promise_keep_loop(ender->promise);
    /* Without memory there is no limit. */
    (void)uva__timer_start(loop, &threads->end_limit,
                           uva__loop_deadline(loop, END_LIMIT_NS),
                           end_too_late);
    return ender;
}

/* Called after each turn until nothing is in flight. */
static void end_executor(uva__threads_t *threads)
{
    threads->end = end_begin(threads);
    threads->executor = uva_executor_unref(threads->executor);
    threads->shut = true;
}

/* Whoever closes a loop without a shutdown does not wait for jobs. */
static void drop_executor(uva__threads_t *threads)
{
    threads->executor = uva_executor_unref(threads->executor);
}

/* --- the default executor --- */

int uva__executor_of(uva_loop_t *loop,
                     uva_executor_t *executor,
                     uva_executor_t **ret_executor)
{
    uva__threads_t *threads;
    int r = 0;

    if (executor != NULL) {
        *ret_executor = executor;
        return 0;
    }
    r = uva__threads_get(loop, &threads);
    if (r >= 0 && threads->shut) {
        r = UV_EPERM;
    }
    if (r >= 0 && threads->executor == NULL) {
        uva_thread_pool_options_t options = UVA_THREAD_POOL_OPTIONS_INIT;
        options.name = "asyncio";
        r = uva_thread_pool_new(&options, &threads->executor);
        threads->end_executor = end_executor;
        threads->drop_executor = drop_executor;
    }
    if (r >= 0) {
        *ret_executor = threads->executor;
    }
    return r;
}

int uva_loop_set_default_executor(uva_loop_t *loop, uva_executor_t *executor)
{
    uva__threads_t *threads;
    int r = loop == NULL       ? UVA_ENOLOOP
            : executor == NULL ? UV_EINVAL
                               : uva__loop_refuses(loop, __func__);

    if (r >= 0) {
        r = uva__threads_get(loop, &threads);
    }
    if (r < 0) {
        return uva__bare(r);
    }
    uva_executor_ref(executor);
    uva_executor_unref(threads->executor);
    threads->executor = executor;
    threads->end_executor = end_executor;
    threads->drop_executor = drop_executor;
    return 0;
}

/* asyncio: base_events.py, shutdown_default_executor. */
int uva_shutdown_default_executor(uint64_t timeout_ns)
{
    uva_loop_t *loop = uva__running();
    uva__threads_t *threads;
    uva_executor_t *executor;
    int r;

    if (uva__task_current() == NULL) {
        return uva__bare(UVA_ENOTASK);
    }
    r = uva__threads_get(loop, &threads);
    if (r < 0) {
        return uva__bare(r);
    }
    threads->shut = true;
    executor = threads->executor;
    threads->executor = NULL;
    if (executor == NULL) {
        return 0;
    }
    r = uva_executor_shutdown_async(executor, false, timeout_ns);
    uva_executor_unref(executor);
    return r;
}
