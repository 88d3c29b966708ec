/*
 * Streams over TCP: opening, writing, draining, closing, and what happens when
 * the other side misbehaves. CPython's tests, and what C adds.
 */
#include "kinds.h"
#include "serving.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/transports.h"
#include "streams/streams.h"

#define KIB 1024u

/* --- a server of the loop --- */

static int
serve_lines(uva_reader_t *reader, uva_writer_t *writer, UVA_UNUSED void *arg)
{
    uva_buffer_t line;
    int r;

    while ((r = uva_reader_readline(reader, &line)) > 0) {
        r = uva_writer_write_take(writer, &line);
        if (r < 0 || (r = uva_writer_drain(writer)) < 0) {
            break;
        }
    }
    return r;
}

/* --- opening --- */

KIND_TASK(int, talk, const char *port; int r; uva_reader_t * reader;
          uva_writer_t * writer;
          uva_open_connection_op_t op;
          uva_buffer_t line;)
{
    UVA_BEGIN
    AWAIT_OP(self->r, uva_open_connection, &self->op, "127.0.0.1", self->port,
             NULL, &self->reader, &self->writer);
    if (self->r < 0) {
        return self->r;
    }
    self->r = uva_writer_printf(self->writer, "hello %s!\n", "world");
    ck_assert_int_eq(self->r, 13);
    AWAIT_IS(0, uva_writer_drain, self->writer);
    AWAIT_IS(13, uva_reader_readline, self->reader, &self->line);
    ck_assert_str_eq((char *)self->line.data, "hello world!\n");
    uva_buffer_clear(&self->line);
    ck_assert(!uva_writer_is_closing(self->writer));
    uva_writer_close(self->writer);
    ck_assert(uva_writer_is_closing(self->writer));
    AWAIT_IS(0, uva_writer_wait_closed, self->writer);
    ck_assert(uva_reader_at_eof(self->reader));
    uva_reader_unref(self->reader);
    uva_writer_unref(self->writer);
    UVA_END
    return 0;
}

UVA_NET_TEST(open_connection)
{
    /* test_streams.py, StreamTests.test_open_connection, test_start_server,
     * test_async_writer_api */
    uva_server_t *server = start(serve_lines, NULL, NULL);

    ck_assert_int_eq(
        UVA_JOIN(KIND_SPAWN(talk, uva_test_port(uva_server_port(server)))), 0);
    stop(server);
}

UVA_NET_TEST(open_connection_error)
{
    /* test_streams.py, StreamTests.test_open_connection_error */
    uva_test_link_t link;
    char byte;

    uva_test_link(&link, NULL);
    uva_reader_set_exception(link.reader, UV_EINVAL);
    ck_assert_int_eq(uva_reader_read(link.reader, &byte, 1), UV_EINVAL);
    ck_assert_int_eq(uva_writer_drain(link.writer), UV_EINVAL);
    uva_test_unlink(&link);
}

UVA_NET_TEST(references)
{
    /* Either half keeps both, and the last reference closes the connection. */
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    uva_test_send(link.fd, "ab");
    ck_assert_ptr_eq(uva_reader_ref(link.reader), link.reader);
    ck_assert_ptr_null(uva_reader_unref(link.reader));
    ck_assert_ptr_null(uva_writer_unref(link.writer));
    for (int i = 0; i < 2; i++) {
        char byte;
        ck_assert_int_eq(uva_reader_read(link.reader, &byte, 1), 1);
        ck_assert_int_eq(byte, 'a' + i);
    }
    uva_test_log_begin();
    ck_assert_ptr_null(uva_reader_unref(link.reader));
    uva_test_expect_eof(link.fd);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
    uva_test_close(link.fd);
    ck_assert_ptr_null(uva_writer_unref(NULL));
    ck_assert_ptr_null(uva_writer_ref(NULL));
}

UVA_NET_TEST(unclosed_resource_warnings)
{
    /* test_streams.py, StreamTests.test_unclosed_resource_warnings */
    uva_test_link_t link;

    uva_loop_set_debug(uva_get_running_loop(), true);
    uva_test_link(&link, NULL);
    uva_test_log_begin();
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "was not closed"));
    uva_test_log_end();
    uva_test_expect_eof(link.fd);
    uva_test_close(link.fd);
}

UVA_NET_TEST(addresses)
{
    uva_test_link_t link;
    uva_address_t own;
    uva_address_t peer;
    struct sockaddr_in seen;
    socklen_t size = sizeof seen;

    if (!uva_test_link_is_tcp()) {
        return;
    }
    uva_test_link(&link, NULL);
    ck_assert_int_eq(
        uva_transport_get_sockname(uva_writer_transport(link.writer), &own), 0);
    ck_assert_int_eq(
        uva_transport_get_peername(uva_writer_transport(link.writer), &peer),
        0);
    ck_assert_str_eq(own.host, "127.0.0.1");
    ck_assert_str_eq(peer.host, "127.0.0.1");
    ck_assert_int_eq(peer.family, UVA_FAMILY_IPV4);
    ck_assert_int_eq(getpeername(link.fd, (struct sockaddr *)&seen, &size), 0);
    ck_assert_uint_eq(own.port, ntohs(seen.sin_port));
    ck_assert_int_ge(uva_transport_fileno(uva_writer_transport(link.writer)),
                     0);
    ck_assert_int_eq(
        fcntl(uva_transport_fileno(uva_writer_transport(link.writer)),
              F_GETFD) &
            FD_CLOEXEC,
        FD_CLOEXEC);
    uva_writer_close(link.writer);
    ck_assert_int_eq(uva_transport_fileno(uva_writer_transport(link.writer)),
                     -1);
    ck_assert_int_eq(
        uva_transport_get_sockname(uva_writer_transport(link.writer), &own),
        UV_ENOTCONN);
    /* asyncio: get_extra_info keeps it. */
    ck_assert_int_eq(
        uva_transport_get_peername(uva_writer_transport(link.writer), &own), 0);
    ck_assert_str_eq(own.host, peer.host);
    ck_assert_uint_eq(own.port, peer.port);
    uva_test_unlink(&link);
}

/* --- writing --- */

UVA_NET_TEST(write_and_half_close)
{
    /* asyncio: eof_received keeps a plain connection open for writing. */
    uva_test_link_t link;
    uva_bytes_t lines[] = {UVA_BYTES("c"), UVA_BYTES(""), UVA_BYTES("de")};
    uva_buffer_t buffer;

    uva_test_link(&link, NULL);
    ck_assert_int_eq(uva_writer_write(link.writer, "ab", 2), 0);
    ck_assert_int_eq(uva_writer_write(link.writer, NULL, 0), 0);
    ck_assert_int_eq(uva_writer_writelines(link.writer, lines, 3), 0);
    uva_test_expect(link.fd, "abcde");
    uva_test_send(link.fd, "last words");
    uva_test_shut(link.fd);
    ck_assert_int_eq(uva_reader_read_all(link.reader, UVA_NO_LIMIT, &buffer),
                     10);
    ck_assert_str_eq((char *)buffer.data, "last words");
    uva_buffer_clear(&buffer);
    ck_assert(uva_reader_at_eof(link.reader));
    ck_assert(!uva_writer_is_closing(link.writer));
    ck_assert_int_eq(uva_writer_write(link.writer, "still", 5), 0);
    ck_assert_int_eq(uva_writer_drain(link.writer), 0);
    uva_test_expect(link.fd, "still");
    uva_test_unlink(&link);
}

