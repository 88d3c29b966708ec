/*
 * The door between io and the floor above it: all that src/streams may see of
 * src/io beside the public headers. Read this first to put something else on a
 * connection.
 *
 * What stands on a transport, its consumer, is a table of functions
 * (uva__consumer_ops_t) and a state, as asyncio's Protocol stands on its
 * Transport:
 *
 *   1. uva__connect_poll and uva__listen_poll take a factory with the table.
 * For each connection they make a transport with factory->state_bytes behind
 *      it, and call ops->init.
 *   2. Bytes that arrive go to the input that ops->init gave to the transport
 *      (uva__transport_set_input). A task takes them from there by a poll
 *      (uva__input_begin, look at data and size, then take, or
 *      uva__input_wait and return UVA_PENDING). A consumer without an input
 *      takes them by ops->read.
 *   3. Bytes leave by uva_transport_write. ops->pause_writing and
 *      ops->resume_writing tell when a task should wait.
 *   4. The end comes once, by ops->connection_lost.
 *
 * Transport and state are one piece of memory, and every reference is one of
 * the transport's (uva_transport_ref). All of it belongs to the loop's thread.
 * Polls are called by tasks; io calls the table.
 *
 * Each function is defined in the file that is named above it. The one private
 * header that comes with it is that of the record in uva__handler_t.
 */
#ifndef UVA__IO_STREAM_DOOR_H
#define UVA__IO_STREAM_DOOR_H

#include <sys/types.h>

#include "uva/sockets.h"
#include "uva/transports.h"
#include "uva/types.h"

#include "core/object.h"

/* --- input.c --- */

/*
 * What the waiting task is woken by, beside the end of the stream and a loss,
 * which wake it always:
 *
 *   wants  woken when                        into, into_bytes     in the union
 *   ANY    a byte has come                   unused               searched
 *   ALL    more than into_bytes bytes are    NULL, the most that  unused
 *          in the block                      is wanted
 *   INTO   a byte is at into                 place and its size   filled
 *   EXACT  into_bytes bytes are at into      place and its size   filled
 *
 * ANY is also the value while no task waits. The order counts: from INTO on the
 * task has a place of its own.
 */
typedef enum uva__input_wants_e {
    UVA__WANTS_ANY,
    UVA__WANTS_ALL,
    UVA__WANTS_INTO,
    UVA__WANTS_EXACT
} uva__input_wants_t;

/*
 * An input: the bytes that came in and were not taken, and the task that waits
 * for more. It lies behind a transport, or in a reader that its user feeds.
 *
 * The bytes lie in a block, which is gone when there are none, so that an idle
 * connection holds no memory. A view that was given out lies in front of them,
 * or in the held block when they had to move; it ends by the next
 * uva__input_begin. Bytes for a task with a place of its own go straight there
 * while the block is empty; if the task is cancelled they come back.
 *
 * Another floor may read every member; it writes searched and consumed, and
 * refs in a reader of its own. The transport writes ends_idle. The rest is
 * written by input.c alone.
 */
typedef struct uva__input_s {
    struct uva__block_s *block; /* Owned; NULL when there are no bytes and no
                                   view. */
    uint8_t *data;              /* The first byte that was not taken. */
    size_t size;                /* How many there are, from data on. */
    uva_waiter_t *waiter; /* Borrowed: of the waiting task; NULL if none. */
    uint8_t expected;     /* Class of the next block, by the last reads. */
    uint8_t wants;        /* uva__input_wants_t. */
    union {
        uint16_t wait_special; /* Both below: 0 if a wait has nothing to do. */
        struct {
            bool paused;    /* This input has paused its transport. */
            bool ends_idle; /* A task that would wait for the first byte of a
                               read finds the end of the stream. */
        };
    };
    bool eof;          /* No more will come; not by a loss with a code. */
    bool viewed;       /* A view lies in the block. */
    bool behind;       /* exception is told behind the bytes: a loss. */
    size_t limit;      /* More than twice as many bytes pause reading. */
    uint8_t *into;     /* Borrowed from the waiting task's call. */
    size_t into_bytes; /* Room at into; with ALL the most bytes wanted. */
    /* One task waits at a time, for one of these: wants says which is valid.
     * After uva__input_begin has returned 1 the poll finds the value there. */
    union {
        size_t filled;   /* INTO, EXACT: bytes that are at into. */
        size_t searched; /* ANY: leading bytes that hold no separator, which
                            readuntil need not search again. */
    };
    size_t consumed;            /* The result of uva_reader_consumed. */
    struct uva__block_s *held;  /* Owned: an earlier block, with the view. */
    uva_loop_t *loop;           /* Borrowed. A reader of its own keeps it. */
    uva_transport_t *transport; /* Borrowed: this lies behind it; NULL for a
                                   reader of its own. */
    int32_t exception; /* Why reading fails: a code; 0 if it does not. */
    uint32_t refs;     /* Of a reader of its own; else unused. */
} uva__input_t;

