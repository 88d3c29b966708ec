/*
 * gather.
 */
#include "kinds.h"

/* --- gathering futures, and tasks that await them --- */

KIND_TASK(void *, awaits, uva_future_t *future;)
{
    int r;

    UVA_BEGIN
    AWAIT(r, uva_await, self->future, ret);
    UVA_END
    return r;
}

/* One gather: its futures, what was made of them, how often its callback
 * ran. */
typedef struct fixture_s {
    uva_future_t *futures[6];
    uva_future_t *children[6]; /* The same, or tasks that await them. */
    int count;
    bool tasks;
    uva_future_t *outer;
    int calls;
} fixture_t;

static int values[7];

static void count_call(uva_future_t *future, void *data)
{
    fixture_t *fixture = data;

    ck_assert_ptr_eq(future, fixture->outer);
    fixture->calls++;
}

static fixture_t *gather_begin(int count, bool tasks, unsigned flags)
{
    static fixture_t fixture;

    fixture = (fixture_t){.count = count, .tasks = tasks};
    for (int i = 0; i < count; i++) {
        fixture.futures[i] = hand_future();
        fixture.children[i] =
            tasks
                ? UVA_FUTURE(KIND_ERASED(awaits, .future = fixture.futures[i]))
                : uva_future_ref(fixture.futures[i]);
        uva_future_ref(fixture.children[i]);
    }
    if (tasks) {
        hand_briefly();
    }
    fixture.outer =
        uva_gather_future(UVA_FUTURES(fixture.children), (size_t)count, flags);
    ck_assert_ptr_eq(uva_future_get_loop(fixture.outer), uva_test_loop);
    ck_assert_int_eq(
        uva_future_add_done_callback(fixture.outer, count_call, &fixture, NULL),
        0);
    return &fixture;
}

static void gather_end(fixture_t *fixture)
{
    hand_run_ready();
    for (int i = 0; i < fixture->count; i++) {
        uva_future_unref(fixture->children[i]);
        uva_future_unref(fixture->futures[i]);
    }
    uva_future_unref(fixture->outer);
}

static void set_result(fixture_t *fixture, int i, int value)
{
    ck_assert_int_eq(
        uva_future_set_result(fixture->futures[i], &values[value], NULL), 0);
}

static void set_exception(fixture_t *fixture, int i, int code)
{
    ck_assert_int_eq(uva_future_set_exception(fixture->futures[i], code, NULL),
                     0);
}

/* The outcome of child i: a value, or the code it failed with. */
static void check_value(fixture_t *fixture, int i, int value)
{
    const uva_result_t *results = hand_value(fixture->outer);

    ck_assert_int_eq(results[i].status, 0);
    ck_assert_ptr_eq(fixture->tasks ? *(void **)results[i].value
                                    : results[i].value,
                     &values[value]);
}

static void check_status(fixture_t *fixture, int i, int code)
{
    const uva_result_t *results = hand_value(fixture->outer);

    ck_assert_int_eq(results[i].status, code);
    ck_assert_ptr_null(results[i].value);
}

static void check_success(bool tasks, unsigned flags)
{
    fixture_t *g = gather_begin(3, tasks, flags);

    set_result(g, 1, 1);
    set_result(g, 0, 2);
    hand_run_ready();
    ck_assert_int_eq(g->calls, 0);
    ck_assert(!uva_future_done(g->outer));
    set_result(g, 2, 3);
    hand_run_ready();
    ck_assert_int_eq(g->calls, 1);
    check_value(g, 0, 2);
    check_value(g, 1, 1);
    check_value(g, 2, 3);
    gather_end(g);
}

KIND_LOOP_TEST(success)
{
    /* test_tasks.py, GatherTestsBase.test_success */
    check_success(false, 0);
    check_success(true, 0);
}

