/**
 * @file
 * The event loop: running it, scheduling callbacks, reporting what nobody
 * else can be told.
 *
 * A loop belongs to one thread at a time: the one that made it, then the one
 * that ran it last; an attached loop to the one that turns its host. A call
 * from another thread, except for those marked "@thread any", returns UV_EPERM
 * (or does nothing, where nothing can be returned) and is reported to the log.
 */
#ifndef UVA_EVENTS_H
#define UVA_EVENTS_H

#include "uva/errors.h"
#include "uva/time.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** How stacks of coroutines are guarded against overflow. */
typedef enum uva_guard_e {
    UVA_GUARD_AUTO,     /* The first of the following that works. */
    UVA_GUARD_MARKER,   /* Guard markers (Linux 6.13): any number of stacks. */
    UVA_GUARD_MPROTECT, /* Protected pages, for as many as the system allows. */
    UVA_GUARD_CANARY    /* A gap and a word that is checked at each switch. */
} uva_guard_t;

/** Settings of a new loop; zero means the default. */
typedef struct uva_loop_options_s {
    size_t size;            /* sizeof(uva_loop_options_t). */
    size_t max_tasks;       /* Unfinished tasks at once; default no limit. */
    size_t max_stack_bytes; /* Virtual bytes of all stacks together, idle ones
                               included; default no limit. */
    size_t stack_bytes;     /* Stack of a task that asks for none; default
                               256 KiB, more under sanitizers. */
    uva_guard_t guard;      /* Default UVA_GUARD_AUTO. */
    unsigned iterations_per_poll; /* Iterations between two looks at the
                               outside; default 61, 1 is asyncio's own. */
    bool debug;        /* As uva_loop_set_debug. The environment variable
                          UVA_DEBUG=1 sets it as well. */
    bool stack_census; /* Measure every stack, not only fresh ones. */
} uva_loop_options_t;

/** The defaults. */
#define UVA_LOOP_OPTIONS_INIT                                                \
    {                                                                        \
        sizeof(uva_loop_options_t), 0, 0, 0, UVA_GUARD_AUTO, 0, false, false \
    }

/**
 * Make a loop with a uv_loop_t of its own.
 *
 * @param[in]  options  NULL for the defaults.
 * @param[out] ret_loop New reference; unset on failure.
 * @retval UV_ENOMEM Nothing was created.
 * @retval UV_EINVAL An option is out of its range.
 * @thread any
 * @asyncio new_event_loop
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_new(const uva_loop_options_t *options,
                                          uva_loop_t **ret_loop);

/**
 * Make a loop that lives on the uv_loop_t of an application: a guest of its
 * host.
 *
 * It needs nothing but that somebody calls uv_run. Its handles are referenced
 * exactly while a task is unfinished, a call is scheduled or an operation is
 * in flight; their data is NULL. The application's loop and handles are never
 * closed by uva.
 *
 * From the first prepare or check of a turn on, the loop belongs to the thread
 * that turns the host. In timers that libuv runs before these, in another
 * thread than the one that attached, uva_loop_adopt comes first.
 *
 * A host may also close every handle it finds on its loop. uva finds that out
 * at the next call: every unfinished task is cancelled and run to its end, the
 * loop is closed, and the log says so once. docs/hosts.md has every order.
 *
 * @param[in]  host     Borrowed; outlives the handles of the loop: see
 *                      uva_loop_is_detached.
 * @thread The thread of host.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_attach(uv_loop_t *host,
                                             const uva_loop_options_t *options,
                                             uva_loop_t **ret_loop);

/** Take a reference. @return loop itself; NULL for NULL.
 * @thread any, with a reference of the loop. */
UVA_EXTERN uva_loop_t *uva_loop_ref(uva_loop_t *loop);

/** Drop a reference. The last one of a loop that was not closed closes it, if
 * it can, and warns; in another thread than the loop's it is kept, and the log
 * says so. @return NULL. @thread any */
UVA_EXTERN uva_loop_t *uva_loop_unref(uva_loop_t *loop);

/** The uv_loop_t below; borrowed; NULL for a virtual loop. From here on a loop
 * of its own polls at each look, as there may be handles of yours; close these
 * before the loop. */
UVA_EXTERN uv_loop_t *uva_loop_uv(uva_loop_t *loop);

