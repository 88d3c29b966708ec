/*
 * Promises: futures that any thread may complete.
 *
 *   state     its future      left by
 *   open      pending         the first thread that completes it, which claims
 *                             it; a cancellation of the future
 *   claimed   pending         its node, which comes through the loop's inbox
 *   over      done            never
 *
 * Invariant: only the thread that has claimed a promise writes its outcome, and
 * only the loop's thread touches its future, as long as the loop is open. The
 * loop counts an operation from the making of a promise until it is over. A
 * promise keeps its loop's memory, whose mutex the completing thread needs,
 * also once the loop is closed.
 */
#include "threads/promises.h"

#include "base/alloc.h"
#include "base/errors.h"
#include "base/list.h"
#include "core/futures.h"
#include "core/owner.h"
#include "threads/service.h"

/* Any thread once the loop is closed, before that the loop's. */
static void promise_free(uva_promise_t *promise)
{
    uva_loop_t *loop = promise->loop;

    (void)uva_future_unref(promise->future);
    uva_error_unref(promise->error);
    promise->gone(promise);
    uva_loop_unref(loop);
}

static void promise_free_there(uva__ready_t *ready)
{
    uva_promise_t *promise = UVA__CONTAINER_OF(ready, uva_promise_t, ready);

    promise->loop->calls.count--;
    promise_free(promise);
}

static const uva__ready_ops_t free_ops = {.run = promise_free_there,
                                          .drop = promise_free_there};

/* The last reference frees the promise, in the thread of its loop, because of
 * the future. The node is free for that: it is in the inbox with a reference.
 */
static void promise_drop(uva_promise_t *promise)
{
    if (atomic_fetch_sub_explicit(&promise->refs, 1, memory_order_acq_rel) >
        1) {
        return;
    }
    if (promise->loop->driver.forked) {
        return; /* The parent's; its future cannot be touched here. */
    }
    promise->ready.ops = &free_ops;
    if (promise->loop->closed || uva__loop_is_owner(promise->loop) ||
        uva__loop_post(promise->loop, &promise->ready) < 0) {
        promise_free(promise);
    }
}

/* The future is done: the loop need not wait for anything any more. */
static void promise_over(uva_promise_t *promise)
{
    uva_loop_t *loop = promise->loop;

    if (promise->over) {
        return;
    }
    promise->over = true;
    uva__list_remove(&promise->pending.link);
    uva__threads_wait_end(loop);
}

/* --- its record: the future is done --- */

/* Nobody is told of a cancellation by a thread, or behind its back. */
static void promise_tell_cancel(uva_promise_t *promise)
{
    uva_callback_cb callback = promise->on_cancel;
    uva_destroy_cb destroy = promise->on_cancel_destroy;

    promise->on_cancel = NULL;
    promise->on_cancel_destroy = NULL;
    if (callback != NULL && uva_future_cancelled(promise->future) &&
        !atomic_load(&promise->claimed)) {
        callback(promise->on_cancel_data);
    }
    if (destroy != NULL) {
        destroy(promise->on_cancel_data);
    }
}

static void promise_future_done(uva__ready_t *ready)
{
    uva_promise_t *promise =
        UVA__CONTAINER_OF(ready, uva_promise_t, record.ready);

    promise_over(promise);
    promise_tell_cancel(promise);
    promise_drop(promise);
}

static void promise_future_dropped(uva__ready_t *ready)
{
    uva_promise_t *promise =
        UVA__CONTAINER_OF(ready, uva_promise_t, record.ready);

    promise_over(promise);
    promise_tell_cancel(promise);
    promise_drop(promise);
}

static const uva__ready_ops_t record_ops = {.run = promise_future_done,
                                            .drop = promise_future_dropped};

/* --- its node: a thread has completed it --- */

static void promise_destroy_value(uva_promise_t *promise)
{
    if (promise->destroy != NULL) {
        promise->destroy(promise->value);
    }
}

static void promise_settle(uva_promise_t *promise)
{
    uva_future_t *future = promise->future;

    if (!uva__future_pending(future)) {
        promise_destroy_value(promise);
    } else if (promise->code == UV_ECANCELED) {
        (void)uva_future_cancel_message(
            future,
            promise->error == NULL ? NULL : uva_error_text(promise->error));
    } else if (promise->error != NULL) {
        (void)uva_future_set_error(future, promise->error);
    } else if (promise->code < 0) {
        (void)uva_future_set_exception(future, promise->code, NULL);
    } else {
        (void)uva_future_set_result(future, promise->value, promise->destroy);
    }
}

static void promise_arrive(uva__ready_t *ready)
{
    uva_promise_t *promise = UVA__CONTAINER_OF(ready, uva_promise_t, ready);

    promise->loop->calls.count--;
    promise_settle(promise);
    promise_over(promise);
    promise_drop(promise);
}

/* The loop closes, and has abandoned the promise before. */
static void promise_arrive_late(uva__ready_t *ready)
{
    uva_promise_t *promise = UVA__CONTAINER_OF(ready, uva_promise_t, ready);

    promise->loop->calls.count--;
    promise_destroy_value(promise);
    promise_over(promise);
    promise_drop(promise);
}

static const uva__ready_ops_t arrive_ops = {.run = promise_arrive,
                                            .drop = promise_arrive_late};

/* --- the end of the loop --- */

