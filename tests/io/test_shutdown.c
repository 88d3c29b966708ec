/*
 * How connections and servers end: the limit of a close, shutting servers down,
 * and what their handlers hear of it.
 */
#include "kinds.h"
#include "net.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/timers.h"
#include "io/server.h"

/* Larger than what the two sockets of a connection hold. */
#define MUCH (32u * 1024u * 1024u)

static char much[MUCH];

/* --- the limit of a close --- */

static uva_connection_options_t limited(uint64_t timeout_ns)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;

    options.close_timeout_ns = timeout_ns;
    return options;
}

KIND_TASK(int, close_writer, uva_writer_t *writer; int r;)
{
    UVA_BEGIN
    uva_writer_close(self->writer);
    AWAIT(self->r, uva_writer_wait_closed, self->writer);
    UVA_END
    return self->r;
}

UVA_NET_TEST(close_ends_after_its_limit)
{
    uva_connection_options_t options = limited(UVA_MS(30));
    uva_test_link_t link;
    uint64_t begun_ns;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
    begun_ns = uva_loop_time(uva_get_running_loop());
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(close_writer, link.writer)),
                     UV_ETIMEDOUT);
    ck_assert_uint_ge(uva_loop_time(uva_get_running_loop()),
                      begun_ns + UVA_MS(30));
    ck_assert_int_eq(uva_transport_fileno(uva_writer_transport(link.writer)),
                     -1);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(close_within_its_limit)
{
    /* The peer reads: all of it arrives, and the timer is gone. */
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t link;
    close_writer_task_t *task;
    size_t left = MUCH;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
    task = KIND_SPAWN(close_writer, link.writer);
    while (left > 0) {
        long count = uva_test_drop(link.fd, left);
        ck_assert_int_ge(count, 0);
        left -= (size_t)count;
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(close_with_nothing_left)
{
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t link;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, "all", 3), 0);
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(close_writer, link.writer)), 0);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    uva_test_expect(link.fd, "all");
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(abort_and_loss_beat_the_limit)
{
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t links[2];

    for (int i = 0; i < 2; i++) {
        uva_test_link(&links[i], &options);
        ck_assert_int_eq(uva_writer_write(links[i].writer, much, MUCH), 0);
        uva_writer_close(links[i].writer);
    }
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 2);
    uva_transport_abort(uva_writer_transport(links[0].writer));
    ck_assert_int_eq(uva_writer_wait_closed(links[0].writer), 0);
    uva_test_reset(links[1].fd);
    ck_assert_int_eq(uva_writer_wait_closed(links[1].writer), UV_ECONNRESET);
    ck_assert_uint_eq(uva_get_running_loop()->timers.wheel.count, 0);
    for (int i = 0; i < 2; i++) {
        uva_reader_unref(links[i].reader);
        uva_writer_unref(links[i].writer);
    }
    close(links[0].fd);
}

UVA_NET_TEST_STRICT(limit_without_memory)
{
    /* The connection ends at once. */
    uva_connection_options_t options = limited(UVA_SEC(600));
    uva_test_link_t link;

    uva_test_link(&link, &options);
    ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
    uva_testing_fail_allocation(1, true);
    uva_writer_close(link.writer);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), UV_ENOMEM);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    close(link.fd);
}

UVA_NET_TEST(options_of_an_older_program)
{
    uva_connection_options_t options = limited(UVA_MS(1));
    uva_test_link_t link;
    uva_reader_t *reader;
    uva_writer_t *writer;

    options.size = offsetof(uva_connection_options_t, close_timeout_ns);
    uva_test_link(&link, &options);
    ck_assert(!uva_writer_transport(link.writer)->close_limited);
    uva_test_unlink(&link);
    options.size--;
    ck_assert_int_eq(
        uva_open_connection("127.0.0.1", "1", &options, &reader, &writer),
        UV_EINVAL);
}

static int serve_much(UVA_UNUSED uva_reader_t *reader,
                      uva_writer_t *writer,
                      UVA_UNUSED void *arg)
{
    return uva_writer_write(writer, much, MUCH); /* Then it is closed. */
}

static uva_server_t *start(uva_client_connected_cb handler,
                           void *arg,
                           const uva_server_options_t *options)
{
    uva_server_t *server;

    ck_assert_int_eq(uva_start_server_callback(handler, arg, "127.0.0.1", "0",
                                               options, &server),
                     0);
    return server;
}

UVA_NET_TEST(limit_of_a_server)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    int fd;

    options.close_timeout_ns = UVA_MS(20);
    server = start(serve_much, NULL, &options);
    fd = uva_test_dial(uva_server_port(server));
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
    close(fd);
}

int main(void)
{
    Suite *suite = suite_create("shutdown");
    TCase *limits = UVA_TCASE(suite, "Limits");

    KIND_ADD_TESTS(limits, close_ends_after_its_limit, close_within_its_limit);
    UVA_ADD_TESTS(limits, close_with_nothing_left,
                  abort_and_loss_beat_the_limit, limit_without_memory,
                  options_of_an_older_program, limit_of_a_server);
    return uva_test_main(suite);
}
