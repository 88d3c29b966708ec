/*
 * Ends of connections with filters, at each moment: while one opens, in the
 * middle of a frame, while one is popped, with unsent bytes, and with bytes
 * that nobody has read.
 */
#include "net.h"
#include "test_filters.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MUCH = 1 << 20
};

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

/* Frames that have all the time of the world. */
static uva_filter_kind_t slow_frames(void)
{
    uva_filter_kind_t kind = uva_test_frames;

    kind.opening_ns = UVA_SEC(60);
    kind.closing_ns = UVA_SEC(60);
    return kind;
}

/* Push frames, with a peer that greets at once. */
static void push_frames(uva_test_end_t *end, const uva_filter_kind_t *kind)
{
    uva_test_send(end->fd, "HELLO\n");
    ck_assert_int_eq(
        uva_transport_push_filter(end->transport, kind, true, NULL), 0);
    uva_test_expect(end->fd, "HELLO\n");
}

static void send_bytes(int fd, const char *data, size_t size)
{
    ck_assert_int_eq(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Read as much as was promised, then the end of the stream, or a reset.
 * @return How many bytes came. */
static size_t read_to_the_end(int fd)
{
    size_t total = 0;
    ssize_t part = 1;

    while (part != 0) {
        static char got[65536];
        UVA_TEST_UNTIL((part = recv(fd, got, sizeof got, MSG_DONTWAIT)) >= 0 ||
                       errno != EAGAIN);
        if (part < 0) {
            return total;
        }
        total += (size_t)part;
    }
    return total;
}

/* --- while it opens --- */

UVA_NET_TEST(close_while_opening)
{
    /* What was written before the push leaves first, however long it takes. */
    static char much[MUCH];
    uva_filter_kind_t kind = slow_frames();

    for (int i = 0; i < 2; i++) {
        size_t size = i == 0 ? 0 : MUCH;
        uva_test_end_t end = uva_test_end_make(NULL);
        push_task_t *task;
        ck_assert_int_eq(uva_writer_write(end.writer, much, size), 0);
        task = uva_spawn(push, end.transport, &kind);
        UVA_TICK();
        uva_writer_close(end.writer);
        ck_assert_uint_eq(read_to_the_end(end.fd), size + 6);
        ck_assert_int_eq(push_await(task, NULL), UV_ECONNABORTED);
        ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
        uva_test_end_free(&end);
    }
}

UVA_NET_TEST(close_in_start_sends_what_was_written)
{
    static char much[MUCH];
    uva_test_probe_t probe = {.waits = true, .act = uva_transport_close};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
    push_task_t *task;

    ck_assert_int_eq(uva_writer_write(end.writer, much, MUCH), 0);
    task = uva_spawn(push, end.transport, &kind);
    ck_assert_uint_eq(read_to_the_end(end.fd), MUCH);
    ck_assert_int_eq(push_await(task, NULL), UV_ECONNABORTED);
    uva_test_end_free(&end);
}

UVA_NET_TEST(close_while_opening_with_bytes_for_it)
{
    /* They wait for the engine, and leave through it. */
    uva_filter_kind_t kind = slow_frames();

    for (int i = 0; i < 2; i++) {
        uva_test_end_t end = uva_test_end_make(NULL);
        push_task_t *task = uva_spawn(push, end.transport, &kind);
        UVA_TICK();
        ck_assert_int_eq(uva_writer_write(end.writer, "x", 1), 0);
        uva_writer_close(end.writer);
        uva_test_expect(end.fd, "HELLO\n");
        uva_test_send(end.fd, i == 0 ? "HELLO\n" : "HOLA\n");
        if (i == 0) {
            ck_assert_int_eq(push_await(task, NULL), 0);
            UVA_TICK();
            send_bytes(end.fd, "\0", 2);
            ck_assert_uint_eq(read_to_the_end(end.fd), 5);
            ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
        } else {
            ck_assert_int_eq(push_await(task, NULL), UV_EPROTO);
            ck_assert_int_eq(uva_writer_wait_closed(end.writer), UV_EPROTO);
        }
        uva_test_end_free(&end);
    }
}

UVA_NET_TEST(ends_while_opening)
{
    uva_filter_kind_t kind = slow_frames();

    for (int i = 0; i < 3; i++) {
        static const int codes[] = {UV_ECONNABORTED, UV_EPROTO, UV_ECONNRESET};
        uva_test_link_t link;
        uva_transport_t *transport;
        push_task_t *task;
        uva_test_link(&link, NULL);
        transport = uva_writer_transport(link.writer);
        task = uva_spawn(push, transport, &kind);
        uva_test_expect(link.fd, "HELLO\n");
        if (i == 0) {
            uva_transport_abort(transport);
        } else if (i == 1) {
            ck_assert_int_eq(shutdown(link.fd, SHUT_WR), 0);
        } else {
            uva_test_reset(link.fd);
            link.fd = -1;
        }
        if (i == 2 && !uva_test_link_is_tcp()) {
            ck_assert_int_lt(push_await(task, NULL), 0);
        } else {
            ck_assert_int_eq(push_await(task, NULL), codes[i]);
        }
        UVA_TEST_UNTIL(uva_test_engines == 0);
        uva_test_unlink(&link);
    }
}

/* --- in the middle of a frame --- */

UVA_NET_TEST(ends_in_a_frame)
{
    for (int i = 0; i < 4; i++) {
        uva_test_end_t end = uva_test_end_make(NULL);
        uva_filter_kind_t kind = slow_frames();
        char got[8];
        push_frames(&end, &kind);
        send_bytes(end.fd, "\0\5ab", 4);
        ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
        if (i == 0) { /* The end of the stream. */
            ck_assert_int_eq(shutdown(end.fd, SHUT_WR), 0);
            ck_assert_int_eq(uva_reader_read(end.reader, got, 8), UV_EPROTO);
            ck_assert_int_eq(uva_writer_wait_closed(end.writer), UV_EPROTO);
        } else if (i == 1) {
            uva_transport_abort(end.transport);
            ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
            ck_assert_uint_eq(read_to_the_end(end.fd), 0);
        } else if (i == 2) { /* A close reads the rest, to find the goodbye. */
            uva_writer_close(end.writer);
            uva_test_expect(end.fd, ""); /* Its goodbye is "\0\0". */
            send_bytes(end.fd, "cde\0\0", 5);
            ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
        } else { /* So does a pop. */
            pop_task_t *task = uva_spawn(pop, end.transport);
            UVA_TICK();
            send_bytes(end.fd, "cde\0\0plain", 10);
            ck_assert_int_eq(pop_await(task, NULL), 0);
            ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 8, NULL),
                             8);
            ck_assert_int_eq(memcmp(got, "cdeplain", 8), 0);
        }
        uva_test_end_free(&end);
    }
}