UVA_NET_TEST(write_eof)
{
    /* test_selector_events.py, SelectorSocketTransportTests.test_write_eof,
     * test_write_eof_after_close */
    uva_test_link_t link;
    uva_bytes_t view;

    uva_test_link(&link, NULL);
    ck_assert(uva_writer_can_write_eof(link.writer));
    ck_assert_int_eq(uva_writer_write(link.writer, "all", 3), 0);
    ck_assert_int_eq(uva_writer_write_eof(link.writer), 0);
    ck_assert_int_eq(uva_writer_write_eof(link.writer), 0);
    ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), UV_EPERM);
    ck_assert_int_eq(uva_writer_write(link.writer, "", 0), UV_EPERM);
    ck_assert_int_eq(uva_writer_printf(link.writer, "x"), UV_EPERM);
    uva_test_expect(link.fd, "all");
    uva_test_expect_eof(link.fd);
    uva_test_send(link.fd, "answer");
    ck_assert_int_eq(uva_reader_read_view(link.reader, 99, &view), 6);
    uva_writer_close(link.writer);
    ck_assert_int_eq(uva_writer_write_eof(link.writer), 0);
    uva_test_unlink(&link);
}

UVA_NET_TEST(writes_of_a_turn_leave_together)
{
    uva_test_link_t link;
    long before;
    char text[64];

    uva_test_link(&link, NULL);
    before = uva_test_segments(
        uva_transport_fileno(uva_writer_transport(link.writer)));
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(uva_writer_write(link.writer, text, sizeof text), 0);
    }
    /* No need to wait, and nothing has left. */
    ck_assert_int_eq(uva_writer_drain(link.writer), 0);
    ck_assert_int_eq(uva_test_drop(link.fd, 6400), 0);
    UVA_TICK();
    ck_assert_int_eq(uva_test_drop(link.fd, 6400), 6400);
    if (before >= 0) {
        ck_assert_int_eq(uva_test_segments(uva_transport_fileno(
                             uva_writer_transport(link.writer))),
                         before + 1);
    }

    /* A lone write is one too, and nothing waits for company. */
    ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), 0);
    uva_test_expect(link.fd, "x");
    if (before >= 0) {
        ck_assert_int_eq(uva_test_segments(uva_transport_fileno(
                             uva_writer_transport(link.writer))),
                         before + 2);
    }
    uva_test_unlink(&link);
}

UVA_NET_TEST(write_copies)
{
    /* What was written is the caller's again, whether it was sent or not. */
    uva_test_link_t link;
    static char block[100 * KIB];
    uva_buffer_t taken = {0};
    size_t total = 0;
    char small[4] = "one";

    uva_test_link(&link, NULL);
    ck_assert_int_eq(uva_writer_write(link.writer, small, 3), 0);
    memcpy(small, "two", 3);
    ck_assert_int_eq(uva_writer_write(link.writer, small, 3), 0);
    memcpy(small, "xxx", 3);
    uva_test_expect(link.fd, "onetwo");

    while (uva_transport_get_write_buffer_size(
               uva_writer_transport(link.writer)) == 0) {
        memset(block, 'a' + (int)(total / sizeof block % 26), sizeof block);
        ck_assert_int_eq(uva_writer_write(link.writer, block, sizeof block), 0);
        total += sizeof block;
    }
    memset(block, '!', sizeof block);
    ck_assert_int_eq(uva_writer_write_take(link.writer, &taken), 0);
    ck_assert_ptr_null(taken.data);
    for (size_t seen = 0; seen < total;) {
        char got[4096];
        ssize_t part = -1;
        bool same = true;
        UVA_TEST_UNTIL((part = uva_test_recv(link.fd, got, sizeof got)) > 0);
        for (ssize_t i = 0; i < part; i++, seen++) {
            same = same && got[i] == 'a' + (int)(seen / sizeof block % 26);
        }
        ck_assert(same);
    }
    uva_test_unlink(&link);
}

UVA_NET_TEST(long_printf)
{
    uva_test_link_t link;
    char text[1500];

    uva_test_link(&link, NULL);
    memset(text, 'y', sizeof text);
    text[1000] = '\0';
    ck_assert_int_eq(uva_writer_printf(link.writer, "%s", text), 1000);
    uva_test_expect(link.fd, text);
    ck_assert_int_eq(uva_writer_printf(link.writer, "%s", ""), 0);
    uva_test_unlink(&link);
}

/* --- views that are sent on --- */

UVA_NET_TEST(view_is_sent_on)
{
    /* A view may end, and its reader go on, before what was written of it has
     * left. */
    uva_test_link_t from;
    uva_test_link_t to;
    uva_bytes_t view;

    uva_test_link(&from, NULL);
    uva_test_link(&to, NULL);
    for (int i = 0; i < 3; i++) {
        uva_test_send(from.fd, "first second third");
        ck_assert_int_eq(uva_reader_read_view(from.reader, 6, &view), 6);
        ck_assert_int_eq(uva_writer_write(to.writer, view.data, view.size), 0);
        ck_assert_int_eq(uva_writer_write(from.writer, view.data, view.size),
                         0);
        ck_assert_int_eq(uva_reader_read_view(from.reader, 99, &view), 12);
        ck_assert_int_eq(uva_writer_write(to.writer, view.data, view.size), 0);
        if (i == 1) {
            ck_assert_int_eq(uva_sleep(0), 0);
        }
        uva_test_expect(to.fd, "first second third");
        uva_test_expect(from.fd, "first ");
    }
    /* The reader goes before the bytes have left. */
    uva_test_send(from.fd, "bye");
    ck_assert_int_eq(uva_reader_read_view(from.reader, 99, &view), 3);
    ck_assert_int_eq(uva_writer_write(to.writer, view.data, view.size), 0);
    uva_test_unlink(&from);
    uva_test_expect(to.fd, "bye");
    uva_test_unlink(&to);
}

UVA_NET_TEST(view_of_a_blocked_writer)
{
    /* The peer takes no more while bytes of a view wait: they stay as they are
     * although more comes in behind them. */
    uva_test_link_t from;
    uva_test_link_t to;
    static char zeros[100 * KIB];
    uva_bytes_t view;
    size_t before;

    uva_test_link(&from, NULL);
    uva_test_link(&to, NULL);
    while (uva_transport_get_write_buffer_size(
               uva_writer_transport(to.writer)) == 0) {
        ck_assert_int_eq(uva_writer_write(to.writer, zeros, sizeof zeros), 0);
    }
    before =
        uva_transport_get_write_buffer_size(uva_writer_transport(to.writer));
    uva_test_send(from.fd, "abcdef");
    ck_assert_int_eq(uva_reader_read_view(from.reader, 99, &view), 6);
    ck_assert_int_eq(uva_writer_write(to.writer, view.data, view.size), 0);
    uva_test_send(from.fd, "ghi");
    ck_assert_int_eq(uva_reader_read_view(from.reader, 99, &view), 3);
    ck_assert_int_eq(uva_writer_write(to.writer, view.data, view.size), 0);
    ck_assert_uint_eq(
        uva_transport_get_write_buffer_size(uva_writer_transport(to.writer)),
        before + 9);
    for (bool ended = false; !ended;) {
        char got[65536];
        ssize_t part = -1;
        UVA_TEST_UNTIL((part = uva_test_recv(to.fd, got, sizeof got)) > 0);
        for (ssize_t i = 0; i < part; i++) {
            if (got[i] != '\0') {
                ck_assert_int_eq(part - i, 9);
                ck_assert_int_eq(memcmp(got + i, "abcdefghi", 9), 0);
                ended = true;
                break;
            }
        }
    }
    uva_test_unlink(&from);
    uva_test_unlink(&to);
}

/* --- draining --- */

