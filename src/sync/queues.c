/*
 * Queue, LifoQueue, PriorityQueue (asyncio.queues).
 *
 * A put wakes the first getter and leaves the item where it is: the getter
 * looks again when it runs, and so does a putter. Invariant: while there is an
 * item the oldest getter, if any, is woken, and while there is room the oldest
 * putter is; so one that is woken and does not take what it was called for
 * wakes the next.
 *
 * A put that finds count below room, and a get that finds it above few, look
 * at nothing else. So room is 0 while somebody waits to get, or a poll of a put
 * is to be called again; few is SIZE_MAX while somebody waits to put, or a poll
 * of a get is to be called again. They are set by who begins to wait, and set
 * back by the next put or get that finds nobody.
 */
#include "uva/queues.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/format.h"
#include "base/log.h"
#include "sync/heapq.h"
#include "sync/lines.h"

enum {
    QUEUE_MIN_CAPACITY = 8,     /* Items; a power of two, as every capacity. */
    QUEUE_KEPT_CAPACITY = 4096, /* A queue of more gives memory back. */
    QUEUE_FEW = 8,              /* It does when it is filled to an eighth. */
    QUEUE_SHORT = 16            /* Places of a queue that is short: measured. */
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
    if (uva__sync_owned(queue->loop, __func__)) {
        queue->destroy = destroy;
    }
}

/* --- the items --- */

static inline void **queue_slot(const uva_queue_t *queue, size_t index)
{
    return &queue->items[(queue->head + index) & queue->mask];
}

static size_t queue_capacity(const uva_queue_t *queue)
{
    return queue->items == NULL ? 0 : queue->mask + 1;
}

/* Nobody is to be called by a put, no poll of a put is to be called again. */
static inline void queue_open_puts(uva_queue_t *queue)
{
    if (queue->putters.asleep == 0 &&
        uva__list_empty(&queue->getters.waiters)) {
        queue->room = queue->open_room;
    }
}

static inline void queue_open_gets(uva_queue_t *queue)
{
    if (queue->getters.asleep == 0 &&
        uva__list_empty(&queue->putters.waiters)) {
        queue->few = queue->open_few;
    }
}

/* Where the short ways of put and get end at best: at a limit, when memory is
 * to be had or given back, in a heap, and after the shutdown. */
static void queue_set_bounds(uva_queue_t *queue)
{
    size_t limit = queue->maxsize == 0 ? SIZE_MAX : queue->maxsize;
    size_t capacity = queue_capacity(queue);

    queue->open_room = limit < capacity ? limit : capacity;
    if (queue->is_shutdown || queue->order == UVA__QUEUE_PRIORITY) {
        queue->open_room = 0;
    }
    queue->open_few =
        capacity <= QUEUE_KEPT_CAPACITY ? 0 : capacity / QUEUE_FEW;
    if (queue->order != UVA__QUEUE_FIFO) {
        queue->open_few = SIZE_MAX;
    }
    uva__queue_set_wait(queue);
    uva__queue_close(queue);
    queue_open_puts(queue);
    queue_open_gets(queue);
}

int uva_queue_set_overflow(uva_queue_t *queue, uva_queue_overflow_t overflow)
{
    if (!uva__queue_owned(queue, __func__)) {
        return UV_EPERM;
    }
    if (overflow > UVA_QUEUE_DROP_NEWEST ||
        (overflow == UVA_QUEUE_DROP_OLDEST &&
         queue->order == UVA__QUEUE_PRIORITY)) {
        return uva__bare(UV_EINVAL);
    }
    if (!uva__list_empty(&queue->putters.waiters)) {
        return uva__bare(UV_EBUSY);
    }
    queue->overflow = (uint8_t)overflow;
    queue_set_bounds(queue);
    return 0;
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
    queue->mask = capacity - 1;
    queue->head = 0;
    queue_set_bounds(queue);
    return 0;
}

static int queue_push(uva_queue_t *queue, void *item)
{
    size_t capacity = queue_capacity(queue);

    if (queue->count == capacity) {
        int r = queue_resize(queue,
                             capacity == 0 ? QUEUE_MIN_CAPACITY : capacity * 2);
        if (r < 0) {
            return r;
        }
    }
    *queue_slot(queue, queue->count++) = item;
    if (queue->order == UVA__QUEUE_PRIORITY) {
        uva__heapq_place_last(queue);
    }
    return 0;
}

