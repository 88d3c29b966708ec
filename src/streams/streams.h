/*
 * A reader and a writer in memory. A connection is one object: its reader is
 * the input of its transport, its writer lies behind the transport.
 */
#ifndef UVA__STREAMS_STREAMS_H
#define UVA__STREAMS_STREAMS_H

#include "uva/streams.h"

#include "io/stream_door.h"

struct uva_reader_s {
    uva__input_t in;
};

struct uva_writer_s {
    uva_transport_t *transport; /* Borrowed: this lies behind it. */
    uva_reader_t *reader;       /* Borrowed: of the same. */
    uva_list_t drainers;        /* Of uva_waiter_t.link. */
    uva_list_t closers;         /* Of uva_waiter_t.link. */
    bool paused;
    bool lost; /* connection_lost came; the transport knows why. */
};

/** The reader of a transport. */
static inline uva_reader_t *uva__reader_of(uva_transport_t *transport)
{
    return (uva_reader_t *)uva__transport_input(transport);
}

/** Wake the tasks that drain: the writer goes on. */
void uva__writer_resume(uva_writer_t *writer);
/** Wake all tasks that wait on the writer: its connection is lost. */
void uva__writer_lost(uva_writer_t *writer);

#endif /* UVA__STREAMS_STREAMS_H */
