/*
 * The heap of a PriorityQueue (heapq).
 *
 * Equal items leave it in the order that heapq gives them: the same
 * comparisons, the same moves. head is 0.
 *
 * Invariant: outside of a comparison items[i] is not before items[(i - 1) / 2].
 * Comparisons are the user's code: from the first to the last one nobody else
 * is let in.
 */
#include "sync/heapq.h"

static bool queue_less(const uva_queue_t *queue, const void *a, const void *b)
{
    return queue->compare(a, b, queue->compare_data) < 0;
}

static void queue_set_compares(uva_queue_t *queue, bool compares)
{
    queue->compares = compares;
    uva__queue_set_wait(queue);
}

/* asyncio: heapq.py, _siftdown. */
static void queue_sift_down(uva_queue_t *queue, size_t start, size_t index)
{
    void **items = queue->items;
    void *item = items[index];

    while (index > start) {
        size_t parent = (index - 1) / 2;

        if (!queue_less(queue, item, items[parent])) {
            break;
        }
        items[index] = items[parent];
        index = parent;
    }
    items[index] = item;
}

/* asyncio: heapq.py, _siftup. */
static void queue_sift_up(uva_queue_t *queue, size_t index)
{
    void **items = queue->items;
    void *item = items[index];
    size_t start = index;
    size_t child;

    while ((child = 2 * index + 1) < queue->count) {
        if (child + 1 < queue->count &&
            !queue_less(queue, items[child], items[child + 1])) {
            child++;
        }
        items[index] = items[child];
        index = child;
    }
    items[index] = item;
    queue_sift_down(queue, start, index);
}

void uva__heapq_place_last(uva_queue_t *queue)
{
    queue_set_compares(queue, true);
    queue_sift_down(queue, 0, queue->count - 1);
    queue_set_compares(queue, false);
}

void uva__heapq_place_first(uva_queue_t *queue)
{
    queue_set_compares(queue, true);
    queue_sift_up(queue, 0);
    queue_set_compares(queue, false);
}