KIND_LOOP_TEST(result_exception_success)
{
    /* test_tasks.py, GatherTestsBase.test_result_exception_success */
    check_success(false, UVA_RETURN_EXCEPTIONS);
    check_success(true, UVA_RETURN_EXCEPTIONS);
}

KIND_LOOP_TEST(one_exception)
{
    /* test_tasks.py, GatherTestsBase.test_one_exception */
    for (int tasks = 0; tasks < 2; tasks++) {
        fixture_t *g = gather_begin(5, tasks, 0);
        set_result(g, 0, 1);
        set_exception(g, 1, ZERO_DIVISION_ERROR);
        hand_run_ready();
        ck_assert(uva_future_done(g->outer));
        ck_assert_int_eq(g->calls, 1);
        ck_assert_int_eq(uva_future_exception(g->outer), ZERO_DIVISION_ERROR);
        /* Does nothing. */
        set_result(g, 2, 3);
        ck_assert(uva_future_cancel(g->futures[3]));
        set_exception(g, 4, RUNTIME_ERROR);
        ck_assert_int_eq(uva_future_exception(g->futures[4]), RUNTIME_ERROR);
        gather_end(g);
    }
}

KIND_LOOP_TEST(return_exceptions)
{
    /* test_tasks.py, GatherTestsBase.test_return_exceptions */
    for (int tasks = 0; tasks < 2; tasks++) {
        fixture_t *g = gather_begin(4, tasks, UVA_RETURN_EXCEPTIONS);
        set_result(g, 1, 1);
        set_exception(g, 2, ZERO_DIVISION_ERROR);
        set_result(g, 0, 3);
        hand_run_ready();
        ck_assert(!uva_future_done(g->outer));
        set_exception(g, 3, RUNTIME_ERROR);
        hand_run_ready();
        ck_assert(uva_future_done(g->outer));
        ck_assert_int_eq(g->calls, 1);
        check_value(g, 0, 3);
        check_value(g, 1, 1);
        check_status(g, 2, ZERO_DIVISION_ERROR);
        check_status(g, 3, RUNTIME_ERROR);
        gather_end(g);
    }
}

KIND_LOOP_TEST(one_cancellation)
{
    /* test_tasks.py, FutureGatherTests.test_one_cancellation */
    fixture_t *g = gather_begin(5, false, 0);

    set_result(g, 0, 1);
    ck_assert(uva_future_cancel(g->futures[1]));
    hand_run_ready();
    ck_assert(uva_future_done(g->outer));
    ck_assert_int_eq(g->calls, 1);
    ck_assert(!uva_future_cancelled(g->outer));
    ck_assert_int_eq(uva_future_exception(g->outer), UV_ECANCELED);
    /* Does nothing. */
    set_result(g, 2, 3);
    ck_assert(uva_future_cancel(g->futures[3]));
    set_exception(g, 4, RUNTIME_ERROR);
    ck_assert_int_eq(uva_future_exception(g->futures[4]), RUNTIME_ERROR);
    gather_end(g);
}

KIND_LOOP_TEST(result_exception_one_cancellation)
{
    /* test_tasks.py, FutureGatherTests.test_result_exception_one_cancellation
     */
    fixture_t *g = gather_begin(6, false, UVA_RETURN_EXCEPTIONS);

    set_result(g, 0, 1);
    set_exception(g, 1, ZERO_DIVISION_ERROR);
    ck_assert(uva_future_cancel(g->futures[2]));
    hand_run_ready();
    ck_assert(!uva_future_done(g->outer));
    set_result(g, 3, 3);
    ck_assert(uva_future_cancel(g->futures[4]));
    set_exception(g, 5, RUNTIME_ERROR);
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, g->outer, NULL),
                     0);
    check_value(g, 0, 1);
    check_status(g, 1, ZERO_DIVISION_ERROR);
    check_status(g, 2, UV_ECANCELED);
    check_value(g, 3, 3);
    check_status(g, 4, UV_ECANCELED);
    check_status(g, 5, RUNTIME_ERROR);
    ck_assert_int_eq(g->calls, 1);
    gather_end(g);
}

