/*
 * The differences from asyncio that docs/asyncio-parity.md lists and no test of
 * a module pins, and what uva holds where asyncio leaves it to chance.
 */
#include <signal.h>
#include <string.h>

#include "kinds.h"
#include "loops.h"

/* --- the loop --- */

KIND_TASK(void, counts, uint64_t delay_ns; int *count; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    ++*self->count;
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(unfinished_task_is_kept)
{
    int count = 0;

    for (int i = 0; i < 100; i++) {
        uva_task_unref(
            KIND_ERASED(counts, .delay_ns = UVA_MS(1), .count = &count));
    }
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert_int_eq(count, 100);
}

typedef struct fired_s {
    uva_test_trace_t *trace;
    const char *name;
    uint64_t when_ns;
} fired_t;

static void fire(void *data)
{
    const fired_t *fired = data;

    uva_test_trace(fired->trace, "%s", fired->name);
    ck_assert_uint_ge(uva_loop_time(uva_get_running_loop()), fired->when_ns);
}

/* asyncio promises no order of equal deadlines, and lets a timer fire up to the
 * resolution of the clock before its own. */
START_TEST(equal_deadlines_run_in_order)
{
    uva_test_trace_t trace = {{0}, 0};
    fired_t fired[] = {{&trace, "a", 100}, {&trace, "b", 50},
                       {&trace, "c", 100}, {&trace, "d", 99},
                       {&trace, "e", 100}, {&trace, "f", 50},
                       {&trace, "g", 100}, {&trace, "h", 101}};

    for (size_t i = 0; i < 8; i++) {
        ck_assert_int_eq(uva_loop_call_at(uva_test_loop, fired[i].when_ns, fire,
                                          &fired[i], NULL, NULL),
                         0);
    }
    ck_assert_int_eq(uva_loop_advance(uva_test_loop, 49), 0);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert_str_eq(trace.text, "b f d a c e g h");
}
END_TEST

START_TEST(no_deadline_is_early)
{
    uva_test_trace_t trace = {{0}, 0};
    fired_t fired[4];
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    for (size_t i = 0; i < 4; i++) {
        fired[i] = (fired_t){&trace, "x", uva_loop_time(loop) + UVA_US(70) * i};
        ck_assert_int_eq(uva_loop_call_at(loop, fired[i].when_ns, fire,
                                          &fired[i], NULL, NULL),
                         0);
    }
    ck_assert_int_eq(
        uva_loop_call_at(loop, fired[3].when_ns + 1, stop, loop, NULL, NULL),
        0);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_str_eq(trace.text, "x x x x");
    end_loop(loop);
}
END_TEST

/* A chain of calls, whose first makes a timer that is due at once. */
typedef struct chain_s {
    uva_test_trace_t trace;
    int links;
    int steps; /* Links and the timer. */
} chain_t;

static void chain_step(chain_t *chain)
{
    if (++chain->steps == 6) {
        uva_loop_stop(uva_get_running_loop());
    }
}

static void chain_timer(void *data)
{
    chain_t *chain = data;

    uva_test_trace(&chain->trace, "timer");
    chain_step(chain);
}

static void chain_link(void *data)
{
    chain_t *chain = data;

    uva_test_trace(&chain->trace, "%d", chain->links);
    if (chain->links == 0) {
        ck_assert_int_eq(
            uva_loop_call_later(NULL, 0, chain_timer, chain, NULL, NULL), 0);
    }
    if (++chain->links < 5) {
        ck_assert_int_eq(
            uva_loop_call_soon(NULL, chain_link, chain, NULL, NULL), 0);
    }
    chain_step(chain);
}

static void
chain_runs(unsigned iterations_per_poll, bool is_virtual, const char *expected)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    chain_t chain = {{{0}, 0}, 0, 0};
    uva_loop_t *loop;

    options.iterations_per_poll = iterations_per_poll;
    ck_assert_int_eq(
        (is_virtual ? uva_loop_new_virtual : uva_loop_new)(&options, &loop), 0);
    ck_assert_int_eq(uva_loop_call_soon(loop, chain_link, &chain, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_str_eq(chain.trace.text, expected);
    end_loop(loop);
}

/* asyncio looks at timers and sockets before each iteration. */
START_TEST(iterations_between_two_looks)
{
    chain_runs(0, false, "0 1 2 3 4 timer");
    chain_runs(1, false, "0 1 timer 2 3 4");
    chain_runs(0, true, "0 1 timer 2 3 4");
}
END_TEST

START_TEST(run_until_complete_of_null)
{
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, NULL, NULL),
                     UV_ENOMEM);
    ck_assert_uint_eq(uva_loop_iterations(uva_test_loop), 0);
}
END_TEST

