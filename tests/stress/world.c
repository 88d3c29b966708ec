/*
 * The world of a round: randomness, failures, tokens, and the pokes by which
 * destructors and callbacks use the library while it is in the middle of
 * something.
 */
#include "stress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

world_t world;

/* --- randomness: splitmix64 --- */

uint64_t stress_random(void)
{
    uint64_t z;

    world.state += UINT64_C(0x9e3779b97f4a7c15);
    z = world.state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned stress_below(unsigned bound)
{
    return (unsigned)((stress_random() >> 32) % bound);
}

bool stress_once_in(unsigned times)
{
    return stress_below(times) == 0;
}

bool stress_eagerly(void)
{
    return stress_once_in(3);
}

uint64_t stress_delay(void)
{
    switch (stress_below(4)) {
    case 0:
        return 0;
    case 1:
        return UVA_MS(1);
    case 2:
        return UVA_US(stress_below(50));
    default:
        return world.sockets ? UVA_US(stress_below(2000))
                             : UVA_MS(stress_below(20));
    }
}

/* --- failure --- */

void stress_fail(const char *file, int line, const char *format, ...)
{
    va_list arguments;

    uva_testing_fail_allocation(0, false);
    (void)fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    actors_print();
    abort(); /* The handler of the signal tells the seed. */
}

/* --- tokens --- */

token_t *token_new(const char *what)
{
    token_t *token = calloc(1, sizeof *token);

    STRESS_CHECK(token != NULL, "the stress program itself has no memory");
    token->what = what;
    token->id = world.token_count++;
    token->next = world.tokens;
    world.tokens = token;
    return token;
}

void token_destroy(void *value)
{
    token_t *token = value;

    STRESS_CHECK(token->state != TOKEN_DEAD, "%s: destroyed twice",
                 token->what);
    token->state = TOKEN_DEAD;
    if (!token->quiet) {
        stress_poke();
    }
}

/* --- futures that everybody sees --- */

static void orphans_add(uva_future_t *take_future)
{
    if (world.orphan_count == world.orphan_room) {
        world.orphan_room = world.orphan_room == 0 ? 64 : world.orphan_room * 2;
        world.orphans =
            realloc(world.orphans, world.orphan_room * sizeof(uva_future_t *));
        STRESS_CHECK(world.orphans != NULL,
                     "the stress program itself has no memory");
    }
    world.orphans[world.orphan_count++] = take_future;
}

static void world_replace(unsigned i, uva_future_t *take_future)
{
    uva_future_t *old = world.futures[i];
    bool awaited = world.awaited[i];

    world.futures[i] = take_future;
    world.awaited[i] = false;
    if (awaited && old != NULL && !uva_future_done(old)) {
        orphans_add(old);
    } else {
        (void)uva_future_unref(old);
    }
}

void world_put(uva_future_t *take_future)
{
    world_replace(stress_below(FUTURES), take_future);
}

uva_future_t *world_future(void)
{
    unsigned i = stress_below(FUTURES);

    world.awaited[i] = true;
    return uva_future_ref(world.futures[i]);
}

void world_drop(void)
{
    for (unsigned i = 0; i < FUTURES; i++) {
        world_replace(i, NULL);
    }
    for (unsigned i = 0; i < HANDLES; i++) {
        uva_handle_t *handle = world.handles[i];
        world.handles[i] = NULL;
        (void)uva_handle_unref(handle);
    }
    while (world.orphan_count > 0) {
        (void)uva_future_unref(world.orphans[--world.orphan_count]);
    }
    free(world.orphans);
    world.orphans = NULL;
    world.orphan_room = 0;
}

/* --- pokes --- */

/* The data of a call or callback lives until its destructor has run. */
static void call_cb(void *data)
{
    const token_t *token = data;

    STRESS_CHECK(token->state == TOKEN_HELD, "%s: called after its destructor",
                 token->what);
    stress_poke();
}

static void done_cb(uva_future_t *future, void *data)
{
    STRESS_CHECK(uva_future_done(future), "told of a future that is pending");
    call_cb(data);
}

static void poke_call(void)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_handle_t **handle = &world.handles[stress_below(HANDLES)];
    uva_handle_t *made = NULL;
    token_t *token = token_new("the data of a call");
    int r;

    options.destroy = token_destroy;
    switch (stress_below(3)) {
    case 0:
        r = uva_loop_call_soon(world.loop, call_cb, token, &options, &made);
        break;
    case 1:
        r = uva_loop_call_later(world.loop, stress_delay(), call_cb, token,
                                &options, &made);
        break;
    default:
        r = uva_loop_call_soon_threadsafe(world.loop, call_cb, token, &options,
                                          &made);
        break;
    }
    if (r < 0) {
        STRESS_CHECK(world.closing || world.failing, "call refused: %s",
                     uva_err_name(r));
        STRESS_CHECK(token->state == TOKEN_DEAD,
                     "refused, and the destructor has not run");
        return;
    }
    uva_handle_t *old = *handle;
    *handle = made;
    (void)uva_handle_unref(old);
}