/* --- what it may be made of --- */

START_TEST(constructor_empty_sequence_without_loop)
{
    /* test_tasks.py,
     * FutureGatherTests.test_constructor_empty_sequence_without_loop */
    ck_assert_int_eq(uva_future_exception(uva_gather_future(NULL, 0, 0)),
                     UVA_ENOLOOP);
}
END_TEST

KIND_TASK(uva_future_t *, gathers_nothing)
{
    *ret = uva_gather_future(NULL, 0, 0);
    return 0;
}

KIND_LOOP_TEST(constructor_empty_sequence_use_running_loop)
{
    /* test_tasks.py,
     * FutureGatherTests.test_constructor_empty_sequence_use_running_loop */
    uva_future_unref(hand_made(KIND_ERASED(gathers_nothing)));
}

START_TEST(constructor_heterogenous_futures)
{
    /* test_tasks.py, FutureGatherTests.test_constructor_heterogenous_futures
     */
    uva_loop_t *other = new_loop();
    uva_future_t *futures[] = {hand_future(), uva_loop_create_future(other)};
    uva_future_t *outer = uva_gather_future(UVA_FUTURES(futures), 2, 0);

    ck_assert_int_eq(uva_future_exception(outer), UVA_EWRONGLOOP);
    end_loop(other);
}
END_TEST

START_TEST(constructor_homogenous_futures)
{
    /* test_tasks.py, FutureGatherTests.test_constructor_homogenous_futures */
    uva_loop_t *other = new_loop();
    uva_future_t *children[3];
    uva_future_t *outers[2];

    for (int i = 0; i < 3; i++) {
        children[i] = uva_loop_create_future(other);
    }
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 3; k++) {
            uva_future_ref(children[k]);
        }
        outers[i] = uva_gather_future(UVA_FUTURES(children), 3, 0);
        ck_assert_ptr_eq(uva_future_get_loop(outers[i]), other);
        ck_assert_int_eq(uva_loop_run_until_idle(other), 0);
        ck_assert(!uva_future_done(outers[i]));
    }
    for (int i = 0; i < 3; i++) {
        ck_assert(uva_future_cancel(children[i]));
        uva_future_unref(children[i]);
    }
    ck_assert_int_eq(uva_loop_run_until_idle(other), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_future_exception(outers[i]), UV_ECANCELED);
        uva_future_unref(outers[i]);
    }
    end_loop(other);
}
END_TEST

KIND_TASK(int, gives, int value;)
{
    *ret = self->value;
    return 0;
}

START_TEST(constructor_without_loop)
{
    /* test_tasks.py, CoroutineGatherTests.test_constructor_without_loop: it
     * is the tasks that cannot be made. */
    uva_future_t *futures[2];
    uva_future_t *outer;

    for (int i = 0; i < 2; i++) {
        futures[i] = UVA_FUTURE(gives_spawn((gives_args_t){.value = i}, NULL));
        ck_assert_int_eq(uva_future_exception(futures[i]), UVA_ENOLOOP);
    }
    outer = uva_gather_future(UVA_FUTURES(futures), 2, 0);
    ck_assert_int_eq(uva_future_exception(outer), UVA_ENOLOOP);
}
END_TEST

KIND_TASK(uva_future_t *, gathers_two, uva_task_t *tasks[2];)
{
    for (int i = 0; i < 2; i++) {
        self->tasks[i] = KIND_ERASED(gives, .value = i);
    }
    *ret = uva_gather_future(UVA_FUTURES(self->tasks), 2, 0);
    return 0;
}

KIND_LOOP_TEST(constructor_use_running_loop)
{
    /* test_tasks.py, CoroutineGatherTests.test_constructor_use_running_loop */
    uva_future_unref(hand_made(KIND_ERASED(gathers_two)));
}

