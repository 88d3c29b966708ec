/*
 * Lock, Event, Condition and Semaphore: CPython's tests, and what C adds.
 */
#include "kinds.h"

#include <stdio.h>
#include <string.h>

#include "sync/waitlists.h"

/* Whether a description ends with, or has in it, some words. */
static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);

    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static bool has(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

/* --- Lock --- */

KIND_TASK(bool, take_lock, uva_lock_t *lock; uva_test_trace_t * trace; int id;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_lock_acquire, self->lock);
    if (self->r < 0) {
        return self->r;
    }
    if (self->trace != NULL) {
        uva_test_trace(self->trace, "%d", self->id);
    }
    *ret = true;
    UVA_END
    return 0;
}

static bool result_of_take_lock(take_lock_task_t *take_task)
{
    bool taken = false;

    ck_assert_int_eq(take_lock_await(take_task, &taken), 0);
    return taken;
}

UVA_TEST(lock_repr)
{
    /* test_locks.py, LockTests.test_repr */
    uva_lock_t lock = UVA_LOCK_INIT;
    char text[64];

    uva_repr(&lock, text, sizeof text);
    ck_assert(ends_with(text, "[unlocked]>"));
    ck_assert_int_eq(strncmp(text, "<Lock object at 0x", 18), 0);
    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    ck_assert_uint_eq(uva_repr(&lock, text, sizeof text), strlen(text));
    ck_assert(ends_with(text, "[locked]>"));

    ck_assert_uint_gt(uva_repr(&lock, text, 6), 6);
    ck_assert_str_eq(text, "<Lock");
}

UVA_TEST(lock_acquire)
{
    /* test_locks.py, LockTests.test_acquire */
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_test_trace_t trace = {0};
    take_lock_task_t *t1;
    take_lock_task_t *t2;
    take_lock_task_t *t3;

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    t1 = KIND_SPAWN(take_lock, &lock, &trace, 1);
    t2 = KIND_SPAWN(take_lock, &lock, &trace, 2);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");

    ck_assert_int_eq(uva_lock_release(&lock), 0);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");

    t3 = KIND_SPAWN(take_lock, &lock, &trace, 3);
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1 2");
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1 2 3");

    ck_assert(UVA_DONE(t1) && UVA_DONE(t2) && UVA_DONE(t3));
    ck_assert(result_of_take_lock(t1));
    ck_assert(result_of_take_lock(t2));
    ck_assert(result_of_take_lock(t3));
}

UVA_TEST(lock_acquire_cancel)
{
    /* test_locks.py, LockTests.test_acquire_cancel */
    uva_lock_t lock = UVA_LOCK_INIT;
    take_lock_task_t *task;

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    task = KIND_SPAWN(take_lock, &lock);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, uva_test_cancel, task, NULL, NULL), 0);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva__sync_count(&lock.waiters), 0);
}

KIND_TASK(void, hold_lock, uva_lock_t *lock; uva_future_t * blocker; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_lock_acquire, self->lock);
    if (self->r < 0) {
        return self->r;
    }
    if (self->blocker != NULL) {
        AWAIT(self->r, uva_await, self->blocker, NULL);
    }
    (void)uva_lock_release(self->lock);
    UVA_END
    return self->r;
}

UVA_TEST(lock_cancel_race)
{
    /* test_locks.py, LockTests.test_cancel_race */
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_future_t *fa = uva_create_future();
    hold_lock_task_t *ta = KIND_SPAWN(hold_lock, &lock, fa);
    hold_lock_task_t *tb;
    hold_lock_task_t *tc;

    UVA_TICK();
    ck_assert(uva_lock_locked(&lock));
    tb = KIND_SPAWN(hold_lock, &lock);
    UVA_TICK();
    ck_assert_uint_eq(uva__sync_count(&lock.waiters), 1);
    tc = KIND_SPAWN(hold_lock, &lock);
    UVA_TICK();
    ck_assert_uint_eq(uva__sync_count(&lock.waiters), 2);

    /* A frees the lock while B, cancelled, still stands in the list. */
    ck_assert_int_eq(uva_future_set_result(fa, NULL, NULL), 0);
    uva_future_cancel(UVA_FUTURE(tb));
    ck_assert(uva_waiter_cancelled(
        UVA__LIST_FIRST(&lock.waiters, uva_waiter_t, link)));
    UVA_TICK();
    ck_assert(!uva_lock_locked(&lock));
    ck_assert(UVA_DONE(ta));
    ck_assert(UVA_CANCELLED(tb));
    ck_assert_int_eq(UVA_JOIN(tc), 0);

    ck_assert_int_eq(UVA_JOIN(ta), 0);
    ck_assert_int_eq(UVA_JOIN(tb), UV_ECANCELED);
    uva_future_unref(fa);
}

typedef struct race_s {
    uva_lock_t lock;
    int call_count;
    int lock_count;
    uva_future_t *first;
} race_t;

KIND_TASK(void, race_lock, race_t *race; int r;)
{
    UVA_BEGIN
    self->race->call_count++;
    AWAIT(self->r, uva_lock_acquire, &self->race->lock);
    if (self->r == 0) {
        self->race->lock_count++;
    }
    UVA_END
    return self->r;
}

static void race_trigger(void *data)
{
    race_t *race = data;

    uva_future_cancel(race->first);
    ck_assert_int_eq(uva_lock_release(&race->lock), 0);
}

