/*
 * What asyncio has not: uva_select, what a full queue does, waiters for
 * primitives of one's own.
 */
#include "items.h"
#include "kinds.h"

#include <pthread.h>
#include <string.h>

#include "sync/waitlists.h"

/* --- select --- */

/* Get from one or two, tell which and what. */
KIND_TASK(void, select_two, uva_queue_t *one; uva_queue_t * two;
          uva_test_trace_t * trace;
          char id;
          void *item;
          uva_select_case_t cases[2];
          int r;)
{
    UVA_BEGIN
    self->cases[0] = (uva_select_case_t)UVA_SELECT_GET(self->one, &self->item);
    self->cases[1] = (uva_select_case_t)UVA_SELECT_GET(self->two, &self->item);
    AWAIT(self->r, uva_select, self->cases, 2);
    ck_assert_int_eq(uva_waiter_get_value(uva_waiter_current()), 0);
    if (self->r >= 0) {
        uva_test_trace(self->trace, "%c%d=%d", self->id, self->r,
                       NUMBER(self->item));
    }
    UVA_END
    return self->r < 0 ? self->r : 0;
}

KIND_TASK(void, get_item, uva_queue_t *queue; uva_test_trace_t * trace; char id;
          void *item;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_get, self->queue, &self->item);
    if (self->r >= 0) {
        uva_test_trace(self->trace, "%c=%d", self->id, NUMBER(self->item));
    }
    UVA_END
    return self->r;
}

KIND_TASK(void, put_item, uva_queue_t *queue; int number;
          uva_test_trace_t * trace;
          char id;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_put, self->queue, ITEM(self->number));
    if (self->r >= 0) {
        uva_test_trace(self->trace, "%c", self->id);
    }
    UVA_END
    return self->r;
}

/* Two queues, a trace, and what all tests of select end with. */
typedef struct desk_s {
    uva_queue_t a;
    uva_queue_t b;
    uva_test_trace_t trace;
} desk_t;

#define DESK_INIT(size)                             \
    {                                               \
        UVA_QUEUE_INIT(size), UVA_QUEUE_INIT(size), \
        {                                           \
            {0}, 0                                  \
        }                                           \
    }

static void check_line(const uva__waitlist_t *line)
{
    ck_assert_uint_eq(uva__sync_count(&line->waiters), 0);
    ck_assert_uint_eq(uva__sync_count(&line->cases), 0);
}

static void desk_clear(desk_t *desk, size_t left_a, size_t left_b)
{
    check_line(&desk->a.getters);
    check_line(&desk->a.putters);
    check_line(&desk->b.getters);
    check_line(&desk->b.putters);
    ck_assert_uint_eq(uva_queue_qsize(&desk->a), left_a);
    ck_assert_uint_eq(uva_queue_qsize(&desk->b), left_b);
    uva_queue_destroy(&desk->a);
    uva_queue_destroy(&desk->b);
}

#define SELECT(desk, id) \
    KIND_SPAWN(select_two, &(desk)->a, &(desk)->b, &(desk)->trace, id)

UVA_TEST(select_what_is_there)
{
    desk_t desk = DESK_INIT(0);
    uint64_t before = uva_loop_iterations(uva_get_running_loop());
    void *item = NULL;
    uva_select_case_t cases[] = {
        UVA_SELECT_GET(&desk.a, &item),
        UVA_SELECT_GET(&desk.b, &item),
        UVA_SELECT_PUT(&desk.b, ITEM(3)),
    };

    PUT(&desk.b, 2);
    ck_assert_int_eq(uva_select(cases, 3), 1);
    ck_assert_int_eq(NUMBER(item), 2);
    PUT(&desk.a, 1);
    ck_assert_int_eq(uva_select(cases, 3), 0);
    ck_assert_int_eq(NUMBER(item), 1);
    ck_assert_int_eq(uva_select(cases, 3), 2);
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()), before);
    desk_clear(&desk, 0, 1);
}

UVA_TEST(select_waits_for_a_get)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task = SELECT(&desk, 's');

    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "");
    PUT(&desk.b, 5);
    UVA_TICK(); /* One trip, as a get. */
    ck_assert_str_eq(desk.trace.text, "s1=5");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    desk_clear(&desk, 0, 0);
}

