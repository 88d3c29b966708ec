/*
 * Descriptors that go along with bytes over unix sockets: sent, received,
 * taken, dropped, refused. The calls sendmsg and recvmsg are replaced by ones
 * of ours, which fail when a test wants it.
 */
#include "kinds.h"
#include "noting.h"
#include "real.h"
#include "test_filters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "uva/connections.h"

/* --- the system --- */

/* Instead of an error: as much as a byte is sent; or some descriptors got lost.
 */
#define SHORT     (-1)
#define TRUNCATED (-2)

typedef struct fault_s {
    int error; /* 0: none. */
    int nth;   /* From 1 on. */
    int seen;
} fault_t;

static fault_t send_fault;
static fault_t receive_fault;

static bool fault_hits(fault_t *fault)
{
    if (fault->error == 0 || ++fault->seen != fault->nth) {
        return false;
    }
    errno = fault->error;
    return true;
}

UVA_EXTERN ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);

    if (next == NULL) {
        real("sendmsg", &next);
    }
    if (message->msg_controllen > 0 && fault_hits(&send_fault)) {
        struct iovec piece = {message->msg_iov->iov_base, 1};
        struct msghdr less = *message;
        less.msg_iov = &piece;
        less.msg_iovlen = 1;
        return send_fault.error == SHORT ? next(fd, &less, flags) : -1;
    }
    return next(fd, message, flags);
}

UVA_EXTERN ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, struct msghdr *, int);

    if (next == NULL) {
        real("recvmsg", &next);
    }
    if (fault_hits(&receive_fault)) {
        ssize_t count;
        if (receive_fault.error != TRUNCATED) {
            return -1;
        }
        count = next(fd, message, flags);
        message->msg_flags |= MSG_CTRUNC;
        return count;
    }
    return next(fd, message, flags);
}

/* --- both ends --- */

/* A transport that receives descriptors, if most is above 0, and the other end
 * of its socket. */
static uva_transport_t *link_fds(notes_t *notes, size_t most, int *ret_other)
{
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_transport_t *transport;
    int fds[2];

    options.receive_fds = most;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(uva_create_connection_fd(&noting_ops, notes, fds[0],
                                              &options, &transport),
                     0);
    *ret_other = fds[1];
    return transport;
}

static void end_link(uva_transport_t *take_transport, notes_t *notes, int other)
{
    uva_transport_abort(take_transport);
    UVA_TEST_UNTIL(notes->ended > 0);
    uva_transport_unref(take_transport);
    close(other);
}

#define MANY 32

/* Send a text by a plain socket, with count descriptors. */
static void plain_send(int fd, const char *text, const int *fds, size_t count)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(MANY * sizeof(int))];
    } control;
    struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    memset(&control, 0, sizeof control);
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
    }
    ck_assert_int_eq(sendmsg(fd, &message, 0), (ssize_t)strlen(text));
}

/* Receive at most size bytes by a plain socket. @return As recvmsg; *ret_fd:
 * the descriptor that came, or -1. */
static ssize_t plain_receive(int fd, void *data, size_t size, int *ret_fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {data, size};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t count = recvmsg(fd, &message, 0);

    *ret_fd = -1;
    if (count > 0 && CMSG_FIRSTHDR(&message) != NULL) {
        memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof *ret_fd);
    }
    return count;
}

/* Whether two descriptors are of one file. */
static bool same_file(int one, int other)
{
    struct stat infos[2];

    ck_assert_int_eq(fstat(one, &infos[0]), 0);
    ck_assert_int_eq(fstat(other, &infos[1]), 0);
    return infos[0].st_ino == infos[1].st_ino &&
           infos[0].st_dev == infos[1].st_dev;
}

/* Files of their own. */
static void open_files(int *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char path[] = "/tmp/uva-XXXXXX";
        files[i] = mkstemp(path);
        ck_assert_int_ge(files[i], 0);
        unlink(path);
    }
}

static void close_files(const int *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(close(files[i]), 0);
    }
}

/* Whether these bytes have come, in whatever portions. */
static bool received(const notes_t *notes, const char *text)
{
    const char *at = notes->text;

    while ((at = strstr(at, "data ")) != NULL) {
        for (at += strlen("data "); *at != ';'; at++, text++) {
            if (*at != *text) {
                return false;
            }
        }
    }
    return *text == '\0';
}

