/*
 * Queue, LifoQueue, PriorityQueue (asyncio.queues).
 *
 *   state       count                    a put              a get
 *   EMPTY       0                        stores             waits
 *   PARTIAL     1 to maxsize - 1         stores             takes
 *   FULL        maxsize                  waits, or drops    takes
 *   SHUT DOWN   any                      fails              takes; fails at 0
 *   COMPARING   1 or more                fails              fails
 *
 * A queue without a limit is never full. SHUT DOWN and COMPARING (the user's
 * function that orders the heap runs now) are flags and win over the count.
 *
 * A put that stores wakes the oldest getter and leaves the item where it is;
 * the getter looks again when it runs, and waits again if the item is gone. A
 * get wakes the oldest putter in the same way. Invariant: while there is an
 * item, the oldest getter is on its way, and while there is room, the oldest
 * putter is. So a task that was woken and fails wakes the next.
 *
 * Put and get have one path each: store or take an item, count it, wake the
 * other end. Storing and taking are a line where the item only goes into the
 * ring or out of it; the functions named _slow have the other cases.
 */
#include "uva/queues.h"

#include "uva/repr.h"

#include "base/assert.h"
#include "base/format.h"
#include "base/log.h"
#include "sync/items.h"
#include "sync/waitlists.h"

/* Whether the calling thread may change a queue. Tasks of one loop may wait in
 * gets and puts, and tasks of another loop in joins. */
static bool queue_owned(const uva_queue_t *queue, const char *function)
{
    return uva__sync_owned(queue->loop, function) &&
           uva__sync_owned(queue->finished.loop, function);
}

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

int uva_queue_set_overflow(uva_queue_t *queue, uva_queue_overflow_t overflow)
{
    if (!queue_owned(queue, __func__)) {
        return UV_EPERM;
    }
    if (overflow > UVA_QUEUE_DROP_NEWEST ||
        (overflow == UVA_QUEUE_DROP_OLDEST &&
         queue->order == UVA__QUEUE_PRIORITY)) {
        return uva__bare(UV_EINVAL);
    }
    if (!uva__list_empty(&queue->putters.waiters)) {
        /* They wait for room, which a policy that drops does not give. */
        return uva__bare(UV_EBUSY);
    }
    queue->overflow = (uint8_t)overflow;
    return 0;
}

/* Give an item that no get will take to its destructor: the user's code, which
 * may use the queue. */
static void queue_drop(uva_queue_t *queue, void *item)
{
    if (queue->destroy != NULL) {
        queue->destroy(item);
    }
}

/* --- putting --- */

/* Whether a put waits for room. It does not where it fails or drops. */
static inline bool queue_put_waits(const uva_queue_t *queue)
{
    return queue->maxsize > 0 && queue->count >= queue->maxsize &&
           queue->overflow == UVA_QUEUE_WAIT && !queue->is_shutdown &&
           !queue->compares;
}

/* Whether an item only goes to the next place in the ring. */
static inline bool queue_only_stores(const uva_queue_t *queue)
{
    return queue->count < queue->capacity &&
           (queue->maxsize == 0 || queue->count < queue->maxsize) &&
           queue->order != UVA__QUEUE_PRIORITY && !queue->is_shutdown;
}

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
    /* The new item takes the place of the oldest one, so the push needs no
     * memory, no getter waits, and as many items are unfinished as before. */
    oldest = uva__items_pop_first(queue);
    (void)uva__items_push(queue, item);
    queue_drop(queue, oldest);
    return 1;
}

/* Store an item with more to do. @return 0, 1 if an item was dropped, or an
 * error. */
static UVA__NOINLINE int queue_store_slow(uva_queue_t *queue, void *item)
{
    if (queue->compares) {
        return uva__bare(UV_EBUSY);
    }
    if (queue->is_shutdown) {
        return uva__bare(UVA_EQUEUESHUTDOWN);
    }
    if (uva_queue_full(queue)) {
        return queue_overflow(queue, item);
    }
    return uva__bare(uva__items_push(queue, item));
}

/* A put that does not wait; function is the public one, for the log. */
static inline int
queue_put(uva_queue_t *queue, void *item, const char *function)
{
    if (UVA__UNLIKELY(!uva__sync_owned(queue->loop, function))) {
        return UV_EPERM;
    }
    if (UVA__LIKELY(queue_only_stores(queue))) {
        uva__items_push_last(queue, item);
    } else {
        int r = queue_store_slow(queue, item);

        if (r != 0) {
            return r;
        }
    }
    queue->unfinished++;
    queue->finished.value = false; /* uva_event_clear, in one instruction. */
    uva__waitlist_wake_first(&queue->getters);
    return 0;
}