KIND_LOOP_TEST(duplicate_coroutines)
{
    /* test_tasks.py, CoroutineGatherTests.test_duplicate_coroutines */
    uva_task_t *abc = KIND_ERASED(gives, .value = 1);
    uva_task_t *def = KIND_ERASED(gives, .value = 2);
    uva_task_t *tasks[] = {abc, uva_task_ref(abc), def, uva_task_ref(abc)};
    uva_future_t *outer = uva_gather_future(UVA_FUTURES(tasks), 4, 0);
    const uva_result_t *results;
    const int expected[] = {1, 1, 2, 1};

    hand_run_ready();
    results = hand_value(outer);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(results[i].status, 0);
        ck_assert_int_eq(*(int *)results[i].value, expected[i]);
    }
    uva_future_unref(outer);
}

static void
no_report(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    (void)loop;
    (void)data;
    ck_abort_msg("reported: %s", exception->message);
}

KIND_LOOP_TEST(issue46672)
{
    /* test_tasks.py, CoroutineGatherTests.test_issue46672: among the arguments
     * is none that could be awaited. */
    uva_task_t *task = KIND_ERASED(gives);
    uva_future_t *futures[] = {UVA_FUTURE(uva_task_ref(task)),
                               uva_future_refused(UV_EINVAL)};
    uva_future_t *outer;

    uva_loop_set_exception_handler(uva_test_loop, no_report, NULL);
    outer = uva_gather_future(UVA_FUTURES(futures), 2, 0);
    ck_assert_int_eq(uva_future_exception(outer), UV_EINVAL);
    uva_future_unref(outer);
    hand_run_ready();
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    uva_task_unref(task);
}

/* --- others wait for a child too --- */

static uva_future_t *gather_one(uva_task_t *task)
{
    uva_task_t *taken = uva_task_ref(task);

    return uva_gather_future(UVA_FUTURES(&taken), 1, 0);
}

/* What a callback finds when it runs. */
typedef struct found_s {
    uva_future_t *outer;
    int calls;
    bool outer_done;
} found_t;

static void note_outer(UVA_UNUSED uva_future_t *child, void *data)
{
    found_t *found = data;

    found->calls++;
    found->outer_done = uva_future_done(found->outer);
}

static void note_with(uva_future_t *child, found_t *found)
{
    ck_assert_int_eq(
        uva_future_add_done_callback(child, note_outer, found, NULL), 0);
}

KIND_LOOP_TEST(callbacks_of_a_child)
{
    uva_task_t *task = KIND_ERASED(gives, .value = 3);
    uva_future_t *child = UVA_FUTURE(task);
    found_t before = {0};
    found_t after = {0};
    found_t removed = {0};

    note_with(child, &before);
    ck_assert_uint_eq(
        uva_future_remove_done_callback(child, note_outer, &before), 1);
    after.outer = gather_one(task);
    /* The gathering future is none of these, and goes first. */
    ck_assert_uint_eq(
        uva_future_remove_done_callback(child, note_outer, &after), 0);
    note_with(child, &after);
    note_with(child, &removed);
    ck_assert_uint_eq(
        uva_future_remove_done_callback(child, note_outer, &removed), 1);
    hand_run_ready();
    ck_assert_int_eq(before.calls, 0);
    ck_assert_int_eq(removed.calls, 0);
    ck_assert_int_eq(after.calls, 1);
    ck_assert(after.outer_done);
    uva_future_unref(after.outer);
    uva_task_unref(task);
}

KIND_LOOP_TEST(callback_before_the_gather)
{
    uva_task_t *task = KIND_ERASED(gives, .value = 3);
    found_t before = {0};

    note_with(UVA_FUTURE(task), &before);
    before.outer = gather_one(task);
    hand_run_ready();
    ck_assert_int_eq(before.calls, 1);
    ck_assert(!before.outer_done);
    ck_assert(uva_future_done(before.outer));
    uva_future_unref(before.outer);
    uva_task_unref(task);
}

