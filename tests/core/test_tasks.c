/*
 * Tasks: making them, what they are, how they run.
 */
#include "kinds.h"

#include <inttypes.h>

/* --- bodies --- */

KIND_TASK(int, notmuch, int value;)
{
    *ret = self->value;
    return 0;
}

KIND_TASK(int, wait_for_future, uva_future_t *future; int *count;)
{
    int r;
    void *value;

    UVA_BEGIN
    AWAIT(r, uva_await, self->future, &value);
    UVA_END
    if (r >= 0) {
        *self->count += 1;
    }
    return r;
}

static int plain_ok(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

/* --- Task --- */

KIND_LOOP_TEST(task_class)
{
    /* test_tasks.py, BaseTaskTests.test_task_class */
    uva_task_t *task = KIND_ERASED(notmuch, .value = 7);
    uva_loop_t *loop;

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_int(task), 7);
    ck_assert_ptr_eq(uva_future_get_loop(UVA_FUTURE(task)), uva_test_loop);
    ck_assert_ptr_eq(uva_future_get_loop(UVA_FUTURE(task)), uva_test_loop);
    uva_task_unref(task);

    loop = new_loop();
    task = UVA_ERASE(KIND_SPAWN_WITH(ON_LOOP(loop), notmuch, .value = 8));
    ck_assert_ptr_eq(uva_future_get_loop(UVA_FUTURE(task)), loop);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    end_loop(loop);
}

KIND_TASK(int, outer_basics, notmuch_args_t a; notmuch_args_t b; int x; int y;)
{
    int r;

    UVA_BEGIN
    self->a.value = 42;
    AWAIT(r, notmuch_call, &self->a, &self->x);
    if (r < 0) {
        return r;
    }
    self->b.value = 1000;
    AWAIT(r, notmuch_call, &self->b, &self->y);
    UVA_END
    *ret = self->x + self->y;
    return r;
}

KIND_LOOP_TEST(task_basics)
{
    /* test_tasks.py, BaseTaskTests.test_task_basics */
    uva_task_t *task = KIND_ERASED(outer_basics);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 1042);
    uva_task_unref(task);
}

KIND_LOOP_TEST(other_loop_future)
{
    /* test_tasks.py, BaseTaskTests.test_other_loop_future */
    uva_loop_t *other = new_loop();
    uva_future_t *future = uva_loop_create_future(other);
    int count = 0;
    uva_task_t *task =
        KIND_ERASED(wait_for_future, .future = future, .count = &count);

    ck_assert_int_eq(hand_run(task), UVA_EWRONGLOOP);
    ck_assert_int_eq(count, 0);
    uva_task_unref(task);
    uva_future_unref(future);
    end_loop(other);
}

KIND_TASK(int, awaits_itself, uva_task_t **self_task;)
{
    int r;

    UVA_BEGIN
    AWAIT(r, uva_await, UVA_FUTURE(*self->self_task), NULL);
    UVA_END
    return r;
}

KIND_LOOP_TEST(task_awaits_on_itself)
{
    /* test_tasks.py, BaseTaskTests.test_task_awaits_on_itself */
    uva_task_t *task;

    task = KIND_ERASED(awaits_itself, .self_task = &task);
    ck_assert_int_eq(hand_run(task), UV_EPERM);
    uva_task_unref(task);
}

KIND_LOOP_TEST(task_set_methods)
{
    /* test_tasks.py, BaseTaskTests.test_task_set_methods */
    uva_task_t *task = KIND_ERASED(notmuch, .value = 5);
    uva_future_t *future = UVA_FUTURE(task);

    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_future_set_exception(future, UV_EINVAL, "no"),
                     UVA_EINVALIDSTATE);
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 5);
    uva_task_unref(task);
}

KIND_TASK(void *, wait_for_value, uva_future_t *future; void **seen;)
{
    int r;

    UVA_BEGIN
    AWAIT(r, uva_await, self->future, self->seen);
    UVA_END
    return r;
}

