/*
 * What the reading functions need of a reader: reader.c has the bytes and the
 * waiting, read.c the functions.
 */
#ifndef UVA__STREAMS_READER_H
#define UVA__STREAMS_READER_H

#include "streams/streams.h"

#define UVA__LIMIT_MOST (1024u * 1024u * 1024u)

/** A view is over: let go of what only it held. */
void uva__reader_forget_view(uva_reader_t *reader);
/** Move the bytes to the front of their block. */
void uva__reader_compact(uva_reader_t *reader);
/** Bytes were taken: go on reading at the limit. */
void uva__reader_maybe_resume(uva_reader_t *reader);
/** Suspend the running task until what it wants has come. */
int uva__reader_wait(uva_reader_t *reader, uva_waiter_t *self,
                     uva__reader_wants_t wants);
/** The same for bytes at a place of its own, some of which are there. */
int uva__reader_wait_into(uva_reader_t *reader, uva_waiter_t *self,
                          uva__reader_wants_t wants, void *data, size_t size,
                          size_t filled);
/** End a wait. @retval UV_ECANCELED All bytes are in the reader again. */
int uva__reader_finish(uva_reader_t *reader, uva_waiter_t *self);

#endif /* UVA__STREAMS_READER_H */
