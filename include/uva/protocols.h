/**
 * @file
 * Contracts between transports and what stands on them.
 */
#ifndef UVA_PROTOCOLS_H
#define UVA_PROTOCOLS_H

#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * private: what stands on a transport, and hears of what happens to it. What
 * comes in stands in the transport's intake, which wakes who waits for it.
 *
 * connection_made and connection_lost come from the ready queue, each once.
 * The others are called where things happen, inside the poll: they store and
 * wake, and run no code of the user.
 *
 * Its state lies in one piece with the transport, zeroed, and lives as long.
 */
typedef struct uva__direct_ops_s {
    size_t size;        /* sizeof(uva__direct_ops_t). */
    size_t state_bytes; /* Of the state. */
    /** The state is there, before anything else: a connection that is being
     * opened, or one that was accepted. Must not fail. */
    void (*init)(void *state, uva_transport_t *transport);
    /** Accepted. data: what the server was made with. */
    void (*connection_made)(void *state, void *data);
    /** Closed; status: 0, or why. The intake knows already. */
    void (*connection_lost)(void *state, int status);
    /** Unsent bytes rose above the high mark, or fell to the low one. */
    void (*pause_writing)(void *state);
    void (*resume_writing)(void *state);
} uva__direct_ops_t;

UVA_END_DECLS

#endif /* UVA_PROTOCOLS_H */
