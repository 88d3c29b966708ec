/*
 * A transport in memory, and the steps of its life. A transport has a medium
 * below, which moves the bytes (medium.h), an output in between, and a consumer
 * above, which takes what comes (uva__consumer_ops_t in stream_door.h).
 * transports.c has the life, stream_transport.c opening and closing,
 * stream_read.c and stream_write.c the bytes.
 */
#ifndef UVA__IO_TRANSPORTS_H
#define UVA__IO_TRANSPORTS_H

#include <stddef.h>

#include "core/object.h"
#include "io/address.h"
#include "io/io.h"
#include "io/medium.h"
#include "io/medium_fds.h"
#include "io/output.h"
#include "io/stream_door.h"

/*
 *   state     medium  in which list     left by
 *   ACCEPTED  there   a server's        its ready node: connection_made (to
 *                                       OPEN)
 *   OPEN      there   a server's, io's  close (to CLOSING), abort, an error
 *   CLOSING   there   likewise          the last byte was sent, abort, an error
 *   LOST      NULL    likewise          its ready node: connection_lost
 *   CLOSED    NULL    none              never
 *
 * States only grow, so `state < UVA__TRANSPORT_LOST` means that there is a
 * medium. An ACCEPTED transport may become LOST too; its ready node then comes
 * twice, for connection_made and for connection_lost.
 */
typedef enum uva__transport_state_e {
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
    const uva_filter_kind_t *filter; /* Borrowed: what its transports begin
                                        with; NULL without one. */
    /** The transport is CLOSED and in no list; the owner may free itself. */
    void (*left)(uva_transport_t *transport);
} uva__owner_t;

/* Of a transport with a close_timeout_ns, behind the state of its consumer: the
 * others do not pay for it. */
typedef struct uva__close_limit_s {
    uva__timer_t timer; /* Runs from close until the transport is LOST. */
    uva_transport_t *transport; /* Borrowed: this lies behind it. */
    uint64_t timeout_ns;
} uva__close_limit_t;

/* What few transports need: made when it is first needed. */
typedef struct uva__more_s {
    /* Of its consumers, once one was replaced. */
    const uva__consumer_ops_t *born;       /* Static: of the state behind it;
                                              NULL if none was replaced. */
    const uva__consumer_ops_t *beside_ops; /* Static: of beside. */
    void *beside; /* Owned: the state of a consumer that was made later; NULL
                     without one. */
    uva_waiter_t *sender; /* Borrowed: of the task that sends a file, while
                             sends_file is set. */
    uva__fds_t fds; /* Descriptors that came; they outlive the medium, as the
                       bytes do. */
} uva__more_t;