/* Expect exactly these files, in order, and close what came. */
static void
take_files(uva_transport_t *transport, const int *files, size_t count)
{
    int taken[MANY];

    ck_assert_uint_eq(uva_transport_take_fds(transport, taken, MANY), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert(same_file(taken[i], files[i]));
        ck_assert_int_eq(fcntl(taken[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    }
    close_files(taken, count);
}

/* --- sending and receiving --- */

UVA_NET_TEST(sent_and_taken)
{
    notes_t notes[2] = {{.made = 0}, {.made = 0}};
    uva_transport_t *transports[2];
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    int fds[2];
    int files[4];
    int two[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    options.receive_fds = MANY;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_create_connection_fd(&noting_ops, &notes[i],
                                                  fds[i], &options,
                                                  &transports[i]),
                         0);
        ck_assert((uva_transport_can(transports[i]) & UVA_CAN_PASS_FDS) != 0);
        ck_assert_int_eq(uva_transport_medium(transports[i]), UVA_MEDIUM_UNIX);
    }
    open_files(files, 4);
    ck_assert_int_eq(uva_transport_write(transports[0], "a", 1), 0);
    ck_assert_int_eq(uva_transport_send_fds(transports[0], "b", 1, files, 3),
                     0);
    ck_assert_int_eq(
        uva_transport_send_fds(transports[0], "cd", 2, files + 3, 1), 0);
    ck_assert_int_eq(uva_transport_write(transports[0], "e", 1), 0);
    UVA_TEST_UNTIL(received(&notes[1], "abcde"));
    ck_assert_uint_eq(uva_transport_take_fds(transports[1], two, 0), 0);
    ck_assert_uint_eq(uva_transport_take_fds(transports[1], two, 2), 2);
    ck_assert(same_file(two[0], files[0]) && same_file(two[1], files[1]));
    close_files(two, 2);
    take_files(transports[1], files + 2, 2);
    take_files(transports[1], files, 0);
    /* The other way too. */
    ck_assert_int_eq(uva_transport_send_fds(transports[1], "x", 1, files, 1),
                     0);
    UVA_TEST_UNTIL(heard(&notes[0], "data x"));
    take_files(transports[0], files, 1);
    close_files(files, 4);
    uva_transport_close(transports[0]);
    UVA_TEST_UNTIL(notes[0].ended > 0 && notes[1].ended > 0);
    uva_transport_unref(transports[0]);
    uva_transport_unref(transports[1]);
}

#define STEPS 60

/* Each descriptor comes beside its own byte, also behind a full socket. The
 * originals are closed at once. */
UVA_NET_TEST(in_order_behind_a_full_socket)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    char *much = calloc(1, 1000000);
    int files[STEPS];
    int seen = 0;
    size_t plain = 0;

    memset(much, '.', 1000000);
    ck_assert_int_eq(uva_transport_write(transport, much, 1000000), 0);
    open_files(files, STEPS);
    for (int i = 0; i < STEPS; i++) {
        int copy = dup(files[i]);
        ck_assert_int_eq(uva_transport_send_fds(transport, "F", 1, &copy, 1),
                         0);
        close(copy);
        ck_assert_int_eq(
            uva_transport_write(transport, much, (size_t)i % 3 * 1500), 0);
    }
    ck_assert_int_eq(uva_transport_send_fds(transport, "Fend", 4, files, 1), 0);
    free(much);
    while (seen <= STEPS) {
        char byte;
        int fd;
        /* Quickly over what was there before. */
        char bulk[65536];
        ssize_t count = plain < 900000 ? plain_receive(other, bulk, 65536, &fd)
                                       : plain_receive(other, &byte, 1, &fd);
        if (count < 0) {
            ck_assert_int_eq(errno, EAGAIN);
            UVA_TICK();
            continue;
        }
        plain += (size_t)count;
        if (plain > 1000000 && byte == 'F') {
            ck_assert_int_ge(fd, 0);
            ck_assert(same_file(fd, files[seen % STEPS]));
            seen++;
        } else {
            ck_assert_int_eq(fd, -1);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    uva_test_expect(other, "end");
    close_files(files, STEPS);
    end_link(transport, &notes, other);
}

/* Short writes that a task has collected leave before. */
UVA_NET_TEST(behind_collected_bytes)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    char byte;
    int file;
    int fd;

    open_files(&file, 1);
    ck_assert_int_eq(uva_transport_write(transport, "a", 1), 0);
    ck_assert_int_eq(uva_transport_send_fds(transport, "b", 1, &file, 1), 0);
    ck_assert_int_eq(plain_receive(other, &byte, 1, &fd), 1);
    ck_assert_int_eq(byte, 'a');
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(plain_receive(other, &byte, 1, &fd), 1);
    ck_assert_int_eq(byte, 'b');
    ck_assert(same_file(fd, file));
    close(fd);
    close(file);
    end_link(transport, &notes, other);
}

/* A peer cannot smuggle in what nobody has asked for: the system closes it. */
UVA_NET_TEST(not_received)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    size_t before = uva_test_descriptors();
    int pipes[2];
    char byte;

    ck_assert_int_eq(pipe(pipes), 0);
    plain_send(other, "take it", &pipes[1], 1);
    close(pipes[1]);
    UVA_TEST_UNTIL(heard(&notes, "data take it"));
    ck_assert_uint_eq(uva_test_descriptors(), before + 1);
    ck_assert_int_eq(read(pipes[0], &byte, 1), 0); /* No writer is left. */
    take_files(transport, NULL, 0);
    close(pipes[0]);
    end_link(transport, &notes, other);
}

static int receive_result;

static int receives(noting_t *self)
{
    receive_result = uva_transport_receive_fds(self->base.transport, 0);
    return 0;
}

UVA_NET_TEST(received_from_connection_made)
{
    notes_t notes = {.on_made = receives};
    int other;
    int file;
    uva_transport_t *transport = link_fds(&notes, 0, &other);

    ck_assert_int_eq(receive_result, 0);
    open_files(&file, 1);
    plain_send(other, "x", &file, 1);
    UVA_TEST_UNTIL(heard(&notes, "data x"));
    take_files(transport, &file, 1);
    close(file);
    end_link(transport, &notes, other);
}

/* What was not taken is there after the end, and goes with the transport. */
UVA_NET_TEST(taken_after_the_end)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, MANY, &other);
    int files[2];
    int taken;

    open_files(files, 2);
    plain_send(other, "x", files, 2);
    close(other);
    UVA_TEST_UNTIL(notes.ended > 0);
    ck_assert_str_eq(notes.text, "made;data x;eof;lost OK;");
    ck_assert_uint_eq(uva_transport_take_fds(transport, &taken, 1), 1);
    ck_assert(same_file(taken, files[0]));
    close(taken);
    close_files(files, 2);
    uva_transport_unref(transport);
}

