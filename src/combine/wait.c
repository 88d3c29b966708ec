/*
 * wait, wait_for and cancel-and-wait (asyncio.tasks).
 *
 * Invariant: what a wait has hung into futures lives until each of its nodes
 * was removed or has run, however early the waiting task goes on; it never
 * wakes a task whose wait is over.
 */
#include "uva/tasks.h"

#include "core/failures.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/timers.h"

typedef struct wait_state_s wait_state_t;

typedef struct wait_node_s {
    uva__ready_t ready;   /* Of the future's callbacks. */
    uva_future_t *future; /* Counted; NULL failed with UV_ENOMEM. */
    wait_state_t *state;
    bool counted; /* Not the second place of the same future. */
    bool ran;
} wait_node_t;

struct wait_state_s {
    uva_loop_t *loop;
    uva_waiter_t *waiter; /* NULL once the wait is over. */
    uva__timer_t timer;
    size_t count;
    size_t left;
    size_t refs; /* Nodes that were not removed and did not run, and the
                    wait itself. */
    uva_return_when_t when;
    wait_node_t nodes[];
};

static size_t wait_bytes(size_t count)
{
    return sizeof(wait_state_t) + count * sizeof(wait_node_t);
}

static void wait_unref(wait_state_t *state)
{
    if (--state->refs > 0) {
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        uva__future_unref(state->nodes[i].future);
    }
    uva__slab_put(&state->loop->slab, state, wait_bytes(state->count));
}

static void wait_release(wait_state_t *state)
{
    uva__timer_stop(state->loop, &state->timer);
    if (state->waiter != NULL) {
        (void)uva_waiter_wake(state->waiter);
    }
}

static void wait_fire(uva__timer_t *timer)
{
    wait_release(UVA__CONTAINER_OF(timer, wait_state_t, timer));
}

static bool wait_failed(uva_future_t *future)
{
    return !uva_future_cancelled(future) && uva__future_code(future) < 0;
}

static void wait_node_done(uva__ready_t *ready)
{
    wait_node_t *node = UVA__CONTAINER_OF(ready, wait_node_t, ready);
    wait_state_t *state = node->state;

    node->ran = true;
    state->left--;
    if (state->left == 0 || state->when == UVA_FIRST_COMPLETED ||
        (state->when == UVA_FIRST_EXCEPTION && wait_failed(node->future))) {
        wait_release(state);
    }
    wait_unref(state);
}

uva_future_t *uva__wait_of_node(uva__ready_t *ready)
{
    uva_waiter_t *waiter;

    if (ready->run != wait_node_done) {
        return NULL;
    }
    waiter = UVA__CONTAINER_OF(ready, wait_node_t, ready)->state->waiter;
    return waiter == NULL ? NULL : &uva__task_of_waiter(waiter)->base;
}

/* A future that stands there twice counts once: it is marked while the nodes
 * are made. */
static void wait_fill(wait_state_t *state, const uva_future_ref_t *futures)
{
    for (size_t i = 0; i < state->count; i++) {
        wait_node_t *node = &state->nodes[i];
        uva_future_t *future = uva__future_ref(futures[i]);
        bool plain = future == NULL || future->kind == UVA__KIND_REFUSED;
        *node = (wait_node_t){
            .ready = {NULL, wait_node_done}, .future = future, .state = state};
        if (plain || (future->flags & UVA__VISITED) == 0) {
            node->counted = true;
            state->left++;
            state->refs++;
            if (!plain) {
                future->flags |= UVA__VISITED;
            }
        }
    }
    for (size_t i = 0; i < state->count; i++) {
        uva_future_t *future = futures[i];
        if (future != NULL && future->kind != UVA__KIND_REFUSED) {
            future->flags &= (uint16_t)~UVA__VISITED;
        }
    }
}