struct uva_transport_s {
    uva__ready_t ready; /* Runs connection_made, then reads and sends
                           in the drain, then connection_lost. */
    uva_list_t link;    /* Of a server's clients, or of
                           uva__io_t.transports; CLOSED: of a server's
                           served, or none. */
    const uva__consumer_ops_t *ops; /* Static. */
    void *consumer;                 /* What ops is of. Borrowed. */
    uva__more_t *more;     /* Owned; NULL if nothing of it is needed. */
    uva__input_t *in;      /* Borrowed: where bytes go; NULL: to
                              ops->read. */
    uva__medium_t *medium; /* Owned; NULL from LOST on. */
    uva__owner_t *owner;   /* Borrowed: a server lives as long as its clients.
                              NULL if it was not accepted. */
    uva_transport_t *next_dirty;    /* Of uva__io_t.dirty. */
    uva__fifo_link_t deferred_link; /* Of uva__io_t.deferred. */
    uva__output_t out;
    size_t high_bytes;       /* More unsent bytes pause writing. */
    size_t low_bytes;        /* No more unsent bytes resume it. */
    uva__handler_t *handler; /* Owned: handlers.c; NULL without a task. */
    uint32_t refs;           /* Of users: reader, writer, handler. */
    uint32_t behind_bytes;   /* Of the consumer's state behind this, and of the
                                uva__close_limit_t if it is close_limited. */
    int status;              /* Why it is LOST: a code, or 0 for a close. */
    uint8_t state : 3;       /* uva__transport_state_t */
    uint8_t medium_kind : 3; /* uva_medium_kind_t; outlives the medium. */
    uint8_t told_events : 2; /* UV_READABLE, UV_WRITABLE: what the medium has
                                told waits for the drain; ready is queued. */
    uint16_t events : 2;  /* Asked of the medium: UV_READABLE, UV_WRITABLE. */
    uint16_t dropped : 3; /* Writes after the loss, for the warning. */
    bool queued : 1;      /* ready is in the queue. */
    bool reads_in_drain : 1; /* Reading and resume_writing run code of users,
                                so that they have to wait for the drain. */
    bool filtering : 1;      /* A task pushes or pops a filter, or the one with
                                which it begins is not ready: opening.c. */
    bool dirty : 1;          /* In uva__io_t.dirty. */
    bool deferred : 1;       /* In uva__io_t.deferred. */
    bool reading_paused : 1; /* By the consumer or by the user. */
    bool read_eof : 1;       /* The peer has sent its end of stream. */
    bool made : 1;           /* connection_made ran, or none is due. */
    bool close_limited : 1;  /* There is a uva__close_limit_t. */
    bool ends_idle : 1;      /* As of its input. */
    bool unreadable : 1;     /* It is the writing end of a pipe. */
    union {
        uint8_t write_special; /* All flags below: 0 if a write has nothing to
                                  do but to send. */
        struct {
            bool blocked : 1; /* The medium takes no more: it tells when. */
            bool writing_paused : 1; /* pause_writing was called last. */
            bool write_eof : 1;      /* The user has asked for it. */
            bool write_shut : 1;     /* The end of stream was sent. */
            bool ending : 1;         /* It is CLOSING, LOST or CLOSED. */
            bool unwritable : 1;     /* It is the reading end of a pipe. */
            bool sends_file : 1;     /* A task does: nobody else may write. */
        };
    };
    uva__peer_t peer;
    uva_loop_t *loop; /* Borrowed. */
};

/** The state of the consumer that a transport was made with. */
static inline void *uva__transport_behind(uva_transport_t *transport)
{
    return transport + 1;
}

/** Bytes that were written and have not left, also those that the medium holds.
 */
static inline size_t uva__transport_unsent(const uva_transport_t *transport)
{
    return transport->out.bytes + (transport->medium == NULL
                                       ? 0
                                       : uva__medium_held(transport->medium));
}

/** Compare the unsent bytes with the marks, and tell what stands on the
 * transport of a change; nothing before connection_made. asyncio:
 * transports.py, _FlowControlMixin, _maybe_pause_protocol and
 * _maybe_resume_protocol: pause above the high mark, resume at the low one.
 * (There nobody has a transport before its protocol has heard connection_made.)
 */
static inline void uva__transport_check_marks(uva_transport_t *transport)
{
    void *state = transport->consumer;
    size_t unsent = uva__transport_unsent(transport);

    if (transport->writing_paused) {
        if (unsent <= transport->low_bytes) {
            transport->writing_paused = false;
            transport->ops->resume_writing(state);
        }
    } else if (unsent > transport->high_bytes && transport->made) {
        transport->writing_paused = true;
        transport->ops->pause_writing(state);
    }
}

/** The limit of a transport that is close_limited: the last bytes of it. */
static inline uva__close_limit_t *
uva__transport_close_limit(uva_transport_t *transport)
{
    char *end = (char *)(transport + 1) + transport->behind_bytes;

    return (uva__close_limit_t *)(void *)(end - sizeof(uva__close_limit_t));
}

/* The common part of all connections of one server, or of one connect. */
typedef struct uva__transport_kind_s {
    uva__factory_t factory;
    size_t limit_bytes; /* Of the input. */
    size_t high_bytes;
    size_t low_bytes;
    uint64_t close_timeout_ns; /* 0: none. */
    size_t most_fds; /* As uva__transport_receive_fds; 0: none is received. */
} uva__transport_kind_t;

