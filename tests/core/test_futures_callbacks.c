/*
 * Futures: CPython's tests of done callbacks and of wrap_future; destructors,
 * references, no memory.
 */
#include "kinds.h"

#include <string.h>

static char foo[] = "foo";

static uva_future_t *new_future(void)
{
    return uva_loop_create_future(uva_test_loop);
}

/* --- callbacks --- */

static uva_test_trace_t bag;

static void append(uva_future_t *future, void *data)
{
    ck_assert(uva_future_done(future));
    uva_test_trace(&bag, "%d", *(const int *)data);
}

static int things[] = {42, 17, 100};

static void add(uva_future_t *f, int *thing)
{
    ck_assert_int_eq(uva_future_add_done_callback(f, append, thing, NULL), 0);
}

static size_t take_out(uva_future_t *f, int *thing)
{
    return uva_future_remove_done_callback(f, append, thing);
}

static uva_future_t *with_three(void)
{
    uva_future_t *f = new_future();

    for (int i = 0; i < 3; i++) {
        add(f, &things[i]);
    }
    return f;
}

static void check_invoked(uva_future_t *take_f, const char *expected)
{
    void *value = NULL;

    ck_assert_str_eq(bag.text, "");
    (void)uva_future_set_result(take_f, foo, NULL);
    ck_assert_str_eq(bag.text, ""); /* Not inside the call. */
    hand_briefly();
    ck_assert_str_eq(bag.text, expected);
    ck_assert_int_eq(uva_future_result(take_f, &value), 0);
    ck_assert_str_eq(value, "foo");
    uva_future_unref(take_f);
}

START_TEST(callbacks_remove_first_callback)
{
    /* test_futures.py,
     * BaseFutureDoneCallbackTests.test_callbacks_remove_first_callback */
    uva_future_t *f = with_three();

    ck_assert_uint_eq(take_out(f, &things[0]), 1);
    ck_assert_uint_eq(take_out(f, &things[0]), 0);
    check_invoked(f, "17 100");
}
END_TEST

START_TEST(callbacks_remove_first_and_second_callback)
{
    /* test_futures.py, BaseFutureDoneCallbackTests.
     * test_callbacks_remove_first_and_second_callback */
    uva_future_t *f = with_three();

    ck_assert_uint_eq(take_out(f, &things[0]), 1);
    ck_assert_uint_eq(take_out(f, &things[1]), 1);
    ck_assert_uint_eq(take_out(f, &things[0]), 0);
    check_invoked(f, "100");
}
END_TEST

START_TEST(callbacks_remove_third_callback)
{
    /* test_futures.py,
     * BaseFutureDoneCallbackTests.test_callbacks_remove_third_callback */
    uva_future_t *f = with_three();

    ck_assert_uint_eq(take_out(f, &things[2]), 1);
    ck_assert_uint_eq(take_out(f, &things[2]), 0);
    check_invoked(f, "42 17");
}
END_TEST

START_TEST(callbacks_invoked_on_set_result)
{
    /* test_futures.py,
     * BaseFutureDoneCallbackTests.test_callbacks_invoked_on_set_result */
    uva_future_t *f = new_future();

    add(f, &things[0]);
    add(f, &things[1]);
    check_invoked(f, "42 17");
}
END_TEST

START_TEST(callbacks_invoked_on_set_exception)
{
    /* test_futures.py,
     * BaseFutureDoneCallbackTests.test_callbacks_invoked_on_set_exception */
    uva_future_t *f = new_future();

    add(f, &things[2]);
    ck_assert_str_eq(bag.text, "");
    (void)uva_future_set_exception(f, UV_EIO, NULL);
    hand_briefly();
    ck_assert_str_eq(bag.text, "100");
    ck_assert_int_eq(uva_future_exception(f), UV_EIO);
    uva_future_unref(f);
}
END_TEST

START_TEST(remove_done_callback)
{
    /* test_futures.py, BaseFutureDoneCallbackTests.test_remove_done_callback */
    int cb[] = {1, 2, 3};
    uva_future_t *f = new_future();

    /* One of the first and one of the second. */
    add(f, &cb[0]);
    add(f, &cb[1]);
    ck_assert_uint_eq(take_out(f, &cb[1]), 1);
    /* Never had any of the third in there. */
    ck_assert_uint_eq(take_out(f, &cb[2]), 0);
    /* After this there are six of the first and one of the second. */
    add(f, &cb[1]);
    for (int i = 0; i < 5; i++) {
        add(f, &cb[0]);
    }
    ck_assert_uint_eq(take_out(f, &cb[0]), 6);
    check_invoked(f, "2");
}
END_TEST

