/*
 * Media: what a transport stands on. A medium moves bytes and knows nothing of
 * writes, marks, states or of what reads them: transports.h has those.
 *
 * Every medium is one piece of memory of its own that begins with a
 * uva__medium_t. So it may live on when its transport is gone, until libuv has
 * done with its handle. A filter is a medium too, with another one below it.
 *
 * A medium is asked: receive and send take what is possible now. It tells by
 * ready, a function of what stands on it, that more is possible, and only if
 * watch has asked for that. ready runs no code of a user.
 *
 * A medium may hold bytes that it has taken and that cannot leave yet, as libuv
 * and filters do. They count as unsent (held). When it begins to hold
 * some it tells so by ready, inside send, and when it holds none again it tells
 * that it is writable.
 */
#ifndef UVA__IO_MEDIUM_H
#define UVA__IO_MEDIUM_H

#include <sys/types.h>
#include <sys/uio.h>

#include <uv.h>

#include "uva/transports.h"

#include "io/pipes.h"
#include "io/sockets.h"

typedef struct uva__medium_s uva__medium_t;

/* In which directions a medium moves bytes. One that has one direction ends as
 * a whole when the other end of the pipe is gone: receive returns 0 then, also
 * that of one that is only written. */
typedef enum uva__medium_way_e {
    UVA__MEDIUM_BOTH,
    UVA__MEDIUM_READS,
    UVA__MEDIUM_WRITES
} uva__medium_way_t;

/* The functions of a kind of medium. No slot is NULL unless it says so. */
typedef struct uva__medium_ops_s {
    uva_medium_kind_t kind; /* What transports stand on that stand on it. */
    uva__medium_way_t way;
    bool passes; /* What it is given to send goes below as it is. */
    /** Read once; size is above 0. @return Bytes, 0 at the end of the stream,
     * UV_EAGAIN when there are none, or why the connection is lost. */
    ssize_t (*receive)(uva__medium_t *medium, void *data, size_t size);
    /** Send pieces in order, once; none is empty. SIGPIPE is never raised, but
     * by libuv for a stream handle.
     * @return Bytes that were taken, perhaps less than all, UV_EAGAIN, or why
     * the connection is lost. */
    ssize_t (*send)(uva__medium_t *medium, struct iovec *pieces, size_t count);
    /** Send a part of a file, once; nothing may be held. NULL: it cannot.
     * @return Bytes that were taken, 0 at the end of the file, UV_EAGAIN, or a
     * code. */
    ssize_t (*sendfile)(uva__medium_t *medium,
                        int file,
                        uint64_t offset,
                        size_t size);
    /** Tell by ready when more can be received (UV_READABLE) or sent
     * (UV_WRITABLE); 0 stops both. @return 0, or why the connection is lost. */
    int (*watch)(uva__medium_t *medium, int events);
    /** Send the end of the stream behind what was sent. Nothing is held. NULL:
     * there is no such end but a close. */
    void (*shut)(uva__medium_t *medium);
    /** All was sent, and the connection is to be closed: say goodbye. Asked
     * again each time the medium tells that it is writable. NULL: there is none
     * to say. @retval 0 Done. @retval UVA_PENDING Not yet. @return Another
     * negative code: why the connection is lost. */
    int (*end)(uva__medium_t *medium);
    /** How many bytes were taken and have not left. NULL: none ever. */
    size_t (*held)(const uva__medium_t *medium);
    /** How many bytes were received from below and wait to be received by what
     * stands above. NULL: none ever, or there is nothing below. */
    size_t (*kept)(const uva__medium_t *medium);
    /** Whether it waits for the rest of something, of which a part has come, so
     * that the connection is not idle. NULL: never. */
    bool (*is_busy)(const uva__medium_t *medium);
    /** Where the medium is kept on which this one stands. NULL: on none. */
    uva__medium_t **(*below)(uva__medium_t *medium);
    /** Close at once: the peer hears of it, ready comes no more, and the medium
     * frees itself, now or later. */
    void (*close)(uva__medium_t *take_medium, uva_loop_t *loop);
    /** Whether a host has closed the handle of libuv. */
    bool (*is_gone)(const uva__medium_t *medium);
    /** @return The descriptor, borrowed; -1 without one. */
    int (*fileno)(const uva__medium_t *medium);
    /** The address of this end, of family AF_UNSPEC if there is none. NULL: the
     * descriptor is asked, or the medium below. */
    uva__sockaddr_t (*sockname)(const uva__medium_t *medium);
} uva__medium_ops_t;

/* In events of ready: the medium has begun to hold bytes. Told whether or not
 * watch has asked for anything. */
#define UVA__MEDIUM_HOLDS 256
/* In events of ready: it is called in the drain, where code of users may run.
 */
#define UVA__MEDIUM_IN_DRAIN 512

/* events: UV_READABLE, UV_WRITABLE, UVA__MEDIUM_HOLDS, UVA__MEDIUM_IN_DRAIN; or
 * a negative code: the medium has an error. libuv watches it no more then;
 * receive and send tell the error, as far as bytes that came before it let
 * them. May close the medium. */
typedef void (*uva__medium_ready_cb)(void *upper, int events);