/** Make an empty input; *in is zeroed. transport is NULL for a reader of its
 * own. Cannot fail. */
void uva__input_init(uva__input_t *in,
                     uva_loop_t *loop,
                     uva_transport_t *transport,
                     size_t limit);
/** Free what the input owns. No task waits on it, and every view ends. */
void uva__input_destroy(uva__input_t *in);
/** Add bytes, and wake the waiting task if it has what it wants. They are
 * copied, unless they lie where uva__input_reserve has said.
 * @retval UV_ENOMEM Bytes that fitted at the waiting task's place are there;
 * the others are not kept. */
int uva__input_append(uva__input_t *in, const uint8_t *data, size_t size);
/** The connection is lost; code: why, or 0 for a close. Wakes the waiting task.
 * Bytes that have come can still be read; the code is told behind them. If the
 * input has an exception already, nothing happens. */
void uva__input_lose(uva__input_t *in, int code);
/** No more will come, and the waiting task is woken. code 0: the end of the
 * stream, which the reads find behind the bytes. A negative code: every read
 * fails with it from now on. */
void uva__input_end(uva__input_t *in, int code);
/**
 * Begin a poll that reads: the first act of every one. It tells the first call
 * of an await from the next one.
 *
 * If another task waits, 0 is returned as well: the caller may take what there
 * is, but not wait.
 *
 * @retval 1 The task has waited here: what it wanted has come, or nothing more
 *           will. filled or searched is as the wait has left it.
 * @retval 0 The first call. Every view that was given out is over.
 * @retval UV_ECANCELED The wait was cancelled; no byte was taken.
 * @return In the first call also a negative code: why nothing may be read.
 */
int uva__input_begin(uva__input_t *in);
/**
 * Whether the running task may wait. uva__input_wait asks by itself; a poll
 * that takes bytes before it waits asks first.
 *
 * @retval UVA_ENOTASK    No task runs here.
 * @retval UV_EPERM       Another task waits.
 * @retval UVA_EWRONGLOOP The input belongs to another loop.
 */
int uva__input_check(const uva__input_t *in);
/**
 * Suspend the running task until what it wants has come: ANY. Resumes a paused
 * transport. The last act of a poll, which returns the result.
 *
 * @return UVA_PENDING, or a code of uva__input_check.
 */
int uva__input_wait(uva__input_t *in, uva__input_wants_t wants);
/**
 * uva__input_wait with a place of the task's own (INTO, EXACT), or with the
 * most bytes that are wanted (ALL: data is NULL, filled 0).
 *
 * @param data   Borrowed until the next call of the poll.
 * @param size   Its bytes; above 0.
 * @param filled How many of them the caller has filled already.
 */
int uva__input_wait_into(uva__input_t *in,
                         uva__input_wants_t wants,
                         void *data,
                         size_t size,
                         size_t filled);
/** Take the first size bytes as a view: they stay at data, as it is before the
 * call, until the next uva__input_begin, or until all bytes were consumed. */
void uva__input_view(uva__input_t *in, size_t size);
/** Take the first size bytes, which the caller has copied. */
void uva__input_consume(uva__input_t *in, size_t size);
/** Take all bytes as a buffer, which the caller owns.
 * @retval UV_ENOMEM Nothing was taken, nothing written. */
int uva__input_detach(uva__input_t *in, uva_buffer_t *ret_buffer);

/* --- transports.c --- */

/* Makes the consumer of each connection. (asyncio: protocol_factory.) */
typedef struct uva__factory_s {
    const struct uva__consumer_ops_s *ops; /* Static. */
    size_t state_bytes;                    /* Of the state. */
    const void *callbacks; /* Static: of a protocol; NULL for streams. */
    void *arg;             /* Borrowed: of a protocol. */
} uva__factory_t;

