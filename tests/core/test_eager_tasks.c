/*
 * Tasks that start eagerly.
 */
#include "kinds.h"

static void eager_setup(void)
{
    uva_loop_set_task_factory(uva_test_loop, uva_eager_task_factory, NULL);
}

/* --- the factory --- */

KIND_TASK(int, gives, int value;)
{
    *ret = self->value;
    return 0;
}

KIND_TASK(int, joins_noop, uva_task_t *task; int r;)
{
    UVA_BEGIN
    self->task = KIND_ERASED(gives);
    ck_assert((uva_future_task(UVA_FUTURE(self->task)) != NULL));
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(eager_task_factory_set)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_eager_task_factory_set */
    eager_setup();
    ck_assert(uva_loop_get_task_factory(uva_test_loop, NULL) ==
              uva_eager_task_factory);
    ck_assert_int_eq(hand_run_take(KIND_ERASED(joins_noop)), 0);
}

KIND_TASK(int, sets_result, uva_future_t *future; void *value;)
{
    return uva_future_set_result(self->future, self->value, NULL);
}

KIND_TASK(void *, awaits_set_future, void *value; uva_future_t * future;
          uva_task_t * task;
          int r;)
{
    UVA_BEGIN
    self->future = uva_create_future();
    self->task =
        KIND_ERASED(sets_result, .future = self->future, .value = self->value);
    ck_assert(uva_future_done(UVA_FUTURE(self->task)));
    uva_task_unref(self->task);
    AWAIT(self->r, uva_join, self->future, ret);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(await_future_during_eager_step)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_await_future_during_eager_step */
    int value = 0;
    uva_task_t *task;

    eager_setup();
    task = KIND_ERASED(awaits_set_future, .value = &value);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_ptr_eq(*(void **)hand_value(UVA_FUTURE(task)), &value);
    uva_task_unref(task);
}

KIND_TASK(int, awaits_eager, bool cancels; uva_task_t * task; int *value;
          int r;)
{
    UVA_BEGIN
    self->task = KIND_ERASED(gives, .value = 7);
    ck_assert(uva_future_done(UVA_FUTURE(self->task)));
    if (self->cancels) {
        ck_assert(!uva_task_cancel(self->task));
    }
    AWAIT(self->r, uva_await, UVA_FUTURE(self->task), NULL);
    ck_assert(!uva_future_cancelled(UVA_FUTURE(self->task)));
    *ret = hand_int(self->task);
    uva_task_unref(self->task);
    UVA_END
    return self->r;
}

static void run_awaits_eager(bool cancels)
{
    uva_task_t *task;

    eager_setup();
    task = KIND_ERASED(awaits_eager, .cancels = cancels);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 7);
    uva_task_unref(task);
}

KIND_LOOP_TEST(eager_completion)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_eager_completion */
    run_awaits_eager(false);
}

KIND_LOOP_TEST(cancellation_after_eager_completion)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_cancellation_after_eager_completion */
    run_awaits_eager(true);
}

KIND_TASK(int, blocks, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_MS(100));
    UVA_END
    *ret = 8;
    return self->r;
}

KIND_TASK(int, awaits_blocking, const char *cancel; uva_task_t * task; int r;)
{
    UVA_BEGIN
    self->task = KIND_ERASED(blocks);
    ck_assert(!uva_future_done(UVA_FUTURE(self->task)));
    if (self->cancel != NULL) {
        ck_assert(
            uva_future_cancel_message(UVA_FUTURE(self->task), self->cancel));
        ck_assert_uint_gt(uva_task_cancelling(self->task), 0);
    }
    AWAIT(self->r, uva_await, UVA_FUTURE(self->task), NULL);
    ck_assert(uva_future_done(UVA_FUTURE(self->task)));
    if (self->r >= 0) {
        *ret = hand_int(self->task);
    }
    uva_task_unref(self->task);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(block_after_eager_step)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_block_after_eager_step */
    uva_task_t *task;

    eager_setup();
    task = KIND_ERASED(awaits_blocking);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 8);
    uva_task_unref(task);
}