KIND_TASK(int, select_puts, uva_queue_t *one; uva_queue_t * two;
          uva_select_case_t cases[2];
          int r;)
{
    UVA_BEGIN
    self->cases[0] = (uva_select_case_t)UVA_SELECT_PUT(self->one, ITEM(10));
    self->cases[1] = (uva_select_case_t)UVA_SELECT_PUT(self->two, ITEM(20));
    AWAIT(self->r, uva_select, self->cases, 2);
    *ret = self->r;
    UVA_END
    return self->r < 0 ? self->r : 0;
}

UVA_TEST(select_waits_for_a_put)
{
    desk_t desk = DESK_INIT(1);
    select_puts_task_t *task;
    int which = -1;

    PUT(&desk.a, 1);
    PUT(&desk.b, 2);
    task = KIND_SPAWN(select_puts, &desk.a, &desk.b);
    UVA_TICK();
    ck_assert_int_eq(get(&desk.b), 2);
    ck_assert_int_eq(select_puts_await(task, &which), 0);
    ck_assert_int_eq(which, 1);
    ck_assert_int_eq(get(&desk.b), 20);
    ck_assert_int_eq(get(&desk.a), 1);
    desk_clear(&desk, 0, 0);
}

/* Called by both in one turn: the first call counts, the other item stays. */
UVA_TEST(select_takes_exactly_one)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task = SELECT(&desk, 's');

    UVA_TICK();
    PUT(&desk.b, 2);
    PUT(&desk.a, 1);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_str_eq(desk.trace.text, "s1=2");
    desk_clear(&desk, 1, 0);
}

/* In one line with gets, in the order of arrival. */
UVA_TEST(select_is_fair)
{
    desk_t desk = DESK_INIT(0);
    uva_future_t *tasks[6];

    tasks[0] = UVA_FUTURE(KIND_SPAWN(get_item, &desk.a, &desk.trace, 'g'));
    tasks[1] = UVA_FUTURE(SELECT(&desk, 's'));
    tasks[2] = UVA_FUTURE(KIND_SPAWN(get_item, &desk.a, &desk.trace, 'h'));
    tasks[3] = UVA_FUTURE(SELECT(&desk, 't'));
    tasks[4] = UVA_FUTURE(SELECT(&desk, 'u'));
    tasks[5] = UVA_FUTURE(KIND_SPAWN(get_item, &desk.b, &desk.trace, 'i'));
    UVA_TICK();
    for (int i = 1; i <= 4; i++) {
        PUT(&desk.a, i);
    }
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "g=1 s0=2 h=3 t0=4");
    PUT(&desk.b, 5);
    PUT(&desk.b, 6);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 6, 0, NULL), 0);
    ck_assert_str_eq(desk.trace.text, "g=1 s0=2 h=3 t0=4 u1=5 i=6");
    desk_clear(&desk, 0, 0);
}

/* Called by the one, cancelled then: the next in that line is called. */
UVA_TEST(select_cancelled_passes_on)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task = SELECT(&desk, 's');
    get_item_task_t *next = KIND_SPAWN(get_item, &desk.b, &desk.trace, 'g');

    UVA_TICK();
    PUT(&desk.b, 1);
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(next), 0);
    ck_assert_str_eq(desk.trace.text, "g=1");
    desk_clear(&desk, 0, 0);
}

UVA_TEST(select_put_cancelled_passes_on)
{
    desk_t desk = DESK_INIT(1);
    select_puts_task_t *task;
    put_item_task_t *next;

    PUT(&desk.a, 1);
    PUT(&desk.b, 2);
    task = KIND_SPAWN(select_puts, &desk.a, &desk.b);
    next = KIND_SPAWN(put_item, &desk.b, 3, &desk.trace, 'p');
    UVA_TICK();
    ck_assert_int_eq(get(&desk.b), 2);
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(next), 0);
    ck_assert_int_eq(get(&desk.b), 3);
    desk_clear(&desk, 1, 0);
}

/* Cancelled, then an item comes: it takes none. */
UVA_TEST(select_cancelled_takes_none)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task = SELECT(&desk, 's');
    get_item_task_t *next = KIND_SPAWN(get_item, &desk.a, &desk.trace, 'g');

    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(task));
    PUT(&desk.a, 1);
    PUT(&desk.b, 2);
    ck_assert_int_eq(UVA_JOIN(next), 0);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_str_eq(desk.trace.text, "g=1");
    desk_clear(&desk, 0, 1);
}

