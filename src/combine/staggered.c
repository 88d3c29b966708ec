/*
 * Staggered race (asyncio.staggered).
 *
 * Each attempt has a racer, a task of its own. A racer first waits for its
 * turn, until the attempt before it has failed or the delay is over. Then it
 * makes the next racer, and runs the body of its attempt.
 *
 * Invariant: the race ends when the record of every racer has run. Until then
 * the memory of the race stays, whatever happens to the caller. A racer counts
 * as started before its task is made, because the task may run at once.
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
    size_t left;          /* Racers whose record has not run. */
    uva_waiter_t *waiter; /* Borrowed: the caller's, while it waits. */
    size_t winner;        /* Its index; count while there is none. */
    void *result;         /* The winner's. */
    int code;             /* Why an attempt could not begin. */
    racer_t racers[];
};

static int racer_body(void *arg, void **ret_result);

/* The record of a racer has run: its task has ended. */
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

/* Make the next racer, if there is an attempt left. Without memory for it the
 * race goes on with the racers that it has, and tells the code if none wins. */
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

/* Wait until the racer before this one has failed. */
static int racer_turn_poll(racer_t *before)
{
    uva_waiter_t *self = uva_waiter_current();

    if (uva_waiter_resumed(self)) {
        return uva_waiter_finish(self);
    }
    return before->failed ? 0
                          : uva_waiter_suspend(self, NULL, &before->waiters);
}

/* Wait for the turn of a racer; the first one has it. @return 0, or why it
 * never comes: UV_ECANCELED, or no memory for the timeout. asyncio:
 * staggered.py, run_one_coro, wait_for(previous_failed.wait(), delay). */
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

/* Cancel every racer that has begun, but the winner if there is one. */
static void race_cancel(race_t *race)
{
    for (size_t i = 0; i < race->started; i++) {
        if (i != race->winner) {
            (void)uva_task_cancel(race->racers[i].task);
        }
    }
}

/* The task of a racer. Only a cancellation ends it with a code: failures of
 * attempts are told by the race. asyncio: staggered.py, run_one_coro. */
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
        race->code =
            r; /* No memory for the timeout: the attempt is not made. */
        return 0;
    }
    race_start_next(race);
    r = uva__code_of_body(attempt->body(attempt->arg, &result));
    if (r >= 0 && race->winner == race->count) {
        race->winner = racer->index;
        race->result = result;
        race_cancel(race);
        return 0;
    }
    racer->failed = true;
    if (race->codes != NULL) {
        race->codes[racer->index] = r;
    }
    UVA__LIST_FOREACH (waiter, &racer->waiters, uva_waiter_t, link) {
        (void)uva_waiter_wake(waiter);
    }
    return 0;
}

static int racer_body(void *arg, void **ret_result)
{
    (void)ret_result;
    return racer_run(arg);
}

/* Wait until every racer has ended, or the caller is cancelled. */
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

/* Wait until every racer has ended. The racers use the memory of the race, so a
 * cancellation of the caller is passed on to them and then waited out.
 * @return 0, or UV_ECANCELED. */
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

/* Drop the tasks. The failure of an attempt is no failure of its task: a task
 * that failed could not begin, for want of memory. */
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

/* The arguments are looked at before anything is made. */
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
        return uva__bare(UV_ENOMEM);
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
