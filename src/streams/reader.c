/*
 * StreamReader (asyncio.streams): references, the feeding side, what can be
 * asked, and the reading functions, each as a poll and its drive.
 *
 * Invariant: a poll that has not suspended begins by ending the last view. Each
 * looks first at what has come, then at why nothing more will; so what came
 * before a loss and suffices is given out. A task that finds another one
 * waiting may take what there is; the other looks at all of it again.
 */
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/errors.h"
#include "base/util.h"
#include "streams/streams.h"

/* --- what has come, given out --- */

static inline int count_as_int(size_t count)
{
    return count > INT_MAX ? INT_MAX : (int)count;
}

/* Give out the first bytes; they stay where they are until the next call. */
static inline int
reader_give(uva_reader_t *reader, size_t size, uva_bytes_t *ret_view)
{
    ret_view->data = reader->in.data;
    ret_view->size = size;
    if (UVA__UNLIKELY(size == 0)) {
        ret_view->data = (const uint8_t *)"";
    } else {
        uva__input_view(&reader->in, size);
    }
    return count_as_int(size);
}

/* Copy the first bytes out. */
static void reader_take(uva_reader_t *reader, void *data, size_t size)
{
    if (size > 0) {
        memcpy(data, reader->in.data, size);
        uva__input_consume(&reader->in, size);
    }
}

/* The same into an owned buffer. Nothing is taken without memory. */
static int
reader_take_buffer(uva_reader_t *reader, size_t size, uva_buffer_t *ret_buffer)
{
    uva_buffer_t buffer = {0};

    if (size > 0) {
        int r = uva__buffer_append(&buffer, reader->in.data, size, SIZE_MAX);
        if (r < 0) {
            return r;
        }
        uva__input_consume(&reader->in, size);
    }
    *ret_buffer = buffer;
    return count_as_int(size);
}

/* --- read --- */

/* asyncio: streams.py, StreamReader.read, with a view for a result. */
int uva_reader_read_view_poll(uva_reader_t *reader,
                              size_t max_bytes,
                              uva_bytes_t *ret_view)
{
    int r = uva__input_begin(&reader->in);

    if (UVA__UNLIKELY(r < 0)) {
        return uva__bare(r);
    }
    if (reader->in.size > 0 || UVA__UNLIKELY(max_bytes == 0)) {
        return reader_give(
            reader, reader->in.size < max_bytes ? reader->in.size : max_bytes,
            ret_view);
    }
    if (UVA__UNLIKELY(reader->in.exception < 0)) {
        return uva__bare(reader->in.exception);
    }
    if (UVA__UNLIKELY(reader->in.eof)) {
        return reader_give(reader, 0, ret_view);
    }
    return uva__input_wait(&reader->in, UVA__WANTS_ANY);
}

int uva_reader_read_view(uva_reader_t *reader,
                         size_t max_bytes,
                         uva_bytes_t *ret_view)
{
    int r;

    UVA_DRIVE(r, uva_reader_read_view, reader, max_bytes, ret_view);
    return r;
}

/* The same into memory of the caller, which the socket is read into if nothing
 * has come before. */
int uva_reader_read_poll(uva_reader_t *reader, void *data, size_t size)
{
    int r = uva__input_begin(&reader->in);

    if (r > 0 && reader->in.filled > 0) {
        return (int)reader->in.filled;
    }
    if (r < 0 || size == 0) {
        return r < 0 ? uva__bare(r) : 0;
    }
    size = size < INT_MAX ? size : INT_MAX;
    if (reader->in.size > 0) {
        size = reader->in.size < size ? reader->in.size : size;
        reader_take(reader, data, size);
        return (int)size;
    }
    if (reader->in.exception < 0 || reader->in.eof) {
        return uva__bare(reader->in.exception);
    }
    return uva__input_wait_into(&reader->in, UVA__WANTS_INTO, data, size, 0);
}

int uva_reader_read(uva_reader_t *reader, void *data, size_t size)
{
    int r;

    UVA_DRIVE(r, uva_reader_read, reader, data, size);
    return r;
}

/* asyncio: read(-1). Reading does not pause while a task waits here, so the
 * limit of the call is what bounds it. */
int uva_reader_read_all_poll(uva_reader_t *reader,
                             size_t limit_bytes,
                             uva_buffer_t *ret_buffer)
{
    int r = uva__input_begin(&reader->in);

    if (r < 0 || reader->in.exception < 0) {
        return uva__bare(r < 0 ? r : reader->in.exception);
    }
    if (reader->in.size > limit_bytes) {
        return uva__bare(UVA_ELIMITOVERRUN);
    }
    if (reader->in.eof) {
        r = uva__input_detach(&reader->in, ret_buffer);
        return r < 0 ? r : count_as_int(ret_buffer->size);
    }
    return uva__input_wait_into(&reader->in, UVA__WANTS_ALL, NULL, limit_bytes,
                                0);
}

