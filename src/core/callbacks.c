/*
 * Done callbacks (asyncio.futures, add_done_callback), and the edges of the
 * call graph that a user adds (asyncio.futures, future_add_to_awaited_by).
 *
 *   the future is  its callback stands       and keeps the future
 *   pending        among the callbacks       no: both may be dropped together
 *   done           in the ready queue        until it has run, or was dropped
 *                                            by a loop that closes
 *
 * Invariant: a done callback and its data are released once: after the call, at
 * the removal, when the loop closes, or with a pending future that is freed.
 */
#include "uva/futures.h"

#include "core/calls.h"
#include "core/context.h"
#include "core/extra.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"

typedef uva__callback_t callback_t;

/* The node must be a done callback's: its table is callback_ops. */
static callback_t *callback_of(uva__ready_t *ready)
{
    return UVA__CONTAINER_OF(ready, callback_t, record.ready);
}

/* Whether a callback lies in its future: a future that is no task has room for
 * one, so that most need no memory for it. */
static bool callback_is_first(const callback_t *callback)
{
    uva_future_t *future = callback->future;

    return future->kind != UVA__KIND_TASK &&
           callback ==
               &UVA__CONTAINER_OF(future, uva__plain_future_t, base)->first;
}

/* Release a callback that has run, was removed or never runs. Its memory goes
 * back first: the destructor is code of users, and may register another
 * callback. */
static void callback_release(callback_t *callback)
{
    uva_destroy_cb destroy = callback->destroy;
    uva_context_t *context = callback->context;
    void *data = callback->data;

    callback->callback = NULL;
    if (!callback_is_first(callback)) {
        uva__slab_put(&callback->future->loop->slab, callback,
                      sizeof *callback);
    }
    if (destroy != NULL) {
        destroy(data);
    }
    uva_context_unref(context);
}

/* The callback has run, or never will. Callbacks of a pending future are
 * dropped only with it, and hold no reference; else a future that is never done
 * would keep itself. */
static void callback_drop(uva__ready_t *ready)
{
    callback_t *callback = callback_of(ready);
    uva_future_t *future = callback->future;
    bool pinned = !uva__future_pending(future);

    callback_release(callback);
    if (pinned) {
        uva__future_unref(future);
    }
}

/* asyncio: futures.py, Future.__schedule_callbacks. The callback runs in the
 * context that it was registered in. */
static void callback_run(uva__ready_t *ready)
{
    callback_t *callback = callback_of(ready);
    uva_context_t *outer = uva__context_enter(callback->context);

    callback->callback(callback->future, callback->data);
    uva__context_exit_to(outer);
    callback_drop(ready);
}

/* A slow callback is reported by the future that it belongs to. */
static void callback_describe(uva__ready_t *ready, uva__work_t *work)
{
    uva_future_t *future = callback_of(ready)->future;
    uva_task_t *task = uva_future_task(future);
    uva__extra_t *extra = uva__future_has_extra(future);

    work->what = task != NULL ? "a done callback of task function"
                              : "a done callback of a future";
    work->function = task != NULL ? uva__task_function(task) : NULL;
    work->source = extra == NULL ? NULL : extra->source;
}

/* --- edges of the call graph that only the user knows --- */

/* A done callback that does nothing: while the future is pending, the call
 * graph finds its waiter by it. */
static void awaited_by_done(uva_future_t *future, void *data)
{
    (void)future;
    (void)data;
}

/* The edge holds a reference of the waiter. */
static void awaited_by_destroy(void *data)
{
    uva_future_unref(data);
}

/* Of other done callbacks the library does not know what goes on by them. */
static uva_future_t *callback_waiter(uva__ready_t *ready)
{
    callback_t *callback = callback_of(ready);

    return callback->callback == awaited_by_done ? callback->data : NULL;
}

/* asyncio: futures.py, future_add_to_awaited_by. The edge is a done callback,
 * so it goes when the future is done. */
int uva_future_add_to_awaited_by(uva_future_t *future, uva_future_t *waiter)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    if (!uva_loop_owned(uva_future_get_loop(waiter), __func__)) {
        return UV_EPERM;
    }
    options.destroy = awaited_by_destroy;
    return uva_future_add_done_callback(future, awaited_by_done,
                                        uva__future_ref(waiter), &options);
}

/* asyncio: futures.py, future_discard_from_awaited_by. */
void uva_future_discard_from_awaited_by(uva_future_t *future,
                                        uva_future_t *waiter)
{
    (void)uva_future_remove_done_callback(future, awaited_by_done, waiter);
}