static void
count_reports(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    (void)loop;
    ck_assert_ptr_nonnull(exception->message);
    ++*(int *)data;
}

KIND_LOOP_TEST(close_with_unfinished_tasks)
{
    int reports = 0;
    int count = 0;
    uva_task_t *task =
        KIND_ERASED(counts, .delay_ns = UVA_MS(1), .count = &count);

    uva_loop_set_exception_handler(uva_test_loop, count_reports, &reports);
    ck_assert_int_eq(uva_loop_close(uva_test_loop), UV_EBUSY);
    ck_assert_int_eq(reports, 1);
    ck_assert(!uva_loop_is_closed(uva_test_loop));
    ck_assert_int_eq(hand_run_take(task), 0);
    ck_assert_int_eq(count, 1);
}

KIND_TASK(void, sleeps_on, int *cancelled; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_FOREVER);
    *self->cancelled += self->r == UV_ECANCELED;
    UVA_END
    return self->r;
}

/* Leaves another task behind when it is cancelled. */
KIND_TASK(void, leaves_another, int *cancelled; int left; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_FOREVER);
    *self->cancelled += self->r == UV_ECANCELED;
    if (self->left > 0) {
        uva_future_unref(
            UVA_FUTURE(KIND_SPAWN(leaves_another, .cancelled = self->cancelled,
                                  .left = self->left - 1)));
        AWAIT(self->r, uva_sleep, 0); /* The other begins. */
    }
    UVA_END
    return UV_ECANCELED;
}

KIND_LOOP_TEST(shutdown_goes_on_until_no_task_is_left)
{
    uva_test_mark_t mark = uva_test_mark();
    int cancelled = 0;
    uva_loop_t *loop;

    loop = new_loop();
    uva_future_unref(UVA_FUTURE(KIND_SPAWN_WITH(
        ON_LOOP(loop), leaves_another, .cancelled = &cancelled, .left = 3)));
    uva_future_unref(UVA_FUTURE(
        KIND_SPAWN_WITH(ON_LOOP(loop), sleeps_on, .cancelled = &cancelled)));
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    ck_assert_int_eq(cancelled, 5);
    ck_assert(uva_loop_is_closed(loop));
    uva_loop_unref(loop);
    uva_test_nothing_left(mark);
}

static void ignore(void *data)
{
    (void)data;
}

static void call_from_elsewhere(void *arg)
{
    uva_loop_t *loop = arg;

    ck_assert_int_eq(uva_loop_call_soon(loop, ignore, NULL, NULL, NULL),
                     UV_EPERM);
    ck_assert_int_eq(uva_future_exception(uva_loop_create_future(loop)),
                     UV_EPERM);
}

/* asyncio checks in debug mode alone. */
START_TEST(wrong_thread_is_always_noticed)
{
    uv_thread_t thread;

    ck_assert(!uva_loop_get_debug(uva_test_loop));
    uva_test_log_begin();
    ck_assert_int_eq(
        uv_thread_create(&thread, call_from_elsewhere, uva_test_loop), 0);
    ck_assert_int_eq(uv_thread_join(&thread), 0);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "non-thread-safe"));
    uva_test_log_end();
}
END_TEST

/* --- futures and tasks --- */

static int task_number(uva_task_t *task)
{
    int number = 0;

    ck_assert_int_eq(sscanf(uva_task_get_name(task), "Task-%d", &number), 1);
    return number;
}

KIND_LOOP_TEST(names_are_numbered_when_asked_for)
{
    int count = 0;
    uva_task_t *first = KIND_ERASED(counts, .count = &count);
    uva_task_t *second = KIND_ERASED(counts, .count = &count);
    int number = task_number(second);

    ck_assert_int_eq(task_number(first), number + 1);
    ck_assert_int_eq(task_number(second), number);
    ck_assert_int_eq(hand_run_take(first), 0);
    ck_assert_int_eq(hand_run_take(second), 0);
}

