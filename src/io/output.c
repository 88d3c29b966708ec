/*
 * The unsent bytes of a connection: a queue of blocks (asyncio.selector_events,
 * _SelectorSocketTransport, its _buffer and _adjust_leftover_buffer).
 *
 * Invariant: out->bytes is the sum of the sizes of the blocks, and no block is
 * empty. A block's data lies in the block, or in a buffer that was taken and
 * whose memory the block frees. New bytes go to the last block's room first;
 * the room of the blocks before it stays unused, as their bytes would come out
 * of order.
 */
#include "io/output.h"

#include <string.h>

#include "base/alloc.h"

/* Add a line to pieces, unless it is empty: a send of empty pieces alone would
 * return 0 and look as if nothing could be sent. @return How many there are. */
static size_t
pieces_add(struct iovec *pieces, size_t used, uva_bytes_t line, size_t *total)
{
    if (line.size == 0) {
        return used;
    }
    pieces[used].iov_base = (void *)(uintptr_t)line.data;
    pieces[used].iov_len = line.size;
    *total += line.size;
    return used + 1;
}

/* asyncio: selector_events.py, _get_sendmsg_buffer: several buffers leave by
 * one sendmsg. */
size_t uva__output_pieces_slow(const uva__output_t *out,
                               const uva__supply_t *supply,
                               struct iovec *pieces,
                               size_t room,
                               size_t *ret_total)
{
    uva__fifo_link_t *link = out->blocks.last; /* Its next is the first. */
    size_t used = 0;

    /* The queue is a ring, so the count of bytes tells where it ends. */
    *ret_total = 0;
    while (*ret_total < out->bytes && used < room) {
        const uva__block_t *block;
        link = link->next;
        block = UVA__CONTAINER_OF(link, uva__block_t, link);
        used = pieces_add(pieces, used, (uva_bytes_t){block->data, block->size},
                          ret_total);
    }
    if (used < room) {
        used = pieces_add(pieces, used, supply->first, ret_total);
    }
    for (size_t i = 0; i < supply->rest_count && used < room; i++) {
        used = pieces_add(pieces, used, supply->rest[i], ret_total);
    }
    return used;
}

/* count bytes of a supply were sent: leave the lines that are through, empty
 * ones too, and shorten the one in which count ends. */
static void supply_consume(uva__supply_t *supply, size_t count)
{
    supply->bytes -= count;
    supply->begun = true;
    while (count >= supply->first.size && supply->rest_count > 0) {
        count -= supply->first.size;
        supply->first = *supply->rest++;
        supply->rest_count--;
    }
    supply->first.data += count;
    supply->first.size -= count;
}

/* Give a block back, with the buffer that it stands for, if it does. */
static void block_drop(uva_loop_t *loop, uva__block_t *block)
{
    if (block->data < uva__block_begin(block) ||
        block->data >= uva__block_end(block)) {
        uva__free(*(void **)(void *)uva__block_begin(block));
    }
    uva__block_put(loop, block);
}

void uva__output_consume_slow(uva__output_t *out,
                              uva__supply_t *supply,
                              uva_loop_t *loop,
                              size_t count)
{
    while (!uva__fifo_empty(&out->blocks) && count > 0) {
        uva__block_t *block = UVA__FIFO_FIRST(&out->blocks, uva__block_t, link);
        if (count < block->size) { /* A part of it left: the rest waits. */
            block->data += count;
            block->size -= count;
            out->bytes -= count;
            return;
        }
        count -= block->size;
        out->bytes -= block->size;
        /* Out of the queue first: the reserve uses the same link. */
        (void)uva__fifo_pop(&out->blocks);
        block_drop(loop, block);
    }
    if (count > 0) {
        supply_consume(supply, count);
    }
}

size_t
uva__output_take(uva__output_t *out, uva_loop_t *loop, void *data, size_t size)
{
    uva__block_t *block = UVA__FIFO_FIRST(&out->blocks, uva__block_t, link);
    size_t part = block->size < size ? block->size : size;

    memcpy(data, block->data, part);
    uva__output_consume_slow(out, NULL, loop, part);
    return part;
}

void uva__output_clear(uva__output_t *out, uva_loop_t *loop)
{
    /* As if all had been sent; no supply is touched. */
    uva__output_consume_slow(out, NULL, loop, out->bytes);
}

/* Copy bytes into the room of a block, which must suffice. */
static void block_fill(uva__block_t *block, const uint8_t *data, size_t size)
{
    memcpy(block->data + block->size, data, size);
    block->size += size;
    block->room -= size;
}

/* A block for room bytes that the last one cannot take; not in the queue yet.
 * @return NULL without memory. */
static uva__block_t *
output_new_block(const uva__output_t *out, uva_loop_t *loop, size_t room)
{
    /* At least as much as there is already: blocks double in size, so many
     * small writes to a slow peer need few blocks. */
    uva__block_t *block =
        uva__block_get(loop, room > out->bytes ? room : out->bytes);

    if (UVA__LIKELY(block != NULL)) {
        block->data = uva__block_begin(block);
        block->size = 0;
        block->room = block->bytes - sizeof *block;
    }
    return block;
}

/* Let a block stand for the buffer of the supply, whose memory begins where the
 * block keeps it. @return NULL without memory. */
static uva__block_t *output_wrap(uva__supply_t *supply, uva_loop_t *loop)
{
    uva_buffer_t *take =
        UVA__CONTAINER_OF(supply, uva__taken_supply_t, supply)->take;
    uva__block_t *block = uva__block_get(loop, sizeof(void *));

    if (block != NULL) {
        *(void **)(void *)uva__block_begin(block) = take->data;
        *take = (uva_buffer_t){0};
        block->data = (uint8_t *)(uintptr_t)supply->first.data;
        block->size = supply->first.size;
        block->room = 0;
    }
    return block;
}

/* Copy a line to the room of the last block, and what does not fit to the fresh
 * one. Either may be NULL if the other one has room for the line. */
static void
output_copy(uva__block_t *last, uva__block_t *fresh, uva_bytes_t line)
{
    size_t part = last == NULL             ? 0
                  : line.size < last->room ? line.size
                                           : last->room;

    if (part > 0) {
        block_fill(last, line.data, part);
    }
    if (line.size > part) {
        block_fill(fresh, line.data + part, line.size - part);
    }
}

int uva__output_keep(uva__output_t *out,
                     uva__supply_t *supply,
                     uva_loop_t *loop)
{
    uva__block_t *last = uva__fifo_empty(&out->blocks)
                             ? NULL
                             : UVA__FIFO_LAST(&out->blocks, uva__block_t, link);
    bool wraps = supply->takes && supply->bytes >= UVA__BLOCK_BYTES(0);
    size_t room = last == NULL ? 0 : last->room;
    uva__block_t *fresh = NULL;

    /* Before anything is copied: without memory nothing may have changed. */
    if (wraps || supply->bytes > room) {
        fresh = wraps ? output_wrap(supply, loop)
                      : output_new_block(out, loop, supply->bytes - room);
        if (UVA__UNLIKELY(fresh == NULL)) {
            return UV_ENOMEM;
        }
    }
    if (!wraps) {
        output_copy(last, fresh, supply->first);
        for (size_t i = 0; i < supply->rest_count; i++) {
            output_copy(last, fresh, supply->rest[i]);
        }
    }
    if (fresh != NULL) { /* Not empty: supply->bytes > room filled it. */
        uva__fifo_append(&out->blocks, &fresh->link);
    }
    out->bytes += supply->bytes;
    supply->first.size = 0;
    supply->rest_count = 0;
    supply->bytes = 0;
    return 0;
}
