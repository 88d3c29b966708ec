/*
 * Media in memory.
 */
#ifndef UVA__IO_MEDIUM_MEMORY_H
#define UVA__IO_MEDIUM_MEMORY_H

#include "io/medium.h"

/**
 * Make two media that are each other's peer, on one loop.
 *
 * @param capacity_bytes What one side may have sent and the other not received;
 *                       above 0.
 * @retval UV_ENOMEM Nothing was made.
 */
int uva__medium_memory_pair(uva_loop_t *loop,
                            size_t capacity_bytes,
                            uva__medium_t *ret_media[2]);

#endif /* UVA__IO_MEDIUM_MEMORY_H */
