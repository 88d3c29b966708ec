/**
 * @file
 * Synchronisation between the tasks of one loop: Lock, Event, Condition,
 * Semaphore, BoundedSemaphore and Barrier.
 *
 * All of them are embedded: the caller's memory, no allocation, no teardown.
 * Embed them in whatever outlives their waiters and do not move them. None is
 * a thread's: every call belongs to the loop's thread. Waiters are served in
 * the order they came. The first wait binds an object to the running loop.
 */
#ifndef UVA_LOCKS_H
#define UVA_LOCKS_H

#include <limits.h>

#include "uva/errors.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * Mutual exclusion: fair, not recursive, without an owner: any task may
 * release it.
 *
 * @asyncio Lock
 */
typedef struct uva_lock_s {
    /* private */
    uva_loop_t *loop;   /* Borrowed; NULL until the first wait. */
    uva_list_t waiters; /* Of uva_waiter_t.link, oldest first. */
    bool locked;
    uint32_t leaving; /* Waiters before them that were cancelled, are no more in
                         the list, and did not run yet. */
} uva_lock_t;

/** A free lock. */
#define UVA_LOCK_INIT                \
    {                                \
        NULL, {NULL, NULL}, false, 0 \
    }

/** Initialise a free lock; UVA_LOCK_INIT does the same for a static one. */
UVA_EXTERN void uva_lock_init(uva_lock_t *lock);

/**
 * Take the lock; wait in order of arrival while another task holds it.
 *
 * @return 0 with the lock held, else a negative code without it.
 * @retval UV_ECANCELED   The calling task was cancelled while it waited.
 * @retval UVA_EWRONGLOOP Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK    Called where nothing can suspend.
 * @suspends Only while contended.
 * @asyncio  Lock.acquire
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_lock_acquire(uva_lock_t *lock);
/** The poll half of uva_lock_acquire, for stackless coroutines. */
UVA_EXTERN UVA_NODISCARD int uva_lock_acquire_poll(uva_lock_t *lock);

/**
 * Free the lock and wake its oldest waiter, which takes it in a later turn;
 * nobody who comes in between overtakes it.
 *
 * @retval UV_EPERM The lock is not held (asyncio raises RuntimeError).
 * @suspends Never.
 * @asyncio  Lock.release
 */
UVA_EXTERN int uva_lock_release(uva_lock_t *lock);

/** Whether the lock is held. A waiter that was woken and has not run yet does
 * not hold it. @asyncio Lock.locked */
UVA_EXTERN bool uva_lock_locked(const uva_lock_t *lock);

/**
 * A flag that tasks wait for.
 *
 * @asyncio Event
 */
typedef struct uva_event_s {
    /* private */
    uva_loop_t *loop;   /* Borrowed; NULL until the first wait. */
    uva_list_t waiters; /* Of uva_waiter_t.link, oldest first. */
    bool value;
} uva_event_t;

/** An event that is not set. */
#define UVA_EVENT_INIT            \
    {                             \
        NULL, {NULL, NULL}, false \
    }

/** Initialise an event that is not set; UVA_EVENT_INIT does the same for a
 * static one. */
UVA_EXTERN void uva_event_init(uva_event_t *event);

/**
 * Wait until the event is set.
 *
 * Tasks that wait when it is set are woken, even if it is cleared before they
 * run.
 *
 * @retval UV_ECANCELED   The calling task was cancelled while it waited.
 * @retval UVA_EWRONGLOOP Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK    Called where nothing can suspend.
 * @suspends Only while it is not set.
 * @asyncio  Event.wait
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_event_wait(uva_event_t *event);
/** The poll half of uva_event_wait. */
UVA_EXTERN UVA_NODISCARD int uva_event_wait_poll(uva_event_t *event);

/** Set the event: all who wait run in the next iteration, in the order they
 * came. @asyncio Event.set */
UVA_EXTERN void uva_event_set(uva_event_t *event);
/** Take the set back. @asyncio Event.clear */
UVA_EXTERN void uva_event_clear(uva_event_t *event);
/** @asyncio Event.is_set */
UVA_EXTERN bool uva_event_is_set(const uva_event_t *event);

/**
 * A lock, and a place to wait for a change of what it guards.
 *
 * @asyncio Condition
 */
typedef struct uva_condition_s {
    /* private */
    uva_loop_t *loop;   /* Borrowed; NULL until the first wait. */
    uva_list_t waiters; /* Of uva_waiter_t.link: not notified, oldest first. */
    uva_lock_t *lock;   /* Borrowed; NULL for its own. */
    uva_lock_t own;
} uva_condition_t;

/** A condition with a lock of its own. */
#define UVA_CONDITION_INIT UVA_CONDITION_INIT_WITH(NULL)
/** @param lock As in uva_condition_init. */
#define UVA_CONDITION_INIT_WITH(lock)           \
    {                                           \
        NULL, {NULL, NULL}, lock, UVA_LOCK_INIT \
    }

