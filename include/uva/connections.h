/**
 * @file
 * Connections with streams: opening and closing them, and servers of them, over
 * TCP and unix sockets. streams.h has what is done with them, and includes
 * this.
 */
#ifndef UVA_CONNECTIONS_H
#define UVA_CONNECTIONS_H

#include "uva/errors.h"
#include "uva/loops.h"
#include "uva/sockets.h"
#include "uva/typed.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/* --- opening and closing --- */

/** State of one call of uva_open_connection_poll; zeroed before the first. */
typedef struct uva_open_connection_op_s {
    /* private */
    void *state;
} uva_open_connection_op_t;

/**
 * Connect to a host and make a stream of it.
 *
 * The addresses of the host are tried in the order of the resolver until one
 * accepts; with the option happy_eyeballs_delay_ns the next one starts before
 * a slow one has failed. Numeric hosts without a zone are not looked up. libuv
 * looks names up in its pool of threads: see docs/threads.md for what names
 * that do not answer hold up.
 *
 * @param[in]  host       Name or numeric address; NULL or "" is this host.
 * @param[in]  port       Number up to 65535, in digits alone, or name of a
 *                        service.
 * @param[in]  options    NULL for the defaults.
 * @param[out] ret_reader New reference.
 * @param[out] ret_writer New reference.
 * @return 0, or the code with which the first address failed, if all have (the
 *         text of the error tells all failures), or:
 * @retval UV_ECANCELED The task was cancelled; nothing is left open.
 * @retval UV_ENOMEM    Likewise.
 * @retval UV_EINVAL    port is not one, or an option is out of its range.
 * @retval UV_ENAMETOOLONG host has more than 255 bytes.
 * @retval UV_EAI_NONAME The host is unknown; other UV_EAI_... codes likewise.
 * @retval UV_ETIMEDOUT Also: the option filter was not ready in time. Other
 *                      codes of the filter likewise; nothing is left open.
 * @suspends Always, unless it fails at once.
 * @asyncio open_connection
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_open_connection(const char *host,
                    const char *port,
                    const uva_connection_options_t *options,
                    uva_reader_t **ret_reader,
                    uva_writer_t **ret_writer);
/** The poll half of uva_open_connection. */
UVA_EXTERN UVA_NODISCARD int
uva_open_connection_poll(uva_open_connection_op_t *op,
                         const char *host,
                         const char *port,
                         const uva_connection_options_t *options,
                         uva_reader_t **ret_reader,
                         uva_writer_t **ret_writer);

/**
 * Connect to a unix socket and make a stream of it.
 *
 * A path that begins with "@" is an abstract name, which Linux has; write
 * "./@file" for a file that is called so. The other end has its path for an
 * address, this end none.
 *
 * @param[in]  path       Of the socket.
 * @param[in]  options    NULL for the defaults.
 * @param[out] ret_reader New reference.
 * @param[out] ret_writer New reference.
 * @retval UV_ENOENT       Nothing is there.
 * @retval UV_ECONNREFUSED Nobody listens there; other codes of the system
 *                         likewise.
 * @retval UV_EAGAIN       The server's backlog is full. Nothing tells when it
 *                         has room: try again later. (asyncio gives out a
 *                         connection that is none.)
 * @retval UV_EINVAL       The path is NULL or empty, or an option is out of its
 *                         range.
 * @retval UV_ENAMETOOLONG The path is longer than the system allows: 107 bytes
 *                         on Linux.
 * @retval UV_ENOTSUP      The loop has no sockets, or the system no abstract
 *                         names.
 * @retval UV_ECANCELED    The task was cancelled; nothing is left open.
 * @retval UV_ENOMEM       Likewise.
 * @suspends Always, unless it fails at once.
 * @asyncio open_unix_connection
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_open_unix_connection(const char *path,
                         const uva_connection_options_t *options,
                         uva_reader_t **ret_reader,
                         uva_writer_t **ret_writer);
/** The poll half of uva_open_unix_connection. */
UVA_EXTERN UVA_NODISCARD int
uva_open_unix_connection_poll(uva_open_connection_op_t *op,
                              const char *path,
                              const uva_connection_options_t *options,
                              uva_reader_t **ret_reader,
                              uva_writer_t **ret_writer);

