/**
 * @file
 * Transports: a connection's lower half. Bytes go in without waiting and leave
 * when the peer takes them; high and low marks say when to wait.
 *
 * Writes leave at once, but for short ones of a task (of less than 1 KiB):
 * those that it makes before it suspends or ends leave together then, in one
 * system call, or with a longer one.
 */
#ifndef UVA_TRANSPORTS_H
#define UVA_TRANSPORTS_H

#include "uva/errors.h"
#include "uva/events.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** Kinds of internet addresses. */
typedef enum uva_family_e {
    UVA_FAMILY_ANY,
    UVA_FAMILY_IPV4,
    UVA_FAMILY_IPV6
} uva_family_t;

/** The address of one end of a connection. */
typedef struct uva_address_s {
    char host[64]; /* Numeric: "127.0.0.1", "::1", "fe80::1%eth0". */
    uint16_t port; /* In the order of the host. */
    uva_family_t family;
} uva_address_t;

/** Take a reference. @return transport itself; NULL for NULL. */
UVA_EXTERN uva_transport_t *uva_transport_ref(uva_transport_t *transport);
/** Drop a reference; the last one of an open transport closes it and warns in
 * debug mode. @return NULL. */
UVA_EXTERN uva_transport_t *uva_transport_unref(uva_transport_t *transport);
/** Borrowed. */
UVA_EXTERN uva_loop_t *uva_transport_get_loop(const uva_transport_t *transport);

/** The descriptor of the socket, to look at; -1 once it is closed.
 * @asyncio get_extra_info('socket') */
UVA_EXTERN int uva_transport_fileno(const uva_transport_t *transport);
/** The address of the peer, also when the connection is closed.
 * @asyncio get_extra_info('peername') */
UVA_EXTERN UVA_NODISCARD int
uva_transport_get_peername(const uva_transport_t *transport,
                           uva_address_t *ret_address);
/** The address of this end. @asyncio get_extra_info('sockname') */
UVA_EXTERN UVA_NODISCARD int
uva_transport_get_sockname(const uva_transport_t *transport,
                           uva_address_t *ret_address);

/**
 * Stop reading, send what was written, close. Idempotent.
 * @suspends Never.
 * @asyncio BaseTransport.close
 */
UVA_EXTERN void uva_transport_close(uva_transport_t *transport);
/** Close at once; what the system does not take now is dropped.
 * @asyncio WriteTransport.abort */
UVA_EXTERN void uva_transport_abort(uva_transport_t *transport);
/** Whether it is closing or closed. @asyncio BaseTransport.is_closing */
UVA_EXTERN bool uva_transport_is_closing(const uva_transport_t *transport);

/** Whether it reads: open and not paused. @asyncio ReadTransport.is_reading */
UVA_EXTERN bool uva_transport_is_reading(const uva_transport_t *transport);
/** Read no more until resumed; idempotent, nothing when closing.
 * @asyncio ReadTransport.pause_reading */
UVA_EXTERN void uva_transport_pause_reading(uva_transport_t *transport);
/** Read again; idempotent. @asyncio ReadTransport.resume_reading */
UVA_EXTERN void uva_transport_resume_reading(uva_transport_t *transport);

/**
 * Send bytes, or keep a copy of those that cannot leave yet.
 *
 * On a connection that is lost they are dropped. The fifth call is written to
 * the log: as a warning if it was closed here, for debugging if the peer did
 * it.
 *
 * @retval UV_EPERM  After write_eof.
 * @retval UV_ENOMEM Nothing was kept; if some of it was sent already, the
 *                   connection is lost too.
 * @retval UV_EINVAL size is above PTRDIFF_MAX: no size, but a negative code.
 *                   Nothing was sent.
 * @suspends Never.
 * @asyncio WriteTransport.write
 */
UVA_EXTERN UVA_NODISCARD int
uva_transport_write(uva_transport_t *transport, const void *data, size_t size);
/** The same for several pieces, as one.
 * @asyncio WriteTransport.writelines */
UVA_EXTERN UVA_NODISCARD int uva_transport_writelines(
    uva_transport_t *transport, const uva_bytes_t *lines, size_t count);
/**
 * Send end of stream behind what was written; reading goes on. Idempotent.
 * @asyncio WriteTransport.write_eof
 */
UVA_EXTERN int uva_transport_write_eof(uva_transport_t *transport);
/** Always true for TCP. @asyncio WriteTransport.can_write_eof */
UVA_EXTERN bool uva_transport_can_write_eof(const uva_transport_t *transport);

/**
 * Set the marks of unsent bytes: above high_bytes writers should wait, at
 * low_bytes they go on. SIZE_MAX for one of them derives it from the other
 * (low = high / 4, high = 4 * low), for both gives the defaults.
 *
 * @retval UV_EINVAL high_bytes < low_bytes. Unchanged.
 * @asyncio WriteTransport.set_write_buffer_limits
 */
UVA_EXTERN int uva_transport_set_write_buffer_limits(uva_transport_t *transport,
                                                     size_t high_bytes,
                                                     size_t low_bytes);
/** @asyncio WriteTransport.get_write_buffer_limits */
UVA_EXTERN void
uva_transport_get_write_buffer_limits(const uva_transport_t *transport,
                                      size_t *ret_high_bytes,
                                      size_t *ret_low_bytes);
