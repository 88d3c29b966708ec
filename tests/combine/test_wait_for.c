/*
 * wait_for: CPython's tests. Those that await a future or a task run with both
 * kinds of coroutine; a body that runs inside the wait needs a stack.
 */
#include "kinds.h"

/* Passes the check "timeout > 0", but has almost no effect. */
#define EPSILON UVA_US(100)

static char done[] = "done";

/* --- a task that ignores cancellation --- */

#define TASK_TIMEOUT UVA_MS(200)

KIND_TASK(void, slow_task, bool *exited; uint64_t exit_at; int r;)
{
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->exit_at = uva_loop_time(loop) + TASK_TIMEOUT;
    while (uva_loop_time(loop) < self->exit_at) {
        AWAIT(self->r, uva_sleep, self->exit_at - uva_loop_time(loop));
    }
    *self->exited = true;
    UVA_END
    return 0;
}

/* As wait_for of a coroutine: it runs in this task. */
KIND_TASK(void, wait_for_slow, bool *exited; uva_timeout_t timeout;
          slow_task_args_t sub;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_timeout_enter(&self->timeout, 2 * TASK_TIMEOUT), 0);
    self->sub.exited = self->exited;
    AWAIT(self->r, slow_task_call, &self->sub, NULL);
    self->r = uva_timeout_exit(&self->timeout, self->r);
    UVA_END
    return self->r;
}

KIND_TEST(asyncio_wait_for_cancelled, bool exited; wait_for_slow_task_t * task;
          uva_future_ref_t futures[1];
          int r;)
{
    /* test_waitfor.py, AsyncioWaitForTest.test_asyncio_wait_for_cancelled */
    UVA_BEGIN
    self->task = KIND_SPAWN(wait_for_slow, &self->exited);
    AWAIT(self->r, uva_sleep, 0);
    uva_task_cancel(UVA_ERASE(self->task));
    self->futures[0] = UVA_FUTURE(self->task);
    AWAIT_IS(1, uva_wait, self->futures, 1, UVA_FOREVER, UVA_ALL_COMPLETED,
             NULL, NULL);
    ck_assert(self->exited);
    uva_task_unref(UVA_ERASE(self->task));
    UVA_END
    return 0;
}

KIND_TEST(asyncio_wait_for_timeout, bool exited; slow_task_task_t * task;
          int r;)
{
    /* test_waitfor.py, AsyncioWaitForTest.test_asyncio_wait_for_timeout */
    UVA_BEGIN
    self->task = KIND_SPAWN(slow_task, &self->exited);
    AWAIT(self->r, uva_wait_for, UVA_FUTURE(self->task), TASK_TIMEOUT / 2,
          NULL);
    ck_assert(self->exited);
    /* It succeeded, late: its result wins. */
    ck_assert_int_eq(self->r, 0);
    UVA_END
    return 0;
}

/* --- a timeout of nothing --- */

KIND_TEST(wait_for_timeout_less_then_0_or_0_future_done, uva_future_t *fut;
          void *value;)
{
    /* test_waitfor.py,
     * AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0_future_done */
    UVA_BEGIN
    self->fut = uva_create_future();
    (void)uva_future_set_result(self->fut, done, NULL);
    uva_future_ref(self->fut);
    AWAIT_IS(0, uva_wait_for, self->fut, 0, &self->value);
    ck_assert_str_eq(self->value, "done");
    ck_assert(uva_future_done(self->fut));
    uva_future_unref(self->fut);
    UVA_END
    return 0;
}

static int note_start(void *arg, void **ret_result)
{
    (void)ret_result;
    *(bool *)arg = true;
    return 0;
}

UVA_TEST(wait_for_timeout_less_then_0_or_0_coroutine_do_not_started)
{
    /* test_waitfor.py, AsyncioWaitForTest.
     * test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started */
    bool foo_started = false;

    ck_assert_int_eq(
        uva_wait_for(UVA_FUTURE(uva_create_task(note_start, &foo_started)), 0,
                     NULL),
        UV_ETIMEDOUT);
    ck_assert(!foo_started);
}

KIND_TASK(void *, long_foo, bool *running; uva_future_t * started; int r;)
{
    UVA_BEGIN
    *self->running = true;
    (void)uva_future_set_result(self->started, NULL, NULL);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    *self->running = false;
    *ret = done;
    UVA_END
    return self->r;
}

