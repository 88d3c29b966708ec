/*
 * Input: where the bytes of a connection go. stream_door.h has the struct and
 * the functions for the tasks that read; this header has those for the side
 * that reads the socket: reserve a place, read(2) into it, then commit the
 * bytes, or say that there were none.
 */
#ifndef UVA__IO_INPUT_H
#define UVA__IO_INPUT_H

#include "core/waiters.h"
#include "io/blocks.h"
#include "io/stream_door.h"

/** Nothing was read into the place that was reserved: give its memory back. */
void uva__input_unused(uva__input_t *in);

/* A place for the next bytes. */
typedef struct uva__place_s {
    uint8_t *data; /* Borrowed; never NULL. */
    size_t room;   /* Bytes; never 0. */
} uva__place_t;

/** uva__input_reserve where the block has bytes or a view in it, where a task
 * waits with a want of its own, or where there is no memory for a block. */
uva__place_t uva__input_reserve_slow(uva__input_t *in);

/** Whether it holds so much that nothing more should be read. asyncio:
 * streams.py, StreamReader.feed_data: more than twice the limit. */
static inline bool uva__input_full(const uva__input_t *in)
{
    return in->size > 2 * in->limit;
}

/** Put bytes that lie at the place of a task which waits for more of them back
 * to the others. */
void uva__input_gather(uva__input_t *in);

/** More comes behind an end of the stream: it was that of a filter, which has
 * gone. */
void uva__input_go_on(uva__input_t *in);

/** Whether a task waits for the first byte of a read, and is to find the end of
 * the stream instead. */
bool uva__input_ends_idle(const uva__input_t *in);

/**
 * Reserve a place for the next bytes. Cannot fail: without memory it is the
 * scratch of the loop. Ends with uva__input_commit or uva__input_unused, before
 * any other call on the input.
 *
 * An empty input gets a block of the size that the last reads led to expect.
 */
static inline uva__place_t uva__input_reserve(uva__input_t *in)
{
    uva__block_t *block = NULL;

    if (UVA__LIKELY(in->block == NULL && in->wants == UVA__WANTS_ANY)) {
        block = uva__block_get_class(in->loop, in->expected);
    }
    if (UVA__UNLIKELY(block == NULL)) {
        return uva__input_reserve_slow(in);
    }
    in->block = block;
    in->data = uva__block_begin(block);
    return (uva__place_t){in->data, block->bytes - sizeof *block};
}

/** Fit the class of the next block to the bytes that are there. */
void uva__input_adapt(uva__input_t *in);
/** Pause the transport if the input is full, unless it is paused already. */
void uva__input_maybe_pause(uva__input_t *in);

/* Wake the waiting task, if there is one; a second wake-up does nothing. */
static inline void uva__input_wake(uva__input_t *in)
{
    if (UVA__LIKELY(in->waiter != NULL)) {
        (void)uva__waiter_wake(in->waiter);
    }
}

/* size bytes came, and lie in the block behind the others: fit the next block
 * to them, wake the waiting task if it has what it wants, pause if they are
 * many. */
static inline void uva__input_came(uva__input_t *in, size_t size)
{
    size_t quarters;

    in->size += size;
    /* How many quarters of a block of the expected class they fill. */
    quarters = (in->size + sizeof(uva__block_t)) >>
               (UVA__BLOCK_SMALLEST + in->expected - 2);
    if (UVA__UNLIKELY(quarters == 0 || quarters >= 4)) {
        uva__input_adapt(in);
    }
    if (in->wants == UVA__WANTS_ANY ||
        (in->wants == UVA__WANTS_ALL && in->size > in->into_bytes)) {
        uva__input_wake(in);
    }
    if (UVA__UNLIKELY(uva__input_full(in))) {
        uva__input_maybe_pause(in);
    }
}

/**
 * Take size bytes that were read into the place that was reserved.
 *
 * @retval UV_ENOMEM They were in the scratch, and there is no memory to keep
 *                   them: they are lost, so the connection must fail.
 */
static inline int
uva__input_commit(uva__input_t *in, uva__place_t place, size_t size)
{
    if (UVA__UNLIKELY(in->wants >= UVA__WANTS_INTO ||
                      place.data != in->data + in->size)) {
        return uva__input_append(in, place.data, size);
    }
    uva__input_came(in, size);
    return 0;
}

#endif /* UVA__IO_INPUT_H */
