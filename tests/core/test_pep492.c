/*
 * Coroutines as such: CPython's tests of async and await.
 */
#include "kinds.h"

#include <string.h>

/* --- what runs --- */

KIND_TASK(void, foo)
{
    uva_buffer_t text = {0};

    ck_assert_str_eq(uva_task_get_coro(uva_current_task()),
                     uva__block_check() == 0 ? "foo__stackful" : "foo");
    ck_assert_int_eq(uva_format_call_graph(NULL, &text), 0);
    ck_assert_ptr_nonnull(strstr((const char *)text.data, "(foo"));
    ck_assert_ptr_nonnull(strstr((const char *)text.data, "running"));
    uva_buffer_clear(&text);
    return 0;
}

UVA_TEST(task_print_stack)
{
    /* test_pep492.py, CoroutineTests.test_task_print_stack */
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(foo)), 0);
}

/* --- awaited twice --- */

static int afunc(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(UVA_MS(100));
}

static int send_to(void *arg, void **ret_result)
{
    return uva_coroutine_send(arg, NULL, ret_result);
}

UVA_TEST(double_await)
{
    /* test_pep492.py, CoroutineTests.test_double_await: a coroutine that a
     * task is awaiting cannot be awaited by another. */
    uva_coroutine_t *coro;
    uva_task_t *t;

    ck_assert_int_eq(uva_coroutine_new(afunc, NULL, NULL, &coro), 0);
    t = uva_create_task(send_to, coro);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_coroutine_send(coro, NULL, NULL), UV_EPERM);
    ck_assert_int_eq(uva_coroutine_delegate(coro, NULL), UV_EPERM);
    ck_assert_int_eq(uva_coroutine_throw(coro, UV_EIO, NULL), UV_EPERM);
    ck_assert_int_eq(uva_coroutine_close(coro), UV_EPERM);
    ck_assert(!uva_coroutine_done(coro));
    uva_task_cancel(t);
    ck_assert_int_eq(UVA_JOIN(t), UV_ECANCELED);
    ck_assert(uva_coroutine_done(coro));
    /* And one that has ended gives nothing more. */
    ck_assert_int_eq(uva_coroutine_send(coro, NULL, NULL), UV_EALREADY);
    ck_assert_int_eq(uva_coroutine_close(coro), 0);
    uva_coroutine_unref(coro);
}

/* A stackless body that has ended says so when it is called again. */
KIND_TASK(int, ends, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    return self->r;
}

KIND_TEST(finished_body_called_again, ends_args_t sub;)
{
    UVA_BEGIN
    AWAIT_IS(0, ends_call, &self->sub, NULL);
    if (!kind_stackful) {
        uva_test_log_begin();
        AWAIT_IS(UV_EINVAL, ends_call, &self->sub, NULL);
        ck_assert_ptr_nonnull(strstr(uva_test_log(), "ends"));
        uva_test_log_end();
    }
    UVA_END
    return 0;
}

/* --- calls that need a task --- */

static void await_in_callback(void *data)
{
    uva_future_t *future = uva_create_future();
    uva_future_t *futures[] = {future};

    ck_assert_int_eq(uva_await(future, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_sleep(0), UVA_ENOTASK);
    ck_assert_int_eq(uva_sleep(1), UVA_ENOTASK);
    ck_assert_int_eq(
        uva_wait(UVA_FUTURES(futures), 1, 0, UVA_ALL_COMPLETED, NULL, NULL),
        UVA_ENOTASK);
    ck_assert_int_eq(uva_shield(future, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_cancel_and_wait(future), UVA_ENOTASK);
    uva_future_ref(future);
    ck_assert_int_eq(uva_join(future, NULL), UVA_ENOTASK);
    uva_future_ref(future);
    ck_assert_int_eq(uva_wait_for(future, 1, NULL), UVA_ENOTASK);
    uva_future_ref(future);
    ck_assert_int_eq(uva_gather(UVA_FUTURES(futures), 1, 0, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_staggered_race(NULL, 0, 0, NULL, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_coroutine_yield(NULL, NULL), UVA_ENOTASK);
    ck_assert_ptr_null(uva_current_task());
    uva_future_unref(future);
    *(bool *)data = true;
}

START_TEST(await_outside_a_task)
{
    bool called = false;

    ck_assert_int_eq(uva_loop_call_soon(uva_test_loop, await_in_callback,
                                        &called, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_loop_run_until_idle(uva_test_loop), 0);
    ck_assert(called);
    ck_assert_int_eq(uva_await(NULL, NULL), UVA_ENOTASK);
    ck_assert_int_eq(uva_sleep(0), UVA_ENOTASK);
}
END_TEST

/* Nor can a stackless body wait in the middle of a call. */
UVA_STACKLESS(void, calls_a_stackful_one)
{
    (void)self;
    return uva_sleep(0);
}

UVA_TEST(stackful_await_in_a_stackless_body)
{
    calls_a_stackful_one_task_t *task = uva_spawn(calls_a_stackful_one);

    ck_assert_int_eq(UVA_JOIN(task), UVA_ENOTASK);
}

/* --- what is iterated over --- */

KIND_TEST(readline, uva_reader_t *reader; uva_buffer_t line; int count; int r;)
{
    /* test_pep492.py, StreamReaderTests.test_readline */
    static const char data[] = "line1\nline2\nline3";
    static const char *const lines[] = {"line1\n", "line2\n", "line3"};

    UVA_BEGIN
    ck_assert_int_eq(uva_reader_new(0, &self->reader), 0);
    ck_assert_int_eq(uva_reader_feed_data(self->reader, data, sizeof data - 1),
                     0);
    uva_reader_feed_eof(self->reader);
    do {
        AWAIT(self->r, uva_reader_readline, self->reader, &self->line);
        ck_assert_int_ge(self->r, 0);
        if (self->r > 0) {
            ck_assert_int_lt(self->count, 3);
            ck_assert_str_eq((const char *)self->line.data,
                             lines[self->count++]);
        }
        uva_buffer_clear(&self->line);
    } while (self->r > 0);
    ck_assert_int_eq(self->count, 3);
    uva_reader_unref(self->reader);
    UVA_END
    return 0;
}

int main(void)
{
    Suite *suite = suite_create("pep492");
    TCase *coroutine = UVA_TCASE(suite, "Coroutine");
    TCase *stream = UVA_TCASE(suite, "StreamReader");
    TCase *outside = UVA_TCASE(suite, "Outside");

    KIND_ADD_TESTS(coroutine, task_print_stack);
    UVA_ADD_TESTS(coroutine, double_await);
    KIND_ADD_TESTS(coroutine, finished_body_called_again);
    UVA_ADD_TESTS(coroutine, stackful_await_in_a_stackless_body);
    KIND_ADD_TESTS(stream, readline);
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, await_outside_a_task);
    return uva_test_main(suite);
}