/**
 * Count an operation of the application's own: until uva_loop_op_end an
 * attached loop keeps uv_run going, tasks that wait are not reported as stuck,
 * and a close or a shutdown waits for the operation.
 *
 * @retval UV_EPERM The loop is closing, or belongs to another thread.
 */
UVA_EXTERN int uva_loop_op_begin(uva_loop_t *loop);
/** The operation has ended. Once for each uva_loop_op_begin that succeeded. */
UVA_EXTERN void uva_loop_op_end(uva_loop_t *loop);

/**
 * Make the calling thread the one that the loop belongs to.
 *
 * For a host that is about to be turned in another thread than before, and
 * calls in before uva can see it. The thread that had the loop must not use it
 * at the same time.
 *
 * @retval UV_EPERM    The loop is closed, or its tasks are running.
 * @retval UVA_EFORKED As everywhere.
 * @thread The one that is to have it.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_adopt(uva_loop_t *loop);

/** Whether a host is inside uv_run, as far as it says so. */
typedef enum uva_inside_e {
    UVA_INSIDE_UNKNOWN, /* Nothing: uva finds out by itself. */
    UVA_INSIDE_NO,      /* Nobody is inside uv_run of this host. */
    UVA_INSIDE_YES      /* Somebody is, or it is not for uva to turn it. */
} uva_inside_t;

/**
 * Say whether the host of an attached loop is inside uv_run; valid until the
 * host says otherwise.
 *
 * uv_run must not be entered twice on one loop, so the functions that run an
 * attached loop refuse inside it with UV_EBUSY, and a shutdown goes on in the
 * host's own turns. uva finds out by the stack of the calling thread. It
 * cannot through frames that the system's unwinder does not know (compiled by
 * a virtual machine), nor where the host has another copy of libuv; there it
 * takes the host to be inside until it says UVA_INSIDE_NO.
 *
 * @retval UV_EPERM   The loop is closed, or a wrong thread asks.
 * @retval UV_ENOTSUP The loop has no host.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_set_inside(uva_loop_t *loop,
                                                 uva_inside_t inside);

/**
 * In the child of a fork: make the loop whole, so that it goes on in parent and
 * child.
 *
 * To be called before the child turns the loop; with a host, after
 * uv_loop_fork of that. Until then the child is refused: calls of the loop, its
 * tasks and its futures return UVA_EFORKED (UV_EPERM those of other objects),
 * or do nothing where nothing can be returned; a turn runs nothing, and a run
 * ends with UVA_EFORKED. The parent is not disturbed. Tasks, deadlines and
 * scheduled calls are there on both sides from then on, and so are connections:
 * close those that the child does not want by their descriptors.
 *
 * @retval UV_EPERM The loop is closed.
 * @return 0, also where there was no fork, or a code of the system.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_fork(uva_loop_t *loop);

/**
 * The loop that runs in this thread; NULL if none does. Borrowed.
 *
 * @thread any
 * @asyncio get_running_loop; differs: NULL instead of RuntimeError.
 */
UVA_EXTERN uva_loop_t *uva_get_running_loop(void);

/**
 * Whether the calling thread may touch what belongs to a loop. If not, the log
 * names the function and the thread. A primitive of one's own asks before it
 * changes anything, as each function of the library does.
 *
 * @param loop     NULL belongs to nobody: true.
 * @param function Whose call it is: __func__.
 * @thread any, with a reference of the loop.
 */
UVA_EXTERN bool uva_loop_owned(const uva_loop_t *loop, const char *function);

/**
 * Run until uva_loop_stop.
 *
 * @retval UV_EPERM  The loop is closed, or a loop runs in this thread already.
 * @retval UV_EBUSY  Attached, and the host is inside uv_run.
 * @asyncio loop.run_forever
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_run_forever(uva_loop_t *loop);

/**
 * Run until a future is done, then give its result.
 *
 * @param[in]  future     Borrowed; NULL failed with UV_ENOMEM.
 * @param[out] ret_result Its value, borrowed from the future; may be NULL.
 * @return 0, the code the future failed with, or:
 * @retval UV_EPERM The loop is closed, a loop runs here already, or the loop
 *                  was stopped before the future was done.
 * @retval UV_EBUSY Attached, and the host is inside uv_run.
 * @retval UVA_EWRONGLOOP The future belongs to another loop.
 * @retval UVA_EDEADLOCK Virtual time only: nothing is left that could complete
 *                  the future. A real loop goes on waiting, as another thread
 *                  or a signal may come; both write to the log who waits for
 *                  what, a real one as a warning if the process has one thread.
 * @asyncio loop.run_until_complete
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_run_until_complete(uva_loop_t *loop,
                                                         uva_future_t *future,
                                                         void **ret_result);

/**
 * Make run_forever or run_until_complete return after the running iteration.
 * Before a run: the next one does exactly one iteration.
 * @asyncio loop.stop
 */
