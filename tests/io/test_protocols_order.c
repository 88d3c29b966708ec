/*
 * Protocols: what comes after what. Each callback closes, aborts, pauses,
 * writes or fails; the rows are what CPython 3.13 does with the same.
 */
#include "noting.h"

#include <sys/socket.h>
#include <unistd.h>

#include "core/loop.h"

/* --- what callbacks do --- */

static uva_transport_t *transport_of(noting_t *self)
{
    return self->base.transport;
}

static int do_close(noting_t *self)
{
    uva_transport_close(transport_of(self));
    return uva_transport_is_closing(transport_of(self)) ? 0 : -1;
}

static int do_abort(noting_t *self)
{
    uva_transport_abort(transport_of(self));
    return uva_transport_is_closing(transport_of(self)) ? 0 : -1;
}

static int do_pause(noting_t *self)
{
    uva_transport_pause_reading(transport_of(self));
    return uva_transport_is_reading(transport_of(self)) ? -1 : 0;
}

static int do_pause_and_resume(noting_t *self)
{
    uva_transport_pause_reading(transport_of(self));
    uva_transport_resume_reading(transport_of(self));
    return uva_transport_is_reading(transport_of(self)) ? 0 : -1;
}

static int do_write(noting_t *self)
{
    return uva_transport_write(transport_of(self), "answer", 6);
}

static int do_write_and_stay(noting_t *self)
{
    int r = do_write(self);

    return r < 0 ? r : 1;
}

static int do_write_and_close(noting_t *self)
{
    int r = do_write(self);

    uva_transport_close(transport_of(self));
    return r;
}

static int do_write_eof(noting_t *self)
{
    int r = do_write(self);

    (void)uva_transport_write_eof(transport_of(self));
    return r < 0                                                         ? r
           : uva_transport_write(transport_of(self), "x", 1) == UV_EPERM ? 1
                                                                         : -1;
}

static int do_write_eof_and_close(noting_t *self)
{
    int r = do_write_eof(self);

    uva_transport_close(transport_of(self));
    return r < 0 ? r : 0;
}

/* All that may be called when it is over: nothing has an effect. */
static int do_everything(noting_t *self)
{
    uva_transport_t *transport = transport_of(self);

    ck_assert(uva_transport_is_closing(transport));
    ck_assert(!uva_transport_is_reading(transport));
    ck_assert_int_eq(uva_transport_write(transport, "late", 4), 0);
    ck_assert_int_eq(uva_transport_write_eof(transport), 0);
    uva_transport_pause_reading(transport);
    uva_transport_resume_reading(transport);
    uva_transport_close(transport);
    uva_transport_abort(transport);
    ck_assert_uint_eq(uva_transport_get_write_buffer_size(transport), 0);
    ck_assert_int_eq(uva_transport_set_write_buffer_limits(transport, 9, 8), 0);
    ck_assert_ptr_eq(uva_transport_get_protocol(transport), &self->base);
    ck_assert_int_eq(uva_transport_set_protocol(transport, &self->base),
                     UV_EPERM);
    return 0;
}

static int do_fail(noting_t *self)
{
    (void)self;
    return UVA_EUSER - 1;
}

static int do_abort_and_fail(noting_t *self)
{
    (void)do_abort(self);
    return UVA_EUSER - 1;
}

/* --- rows --- */

/* The peer sends "abc", then its end of stream; it must hear exactly says, and
 * the end. */
typedef struct row_s {
    notes_t does;
    const char *hears; /* The protocol. */
    const char *says;  /* To the peer. */
    const char *told;  /* To the exception handler; NULL for nothing. */
} row_t;

