/*
 * Protocols: the order of callbacks, and what takes the place of what in the
 * middle of a stream.
 */
#include "noting.h"

#include <sys/socket.h>
#include <unistd.h>

/* --- the order --- */

UVA_NET_TEST(server_hears_in_order)
{
    /* test_events.py, EventLoopTestsMixin.test_create_server
     * test_events.py, TestServer.test_get_loop
     * test_events.py, EventLoopTestsMixin.test_server_close */
    notes_t notes = {0};
    uva_server_t *server;
    uva_transport_t *transport;
    uint16_t port;
    int fd;

    ck_assert_int_eq(
        uva_create_server(&noting_ops, &notes, "127.0.0.1", "0", NULL, &server),
        0);
    ck_assert_ptr_eq(uva_server_get_loop(server), uva_get_running_loop());
    fd = uva_test_dial(uva_server_port(server));
    uva_test_send(fd, "abc");
    UVA_TEST_UNTIL(heard(&notes, "data"));
    ck_assert_int_eq(
        uva_transport_write(notes.protocol->base.transport, "answer", 6), 0);
    uva_test_expect(fd, "answer");
    close(fd);
    UVA_TEST_UNTIL(heard(&notes, "lost"));
    ck_assert_str_eq(notes.text, "made;data abc;eof;lost OK;");
    port = uva_server_port(server);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
    ck_assert_int_eq(uva_create_connection(&noting_ops, &notes, "127.0.0.1",
                                           uva_test_port(port), NULL,
                                           &transport),
                     UV_ECONNREFUSED);
}

UVA_NET_TEST(aborted_before_connection_made)
{
    /* Between its arrival and connection_made: both are heard. */
    notes_t notes = {0};
    uva_server_t *server;
    int fd;

    ck_assert_int_eq(
        uva_create_server(&noting_ops, &notes, "127.0.0.1", "0", NULL, &server),
        0);
    fd = uva_test_dial(uva_server_port(server));
    uva_test_send(fd, "never read");
    UVA_TEST_UNTIL(uva_server_connection_count(server) == 1);
    ck_assert_int_eq(notes.made, 0);
    uva_server_abort_clients(server);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    ck_assert_str_eq(notes.text, "made;lost OK;");
    uva_server_unref(server);
    close(fd);
}

static uva_server_t *closing_server;

static int close_server(noting_t *self)
{
    (void)self;
    uva_server_close(closing_server);
    return 0;
}

UVA_NET_TEST(server_closed_in_connection_made)
{
    /* Those that were accepted live on; the others are refused or reset. */
    notes_t notes = {.on_made = close_server};
    int fds[5];

    ck_assert_int_eq(uva_create_server(&noting_ops, &notes, "127.0.0.1", "0",
                                       NULL, &closing_server),
                     0);
    for (int i = 0; i < 5; i++) {
        fds[i] = uva_test_dial(uva_server_port(closing_server));
    }
    UVA_TEST_UNTIL(notes.made > 0);
    UVA_TEST_UNTIL((size_t)notes.made ==
                   uva_server_connection_count(closing_server));
    ck_assert(!uva_server_is_serving(closing_server));
    ck_assert_int_eq(notes.ended, 0);
    for (int i = 0; i < 5; i++) {
        close(fds[i]);
    }
    ck_assert_int_eq(uva_server_wait_closed(closing_server), 0);
    ck_assert_int_eq(notes.made, notes.ended);
    uva_server_unref(closing_server);
}

