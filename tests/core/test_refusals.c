/*
 * What no function takes: callbacks that are missing, sizes and enumerators
 * that are none. It is refused before anything has changed, and the refusal
 * does not speak with the words of an earlier failure.
 */
#include "net.h"

/* A failure with the same code was told before, and is over. */
#define REFUSED(code, expression)                                 \
    do {                                                          \
        ck_assert_int_eq(uva_fail(code, "an old failure"), code); \
        ck_assert_int_eq(expression, code);                       \
        ck_assert_ptr_null(uva_task_error());                     \
    } while (0)

static int serve(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    char byte;

    (void)arg;
    (void)writer;
    return uva_reader_read(reader, &byte, 1);
}

static int idle(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

static void call(void *data)
{
    ++*(int *)data;
}

static void done(uva_future_t *future, void *data)
{
    (void)future;
    call(data);
}

static void freed(void *data)
{
    *(int *)data += 10;
}

/* --- callbacks --- */

UVA_TEST(missing_callbacks)
{
    uva_condition_t condition = UVA_CONDITION_INIT;
    uva_context_t *context = uva_context_new();
    uva_attempt_t attempts[] = {{NULL, NULL}};

    ck_assert_int_eq(uva_condition_acquire(&condition), 0);
    REFUSED(UV_EINVAL, uva_condition_wait_for(&condition, NULL, NULL));
    ck_assert(uva_condition_locked(&condition));
    REFUSED(UV_EINVAL, uva_context_run(context, NULL, NULL));
    REFUSED(UV_EINVAL, uva_staggered_race(attempts, 1, 0, NULL, NULL));
    uva_context_unref(context);
}

UVA_NET_TEST(missing_handler)
{
    uva_server_t *server = NULL;

    REFUSED(UV_EINVAL, uva_start_server_callback(NULL, NULL, "127.0.0.1", "0",
                                                 NULL, &server));
    ck_assert_ptr_null(server);
}

/* --- options, flags, enumerators --- */

UVA_TEST(options_of_a_wrong_size)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_future_t *future = uva_create_future();
    uva_call_options_t options = {.destroy = freed};
    int calls = 0;

    REFUSED(UV_EINVAL, uva_loop_call_soon(loop, call, &calls, &options, NULL));
    REFUSED(UV_EINVAL, uva_loop_call_at(loop, 1, call, &calls, &options, NULL));
    REFUSED(UV_EINVAL,
            uva_loop_call_later(loop, 1, call, &calls, &options, NULL));
    REFUSED(UV_EINVAL,
            uva_loop_call_soon_threadsafe(loop, call, &calls, &options, NULL));
    REFUSED(UV_EINVAL,
            uva_future_add_done_callback(future, done, &calls, &options));
    uva_future_cancel(future);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(calls, 50); /* Freed each time, called never. */
    uva_future_unref(future);
}

UVA_TEST(unknown_flags_and_enumerators)
{
    uva_queue_t queue = UVA_QUEUE_INIT(1);

    REFUSED(UV_EINVAL,
            uva_queue_set_overflow(&queue, UVA_QUEUE_DROP_NEWEST + 1));
    REFUSED(UV_EINVAL, uva_gather(NULL, 0, UVA_RETURN_EXCEPTIONS << 1, NULL));
    REFUSED(UV_EINVAL, uva_task_set_name(uva_current_task(), NULL));
    REFUSED(UVA_ENOLOOP, uva_loop_print_tasks(NULL, stderr));
}

/* --- sizes and counts --- */

/* What a read that failed has returned, taken for a size. CPython:
 * readexactly(-1) is a ValueError. */
UVA_TEST(negative_codes_as_sizes_of_a_reader)
{
    size_t size = (size_t)UV_EIO;
    uva_reader_t *reader;
    char byte;

    ck_assert_int_eq(uva_reader_new(0, &reader), 0);
    REFUSED(UV_EINVAL, uva_reader_feed_data(reader, "a", size));
    ck_assert_int_eq(uva_reader_feed_data(reader, "a", 1), 0);
    REFUSED(UV_EINVAL, uva_reader_feed_data(reader, "a", size));
    REFUSED(UV_EINVAL, uva_reader_readexactly(reader, &byte, size, NULL));
    ck_assert_int_eq(uva_reader_read(reader, &byte, 1), 1);
    uva_reader_unref(reader);
}

