/*
 * Sending files: by the system and by copies, parts of files, what cuts it
 * short, what is refused meanwhile. The calls sendfile and pread are replaced
 * by ones of ours, which fail when a test wants it.
 */
/* The fortified forms of the calls, which clang has inline, cannot be replaced.
 */
#undef _FORTIFY_SOURCE

#include "kinds.h"
#include "noting.h"
#include "real.h"
#include "test_filters.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uva/connections.h"

/* --- the system --- */

/* Instead of an error: as much as a byte is sent, or read. */
#define SHORT (-1)

typedef struct fault_s {
    int error; /* errno, SHORT, or 0 for none. */
    int nth;   /* From 1 on; 0 is each. */
    int seen;
} fault_t;

static fault_t sendfile_fault;
static fault_t pread_fault;

static bool fault_hits(fault_t *fault)
{
    fault->seen++;
    if (fault->error == 0 || (fault->nth != 0 && fault->nth != fault->seen)) {
        return false;
    }
    errno = fault->error;
    return true;
}

#if defined(__linux__)

UVA_EXTERN ssize_t sendfile(int fd, int file, off_t *offset, size_t size);
UVA_EXTERN ssize_t sendfile(int fd, int file, off_t *offset, size_t size)
{
    static ssize_t (*next)(int, int, off_t *, size_t);

    if (next == NULL) {
        real("sendfile", &next);
    }
    if (fault_hits(&sendfile_fault)) {
        return sendfile_fault.error == SHORT ? next(fd, file, offset, 1) : -1;
    }
    return next(fd, file, offset, size);
}

#endif

UVA_EXTERN ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    static ssize_t (*next)(int, void *, size_t, off_t);

    if (next == NULL) {
        real("pread", &next);
    }
    if (fault_hits(&pread_fault)) {
        return pread_fault.error == SHORT ? next(fd, data, 1, offset) : -1;
    }
    return next(fd, data, size, offset);
}

static void faults_end(void)
{
    sendfile_fault = (fault_t){0};
    pread_fault = (fault_t){0};
}

/* --- a file, two ends --- */

#define LARGE 3000000u

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)(at * 7 + at / 256);
}

/* A file of numbered bytes without a name. */
static int numbered_file(size_t size)
{
    char path[] = "/tmp/uva-XXXXXX";
    int file = mkstemp(path);
    uint8_t *bytes = malloc(size + 1);

    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(unlink(path), 0);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = byte_at(i);
    }
    ck_assert_int_eq(write(file, bytes, size), (ssize_t)size);
    free(bytes);
    ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
    return file;
}

/* A transport on one end of a pair of sockets, and the other end. */
static uva_transport_t *link_unix(notes_t *notes, int *ret_other)
{
    uva_transport_t *transport;
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(
        uva_create_connection_fd(&noting_ops, notes, fds[0], NULL, &transport),
        0);
    *ret_other = fds[1];
    return transport;
}

static uva_transport_t *link_tcp(notes_t *notes, int *ret_other)
{
    uva_transport_t *transport = noting_link(&noting_ops, notes, ret_other);

    ck_assert_int_eq(fcntl(*ret_other, F_SETFL, O_NONBLOCK), 0);
    return transport;
}

/* What has come at the other end: first so many bytes of 'x', then bytes of the
 * file from an offset on, then more of 'y'. */
typedef struct sink_s {
    int fd;
    uint64_t before;
    uint64_t offset;
    uint64_t size;
    uint64_t total;
    bool wrong;
} sink_t;

/* Take what is there. @return Whether the stream goes on. */
static bool sink_take(sink_t *sink)
{
    uint8_t got[65536];
    ssize_t count = read(sink->fd, got, sizeof got);

    for (ssize_t i = 0; i < count; i++, sink->total++) {
        uint64_t at = sink->total;
        uint8_t want = at < sink->before ? 'x'
                       : at - sink->before < sink->size
                           ? byte_at(at - sink->before + sink->offset)
                           : 'y';
        sink->wrong = sink->wrong || got[i] != want;
    }
    return count > 0 || (count < 0 && errno == EAGAIN);
}