/**
 * Make a stream of a socket that is connected already: of a pair, accepted
 * elsewhere, or passed in by another process. Callbacks may do so too.
 *
 * @param[in]  take_fd    Taken, on error too: it is closed then. It becomes
 *                        non-blocking and closed on exec.
 * @param[in]  options    NULL for the defaults.
 * @param[out] ret_reader New reference.
 * @param[out] ret_writer New reference.
 * @retval UV_EBADF    take_fd is not open.
 * @retval UV_ENOTSOCK It is no socket.
 * @retval UV_EINVAL   It is a socket that listens, or of datagrams; or an
 *                     option is out of its range.
 * @retval UV_ENOTCONN It is not connected.
 * @retval UV_EEXIST   The loop watches it already.
 * @retval UV_ENOTSUP  The loop has no sockets.
 * @retval UVA_ENOLOOP No loop runs here.
 * @retval UV_ENOMEM   There is no memory.
 * @suspends Never.
 * @asyncio open_connection(sock=), open_unix_connection(sock=)
 */
UVA_EXTERN UVA_NODISCARD int
uva_open_connection_fd(int take_fd,
                       const uva_connection_options_t *options,
                       uva_reader_t **ret_reader,
                       uva_writer_t **ret_writer);

/**
 * Make two streams that are each other's peer in memory: for tests, and for
 * parts of one program that talk by bytes. They need no descriptor, so virtual
 * loops have them too.
 *
 * @param capacity_bytes What one side may have sent and the other not received
 *                       before its transport keeps it; 0 is 64 KiB.
 * @param ret_readers, ret_writers Two new references each: of the first side
 *                       and of the second.
 * @retval UVA_ENOLOOP No loop runs here.
 * @retval UV_ENOMEM   Nothing was made.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int
uva_open_memory_connection(size_t capacity_bytes,
                           uva_reader_t *ret_readers[2],
                           uva_writer_t *ret_writers[2]);

/**
 * Make a stream of a stream handle of libuv that the application owns. Rules
 * and codes as of uva_transport_from_uv (protocols.h): the handle is not
 * closed, and is the application's again when the connection is lost.
 *
 * @param limit_bytes Of the reader; 0 for the default.
 * @param ret_reader, ret_writer New references.
 * @retval UV_EINVAL The limit is above 1 GiB.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int uva_open_uv_stream(uv_stream_t *stream,
                                                size_t limit_bytes,
                                                uva_reader_t **ret_reader,
                                                uva_writer_t **ret_writer);

/**
 * Send what was written, close the connection, drop both references.
 *
 * Waits until the last byte was handed to the system. If the task is cancelled
 * meanwhile, the call returns at once; the connection goes on closing by
 * itself, and the next await of the task delivers the cancellation, so it is
 * not lost if nobody looks at the result. A peer that never reads holds the
 * call up: put it into a timeout, or use uva_transport_abort.
 *
 * The handler of a server has no references of its own: called there, this
 * drops none.
 *
 * @param take_reader,take_writer Of one connection; either may be NULL.
 * @return 0, or why the connection was lost before all was sent.
 * @retval UV_EPERM The connection belongs to a loop of another thread; nothing
 *                  was done.
 * @suspends Only while bytes are unsent.
 */
UVA_EXTERN UVA_CORO int uva_connection_close(uva_reader_t *take_reader,
                                             uva_writer_t *take_writer);
/** While it returns UVA_PENDING the references are not dropped. */
UVA_EXTERN UVA_NODISCARD int
uva_connection_close_poll(uva_reader_t *take_reader, uva_writer_t *take_writer);

/* --- servers --- */