UVA_TEST(lock_cancel_release_race)
{
    /* test_locks.py, LockTests.test_cancel_release_race */
    race_t race = {UVA_LOCK_INIT, 0, 0, NULL};
    race_lock_task_t *t1;
    race_lock_task_t *t2;
    race_lock_task_t *t3;

    ck_assert_int_eq(uva_lock_acquire(&race.lock), 0);
    t1 = KIND_SPAWN(race_lock, &race);
    t2 = KIND_SPAWN(race_lock, &race);
    t3 = KIND_SPAWN(race_lock, &race);
    race.first = UVA_FUTURE(t1);
    UVA_TICK();

    ck_assert_int_eq(uva_loop_call_soon(NULL, race_trigger, &race, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_await(UVA_FUTURE(t1), NULL), UV_ECANCELED);
    ck_assert_int_eq(race.lock_count, 1);
    ck_assert_int_eq(race.call_count, 3);
    ck_assert(UVA_CANCELLED(t1) && UVA_DONE(t2));

    uva_future_cancel(UVA_FUTURE(t3));
    UVA_TICK();
    ck_assert(UVA_CANCELLED(t3));
    ck_assert_int_eq(UVA_JOIN(t1), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    ck_assert_int_eq(UVA_JOIN(t3), UV_ECANCELED);
}

UVA_TEST(lock_finished_waiter_cancelled)
{
    /* test_locks.py, LockTests.test_finished_waiter_cancelled */
    uva_lock_t lock = UVA_LOCK_INIT;
    take_lock_task_t *tb;
    take_lock_task_t *tc;

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    ck_assert(uva_lock_locked(&lock));
    tb = KIND_SPAWN(take_lock, &lock);
    UVA_TICK();
    ck_assert_uint_eq(uva__sync_count(&lock.waiters), 1);

    /* Queue a second waiter, cancel the first, free the lock. */
    tc = KIND_SPAWN(take_lock, &lock);
    uva_future_cancel(UVA_FUTURE(tb));
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    UVA_TICK();
    ck_assert(uva_lock_locked(&lock));
    ck_assert(UVA_CANCELLED(tb));

    ck_assert_int_eq(UVA_JOIN(tb), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(tc), 0);
}

UVA_TEST(lock_woken_waiter_cancelled)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    take_lock_task_t *tb;
    take_lock_task_t *tc;

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    tb = KIND_SPAWN(take_lock, &lock);
    tc = KIND_SPAWN(take_lock, &lock);
    UVA_TICK();

    /* Woken first, cancelled then: the second one gets the lock. */
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    uva_future_cancel(UVA_FUTURE(tb));
    ck_assert_int_eq(UVA_JOIN(tb), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(tc), 0);
    ck_assert(uva_lock_locked(&lock));
}

UVA_TEST(lock_newcomer_waits)
{
    uva_lock_t lock;
    uva_test_trace_t trace = {0};
    take_lock_task_t *first;
    int r = 0;

    uva_lock_init(&lock);
    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    first = KIND_SPAWN(take_lock, &lock, &trace, 1);
    UVA_TICK();

    /* Free, and yet not for us: somebody is on the way to take it. */
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    ck_assert(!uva_lock_locked(&lock));
    UVA_TIMEOUT (r, UVA_MS(1)) {
        r = uva_lock_acquire(&lock);
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    ck_assert_str_eq(trace.text, "1");
    ck_assert_int_eq(UVA_JOIN(first), 0);
}

static void release_lock(void *data)
{
    ck_assert_int_eq(uva_lock_release(data), 0);
}

/* A free lock looks at each cancelled waiter once; they count until they run,
 * and who came after them is called by the last. */
UVA_TEST(lock_sees_cancelled_waiters_once)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    take_lock_task_t *tasks[3];
    take_lock_task_t *newcomer;
    char text[64];

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_SPAWN(take_lock, &lock);
    }
    UVA_TICK();
    newcomer = KIND_SPAWN(take_lock, &lock);
    ck_assert_int_eq(uva_loop_call_soon(NULL, release_lock, &lock, NULL, NULL),
                     0);
    for (int i = 0; i < 3; i++) {
        uva_future_cancel(UVA_FUTURE(tasks[i]));
    }
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    ck_assert_uint_eq(uva__sync_count(&lock.waiters), 0);
    uva_repr(&lock, text, sizeof text);
    ck_assert(ends_with(text, "[locked, waiters:3]>"));
    UVA_TICK();
    uva_repr(&lock, text, sizeof text);
    ck_assert(ends_with(text, "[unlocked, waiters:1]>"));
    ck_assert(result_of_take_lock(newcomer));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(UVA_JOIN(tasks[i]), UV_ECANCELED);
    }
}

UVA_TEST(lock_release_not_acquired)
{
    /* test_locks.py, LockTests.test_release_not_acquired */
    uva_lock_t lock = UVA_LOCK_INIT;

    ck_assert_int_eq(uva_lock_release(&lock), UV_EPERM);
}

UVA_TEST(lock_release_no_waiters)
{
    /* test_locks.py, LockTests.test_release_no_waiters */
    uva_lock_t lock = UVA_LOCK_INIT;

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    ck_assert(uva_lock_locked(&lock));
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    ck_assert(!uva_lock_locked(&lock));
}

UVA_TEST(lock_context_manager)
{
    /* test_locks.py, LockTests.test_context_manager */
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_future_t *blocker = uva_create_future();
    hold_lock_task_t *task;

    ck_assert(!uva_lock_locked(&lock));
    task = KIND_SPAWN(hold_lock, &lock, blocker);
    UVA_TICK();
    ck_assert(uva_lock_locked(&lock));
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(!uva_lock_locked(&lock));
    uva_future_unref(blocker);
}

/* --- Event --- */

KIND_TASK(bool, wait_event, uva_event_t *event; uva_test_trace_t * trace;
          int id;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_event_wait, self->event);
    if (self->r < 0) {
        return self->r;
    }
    if (self->trace != NULL) {
        uva_test_trace(self->trace, "%d", self->id);
    }
    *ret = true;
    UVA_END
    return 0;
}

UVA_TEST(event_repr)
{
    /* test_locks.py, EventTests.test_repr */
    uva_event_t event;
    wait_event_task_t *task;
    char text[64];

    uva_event_init(&event);
    uva_repr(&event, text, sizeof text);
    ck_assert(ends_with(text, "[unset]>"));
    uva_event_set(&event);
    uva_repr(&event, text, sizeof text);
    ck_assert(ends_with(text, "[set]>"));
    ck_assert_int_eq(strncmp(text, "<Event object at 0x", 19), 0);

    uva_event_clear(&event);
    task = KIND_SPAWN(wait_event, &event);
    UVA_TICK();
    uva_repr(&event, text, sizeof text);
    ck_assert(has(text, "waiters:1"));
    uva_event_set(&event);
    ck_assert_int_eq(UVA_JOIN(task), 0);
}

UVA_TEST(event_wait)
{
    /* test_locks.py, EventTests.test_wait */
    uva_event_t event = UVA_EVENT_INIT;
    uva_test_trace_t trace = {0};
    wait_event_task_t *t1;
    wait_event_task_t *t2;
    wait_event_task_t *t3;

    ck_assert(!uva_event_is_set(&event));
    t1 = KIND_SPAWN(wait_event, &event, &trace, 1);
    t2 = KIND_SPAWN(wait_event, &event, &trace, 2);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");

    t3 = KIND_SPAWN(wait_event, &event, &trace, 3);
    uva_event_set(&event);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "3 1 2");
    ck_assert(UVA_DONE(t1) && UVA_DONE(t2) && UVA_DONE(t3));
    ck_assert_int_eq(UVA_JOIN(t1), 0);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    ck_assert_int_eq(UVA_JOIN(t3), 0);
}

UVA_TEST(event_wait_on_set)
{
    /* test_locks.py, EventTests.test_wait_on_set */
    uva_event_t event = UVA_EVENT_INIT;
    uint64_t before = uva_loop_iterations(uva_get_running_loop());

    uva_event_set(&event);
    ck_assert_int_eq(uva_event_wait(&event), 0);
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()), before);
}

UVA_TEST(event_wait_cancel)
{
    /* test_locks.py, EventTests.test_wait_cancel */
    uva_event_t event = UVA_EVENT_INIT;
    wait_event_task_t *task = KIND_SPAWN(wait_event, &event);

    ck_assert_int_eq(
        uva_loop_call_soon(NULL, uva_test_cancel, task, NULL, NULL), 0);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva__sync_count(&event.waiters), 0);
}

UVA_TEST(event_clear)
{
    /* test_locks.py, EventTests.test_clear */
    uva_event_t event = UVA_EVENT_INIT;

    ck_assert(!uva_event_is_set(&event));
    uva_event_set(&event);
    ck_assert(uva_event_is_set(&event));
    uva_event_clear(&event);
    ck_assert(!uva_event_is_set(&event));
}

