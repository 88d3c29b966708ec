/*
 * StreamReader (asyncio.streams): making and freeing one, and the side that
 * feeds it. reader.c has the side that reads.
 *
 * A reader is of one of two kinds. That of a connection is the input inside a
 * transport: the socket feeds it, and its references are the transport's. One
 * of its own, which uva_reader_new makes, is fed by its user: it counts its
 * own references, and keeps its loop in memory.
 *
 * Invariant: in.transport is NULL exactly in a reader of its own.
 */
#include "base/alloc.h"
#include "base/errors.h"
#include "streams/streams.h"

/* --- the feeding side --- */

/* asyncio: streams.py, StreamReader.feed_data, which asserts that the end of
 * the stream was not fed. No bytes are no news: the waiting task is not woken.
 */
int uva_reader_feed_data(uva_reader_t *reader, const void *data, size_t size)
{
    if (!uva_loop_owned(reader->in.loop, __func__) || reader->in.eof) {
        return uva__bare(UV_EPERM);
    }
    if (size > PTRDIFF_MAX) {
        return uva__bare(UV_EINVAL);
    }
    return size == 0 ? 0 : uva__input_append(&reader->in, data, size);
}

void uva_reader_feed_eof(uva_reader_t *reader)
{
    if (uva_loop_owned(reader->in.loop, __func__)) {
        uva__input_end(&reader->in, 0);
    }
}

/* The code must be one that fails a read; UVA_PENDING would make it hang. */
int uva_reader_set_exception(uva_reader_t *reader, int code)
{
    if (!uva__code_fails(code)) {
        return uva__bare(UV_EINVAL);
    }
    if (!uva_loop_owned(reader->in.loop, __func__)) {
        return UV_EPERM;
    }
    uva__input_end(&reader->in, code);
    return 0;
}

/* --- making and freeing --- */

/* A reader of its own. It may outlive the run of its loop, and asks the loop
 * which thread it belongs to: so it keeps the loop in memory. */
int uva_reader_new(size_t limit_bytes, uva_reader_t **ret_reader)
{
    uva_reader_t *reader;

    if (uva_get_running_loop() == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    if (limit_bytes > UVA__STREAM_LIMIT_MOST) {
        return uva__bare(UV_EINVAL);
    }
    reader = uva__calloc(1, sizeof *reader);
    if (reader == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    uva__input_init(&reader->in, uva_loop_ref(uva_get_running_loop()), NULL,
                    limit_bytes == 0 ? UVA_STREAM_LIMIT : limit_bytes);
    reader->in.refs = 1;
    *ret_reader = reader;
    return 0;
}

uva_reader_t *uva_reader_ref(uva_reader_t *reader)
{
    if (reader != NULL && reader->in.transport != NULL) {
        (void)uva_transport_ref(reader->in.transport);
    } else if (reader != NULL && uva_loop_owned(reader->in.loop, __func__)) {
        reader->in.refs++;
    }
    return reader;
}

uva_reader_t *uva_reader_unref(uva_reader_t *reader)
{
    if (reader == NULL) {
        return NULL;
    }
    if (reader->in.transport != NULL) {
        (void)uva_transport_unref(reader->in.transport);
    } else if (uva_loop_owned(reader->in.loop, __func__) &&
               --reader->in.refs == 0) {
        /* The input before the loop: its block goes to the loop's reserve. */
        uva__input_destroy(&reader->in);
        (void)uva_loop_unref(reader->in.loop);
        uva__free(reader);
    }
    return NULL;
}
