/*
 * Locks, semaphores, bounded ones, events, barriers, each with a model beside
 * it.
 */
#include "stress.h"

enum {
    PERMITS = 2,
    PARTIES = 3
};

typedef struct lock_model_s {
    uva_lock_t lock;
    const actor_t *holder;
    unsigned waiting;
} lock_model_t;

static lock_model_t locks[LOCKS];

static struct {
    uva_semaphore_t semaphore;
    uva_semaphore_t bounded;
    int permits;
    int inside;
    unsigned waiting;
    unsigned waiting_bounded;
} permits;

static struct {
    uva_event_t event;
    unsigned waiting;
} flag;

static struct {
    uva_barrier_t barrier;
    unsigned passed;
} gate;

/* --- locks --- */

ACTOR(lock_user, int i; lock_model_t * model;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        self->model = &locks[stress_below(LOCKS)];
        self->model->waiting++;
        AWAIT(self->r, uva_lock_acquire, &self->model->lock);
        self->model->waiting--;
        if (self->r < 0) {
            if (actor_goes_on(self->actor, self->r)) {
                continue;
            }
            break;
        }
        STRESS_CHECK(self->model->holder == NULL, "a lock has two holders");
        STRESS_CHECK(uva_lock_locked(&self->model->lock),
                     "a lock that is held is free");
        self->model->holder = self->actor;
        if (!stress_once_in(3)) {
            AWAIT_SLEEP(self->r);
        }
        stress_poke();
        STRESS_CHECK(self->model->holder == self->actor,
                     "a lock was taken while it was held");
        self->model->holder = NULL;
        STRESS_CHECK(uva_lock_release(&self->model->lock) == 0,
                     "a lock that is held cannot be released");
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

/* --- permits --- */

ACTOR(semaphore_user, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        permits.waiting++;
        AWAIT(self->r, uva_semaphore_acquire, &permits.semaphore);
        permits.waiting--;
        if (self->r < 0) {
            if (actor_goes_on(self->actor, self->r)) {
                continue;
            }
            break;
        }
        permits.permits--;
        STRESS_CHECK(permits.permits >= 0, "a permit was given out twice");
        AWAIT_SLEEP(self->r);
        permits.permits++;
        STRESS_CHECK(uva_semaphore_release(&permits.semaphore) == 0,
                     "a permit is not taken back");
        stress_poke();
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

ACTOR(bounded_user, int i;)
{
    UVA_BEGIN
    permits.waiting_bounded++;
    AWAIT(self->r, uva_semaphore_acquire, &permits.bounded);
    permits.waiting_bounded--;
    if (self->r < 0) {
        return self->r;
    }
    permits.inside++;
    STRESS_CHECK(permits.inside <= PERMITS,
                 "a bounded semaphore lets too many in");
    AWAIT_SLEEP(self->r);
    permits.inside--;
    STRESS_CHECK(uva_semaphore_release(&permits.bounded) == 0,
                 "a bounded semaphore is released once too often");
    UVA_END
    return self->r;
}

/* --- an event --- */

ACTOR(event_user, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        flag.waiting++;
        AWAIT(self->r, uva_event_wait, &flag.event);
        flag.waiting--;
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

ACTOR(event_setter, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        uva_event_set(&flag.event);
        if (stress_once_in(2)) {
            uva_event_clear(&flag.event);
        }
        AWAIT_SLEEP(self->r);
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

/* --- a barrier --- */

ACTOR(barrier_user, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        AWAIT(self->r, uva_barrier_wait, &gate.barrier);
        if (self->r >= 0) {
            STRESS_CHECK(self->r < PARTIES, "place %d at a barrier of %d",
                         self->r, PARTIES);
            gate.passed++;
        } else if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

ACTOR(barrier_breaker, int i;)
{
    UVA_BEGIN
    AWAIT_SLEEP(self->r);
    if (self->r >= 0 && stress_once_in(2)) {
        AWAIT(self->r, uva_barrier_abort, &gate.barrier);
    }
    if (self->r >= 0) {
        AWAIT_SLEEP(self->r);
    }
    /* Cancelled or not, it should not stay broken. */
    AWAIT(self->r, uva_barrier_reset, &gate.barrier);
    UVA_END
    return self->r;
}

/* --- the part --- */

static void locks_begin(void)
{
    for (unsigned i = 0; i < LOCKS; i++) {
        locks[i] = (lock_model_t){.lock = UVA_LOCK_INIT};
    }
    permits.semaphore =
        stress_once_in(2)
            ? (uva_semaphore_t)UVA_SEMAPHORE_INIT(PERMITS)
            : (uva_semaphore_t)UVA_BOUNDED_SEMAPHORE_INIT(PERMITS);
    permits.bounded = (uva_semaphore_t)UVA_BOUNDED_SEMAPHORE_INIT(PERMITS);
    permits.permits = PERMITS;
    permits.inside = 0;
    permits.waiting = 0;
    permits.waiting_bounded = 0;
    flag.event = (uva_event_t)UVA_EVENT_INIT;
    flag.waiting = 0;
    gate.barrier = (uva_barrier_t)UVA_BARRIER_INIT(PARTIES);
    gate.passed = 0;
}

static void locks_check(void)
{
    for (unsigned i = 0; i < LOCKS; i++) {
        STRESS_CHECK(locks[i].holder != NULL || locks[i].waiting == 0,
                     "%u wait for a lock that nobody holds", locks[i].waiting);
        STRESS_CHECK((locks[i].holder != NULL) ==
                         uva_lock_locked(&locks[i].lock),
                     "a lock is held, and nobody holds it");
    }
    STRESS_CHECK(permits.permits == 0 || permits.waiting == 0,
                 "%u wait for %d permits that are there", permits.waiting,
                 permits.permits);
    STRESS_CHECK(permits.inside == PERMITS || permits.waiting_bounded == 0,
                 "%u wait for a bounded semaphore with %d inside",
                 permits.waiting_bounded, permits.inside);
    STRESS_CHECK(PERMITS - uva_semaphore_value(&permits.bounded) ==
                     permits.inside,
                 "a bounded semaphore has %d permits, and %d are inside",
                 uva_semaphore_value(&permits.bounded), permits.inside);
    STRESS_CHECK(!uva_event_is_set(&flag.event) || flag.waiting == 0,
                 "%u wait for an event that is set", flag.waiting);
    STRESS_CHECK(uva_barrier_n_waiting(&gate.barrier) < PARTIES,
                 "a full barrier does not open");
}

static void locks_serve(void)
{
    int r;

    uva_event_set(&flag.event);
    r = uva_barrier_abort(&gate.barrier);
    STRESS_CHECK(r == 0, "cannot abort a barrier: %s", uva_err_name(r));
}

static void locks_end(void)
{
    int r;

    if (world.closing) {
        return;
    }
    for (unsigned i = 0; i < LOCKS; i++) {
        STRESS_CHECK(!uva_lock_locked(&locks[i].lock), "a lock was lost");
    }
    for (int i = 0; i < PERMITS; i++) {
        STRESS_CHECK(!uva_semaphore_locked(&permits.semaphore),
                     "a permit was lost");
        r = uva_semaphore_acquire(&permits.semaphore);
        STRESS_CHECK(r == 0, "cannot take a permit: %s", uva_err_name(r));
    }
    STRESS_CHECK(uva_semaphore_locked(&permits.semaphore),
                 "a permit was invented");
    r = uva_barrier_reset(&gate.barrier);
    STRESS_CHECK(r == 0 && !uva_barrier_broken(&gate.barrier) &&
                     uva_barrier_n_waiting(&gate.barrier) == 0,
                 "a barrier cannot be reset: %s", uva_err_name(r));
}

static const actor_kind_t locks_kinds[] = {
    ACTOR_KIND(lock_user),      ACTOR_KIND(lock_user),
    ACTOR_KIND(semaphore_user), ACTOR_KIND(semaphore_user),
    ACTOR_KIND(bounded_user),   ACTOR_KIND(event_user),
    ACTOR_KIND(event_setter),   ACTOR_KIND(barrier_user),
    ACTOR_KIND(barrier_user),   ACTOR_KIND(barrier_breaker),
    {NULL, 0, NULL, false},
};

const part_t locks_part = {
    .kinds = locks_kinds,
    .begin = locks_begin,
    .check = locks_check,
    .serve = locks_serve,
    .end = locks_end,
};