/* A callback that comes when the child is done, and its gather not yet. */
KIND_LOOP_TEST(callback_of_a_done_child)
{
    uva_task_t *task = KIND_ERASED(gives, .value = 3);
    found_t after = {0};

    after.outer = gather_one(task);
    while (!uva_future_done(UVA_FUTURE(task))) {
        ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    }
    note_with(UVA_FUTURE(task), &after);
    hand_run_ready();
    ck_assert_int_eq(after.calls, 1);
    ck_assert(after.outer_done);
    uva_future_unref(after.outer);
    uva_task_unref(task);
}

KIND_LOOP_TEST(gathered_twice)
{
    uva_future_t *future = hand_future();
    uva_task_t *task = KIND_ERASED(awaits, .future = future);
    uva_future_t *outers[2];

    for (int i = 0; i < 2; i++) {
        outers[i] = gather_one(task);
    }
    hand_briefly();
    ck_assert_int_eq(uva_future_set_result(future, &values[4], NULL), 0);
    hand_run_ready();
    for (int i = 0; i < 2; i++) {
        const uva_result_t *results = hand_value(outers[i]);
        ck_assert_ptr_eq(*(void **)results[0].value, &values[4]);
        uva_future_unref(outers[i]);
    }
    uva_task_unref(task);
    uva_future_unref(future);
}

/* A child that its gather tells to end, while another waits for it. */
KIND_LOOP_TEST(awaited_and_cancelled_by_its_gather)
{
    uva_future_t *future = hand_future();
    uva_task_t *task = KIND_ERASED(awaits, .future = future);
    uva_future_t *outer = gather_one(task);
    uva_task_t *other = KIND_ERASED(awaits, .future = UVA_FUTURE(task));

    hand_briefly();
    ck_assert(uva_future_cancel(outer));
    hand_run_ready();
    ck_assert_int_eq(uva_future_exception(outer), UV_ECANCELED);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert(uva_future_cancelled(UVA_FUTURE(other)));
    uva_future_unref(outer);
    uva_task_unref(other);
    uva_task_unref(task);
    uva_future_unref(future);
}

static int drops;

UVA_TASK_DROP(int, has_arguments, drop_arguments, int value;)
{
    *ret = args->value;
    return 0;
}

static void drop_arguments(UVA_UNUSED has_arguments_args_t *args)
{
    drops++;
}

START_TEST(arguments_of_a_child)
{
    has_arguments_task_t *task =
        uva_spawn_with(ON_LOOP(uva_test_loop), has_arguments, .value = 3);
    uva_future_t *outer = uva_gather_future(UVA_FUTURES(&task), 1, 0);

    drops = 0;
    hand_run_ready();
    ck_assert(uva_future_done(outer));
    ck_assert_int_eq(drops, 1);
    uva_future_unref(outer);
}
END_TEST

KIND_TASK(int, cancels_itself)
{
    ck_assert(uva_task_cancel(uva_current_task()));
    *ret = 1;
    return 0;
}

/* asyncio: a task that is cancelled in its last step is cancelled. */
KIND_LOOP_TEST(child_cancelled_in_its_last_step)
{
    uva_task_t *task = KIND_ERASED(cancels_itself);
    uva_future_t *outer = gather_one(task);

    hand_run_ready();
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_int_eq(uva_future_exception(outer), UV_ECANCELED);
    uva_future_unref(outer);
    uva_task_unref(task);
}

/* --- cancelling --- */

KIND_TASK(int, counts, uva_future_t *future; int *proof; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->future, NULL);
    if (self->r < 0) {
        return self->r;
    }
    UVA_END
    *self->proof += 1;
    return 0;
}

KIND_TASK(int, gathers, uva_task_t *children[2]; uva_future_t * *gatherer;
          int *proof;
          int r;)
{
    UVA_BEGIN
    *self->gatherer = uva_gather_future(UVA_FUTURES(self->children), 2, 0);
    AWAIT(self->r, uva_await, *self->gatherer, NULL);
    if (self->r < 0) {
        return self->r;
    }
    UVA_END
    *self->proof += 100;
    return 0;
}

