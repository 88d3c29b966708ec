/*
 * as_completed (asyncio.tasks, _AsCompletedIterator).
 *
 *   a future is   counted in      its record stands
 *   pending       members.left    among its callbacks, or in the ready queue
 *   done          -               in the queue state->done
 *   expired       state->expired  nowhere: the timeout came first, the next
 *                                 call gives UV_ETIMEDOUT for it
 *   given out     -               nowhere
 *
 * Invariant: each future that is not given out is in one of these states, and
 * a task waits only while all of them are pending.
 */
#include "uva/tasks.h"

#include "combine/members.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/timers.h"

typedef struct state_s {
    uva__members_t members;
    uva__ready_t *done;  /* Of members whose record ran, by record.ready. */
    uva__ready_t **tail; /* Of that queue. */
    size_t expired;      /* Members that the timeout came before. */
    size_t unasked;      /* Members that nobody has asked for yet. */
    uva_list_t waiters;  /* Of uva_waiter_t.link: tasks in need of the next. */
} state_t;

static state_t *state_of(uva__members_t *members)
{
    return UVA__CONTAINER_OF(members, state_t, members);
}

/* Whether a task that asks for the next one need not wait. */
static bool state_has_next(const state_t *state)
{
    return state->done != NULL || state->expired > 0;
}

/* A member is done. Its record has run and is free: its link serves the queue
 * of done members. One waiting task takes it. */
static void state_done(uva__members_t *members, uva__member_t *member)
{
    state_t *state = state_of(members);

    member->record.ready.next = NULL;
    *state->tail = &member->record.ready;
    state->tail = &member->record.ready.next;
    (void)uva_waiter_wake_first(&state->waiters);
    if (members->left == 0) {
        uva__timer_stop(members->loop, &members->timer);
    }
}

/* asyncio: _AsCompletedIterator._handle_timeout puts None for each of them. */
static void state_expired(uva__members_t *members)
{
    state_t *state = state_of(members);

    state->expired = members->left;
    uva__members_leave(members);
    for (size_t i = 0; i < state->expired; i++) {
        (void)uva_waiter_wake_first(&state->waiters);
    }
}

static const uva__members_ops_t state_ops = {sizeof(state_t), state_done,
                                             state_expired};

/* The iterator is the caller's memory, which may go when it was destroyed and
 * no task waits on it. The records refer to the state alone, which outlives
 * them.
 */
int uva_as_completed_start(uva_as_completed_t *iterator,
                           const uva_future_ref_t *futures,
                           size_t count,
                           uint64_t timeout_ns)
{
    uva_loop_t *loop = uva__running();
    uva__members_t *members;
    state_t *state;
    int r;

    iterator->state = NULL;
    if (loop == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    r = uva__members_new(loop, &state_ops, futures, count, timeout_ns,
                         &members);
    if (r < 0) {
        return r;
    }
    state = state_of(members);
    state->tail = &state->done;
    state->unasked = members->left;
    iterator->state = state;
    return 0;
}

/* Give out the next one; there is one. Done futures come before those that the
 * timeout came before. */
static int state_take(state_t *state, uva_future_t **ret_future)
{
    uva__ready_t *ready = state->done;

    if (ready == NULL) {
        state->expired--;
        return uva__bare(UV_ETIMEDOUT);
    }
    state->done = ready->next;
    if (state->done == NULL) {
        state->tail = &state->done;
    }
    *ret_future = UVA__CONTAINER_OF(ready, uva__member_t, record.ready)->future;
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
        if (state == NULL || state->unasked == 0) {
            return 0;
        }
        if (state->members.loop != uva__running()) {
            return UVA_EWRONGLOOP;
        }
        state->unasked--;
    } else {
        bool woken = uva_waiter_woken(self);
        r = uva_waiter_finish(self);
        if (r < 0 && woken && state != NULL && state_has_next(state)) {
            /* Cancelled after it was woken: the next task takes the future. */
            (void)uva_waiter_wake_first(&state->waiters);
        }
        if (r < 0 || state == NULL) {
            return r; /* The iterator was destroyed while the task waited. */
        }
    }
    if (!state_has_next(state)) {
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

/* Tasks that wait for the next one go on, and find nothing left. */
void uva_as_completed_destroy(uva_as_completed_t *iterator)
{
    state_t *state = iterator->state;

    if (state == NULL || !uva__loop_owned(state->members.loop)) {
        return;
    }
    iterator->state = NULL;
    while (uva_waiter_wake_first(&state->waiters)) {
    }
    uva__members_leave(&state->members);
    uva__members_unref(&state->members);
}