KIND_TASK(void, returns, int code;)
{
    UVA_BEGIN
    UVA_END
    return self->code;
}

/* A code is a number: asyncio's body has to raise CancelledError. */
KIND_LOOP_TEST(body_that_returns_canceled_is_cancelled)
{
    uva_task_t *task = KIND_ERASED(returns, .code = UV_ECANCELED);

    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    uva_task_unref(task);
}

KIND_LOOP_TEST(body_that_returns_more_than_zero)
{
    uva_task_t *task = KIND_ERASED(returns, .code = 7);

    ck_assert_int_eq(hand_run(task), 7);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
}

/* Awaits what it cannot. */
KIND_TASK(void, awaits_in_vain, uva_future_t *other; uva_task_t * *self_task;
          uint64_t before;)
{
    UVA_BEGIN
    self->before = uva_loop_iterations(uva_get_running_loop());
    AWAIT_IS(UVA_EWRONGLOOP, uva_await, self->other, NULL);
    AWAIT_IS(UV_EPERM, uva_await, UVA_FUTURE(*self->self_task), NULL);
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()),
                      self->before);
    UVA_END
    return 0;
}

/* asyncio throws the error in at the task's next step. */
KIND_LOOP_TEST(impossible_await_returns_at_once)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *other = uva_loop_create_future(loop);
    uva_task_t *task;

    task = KIND_ERASED(awaits_in_vain, .other = other, .self_task = &task);
    ck_assert_int_eq(hand_run(task), 0);
    uva_task_unref(task);
    uva_future_unref(other);
    end_loop(loop);
}

KIND_TEST(results_are_moved_out, uva_future_t *futures[3]; int values[3];
          void *value;
          void *gathered[1];
          int r;
          int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 3; self->i++) {
        self->futures[self->i] = uva_create_future();
        /* There is no destructor to be disarmed: it is moved all the same. */
        ck_assert_int_eq(uva_future_set_result(self->futures[self->i],
                                               &self->values[self->i], NULL),
                         0);
        uva_future_ref(self->futures[self->i]);
    }
    AWAIT_IS(0, uva_join, self->futures[0], &self->value);
    ck_assert_ptr_eq(self->value, &self->values[0]);
    AWAIT_IS(0, uva_wait_for, self->futures[1], UVA_SEC(1), &self->value);
    ck_assert_ptr_eq(self->value, &self->values[1]);
    AWAIT_IS(0, uva_gather, UVA_FUTURES(&self->futures[2]), 1, 0,
             self->gathered);
    ck_assert_ptr_eq(self->gathered[0], &self->values[2]);
    for (self->i = 0; self->i < 3; self->i++) {
        ck_assert_int_eq(uva_future_result(self->futures[self->i], NULL),
                         UVA_EINVALIDSTATE);
        ck_assert_int_eq(uva_future_exception(self->futures[self->i]), 0);
        AWAIT_IS(UVA_EINVALIDSTATE, uva_join, self->futures[self->i], NULL);
    }
    UVA_END
    return 0;
}

KIND_TEST(null_is_a_failed_future, uva_future_t *none; uva_future_t * done;
          uva_result_t result;
          void *value;)
{
    UVA_BEGIN
    ck_assert(uva_future_done(NULL));
    ck_assert(!uva_future_cancelled(NULL));
    ck_assert(!uva_future_cancel(NULL));
    ck_assert_ptr_null(uva_future_ref(NULL));
    ck_assert_ptr_null(uva_future_unref(NULL));
    ck_assert_int_eq(uva_future_result(NULL, &self->value), UV_ENOMEM);
    ck_assert_int_eq(uva_future_exception(NULL), UV_ENOMEM);
    ck_assert_int_eq(uva_future_set_result(NULL, NULL, NULL),
                     UVA_EINVALIDSTATE);
    AWAIT_IS(UV_ENOMEM, uva_await, NULL, NULL);
    AWAIT_IS(UV_ENOMEM, uva_join, NULL, NULL);
    AWAIT_IS(UV_ENOMEM, uva_wait_for, NULL, UVA_SEC(1), NULL);
    AWAIT_IS(UV_ENOMEM, uva_shield, NULL, NULL);
    AWAIT_IS(UV_ENOMEM, uva_gather, UVA_FUTURES(&self->none), 1, 0, NULL);
    AWAIT_IS(0, uva_gather, UVA_FUTURES(&self->none), 1, UVA_RETURN_EXCEPTIONS,
             &self->result);
    ck_assert_int_eq(self->result.status, UV_ENOMEM);
    AWAIT_IS(1, uva_wait, UVA_FUTURES(&self->none), 1, UVA_FOREVER,
             UVA_ALL_COMPLETED, &self->done, NULL);
    ck_assert_ptr_null(self->done);
    UVA_END
    return 0;
}