/**
 * Serves one connection, in a task of its own.
 *
 * reader and writer are borrowed until the callback returns; take references to
 * keep them longer. Then what was written is sent, and the connection closed. A
 * peer that does not read keeps the connection open for ever, and a place among
 * the server's connections: uva_transport_abort and uva_server_abort_clients
 * end it. A failure is reported to the exception handler, "Unhandled exception
 * in client_connected_cb", with the task, which bears the handler's name.
 * UV_ECANCELED closes silently, and the loss of this connection is told at the
 * level of debugging, with the peer.
 *
 * @param arg What the server was started with.
 */
typedef int (*uva_client_connected_cb)(uva_reader_t *reader,
                                       uva_writer_t *writer,
                                       void *arg);

/** State of one call of uva_start_server_poll; zeroed before the first. */
typedef struct uva_start_server_op_s {
    /* private */
    void *state;
} uva_start_server_op_t;

/**
 * Listen on the addresses of a host and run a task for each connection:
 * uva_start_server(name, host, port, &options, &server, ...).
 *
 * name is a function of UVA_TASK or UVA_STACKLESS with the members
 * `uva_reader_t *reader; uva_writer_t *writer;`; what follows are its other
 * arguments, copied for each connection.
 *
 *     UVA_TASK(void, serve, uva_reader_t *reader; uva_writer_t *writer;)
 *     { ... }
 *
 *     r = uva_start_server(serve, "127.0.0.1", "8080", NULL, &server);
 *
 * host is a name or a numeric address; NULL or "" for all addresses of this
 * host, of both families. port is as for uva_open_connection; "0" lets the
 * system choose, see uva_server_port. options is NULL for the defaults; server
 * becomes a new reference. With the option fds, host and port are NULL.
 *
 * @retval UV_EADDRINUSE Another socket listens there; other codes of the system
 *                       likewise. Nothing is left open.
 * @retval UV_ECANCELED  The task was cancelled; likewise.
 * @retval UV_ENOMEM     Likewise.
 * @retval UV_EINVAL     port is not one, or an option is out of its range; one
 *                       of fds is connected, or of datagrams, or comes twice.
 * @retval UV_ENAMETOOLONG host has more than 255 bytes.
 * @retval UV_EBADF      One of fds is not open.
 * @retval UV_ENOTSOCK   One of fds is no socket.
 * @retval UV_EEXIST     The loop watches one of fds already.
 * @retval UV_ENOTSUP    There are fds, and the loop has no sockets.
 * @suspends Always, unless it fails at once.
 * @asyncio start_server
 */
#define uva_start_server(...) UVA__START_SERVER(__VA_ARGS__, .uva__z = 0)
#define UVA__START_SERVER(name, host, port, options, ret_server, ...)       \
    uva__start_server(UVA__HANDLER(name, __VA_ARGS__), host, port, options, \
                      ret_server)
/** The poll half of uva_start_server. */
#define uva_start_server_poll(op, ...) \
    UVA__START_SERVER_POLL(op, __VA_ARGS__, .uva__z = 0)
#define UVA__START_SERVER_POLL(op, name, host, port, options, ret_server, ...) \
    uva__start_server_poll(op, UVA__HANDLER(name, __VA_ARGS__), host, port,    \
                           options, ret_server)
