/*
 * io as a service of a loop: what it keeps for the loop, and its answers to
 * the calls of the loop.
 *
 * Invariant: a loop that has opened no socket has nothing of io; one that is
 * closed has nothing of it any more, though transports may live on.
 */
#include "io/service.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "io/resolver.h"
#include "io/server.h"
#include "io/stream_read.h"
#include "io/stream_write.h"

/* No task is left: close all. */
static void io_abandon(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    if (loop->lost) {
        uva__resolve_leave(io);
    } else {
        uva__resolve_hold_up(io);
    }
    uva__servers_abandon(io);
    UVA__LIST_FOREACH_SAFE(transport, &io->transports, uva_transport_t, link)
    {
        if (loop->debug && transport->state < UVA__TRANSPORT_CLOSING) {
            uva__log(UVA_LOG_WARNING, "a connection was not closed");
        }
        uva_transport_abort(transport);
    }
}

/* The owner of the uv_loop_t may close handles that it does not know, and
 * libuv does not say so: some are looked at in each turn. */
static void io_look(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    uva__servers_look(io);
    uva__transports_look(&io->transports);
}

/* Blocks that are given back from now on go to the allocator. */
static void io_closed(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    UVA__ASSERT(uva__fifo_empty(&io->deferred)); /* All that was queued ran. */
    loop->io = NULL;
    uva__blocks_destroy(&io->blocks);
    uva__free(io);
}

/* Send what was collected, inside a step. The node that sends stays queued. */
static void io_send(uva_loop_t *loop)
{
    uva_transport_t *transport = loop->io->dirty;

    while (transport != NULL) {
        uva__transport_send_collected(transport);
        transport = transport->next_dirty;
    }
}

static const uva__io_hooks_t io_hooks = {
    .send = io_send,
    .abandon = io_abandon,
    .look = io_look,
    .closed = io_closed,
};

static UVA__NOINLINE int io_make(uva_loop_t *loop)
{
    uva__io_t *io;

    if (uva__loop_uv(loop) == NULL) {
        return UV_ENOTSUP;
    }
    io = uva__calloc(1, sizeof *io);
    if (io == NULL || uva__blocks_init(&io->blocks, loop) < 0) {
        uva__free(io);
        return UV_ENOMEM;
    }
    io->loop = loop;
    io->renew.run = uva__reads_renew;
    io->send.ops = &uva__writes_send_ops;
    uva__list_init(&io->transports);
    uva__list_init(&io->servers);
    uva__list_init(&io->look_ups);
    loop->io = io;
    loop->io_hooks = &io_hooks;
    return 0;
}

int uva__io_get(uva_loop_t *loop, uva__io_t **ret_io)
{
    int r = 0;

    if (loop->io == NULL) {
        r = loop->closing ? UV_EPERM : io_make(loop);
    }
    if (r >= 0) {
        *ret_io = loop->io;
    }
    return r;
}