KIND_LOOP_TEST(cancellation_broadcast)
{
    /* test_tasks.py, CoroutineGatherTests.test_cancellation_broadcast */
    int proof = 0;
    uva_future_t *future = hand_future();
    uva_task_t *one = KIND_ERASED(counts, .future = future, .proof = &proof);
    uva_task_t *two = KIND_ERASED(counts, .future = future, .proof = &proof);
    uva_future_t *gatherer = NULL;
    uva_task_t *outer =
        KIND_ERASED(gathers, .children = {uva_task_ref(one), uva_task_ref(two)},
                    .gatherer = &gatherer, .proof = &proof);

    hand_briefly();
    ck_assert(uva_task_cancel(outer));
    ck_assert_int_eq(hand_run(outer), UV_ECANCELED);
    ck_assert(!uva_future_cancel(gatherer));
    ck_assert(uva_future_cancelled(future));
    ck_assert(uva_future_cancelled(UVA_FUTURE(one)));
    ck_assert(uva_future_cancelled(UVA_FUTURE(two)));
    hand_briefly();
    ck_assert_int_eq(proof, 0);
    uva_task_unref(outer);
    uva_task_unref(one);
    uva_task_unref(two);
    uva_future_unref(gatherer);
    uva_future_unref(future);
}

KIND_TASK(int, awaits_then_fails, uva_future_t *future; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->future, NULL);
    UVA_END
    return RUNTIME_ERROR;
}

KIND_TASK(int, gathers_failing, uva_future_t *a; uva_future_t * b;
          uva_task_t * tasks[2];
          int r;)
{
    UVA_BEGIN
    self->tasks[0] = KIND_ERASED(awaits_then_fails, .future = self->a);
    self->tasks[1] = KIND_ERASED(awaits_then_fails, .future = self->b);
    AWAIT(self->r, uva_gather, UVA_FUTURES(self->tasks), 2, 0, NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(exception_marking)
{
    /* test_tasks.py, CoroutineGatherTests.test_exception_marking */
    uva_future_t *a = hand_future();
    uva_future_t *b = hand_future();
    uva_task_t *task = KIND_ERASED(gathers_failing, .a = a, .b = b);

    uva_loop_set_exception_handler(uva_test_loop, no_report, NULL);
    hand_briefly();
    ck_assert_int_eq(uva_future_set_result(a, NULL, NULL), 0);
    hand_briefly();
    ck_assert_int_eq(uva_future_set_result(b, NULL, NULL), 0);
    hand_briefly();
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), RUNTIME_ERROR);
    hand_run_ready();
    uva_task_unref(task);
    uva_future_unref(a);
    uva_future_unref(b);
}

KIND_TASK(int, makes_gather_task, uva_future_t *future; uva_task_t * child;
          uva_future_t * *gatherer;)
{
    self->child = KIND_ERASED(awaits, .future = self->future);
    *self->gatherer = uva_gather_future(UVA_FUTURES(&self->child), 1, 0);
    return 0;
}

typedef struct late_cancel_s {
    uva_future_t *gatherer;
    int result; /* -1 until it was tried. */
} late_cancel_t;

static void cancel_gatherer(uva_future_t *future, void *data)
{
    late_cancel_t *late = data;

    (void)future;
    late->result = uva_future_cancel(late->gatherer);
}

