/*
 * What no function takes: callbacks that are missing, sizes and enumerators
 * that are none. It is refused before anything has changed.
 */
#include "net.h"

#define REFUSED(code, expression)           \
    do {                                    \
        ck_assert_int_eq(expression, code); \
    } while (0)

static int serve(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    char byte;

    (void)arg;
    (void)writer;
    return uva_reader_read(reader, &byte, 1);
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

    REFUSED(UV_EINVAL,
            uva_start_server(NULL, NULL, "127.0.0.1", "0", NULL, &server));
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
        uva_start_server(serve, NULL, "127.0.0.1", "0", NULL, &server), 0);
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

int main(void)
{
    Suite *suite = suite_create("refusals");
    TCase *callbacks = UVA_TCASE(suite, "Callbacks");
    TCase *options = UVA_TCASE(suite, "Options");
    TCase *sizes = UVA_TCASE(suite, "Sizes");

    tcase_add_test(callbacks, missing_callbacks);
    tcase_add_test(callbacks, missing_handler);
    tcase_add_test(options, options_of_a_wrong_size);
    tcase_add_test(options, unknown_flags_and_enumerators);
    tcase_add_test(sizes, negative_codes_as_sizes_of_a_reader);
    tcase_add_test(sizes, negative_codes_as_sizes_of_a_write);
    tcase_add_test(sizes, counts_beyond_reason);
    tcase_add_test(sizes, negative_static_semaphore);
    return uva_test_main(suite);
}