/* What a consumer has received by one call. */
typedef struct uva__received_s {
    ssize_t count; /* Bytes, 0 at the end of the stream, UV_EAGAIN, or why the
                      connection is to be lost. */
    size_t room;   /* How many there was room for: if all of it was filled, more
                      may wait. */
} uva__received_t;

/**
 * The consumer of a transport: what takes its bytes, and hears of what happens
 * to it. The table is static; no slot but read may be NULL. The state lies
 * behind the transport, in one piece with it, and lives as long; or it belongs
 * to a user, if it has replaced another one.
 *
 *   slot             called                             how often
 *   init             inside connect or accept           once
 *   connection_made  from the ready queue               once if accepted, or if
 *                                                       hears_connect
 *   read             from the ready queue               while there are bytes,
 *                                                       reading is on, and
 *                                                       there is no input
 *   eof_received     inside the poll; from the ready    once at most
 *                    queue without an input
 *   pause_writing,   inside a write, a flush or the     in turns, pause first
 *   resume_writing   poll
 *   connection_lost  from the ready queue, in the end   once if the consumer
 *                                                       was told of it
 *   replaced         inside a call of a user            instead of
 *                                                       connection_lost
 *   destroy          when the transport is freed        once
 *
 * The slots that are not called from the ready queue store and wake, and run no
 * code of a user. (asyncio: protocols.py, Protocol.)
 */
typedef struct uva__consumer_ops_s {
    bool hears_connect; /* connection_made comes for connected ones too. */
    /** The state is there, zeroed; the connection may still be opening. There
     * is no end to come if the connect fails: own nothing yet. Must not fail.
     * limit_bytes: of the input. */
    void (*init)(void *state,
                 uva_transport_t *transport,
                 const uva__factory_t *factory,
                 size_t limit_bytes);
    /** The connection is there. data: what uva__listen_poll was given; NULL if
     * it was connected. It may be lost already: connection_lost follows then.
     */
    void (*connection_made)(void *state,
                            uva_transport_t *transport,
                            void *data);
    /** Receive once. NULL with an input. */
    uva__received_t (*read)(void *state);
    /** The peer has sent its end of stream. */
    void (*eof_received)(void *state);
    /** Unsent bytes rose above the high mark: tasks should wait. */
    void (*pause_writing)(void *state);
    /** Unsent bytes fell to the low mark: tasks may go on. Does not come if the
     * connection is lost first. */
    void (*resume_writing)(void *state);
    /** The connection is closed; status: 0 for a close, or why it was lost.
     * References may live on, and the state with them. */
    void (*connection_lost)(void *state, int status);
    /** Another consumer replaces this one, which hears nothing more but
     * destroy: wake all that wait. */
    void (*replaced)(void *state);
    /** Free what the state owns. */
    void (*destroy)(void *state);
} uva__consumer_ops_t;

/** Let the bytes that arrive go to an input from now on, or to ops->read again
 * (NULL). Borrowed. */
void uva__transport_set_input(uva_transport_t *transport, uva__input_t *in);
/* --- consumers.c --- */

/**
 * Let another consumer stand on a transport that is not CLOSED. Bytes that the
 * input of the last one still holds come to it first.
 *
 * @param consumer Borrowed: its state. Its input, if it has one, is set
 *                 afterwards.
 * @retval UV_EPERM  An engine of a filter is being called. Nothing has changed.
 * @retval UV_ENOMEM Nothing has changed.
 */
int uva__transport_replace(uva_transport_t *transport,
                           const uva__consumer_ops_t *ops,
                           void *consumer);
/**
 * Let a consumer of a factory that has one state for a transport stand on it,
 * again or for the first time: ops->init is called either way. Nothing if it
 * does already.
 *
 * @param ret_state Borrowed; lives as long as the transport.
 * @retval UV_EPERM  Likewise; or connection_made is still to come.
 * @retval UV_ENOMEM Nothing has changed.
 */
int uva__transport_stand(uva_transport_t *transport,
                         const uva__factory_t *factory,
                         size_t limit_bytes,
                         void **ret_state);

/* --- transports.c --- */

/** The loop of a transport. Borrowed. */
uva_loop_t *uva__transport_loop(const uva_transport_t *transport);
/** The state of the consumer. Borrowed; lives as long as the transport. */
void *uva__transport_state(uva_transport_t *transport);
/** Why a transport was lost; 0 while it is not, or if it was closed here. */
int uva__transport_status(const uva_transport_t *transport);

/* --- adopt.c --- */

