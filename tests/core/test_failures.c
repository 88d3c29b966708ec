/*
 * The error record of the running task: with which failure it goes, and how
 * long; codes that nothing can fail with; names of codes.
 */
#include "kinds.h"

#include <limits.h>

/* --- old words and new failures --- */

static int says(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_fail(*(const int *)arg, "old words");
}

/* Let the running task be told of a failure with these words, and deal with
 * it. */
static void handle(int code)
{
    uva_task_t *task = uva_create_task(says, &code);

    ck_assert_int_eq(UVA_JOIN(task), code);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "old words");
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_ptr_null(uva_task_error());
}

/* What fails without words of its own, with code. */
typedef int (*bare_cb)(int code);

static int bare_future(int code)
{
    uva_future_t *future = uva_create_future();

    ck_assert_int_eq(uva_future_set_exception(future, code, NULL), 0);
    return uva_join(future, NULL);
}

static int bare_result(int code)
{
    uva_future_t *future = uva_create_future();
    int r;

    ck_assert_int_eq(uva_future_set_exception(future, code, NULL), 0);
    r = uva_future_result(future, NULL);
    uva_future_unref(future);
    return r;
}

static int bare_read(int code)
{
    uva_reader_t *reader;
    uva_bytes_t line;
    int r;

    ck_assert_int_eq(uva_reader_new(0, &reader), 0);
    ck_assert_int_eq(uva_reader_set_exception(reader, code), 0);
    r = uva_reader_readline_view(reader, &line);
    uva_reader_unref(reader);
    return r;
}

static int bare_connect(int code)
{
    uva_reader_t *reader;
    uva_writer_t *writer;

    (void)code;
    return uva_open_unix_connection("/tmp/x", NULL, &reader, &writer);
}

static int bare_queue(int code)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    void *item;
    int r;

    (void)code;
    uva_queue_shutdown(&queue, false);
    r = uva_queue_get(&queue, &item);
    uva_queue_destroy(&queue);
    return r;
}

static int bare_release(int code)
{
    uva_lock_t lock = UVA_LOCK_INIT;

    (void)code;
    return uva_lock_release(&lock);
}

static int bare_cancel(int code)
{
    (void)code;
    (void)uva_task_cancel(uva_current_task());
    return uva_sleep(0);
}

static int bare_timeout(int code)
{
    uva_timeout_t timeout;
    int r = uva_timeout_enter(&timeout, UVA_MS(1));

    (void)code;
    ck_assert_int_eq(r, 0);
    return uva_timeout_exit(&timeout, uva_sleep(UVA_SEC(1)));
}

static int bare_wait_for(int code)
{
    (void)code;
    return uva_wait_for(uva_create_future(), 0, NULL);
}

static int bare_wait(int code)
{
    (void)code;
    return uva_wait(NULL, 0, UVA_FOREVER, UVA_ALL_COMPLETED, NULL, NULL);
}

static int bare_fail(int code)
{
    return uva_fail(code, NULL);
}

static const struct {
    bare_cb fails;
    int code;
} bare[] = {
    {bare_future, KEY_ERROR},
    {bare_result, KEY_ERROR},
    {bare_read, UV_ECONNREFUSED},
    {bare_connect, UV_ENOTSUP}, /* There are no sockets in virtual time. */
    {bare_queue, UVA_EQUEUESHUTDOWN},
    {bare_release, UV_EPERM},
    {bare_cancel, UV_ECANCELED},
    {bare_timeout, UV_ETIMEDOUT},
    {bare_wait_for, UV_ETIMEDOUT},
    {bare_wait, UV_EINVAL},
    {bare_fail, UV_EIO},
};

static int handles_one_and_fails(void *arg, void **ret_result)
{
    size_t i = *(const size_t *)arg;

    (void)ret_result;
    handle(bare[i].code);
    return bare[i].fails(bare[i].code);
}

UVA_TEST(bare_failure_has_no_words_of_an_older_one)
{
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        uva_task_t *task = uva_create_task(handles_one_and_fails, &i);

        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), bare[i].code);
        ck_assert_ptr_null(uva_task_error());
        ck_assert_ptr_null(uva_future_error(UVA_FUTURE(task)));
        uva_task_unref(task);
    }
}

static int lacks_wait(uva_future_t *future)
{
    return uva_wait(UVA_FUTURES(&future), 1, UVA_FOREVER, UVA_ALL_COMPLETED,
                    NULL, NULL);
}

static int lacks_as_completed(uva_future_t *future)
{
    uva_as_completed_t iterator;

    return uva_as_completed_start(&iterator, UVA_FUTURES(&future), 1,
                                  UVA_FOREVER);
}

static int lacks_group(uva_future_t *future)
{
    uva_taskgroup_t group;

    (void)future;
    return uva_taskgroup_enter(&group);
}