UVA_TEST(event_clear_with_waiters)
{
    /* test_locks.py, EventTests.test_clear_with_waiters */
    uva_event_t event = UVA_EVENT_INIT;
    uva_test_trace_t trace = {0};
    wait_event_task_t *task = KIND_SPAWN(wait_event, &event, &trace, 1);
    bool result = false;

    UVA_TICK();
    ck_assert_str_eq(trace.text, "");
    uva_event_set(&event);
    uva_event_clear(&event);
    ck_assert(!uva_event_is_set(&event));
    uva_event_set(&event);
    uva_event_set(&event);
    ck_assert_uint_eq(uva__sync_count(&event.waiters), 1);

    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");
    ck_assert_uint_eq(uva__sync_count(&event.waiters), 0);
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(wait_event_await(task, &result), 0);
    ck_assert(result);
}

UVA_TEST(event_set_and_cleared_still_wakes)
{
    uva_event_t event = UVA_EVENT_INIT;
    wait_event_task_t *task = KIND_SPAWN(wait_event, &event);

    UVA_TICK();
    uva_event_set(&event);
    uva_event_clear(&event);
    UVA_TICK();
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(UVA_JOIN(task), 0);
}

/* --- Condition --- */

/* Acquire, wait, tell, and release if asked to. */
KIND_TASK(bool, wait_condition, uva_condition_t *condition;
          uva_test_trace_t * trace;
          int id;
          bool release;
          int r;)
{
    UVA_BEGIN
    AWAIT_IS(0, uva_condition_acquire, self->condition);
    AWAIT(self->r, uva_condition_wait, self->condition);
    if (self->r < 0) {
        return self->r;
    }
    uva_test_trace(self->trace, "%d", self->id);
    if (self->release) {
        ck_assert_int_eq(uva_condition_release(self->condition), 0);
    }
    *ret = true;
    UVA_END
    return 0;
}

/* wait alone: whoever has acquired. */
KIND_TASK(void, only_wait, uva_condition_t *condition; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_condition_wait, self->condition);
    UVA_END
    return self->r;
}

static bool result_of_wait_condition(wait_condition_task_t *take_task)
{
    bool waited = false;

    ck_assert(UVA_DONE(take_task));
    ck_assert_int_eq(wait_condition_await(take_task, &waited), 0);
    return waited;
}

static void acquire(uva_condition_t *condition)
{
    ck_assert_int_eq(uva_condition_acquire(condition), 0);
}

static void release(uva_condition_t *condition)
{
    ck_assert_int_eq(uva_condition_release(condition), 0);
}

static void notify(uva_condition_t *condition, size_t count)
{
    ck_assert_int_eq(uva_condition_notify(condition, count), 0);
}

UVA_TEST(condition_wait)
{
    /* test_locks.py, ConditionTests.test_wait */
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    wait_condition_task_t *t1;
    wait_condition_task_t *t2;
    wait_condition_task_t *t3;

    t1 = KIND_SPAWN(wait_condition, &condition, &trace, 1);
    t2 = KIND_SPAWN(wait_condition, &condition, &trace, 2);
    t3 = KIND_SPAWN(wait_condition, &condition, &trace, 3);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");
    ck_assert(!uva_condition_locked(&condition));

    acquire(&condition);
    notify(&condition, 1);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");
    ck_assert(uva_condition_locked(&condition));
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");
    ck_assert(uva_condition_locked(&condition));

    notify(&condition, 2);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");
    ck_assert(uva_condition_locked(&condition));
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1 2");
    ck_assert(uva_condition_locked(&condition));
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1 2 3");
    ck_assert(uva_condition_locked(&condition));

    ck_assert(result_of_wait_condition(t1));
    ck_assert(result_of_wait_condition(t2));
    ck_assert(result_of_wait_condition(t3));
}

UVA_TEST(condition_wait_cancel)
{
    /* test_locks.py, ConditionTests.test_wait_cancel */
    uva_condition_t condition = UVA_CONDITION_INIT;
    only_wait_task_t *task;

    acquire(&condition);
    task = KIND_SPAWN(only_wait, &condition);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, uva_test_cancel, task, NULL, NULL), 0);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(uva__sync_count(&condition.waiters), 0);
    ck_assert(uva_condition_locked(&condition));
}

static void release_condition(void *data)
{
    release(data);
}

UVA_TEST(condition_wait_cancel_contested)
{
    /* test_locks.py, ConditionTests.test_wait_cancel_contested */
    uva_condition_t condition = UVA_CONDITION_INIT;
    only_wait_task_t *task;

    acquire(&condition);
    ck_assert(uva_condition_locked(&condition));
    task = KIND_SPAWN(only_wait, &condition);
    UVA_TICK();
    ck_assert(!uva_condition_locked(&condition));

    /* Notified, but kept from the lock until it is cancelled. */
    acquire(&condition);
    ck_assert(uva_condition_locked(&condition));
    notify(&condition, 1);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, uva_test_cancel, task, NULL, NULL), 0);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, release_condition, &condition, NULL, NULL), 0);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(uva_condition_locked(&condition));
}

KIND_TASK(void, wait_inside, uva_condition_t *condition; bool *waited; int r;)
{
    UVA_BEGIN
    AWAIT_IS(0, uva_condition_acquire, self->condition);
    *self->waited = true;
    AWAIT(self->r, uva_condition_wait, self->condition);
    (void)uva_condition_release(self->condition);
    UVA_END
    return self->r;
}

UVA_TEST(condition_wait_cancel_after_notify)
{
    /* test_locks.py, ConditionTests.test_wait_cancel_after_notify */
    uva_condition_t condition = UVA_CONDITION_INIT;
    bool waited = false;
    wait_inside_task_t *waiter = KIND_SPAWN(wait_inside, &condition, &waited);

    UVA_TICK(); /* It waits. */
    acquire(&condition);
    notify(&condition, 1);
    UVA_TICK(); /* It waits for the lock. */
    uva_future_cancel(UVA_FUTURE(waiter));
    UVA_TICK(); /* It is cancelled there, and waits on. */
    ck_assert(!UVA_DONE(waiter));
    release(&condition);
    UVA_TICK();
    ck_assert(UVA_CANCELLED(waiter));
    ck_assert(waited);
    ck_assert_int_eq(UVA_JOIN(waiter), UV_ECANCELED);
    ck_assert(!uva_condition_locked(&condition));
}

UVA_TEST(condition_wait_unacquired)
{
    /* test_locks.py, ConditionTests.test_wait_unacquired */
    uva_condition_t condition = UVA_CONDITION_INIT;
    only_wait_task_t *task = KIND_SPAWN(only_wait, &condition);

    ck_assert_int_eq(UVA_JOIN(task), UV_EPERM);
}

static int value_of(void *data)
{
    return *(const int *)data;
}

KIND_TASK(bool, wait_value, uva_condition_t *condition; int *value;
          uva_test_trace_t * trace;
          int r;)
{
    UVA_BEGIN
    AWAIT_IS(0, uva_condition_acquire, self->condition);
    AWAIT(self->r, uva_condition_wait_for, self->condition, value_of,
          self->value);
    if (self->r > 0) {
        uva_test_trace(self->trace, "1");
        (void)uva_condition_release(self->condition);
    }
    *ret = true;
    UVA_END
    return self->r < 0 ? self->r : 0;
}

