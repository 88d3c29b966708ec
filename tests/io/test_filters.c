/*
 * Filters: pushed on and popped from live connections, alone and one over the
 * other, with bytes that were read ahead, and their ends.
 */
#include "test_filters.h"
#include "net.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/connections.h"
#include "uva/protocols.h"

/* --- two ends --- */

typedef struct end_s {
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_transport_t *transport;
} end_t;

static void pair(end_t *one, end_t *other)
{
    int fds[2];
    end_t *ends[2] = {one, other};

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_open_connection_fd(fds[i], NULL, &ends[i]->reader,
                                                &ends[i]->writer),
                         0);
        ends[i]->transport = uva_writer_transport(ends[i]->writer);
    }
}

/* One end, and a plain socket. */
static int half(end_t *one)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    ck_assert_int_eq(
        uva_open_connection_fd(fds[0], NULL, &one->reader, &one->writer), 0);
    one->transport = uva_writer_transport(one->writer);
    return fds[1];
}

UVA_TASK(void, push, uva_transport_t *transport; const uva_filter_kind_t *kind;)
{
    (void)ret;
    return uva_transport_push_filter(args->transport, args->kind, true, NULL);
}

UVA_TASK(void, pop, uva_transport_t *transport;)
{
    (void)ret;
    return uva_transport_pop_filter(args->transport);
}

static void push_both(end_t *one, end_t *other, const uva_filter_kind_t *kind)
{
    push_task_t *task = uva_spawn(push, other->transport, kind);

    ck_assert_int_eq(
        uva_transport_push_filter(one->transport, kind, false, "name"), 0);
    ck_assert_int_eq(push_await(task, NULL), 0);
}

static void carry(end_t *from, end_t *to, const char *text)
{
    uva_bytes_t line;

    ck_assert_int_eq(uva_writer_write(from->writer, text, strlen(text)), 0);
    ck_assert_int_eq(uva_reader_readline_view(to->reader, &line),
                     (int)strlen(text));
    ck_assert_int_eq(memcmp(line.data, text, line.size), 0);
}

static void close_both(end_t *one, end_t *other)
{
    uva_writer_close(one->writer);
    uva_writer_close(other->writer);
    UVA_IGNORE(uva_connection_close(one->reader, one->writer));
    UVA_IGNORE(uva_connection_close(other->reader, other->writer));
    UVA_TEST_UNTIL(uva_test_engines == 0);
}

/* --- alone and in chains --- */

UVA_NET_TEST(each_kind_carries)
{
    const uva_filter_kind_t *kinds[] = {&uva_test_rot13, &uva_test_frames};

    for (int i = 0; i < 2; i++) {
        end_t one;
        end_t other;
        int value = 0;
        pair(&one, &other);
        push_both(&one, &other, kinds[i]);
        carry(&one, &other, "from one\n");
        carry(&other, &one, "from the other\n");
        ck_assert_int_eq(uva_transport_get_extra(one.transport, 13, &value),
                         i == 0 ? 0 : UV_ENOTSUP);
        close_both(&one, &other);
    }
}

UVA_NET_TEST(one_over_the_other)
{
    const uva_filter_kind_t *kinds[] = {&uva_test_rot13, &uva_test_frames,
                                        &uva_test_rot13, &uva_test_frames};
    end_t one;
    end_t other;

    pair(&one, &other);
    for (int i = 0; i < 4; i++) {
        push_both(&one, &other, kinds[i]);
        carry(&one, &other, "down and up\n");
        carry(&other, &one, "and back\n");
    }
    ck_assert_int_eq(
        uva_transport_push_filter(one.transport, &uva_test_rot13, true, NULL),
        UV_E2BIG);
    close_both(&one, &other);
}

UVA_TASK(void, write_much, uva_writer_t *writer; const char *data; size_t size;)
{
    int r = uva_writer_write(args->writer, args->data, args->size);

    (void)ret;
    return r < 0 ? r : uva_writer_drain(args->writer);
}

UVA_NET_TEST(much_in_both_directions)
{
    enum {
        MUCH = 1 << 20
    };
    static char out[MUCH];
    static char in[2][MUCH];
    end_t one;
    end_t other;
    write_much_task_t *tasks[2];

    for (size_t i = 0; i < MUCH; i++) {
        out[i] = (char)("abcdefghijklmno\n"[i % 16]);
    }
    pair(&one, &other);
    push_both(&one, &other, &uva_test_rot13);
    push_both(&one, &other, &uva_test_frames);
    tasks[0] = uva_spawn(write_much, one.writer, out, MUCH);
    tasks[1] = uva_spawn(write_much, other.writer, out, MUCH);
    ck_assert_int_eq(uva_reader_readexactly(one.reader, in[0], MUCH, NULL),
                     MUCH);
    ck_assert_int_eq(uva_reader_readexactly(other.reader, in[1], MUCH, NULL),
                     MUCH);
    ck_assert_int_eq(write_much_await(tasks[0], NULL), 0);
    ck_assert_int_eq(write_much_await(tasks[1], NULL), 0);
    ck_assert_int_eq(memcmp(in[0], out, MUCH), 0);
    ck_assert_int_eq(memcmp(in[1], out, MUCH), 0);
    close_both(&one, &other);
}

/* --- in the middle of a stream --- */

