/*
 * Queue, LifoQueue, PriorityQueue (asyncio.queues).
 *
 * A put wakes the first getter and leaves the item where it is: the getter
 * looks again when it runs, and so does a putter. Invariant: while there is an
 * item the oldest getter, if any, is woken, and while there is room the oldest
 * putter is; so one that is woken and does not take what it was called for
 * wakes the next.
 */
#include "uva/queues.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/format.h"
#include "sync/lines.h"

enum {
    QUEUE_MIN_CAPACITY = 8,     /* Items; a power of two, as every capacity. */
    QUEUE_KEPT_CAPACITY = 4096, /* A queue of more gives memory back. */
    QUEUE_FEW = 8               /* It does when it is filled to an eighth. */
};

/* --- making --- */

void uva_queue_init(uva_queue_t *queue, size_t maxsize)
{
    *queue = (uva_queue_t)UVA_QUEUE_INIT(maxsize);
}

void uva_lifo_queue_init(uva_queue_t *queue, size_t maxsize)
{
    *queue = (uva_queue_t)UVA_LIFO_QUEUE_INIT(maxsize);
}

void uva_priority_queue_init(uva_queue_t *queue,
                             size_t maxsize,
                             uva_compare_cb compare,
                             void *data)
{
    *queue = (uva_queue_t)UVA_PRIORITY_QUEUE_INIT(maxsize, compare, data);
}

void uva_queue_set_destroy(uva_queue_t *queue, uva_destroy_cb destroy)
{
    queue->destroy = destroy;
}

int uva_queue_set_overflow(uva_queue_t *queue, uva_queue_overflow_t overflow)
{
    if (overflow == UVA_QUEUE_DROP_OLDEST &&
        queue->order == UVA__QUEUE_PRIORITY) {
        return UV_EINVAL;
    }
    if (!uva__list_empty(&queue->putters.waiters)) {
        return UV_EBUSY;
    }
    queue->overflow = (uint8_t)overflow;
    return 0;
}

/* --- the items --- */

static inline void **queue_slot(const uva_queue_t *queue, size_t index)
{
    return &queue->items[(queue->head + index) & (queue->capacity - 1)];
}

/* Where the short ways of put and get end: at a limit, when memory is to be
 * had or given back, in a heap, and after the shutdown. */
static void queue_set_bounds(uva_queue_t *queue)
{
    size_t limit = queue->maxsize == 0 ? SIZE_MAX : queue->maxsize;
    bool fifo = queue->order == UVA__QUEUE_FIFO;

    queue->room = limit < queue->capacity ? limit : queue->capacity;
    if (queue->is_shutdown || queue->order == UVA__QUEUE_PRIORITY) {
        queue->room = 0;
    }
    queue->few = queue->capacity <= QUEUE_KEPT_CAPACITY
                     ? 0
                     : queue->capacity / QUEUE_FEW;
    if (!fifo) {
        queue->few = SIZE_MAX;
    }
}

static int queue_resize(uva_queue_t *queue, size_t capacity)
{
    void **items = capacity > SIZE_MAX / sizeof *items
                       ? NULL
                       : uva__malloc(capacity * sizeof *items);

    if (items == NULL) {
        return UV_ENOMEM;
    }
    for (size_t i = 0; i < queue->count; i++) {
        items[i] = *queue_slot(queue, i);
    }
    uva__free(queue->items);
    queue->items = items;
    queue->capacity = capacity;
    queue->head = 0;
    queue_set_bounds(queue);
    return 0;
}

static bool queue_less(const uva_queue_t *queue, const void *a, const void *b)
{
    return queue->compare(a, b, queue->compare_data) < 0;
}

/* Equal items leave a heap in the order that heapq gives them: the same
 * comparisons, the same moves. head is 0. */

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

static int queue_push(uva_queue_t *queue, void *item)
{
    if (queue->count == queue->capacity) {
        int r = queue_resize(queue, queue->capacity == 0 ? QUEUE_MIN_CAPACITY
                                                         : queue->capacity * 2);
        if (r < 0) {
            return r;
        }
    }
    *queue_slot(queue, queue->count++) = item;
    if (queue->order == UVA__QUEUE_PRIORITY) {
        queue_sift_down(queue, 0, queue->count - 1);
    }
    return 0;
}

static inline void *queue_pop_first(uva_queue_t *queue)
{
    void *item = *queue_slot(queue, 0);

    queue->count--;
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    return item;
}

static void *queue_pop_last(uva_queue_t *queue)
{
    return *queue_slot(queue, --queue->count);
}

static void *queue_pop_smallest(uva_queue_t *queue)
{
    void *last = queue_pop_last(queue);
    void *item = last;

    if (queue->count > 0) {
        item = queue->items[0];
        queue->items[0] = last;
        queue_sift_up(queue, 0);
    }
    return item;
}

