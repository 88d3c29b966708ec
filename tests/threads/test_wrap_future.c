/*
 * Futures and tasks of one loop, awaited in another.
 */
#include "loops.h"

#include <stdatomic.h>
#include <stdio.h>

#include <uv.h>

static atomic_int freed;

static void count_freed(void *value)
{
    (void)value;
    atomic_fetch_add(&freed, 1);
}

/* The foreign loop, which another thread runs until it is told to end. */
typedef struct foreign_s {
    uva_future_t *future; /* A reference for the loop that waits. */
    uv_sem_t ready;
    uva_coro_cb body;  /* Of the task to wait for. */
    atomic_bool heard; /* The loop that waits knows: the run may end. */
    bool ends;         /* The run ends before the task. */
    bool cancelled;    /* How the task ended. */
} foreign_t;

static int run_result(void *arg, void **ret_result)
{
    int r = uva_sleep(UVA_MS(1));

    *ret_result = arg;
    return r;
}

static int run_failure(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_fail(UV_EIO, "the disk is full");
}

static int run_forever(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(UVA_FOREVER);
}

static int run_foreign(void *arg, void **ret_result)
{
    foreign_t *own = arg;
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;
    int r;

    (void)ret_result;
    options.result_destroy = count_freed;
    task = uva_loop_create_task(NULL, own->body, own, &options);
    own->future = uva_future_ref(UVA_FUTURE(task));
    uv_sem_post(&own->ready);
    /* A run that ends cancels the task. */
    do {
        r = uva_sleep(UVA_MS(1));
    } while (r >= 0 && !own->ends &&
             (!own->heard || !uva_future_done(UVA_FUTURE(task))));
    own->cancelled = uva_future_cancelled(UVA_FUTURE(task));
    uva_task_unref(task);
    return r;
}

static void foreign_thread(void *data)
{
    foreign_t *own = data;

    ck_assert_int_eq(uva_run(run_foreign, own, NULL, NULL), 0);
}

/* What the loop that waits does. The thread lives inside its run, as
 * ThreadSanitizer does not see libuv close the descriptors of a loop. */
typedef struct waiting_s {
    foreign_t foreign;
    bool cancels;
    bool late; /* It asks when the foreign loop is closed. */
    uv_thread_t thread;
    int code;
    void *value;
    char text[32];
} waiting_t;

static int run_waiting(void *arg, void **ret_result)
{
    waiting_t *own = arg;
    uva_future_t *future;
    const char *text;

    (void)ret_result;
    ck_assert_int_eq(
        uv_thread_create(&own->thread, foreign_thread, &own->foreign), 0);
    uv_sem_wait(&own->foreign.ready);
    if (own->late) {
        own->foreign.heard = true;
        ck_assert_int_eq(uv_thread_join(&own->thread), 0);
    }
    future = uva_wrap_future(own->foreign.future);
    ck_assert_ptr_nonnull(future);
    if (own->cancels) {
        ck_assert(uva_future_cancel(future));
    }
    own->code = uva_await(future, &own->value);
    text = uva_error_text(uva_future_error(future));
    (void)snprintf(own->text, sizeof own->text, "%s", text == NULL ? "" : text);
    uva_future_unref(future);
    own->foreign.heard = true;
    /* The other loop is told of a cancellation meanwhile. */
    ck_assert_int_eq(uva_sleep(0), 0);
    if (!own->late) {
        ck_assert_int_eq(uv_thread_join(&own->thread), 0);
    }
    return 0;
}

static void run_case(waiting_t *own)
{
    freed = 0;
    ck_assert_int_eq(uv_sem_init(&own->foreign.ready, 0), 0);
    ck_assert_int_eq(uva_run(run_waiting, own, NULL, NULL), 0);
    uv_sem_destroy(&own->foreign.ready);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}

START_TEST(the_result_moves_over)
{
    waiting_t own = {.foreign = {.body = run_result}};

    run_case(&own);
    ck_assert_int_eq(own.code, 0);
    ck_assert_ptr_eq(own.value, &own.foreign);
    ck_assert_int_eq(freed, 1);
}
END_TEST

START_TEST(the_failure_has_its_text)
{
    waiting_t own = {.foreign = {.body = run_failure}};

    run_case(&own);
    ck_assert_int_eq(own.code, UV_EIO);
    ck_assert_str_eq(own.text, "the disk is full");
}
END_TEST

START_TEST(a_cancellation_goes_over)
{
    waiting_t own = {.foreign = {.body = run_forever}, .cancels = true};

    run_case(&own);
    ck_assert_int_eq(own.code, UV_ECANCELED);
    ck_assert(own.foreign.cancelled);
}
END_TEST

START_TEST(a_foreign_loop_that_ends_cancels)
{
    waiting_t own = {.foreign = {.body = run_forever, .ends = true}};

    run_case(&own);
    ck_assert_int_eq(own.code, UV_ECANCELED);
}
END_TEST

START_TEST(a_foreign_loop_that_is_closed)
{
    waiting_t own = {.foreign = {.body = run_result}, .late = true};

    run_case(&own);
    ck_assert_int_eq(own.code, UV_ECANCELED);
    ck_assert_int_eq(freed, 1);
}
END_TEST

static int run_own(void *arg, void **ret_result)
{
    uva_future_t *own = uva_create_future();
    uva_future_t *refused = uva_future_refused(UV_EAGAIN);

    (void)arg;
    (void)ret_result;
    /* test_futures.py, BaseFutureTests.test_wrap_future_future */
    ck_assert_ptr_eq(uva_wrap_future(own), own);
    uva_future_unref(own);
    ck_assert_ptr_eq(uva_wrap_future(refused), refused);
    ck_assert_ptr_null(uva_wrap_future(NULL));
    return 0;
}

START_TEST(a_future_of_the_loop_is_itself)
{
    ck_assert_int_eq(uva_run(run_own, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

START_TEST(outside_of_loops)
{
    uva_loop_t *loop = new_real_loop();
    uva_future_t *future = uva_loop_create_future(loop);

    ck_assert_int_eq(uva_await(uva_wrap_future(future), NULL), UVA_ENOTASK);
    end_loop(loop);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wrap_future");
    TCase *tcase = UVA_TCASE(suite, "WrapFuture");

    UVA_ADD_TESTS(tcase, the_result_moves_over, the_failure_has_its_text,
                  a_cancellation_goes_over, a_foreign_loop_that_ends_cancels,
                  a_foreign_loop_that_is_closed, a_future_of_the_loop_is_itself,
                  outside_of_loops);
    return uva_test_main(suite);
}
