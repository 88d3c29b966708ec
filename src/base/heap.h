/*
 * A heap of timers: 4-ary, keyed by (deadline, sequence). The deadlines lie
 * beside each other in one array, so that comparing them reads no timer. Each
 * timer knows its place, so that it can be taken out of the middle.
 */
#ifndef UVA__BASE_HEAP_H
#define UVA__BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "uva/types.h"

typedef struct uva__heap_entry_s {
    uint64_t when_ns;
    uva__timer_t *timer; /* Borrowed. */
} uva__heap_entry_t;

typedef struct uva__heap_s {
    uva__heap_entry_t *entries; /* Owned. */
    size_t count;
    size_t capacity;
} uva__heap_t;

/** Make room for count timers in all. @retval UV_ENOMEM Unchanged. */
int uva__heap_reserve(uva__heap_t *heap, size_t count);
/** Add a timer for which room was reserved: this cannot fail. The heap borrows
 * the timer until it is taken out; timer->at.index belongs to the heap. */
void uva__heap_insert(uva__heap_t *heap, uva__heap_entry_t entry);
/** Take out a timer, which must stand in this heap. */
void uva__heap_remove(uva__heap_t *heap, uva__timer_t *timer);
/** Free the array. Timers that are left stand in no heap. */
void uva__heap_destroy(uva__heap_t *heap);

/** The earliest deadline; UINT64_MAX when there is none. */
static inline uint64_t uva__heap_next(const uva__heap_t *heap)
{
    return heap->count == 0 ? UINT64_MAX : heap->entries[0].when_ns;
}

#endif /* UVA__BASE_HEAP_H */