static const row_t rows[] = {
    {{.made = 0}, "made;data abc;eof;lost OK;", "", NULL},
    {{.on_lost = do_everything}, "made;data abc;eof;lost OK;", "", NULL},
    {{.on_made = do_close}, "made;lost OK;", "", NULL},
    {{.on_made = do_abort}, "made;lost OK;", "", NULL},
    {{.on_made = do_write_and_close}, "made;lost OK;", "answer", NULL},
    {{.on_made = do_pause_and_resume}, "made;data abc;eof;lost OK;", "", NULL},
    {{.on_made = do_fail},
     "made;lost UVA_EUSER-1;",
     "",
     "Fatal error: protocol.connection_made() call failed."},
    {{.on_data = do_close}, "made;data abc;lost OK;", "", NULL},
    {{.on_data = do_abort}, "made;data abc;lost OK;", "", NULL},
    {{.on_data = do_write}, "made;data abc;eof;lost OK;", "answer", NULL},
    {{.on_data = do_write_and_close}, "made;data abc;lost OK;", "answer", NULL},
    {{.on_data = do_write_eof}, "made;data abc;eof;lost OK;", "answer", NULL},
    {{.on_data = do_write_eof_and_close},
     "made;data abc;lost OK;",
     "answer",
     NULL},
    {{.on_data = do_pause_and_resume}, "made;data abc;eof;lost OK;", "", NULL},
    {{.on_data = do_fail},
     "made;data abc;lost UVA_EUSER-1;",
     "",
     "Fatal error: protocol.data_received() call failed."},
    {{.on_data = do_abort_and_fail},
     "made;data abc;lost OK;",
     "",
     "Fatal error: protocol.data_received() call failed."},
    {{.on_eof = do_write}, "made;data abc;eof;lost OK;", "answer", NULL},
    {{.on_eof = do_write_and_close},
     "made;data abc;eof;lost OK;",
     "answer",
     NULL},
    {{.on_eof = do_close}, "made;data abc;eof;lost OK;", "", NULL},
    {{.on_eof = do_abort}, "made;data abc;eof;lost OK;", "", NULL},
    {{.on_eof = do_fail},
     "made;data abc;eof;lost UVA_EUSER-1;",
     "",
     "Fatal error: protocol.eof_received() call failed."},
};

/* Play a row. accepted: on the side of a server. */
static void row_play(const row_t *row, bool accepted)
{
    notes_t notes = row->does;
    uva_test_reports_t reports = {0};
    uva_transport_t *transport = NULL;
    uva_server_t *server = NULL;
    char expected[128];
    int fd;

    uva_test_collect_reports(&reports);
    if (accepted) {
        ck_assert_int_eq(uva_create_server(&noting_ops, &notes, "127.0.0.1",
                                           "0", NULL, &server),
                         0);
        fd = uva_test_dial(uva_server_port(server));
    } else {
        transport = noting_link(&noting_ops, &notes, &fd);
    }
    /* It may be gone already. */
    (void)send(fd, "abc", 3, MSG_NOSIGNAL);
    if (row->does.on_data == NULL && row->does.on_eof == NULL) {
        shutdown(fd, SHUT_WR);
    } else {
        UVA_TEST_UNTIL(heard(&notes, "data"));
        shutdown(fd, SHUT_WR);
    }
    if (row->says[0] != '\0') {
        uva_test_expect(fd, row->says);
    }
    UVA_TEST_UNTIL(notes.ended > 0);
    (void)snprintf(expected, sizeof expected, "%s", row->hears);
    ck_assert_str_eq(notes.text, expected);
    ck_assert_int_eq(reports.count, row->told != NULL);
    if (row->told != NULL) {
        ck_assert_str_eq(reports.message, row->told);
    }
    ck_assert_int_lt(uva_test_drop(fd, 1), 0); /* The end. */
    close(fd);
    uva_transport_unref(transport);
    if (server != NULL) {
        uva_server_close(server);
        ck_assert_int_eq(uva_server_wait_closed(server), 0);
        uva_server_unref(server);
    }
}

UVA_NET_TEST(each_callback_does_each_thing)
{
    /* test_selector_events.py, SelectorTransportTests.test_abort
     * test_selector_events.py, SelectorTransportTests.test_close
     * test_selector_events.py, SelectorTransportTests.test_force_close
     * test_selector_events.py, SelectorTransportTests.test_connection_lost
     * test_selector_events.py,
     * SelectorTransportTests.test_fatal_error_custom_exception
     * test_selector_events.py, SelectorSocketTransportTests.test_read_ready
     * test_selector_events.py, SelectorSocketTransportTests.test_read_ready_eof
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_data_received_error
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_read_eof_received_error
     * test_selector_events.py, SelectorSocketTransportTests.test_write
     * test_selector_events.py, SelectorSocketTransportTests.test_write_eof
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_eof_after_close
     * test_selector_events.py, SelectorSocketTransportTests.test_ctor
     * test_selector_events.py, SelectorTransportTests.test__add_reader
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_transport_close_remove_writer
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_force_close_idempotent
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_force_close_protocol_connection_lost_once
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_close_protocol_connection_lost_once */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        row_play(&rows[i], false);
        row_play(&rows[i], true);
    }
}