static void promise_abandon(uva__pending_t *pending)
{
    uva_promise_t *promise = UVA__CONTAINER_OF(pending, uva_promise_t, pending);

    atomic_fetch_add(&promise->refs, 1);
    (void)uva_future_cancel(promise->future);
    promise_over(promise);
    promise_tell_cancel(promise);
    promise_drop(promise);
}

/* --- making --- */

bool uva__promise_init(uva_loop_t *loop,
                       uva_promise_t *promise,
                       void (*gone)(uva_promise_t *promise))
{
    uva__threads_t *threads;

    if (uva__threads_get(loop, &threads) < 0) {
        return false;
    }
    promise->future = uva_loop_create_future(loop);
    if (promise->future == NULL) {
        return false;
    }
    promise->ready.ops = &arrive_ops;
    promise->record.ready.ops = &record_ops;
    promise->pending.abandon = promise_abandon;
    promise->loop = uva_loop_ref(loop);
    promise->gone = gone;
    atomic_init(&promise->users, 1);
    atomic_init(&promise->refs, 2); /* Of the users, and of the record. */
    uva__future_append(promise->future, &promise->record);
    uva__list_append(&threads->pending, &promise->pending.link);
    uva__threads_wait_begin(loop);
    return true;
}

static void promise_gone(uva_promise_t *promise)
{
    uva__free(promise);
}

uva_promise_t *uva__promise_new(uva_loop_t *loop)
{
    uva_promise_t *promise = uva__calloc(1, sizeof *promise);

    if (promise == NULL || !uva__promise_init(loop, promise, promise_gone)) {
        uva__free(promise);
        return NULL;
    }
    return promise;
}

uva_promise_t *uva_promise_new(void)
{
    uva_loop_t *loop = uva__running();

    return loop == NULL ? NULL : uva__promise_new(loop);
}

void uva__promise_keep_loop(uva_promise_t *promise)
{
    uva__list_remove(&promise->pending.link);
}

/* --- completing --- */

/* Complete a promise; the outcome is given away. In the child of a fork the
 * mutex of the loop may be held by a thread that is not there. */
static int promise_complete(uva_promise_t *promise,
                            int code,
                            void *value,
                            uva_destroy_cb destroy,
                            uva_error_t *take_error)
{
    int r = 0;

    if (promise == NULL || promise->loop->driver.forked) {
        r = promise == NULL ? UV_EINVAL : UVA_EFORKED;
    } else if (atomic_exchange(&promise->claimed, true)) {
        r = UVA_EINVALIDSTATE;
    } else {
        promise->code = code;
        promise->value = value;
        promise->destroy = destroy;
        promise->error = take_error;
        atomic_fetch_add_explicit(&promise->refs, 1, memory_order_relaxed);
        if (uva__loop_post(promise->loop, &promise->ready) >= 0) {
            return 0;
        }
        promise->error = NULL;
        promise_drop(promise);
        r = UV_EPERM;
    }
    if (destroy != NULL) {
        destroy(value);
    }
    uva_error_unref(take_error);
    return uva__bare(r);
}

/* The reference of the users becomes that of the inbox. */
void uva__promise_end(uva_promise_t *promise,
                      int code,
                      void *value,
                      uva_destroy_cb destroy)
{
    if (!promise->loop->driver.forked) {
        atomic_store_explicit(&promise->claimed, true, memory_order_release);
        promise->code = code;
        promise->value = value;
        promise->destroy = destroy;
        if (uva__loop_post(promise->loop, &promise->ready) < 0) {
            promise_destroy_value(promise);
            promise_drop(promise);
        }
    } else if (destroy != NULL) {
        destroy(value);
    }
}

int uva_promise_set_result(uva_promise_t *promise,
                           void *value,
                           uva_destroy_cb destroy)
{
    return promise_complete(promise, 0, value, destroy, NULL);
}

int uva_promise_set_exception(uva_promise_t *promise,
                              int code,
                              const char *text)
{
    uva_error_t *error = NULL;
    char *copy;

    if (!uva__code_fails(code)) {
        return uva__bare(UV_EINVAL);
    }
    copy = uva__strdup(text);
    if (copy != NULL) {
        error = uva__error_new(code, copy, NULL);
    }
    return promise_complete(promise, code, NULL, NULL, error);
}

/* --- references --- */

uva_promise_t *uva_promise_ref(uva_promise_t *promise)
{
    if (promise != NULL) {
        atomic_fetch_add_explicit(&promise->users, 1, memory_order_relaxed);
    }
    return promise;
}

/* Nobody is left who could complete it: that is a cancellation. */
uva_promise_t *uva_promise_unref(uva_promise_t *promise)
{
    if (promise != NULL && atomic_fetch_sub_explicit(
                               &promise->users, 1, memory_order_acq_rel) == 1) {
        if (!atomic_load(&promise->claimed)) {
            (void)promise_complete(promise, UV_ECANCELED, NULL, NULL, NULL);
        }
        promise_drop(promise);
    }
    return NULL;
}

uva_future_t *uva_promise_future(uva_promise_t *promise)
{
    return promise == NULL ? NULL : promise->future;
}

void uva_promise_on_cancel(uva_promise_t *promise,
                           uva_callback_cb callback,
                           void *data,
                           uva_destroy_cb destroy)
{
    if (promise == NULL || !uva__loop_owned(promise->loop) ||
        uva_future_done(promise->future)) {
        if (destroy != NULL) {
            destroy(data);
        }
        return;
    }
    promise->on_cancel = callback;
    promise->on_cancel_data = data;
    promise->on_cancel_destroy = destroy;
}