/* In the order of registration, however many; one that comes after the end
 * runs in the next iteration. */
START_TEST(order_of_many_callbacks)
{
    uva_future_t *f = new_future();
    int many[100];

    for (int i = 0; i < 100; i++) {
        many[i] = i;
        add(f, &many[i]);
    }
    (void)uva_future_set_result(f, foo, NULL);
    ck_assert_uint_eq(take_out(f, &many[5]), 0); /* Too late. */
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    ck_assert_int_eq(strncmp(bag.text, "0 1 2 3 4 5 6 7 8 9 10 11", 25), 0);
    ck_assert_str_eq(bag.text + bag.size - 5, "98 99");
    memset(&bag, 0, sizeof bag);
    add(f, &things[0]);
    ck_assert_str_eq(bag.text, "");
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    ck_assert_str_eq(bag.text, "42");
    uva_future_unref(f);
}
END_TEST

static void add_another(uva_future_t *future, void *data)
{
    add(future, data);
    ck_assert_uint_eq(
        uva_future_remove_done_callback(future, add_another, data), 0);
}

/* What a callback adds runs in a later iteration; it cannot take others out
 * any more. */
START_TEST(callback_that_adds_a_callback)
{
    uva_future_t *f = new_future();

    ck_assert_int_eq(
        uva_future_add_done_callback(f, add_another, &things[0], NULL), 0);
    add(f, &things[1]);
    (void)uva_future_set_result(f, foo, NULL);
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    ck_assert_str_eq(bag.text, "17");
    ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    ck_assert_str_eq(bag.text, "17 42");
    uva_future_unref(f);
}
END_TEST

/* --- what callbacks own --- */

static void count_destroy(void *data)
{
    ++*(int *)data;
}

static void count_call(uva_future_t *future, void *data)
{
    (void)future;
    ck_assert_int_eq(*(int *)data, 0); /* Not destroyed before. */
}

static const uva_call_options_t destroying = {sizeof(uva_call_options_t), NULL,
                                              count_destroy};

static void add_owned(uva_future_t *f, int *destroyed)
{
    ck_assert_int_eq(
        uva_future_add_done_callback(f, count_call, destroyed, &destroying), 0);
}

/* The destructor runs once: after the call, or instead of it. */
START_TEST(destructor_runs_once)
{
    int ran = 0;
    int removed = 0;
    int dropped = 0;
    int refused = 0;
    uva_future_t *f = new_future();

    add_owned(f, &ran);
    add_owned(f, &removed);
    ck_assert_uint_eq(uva_future_remove_done_callback(f, count_call, &removed),
                      1);
    ck_assert_int_eq(removed, 1);
    (void)uva_future_set_result(f, foo, NULL);
    ck_assert_int_eq(ran, 0);
    hand_briefly();
    ck_assert_int_eq(ran, 1);
    uva_future_unref(f);

    f = new_future();
    add_owned(f, &dropped);
    uva_future_unref(f); /* Pending, and nobody will complete it. */
    ck_assert_int_eq(dropped, 1);

    ck_assert_int_eq(
        uva_future_add_done_callback(NULL, count_call, &refused, &destroying),
        UV_ENOMEM);
    ck_assert_int_eq(refused, 1);
    ck_assert_int_eq(uva_future_add_done_callback(uva_future_refused(UV_EAGAIN),
                                                  count_call, &refused,
                                                  &destroying),
                     UV_EAGAIN);
    ck_assert_int_eq(refused, 2);
    f = new_future();
    ck_assert_int_eq(
        uva_future_add_done_callback(f, NULL, &refused, &destroying),
        UV_EINVAL);
    ck_assert_int_eq(refused, 3);
    uva_future_unref(f);
}
END_TEST

START_TEST(destructor_runs_when_the_loop_closes)
{
    uva_test_mark_t mark = uva_test_mark();
    int destroyed = 0;
    uva_loop_t *loop;
    uva_future_t *f;

    loop = new_loop();
    f = uva_loop_create_future(loop);
    add_owned(f, &destroyed);
    add_owned(f, &destroyed);
    (void)uva_future_set_result(f, foo, NULL);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(destroyed, 2);
    ck_assert_int_eq(
        uva_future_add_done_callback(f, count_call, &destroyed, &destroying),
        UV_EPERM);
    ck_assert_int_eq(destroyed, 3);
    uva_future_unref(f);
    uva_loop_unref(loop);
    uva_test_nothing_left(mark);
}
END_TEST

/* A result that nobody moved out is freed with its future, or at once if the
 * future does not take it. */