/* Pending ones are closed with the connection. */
UVA_NET_TEST(unsent_are_closed)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    char *much = calloc(1, 1000000);
    size_t before;
    int file;

    open_files(&file, 1);
    before = uva_test_descriptors();
    ck_assert_int_eq(uva_transport_write(transport, much, 1000000), 0);
    free(much);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(uva_transport_send_fds(transport, "x", 1, &file, 1),
                         0);
    }
    ck_assert_uint_eq(uva_test_descriptors(), before + 10);
    close(file);
    end_link(transport, &notes, other);
}

/* More than may wait. The bytes do not come without their descriptors. */
UVA_NET_TEST(more_than_may_wait)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 3, &other);
    int files[4];

    open_files(files, 4);
    plain_send(other, "a", files, 2);
    UVA_TEST_UNTIL(heard(&notes, "data a"));
    plain_send(other, "b", files + 2, 2);
    UVA_TEST_UNTIL(notes.ended > 0);
    ck_assert_str_eq(notes.text, "made;data a;lost ENOBUFS;");
    take_files(transport, files, 2);
    close_files(files, 4);
    uva_transport_unref(transport);
    close(other);
}

/* The process cannot have more: the system drops some, and says so. */
UVA_NET_TEST(too_many_for_the_process)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, MANY, &other);
    struct rlimit limit;
    struct rlimit less;
    int files[8];
    int next;

    if (uva_test_on_valgrind()) { /* It has a limit of its own. */
        end_link(transport, &notes, other);
        return;
    }
    open_files(files, 8);
    next = dup(files[0]);
    plain_send(other, "a", files, 8);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    less = limit;
    less.rlim_cur = (rlim_t)next + 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &less), 0);
    close(next);
    UVA_TEST_UNTIL(notes.ended > 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_str_eq(notes.text, "made;lost EMFILE;");
    take_files(transport, NULL, 0);
    close_files(files, 8);
    uva_transport_unref(transport);
    close(other);
}