/** Derive a mark whose value is none from the other one; both from the
 * defaults. none is 0 in options and SIZE_MAX in
 * uva_transport_set_write_buffer_limits.
 * @retval UV_EINVAL high_bytes < low_bytes. */
int uva__transport_marks(size_t none, size_t *high_bytes, size_t *low_bytes);
/** Make a kind of options: check them, and fill in what is 0. most_fds is 0 and
 * may be set afterwards. @retval UV_EINVAL
 * A limit is too large, or high_bytes < low_bytes.
 */
int uva__transport_kind(uva__transport_kind_t *kind,
                        const uva__factory_t *factory,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes,
                        uint64_t close_timeout_ns);
/**
 * Make a transport on a medium that is connected. It has no reference and is in
 * no list: the caller puts it into its list if it was accepted, and ends with
 * uva__transport_open. It counts as an operation of the loop.
 *
 * @param take_medium Taken, on failure too: it is closed then.
 * @param owner       Borrowed: the server that accepted it, or NULL.
 * @retval UV_ENOMEM There is no memory.
 */
int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       uva__medium_t *take_medium,
                       const uva__sockaddr_t *peer,
                       uva__owner_t *owner,
                       uva_transport_t **ret_transport);
/** Make what few transports need, unless it is there. @return 0 or UV_ENOMEM.
 */
int uva__transport_more(uva_transport_t *transport);
/** Something of it is needed no more: free it if nothing is. */
void uva__transport_less(uva_transport_t *transport);
/** Let descriptors come beside the bytes, so many before they are taken.
 * Nothing if the medium does not pass them. @return 0 or UV_ENOMEM. */
int uva__transport_receive_fds(uva_transport_t *transport, size_t most_count);
/** Free the transport if nothing needs it: see the invariant of transports.c.
 * To be called after one of the things named there has gone. */
void uva__transport_maybe_free(uva_transport_t *transport);
/** Queue the ready node: connection_made if it has not run, else
 * connection_lost. Nothing if it is queued. */
void uva__transport_push(uva_transport_t *transport);
/** Whether the consumer hears connection_made. */
static inline bool uva__transport_hears(const uva_transport_t *transport)
{
    return transport->owner != NULL || transport->ops->hears_connect;
}
/** The filter with which a transport begins is ready: it is OPEN, and the
 * consumer hears of it. From the ready queue. */
void uva__transport_begin(uva_transport_t *transport);
/** A transport that is LOST becomes CLOSED; the consumer hears of it, if it has
 * heard of the connection. From the ready queue. May free the transport. */
void uva__transport_end(uva_transport_t *transport);
/** Let the drain read (UV_READABLE) and send (UV_WRITABLE), if the transport
 * still asks the medium for that then. */
void uva__transport_push_told(uva_transport_t *transport, int events);
/** From now on a task that waits for the first byte of a read finds the end of
 * the stream there, once the medium has nothing. */
void uva__transport_end_idle(uva_transport_t *transport);
/** Close at once a transport that its consumer has not heard of: the connect
 * was cancelled when it had succeeded. No callback comes. */
void uva__transport_discard(uva_transport_t *transport);
/** Close at once; status: why, or 0. Unsent bytes are dropped, connection_lost
 * is queued. Nothing if it is LOST or CLOSED. */
void uva__transport_fail(uva_transport_t *transport, int status);
/** Ask the medium for what the state wants: to be called after every change of
 * state, reading_paused, read_eof or blocked. The transport may be LOST then,
 * if the medium refuses. */
void uva__transport_watch(uva_transport_t *transport);
/** Look at a few connections of a list, others at each call: a connection whose
 * handle the host has closed ends with UV_ECONNABORTED. */
void uva__transports_look(uva_list_t *transports);

#endif /* UVA__IO_TRANSPORTS_H */
