/**
 * @file
 * Filters: engines between a connection and what stands on it, with bytes of
 * the network on one side and bytes of the application on the other. TLS is
 * one; a compression, a framing or a substitution of one's own are others. A
 * filter is pushed on a live connection and may be popped again; transport,
 * protocol, reader and writer stay the same objects.
 *
 * An engine does no input or output by itself. It is called with what came, and
 * hands on what it makes by the uva_filter functions: inside its calls, or
 * later from callbacks of the same loop.
 */
#ifndef UVA_FILTERS_H
#define UVA_FILTERS_H

#include "uva/errors.h"
#include "uva/transports.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

typedef struct uva_filter_s uva_filter_t; /**< One engine on one transport. */

/**
 * The functions of an engine. They run from the loop's ready queue, or inside a
 * write, and may not await. They may close or abort the transport; to replace
 * what stands on it is UV_EPERM there. A negative code loses the connection
 * with that code, once what was given above has been taken.
 */
typedef struct uva_filter_ops_s {
    size_t size;      /* sizeof(uva_filter_ops_t). */
    const char *name; /* Static. */
    /** Begin. uva_filter_ready opens the connection, here or later. If it
     * fails, no other function is called.
     * @param data      Of the uva_filter_kind_t.
     * @param host      Borrowed during the call: what a client has asked for;
     *                  NULL for a server.
     * @param ret_state Given to every other function. */
    int (*start)(uva_filter_t *filter,
                 void *data,
                 bool is_server,
                 const char *host,
                 void **ret_state);
    /** Bytes came from below, at most 64 KiB; all are taken. data: borrowed,
     * valid during the call. */
    int (*received)(void *state, uva_bytes_t data);
    /** The stream below has ended. @retval 0 So has the one above. NULL: 0. */
    int (*ended)(void *state);
    /** Bytes are to be sent; all are taken. Not before uva_filter_ready. */
    int (*write)(void *state, const uva_bytes_t *pieces, size_t count);
    /** The end of the stream is to be sent behind all bytes. NULL: the filter
     * has no half-closed state, and uva_transport_write_eof is UV_ENOTSUP. */
    int (*write_eof)(void *state);
    /** All was written: say goodbye. NULL: there is none to say.
     * @retval 0           Done.
     * @retval UVA_PENDING uva_filter_closed follows; if it does not within
     *                     closing_ns, the connection is cut. No failure. */
    int (*close)(void *state);
    /** It is over: free the state. The last call. May be NULL. */
    void (*destroy)(void *state);
    /** What uva_transport_get_extra asks for. NULL: nothing is known.
     * @retval UV_ENOTSUP The key is not known. */
    int (*extra)(const void *state, unsigned key, void *ret_value);
    /** Whether a part of something has come whose rest is awaited, so that the
     * connection is not idle. NULL: never. */
    bool (*partial)(const void *state);
} uva_filter_ops_t;

/** What connections are wrapped in; a struct of the user's, static or alive as
 * long as connections have it. Zero means the default. */
struct uva_filter_kind_s {
    size_t size;                 /* sizeof(uva_filter_kind_t). */
    const uva_filter_ops_t *ops; /* Static. */
    void *data;                  /* Borrowed: for start. */
    uint64_t opening_ns;         /* For uva_filter_ready; default 60 s. */
    uint64_t closing_ns;         /* For uva_filter_closed; default 5 s. */
    size_t lingering_bytes;      /* Bytes from below that are read while it
                                    closes; default 64 KiB, then it is cut. */
};

/* --- what an engine calls --- */

/** The connection may be used; or a negative status: it is lost. Once. */
UVA_EXTERN void uva_filter_ready(uva_filter_t *filter, int status);
/** Send bytes below; they are copied. @retval UV_ENOMEM Nothing was kept. */
UVA_EXTERN UVA_NODISCARD int
uva_filter_send(uva_filter_t *filter, const void *data, size_t size);
/** Room for bytes that are to be sent below: at least 1, likely wanted_bytes.
 * Borrowed until the next call of uva_filter_send_*. @return NULL without
 * memory. */
UVA_EXTERN void *uva_filter_send_room(uva_filter_t *filter,
                                      size_t wanted_bytes,
                                      size_t *ret_room);
/** size bytes were put into that room. */
UVA_EXTERN void uva_filter_send_filled(uva_filter_t *filter, size_t size);
/** Give bytes to what stands above; they are copied. @retval UV_ENOMEM Nothing
 * was kept. */
