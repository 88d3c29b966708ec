/*
 * The words of a cancellation: whose reach the task, and where they go. What
 * CPython 3.13 gives was seen there; its CancelledError is the record here.
 */
#include "kinds.h"

#include <string.h>

#define ck_assert_words(error, text)                           \
    do {                                                       \
        ck_assert_ptr_nonnull(error);                          \
        ck_assert_int_eq(uva_error_code(error), UV_ECANCELED); \
        ck_assert_str_eq(uva_error_text(error), text);         \
    } while (0)

/* --- which of several requests has the word --- */

typedef enum wait_kind_e {
    WAIT_SLEEP,
    WAIT_YIELD,
    WAIT_FUTURE,
    WAIT_TASK,
    WAIT_GATHER,
    WAIT_SET, /* uva_wait. */
    WAIT_EVENT,
    WAIT_KINDS
} wait_kind_t;

/* What this thread's tests wait for. */
static uva_future_t *awaited;
static uva_event_t event;

static int sleeps(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(UVA_SEC(10));
}

KIND_TASK(int, waits, wait_kind_t kind; uva_future_t * child; int r;)
{
    UVA_BEGIN
    if (self->kind == WAIT_SLEEP) {
        AWAIT(self->r, uva_sleep, UVA_SEC(10));
    } else if (self->kind == WAIT_YIELD) {
        AWAIT(self->r, uva_sleep, 0);
    } else if (self->kind == WAIT_FUTURE || self->kind == WAIT_TASK) {
        AWAIT(self->r, uva_await, awaited, NULL);
    } else if (self->kind == WAIT_GATHER) {
        self->child = uva_future_ref(awaited);
        AWAIT(self->r, uva_gather, &self->child, 1, 0, NULL);
    } else if (self->kind == WAIT_SET) {
        self->child = awaited;
        AWAIT(self->r, uva_wait, &self->child, 1, UVA_FOREVER,
              UVA_ALL_COMPLETED, NULL, NULL);
    } else {
        AWAIT(self->r, uva_event_wait, &event);
    }
    ck_assert_int_eq(self->r, UV_ECANCELED);
    UVA_END
    return self->r;
}

KIND_TEST(first_words_to_who_waits_last_to_who_is_ready, int kind;
          uva_task_t * child;
          waits_task_t * task;
          int r;)
{
    static const char *const words[] = {"first", "last",  "first", "first",
                                        "first", "first", "first"};

    UVA_BEGIN
    uva_event_init(&event);
    for (self->kind = 0; self->kind < WAIT_KINDS; self->kind++) {
        self->child = NULL;
        awaited = uva_create_future();
        if (self->kind == WAIT_TASK) {
            uva_future_unref(awaited);
            self->child = uva_create_task(sleeps, NULL);
            awaited = uva_future_ref(UVA_FUTURE(self->child));
            AWAIT(self->r, uva_sleep, 0);
        }
        self->task = KIND_SPAWN(waits, .kind = (wait_kind_t)self->kind);
        AWAIT(self->r, uva_sleep, 0);
        ck_assert(uva_future_cancel_message(UVA_FUTURE(self->task), "first"));
        ck_assert(uva_future_cancel_message(UVA_FUTURE(self->task), "last"));
        ck_assert_uint_eq(uva_task_cancelling(UVA_ERASE(self->task)), 2);
        AWAIT(self->r, uva_await, UVA_FUTURE(self->task), NULL);
        ck_assert_int_eq(self->r, UV_ECANCELED);
        ck_assert_words(uva_task_error(), words[self->kind]);
        ck_assert_words(uva_future_error(UVA_FUTURE(self->task)),
                        words[self->kind]);
        ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(self->task)),
                         words[self->kind]);
        uva_task_unref(UVA_ERASE(self->task));
        uva_task_unref(self->child);
        uva_future_cancel(awaited);
        awaited = uva_future_unref(awaited);
    }
    UVA_END
    return 0;
}

/* A request that is taken back has ended the wait already, in its words. One
 * that has not is withdrawn. */
