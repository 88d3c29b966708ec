/*
 * Streams at their edges: views and what they lie in, bytes before a loss,
 * short writes that are collected.
 */
#include "kinds.h"
#include "net.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/stream_write.h"
#include "streams/streams.h"

#define KIB 1024u

/* --- views --- */

UVA_NET_TEST(view_outlives_its_block)
{
    /* More comes than the block of a view has room for, and the reader goes
     * before the view was ended: another writer knows nothing of it. */
    uva_test_link_t from;
    uva_test_link_t to;
    uva_bytes_t view;
    char bytes[10];

    uva_test_link(&from, NULL);
    uva_test_link(&to, NULL);
    ck_assert_uint_eq(uva_test_stuff(from.fd, 1000), 1000);
    ck_assert_int_eq(uva_reader_read_view(from.reader, 10, &view), 10);
    memcpy(bytes, view.data, sizeof bytes);
    ck_assert_uint_eq(uva_test_stuff(from.fd, 5000), 5000);
    UVA_TEST_UNTIL(from.reader->in.size == 5990);
    ck_assert_ptr_nonnull(from.reader->in.held);
    ck_assert_int_eq(memcmp(bytes, view.data, sizeof bytes), 0);
    uva_test_unlink(&from);
    ck_assert_int_eq(uva_writer_write(to.writer, "hello", 5), 0);
    uva_test_expect(to.fd, "hello");
    uva_test_unlink(&to);
}

/* How a stream ends while a view of it is out. */
typedef enum end_e {
    END_OF_STREAM,
    END_RESET,
    END_ABORT,
    END_CLOSE,
    ENDS
} end_t;

static void end_stream(uva_test_link_t *link, end_t end)
{
    if (end == END_OF_STREAM) {
        uva_test_shut(link->fd);
        UVA_TEST_UNTIL(uva_reader_at_eof(link->reader));
    } else if (end == END_RESET) {
        uva_test_reset(link->fd);
        link->fd = -1;
        UVA_TEST_UNTIL(uva_reader_exception(link->reader) < 0);
    } else {
        if (end == END_ABORT) {
            uva_transport_abort(uva_writer_transport(link->writer));
        } else {
            uva_writer_close(link->writer);
        }
        ck_assert_int_eq(uva_writer_wait_closed(link->writer), 0);
    }
}

UVA_NET_TEST(view_outlives_the_stream)
{
    /* A view of all there is, from a connection that mostly brings more: the
     * place for that is given up when the end comes, and the view stays. */
    uva_test_link_t link;
    static uint8_t bytes[30 * KIB];
    uva_bytes_t view;

    for (int end = 0; end < ENDS; end++) {
        uva_test_link(&link, NULL);
        for (int i = 0; i < 3; i++) {
            ck_assert_uint_eq(uva_test_stuff(link.fd, sizeof bytes),
                              sizeof bytes);
            UVA_TEST_UNTIL(link.reader->in.size == sizeof bytes);
            ck_assert_int_eq(uva_reader_read_view(link.reader, SIZE_MAX, &view),
                             (int)sizeof bytes);
        }
        memcpy(bytes, view.data, sizeof bytes);
        end_stream(&link, (end_t)end);
        ck_assert_int_eq(memcmp(bytes, view.data, sizeof bytes), 0);
        uva_test_unlink(&link);
    }
}

/* --- bytes before a loss --- */

/* A short block of bytes, and the loss behind it. @return Bytes read. */
static size_t read_to_the_loss(uva_reader_t *reader, bool views)
{
    static char bytes[64 * KIB];
    uva_bytes_t view;
    size_t total = 0;
    int r;

    while ((r = views ? uva_reader_read_view(reader, sizeof bytes, &view)
                      : uva_reader_read(reader, bytes, sizeof bytes)) > 0) {
        total += (size_t)r;
    }
    ck_assert_int_eq(r, UV_ECONNRESET);
    ck_assert_int_eq(uva_reader_exception(reader), UV_ECONNRESET);
    return total;
}

UVA_NET_TEST(bytes_before_a_reset)
{
    /* All of them, whether the task was there when they came or not, and
     * whether reading was paused. asyncio has all but in the second case, where
     * its reader had read them and tells the error first. */
    for (int how = 0; how < 6; how++) {
        uva_test_link_t link;
        uva_transport_t *transport;
        size_t sent;
        uva_test_link(&link, NULL);
        transport = uva_writer_transport(link.writer);
        if (how / 2 == 2) {
            uva_transport_pause_reading(transport);
        }
        sent = uva_test_stuff(link.fd, 100000);
        uva_test_reset(link.fd);
        link.fd = -1;
        if (how / 2 == 1) {
            UVA_TEST_UNTIL(uva_reader_exception(link.reader) < 0);
        } else if (how / 2 == 2) {
            for (int i = 0; i < 100; i++) {
                UVA_TICK();
            }
            ck_assert_int_eq(uva_reader_exception(link.reader), 0);
            uva_transport_resume_reading(transport);
        }
        ck_assert_uint_eq(read_to_the_loss(link.reader, how % 2 != 0), sent);
        uva_test_unlink(&link);
    }
}

