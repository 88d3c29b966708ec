/*
 * Timeouts and groups, nested and cancelled from every side.
 */
#include "stress.h"

/* --- timeouts --- */

/* A timeout, and how often the actor was asked to end when it began. */
typedef struct limit_s {
    uva_timeout_t timeout;
    unsigned asks;
} limit_t;

static void limit_enter(limit_t *limit, const actor_t *actor)
{
    limit->asks = actor->asks;
    (void)uva_timeout_enter(&limit->timeout,
                            stress_once_in(3) ? UVA_FOREVER : stress_delay());
}

static int limit_exit(limit_t *limit, const actor_t *actor, int given)
{
    int r = uva_timeout_exit(&limit->timeout, given);

    STRESS_CHECK(r != UV_ETIMEDOUT || given == UV_ETIMEDOUT ||
                     uva_timeout_expired(&limit->timeout),
                 "a timeout that has not come gives UV_ETIMEDOUT");
    STRESS_CHECK(given != UV_ECANCELED || r != UV_ETIMEDOUT ||
                     actor->asks <= limit->asks,
                 "a timeout takes a cancellation for its own");
    return r;
}

ACTOR(timed, limit_t outer; limit_t inner; int i;)
{
    UVA_BEGIN
    self->actor->scopes++;
    limit_enter(&self->outer, self->actor);
    for (self->i = 0; self->i < 2; self->i++) {
        limit_enter(&self->inner, self->actor);
        AWAIT_SLEEP(self->r);
        if (stress_once_in(4)) {
            UVA_IGNORE(uva_timeout_reschedule(&self->inner.timeout,
                                              uva_loop_time(world.loop) +
                                                  stress_delay()));
        }
        if (self->r >= 0) {
            AWAIT_SLEEP(self->r);
        }
        self->r = limit_exit(&self->inner, self->actor, self->r);
        if (self->r < 0 && self->r != UV_ETIMEDOUT) {
            break;
        }
    }
    self->r = limit_exit(&self->outer, self->actor, self->r);
    self->actor->scopes--;
    UVA_END
    return self->r;
}

#ifdef UVA__HAVE_CLEANUP
/* The block, left in each way; stackful, as its scope is a local. */
static int in_block(unsigned way)
{
    int r = 0;

    UVA_TIMEOUT (r, stress_delay()) {
        r = uva_sleep(stress_delay());
        if (way == 0) {
            return r;
        }
        if (way == 1) {
            break;
        }
        if (way == 2) {
            goto left;
        }
        r = r < 0 ? r : uva_sleep(stress_delay());
    }
left:
    return r;
}

ACTOR(blocked, int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 2; self->i++) {
        self->actor->scopes++;
        actor_before(self->actor, "UVA_TIMEOUT");
        self->r = in_block(1 + stress_below(3));
        actor_after(self->actor, AWAIT_SHARED, self->r);
        self->actor->scopes--;
        self->actor->left_block = true;
        if (self->r < 0 && self->r != UV_ETIMEDOUT) {
            break;
        }
    }
    UVA_END
    return self->r;
}
#endif

/* --- groups --- */

ACTOR(grouper, uva_taskgroup_t group; uva_taskgroup_options_t options;
      unsigned count;
      unsigned i;
      unsigned asks;
      actor_t * children[4];)
{
    UVA_BEGIN
    self->options = (uva_taskgroup_options_t)UVA_TASKGROUP_OPTIONS_INIT;
    self->options.policy = (uva_group_policy_t)stress_below(3);
    self->options.max_running = stress_once_in(2) ? 1 + stress_below(2) : 0;
    self->actor->scopes++;
    self->asks = self->actor->asks;
    self->r = uva_taskgroup_enter_with(&self->group, &self->options);
    for (self->i = 0; self->r >= 0 && self->i < 4; self->i++) {
        self->children[self->i] =
            actor_spawn_in(&self->group, stress_simple_kind());
        self->count++;
        if (stress_once_in(4)) {
            AWAIT_SLEEP(self->r);
        }
        if (stress_once_in(12)) {
            uva_taskgroup_cancel(&self->group);
        }
    }
    if (stress_once_in(6)) {
        self->r = self->r < 0 ? self->r : UVA_EUSER - 3;
    }
    actor_before(self->actor, "uva_taskgroup_exit");
    if (self->actor->stackful) {
        self->r = uva_taskgroup_exit(&self->group, self->r);
    } else {
        UVA_AWAIT(self->r, uva_taskgroup_exit, &self->group, self->r);
    }
    self->actor->waits = NULL;
    self->actor->scopes--;
    for (unsigned i = 0; i < self->count; i++) {
        STRESS_CHECK(self->children[i]->destroyed,
                     "a group was left, and its child %s %u is not done",
                     self->children[i]->kind->name, self->children[i]->id);
    }
    /* A request from outside is told by the exit, or by the next wait. */
    self->actor->asked =
        self->r != UV_ECANCELED &&
        self->actor->asks > (self->r == UVA_EGROUP ? 0 : self->asks);
    if (self->r != UV_ECANCELED && self->actor->asked && stress_once_in(2)) {
        AWAIT_SLEEP(self->r);
    }
    UVA_END
    return self->r;
}

static const actor_kind_t scopes_kinds[] = {
    ACTOR_KIND(timed),
    ACTOR_KIND(grouper),
    ACTOR_KIND(grouper),
#ifdef UVA__HAVE_CLEANUP
    ACTOR_KIND_STACKFUL(blocked),
#endif
    {NULL, 0, NULL, false},
};

const part_t scopes_part = {
    .kinds = scopes_kinds,
};
