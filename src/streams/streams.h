/*
 * A reader and a writer in memory. A connection is one piece of memory, with
 * one count of references:
 *
 *   uva_transport_t, and behind it uva__stream_t { reader, writer, handler }
 *
 * A reader of its own, which a user feeds, is a uva_reader_t and nothing else.
 */
#ifndef UVA__STREAMS_STREAMS_H
#define UVA__STREAMS_STREAMS_H

#include "uva/streams.h"

#include "io/stream_door.h"

/* The largest limit of a reader: twice of it fits 32 bits. */
#define UVA__STREAM_LIMIT_MOST ((size_t)1024 * 1024 * 1024)

struct uva_reader_s {
    uva__input_t in;
};

struct uva_writer_s {
    uva_transport_t *transport; /* Borrowed: this lies behind it. */
    uva_reader_t *reader;       /* Borrowed: of the same connection. */
    uva_list_t drainers;        /* Of uva_waiter_t.link: in drain. */
    uva_list_t closers;         /* Of uva_waiter_t.link: in wait_closed and in
                                   uva_connection_close. */
    bool paused;                /* Above the high mark: drain waits. */
    bool lost; /* connection_lost came; the transport knows why. */
};

/* The consumer of a transport on which streams stand. */
typedef struct uva__stream_s {
    uva_reader_t reader;
    uva_writer_t writer;
    uva__handler_t handler;
} uva__stream_t;

/** resume_writing: the writer goes on, wake the tasks that drain. */
void uva__writer_resume(uva_writer_t *writer);
/** connection_lost: wake all tasks that wait on the writer. To be called once.
 */
void uva__writer_lost(uva_writer_t *writer);

#endif /* UVA__STREAMS_STREAMS_H */