UVA_EXTERN UVA_NODISCARD int
uva_filter_give(uva_filter_t *filter, const void *data, size_t size);
/** As uva_filter_send_room, for bytes that are to be given above. */
UVA_EXTERN void *uva_filter_give_room(uva_filter_t *filter,
                                      size_t wanted_bytes,
                                      size_t *ret_room);
/** As uva_filter_send_filled. */
UVA_EXTERN void uva_filter_give_filled(uva_filter_t *filter, size_t size);
/** The stream above ends behind what was given; the connection may still
 * write. */
UVA_EXTERN void uva_filter_eof(uva_filter_t *filter);
/** The goodbye is over: the answer to close, or the peer has said its own.
 * Nothing more is received or written. */
UVA_EXTERN void uva_filter_closed(uva_filter_t *filter);
/** Bytes that came from below and are not the engine's: what stands there after
 * it has them. They are copied. To be called inside received, before or after
 * uva_filter_closed. @retval UV_ENOMEM Nothing was kept. */
UVA_EXTERN UVA_NODISCARD int
uva_filter_unread(uva_filter_t *filter, const void *data, size_t size);
/** The transport. Borrowed. */
UVA_EXTERN uva_transport_t *uva_filter_transport(const uva_filter_t *filter);

/* --- what its users call --- */

/** Filters on one transport at most. */
#define UVA_FILTERS_MOST 4

/** State of one call of uva_transport_push_filter or _pop_filter; zeroed before
 * the first. */
typedef struct uva_filter_op_s {
    void *state;
} uva_filter_op_t;

/**
 * Wrap a live connection in a filter and wait until it is ready. What was
 * written before leaves before; what streams have read and nobody has taken
 * goes to the filter.
 *
 * @param kind Borrowed until the filter is popped or the connection closed.
 * @param host Borrowed until the call returns: for a client, the name it
 *             expects; else NULL.
 * @retval UV_EPERM     The connection is closing, its end of stream was sent,
 *                      or another task is in a call like this, or sends a
 *                      file.
 * @retval UV_EINVAL    kind is none.
 * @retval UV_ENOTSUP   It is one end of a pipe.
 * @retval UV_E2BIG     It has UVA_FILTERS_MOST filters.
 * @retval UV_ENOMEM    Nothing has changed.
 * @retval UV_ETIMEDOUT The filter was not ready in time. The connection is
 *                      lost, as after every other code of the filter.
 * @retval UV_ECONNABORTED It was closed or aborted here meanwhile.
 * @retval UV_ECANCELED The task was cancelled, and the connection is aborted:
 *                      half of a handshake is of no use.
 * @suspends Always.
 * @asyncio loop.start_tls; differs: the transport is not replaced.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_transport_push_filter(uva_transport_t *transport,
                          const uva_filter_kind_t *kind,
                          bool is_server,
                          const char *host);
/** The poll half of uva_transport_push_filter. */
UVA_EXTERN UVA_NODISCARD int
uva_transport_push_filter_poll(uva_filter_op_t *op,
                               uva_transport_t *transport,
                               const uva_filter_kind_t *kind,
                               bool is_server,
                               const char *host);
/**
 * Let the last filter say goodbye, and go on without it. What it has given and
 * nobody has taken is still read first. If the goodbye of the peer has ended a
 * reader, that one reads on.
 *
 * @retval UV_ENOENT    There is no filter.
 * @retval UV_EPIPE     Bytes waited for an engine that is closed; they are not
 *                      sent without it: the connection is lost.
 * @retval UV_EPERM     As of uva_transport_push_filter.
 * @retval UV_ENOMEM    The filter is closed, and may be popped again.
 * @retval UV_ETIMEDOUT The filter did not end in time: the connection is lost,
 *                      as after every other code of the filter.
 * @retval UV_ECONNABORTED It was closed or aborted here meanwhile.
 * @retval UV_ECANCELED The task was cancelled, and the connection is aborted.
 * @suspends Always.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_transport_pop_filter(uva_transport_t *transport);
/** The poll half of uva_transport_pop_filter. */
UVA_EXTERN UVA_NODISCARD int
uva_transport_pop_filter_poll(uva_filter_op_t *op, uva_transport_t *transport);
/** Ask the filters of a transport, the last one first, for something that one
 * knows. @retval UV_ENOTSUP None does. */
UVA_EXTERN int uva_transport_get_extra(const uva_transport_t *transport,
                                       unsigned key,
                                       void *ret_value);

UVA_END_DECLS

#endif /* UVA_FILTERS_H */