static const char *reported;

static void
note_report(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    (void)loop;
    (void)data;
    ck_assert_ptr_null(reported);
    reported = exception->message;
}

/* asyncio reports when the garbage collector comes by. */
KIND_LOOP_TEST(unseen_failure_is_told_by_the_last_reference)
{
    uva_task_t *task = KIND_ERASED(returns, .code = KEY_ERROR);

    reported = NULL;
    uva_loop_set_exception_handler(uva_test_loop, note_report, NULL);
    hand_run_ready();
    uva_task_unref(uva_task_ref(task));
    ck_assert_ptr_null(reported);
    uva_task_unref(task);
    ck_assert_str_eq(reported, "Task exception was never retrieved");
}

KIND_TASK(void, awaits_task, uva_task_t **other; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, UVA_FUTURE(*self->other), NULL);
    UVA_END
    return self->r;
}

/* asyncio's cancel goes round until the interpreter's stack is full. */
KIND_LOOP_TEST(ring_of_tasks_can_be_cancelled)
{
    uva_task_t *tasks[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_ERASED(awaits_task, .other = &tasks[(i + 1) % 3]);
    }
    hand_run_ready();
    ck_assert(uva_task_cancel(tasks[1]));
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        ck_assert_uint_eq(uva_task_cancelling(tasks[i]), 1);
        uva_task_unref(tasks[i]);
    }
}

