/*
 * Tasks of both kinds that push and pop filters on connections in memory:
 * cancelled at each turn, and with each allocation failing in turn.
 */
#include "kinds.h"
#include "net.h"
#include "test_filters.h"

#include <string.h>

/* --- two ends in memory --- */

typedef struct ends_s {
    uva_reader_t *readers[2];
    uva_writer_t *writers[2];
} ends_t;

/* Close both, whatever has become of them. @return Why one was lost. */
static int ends_close(ends_t *ends)
{
    int code = 0;

    for (int i = 0; i < 2; i++) {
        int r;
        uva_transport_abort(uva_writer_transport(ends->writers[i]));
        r = uva_writer_wait_closed(ends->writers[i]);
        code = r == 0 || code == UV_ENOMEM ? code : r;
        uva_reader_unref(ends->readers[i]);
        uva_writer_unref(ends->writers[i]);
    }
    UVA_TEST_UNTIL(uva_test_engines == 0);
    return code;
}

static const uva_filter_kind_t *const pushed[] = {&uva_test_frames,
                                                  &uva_test_rot13};

/* Push filters, carry a line, pop them, carry another one, as the other end
 * does. r is a code, or 0. */
KIND_TASK(void, talk, ends_t *ends; int end; int count; uva_filter_op_t op;
          uva_bytes_t line;
          int i;
          int r;)
{
    uva_writer_t *writer = self->ends->writers[self->end];
    uva_reader_t *reader = self->ends->readers[self->end];
    uva_transport_t *transport = uva_writer_transport(writer);

    UVA_BEGIN
    for (self->i = 0; self->i < self->count && self->r >= 0; self->i++) {
        AWAIT_OP(self->r, uva_transport_push_filter, &self->op, transport,
                 pushed[self->i], self->end == 0, "name");
    }
    if (self->r >= 0) {
        self->r = uva_writer_write(writer, "encoded\n", 8);
    }
    if (self->r >= 0) {
        AWAIT(self->r, uva_reader_readline_view, reader, &self->line);
    }
    if (self->r >= 0) {
        self->r =
            self->line.size == 8 && memcmp(self->line.data, "encoded\n", 8) == 0
                ? 0
                : UV_EOF;
    }
    while (self->i > 0 && self->r >= 0) {
        AWAIT_OP(self->r, uva_transport_pop_filter, &self->op, transport);
        self->i--;
    }
    if (self->r >= 0) {
        self->r = uva_writer_write(writer, "plain\n", 6);
    }
    if (self->r >= 0) {
        AWAIT(self->r, uva_reader_readline_view, reader, &self->line);
    }
    if (self->r >= 0) {
        self->r =
            self->line.size == 6 && memcmp(self->line.data, "plain\n", 6) == 0
                ? 0
                : UV_EOF;
    }
    if (self->r < 0) { /* The other end is not to wait for ever. */
        uva_transport_abort(transport);
    }
    UVA_END
    return self->r;
}

/* Let both ends talk, and cancel one after so many turns; never if negative.
 * Whatever happens, both end. @return Why a connection was lost. */
static int talk_both(int count, int cancelled, int turns, int codes[2])
{
    ends_t ends;
    talk_task_t *tasks[2];
    int r = uva_open_memory_connection(0, ends.readers, ends.writers);

    if (r < 0) {
        codes[0] = codes[1] = r;
        return r;
    }
    for (int i = 0; i < 2; i++) {
        tasks[i] = KIND_SPAWN(talk, .ends = &ends, .end = i, .count = count);
    }
    for (int k = 0; k < turns; k++) {
        UVA_TICK();
    }
    if (turns >= 0) {
        uva_future_cancel(UVA_FUTURE(tasks[cancelled]));
    }
    for (int i = 0; i < 2; i++) {
        codes[i] = talk_await(tasks[i], NULL);
        if (codes[i] < 0) { /* A task that was refused has not begun. */
            uva_transport_abort(uva_writer_transport(ends.writers[i]));
        }
    }
    uva_testing_fail_allocation(0, false);
    return ends_close(&ends);
}

UVA_TEST(both_talk)
{
    for (int count = 0; count <= 2; count++) {
        int codes[2];
        talk_both(count, 0, -1, codes);
        ck_assert_int_eq(codes[0], 0);
        ck_assert_int_eq(codes[1], 0);
    }
}

UVA_TEST(cancelled_at_each_turn)
{
    for (int count = 1; count <= 2; count++) {
        for (int cancelled = 0; cancelled < 2; cancelled++) {
            int codes[2] = {UV_ECANCELED, UV_ECANCELED};
            for (int turns = 0; codes[cancelled] != 0; turns++) {
                talk_both(count, cancelled, turns, codes);
                ck_assert(codes[cancelled] == 0 ||
                          codes[cancelled] == UV_ECANCELED);
                ck_assert_int_ne(codes[1 - cancelled], UV_ECANCELED);
                ck_assert_int_lt(turns, 100);
            }
        }
    }
}