struct uva__medium_s {
    const uva__medium_ops_t *ops; /* Static. */
    uva__medium_ready_cb ready;   /* Of upper; NULL before it is watched. */
    void *upper;                  /* Borrowed: what stands on the medium. */
    int fd; /* Owned: of a plain socket, else -1; see uva__medium_receive. */
};

/*
 * Receive and send once. A plain socket is the medium of nearly all connections
 * and has its system calls inline: without that an echo would miss the number
 * of instructions that the project promises (bench/test_instructions.sh).
 */

static inline ssize_t
uva__medium_receive(uva__medium_t *medium, void *data, size_t size)
{
    return UVA__LIKELY(medium->fd >= 0)
               ? uva__socket_read(medium->fd, data, size)
               : medium->ops->receive(medium, data, size);
}

static inline ssize_t
uva__medium_send(uva__medium_t *medium, struct iovec *pieces, size_t count)
{
    return UVA__LIKELY(medium->fd >= 0)
               ? uva__socket_send(medium->fd, pieces, count)
               : medium->ops->send(medium, pieces, count);
}

/** How many bytes a medium has taken that have not left. */
static inline size_t uva__medium_held(const uva__medium_t *medium)
{
    return medium->ops->held == NULL ? 0 : medium->ops->held(medium);
}

/** How many bytes a medium has received that were not taken from it. */
static inline size_t uva__medium_kept(const uva__medium_t *medium)
{
    return medium->ops->kept == NULL ? 0 : medium->ops->kept(medium);
}

/** Where the medium is kept on which another one stands; NULL if that stands on
 * none. */
static inline uva__medium_t **uva__medium_below(uva__medium_t *medium)
{
    return medium->ops->below == NULL ? NULL : medium->ops->below(medium);
}

/** The medium on which another one stands; NULL if that stands on none. */
static inline uva__medium_t *uva__medium_next(uva__medium_t *medium)
{
    uva__medium_t **below = uva__medium_below(medium);

    return below == NULL ? NULL : *below;
}

/** The medium that sends what this one is given: itself, or one below. */
static inline uva__medium_t *uva__medium_sender(uva__medium_t *medium)
{
    while (medium->ops->passes) {
        medium = *medium->ops->below(medium);
    }
    return medium;
}

/** Whether a medium, or one below it, waits for the rest of something. */
static inline bool uva__medium_is_busy(uva__medium_t *medium)
{
    while (medium != NULL &&
           (medium->ops->is_busy == NULL || !medium->ops->is_busy(medium))) {
        medium = uva__medium_next(medium);
    }
    return medium != NULL;
}

/** Let upper stand on the medium: it hears of it from now on. Nothing may be
 * watched. */
static inline void
uva__medium_give(uva__medium_t *medium, uva__medium_ready_cb ready, void *upper)
{
    medium->ready = ready;
    medium->upper = upper;
}

/* --- medium_socket.c --- */

/**
 * Make a medium of a stream socket, connected or connecting.
 *
 * @param take_fd Taken, on failure too: it is closed then.
 * @retval UV_ENOMEM    There is no memory.
 * @retval UV_ECANCELED The host has closed the uv_loop_t.
 */
int uva__medium_socket(uva_loop_t *loop,
                       int take_fd,
                       uva__medium_t **ret_medium);
/** Close a medium of a stream socket, but not its descriptor, which is given
 * out. */
int uva__medium_socket_leave(uva__medium_t *take_medium, uva_loop_t *loop);

/* --- medium_fd.c --- */

/**
 * Make a medium of one end of a pipe on a uv_poll_t.
 *
 * @param take_pipe What it has is taken, on failure too: it is closed then.
 * @param writes    Whether it is written, not read.
 * @return 0, or a code as of uva__medium_pipe.
 */
int uva__medium_fd(uva_loop_t *loop,
                   const uva__pipe_t *take_pipe,
                   bool writes,
                   uva__medium_t **ret_medium);

/* --- made_socket.c, or made_uv.c with -DUVA_IO=uv --- */

/** Make a medium of a connected stream socket, of the kind that the library was
 * built for. Otherwise as uva__medium_socket. */
int uva__medium_connected(uva_loop_t *loop,
                          int take_fd,
                          uva__medium_t **ret_medium);
/** A medium of uva__medium_socket has connected: change it for one of
 * uva__medium_connected. On failure it is closed. Nothing is watched. */
int uva__medium_settle(uva_loop_t *loop, uva__medium_t **medium);
/**
 * Make a medium of one end of a pipe, a terminal, a character device, or a
 * socket that is used in one direction.
 *
 * @param take_fd Taken, on failure too: it is closed then.
 * @param writes  Whether it is written, not read.
 * @retval UV_EBADF     As of uva__pipe_adopt, with a text; so is UV_EINVAL.
 * @retval UV_EPERM     The system cannot watch it: /dev/null is such a device.
 * @retval UV_ENOMEM    There is no memory.
 * @retval UV_ECANCELED The host has closed the uv_loop_t.
 */
int uva__medium_pipe(uva_loop_t *loop,
                     int take_fd,
                     bool writes,
                     uva__medium_t **ret_medium);

#endif /* UVA__IO_MEDIUM_H */
