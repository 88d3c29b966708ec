/*
 * Futures (asyncio.futures).
 *
 *   state      who moves it                     valid then
 *   PENDING    made so                          callbacks
 *   FINISHED   set_result, set_exception, ...   code; value if code >= 0
 *   CANCELLED  cancel                           code == UV_ECANCELED
 *
 * Invariant: a future leaves PENDING once, and at that moment all its
 * callbacks move to the ready queue in the order of registration. No callback
 * ever runs inside the call that caused it.
 */
#include "uva/futures.h"

#include <string.h>

#include "base/alloc.h"
#include "base/errors.h"
#include "combine/gather.h"
#include "core/calls.h"
#include "core/context.h"
#include "core/debug.h"
#include "core/extra.h"
#include "core/failures.h"
#include "core/futures.h"
#include "core/hosts.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/reports.h"

#define FUTURE_REFUSED(number)                                          \
    {                                                                   \
        .refs = 1, .code = (number), .state = UVA__FUTURE_FINISHED,     \
        .kind = UVA__KIND_REFUSED, .flags = UVA__RETRIEVED | UVA__QUIET \
    }

/* One per code that uva refuses with; nobody writes to them. */
static uva_future_t refused[] = {
    FUTURE_REFUSED(UVA_ENOLOOP), FUTURE_REFUSED(UV_EPERM),
    FUTURE_REFUSED(UV_EAGAIN),   FUTURE_REFUSED(UV_EINVAL),
    FUTURE_REFUSED(UV_ENOTSUP),  FUTURE_REFUSED(UVA_EWRONGLOOP),
    FUTURE_REFUSED(UVA_ENOTASK), FUTURE_REFUSED(UVA_EINVALIDSTATE),
    FUTURE_REFUSED(UVA_EFORKED),
};

uva_future_t *uva_future_refused(int code)
{
    for (size_t i = 0; i < UVA__COUNT(refused); i++) {
        if (refused[i].code == code) {
            return &refused[i];
        }
    }
    return NULL;
}

/* --- making and freeing --- */

uva_future_t *
uva__future_new(uva_loop_t *loop, uva__future_kind_t kind, size_t size)
{
    uva__plain_future_t *future = uva__slab_get(&loop->slab, size);

    if (future == NULL) {
        return NULL;
    }
    memset(future, 0, sizeof *future);
    future->base.loop = loop;
    future->base.refs = 1;
    future->base.kind = (uint8_t)kind;
    return &future->base;
}

uva_future_t *uva__loop_create_future(uva_loop_t *loop, const char *here)
{
    uva_future_t *future;

    if (loop == NULL) {
        return uva_future_refused(UVA_ENOLOOP);
    }
    if (!uva__loop_owned_for(loop, "uva_loop_create_future") || loop->closed) {
        return uva_future_refused(uva__loop_refusal(loop));
    }
    future =
        uva__future_new(loop, UVA__KIND_PLAIN, sizeof(uva__plain_future_t));
    if (UVA__UNLIKELY(loop->debug) && future != NULL) {
        uva__debug_note(future, here);
    }
    return future;
}

uva_future_t *(uva_loop_create_future)(uva_loop_t *loop)
{
    return uva__loop_create_future(loop, NULL);
}

uva_future_t *(uva_create_future)(void)
{
    return uva__loop_create_future(uva__running(), NULL);
}

uva_future_t *uva_future_ref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED &&
        uva__loop_owned(future->loop)) {
        uva_loop_t *entered = uva__loop_enter(future->loop);
        future->refs++;
        uva__loop_leave(entered);
    }
    return future;
}

uva_future_t *uva_future_unref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED &&
        uva__loop_owned(future->loop)) {
        uva_loop_t *entered = uva__loop_enter(future->loop);
        uva__future_unref(future);
        uva__loop_leave(entered);
    }
    return NULL;
}

/* Callbacks that never run: those of a pending future that nobody refers to,
 * which are records, and those of one that is done when its loop is gone. */
static void future_drop_callbacks(uva_future_t *future)
{
    uva__ready_t *last = future->callbacks;
    uva__ready_t *node;

    if (last == NULL) {
        return;
    }
    node = last->next;
    last->next = NULL;
    future->callbacks = NULL;
    while (node != NULL) {
        uva__ready_t *next = node->next;
        uva__ready_drop(node);
        node = next;
    }
}

