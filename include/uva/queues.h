/**
 * @file
 * Queues between the tasks of one loop: Queue, LifoQueue, PriorityQueue, and
 * waiting for one of several.
 *
 * A queue is embedded; only the room for its items is allocated, when the
 * first one is put. Embed it in whatever outlives its waiters, do not move it,
 * end it with uva_queue_destroy. Every call belongs to the loop's thread.
 */
#ifndef UVA_QUEUES_H
#define UVA_QUEUES_H

#include "uva/errors.h"
#include "uva/locks.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** private: the tasks that wait at one end of a queue. */
typedef struct uva__waitlist_s {
    uva_list_t waiters; /* Of uva_waiter_t.link and uva_select_case_t.link,
                           oldest first. */
    uva_list_t cases;   /* Of uva_select_case_t.among_cases: those of waiters
                           that are cases, in the same order. */
} uva__waitlist_t;

/** private */
typedef enum uva__queue_order_e {
    UVA__QUEUE_FIFO,
    UVA__QUEUE_LIFO,
    UVA__QUEUE_PRIORITY
} uva__queue_order_t;

/** The policy of a put when the queue is full. */
typedef enum uva_queue_overflow_e {
    UVA_QUEUE_WAIT,        /* Wait until there is room, as asyncio does. */
    UVA_QUEUE_DROP_OLDEST, /* Make room: drop the item that was put first. */
    UVA_QUEUE_DROP_NEWEST  /* Drop what is being put. */
} uva_queue_overflow_t;

/** Compare two items: negative if a comes out before b. Puts to the queue and
 * gets from it are UV_EBUSY meanwhile; to destroy it, or shut it down at once,
 * does nothing and is logged. May not suspend. */
typedef int (*uva_compare_cb)(const void *a, const void *b, void *data);

/**
 * A queue of pointers.
 *
 * An item belongs to the queue from a put that succeeds to the get that gives
 * it out. What is dropped (by a policy, uva_queue_shutdown at once, or
 * uva_queue_destroy) goes to the destructor if one was set.
 *
 * @asyncio Queue, LifoQueue, PriorityQueue
 */
typedef struct uva_queue_s {
    /* private */
    void **items;     /* Owned ring, NULL before the first item. */
    size_t capacity;  /* Places in the ring: a power of two, or 0. */
    size_t head;      /* Index of the first item. */
    size_t count;     /* Items in the ring. */
    size_t maxsize;   /* 0: no limit. */
    uva_loop_t *loop; /* Borrowed; NULL until the first wait. */
    uva__waitlist_t getters;
    uva__waitlist_t putters;
    size_t unfinished;    /* Items put and not told done. */
    uva_event_t finished; /* Set while unfinished is 0. */
    uva_compare_cb compare;
    void *compare_data; /* Borrowed. */
    uva_destroy_cb destroy;
    uint8_t order;    /* uva__queue_order_t */
    uint8_t overflow; /* uva_queue_overflow_t */
    bool is_shutdown;
    bool compares; /* Items are being moved: compare runs. */
} uva_queue_t;

/** private */
#define UVA__QUEUE_INIT(maxsize, order, compare, data)                   \
    {                                                                    \
        NULL, 0, 0, 0, maxsize, NULL, {{NULL, NULL}, {NULL, NULL}},      \
            {{NULL, NULL}, {NULL, NULL}}, 0, {NULL, {NULL, NULL}, true}, \
            compare, data, NULL, order, UVA_QUEUE_WAIT, false, false     \
    }

/** As uva_queue_init. */
#define UVA_QUEUE_INIT(maxsize) \
    UVA__QUEUE_INIT(maxsize, UVA__QUEUE_FIFO, NULL, NULL)
/** As uva_lifo_queue_init. */
#define UVA_LIFO_QUEUE_INIT(maxsize) \
    UVA__QUEUE_INIT(maxsize, UVA__QUEUE_LIFO, NULL, NULL)
/** As uva_priority_queue_init. */
#define UVA_PRIORITY_QUEUE_INIT(maxsize, compare, data) \
    UVA__QUEUE_INIT(maxsize, UVA__QUEUE_PRIORITY, compare, data)

/**
 * Initialise an empty queue, first in, first out; UVA_QUEUE_INIT does the same
 * for a static one.
 *
 * @param maxsize How many items it holds; 0: no limit.
 */
