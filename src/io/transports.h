/*
 * A transport in memory, and the steps of its life. A transport is one piece of
 * memory: a connected socket with its uv_poll_t, an input, an output, and
 * behind them the state of what stands on it (uva__direct_ops_t). transports.c
 * has the life, stream_transport.c opening and closing, stream_read.c and
 * stream_write.c the bytes.
 */
#ifndef UVA__IO_TRANSPORTS_H
#define UVA__IO_TRANSPORTS_H

#include "core/object.h"
#include "io/address.h"
#include "io/input.h"
#include "io/io.h"
#include "io/output.h"
#include "io/stream_door.h"

/*
 *   state       fd    in which list     left by
 *   CONNECTING  open  a dial's          uva__transport_open (to OPEN),
 *                                       uva__transport_discard (to CLOSED)
 *   ACCEPTED    open  a server's        its ready node: connection_made (to
 * OPEN) OPEN        open  a server's, io's  close (to CLOSING), abort, an error
 *   CLOSING     open  likewise          the last byte was sent, abort, an error
 *   LOST        -1    likewise          its ready node: connection_lost
 *   CLOSED      -1    none              never
 *
 * States only grow, so `state < UVA__TRANSPORT_LOST` means that fd is open. An
 * ACCEPTED transport may become LOST too; its ready node then comes twice, for
 * connection_made and for connection_lost.
 */
typedef enum uva__transport_state_e {
    UVA__TRANSPORT_CONNECTING,
    UVA__TRANSPORT_ACCEPTED,
    UVA__TRANSPORT_OPEN,
    UVA__TRANSPORT_CLOSING,
    UVA__TRANSPORT_LOST,
    UVA__TRANSPORT_CLOSED
} uva__transport_state_t;

/* The server that accepted a connection, and hears of its end. A transport need
 * not know servers. */
typedef struct uva__owner_s {
    void *data; /* Borrowed: what connection_made is given. */
    /** The transport is CLOSED and in no list; the owner may free itself. */
    void (*left)(uva_transport_t *transport);
} uva__owner_t;

struct uva_transport_s {
    uva__ready_t ready; /* Runs connection_made, then connection_lost. */
    uva_list_t link;    /* Of a server's clients, of uva__io_t.transports, or of
                           the attempts of a connect. */
    const uva__direct_ops_t *ops; /* Static: what stands on the transport. */
    union {
        uva__owner_t *owner;      /* Borrowed: a server lives as long as its
                                     clients. NULL if it was not accepted. */
        struct uva__dial_s *dial; /* Borrowed: while CONNECTING. */
    } of;
    union {
        uva_transport_t *next_dirty; /* Of uva__io_t.dirty. */
        uint32_t address_index; /* While CONNECTING: of the dial's addresses. */
    };
    uva__fifo_link_t deferred_link; /* Of uva__io_t.deferred. */
    uva__output_t out;
    size_t high_bytes;         /* More unsent bytes pause writing. */
    size_t low_bytes;          /* No more unsent bytes resume it. */
    uva__record_t task_record; /* In task's callbacks: the handler's end. */
    uva_task_t *task;          /* Counted: the handler; NULL once it ended. */
    uint32_t refs;             /* Of users: reader, writer, handler. */
    int fd;                    /* Owned; -1 from LOST on. */
    int status;                /* Why it is LOST: a code, or 0 for a close. */
    uint8_t state;             /* uva__transport_state_t */
    uint8_t events;          /* Asked of the poll: UV_READABLE, UV_WRITABLE. */
    uint8_t dropped;         /* Writes after the loss, for the warning. */
    bool handle_open : 1;    /* libuv still has the poll: no close_cb yet. */
    bool queued : 1;         /* ready is in the queue. */
    bool dirty : 1;          /* In uva__io_t.dirty. */
    bool deferred : 1;       /* In uva__io_t.deferred. */
    bool reading_paused : 1; /* By the input or by the user. */
    bool read_eof : 1;       /* The peer has sent its end of stream. */
    bool made : 1;           /* connection_made ran, or none is due. */
    union {
        uint8_t write_special; /* All flags below: 0 if a write has nothing to
                                  do but to send. */
        struct {
            bool blocked : 1; /* The system takes no more: poll tells when. */
            bool writing_paused : 1; /* pause_writing was called last. */
            bool write_eof : 1;      /* The user has asked for it. */
            bool write_shut : 1;     /* The end of stream was sent. */
            bool ending : 1;         /* It is CLOSING, LOST or CLOSED. */
        };
    };
    uva__sockaddr_t peer;
    uva__input_t in;
    uva_loop_t *loop;   /* Borrowed. */
    uv_poll_cb poll_cb; /* For uva__transport_watch; set when it opens. */
    uv_poll_t poll;     /* data is NULL, as a host may walk all handles and take
                           data for its own. */
};

/** The state of what stands on a transport: ops->state_bytes behind it. */
static inline void *uva__transport_behind(uva_transport_t *transport)
{
    return transport + 1;
}

/* The common part of all connections of one server, or of one connect. */
typedef struct uva__transport_kind_s {
    const uva__direct_ops_t *ops; /* Static. */
    size_t limit_bytes;           /* Of the input. */
    size_t high_bytes;
    size_t low_bytes;
} uva__transport_kind_t;

/** Derive a mark whose value is none from the other one; both from the
 * defaults. none is 0 in options and SIZE_MAX in
 * uva_transport_set_write_buffer_limits.
 * @retval UV_EINVAL high_bytes < low_bytes. */
int uva__transport_marks(size_t none, size_t *high_bytes, size_t *low_bytes);
/** Make a kind of options: check them, and fill in what is 0. ops is borrowed
 * for ever. @retval UV_EINVAL A limit is too large, or high_bytes < low_bytes.
 */
int uva__transport_kind(uva__transport_kind_t *kind,
                        const uva__direct_ops_t *ops,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes);
/**
 * Make a transport on a connected or connecting socket. It has no reference and
 * is in no list: the caller puts it into one, and ends with uva__transport_open
 * or uva__transport_discard. It counts as an operation of the loop.
 *
 * @param take_fd Taken, on failure too: it is closed then.
 * @param state   CONNECTING or ACCEPTED.
 * @retval UV_ENOMEM    There is no memory.
 * @retval UV_ECANCELED The host has closed the uv_loop_t.
 */
int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       int take_fd,
                       const uva__sockaddr_t *peer,
                       uva__transport_state_t state,
                       uva_transport_t **ret_transport);
/** Free the transport if nothing needs it: see the invariant of transports.c.
 * To be called after one of the things named there has gone. */
void uva__transport_maybe_free(uva_transport_t *transport);
/** Queue the ready node: connection_made if it has not run, else
 * connection_lost. Nothing if it is queued. */
void uva__transport_push(uva_transport_t *transport);
/** Close at once a transport that no user has heard of: of a connect that
 * failed or lost. No callback comes; its memory goes when libuv is done with
 * it. */
void uva__transport_discard(uva_transport_t *transport);
/** Close at once; status: why, or 0. Unsent bytes are dropped, connection_lost
 * is queued. Nothing if it is LOST or CLOSED. */
void uva__transport_fail(uva_transport_t *transport, int status);
/** Ask the poll for what the state wants: to be called after every change of
 * state, reading_paused, read_eof or blocked. The transport may be LOST then,
 * if libuv refuses. */
void uva__transport_watch(uva_transport_t *transport);
/** Look at a few connections of a list, others at each call: a connection whose
 * handle the host has closed ends with UV_ECONNABORTED. */
void uva__transports_look(uva_list_t *transports);

#endif /* UVA__IO_TRANSPORTS_H */