static void sink_until(sink_t *sink, uint64_t total)
{
    int turns = 100000;

    while (sink->total < total) {
        ck_assert_int_gt(turns--, 0);
        ck_assert(sink_take(sink));
        UVA_TICK();
    }
    ck_assert(!sink->wrong);
    ck_assert_uint_eq(sink->total, total);
}

/* Until the end of the stream. */
static void sink_all(sink_t *sink)
{
    while (sink_take(sink)) {
        UVA_TICK();
    }
    ck_assert(!sink->wrong);
}

KIND_TASK(void, send_file, uva_transport_t *transport; int file;
          uva_sendfile_options_t options;
          uint64_t * sent;
          uva_sendfile_op_t op;
          int r;)
{
    UVA_BEGIN
    self->options.size = sizeof self->options;
    AWAIT_OP(self->r, uva_transport_sendfile, &self->op, self->transport,
             self->file, &self->options, self->sent);
    UVA_END
    return self->r;
}

/* Let a task send a file in one go, without a wait for the peer. */
static int send_now(uva_transport_t *transport,
                    int file,
                    uva_sendfile_options_t options,
                    uint64_t *sent)
{
    return UVA_JOIN(
        KIND_SPAWN(send_file, transport, file, options, .sent = sent));
}

static void expect_position(int file, off_t position)
{
    ck_assert_int_eq(lseek(file, 0, SEEK_CUR), position);
}

static void
close_all(uva_transport_t *take_transport, notes_t *notes, int other, int file)
{
    uva_transport_abort(take_transport);
    UVA_TEST_UNTIL(notes->ended > 0);
    uva_transport_unref(take_transport);
    close(other);
    close(file);
}

static const uva_sendfile_options_t all;

/* --- what is sent --- */

UVA_NET_TEST(whole_file)
{
    /* test_sendfile.py, SendfileMixin.test_sendfile
     * test_sendfile.py, SendfileMixin.test_sendfile_pre_and_post_data */
    for (int tcp = 0; tcp < 2; tcp++) {
        notes_t notes = {0};
        sink_t sink = {.before = 5, .size = LARGE};
        uva_transport_t *transport =
            tcp ? link_tcp(&notes, &sink.fd) : link_unix(&notes, &sink.fd);
        int file = numbered_file(LARGE);
        uint64_t sent = 1;
        send_file_task_t *task;

        ck_assert_int_eq(uva_transport_write(transport, "xxxxx", 5), 0);
        task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
        sink_until(&sink, 5 + LARGE);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_assert_uint_eq(sent, LARGE);
        expect_position(file, LARGE);
        ck_assert_int_eq(uva_transport_write(transport, "yyy", 3), 0);
        sink_until(&sink, 5 + LARGE + 3);
        ck_assert(uva_transport_is_reading(transport));
        close_all(transport, &notes, sink.fd, file);
        ck_assert_str_eq(notes.text, "made;lost OK;");
    }
}

/* What was written before leaves first, however full the socket is. */
UVA_NET_TEST(behind_unsent_bytes)
{
    notes_t notes = {0};
    sink_t sink = {.before = LARGE, .size = 10000};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(10000);
    char *bytes = malloc(LARGE);
    uint64_t sent;
    send_file_task_t *task;

    memset(bytes, 'x', LARGE);
    ck_assert_int_eq(uva_transport_write(transport, bytes, LARGE), 0);
    free(bytes);
    task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    sink_until(&sink, LARGE + 10000);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(sent, 10000);
    close_all(transport, &notes, sink.fd, file);
    ck_assert_str_eq(notes.text, "made;pause;resume;lost OK;");
}

typedef struct part_s {
    uint64_t offset;
    uint64_t count;
    uint64_t sent;
} part_t;

/* Of a file of 1000 bytes. */
static const part_t parts[] = {
    {0, 0, 1000},          {0, 10, 10},       {10, 0, 990},    {10, 20, 20},
    {990, 20, 10},         {1000, 0, 0},      {5000, 0, 0},    {5000, 7, 0},
    {0, UINT64_MAX, 1000}, {INT64_MAX, 0, 0}, {0, 1000, 1000}, {999, 1, 1},
};

