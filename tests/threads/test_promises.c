/*
 * Promises: completed by threads, once, in every order with cancellations and
 * the end of the loop.
 */
#include "loops.h"

#include <stdatomic.h>

#include <uv.h>

static atomic_int destroyed;

static void destroy_value(void *value)
{
    (void)value;
    atomic_fetch_add(&destroyed, 1);
}

static int value_place;

/* A thread that waits to be let go, then completes a promise. */
typedef struct completer_s {
    uv_thread_t thread;
    uv_sem_t go;
    uva_promise_t *promise; /* Counted. */
    int code;
    const char *text;
    int result;
    bool drop; /* Drop the reference without a completion. */
} completer_t;

static void complete(void *data)
{
    completer_t *completer = data;

    uv_sem_wait(&completer->go);
    if (completer->drop) {
        completer->result = 0;
    } else if (completer->code < 0) {
        completer->result = uva_promise_set_exception(
            completer->promise, completer->code, completer->text);
    } else {
        completer->result = uva_promise_set_result(completer->promise,
                                                   &value_place, destroy_value);
    }
    uva_promise_unref(completer->promise);
}

static void completer_start(completer_t *completer, uva_promise_t *promise)
{
    destroyed = 0;
    completer->promise = uva_promise_ref(promise);
    ck_assert_int_eq(uv_sem_init(&completer->go, 0), 0);
    ck_assert_int_eq(uv_thread_create(&completer->thread, complete, completer),
                     0);
}

static void completer_join(completer_t *completer)
{
    ck_assert_int_eq(uv_thread_join(&completer->thread), 0);
    uv_sem_destroy(&completer->go);
}

/* --- completing --- */

UVA_TEST(result_of_a_thread)
{
    uva_promise_t *promise = uva_promise_new();
    completer_t completer = {0};
    void *value = NULL;

    completer_start(&completer, promise);
    uv_sem_post(&completer.go);
    ck_assert_int_eq(uva_await(uva_promise_future(promise), &value), 0);
    ck_assert_ptr_eq(value, &value_place);
    ck_assert_int_eq(destroyed, 0);
    uva_promise_unref(promise);
    completer_join(&completer);
    ck_assert_int_eq(completer.result, 0);
    UVA_TICK(); /* If the thread had the last reference, the promise is freed */
    UVA_TICK(); /* in the loop, behind this task. */
    ck_assert_int_eq(destroyed, 1);
}

UVA_TEST(failure_of_a_thread)
{
    uva_promise_t *promise = uva_promise_new();
    completer_t completer = {.code = UV_EIO, .text = "the disk"};

    completer_start(&completer, promise);
    uv_sem_post(&completer.go);
    ck_assert_int_eq(uva_await(uva_promise_future(promise), NULL), UV_EIO);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "the disk");
    uva_promise_unref(promise);
    completer_join(&completer);
}

UVA_TEST(cancelled_by_a_thread)
{
    uva_promise_t *promise = uva_promise_new();
    completer_t completer = {.code = UV_ECANCELED};

    completer_start(&completer, promise);
    uv_sem_post(&completer.go);
    ck_assert_int_eq(uva_await(uva_promise_future(promise), NULL),
                     UV_ECANCELED);
    ck_assert(uva_future_cancelled(uva_promise_future(promise)));
    uva_promise_unref(promise);
    completer_join(&completer);
}

/* Also in its own thread: it runs in a later iteration. */
UVA_TEST(completed_in_the_loop)
{
    uva_promise_t *promise = uva_promise_new();

    ck_assert_int_eq(uva_promise_set_result(promise, NULL, NULL), 0);
    ck_assert(!uva_future_done(uva_promise_future(promise)));
    ck_assert_int_eq(uva_await(uva_promise_future(promise), NULL), 0);
    uva_promise_unref(promise);
}

UVA_TEST(completed_once)
{
    uva_promise_t *promise = uva_promise_new();

    destroyed = 0;
    ck_assert_int_eq(
        uva_promise_set_result(promise, &value_place, destroy_value), 0);
    ck_assert_int_eq(
        uva_promise_set_result(promise, &value_place, destroy_value),
        UVA_EINVALIDSTATE);
    ck_assert_int_eq(destroyed, 1);
    ck_assert_int_eq(uva_promise_set_exception(promise, UV_EIO, "late"),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_promise_set_exception(promise, 0, NULL), UV_EINVAL);
    ck_assert_int_eq(uva_await(uva_promise_future(promise), NULL), 0);
    uva_promise_unref(promise);
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(destroyed, 2);
}

