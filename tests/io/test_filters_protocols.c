/*
 * Protocols over filters: both ways to receive, over one filter and over two,
 * and consumers that are replaced while a filter is there.
 */
#include "net.h"
#include "test_filters.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/protocols.h"

/* --- a protocol that collects --- */

typedef struct got_s {
    char text[256];
    size_t size;
    size_t pause_at; /* Pauses when it has so many bytes; 0: never. */
    size_t room;     /* Of get_buffer. */
    int made;
    int eofs;
    int lost;
    int status;
    char buffer[16];
} got_t;

typedef struct collect_s {
    uva_protocol_t base;
} collect_t;

static int collect_made(uva_protocol_t *self)
{
    got_t *got = self->arg;

    got->made++;
    return 0;
}

static void collect_lost(uva_protocol_t *self, int status)
{
    got_t *got = self->arg;

    got->lost++;
    got->status = status;
}

static int collect_eof(uva_protocol_t *self)
{
    got_t *got = self->arg;

    got->eofs++;
    return 1;
}

static void collect(uva_protocol_t *self, const void *data, size_t size)
{
    got_t *got = self->arg;

    ck_assert_int_eq(got->eofs, 0);
    for (size_t i = 0; i < size && got->size + 1 < sizeof got->text; i++) {
        got->text[got->size++] = ((const char *)data)[i];
    }
    if (got->pause_at > 0 && got->size >= got->pause_at) {
        got->pause_at = 0;
        uva_transport_pause_reading(self->transport);
    }
}

static int collect_received(uva_protocol_t *self, uva_bytes_t data)
{
    collect(self, data.data, data.size);
    return 0;
}

static size_t collect_buffer(uva_protocol_t *self, size_t hint, void **ret_data)
{
    got_t *got = self->arg;

    (void)hint;
    *ret_data = got->buffer;
    return got->room;
}

static int collect_updated(uva_protocol_t *self, size_t size)
{
    got_t *got = self->arg;

    collect(self, got->buffer, size);
    return 0;
}

static const uva_protocol_ops_t collect_ops = {
    UVA_PROTOCOL_OPS(collect_t),       .connection_made = collect_made,
    .connection_lost = collect_lost,   .eof_received = collect_eof,
    .data_received = collect_received,
};

static const uva_protocol_ops_t collect_buffered_ops = {
    UVA_PROTOCOL_OPS(collect_t),     .connection_made = collect_made,
    .connection_lost = collect_lost, .eof_received = collect_eof,
    .get_buffer = collect_buffer,    .buffer_updated = collect_updated,
};

static uva_transport_t *
open_end(const uva_protocol_ops_t *ops, got_t *got, int *ret_fd)
{
    uva_transport_t *transport;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    ck_assert_int_eq(
        uva_create_connection_fd(ops, got, fds[0], NULL, &transport), 0);
    *ret_fd = fds[1];
    return transport;
}

static void close_end(uva_transport_t *transport, const got_t *got, int fd)
{
    uva_transport_abort(transport);
    uva_transport_unref(transport);
    UVA_TEST_UNTIL(got->lost == 1 && uva_test_engines == 0);
    close(fd);
}

static void push(uva_transport_t *transport, const uva_filter_kind_t *kind)
{
    ck_assert_int_eq(uva_transport_push_filter(transport, kind, true, NULL), 0);
}