static void send_parts(uva_transport_t *transport, int fd)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const part_t *part = &parts[i];
        sink_t sink = {.fd = fd, .offset = part->offset, .size = part->sent};
        int file = numbered_file(1000);
        uint64_t sent = 1;

        ck_assert_int_eq(lseek(file, 123, SEEK_SET), 123);
        ck_assert_int_eq(
            send_now(transport, file,
                     (uva_sendfile_options_t){.offset = part->offset,
                                              .count_bytes = part->count},
                     &sent),
            0);
        ck_assert_uint_eq(sent, part->sent);
        sink_until(&sink, part->sent);
        /* It moves if something was sent. */
        expect_position(
            file, part->sent == 0 ? 123 : (off_t)(part->offset + part->sent));
        close(file);
    }
}

UVA_NET_TEST(parts_of_a_file)
{
    /* test_sendfile.py, SendfileMixin.test_sendfile_partial */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);

    send_parts(transport, other);
    sendfile_fault.error = EINVAL; /* By copies. */
    send_parts(transport, other);
    faults_end();
    close_all(transport, &notes, other, -1);
}

UVA_NET_TEST(empty_file)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    int file = numbered_file(0);

    ck_assert_int_eq(send_now(transport, file, all, NULL), 0);
    close_all(transport, &notes, other, file);
}

/* --- what is refused --- */

UVA_NET_TEST(wrong_files)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    int file = open("/dev/null", O_WRONLY);
    int folder = open("/tmp", O_RDONLY);
    char path[] = "/tmp/uva-XXXXXX";
    uint64_t sent = 1;
    int pipes[2];
    int written;

    ck_assert_int_eq(pipe(pipes), 0);
    written = mkstemp(path);
    close(written);
    written = open(path, O_WRONLY);
    ck_assert_int_eq(write(written, "text", 4), 4);
    unlink(path);
    ck_assert_int_eq(send_now(transport, -1, all, &sent), UV_EBADF);
    ck_assert_uint_eq(sent, 0);
    ck_assert_int_eq(send_now(transport, file, all, NULL), UV_EINVAL);
    ck_assert_int_eq(send_now(transport, folder, all, NULL), UV_EINVAL);
    ck_assert_int_eq(send_now(transport, pipes[0], all, NULL), UV_EINVAL);
    ck_assert_int_eq(send_now(transport, other, all, NULL), UV_EINVAL);
    ck_assert_int_eq(send_now(transport, written, all, NULL), UV_EBADF);
    ck_assert_int_eq(
        send_now(transport, written,
                 (uva_sendfile_options_t){.offset = (uint64_t)INT64_MAX + 1},
                 NULL),
        UV_EINVAL);
    /* The connection is as before. */
    ck_assert_int_eq(uva_transport_write(transport, "fine", 4), 0);
    uva_test_expect(other, "fine");
    close(pipes[0]);
    close(pipes[1]);
    close(folder);
    close(written);
    close_all(transport, &notes, other, file);
}

UVA_NET_TEST(wrong_moments)
{
    /* test_sendfile.py, SendfileMixin.test_sendfile_for_closing_transp */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    int file = numbered_file(10);
    uva_sendfile_options_t options = {.size = 3};

    ck_assert_int_eq(uva_transport_sendfile(transport, file, &options, NULL),
                     UV_EINVAL);
    ck_assert_int_eq(uva_transport_write_eof(transport), 0);
    ck_assert_int_eq(send_now(transport, file, all, NULL), UV_EPERM);
    uva_transport_close(transport);
    ck_assert_int_eq(send_now(transport, file, all, NULL), UV_EPERM);
    close_all(transport, &notes, other, file);
}

static int sendfile_outside;

static int outside(noting_t *self)
{
    sendfile_outside =
        uva_transport_sendfile(self->base.transport, 0, NULL, NULL);
    return 0;
}

UVA_NET_TEST(outside_of_tasks)
{
    notes_t notes = {.on_data = outside};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);

    uva_test_send(other, "go");
    UVA_TEST_UNTIL(heard(&notes, "data go"));
    ck_assert_int_eq(sendfile_outside, UVA_ENOTASK);
    close_all(transport, &notes, other, -1);
}

/* While a file is sent nothing else is. asyncio: "unable to write; sendfile is
 * in progress". */
