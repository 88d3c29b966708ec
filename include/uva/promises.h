/**
 * @file
 * Promises: a future of a loop that any thread may complete. For libraries
 * that call back from threads of their own, and for threads of a program.
 *
 *     uva_promise_t *promise = uva_promise_new();
 *     library_start(request, on_done, uva_promise_ref(promise));
 *     int r = uva_await(uva_promise_future(promise), &value);
 *     uva_promise_unref(promise);
 *
 * The library calls, in any thread:
 *
 *     static void on_done(void *data, void *value)
 *     {
 *         uva_promise_set_result(data, value, free);
 *         uva_promise_unref(data);
 *     }
 */
#ifndef UVA_PROMISES_H
#define UVA_PROMISES_H

#include "uva/futures.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * Make a promise on the running loop.
 *
 * From here until its future is done the loop counts an operation: a loop
 * without anything else to do waits for it, tasks that await it are not
 * reported as stuck, and virtual time stands still. A shutdown of the loop
 * cancels the future, if no task has done so before.
 *
 * @return New reference; NULL without memory or without a running loop.
 */
UVA_EXTERN UVA_NODISCARD uva_promise_t *uva_promise_new(void);
/** Take a reference. @return promise itself; NULL for NULL. @thread any */
UVA_EXTERN uva_promise_t *uva_promise_ref(uva_promise_t *promise);
/** Drop a reference. The last one of a promise that nobody has completed
 * cancels its future. @return NULL. @thread any */
UVA_EXTERN uva_promise_t *uva_promise_unref(uva_promise_t *promise);

/** Its future; borrowed from the promise. NULL for NULL. */
UVA_EXTERN uva_future_t *uva_promise_future(uva_promise_t *promise);

/**
 * Complete the future, once, in an iteration of its loop.
 *
 * @param value   Given away, on error too.
 * @param destroy Frees value when the future goes, or at once where nobody can
 *                get it: in the loop's thread if the future was cancelled, in
 *                this one on error. NULL if value is borrowed.
 * @retval UVA_EINVALIDSTATE Somebody has completed it before.
 * @retval UV_EPERM          Its loop is closed.
 * @retval UVA_EFORKED       The loop is that of the parent of this process.
 * @retval UV_EINVAL         promise is NULL.
 * @thread any, with a reference of the promise
 */
UVA_EXTERN int uva_promise_set_result(uva_promise_t *promise,
                                      void *value,
                                      uva_destroy_cb destroy);
/** Fail the future, likewise, with a negative code and, if not NULL, a text,
 * which is copied, and dropped without memory. UV_ECANCELED cancels it.
 * @thread any, with a reference of the promise */
UVA_EXTERN int
uva_promise_set_exception(uva_promise_t *promise, int code, const char *text);

/**
 * Call callback(data), once, in the loop, when the future was cancelled before
 * anybody has completed the promise: tell the library to stop. Only in the
 * loop's thread.
 *
 * @param callback NULL for none.
 * @param destroy  Frees data, in the loop's thread, once the future is done;
 *                 after the call, or instead of it. NULL if data is borrowed.
 */
UVA_EXTERN void uva_promise_on_cancel(uva_promise_t *promise,
                                      uva_callback_cb callback,
                                      void *data,
                                      uva_destroy_cb destroy);

UVA_END_DECLS

#endif /* UVA_PROMISES_H */