UVA_TEST(select_with_cancellation_due)
{
    desk_t desk = DESK_INIT(0);
    void *item;
    uva_select_case_t cases[] = {
        UVA_SELECT_GET(&desk.a, &item),
        UVA_SELECT_GET(&desk.b, &item),
    };

    uva_task_cancel(uva_current_task());
    ck_assert_int_eq(uva_select(cases, 2), UV_ECANCELED);
    uva_task_uncancel(uva_current_task());
    desk_clear(&desk, 0, 0);
}

/* Called, and the item is gone: another case that can be done is done, else it
 * goes to the end of the lines. */
UVA_TEST(select_stolen_item)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task = SELECT(&desk, 's');
    get_item_task_t *late;

    UVA_TICK();
    late = KIND_SPAWN(get_item, &desk.a, &desk.trace, 'g');
    UVA_TICK();
    PUT(&desk.a, 1);
    ck_assert_int_eq(get(&desk.a), 1);
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "");
    PUT(&desk.a, 2);
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "g=2");
    ck_assert_int_eq(UVA_JOIN(late), 0);

    PUT(&desk.a, 3);
    ck_assert_int_eq(get(&desk.a), 3);
    PUT(&desk.b, 4);
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "g=2 s1=4");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    desk_clear(&desk, 0, 0);
}

/* The same queue twice: it stands in the line twice, and is called once. */
UVA_TEST(select_same_queue_twice)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task =
        KIND_SPAWN(select_two, &desk.a, &desk.a, &desk.trace, 's');
    get_item_task_t *next = KIND_SPAWN(get_item, &desk.a, &desk.trace, 'g');

    UVA_TICK();
    PUT(&desk.a, 1);
    PUT(&desk.a, 2);
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "s0=1 g=2");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(UVA_JOIN(next), 0);
    desk_clear(&desk, 0, 0);
}

/* One that is shut down takes no part; when all are, select says so. */
UVA_TEST(select_shutdown)
{
    desk_t desk = DESK_INIT(0);
    select_two_task_t *task = SELECT(&desk, 's');
    select_two_task_t *other = SELECT(&desk, 't');

    UVA_TICK();
    uva_queue_shutdown(&desk.a, false);
    UVA_TICK();
    ck_assert(!UVA_DONE(task) && !UVA_DONE(other));
    PUT(&desk.b, 1);
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "s1=1");
    uva_queue_shutdown(&desk.b, false);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(UVA_JOIN(other), UVA_EQUEUESHUTDOWN);
    desk_clear(&desk, 0, 0);
}

UVA_TEST(select_drains_what_is_shut_down)
{
    desk_t desk = DESK_INIT(0);
    void *item;
    uva_select_case_t one = UVA_SELECT_GET(&desk.a, &item);

    PUT(&desk.a, 1);
    uva_queue_shutdown(&desk.a, false);
    ck_assert_int_eq(uva_select(&one, 1), 0);
    ck_assert_int_eq(uva_select(&one, 1), UVA_EQUEUESHUTDOWN);
    desk_clear(&desk, 0, 0);
}

/* A line in which a select has stood is one for gets and puts as before. */
UVA_TEST(select_then_others)
{
    desk_t desk = DESK_INIT(1);
    select_two_task_t *task = SELECT(&desk, 's');
    get_item_task_t *getter;
    put_item_task_t *putter;

    UVA_TICK();
    PUT(&desk.a, 1);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    getter = KIND_SPAWN(get_item, &desk.a, &desk.trace, 'g');
    UVA_TICK();
    PUT(&desk.a, 2);
    putter = KIND_SPAWN(put_item, &desk.a, 3, &desk.trace, 'p');
    UVA_TICK();
    ck_assert_int_eq(UVA_JOIN(getter), 0);
    ck_assert_int_eq(UVA_JOIN(putter), 0);
    ck_assert_int_eq(get(&desk.a), 3);
    desk_clear(&desk, 0, 0);
}

/* A put wakes the select that waits, also where items were put and taken before
 * without a wait. */
UVA_TEST(select_is_not_passed)
{
    desk_t desk = DESK_INIT(4);
    select_two_task_t *task;

    PUT(&desk.a, 1); /* Room and items are there before. */
    PUT(&desk.a, 2);
    ck_assert_int_eq(get(&desk.a), 1);
    ck_assert_int_eq(get(&desk.a), 2);
    task = SELECT(&desk, 's');
    UVA_TICK();
    PUT(&desk.a, 3);
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "s0=3");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    desk_clear(&desk, 0, 0);
}