/* --- while one is popped --- */

UVA_NET_TEST(ends_while_popping)
{
    for (int i = 0; i < 4; i++) {
        uva_test_end_t end = uva_test_end_make(NULL);
        uva_filter_kind_t kind = slow_frames();
        pop_task_t *task;
        int r;
        push_frames(&end, &kind);
        task = uva_spawn(pop, end.transport);
        UVA_TICK();
        if (i == 0) {
            uva_transport_abort(end.transport);
            ck_assert_int_eq(pop_await(task, NULL), UV_ECONNABORTED);
        } else if (i == 1) {
            ck_assert_int_eq(shutdown(end.fd, SHUT_RDWR), 0);
            ck_assert_int_eq(pop_await(task, NULL), UV_EPROTO);
        } else if (i == 2) { /* The goodbye is the close's as well. */
            uva_writer_close(end.writer);
            UVA_TICK();
            ck_assert(!UVA_DONE(task));
            send_bytes(end.fd, "\0", 2);
            r = pop_await(task, NULL);
            ck_assert(r == 0 || r == UV_ECONNABORTED);
            ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
        } else {
            uva_future_cancel(UVA_FUTURE(task));
            ck_assert_int_eq(pop_await(task, NULL), UV_ECANCELED);
            ck_assert(uva_transport_is_closing(end.transport));
        }
        uva_test_end_free(&end);
    }
}