UVA_NET_TEST(much_before_a_reset)
{
    /* More than is read ahead: it stays in the system until it is wanted. */
    uva_test_link_t link;
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    size_t sent;

    options.limit_bytes = 4 * KIB;
    uva_test_link(&link, &options);
    sent = uva_test_stuff(link.fd, 100000);
    uva_test_reset(link.fd);
    link.fd = -1;
    for (int i = 0; i < 100; i++) {
        UVA_TICK();
    }
    if (!uva_test_link_is_memory()) { /* There one read takes all that fits. */
        ck_assert_uint_lt(link.reader->in.size, sent);
    }
    ck_assert_uint_eq(read_to_the_loss(link.reader, false), sent);
    uva_test_unlink(&link);
}

UVA_NET_TEST(lines_before_a_reset)
{
    /* What does not suffice stays, and the error is told. */
    uva_test_link_t link;
    uva_bytes_t view;
    uva_buffer_t buffer;
    char bytes[8];

    uva_test_link(&link, NULL);
    uva_test_send(link.fd, "one\ntwothree");
    uva_test_reset(link.fd);
    link.fd = -1;
    UVA_TEST_UNTIL(uva_reader_exception(link.reader) < 0);
    ck_assert_int_eq(uva_reader_readline_view(link.reader, &view), 4);
    ck_assert_int_eq(uva_reader_readline(link.reader, &buffer), UV_ECONNRESET);
    ck_assert_int_eq(uva_reader_readexactly(link.reader, bytes, 3, NULL), 3);
    ck_assert_int_eq(uva_reader_readexactly(link.reader, bytes, 6, NULL),
                     UV_ECONNRESET);
    ck_assert_int_eq(uva_reader_read_all(link.reader, UVA_NO_LIMIT, &buffer),
                     UV_ECONNRESET);
    ck_assert_int_eq(uva_reader_read(link.reader, bytes, 8), 5);
    ck_assert_int_eq(uva_reader_read(link.reader, bytes, 8), UV_ECONNRESET);
    uva_test_unlink(&link);
}

KIND_TASK(int, exactly, uva_reader_t *reader; char *bytes; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_reader_readexactly, self->reader, self->bytes, 10, NULL);
    UVA_END
    return self->r;
}

UVA_NET_TEST(part_before_a_reset)
{
    /* A readexactly that waits has not taken them. */
    uva_test_link_t link;
    exactly_task_t *task;
    char bytes[10];

    uva_test_link(&link, NULL);
    task = KIND_SPAWN(exactly, link.reader, bytes);
    UVA_TICK();
    uva_test_send(link.fd, "abc");
    UVA_TEST_UNTIL(link.reader->in.filled == 3);
    uva_test_reset(link.fd);
    link.fd = -1;
    ck_assert_int_eq(UVA_JOIN(task), UV_ECONNRESET);
    ck_assert_uint_eq(read_to_the_loss(link.reader, false), 3);
    uva_test_unlink(&link);
}

UVA_NET_TEST(answer_before_a_write_fails)
{
    /* A peer that has answered and gone: the write fails before the answer was
     * read, and the answer is there all the same. asyncio drops it. */
    static char much[100 * KIB];
    size_t sizes[] = {1, 2 * KIB, sizeof much};

    for (size_t i = 0; i < 6; i++) {
        uva_test_link_t link;
        bool paused = i % 2 != 0;
        uva_test_link(&link, NULL);
        if (paused) {
            uva_transport_pause_reading(uva_writer_transport(link.writer));
        }
        uva_test_send(link.fd, "too large\n");
        uva_test_reset(link.fd);
        link.fd = -1;
        ck_assert_int_eq(uva_writer_write(link.writer, much, sizes[i / 2]), 0);
        ck_assert_uint_eq(uva_transport_get_write_buffer_size(
                              uva_writer_transport(link.writer)),
                          0);
        ck_assert(uva_writer_is_closing(link.writer));
        UVA_TEST_UNTIL(uva_reader_exception(link.reader) < 0);
        ck_assert_uint_eq(read_to_the_loss(link.reader, false), 10);
        uva_test_unlink(&link);
    }
}

