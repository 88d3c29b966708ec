/*
 * Pipes, FIFOs, terminals and sockets as one end of a pipe: the order of
 * callbacks, the end of the other side, and that no write raises SIGPIPE. The
 * calls that read and write are replaced by ones of ours.
 */
/* The fortified forms of the calls, which clang has inline, cannot be replaced.
 */
#undef _FORTIFY_SOURCE

#include "kinds.h"
#include "noting.h"
#include "real.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

/* --- the system --- */

/* Which calls on a pipe fail, and how. */
static struct {
    int read_error;   /* errno of the next read; 0: none. */
    int write_error;  /* The same of a write. */
    bool write_short; /* The next write takes one byte. */
    bool raises;      /* writev raises SIGPIPE then, as if the reader had left
                         behind that byte. */
    bool no_nosignal; /* The kernel does not know RWF_NOSIGNAL. */
} fault;

/* Whether a call on a pipe is to fail: the first one. */
static bool fault_takes(int fd, int *error)
{
    struct stat info;

    if (*error == 0 || fstat(fd, &info) < 0 || !S_ISFIFO(info.st_mode)) {
        return false;
    }
    errno = *error;
    *error = 0;
    return true;
}

UVA_EXTERN ssize_t read(int fd, void *data, size_t size)
{
    static ssize_t (*next)(int, void *, size_t);

    if (next == NULL) {
        real("read", &next);
    }
    return fault_takes(fd, &fault.read_error) ? -1 : next(fd, data, size);
}

UVA_EXTERN ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);

    if (next == NULL) {
        real("writev", &next);
    }
    if (fault_takes(fd, &fault.write_error)) {
        return -1;
    }
    if (fault.write_short) {
        struct iovec piece = {pieces->iov_base, 1};
        fault.write_short = false;
        if (fault.raises) {
            (void)raise(SIGPIPE);
        }
        return next(fd, &piece, 1);
    }
    return next(fd, pieces, count);
}

UVA_EXTERN ssize_t
pwritev2(int fd, const struct iovec *pieces, int count, off_t at, int flags)
{
    static ssize_t (*next)(int, const struct iovec *, int, off_t, int);

    if (next == NULL) {
        real("pwritev2", &next);
    }
    if (fault.no_nosignal) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (fault_takes(fd, &fault.write_error)) {
        return -1;
    }
    if (fault.write_short) {
        struct iovec piece = {pieces->iov_base, 1};
        fault.write_short = false;
        return next(fd, &piece, 1, at, flags);
    }
    return next(fd, pieces, count, at, flags);
}

static volatile sig_atomic_t sigpipes;

static void on_sigpipe(int number)
{
    (void)number;
    sigpipes = sigpipes + 1;
}

static void count_sigpipes(void)
{
    struct sigaction action = {.sa_handler = on_sigpipe};

    sigpipes = 0;
    ck_assert_int_eq(sigaction(SIGPIPE, &action, NULL), 0);
}

/* --- ends --- */

KIND_TASK(void, connect_end, bool writes; const uva_protocol_ops_t *table;
          notes_t * notes;
          int fd;
          uva_transport_t * *ret_transport;
          uva_connect_pipe_op_t op;
          int r;)
{
    UVA_BEGIN
    if (self->writes) {
        AWAIT_OP(self->r, uva_connect_write_pipe, &self->op, self->table,
                 self->notes, self->fd, self->ret_transport);
    } else {
        AWAIT_OP(self->r, uva_connect_read_pipe, &self->op, self->table,
                 self->notes, self->fd, self->ret_transport);
    }
    if (self->r >= 0) { /* It has run before the call returned. */
        ck_assert_str_eq(self->notes->text, "made;");
    }
    UVA_END
    return self->r;
}

static int
open_end(bool writes, int fd, notes_t *notes, uva_transport_t **ret_transport)
{
    return UVA_JOIN(
        KIND_SPAWN(connect_end, writes, &noting_ops, notes, fd, ret_transport));
}

