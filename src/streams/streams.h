/*
 * A reader and a writer in memory: the state that lies behind a transport, or
 * a reader of its own.
 */
#ifndef UVA__STREAMS_STREAMS_H
#define UVA__STREAMS_STREAMS_H

#include "uva/streams.h"

/* What the task that waits on a reader waits for. */
typedef enum uva__reader_wants_e {
    UVA__WANTS_ANY,   /* A byte in the reader. */
    UVA__WANTS_INTO,  /* A byte at into. */
    UVA__WANTS_EXACT, /* All bytes at into. */
    UVA__WANTS_ALL    /* The end, or more than into_size bytes. */
} uva__reader_wants_t;

/*
 * Bytes in a reader: start unread size bytes in a block of capacity, which is
 * gone when there are none. A view lies before start, or in the held block.
 *
 * Bytes that a waiting task wants at a place of its own go there and not into
 * the block, but only while the block is empty; if it is cancelled they come
 * back.
 */
struct uva_reader_s {
    uva_loop_t *loop;           /* Borrowed; NULL before the first wait. */
    uva_transport_t *transport; /* Borrowed: this lies behind it; NULL for a
                                   reader of its own. */
    uva_waiter_t *waiter;       /* Borrowed: who waits. */
    uint8_t *data;              /* Owned. */
    size_t capacity;
    size_t start;
    size_t size;
    uint8_t *held;              /* Owned: a view that had to stay. */
    size_t held_bytes;
    uint8_t *into;              /* Borrowed, of the waiter's call. */
    size_t into_size;
    size_t filled;              /* Bytes at into; of readuntil: searched. */
    uint32_t limit;
    int32_t exception;
    uint32_t refs;              /* Of a reader of its own. */
    uint8_t wants;              /* uva__reader_wants_t */
    bool eof : 1;
    bool paused : 1;            /* The transport, by us. */
    bool viewed : 1;            /* A view lies in the block. */
    bool large : 1;             /* Much came at once the last time. */
};

struct uva_writer_s {
    uva_list_t drainers; /* Of uva_waiter_t.link. */
    uva_list_t closers;  /* Of uva_waiter_t.link. */
    bool paused;
    bool lost;           /* connection_lost came; the transport knows why. */
};

typedef struct uva__stream_s {
    uva_reader_t reader;
    uva_writer_t writer;
} uva__stream_t;

/* The reader's half of the protocol. */
int uva__reader_data_received(uva_reader_t *reader, const uint8_t *data,
                              size_t size);
void uva__reader_get_buffer(uva_reader_t *reader, uint8_t **ret_data,
                            size_t *ret_size);
/** Free what a reader owns. */
void uva__reader_destroy(uva_reader_t *reader);

/* The writer's half. */
void uva__writer_resume(uva_writer_t *writer);
void uva__writer_lost(uva_writer_t *writer);

#endif /* UVA__STREAMS_STREAMS_H */