/* --- with unsent bytes --- */

UVA_NET_TEST(close_with_much_unsent)
{
    static char much[MUCH];
    uva_test_end_t end = uva_test_end_make(NULL);
    uva_filter_kind_t kind = slow_frames();

    push_frames(&end, &kind);
    ck_assert_int_eq(uva_writer_write(end.writer, much, MUCH), 0);
    ck_assert_uint_ge(uva_transport_get_write_buffer_size(end.transport),
                      MUCH / 4);
    uva_writer_close(end.writer);
    send_bytes(end.fd, "\0", 2);
    ck_assert_uint_eq(read_to_the_end(end.fd),
                      MUCH + 2 * (MUCH / 60000 + 1) + 2);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
    uva_test_end_free(&end);
}

UVA_NET_TEST(pop_with_much_unsent)
{
    static char much[MUCH];
    uva_test_end_t end = uva_test_end_make(NULL);
    uva_filter_kind_t kind = slow_frames();
    pop_task_t *task;

    push_frames(&end, &kind);
    ck_assert_int_eq(uva_writer_write(end.writer, much, MUCH), 0);
    task = uva_spawn(pop, end.transport);
    UVA_TICK();
    ck_assert_int_eq(uva_writer_write(end.writer, "plain", 5), 0);
    uva_writer_close(end.writer);
    send_bytes(end.fd, "\0", 2);
    ck_assert_uint_ge(read_to_the_end(end.fd), MUCH + 2 + 5);
    ck_assert_int_eq(pop_await(task, NULL), 0);
    uva_test_end_free(&end);
}

UVA_NET_TEST(abort_with_much_unsent)
{
    static char much[MUCH];
    uva_test_end_t end = uva_test_end_make(NULL);
    uva_filter_kind_t kind = slow_frames();

    push_frames(&end, &kind);
    ck_assert_int_eq(uva_writer_write(end.writer, much, MUCH), 0);
    uva_transport_abort(end.transport);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
    ck_assert_uint_lt(read_to_the_end(end.fd), MUCH);
    uva_test_end_free(&end);
}

UVA_NET_TEST(an_engine_sends_much_by_itself)
{
    static char much[MUCH];
    uva_test_probe_t probe = {0};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    for (int i = 0; i < 3; i++) { /* Its node has run. */
        UVA_TICK();
    }
    ck_assert_int_eq(uva_filter_send(probe.filter, much, MUCH), 0);
    UVA_TEST_UNTIL(uva_transport_get_write_buffer_size(end.transport) == 0 ||
                   uva_test_drop(end.fd, MUCH) < 0);
    uva_test_end_free(&end);
}

/* --- with bytes that nobody has read --- */

UVA_NET_TEST(a_lower_one_fails_behind_bytes)
{
    /* The upper filter has decoded more than the reader wants at once. */
    enum {
        FRAMES = 20000
    };
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_test_probe_t lower = {0};
    uva_filter_kind_t kind = uva_test_probe_kind(&lower);
    uva_filter_kind_t upper = slow_frames();
    uva_test_end_t end;
    static char frames[FRAMES][3];
    static char got[FRAMES];

    options.limit_bytes = 16;
    end = uva_test_end_make(&options);
    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    push_frames(&end, &upper);
    lower.fails = UV_EIO;
    for (int i = 0; i < FRAMES; i++) {
        memcpy(frames[i], "\0\1x", 3);
    }
    send_bytes(end.fd, frames[0], sizeof frames);
    for (int i = 0; i < 20; i++) {
        UVA_TICK();
    }
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, FRAMES, NULL),
                     FRAMES);
    ck_assert_int_eq(uva_reader_read(end.reader, got, 1), UV_EIO);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), UV_EIO);
    uva_test_end_free(&end);
}

UVA_NET_TEST(a_filter_fails_behind_bytes)
{
    uva_test_probe_t probe = {.fails = UV_EIO};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
    char got[4];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    uva_test_send(end.fd, "last");
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 4, NULL), 4);
    ck_assert_int_eq(uva_reader_read(end.reader, got, 1), UV_EIO);
    uva_test_end_free(&end);
}