static void poke_handle(void)
{
    uva_handle_t *handle = world.handles[stress_below(HANDLES)];

    /* The destructor may drop the world's reference. */
    (void)uva_handle_ref(handle);
    uva_handle_cancel(handle);
    (void)uva_handle_unref(handle);
}

static void poke_drop_handle(void)
{
    unsigned i = stress_below(HANDLES);
    uva_handle_t *handle = world.handles[i];

    world.handles[i] = NULL;
    (void)uva_handle_unref(handle);
}

static void poke_make_future(void)
{
    if (!world.closing && !world.settling) {
        world_put(uva_loop_create_future(world.loop));
    }
}

static void poke_complete(void)
{
    uva_future_t *future = uva_future_ref(world.futures[stress_below(FUTURES)]);
    bool done = uva_future_done(future);
    bool is_plain;
    token_t *token;
    int r;

    if (future == NULL) {
        return;
    }
    switch (stress_below(3)) {
    case 0:
        token = token_new("the result of a future");
        r = uva_future_set_result(future, token, token_destroy);
        is_plain = r == 0;
        STRESS_CHECK(is_plain || r == UVA_EINVALIDSTATE, "set_result gives %s",
                     uva_err_name(r));
        STRESS_CHECK(is_plain || token->state == TOKEN_DEAD,
                     "the result was refused and not destroyed");
        break;
    case 1:
        (void)uva_future_set_exception(future, UVA_EUSER, "poked");
        break;
    default:
        /* A gathering one says no as well when its children are done. */
        STRESS_CHECK(!uva_future_cancel(future) || !done,
                     "a future that is done can be cancelled");
        break;
    }
    (void)uva_future_unref(future);
}

static void poke_watch(void)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_future_t *future = uva_future_ref(world.futures[stress_below(FUTURES)]);
    token_t *token;
    int r;

    if (future == NULL) {
        return;
    }
    token = token_new("the data of a done callback");
    options.destroy = token_destroy;
    r = uva_future_add_done_callback(future, done_cb, token, &options);
    if (r < 0) {
        STRESS_CHECK(token->state == TOKEN_DEAD,
                     "not registered, and the destructor has not run");
    } else if (stress_once_in(3)) {
        size_t removed =
            uva_future_remove_done_callback(future, done_cb, token);
        STRESS_CHECK(removed == 0 || token->state == TOKEN_DEAD,
                     "removed, and the destructor has not run");
    }
    (void)uva_future_unref(future);
}

static void poke_drop_future(void)
{
    world_put(NULL);
}

static void poke_cancel(void)
{
    actor_t *actor = actor_any();

    if (actor != NULL) {
        actor_cancel(actor);
    }
}

static void poke_spawn(void)
{
    (void)actor_spawn(stress_any_kind());
}

static void poke_look(void)
{
    uva_buffer_t text = {0};

    UVA_IGNORE(uva_loop_format_tasks(world.loop, &text));
    uva_buffer_clear(&text);
    (void)uva_loop_all_tasks(world.loop, NULL, 0);
}

void stress_poke(void)
{
    static void (*const pokes[])(void) = {
        poke_call,        poke_call,        poke_handle,   poke_drop_handle,
        poke_make_future, poke_make_future, poke_complete, poke_watch,
        poke_watch,       poke_drop_future, poke_cancel,   poke_cancel,
        poke_spawn,       poke_spawn,       poke_spawn,    poke_look,
    };
    enum {
        POKES = sizeof pokes / sizeof pokes[0],
        DEEP = 4
    };

    if (world.budget <= 0 || world.depth >= DEEP || world.loop == NULL) {
        return;
    }
    world.budget--;
    world.depth++;
    pokes[stress_below(POKES)]();
    world.depth--;
}

void stress_exception(uva_loop_t *loop,
                      const uva_exception_t *exception,
                      UVA_UNUSED void *data)
{
    STRESS_CHECK(loop == world.loop, "a report of another loop");
    STRESS_CHECK(exception->message != NULL, "a report without words");
    world.reports++;
    if (exception->future != NULL && stress_once_in(2)) {
        uva_future_t *old = world.kept;
        world.kept = uva_future_ref(exception->future);
        (void)uva_future_unref(old);
    }
    stress_poke();
}
