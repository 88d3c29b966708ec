/*
 * Output: bytes that were written and are not sent, and bytes that are to be
 * sent from where the caller has them.
 */
#ifndef UVA__IO_OUTPUT_H
#define UVA__IO_OUTPUT_H

#include <sys/uio.h>

#include "base/fifo.h"
#include "io/blocks.h"

/* Unsent bytes, in order. */
typedef struct uva__output_s {
    uva__fifo_t
        blocks;   /* Of uva__block_t.link, owned; none of them is empty. */
    size_t bytes; /* In all blocks. */
} uva__output_t;

/* The bytes of one write that are not sent; they lie in the caller's memory. */
typedef struct uva__supply_s {
    uva_bytes_t first;       /* The rest of the line that is sent. */
    const uva_bytes_t *rest; /* Borrowed: the lines behind it. */
    size_t rest_count;
    size_t bytes; /* In first and rest. */
    bool begun;   /* Some bytes were sent. */
} uva__supply_t;

size_t uva__output_pieces_slow(const uva__output_t *out,
                               const uva__supply_t *supply,
                               struct iovec *pieces,
                               size_t room,
                               size_t *ret_total);
void uva__output_consume_slow(uva__output_t *out,
                              uva__supply_t *supply,
                              uva_loop_t *loop,
                              size_t count);

/**
 * Fill pieces with the first unsent bytes: those of the output, then those of
 * the supply.
 *
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
    /* A send reads only, by pointers to what could be written. */
    pieces->iov_base = (void *)(uintptr_t)supply->first.data;
    pieces->iov_len = supply->bytes;
    *ret_total = supply->bytes;
    return 1;
}

/** The first bytes of output and supply were sent. */
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

/** Move the supply to the end of the output, by a copy: all of it, or nothing
 * without memory. */
int uva__output_keep(uva__output_t *out,
                     uva__supply_t *supply,
                     uva_loop_t *loop);
/** Drop all that is unsent. */
void uva__output_clear(uva__output_t *out, uva_loop_t *loop);

#endif /* UVA__IO_OUTPUT_H */