KIND_LOOP_TEST(cancellation_after_eager_step_blocks)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_cancellation_after_eager_step_blocks */
    uva_task_t *task;

    eager_setup();
    task = KIND_ERASED(awaits_blocking, .cancel = "cancellation message");
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)),
                     "cancellation message");
    uva_task_unref(task);
}

KIND_TASK(int, captures_itself, uva_task_t **captured; int r;)
{
    UVA_BEGIN
    *self->captured = uva_current_task();
    AWAIT(self->r, uva_sleep, UVA_MS(100));
    ck_assert_ptr_eq(uva_current_task(), *self->captured);
    UVA_END
    return self->r;
}

KIND_TASK(int, checks_captured, uva_task_t *captured; uva_task_t * task; int r;)
{
    UVA_BEGIN
    self->captured = NULL;
    self->task = KIND_ERASED(captures_itself, .captured = &self->captured);
    ck_assert_ptr_eq(self->captured, self->task);
    ck_assert_ptr_ne(uva_current_task(), self->task);
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(current_task)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_current_task */
    eager_setup();
    ck_assert_int_eq(hand_run_take(KIND_ERASED(checks_captured)), 0);
}

/* --- all_tasks --- */

static bool is_among_all(const uva_task_t *task)
{
    uva_task_t *tasks[8];
    size_t count = uva_loop_all_tasks(uva_get_running_loop(), tasks, 8);

    ck_assert_uint_le(count, 8);
    for (size_t i = 0; i < count; i++) {
        if (tasks[i] == task) {
            return true;
        }
    }
    return false;
}

KIND_TASK(int, sees_itself_among_all)
{
    *ret = is_among_all(uva_current_task());
    return 0;
}

KIND_TASK(int, checks_all, uva_task_t *task;)
{
    self->task = KIND_ERASED(sees_itself_among_all);
    *ret = hand_int(self->task) && !is_among_all(self->task);
    uva_task_unref(self->task);
    return 0;
}

KIND_LOOP_TEST(all_tasks_with_eager_completion)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_all_tasks_with_eager_completion */
    uva_task_t *task;

    eager_setup();
    task = KIND_ERASED(checks_all);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 1);
    uva_task_unref(task);
}

KIND_TASK(int, blocks_among_all, uva_future_t *one; uva_future_t * two;
          bool *was_among;
          int r;)
{
    UVA_BEGIN
    *self->was_among = is_among_all(uva_current_task());
    AWAIT(self->r, uva_await, self->one, NULL);
    ck_assert_int_eq(uva_future_set_result(self->two, NULL, NULL), 0);
    UVA_END
    return self->r;
}

KIND_TASK(int, checks_blocking, uva_future_t *one; uva_future_t * two;
          bool was_among;
          uva_task_t * task;
          int r;)
{
    UVA_BEGIN
    self->one = uva_create_future();
    self->two = uva_create_future();
    self->task = KIND_ERASED(blocks_among_all, .one = self->one,
                             .two = self->two, .was_among = &self->was_among);
    ck_assert(self->was_among);
    ck_assert(is_among_all(self->task));
    ck_assert_int_eq(uva_future_set_result(self->one, NULL, NULL), 0);
    AWAIT(self->r, uva_join, self->two, NULL);
    ck_assert(!is_among_all(self->task));
    uva_task_unref(self->task);
    uva_future_unref(self->one);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(all_tasks_with_blocking)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_all_tasks_with_blocking */
    eager_setup();
    ck_assert_int_eq(hand_run_take(KIND_ERASED(checks_blocking)), 0);
}

/* --- context --- */

static uva_context_var_t cv = {"cv", NULL};
static char numbers[4];

static int cv_get(void)
{
    const char *value = uva_context_var_get(&cv);

    return value == NULL ? 0 : (int)(value - numbers);
}

static void cv_set(int value)
{
    ck_assert_int_eq(uva_context_var_set(&cv, &numbers[value], NULL), 0);
}

