/*
 * Stream sockets: the system calls that open, read and write them. Nothing
 * here knows a loop. Every call that a signal interrupts is made again, and
 * UV_EAGAIN is the one code of a socket that is not ready.
 */
#ifndef UVA__IO_SOCKETS_H
#define UVA__IO_SOCKETS_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "io/address.h"

#if !defined(MSG_CMSG_CLOEXEC)
#    define MSG_CMSG_CLOEXEC 0 /* uva__socket_read_fds sets FD_CLOEXEC. */
#endif
#if !defined(MSG_NOSIGNAL)
#    define MSG_NOSIGNAL 0 /* uva__socket_prepare sets SO_NOSIGPIPE. */
#endif

/** Open a stream socket, non-blocking, closed on exec; family: AF_INET,
 * AF_INET6 or AF_UNIX. @return The descriptor, or a code. */
int uva__socket_open(int family);
/**
 * Open a stream socket and begin to connect it.
 *
 * @param locals To connect from: the first of its family that the system takes.
 *               None: any.
 * @return The descriptor, or a code:
 * @retval UV_EADDRNOTAVAIL There are locals, and none of the family.
 */
int uva__socket_connect(const uva__sockaddr_t *address,
                        const uva__addresses_t *locals);
/** How a connect has ended: 0, or a code, which is told once. */
int uva__socket_error(int fd);
/** The process at the other end of a unix socket. @return 0, UV_ENOTSUP where
 * the system does not tell, or another code. */
int uva__socket_peercred(int fd, uva_peercred_t *ret_peer);
/** Accept a connection of a listening socket, non-blocking, closed on exec.
 * @return The descriptor, UV_EAGAIN when none waits, or another code. */
int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer);
/**
 * Check a descriptor of a user, and make it non-blocking and closed on exec.
 * It stays the user's.
 *
 * @param listener Whether it is to listen, not to be a connection.
 * @return 0, or a code with a text:
 * @retval UV_EBADF    It is not open.
 * @retval UV_ENOTSOCK It is no socket.
 * @retval UV_EINVAL   It is of datagrams, or a listener instead of a
 *                     connection, or a connection instead of a listener.
 * @retval UV_ENOTCONN It is to be a connection, and not connected.
 */
int uva__socket_adopt(int fd, bool listener);
/** Set the options that every connection has; a refusal is ignored. @return
 * Whether the socket is one of TCP. */
bool uva__socket_prepare(int fd);

/** The rest of uva__socket_read when the system call failed. */
ssize_t uva__socket_read_failed(int fd, void *data, size_t size);
/** sendmsg(2) without SIGPIPE. @return As the system returns it, with errno. */
ssize_t uva__socket_sendmsg(int fd, struct iovec *pieces, size_t count);
/** The rest of uva__socket_send when the system call failed. */
ssize_t uva__socket_send_failed(int fd, struct iovec *pieces, size_t count);

#if defined(__linux__)
#    define UVA__SOCKET_SENDS_FILES 1
/** Send a part of a file, once, without SIGPIPE. @return Bytes, perhaps less
 * than size, 0 at the end of the file, UV_EAGAIN, or another code. */
ssize_t uva__socket_sendfile(int fd, int file, uint64_t offset, size_t size);
#endif

/** Close descriptors. */
void uva__close_all(const int *fds, size_t count);
/** uva__socket_send of a unix socket, with descriptors beside the first byte;
 * at most UVA_FDS_MOST. They stay the caller's. */
ssize_t uva__socket_send_fds(int fd,
                             struct iovec *pieces,
                             size_t count,
                             const int *fds,
                             size_t fd_count);
/**
 * uva__socket_read of a unix socket, with the descriptors that came beside the
 * bytes, closed on exec.
 *
 * @param[out] fds          Room for UVA_FDS_MOST.
 * @param[out] ret_fd_count How many there are; 0 on failure.
 * @retval UV_EMFILE The process cannot have as many as came; none is left.
 */
ssize_t uva__socket_read_fds(
    int fd, void *data, size_t size, int *fds, size_t *ret_fd_count);

/** Read once. @return Bytes, 0 at the end of the stream, UV_EAGAIN when there
 * are none, or another code. size is above 0. */
static inline ssize_t uva__socket_read(int fd, void *data, size_t size)
{
    ssize_t count = read(fd, data, size);

    return UVA__LIKELY(count >= 0) ? count
                                   : uva__socket_read_failed(fd, data, size);
}

/** Send count pieces in one system call; SIGPIPE is never raised. @return Bytes
 * that the system took, perhaps less than all, UV_EAGAIN, or another code. */
static inline ssize_t
uva__socket_send(int fd, struct iovec *pieces, size_t count)
{
    ssize_t sent =
        UVA__LIKELY(count == 1)
            ? send(fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
            : uva__socket_sendmsg(fd, pieces, count);

    return UVA__LIKELY(sent >= 0) ? sent
                                  : uva__socket_send_failed(fd, pieces, count);
}

#endif /* UVA__IO_SOCKETS_H */
