/*
 * Queue, LifoQueue, PriorityQueue: CPython's tests, and what C adds.
 */
#include "items.h"
#include "kinds.h"

#include <stdio.h>
#include <string.h>

#include "sync/waitlists.h"

static int await_get(uva_queue_t *queue)
{
    void *item = NULL;

    ck_assert_int_eq(uva_queue_get(queue, &item), 0);
    return NUMBER(item);
}

static void await_put(uva_queue_t *queue, int number)
{
    ck_assert_int_eq(uva_queue_put(queue, ITEM(number)), 0);
}

static size_t getters_of(const uva_queue_t *queue)
{
    return uva__sync_count(&queue->getters.waiters);
}

static size_t putters_of(const uva_queue_t *queue)
{
    return uva__sync_count(&queue->putters.waiters);
}

static int by_number(const void *a, const void *b, void *data)
{
    intptr_t difference = (intptr_t)a - (intptr_t)b;

    (void)data;
    return (difference > 0) - (difference < 0);
}

/* Tests of all three classes run with loop_test 0 to 5; tasks of both kinds, as
 * it is even or odd. */
static void init_class(uva_queue_t *queue, int loop_test, size_t maxsize)
{
    switch (loop_test / 2) {
    case 0:
        uva_queue_init(queue, maxsize);
        break;
    case 1:
        uva_lifo_queue_init(queue, maxsize);
        break;
    default:
        uva_priority_queue_init(queue, maxsize, by_number, NULL);
        break;
    }
}

KIND_TASK(void *, get_one, uva_queue_t *queue; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_get, self->queue, ret);
    UVA_END
    return self->r;
}

KIND_TASK(void, put_one, uva_queue_t *queue; int number; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_put, self->queue, ITEM(self->number));
    UVA_END
    return self->r;
}

static int got(get_one_task_t *take_task)
{
    void *item = NULL;

    ck_assert_int_eq(get_one_await(take_task, &item), 0);
    return NUMBER(item);
}

/* --- QueueBasicTests --- */

static bool has(const uva_queue_t *queue, const char *words)
{
    char text[160];

    ck_assert_uint_eq(uva_repr(queue, text, sizeof text), strlen(text));
    return strstr(text, words) != NULL;
}

static void check_repr(void)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    uva_queue_t small = UVA_QUEUE_INIT(1);
    get_one_task_t *getter = KIND_SPAWN(get_one, &queue);
    put_one_task_t *putter;

    UVA_TICK();
    ck_assert(has(&queue, " getters[1]"));
    PUT(&queue, 7);
    ck_assert_int_eq(got(getter), 7);

    PUT(&small, 1);
    putter = KIND_SPAWN(put_one, &small, 2);
    UVA_TICK();
    ck_assert(has(&small, " putters[1]"));
    ck_assert_int_eq(get(&small), 1);
    ck_assert_int_eq(UVA_JOIN(putter), 0);

    ck_assert(has(&small, " size=1"));
    ck_assert(has(&queue, " tasks=1"));
    uva_queue_destroy(&queue);
    uva_queue_destroy(&small);
}

UVA_TEST(queue_repr)
{
    /* test_queues.py, QueueBasicTests.test_repr; and
     * test_queues.py, QueueBasicTests.test_str: there is one description, with
     * the address. */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    char text[160];
    char expected[160];

    check_repr();
    uva_repr(&queue, text, sizeof text);
    snprintf(expected, sizeof expected, "<Queue at %p maxsize=0>",
             (void *)&queue);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(uva_repr(&queue, text, 7), strlen(expected));
    ck_assert_str_eq(text, "<Queue");
    ck_assert_uint_eq(uva_repr(&queue, NULL, 0), strlen(expected));
}

UVA_TEST(queue_full)
{
    /* test_queues.py, QueueBasicTests.test_full */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    uva_queue_t small = UVA_QUEUE_INIT(1);

    ck_assert(!uva_queue_full(&queue));
    await_put(&small, 1);
    ck_assert(uva_queue_full(&small));
    uva_queue_destroy(&small);
}

UVA_TEST(queue_order)
{
    /* Put 1, 3, 2, and compare what comes out of each class:
     * test_queues.py, QueueBasicTests.test_order,
     * test_queues.py, LifoQueueTests.test_order,
     * test_queues.py, PriorityQueueTests.test_order
     */
    static const int expected[][3] = {{1, 3, 2}, {2, 3, 1}, {1, 2, 3}};

    for (int order = 0; order < 3; order++) {
        uva_queue_t queue;

        init_class(&queue, 2 * order, 0);
        await_put(&queue, 1);
        await_put(&queue, 3);
        await_put(&queue, 2);
        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(await_get(&queue), expected[order][i]);
        }
        uva_queue_destroy(&queue);
    }
}

KIND_TASK(bool, put_three, uva_queue_t *queue; uva_test_trace_t * trace; int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        AWAIT_IS(0, uva_queue_put, self->queue, ITEM(self->i));
        uva_test_trace(self->trace, "%d", self->i);
    }
    *ret = true;
    UVA_END
    return 0;
}

UVA_TEST(queue_maxsize)
{
    /* test_queues.py, QueueBasicTests.test_maxsize */
    uva_queue_t queue = UVA_QUEUE_INIT(2);
    uva_test_trace_t trace = {0};
    put_three_task_t *task;
    bool result = false;

    ck_assert_uint_eq(uva_queue_maxsize(&queue), 2);
    task = KIND_SPAWN(put_three, &queue, &trace);
    UVA_TICK();
    UVA_TICK();
    ck_assert_str_eq(trace.text, "0 1");
    ck_assert_int_eq(await_get(&queue), 0);
    UVA_TICK();
    ck_assert_str_eq(trace.text, "0 1 2");
    ck_assert_int_eq(await_get(&queue), 1);
    ck_assert_int_eq(await_get(&queue), 2);
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(put_three_await(task, &result), 0);
    ck_assert(result);
    uva_queue_destroy(&queue);
}

