/**
 * @file
 * TCP and unix sockets: options of connections and servers, and the server
 * itself. Connections are opened, and servers started, by connections.h.
 *
 * Every descriptor is closed on exec. TCP_NODELAY is set on every connection of
 * TCP. Options that are about addresses or ports of TCP mean nothing to unix
 * sockets.
 */
#ifndef UVA_SOCKETS_H
#define UVA_SOCKETS_H

#include "uva/errors.h"
#include "uva/events.h"
#include "uva/transports.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Settings of a connection to be opened; zero means the default. */
typedef struct uva_connection_options_s {
    size_t size;         /* sizeof(uva_connection_options_t). */
    size_t limit_bytes;  /* Of the reader: the longest line, and half of
                            what is read ahead; default 64 KiB, at most
                            1 GiB. */
    size_t high_bytes;   /* Unsent bytes above which a drain waits; default
                            64 KiB, or 4 * low_bytes. */
    size_t low_bytes;    /* Unsent bytes at which the drain goes on; default
                            a quarter of high_bytes. */
    uva_family_t family; /* Addresses to use; default both. */
    const char
        *local_host; /* Borrowed: address to connect from; default any. */
    const char *local_port; /* Borrowed: port to connect from; default any. */
    uint64_t happy_eyeballs_delay_ns; /* Try the next address as well when one
                               takes longer; default: when it has failed. */
    unsigned interleave; /* Addresses of the first family before one of the
                            other; default 1 with a delay, else the order of
                            the resolver. */
    uint64_t close_timeout_ns; /* After a close the peer has so long to take
                            what is unsent; then the connection is lost with
                            UV_ETIMEDOUT, or with UV_ENOMEM at once if there is
                            no memory for the deadline. Default: for ever. */
    size_t receive_fds; /* Of a unix socket: receive descriptors, of which so
                           many may wait to be taken, as by
                           uva_transport_receive_fds; default none. */
    const uva_filter_kind_t *filter; /* Borrowed until the connection is closed:
                            what it begins with. The call returns once the
                            filter is ready, or with its code; until then what
                            stands on the connection hears nothing. NULL: none.
                            Not for uva_open_connection_fd. */
    const char *filter_host; /* Borrowed: the name that the filter expects;
                            default the host that is connected to, NULL for a
                            unix socket or a descriptor. */
} uva_connection_options_t;

/** The defaults. */
#define UVA_CONNECTION_OPTIONS_INIT                                            \
    {                                                                          \
        sizeof(uva_connection_options_t), 0, 0, 0, UVA_FAMILY_ANY, NULL, NULL, \
            0, 0, 0, 0, NULL, NULL                                             \
    }

/** Settings of a server; zero means the default. */
typedef struct uva_server_options_s {
    size_t size;            /* sizeof(uva_server_options_t). */
    size_t limit_bytes;     /* As of a connection, for each that is accepted. */
    size_t high_bytes;      /* Likewise. */
    size_t low_bytes;       /* Likewise. */
    size_t max_connections; /* Connections at once: more wait unaccepted, which
                               is logged with UV_EAGAIN; default 65,536, at
                               most 16,777,216. */
    int backlog_count;      /* Connections that the system holds for us;
                               default 100, at most what the system allows. */
    uva_family_t family;    /* Addresses to listen on; default both. */
    bool exclusive_address; /* Do not set SO_REUSEADDR. */
    bool reuse_port;        /* Set SO_REUSEPORT. */
    bool deferred;          /* Bound, but not listening before
                               uva_server_start_serving. */
    const int *fds;     /* Borrowed: sockets to listen on instead of a host or a
                           path, which are NULL then: bound, as systemd passes
                           them. The server has them once it was started, and
                           closes them; if it could not be started they are the
                           caller's as before, but non-blocking and closed on
                           exec. */
    size_t fd_count;    /* How many fds there are; 0 for none. */
    unsigned unix_mode; /* Permissions of the file of a unix socket, as of chmod
                           and at most 07777; default what the umask leaves. */
    bool steal_path;    /* Take a path over though a server listens on it, as
                           asyncio does. */
    bool keep_path;     /* Leave the file of a unix socket when the server
                           closes. */
    bool keep_alive;    /* Set SO_KEEPALIVE. */
    uint64_t close_timeout_ns; /* As of a connection, for each that is accepted.
                                */
    bool end_idle;      /* Once the server is closing, a reader that waits for
                           the first byte of a read, with nothing buffered,
                           reads the end of the stream, as if the peer had
                           closed. Streams alone. */
    size_t receive_fds; /* As of a connection, for each that is accepted. */
    const uva_filter_kind_t *filter; /* Borrowed until the server and its
                      connections are closed: what each of these begins with.
                      Its handler starts, or its protocol hears of it, once the
                      filter is ready; one whose filter fails is dropped, and
                      logged for debugging. NULL: none. */
} uva_server_options_t;

/** The defaults. */
#define UVA_SERVER_OPTIONS_INIT                                              \
    {                                                                        \
        sizeof(uva_server_options_t), 0, 0, 0, 0, 0, UVA_FAMILY_ANY, false,  \
            false, false, NULL, 0, 0, false, false, false, 0, false, 0, NULL \
    }

/**
 * Take a reference of a server: sockets that listen, and the connections that
 * they have accepted. @return server itself; NULL for NULL.
 *
 * Dropping the last reference of an open server closes it, and warns in debug
 * mode; its connections live on.
 *
 * @asyncio Server
 */
UVA_EXTERN uva_server_t *uva_server_ref(uva_server_t *server);
/** Drop a reference. @return NULL. */
UVA_EXTERN uva_server_t *uva_server_unref(uva_server_t *server);
/** The loop of a server. Borrowed. @asyncio Server.get_loop */
UVA_EXTERN uva_loop_t *uva_server_get_loop(const uva_server_t *server);

