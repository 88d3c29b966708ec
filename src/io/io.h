/*
 * What io keeps for a loop: its read budget, the transports that have collected
 * writes, its servers, connections and look-ups. service.c makes and frees it.
 */
#ifndef UVA__IO_IO_H
#define UVA__IO_IO_H

#include <uv.h>

#include "base/fifo.h"
#include "base/list.h"
#include "core/driver.h"
#include "core/loop.h"
#include "io/blocks.h"

/*
 * The read budget: how many bytes the reads of all sockets may bring in before
 * the tasks that wait for them have run. So the bytes are still in the
 * processor's cache when a task looks at them, and the memory that is held for
 * them is bounded, however many peers send much at once.
 */
#define UVA__READ_BUDGET_BYTES 196608u

typedef struct uva__io_s {
    uva__io_base_t base; /* First: UVA__IO_OF relies on it. */
    uva_loop_t *loop;    /* Borrowed: the loop owns this. */

    /* The read budget: stream_read.c. */
    size_t spent_bytes;   /* Bytes of the budget that were read. */
    uva__flush_t renew;   /* Queued while spent_bytes is not 0. It renews the
                             budget at the end of the turn. */
    uva__ready_t go_on;   /* Queued once the budget is spent; it reads the
                             deferred transports. Its ops are NULL while it is
                             not queued. */
    uva__fifo_t deferred; /* Of uva_transport_t.deferred_link: readable, and
                             unread for lack of budget; oldest first. */

    /* Short writes that were collected: stream_write.c. */
    uva__ready_t send;      /* Queued while dirty is not NULL, in front of all
                               other nodes: it sends what was collected. */
    uva_transport_t *dirty; /* A stack by next_dirty: transports that hold
                               collected bytes of the running task. */

    uva_list_t transports; /* Of uva_transport_t.link: open and not accepted by
                              a server, which has a list of its own. */
    uva_list_t lent;       /* Of media of handles of the application:
                              medium_uv_lent.c. */
    uva_list_t servers;    /* Of uva_server_t.link: those that are not closed
                              or have clients. */
    struct uva_testing_network_s *network; /* Counted: in memory; NULL on a loop
                                              with sockets, and before the first
                                              use of hosts. */
    uva_list_t look_ups;  /* Of uva__resolve_t.link: those not answered. */
    uva__timer_t hold_up; /* Logs the look-ups that hold up the loop's end. */
    bool hold_up_logged;  /* hold_up has fired; the log is written once. */
} uva__io_t;

/** io's part of a loop. NULL before the loop opens its first socket, and once
 * the loop is closed. Whatever holds an unclosed transport, server or look-up
 * may rely on it. */
#define UVA__IO_OF(loop) \
    ((uva__io_t *)(void *)(loop)->services[UVA__SERVICE_IO])

/* Queue a transport to be read with the next budget. loop->behind tells the
 * loop that a poll can wait: the last one found more than was read. */
static inline void uva__io_defer(uva__io_t *io, uva__fifo_link_t *link)
{
    uva__fifo_append(&io->deferred, link);
    io->loop->behind = true;
}

/* The transport that has been deferred for longest. Must not be called when
 * there is none. */
static inline uva__fifo_link_t *uva__io_pop_deferred(uva__io_t *io)
{
    uva__fifo_link_t *link = uva__fifo_pop(&io->deferred);

    io->loop->behind = !uva__fifo_empty(&io->deferred);
    return link;
}

/* Queue the node that sends, in front of every other node: what a task has
 * collected leaves before another task runs, as if it had been sent at once. */
static inline void uva__io_send_next(uva__io_t *io)
{
    io->send.next = io->loop->ready.batch;
    io->loop->ready.batch = &io->send;
}

#endif /* UVA__IO_IO_H */
