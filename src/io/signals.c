/*
 * Signal handlers (asyncio.unix_events, _UnixSelectorEventLoop), and the wait
 * for signals, which asyncio does not have. They are a service of the loop of
 * their own: a loop that watches a signal needs no other part of io.
 *
 * Invariant: a task that waits is counted in the watch of each signal of its
 * set, from the call that suspends to the one that ends the wait, or until a
 * host closes the handle of one of them.
 */
#include "uva/signals.h"

#include <signal.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "core/context.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/waiters.h"
#include "io/dispositions.h"
#include "io/signal_watches.h"

/* asyncio: unix_events.py, _check_signal. The C library keeps some numbers to
 * itself, which no full set has. */
static int signal_check(int number)
{
    sigset_t all;

    (void)sigfillset(&all);
    if (number < 1 || number > UVA__SIGNALS_MOST ||
        sigismember(&all, number) != 1) {
        return uva_fail(UV_EINVAL, "there is no signal %d", number);
    }
    return 0;
}

/* The same for a signal that is to be watched. */
static int signal_check_watched(int number)
{
    if (number == SIGKILL || number == SIGSTOP) {
        return uva_fail(UV_EPERM, "signal %d cannot be caught", number);
    }
    return signal_check(number);
}

/* --- waits --- */

/* Leave the watches of a set. */
static void wait_leave(uva__signals_t *signals, uint64_t set)
{
    for (int number = 1; set != 0; number++, set >>= 1) {
        if ((set & 1) != 0) {
            uva__signal_watch_t *watch =
                uva__signal_watch_find(signals, number);
            watch->wait_count--;
            uva__signal_watch_release(watch);
        }
    }
}

/* Join the watches of a set. On failure none is joined. */
static int wait_join(uva__signals_t *signals, uint64_t set)
{
    uint64_t joined = 0;

    for (int number = 1; number <= UVA__SIGNALS_MOST; number++) {
        uint64_t bit = uva__signal_bit(number);
        if ((set & bit) != 0) {
            uva__signal_watch_t *watch;
            int r = uva__signal_watch_get(signals, number, &watch);
            if (r < 0) {
                wait_leave(signals, joined);
                return r;
            }
            watch->wait_count++;
            joined |= bit;
        }
    }
    return 0;
}

/* A signal of the set that was kept, the lowest number; 0 if none was. */
static int wait_take_kept(uva__signals_t *signals, uint64_t set)
{
    for (int number = 1; number <= UVA__SIGNALS_MOST; number++) {
        uint64_t bit = uva__signal_bit(number);
        if ((signals->kept & set & bit) != 0) {
            signals->kept &= ~bit;
            return number;
        }
    }
    return 0;
}

/* A task that was cancelled after its wake-up does not see its signal: it is
 * kept, if signals are kept that come while no task waits. */
static void wait_give_back(uva__signals_t *signals, int number)
{
    const uva__signal_watch_t *watch = uva__signal_watch_find(signals, number);

    if (watch != NULL && watch->handled && watch->callback == NULL) {
        signals->kept |= uva__signal_bit(number);
    }
}

/* The task runs again. */
static int
wait_end(uva__signals_t *signals, uva_signal_wait_op_t *op, uva_task_t *task)
{
    int r = uva__waiter_finish(task);

    if (r < 0 && op->result > 0) {
        wait_give_back(signals, op->result);
    }
    if (op->set != 0) {
        uva__list_remove(&op->link);
        wait_leave(signals, op->set);
    }
    return r < 0 ? r : op->result;
}

/* --- the service --- */

static uva__signals_t *signals_of(const uva_loop_t *loop)
{
    return (uva__signals_t *)(void *)loop->services[UVA__SERVICE_SIGNALS];
}

/* The host has closed the handle of a watch: it ends, and so do the waits for
 * it. */