UVA_EXTERN void uva_loop_stop(uva_loop_t *loop);

/**
 * Close a loop that is not running. Idempotent. Scheduled calls are dropped,
 * not run; their destructors are, and find the loop closed: what they schedule
 * is refused. The callbacks of a future that is done later are dropped
 * likewise.
 *
 * An own loop turns libuv once more to let its handles close. On an attached
 * loop the handles close in the host's next turn: see uva_loop_is_detached.
 *
 * @retval UV_EPERM The loop is running.
 * @retval UV_EBUSY Tasks are unfinished, operations in flight, or handles of
 *                  others open on a loop of uva's own. Nothing was changed;
 *                  each task was reported to the exception handler, the kinds
 *                  of the handles to the log.
 * @asyncio loop.close; differs: unfinished tasks are not abandoned.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_close(uva_loop_t *loop);

/** Called when a loop is closed for good. status: 0, or what went wrong. */
typedef void (*uva_loop_cb)(uva_loop_t *loop, int status, void *data);

/** Options of a shutdown; zero means default. */
typedef struct uva_shutdown_options_s {
    size_t size;         /* sizeof(uva_shutdown_options_t). */
    uint64_t timeout_ns; /* Nanoseconds until it gives up; default never. */
    uva_loop_cb done; /* Called exactly once if 0 is returned; may be NULL. */
    void *data;       /* Borrowed. */
} uva_shutdown_options_t;

/** The defaults. */
#define UVA_SHUTDOWN_OPTIONS_INIT                     \
    {                                                 \
        sizeof(uva_shutdown_options_t), 0, NULL, NULL \
    }

/**
 * Cancel every task, wait for them, close.
 *
 * Unless the host is inside uv_run this runs the loop and returns when all is
 * done. On an attached loop whose host runs it returns at once and done is
 * called from the host's loop; the loop is kept until then. A task that
 * swallows its cancellation is waited for, and after a second the log says
 * which, and where it waits; failures of the others are reported to the
 * exception handler. A stop does not end it.
 *
 * When the deadline of the options has come, each task that is still unfinished
 * is reported to the exception handler (uva_exception_t.task, with
 * UV_ETIMEDOUT), and the shutdown ends with UV_ETIMEDOUT: returned, or told to
 * done. The loop is open then, its tasks go on, and it may be shut down or
 * detached again.
 *
 * @param options NULL for the defaults.
 * @retval UV_EPERM The loop is closed, or this is called from inside it.
 * @retval UV_EBUSY The tasks have ended, but the loop has handles of others, as
 *                  for uva_loop_close.
 * @retval UVA_EDEADLOCK Virtual time only: a task waits for what cannot come.
 * @retval UV_ETIMEDOUT Some tasks did not end in time.
 * @retval UV_EINVAL    options->size is wrong.
 * @retval UV_ENOMEM    There was none for the deadline; nothing was changed.
 */
UVA_EXTERN UVA_NODISCARD int
uva_loop_shutdown(uva_loop_t *loop, const uva_shutdown_options_t *options);

/**
 * End a loop without turning its host: for a host that is about to go, or is
 * gone already.
 *
 * Every unfinished task is cancelled and run until it has ended, and cancelled
 * anew whenever it waits again; no time passes and nothing is waited for.
 * Connections and servers are closed at once, scheduled calls are dropped. If
 * the host is there its next turns let go of the handles; uva_loop_is_closed
 * is true when the last operation is over, uva_loop_is_detached when the last
 * handle is gone. If the host has closed the handles all is done at once.
 *
 * On a loop without a host it is the same, and closes the loop.
 *
 * @retval UV_EPERM The loop is running, or this is called from inside it.
 * @retval UV_EBUSY Tasks that swallow every cancellation are left, each of them
 *                  reported to the exception handler. The loop is open.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_detach(uva_loop_t *loop);

/** Whether the loop is closed and none of its handles is left on the host: as
 * far as uva goes, uv_loop_close of the host may be called. */