static const struct {
    const char *name;
    uint64_t timeout_ns;
    bool begins; /* Before the wait. */
} too_long[] = {
    /* There are no negative durations. */
    /* test_waitfor.py, AsyncioWaitForTest: rows */
    {"wait_for_timeout_less_then_0_or_0", 0, true},
    {"wait_for", UVA_MS(100), false},
};

KIND_TEST(wait_too_long, uva_future_t *started; bool foo_running;
          long_foo_task_t * fut;
          int r;)
{
    UVA_BEGIN
    self->started = uva_create_future();
    self->fut = KIND_SPAWN(long_foo, &self->foo_running, self->started);
    if (UVA_ROW(too_long)->begins) {
        AWAIT(self->r, uva_await, self->started, NULL);
    }
    uva_task_ref(UVA_ERASE(self->fut));
    AWAIT_IS(UV_ETIMEDOUT, uva_wait_for, UVA_FUTURE(self->fut),
             UVA_ROW(too_long)->timeout_ns, NULL);
    ck_assert(uva_future_done(self->started));
    ck_assert(UVA_DONE(self->fut));
    ck_assert(UVA_CANCELLED(self->fut));
    ck_assert(!self->foo_running);
    uva_future_unref(self->started);
    uva_task_unref(UVA_ERASE(self->fut));
    UVA_END
    return 0;
}

/* --- in time --- */

static int return_done(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

UVA_TEST(wait_for_blocking)
{
    /* test_waitfor.py, AsyncioWaitForTest.test_wait_for_blocking */
    void *res = NULL;

    ck_assert_int_eq(
        uva_wait_for(UVA_FUTURE(uva_create_task(return_done, done)),
                     UVA_FOREVER, &res),
        0);
    ck_assert_str_eq(res, "done");
}

static void set_ok(void *data)
{
    ck_assert_int_eq(uva_future_set_result(data, done, NULL), 0);
}

KIND_TEST(wait_for_race_condition, uva_future_t *fut; void *res;)
{
    /* test_waitfor.py, AsyncioWaitForTest.test_wait_for_race_condition */
    UVA_BEGIN
    self->fut = uva_create_future();
    ck_assert_int_eq(uva_loop_call_soon(NULL, set_ok, self->fut, NULL, NULL),
                     0);
    AWAIT_IS(0, uva_wait_for, self->fut, UVA_MS(200), &self->res);
    ck_assert_str_eq(self->res, "done");
    UVA_END
    return 0;
}

/* --- bodies that do something about a cancellation --- */

static int swallow(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_SEC(1));

    ck_assert_int_eq(r, UV_ECANCELED);
    *ret_result = arg;
    return 0;
}

static const struct {
    const char *name;
    uint64_t timeout_ns;
} suppressed[] = {
    /* test_waitfor.py, AsyncioWaitForTest: rows */
    {"wait_for_cancellation_race_condition", UVA_MS(10)},
    {"wait_for_cancel_suppressed", UVA_MS(100)},
};

UVA_TEST(cancel_suppressed)
{
    uint64_t timeout_ns = UVA_ROW(suppressed)->timeout_ns;
    void *res = NULL;
    int r;

    UVA_TIMEOUT (r, timeout_ns) {
        r = swallow(done, &res);
    }
    ck_assert_int_eq(r, 0);
    ck_assert_ptr_eq(res, done);
    /* The same with a task. */
    res = NULL;
    ck_assert_int_eq(uva_wait_for(UVA_FUTURE(uva_create_task(swallow, done)),
                                  timeout_ns, &res),
                     0);
    ck_assert_ptr_eq(res, done);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
}

/* Takes its time when it is cancelled. */
KIND_TASK(void, slow_to_cancel, bool *task_done; int fails; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    if (self->r == UV_ECANCELED) {
        AWAIT(self->r, uva_sleep, EPSILON);
        self->r = self->fails;
    }
    *self->task_done = true;
    UVA_END
    return self->r;
}

static const struct {
    const char *name;
    uint64_t timeout_ns;
    bool begins; /* Before the wait. */
    int fails;   /* The answer to the cancellation. */
} answers[] = {
    /* test_waitfor.py, AsyncioWaitForTest: rows */
    {"wait_for_waits_for_task_cancellation", EPSILON, false, UV_ECANCELED},
    {"wait_for_waits_for_task_cancellation_w_timeout_0", 0, true, UV_ECANCELED},
    {"wait_for_reraises_exception_during_cancellation", EPSILON, false,
     CUSTOM_ERROR},
};

