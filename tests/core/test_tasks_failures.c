/*
 * Failures of tasks: what they carry, and what refuses to wait.
 */
#include "kinds.h"

#include <string.h>

/* --- texts and causes --- */

KIND_TASK(int, fails, int code; const char *text;)
{
    return self->text == NULL ? self->code
                              : uva_fail(self->code, "%s", self->text);
}

/* Awaits a task that fails, and ends with a code of its own, or that one. */
KIND_TASK(int, passes, uva_task_t *child; int code; const char *text; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_join, UVA_FUTURE(self->child), NULL);
    UVA_END
    if (self->code == 0) {
        return self->r;
    }
    return self->text == NULL ? self->code
                              : uva_fail(self->code, "%s", self->text);
}

static const uva_error_t *error_of(uva_task_t *task, int code)
{
    ck_assert_int_eq(hand_run(task), code);
    return uva_future_error(UVA_FUTURE(task));
}

KIND_LOOP_TEST(failure_without_words)
{
    uva_task_t *task = KIND_ERASED(fails, .code = UV_EIO);

    ck_assert_ptr_null(error_of(task, UV_EIO));
    ck_assert_int_eq(uva_error_code(NULL), 0);
    ck_assert_str_eq(uva_error_text(NULL), "no details");
    ck_assert_ptr_null(uva_error_cause(NULL));
    ck_assert_uint_eq(uva_error_member_count(NULL), 0);
    ck_assert_ptr_null(uva_error_member(NULL, 0));
    ck_assert_ptr_null(uva_error_ref(NULL));
    ck_assert_ptr_null(uva_error_unref(NULL));
    uva_task_unref(task);
}

KIND_LOOP_TEST(failure_with_text)
{
    uva_task_t *task =
        KIND_ERASED(fails, .code = RUNTIME_ERROR, .text = "no such page");
    const uva_error_t *error = error_of(task, RUNTIME_ERROR);
    uva_error_t *kept;

    ck_assert_int_eq(uva_error_code(error), RUNTIME_ERROR);
    ck_assert_str_eq(uva_error_text(error), "no such page");
    ck_assert_ptr_null(uva_error_cause(error));
    kept = uva_error_ref(error);
    uva_task_unref(task);
    ck_assert_str_eq(uva_error_text(kept), "no such page");
    ck_assert_ptr_null(uva_error_unref(kept));
}

KIND_LOOP_TEST(failure_passed_on)
{
    /* The text is that of whoever failed first, at any depth. */
    uva_task_t *task = KIND_ERASED(fails, .code = UV_EIO, .text = "disk");
    const uva_error_t *error;

    for (int i = 0; i < 5; i++) {
        task = KIND_ERASED(passes, .child = task);
    }
    error = error_of(task, UV_EIO);
    ck_assert_str_eq(uva_error_text(error), "disk");
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_nonnull(error);
        ck_assert_int_eq(uva_error_code(error), UV_EIO);
        error = uva_error_cause(error);
    }
    ck_assert_str_eq(uva_error_text(error), "disk");
    ck_assert_ptr_null(uva_error_cause(error));
    uva_task_unref(task);
}

KIND_LOOP_TEST(failure_turned)
{
    /* Another code with a text keeps what was awaited as its cause; a bare
     * code says that the failure was dealt with. */
    uva_task_t *task = KIND_ERASED(
        passes,
        .child = KIND_ERASED(fails, .code = UV_ENOENT, .text = "config"),
        .code = CUSTOM_ERROR, .text = "cannot start");
    const uva_error_t *error = error_of(task, CUSTOM_ERROR);

    ck_assert_int_eq(uva_error_code(error), CUSTOM_ERROR);
    ck_assert_str_eq(uva_error_text(error), "cannot start");
    error = uva_error_cause(error);
    ck_assert_int_eq(uva_error_code(error), UV_ENOENT);
    ck_assert_str_eq(uva_error_text(error), "config");
    uva_task_unref(task);

    task = KIND_ERASED(
        passes,
        .child = KIND_ERASED(fails, .code = UV_ENOENT, .text = "config"),
        .code = CUSTOM_ERROR);
    ck_assert_ptr_null(error_of(task, CUSTOM_ERROR));
    uva_task_unref(task);
}

