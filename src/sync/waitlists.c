/*
 * Lists of waiting tasks at the ends of queues.
 *
 * Invariant: an entry leaves its list when its task is woken for it, or when
 * the task runs again for another reason, whichever comes first. A case is in
 * both lists of its waitlist, or in neither.
 */
#include "sync/waitlists.h"

#include "base/assert.h"
#include "base/format.h"

/* --- cases of a select --- */

void uva__waitlist_append_case(uva__waitlist_t *waitlist,
                               uva_select_case_t *one)
{
    uva__list_append(&waitlist->waiters, &one->link);
    uva__list_append(&waitlist->cases, &one->among_cases);
}

void uva__waitlist_remove_case(uva_select_case_t *one)
{
    uva__list_remove(&one->link);
    uva__list_remove(&one->among_cases);
}

/* The oldest entry if it is a case; else NULL. The list is not empty. */
static uva_select_case_t *waitlist_first_case(const uva__waitlist_t *waitlist)
{
    uva_select_case_t *one;

    if (uva__list_empty(&waitlist->cases)) {
        return NULL;
    }
    one = UVA__LIST_FIRST(&waitlist->cases, uva_select_case_t, among_cases);
    return waitlist->waiters.next == &one->link ? one : NULL;
}

/* --- waking --- */

/* Take the oldest entry out, and wake its task unless it was woken by another
 * of its cases, or cancelled. @return Whether the task was woken here. */
static bool waitlist_wake_oldest(uva__waitlist_t *waitlist)
{
    uva_select_case_t *one = waitlist_first_case(waitlist);
    uva_waiter_t *waiter;
    bool woken;

    if (one == NULL) {
        waiter = UVA__LIST_FIRST(&waitlist->waiters, uva_waiter_t, link);
        woken = uva_waiter_wake(waiter);
        uva__list_remove(&waiter->link);
        return woken;
    }
    woken = uva_waiter_wake(one->waiter);
    if (woken) {
        /* The select finds here the case that it was woken for. */
        uva_waiter_set_value(one->waiter, one->index);
    }
    uva__waitlist_remove_case(one);
    return woken;
}

void uva__waitlist_wake_waiting(uva__waitlist_t *waitlist)
{
    if (uva__list_empty(&waitlist->cases)) {
        /* No select waits here: it is a plain list of waiters. */
        (void)uva_waiter_wake_first(&waitlist->waiters);
        return;
    }
    while (!uva__list_empty(&waitlist->waiters) &&
           !waitlist_wake_oldest(waitlist)) {
    }
}

void uva__waitlist_wake_all(uva__waitlist_t *waitlist)
{
    while (!uva__list_empty(&waitlist->waiters)) {
        (void)waitlist_wake_oldest(waitlist);
    }
}

void uva__waitlist_clear(uva__waitlist_t *waitlist)
{
    while (!uva__list_empty(&waitlist->waiters)) {
        uva_select_case_t *one = waitlist_first_case(waitlist);
        uva_waiter_t *waiter =
            one != NULL
                ? one->waiter
                : UVA__LIST_FIRST(&waitlist->waiters, uva_waiter_t, link);

        /* A waiter that was woken has left the list; a case of a task that
         * another queue woke stays until the task runs. */
        UVA__ASSERT(uva_waiter_cancelled(waiter) ||
                    (one != NULL && uva_waiter_woken(waiter)));
        if (one != NULL) {
            uva__waitlist_remove_case(one);
        } else {
            uva__list_remove(&waiter->link);
        }
    }
}

/* --- descriptions --- */

size_t uva__sync_repr(char *text,
                      size_t size,
                      const char *type,
                      const void *object,
                      const char *state,
                      size_t waiter_count)
{
    if (waiter_count == 0) {
        return uva__format(text, size, "<%s object at %p [%s]>", type, object,
                           state);
    }
    return uva__format(text, size, "<%s object at %p [%s, waiters:%zu]>", type,
                       object, state, waiter_count);
}
