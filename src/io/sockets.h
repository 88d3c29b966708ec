/*
 * Stream sockets: the system calls that open, read and write them. Nothing
 * here knows a loop.
 */
#ifndef UVA__IO_SOCKETS_H
#define UVA__IO_SOCKETS_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "io/address.h"

#if !defined(MSG_NOSIGNAL)
#    define MSG_NOSIGNAL 0 /* uva__socket_prepare sets SO_NOSIGPIPE. */
#endif

/** A stream socket, not blocking, closed on exec. @return It, or a code. */
int uva__socket_open(int family);
/** Accept a connection of a listening socket, likewise. */
int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer);
/** Set the options that every connection has. */
void uva__socket_prepare(int fd);

ssize_t uva__socket_read_failed(int fd, void *data, size_t size);
ssize_t uva__socket_sendmsg(int fd, struct iovec *pieces, size_t count);
ssize_t uva__socket_send_failed(int fd, struct iovec *pieces, size_t count);

/** @return Bytes, 0 at the end of the stream, UV_EAGAIN, or another code. */
static inline ssize_t uva__socket_read(int fd, void *data, size_t size)
{
    ssize_t count = read(fd, data, size);

    return UVA__LIKELY(count >= 0) ? count
                                   : uva__socket_read_failed(fd, data, size);
}

/** Send pieces as one. @return Bytes that left, UV_EAGAIN, or another code. */
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