/* The peer answers and is gone: the answer is read, though a write, or a send
 * of the engine alone, has failed before. */
UVA_NET_TEST(an_answer_before_the_reset)
{
    static char much[4096];

    for (int i = 0; i < 4; i++) {
        uva_test_probe_t probes[2] = {{0}};
        uva_filter_kind_t kinds[] = {uva_test_probe_kind(&probes[0]),
                                     uva_test_probe_kind(&probes[1])};
        uva_test_end_t end = uva_test_end_make(NULL);
        char got[8];
        int filters = i % 2 + 1;
        for (int k = 0; k < filters; k++) {
            ck_assert_int_eq(
                uva_transport_push_filter(end.transport, &kinds[k], true, NULL),
                0);
        }
        for (int k = 0; k < 3; k++) {
            UVA_TICK();
        }
        uva_test_send(end.fd, "answer");
        close(end.fd);
        if (i / 2 == 0) {
            ck_assert_int_eq(uva_writer_write(end.writer, much, sizeof much),
                             0);
        } else {
            ck_assert_int_eq(
                uva_filter_send(probes[filters - 1].filter, much, 1), 0);
        }
        ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 6, NULL), 6);
        ck_assert_int_eq(memcmp(got, "answer", 6), 0);
        ck_assert_int_eq(uva_writer_wait_closed(end.writer), UV_EPIPE);
        end.fd = open("/dev/null", O_RDONLY);
        uva_test_end_free(&end);
    }
}

/* A pop does not succeed when what was written has not left. */
UVA_NET_TEST(pop_when_the_peer_is_gone)
{
    uva_test_probe_t probe = {0};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, "lost", 4), 0);
    close(end.fd);
    ck_assert_int_eq(uva_transport_pop_filter(end.transport), UV_EPIPE);
    end.fd = open("/dev/null", O_RDONLY);
    uva_test_end_free(&end);
}

/* The peer resets the connection, in each phase. */
UVA_NET_TEST(resets)
{
    static char much[MUCH];

    for (int i = 0; i < 3; i++) {
        uva_filter_kind_t kind = slow_frames();
        uva_test_link_t link;
        uva_transport_t *transport;
        pop_task_t *task = NULL;
        char got[8];
        uva_test_link(&link, NULL);
        transport = uva_writer_transport(link.writer);
        uva_test_send(link.fd, "HELLO\n");
        ck_assert_int_eq(
            uva_transport_push_filter(transport, &kind, true, NULL), 0);
        if (i == 0) { /* In the middle of a frame. */
            send_bytes(link.fd, "\0\5ab", 4);
            ck_assert_int_eq(uva_reader_readexactly(link.reader, got, 2, NULL),
                             2);
        } else if (i == 1) { /* While a pop waits. */
            task = uva_spawn(pop, transport);
            UVA_TICK();
        } else { /* With unsent bytes. */
            ck_assert_int_eq(uva_writer_write(link.writer, much, MUCH), 0);
            uva_writer_close(link.writer);
        }
        uva_test_reset(link.fd);
        link.fd = -1;
        if (task != NULL) {
            ck_assert_int_lt(pop_await(task, NULL), 0);
        } else if (i == 0) {
            ck_assert_int_lt(uva_reader_read(link.reader, got, 8), 0);
        }
        ck_assert_int_lt(uva_writer_wait_closed(link.writer), 0);
        UVA_TEST_UNTIL(uva_test_engines == 0);
        uva_test_unlink(&link);
    }
}

/* --- chains --- */

UVA_NET_TEST(a_chain_says_goodbye)
{
    /* The upper filter first, then the lower one. */
    uva_test_end_t end = uva_test_end_make(NULL);
    uva_filter_kind_t kind = slow_frames();
    static const char upper_goodbye[] = "\0\2\0";

    push_frames(&end, &kind);
    send_bytes(end.fd, "\0\6HELLO\n", 8);
    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    uva_writer_close(end.writer);
    UVA_TICK();
    send_bytes(end.fd, upper_goodbye, 4);
    UVA_TICK();
    UVA_TICK();
    UVA_TICK();
    send_bytes(end.fd, "\0", 2);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
    ck_assert_uint_eq(read_to_the_end(end.fd), 8 + 4 + 2);
    uva_test_end_free(&end);
}