KIND_TASK(int, survives, uva_task_t *child; int r;)
{
    UVA_BEGIN
    AWAIT_IS(UV_EIO, uva_join, UVA_FUTURE(self->child), NULL);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "first");
    self->child = KIND_ERASED(fails, .code = UV_EIO);
    AWAIT(self->r, uva_join, UVA_FUTURE(self->child), NULL);
    ck_assert_int_eq(self->r, UV_EIO);
    ck_assert_ptr_null(uva_task_error());
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(failure_forgotten)
{
    /* A bare failure does not inherit the words of an earlier one. */
    uva_task_t *task = KIND_ERASED(
        survives, .child = KIND_ERASED(fails, .code = UV_EIO, .text = "first"));

    ck_assert_ptr_null(error_of(task, UV_EIO));
    uva_task_unref(task);
}

KIND_TASK(int, raises, uva_task_t *child; uva_error_t * kept; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_join, UVA_FUTURE(self->child), NULL);
    self->kept = uva_error_ref(uva_task_error());
    AWAIT_IS(0, uva_sleep, 0);
    self->r = uva_raise(self->kept);
    uva_error_unref(self->kept);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(failure_raised_again)
{
    uva_task_t *child = KIND_ERASED(fails, .code = UV_EIO, .text = "kept");
    uva_task_t *task = KIND_ERASED(raises, .child = uva_task_ref(child));
    const uva_error_t *error = error_of(task, UV_EIO);

    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_eq(error, uva_future_error(UVA_FUTURE(child)));
    uva_task_unref(task);
    uva_task_unref(child);
    ck_assert_int_eq(uva_raise(NULL), UV_EINVAL);
}

KIND_TASK(int, looks, uva_task_t *child; bool as_exception; int r;)
{
    UVA_BEGIN
    AWAIT_IS(1, uva_wait, UVA_FUTURES(&self->child), 1, UVA_FOREVER,
             UVA_ALL_COMPLETED, NULL, NULL);
    self->r = self->as_exception
                  ? uva_future_exception(UVA_FUTURE(self->child))
                  : uva_future_result(UVA_FUTURE(self->child), NULL);
    uva_task_unref(self->child);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(failure_looked_at)
{
    /* Not awaited, but asked for: it is the task's all the same. */
    for (int i = 0; i < 2; i++) {
        uva_task_t *task = KIND_ERASED(
            looks, .child = KIND_ERASED(fails, .code = UV_EIO, .text = "seen"),
            .as_exception = i == 1);
        ck_assert_str_eq(uva_error_text(error_of(task, UV_EIO)), "seen");
        uva_task_unref(task);
    }
}

KIND_TASK(int, gathers, uva_task_t *tasks[2]; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_gather, UVA_FUTURES(self->tasks), 2, 0, NULL);
    UVA_END
    return self->r;
}

KIND_TASK(int, shields, uva_task_t *child; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_shield, UVA_FUTURE(self->child), NULL);
    uva_task_unref(self->child);
    UVA_END
    return self->r;
}

