/**
 * @file
 * Futures: a result that is not there yet, and waiters: what a task waits
 * with.
 *
 * NULL is a future that failed with UV_ENOMEM. Other refusals (limit, closed
 * loop, no loop) are static futures that failed already; _ref and _unref do
 * nothing on them. So code checks once, where it awaits.
 */
#ifndef UVA_FUTURES_H
#define UVA_FUTURES_H

#include "uva/errors.h"
#include "uva/events.h"
#include "uva/time.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * Make a pending future on a loop, or on the running one.
 *
 * @return New reference; NULL without memory; a failed future without a loop.
 * @asyncio loop.create_future
 */
UVA_EXTERN UVA_NODISCARD uva_future_t *uva_loop_create_future(uva_loop_t *loop);
/** uva_loop_create_future on the running loop; UVA_ENOLOOP if none runs. */
UVA_EXTERN UVA_NODISCARD uva_future_t *uva_create_future(void);

/** private: the same, with the place that debug reports use. */
UVA_EXTERN UVA_NODISCARD uva_future_t *
uva__loop_create_future(uva_loop_t *loop, const char *here);
/** The function, with the place that debug reports use. */
#define uva_loop_create_future(loop) uva__loop_create_future(loop, UVA__HERE)
/** The function, with the place that debug reports use. */
#define uva_create_future() \
    uva__loop_create_future(uva_get_running_loop(), UVA__HERE)

/** A future that has failed already with code: what functions return that
 * cannot make a real one. Static; there is one for each code that uva refuses
 * with. Every other gives NULL, which is UV_ENOMEM. @thread any */
UVA_EXTERN uva_future_t *uva_future_refused(int code);

/** Take a reference. @return future itself. */
UVA_EXTERN uva_future_t *uva_future_ref(uva_future_t *future);
/**
 * Drop a reference. The last one of a failed future whose failure nobody
 * looked at reports it to the exception handler.
 * @return NULL.
 */
UVA_EXTERN uva_future_t *uva_future_unref(uva_future_t *future);

/** The loop of a future; borrowed; NULL for a static one.
 * @asyncio Future.get_loop */
UVA_EXTERN uva_loop_t *uva_future_get_loop(const uva_future_t *future);

/** Whether it has a result, a failure, or was cancelled; true for NULL.
 * @asyncio Future.done */
UVA_EXTERN bool uva_future_done(const uva_future_t *future);
/** @asyncio Future.cancelled */
UVA_EXTERN bool uva_future_cancelled(const uva_future_t *future);
/**
 * The result of a future that is done. Marks a failure as seen; in a task
 * uva_task_error tells of it, as if it had been awaited.
 *
 * @param[out] ret_result Its value, borrowed from the future (a typed task
 *                        gives the address of its value); may be NULL.
 * @return 0, or the code it failed with, or:
 * @retval UVA_EINVALIDSTATE It is pending, or its result was moved out.
 * @retval UV_ECANCELED It was cancelled.
 * @asyncio Future.result
 */
UVA_EXTERN UVA_NODISCARD int uva_future_result(uva_future_t *future,
                                               void **ret_result);

/**
 * The failure of a future that is done: 0 if it succeeded. Marks it as seen,
 * as uva_future_result does.
 *
 * @retval UVA_EINVALIDSTATE It is pending.
 * @asyncio Future.exception
 */
UVA_EXTERN UVA_NODISCARD int uva_future_exception(uva_future_t *future);

/** The error record of a failed future, or of one that was cancelled with a
 * message, which is its text; borrowed; NULL if there is none. */
UVA_EXTERN const uva_error_t *uva_future_error(const uva_future_t *future);

/**
 * Complete a future. Callbacks and waiting tasks run in the next iteration.
 *
 * @param destroy Frees the result when the future goes; NULL if it is borrowed.
 *                Runs at once if an error is returned.
 * @retval UVA_EINVALIDSTATE It is done, or it is a task.
 * @retval UV_EPERM          Called from a wrong thread.
 * @asyncio Future.set_result
 */