static void send_bytes(int fd, const char *data, size_t size)
{
    ck_assert_int_eq(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* --- both ways to receive --- */

UVA_NET_TEST(each_way_over_filters)
{
    /* With all room, and with room for a byte; over one filter and over two. */
    for (int i = 0; i < 6; i++) {
        const uva_protocol_ops_t *ops =
            i / 2 == 0 ? &collect_ops : &collect_buffered_ops;
        got_t got = {.room = i / 2 == 1 ? 1 : sizeof got.buffer};
        int fd;
        uva_transport_t *transport = open_end(ops, &got, &fd);
        uva_test_send(fd, "HELLO\n");
        push(transport, &uva_test_frames);
        uva_test_expect(fd, "HELLO\n");
        if (i % 2 == 1) {
            push(transport, &uva_test_rot13);
        }
        send_bytes(fd, "\0\3one\0\2tw", 9);
        UVA_TEST_UNTIL(got.size == 5);
        send_bytes(fd, "\0\1o", 3);
        UVA_TEST_UNTIL(got.size == 6);
        ck_assert_str_eq(got.text, i % 2 == 0 ? "onetwo" : "bargjb");
        ck_assert_int_eq(uva_transport_write(transport, "up", 2), 0);
        UVA_TICK();
        {
            char back[4];
            ck_assert_int_eq(recv(fd, back, 4, 0), 4);
            ck_assert_int_eq(memcmp(back, i % 2 == 0 ? "\0\2up" : "\0\2hc", 4),
                             0);
        }
        send_bytes(fd, "\0", 2); /* The goodbye. */
        UVA_TEST_UNTIL(got.eofs == 1);
        close_end(transport, &got, fd);
        ck_assert_int_eq(got.made + got.eofs, 2);
        ck_assert_int_eq(got.status, 0);
    }
}

UVA_NET_TEST(a_failure_behind_bytes)
{
    /* The protocol has paused; it hears the rest, then the failure. */
    for (int i = 0; i < 2; i++) {
        uva_test_probe_t probe = {.fails = UV_EIO};
        uva_filter_kind_t kind = uva_test_probe_kind(&probe);
        got_t got = {.room = 1, .pause_at = 1};
        int fd;
        uva_transport_t *transport = open_end(&collect_buffered_ops, &got, &fd);
        push(transport, &kind);
        if (i == 1) {
            push(transport, &uva_test_rot13);
        }
        uva_test_send(fd, "abc");
        UVA_TEST_UNTIL(got.size == 1);
        ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
        ck_assert_uint_eq(got.size, 1);
        ck_assert_int_eq(got.lost, 0);
        uva_transport_resume_reading(transport);
        UVA_TEST_UNTIL(got.lost == 1);
        ck_assert_str_eq(got.text, i == 0 ? "abc" : "nop");
        ck_assert_int_eq(got.status, UV_EIO);
        close_end(transport, &got, fd);
    }
}

UVA_NET_TEST(pushed_in_the_middle)
{
    /* A protocol that takes a line by its own room finds the rest in the
     * filter, though all came at once. */
    static const char segment[] = "PROXY\nHELLO\n\0\5word\n\0\0plain\n";
    got_t got = {.room = 6, .pause_at = 6};
    int fd;
    uva_transport_t *transport = open_end(&collect_buffered_ops, &got, &fd);

    send_bytes(fd, segment, sizeof segment - 1);
    UVA_TEST_UNTIL(got.size == 6);
    push(transport, &uva_test_frames);
    uva_transport_resume_reading(transport);
    UVA_TEST_UNTIL(got.eofs == 1);
    ck_assert_str_eq(got.text, "PROXY\nword\n");
    got.eofs = 0;
    ck_assert_int_eq(uva_transport_pop_filter(transport), 0);
    UVA_TEST_UNTIL(got.size == 17);
    ck_assert_str_eq(got.text, "PROXY\nword\nplain\n");
    close_end(transport, &got, fd);
}

UVA_NET_TEST(an_end_is_heard_once)
{
    /* The end of the stream came before the push; another one does not. */
    got_t got = {.room = 8};
    int fd;
    uva_transport_t *transport = open_end(&collect_ops, &got, &fd);

    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    UVA_TEST_UNTIL(got.eofs == 1);
    push(transport, &uva_test_rot13);
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    ck_assert_int_eq(got.eofs, 1);
    ck_assert_int_eq(uva_transport_write(transport, "up", 2), 0);
    uva_test_expect(fd, "hc");
    close_end(transport, &got, fd);
}

/* --- consumers that are replaced --- */

UVA_NET_TEST(replaced_over_filters)
{
    /* From streams, which have read ahead, to a protocol and back. */
    for (int count = 1; count <= 2; count++) {
        got_t got = {.room = 4, .pause_at = 4};
        collect_t protocol = {
            .base = {.ops = &collect_buffered_ops, .arg = &got}};
        uva_test_end_t end = uva_test_end_make(NULL);
        uva_reader_t *reader;
        uva_writer_t *writer;
        uva_bytes_t line;
        for (int i = 0; i < count; i++) {
            push(end.transport, &uva_test_rot13);
        }
        uva_test_send(end.fd, "a\nb\nc\nd\n");
        ck_assert_int_eq(uva_reader_readline_view(end.reader, &line), 2);
        ck_assert_int_eq(
            uva_transport_set_protocol(end.transport, &protocol.base), 0);
        UVA_TEST_UNTIL(got.size == 4);
        ck_assert_str_eq(got.text, count == 1 ? "o\np\n" : "b\nc\n");
        uva_test_send(end.fd, "e\n");
        ck_assert_int_eq(uva_stream_on(end.transport, 0, &reader, &writer), 0);
        uva_transport_resume_reading(end.transport);
        ck_assert_int_eq(uva_reader_readline_view(reader, &line), 2);
        ck_assert_int_eq(line.data[0], count == 1 ? 'q' : 'd');
        ck_assert_int_eq(uva_reader_readline_view(reader, &line), 2);
        ck_assert_int_eq(line.data[0], count == 1 ? 'r' : 'e');
        uva_reader_unref(reader);
        uva_writer_unref(writer);
        uva_test_end_free(&end);
    }
}

UVA_TASK(void, push_task, uva_transport_t *transport;)
{
    (void)ret;
    return uva_transport_push_filter(args->transport, &uva_test_frames, true,
                                     NULL);
}

UVA_NET_TEST(replaced_while_it_opens)
{
    got_t got = {.room = 4};
    collect_t protocol = {.base = {.ops = &collect_ops, .arg = &got}};
    uva_test_end_t end = uva_test_end_make(NULL);
    push_task_task_t *task = uva_spawn(push_task, end.transport);

    UVA_TICK();
    ck_assert_int_eq(uva_transport_set_protocol(end.transport, &protocol.base),
                     0);
    send_bytes(end.fd, "HELLO\n\0\2hi", 10);
    ck_assert_int_eq(push_task_await(task, NULL), 0);
    UVA_TEST_UNTIL(got.size == 2);
    ck_assert_str_eq(got.text, "hi");
    uva_transport_abort(end.transport);
    UVA_TEST_UNTIL(got.lost == 1);
    uva_test_end_free(&end);
}

int main(void)
{
    Suite *suite = suite_create("filters_protocols");
    TCase *ways = UVA_TCASE(suite, "Ways");
    TCase *replaced = UVA_TCASE(suite, "Replaced");

    UVA_ADD_TESTS(ways, each_way_over_filters, a_failure_behind_bytes,
                  pushed_in_the_middle, an_end_is_heard_once);
    UVA_ADD_TESTS(replaced, replaced_over_filters, replaced_while_it_opens);
    return uva_test_main(suite);
}