/** private */
#define UVA__HANDLER(name, ...)                           \
    &name##__coro, &(name##_args_t){__VA_ARGS__},         \
        UVA__MEMBER(name##_args_t, reader, uva_reader_t), \
        UVA__MEMBER(name##_args_t, writer, uva_writer_t)
/** private: the offset of a pointer member, which must point to T. */
#define UVA__MEMBER(type, member, T) \
    (offsetof(type, member) + 0 * sizeof(((type *)0)->member == (T *)0))

/** private */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva__start_server(const uva__coro_t *coro,
                  const void *args,
                  size_t reader_offset,
                  size_t writer_offset,
                  const char *host,
                  const char *port,
                  const uva_server_options_t *options,
                  uva_server_t **ret_server);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__start_server_poll(uva_start_server_op_t *op,
                       const uva__coro_t *coro,
                       const void *args,
                       size_t reader_offset,
                       size_t writer_offset,
                       const char *host,
                       const char *port,
                       const uva_server_options_t *options,
                       uva_server_t **ret_server);

/**
 * uva_start_server on each of several loops in threads:
 * uva_loops_start_server(loops, name, host, port, &options, &port_number, ...).
 *
 * The system spreads the connections over sockets of one address and port, one
 * for each loop (SO_REUSEPORT). The servers belong to the loops: uva_loops_stop
 * shuts them down. Each has the limits of the options for itself. The option
 * fds is refused. With the port "0" host is best an address: port_number, which
 * may be NULL, is that of the first address.
 *
 * What the arguments point to is used by several threads.
 *
 * @return As uva_start_server; nothing listens after a failure. Also:
 * @retval UVA_EDEADLOCK A loop runs in this thread.
 * @retval UV_ECANCELED  The loops are stopping, or a loop had no memory for the
 *                       call.
 * @thread any in which no loop runs
 */
#define uva_loops_start_server(...) \
    UVA__LOOPS_START_SERVER(__VA_ARGS__, .uva__z = 0)
#define UVA__LOOPS_START_SERVER(loops, name, host, port, options, ret_port, \
                                ...)                                        \
    uva__loops_start_server(loops, UVA__HANDLER(name, __VA_ARGS__), host,   \
                            port, options, ret_port)
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__loops_start_server(uva_loops_t *loops,
                        const uva__coro_t *coro,
                        const void *args,
                        size_t reader_offset,
                        size_t writer_offset,
                        const char *host,
                        const char *port,
                        const uva_server_options_t *options,
                        uint16_t *ret_port);

/**
 * uva_start_server with a callback, for handlers that are chosen at run time.
 *
 * @param[in]  handler Runs in a stackful task. NULL is UV_EINVAL.
 * @param[in]  arg     Given to each; must outlive the server's connections.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_start_server_callback(uva_client_connected_cb handler,
                          void *arg,
                          const char *host,
                          const char *port,
                          const uva_server_options_t *options,
                          uva_server_t **ret_server);
/** The poll half of uva_start_server_callback. */
UVA_EXTERN UVA_NODISCARD int
uva_start_server_callback_poll(uva_start_server_op_t *op,
                               uva_client_connected_cb handler,
                               void *arg,
                               const char *host,
                               const char *port,
                               const uva_server_options_t *options,
                               uva_server_t **ret_server);
/** private: function is the handler's name, or NULL. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva__start_server_callback(const char *function,
                           uva_client_connected_cb handler,
                           void *arg,
                           const char *host,
                           const char *port,
                           const uva_server_options_t *options,
                           uva_server_t **ret_server);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__start_server_callback_poll(uva_start_server_op_t *op,
                                const char *function,
                                uva_client_connected_cb handler,
                                void *arg,
                                const char *host,
                                const char *port,
                                const uva_server_options_t *options,
                                uva_server_t **ret_server);
/** The function, with the name of the handler, which its tasks bear. */
#define uva_start_server_callback(handler, arg, host, port, options,        \
                                  ret_server)                               \
    uva__start_server_callback(#handler, handler, arg, host, port, options, \
                               ret_server)
/** The function, likewise. */
#define uva_start_server_callback_poll(op, handler, arg, host, port, options, \
                                       ret_server)                            \
    uva__start_server_callback_poll(op, #handler, handler, arg, host, port,   \
                                    options, ret_server)