KIND_LOOP_TEST(step_result_future)
{
    /* test_tasks.py, BaseTaskTests.test_step_result_future */
    uva_future_t *future = hand_future();
    int object = 0;
    void *seen = NULL;
    uva_task_t *task =
        KIND_ERASED(wait_for_value, .future = future, .seen = &seen);

    hand_briefly();
    ck_assert(hand_has_callbacks(future));
    ck_assert_int_eq(uva_future_set_result(future, &object, NULL), 0);
    hand_briefly();
    ck_assert_ptr_eq(seen, &object);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    ck_assert_ptr_null(*(void **)hand_value(UVA_FUTURE(task)));
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_LOOP_TEST(coroutine_non_gen_function)
{
    /* test_tasks.py, BaseTaskTests.test_coroutine_non_gen_function */
    uva_task_t *task = KIND_ERASED(notmuch, .value = 3);

    ck_assert((uva_future_task(UVA_FUTURE(task)) != NULL));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 3);
    uva_task_unref(task);
}

KIND_TASK(uva_future_t *, returns_future, uva_future_t *future;)
{
    *ret = self->future;
    return 0;
}

KIND_TASK(void *, sets_future, uva_future_t *future; void *value;)
{
    return uva_future_set_result(self->future, self->value, NULL);
}

KIND_LOOP_TEST(coroutine_non_gen_function_return_future)
{
    /* test_tasks.py,
     * BaseTaskTests.test_coroutine_non_gen_function_return_future */
    uva_future_t *future = hand_future();
    uva_task_t *first = KIND_ERASED(returns_future, .future = future);
    uva_task_t *second = KIND_ERASED(sets_future, .future = future);

    ck_assert_int_eq(hand_run(first), 0);
    ck_assert_ptr_eq(*(uva_future_t **)hand_value(UVA_FUTURE(first)), future);
    ck_assert_ptr_null(*(void **)hand_value(UVA_FUTURE(second)));
    uva_task_unref(first);
    uva_task_unref(second);
    uva_future_unref(future);
}

KIND_TASK(int, stopper, int *x; uva_loop_t * loop;)
{
    int r;

    UVA_BEGIN
    while (*self->x < 10) {
        AWAIT(r, uva_sleep, UVA_MS(100));
        if (r < 0) {
            return r;
        }
        *self->x += 1;
        if (*self->x == 2) {
            uva_loop_stop(self->loop);
        }
    }
    UVA_END
    return 0;
}

KIND_LOOP_TEST(stop_while_run_in_complete)
{
    /* test_tasks.py, BaseTaskTests.test_stop_while_run_in_complete */
    int x = 0;
    uva_task_t *task = KIND_ERASED(stopper, .x = &x, .loop = uva_test_loop);

    ck_assert_int_eq(hand_run(task), UV_EPERM);
    ck_assert(!uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(x, 2);
    /* asyncio's TestLoop moves its clock once more behind the last iteration,
     * to 0.3; ours moves it before the next one. */
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_MS(200));
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    uva_task_unref(task);
}

/* --- create_task --- */

KIND_LOOP_TEST(create_task_with_async_function)
{
    /* test_tasks.py, BaseTaskTests.test_create_task_with_async_function */
    for (int i = 0; i < 2; i++) {
        uva_task_t *task = KIND_ERASED(notmuch);
        ck_assert((uva_future_task(UVA_FUTURE(task)) != NULL));
        ck_assert_int_eq(hand_run_take((task)), 0);
    }
}

/* No UVA_BEGIN: any function that says what a poll says is a body. */
UVA_STACKLESS(int, bare_poll, int asked;)
{
    if (self->asked++ == 0) {
        return uva_yield_poll();
    }
    *ret = 42;
    return uva_yield_poll();
}

