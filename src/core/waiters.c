/*
 * How tasks wait: waiters, the await of a future, and the drive of polls.
 *
 * Invariant: a suspended task is reachable from exactly one thing that can
 * wake it, its phase says which, and its ready node is in that thing's ring or
 * in the ready queue, never in both.
 */
#include "uva/futures.h"

#include "core/failures.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/waiters.h"

#include <string.h>

/* --- waiters --- */

uva_waiter_t *uva_waiter_current(void)
{
    return uva__waiter_current();
}

bool uva_waiter_resumed(const uva_waiter_t *waiter)
{
    return uva__waiter_resumed(waiter);
}

/* The first wait, one in no list, one that is cancelled already, refusals. */
static UVA__NOINLINE int
waiter_suspend_slow(uva_waiter_t *waiter, uva_loop_t **owner, uva_list_t *list)
{
    uva_task_t *task;

    if (waiter == NULL) {
        return UVA_ENOTASK;
    }
    task = uva__task_of_waiter(waiter);
    if (owner != NULL && *owner != task->base.loop) {
        if (*owner != NULL) {
            return uva__bare(UVA_EWRONGLOOP);
        }
        *owner = task->base.loop;
    }
    (void)uva__waiter_suspend(task);
    if (list != NULL) {
        uva__list_append(list, &waiter->link);
    }
    return UVA_PENDING;
}

int uva_waiter_suspend(uva_waiter_t *waiter,
                       uva_loop_t **owner,
                       uva_list_t *list)
{
    if (UVA__LIKELY(waiter != NULL && owner != NULL && list != NULL &&
                    list->next != NULL) &&
        uva__waiter_joins(waiter, owner, list)) {
        return UVA_PENDING;
    }
    return waiter_suspend_slow(waiter, owner, list);
}

/* Whether this is said in the loop's drain. */
static inline bool loop_drains(const uva_loop_t *loop)
{
    return UVA__LIKELY(uva__here == loop && loop->attended);
}

static UVA__NOINLINE bool waiter_wake_slow(uva_waiter_t *waiter)
{
    return uva__loop_owned_for(uva__task_of_waiter(waiter)->base.loop,
                               "uva_waiter_wake") &&
           uva__waiter_wake(waiter);
}

bool uva_waiter_wake(uva_waiter_t *waiter)
{
    uva_loop_t *loop = uva__task_of_waiter(waiter)->base.loop;

    return loop_drains(loop) ? uva__waiter_wakes(loop, waiter)
                             : waiter_wake_slow(waiter);
}

static UVA__NOINLINE bool waiter_wake_first_slow(uva_list_t *list)
{
    while (!uva__list_empty(list)) {
        uva_waiter_t *waiter = UVA__LIST_FIRST(list, uva_waiter_t, link);
        bool woken;

        if (!uva__loop_owned_for(uva__task_of_waiter(waiter)->base.loop,
                                 "uva_waiter_wake_first")) {
            return false; /* It waits on. */
        }
        woken = uva__waiter_wake(waiter);
        uva__list_remove(&waiter->link);
        if (woken) {
            return true;
        }
    }
    return false;
}

bool uva_waiter_wake_first(uva_list_t *list)
{
    uva_loop_t *loop;

    if (uva__list_empty(list)) {
        return false;
    }
    loop = uva__task_of_waiter(UVA__LIST_FIRST(list, uva_waiter_t, link))
               ->base.loop;
    if (loop_drains(loop) && uva__waiter_wakes_first(loop, list)) {
        return true;
    }
    return waiter_wake_first_slow(list);
}

bool uva_waiter_woken(const uva_waiter_t *waiter)
{
    return waiter != NULL &&
           uva__task_of_waiter(waiter)->base.phase == UVA__PHASE_WOKEN;
}

bool uva_waiter_cancelled(const uva_waiter_t *waiter)
{
    return waiter != NULL &&
           uva__task_of_waiter(waiter)->base.phase == UVA__PHASE_CANCELLED;
}

int uva_waiter_finish(uva_waiter_t *waiter)
{
    uva__list_remove(&waiter->link);
    return uva__waiter_finish(uva__task_of_waiter(waiter));
}

uint8_t uva_waiter_get_stage(const uva_waiter_t *waiter)
{
    return waiter == NULL ? 0 : uva__task_of_waiter(waiter)->base.stage;
}

void uva_waiter_set_stage(uva_waiter_t *waiter, uint8_t stage)
{
    if (waiter != NULL) {
        uva__task_of_waiter(waiter)->base.stage = stage;
    }
}

int32_t uva_waiter_get_value(const uva_waiter_t *waiter)
{
    return waiter == NULL ? 0 : uva__task_of_waiter(waiter)->base.code;
}

