/*
 * Waiting for several tasks: wait, as_completed.
 */
#include "kinds.h"

#define COUNT_MAX 4

/* --- bodies --- */

KIND_TASK(int, sleeper, uint64_t delay_ns; int value; int code; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    if (self->r < 0) {
        return self->r;
    }
    UVA_END
    *ret = self->value;
    return self->code;
}

KIND_TASK(int, yields, int count; int value; int code; int r;)
{
    UVA_BEGIN
    while (self->count-- > 0) {
        AWAIT(self->r, uva_sleep, 0);
        if (self->r < 0) {
            return self->r;
        }
    }
    UVA_END
    *ret = self->value;
    return self->code;
}

/* What a wait has told. */
typedef struct sets_s {
    int done_count; /* Or its code. */
    uva_future_t *done[COUNT_MAX];
    uva_future_t *pending[COUNT_MAX];
} sets_t;

KIND_TASK(int, waiter, uva_future_t *futures[COUNT_MAX]; size_t count;
          uint64_t timeout_ns;
          uva_return_when_t when;
          sets_t * sets;)
{
    UVA_BEGIN
    AWAIT(self->sets->done_count, uva_wait, self->futures, self->count,
          self->timeout_ns, self->when, self->sets->done, self->sets->pending);
    UVA_END
    *ret = 42;
    return self->sets->done_count < 0 ? self->sets->done_count : 0;
}

static sets_t wait_pair(uva_task_t *one,
                        uva_task_t *two,
                        uint64_t timeout_ns,
                        uva_return_when_t when)
{
    sets_t sets = {0, {NULL}, {NULL}};
    uva_task_t *task = KIND_ERASED(
        waiter, .futures = {UVA_FUTURE(one), UVA_FUTURE(two)}, .count = 2,
        .timeout_ns = timeout_ns, .when = when, .sets = &sets);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 42);
    uva_task_unref(task);
    return sets;
}

/* Both were done, in the order of the arguments. */
static void
check_both_done(const sets_t *sets, uva_task_t *one, uva_task_t *two)
{
    ck_assert_int_eq(sets->done_count, 2);
    ck_assert_ptr_eq(sets->done[0], UVA_FUTURE(one));
    ck_assert_ptr_eq(sets->done[1], UVA_FUTURE(two));
    ck_assert_ptr_null(sets->pending[0]);
}

static void
check_one_done(const sets_t *sets, uva_task_t *done, uva_task_t *pending)
{
    ck_assert_int_eq(sets->done_count, 1);
    ck_assert_ptr_eq(sets->done[0], UVA_FUTURE(done));
    ck_assert_ptr_eq(sets->pending[0], UVA_FUTURE(pending));
    ck_assert_ptr_null(sets->pending[1]);
}

static void check_time(uint64_t expected_ns)
{
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), expected_ns);
}

static void finish_pair(uva_task_t *take_one, uva_task_t *take_two)
{
    (void)wait_pair(take_one, take_two, UVA_FOREVER, UVA_ALL_COMPLETED);
    UVA_IGNORE(uva_future_exception(UVA_FUTURE(take_one)));
    UVA_IGNORE(uva_future_exception(UVA_FUTURE(take_two)));
    uva_task_unref(take_one);
    uva_task_unref(take_two);
}

/* --- wait --- */

static void wait_twice(void)
{
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(100));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(150));
    sets_t sets = wait_pair(b, a, UVA_FOREVER, UVA_ALL_COMPLETED);

    check_both_done(&sets, b, a);
    check_time(UVA_MS(150));

    sets = wait_pair(b, a, UVA_FOREVER, UVA_ALL_COMPLETED);
    check_both_done(&sets, b, a);
    check_time(UVA_MS(150));
    uva_task_unref(a);
    uva_task_unref(b);
}

KIND_LOOP_TEST(wait_all)
{
    /* test_tasks.py, BaseTaskTests.test_wait */
    wait_twice();
}