KIND_TASK(void, gathers_task, uva_task_t **other; uva_task_t * task; int r;)
{
    UVA_BEGIN
    self->task = uva_task_ref(*self->other);
    AWAIT(self->r, uva_gather, UVA_FUTURES(&self->task), 1, 0, NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(ring_by_way_of_gather_can_be_cancelled)
{
    for (int first = 0; first < 2; first++) {
        uva_task_t *tasks[2];

        tasks[0] = KIND_ERASED(gathers_task, .other = &tasks[1]);
        tasks[1] = KIND_ERASED(awaits_task, .other = &tasks[0]);
        hand_run_ready();
        ck_assert(uva_task_cancel(tasks[first]));
        ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(uva_future_exception(UVA_FUTURE(tasks[i])),
                             UV_ECANCELED);
            uva_task_unref(tasks[i]);
        }
    }
}

/* --- gather, wait, shield --- */

KIND_TASK(int, gives, int value;)
{
    UVA_BEGIN
    *ret = self->value;
    UVA_END
    return 0;
}

KIND_TEST(gather_fills_each_place_of_a_duplicate, gives_task_t *tasks[4];
          int values[4];
          int r;)
{
    UVA_BEGIN
    self->tasks[0] = KIND_SPAWN(gives, .value = 1);
    self->tasks[1] = KIND_SPAWN(gives, .value = 2);
    self->tasks[2] = self->tasks[0];
    self->tasks[3] = self->tasks[0];
    uva_future_ref(UVA_FUTURE(self->tasks[0]));
    uva_future_ref(UVA_FUTURE(self->tasks[0]));
    AWAIT_OP(self->r, gives_gather, &self->ops.gather, self->tasks, 4, 0, NULL,
             self->values);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(self->values[0], 1);
    ck_assert_int_eq(self->values[1], 2);
    ck_assert_int_eq(self->values[2], 1);
    ck_assert_int_eq(self->values[3], 1);
    UVA_END
    return 0;
}

UVA_TEST(gather_of_what_was_moved_out)
{
    gives_task_t *tasks[2] = {KIND_SPAWN(gives, .value = 1),
                              KIND_SPAWN(gives, .value = 2)};
    int values[2] = {5, 5};
    int codes[2];

    uva_future_ref(UVA_FUTURE(tasks[0]));
    uva_future_ref(UVA_FUTURE(tasks[0]));
    uva_future_ref(UVA_FUTURE(tasks[1]));
    ck_assert_int_eq(gives_await(tasks[0], &values[0]), 0);
    ck_assert_int_eq(gives_gather(tasks, 2, 0, NULL, values),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(values[0], 0);
    ck_assert_int_eq(values[1], 2);
    ck_assert_int_eq(
        gives_gather(tasks, 2, UVA_RETURN_EXCEPTIONS, codes, values), 0);
    ck_assert_int_eq(codes[0], UVA_EINVALIDSTATE);
    ck_assert_int_eq(codes[1], UVA_EINVALIDSTATE);
}

/* asyncio's are sets. */
KIND_TEST(wait_keeps_the_order_of_its_arguments, uva_future_t *futures[4];
          uva_future_t * done[4];
          uva_future_t * pending[4];
          int r;
          int i;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 4; self->i++) {
        self->futures[self->i] = uva_create_future();
    }
    ck_assert_int_eq(uva_future_set_result(self->futures[3], NULL, NULL), 0);
    ck_assert_int_eq(uva_future_set_result(self->futures[1], NULL, NULL), 0);
    AWAIT_IS(2, uva_wait, UVA_FUTURES(self->futures), 4, 0, UVA_ALL_COMPLETED,
             self->done, self->pending);
    ck_assert_ptr_eq(self->done[0], self->futures[1]);
    ck_assert_ptr_eq(self->done[1], self->futures[3]);
    ck_assert_ptr_eq(self->pending[0], self->futures[0]);
    ck_assert_ptr_eq(self->pending[1], self->futures[2]);
    for (self->i = 0; self->i < 4; self->i++) {
        uva_future_unref(self->futures[self->i]);
    }
    UVA_END
    return 0;
}

/* Those that are done already come in the order of the arguments; in asyncio in
 * that of a set. */
UVA_TEST(as_completed_keeps_the_order_of_its_arguments)
{
    uva_as_completed_t iterator;
    uva_future_t *futures[8];
    uva_future_t *next;

    for (int i = 0; i < 8; i++) {
        futures[i] = uva_create_future();
    }
    for (int i = 7; i >= 0; i--) {
        ck_assert_int_eq(uva_future_set_result(futures[i], NULL, NULL), 0);
    }
    ck_assert_int_eq(
        uva_as_completed_start(&iterator, UVA_FUTURES(futures), 8, UVA_FOREVER),
        0);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(uva_as_completed_next(&iterator, &next), 1);
        ck_assert_ptr_eq(next, futures[i]);
    }
    uva_as_completed_destroy(&iterator);
    for (int i = 0; i < 8; i++) {
        uva_future_unref(futures[i]);
    }
}

/* 3.14 reports it at once, as "exception in shielded future". */
KIND_LOOP_TEST(late_failure_behind_a_shield)
{
    uva_future_t *inner = hand_future();
    uva_future_t *outer = uva_shield_future(inner);

    reported = NULL;
    uva_loop_set_exception_handler(uva_test_loop, note_report, NULL);
    ck_assert(uva_future_cancel(outer));
    hand_run_ready();
    ck_assert_int_eq(uva_future_set_exception(inner, KEY_ERROR, NULL), 0);
    hand_run_ready();
    ck_assert_ptr_null(reported);
    uva_future_unref(outer);
    uva_future_unref(inner);
    ck_assert_str_eq(reported, "Future exception was never retrieved");
}

/* --- timeouts and groups --- */

/* What the loop touches lies beside the task: the frame of a scope may be gone.
 * The first of a task makes the place for what few tasks have, too. */