static void future_report_unseen(uva_future_t *future)
{
    uva__report(future->loop, future, future->code,
                future->kind == UVA__KIND_TASK
                    ? "Task exception was never retrieved"
                    : "Future exception was never retrieved");
}

void uva__plain_free(uva__plain_future_t *future, size_t size)
{
    uva_loop_t *loop = future->base.loop;

    future_drop_callbacks(&future->base);
    if (future->destroy != NULL && (future->base.flags & UVA__MOVED) == 0) {
        future->destroy(future->result);
    }
    uva__extra_free(loop, future->extra);
    uva__slab_put(&loop->slab, future, size);
}

static void task_free(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;

    if (task->coro == &uva__plain_coro) {
        uva__plain_frame_t *frame = uva__task_frame(task);
        if (frame->result_destroy != NULL && frame->result != NULL &&
            (task->base.flags & UVA__MOVED) == 0) {
            frame->result_destroy(frame->result);
        }
    }
    uva__extra_free(loop, task->extra);
    uva__slab_put_units(&loop->slab, task, uva__coro_units(task->coro));
}

/* Futures that keep others form chains as long as there is memory: a loop frees
 * them, and not a recursion. */
static void future_free_keeper(uva_future_t *future)
{
    uva_loop_t *loop = future->loop;
    uva__plain_future_t *plain =
        UVA__CONTAINER_OF(future, uva__plain_future_t, base);

    future_drop_callbacks(future);
    plain->first.ready.next = loop->dying;
    loop->dying = &plain->first.ready;
    if (loop->freeing) {
        return;
    }
    loop->freeing = true;
    while (loop->dying != NULL) {
        plain =
            UVA__CONTAINER_OF(loop->dying, uva__plain_future_t, first.ready);
        loop->dying = plain->first.ready.next;
        if (plain->base.kind == UVA__KIND_GATHER) {
            uva__gather_free(&plain->base);
        } else {
            uva__shield_free(&plain->base);
        }
    }
    loop->freeing = false;
}

static UVA__NOINLINE void future_free_slow(uva_future_t *future)
{
    uva_loop_t *loop = future->loop;

    if (future->kind == UVA__KIND_TASK && uva__future_pending(future)) {
        future->refs = 1; /* The loop's own: the task goes on. */
        uva__report(loop, future, 0,
                    "A reference too many of an unfinished task was dropped");
        return;
    }
    if (future->code < 0 && future->state == UVA__FUTURE_FINISHED &&
        (future->flags & (UVA__RETRIEVED | UVA__QUIET)) == 0) {
        future->flags |= UVA__RETRIEVED; /* It is told once. */
        future->refs = 1;                /* The handler may look at it. */
        future_report_unseen(future);
        if (--future->refs > 0) {
            return; /* The handler kept it. */
        }
    }
    if (future->kind == UVA__KIND_TASK) {
        task_free(uva__future_as_task(future));
    } else if (future->kind == UVA__KIND_GATHER ||
               future->kind == UVA__KIND_SHIELD) {
        future_free_keeper(future);
    } else {
        uva__plain_free(UVA__CONTAINER_OF(future, uva__plain_future_t, base),
                        sizeof(uva__plain_future_t));
    }
    if (loop->closed) {
        uva__loop_maybe_free(loop);
    }
}

void uva__future_free(uva_future_t *future)
{
    uva_loop_t *loop = future->loop;
    uva_task_t *task = uva__future_as_task(future);

    if (UVA__LIKELY(future->kind == UVA__KIND_TASK &&
                    future->state == UVA__FUTURE_FINISHED &&
                    future->code >= 0 && (future->flags & UVA__KEEPS) == 0 &&
                    !loop->closed)) {
        uva__slab_put_units(&loop->slab, task, uva__coro_units(task->coro));
    } else {
        future_free_slow(future);
    }
}

/* --- ending --- */

/* Each record keeps its future until it has run. */
static void future_pin_records(uva_future_t *future)
{
    uva__ready_t *last = future->callbacks;
    uva__ready_t *node = last;

    do {
        node = node->next;
        if (node->run == uva__callback_run) {
            UVA__CONTAINER_OF(node, uva__callback_t, ready)->pinned = true;
            uva__future_ref(future);
        }
    } while (node != last);
}

