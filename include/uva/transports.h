/**
 * @file
 * Transports: a connection's lower half, below the streams. A write never
 * waits: the transport keeps what the system does not take. High and low marks
 * of the unsent bytes say when a writer should wait.
 *
 * A write is sent at once, unless a task writes less than 1 KiB: the short
 * writes of a task leave together, in one system call, when it suspends or
 * ends, or with its next longer write.
 *
 * A transport that is lost or closed stays valid until its last reference is
 * dropped; every function here may still be called then.
 */
#ifndef UVA_TRANSPORTS_H
#define UVA_TRANSPORTS_H

#include "uva/errors.h"
#include "uva/events.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Kinds of addresses. */
typedef enum uva_family_e {
    UVA_FAMILY_ANY,  /* In options: both of the internet. */
    UVA_FAMILY_IPV4, /* AF_INET. */
    UVA_FAMILY_IPV6, /* AF_INET6. */
    UVA_FAMILY_UNIX  /* AF_UNIX; not in options. */
} uva_family_t;

/** The address of one end of a connection. */
typedef struct uva_address_s {
    char host[112]; /* Numeric: "127.0.0.1", "::1", "fe80::1%eth0"; of a unix
                       socket its path, "@name" for an abstract one, "" for one
                       without a name. */
    uint16_t port;  /* A number as it is printed, not in network order; 0 of a
                       unix socket. */
    uva_family_t family;
} uva_address_t;

/** What a transport stands on. */
typedef enum uva_medium_kind_e {
    UVA_MEDIUM_TCP,    /* A TCP socket. */
    UVA_MEDIUM_UNIX,   /* A unix socket; also another socket of streams. */
    UVA_MEDIUM_MEMORY, /* The memory of this process: uva_transport_pair. */
    UVA_MEDIUM_PIPE,   /* One end of a pipe or FIFO, or a character device. */
    UVA_MEDIUM_TTY,    /* A terminal, read or written. */
    UVA_MEDIUM_UV      /* A uv_stream_t of the application. */
} uva_medium_kind_t;

/** Take a reference. @return transport itself; NULL for NULL. */
UVA_EXTERN uva_transport_t *uva_transport_ref(uva_transport_t *transport);
/** Drop a reference; the last one of an open transport closes it and warns in
 * debug mode. @return NULL. */
UVA_EXTERN uva_transport_t *uva_transport_unref(uva_transport_t *transport);

/** What a transport stands on, also when the connection is closed. */
UVA_EXTERN uva_medium_kind_t
uva_transport_medium(const uva_transport_t *transport);
/** The descriptor of the socket; -1 once it is closed. Borrowed: to set options
 * and to look at, not to read, write or close.
 * @asyncio get_extra_info('socket') */
UVA_EXTERN int uva_transport_fileno(const uva_transport_t *transport);
/** The address of the peer, also when the connection is closed.
 * @asyncio get_extra_info('peername') */
UVA_EXTERN UVA_NODISCARD int
uva_transport_get_peername(const uva_transport_t *transport,
                           uva_address_t *ret_address);
/** The address of this end. @retval UV_ENOTCONN The connection is closed.
 * @asyncio get_extra_info('sockname') */
UVA_EXTERN UVA_NODISCARD int
uva_transport_get_sockname(const uva_transport_t *transport,
                           uva_address_t *ret_address);

/** Who is at the other end of a unix socket: as it was when the connection was
 * made, or the socket pair. */
typedef struct uva_peercred_s {
    int64_t pid; /* -1 where the system does not tell. */
    uint32_t uid;
    uint32_t gid;
} uva_peercred_t;
/**
 * The process at the other end, as the system knows it.
 * @retval UV_ENOTSUP  It is no unix socket, or the system does not tell.
 * @retval UV_ENOTCONN The connection is closed.
 * @suspends Never.
 * @asyncio get_extra_info('socket').getsockopt(SO_PEERCRED)
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_get_peercred(const uva_transport_t *transport,
                           uva_peercred_t *ret_peer);

/**
 * Stop reading, send what was written, close. Idempotent.
 * @suspends Never.
 * @asyncio BaseTransport.close
 */
UVA_EXTERN void uva_transport_close(uva_transport_t *transport);
/** Close at once; what the system does not take now is dropped.
 * @asyncio WriteTransport.abort */
UVA_EXTERN void uva_transport_abort(uva_transport_t *transport);
/** Whether a transport is closing, closed or lost. @asyncio
 * BaseTransport.is_closing */
UVA_EXTERN bool uva_transport_is_closing(const uva_transport_t *transport);

/** Whether a transport reads: open and not paused. @asyncio
 * ReadTransport.is_reading */
UVA_EXTERN bool uva_transport_is_reading(const uva_transport_t *transport);
/** Read no more until resumed. Idempotent; nothing on a closing transport.
 * @asyncio ReadTransport.pause_reading */