/**
 * Initialise a condition; UVA_CONDITION_INIT and UVA_CONDITION_INIT_WITH(lock)
 * do the same for a static one.
 *
 * @param lock Borrowed: a lock that others use as well; NULL gives the
 *             condition one of its own.
 */
UVA_EXTERN void uva_condition_init(uva_condition_t *condition,
                                   uva_lock_t *lock);

/** Take the condition's lock, as uva_lock_acquire.
 * @asyncio Condition.acquire */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_condition_acquire(uva_condition_t *condition);
/** The poll half of uva_condition_acquire. */
UVA_EXTERN UVA_NODISCARD int
uva_condition_acquire_poll(uva_condition_t *condition);
/** Free the condition's lock, as uva_lock_release.
 * @asyncio Condition.release */
UVA_EXTERN int uva_condition_release(uva_condition_t *condition);
/** Whether the condition's lock is held. @asyncio Condition.locked */
UVA_EXTERN bool uva_condition_locked(const uva_condition_t *condition);

/**
 * Free the lock, wait for a notification, take the lock again.
 *
 * It may return without one: look again at what you wait for, or use
 * uva_condition_wait_for. The lock is held whenever it returns, on every error
 * but UV_EPERM: a cancelled task waits for it before it is told, and hands a
 * notification it had on.
 *
 * @retval UV_EPERM       The lock is not held.
 * @retval UV_ECANCELED   The calling task was cancelled.
 * @retval UVA_EWRONGLOOP Tasks of another loop have waited for it, or for its
 *                        lock.
 * @retval UVA_ENOTASK    Called where nothing can suspend.
 * @suspends Always.
 * @asyncio  Condition.wait
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_condition_wait(uva_condition_t *condition);
/** The poll half of uva_condition_wait. */
UVA_EXTERN UVA_NODISCARD int
uva_condition_wait_poll(uva_condition_t *condition);

/** The condition that is waited for: 0 wait on, positive: it holds, negative:
 * give up with this code (UV_EINVAL for UVA_PENDING). The lock is held. A NULL
 * predicate is refused with UV_EINVAL. */
typedef int (*uva_predicate_cb)(void *data);

/**
 * Wait until predicate(data) is not 0.
 *
 * @return What the predicate returned, or as uva_condition_wait.
 * @suspends Unless the predicate is not 0 at once.
 * @asyncio  Condition.wait_for
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_condition_wait_for(
    uva_condition_t *condition, uva_predicate_cb predicate, void *data);
/** The poll half of uva_condition_wait_for. */
UVA_EXTERN UVA_NODISCARD int uva_condition_wait_for_poll(
    uva_condition_t *condition, uva_predicate_cb predicate, void *data);

/**
 * Wake the count oldest waiters: they compete for the lock once it is freed,
 * in the order they came.
 *
 * @retval UV_EPERM The lock is not held.
 * @suspends Never.
 * @asyncio  Condition.notify
 */
UVA_EXTERN int uva_condition_notify(uva_condition_t *condition, size_t count);
/** Wake all who wait, as uva_condition_notify.
 * @asyncio Condition.notify_all */
UVA_EXTERN int uva_condition_notify_all(uva_condition_t *condition);

/**
 * A counter of permits: taking waits while there is none.
 *
 * A bounded one refuses to be released above its first value.
 *
 * @asyncio Semaphore, BoundedSemaphore
 */
typedef struct uva_semaphore_s {
    /* private */
    uva_loop_t *loop;     /* Borrowed; NULL until the first wait. */
    uva_list_t waiters;   /* Of uva_waiter_t.link: not woken, oldest first. */
    unsigned woken_count; /* Were given a permit and have not run since. */
    int value;            /* Permits that nobody has. */
    int bound;
} uva_semaphore_t;

/** @param value 0 or more. */
#define UVA_SEMAPHORE_INIT(value)             \
    {                                         \
        NULL, {NULL, NULL}, 0, value, INT_MAX \
    }
/** The same, bounded. */
#define UVA_BOUNDED_SEMAPHORE_INIT(value)   \
    {                                       \
        NULL, {NULL, NULL}, 0, value, value \
    }

/**
 * Initialise a semaphore; UVA_SEMAPHORE_INIT and UVA_BOUNDED_SEMAPHORE_INIT do
 * the same for a static one.
 *
 * @retval UV_EINVAL value is negative (ValueError); it has none then.
 */
UVA_EXTERN int uva_semaphore_init(uva_semaphore_t *semaphore, int value);
/** The same, bounded by value. */
UVA_EXTERN int uva_bounded_semaphore_init(uva_semaphore_t *semaphore,
                                          int value);

