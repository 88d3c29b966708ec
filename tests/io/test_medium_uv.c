/*
 * Protocols and streams on stream handles that the application owns.
 */
#include "noting.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "uva/connections.h"
#include "uva/stackless.h"
#include "uva/testing.h"

/* --- a handle of the application --- */

/* A handle in memory that is freed when libuv has closed it, and a plain socket
 * as its peer. */
typedef struct lent_s {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } * h;
    int fd;      /* Of the peer. */
    bool closed; /* libuv has closed it; h is freed. */
} lent_t;

static void lent_closed(uv_handle_t *handle)
{
    lent_t *lent = handle->data; /* It was given back. */

    lent->closed = true;
    free(handle);
}

static void lent_open(lent_t *lent, bool tcp)
{
    uv_loop_t *uv = uva_loop_uv(uva_get_running_loop());
    int fds[2];

    lent->h = calloc(1, sizeof *lent->h);
    lent->closed = false;
    if (tcp) {
        uint16_t port = 0;
        int listener = uva_test_listen(UVA_FAMILY_IPV4, 1, &port);
        fds[0] = uva_test_dial(port);
        fds[1] = uva_test_accept(listener);
        close(listener);
        ck_assert_int_eq(uv_tcp_init(uv, &lent->h->tcp), 0);
        ck_assert_int_eq(uv_tcp_open(&lent->h->tcp, fds[0]), 0);
    } else {
        ck_assert_int_eq(socketpair(AF_UNIX,
                                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                    0, fds),
                         0);
        ck_assert_int_eq(uv_pipe_init(uv, &lent->h->pipe, 0), 0);
        ck_assert_int_eq(uv_pipe_open(&lent->h->pipe, fds[0]), 0);
    }
    lent->h->handle.data = lent;
    lent->fd = fds[1];
}

/* The application closes its handle, if it has not, and the peer. */
static void lent_close(lent_t *lent)
{
    if (!lent->closed && !uv_is_closing(&lent->h->handle)) {
        ck_assert_ptr_eq(lent->h->handle.data, lent);
        uv_close(&lent->h->handle, lent_closed);
    }
    UVA_TEST_UNTIL(lent->closed);
    if (lent->fd >= 0) {
        close(lent->fd);
    }
}

static uva_transport_t *
lent_protocol(lent_t *lent, const uva_protocol_ops_t *ops, notes_t *notes)
{
    uva_transport_t *transport;

    ck_assert_int_eq(
        uva_transport_from_uv(&lent->h->stream, ops, notes, &transport), 0);
    return transport;
}

static uv_handle_t *the_handle; /* For callbacks, which close it. */

static void close_handle(void)
{
    uv_close(the_handle, lent_closed);
}

static void note_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

/* --- protocols --- */

UVA_NET_TEST(protocol_hears_in_order)
{
    for (int tcp = 0; tcp < 2; tcp++) {
        notes_t notes = {0};
        lent_t lent;
        uva_transport_t *transport;

        lent_open(&lent, tcp);
        transport = lent_protocol(&lent, &noting_ops, &notes);
        ck_assert_int_eq(uva_transport_medium(transport), UVA_MEDIUM_UV);
        ck_assert_int_ge(uva_transport_fileno(transport), 0);
        ck_assert_uint_eq(uva_transport_can(transport),
                          UVA_CAN_READ | UVA_CAN_WRITE | UVA_CAN_WRITE_EOF);
        uva_test_send(lent.fd, "abc");
        UVA_TEST_UNTIL(heard(&notes, "data"));
        ck_assert_int_eq(uva_transport_write(transport, "answer", 6), 0);
        uva_test_expect(lent.fd, "answer");
        shutdown(lent.fd, SHUT_WR);
        UVA_TEST_UNTIL(heard(&notes, "lost"));
        ck_assert_str_eq(notes.text, "made;data abc;eof;lost OK;");
        uva_transport_unref(transport);
        /* The handle is the application's again, and works. */
        ck_assert(!uv_is_closing(&lent.h->handle));
        ck_assert_ptr_eq(lent.h->handle.data, &lent);
        ck_assert(uv_is_writable(&lent.h->stream));
        lent_close(&lent);
    }
}