static inline void *queue_pop_first(uva_queue_t *queue)
{
    void *item = queue->items[queue->head];

    queue->count--;
    queue->head = (queue->head + 1) & queue->mask;
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
        uva__heapq_place_first(queue);
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
    if (queue->mask >= QUEUE_KEPT_CAPACITY &&
        queue->count < (queue->mask + 1) / QUEUE_FEW) {
        (void)queue_resize(queue, (queue->mask + 1) / 2);
    }
    return item;
}

static void queue_drop(uva_queue_t *queue, void *item)
{
    if (queue->destroy != NULL) {
        queue->destroy(item);
    }
}

/* Take out who has waited for the end of all work, and did not run yet. */
static void finished_clear(uva_event_t *finished)
{
    while (!uva__list_empty(&finished->waiters)) {
        uva_waiter_t *waiter =
            UVA__LIST_FIRST(&finished->waiters, uva_waiter_t, link);
        UVA__ASSERT(uva_waiter_cancelled(waiter) || uva_waiter_woken(waiter));
        uva__list_remove(&waiter->link);
    }
}

/* A comparison that ends its queue is told, and nothing is done: the items are
 * being moved. */
static bool queue_is_compared(const uva_queue_t *queue, const char *function)
{
    if (queue->compares) {
        uva__log(UVA_LOG_ERROR, "%s in a comparison of its own items: ignored",
                 function);
    }
    return queue->compares;
}

void uva_queue_destroy(uva_queue_t *queue)
{
    if (!uva__queue_owned(queue, __func__)) {
        return;
    }
    if (queue_is_compared(queue, __func__)) {
        return;
    }
    uva__line_clear(&queue->getters);
    uva__line_clear(&queue->putters);
    finished_clear(&queue->finished);
    queue->is_shutdown = true; /* For the destructors. */
    queue_set_bounds(queue);
    while (queue->count > 0) {
        queue_drop(queue, queue_pop(queue));
    }
    uva__free(queue->items);
    queue->items = NULL;
    queue->mask = 0;
    queue->head = 0;
    queue->unfinished = 0;
    queue->is_shutdown = false;
    queue_set_bounds(queue);
    uva_event_set(&queue->finished);
}

/* --- putting --- */

