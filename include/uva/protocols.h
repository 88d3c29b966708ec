/**
 * @file
 * Contracts between transports and what stands on them.
 */
#ifndef UVA_PROTOCOLS_H
#define UVA_PROTOCOLS_H

#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * private: what hears the events of a transport where they happen: inside the
 * poll, below the ready queue. So its functions store and wake, and run no
 * code of the user; only connection_made and connection_lost come from the
 * ready queue, each once, and no data before the one or after the other.
 *
 * Its state lies in one piece with the transport, zeroed, and lives as long.
 */
typedef struct uva__direct_ops_s {
    size_t size;        /* sizeof(uva__direct_ops_t). */
    size_t state_bytes; /* Of the state. */
    /** The state is there, before anything else: a connection that is being
     * opened, or one that was accepted. Must not fail. */
    void (*init)(void *state, uva_transport_t *transport, size_t limit_bytes);
    /** Accepted. data: what the server was made with. */
    void (*connection_made)(void *state, void *data);
    /** Closed; status: 0, or why. */
    void (*connection_lost)(void *state, int status);
    /** Where the next bytes should go; *ret_size stays 0: let the transport
     * choose. */
    void (*get_buffer)(void *state, uint8_t **ret_data, size_t *ret_size);
    /** Bytes came: at data, which is what get_buffer gave, or borrowed. A
     * negative code closes the connection with it. */
    int (*data_received)(void *state, const uint8_t *data, size_t size);
    /** The peer sends no more; writing goes on. NULL is allowed from here on. */
    void (*eof_received)(void *state);
    /** Unsent bytes rose above the high mark, or fell to the low one. */
    void (*pause_writing)(void *state);
    void (*resume_writing)(void *state);
    /** The last reference went: free what the state owns. */
    void (*destroy)(void *state);
} uva__direct_ops_t;

UVA_END_DECLS

#endif /* UVA_PROTOCOLS_H */