int uva_reader_read_all(uva_reader_t *reader,
                        size_t limit_bytes,
                        uva_buffer_t *ret_buffer)
{
    int r;

    UVA_DRIVE(r, uva_reader_read_all, reader, limit_bytes, ret_buffer);
    return r;
}

/* --- readexactly --- */

/* The result of readexactly: enough, or the rest at the end of the stream. */
static int readexactly_end(size_t filled, size_t size, size_t *ret_partial)
{
    if (filled == size) {
        return count_as_int(size);
    }
    if (ret_partial != NULL) {
        *ret_partial = filled;
    }
    return uva__bare(UVA_EINCOMPLETEREAD);
}

/* What is there is taken at once; the rest is read to where it belongs. */
int uva_reader_readexactly_poll(uva_reader_t *reader,
                                void *data,
                                size_t size,
                                size_t *ret_partial)
{
    int r = uva__input_begin(&reader->in);
    size_t ready;

    if (r > 0 && reader->in.filled > 0) {
        return readexactly_end(reader->in.filled, size, ret_partial);
    }
    if (r < 0 || size == 0) {
        return r < 0 ? uva__bare(r) : 0;
    }
    ready = reader->in.size < size ? reader->in.size : size;
    if (ready < size && size > PTRDIFF_MAX) {
        return uva__bare(UV_EINVAL);
    }
    if (ready < size && reader->in.exception < 0) {
        return uva__bare(reader->in.exception);
    }
    if (ready < size && !reader->in.eof) {
        r = uva__input_check(&reader->in);
        if (r < 0) {
            return r;
        }
    }
    reader_take(reader, data, ready);
    if (ready == size || reader->in.eof) {
        return readexactly_end(ready, size, ret_partial);
    }
    return uva__input_wait_into(&reader->in, UVA__WANTS_EXACT, data, size,
                                ready);
}

int uva_reader_readexactly(uva_reader_t *reader,
                           void *data,
                           size_t size,
                           size_t *ret_partial)
{
    int r;

    UVA_DRIVE(r, uva_reader_readexactly, reader, data, size, ret_partial);
    return r;
}

/* --- readuntil --- */

/* The result of a search: bytes before the first separator, and with it. */
typedef struct match_s {
    size_t before;
    size_t size;
} match_t;

/* Find bytes in bytes: memmem, which C11 does not have. */
static const uint8_t *
bytes_find(const uint8_t *data, size_t size, uva_bytes_t wanted)
{
    while (size >= wanted.size) {
        const uint8_t *first =
            memchr(data, wanted.data[0], size - wanted.size + 1);
        if (first == NULL) {
            return NULL;
        }
        if (memcmp(first, wanted.data, wanted.size) == 0) {
            return first;
        }
        size -= (size_t)(first - data) + 1;
        data = first + 1;
    }
    return NULL;
}

/* asyncio: the shortest result wins; of two that end alike the shorter
 * separator, which is looked for first there. */
static bool reader_find(const uva_reader_t *reader,
                        const uva_bytes_t *separators,
                        size_t count,
                        size_t searched,
                        match_t *ret_match)
{
    const uint8_t *begin = reader->in.data;
    bool found = false;
    size_t width = 0;

    if (reader->in.size == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = bytes_find(
            begin + searched, reader->in.size - searched, separators[i]);
        size_t size =
            at == NULL ? 0 : (size_t)(at - begin) + separators[i].size;
        if (at != NULL &&
            (!found || size < ret_match->size ||
             (size == ret_match->size && separators[i].size < width))) {
            found = true;
            width = separators[i].size;
            ret_match->size = size;
            ret_match->before = (size_t)(at - begin);
        }
    }
    return found;
}

/* asyncio: an empty separator is a ValueError. */
static int separators_check(const uva_bytes_t *separators,
                            size_t count,
                            size_t *ret_longest)
{
    *ret_longest = 0;
    for (size_t i = 0; i < count; i++) {
        if (separators[i].size == 0) {
            return UV_EINVAL;
        }
        if (separators[i].size > *ret_longest) {
            *ret_longest = separators[i].size;
        }
    }
    return count == 0 ? UV_EINVAL : 0;
}

/*
 * Wait until a separator has come. Nothing is taken.
 *
 * @retval 0 It is there: *ret_match.
 * @retval UVA_EINCOMPLETEREAD The stream has ended without one.
 */
