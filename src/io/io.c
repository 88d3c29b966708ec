/*
 * The state that io keeps for a loop: the buffer that all sockets are read
 * into, blocks of memory for bytes on their way, and the lists of what is open.
 *
 * Invariant: an idle connection has no block. Blocks go back to the reserve
 * when they are empty, and from there to the allocator above its limit; in
 * strict mode at once, so that tools see every use after that.
 */
#include "io/io.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

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

/* Whoever has the uv_loop_t may close handles that it does not know, and
 * nothing tells: some are looked at in each turn. */
static void io_look(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    uva__servers_look(io);
    uva__transports_look(&io->transports);
}

static void io_free_idle(uva__io_t *io, size_t leave_bytes)
{
    /* The largest first. */
    for (size_t i = UVA__BLOCK_CLASSES; i-- > 0;) {
        while (io->idle[i] != NULL && io->idle_bytes > leave_bytes) {
            uva__block_t *block = io->idle[i];
            io->idle[i] = block->next;
            io->idle_bytes -= block->bytes;
            uva__free(block);
        }
    }
}

static void io_closed(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    /* Blocks that are given back from now on go to the allocator. */
    UVA__ASSERT(io->late == NULL); /* All that was queued has run. */
    loop->io = NULL;
    io_free_idle(io, 0);
    uva__free(io->scratch);
    uva__free(io);
}

/* The node that sends stays where it is. */
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
    if (io == NULL) {
        return UV_ENOMEM;
    }
    io->scratch = uva__malloc(UVA__READ_BYTES);
    if (io->scratch == NULL) {
        uva__free(io);
        return UV_ENOMEM;
    }
    io->loop = loop;
    io->flush.run = uva__transports_flush;
    io->send.run = uva__transports_send;
    io->idle_limit = loop->slab.classes == 0 ? 0 : UVA__RESERVE_BYTES;
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

uva__block_t *uva__block_get_slow(size_t bytes)
{
    unsigned index = uva__block_class(bytes);
    uva__block_t *block;

    if (index < UVA__BLOCK_CLASSES) {
        bytes = UVA__BLOCK_BYTES(index);
    }
    block = uva__malloc(bytes);
    if (block != NULL) {
        block->bytes = bytes;
        block->index = index;
    }
    return block;
}

static void io_trim(uva__timer_t *timer)
{
    uva__io_t *io = UVA__CONTAINER_OF(timer, uva__io_t, trim);

    io->idle_limit = UVA__RESERVE_BYTES;
    io_free_idle(io, UVA__RESERVE_BYTES);
}

/* Many busy connections take turns with more blocks than an idle loop should
 * keep. */
void uva__block_put_slow(uva_loop_t *loop, uva__block_t *block)
{
    uva__io_t *io = loop->io;

    if (io != NULL && io->idle_limit == UVA__RESERVE_BYTES &&
        block->index < UVA__BLOCK_CLASSES &&
        uva__timer_start(loop, &io->trim, uva__loop_deadline(loop, UVA_SEC(1)),
                         io_trim) >= 0) {
        io->idle_limit = UVA__RESERVE_MOST;
        uva__block_put(loop, block);
        return;
    }
    uva__free(block);
}
