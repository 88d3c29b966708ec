/**
 * @file
 * Protocols: what a connection does when something happens to it, written as
 * callbacks. Streams (streams.h) are the other way to use a connection.
 *
 * A protocol is a struct whose first member is a uva_protocol_t, named base.
 * The library makes one for each connection, zeroed, in one piece with the
 * transport. Every callback runs from the loop's ready queue, in the loop's
 * thread; it may spawn tasks and may not await.
 *
 *     typedef struct echo_s {
 *         uva_protocol_t base;
 *         size_t bytes;
 *     } echo_t;
 *
 *     static int echo_data_received(uva_protocol_t *protocol, uva_bytes_t data)
 *     {
 *         echo_t *self = UVA_PROTOCOL(echo_t, protocol);
 *
 *         self->bytes += data.size;
 *         return uva_transport_write(protocol->transport, data.data,
 *                                    data.size);
 *     }
 *
 *     static const uva_protocol_ops_t echo_ops = {
 *         UVA_PROTOCOL_OPS(echo_t),
 *         .data_received = echo_data_received,
 *     };
 *
 *     r = uva_create_server(&echo_ops, NULL, "127.0.0.1", "0", NULL, &server);
 */
#ifndef UVA_PROTOCOLS_H
#define UVA_PROTOCOLS_H

#include "uva/errors.h"
#include "uva/sockets.h"
#include "uva/transports.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

typedef struct uva_protocol_ops_s uva_protocol_ops_t;

/** The head of every protocol. */
typedef struct uva_protocol_s {
    const uva_protocol_ops_t *ops; /* Static. */
    uva_transport_t *transport;    /* Borrowed: from connection_made to the end
                                      of connection_lost; else NULL. */
    void *arg;                     /* What it was made with; borrowed. */
} uva_protocol_t;

/**
 * The callbacks of a protocol on a stream of bytes. Each may be NULL, which
 * does nothing; data is dropped then, and the end of the stream closes.
 *
 * Order: connection_made; data_received, and eof_received once at most;
 * connection_lost, once for every connection_made. pause_writing and
 * resume_writing come in turns, beginning with pause. What a callback pauses,
 * closes or replaces holds from the next callback on.
 *
 * A negative code of a callback is reported to the loop's exception handler,
 * and the connection is lost with it. data_received and buffer_updated come at
 * most once for each iteration.
 *
 * @asyncio Protocol, BufferedProtocol; differs: a connection whose
 * connection_made fails is lost.
 */
struct uva_protocol_ops_s {
    size_t size;           /* sizeof(uva_protocol_ops_t). */
    size_t protocol_bytes; /* Of the struct. */
    /** The connection is there. The first call. */
    int (*connection_made)(uva_protocol_t *self);
    /** The connection is closed. status: 0 after a close or an abort of this
     * side or an end of stream, else why it was lost. The last call; the
     * protocol lives as long as the transport. */
    void (*connection_lost)(uva_protocol_t *self, int status);
    /** Bytes came, at most 64 KiB. data: borrowed, valid during the call. */
    int (*data_received)(uva_protocol_t *self, uva_bytes_t data);
    /** The peer has sent its end of stream. @retval 0 Close. @retval 1 Leave
     * the transport open for writing. */
    int (*eof_received)(uva_protocol_t *self);
    /** More bytes are unsent than the high mark. Comes inside a write; behind
     * connection_made for what was written before that. */
    void (*pause_writing)(uva_protocol_t *self);
    /** No more bytes are unsent than the low mark. */
    void (*resume_writing)(uva_protocol_t *self);
    /**
     * Instead of data_received: where the next bytes go. They are read at once;
     * buffer_updated follows, unless there were none.
     *
     * @param hint_bytes How many may come; 0 if that is not known.
     * @param ret_data   Borrowed until buffer_updated has returned.
     * @return Room in bytes; 0 loses the connection with UV_ENOBUFS.
     */
    size_t (*get_buffer)(uva_protocol_t *self,
                         size_t hint_bytes,
                         void **ret_data);
    /** size bytes were read into what get_buffer has given. */
    int (*buffer_updated)(uva_protocol_t *self, size_t size);
};

