/*
 * Filters that come and go in the middle of a stream, with what comes cut at
 * each byte; small reads and low marks; connections that are idle or not.
 */
#include "net.h"
#include "test_filters.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- cut at each byte --- */

/* A line, the greeting, a frame, a goodbye, a line. */
static const char segment[] = "PROXY\nHELLO\n\0\5word\n\0\0plain\n";

enum {
    SEGMENT = sizeof segment - 1
};

/* What a server does with it. */
UVA_TASK(void, serve, uva_test_end_t *end; bool ends;)
{
    uva_test_end_t *end = args->end;
    uva_bytes_t line;
    char got[8];

    (void)ret;
    ck_assert_int_eq(uva_reader_readline_view(end->reader, &line), 6);
    ck_assert_int_eq(
        uva_transport_push_filter(end->transport, &uva_test_frames, true, NULL),
        0);
    ck_assert_int_eq(uva_reader_readexactly(end->reader, got, 5, NULL), 5);
    ck_assert_int_eq(memcmp(got, "word\n", 5), 0);
    ck_assert_int_eq(uva_transport_pop_filter(end->transport), 0);
    ck_assert_int_eq(uva_reader_readline_view(end->reader, &line), 6);
    ck_assert_int_eq(memcmp(line.data, "plain\n", 6), 0);
    if (args->ends) {
        ck_assert_int_eq(uva_reader_read(end->reader, got, 1), 0);
    }
    return 0;
}

static void serve_cut(size_t cut, int turns, bool ends)
{
    uva_test_end_t end = uva_test_end_make(NULL);
    serve_task_t *task = uva_spawn(serve, &end, ends);

    ck_assert_int_eq(send(end.fd, segment, cut, MSG_NOSIGNAL), (ssize_t)cut);
    for (int i = 0; i < turns; i++) {
        UVA_TICK();
    }
    ck_assert_int_eq(send(end.fd, segment + cut, SEGMENT - cut, MSG_NOSIGNAL),
                     (ssize_t)(SEGMENT - cut));
    if (ends) {
        ck_assert_int_eq(shutdown(end.fd, SHUT_WR), 0);
    }
    ck_assert_int_eq(serve_await(task, NULL), 0);
    uva_test_end_free(&end);
}

UVA_NET_TEST(cut_at_each_byte)
{
    for (size_t cut = 0; cut <= SEGMENT; cut++) {
        for (int turns = 0; turns < 4; turns++) {
            serve_cut(cut, turns, false);
            serve_cut(cut, turns, true);
        }
    }
}

/* All has come, and the end of the stream, before the server looks. */
UVA_NET_TEST(the_end_came_before_the_push)
{
    uva_test_end_t end = uva_test_end_make(NULL);
    serve_task_t *task;

    ck_assert_int_eq(send(end.fd, segment, SEGMENT, MSG_NOSIGNAL), SEGMENT);
    ck_assert_int_eq(shutdown(end.fd, SHUT_WR), 0);
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    task = uva_spawn(serve, &end, true);
    ck_assert_int_eq(serve_await(task, NULL), 0);
    uva_test_end_free(&end);
}

/* --- small reads, low marks --- */

static void serve_bytes(uva_test_end_t *end, int filters)
{
    static const char reply[] = "HELLO\n\0\1z\0\2zz";

    for (size_t i = 0; i < 12; i++) { /* A byte comes, a byte is read. */
        char got;
        const char *frame = "\0\1a";
        for (int k = 0; k < 3; k++) {
            ck_assert_int_eq(send(end->fd, frame + k, 1, MSG_NOSIGNAL), 1);
            UVA_TICK();
        }
        ck_assert_int_eq(uva_reader_read(end->reader, &got, 1), 1);
        ck_assert_int_eq(got, filters == 1 ? 'a' : 'n');
    }
    ck_assert_int_eq(uva_writer_write(end->writer, filters == 1 ? "z" : "m", 1),
                     0);
    ck_assert_int_eq(uva_writer_drain(end->writer), 0);
    UVA_TICK(); /* A frame of its own. */
    ck_assert_int_eq(
        uva_writer_write(end->writer, filters == 1 ? "zz" : "mm", 2), 0);
    ck_assert_int_eq(uva_writer_drain(end->writer), 0);
    for (size_t i = 0; i < sizeof reply - 1; i++) {
        char got;
        UVA_TEST_UNTIL(recv(end->fd, &got, 1, MSG_DONTWAIT) == 1);
        ck_assert_int_eq(got, reply[i]);
    }
}

