/**
 * @file
 * Loops in threads: as many as there are processors, each with its own tasks.
 * connections.h has servers over all of them (uva_loops_start_server).
 *
 *     uva_loops_t *loops;
 *     int r = uva_loops_start(NULL, &loops);
 *     uva_job_t *job = uva_run_on_loops(loops, UVA_LOOP_NEXT, work, arg, NULL);
 *     ...
 *     r = uva_loops_stop(loops, UVA_SEC(5));
 *     uva_loops_unref(loops);
 */
#ifndef UVA_LOOPS_H
#define UVA_LOOPS_H

#include "uva/events.h"
#include "uva/executors.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Loops in threads. Counted. */
typedef struct uva_loops_s uva_loops_t;

/** Settings of loops in threads; zero means the default. */
typedef struct uva_loops_options_s {
    size_t size;        /* sizeof(uva_loops_options_t). */
    unsigned count;     /* Loops; default one for each processor that this
                           process may use, at most 1,024. */
    const char *name;   /* Copied: threads are called name_0, ..., as far as the
                           system has room. Default "uva-loop". */
    size_t stack_bytes; /* Of a thread; default the system's. */
    bool pin; /* Each thread stays on one processor, in turn. Where the system
                 has no such thing, nothing. */
    const uva_loop_options_t *loop; /* Borrowed for the start: of each loop. */
} uva_loops_options_t;

/** The defaults. */
#define UVA_LOOPS_OPTIONS_INIT                               \
    {                                                        \
        sizeof(uva_loops_options_t), 0, NULL, 0, false, NULL \
    }

/**
 * Start threads with a loop each, which run until uva_loops_stop. It returns
 * when all loops are there.
 *
 * @param options   NULL for the defaults.
 * @param ret_loops New reference; unset on failure.
 * @return 0, UV_ENOMEM, UV_EINVAL, or a code of the system; no thread is left
 *         then.
 * @thread any
 */
UVA_EXTERN UVA_NODISCARD int uva_loops_start(const uva_loops_options_t *options,
                                             uva_loops_t **ret_loops);
/** Take a reference. @return loops itself; NULL for NULL. @thread any */
UVA_EXTERN uva_loops_t *uva_loops_ref(uva_loops_t *loops);
/** Drop a reference. After the last one of loops that were not stopped they
 * stop by themselves, with a grace of 0, and the log says so. @return NULL.
 * @thread any */
UVA_EXTERN uva_loops_t *uva_loops_unref(uva_loops_t *loops);

/** How many loops there are; 0 for NULL. @thread any */
UVA_EXTERN unsigned uva_loops_count(const uva_loops_t *loops);
/** One of the loops; borrowed. NULL if there is none of that index.
 * @thread any */
UVA_EXTERN uva_loop_t *uva_loops_get(const uva_loops_t *loops, unsigned index);

/**
 * End all loops and wait for their threads.
 *
 * First the servers of uva_loops_start_server stop accepting, and their
 * connections have grace_ns to end by themselves (uva_server_shutdown). Then
 * every task is cancelled and has grace_ns to end. A task that goes on is told
 * to the exception handler of its loop, and cancelled anew whenever it waits.
 * What even then goes on keeps its loop in memory, without a thread.
 *
 * A thread that does not come back from a task at all, for two seconds longer,
 * is left behind: it ends with its loop when the task waits or returns.
 *
 * @param grace_ns Nanoseconds; UVA_FOREVER for no end.
 * @return How many tasks did not end within the grace, a thread that was left
 *         behind counts as one; or:
 * @retval UVA_EDEADLOCK A loop runs in this thread; nothing was done.
 * @retval UV_EPERM      They were stopped before.
 * @retval UVA_EFORKED   They are those of the parent of this process.
 * @retval UV_EINVAL     loops is NULL.
 * @thread any in which no loop runs
 */
UVA_EXTERN int uva_loops_stop(uva_loops_t *loops, uint64_t grace_ns);

/** Which of the loops; an index, or: */
enum {
    UVA_LOOP_LEAST = -1, /* The one with the fewest unfinished jobs of
                            uva_run_on_loops; the first of several. */
    UVA_LOOP_NEXT = -2   /* One after another. */
};

/**
 * Run body(arg) as a task of one of the loops, as
 * uva_run_coroutine_threadsafe.
 *
 * @param where An index, UVA_LOOP_LEAST or UVA_LOOP_NEXT. The job has failed
 *              with UVA_ENOLOOP if there is none.
 * @return New reference; NULL without memory.
 * @thread any, with a reference of the loops
 */
UVA_EXTERN UVA_NODISCARD uva_job_t *
uva_run_on_loops(uva_loops_t *loops,
                 int where,
                 uva_coro_cb body,
                 void *arg,
                 const uva_job_options_t *options);

/**
 * Look at one of the loops: uva_loop_get_stats in its thread.
 *
 * @param timeout_ns Nanoseconds that the loop has to answer; UVA_FOREVER for
 *                   no end.
 * @retval UV_ETIMEDOUT  It did not answer: a task blocks its thread.
 * @retval UV_ECANCELED  It is stopped.
 * @retval UVA_ENOLOOP   There is none of that index.
 * @retval UVA_EDEADLOCK Another loop runs in this thread, which would stand
 *                       still.
 * @retval UV_ENOMEM
 * @thread any, with a reference of the loops
 */
UVA_EXTERN UVA_NODISCARD int uva_loops_get_stats(uva_loops_t *loops,
                                                 unsigned index,
                                                 uint64_t timeout_ns,
                                                 uva_loop_stats_t *ret_stats);

UVA_END_DECLS

#endif /* UVA_LOOPS_H */
