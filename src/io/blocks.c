/*
 * The reserve of blocks.
 *
 * Invariant: an idle connection has no block. Blocks go back to the reserve
 * when they are empty, and from there to the allocator above its limit; in
 * strict mode at once, so that tools see every use after that.
 */
#include "io/blocks.h"

#include "base/alloc.h"
#include "core/timers.h"

#define RESERVE_BYTES 1048576u /* Kept idle for good. */
#define RESERVE_MOST  8388608u /* Kept idle for a second. */

int uva__blocks_init(uva__blocks_t *blocks, uva_loop_t *loop)
{
    blocks->loop = loop;
    blocks->idle_limit = loop->slab.classes == 0 ? 0 : RESERVE_BYTES;
    blocks->scratch = uva__malloc(UVA__READ_BYTES);
    return blocks->scratch == NULL ? UV_ENOMEM : 0;
}

/* Free idle blocks, the largest first, until so many bytes are left. */
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
    if (block != NULL) {
        block->bytes = bytes;
        block->index = index;
    }
    return block;
}

static void blocks_trim(uva__timer_t *timer)
{
    uva__blocks_t *blocks = UVA__CONTAINER_OF(timer, uva__blocks_t, trim);

    blocks->idle_limit = RESERVE_BYTES;
    blocks_free_idle(blocks, RESERVE_BYTES);
}

/* Many busy connections take turns with more blocks than an idle loop should
 * keep: the limit is raised for a second. */
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
