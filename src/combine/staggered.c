/*
 * Staggered race (asyncio.staggered).
 *
 * Each attempt runs in a task of its own, which first waits for its turn: the
 * attempt before it failed, or its delay is over. Then it makes the task of
 * the next attempt and runs its own body.
 *
 * Invariant: the race ends when all the tasks it made have ended, and each has
 * told it; a racer counts as begun before its task is made, as that may run at
 * once.
 */
#include "uva/tasks.h"

#include "base/alloc.h"
#include "base/errors.h"
#include "core/futures.h"
#include "core/object.h"
#include "core/results.h"

typedef struct race_s race_t;

typedef struct racer_s {
    uva__record_t record; /* Of the task's callbacks. */
    race_t *race;
    size_t index;
    uva_task_t *task;   /* Counted; NULL while it is being made, and if it could
                           not be. */
    uva_list_t waiters; /* Of uva_waiter_t.link: the next one's turn. */
    bool failed;
} racer_t;

struct race_s {
    const uva_attempt_t *attempts;
    size_t count;
    uint64_t delay_ns;
    int *codes;           /* The caller's array, or NULL. */
    size_t started;       /* Racers that have begun. */
    size_t left;          /* Of those, who has not told that it ended. */
    uva_waiter_t *waiter; /* Of the caller, while it waits. */
    size_t winner;        /* count while there is none. */
    void *result;
    int code; /* Why an attempt could not begin. */
    racer_t racers[];
};

static int racer_body(void *arg, void **ret_result);

static void racer_done(uva__ready_t *ready)
{
    race_t *race = UVA__CONTAINER_OF(ready, racer_t, record.ready)->race;

    race->left--;
    if (race->left == 0 && race->waiter != NULL) {
        (void)uva_waiter_wake(race->waiter);
    }
}

static const uva__ready_ops_t racer_ops = {.run = racer_done,
                                           .drop = racer_done};

static void race_start_next(race_t *race)
{
    uva_task_t *task;
    racer_t *racer;

    if (race->started == race->count) {
        return;
    }
    racer = &race->racers[race->started];
    *racer = (racer_t){.record = {.ready = {NULL, &racer_ops}},
                       .race = race,
                       .index = race->started};
    race->started++;
    task = uva_create_task(racer_body, racer);
    if (task == NULL || task->base.kind == UVA__KIND_REFUSED) {
        race->code = uva__future_code(UVA_FUTURE(task));
        return;
    }
    race->left++;
    racer->task = task;
    uva__future_add(&task->base, &racer->record);
}

static int racer_turn_poll(racer_t *before)
{
    uva_waiter_t *self = uva_waiter_current();

    if (uva_waiter_resumed(self)) {
        return uva_waiter_finish(self);
    }
    return before->failed ? 0
                          : uva_waiter_suspend(self, NULL, &before->waiters);
}

static int racer_wait_turn(racer_t *racer)
{
    race_t *race = racer->race;
    uva_timeout_t timeout;
    int r;

    if (racer->index == 0) {
        return 0;
    }
    (void)uva_timeout_enter(&timeout, race->delay_ns);
    UVA_DRIVE(r, racer_turn, &race->racers[racer->index - 1]);
    r = uva_timeout_exit(&timeout, r);
    return r == UV_ETIMEDOUT ? 0 : r;
}

static void racer_wins(racer_t *racer, void *result)
{
    race_t *race = racer->race;

    race->winner = racer->index;
    race->result = result;
    for (size_t i = 0; i < race->started; i++) {
        if (i != racer->index) {
            (void)uva_task_cancel(race->racers[i].task);
        }
    }
}

static int racer_run(racer_t *racer)
{
    race_t *race = racer->race;
    const uva_attempt_t *attempt = &race->attempts[racer->index];
    void *result = NULL;
    int r = racer_wait_turn(racer);

    if (r == UV_ECANCELED) {
        return r;
    }
    if (r < 0) {
        race->code = r; /* Without memory nobody wakes it: told by the race. */
        return 0;
    }
    race_start_next(race);
    r = uva__code_of_body(attempt->body(attempt->arg, &result));
    if (r >= 0 && race->winner == race->count) {
        racer_wins(racer, result);
        return 0;
    }
    racer->failed = true;
    if (race->codes != NULL) {
        race->codes[racer->index] = r;
    }
    UVA__LIST_FOREACH (waiter, &racer->waiters, uva_waiter_t, link) {
        (void)uva_waiter_wake(waiter);
    }
    return 0; /* asyncio: the failure is told by the race. */
}

static int racer_body(void *arg, void **ret_result)
{
    (void)ret_result;
    return racer_run(arg);
}

static void race_cancel(race_t *race)
{
    for (size_t i = 0; i < race->started; i++) {
        (void)uva_task_cancel(race->racers[i].task);
    }
}

static int race_wait_poll(race_t *race)
{
    uva_waiter_t *self = uva_waiter_current();

    if (uva_waiter_resumed(self)) {
        int r = uva_waiter_finish(self);

        race->waiter = NULL;
        if (r < 0) {
            return r;
        }
    }
    if (race->left == 0) {
        return 0;
    }
    race->waiter = self;
    return uva_waiter_suspend(self, NULL, NULL);
}

/* Wait until every racer has ended. Their memory is the race's, so that a
 * cancellation is passed on to them and then waited out. */
static int race_run(race_t *race)
{
    int result = 0;

    do {
        int r;
        UVA_DRIVE(r, race_wait, race);
        if (r < 0 && result == 0) {
            result = r;
            race_cancel(race);
        }
    } while (race->left > 0);
    return result;
}

/* Drop the tasks. One that failed had no memory to begin. */
static void race_drop(race_t *race)
{
    for (size_t i = 0; i < race->started; i++) {
        uva_task_t *task = race->racers[i].task;
        int code = task == NULL ? 0 : uva__future_code(&task->base);

        if (code < 0 && code != UV_ECANCELED) {
            race->code = code;
        }
        uva_task_unref(task);
    }
}

int uva_staggered_race(const uva_attempt_t *attempts,
                       size_t count,
                       uint64_t delay_ns,
                       void **ret_result,
                       int *ret_codes)
{
    race_t *race;
    size_t winner;
    int r = uva__block_check();

    if (r >= 0 && count > INT32_MAX) {
        r = UV_EINVAL;
    }
    for (size_t i = 0; r >= 0 && i < count; i++) {
        r = attempts[i].body == NULL ? UV_EINVAL : 0;
    }
    if (r < 0 || count == 0) {
        return uva__bare(r < 0 ? r : UV_ENOENT);
    }
    race = uva__calloc(1, sizeof *race + count * sizeof race->racers[0]);
    if (race == NULL) {
        return UV_ENOMEM;
    }
    race->attempts = attempts;
    race->count = count;
    race->winner = count;
    race->delay_ns = delay_ns;
    race->codes = ret_codes;
    for (size_t i = 0; ret_codes != NULL && i < count; i++) {
        ret_codes[i] = 0;
    }
    race_start_next(race);
    r = race_run(race);
    race_drop(race);
    winner = race->winner;
    if (winner < count && ret_result != NULL) {
        *ret_result = race->result;
    }
    if (r >= 0) {
        r = winner < count   ? (int)winner
            : race->code < 0 ? race->code
                             : UV_ENOENT;
    }
    uva__free(race);
    return uva__bare(r);
}