UVA_TEST_STRICT(each_allocation_fails)
{
    /* One end has no memory; the other one is told of a loss. */
    for (int count = 1; count <= 2; count++) {
        int codes[2];
        int wholes = 0;
        talk_both(count, 0, -1, codes);
        for (uint64_t n = 1; wholes < 5; n++) {
            int r;
            uva_testing_fail_allocation(n, false);
            r = talk_both(count, 0, -1, codes);
            uva_testing_fail_allocation(0, false);
            if (codes[0] == 0 && codes[1] == 0) {
                wholes++; /* Some refusals are made good. */
                continue;
            }
            wholes = 0;
            ck_assert_msg(r == UV_ENOMEM || codes[0] == UV_ENOMEM ||
                              codes[1] == UV_ENOMEM,
                          "allocation %d: %d, %d", (int)n, codes[0], codes[1]);
            ck_assert_uint_lt(n, 300);
        }
    }
}

/* --- a push and a pop that may be tried again --- */

static int push_plainly(ends_t *ends)
{
    return uva_transport_push_filter(uva_writer_transport(ends->writers[0]),
                                     &uva_test_rot13, true, NULL);
}

UVA_TEST_STRICT(push_without_memory)
{
    /* Nothing has changed: what was read ahead is read, or goes to the filter
     * of the next try. */
    for (int again = 0; again < 2; again++) {
        for (uint64_t n = 1; n < 20; n++) {
            ends_t ends;
            uva_bytes_t line;
            int r;
            ck_assert_int_eq(
                uva_open_memory_connection(0, ends.readers, ends.writers), 0);
            ck_assert_int_eq(uva_writer_write(ends.writers[1], "a\nb\n", 4), 0);
            ck_assert_int_eq(uva_reader_readline_view(ends.readers[0], &line),
                             2);
            uva_testing_fail_allocation(n, false);
            r = push_plainly(&ends);
            uva_testing_fail_allocation(0, false);
            ck_assert(r == 0 || r == UV_ENOMEM);
            if (again == 1 && r == UV_ENOMEM &&
                !uva_transport_is_closing(
                    uva_writer_transport(ends.writers[0]))) {
                r = push_plainly(&ends);
                ck_assert_int_eq(r, 0);
            }
            if (!uva_transport_is_closing(
                    uva_writer_transport(ends.writers[0]))) {
                ck_assert_int_eq(
                    uva_reader_readline_view(ends.readers[0], &line), 2);
                ck_assert_int_eq(line.data[0], r == 0 ? 'o' : 'b');
            }
            (void)ends_close(&ends);
        }
    }
}

UVA_TEST_STRICT(pop_without_memory)
{
    /* What the filter has decoded and nobody has read needs memory; the pop may
     * be tried again. */
    for (uint64_t n = 1; n < 20; n++) {
        ends_t ends;
        uva_bytes_t line;
        int r;
        ck_assert_int_eq(
            uva_open_memory_connection(0, ends.readers, ends.writers), 0);
        ck_assert_int_eq(push_plainly(&ends), 0);
        ck_assert_int_eq(uva_writer_write(ends.writers[1], "a\nb\n", 4), 0);
        ck_assert_int_eq(uva_reader_readline_view(ends.readers[0], &line), 2);
        ck_assert_int_eq(line.data[0], 'n');
        uva_testing_fail_allocation(n, false);
        r = uva_transport_pop_filter(uva_writer_transport(ends.writers[0]));
        uva_testing_fail_allocation(0, false);
        if (r < 0) {
            ck_assert_int_eq(r, UV_ENOMEM);
            r = uva_transport_pop_filter(uva_writer_transport(ends.writers[0]));
        }
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(uva_reader_readline_view(ends.readers[0], &line), 2);
        ck_assert_int_eq(line.data[0], 'o');
        ck_assert_int_eq(uva_writer_write(ends.writers[1], "c\n", 2), 0);
        ck_assert_int_eq(uva_reader_readline_view(ends.readers[0], &line), 2);
        ck_assert_int_eq(line.data[0], 'c');
        (void)ends_close(&ends);
    }
}

int main(void)
{
    Suite *suite = suite_create("filters_tasks");
    TCase *kinds = UVA_TCASE(suite, "Kinds");
    TCase *memory = UVA_TCASE(suite, "Memory");

    KIND_ADD_TESTS(kinds, both_talk, cancelled_at_each_turn);
    KIND_ADD_TESTS(memory, each_allocation_fails);
    UVA_ADD_TESTS(memory, push_without_memory, pop_without_memory);
    return uva_test_main(suite);
}