UVA_TEST_STRICT(scope_costs_an_object)
{
    uva_timeout_t timeout;
    uva_taskgroup_t group;
    uint64_t before;

    (void)uva_timeout_enter(&timeout, UVA_FOREVER);
    ck_assert_int_eq(uva_timeout_exit(&timeout, 0), 0);
    before = uva_testing_allocations();
    (void)uva_timeout_enter(&timeout, UVA_FOREVER);
    ck_assert_uint_eq(uva_testing_allocations() - before, 1);
    ck_assert_int_eq(uva_timeout_exit(&timeout, 0), 0);
    before = uva_testing_allocations();
    (void)uva_taskgroup_enter(&group);
    ck_assert_uint_eq(uva_testing_allocations() - before, 1);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
}

KIND_TASK(void, notes_cancel, uva_test_trace_t *trace; int number; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_FOREVER);
    uva_test_trace(self->trace, "%d", self->number);
    UVA_END
    return self->r;
}

/* In asyncio in the order of a set. */
KIND_TEST(group_cancels_in_order_of_creation, uva_taskgroup_t group;
          uva_test_trace_t trace;
          int r;
          int i;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->group), 0);
    for (self->i = 0; self->i < 8; self->i++) {
        (void)KIND_SPAWN_IN(&self->group, notes_cancel, .trace = &self->trace,
                            .number = self->i);
    }
    AWAIT(self->r, uva_sleep, 0);
    (void)KIND_SPAWN_IN(&self->group, returns, .code = KEY_ERROR);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->group, 0);
    ck_assert_str_eq(self->trace.text, "0 1 2 3 4 5 6 7");
    UVA_END
    return 0;
}

KIND_TASK(void, fails_in_a_group, uva_taskgroup_t group; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->group), 0);
    (void)KIND_SPAWN_IN(&self->group, returns, .code = KEY_ERROR);
    AWAIT(self->r, uva_taskgroup_exit, &self->group, 0);
    UVA_END
    return self->r;
}

/* ExceptionGroup as a code with members; groups in groups nest. */
KIND_TEST(group_of_failures_is_a_code, uva_taskgroup_t group;)
{
    const uva_error_t *error;

    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->group), 0);
    (void)KIND_SPAWN_IN(&self->group, fails_in_a_group);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->group, VALUE_ERROR);
    error = uva_task_error();
    ck_assert_int_eq(uva_error_code(error), UVA_EGROUP);
    ck_assert_uint_eq(uva_error_member_count(error), 1);
    error = uva_error_member(error, 0);
    ck_assert_int_eq(uva_error_code(error), VALUE_ERROR);

    (void)uva_taskgroup_enter(&self->group);
    (void)KIND_SPAWN_IN(&self->group, fails_in_a_group);
    AWAIT_IS(UVA_EGROUP, uva_taskgroup_exit, &self->group, 0);
    error = uva_error_member(uva_task_error(), 0);
    ck_assert_int_eq(uva_error_code(error), UVA_EGROUP);
    ck_assert_int_eq(uva_error_code(uva_error_member(error, 0)), KEY_ERROR);
    UVA_END
    return 0;
}

/* 3.13; from 3.14 on the exit takes two iterations. */
UVA_TEST(exit_after_eager_children)
{
    uva_loop_t *loop = uva_get_running_loop();
    uint64_t before = uva_loop_iterations(loop);
    uva_taskgroup_t group;
    gives_task_t *task;

    uva_loop_set_task_factory(loop, uva_eager_task_factory, NULL);
    (void)uva_taskgroup_enter(&group);
    for (int i = 0; i < 3; i++) {
        task = KIND_SPAWN_IN(&group, gives, .value = i);
        ck_assert(UVA_DONE(task));
    }
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_uint_eq(uva_loop_iterations(loop), before);
}

/* --- contexts --- */

static uva_context_var_t colour = {"colour", NULL};