UVA_TEST(without_a_promise)
{
    destroyed = 0;
    ck_assert_int_eq(uva_promise_set_result(NULL, &value_place, destroy_value),
                     UV_EINVAL);
    ck_assert_int_eq(destroyed, 1);
    ck_assert_int_eq(uva_promise_set_exception(NULL, UV_EIO, "text"),
                     UV_EINVAL);
    ck_assert_ptr_null(uva_promise_future(NULL));
    ck_assert_ptr_null(uva_promise_ref(NULL));
    ck_assert_ptr_null(uva_promise_unref(NULL));
    uva_promise_on_cancel(NULL, NULL, NULL, NULL);
}

UVA_TEST(nobody_is_left_to_complete)
{
    uva_promise_t *promise = uva_promise_new();
    uva_future_t *future = uva_future_ref(uva_promise_future(promise));
    completer_t completer = {.drop = true};

    completer_start(&completer, promise);
    uva_promise_unref(promise);
    uv_sem_post(&completer.go);
    ck_assert_int_eq(uva_join(future, NULL), UV_ECANCELED);
    completer_join(&completer);
}

/* --- cancelling --- */

static void note_cancel(void *data)
{
    ++*(int *)data;
}

UVA_TEST(cancelled_then_completed)
{
    uva_promise_t *promise = uva_promise_new();
    completer_t completer = {0};
    int told = 0;

    uva_promise_on_cancel(promise, note_cancel, &told, NULL);
    completer_start(&completer, promise);
    ck_assert(uva_future_cancel(uva_promise_future(promise)));
    ck_assert_int_eq(told, 0);
    UVA_TICK();
    ck_assert_int_eq(told, 1);
    uv_sem_post(&completer.go);
    completer_join(&completer);
    ck_assert_int_eq(completer.result, 0);
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(destroyed, 1);
    uva_promise_unref(promise);
}

UVA_TEST(completed_then_cancelled)
{
    uva_promise_t *promise = uva_promise_new();
    completer_t completer = {0};
    int told = 0;

    uva_promise_on_cancel(promise, note_cancel, &told, NULL);
    completer_start(&completer, promise);
    uv_sem_post(&completer.go);
    completer_join(&completer);
    ck_assert(uva_future_cancel(uva_promise_future(promise)));
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(told, 0);
    ck_assert_int_eq(destroyed, 1);
    uva_promise_unref(promise);
}

/* Virtual time stands still for an open promise, and goes on without. */
UVA_TEST(the_clock_stands_still)
{
    uva_promise_t *promise = uva_promise_new();
    completer_t completer = {0};
    uint64_t before_ns = uva_loop_time(uva_get_running_loop());

    completer_start(&completer, promise);
    uv_sem_post(&completer.go);
    ck_assert_int_eq(uva_wait_for(uva_future_ref(uva_promise_future(promise)),
                                  UVA_MS(1), NULL),
                     0);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()), before_ns);
    completer_join(&completer);
    uva_promise_unref(promise);
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0);
}

/* --- the end of the loop --- */

static int leave_open(void *arg, void **ret_result)
{
    completer_t *completer = arg;
    uva_promise_t *promise = uva_promise_new();

    (void)ret_result;
    completer_start(completer, promise);
    uva_promise_unref(promise);
    return 0;
}

/* A thread that completes after the loop was closed finds nobody. */
static void completes_late(uva_loop_t *loop)
{
    uva_test_mark_t mark = uva_test_mark();
    completer_t completer = {0};

    ck_assert_int_eq(run_task(loop, leave_open, &completer), 0);
    ck_assert_int_eq(uva_loop_close(loop), UV_EBUSY);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    uva_loop_unref(loop);
    uv_sem_post(&completer.go);
    completer_join(&completer);
    ck_assert_int_eq(completer.result, UV_EPERM);
    ck_assert_int_eq(destroyed, 1);
    (void)mark;
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}

START_TEST(completed_after_the_end)
{
    completes_late(_i == 0 ? new_loop() : new_real_loop());
}
END_TEST

static int wait_shortly(void *arg, void **ret_result)
{
    completer_t *completer = arg;
    uva_promise_t *promise = uva_promise_new();
    uva_future_t *future = uva_future_ref(uva_promise_future(promise));

    (void)ret_result;
    completer_start(completer, promise);
    uva_promise_unref(promise);
    return uva_wait_for(future, UVA_MS(1), NULL);
}

