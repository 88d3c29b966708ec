/*
 * Scheduled calls (asyncio.events).
 *
 *   state      where its node is           references
 *   SCHEDULED  ready queue, timers, inbox   the loop's, and the holders'
 *   CANCELLED  ready queue or inbox at most the same
 *   RUN        in no queue                  the holders'
 *
 * Invariant: the destructor of a call's data runs once: after the call, at the
 * cancellation, when the loop drops it, or when it was refused. Only the loop's
 * thread destroys data that is in the inbox: if another thread cancels the
 * call, or if the loop is closing, the owner frees it when it comes to the
 * node.
 */
#include "uva/events.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "core/calls.h"
#include "core/context.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/timers.h"

typedef enum handle_state_e {
    HANDLE_SCHEDULED,
    HANDLE_CANCELLED,
    HANDLE_RUN
} handle_state_t;

struct uva_handle_s {
    uva__ready_t ready;
    uva__timer_t timer;
    uva_list_t link;  /* Of uva_loop_t.calls.never, if that is its deadline. */
    uva_loop_t *loop; /* Borrowed; gone, for a shared one, when it has run. */
    uva_callback_cb callback;
    void *data;
    uva_destroy_cb destroy;
    uva_context_t *context; /* Counted. */
    const char *site; /* Static: what is called, NUL, where it was made. */
    uint64_t when_ns;
    atomic_uint refs;
    atomic_uchar state; /* handle_state_t */
    bool timed;         /* In the timers, not in the ready queue. */
    bool shared;        /* Made by another thread, by uva__malloc. */
};

/* --- references --- */

uva_handle_t *uva_handle_ref(uva_handle_t *handle)
{
    if (handle != NULL) {
        atomic_fetch_add_explicit(&handle->refs, 1, memory_order_relaxed);
    }
    return handle;
}

/* Drop one reference; the last one frees the handle. A shared handle does not
 * lie in the slab, because its last reference may go in a thread that does not
 * own the loop. */