KIND_TASK(int, drain, uva_writer_t *writer; int *count; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_writer_drain, self->writer);
    ++*self->count;
    UVA_END
    return self->r;
}

/* Write until a drain would wait. @return Bytes. */
static size_t fill(uva_writer_t *writer)
{
    static char zeros[64 * KIB];
    size_t total = 0;

    while (!writer->paused) {
        ck_assert_int_eq(uva_writer_write(writer, zeros, sizeof zeros), 0);
        total += sizeof zeros;
    }
    return total;
}

UVA_NET_TEST(multiple_drain)
{
    /* test_streams.py, StreamTests.test_multiple_drain */
    uva_test_link_t link;
    drain_task_t *tasks[10];
    size_t total;
    int count = 0;

    uva_test_link(&link, NULL);
    total = fill(link.writer);
    for (int i = 0; i < 10; i++) {
        tasks[i] = KIND_SPAWN(drain, link.writer, &count);
    }
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_int_eq(count, 0);
    while (total > 0) {
        long dropped = uva_test_drop(link.fd, total);
        ck_assert_int_ge(dropped, 0);
        total -= (size_t)dropped;
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(UVA_JOIN(tasks[i]), 0);
    }
    ck_assert_int_eq(count, 10);
    uva_test_unlink(&link);
}

UVA_NET_TEST(drain_costs_nothing_below_the_mark)
{
    uva_test_link_t link;
    uint64_t iterations;

    uva_test_link(&link, NULL);
    iterations = uva_loop_iterations(uva_get_running_loop());
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), 0);
        ck_assert_int_eq(uva_writer_drain(link.writer), 0);
    }
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()), iterations);
    uva_test_unlink(&link);
}

UVA_NET_TEST(drain_goes_on_at_the_low_mark)
{
    /* test_transports.py, and asyncio's rule: pause above high, resume at
     * low. */
    uva_test_link_t link;
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_transport_t *transport;
    drain_task_t *task;
    int turns = 100000;
    int count = 0;
    size_t high;
    size_t low;

    options.high_bytes = 300 * KIB;
    options.low_bytes = 200 * KIB;
    uva_test_link(&link, &options);
    transport = uva_writer_transport(link.writer);
    uva_transport_get_write_buffer_limits(transport, &high, &low);
    ck_assert_uint_eq(high, 300 * KIB);
    ck_assert_uint_eq(low, 200 * KIB);
    (void)fill(link.writer);
    ck_assert_uint_gt(uva_transport_get_write_buffer_size(transport), high);
    task = KIND_SPAWN(drain, link.writer, &count);
    while (count == 0) {
        ck_assert_int_gt(turns--, 0);
        if (uva_transport_get_write_buffer_size(transport) > low) {
            (void)uva_test_drop(link.fd, 4096);
        }
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_uint_le(uva_transport_get_write_buffer_size(transport), low);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    uva_transport_abort(transport);
    uva_test_unlink(&link);
}

UVA_NET_TEST(write_buffer_limits)
{
    /* test_transports.py,
     * TransportTests.test_flowcontrol_mixin_set_write_limits */
    uva_test_link_t link;
    uva_transport_t *transport;
    size_t high;
    size_t low;

    uva_test_link(&link, NULL);
    transport = uva_writer_transport(link.writer);
    uva_transport_get_write_buffer_limits(transport, &high, &low);
    ck_assert_uint_eq(high, 64 * KIB);
    ck_assert_uint_eq(low, 16 * KIB);
    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, 1024, SIZE_MAX), 0);
    uva_transport_get_write_buffer_limits(transport, &high, &low);
    ck_assert_uint_eq(low, 256);
    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, SIZE_MAX, 128), 0);
    uva_transport_get_write_buffer_limits(transport, &high, &low);
    ck_assert_uint_eq(high, 512);
    ck_assert_int_eq(uva_transport_set_write_buffer_limits(transport, 10, 11),
                     UV_EINVAL);
    uva_transport_get_write_buffer_limits(transport, &high, &low);
    ck_assert_uint_eq(high, 512);
    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, SIZE_MAX, SIZE_MAX),
        0);
    uva_transport_get_write_buffer_limits(transport, &high, &low);
    ck_assert_uint_eq(high, 64 * KIB);

    /* 0: any byte that waits pauses, and nothing is collected. */
    ck_assert_int_eq(uva_transport_set_write_buffer_limits(transport, 0, 0), 0);
    ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), 0);
    ck_assert_uint_eq(uva_transport_get_write_buffer_size(transport), 0);
    ck_assert_int_eq(uva_writer_drain(link.writer), 0);
    uva_test_expect(link.fd, "x");
    (void)fill(link.writer);
    ck_assert(link.writer->paused);
    /* A higher mark lets it go on. */
    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, 100000000, 100000000),
        0);
    ck_assert(!link.writer->paused);
    uva_transport_abort(transport);
    uva_test_unlink(&link);
}

/* Send a message of its own again and again, until it fails. */
KIND_TASK(int, send_all, uva_writer_t *writer; int *count; char message[9000];
          int r;)
{
    UVA_BEGIN
    do {
        memset(self->message, 'x', sizeof self->message);
        AWAIT(self->r, uva_writer_send, self->writer, self->message,
              sizeof self->message);
        memset(self->message, '-', sizeof self->message); /* It is its own. */
        *self->count += self->r >= 0;
    } while (self->r >= 0);
    UVA_END
    return self->r;
}

UVA_NET_TEST(send_writes_and_drains)
{
    uva_test_link_t link;
    send_all_task_t *task;
    char got[4096];
    size_t received = 0;
    int count = 0;
    int paused;

    uva_test_link(&link, NULL);
    task = KIND_SPAWN(send_all, link.writer, &count);
    UVA_TEST_UNTIL(link.writer->paused);
    paused = count;
    for (int i = 0; i < 20; i++) {
        UVA_TICK();
    }
    ck_assert_int_eq(count, paused);
    /* Each message is written once, though the poll is called twice. */
    while (count < paused + 50) {
        ssize_t part = uva_test_recv(link.fd, got, sizeof got);
        for (ssize_t i = 0; i < part; i++) {
            ck_assert_int_eq(got[i], 'x');
        }
        received += part > 0 ? (size_t)part : 0;
        UVA_TICK();
    }
    UVA_TEST_UNTIL(link.writer->paused);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    /* What was written stays, that of the cancelled call too. */
    uva_writer_close(link.writer);
    for (;;) {
        long part = uva_test_drop(link.fd, 1 << 20);
        if (part < 0) {
            break;
        }
        received += (size_t)part;
        UVA_TICK();
    }
    ck_assert_uint_eq(received, ((size_t)count + 1) * 9000);
    uva_test_unlink(&link);
}

UVA_NET_TEST(send_fails_as_write_and_as_drain)
{
    uva_test_link_t link;
    int count = 0;

    uva_test_link(&link, NULL);
    ck_assert_int_eq(uva_writer_send(link.writer, "x", 1), 0);
    uva_test_expect(link.fd, "x");
    ck_assert_int_eq(uva_writer_send(link.writer, "x", SIZE_MAX), UV_EINVAL);
    uva_transport_abort(uva_writer_transport(link.writer));
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(send_all, link.writer, &count)),
                     UV_ECONNRESET);
    ck_assert_int_eq(count, 0);
    uva_test_unlink(&link);
}

