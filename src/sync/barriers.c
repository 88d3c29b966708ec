/*
 * Barrier (asyncio.locks): a condition, and what its tasks wait for.
 *
 *   state      meaning                               left by
 *   FILLING    tasks come and wait                   the last one, reset, abort
 *   DRAINING   all have come and leave               the last to leave
 *   RESETTING  those inside leave with an error      the last to leave
 *   BROKEN     nobody waits                          reset
 *
 * Invariant: count is the number of tasks inside, and everything that changes
 * it or the state holds the condition's lock.
 *
 * A wait is in one of three stages, which the value of the task's waiter holds
 * (uva_waiter_set_value); its stage byte is that of the condition.
 *
 *   value       the task                             left by
 *   ENTER       waits for the lock                   getting it
 *   BLOCK       waits until others have left         FILLING or BROKEN
 *   FILL + n    is inside, in place n, and waits     the last one, reset, abort
 *               for the others to come
 */
#include "uva/locks.h"

#include "uva/repr.h"

#include "base/format.h"
#include "sync/waitlists.h"

enum {
    BARRIER_BLOCK = -1,
    BARRIER_ENTER = 0,
    BARRIER_FILL = 1
};

int uva_barrier_init(uva_barrier_t *barrier, int parties)
{
    if (parties < 1) {
        return uva__bare(UV_EINVAL);
    }
    *barrier = (uva_barrier_t)UVA_BARRIER_INIT(parties);
    return 0;
}

/* Predicates of the condition; data is the barrier. */

static int barrier_may_enter(void *data)
{
    const uva_barrier_t *barrier = data;

    return barrier->state == UVA__BARRIER_FILLING ||
           barrier->state == UVA__BARRIER_BROKEN;
}

static int barrier_has_filled(void *data)
{
    const uva_barrier_t *barrier = data;

    return barrier->state != UVA__BARRIER_FILLING;
}

static void barrier_notify_all(uva_barrier_t *barrier)
{
    (void)uva_condition_notify_all(&barrier->condition);
}

/* Wait until the tasks of the last round have left.
 * asyncio: locks.py, Barrier._block. */
static int barrier_block(uva_barrier_t *barrier)
{
    int r = uva_condition_wait_for_poll(&barrier->condition, barrier_may_enter,
                                        barrier);

    if (r < 0) {
        return r;
    }
    return barrier->state == UVA__BARRIER_BROKEN ? uva__bare(UVA_EBROKENBARRIER)
                                                 : 0;
}

/* Wait until all have come. asyncio: locks.py, Barrier._wait. */
static int barrier_fill(uva_barrier_t *barrier)
{
    int r = uva_condition_wait_for_poll(&barrier->condition, barrier_has_filled,
                                        barrier);

    if (r < 0) {
        return r;
    }
    return barrier->state == UVA__BARRIER_DRAINING
               ? 0
               : uva__bare(UVA_EBROKENBARRIER);
}

/* Leave; the last one opens the barrier for the next round.
 * asyncio: locks.py, Barrier._exit. */
static void barrier_exit(uva_barrier_t *barrier)
{
    barrier->count--;
    if (barrier->count == 0) {
        if (barrier->state == UVA__BARRIER_RESETTING ||
            barrier->state == UVA__BARRIER_DRAINING) {
            barrier->state = UVA__BARRIER_FILLING;
        }
        barrier_notify_all(barrier); /* Tasks that came meanwhile enter. */
    }
}

/* Come inside, and wait for the others or let them go; value is the waiter's.
 * @return The place, or an error. */
static int
barrier_pass(uva_barrier_t *barrier, uva_waiter_t *self, int32_t value)
{
    bool is_inside = value >= BARRIER_FILL;
    int32_t place = is_inside ? value - BARRIER_FILL : barrier->count++;
    int r = 0;

    if (!is_inside && place + 1 == barrier->parties) {
        /* The last one does not wait; the others leave when they run. */
        barrier->state = UVA__BARRIER_DRAINING;
        barrier_notify_all(barrier);
    } else {
        r = barrier_fill(barrier);
    }
    if (r == UVA_PENDING) {
        uva_waiter_set_value(self, BARRIER_FILL + place);
        return r;
    }
    /* A task that fails, or is cancelled, was inside all the same. */
    barrier_exit(barrier);
    return r < 0 ? r : place;
}

int uva_barrier_wait_poll(uva_barrier_t *barrier)
{
    uva_waiter_t *self = uva_waiter_current();
    int32_t value = uva_waiter_get_value(self);
    int r = 0;

    if (value == BARRIER_ENTER) {
        r = uva_condition_acquire_poll(&barrier->condition);
        if (r < 0) {
            return r;
        }
    }
    if (value < BARRIER_FILL) {
        r = barrier_block(barrier);
        if (r == UVA_PENDING) {
            uva_waiter_set_value(self, BARRIER_BLOCK);
            return r;
        }
    }
    if (r >= 0) {
        r = barrier_pass(barrier, self, value);
        if (r == UVA_PENDING) {
            return r;
        }
    }
    /* Every wait of the condition ends with its lock, in an error too. */
    uva_waiter_set_value(self, BARRIER_ENTER);
    (void)uva_condition_release(&barrier->condition);
    return r;
}

int uva_barrier_wait(uva_barrier_t *barrier)
{
    int r;

    UVA_DRIVE(r, uva_barrier_wait, barrier);
    return r;
}

int uva_barrier_reset_poll(uva_barrier_t *barrier)
{
    int r = uva_condition_acquire_poll(&barrier->condition);

    if (r < 0) {
        return r;
    }
    /* The last task to leave ends the resetting: there has to be one. */
    barrier->state =
        barrier->count > 0 ? UVA__BARRIER_RESETTING : UVA__BARRIER_FILLING;
    barrier_notify_all(barrier);
    return uva_condition_release(&barrier->condition);
}

int uva_barrier_reset(uva_barrier_t *barrier)
{
    int r;

    UVA_DRIVE(r, uva_barrier_reset, barrier);
    return r;
}

int uva_barrier_abort_poll(uva_barrier_t *barrier)
{
    int r = uva_condition_acquire_poll(&barrier->condition);

    if (r < 0) {
        return r;
    }
    barrier->state = UVA__BARRIER_BROKEN;
    barrier_notify_all(barrier);
    return uva_condition_release(&barrier->condition);
}

int uva_barrier_abort(uva_barrier_t *barrier)
{
    int r;

    UVA_DRIVE(r, uva_barrier_abort, barrier);
    return r;
}

int uva_barrier_parties(const uva_barrier_t *barrier)
{
    return barrier->parties;
}

int uva_barrier_n_waiting(const uva_barrier_t *barrier)
{
    /* Tasks that leave are inside too, and wait for nothing. */
    return barrier->state == UVA__BARRIER_FILLING ? barrier->count : 0;
}

bool uva_barrier_broken(const uva_barrier_t *barrier)
{
    return barrier->state == UVA__BARRIER_BROKEN;
}

size_t uva__barrier_repr(const uva_barrier_t *barrier, char *text, size_t size)
{
    static const char *const names[] = {"filling", "draining", "resetting",
                                        "broken"};
    char state[64];

    if (uva_barrier_broken(barrier)) {
        uva__format(state, sizeof state, "%s", names[barrier->state]);
    } else {
        uva__format(state, sizeof state, "%s, waiters:%d/%d",
                    names[barrier->state], uva_barrier_n_waiting(barrier),
                    barrier->parties);
    }
    return uva__sync_repr(text, size, "Barrier", barrier, state, 0);
}
