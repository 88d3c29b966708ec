/*
 * Input: where the bytes of a connection go. stream_door.h has the struct and
 * the functions of readers; these are for the side that reads the socket.
 */
#ifndef UVA__IO_INPUT_H
#define UVA__IO_INPUT_H

#include "core/waiters.h"
#include "io/blocks.h"
#include "io/stream_door.h"

/** The connection is lost: say so behind the bytes that have come; code: why,
 * or 0. An earlier exception stays. */
void uva__input_lose(uva__input_t *in, int code);
/** Nothing was read into the place that was reserved. */
void uva__input_unused(uva__input_t *in);
/* A place for the next bytes. */
typedef struct uva__place_s {
    uint8_t *data; /* Borrowed; never NULL. */
    size_t room;
} uva__place_t;

/** uva__input_reserve where there are bytes, or a task wants them elsewhere. */
uva__place_t uva__input_reserve_slow(uva__input_t *in);

/** Whether it holds so much that nothing more should be read. */
static inline bool uva__input_full(const uva__input_t *in)
{
    return in->size > 2 * in->limit;
}

/** Reserve a place for the next bytes, until uva__input_commit or _unused: a
 * new block, of the size that the last reads have led to expect, if there is
 * nothing yet. */
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

void uva__input_adapt(uva__input_t *in);
void uva__input_maybe_pause(uva__input_t *in);

/* Wake the task that waits. */
static inline void uva__input_wake(uva__input_t *in)
{
    if (UVA__LIKELY(in->waiter != NULL)) {
        (void)uva__waiter_wake(in->waiter);
    }
}

/* Bytes came, and lie behind the others: fit the next block to them, wake the
 * task that waits for them, pause if they are many. */
static inline void uva__input_came(uva__input_t *in, size_t size)
{
    size_t quarters;

    in->size += size;
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

/** Bytes were read into the place that was reserved. @return 0 or UV_ENOMEM. */
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