UVA_NET_TEST(drain_raises)
{
    /* test_streams.py, StreamTests.test_drain_raises */
    uva_test_link_t link;
    int r = 0;

    uva_test_link(&link, NULL);
    uva_test_close(link.fd);
    link.fd = -1;
    for (int i = 0; r == 0; i++) {
        ck_assert_int_lt(i, 100000);
        ck_assert_int_eq(uva_writer_write(link.writer, "foo\n", 4), 0);
        r = uva_writer_drain(link.writer);
        if (r == 0) {
            r = uva_sleep(0);
        }
    }
    ck_assert(r == UV_ECONNRESET || r == UV_EPIPE);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer),
                     uva_reader_exception(link.reader));
    uva_test_unlink(&link);
}

UVA_NET_TEST(write_to_a_lost_connection)
{
    /* test_selector_events.py, SelectorSocketTransportTests.test_write_closing:
     * dropped, with a warning from the fifth on. */
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    uva_transport_abort(uva_writer_transport(link.writer));
    uva_test_log_begin();
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), 0);
    }
    ck_assert_str_eq(uva_test_log(), "");
    ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), 0);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "dropped"));
    uva_test_log_end();
    uva_test_unlink(&link);
}

UVA_NET_TEST(drain_after_close)
{
    /* test_streams.py,
     * StreamTests.test_async_writer_api_exception_after_close */
    uva_test_link_t link;
    int count = 0;

    uva_test_link(&link, NULL);
    uva_writer_close(link.writer);
    ck_assert_int_eq(uva_writer_write(link.writer, "data", 4), 0);
    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(drain, link.writer, &count)),
                     UV_ECONNRESET);
    uva_test_unlink(&link);
}

UVA_NET_TEST(drains_wake_when_the_connection_is_lost)
{
    uva_test_link_t link;
    drain_task_t *task;
    int count = 0;

    /* With a reason: they get it. */
    uva_test_link(&link, NULL);
    (void)fill(link.writer);
    task = KIND_SPAWN(drain, link.writer, &count);
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_test_reset(link.fd);
    link.fd = -1;
    ck_assert_int_eq(UVA_JOIN(task), UV_ECONNRESET);
    uva_test_unlink(&link);

    /* Without one: they return as if all were well. */
    uva_test_link(&link, NULL);
    (void)fill(link.writer);
    task = KIND_SPAWN(drain, link.writer, &count);
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_transport_abort(uva_writer_transport(link.writer));
    ck_assert_int_eq(UVA_JOIN(task), 0);
    uva_test_unlink(&link);
}

/* --- reading ahead --- */

UVA_NET_TEST(back_pressure)
{
    /* Reading pauses at twice the limit, and goes on at the limit; a read that
     * waits goes on in any case. */
    uva_test_link_t link;
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_transport_t *transport;
    static char bytes[1000 * KIB];
    size_t sent;
    size_t held;

    options.limit_bytes = 8 * KIB;
    uva_test_link(&link, &options);
    transport = uva_writer_transport(link.writer);
    sent = uva_test_stuff(link.fd, sizeof bytes);
    UVA_TEST_UNTIL(!uva_transport_is_reading(transport));
    held = link.reader->in.size;
    ck_assert_uint_gt(held, 16 * KIB);
    sent += uva_test_stuff(link.fd, sizeof bytes - sent);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_uint_eq(link.reader->in.size, held);
    /* Down to just above the limit, then to the limit. */
    ck_assert_int_eq(
        uva_reader_readexactly(link.reader, bytes, held - 8 * KIB - 1, NULL),
        (int)(held - 8 * KIB - 1));
    ck_assert(!uva_transport_is_reading(transport));
    ck_assert_int_eq(uva_reader_read(link.reader, bytes, 1), 1);
    ck_assert(uva_transport_is_reading(transport));
    sent -= held - 8 * KIB;
    UVA_TEST_UNTIL(!uva_transport_is_reading(transport));
    /* More than the reader would ever hold. */
    ck_assert_int_eq(uva_reader_readexactly(link.reader, bytes, sent, NULL),
                     (int)sent);
    uva_test_unlink(&link);
}

/* Many connections on which much comes at once. */
enum {
    CROWD = 64,
    CROWD_BYTES = 60 * KIB
};

typedef struct crowd_s {
    uva_test_link_t links[CROWD];
    uva_taskgroup_t readers;
    size_t sent;
    size_t got;
    size_t most_bytes; /* Allocated, at any wake-up. */
    size_t given_up;
    bool gives_up; /* The first to read aborts the others. */
    bool answers;  /* The next to read answers. */
    int answered;  /* The descriptor of its peer. */
} crowd_t;

static void crowd_give_up(crowd_t *crowd, size_t first)
{
    for (size_t i = 0; i < CROWD; i++) {
        if (i != first) {
            uva_transport_abort(uva_writer_transport(crowd->links[i].writer));
        }
    }
    crowd->gives_up = false;
}

/* To the end of the stream. */
UVA_TASK(int, crowd_read, crowd_t *crowd; size_t index;)
{
    crowd_t *crowd = args->crowd;
    uva_bytes_t view;
    int r;

    (void)ret;
    while ((r = uva_reader_read_view(crowd->links[args->index].reader,
                                     CROWD_BYTES, &view)) > 0) {
        crowd->got += (size_t)r;
        if (uva_allocated_bytes() > crowd->most_bytes) {
            crowd->most_bytes = uva_allocated_bytes();
        }
        if (crowd->gives_up) {
            crowd_give_up(crowd, args->index);
        }
        if (crowd->answers) {
            crowd->answers = false;
            crowd->answered = crowd->links[args->index].fd;
            r = uva_writer_write(crowd->links[args->index].writer, "!", 1);
            ck_assert_int_eq(r, 0);
        }
    }
    crowd->given_up += crowd->got < crowd->sent;
    return 0;
}

static void crowd_begin(crowd_t *crowd)
{
    ck_assert_int_eq(uva_taskgroup_enter(&crowd->readers), 0);
    for (size_t i = 0; i < CROWD; i++) {
        uva_test_link(&crowd->links[i], NULL);
        (void)uva_taskgroup_spawn(&crowd->readers, crowd_read, crowd, i);
    }
}

static void crowd_send(crowd_t *crowd)
{
    for (size_t i = 0; i < CROWD; i++) {
        crowd->sent += uva_test_stuff(crowd->links[i].fd, CROWD_BYTES);
    }
}

static void crowd_end(crowd_t *crowd)
{
    for (size_t i = 0; i < CROWD; i++) {
        uva_test_shut(crowd->links[i].fd); /* Some are reset. */
    }
    ck_assert_int_eq(uva_taskgroup_exit(&crowd->readers, 0), 0);
    for (size_t i = 0; i < CROWD; i++) {
        uva_test_unlink(&crowd->links[i]);
    }
}

UVA_NET_TEST(reads_come_in_portions)
{
    static crowd_t crowd;
    size_t begin_bytes = uva_allocated_bytes();

    if (uva_test_link_is_memory()) { /* What is on its way counts there too. */
        return;
    }
    crowd = (crowd_t){0};
    crowd_begin(&crowd);
    for (int i = 0; i < 5; i++) { /* They learn to expect as much. */
        crowd_send(&crowd);
        UVA_TEST_UNTIL(crowd.got == crowd.sent);
    }
    /* A portion of 192 KiB, and what the connections take by themselves. */
    ck_assert_uint_lt(crowd.most_bytes - begin_bytes, 1180 * KIB);
    crowd_end(&crowd);
    ck_assert_uint_eq(crowd.given_up, 0);
}

static int polls;

static void count_poll(UVA_UNUSED uv_check_t *check)
{
    polls++;
}

static bool crowd_has_answer(const crowd_t *crowd)
{
    struct pollfd peer = {.fd = crowd->answered, .events = POLLIN};

    return poll(&peer, 1, 0) == 1;
}

/* Several looks, one an iteration here, to each poll; what was written goes out
 * at each look. */