/**
 * Take a permit; wait in order of arrival while there is none for the caller.
 *
 * @retval UV_ECANCELED   The calling task was cancelled; it has no permit.
 * @retval UVA_EWRONGLOOP Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK    Called where nothing can suspend.
 * @suspends Only while uva_semaphore_locked.
 * @asyncio  Semaphore.acquire
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_semaphore_acquire(uva_semaphore_t *semaphore);
/** The poll half of uva_semaphore_acquire. */
UVA_EXTERN UVA_NODISCARD int
uva_semaphore_acquire_poll(uva_semaphore_t *semaphore);

/**
 * Give a permit back: the oldest waiter has it from this call on.
 *
 * @retval UV_EINVAL A bounded one has its first value (ValueError); unchanged.
 * @suspends Never.
 * @asyncio  Semaphore.release
 */
UVA_EXTERN int uva_semaphore_release(uva_semaphore_t *semaphore);

/** Whether an acquire would wait: there is no permit, or others were first.
 * @asyncio Semaphore.locked */
UVA_EXTERN bool uva_semaphore_locked(const uva_semaphore_t *semaphore);
/** How many permits there are that no task has. A waiter that was woken has one
 * already. While it has not run, an acquire waits even if there are more.
 * @asyncio Semaphore._value, which is private there. */
UVA_EXTERN int uva_semaphore_value(const uva_semaphore_t *semaphore);

/** private */
typedef enum uva__barrier_state_e {
    UVA__BARRIER_FILLING,
    UVA__BARRIER_DRAINING,
    UVA__BARRIER_RESETTING,
    UVA__BARRIER_BROKEN
} uva__barrier_state_t;

/**
 * A place where a number of tasks wait for each other; it can be used again
 * and again.
 *
 * @asyncio Barrier
 */
typedef struct uva_barrier_s {
    /* private */
    uva_condition_t condition; /* Notified when the state changes. */
    int parties;
    int count; /* Tasks inside. */
    uva__barrier_state_t state;
} uva_barrier_t;

/** @param parties 1 or more. */
#define UVA_BARRIER_INIT(parties)                            \
    {                                                        \
        UVA_CONDITION_INIT, parties, 0, UVA__BARRIER_FILLING \
    }

/**
 * Initialise a barrier; UVA_BARRIER_INIT does the same for a static one.
 *
 * @retval UV_EINVAL parties is less than 1 (ValueError); unset then.
 */
UVA_EXTERN int uva_barrier_init(uva_barrier_t *barrier, int parties);

/**
 * Wait until as many tasks wait as the barrier has parties. Who comes while
 * the last ones are leaving waits for the next round.
 *
 * @return The caller's place: how many were inside when it came, 0 to
 *         parties - 1. In a round from which a waiting task was cancelled, two
 *         may have the same place and nobody 0, as in CPython; or:
 * @retval UVA_EBROKENBARRIER The barrier was reset or aborted, or is broken.
 * @retval UV_ECANCELED       The calling task was cancelled; the others wait
 *                            on.
 * @retval UVA_EWRONGLOOP     Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK        Called where nothing can suspend.
 * @suspends Unless it is the last one, and nobody else is busy with it.
 * @asyncio  Barrier.wait
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_barrier_wait(uva_barrier_t *barrier);
/** The poll half of uva_barrier_wait. */
UVA_EXTERN UVA_NODISCARD int uva_barrier_wait_poll(uva_barrier_t *barrier);

/**
 * Begin anew: those who wait get UVA_EBROKENBARRIER.
 *
 * @return 0, or as uva_lock_acquire; nothing was changed then.
 * @suspends Only while others are busy with it.
 * @asyncio  Barrier.reset
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_barrier_reset(uva_barrier_t *barrier);
/** The poll half of uva_barrier_reset. */
UVA_EXTERN UVA_NODISCARD int uva_barrier_reset_poll(uva_barrier_t *barrier);

/**
 * Break the barrier until it is reset: those who wait, and those who come, get
 * UVA_EBROKENBARRIER. Returns as uva_barrier_reset.
 *
 * @suspends Only while others are busy with it.
 * @asyncio  Barrier.abort
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_barrier_abort(uva_barrier_t *barrier);
/** The poll half of uva_barrier_abort. */
UVA_EXTERN UVA_NODISCARD int uva_barrier_abort_poll(uva_barrier_t *barrier);

/** @asyncio Barrier.parties */
UVA_EXTERN int uva_barrier_parties(const uva_barrier_t *barrier);
/** How many tasks wait for the others; 0 while they leave.
 * @asyncio Barrier.n_waiting */
UVA_EXTERN int uva_barrier_n_waiting(const uva_barrier_t *barrier);
/** @asyncio Barrier.broken */
UVA_EXTERN bool uva_barrier_broken(const uva_barrier_t *barrier);

UVA_END_DECLS

#endif /* UVA_LOCKS_H */
