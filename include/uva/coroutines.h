/**
 * @file
 * Coroutines driven by hand: a function on a stack of its own that hands out
 * values, takes values and errors in, and delegates; what generators are in
 * Python. Tasks need none of this.
 *
 * A coroutine that is driven from a task may await: the task waits.
 */
#ifndef UVA_COROUTINES_H
#define UVA_COROUTINES_H

#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * The body of a plain task or coroutine.
 *
 * @param arg        What was given with it.
 * @param ret_result Where its result goes; NULL until written.
 * @return 0 or more for success, a negative code for failure; UV_ECANCELED ends
 *         a task as cancelled, UVA_PENDING is taken for UV_EINVAL.
 */
typedef int (*uva_coro_cb)(void *arg, void **ret_result);

/** Options of a coroutine; zero means default. */
typedef struct uva_coroutine_options_s {
    size_t size;                /* sizeof(uva_coroutine_options_t). */
    size_t stack_bytes;         /* Default that of the loop. */
    uva_destroy_cb arg_destroy; /* Frees arg, once, after the body or instead
                                   of it. */
} uva_coroutine_options_t;

/** The defaults. */
#define UVA_COROUTINE_OPTIONS_INIT               \
    {                                            \
        sizeof(uva_coroutine_options_t), 0, NULL \
    }

/**
 * Make a coroutine that has not started.
 *
 * Its stack comes from the running loop's pool at the first resume.
 *
 * @param options NULL for the defaults.
 * @retval UVA_ENOLOOP No loop runs in this thread; a destructor given has run,
 *                     as with the others.
 * @retval UV_EINVAL   There is no body, or options->size is wrong.
 * @retval UV_ENOMEM   Nothing was created.
 */
UVA_EXTERN UVA_NODISCARD int
uva_coroutine_new(uva_coro_cb body,
                  void *arg,
                  const uva_coroutine_options_t *options,
                  uva_coroutine_t **ret_coroutine);

/**
 * Resume: the pending uva_coroutine_yield returns with value.
 *
 * @param value     Ignored by the first resume.
 * @param ret_value What it yielded, or its result; may be NULL.
 * @retval 1 It yielded.
 * @retval 0 It finished, with its result.
 * @return A negative code it failed with, or:
 * @retval UV_EPERM  It is running, or belongs to another thread's loop.
 * @retval UV_EALREADY It has finished before (StopIteration).
 * @retval UV_ENOMEM No stack could be had; it has not started.
 */
UVA_EXTERN UVA_NODISCARD int
uva_coroutine_send(uva_coroutine_t *coroutine, void *value, void **ret_value);

/** Resume with an error: the pending yield returns code. A coroutine that has
 * not started fails with code without running. Returns as send does, or:
 * @retval UV_EINVAL code is not negative, or UVA_PENDING: nothing is thrown. */
UVA_EXTERN UVA_NODISCARD int
uva_coroutine_throw(uva_coroutine_t *coroutine, int code, void **ret_value);

/**
 * Throw UV_ECANCELED in and drop what it returns; nothing if it has finished.
 * @retval UV_EPERM It yielded instead of ending (RuntimeError).
 */
UVA_EXTERN UVA_NODISCARD int uva_coroutine_close(uva_coroutine_t *coroutine);

/** Whether it has finished. */
UVA_EXTERN bool uva_coroutine_done(const uva_coroutine_t *coroutine);
/** Take a reference. @return coroutine itself; NULL for NULL. */
UVA_EXTERN uva_coroutine_t *uva_coroutine_ref(uva_coroutine_t *coroutine);
/** Drop a reference; the last one closes it. One that yields instead of ending,
 * or that its loop was closed before, is reported, and what its frames own is
 * lost. @return NULL. */
UVA_EXTERN uva_coroutine_t *uva_coroutine_unref(uva_coroutine_t *coroutine);

/**
 * Inside a coroutine: hand a value out and wait to be resumed.
 * For stackful tasks only.
 *
 * @param ret_sent The value sent in; may be NULL.
 * @retval 0 A value was sent.
 * @return The negative code that was thrown in, or:
 * @retval UVA_ENOTASK Called outside a coroutine.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_coroutine_yield(void *value,
                                                          void **ret_sent);

/**
 * Inside a coroutine: pass everything on to another until it finishes (yield
 * from): values out, values and errors in.
 * For stackful tasks only.
 *
 * @param ret_result The inner one's result.
 * @return 0, or the code the inner one failed with.
 * @suspends The coroutine that calls it, at each value of the inner one.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_coroutine_delegate(uva_coroutine_t *inner, void **ret_result);

/** How much stack the coroutines of one function have used. */
typedef struct uva_stack_usage_s {
    const char *function; /* Its name; "?" for a plain one without. */
    size_t samples;       /* Stacks that were measured. */
    size_t max_bytes;     /* The deepest. */
} uva_stack_usage_t;

/**
 * The high-water marks of a loop's stacks, by function. Fresh stacks are
 * measured when they are given back; all of them with the loop's option
 * stack_census.
 *
 * @param usages Room for count entries; may be NULL if count is 0.
 * @return How many functions there are.
 */
UVA_EXTERN size_t uva_loop_stack_usage(const uva_loop_t *loop,
                                       uva_stack_usage_t *usages,
                                       size_t count);

/** Give the pages of idle stacks back to the system.
 * @return Bytes given back. */
UVA_EXTERN size_t uva_loop_trim_stacks(uva_loop_t *loop);

/**
 * Report stack overflows: name the task and its function on standard error,
 * then let the signal take its default action. uva_run and Runners do this
 * themselves; an earlier handler of SIGSEGV gets every other fault.
 *
 * @retval UV_ENOTSUP Not on this platform.
 */
UVA_EXTERN int uva_install_overflow_report(void);

UVA_END_DECLS

#endif /* UVA_COROUTINES_H */