UVA_EXTERN bool uva_loop_is_detached(uva_loop_t *loop);

/** Whether it is inside run_forever or run_until_complete.
 * @asyncio loop.is_running */
UVA_EXTERN bool uva_loop_is_running(const uva_loop_t *loop);
/** Whether it was closed; it takes no calls and no tasks then.
 * @asyncio loop.is_closed */
UVA_EXTERN bool uva_loop_is_closed(const uva_loop_t *loop);

/**
 * The loop's clock, in nanoseconds: the monotonic clock read now, or virtual
 * time. Deadlines are points on it.
 * @asyncio loop.time
 */
UVA_EXTERN uint64_t uva_loop_time(const uva_loop_t *loop);

/** How many iterations have begun since the loop was made. */
UVA_EXTERN uint64_t uva_loop_iterations(const uva_loop_t *loop);

/** What a loop has at a moment. */
typedef struct uva_loop_stats_s {
    size_t size;         /* sizeof(uva_loop_stats_t), set by the caller. */
    uint64_t iterations; /* As uva_loop_iterations. */
    size_t tasks;        /* Unfinished. */
    size_t calls;        /* Scheduled, and not run. */
    size_t timers;       /* Deadlines, those of calls and sleeps among them. */
    size_t operations;   /* In flight. */
    size_t connections;  /* Transports that are not closed. */
} uva_loop_stats_t;

/** The defaults. */
#define UVA_LOOP_STATS_INIT                        \
    {                                              \
        sizeof(uva_loop_stats_t), 0, 0, 0, 0, 0, 0 \
    }

/** Count what a loop has; it costs nothing while nobody asks.
 * uva_loops_get_stats asks from other threads. @retval UV_EPERM In another
 * thread.
 * @retval UV_EINVAL ret_stats->size is wrong. */
UVA_EXTERN int uva_loop_get_stats(uva_loop_t *loop,
                                  uva_loop_stats_t *ret_stats);

/** A scheduled callback. */
typedef void (*uva_callback_cb)(void *data);

/** Options of a scheduled call; zero means default. */
typedef struct uva_call_options_s {
    size_t size;            /* sizeof(uva_call_options_t). */
    uva_context_t *context; /* Borrowed; default a copy of the caller's. */
    uva_destroy_cb destroy; /* Frees data, once, after the call or instead of
                               it. */
} uva_call_options_t;

/** The defaults. */
#define UVA_CALL_OPTIONS_INIT                  \
    {                                          \
        sizeof(uva_call_options_t), NULL, NULL \
    }

/**
 * Schedule calls of callback(data).
 *
 * call_soon appends to the ready queue: the call runs in the next iteration.
 * call_later and call_at go through the timers, even when they are due at
 * once; equal deadlines run in the order they were made.
 *
 * @param[in]  loop       NULL for the running one; UVA_ENOLOOP if none runs.
 * @param[in]  options    NULL for the defaults.
 * @param[out] ret_handle New reference, or NULL if nobody wants to cancel.
 * @retval UV_ENOMEM Nothing was scheduled; a destructor given has run.
 * @retval UV_EPERM  The loop is closed, or the call came from a wrong thread;
 *                   likewise.
 * @retval UV_EINVAL callback is NULL, or options->size is wrong; likewise.
 */

/** @asyncio loop.call_soon */
UVA_EXTERN UVA_NODISCARD int
uva_loop_call_soon(uva_loop_t *loop,
                   uva_callback_cb callback,
                   void *data,
                   const uva_call_options_t *options,
                   uva_handle_t **ret_handle);

/** @param delay_ns Nanoseconds from now; UVA_FOREVER never comes.
 * @asyncio loop.call_later */
UVA_EXTERN UVA_NODISCARD int
uva_loop_call_later(uva_loop_t *loop,
                    uint64_t delay_ns,
                    uva_callback_cb callback,
                    void *data,
                    const uva_call_options_t *options,
                    uva_handle_t **ret_handle);