static void refuse_others(bool copies)
{
    notes_t notes = {0};
    sink_t sink = {.size = LARGE};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    uva_bytes_t line = UVA_BYTES("x");
    int file = numbered_file(LARGE);
    uva_buffer_t buffer = {0};
    uint64_t sent;
    send_file_task_t *task;

    sendfile_fault.error = copies ? EINVAL : 0;
    task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
    UVA_TICK();
    UVA_TICK();
    ck_assert_int_eq(uva_transport_write(transport, "x", 1), UV_EBUSY);
    ck_assert_int_eq(uva_transport_write(transport, "", 0), UV_EBUSY);
    ck_assert_int_eq(uva_transport_writelines(transport, &line, 1), UV_EBUSY);
    ck_assert_int_eq(uva_transport_write_take(transport, &buffer), UV_EBUSY);
    ck_assert_int_eq(uva_transport_write_eof(transport), UV_EBUSY);
    ck_assert_int_eq(send_now(transport, file, all, NULL), UV_EBUSY);
    ck_assert_int_eq(
        uva_transport_push_filter(transport, &uva_test_rot13, false, NULL),
        UV_EPERM);
    sink_until(&sink, LARGE);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(sent, LARGE);
    ck_assert_int_eq(uva_transport_write(transport, "y", 1), 0);
    sink_until(&sink, LARGE + 1);
    close_all(transport, &notes, sink.fd, file);
    if (!copies) {
        ck_assert_str_eq(notes.text, "made;lost OK;");
    } else { /* A copy is a write like others. */
        ck_assert(heard(&notes, "made;pause;resume;"));
        ck_assert(heard(&notes, "pause;resume;lost OK;"));
    }
    faults_end();
}

UVA_NET_TEST(others_are_refused)
{
    /* test_sendfile.py, SendfileMixin.test_sendfile_prevents_bare_write */
    refuse_others(false);
}

/* Reading is paused meanwhile, as in asyncio; nothing of it is lost. */
UVA_NET_TEST(reading_is_paused)
{
    notes_t notes = {0};
    sink_t sink = {.size = LARGE};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(LARGE);
    send_file_task_t *task;
    uint64_t sent;

    for (int paused = 0; paused < 2; paused++) {
        if (paused != 0) {
            uva_transport_pause_reading(transport);
        }
        sink.total = 0;
        task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
        UVA_TICK();
        ck_assert(!uva_transport_is_reading(transport));
        uva_test_send(sink.fd, paused != 0 ? "more" : "some");
        for (int i = 0; i < 10; i++) {
            UVA_TICK();
        }
        ck_assert(!heard(&notes, paused != 0 ? "more" : "some"));
        sink_until(&sink, LARGE);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_assert_int_eq(uva_transport_is_reading(transport), paused == 0);
        uva_transport_resume_reading(transport);
        UVA_TEST_UNTIL(heard(&notes, paused != 0 ? "more" : "some"));
    }
    close_all(transport, &notes, sink.fd, file);
}

/* --- cut short --- */

/* How a file that is being sent is cut short. */
typedef enum cut_e {
    CUT_CANCEL,
    CUT_CLOSE,
    CUT_ABORT,
    CUT_PEER,
    CUT_COUNT
} cut_t;

