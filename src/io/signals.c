/*
 * Signal handlers (asyncio.unix_events, _UnixSelectorEventLoop), and the wait
 * for signals, which asyncio does not have. A service of a loop of its own: a
 * loop that watches a signal needs no other part of io.
 *
 * Invariant: a loop has a watch, with a uv_signal_t, for each signal that has a
 * handler or that a task waits for, and for no other. The uv_signal_t holds no
 * reference of libuv's loop. libuv's callback calls nothing of users: it queues
 * the handler and wakes the tasks.
 */
#include "uva/signals.h"

#include <signal.h>

#include <uv.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "core/context.h"
#include "core/driver_uv_close.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/services.h"
#include "core/step.h"
#include "core/waiters.h"
#include "io/dispositions.h"

/* What a loop keeps for signals. */
typedef struct signals_s {
    uva__service_t service;
    uva_loop_t *loop;   /* Borrowed. */
    uva_list_t watches; /* Of watch_t.link. */
    uva_list_t waits;   /* Of uva_signal_wait_op_t.link, oldest first. */
    uint64_t kept;      /* Signals that came for nobody, and wait for a wait. */
} signals_t;

/* One signal that a loop watches. It is freed when libuv is done with the
 * handle and the node is in no queue. */
typedef struct watch_s {
    uv_signal_t handle; /* data is NULL: hosts may look at it. */
    uva_list_t link;    /* Of signals_t.watches, until it ends. */
    signals_t *signals; /* Borrowed; valid until it ends. */
    uva__ready_t ready; /* Calls the handler. */
    int number;
    unsigned wait_count;      /* Tasks that wait for it. */
    bool handled;             /* It has a handler: the three members below. */
    bool queued;              /* ready is in the ready queue. */
    bool closed;              /* libuv is done with the handle. */
    uva_callback_cb callback; /* May be NULL. */
    void *data;               /* Borrowed. */
    uva_context_t *context;   /* Counted; NULL is an empty one. */
} watch_t;

static uint64_t signal_bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

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

/* --- watches --- */

static void watch_free(watch_t *watch)
{
    if (watch->closed && !watch->queued) {
        uva__free(watch);
    }
}

static void watch_close_cb(uv_handle_t *handle)
{
    watch_t *watch = UVA__CONTAINER_OF(handle, watch_t, handle);

    watch->closed = true;
    watch_free(watch);
}

static watch_t *watch_find(signals_t *signals, int number)
{
    UVA__LIST_FOREACH (watch, &signals->watches, watch_t, link) {
        if (watch->number == number) {
            return watch;
        }
    }
    return NULL;
}

/* The turn of the handler has come. It may be replaced or removed in the
 * meantime, and by itself: the watch may be gone when it returns. */
static void watch_run(uva__ready_t *ready)
{
    watch_t *watch = UVA__CONTAINER_OF(ready, watch_t, ready);

    watch->queued = false;
    if (watch->handled && watch->callback != NULL) {
        uva_context_t *outer = uva__context_enter(watch->context);
        watch->callback(watch->data);
        uva__context_exit_to(outer);
    } else {
        watch_free(watch);
    }
}

/* The loop closes before the handler's turn. */
static void watch_drop(uva__ready_t *ready)
{
    watch_t *watch = UVA__CONTAINER_OF(ready, watch_t, ready);

    watch->queued = false;
    watch_free(watch);
}

static void watch_describe(uva__ready_t *ready, uva__work_t *work)
{
    (void)ready;
    work->what = "signal handler";
}

static const uva__ready_ops_t watch_ops = {
    .run = watch_run, .drop = watch_drop, .describe = watch_describe};

/* Give a signal to the tasks that wait for it and have got none yet. @return
 * Whether there is one. */
static bool watch_wake(const watch_t *watch)
{
    bool woken = false;

    UVA__LIST_FOREACH (wait, &watch->signals->waits, uva_signal_wait_op_t,
                       link) {
        if ((wait->set & signal_bit(watch->number)) != 0 && wait->result == 0 &&
            uva__waiter_wake(wait->waiter)) {
            wait->result = watch->number;
            woken = true;
        }
    }
    return woken;
}