UVA_TEST(select_timeout)
{
    desk_t desk = DESK_INIT(0);
    void *item;
    uva_select_case_t cases[] = {
        UVA_SELECT_GET(&desk.a, &item),
        UVA_SELECT_GET(&desk.b, &item),
    };
    int r = 0;

    UVA_TIMEOUT (r, UVA_MS(1)) {
        r = uva_select(cases, 2);
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    desk_clear(&desk, 0, 0);
}

UVA_TEST(select_nowait)
{
    desk_t desk = DESK_INIT(0);
    void *item;
    uva_select_case_t cases[] = {
        UVA_SELECT_GET(&desk.a, &item),
        UVA_SELECT_GET(&desk.b, &item),
    };

    ck_assert_int_eq(uva_select_nowait(cases, 2), UV_EAGAIN);
    PUT(&desk.b, 2);
    ck_assert_int_eq(uva_select_nowait(cases, 2), 1);
    ck_assert_int_eq(NUMBER(item), 2);
    ck_assert_int_eq(uva_select_nowait(cases, 0), UV_EINVAL);
    ck_assert_int_eq(uva_select(cases, 0), UV_EINVAL);
    desk_clear(&desk, 0, 0);
}

START_TEST(select_no_task)
{
    desk_t desk = DESK_INIT(0);
    void *item;
    uva_select_case_t one = UVA_SELECT_GET(&desk.a, &item);

    ck_assert_int_eq(uva_select(&one, 1), UVA_ENOTASK);
    ck_assert_int_eq(uva_select_poll(&one, 1), UVA_ENOTASK);
    PUT(&desk.a, 1);
    ck_assert_int_eq(uva_select_poll(&one, 1), 0);
    desk_clear(&desk, 0, 0);
}
END_TEST

UVA_TEST(select_wrong_loop)
{
    desk_t desk = DESK_INIT(0);
    void *item;
    uva_loop_t *other;
    uva_select_case_t cases[] = {
        UVA_SELECT_GET(&desk.a, &item),
        UVA_SELECT_GET(&desk.b, &item),
    };

    other = new_loop();
    desk.b.loop = other;
    ck_assert_int_eq(uva_select(cases, 2), UVA_EWRONGLOOP);
    end_loop(other);
    desk_clear(&desk, 0, 0);
}

UVA_TEST_STRICT(select_no_memory)
{
    desk_t desk = DESK_INIT(9);
    uva_select_case_t one = UVA_SELECT_PUT(&desk.a, ITEM(1));
    select_puts_task_t *task;
    put_item_task_t *next;

    UVA_OOM_TEST(uva_select(&one, 1));
    for (int i = 0; i < 8; i++) {
        PUT(&desk.a, i);
    }

    /* Called for room that there is no memory for: the next is called. */
    task = KIND_SPAWN(select_puts, &desk.a, &desk.a);
    next = KIND_SPAWN(put_item, &desk.a, 3, &desk.trace, 'p');
    UVA_TICK();
    desk.a.maxsize = 100;
    ck_assert_int_eq(get(&desk.a), 1);
    for (int i = 0; i < 8; i++) {
        PUT(&desk.a, i);
    }
    ck_assert_uint_eq(desk.a.count, desk.a.capacity);
    uva_testing_fail_allocation(1, false);
    UVA_TICK();
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(UVA_JOIN(task), UV_ENOMEM);
    ck_assert_int_eq(UVA_JOIN(next), 0);
    desk_clear(&desk, 17, 0);
}

static void *put_from_elsewhere(void *data)
{
    ck_assert_int_eq(uva_queue_put_nowait(data, data), UV_EPERM);
    return NULL;
}

/* A put of another thread is refused and reported; who waits is not forgotten.
 */
UVA_TEST(select_wrong_thread)
{
    desk_t desk = DESK_INIT(0);
    uva_future_t *tasks[2];
    pthread_t thread;

    tasks[0] = UVA_FUTURE(SELECT(&desk, 's'));
    tasks[1] = UVA_FUTURE(KIND_SPAWN(get_item, &desk.b, &desk.trace, 'g'));
    UVA_TICK();
    for (int i = 0; i < 2; i++) {
        uva_queue_t *queue = i == 0 ? &desk.a : &desk.b;

        uva_test_log_begin();
        ck_assert_int_eq(
            pthread_create(&thread, NULL, put_from_elsewhere, queue), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        ck_assert(strstr(uva_test_log(), ": uva_queue_put_nowait in thread") !=
                  NULL);
        uva_test_log_end();
        UVA_TICK();
        ck_assert(!uva_future_done(tasks[i]));
        ck_assert(uva_queue_empty(queue));
        PUT(queue, 2);
        UVA_TICK();
        ck_assert(uva_future_done(tasks[i]));
    }
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 2, 0, NULL), 0);
    ck_assert_str_eq(desk.trace.text, "s0=2 g=2");
    desk_clear(&desk, 0, 0);
}

