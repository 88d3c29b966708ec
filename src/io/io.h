/*
 * Declarations that the files of this floor share: the state that io keeps for
 * a loop, transports, servers, addresses.
 *
 * Transports are uv_poll_t handles with our own read and sendmsg, because what
 * uv_write has queued goes out by write(2): a peer that has closed its end then
 * kills the process with SIGPIPE. See stream_transport.c.
 */
#ifndef UVA__IO_IO_H
#define UVA__IO_IO_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <uv.h>

#include "uva/protocols.h"
#include "uva/sockets.h"
#include "uva/transports.h"

#include "base/alloc.h"
#include "base/list.h"
#include "core/driver.h"
#include "core/futures.h"
#include "core/hosts.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/reports.h"
#include "core/tasks.h"
#include "core/timers.h"
#include "core/turn.h"
#include "core/waiters.h"

/* One read takes at most this, and one look at a socket this. asyncio:
 * selector_events.py, max_size. */
#define UVA__READ_BYTES  65536u
#define UVA__BURST_BYTES 262144u

/* Bytes that reads may bring in before the tasks that wait have had their turn:
 * their blocks stay in the processor's cache, and however many peers send much
 * at once, little of it is held. */
#define UVA__PORTION_BYTES 196608u

/* Writes of a running task that are shorter than this are collected, up to so
 * much of them, or up to the high mark if that is less. */
#define UVA__SMALL_BYTES   1024u
#define UVA__COLLECT_BYTES 16384u

/* Blocks of the reserve: 1 KiB to 64 KiB. */
#define UVA__BLOCK_SMALLEST     10u
#define UVA__BLOCK_CLASSES      7u
#define UVA__BLOCK_BYTES(index) ((size_t)1 << (UVA__BLOCK_SMALLEST + (index)))
#define UVA__RESERVE_BYTES      1048576u /* Kept idle for good. */
#define UVA__RESERVE_MOST       8388608u /* Kept idle for a second. */

/* --- the loop's part --- */

typedef struct uva__io_s {
    uva_loop_t *loop;       /* Borrowed: the loop owns this. */
    uva__flush_t flush;     /* Queued while portion_bytes is not 0. */
    uva__ready_t send;      /* The next node while some transport is dirty. */
    uva_transport_t *dirty; /* Linked by next_dirty: have collected bytes of the
                               running task. */
    uva_transport_t *late;  /* The last of a ring by next_late: to be read when
                               a portion was worked off. */
    uva__ready_t portion;   /* Queued, and run not NULL, when it is full. */
    size_t portion_bytes;   /* Read since it was last empty. */
    uva_list_t transports;  /* Of uva_transport_t.link: no server's. */
    uva_list_t servers;     /* Of uva_server_t.link: not closed. */
    uva_list_t look_ups;    /* Of uva__resolve_t.link: not answered. */
    uva__timer_t tell;      /* Names those that hold up the end. */
    bool told;              /* They were. */
    struct uva__block_s *idle[UVA__BLOCK_CLASSES]; /* Linked by next. */
    size_t idle_bytes;
    size_t idle_limit; /* 0 in strict mode. */
    uva__timer_t trim; /* Brings it down again. */
    uint8_t *scratch;  /* Owned; UVA__READ_BYTES. */
} uva__io_t;

struct uva__block_s *uva__block_get_slow(size_t bytes);
/** Free a block, or keep it above the limit for a while. */
void uva__block_put_slow(uva_loop_t *loop, struct uva__block_s *block);

/** The part of a loop, made when it is first needed.
 * @retval UV_ENOTSUP The loop has no sockets. */
int uva__io_get(uva_loop_t *loop, uva__io_t **ret_io);

/*
 * Memory for bytes on their way: these words, and the bytes behind them. It
 * belongs to an intake or to a ring of unsent bytes.
 *
 * Sizes are powers of two up to 64 KiB; larger blocks come and go by the
 * allocator.
 */
typedef struct uva__block_s {
    struct uva__block_s *next; /* Of a ring of unsent bytes. */
    uint8_t *data;             /* The first unsent byte. */
    size_t size;
    size_t room;  /* Free bytes behind them. */
    size_t bytes; /* Of the block. */
    size_t index; /* Its class. */
} uva__block_t;

static inline uint8_t *uva__block_begin(uva__block_t *block)
{
    return (uint8_t *)(block + 1);
}

static inline uint8_t *uva__block_end(uva__block_t *block)
{
    return (uint8_t *)block + block->bytes;
}

