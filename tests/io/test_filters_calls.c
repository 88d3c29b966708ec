/*
 * Filters whose engine closes or aborts its own transport inside its calls, and
 * ends of streams that are written while a filter comes or goes.
 */
#include "net.h"
#include "test_filters.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/connections.h"
#include "uva/protocols.h"

/* --- an engine that changes nothing, and acts on its transport --- */

typedef enum call_e {
    CALL_START,
    CALL_RECEIVED,
    CALL_WRITE,
    CALL_CLOSE,
    CALLS
} call_t;

typedef struct probe_s {
    void (*act)(uva_transport_t *transport); /* In the call; may be NULL. */
    call_t call;
    bool waits;           /* The test calls uva_filter_ready and _closed. */
    int writes;           /* Calls of write. */
    uva_filter_t *filter; /* Borrowed: the last one. */
} probe_t;

static void probe_act(probe_t *probe, call_t call)
{
    void (*act)(uva_transport_t * transport) = probe->act;

    if (act != NULL && probe->call == call) {
        probe->act = NULL;
        act(uva_filter_transport(probe->filter));
    }
}

static int probe_start(uva_filter_t *filter,
                       void *data,
                       bool is_server,
                       const char *host,
                       void **ret_state)
{
    probe_t *probe = data;

    (void)is_server;
    (void)host;
    uva_test_engines++;
    probe->filter = filter;
    *ret_state = probe;
    if (!probe->waits) {
        uva_filter_ready(filter, 0);
    }
    probe_act(probe, CALL_START);
    return 0;
}

static int probe_received(void *state, uva_bytes_t data)
{
    probe_t *probe = state;

    probe_act(probe, CALL_RECEIVED);
    return uva_filter_give(probe->filter, data.data, data.size);
}

static int probe_write(void *state, const uva_bytes_t *pieces, size_t count)
{
    probe_t *probe = state;
    int r = 0;

    probe->writes++;
    for (size_t i = 0; i < count && r >= 0; i++) {
        r = uva_filter_send(probe->filter, pieces[i].data, pieces[i].size);
    }
    probe_act(probe, CALL_WRITE);
    return r;
}

/* The end of the stream is a mark. */
static int probe_write_eof(void *state)
{
    probe_t *probe = state;

    return uva_filter_send(probe->filter, "$", 1);
}

static int probe_close(void *state)
{
    probe_t *probe = state;

    probe_act(probe, CALL_CLOSE);
    return probe->waits ? UVA_PENDING : 0;
}

static void probe_destroy(void *state)
{
    (void)state;
    uva_test_engines--;
}

static const uva_filter_ops_t probe_ops = {
    .size = sizeof(uva_filter_ops_t),
    .name = "probe",
    .start = probe_start,
    .received = probe_received,
    .write = probe_write,
    .write_eof = probe_write_eof,
    .close = probe_close,
    .destroy = probe_destroy,
};

/* --- one end, and a plain socket --- */

typedef struct end_s {
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_transport_t *transport;
    int fd;
} end_t;

static end_t end_make(void)
{
    end_t end;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    ck_assert_int_eq(
        uva_open_connection_fd(fds[0], NULL, &end.reader, &end.writer), 0);
    end.transport = uva_writer_transport(end.writer);
    end.fd = fds[1];
    return end;
}

static void end_free(end_t *end)
{
    uva_writer_close(end->writer);
    UVA_IGNORE(uva_connection_close(end->reader, end->writer));
    UVA_TEST_UNTIL(uva_test_engines == 0);
    close(end->fd);
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

static uva_filter_kind_t kind_of(probe_t *probe)
{
    return (uva_filter_kind_t){
        .size = sizeof(uva_filter_kind_t), .ops = &probe_ops, .data = probe};
}

/* --- close and abort in calls of the engine --- */

UVA_NET_TEST(ends_its_transport)
{
    void (*acts[])(uva_transport_t *) = {uva_transport_abort,
                                         uva_transport_close};

    for (int i = 0; i < 2 * CALLS; i++) {
        probe_t probe = {.call = (call_t)(i / 2), .act = acts[i % 2]};
        uva_filter_kind_t kind = kind_of(&probe);
        end_t end = end_make();
        char got[8];
        int r = uva_transport_push_filter(end.transport, &kind, true, NULL);
        if (probe.call == CALL_START && i % 2 == 0) {
            ck_assert_int_eq(r, UV_ECANCELED);
        } else {
            ck_assert_int_eq(r, 0);
        }
        if (probe.call != CALL_START) {
            ck_assert_int_eq(send(end.fd, "in", 2, 0), 2);
            ck_assert_int_ge(uva_reader_read(end.reader, got, 2), 0);
            ck_assert_int_eq(uva_writer_write(end.writer, "out", 3), 0);
        }
        end_free(&end);
    }
}

UVA_NET_TEST(close_in_write_sends_once)
{
    probe_t probe = {.call = CALL_WRITE, .act = uva_transport_close};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();
    char got[8];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, "out", 3), 0);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 3);
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 0);
    end_free(&end);
}

/* What was read ahead lies between two filters: it goes with the abort, while
 * the upper filter sends by it. */
