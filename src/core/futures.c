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
#include "core/extra.h"
#include "core/futures.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/made.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/reports.h"

/* --- making and freeing --- */

/* The number of a kind on a loop. Numbers are given at the first future, so
 * that no list of kinds has to be kept on the floor below them. */
static uint8_t kind_register(uva_loop_t *loop, const uva__kind_ops_t *kind)
{
    unsigned number = UVA__KIND_OTHERS;

    while (loop->futures.kinds[number] != kind) {
        if (loop->futures.kinds[number] == NULL) {
            UVA__ASSERT(kind->free != NULL && kind->describe != NULL);
            loop->futures.kinds[number] = kind;
        } else {
            number++;
            UVA__ASSERT(number < UVA__KINDS);
        }
    }
    return (uint8_t)number;
}

uva_future_t *
uva__future_new(uva_loop_t *loop, const uva__kind_ops_t *kind, size_t size)
{
    uva__plain_future_t *future = uva__slab_get(&loop->slab, size);

    if (future == NULL) {
        return NULL;
    }
    memset(future, 0,
           kind->cancel_next == NULL ? sizeof *future : sizeof(uva__parent_t));
    future->base.loop = loop;
    future->base.refs = 1;
    future->base.kind = kind_register(loop, kind);
    return &future->base;
}

/* The kind of uva_create_future. */
static void plain_free(uva_future_t *future)
{
    uva__plain_free(UVA__CONTAINER_OF(future, uva__plain_future_t, base),
                    sizeof(uva__plain_future_t));
}

/* Its holder ends it. */
static const uva__kind_ops_t plain_kind = {
    .settable = true,
    .describe = "a future",
    .free = plain_free,
};

/* asyncio: base_events.py, create_future. here is kept in debug mode only. */
uva_future_t *uva__loop_create_future(uva_loop_t *loop, const char *here)
{
    uva_future_t *future;

    if (loop == NULL) {
        return uva_future_refused(UVA_ENOLOOP);
    }
    if (!uva__loop_owned_for(loop, "uva_loop_create_future") || loop->closed) {
        return uva_future_refused(uva__loop_refusal(loop));
    }
    future = uva__future_new(loop, &plain_kind, sizeof(uva__plain_future_t));
    if (UVA__UNLIKELY(loop->debug.enabled) && future != NULL) {
        uva__made_note(future, here);
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

/* References may change in any thread once the loop is closed:
 * uva__loop_enter takes its mutex then. Refused futures are static and count
 * nothing. */
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
 * which are done callbacks, and those of one that is done when its loop is
 * gone. */
static void future_drop_callbacks(uva_future_t *future)
{
    uva__record_t *last = future->callbacks;
    uva__ready_t *node;

    if (last == NULL) {
        return;
    }
    node = last->ready.next;
    last->ready.next = NULL;
    future->callbacks = NULL;
    while (node != NULL) {
        uva__ready_t *next = node->next;
        uva__ready_drop(node);
        node = next;
    }
}

/* asyncio: futures.py, Future.__del__. Nobody has asked for the failure, and
 * nobody can any more. */
static void future_report_unseen(uva_future_t *future)
{
    uva__report(future->loop, future, future->code,
                future->kind == UVA__KIND_TASK
                    ? "Task exception was never retrieved"
                    : "Future exception was never retrieved");
}

/* A result that was moved out is the caller's to destroy. */
void uva__plain_free(uva__plain_future_t *future, size_t size)
{
    uva_loop_t *loop = future->base.loop;

    if (future->destroy != NULL && (future->base.flags & UVA__MOVED) == 0) {
        future->destroy(future->result);
    }
    uva__extra_free(loop, future->extra);
    uva__slab_put(&loop->slab, future, size);
}

/* The frame of a task was dropped when its body ended; what may be left is
 * the result of a plain task and the extra. */
static void task_free(uva_future_t *future)
{
    uva_loop_t *loop = future->loop;
    uva_task_t *task = uva__future_as_task(future);

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

/* Its body ends it. A cancellation asks it, or what it awaits: cancel.c. */
const uva__kind_ops_t uva__task_kind = {
    .describe = "a task",
    .free = task_free,
};

/* Futures that keep others form chains as long as there is memory: a loop frees
 * them, and not a recursion. Their place for a first callback is the link. */
static void future_free_keeper(uva_future_t *future)
{
    uva_loop_t *loop = future->loop;
    uva__plain_future_t *plain =
        UVA__CONTAINER_OF(future, uva__plain_future_t, base);

    plain->first.record.ready.next = loop->futures.free_list;
    loop->futures.free_list = &plain->first.record.ready;
    if (loop->futures.freeing) {
        return;
    }
    loop->futures.freeing = true;
    while (loop->futures.free_list != NULL) {
        plain = UVA__CONTAINER_OF(loop->futures.free_list, uva__plain_future_t,
                                  first.record.ready);
        loop->futures.free_list = plain->first.record.ready.next;
        uva__future_kind(&plain->base)->free(&plain->base);
    }
    loop->futures.freeing = false;
}

/* All but tasks that ended well and have nothing beside their frame. */
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
    future_drop_callbacks(future);
    if (uva__future_kind(future)->keeps_others) {
        future_free_keeper(future);
    } else {
        uva__future_kind(future)->free(future);
    }
    if (loop->closed) {
        uva__loop_maybe_free(loop);
    }
}

/* Most tasks end well and keep nothing: their memory goes back at once. */
void uva__future_free(uva_future_t *future)
{
    uva_loop_t *loop = future->loop;
    uva_task_t *task = uva__future_as_task(future);

    if (UVA__LIKELY(future->kind == UVA__KIND_TASK &&
                    future->state == UVA__FUTURE_FINISHED &&
                    future->code >= 0 &&
                    (future->flags & UVA__HAS_EXTRA) == 0 && !loop->closed)) {
        uva__slab_put_units(&loop->slab, task, uva__coro_units(task->coro));
    } else {
        future_free_slow(future);
    }
}

/* --- ending --- */

/* Done callbacks are given their future: each of them keeps it until it has run
 * or was dropped. While the future is pending none does, or one that nobody is
 * going to end would never be freed. */
static void future_pin(uva_future_t *future)
{
    uva__record_t *last = future->callbacks;
    uva__record_t *record = last;

    do {
        record = uva__record_of_ready(record->ready.next);
        if (record->ready.ops->pins) {
            future->refs++;
        }
    } while (record != last);
}

/* Queue the callbacks of a future that was just done. A closed loop runs
 * nothing: there they are dropped. */
static void future_wake(uva_loop_t *loop, uva_future_t *future)
{
    if ((future->flags & UVA__HAS_CALLBACKS) != 0) {
        future_pin(future);
    }
    if (UVA__UNLIKELY(!loop->ready.draining)) {
        if (loop->closed) {
            uva__future_ref(future);
            future_drop_callbacks(future);
            uva__future_unref(future);
            return;
        }
        uva__loop_attend(loop);
    }
    uva__future_queue_records(loop, future);
}

/* The one way out of PENDING for all futures; a task that ends well has the
 * same inline, in uva__task_finish. */
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
    if (!uva__future_kind(future)->settable ||
        future->state != UVA__FUTURE_PENDING) {
        return UVA_EINVALIDSTATE;
    }
    return 0;
}

/* asyncio: futures.py, Future.set_result. A result that is refused is
 * destroyed here, because the caller has given it away. */
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

/* asyncio: futures.py, Future.set_exception. Without memory for the text the
 * future fails with the code alone. */
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

/* A whole record, with its cause and its members. */
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

/* Refused futures and NULL are done, and can be waited for anywhere. */
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