/* Queue the callbacks of a future that was just done. */
static void future_wake(uva_loop_t *loop, uva_future_t *future)
{
    if (!loop->attended) {
        if (loop->closed) {
            uva__future_ref(future);
            future_drop_callbacks(future);
            uva__future_unref(future);
            return;
        }
        uva__loop_attend(loop);
    }
    if (uva__future_gatherer(future) != NULL) {
        uva__gather_tell(uva__future_as_task(future));
        return;
    }
    if ((future->flags & UVA__RECORDS) != 0) {
        future_pin_records(future);
    }
    uva__future_wake_nodes(loop, future);
}

void uva__future_finish(uva_future_t *future,
                        uva__future_state_t state,
                        int code)
{
    UVA__ASSERT(future->state == UVA__FUTURE_PENDING);
    future->state = (uint8_t)state;
    future->code = code;
    if (future->callbacks != NULL) {
        future_wake(future->loop, future);
    }
}

/* Whether a future can be completed by its holder, and from here. */
static int future_settable(const uva_future_t *future, const char *function)
{
    if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        return UVA_EINVALIDSTATE;
    }
    if (!uva__loop_owned_for(future->loop, function)) {
        return uva__loop_refusal(future->loop);
    }
    if ((future->kind != UVA__KIND_PLAIN && future->kind != UVA__KIND_SHIELD) ||
        future->state != UVA__FUTURE_PENDING) {
        return UVA_EINVALIDSTATE;
    }
    return 0;
}

int uva_future_set_result(uva_future_t *future,
                          void *result,
                          uva_destroy_cb destroy)
{
    int r = future_settable(future, __func__);
    uva__plain_future_t *plain;

    if (r < 0) {
        if (destroy != NULL) {
            destroy(result);
        }
        return uva__bare(r);
    }
    plain = UVA__CONTAINER_OF(future, uva__plain_future_t, base);
    plain->result = result;
    plain->destroy = destroy;
    uva__future_finish(future, UVA__FUTURE_FINISHED, 0);
    return 0;
}

int uva_future_set_exception(uva_future_t *future, int code, const char *text)
{
    int r = future_settable(future, __func__);

    if (r < 0) {
        return uva__bare(r);
    }
    if (!uva__code_fails(code)) {
        return uva__bare(UV_EINVAL);
    }
    if (text != NULL) {
        uva__extra_t *extra = uva__future_extra(future);
        char *copy = extra == NULL ? NULL : uva__strdup(text);
        if (copy != NULL) {
            extra->error = uva__error_new(code, copy, NULL);
        }
    }
    uva__future_finish(future, UVA__FUTURE_FINISHED, code);
    return 0;
}

int uva_future_set_error(uva_future_t *future, const uva_error_t *error)
{
    int r = future_settable(future, __func__);
    uva__extra_t *extra;

    if (r < 0) {
        return uva__bare(r);
    }
    if (error == NULL || !uva__code_fails(uva_error_code(error))) {
        return uva__bare(UV_EINVAL);
    }
    extra = uva__future_extra(future);
    if (extra != NULL) {
        extra->error = uva_error_ref(error);
    }
    uva__future_finish(future, UVA__FUTURE_FINISHED, uva_error_code(error));
    return 0;
}

/* --- looking --- */

uva_loop_t *uva_future_get_loop(const uva_future_t *future)
{
    return future == NULL ? NULL : future->loop;
}

bool uva_future_done(const uva_future_t *future)
{
    return !uva__future_pending(future);
}

bool uva_future_cancelled(const uva_future_t *future)
{
    return future != NULL && future->state == UVA__FUTURE_CANCELLED;
}

void *uva__future_value(uva_future_t *future)
{
    if (future->kind == UVA__KIND_TASK) {
        return uva__task_ret(uva__future_as_task(future));
    }
    return &UVA__CONTAINER_OF(future, uva__plain_future_t, base)->result;
}

int uva__future_code(uva_future_t *future)
{
    if (future == NULL) {
        return UV_ENOMEM;
    }
    if (future->code < 0 && future->kind != UVA__KIND_REFUSED) {
        future->flags |= UVA__RETRIEVED;
    }
    return future->code;
}

static UVA__NOINLINE void
value_copy(uva_future_t *future, void *ret, size_t size)
{
    size_t has = sizeof(void *);

    if (future->kind == UVA__KIND_TASK) {
        has = uva__future_as_task(future)->coro->ret_bytes;
    }
    if (UVA__UNLIKELY(size > has)) {
        memset(ret, 0, size);
        size = has;
    }
    memcpy(ret, uva__future_value(future), size);
}