/* --- streams, servers --- */

typedef struct served_s {
    int file;
    bool done;
} served_t;

UVA_TASK(void, serve_fds, uva_reader_t *reader; uva_writer_t * writer;
         served_t * served;)
{
    char bytes[4];

    (void)ret;
    ck_assert_int_eq(uva_reader_readexactly(args->reader, bytes, 4, NULL), 4);
    take_files(uva_writer_transport(args->writer), &args->served->file, 1);
    ck_assert_int_eq(
        uva_writer_send_fds(args->writer, "back", 4, &args->served->file, 1),
        0);
    args->served->done = true;
    return 0;
}

/* The client has sent before it was accepted: no descriptor is missed. */
UVA_NET_TEST(server_of_streams)
{
    uva_server_options_t options = UVA_SERVER_OPTIONS_INIT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/uva-XXXXXX";
    char path[48];
    served_t served = {0};
    uva_server_t *server;
    char bytes[4];
    int client;
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    options.receive_fds = MANY;
    ck_assert_int_eq(uva_start_unix_server(serve_fds, path, &options, &server,
                                           .served = &served),
                     0);
    memcpy(address.sun_path, path, strlen(path));
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(
        connect(client, (struct sockaddr *)&address, sizeof address), 0);
    open_files(&served.file, 1);
    plain_send(client, "take", &served.file, 1);
    UVA_TEST_UNTIL(served.done);
    ck_assert_int_eq(plain_receive(client, bytes, 4, &fd), 4);
    ck_assert(same_file(fd, served.file));
    close(fd);
    close(served.file);
    close(client);
    uva_server_close(server);
    ck_assert_int_eq(uva_server_wait_closed(server), 0);
    uva_server_unref(server);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* Bytes that were read ahead go to a protocol in the middle of the stream;
 * descriptors go on in both directions, and files by the system. */
UVA_NET_TEST(in_mid_stream)
{
    notes_t notes = {0};
    noting_t noting = {.base = {.ops = &noting_ops, .arg = &notes}};
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_reader_t *reader;
    uva_writer_t *writer;
    uva_transport_t *transport;
    uva_bytes_t line;
    int fds[2];
    int files[2];
    char byte;
    int fd;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    options.receive_fds = MANY;
    ck_assert_int_eq(uva_open_connection_fd(fds[0], &options, &reader, &writer),
                     0);
    transport = uva_transport_ref(uva_writer_transport(writer));
    open_files(files, 2);
    plain_send(fds[1], "line\nrest", files, 1);
    ck_assert_int_eq(uva_reader_readline_view(reader, &line), 5);
    ck_assert_int_eq(uva_transport_set_protocol(transport, &noting.base), 0);
    plain_send(fds[1], "more", files + 1, 1);
    UVA_TEST_UNTIL(heard(&notes, "data more"));
    take_files(transport, files, 2);
    ck_assert((uva_transport_can(transport) & UVA_CAN_PASS_FDS) != 0);
    ck_assert_int_eq(uva_transport_send_fds(transport, "b", 1, files, 1), 0);
    ck_assert_int_eq(plain_receive(fds[1], &byte, 1, &fd), 1);
    ck_assert(same_file(fd, files[0]));
    close(fd);
    ck_assert_int_eq(write(files[0], "file", 4), 4);
    ck_assert_int_eq(uva_transport_sendfile(transport, files[0], NULL, NULL),
                     0);
    uva_test_expect(fds[1], "file");
    close_files(files, 2);
    close(fds[1]);
    UVA_TEST_UNTIL(notes.ended > 0);
    uva_transport_unref(transport);
    uva_reader_unref(reader);
    uva_writer_unref(writer);
}

/* A filter that is pushed meanwhile encodes what is written behind them. */
UVA_NET_TEST(filter_behind_unsent_ones)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    char *much = calloc(1, 1000000);
    size_t total = 0;
    int file;
    int fd = -1;

    open_files(&file, 1);
    ck_assert_int_eq(uva_transport_write(transport, much, 1000000), 0);
    ck_assert_int_eq(uva_transport_send_fds(transport, "F", 1, &file, 1), 0);
    ck_assert_int_eq(
        uva_transport_push_filter(transport, &uva_test_rot13, false, NULL), 0);
    ck_assert_int_eq(uva_transport_write(transport, "Hello", 5), 0);
    while (total < 1000001) {
        size_t left = 1000001 - total;
        ssize_t count =
            plain_receive(other, much, left < 65536 ? left : 65536, &fd);
        total += count > 0 ? (size_t)count : 0;
        ck_assert(fd < 0 || total == 1000001);
        UVA_TICK();
    }
    free(much);
    ck_assert_int_ge(fd, 0);
    ck_assert(same_file(fd, file));
    close(fd);
    uva_test_expect(other, "Uryyb");
    close(file);
    end_link(transport, &notes, other);
}