/* --- iterations --- */

static void note_mark(void *data)
{
    note_word(data, "mark");
}

static int do_abort_and_mark(noting_t *self)
{
    (void)do_abort(self);
    return uva_loop_call_soon(NULL, note_mark, self->base.arg, NULL, NULL);
}

static int do_mark_and_abort(noting_t *self)
{
    int r = uva_loop_call_soon(NULL, note_mark, self->base.arg, NULL, NULL);

    (void)do_abort(self);
    return r;
}

UVA_NET_TEST(connection_lost_is_called_for_by_abort)
{
    /* asyncio calls it by call_soon: in order with other calls. */
    notes_t notes = {.on_data = do_abort_and_mark};
    uva_transport_t *transport;
    int fd;

    transport = noting_link(&noting_ops, &notes, &fd);
    uva_test_send(fd, "x");
    UVA_TEST_UNTIL(heard(&notes, "mark"));
    noting_ends(transport, &notes, "made;data x;lost OK;mark;");
    close(fd);

    notes = (notes_t){.on_data = do_mark_and_abort};
    transport = noting_link(&noting_ops, &notes, &fd);
    uva_test_send(fd, "x");
    noting_ends(transport, &notes, "made;data x;mark;lost OK;");
    close(fd);
}

UVA_NET_TEST(lost_in_connection_made)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_ctor_with_waiter
     * The end is heard before create_connection returns, as in asyncio. */
    notes_t notes = {.on_made = do_abort};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    ck_assert_str_eq(notes.text, "made;lost OK;");
    ck_assert_int_eq(uva_transport_write(transport, "x", 1), 0);
    uva_transport_unref(transport);
    uva_test_expect_eof(fd);
    close(fd);
}

/* --- reading --- */

UVA_NET_TEST(paused_in_callbacks)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_pause_resume_reading
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_pause_reading_connection_made */
    notes_t notes = {.on_made = do_pause, .on_data = do_pause};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    uva_test_send(fd, "one");
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    ck_assert_str_eq(notes.text, "made;");
    uva_transport_resume_reading(transport);
    UVA_TEST_UNTIL(heard(&notes, "one"));
    uva_test_send(fd, "two");
    shutdown(fd, SHUT_WR);
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    ck_assert(!heard(&notes, "two"));
    notes.on_data = NULL;
    uva_transport_resume_reading(transport);
    noting_ends(transport, &notes, "made;data one;data two;eof;lost OK;");
    close(fd);
}

UVA_NET_TEST(eof_that_leaves_open)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_read_ready_eof_keep_open */
    notes_t notes = {.on_eof = do_write_and_stay};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    shutdown(fd, SHUT_WR);
    uva_test_expect(fd, "answer");
    ck_assert(!uva_transport_is_closing(transport));
    ck_assert(uva_transport_is_reading(transport)); /* As in asyncio. */
    uva_transport_pause_reading(transport);
    uva_transport_resume_reading(transport);
    ck_assert_int_eq(uva_transport_write(transport, " more", 5), 0);
    uva_test_expect(fd, " more");
    uva_transport_close(transport);
    noting_ends(transport, &notes, "made;eof;lost OK;");
    close(fd);
}

/* --- writing --- */

/* Write until the mark is passed. */
static void fill(uva_transport_t *transport, notes_t *notes)
{
    static const char zeros[65536];

    for (int i = 0; !heard(notes, "pause"); i++) {
        ck_assert_int_lt(i, 10000);
        ck_assert_int_eq(uva_transport_write(transport, zeros, sizeof zeros),
                         0);
    }
}

/* Whether libuv polls, as two handles of its loop see it. */
static bool polls;

static void poll_begins(uv_prepare_t *handle)
{
    (void)handle;
    polls = true;
}

static void poll_ends(uv_check_t *handle)
{
    (void)handle;
    polls = false;
}