/** The class of blocks of a size; beyond the last one if it has none. */
static inline unsigned uva__block_class(size_t bytes)
{
#if defined(__GNUC__)
    return bytes <= UVA__BLOCK_BYTES(0)
               ? 0
               : 64 - UVA__BLOCK_SMALLEST -
                     (unsigned)__builtin_clzll((unsigned long long)bytes - 1);
#else
    unsigned index = 0;

    while (index < UVA__BLOCK_CLASSES && UVA__BLOCK_BYTES(index) < bytes) {
        index++;
    }
    return index;
#endif
}

/** A block of a class. */
static inline uva__block_t *uva__block_get_class(uva_loop_t *loop,
                                                 unsigned index)
{
    uva__io_t *io = loop->io;
    uva__block_t *block;

    if (UVA__UNLIKELY(io == NULL || io->idle[index] == NULL)) {
        return uva__block_get_slow(UVA__BLOCK_BYTES(index));
    }
    block = io->idle[index];
    io->idle[index] = block->next;
    io->idle_bytes -= block->bytes;
    return block;
}

/** A block of at least so many bytes in all. */
static inline uva__block_t *uva__block_get(uva_loop_t *loop, size_t bytes)
{
    unsigned index = uva__block_class(bytes);

    return index < UVA__BLOCK_CLASSES ? uva__block_get_class(loop, index)
                                      : uva__block_get_slow(bytes);
}

/** Give one back. */
static inline void uva__block_put(uva_loop_t *loop, uva__block_t *block)
{
    uva__io_t *io = loop->io;

    if (UVA__UNLIKELY(io == NULL ||
                      io->idle_bytes + block->bytes > io->idle_limit ||
                      block->index >= UVA__BLOCK_CLASSES)) {
        uva__block_put_slow(loop, block);
        return;
    }
    block->next = io->idle[block->index];
    io->idle[block->index] = block;
    io->idle_bytes += block->bytes;
}

/* --- addresses and descriptors --- */

typedef union uva__sockaddr_u {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} uva__sockaddr_t;

/* Addresses that a name stands for, in the order of the resolver. */
typedef struct uva__addresses_s {
    uva__sockaddr_t *items; /* Owned. */
    size_t count;
} uva__addresses_t;

void uva__addresses_clear(uva__addresses_t *addresses);

static inline socklen_t uva__sockaddr_bytes(const uva__sockaddr_t *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->in
                                             : sizeof address->in6;
}

static inline int uva__family(uva_family_t family)
{
    return family == UVA_FAMILY_IPV4   ? AF_INET
           : family == UVA_FAMILY_IPV6 ? AF_INET6
                                       : AF_UNSPEC;
}

/** A number, an address and its port as users see them. */
int uva__address_from(const uva__sockaddr_t *from, uva_address_t *ret_address);
/** "('127.0.0.1', 80)", as asyncio writes it. */
#define UVA__ADDRESS_TEXT 80
void uva__address_format(const uva__sockaddr_t *address, char *text);

/** A stream socket, not blocking, closed on exec. @return It, or a code. */
int uva__socket_open(int family);
/** A connection that waits at a listening socket, likewise. */
int uva__socket_accept(int listener, uva__sockaddr_t *ret_peer);
/** Options that every connection has. */
void uva__socket_prepare(int fd);

/* --- names --- */

/* A look-up that may outlive whoever asked for it. */
typedef struct uva__resolve_s uva__resolve_t;
/** status: 0 with addresses to be taken, or a code. Runs inside the poll. */
typedef void (*uva__resolve_cb)(void *data,
                                int status,
                                uva__addresses_t *take_addresses);

/* A name that is to be looked up. */
typedef struct uva__name_s {
    const char *host; /* NULL or "" is this host. */
    const char *port;
    int family;   /* AF_UNSPEC, AF_INET, AF_INET6. */
    bool passive; /* To listen: no host means all addresses. */
} uva__name_t;

/**
 * Find the addresses of a name.
 *
 * @retval 1 They are there: it was numeric.
 * @retval 0 callback comes; *ret_resolve is it until then.
 */
int uva__resolve(uva_loop_t *loop,
                 const uva__name_t *name,
                 uva__resolve_cb callback,
                 void *data,
                 uva__addresses_t *ret_addresses,
                 uva__resolve_t **ret_resolve);
/** Say that a host could not be looked up. @return code. */
int uva__resolve_failed(const char *host, int code);
/** Whether a port can be one. @return 0, or UV_EINVAL with words. */
int uva__port_check(const char *port);
/** Leave look-ups to themselves whose host has closed the loop's handles: they
 * end when the resolver has them ended, if the host still turns then. */
void uva__resolve_leave(uva__io_t *io);
/** No task is left: have look-ups named that do not end soon. */
void uva__resolve_hold_up(uva__io_t *io);
/** Forget a look-up: its callback does not come. */
void uva__resolve_cancel(uva__resolve_t *resolve);

/* --- transports --- */

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