KIND_TASK(int, sets_in_steps, int *steps; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(cv_get(), 1);
    cv_set(2);
    ck_assert_int_eq(cv_get(), 2);
    *self->steps = 1;
    AWAIT(self->r, uva_sleep, UVA_MS(100));
    ck_assert_int_eq(cv_get(), 2);
    cv_set(3);
    ck_assert_int_eq(cv_get(), 3);
    *self->steps = 2;
    UVA_END
    return self->r;
}

KIND_TASK(int, checks_steps, int steps; uva_task_t * task; int r;)
{
    UVA_BEGIN
    cv_set(1);
    self->task = KIND_ERASED(sets_in_steps, .steps = &self->steps);
    ck_assert_int_eq(self->steps, 1);
    ck_assert_int_eq(cv_get(), 1);
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    ck_assert_int_eq(self->steps, 2);
    ck_assert_int_eq(cv_get(), 1);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(context_vars)
{
    /* test_eager_task_factory.py,
     * EagerTaskFactoryLoopTests.test_context_vars */
    eager_setup();
    ck_assert_int_eq(hand_run_take(KIND_ERASED(checks_steps)), 0);
}

/* --- counting tasks: a factory sees the plain form alone --- */

typedef struct counter_s {
    bool eager;
    int started; /* Tasks whose first step the loop has to run. */
} counter_t;

static uva_task_t *counting_factory(uva_loop_t *loop,
                                    uva_coro_cb body,
                                    void *arg,
                                    const uva_task_options_t *options,
                                    void *data)
{
    counter_t *counter = data;

    if (counter->eager) {
        return uva_eager_task_factory(loop, body, arg, options, NULL);
    }
    counter->started++;
    return uva_loop_create_task(loop, body, arg, options);
}

static intptr_t awaitable_chain(intptr_t depth)
{
    return depth == 0 ? 0 : 1 + awaitable_chain(depth - 1);
}

static int runs_chain(void *arg, void **ret_result)
{
    *ret_result = (char *)arg + awaitable_chain(100);
    return 0;
}

typedef struct tree_s {
    uva_coro_cb branch;
    int width;
    int depth;
} tree_t;

static int recursive_taskgroups(void *arg, void **ret_result)
{
    const tree_t *tree = arg;
    tree_t below = {tree->branch, tree->width, tree->depth - 1};
    uva_taskgroup_t group;

    (void)ret_result;
    if (tree->depth == 0) {
        return 0;
    }
    (void)uva_taskgroup_enter(&group);
    for (int i = 0; i < tree->width; i++) {
        (void)uva_taskgroup_create_task(&group, tree->branch, &below, NULL);
    }
    return uva_taskgroup_exit(&group, 0);
}

static int recursive_gather(void *arg, void **ret_result)
{
    const tree_t *tree = arg;
    tree_t below = {tree->branch, tree->width, tree->depth - 1};
    uva_task_t *tasks[8];

    (void)ret_result;
    if (tree->depth == 0) {
        return 0;
    }
    for (int i = 0; i < tree->width; i++) {
        tasks[i] = uva_create_task(tree->branch, &below);
    }
    return uva_gather(UVA_FUTURES(tasks), (size_t)tree->width, 0, NULL);
}

static void check_count(uva_coro_cb body, void *arg, int expected)
{
    for (int eager = 0; eager < 2; eager++) {
        counter_t counter = {eager == 1, 0};
        uva_task_t *task;
        uva_loop_set_task_factory(uva_test_loop, counting_factory, &counter);
        task = uva_loop_create_task(uva_test_loop, body, arg, NULL);
        ck_assert_int_eq(hand_run_take(task), 0);
        ck_assert_int_eq(counter.started, eager == 1 ? 0 : expected);
    }
}

START_TEST(awaitables_chain)
{
    /* test_eager_task_factory.py,
     * BaseTaskCountingTests.test_awaitables_chain */
    char base[128];
    void *end = NULL;
    uva_task_t *task =
        uva_loop_create_task(uva_test_loop, runs_chain, base, NULL);

    ck_assert_int_eq(
        uva_loop_run_until_complete(uva_test_loop, UVA_FUTURE(task), &end), 0);
    ck_assert_ptr_eq(end, base + 100);
    uva_task_unref(task);
    check_count(runs_chain, base, 1);
}
END_TEST

START_TEST(recursive_taskgroups_count)
{
    /* test_eager_task_factory.py,
     * BaseTaskCountingTests.test_recursive_taskgroups */
    tree_t tree = {recursive_taskgroups, 5, 4};

    check_count(recursive_taskgroups, &tree, 781);
}
END_TEST

START_TEST(recursive_gather_count)
{
    /* test_eager_task_factory.py, BaseTaskCountingTests.test_recursive_gather
     */
    tree_t tree = {recursive_gather, 5, 4};

    check_count(recursive_gather, &tree, 781);
}
END_TEST

/* --- what is ours --- */

KIND_TASK(int, ends_or_waits, uva_future_t *future; int *started; int r;)
{
    UVA_BEGIN
    *self->started += 1;
    if (self->future != NULL) {
        AWAIT(self->r, uva_await, self->future, NULL);
    }
    UVA_END
    return self->r;
}

typedef struct spawner_s {
    uva_future_t *future;
    int started;
    uva_task_t *done;
    uva_task_t *waiting;
} spawner_t;

/* A callback, which no task runs. */
static void spawn_both(void *data)
{
    spawner_t *spawner = data;
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    options.eager_start = true;
    ck_assert_ptr_null(uva_current_task());
    spawner->done = UVA_ERASE(
        KIND_SPAWN_WITH(&options, ends_or_waits, .started = &spawner->started));
    ck_assert_int_eq(spawner->started, 1);
    ck_assert(uva_future_done(UVA_FUTURE(spawner->done)));
    spawner->waiting = UVA_ERASE(KIND_SPAWN_WITH(&options, ends_or_waits,
                                                 .future = spawner->future,
                                                 .started = &spawner->started));
    ck_assert_int_eq(spawner->started, 2);
    ck_assert(!uva_future_done(UVA_FUTURE(spawner->waiting)));
    ck_assert_ptr_eq(hand_awaited(spawner->waiting), spawner->future);
    ck_assert_ptr_null(uva_current_task());
}

KIND_LOOP_TEST(eager_start_in_callback)
{
    spawner_t spawner = {hand_future(), 0, NULL, NULL};

    ck_assert_int_eq(
        uva_loop_call_soon(uva_test_loop, spawn_both, &spawner, NULL, NULL), 0);
    hand_run_ready();
    ck_assert_int_eq(uva_future_set_result(spawner.future, NULL, NULL), 0);
    ck_assert_int_eq(hand_run_take(spawner.waiting), 0);
    uva_task_unref(spawner.done);
    uva_future_unref(spawner.future);
}

KIND_LOOP_TEST(eager_start_outside)
{
    /* While the loop does not run there is nobody to start it. */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    int started = 0;
    uva_task_t *task;

    options.eager_start = true;
    task = UVA_ERASE(
        KIND_SPAWN_WITH(&options, ends_or_waits, .started = &started));
    ck_assert_int_eq(started, 0);
    ck_assert_int_eq(hand_run_take(task), 0);
    ck_assert_int_eq(started, 1);
}

KIND_TASK(int, nests, int depth; uva_future_t * future; uva_task_t * below;
          int r;)
{
    UVA_BEGIN
    if (self->depth == 0) {
        AWAIT(self->r, uva_await, self->future, NULL);
        return self->r;
    }
    self->below =
        KIND_ERASED(nests, .depth = self->depth - 1, .future = self->future);
    AWAIT(self->r, uva_await, UVA_FUTURE(self->below), NULL);
    UVA_END
    *ret = hand_int(self->below) + 1;
    uva_task_unref(self->below);
    return self->r;
}

KIND_LOOP_TEST(eager_nests)
{
    uva_future_t *future = hand_future();
    uva_task_t *task;

    eager_setup();
    task = KIND_ERASED(nests, .depth = 50, .future = future);
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    ck_assert(hand_has_callbacks(future));
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 50);
    uva_task_unref(task);
    uva_future_unref(future);
}