UVA_EXTERN void uva_queue_init(uva_queue_t *queue, size_t maxsize);
/** The same, last in, first out. */
UVA_EXTERN void uva_lifo_queue_init(uva_queue_t *queue, size_t maxsize);
/**
 * The same, the smallest first: a binary heap, that of Python's heapq.
 *
 * @param data Borrowed; given to compare.
 */
UVA_EXTERN void uva_priority_queue_init(uva_queue_t *queue,
                                        size_t maxsize,
                                        uva_compare_cb compare,
                                        void *data);

/** Say what frees an item that the queue drops; it may use the queue. */
UVA_EXTERN void uva_queue_set_destroy(uva_queue_t *queue,
                                      uva_destroy_cb destroy);

/**
 * Say what a put does when the queue is full. With a policy that drops no put
 * ever waits. An item that is dropped out of the queue counts as told done.
 *
 * @retval UV_EINVAL A priority queue has no oldest item, or overflow is
 *                   unknown; unchanged.
 * @retval UV_EBUSY  Tasks wait to put; unchanged.
 */
UVA_EXTERN int uva_queue_set_overflow(uva_queue_t *queue,
                                      uva_queue_overflow_t overflow);

/** Drop the items and free their memory. No task may wait for the queue. A task
 * that was cancelled, or whose uva_queue_join has ended, does not wait, also if
 * it did not run yet. But it looks at the queue when it runs: until then the
 * queue stays in memory, or is used again as an empty one. Puts from
 * destructors of items fail with UVA_EQUEUESHUTDOWN. */
UVA_EXTERN void uva_queue_destroy(uva_queue_t *queue);

/**
 * Put an item; wait while the queue is full.
 *
 * @param item Taken if 0 or more is returned.
 * @retval 1                 An item was dropped, by the overflow policy: the
 *                           oldest or this one.
 * @retval UVA_EQUEUESHUTDOWN It is shut down.
 * @retval UV_ECANCELED      The calling task was cancelled while it waited.
 * @retval UV_ENOMEM         There is no memory for one more.
 * @retval UV_EBUSY          Its items are being compared.
 * @retval UVA_EWRONGLOOP    Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK       Called where nothing can suspend.
 * @suspends Only while it is full.
 * @asyncio  Queue.put
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_queue_put(uva_queue_t *queue,
                                                    void *item);
/** The poll half of uva_queue_put; item the same in each call. */
UVA_EXTERN UVA_NODISCARD int uva_queue_put_poll(uva_queue_t *queue, void *item);

/**
 * Put an item now. Returns as uva_queue_put, and:
 * @retval UVA_EQUEUEFULL It is full.
 * @asyncio Queue.put_nowait
 */
UVA_EXTERN UVA_NODISCARD int uva_queue_put_nowait(uva_queue_t *queue,
                                                  void *item);

/**
 * Take the next item; wait while the queue is empty.
 *
 * A put wakes the oldest waiter, which takes the item when it runs. If another
 * task takes it before, the waiter goes back to the end of the list.
 *
 * @param[out] ret_item The caller's from here on.
 * @retval UVA_EQUEUESHUTDOWN It is shut down and empty.
 * @retval UV_ECANCELED       The calling task was cancelled while it waited.
 * @retval UV_EBUSY           Its items are being compared.
 * @retval UVA_EWRONGLOOP     Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK        Called where nothing can suspend.
 * @suspends Only while it is empty.
 * @asyncio  Queue.get
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_queue_get(uva_queue_t *queue,
                                                    void **ret_item);
/** The poll half of uva_queue_get. */
UVA_EXTERN UVA_NODISCARD int uva_queue_get_poll(uva_queue_t *queue,
                                                void **ret_item);

/**
 * Take the next item now. Returns as uva_queue_get, and:
 * @retval UVA_EQUEUEEMPTY It is empty.
 * @asyncio Queue.get_nowait
 */
UVA_EXTERN UVA_NODISCARD int uva_queue_get_nowait(uva_queue_t *queue,
                                                  void **ret_item);

/**
 * Tell that the work on an item that was taken is done.
 *
 * @retval UV_EINVAL More often than there were items (ValueError).
 * @asyncio Queue.task_done
 */
UVA_EXTERN int uva_queue_task_done(uva_queue_t *queue);