/* Many selects and gets and puts at random, cancelled at random: no item is
 * lost or doubled, nobody sleeps beside an item. */
UVA_TEST(select_storm)
{
    enum {
        TASKS = 40,
        ITEMS = 25
    };
    desk_t desk = DESK_INIT(3);
    uva_future_t *tasks[TASKS];
    uint32_t seed = 12345;
    int put = 0;
    int taken = 0;
    int open = 0;

    for (int i = 0; i < TASKS; i++) {
        seed = seed * 1664525u + 1013904223u;
        tasks[i] =
            (seed >> 16) % 3 != 0
                ? UVA_FUTURE(SELECT(&desk, 's'))
                : UVA_FUTURE(KIND_SPAWN(get_item, &desk.a, &desk.trace, 'g'));
    }
    UVA_TICK();
    while (put < ITEMS) {
        seed = seed * 1664525u + 1013904223u;
        switch ((seed >> 16) % 4) {
        case 0:
            put += uva_queue_put_nowait(&desk.a, ITEM(1)) == 0;
            break;
        case 1:
            put += uva_queue_put_nowait(&desk.b, ITEM(1)) == 0;
            break;
        case 2:
            uva_future_cancel(tasks[(seed >> 20) % TASKS]);
            break;
        default:
            UVA_TICK();
            break;
        }
    }
    UVA_TICK();
    UVA_TICK();
    for (int i = 0; i < TASKS; i++) {
        taken += uva_future_done(tasks[i]) && !uva_future_cancelled(tasks[i]);
        open += !uva_future_done(tasks[i]);
    }
    ck_assert_int_eq(taken + (int)uva_queue_qsize(&desk.a) +
                         (int)uva_queue_qsize(&desk.b),
                     put);
    ck_assert(open == 0 || uva_queue_empty(&desk.a));
    uva_queue_shutdown(&desk.a, true);
    uva_queue_shutdown(&desk.b, true);
    for (int i = 0; i < TASKS; i++) {
        UVA_IGNORE(uva_join(tasks[i], NULL));
    }
    desk_clear(&desk, 0, 0);
}

/* --- what a full queue does --- */

static uva_test_trace_t dropped;

static void note_dropped(void *item)
{
    uva_test_trace(&dropped, "%d", NUMBER(item));
}

static void fill(uva_queue_t *queue, uva_queue_overflow_t overflow)
{
    memset(&dropped, 0, sizeof dropped);
    uva_queue_set_destroy(queue, note_dropped);
    ck_assert_int_eq(uva_queue_set_overflow(queue, overflow), 0);
    for (int i = 1; i <= 5; i++) {
        ck_assert_int_eq(uva_queue_put_nowait(queue, ITEM(i)), i > 3);
    }
    ck_assert_uint_eq(uva_queue_qsize(queue), 3);
    ck_assert_uint_eq(queue->unfinished, 3);
}

START_TEST(overflow_drop_oldest)
{
    uva_queue_t queue = UVA_QUEUE_INIT(3);
    uva_queue_t lifo = UVA_LIFO_QUEUE_INIT(3);

    fill(&queue, UVA_QUEUE_DROP_OLDEST);
    ck_assert_str_eq(dropped.text, "1 2");
    ck_assert_int_eq(get(&queue), 3);
    ck_assert_int_eq(get(&queue), 4);
    ck_assert_int_eq(get(&queue), 5);
    uva_queue_destroy(&queue);

    fill(&lifo, UVA_QUEUE_DROP_OLDEST);
    ck_assert_str_eq(dropped.text, "1 2");
    ck_assert_int_eq(get(&lifo), 5);
    ck_assert_int_eq(get(&lifo), 4);
    ck_assert_int_eq(get(&lifo), 3);
    uva_queue_destroy(&lifo);
}
END_TEST

