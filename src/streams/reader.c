/*
 * StreamReader (asyncio.streams): the bytes, and who waits for them.
 *
 * Invariant: whoever waits is woken when what he wants has come, at the end of
 * the stream, and at a loss; bytes that came are in the block, at the waiter's
 * own place, or given out. They are lost to nobody but a connection that failed.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/util.h"
#include "streams/reader.h"

/* Reads of this and more go straight to where they are wanted. */
#define READER_DIRECT_BYTES 16384u
/* asyncio: selector_events.py, max_size. */
#define READER_MOST_BYTES   262144u
#define READER_LARGE_BLOCK  65536u

/* --- blocks --- */

static uint8_t *block_get(const uva_reader_t *reader, size_t *size)
{
    return uva__transport_buffer(reader->transport, size);
}

static void block_put(const uva_reader_t *reader, uint8_t *block, size_t size)
{
    uva__transport_buffer_return(reader->transport, block, size);
}

static void reader_drop_held(uva_reader_t *reader)
{
    block_put(reader, reader->held, reader->held_bytes);
    reader->held = NULL;
}

static void reader_drop_block(uva_reader_t *reader)
{
    block_put(reader, reader->data, reader->capacity);
    reader->data = NULL;
    reader->capacity = 0;
    reader->start = 0;
}

void uva__reader_forget_view(uva_reader_t *reader)
{
    reader->viewed = false;
    if (UVA__UNLIKELY(reader->held != NULL)) {
        reader_drop_held(reader);
    }
    if (reader->size == 0 && reader->data != NULL) {
        reader_drop_block(reader);
    }
}

void uva__reader_destroy(uva_reader_t *reader)
{
    reader->size = 0;
    uva__reader_forget_view(reader);
}

/* Room for count bytes behind the last. A view does not move: its block is
 * kept beside. */
static UVA__NOINLINE int reader_grow(uva_reader_t *reader, size_t count)
{
    size_t need = reader->size + count;
    size_t bytes;
    uint8_t *block;

    if (!reader->viewed && need <= reader->capacity &&
        reader->start >= reader->capacity / 2) {
        memmove(reader->data, reader->data + reader->start, reader->size);
        reader->start = 0;
        return 0;
    }
    bytes = need < 2 * reader->size ? 2 * reader->size : need;
    block = block_get(reader, &bytes);
    if (block == NULL) {
        return UV_ENOMEM;
    }
    if (reader->data != NULL) {
        memcpy(block, reader->data + reader->start, reader->size);
        if (reader->viewed) {
            reader->held = reader->data;
            reader->held_bytes = reader->capacity;
            reader->viewed = false;
        } else {
            block_put(reader, reader->data, reader->capacity);
        }
    }
    reader->data = block;
    reader->capacity = bytes;
    reader->start = 0;
    return 0;
}

static inline int reader_reserve(uva_reader_t *reader, size_t count)
{
    return UVA__LIKELY(reader->capacity - reader->start - reader->size >= count)
               ? 0
               : reader_grow(reader, count);
}

static inline uint8_t *reader_end(const uva_reader_t *reader)
{
    return reader->data + reader->start + reader->size;
}

static int reader_append(uva_reader_t *reader, const uint8_t *data, size_t size)
{
    int r;

    if (reader->data != NULL && data == reader_end(reader)) {
        reader->size += size; /* They were read there. */
        return 0;
    }
    r = reader_reserve(reader, size);
    if (r < 0) {
        return r;
    }
    memcpy(reader_end(reader), data, size);
    reader->size += size;
    return 0;
}

/* Put bytes back in front of the others. Without memory they are lost, and
 * nothing that comes after them may be read. */
static void reader_unread(uva_reader_t *reader, const uint8_t *data,
                          size_t size)
{
    size_t old = reader->size;

    if (!reader->viewed && reader->start >= size) {
        reader->start -= size;
    } else if (reader_grow(reader, size) >= 0) {
        memmove(reader->data + reader->start + size,
                reader->data + reader->start, old);
    } else {
        uva_reader_set_exception(reader, UV_ENOMEM);
        return;
    }
    memcpy(reader->data + reader->start, data, size);
    reader->size += size;
}

