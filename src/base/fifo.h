/*
 * Intrusive queue of one pointer: a ring of links of which the queue knows the
 * last, whose next is the first. A queue of zeros is empty.
 *
 * An object that may have to leave from the middle belongs in a list (list.h).
 */
#ifndef UVA__BASE_FIFO_H
#define UVA__BASE_FIFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

typedef struct uva__fifo_link_s {
    struct uva__fifo_link_s *next;
} uva__fifo_link_t;

typedef struct uva__fifo_s {
    uva__fifo_link_t *last; /* NULL when the queue is empty. */
} uva__fifo_t;

/** Whether a queue has no link. */
static inline bool uva__fifo_empty(const uva__fifo_t *fifo)
{
    return fifo->last == NULL;
}

/** Put a link behind the last one. It may stand in no other queue. */
static inline void uva__fifo_append(uva__fifo_t *fifo, uva__fifo_link_t *link)
{
    if (fifo->last == NULL) {
        link->next = link;
    } else {
        link->next = fifo->last->next;
        fifo->last->next = link;
    }
    fifo->last = link;
}

/** Take the first link out of a queue that is not empty. */
static inline uva__fifo_link_t *uva__fifo_pop(uva__fifo_t *fifo)
{
    uva__fifo_link_t *first = fifo->last->next;

    if (first == fifo->last) {
        fifo->last = NULL;
    } else {
        fifo->last->next = first->next;
    }
    return first;
}

/** The first object of a queue that is not empty. */
#define UVA__FIFO_FIRST(fifo, type, member) \
    UVA__CONTAINER_OF((fifo)->last->next, type, member)
/** The last one. */
#define UVA__FIFO_LAST(fifo, type, member) \
    UVA__CONTAINER_OF((fifo)->last, type, member)

#endif /* UVA__BASE_FIFO_H */