KIND_LOOP_TEST(wait_with_iterator_of_tasks)
{
    /* test_tasks.py, BaseTaskTests.test_wait_with_iterator_of_tasks: an array
     * is what one iterates over. */
    wait_twice();
}

KIND_LOOP_TEST(wait_duplicate_coroutines)
{
    /* test_tasks.py, BaseTaskTests.test_wait_duplicate_coroutines */
    sets_t sets = {0, {NULL}, {NULL}};
    uva_task_t *c = KIND_ERASED(yields, .value = 1);
    uva_task_t *d = KIND_ERASED(yields, .value = 2);
    uva_task_t *task = KIND_ERASED(
        waiter, .futures = {UVA_FUTURE(c), UVA_FUTURE(c), UVA_FUTURE(d)},
        .count = 3, .timeout_ns = UVA_FOREVER, .sets = &sets);

    ck_assert_int_eq(hand_run_take(task), 0);
    check_both_done(&sets, c, d);
    ck_assert_int_eq(hand_int(c), 1);
    ck_assert_int_eq(hand_int(d), 2);
    uva_task_unref(c);
    uva_task_unref(d);
}

static void wait_refused(size_t count, uva_return_when_t when)
{
    sets_t sets = {0, {NULL}, {NULL}};
    uva_task_t *sleeping = KIND_ERASED(yields);
    uva_task_t *task =
        KIND_ERASED(waiter, .futures = {UVA_FUTURE(sleeping)}, .count = count,
                    .timeout_ns = UVA_FOREVER, .when = when, .sets = &sets);

    ck_assert_int_eq(hand_run_take(task), UV_EINVAL);
    uva_task_unref(sleeping);
}

KIND_LOOP_TEST(wait_errors)
{
    /* test_tasks.py, BaseTaskTests.test_wait_errors */
    wait_refused(0, UVA_ALL_COMPLETED);
    wait_refused(1, (uva_return_when_t)9);
}

KIND_LOOP_TEST(wait_invalid_args)
{
    /* test_tasks.py, BaseTaskTests.test_wait_invalid_args: the two wrong types
     * do not compile. */
    wait_refused(0, UVA_ALL_COMPLETED);
}

KIND_LOOP_TEST(wait_first_completed)
{
    /* test_tasks.py, BaseTaskTests.test_wait_first_completed */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(10));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(100), .value = 5);
    sets_t sets = wait_pair(b, a, UVA_FOREVER, UVA_FIRST_COMPLETED);

    check_one_done(&sets, b, a);
    ck_assert(!uva_future_done(UVA_FUTURE(a)));
    ck_assert(uva_future_done(UVA_FUTURE(b)));
    ck_assert_int_eq(hand_int(b), 5);
    check_time(UVA_MS(100));
    finish_pair(a, b);
}

KIND_LOOP_TEST(wait_really_done)
{
    /* test_tasks.py, BaseTaskTests.test_wait_really_done */
    uva_task_t *a = KIND_ERASED(yields, .count = 1, .value = 1);
    uva_task_t *b = KIND_ERASED(yields, .count = 2, .value = 2);
    sets_t sets = wait_pair(b, a, UVA_FOREVER, UVA_FIRST_COMPLETED);

    check_both_done(&sets, b, a);
    ck_assert(uva_future_done(UVA_FUTURE(a)));
    ck_assert_int_eq(hand_int(a), 1);
    ck_assert(uva_future_done(UVA_FUTURE(b)));
    ck_assert_int_eq(hand_int(b), 2);
    uva_task_unref(a);
    uva_task_unref(b);
}

KIND_LOOP_TEST(wait_first_exception)
{
    /* test_tasks.py, BaseTaskTests.test_wait_first_exception */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(10));
    uva_task_t *b = KIND_ERASED(yields, .code = ZERO_DIVISION_ERROR);
    sets_t sets = wait_pair(b, a, UVA_FOREVER, UVA_FIRST_EXCEPTION);

    check_one_done(&sets, b, a);
    check_time(0);
    finish_pair(a, b);
}

