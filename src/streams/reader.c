/*
 * StreamReader (asyncio.streams): the reading functions, each as a poll and its
 * blocking form, and what can be asked. reader_feed.c has the feeding side.
 *
 * Invariant: each poll begins by uva__input_begin, which ends the last view.
 * Then it looks at the bytes that have come, and only then at why no more will:
 * bytes that came before a loss and suffice are given out. No poll keeps a
 * state of its own between two calls: what it needs is in the input, and it
 * looks at all bytes anew, as another task may have taken some.
 */
#include <limits.h>
#include <string.h>

#include "base/buffer.h"
#include "base/util.h"
#include "streams/streams.h"

/* --- what has come, given out --- */

/* A count of bytes as the result of a call: it stops at INT_MAX. */
static inline int count_as_int(size_t count)
{
    return count > INT_MAX ? INT_MAX : (int)count;
}

/* Give out the first size bytes as a view. An empty view points to a text too,
 * so that it can be given to memcpy or printf. */
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

/* Copy the first bytes out. With size 0 nothing must be touched: data of the
 * input and of the caller may be NULL. */
static void reader_take(uva_reader_t *reader, void *data, size_t size)
{
    if (size > 0) {
        memcpy(data, reader->in.data, size);
        uva__input_consume(&reader->in, size);
    }
}

/* Copy the first bytes to a new buffer. Without memory nothing is taken and
 * *ret_buffer not written. */
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

/* asyncio: streams.py, StreamReader.read, with a view for a result. An
 * exception that was set fails it first (uva__input_begin); a loss is told
 * behind the bytes. */
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

/* asyncio: streams.py, StreamReader.read, into memory of the caller: if nothing
 * has come yet, the socket is read straight into it, without a copy. */
int uva_reader_read_poll(uva_reader_t *reader, void *data, size_t size)
{
    int r = uva__input_begin(&reader->in);

    if (r > 0 && reader->in.filled > 0) { /* Woken with bytes at data. */
        return (int)reader->in.filled;
    }
    if (r < 0 || size == 0) {
        return r < 0 ? uva__bare(r) : 0;
    }
    size = size < INT_MAX ? size : INT_MAX; /* The result is an int. */
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

/* asyncio: StreamReader.read(-1). The transport is not paused while a task
 * waits here (UVA__WANTS_ALL), so only the call's limit bounds the memory. An
 * exception fails it even if bytes came before: it wants the end, which will
 * not come. */
int uva_reader_read_all_poll(uva_reader_t *reader,
                             size_t limit_bytes,
                             uva_buffer_t *ret_buffer)
{
    int r = uva__input_begin(&reader->in);

    /* uva__input_begin does not tell a loss that bytes stand before. */
    if (r < 0 || reader->in.exception < 0) {
        return uva__bare(r < 0 ? r : reader->in.exception);
    }
    if (reader->in.size > limit_bytes) {
        return uva__bare(UVA_ELIMITOVERRUN);
    }
    if (reader->in.eof) { /* All has come, in one piece: no copy. */
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

/* The result of readexactly: enough, or too few at the end of the stream.
 * asyncio: IncompleteReadError, whose partial is *ret_partial bytes in data. */
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

/* Bytes that are there are copied at once; the rest is read from the socket to
 * where it belongs. The checks stand in front of the copy: a call that is
 * refused must not have taken anything. */
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
    /* asyncio fails with the exception though enough has come; here bytes that
     * came before a loss can be read. */
    if (ready < size && size > PTRDIFF_MAX) {
        return uva__bare(UV_EINVAL);
    }
    if (ready < size && reader->in.exception < 0) {
        return uva__bare(reader->in.exception);
    }
    if (ready < size && !reader->in.eof) { /* It will wait: may it? */
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

/* The result of a search. */
typedef struct match_s {
    size_t before; /* Bytes before the separator. */
    size_t size;   /* Bytes with it. */
} match_t;

/* Find wanted, which is not empty, in size bytes: memmem, which C11 does not
 * have.
 * @return Where it begins, or NULL. */
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

/* Find the separator that ends first, from searched on. Of two that end at the
 * same byte the shorter one counts: asyncio looks for separators by length and
 * keeps the first (streams.py, StreamReader.readuntil, "shortest matches"). */
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

/* asyncio: no separator, or an empty one, is a ValueError. */
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
 * Wait until a separator has come. Nothing is taken. asyncio: streams.py,
 * StreamReader.readuntil. searched, its offset, is kept in the input, so a long
 * line that comes in many pieces is searched once; it is 0 in the first call.
 *
 * @retval 0 A separator is there: *ret_match.
 * @retval UVA_EINCOMPLETEREAD The stream has ended without one.
 * @retval UVA_ELIMITOVERRUN   in.consumed says how many bytes.
 */
static int readuntil_poll(uva_reader_t *reader,
                          const uva_bytes_t *separators,
                          size_t count,
                          match_t *ret_match)
{
    size_t longest;
    size_t searched;
    int r = separators_check(separators, count, &longest);
    /* Not begun with bad separators: the last view stays. */
    int begun = r < 0 ? r : uva__input_begin(&reader->in);

    if (begun < 0) {
        return uva__bare(begun);
    }
    searched = begun == 0 ? 0 : reader->in.searched;
    if (reader_find(reader, separators, count, searched, ret_match)) {
        /* asyncio: the limit counts the bytes before the separator. */
        reader->in.consumed = ret_match->before;
        return ret_match->before > reader->in.limit
                   ? uva__bare(UVA_ELIMITOVERRUN)
                   : 0;
    }
    /* A separator may have come in part: the last longest - 1 bytes are
     * searched again. Written as a sum, as the difference may be below 0. */
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
    if (UVA__LIKELY(r == UVA_PENDING)) { /* Else it may be another's place. */
        reader->in.searched = searched;
    }
    return r;
}

/* At the end of the stream the view is what is left, and nothing is left in the
 * reader: the partial of asyncio's IncompleteReadError. */
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

/* asyncio: streams.py, StreamReader.readuntil, with one separator. Without
 * memory for the buffer the bytes stay in the reader, at the end of the stream
 * too. */
int uva_reader_readuntil_poll(uva_reader_t *reader,
                              uva_bytes_t separator,
                              uva_buffer_t *ret_buffer)
{
    match_t match;
    int r = readuntil_poll(reader, &separator, 1, &match);

    if (r == UVA_EINCOMPLETEREAD) { /* The partial, with the code. */
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

/* Wait until a line has come; it is not taken. A line that is too long is
 * dropped. asyncio: streams.py, StreamReader.readline: the last line needs no
 * newline, and an overrun drops the line if its end has come, else all that has
 * come. */
static int readline_poll(uva_reader_t *reader, match_t *ret_match)
{
    uva_bytes_t newline = UVA_BYTES("\n");
    int r = readuntil_poll(reader, &newline, 1, ret_match);

    if (r == UVA_ELIMITOVERRUN) {
        /* asyncio: self._buffer.startswith(sep, e.consumed). */
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

/* asyncio: streams.py, StreamReader.at_eof. */
bool uva_reader_at_eof(const uva_reader_t *reader)
{
    const uva__input_t *in = &reader->in;

    /* asyncio's buffer holds the bytes that have come for a waiting
     * readexactly; here they are at its place already. */
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