KIND_TASK(int, waits_for, uva_task_t *child; uint64_t timeout_ns; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_wait_for, UVA_FUTURE(self->child), self->timeout_ns,
          NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(failure_through_others)
{
    for (int i = 0; i < 3; i++) {
        uva_task_t *child = KIND_ERASED(fails, .code = UV_EIO, .text = "below");
        uva_task_t *task =
            i == 0
                ? KIND_ERASED(gathers,
                              .tasks = {KIND_ERASED(fails, .code = 0), child})
            : i == 1 ? KIND_ERASED(shields, .child = child)
                     : KIND_ERASED(waits_for, .child = child,
                                   .timeout_ns = UVA_SEC(1));
        ck_assert_str_eq(uva_error_text(error_of(task, UV_EIO)), "below");
        uva_task_unref(task);
    }
}

KIND_LOOP_TEST(texts_of_any_length)
{
    char text[5000];
    uva_task_t *task;

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    task = KIND_ERASED(fails, .code = UV_EIO, .text = text);
    ck_assert_str_eq(uva_error_text(error_of(task, UV_EIO)), text);
    uva_task_unref(task);
    task = KIND_ERASED(fails, .code = UV_EIO, .text = "");
    ck_assert_str_eq(uva_error_text(error_of(task, UV_EIO)), "");
    uva_task_unref(task);
    /* Outside every task there is nobody to tell. */
    ck_assert_int_eq(uva_fail(UV_EIO, "%d", 1), UV_EIO);
    ck_assert_ptr_null(uva_task_error());
}

KIND_LOOP_TEST(codes_that_are_none)
{
    /* A body that ended did not mean to say that it waits. */
    uva_task_t *task = KIND_ERASED(fails, .code = UVA_EUSER - 1000);

    ck_assert_int_eq(hand_run_take(task), UVA_EUSER - 1000);
    task = KIND_ERASED(fails, .code = 7); /* Success, as any that is not < 0. */
    ck_assert_int_eq(hand_run(task), 7);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
}

/* --- futures that are none --- */

static void never(uva_future_t *future, void *data)
{
    (void)future;
    (void)data;
    ck_abort_msg("called");
}

/* The functions that do not wait, with a future that has failed already. */
static void check_failed_future(uva_future_t *future, int code)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    void *result = &options;

    ck_assert_ptr_eq(uva_future_ref(future), future);
    ck_assert_ptr_null(uva_future_unref(future));
    ck_assert_ptr_null(uva_future_unref(future));
    ck_assert(uva_future_done(future));
    ck_assert(!uva_future_cancelled(future));
    ck_assert(!(uva_future_task(future) != NULL));
    ck_assert_ptr_null(uva_future_task(future));
    ck_assert_ptr_null(uva_future_get_loop(future));
    ck_assert_int_eq(uva_future_result(future, &result), code);
    ck_assert_ptr_eq(result, &options);
    ck_assert_int_eq(uva_future_exception(future), code);
    ck_assert_ptr_null(uva_future_error(future));
    ck_assert(!uva_future_cancel(future));
    ck_assert(!uva_future_cancel_message(future, "no"));
    ck_assert_ptr_null(uva_future_get_cancel_message(future));
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_future_set_exception(future, UV_EIO, "no"),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_future_set_error(future, NULL), UVA_EINVALIDSTATE);
    ck_assert_int_lt(uva_future_add_done_callback(future, never, NULL, NULL),
                     0);
    ck_assert_uint_eq(uva_future_remove_done_callback(future, never, NULL), 0);
    ck_assert_int_lt(uva_future_add_to_awaited_by(future, NULL), 0);
    uva_future_discard_from_awaited_by(future, NULL);
}

static void check_failed_task(uva_task_t *task)
{
    ck_assert_ptr_eq(uva_task_ref(task), task);
    ck_assert_ptr_null(uva_task_unref(task));
    ck_assert_ptr_eq(UVA_FUTURE(task), UVA_FUTURE(task));
    ck_assert_ptr_null(uva_future_get_loop(UVA_FUTURE(task)));
    ck_assert(!uva_task_cancel(task));
    ck_assert(!uva_future_cancel_message(UVA_FUTURE(task), "no"));
    ck_assert_uint_eq(uva_task_cancelling(task), 0);
    ck_assert_uint_eq(uva_task_uncancel(task), 0);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert(!uva_future_cancelled(UVA_FUTURE(task)));
    ck_assert_str_eq(uva_task_get_name(task), "");
    ck_assert_int_eq(uva_task_set_name(task, "no"), UV_ENOMEM);
    ck_assert_str_eq(uva_task_get_coro(task), "?");
    ck_assert_ptr_null(uva_task_get_context(task));
}

