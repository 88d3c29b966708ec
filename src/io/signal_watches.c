/*
 * The signals that a loop watches (asyncio.unix_events).
 *
 * Invariant: a loop has a watch, with a uv_signal_t, for each signal that has a
 * handler or that a task waits for, and for no other. The uv_signal_t holds no
 * reference of libuv's loop. libuv's callback calls nothing of users: it queues
 * the handler and wakes the tasks.
 */
#include "io/signal_watches.h"

#include "base/alloc.h"
#include "base/list.h"
#include "core/context.h"
#include "core/driver_uv_close.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/registry.h"
#include "core/waiters.h"
#include "io/dispositions.h"

/* Another thread may fork at any moment, and the child goes along the list:
 * it changes under the lock that is held around a fork. */
static void watch_link(uva__signal_watch_t *watch, bool linked)
{
    uva__registry_lock();
    if (linked) {
        uva__list_append(&watch->signals->watches, &watch->link);
    } else {
        uva__list_remove(&watch->link);
    }
    uva__registry_unlock();
}

static void watch_free(uva__signal_watch_t *watch)
{
    if (watch->closed && !watch->queued) {
        uva__free(watch);
    }
}

static void watch_close_cb(uv_handle_t *handle)
{
    uva__signal_watch_t *watch =
        UVA__CONTAINER_OF(handle, uva__signal_watch_t, handle);

    watch->closed = true;
    watch_free(watch);
}

uva__signal_watch_t *uva__signal_watch_find(uva__signals_t *signals, int number)
{
    UVA__LIST_FOREACH (watch, &signals->watches, uva__signal_watch_t, link) {
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
    uva__signal_watch_t *watch =
        UVA__CONTAINER_OF(ready, uva__signal_watch_t, ready);

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
    uva__signal_watch_t *watch =
        UVA__CONTAINER_OF(ready, uva__signal_watch_t, ready);

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
static bool watch_wake(const uva__signal_watch_t *watch)
{
    bool woken = false;

    UVA__LIST_FOREACH (wait, &watch->signals->waits, uva_signal_wait_op_t,
                       link) {
        if ((wait->set & uva__signal_bit(watch->number)) != 0 &&
            wait->result == 0 && uva__waiter_wake(wait->waiter)) {
            wait->result = watch->number;
            woken = true;
        }
    }
    return woken;
}

/* asyncio: unix_events.py, _handle_signal. Called in the poll. */
static void watch_cb(uv_signal_t *handle, int number)
{
    uva__signal_watch_t *watch =
        UVA__CONTAINER_OF(handle, uva__signal_watch_t, handle);
    bool handled = watch->handled && watch->callback != NULL;

    if (handled && !watch->queued) {
        watch->queued = true;
        uva__loop_push(watch->signals->loop, &watch->ready);
    }
    if (!watch_wake(watch) && watch->handled && !handled) {
        watch->signals->kept |= uva__signal_bit(number);
    }
}

int uva__signal_watch_get(uva__signals_t *signals,
                          int number,
                          uva__signal_watch_t **ret_watch)
{
    uv_loop_t *uv = uva__loop_uv(signals->loop);
    uva__signal_watch_t *watch = uva__signal_watch_find(signals, number);
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
    watch_link(watch, true);
    signals->loop->wakers++;
    *ret_watch = watch;
    return 0;
}

void uva__signal_watch_release(uva__signal_watch_t *watch)
{
    if (watch->handled || watch->wait_count > 0) {
        return;
    }
    watch_link(watch, false);
    watch->signals->kept &= ~uva__signal_bit(watch->number);
    watch->signals->loop->wakers--;
    uva__disposition_stop(&watch->handle, watch->number);
    uva__uv_handle_close((uv_handle_t *)&watch->handle, watch_close_cb);
}

void uva__signal_watch_unhandle(uva__signal_watch_t *watch)
{
    watch->handled = false;
    watch->callback = NULL;
    watch->context = uva_context_unref(watch->context);
    uva__signal_watch_release(watch);
}

/* What was in the parent's pipe does not come here; libuv before 1.45 waits for
 * it when the handle is closed. */
int uva__signal_watch_fork(uva__signal_watch_t *watch)
{
    if (uv_is_active((uv_handle_t *)&watch->handle)) {
        return 0;
    }
    watch->handle.dispatched_signals = watch->handle.caught_signals;
    return uva__disposition_start(&watch->handle, watch_cb, watch->number);
}