static void handle_drop(uva_handle_t *handle)
{
    if (atomic_fetch_sub_explicit(&handle->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    uva_context_unref(handle->context);
    if (handle->shared) {
        uva__free(handle);
    } else {
        uva__slab_put(&handle->loop->slab, handle, sizeof *handle);
    }
}

/* Whether the calling thread may touch a handle. Any thread may touch a shared
 * one: its state and its count are atomic. */
static inline bool handle_owned(const uva_handle_t *handle,
                                const char *function)
{
    return handle->shared || uva__loop_owned_for(handle->loop, function);
}

uva_handle_t *uva_handle_unref(uva_handle_t *handle)
{
    if (handle != NULL && handle_owned(handle, __func__)) {
        uva_loop_t *entered =
            handle->shared ? NULL : uva__loop_enter(handle->loop);
        handle_drop(handle);
        uva__loop_leave(entered);
    }
    return NULL;
}

/* Destroy the data of a call. The destructor is forgotten before it runs, as it
 * may cancel this handle. */
static void handle_drop_data(uva_handle_t *handle)
{
    uva_destroy_cb destroy = handle->destroy;

    handle->destroy = NULL;
    if (destroy != NULL) {
        destroy(handle->data);
    }
}

/* --- running --- */

/* Move a handle from SCHEDULED to another state. @return Whether it was
 * SCHEDULED: exactly one caller gets true, which runs or cancels the call. Of a
 * shared handle two threads may ask at the same moment: one may cancel it while
 * the other runs it. */
static bool handle_leave(uva_handle_t *handle, handle_state_t state)
{
    unsigned char scheduled = HANDLE_SCHEDULED;

    if (!handle->shared) {
        if (atomic_load_explicit(&handle->state, memory_order_relaxed) !=
            HANDLE_SCHEDULED) {
            return false;
        }
        atomic_store_explicit(&handle->state, (unsigned char)state,
                              memory_order_relaxed);
        return true;
    }
    return atomic_compare_exchange_strong(&handle->state, &scheduled,
                                          (unsigned char)state);
}

/* asyncio: events.py, Handle._run. Run the call, unless it was cancelled, in
 * the context that it was scheduled with, and give the loop's reference back.
 */
static void handle_run(uva_handle_t *handle)
{
    handle->loop->calls.count--;
    if (handle_leave(handle, HANDLE_RUN)) {
        uva_context_t *outer = uva__context_enter(handle->context);
        handle->callback(handle->data);
        uva__context_exit_to(outer);
    }
    handle_drop_data(handle);
    handle_drop(handle);
}

static void handle_run_ready(uva__ready_t *ready)
{
    handle_run(UVA__CONTAINER_OF(ready, uva_handle_t, ready));
}

/* The fire function of every timer that lies in a handle, and of no other:
 * uva__handle_drop_timer knows those timers by it. */
static void handle_run_timer(uva__timer_t *timer)
{
    handle_run(UVA__CONTAINER_OF(timer, uva_handle_t, timer));
}

/* The loop closes: the call never runs, and its data is destroyed. */
static void handle_drop_ready(uva__ready_t *ready)
{
    uva_handle_t *handle = UVA__CONTAINER_OF(ready, uva_handle_t, ready);

    handle->loop->calls.count--;
    (void)handle_leave(handle, HANDLE_RUN);
    handle_drop_data(handle);
    handle_drop(handle);
}

const char *uva__handle_function(const uva_handle_t *handle)
{
    return handle == NULL ? NULL : handle->site;
}

/* site holds two strings, one behind the NUL of the other. */
const char *uva__handle_source(const uva_handle_t *handle)
{
    return handle == NULL || handle->site == NULL
               ? NULL
               : handle->site + strlen(handle->site) + 1;
}

static void handle_describe(uva__ready_t *ready, uva__work_t *work)
{
    const uva_handle_t *handle = UVA__CONTAINER_OF(ready, uva_handle_t, ready);

    work->what = "callback";
    work->function = uva__handle_function(handle);
    work->source = uva__handle_source(handle);
}

static const uva__ready_ops_t handle_ops = {.run = handle_run_ready,
                                            .drop = handle_drop_ready,
                                            .describe = handle_describe};

bool uva__handle_drop_timer(uva__timer_t *timer)
{
    if (timer->fire != handle_run_timer) {
        return false;
    }
    uva_handle_cancel(UVA__CONTAINER_OF(timer, uva_handle_t, timer));
    return true;
}

void uva__handle_drop_never(uva_loop_t *loop)
{
    /* A cancellation takes its handle out of the list. */
    while (!uva__list_empty(&loop->calls.never)) {
        uva_handle_cancel(
            UVA__LIST_FIRST(&loop->calls.never, uva_handle_t, link));
    }
}

/* --- scheduling --- */

/* A destructor of refused data that runs at this moment, outside of tasks.
 * Destructors nest in a thread, because one may schedule a call, which is
 * refused too. Inside a task none is noted: there a destructor may suspend, and
 * others would run between. */
typedef struct refusal_s {
    const struct refusal_s *outer;
    uva_destroy_cb destroy;
    void *data;
} refusal_t;

static UVA__TLS const refusal_t *refusals;

/* A destructor may schedule its own data anew, which is refused as well: data
 * that is being destroyed is not destroyed a second time. */
void uva__call_refused(void *data, const uva_call_options_t *options)
{
    uva_destroy_cb destroy = options == NULL ? NULL : options->destroy;
    refusal_t own = {refusals, destroy, data};

    if (destroy == NULL || uva__task_current() != NULL) {
        if (destroy != NULL) {
            destroy(data);
        }
        return;
    }
    for (const refusal_t *at = refusals; at != NULL; at = at->outer) {
        if (at->destroy == destroy && at->data == data) {
            return;
        }
    }
    refusals = &own;
    destroy(data);
    refusals = own.outer;
}

/* Whether the arguments of a call are valid. */
static bool call_complete(uva_callback_cb callback,
                          const uva_call_options_t *options)
{
    return callback != NULL && uva__call_options_fit(options);
}

/* Make a handle with one reference, which is the loop's. The call will run in
 * the context of the options, else in a copy of the current one. @return NULL
 * without memory: then the data is still the caller's to destroy. */
static uva_handle_t *handle_new(uva_loop_t *loop,
                                uva_callback_cb callback,
                                void *data,
                                const uva_call_options_t *options,
                                bool shared,
                                const char *site)
{
    uva_context_t *context = NULL;
    uva_handle_t *handle;

    if (options != NULL && options->context != NULL) {
        context = uva_context_ref(options->context);
    } else if (uva__context_copy_current(&context) < 0) {
        return NULL;
    }
    handle = shared ? uva__malloc(sizeof *handle)
                    : uva__slab_get(&loop->slab, sizeof *handle);
    if (handle == NULL) {
        uva_context_unref(context);
        return NULL;
    }
    *handle = (uva_handle_t){
        .ready = {NULL, &handle_ops},
        .loop = loop,
        .callback = callback,
        .data = data,
        .destroy = options == NULL ? NULL : options->destroy,
        .context = context,
        .site = site,
        .shared = shared,
    };
    atomic_init(&handle->state, HANDLE_SCHEDULED);
    atomic_init(&handle->refs, 1);
    return handle;
}

/* asyncio: base_events.py, _check_closed and _check_thread. @return 0 if the
 * calling thread may schedule a call on the loop, else the code to refuse with.
 */
static int loop_schedulable(uva_loop_t *loop, const char *function)
{
    if (loop == NULL) {
        return UVA_ENOLOOP;
    }
    return UVA__LIKELY(uva__here == loop && !loop->closing)
               ? 0
               : uva__loop_refuses(loop, function);
}

/* Count a call that was scheduled, and give its caller a reference, if one is
 * wanted. */
static int handle_give(uva_handle_t *handle, uva_handle_t **ret_handle)
{
    handle->loop->calls.count++;
    if (ret_handle != NULL) {
        *ret_handle = uva_handle_ref(handle);
    }
    return 0;
}

/* Make a call of this thread, in no queue. *loop NULL becomes the running loop.
 * @return 0, or why there is none: then its data was destroyed. */
static int call_new(uva_loop_t **loop,
                    uva_callback_cb callback,
                    void *data,
                    const uva_call_options_t *options,
                    const char *site,
                    const char *function,
                    uva_handle_t **ret_handle)
{
    int r;

    *loop = *loop == NULL ? uva__running() : *loop;
    r = call_complete(callback, options) ? loop_schedulable(*loop, function)
                                         : UV_EINVAL;
    if (r >= 0) {
        *ret_handle = handle_new(*loop, callback, data, options, false, site);
        r = *ret_handle == NULL ? UV_ENOMEM : 0;
    }
    if (r < 0) {
        uva__call_refused(data, options);
    }
    return uva__bare(r);
}

/* asyncio: base_events.py, call_soon. What other threads have scheduled before
 * this call is in the inbox, and is queued first. */
int uva__loop_call_soon(uva_loop_t *loop,
                        uva_callback_cb callback,
                        void *data,
                        const uva_call_options_t *options,
                        uva_handle_t **ret_handle,
                        const char *site)
{
    uva_handle_t *handle;
    int r = call_new(&loop, callback, data, options, site, "uva_loop_call_soon",
                     &handle);

    if (r < 0) {
        return r;
    }
    uva__loop_inbox_first(loop);
    uva__loop_push(loop, &handle->ready);
    return handle_give(handle, ret_handle);
}

/* asyncio: base_events.py, call_at. A call for UVA_FOREVER has no timer: it
 * stands in a list, so that a loop that closes finds it. */
int uva__loop_call_at(uva_loop_t *loop,
                      uint64_t when_ns,
                      uva_callback_cb callback,
                      void *data,
                      const uva_call_options_t *options,
                      uva_handle_t **ret_handle,
                      const char *site)
{
    uva_handle_t *handle;
    int r = call_new(&loop, callback, data, options, site, "uva_loop_call_at",
                     &handle);

    if (r < 0) {
        return r;
    }
    handle->when_ns = when_ns;
    handle->timed = true;
    r = uva__timer_start(loop, &handle->timer, when_ns, handle_run_timer);
    if (r < 0) {
        handle->destroy = NULL; /* uva__call_refused destroys the data. */
        handle_drop(handle);
        uva__call_refused(data, options);
        return uva__bare(r);
    }
    if (when_ns == UVA_FOREVER) {
        uva__list_append(&loop->calls.never, &handle->link);
    }
    return handle_give(handle, ret_handle);
}

/* asyncio: base_events.py, call_later. The loop is checked first, as its driver
 * tells the time. */
int uva__loop_call_later(uva_loop_t *loop,
                         uint64_t delay_ns,
                         uva_callback_cb callback,
                         void *data,
                         const uva_call_options_t *options,
                         uva_handle_t **ret_handle,
                         const char *site)
{
    int r;

    loop = loop == NULL ? uva__running() : loop;
    r = loop_schedulable(loop, "uva_loop_call_later");
    if (r < 0) {
        uva__call_refused(data, options);
        return uva__bare(r);
    }
    return uva__loop_call_at(loop, uva__loop_deadline(loop, delay_ns), callback,
                             data, options, ret_handle, site);
}

/* The functions that bear the names of macros, for pointers to functions and
 * for bindings: they know no place in a source file. */
int(uva_loop_call_soon)(uva_loop_t *loop,
                        uva_callback_cb callback,
                        void *data,
                        const uva_call_options_t *options,
                        uva_handle_t **ret_handle)
{
    return uva__loop_call_soon(loop, callback, data, options, ret_handle, NULL);
}

int(uva_loop_call_at)(uva_loop_t *loop,
                      uint64_t when_ns,
                      uva_callback_cb callback,
                      void *data,
                      const uva_call_options_t *options,
                      uva_handle_t **ret_handle)
{
    return uva__loop_call_at(loop, when_ns, callback, data, options, ret_handle,
                             NULL);
}

int(uva_loop_call_later)(uva_loop_t *loop,
                         uint64_t delay_ns,
                         uva_callback_cb callback,
                         void *data,
                         const uva_call_options_t *options,
                         uva_handle_t **ret_handle)
{
    return uva__loop_call_later(loop, delay_ns, callback, data, options,
                                ret_handle, NULL);
}

/* --- other threads --- */

int(uva_loop_call_soon_threadsafe)(uva_loop_t *loop,
                                   uva_callback_cb callback,
                                   void *data,
                                   const uva_call_options_t *options,
                                   uva_handle_t **ret_handle)
{
    return uva__loop_call_soon_threadsafe(loop, callback, data, options,
                                          ret_handle, NULL);
}

/* asyncio: base_events.py, call_soon_threadsafe. Calls of other threads wait in
 * the inbox, until the owner moves them to the ready queue (ready.c). */
int uva__loop_call_soon_threadsafe(uva_loop_t *loop,
                                   uva_callback_cb callback,
                                   void *data,
                                   const uva_call_options_t *options,
                                   uva_handle_t **ret_handle,
                                   const char *site)
{
    uva_handle_t *handle;
    int r;

    if (loop == NULL || !call_complete(callback, options)) {
        uva__call_refused(data, options);
        return uva__bare(loop == NULL ? UVA_ENOLOOP : UV_EINVAL);
    }
    /* The mutex may be held by a thread that is not in this process. */
    if (loop->driver.forked) {
        uva__call_refused(data, options);
        return uva__bare(UVA_EFORKED);
    }
    if (uva__here == loop) {
        /* One queue for all: the order of the calls is that of asyncio. */
        return uva__loop_call_soon(loop, callback, data, options, ret_handle,
                                   site);
    }
    handle = handle_new(loop, callback, data, options, true, site);
    if (handle == NULL) {
        uva__call_refused(data, options);
        return uva__bare(UV_ENOMEM);
    }
    /* Before another thread can run and drop it. */
    if (ret_handle != NULL) {
        uva_handle_ref(handle);
    }
    r = uva__loop_post(loop, &handle->ready);
    if (r == 1) {
        if (ret_handle != NULL) {
            *ret_handle = handle;
        }
        return 0;
    }
    if (r < 0) {
        handle_drop(handle);
        uva__call_refused(data, options);
    }
    if (ret_handle != NULL) {
        handle_drop(handle);
    }
    return uva__bare(UV_EPERM);
}

/* --- handles --- */

/* asyncio: events.py, Handle.cancel and TimerHandle.cancel. The node of a call
 * that is ready stays in the queue and finds the call cancelled. A timer is
 * stopped at once, and the loop's reference goes. */
void uva_handle_cancel(uva_handle_t *handle)
{
    if (handle == NULL || !handle_owned(handle, __func__) ||
        !handle_leave(handle, HANDLE_CANCELLED)) {
        return;
    }
    if (handle->shared) {
        return; /* The data may own objects of the loop: its thread drops it. */
    }
    /* Else the node stands in the ready queue, and finds the call cancelled. */
    if (!handle->timed) {
        handle_drop_data(handle);
        return;
    }
    uva__timer_stop(handle->loop, &handle->timer);
    uva__list_remove(&handle->link);
    handle->loop->calls.count--;
    handle_drop_data(handle);
    handle_drop(handle);
}

bool uva_handle_cancelled(const uva_handle_t *handle)
{
    return handle != NULL && atomic_load(&handle->state) == HANDLE_CANCELLED;
}

uint64_t uva_handle_when(const uva_handle_t *handle)
{
    return handle == NULL ? 0 : handle->when_ns;
}

uva_context_t *uva_handle_get_context(uva_handle_t *handle)
{
    return handle == NULL ? NULL : handle->context;
}
