/*
 * Records among the callbacks of a future: one that leaves touches its
 * neighbours alone, however many others there are. The others are made
 * unreadable for as long, so that a walk over them crashes.
 */
#include "uva_test.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/ready.h"

enum {
    COUNT = 9
};

typedef struct record_links_s {
    uva__ready_t *next;
    uva__record_t *previous;
} record_links_t;

/* Those who wait for one future, in one of several ways. */
typedef struct crowd_s {
    uva_future_t *shared;
    uva_task_t *tasks[COUNT];
    uva_as_completed_t iterators[COUNT];
    uva_future_t *shields[COUNT];
    uva__record_t *records[COUNT]; /* In the order of the ring. */
    record_links_t links[COUNT];   /* Of those that are unreadable. */
} crowd_t;

static void crowd_find_records(crowd_t *crowd)
{
    uva__record_t *record = crowd->shared->callbacks;

    for (int i = 0; i < COUNT; i++) {
        record = uva__record_of_ready(record->ready.next);
        crowd->records[i] = record;
    }
    ck_assert_ptr_eq(record, crowd->shared->callbacks);
}

/* Whether a record is neither the one that leaves nor beside it in the ring. */
static bool stands_apart(int place, int leaver)
{
    return place != leaver && place != (leaver + 1) % COUNT &&
           place != (leaver + COUNT - 1) % COUNT;
}

static void crowd_hide(crowd_t *crowd, int leaver)
{
    for (int i = 0; i < COUNT; i++) {
        uva__record_t *record = crowd->records[i];
        if (stands_apart(i, leaver)) {
            crowd->links[i] =
                (record_links_t){record->ready.next, record->previous};
            record->ready.next = (uva__ready_t *)sizeof(uva__ready_t);
            record->previous = (uva__record_t *)sizeof(uva__record_t);
        }
    }
}

static void crowd_show(crowd_t *crowd, int leaver)
{
    for (int i = 0; i < COUNT; i++) {
        if (stands_apart(i, leaver)) {
            crowd->records[i]->ready.next = crowd->links[i].next;
            crowd->records[i]->previous = crowd->links[i].previous;
        }
    }
}

/* The one at a place leaves; the others stay, in their order. */
static void crowd_check_leave(crowd_t *crowd,
                              int leaver,
                              void (*leave)(crowd_t *crowd, int place))
{
    uva__record_t *record;

    crowd_find_records(crowd);
    crowd_hide(crowd, leaver);
    leave(crowd, leaver);
    crowd_show(crowd, leaver);
    record = crowd->shared->callbacks;
    for (int i = 0; i < COUNT; i++) {
        if (i != leaver) {
            ck_assert_ptr_eq(record->ready.next, crowd->records[i]);
            record = crowd->records[i];
        }
    }
    ck_assert_ptr_eq(record, crowd->shared->callbacks);
}

static int wait_for_shared(void *arg, void **ret_result)
{
    uva_future_t *shared = arg;
    int r = uva_wait(&shared, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL, NULL);

    *ret_result = NULL;
    return r < 0 ? r : 0;
}

static void leave_wait(crowd_t *crowd, int place)
{
    ck_assert(uva_task_cancel(crowd->tasks[place]));
    ck_assert_int_eq(uva_join(UVA_FUTURE(crowd->tasks[place]), NULL),
                     UV_ECANCELED);
    crowd->tasks[place] = NULL;
}

static void leave_as_completed(crowd_t *crowd, int place)
{
    uva_as_completed_destroy(&crowd->iterators[place]);
}

static void leave_shield(crowd_t *crowd, int place)
{
    ck_assert(uva_future_cancel(crowd->shields[place]));
    ck_assert_int_eq(uva_sleep(0), 0);
}

/* Youngest, oldest, and in the middle. */
static const int leavers[] = {COUNT - 1, 0, COUNT / 2};