/* End the wait of a poll if this is its call after the wake-up.
 * @param[out] ret_woken Whether the other end of the queue woke the task, which
 *                       is true beside an error if it was cancelled then. */
static inline int queue_wait_end(uva_waiter_t *self, bool *ret_woken)
{
    *ret_woken = false;
    if (!uva__waiter_resumed(self)) {
        return 0;
    }
    *ret_woken = uva_waiter_woken(self);
    return uva_waiter_finish(self);
}

/* A put that may wait: called first, and after each wake-up. */
UVA__INLINE int queue_put_poll(uva_queue_t *queue,
                               void *item,
                               uva_waiter_t *self,
                               const char *function)
{
    bool woken;
    int r = queue_wait_end(self, &woken);

    if (UVA__LIKELY(r == 0)) {
        if (queue_put_waits(queue)) {
            return uva_waiter_suspend(self, &queue->loop,
                                      &queue->putters.waiters);
        }
        r = queue_put(queue, item, function);
    }
    if (UVA__UNLIKELY(r < 0) && woken && !uva_queue_full(queue)) {
        /* This task was cancelled after its wake-up, or there is no memory, or
         * the queue is shut down: the room is for the next one. */
        uva__waitlist_wake_first(&queue->putters);
    }
    return r;
}

int uva_queue_put_nowait(uva_queue_t *queue, void *item)
{
    return queue_put(queue, item, __func__);
}

int uva_queue_put_poll(uva_queue_t *queue, void *item)
{
    return queue_put_poll(queue, item, uva__waiter_current(), __func__);
}

int uva_queue_put(uva_queue_t *queue, void *item)
{
    uva_waiter_t *self = uva__waiter_blocking();
    int r;

    if (UVA__UNLIKELY(self == NULL)) {
        return UVA_ENOTASK;
    }
    while ((r = queue_put_poll(queue, item, self, __func__)) == UVA_PENDING) {
        uva__waiter_block(self, __func__);
    }
    return r;
}

/* --- getting --- */

/* Whether an item only leaves the first place of a ring that does not shrink.
 */
static inline bool queue_only_takes(const uva_queue_t *queue)
{
    return queue->count > 0 && queue->order == UVA__QUEUE_FIFO &&
           queue->capacity <= UVA__ITEMS_KEPT_CAPACITY;
}

/* Take an item with more to do. */
static UVA__NOINLINE int queue_take_slow(uva_queue_t *queue, void **ret_item)
{
    if (queue->count == 0) {
        return uva__bare(queue->is_shutdown ? UVA_EQUEUESHUTDOWN
                                            : UVA_EQUEUEEMPTY);
    }
    if (queue->compares) {
        return uva__bare(UV_EBUSY);
    }
    *ret_item = uva__items_pop(queue);
    return 0;
}

/* A get that does not wait; function is the public one, for the log. */
static inline int
queue_get(uva_queue_t *queue, void **ret_item, const char *function)
{
    if (UVA__UNLIKELY(!uva__sync_owned(queue->loop, function))) {
        return UV_EPERM;
    }
    if (UVA__LIKELY(queue_only_takes(queue))) {
        *ret_item = uva__items_pop_first(queue);
    } else {
        int r = queue_take_slow(queue, ret_item);

        if (r < 0) {
            return r;
        }
    }
    uva__waitlist_wake_first(&queue->putters);
    return 0;
}

/* A get that may wait: called first, and after each wake-up. */
UVA__INLINE int queue_get_poll(uva_queue_t *queue,
                               void **ret_item,
                               uva_waiter_t *self,
                               const char *function)
{
    bool woken;
    int r = queue_wait_end(self, &woken);

    if (UVA__LIKELY(r == 0)) {
        if (queue->count == 0 && !queue->is_shutdown) {
            return uva_waiter_suspend(self, &queue->loop,
                                      &queue->getters.waiters);
        }
        r = queue_get(queue, ret_item, function);
    }
    if (UVA__UNLIKELY(r < 0) && woken && queue->count > 0) {
        /* This task was cancelled after its wake-up: the item is for the next
         * one. */
        uva__waitlist_wake_first(&queue->getters);
    }
    return r;
}