UVA_EXTERN void uva_transport_pause_reading(uva_transport_t *transport);
/** Read again; idempotent. @asyncio ReadTransport.resume_reading */
UVA_EXTERN void uva_transport_resume_reading(uva_transport_t *transport);

/**
 * Send bytes, or keep a copy of those that cannot leave yet.
 *
 * On a lost connection the bytes are dropped and 0 is returned. The fifth
 * dropped write is logged: as a warning if the connection was closed here, for
 * debugging if the peer caused the loss.
 *
 * @retval UV_EPERM  After write_eof.
 * @retval UV_EBUSY  A task sends a file: uva_transport_sendfile.
 * @retval UV_ENOTSUP The transport only reads: it is the end of a pipe.
 * @retval UV_ENOMEM Nothing was kept; if some of it was sent already, the
 *                   connection is lost too.
 * @retval UV_EINVAL size is above PTRDIFF_MAX: likely a negative code that was
 *                   passed as a size. Nothing was sent.
 * @suspends Never.
 * @asyncio WriteTransport.write
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_write(uva_transport_t *transport, const void *data, size_t size);
/** Write an owned buffer, which is empty afterwards, also on error. What cannot
 * leave yet is kept without a copy; codes as of uva_transport_write. */
UVA_EXTERN UVA_NODISCARD int
uva_transport_write_take(uva_transport_t *transport, uva_buffer_t *take_buffer);
/** Write several pieces as if they were one; codes as of uva_transport_write.
 * @asyncio WriteTransport.writelines */
UVA_EXTERN UVA_NODISCARD int uva_transport_writelines(
    uva_transport_t *transport, const uva_bytes_t *lines, size_t count);
/**
 * Send end of stream behind what was written; reading goes on. Idempotent.
 * On the writing end of a pipe it is uva_transport_close, as in asyncio.
 *
 * @retval UV_ENOTSUP The transport has no such end: a filter of it has none, or
 *                    it only reads, or it stands on a uv_tty_t.
 * @retval UV_EBUSY   A task sends a file.
 * @asyncio WriteTransport.write_eof
 */
UVA_EXTERN int uva_transport_write_eof(uva_transport_t *transport);
/** Whether uva_transport_write_eof works; a socket without filters always can,
 * and so can the writing end of a pipe.
 * @asyncio WriteTransport.can_write_eof */
UVA_EXTERN bool uva_transport_can_write_eof(const uva_transport_t *transport);

/** What a transport can do. */
enum {
    UVA_CAN_READ = 1u << 0,
    UVA_CAN_WRITE = 1u << 1,
    UVA_CAN_WRITE_EOF = 1u << 2, /* uva_transport_write_eof works. */
    /* Not once the connection is lost: */
    UVA_CAN_SENDFILE = 1u << 3, /* uva_transport_sendfile copies nothing. */
    UVA_CAN_PASS_FDS = 1u << 4  /* uva_transport_send_fds works. */
};
/** What a transport can do, by its medium and its filters: UVA_CAN_... Pausing
 * and closing do not count. */
UVA_EXTERN unsigned uva_transport_can(const uva_transport_t *transport);

/** What is sent of a file; zero means the default. */
typedef struct uva_sendfile_options_s {
    size_t size;          /* sizeof(uva_sendfile_options_t). */
    uint64_t offset;      /* Of the first byte in the file, wherever the file's
                             position is. */
    uint64_t count_bytes; /* The most to be sent; default to the file's end. */
    bool no_fallback;     /* Fail with UVA_ENOSENDFILE where bytes would have to
                             be copied. */
} uva_sendfile_options_t;

/** The defaults. */
#define UVA_SENDFILE_OPTIONS_INIT                   \
    {                                               \
        sizeof(uva_sendfile_options_t), 0, 0, false \
    }

/** State of one call of uva_transport_sendfile_poll; zero-initialise. */
typedef struct uva_sendfile_op_s {
    void *state; /* private */
} uva_sendfile_op_t;