START_TEST(overflow_drop_newest)
{
    uva_queue_t queue = UVA_QUEUE_INIT(3);

    fill(&queue, UVA_QUEUE_DROP_NEWEST);
    ck_assert_str_eq(dropped.text, "4 5");
    ck_assert_int_eq(get(&queue), 1);
    uva_queue_destroy(&queue);
    ck_assert_str_eq(dropped.text, "4 5 2 3");
}
END_TEST

static int by_address(const void *a, const void *b, UVA_UNUSED void *data)
{
    return ((intptr_t)a > (intptr_t)b) - ((intptr_t)a < (intptr_t)b);
}

START_TEST(overflow_refused)
{
    uva_queue_t queue = UVA_PRIORITY_QUEUE_INIT(3, by_address, NULL);

    ck_assert_int_eq(uva_queue_set_overflow(&queue, UVA_QUEUE_DROP_OLDEST),
                     UV_EINVAL);
    fill(&queue, UVA_QUEUE_DROP_NEWEST);
    ck_assert_str_eq(dropped.text, "4 5");
    uva_queue_destroy(&queue);
}
END_TEST

UVA_TEST(overflow_busy)
{
    desk_t desk = DESK_INIT(1);
    put_item_task_t *task;

    PUT(&desk.a, 1);
    task = KIND_SPAWN(put_item, &desk.a, 2, &desk.trace, 'p');
    UVA_TICK();
    ck_assert_int_eq(uva_queue_set_overflow(&desk.a, UVA_QUEUE_DROP_NEWEST),
                     UV_EBUSY);
    ck_assert_int_eq(get(&desk.a), 1);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    desk_clear(&desk, 1, 0);
}

/* With a policy that drops no put waits, and join counts what is dropped. */
UVA_TEST(overflow_never_waits)
{
    desk_t desk = DESK_INIT(2);
    put_item_task_t *tasks[5];
    uva_select_case_t one = UVA_SELECT_PUT(&desk.a, ITEM(9));

    ck_assert_int_eq(uva_queue_set_overflow(&desk.a, UVA_QUEUE_DROP_OLDEST), 0);
    for (int i = 0; i < 5; i++) {
        tasks[i] =
            KIND_SPAWN(put_item, &desk.a, i, &desk.trace, (char)('a' + i));
    }
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "a b c d e");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(UVA_JOIN(tasks[i]), i > 1);
    }
    ck_assert_int_eq(uva_select(&one, 1), 0);
    ck_assert_int_eq(get(&desk.a), 4);
    ck_assert_int_eq(get(&desk.a), 9);
    ck_assert_int_eq(uva_queue_task_done(&desk.a), 0);
    ck_assert_int_eq(uva_queue_task_done(&desk.a), 0);
    ck_assert_int_eq(uva_queue_join(&desk.a), 0);
    ck_assert_int_eq(uva_queue_task_done(&desk.a), UV_EINVAL);
    desk_clear(&desk, 0, 0);
}

/* The policy may come and go: what it said before is forgotten. */
UVA_TEST(overflow_waits_again)
{
    desk_t desk = DESK_INIT(1);
    put_item_task_t *task;

    ck_assert_int_eq(uva_queue_set_overflow(&desk.a, UVA_QUEUE_DROP_NEWEST), 0);
    PUT(&desk.a, 1);
    ck_assert_int_eq(uva_queue_put(&desk.a, ITEM(2)), 1);
    ck_assert_int_eq(uva_queue_set_overflow(&desk.a, UVA_QUEUE_WAIT), 0);
    task = KIND_SPAWN(put_item, &desk.a, 3, &desk.trace, 'p');
    UVA_TICK();
    ck_assert_str_eq(desk.trace.text, "");
    ck_assert_int_eq(get(&desk.a), 1);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(get(&desk.a), 3);
    desk_clear(&desk, 0, 0);
}

/* --- waiters --- */

/* A primitive as a user of the library writes it. */
typedef struct row_s {
    uva_loop_t *loop;
    uva_list_t waiters;
} row_t;

static int row_wait_poll(row_t *row)
{
    uva_waiter_t *self = uva_waiter_current();

    return uva_waiter_resumed(self)
               ? uva_waiter_finish(self)
               : uva_waiter_suspend(self, &row->loop, &row->waiters);
}