UVA_NET_TEST(buffered_protocol_takes_parts)
{
    notes_t notes = {.room = 3};
    lent_t lent;
    uva_transport_t *transport;

    lent_open(&lent, true);
    transport = lent_protocol(&lent, &noting_buffered_ops, &notes);
    uva_test_send(lent.fd, "12345678");
    UVA_TEST_UNTIL(heard(&notes, "updated 78"));
    ck_assert_str_eq(notes.text, "made;get;updated 123;get;updated 456;get;"
                                 "updated 78;");
    uva_transport_abort(transport);
    UVA_TEST_UNTIL(heard(&notes, "lost"));
    uva_transport_unref(transport);
    lent_close(&lent);
}

static int pauses(noting_t *self)
{
    uva_transport_pause_reading(self->base.transport);
    return 0;
}

UVA_NET_TEST(what_came_while_paused_is_kept)
{
    notes_t notes = {.on_data = pauses};
    lent_t lent;
    uva_transport_t *transport;

    lent_open(&lent, true);
    transport = lent_protocol(&lent, &noting_ops, &notes);
    uva_test_send(lent.fd, "one");
    UVA_TEST_UNTIL(heard(&notes, "one"));
    uva_test_send(lent.fd, "two");
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_str_eq(notes.text, "made;data one;");
    shutdown(lent.fd, SHUT_WR);
    uva_transport_resume_reading(transport);
    UVA_TEST_UNTIL(heard(&notes, "two"));
    ck_assert(!heard(&notes, "eof"));
    uva_transport_resume_reading(transport);
    UVA_TEST_UNTIL(heard(&notes, "lost"));
    ck_assert_str_eq(notes.text, "made;data one;data two;eof;lost OK;");
    uva_transport_unref(transport);
    lent_close(&lent);
}

/* --- streams --- */

enum {
    MIB = 1 << 20
};

/* Send everything back, then the end of the stream. */
UVA_TASK(void, echo, uva_reader_t *reader; uva_writer_t * writer;)
{
    uva_bytes_t bytes;
    int r;

    while ((r = uva_reader_read_view(args->reader, UVA_NO_LIMIT, &bytes)) > 0) {
        r = uva_writer_send(args->writer, bytes.data, bytes.size);
        if (r < 0) {
            return r;
        }
    }
    return r < 0 ? r : uva_writer_write_eof(args->writer);
}

/* The same without a stack. */
UVA_STACKLESS(void, echo_stackless, uva_reader_t *reader; uva_writer_t * writer;
              uva_bytes_t bytes;)
{
    int r;

    UVA_BEGIN
    for (;;) {
        UVA_AWAIT(r, uva_reader_read_view, self->reader, UVA_NO_LIMIT,
                  &self->bytes);
        if (r <= 0) {
            break;
        }
        UVA_AWAIT(r, uva_writer_send, self->writer, self->bytes.data,
                  self->bytes.size);
        if (r < 0) {
            break;
        }
    }
    return r < 0 ? r : uva_writer_write_eof(self->writer);
    UVA_END
    return 0;
}