/* --- what is collected --- */

/* Bytes that have come. */
static int came(int fd)
{
    char bytes[100];
    ssize_t count = uva_test_recv(fd, bytes, sizeof bytes);

    return count < 0 ? 0 : (int)count;
}

/* How a task goes on when it has written. */
typedef enum after_e {
    AFTER_END,
    AFTER_YIELD,
    AFTER_WAIT
} after_t;

KIND_TASK(int, write_small, uva_test_link_t *link; after_t after;
          uva_event_t * event;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_writer_write(self->link->writer, "work", 4), 0);
    ck_assert_int_eq(uva_writer_write(self->link->writer, "ing\n", 4), 0);
    ck_assert_int_eq(came(self->link->fd), 0);
    if (self->after == AFTER_YIELD) {
        AWAIT(self->r, uva_sleep, 0);
    } else if (self->after == AFTER_WAIT) {
        AWAIT(self->r, uva_event_wait, self->event);
    }
    UVA_END
    return self->r;
}

/* Works for long: what others have collected must have left. */
KIND_TASK(int, look_for, int fd; int count;)
{
    (void)ret;
    UVA_BEGIN
    self->count = came(self->fd);
    UVA_END
    return self->count;
}

UVA_NET_TEST(collected_bytes_leave_when_the_task_suspends)
{
    /* Before the next task of the same iteration runs. */
    for (int after = AFTER_END; after <= AFTER_WAIT; after++) {
        for (int kinds = 0; kinds < 4; kinds++) {
            uva_test_link_t link;
            uva_event_t event;
            write_small_task_t *writer;
            look_for_task_t *looker;
            uva_event_init(&event);
            uva_test_link(&link, NULL);
            kind_stackful = kinds % 2 == 0;
            writer = KIND_SPAWN(write_small, &link, (after_t)after, &event);
            kind_stackful = kinds / 2 == 0;
            looker = KIND_SPAWN(look_for, link.fd);
            UVA_TICK();
            uva_event_set(&event);
            ck_assert_int_eq(UVA_JOIN(looker), 8);
            ck_assert_int_eq(UVA_JOIN(writer), 0);
            uva_test_unlink(&link);
        }
    }
}

UVA_NET_TEST(collected_bytes_of_an_eager_task)
{
    /* It suspends, and who has spawned it goes on: what both have written has
     * left, and what is written next is collected again. */
    uva_test_link_t link;
    uva_test_link_t other;
    uva_event_t event;
    write_small_task_t *task;

    uva_event_init(&event);
    uva_test_link(&link, NULL);
    uva_test_link(&other, NULL);
    uva_loop_set_task_factory(uva_get_running_loop(), uva_eager_task_factory,
                              NULL);
    for (int i = 0; i < 3; i++) {
        if (i > 0) {
            ck_assert_int_eq(uva_writer_write(other.writer, "abc", 3), 0);
        }
        task = KIND_SPAWN(write_small, &link, AFTER_WAIT, &event);
        ck_assert_int_eq(came(link.fd), 8);
        ck_assert_int_eq(came(other.fd), i > 0 ? 3 : 0);
        if (i > 1) {
            ck_assert_int_eq(uva_writer_write(other.writer, "de", 2), 0);
            ck_assert_int_eq(uva_writer_write(link.writer, "f", 1), 0);
        }
        uva_event_set(&event);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        uva_event_clear(&event);
        ck_assert_int_eq(came(other.fd), i > 1 ? 2 : 0);
        ck_assert_int_eq(came(link.fd), i > 1 ? 1 : 0);
    }
    uva_loop_set_task_factory(uva_get_running_loop(), NULL, NULL);
    uva_test_unlink(&other);
    uva_test_unlink(&link);
}

static void write_in_callback(void *data)
{
    uva_test_link_t *link = data;

    ck_assert_int_eq(uva_writer_write(link->writer, "x", 1), 0);
    ck_assert_int_eq(came(link->fd), 1);
}

UVA_NET_TEST(callbacks_collect_nothing)
{
    uva_test_link_t link;

    uva_test_link(&link, NULL);
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, write_in_callback, &link, NULL, NULL), 0);
    UVA_TICK();
    UVA_TICK();
    uva_test_unlink(&link);
}