/* --- factories --- */

static uva_task_t *refuses(uva_loop_t *loop,
                           uva_coro_cb body,
                           void *arg,
                           const uva_task_options_t *options,
                           void *data)
{
    (void)loop;
    (void)body;
    ck_assert_ptr_nonnull(options);
    options->arg_destroy(arg);
    *(int *)data += 1;
    return (uva_task_t *)(void *)uva_future_refused(UV_EAGAIN);
}

static uva_task_t *names(uva_loop_t *loop,
                         uva_coro_cb body,
                         void *arg,
                         const uva_task_options_t *options,
                         void *data)
{
    uva_task_options_t own = UVA_TASK_OPTIONS_INIT;

    (void)options;
    own.name = data;
    return uva_loop_create_task(loop, body, arg, &own);
}

static int makes_another(void *arg, void **ret_result)
{
    uva_task_t *task;

    (void)ret_result;
    ck_assert_str_eq(uva_task_get_name(uva_current_task()), "by the factory");
    if (arg == NULL) {
        return 0;
    }
    task = uva_create_task(makes_another, NULL);
    return uva_join(UVA_FUTURE(task), NULL);
}

static void count_drop(void *value)
{
    *(int *)value += 1;
}

START_TEST(factory_refuses)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    int calls = 0;
    int drops = 0;
    void *data = NULL;
    uva_task_t *task;

    uva_loop_set_task_factory(uva_test_loop, refuses, &calls);
    ck_assert(uva_loop_get_task_factory(uva_test_loop, &data) == refuses);
    ck_assert_ptr_eq(data, &calls);
    options.arg_destroy = count_drop;
    task = uva_loop_create_task(uva_test_loop, runs_chain, &drops, &options);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), UV_EAGAIN);
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(drops, 1);
    ck_assert_uint_eq(uva_loop_all_tasks(uva_test_loop, NULL, 0), 0);
    uva_loop_set_task_factory(uva_test_loop, NULL, NULL);
    ck_assert(uva_loop_get_task_factory(uva_test_loop, NULL) == NULL);
}
END_TEST

