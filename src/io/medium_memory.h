/*
 * Media in memory, in pairs that are each other's peer. They need no
 * descriptor, so virtual loops have them too.
 */
#ifndef UVA__IO_MEDIUM_MEMORY_H
#define UVA__IO_MEDIUM_MEMORY_H

#include "io/medium.h"

/* What a pair is made of. Zeroed members are the usual. */
typedef struct uva__memory_pair_s {
    uva_loop_t *loops[2];  /* Of the same thread; may be the same. */
    size_t capacity_bytes; /* What one side may have sent and the other not
                              received; above 0. */
    uint64_t latency_ns;   /* How long what one side does takes to the other. */
    bool connects; /* The first side connects to the second: it is told that it
                      can send two latencies from now, the second after one. */
    const uva__sockaddr_t *names[2]; /* Borrowed: of the internet; NULL for
                                        none. */
} uva__memory_pair_t;

/** Make two media. @retval UV_ENOMEM Nothing was made. */
int uva__medium_memory_pair(const uva__memory_pair_t *pair,
                            uva__medium_t *ret_media[2]);
/** Make a medium that finds after a delay that it cannot be connected: it tells
 * that it is writable then, and its status is code. @retval UV_ENOMEM */
int uva__medium_memory_refused(uva_loop_t *loop,
                               int code,
                               uint64_t delay_ns,
                               uva__medium_t **ret_medium);
/** Why a medium is lost: a code, or 0. */
int uva__medium_memory_status(const uva__medium_t *medium);
/** Close a medium so that its peer finds a reset. */
void uva__medium_memory_reset(uva__medium_t *take_medium);

#endif /* UVA__IO_MEDIUM_MEMORY_H */
