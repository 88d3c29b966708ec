/*
 * The line of those who wait at one end of a queue: tasks in a get or put, and
 * cases of a select, in one order.
 *
 * A link does not say what it belongs to. But the cases stand in a list of
 * their own too, in the same order, so the oldest waiter is a case exactly if
 * it is the first of those.
 */
#ifndef UVA__SYNC_LINES_H
#define UVA__SYNC_LINES_H

#include "uva/queues.h"

#include "core/waiters.h"
#include "sync/waiters.h"

/** Wake the oldest waiter that nobody woke or cancelled; it leaves the line
 * here, and so do all before it. @return 0, to be the last word of a put or
 * get. */
int uva__line_wake_first(uva__queue_line_t *line);

/** The same from a task of the queue's loop that was just resumed. */
UVA__INLINE int uva__line_wake_first_of(uva_loop_t *loop,
                                        uva__queue_line_t *line)
{
    if (line->waiters.next == &line->waiters ||
        UVA__LIKELY(line->cases.next == NULL &&
                    uva__waiter_wakes_first(loop, &line->waiters))) {
        return 0;
    }
    return uva__line_wake_first(line);
}

/** Take out who waits no more: cancelled, or called elsewhere, and not run yet.
 * Nobody else may be left. */
void uva__line_clear(uva__queue_line_t *line);

/** Wake all. */
void uva__line_wake_all(uva__queue_line_t *line);

/** Whether the calling thread may change a queue that tasks wait at. */
static inline bool uva__queue_owned(const uva_queue_t *queue,
                                    const char *function)
{
    return uva__sync_owned(queue->loop, function) &&
           uva__sync_owned(queue->finished.loop, function);
}

/** Somebody waits, or is going to look again: no short ways until a put or a
 * get finds nobody. */
static inline void uva__queue_close(uva_queue_t *queue)
{
    queue->room = 0;
    queue->few = SIZE_MAX;
}

/** Before the first wait binds a queue to its loop: the heads of the lines of
 * a queue that is bound are not of zeros. */
static inline void uva__queue_make_lines(uva_queue_t *queue)
{
    if (queue->getters.waiters.next == NULL) {
        uva__list_init(&queue->getters.waiters);
        uva__list_init(&queue->putters.waiters);
    }
}

#endif /* UVA__SYNC_LINES_H */
