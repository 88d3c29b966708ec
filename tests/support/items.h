/*
 * Queues of small numbers.
 */
#ifndef TEST_ITEMS_H
#define TEST_ITEMS_H

#include "uva_test.h"

#define ITEM(number) ((void *)(intptr_t)(number))
#define NUMBER(item) ((int)(intptr_t)(item))
#define PUT(q, number) \
    ck_assert_int_eq(uva_queue_put_nowait(q, ITEM(number)), 0)

static inline int get(uva_queue_t *queue)
{
    void *item = NULL;

    ck_assert_int_eq(uva_queue_get_nowait(queue, &item), 0);
    return NUMBER(item);
}

#endif /* TEST_ITEMS_H */