START_TEST(create_task_with_asynclike_function)
{
    /* test_tasks.py, BaseTaskTests.test_create_task_with_asynclike_function */
    for (int i = 0; i < 2; i++) {
        bare_poll_args_t args = {0, 0};
        uva_task_t *task =
            UVA_ERASE(bare_poll_spawn(args, ON_LOOP(uva_test_loop)));
        ck_assert((uva_future_task(UVA_FUTURE(task)) != NULL));
        ck_assert_int_eq(hand_run(task), 0);
        ck_assert_int_eq(hand_int(task), 42);
        uva_task_unref(task);
    }
}
END_TEST

UVA_TEST(bare_create_task)
{
    /* test_tasks.py, BaseTaskTests.test_bare_create_task */
    int one = 1;
    uva_task_t *task = uva_create_task(plain_ok, &one);
    void *result = NULL;

    ck_assert((uva_future_task(UVA_FUTURE(task)) != NULL));
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), &result), 0);
    ck_assert_int_eq(*(int *)result, 1);
}

UVA_TEST(bare_create_named_task)
{
    /* test_tasks.py, BaseTaskTests.test_bare_create_named_task */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;

    options.name = "No-op";
    task = uva_create_task_with(plain_ok, NULL, &options);
    ck_assert_str_eq(uva_task_get_name(task), "No-op");
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), 0);
}

START_TEST(error_in_call_soon)
{
    /* test_tasks.py, BaseTaskTests.test_error_in_call_soon: a task that cannot
     * be scheduled leaves nothing behind. */
    uva_task_t *task;
    char told[128];

    uva_test_log_begin();
    uva_testing_fail_allocation(1, true);
    task = uva_loop_create_task(uva_test_loop, plain_ok, NULL, NULL);
    uva_testing_fail_allocation(0, false);
    ck_assert_ptr_null(task);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_ENOMEM);
    ck_assert_uint_eq(uva_loop_all_tasks(uva_test_loop, NULL, 0), 0);
    (void)snprintf(told, sizeof told,
                   "a task was refused: function 0x%" PRIxPTR
                   ": not enough memory (ENOMEM)\n",
                   (uintptr_t)plain_ok);
    ck_assert_str_eq(uva_test_log(), told);
    uva_test_log_end();
}
END_TEST

/* --- ensure_future --- */

static int ensure_inside(void *arg, void **ret_result)
{
    uva_awaitable_t awaitable = {NULL, plain_ok, arg};

    *ret_result = uva_ensure_future(&awaitable, NULL);
    return 0;
}

START_TEST(ensure_future_coroutine)
{
    /* test_tasks.py, BaseTaskTests.test_ensure_future_coroutine */
    int ok = 1;
    uva_awaitable_t awaitable = {NULL, plain_ok, &ok};
    uva_future_t *future = uva_ensure_future(&awaitable, uva_test_loop);
    uva_task_t *maker;

    ck_assert_ptr_eq(uva_future_get_loop(future), uva_test_loop);
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, future, NULL),
                     0);
    ck_assert(uva_future_done(future));
    ck_assert_ptr_eq(hand_value(future), &ok);
    uva_future_unref(future);

    future = uva_ensure_future(&awaitable, NULL);
    ck_assert_int_eq(uva_future_exception(future), UVA_ENOLOOP);

    maker = uva_loop_create_task(uva_test_loop, ensure_inside, &ok, NULL);
    ck_assert_int_eq(hand_run(maker), 0);
    future = hand_value(UVA_FUTURE(maker));
    ck_assert_ptr_eq(uva_future_get_loop(future), uva_test_loop);
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, future, NULL),
                     0);
    ck_assert(uva_future_done(future));
    ck_assert_ptr_eq(hand_value(future), &ok);
    uva_future_unref(future);
    uva_task_unref(maker);
}
END_TEST