int uva__future_take(uva_future_t *future, void *ret, size_t size)
{
    int r = future->code;

    if (UVA__UNLIKELY(r < 0)) {
        return uva__future_code(future);
    }
    if (UVA__UNLIKELY((future->flags & UVA__MOVED) != 0)) {
        return UVA_EINVALIDSTATE;
    }
    if (ret == NULL || size == 0) {
        return r;
    }
    future->flags |= UVA__MOVED;
    if (size == sizeof(int) && future->kind == UVA__KIND_TASK) {
        memcpy(ret, uva__task_ret(uva__future_as_task(future)), sizeof(int));
    } else {
        value_copy(future, ret, size);
    }
    return r;
}

/* A plain result is the pointer itself; a typed one lives in the task. */
static void *future_borrow(uva_future_t *future)
{
    if (future->kind == UVA__KIND_TASK &&
        uva__future_as_task(future)->coro != &uva__plain_coro) {
        return uva__future_value(future);
    }
    return *(void **)uva__future_value(future);
}

/* The code of a done future that somebody asks for. In a task a failure is
 * the task's from here on, as if it had been awaited. */
static int future_ask(uva_future_t *future, const char *function)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (UVA__LIKELY(future != NULL && future->code >= 0)) {
        return future->code;
    }
    if (!uva_loop_owned(uva_future_get_loop(future), function)) {
        return uva__loop_refusal(future->loop);
    }
    r = uva__future_code(future);
    if (task != NULL) {
        uva__task_note_failure(task, future, r);
    }
    return r;
}

int uva_future_result(uva_future_t *future, void **ret_result)
{
    int r;

    if (uva__future_pending(future)) {
        return uva__bare(UVA_EINVALIDSTATE);
    }
    r = future_ask(future, __func__);
    if (r < 0) {
        return r;
    }
    if ((future->flags & UVA__MOVED) != 0) {
        return uva__bare(UVA_EINVALIDSTATE);
    }
    if (ret_result != NULL) {
        *ret_result = future_borrow(future);
    }
    return r;
}

int uva_future_exception(uva_future_t *future)
{
    int r = uva__future_pending(future) ? uva__bare(UVA_EINVALIDSTATE)
                                        : future_ask(future, __func__);

    return r < 0 ? r : 0;
}

const uva_error_t *uva_future_error(const uva_future_t *future)
{
    const uva__extra_t *extra = uva__future_has_extra(future);

    if (extra == NULL || uva__future_pending(future)) {
        return NULL;
    }
    return extra->error;
}

const char *uva_future_get_cancel_message(const uva_future_t *future)
{
    const uva__extra_t *extra = uva__future_has_extra(future);

    return extra == NULL || !uva_future_cancelled(future)
               ? NULL
               : uva__error_words(extra->error);
}

/* --- callbacks --- */

bool uva__futures_of_loop(const uva_loop_t *loop,
                          const uva_future_ref_t *futures,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (futures[i] != NULL && futures[i]->kind != UVA__KIND_REFUSED &&
            futures[i]->loop != loop) {
            return false;
        }
    }
    return true;
}

int uva__futures_admit(const uva_loop_t *loop,
                       const uva_future_ref_t *futures,
                       size_t count)
{
    int r = count > INT32_MAX                            ? UV_EINVAL
            : uva__futures_of_loop(loop, futures, count) ? 0
                                                         : UVA_EWRONGLOOP;

    for (size_t i = 0; i < count && r >= 0; i++) {
        r = uva__future_make_room(futures[i]);
    }
    return r;
}

bool uva__future_remove_node(uva_future_t *future, uva__ready_t *ready)
{
    uva__ready_t *last = future->callbacks;
    uva__ready_t *before = last;

    if (last == NULL || uva__future_gatherer(future) != NULL) {
        return false;
    }
    do {
        uva__ready_t *node = before->next;
        if (node == ready) {
            before->next = node->next;
            if (node == before) {
                future->callbacks = NULL;
            } else if (node == last) {
                future->callbacks = before;
            }
            return true;
        }
        before = node;
    } while (before != last);
    return false;
}