START_TEST(result_is_destroyed_once)
{
    int destroyed = 0;
    uva_future_t *f = new_future();

    ck_assert_int_eq(uva_future_set_result(f, &destroyed, count_destroy), 0);
    ck_assert_int_eq(uva_future_set_result(f, &destroyed, count_destroy),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(destroyed, 1);
    uva_future_unref(f);
    ck_assert_int_eq(destroyed, 2);
    ck_assert_int_eq(uva_future_set_result(NULL, &destroyed, count_destroy),
                     UVA_EINVALIDSTATE);
    ck_assert_int_eq(destroyed, 3);
}
END_TEST

/* A future that nobody refers to lives until its callbacks have run. */
START_TEST(callbacks_keep_a_done_future)
{
    uva_future_t *f = new_future();

    add(f, &things[0]);
    add(f, &things[1]);
    (void)uva_future_set_result(f, foo, NULL);
    uva_future_unref(f);
    hand_briefly();
    ck_assert_str_eq(bag.text, "42 17");
}
END_TEST

/* --- contexts --- */

static uva_context_var_t var = {"var", NULL};

static void append_var(uva_future_t *future, void *data)
{
    const int *value = uva_context_var_get(&var);

    (void)future;
    (void)data;
    uva_test_trace(&bag, "%d", value == NULL ? 0 : *value);
}

/* Each runs in the context of its registration, or in the one it was given. */
UVA_TEST(callbacks_run_in_their_contexts)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_future_t *f = uva_create_future();

    memset(&bag, 0, sizeof bag);
    UVA_IGNORE(uva_context_var_set(&var, &things[0], NULL));
    UVA_IGNORE(uva_future_add_done_callback(f, append_var, NULL, NULL));
    options.context = uva_copy_context();
    UVA_IGNORE(uva_context_var_set(&var, &things[1], NULL));
    UVA_IGNORE(uva_future_add_done_callback(f, append_var, NULL, NULL));
    UVA_IGNORE(uva_context_var_set(&var, &things[2], NULL));
    UVA_IGNORE(uva_future_add_done_callback(f, append_var, NULL, &options));
    (void)uva_future_set_result(f, NULL, NULL);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_str_eq(bag.text, "42 17 42");
    uva_context_unref(options.context);
    uva_future_unref(f);
}

/* --- from another thread --- */

typedef struct job_s {
    uva_loop_t *loop;
    uva_future_t *future;
    uv_thread_t ident;
} job_t;

static void job_done(void *data)
{
    job_t *job = data;

    (void)uva_future_set_result(job->future, foo, NULL);
}

static void job_run(void *data)
{
    job_t *job = data;

    job->ident = uv_thread_self();
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(job->loop, job_done, job, NULL, NULL), 0);
    uva_loop_release(job->loop);
}

static void job_begin(job_t *job, uv_thread_t *thread)
{
    uva_loop_hold(job->loop);
    ck_assert_int_eq(uv_thread_create(thread, job_run, job), 0);
}

START_TEST(wrap_future)
{
    /* test_futures.py, BaseFutureTests.test_wrap_future: the work of another
     * thread as a future of the loop. */
    uv_thread_t self = uv_thread_self();
    job_t job = {.loop = uva_test_loop, .future = new_future()};
    uv_thread_t thread;
    void *res = NULL;

    job_begin(&job, &thread);
    ck_assert_int_eq(
        uva_loop_run_until_complete(uva_test_loop, job.future, &res), 0);
    uv_thread_join(&thread);
    ck_assert_str_eq(res, "foo");
    ck_assert(!uv_thread_equal(&job.ident, &self));
    uva_future_unref(job.future);
}
END_TEST

START_TEST(wrap_future_future)
{
    /* test_futures.py, BaseFutureTests.test_wrap_future_future */
    uva_future_t *f1 = new_future();
    uva_awaitable_t awaitable = {f1, NULL, NULL};
    uva_future_t *f2 = uva_ensure_future(&awaitable, uva_test_loop);

    ck_assert_ptr_eq(f1, f2);
    uva_future_unref(f1);
    uva_future_unref(f2);
}
END_TEST

UVA_TEST(wrap_future_use_running_loop)
{
    /* test_futures.py, BaseFutureTests.test_wrap_future_use_running_loop */
    job_t job = {.loop = uva_get_running_loop(), .future = uva_create_future()};
    uv_thread_t thread;

    job_begin(&job, &thread);
    ck_assert_ptr_eq(uva_future_get_loop(job.future), uva_get_running_loop());
    ck_assert_int_eq(uva_join(job.future, NULL), 0);
    uv_thread_join(&thread);
}