/* A done future or task comes back as it is, from its own loop alone. */
static void ensure_gives_back(uva_future_t *original, void *value)
{
    uva_awaitable_t awaitable = {original, NULL, NULL};
    uva_future_t *future = uva_ensure_future(&awaitable, NULL);
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, future, NULL),
                     0);
    ck_assert(uva_future_done(future));
    ck_assert_ptr_eq(hand_value(future), value);
    ck_assert_ptr_eq(future, original);
    uva_future_unref(future);

    loop = new_loop();
    future = uva_ensure_future(&awaitable, loop);
    ck_assert_int_eq(uva_future_exception(future), UV_EINVAL);
    end_loop(loop);

    future = uva_ensure_future(&awaitable, uva_test_loop);
    ck_assert_ptr_eq(future, original);
    uva_future_unref(future);
    uva_future_unref(original);
}

START_TEST(ensure_future_future)
{
    /* test_tasks.py, BaseTaskTests.test_ensure_future_future */
    int value = 0;
    uva_future_t *original = hand_future();

    ck_assert_int_eq(uva_future_set_result(original, &value, NULL), 0);
    ensure_gives_back(original, &value);
}
END_TEST

START_TEST(ensure_future_task)
{
    /* test_tasks.py, BaseTaskTests.test_ensure_future_task */
    int value = 0;

    ensure_gives_back(
        UVA_FUTURE(uva_loop_create_task(uva_test_loop, plain_ok, &value, NULL)),
        &value);
}
END_TEST

static int sleep_then_ok(void *arg, void **ret_result)
{
    *ret_result = arg;
    return uva_sleep(0);
}

static const struct {
    const char *name;
    uva_coro_cb body;
} awaitables[] = {
    /* test_tasks.py, BaseTaskTests: rows */
    {"ensure_future_awaitable", plain_ok},
    {"ensure_future_task_awaitable", sleep_then_ok},
};

START_TEST(ensure_future_of_a_body)
{
    uva_loop_t *loop = new_loop();
    int ok = 0;
    uva_awaitable_t awaitable = {NULL, NULL, &ok};
    uva_future_t *future;

    UVA_FIND_ROW();
    awaitable.body = UVA_ROW(awaitables)->body;
    future = uva_ensure_future(&awaitable, loop);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, future, NULL), 0);
    ck_assert(uva_future_done(future));
    ck_assert_ptr_eq(hand_value(future), &ok);
    ck_assert(uva_future_task(future) != NULL);
    uva_future_unref(future);
    end_loop(loop);
}
END_TEST

START_TEST(ensure_future_error_msg)
{
    /* test_tasks.py, BaseTaskTests.test_ensure_future_error_msg: the code
     * stands for the text. */
    uva_loop_t *loop = new_loop();
    uva_future_t *future = hand_future();
    uva_awaitable_t awaitable = {future, NULL, NULL};

    ck_assert_int_eq(uva_future_exception(uva_ensure_future(&awaitable, loop)),
                     UV_EINVAL);
    uva_future_unref(future);
    end_loop(loop);
}
END_TEST

/* --- current_task --- */

KIND_TASK(int, sees_itself, uva_task_t **task; uva_loop_t * loop;)
{
    ck_assert_ptr_eq(uva_current_task(), *self->task);
    ck_assert_ptr_eq(uva_loop_current_task(self->loop), *self->task);
    *ret = 0;
    return 0;
}

static void run_sees_itself(void)
{
    uva_task_t *task;

    ck_assert_ptr_null(uva_loop_current_task(uva_test_loop));
    task = KIND_ERASED(sees_itself, .task = &task, .loop = uva_test_loop);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_ptr_null(uva_loop_current_task(uva_test_loop));
    uva_task_unref(task);
}

KIND_LOOP_TEST(current_task)
{
    /* test_tasks.py, BaseTaskTests.test_current_task */
    run_sees_itself();
}

KIND_LOOP_TEST(current_task_with_implicit_loop)
{
    /* test_tasks.py, BaseCurrentLoopTests.test_current_task_with_implicit_loop
     */
    run_sees_itself();
}

START_TEST(current_task_no_running_loop)
{
    /* test_tasks.py, BaseCurrentLoopTests.test_current_task_no_running_loop */
    ck_assert_ptr_null(uva_loop_current_task(uva_test_loop));
}
END_TEST

