/**
 * @file
 * Signals of the process, as callbacks and as awaits.
 *
 * They come by libuv, so any loop in any thread may watch any signal, beside
 * others and beside the application's own uv_signal_t: each of them gets it.
 * Signals that come in quick succession may be seen as one. Not on virtual
 * loops: UV_ENOTSUP.
 *
 * While a signal is watched, libuv's handler is its action. When the last of
 * uva's watches ends, the action that stood before the first is set again,
 * unless a uv_signal_t of the application is left on it. In the child of a
 * fork nothing is watched until uva_loop_fork.
 */
#ifndef UVA_SIGNALS_H
#define UVA_SIGNALS_H

#include "uva/events.h"
#include "uva/futures.h"

UVA_BEGIN_DECLS

/**
 * Call callback(data) in the loop when a signal has come, from the ready queue,
 * in a copy of the present context; replaces an earlier handler.
 *
 * A handler does not keep the loop running. It ends with its removal, or when
 * the loop is closed.
 *
 * @param loop     NULL for the running one.
 * @param callback NULL only watches the signal: it has no action, and one that
 *                 comes while no task waits for it is kept for the next
 *                 uva_signal_wait.
 * @param data     Borrowed until the removal.
 * @retval UV_EINVAL  There is no such signal.
 * @retval UV_EPERM   SIGKILL and SIGSTOP cannot be caught; or the loop is
 *                    closed.
 * @retval UV_ENOTSUP The loop is virtual.
 * @retval UV_ENOMEM  Or another code of the system: an earlier handler stays.
 * @asyncio loop.add_signal_handler; differs: in any thread.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_add_signal_handler(
    uva_loop_t *loop, int signum, uva_callback_cb callback, void *data);
/**
 * Remove the handler of a signal. A call of it that is in the ready queue does
 * not come any more.
 *
 * @return 1; 0 if there was none; or UV_EINVAL: there is no such signal.
 * @asyncio loop.remove_signal_handler; differs: see the head of this file for
 *          the action afterwards, which asyncio sets to the default.
 */
UVA_EXTERN int uva_loop_remove_signal_handler(uva_loop_t *loop, int signum);

/** private */
typedef struct uva_signal_wait_op_s {
    uva_list_t link;      /* Of the waits of the loop. */
    uva_waiter_t *waiter; /* Borrowed: of the task. */
    uint64_t set;         /* A bit for each signal; 0 once it was lost. */
    int result;           /* What came, or why nothing comes; 0 until then. */
} uva_signal_wait_op_t;

/**
 * Wait until one of several signals comes. Every task that waits for it gets
 * it, beside the handler.
 *
 * Before and after the wait a signal has its action of then: what comes between
 * two waits ends the process, if that is its default. A task that waits again
 * and again keeps a handler without a callback meanwhile.
 *
 * @param signums Copied by the call.
 * @return The number of the signal, or:
 * @retval UV_EINVAL    count is 0, or there is no such signal.
 * @retval UV_EPERM     SIGKILL and SIGSTOP cannot be caught.
 * @retval UV_ENOTSUP   The loop is virtual.
 * @retval UV_ENOMEM    Or another code of the system: nothing is watched.
 * @retval UV_EBADF     The host has closed the handle of the signal.
 * @retval UV_ECANCELED The task was cancelled.
 * @suspends Only while no signal was kept.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_signal_wait(const int *signums,
                                                      size_t count);
/** The poll half of uva_signal_wait. */
UVA_EXTERN UVA_NODISCARD int uva_signal_wait_poll(uva_signal_wait_op_t *op,
                                                  const int *signums,
                                                  size_t count);

UVA_END_DECLS

#endif /* UVA_SIGNALS_H */