/** Bytes that were written and that the system does not take; what was only
 * collected is sent first.
 * @asyncio WriteTransport.get_write_buffer_size */
UVA_EXTERN size_t
uva_transport_get_write_buffer_size(uva_transport_t *transport);

/** private: what the task that waits on an intake waits for. */
typedef enum uva__intake_wants_e {
    UVA__WANTS_ANY,  /* A byte. */
    UVA__WANTS_ALL,  /* The end, or more than into_size bytes. */
    UVA__WANTS_INTO, /* A byte at into. */
    UVA__WANTS_EXACT /* All bytes at into. */
} uva__intake_wants_t;

/**
 * private: the bytes that came in and were not taken, and who waits for more.
 * It lies in a transport, or in a reader that somebody feeds.
 *
 * The bytes lie in a block, which is gone when there are none. A view that was
 * given out lies before them, or in the held block. Bytes that a waiting task
 * wants at a place of its own go there, while there are no others; if it is
 * cancelled they come back.
 */
typedef struct uva__intake_s {
    struct uva__block_s *block; /* Counted; NULL when there are no bytes and no
                                   view. */
    uint8_t *data;              /* The first of size bytes. */
    size_t size;
    uva_waiter_t *waiter; /* Borrowed: who waits. */
    uint32_t few_bytes;   /* Below which the next block may be smaller. */
    uint8_t expected;     /* Class of the next block, by what came before. */
    uint8_t wants;        /* uva__intake_wants_t; ANY when nobody waits. */
    bool eof;
    bool paused; /* The transport, by us. */
    bool viewed; /* A view lies in the block. */
    bool behind; /* The exception comes when all bytes were read. */
    size_t limit;
    size_t pause_bytes; /* Above which reading pauses: twice the limit. */
    uint8_t *into;      /* Borrowed, of the waiter's call. */
    size_t into_size;
    size_t filled;              /* Bytes at into; of readuntil: searched. */
    size_t consumed;            /* What uva_reader_consumed tells. */
    struct uva__block_s *held;  /* Counted: of a view. */
    uva_loop_t *loop;           /* Borrowed. */
    uva_transport_t *transport; /* Borrowed: this lies in it; NULL for a
                                   reader of its own. */
    int32_t exception;
    uint32_t refs; /* Of a reader of its own. */
} uva__intake_t;

/** private: make an empty one; the rest of it is zero. */
UVA_EXTERN void uva__intake_init(uva__intake_t *in,
                                 uva_loop_t *loop,
                                 uva_transport_t *transport,
                                 size_t limit);
/** private: free what it owns. */
UVA_EXTERN void uva__intake_destroy(uva__intake_t *in);
/** private: bytes came from somewhere else. */
UVA_EXTERN int
uva__intake_feed(uva__intake_t *in, const uint8_t *data, size_t size);
/** private: no more will come; code: why, or 0. */
UVA_EXTERN void uva__intake_end(uva__intake_t *in, int code);
/**
 * private: the beginning of a poll that reads.
 *
 * @retval 1 It is called again: what was wanted has come, or nothing will.
 * @retval 0 It is called first; the last view is over.
 * @retval UV_ECANCELED All bytes are in the intake.
 * @return Or the code of the first call: why nothing may be read. Another task
 *         may be waiting: this one may read what there is, and not wait.
 */
UVA_EXTERN int uva__intake_begin(uva__intake_t *in);
/** private: whether the running task may wait. @return 0, or why not. */
UVA_EXTERN int uva__intake_check(const uva__intake_t *in);
/** private: suspend the running task until what it wants has come. */
UVA_EXTERN int uva__intake_wait(uva__intake_t *in, uva__intake_wants_t wants);
/** private: the same with a place of its own, filled so far. */
UVA_EXTERN int uva__intake_wait_into(uva__intake_t *in,
                                     uva__intake_wants_t wants,
                                     void *data,
                                     size_t size,
                                     size_t filled);
/** private: give the first bytes out as a view: they stay where they are until
 * the next uva__intake_begin, or until all bytes were taken. */
UVA_EXTERN void uva__intake_give(uva__intake_t *in, size_t size);
/** private: the first bytes were copied. */
UVA_EXTERN void uva__intake_take(uva__intake_t *in, size_t size);
/** private: give all bytes out in memory of their own. Nothing is taken
 * without memory. */
UVA_EXTERN int uva__intake_detach(uva__intake_t *in, uva_buffer_t *ret_buffer);
/** private: the intake of a transport. */
UVA_EXTERN uva__intake_t *uva__transport_intake(uva_transport_t *transport);

/** private: send what can leave now. @return Whether nothing is left. */
UVA_EXTERN bool uva__transport_flush(uva_transport_t *transport);
/** private: the state of the protocol that stands on it. */
UVA_EXTERN void *uva__transport_state(uva_transport_t *transport);
/** private: why it was lost; 0 if it was not, or by a close. */
UVA_EXTERN int uva__transport_status(const uva_transport_t *transport);
/** private: keep it until a task has ended, then report a failure of that and
 * close. */
UVA_EXTERN void uva__transport_serve(uva_transport_t *transport,
                                     uva_task_t *take_task);
/** private: whether the running task is that one. */
UVA_EXTERN bool uva__transport_served(const uva_transport_t *transport);

UVA_END_DECLS

#endif /* UVA_TRANSPORTS_H */
