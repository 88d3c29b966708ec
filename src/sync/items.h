/*
 * The items of a queue, in the order of its class. Nothing here wakes a task or
 * counts work.
 */
#ifndef UVA__SYNC_ITEMS_H
#define UVA__SYNC_ITEMS_H

#include "uva/queues.h"

enum {
    UVA__ITEMS_KEPT_CAPACITY =
        4096 /* A pop from a larger ring may shrink it. */
};

/** The place of the item that comes index items behind the first. */
static inline void **uva__items_slot(const uva_queue_t *queue, size_t index)
{
    return &queue->items[(queue->head + index) & (queue->capacity - 1)];
}

/** Add an item behind the others, for which there is a place in the ring; that
 * is all of a push unless the queue is a priority queue. */
static inline void uva__items_push_last(uva_queue_t *queue, void *item)
{
    *uva__items_slot(queue, queue->count++) = item;
}

/** Take the item that was put first out of a queue that is not empty. */
static inline void *uva__items_pop_first(uva_queue_t *queue)
{
    void *item = queue->items[queue->head];

    queue->count--;
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    return item;
}

/** Add an item. @retval UV_ENOMEM There is no place and no memory for more. */
int uva__items_push(uva_queue_t *queue, void *item);

/** Take the next item out of a queue that is not empty. */
void *uva__items_pop(uva_queue_t *queue);

/** Free the ring of a queue that is empty. */
void uva__items_free(uva_queue_t *queue);

#endif /* UVA__SYNC_ITEMS_H */
