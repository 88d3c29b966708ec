/*
 * Unsent bytes, in two forms. An output is what was written and is kept by the
 * transport. A supply is what one call of write brings: it is sent from the
 * caller's memory, and copied to the output only if the system refuses it. A
 * buffer that the caller gives away is not even copied then.
 *
 * Order on the wire: all of the output, then the supply.
 */
#ifndef UVA__IO_OUTPUT_H
#define UVA__IO_OUTPUT_H

#include <sys/uio.h>

#include "base/fifo.h"
#include "io/blocks.h"

/* Unsent bytes, in order. */
typedef struct uva__output_s {
    uva__fifo_t blocks; /* Of uva__block_t.link, owned; none is empty. */
    size_t bytes;       /* In all blocks. */
} uva__output_t;

/* The unsent bytes of one write. They lie in the caller's memory, which is
 * valid until the write returns. */
typedef struct uva__supply_s {
    uva_bytes_t first;       /* The rest of the line that is being sent. */
    const uva_bytes_t *rest; /* Borrowed: the lines behind it. */
    size_t rest_count;       /* Lines in rest. */
    size_t bytes;            /* In first and rest. */
    bool begun;              /* Some bytes were sent. */
    bool takes;              /* It is a uva__taken_supply_t. */
} uva__supply_t;

/* A supply of one line that lies in a buffer which the caller gives away. The
 * pointer is no member of every supply: each write would have to clear it. */
typedef struct uva__taken_supply_s {
    uva__supply_t supply;
    uva_buffer_t *take; /* Borrowed; emptied if the output has its memory. */
} uva__taken_supply_t;

/** uva__output_pieces where there is an output, or a supply of lines. */
size_t uva__output_pieces_slow(const uva__output_t *out,
                               const uva__supply_t *supply,
                               struct iovec *pieces,
                               size_t room,
                               size_t *ret_total);
/** uva__output_consume where there is an output, or a rest stays. supply may be
 * NULL if count is not above out->bytes. */
void uva__output_consume_slow(uva__output_t *out,
                              uva__supply_t *supply,
                              uva_loop_t *loop,
                              size_t count);

/**
 * Describe the first unsent bytes for a send: those of the output, then those
 * of the supply. Nothing is consumed.
 *
 * @param pieces Array of room; they borrow the bytes until the next call.
 * @return How many pieces; *ret_total: bytes in all of them.
 */
static inline size_t uva__output_pieces(const uva__output_t *out,
                                        const uva__supply_t *supply,
                                        struct iovec *pieces,
                                        size_t room,
                                        size_t *ret_total)
{
    if (UVA__UNLIKELY(out->bytes > 0 || supply->rest_count > 0)) {
        return uva__output_pieces_slow(out, supply, pieces, room, ret_total);
    }
    /* struct iovec has no const, as readv uses it too; a send only reads. */
    pieces->iov_base = (void *)(uintptr_t)supply->first.data;
    pieces->iov_len = supply->bytes;
    *ret_total = supply->bytes;
    return 1;
}

/** count bytes were sent: drop them from the output, then from the supply. */
static inline void uva__output_consume(uva__output_t *out,
                                       uva__supply_t *supply,
                                       uva_loop_t *loop,
                                       size_t count)
{
    if (UVA__UNLIKELY(out->bytes > 0 || count < supply->bytes)) {
        uva__output_consume_slow(out, supply, loop, count);
    } else {
        supply->bytes = 0;
    }
}

/** Copy the supply to the end of the output; it is empty then. A buffer that is
 * to be taken goes there itself, unless it is cheaper to copy.
 * @retval UV_ENOMEM Nothing has changed. */
int uva__output_keep(uva__output_t *out,
                     uva__supply_t *supply,
                     uva_loop_t *loop);
/** Copy the first bytes out, and drop them: at most size, of one block. There
 * are some. @return How many. */
size_t
uva__output_take(uva__output_t *out, uva_loop_t *loop, void *data, size_t size);
/** Drop all that is unsent, and give the blocks back. */
void uva__output_clear(uva__output_t *out, uva_loop_t *loop);

#endif /* UVA__IO_OUTPUT_H */