UVA_NET_TEST(a_byte_at_a_time)
{
    uva_filter_kind_t kind = uva_test_frames;

    kind.closing_ns = UVA_MS(10); /* The peer does not answer a goodbye. */
    for (int filters = 1; filters <= 2; filters++) {
        uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
        uva_test_end_t end;
        options.limit_bytes = 1;
        options.high_bytes = 1;
        end = uva_test_end_make(&options);
        uva_test_send(end.fd, "HELLO\n");
        ck_assert_int_eq(
            uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
        if (filters == 2) {
            ck_assert_int_eq(uva_transport_push_filter(
                                 end.transport, &uva_test_rot13, true, NULL),
                             0);
        }
        serve_bytes(&end, filters);
        uva_test_end_free(&end);
    }
}

/* --- idle or not --- */

typedef struct idle_s {
    bool pushed;
    int first; /* What the first read has returned, and the second one. */
    int second;
    bool done;
} idle_t;

UVA_TASK(void, handle, uva_reader_t *reader; uva_writer_t * writer;
         idle_t * idle;)
{
    idle_t *idle = args->idle;
    static uva_filter_kind_t kind;
    char got[4];

    (void)ret;
    kind = uva_test_frames;
    kind.opening_ns = UVA_SEC(60);
    ck_assert_int_eq(uva_transport_push_filter(
                         uva_writer_transport(args->writer), &kind, true, NULL),
                     0);
    idle->pushed = true;
    idle->first = (int)uva_reader_read(args->reader, got, sizeof got);
    idle->second = (int)uva_reader_read(args->reader, got, sizeof got);
    idle->done = true;
    uva_transport_abort(uva_writer_transport(args->writer));
    return 0;
}

UVA_NET_TEST(idle_ends_with_a_filter)
{
    /* Closed while: it opens, nothing has come, a half frame has come, a whole
     * one. */
    static const char *before[] = {"HEL", "HELLO\n", "HELLO\n", "HELLO\n"};
    static const char *after[] = {"LO\n", "", "", ""};

    for (int i = 0; i < 4; i++) {
        uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
        uva_server_t *server;
        idle_t idle = {.pushed = false};
        int fd;
        options.end_idle = true;
        ck_assert_int_eq(uva_start_server(handle, "127.0.0.1", "0", &options,
                                          &server, .idle = &idle),
                         0);
        fd = uva_test_dial(uva_server_port(server));
        uva_test_send(fd, before[i]);
        if (i > 0) {
            UVA_TEST_UNTIL(idle.pushed);
        } else {
            uva_test_expect(fd, "HELLO\n");
        }
        if (i == 2) {
            ck_assert_int_eq(send(fd, "\0\2x", 3, 0), 3);
            ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
        }
        uva_server_close(server);
        ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
        ck_assert(idle.done == (i == 1 || i == 3));
        uva_test_send(fd, after[i]);
        if (i == 2) {
            ck_assert_int_eq(send(fd, "y", 1, 0), 1);
        }
        UVA_TEST_UNTIL(idle.done);
        ck_assert_int_eq(idle.first + idle.second, i == 2 ? 2 : 0);
        ck_assert_int_eq(uva_server_wait_closed(server), 0);
        uva_server_unref(server);
        UVA_TEST_UNTIL(uva_test_engines == 0);
        close(fd);
    }
}

int main(void)
{
    Suite *suite = suite_create("filters_middle");
    TCase *cut = UVA_TCASE(suite, "Cut");
    TCase *small = UVA_TCASE(suite, "Small");
    TCase *idle = UVA_TCASE(suite, "Idle");

    UVA_ADD_TESTS(cut, cut_at_each_byte, the_end_came_before_the_push);
    UVA_ADD_TESTS(small, a_byte_at_a_time);
    UVA_ADD_TESTS(idle, idle_ends_with_a_filter);
    return uva_test_main(suite);
}
