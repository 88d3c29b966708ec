/*
 * Waiting for one of several gets and puts; the line of those who wait.
 *
 * A task that selects has one waiter and stands in many lines. Invariant: it
 * is woken once, by one case; if it does not do that case although it could,
 * it wakes the next in that line. It leaves all lines before it does anything.
 */
#include "uva/queues.h"

#include "sync/lines.h"

/* --- lines --- */

static void select_leave_line(uva_select_case_t *one)
{
    uva__list_remove(&one->link);
    uva__list_remove(&one->among_cases);
}

/* @return Whether it was woken; else its wait is over already: another of its
 * cases was called first, or it was cancelled. */
static bool line_wake_case(uva_select_case_t *one)
{
    uva_waiter_t *waiter = one->waiter;
    bool woken = uva_waiter_wake(waiter);

    if (woken) {
        uva_waiter_set_value(waiter, one->index);
    }
    select_leave_line(one);
    return woken;
}

/* The same for a task in a get or put. */
static bool line_wake_waiter(uva_waiter_t *waiter)
{
    bool woken = uva_waiter_wake(waiter);

    uva__list_remove(&waiter->link);
    return woken;
}

/* The oldest of the line if it is a case; else NULL. */
static uva_select_case_t *line_first_case(const uva__queue_line_t *line)
{
    uva_select_case_t *one;

    if (uva__list_empty(&line->cases)) {
        return NULL;
    }
    one = UVA__LIST_FIRST(&line->cases, uva_select_case_t, among_cases);
    return line->waiters.next == &one->link ? one : NULL;
}

static bool line_wake_first(uva__queue_line_t *line)
{
    bool woken = false;

    while (!woken && !uva__list_empty(&line->waiters)) {
        uva_select_case_t *one = line_first_case(line);

        woken = one != NULL ? line_wake_case(one)
                            : line_wake_waiter(UVA__LIST_FIRST(
                                  &line->waiters, uva_waiter_t, link));
    }
    return woken;
}

void uva__line_wake_all(uva__queue_line_t *line)
{
    while (line_wake_first(line)) {
    }
}

void uva__line_clear(uva__queue_line_t *line)
{
    while (!uva__list_empty(&line->waiters)) {
        uva_select_case_t *one = line_first_case(line);
        uva_waiter_t *waiter =
            one != NULL ? one->waiter
                        : UVA__LIST_FIRST(&line->waiters, uva_waiter_t, link);

        UVA__ASSERT(uva_waiter_cancelled(waiter) ||
                    (one != NULL && uva_waiter_woken(waiter)));
        if (one != NULL) {
            select_leave_line(one);
        } else {
            uva__list_remove(&waiter->link);
        }
    }
}

int uva__line_wake_first(uva__queue_line_t *line)
{
    if (line->cases.next == NULL) {
        (void)uva_waiter_wake_first(&line->waiters);
    } else {
        (void)line_wake_first(line);
    }
    return 0;
}

/* --- cases --- */

static bool case_is_put(const uva_select_case_t *one)
{
    return one->ret_item == NULL;
}

static uva__queue_line_t *case_line(const uva_select_case_t *one)
{
    return case_is_put(one) ? &one->queue->putters : &one->queue->getters;
}

/* Do it if it can be done. @retval UV_EAGAIN It would have to wait. */
static int case_try(const uva_select_case_t *one)
{
    int r = case_is_put(one) ? uva_queue_put_nowait(one->queue, one->item)
                             : uva_queue_get_nowait(one->queue, one->ret_item);

    return r == UVA_EQUEUEFULL || r == UVA_EQUEUEEMPTY ? UV_EAGAIN : r;
}

/* A case was called and is not done: call the next if that one can be. */
static void case_pass_on(const uva_select_case_t *one)
{
    if (case_is_put(one) ? !uva_queue_full(one->queue)
                         : !uva_queue_empty(one->queue)) {
        (void)uva__line_wake_first(case_line(one));
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

    for (size_t i = 0; i < count; i++) {
        if (!uva__sync_bindable(cases[i].queue->loop)) {
            return uva__bare(UVA_EWRONGLOOP);
        }
    }
    for (size_t i = 0; i < count; i++) {
        uva__queue_make_lines(cases[i].queue);
        cases[i].queue->loop = uva_get_running_loop();
    }
    r = uva_waiter_suspend(self, NULL, NULL);
    if (r != UVA_PENDING) {
        return r;
    }
    for (size_t i = 0; i < count; i++) {
        cases[i].waiter = self;
        cases[i].index = (int32_t)i;
        uva__queue_close(cases[i].queue);
        uva__list_append(&case_line(&cases[i])->waiters, &cases[i].link);
        uva__list_append(&case_line(&cases[i])->cases, &cases[i].among_cases);
    }
    return r;
}

/* After a wake-up, when all lines are left: the case that was called first.
 * It is passed on exactly if it was not done. */
static int select_called(const uva_select_case_t *called, int r)
{
    if (r == 0) {
        r = case_try(called);
        if (r >= 0) {
            return (int)called->index;
        }
        if (r == UV_EAGAIN || r == UVA_EQUEUESHUTDOWN) {
            return UV_EAGAIN;
        }
    }
    case_pass_on(called);
    return r;
}

int uva_select_poll(uva_select_case_t *cases, size_t count)
{
    uva_waiter_t *self = uva_waiter_current();
    int r;

    if (uva_waiter_resumed(self)) {
        bool woken = uva_waiter_woken(self);
        int32_t index = uva_waiter_get_value(self);

        uva_waiter_set_value(self, 0);
        r = uva_waiter_finish(self);
        for (size_t i = 0; i < count; i++) {
            select_leave_line(&cases[i]);
        }
        if (woken) {
            r = select_called(&cases[index], r);
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

    UVA_DRIVE(r, uva_select_poll(cases, count));
    return r;
}