/* Send size bytes to the echo, and receive them again. */
static void echo_bytes(int fd, size_t size)
{
    char *sent = malloc(size);
    char *back = malloc(size);
    size_t out = 0;
    size_t in = 0;

    for (size_t i = 0; i < size; i++) {
        sent[i] = (char)(i * 31 + i / 251);
    }
    while (in < size) {
        ssize_t part = send(fd, sent + out, size - out, MSG_DONTWAIT);
        out += part > 0 ? (size_t)part : 0;
        part = recv(fd, back + in, size - in, MSG_DONTWAIT);
        ck_assert(part > 0 || (part < 0 && errno == EAGAIN));
        in += part > 0 ? (size_t)part : 0;
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    ck_assert_mem_eq(sent, back, size);
    free(sent);
    free(back);
}

UVA_NET_TEST(streams_echo)
{
    for (int i = 0; i < 4; i++) {
        uva_reader_t *reader;
        uva_writer_t *writer;
        uva_task_t *task;
        lent_t lent;

        lent_open(&lent, i % 2 == 0);
        ck_assert_int_eq(
            uva_open_uv_stream(&lent.h->stream, 0, &reader, &writer), 0);
        task = i < 2 ? (uva_task_t *)uva_spawn(echo, reader, writer)
                     : (uva_task_t *)uva_spawn(echo_stackless, reader, writer);
        echo_bytes(lent.fd, 5);
        echo_bytes(lent.fd, MIB);
        shutdown(lent.fd, SHUT_WR);
        uva_test_expect_eof(lent.fd);
        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
        ck_assert_int_eq(uva_connection_close(reader, writer), 0);
        uva_task_unref(task);
        lent_close(&lent);
    }
}

UVA_NET_TEST(marks_and_close_wait_for_what_libuv_holds)
{
    /* Closed before connection_made, and after it. */
    static char zeros[MIB];

    for (int i = 0; i < 2; i++) {
        notes_t notes = {0};
        lent_t lent;
        uva_transport_t *transport;
        size_t got = 0;

        lent_open(&lent, false);
        transport = lent_protocol(&lent, &noting_ops, &notes);
        if (i == 1) {
            ck_assert_int_eq(uva_sleep(0), 0);
        }
        ck_assert_int_eq(uva_transport_write(transport, zeros, sizeof zeros),
                         0);
        ck_assert_uint_gt(uva_transport_get_write_buffer_size(transport), 0);
        ck_assert_uint_gt(uv_stream_get_write_queue_size(&lent.h->stream), 0);
        uva_transport_close(transport);
        while (got < MIB) {
            long part = uva_test_drop(lent.fd, MIB);
            ck_assert_int_ge(part, 0);
            got += (size_t)part;
            ck_assert_int_eq(uva_sleep(0), 0);
        }
        noting_ends(transport, &notes, "made;pause;resume;lost OK;");
        lent_close(&lent);
    }
}

UVA_NET_TEST(bytes_that_libuv_holds_outlive_the_transport)
{
    static char zeros[MIB];

    for (int closes = 0; closes < 2; closes++) {
        notes_t notes = {0};
        lent_t lent;
        uva_transport_t *transport;

        lent_open(&lent, false);
        transport = lent_protocol(&lent, &noting_ops, &notes);
        ck_assert_int_eq(uva_transport_write(transport, zeros, sizeof zeros),
                         0);
        uva_transport_abort(transport);
        uva_transport_unref(transport);
        UVA_TEST_UNTIL(notes.ended == 1);
        ck_assert_uint_gt(uv_stream_get_write_queue_size(&lent.h->stream), 0);
        while (closes == 0 &&
               uv_stream_get_write_queue_size(&lent.h->stream) > 0) {
            (void)uva_test_drop(lent.fd, MIB);
            ck_assert_int_eq(uva_sleep(0), 0);
        }
        lent_close(&lent);
    }
}

/* --- the application closes its handle --- */

static int closes_handle(noting_t *self)
{
    (void)self;
    close_handle();
    return 0;
}

static void idle_closes(uv_idle_t *idle)
{
    close_handle();
    uv_close((uv_handle_t *)idle, NULL);
}

static void timer_closes(uv_timer_t *timer)
{
    close_handle();
    uv_close((uv_handle_t *)timer, NULL);
}

/* In each of these the memory of the handle is freed at the end of the
 * iteration. */
UVA_NET_TEST(closed_at_each_moment)
{
    static char zeros[MIB];
    uv_loop_t *uv = uva_loop_uv(uva_get_running_loop());

    for (int i = 0; i < 12; i++) {
        notes_t notes = {0};
        uv_idle_t idle;
        uv_timer_t timer;
        lent_t lent;
        uva_transport_t *transport;

        lent_open(&lent, i % 2 == 0);
        the_handle = &lent.h->handle;
        notes.on_made = i / 2 == 0 ? closes_handle : NULL;
        notes.on_data = i / 2 == 1 ? closes_handle : NULL;
        transport = lent_protocol(&lent, &noting_ops, &notes);
        ck_assert_int_eq(uva_sleep(0), 0);
        if (i / 2 > 0) {
            uva_test_send(lent.fd, "bytes");
        }
        if (i / 2 == 2) {
            close_handle();
        } else if (i / 2 == 3) {
            uv_idle_init(uv, &idle);
            uv_idle_start(&idle, idle_closes);
        } else if (i / 2 == 4) { /* Paused: nothing is watched. */
            uva_transport_pause_reading(transport);
            uv_timer_init(uv, &timer);
            uv_timer_start(&timer, timer_closes, 1, 0);
        } else if (i / 2 == 5) { /* While bytes wait to be sent. */
            ck_assert_int_eq(
                uva_transport_write(transport, zeros, sizeof zeros), 0);
            close_handle();
        }
        UVA_TEST_UNTIL(lent.closed);
        UVA_TEST_UNTIL(notes.ended == 1);
        ck_assert_msg(heard(&notes, "lost ECONNABORTED"), "%d: %s", i,
                      notes.text);
        ck_assert_int_eq(uva_transport_fileno(transport), -1);
        uva_transport_unref(transport);
        lent_close(&lent);
    }
}

/* The end of a stream cannot be sent to a terminal, and the host can still
 * write to it afterwards. */
UVA_NET_TEST(terminal)
{
    uv_loop_t *uv = uva_loop_uv(uva_get_running_loop());
    notes_t notes = {0};
    bool closed = false;
    uva_transport_t *transport;
    uv_tty_t tty;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int slave;

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master) + unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(uv_tty_init(uv, &tty, slave, 1), 0);
    tty.data = &closed;
    ck_assert_int_eq(uva_transport_from_uv((uv_stream_t *)&tty, &noting_ops,
                                           &notes, &transport),
                     0);
    ck_assert_uint_eq(uva_transport_can(transport),
                      UVA_CAN_READ | UVA_CAN_WRITE);
    ck_assert_int_eq(write(master, "line\n", 5), 5);
    UVA_TEST_UNTIL(heard(&notes, "data line\n"));
    ck_assert_int_eq(uva_transport_write_eof(transport), UV_ENOTSUP);
    ck_assert_int_eq(uva_transport_write(transport, "text", 4), 0);
    uva_transport_close(transport);
    UVA_TEST_UNTIL(heard(&notes, "lost OK"));
    uva_transport_unref(transport);
    ck_assert(uv_is_writable((uv_stream_t *)&tty));
    uv_close((uv_handle_t *)&tty, note_closed);
    UVA_TEST_UNTIL(closed);
    close(slave);
    close(master);
}

