/*
 * as_completed (asyncio.tasks, _AsCompletedIterator).
 *
 * Invariant: each future that is not yet given out is either in left, and its
 * node among its callbacks or in the ready queue, or in the queue of those
 * done; a timeout stands in that queue as a node without a future.
 */
#include "uva/tasks.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/timers.h"

typedef struct state_s state_t;

typedef struct node_s {
    uva__ready_t ready;   /* Of the future's callbacks. */
    uva_list_t link;      /* Of state_t.done. */
    uva_future_t *future; /* Counted; NULL failed with UV_ENOMEM. */
    state_t *state;
    bool counted;
    bool ran; /* The node left the callbacks. */
    bool timed_out;
} node_t;

struct state_s {
    uva_loop_t *loop;
    uva__timer_t timer;
    uva_list_t done;    /* Of node_t.link. */
    uva_list_t waiters; /* Of uva_waiter_t.link: who waits for the next. */
    size_t count;
    size_t left; /* Not asked for yet. */
    size_t todo; /* Neither done nor timed out. */
    size_t refs;
    bool destroyed;
    node_t nodes[];
};

static size_t state_bytes(size_t count)
{
    return sizeof(state_t) + count * sizeof(node_t);
}

static void state_unref(state_t *state)
{
    if (--state->refs > 0) {
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        uva__future_unref(state->nodes[i].future);
    }
    uva__slab_put(&state->loop->slab, state, state_bytes(state->count));
}

static void state_put(state_t *state, node_t *node)
{
    uva__list_append(&state->done, &node->link);
    (void)uva_waiter_wake_first(&state->waiters);
}

static void node_done(uva__ready_t *ready)
{
    node_t *node = UVA__CONTAINER_OF(ready, node_t, ready);
    state_t *state = node->state;

    node->ran = true;
    if (!state->destroyed && !node->timed_out) {
        state_put(state, node);
        if (--state->todo == 0) {
            uva__timer_stop(state->loop, &state->timer);
        }
    }
    state_unref(state);
}

/* Take the nodes of unfinished futures back. */
static void state_detach(state_t *state)
{
    for (size_t i = 0; i < state->count; i++) {
        node_t *node = &state->nodes[i];
        if (node->counted && !node->ran && uva__future_pending(node->future) &&
            uva__future_remove_node(node->future, &node->ready)) {
            node->ran = true;
            state->refs--;
        }
    }
}

static void state_fire(uva__timer_t *timer)
{
    state_t *state = UVA__CONTAINER_OF(timer, state_t, timer);

    state_detach(state);
    state->todo = 0;
    for (size_t i = 0; i < state->count; i++) {
        node_t *node = &state->nodes[i];
        if (node->counted && !uva__list_linked(&node->link) &&
            (uva__future_pending(node->future) || !node->ran)) {
            node->timed_out = true;
            state_put(state, node);
        }
    }
}

static void state_fill(state_t *state, const uva_future_ref_t *futures)
{
    for (size_t i = 0; i < state->count; i++) {
        node_t *node = &state->nodes[i];
        uva_future_t *future = uva__future_ref(futures[i]);
        bool plain = future == NULL || future->kind == UVA__KIND_REFUSED;
        *node = (node_t){
            .ready = {NULL, node_done}, .future = future, .state = state};
        if (plain || (future->flags & UVA__VISITED) == 0) {
            node->counted = true;
            state->left++;
            state->todo++;
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
    for (size_t i = 0; i < state->count; i++) {
        node_t *node = &state->nodes[i];
        if (!node->counted) {
            continue;
        }
        if (uva__future_pending(node->future)) {
            (void)uva__future_append_node(node->future, &node->ready);
        } else {
            uva__loop_push(state->loop, &node->ready);
        }
    }
}

int uva_as_completed_start(uva_as_completed_t *iterator,
                           const uva_future_ref_t *futures,
                           size_t count,
                           uint64_t timeout_ns)
{
    uva_loop_t *loop = uva__running();
    state_t *state;
    int r;

    iterator->state = NULL;
    if (loop == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    r = uva__futures_admit(loop, futures, count);
    if (r < 0) {
        return uva__bare(r);
    }
    state = uva__slab_get(&loop->slab, state_bytes(count));
    if (state == NULL) {
        return UV_ENOMEM;
    }
    *state = (state_t){.loop = loop, .count = count, .refs = 1};
    if (timeout_ns != UVA_FOREVER && count > 0) {
        r = uva__timer_start(loop, &state->timer,
                             uva__loop_deadline(loop, timeout_ns), state_fire);
    }
    if (r < 0) {
        uva__slab_put(&loop->slab, state, state_bytes(count));
        return r;
    }
    state_fill(state, futures);
    iterator->state = state;
    return 0;
}

static int state_take(state_t *state, uva_future_t **ret_future)
{
    node_t *node = UVA__LIST_FIRST(&state->done, node_t, link);

    uva__list_remove(&node->link);
    if (node->timed_out) {
        return uva__bare(UV_ETIMEDOUT);
    }
    *ret_future = node->future;
    return 1;
}

/* asyncio: queues.py, Queue.get, which the iterator waits with. */
int uva_as_completed_next_poll(uva_as_completed_t *iterator,
                               uva_future_t **ret_future)
{
    state_t *state = iterator->state;
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (self == NULL) {
        return UVA_ENOTASK;
    }
    if (!uva_waiter_resumed(self)) {
        if (state == NULL || state->left == 0) {
            return 0;
        }
        if (state->loop != uva__running()) {
            return UVA_EWRONGLOOP;
        }
        state->left--;
    } else {
        bool woken = uva_waiter_woken(self);
        r = uva_waiter_finish(self);
        if (r < 0 && woken && state != NULL && !uva__list_empty(&state->done)) {
            (void)uva_waiter_wake_first(&state->waiters); /* Not taken. */
        }
        if (r < 0 || state == NULL) {
            return r; /* It may have been destroyed since. */
        }
    }
    if (uva__list_empty(&state->done)) {
        return uva_waiter_suspend(self, NULL, &state->waiters);
    }
    return state_take(state, ret_future);
}

int uva_as_completed_next(uva_as_completed_t *iterator,
                          uva_future_t **ret_future)
{
    int r;

    UVA_DRIVE(r, uva_as_completed_next, iterator, ret_future);
    return r;
}

void uva_as_completed_destroy(uva_as_completed_t *iterator)
{
    state_t *state = iterator->state;

    if (state == NULL || !uva__loop_owned(state->loop)) {
        return;
    }
    iterator->state = NULL;
    state->destroyed = true;
    while (uva_waiter_wake_first(&state->waiters)) {
    }
    uva__timer_stop(state->loop, &state->timer);
    state_detach(state);
    state_unref(state);
}