/* --- adding and removing --- */

/* The table of done callbacks alone: pins is true in no other. */
static const uva__ready_ops_t callback_ops = {
    .run = callback_run,
    .waiter = callback_waiter,
    .drop = callback_drop,
    .describe = callback_describe,
    .pins = true,
};

/* The memory for a callback: the place in the future if it is free, else some
 * of the slab; NULL without memory. */
static callback_t *callback_place(uva_future_t *future)
{
    if (future->kind != UVA__KIND_TASK) {
        uva__plain_future_t *plain =
            UVA__CONTAINER_OF(future, uva__plain_future_t, base);
        if (plain->first.callback == NULL) {
            return &plain->first;
        }
    }
    return uva__slab_get(&future->loop->slab, sizeof(callback_t));
}

/* Register a callback. @retval UV_ENOMEM Nothing was registered; the data is
 * the caller's to destroy. */
static int future_register(uva_future_t *future,
                           uva_done_cb callback,
                           void *data,
                           const uva_call_options_t *options)
{
    uva_context_t *context = NULL;
    callback_t *place;

    if (options != NULL && options->context != NULL) {
        context = uva_context_ref(options->context);
    } else if (uva__context_copy_current(&context) < 0) {
        return UV_ENOMEM;
    }
    place = callback_place(future);
    if (place == NULL) {
        uva_context_unref(context);
        return UV_ENOMEM;
    }
    *place = (callback_t){
        .record = {.ready = {NULL, &callback_ops}},
        .future = future,
        .callback = callback,
        .data = data,
        .destroy = options == NULL ? NULL : options->destroy,
        .context = context,
    };
    if (!uva__future_pending(future)) {
        uva__future_ref(future); /* The reference that a callback gets when its
                                    future ends. */
    }
    future->flags |= UVA__HAS_CALLBACKS;
    uva__future_add(future, &place->record);
    return 0;
}

/* asyncio: futures.py, Future.add_done_callback. Data that is refused is
 * destroyed. */
int uva_future_add_done_callback(uva_future_t *future,
                                 uva_done_cb callback,
                                 void *data,
                                 const uva_call_options_t *options)
{
    int r;

    if (callback == NULL || !uva__call_options_fit(options)) {
        r = UV_EINVAL;
    } else if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        /* Neither has a loop that could call it. */
        r = future == NULL ? UV_ENOMEM : future->code;
    } else if (!uva__loop_owned(future->loop) || future->loop->closing) {
        r = uva__loop_refusal(future->loop);
    } else {
        r = future_register(future, callback, data, options);
    }
    if (r < 0) {
        uva__call_refused(data, options);
    }
    return uva__bare(r);
}

/* Whether a record is the done callback that is to be removed. Only a done
 * callback lies in a callback_t: pins is asked first. */
static bool
record_matches(uva__record_t *record, uva_done_cb callback, const void *data)
{
    const callback_t *at = callback_of(&record->ready);

    return record->ready.ops->pins && at->callback == callback &&
           at->data == data;
}

/* Take the records of a callback with its data out of those of a future, of
 * which there are some. @return A list of them, in their order. */
static uva__ready_t *
future_take_records(uva_future_t *future, uva_done_cb callback, void *data)
{
    uva__record_t *last = future->callbacks;
    uva__record_t *next = uva__record_of_ready(last->ready.next);
    uva__record_t *record;
    uva__ready_t *taken = NULL;
    uva__ready_t **tail = &taken;

    do {
        record = next;
        next = uva__record_of_ready(record->ready.next);
        if (record_matches(record, callback, data)) {
            (void)uva__future_remove(future, record);
            record->ready.next = NULL;
            *tail = &record->ready;
            tail = &record->ready.next;
        }
    } while (record != last);
    return taken;
}

/* asyncio: futures.py, Future.remove_done_callback, which looks at all of
 * them as well. */
size_t uva_future_remove_done_callback(uva_future_t *future,
                                       uva_done_cb callback,
                                       void *data)
{
    uva__ready_t *removed;
    size_t count = 0;

    if (!uva__future_pending(future) || !uva__loop_owned(future->loop) ||
        future->callbacks == NULL) {
        return 0;
    }
    removed = future_take_records(future, callback, data);
    /* Destructors of the data may remove other callbacks, add some, or drop the
     * future: a reference keeps it. */
    uva__future_ref(future);
    while (removed != NULL) {
        callback_t *record = callback_of(removed);
        removed = removed->next;
        callback_release(record);
        count++;
    }
    uva__future_unref(future);
    return count;
}