UVA_NET_TEST(lower_one_aborts)
{
    for (int i = 0; i < 2; i++) {
        probe_t lower = {.call = i == 0 ? CALL_WRITE : CALL_CLOSE,
                         .act = uva_transport_abort};
        probe_t upper = {0};
        uva_filter_kind_t kinds[] = {kind_of(&lower), kind_of(&upper)};
        end_t end = end_make();
        char got[4];
        ck_assert_int_eq(
            uva_transport_push_filter(end.transport, &kinds[0], true, NULL), 0);
        ck_assert_int_eq(send(end.fd, "a\nb\n", 4, 0), 4);
        ck_assert_int_eq(uva_reader_read(end.reader, got, 2), 2);
        ck_assert_int_eq(
            uva_transport_push_filter(end.transport, &kinds[1], true, NULL), 0);
        if (i == 0) {
            ck_assert_int_eq(uva_writer_write(end.writer, "out", 3), 0);
        }
        end_free(&end);
    }
}

/* --- the end of the stream, while a filter comes or goes --- */

UVA_NET_TEST(eof_during_push)
{
    probe_t probe = {.waits = true};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();
    push_task_t *task = uva_spawn(push, end.transport, &kind);
    char got[8];

    UVA_TICK();
    ck_assert_int_eq(uva_writer_write(end.writer, "x", 1), 0);
    ck_assert_int_eq(uva_writer_write_eof(end.writer), 0);
    UVA_TICK();
    uva_filter_ready(probe.filter, 0);
    ck_assert_int_eq(push_await(task, NULL), 0);
    UVA_TICK();
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 2);
    ck_assert_int_eq(memcmp(got, "x$", 2), 0);
    probe.waits = false;
    end_free(&end);
}

UVA_NET_TEST(eof_alone_during_push)
{
    probe_t probe = {.waits = true};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();
    push_task_t *task = uva_spawn(push, end.transport, &kind);
    char got[8];

    UVA_TICK();
    ck_assert_int_eq(uva_writer_write_eof(end.writer), 0);
    uva_filter_ready(probe.filter, 0);
    ck_assert_int_eq(push_await(task, NULL), 0);
    UVA_TICK();
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 1);
    probe.waits = false;
    end_free(&end);
}

UVA_NET_TEST(eof_during_pop)
{
    probe_t probe = {0};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();
    pop_task_t *task;
    char got[8];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    probe.waits = true;
    task = uva_spawn(pop, end.transport);
    UVA_TICK();
    ck_assert_int_eq(uva_writer_write_eof(end.writer), 0);
    uva_filter_closed(probe.filter);
    ck_assert_int_eq(pop_await(task, NULL), 0);
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 0);
    end_free(&end);
}

/* --- what was written for an engine that is closed --- */

UVA_NET_TEST(pop_of_a_closed_one)
{
    enum {
        MUCH = 1 << 20
    };
    static char much[MUCH];
    probe_t probe = {.waits = false};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, much, MUCH), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, "secret", 6), 0);
    uva_filter_closed(probe.filter);
    probe.writes = 0;
    ck_assert_int_eq(uva_transport_pop_filter(end.transport), UV_EPIPE);
    ck_assert_int_eq(probe.writes, 0);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), UV_EPIPE);
    end_free(&end);
}

UVA_NET_TEST(pause_in_received)
{
    probe_t probe = {.call = CALL_RECEIVED, .act = uva_transport_pause_reading};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();
    char got[4];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(send(end.fd, "in", 2, 0), 2);
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
    uva_transport_resume_reading(end.transport);
    ck_assert_int_eq(send(end.fd, "on", 2, 0), 2);
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
    end_free(&end);
}

static int replaced_with; /* What an engine got for replacing the consumer. */

typedef struct idle_s {
    uva_protocol_t base;
} idle_t;

static int no_data(uva_protocol_t *self, uva_bytes_t data)
{
    (void)self;
    (void)data;
    return 0;
}

static const uva_protocol_ops_t idle_ops = {
    UVA_PROTOCOL_OPS(idle_t),
    .data_received = no_data,
};

static void replace_consumer(uva_transport_t *transport)
{
    static idle_t protocol = {.base = {.ops = &idle_ops}};

    replaced_with = uva_transport_set_protocol(transport, &protocol.base);
}

UVA_NET_TEST(replace_in_received)
{
    /* The bytes of the call have their place in the reader that asked. */
    probe_t probe = {.call = CALL_RECEIVED, .act = replace_consumer};
    uva_filter_kind_t kind = kind_of(&probe);
    end_t end = end_make();
    char got[2];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(send(end.fd, "in", 2, 0), 2);
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
    ck_assert_int_eq(replaced_with, UV_EPERM);
    end_free(&end);
}

int main(void)
{
    Suite *suite = suite_create("filters_calls");
    TCase *acting = UVA_TCASE(suite, "Acting");
    TCase *ends = UVA_TCASE(suite, "Ends");

    UVA_ADD_TESTS(acting, ends_its_transport, close_in_write_sends_once,
                  lower_one_aborts, pause_in_received, replace_in_received);
    UVA_ADD_TESTS(ends, eof_during_push, eof_alone_during_push, eof_during_pop,
                  pop_of_a_closed_one);
    return uva_test_main(suite);
}