UVA_NET_TEST(collected_bytes_are_seen_sent)
{
    /* By an abort, and by who asks for what is unsent. As in asyncio, where a
     * write sends at once. */
    uva_test_link_t link;
    uva_transport_t *transport;

    uva_test_link(&link, NULL);
    transport = uva_writer_transport(link.writer);
    ck_assert_int_eq(uva_writer_write(link.writer, "one", 3), 0);
    ck_assert_int_eq(came(link.fd), 0);
    ck_assert_uint_eq(uva_transport_get_write_buffer_size(transport), 0);
    ck_assert_int_eq(came(link.fd), 3);
    ck_assert_int_eq(uva_writer_write(link.writer, "seven", 5), 0);
    uva_transport_abort(transport);
    ck_assert_int_eq(came(link.fd), 5);
    uva_test_expect_eof(link.fd);
    uva_test_unlink(&link);
}

UVA_NET_TEST(long_writes_leave_at_once)
{
    /* With what stands before them. */
    uva_test_link_t link;
    static char bytes[UVA__SMALL_BYTES];
    long before;

    uva_test_link(&link, NULL);
    before = uva_test_segments(
        uva_transport_fileno(uva_writer_transport(link.writer)));
    ck_assert_int_eq(uva_writer_write(link.writer, "head", 4), 0);
    ck_assert_int_eq(uva_writer_write(link.writer, bytes, sizeof bytes), 0);
    ck_assert_int_eq(uva_test_drop(link.fd, 2 * KIB), KIB + 4);
    if (before >= 0) {
        ck_assert_int_eq(uva_test_segments(uva_transport_fileno(
                             uva_writer_transport(link.writer))),
                         before + 1);
    }
    ck_assert_int_eq(uva_writer_write(link.writer, bytes, sizeof bytes), 0);
    ck_assert_int_eq(uva_test_drop(link.fd, 2 * KIB), KIB);
    ck_assert_int_eq(uva_writer_write(link.writer, bytes, sizeof bytes - 1), 0);
    ck_assert_int_eq(came(link.fd), 0);
    uva_test_unlink(&link);
}

UVA_NET_TEST(writelines_of_many_pieces)
{
    /* The cost is that of the bytes: one piece more is not looked at again for
     * each that was sent. */
    enum {
        COUNT = 200000
    };
    static uva_bytes_t lines[COUNT];
    uva_test_link_t link;
    size_t seen = 0;
    char got[4096];

    uva_test_link(&link, NULL);
    for (size_t i = 0; i < COUNT; i++) {
        lines[i] = uva_bytes(&"abcde"[i % 5], i % 7 == 0 ? 0 : 1);
    }
    lines[1000].data = (const uint8_t *)got;
    lines[1000].size = sizeof got;
    memset(got, 'a' + 1000 % 5, sizeof got);
    ck_assert_int_eq(uva_writer_writelines(link.writer, lines, COUNT), 0);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < lines[i].size; k++) {
            char byte = 0;
            UVA_TEST_UNTIL(uva_test_recv(link.fd, &byte, 1) == 1);
            ck_assert_int_eq(byte, 'a' + (int)(i % 5));
            seen++;
        }
    }
    ck_assert_uint_gt(seen, COUNT / 2);
    for (size_t i = 0; i < 20; i++) { /* As many as leave at once. */
        lines[i] = uva_bytes(&"abcdefghijklmnopqrst"[i], 1);
    }
    ck_assert_int_eq(uva_writer_write(link.writer, "head", 4), 0);
    ck_assert_int_eq(uva_writer_writelines(link.writer, lines, 20), 0);
    ck_assert_int_eq(uva_writer_write(link.writer, "tail", 4), 0);
    uva_test_expect(link.fd, "headabcdefghijklmnopqrsttail");
    ck_assert_int_eq(uva_writer_write_eof(link.writer), 0);
    uva_test_expect_eof(link.fd);
    uva_test_unlink(&link);
}

int main(void)
{
    Suite *suite = suite_create("stream_edges");
    TCase *view = UVA_TCASE(suite, "View");
    TCase *lost = UVA_TCASE(suite, "Lost");
    TCase *collected = UVA_TCASE(suite, "Collected");

    UVA_ADD_TESTS(view, view_outlives_its_block, view_outlives_the_stream);

    UVA_ADD_TESTS(lost, bytes_before_a_reset, much_before_a_reset,
                  lines_before_a_reset);
    KIND_ADD_TESTS(lost, part_before_a_reset);
    UVA_ADD_TESTS(lost, answer_before_a_write_fails);

    UVA_ADD_TESTS(collected, collected_bytes_leave_when_the_task_suspends);
    KIND_ADD_TESTS(collected, collected_bytes_of_an_eager_task);
    UVA_ADD_TESTS(collected, callbacks_collect_nothing,
                  collected_bytes_are_seen_sent, long_writes_leave_at_once,
                  writelines_of_many_pieces);
    return uva_test_main(suite);
}
