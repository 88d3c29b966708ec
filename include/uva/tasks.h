/**
 * @file
 * Tasks, and waiting for them: sleep, gather, wait, wait_for, shield,
 * as_completed, staggered race.
 *
 * Creating a task gives the caller a reference; the loop holds another until
 * the task is done. A task is a future: UVA_FUTURE(task), and UVA_FUTURES for
 * arrays, view it as one. A parameter that is named take_... takes the
 * references it is given, on error too; the others borrow.
 *
 * Each awaiting function has a poll half for stackless coroutines, unless its
 * comment says that it is for stackful tasks only. Where it
 * keeps state of its own it takes an operation (uva_..._op_t), zeroed before
 * its first call and left alone until the poll returns something else than
 * UVA_PENDING; it may then be used again.
 */
#ifndef UVA_TASKS_H
#define UVA_TASKS_H

#include "uva/context.h"
#include "uva/coroutines.h"
#include "uva/futures.h"
#include "uva/time.h"
#include "uva/timeouts.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Options of a task; zero means default. */
typedef struct uva_task_options_s {
    size_t size;      /* sizeof(uva_task_options_t). */
    uva_loop_t *loop; /* Borrowed: it need not run; default the running one. */
    struct uva_taskgroup_s *group; /* Borrowed: the task is a child of this one,
                                      on its loop; default none. */
    const char *name;              /* Copied; default "Task-N". */
    uva_context_t *context;        /* Borrowed, used as it is; default a copy
                                      of the current one. */
    bool eager_start;              /* Run the first step at once, if the loop
                                      runs. */
    size_t stack_bytes;            /* Default that of the loop; a stackless
                                      task has none. */
    uva_destroy_cb arg_destroy;    /* Plain tasks: frees arg, once, after the
                                      body or instead of it. */
    uva_destroy_cb result_destroy; /* Plain tasks: frees a result that nobody
                                      moved out. */
} uva_task_options_t;

/** The defaults. */
#define UVA_TASK_OPTIONS_INIT                                               \
    {                                                                       \
        sizeof(uva_task_options_t), NULL, NULL, NULL, NULL, false, 0, NULL, \
            NULL                                                            \
    }

/**
 * Run body(arg) as a task; its first step runs in the next iteration.
 *
 * @return New reference; NULL without memory; a failed future when refused:
 *         UVA_ENOLOOP (no running loop), UV_EPERM (closed loop, wrong thread),
 *         UV_EAGAIN (limit). The destructor of arg runs then.
 * @asyncio create_task
 */
UVA_EXTERN UVA_NODISCARD uva_task_t *uva_create_task(uva_coro_cb body,
                                                     void *arg);
/** uva_create_task with options; NULL for the defaults. */
UVA_EXTERN UVA_NODISCARD uva_task_t *uva_create_task_with(
    uva_coro_cb body, void *arg, const uva_task_options_t *options);
/** The same on a loop that need not run. @asyncio loop.create_task */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva_loop_create_task(uva_loop_t *loop,
                     uva_coro_cb body,
                     void *arg,
                     const uva_task_options_t *options);

/** private: the same, with the names that debug reports use. */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva__create_task(uva_loop_t *loop,
                 uva_coro_cb body,
                 void *arg,
                 const uva_task_options_t *options,
                 const char *function,
                 const char *here);