UVA_NET_TEST(negative_codes_as_sizes_of_a_write)
{
    size_t size = (size_t)UV_EIO;
    uva_bytes_t lines[] = {{(const uint8_t *)"a", 1},
                           {(const uint8_t *)"b", size}};
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;

    ck_assert_int_eq(
        uva_start_server_callback(serve, NULL, "127.0.0.1", "0", NULL, &server),
        0);
    ck_assert_int_eq(uva_open_connection("127.0.0.1",
                                         uva_test_port(uva_server_port(server)),
                                         NULL, &reader, &writer),
                     0);
    REFUSED(UV_EINVAL, uva_writer_write(writer, "a", size));
    REFUSED(UV_EINVAL, uva_writer_writelines(writer, lines, 2));
    ck_assert(!uva_writer_is_closing(writer));
    uva_server_close(server);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
}

UVA_TEST(counts_beyond_reason)
{
    uva_attempt_t attempts[] = {{NULL, NULL}};
    uva_as_completed_t iterator;

    REFUSED(UV_EINVAL,
            uva_as_completed_start(&iterator, NULL, SIZE_MAX, UVA_FOREVER));
    REFUSED(UV_EINVAL,
            uva_wait(NULL, SIZE_MAX, 0, UVA_ALL_COMPLETED, NULL, NULL));
    REFUSED(UV_EINVAL, uva_staggered_race(attempts, SIZE_MAX, 0, NULL, NULL));
}

/* A static semaphore of less than nothing has no permit, and not any number
 * of them. */
UVA_TEST(negative_static_semaphore)
{
    uva_semaphore_t semaphore = UVA_SEMAPHORE_INIT(-1);

    ck_assert(uva_semaphore_locked(&semaphore));
    ck_assert_int_eq(uva_semaphore_release(&semaphore), 0);
    ck_assert(uva_semaphore_locked(&semaphore));
    ck_assert_int_eq(uva_semaphore_release(&semaphore), 0);
    ck_assert(!uva_semaphore_locked(&semaphore));
}

/* --- words --- */

/* Nothing has said anything since: uva_task_error would tell an old story, and
 * a body that returns the code would end with it. */
UVA_TEST(words_of_objects)
{
    uva_future_t *future = uva_create_future();
    uva_semaphore_t semaphore;
    uva_barrier_t barrier;
    uva_queue_t queue = UVA_QUEUE_INIT(0);
    uva_taskgroup_t group;
    uva_taskgroup_options_t options = {0};
    uva_timeout_t timeout;

    REFUSED(UV_EINVAL, uva_future_set_exception(future, 1, NULL));
    REFUSED(UV_EINVAL, uva_future_set_error(future, NULL));
    uva_future_cancel(future);
    REFUSED(UVA_EINVALIDSTATE, uva_future_set_result(future, NULL, NULL));
    uva_future_unref(future);
    REFUSED(UV_EINVAL, uva_semaphore_init(&semaphore, -1));
    REFUSED(UV_EINVAL, uva_barrier_init(&barrier, 0));
    REFUSED(UV_EINVAL, uva_select(NULL, 0));
    REFUSED(UV_EINVAL, uva_queue_task_done(&queue));
    REFUSED(UV_EINVAL, uva_taskgroup_enter_with(&group, &options));
    REFUSED(UV_EINVAL, uva_taskgroup_exit(&group, 0));
    uva_timeout_enter(&timeout, UVA_FOREVER);
    REFUSED(UV_EPERM, uva_timeout_enter(&timeout, 0));
    ck_assert_int_eq(uva_timeout_exit(&timeout, 0), 0);
    REFUSED(UV_EPERM, uva_timeout_reschedule(&timeout, 0));
}

UVA_TEST(words_of_coroutines_and_contexts)
{
    static uva_context_var_t variable;
    uva_coroutine_options_t options = {0};
    uva_coroutine_t *coroutine;
    uva_context_token_t token;

    REFUSED(UV_EINVAL, uva_coroutine_new(NULL, NULL, &options, &coroutine));
    REFUSED(UVA_ENOTASK, uva_coroutine_yield(NULL, NULL));
    ck_assert_int_eq(uva_coroutine_new(idle, NULL, NULL, &coroutine), 0);
    REFUSED(UV_EINVAL, uva_coroutine_throw(coroutine, 0, NULL));
    ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, NULL), 0);
    REFUSED(UV_EALREADY, uva_coroutine_send(coroutine, NULL, NULL));
    uva_coroutine_unref(coroutine);
    ck_assert_int_eq(uva_context_var_set(&variable, &variable, &token), 0);
    ck_assert_int_eq(uva_context_var_reset(&variable, &token), 0);
    REFUSED(UV_EPERM, uva_context_var_reset(&variable, &token));
}