/* A transport on one end of a pipe, and the other end. */
static uva_transport_t *link_pipe(bool writes, notes_t *notes, int *ret_other)
{
    uva_transport_t *transport;
    int fds[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(open_end(writes, fds[writes], notes, &transport), 0);
    *ret_other = fds[!writes];
    ck_assert_int_eq(uva_transport_medium(transport), UVA_MEDIUM_PIPE);
    return transport;
}

static void write_all(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void read_all(int fd, const char *text)
{
    char got[64];
    size_t size = strlen(text);

    ck_assert_int_eq(read(fd, got, size), (ssize_t)size);
    ck_assert_mem_eq(got, text, size);
}

/* Write until the pipe takes no more. @return The bytes that were written. */
static size_t fill(uva_transport_t *transport)
{
    static const char zeros[4096];
    size_t total = 0;

    while (uva_transport_get_write_buffer_size(transport) == 0) {
        ck_assert_int_eq(uva_transport_write(transport, zeros, sizeof zeros),
                         0);
        total += sizeof zeros;
    }
    return total;
}

/* Read so many bytes while the loop turns. */
static void drain(int fd, size_t size)
{
    char got[4096];

    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (size > 0) {
        ssize_t count = read(fd, got, sizeof got);
        if (count > 0) {
            ck_assert_uint_le((size_t)count, size);
            size -= (size_t)count;
        }
        UVA_TICK();
    }
}

/* --- reading --- */

UVA_NET_TEST(read_until_eof)
{
    /* test_unix_events.py, UnixReadPipeTransportTests.test_ctor
     * test_unix_events.py, UnixReadPipeTransportTests.test__read_ready
     * test_unix_events.py, UnixReadPipeTransportTests.test__read_ready_eof
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test__call_connection_lost
     * test_events.py, EventLoopTestsMixin.test_read_pipe */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    write_all(other, "one");
    UVA_TEST_UNTIL(heard(&notes, "one"));
    write_all(other, "two");
    UVA_TEST_UNTIL(heard(&notes, "two"));
    close(other);
    noting_ends(transport, &notes, "made;data one;data two;eof;lost OK;");
}

static int stay_open(noting_t *self)
{
    ck_assert(uva_transport_is_closing(self->base.transport));
    return 1;
}

UVA_NET_TEST(eof_ends_whatever_is_returned)
{
    notes_t notes = {.on_eof = stay_open};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    close(other);
    noting_ends(transport, &notes, "made;eof;lost OK;");
}

UVA_NET_TEST(read_pause)
{
    /* test_unix_events.py, UnixReadPipeTransportTests.test_pause_reading
     * test_unix_events.py, UnixReadPipeTransportTests.test_resume_reading
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test_pause_reading_on_closed_pipe
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test_pause_reading_on_paused_pipe
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test_resume_reading_on_closed_pipe
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test_resume_reading_on_paused_pipe */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    uva_transport_resume_reading(transport);
    uva_transport_pause_reading(transport);
    uva_transport_pause_reading(transport);
    ck_assert(!uva_transport_is_reading(transport));
    write_all(other, "late");
    for (int i = 0; i < 20; i++) {
        UVA_TICK();
    }
    ck_assert_str_eq(notes.text, "made;");
    uva_transport_resume_reading(transport);
    ck_assert(uva_transport_is_reading(transport));
    UVA_TEST_UNTIL(heard(&notes, "late"));
    uva_transport_close(transport);
    uva_transport_pause_reading(transport);
    uva_transport_resume_reading(transport);
    ck_assert(!uva_transport_is_reading(transport));
    noting_ends(transport, &notes, "made;data late;lost OK;");
    close(other);
}

UVA_NET_TEST(read_again)
{
    /* test_unix_events.py, UnixReadPipeTransportTests.test__read_ready_blocked
     */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    fault.read_error = EAGAIN;
    write_all(other, "a");
    UVA_TEST_UNTIL(heard(&notes, "a;"));
    fault.read_error = EINTR;
    write_all(other, "b");
    UVA_TEST_UNTIL(heard(&notes, "b;"));
    ck_assert_int_eq(fault.read_error, 0);
    uva_transport_abort(transport);
    noting_ends(transport, &notes, "made;data a;data b;lost OK;");
    close(other);
}

UVA_NET_TEST(read_fails)
{
    /* test_unix_events.py, UnixReadPipeTransportTests.test__read_ready_error
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test__call_connection_lost_with_err */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    fault.read_error = EIO;
    write_all(other, "a");
    noting_ends(transport, &notes, "made;lost EIO;");
    close(other);
}

UVA_NET_TEST(read_close)
{
    /* test_unix_events.py, UnixReadPipeTransportTests.test_close
     * test_unix_events.py,
     * UnixReadPipeTransportTests.test_close_already_closing
     * test_unix_events.py, UnixReadPipeTransportTests.test__close */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    uva_transport_close(transport);
    uva_transport_close(transport);
    ck_assert(uva_transport_is_closing(transport));
    ck_assert_str_eq(notes.text, "made;");
    noting_ends(transport, &notes, "made;lost OK;");
    close(other);
}

UVA_NET_TEST(read_end_writes_nothing)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(false, &notes, &other);

    ck_assert_int_eq(uva_transport_write(transport, "a", 1), UV_ENOTSUP);
    ck_assert_int_eq(uva_transport_write_eof(transport), UV_ENOTSUP);
    ck_assert(!uva_transport_can_write_eof(transport));
    uva_transport_close(transport);
    ck_assert_int_eq(uva_transport_write(transport, "a", 1), UV_ENOTSUP);
    noting_ends(transport, &notes, "made;lost OK;");
    close(other);
}

/* --- writing --- */

UVA_NET_TEST(write_and_close)
{
    /* test_unix_events.py, UnixWritePipeTransportTests.test_ctor
     * test_unix_events.py, UnixWritePipeTransportTests.test_can_write_eof
     * test_unix_events.py, UnixWritePipeTransportTests.test_write
     * test_unix_events.py, UnixWritePipeTransportTests.test_write_no_data
     * test_unix_events.py, UnixWritePipeTransportTests.test_close
     * test_unix_events.py, UnixWritePipeTransportTests.test_close_closing
     * test_unix_events.py,
     * UnixWritePipeTransportTests.test__call_connection_lost
     * test_events.py, EventLoopTestsMixin.test_write_pipe */
    notes_t notes = {0};
    char byte;
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    ck_assert(uva_transport_can_write_eof(transport));
    ck_assert(!uva_transport_is_reading(transport));
    uva_transport_pause_reading(transport); /* Nothing. */
    ck_assert_int_eq(uva_transport_write(transport, "", 0), 0);
    ck_assert_int_eq(uva_transport_write(transport, "hello", 5), 0);
    uva_transport_close(transport);
    uva_transport_close(transport);
    read_all(other, "hello");
    ck_assert_int_eq(read(other, &byte, 1), 0);
    noting_ends(transport, &notes, "made;lost OK;");
    close(other);
}

UVA_NET_TEST(write_partly)
{
    /* test_unix_events.py, UnixWritePipeTransportTests.test_write_partial
     * test_unix_events.py, UnixWritePipeTransportTests.test_write_buffer
     * test_unix_events.py, UnixWritePipeTransportTests.test_write_again
     * test_unix_events.py, UnixWritePipeTransportTests.test__write_ready
     * test_unix_events.py,
     * UnixWritePipeTransportTests.test__write_ready_partial
     * test_unix_events.py, UnixWritePipeTransportTests.test__write_ready_again
     * test_unix_events.py,
     * UnixWritePipeTransportTests.test__write_ready_closing */
    notes_t notes = {0};
    char got[4] = "";
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);
    size_t size;

    fault.write_short = true;
    ck_assert_int_eq(uva_transport_write(transport, "part", 4), 0);
    UVA_TEST_UNTIL(uva_transport_get_write_buffer_size(transport) == 0);
    read_all(other, "part");
    fault.write_error = EAGAIN;
    ck_assert_int_eq(uva_transport_write(transport, "later", 5), 0);
    UVA_TEST_UNTIL(uva_transport_get_write_buffer_size(transport) == 0);
    read_all(other, "later");
    fault.write_error = EINTR;
    ck_assert_int_eq(uva_transport_write(transport, "again", 5), 0);
    ck_assert_uint_eq(uva_transport_get_write_buffer_size(transport), 0);
    read_all(other, "again");
    ck_assert_int_eq(
        uva_transport_set_write_buffer_limits(transport, 1000, 100), 0);
    size = fill(transport);
    ck_assert_str_eq(notes.text, "made;pause;");
    uva_transport_close(transport);
    ck_assert_int_eq(notes.ended, 0);
    drain(other, size);
    noting_ends(transport, &notes, "made;pause;resume;lost OK;");
    ck_assert_int_eq(read(other, got, 1), 0);
    close(other);
}