static int lacks_name(uva_future_t *future)
{
    (void)future;
    return uva_task_set_name(uva_current_task(), "a name");
}

static int lacks_reader(uva_future_t *future)
{
    uva_reader_t *reader;

    (void)future;
    return uva_reader_new(0, &reader);
}

static int lacks_item(uva_future_t *future)
{
    uva_queue_t queue = UVA_QUEUE_INIT(0);

    return uva_queue_put_nowait(&queue, future);
}

static int (*const lacks[])(uva_future_t *future) = {
    lacks_wait, lacks_as_completed, lacks_group,
    lacks_name, lacks_reader,       lacks_item};

/* A call that finds no memory, in the step of an earlier failure with this
 * code, does not tell the words of that. */
UVA_TEST_STRICT(no_memory_has_no_words_of_an_older_one)
{
    uva_future_t *future = uva_create_future();
    int code = UV_ENOMEM;

    for (size_t i = 0; i < sizeof lacks / sizeof lacks[0]; i++) {
        int r;

        ck_assert_int_eq(UVA_JOIN(uva_create_task(says, &code)), UV_ENOMEM);
        ck_assert_str_eq(uva_error_text(uva_task_error()), "old words");
        uva_testing_fail_allocation(1, true);
        r = lacks[i](future);
        uva_testing_fail_allocation(0, false);
        ck_assert_int_eq(r, UV_ENOMEM);
        ck_assert_ptr_null(uva_task_error());
    }
    uva_future_cancel(future);
    uva_future_unref(future);
}

/* try: await ... except: await clean_up(); raise */
static int cleans_up_and_passes_on(void *arg, void **ret_result)
{
    int code = KEY_ERROR;
    int r = UVA_JOIN(uva_create_task(says, &code));

    (void)arg;
    (void)ret_result;
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(bare_future(VALUE_ERROR), VALUE_ERROR); /* Fails even. */
    ck_assert_ptr_null(uva_task_error());
    return r;
}

UVA_TEST(words_outlast_the_clean_up)
{
    uva_task_t *task = uva_create_task(cleans_up_and_passes_on, NULL);

    ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), KEY_ERROR);
    ck_assert_str_eq(uva_error_text(uva_task_error()), "old words");
    uva_task_unref(task);
}

/* CPython: __context__ is the exception that is being handled, and None when
 * it was dealt with. */
UVA_TEST(cause_is_a_failure_of_this_step)
{
    int code = KEY_ERROR;
    const uva_error_t *error;

    ck_assert_int_eq(UVA_JOIN(uva_create_task(says, &code)), KEY_ERROR);
    ck_assert_int_eq(uva_fail(VALUE_ERROR, "mine"), VALUE_ERROR);
    error = uva_task_error();
    ck_assert_str_eq(uva_error_text(error), "mine");
    ck_assert_int_eq(uva_error_code(uva_error_cause(error)), KEY_ERROR);

    handle(KEY_ERROR);
    ck_assert_int_eq(uva_fail(VALUE_ERROR, "mine"), VALUE_ERROR);
    error = uva_task_error();
    ck_assert_str_eq(uva_error_text(error), "mine");
    ck_assert_ptr_null(uva_error_cause(error));
}

/* The record of a group's body is taken when the exit begins. */
UVA_TEST(body_of_a_group_keeps_its_words)
{
    uva_taskgroup_t group;
    int code = KEY_ERROR;
    int r;

    ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
    (void)uva_taskgroup_create_task(&group, says, &code, NULL);
    r = uva_fail(VALUE_ERROR, "the body's");
    (void)uva_future_cancel_message(UVA_FUTURE(uva_current_task()),
                                    "another's");
    ck_assert_int_eq(uva_taskgroup_exit(&group, r), UVA_EGROUP);
    ck_assert_uint_eq(uva_error_member_count(uva_task_error()), 1);
    ck_assert_str_eq(uva_error_text(uva_error_member(uva_task_error(), 0)),
                     "the body's");
    (void)uva_task_uncancel(uva_current_task());
}

/* --- codes that nothing can fail with --- */

static const int no_failures[] = {UVA_PENDING, UVA__YIELD, 0, 7};

UVA_TEST(codes_that_are_refused)
{
    uva_future_t *future = uva_create_future();
    uva_reader_t *reader;

    ck_assert_int_eq(uva_reader_new(0, &reader), 0);
    for (size_t i = 0; i < 4; i++) {
        int code = no_failures[i];

        ck_assert_int_eq(uva_future_set_exception(future, code, "text"),
                         UV_EINVAL);
        ck_assert_int_eq(uva_reader_set_exception(reader, code), UV_EINVAL);
        ck_assert_int_eq(uva_fail(code, "text"), UV_EINVAL);
        ck_assert_int_eq(uva_fail(code, NULL), UV_EINVAL);
        ck_assert_ptr_null(uva_task_error());
    }
    ck_assert(!uva_future_done(future));
    ck_assert_int_eq(uva_reader_exception(reader), 0);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    uva_future_unref(future);
    uva_reader_unref(reader);
}