void uva__reader_compact(uva_reader_t *reader)
{
    if (reader->start > 0 && !reader->viewed) {
        memmove(reader->data, reader->data + reader->start, reader->size);
        reader->start = 0;
    }
}

/* --- flow --- */

static void reader_maybe_pause(uva_reader_t *reader)
{
    if (UVA__UNLIKELY(reader->size > 2 * (size_t)reader->limit) &&
        !reader->paused &&
        reader->transport != NULL &&
        !(reader->waiter != NULL && reader->wants == UVA__WANTS_ALL)) {
        reader->paused = true;
        uva_transport_pause_reading(reader->transport);
    }
}

static UVA__NOINLINE void reader_resume(uva_reader_t *reader)
{
    reader->paused = false;
    uva_transport_resume_reading(reader->transport);
}

void uva__reader_maybe_resume(uva_reader_t *reader)
{
    if (UVA__UNLIKELY(reader->paused) && reader->size <= reader->limit) {
        reader_resume(reader);
    }
}

/* --- what comes --- */

static inline void reader_wake(uva_reader_t *reader)
{
    if (reader->waiter != NULL) {
        (void)uva_waiter_wake(reader->waiter);
    }
}

static bool reader_takes_into(const uva_reader_t *reader)
{
    return reader->waiter != NULL &&
           (reader->wants == UVA__WANTS_INTO ||
            reader->wants == UVA__WANTS_EXACT) &&
           reader->filled < reader->into_size && reader->size == 0 &&
           !uva_waiter_cancelled(reader->waiter);
}

void uva__reader_get_buffer(uva_reader_t *reader, uint8_t **ret_data,
                            size_t *ret_size)
{
    size_t room;

    if (reader_takes_into(reader)) {
        room = reader->into_size - reader->filled;
        if (room < READER_DIRECT_BYTES) {
            return;
        }
        *ret_data = reader->into + reader->filled;
        *ret_size = room < READER_MOST_BYTES ? room : READER_MOST_BYTES;
        return;
    }
    if (UVA__LIKELY(!reader->large)) {
        return;
    }
    room = reader->size < READER_LARGE_BLOCK ? READER_LARGE_BLOCK : reader->size;
    if (reader->capacity - reader->start - reader->size < READER_DIRECT_BYTES &&
        reader_grow(reader, room) < 0) {
        return; /* The common buffer, then: it may be little. */
    }
    *ret_data = reader_end(reader);
    room = reader->capacity - reader->start - reader->size;
    *ret_size = room < READER_MOST_BYTES ? room : READER_MOST_BYTES;
}

/* @return Bytes of data that went to the waiter. */
static size_t reader_fill_into(uva_reader_t *reader, const uint8_t *data,
                               size_t size)
{
    size_t room = reader->into_size - reader->filled;
    size_t part = size < room ? size : room;

    if (data != reader->into + reader->filled) {
        memcpy(reader->into + reader->filled, data, part);
    }
    reader->filled += part;
    if (reader->wants == UVA__WANTS_INTO ||
        reader->filled == reader->into_size) {
        reader_wake(reader);
    }
    return part;
}

int uva__reader_data_received(uva_reader_t *reader, const uint8_t *data,
                              size_t size)
{
    int r;

    reader->large = size >= READER_DIRECT_BYTES;
    if (reader_takes_into(reader)) {
        size_t part = reader_fill_into(reader, data, size);
        data += part;
        size -= part;
        if (size == 0) {
            return 0;
        }
    }
    r = reader_append(reader, data, size);
    if (UVA__UNLIKELY(r < 0)) {
        return r;
    }
    reader_maybe_pause(reader);
    if (reader->waiter != NULL &&
        (reader->wants == UVA__WANTS_ANY ||
         (reader->wants == UVA__WANTS_ALL &&
          reader->size > reader->into_size))) {
        reader_wake(reader);
    }
    return 0;
}

