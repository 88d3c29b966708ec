/*
 * Stream sockets: the system calls that open, read and write them (what
 * Python's socket module does for asyncio).
 *
 * Invariant: where the system has SOCK_CLOEXEC, a descriptor is closed on exec
 * from its first moment: another thread may fork at any time. No call raises
 * SIGPIPE, no descriptor blocks, and none leaks on failure.
 */
#include "io/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#if defined(__linux__)
#    include <sys/sendfile.h>
#endif
#include <unistd.h>

#include <uv.h>

#include "io/sigpipe.h"

/* --- opening --- */

#if !defined(SOCK_NONBLOCK) || !defined(SOCK_CLOEXEC)

/* Make a descriptor non-blocking and closed on exec; on failure it is closed.
 */
static int socket_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        int r = uv_translate_sys_error(errno); /* Before close sets errno. */
        close(fd);
        return r;
    }
    return fd;
}

int uva__socket_open(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);

    return fd < 0 ? uv_translate_sys_error(errno) : socket_flags(fd);
}

int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer)
{
    int fd;

    do {
        ret_peer->size = UVA__SOCKADDR_MOST;
        fd = accept(listener, &ret_peer->any, &ret_peer->size);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? uv_translate_sys_error(errno) : socket_flags(fd);
}

#else

/* One system call opens the socket and sets both flags. */
int uva__socket_open(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer)
{
    int fd;

    do {
        ret_peer->size = UVA__SOCKADDR_MOST; /* The call overwrites it. */
        fd = accept4(listener, &ret_peer->any, &ret_peer->size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

#endif

/* asyncio: base_events.py, _set_nodelay: short writes leave without waiting for
 * the peer's acknowledgement. A socket that refuses an option still works. */
bool uva__socket_prepare(int fd)
{
    int on = 1;
    /* No other socket has this option. */
    int r = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

#if defined(SO_NOSIGPIPE) /* macOS, which has no MSG_NOSIGNAL. */
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return r == 0;
}

/* --- connecting --- */

/* Bind a socket to the first local address of its family that the system takes.
 * asyncio: base_events.py, _connect_sock. */
static int socket_bind_local(int fd, int family, const uva__addresses_t *locals)
{
    int r = UV_EADDRNOTAVAIL;

    for (size_t i = 0; i < locals->count; i++) {
        const uva__sockaddr_t *local = &locals->items[i];
        if (local->any.sa_family != family) {
            continue; /* It is for the attempts of the other family. */
        }
        if (bind(fd, &local->any, local->size) == 0) {
            return 0;
        }
        r = uv_translate_sys_error(errno);
    }
    return locals->count == 0 ? 0 : r;
}

int uva__socket_connect(const uva__sockaddr_t *address,
                        const uva__addresses_t *locals)
{
    int family = address->any.sa_family;
    int fd = uva__socket_open(family);
    int r = fd < 0 ? fd : socket_bind_local(fd, family, locals);

    if (r >= 0) {
        do {
            r = connect(fd, &address->any, address->size);
        } while (r < 0 && errno == EINTR);
        r = r == 0 || errno == EINPROGRESS ? 0 : uv_translate_sys_error(errno);
    }
    if (r < 0 && fd >= 0) {
        close(fd);
    }
    return r < 0 ? r : fd;
}

int uva__socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) {
        error = errno;
    }
    return error == 0 ? 0 : uv_translate_sys_error(error);
}

/* --- descriptors of users --- */

/* asyncio: base_events.py, create_connection and create_server: a socket that
 * is given must be of SOCK_STREAM. asyncio finds out the rest when the socket
 * is first used; here a user's mistake is told before anything is made. */
static int socket_check(int fd, bool listener, const char **ret_wrong)
{
    uva__sockaddr_t peer;
    socklen_t size = sizeof(int);
    int type;
    int listens = 0;
    int r;

    *ret_wrong = NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        return uv_translate_sys_error(errno); /* UV_EBADF, UV_ENOTSOCK. */
    }
    if (type != SOCK_STREAM) {
        *ret_wrong = "is no stream socket";
        return UV_EINVAL;
    }
    (void)getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    if (listens != 0) {
        *ret_wrong = listener ? NULL : "listens";
        return listener ? 0 : UV_EINVAL;
    }
    r = uva__sockaddr_of_peer(fd, &peer);
    if (listener && r >= 0) {
        *ret_wrong = "is connected";
        return UV_EINVAL;
    }
    return listener ? 0 : r;
}

int uva__socket_adopt(int fd, bool listener)
{
    const char *wrong;
    int r = socket_check(fd, listener, &wrong);
    int flags;

    if (r < 0) {
        return wrong != NULL
                   ? uva_fail(r, "the descriptor %d %s", fd, wrong)
                   : uva_fail(r, "the descriptor %d cannot be used: %s", fd,
                              uva_strerror(r));
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return uva__bare(uv_translate_sys_error(errno));
    }
    return 0;
}

int uva__socket_peercred(int fd, uva_peercred_t *ret_peer)
{
#if defined(SO_PEERCRED) && defined(__linux__)
    struct {
        pid_t pid;
        uid_t uid;
        gid_t gid;
    } peer; /* struct ucred, which C11 without extensions hides. */
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return uv_translate_sys_error(errno);
    }
    *ret_peer = (uva_peercred_t){peer.pid, peer.uid, peer.gid};
    return 0;
#else
    (void)fd;
    (void)ret_peer;
    return UV_ENOTSUP;
#endif
}