START_TEST(current_task_no_running_loop_implicit)
{
    /* test_tasks.py,
     * BaseCurrentLoopTests.test_current_task_no_running_loop_implicit: NULL
     * where asyncio raises RuntimeError. */
    ck_assert_ptr_null(uva_get_running_loop());
    ck_assert_ptr_null(uva_current_task());
}
END_TEST

KIND_TASK(int, interleave, uva_task_t **task; uva_future_t * sets;
          uva_future_t * waits;
          bool waits_first;)
{
    int r = 0;

    UVA_BEGIN
    ck_assert_ptr_eq(uva_current_task(), *self->task);
    if (!self->waits_first) {
        ck_assert_int_eq(uva_future_set_result(self->sets, NULL, NULL), 0);
    }
    AWAIT(r, uva_await, self->waits, NULL);
    ck_assert_ptr_eq(uva_current_task(), *self->task);
    if (self->waits_first) {
        ck_assert_int_eq(uva_future_set_result(self->sets, NULL, NULL), 0);
    }
    UVA_END
    return r;
}

KIND_LOOP_TEST(current_task_with_interleaving_tasks)
{
    /* test_tasks.py,
     * BaseTaskTests.test_current_task_with_interleaving_tasks */
    uva_future_t *one = hand_future();
    uva_future_t *two = hand_future();
    uva_task_t *tasks[2];

    ck_assert_ptr_null(uva_loop_current_task(uva_test_loop));
    tasks[0] = KIND_ERASED(interleave, .task = &tasks[0], .waits = one,
                           .sets = two, .waits_first = true);
    tasks[1] =
        KIND_ERASED(interleave, .task = &tasks[1], .waits = two, .sets = one);
    ck_assert_int_eq(hand_run_take((tasks[1])), 0);
    ck_assert_int_eq(hand_run_take((tasks[0])), 0);
    ck_assert_ptr_null(uva_loop_current_task(uva_test_loop));
    uva_future_unref(one);
    uva_future_unref(two);
}

/* The functions that enter and leave a task are no API here; what they keep
 * true is. */

KIND_LOOP_TEST(enter_task)
{
    /* test_tasks.py, BaseTaskIntrospectionTests.test__enter_task */
    run_sees_itself();
}

KIND_TASK(int, runs_another, uva_task_t *other;)
{
    uva_task_t *task = uva_current_task();
    uva_loop_t *loop = uva_future_get_loop(UVA_FUTURE(task));

    *ret = uva_loop_run_until_complete(loop, UVA_FUTURE(self->other), NULL);
    ck_assert_int_eq(uva_loop_step(loop), UV_EPERM);
    ck_assert_ptr_eq(uva_loop_current_task(loop), task);
    return 0;
}

KIND_LOOP_TEST(enter_task_failure)
{
    /* test_tasks.py, BaseTaskIntrospectionTests.test__enter_task_failure: a
     * second task cannot be entered while one runs. */
    uva_task_t *other = KIND_ERASED(notmuch);
    uva_task_t *task = KIND_ERASED(runs_another, .other = other);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), UV_EPERM);
    uva_task_unref(task);
    uva_task_unref(other);
}

static void sees_no_task(void *data)
{
    ck_assert_ptr_null(uva_current_task());
    ck_assert_ptr_eq(uva_get_running_loop(), uva_test_loop);
    *(int *)data += 1;
}

KIND_TASK(int, naps, int *calls;)
{
    int r;

    UVA_BEGIN
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, sees_no_task, self->calls, NULL, NULL), 0);
    AWAIT(r, uva_sleep, 0);
    UVA_END
    return r;
}

KIND_LOOP_TEST(leave_task)
{
    /* test_tasks.py, BaseTaskIntrospectionTests.test__leave_task */
    int calls = 0;

    ck_assert_int_eq(hand_run_take((KIND_ERASED(naps, .calls = &calls))), 0);
    ck_assert_int_eq(calls, 1);
    ck_assert_ptr_null(uva_loop_current_task(uva_test_loop));
}