UVA_NET_TEST(late_connections_are_read_before_the_next_poll)
{
    static crowd_t crowd;
    static uv_check_t check;
    uva_loop_t *loop = uva_get_running_loop();
    size_t half;

    if (uva_test_link_is_memory()) { /* There are no polls. */
        return;
    }
    crowd = (crowd_t){0};
    crowd_begin(&crowd);
    crowd_send(&crowd);
    UVA_TEST_UNTIL(crowd.got == crowd.sent);
    loop->limits.steps = 1;
    loop->turn.fitting_steps = 1;
    ck_assert_int_eq(uv_check_init(uva__loop_uv(loop), &check), 0);
    ck_assert_int_eq(uv_check_start(&check, count_poll), 0);
    half = crowd.got;
    crowd_send(&crowd);
    half += (crowd.sent - crowd.got) / 4;
    crowd.answers = true;
    polls = 0;
    UVA_TEST_UNTIL(crowd.got >= half);
    ck_assert_int_le(polls, 2);
    ck_assert(crowd_has_answer(&crowd));
    UVA_TEST_UNTIL(crowd.got == crowd.sent);
    ck_assert_int_ge(polls, 2);
    ck_assert_int_le(polls, 8);
    ck_assert(!loop->behind);
    uv_close((uv_handle_t *)&check, NULL);
    crowd_end(&crowd);
}

/* What small requests have brought in does not add up over the turns. */
UVA_NET_TEST(read_budget_ends_with_the_answers)
{
    uva_loop_t *loop = uva_get_running_loop();
    uva_test_link_t link;
    uva_bytes_t view;

    if (uva_test_link_is_memory()) { /* A virtual loop renews it before a task
                                        can look. */
        return;
    }
    uva_test_link(&link, NULL);
    uva_test_send(link.fd, "question");
    ck_assert_int_eq(uva_reader_read_view(link.reader, 100, &view), 8);
    ck_assert_uint_eq(UVA__IO_OF(loop)->spent_bytes, 8);
    ck_assert_int_eq(uva_writer_write(link.writer, "answer", 6), 0);
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    uva_test_expect(link.fd, "answer");
    ck_assert_uint_eq(UVA__IO_OF(loop)->spent_bytes, 0);
    uva_test_unlink(&link);
}

UVA_NET_TEST(deferred_connections_are_aborted)
{
    static crowd_t crowd;

    crowd = (crowd_t){0};
    crowd_begin(&crowd);
    crowd_send(&crowd);
    crowd.gives_up = true;
    UVA_TEST_UNTIL(crowd.given_up > 0);
    crowd_end(&crowd);
    ck_assert_uint_gt(crowd.given_up, CROWD / 2);
}

UVA_NET_TEST(explicit_pause)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_pause_resume_reading */
    uva_test_link_t link;
    uva_transport_t *transport;
    char bytes[8];

    uva_test_link(&link, NULL);
    transport = uva_writer_transport(link.writer);
    for (int i = 0; i < 2; i++) {
        uva_transport_pause_reading(transport);
        ck_assert(!uva_transport_is_reading(transport));
    }
    uva_test_send(link.fd, "late");
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_uint_eq(link.reader->in.size, 0);
    for (int i = 0; i < 2; i++) {
        uva_transport_resume_reading(transport);
        ck_assert(uva_transport_is_reading(transport));
    }
    ck_assert_int_eq(uva_reader_read(link.reader, bytes, 8), 4);
    uva_writer_close(link.writer);
    uva_transport_pause_reading(transport);
    uva_transport_resume_reading(transport);
    ck_assert(!uva_transport_is_reading(transport));
    uva_test_unlink(&link);
}

typedef struct flood_s {
    size_t total;
    size_t seen;
    size_t peak; /* Most bytes that waited to be sent. */
} flood_t;

KIND_TASK(int, flood_out, uva_writer_t *writer; flood_t * flood; size_t sent;
          int r;)
{
    uint8_t block[4096];

    UVA_BEGIN
    while (self->sent < self->flood->total) {
        size_t waiting;
        for (size_t i = 0; i < sizeof block; i++) {
            block[i] = (uint8_t)((self->sent + i) * 31 >> 3);
        }
        self->r = uva_writer_write(self->writer, block, sizeof block);
        ck_assert_int_eq(self->r, 0);
        self->sent += sizeof block;
        waiting = uva_transport_get_write_buffer_size(
            uva_writer_transport(self->writer));
        if (waiting > self->flood->peak) {
            self->flood->peak = waiting;
        }
        AWAIT_IS(0, uva_writer_drain, self->writer);
    }
    self->r = uva_writer_write_eof(self->writer);
    UVA_END
    return self->r;
}

KIND_TASK(int, flood_in, uva_reader_t *reader; flood_t * flood;
          uva_bytes_t view;
          int r;)
{
    bool same;

    UVA_BEGIN
    for (;;) {
        AWAIT(self->r, uva_reader_read_view, self->reader, 5000, &self->view);
        if (self->r <= 0) {
            break;
        }
        same = true;
        for (size_t i = 0; i < self->view.size; i++) {
            uint8_t expected = (uint8_t)((self->flood->seen + i) * 31 >> 3);
            same = same && self->view.data[i] == expected;
        }
        ck_assert(same);
        self->flood->seen += self->view.size;
        if (self->flood->seen % 7 == 0) {
            AWAIT(self->r, uva_sleep, 0);
        }
    }
    UVA_END
    return self->r;
}

typedef struct flood_server_s {
    flood_t out;
    flood_t in;
} flood_server_t;

static int serve_flood(uva_reader_t *reader, uva_writer_t *writer, void *arg)
{
    flood_server_t *server = arg;
    flood_out_task_t *out = KIND_SPAWN(flood_out, writer, &server->out);
    flood_in_task_t *in = KIND_SPAWN(flood_in, reader, &server->in);
    int r = UVA_JOIN(in);

    return r < 0 ? r : UVA_JOIN(out);
}

UVA_NET_TEST(ten_thousand_kib_both_ways)
{
    flood_server_t flood = {{10000 * KIB, 0, 0}, {0}};
    flood_t out = {10000 * KIB, 0, 0};
    flood_t in = {0};
    uva_server_t *server = start(serve_flood, &flood, NULL);
    uva_reader_t *reader;
    uva_writer_t *writer;
    flood_out_task_t *writing;
    flood_in_task_t *reading;

    dial(server, &reader, &writer);
    writing = KIND_SPAWN(flood_out, writer, &out);
    reading = KIND_SPAWN(flood_in, reader, &in);
    ck_assert_int_eq(UVA_JOIN(writing), 0);
    ck_assert_int_eq(UVA_JOIN(reading), 0);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    stop(server);
    ck_assert_uint_eq(in.seen, 10000 * KIB);
    ck_assert_uint_eq(flood.in.seen, 10000 * KIB);
    /* The marks held. */
    ck_assert_uint_le(out.peak, 64 * KIB + 4096);
    ck_assert_uint_le(flood.out.peak, 64 * KIB + 4096);
}

/* --- losing the connection --- */

