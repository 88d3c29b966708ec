/*
 * What io keeps for a loop: the buffer that all sockets are read into, blocks
 * of memory for bytes on their way, and the lists of what is open.
 *
 * Invariant: an idle connection has no block. Blocks go back to the reserve
 * when they are empty, and from there to the allocator above its limit; in
 * strict mode at once, so that tools see every use after that.
 */
#include "io/io.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

static void io_abandon(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    uva__servers_abandon(io);
    UVA__LIST_FOREACH_SAFE (transport, &io->transports, uva_transport_t, link) {
        if (loop->debug && transport->state < UVA__TRANSPORT_CLOSING) {
            uva__log(UVA_LOG_WARNING, "a connection was not closed");
        }
        uva_transport_abort(transport);
    }
}

static void io_free(uva_loop_t *loop)
{
    uva__io_t *io = loop->io;

    /* Blocks that are given back from now on go to the allocator. */
    loop->io = NULL;
    for (size_t i = 0; i < UVA__BLOCK_CLASSES; i++) {
        while (io->idle[i] != NULL) {
            void *block = io->idle[i];
            io->idle[i] = *(void **)block;
            uva__free(block);
        }
    }
    uva__free(io->scratch);
    uva__free(io);
}

static const uva__io_hooks_t io_hooks = {
    .abandon = io_abandon,
    .free = io_free,
};

static UVA__NOINLINE int io_make(uva_loop_t *loop)
{
    uva__io_t *io;

    if (uva_loop_uv(loop) == NULL) {
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
    uva__list_init(&io->transports);
    uva__list_init(&io->servers);
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

/* --- blocks --- */

static inline unsigned block_class(size_t size)
{
    unsigned class = 0;

    while (((size_t)1 << (UVA__BLOCK_SMALLEST + class)) < size) {
        class++;
    }
    return class;
}

static inline size_t block_class_bytes(unsigned class)
{
    return (size_t)1 << (UVA__BLOCK_SMALLEST + class);
}

uint8_t *uva__block_get(uva_loop_t *loop, size_t *size)
{
    uva__io_t *io = loop->io;
    unsigned class;
    void *block;

    if (*size > block_class_bytes(UVA__BLOCK_CLASSES - 1)) {
        return uva__malloc(*size);
    }
    class = block_class(*size);
    *size = block_class_bytes(class);
    if (io == NULL || io->idle[class] == NULL) {
        return uva__malloc(*size);
    }
    block = io->idle[class];
    io->idle[class] = *(void **)block;
    io->idle_bytes -= *size;
    return block;
}

void uva__block_put(uva_loop_t *loop, uint8_t *block, size_t size)
{
    uva__io_t *io = loop->io;
    unsigned class;
    void *link = block;

    if (io == NULL || loop->slab.strict ||
        size > block_class_bytes(UVA__BLOCK_CLASSES - 1) ||
        size < block_class_bytes(0) ||
        io->idle_bytes + size > UVA__RESERVE_BYTES) {
        uva__free(block);
        return;
    }
    class = block_class(size);
    if (block_class_bytes(class) != size) {
        uva__free(block); /* Not one of ours: it came with its own size. */
        return;
    }
    *(void **)link = io->idle[class];
    io->idle[class] = link;
    io->idle_bytes += size;
}