KIND_TEST(answer_to_cancellation, bool task_done;
          slow_to_cancel_task_t * inner_task;
          int r;)
{
    int fails = UVA_ROW(answers)->fails;

    UVA_BEGIN
    self->inner_task = KIND_SPAWN(slow_to_cancel, &self->task_done, fails);
    if (UVA_ROW(answers)->begins) {
        AWAIT(self->r, uva_sleep, EPSILON);
    }
    AWAIT(self->r, uva_wait_for, UVA_FUTURE(self->inner_task),
          UVA_ROW(answers)->timeout_ns, NULL);
    ck_assert_int_eq(self->r, fails == UV_ECANCELED ? UV_ETIMEDOUT : fails);
    ck_assert(self->task_done);
    UVA_END
    return 0;
}

/* --- cancelling the wait --- */

/* Keeps the future it blocks on: nobody else would. */
KIND_TASK(void, block_for_ever, uva_future_t *fut; int r;)
{
    UVA_BEGIN
    self->fut = uva_create_future();
    AWAIT(self->r, uva_join, self->fut, NULL);
    UVA_END
    return self->r;
}

KIND_TASK(void, wait_for_task, uva_task_t *take_task; uint64_t timeout_ns;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_wait_for, UVA_FUTURE(self->take_task), self->timeout_ns,
          NULL);
    UVA_END
    return self->r;
}

static const struct {
    const char *name;
    uint64_t timeout_ns;
} cancelled[] = {
    /* test_waitfor.py, AsyncioWaitForTest: rows */
    {"cancel_blocking_wait_for", UVA_FOREVER},
    {"cancel_wait_for", UVA_SEC(60)},
};

KIND_TEST(cancel_the_wait, block_for_ever_task_t *task;
          wait_for_task_task_t * wait;)
{
    UVA_BEGIN
    self->task = KIND_SPAWN(block_for_ever);
    uva_task_ref(UVA_ERASE(self->task));
    self->wait = KIND_SPAWN(wait_for_task, UVA_ERASE(self->task),
                            UVA_ROW(cancelled)->timeout_ns);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, uva_test_cancel, self->wait, NULL, NULL), 0);
    AWAIT_IS(UV_ECANCELED, uva_join, UVA_FUTURE(self->wait), NULL);
    /* Python issue #23219: it must cancel what it waits for as well. */
    ck_assert(UVA_CANCELLED(self->task));
    uva_task_unref(UVA_ERASE(self->task));
    UVA_END
    return 0;
}

KIND_TASK(void *, at_once)
{
    *ret = done;
    return 0;
}

KIND_TASK(void, wait_for_coro, uva_task_t *inner_task; bool *reached_end;
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_wait_for, uva_future_ref(UVA_FUTURE(self->inner_task)),
          UVA_SEC(100), NULL);
    if (self->r < 0) {
        return self->r;
    }
    AWAIT(self->r, uva_sleep, UVA_SEC(1));
    if (self->r < 0) {
        return self->r;
    }
    *self->reached_end = true;
    UVA_END
    return 0;
}

UVA_TEST(wait_for_issue86296)
{
    /* test_waitfor.py, AsyncioWaitForTest.test_wait_for_issue86296 */
    bool reached_end = false;
    wait_for_coro_task_t *task = NULL;
    void *value = NULL;
    at_once_task_t *inner_task = KIND_SPAWN(at_once);

    task = KIND_SPAWN(wait_for_coro, UVA_ERASE(inner_task), &reached_end);
    ck_assert(!UVA_DONE(task));
    ck_assert_int_eq(uva_sleep(0), 0); /* Run the task. */
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), UV_ECANCELED);
    ck_assert(UVA_DONE(inner_task));
    ck_assert_int_eq(at_once_await(inner_task, &value), 0);
    ck_assert_str_eq(value, "done");
    ck_assert(!reached_end);
}

/* --- of a typed task --- */

/* Larger than the pointer that an untyped result is. */
typedef struct wide_s {
    uint64_t words[3];
} wide_t;

KIND_TASK(wide_t, gives_wide, uint64_t delay_ns; int code; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    if (self->r < 0) {
        return self->r;
    }
    *ret = (wide_t){{1, 2, 3}};
    UVA_END
    return self->code;
}

KIND_TASK(char, gives_narrow, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    *ret = 'n';
    return self->r;
}

