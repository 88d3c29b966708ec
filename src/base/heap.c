/*
 * Invariant: entries[i] is not before entries[(i - 1) / 4], and the timer of
 * entries[i] has index i.
 */
#include "base/heap.h"

#include <stdbool.h>

#include "uva/errors.h"

#include "base/alloc.h"
#include "base/util.h"

#define HEAP_FIRST_CAPACITY 64u

static inline bool entry_before(const uva__heap_entry_t *a,
                                const uva__heap_entry_t *b)
{
    if (a->when_ns != b->when_ns) {
        return a->when_ns < b->when_ns;
    }
    return a->timer->sequence < b->timer->sequence;
}

static inline void
heap_place(uva__heap_t *heap, size_t index, uva__heap_entry_t entry)
{
    heap->entries[index] = entry;
    entry.timer->at.index = index;
}

static void
heap_sift_up(uva__heap_t *heap, size_t index, uva__heap_entry_t entry)
{
    while (index > 0) {
        size_t parent = (index - 1) / 4;
        if (!entry_before(&entry, &heap->entries[parent])) {
            break;
        }
        heap_place(heap, index, heap->entries[parent]);
        index = parent;
    }
    heap_place(heap, index, entry);
}

static void
heap_sift_down(uva__heap_t *heap, size_t index, uva__heap_entry_t entry)
{
    for (;;) {
        size_t child = 4 * index + 1;
        size_t end = child + 4 < heap->count ? child + 4 : heap->count;
        size_t least = child;

        if (child >= heap->count) {
            break;
        }
        for (child++; child < end; child++) {
            if (entry_before(&heap->entries[child], &heap->entries[least])) {
                least = child;
            }
        }
        if (!entry_before(&heap->entries[least], &entry)) {
            break;
        }
        heap_place(heap, index, heap->entries[least]);
        index = least;
    }
    heap_place(heap, index, entry);
}

static UVA__NOINLINE int heap_grow(uva__heap_t *heap)
{
    size_t capacity =
        heap->capacity == 0 ? HEAP_FIRST_CAPACITY : heap->capacity * 2;
    void *entries =
        uva__realloc(heap->entries, capacity * sizeof *heap->entries);

    if (entries == NULL) {
        return UV_ENOMEM;
    }
    heap->entries = entries;
    heap->capacity = capacity;
    return 0;
}

int uva__heap_reserve(uva__heap_t *heap, size_t count)
{
    while (UVA__UNLIKELY(count > heap->capacity)) {
        int r = heap_grow(heap);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void uva__heap_insert(uva__heap_t *heap, uva__heap_entry_t entry)
{
    heap_sift_up(heap, heap->count++, entry);
}

void uva__heap_remove(uva__heap_t *heap, uva__timer_t *timer)
{
    size_t index = timer->at.index;
    uva__heap_entry_t last = heap->entries[--heap->count];

    if (index == heap->count) {
        return;
    }
    if (index > 0 && entry_before(&last, &heap->entries[(index - 1) / 4])) {
        heap_sift_up(heap, index, last);
    } else {
        heap_sift_down(heap, index, last);
    }
}

void uva__heap_destroy(uva__heap_t *heap)
{
    uva__free(heap->entries);
    *heap = (uva__heap_t){0};
}