void uva_waiter_set_value(uva_waiter_t *waiter, int32_t value)
{
    if (waiter != NULL) {
        uva__task_of_waiter(waiter)->base.code = value;
    }
}

/* --- awaiting a future --- */

/* The result of a done future, moved out. */
static inline int
await_take(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    int r = uva__future_take(future, ret, size);

    if (UVA__UNLIKELY(r < 0)) {
        uva__task_note_failure(task, future, r);
    }
    return r;
}

/* Say what a task waits for that hangs among its callbacks. */
UVA__INLINE void await_wait(uva_task_t *task, uva_future_t *future)
{
    task->waiter.future = future;
    task->base.phase = UVA__PHASE_FUTURE;
}

/* asyncio: tasks.py, Task.__step_run_and_handle_result. The reference of the
 * wait is the caller's to make, and to drop when it has ended. */
static inline int await_begin(uva_task_t *task, uva_future_t *future)
{
    if (UVA__UNLIKELY(future->loop != task->base.loop)) {
        return uva__bare(UVA_EWRONGLOOP);
    }
    if (UVA__UNLIKELY(future == &task->base)) {
        return uva__bare(UV_EPERM);
    }
    if (UVA__UNLIKELY(uva__future_append_node(future, &task->ready) < 0)) {
        return uva__bare(UV_ENOMEM);
    }
    await_wait(task, future);
    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
        uva__task_cancel_await(task);
    }
    return UVA_PENDING;
}

/* asyncio: tasks.py, Task.__step: the cancellation of what was awaited is told,
 * and not a request that came after it. */
static UVA__NOINLINE bool await_end_cancelled(uva_task_t *task,
                                              uva_future_t *future)
{
    if (!uva__future_pending(future) &&
        uva__future_code(future) == UV_ECANCELED) {
        uva__task_drop_cancel(task);
        return true;
    }
    uva__task_deliver_cancel(task);
    return false;
}

/* @return Whether the resumed wait ends with the future's own result. */
static inline bool await_end(uva_task_t *task, uva_future_t *future)
{
    task->base.phase = UVA__PHASE_IDLE;
    return UVA__LIKELY((task->base.flags & UVA__MUST_CANCEL) == 0) ||
           await_end_cancelled(task, future);
}

int uva_await_poll(uva_future_t *future, void **ret_result)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (UVA__UNLIKELY(task == NULL)) {
        return UVA_ENOTASK;
    }
    if (task->base.phase != UVA__PHASE_IDLE) {
        future = task->waiter.future;
        r = await_end(task, future) ? uva_future_result(future, ret_result)
                                    : UV_ECANCELED;
        uva__future_unref(future);
        return r;
    }
    if (UVA__UNLIKELY(future == NULL)) {
        return uva__bare(UV_ENOMEM);
    }
    if (future->state != UVA__FUTURE_PENDING) {
        return uva_future_result(future, ret_result);
    }
    r = await_begin(task, future);
    if (UVA__LIKELY(r == UVA_PENDING)) {
        uva__future_ref(future);
    }
    return r;
}

int uva_await(uva_future_t *future, void **ret_result)
{
    int r;

    UVA_DRIVE(r, uva_await, future, ret_result);
    return r;
}

/* Joining is awaiting, and dropping the reference in the end. Most joins are of
 * a typed task, by its own type, from a task to which nothing happens: for
 * these there is a short way. */

/* Whether the calling thread may take a result and a reference. */
static bool join_owned(const uva_future_t *future)
{
    return uva_loop_owned(uva_future_get_loop(future), "uva_join");
}

static int join_unref(uva_future_t *future, int r)
{
    if (join_owned(future)) {
        uva__future_unref(future);
    }
    return r;
}

static UVA__NOINLINE int
join_done_slow(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    return join_unref(future, await_take(task, future, ret, size));
}

/* Take what a done task holds, and drop it; ret is of the type of its result.
 * A result of no bytes is not looked at. */
UVA__INLINE int
join_done(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    uva_task_t *from = uva__future_as_task(future);
    uva__slab_t *slab = &future->loop->slab;
    int r = future->code;

    if (UVA__UNLIKELY(r < 0 ||
                      (future->flags & (UVA__MOVED | UVA__KEEPS)) != 0 ||
                      (ret != NULL && size != sizeof(int)) ||
                      uva__coro_units(from->coro) >= slab->classes)) {
        return join_done_slow(task, future, ret, size);
    }
    if (ret != NULL) {
        future->flags |= UVA__MOVED;
        memcpy(ret, uva__task_ret(from), sizeof(int));
    }
    if (--future->refs == 0) {
        uva__slab_put_idle(slab, future, uva__coro_units(from->coro));
    }
    return r;
}