KIND_TEST(words_of_a_request_that_is_taken_back, int kind; uva_task_t * child;
          waits_task_t * task;
          int r;)
{
    UVA_BEGIN
    uva_event_init(&event);
    for (self->kind = 0; self->kind < WAIT_KINDS; self->kind++) {
        if (self->kind == WAIT_YIELD) {
            continue;
        }
        self->child = uva_create_task(sleeps, NULL);
        awaited = UVA_FUTURE(self->child);
        self->task = KIND_SPAWN(waits, .kind = (wait_kind_t)self->kind);
        AWAIT(self->r, uva_sleep, 0);
        ck_assert(uva_future_cancel_message(UVA_FUTURE(self->task), "why"));
        ck_assert_uint_eq(uva_task_uncancel(UVA_ERASE(self->task)), 0);
        AWAIT(self->r, uva_await, UVA_FUTURE(self->task), NULL);
        ck_assert_int_eq(self->r, UV_ECANCELED);
        ck_assert_words(uva_task_error(), "why");
        ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(self->task)),
                         "why");
        uva_task_unref(UVA_ERASE(self->task));
        (void)uva_task_cancel(self->child);
        AWAIT(self->r, uva_join, UVA_FUTURE(self->child), NULL);
    }
    awaited = NULL;
    UVA_END
    return 0;
}

KIND_TEST(last_words_to_who_has_not_begun_or_is_woken, waits_task_t *task;
          int r;)
{
    UVA_BEGIN
    uva_event_init(&event);
    self->task = KIND_SPAWN(waits, .kind = WAIT_EVENT);
    (void)uva_future_cancel_message(UVA_FUTURE(self->task), "first");
    (void)uva_future_cancel_message(UVA_FUTURE(self->task), "last");
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_words(uva_task_error(), "last");

    self->task = KIND_SPAWN(waits, .kind = WAIT_EVENT);
    AWAIT(self->r, uva_sleep, 0);
    uva_event_set(&event);
    (void)uva_future_cancel_message(UVA_FUTURE(self->task), "first");
    (void)uva_future_cancel_message(UVA_FUTURE(self->task), "last");
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    ck_assert_words(uva_task_error(), "last");

    /* A request without words is one too. */
    uva_event_clear(&event);
    self->task = KIND_SPAWN(waits, .kind = WAIT_EVENT);
    (void)uva_future_cancel_message(UVA_FUTURE(self->task), "first");
    (void)uva_task_cancel(UVA_ERASE(self->task));
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    ck_assert_int_eq(self->r, UV_ECANCELED);
    ck_assert_ptr_null(uva_task_error());
    UVA_END
    return 0;
}

/* What was awaited is cancelled, and then the task: the first is told. */
KIND_TEST(words_of_the_future_come_before_those_of_the_task, waits_task_t *task;
          uva_future_t * future;
          int r;)
{
    UVA_BEGIN
    self->future = uva_create_future();
    awaited = self->future;
    self->task = KIND_SPAWN(waits, .kind = WAIT_FUTURE);
    AWAIT(self->r, uva_sleep, 0);
    (void)uva_future_cancel_message(self->future, "of the future");
    (void)uva_future_cancel_message(UVA_FUTURE(self->task), "of the task");
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    ck_assert_words(uva_task_error(), "of the future");
    uva_future_unref(self->future);
    UVA_END
    return 0;
}

/* --- words that are one's own --- */

static int fails_as_cancelled(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_fail(UV_ECANCELED, "enough of %d", 3);
}

/* raise CancelledError('enough of 3') */
UVA_TEST(text_of_a_body_that_cancels_itself)
{
    uva_task_t *task = uva_create_task(fails_as_cancelled, NULL);

    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "enough of 3");
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)),
                     "enough of 3");
    uva_task_unref(task);
}

static int swallows_and_cleans_up(void *arg, void **ret_result)
{
    uva_task_t *task = uva_current_task();

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_sleep(UVA_SEC(10)), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "why");
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0); /* Clean-up. */
    ck_assert_ptr_null(uva_task_error());
    ck_assert_int_eq(uva_await(NULL, NULL), UV_ENOMEM); /* It even fails. */
    (void)uva_future_cancel_message(UVA_FUTURE(task), "too late");
    return UV_ECANCELED;
}