KIND_TEST(typed_result, gives_wide_task_t *wide_task; wide_t wide;
          gives_narrow_task_t * task;
          char narrow[2];
          int r;)
{
    UVA_BEGIN
    self->wide_task = KIND_SPAWN(gives_wide, UVA_MS(1));
    AWAIT_OP(self->r, gives_wide_wait_for, &self->ops.wait_for, self->wide_task,
             UVA_MS(2), &self->wide);
    ck_assert_int_eq(self->r, 0);
    ck_assert_uint_eq(self->wide.words[2], 3);
    /* Of one byte no more is written. */
    self->narrow[1] = '!';
    self->task = KIND_SPAWN(gives_narrow);
    AWAIT_OP(self->r, gives_narrow_wait_for, &self->ops.wait_for, self->task,
             UVA_FOREVER, &self->narrow[0]);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(self->narrow[0], 'n');
    ck_assert_int_eq(self->narrow[1], '!');
    /* One that is done needs no time, and none wants a result. */
    self->task = KIND_SPAWN(gives_narrow);
    AWAIT(self->r, uva_sleep, UVA_MS(1));
    uva_task_ref(UVA_ERASE(self->task));
    AWAIT_OP(self->r, gives_narrow_wait_for, &self->ops.wait_for, self->task, 0,
             NULL);
    ck_assert_int_eq(self->r, 0);
    self->narrow[0] = 0;
    AWAIT_OP(self->r, gives_narrow_wait_for, &self->ops.wait_for, self->task, 0,
             &self->narrow[0]);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(self->narrow[0], 'n');
    UVA_END
    return 0;
}

KIND_TASK(wide_t, ends_all_the_same, int r;)
{
    UVA_BEGIN
    AWAIT_IS(UV_ECANCELED, uva_sleep, UVA_SEC(1));
    AWAIT(self->r, uva_sleep, UVA_MS(1));
    UVA_END
    *ret = (wide_t){{4, 5, 6}};
    return self->r;
}

/* What ends well when it is cancelled has its result, late. */
KIND_TEST(typed_late_result, ends_all_the_same_task_t *task; int i; wide_t wide;
          int r;)
{
    UVA_BEGIN
    for (; self->i < 2; self->i++) {
        self->wide = (wide_t){{0}};
        self->task = KIND_SPAWN(ends_all_the_same);
        AWAIT(self->r, uva_sleep, 0);
        AWAIT_OP(self->r, ends_all_the_same_wait_for, &self->ops.wait_for,
                 self->task, self->i == 0 ? 0 : UVA_MS(1), &self->wide);
        ck_assert_int_eq(self->r, 0);
        ck_assert_uint_eq(self->wide.words[0], 4);
        ck_assert_uint_eq(self->wide.words[2], 6);
    }
    UVA_END
    return 0;
}

KIND_TEST(typed_timeout, wide_t wide; uint64_t timeout_ns;
          gives_wide_task_t * task;
          int r;)
{
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->wide.words[0] = 77;
    for (; self->timeout_ns <= UVA_MS(1); self->timeout_ns += UVA_MS(1)) {
        self->task = KIND_SPAWN(gives_wide, UVA_SEC(1));
        uva_task_ref(UVA_ERASE(self->task));
        AWAIT_OP(self->r, gives_wide_wait_for, &self->ops.wait_for, self->task,
                 self->timeout_ns, &self->wide);
        ck_assert_int_eq(self->r, UV_ETIMEDOUT);
        ck_assert(UVA_CANCELLED(self->task));
        ck_assert_uint_eq(uva_loop_time(loop), self->timeout_ns);
        ck_assert_uint_eq(self->wide.words[0], 77);
        ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
        uva_task_unref(UVA_ERASE(self->task));
    }
    UVA_END
    return 0;
}

KIND_TEST(typed_failure, gives_wide_task_t *task; wide_t wide; int r;)
{
    UVA_BEGIN
    self->wide.words[0] = 77;
    self->task = KIND_SPAWN(gives_wide, UVA_MS(1), VALUE_ERROR);
    AWAIT_OP(self->r, gives_wide_wait_for, &self->ops.wait_for, self->task,
             UVA_MS(2), &self->wide);
    ck_assert_int_eq(self->r, VALUE_ERROR);
    AWAIT_OP(self->r, gives_wide_wait_for, &self->ops.wait_for, NULL, UVA_MS(2),
             &self->wide);
    ck_assert_int_eq(self->r, UV_ENOMEM);
    ck_assert_uint_eq(self->wide.words[0], 77);
    UVA_END
    return 0;
}

