/*
 * io as a service of a loop: makes and frees what io keeps for the loop, and
 * answers the loop's calls (core/services.h). In asyncio
 * BaseSelectorEventLoop, a subclass of the loop, has this part.
 *
 * Invariant: a loop that never opened a socket has no part of io, and a closed
 * loop has none either, though its transports may live on until their users
 * drop them.
 */
#include "io/service.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/services.h"
#include "io/medium_uv_lent.h"
#include "io/network.h"
#include "io/resolver.h"
#include "io/server.h"
#include "io/stream_read.h"
#include "io/stream_write.h"

static uva__io_t *io_of_service(uva__service_t *service)
{
    return UVA__CONTAINER_OF(service, uva__io_t, base.service);
}

/* No task is left, so nobody will close what is open: close all of it. The loop
 * may call this several times, until no operation is in flight. */
static void io_abandon(uva__service_t *service)
{
    uva__io_t *io = io_of_service(service);
    uva_loop_t *loop = io->loop;

    if (loop->driver.lost) { /* No callback of libuv can be waited for. */
        uva__resolve_leave(io);
    } else {
        uva__resolve_hold_up(io);
    }
    uva__servers_abandon(io);
    /* Accepted connections went with their servers. */
    UVA__LIST_FOREACH_SAFE(transport, &io->transports, uva_transport_t, link)
    {
        if (loop->debug.enabled && transport->state < UVA__TRANSPORT_CLOSING) {
            uva__log(UVA_LOG_WARNING, "a connection was not closed");
        }
        uva_transport_abort(transport);
    }
}

/* A host, which owns the uv_loop_t of a guest loop, may close all its handles,
 * ours too (uv_walk with uv_close), and libuv tells nobody. So each turn looks
 * at some of them: each is seen in its turn, at a fixed price. */
static void io_look(uva__service_t *service)
{
    uva__io_t *io = io_of_service(service);

    uva__media_uv_look(io);
    uva__servers_look(io);
    uva__transports_look(&io->transports);
}

/* The loop is closed. A transport that lives on gives its blocks back to the
 * allocator from here on: uva__blocks_of finds NULL. */
static void io_closed(uva__service_t *service)
{
    uva__io_t *io = io_of_service(service);

    UVA__ASSERT(uva__fifo_empty(&io->deferred)); /* All that was queued ran. */
    io->loop->services[UVA__SERVICE_IO] = NULL;
    (void)uva_testing_network_unref(io->network);
    uva__blocks_destroy(&io->base.blocks);
    uva__free(io);
}

/* Send what was collected, inside a step. The transports stay dirty and the
 * node that sends stays queued: it finds nothing to send and cleans up. Taking
 * it out of the middle of the ready queue would cost more. */
static void io_flush(uva__service_t *service)
{
    uva_transport_t *transport = io_of_service(service)->dirty;

    while (transport != NULL) {
        uva__transport_send_collected(transport);
        transport = transport->next_dirty;
    }
}

/* Open connections: those of servers, and all others. */
static void io_stats(uva__service_t *service, uva_loop_stats_t *stats)
{
    uva__io_t *io = io_of_service(service);

    UVA__LIST_FOREACH (server, &io->servers, uva_server_t, link) {
        stats->connections += server->client_count;
    }
    UVA__LIST_FOREACH (transport, &io->transports, uva_transport_t, link) {
        stats->connections++;
    }
}

static const uva__service_ops_t io_ops = {
    .flush = io_flush,
    .abandon = io_abandon,
    .look = io_look,
    .stats = io_stats,
    .closed = io_closed,
};

static UVA__NOINLINE int io_make(uva_loop_t *loop)
{
    uva__io_t *io = uva__calloc(1, sizeof *io);

    if (io == NULL || uva__blocks_init(&io->base.blocks, loop) < 0) {
        uva__free(io);
        return UV_ENOMEM;
    }
    io->loop = loop;
    io->renew.run = uva__reads_renew;
    io->send.ops = &uva__writes_send_ops;
    /* go_on.ops stays NULL: the mark that it is not queued. */
    uva__list_init(&io->transports);
    uva__list_init(&io->lent);
    uva__list_init(&io->servers);
    uva__list_init(&io->look_ups);
    io->base.service.ops = &io_ops;
    loop->services[UVA__SERVICE_IO] = &io->base.service;
    return 0;
}

int uva__io_get(uva_loop_t *loop, uva__io_t **ret_io)
{
    int r = 0;

    if (UVA__IO_OF(loop) == NULL) {
        r = loop->closing ? UV_EPERM : io_make(loop);
    }
    if (r >= 0) {
        *ret_io = UVA__IO_OF(loop);
    }
    return r;
}

int uva__io_get_sockets(uva_loop_t *loop, uva__io_t **ret_io)
{
    /* A host may close the uv_loop_t later; what then fails, fails by itself.
     */
    if (uva__loop_uv(loop) == NULL &&
        (UVA__IO_OF(loop) == NULL || !loop->driver.lost)) {
        return loop->closing ? UV_EPERM : UV_ENOTSUP;
    }
    return uva__io_get(loop, ret_io);
}

/* Without a uv_loop_t that a host could have closed. */
static bool io_is_virtual(uva_loop_t *loop)
{
    return uva__loop_uv(loop) == NULL && !loop->driver.lost;
}

int uva__io_get_hosts(uva_loop_t *loop, uva__io_t **ret_io)
{
    int r;

    if (!io_is_virtual(loop)) {
        return uva__io_get_sockets(loop, ret_io);
    }
    r = uva__io_get(loop, ret_io);
    return r < 0 || (*ret_io)->network != NULL
               ? r
               : uva_testing_network_new(NULL, &(*ret_io)->network);
}

int uva_loop_set_network(uva_loop_t *loop, uva_testing_network_t *network)
{
    uva__io_t *io;
    int r = !uva__loop_owned(loop)                    ? UV_EPERM
            : network == NULL || !io_is_virtual(loop) ? UV_EINVAL
                                                      : uva__io_get(loop, &io);

    if (r < 0) {
        return uva__bare(r);
    }
    (void)uva_testing_network_ref(network);
    (void)uva_testing_network_unref(io->network);
    io->network = network;
    return 0;
}