UVA_TEST(condition_wait_for)
{
    /* test_locks.py, ConditionTests.test_wait_for */
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    int value = 0;
    bool result = false;
    wait_value_task_t *task =
        KIND_SPAWN(wait_value, &condition, &value, &trace);

    UVA_TICK();
    ck_assert_str_eq(trace.text, "");
    acquire(&condition);
    notify(&condition, 1);
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");

    value = 1;
    acquire(&condition);
    notify(&condition, 1);
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(wait_value_await(task, &result), 0);
    ck_assert(result);
}

UVA_TEST(condition_wait_for_unacquired)
{
    /* test_locks.py, ConditionTests.test_wait_for_unacquired */
    uva_condition_t condition = UVA_CONDITION_INIT;
    int value = 123;

    /* What the predicate gives at once comes back, lock or not. */
    ck_assert_int_eq(uva_condition_wait_for(&condition, value_of, &value), 123);
    value = 0;
    ck_assert_int_eq(uva_condition_wait_for(&condition, value_of, &value),
                     UV_EPERM);
}

UVA_TEST(condition_predicate_fails)
{
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    int value = 0;
    wait_value_task_t *task =
        KIND_SPAWN(wait_value, &condition, &value, &trace);

    UVA_TICK();
    value = UVA_EUSER;
    acquire(&condition);
    notify(&condition, 1);
    release(&condition);
    ck_assert_int_eq(UVA_JOIN(task), UVA_EUSER);
    ck_assert(uva_condition_locked(&condition));
}

UVA_TEST(condition_notify)
{
    /* test_locks.py, ConditionTests.test_notify */
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    wait_condition_task_t *t1;
    wait_condition_task_t *t2;
    wait_condition_task_t *t3;

    t1 = KIND_SPAWN(wait_condition, &condition, &trace, 1, true);
    t2 = KIND_SPAWN(wait_condition, &condition, &trace, 2, true);
    t3 = KIND_SPAWN(wait_condition, &condition, &trace, 3, true);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");

    acquire(&condition);
    notify(&condition, 1);
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");

    acquire(&condition);
    notify(&condition, 1);
    notify(&condition, 2048);
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1 2 3");
    ck_assert(result_of_wait_condition(t1));
    ck_assert(result_of_wait_condition(t2));
    ck_assert(result_of_wait_condition(t3));
}

UVA_TEST(condition_notify_all)
{
    /* test_locks.py, ConditionTests.test_notify_all */
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    wait_condition_task_t *t1;
    wait_condition_task_t *t2;

    t1 = KIND_SPAWN(wait_condition, &condition, &trace, 1, true);
    t2 = KIND_SPAWN(wait_condition, &condition, &trace, 2, true);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "");
    acquire(&condition);
    ck_assert_int_eq(uva_condition_notify_all(&condition), 0);
    release(&condition);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1 2");
    ck_assert(result_of_wait_condition(t1));
    ck_assert(result_of_wait_condition(t2));
}

UVA_TEST(condition_notify_unacquired)
{
    /* test_locks.py, ConditionTests.test_notify_unacquired, and
     * test_locks.py, ConditionTests.test_notify_all_unacquired */
    uva_condition_t condition = UVA_CONDITION_INIT;

    ck_assert_int_eq(uva_condition_notify(&condition, 1), UV_EPERM);
    ck_assert_int_eq(uva_condition_notify_all(&condition), UV_EPERM);
}

UVA_TEST(condition_repr)
{
    /* test_locks.py, ConditionTests.test_repr */
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    wait_condition_task_t *t1;
    wait_condition_task_t *t2;
    char text[64];

    uva_repr(&condition, text, sizeof text);
    ck_assert(ends_with(text, "[unlocked]>"));
    acquire(&condition);
    uva_repr(&condition, text, sizeof text);
    ck_assert(ends_with(text, "[locked]>"));
    release(&condition);

    t1 = KIND_SPAWN(wait_condition, &condition, &trace, 1, true);
    UVA_TICK();
    uva_repr(&condition, text, sizeof text);
    ck_assert(ends_with(text, "[unlocked, waiters:1]>"));
    t2 = KIND_SPAWN(wait_condition, &condition, &trace, 2, true);
    UVA_TICK();
    uva_repr(&condition, text, sizeof text);
    ck_assert(has(text, "waiters:2"));
    ck_assert_int_eq(strncmp(text, "<Condition object at 0x", 23), 0);

    acquire(&condition);
    ck_assert_int_eq(uva_condition_notify_all(&condition), 0);
    release(&condition);
    ck_assert_int_eq(UVA_JOIN(t1), 0);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
}

UVA_TEST(condition_context_manager)
{
    /* test_locks.py, ConditionTests.test_context_manager */
    uva_condition_t condition = UVA_CONDITION_INIT;
    bool waited = false;
    wait_inside_task_t *task = KIND_SPAWN(wait_inside, &condition, &waited);

    ck_assert(!uva_condition_locked(&condition));
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(waited);
    ck_assert(!uva_condition_locked(&condition));
}

static void check_shared_lock(uva_lock_t *lock, uva_condition_t *condition)
{
    ck_assert(!uva_lock_locked(lock));
    ck_assert(!uva_condition_locked(condition));
    acquire(condition);
    ck_assert(uva_lock_locked(lock));
    ck_assert(uva_condition_locked(condition));
    release(condition);
    ck_assert(!uva_lock_locked(lock));
    ck_assert(!uva_condition_locked(condition));
    ck_assert_int_eq(uva_lock_acquire(lock), 0);
    ck_assert(uva_lock_locked(lock));
    ck_assert(uva_condition_locked(condition));
    ck_assert_int_eq(uva_lock_release(lock), 0);
    ck_assert(!uva_lock_locked(lock));
    ck_assert(!uva_condition_locked(condition));
}

UVA_TEST(condition_explicit_lock)
{
    /* test_locks.py, ConditionTests.test_explicit_lock */
    static uva_lock_t shared = UVA_LOCK_INIT;
    static uva_condition_t fixed = UVA_CONDITION_INIT_WITH(&shared);
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_condition_t condition;

    uva_condition_init(&condition, NULL);
    check_shared_lock(&condition.own, &condition);
    uva_condition_init(&condition, &lock);
    ck_assert_ptr_eq(condition.lock, &lock);
    check_shared_lock(&lock, &condition);
    check_shared_lock(&shared, &fixed);
}

UVA_TEST(condition_ambiguous_loops)
{
    /* test_locks.py, ConditionTests.test_ambiguous_loops */
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_condition_t condition = UVA_CONDITION_INIT_WITH(&lock);
    uva_loop_t *other;

    other = new_loop();
    lock.loop = other;
    /* Taken at once, without a look at any loop. */
    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    ck_assert_int_eq(uva_condition_acquire(&condition), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_condition_wait(&condition), UVA_EWRONGLOOP);
    ck_assert(uva_lock_locked(&lock));

    lock.loop = NULL;
    condition.loop = other;
    ck_assert_int_eq(uva_condition_wait(&condition), UVA_EWRONGLOOP);
    ck_assert(uva_lock_locked(&lock));
    end_loop(other);
}