KIND_TASK(wide_t, waits_for_wide, gives_wide_task_t *take_task; int r;)
{
    UVA_BEGIN
    AWAIT_OP(self->r, gives_wide_wait_for, &self->ops.wait_for, self->take_task,
             UVA_SEC(10), ret);
    UVA_END
    return self->r;
}

UVA_TEST(typed_cancelled)
{
    waits_for_wide_task_t *waits = NULL;
    gives_wide_task_t *task = KIND_SPAWN(gives_wide, UVA_SEC(1));

    uva_task_ref(UVA_ERASE(task));
    waits = KIND_SPAWN(waits_for_wide, task);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert(uva_task_cancel(UVA_ERASE(waits)));
    ck_assert_int_eq(waits_for_wide_await(waits, NULL), UV_ECANCELED);
    ck_assert(UVA_CANCELLED(task));
    uva_task_unref(UVA_ERASE(task));
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), UVA_MS(1));
}

static void wait_in_callback(void *data)
{
    gives_wide_task_t *task = uva_spawn(gives_wide);
    uva_wait_for_op_t op = {.stage = 0};

    uva_task_ref(UVA_ERASE(task));
    ck_assert_int_eq(gives_wide_wait_for(task, UVA_SEC(1), NULL), UVA_ENOTASK);
    ck_assert_int_eq(gives_wide_wait_for_poll(&op, task, UVA_SEC(1), NULL),
                     UVA_ENOTASK);
    *(bool *)data = true;
}

/* It takes the reference all the same: nothing is left. */
UVA_TEST(typed_in_no_task)
{
    bool called = false;

    ck_assert_int_eq(
        uva_loop_call_soon(NULL, wait_in_callback, &called, NULL, NULL), 0);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert(called);
}

/* --- with a shield --- */

KIND_TASK(void *, sleep_done, uint64_t delay_ns; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    *ret = done;
    UVA_END
    return self->r;
}

static const struct {
    const char *name;
    uint64_t delay_ns;
    uint64_t timeout_ns;
    int code;
    bool outlived; /* The task ends in the background before it is awaited. */
} shielded[] = {
    /* test_waitfor.py, WaitForShieldTests: rows */
    {"zero_timeout", UVA_MS(10), 0, UV_ETIMEDOUT, true},
    {"none_timeout", UVA_MS(100), UVA_FOREVER, 0, false},
    {"shielded_timeout", UVA_MS(100), UVA_MS(10), UV_ETIMEDOUT, false},
};

KIND_TEST(wait_for_shielded, sleep_done_task_t *task; uva_future_t * shield;
          void *value;
          int r;)
{
    bool late = UVA_ROW(shielded)->code != 0;

    UVA_BEGIN
    self->task = KIND_SPAWN(sleep_done, UVA_ROW(shielded)->delay_ns);
    self->shield = uva_shield_future(UVA_FUTURE(self->task));
    uva_future_ref(self->shield);
    AWAIT_IS(UVA_ROW(shielded)->code, uva_wait_for, self->shield,
             UVA_ROW(shielded)->timeout_ns, NULL);
    ck_assert_int_eq(UVA_DONE(self->task), !late);
    ck_assert(!UVA_CANCELLED(self->task));
    ck_assert_int_eq(uva_future_cancelled(self->shield), late);
    uva_future_unref(self->shield);
    if (UVA_ROW(shielded)->outlived) {
        AWAIT(self->r, uva_sleep, UVA_MS(100));
        ck_assert(UVA_DONE(self->task));
    }
    AWAIT_IS(0, sleep_done_await, self->task, &self->value);
    ck_assert_str_eq(self->value, "done");
    UVA_END
    return 0;
}

/* --- what it takes --- */

static void drop_result(void *value)
{
    ++*(int *)value;
}

/* The reference is taken on success, failure and refusal, and what was moved
 * out is not destroyed. */