/** How many sockets a server listens on; 0 once it is closed.
 * @asyncio Server.sockets */
UVA_EXTERN size_t uva_server_socket_count(const uva_server_t *server);
/**
 * The address of one of a server's sockets. If port 0 was asked for, its port
 * is the one that the system chose.
 * @retval UV_EINVAL index is not below uva_server_socket_count.
 */
UVA_EXTERN UVA_NODISCARD int uva_server_get_sockname(
    const uva_server_t *server, size_t index, uva_address_t *ret_address);
/** The port of a server's first socket; 0 once the server is closed, and for
 * unix sockets. */
UVA_EXTERN uint16_t uva_server_port(const uva_server_t *server);
/** How many accepted connections are not closed. */
UVA_EXTERN size_t uva_server_connection_count(const uva_server_t *server);

/** Whether a server accepts connections. @asyncio Server.is_serving */
UVA_EXTERN bool uva_server_is_serving(const uva_server_t *server);

/**
 * Begin to accept connections; nothing if the server does already.
 *
 * @retval UV_EPERM      The server is closed.
 * @retval UV_EADDRINUSE Another socket listens on the address; other codes of
 *                       the system likewise. The server does not accept.
 * @retval UV_ECANCELED  The task was cancelled; the server accepts.
 * @suspends Always, for an iteration.
 * @asyncio Server.start_serving
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_server_start_serving(uva_server_t *server);
/** The poll half of uva_server_start_serving. */
UVA_EXTERN UVA_NODISCARD int
uva_server_start_serving_poll(uva_server_t *server);

/**
 * Accept until the task is cancelled or the server closed; then close it and
 * wait for its connections, which end by themselves or by
 * uva_server_close_clients.
 *
 * @retval UV_ECANCELED Always, when it served: closing a server cancels this.
 * @retval UV_EPERM     The server is closed, or another task is in this call.
 * @suspends Always.
 * @asyncio Server.serve_forever
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_server_serve_forever(uva_server_t *server);
/** The poll half of uva_server_serve_forever. */
UVA_EXTERN UVA_NODISCARD int
uva_server_serve_forever_poll(uva_server_t *server);

/**
 * Stop listening at once. Connections live on, but for the option end_idle.
 * Idempotent.
 *
 * The file of a unix socket is removed, if it is still the server's own and
 * the server was started with the path of it, or with descriptors by
 * uva_start_unix_server.
 *
 * @suspends Never.
 * @asyncio Server.close
 */
UVA_EXTERN void uva_server_close(uva_server_t *server);

/**
 * Wait until the server is closed and its last connection too, in either order.
 *
 * @retval UV_ECANCELED The task was cancelled; the server goes on as it was.
 * @suspends Unless both are closed already.
 * @asyncio Server.wait_closed
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_server_wait_closed(uva_server_t *server);
/** The poll half of uva_server_wait_closed. */
UVA_EXTERN UVA_NODISCARD int uva_server_wait_closed_poll(uva_server_t *server);

/**
 * Whether a server is closed or shut down, so that its connections should end:
 * a handler asks between two requests. A protocol asks as well; it hears
 * nothing by itself.
 */
UVA_EXTERN bool uva_server_closing(const uva_server_t *server);
/**
 * Wait until uva_server_closing. A handler that waits for something else too
 * awaits it in a task of its own, and both with uva_wait.
 *
 * @retval UV_ECANCELED The task was cancelled.
 * @suspends Unless it is closing already.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_server_wait_closing(uva_server_t *server);
/** The poll half of uva_server_wait_closing. */
UVA_EXTERN UVA_NODISCARD int uva_server_wait_closing_poll(uva_server_t *server);

/**
 * The server that has accepted a connection, for its handler or protocol.
 * Borrowed while the connection is not closed; a reference keeps it longer.
 * NULL for other connections, and once it is closed.
 */
UVA_EXTERN uva_server_t *
uva_transport_get_server(const uva_transport_t *transport);

/**
 * Close a server, let its connections end by themselves, abort those that have
 * not ended when grace_ns is over, and wait until all are closed.
 *
 * Handlers learn of it by uva_server_closing and uva_server_wait_closing, and
 * idle ones end by the option end_idle. Those of aborted connections see the
 * loss, and have some iterations to end. Handlers that ignore even that are not
 * waited for: the log tells how many they are, and the function of one. If
 * several tasks shut a server down, the earliest end of a grace counts.
 *
 * @param grace_ns From now; 0 aborts at once, UVA_FOREVER never.
 * @return How many connections this and earlier calls have aborted, or a
 *         negative code:
 * @retval UV_ECANCELED The task was cancelled: the connections that were left
 *                      are aborted at once. Not waited for.
 * @retval UV_ENOMEM    Nothing has changed. A grace of 0 needs no memory.
 * @suspends Unless there is no connection.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_server_shutdown(uva_server_t *server,
                                                          uint64_t grace_ns);
/** The poll half of uva_server_shutdown. */
UVA_EXTERN UVA_NODISCARD int uva_server_shutdown_poll(uva_server_t *server,
                                                      uint64_t grace_ns);

/** Close every connection once what was written is sent.
 * @asyncio Server.close_clients */
UVA_EXTERN void uva_server_close_clients(uva_server_t *server);
/** Close every connection at once; what was not sent is dropped.
 * @asyncio Server.abort_clients */
UVA_EXTERN void uva_server_abort_clients(uva_server_t *server);

UVA_END_DECLS

#endif /* UVA_SOCKETS_H */
