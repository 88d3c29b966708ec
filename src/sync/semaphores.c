/*
 * Semaphore and BoundedSemaphore (asyncio.locks).
 *
 * A release gives a permit to the oldest waiter when it wakes it, not when it
 * runs. value counts the permits that no task has, woken_count the tasks that
 * were given one and did not run yet. Invariant: when woken_count is 0, there
 * are no free permits or no task waits for one.
 */
#include "uva/locks.h"

#include "uva/repr.h"

#include "base/format.h"
#include "sync/waitlists.h"

/* Give a permit to the oldest waiter. @return Whether there was one. */
static bool semaphore_wake_next(uva_semaphore_t *semaphore)
{
    if (!uva_waiter_wake_first(&semaphore->waiters)) {
        return false;
    }
    semaphore->value--;
    semaphore->woken_count++;
    return true;
}

int uva_semaphore_init(uva_semaphore_t *semaphore, int value)
{
    /* A refused one is a semaphore without permits, so that its use is safe. */
    bool fits = value >= 0;

    *semaphore = (uva_semaphore_t)UVA_SEMAPHORE_INIT(fits ? value : 0);
    return fits ? 0 : uva__bare(UV_EINVAL);
}

int uva_bounded_semaphore_init(uva_semaphore_t *semaphore, int value)
{
    int r = uva_semaphore_init(semaphore, value);

    semaphore->bound = semaphore->value;
    return r;
}

bool uva_semaphore_locked(const uva_semaphore_t *semaphore)
{
    /* While a woken task has not run, tasks may wait behind it although there
     * are permits: a newcomer overtakes neither. */
    return semaphore->value <= 0 || semaphore->woken_count > 0;
}

int uva_semaphore_value(const uva_semaphore_t *semaphore)
{
    return semaphore->value;
}

int uva_semaphore_acquire_poll(uva_semaphore_t *semaphore)
{
    uva_waiter_t *self = uva_waiter_current();
    bool woken;
    int r;

    if (!uva_waiter_resumed(self)) {
        if (!uva__sync_owned(semaphore->loop, __func__)) {
            return UV_EPERM;
        }
        if (!uva_semaphore_locked(semaphore)) {
            semaphore->value--;
            return 0;
        }
        return uva_waiter_suspend(self, &semaphore->loop, &semaphore->waiters);
    }

    /* A task that was woken has a permit, also if it was cancelled since. */
    woken = uva_waiter_woken(self);
    r = uva_waiter_finish(self);
    if (woken) {
        semaphore->woken_count--;
    }
    if (r < 0 && woken) {
        semaphore->value++; /* The permit that came with the wake-up. */
    }
    /* Others may wait behind this task although there are permits. */
    while (semaphore->value > 0 && semaphore_wake_next(semaphore)) {
    }
    return r;
}

int uva_semaphore_acquire(uva_semaphore_t *semaphore)
{
    int r;

    UVA_DRIVE(r, uva_semaphore_acquire, semaphore);
    return r;
}

int uva_semaphore_release(uva_semaphore_t *semaphore)
{
    if (!uva__sync_owned(semaphore->loop, __func__)) {
        return UV_EPERM;
    }
    /* The bound of a semaphore that is not bounded is INT_MAX, so the value
     * cannot overflow. asyncio: locks.py, BoundedSemaphore.release. */
    if (semaphore->value >= semaphore->bound) {
        return uva__bare(UV_EINVAL);
    }
    semaphore->value++;
    (void)semaphore_wake_next(semaphore);
    return 0;
}

size_t
uva__semaphore_repr(const uva_semaphore_t *semaphore, char *text, size_t size)
{
    char state[32] = "locked";

    if (!uva_semaphore_locked(semaphore)) {
        uva__format(state, sizeof state, "unlocked, value:%d",
                    semaphore->value);
    }
    /* A woken task has left the list; asyncio counts it until it runs. */
    return uva__sync_repr(
        text, size,
        semaphore->bound == INT_MAX ? "Semaphore" : "BoundedSemaphore",
        semaphore, state,
        uva__sync_count(&semaphore->waiters) + semaphore->woken_count);
}