/* --- what is refused --- */

UVA_NET_TEST(no_unix_sockets)
{
    const uva_protocol_ops_t *const ops[2] = {&noting_ops, &noting_ops};
    notes_t notes[3] = {{.made = 0}, {.made = 0}, {.made = 0}};
    void *const args[2] = {&notes[1], &notes[2]};
    uva_transport_t *transports[3];
    int other;
    int file = 0;

    transports[0] = noting_link(&noting_ops, &notes[0], &other);
    ck_assert_int_eq(uva_transport_pair(0, ops, args, transports + 1), 0);
    for (int i = 0; i < 3; i++) {
        UVA_TEST_UNTIL(notes[i].made > 0);
        ck_assert_uint_eq(uva_transport_can(transports[i]) & UVA_CAN_PASS_FDS,
                          0);
        ck_assert_int_eq(
            uva_transport_send_fds(transports[i], "x", 1, &file, 1),
            UV_ENOTSUP);
        ck_assert_int_eq(uva_transport_receive_fds(transports[i], 0),
                         UV_ENOTSUP);
    }
    close(other);
    uva_transport_close(transports[1]);
    for (int i = 0; i < 3; i++) {
        UVA_TEST_UNTIL(notes[i].ended > 0);
        uva_transport_unref(transports[i]);
    }
}

UVA_NET_TEST(wrong_calls)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    size_t before = uva_test_descriptors();
    int files[UVA_FDS_MOST + 1] = {0};

    ck_assert_int_eq(uva_transport_send_fds(transport, "", 0, files, 1),
                     UV_EINVAL);
    ck_assert_int_eq(uva_transport_send_fds(transport, "x", 1, files, 0),
                     UV_EINVAL);
    ck_assert_int_eq(
        uva_transport_send_fds(transport, "x", 1, files, UVA_FDS_MOST + 1),
        UV_EINVAL);
    ck_assert_int_eq(uva_transport_send_fds(transport, "x", SIZE_MAX, files, 1),
                     UV_EINVAL);
    files[1] = -1;
    ck_assert_int_eq(uva_transport_send_fds(transport, "x", 1, files, 2),
                     UV_EBADF);
    files[1] = 0;
    ck_assert_uint_eq(uva_test_descriptors(), before);
    ck_assert_int_eq(
        uva_transport_push_filter(transport, &uva_test_rot13, false, NULL), 0);
    ck_assert_int_eq(uva_transport_send_fds(transport, "x", 1, files, 1),
                     UV_ENOTSUP);
    ck_assert_int_eq(uva_transport_receive_fds(transport, 0), UV_ENOTSUP);
    ck_assert_int_eq(uva_transport_pop_filter(transport), 0);
    ck_assert_int_eq(uva_transport_write_eof(transport), 0);
    ck_assert_int_eq(uva_transport_send_fds(transport, "x", 1, files, 1),
                     UV_EPERM);
    uva_transport_abort(transport);
    ck_assert_int_eq(uva_transport_receive_fds(transport, 0), UV_EPERM);
    ck_assert_uint_eq(uva_test_descriptors(), before - 1);
    end_link(transport, &notes, other);
}

