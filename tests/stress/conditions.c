/*
 * A condition whose lock others use as well: tickets that are made, told with
 * one notification each, and taken by those who wait.
 */
#include "stress.h"

static struct {
    uva_lock_t lock;
    uva_condition_t condition;
    const actor_t *holder;
    unsigned tickets;
    unsigned made;
    unsigned taken;
    unsigned waiting; /* For a ticket. */
} model;

static void hold(const actor_t *actor)
{
    STRESS_CHECK(model.holder == NULL, "a condition's lock has two holders");
    STRESS_CHECK(uva_condition_locked(&model.condition),
                 "a condition's lock is not held");
    model.holder = actor;
}

static void let_go(const actor_t *actor)
{
    STRESS_CHECK(model.holder == actor, "a condition's lock changed hands");
    model.holder = NULL;
}

static int has_ticket(UVA_UNUSED void *data)
{
    return model.tickets > 0 || world.settling;
}

static void take_ticket(void)
{
    if (model.tickets > 0) {
        model.tickets--;
        model.taken++;
    }
}

ACTOR(ticket_taker, int i;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_condition_acquire, &model.condition);
    if (self->r < 0) {
        return self->r;
    }
    hold(self->actor);
    for (self->i = 0; self->i < 2; self->i++) {
        while (!has_ticket(NULL)) {
            let_go(self->actor);
            model.waiting++;
            AWAIT(self->r, uva_condition_wait, &model.condition);
            model.waiting--;
            hold(self->actor);
            if (!actor_goes_on(self->actor, self->r)) {
                goto leave;
            }
        }
        take_ticket();
        self->r = 0;
    }
leave:
    let_go(self->actor);
    STRESS_CHECK(uva_condition_release(&model.condition) == 0,
                 "a condition's lock that is held cannot be released");
    UVA_END
    return self->r;
}

ACTOR(ticket_waiter, int i;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_lock_acquire, &model.lock);
    if (self->r < 0) {
        return self->r;
    }
    hold(self->actor);
    let_go(self->actor);
    model.waiting++;
    AWAIT(self->r, uva_condition_wait_for, &model.condition, has_ticket, NULL);
    model.waiting--;
    hold(self->actor);
    if (self->r >= 0) {
        STRESS_CHECK(has_ticket(NULL), "wait_for returns for nothing");
        take_ticket();
    }
    let_go(self->actor);
    STRESS_CHECK(uva_lock_release(&model.lock) == 0,
                 "a condition's lock that is held cannot be released");
    UVA_END
    return self->r;
}

ACTOR(ticket_maker, unsigned count; int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        AWAIT(self->r, uva_lock_acquire, &model.lock);
        if (self->r < 0) {
            break;
        }
        hold(self->actor);
        self->count = stress_below(3);
        model.tickets += self->count;
        model.made += self->count;
        STRESS_CHECK(uva_condition_notify(&model.condition, self->count) == 0,
                     "cannot notify");
        if (stress_once_in(2)) {
            AWAIT_SLEEP(self->r);
        }
        let_go(self->actor);
        STRESS_CHECK(uva_lock_release(&model.lock) == 0, "cannot release");
        if (!actor_goes_on(self->actor, self->r)) {
            break;
        }
    }
    UVA_END
    return self->r;
}

static void conditions_begin(void)
{
    model.lock = (uva_lock_t)UVA_LOCK_INIT;
    uva_condition_init(&model.condition, &model.lock);
    model.holder = NULL;
    model.tickets = 0;
    model.made = 0;
    model.taken = 0;
    model.waiting = 0;
}

static void conditions_check(void)
{
    STRESS_CHECK(model.holder == NULL && !uva_lock_locked(&model.lock),
                 "a condition's lock was lost");
    STRESS_CHECK(model.tickets == 0 || model.waiting == 0 || world.failing,
                 "%u wait for %u tickets that are there", model.waiting,
                 model.tickets);
    STRESS_CHECK(model.made == model.tickets + model.taken,
                 "%u tickets made, %u taken, %u left", model.made, model.taken,
                 model.tickets);
}

static void conditions_serve(void)
{
    int r = uva_lock_acquire(&model.lock);

    STRESS_CHECK(r == 0, "cannot take a condition's lock: %s", uva_err_name(r));
    STRESS_CHECK(uva_condition_notify_all(&model.condition) == 0,
                 "cannot notify all");
    (void)uva_lock_release(&model.lock);
}

static void conditions_end(void)
{
    STRESS_CHECK(world.closing || !uva_lock_locked(&model.lock),
                 "a condition's lock was lost");
}

static const actor_kind_t conditions_kinds[] = {
    ACTOR_KIND(ticket_taker),
    ACTOR_KIND(ticket_waiter),
    ACTOR_KIND(ticket_maker),
    {NULL, 0, NULL, false},
};

const part_t conditions_part = {
    .kinds = conditions_kinds,
    .begin = conditions_begin,
    .check = conditions_check,
    .serve = conditions_serve,
    .end = conditions_end,
};