UVA_TEST(condition_timeout_in_block)
{
    /* test_locks.py, ConditionTests.test_timeout_in_block */
    uva_condition_t condition = UVA_CONDITION_INIT;
    int r;

    acquire(&condition);
    UVA_TIMEOUT (r, UVA_MS(500)) {
        r = uva_condition_wait(&condition);
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    ck_assert(uva_condition_locked(&condition));
    release(&condition);
}

/* Cancelled while it waits for a notification, or for the lock after one: the
 * message arrives. */
static const struct {
    const char *name;
    bool relock;
} messages[] = {
    /* test_locks.py, ConditionTests: rows */
    {"cancelled_error_wakeup", false},
    {"cancelled_error_re_aquire", true},
};

UVA_TEST(condition_cancelled_error)
{
    bool relock = UVA_ROW(messages)->relock;
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    int wake = 0;
    wait_value_task_t *task = KIND_SPAWN(wait_value, &condition, &wake, &trace);

    UVA_TICK();
    if (relock) {
        acquire(&condition);
        wake = 1;
        notify(&condition, 1);
        UVA_TICK();
    }
    uva_future_cancel_message(UVA_FUTURE(task), "foo");
    if (relock) {
        release(&condition);
    }
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
    ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)), "foo");
    ck_assert(uva_condition_locked(&condition));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
}

typedef struct store_s {
    uva_condition_t condition;
    int state; /* Items to be consumed; negative: go home. */
} store_t;

static int store_filled(void *data)
{
    return ((const store_t *)data)->state != 0;
}

static int store_empty(void *data)
{
    return ((const store_t *)data)->state == 0;
}

KIND_TASK(void, consume, store_t *store; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_condition_acquire, &self->store->condition);
    ck_assert_int_eq(self->r, 0);
    while (self->r >= 0 && self->store->state >= 0) {
        AWAIT(self->r, uva_condition_wait_for, &self->store->condition,
              store_filled, self->store);
        if (self->r > 0 && self->store->state > 0) {
            self->store->state--;
        }
    }
    (void)uva_condition_release(&self->store->condition);
    UVA_END
    return self->r < 0 ? self->r : 0;
}

/* A notification whose receiver is cancelled, before it wakes or while it
 * waits for the lock, must reach the other consumer. */
static const struct {
    const char *name;
    bool relock;
} wakeups[] = {
    /* test_locks.py, ConditionTests: rows */
    {"cancelled_wakeup", false},
    {"cancelled_wakeup_relock", true},
};

UVA_TEST(condition_cancelled_wakeup)
{
    store_t store = {UVA_CONDITION_INIT, 0};
    consume_task_t *c0 = KIND_SPAWN(consume, &store);
    consume_task_t *c1 = KIND_SPAWN(consume, &store);
    int r = 0;

    UVA_TICK();
    acquire(&store.condition);
    store.state++;
    notify(&store.condition, 1);
    if (UVA_ROW(wakeups)->relock) {
        UVA_TICK();
    }
    uva_future_cancel(UVA_FUTURE(c0));
    UVA_TIMEOUT (r, UVA_MS(10)) {
        r = uva_condition_wait_for(&store.condition, store_empty, &store);
    }
    ck_assert_int_eq(store.state, 0);
    ck_assert_int_eq(r, UV_ETIMEDOUT); /* Nobody tells that it is empty. */

    store.state = -1;
    ck_assert_int_eq(uva_condition_notify_all(&store.condition), 0);
    release(&store.condition);
    ck_assert_int_eq(UVA_JOIN(c1), 0);
    ck_assert_int_eq(UVA_JOIN(c0), UV_ECANCELED);
}

UVA_TEST(condition_cancelled_again_and_again)
{
    uva_condition_t condition = UVA_CONDITION_INIT;
    only_wait_task_t *task;

    acquire(&condition);
    task = KIND_SPAWN(only_wait, &condition);
    UVA_TICK();
    acquire(&condition);
    for (int i = 0; i < 3; i++) {
        uva_future_cancel(UVA_FUTURE(task));
        UVA_TICK();
        ck_assert(!UVA_DONE(task)); /* It waits for the lock. */
    }
    release(&condition);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert(uva_condition_locked(&condition));
}

UVA_TEST(condition_wait_with_cancellation_due)
{
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_test_trace_t trace = {0};
    uint64_t before = uva_loop_iterations(uva_get_running_loop());
    wait_condition_task_t *task;

    /* Whoever waits for the lock comes before a waiter that is cancelled from
     * the first, which so finds it free. */
    acquire(&condition);
    task = KIND_SPAWN(wait_condition, &condition, &trace, 1, true);
    UVA_TICK();
    uva_task_cancel(uva_current_task());
    ck_assert_int_eq(uva_condition_wait(&condition), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()), before + 2);
    ck_assert(uva_condition_locked(&condition));
    ck_assert_uint_eq(uva_task_uncancel(uva_current_task()), 0);
    ck_assert_int_eq(uva_condition_notify_all(&condition), 0);
    release(&condition);
    ck_assert_int_eq(UVA_JOIN(task), 0);
}

/* --- Semaphore --- */

KIND_TASK(bool, take_permit, uva_semaphore_t *semaphore;
          uva_test_trace_t * trace;
          int id;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_semaphore_acquire, self->semaphore);
    if (self->r < 0) {
        return self->r;
    }
    if (self->trace != NULL) {
        uva_test_trace(self->trace, "%d", self->id);
    }
    *ret = true;
    UVA_END
    return 0;
}

static size_t waiters_of(const uva_semaphore_t *semaphore)
{
    return uva__sync_count(&semaphore->waiters) + semaphore->woken_count;
}

static void permit(uva_semaphore_t *semaphore)
{
    ck_assert_int_eq(uva_semaphore_release(semaphore), 0);
}

UVA_TEST(semaphore_initial_value_zero)
{
    /* test_locks.py, SemaphoreTests.test_initial_value_zero */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(0);

    ck_assert(uva_semaphore_locked(&semaphore));
}

UVA_TEST(semaphore_repr)
{
    /* test_locks.py, SemaphoreTests.test_repr */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(1);
    uva_semaphore_t bounded = UVA_BOUNDED_SEMAPHORE_INIT(2);
    take_permit_task_t *t1;
    take_permit_task_t *t2;
    char text[64];

    uva_repr(&semaphore, text, sizeof text);
    ck_assert(ends_with(text, "[unlocked, value:1]>"));
    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    uva_repr(&semaphore, text, sizeof text);
    ck_assert(ends_with(text, "[locked]>"));
    ck_assert(!has(text, "waiters"));

    t1 = KIND_SPAWN(take_permit, &semaphore);
    UVA_TICK();
    uva_repr(&semaphore, text, sizeof text);
    ck_assert(has(text, "waiters:1"));
    t2 = KIND_SPAWN(take_permit, &semaphore);
    UVA_TICK();
    permit(&semaphore); /* The first is woken and still waits. */
    uva_repr(&semaphore, text, sizeof text);
    ck_assert(has(text, "waiters:2"));
    ck_assert_int_eq(strncmp(text, "<Semaphore object at 0x", 23), 0);
    permit(&semaphore);
    ck_assert_int_eq(UVA_JOIN(t1), 0);
    ck_assert_int_eq(UVA_JOIN(t2), 0);

    uva_repr(&bounded, text, sizeof text);
    ck_assert_int_eq(strncmp(text, "<BoundedSemaphore object at 0x", 30), 0);
}