struct uva_transport_s {
    uva__ready_t ready; /* connection_made, connection_lost. */
    uva_list_t link;    /* Of a server's clients, of uva__io_t.transports, or of
                           the attempts of a connect. */
    const uva__direct_ops_t *ops;
    union {
        uva_server_t *server;     /* Kept alive by its clients; NULL if it is
                                     no client of one. */
        struct uva__dial_s *dial; /* While CONNECTING. */
    } of;
    uva_transport_t *next_dirty;
    uva_transport_t *next_late;
    uva__block_t *out; /* The last of the ring; NULL when nothing is unsent. */
    size_t out_bytes;
    size_t collect_bytes; /* That may still be collected: 0 when a write has to
                             look further. */
    size_t high_bytes;
    size_t low_bytes;
    uva__ready_t task_ready; /* The handler's end: among its callbacks. */
    uva_task_t *task;        /* Counted: the handler, until task_ready ran. */
    uint32_t refs;           /* Of users. */
    int fd;
    int status;           /* Why it is LOST; while CONNECTING the place of
                             its address. */
    uint8_t state;        /* uva__transport_state_t */
    uint8_t events;       /* What the poll is asked for. */
    uint8_t dropped;      /* Writes after the loss, for the warning. */
    bool handle_open : 1; /* close_cb has not come. */
    bool queued : 1;      /* ready is in the queue. */
    bool dirty : 1;       /* In uva__io_t.dirty. */
    bool late : 1;        /* In uva__io_t.late. */
    bool blocked : 1;     /* The system takes no more: poll tells when. */
    bool reading_paused : 1;
    bool writing_paused : 1;
    bool read_eof : 1;
    bool write_eof : 1;
    bool settles : 1;    /* A flush has more to do than to send. */
    bool write_shut : 1; /* The end of stream was sent. */
    bool made : 1;       /* connection_made ran, or none is due. */
    uva__sockaddr_t peer;
    uva__intake_t in;
    uva_loop_t *loop; /* Borrowed. */
    uv_poll_t poll;   /* data is NULL: hosts look at it. */
};

static inline uva_loop_t *uva__transport_loop(const uva_transport_t *transport)
{
    return transport->loop;
}

/* The state of its protocol lies behind a transport. */
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

/** Check options and fill in what they leave out. */
int uva__transport_kind(uva__transport_kind_t *kind,
                        const uva__direct_ops_t *ops,
                        size_t limit_bytes,
                        size_t high_bytes,
                        size_t low_bytes);
/** A transport on a descriptor, without a reference; on failure the descriptor
 * is closed too. */
int uva__transport_new(uva_loop_t *loop,
                       const uva__transport_kind_t *kind,
                       int take_fd,
                       const uva__sockaddr_t *peer,
                       uva__transport_state_t state,
                       uva_transport_t **ret_transport);
/** A connection is there: begin to read. */
void uva__transport_open(uva_transport_t *transport);
/** Close at once one that nobody has heard of. */
void uva__transport_discard(uva_transport_t *transport);
/** Close at once and say why. */
void uva__transport_fail(uva_transport_t *transport, int status);
/** Ask the poll for what the state wants. */
void uva__transport_watch(uva_transport_t *transport);
/** The poll's callback of an open transport. */
void uva__transport_poll_cb(uv_poll_t *poll, int status, int events);
/** The system takes more. */
void uva__transport_writable(uva_transport_t *transport);
/** A send has failed: read what came before, whether somebody wants it or not,
 * as far as reading ahead goes. */
void uva__transport_read_ahead(uva_transport_t *transport);
void uva__transport_maybe_free(uva_transport_t *transport);
/** After a change of the unsent bytes or of a mark: tell the protocol, ask the
 * poll, do what close and write_eof have waited for. */
void uva__transport_settle(uva_transport_t *transport);
/** Drop what is unsent. */
void uva__transport_drop_out(uva_transport_t *transport);
/** The same of some connections of a list: these end with UV_ECONNABORTED. */
void uva__transports_look(uva_list_t *transports);
/** Send collected bytes: of a transport, of all that are dirty. */
void uva__transport_send_collected(uva_transport_t *transport);
void uva__transports_send(uva__ready_t *ready);
/** The bytes that were read in this turn have been worked on. */
void uva__transports_flush(uva__flush_t *flush);

/* --- servers --- */

/** A client is CLOSED. */
void uva__server_detach(uva_transport_t *transport);
/** Give connection_made of an accepted transport its data. */
void *uva__server_data(const uva_server_t *server);
/** Whether somebody else has closed the handles of some, one server after
 * another: that one is closed. */
void uva__servers_look(uva__io_t *io);
/** Close all servers and connections of a loop that has no task left. */
void uva__servers_abandon(uva__io_t *io);

#endif /* UVA__IO_IO_H */