KIND_LOOP_TEST(wait_first_exception_in_wait)
{
    /* test_tasks.py, BaseTaskTests.test_wait_first_exception_in_wait */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(10));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(10),
                                .code = ZERO_DIVISION_ERROR);
    sets_t sets = wait_pair(b, a, UVA_FOREVER, UVA_FIRST_EXCEPTION);

    check_one_done(&sets, b, a);
    check_time(UVA_MS(10));
    finish_pair(a, b);
}

KIND_LOOP_TEST(wait_with_exception)
{
    /* test_tasks.py, BaseTaskTests.test_wait_with_exception */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(100));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(150),
                                .code = ZERO_DIVISION_ERROR);

    for (int i = 0; i < 2; i++) {
        sets_t sets = wait_pair(b, a, UVA_FOREVER, UVA_ALL_COMPLETED);
        int errors = 0;
        check_both_done(&sets, b, a);
        for (int k = 0; k < 2; k++) {
            errors += uva_future_exception(sets.done[k]) < 0;
        }
        ck_assert_int_eq(errors, 1);
        check_time(UVA_MS(150));
    }
    uva_task_unref(a);
    uva_task_unref(b);
}

KIND_LOOP_TEST(wait_with_timeout)
{
    /* test_tasks.py, BaseTaskTests.test_wait_with_timeout */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(100));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(150));
    sets_t sets = wait_pair(b, a, UVA_MS(110), UVA_ALL_COMPLETED);

    check_one_done(&sets, a, b);
    check_time(UVA_MS(110));
    finish_pair(a, b);
}

KIND_LOOP_TEST(wait_concurrent_complete)
{
    /* test_tasks.py, BaseTaskTests.test_wait_concurrent_complete */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(100));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(150));
    sets_t sets = wait_pair(b, a, UVA_MS(100), UVA_ALL_COMPLETED);

    check_one_done(&sets, a, b);
    check_time(UVA_MS(100));
    finish_pair(a, b);
}

KIND_LOOP_TEST(wait_without_time)
{
    sets_t sets;
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(1));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(1));

    sets = wait_pair(a, b, 0, UVA_ALL_COMPLETED);
    ck_assert_int_eq(sets.done_count, 0);
    ck_assert_ptr_eq(sets.pending[0], UVA_FUTURE(a));
    ck_assert_ptr_eq(sets.pending[1], UVA_FUTURE(b));
    check_time(0);
    ck_assert(uva_task_cancel(b));
    sets = wait_pair(a, b, UVA_SEC(10), UVA_FIRST_EXCEPTION);
    check_both_done(&sets, a, b); /* A cancellation is no exception. */
    check_time(UVA_MS(1));
    uva_task_unref(a);
    uva_task_unref(b);
}

KIND_TASK(int, waits_for_count, uva_future_t *futures[2]; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_wait, self->futures, 2, UVA_FOREVER, UVA_ALL_COMPLETED,
          NULL, NULL);
    UVA_END
    *ret = self->r;
    return self->r < 0 ? self->r : 0;
}

KIND_LOOP_TEST(wait_cancelled)
{
    /* The futures go on, and keep nothing of the wait. */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(1));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(2));
    uva_task_t *task =
        KIND_ERASED(waits_for_count, .futures = {UVA_FUTURE(a), UVA_FUTURE(b)});

    hand_briefly();
    ck_assert(uva_future_cancel_message(UVA_FUTURE(task), "enough"));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)), "enough");
    uva_task_unref(task);
    ck_assert(!uva_future_done(UVA_FUTURE(a)));
    ck_assert(!hand_has_callbacks(UVA_FUTURE(a)));
    ck_assert_int_eq(hand_run(a), 0);

    task =
        KIND_ERASED(waits_for_count, .futures = {UVA_FUTURE(a), UVA_FUTURE(b)});
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 2);
    uva_task_unref(task);
    uva_task_unref(a);
    uva_task_unref(b);
}

/* --- as_completed --- */