/* Begin to wait for a task that nobody waits for. */
UVA__INLINE void join_begin(uva_task_t *task, uva_future_t *future)
{
    uva__future_append_first(future, &task->ready);
    await_wait(task, future);
}

/* Whether the short way is open: nothing is due to the task, and it may await
 * the other. */
static inline bool
join_is_plain(const uva_task_t *task, const uva_future_t *future, unsigned due)
{
    return UVA__LIKELY(task != NULL && (task->base.flags & due) == 0 &&
                       future != NULL && future->loop == task->base.loop &&
                       future != &task->base);
}

/* The call after the wake-up. */
static UVA__NOINLINE int
join_end(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    return await_end(task, future) ? join_done_slow(task, future, ret, size)
                                   : join_unref(future, UV_ECANCELED);
}

int uva__join_poll(uva_future_t *take_future, void *ret, size_t size)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (task == NULL) {
        return join_unref(take_future, UVA_ENOTASK);
    }
    if (task->base.phase != UVA__PHASE_IDLE) {
        return join_end(task, take_future, ret, size);
    }
    if (take_future == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    if (take_future->state != UVA__FUTURE_PENDING) {
        return join_owned(take_future)
                   ? join_done_slow(task, take_future, ret, size)
                   : UV_EPERM;
    }
    r = await_begin(task, take_future);
    return r == UVA_PENDING ? r : join_unref(take_future, r);
}

static UVA__NOINLINE int
join_drive(uva_future_t *take_future, void *ret, size_t size)
{
    int r = uva_block_check();

    if (r < 0) {
        return join_unref(take_future, r);
    }
    while ((r = uva__join_poll(take_future, ret, size)) == UVA_PENDING) {
        uva_block("uva_join");
    }
    return r;
}

int uva__await_typed_poll(uva_future_t *take_task, void *ret, size_t ret_bytes)
{
    uva_task_t *task = uva__task_current();

    if (!join_is_plain(task, take_task, UVA__MUST_CANCEL)) {
        return uva__join_poll(take_task, ret, ret_bytes);
    }
    if (task->base.phase == UVA__PHASE_IDLE &&
        take_task->state == UVA__FUTURE_PENDING) {
        if (UVA__UNLIKELY(take_task->callbacks != NULL)) {
            return uva__join_poll(take_task, ret, ret_bytes);
        }
        join_begin(task, take_task);
        return UVA_PENDING;
    }
    task->base.phase = UVA__PHASE_IDLE;
    return join_done(task, take_task, ret, ret_bytes);
}

int uva__await_typed(uva_future_t *take_task, void *ret, size_t ret_bytes)
{
    uva_task_t *task = uva__task_current();

    if (!join_is_plain(task, take_task,
                       UVA__MUST_CANCEL | UVA__STACKLESS | UVA__WATCHED)) {
        return join_drive(take_task, ret, ret_bytes);
    }
    if (take_task->state == UVA__FUTURE_PENDING) {
        if (UVA__UNLIKELY(take_task->callbacks != NULL)) {
            return join_drive(take_task, ret, ret_bytes);
        }
        join_begin(task, take_task);
        uva__task_stackful(task)->what = "uva_join";
        task = uva__task_leave_plain(task->base.loop, task);
        take_task = task->waiter.future;
        if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
            return join_end(task, take_task, ret, ret_bytes);
        }
        task->base.phase = UVA__PHASE_IDLE;
    }
    return join_done(task, take_task, ret, ret_bytes);
}

int uva_join_poll(uva_future_t *take_future, void **ret_result)
{
    return uva__join_poll(take_future, ret_result, sizeof *ret_result);
}

int uva_join(uva_future_t *take_future, void **ret_result)
{
    uva_task_t *task = uva__task_current();

    if (ret_result == NULL &&
        join_is_plain(task, take_future, UVA__MUST_CANCEL | UVA__STACKLESS) &&
        take_future->state != UVA__FUTURE_PENDING &&
        take_future->kind == UVA__KIND_TASK) {
        return join_done(task, take_future, NULL, 0);
    }
    return join_drive(take_future, ret_result, sizeof *ret_result);
}

/* --- driving --- */

int uva_block_check(void)
{
    return UVA__LIKELY(uva__waiter_blocking() != NULL) ? 0 : UVA_ENOTASK;
}

void uva_block(const char *what)
{
    uva_task_t *task = uva__task_current();

    uva__task_stackful(task)->what = what;
    (void)uva__task_leave_now(task->base.loop, task);
}
