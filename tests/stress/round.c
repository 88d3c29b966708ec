/*
 * A round. A director spawns, cancels and pokes for a while; then the round
 * ends in one of several ways, and nothing may be left.
 *
 * On virtual time all who can run come to rest before anybody is served:
 * whoever waits then for something that is there has lost a wake-up.
 */
#include "stress.h"

#include <stdlib.h>

#include "uva_test.h"

typedef enum ending_e {
    ENDING_SERVE,   /* Everybody gets what they wait for. */
    ENDING_CANCEL,  /* Everybody is cancelled, then served. */
    ENDING_SHUTDOWN /* The loop is shut down with everything alive. */
} ending_t;

/* The functions of a part, in its order. */
typedef enum part_call_e {
    DO_BEGIN,
    DO_START,
    DO_STEP,
    DO_CHECK,
    DO_SERVE,
    DO_LEAVE,
    DO_END,
    DO_CLOSED
} part_call_t;

static struct {
    const part_t *const *parts;
    unsigned count;
    ending_t ending;
    bool shut; /* The shutdown told so. */
} round_state;

const actor_kind_t *stress_any_kind(void)
{
    const part_t *part = round_state.parts[stress_below(round_state.count)];
    unsigned kinds = 0;

    while (part->kinds[kinds].name != NULL) {
        kinds++;
    }
    return &part->kinds[stress_below(kinds)];
}

static void parts_do(part_call_t which)
{
    for (unsigned i = 0; i < round_state.count; i++) {
        const part_t *part = round_state.parts[i];
        if (i > 0 && part == round_state.parts[i - 1]) {
            continue; /* It stands there twice to be drawn more often. */
        }
        void (*const calls[])(void) = {part->begin, part->start, part->step,
                                       part->check, part->serve, part->leave,
                                       part->end,   part->closed};
        if (calls[which] != NULL) {
            calls[which]();
        }
    }
}

/* --- the director --- */

static void rest(uint64_t delay_ns)
{
    int r = uva_sleep(delay_ns);

    STRESS_CHECK(r == 0 || world.failing, "the director cannot wait: %s",
                 uva_err_name(r));
}

void stress_rest(void)
{
    rest(world.sockets ? UVA_MS(1) : UVA_SEC(100));
}

static void direct(void)
{
    unsigned steps = 10 + stress_below(60);

    for (unsigned i = 0; i < steps; i++) {
        if (world.failing && stress_once_in(3)) {
            uva_testing_fail_allocation(1 + stress_below(30),
                                        stress_once_in(4));
        }
        switch (stress_below(4)) {
        case 0:
            (void)actor_spawn(stress_any_kind());
            break;
        case 1: {
            actor_t *actor = actor_any();
            if (actor != NULL) {
                actor_cancel(actor);
            }
            break;
        }
        case 2:
            rest(stress_delay());
            break;
        default:
            stress_poke();
            break;
        }
        if (world.failing && stress_once_in(2)) {
            uva_testing_fail_allocation(0, false);
        }
        if (stress_once_in(3)) {
            parts_do(DO_STEP);
        }
        if (stress_once_in(6)) {
            actors_reap(false);
        }
    }
    uva_testing_fail_allocation(0, false);
}

static void serve(void)
{
    unsigned turns = 0;

    world.budget = 0;
    if (round_state.ending == ENDING_CANCEL) {
        for (size_t i = 0; i < world.actor_count; i++) {
            actor_cancel(world.actors[i]);
        }
    }
    stress_rest();
    if (!world.sockets) {
        parts_do(DO_CHECK);
    }
    world.settling = true;
    while (actors_alive() > 0) {
        STRESS_CHECK(turns++ < (world.sockets ? 20000 : 100), "%zu never end",
                     actors_alive());
        parts_do(DO_SERVE);
        stress_rest();
    }
    actors_reap(true);
    parts_do(DO_END);
}

static int director(UVA_UNUSED void *arg, UVA_UNUSED void **ret_result)
{
    parts_do(DO_START);
    direct();
    if (round_state.ending == ENDING_SHUTDOWN) {
        world.closing = true;
        parts_do(DO_LEAVE);
        return 0;
    }
    serve();
    return 0;
}

/* --- the loop --- */

static void shut_cb(uva_loop_t *loop, int status, void *data)
{
    STRESS_CHECK(loop == world.loop && data == &world && !round_state.shut,
                 "a shutdown tells twice, or something else");
    STRESS_CHECK(status == 0, "a shutdown gives %s", uva_err_name(status));
    round_state.shut = true;
}