UVA_NET_TEST(write_eof_waits)
{
    /* test_unix_events.py, UnixWritePipeTransportTests.test_write_eof
     * test_unix_events.py, UnixWritePipeTransportTests.test_write_eof_pending
     * test_unix_events.py, UnixWritePipeTransportTests.test_write_close */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);
    size_t size = fill(transport);

    ck_assert_int_eq(uva_transport_write_eof(transport), 0);
    ck_assert(uva_transport_is_closing(transport));
    ck_assert_int_eq(uva_transport_write(transport, "dropped", 7), 0);
    drain(other, size);
    noting_ends(transport, &notes, "made;lost OK;");
    ck_assert_int_eq(read(other, &size, 1), 0);
    close(other);
}

UVA_NET_TEST(write_abort)
{
    /* test_unix_events.py, UnixWritePipeTransportTests.test_abort */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    (void)fill(transport);
    uva_transport_abort(transport);
    ck_assert_uint_eq(uva_transport_get_write_buffer_size(transport), 0);
    noting_ends(transport, &notes, "made;lost OK;");
    close(other);
}

UVA_NET_TEST(write_fails)
{
    /* test_unix_events.py, UnixWritePipeTransportTests.test_write_err
     * test_unix_events.py, UnixWritePipeTransportTests.test__write_ready_err
     * test_unix_events.py,
     * UnixWritePipeTransportTests.test__call_connection_lost_with_err */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    fault.write_error = EIO;
    ck_assert_int_eq(uva_transport_write(transport, "a", 1), 0);
    noting_ends(transport, &notes, "made;lost EIO;");
    close(other);
}