static void signals_lose(uva__signals_t *signals, uva__signal_watch_t *watch)
{
    uint64_t bit = uva__signal_bit(watch->number);
    int number = watch->number;

    watch->wait_count++; /* The watch stays until the end of this function. */
    UVA__LIST_FOREACH_SAFE(wait, &signals->waits, uva_signal_wait_op_t, link)
    {
        if ((wait->set & bit) != 0) {
            uint64_t set = wait->set;
            wait->set = 0;
            uva__list_remove(&wait->link);
            wait_leave(signals, set);
            if (wait->result == 0 && uva__waiter_wake(wait->waiter)) {
                wait->result = UV_EBADF;
            }
        }
    }
    watch->wait_count--;
    uva__signal_watch_unhandle(watch);
    uva__log(UVA_LOG_WARNING,
             "the host has closed the handle of signal %d: it is not watched "
             "any more",
             number);
}

static void signals_look(uva__service_t *service)
{
    uva__signals_t *signals =
        UVA__CONTAINER_OF(service, uva__signals_t, service);

    UVA__LIST_FOREACH (watch, &signals->watches, uva__signal_watch_t, link) {
        if (uv_is_closing((uv_handle_t *)&watch->handle)) {
            signals_lose(signals, watch);
            return; /* The log's hook, code of users, may change the list. */
        }
    }
}

/* asyncio: unix_events.py, close. No task is left that could wait. */
static void signals_closing(uva__service_t *service)
{
    uva__signals_t *signals =
        UVA__CONTAINER_OF(service, uva__signals_t, service);

    UVA__LIST_FOREACH_SAFE(watch, &signals->watches, uva__signal_watch_t, link)
    {
        uva__signal_watch_unhandle(watch);
    }
}

static void signals_closed(uva__service_t *service)
{
    uva__signals_t *signals =
        UVA__CONTAINER_OF(service, uva__signals_t, service);

    signals->loop->services[UVA__SERVICE_SIGNALS] = NULL;
    uva__free(signals);
}

static bool signals_owns(const uva__service_t *service, const void *handle)
{
    uva__signals_t *signals =
        UVA__CONTAINER_OF((uintptr_t)service, uva__signals_t, service);

    UVA__LIST_FOREACH (watch, &signals->watches, uva__signal_watch_t, link) {
        if (handle == &watch->handle) {
            return true;
        }
    }
    return false;
}

/* libuv's handler would write to a pipe that is the parent's as well, and the
 * parent would take the child's signals for its own. */
static void signals_forked(uva__service_t *service)
{
    uva__signals_t *signals =
        UVA__CONTAINER_OF(service, uva__signals_t, service);

    UVA__LIST_FOREACH (watch, &signals->watches, uva__signal_watch_t, link) {
        uva__disposition_stop_in_fork(&watch->handle, watch->number);
    }
}

/* The child watches what its parent did. */
static int signals_fork(uva__service_t *service)
{
    uva__signals_t *signals =
        UVA__CONTAINER_OF(service, uva__signals_t, service);
    int result = 0;

    UVA__LIST_FOREACH (watch, &signals->watches, uva__signal_watch_t, link) {
        int r = uva__signal_watch_fork(watch);
        result = r < 0 ? r : result;
    }
    return result;
}

static const uva__service_ops_t signals_ops = {
    .look = signals_look,
    .closing = signals_closing,
    .closed = signals_closed,
    .owns = signals_owns,
    .forked = signals_forked,
    .fork = signals_fork,
};

/* The part of a loop that is open and the calling thread's. */
static int signals_get(uva_loop_t *loop, uva__signals_t **ret_signals)
{
    uva__signals_t *signals = signals_of(loop);

    if (signals == NULL) {
        if (uva__loop_uv(loop) == NULL) {
            return uva__bare(loop->driver.lost ? UV_EBADF : UV_ENOTSUP);
        }
        signals = uva__calloc(1, sizeof *signals);
        if (signals == NULL) {
            return uva__bare(UV_ENOMEM);
        }
        signals->service.ops = &signals_ops;
        signals->loop = loop;
        uva__list_init(&signals->watches);
        uva__list_init(&signals->waits);
        loop->services[UVA__SERVICE_SIGNALS] = &signals->service;
    }
    *ret_signals = signals;
    return 0;
}