UVA_TEST(words_of_loops)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_loop_options_t options = {0};
    uva_shutdown_options_t shutdown = {0};
    uva_loop_t *other;

    REFUSED(UV_EINVAL, uva_loop_new(&options, &other));
    REFUSED(UV_EINVAL, uva_loop_attach(NULL, NULL, &other));
    REFUSED(UV_EPERM, uva_loop_run_forever(loop));
    REFUSED(UV_EPERM, uva_loop_close(loop));
    REFUSED(UV_EPERM, uva_loop_shutdown(loop, NULL));
    REFUSED(UV_EINVAL, uva_loop_shutdown(loop, &shutdown));
    REFUSED(UV_EPERM, uva_loop_detach(loop));
    REFUSED(UV_EPERM, uva_loop_adopt(loop));
    REFUSED(UV_ENOTSUP, uva_loop_set_inside(loop, UVA_INSIDE_NO));
    REFUSED(UV_EPERM, uva_loop_step(loop));
    REFUSED(UV_EPERM, uva_run(idle, NULL, NULL, NULL));
    REFUSED(UV_EINVAL, uva_raise(NULL));
}

UVA_TEST(words_of_futures_of_another_loop)
{
    uva_as_completed_t iterator;
    uva_future_t *futures[1];
    uva_loop_t *other;

    other = new_loop();
    futures[0] = uva_loop_create_future(other);
    REFUSED(UVA_EWRONGLOOP, uva_shield(futures[0], NULL));
    REFUSED(UVA_EWRONGLOOP, uva_cancel_and_wait(futures[0]));
    REFUSED(UVA_EWRONGLOOP,
            uva_as_completed_start(&iterator, UVA_FUTURES(futures), 1,
                                   UVA_FOREVER));
    uva_future_unref(futures[0]);
    end_loop(other);
}

UVA_NET_TEST(words_of_connections)
{
    uva_server_t *server;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_address_t address;

    ck_assert_int_eq(
        uva_start_server_callback(serve, NULL, "127.0.0.1", "0", NULL, &server),
        0);
    ck_assert_int_eq(uva_open_connection("127.0.0.1",
                                         uva_test_port(uva_server_port(server)),
                                         NULL, &reader, &writer),
                     0);
    REFUSED(UV_EINVAL, uva_transport_set_write_buffer_limits(
                           uva_writer_transport(writer), 1, 2));
    ck_assert_int_eq(uva_writer_write_eof(writer), 0);
    REFUSED(UV_EPERM, uva_writer_write(writer, "a", 1));
    uva_transport_abort(uva_writer_transport(writer));
    REFUSED(UV_ENOTCONN,
            uva_transport_get_sockname(uva_writer_transport(writer), &address));
    UVA_IGNORE(uva_connection_close(reader, writer));
    uva_server_close(server);
    REFUSED(UV_EINVAL, uva_server_get_sockname(server, 0, &address));
    REFUSED(UV_EPERM, uva_server_serve_forever(server));
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
}

int main(void)
{
    Suite *suite = suite_create("refusals");
    TCase *callbacks = UVA_TCASE(suite, "Callbacks");
    TCase *options = UVA_TCASE(suite, "Options");
    TCase *sizes = UVA_TCASE(suite, "Sizes");
    TCase *words = UVA_TCASE(suite, "Words");

    UVA_ADD_TESTS(callbacks, missing_callbacks, missing_handler);
    UVA_ADD_TESTS(options, options_of_a_wrong_size,
                  unknown_flags_and_enumerators);
    UVA_ADD_TESTS(sizes, negative_codes_as_sizes_of_a_reader,
                  negative_codes_as_sizes_of_a_write, counts_beyond_reason,
                  negative_static_semaphore);
    UVA_ADD_TESTS(words, words_of_objects, words_of_coroutines_and_contexts,
                  words_of_loops, words_of_futures_of_another_loop,
                  words_of_connections);
    return uva_test_main(suite);
}