static int wait_start(uva_wait_op_t *op,
                      uva_task_t *task,
                      const uva_future_ref_t *futures,
                      size_t count,
                      uint64_t timeout_ns,
                      uva_return_when_t when)
{
    uva_loop_t *loop = task->base.loop;
    wait_state_t *state;
    int r;

    r = uva__futures_admit(loop, futures, count);
    if (r < 0) {
        return r;
    }
    state = uva__slab_get(&loop->slab, wait_bytes(count));
    if (state == NULL) {
        return UV_ENOMEM;
    }
    *state = (wait_state_t){.loop = loop,
                            .waiter = &task->waiter,
                            .count = count,
                            .refs = 1,
                            .when = when};
    if (timeout_ns != UVA_FOREVER) {
        r = uva__timer_start(loop, &state->timer,
                             uva__loop_deadline(loop, timeout_ns), wait_fire);
    }
    if (r < 0) {
        uva__slab_put(&loop->slab, state, wait_bytes(count));
        return r;
    }
    wait_fill(state, futures);
    for (size_t i = 0; i < count; i++) {
        wait_node_t *node = &state->nodes[i];
        if (!node->counted) {
            continue;
        }
        if (uva__future_pending(node->future)) {
            (void)uva__future_append_node(node->future, &node->ready);
        } else {
            uva__loop_push(loop, &node->ready);
        }
    }
    op->state = state;
    return 0;
}

/* Take the nodes out again. */
static void wait_stop(wait_state_t *state)
{
    uva__timer_stop(state->loop, &state->timer);
    state->waiter = NULL;
    for (size_t i = 0; i < state->count; i++) {
        wait_node_t *node = &state->nodes[i];
        if (node->counted && !node->ran && uva__future_pending(node->future) &&
            uva__future_remove_node(node->future, &node->ready)) {
            node->ran = true;
            state->refs--;
        }
    }
}

static int wait_results(const wait_state_t *state,
                        uva_future_t **ret_done,
                        uva_future_t **ret_pending)
{
    size_t done = 0;
    size_t pending = 0;

    for (size_t i = 0; i < state->count; i++) {
        const wait_node_t *node = &state->nodes[i];
        if (!node->counted) {
            continue;
        }
        if (uva_future_done(node->future)) {
            if (ret_done != NULL) {
                ret_done[done] = node->future;
            }
            done++;
        } else {
            if (ret_pending != NULL) {
                ret_pending[pending] = node->future;
            }
            pending++;
        }
    }
    return (int)done;
}

int uva_wait_poll(uva_wait_op_t *op,
                  const uva_future_ref_t *futures,
                  size_t count,
                  uint64_t timeout_ns,
                  uva_return_when_t when,
                  uva_future_t **ret_done,
                  uva_future_t **ret_pending)
{
    uva_task_t *task = uva__task_current();
    wait_state_t *state;
    int r;

    if (task == NULL) {
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        if (count == 0 || when > UVA_FIRST_EXCEPTION) {
            return uva__bare(UV_EINVAL);
        }
        r = wait_start(op, task, futures, count, timeout_ns, when);
        return r < 0 ? uva__bare(r)
                     : uva_waiter_suspend(&task->waiter, NULL, NULL);
    }
    state = op->state;
    r = uva_waiter_finish(&task->waiter);
    wait_stop(state);
    if (r >= 0) {
        r = wait_results(state, ret_done, ret_pending);
    }
    op->state = NULL;
    wait_unref(state);
    return r;
}

int uva_wait(const uva_future_ref_t *futures,
             size_t count,
             uint64_t timeout_ns,
             uva_return_when_t when,
             uva_future_t **ret_done,
             uva_future_t **ret_pending)
{
    uva_wait_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_wait, &op, futures, count, timeout_ns, when, ret_done,
              ret_pending);
    return r;
}

/* --- cancel and wait --- */

