/*
 * Transports in memory: streams and protocols, on loops with sockets and on
 * virtual ones.
 */
#include "kinds.h"
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "uva/connections.h"
#include "uva/protocols.h"

typedef struct ends_s {
    uva_reader_t *readers[2];
    uva_writer_t *writers[2];
} ends_t;

static void open_ends(ends_t *ends, size_t capacity)
{
    ck_assert_int_eq(
        uva_open_memory_connection(capacity, ends->readers, ends->writers), 0);
}

static void drop_ends(ends_t *ends)
{
    for (int i = 0; i < 2; i++) {
        uva_writer_close(ends->writers[i]);
        uva_reader_unref(ends->readers[i]);
        uva_writer_unref(ends->writers[i]);
    }
}

/* --- streams --- */

KIND_TEST(line_and_end, ends_t ends; uva_bytes_t line; int r;)
{
    UVA_BEGIN
    open_ends(&self->ends, 0);
    ck_assert_int_eq(
        uva_transport_medium(uva_writer_transport(self->ends.writers[0])),
        UVA_MEDIUM_MEMORY);
    ck_assert_int_eq(
        uva_transport_fileno(uva_writer_transport(self->ends.writers[0])), -1);
    ck_assert_int_eq(uva_writer_write(self->ends.writers[0], "a line\n", 7), 0);
    AWAIT(self->r, uva_reader_readline_view, self->ends.readers[1],
          &self->line);
    ck_assert_int_eq(self->r, 7);
    ck_assert_int_eq(uva_writer_write_eof(self->ends.writers[0]), 0);
    AWAIT(self->r, uva_reader_readline_view, self->ends.readers[1],
          &self->line);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(uva_writer_write(self->ends.writers[1], "back\n", 5), 0);
    uva_writer_close(self->ends.writers[1]);
    AWAIT(self->r, uva_reader_readline_view, self->ends.readers[0],
          &self->line);
    ck_assert_int_eq(self->r, 5);
    AWAIT(self->r, uva_reader_readline_view, self->ends.readers[0],
          &self->line);
    ck_assert_int_eq(self->r, 0);
    drop_ends(&self->ends);
    UVA_END
    return 0;
}

enum {
    MUCH = 1 << 20
};

static char much[MUCH];

KIND_TASK(void, send_much, uva_writer_t *writer; int r;)
{
    UVA_BEGIN
    self->r = uva_writer_write(self->writer, much, sizeof much);
    ck_assert_int_eq(self->r, 0);
    AWAIT(self->r, uva_writer_drain, self->writer);
    UVA_END
    return self->r;
}

KIND_TEST(more_than_fits, ends_t ends; send_much_task_t * task; int r;
          char *got;)
{
    UVA_BEGIN
    open_ends(&self->ends, 1000);
    memset(much, 'x', sizeof much);
    self->got = malloc(MUCH);
    self->task = KIND_SPAWN(send_much, .writer = self->ends.writers[0]);
    AWAIT_IS(0, uva_sleep, 0);
    ck_assert_uint_gt(uva_transport_get_write_buffer_size(
                          uva_writer_transport(self->ends.writers[0])),
                      MUCH - 200000);
    AWAIT(self->r, uva_reader_readexactly, self->ends.readers[1], self->got,
          MUCH, NULL);
    ck_assert_int_eq(self->r, MUCH);
    ck_assert_int_eq(memcmp(self->got, much, MUCH), 0);
    AWAIT(self->r, send_much_await, self->task, NULL);
    ck_assert_int_eq(self->r, 0);
    free(self->got);
    drop_ends(&self->ends);
    UVA_END
    return 0;
}

UVA_TEST(peer_closes)
{
    /* Unread bytes on the side that closes are a reset for the other. */
    for (int unread = 0; unread < 2; unread++) {
        ends_t ends;
        char byte;
        open_ends(&ends, 0);
        uva_transport_pause_reading(uva_writer_transport(ends.writers[1]));
        if (unread != 0) {
            ck_assert_int_eq(uva_writer_write(ends.writers[0], "lost", 4), 0);
            UVA_TICK();
        }
        uva_writer_close(ends.writers[1]);
        ck_assert_int_eq(uva_reader_read(ends.readers[0], &byte, 1),
                         unread != 0 ? UV_ECONNRESET : 0);
        if (unread == 0) { /* The end of one direction; a write tells more. */
            ck_assert_int_eq(uva_writer_write(ends.writers[0], "x", 1), 0);
            UVA_TICK();
            ck_assert_int_eq(uva_writer_wait_closed(ends.writers[0]), UV_EPIPE);
        }
        drop_ends(&ends);
    }
}

/* --- protocols --- */

typedef struct counting_s {
    uva_protocol_t base;
} counting_t;

typedef struct counts_s {
    int made;
    int lost;
    size_t bytes;
} counts_t;

static int counting_made(uva_protocol_t *self)
{
    ((counts_t *)self->arg)->made++;
    return uva_transport_write(self->transport, "hello", 5);
}

static int counting_data(uva_protocol_t *self, uva_bytes_t data)
{
    ((counts_t *)self->arg)->bytes += data.size;
    return 0;
}

static void counting_lost(uva_protocol_t *self, int status)
{
    ck_assert_int_eq(status, 0);
    ((counts_t *)self->arg)->lost++;
}

static const uva_protocol_ops_t counting_ops = {
    UVA_PROTOCOL_OPS(counting_t),
    .connection_made = counting_made,
    .data_received = counting_data,
    .connection_lost = counting_lost,
};

UVA_TEST(pair_of_protocols)
{
    counts_t counts[2] = {{0}, {0}};
    const uva_protocol_ops_t *const ops[2] = {&counting_ops, &counting_ops};
    void *const args[2] = {&counts[0], &counts[1]};
    uva_transport_t *transports[2];

    ck_assert_int_eq(uva_transport_pair(0, ops, args, transports), 0);
    ck_assert_int_eq(counts[0].made + counts[1].made, 0);
    UVA_TEST_UNTIL(counts[0].bytes == 5 && counts[1].bytes == 5);
    uva_transport_close(transports[0]);
    UVA_TEST_UNTIL(counts[0].lost == 1 && counts[1].lost == 1);
    uva_transport_unref(transports[0]);
    uva_transport_unref(transports[1]);
}

UVA_TEST_STRICT(no_memory)
{
    for (size_t n = 1;; n++) {
        ends_t ends;
        int r;
        uva_testing_fail_allocation(n, false);
        r = uva_open_memory_connection(0, ends.readers, ends.writers);
        uva_testing_fail_allocation(0, false);
        if (r == 0) {
            ck_assert_uint_gt(n, 3);
            drop_ends(&ends);
            break;
        }
        ck_assert_int_eq(r, UV_ENOMEM);
    }
}

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *streams = UVA_TCASE(suite, "Streams");
    TCase *protocols = UVA_TCASE(suite, "Protocols");

    KIND_ADD_TESTS(streams, line_and_end, more_than_fits);
    UVA_ADD_TESTS(streams, peer_closes, no_memory);
    UVA_ADD_TESTS(protocols, pair_of_protocols);
    return uva_test_main(suite);
}
