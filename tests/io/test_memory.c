/*
 * Transports in memory: streams and protocols, on loops with sockets and on
 * virtual ones.
 */
#include "kinds.h"
#include "net.h"
#include "noting.h"

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

/* What has come is read before the reset is told. */
UVA_TEST(bytes_before_a_reset)
{
    ends_t ends;
    char bytes[8];

    open_ends(&ends, 0);
    uva_transport_pause_reading(uva_writer_transport(ends.writers[1]));
    ck_assert_int_eq(uva_writer_write(ends.writers[0], "unread", 6), 0);
    ck_assert_int_eq(uva_writer_write(ends.writers[1], "last", 4), 0);
    UVA_TICK();
    uva_transport_abort(uva_writer_transport(ends.writers[1]));
    ck_assert_int_eq(uva_reader_readexactly(ends.readers[0], bytes, 4, NULL),
                     4);
    ck_assert_int_eq(memcmp(bytes, "last", 4), 0);
    ck_assert_int_eq(uva_reader_read(ends.readers[0], bytes, 1), UV_ECONNRESET);
    drop_ends(&ends);
}

/* Both ends leave, in each order and at each moment. */
UVA_TEST(ends_in_each_order)
{
    for (int how = 0; how < 64; how++) {
        ends_t ends;
        int first = how & 1;
        open_ends(&ends, 16);
        for (int i = 0; i < 2; i++) {
            if ((how & 2) != 0) { /* More than fits. */
                ck_assert_int_eq(uva_writer_write(ends.writers[i], much, 2000),
                                 0);
            }
            if ((how & 4) != 0) {
                (void)uva_writer_write_eof(ends.writers[i]);
            }
        }
        if ((how & 8) != 0) {
            UVA_TICK();
        }
        for (int i = 0; i < 2; i++) {
            uva_writer_t *writer = ends.writers[first ^ i];
            if ((how & 16) != 0) {
                uva_transport_abort(uva_writer_transport(writer));
            } else {
                uva_writer_close(writer);
            }
            if ((how & 32) != 0) {
                UVA_TICK();
            }
        }
        /* A close may wait for a peer that reads no more. */
        for (int i = 0; i < 2; i++) {
            int r;
            uva_transport_abort(uva_writer_transport(ends.writers[i]));
            r = uva_writer_wait_closed(ends.writers[i]);
            ck_assert(r == 0 || r == UV_ECONNRESET || r == UV_EPIPE);
        }
        drop_ends(&ends);
    }
}

KIND_TASK(void, answer_all, uva_reader_t *reader; uva_writer_t * writer;
          uva_bytes_t view;
          int r;)
{
    UVA_BEGIN
    for (;;) {
        AWAIT(self->r, uva_reader_read_view, self->reader, 64, &self->view);
        if (self->r <= 0) {
            break;
        }
        self->r =
            uva_writer_write(self->writer, self->view.data, self->view.size);
        if (self->r < 0) {
            break;
        }
    }
    UVA_END
    return self->r;
}

/* Simulations run millions: nothing grows with them. */
KIND_TEST(many_round_trips, ends_t ends; answer_all_task_t * task;
          uva_bytes_t view;
          size_t bytes;
          int i;
          int r;)
{
    UVA_BEGIN
    open_ends(&self->ends, 0);
    self->task =
        KIND_SPAWN(answer_all, self->ends.readers[1], self->ends.writers[1]);
    self->bytes = 0;
    for (self->i = 0; self->i < (uva_test_on_valgrind() ? 1000 : 1000000);
         self->i++) {
        self->r = uva_writer_write(self->ends.writers[0], "ping", 4);
        AWAIT(self->r, uva_reader_read_view, self->ends.readers[0], 64,
              &self->view);
        if (self->r != 4) { /* An assertion here would be a system call. */
            ck_abort_msg("round trip %d: %d", self->i, self->r);
        }
        if (self->i == 100) {
            self->bytes = uva_allocated_bytes();
        }
    }
    ck_assert_uint_eq(uva_allocated_bytes(), self->bytes);
    uva_writer_close(self->ends.writers[0]);
    AWAIT(self->r, answer_all_await, self->task, NULL);
    ck_assert_int_eq(self->r, 0);
    drop_ends(&self->ends);
    UVA_END
    return 0;
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

/* What was written before connection_made counts when that was heard. */
UVA_TEST(written_before_connection_made)
{
    static char zeros[200000];
    notes_t notes = {0};
    const uva_protocol_ops_t *const ops[2] = {&noting_ops, &counting_ops};
    counts_t counts = {0};
    void *const args[2] = {&notes, &counts};
    uva_transport_t *transports[2];
    uva_reader_t *reader;
    uva_writer_t *writer;

    ck_assert_int_eq(uva_transport_pair(0, ops, args, transports), 0);
    ck_assert_int_eq(uva_transport_write(transports[0], zeros, sizeof zeros),
                     0);
    ck_assert_str_eq(notes.text, "");
    ck_assert_int_eq(uva_stream_on(transports[0], 0, &reader, &writer),
                     UV_EPERM);
    UVA_TEST_UNTIL(counts.bytes == sizeof zeros);
    UVA_TEST_UNTIL(heard(&notes, "resume"));
    ck_assert_str_eq(notes.text, "made;pause;data hello;resume;");
    uva_transport_close(transports[0]);
    UVA_TEST_UNTIL(counts.lost == 1 && notes.ended == 1);
    uva_transport_unref(transports[0]);
    uva_transport_unref(transports[1]);
}

/* A protocol takes over in the middle: it hears what the reader has not given
 * out, and what comes. */
UVA_TEST(protocol_in_mid_stream)
{
    counts_t counts = {0};
    counting_t counting = {.base = {.ops = &counting_ops, .arg = &counts}};
    uva_transport_t *transport;
    uva_bytes_t line;
    ends_t ends;

    open_ends(&ends, 0);
    transport = uva_transport_ref(uva_writer_transport(ends.writers[1]));
    ck_assert_int_eq(uva_writer_write(ends.writers[0], "line\nrest", 9), 0);
    ck_assert_int_eq(uva_reader_readline_view(ends.readers[1], &line), 5);
    ck_assert_int_eq(uva_transport_set_protocol(transport, &counting.base), 0);
    ck_assert_int_eq(uva_writer_write(ends.writers[0], " and more", 9), 0);
    UVA_TEST_UNTIL(counts.bytes == 13);
    uva_writer_close(ends.writers[0]);
    UVA_TEST_UNTIL(counts.lost == 1);
    ck_assert_int_eq(counts.made, 0);
    uva_transport_unref(transport);
    drop_ends(&ends);
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

    KIND_ADD_TESTS(streams, line_and_end, more_than_fits, many_round_trips);
    UVA_ADD_TESTS(streams, peer_closes, bytes_before_a_reset,
                  ends_in_each_order, no_memory);
    UVA_ADD_TESTS(protocols, pair_of_protocols, written_before_connection_made,
                  protocol_in_mid_stream);
    return uva_test_main(suite);
}