/* asyncio: unix_events.py, _handle_signal. Called in the poll. */
static void watch_cb(uv_signal_t *handle, int number)
{
    watch_t *watch = UVA__CONTAINER_OF(handle, watch_t, handle);
    bool handled = watch->handled && watch->callback != NULL;

    if (handled && !watch->queued) {
        watch->queued = true;
        uva__loop_push(watch->signals->loop, &watch->ready);
    }
    if (!watch_wake(watch) && watch->handled && !handled) {
        watch->signals->kept |= signal_bit(number);
    }
}

/* Begin to watch a signal, if the loop does not do it already. */
static int watch_get(signals_t *signals, int number, watch_t **ret_watch)
{
    uv_loop_t *uv = uva__loop_uv(signals->loop);
    watch_t *watch = watch_find(signals, number);
    int r;

    if (watch != NULL) {
        *ret_watch = watch;
        return 0;
    }
    if (uv == NULL) { /* The host has closed the loop's handles. */
        return uva__bare(UV_EBADF);
    }
    watch = uva__calloc(1, sizeof *watch);
    if (watch == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    r = uv_signal_init(uv, &watch->handle);
    if (r < 0) {
        uva__free(watch);
        return uva__bare(r);
    }
    uv_unref((uv_handle_t *)&watch->handle);
    watch->signals = signals;
    watch->number = number;
    watch->ready.ops = &watch_ops;
    r = uva__disposition_start(&watch->handle, watch_cb, number);
    if (r < 0) {
        uv_close((uv_handle_t *)&watch->handle, watch_close_cb);
        return uva__bare(r);
    }
    uva__list_append(&signals->watches, &watch->link);
    signals->loop->wakers++;
    *ret_watch = watch;
    return 0;
}

/* End a watch that has neither a handler nor a task. */
static void watch_release(watch_t *watch)
{
    if (watch->handled || watch->wait_count > 0) {
        return;
    }
    uva__list_remove(&watch->link);
    watch->signals->kept &= ~signal_bit(watch->number);
    watch->signals->loop->wakers--;
    uva__disposition_stop(&watch->handle, watch->number);
    uva__uv_handle_close((uv_handle_t *)&watch->handle, watch_close_cb);
}

/* Take the handler away; the watch may be freed by this. */
static void watch_unhandle(watch_t *watch)
{
    watch->handled = false;
    watch->callback = NULL;
    watch->context = uva_context_unref(watch->context);
    watch_release(watch);
}

/* --- waits --- */

/* Leave the watches of a set. */
static void wait_leave(signals_t *signals, uint64_t set)
{
    for (int number = 1; set != 0; number++, set >>= 1) {
        if ((set & 1) != 0) {
            watch_t *watch = watch_find(signals, number);
            watch->wait_count--;
            watch_release(watch);
        }
    }
}

/* Join the watches of a set. On failure none is joined. */
static int wait_join(signals_t *signals, uint64_t set)
{
    uint64_t joined = 0;

    for (int number = 1; number <= UVA__SIGNALS_MOST; number++) {
        uint64_t bit = signal_bit(number);
        if ((set & bit) != 0) {
            watch_t *watch;
            int r = watch_get(signals, number, &watch);
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
static int wait_take_kept(signals_t *signals, uint64_t set)
{
    for (int number = 1; number <= UVA__SIGNALS_MOST; number++) {
        uint64_t bit = signal_bit(number);
        if ((signals->kept & set & bit) != 0) {
            signals->kept &= ~bit;
            return number;
        }
    }
    return 0;
}

/* A task that was cancelled after its wake-up does not see its signal: it is
 * kept, if signals are kept that come while no task waits. */
static void wait_give_back(signals_t *signals, int number)
{
    const watch_t *watch = watch_find(signals, number);

    if (watch != NULL && watch->handled && watch->callback == NULL) {
        signals->kept |= signal_bit(number);
    }
}

/* The task runs again. */
static int
wait_end(signals_t *signals, uva_signal_wait_op_t *op, uva_task_t *task)
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

static signals_t *signals_of(const uva_loop_t *loop)
{
    return (signals_t *)(void *)loop->services[UVA__SERVICE_SIGNALS];
}

/* The host has closed the handle of a watch: it ends, and so do the waits for
 * it. */
static void signals_lose(signals_t *signals, watch_t *watch)
{
    uint64_t bit = signal_bit(watch->number);
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
    watch_unhandle(watch);
    uva__log(UVA_LOG_WARNING,
             "the host has closed the handle of signal %d: it is not watched "
             "any more",
             number);
}

static void signals_look(uva__service_t *service)
{
    signals_t *signals = UVA__CONTAINER_OF(service, signals_t, service);

    UVA__LIST_FOREACH (watch, &signals->watches, watch_t, link) {
        if (uv_is_closing((uv_handle_t *)&watch->handle)) {
            signals_lose(signals, watch);
            return; /* The log's hook, code of users, may change the list. */
        }
    }
}

/* asyncio: unix_events.py, close. No task is left that could wait. */
static void signals_closing(uva__service_t *service)
{
    signals_t *signals = UVA__CONTAINER_OF(service, signals_t, service);

    UVA__LIST_FOREACH_SAFE(watch, &signals->watches, watch_t, link)
    {
        watch_unhandle(watch);
    }
}

static void signals_closed(uva__service_t *service)
{
    signals_t *signals = UVA__CONTAINER_OF(service, signals_t, service);

    signals->loop->services[UVA__SERVICE_SIGNALS] = NULL;
    uva__free(signals);
}

static bool signals_owns(const uva__service_t *service, const void *handle)
{
    signals_t *signals =
        UVA__CONTAINER_OF((uintptr_t)service, signals_t, service);

    UVA__LIST_FOREACH (watch, &signals->watches, watch_t, link) {
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
    signals_t *signals = UVA__CONTAINER_OF(service, signals_t, service);

    UVA__LIST_FOREACH (watch, &signals->watches, watch_t, link) {
        uva__disposition_stop_in_fork(&watch->handle, watch->number);
    }
}

/* The child watches what its parent did. What was in the parent's pipe does not
 * come here; libuv before 1.45 waits for it when the handle is closed. */
static int signals_fork(uva__service_t *service)
{
    signals_t *signals = UVA__CONTAINER_OF(service, signals_t, service);
    int result = 0;

    UVA__LIST_FOREACH (watch, &signals->watches, watch_t, link) {
        if (!uv_is_active((uv_handle_t *)&watch->handle)) {
            int r;
            watch->handle.dispatched_signals = watch->handle.caught_signals;
            r = uva__disposition_start(&watch->handle, watch_cb, watch->number);
            result = r < 0 ? r : result;
        }
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
static int signals_get(uva_loop_t *loop, signals_t **ret_signals)
{
    signals_t *signals = signals_of(loop);

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
    signals_t *signals;
    watch_t *watch;
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
    r = watch_get(signals, signum, &watch);
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
        signals->kept &= ~signal_bit(signum);
    }
    return 0;
}

/* asyncio: unix_events.py, remove_signal_handler. A closed loop has none. */
int uva_loop_remove_signal_handler(uva_loop_t *loop, int signum)
{
    signals_t *signals;
    watch_t *watch;
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
    watch = signals == NULL ? NULL : watch_find(signals, signum);
    if (watch == NULL || !watch->handled) {
        return 0;
    }
    watch_unhandle(watch);
    return 1;
}

/* The first call of a wait. @return A signal that was kept, or 0 to wait. */
static int signal_wait_begin(uva_loop_t *loop,
                             uva_signal_wait_op_t *op,
                             const int *signums,
                             size_t count)
{
    signals_t *signals;
    int r;

    *op = (uva_signal_wait_op_t){.set = 0};
    for (size_t i = 0; i < count; i++) {
        r = signal_check_watched(signums[i]);
        if (r < 0) {
            return r;
        }
        op->set |= signal_bit(signums[i]);
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