static const int refusals[] = {
    UV_ENOMEM,  UVA_ENOLOOP,    UV_EPERM,    UV_EAGAIN,         UV_EINVAL,
    UV_ENOTSUP, UVA_EWRONGLOOP, UVA_ENOTASK, UVA_EINVALIDSTATE,
};
#define REFUSALS (int)(sizeof refusals / sizeof refusals[0])

START_TEST(refused_futures)
{
    uva_future_t *future = uva_future_refused(refusals[_i]);
    uva_future_t *same = uva_future_refused(refusals[_i]);

    ck_assert_ptr_eq(future, same);
    ck_assert_int_eq(future == NULL, refusals[_i] == UV_ENOMEM);
    check_failed_future(future, refusals[_i]);
    check_failed_task((uva_task_t *)(void *)future);
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, future, NULL),
                     refusals[_i]);
    ck_assert_ptr_eq(uva_shield_future(future), future);
}
END_TEST

KIND_TASK(int, awaits_refused, uva_future_t *future; uva_future_t * pair[2];
          uva_future_t * done[2];
          uva_as_completed_t iterator;
          uva_future_t * next;
          void *result;
          uva_result_t told;
          int code;
          int r;)
{
    UVA_BEGIN
    AWAIT_IS(self->code, uva_await, self->future, &self->result);
    AWAIT_IS(self->code, uva_join, self->future, &self->result);
    AWAIT_IS(self->code, uva_shield, self->future, &self->result);
    AWAIT_IS(self->code, uva_wait_for, self->future, UVA_SEC(1), &self->result);
    AWAIT_IS(self->code, uva_wait_for, self->future, 0, &self->result);
    AWAIT_IS(0, uva_cancel_and_wait, self->future);
    AWAIT_IS(self->code, uva_gather, &self->future, 1, 0, &self->result);
    AWAIT_IS(0, uva_gather, &self->future, 1, UVA_RETURN_EXCEPTIONS,
             &self->told);
    ck_assert_int_eq(self->told.status, self->code);
    ck_assert_ptr_null(self->told.value);
    self->pair[0] = self->pair[1] = self->future;
    AWAIT_IS(2, uva_wait, self->pair, 2, UVA_FOREVER, UVA_ALL_COMPLETED,
             self->done, NULL);
    ck_assert_ptr_eq(self->done[0], self->future);
    AWAIT_IS(2, uva_wait, self->pair, 2, UVA_FOREVER, UVA_FIRST_EXCEPTION, NULL,
             NULL);
    self->r = uva_as_completed_start(&self->iterator, self->pair, 2, 0);
    ck_assert_int_eq(self->r, 0);
    self->next = (uva_future_t *)(void *)self;
    AWAIT_IS(1, uva_as_completed_next, &self->iterator, &self->next);
    ck_assert_ptr_eq(self->next, self->future);
    uva_as_completed_destroy(&self->iterator);
    UVA_END
    ck_assert_ptr_null(self->result);
    return 0;
}

KIND_LOOP_TEST(awaiting_refused_futures)
{
    for (int i = 0; i < REFUSALS; i++) {
        uva_task_t *task =
            KIND_ERASED(awaits_refused, .code = refusals[i],
                        .future = uva_future_refused(refusals[i]));
        ck_assert_int_eq(hand_run_take(task), 0);
    }
}

/* --- nothing can suspend here --- */