/* Code of users runs in the drain, never inside the poll. */
static int do_write_in_the_drain(noting_t *self)
{
    ck_assert(!polls);
    return do_write(self);
}

UVA_NET_TEST(writing_pauses_and_resumes)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_write_ready_partial
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_pause_resume_writing
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_dont_pause_writing */
    notes_t notes = {.on_resume = do_write_in_the_drain};
    uv_loop_t *uv = uva__loop_uv(uva_get_running_loop());
    uv_prepare_t prepare;
    uv_check_t check;
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    ck_assert_int_eq(uva_transport_write(transport, "x", 1), 0);
    ck_assert_str_eq(notes.text, "made;");
    fill(transport, &notes);
    ck_assert_str_eq(notes.text, "made;pause;");
    ck_assert_int_eq(uv_prepare_init(uv, &prepare), 0);
    ck_assert_int_eq(uv_check_init(uv, &check), 0);
    ck_assert_int_eq(uv_prepare_start(&prepare, poll_begins), 0);
    ck_assert_int_eq(uv_check_start(&check, poll_ends), 0);
    for (int i = 0; !heard(&notes, "resume"); i++) {
        ck_assert_int_lt(i, 100000);
        ck_assert_int_ge(uva_test_drop(fd, 1 << 20), 0);
        UVA_TICK();
    }
    ck_assert(!polls);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&check, NULL);
    uva_transport_close(transport);
    while (uva_test_drop(fd, 1 << 20) >= 0) {
        UVA_TICK();
    }
    noting_ends(transport, &notes, "made;pause;resume;lost OK;");
    close(fd);
}

static int limits_up(noting_t *self)
{
    notes_t *notes = self->base.arg;

    notes->on_pause = NULL;
    ck_assert_int_eq(uva_transport_set_write_buffer_limits(transport_of(self),
                                                           SIZE_MAX / 2, 0),
                     0);
    return 0;
}

UVA_NET_TEST(marks_set_in_pause_writing)
{
    notes_t notes = {.on_pause = limits_up};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    fill(transport, &notes);
    ck_assert_str_eq(notes.text, "made;pause;");
    uva_transport_abort(transport);
    noting_ends(transport, &notes, "made;pause;lost OK;");
    close(fd);
}

UVA_NET_TEST(aborted_in_pause_writing)
{
    notes_t notes = {.on_pause = do_abort};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    fill(transport, &notes);
    ck_assert_int_eq(uva_transport_fileno(transport), -1);
    noting_ends(transport, &notes, "made;pause;lost OK;");
    close(fd);
}

UVA_NET_TEST(writes_until_the_mark)
{
    /* test_proactor_events.py,
     * ProactorSocketTransportTests.test_pause_writing_2write
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_pause_writing_3write */
    static const char zeros[65536];
    notes_t notes = {0};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);
    size_t unsent;

    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, SIZE_MAX / 2, 0), 0);
    do {
        ck_assert_int_eq(uva_transport_write(transport, zeros, sizeof zeros),
                         0);
        unsent = uva_transport_get_write_buffer_size(transport);
    } while (unsent == 0);
    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, unsent + 4, 0), 0);
    ck_assert_int_eq(uva_transport_write(transport, "12", 2), 0);
    ck_assert_int_eq(uva_transport_write(transport, "34", 2), 0);
    ck_assert_str_eq(notes.text, "made;"); /* At the mark is not above it. */
    ck_assert_int_eq(uva_transport_write(transport, "5", 1), 0);
    ck_assert_str_eq(notes.text, "made;pause;");
    ck_assert_int_eq(uva_transport_write(transport, "6", 1), 0);
    uva_transport_abort(transport);
    noting_ends(transport, &notes, "made;pause;lost OK;");
    close(fd);
}