/* The program of a user: the wait times out, then the loop ends. */
START_TEST(completed_after_a_timeout_and_the_end)
{
    completer_t completer = {0};

    ck_assert_int_eq(uva_run(wait_shortly, &completer, NULL, NULL),
                     UV_ETIMEDOUT);
    uv_sem_post(&completer.go);
    completer_join(&completer);
    ck_assert_int_eq(completer.result, UV_EPERM);
    ck_assert_int_eq(destroyed, 1);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

/* A loop with nothing but a promise stays, until the promise is done. */
static int await_alone(void *arg, void **ret_result)
{
    completer_t *completer = arg;
    uva_promise_t *promise = uva_promise_new();
    int r;

    completer_start(completer, promise);
    uv_sem_post(&completer->go);
    r = uva_await(uva_promise_future(promise), ret_result);
    uva_promise_unref(promise);
    return r;
}

START_TEST(real_time)
{
    completer_t completer = {0};

    ck_assert_int_eq(uva_run(await_alone, &completer, NULL, NULL), 0);
    completer_join(&completer);
    ck_assert(!logged("wake"));
    ck_assert_int_eq(destroyed, 1);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

/* --- many --- */

enum {
    MANY_THREADS = 4,
    MANY_ROUNDS = 500
};

static uva_promise_t *promises[MANY_THREADS][MANY_ROUNDS];
static atomic_int many_destroyed;

static void many_destroy(void *value)
{
    (void)value;
    atomic_fetch_add(&many_destroyed, 1);
}

/* data is a row of promises; this thread has a reference of each. */
static void many_complete(void *data)
{
    uva_promise_t **row = data;

    for (int i = 0; i < MANY_ROUNDS; i++) {
        (void)uva_promise_set_result(row[i], row, many_destroy);
        uva_promise_unref(row[i]);
    }
}

/* Two threads complete each row: one of them is the first at a promise, and
 * the value of the other is destroyed. Every third future is cancelled
 * meanwhile. */
static int many_body(void *arg, void **ret_result)
{
    uv_thread_t threads[MANY_THREADS * 2];

    (void)arg;
    (void)ret_result;
    for (int t = 0; t < MANY_THREADS; t++) {
        for (int i = 0; i < MANY_ROUNDS; i++) {
            promises[t][i] = uva_promise_new();
            uva_promise_ref(uva_promise_ref(promises[t][i]));
        }
    }
    for (int t = 0; t < MANY_THREADS * 2; t++) {
        ck_assert_int_eq(
            uv_thread_create(&threads[t], many_complete, promises[t / 2]), 0);
    }
    for (int t = 0; t < MANY_THREADS; t++) {
        for (int i = 0; i < MANY_ROUNDS; i++) {
            uva_future_t *future = uva_promise_future(promises[t][i]);
            int r;
            if (i % 3 == 0) {
                uva_future_cancel(future);
            }
            r = uva_await(future, NULL);
            ck_assert(r == 0 || r == UV_ECANCELED);
            uva_promise_unref(promises[t][i]);
        }
    }
    for (int t = 0; t < MANY_THREADS * 2; t++) {
        ck_assert_int_eq(uv_thread_join(&threads[t]), 0);
    }
    return 0;
}

START_TEST(many_threads)
{
    many_destroyed = 0;
    ck_assert_int_eq(uva_run(many_body, NULL, NULL, NULL), 0);
    ck_assert_int_eq(many_destroyed, MANY_THREADS * 2 * MANY_ROUNDS);
    ck_assert_uint_eq(uva_allocated_bytes(), 0);
}
END_TEST

static int make_one(void)
{
    uva_promise_t *promise = uva_promise_new();

    if (promise == NULL) {
        return UV_ENOMEM;
    }
    ck_assert_int_eq(uva_promise_set_exception(promise, UV_EIO, "words"), 0);
    ck_assert_int_eq(uva_await(uva_promise_future(promise), NULL), UV_EIO);
    uva_promise_unref(promise);
    UVA_TICK();
    UVA_TICK();
    return 0;
}

UVA_TEST_STRICT(without_memory)
{
    uva_promise_unref(uva_promise_new()); /* The loop's part stays. */
    UVA_TICK();
    UVA_TICK();
    UVA_OOM_TEST(make_one());
}

int main(void)
{
    Suite *suite = suite_create("promises");
    TCase *tcase = UVA_TCASE(suite, "complete");

    UVA_ADD_TESTS(tcase, result_of_a_thread, failure_of_a_thread,
                  cancelled_by_a_thread, completed_in_the_loop, completed_once,
                  without_a_promise, nobody_is_left_to_complete);
    tcase = UVA_TCASE(suite, "cancel");
    UVA_ADD_TESTS(tcase, cancelled_then_completed, completed_then_cancelled,
                  the_clock_stands_still);
    tcase = UVA_TCASE(suite, "end");
    tcase_add_loop_test(tcase, completed_after_the_end, 0, 2);
    UVA_ADD_TESTS(tcase, completed_after_a_timeout_and_the_end, real_time);
    tcase = UVA_TCASE(suite, "many");
    UVA_ADD_TESTS(tcase, many_threads, without_memory);
    return uva_test_main(suite);
}