static int returns(void *arg, void **ret_result)
{
    (void)ret_result;
    return *(const int *)arg;
}

static int predicate(void *data)
{
    return *(const int *)data;
}

UVA_TEST(bodies_that_return_no_code)
{
    for (int i = 0; i < 2; i++) {
        int code = no_failures[i];
        uva_attempt_t attempt = {returns, &code};
        uva_condition_t condition = UVA_CONDITION_INIT;
        uva_coroutine_t *coroutine;
        uva_taskgroup_t group;
        int status = 0;

        ck_assert_int_eq(UVA_JOIN(uva_create_task(returns, &code)), UV_EINVAL);
        ck_assert_int_eq(
            uva_staggered_race(&attempt, 1, UVA_FOREVER, NULL, &status),
            UV_ENOENT);
        ck_assert_int_eq(status, UV_EINVAL);

        ck_assert_int_eq(uva_coroutine_new(returns, &code, NULL, &coroutine),
                         0);
        ck_assert_int_eq(uva_coroutine_throw(coroutine, code, NULL), UV_EINVAL);
        ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, NULL), UV_EINVAL);
        uva_coroutine_unref(coroutine);

        ck_assert_int_eq(uva_taskgroup_enter(&group), 0);
        ck_assert_int_eq(uva_taskgroup_exit(&group, code), UVA_EGROUP);
        ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), 0)),
                         UV_EINVAL);

        ck_assert_int_eq(uva_condition_acquire(&condition), 0);
        ck_assert_int_eq(uva_condition_wait_for(&condition, predicate, &code),
                         UV_EINVAL);
        ck_assert_int_eq(uva_condition_release(&condition), 0);
    }
}

/* --- names --- */

START_TEST(names_of_codes)
{
    ck_assert_str_eq(uva_err_name(0), "OK");
    ck_assert_str_eq(uva_err_name(12), "OK");
    ck_assert_str_eq(uva_strerror(12), uva_strerror(0));
    ck_assert_str_eq(uva_err_name(UV_ECANCELED), "ECANCELED");
    ck_assert_str_eq(uva_err_name(UVA_EGROUP), "UVA_EGROUP");
    ck_assert_str_eq(uva_err_name(UVA_PENDING), "UVA_PENDING");
    ck_assert_str_eq(uva_err_name(UVA_EUSER), "UVA_EUSER");
    ck_assert_str_eq(uva_err_name(INT_MIN), "UVA_EUSER-2147453648");
    ck_assert_str_eq(uva_err_name(-25000), "UNKNOWN-25000");
    ck_assert_str_eq(uva_error_text(NULL), "no details");
}
END_TEST

START_TEST(codes_of_a_peer_that_is_gone)
{
    static const int gone[] = {UV_ECONNRESET, UV_EPIPE, UV_ECONNABORTED,
                               UV_ESHUTDOWN, UV_ENOTCONN};
    static const int others[] = {0,
                                 1,
                                 UV_EOF,
                                 UV_ECONNREFUSED,
                                 UV_ETIMEDOUT,
                                 UV_ECANCELED,
                                 UV_ENOMEM,
                                 UVA_EINCOMPLETEREAD,
                                 UVA_EUSER};

    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
        ck_assert(uva_is_disconnect(gone[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert(!uva_is_disconnect(others[i]));
    }
}
END_TEST

START_TEST(names_with_a_number_live_for_a_while)
{
    const char *names[8];

    for (int i = 0; i < 8; i++) {
        names[i] = uva_err_name(UVA_EUSER - 1 - i);
    }
    ck_assert_str_eq(names[0], "UVA_EUSER-1");
    ck_assert_str_eq(names[7], "UVA_EUSER-8");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("failures");
    TCase *record = UVA_TCASE(suite, "Record");
    TCase *codes = UVA_TCASE(suite, "Codes");
    TCase *names = UVA_TCASE(suite, "Names");

    UVA_ADD_TESTS(record, bare_failure_has_no_words_of_an_older_one,
                  no_memory_has_no_words_of_an_older_one,
                  words_outlast_the_clean_up, cause_is_a_failure_of_this_step,
                  body_of_a_group_keeps_its_words);
    UVA_ADD_TESTS(codes, codes_that_are_refused, bodies_that_return_no_code);
    UVA_ADD_TESTS(names, names_of_codes, codes_of_a_peer_that_is_gone,
                  names_with_a_number_live_for_a_while);
    return uva_test_main(suite);
}