/* --- QueueGetTests --- */

UVA_TEST(queue_blocking_put_and_get)
{
    /* Neither waits:
     * test_queues.py, QueueGetTests.test_blocking_get, and
     * test_queues.py, QueuePutTests.test_blocking_put;
     * test_queues.py, QueueBasicTests.test_empty
     */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    uint64_t before = uva_loop_iterations(uva_get_running_loop());

    ck_assert(uva_queue_empty(&queue));
    await_put(&queue, 1);
    ck_assert(!uva_queue_empty(&queue));
    ck_assert_int_eq(await_get(&queue), 1);
    ck_assert(uva_queue_empty(&queue));
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()), before);
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_get_with_putters)
{
    /* test_queues.py, QueueGetTests.test_get_with_putters */
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *putter;

    await_put(&queue, 1);
    putter = KIND_SPAWN(put_one, &queue, 2);
    UVA_TICK();
    ck_assert_uint_eq(putters_of(&queue), 1);
    ck_assert_int_eq(await_get(&queue), 1);
    ck_assert_uint_eq(putters_of(&queue), 0);
    ck_assert_int_eq(UVA_JOIN(putter), 0);
    ck_assert_int_eq(get(&queue), 2);
    uva_queue_destroy(&queue);
}

typedef struct meeting_s {
    uva_queue_t queue;
    uva_event_t started;
    bool finished;
} meeting_t;

KIND_TASK(void *, get_started, meeting_t *meeting; int r;)
{
    UVA_BEGIN
    uva_event_set(&self->meeting->started);
    AWAIT(self->r, uva_queue_get, &self->meeting->queue, ret);
    self->meeting->finished = true;
    UVA_END
    return self->r;
}

static void put_1(void *data)
{
    PUT(data, 1);
}

UVA_TEST(queue_blocking_get_wait)
{
    /* test_queues.py, QueueGetTests.test_blocking_get_wait */
    meeting_t meeting = {UVA_QUEUE_INIT(0), UVA_EVENT_INIT, false};
    get_started_task_t *task = KIND_SPAWN(get_started, &meeting);
    void *item = NULL;

    ck_assert_int_eq(uva_event_wait(&meeting.started), 0);
    ck_assert(!meeting.finished);
    ck_assert_int_eq(uva_loop_call_later(NULL, UVA_MS(10), put_1,
                                         &meeting.queue, NULL, NULL),
                     0);
    ck_assert_int_eq(get_started_await(task, &item), 0);
    ck_assert(meeting.finished);
    ck_assert_int_eq(NUMBER(item), 1);
    uva_queue_destroy(&meeting.queue);
}

START_TEST(queue_nonblocking_put_and_get)
{
    /* test_queues.py, QueueGetTests.test_nonblocking_get, and
     * test_queues.py, QueuePutTests.test_nonblocking_put */
    uva_queue_t queue = UVA_QUEUE_INIT(0);

    PUT(&queue, 1);
    ck_assert_int_eq(get(&queue), 1);
    uva_queue_destroy(&queue);
}
END_TEST

START_TEST(queue_nonblocking_get_exception)
{
    /* test_queues.py, QueueGetTests.test_nonblocking_get_exception */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    void *item = &queue;

    ck_assert_int_eq(uva_queue_get_nowait(&queue, &item), UVA_EQUEUEEMPTY);
    ck_assert_ptr_eq(item, &queue);
}
END_TEST

UVA_TEST(queue_get_cancelled_race)
{
    /* test_queues.py, QueueGetTests.test_get_cancelled_race */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    get_one_task_t *t1 = KIND_SPAWN(get_one, &queue);
    get_one_task_t *t2 = KIND_SPAWN(get_one, &queue);

    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(t1));
    UVA_TICK();
    ck_assert(UVA_DONE(t1));
    await_put(&queue, 'a');
    UVA_TICK();
    ck_assert_int_eq(got(t2), 'a');
    ck_assert_int_eq(UVA_JOIN(t1), UV_ECANCELED);
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_get_with_waiting_putters)
{
    /* test_queues.py, QueueGetTests.test_get_with_waiting_putters */
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *t1 = KIND_SPAWN(put_one, &queue, 'a');
    put_one_task_t *t2 = KIND_SPAWN(put_one, &queue, 'b');

    ck_assert_int_eq(await_get(&queue), 'a');
    ck_assert_int_eq(await_get(&queue), 'b');
    ck_assert_int_eq(UVA_JOIN(t1), 0);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    uva_queue_destroy(&queue);
}

KIND_TASK(void, consume, uva_queue_t *queue; int count; void *item;)
{
    UVA_BEGIN
    for (; self->count > 0; self->count--) {
        AWAIT_IS(0, uva_queue_get, self->queue, &self->item);
    }
    UVA_END
    return 0;
}

KIND_TASK(void, produce, uva_queue_t *queue; int count;)
{
    UVA_BEGIN
    for (; self->count > 0; self->count--) {
        AWAIT_IS(0, uva_queue_put, self->queue, ITEM(self->count));
    }
    UVA_END
    return 0;
}

UVA_TEST(queue_why_are_getters_waiting)
{
    /* test_queues.py, QueueGetTests.test_why_are_getters_waiting */
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    uva_future_t *tasks[2];

    tasks[0] = UVA_FUTURE(KIND_SPAWN(produce, &queue, 5));
    tasks[1] = UVA_FUTURE(KIND_SPAWN(consume, &queue, 5));
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 2, 0, NULL), 0);
    ck_assert_uint_eq(getters_of(&queue), 0);
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_cancelled_getters_not_being_held_in_self_getters)
{
    /* test_queues.py,
     * QueueGetTests.test_cancelled_getters_not_being_held_in_self_getters
     */
    uva_queue_t queue = UVA_QUEUE_INIT(5);
    get_one_task_t *task = KIND_SPAWN(get_one, &queue);

    ck_assert_int_eq(uva_wait_for(UVA_FUTURE(task), UVA_MS(100), NULL),
                     UV_ETIMEDOUT);
    ck_assert_uint_eq(getters_of(&queue), 0);
}