KIND_TEST(empty_context_is_null, uva_context_t *context; uva_handle_t * handle;)
{
    UVA_BEGIN
    ck_assert_ptr_null(uva_task_get_context(uva_current_task()));
    ck_assert_int_eq(
        uva_loop_call_later(NULL, UVA_MS(1), ignore, NULL, NULL, &self->handle),
        0);
    ck_assert_ptr_null(uva_handle_get_context(self->handle));
    uva_handle_cancel(self->handle);
    uva_handle_unref(self->handle);

    ck_assert_int_eq(uva_context_var_set(&colour, &colour, NULL), 0);
    self->context = uva_task_get_context(uva_current_task());
    ck_assert_ptr_nonnull(self->context);
    ck_assert_int_eq(
        uva_loop_call_later(NULL, UVA_MS(1), ignore, NULL, NULL, &self->handle),
        0);
    ck_assert_ptr_nonnull(uva_handle_get_context(self->handle));
    ck_assert_ptr_ne(uva_handle_get_context(self->handle), self->context);
    uva_handle_cancel(self->handle);
    uva_handle_unref(self->handle);
    UVA_END
    return 0;
}

/* --- run --- */

static int interrupted(void *arg, void **ret_result)
{
    (void)ret_result;
    ck_assert_int_eq(raise(SIGINT), 0);
    *(int *)arg = uva_sleep(UVA_SEC(3600));
    return *(int *)arg;
}

/* asyncio raises KeyboardInterrupt. */
START_TEST(sigint_is_a_code)
{
    int seen = 0;

    /* Check has a handler of its own. */
    ck_assert(signal(SIGINT, SIG_DFL) != SIG_ERR);
    ck_assert_int_eq(uva_run(interrupted, &seen, NULL, NULL), UV_EINTR);
    ck_assert_int_eq(seen, UV_ECANCELED);
}
END_TEST

/* --- streams --- */

/* asyncio turns LimitOverrunError into ValueError. */
UVA_TEST(long_line_is_a_limit_overrun)
{
    uva_reader_t *reader;
    uva_buffer_t line;

    ck_assert_int_eq(uva_reader_new(8, &reader), 0);
    ck_assert_int_eq(uva_reader_feed_data(reader, "0123456789\nab\n", 14), 0);
    ck_assert_int_eq(uva_reader_readline(reader, &line), UVA_ELIMITOVERRUN);
    ck_assert_int_eq(uva_reader_readline(reader, &line), 3);
    ck_assert_str_eq((const char *)line.data, "ab\n");
    uva_buffer_clear(&line);
    uva_reader_unref(reader);
}

/* A server, and clients of it, on a real loop. */
typedef struct service_s {
    uva_test_trace_t trace;
    uva_server_t *server;
    char port[8];
} service_t;

static void service_start(service_t *service,
                          uva_client_connected_cb handler,
                          const uva_server_options_t *options)
{
    int r = uva_start_server_callback(handler, service, "127.0.0.1", "0",
                                      options, &service->server);

    ck_assert_int_eq(r, 0);
    (void)snprintf(service->port, sizeof service->port, "%u",
                   (unsigned)uva_server_port(service->server));
}

static void service_end(service_t *service)
{
    uva_server_close(service->server);
    ck_assert_int_eq(uva_server_wait_closed(service->server), 0);
    uva_server_unref(service->server);
}

static void service_connect(const service_t *service,
                            uva_reader_t **ret_reader,
                            uva_writer_t **ret_writer)
{
    ck_assert_int_eq(uva_open_connection("127.0.0.1", service->port, NULL,
                                         ret_reader, ret_writer),
                     0);
}

static int says_and_returns(uva_reader_t *reader,
                            uva_writer_t *writer,
                            UVA_UNUSED void *arg)
{
    (void)reader;
    return uva_writer_write(writer, "bye\n", 4);
}

static int reads_to_the_end(void *arg, UVA_UNUSED void **ret_result)
{
    service_t *service = arg;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_buffer_t text;

    service_start(service, says_and_returns, NULL);
    service_connect(service, &reader, &writer);
    ck_assert_int_eq(uva_reader_read_all(reader, UVA_NO_LIMIT, &text), 4);
    ck_assert_str_eq((const char *)text.data, "bye\n");
    uva_buffer_clear(&text);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    service_end(service);
    return 0;
}

/* asyncio closes when the garbage collector finds the writer. */
START_TEST(connection_ends_with_its_handler)
{
    service_t service = {0};

    ck_assert_int_eq(uva_run(reads_to_the_end, &service, NULL, NULL), 0);
}
END_TEST

