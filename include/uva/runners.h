/**
 * @file
 * Running a program: a loop, a main task, SIGINT and SIGTERM, and an end that
 * leaves nothing behind.
 */
#ifndef UVA_RUNNERS_H
#define UVA_RUNNERS_H

#include "uva/tasks.h"

UVA_BEGIN_DECLS

/** Settings of a run; zero means default. */
typedef struct uva_run_options_s {
    size_t size;                    /* sizeof(uva_run_options_t). */
    const uva_loop_options_t *loop; /* Borrowed; of the loop it makes. */
    int (*loop_factory)(uva_loop_t **ret_loop); /* Default uva_loop_new. */
    bool keep_signals;       /* Leave SIGINT and SIGTERM alone. */
    uva_error_t **ret_error; /* Gets the record of a main task that failed, a
                                new reference; NULL if it has none. Without
                                this the log tells the failure. */
    int *ret_signal;         /* Gets the number of the signal that ended the
                                main task, 0 if none did. */
} uva_run_options_t;

/** The defaults. */
#define UVA_RUN_OPTIONS_INIT                                     \
    {                                                            \
        sizeof(uva_run_options_t), NULL, NULL, false, NULL, NULL \
    }

/**
 * Make a loop, run body(arg) as its main task to the end, cancel and wait for
 * what is left, close the loop.
 *
 * The first SIGINT or SIGTERM cancels the main task; the next one of either has
 * its default action. Of one run of the process at a time, and each only if it
 * has its default action before, which it has again afterwards.
 *
 * A failure of the main task is told by the log, unless options take its
 * record; a cancellation is not.
 *
 * @param options    NULL for the defaults.
 * @param ret_result The main task's result, moved out; may be NULL.
 * @return What the main task returned, or:
 * @retval UV_EPERM  A loop runs in this thread already.
 * @retval UV_EINTR  SIGINT or SIGTERM ended the main task (KeyboardInterrupt);
 *                   options->ret_signal tells which.
 * @asyncio run; differs: SIGTERM cancels too.
 */
UVA_EXTERN UVA_NODISCARD int uva_run(uva_coro_cb body,
                                     void *arg,
                                     const uva_run_options_t *options,
                                     void **ret_result);

/** The same in pieces: several runs on one loop. Embedded.
 * @asyncio Runner */
typedef struct uva_runner_s {
    /* private */
    uva_run_options_t options;
    uva_loop_t *loop;       /* Counted; NULL until it is needed. */
    uva_context_t *context; /* Counted; shared by all its runs. */
    int state;
    int interrupted; /* The signal that has ended the last run, or 0. */
} uva_runner_t;

/** Initialise a runner; its loop is made when it is first needed.
 * @param options NULL for the defaults; copied, what it points to borrowed. */
UVA_EXTERN void uva_runner_init(uva_runner_t *runner,
                                const uva_run_options_t *options);
/** The runner's loop, made when it is not there yet; borrowed. NULL if the
 * runner is closed or the loop cannot be made: a run tells why.
 * @asyncio Runner.get_loop */
UVA_EXTERN uva_loop_t *uva_runner_get_loop(uva_runner_t *runner);
/** Run body(arg) as a task to its end; returns as uva_run.
 * @param options NULL for the defaults; the context is that of the runner.
 * @asyncio Runner.run */
UVA_EXTERN UVA_NODISCARD int uva_runner_run(uva_runner_t *runner,
                                            uva_coro_cb body,
                                            void *arg,
                                            const uva_task_options_t *options,
                                            void **ret_result);
/** Cancel what is left, wait for it, close the loop. Idempotent.
 * @return 0, or as uva_loop_shutdown: then it can be called again.
 * @asyncio Runner.close */
UVA_EXTERN UVA_NODISCARD int uva_runner_close(uva_runner_t *runner);

UVA_END_DECLS

#endif /* UVA_RUNNERS_H */
