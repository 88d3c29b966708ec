/*
 * Connections of a round: what each end of them sent and got.
 *
 * Every end sends one stream of bytes: the first is drawn, and tells all that
 * follow, so that whoever gets a byte knows whether it is the right one.
 */
#ifndef STRESS_SOCKETS_H
#define STRESS_SOCKETS_H

#include "stress.h"

/** One end of a connection: a stream of uva's, or a plain socket. */
typedef struct side_s {
    struct side_s *next; /* Of all sides of the round. */
    uint32_t
        ports; /* Of both ends, that which connected first; 0 if unknown. */
    bool is_client;
    bool is_stream; /* Of uva's. */
    bool untold;    /* What it sent may not arrive: it was aborted. */
    uint8_t salt;   /* First byte that it sends. */
    size_t sent;
    size_t arrived; /* Of a socket that was reset: what had come by then. */
    bool reset;
    size_t got;
    uint8_t their_salt; /* First byte that it got. */
} side_t;

/** Either port may be 0, if it is not known. */
side_t *side_new(bool is_client, uint16_t client_port, uint16_t server_port);
/** Byte number position of the stream that begins with salt. */
uint8_t side_byte(uint8_t salt, size_t position);
/** Fill memory with what a side sends next. */
void side_fill(const side_t *side, uint8_t *data, size_t size);
/** Bytes have come: check them. */
void side_got(side_t *side, const uint8_t *data, size_t size);
/** Check bytes that were counted already. */
void side_look(const side_t *side,
               size_t from,
               const uint8_t *data,
               size_t size);
/** The end of the stream has come: all that the other side sent is there. */
void side_ended(const side_t *side);
/** The connection was lost: all that had come before a reset is there. */
void side_lost(const side_t *side);
/** The other side; NULL if it is not known. */
side_t *side_other(const side_t *side);
/** Connections of the server are aborted: nothing is known of their ends. */
void sides_spoil(void);
/** Likewise, also those to come. */
void sides_spoil_all(void);
void sides_free(void);

/* --- plain sockets, which the director moves --- */

/** Connect to a port of the world's server. */
void peer_dial(uint16_t port);
/** Listen for clients. @return The port. */
uint16_t peers_listen(void);
/** A port that nobody listens on. */
uint16_t peers_refused_port(void);
/** Let one peer, drawn, do something. */
void peers_step(void);
/** Let all of them read to the end, and close. */
void peers_serve(void);
void peers_close(void);

/* --- streams --- */

/** A conversation over a stream: read, write, wait, end it, at random. */
typedef struct talk_s {
    uva_reader_t *reader; /* Borrowed. */
    uva_writer_t *writer; /* Borrowed. */
    side_t *side;
    int turns;
    bool echoes;  /* Writes what it reads, and nothing else. */
    bool listens; /* Writes nothing. */
    bool ended;
    bool lost_track; /* Bytes were dropped: what follows cannot be checked. */
} talk_t;

/** Begin: who is at the other end. */
void talk_begin(talk_t *talk,
                uva_reader_t *reader,
                uva_writer_t *writer,
                bool is_client);

/** The kind of an actor that only talks: its frame has a talk. */
extern const actor_kind_t converse_kind;
talk_t *converse_talk(void *frame);

#endif /* STRESS_SOCKETS_H */