/* On virtual time, which stands still while a loop spins: a filter that has
 * said goodbye waits for the lower one, whose peer never answers; one that the
 * peer has closed does not ask for bytes that it will not take. */
UVA_TEST(a_chain_waits_for_goodbyes)
{
    static const char greeting[] = "HELLO\n\0\6HELLO\n\0\2\0";
    uva_reader_t *readers[2];
    uva_writer_t *writers[2];
    uva_filter_kind_t kind = slow_frames();
    uva_transport_t *transport;
    uint64_t begin_ns;

    ck_assert_int_eq(uva_open_memory_connection(0, readers, writers), 0);
    transport = uva_writer_transport(writers[0]);
    ck_assert_int_eq(uva_writer_write(writers[1], greeting, sizeof greeting),
                     0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            uva_transport_push_filter(transport, &kind, true, NULL), 0);
    }
    begin_ns = uva_loop_time(uva_get_running_loop());
    uva_writer_close(writers[0]);
    ck_assert_int_eq(uva_writer_wait_closed(writers[0]), UV_ETIMEDOUT);
    ck_assert_uint_eq(uva_loop_time(uva_get_running_loop()) - begin_ns,
                      UVA_SEC(60));
    UVA_IGNORE(uva_connection_close(readers[0], writers[0]));
    uva_writer_close(writers[1]);
    UVA_IGNORE(uva_connection_close(readers[1], writers[1]));
    UVA_TEST_UNTIL(uva_test_engines == 0);
}

UVA_TEST(a_closed_one_takes_nothing)
{
    uva_reader_t *readers[2];
    uva_writer_t *writers[2];
    uva_test_probe_t probe = {0};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    char got[4];

    ck_assert_int_eq(uva_open_memory_connection(0, readers, writers), 0);
    ck_assert_int_eq(uva_transport_push_filter(uva_writer_transport(writers[0]),
                                               &kind, true, NULL),
                     0);
    UVA_TICK();
    uva_filter_closed(probe.filter);
    ck_assert_int_eq(uva_writer_write(writers[1], "more", 4), 0);
    ck_assert_int_eq(uva_sleep(UVA_SEC(1)), 0);
    ck_assert_int_eq(uva_transport_pop_filter(uva_writer_transport(writers[0])),
                     0);
    ck_assert_int_eq(uva_reader_readexactly(readers[0], got, 4, NULL), 4);
    for (int i = 0; i < 2; i++) {
        uva_writer_close(writers[i]);
        UVA_IGNORE(uva_connection_close(readers[i], writers[i]));
    }
    UVA_TEST_UNTIL(uva_test_engines == 0);
}

int main(void)
{
    Suite *suite = suite_create("filters_ends");
    TCase *opening = UVA_TCASE(suite, "Opening");
    TCase *middle = UVA_TCASE(suite, "Middle");
    TCase *unsent = UVA_TCASE(suite, "Unsent");
    TCase *unread = UVA_TCASE(suite, "Unread");

    UVA_ADD_TESTS(opening, close_while_opening,
                  close_in_start_sends_what_was_written,
                  close_while_opening_with_bytes_for_it, ends_while_opening);
    UVA_ADD_TESTS(middle, ends_in_a_frame, ends_while_popping,
                  a_chain_says_goodbye, a_chain_waits_for_goodbyes,
                  a_closed_one_takes_nothing);
    UVA_ADD_TESTS(unsent, close_with_much_unsent, pop_with_much_unsent,
                  abort_with_much_unsent, an_engine_sends_much_by_itself);
    UVA_ADD_TESTS(unread, a_lower_one_fails_behind_bytes,
                  a_filter_fails_behind_bytes, an_answer_before_the_reset,
                  pop_when_the_peer_is_gone, resets);
    return uva_test_main(suite);
}