/* asyncio: tasks.py, _cancel_and_wait. */
int uva_cancel_and_wait_poll(uva_wait_op_t *op, uva_future_t *future)
{
    uva_task_t *task = uva__task_current();
    uva_future_ref_t futures[] = {future};
    int r;

    if (task == NULL) {
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        if (!uva__future_pending(future)) {
            return 0;
        }
        if (future == &task->base) {
            return uva__bare(UV_EPERM);
        }
        r = wait_start(op, task, futures, 1, UVA_FOREVER, UVA_ALL_COMPLETED);
        if (r < 0) {
            return uva__bare(r);
        }
        (void)uva_future_cancel(future);
        return uva_waiter_suspend(&task->waiter, NULL, NULL);
    }
    r = uva_wait_poll(op, futures, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL,
                      NULL);
    return r < 0 ? r : 0;
}

int uva_cancel_and_wait(uva_future_t *future)
{
    uva_wait_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_cancel_and_wait, &op, future);
    return r;
}

/* --- wait_for --- */

enum {
    WAIT_FOR_NEW,
    WAIT_FOR_CANCEL,
    WAIT_FOR_AWAIT
};

/* The result of a future that is done; a cancellation was the timeout's. */
static int wait_for_result(uva_future_t *future, void *ret, size_t size)
{
    int r = uva__future_take(future, ret, size);

    if (r == UV_ECANCELED) {
        return uva__bare(UV_ETIMEDOUT);
    }
    if (r < 0) {
        uva__task_note_failure(uva__task_current(), future, r);
    }
    return r;
}

static void
wait_for_begin(uva_wait_for_op_t *op, uva_future_t *future, uint64_t timeout_ns)
{
    if (timeout_ns == 0 && uva__future_pending(future)) {
        op->cancel.state = NULL;
        op->stage = WAIT_FOR_CANCEL;
    } else {
        (void)uva_timeout_enter(&op->timeout,
                                timeout_ns == 0 ? UVA_FOREVER : timeout_ns);
        op->stage = WAIT_FOR_AWAIT;
    }
}

int uva__wait_for_typed_poll(uva_wait_for_op_t *op,
                             uva_future_t *take_task,
                             uint64_t timeout_ns,
                             void *ret,
                             size_t ret_bytes)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (task == NULL) {
        uva_future_unref(take_task);
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        wait_for_begin(op, take_task, timeout_ns);
    }
    if (op->stage == WAIT_FOR_CANCEL) {
        r = uva_cancel_and_wait_poll(&op->cancel, take_task);
        if (r == UVA_PENDING) {
            return r;
        }
        if (r >= 0) {
            r = wait_for_result(take_task, ret, ret_bytes);
        }
        (void)uva_future_unref(take_task);
    } else {
        /* Moved out, and the reference dropped, as it ends. */
        r = uva__await_typed_poll(take_task, ret, ret_bytes);
        if (r == UVA_PENDING) {
            return r;
        }
        r = uva_timeout_exit(&op->timeout, r);
    }
    op->stage = WAIT_FOR_NEW;
    return r;
}

int uva__wait_for_typed(uva_future_t *take_task,
                        uint64_t timeout_ns,
                        void *ret,
                        size_t ret_bytes)
{
    uva_wait_for_op_t op;
    int r = uva__block_check();

    if (r < 0) {
        uva_future_unref(take_task);
        return r;
    }
    while ((r = uva__wait_for_typed_poll(&op, take_task, timeout_ns, ret,
                                         ret_bytes)) == UVA_PENDING) {
        uva__block("uva_wait_for");
    }
    return r;
}

int uva_wait_for_poll(uva_wait_for_op_t *op,
                      uva_future_t *take_future,
                      uint64_t timeout_ns,
                      void **ret_result)
{
    return uva__wait_for_typed_poll(op, take_future, timeout_ns, ret_result,
                                    sizeof *ret_result);
}

int uva_wait_for(uva_future_t *take_future,
                 uint64_t timeout_ns,
                 void **ret_result)
{
    return uva__wait_for_typed(take_future, timeout_ns, ret_result,
                               sizeof *ret_result);
}
