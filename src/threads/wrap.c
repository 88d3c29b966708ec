/*
 * Futures of other loops (asyncio.futures, wrap_future, across loops).
 *
 * Invariant: only the thread of the foreign loop touches the foreign future,
 * until that loop is closed. A call in its inbox, the callback of the future,
 * and the promise of the waiting loop each have a reference of what lies
 * between.
 */
#include "uva/threads.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "core/futures.h"
#include "core/owner.h"
#include "core/results.h"
#include "threads/promises.h"

typedef struct wrap_s {
    uva_loop_t *loop;       /* Counted: the foreign one. */
    uva_future_t *foreign;  /* Counted; NULL once it is done. */
    uva_promise_t *promise; /* Counted; NULL once it is completed. */
    bool begun;             /* The foreign future calls wrap_done. */
    atomic_uint refs;
} wrap_t;

static void wrap_unref(void *data)
{
    wrap_t *wrap = data;

    if (atomic_fetch_sub_explicit(&wrap->refs, 1, memory_order_acq_rel) == 1) {
        uva_loop_unref(wrap->loop);
        uva__free(wrap);
    }
}

/* --- in the thread of the foreign loop, or once that is closed --- */

/* A promise that is not completed is cancelled by this. */
static void wrap_leave(wrap_t *wrap)
{
    wrap->foreign = uva_future_unref(wrap->foreign);
    wrap->promise = uva_promise_unref(wrap->promise);
}

/* The destructor of the result of a done future, or NULL. */
static uva_destroy_cb future_destroy(uva_future_t *future)
{
    uva_task_t *task;

    if (future->kind != UVA__KIND_TASK) {
        return UVA__CONTAINER_OF(future, uva__plain_future_t, base)->destroy;
    }
    task = uva__future_as_task(future);
    return task->coro == &uva__plain_coro
               ? ((uva__plain_frame_t *)uva__task_frame(task))->result_destroy
               : NULL;
}

static void wrap_done(uva_future_t *future, void *data)
{
    wrap_t *wrap = data;
    void *value = NULL;
    int r = uva__future_take(future, &value, sizeof value);

    if (r < 0) {
        (void)uva_promise_set_exception(
            wrap->promise, r, uva_error_text(uva_future_error(future)));
    } else {
        (void)uva_promise_set_result(wrap->promise, value,
                                     value == NULL ? NULL
                                                   : future_destroy(future));
    }
}

/* wrap_done has run, or the foreign loop closes. */
static void wrap_done_left(void *data)
{
    wrap_leave(data);
    wrap_unref(data);
}

static void wrap_begin(void *data)
{
    wrap_t *wrap = data;
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    /* A failure calls the destructor, as the end does. */
    wrap->begun = true;
    atomic_fetch_add(&wrap->refs, 1);
    options.destroy = wrap_done_left;
    UVA_IGNORE(
        uva_future_add_done_callback(wrap->foreign, wrap_done, wrap, &options));
}

/* wrap_begin was called, or never is, as the foreign loop closes. */
static void wrap_begun(void *data)
{
    wrap_t *wrap = data;

    if (!wrap->begun) {
        wrap_leave(wrap);
    }
    wrap_unref(wrap);
}

static void wrap_cancel_there(void *data)
{
    wrap_t *wrap = data;

    if (wrap->foreign != NULL) {
        (void)uva_future_cancel(wrap->foreign);
    }
}

/* --- in the thread of the waiting loop --- */

/* The future of the promise was cancelled. */
static void wrap_cancel(void *data)
{
    wrap_t *wrap = data;
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    atomic_fetch_add(&wrap->refs, 1);
    options.destroy = wrap_unref;
    UVA_IGNORE(uva_loop_call_soon_threadsafe(wrap->loop, wrap_cancel_there,
                                             wrap, &options, NULL));
}

static void foreign_nothing(void *data)
{
    (void)data;
}

static void foreign_unref(void *data)
{
    (void)uva_future_unref(data);
}

/* Give a reference back to the thread that counts it. */
static void foreign_drop(uva_future_t *foreign)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    options.destroy = foreign_unref;
    UVA_IGNORE(uva_loop_call_soon_threadsafe(foreign->loop, foreign_nothing,
                                             foreign, &options, NULL));
}

/* asyncio: futures.py, wrap_future. */
uva_future_t *uva_wrap_future(uva_future_t *take_foreign)
{
    uva_loop_t *loop = uva__running();
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_future_t *future;
    wrap_t *wrap;

    if (take_foreign == NULL || take_foreign->kind == UVA__KIND_REFUSED ||
        take_foreign->loop == loop) {
        return take_foreign;
    }
    if (loop == NULL) {
        foreign_drop(take_foreign);
        return uva_future_refused(UVA_ENOLOOP);
    }
    wrap = uva__calloc(1, sizeof *wrap);
    if (wrap != NULL) {
        wrap->promise = uva__promise_new(loop);
    }
    if (wrap == NULL || wrap->promise == NULL) {
        uva__free(wrap);
        foreign_drop(take_foreign);
        return NULL;
    }
    wrap->loop = uva_loop_ref(take_foreign->loop);
    wrap->foreign = take_foreign;
    atomic_init(&wrap->refs, 2);
    future = uva__future_ref(uva_promise_future(wrap->promise));
    uva_promise_on_cancel(wrap->promise, wrap_cancel, wrap, wrap_unref);
    options.destroy = wrap_begun;
    UVA_IGNORE(uva_loop_call_soon_threadsafe(wrap->loop, wrap_begin, wrap,
                                             &options, NULL));
    return future;
}