/** The function, with the names that debug reports use. */
#define uva_create_task(body, arg) \
    uva__create_task(NULL, body, arg, NULL, #body, UVA__HERE)
/** The function, with the names that debug reports use. */
#define uva_create_task_with(body, arg, options) \
    uva__create_task(NULL, body, arg, options, #body, UVA__HERE)

/** A future, or a body that becomes a task. */
typedef struct uva_awaitable_s {
    uva_future_t *future; /* Borrowed; if NULL, body becomes a task. */
    uva_coro_cb body;
    void *arg;
} uva_awaitable_t;

/** Give a future as it is (a new reference), or make a task on loop (NULL: the
 * running one). UV_EINVAL if the future belongs to another loop.
 * @asyncio ensure_future */
UVA_EXTERN UVA_NODISCARD uva_future_t *
uva_ensure_future(const uva_awaitable_t *awaitable, uva_loop_t *loop);

/** Makes the tasks of a loop: gives one that it made by uva_loop_create_task,
 * or refuses. What it makes itself does not pass through it again; what the
 * body of a task makes that it starts eagerly does. It may not suspend. */
typedef uva_task_t *(*uva_task_factory_cb)(uva_loop_t *loop,
                                           uva_coro_cb body,
                                           void *arg,
                                           const uva_task_options_t *options,
                                           void *data);
/** NULL restores the default. Typed and stackless tasks do not pass through
 * it, except that uva_eager_task_factory starts them eagerly as well.
 * @asyncio loop.set_task_factory */
UVA_EXTERN void uva_loop_set_task_factory(uva_loop_t *loop,
                                          uva_task_factory_cb factory,
                                          void *data);
/** The factory that was set, NULL for the default; its data if wanted.
 * @asyncio loop.get_task_factory */
UVA_EXTERN uva_task_factory_cb uva_loop_get_task_factory(const uva_loop_t *loop,
                                                         void **ret_data);
/** A factory that starts every task eagerly while the loop runs.
 * @asyncio eager_task_factory */
UVA_EXTERN UVA_NODISCARD uva_task_t *
uva_eager_task_factory(uva_loop_t *loop,
                       uva_coro_cb body,
                       void *arg,
                       const uva_task_options_t *options,
                       void *data);

/** Take a reference. @return task itself. */
UVA_EXTERN uva_task_t *uva_task_ref(uva_task_t *task);
/** Drop a reference; the task goes on: the loop keeps it until it is done, and
 * a failure that nobody looks at is reported then, and so logged. @return NULL.
 */
UVA_EXTERN uva_task_t *uva_task_unref(uva_task_t *task);
/** A future as a task; borrowed; NULL if it is none. */
UVA_EXTERN uva_task_t *uva_future_task(uva_future_t *future);
/**
 * Ask a task to end: UV_ECANCELED is delivered at its next step. What it waits
 * for is cancelled in this call. With a message: uva_future_cancel_message.
 *
 * @return false if it was done already.
 * @asyncio Task.cancel
 */
UVA_EXTERN bool uva_task_cancel(uva_task_t *task);
/** How many requests were made and not taken back; what is beyond 65,535 is
 * counted if there is memory. @asyncio Task.cancelling */
UVA_EXTERN unsigned uva_task_cancelling(const uva_task_t *task);
/** Take one request back; at 0 one that was not delivered is withdrawn too.
 * @return The requests that remain. @asyncio Task.uncancel */
UVA_EXTERN unsigned uva_task_uncancel(uva_task_t *task);
/** "Task-N" unless it was set; "" without memory to make it. Borrowed until
 * the next set_name. @asyncio Task.get_name */
UVA_EXTERN const char *uva_task_get_name(uva_task_t *task);
/** @param name Copied. @retval UV_ENOMEM Unchanged. @retval UV_EINVAL name is
 * NULL. @asyncio Task.set_name */
UVA_EXTERN int uva_task_set_name(uva_task_t *task, const char *name);
/** The function the task runs; "?" if unknown. @asyncio Task.get_coro */
UVA_EXTERN const char *uva_task_get_coro(const uva_task_t *task);
/** Its context; borrowed; NULL while nothing was ever set in it.
 * @asyncio Task.get_context */
UVA_EXTERN uva_context_t *uva_task_get_context(uva_task_t *task);

/** The task that runs; NULL outside tasks. Borrowed. @asyncio current_task */
UVA_EXTERN uva_task_t *uva_current_task(void);
/** The task of a loop that runs at this moment; NULL if none does. Borrowed.
 * @asyncio current_task(loop) */
UVA_EXTERN uva_task_t *uva_loop_current_task(uva_loop_t *loop);
/**
 * The unfinished tasks of a loop, oldest first.
 *
 * @param tasks Room for count borrowed pointers; NULL if count is 0.
 * @return How many there are, which may be more than count.
 * @asyncio all_tasks
 */
UVA_EXTERN size_t uva_loop_all_tasks(uva_loop_t *loop,
                                     uva_task_t **tasks,
                                     size_t count);

/** private */
typedef struct uva_sleep_op_s {
    uva__timer_t timer;
} uva_sleep_op_t;

/**
 * Sleep. 0 lets everything that is ready run once; UVA_FOREVER waits for a
 * cancellation.
 *
 * @retval UV_ECANCELED The task was cancelled.
 * @retval UV_ENOMEM    The deadline could not be kept; it did not sleep.
 * @suspends Always.
 * @asyncio sleep
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_sleep(uint64_t delay_ns);
/** The poll half of uva_sleep. */
UVA_EXTERN UVA_NODISCARD int uva_sleep_poll(uva_sleep_op_t *op,
                                            uint64_t delay_ns);
/** uva_sleep(0) for stackless coroutines, without an operation. */
UVA_EXTERN UVA_NODISCARD int uva_yield_poll(void);

enum {
    /** Failures become results: gather never fails for a child. */
    UVA_RETURN_EXCEPTIONS = 1u << 0
};

/**
 * Wait for all of several futures; results in the order of the arguments.
 *
 * The first failure is returned at once; the other children go on. Cancelling
 * the waiting task cancels every child and waits for them.
 *
 * @param take_futures UVA_FUTURES(array): a reference each is taken. The same
 *                     future may stand there more than once: a reference for
 *                     each place, and its result in each.
 * @param flags        0 or UVA_RETURN_EXCEPTIONS.
 * @param ret_results  Array of count void pointers, or of count uva_result_t
 *                     with UVA_RETURN_EXCEPTIONS; may be NULL. Results are
 *                     moved out: the caller owns them.
 * @return 0, the code of the first child that failed, or:
 * @retval UVA_EINVALIDSTATE Somebody has moved a result out before: its place
 *                        is 0, the others are filled.
 * @retval UV_ENOMEM      Nothing is waited for; the children go on.
 * @retval UVA_EWRONGLOOP A child belongs to another loop; likewise.
 * @retval UV_EINVAL      A flag is unknown; likewise.
 * @suspends Unless every child is done.
 * @asyncio await gather(...)
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_gather(const uva_future_ref_t *take_futures,
           size_t count,
           unsigned flags,
           void *ret_results);

/** private */
typedef struct uva_gather_op_s {
    uva_future_t *outer;
} uva_gather_op_t;

/** The poll half of uva_gather. */
UVA_EXTERN UVA_NODISCARD int
uva_gather_poll(uva_gather_op_t *op,
                const uva_future_ref_t *take_futures,
                size_t count,
                unsigned flags,
                void *ret_results);
/** gather as a future. Its result is an array of count uva_result_t that
 * lives as long as the future, which owns the values. @asyncio gather */
UVA_EXTERN UVA_NODISCARD uva_future_t *uva_gather_future(
    const uva_future_ref_t *take_futures, size_t count, unsigned flags);

/** When a wait is over: all are done, one is, or one has failed (a cancelled
 * one has not). @asyncio ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION */
typedef enum uva_return_when_e {
    UVA_ALL_COMPLETED,
    UVA_FIRST_COMPLETED,
    UVA_FIRST_EXCEPTION
} uva_return_when_t;

/** private */
typedef struct uva_wait_op_s {
    void *state;
} uva_wait_op_t;

/**
 * Wait until futures are done; never cancels any, never fails for one.
 *
 * @param futures     UVA_FUTURES(array), borrowed; a future that stands there
 *                    twice counts once.
 * @param timeout_ns  Nanoseconds; UVA_FOREVER for none. A timeout is no error.
 * @param ret_done    Room for count borrowed futures: those done when it
 *                    returns, in the order of the arguments; may be NULL.
 * @param ret_pending The others; may be NULL.
 * @return How many are done, or:
 * @retval UV_EINVAL    count is 0 or above INT32_MAX, or when is unknown.
 * @retval UV_ECANCELED The task was cancelled; the futures go on.
 * @suspends Always.
 * @asyncio wait
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_wait(const uva_future_ref_t *futures,
                                               size_t count,
                                               uint64_t timeout_ns,
                                               uva_return_when_t when,
                                               uva_future_t **ret_done,
                                               uva_future_t **ret_pending);
/** The poll half of uva_wait. */
UVA_EXTERN UVA_NODISCARD int uva_wait_poll(uva_wait_op_t *op,
                                           const uva_future_ref_t *futures,
                                           size_t count,
                                           uint64_t timeout_ns,
                                           uva_return_when_t when,
                                           uva_future_t **ret_done,
                                           uva_future_t **ret_pending);

/** private */
typedef struct uva_wait_for_op_s {
    uva_timeout_t timeout;
    uva_wait_op_t cancel;
    int stage;
} uva_wait_for_op_t;

/**
 * Wait for one future with a deadline; when it comes the future is cancelled,
 * and waited for until it has ended. Takes the reference, and moves the result
 * out. For code of this task that is to have a deadline: UVA_TIMEOUT.
 *
 * @param timeout_ns From now on; UVA_FOREVER for none.
 * @retval UV_ETIMEDOUT The deadline came first.
 * @return Otherwise as uva_join.
 * @suspends Until it is done; not if it is.
 * @asyncio wait_for
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_wait_for(uva_future_t *take_future, uint64_t timeout_ns, void **ret_result);
/** The poll half of uva_wait_for. */
UVA_EXTERN UVA_NODISCARD int uva_wait_for_poll(uva_wait_for_op_t *op,
                                               uva_future_t *take_future,
                                               uint64_t timeout_ns,
                                               void **ret_result);

/**
 * Cancel a future and wait until it has ended, however it ends. Borrowed.
 * @retval 0            It is done.
 * @retval UV_ECANCELED The waiting task was cancelled.
 * @suspends Unless it is done already.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_cancel_and_wait(uva_future_t *future);
/** The poll half of uva_cancel_and_wait. */
UVA_EXTERN UVA_NODISCARD int uva_cancel_and_wait_poll(uva_wait_op_t *op,
                                                      uva_future_t *future);

/** private */
typedef struct uva_shield_op_s {
    uva_future_t *outer;
} uva_shield_op_t;

/**
 * Wait for a future that a cancellation of the waiting task must not reach.
 * Borrowed; the value is borrowed from it.
 *
 * @return As uva_await.
 * @suspends Only while the future is pending.
 * @asyncio await shield(...)
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_shield(uva_future_t *future,
                                                 void **ret_result);
/** The poll half of uva_shield. */
UVA_EXTERN UVA_NODISCARD int
uva_shield_poll(uva_shield_op_t *op, uva_future_t *future, void **ret_result);
/** A future that ends as the inner one and can be cancelled alone; a new
 * reference of the inner one itself if that is done. It keeps the inner one,
 * from which its value is borrowed. @asyncio shield */
UVA_EXTERN UVA_NODISCARD uva_future_t *uva_shield_future(uva_future_t *future);

/** The futures of an as_completed, in the order they end. Embedded; allocates
 * a node for each future when it starts. */
typedef struct uva_as_completed_s {
    /* private */
    void *state;
} uva_as_completed_t;

/**
 * Begin to wait for futures in the order of their completion.
 *
 * @param futures UVA_FUTURES(array), borrowed until the end; a future that
 *                stands there twice comes once.
 * @retval UV_ENOMEM Nothing was started.
 * @retval UV_EINVAL count is above INT32_MAX; likewise.
 * @asyncio as_completed
 */
UVA_EXTERN UVA_NODISCARD int
uva_as_completed_start(uva_as_completed_t *iterator,
                       const uva_future_ref_t *futures,
                       size_t count,
                       uint64_t timeout_ns);
/**
 * Wait for the next future that is done.
 *
 * @param ret_future Borrowed; one of those given.
 * @retval 1            There is one.
 * @retval 0            All were given out, or the iteration was ended.
 * @retval UV_ETIMEDOUT The time was up before it was done; the others go on.
 * @suspends Until the next one is seen to be done: one that was done before the
 *           start is seen an iteration later.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_as_completed_next(uva_as_completed_t *iterator, uva_future_t **ret_future);
/** The poll half of uva_as_completed_next. */
UVA_EXTERN UVA_NODISCARD int
uva_as_completed_next_poll(uva_as_completed_t *iterator,
                           uva_future_t **ret_future);
/** End the iteration, early or not. Tasks that wait for the next future get 0;
 * the iterator stays until these have run. */
UVA_EXTERN void uva_as_completed_destroy(uva_as_completed_t *iterator);

/** One attempt of a staggered race. */
typedef struct uva_attempt_s {
    uva_coro_cb body;
    void *arg; /* Borrowed until the race is over. */
} uva_attempt_t;

/**
 * Start attempts one after another, each when the one before has failed or
 * delay_ns has passed; the first success ends the race: the others are
 * cancelled and waited for.
 * For stackful tasks only.
 *
 * @param delay_ns   UVA_FOREVER: only after a failure.
 * @param ret_result What the winner gave; may be NULL.
 * @param ret_codes  Array of count codes, may be NULL: how each started
 *                   attempt failed; 0 for the winner and those not started.
 * @return The index of the winner, or:
 * @retval UV_ENOENT    None succeeded.
 * @retval UV_EINVAL    count is above INT32_MAX, or a body is NULL; none was
 *                      started.
 * @retval UV_ECANCELED The task was cancelled; all attempts have ended.
 * @suspends Always, if count > 0.
 * @asyncio staggered_race; differs: one that is cancelled waits too.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_staggered_race(const uva_attempt_t *attempts,
                   size_t count,
                   uint64_t delay_ns,
                   void **ret_result,
                   int *ret_codes);

UVA_END_DECLS

#endif /* UVA_TASKS_H */