/* --- public functions --- */

/* asyncio: unix_events.py, add_signal_handler. A call that is queued for an
 * earlier handler comes to the new one, so that no signal is lost. */
int uva_loop_add_signal_handler(uva_loop_t *loop,
                                int signum,
                                uva_callback_cb callback,
                                void *data)
{
    uva_context_t *context = NULL;
    uva__signals_t *signals;
    uva__signal_watch_t *watch;
    int r = signal_check_watched(signum);

    loop = loop == NULL ? uva__running() : loop;
    if (r < 0) {
        return r;
    }
    r = loop == NULL ? UVA_ENOLOOP : uva__loop_refuses(loop, __func__);
    if (r < 0) {
        return uva__bare(r);
    }
    r = signals_get(loop, &signals);
    if (r < 0) {
        return r;
    }
    r = uva__context_copy_current(&context);
    if (r < 0) {
        return uva__bare(r);
    }
    r = uva__signal_watch_get(signals, signum, &watch);
    if (r < 0) {
        (void)uva_context_unref(context);
        return r;
    }
    (void)uva_context_unref(watch->context);
    watch->context = context;
    watch->callback = callback;
    watch->data = data;
    watch->handled = true;
    if (callback != NULL) {
        signals->kept &= ~uva__signal_bit(signum);
    }
    return 0;
}

/* asyncio: unix_events.py, remove_signal_handler. A closed loop has none. */
int uva_loop_remove_signal_handler(uva_loop_t *loop, int signum)
{
    uva__signals_t *signals;
    uva__signal_watch_t *watch;
    int r = signal_check(signum);

    loop = loop == NULL ? uva__running() : loop;
    if (r < 0) {
        return r;
    }
    r = loop == NULL ? UVA_ENOLOOP : uva__loop_refuses(loop, __func__);
    if (r < 0) {
        return loop != NULL && loop->closed ? 0 : uva__bare(r);
    }
    signals = signals_of(loop);
    watch = signals == NULL ? NULL : uva__signal_watch_find(signals, signum);
    if (watch == NULL || !watch->handled) {
        return 0;
    }
    uva__signal_watch_unhandle(watch);
    return 1;
}

/* The first call of a wait. @return A signal that was kept, or 0 to wait. */
static int signal_wait_begin(uva_loop_t *loop,
                             uva_signal_wait_op_t *op,
                             const int *signums,
                             size_t count)
{
    uva__signals_t *signals;
    int r;

    *op = (uva_signal_wait_op_t){.set = 0};
    for (size_t i = 0; i < count; i++) {
        r = signal_check_watched(signums[i]);
        if (r < 0) {
            return r;
        }
        op->set |= uva__signal_bit(signums[i]);
    }
    if (count == 0) {
        return uva__bare(UV_EINVAL);
    }
    r = signals_get(loop, &signals);
    if (r < 0) {
        return r;
    }
    r = wait_take_kept(signals, op->set);
    if (r == 0) {
        r = wait_join(signals, op->set);
    }
    if (r == 0) {
        uva__list_append(&signals->waits, &op->link);
    }
    return r;
}

int uva_signal_wait_poll(uva_signal_wait_op_t *op,
                         const int *signums,
                         size_t count)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (task == NULL) {
        return uva__bare(UVA_ENOTASK);
    }
    if (task->base.phase != UVA__PHASE_IDLE) {
        return wait_end(signals_of(task->base.loop), op, task);
    }
    r = signal_wait_begin(task->base.loop, op, signums, count);
    if (r != 0) {
        return r;
    }
    op->waiter = &task->waiter;
    return uva__waiter_suspend(task);
}

int uva_signal_wait(const int *signums, size_t count)
{
    uva_signal_wait_op_t op;
    int r;

    UVA_DRIVE(r, uva_signal_wait, &op, signums, count);
    return r;
}