/* --- QueuePutTests --- */

KIND_TASK(void, put_started, meeting_t *meeting; int r;)
{
    UVA_BEGIN
    uva_event_set(&self->meeting->started);
    AWAIT_IS(0, uva_queue_put, &self->meeting->queue, ITEM(1));
    AWAIT(self->r, uva_queue_put, &self->meeting->queue, ITEM(2));
    self->meeting->finished = true;
    UVA_END
    return self->r;
}

static void get_1(void *data)
{
    ck_assert_int_eq(get(data), 1);
}

UVA_TEST(queue_blocking_put_wait)
{
    /* test_queues.py, QueuePutTests.test_blocking_put_wait */
    meeting_t meeting = {UVA_QUEUE_INIT(1), UVA_EVENT_INIT, false};
    put_started_task_t *task;

    ck_assert_int_eq(uva_loop_call_later(NULL, UVA_MS(10), get_1,
                                         &meeting.queue, NULL, NULL),
                     0);
    task = KIND_SPAWN(put_started, &meeting);
    ck_assert_int_eq(uva_event_wait(&meeting.started), 0);
    ck_assert(!meeting.finished);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert(meeting.finished);
    uva_queue_destroy(&meeting.queue);
}

UVA_TEST(queue_get_cancel_drop_one_pending_reader)
{
    /* test_queues.py, QueuePutTests.test_get_cancel_drop_one_pending_reader */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    get_one_task_t *reader = KIND_SPAWN(get_one, &queue);

    UVA_TICK();
    PUT(&queue, 1);
    PUT(&queue, 2);
    uva_future_cancel(UVA_FUTURE(reader));
    ck_assert_int_eq(UVA_JOIN(reader), UV_ECANCELED);

    reader = KIND_SPAWN(get_one, &queue);
    ck_assert_int_eq(got(reader), 1); /* 2 would mean that 1 was lost. */
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_get_cancel_drop_many_pending_readers)
{
    /* test_queues.py, QueuePutTests.test_get_cancel_drop_many_pending_readers
     */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    get_one_task_t *readers[3];
    int sum = 0;

    for (int i = 0; i < 3; i++) {
        readers[i] = KIND_SPAWN(get_one, &queue);
    }
    UVA_TICK();
    PUT(&queue, 1);
    PUT(&queue, 2);
    uva_future_cancel(UVA_FUTURE(readers[0]));
    ck_assert_int_eq(UVA_JOIN(readers[0]), UV_ECANCELED);
    sum += got(readers[2]);
    sum += got(readers[1]);
    ck_assert_int_eq(sum, 3);
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_put_cancel_drop)
{
    /* test_queues.py, QueuePutTests.test_put_cancel_drop */
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *writer;

    PUT(&queue, 1);
    writer = KIND_SPAWN(put_one, &queue, 2);
    UVA_TICK();
    ck_assert_int_eq(get(&queue), 1);
    uva_future_cancel(UVA_FUTURE(writer));
    ck_assert_int_eq(UVA_JOIN(writer), UV_ECANCELED);

    writer = KIND_SPAWN(put_one, &queue, 2);
    ck_assert_int_eq(UVA_JOIN(writer), 0);
    ck_assert_int_eq(get(&queue), 2);
    ck_assert_uint_eq(uva_queue_qsize(&queue), 0);
    uva_queue_destroy(&queue);
}

START_TEST(queue_nonblocking_put_exception)
{
    /* test_queues.py, QueuePutTests.test_nonblocking_put_exception */
    uva_queue_t queue = UVA_QUEUE_INIT(1);

    PUT(&queue, 1);
    ck_assert_int_eq(uva_queue_put_nowait(&queue, ITEM(2)), UVA_EQUEUEFULL);
    uva_queue_destroy(&queue);
}
END_TEST

UVA_TEST(queue_put_cancelled)
{
    /* test_queues.py, QueuePutTests.test_put_cancelled */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    put_one_task_t *task = KIND_SPAWN(put_one, &queue, 1);

    ck_assert_int_eq(await_get(&queue), 1);
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(UVA_JOIN(task), 0);
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_put_cancelled_race)
{
    /* test_queues.py, QueuePutTests.test_put_cancelled_race */
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *put_a = KIND_SPAWN(put_one, &queue, 'a');
    put_one_task_t *put_b = KIND_SPAWN(put_one, &queue, 'b');
    put_one_task_t *put_c = KIND_SPAWN(put_one, &queue, 'X');

    UVA_TICK();
    ck_assert(UVA_DONE(put_a));
    ck_assert(!UVA_DONE(put_b));
    uva_future_cancel(UVA_FUTURE(put_c));
    UVA_TICK();
    ck_assert(UVA_DONE(put_c));
    ck_assert_int_eq(get(&queue), 'a');
    UVA_TICK();
    ck_assert_int_eq(get(&queue), 'b');
    ck_assert_int_eq(UVA_JOIN(put_a), 0);
    ck_assert_int_eq(UVA_JOIN(put_b), 0);
    ck_assert_int_eq(UVA_JOIN(put_c), UV_ECANCELED);
    uva_queue_destroy(&queue);
}

UVA_TEST(queue_put_with_waiting_getters)
{
    /* test_queues.py, QueuePutTests.test_put_with_waiting_getters */
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    get_one_task_t *task = KIND_SPAWN(get_one, &queue);

    UVA_TICK();
    await_put(&queue, 'a');
    ck_assert_int_eq(got(task), 'a');
    uva_queue_destroy(&queue);
}