/* A future is of its loop's thread: from another it is left alone. */
static void touch(void *data)
{
    uva_future_t *f = data;
    int destroyed = 0;

    ck_assert_int_eq(uva_future_set_result(f, &destroyed, count_destroy),
                     UV_EPERM);
    ck_assert_int_eq(destroyed, 1);
    ck_assert_int_eq(uva_future_set_exception(f, UV_EIO, NULL), UV_EPERM);
    ck_assert(!uva_future_cancel(f));
    ck_assert_int_eq(
        uva_future_add_done_callback(f, count_call, &destroyed, &destroying),
        UV_EPERM);
    ck_assert_int_eq(destroyed, 2);
    ck_assert_uint_eq(uva_future_remove_done_callback(f, append, &things[0]),
                      0);
}

START_TEST(wrong_thread_changes_nothing)
{
    uva_future_t *f = new_future();
    uv_thread_t thread;

    uva_test_log_begin();
    add(f, &things[0]);
    ck_assert_int_eq(uv_thread_create(&thread, touch, f), 0);
    uv_thread_join(&thread);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "non-thread-safe operation"));
    uva_test_log_end();
    check_invoked(f, "42");
}
END_TEST

/* --- without memory --- */

static int register_two(uva_future_t *f)
{
    int destroyed = 0;
    int r =
        uva_future_add_done_callback(f, count_call, &destroyed, &destroying);
    int second;

    ck_assert_int_eq(r, 0); /* The first of a plain future needs no memory. */
    second =
        uva_future_add_done_callback(f, count_call, &destroyed, &destroying);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(destroyed, second < 0 ? 1 : 0);
    ck_assert_uint_eq(
        uva_future_remove_done_callback(f, count_call, &destroyed),
        second < 0 ? 1 : 2);
    ck_assert_int_eq(destroyed, 2);
    return second;
}

UVA_TEST_STRICT(callbacks_oom)
{
    uva_future_t *f = uva_create_future();

    UVA_OOM_TEST(register_two(f));
    uva_future_unref(f);
    uva_testing_fail_allocation(1, false);
    f = uva_create_future();
    uva_testing_fail_allocation(0, false);
    ck_assert_ptr_null(f);
    ck_assert_int_eq(uva_await(f, NULL), UV_ENOMEM);
    ck_assert_int_eq(uva_future_result(f, NULL), UV_ENOMEM);
    ck_assert(uva_future_done(f));
    ck_assert(!uva_future_cancel(f));
}

/* A text that cannot be had is dropped; the code stays. */
UVA_TEST_STRICT(failure_text_oom)
{
    for (uint64_t n = 1; n < 5; n++) {
        uva_future_t *f = uva_create_future();
        uva_testing_fail_allocation(n, false);
        ck_assert_int_eq(uva_future_set_exception(f, UV_EIO, "text"), 0);
        uva_testing_fail_allocation(0, false);
        ck_assert_int_eq(uva_future_exception(f), UV_EIO);
        ck_assert_str_eq(uva_error_text(uva_future_error(f)),
                         n <= 3 ? uva_error_text(NULL) : "text");
        uva_future_unref(f);
    }
}

/* --- the suite --- */

static void setup(void)
{
    memset(&bag, 0, sizeof bag);
    uva_test_loop_setup();
}

static void add_callbacks(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, uva_test_loop_teardown);
    UVA_ADD_TESTS(tcase, callbacks_remove_first_callback,
                  callbacks_remove_first_and_second_callback,
                  callbacks_remove_third_callback,
                  callbacks_invoked_on_set_result,
                  callbacks_invoked_on_set_exception, remove_done_callback,
                  order_of_many_callbacks, callback_that_adds_a_callback,
                  destructor_runs_once, destructor_runs_when_the_loop_closes,
                  result_is_destroyed_once, callbacks_keep_a_done_future);
}

int main(void)
{
    Suite *suite = suite_create("futures_callbacks");
    TCase *threads = UVA_TCASE(suite, "Threads");
    TCase *tasks = UVA_TCASE(suite, "Tasks");

    add_callbacks(UVA_TCASE(suite, "Callbacks"));
    tcase_add_checked_fixture(threads, setup, uva_test_loop_teardown);
    UVA_ADD_TESTS(threads, wrap_future, wrap_future_future,
                  wrong_thread_changes_nothing);
    UVA_ADD_TESTS(tasks, wrap_future_use_running_loop,
                  callbacks_run_in_their_contexts, callbacks_oom,
                  failure_text_oom);
    return uva_test_main(suite);
}