UVA_TEST(words_outlast_the_clean_up)
{
    uva_task_t *task = uva_create_task(swallows_and_cleans_up, NULL);

    ck_assert_int_eq(uva_sleep(0), 0);
    (void)uva_future_cancel_message(UVA_FUTURE(task), "why");
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "why");
    uva_task_unref(task);
}

static int swallows_one(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_sleep(UVA_SEC(10)), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "old");
    return uva_sleep(UVA_SEC(10));
}

UVA_TEST(words_of_an_earlier_cancellation_are_gone)
{
    uva_task_t *task = uva_create_task(swallows_one, NULL);

    ck_assert_int_eq(uva_sleep(0), 0);
    (void)uva_future_cancel_message(UVA_FUTURE(task), "old");
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    (void)uva_task_cancel(task);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
    ck_assert_ptr_null(uva_task_error());
    ck_assert_ptr_null(uva_future_get_cancel_message(UVA_FUTURE(task)));
    uva_task_unref(task);
}

/* A text may be that of the task itself. */
UVA_TEST(words_that_are_passed_on_by_hand)
{
    uva_task_t *task = uva_create_task(sleeps, NULL);

    (void)uva_future_cancel_message(UVA_FUTURE(uva_current_task()), "mine");
    ck_assert_int_eq(uva_sleep(0), UV_ECANCELED);
    (void)uva_task_uncancel(uva_current_task());
    (void)uva_future_cancel_message(UVA_FUTURE(task),
                                    uva_error_text(uva_task_error()));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "mine");
}

/* --- on the way --- */

/* asyncio: the outer future is cancelled without a message. */
UVA_TEST(shield_passes_no_words_on)
{
    uva_future_t *inner = uva_create_future();
    uva_future_t *outer = uva_shield_future(inner);

    (void)uva_future_cancel_message(inner, "inner");
    ck_assert_int_eq(uva_await(outer, NULL), UV_ECANCELED);
    ck_assert_ptr_null(uva_task_error());
    ck_assert_ptr_null(uva_future_error(outer));
    ck_assert_words(uva_future_error(inner), "inner");
    uva_future_unref(inner);
    uva_future_unref(outer);
}

static int waits_in_a_group(void *arg, void **ret_result)
{
    uva_taskgroup_t group;
    int r;

    (void)arg;
    (void)ret_result;
    UVA_IGNORE(uva_taskgroup_enter(&group));
    (void)uva_taskgroup_create_task(&group, sleeps, NULL, NULL);
    r = uva_taskgroup_exit(&group, 0);
    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert_words(uva_task_error(), "the whole group");
    return r;
}

static int waits_in_a_condition(void *arg, void **ret_result)
{
    uva_condition_t *condition = arg;
    int r = uva_condition_acquire(condition);

    (void)ret_result;
    ck_assert_int_eq(r, 0);
    r = uva_condition_wait(condition);
    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert_words(uva_task_error(), "the whole group");
    ck_assert_int_eq(uva_condition_release(condition), 0);
    return r;
}

/* What the exit, or the wait, does before it returns takes iterations. */
UVA_TEST(words_through_waits_that_go_on)
{
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_task_t *group = uva_create_task(waits_in_a_group, NULL);
    uva_task_t *waiter = uva_create_task(waits_in_a_condition, &condition);

    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(uva_condition_acquire(&condition), 0);
    (void)uva_future_cancel_message(UVA_FUTURE(group), "the whole group");
    (void)uva_future_cancel_message(UVA_FUTURE(waiter), "the whole group");
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(uva_condition_release(&condition), 0);
    ck_assert_int_eq(UVA_JOIN(group), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "the whole group");
    ck_assert_int_eq(UVA_JOIN(waiter), UV_ECANCELED);
    ck_assert_words(uva_task_error(), "the whole group");
}

/* --- rings --- */

typedef struct ring_s {
    const char *words;
    uva_task_t *tasks[2];
} ring_t;

static int closes_the_ring(void *arg, void **ret_result)
{
    ring_t *ring = arg;
    uva_task_t *self = uva_current_task();
    int r;

    (void)ret_result;
    ck_assert_int_eq(uva_sleep(0), 0);
    (void)uva_future_cancel_message(UVA_FUTURE(self), ring->words);
    r = uva_await(UVA_FUTURE(ring->tasks[1]), NULL);
    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert_uint_eq(uva_task_cancelling(self), 1);
    return r;
}