/* --- bytes --- */

/* The code of a failed call. EAGAIN and EWOULDBLOCK may differ by number; both
 * mean that the socket is not ready, and become one code. */
static int socket_code(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK
               ? UV_EAGAIN
               : uv_translate_sys_error(error);
}

/* EINTR: the handler of a signal ran; nothing was read. */
ssize_t uva__socket_read_failed(int fd, void *data, size_t size)
{
    return errno == EINTR ? uva__socket_read(fd, data, size)
                          : socket_code(errno);
}

/* EINTR: likewise, nothing was sent; a part would be a success. */
ssize_t uva__socket_send_failed(int fd, struct iovec *pieces, size_t count)
{
    return errno == EINTR ? uva__socket_send(fd, pieces, count)
                          : socket_code(errno);
}

ssize_t uva__socket_sendmsg(int fd, struct iovec *pieces, size_t count)
{
    struct msghdr message;

    memset(&message, 0, sizeof message); /* No address, no control data. */
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* --- descriptors that go along --- */

/* Beside the descriptors there may be what a user has asked for by an option of
 * the socket: the sender's credentials. */
typedef union control_u {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(UVA_FDS_MOST * sizeof(int)) + CMSG_SPACE(64)];
} control_t;

void uva__close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
}

ssize_t uva__socket_send_fds(
    int fd, struct iovec *pieces, size_t count, const int *fds, size_t fd_count)
{
    struct msghdr message;
    struct cmsghdr *head;
    control_t control;
    ssize_t sent;

    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control); /* Its gaps too. */
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
    head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
    memcpy(CMSG_DATA(head), fds, fd_count * sizeof *fds);
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : socket_code(errno);
}

/* Take the descriptors out of a message. @return How many. */
static size_t message_fds(struct msghdr *message, int *fds)
{
    size_t count = 0;

    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
         head = CMSG_NXTHDR(message, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            size_t bytes = head->cmsg_len - CMSG_LEN(0);
            memcpy(fds + count, CMSG_DATA(head), bytes);
            count += bytes / sizeof *fds;
        }
    }
    for (size_t i = 0; MSG_CMSG_CLOEXEC == 0 && i < count; i++) {
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
    return count;
}

/* MSG_CTRUNC: there is room for as many as the system lets anyone send, so it
 * could not make them descriptors of this process. */
ssize_t uva__socket_read_fds(
    int fd, void *data, size_t size, int *fds, size_t *ret_fd_count)
{
    struct iovec piece = {.iov_base = data, .iov_len = size};
    struct msghdr message;
    control_t control;
    ssize_t count;

    *ret_fd_count = 0;
    memset(&message, 0, sizeof message);
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    do {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return socket_code(errno);
    }
    *ret_fd_count = message_fds(&message, fds);
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        uva__close_all(fds, *ret_fd_count);
        *ret_fd_count = 0;
        return UV_EMFILE;
    }
    return count;
}

/* --- files --- */

#if UVA__SOCKET_SENDS_FILES

/* A peer that has closed raises SIGPIPE, as sendfile knows no MSG_NOSIGNAL;
 * also when a part was sent before. */
ssize_t uva__socket_sendfile(int fd, int file, uint64_t offset, size_t size)
{
    uva__sigpipe_t sigpipe;
    off_t at = (off_t)offset;
    ssize_t sent;

    uva__sigpipe_block(&sigpipe);
    do {
        sent = sendfile(fd, file, &at, size);
    } while (sent < 0 && errno == EINTR);
    uva__sigpipe_unblock(&sigpipe, sent >= 0 || errno == EPIPE);
    return sent >= 0 ? sent : socket_code(errno);
}

#endif