static void cut_short(cut_t cut, bool copies, bool tcp)
{
    notes_t notes = {0};
    sink_t sink = {.size = LARGE * 4};
    uva_transport_t *transport =
        tcp ? link_tcp(&notes, &sink.fd) : link_unix(&notes, &sink.fd);
    int file = numbered_file(LARGE * 4);
    uint64_t sent = 1;
    send_file_task_t *task;
    int r;

    sendfile_fault.error = copies ? EINVAL : 0;
    task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
    UVA_TICK();
    ck_assert(sink_take(&sink)); /* A little. */
    for (int i = 0; i < 3; i++) {
        UVA_TICK();
    }
    ck_assert(!UVA_DONE(task));
    switch (cut) {
    case CUT_CANCEL:
        uva_task_cancel(UVA_ERASE(task));
        break;
    case CUT_CLOSE:
        uva_transport_close(transport);
        break;
    case CUT_ABORT:
        uva_transport_abort(transport);
        break;
    default:
        close(sink.fd);
        break;
    }
    if (cut == CUT_CLOSE) { /* What was copied is sent before. */
        sink_all(&sink);
    }
    r = UVA_JOIN(task);
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_lt(sent, LARGE * 4);
    expect_position(file, (off_t)sent);
    if (cut == CUT_CANCEL) { /* The transport goes on. */
        ck_assert_int_eq(r, UV_ECANCELED);
        sink.size = sent;
        ck_assert_int_eq(uva_transport_write(transport, "y", 1), 0);
        sink_until(&sink, sent + 1);
        ck_assert(uva_transport_is_reading(transport));
        sink.size = sink.total + 5;
        sink.offset = UINT64_MAX - sink.total + 1; /* From 0 on. */
        ck_assert_int_eq(send_now(transport, file,
                                  (uva_sendfile_options_t){.count_bytes = 5},
                                  &sent),
                         0);
        sink_until(&sink, sink.size);
    } else if (cut == CUT_PEER) {
        ck_assert(r == UV_EPIPE || r == UV_ECONNRESET);
    } else {
        ck_assert_int_eq(r, UV_ECONNABORTED);
    }
    faults_end();
    close_all(transport, &notes, cut == CUT_PEER ? -1 : sink.fd, file);
}

static void cut_each(bool copies)
{
    for (int cut = 0; cut < CUT_COUNT; cut++) {
        cut_short((cut_t)cut, copies, false);
        cut_short((cut_t)cut, copies, true);
    }
}

/* Also: a peer that has left raises no SIGPIPE, which would end the process. */
UVA_NET_TEST(cut_short_in_each_way)
{
    /* test_sendfile.py,
     * SendfileMixin.test_sendfile_close_peer_in_the_middle_of_receiving
     * test_unix_events.py,
     * SelectorEventLoopUnixSockSendfileTests.test_sock_sendfile_cancel1
     * test_unix_events.py,
     * SelectorEventLoopUnixSockSendfileTests.test_sock_sendfile_cancel2 */
    ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    cut_each(false);
}

/* The peer leaves when it has all. */
UVA_NET_TEST(peer_closes_behind_the_file)
{
    /* test_sendfile.py,
     * SendfileMixin.test_sendfile_close_peer_after_receiving */
    notes_t notes = {0};
    sink_t sink = {.size = LARGE};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(LARGE);
    uint64_t sent = 1;
    send_file_task_t *task;

    task = KIND_SPAWN(send_file, transport, file,
                      (uva_sendfile_options_t){.count_bytes = LARGE},
                      .sent = &sent);
    sink_until(&sink, LARGE);
    close(sink.fd);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(sent, LARGE);
    UVA_TEST_UNTIL(notes.ended > 0);
    ck_assert_str_eq(notes.text, "made;eof;lost OK;");
    close_all(transport, &notes, -1, file);
}

/* Cancelled after each number of iterations, behind unsent bytes too. @return
 * Whether it was in time. */
static bool cancel_after(int turns, bool copies, bool behind)
{
    notes_t notes = {0};
    sink_t sink = {.before = behind ? LARGE : 0, .size = LARGE};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(LARGE);
    uint64_t sent = 0;
    send_file_task_t *task;
    bool cancelled;
    int r;

    if (behind) {
        char *bytes = malloc(LARGE);
        memset(bytes, 'x', LARGE);
        ck_assert_int_eq(uva_transport_write(transport, bytes, LARGE), 0);
        free(bytes);
    }
    sendfile_fault.error = copies ? EINVAL : 0;
    task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
    for (int i = 0; i < turns; i++) {
        (void)sink_take(&sink);
        UVA_TICK();
    }
    cancelled = uva_task_cancel(UVA_ERASE(task));
    r = UVA_JOIN(task);
    faults_end();
    ck_assert_int_eq(r, cancelled ? UV_ECANCELED : 0);
    expect_position(file, (off_t)sent);
    sink.size = sent;
    ck_assert_int_eq(uva_transport_write(transport, "y", 1), 0);
    sink_until(&sink, sink.before + sent + 1);
    ck_assert(uva_transport_is_reading(transport));
    close_all(transport, &notes, sink.fd, file);
    return cancelled;
}