UVA_NET_TEST(all_in_one_segment)
{
    /* A line, the first message of the filter, another line after its end. */
    static const char segment[] = "PROXY\nHELLO\n\0\5word\n\0\0plain\n";
    end_t one;
    uva_bytes_t line;
    int fd = half(&one);

    ck_assert_int_eq(send(fd, segment, sizeof segment - 1, MSG_NOSIGNAL),
                     (int)sizeof segment - 1);
    ck_assert_int_eq(uva_reader_readline_view(one.reader, &line), 6);
    ck_assert_int_eq(
        uva_transport_push_filter(one.transport, &uva_test_frames, true, NULL),
        0);
    ck_assert_int_eq(uva_reader_readline_view(one.reader, &line), 5);
    ck_assert_int_eq(memcmp(line.data, "word\n", 5), 0);
    ck_assert_int_eq(uva_transport_pop_filter(one.transport), 0);
    UVA_TEST_UNTIL(uva_test_engines == 0);
    ck_assert_int_eq(uva_reader_readline_view(one.reader, &line), 6);
    ck_assert_int_eq(memcmp(line.data, "plain\n", 6), 0);
    ck_assert_int_eq(uva_writer_write(one.writer, "bye", 3), 0);
    ck_assert_int_eq(uva_connection_close(one.reader, one.writer), 0);
    close(fd);
}

UVA_NET_TEST(pop_and_go_on)
{
    end_t one;
    end_t other;
    pop_task_t *task;

    pair(&one, &other);
    push_both(&one, &other, &uva_test_frames);
    carry(&one, &other, "framed\n");
    task = uva_spawn(pop, other.transport);
    ck_assert_int_eq(uva_transport_pop_filter(one.transport), 0);
    ck_assert_int_eq(pop_await(task, NULL), 0);
    carry(&one, &other, "plain\n");
    carry(&other, &one, "plain too\n");
    push_both(&one, &other, &uva_test_rot13);
    carry(&one, &other, "turned\n");
    ck_assert_int_eq(uva_transport_pop_filter(one.transport), 0);
    ck_assert_int_eq(uva_transport_pop_filter(one.transport), UV_ENOENT);
    ck_assert_int_eq(uva_transport_pop_filter(other.transport), 0);
    carry(&one, &other, "plain again\n");
    close_both(&one, &other);
}

/* --- what goes wrong --- */

UVA_NET_TEST(opening_fails)
{
    static const struct {
        const char *sent;
        bool ends;
        const uva_filter_kind_t *kind;
        int code;
    } rows[] = {
        {"", false, &uva_test_quick_frames, UV_ETIMEDOUT},
        {"HOLA\n", false, &uva_test_frames, UV_EPROTO},
        {"HEL", true, &uva_test_frames, UV_EPROTO},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        end_t one;
        int fd = half(&one);
        ck_assert_int_eq(send(fd, rows[i].sent, strlen(rows[i].sent), 0),
                         (int)strlen(rows[i].sent));
        if (rows[i].ends) {
            ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        }
        ck_assert_int_eq(
            uva_transport_push_filter(one.transport, rows[i].kind, true, NULL),
            rows[i].code);
        ck_assert_int_eq(uva_writer_wait_closed(one.writer), rows[i].code);
        UVA_TEST_UNTIL(uva_test_engines == 0);
        uva_reader_unref(one.reader);
        uva_writer_unref(one.writer);
        close(fd);
    }
}

UVA_NET_TEST(push_cancelled)
{
    end_t one;
    int fd = half(&one);
    push_task_t *task = uva_spawn(push, one.transport, &uva_test_frames);

    UVA_TICK();
    ck_assert_int_eq(
        uva_transport_push_filter(one.transport, &uva_test_frames, true, NULL),
        UV_EPERM);
    uva_future_cancel(UVA_FUTURE(task));
    ck_assert_int_eq(push_await(task, NULL), UV_ECANCELED);
    ck_assert(uva_transport_is_closing(one.transport));
    UVA_TEST_UNTIL(uva_test_engines == 0);
    uva_reader_unref(one.reader);
    uva_writer_unref(one.writer);
    close(fd);
}

UVA_NET_TEST(close_says_goodbye)
{
    /* With an answer, and without one in time. */
    for (int i = 0; i < 2; i++) {
        const uva_filter_kind_t *kind =
            i == 0 ? &uva_test_frames : &uva_test_quick_frames;
        char got[32];
        end_t one;
        int fd = half(&one);
        ck_assert_int_eq(send(fd, "HELLO\n", 6, 0), 6);
        ck_assert_int_eq(
            uva_transport_push_filter(one.transport, kind, true, NULL), 0);
        ck_assert_int_eq(uva_writer_write(one.writer, "x", 1), 0);
        uva_writer_close(one.writer);
        UVA_TICK();
        ck_assert_int_eq(recv(fd, got, sizeof got, 0), 11);
        ck_assert_int_eq(memcmp(got, "HELLO\n\0\1x\0", 11), 0);
        if (i == 0) {
            ck_assert_int_eq(send(fd, "\0", 2, 0), 2);
        }
        ck_assert_int_eq(uva_writer_wait_closed(one.writer),
                         i == 0 ? 0 : UV_ETIMEDOUT);
        ck_assert_int_eq(recv(fd, got, sizeof got, 0), 0);
        UVA_TEST_UNTIL(uva_test_engines == 0);
        uva_reader_unref(one.reader);
        uva_writer_unref(one.writer);
        close(fd);
    }
}

int main(void)
{
    Suite *suite = suite_create("filters");
    TCase *carrying = UVA_TCASE(suite, "Carry");
    TCase *middle = UVA_TCASE(suite, "Middle");
    TCase *wrong = UVA_TCASE(suite, "Wrong");

    UVA_ADD_TESTS(carrying, each_kind_carries, one_over_the_other,
                  much_in_both_directions);
    UVA_ADD_TESTS(middle, all_in_one_segment, pop_and_go_on);
    UVA_ADD_TESTS(wrong, opening_fails, push_cancelled, close_says_goodbye);
    return uva_test_main(suite);
}