static int greets(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    service_t *service = arg;
    uva_buffer_t line;
    int r;

    uva_test_trace(&service->trace, "begins");
    r = uva_writer_write(writer, "hi\n", 3);
    r = r < 0 ? r : uva_reader_readline(reader, &line);
    if (r >= 0) {
        uva_buffer_clear(&line);
        uva_test_trace(&service->trace, "ends");
    }
    return r;
}

static void service_greeted(uva_reader_t *reader)
{
    uva_buffer_t line;

    ck_assert_int_eq(uva_reader_readline(reader, &line), 3);
    uva_buffer_clear(&line);
}

static int connects_twice(void *arg, UVA_UNUSED void **ret_result)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    service_t *service = arg;
    uva_reader_t *readers[2];
    uva_writer_t *writers[2];

    options.max_connections = 1;
    service_start(service, greets, &options);
    service_connect(service, &readers[0], &writers[0]);
    service_greeted(readers[0]);
    service_connect(service, &readers[1], &writers[1]);
    for (int i = 0; i < 1000; i++) { /* Many looks at the outside. */
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_uint_eq(uva_server_connection_count(service->server), 1);
    ck_assert_int_eq(uva_connection_close(readers[0], writers[0]), 0);
    service_greeted(readers[1]);
    ck_assert_int_eq(uva_connection_close(readers[1], writers[1]), 0);
    service_end(service);
    ck_assert_str_eq(service->trace.text, "begins ends begins ends");
    return 0;
}

START_TEST(connections_beyond_the_most_wait)
{
    service_t service = {0};

    uva_test_log_begin();
    ck_assert_int_eq(uva_run(connects_twice, &service, NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "most connections"));
    uva_test_log_end();
}
END_TEST

/* --- cases --- */

static void add_loop(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, unfinished_task_is_kept);
    UVA_ADD_TESTS(tcase, no_deadline_is_early, iterations_between_two_looks);
    KIND_ADD_TESTS(tcase, close_with_unfinished_tasks,
                   shutdown_goes_on_until_no_task_is_left);
    UVA_ADD_TESTS(tcase, sigint_is_a_code);
}

static void add_by_hand(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(tcase, equal_deadlines_run_in_order,
                  run_until_complete_of_null, wrong_thread_is_always_noticed);
}

static void add_tasks(TCase *tcase)
{
    KIND_ADD_TESTS(
        tcase, names_are_numbered_when_asked_for,
        body_that_returns_canceled_is_cancelled,
        body_that_returns_more_than_zero, impossible_await_returns_at_once,
        results_are_moved_out, null_is_a_failed_future,
        unseen_failure_is_told_by_the_last_reference,
        ring_of_tasks_can_be_cancelled, ring_by_way_of_gather_can_be_cancelled,
        empty_context_is_null);
}

static void add_waits(TCase *tcase)
{
    KIND_ADD_TESTS(tcase, gather_fills_each_place_of_a_duplicate);
    UVA_ADD_TESTS(tcase, gather_of_what_was_moved_out);
    KIND_ADD_TESTS(tcase, wait_keeps_the_order_of_its_arguments);
    UVA_ADD_TESTS(tcase, as_completed_keeps_the_order_of_its_arguments);
    KIND_ADD_TESTS(tcase, late_failure_behind_a_shield);
}

static void add_scopes(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, scope_costs_an_object);
    KIND_ADD_TESTS(tcase, group_cancels_in_order_of_creation,
                   group_of_failures_is_a_code);
    UVA_ADD_TESTS(tcase, exit_after_eager_children);
}

static void add_streams(TCase *tcase)
{
    UVA_ADD_TESTS(tcase, long_line_is_a_limit_overrun,
                  connection_ends_with_its_handler,
                  connections_beyond_the_most_wait);
}

int main(void)
{
    Suite *suite = suite_create("parity");

    add_loop(UVA_TCASE(suite, "Loop"));
    add_by_hand(UVA_TCASE(suite, "LoopByHand"));
    add_tasks(UVA_TCASE(suite, "Tasks"));
    add_waits(UVA_TCASE(suite, "Waits"));
    add_scopes(UVA_TCASE(suite, "Scopes"));
    add_streams(loops_case(UVA_TCASE(suite, "Streams")));
    return uva_test_main(suite);
}