/* What an iteration gave, and how it ended. */
typedef struct given_s {
    int values[COUNT_MAX];
    uva_future_t *futures[COUNT_MAX];
    uint64_t times_ns[COUNT_MAX];
    int count;
    int end;
} given_t;

static void given_add(given_t *given, uva_future_t *future)
{
    ck_assert_int_lt(given->count, COUNT_MAX);
    ck_assert(uva_future_done(future));
    given->futures[given->count] = future;
    given->times_ns[given->count] = uva_loop_time(uva_test_loop);
    given->values[given->count++] = *(int *)hand_value(future);
}

KIND_TASK(int, iterates, uva_future_t *futures[COUNT_MAX]; size_t count;
          uint64_t timeout_ns;
          given_t * given;
          uva_as_completed_t iterator;
          uva_future_t * next;
          int stop_at;
          int r;)
{
    UVA_BEGIN
    self->r = uva_as_completed_start(&self->iterator, self->futures,
                                     self->count, self->timeout_ns);
    ck_assert_int_eq(self->r, 0);
    do {
        /* Left in the middle, it goes on where it was. */
        self->stop_at = self->given->count + 2;
        do {
            AWAIT(self->r, uva_as_completed_next, &self->iterator, &self->next);
            if (self->r == 1) {
                given_add(self->given, self->next);
            }
        } while (self->r == 1 && self->given->count < self->stop_at);
    } while (self->r == 1);
    uva_as_completed_destroy(&self->iterator);
    UVA_END
    self->given->end = self->r;
    return self->r < 0 && self->r != UV_ETIMEDOUT ? self->r : 0;
}

/* Iterate over tasks, and drop them. */
static given_t
iterate(uva_task_t **take_tasks, size_t count, uint64_t timeout_ns)
{
    given_t given = {.count = 0};
    iterates_args_t args = {
        .count = count, .timeout_ns = timeout_ns, .given = &given};
    uva_task_t *task;

    for (size_t i = 0; i < count; i++) {
        args.futures[i] = UVA_FUTURE(take_tasks[i]);
    }
    task = UVA_ERASE(iterates__kind(NULL, args));
    ck_assert_int_eq(hand_run_take(task), 0);
    for (size_t i = 0; i < count; i++) {
        uva_task_unref(take_tasks[i]);
    }
    return given;
}

KIND_LOOP_TEST(as_completed)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed */
    uva_task_t *tasks[] = {
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(10), .value = 'b'),
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(150), .value = 'c'),
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(10), .value = 'a'),
    };
    given_t given = iterate(tasks, 3, UVA_FOREVER);

    check_time(UVA_MS(150));
    ck_assert_int_eq(given.count, 3);
    ck_assert_int_eq(given.end, 0);
    ck_assert_int_eq(given.values[0] + given.values[1], 'a' + 'b');
    ck_assert_int_eq(given.values[2], 'c');
}

KIND_LOOP_TEST(as_completed_same_tasks_in_as_out)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_same_tasks_in_as_out */
    uva_task_t *tasks[] = {KIND_ERASED(yields, .value = 'b'),
                           KIND_ERASED(yields, .value = 'd')};
    uva_future_t *in[] = {UVA_FUTURE(tasks[0]), UVA_FUTURE(tasks[1])};
    given_t given = iterate(tasks, 2, UVA_FOREVER);

    ck_assert_int_eq(given.count, 2);
    ck_assert_ptr_eq(given.futures[0], in[0]);
    ck_assert_ptr_eq(given.futures[1], in[1]);
}

KIND_LOOP_TEST(as_completed_with_timeout)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_with_timeout */
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(150), .value = 'b');
    uva_task_t *tasks[] = {
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(100), .value = 'a'),
        uva_task_ref(b),
    };
    given_t given = iterate(tasks, 2, UVA_MS(120));

    ck_assert_int_eq(given.count, 1);
    ck_assert_int_eq(given.values[0], 'a');
    ck_assert_int_eq(given.end, UV_ETIMEDOUT);
    check_time(UVA_MS(120));
    ck_assert(!uva_future_done(UVA_FUTURE(b)));
    ck_assert_int_eq(hand_run_take(b), 0);
}