UVA_TEST(semaphore_value)
{
    /* test_locks.py, SemaphoreTests.test_semaphore_value */
    uva_semaphore_t semaphore;

    ck_assert_int_eq(uva_semaphore_init(&semaphore, -1), UV_EINVAL);
    ck_assert_int_eq(uva_bounded_semaphore_init(&semaphore, -1), UV_EINVAL);
    ck_assert(uva_semaphore_locked(&semaphore));
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 0);
    ck_assert_int_eq(uva_semaphore_init(&semaphore, 1), 0);
    ck_assert(!uva_semaphore_locked(&semaphore));
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 1);
}

/* A release gives its permit to the waiter at once, and the waiter gives it
 * back if it is cancelled before it runs. */
UVA_TEST(semaphore_value_while_tasks_wait)
{
    uva_semaphore_t semaphore = UVA_BOUNDED_SEMAPHORE_INIT(2);
    take_permit_task_t *task;

    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 1);
    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    task = KIND_SPAWN(take_permit, &semaphore);
    UVA_TICK();
    permit(&semaphore);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 0);
    permit(&semaphore);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 1);
    ck_assert(uva_semaphore_locked(&semaphore));
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 2);
    ck_assert(!uva_semaphore_locked(&semaphore));
}

UVA_TEST(semaphore_acquire)
{
    /* test_locks.py, SemaphoreTests.test_acquire */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(3);
    uva_test_trace_t trace = {0};
    take_permit_task_t *tasks[4];

    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    ck_assert(!uva_semaphore_locked(&semaphore));
    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_SPAWN(take_permit, &semaphore, &trace, i + 1);
    }
    UVA_TICK();
    ck_assert_str_eq(trace.text, "1");
    ck_assert(uva_semaphore_locked(&semaphore));
    ck_assert_uint_eq(waiters_of(&semaphore), 2);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 0);

    tasks[3] = KIND_SPAWN(take_permit, &semaphore, &trace, 4);
    permit(&semaphore);
    permit(&semaphore);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 0);
    UVA_TICK();
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 0);
    ck_assert_str_eq(trace.text, "1 2 3");
    ck_assert(uva_semaphore_locked(&semaphore));
    ck_assert_uint_eq(waiters_of(&semaphore), 1);
    ck_assert(UVA_DONE(tasks[0]));
    ck_assert(UVA_DONE(tasks[1]) && UVA_DONE(tasks[2]) && !UVA_DONE(tasks[3]));

    permit(&semaphore);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 4, 0, NULL), 0);
}

UVA_TEST(semaphore_acquire_cancel)
{
    /* test_locks.py, SemaphoreTests.test_acquire_cancel */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(1);
    take_permit_task_t *task;

    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    task = KIND_SPAWN(take_permit, &semaphore);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, uva_test_cancel, task, NULL, NULL), 0);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(waiters_of(&semaphore), 0);
}

/* The first waiters are cancelled and have not run: the permit is for the next
 * one, and for no other. */
static const struct {
    const char *name;
    int tasks;
    int cancelled;
} not_awoken[] = {
    /* test_locks.py, SemaphoreTests: rows */
    {"acquire_cancel_before_awoken", 4, 2},
    {"acquire_hang", 2, 1},
};

UVA_TEST(semaphore_cancelled_before_awoken)
{
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(0);
    int count = UVA_ROW(not_awoken)->tasks;
    int cancelled = UVA_ROW(not_awoken)->cancelled;
    take_permit_task_t *tasks[4];

    for (int i = 0; i < count; i++) {
        tasks[i] = KIND_SPAWN(take_permit, &semaphore);
    }
    UVA_TICK();
    for (int i = 0; i < cancelled; i++) {
        uva_future_cancel(UVA_FUTURE(tasks[i]));
    }
    permit(&semaphore);
    UVA_TICK();
    UVA_TICK();
    ck_assert(uva_semaphore_locked(&semaphore));
    for (int i = cancelled; i < count; i++) {
        ck_assert_int_eq(UVA_DONE(tasks[i]), i == cancelled);
        uva_future_cancel(UVA_FUTURE(tasks[i]));
    }
    UVA_TICK();
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(UVA_JOIN(tasks[i]), i == cancelled ? 0 : UV_ECANCELED);
    }
}

typedef struct pair_s {
    uva_semaphore_t semaphore;
    uva_future_t *second;
} pair_t;

KIND_TASK(void, hold_permit, pair_t *pair; bool second; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_semaphore_acquire, &self->pair->semaphore);
    if (self->r < 0) {
        return self->r;
    }
    ck_assert(!self->second);
    AWAIT(self->r, uva_sleep, 0);
    (void)uva_semaphore_release(&self->pair->semaphore);
    uva_future_cancel(self->pair->second);
    UVA_END
    return self->r;
}

UVA_TEST(semaphore_acquire_no_hang)
{
    /* test_locks.py, SemaphoreTests.test_acquire_no_hang */
    pair_t pair = {UVA_SEMAPHORE_INIT(1), NULL};
    hold_permit_task_t *tasks[2];
    uva_result_t results[2];
    int r = 0;

    tasks[0] = KIND_SPAWN(hold_permit, &pair, false);
    tasks[1] = KIND_SPAWN(hold_permit, &pair, true);
    pair.second = UVA_FUTURE(tasks[1]);
    ck_assert_int_eq(
        uva_gather(UVA_FUTURES(tasks), 2, UVA_RETURN_EXCEPTIONS, results), 0);
    ck_assert_int_eq(results[0].status, 0);
    ck_assert_int_eq(results[1].status, UV_ECANCELED);

    /* The permit that the second one had was given back. */
    UVA_TIMEOUT (r, UVA_SEC(1)) {
        r = uva_semaphore_acquire(&pair.semaphore);
    }
    ck_assert_int_eq(r, 0);
}

UVA_TEST(semaphore_release_not_acquired)
{
    /* test_locks.py, SemaphoreTests.test_release_not_acquired */
    uva_semaphore_t semaphore = UVA_BOUNDED_SEMAPHORE_INIT(1);

    ck_assert_int_eq(uva_semaphore_release(&semaphore), UV_EINVAL);
    ck_assert_int_eq(uva_semaphore_value(&semaphore), 1);
}

UVA_TEST(semaphore_release_no_waiters)
{
    /* test_locks.py, SemaphoreTests.test_release_no_waiters */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(1);

    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), 0);
    ck_assert(uva_semaphore_locked(&semaphore));
    permit(&semaphore);
    ck_assert(!uva_semaphore_locked(&semaphore));
}

KIND_TASK(void, twice, uva_semaphore_t *semaphore; uva_test_trace_t * trace;
          const char *tag;
          int round;
          uva_sleep_op_t sleep;
          int r;)
{
    UVA_BEGIN
    for (self->round = 1; self->round <= 2; self->round++) {
        AWAIT_IS(0, uva_semaphore_acquire, self->semaphore);
        uva_test_trace(self->trace, "%s_%d", self->tag, self->round);
        AWAIT_OP(self->r, uva_sleep, &self->sleep, UVA_MS(10));
        ck_assert_int_eq(self->r, 0);
        (void)uva_semaphore_release(self->semaphore);
    }
    UVA_END
    return 0;
}

