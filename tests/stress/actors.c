/*
 * Actors: spawning them as each kind of task, cancelling them, and the account
 * of their cancellations: each one that was accepted is seen by the body, or
 * the task ends cancelled; none is seen that nobody asked for.
 */
#include "stress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the life of an actor --- */

static actor_t *actor_new(const actor_kind_t *kind)
{
    actor_t *actor = calloc(1, sizeof *actor);
    actor_t **frame = calloc(1, kind->frame_bytes);

    STRESS_CHECK(actor != NULL && frame != NULL,
                 "the stress program itself has no memory");
    if (world.actor_count == world.actor_room) {
        world.actor_room = world.actor_room == 0 ? 64 : world.actor_room * 2;
        world.actors =
            realloc(world.actors, world.actor_room * sizeof(actor_t *));
        STRESS_CHECK(world.actors != NULL,
                     "the stress program itself has no memory");
    }
    world.actors[world.actor_count++] = actor;
    actor->kind = kind;
    actor->id = (unsigned)world.actor_count;
    actor->frame = frame;
    actor->is_free = true;
    actor->swallows = stress_once_in(6);
    *frame = actor;
    return actor;
}

void actor_end(actor_t *actor, int code)
{
    STRESS_CHECK(actor->scopes == 0, "%s %u ends inside a scope",
                 actor->kind->name, actor->id);
    actor->ended = true;
    actor->code = code;
}

static int actor_step_poll(actor_t *actor)
{
    int r;

    STRESS_CHECK(!actor->ended && !actor->destroyed, "%s %u runs after its end",
                 actor->kind->name, actor->id);
    actor->begun = true;
    r = actor->kind->poll(actor->frame);
    if (r != UVA_PENDING) {
        actor_end(actor, r);
    }
    return r;
}

static void actor_destroy(actor_t *actor)
{
    STRESS_CHECK(!actor->destroyed, "%s %u: arguments destroyed twice",
                 actor->kind->name, actor->id);
    STRESS_CHECK(actor->ended == actor->begun,
                 "%s %u: arguments destroyed while it runs", actor->kind->name,
                 actor->id);
    actor->destroyed = true;
    free(actor->frame);
    actor->frame = NULL;
    stress_poke();
}

/* --- three kinds of tasks --- */

static int plain_body(void *arg, void **ret_result)
{
    actor_t *actor = arg;
    int r = actor_step_poll(actor);

    if (r >= 0 && stress_once_in(2)) {
        *ret_result = token_new("the result of a task");
    }
    return r;
}

static void plain_destroy(void *arg)
{
    actor_destroy(arg);
}

UVA_TASK_DROP(void, typed, typed_drop, actor_t *actor;)
{
    return actor_step_poll(args->actor);
}

static void typed_drop(typed_args_t *args)
{
    actor_destroy(args->actor);
}

UVA_STACKLESS_DROP(void, stackless, stackless_drop, actor_t *actor; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, actor_step, self->actor);
    UVA_END
    return self->r;
}

static void stackless_drop(stackless_args_t *self)
{
    actor_destroy(self->actor);
}

static void options_draw(uva_task_options_t *options)
{
    options->eager_start = stress_eagerly();
    if (stress_once_in(4)) {
        options->name = "named";
    }
}

/* Where a task may be refused, its argument is destroyed and it never runs. */
static void actor_made(actor_t *actor, uva_task_t *task)
{
    uva_future_t *future = UVA_FUTURE(task);

    if (future == NULL || uva_future_get_loop(future) == NULL) {
        STRESS_CHECK(world.closing || world.failing, "%s %u was refused: %s",
                     actor->kind->name, actor->id,
                     uva_err_name(uva_future_exception(future)));
        STRESS_CHECK(actor->destroyed && !actor->begun,
                     "%s %u was refused, and its arguments are left",
                     actor->kind->name, actor->id);
        actor->refused = true;
    }
    actor->task = future;
}

static uva_task_t *
actor_make(actor_t *actor, uva_loop_t *loop, const uva_task_options_t *options)
{
    unsigned kind = stress_below(actor->kind->stackful ? 2 : 4);
    uva_task_options_t own = *options;

    actor->stackful = kind < 2;
    if (kind == 0) {
        own.arg_destroy = plain_destroy;
        own.result_destroy = token_destroy;
        return loop != NULL
                   ? uva_loop_create_task(loop, plain_body, actor, &own)
                   : uva_create_task_with(plain_body, actor, &own);
    }
    own.loop = loop;
    return kind == 1
               ? UVA_ERASE(uva_spawn_with(&own, typed, .actor = actor))
               : UVA_ERASE(uva_spawn_with(&own, stackless, .actor = actor));
}