KIND_TASK(void, get_all, uva_queue_t *queue; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    for (size_t i = uva_queue_qsize(self->queue); i > 0; i--) {
        (void)get(self->queue);
    }
    UVA_END
    return self->r;
}

UVA_TEST(queue_why_are_putters_waiting)
{
    /* test_queues.py, QueuePutTests.test_why_are_putters_waiting */
    uva_queue_t queue = UVA_QUEUE_INIT(2);
    uva_future_t *tasks[5];

    tasks[0] = UVA_FUTURE(KIND_SPAWN(get_all, &queue));
    for (int i = 0; i < 4; i++) {
        tasks[i + 1] = UVA_FUTURE(KIND_SPAWN(put_one, &queue, i));
    }
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 5, 0, NULL), 0);
    ck_assert_uint_eq(putters_of(&queue), 0);
    uva_queue_destroy(&queue);
}

static const struct {
    const char *name;
    bool taken_out; /* Of the list, by a get, before it is cancelled. */
} cancelled_puts[] = {
    /* test_queues.py, QueuePutTests: rows */
    {"cancelled_puts_not_being_held_in_self_putters", false},
    {"cancelled_put_silence_value_error_exception", true},
};

UVA_TEST(queue_cancelled_put)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *task;

    PUT(&queue, 1);
    task = KIND_SPAWN(put_one, &queue, 1);
    UVA_TICK();
    ck_assert_uint_eq(putters_of(&queue), 1);
    if (UVA_ROW(cancelled_puts)->taken_out) {
        ck_assert_int_eq(get(&queue), 1);
        ck_assert_uint_eq(putters_of(&queue), 0);
    }
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    ck_assert_uint_eq(putters_of(&queue), 0);
    uva_queue_destroy(&queue);
}

/* --- the order of a priority queue --- */

typedef struct ranked_s {
    int rank;
    int id;
} ranked_t;

static int by_rank(const void *a, const void *b, void *data)
{
    ++*(int *)data;
    return ((const ranked_t *)a)->rank - ((const ranked_t *)b)->rank;
}

START_TEST(priority_ties)
{
    /* What Python's heapq gives for the same pushes and pops: equal items
     * come out in an order of its own, and so do ours. */
    static ranked_t items[] = {{1, 0}, {0, 1}, {1, 2}, {0, 3}, {1, 4},
                               {0, 5}, {1, 6}, {0, 7}, {1, 8}, {0, 9}};
    static const int expected[] = {1, 5, 3, 9, 7, 6, 2, 4, 8, 0};
    int calls = 0;
    uva_queue_t queue;
    void *item;

    uva_priority_queue_init(&queue, 0, by_rank, &calls);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_queue_put_nowait(&queue, &items[i]), 0);
    }
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_queue_get_nowait(&queue, &item), 0);
        ck_assert_int_eq(((ranked_t *)item)->id, expected[i]);
    }
    ck_assert_int_gt(calls, 0);
    uva_queue_destroy(&queue);
}
END_TEST

START_TEST(priority_random)
{
    uva_queue_t queue = UVA_PRIORITY_QUEUE_INIT(0, by_number, NULL);
    uint32_t seed = 1;
    int last = -1;

    for (int i = 0; i < 1000; i++) {
        seed = seed * 1664525u + 1013904223u;
        PUT(&queue, seed >> 16);
    }
    while (!uva_queue_empty(&queue)) {
        int number = get(&queue);

        ck_assert_int_ge(number, last);
        last = number;
    }
    uva_queue_destroy(&queue);
}
END_TEST

/* --- _QueueJoinTestMixin --- */

START_TEST(join_task_done_underflow)
{
    /* test_queues.py, _QueueJoinTestMixin.test_task_done_underflow */
    uva_queue_t queue;

    init_class(&queue, _i, 0);
    ck_assert_int_eq(uva_queue_task_done(&queue), UV_EINVAL);
}
END_TEST

typedef struct work_s {
    uva_queue_t queue;
    int sum;
    bool running;
} work_t;

KIND_TASK(void, work, work_t *work; void *item;)
{
    UVA_BEGIN
    while (self->work->running) {
        AWAIT_IS(0, uva_queue_get, &self->work->queue, &self->item);
        self->work->sum += NUMBER(self->item);
        ck_assert_int_eq(uva_queue_task_done(&self->work->queue), 0);
    }
    UVA_END
    return 0;
}

UVA_TEST(join_task_done)
{
    /* test_queues.py, _QueueJoinTestMixin.test_task_done */
    work_t work = {.running = true};
    work_task_t *tasks[2];

    init_class(&work.queue, loop_test, 0);
    for (int i = 0; i < 100; i++) {
        PUT(&work.queue, i);
    }
    for (int i = 0; i < 2; i++) {
        tasks[i] = KIND_SPAWN(work, &work);
    }
    ck_assert_int_eq(uva_queue_join(&work.queue), 0);
    ck_assert_int_eq(work.sum, 99 * 100 / 2);

    work.running = false;
    PUT(&work.queue, 0);
    PUT(&work.queue, 0);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 2, 0, NULL), 0);
    uva_queue_destroy(&work.queue);
}

UVA_TEST(join_empty_queue)
{
    /* test_queues.py, _QueueJoinTestMixin.test_join_empty_queue */
    uva_queue_t queue;

    init_class(&queue, loop_test, 0);
    ck_assert_int_eq(uva_queue_join(&queue), 0);
    ck_assert_int_eq(uva_queue_join(&queue), 0);
}