void uva__callback_release(uva__callback_t *callback)
{
    uva_future_t *future = callback->future;
    uva_destroy_cb destroy = callback->destroy;
    uva_context_t *context = callback->context;
    void *data = callback->data;
    bool pinned = callback->pinned;

    callback->callback = NULL;
    if (future->kind == UVA__KIND_TASK ||
        callback !=
            &UVA__CONTAINER_OF(future, uva__plain_future_t, base)->first) {
        uva__slab_put(&future->loop->slab, callback, sizeof *callback);
    }
    if (destroy != NULL) {
        destroy(data);
    }
    uva_context_unref(context);
    if (pinned) {
        uva__future_unref(future);
    }
}

void uva__callback_run(uva__ready_t *ready)
{
    uva__callback_t *callback =
        UVA__CONTAINER_OF(ready, uva__callback_t, ready);
    uva_context_t *outer = uva__context_enter(callback->context);

    callback->callback(callback->future, callback->data);
    uva__context_exit_to(outer);
    uva__callback_release(callback);
}

void uva__ready_drop(uva__ready_t *ready)
{
    if (ready->run == uva__callback_run) {
        uva__callback_release(UVA__CONTAINER_OF(ready, uva__callback_t, ready));
    } else if (!uva__handle_drop_ready(ready)) {
        ready->run(ready);
    }
}

static uva__callback_t *callback_place(uva_future_t *future)
{
    if (future->kind != UVA__KIND_TASK) {
        uva__plain_future_t *plain =
            UVA__CONTAINER_OF(future, uva__plain_future_t, base);
        if (plain->first.callback == NULL) {
            return &plain->first;
        }
    }
    return uva__slab_get(&future->loop->slab, sizeof(uva__callback_t));
}

static int future_register(uva_future_t *future,
                           uva_done_cb callback,
                           void *data,
                           const uva_call_options_t *options)
{
    uva_context_t *context = NULL;
    uva__callback_t *record;
    int r = 0;

    if (options != NULL && options->context != NULL) {
        context = uva_context_ref(options->context);
    } else {
        r = uva__context_copy_current(&context);
    }
    if (r >= 0) {
        r = uva__future_make_room(future);
    }
    record = r < 0 ? NULL : callback_place(future);
    if (record == NULL) {
        uva_context_unref(context);
        return UV_ENOMEM;
    }
    record->ready.run = uva__callback_run;
    record->future = future;
    record->callback = callback;
    record->data = data;
    record->destroy = options == NULL ? NULL : options->destroy;
    record->context = context;
    record->pinned = future->state != UVA__FUTURE_PENDING;
    if (record->pinned) {
        uva__future_ref(future);
    }
    future->flags |= UVA__RECORDS;
    (void)uva__future_add_node(future, &record->ready);
    return 0;
}

int uva_future_add_done_callback(uva_future_t *future,
                                 uva_done_cb callback,
                                 void *data,
                                 const uva_call_options_t *options)
{
    int r;

    if (callback == NULL || !uva__call_options_fit(options)) {
        r = UV_EINVAL;
    } else if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        /* There is no loop of its own to call it from. */
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

/* Take the records of a callback with its data out of those of a future.
 * @return A list of them, in their order. */
static uva__ready_t *
future_take_records(uva_future_t *future, uva_done_cb callback, void *data)
{
    uva__ready_t *last = future->callbacks;
    uva__ready_t *node = last->next;
    uva__ready_t *taken = NULL;
    uva__ready_t **tail = &taken;

    last->next = NULL;
    future->callbacks = NULL;
    while (node != NULL) {
        uva__ready_t *next = node->next;
        uva__callback_t *record =
            UVA__CONTAINER_OF(node, uva__callback_t, ready);

        if (node->run == uva__callback_run && record->callback == callback &&
            record->data == data) {
            node->next = NULL;
            *tail = node;
            tail = &node->next;
        } else {
            (void)uva__future_append_node(future, node);
        }
        node = next;
    }
    return taken;
}

size_t uva_future_remove_done_callback(uva_future_t *future,
                                       uva_done_cb callback,
                                       void *data)
{
    uva__ready_t *removed;
    size_t count = 0;

    if (!uva__future_pending(future) || !uva__loop_owned(future->loop) ||
        future->callbacks == NULL || uva__future_gatherer(future) != NULL) {
        return 0;
    }
    removed = future_take_records(future, callback, data);
    /* Their destructors may remove others, add some, or drop the future. */
    uva__future_ref(future);
    while (removed != NULL) {
        uva__callback_t *record =
            UVA__CONTAINER_OF(removed, uva__callback_t, ready);
        removed = removed->next;
        uva__callback_release(record);
        count++;
    }
    uva__future_unref(future);
    return count;
}