UVA_TEST(semaphore_acquire_fifo_order)
{
    /* test_locks.py, SemaphoreTests.test_acquire_fifo_order */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(1);
    uva_test_trace_t trace = {0};
    twice_task_t *tasks[3];

    tasks[0] = KIND_SPAWN(twice, &semaphore, &trace, "c1");
    tasks[1] = KIND_SPAWN(twice, &semaphore, &trace, "c2");
    tasks[2] = KIND_SPAWN(twice, &semaphore, &trace, "c3");
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 3, 0, NULL), 0);
    ck_assert_str_eq(trace.text, "c1_1 c2_1 c3_1 c1_2 c2_2 c3_2");
}

/* Take, tell, give back, take again, tell. */
KIND_TASK(void, take_again, uva_semaphore_t *semaphore;
          uva_test_trace_t * trace;)
{
    UVA_BEGIN
    AWAIT_IS(0, uva_semaphore_acquire, self->semaphore);
    uva_test_trace(self->trace, "2");
    (void)uva_semaphore_release(self->semaphore);
    AWAIT_IS(0, uva_semaphore_acquire, self->semaphore);
    uva_test_trace(self->trace, "4");
    UVA_END
    return 0;
}

UVA_TEST(semaphore_acquire_fifo_order_2)
{
    /* test_locks.py, SemaphoreTests.test_acquire_fifo_order_2 */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(1);
    uva_test_trace_t trace = {0};
    uva_future_t *tasks[3];

    tasks[0] = UVA_FUTURE(KIND_SPAWN(take_permit, &semaphore, &trace, 1));
    tasks[1] = UVA_FUTURE(KIND_SPAWN(take_again, &semaphore, &trace));
    tasks[2] = UVA_FUTURE(KIND_SPAWN(take_permit, &semaphore, &trace, 3));
    UVA_TICK();
    permit(&semaphore);
    permit(&semaphore);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 3, 0, NULL), 0);
    ck_assert_str_eq(trace.text, "1 2 3 4");
}

UVA_TEST(semaphore_acquire_fifo_order_3)
{
    /* test_locks.py, SemaphoreTests.test_acquire_fifo_order_3 */
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(0);
    uva_test_trace_t trace = {0};
    take_permit_task_t *tasks[3];
    uva_result_t results[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_SPAWN(take_permit, &semaphore, &trace, i + 1);
    }
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(tasks[0]));
    UVA_TICK();
    permit(&semaphore);
    permit(&semaphore);
    ck_assert_int_eq(
        uva_gather(UVA_FUTURES(tasks), 3, UVA_RETURN_EXCEPTIONS, results), 0);
    ck_assert_str_eq(trace.text, "2 3");
}

typedef struct chain_s {
    uva_semaphore_t semaphore;
    uva_test_trace_t trace;
    uva_future_t *fourth;
} chain_t;

KIND_TASK(void, chain_4, chain_t *chain; int r;)
{
    UVA_BEGIN
    uva_test_trace(&self->chain->trace, "4");
    UVA_END
    return 0;
}

/* Waits at once; woken by the second, it lets the third go before a fourth. */
KIND_TASK(void, chain_1, chain_t *chain;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_semaphore_value(&self->chain->semaphore), 0);
    AWAIT_IS(0, uva_semaphore_acquire, &self->chain->semaphore);
    ck_assert_int_eq(uva_semaphore_value(&self->chain->semaphore), 0);
    self->chain->fourth = UVA_FUTURE(KIND_SPAWN(chain_4, self->chain));
    uva_test_trace(&self->chain->trace, "1");
    UVA_END
    return 0;
}

KIND_TASK(void, chain_2, chain_t *chain;)
{
    UVA_BEGIN
    permit(&self->chain->semaphore);
    permit(&self->chain->semaphore);
    permit(&self->chain->semaphore);
    ck_assert_int_eq(uva_semaphore_value(&self->chain->semaphore), 2);
    /* The first has not run yet. */
    ck_assert(uva_semaphore_locked(&self->chain->semaphore));
    AWAIT_IS(0, uva_semaphore_acquire, &self->chain->semaphore);
    uva_test_trace(&self->chain->trace, "2");
    UVA_END
    return 0;
}

KIND_TASK(void, chain_3, chain_t *chain;)
{
    UVA_BEGIN
    AWAIT_IS(0, uva_semaphore_acquire, &self->chain->semaphore);
    ck_assert(uva_semaphore_locked(&self->chain->semaphore));
    uva_test_trace(&self->chain->trace, "3");
    UVA_END
    return 0;
}

UVA_TEST(semaphore_acquire_fifo_order_4)
{
    /* test_locks.py, SemaphoreTests.test_acquire_fifo_order_4 */
    chain_t chain = {UVA_SEMAPHORE_INIT(0), {{0}, 0}, NULL};
    uva_future_t *tasks[4];

    tasks[0] = UVA_FUTURE(KIND_SPAWN(chain_1, &chain));
    tasks[1] = UVA_FUTURE(KIND_SPAWN(chain_2, &chain));
    tasks[2] = UVA_FUTURE(KIND_SPAWN(chain_3, &chain));
    UVA_TICK();
    ck_assert_int_eq(uva_semaphore_value(&chain.semaphore), 2);
    ck_assert_uint_eq(waiters_of(&chain.semaphore), 3);
    UVA_TICK();
    tasks[3] = chain.fourth;
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 4, 0, NULL), 0);
    ck_assert_str_eq(chain.trace.text, "1 2 3 4");
}

/* --- what C adds --- */

START_TEST(no_task)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_event_t event = UVA_EVENT_INIT;
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(0);
    uva_barrier_t barrier = UVA_BARRIER_INIT(2);

    ck_assert_int_eq(uva_lock_acquire(&lock), UVA_ENOTASK);
    ck_assert_int_eq(uva_event_wait(&event), UVA_ENOTASK);
    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), UVA_ENOTASK);
    ck_assert_int_eq(uva_barrier_wait(&barrier), UVA_ENOTASK);

    /* A poll needs a task only to wait. */
    ck_assert_int_eq(uva_lock_acquire_poll(&lock), 0);
    ck_assert_int_eq(uva_lock_acquire_poll(&lock), UVA_ENOTASK);
    ck_assert_int_eq(uva_event_wait_poll(&event), UVA_ENOTASK);
    ck_assert_int_eq(uva_semaphore_acquire_poll(&semaphore), UVA_ENOTASK);
    ck_assert_int_eq(uva_condition_acquire_poll(&condition), 0);
    ck_assert_int_eq(uva_condition_wait_poll(&condition), UVA_ENOTASK);
    ck_assert(uva_condition_locked(&condition));
    ck_assert_int_eq(uva_barrier_wait_poll(&barrier), UVA_ENOTASK);
    ck_assert_int_eq(uva_barrier_n_waiting(&barrier), 0);
    ck_assert(!uva_condition_locked(&barrier.condition));
}
END_TEST

/* A stackful call in a stackless task. */
UVA_STACKLESS(void, misplaced, uva_lock_t *lock;)
{
    return uva_lock_acquire(self->lock);
}

UVA_TEST(stackful_call_in_stackless_task)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    misplaced_task_t *task = uva_spawn(misplaced, &lock);

    ck_assert_int_eq(UVA_JOIN(task), UVA_ENOTASK);
    ck_assert(!uva_lock_locked(&lock));
}

