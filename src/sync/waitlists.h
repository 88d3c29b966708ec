/*
 * Lists of waiting tasks, and what else the primitives of this floor share.
 *
 * A lock, an event, a condition and a semaphore have a plain list of waiters.
 * A queue has a uva__waitlist_t at each end, for gets and for puts. Two kinds
 * of entries stand in it, in the order of their arrival: waiters of tasks that
 * are in a get or put, and cases of tasks that are in a uva_select.
 *
 * A link does not tell the kind of its entry. The cases of a waitlist are
 * linked a second time, in a list of their own and in the same order. So the
 * oldest entry is a case exactly if it is the first of that second list.
 */
#ifndef UVA__SYNC_WAITLISTS_H
#define UVA__SYNC_WAITLISTS_H

#include "uva/events.h"
#include "uva/futures.h"
#include "uva/queues.h"

#include "base/list.h"
#include "core/waiters.h"

/** Wake the task of the oldest entry that was neither woken nor cancelled, in a
 * list that is not empty. */
void uva__waitlist_wake_waiting(uva__waitlist_t *waitlist);

/** Wake the task of the oldest entry that was neither woken nor cancelled.
 * Its entry leaves the list, and so do those before it. */
static inline void uva__waitlist_wake_first(uva__waitlist_t *waitlist)
{
    if (!uva__list_empty(&waitlist->waiters)) {
        uva__waitlist_wake_waiting(waitlist);
    }
}

/** Wake the tasks of all entries; the list is empty then. */
void uva__waitlist_wake_all(uva__waitlist_t *waitlist);

/** Empty a list of entries whose wait is over: their tasks were cancelled, or
 * woken by another queue, and did not run yet. A task that waits is an error of
 * the caller. */
void uva__waitlist_clear(uva__waitlist_t *waitlist);

/** Append a case of a select. */
void uva__waitlist_append_case(uva__waitlist_t *waitlist,
                               uva_select_case_t *one);

/** Take a case out of its list, if it is still there. */
void uva__waitlist_remove_case(uva_select_case_t *one);

/** Whether uva_waiter_suspend would bind a primitive of this owner to the
 * running loop: the primitive belongs to no loop yet, or to this one. */
static inline bool uva__sync_bindable(const uva_loop_t *owner)
{
    return owner == NULL || owner == uva_get_running_loop();
}

/** The number of links in a list; for descriptions. */
static inline size_t uva__sync_count(const uva_list_t *list)
{
    size_t count = 0;

    if (!uva__list_empty(list)) {
        for (const uva_list_t *at = list->next; at != list; at = at->next) {
            count++;
        }
    }
    return count;
}

/** Write "<type object at 0x55e0 [state, waiters:2]>" into size bytes of text.
 * @return The bytes of the whole, without its 0. */
size_t uva__sync_repr(char *text,
                      size_t size,
                      const char *type,
                      const void *object,
                      const char *state,
                      size_t waiter_count);

#endif /* UVA__SYNC_WAITLISTS_H */