KIND_LOOP_TEST(as_completed_with_unused_timeout)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_with_unused_timeout */
    uva_task_t *tasks[] = {
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(10), .value = 'a')};
    given_t given = iterate(tasks, 1, UVA_SEC(1));

    ck_assert_int_eq(given.count, 1);
    ck_assert_int_eq(given.values[0], 'a');
    ck_assert_int_eq(given.end, 0);
    ck_assert_uint_eq(hand_timer_count(), 0);
}

KIND_TASK(int, exhausts, uva_future_t *future; uva_as_completed_t iterator;
          uva_future_t * next;
          int r;)
{
    UVA_BEGIN
    self->r =
        uva_as_completed_start(&self->iterator, &self->future, 1, UVA_SEC(1));
    ck_assert_int_eq(self->r, 0);
    AWAIT_IS(1, uva_as_completed_next, &self->iterator, &self->next);
    ck_assert_uint_eq(hand_timer_count(), 0);
    uva_as_completed_destroy(&self->iterator);
    UVA_END
    return 0;
}

KIND_LOOP_TEST(as_completed_exhausted)
{
    /* asyncio: tasks.py, _AsCompletedIterator._handle_completion: with nothing
     * left to come there is nothing to time out, before the destroy too. */
    uva_task_t *task = KIND_ERASED(yields, .value = 'a');

    ck_assert_int_eq(
        hand_run_take(KIND_ERASED(exhausts, .future = UVA_FUTURE(task))), 0);
    uva_task_unref(task);
}

static void set_nothing(void *data)
{
    ck_assert_int_eq(uva_future_set_result(data, NULL, NULL), 0);
}

KIND_TASK(int, comes_late, uva_future_t *future; uva_as_completed_t iterator;
          uva_future_t * next;
          int r;)
{
    UVA_BEGIN
    self->r = uva_loop_call_later(uva_test_loop, UVA_MS(1), set_nothing,
                                  self->future, NULL, NULL);
    ck_assert_int_eq(self->r, 0);
    self->r =
        uva_as_completed_start(&self->iterator, &self->future, 1, UVA_MS(1));
    ck_assert_int_eq(self->r, 0);
    AWAIT_IS(UV_ETIMEDOUT, uva_as_completed_next, &self->iterator, &self->next);
    ck_assert(uva_future_done(self->future));
    AWAIT_IS(0, uva_as_completed_next, &self->iterator, &self->next);
    uva_as_completed_destroy(&self->iterator);
    UVA_END
    return 0;
}

KIND_LOOP_TEST(as_completed_done_at_the_timeout)
{
    /* asyncio: tasks.py, _AsCompletedIterator._handle_timeout: what is done in
     * the iteration of the timeout, and not told yet, has timed out. */
    uva_future_t *future = hand_future();

    ck_assert_int_eq(hand_run_take(KIND_ERASED(comes_late, .future = future)),
                     0);
    uva_future_unref(future);
}

KIND_LOOP_TEST(as_completed_resume_iterator)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_resume_iterator */
    uva_task_t *tasks[4];
    given_t given;

    for (int i = 0; i < 4; i++) {
        tasks[i] = KIND_ERASED(yields, .value = 1 << i);
    }
    given = iterate(tasks, 4, UVA_FOREVER);
    ck_assert_int_eq(given.count, 4);
    ck_assert_int_eq(given.values[0] | given.values[1] | given.values[2] |
                         given.values[3],
                     15);
}

KIND_LOOP_TEST(as_completed_reverse_wait)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_reverse_wait: whoever
     * asks first gets what ends first, whatever the order of the arguments. */
    uva_task_t *tasks[] = {
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(100), .value = 'b'),
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(50), .value = 'a'),
    };
    given_t given = iterate(tasks, 2, UVA_FOREVER);

    ck_assert_int_eq(given.count, 2);
    ck_assert_int_eq(given.values[0], 'a');
    ck_assert_uint_eq(given.times_ns[0], UVA_MS(50));
    ck_assert_int_eq(given.values[1], 'b');
    ck_assert_uint_eq(given.times_ns[1], UVA_MS(100));
}