/**
 * Listen on a unix socket and run a task for each connection:
 * uva_start_unix_server(name, path, &options, &server, ...).
 *
 * As uva_start_server, but for the address. A path that begins with "@" is an
 * abstract name, which Linux has. With the option fds, path is NULL.
 *
 * A file that stands at the path is replaced if it is a socket on which nobody
 * listens; to find out, it is connected once. So two servers that start at the
 * same path at the same moment may both succeed, and the one that binds first
 * is not found any more; likewise a server that is deferred. The file of the
 * socket is removed when the server closes, if it is still the same.
 *
 *     r = uva_start_unix_server(serve, "/run/app.socket", NULL, &server);
 *
 * @retval UV_EADDRINUSE   A server listens there, or the file is no socket;
 *                         other codes of the system likewise. Nothing is left
 *                         open, and no file.
 * @retval UV_ECANCELED    The task was cancelled; likewise.
 * @retval UV_ENOMEM       Likewise.
 * @retval UV_EINVAL       The path is NULL or empty, or an option is out of its
 *                         range; one of fds is no unix socket, is connected, or
 *                         of datagrams, or comes twice.
 * @retval UV_ENAMETOOLONG The path is longer than the system allows: 107 bytes
 *                         on Linux.
 * @retval UV_EBADF        One of fds is not open.
 * @retval UV_ENOTSOCK     One of fds is no socket.
 * @retval UV_EEXIST       The loop watches one of fds already.
 * @retval UV_ENOTSUP      The loop has no sockets, or the system no abstract
 *                         names.
 * @suspends Always, unless it fails at once.
 * @asyncio start_unix_server; differs: a path in use is refused, see the option
 *          steal_path.
 */
#define uva_start_unix_server(...) \
    UVA__START_UNIX_SERVER(__VA_ARGS__, .uva__z = 0)
#define UVA__START_UNIX_SERVER(name, path, options, ret_server, ...)       \
    uva__start_unix_server(UVA__HANDLER(name, __VA_ARGS__), path, options, \
                           ret_server)
/** The poll half of uva_start_unix_server. */
#define uva_start_unix_server_poll(op, ...) \
    UVA__START_UNIX_SERVER_POLL(op, __VA_ARGS__, .uva__z = 0)
#define UVA__START_UNIX_SERVER_POLL(op, name, path, options, ret_server, ...) \
    uva__start_unix_server_poll(op, UVA__HANDLER(name, __VA_ARGS__), path,    \
                                options, ret_server)

/** private */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva__start_unix_server(const uva__coro_t *coro,
                       const void *args,
                       size_t reader_offset,
                       size_t writer_offset,
                       const char *path,
                       const uva_server_options_t *options,
                       uva_server_t **ret_server);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__start_unix_server_poll(uva_start_server_op_t *op,
                            const uva__coro_t *coro,
                            const void *args,
                            size_t reader_offset,
                            size_t writer_offset,
                            const char *path,
                            const uva_server_options_t *options,
                            uva_server_t **ret_server);

/** uva_start_unix_server with a callback, as uva_start_server_callback. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_start_unix_server_callback(uva_client_connected_cb handler,
                               void *arg,
                               const char *path,
                               const uva_server_options_t *options,
                               uva_server_t **ret_server);
/** The poll half of uva_start_unix_server_callback. */
UVA_EXTERN UVA_NODISCARD int
uva_start_unix_server_callback_poll(uva_start_server_op_t *op,
                                    uva_client_connected_cb handler,
                                    void *arg,
                                    const char *path,
                                    const uva_server_options_t *options,
                                    uva_server_t **ret_server);
/** private: function is the handler's name, or NULL. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva__start_unix_server_callback(const char *function,
                                uva_client_connected_cb handler,
                                void *arg,
                                const char *path,
                                const uva_server_options_t *options,
                                uva_server_t **ret_server);
/** private */
UVA_EXTERN UVA_NODISCARD int
uva__start_unix_server_callback_poll(uva_start_server_op_t *op,
                                     const char *function,
                                     uva_client_connected_cb handler,
                                     void *arg,
                                     const char *path,
                                     const uva_server_options_t *options,
                                     uva_server_t **ret_server);
/** The function, with the name of the handler, which its tasks bear. */
#define uva_start_unix_server_callback(handler, arg, path, options,        \
                                       ret_server)                         \
    uva__start_unix_server_callback(#handler, handler, arg, path, options, \
                                    ret_server)
/** The function, likewise. */
#define uva_start_unix_server_callback_poll(op, handler, arg, path, options, \
                                            ret_server)                      \
    uva__start_unix_server_callback_poll(op, #handler, handler, arg, path,   \
                                         options, ret_server)

UVA_END_DECLS

#endif /* UVA_CONNECTIONS_H */
