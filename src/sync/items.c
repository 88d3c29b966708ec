/*
 * The items of a queue: a ring, which in a priority queue is a heap (heapq).
 *
 * Equal items leave the heap in the order that Python's heapq gives them: the
 * comparisons and the moves are the same. The ring of a priority queue begins
 * at index 0 always, so its items are an array.
 *
 * Invariant of the heap: outside of this file items[i] does not come before
 * items[(i - 1) / 2]. The comparison is the user's code and might use the
 * queue; the flag compares refuses it from the first comparison to the last.
 */
#include "sync/items.h"

#include "base/alloc.h"

enum {
    ITEMS_MIN_CAPACITY = 8, /* A power of two, as every capacity. */
    ITEMS_FEW = 8           /* A large ring shrinks when less than 1/8 full. */
};

/* --- the heap --- */

/* Whether a comes out before b. */
static bool items_less(const uva_queue_t *queue, const void *a, const void *b)
{
    return queue->compare(a, b, queue->compare_data) < 0;
}

/* Move an item towards the first one, no further than start, past all that it
 * comes before. asyncio: heapq.py, _siftdown. */
static void items_sift_down(uva_queue_t *queue, size_t start, size_t index)
{
    void **items = queue->items;
    void *item = items[index];

    while (index > start) {
        size_t parent = (index - 1) / 2;

        if (!items_less(queue, item, items[parent])) {
            break;
        }
        items[index] = items[parent];
        index = parent;
    }
    items[index] = item;
}

/* Move an item away from the first one: its smaller child takes its place, down
 * to the end. From there it goes back to where it belongs, which is mostly near
 * the end and so takes fewer comparisons. asyncio: heapq.py, _siftup. */
static void items_sift_up(uva_queue_t *queue, size_t index)
{
    void **items = queue->items;
    void *item = items[index];
    size_t start = index;
    size_t child;

    while ((child = 2 * index + 1) < queue->count) {
        if (child + 1 < queue->count &&
            !items_less(queue, items[child], items[child + 1])) {
            child++;
        }
        items[index] = items[child];
        index = child;
    }
    items[index] = item;
    items_sift_down(queue, start, index);
}

/* --- the ring --- */

/* Move the items to a ring of another size, the first one to index 0. */
static int items_resize(uva_queue_t *queue, size_t capacity)
{
    void **items = capacity > SIZE_MAX / sizeof *items
                       ? NULL
                       : uva__malloc(capacity * sizeof *items);

    if (items == NULL) {
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < queue->count; i++) {
        items[i] = *uva__items_slot(queue, i);
    }
    uva__free(queue->items);
    queue->items = items;
    queue->capacity = capacity;
    queue->head = 0;
    return 0;
}

int uva__items_push(uva_queue_t *queue, void *item)
{
    if (queue->count == queue->capacity) {
        int r = items_resize(queue, queue->capacity == 0 ? ITEMS_MIN_CAPACITY
                                                         : queue->capacity * 2);
        if (r < 0) {
            return r;
        }
    }
    uva__items_push_last(queue, item);
    if (queue->order == UVA__QUEUE_PRIORITY) {
        queue->compares = true;
        items_sift_down(queue, 0, queue->count - 1);
        queue->compares = false;
    }
    return 0;
}

static void *items_pop_last(uva_queue_t *queue)
{
    return *uva__items_slot(queue, --queue->count);
}

static void *items_pop_smallest(uva_queue_t *queue)
{
    void *last = items_pop_last(queue);
    void *item = last;

    if (queue->count > 0) {
        /* The last one takes the place of the smallest, and goes down. */
        item = queue->items[0];
        queue->items[0] = last;
        queue->compares = true;
        items_sift_up(queue, 0);
        queue->compares = false;
    }
    return item;
}

void *uva__items_pop(uva_queue_t *queue)
{
    void *item;

    switch (queue->order) {
    case UVA__QUEUE_LIFO:
        item = items_pop_last(queue);
        break;
    case UVA__QUEUE_PRIORITY:
        item = items_pop_smallest(queue);
        break;
    default:
        item = uva__items_pop_first(queue);
        break;
    }
    if (queue->capacity > UVA__ITEMS_KEPT_CAPACITY &&
        queue->count < queue->capacity / ITEMS_FEW) {
        /* Without memory for a smaller ring the large one stays. */
        (void)items_resize(queue, queue->capacity / 2);
    }
    return item;
}

void uva__items_free(uva_queue_t *queue)
{
    uva__free(queue->items);
    queue->items = NULL;
    queue->capacity = 0;
    queue->head = 0;
}
