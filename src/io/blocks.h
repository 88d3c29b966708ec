/*
 * Blocks: memory for bytes on their way, and the reserve of idle ones that a
 * loop keeps.
 *
 * A class is a power of two from 1 KiB (class 0) to 64 KiB (class 6). Larger
 * blocks have no class: they come from the allocator and go back to it.
 */
#ifndef UVA__IO_BLOCKS_H
#define UVA__IO_BLOCKS_H

#include "uva/types.h"

#include "base/fifo.h"
#include "core/loop.h"

#define UVA__BLOCK_SMALLEST     10u /* The exponent of class 0. */
#define UVA__BLOCK_CLASSES      7u
#define UVA__BLOCK_BYTES(index) ((size_t)1 << (UVA__BLOCK_SMALLEST + (index)))

/* Bytes that one read may bring in to the scratch. asyncio: selector_events.py,
 * _SelectorTransport.max_size, of 256 KiB. */
#define UVA__READ_BYTES 65536u

/* A block: this head, and the bytes behind it. A block has one owner: an input,
 * an output, or the reserve. An input keeps track of its bytes by itself; only
 * an output uses link, data, size and room. */
typedef struct uva__block_s {
    uva__fifo_link_t link; /* Of uva__output_t.blocks, or of idle ones. */
    uint8_t *data;         /* The first unsent byte. */
    size_t size;           /* Unsent bytes. */
    size_t room;           /* Free bytes behind them. */
    size_t bytes;          /* Of the whole block, its head included. */
    size_t index;          /* Its class; UVA__BLOCK_CLASSES if it has none. */
} uva__block_t;

/* The reserve of a loop. */
typedef struct uva__blocks_s {
    uva_loop_t *loop;                           /* Borrowed. */
    uva__fifo_link_t *idle[UVA__BLOCK_CLASSES]; /* Stacks, by class. */
    size_t idle_bytes;                          /* In all stacks. */
    size_t idle_limit; /* 0 in strict mode: no block is kept. */
    uva__timer_t trim; /* Runs while the limit is raised. */
    uint8_t *scratch;  /* Owned, UVA__READ_BYTES: all sockets of the loop read
                          into it when they have no better place. Its bytes are
                          copied out before the next read. */
} uva__blocks_t;

/** Make an empty reserve; *blocks is zeroed. @return 0 or UV_ENOMEM. */
int uva__blocks_init(uva__blocks_t *blocks, uva_loop_t *loop);
/** Free the scratch and all idle blocks. Blocks that are in use live on and go
 * to the allocator. */
void uva__blocks_destroy(uva__blocks_t *blocks);

/* The first members of io's part of a loop; uva__io_t of io.h is the whole. It
 * stands here so that blocks need not know what else io keeps. */
typedef struct uva__io_base_s {
    uva__service_t service;
    uva__blocks_t blocks;
} uva__io_base_t;

/** The reserve of a loop. NULL before the loop has opened a socket, and once it
 * is closed, though its transports may still own blocks then. */
static inline uva__blocks_t *uva__blocks_of(const uva_loop_t *loop)
{
    uva__service_t *service = loop->services[UVA__SERVICE_IO];

    return service == NULL
               ? NULL
               : &UVA__CONTAINER_OF(service, uva__io_base_t, service)->blocks;
}

/** The first byte behind the head. */
static inline uint8_t *uva__block_begin(uva__block_t *block)
{
    return (uint8_t *)(block + 1);
}

/** The end of the block's memory. */
static inline uint8_t *uva__block_end(uva__block_t *block)
{
    return (uint8_t *)block + block->bytes;
}

/** A block from the allocator, of the class that fits; bytes count its head.
 * @return NULL without memory. */
uva__block_t *uva__block_new(size_t bytes);
/** uva__block_put where the reserve has no room, is NULL, or does not take the
 * block. */
void uva__block_put_slow(uva__blocks_t *blocks, uva__block_t *block);

/** The smallest class of at least bytes, head included; UVA__BLOCK_CLASSES if
 * there is none. */
static inline unsigned uva__block_class(size_t bytes)
{
    unsigned index = 0;

    while (index < UVA__BLOCK_CLASSES && UVA__BLOCK_BYTES(index) < bytes) {
        index++;
    }
    return index;
}

/** A block of a class, from the reserve if it has one. The caller owns it and
 * ends with uva__block_put. @return NULL without memory. */
static inline uva__block_t *uva__block_get_class(uva_loop_t *loop,
                                                 unsigned index)
{
    uva__blocks_t *blocks = uva__blocks_of(loop);
    uva__block_t *block;

    if (UVA__UNLIKELY(blocks == NULL || blocks->idle[index] == NULL)) {
        return uva__block_new(UVA__BLOCK_BYTES(index));
    }
    block = UVA__CONTAINER_OF(blocks->idle[index], uva__block_t, link);
    blocks->idle[index] = block->link.next;
    blocks->idle_bytes -= block->bytes;
    return block;
}

/** A block with space for room bytes behind its head, likewise. @return NULL
 * without memory. */
static inline uva__block_t *uva__block_get(uva_loop_t *loop, size_t room)
{
    size_t bytes = room + sizeof(uva__block_t);
    unsigned index = uva__block_class(bytes);

    return index < UVA__BLOCK_CLASSES ? uva__block_get_class(loop, index)
                                      : uva__block_new(bytes);
}

/** Give a block back, with any bytes in it; also when the loop is closed. */
static inline void uva__block_put(uva_loop_t *loop, uva__block_t *block)
{
    uva__blocks_t *blocks = uva__blocks_of(loop);

    if (UVA__UNLIKELY(blocks == NULL || block->index >= UVA__BLOCK_CLASSES ||
                      blocks->idle_bytes + block->bytes > blocks->idle_limit)) {
        uva__block_put_slow(blocks, block);
        return;
    }
    block->link.next = blocks->idle[block->index];
    blocks->idle[block->index] = &block->link;
    blocks->idle_bytes += block->bytes;
}

#endif /* UVA__IO_BLOCKS_H */
