/*
 * A transport in memory, and the steps of its life. A transport is a connected
 * socket with a uv_poll_t, an input, an output, and the state of what stands
 * on it behind them, in one piece.
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
 *   state       fd    left by
 *   CONNECTING  open  uva__transport_open, uva__transport_discard
 *   ACCEPTED    open  its ready node: connection_made
 *   OPEN        open  close, abort, an error
 *   CLOSING     open  the last byte was sent; abort, an error
 *   LOST        -1    its ready node: connection_lost
 *   CLOSED      -1    never
 */
typedef enum uva__transport_state_e {
    UVA__TRANSPORT_CONNECTING,
    UVA__TRANSPORT_ACCEPTED,
    UVA__TRANSPORT_OPEN,
    UVA__TRANSPORT_CLOSING,
    UVA__TRANSPORT_LOST,
    UVA__TRANSPORT_CLOSED
} uva__transport_state_t;

/* What accepted a connection, and hears of its end: a server. */
typedef struct uva__owner_s {
    void *data; /* Borrowed: for connection_made. */
    void (*left)(uva_transport_t *transport); /* It is CLOSED. */
} uva__owner_t;

struct uva_transport_s {
    uva__ready_t ready; /* connection_made, connection_lost. */
    uva_list_t link;    /* Of a server's clients, of uva__io_t.transports, or of
                           the attempts of a connect. */
    const uva__direct_ops_t *ops;
    union {
        uva__owner_t *owner;      /* Kept alive by its connections; NULL if it
                                     was not accepted. */
        struct uva__dial_s *dial; /* Borrowed: while CONNECTING. */
    } of;
    union {
        uva_transport_t *next_dirty;
        uint32_t address_index; /* While CONNECTING: of the dial's addresses. */
    };
    uva__fifo_link_t deferred_link; /* Of uva__io_t.deferred. */
    uva__output_t out;
    size_t high_bytes;
    size_t low_bytes;
    uva__record_t task_record; /* The handler's end: among its callbacks. */
    uva_task_t *task;          /* Counted: the handler, until that ran. */
    uint32_t refs;             /* Of users. */
    int fd;
    int status;           /* Why it is LOST. */
    uint8_t state;        /* uva__transport_state_t */
    uint8_t events;       /* What the poll is asked for. */
    uint8_t dropped;      /* Writes after the loss, for the warning. */
    bool handle_open : 1; /* close_cb has not come. */
    bool queued : 1;      /* ready is in the queue. */
    bool dirty : 1;       /* In uva__io_t.dirty. */
    bool deferred : 1;    /* In uva__io_t.deferred. */
    bool reading_paused : 1;
    bool read_eof : 1;
    bool made : 1; /* connection_made ran, or none is due. */
    union {
        uint8_t write_special; /* 0: a write has nothing to do but to send. */
        struct {
            bool blocked : 1; /* The system takes no more: poll tells when. */
            bool writing_paused : 1;
            bool write_eof : 1;
            bool write_shut : 1; /* The end of stream was sent. */
            bool ending : 1;     /* It is CLOSING, LOST or CLOSED. */
        };
    };
    uva__sockaddr_t peer;
    uva__input_t in;
    uva_loop_t *loop;   /* Borrowed. */
    uv_poll_cb poll_cb; /* For uva__transport_watch. */
    uv_poll_t poll;     /* data is NULL: hosts look at it. */
};

/* The state of what stands on a transport lies behind it. */
static inline void *uva__transport_behind(uva_transport_t *transport)
{
    return transport + 1;
}

/* Members that every connection of one kind shares. */
typedef struct uva__transport_kind_s {
    const uva__direct_ops_t *ops;
    size_t limit_bytes;
    size_t high_bytes;
    size_t low_bytes;
} uva__transport_kind_t;

/** Derive a mark that is none from the other one, both from the defaults.
 * @retval UV_EINVAL high_bytes < low_bytes. */
int uva__transport_marks(size_t none, size_t *high_bytes, size_t *low_bytes);
/** Check options and fill in what they leave out. */
int uva__transport_kind(uva__transport_kind_t *kind,
                        const uva__direct_ops_t *ops,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes);
/** Make a transport on a descriptor, without a reference; on failure the
 * descriptor is closed too. */
int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       int take_fd,
                       const uva__sockaddr_t *peer,
                       uva__transport_state_t state,
                       uva_transport_t **ret_transport);
/** Free it if nothing needs it: see transports.c. */
void uva__transport_maybe_free(uva_transport_t *transport);
/** Queue connection_made or connection_lost, whichever is next. */
void uva__transport_push(uva_transport_t *transport);
/** Close at once a transport that no user has heard of. */
void uva__transport_discard(uva_transport_t *transport);
/** Close at once and say why. */
void uva__transport_fail(uva_transport_t *transport, int status);
/** Ask the poll for what the state wants. */
void uva__transport_watch(uva_transport_t *transport);
/** Look at some connections of a list: those whose handles the host has closed
 * end with UV_ECONNABORTED. */
void uva__transports_look(uva_list_t *transports);

#endif /* UVA__IO_TRANSPORTS_H */