START_TEST(join_format)
{
    /* test_queues.py, _QueueJoinTestMixin.test_format */
    static const char *const names[] = {"<Queue at ", "<LifoQueue at ",
                                        "<PriorityQueue at "};
    uva_queue_t queue;

    init_class(&queue, _i, 0);
    ck_assert(has(&queue, names[_i / 2]));
    ck_assert(has(&queue, " maxsize=0>"));
    PUT(&queue, 1);
    PUT(&queue, 2);
    (void)get(&queue);
    (void)get(&queue);
    ck_assert(has(&queue, " maxsize=0 tasks=2>"));
    uva_queue_destroy(&queue);
}
END_TEST

/* --- _QueueShutdownTestMixin --- */

KIND_TASK(void, join_queue, uva_queue_t *queue; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_queue_join, self->queue);
    UVA_END
    return self->r;
}

static void check_shut_down(uva_queue_t *queue)
{
    void *item;

    ck_assert_int_eq(uva_queue_put(queue, ITEM(1)), UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(uva_queue_put_nowait(queue, ITEM(1)), UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(uva_queue_get(queue, &item), UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(uva_queue_get_nowait(queue, &item), UVA_EQUEUESHUTDOWN);
}

START_TEST(shutdown_format)
{
    /* test_queues.py, _QueueShutdownTestMixin.test_format */
    uva_queue_t queue;

    init_class(&queue, _i, 0);
    uva_queue_shutdown(&queue, false);
    ck_assert(has(&queue, " maxsize=0 shutdown>"));
}
END_TEST

UVA_TEST(shutdown_empty)
{
    /* test_queues.py, _QueueShutdownTestMixin.test_shutdown_empty */
    uva_queue_t queue;
    get_one_task_t *getter;

    init_class(&queue, loop_test, 0);
    getter = KIND_SPAWN(get_one, &queue);
    UVA_TICK();
    uva_queue_shutdown(&queue, false);
    ck_assert_uint_eq(uva_queue_qsize(&queue), 0);
    ck_assert_int_eq(uva_queue_join(&queue), 0);
    UVA_TICK();
    ck_assert(UVA_DONE(getter));
    ck_assert_int_eq(UVA_JOIN(getter), UVA_EQUEUESHUTDOWN);
    check_shut_down(&queue);
}

UVA_TEST(shutdown_nonempty)
{
    /* test_queues.py, _QueueShutdownTestMixin.test_shutdown_nonempty */
    uva_queue_t queue;
    join_queue_task_t *joiner;
    put_one_task_t *putter;

    init_class(&queue, loop_test, 1);
    PUT(&queue, 1);
    joiner = KIND_SPAWN(join_queue, &queue);
    putter = KIND_SPAWN(put_one, &queue, 2);
    UVA_TICK();
    ck_assert(!UVA_DONE(putter));

    uva_queue_shutdown(&queue, false);
    ck_assert_uint_eq(uva_queue_qsize(&queue), 1);
    UVA_TICK();
    ck_assert(UVA_DONE(putter));
    ck_assert_int_eq(UVA_JOIN(putter), UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(await_get(&queue), 1);
    UVA_TICK();
    ck_assert(!UVA_DONE(joiner));
    check_shut_down(&queue);

    ck_assert_int_eq(uva_queue_task_done(&queue), 0);
    UVA_TICK();
    ck_assert(UVA_DONE(joiner));
    ck_assert_int_eq(UVA_JOIN(joiner), 0);
    ck_assert_int_eq(uva_queue_task_done(&queue), UV_EINVAL);
    uva_queue_destroy(&queue);
}

/* A shutdown that drops all items, or one of two: the other was taken, and is
 * told done afterwards. */
UVA_TEST(shutdown_immediate)
{
    /* test_queues.py, _QueueShutdownTestMixin.test_shutdown_immediate, and
     * test_queues.py,
     * _QueueShutdownTestMixin.test_shutdown_immediate_with_unfinished
     */
    for (int unfinished = 0; unfinished < 2; unfinished++) {
        uva_queue_t queue;
        join_queue_task_t *joiner;

        init_class(&queue, loop_test, 0);
        PUT(&queue, 1);
        if (unfinished) {
            PUT(&queue, 1);
        }
        joiner = KIND_SPAWN(join_queue, &queue);
        if (unfinished) {
            ck_assert_int_eq(await_get(&queue), 1);
        }
        uva_queue_shutdown(&queue, true);
        ck_assert_uint_eq(uva_queue_qsize(&queue), 0);
        UVA_TICK();
        ck_assert_int_eq(UVA_DONE(joiner), !unfinished);
        check_shut_down(&queue);

        if (unfinished) {
            ck_assert_int_eq(uva_queue_task_done(&queue), 0);
        }
        ck_assert_int_eq(uva_queue_task_done(&queue), UV_EINVAL);
        UVA_TICK();
        ck_assert(UVA_DONE(joiner));
        ck_assert_int_eq(UVA_JOIN(joiner), 0);
        uva_queue_destroy(&queue);
    }
}

/* --- what C adds --- */

/* An item that is stolen: the getter goes to the end of the line. */
UVA_TEST(stolen_item)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    get_one_task_t *t1 = KIND_SPAWN(get_one, &queue);
    get_one_task_t *t2 = KIND_SPAWN(get_one, &queue);

    UVA_TICK();
    PUT(&queue, 1);
    ck_assert_int_eq(get(&queue), 1);
    UVA_TICK();
    ck_assert(!UVA_DONE(t1) && !UVA_DONE(t2));
    PUT(&queue, 2);
    UVA_TICK();
    ck_assert(!UVA_DONE(t1) && UVA_DONE(t2));
    PUT(&queue, 3);
    ck_assert_int_eq(got(t2), 2);
    ck_assert_int_eq(got(t1), 3);
    uva_queue_destroy(&queue);
}

/* A putter that is called and cancelled calls the next. */
UVA_TEST(called_putter_cancelled)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *t1;
    put_one_task_t *t2;

    PUT(&queue, 1);
    t1 = KIND_SPAWN(put_one, &queue, 2);
    t2 = KIND_SPAWN(put_one, &queue, 3);
    UVA_TICK();
    ck_assert_int_eq(get(&queue), 1);
    uva_future_cancel(UVA_FUTURE(t1));
    ck_assert_int_eq(UVA_JOIN(t1), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    ck_assert_int_eq(get(&queue), 3);
    uva_queue_destroy(&queue);
}

/* Room that is taken by another, again and again: the putter waits on. */
UVA_TEST(stolen_room)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    put_one_task_t *task;

    PUT(&queue, 1);
    task = KIND_SPAWN(put_one, &queue, 9);
    UVA_TICK();
    for (int i = 1; i < 4; i++) {
        ck_assert_int_eq(get(&queue), i);
        PUT(&queue, i + 1);
        UVA_TICK();
        ck_assert(!UVA_DONE(task));
        ck_assert_uint_eq(putters_of(&queue), 1);
    }
    ck_assert_int_eq(get(&queue), 4);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(get(&queue), 9);
    uva_queue_destroy(&queue);
}

/* Called, and before it runs there is nothing any more, nor will be. */
UVA_TEST(stolen_and_shut_down)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    uva_queue_t full = UVA_QUEUE_INIT(1);
    get_one_task_t *getter = KIND_SPAWN(get_one, &queue);
    put_one_task_t *putter = KIND_SPAWN(put_one, &full, 3);

    PUT(&full, 1);
    UVA_TICK();
    PUT(&queue, 1);
    ck_assert_int_eq(get(&queue), 1);
    uva_queue_shutdown(&queue, false);
    ck_assert_int_eq(get(&full), 1);
    PUT(&full, 2);
    uva_queue_shutdown(&full, false);
    ck_assert_int_eq(UVA_JOIN(getter), UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(UVA_JOIN(putter), UVA_EQUEUESHUTDOWN);
    ck_assert_int_eq(get(&full), 2);
    uva_queue_destroy(&queue);
    uva_queue_destroy(&full);
}

/* Others use the queue between the call of a getter and its next step, which
 * ends its wait all the same: it was cancelled meanwhile. */
UVA_TEST(called_getter_cancelled_among_items)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    get_one_task_t *t1 = KIND_SPAWN(get_one, &queue);
    get_one_task_t *t2 = KIND_SPAWN(get_one, &queue);

    UVA_TICK();
    for (int i = 1; i < 6; i++) {
        PUT(&queue, i);
    }
    ck_assert_int_eq(get(&queue), 1);
    ck_assert_int_eq(get(&queue), 2);
    uva_future_cancel(UVA_FUTURE(t1));
    ck_assert_int_eq(UVA_JOIN(t1), UV_ECANCELED);
    ck_assert_int_eq(got(t2), 3);
    ck_assert_uint_eq(uva_queue_qsize(&queue), 2);
    uva_queue_destroy(&queue);
}

UVA_TEST(called_putter_cancelled_among_room)
{
    uva_queue_t queue = UVA_QUEUE_INIT(4);
    put_one_task_t *t1;
    put_one_task_t *t2;

    for (int i = 0; i < 4; i++) {
        PUT(&queue, i);
    }
    t1 = KIND_SPAWN(put_one, &queue, 8);
    t2 = KIND_SPAWN(put_one, &queue, 9);
    UVA_TICK();
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(get(&queue), i);
    }
    PUT(&queue, 4);
    PUT(&queue, 5);
    uva_future_cancel(UVA_FUTURE(t1));
    ck_assert_int_eq(UVA_JOIN(t1), UV_ECANCELED);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    ck_assert_int_eq(get(&queue), 4);
    ck_assert_int_eq(get(&queue), 5);
    ck_assert_int_eq(get(&queue), 9);
    uva_queue_destroy(&queue);
}

