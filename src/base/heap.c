/*
 * A 4-ary heap of timers in one array.
 *
 * Invariant: entries[i] is not before entries[(i - 1) / 4], and the timer of
 * entries[i] has index i. The order (deadline, sequence) has no ties, so timers
 * with one deadline leave in the order in which they were started.
 *
 * Four children and not two: half as many levels, and the children of an entry
 * lie in one or two cache lines.
 */
#include "base/heap.h"

#include <stdbool.h>

#include "uva/errors.h"

#include "base/alloc.h"
#include "base/util.h"

#define HEAP_FIRST_CAPACITY 64u

/* Whether a leaves the heap before b. The sequence is read from the timers only
 * where the deadlines are equal, which is rare. */
static inline bool entry_before(const uva__heap_entry_t *a,
                                const uva__heap_entry_t *b)
{
    if (a->when_ns != b->when_ns) {
        return a->when_ns < b->when_ns;
    }
    return a->timer->sequence < b->timer->sequence;
}

/* The one function that writes an entry: the timer must know its place. */
static inline void
heap_place(uva__heap_t *heap, size_t index, uva__heap_entry_t entry)
{
    heap->entries[index] = entry;
    entry.timer->at.index = index;
}

/* Put an entry at a place that is free, or nearer to the root: entries that it
 * is before move down into the free place. */
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

/* Put an entry at a place that is free, or farther from the root: the least
 * child moves up into the free place while it is before the entry. */
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

/* Out of line: few insertions find the array full. */
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
    /* The last entry fills the hole. It comes from another branch of the tree,
     * so it may belong above the hole as well as below it. */
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