UVA_EXTERN int uva_future_set_result(uva_future_t *future,
                                     void *result,
                                     uva_destroy_cb destroy);

/**
 * Fail a future with a negative code and, if not NULL, a text (copied; dropped
 * without memory).
 * @retval UV_EINVAL code is not negative, or UVA_PENDING; nothing was done.
 * @asyncio Future.set_exception
 */
UVA_EXTERN int
uva_future_set_exception(uva_future_t *future, int code, const char *text);

/** Fail a future with an error record; returns as uva_future_set_exception.
 * @param error Borrowed. */
UVA_EXTERN int uva_future_set_error(uva_future_t *future,
                                    const uva_error_t *error);

/**
 * Cancel a future: a plain one is cancelled at once, a task is asked to
 * (uva_task_cancel), a gathering one asks its children.
 *
 * @return false if it was done already; for a gathering one, if every child
 *         was.
 * @asyncio Future.cancel
 */
UVA_EXTERN bool uva_future_cancel(uva_future_t *future);
/** uva_future_cancel with a message, which is copied and dropped without
 * memory; it may be NULL. Whoever awaits the future has it from
 * uva_task_error. In a task that is cancelled
 * uva_error_text(uva_task_error()) gives it after the await; of several
 * requests before its next step the first has the word if it waits for
 * something, else the last. */
UVA_EXTERN bool uva_future_cancel_message(uva_future_t *future,
                                          const char *message);
/** The message of the cancellation that a cancelled future ended with; NULL if
 * none was given. Borrowed. */
UVA_EXTERN const char *
uva_future_get_cancel_message(const uva_future_t *future);

/** Called once a future is done. future: borrowed for the call. */
typedef void (*uva_done_cb)(uva_future_t *future, void *data);

/**
 * Call callback(future, data) in the iteration after the future is done, or in
 * the next one if it is done already; in the order of registration.
 *
 * @param options NULL for the defaults: no destructor for data, the context of
 *                the moment.
 * @retval UV_ENOMEM Not registered (a plain future's first callback needs no
 *                   memory); a destructor given has run.
 * @retval UV_EINVAL callback is NULL, or options->size is wrong; likewise.
 * @asyncio Future.add_done_callback
 */
UVA_EXTERN UVA_NODISCARD int
uva_future_add_done_callback(uva_future_t *future,
                             uva_done_cb callback,
                             void *data,
                             const uva_call_options_t *options);

/** Remove every registration of callback with data.
 * @return How many; 0 once the future is done.
 * @asyncio Future.remove_done_callback */
UVA_EXTERN size_t uva_future_remove_done_callback(uva_future_t *future,
                                                  uva_done_cb callback,
                                                  void *data);

/**
 * Record for the call graph that waiter is held up by future, for waits that
 * the library cannot see.
 *
 * @param waiter Kept until the future is done or this is taken back.
 * @return 0, or as uva_future_add_done_callback.
 * @asyncio future_add_to_awaited_by
 */
UVA_EXTERN int uva_future_add_to_awaited_by(uva_future_t *future,
                                            uva_future_t *waiter);
/** Take uva_future_add_to_awaited_by back.
 * @asyncio future_discard_from_awaited_by */
UVA_EXTERN void uva_future_discard_from_awaited_by(uva_future_t *future,
                                                   uva_future_t *waiter);

/**
 * Wait for a future. The reference stays the caller's; a future that is done
 * does not suspend. Cancelling the waiting task cancels the future.
 *
 * @param[out] ret_result As uva_future_result; may be NULL.
 * @return 0, the code it failed with, or:
 * @retval UV_ECANCELED   It, or the calling task, was cancelled.
 * @retval UVA_EWRONGLOOP It is pending, and belongs to another loop.
 * @retval UV_EPERM       The task awaits itself.
 * @retval UVA_ENOTASK    Called where nothing can suspend.
 * @retval UV_ENOMEM      The future is NULL; nothing else needs memory.
 * @suspends Only while the future is pending.
 * @asyncio await future
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_await(uva_future_t *future,
                                                void **ret_result);
/** The poll half of uva_await. */
UVA_EXTERN UVA_NODISCARD int uva_await_poll(uva_future_t *future,
                                            void **ret_result);