UVA_NET_TEST(reset_while_reading)
{
    uva_test_link_t link;
    uva_bytes_t view;
    char byte;

    if (!uva_test_link_resets()) {
        return;
    }
    uva_test_link(&link, NULL);
    uva_test_send(link.fd, "x");
    UVA_TEST_UNTIL(link.reader->in.size == 1);
    uva_test_reset(link.fd);
    link.fd = -1;
    /* What was not read comes first: stream_edges.Lost. */
    UVA_TEST_UNTIL(uva_reader_exception(link.reader) < 0);
    ck_assert_int_eq(uva_reader_read(link.reader, &byte, 1), 1);
    ck_assert_int_eq(uva_reader_read(link.reader, &byte, 1), UV_ECONNRESET);
    uva_test_unlink(&link);

    uva_test_link(&link, NULL);
    uva_test_reset(link.fd);
    link.fd = -1;
    ck_assert_int_eq(uva_reader_readline_view(link.reader, &view),
                     UV_ECONNRESET);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), UV_ECONNRESET);
    ck_assert_int_eq(uva_writer_drain(link.writer), UV_ECONNRESET);
    uva_test_unlink(&link);
}

UVA_NET_TEST(reset_while_writing)
{
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    (void)fill(link.writer);
    uva_test_reset(link.fd);
    link.fd = -1;
    ck_assert_int_eq(uva_writer_drain(link.writer), UV_ECONNRESET);
    ck_assert_int_eq(uva_connection_close(link.reader, link.writer),
                     UV_ECONNRESET);
}

/* The peer reads a little of what is written, ends its stream, and goes. A
 * plain write to it raises SIGPIPE. */
static int no_sigpipe(UVA_UNUSED void *arg, UVA_UNUSED void **ret_result)
{
    (void)signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 20; i++) {
        uva_test_link_t link;
        int r = 0;
        uva_test_link(&link, NULL);
        uva_test_shut(link.fd);
        (void)fill(link.writer);
        if (i % 2 == 0) {
            UVA_TEST_UNTIL(link.reader->in.eof);
        }
        (void)uva_test_drop(link.fd, 1000);
        uva_test_close(link.fd);
        link.fd = -1;
        for (int j = 0; r == 0 && j < 100000; j++) {
            r = uva_writer_write(link.writer, "x", 1);
            r = r < 0 ? r : uva_writer_drain(link.writer);
            r = r < 0 ? r : uva_sleep(0);
        }
        ck_assert(r == UV_EPIPE || r == UV_ECONNRESET);
        uva_test_unlink(&link);
    }
    return 0;
}

START_TEST(sigpipe)
{
    ck_child_passes(no_sigpipe);
}
END_TEST

/* --- closing --- */

UVA_NET_TEST(wait_closed_on_close)
{
    /* test_streams.py, StreamTests.test_wait_closed_on_close,
     * test_wait_closed_on_close_with_unread_data,
     * test_eof_feed_when_closing_writer */
    uva_test_link_t link;
    uva_bytes_t view;

    uva_test_link(&link, NULL);
    uva_test_send(link.fd, "line\nunread");
    ck_assert_int_eq(uva_reader_readline_view(link.reader, &view), 5);
    ck_assert(!uva_writer_is_closing(link.writer));
    uva_writer_close(link.writer);
    uva_writer_close(link.writer);
    ck_assert(uva_writer_is_closing(link.writer));
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), 0);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), 0);
    ck_assert_int_eq(uva_reader_read_view(link.reader, 99, &view), 6);
    ck_assert(uva_reader_at_eof(link.reader));
    ck_assert_int_eq(uva_reader_read_view(link.reader, 99, &view), 0);
    uva_test_unlink(&link);
}

UVA_NET_TEST(close_sends_what_was_written)
{
    /* test_selector_events.py, SelectorSocketTransportTests
     * .test_close_write_buffer */
    uva_test_link_t link;
    size_t total;

    uva_test_link(&link, NULL);
    total = fill(link.writer);
    uva_writer_close(link.writer);
    ck_assert_int_eq(uva_writer_write(link.writer, "more", 4), 0);
    total += 4;
    while (total > 0) {
        long dropped = uva_test_drop(link.fd, total);
        ck_assert_int_ge(dropped, 0);
        total -= (size_t)dropped;
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    uva_test_expect_eof(link.fd);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), 0);
    uva_test_unlink(&link);
}

UVA_NET_TEST(abort_drops_what_was_written)
{
    /* test_selector_events.py, SelectorTransportTests.test_abort */
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    (void)fill(link.writer);
    uva_writer_close(link.writer);
    if (!uva_test_link_is_memory()) {
        ck_assert_int_ge(
            uva_transport_fileno(uva_writer_transport(link.writer)), 0);
    }
    uva_transport_abort(uva_writer_transport(link.writer));
    ck_assert_int_eq(uva_transport_fileno(uva_writer_transport(link.writer)),
                     -1);
    ck_assert_uint_eq(
        uva_transport_get_write_buffer_size(uva_writer_transport(link.writer)),
        0);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), 0);
    uva_test_unlink(&link);
}

KIND_TASK(int, close_both, uva_test_link_t link; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_connection_close, self->link.reader, self->link.writer);
    UVA_END
    return self->r;
}

UVA_NET_TEST(connection_close)
{
    uva_test_link_t link;
    close_both_task_t *task;
    uint64_t iterations;
    size_t total;

    /* At once when nothing is unsent. */
    uva_test_link(&link, NULL);
    ck_assert_int_eq(uva_writer_write(link.writer, "last", 4), 0);
    iterations = uva_loop_iterations(uva_get_running_loop());
    ck_assert_int_eq(uva_connection_close(link.reader, link.writer), 0);
    ck_assert_uint_eq(uva_loop_iterations(uva_get_running_loop()), iterations);
    uva_test_expect(link.fd, "last");
    uva_test_expect_eof(link.fd);
    uva_test_close(link.fd);

    /* Until all is sent when the peer is slow. */
    uva_test_link(&link, NULL);
    total = fill(link.writer);
    task = KIND_SPAWN(close_both, link);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert(!UVA_DONE(task));
    while (total > 0) {
        total -= (size_t)uva_test_drop(link.fd, total);
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_int_eq(UVA_JOIN(task), 0);
    uva_test_expect_eof(link.fd);
    uva_test_close(link.fd);

    /* A reader of its own has nothing to send. */
    ck_assert_int_eq(uva_reader_new(0, &link.reader), 0);
    ck_assert_int_eq(uva_connection_close(link.reader, NULL), 0);
    ck_assert_int_eq(uva_connection_close(NULL, NULL), 0);
}

KIND_TASK(int, close_and_go_on, uva_test_link_t link; int r;)
{
    UVA_BEGIN
    AWAIT_IS(0, uva_connection_close, self->link.reader, self->link.writer);
    /* Nobody looked at a result; the cancellation is not lost. */
    AWAIT(self->r, uva_sleep, 0);
    UVA_END
    return self->r;
}

UVA_NET_TEST(connection_close_when_cancelled)
{
    uva_test_link_t link;
    close_and_go_on_task_t *going_on;
    close_both_task_t *ending;
    size_t total;

    /* While it waits; what was written is sent all the same. */
    uva_test_link(&link, NULL);
    total = fill(link.writer);
    going_on = KIND_SPAWN(close_and_go_on, link);
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_task_cancel(UVA_ERASE(going_on));
    ck_assert_int_eq(UVA_JOIN(going_on), UV_ECANCELED);
    while (total > 0) {
        total -= (size_t)uva_test_drop(link.fd, total);
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    uva_test_expect_eof(link.fd);
    uva_test_close(link.fd);

    /* A body that ends behind it is cancelled too. */
    uva_test_link(&link, NULL);
    (void)fill(link.writer);
    ending = KIND_SPAWN(close_both, link);
    ck_assert_int_eq(uva_sleep(0), 0);
    uva_task_cancel(UVA_ERASE(ending));
    ck_assert_int_eq(UVA_JOIN(ending), UV_ECANCELED);
    uva_test_reset(link.fd);
}

static void close_without_task(void *data)
{
    uva_test_link_t *link = data;

    ck_assert_int_eq(uva_connection_close(link->reader, link->writer), 0);
}

UVA_NET_TEST(connection_close_without_a_task)
{
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    ck_assert_int_eq(uva_writer_write(link.writer, "bye", 3), 0);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, close_without_task, &link, NULL, NULL), 0);
    uva_test_expect(link.fd, "bye");
    uva_test_expect_eof(link.fd);
    uva_test_close(link.fd);
}