static void actor_start(actor_t *actor)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    bool running = uva_get_running_loop() == world.loop;

    options_draw(&options);
    actor_made(actor,
               actor_make(actor,
                          running && stress_once_in(2) ? NULL : world.loop,
                          &options));
}

static void actor_let_go(actor_t *actor)
{
    uva_future_t *task = actor->task;

    actor->task = NULL;
    (void)uva_future_unref(task);
}

actor_t *actor_spawn(const actor_kind_t *kind)
{
    actor_t *actor = actor_new(kind);

    actor_start(actor);
    if (stress_once_in(5)) {
        actor_let_go(actor);
    }
    return actor;
}

uva_future_t *actor_future(const actor_kind_t *kind)
{
    actor_t *actor = actor_new(kind);

    actor->is_free = false;
    actor_start(actor);
    return uva_future_ref(actor->task);
}

actor_t *actor_spawn_in(uva_taskgroup_t *group, const actor_kind_t *kind)
{
    actor_t *actor = actor_new(kind);
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;

    actor->is_free = false;
    options_draw(&options);
    actor->stackful = kind->stackful || stress_once_in(2);
    if (actor->stackful) {
        options.arg_destroy = plain_destroy;
        options.result_destroy = token_destroy;
        task = uva_taskgroup_create_task(group, plain_body, actor, &options);
    } else {
        options.group = group;
        task = UVA_ERASE(uva_spawn_with(&options, stackless, .actor = actor));
    }
    /* A group that was ended meanwhile refuses. */
    if (uva_future_get_loop(UVA_FUTURE(task)) == NULL) {
        STRESS_CHECK(actor->destroyed && !actor->begun,
                     "%s %u was refused by a group, and its arguments are left",
                     kind->name, actor->id);
        actor->refused = true;
    }
    actor->task = uva_future_ref(UVA_FUTURE(task));
    return actor;
}

void actor_release(actor_t *actor, int code)
{
    actor_end(actor, code);
    actor_destroy(actor);
}

actor_t *actor_adopt(const actor_kind_t *kind, bool stackful)
{
    actor_t *actor = actor_new(kind);

    actor->stackful = stackful;
    actor->begun = true;
    actor->task = uva_future_ref(UVA_FUTURE(uva_current_task()));
    return actor;
}

/* --- cancelling --- */

void actor_cancel(actor_t *actor)
{
    /* What the cancel runs may let it go. */
    uva_future_t *future = uva_future_ref(actor->task);
    uva_task_t *task = uva_future_task(future);
    bool done = uva_future_done(future);
    unsigned times = 1 + stress_once_in(5);
    bool r;

    if (task == NULL || actor->refused) {
        (void)uva_future_unref(future);
        return;
    }
    for (unsigned i = 0; i < times; i++) {
        r = stress_once_in(3)
                ? uva_future_cancel_message(UVA_FUTURE(task), "poked")
                : uva_task_cancel(task);
        STRESS_CHECK(r == !done, "cancel of a task that is %s gives %d",
                     done ? "done" : "not done", r);
        if (r) {
            actor->asked = true;
            actor->was_asked = true;
            actor->asks++;
        }
        done = uva_future_done(future);
    }
    (void)uva_future_unref(future);
}

/* Take the requests back, in the actor itself. */
static void actor_uncancel(actor_t *actor)
{
    uva_task_t *task = uva_current_task();

    while (uva_task_cancelling(task) > 0) {
        (void)uva_task_uncancel(task);
    }
    actor->asks = 0;
    actor->asked = false;
}

bool actor_goes_on(actor_t *actor, int r)
{
    if (r >= 0) {
        return true;
    }
    if (r != UV_ECANCELED || !actor->swallows || world.closing ||
        world.settling) {
        return false;
    }
    actor->swallows = false;
    if (actor->scopes == 0 && stress_once_in(2)) {
        actor_uncancel(actor);
    }
    return true;
}

/* --- awaits --- */

void actor_before(actor_t *actor, const char *what)
{
    actor->waits = what;
    actor->before = uva_loop_iterations(world.loop);
}

