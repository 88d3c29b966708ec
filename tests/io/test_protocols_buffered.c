/*
 * Protocols with memory of their own: get_buffer and buffer_updated.
 */
#include "noting.h"

#include <sys/socket.h>
#include <unistd.h>

UVA_NET_TEST(buffered_proto_create_connection)
{
    /* test_buffered_proto.py,
     * BaseTestBufferedProtocol.test_buffered_proto_create_connection
     * test_selector_events.py,
     * SelectorSocketTransportBufferedProtocolTests.test_ctor
     * test_selector_events.py,
     * SelectorSocketTransportBufferedProtocolTests.test_read_ready
     * test_selector_events.py,
     * SelectorSocketTransportBufferedProtocolTests.test_read_ready_eof */
    notes_t notes = {.room = 3};
    int fd;
    uva_transport_t *transport = noting_link(&noting_buffered_ops, &notes, &fd);

    uva_test_send(fd, "abcdefgh");
    UVA_TEST_UNTIL(heard(&notes, "gh"));
    shutdown(fd, SHUT_WR);
    noting_ends(transport, &notes,
                "made;get;updated abc;get;updated def;get;updated gh;get;eof;"
                "lost OK;");
    close(fd);
}

static int leave_open(noting_t *self)
{
    (void)self;
    return 1;
}

UVA_NET_TEST(read_ready_eof_keep_open)
{
    /* test_selector_events.py,
     * SelectorSocketTransportBufferedProtocolTests.
     * test_read_ready_eof_keep_open */
    notes_t notes = {.on_eof = leave_open};
    int fd;
    uva_transport_t *transport = noting_link(&noting_buffered_ops, &notes, &fd);

    shutdown(fd, SHUT_WR);
    UVA_TEST_UNTIL(heard(&notes, "eof"));
    ck_assert_int_eq(uva_transport_write(transport, "x", 1), 0);
    uva_test_expect(fd, "x");
    uva_transport_close(transport);
    noting_ends(transport, &notes, "made;get;eof;lost OK;");
    close(fd);
}

/* --- failures --- */

static int fails(noting_t *self)
{
    (void)self;
    return UVA_EUSER - 1;
}

static int aborts(noting_t *self)
{
    uva_transport_abort(self->base.transport);
    return 0;
}

static int pauses(noting_t *self)
{
    uva_transport_pause_reading(self->base.transport);
    return 0;
}

static const struct {
    const char *name;
    notes_t does;
    const char *hears;
    const char *told;
} failures[] = {
    {"aborts_in_buffer_updated",
     {.on_data = aborts},
     "made;get;updated abc;lost OK;",
     NULL},
    /* The descriptor is gone, so nothing is read (asyncio reads once more). */
    {"aborts_in_get_buffer", {.on_buffer = aborts}, "made;get;lost OK;", NULL},
    /* test_selector_events.py,
     * SelectorSocketTransportBufferedProtocolTests.test_get_buffer_error */
    /* test_selector_events.py, SelectorSocketTransportBufferedProtocolTests:
     * rows */
    {"get_buffer_zerosized",
     {.no_room = true},
     "made;get;lost ENOBUFS;",
     "Fatal error: protocol.get_buffer() call failed."},
    {"buffer_updated_error",
     {.on_data = fails},
     "made;get;updated abc;lost UVA_EUSER-1;",
     "Fatal error: protocol.buffer_updated() call failed."},
    {"read_eof_received_error",
     {.on_eof = fails},
     "made;get;updated abc;get;eof;lost UVA_EUSER-1;",
     "Fatal error: protocol.eof_received() call failed."},
};

UVA_NET_TEST(failure_of_a_callback)
{
    notes_t notes = UVA_ROW(failures)->does;
    const char *told = UVA_ROW(failures)->told;
    uva_test_reports_t reports = {0};
    int fd;
    uva_transport_t *transport = noting_link(&noting_buffered_ops, &notes, &fd);

    uva_test_collect_reports(&reports);
    uva_test_send(fd, "abc");
    if (notes.on_eof != NULL) {
        UVA_TEST_UNTIL(heard(&notes, "abc"));
        shutdown(fd, SHUT_WR);
    }
    noting_ends(transport, &notes, UVA_ROW(failures)->hears);
    ck_assert_int_eq(reports.count, told != NULL);
    ck_assert(told == NULL || strcmp(reports.message, told) == 0);
    close(fd);
}