/* Apply the policy to an item that finds the queue full. */
static int queue_overflow(uva_queue_t *queue, void *item)
{
    void *oldest;

    if (queue->overflow == UVA_QUEUE_WAIT) {
        return uva__bare(UVA_EQUEUEFULL);
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

/* Put an item for which there is a place. */
static inline void queue_append(uva_queue_t *queue, void *item)
{
    *queue_slot(queue, queue->count++) = item;
    queue->unfinished++;
    queue->finished.value = false; /* As uva_event_clear. */
}

/* There is no place: none is allowed, or none is made yet. */
static UVA__NOINLINE int queue_put_hard(uva_queue_t *queue, void *item)
{
    int r;

    if (queue->compares) {
        return uva__bare(UV_EBUSY);
    }
    if (queue->is_shutdown) {
        return uva__bare(UVA_EQUEUESHUTDOWN);
    }
    if (uva_queue_full(queue)) {
        return queue_overflow(queue, item);
    }
    r = queue_push(queue, item);
    if (r < 0) {
        return r;
    }
    queue->unfinished++;
    uva_event_clear(&queue->finished);
    return uva__line_wake_first(&queue->getters);
}

static UVA__NOINLINE int
queue_put_slow(uva_queue_t *queue, void *item, const char *function)
{
    if (UVA__UNLIKELY(!uva__sync_owned(queue->loop, function))) {
        return UV_EPERM;
    }
    if (queue->count >= queue->open_room) {
        return queue_put_hard(queue, item);
    }
    queue_append(queue, item);
    if (!uva__list_empty(&queue->getters.waiters)) {
        (void)uva__line_wake_first(&queue->getters);
    }
    queue_open_puts(queue);
    return 0;
}

int uva_queue_put_nowait(uva_queue_t *queue, void *item)
{
    if (UVA__UNLIKELY(queue->count >= queue->room)) {
        return queue_put_slow(queue, item, __func__);
    }
    queue_append(queue, item);
    return 0;
}

/* End a put that was woken for room with r. If it failed, hand the room on. */
static int queue_put_refused(uva_queue_t *queue, int r)
{
    if (r < 0 && !uva_queue_full(queue)) {
        (void)uva__line_wake_first(&queue->putters);
    }
    return r;
}

static UVA__NOINLINE int queue_put_cancelled(uva_queue_t *queue,
                                             uva_waiter_t *self)
{
    bool woken = uva_waiter_woken(self);
    int r = uva_waiter_finish(self);

    return woken ? queue_put_refused(queue, r) : r;
}

static UVA__NOINLINE int queue_put_called_hard(uva_queue_t *queue, void *item)
{
    return queue_put_refused(queue, queue_put_hard(queue, item));
}

/* Put after a wake-up, when it need not wait again. */
static inline int queue_put_called(uva_queue_t *queue, void *item)
{
    if (UVA__UNLIKELY(queue->count >= queue->open_room)) {
        return queue_put_called_hard(queue, item);
    }
    queue_append(queue, item);
    return uva__line_wake_first_of(queue->loop, &queue->getters);
}

static UVA__NOINLINE int queue_sleep_slow(uva_queue_t *queue,
                                          uva__queue_line_t *line,
                                          uva_waiter_t *self)
{
    int r;

    uva__queue_make_lines(queue);
    r = uva_waiter_suspend(self, &queue->loop, &line->waiters);
    if (r == UVA_PENDING) {
        line->asleep++;
        uva__queue_close(queue);
    }
    return r;
}

/* Suspend a poll, whose next call is not to take the short way. */
static inline int
queue_sleep(uva_queue_t *queue, uva__queue_line_t *line, uva_waiter_t *self)
{
    if (UVA__UNLIKELY(self == NULL ||
                      !uva__waiter_joins(self, &queue->loop, &line->waiters))) {
        return queue_sleep_slow(queue, line, self);
    }
    line->asleep++;
    uva__queue_close(queue);
    return UVA_PENDING;
}

static UVA__NOINLINE int queue_put_again(uva_queue_t *queue, uva_waiter_t *self)
{
    return queue_sleep(queue, &queue->putters, self);
}

static UVA__NOINLINE int
queue_put_resumed(uva_queue_t *queue, void *item, uva_waiter_t *self)
{
    queue->putters.asleep--;
    if (UVA__UNLIKELY(!uva__waiter_ends(self))) {
        return queue_put_cancelled(queue, self);
    }
    if (UVA__UNLIKELY(queue->count > queue->wait_above)) {
        return queue_put_again(queue, self);
    }
    return queue_put_called(queue, item);
}

static UVA__NOINLINE int queue_put_poll_slow(uva_queue_t *queue, void *item)
{
    uva_waiter_t *self = uva__waiter_current();

    if (uva__waiter_resumed(self)) {
        return queue_put_resumed(queue, item, self);
    }
    if (queue->count > queue->wait_above) {
        return queue_sleep(queue, &queue->putters, self);
    }
    return queue_put_slow(queue, item, "uva_queue_put_poll");
}

int uva_queue_put_poll(uva_queue_t *queue, void *item)
{
    if (UVA__UNLIKELY(queue->count >= queue->room)) {
        return queue_put_poll_slow(queue, item);
    }
    queue_append(queue, item);
    return 0;
}

/* Suspend a stackful task, which does not come back by a short way. */
static UVA__NOINLINE int queue_block_slow(uva_queue_t *queue,
                                          uva__queue_line_t *line,
                                          uva_waiter_t *self)
{
    uva__queue_make_lines(queue);
    return uva_waiter_suspend(self, &queue->loop, &line->waiters);
}

static inline int
queue_block(uva_queue_t *queue, uva__queue_line_t *line, uva_waiter_t *self)
{
    return UVA__LIKELY(uva__waiter_joins(self, &queue->loop, &line->waiters))
               ? UVA_PENDING
               : queue_block_slow(queue, line, self);
}

/* Tasks at a queue of few places change sides with every other item: one mostly
 * comes back when the other end has just left. */
static inline bool queue_is_short(const uva_queue_t *queue)
{
    return queue->maxsize - 1 < QUEUE_SHORT;
}

/* As the poll, for a stackful task, which stays here while it waits. */
UVA__INLINE int
queue_put_stay(uva_queue_t *queue, void *item, uva_waiter_t *self)
{
    int r;

    if (queue->count <= queue->wait_above) {
        return queue_put_slow(queue, item, "uva_queue_put");
    }
    do {
        r = queue_block(queue, &queue->putters, self);
        if (UVA__UNLIKELY(r != UVA_PENDING)) {
            return r;
        }
        queue->few = SIZE_MAX; /* The next get calls us. */
        uva__waiter_block(self, "uva_queue_put");
        if (UVA__UNLIKELY(!uva__waiter_ends(self))) {
            return queue_put_cancelled(queue, self);
        }
    } while (UVA__UNLIKELY(queue->count > queue->wait_above));
    return queue_put_called(queue, item);
}

static UVA__NOINLINE int
queue_put_wait(uva_queue_t *queue, void *item, uva_waiter_t *self)
{
    return queue_put_stay(queue, item, self);
}

static UVA__NOINLINE UVA__RETURN_BY_JUMP int
queue_put_wait_short(uva_queue_t *queue, void *item, uva_waiter_t *self)
{
    return queue_put_stay(queue, item, self);
}

int uva_queue_put(uva_queue_t *queue, void *item)
{
    uva_waiter_t *self = uva__waiter_blocking();

    if (UVA__UNLIKELY(self == NULL)) {
        return UVA_ENOTASK;
    }
    if (UVA__UNLIKELY(queue->count >= queue->room)) {
        return queue_is_short(queue) ? queue_put_wait_short(queue, item, self)
                                     : queue_put_wait(queue, item, self);
    }
    queue_append(queue, item);
    return 0;
}

/* --- getting --- */

/* Take an item that is there. */
static UVA__NOINLINE int queue_take(uva_queue_t *queue, void **ret_item)
{
    if (queue->compares) {
        return uva__bare(UV_EBUSY);
    }
    *ret_item = queue_pop(queue);
    return uva__line_wake_first(&queue->putters);
}

static UVA__NOINLINE int
queue_get_slow(uva_queue_t *queue, void **ret_item, const char *function)
{
    if (UVA__UNLIKELY(!uva__sync_owned(queue->loop, function))) {
        return UV_EPERM;
    }
    if (queue->count == 0) {
        return uva__bare(queue->is_shutdown ? UVA_EQUEUESHUTDOWN
                                            : UVA_EQUEUEEMPTY);
    }
    if (UVA__UNLIKELY(queue->compares)) {
        return uva__bare(UV_EBUSY);
    }
    *ret_item =
        queue->open_few == 0 ? queue_pop_first(queue) : queue_pop(queue);
    if (!uva__list_empty(&queue->putters.waiters)) {
        (void)uva__line_wake_first(&queue->putters);
    }
    queue_open_gets(queue);
    return 0;
}

int uva_queue_get_nowait(uva_queue_t *queue, void **ret_item)
{
    if (UVA__UNLIKELY(queue->count <= queue->few)) {
        return queue_get_slow(queue, ret_item, __func__);
    }
    *ret_item = queue_pop_first(queue);
    return 0;
}

static UVA__NOINLINE int queue_get_cancelled(uva_queue_t *queue,
                                             uva_waiter_t *self)
{
    bool woken = uva_waiter_woken(self);
    int r = uva_waiter_finish(self);

    if (woken && queue->count > 0) {
        /* We were called for an item that we do not take. */
        (void)uva__line_wake_first(&queue->getters);
    }
    return r;
}

/* Get after a wake-up, when there is an item. */
static inline int queue_get_called(uva_queue_t *queue, void **ret_item)
{
    if (UVA__UNLIKELY(queue->open_few != 0)) {
        return queue_take(queue, ret_item);
    }
    *ret_item = queue_pop_first(queue);
    return uva__line_wake_first_of(queue->loop, &queue->putters);
}

static UVA__NOINLINE int queue_get_again(uva_queue_t *queue, uva_waiter_t *self)
{
    return queue->is_shutdown ? uva__bare(UVA_EQUEUESHUTDOWN)
                              : queue_sleep(queue, &queue->getters, self);
}

static UVA__NOINLINE int
queue_get_resumed(uva_queue_t *queue, void **ret_item, uva_waiter_t *self)
{
    queue->getters.asleep--;
    if (UVA__UNLIKELY(!uva__waiter_ends(self))) {
        return queue_get_cancelled(queue, self);
    }
    if (UVA__UNLIKELY(queue->count == 0)) {
        return queue_get_again(queue, self);
    }
    return queue_get_called(queue, ret_item);
}

static UVA__NOINLINE int queue_get_poll_slow(uva_queue_t *queue,
                                             void **ret_item)
{
    uva_waiter_t *self = uva__waiter_current();

    if (uva__waiter_resumed(self)) {
        return queue_get_resumed(queue, ret_item, self);
    }
    if (queue->count == 0 && !queue->is_shutdown) {
        return queue_sleep(queue, &queue->getters, self);
    }
    return queue_get_slow(queue, ret_item, "uva_queue_get_poll");
}

int uva_queue_get_poll(uva_queue_t *queue, void **ret_item)
{
    if (UVA__UNLIKELY(queue->count <= queue->few)) {
        return queue_get_poll_slow(queue, ret_item);
    }
    *ret_item = queue_pop_first(queue);
    return 0;
}

/* As the poll, for a stackful task, which stays here while it waits. */
UVA__INLINE int
queue_get_stay(uva_queue_t *queue, void **ret_item, uva_waiter_t *self)
{
    int r;

    while (UVA__LIKELY(queue->count == 0 && !queue->is_shutdown)) {
        r = queue_block(queue, &queue->getters, self);
        if (UVA__UNLIKELY(r != UVA_PENDING)) {
            return r;
        }
        queue->room = 0; /* The next put calls us. */
        uva__waiter_block(self, "uva_queue_get");
        if (UVA__UNLIKELY(!uva__waiter_ends(self))) {
            return queue_get_cancelled(queue, self);
        }
        if (UVA__LIKELY(queue->count > 0)) {
            return queue_get_called(queue, ret_item);
        }
    }
    return queue_get_slow(queue, ret_item, "uva_queue_get");
}

static UVA__NOINLINE int
queue_get_wait(uva_queue_t *queue, void **ret_item, uva_waiter_t *self)
{
    return queue_get_stay(queue, ret_item, self);
}

static UVA__NOINLINE UVA__RETURN_BY_JUMP int
queue_get_wait_short(uva_queue_t *queue, void **ret_item, uva_waiter_t *self)
{
    return queue_get_stay(queue, ret_item, self);
}

int uva_queue_get(uva_queue_t *queue, void **ret_item)
{
    uva_waiter_t *self = uva__waiter_blocking();

    if (UVA__UNLIKELY(self == NULL)) {
        return UVA_ENOTASK;
    }
    if (UVA__UNLIKELY(queue->count <= queue->few)) {
        return queue_is_short(queue)
                   ? queue_get_wait_short(queue, ret_item, self)
                   : queue_get_wait(queue, ret_item, self);
    }
    *ret_item = queue_pop_first(queue);
    return 0;
}

/* --- joining and ending --- */

/* An item was told done, or dropped. */
static void queue_finish(uva_queue_t *queue)
{
    queue->unfinished -= queue->unfinished > 0;
    if (queue->unfinished == 0) {
        uva_event_set(&queue->finished);
    }
}

int uva_queue_task_done(uva_queue_t *queue)
{
    if (!uva__queue_owned(queue, __func__)) {
        return UV_EPERM;
    }
    if (queue->unfinished == 0) {
        return uva__bare(UV_EINVAL);
    }
    queue_finish(queue);
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
    if (!uva__queue_owned(queue, __func__)) {
        return;
    }
    if (immediate && queue_is_compared(queue, __func__)) {
        return;
    }
    queue->is_shutdown = true;
    queue_set_bounds(queue);
    while (immediate && queue->count > 0) {
        void *item = queue_pop(queue);

        queue_finish(queue);
        queue_drop(queue, item);
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