void actor_after(actor_t *actor, actor_await_t how, int r)
{
    bool suspended = uva_loop_iterations(world.loop) != actor->before;
    bool others = !actor->is_free || actor->scopes > 0 || world.closing;

    if (how == AWAIT_LEAF && r == UV_ECANCELED) {
        STRESS_CHECK(actor->asked || others,
                     "%s %u: %s is cancelled, and nobody asked",
                     actor->kind->name, actor->id, actor->waits);
        STRESS_CHECK(suspended || others,
                     "%s %u: %s is cancelled without a wait", actor->kind->name,
                     actor->id, actor->waits);
    } else if (how == AWAIT_LEAF && suspended) {
        STRESS_CHECK(!actor->asked || (world.failing && r < 0),
                     "%s %u: %s gives %s, and loses a cancellation",
                     actor->kind->name, actor->id, actor->waits,
                     r < 0 ? uva_err_name(r) : "success");
    }
    if (suspended || r == UV_ECANCELED) {
        actor->asked = false;
    }
    actor->waits = NULL;
}

/* --- the account --- */

actor_t *actor_any(void)
{
    actor_t *actor;

    if (world.actor_count == 0) {
        return NULL;
    }
    for (int tries = 0; tries < 8; tries++) {
        /* Mostly a young one. */
        unsigned span = (unsigned)world.actor_count;
        span = span > 32 && !stress_once_in(4) ? 32 : span;
        actor = world.actors[world.actor_count - 1 - stress_below(span)];
        if (actor->task != NULL && !actor->refused) {
            return actor;
        }
    }
    return NULL;
}

static void actor_account(actor_t *actor)
{
    bool cancelled = uva_future_cancelled(actor->task);
    int code = cancelled ? UV_ECANCELED : uva_future_exception(actor->task);
    const char *name = actor->kind->name;

    STRESS_CHECK(actor->destroyed, "%s %u is done, and its arguments are left",
                 name, actor->id);
    if (!actor->begun) {
        STRESS_CHECK(cancelled || (world.failing && code < 0),
                     "%s %u ends with %s and never began", name, actor->id,
                     code < 0 ? uva_err_name(code) : "success");
        STRESS_CHECK(!cancelled || actor->was_asked || !actor->is_free ||
                         world.closing,
                     "%s %u never began, and nobody asked", name, actor->id);
        return;
    }
    STRESS_CHECK(actor->ended, "%s %u is done in the middle", name, actor->id);
    if (actor->code < 0) {
        /* The deadline of a block that was left so ends the task. */
        STRESS_CHECK(code == actor->code ||
                         (actor->left_block && actor->code == UV_ECANCELED &&
                          (code == UV_ETIMEDOUT ||
                           (world.failing && code == UV_ENOMEM))),
                     "%s %u returned %s and ends with %s", name, actor->id,
                     uva_err_name(actor->code),
                     code < 0 ? uva_err_name(code) : "success");
    } else if (actor->is_free && !world.closing) {
        STRESS_CHECK(cancelled == actor->asked, "%s %u succeeded%s and ends %s",
                     name, actor->id,
                     actor->asked ? " with a request undelivered" : "",
                     cancelled ? "cancelled" : "well");
    }
}

void actors_reap(bool all)
{
    for (size_t i = 0; i < world.actor_count; i++) {
        actor_t *actor = world.actors[i];
        if (actor->task != NULL && uva_future_done(actor->task)) {
            if (!actor->refused && !actor->reaped) {
                actor->reaped = true;
                actor_account(actor);
            }
            if (all || stress_once_in(2)) {
                actor_let_go(actor);
            }
        }
    }
}

size_t actors_alive(void)
{
    size_t alive = 0;

    for (size_t i = 0; i < world.actor_count; i++) {
        const actor_t *actor = world.actors[i];
        alive += actor->frame != NULL && !actor->destroyed;
    }
    return alive;
}

void actors_print(void)
{
    if (world.loop != NULL) {
        (void)uva_loop_print_tasks(world.loop, stderr);
    }
    for (size_t i = 0; i < world.actor_count; i++) {
        const actor_t *actor = world.actors[i];
        if (!actor->destroyed && actor->frame != NULL) {
            (void)fprintf(stderr, "  %s %u (%s)%s%s waits in %s\n",
                          actor->kind->name, actor->id,
                          actor->stackful ? "stackful" : "stackless",
                          actor->begun ? "" : ", not begun",
                          actor->asked ? ", asked to end" : "",
                          actor->waits != NULL ? actor->waits : "nothing");
        }
    }
}