UVA_NET_TEST(cancelled_at_each_await)
{
    for (int how = 0; how < 4; how++) {
        int turns = 0;
        while (cancel_after(turns, (how & 1) != 0, (how & 2) != 0)) {
            turns += turns < 12 ? 1 : turns / 2; /* Later ones are alike. */
            ck_assert_int_lt(turns, 10000);
        }
        ck_assert_int_gt(turns, 3);
    }
}

/* A file that shrinks while it is sent. */
UVA_NET_TEST(file_changes)
{
    notes_t notes = {0};
    sink_t sink = {.size = LARGE};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(LARGE);
    uint64_t sent = 1;
    send_file_task_t *task;

    task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
    UVA_TICK();
    ck_assert_int_eq(ftruncate(file, LARGE - 1000), 0);
    sink_until(&sink, LARGE - 1000);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(sent, LARGE - 1000);
    close_all(transport, &notes, sink.fd, file);
}

/* --- by copies --- */

UVA_NET_TEST(copies_without_the_system)
{
    /* test_sendfile.py, SendfileMixin.test_sendfile_force_fallback */
    refuse_others(true);
}

UVA_NET_TEST(copies_cut_short)
{
    /* test_sendfile.py, SendfileMixin.
     * test_sendfile_fallback_close_peer_in_the_middle_of_receiving */
    cut_each(true);
}

UVA_NET_TEST(no_fallback)
{
    /* test_sendfile.py, SendfileMixin.test_sendfile_force_unsupported_native */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    int file = numbered_file(10);
    uva_sendfile_options_t options = {.no_fallback = true};
    uint64_t sent = 1;

    if ((uva_transport_can(transport) & UVA_CAN_SENDFILE) != 0) {
        ck_assert_int_eq(send_now(transport, file, options, &sent), 0);
        ck_assert_uint_eq(sent, 10);
        uva_test_drop(other, 10);
    }
    sendfile_fault.error = EINVAL;
    expect_position(file, sent == 10 ? 10 : 0);
    ck_assert_int_eq(send_now(transport, file, options, &sent),
                     UVA_ENOSENDFILE);
    ck_assert_uint_eq(sent, 0);
    faults_end();
    ck_assert_int_eq(uva_transport_write(transport, "fine", 4), 0);
    uva_test_expect(other, "fine");
    close_all(transport, &notes, other, file);
}

/* Through a filter, and back to the system when it was popped. */
UVA_NET_TEST(through_a_filter)
{
    /* test_sendfile.py,
     * SendfileMixin.test_sendfile_no_fallback_for_fallback_transport */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    int file = numbered_file(0);

    ck_assert_int_eq(write(file, "Hello", 5), 5);
    ck_assert_int_eq(
        uva_transport_push_filter(transport, &uva_test_rot13, false, NULL), 0);
    ck_assert_uint_eq(uva_transport_can(transport) & UVA_CAN_SENDFILE, 0);
    ck_assert_int_eq(send_now(transport, file,
                              (uva_sendfile_options_t){.no_fallback = true},
                              NULL),
                     UVA_ENOSENDFILE);
    ck_assert_int_eq(send_now(transport, file, all, NULL), 0);
    uva_test_expect(other, "Uryyb");
    ck_assert_int_eq(uva_transport_pop_filter(transport), 0);
    ck_assert_int_eq(send_now(transport, file, all, NULL), 0);
    uva_test_expect(other, "Hello");
    close_all(transport, &notes, other, file);
}

/* To a pipe, which asyncio refuses; and not from the end that reads. */
UVA_NET_TEST(to_a_pipe)
{
    notes_t notes[2] = {{.made = 0}, {.made = 0}};
    uva_transport_t *writes;
    uva_transport_t *reads;
    int file = numbered_file(0);
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(write(file, "Hello", 5), 5);
    ck_assert_int_eq(
        uva_connect_read_pipe(&noting_ops, &notes[0], pipes[0], &reads), 0);
    ck_assert_int_eq(
        uva_connect_write_pipe(&noting_ops, &notes[1], pipes[1], &writes), 0);
    ck_assert_int_eq(send_now(reads, file, all, NULL), UV_ENOTSUP);
    ck_assert_int_eq(send_now(writes, file, all, NULL), 0);
    UVA_TEST_UNTIL(heard(&notes[0], "data Hello"));
    uva_transport_close(writes);
    UVA_TEST_UNTIL(notes[0].ended > 0 && notes[1].ended > 0);
    uva_transport_unref(reads);
    uva_transport_unref(writes);
    close(file);
}

