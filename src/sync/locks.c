/*
 * Lock and Event (asyncio.locks) on the public futures API alone.
 *
 * A waiter is part of the task that waits, so nothing here allocates. One
 * invariant carries the lock: while it is free, its first waiter, if any, is
 * woken or cancelled, so a task is already on the way to take the lock or to
 * wake the next one.
 *
 * A cancelled waiter stays in the list until its task runs. A newcomer that
 * finds only cancelled ones takes the lock, and takes them out of the list, so
 * that each is looked at once. The lock counts them in leaving until they run;
 * as long as there are any, they stand before the others.
 */
#include "uva/locks.h"

#include "uva/repr.h"

#include "base/assert.h"
#include "sync/waitlists.h"

/* --- Lock --- */

/* Wake the first waiter of a free lock. A cancelled one needs no wake-up: it
 * calls this when it runs. */
static void lock_wake_first(uva_lock_t *lock)
{
    if (lock->leaving == 0 && !uva__list_empty(&lock->waiters)) {
        /* This does nothing if it was woken already. */
        (void)uva_waiter_wake(
            UVA__LIST_FIRST(&lock->waiters, uva_waiter_t, link));
    }
}

/* Whether a newcomer may take the lock: it overtakes no waiter but cancelled
 * ones, which leave the list here. */
static bool lock_is_available(uva_lock_t *lock)
{
    if (lock->locked) {
        return false;
    }
    while (!uva__list_empty(&lock->waiters)) {
        uva_waiter_t *waiter =
            UVA__LIST_FIRST(&lock->waiters, uva_waiter_t, link);
        if (!uva_waiter_cancelled(waiter)) {
            return false;
        }
        uva__list_remove(&waiter->link);
        lock->leaving++;
    }
    return true;
}

void uva_lock_init(uva_lock_t *lock)
{
    *lock = (uva_lock_t)UVA_LOCK_INIT;
}

int uva_lock_acquire_poll(uva_lock_t *lock)
{
    uva_waiter_t *self = uva_waiter_current();
    bool taken_out;
    int r;

    if (!uva_waiter_resumed(self)) { /* The first call of this await. */
        if (!uva__sync_owned(lock->loop, __func__)) {
            return UV_EPERM;
        }
        if (lock_is_available(lock)) {
            lock->locked = true;
            return 0;
        }
        return uva_waiter_suspend(self, &lock->loop, &lock->waiters);
    }

    /* Only lock_is_available takes a waiter out of the list before it runs. */
    taken_out = !uva__list_linked(&self->link);
    r = uva_waiter_finish(self);
    if (r < 0) {
        if (taken_out) {
            lock->leaving--;
        }
        /* We may have been woken and then cancelled in one turn. Pass the
         * wake-up on, or the lock stays free while the others sleep. */
        if (!lock->locked) {
            lock_wake_first(lock);
        }
        return r;
    }
    /* Only the first waiter is woken, and a newcomer does not overtake it. */
    UVA__ASSERT(!lock->locked);
    lock->locked = true;
    return 0;
}

int uva_lock_acquire(uva_lock_t *lock)
{
    int r;

    UVA_DRIVE(r, uva_lock_acquire, lock);
    return r;
}

int uva_lock_release(uva_lock_t *lock)
{
    if (!uva__sync_owned(lock->loop, __func__) || !lock->locked) {
        return uva__bare(UV_EPERM);
    }
    lock->locked = false;
    lock_wake_first(lock);
    return 0;
}

bool uva_lock_locked(const uva_lock_t *lock)
{
    return lock->locked;
}

size_t uva__lock_repr(const uva_lock_t *lock, char *text, size_t size)
{
    return uva__sync_repr(text, size, "Lock", lock,
                          lock->locked ? "locked" : "unlocked",
                          uva__sync_count(&lock->waiters) + lock->leaving);
}

/* --- Event --- */

void uva_event_init(uva_event_t *event)
{
    *event = (uva_event_t)UVA_EVENT_INIT;
}

int uva_event_wait_poll(uva_event_t *event)
{
    uva_waiter_t *self = uva_waiter_current();

    if (uva_waiter_resumed(self)) {
        /* The event may be cleared by now: a task that was woken returns. */
        return uva_waiter_finish(self);
    }
    if (event->value) {
        return 0;
    }
    return uva_waiter_suspend(self, &event->loop, &event->waiters);
}

int uva_event_wait(uva_event_t *event)
{
    int r;

    UVA_DRIVE(r, uva_event_wait, event);
    return r;
}

void uva_event_set(uva_event_t *event)
{
    if (uva__sync_owned(event->loop, __func__) && !event->value) {
        event->value = true;
        /* They leave the list when they run: a second set finds them woken. */
        UVA__LIST_FOREACH (waiter, &event->waiters, uva_waiter_t, link) {
            (void)uva_waiter_wake(waiter);
        }
    }
}

void uva_event_clear(uva_event_t *event)
{
    if (uva__sync_owned(event->loop, __func__)) {
        event->value = false;
    }
}

bool uva_event_is_set(const uva_event_t *event)
{
    return event->value;
}

size_t uva__event_repr(const uva_event_t *event, char *text, size_t size)
{
    return uva__sync_repr(text, size, "Event", event,
                          event->value ? "set" : "unset",
                          uva__sync_count(&event->waiters));
}