/* --- the reader leaves --- */

UVA_NET_TEST(reader_leaves)
{
    /* test_unix_events.py, UnixWritePipeTransportTests.test__read_ready
     * test_events.py, EventLoopTestsMixin.test_write_pipe_disconnect_on_close
     */
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    close(other);
    noting_ends(transport, &notes, "made;lost OK;");
}

UVA_NET_TEST(reader_leaves_unsent_bytes)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    count_sigpipes();
    (void)fill(transport);
    close(other);
    noting_ends(transport, &notes, "made;lost EPIPE;");
    ck_assert_int_eq(sigpipes, 0);
}

/* A write to a pipe without a reader, of a transport that has not heard. */
static void write_to_nobody(void)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    close(other);
    ck_assert_int_eq(uva_transport_write(transport, "a", 1), 0);
    noting_ends(transport, &notes, "made;lost EPIPE;");
}

UVA_NET_TEST(no_sigpipe)
{
    count_sigpipes();
    write_to_nobody();
    ck_assert_int_eq(sigpipes, 0);
}

UVA_NET_TEST(no_sigpipe_without_rwf_nosignal)
{
    sigset_t blocked;
    sigset_t pending;

    count_sigpipes();
    fault.no_nosignal = true;
    write_to_nobody();
    ck_assert_int_eq(sigpipes, 0);
    /* One that was pending before is left. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGPIPE);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &blocked, NULL), 0);
    write_to_nobody();
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert_int_eq(sigismember(&pending, SIGPIPE), 0);
    ck_assert_int_eq(raise(SIGPIPE), 0);
    write_to_nobody();
    ck_assert_int_eq(sigpipes, 0);
    ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL), 0);
    ck_assert_int_eq(sigpipes, 1);
}

UVA_NET_TEST(no_sigpipe_by_a_short_write)
{
    notes_t notes = {0};
    char got[3] = "";
    int other;
    uva_transport_t *transport = link_pipe(true, &notes, &other);

    count_sigpipes();
    fault.no_nosignal = true;
    fault.write_short = true;
    fault.raises = true;
    ck_assert_int_eq(uva_transport_write(transport, "ab", 2), 0);
    UVA_TEST_UNTIL(uva_transport_get_write_buffer_size(transport) == 0);
    ck_assert(!fault.write_short);
    ck_assert_int_eq(read(other, got, 2), 2);
    ck_assert_str_eq(got, "ab");
    ck_assert_int_eq(sigpipes, 0);
    close(other);
    noting_ends(transport, &notes, "made;lost OK;");
}

/* --- other kinds --- */

UVA_NET_TEST(fifo)
{
    notes_t notes = {0};
    char folder[] = "/tmp/uva-pipes-XXXXXX";
    char path[64];
    uva_transport_t *transport;
    int reader;
    int writer;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(open_end(false, reader, &notes, &transport), 0);
    write_all(writer, "fifo");
    UVA_TEST_UNTIL(heard(&notes, "fifo"));
    close(writer);
    noting_ends(transport, &notes, "made;data fifo;eof;lost OK;");
    unlink(path);
    rmdir(folder);
}

UVA_NET_TEST(socket_in_one_direction)
{
    /* test_events.py,
     * EventLoopTestsMixin.test_write_pipe_disconnect_on_close */
    notes_t reads = {0};
    notes_t writes = {0};
    uva_transport_t *reader;
    uva_transport_t *writer;
    int fds[2];

    count_sigpipes();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_assert_int_eq(open_end(false, fds[0], &reads, &reader), 0);
    ck_assert_int_eq(open_end(true, fds[1], &writes, &writer), 0);
    ck_assert_int_eq(uva_transport_medium(reader), UVA_MEDIUM_UNIX);
    ck_assert_int_eq(uva_transport_write(writer, "one way", 7), 0);
    UVA_TEST_UNTIL(heard(&reads, "one way"));
    uva_transport_close(reader);
    noting_ends(reader, &reads, "made;data one way;lost OK;");
    noting_ends(writer, &writes, "made;lost OK;");
    ck_assert_int_eq(sigpipes, 0);
}

/* A pair of terminals in raw mode, both blocking. */
static void open_pty(int *ret_master, int *ret_slave)
{
    struct termios mode;

    *ret_master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(*ret_master, 0);
    ck_assert_int_eq(grantpt(*ret_master), 0);
    ck_assert_int_eq(unlockpt(*ret_master), 0);
    *ret_slave = open(ptsname(*ret_master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(*ret_slave, 0);
    ck_assert_int_eq(tcgetattr(*ret_slave, &mode), 0);
    cfmakeraw(&mode);
    ck_assert_int_eq(tcsetattr(*ret_slave, TCSANOW, &mode), 0);
}

static bool blocks(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

UVA_NET_TEST(terminal)
{
    /* test_events.py, EventLoopTestsMixin.test_bidirectional_pty */
    notes_t reads = {0};
    notes_t writes = {0};
    uva_transport_t *reader;
    uva_transport_t *writer;
    int master;
    int slave;

    open_pty(&master, &slave);
    ck_assert_int_eq(open_end(false, dup(slave), &reads, &reader), 0);
    ck_assert_int_eq(open_end(true, dup(slave), &writes, &writer), 0);
    ck_assert_int_eq(uva_transport_medium(reader), UVA_MEDIUM_TTY);
    ck_assert(blocks(slave)); /* Others share it. */
    write_all(master, "typed");
    UVA_TEST_UNTIL(heard(&reads, "typed"));
    ck_assert_int_eq(uva_transport_write(writer, "shown", 5), 0);
    ck_assert_uint_eq(uva_transport_get_write_buffer_size(writer), 0);
    read_all(master, "shown");
    uva_transport_close(writer);
    uva_transport_close(reader);
    noting_ends(writer, &writes, "made;lost OK;");
    noting_ends(reader, &reads, "made;data typed;lost OK;");
    ck_assert(blocks(slave));
    close(master);
    close(slave);
}

UVA_NET_TEST(master_of_a_terminal)
{
    /* test_events.py, EventLoopTestsMixin.test_read_pty_output
     * test_events.py, EventLoopTestsMixin.test_write_pty
     * It cannot be opened anew; its flags come back. */
    notes_t notes = {0};
    uva_transport_t *reader;
    int master;
    int shared;
    int slave;

    open_pty(&master, &slave);
    shared = dup(master);
    ck_assert_int_eq(open_end(false, master, &notes, &reader), 0);
    ck_assert(!blocks(shared));
    write_all(slave, "shown");
    UVA_TEST_UNTIL(heard(&notes, "shown"));
    close(slave);
    noting_ends(reader, &notes, "made;data shown;lost EIO;");
    ck_assert(blocks(shared));
    close(shared);
}

/* --- refusals --- */

/* What is refused before anything was made, and closed. */
static void refused(bool writes, int fd, int code)
{
    notes_t notes = {0};
    uva_transport_t *transport;

    ck_assert_int_eq(open_end(writes, fd, &notes, &transport), code);
    ck_assert_int_eq(notes.made, 0);
    ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}

UVA_NET_TEST(refusals)
{
    char path[] = "/tmp/uva-pipes-XXXXXX";
    uint16_t port = 0;
    int fds[2];
    int file = mkstemp(path);

    unlink(path);
    refused(true, dup(file), UV_EINVAL);
    refused(false, file, UV_EINVAL);
    refused(false, open("/tmp", O_RDONLY | O_CLOEXEC), UV_EINVAL);
    refused(false, uva_test_listen(UVA_FAMILY_IPV4, 1, &port), UV_EINVAL);
    refused(true, open("/dev/null", O_WRONLY | O_CLOEXEC), UV_EPERM);
    refused(true, -1, UV_EBADF);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    refused(true, fds[0], UV_EINVAL);
    refused(false, fds[1], UV_EINVAL);
}

UVA_NET_TEST(cancelled)
{
    notes_t notes = {0};
    uva_transport_t *transport;
    int fds[2];
    connect_end_task_t *task;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    task =
        KIND_SPAWN(connect_end, false, &noting_ops, &notes, fds[0], &transport);
    UVA_TICK();
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    for (int i = 0; i < 20; i++) {
        UVA_TICK();
    }
    ck_assert_int_eq(notes.made, notes.ended);
    ck_assert_int_lt(fcntl(fds[0], F_GETFD), 0);
    close(fds[1]);
}

static int try_end(bool writes)
{
    notes_t notes = {0};
    size_t bytes = uva_allocated_bytes();
    uva_transport_t *transport;
    int fds[2];
    int r;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    r = writes ? uva_connect_write_pipe(&noting_ops, &notes, fds[1], &transport)
               : uva_connect_read_pipe(&noting_ops, &notes, fds[0], &transport);
    close(fds[!writes]);
    if (r >= 0) {
        uva_transport_abort(transport);
        uva_transport_unref(transport);
    }
    /* Several polls, and as many as libuv needs to be done with the handle. */
    for (int i = 0;
         i < 200 || (i < 100000 && uva_allocated_bytes() > bytes && r < 0);
         i++) {
        UVA_TICK();
    }
    ck_assert_int_lt(fcntl(fds[writes], F_GETFD), 0);
    ck_assert_int_eq(notes.made, notes.ended);
    return r;
}

UVA_NET_TEST(oom)
{
    ck_assert_int_eq(try_end(true), 0); /* What the loop keeps. */
    UVA_OOM_TEST(try_end(true));
    UVA_OOM_TEST(try_end(false));
}

int main(void)
{
    Suite *suite = suite_create("pipes");
    TCase *reading = UVA_TCASE(suite, "Reading");
    TCase *writing = UVA_TCASE(suite, "Writing");
    TCase *leaving = UVA_TCASE(suite, "Leaving");
    TCase *others = UVA_TCASE(suite, "Others");

    KIND_ADD_TESTS(reading, read_until_eof, eof_ends_whatever_is_returned,
                   read_pause, read_again, read_fails, read_close,
                   read_end_writes_nothing);
    KIND_ADD_TESTS(writing, write_and_close, write_partly, write_eof_waits,
                   write_abort, write_fails);
    KIND_ADD_TESTS(leaving, reader_leaves, reader_leaves_unsent_bytes,
                   no_sigpipe, no_sigpipe_without_rwf_nosignal,
                   no_sigpipe_by_a_short_write);
    KIND_ADD_TESTS(others, fifo, socket_in_one_direction, terminal,
                   master_of_a_terminal, refusals, cancelled);
    UVA_ADD_TESTS(others, oom);
    return uva_test_main(suite);
}
