/*
 * uva_select: waiting for one of several gets and puts.
 *
 *   the task is       its cases stand in      left by
 *   not waiting       no list                 suspending, when none can be done
 *   waiting           the lists of all        being woken by one case, or
 *                     queues                  cancelled
 *   woken             the lists of all        running: all lists are left, then
 *                     queues but that one     the case is done if it still can
 *
 * A task that selects has one waiter for all of its cases. Invariant: it is
 * woken once, by one case. If it does not do that case although the case could
 * be done, it wakes the next task in the list of that case.
 */
#include "uva/queues.h"

#include "sync/waitlists.h"

/* The case has nowhere to write an item. */
static bool case_is_put(const uva_select_case_t *one)
{
    return one->ret_item == NULL;
}

static uva__waitlist_t *case_waitlist(const uva_select_case_t *one)
{
    return case_is_put(one) ? &one->queue->putters : &one->queue->getters;
}

/* Do a case if it can be done. @retval UV_EAGAIN It would have to wait. */
static int case_try(const uva_select_case_t *one)
{
    int r = case_is_put(one) ? uva_queue_put_nowait(one->queue, one->item)
                             : uva_queue_get_nowait(one->queue, one->ret_item);

    return r == UVA_EQUEUEFULL || r == UVA_EQUEUEEMPTY ? UV_EAGAIN : r;
}

/* The task was woken for a case and does not do it: if it can be done, wake the
 * next task that waits for the same. */
static void case_pass_on(const uva_select_case_t *one)
{
    if (case_is_put(one) ? !uva_queue_full(one->queue)
                         : !uva_queue_empty(one->queue)) {
        uva__waitlist_wake_first(case_waitlist(one));
    }
}

int uva_select_nowait(const uva_select_case_t *cases, size_t count)
{
    size_t closed_count = 0;

    if (count == 0 || count > INT_MAX) {
        return uva__bare(UV_EINVAL);
    }
    for (size_t i = 0; i < count; i++) {
        int r = case_try(&cases[i]);

        if (r >= 0) {
            return (int)i;
        }
        if (r == UVA_EQUEUESHUTDOWN) {
            closed_count++;
        } else if (r != UV_EAGAIN) {
            return r;
        }
    }
    return closed_count == count ? uva__bare(UVA_EQUEUESHUTDOWN) : UV_EAGAIN;
}

static int
select_suspend(uva_waiter_t *self, uva_select_case_t *cases, size_t count)
{
    int r;

    /* All queues are looked at before one is bound to this loop. */
    for (size_t i = 0; i < count; i++) {
        if (!uva__sync_bindable(cases[i].queue->loop)) {
            return uva__bare(UVA_EWRONGLOOP);
        }
    }
    for (size_t i = 0; i < count; i++) {
        cases[i].queue->loop = uva_get_running_loop();
    }
    r = uva_waiter_suspend(self, NULL, NULL);
    if (r != UVA_PENDING) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        cases[i].waiter = self;
        cases[i].index = (int32_t)i;
        uva__waitlist_append_case(case_waitlist(&cases[i]), &cases[i]);
    }
    return r;
}

/* Do the case that the task was woken for; r is how the wait ended.
 * @return The index of the case, an error, or UV_EAGAIN if another task was
 * faster or the queue is shut down. */
static int select_woken(const uva_select_case_t *one, int r)
{
    if (r == 0) {
        r = case_try(one);
        if (r >= 0) {
            return (int)one->index;
        }
        if (r == UV_EAGAIN || r == UVA_EQUEUESHUTDOWN) {
            return UV_EAGAIN;
        }
    }
    case_pass_on(one);
    return r;
}

int uva_select_poll(uva_select_case_t *cases, size_t count)
{
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (uva_waiter_resumed(self)) { /* The first call after the wake-up. */
        bool woken = uva_waiter_woken(self);
        int32_t index = uva_waiter_get_value(self);

        uva_waiter_set_value(self, 0);
        r = uva_waiter_finish(self);
        /* Before any case is done: a get or put must not wake this task. */
        for (size_t i = 0; i < count; i++) {
            uva__waitlist_remove_case(&cases[i]);
        }
        if (woken) {
            r = select_woken(&cases[index], r);
            if (r != UV_EAGAIN) {
                return r;
            }
        } else if (r < 0) {
            return r;
        }
    }
    r = uva_select_nowait(cases, count);
    return r == UV_EAGAIN ? select_suspend(self, cases, count) : r;
}

int uva_select(uva_select_case_t *cases, size_t count)
{
    int r;

    UVA_DRIVE(r, uva_select, cases, count);
    return r;
}