/**
 * Send a file, or a part of it, behind what was written.
 *
 * The system sends it without a copy where UVA_CAN_SENDFILE says so, after the
 * unsent bytes have left. Elsewhere it is read and written in pieces, with
 * waits above the high mark. Either way the loop's thread reads the file, which
 * may hold up the loop while the disk answers.
 *
 * Meanwhile reading is paused, and every other write is refused with UV_EBUSY.
 * A file that is shorter than offset and count_bytes is sent to its end. At the
 * end of the call, also by an error, the file's position is behind what was
 * sent, unless that is nothing.
 *
 * A cancellation or an error of the file leaves the connection as it is: what
 * was sent stays sent, and more can be written.
 *
 * @param file          Descriptor of a regular file or a block device; borrowed
 *                      until the call has ended.
 * @param options       NULL for the defaults; borrowed as file.
 * @param[out] ret_sent How many bytes have left, or wait for it if they were
 *                      copied; may be NULL. Also set on failure.
 * @return 0, or a negative code:
 * @retval UVA_ENOSENDFILE Bytes would have to be copied, and no_fallback is
 *                         set. Nothing was sent.
 * @retval UV_ECANCELED    The task was cancelled.
 * @retval UV_ECONNABORTED The transport was closed here meanwhile. Another code
 *                         with which the connection was lost.
 * @retval UV_EINVAL       It is no such file, or an option is wrong.
 * @retval UV_EBADF        The descriptor is not open for reading. Also another
 *                         code of the system, of the file.
 * @retval UV_EPERM        The transport is closing, or not made yet; its end of
 *                         stream was written; a filter is pushed or popped.
 * @retval UV_EBUSY        Another task sends a file.
 * @retval UV_ENOTSUP      The transport only reads.
 * @retval UVA_ENOTASK     Nothing here can suspend.
 * @suspends Only while the connection takes no more, and once in a while.
 * @asyncio loop.sendfile
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_transport_sendfile(uva_transport_t *transport,
                       int file,
                       const uva_sendfile_options_t *options,
                       uint64_t *ret_sent);
/** The poll half of uva_transport_sendfile. */
UVA_EXTERN UVA_NODISCARD int
uva_transport_sendfile_poll(uva_sendfile_op_t *op,
                            uva_transport_t *transport,
                            int file,
                            const uva_sendfile_options_t *options,
                            uint64_t *ret_sent);

/** The most descriptors that go beside one byte. */
#define UVA_FDS_MOST 253

/**
 * Write bytes with descriptors beside the first of them, over a unix socket.
 *
 * They arrive with that byte or before it, in order with all other writes. A
 * transport that does not receive descriptors drops them.
 *
 * @param data  Its size is above 0.
 * @param fds   count of them, at most UVA_FDS_MOST. Borrowed: they are
 *              duplicated, and may be closed when the call returns. Duplicates
 *              that have not left are closed with the connection.
 * @return 0, or a code, after which nothing was written; of uva_transport_write
 *         too:
 * @retval UV_ENOTSUP It is no unix socket, or has filters.
 * @retval UV_EINVAL  There are no bytes, no descriptors or too many.
 * @retval UV_EBADF   One is not open.
 * @retval UV_EMFILE  The process can have no more.
 * @retval UV_EPERM   A filter is pushed or popped.
 * @suspends Never.
 * @asyncio socket.send_fds
 */
UVA_EXTERN UVA_NODISCARD int uva_transport_send_fds(uva_transport_t *transport,
                                                    const void *data,
                                                    size_t size,
                                                    const int *fds,
                                                    size_t count);
/**
 * Receive descriptors from now on. Without that the system closes those that a
 * peer sends. Before the first byte is read: in connection_made, or by the
 * option receive_fds of the server or the connection.
 *
 * The connection is lost with UV_ENOBUFS when more come than may wait, with
 * UV_EMFILE when the process can have no more.
 *
 * @param most_count How many may wait to be taken; 0 is UVA_FDS_MOST.
 * @retval UV_ENOTSUP It is no unix socket, or has filters.
 * @retval UV_EPERM   It is closing.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_receive_fds(uva_transport_t *transport, size_t most_count);
/**
 * Take the descriptors that have come, oldest first; also when the connection
 * is closed. Those that are not taken are closed with the last reference.
 *
 * @param[out] fds Room for so many; each is the caller's, and closed on exec.
 * @return How many they are; 0 if there are none.
 * @suspends Never.
 * @asyncio socket.recv_fds
 */
UVA_EXTERN UVA_NODISCARD size_t
uva_transport_take_fds(uva_transport_t *transport, int *fds, size_t room);

/**
 * Set the marks of unsent bytes: above high_bytes writers should wait, at
 * low_bytes they go on. SIZE_MAX for one of them derives it from the other
 * (low = high / 4, high = 4 * low), for both gives the defaults.
 *
 * @retval UV_EINVAL high_bytes < low_bytes. Unchanged.
 * @asyncio WriteTransport.set_write_buffer_limits
 */
UVA_EXTERN int uva_transport_set_write_buffer_limits(uva_transport_t *transport,
                                                     size_t high_bytes,
                                                     size_t low_bytes);
/** @asyncio WriteTransport.get_write_buffer_limits */
UVA_EXTERN void
uva_transport_get_write_buffer_limits(const uva_transport_t *transport,
                                      size_t *ret_high_bytes,
                                      size_t *ret_low_bytes);
/** How many written bytes the system has not taken. Collected short writes are
 * offered to the system first.
 * @asyncio WriteTransport.get_write_buffer_size */
UVA_EXTERN size_t
uva_transport_get_write_buffer_size(uva_transport_t *transport);

UVA_END_DECLS

#endif /* UVA_TRANSPORTS_H */