/**
 * Wait until each item that was put has been taken and told done.
 *
 * @retval UV_ECANCELED   The calling task was cancelled while it waited.
 * @retval UVA_EWRONGLOOP Tasks of another loop have waited for it.
 * @retval UVA_ENOTASK    Called where nothing can suspend.
 * @suspends Only while items are unfinished.
 * @asyncio  Queue.join
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_queue_join(uva_queue_t *queue);
/** The poll half of uva_queue_join. */
UVA_EXTERN UVA_NODISCARD int uva_queue_join_poll(uva_queue_t *queue);

/**
 * End the queue: puts fail, gets fail once it is empty; all tasks that wait
 * look again.
 *
 * @param immediate Drop the items, and count them as told done.
 * @asyncio Queue.shutdown
 */
UVA_EXTERN void uva_queue_shutdown(uva_queue_t *queue, bool immediate);

/** @asyncio Queue.qsize */
UVA_EXTERN size_t uva_queue_qsize(const uva_queue_t *queue);
/** 0: no limit. @asyncio Queue.maxsize */
UVA_EXTERN size_t uva_queue_maxsize(const uva_queue_t *queue);
/** @asyncio Queue.empty */
UVA_EXTERN bool uva_queue_empty(const uva_queue_t *queue);
/** @asyncio Queue.full */
UVA_EXTERN bool uva_queue_full(const uva_queue_t *queue);

/**
 * One of the things uva_select waits for; make it with UVA_SELECT_GET or
 * UVA_SELECT_PUT. Embedded; the caller's until the wait is over.
 */
typedef struct uva_select_case_s {
    uva_queue_t *queue; /* Borrowed. */
    void **ret_item;    /* Where the item of a get goes; NULL for a put. */
    void *item;         /* What a put puts. */
    /* private */
    uva_list_t link;        /* Of uva__waitlist_t.waiters. */
    uva_list_t among_cases; /* Of uva__waitlist_t.cases. */
    uva_waiter_t *waiter;   /* Of the task that waits. */
    int32_t index;
} uva_select_case_t;

/** Get an item. */
#define UVA_SELECT_GET(queue, ret_item)                            \
    {                                                              \
        queue, ret_item, NULL, {NULL, NULL}, {NULL, NULL}, NULL, 0 \
    }
/** Put an item. */
#define UVA_SELECT_PUT(queue, item)                            \
    {                                                          \
        queue, NULL, item, {NULL, NULL}, {NULL, NULL}, NULL, 0 \
    }

/**
 * Wait until one of several gets and puts can be done, and do exactly that
 * one; none if an error is returned.
 *
 *     uva_select_case_t cases[] = {
 *         UVA_SELECT_GET(&orders, &order),
 *         UVA_SELECT_PUT(&results, result),
 *     };
 *     int which = uva_select(cases, 2);
 *
 * If several can be done it is the first in the array. While none can, the
 * task stands in every list, in order of arrival like any other waiter; if it
 * is called to one and finds the item gone, it goes back to the end of all. A
 * queue that is shut down takes no part. A deadline is a UVA_TIMEOUT around it.
 *
 * @return The index of the case that was done, or:
 * @retval UVA_EQUEUESHUTDOWN No case can ever be done.
 * @retval UV_EINVAL          count is 0, or more than INT_MAX.
 * @retval UV_ENOMEM          There was room for a put, but no memory.
 * @retval UV_EBUSY           The items of a queue are being compared.
 * @retval UV_ECANCELED       The calling task was cancelled while it waited.
 * @retval UVA_EWRONGLOOP     Tasks of another loop have waited for a queue.
 * @retval UVA_ENOTASK        Called where nothing can suspend.
 * @suspends Only while none can be done.
 */
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_select(uva_select_case_t *cases,
                                                 size_t count);
/** The poll half of uva_select; the cases are left alone until it returns
 * something else than UVA_PENDING. */
UVA_EXTERN UVA_NODISCARD int uva_select_poll(uva_select_case_t *cases,
                                             size_t count);
/** The same without waiting. @retval UV_EAGAIN None can be done now. */
UVA_EXTERN UVA_NODISCARD int uva_select_nowait(const uva_select_case_t *cases,
                                               size_t count);

UVA_END_DECLS

#endif /* UVA_QUEUES_H */
