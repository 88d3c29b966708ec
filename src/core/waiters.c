/*
 * How tasks wait: waiters, the await of a future, and the drive of polls.
 *
 * Invariant: a suspended task is reachable from exactly one thing that can
 * wake it, its phase says which, and its ready node is among the records of a
 * future or in the ready queue, never in both.
 */
#include "uva/futures.h"

#include <string.h>

#include "core/cancel.h"
#include "core/failures.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/results.h"
#include "core/step.h"
#include "core/waiters.h"

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
    return UVA__LIKELY(uva__here == loop && loop->ready.draining);
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

/* asyncio: tasks.py, Task.__step_run_and_handle_result. Why a task cannot wait
 * for a pending future; 0 if it can. */
static inline int await_forbids(const uva_task_t *task,
                                const uva_future_t *future)
{
    if (UVA__UNLIKELY(future->loop != task->base.loop)) {
        return UVA_EWRONGLOOP;
    }
    return UVA__UNLIKELY(future == &task->base) ? UV_EPERM : 0;
}

static UVA__NOINLINE int await_begin_cancelled(uva_task_t *task)
{
    uva__task_cancel_await(task);
    return UVA_PENDING;
}

/* Let a task wait for a pending future. The reference of the wait is the
 * caller's to make, and to drop when it has ended. */
static inline int await_begin(uva_task_t *task, uva_future_t *future)
{
    uva__future_append(future, &task->record);
    task->waiter.await.future = future;
    task->base.phase = UVA__PHASE_FUTURE;
    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
        return await_begin_cancelled(task);
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
        future = task->waiter.await.future;
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
    r = await_forbids(task, future);
    if (UVA__UNLIKELY(r < 0)) {
        return uva__bare(r);
    }
    uva__future_ref(future);
    return await_begin(task, future);
}

int uva_await(uva_future_t *future, void **ret_result)
{
    int r;

    UVA_DRIVE(r, uva_await, future, ret_result);
    return r;
}

/* --- joining: awaiting, and dropping the reference in the end --- */

/* A future of another thread's loop is told of in the log, and kept: only its
 * own thread may take a result or a reference. */
static inline bool join_owned(const uva_future_t *future)
{
    return future == NULL || future->kind == UVA__KIND_REFUSED ||
           uva__loop_owned_for(future->loop, "uva_join");
}

static UVA__NOINLINE int join_refuse(uva_future_t *future, int r)
{
    if (join_owned(future)) {
        uva__future_unref(future);
    }
    return r;
}

/* A future that the running task cannot wait for. */
static UVA__NOINLINE int join_forbid(uva_future_t *future, int r)
{
    return join_refuse(future, uva__bare(r));
}

static UVA__NOINLINE int
join_take_slow(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    int r;

    if (!join_owned(future)) {
        return UV_EPERM;
    }
    r = await_take(task, future, ret, size);
    uva__future_unref(future);
    return r;
}

static UVA__NOINLINE int join_end_cancelled(uva_task_t *task,
                                            uva_future_t *future,
                                            void *ret,
                                            size_t size)
{
    return await_end_cancelled(task, future)
               ? join_take_slow(task, future, ret, size)
               : join_refuse(future, UV_ECANCELED);
}

/* Take the result of a done future, and drop the reference. For the last one of
 * a task that gave an int, or nothing, and keeps nothing, as most are, this
 * calls nothing: then a join has no registers to save. */
UVA__INLINE int
join_take(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    uva_task_t *done = uva__future_as_task(future);
    uva_loop_t *loop = task->base.loop;
    int r = future->code;
    size_t units;

    if (UVA__UNLIKELY(future->loop != loop || future->kind != UVA__KIND_TASK ||
                      future->refs != 1 || r < 0 ||
                      (future->flags & (UVA__MOVED | UVA__HAS_EXTRA)) != 0 ||
                      (ret != NULL && size != sizeof(int)))) {
        return join_take_slow(task, future, ret, size);
    }
    units = uva__coro_units(done->coro);
    if (UVA__UNLIKELY(units >= loop->slab.classes)) {
        return join_take_slow(task, future, ret, size);
    }
    if (ret != NULL) {
        memcpy(ret, uva__task_ret(done), sizeof(int));
    }
    uva__slab_put_idle(&loop->slab, done, units);
    return r;
}

/* The poll of a join, for the running task. */
UVA__INLINE int
join_poll(uva_task_t *task, uva_future_t *future, void *ret, size_t size)
{
    int r;

    if (task->base.phase != UVA__PHASE_IDLE) {
        task->base.phase = UVA__PHASE_IDLE;
        if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
            return join_end_cancelled(task, future, ret, size);
        }
    } else if (UVA__UNLIKELY(future == NULL)) {
        return uva__bare(UV_ENOMEM);
    } else if (future->state == UVA__FUTURE_PENDING) {
        r = await_forbids(task, future);
        return UVA__LIKELY(r == 0) ? await_begin(task, future)
                                   : join_forbid(future, r);
    }
    return join_take(task, future, ret, size);
}

int uva__await_typed_poll(uva_future_t *take_task, void *ret, size_t ret_bytes)
{
    uva_task_t *task = uva__task_current();

    if (UVA__UNLIKELY(task == NULL)) {
        return join_refuse(take_task, UVA_ENOTASK);
    }
    return join_poll(task, take_task, ret, ret_bytes);
}

int uva__await_typed(uva_future_t *take_task, void *ret, size_t ret_bytes)
{
    uva_waiter_t *waiter = uva__waiter_blocking();
    int r;

    if (UVA__UNLIKELY(waiter == NULL)) {
        return join_refuse(take_task, UVA_ENOTASK);
    }
    while ((r = join_poll(uva__task_of_waiter(waiter), take_task, ret,
                          ret_bytes)) == UVA_PENDING) {
        uva__waiter_block(waiter, "uva_join");
    }
    return r;
}

int uva_join_poll(uva_future_t *take_future, void **ret_result)
{
    return uva__await_typed_poll(take_future, ret_result, sizeof *ret_result);
}

int uva_join(uva_future_t *take_future, void **ret_result)
{
    return uva__await_typed(take_future, ret_result, sizeof *ret_result);
}

/* --- driving --- */

int uva__block_check(void)
{
    return UVA__LIKELY(uva__waiter_blocking() != NULL) ? 0 : UVA_ENOTASK;
}

void uva__block(const char *what)
{
    uva__waiter_block(uva__waiter_current(), what);
}