int uva_reader_feed_data(uva_reader_t *reader, const void *data, size_t size)
{
    if (reader->eof) {
        return UV_EPERM;
    }
    return size == 0 ? 0 : uva__reader_data_received(reader, data, size);
}

void uva_reader_feed_eof(uva_reader_t *reader)
{
    reader->eof = true;
    reader_wake(reader);
}

void uva_reader_set_exception(uva_reader_t *reader, int code)
{
    UVA__ASSERT(code < 0);
    reader->exception = code;
    reader_wake(reader);
}

/* --- waiting --- */

int uva__reader_wait(uva_reader_t *reader, uva_waiter_t *self,
                     uva__reader_wants_t wants)
{
    int r;

    if (UVA__UNLIKELY(reader->waiter != NULL)) {
        return UV_EPERM;
    }
    /* asyncio: waiting while paused would wait for ever. */
    if (UVA__UNLIKELY(reader->paused)) {
        reader_resume(reader);
    }
    r = uva_waiter_suspend(self, &reader->loop, NULL);
    if (UVA__LIKELY(r == UVA_PENDING)) {
        reader->waiter = self;
        reader->wants = (uint8_t)wants;
    }
    return r;
}

int uva__reader_wait_into(uva_reader_t *reader, uva_waiter_t *self,
                          uva__reader_wants_t wants, void *data, size_t size,
                          size_t filled)
{
    if (UVA__UNLIKELY(reader->waiter != NULL)) {
        return UV_EPERM;
    }
    reader->into = data;
    reader->into_size = size;
    reader->filled = filled;
    return uva__reader_wait(reader, self, wants);
}

int uva__reader_finish(uva_reader_t *reader, uva_waiter_t *self)
{
    int r = uva_waiter_finish(self);

    reader->waiter = NULL;
    if (UVA__UNLIKELY(r < 0) && reader->wants != UVA__WANTS_ANY) {
        if (reader->wants != UVA__WANTS_ALL && reader->filled > 0) {
            reader_unread(reader, reader->into, reader->filled);
        }
        reader_maybe_pause(reader);
    }
    return r;
}

/* --- looking, and readers of their own --- */

bool uva_reader_at_eof(const uva_reader_t *reader)
{
    return reader->eof && reader->size == 0;
}

int uva_reader_exception(const uva_reader_t *reader)
{
    return reader->exception;
}

size_t uva_reader_consumed(const uva_reader_t *reader)
{
    return reader->filled;
}

int uva_reader_new(size_t limit_bytes, uva_reader_t **ret_reader)
{
    uva_reader_t *reader;

    if (uva_get_running_loop() == NULL) {
        return UVA_ENOLOOP;
    }
    if (limit_bytes > UVA__LIMIT_MOST) {
        return UV_EINVAL;
    }
    reader = uva__calloc(1, sizeof *reader);
    if (reader == NULL) {
        return UV_ENOMEM;
    }
    reader->loop = uva_get_running_loop();
    reader->limit =
        limit_bytes == 0 ? UVA_STREAM_LIMIT : (uint32_t)limit_bytes;
    reader->refs = 1;
    *ret_reader = reader;
    return 0;
}

uva_reader_t *uva_reader_ref(uva_reader_t *reader)
{
    if (reader != NULL && reader->transport != NULL) {
        (void)uva_transport_ref(reader->transport);
    } else if (reader != NULL) {
        reader->refs++;
    }
    return reader;
}

uva_reader_t *uva_reader_unref(uva_reader_t *reader)
{
    if (reader == NULL) {
        return NULL;
    }
    if (reader->transport != NULL) {
        (void)uva_transport_unref(reader->transport);
    } else if (--reader->refs == 0) {
        uva__reader_destroy(reader);
        uva__free(reader);
    }
    return NULL;
}