/* --- sleep --- */

KIND_TASK(int, sleeper, uint64_t delay_ns; int value;)
{
    int r;

    UVA_BEGIN
    AWAIT(r, uva_sleep, self->delay_ns / 2);
    if (r < 0) {
        return r;
    }
    AWAIT(r, uva_sleep, self->delay_ns / 2);
    UVA_END
    *ret = self->value;
    return r;
}

KIND_LOOP_TEST(sleep_twice)
{
    /* test_tasks.py, BaseTaskTests.test_sleep */
    uva_task_t *task =
        KIND_ERASED(sleeper, .delay_ns = UVA_MS(100), .value = 9);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_int_eq(hand_int(task), 9);
    ck_assert_uint_eq(uva_loop_time(uva_test_loop), UVA_MS(100));
    uva_task_unref(task);
}

KIND_LOOP_TEST(sleep_cancel)
{
    /* test_tasks.py, BaseTaskTests.test_sleep_cancel */
    uva_task_t *task = KIND_ERASED(sleeper, .delay_ns = UVA_SEC(20));

    hand_briefly();
    ck_assert_uint_eq(hand_timer_count(), 1);
    ck_assert_uint_eq(hand_next_timer(), UVA_SEC(10));
    ck_assert(uva_task_cancel(task));
    hand_briefly();
    ck_assert_uint_eq(hand_timer_count(), 0);
    uva_task_unref(task);
}

static void add_one(void *data)
{
    *(int *)data += 1;
}

KIND_TASK(int, zero_sleeper, int *result;)
{
    int r;

    UVA_BEGIN
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, add_one, self->result, NULL, NULL), 0);
    ck_assert_int_eq(*self->result, 0);
    AWAIT(r, uva_sleep, 0);
    ck_assert_int_eq(*self->result, 1);
    *self->result += 10;
    UVA_END
    return r;
}

KIND_LOOP_TEST(sleep_zero)
{
    /* test_tasks.py, SleepTests.test_sleep_zero */
    int result = 0;

    ck_assert_int_eq(
        hand_run_take((KIND_ERASED(zero_sleeper, .result = &result))), 0);
    ck_assert_int_eq(result, 11);
}

int main(void)
{
    Suite *suite = suite_create("tasks");
    TCase *task = UVA_TCASE(suite, "Task");
    TCase *create = UVA_TCASE(suite, "CreateTask");
    TCase *ensure = UVA_TCASE(suite, "EnsureFuture");
    TCase *current = UVA_TCASE(suite, "CurrentTask");
    TCase *alone = UVA_TCASE(suite, "CurrentTaskOutside");
    TCase *nap = UVA_TCASE(suite, "Sleep");

    KIND_ADD_TESTS(task, task_class, task_basics, other_loop_future,
                   task_awaits_on_itself, task_set_methods, step_result_future,
                   coroutine_non_gen_function,
                   coroutine_non_gen_function_return_future,
                   stop_while_run_in_complete, create_task_with_async_function);

    tcase_add_checked_fixture(create, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(create, create_task_with_asynclike_function, bare_create_task,
                  bare_create_named_task, error_in_call_soon);

    tcase_add_checked_fixture(ensure, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TABLE(ensure, ensure_future_of_a_body, awaitables);
    UVA_ADD_TESTS(ensure, ensure_future_coroutine, ensure_future_future,
                  ensure_future_task, ensure_future_error_msg);

    KIND_ADD_TESTS(current, current_task, current_task_with_implicit_loop,
                   current_task_with_interleaving_tasks, enter_task,
                   enter_task_failure, leave_task);
    tcase_add_checked_fixture(alone, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(alone, current_task_no_running_loop,
                  current_task_no_running_loop_implicit);

    KIND_ADD_TESTS(nap, sleep_twice, sleep_cancel, sleep_zero);
    return uva_test_main(suite);
}