/** uva_await, then drop the reference, on error too. The result is moved out:
 * its destructor is disarmed, the caller owns it. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_join(uva_future_t *take_future,
                                               void **ret_result);
/** The poll half of uva_join; drops the reference with its last call. */
UVA_EXTERN UVA_NODISCARD int uva_join_poll(uva_future_t *take_future,
                                           void **ret_result);

/** private: what a task awaits. */
typedef struct uva__await_s {
    void *unused; /* The library's: see struct uva_task_s. */
    uva_future_t *future;
} uva__await_t;

/**
 * Waiters: how an awaiting function of one's own is written.
 *
 * A task waits for one thing at a time, so its waiter is part of the task and
 * nothing is allocated. The function is a poll: it is called in the task's own
 * step, returns its result or UVA_PENDING, and is called again after each
 * wake-up, a cancellation included. uva_waiter_resumed tells the calls apart.
 *
 *     int r;
 *     uva_waiter_t *self = uva_waiter_current();
 *     if (!uva_waiter_resumed(self)) {
 *         if (there is nothing to wait for) {
 *             return 0;
 *         }
 *         return uva_waiter_suspend(self, &owner, &list);
 *     }
 *     return uva_waiter_finish(self);
 */
struct uva_waiter_s {
    /* private */
    union {
        uva_list_t link;    /* Of the list given to uva_waiter_suspend. */
        uva__await_t await; /* While an await of a future is under way. */
    };
};

/** The waiter of the running task; NULL outside tasks, which every function
 * below takes. */
UVA_EXTERN uva_waiter_t *uva_waiter_current(void);
/** Whether the running await has suspended: the poll is called again. */
UVA_EXTERN bool uva_waiter_resumed(const uva_waiter_t *waiter);
/**
 * Begin to wait at the end of a list (NULL: in none). A cancellation that was
 * requested and not delivered wakes the waiter at once.
 *
 * @param[in,out] owner The loop that the primitive belongs to; bound to the
 *                      running one by the first wait. NULL if it has none.
 * @retval UVA_PENDING    Return it.
 * @retval UVA_ENOTASK    There is no task.
 * @retval UVA_EWRONGLOOP The primitive belongs to another loop.
 */
UVA_EXTERN UVA_NODISCARD int
uva_waiter_suspend(uva_waiter_t *waiter, uva_loop_t **owner, uva_list_t *list);
/** Wake a waiter, which runs in the next iteration. Nothing if it was woken or
 * cancelled already. It stays in its list until it runs.
 * @return Whether this call woke it. */
UVA_EXTERN bool uva_waiter_wake(uva_waiter_t *waiter);
/** uva_waiter_wake for the oldest waiter of a list that nobody woke or
 * cancelled. It leaves the list here, and so do those before it, which no later
 * call passes again.
 * @return Whether there was one; false, and nothing changed, in a thread that
 * the loop does not belong to. */
UVA_EXTERN bool uva_waiter_wake_first(uva_list_t *list);
/** Whether it was woken by uva_waiter_wake and has not run since. */
UVA_EXTERN bool uva_waiter_woken(const uva_waiter_t *waiter);
/** Whether it was cancelled before anyone woke it, and has not run since. */
UVA_EXTERN bool uva_waiter_cancelled(const uva_waiter_t *waiter);
/**
 * End a wait that was resumed: leave the list.
 * @retval 0            It was woken.
 * @retval UV_ECANCELED The task was cancelled, before the wake-up or after.
 */
UVA_EXTERN UVA_NODISCARD int uva_waiter_finish(uva_waiter_t *waiter);
/** The first of two small numbers for polls with several phases, kept while the
 * task is suspended; both are 0 at the first call of an await if every poll
 * leaves them so. */
