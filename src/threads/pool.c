/*
 * The pool of threads (concurrent.futures.thread, ThreadPoolExecutor).
 *
 * Invariant: everything is under the mutex. While jobs are in the queue and
 * threads are idle, one of these is on its way; when it takes a job and leaves
 * others, it wakes the next one. So each job finds a thread, and a batch of
 * short jobs needs few wake-ups. A thread that ends joins the one that ended
 * before, and the last one is joined by who waits for the end, or by the end of
 * the pool's memory: no thread is left behind.
 */
#include <string.h>

#include "uva/executors.h"

#include "base/alloc.h"
#include "base/format.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/util.h"

#define POOL_WORKERS_MOST 32u /* By default; and more than the CPUs: */
#define POOL_WORKERS_MORE 4u
#define POOL_IDLE_NS      10000000000u
#define POOL_LOGGED_MOST  32u /* Jobs that the log names. */
#define POOL_NAME_BYTES   16  /* What Linux keeps of a thread's name. */

/* A thread of a pool, in the frame of that. */
typedef struct pool_worker_s {
    uva_list_t link; /* Of pool_t.workers. */
    bool runs;       /* A job; its name, static, or NULL: */
    const char *job;
} pool_worker_t;

typedef struct pool_s {
    uv_mutex_t mutex;
    uv_cond_t woken; /* For idle threads. */
    uv_cond_t ended; /* For who waits for the end. */
    unsigned refs;   /* Of the executor and of each thread. */
    uva_work_t *first;
    uva_work_t **last;
    size_t queued;
    unsigned idle; /* Threads that will take work: they wait for it, were woken
                      for it, or are about to begin. */
    bool waking;   /* An idle thread was woken, and does not run yet. */
    unsigned live;
    uva_list_t workers; /* Of pool_worker_t.link. */
    unsigned number;    /* Of the next thread's name. */
    bool shut;
    int broken; /* The code of an initializer that has failed. */
    bool has_last;
    uv_thread_t last_thread; /* The last one that has ended; not joined. */
    uva_thread_pool_options_t options; /* All are set. */
    char name[POOL_NAME_BYTES];
} pool_t;

/* The pool whose thread this is. */
static UVA__TLS const pool_t *pool_here;

/* --- memory --- */

static pool_t *pool_new(const uva_thread_pool_options_t *options)
{
    pool_t *pool = uva__calloc(1, sizeof *pool);

    if (pool == NULL) {
        return NULL;
    }
    if (uv_mutex_init(&pool->mutex) < 0) {
        goto free_pool;
    }
    if (uv_cond_init(&pool->woken) < 0) {
        goto destroy_mutex;
    }
    if (uv_cond_init(&pool->ended) < 0) {
        goto destroy_woken;
    }
    pool->refs = 1;
    pool->last = &pool->first;
    uva__list_init(&pool->workers);
    pool->options = *options;
    (void)uva__format(pool->name, sizeof pool->name, "%s",
                      options->name == NULL ? "uva" : options->name);
    return pool;
destroy_woken:
    uv_cond_destroy(&pool->woken);
destroy_mutex:
    uv_mutex_destroy(&pool->mutex);
free_pool:
    uva__free(pool);
    return NULL;
}

/* With the mutex, which is given back. */
static void pool_unref_unlock(pool_t *pool)
{
    bool over = --pool->refs == 0;

    uv_mutex_unlock(&pool->mutex);
    if (!over) {
        return;
    }
    if (pool->has_last) {
        uva__thread_end(&pool->last_thread);
    }
    uv_cond_destroy(&pool->ended);
    uv_cond_destroy(&pool->woken);
    uv_mutex_destroy(&pool->mutex);
    uva__free(pool);
}

/* --- the queue, with the mutex --- */

static uva_work_t *pool_take(pool_t *pool)
{
    uva_work_t *work = pool->first;

    if (work != NULL) {
        pool->first = work->next;
        pool->queued--;
        if (pool->first == NULL) {
            pool->last = &pool->first;
        }
    }
    return work;
}

static uva_work_t *pool_take_all(pool_t *pool)
{
    uva_work_t *works = pool->first;

    pool->first = NULL;
    pool->last = &pool->first;
    pool->queued = 0;
    return works;
}

static void works_cancel(uva_work_t *works)
{
    while (works != NULL) {
        uva_work_t *next = works->next;
        uva_work_cancel(works);
        works = next;
    }
}

