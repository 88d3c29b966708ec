/*
 * The actions of signals. When the last uv_signal_t of the process on a number
 * is stopped, libuv sets the default action, whatever stood before it began;
 * asyncio does the same.
 *
 * Invariant: an action that stood before uva's first uv_signal_t on a number is
 * noted until the last one is stopped, and comes back then if libuv has let go
 * of the signal: other code in the process may have a uv_signal_t on it too,
 * begun before or after ours, and libuv's handler has to stay for that.
 */
#include "io/dispositions.h"

#include <signal.h>
#include <string.h>

#include "base/util.h"
#include "core/interrupts.h"
#include "core/registry.h"

typedef void (*handler_t)(int number);

typedef struct disposition_s {
    unsigned count;          /* Of uva's handles that are started. */
    struct sigaction before; /* The action to come back; while count > 0. */
} disposition_t;

/* By number. Under the lock of the registry, which is also taken around a fork.
 */
static disposition_t dispositions[UVA__SIGNALS_MOST + 1];
/* libuv's handler; NULL until the first signal was watched. */
static handler_t disposition_libuv;

static bool disposition_is(const struct sigaction *action, handler_t handler)
{
    return (action->sa_flags & SA_SIGINFO) == 0 &&
           action->sa_handler == handler;
}

/* libuv's handler is the action, as far as it is known. */
static bool disposition_is_libuv(const struct sigaction *action)
{
    return disposition_libuv != NULL &&
           disposition_is(action, disposition_libuv);
}

/* The first of uva's handles was started on a number. */
static void disposition_note(int number, const struct sigaction *before)
{
    disposition_t *disposition = &dispositions[number];
    struct sigaction now;

    disposition->before = *before;
    if (sigaction(number, NULL, &now) < 0 || (now.sa_flags & SA_SIGINFO) != 0 ||
        now.sa_handler == before->sa_handler) {
        /* The action did not change, because other code has a uv_signal_t on
         * it: what stood before that is not known, and is taken for the
         * default, which libuv would set. */
        if (disposition_libuv == NULL && before->sa_handler != SIG_IGN) {
            disposition_libuv = before->sa_handler;
        }
        memset(&disposition->before, 0, sizeof disposition->before);
        disposition->before.sa_handler = SIG_DFL;
        return;
    }
    disposition_libuv = now.sa_handler;
    now.sa_flags |= SA_ONSTACK; /* A task's stack is small. */
    (void)sigaction(number, &now, NULL);
}

int uva__disposition_start(uv_signal_t *handle, uv_signal_cb cb, int number)
{
    struct sigaction before;
    int r;

    uva__registry_lock();
    memset(&before, 0, sizeof before);
    (void)sigaction(number, NULL, &before);
    r = uv_signal_start(handle, cb, number);
    if (r >= 0 && dispositions[number].count++ == 0) {
        disposition_note(number, &before);
    }
    uva__registry_unlock();
    return r;
}

/* Set the action that libuv has replaced by the default one. There is a moment
 * between; the signal is blocked in this thread alone. */
static void disposition_restore(int number, struct sigaction *current)
{
    struct sigaction after;

    if (sigaction(number, NULL, &after) < 0 ||
        !disposition_is(&after, SIG_DFL)) {
        return; /* A handle is left, and keeps libuv's handler. */
    }
    /* A handler that other code has set since stays its own; libuv did not ask
     * for it. */
    if (disposition_is_libuv(current) || disposition_is(current, SIG_DFL)) {
        *current = dispositions[number].before;
    }
    uva__interrupts_settle(number, current);
    if (!disposition_is(current, SIG_DFL)) {
        (void)sigaction(number, current, NULL);
    }
}

void uva__disposition_stop_in_fork(uv_signal_t *handle, int number)
{
    struct sigaction current;
    sigset_t blocked;
    sigset_t outer;

    memset(&current, 0, sizeof current);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, number);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &outer);
    (void)sigaction(number, NULL, &current);
    if (!uv_is_closing((uv_handle_t *)handle)) {
        (void)uv_signal_stop(handle);
    }
    if (--dispositions[number].count == 0) {
        disposition_restore(number, &current);
    }
    (void)pthread_sigmask(SIG_SETMASK, &outer, NULL);
}

void uva__disposition_stop(uv_signal_t *handle, int number)
{
    uva__registry_lock();
    uva__disposition_stop_in_fork(handle, number);
    uva__registry_unlock();
}