/* --- cancelling what awaits --- */

typedef enum await_op_e {
    AWAIT_READ,
    AWAIT_READ_LARGE,
    AWAIT_EXACTLY,
    AWAIT_DRAIN,
    AWAIT_CLOSED,
    AWAIT_OPS
} await_op_t;

KIND_TASK(int, awaiting, uva_test_link_t *link; await_op_t op; char *bytes;
          size_t size;
          int r;)
{
    UVA_BEGIN
    if (self->op == AWAIT_DRAIN) {
        AWAIT(self->r, uva_writer_drain, self->link->writer);
    } else if (self->op == AWAIT_CLOSED) {
        AWAIT(self->r, uva_writer_wait_closed, self->link->writer);
    } else if (self->op == AWAIT_EXACTLY) {
        AWAIT(self->r, uva_reader_readexactly, self->link->reader, self->bytes,
              self->size, NULL);
    } else {
        AWAIT(self->r, uva_reader_read, self->link->reader, self->bytes,
              self->size);
    }
    UVA_END
    return self->r;
}

UVA_NET_TEST(cancel_each)
{
    static char bytes[100 * KIB];

    for (int op = 0; op < AWAIT_OPS; op++) {
        uva_test_link_t link;
        awaiting_task_t *task;
        uva_bytes_t view;

        uva_test_link(&link, NULL);
        if (op == AWAIT_DRAIN) {
            (void)fill(link.writer);
        }
        task = KIND_SPAWN(awaiting, &link, (await_op_t)op, bytes,
                          op == AWAIT_READ ? 10 : sizeof bytes);
        ck_assert_int_eq(uva_sleep(0), 0);
        uva_test_send(link.fd, "abc");
        if (op == AWAIT_EXACTLY) {
            /* Some of it is in the memory of the task already. */
            UVA_TEST_UNTIL(link.reader->in.filled == 3);
        }
        uva_task_cancel(UVA_ERASE(task));
        ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
        memset(bytes, 0, sizeof bytes);
        ck_assert_int_eq(uva_reader_read_view(link.reader, 99, &view), 3);
        ck_assert_int_eq(memcmp(view.data, "abc", 3), 0);
        uva_transport_abort(uva_writer_transport(link.writer));
        uva_test_unlink(&link);
    }
}

UVA_NET_TEST(timeout_of_a_read)
{
    uva_test_link_t link;
    uva_bytes_t view;
    int r = 0;

    uva_test_link(&link, NULL);
    UVA_TIMEOUT (r, UVA_MS(1)) {
        r = uva_reader_readline_view(link.reader, &view);
    }
    ck_assert_int_eq(r, UV_ETIMEDOUT);
    uva_test_send(link.fd, "late\n");
    ck_assert_int_eq(uva_reader_readline_view(link.reader, &view), 5);
    uva_test_unlink(&link);
}

/* --- without memory --- */

UVA_NET_TEST_STRICT(oom_write)
{
    uva_test_link_t link;
    static char block[200 * KIB];
    size_t total = 0;

    uva_test_link(&link, NULL);
    UVA_OOM_TEST(uva_writer_write(link.writer, "abc", 3));
    UVA_OOM_TEST(uva_writer_printf(link.writer, "%600d", 7));
    uva_test_expect(link.fd, "abc");
    UVA_TEST_UNTIL((total += (size_t)uva_test_drop(link.fd, 600)) == 600);
    (void)fill(link.writer);
    UVA_OOM_TEST(uva_writer_write(link.writer, block, sizeof block));
    ck_assert(!uva_writer_is_closing(link.writer));
    uva_transport_abort(uva_writer_transport(link.writer));
    uva_test_unlink(&link);
}

UVA_NET_TEST_STRICT(oom_write_of_a_part)
{
    /* Some has left, the rest cannot be kept: the connection is lost. */
    uva_test_link_t link;
    static char block[20000 * KIB];
    int r;

    uva_test_link(&link, NULL);
    /* In memory the first one is for what the peer gets. */
    uva_testing_fail_allocation(uva_test_link_is_memory() ? 2 : 1, false);
    r = uva_writer_write(link.writer, block, sizeof block);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(r, UV_ENOMEM);
    ck_assert(uva_writer_is_closing(link.writer));
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), UV_ENOMEM);
    uva_test_unlink(&link);
}

UVA_NET_TEST_STRICT(oom_read)
{
    /* No block: the common buffer takes the bytes, and a waiter's own place
     * needs no memory. */
    uva_test_link_t link;
    char bytes[8];
    uva_bytes_t view;

    uva_test_link(&link, NULL);
    uva_test_send(link.fd, "abc");
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(uva_reader_read(link.reader, bytes, 8), 3);
    uva_testing_fail_allocation(0, false);

    /* Bytes that nobody can keep: the connection is lost with that. */
    uva_test_send(link.fd, "def");
    uva_testing_fail_allocation(1, true);
    ck_assert_int_eq(uva_reader_read_view(link.reader, 8, &view), UV_ENOMEM);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(uva_writer_wait_closed(link.writer), UV_ENOMEM);
    uva_test_unlink(&link);
}

/* --- other loops --- */

/* Hosts are those of a network in memory: tests/io/test_network.c. Descriptors
 * need a poll. */
static int open_on_virtual(UVA_UNUSED void *arg, UVA_UNUSED void **ret_result)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    uva_server_t *server;
    int fd = 0;

    options.fds = &fd;
    options.fd_count = 1;
    ck_assert_int_eq(uva_start_server_callback(serve_lines, NULL, NULL, NULL,
                                               &options, &server),
                     UV_ENOTSUP);
    return 0;
}

START_TEST(virtual_loop)
{
    ck_assert_int_eq(uva_test_run(open_on_virtual, NULL), 0);
}
END_TEST

static int read_elsewhere(void *arg, UVA_UNUSED void **ret_result)
{
    uva_test_link_t *link = arg;
    uva_bytes_t view;

    return uva_reader_read_view(link->reader, 9, &view);
}

static int wait_elsewhere(void *arg, UVA_UNUSED void **ret_result)
{
    uva_test_link_t *link = arg;

    return uva_writer_wait_closed(link->writer);
}

static int make_link(void *arg, UVA_UNUSED void **ret_result)
{
    uva_test_link(arg, NULL);
    return 0;
}

static int drop_link(void *arg, UVA_UNUSED void **ret_result)
{
    uva_test_unlink(arg);
    return 0;
}

static int run_on(uva_loop_t *loop, uva_coro_cb body, void *arg)
{
    uva_task_t *task = uva_loop_create_task(loop, body, arg, NULL);
    int r = uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL);

    uva_task_unref(task);
    return r;
}

START_TEST(wrong_loop)
{
    uva_test_mark_t mark = uva_test_net_mark();
    uva_loop_t *own;
    uva_loop_t *other;
    uva_test_link_t link;

    ck_assert_int_eq(uva_loop_new(NULL, &own), 0);
    ck_assert_int_eq(uva_loop_new(NULL, &other), 0);
    ck_assert_int_eq(run_on(own, make_link, &link), 0);
    ck_assert_int_eq(run_on(other, read_elsewhere, &link), UVA_EWRONGLOOP);
    ck_assert_int_eq(run_on(other, wait_elsewhere, &link), UVA_EWRONGLOOP);
    /* A connection is an operation in flight. */
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_close(own), UV_EBUSY);
    uva_test_log_end();
    ck_assert_int_eq(run_on(own, drop_link, &link), 0);
    ck_assert_int_eq(uva_loop_close(own), 0);
    ck_assert_int_eq(uva_loop_close(other), 0);
    uva_loop_unref(own);
    uva_loop_unref(other);
    uva_test_nothing_left(mark);
}
END_TEST