UVA_NET_TEST(nothing_and_lines)
{
    /* test_selector_events.py, SelectorSocketTransportTests.test_write_no_data
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_sendmsg_no_data
     * test_transports.py, TransportTests.test_writelines
     * test_transports.py, TransportTests.test_get_extra_info */
    uva_bytes_t lines[] = {
        {(const uint8_t *)"ab", 2}, {NULL, 0}, {(const uint8_t *)"cde", 3}};
    notes_t notes = {0};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);
    uva_address_t address;

    ck_assert_int_eq(uva_transport_write(transport, "", 0), 0);
    ck_assert_int_eq(uva_transport_writelines(transport, NULL, 0), 0);
    ck_assert_int_eq(uva_transport_writelines(transport, lines, 3), 0);
    uva_test_expect(fd, "abcde");
    ck_assert_int_eq(uva_transport_get_peername(transport, &address), 0);
    ck_assert_str_eq(address.host, "127.0.0.1");
    ck_assert_int_eq(uva_transport_get_sockname(transport, &address), 0);
    ck_assert_int_ge(uva_transport_fileno(transport), 0);
    uva_transport_close(transport);
    noting_ends(transport, &notes, "made;lost OK;");
    close(fd);
}

UVA_NET_TEST(close_sends_what_was_written)
{
    /* test_selector_events.py, SelectorTransportTests.test_close_write_buffer
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_ready_closing
     * test_selector_events.py,
     * SelectorSocketTransportTests.test_write_eof_buffer
     * test_proactor_events.py,
     * ProactorSocketTransportTests.test_write_eof_buffer
     */
    notes_t notes = {0};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    fill(transport, &notes);
    ck_assert_int_eq(uva_transport_write_eof(transport), 0);
    uva_transport_close(transport);
    uva_transport_close(transport);
    ck_assert(!uva_transport_is_reading(transport));
    ck_assert_int_eq(notes.ended, 0);
    while (uva_test_drop(fd, 1 << 20) >= 0) {
        UVA_TICK();
    }
    noting_ends(transport, &notes, "made;pause;resume;lost OK;");
    close(fd);
}

UVA_NET_TEST(reset_while_bytes_are_left)
{
    /* test_selector_events.py,
     * SelectorSocketTransportTests.test_write_ready_exception */
    notes_t notes = {0};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    fill(transport, &notes);
    uva_transport_pause_reading(transport);
    uva_test_reset(fd);
    noting_ends(transport, &notes, "made;pause;lost ECONNRESET;");
}

/* --- another protocol --- */

/* The protocols that take the place of the first one; they share their notes.
 */
static noting_t others[2];
static notes_t others_notes;

static int do_set(noting_t *self)
{
    noting_t *next = &others[self == &others[0]];

    *next = (noting_t){.base = {.ops = &noting_ops, .arg = &others_notes}};
    return uva_transport_set_protocol(transport_of(self), &next->base);
}

UVA_NET_TEST(set_in_data_received)
{
    notes_t notes = {.on_data = do_set};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    others_notes = (notes_t){0};
    uva_test_send(fd, "one");
    UVA_TEST_UNTIL(heard(&notes, "one"));
    uva_test_send(fd, "two");
    UVA_TEST_UNTIL(heard(&others_notes, "two"));
    uva_transport_close(transport);
    /* On a transport that closes, too: the new one hears the end. */
    ck_assert_int_eq(do_set(&others[0]), 0);
    ck_assert_ptr_eq(uva_transport_get_protocol(transport), &others[1].base);
    ck_assert_ptr_null(others[0].base.transport);
    noting_ends(transport, &others_notes, "data two;lost OK;");
    ck_assert_str_eq(notes.text, "made;data one;");
    close(fd);
}

int main(void)
{
    Suite *suite = suite_create("protocols_order");
    TCase *rows_case = UVA_TCASE(suite, "Rows");
    TCase *iterations = UVA_TCASE(suite, "Iterations");
    TCase *reading = UVA_TCASE(suite, "Reading");
    TCase *writing = UVA_TCASE(suite, "Writing");

    UVA_ADD_TESTS(rows_case, each_callback_does_each_thing);
    UVA_ADD_TESTS(iterations, connection_lost_is_called_for_by_abort,
                  lost_in_connection_made);
    UVA_ADD_TESTS(reading, paused_in_callbacks, eof_that_leaves_open,
                  set_in_data_received);
    UVA_ADD_TESTS(writing, writing_pauses_and_resumes,
                  marks_set_in_pause_writing, aborted_in_pause_writing,
                  close_sends_what_was_written, reset_while_bytes_are_left,
                  writes_until_the_mark, nothing_and_lines);
    return uva_test_main(suite);
}