/* --- streams, memory --- */

KIND_TEST(stream_in_memory, uva_reader_t *readers[2]; uva_writer_t * writers[2];
          uva_sendfile_op_t op;
          uva_buffer_t got;
          uint64_t sent;
          int file;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(
        uva_open_memory_connection(0, self->readers, self->writers), 0);
    self->file = numbered_file(1000);
    ck_assert_int_eq(uva_writer_write(self->writers[0], "head", 4), 0);
    AWAIT_OP(self->r, uva_writer_sendfile, &self->op, self->writers[0],
             self->file, NULL, &self->sent);
    ck_assert_int_eq(self->r, 0);
    ck_assert_uint_eq(self->sent, 1000);
    expect_position(self->file, 1000);
    uva_writer_close(self->writers[0]);
    AWAIT(self->r, uva_reader_read_all, self->readers[1], UVA_NO_LIMIT,
          &self->got);
    ck_assert_int_eq(self->r, 1004);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(self->got.data[4 + i], byte_at((uint64_t)i));
    }
    uva_buffer_clear(&self->got);
    for (int i = 0; i < 2; i++) {
        uva_writer_close(self->writers[i]);
        uva_reader_unref(self->readers[i]);
        uva_writer_unref(self->writers[i]);
    }
    close(self->file);
    UVA_END
    return 0;
}

/* --- a system that refuses --- */

typedef struct row_s {
    int error;
    int code;    /* Of the first call that fails. */
    int another; /* Of a later one. */
    bool lost;   /* The connection is. */
} row_t;

static const row_t rows[] = {
    {EAGAIN, 0, 0, false},
    {EINTR, 0, 0, false},
    {SHORT, 0, 0, false},
    {EINVAL, 0, UV_EINVAL, false}, /* The fallback, while nothing was sent. */
    {ENOSYS, 0, UV_ENOSYS, false},
    {ENOBUFS, UV_ENOBUFS, UV_ENOBUFS, false},
    {ENOMEM, UV_ENOMEM, UV_ENOMEM, false},
    {EIO, UV_EIO, UV_EIO, false},
    {ECONNRESET, UV_ECONNRESET, UV_ECONNRESET, true},
    {EPIPE, UV_EPIPE, UV_EPIPE, true},
    {ETIMEDOUT, UV_ETIMEDOUT, UV_ETIMEDOUT, true},
};

#define ROW_BYTES 400000u

/* Let the nth call of a kind fail. @return Whether there was one. */
static bool row_run(const row_t *row, fault_t *fault, int nth, bool copies)
{
    notes_t notes = {0};
    sink_t sink = {.size = ROW_BYTES};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(ROW_BYTES);
    int code = nth == 1 ? row->code : row->another;
    uint64_t sent = 0;
    send_file_task_t *task;
    bool hit;
    int r;

    sendfile_fault.error = copies ? EINVAL : 0;
    *fault = (fault_t){row->error, nth, 0};
    task = KIND_SPAWN(send_file, transport, file, all, .sent = &sent);
    while (!UVA_DONE(task)) {
        (void)sink_take(&sink);
        UVA_TICK();
    }
    r = UVA_JOIN(task);
    hit = fault->seen >= nth;
    faults_end();
    ck_assert_int_eq(r, hit ? code : 0);
    ck_assert_int_eq(uva_transport_is_closing(transport), hit && row->lost);
    if (!hit || !row->lost) {
        sink.size = sent;
        ck_assert_int_eq(uva_transport_write(transport, "y", 1), 0);
        sink_until(&sink, sent + 1);
    } else {
        sink_all(&sink);
    }
    ck_assert(code != 0 || sent == ROW_BYTES);
    expect_position(file, (off_t)sent);
    close_all(transport, &notes, sink.fd, file);
    return hit;
}

