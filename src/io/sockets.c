/*
 * Stream sockets: the system calls that open, read and write them.
 *
 * Invariant: no descriptor exists for a moment that a child could inherit,
 * where the system can do that. No call raises SIGPIPE.
 */
#include "io/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

/* --- opening --- */

#if !defined(SOCK_NONBLOCK) || !defined(SOCK_CLOEXEC)

static int socket_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        int r = uv_translate_sys_error(errno);
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
    socklen_t size;
    int fd;

    do {
        size = sizeof *ret_peer;
        fd = accept(listener, &ret_peer->any, &size);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? uv_translate_sys_error(errno) : socket_flags(fd);
}

#else

/* One system call does both where there is one that can. */
int uva__socket_open(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer)
{
    socklen_t size;
    int fd;

    do {
        size = sizeof *ret_peer;
        fd = accept4(listener, &ret_peer->any, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

#endif

/* asyncio: base_events.py, _set_nodelay. A socket that refuses it works. */
void uva__socket_prepare(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#if defined(SO_NOSIGPIPE)
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

/* --- bytes --- */

/* The code of a failed call; a socket that is not ready has one code. */
static int socket_code(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK
               ? UV_EAGAIN
               : uv_translate_sys_error(error);
}

ssize_t uva__socket_read_failed(int fd, void *data, size_t size)
{
    return errno == EINTR ? uva__socket_read(fd, data, size)
                          : socket_code(errno);
}

ssize_t uva__socket_send_failed(int fd, struct iovec *pieces, size_t count)
{
    return errno == EINTR ? uva__socket_send(fd, pieces, count)
                          : socket_code(errno);
}

ssize_t uva__socket_sendmsg(int fd, struct iovec *pieces, size_t count)
{
    struct msghdr message;

    memset(&message, 0, sizeof message);
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}