UVA_EXTERN uint8_t uva_waiter_get_stage(const uva_waiter_t *waiter);
/** Set the stage; nothing outside tasks. */
UVA_EXTERN void uva_waiter_set_stage(uva_waiter_t *waiter, uint8_t stage);
/** The second of the two numbers. */
UVA_EXTERN int32_t uva_waiter_get_value(const uva_waiter_t *waiter);
/** Set the value; nothing outside tasks. */
UVA_EXTERN void uva_waiter_set_value(uva_waiter_t *waiter, int32_t value);

/** private: UVA__POLL(function, arguments...) calls function_poll(arguments).
 */
#define UVA__POLL(...) \
    UVA__CAT(UVA__POLL_, UVA__HAS_ARGS(0, __VA_ARGS__))(__VA_ARGS__)
#define UVA__POLL_0(function)      function##_poll()
#define UVA__POLL_A(function, ...) function##_poll(__VA_ARGS__)

/**
 * Drive the poll of a function to its end from a stackful task: the body of
 * every awaiting function. UVA_DRIVE(r, my_wait, self) calls
 * my_wait_poll(self), and again after each wake-up, with its arguments
 * evaluated anew.
 *
 *     int my_wait(my_t *self)
 *     {
 *         int r;
 *         UVA_DRIVE(r, my_wait, self);
 *         return r;
 *     }
 */
#define UVA_DRIVE(r, ...)                                           \
    do {                                                            \
        (r) = uva__block_check();                                   \
        if ((r) == 0) {                                             \
            while (((r) = UVA__POLL(__VA_ARGS__)) == UVA_PENDING) { \
                uva__block(__func__);                               \
            }                                                       \
        }                                                           \
    } while (0)

/** private: @retval UVA_ENOTASK The caller runs in no stackful task. */
UVA_EXTERN UVA_NODISCARD int uva__block_check(void);
/** private: leave the processor until something wakes the running stackful
 * task; only after a poll returned UVA_PENDING. what: static name, for dumps.
 */
UVA_EXTERN UVA_CORO void uva__block(const char *what);

/**
 * UVA_FUTURES views an array of tasks or futures as futures, whatever tasks it
 * was declared with; anything else does not compile. UVA_FUTURE does the same
 * for one.
 */
#ifdef __cplusplus
UVA_END_DECLS
template <class T> inline uva_future_t *uva__as_future(T *future)
{
    return (void)sizeof(future->uva__task),
           reinterpret_cast<uva_future_t *>(future);
}
template <> inline uva_future_t *uva__as_future(uva_future_t *future)
{
    return future;
}
template <> inline uva_future_t *uva__as_future(uva_task_t *task)
{
    return reinterpret_cast<uva_future_t *>(task);
}
template <class T> inline const uva_future_ref_t *uva__as_futures(T *const *a)
{
    return (void)sizeof(uva__as_future(a[0])),
           reinterpret_cast<const uva_future_ref_t *>(a);
}
#    define UVA_FUTURE(task)   (uva__as_future(task))
#    define UVA_FUTURES(array) (uva__as_futures(array))
UVA_BEGIN_DECLS
#else
typedef struct uva__typed_s {
    char uva__task;
} uva__typed_t;
#    define UVA_FUTURE(task)                                       \
        ((void)sizeof(_Generic((task), uva_task_t *                \
                               : (uva__typed_t *)0, uva_future_t * \
                               : (uva__typed_t *)0, default        \
                               : (task))                           \
                          ->uva__task),                            \
         (uva_future_t *)(void *)(task))
#    define UVA_FUTURES(array) \
        ((void)sizeof((*_Generic(&*(array), uva_task_t **                          \
                             : (uva__typed_t **)0, uva_task_t *const *         \
                             : (uva__typed_t **)0, uva_future_t **             \
                             : (uva__typed_t **)0, uva_future_t *const *       \
                             : (uva__typed_t **)0, default                     \
                             : (array)))                                       \
                      ->uva__task),                                            \
     (const uva_future_ref_t *)(const void *)(array))
#endif

UVA_END_DECLS

#endif /* UVA_FUTURES_H */
