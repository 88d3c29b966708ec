/*
 * What io keeps for a loop, and the members of the loop that io sets. Only
 * service.c makes and frees it, and answers the calls of the loop.
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
 * Bytes that reads may bring in before the tasks that wait for them have had
 * their turn. Their blocks stay in the processor's cache, and however many
 * peers send much at once, little of it is held.
 */
#define UVA__READ_BUDGET_BYTES 196608u

typedef struct uva__io_s {
    uva__io_base_t base; /* First: UVA__IO_OF relies on it. */
    uva_loop_t *loop;    /* Borrowed: the loop owns this. */

    /* The read budget: stream_read.c. */
    size_t spent_bytes;   /* Of the budget. */
    uva__flush_t renew;   /* Queued while spent_bytes is not 0: the turn's end
                             renews the budget. */
    uva__ready_t go_on;   /* Queued, and its ops not NULL, once the budget is
                             spent: reads those that are deferred. */
    uva__fifo_t deferred; /* Of uva_transport_t.deferred_link: to be read when
                             the budget is renewed. */

    /* Short writes that were collected: stream_write.c. */
    uva__ready_t send;      /* The next node while a transport is dirty. */
    uva_transport_t *dirty; /* A stack by next_dirty: transports that have
                               collected bytes of the running task. */

    uva_list_t transports; /* Of uva_transport_t.link: of no server. */
    uva_list_t servers;    /* Of uva_server_t.link: not closed. */
    uva_list_t look_ups;   /* Of uva__resolve_t.link: not answered. */
    uva__timer_t hold_up;  /* Logs the look-ups that hold up the end. */
    bool hold_up_logged;
} uva__io_t;

/** The part of a loop; NULL until it is needed and once the loop is closed. */
#define UVA__IO_OF(loop) \
    ((uva__io_t *)(void *)(loop)->services[UVA__SERVICE_IO])

/* The loop reads the rest of its sockets before it polls again. */
static inline void uva__io_defer(uva__io_t *io, uva__fifo_link_t *link)
{
    uva__fifo_append(&io->deferred, link);
    io->loop->behind = true;
}

static inline uva__fifo_link_t *uva__io_pop_deferred(uva__io_t *io)
{
    uva__fifo_link_t *link = uva__fifo_pop(&io->deferred);

    io->loop->behind = !uva__fifo_empty(&io->deferred);
    return link;
}

/* The node that sends runs before every other node. */
static inline void uva__io_send_next(uva__io_t *io)
{
    io->send.next = io->loop->ready.batch;
    io->loop->ready.batch = &io->send;
}

#endif /* UVA__IO_IO_H */