static int readuntil_poll(uva_reader_t *reader,
                          const uva_bytes_t *separators,
                          size_t count,
                          match_t *ret_match)
{
    size_t longest;
    size_t searched;
    int r = separators_check(separators, count, &longest);
    int begun = r < 0 ? r : uva__input_begin(&reader->in);

    if (begun < 0) {
        return uva__bare(begun);
    }
    searched = begun == 0 ? 0 : reader->in.searched;
    if (reader_find(reader, separators, count, searched, ret_match)) {
        reader->in.consumed = ret_match->before;
        return ret_match->before > reader->in.limit
                   ? uva__bare(UVA_ELIMITOVERRUN)
                   : 0;
    }
    /* Where a separator may begin of which a part is there. */
    if (reader->in.size + 1 > longest + searched) {
        searched = reader->in.size + 1 - longest;
    }
    if (searched > reader->in.limit) {
        reader->in.consumed = searched;
        return uva__bare(UVA_ELIMITOVERRUN);
    }
    if (reader->in.exception < 0) {
        return uva__bare(reader->in.exception);
    }
    if (reader->in.eof) {
        return uva__bare(UVA_EINCOMPLETEREAD);
    }
    r = uva__input_wait(&reader->in, UVA__WANTS_ANY);
    if (UVA__LIKELY(r == UVA_PENDING)) {
        reader->in.searched = searched;
    }
    return r;
}

/* At the end of the stream the view is what is left: the partial of asyncio's
 * IncompleteReadError. */
int uva_reader_readuntil_view_poll(uva_reader_t *reader,
                                   const uva_bytes_t *separators,
                                   size_t count,
                                   uva_bytes_t *ret_view)
{
    match_t match;
    int r = readuntil_poll(reader, separators, count, &match);

    if (r == UVA_EINCOMPLETEREAD) {
        (void)reader_give(reader, reader->in.size, ret_view);
    }
    return r == 0 ? reader_give(reader, match.size, ret_view) : r;
}

int uva_reader_readuntil_view(uva_reader_t *reader,
                              const uva_bytes_t *separators,
                              size_t count,
                              uva_bytes_t *ret_view)
{
    int r;

    UVA_DRIVE(r, uva_reader_readuntil_view, reader, separators, count,
              ret_view);
    return r;
}

int uva_reader_readuntil_poll(uva_reader_t *reader,
                              uva_bytes_t separator,
                              uva_buffer_t *ret_buffer)
{
    match_t match;
    int r = readuntil_poll(reader, &separator, 1, &match);

    if (r == UVA_EINCOMPLETEREAD) {
        int taken = reader_take_buffer(reader, reader->in.size, ret_buffer);
        return taken < 0 ? taken : r;
    }
    return r == 0 ? reader_take_buffer(reader, match.size, ret_buffer) : r;
}

int uva_reader_readuntil(uva_reader_t *reader,
                         uva_bytes_t separator,
                         uva_buffer_t *ret_buffer)
{
    int r;

    UVA_DRIVE(r, uva_reader_readuntil, reader, separator, ret_buffer);
    return r;
}

/* --- readline --- */

/* @retval UVA_EINCOMPLETEREAD What there is is the line. */
static int readline_poll(uva_reader_t *reader, match_t *ret_match)
{
    uva_bytes_t newline = UVA_BYTES("\n");
    int r = readuntil_poll(reader, &newline, 1, ret_match);

    if (r == UVA_ELIMITOVERRUN) {
        size_t consumed = reader->in.consumed;
        bool found =
            consumed < reader->in.size && reader->in.data[consumed] == '\n';
        uva__input_consume(&reader->in, found ? consumed + 1 : reader->in.size);
    } else if (r == UVA_EINCOMPLETEREAD) {
        ret_match->size = reader->in.size;
        r = 0;
    }
    return r;
}

int uva_reader_readline_view_poll(uva_reader_t *reader, uva_bytes_t *ret_line)
{
    match_t match;
    int r = readline_poll(reader, &match);

    return r == 0 ? reader_give(reader, match.size, ret_line) : r;
}

int uva_reader_readline_view(uva_reader_t *reader, uva_bytes_t *ret_line)
{
    int r;

    UVA_DRIVE(r, uva_reader_readline_view, reader, ret_line);
    return r;
}

int uva_reader_readline_poll(uva_reader_t *reader, uva_buffer_t *ret_line)
{
    match_t match;
    int r = readline_poll(reader, &match);

    return r == 0 ? reader_take_buffer(reader, match.size, ret_line) : r;
}

int uva_reader_readline(uva_reader_t *reader, uva_buffer_t *ret_line)
{
    int r;

    UVA_DRIVE(r, uva_reader_readline, reader, ret_line);
    return r;
}

/* --- looking --- */

/* asyncio: streams.py, at_eof. */
bool uva_reader_at_eof(const uva_reader_t *reader)
{
    const uva__input_t *in = &reader->in;

    /* Bytes that a task waits for more behind were not read yet. */
    return in->eof && in->size == 0 &&
           (in->wants < UVA__WANTS_INTO || in->filled == 0);
}

int uva_reader_exception(const uva_reader_t *reader)
{
    return reader->in.exception;
}

size_t uva_reader_consumed(const uva_reader_t *reader)
{
    return reader->in.consumed;
}