START_TEST(references_outlive_the_loop)
{
    uva_test_mark_t mark = uva_test_net_mark();
    uva_loop_t *loop;
    uva_test_link_t link;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    ck_assert_int_eq(run_on(loop, make_link, &link), 0);
    uva_test_send(link.fd, "unread");
    /* Nobody closes it: the end of the loop does. */
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    ck_assert_str_eq(uva_test_log(), "");
    uva_test_log_end();
    uva_loop_unref(loop);
    ck_assert(uva_writer_is_closing(link.writer));
    ck_assert_int_eq(uva_writer_write(link.writer, "x", 1), 0);
    uva_reader_unref(link.reader);
    uva_writer_unref(link.writer);
    uva_test_close(link.fd);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- on an application's loop --- */

typedef struct host_s {
    uv_loop_t uv;
    uva_loop_t *loop;
    uva_reader_t *reader;
    uva_writer_t *writer;
    int r;
} host_t;

static int attached_echo(void *arg, UVA_UNUSED void **ret_result)
{
    host_t *host = arg;
    uva_server_t *server = start(serve_lines, NULL, NULL);
    uva_buffer_t line;

    dial(server, &host->reader, &host->writer);
    ck_assert_int_gt(uva_writer_printf(host->writer, "attached\n"), 0);
    host->r = uva_reader_readline(host->reader, &line);
    uva_buffer_clear(&line);
    uva_server_close(server);
    uva_server_unref(server);
    return 0;
}

START_TEST(attached)
{
    uva_test_mark_t mark = uva_test_net_mark();
    host_t host;
    uva_task_t *task;

    ck_assert_int_eq(uv_loop_init(&host.uv), 0);
    ck_assert_int_eq(uva_loop_attach(&host.uv, NULL, &host.loop), 0);
    ck_assert_int_eq(uv_loop_alive(&host.uv), 0);
    task = uva_loop_create_task(host.loop, attached_echo, &host, NULL);
    /* It turns while a task is unfinished or a connection is open. */
    while (!uva_future_done(UVA_FUTURE(task))) {
        ck_assert_int_ne(uv_run(&host.uv, UV_RUN_ONCE), 0);
    }
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(task), NULL), 0);
    ck_assert_int_eq(host.r, 9);
    uva_task_unref(task);
    ck_assert_int_ne(uv_run(&host.uv, UV_RUN_NOWAIT), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_close(host.loop), UV_EBUSY);
    uva_test_log_end();
    /* Outside its tasks, from the host: written, sent, closed. */
    ck_assert_int_eq(uva_writer_write(host.writer, "more\n", 5), 0);
    uva_writer_close(host.writer);
    uva_reader_unref(host.reader);
    uva_writer_unref(host.writer);
    ck_assert_int_eq(uv_run(&host.uv, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uva_loop_close(host.loop), 0);
    ck_assert_int_eq(uv_run(&host.uv, UV_RUN_DEFAULT), 0);
    uva_loop_unref(host.loop);
    ck_assert_int_eq(uv_loop_close(&host.uv), 0);
    uva_test_nothing_left(mark);
}
END_TEST

START_TEST(attached_shutdown)
{
    /* References are held beyond the end of the loop, and its handles close in
     * the turns of the host. */
    uva_test_mark_t mark = uva_test_net_mark();
    host_t host;

    ck_assert_int_eq(uv_loop_init(&host.uv), 0);
    ck_assert_int_eq(uva_loop_attach(&host.uv, NULL, &host.loop), 0);
    ck_assert_int_eq(run_on(host.loop, attached_echo, &host), 0);
    ck_assert_int_eq(uva_loop_shutdown(host.loop, NULL), 0);
    ck_assert(uva_loop_is_closed(host.loop));
    uva_loop_unref(host.loop);
    ck_assert_int_eq(uv_run(&host.uv, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&host.uv), 0);
    uva_reader_unref(host.reader);
    uva_writer_unref(host.writer);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- sizes --- */

START_TEST(sizes)
{
    /* What an idle connection takes, besides its task. */
    ck_assert_uint_le(sizeof(uva_writer_t), 64);
    ck_assert_uint_le(sizeof(uva_transport_t) + sizeof(uva_writer_t), 528);
}
END_TEST

static void add_more(Suite *suite)
{
    TCase *closing = UVA_TCASE(suite, "Close");
    TCase *cancel = UVA_TCASE(suite, "Cancel");
    TCase *memory = UVA_TCASE(suite, "Memory");
    TCase *loops = UVA_TCASE(suite, "Loops");

    UVA_ADD_TESTS(closing, wait_closed_on_close, close_sends_what_was_written,
                  abort_drops_what_was_written);
    KIND_ADD_TESTS(closing, connection_close, connection_close_when_cancelled);
    UVA_ADD_TESTS(closing, connection_close_without_a_task);

    KIND_ADD_TESTS(cancel, cancel_each);
    UVA_ADD_TESTS(cancel, timeout_of_a_read);

    UVA_ADD_TESTS(memory, oom_write, oom_write_of_a_part, oom_read, sizes);

    UVA_ADD_TESTS(loops, virtual_loop, wrong_loop, references_outlive_the_loop,
                  attached, attached_shutdown);
}

int main(void)
{
    Suite *suite = suite_create("streams");
    TCase *opening = UVA_TCASE(suite, "Open");
    TCase *writing = UVA_TCASE(suite, "Write");
    TCase *draining = UVA_TCASE(suite, "Drain");
    TCase *ahead = UVA_TCASE(suite, "ReadAhead");
    TCase *lost = UVA_TCASE(suite, "Lost");
    TCase *signals =
        UVA_SOCKET_TCASE(suite, "Signals", "libuv's writes raise SIGPIPE");

    KIND_ADD_TESTS(opening, open_connection);
    UVA_ADD_TESTS(opening, open_connection_error, references,
                  unclosed_resource_warnings, addresses);

    UVA_ADD_TESTS(writing, write_and_half_close, write_eof,
                  writes_of_a_turn_leave_together, write_copies, long_printf,
                  view_is_sent_on, view_of_a_blocked_writer);

    KIND_ADD_TESTS(draining, multiple_drain, send_writes_and_drains,
                   send_fails_as_write_and_as_drain);
    UVA_ADD_TESTS(draining, drain_costs_nothing_below_the_mark);
    KIND_ADD_TESTS(draining, drain_goes_on_at_the_low_mark);
    UVA_ADD_TESTS(draining, write_buffer_limits, drain_raises,
                  write_to_a_lost_connection);
    KIND_ADD_TESTS(draining, drain_after_close,
                   drains_wake_when_the_connection_is_lost);

    UVA_ADD_TESTS(ahead, back_pressure, reads_come_in_portions,
                  late_connections_are_read_before_the_next_poll,
                  read_budget_ends_with_the_answers,
                  deferred_connections_are_aborted, explicit_pause);
    KIND_ADD_TESTS(ahead, ten_thousand_kib_both_ways);

    UVA_ADD_TESTS(lost, reset_while_reading, reset_while_writing);
    UVA_ADD_TESTS(signals, sigpipe);
    add_more(suite);
    return uva_test_main(suite);
}
