/*
 * A reader and a writer in memory. A connection is one object: its reader is
 * the intake of its transport, its writer lies behind that.
 */
#ifndef UVA__STREAMS_STREAMS_H
#define UVA__STREAMS_STREAMS_H

#include "uva/streams.h"

struct uva_reader_s {
    uva__intake_t in;
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
    return (uva_reader_t *)uva__transport_intake(transport);
}

/** The writer goes on, or never will. */
void uva__writer_resume(uva_writer_t *writer);
void uva__writer_lost(uva_writer_t *writer);

#endif /* UVA__STREAMS_STREAMS_H */
