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

/* --- tasks --- */

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

/* --- close and abort in calls of the engine --- */

UVA_NET_TEST(ends_its_transport)
{
    void (*acts[])(uva_transport_t *) = {uva_transport_abort,
                                         uva_transport_close};

    for (int i = 0; i < 2 * UVA_TEST_CALLS; i++) {
        uva_test_probe_t probe = {.call = (uva_test_call_t)(i / 2),
                                  .act = acts[i % 2]};
        uva_filter_kind_t kind = uva_test_probe_kind(&probe);
        uva_test_end_t end = uva_test_end_make(NULL);
        char got[8];
        int r = uva_transport_push_filter(end.transport, &kind, true, NULL);
        if (probe.call == UVA_TEST_IN_START && i % 2 == 0) {
            ck_assert_int_eq(r, UV_ECONNABORTED);
        } else {
            ck_assert_int_eq(r, 0);
        }
        if (probe.call != UVA_TEST_IN_START) {
            ck_assert_int_eq(send(end.fd, "in", 2, 0), 2);
            ck_assert_int_ge(uva_reader_read(end.reader, got, 2), 0);
            ck_assert_int_eq(uva_writer_write(end.writer, "out", 3), 0);
        }
        uva_test_end_free(&end);
    }
}

UVA_NET_TEST(close_in_write_sends_once)
{
    uva_test_probe_t probe = {.call = UVA_TEST_IN_WRITE,
                              .act = uva_transport_close};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
    char got[8];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, "out", 3), 0);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), 0);
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 3);
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 0);
    uva_test_end_free(&end);
}

/* What was read ahead lies between two filters: it goes with the abort, while
 * the upper filter sends by it. */
UVA_NET_TEST(lower_one_aborts)
{
    for (int i = 0; i < 2; i++) {
        uva_test_probe_t lower = {.call = i == 0 ? UVA_TEST_IN_WRITE
                                                 : UVA_TEST_IN_CLOSE,
                                  .act = uva_transport_abort};
        uva_test_probe_t upper = {0};
        uva_filter_kind_t kinds[] = {uva_test_probe_kind(&lower),
                                     uva_test_probe_kind(&upper)};
        uva_test_end_t end = uva_test_end_make(NULL);
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
        uva_test_end_free(&end);
    }
}

/* --- the end of the stream, while a filter comes or goes --- */

UVA_NET_TEST(eof_during_push)
{
    uva_test_probe_t probe = {.waits = true};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
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
    uva_test_end_free(&end);
}

UVA_NET_TEST(eof_alone_during_push)
{
    uva_test_probe_t probe = {.waits = true};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
    push_task_t *task = uva_spawn(push, end.transport, &kind);
    char got[8];

    UVA_TICK();
    ck_assert_int_eq(uva_writer_write_eof(end.writer), 0);
    uva_filter_ready(probe.filter, 0);
    ck_assert_int_eq(push_await(task, NULL), 0);
    UVA_TICK();
    ck_assert_int_eq(recv(end.fd, got, sizeof got, 0), 1);
    probe.waits = false;
    uva_test_end_free(&end);
}

UVA_NET_TEST(eof_during_pop)
{
    uva_test_probe_t probe = {0};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
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
    uva_test_end_free(&end);
}

/* --- what was written for an engine that is closed --- */

UVA_NET_TEST(pop_of_a_closed_one)
{
    enum {
        MUCH = 1 << 20
    };
    static char much[MUCH];
    uva_test_probe_t probe = {.waits = false};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, much, MUCH), 0);
    ck_assert_int_eq(uva_writer_write(end.writer, "secret", 6), 0);
    uva_filter_closed(probe.filter);
    probe.writes = 0;
    ck_assert_int_eq(uva_transport_pop_filter(end.transport), UV_EPIPE);
    ck_assert_int_eq(probe.writes, 0);
    ck_assert_int_eq(uva_writer_wait_closed(end.writer), UV_EPIPE);
    uva_test_end_free(&end);
}

UVA_NET_TEST(pause_in_received)
{
    uva_test_probe_t probe = {.call = UVA_TEST_IN_RECEIVED,
                              .act = uva_transport_pause_reading};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
    char got[4];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(send(end.fd, "in", 2, 0), 2);
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
    uva_transport_resume_reading(end.transport);
    ck_assert_int_eq(send(end.fd, "on", 2, 0), 2);
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
    uva_test_end_free(&end);
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
    uva_test_probe_t probe = {.call = UVA_TEST_IN_RECEIVED,
                              .act = replace_consumer};
    uva_filter_kind_t kind = uva_test_probe_kind(&probe);
    uva_test_end_t end = uva_test_end_make(NULL);
    char got[2];

    ck_assert_int_eq(
        uva_transport_push_filter(end.transport, &kind, true, NULL), 0);
    ck_assert_int_eq(send(end.fd, "in", 2, 0), 2);
    ck_assert_int_eq(uva_reader_readexactly(end.reader, got, 2, NULL), 2);
    ck_assert_int_eq(replaced_with, UV_EPERM);
    uva_test_end_free(&end);
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