/* A host with check handles from before and after its guest. */
typedef struct checks_s {
    lent_t lent;
    notes_t notes;
} checks_t;

static void check_closes(uv_check_t *check)
{
    checks_t *checks = check->data;

    if (heard(&checks->notes, "made") &&
        !uv_is_closing(&checks->lent.h->handle)) {
        uv_close(&checks->lent.h->handle, lent_closed);
        uv_close((uv_handle_t *)check, NULL);
    }
}

static int lends(void *arg, void **ret_result)
{
    checks_t *checks = arg;
    uva_transport_t *transport;

    (void)ret_result;
    lent_open(&checks->lent, true);
    transport = lent_protocol(&checks->lent, &noting_ops, &checks->notes);
    UVA_TEST_UNTIL(checks->notes.ended == 1);
    ck_assert(heard(&checks->notes, "lost ECONNABORTED"));
    uva_transport_unref(transport);
    lent_close(&checks->lent);
    return 0;
}

/* libuv calls the callback of a check handle that was started before the guest
 * behind those that were started later. */
START_TEST(closed_in_a_check_callback)
{
    for (int after = 0; after < 2; after++) {
        checks_t checks = {0};
        uv_loop_t host;
        uv_check_t check;
        uva_loop_t *guest;
        uva_task_t *task;

        ck_assert_int_eq(uv_loop_init(&host), 0);
        uv_check_init(&host, &check);
        check.data = &checks;
        if (!after) {
            uv_check_start(&check, check_closes);
        }
        ck_assert_int_eq(uva_loop_attach(&host, NULL, &guest), 0);
        if (after) {
            uv_check_start(&check, check_closes);
        }
        task = uva_loop_create_task(guest, lends, &checks, NULL);
        uv_run(&host, UV_RUN_DEFAULT);
        ck_assert_int_eq(checks.notes.ended, 1);
        uva_task_unref(task);
        ck_assert_int_eq(uva_loop_shutdown(guest, NULL), 0);
        uva_loop_unref(guest);
        ck_assert_int_eq(uv_loop_close(&host), 0);
    }
}
END_TEST

