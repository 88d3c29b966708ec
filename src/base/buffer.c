/*
 * A growable byte buffer with a hard maximum.
 *
 * Invariant: data is NULL, or capacity > size and data[size] == 0. So text in a
 * buffer is always a string, and there is always room for that 0.
 */
#include "base/buffer.h"

#include <string.h>

#include "uva/errors.h"

#include "base/alloc.h"
#include "base/format.h"

#define BUFFER_FIRST_BYTES 64u

/* Make room for count bytes behind the last, and a 0 behind them. The capacity
 * doubles, so that appending byte after byte copies each byte a bounded number
 * of times on average. limit bounds the content and not the capacity.
 * @retval UV_ENOMEM @retval UV_ENOBUFS Unchanged, both. */
static int buffer_reserve(uva_buffer_t *buffer, size_t count, size_t limit)
{
    size_t need = buffer->size + count;
    size_t capacity = buffer->capacity;
    void *data;

    /* The sum may have wrapped, and there must be room for the 0 behind. */
    if (need < count || need > limit || need == SIZE_MAX) {
        return UV_ENOBUFS;
    }
    if (need < capacity) {
        return 0;
    }
    if (capacity == 0) {
        capacity = BUFFER_FIRST_BYTES;
    }
    while (capacity <= need) {
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    }
    data = uva__realloc(buffer->data, capacity);
    if (data == NULL) {
        return UV_ENOMEM;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->data[buffer->size] = 0;
    return 0;
}

int uva__buffer_append(uva_buffer_t *buffer,
                       const void *data,
                       size_t size,
                       size_t limit)
{
    int r = buffer_reserve(buffer, size, limit);

    if (r < 0) {
        return r;
    }
    if (size > 0) { /* data may be NULL then, which memcpy does not allow. */
        memcpy(buffer->data + buffer->size, data, size);
    }
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return 0;
}

/* Formats twice: the first time into nothing, to learn the size. */
int uva__buffer_vprintf(uva_buffer_t *buffer, const char *format, va_list list)
{
    va_list again;
    size_t size;
    int r;

    va_copy(again, list);
    size = uva__vformat(NULL, 0, format, again);
    va_end(again);
    r = buffer_reserve(buffer, size, SIZE_MAX);
    if (r < 0) {
        return r;
    }
    (void)uva__vformat((char *)buffer->data + buffer->size, size + 1, format,
                       list);
    buffer->size += size;
    return 0;
}

int uva__buffer_printf(uva_buffer_t *buffer, const char *format, ...)
{
    va_list list;
    int r;

    va_start(list, format);
    r = uva__buffer_vprintf(buffer, format, list);
    va_end(list);
    return r;
}

void uva_buffer_clear(uva_buffer_t *buffer)
{
    uva__free(buffer->data);
    *buffer = (uva_buffer_t){0};
}