static int row_wait(row_t *row)
{
    int r;

    UVA_DRIVE(r, row_wait, row);
    return r;
}

KIND_TASK(void, stand, row_t *row; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, row_wait, self->row);
    UVA_END
    return self->r;
}

UVA_TEST(wake_first_passes_who_is_woken_or_cancelled)
{
    row_t row = {NULL, {NULL, NULL}};
    stand_task_t *tasks[4];

    ck_assert(!uva_waiter_wake_first(&row.waiters));
    for (int i = 0; i < 4; i++) {
        tasks[i] = KIND_SPAWN(stand, &row);
    }
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(tasks[0]));
    ck_assert(uva_waiter_wake(
        UVA__CONTAINER_OF(row.waiters.next->next, uva_waiter_t, link)));
    ck_assert_uint_eq(uva__sync_count(&row.waiters), 4);
    ck_assert(uva_waiter_wake_first(&row.waiters));
    ck_assert_uint_eq(uva__sync_count(&row.waiters), 1);
    UVA_TICK();
    ck_assert(!UVA_DONE(tasks[3]));
    ck_assert_int_eq(UVA_JOIN(tasks[0]), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(tasks[1]), 0);
    ck_assert_int_eq(UVA_JOIN(tasks[2]), 0);
    ck_assert(uva_waiter_wake_first(&row.waiters));
    ck_assert(!uva_waiter_wake_first(&row.waiters));
    ck_assert_int_eq(UVA_JOIN(tasks[3]), 0);
    ck_assert(!uva_waiter_wake_first(&row.waiters));
}

/* Woken, and cancelled before it runs: the wake-up is spent. */
UVA_TEST(wake_first_then_cancelled)
{
    row_t row = {NULL, {NULL, NULL}};
    stand_task_t *task = KIND_SPAWN(stand, &row);

    UVA_TICK();
    ck_assert(uva_waiter_wake_first(&row.waiters));
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert(!uva_waiter_wake_first(&row.waiters));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
}

static void *wake_from_outside(void *data)
{
    row_t *row = data;

    return uva_waiter_wake_first(&row->waiters) ? row : NULL;
}

/* Another thread wakes nobody, and takes nobody out of the list. */
UVA_TEST(wake_first_wrong_thread)
{
    row_t row = {NULL, {NULL, NULL}};
    stand_task_t *task = KIND_SPAWN(stand, &row);
    pthread_t thread;
    void *woken = &row;

    UVA_TICK();
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_from_outside, &row), 0);
    ck_assert_int_eq(pthread_join(thread, &woken), 0);
    ck_assert_ptr_null(woken);
    ck_assert_uint_eq(uva__sync_count(&row.waiters), 1);
    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    ck_assert(uva_waiter_wake_first(&row.waiters));
    ck_assert_int_eq(UVA_JOIN(task), 0);
}

static void add_select(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, select_what_is_there);
    KIND_ADD_TESTS(tcase, select_waits_for_a_get, select_waits_for_a_put,
                   select_takes_exactly_one, select_is_fair,
                   select_cancelled_passes_on, select_put_cancelled_passes_on,
                   select_cancelled_takes_none);
    UVA_ADD_TESTS(tcase, select_with_cancellation_due);
    KIND_ADD_TESTS(tcase, select_stolen_item, select_same_queue_twice,
                   select_shutdown);
    UVA_ADD_TESTS(tcase, select_drains_what_is_shut_down);
    KIND_ADD_TESTS(tcase, select_then_others, select_is_not_passed);
    UVA_ADD_TESTS(tcase, select_timeout, select_nowait, select_no_task,
                  select_wrong_loop);
    KIND_ADD_TESTS(tcase, select_no_memory, select_wrong_thread, select_storm);
}

static void add_overflow(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, overflow_drop_oldest, overflow_drop_newest,
                  overflow_refused);
    KIND_ADD_TESTS(tcase, overflow_busy, overflow_never_waits,
                   overflow_waits_again);
}

static void add_waiters(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, wake_first_passes_who_is_woken_or_cancelled,
                   wake_first_then_cancelled, wake_first_wrong_thread);
}

int main(void)
{
    Suite *suite = suite_create("select");

    add_select(UVA_TCASE(suite, "Select"));
    add_overflow(UVA_TCASE(suite, "Overflow"));
    add_waiters(UVA_TCASE(suite, "Waiters"));
    return uva_test_main(suite);
}
