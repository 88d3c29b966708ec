/*
 * Flows: what an engine of a filter makes, in blocks.
 *
 * Invariant: the fresh block is empty and in no queue, as an output holds no
 * empty block.
 */
#include "io/flow.h"

/* Room for an engine that does not know how much it wants. */
#define ROOM_LEAST 512u

void *uva__flow_room(uva__flow_t *flow,
                     uva_loop_t *loop,
                     size_t wanted,
                     size_t *ret_room)
{
    uva__block_t *last =
        uva__fifo_empty(&flow->bytes.blocks)
            ? NULL
            : UVA__FIFO_LAST(&flow->bytes.blocks, uva__block_t, link);

    if (flow->fresh == NULL && last != NULL && last->room > 0 &&
        (last->room >= wanted || last->room >= ROOM_LEAST)) {
        *ret_room = last->room;
        return last->data + last->size;
    }
    if (flow->fresh == NULL) {
        flow->fresh =
            uva__block_get(loop, wanted > ROOM_LEAST ? wanted : ROOM_LEAST);
        if (flow->fresh == NULL) {
            return NULL;
        }
        flow->fresh->data = uva__block_begin(flow->fresh);
        flow->fresh->size = 0;
        flow->fresh->room = flow->fresh->bytes - sizeof *flow->fresh;
    }
    *ret_room = flow->fresh->room;
    return flow->fresh->data;
}

void uva__flow_filled(uva__flow_t *flow, size_t size)
{
    uva__block_t *block = flow->fresh;

    if (size == 0) {
        return;
    }
    if (block != NULL) {
        uva__fifo_append(&flow->bytes.blocks, &block->link);
        flow->fresh = NULL;
    } else {
        block = UVA__FIFO_LAST(&flow->bytes.blocks, uva__block_t, link);
    }
    block->size += size;
    block->room -= size;
    flow->bytes.bytes += size;
}

int uva__flow_put(uva__flow_t *flow,
                  uva_loop_t *loop,
                  const void *data,
                  size_t size)
{
    uva__supply_t supply = {.first = {data, size}, .bytes = size};

    return size == 0 ? 0 : uva__output_keep(&flow->bytes, &supply, loop);
}

void uva__flow_clear(uva__flow_t *flow, uva_loop_t *loop)
{
    uva__output_clear(&flow->bytes, loop);
    if (flow->fresh != NULL) {
        uva__block_put(loop, flow->fresh);
        flow->fresh = NULL;
    }
}
