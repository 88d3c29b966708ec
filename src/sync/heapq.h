/*
 * The heap of a priority queue.
 */
#ifndef UVA__SYNC_HEAPQ_H
#define UVA__SYNC_HEAPQ_H

#include "uva/queues.h"

/** Move the last item of a priority queue, or the first, to where it belongs;
 * the others are in order. */
void uva__heapq_place_last(uva_queue_t *queue);
void uva__heapq_place_first(uva_queue_t *queue);

/** Settle wait_above. A put does not wait where it would not be served: after
 * the shutdown, for room that a policy makes, and while the heap is not in
 * order. */
static inline void uva__queue_set_wait(uva_queue_t *queue)
{
    queue->wait_above = queue->maxsize - 1;
    if (queue->is_shutdown || queue->overflow != UVA_QUEUE_WAIT ||
        queue->compares) {
        queue->wait_above = SIZE_MAX;
    }
}

#endif /* UVA__SYNC_HEAPQ_H */