int uva_queue_get_nowait(uva_queue_t *queue, void **ret_item)
{
    return queue_get(queue, ret_item, __func__);
}

int uva_queue_get_poll(uva_queue_t *queue, void **ret_item)
{
    return queue_get_poll(queue, ret_item, uva__waiter_current(), __func__);
}

int uva_queue_get(uva_queue_t *queue, void **ret_item)
{
    uva_waiter_t *self = uva__waiter_blocking();
    int r;

    if (UVA__UNLIKELY(self == NULL)) {
        return UVA_ENOTASK;
    }
    while ((r = queue_get_poll(queue, ret_item, self, __func__)) ==
           UVA_PENDING) {
        uva__waiter_block(self, __func__);
    }
    return r;
}

/* --- joining and ending --- */

/* Count an item as done: its work is done, or a shutdown drops it. When the
 * destructors of a shutdown call uva_queue_task_done, it drops more items than
 * are unfinished. */
static void queue_count_done(uva_queue_t *queue)
{
    queue->unfinished -= queue->unfinished > 0;
    if (queue->unfinished == 0) {
        uva_event_set(&queue->finished);
    }
}

int uva_queue_task_done(uva_queue_t *queue)
{
    if (!queue_owned(queue, __func__)) {
        return UV_EPERM;
    }
    if (queue->unfinished == 0) {
        return uva__bare(UV_EINVAL);
    }
    queue_count_done(queue);
    return 0;
}

int uva_queue_join_poll(uva_queue_t *queue)
{
    return uva_event_wait_poll(&queue->finished);
}

int uva_queue_join(uva_queue_t *queue)
{
    int r;

    UVA_DRIVE(r, uva_queue_join, queue);
    return r;
}

/* Whether items are being compared, so that the queue cannot be emptied. A
 * comparison that tries it is told in the log, and nothing is done. */
static bool queue_is_compared(const uva_queue_t *queue, const char *function)
{
    if (queue->compares) {
        uva__log(UVA_LOG_ERROR, "%s in a comparison of its own items: ignored",
                 function);
    }
    return queue->compares;
}

void uva_queue_shutdown(uva_queue_t *queue, bool immediate)
{
    if (!queue_owned(queue, __func__)) {
        return;
    }
    if (immediate && queue_is_compared(queue, __func__)) {
        return;
    }
    queue->is_shutdown = true;
    /* A destructor may take items too: the count is read each time. */
    while (immediate && queue->count > 0) {
        void *item = uva__items_pop(queue);

        queue_count_done(queue);
        queue_drop(queue, item);
    }
    /* The tasks look again, and find the shutdown. A get may still take an item
     * that is left. */
    uva__waitlist_wake_all(&queue->getters);
    uva__waitlist_wake_all(&queue->putters);
}

/* Take the tasks out whose join has ended, and that did not run yet. */
static void finished_clear(uva_event_t *finished)
{
    while (!uva__list_empty(&finished->waiters)) {
        uva_waiter_t *waiter =
            UVA__LIST_FIRST(&finished->waiters, uva_waiter_t, link);
        UVA__ASSERT(uva_waiter_cancelled(waiter) || uva_waiter_woken(waiter));
        uva__list_remove(&waiter->link);
    }
}

void uva_queue_destroy(uva_queue_t *queue)
{
    if (!queue_owned(queue, __func__) || queue_is_compared(queue, __func__)) {
        return;
    }
    uva__waitlist_clear(&queue->getters);
    uva__waitlist_clear(&queue->putters);
    finished_clear(&queue->finished);
    queue->is_shutdown = true; /* Destructors of items can put nothing. */
    while (queue->count > 0) {
        queue_drop(queue, uva__items_pop(queue));
    }
    uva__items_free(queue);
    /* From here on it is a new queue, empty and of the same kind. */
    queue->unfinished = 0;
    queue->is_shutdown = false;
    uva_event_set(&queue->finished);
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

/* Append a count to the description that is at bytes long by now, unless the
 * count is 0. @return The length then. */
static size_t queue_describe(
    char *text, size_t size, size_t at, const char *format, size_t count)
{
    if (count == 0) {
        return at;
    }
    return at + uva__format(at < size ? text + at : NULL,
                            at < size ? size - at : 0, format, count);
}

size_t uva__queue_repr(const uva_queue_t *queue, char *text, size_t size)
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