/** @param when_ns A point on the loop's clock.
 * @asyncio loop.call_at */
UVA_EXTERN UVA_NODISCARD int uva_loop_call_at(uva_loop_t *loop,
                                              uint64_t when_ns,
                                              uva_callback_cb callback,
                                              void *data,
                                              const uva_call_options_t *options,
                                              uva_handle_t **ret_handle);

/**
 * Like call_soon, from any thread; wakes a loop that sleeps. The caller must
 * hold a reference of the loop.
 *
 * The destructor runs in the loop's thread, so data may keep what is the
 * loop's. If the loop is closing, UV_EPERM is returned and the destructor runs
 * before it is closed; if it is closed already, at once in the calling thread,
 * and may drop references there. Refused for another reason, the data is freed
 * at once in the calling thread, which in an open loop may not drop them.
 *
 * @thread any
 * @asyncio loop.call_soon_threadsafe
 */
UVA_EXTERN UVA_NODISCARD int
uva_loop_call_soon_threadsafe(uva_loop_t *loop,
                              uva_callback_cb callback,
                              void *data,
                              const uva_call_options_t *options,
                              uva_handle_t **ret_handle);

/** private */
typedef struct uva_thread_stack_op_s {
    uva__ready_t ready;
    uva_callback_cb callback;
    void *data;
    uva_waiter_t *waiter; /* Borrowed. */
} uva_thread_stack_op_t;

/**
 * Call callback(data) on the stack that the loop itself runs on, and wait until
 * it has returned.
 *
 * For what refuses to run on the stack of a task, because it knows where the
 * stack of its thread is (V8, R). That stack is the thread's own, unless uv_run
 * was called in a task of another loop. The call is a plain callback: nothing
 * in it can await, and no other task runs meanwhile.
 *
 * @retval UV_ECANCELED The task was cancelled: the call did not come, or
 *                      cancelled the task itself.
 * @retval UVA_ENOTASK  Nothing here can wait.
 * @suspends Always.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_call_on_thread_stack(uva_callback_cb callback, void *data);
/** The poll half of uva_call_on_thread_stack. */
UVA_EXTERN UVA_NODISCARD int uva_call_on_thread_stack_poll(
    uva_thread_stack_op_t *op, uva_callback_cb callback, void *data);

/** private: the same, with what debug reports use: the name of the callback,
 * NUL, where it was scheduled. */
UVA_EXTERN UVA_NODISCARD int
uva__loop_call_soon(uva_loop_t *loop,
                    uva_callback_cb callback,
                    void *data,
                    const uva_call_options_t *options,
                    uva_handle_t **ret_handle,
                    const char *site);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__loop_call_later(uva_loop_t *loop,
                     uint64_t delay_ns,
                     uva_callback_cb callback,
                     void *data,
                     const uva_call_options_t *options,
                     uva_handle_t **ret_handle,
                     const char *site);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__loop_call_at(uva_loop_t *loop,
                  uint64_t when_ns,
                  uva_callback_cb callback,
                  void *data,
                  const uva_call_options_t *options,
                  uva_handle_t **ret_handle,
                  const char *site);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__loop_call_soon_threadsafe(uva_loop_t *loop,
                               uva_callback_cb callback,
                               void *data,
                               const uva_call_options_t *options,
                               uva_handle_t **ret_handle,
                               const char *site);
/** private */
#define UVA__SITE(callback) #callback "\0" UVA__HERE
/** The function, with the names that debug reports use. */
#define uva_loop_call_soon(loop, callback, data, options, ret_handle) \
    uva__loop_call_soon(loop, callback, data, options, ret_handle,    \
                        UVA__SITE(callback))
/** The function, with the names that debug reports use. */
#define uva_loop_call_later(loop, delay_ns, callback, data, options,          \
                            ret_handle)                                       \
    uva__loop_call_later(loop, delay_ns, callback, data, options, ret_handle, \
                         UVA__SITE(callback))
/** The function, with the names that debug reports use. */
#define uva_loop_call_at(loop, when_ns, callback, data, options, ret_handle) \
    uva__loop_call_at(loop, when_ns, callback, data, options, ret_handle,    \
                      UVA__SITE(callback))
