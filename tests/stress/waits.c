/*
 * Waiting for tasks and futures: await, join, shield, wait, wait_for, gather,
 * as_completed, staggered races; and futures that stand for several.
 */
#include "stress.h"

#include <stdlib.h>

enum {
    CHILDREN = 4
};

/* --- those who hold up nobody --- */

ACTOR(sleeper, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        if (stress_once_in(3)) {
            stress_poke();
        }
        AWAIT_SLEEP(self->r);
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

ACTOR(yielder, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 5; self->i++) {
        AWAIT_WITH(AWAIT_LEAF, self->r, uva_sleep, &self->ops.sleep, 0);
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

ACTOR(failer, int i;)
{
    UVA_BEGIN
    if (stress_once_in(2)) {
        AWAIT_SLEEP(self->r);
    }
    UVA_END
    return self->r < 0 ? self->r : uva_fail(UVA_EUSER - 1, "it fails");
}

/* It says itself that it was cancelled. */
ACTOR(leaver, int i;)
{
    UVA_BEGIN
    AWAIT_SLEEP(self->r);
    UVA_END
    return UV_ECANCELED;
}

ACTOR(instant, int i;)
{
    stress_poke();
    UVA_BEGIN
    UVA_END
    return 0;
}

static const actor_kind_t simple_kinds[] = {
    ACTOR_KIND(sleeper), ACTOR_KIND(yielder), ACTOR_KIND(failer),
    ACTOR_KIND(leaver),  ACTOR_KIND(instant),
};

const actor_kind_t *stress_simple_kind(void)
{
    return &simple_kinds[stress_below(sizeof simple_kinds /
                                      sizeof simple_kinds[0])];
}

/* Something to wait for: a task of its own, or a future of the world's. A new
 * reference; NULL is a future too. */
static uva_future_t *something(void)
{
    return stress_once_in(2) ? world_future()
                             : actor_future(stress_simple_kind());
}

static unsigned something_each(uva_future_t **futures)
{
    unsigned count = 1 + stress_below(CHILDREN);

    for (unsigned i = 0; i < count; i++) {
        futures[i] = i > 0 && stress_once_in(6) ? uva_future_ref(futures[i - 1])
                                                : something();
    }
    return count;
}

static void drop_each(uva_future_t **futures, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uva_future_t *future = futures[i];
        futures[i] = NULL;
        (void)uva_future_unref(future);
    }
}

/* --- one future --- */

ACTOR(awaiter, uva_future_t *future; void *value;)
{
    UVA_BEGIN
    self->future = something();
    AWAIT_OF_OTHERS(self->r, uva_await, self->future, &self->value);
    STRESS_CHECK(self->r < 0 || uva_future_done(self->future),
                 "an await returns before its future is done");
    (void)uva_future_unref(self->future);
    UVA_END
    return self->r;
}

ACTOR(task_joiner, uva_future_t *future;)
{
    UVA_BEGIN
    self->future = actor_future(stress_simple_kind());
    AWAIT_OF_OTHERS(self->r, uva_join, self->future, NULL);
    UVA_END
    return self->r;
}

ACTOR(shielder, uva_future_t *future; void *value;)
{
    UVA_BEGIN
    self->future = actor_future(stress_simple_kind());
    AWAIT_WITH(AWAIT_SHARED, self->r, uva_shield, &self->ops.shield,
               self->future, &self->value);
    STRESS_CHECK(self->r < 0 || uva_future_done(self->future),
                 "a shield returns before its future is done");
    if (self->r == UV_ECANCELED && !uva_future_done(self->future)) {
        AWAIT_SLEEP(self->r);
    }
    (void)uva_future_unref(self->future);
    UVA_END
    return self->r;
}

ACTOR(timed_waiter, uva_future_t *future; void *value;)
{
    UVA_BEGIN
    self->future = actor_future(stress_simple_kind());
    (void)uva_future_ref(self->future); /* Which wait_for takes. */
    self->ops.delay_ns = stress_once_in(4) ? UVA_FOREVER : stress_delay();
    AWAIT_WITH(AWAIT_SHARED, self->r, uva_wait_for, &self->ops.wait_for,
               self->future, self->ops.delay_ns, NULL);
    STRESS_CHECK(self->r == UV_ECANCELED || self->r == UV_ENOMEM ||
                     uva_future_done(self->future),
                 "wait_for gives %s before its future is done",
                 uva_err_name(self->r));
    (void)uva_future_unref(self->future);
    UVA_END
    return self->r;
}

ACTOR(killer, uva_future_t *future;)
{
    UVA_BEGIN
    self->future = actor_future(stress_simple_kind());
    if (stress_once_in(2)) {
        AWAIT_WITH(AWAIT_LEAF, self->r, uva_sleep, &self->ops.sleep, 0);
    }
    if (self->r >= 0) {
        AWAIT_WITH(AWAIT_SHARED, self->r, uva_cancel_and_wait, &self->ops.wait,
                   self->future);
    }
    STRESS_CHECK(self->r < 0 || uva_future_done(self->future),
                 "cancel_and_wait returns before its future is done");
    (void)uva_future_unref(self->future);
    UVA_END
    return self->r;
}

/* --- several --- */

ACTOR(waiter, unsigned count; unsigned when; uva_future_t * futures[CHILDREN];
      uva_future_t * done[CHILDREN];
      uva_future_t * pending[CHILDREN];)
{
    UVA_BEGIN
    self->count = something_each(self->futures);
    self->ops.delay_ns = stress_once_in(2) ? UVA_FOREVER : stress_delay();
    self->when = stress_below(3);
    AWAIT_WITH(AWAIT_LEAF, self->r, uva_wait, &self->ops.wait,
               UVA_FUTURES(self->futures), self->count, self->ops.delay_ns,
               (uva_return_when_t)self->when, self->done, self->pending);
    for (int i = 0; i < self->r; i++) {
        STRESS_CHECK(uva_future_done(self->done[i]),
                     "wait gives as done what is pending");
    }
    if (self->r >= 0 && self->ops.delay_ns == UVA_FOREVER) {
        STRESS_CHECK(self->r > 0, "wait returns, and nothing is done");
    }
    drop_each(self->futures, self->count);
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

/* What was moved out is the caller's. */
static void values_drop(uva_result_t *results, void **values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        void *value = results != NULL ? results[i].value : values[i];
        for (token_t *token = world.tokens; token != NULL;
             token = token->next) {
            if (token == value) {
                token_destroy(token);
                break;
            }
        }
    }
}

ACTOR(gatherer, unsigned count; unsigned flags;
      uva_future_t * futures[CHILDREN];
      uva_result_t results[CHILDREN];
      void *values[CHILDREN];)
{
    UVA_BEGIN
    self->count = 1 + stress_below(CHILDREN);
    for (unsigned i = 0; i < self->count; i++) {
        self->futures[i] = actor_future(stress_simple_kind());
    }
    self->flags = stress_once_in(2) ? UVA_RETURN_EXCEPTIONS : 0;
    AWAIT_WITH(AWAIT_SHARED, self->r, uva_gather, &self->ops.gather,
               UVA_FUTURES(self->futures), self->count, self->flags,
               self->flags != 0 ? (void *)self->results : (void *)self->values);
    if (self->r >= 0) {
        values_drop(self->flags != 0 ? self->results : NULL, self->values,
                    self->count);
    }
    UVA_END
    return self->r;
}

ACTOR(completer, unsigned count; uva_future_t * futures[CHILDREN];
      uva_future_t * next;
      uva_as_completed_t iterator;)
{
    UVA_BEGIN
    self->count = something_each(self->futures);
    self->r = uva_as_completed_start(
        &self->iterator, UVA_FUTURES(self->futures), self->count,
        stress_once_in(2) ? UVA_FOREVER : stress_delay());
    while (self->r >= 0) {
        AWAIT(self->r, uva_as_completed_next, &self->iterator, &self->next);
        if (self->r <= 0 || stress_once_in(8)) {
            break;
        }
        STRESS_CHECK(uva_future_done(self->next),
                     "as_completed gives what is pending");
    }
    uva_as_completed_destroy(&self->iterator);
    drop_each(self->futures, self->count);
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

/* --- futures that stand for others, in the world --- */

ACTOR(gathering, unsigned count; uva_future_t * futures[CHILDREN];)
{
    UVA_BEGIN
    self->count = something_each(self->futures);
    world_put(uva_gather_future(UVA_FUTURES(self->futures), self->count,
                                stress_once_in(2) ? UVA_RETURN_EXCEPTIONS : 0));
    AWAIT_SLEEP(self->r);
    UVA_END
    return self->r;
}

ACTOR(shielding, uva_future_t *future;)
{
    UVA_BEGIN
    self->future = something();
    world_put(uva_shield_future(self->future));
    (void)uva_future_unref(self->future);
    AWAIT_SLEEP(self->r);
    UVA_END
    return self->r;
}

/* --- races --- */

static int attempt(void *arg, UVA_UNUSED void **ret_result)
{
    unsigned *running = arg;
    int r = 0;

    (*running)++;
    stress_poke();
    for (unsigned i = stress_below(3); r >= 0 && i > 0; i--) {
        r = uva_sleep(stress_delay());
    }
    (*running)--;
    return r < 0 || stress_once_in(2) ? r : UVA_EUSER - 2;
}

ACTOR(racer, unsigned running; uva_attempt_t attempts[CHILDREN];)
{
    int codes[CHILDREN];

    UVA_BEGIN
    for (unsigned i = 0; i < CHILDREN; i++) {
        self->attempts[i] = (uva_attempt_t){attempt, &self->running};
    }
    actor_before(self->actor, "uva_staggered_race");
    self->r = uva_staggered_race(self->attempts, 1 + stress_below(CHILDREN),
                                 stress_delay(), NULL, codes);
    actor_after(self->actor, AWAIT_SHARED, self->r);
    STRESS_CHECK(self->running == 0, "a race is over and %u attempts run",
                 self->running);
    UVA_END
    return self->r > 0 ? 0 : self->r;
}

/* --- the part --- */

static void complete(uva_future_t *future)
{
    (void)uva_future_ref(future);
    if (uva_future_set_result(future, NULL, NULL) < 0) {
        (void)uva_future_cancel(future);
    }
    (void)uva_future_unref(future);
}

static void waits_serve(void)
{
    for (unsigned i = 0; i < FUTURES; i++) {
        complete(world.futures[i]);
    }
    for (size_t i = 0; i < world.orphan_count; i++) {
        complete(world.orphans[i]);
    }
}

static const actor_kind_t waits_kinds[] = {
    ACTOR_KIND(sleeper),      ACTOR_KIND(failer),
    ACTOR_KIND(awaiter),      ACTOR_KIND(awaiter),
    ACTOR_KIND(task_joiner),  ACTOR_KIND(shielder),
    ACTOR_KIND(timed_waiter), ACTOR_KIND(killer),
    ACTOR_KIND(waiter),       ACTOR_KIND(gatherer),
    ACTOR_KIND(completer),    ACTOR_KIND(gathering),
    ACTOR_KIND(shielding),    ACTOR_KIND_STACKFUL(racer),
    {NULL, 0, NULL, false},
};

const part_t waits_part = {
    .kinds = waits_kinds,
    .serve = waits_serve,
};
