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

#include "sync/waiters.h"

/** Wake the oldest waiter that nobody woke or cancelled; it leaves the line
 * here, and so do all before it. @return Whether there was one. */
bool uva__line_wake_first(uva__queue_line_t *line);

/** Wake all. */
void uva__line_wake_all(uva__queue_line_t *line);

#endif /* UVA__SYNC_LINES_H */