UVA_TEST(wrong_loop)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_event_t event = UVA_EVENT_INIT;
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(0);
    uva_barrier_t barrier = UVA_BARRIER_INIT(2);
    uva_loop_t *other;

    other = new_loop();
    lock.loop = other;
    event.loop = other;
    semaphore.loop = other;
    barrier.condition.loop = other;
    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    ck_assert_int_eq(uva_lock_acquire(&lock), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_event_wait(&event), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_semaphore_acquire(&semaphore), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_barrier_wait(&barrier), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_barrier_n_waiting(&barrier), 0);
    ck_assert(!uva_condition_locked(&barrier.condition));
    end_loop(other);
}

static int contend(void *arg, UVA_UNUSED void **ret_result)
{
    uva_lock_t *lock = arg;
    hold_lock_task_t *task;
    int r = uva_lock_acquire(lock);

    if (r < 0) {
        return r;
    }
    task = KIND_SPAWN(hold_lock, lock);
    UVA_TICK();
    ck_assert_int_eq(uva_lock_release(lock), 0);
    return UVA_JOIN(task);
}

START_TEST(bound_by_the_first_wait)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_loop_t *loops[2];
    uva_task_t *task;
    int codes[2] = {0, UVA_EWRONGLOOP};

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_loop_new_virtual(NULL, &loops[i]), 0);
        task = uva_loop_create_task(loops[i], contend, &lock, NULL);
        ck_assert_int_eq(
            uva_loop_run_until_complete(loops[i], UVA_FUTURE(task), NULL),
            codes[0]);
        uva_task_unref(task);
        /* From now on a wait elsewhere is refused; taking a free one is not. */
        ck_assert_ptr_eq(lock.loop, loops[0]);
        if (i == 1) {
            break;
        }
        codes[0] = codes[1];
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_loop_run_until_idle(loops[i]), 0);
        ck_assert_int_eq(uva_loop_close(loops[i]), 0);
        uva_loop_unref(loops[i]);
    }
}
END_TEST

static void wait_for_all(uint64_t *ret_allocations)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_event_t event = UVA_EVENT_INIT;
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(0);
    take_lock_task_t *t1 = KIND_SPAWN(take_lock, &lock);
    wait_event_task_t *t2 = KIND_SPAWN(wait_event, &event);
    take_permit_task_t *t3 = KIND_SPAWN(take_permit, &semaphore);
    uint64_t before = uva_testing_allocations();

    ck_assert_int_eq(uva_lock_acquire(&lock), 0);
    UVA_TICK();
    ck_assert_int_eq(uva_lock_release(&lock), 0);
    uva_event_set(&event);
    permit(&semaphore);
    ck_assert_int_eq(uva_await(UVA_FUTURE(t3), NULL), 0);
    *ret_allocations = uva_testing_allocations() - before;
    ck_assert_int_eq(UVA_JOIN(t1), 0);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    ck_assert_int_eq(UVA_JOIN(t3), 0);
}

UVA_TEST_STRICT(nothing_is_allocated)
{
    uint64_t count;

    /* The loop notes how much stack each function used, once. */
    wait_for_all(&count);
    wait_for_all(&count);
    ck_assert_uint_eq(count, 0);
}

START_TEST(sizes)
{
    printf("bytes: lock %zu, event %zu, condition %zu, semaphore %zu, "
           "barrier %zu\n",
           sizeof(uva_lock_t), sizeof(uva_event_t), sizeof(uva_condition_t),
           sizeof(uva_semaphore_t), sizeof(uva_barrier_t));
    if (sizeof(void *) == 8) {
        ck_assert_uint_eq(sizeof(uva_lock_t), 32);
        ck_assert_uint_eq(sizeof(uva_event_t), 32);
        ck_assert_uint_eq(sizeof(uva_condition_t), 64);
        ck_assert_uint_eq(sizeof(uva_semaphore_t), 40);
        ck_assert_uint_eq(sizeof(uva_barrier_t), 80);
    }
}
END_TEST

static void add_locks(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, lock_repr);
    KIND_ADD_TESTS(tcase, lock_acquire, lock_acquire_cancel, lock_cancel_race,
                   lock_cancel_release_race, lock_finished_waiter_cancelled,
                   lock_woken_waiter_cancelled, lock_newcomer_waits,
                   lock_sees_cancelled_waiters_once);
    UVA_ADD_TESTS(tcase, lock_release_not_acquired, lock_release_no_waiters);
    KIND_ADD_TESTS(tcase, lock_context_manager);
}

static void add_events(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, event_repr, event_wait);
    UVA_ADD_TESTS(tcase, event_wait_on_set);
    KIND_ADD_TESTS(tcase, event_wait_cancel);
    UVA_ADD_TESTS(tcase, event_clear);
    KIND_ADD_TESTS(tcase, event_clear_with_waiters,
                   event_set_and_cleared_still_wakes);
}

static void add_conditions(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, condition_wait, condition_wait_cancel,
                   condition_wait_cancel_contested,
                   condition_wait_cancel_after_notify,
                   condition_wait_unacquired, condition_wait_for);
    UVA_ADD_TESTS(tcase, condition_wait_for_unacquired);
    KIND_ADD_TESTS(tcase, condition_predicate_fails, condition_notify,
                   condition_notify_all);
    UVA_ADD_TESTS(tcase, condition_notify_unacquired);
    KIND_ADD_TESTS(tcase, condition_repr, condition_context_manager);
    UVA_ADD_TESTS(tcase, condition_explicit_lock, condition_ambiguous_loops,
                  condition_timeout_in_block);
    KIND_ADD_TABLE(tcase, condition_cancelled_error, messages);
    KIND_ADD_TABLE(tcase, condition_cancelled_wakeup, wakeups);
    KIND_ADD_TESTS(tcase, condition_cancelled_again_and_again,
                   condition_wait_with_cancellation_due);
}

static void add_semaphores(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, semaphore_initial_value_zero);
    KIND_ADD_TESTS(tcase, semaphore_repr);
    UVA_ADD_TESTS(tcase, semaphore_value);
    KIND_ADD_TESTS(tcase, semaphore_value_while_tasks_wait, semaphore_acquire,
                   semaphore_acquire_cancel, semaphore_acquire_no_hang);
    KIND_ADD_TABLE(tcase, semaphore_cancelled_before_awoken, not_awoken);
    UVA_ADD_TESTS(tcase, semaphore_release_not_acquired,
                  semaphore_release_no_waiters);
    KIND_ADD_TESTS(
        tcase, semaphore_acquire_fifo_order, semaphore_acquire_fifo_order_2,
        semaphore_acquire_fifo_order_3, semaphore_acquire_fifo_order_4);
}

int main(void)
{
    Suite *suite = suite_create("locks");
    TCase *extras;

    add_locks(UVA_TCASE(suite, "Lock"));
    add_events(UVA_TCASE(suite, "Event"));
    add_conditions(UVA_TCASE(suite, "Condition"));
    add_semaphores(UVA_TCASE(suite, "Semaphore"));
    extras = UVA_TCASE(suite, "Extras");
    UVA_ADD_TESTS(extras, no_task, stackful_call_in_stackless_task, wrong_loop,
                  bound_by_the_first_wait);
    KIND_ADD_TESTS(extras, nothing_is_allocated);
    UVA_ADD_TESTS(extras, sizes);
    return uva_test_main(suite);
}