KIND_TASK(int, takes_next, uva_as_completed_t *iterator; uva_future_t * next;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_as_completed_next, self->iterator, &self->next);
    if (self->r != 1) {
        return self->r < 0 ? self->r : UV_ENOENT;
    }
    UVA_END
    *ret = *(int *)hand_value(self->next);
    return 0;
}

KIND_TASK(int, takes_concurrently, uva_task_t *tasks[2];
          uva_future_t * takers[2];
          uva_as_completed_t iterator;
          int r;)
{
    UVA_BEGIN
    self->r = uva_as_completed_start(&self->iterator, UVA_FUTURES(self->tasks),
                                     2, UVA_FOREVER);
    ck_assert_int_eq(self->r, 0);
    for (int i = 0; i < 2; i++) {
        self->takers[i] =
            UVA_FUTURE(KIND_ERASED(takes_next, .iterator = &self->iterator));
    }
    AWAIT_IS(2, uva_wait, self->takers, 2, UVA_FOREVER, UVA_ALL_COMPLETED, NULL,
             NULL);
    uva_as_completed_destroy(&self->iterator);
    UVA_END
    *ret = *(int *)hand_value(self->takers[0]) +
           *(int *)hand_value(self->takers[1]);
    uva_future_unref(self->takers[0]);
    uva_future_unref(self->takers[1]);
    return 0;
}

KIND_LOOP_TEST(as_completed_concurrent)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_concurrent */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(50), .value = 'a');
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(50), .value = 'b');
    uva_task_t *task = KIND_ERASED(takes_concurrently, .tasks = {a, b});

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 'a' + 'b');
    check_time(UVA_MS(50));
    uva_task_unref(task);
    uva_task_unref(a);
    uva_task_unref(b);
}

KIND_LOOP_TEST(as_completed_duplicate_coroutines)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_duplicate_coroutines */
    uva_task_t *ham = KIND_ERASED(yields, .value = 1);
    uva_task_t *tasks[] = {ham, uva_task_ref(ham),
                           KIND_ERASED(yields, .value = 2)};
    given_t given = iterate(tasks, 3, UVA_FOREVER);

    ck_assert_int_eq(given.count, 2);
    ck_assert_int_eq(given.values[0] + given.values[1], 3);
    ck_assert_int_ne(given.values[0], given.values[1]);
}

START_TEST(as_completed_coroutine_without_loop)
{
    /* test_tasks.py, BaseTaskTests.test_as_completed_coroutine_without_loop */
    uva_as_completed_t iterator;
    uva_future_t *future = NULL;

    ck_assert_int_eq(
        uva_as_completed_start(&iterator, UVA_FUTURES(&future), 1, UVA_FOREVER),
        UVA_ENOLOOP);
    uva_as_completed_destroy(&iterator);
}
END_TEST

KIND_LOOP_TEST(as_completed_coroutine_use_running_loop)
{
    /* test_tasks.py,
     * BaseTaskTests.test_as_completed_coroutine_use_running_loop */
    uva_task_t *tasks[] = {KIND_ERASED(yields, .value = 42)};
    given_t given = iterate(tasks, 1, UVA_FOREVER);

    ck_assert_int_eq(given.count, 1);
    ck_assert_int_eq(given.values[0], 42);
}

KIND_TASK(int, leaves_iteration, uva_task_t *tasks[2];
          uva_as_completed_t iterator;
          uva_future_t * next;
          int r;)
{
    UVA_BEGIN
    self->r = uva_as_completed_start(&self->iterator, UVA_FUTURES(self->tasks),
                                     2, UVA_SEC(5));
    ck_assert_int_eq(self->r, 0);
    AWAIT(self->r, uva_as_completed_next, &self->iterator, &self->next);
    uva_as_completed_destroy(&self->iterator);
    uva_as_completed_destroy(&self->iterator);
    UVA_END
    return self->r < 0 ? self->r : 0;
}