/* Each of many items calls one of many getters, each room one of the putters,
 * in the order that they came, although nobody runs in between. */
UVA_TEST(each_item_calls_one)
{
    enum {
        COUNT = 6
    };
    uva_queue_t queue = UVA_QUEUE_INIT(COUNT);
    get_one_task_t *getters[COUNT];
    put_one_task_t *putters[COUNT];

    for (int i = 0; i < COUNT; i++) {
        getters[i] = KIND_SPAWN(get_one, &queue);
    }
    UVA_TICK();
    for (int i = 0; i < COUNT; i++) {
        PUT(&queue, i);
        ck_assert_uint_eq(getters_of(&queue), (size_t)(COUNT - 1 - i));
    }
    UVA_TICK();
    for (int i = 0; i < COUNT; i++) {
        ck_assert(UVA_DONE(getters[i]));
        ck_assert_int_eq(got(getters[i]), i);
    }

    for (int i = 0; i < COUNT; i++) {
        PUT(&queue, i);
    }
    for (int i = 0; i < COUNT; i++) {
        putters[i] = KIND_SPAWN(put_one, &queue, COUNT + i);
    }
    UVA_TICK();
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(get(&queue), i);
        ck_assert_uint_eq(putters_of(&queue), (size_t)(COUNT - 1 - i));
    }
    UVA_TICK();
    for (int i = 0; i < COUNT; i++) {
        ck_assert(UVA_DONE(putters[i]));
        ck_assert_int_eq(UVA_JOIN(putters[i]), 0);
        ck_assert_int_eq(get(&queue), COUNT + i);
    }
    uva_queue_destroy(&queue);
}