/* Whether the system sends files of sockets of this library. */
static bool system_sends(void)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    bool sends = (uva_transport_can(transport) & UVA_CAN_SENDFILE) != 0;

    close_all(transport, &notes, other, -1);
    return sends;
}

UVA_NET_TEST(sendfile_fails_in_turn)
{
    /* test_unix_events.py, SelectorEventLoopUnixSockSendfileTests.
     * test_sock_sendfile_blocking_error
     * test_unix_events.py, SelectorEventLoopUnixSockSendfileTests.
     * test_sock_sendfile_os_error_next_call */
    for (size_t i = 0; system_sends() && i < sizeof rows / sizeof *rows; i++) {
        int nth = 1;
        while (row_run(&rows[i], &sendfile_fault, nth, false)) {
            ck_assert_int_lt(nth++, 100);
        }
        ck_assert_int_gt(nth, 1);
    }
}

static const row_t pread_rows[] = {
    {EINTR, 0, 0, false},
    {SHORT, 0, 0, false},
    {EIO, UV_EIO, UV_EIO, false},
};

UVA_NET_TEST(pread_fails_in_turn)
{
    for (size_t i = 0; i < sizeof pread_rows / sizeof *pread_rows; i++) {
        int nth = 1;
        while (row_run(&pread_rows[i], &pread_fault, nth, true)) {
            ck_assert_int_lt(nth++, 100);
        }
        ck_assert_int_gt(nth, 1);
    }
}

/* Without memory nothing is sent; the memory of the call goes with it. */
static void allocations_fail(bool copies)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_unix(&notes, &other);
    int file = numbered_file(100);
    uint64_t sent = 1;

    sendfile_fault.error = copies ? EINVAL : 0;
    UVA_OOM_TEST(uva_transport_sendfile(transport, file, NULL, &sent));
    ck_assert_uint_eq(sent, 100);
    faults_end();
    close_all(transport, &notes, other, file);
}

UVA_NET_TEST_STRICT(allocations_fail_in_turn)
{
    allocations_fail(false);
    allocations_fail(true);
}

/* A copy that cannot be kept: what was sent before stays sent. */
UVA_NET_TEST_STRICT(copy_without_memory)
{
    notes_t notes = {0};
    sink_t sink = {.size = LARGE};
    uva_transport_t *transport = link_unix(&notes, &sink.fd);
    int file = numbered_file(LARGE);
    uint64_t sent = 1;
    int r;

    sendfile_fault.error = EINVAL;
    uva_testing_fail_allocation(3, true);
    r = uva_transport_sendfile(transport, file, NULL, &sent);
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(r, UV_ENOMEM);
    ck_assert_uint_gt(sent, 0);
    expect_position(file, (off_t)sent);
    faults_end();
    close_all(transport, &notes, sink.fd, file);
}

int main(void)
{
    Suite *suite = suite_create("sendfile");
    TCase *sends = UVA_TCASE(suite, "Sends");
    TCase *refuses = UVA_TCASE(suite, "Refuses");
    TCase *cuts = UVA_TCASE(suite, "Cuts");
    TCase *system =
        UVA_SOCKET_TCASE(suite, "System", "libuv does not tell of room");
    TCase *copies = UVA_TCASE(suite, "Copies");
    TCase *faults = UVA_TCASE(suite, "Faults");

    KIND_ADD_TESTS(sends, behind_unsent_bytes, parts_of_a_file, empty_file,
                   stream_in_memory);
    UVA_ADD_TESTS(refuses, wrong_files, wrong_moments, outside_of_tasks);
    KIND_ADD_TESTS(refuses, reading_is_paused);
    KIND_ADD_TESTS(cuts, cancelled_at_each_await);
    KIND_ADD_TESTS(system, whole_file, others_are_refused,
                   cut_short_in_each_way, peer_closes_behind_the_file);
    UVA_ADD_TESTS(cuts, file_changes);
    KIND_ADD_TESTS(copies, copies_without_the_system, copies_cut_short);
    UVA_ADD_TESTS(copies, no_fallback, through_a_filter, to_a_pipe);
    UVA_ADD_TESTS(faults, sendfile_fails_in_turn, pread_fails_in_turn,
                  allocations_fail_in_turn, copy_without_memory);
    return uva_test_main(suite);
}