START_TEST(factory_of_all_plain_tasks)
{
    static char name[] = "by the factory";
    uva_task_t *task;

    uva_loop_set_task_factory(uva_test_loop, names, name);
    task = uva_loop_create_task(uva_test_loop, makes_another, name, NULL);
    ck_assert_int_eq(hand_run_take(task), 0);
    /* A typed task does not pass through it. */
    task = KIND_ERASED(gives);
    ck_assert_str_ne(uva_task_get_name(task), name);
    ck_assert_int_eq(hand_run_take(task), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eager_tasks");
    TCase *eager = UVA_TCASE(suite, "EagerTaskFactory");
    TCase *counting = UVA_TCASE(suite, "TaskCounting");
    TCase *start = UVA_TCASE(suite, "EagerStart");
    TCase *factory = UVA_TCASE(suite, "TaskFactory");

    KIND_ADD_TESTS(eager, eager_task_factory_set,
                   await_future_during_eager_step, eager_completion,
                   cancellation_after_eager_completion, block_after_eager_step,
                   cancellation_after_eager_step_blocks, current_task,
                   all_tasks_with_eager_completion, all_tasks_with_blocking,
                   context_vars);
    tcase_add_checked_fixture(counting, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(counting, awaitables_chain, recursive_taskgroups_count,
                  recursive_gather_count);
    KIND_ADD_TESTS(start, eager_start_in_callback, eager_start_outside,
                   eager_nests);
    tcase_add_checked_fixture(factory, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(factory, factory_refuses, factory_of_all_plain_tasks);
    return uva_test_main(suite);
}