/* Work that never runs, as no thread could be made ready for it. */
static void works_fail(uva_work_t *works)
{
    while (works != NULL) {
        uva_work_t *next = works->next;
        if (uva_work_begin(works)) {
            uva_work_done(works, UVA_EBROKENEXECUTOR);
        }
        works = next;
    }
}

/* --- threads --- */

/* Let an idle thread come for what is in the queue, with the mutex. */
static void pool_wake(pool_t *pool)
{
    if (pool->idle > 0 && !pool->waking && pool->first != NULL) {
        pool->waking = true;
        uv_cond_signal(&pool->woken);
    }
}

/* Run one job after another; with the mutex. */
static void pool_work(pool_t *pool, pool_worker_t *own)
{
    uva_work_t *work;
    int r = 0;

    for (;;) {
        work = pool_take(pool);
        if (work != NULL) {
            pool_wake(pool);
            own->runs = true;
            own->job = work->name;
            uv_mutex_unlock(&pool->mutex);
            uva_work_run(work);
            uv_mutex_lock(&pool->mutex);
            own->runs = false;
            r = 0;
        } else if (pool->shut || pool->broken < 0 || r == UV_ETIMEDOUT) {
            return;
        } else {
            pool->idle++;
            r = uv_cond_timedwait(&pool->woken, &pool->mutex,
                                  pool->options.idle_ns);
            pool->idle--;
            pool->waking = false;
        }
    }
}

/* The thread ends, with the mutex: the one that ended before it is joined. */
static void pool_leave(pool_t *pool)
{
    bool has_before = pool->has_last;
    uv_thread_t before = pool->last_thread;

    pool->has_last = true;
    pool->last_thread = uv_thread_self();
    if (has_before) {
        uv_mutex_unlock(&pool->mutex);
        uva__thread_end(&before);
        uv_mutex_lock(&pool->mutex);
    }
    pool->live--;
    if (pool->live == 0) {
        uv_cond_broadcast(&pool->ended);
    }
    pool_unref_unlock(pool);
}

static void pool_thread(void *data)
{
    pool_t *pool = data;
    char name[POOL_NAME_BYTES];
    pool_worker_t own = {.runs = false};
    uva_work_t *works = NULL;
    int r = 0;

    pool_here = pool;
    uv_mutex_lock(&pool->mutex);
    (void)uva__format(name, sizeof name, "%s_%u", pool->name, pool->number++);
    uv_mutex_unlock(&pool->mutex);
    uva__thread_name(name);
    if (pool->options.initializer != NULL) {
        r = pool->options.initializer(pool->options.initializer_arg);
    }
    uv_mutex_lock(&pool->mutex);
    pool->idle--;
    pool->waking = false; /* A wake-up may have been meant for this one. */
    if (r < 0 && pool->broken == 0) {
        pool->broken = r;
        works = pool_take_all(pool);
        uv_cond_broadcast(&pool->woken);
    }
    if (works != NULL) {
        uv_mutex_unlock(&pool->mutex);
        works_fail(works);
        uv_mutex_lock(&pool->mutex);
    }
    uva__list_append(&pool->workers, &own.link);
    pool_work(pool, &own);
    uva__list_remove(&own.link);
    pool_leave(pool);
}

/* With the mutex. */
static int pool_start_thread(pool_t *pool)
{
    uv_thread_t thread;
    int r = uva__thread_start(&thread, pool->options.stack_bytes, pool_thread,
                              pool);

    if (r >= 0) {
        pool->idle++;
        pool->live++;
        pool->refs++;
    }
    return r;
}

/* --- as an executor --- */

/* concurrent.futures: thread.py, submit and _adjust_thread_count. A thread is
 * started if there are not as many idle ones as jobs in the queue. */
static int pool_submit(void *state, uva_work_t *work)
{
    pool_t *pool = state;
    int r = 0;

    uv_mutex_lock(&pool->mutex);
    if (pool->shut || pool->broken < 0) {
        r = pool->shut ? UV_EPERM : UVA_EBROKENEXECUTOR;
    } else if (pool->options.max_queued > 0 &&
               pool->queued >= pool->options.max_queued + pool->idle) {
        r = UV_EAGAIN;
    } else if (pool->idle <= pool->queued &&
               pool->live < pool->options.max_workers) {
        r = pool_start_thread(pool);
        r = pool->live > 0 ? 0 : r;
    }
    if (r >= 0) {
        work->next = NULL;
        *pool->last = work;
        pool->last = &work->next;
        pool->queued++;
        pool_wake(pool);
    }
    uv_mutex_unlock(&pool->mutex);
    return r;
}