/**
 * Make a transport on a stream handle of the application.
 *
 * @param stream        Borrowed until connection_lost. Codes as of
 *                      uva_transport_from_uv.
 * @param factory       What is to stand on it; copied.
 * @param limit_bytes   Of the input; 0 for the default.
 * @param ret_transport New reference; written on success alone.
 */
int uva__transport_adopt(uv_stream_t *stream,
                         const uva__factory_t *factory,
                         size_t limit_bytes,
                         uva_transport_t **ret_transport);

/* --- handlers.c --- */

/* The task that serves a connection. It lies in the state of the consumer. */
typedef struct uva__handler_s {
    uva__record_t record;       /* In the task's callbacks: its end. */
    uva_transport_t *transport; /* Borrowed: it has a reference for this. */
    uva_task_t *task;           /* Counted. */
} uva__handler_t;

/**
 * Let a task serve an accepted connection: keep the connection until the task
 * has ended, report a failure of the task to the exception handler, and close.
 * To be called once, in connection_made.
 *
 * @param handler   Zeroed memory that lives as long as the transport.
 * @param take_task NULL or a refusal is reported and closes the connection.
 */
void uva__transport_serve(uva_transport_t *transport,
                          uva__handler_t *handler,
                          uva_task_t *take_task);
/** Whether the running task serves this connection. Its references are the
 * connection's own, so it must not drop them. */
bool uva__transport_served(const uva_transport_t *transport);

/* --- pair.c --- */

/**
 * Make two transports in memory that are each other's peer, on the running
 * loop. Never suspends.
 *
 * @param capacity_bytes What one side may have sent and the other not received;
 *                       0 is 64 KiB.
 * @param factories      What is to stand on them; copied.
 * @param ret_transports New references; written on success alone.
 * @retval UVA_ENOLOOP No loop runs here.
 * @retval UV_ENOMEM   Nothing was made.
 */
int uva__transport_pair(size_t capacity_bytes,
                        const uva__factory_t factories[2],
                        uva_transport_t *ret_transports[2]);

/* --- connect.c, listen.c --- */

/* Where a connection goes to, or a server listens. */
typedef enum uva__target_kind_e {
    UVA__TARGET_HOST, /* name and port, of TCP. */
    UVA__TARGET_PATH, /* name is the path of a unix socket. */
    /* fd, which is connected; not for servers. */
    UVA__TARGET_FD,        /* A socket. */
    UVA__TARGET_READ_PIPE, /* What uva__medium_pipe takes. */
    UVA__TARGET_WRITE_PIPE
} uva__target_kind_t;

typedef struct uva__target_s {
    uva__target_kind_t kind;
    const char *name; /* Borrowed. */
    const char *port; /* Borrowed. */
    int fd;           /* Taken by uva__connect_poll. */
} uva__target_t;

/*
 * Both are polls: the task calls them again with the same arguments until the
 * result is not UVA_PENDING. *op is their state, NULL before the first call and
 * after the last one. What they return besides UVA_PENDING is documented at
 * uva_open_connection and uva_start_server, and their kin; after an error
 * nothing is open.
 */

/**
 * Connect to a target. One that is connected already is done in the first call,
 * which no task has to make, unless the consumer hears connection_made.
 *
 * @param target        What it points to is borrowed until the last call.
 * @param options       Likewise.
 * @param factory       What is to stand on the connection; copied.
 * @param ret_transport New reference, OPEN; written on success alone.
 */
UVA_NODISCARD int uva__connect_poll(void **op,
                                    const uva__target_t *target,
                                    const uva_connection_options_t *options,
                                    const uva__factory_t *factory,
                                    uva_transport_t **ret_transport);

/**
 * Listen on a target: on all addresses of a host, on a path, or on the
 * descriptors of the options.
 *
 * @param target     What it points to is borrowed until the last call.
 * @param options    Likewise.
 * @param factory    What is to stand on each accepted connection; copied.
 * @param take_data  Given to each connection_made. Taken in the first call.
 * @param destroy    Frees take_data, once, when the server is freed; after an
 *                   error at the latest when libuv is done with its handles.
 *                   May be NULL.
 * @param ret_server New reference; written on success alone.
 */
UVA_NODISCARD int uva__listen_poll(void **op,
                                   const uva__target_t *target,
                                   const uva_server_options_t *options,
                                   const uva__factory_t *factory,
                                   void *take_data,
                                   uva_destroy_cb destroy,
                                   uva_server_t **ret_server);

#endif /* UVA__IO_STREAM_DOOR_H */