/** The function, with the names that debug reports use. */
#define uva_loop_call_soon_threadsafe(loop, callback, data, options,          \
                                      ret_handle)                             \
    uva__loop_call_soon_threadsafe(loop, callback, data, options, ret_handle, \
                                   UVA__SITE(callback))

/** Forget a scheduled call; idempotent; nothing if it has run. Its destructor
 * runs at once; for a handle of another thread soon, in the loop's. NULL is
 * allowed. @asyncio Handle.cancel
 * @thread any, for a handle that uva_loop_call_soon_threadsafe gave to another
 *         thread than the loop's; so uva_handle_cancelled and _unref. */
UVA_EXTERN void uva_handle_cancel(uva_handle_t *handle);
/** Whether it was cancelled before it ran; false for NULL.
 * @asyncio Handle.cancelled */
UVA_EXTERN bool uva_handle_cancelled(const uva_handle_t *handle);
/** The deadline on the loop's clock; 0 for a handle that is no timer.
 * @asyncio TimerHandle.when */
UVA_EXTERN uint64_t uva_handle_when(const uva_handle_t *handle);
/** The context the call runs in; borrowed. @asyncio Handle.get_context */
UVA_EXTERN uva_context_t *uva_handle_get_context(uva_handle_t *handle);
/** Take a reference. @return handle itself; NULL for NULL. @thread any */
UVA_EXTERN uva_handle_t *uva_handle_ref(uva_handle_t *handle);
/** Drop a reference; the call stays scheduled. @return NULL. @thread any, for
 * a handle of uva_loop_call_soon_threadsafe. */
UVA_EXTERN uva_handle_t *uva_handle_unref(uva_handle_t *handle);

/** The argument of an exception handler. Fields that do not apply are NULL or
 * 0; everything is borrowed for the call. */
typedef struct uva_exception_s {
    size_t size;              /* sizeof(uva_exception_t). */
    const char *message;      /* What happened; NULL only from callers that do
                                 not say: "Unhandled exception in event loop". */
    int code;                 /* The failure; 0 if there is none. */
    const uva_error_t *error; /* Its record, if it has one. */
    uva_future_t *future;     /* The future or task it is about. */
    uva_task_t *task;
    uva_handle_t *handle;
    const char *source; /* "file.c:12", where it was made; debug mode. */
} uva_exception_t;

/** Told of an error that nobody can receive. It runs where the error is found,
 * in the context of what it is about, and may not await. */
typedef void (*uva_exception_handler_cb)(uva_loop_t *loop,
                                         const uva_exception_t *exception,
                                         void *data);

/** Replace the default handler; NULL restores it. A handler that causes
 * another report while it runs sends that one to the default handler.
 * @asyncio loop.set_exception_handler */
UVA_EXTERN void uva_loop_set_exception_handler(uva_loop_t *loop,
                                               uva_exception_handler_cb handler,
                                               void *data);
/** The handler that was set, NULL for the default; its data if wanted. */
UVA_EXTERN uva_exception_handler_cb
uva_loop_get_exception_handler(const uva_loop_t *loop, void **ret_data);
/** Write one record to the log. @asyncio loop.default_exception_handler */
UVA_EXTERN void
uva_loop_default_exception_handler(uva_loop_t *loop,
                                   const uva_exception_t *exception);
/** Report an error that nobody can receive.
 * @asyncio loop.call_exception_handler */
UVA_EXTERN void
uva_loop_call_exception_handler(uva_loop_t *loop,
                                const uva_exception_t *exception);

/**
 * Debug mode: callbacks and steps that take slow_callback_ns or longer are
 * named in the log with their duration; reports say where futures, tasks and
 * handles were made; when the last reference of a closed loop goes, what still
 * keeps it in memory is named.
 */
UVA_EXTERN void uva_loop_set_debug(uva_loop_t *loop, bool enabled);
/** @asyncio loop.get_debug */
UVA_EXTERN bool uva_loop_get_debug(const uva_loop_t *loop);
/** Nanoseconds; 100 ms by default. @asyncio loop.slow_callback_duration */
UVA_EXTERN void uva_loop_set_slow_callback(uva_loop_t *loop, uint64_t slow_ns);

UVA_END_DECLS

#endif /* UVA_EVENTS_H */