/* Of each class: a get calls a putter, and a put calls a getter. */
UVA_TEST(class_calls)
{
    uva_queue_t queue;
    put_one_task_t *putter;
    get_one_task_t *getter;

    init_class(&queue, loop_test, 1);
    PUT(&queue, 1);
    putter = KIND_SPAWN(put_one, &queue, 2);
    UVA_TICK();
    ck_assert_int_eq(get(&queue), 1);
    ck_assert_int_eq(UVA_JOIN(putter), 0);
    ck_assert_int_eq(get(&queue), 2);
    getter = KIND_SPAWN(get_one, &queue);
    UVA_TICK();
    PUT(&queue, 3);
    ck_assert_int_eq(got(getter), 3);
    ck_assert_int_eq(uva_queue_put_nowait(&queue, ITEM(1)), 0);
    ck_assert_int_eq(uva_queue_put_nowait(&queue, ITEM(1)), UVA_EQUEUEFULL);
    uva_queue_destroy(&queue);
}

/* One that is cancelled before it is called has nothing to pass on: the others
 * keep their places. */
UVA_TEST(cancelled_first_disturbs_nobody)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    get_one_task_t *getters[4];
    put_one_task_t *putters[4];

    for (int i = 0; i < 4; i++) {
        getters[i] = KIND_SPAWN(get_one, &queue);
    }
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(getters[0]));
    PUT(&queue, 1);
    UVA_TICK();
    UVA_TICK();
    PUT(&queue, 2);
    UVA_TICK();
    PUT(&queue, 3);
    ck_assert_int_eq(UVA_JOIN(getters[0]), UV_ECANCELED);
    for (int i = 1; i < 4; i++) {
        ck_assert_int_eq(got(getters[i]), i);
    }

    PUT(&queue, 4);
    for (int i = 0; i < 4; i++) {
        putters[i] = KIND_SPAWN(put_one, &queue, 5 + i);
    }
    UVA_TICK();
    uva_future_cancel(UVA_FUTURE(putters[0]));
    for (int i = 4; i < 9; i++) {
        if (i != 5) {
            ck_assert_int_eq(get(&queue), i);
            UVA_TICK();
            UVA_TICK();
        }
    }
    ck_assert_int_eq(UVA_JOIN(putters[0]), UV_ECANCELED);
    for (int i = 1; i < 4; i++) {
        ck_assert_int_eq(UVA_JOIN(putters[i]), 0);
    }
    uva_queue_destroy(&queue);
}

START_TEST(ring_turns_grows_and_shrinks)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    int in = 0;
    int out = 0;

    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 7 + round; i++) {
            PUT(&queue, in++);
        }
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(get(&queue), out++);
        }
    }
    ck_assert_uint_eq(uva_queue_qsize(&queue), (size_t)(in - out));
    ck_assert_uint_ge(queue.capacity, 16384);
    while (!uva_queue_empty(&queue)) {
        ck_assert_int_eq(get(&queue), out++);
    }
    ck_assert_int_eq(out, in);
    ck_assert_uint_le(queue.capacity, 4096);
    uva_queue_destroy(&queue);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

UVA_TEST_STRICT(no_memory)
{
    for (int order = 0; order < 3; order++) {
        uva_queue_t queue;
        int sum = 0;

        init_class(&queue, 2 * order, 0);
        for (int i = 0; i < 40; i++) {
            UVA_OOM_TEST(uva_queue_put_nowait(&queue, ITEM(i)));
            ck_assert_uint_eq(uva_queue_qsize(&queue), (size_t)i + 1);
            ck_assert_uint_eq(queue.unfinished, (size_t)i + 1);
        }
        while (!uva_queue_empty(&queue)) {
            sum += get(&queue);
        }
        ck_assert_int_eq(sum, 39 * 40 / 2);
        UVA_OOM_TEST(uva_queue_put(&queue, ITEM(1)));
        uva_queue_destroy(&queue);
    }
}

/* Room for two, memory for none: both who wait are told. */
UVA_TEST_STRICT(no_memory_calls_the_next)
{
    uva_queue_t queue = UVA_QUEUE_INIT(8);
    put_one_task_t *t1;
    put_one_task_t *t2;

    for (int i = 0; i < 8; i++) {
        PUT(&queue, i);
    }
    t1 = KIND_SPAWN(put_one, &queue, 8);
    t2 = KIND_SPAWN(put_one, &queue, 9);
    UVA_TICK();
    queue.maxsize = 10;
    ck_assert_int_eq(get(&queue), 0); /* Calls the first. */
    PUT(&queue, 7);
    ck_assert_uint_eq(queue.count, queue.capacity);
    uva_testing_fail_allocation(1, false);
    UVA_TICK();
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(UVA_JOIN(t1), UV_ENOMEM);
    ck_assert_int_eq(UVA_JOIN(t2), 0);
    ck_assert_uint_eq(uva_queue_qsize(&queue), 9);
    uva_queue_destroy(&queue);
}

/* Memory that is not there when a queue shrinks is not missed. */
START_TEST(no_memory_to_shrink)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);

    for (int i = 0; i < 10000; i++) {
        PUT(&queue, i);
    }
    uva_testing_fail_allocation(1, true);
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(get(&queue), i);
    }
    uva_testing_fail_allocation(0, false);
    uva_queue_destroy(&queue);
}
END_TEST

static int destroyed_sum;

static void note_destroyed(void *item)
{
    destroyed_sum += NUMBER(item);
}

START_TEST(destructor)
{
    uva_queue_t queue;
    uva_queue_t lifo = UVA_LIFO_QUEUE_INIT(0);

    init_class(&queue, _i, 0);
    uva_queue_set_destroy(&queue, note_destroyed);
    uva_queue_set_destroy(&lifo, note_destroyed);
    destroyed_sum = 0;
    PUT(&queue, 1);
    PUT(&queue, 2);
    PUT(&queue, 4);
    (void)get(&queue);
    uva_queue_shutdown(&queue, true);
    ck_assert_int_ge(destroyed_sum, 3);
    destroyed_sum = 0;
    uva_queue_destroy(&queue);
    ck_assert_int_eq(destroyed_sum, 0);

    PUT(&lifo, 1);
    PUT(&lifo, 2);
    uva_queue_destroy(&lifo);
    ck_assert_int_eq(destroyed_sum, 3);
    ck_assert(uva_queue_empty(&lifo));
    ck_assert_int_eq(uva_queue_task_done(&lifo), UV_EINVAL);
    PUT(&lifo, 5); /* As good as new. */
    ck_assert_int_eq(get(&lifo), 5);
    uva_queue_destroy(&lifo);
}
END_TEST

