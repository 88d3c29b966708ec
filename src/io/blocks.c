/*
 * The reserve of blocks. asyncio has none: Python's allocator plays its part.
 *
 * Invariant: an idle connection has no block, since an empty block goes back
 * to the reserve at once. The reserve holds at most idle_limit bytes; above
 * that a block goes to the allocator. In strict mode the limit is 0, so that
 * sanitizers and Valgrind see every use of a block after it was given back.
 */
#include "io/blocks.h"

#include "base/alloc.h"
#include "core/timers.h"

#define RESERVE_BYTES 1048576u /* The limit of an idle loop. */
#define RESERVE_MOST  8388608u /* The limit for a second after a burst. */

int uva__blocks_init(uva__blocks_t *blocks, uva_loop_t *loop)
{
    blocks->loop = loop;
    /* A slab without classes is the mark of strict mode. */
    blocks->idle_limit = loop->slab.classes == 0 ? 0 : RESERVE_BYTES;
    blocks->scratch = uva__malloc(UVA__READ_BYTES);
    return blocks->scratch == NULL ? UV_ENOMEM : 0;
}

/* Free idle blocks until at most leave_bytes are left. The largest go first:
 * they free most for one call, and small ones are asked for most often. */
static void blocks_free_idle(uva__blocks_t *blocks, size_t leave_bytes)
{
    for (size_t i = UVA__BLOCK_CLASSES; i-- > 0;) {
        while (blocks->idle[i] != NULL && blocks->idle_bytes > leave_bytes) {
            uva__block_t *block =
                UVA__CONTAINER_OF(blocks->idle[i], uva__block_t, link);
            blocks->idle[i] = block->link.next;
            blocks->idle_bytes -= block->bytes;
            uva__free(block);
        }
    }
}

void uva__blocks_destroy(uva__blocks_t *blocks)
{
    blocks_free_idle(blocks, 0);
    uva__free(blocks->scratch);
}

uva__block_t *uva__block_new(size_t bytes)
{
    unsigned index = uva__block_class(bytes);
    uva__block_t *block;

    if (index < UVA__BLOCK_CLASSES) {
        bytes = UVA__BLOCK_BYTES(index);
    }
    block = uva__malloc(bytes);
    if (block != NULL) { /* The input and the output set the other members. */
        block->bytes = bytes;
        block->index = index;
    }
    return block;
}

/* The second of the raised limit is over. */
static void blocks_trim(uva__timer_t *timer)
{
    uva__blocks_t *blocks = UVA__CONTAINER_OF(timer, uva__blocks_t, trim);

    blocks->idle_limit = RESERVE_BYTES;
    blocks_free_idle(blocks, RESERVE_BYTES);
}

/* The reserve is full, or gone, or the block has no class. A full reserve means
 * that many connections are busy and take turns with more blocks than an idle
 * loop should keep: the limit is raised for a second, once, instead of a call
 * of the allocator for every read. Without memory for the timer it stays. */
void uva__block_put_slow(uva__blocks_t *blocks, uva__block_t *block)
{
    if (blocks != NULL && blocks->idle_limit == RESERVE_BYTES &&
        block->index < UVA__BLOCK_CLASSES &&
        uva__timer_start(blocks->loop, &blocks->trim,
                         uva__loop_deadline(blocks->loop, UVA_SEC(1)),
                         blocks_trim) >= 0) {
        blocks->idle_limit = RESERVE_MOST;
        uva__block_put(blocks->loop, block);
        return;
    }
    uva__free(block);
}