static int pool_shutdown(void *state, bool wait, bool cancel_queued)
{
    pool_t *pool = state;
    uva_work_t *works = NULL;

    if (wait && pool_here == pool) {
        return UVA_EDEADLOCK;
    }
    uv_mutex_lock(&pool->mutex);
    pool->shut = true;
    if (cancel_queued) {
        works = pool_take_all(pool);
    }
    uv_cond_broadcast(&pool->woken);
    uv_mutex_unlock(&pool->mutex);
    works_cancel(works);
    if (!wait) {
        return 0;
    }
    uv_mutex_lock(&pool->mutex);
    while (pool->live > 0) {
        uv_cond_wait(&pool->ended, &pool->mutex);
    }
    if (pool->has_last) {
        pool->has_last = false;
        uva__thread_end(&pool->last_thread);
    }
    uv_mutex_unlock(&pool->mutex);
    return 0;
}

static void pool_destroy(void *state)
{
    pool_t *pool = state;

    uv_mutex_lock(&pool->mutex);
    pool->shut = true;
    uv_cond_broadcast(&pool->woken);
    pool_unref_unlock(pool);
}

static void pool_log_jobs(void *state)
{
    pool_t *pool = state;
    const char *running[POOL_LOGGED_MOST];
    size_t count = 0;
    size_t queued;

    uv_mutex_lock(&pool->mutex);
    UVA__LIST_FOREACH (worker, &pool->workers, pool_worker_t, link) {
        if (worker->runs) {
            if (count < POOL_LOGGED_MOST) {
                running[count] =
                    worker->job == NULL ? "a function" : worker->job;
            }
            count++;
        }
    }
    queued = pool->queued;
    uv_mutex_unlock(&pool->mutex);
    /* The hook of the log is code of users, which may use the pool. */
    for (size_t i = 0; i < count && i < POOL_LOGGED_MOST; i++) {
        uva__log(UVA_LOG_WARNING, "executor %s: a job has not ended: %s",
                 pool->name, running[i]);
    }
    if (count > POOL_LOGGED_MOST) {
        uva__log(UVA_LOG_WARNING, "executor %s: %zu more have not ended",
                 pool->name, count - POOL_LOGGED_MOST);
    }
    if (queued > 0) {
        uva__log(UVA_LOG_WARNING, "executor %s: %zu jobs have not begun",
                 pool->name, queued);
    }
}

static const uva_executor_ops_t pool_ops = {
    .size = sizeof(uva_executor_ops_t),
    .submit = pool_submit,
    .shutdown = pool_shutdown,
    .destroy = pool_destroy,
    .log_jobs = pool_log_jobs,
};

static unsigned pool_default_workers(void)
{
    unsigned workers = uva__cpu_count() + POOL_WORKERS_MORE;

    return workers < POOL_WORKERS_MOST ? workers : POOL_WORKERS_MOST;
}

int uva_thread_pool_new(const uva_thread_pool_options_t *options,
                        uva_executor_t **ret_executor)
{
    uva_thread_pool_options_t own = UVA_THREAD_POOL_OPTIONS_INIT;
    pool_t *pool;

    if (options != NULL) {
        if (options->size < sizeof *options) {
            return uva__bare(UV_EINVAL);
        }
        own = *options;
    }
    if (own.max_workers == 0) {
        own.max_workers = pool_default_workers();
    }
    if (own.idle_ns == 0) {
        own.idle_ns = POOL_IDLE_NS;
    }
    pool = pool_new(&own);
    if (pool == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    return uva_executor_new(&pool_ops, pool, ret_executor);
}

/* Its thread does not end while nothing is to be done, as what the jobs have
 * made in it may need it. The longest wait that libuv's clock can add. */
int uva_worker_new(const char *name, uva_executor_t **ret_executor)
{
    uva_thread_pool_options_t options = UVA_THREAD_POOL_OPTIONS_INIT;

    options.max_workers = 1;
    options.name = name;
    options.idle_ns = INT64_MAX / 4;
    return uva_thread_pool_new(&options, ret_executor);
}