static void *queue_pop(uva_queue_t *queue)
{
    void *item;

    switch (queue->order) {
    case UVA__QUEUE_LIFO:
        item = queue_pop_last(queue);
        break;
    case UVA__QUEUE_PRIORITY:
        item = queue_pop_smallest(queue);
        break;
    default:
        item = queue_pop_first(queue);
        break;
    }
    if (queue->capacity > QUEUE_KEPT_CAPACITY &&
        queue->count < queue->capacity / QUEUE_FEW) {
        (void)queue_resize(queue, queue->capacity / 2);
    }
    return item;
}

static void queue_drop(uva_queue_t *queue, void *item)
{
    if (queue->destroy != NULL) {
        queue->destroy(item);
    }
}

void uva_queue_destroy(uva_queue_t *queue)
{
    UVA__ASSERT(uva__list_empty(&queue->getters.waiters));
    UVA__ASSERT(uva__list_empty(&queue->putters.waiters));
    UVA__ASSERT(uva__list_empty(&queue->finished.waiters));
    while (queue->count > 0) {
        queue_drop(queue, queue_pop(queue));
    }
    uva__free(queue->items);
    queue->items = NULL;
    queue->capacity = 0;
    queue->head = 0;
    queue->unfinished = 0;
    queue->is_shutdown = false;
    queue_set_bounds(queue);
    uva_event_set(&queue->finished);
}

/* --- putting --- */

/* What the policy does about an item that finds the queue full. */
static int queue_overflow(uva_queue_t *queue, void *item)
{
    void *oldest;

    if (queue->overflow == UVA_QUEUE_WAIT) {
        return UVA_EQUEUEFULL;
    }
    if (queue->overflow == UVA_QUEUE_DROP_NEWEST) {
        queue_drop(queue, item);
        return 1;
    }
    /* As many items as before: no memory is needed, no getter to be woken,
     * and as many are unfinished. */
    oldest = queue_pop_first(queue);
    (void)queue_push(queue, item);
    queue_drop(queue, oldest);
    return 1;
}

/* An item has come in. */
static inline void queue_note_put(uva_queue_t *queue)
{
    if (queue->unfinished++ == 0) {
        uva_event_clear(&queue->finished);
    }
    if (!uva__list_empty(&queue->getters.waiters)) {
        (void)uva__line_wake_first(&queue->getters);
    }
}

static UVA__NOINLINE int queue_put_slow(uva_queue_t *queue, void *item)
{
    int r;

    if (queue->is_shutdown) {
        return UVA_EQUEUESHUTDOWN;
    }
    if (uva_queue_full(queue)) {
        return queue_overflow(queue, item);
    }
    r = queue_push(queue, item);
    if (r < 0) {
        return r;
    }
    queue_note_put(queue);
    return 0;
}

static inline int queue_put(uva_queue_t *queue, void *item)
{
    if (UVA__UNLIKELY(queue->count >= queue->room)) {
        return queue_put_slow(queue, item);
    }
    *queue_slot(queue, queue->count++) = item;
    queue_note_put(queue);
    return 0;
}

int uva_queue_put_nowait(uva_queue_t *queue, void *item)
{
    return queue_put(queue, item);
}

int uva_queue_put_poll(uva_queue_t *queue, void *item)
{
    uva_waiter_t *self = uva_waiter_current();
    bool woken = false;
    int r = 0;

    if (uva_waiter_resumed(self)) {
        woken = uva_waiter_woken(self);
        r = uva_waiter_finish(self);
    }
    if (r == 0) {
        r = queue_put(queue, item);
        if (r == UVA_EQUEUEFULL) {
            return uva_waiter_suspend(self, &queue->loop,
                                      &queue->putters.waiters);
        }
    }
    if (r < 0 && woken && !uva_queue_full(queue)) {
        /* We were called for room that we do not use. */
        (void)uva__line_wake_first(&queue->putters);
    }
    return r;
}

int uva_queue_put(uva_queue_t *queue, void *item)
{
    int r = uva_block_check();

    if (r < 0) {
        return r;
    }
    /* The poll's first call, which need not ask whether it is the first. */
    r = queue_put(queue, item);
    if (r == UVA_EQUEUEFULL) {
        r = uva_waiter_suspend(uva_waiter_current(), &queue->loop,
                               &queue->putters.waiters);
        while (r == UVA_PENDING) {
            uva_block(__func__);
            r = uva_queue_put_poll(queue, item);
        }
    }
    return r;
}

/* --- getting --- */

static UVA__NOINLINE int queue_get_slow(uva_queue_t *queue, void **ret_item)
{
    if (queue->count == 0) {
        return queue->is_shutdown ? UVA_EQUEUESHUTDOWN : UVA_EQUEUEEMPTY;
    }
    *ret_item = queue_pop(queue);
    (void)uva__line_wake_first(&queue->putters);
    return 0;
}