UVA_NET_TEST(paused_in_get_buffer)
{
    /* The read that has begun is finished, as in asyncio. */
    notes_t notes = {.room = 2, .on_buffer = pauses};
    int fd;
    uva_transport_t *transport = noting_link(&noting_buffered_ops, &notes, &fd);

    uva_test_send(fd, "abc");
    UVA_TEST_UNTIL(heard(&notes, "updated"));
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    ck_assert_str_eq(notes.text, "made;get;updated ab;");
    uva_transport_resume_reading(transport);
    UVA_TEST_UNTIL(heard(&notes, "updated c"));
    uva_transport_abort(transport);
    noting_ends(transport, &notes,
                "made;get;updated ab;get;updated c;lost OK;");
    close(fd);
}

/* --- in which iteration --- */

static void note_mark(void *data)
{
    note_word(data, "mark");
}

static int marks(noting_t *self)
{
    return uva_loop_call_soon(NULL, note_mark, self->base.arg, NULL, NULL);
}

UVA_NET_TEST(once_for_each_iteration)
{
    /* What buffer_updated calls for runs before the next get_buffer: it may
     * make the room. */
    notes_t notes = {.room = 2, .on_data = marks};
    int fd;
    uva_transport_t *transport = noting_link(&noting_buffered_ops, &notes, &fd);

    uva_test_send(fd, "abcdef");
    UVA_TEST_UNTIL(heard(&notes, "ef;mark"));
    uva_transport_abort(transport);
    noting_ends(transport, &notes,
                "made;get;updated ab;mark;get;updated cd;mark;get;updated "
                "ef;mark;lost OK;");
    close(fd);
}

/* --- from one kind to the other --- */

static noting_t plain;
static noting_t buffered;

static int sets_plain(noting_t *self)
{
    plain = (noting_t){.base = {.ops = &noting_ops, .arg = self->base.arg}};
    return uva_transport_set_protocol(self->base.transport, &plain.base);
}

static int sets_buffered(noting_t *self)
{
    buffered = (noting_t){
        .base = {.ops = &noting_buffered_ops, .arg = self->base.arg}};
    ((notes_t *)self->base.arg)->on_data = NULL;
    return uva_transport_set_protocol(self->base.transport, &buffered.base);
}

UVA_NET_TEST(proto_type_switch)
{
    /* test_selector_events.py,
     * SelectorSocketTransportBufferedProtocolTests.test_proto_type_switch */
    notes_t notes = {.on_data = sets_buffered};
    int fd;
    uva_transport_t *transport = noting_link(&noting_ops, &notes, &fd);

    uva_test_send(fd, "one");
    UVA_TEST_UNTIL(heard(&notes, "one"));
    uva_test_send(fd, "two");
    UVA_TEST_UNTIL(heard(&notes, "two"));
    notes.on_buffer = sets_plain; /* What was to be read comes to it. */
    uva_test_send(fd, "three");
    UVA_TEST_UNTIL(heard(&notes, "three"));
    shutdown(fd, SHUT_WR);
    noting_ends(transport, &notes,
                "made;data one;get;updated two;get;data three;eof;lost OK;");
    close(fd);
}

int main(void)
{
    Suite *suite = suite_create("protocols_buffered");
    TCase *reading = UVA_TCASE(suite, "Reading");
    TCase *failing = UVA_TCASE(suite, "Failures");

    UVA_ADD_TESTS(reading, buffered_proto_create_connection,
                  read_ready_eof_keep_open, paused_in_get_buffer,
                  once_for_each_iteration, proto_type_switch);
    UVA_ADD_TABLE(failing, failure_of_a_callback, failures);
    return uva_test_main(suite);
}
