/*
 * Condition (asyncio.locks).
 *
 *   stage        the task is                            left by
 *   IDLE         not waiting                            wait
 *   WAITING      in condition.waiters, without lock     notify, cancellation
 *   REACQUIRING  waiting for the lock                   getting it
 *   CANCELLED    the same, and will return              getting it
 *                UV_ECANCELED when it has the lock
 *
 * The stage is that of the task's waiter (uva_waiter_set_stage); a lock does
 * not use it, so it outlasts the wait for the lock.
 *
 * Invariant: a task that leaves a wait holds the lock. A notification is not
 * lost with a task that fails: it goes to the next waiter.
 */
#include "uva/locks.h"

#include "uva/repr.h"

#include "base/errors.h"
#include "sync/waitlists.h"

enum {
    CONDITION_IDLE,
    CONDITION_WAITING,
    CONDITION_REACQUIRING,
    CONDITION_CANCELLED
};

/* The lock that was given, or the condition's own. */
static uva_lock_t *condition_lock(uva_condition_t *condition)
{
    return condition->lock == NULL ? &condition->own : condition->lock;
}

/* Wake the count oldest waiters that were neither woken nor cancelled. */
static void condition_notify(uva_condition_t *condition, size_t count)
{
    while (count > 0 && uva_waiter_wake_first(&condition->waiters)) {
        count--;
    }
}

void uva_condition_init(uva_condition_t *condition, uva_lock_t *lock)
{
    *condition = (uva_condition_t)UVA_CONDITION_INIT_WITH(lock);
}

int uva_condition_acquire_poll(uva_condition_t *condition)
{
    return uva_lock_acquire_poll(condition_lock(condition));
}

int uva_condition_acquire(uva_condition_t *condition)
{
    int r;

    UVA_DRIVE(r, uva_condition_acquire, condition);
    return r;
}

int uva_condition_release(uva_condition_t *condition)
{
    return uva_lock_release(condition_lock(condition));
}

bool uva_condition_locked(const uva_condition_t *condition)
{
    return uva_lock_locked(condition->lock == NULL ? &condition->own
                                                   : condition->lock);
}

/* Free the lock and begin to wait. */
static int condition_begin(uva_condition_t *condition, uva_waiter_t *self)
{
    uva_lock_t *lock = condition_lock(condition);

    if (!uva_lock_locked(lock)) {
        return uva__bare(UV_EPERM);
    }
    if (self == NULL) {
        return UVA_ENOTASK;
    }
    if (!uva__sync_bindable(condition->loop) ||
        !uva__sync_bindable(lock->loop)) {
        return UVA_EWRONGLOOP;
    }
    /* The lock is bound as well: the task has to wait for it in the end, and
     * could not if a task of another loop bound it meanwhile. */
    lock->loop = uva_get_running_loop();
    /* The lock is freed before this task suspends: a cancellation that is due
     * queues it at once, and the task that waits for the lock runs before. */
    (void)uva_lock_release(lock);
    uva_waiter_set_stage(self, CONDITION_WAITING);
    return uva_waiter_suspend(self, &condition->loop, &condition->waiters);
}

int uva_condition_wait_poll(uva_condition_t *condition)
{
    uva_waiter_t *self = uva_waiter_current();
    uint8_t stage = uva_waiter_get_stage(self);
    int r;

    if (stage == CONDITION_IDLE) {
        return condition_begin(condition, self);
    }
    if (stage == CONDITION_WAITING) { /* The first call after the wake-up. */
        r = uva_waiter_finish(self);
        stage = r < 0 ? CONDITION_CANCELLED : CONDITION_REACQUIRING;
    }
    /* The task waits for the lock however often it is cancelled meanwhile. */
    while ((r = uva_condition_acquire_poll(condition)) == UV_ECANCELED) {
        stage = CONDITION_CANCELLED;
    }
    if (r == UVA_PENDING) {
        uva_waiter_set_stage(self, stage);
        return r;
    }
    uva_waiter_set_stage(self, CONDITION_IDLE);
    if (r == 0 && stage == CONDITION_REACQUIRING) {
        return 0;
    }
    /* The task may have been notified before: another one looks instead. */
    condition_notify(condition, 1);
    return uva__bare(r < 0 ? r : UV_ECANCELED);
}

int uva_condition_wait(uva_condition_t *condition)
{
    int r;

    UVA_DRIVE(r, uva_condition_wait, condition);
    return r;
}

int uva_condition_wait_for_poll(uva_condition_t *condition,
                                uva_predicate_cb predicate,
                                void *data)
{
    uva_waiter_t *self = uva_waiter_current();
    int r = 0;

    /* 0 of a wait: the task was notified and has the lock. Only then, and in
     * the first call, the predicate is asked. */
    while (r == 0) {
        if (uva_waiter_get_stage(self) == CONDITION_IDLE) {
            r = predicate == NULL ? uva__bare(UV_EINVAL) : predicate(data);
            if (r != 0) {
                return uva__code_of_body(r);
            }
        }
        r = uva_condition_wait_poll(condition);
    }
    return r;
}

int uva_condition_wait_for(uva_condition_t *condition,
                           uva_predicate_cb predicate,
                           void *data)
{
    int r;

    UVA_DRIVE(r, uva_condition_wait_for, condition, predicate, data);
    return r;
}

int uva_condition_notify(uva_condition_t *condition, size_t count)
{
    if (!uva__sync_owned(condition->loop, __func__) ||
        !uva_condition_locked(condition)) {
        return uva__bare(UV_EPERM);
    }
    condition_notify(condition, count);
    return 0;
}

int uva_condition_notify_all(uva_condition_t *condition)
{
    return uva_condition_notify(condition, SIZE_MAX);
}

size_t
uva__condition_repr(const uva_condition_t *condition, char *text, size_t size)
{
    return uva__sync_repr(text, size, "Condition", condition,
                          uva_condition_locked(condition) ? "locked"
                                                          : "unlocked",
                          uva__sync_count(&condition->waiters));
}