static inline int queue_get(uva_queue_t *queue, void **ret_item)
{
    if (UVA__UNLIKELY(queue->count <= queue->few)) {
        return queue_get_slow(queue, ret_item);
    }
    *ret_item = queue_pop_first(queue);
    if (!uva__list_empty(&queue->putters.waiters)) {
        (void)uva__line_wake_first(&queue->putters);
    }
    return 0;
}

int uva_queue_get_nowait(uva_queue_t *queue, void **ret_item)
{
    return queue_get(queue, ret_item);
}

int uva_queue_get_poll(uva_queue_t *queue, void **ret_item)
{
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (uva_waiter_resumed(self)) {
        bool woken = uva_waiter_woken(self);

        r = uva_waiter_finish(self);
        if (r < 0) {
            if (woken && queue->count > 0) {
                /* We were called for an item that we do not take. */
                (void)uva__line_wake_first(&queue->getters);
            }
            return r;
        }
    }
    r = queue_get(queue, ret_item);
    if (r == UVA_EQUEUEEMPTY) {
        return uva_waiter_suspend(self, &queue->loop, &queue->getters.waiters);
    }
    return r;
}

int uva_queue_get(uva_queue_t *queue, void **ret_item)
{
    int r = uva_block_check();

    if (r < 0) {
        return r;
    }
    r = queue_get(queue, ret_item);
    if (r == UVA_EQUEUEEMPTY) {
        r = uva_waiter_suspend(uva_waiter_current(), &queue->loop,
                               &queue->getters.waiters);
        while (r == UVA_PENDING) {
            uva_block(__func__);
            r = uva_queue_get_poll(queue, ret_item);
        }
    }
    return r;
}

/* --- joining and ending --- */

/* Items were told done, or dropped. */
static void queue_finish(uva_queue_t *queue, size_t count)
{
    queue->unfinished -= count < queue->unfinished ? count : queue->unfinished;
    if (queue->unfinished == 0) {
        uva_event_set(&queue->finished);
    }
}

int uva_queue_task_done(uva_queue_t *queue)
{
    if (queue->unfinished == 0) {
        return UV_EINVAL;
    }
    queue_finish(queue, 1);
    return 0;
}

int uva_queue_join_poll(uva_queue_t *queue)
{
    return uva_event_wait_poll(&queue->finished);
}

int uva_queue_join(uva_queue_t *queue)
{
    int r;

    UVA_DRIVE(r, uva_queue_join_poll(queue));
    return r;
}

void uva_queue_shutdown(uva_queue_t *queue, bool immediate)
{
    queue->is_shutdown = true;
    queue_set_bounds(queue);
    if (immediate) {
        size_t count = queue->count;

        while (queue->count > 0) {
            queue_drop(queue, queue_pop(queue));
        }
        queue_finish(queue, count);
    }
    uva__line_wake_all(&queue->getters);
    uva__line_wake_all(&queue->putters);
}

/* --- looking --- */

size_t uva_queue_qsize(const uva_queue_t *queue)
{
    return queue->count;
}

size_t uva_queue_maxsize(const uva_queue_t *queue)
{
    return queue->maxsize;
}

bool uva_queue_empty(const uva_queue_t *queue)
{
    return queue->count == 0;
}

bool uva_queue_full(const uva_queue_t *queue)
{
    return queue->maxsize > 0 && queue->count >= queue->maxsize;
}

/* Append " name" with a count to a description, unless it is 0. */
static size_t queue_describe(
    char *text, size_t size, size_t at, const char *format, size_t count)
{
    if (count == 0) {
        return at;
    }
    return at + uva__format(at < size ? text + at : NULL,
                            at < size ? size - at : 0, format, count);
}

size_t uva_queue_repr(const uva_queue_t *queue, char *text, size_t size)
{
    static const char *const names[] = {"Queue", "LifoQueue", "PriorityQueue"};
    size_t at =
        uva__format(text, size, "<%s at %p maxsize=%zu", names[queue->order],
                    (const void *)queue, queue->maxsize);

    at = queue_describe(text, size, at, " size=%zu", queue->count);
    at = queue_describe(text, size, at, " getters[%zu]",
                        uva__sync_count(&queue->getters.waiters));
    at = queue_describe(text, size, at, " putters[%zu]",
                        uva__sync_count(&queue->putters.waiters));
    at = queue_describe(text, size, at, " tasks=%zu", queue->unfinished);
    return at + uva__format(at < size ? text + at : NULL,
                            at < size ? size - at : 0, "%s>",
                            queue->is_shutdown ? " shutdown" : "");
}