UVA_TEST(wait_for_takes_the_reference)
{
    int destroyed = 0;
    void *value = NULL;
    uva_future_t *future = uva_create_future();

    (void)uva_future_set_result(future, &destroyed, drop_result);
    ck_assert_int_eq(uva_wait_for(future, UVA_SEC(1), &value), 0);
    ck_assert_ptr_eq(value, &destroyed);
    ck_assert_int_eq(destroyed, 0);

    future = uva_create_future();
    (void)uva_future_set_result(future, &destroyed, drop_result);
    ck_assert_int_eq(uva_wait_for(future, UVA_SEC(1), NULL), 0);
    ck_assert_int_eq(destroyed, 1); /* Nobody wanted it. */

    future = uva_create_future();
    (void)uva_future_set_exception(future, KEY_ERROR, "no key");
    ck_assert_int_eq(uva_wait_for(future, 0, &value), KEY_ERROR);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "no key");

    ck_assert_int_eq(uva_wait_for(NULL, UVA_SEC(1), &value), UV_ENOMEM);
    ck_assert_int_eq(uva_wait_for(NULL, 0, &value), UV_ENOMEM);
    ck_assert_int_eq(uva_wait_for(uva_future_refused(UV_EAGAIN), 0, &value),
                     UV_EAGAIN);
}

static int typed_without_memory(uint64_t timeout_ns)
{
    gives_wide_task_t *task = uva_spawn(gives_wide, UVA_SEC(1));
    int r;

    if (task == NULL) {
        return UV_ENOMEM;
    }
    uva_task_ref(UVA_ERASE(task));
    r = gives_wide_wait_for(task, timeout_ns, NULL);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    /* One that could not be waited for goes on. */
    ck_assert(r == UV_ENOMEM || UVA_DONE(task));
    (void)uva_task_cancel(UVA_ERASE(task));
    while (!UVA_DONE(task)) {
        UVA_IGNORE(uva_sleep(0));
    }
    uva_task_unref(UVA_ERASE(task));
    return r == UV_ETIMEDOUT ? 0 : r;
}

static int wait_without_memory(uint64_t timeout_ns)
{
    uva_future_t *future = uva_create_future();
    int r;

    if (future == NULL) {
        return UV_ENOMEM;
    }
    uva_future_ref(future);
    r = uva_wait_for(future, timeout_ns, NULL);
    ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
    uva_future_unref(future);
    return r == UV_ETIMEDOUT ? 0 : r;
}

UVA_TEST_STRICT(wait_for_oom)
{
    /* What the task and the loop keep once they have it. */
    ck_assert_int_eq(wait_without_memory(UVA_MS(10)), 0);
    UVA_OOM_TEST(wait_without_memory(UVA_MS(10)));
    UVA_OOM_TEST(wait_without_memory(0));
    ck_assert_int_eq(typed_without_memory(UVA_MS(10)), 0);
    UVA_OOM_TEST(typed_without_memory(UVA_MS(10)));
    UVA_OOM_TEST(typed_without_memory(0));
}

/* --- the suite --- */

static void add_cancelling(TCase *tcase)
{
    UVA_ADD_TABLE(tcase, cancel_suppressed, suppressed);
    KIND_ADD_TABLE(tcase, answer_to_cancellation, answers);
    KIND_ADD_TABLE(tcase, cancel_the_wait, cancelled);
    KIND_ADD_TESTS(tcase, asyncio_wait_for_cancelled, asyncio_wait_for_timeout,
                   wait_for_issue86296);
}

int main(void)
{
    Suite *suite = suite_create("wait_for");
    TCase *timeout = UVA_TCASE(suite, "Timeout");
    TCase *typed = UVA_TCASE(suite, "Typed");
    TCase *shield = UVA_TCASE(suite, "Shield");
    TCase *ownership = UVA_TCASE(suite, "Ownership");

    KIND_ADD_TESTS(timeout, wait_for_timeout_less_then_0_or_0_future_done);
    UVA_ADD_TESTS(timeout,
                  wait_for_timeout_less_then_0_or_0_coroutine_do_not_started);
    KIND_ADD_TABLE(timeout, wait_too_long, too_long);
    UVA_ADD_TESTS(timeout, wait_for_blocking);
    KIND_ADD_TESTS(timeout, wait_for_race_condition);
    add_cancelling(UVA_TCASE(suite, "Cancelling"));
    KIND_ADD_TESTS(typed, typed_result, typed_late_result, typed_timeout,
                   typed_failure, typed_cancelled);
    UVA_ADD_TESTS(typed, typed_in_no_task);
    KIND_ADD_TABLE(shield, wait_for_shielded, shielded);
    UVA_ADD_TESTS(ownership, wait_for_takes_the_reference, wait_for_oom);
    return uva_test_main(suite);
}