UVA_NET_TEST(no_callbacks)
{
    /* test_protocols.py, ProtocolsAbsTests.test_base_protocol
     * test_protocols.py, ProtocolsAbsTests.test_protocol
     * test_protocols.py, ProtocolsAbsTests.test_buffered_protocol
     * Each may be missing, which does nothing. */
    static const uva_protocol_ops_t nothing = {UVA_PROTOCOL_OPS(noting_t)};
    static const uva_protocol_ops_t room = {UVA_PROTOCOL_OPS(noting_t),
                                            .get_buffer = noting_buffer};
    const uva_protocol_ops_t *tables[] = {&nothing, &room};

    for (int i = 0; i < 2; i++) {
        notes_t notes = {0};
        int fd;
        uva_transport_t *transport = noting_link(tables[i], &notes, &fd);
        (void)uva_test_stuff(fd, 1 << 16);
        shutdown(fd, SHUT_WR);
        UVA_TEST_UNTIL(uva_transport_is_closing(transport));
        uva_transport_unref(transport);
        close(fd);
    }
}

UVA_NET_TEST(client_has_heard_connection_made)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);
    int fd;

    ck_assert_int_eq(uva_create_connection(&noting_ops, &notes, "127.0.0.1",
                                           uva_test_port(port), NULL,
                                           &transport),
                     0);
    ck_assert_str_eq(notes.text, "made;");
    ck_assert_ptr_eq(uva_transport_get_protocol(transport),
                     &notes.protocol->base);
    fd = uva_test_accept(listener);
    uva_test_reset(fd);
    UVA_TEST_UNTIL(heard(&notes, "lost"));
    ck_assert_str_eq(notes.text, "made;lost ECONNRESET;");
    uva_transport_unref(transport);
    close(listener);
}

/* --- in the middle of a stream --- */

UVA_NET_TEST(streams_then_protocol_then_streams)
{
    /* All came in one segment; each takes its part. */
    notes_t notes = {0};
    noting_t protocol = {.base = {.ops = &noting_ops, .arg = &notes}};
    uva_test_link_t link;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_transport_t *transport;
    uva_bytes_t line;

    uva_test_link(&link, NULL);
    transport = uva_writer_transport(link.writer);
    uva_test_send(link.fd, "PROXY\nrest");
    ck_assert_int_eq(uva_reader_readline_view(link.reader, &line), 6);
    ck_assert_int_eq(uva_transport_set_protocol(transport, &protocol.base), 0);
    UVA_TEST_UNTIL(heard(&notes, "rest"));
    ck_assert_int_eq(uva_reader_readline_view(link.reader, &line), UV_EPERM);
    uva_test_send(link.fd, " more");
    UVA_TEST_UNTIL(heard(&notes, "more"));
    ck_assert_str_eq(notes.text, "data rest;data  more;");
    ck_assert_int_eq(uva_stream_on(transport, 0, &reader, &writer), 0);
    ck_assert_ptr_eq(reader, link.reader);
    ck_assert_ptr_null(protocol.base.transport);
    uva_test_send(link.fd, "line\n");
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 5);
    uva_reader_unref(reader);
    uva_writer_unref(writer);
    uva_test_unlink(&link);
}

UVA_NET_TEST(protocol_then_streams)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_bytes_t line;
    uint16_t port = 0;
    int listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);
    int fd;

    ck_assert_int_eq(uva_create_connection(&noting_ops, &notes, "127.0.0.1",
                                           uva_test_port(port), NULL,
                                           &transport),
                     0);
    fd = uva_test_accept(listener);
    ck_assert_int_eq(uva_stream_on(transport, 0, &reader, &writer), 0);
    uva_test_send(fd, "a line\n");
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 7);
    close(fd);
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 0);
    ck_assert_int_eq(uva_connection_close(reader, writer), 0);
    ck_assert_str_eq(notes.text, "made;");
    uva_transport_unref(transport);
    close(listener);
}

int main(void)
{
    Suite *suite = suite_create("protocols");
    TCase *order = UVA_TCASE(suite, "Order");
    TCase *middle = UVA_TCASE(suite, "Middle");

    UVA_ADD_TESTS(order, server_hears_in_order,
                  client_has_heard_connection_made, no_callbacks,
                  aborted_before_connection_made,
                  server_closed_in_connection_made);
    UVA_ADD_TESTS(middle, streams_then_protocol_then_streams,
                  protocol_then_streams);
    return uva_test_main(suite);
}