KIND_LOOP_TEST(as_completed_left_early)
{
    /* Nothing of an iteration stays with the futures or the timers, when it
     * is left with some to come and when its task is cancelled. */
    uva_task_t *a = KIND_ERASED(sleeper, .delay_ns = UVA_MS(10));
    uva_task_t *b = KIND_ERASED(sleeper, .delay_ns = UVA_MS(20));
    uva_task_t *task = KIND_ERASED(leaves_iteration, .tasks = {a, b});

    hand_briefly();
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run_take(task), UV_ECANCELED);
    ck_assert(!hand_has_callbacks(UVA_FUTURE(a)));
    ck_assert_uint_eq(hand_timer_count(), 2);

    task = KIND_ERASED(leaves_iteration, .tasks = {a, b});
    ck_assert_int_eq(hand_run_take(task), 0);
    check_time(UVA_MS(10));
    ck_assert(!hand_has_callbacks(UVA_FUTURE(b)));
    ck_assert_uint_eq(hand_timer_count(), 1);
    uva_task_unref(a);
    ck_assert_int_eq(hand_run_take(b), 0);
}

/* Takes the next; one of several who do so at a time. */
KIND_TASK(int, takes, uva_as_completed_t *iterator; uva_future_t * next; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_as_completed_next, self->iterator, &self->next);
    UVA_END
    return self->r;
}

/* asyncio: queues.py, Queue.get: who was woken and is cancelled wakes the
 * next. */
UVA_TEST(as_completed_hands_the_wake_up_on)
{
    uva_future_t *futures[2] = {NULL};
    uva_as_completed_t iterator = {0};
    uva_task_t *first = NULL;
    uva_task_t *second = NULL;

    futures[0] = uva_create_future();
    futures[1] = uva_create_future();
    ck_assert_int_eq(uva_as_completed_start(&iterator, futures, 2, UVA_FOREVER),
                     0);
    first = UVA_ERASE(KIND_SPAWN(takes, .iterator = &iterator));
    second = UVA_ERASE(KIND_SPAWN(takes, .iterator = &iterator));
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_future_set_result(futures[0], NULL, NULL), 0);
    ck_assert_int_eq(uva_sleep(0),
                     0); /* The iterator hears of it, wakes the first. */
    ck_assert(uva_task_cancel(first));
    ck_assert_int_eq(uva_join(UVA_FUTURE(first), NULL), UV_ECANCELED);
    ck_assert_int_eq(uva_join(UVA_FUTURE(second), NULL), 1);
    (void)uva_future_cancel(futures[1]);
    uva_as_completed_destroy(&iterator);
    uva_future_unref(futures[0]);
    uva_future_unref(futures[1]);
}

int main(void)
{
    Suite *suite = suite_create("wait");
    TCase *wait = UVA_TCASE(suite, "Wait");
    TCase *completed = UVA_TCASE(suite, "AsCompleted");

    KIND_ADD_TESTS(wait, wait_all, wait_with_iterator_of_tasks,
                   wait_duplicate_coroutines, wait_errors, wait_invalid_args,
                   wait_first_completed, wait_really_done, wait_first_exception,
                   wait_first_exception_in_wait, wait_with_exception,
                   wait_with_timeout, wait_concurrent_complete,
                   wait_without_time, wait_cancelled);
    KIND_ADD_TESTS(completed, as_completed, as_completed_same_tasks_in_as_out,
                   as_completed_with_timeout, as_completed_with_unused_timeout,
                   as_completed_exhausted, as_completed_done_at_the_timeout,
                   as_completed_resume_iterator, as_completed_reverse_wait,
                   as_completed_concurrent, as_completed_duplicate_coroutines,
                   as_completed_coroutine_use_running_loop,
                   as_completed_left_early, as_completed_hands_the_wake_up_on);
    UVA_ADD_TESTS(completed, as_completed_coroutine_without_loop);
    return uva_test_main(suite);
}