UVA_TEST(wait_leaves_at_once)
{
    crowd_t crowd = {.shared = uva_create_future()};

    for (int i = 0; i < COUNT; i++) {
        crowd.tasks[i] = uva_create_task(wait_for_shared, crowd.shared);
    }
    for (size_t i = 0; i < UVA__COUNT(leavers); i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
        crowd_check_leave(&crowd, leavers[i], leave_wait);
        /* Its place is empty: another comes, at the end of the ring. */
        for (int at = leavers[i]; at < COUNT - 1; at++) {
            crowd.tasks[at] = crowd.tasks[at + 1];
        }
        crowd.tasks[COUNT - 1] = uva_create_task(wait_for_shared, crowd.shared);
    }
    ck_assert_int_eq(uva_future_set_result(crowd.shared, NULL, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(uva_join(UVA_FUTURE(crowd.tasks[i]), NULL), 0);
    }
    uva_future_unref(crowd.shared);
}

UVA_TEST(as_completed_leaves_at_once)
{
    for (size_t i = 0; i < UVA__COUNT(leavers); i++) {
        crowd_t crowd = {.shared = uva_create_future()};

        for (int at = 0; at < COUNT; at++) {
            ck_assert_int_eq(uva_as_completed_start(&crowd.iterators[at],
                                                    &crowd.shared, 1,
                                                    UVA_FOREVER),
                             0);
        }
        crowd_check_leave(&crowd, leavers[i], leave_as_completed);
        for (int at = 0; at < COUNT; at++) {
            uva_as_completed_destroy(&crowd.iterators[at]);
        }
        ck_assert_ptr_null(crowd.shared->callbacks);
        uva_future_unref(crowd.shared);
    }
}

UVA_TEST(shield_leaves_at_once)
{
    for (size_t i = 0; i < UVA__COUNT(leavers); i++) {
        crowd_t crowd = {.shared = uva_create_future()};

        for (int at = 0; at < COUNT; at++) {
            crowd.shields[at] = uva_shield_future(crowd.shared);
        }
        crowd_check_leave(&crowd, leavers[i], leave_shield);
        ck_assert_int_eq(uva_future_set_result(crowd.shared, NULL, NULL), 0);
        for (int at = 0; at < COUNT; at++) {
            ck_assert_int_eq(uva_await(crowd.shields[at], NULL),
                             at == leavers[i] ? UV_ECANCELED : 0);
            uva_future_unref(crowd.shields[at]);
        }
        uva_future_unref(crowd.shared);
    }
}

/* --- awaiting needs no memory --- */

static int sets(void *arg, void **ret_result)
{
    *ret_result = NULL;
    ck_assert_int_eq(uva_sleep(0), 0);
    return uva_future_set_result(arg, NULL, NULL);
}

static int awaits(void *arg, void **ret_result)
{
    *ret_result = NULL;
    return uva_await(arg, NULL);
}

/* Of a future that is gathered, and that another task waits for. */
UVA_TEST_STRICT(await_needs_no_memory)
{
    uva_future_t *future = uva_create_future();
    uva_future_t *taken = uva_future_ref(future);
    uva_future_t *outer = uva_gather_future(&taken, 1, 0);
    uva_task_t *other = uva_create_task(awaits, future);
    uva_task_t *setter = uva_create_task(sets, future);

    ck_assert_int_eq(uva_sleep(0), 0); /* They have begun. */
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(uva_await(future, NULL), 0);
    ck_assert_int_eq(uva_await(UVA_FUTURE(other), NULL), 0);
    uva_testing_fail_allocation(0, false);
    /* The array of its results was to be made. */
    ck_assert_int_eq(uva_await(outer, NULL), UV_ENOMEM);
    uva_future_unref(outer);
    uva_future_unref(future);
    uva_task_unref(other);
    uva_task_unref(setter);
}

int main(void)
{
    Suite *suite = suite_create("records");
    TCase *leave = UVA_TCASE(suite, "Leave");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(leave, wait_leaves_at_once, as_completed_leaves_at_once,
                  shield_leaves_at_once);
    UVA_ADD_TESTS(memory, await_needs_no_memory);
    return uva_test_main(suite);
}
