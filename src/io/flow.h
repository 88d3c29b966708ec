/*
 * Bytes that an engine of a filter makes, for above or for below.
 */
#ifndef UVA__IO_FLOW_H
#define UVA__IO_FLOW_H

#include "io/output.h"

typedef struct uva__flow_s {
    uva__output_t bytes; /* What was made, and not taken. */
    uva__block_t *fresh; /* Owned: a block to be filled; NULL if none. */
} uva__flow_t;

/** Room for bytes behind the others: at least 1, likely wanted. Borrowed until
 * the next call of flow functions. @return NULL without memory. */
void *uva__flow_room(uva__flow_t *flow,
                     uva_loop_t *loop,
                     size_t wanted,
                     size_t *ret_room);
/** size bytes were put into that room. */
void uva__flow_filled(uva__flow_t *flow, size_t size);
/** Copy bytes behind the others. @retval UV_ENOMEM Nothing has changed. */
int uva__flow_put(uva__flow_t *flow,
                  uva_loop_t *loop,
                  const void *data,
                  size_t size);
/** Drop all. */
void uva__flow_clear(uva__flow_t *flow, uva_loop_t *loop);

#endif /* UVA__IO_FLOW_H */