KIND_LOOP_TEST(cancel_gather_1)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_gather_1 */
    uva_future_t *future = hand_future();
    late_cancel_t late = {NULL, -1};
    const uva_result_t *results;

    ck_assert_int_eq(
        hand_run_take(KIND_ERASED(makes_gather_task, .future = future,
                                  .gatherer = &late.gatherer)),
        0);
    hand_run_ready();
    ck_assert_int_eq(
        uva_future_add_done_callback(future, cancel_gatherer, &late, NULL), 0);
    ck_assert_int_eq(uva_future_set_result(future, &values[4], NULL), 0);
    ck_assert_int_eq(
        uva_loop_run_until_complete(uva_test_loop, late.gatherer, NULL), 0);
    ck_assert_int_eq(late.result, 0);
    ck_assert(!uva_future_cancelled(late.gatherer));
    results = hand_value(late.gatherer);
    ck_assert_ptr_eq(*(void **)results[0].value, &values[4]);
    uva_future_unref(late.gatherer);
    uva_future_unref(future);
}

KIND_TASK(int, naps, uint64_t delay_ns; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    UVA_END
    return self->r;
}

KIND_TASK(int, gathers_naps, uint64_t slept_ns; uva_task_t * nap; int r;
          uva_result_t result;)
{
    UVA_BEGIN
    while (self->slept_ns <= UVA_SEC(1)) {
        self->slept_ns += UVA_MS(50);
        self->nap = KIND_ERASED(naps, .delay_ns = UVA_MS(50));
        AWAIT(self->r, uva_gather, UVA_FUTURES(&self->nap), 1,
              UVA_RETURN_EXCEPTIONS, &self->result);
        if (self->r < 0) {
            return self->r;
        }
    }
    UVA_END
    return 0;
}

KIND_TASK(int, cancels_gathering, const char *message; uva_task_t * qwe; int r;)
{
    UVA_BEGIN
    self->qwe = KIND_ERASED(gathers_naps);
    AWAIT(self->r, uva_sleep, UVA_MS(200));
    ck_assert(uva_future_cancel_message(UVA_FUTURE(self->qwe), self->message));
    AWAIT(self->r, uva_join, UVA_FUTURE(self->qwe), NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(cancel_gather_2)
{
    /* test_tasks.py, BaseTaskTests.test_cancel_gather_2 */
    static const char *const messages[] = {NULL, "my message"};

    for (int i = 0; i < 2; i++) {
        uva_task_t *task =
            KIND_ERASED(cancels_gathering, .message = messages[i]);
        const char *got;
        ck_assert_int_eq(hand_run(task), UV_ECANCELED);
        got = uva_future_get_cancel_message(UVA_FUTURE(task));
        if (messages[i] == NULL) {
            ck_assert_ptr_null(got);
        } else {
            ck_assert_ptr_nonnull(got);
            ck_assert_str_eq(got, messages[i]);
        }
        uva_task_unref(task);
    }
}

int main(void)
{
    Suite *suite = suite_create("gather");
    TCase *gather = UVA_TCASE(suite, "Gather");
    TCase *make = UVA_TCASE(suite, "GatherOf");
    TCase *others = UVA_TCASE(suite, "GatheredOthers");
    TCase *cancel = UVA_TCASE(suite, "GatherCancel");
    TCase *outside = UVA_TCASE(suite, "Outside");

    KIND_ADD_TESTS(gather, success, result_exception_success, one_exception,
                   return_exceptions, one_cancellation,
                   result_exception_one_cancellation);
    KIND_ADD_TESTS(make, constructor_empty_sequence_use_running_loop,
                   constructor_use_running_loop, duplicate_coroutines,
                   issue46672);
    KIND_ADD_TESTS(others, callbacks_of_a_child, callback_before_the_gather,
                   callback_of_a_done_child, gathered_twice,
                   awaited_and_cancelled_by_its_gather,
                   child_cancelled_in_its_last_step);
    KIND_ADD_TESTS(cancel, cancellation_broadcast, exception_marking,
                   cancel_gather_1, cancel_gather_2);
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, constructor_empty_sequence_without_loop,
                  constructor_heterogenous_futures,
                  constructor_homogenous_futures, constructor_without_loop,
                  arguments_of_a_child);
    return uva_test_main(suite);
}