/* As a write: dropped without a word. */
UVA_NET_TEST(dropped_when_lost)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    int file = 0;

    uva_transport_abort(transport);
    ck_assert_int_eq(uva_transport_send_fds(transport, "x", 1, &file, 1), 0);
    end_link(transport, &notes, other);
}

/* All that can go beside one byte. */
UVA_NET_TEST(as_many_as_can_be)
{
    notes_t notes[2] = {{.made = 0}, {.made = 0}};
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_transport_t *transports[2];
    int files[UVA_FDS_MOST];
    int taken[UVA_FDS_MOST];
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    options.receive_fds = UVA_FDS_MOST;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_create_connection_fd(&noting_ops, &notes[i],
                                                  fds[i], &options,
                                                  &transports[i]),
                         0);
    }
    memset(files, 0, sizeof files);
    ck_assert_int_eq(
        uva_transport_send_fds(transports[0], "x", 1, files, UVA_FDS_MOST), 0);
    UVA_TEST_UNTIL(heard(&notes[1], "data x"));
    ck_assert_uint_eq(
        uva_transport_take_fds(transports[1], taken, UVA_FDS_MOST),
        UVA_FDS_MOST);
    close_files(taken, UVA_FDS_MOST);
    uva_transport_close(transports[0]);
    UVA_TEST_UNTIL(notes[0].ended > 0 && notes[1].ended > 0);
    uva_transport_unref(transports[0]);
    uva_transport_unref(transports[1]);
}

/* --- a system that refuses --- */

typedef struct row_s {
    int error;
    const char *sends;    /* What the sender hears at its end. */
    const char *receives; /* What the receiver hears. */
} row_t;

static const row_t send_rows[] = {
    {EAGAIN, "made;lost OK;", "made;data x;eof;lost OK;"},
    {EINTR, "made;lost OK;", "made;data x;eof;lost OK;"},
    {ENOBUFS, "made;lost ENOBUFS;", "made;eof;lost OK;"},
    {ECONNRESET, "made;lost ECONNRESET;", "made;eof;lost OK;"},
};

static const row_t receive_rows[] = {
    {EAGAIN, "made;lost OK;", "made;data x;eof;lost OK;"},
    {EINTR, "made;lost OK;", "made;data x;eof;lost OK;"},
    {ECONNRESET, "made;lost OK;", "made;lost ECONNRESET;"},
    {ENOBUFS, "made;lost OK;", "made;lost ENOBUFS;"},
    {TRUNCATED, "made;lost OK;", "made;lost EMFILE;"},
};

static void row_run(const row_t *row, fault_t *fault)
{
    notes_t notes[2] = {{.made = 0}, {.made = 0}};
    uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
    uva_transport_t *transports[2];
    size_t before;
    int fds[2];
    int file;

    open_files(&file, 1);
    before = uva_test_descriptors();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    options.receive_fds = MANY;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(uva_create_connection_fd(&noting_ops, &notes[i],
                                                  fds[i], &options,
                                                  &transports[i]),
                         0);
    }
    *fault = (fault_t){row->error, 1, 0};
    ck_assert_int_eq(uva_transport_send_fds(transports[0], "x", 1, &file, 1),
                     0);
    UVA_TEST_UNTIL(fault->seen > 0);
    UVA_TICK();
    *fault = (fault_t){0};
    uva_transport_close(transports[0]);
    UVA_TEST_UNTIL(notes[0].ended > 0 && notes[1].ended > 0);
    ck_assert_str_eq(notes[1].text, row->receives);
    /* The sender hears of a receiver that is lost, if it is not faster. */
    ck_assert(strcmp(notes[0].text, row->sends) == 0 ||
              (!heard(&notes[1], "data") &&
               (strcmp(notes[0].text, "made;eof;lost OK;") == 0 ||
                strcmp(notes[0].text, "made;lost ECONNRESET;") == 0)));
    take_files(transports[1], &file, heard(&notes[1], "data") ? 1 : 0);
    uva_transport_unref(transports[0]);
    uva_transport_unref(transports[1]);
    ck_assert_uint_eq(uva_test_descriptors(), before);
    close(file);
}