static uva_loop_t *loop_make(void)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *loop = NULL;
    int r;

    options.debug = stress_once_in(6);
    options.iterations_per_poll = stress_once_in(2);
    uva_testing_strict_allocation(world.failing || stress_once_in(4));
    r = world.sockets ? uva_loop_new(&options, &loop)
                      : uva_loop_new_virtual(&options, &loop);
    uva_testing_strict_allocation(false);
    STRESS_CHECK(r == 0, "no loop: %s", uva_err_name(r));
    uva_loop_set_exception_handler(loop, stress_exception, NULL);
    if (stress_eagerly()) {
        uva_loop_set_task_factory(loop, uva_eager_task_factory, NULL);
    }
    return loop;
}

static void loop_end(void)
{
    int r;

    if (stress_once_in(2)) {
        world_drop();
    }
    if (world.closing) {
        if (actors_alive() > 0 && stress_once_in(2)) {
            r = uva_loop_close(world.loop);
            STRESS_CHECK(r == UV_EBUSY, "close of a loop with tasks gives %s",
                         uva_err_name(r));
        }
        r = uva_loop_shutdown(
            world.loop,
            &(uva_shutdown_options_t){.size = sizeof(uva_shutdown_options_t),
                                      .done = shut_cb,
                                      .data = &world});
        STRESS_CHECK(r == 0 && round_state.shut, "shutdown gives %s",
                     uva_err_name(r));
    } else {
        r = uva_loop_close(world.loop);
        STRESS_CHECK(r == 0, "close gives %s", uva_err_name(r));
    }
    world.closing = true;
    STRESS_CHECK(uva_loop_is_closed(world.loop), "a closed loop is open");
}

static void world_end(void)
{
    actors_reap(true);
    world_drop();
    world_drop(); /* What a destructor made. */
    world.budget = 0;
    while (world.kept != NULL) { /* Its report may keep another. */
        uva_future_t *kept = world.kept;
        world.kept = NULL;
        (void)uva_future_unref(kept);
    }
    for (size_t i = 0; i < world.actor_count; i++) {
        actor_t *actor = world.actors[i];
        STRESS_CHECK(actor->destroyed, "%s %u never ended", actor->kind->name,
                     actor->id);
        (void)uva_future_unref(actor->task);
        free(actor);
    }
    world.actor_count = 0;
    world.loop = uva_loop_unref(world.loop);
    while (world.tokens != NULL) {
        token_t *token = world.tokens;
        STRESS_CHECK(token->state == TOKEN_DEAD, "%s was never destroyed",
                     token->what);
        world.tokens = token->next;
        free(token);
    }
    free(world.actors);
    world.actors = NULL;
}

/* libuv keeps what its first loop opens. */
static void open_what_stays(void)
{
    uva_loop_t *loop;
    int r = uva_loop_new(NULL, &loop);

    STRESS_CHECK(r == 0 && uva_loop_close(loop) == 0, "no loop: %s",
                 uva_err_name(r));
    (void)uva_loop_unref(loop);
}

void stress_round(const part_t *const *parts, unsigned count)
{
    size_t bytes;
    size_t descriptors;
    uva_task_t *task;
    int r;

    if (world.sockets) {
        open_what_stays();
    }
    bytes = uva_allocated_bytes();
    descriptors = uva_test_descriptors();
    round_state.parts = parts;
    round_state.count = count;
    round_state.ending =
        world.shuts ? ENDING_SHUTDOWN : (ending_t)stress_below(ENDING_SHUTDOWN);
    round_state.shut = false;
    world.budget = 100;
    world.loop = loop_make();
    parts_do(DO_BEGIN);
    task = uva_loop_create_task(world.loop, director, NULL, NULL);
    r = uva_loop_run_until_complete(world.loop, UVA_FUTURE(task), NULL);
    STRESS_CHECK(r == 0, "the director ends with %s", uva_err_name(r));
    (void)uva_task_unref(task);
    loop_end();
    parts_do(DO_CLOSED);
    world_end();
    if (uva_allocated_bytes() != bytes && stress_find_leaks != NULL) {
        stress_find_leaks();
    }
    STRESS_CHECK(uva_allocated_bytes() == bytes, "%zu bytes are left",
                 uva_allocated_bytes() - bytes);
    STRESS_CHECK(uva_test_descriptors() == descriptors, "descriptors are left");
}