static int plain_nothing(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

/* Each call that waits, where none may; those that take a reference take it
 * all the same. */
static void check_no_task(uva_future_t *future, int expected)
{
    uva_attempt_t attempt = {plain_nothing, NULL};
    uva_as_completed_t iterator = {NULL};
    uva_taskgroup_t group;
    uva_future_t *next;

    ck_assert_int_eq(uva_sleep(1), expected);
    ck_assert_int_eq(uva_sleep(0), expected);
    ck_assert_int_eq(uva_await(future, NULL), expected);
    ck_assert_int_eq(uva_join(uva_future_ref(future), NULL), expected);
    ck_assert_int_eq(uva_shield(future, NULL), expected);
    ck_assert_int_eq(uva_cancel_and_wait(future), expected);
    ck_assert_int_eq(
        uva_wait(&future, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL, NULL),
        expected);
    ck_assert_int_eq(uva_wait_for(uva_future_ref(future), UVA_SEC(1), NULL),
                     expected);
    uva_future_ref(future);
    ck_assert_int_eq(uva_gather(&future, 1, 0, NULL), expected);
    ck_assert_int_eq(uva_as_completed_next(&iterator, &next), expected);
    ck_assert_int_eq(uva_staggered_race(&attempt, 1, UVA_FOREVER, NULL, NULL),
                     expected);
    if (uva_current_task() == NULL) {
        ck_assert_int_eq(uva_taskgroup_enter(&group), expected);
        ck_assert_int_eq(uva_taskgroup_exit(&group, 0), expected);
    } else {
        ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
        ck_assert_int_eq(uva_taskgroup_exit(&group, 0), expected);
        ck_assert_int_eq(uva_taskgroup_exit_poll(&group, 0), 0);
    }
    ck_assert_int_eq(uva_coroutine_yield(NULL, NULL), expected);
    ck_assert(!uva_future_done(future));
}

static void check_no_poll(uva_future_t *future)
{
    union {
        uva_sleep_op_t sleep;
        uva_gather_op_t gather;
        uva_wait_op_t wait;
        uva_wait_for_op_t wait_for;
        uva_shield_op_t shield;
    } op;
    uva_as_completed_t iterator = {NULL};
    uva_future_t *next;

    memset(&op, 0, sizeof op);
    ck_assert_int_eq(uva_yield_poll(), UVA_ENOTASK);
    ck_assert_int_eq(uva_sleep_poll(&op.sleep, 1), UVA_ENOTASK);
    ck_assert_int_eq(uva_await_poll(future, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_join_poll(uva_future_ref(future), NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_shield_poll(&op.shield, future, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_cancel_and_wait_poll(&op.wait, future), UVA_ENOTASK);
    ck_assert_int_eq(uva_wait_poll(&op.wait, &future, 1, UVA_FOREVER,
                                   UVA_ALL_COMPLETED, NULL, NULL),
                     UVA_ENOTASK);
    ck_assert_int_eq(uva_wait_for_poll(&op.wait_for, uva_future_ref(future),
                                       UVA_SEC(1), NULL),
                     UVA_ENOTASK);
    uva_future_ref(future);
    ck_assert_int_eq(uva_gather_poll(&op.gather, &future, 1, 0, NULL),
                     UVA_ENOTASK);
    ck_assert_int_eq(uva_as_completed_next_poll(&iterator, &next), UVA_ENOTASK);
}

static void call_where_no_task_is(void *data)
{
    check_no_task(data, UVA_ENOTASK);
    check_no_poll(data);
}

START_TEST(no_task_outside)
{
    uva_future_t *future = hand_future();

    check_no_task(future, UVA_ENOTASK);
    check_no_poll(future);
    uva_future_unref(future);
}
END_TEST

START_TEST(no_task_in_callback)
{
    uva_future_t *future = hand_future();

    ck_assert_int_eq(uva_loop_call_soon(uva_test_loop, call_where_no_task_is,
                                        future, NULL, NULL),
                     0);
    hand_run_ready();
    uva_future_unref(future);
}
END_TEST

UVA_STACKLESS(int, calls_stackful_forms, uva_future_t *future;)
{
    check_no_task(self->future, UVA_ENOTASK);
    *ret = 0;
    return 0;
}

START_TEST(no_stack_in_stackless)
{
    calls_stackful_forms_args_t args = {.future = hand_future()};
    uva_task_t *task =
        UVA_ERASE(calls_stackful_forms_spawn(args, ON_LOOP(uva_test_loop)));

    ck_assert_int_eq(hand_run_take(task), 0);
    uva_future_unref(args.future);
}
END_TEST

/* --- futures of another loop --- */

KIND_TASK(int, awaits_foreign, uva_future_t *future; uva_as_completed_t it;
          int r;)
{
    UVA_BEGIN
    AWAIT_IS(UVA_EWRONGLOOP, uva_await, self->future, NULL);
    AWAIT_IS(UVA_EWRONGLOOP, uva_join, uva_future_ref(self->future), NULL);
    AWAIT_IS(UVA_EWRONGLOOP, uva_shield, self->future, NULL);
    uva_future_ref(self->future);
    AWAIT_IS(UVA_EWRONGLOOP, uva_wait_for, self->future, UVA_SEC(1), NULL);
    uva_future_ref(self->future);
    AWAIT_IS(UVA_EWRONGLOOP, uva_wait_for, self->future, 0, NULL);
    AWAIT_IS(UVA_EWRONGLOOP, uva_cancel_and_wait, self->future);
    AWAIT_IS(UVA_EWRONGLOOP, uva_wait, &self->future, 1, UVA_FOREVER,
             UVA_ALL_COMPLETED, NULL, NULL);
    uva_future_ref(self->future);
    AWAIT_IS(UVA_EWRONGLOOP, uva_gather, &self->future, 1, 0, NULL);
    self->r = uva_as_completed_start(&self->it, &self->future, 1, 0);
    ck_assert_int_eq(self->r, UVA_EWRONGLOOP);
    UVA_END
    return 0;
}

KIND_LOOP_TEST(wrong_loop)
{
    uva_loop_t *other = new_loop();
    uva_future_t *future = uva_loop_create_future(other);

    ck_assert_int_eq(
        hand_run_take(KIND_ERASED(awaits_foreign, .future = future)), 0);
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, future, NULL),
                     UVA_EWRONGLOOP);
    ck_assert(!uva_future_done(future));
    ck_assert(!hand_has_callbacks(future));
    uva_future_unref(future);
    end_loop(other);
}

/* --- failures that a cancelled task has seen --- */

KIND_TASK(int, awaits_future, uva_future_t *future; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->future, NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(failure_seen_by_a_cancelled_task)
{
    /* asyncio: tasks.py, Task.__wakeup asks the future for its result before
     * the step tells of the cancellation: nobody reports the failure. The
     * child is done already, so that the gathering future is not cancelled. */
    uva_future_t *child = hand_future();
    uva_future_ref_t children[] = {uva_future_ref(child)};
    uva_future_t *outer = uva_gather_future(children, 1, 0);
    uva_task_t *task = KIND_ERASED(awaits_future, .future = outer);

    hand_briefly();
    (void)uva_future_set_exception(child, UV_EIO, NULL);
    ck_assert(uva_task_cancel(task));
    ck_assert_int_eq(hand_run_take(task), UV_ECANCELED);
    ck_assert(!uva_future_cancelled(outer));
    uva_test_log_begin();
    uva_future_unref(outer);
    uva_future_unref(child);
    hand_briefly();
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
}

int main(void)
{
    Suite *suite = suite_create("tasks_failures");
    TCase *error = UVA_TCASE(suite, "Error");
    TCase *refused = UVA_TCASE(suite, "Refused");
    TCase *awaiting = UVA_TCASE(suite, "AwaitRefused");
    TCase *nowhere = UVA_TCASE(suite, "NoTask");

    KIND_ADD_TESTS(error, failure_without_words, failure_with_text,
                   failure_passed_on, failure_turned, failure_forgotten,
                   failure_raised_again, failure_looked_at,
                   failure_through_others, texts_of_any_length,
                   codes_that_are_none, failure_seen_by_a_cancelled_task);
    tcase_add_checked_fixture(refused, uva_test_loop_setup,
                              uva_test_loop_teardown);
    tcase_add_loop_test(refused, refused_futures, 0, REFUSALS);
    KIND_ADD_TESTS(awaiting, awaiting_refused_futures, wrong_loop);
    tcase_add_checked_fixture(nowhere, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(nowhere, no_task_outside, no_task_in_callback,
                  no_stack_in_stackless);
    return uva_test_main(suite);
}