/** The first members of a table of callbacks of a protocol type. */
#define UVA_PROTOCOL_OPS(type)          \
    .size = sizeof(uva_protocol_ops_t), \
    .protocol_bytes =                   \
        sizeof(type) + 0 * sizeof(char[offsetof(type, base) == 0 ? 1 : -1])

/** The protocol of a type from its head; NULL, and an error in the log, if the
 * table of its callbacks was made for a type of another size. */
#define UVA_PROTOCOL(type, self) \
    ((type *)uva__protocol_cast((self), sizeof(type), #type))

/** private: the pointer itself, or NULL. */
UVA_EXTERN void *uva__protocol_cast_failed(const char *type);
/** private: the check of UVA_PROTOCOL. */
static inline void *
uva__protocol_cast(uva_protocol_t *self, size_t bytes, const char *type)
{
    return self->ops->protocol_bytes == bytes ? (void *)self
                                              : uva__protocol_cast_failed(type);
}

/**
 * The protocol that stands on a transport. Borrowed. NULL if streams do.
 * @asyncio BaseTransport.get_protocol
 */
UVA_EXTERN uva_protocol_t *
uva_transport_get_protocol(const uva_transport_t *transport);
/**
 * Let another protocol stand on a transport, from the next event on. Bytes that
 * a stream has read and nobody has taken come to it first. The old protocol
 * hears nothing more, not even connection_lost; on streams that stood there
 * every read and drain fails with UV_EPERM. connection_made is not called.
 *
 * @param protocol Borrowed until it was replaced or connection_lost has ended;
 *                 its ops must be set. uva_stream_on (streams.h) brings
 *                 streams back.
 * @retval UV_EPERM  connection_lost has begun, or connection_made has not; or
 *                   the engine of a filter is being called.
 * @retval UV_EINVAL The table of callbacks has another size.
 * @retval UV_ENOMEM Nothing has changed.
 * @suspends Never.
 * @asyncio BaseTransport.set_protocol
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_set_protocol(uva_transport_t *transport,
                           uva_protocol_t *protocol);

/** State of one call of uva_create_connection; zeroed before the first. */
typedef struct uva_create_connection_op_s {
    void *state;
} uva_create_connection_op_t;

/**
 * Connect to a host, and let a new protocol stand on the connection.
 *
 * @param ops           Static: its callbacks.
 * @param arg           Borrowed as long as the protocol lives: becomes its arg.
 * @param ret_transport New reference, with connection_made behind it; its
 *                      protocol: uva_transport_get_protocol.
 * @retval UV_EINVAL ops has another size, or no room for a uva_protocol_t.
 * @return Other codes as of uva_open_connection.
 * @suspends Always.
 * @asyncio loop.create_connection
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_create_connection(const uva_protocol_ops_t *ops,
                      void *arg,
                      const char *host,
                      const char *port,
                      const uva_connection_options_t *options,
                      uva_transport_t **ret_transport);
/** The poll half of uva_create_connection. */
UVA_EXTERN UVA_NODISCARD int
uva_create_connection_poll(uva_create_connection_op_t *op,
                           const uva_protocol_ops_t *ops,
                           void *arg,
                           const char *host,
                           const char *port,
                           const uva_connection_options_t *options,
                           uva_transport_t **ret_transport);

/**
 * Connect to a unix socket, and let a new protocol stand on the connection.
 *
 * As uva_create_connection, but for the address.
 *
 * @return Codes as of uva_create_connection and uva_open_unix_connection.
 * @suspends Always, unless it fails at once.
 * @asyncio loop.create_unix_connection
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_create_unix_connection(const uva_protocol_ops_t *ops,
                           void *arg,
                           const char *path,
                           const uva_connection_options_t *options,
                           uva_transport_t **ret_transport);
/** The poll half of uva_create_unix_connection. */
UVA_EXTERN UVA_NODISCARD int
uva_create_unix_connection_poll(uva_create_connection_op_t *op,
                                const uva_protocol_ops_t *ops,
                                void *arg,
                                const char *path,
                                const uva_connection_options_t *options,
                                uva_transport_t **ret_transport);

/**
 * Let a new protocol stand on a socket that is connected already: of a pair,
 * accepted elsewhere, or passed in by another process.
 *
 * @param take_fd Taken, on error too: it is closed then. It becomes
 *                non-blocking and closed on exec.
 * @retval UV_ECANCELED The task was cancelled; take_fd is closed.
 * @return Other codes as of uva_create_connection and uva_open_connection_fd.
 * @suspends Always, unless it fails at once.
 * @asyncio loop.create_connection(sock=), loop.create_unix_connection(sock=),
 *          loop.connect_accepted_socket
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_create_connection_fd(const uva_protocol_ops_t *ops,
                         void *arg,
                         int take_fd,
                         const uva_connection_options_t *options,
                         uva_transport_t **ret_transport);
/** The poll half of uva_create_connection_fd; the first call takes take_fd. */
UVA_EXTERN UVA_NODISCARD int
uva_create_connection_fd_poll(uva_create_connection_op_t *op,
                              const uva_protocol_ops_t *ops,
                              void *arg,
                              int take_fd,
                              const uva_connection_options_t *options,
                              uva_transport_t **ret_transport);

/**
 * Let a new protocol stand on a stream handle of libuv that the application
 * owns: a connected uv_tcp_t or uv_pipe_t, or a uv_tty_t. It hears
 * connection_made from the ready queue.
 *
 * Until connection_lost the library reads the handle, and uses its data; the
 * application does neither, and may write only what may come between the
 * transport's own bytes. Then the handle is the application's again, with its
 * data as it was: closing the transport sends what was written and stops
 * reading, and never closes the handle. After an abort libuv may still have up
 * to 256 bytes to send.
 *
 * The application may close the handle at any time: the connection is lost with
 * UV_ECONNABORTED, and close_cb, which may free the memory, finds the data of
 * the application. docs/hosts.md has the exceptions.
 *
 * Writing may raise SIGPIPE, as with every handle of libuv: ignore it.
 *
 * @param stream        Of the uv_loop_t of the running loop.
 * @param ops           Static: the callbacks.
 * @param arg           Borrowed as long as the protocol lives.
 * @param ret_transport New reference.
 * @retval UVA_ENOLOOP    No loop runs here.
 * @retval UV_ENOTSUP     The loop is virtual.
 * @retval UVA_EWRONGLOOP The handle is one of another uv_loop_t.
 * @retval UV_EINVAL      It is NULL or another kind of handle; or ops has
 *                        another size.
 * @retval UV_EBADF       It is closing.
 * @retval UV_ENOTCONN    It is not connected.
 * @retval UV_EALREADY    It is read already, or has a transport.
 * @retval UV_ENOMEM      Nothing has changed.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_from_uv(uv_stream_t *stream,
                      const uva_protocol_ops_t *ops,
                      void *arg,
                      uva_transport_t **ret_transport);

/**
 * Make two transports that are each other's peer in memory, each with a new
 * protocol. They need no descriptor, so virtual loops have them too. Both hear
 * connection_made from the ready queue. A side that closes with bytes it has
 * not received resets the connection, as with TCP.
 *
 * @param capacity_bytes What one side may have sent and the other not received
 *                       before it has to wait; 0 is 64 KiB.
 * @param ops, arg       Two of each: of the first side and of the second.
 * @param ret_transports Two new references.
 * @retval UVA_ENOLOOP No loop runs here.
 * @retval UV_EINVAL   A table of callbacks has another size.
 * @retval UV_ENOMEM   Nothing was made.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_pair(size_t capacity_bytes,
                   const uva_protocol_ops_t *const ops[2],
                   void *const arg[2],
                   uva_transport_t *ret_transports[2]);

/** State of one call of uva_connect_read_pipe or uva_connect_write_pipe; zeroed
 * before the first. */
typedef struct uva_connect_pipe_op_s {
    void *state;
} uva_connect_pipe_op_t;

/**
 * Let a new protocol stand on the reading end of a pipe or FIFO, on a terminal
 * or another character device, or on a socket that is only to be read.
 *
 * The transport only reads: a write fails with UV_ENOTSUP. At the end of the
 * stream eof_received comes and then, whatever it returned, connection_lost
 * with 0.
 *
 * @param ops           Static: its callbacks.
 * @param arg           Borrowed as long as the protocol lives.
 * @param take_fd       Taken, on error too: it is closed then. Until it is
 *                      closed it is non-blocking for all that share it, but for
 *                      a terminal that could be opened anew.
 * @param ret_transport New reference, with connection_made behind it.
 * @retval UV_EINVAL    take_fd is a file, a directory or a listening socket, or
 *                      is not open in this direction; or ops has another size.
 * @retval UV_EBADF     take_fd is not open.
 * @retval UV_EPERM     The system cannot watch it; /dev/null is such a device.
 * @retval UV_ECANCELED The task was cancelled; take_fd is closed.
 * @suspends Always, unless it fails at once.
 * @asyncio loop.connect_read_pipe
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_connect_read_pipe(const uva_protocol_ops_t *ops,
                      void *arg,
                      int take_fd,
                      uva_transport_t **ret_transport);
/** The poll half of uva_connect_read_pipe; the first call takes take_fd. */
UVA_EXTERN UVA_NODISCARD int
uva_connect_read_pipe_poll(uva_connect_pipe_op_t *op,
                           const uva_protocol_ops_t *ops,
                           void *arg,
                           int take_fd,
                           uva_transport_t **ret_transport);

/**
 * Let a new protocol stand on the writing end of a pipe or FIFO, on a terminal
 * or another character device, or on a socket that is only to be written.
 *
 * When the reader leaves, connection_lost comes: with UV_EPIPE if a write found
 * it gone or bytes are unsent, else with 0. Neither raises SIGPIPE. A character
 * device does not tell. uva_transport_write_eof closes.
 *
 * @return Parameters and codes as of uva_connect_read_pipe.
 * @suspends Always, unless it fails at once.
 * @asyncio loop.connect_write_pipe
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_connect_write_pipe(const uva_protocol_ops_t *ops,
                       void *arg,
                       int take_fd,
                       uva_transport_t **ret_transport);
/** The poll half of uva_connect_write_pipe; the first call takes take_fd. */
UVA_EXTERN UVA_NODISCARD int
uva_connect_write_pipe_poll(uva_connect_pipe_op_t *op,
                            const uva_protocol_ops_t *ops,
                            void *arg,
                            int take_fd,
                            uva_transport_t **ret_transport);

/** State of one call of uva_create_server; zeroed before the first. */
typedef struct uva_create_server_op_s {
    void *state;
} uva_create_server_op_t;

/**
 * Listen on the addresses of a host, and let a new protocol stand on each
 * connection.
 *
 * @param ops        Static: the callbacks.
 * @param arg        Borrowed as long as the server and its connections live:
 *                   becomes the arg of each protocol.
 * @param ret_server New reference.
 * @return Codes as of uva_create_connection and uva_start_server. With the
 *         option fds, host and port are NULL.
 * @suspends Always.
 * @asyncio loop.create_server
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_create_server(const uva_protocol_ops_t *ops,
                  void *arg,
                  const char *host,
                  const char *port,
                  const uva_server_options_t *options,
                  uva_server_t **ret_server);
/** The poll half of uva_create_server. */
UVA_EXTERN UVA_NODISCARD int
uva_create_server_poll(uva_create_server_op_t *op,
                       const uva_protocol_ops_t *ops,
                       void *arg,
                       const char *host,
                       const char *port,
                       const uva_server_options_t *options,
                       uva_server_t **ret_server);

/**
 * Listen on a unix socket, and let a new protocol stand on each connection.
 *
 * As uva_create_server, but for the address: uva_start_unix_server tells what
 * happens to a file at the path, and to that of the server.
 *
 * @return Codes as of uva_create_server and uva_start_unix_server.
 * @suspends Always, unless it fails at once.
 * @asyncio loop.create_unix_server; differs: a path in use is refused, see the
 *          option steal_path.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_create_unix_server(const uva_protocol_ops_t *ops,
                       void *arg,
                       const char *path,
                       const uva_server_options_t *options,
                       uva_server_t **ret_server);
/** The poll half of uva_create_unix_server. */
UVA_EXTERN UVA_NODISCARD int
uva_create_unix_server_poll(uva_create_server_op_t *op,
                            const uva_protocol_ops_t *ops,
                            void *arg,
                            const char *path,
                            const uva_server_options_t *options,
                            uva_server_t **ret_server);

UVA_END_DECLS

#endif /* UVA_PROTOCOLS_H */