static int awaits_the_first(void *arg, void **ret_result)
{
    const ring_t *ring = arg;

    (void)ret_result;
    return uva_await(UVA_FUTURE(ring->tasks[0]), NULL);
}

/* By way of a gather, which the first is in itself. */
static int gathers_the_ring(void *arg, void **ret_result)
{
    ring_t *ring = arg;
    uva_future_t *children[] = {
        uva_future_ref(UVA_FUTURE(ring->tasks[1])),
        uva_future_ref(UVA_FUTURE(ring->tasks[0])),
    };
    uva_task_t *self = uva_current_task();
    int r;

    (void)ret_result;
    ck_assert_int_eq(uva_sleep(0), 0);
    (void)uva_future_cancel_message(UVA_FUTURE(self), ring->words);
    r = uva_gather(UVA_FUTURES(children), 2, 0, NULL);
    ck_assert_int_eq(r, UV_ECANCELED);
    ck_assert_uint_eq(uva_task_cancelling(self), 1);
    return r;
}

/* A task that is to be cancelled closes a ring of awaits. (asyncio recurses
 * until its stack is full.) */
UVA_TEST(ring_closed_by_who_is_to_be_cancelled)
{
    static const uva_coro_cb bodies[] = {closes_the_ring, gathers_the_ring};

    for (int i = 0; i < 4; i++) {
        ring_t ring = {.words = i % 2 == 0 ? NULL : "say why"};

        ring.tasks[0] = uva_create_task(bodies[i / 2], &ring);
        ring.tasks[1] = uva_create_task(awaits_the_first, &ring);
        ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
        for (int k = 0; k < 2; k++) {
            const char *words =
                uva_future_get_cancel_message(UVA_FUTURE(ring.tasks[k]));
            ck_assert(uva_future_cancelled(UVA_FUTURE(ring.tasks[k])));
            if (ring.words == NULL) {
                ck_assert_ptr_null(words);
            } else {
                ck_assert_ptr_nonnull(words);
                ck_assert_str_eq(words, ring.words);
            }
        }
        uva_task_unref(ring.tasks[0]);
        uva_task_unref(ring.tasks[1]);
    }
}

/* --- without memory --- */

UVA_TEST_STRICT(words_without_memory)
{
    int r = UV_ENOMEM;

    for (uint64_t n = 1; n < 40; n++) {
        uva_task_t *task = uva_create_task(sleeps, NULL);
        const char *words;

        ck_assert_int_eq(uva_sleep(0), 0);
        uva_testing_fail_allocation(n, false);
        ck_assert(uva_future_cancel_message(UVA_FUTURE(task), "why"));
        r = uva_await(UVA_FUTURE(task), NULL);
        uva_testing_fail_allocation(0, false);
        ck_assert_int_eq(r, UV_ECANCELED);
        words = uva_future_get_cancel_message(UVA_FUTURE(task));
        ck_assert(words == NULL || strcmp(words, "why") == 0);
        uva_task_unref(task);
    }
}

int main(void)
{
    Suite *suite = suite_create("tasks_messages");
    TCase *several = UVA_TCASE(suite, "Several");
    TCase *own = UVA_TCASE(suite, "Own");
    TCase *through = UVA_TCASE(suite, "Through");
    TCase *ring = UVA_TCASE(suite, "Ring");
    TCase *memory = UVA_TCASE(suite, "Memory");

    KIND_ADD_TESTS(several, first_words_to_who_waits_last_to_who_is_ready,
                   words_of_a_request_that_is_taken_back,
                   last_words_to_who_has_not_begun_or_is_woken,
                   words_of_the_future_come_before_those_of_the_task);
    UVA_ADD_TESTS(own, text_of_a_body_that_cancels_itself,
                  words_outlast_the_clean_up,
                  words_of_an_earlier_cancellation_are_gone,
                  words_that_are_passed_on_by_hand);
    UVA_ADD_TESTS(through, shield_passes_no_words_on,
                  words_through_waits_that_go_on);
    UVA_ADD_TESTS(ring, ring_closed_by_who_is_to_be_cancelled);
    UVA_ADD_TESTS(memory, words_without_memory);
    return uva_test_main(suite);
}
