/*
 * What src/streams may see of src/io beside its public headers: the input of a
 * connection, the calls that a connection makes on what stands on it, and how
 * connections are made.
 *
 * Each function is defined in the module that is named above it. This header
 * includes public ones only, so that no other private thing comes with it.
 */
#ifndef UVA__IO_STREAM_DOOR_H
#define UVA__IO_STREAM_DOOR_H

#include "uva/sockets.h"
#include "uva/transports.h"
#include "uva/types.h"

/* --- input.c --- */

/* What the task that waits on an input waits for. */
typedef enum uva__input_wants_e {
    UVA__WANTS_ANY,  /* A byte; also the value when no task waits. */
    UVA__WANTS_ALL,  /* The end, or more than into_bytes bytes. */
    UVA__WANTS_INTO, /* A byte at into. */
    UVA__WANTS_EXACT /* into_bytes bytes at into. */
} uva__input_wants_t;

/*
 * The bytes that came in and were not taken, and the task that waits for more.
 * It lies in a transport, or in a reader that its user feeds.
 *
 * The bytes lie in a block, which is gone when there are none. A view that was
 * given out lies before them, or in the held block. Bytes that a waiting task
 * wants at a place of its own go there while there are no others; if the task
 * is cancelled they come back.
 */
typedef struct uva__input_s {
    struct uva__block_s *block; /* Owned; NULL when there are no bytes and no
                                   view. */
    uint8_t *data;              /* The first of size bytes. */
    size_t size;
    uva_waiter_t *waiter; /* Borrowed: of the task that waits. */
    uint8_t expected;     /* Class of the next block, by the last reads. */
    uint8_t wants;        /* uva__input_wants_t. */
    bool eof;
    bool paused;   /* This input has paused its transport. */
    bool viewed;   /* A view lies in the block. */
    bool behind;   /* The exception comes when all bytes were read. */
    size_t limit;  /* More than twice as much pauses the transport. */
    uint8_t *into; /* Borrowed, of the waiter's call. */
    size_t into_bytes;
    union {
        size_t filled;   /* INTO, EXACT: bytes that are at into. */
        size_t searched; /* ANY: bytes that readuntil need not search again. */
    };
    size_t consumed;            /* The result of uva_reader_consumed. */
    struct uva__block_s *held;  /* Owned: an earlier block, with the view. */
    uva_loop_t *loop;           /* Borrowed. */
    uva_transport_t *transport; /* Borrowed: this lies in it; NULL for a
                                   reader of its own. */
    void (*set_paused)(uva_transport_t *transport, bool paused);
    int32_t exception;
    uint32_t refs; /* Of a reader of its own. */
} uva__input_t;

/** Make an empty input; all else of it is zero. A transport sets set_paused. */
void uva__input_init(uva__input_t *in,
                     uva_loop_t *loop,
                     uva_transport_t *transport,
                     size_t limit);
/** Free what it owns. */
void uva__input_destroy(uva__input_t *in);
/** Bytes came: at the place that was reserved, or anywhere else. */
int uva__input_append(uva__input_t *in, const uint8_t *data, size_t size);
/** No more will come; code: why, or 0. */
void uva__input_end(uva__input_t *in, int code);
/**
 * Begin a poll that reads.
 *
 * @retval 1 It is called again: what was wanted has come, or nothing will.
 * @retval 0 It is called first; the last view is over.
 * @retval UV_ECANCELED All bytes are in the input.
 * @return Or the code of the first call: why nothing may be read. Another task
 *         may be waiting: this one may read what there is, and not wait.
 */
int uva__input_begin(uva__input_t *in);
/** Whether the running task may wait. @return 0, or why not. */
int uva__input_check(const uva__input_t *in);
/** Suspend the running task until what it wants has come. */
int uva__input_wait(uva__input_t *in, uva__input_wants_t wants);
/** The same with a place of the task's own, of which some is filled. */
int uva__input_wait_into(uva__input_t *in,
                         uva__input_wants_t wants,
                         void *data,
                         size_t size,
                         size_t filled);
/** Give the first bytes out as a view: they stay where they are until the next
 * uva__input_begin, or until all bytes were consumed. */
void uva__input_view(uva__input_t *in, size_t size);
/** The first bytes were copied. */
void uva__input_consume(uva__input_t *in, size_t size);
/** Give all bytes out in memory of their own. Nothing is taken without memory.
 */
int uva__input_detach(uva__input_t *in, uva_buffer_t *ret_buffer);

/* --- transports.c --- */

/**
 * What stands on a transport, and hears of what happens to it. The bytes that
 * come in stand in the transport's input, which wakes the task that waits.
 *
 * connection_made and connection_lost come from the ready queue, each once.
 * The others are called where things happen, inside the poll: they store and
 * wake, and run no code of the user.
 *
 * Its state lies in one piece with the transport, zeroed, and lives as long.
 */
typedef struct uva__direct_ops_s {
    size_t state_bytes; /* Of the state. */
    /** The state is there, before anything else: a connection that is being
     * opened, or one that was accepted. Must not fail. */
    void (*init)(void *state, uva_transport_t *transport);
    /** Accepted. data: given when the server was made. */
    void (*connection_made)(void *state, void *data);
    /** Closed; status: 0, or why. The input knows already. */
    void (*connection_lost)(void *state, int status);
    /** Unsent bytes rose above the high mark, or fell to the low one. */
    void (*pause_writing)(void *state);
    void (*resume_writing)(void *state);
} uva__direct_ops_t;

uva__input_t *uva__transport_input(uva_transport_t *transport);
/** The state of what stands on it. */
void *uva__transport_state(uva_transport_t *transport);
/** Why it was lost; 0 if it was not, or by a close. */
int uva__transport_status(const uva_transport_t *transport);

/* --- handlers.c --- */

/** Keep a connection until a task has ended, then report a failure of the task
 * and close. */
void uva__transport_serve(uva_transport_t *transport, uva_task_t *take_task);
/** Whether the running task is the one that serves it. */
bool uva__transport_served(const uva_transport_t *transport);

/* --- connect.c, listen.c --- */

/**
 * Connect to a host. *op is NULL before the first call.
 *
 * @param ops           What is to stand on the connection.
 * @param ret_transport New reference.
 */
UVA_NODISCARD int uva__connect_poll(void **op,
                                    const char *host,
                                    const char *port,
                                    const uva_connection_options_t *options,
                                    const uva__direct_ops_t *ops,
                                    uva_transport_t **ret_transport);

/**
 * Listen on the addresses of a host. *op is NULL before the first call.
 *
 * @param ops       What is to stand on each accepted connection.
 * @param take_data Given to connection_made; destroy frees it with the server,
 *                  or at once if an error is returned.
 */
UVA_NODISCARD int uva__listen_poll(void **op,
                                   const char *host,
                                   const char *port,
                                   const uva_server_options_t *options,
                                   const uva__direct_ops_t *ops,
                                   void *take_data,
                                   uva_destroy_cb destroy,
                                   uva_server_t **ret_server);

#endif /* UVA__IO_STREAM_DOOR_H */