UVA_NET_TEST(calls_fail_in_turn)
{
    for (size_t i = 0; i < sizeof send_rows / sizeof *send_rows; i++) {
        row_run(&send_rows[i], &send_fault);
    }
    for (size_t i = 0; i < sizeof receive_rows / sizeof *receive_rows; i++) {
        row_run(&receive_rows[i], &receive_fault);
    }
}

/* A short send takes the descriptors along with its first byte, once. */
UVA_NET_TEST(short_send)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    char bytes[8];
    int file;
    int fd;

    open_files(&file, 1);
    send_fault = (fault_t){SHORT, 1, 0};
    ck_assert_int_eq(uva_transport_send_fds(transport, "abc", 3, &file, 1), 0);
    send_fault = (fault_t){0};
    ck_assert_int_eq(plain_receive(other, bytes, 8, &fd), 1);
    ck_assert(same_file(fd, file));
    close(fd);
    UVA_TEST_UNTIL(uva_transport_get_write_buffer_size(transport) == 0);
    ck_assert_int_eq(plain_receive(other, bytes, 8, &fd), 2);
    ck_assert_int_eq(fd, -1);
    close(file);
    end_link(transport, &notes, other);
}

UVA_NET_TEST_STRICT(allocations_fail_in_turn)
{
    notes_t notes = {0};
    int other;
    uva_transport_t *transport = link_fds(&notes, 0, &other);
    size_t before;
    char byte;
    int file;
    int fd;

    open_files(&file, 1);
    before = uva_test_descriptors();
    /* The carrier stays once it was made. */
    UVA_OOM_TEST(uva_transport_receive_fds(transport, 0));
    UVA_OOM_TEST(uva_transport_send_fds(transport, "x", 1, &file, 1));
    ck_assert_uint_eq(uva_test_descriptors(), before);
    ck_assert_int_eq(plain_receive(other, &byte, 1, &fd), 1);
    ck_assert(same_file(fd, file));
    close(fd);
    /* No room for what comes. */
    plain_send(other, "x", &file, 1);
    uva_testing_fail_allocation(1, true);
    UVA_TEST_UNTIL(notes.ended > 0);
    uva_testing_fail_allocation(0, false);
    ck_assert_str_eq(notes.text, "made;lost ENOMEM;");
    close(file);
    end_link(transport, &notes, other);
}

/* A socket is taken on failure too. */
UVA_NET_TEST_STRICT(option_without_memory)
{
    int r = UV_ENOMEM;

    for (uint64_t n = 1; r == UV_ENOMEM; n++) {
        uva_connection_options_t options = UVA_CONNECTION_OPTIONS_INIT;
        uva_reader_t *reader;
        uva_writer_t *writer;
        int fds[2];
        options.receive_fds = MANY;
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        uva_testing_fail_allocation(n, false);
        r = uva_open_connection_fd(fds[0], &options, &reader, &writer);
        uva_testing_fail_allocation(0, false);
        close(fds[1]);
        if (r == 0) {
            ck_assert_uint_gt(n, 3);
            uva_writer_close(writer);
            uva_reader_unref(reader);
            uva_writer_unref(writer);
        }
    }
    ck_assert_int_eq(r, 0);
}

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *passes = UVA_SOCKET_TCASE(
        suite, "Passes", "libuv reads the bytes without their descriptors");
    TCase *streams = UVA_SOCKET_TCASE(suite, "Streams", "as Passes");
    TCase *refuses = UVA_TCASE(suite, "Refuses");
    TCase *limits = UVA_SOCKET_TCASE(suite, "Limits", "as Passes");
    TCase *faults = UVA_SOCKET_TCASE(suite, "Faults", "as Passes");

    UVA_ADD_TESTS(passes, sent_and_taken, in_order_behind_a_full_socket,
                  behind_collected_bytes, received_from_connection_made,
                  taken_after_the_end, unsent_are_closed, as_many_as_can_be);
    UVA_ADD_TESTS(streams, server_of_streams, in_mid_stream,
                  filter_behind_unsent_ones);
    UVA_ADD_TESTS(refuses, no_unix_sockets, not_received, dropped_when_lost,
                  option_without_memory);
    UVA_ADD_TESTS(limits, wrong_calls, more_than_may_wait,
                  too_many_for_the_process);
    UVA_ADD_TESTS(faults, calls_fail_in_turn, short_send,
                  allocations_fail_in_turn);
    return uva_test_main(suite);
}