START_TEST(no_task)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    void *item;

    ck_assert_int_eq(uva_queue_get(&queue, &item), UVA_ENOTASK);
    ck_assert_int_eq(uva_queue_put(&queue, ITEM(1)), UVA_ENOTASK);
    ck_assert_int_eq(uva_queue_join(&queue), UVA_ENOTASK);
    ck_assert_int_eq(uva_queue_get_poll(&queue, &item), UVA_ENOTASK);
    ck_assert_int_eq(uva_queue_put_poll(&queue, ITEM(1)), 0);
    ck_assert_int_eq(uva_queue_put_poll(&queue, ITEM(2)), UVA_ENOTASK);
    ck_assert_int_eq(uva_queue_join_poll(&queue), UVA_ENOTASK);
    ck_assert_int_eq(uva_queue_get_poll(&queue, &item), 0);
    uva_queue_destroy(&queue);
}
END_TEST

UVA_TEST(wrong_loop)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);
    uva_loop_t *other;
    void *item;

    other = new_loop();
    queue.loop = other;
    queue.finished.loop = other;
    ck_assert_int_eq(uva_queue_get(&queue, &item), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_queue_put(&queue, ITEM(1)), 0);
    ck_assert_int_eq(uva_queue_put(&queue, ITEM(2)), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_queue_join(&queue), UVA_EWRONGLOOP);
    ck_assert_int_eq(uva_queue_get(&queue, &item), 0);
    uva_queue_destroy(&queue);
    end_loop(other);
}

START_TEST(sizes)
{
    printf("bytes: queue %zu, select case %zu\n", sizeof(uva_queue_t),
           sizeof(uva_select_case_t));
    if (sizeof(void *) == 8) {
        ck_assert_uint_eq(sizeof(uva_queue_t), 184);
        ck_assert_uint_eq(sizeof(uva_select_case_t), 72);
    }
}
END_TEST

static void add_basic(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, queue_repr);
    UVA_ADD_TESTS(tcase, queue_full, queue_order);
    KIND_ADD_TESTS(tcase, queue_maxsize);
}

static void add_get(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, queue_blocking_put_and_get);
    KIND_ADD_TESTS(tcase, queue_get_with_putters, queue_blocking_get_wait);
    UVA_ADD_TESTS(tcase, queue_nonblocking_put_and_get,
                  queue_nonblocking_get_exception);
    KIND_ADD_TESTS(tcase, queue_get_cancelled_race,
                   queue_get_with_waiting_putters,
                   queue_why_are_getters_waiting,
                   queue_cancelled_getters_not_being_held_in_self_getters);
}

static void add_put(TCase *tcase)
{
    KIND_ADD_TABLE(tcase, queue_cancelled_put, cancelled_puts);
    KIND_ADD_TESTS(tcase, queue_blocking_put_wait,
                   queue_get_cancel_drop_one_pending_reader,
                   queue_get_cancel_drop_many_pending_readers,
                   queue_put_cancel_drop);
    UVA_ADD_TESTS(tcase, queue_nonblocking_put_exception);
    KIND_ADD_TESTS(tcase, queue_put_cancelled, queue_put_cancelled_race,
                   queue_put_with_waiting_getters,
                   queue_why_are_putters_waiting);
}

static void add_order(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, priority_ties, priority_random);
}

static void add_join(TCase *tcase)
{
    tcase_add_loop_test(tcase, join_task_done_underflow, 0, 6);
    tcase_add_loop_test(tcase, join_task_done, 0, 6);
    tcase_add_loop_test(tcase, join_empty_queue, 0, 6);
    tcase_add_loop_test(tcase, join_format, 0, 6);
}

static void add_shutdown(TCase *tcase)
{
    tcase_add_loop_test(tcase, shutdown_format, 0, 6);
    tcase_add_loop_test(tcase, shutdown_empty, 0, 6);
    tcase_add_loop_test(tcase, shutdown_nonempty, 0, 6);
    tcase_add_loop_test(tcase, shutdown_immediate, 0, 6);
}

static void add_extras(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, stolen_item, called_putter_cancelled, stolen_room,
                   stolen_and_shut_down, called_getter_cancelled_among_items,
                   called_putter_cancelled_among_room, each_item_calls_one);
    tcase_add_loop_test(tcase, class_calls, 0, 6);
    KIND_ADD_TESTS(tcase, cancelled_first_disturbs_nobody);
    UVA_ADD_TESTS(tcase, ring_turns_grows_and_shrinks, no_memory);
    KIND_ADD_TESTS(tcase, no_memory_calls_the_next);
    UVA_ADD_TESTS(tcase, no_memory_to_shrink);
    tcase_add_loop_test(tcase, destructor, 0, 6);
    UVA_ADD_TESTS(tcase, no_task, wrong_loop, sizes);
}

int main(void)
{
    Suite *suite = suite_create("queues");

    add_basic(UVA_TCASE(suite, "Basic"));
    add_get(UVA_TCASE(suite, "Get"));
    add_put(UVA_TCASE(suite, "Put"));
    add_order(UVA_TCASE(suite, "Order"));
    add_join(UVA_TCASE(suite, "Join"));
    add_shutdown(UVA_TCASE(suite, "Shutdown"));
    add_extras(UVA_TCASE(suite, "Extras"));
    return uva_test_main(suite);
}