/* --- refusals --- */

static void alloc_any(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    static char bytes[64];

    (void)handle;
    (void)size;
    *buffer = uv_buf_init(bytes, sizeof bytes);
}

static void read_any(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)stream;
    (void)count;
    (void)buffer;
}

UVA_NET_TEST(refusals)
{
    bool closed = false;
    uv_loop_t *uv = uva_loop_uv(uva_get_running_loop());
    notes_t notes = {0};
    uva_transport_t *transport;
    uva_transport_t *second;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uv_timer_t timer;
    uv_loop_t other;
    uv_tcp_t tcp;
    uv_tcp_t foreign;
    lent_t lent;

#define FROM(handle) \
    uva_transport_from_uv((uv_stream_t *)(handle), &noting_ops, &notes, &second)
    ck_assert_int_eq(FROM(NULL), UV_EINVAL);
    uv_timer_init(uv, &timer);
    ck_assert_int_eq(FROM(&timer), UV_EINVAL);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_tcp_init(uv, &tcp);
    ck_assert_int_eq(FROM(&tcp), UV_ENOTCONN);
    tcp.data = &closed;
    uv_close((uv_handle_t *)&tcp, note_closed);
    ck_assert_int_eq(FROM(&tcp), UV_EBADF);
    UVA_TEST_UNTIL(closed); /* The timer, too. */
    ck_assert_int_eq(uv_loop_init(&other), 0);
    uv_tcp_init(&other, &foreign);
    ck_assert_int_eq(FROM(&foreign), UVA_EWRONGLOOP);
    uv_close((uv_handle_t *)&foreign, NULL);
    uv_run(&other, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&other), 0);

    lent_open(&lent, true);
    uv_read_start(&lent.h->stream, alloc_any, read_any);
    ck_assert_int_eq(FROM(lent.h), UV_EALREADY);
    uv_read_stop(&lent.h->stream);
    transport = lent_protocol(&lent, &noting_ops, &notes);
    uva_transport_pause_reading(transport);
    ck_assert_int_eq(FROM(lent.h), UV_EALREADY);
    uva_transport_close(transport);
    uva_transport_unref(transport);
    ck_assert_int_eq(
        uva_open_uv_stream(&lent.h->stream, SIZE_MAX, &reader, &writer),
        UV_EINVAL);
    UVA_TEST_UNTIL(notes.ended == 1);
    lent_close(&lent);
}

static int needs_memory(void)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    lent_t lent;
    int r;

    lent_open(&lent, true);
    r = uva_transport_from_uv(&lent.h->stream, &noting_ops, &notes, &transport);
    if (r >= 0) {
        uva_test_send(lent.fd, "abc");
        UVA_TEST_UNTIL(heard(&notes, "data") || notes.ended == 1);
        if (notes.ended == 1) {
            r = UV_ENOMEM;
            ck_assert_str_eq(notes.text, "made;lost ENOMEM;");
        }
        uva_transport_abort(transport);
        uva_transport_unref(transport);
        UVA_TEST_UNTIL(notes.ended == 1);
    }
    lent_close(&lent);
    return r;
}

UVA_NET_TEST(oom)
{
    ck_assert_int_eq(needs_memory(), 0); /* What the loop keeps. */
    UVA_OOM_TEST(needs_memory());
}

int main(void)
{
    Suite *suite = suite_create("medium_uv");
    TCase *protocols = UVA_TCASE(suite, "Protocols");
    TCase *streams = UVA_TCASE(suite, "Streams");
    TCase *hosts = UVA_TCASE(suite, "Hosts");

    (void)signal(SIGPIPE, SIG_IGN); /* As every program with such handles. */
    UVA_ADD_TESTS(protocols, protocol_hears_in_order,
                  buffered_protocol_takes_parts, what_came_while_paused_is_kept,
                  marks_and_close_wait_for_what_libuv_holds,
                  bytes_that_libuv_holds_outlive_the_transport);
    UVA_ADD_TESTS(streams, streams_echo);
    UVA_ADD_TESTS(hosts, closed_at_each_moment, closed_in_a_check_callback,
                  terminal, refusals, oom);
    return uva_test_main(suite);
}
