/*
 * Waiters inline: the one door of sync into the core, for what is done once for
 * every item of a queue.
 *
 * Each of these does the short way of a public function, and calls that one
 * where there is more to do. So a primitive outside the library can do the
 * same, some instructions dearer.
 */
#ifndef UVA__CORE_WAITERS_H
#define UVA__CORE_WAITERS_H

#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"

/** Begin to wait, in no list. The task runs, so its loop is the running one. */
UVA__INLINE int uva__waiter_suspend(uva_task_t *task)
{
    task->waiter.link.next = NULL;
    task->base.phase = UVA__PHASE_WAIT;
    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
        task->base.flags &= (uint16_t)~UVA__MUST_CANCEL;
        task->base.phase = UVA__PHASE_CANCELLED;
        uva__loop_push(task->base.loop, &task->ready);
    }
    return UVA_PENDING;
}

/** Wake a waiter of a loop that the calling thread owns. */
UVA__INLINE bool uva__waiter_wake(uva_waiter_t *waiter)
{
    uva_task_t *task = uva__task_of_waiter(waiter);

    if (task->base.phase != UVA__PHASE_WAIT) {
        return false;
    }
    task->base.phase = UVA__PHASE_WOKEN;
    uva__loop_push(task->base.loop, &task->ready);
    return true;
}

/** uva_waiter_current. */
UVA__INLINE uva_waiter_t *uva__waiter_current(void)
{
    uva_task_t *task = uva__task_current();

    return UVA__LIKELY(task != NULL) ? &task->waiter : NULL;
}

/** The same of a stackful task alone, who may call uva__block. */
UVA__INLINE uva_waiter_t *uva__waiter_blocking(void)
{
    uva_task_t *task = uva__task_current();

    return UVA__LIKELY(task != NULL && !uva__task_stackless(task))
               ? &task->waiter
               : NULL;
}

/** The same, of a primitive that is bound or not. */
UVA__INLINE bool uva__sync_owned(const uva_loop_t *loop, const char *function)
{
    return UVA__LIKELY(uva__here == loop) ||
           uva__loop_owned_or_gone(loop, function);
}

/** uva_waiter_resumed. */
UVA__INLINE bool uva__waiter_resumed(const uva_waiter_t *waiter)
{
    return waiter != NULL &&
           uva__task_of_waiter(waiter)->base.phase != UVA__PHASE_IDLE;
}

/** uva_waiter_suspend in a list whose head is not of zeros. @return Whether the
 * short way did: no first wait, no cancellation due. */
UVA__INLINE bool uva__waiter_joins(uva_waiter_t *waiter,
                                   uva_loop_t *const *owner,
                                   uva_list_t *list)
{
    uva_task_t *task = uva__task_of_waiter(waiter);

    if (UVA__UNLIKELY(*owner != task->base.loop ||
                      (task->base.flags & UVA__MUST_CANCEL) != 0)) {
        return false;
    }
    task->base.phase = UVA__PHASE_WAIT;
    uva__list_insert_before(list, &waiter->link);
    return true;
}

/** uva_waiter_wake in the drain of the waiter's loop, which so is ours and
 * attended. @return Whether the short way did: it waits. */
UVA__INLINE bool uva__waiter_wakes(uva_loop_t *loop, uva_waiter_t *waiter)
{
    uva_task_t *task = uva__task_of_waiter(waiter);

    if (UVA__UNLIKELY(task->base.phase != UVA__PHASE_WAIT)) {
        return false;
    }
    task->base.phase = UVA__PHASE_WOKEN;
    uva__loop_push_running(loop, &task->ready);
    return true;
}

/** uva_waiter_wake_first, so too, in a list that is not empty. */
UVA__INLINE bool uva__waiter_wakes_first(uva_loop_t *loop, uva_list_t *list)
{
    uva_waiter_t *waiter = UVA__LIST_FIRST(list, uva_waiter_t, link);

    if (UVA__UNLIKELY(!uva__waiter_wakes(loop, waiter))) {
        return false;
    }
    list->next = waiter->link.next;
    list->next->prev = list;
    waiter->link.next = NULL;
    return true;
}

/** uva__block of a task that is known. */
UVA__INLINE void uva__waiter_block(uva_waiter_t *waiter, const char *what)
{
    uva_task_t *task = uva__task_of_waiter(waiter);

    uva__task_stackful(task)->what = what;
    uva__task_leave(task->base.loop, task);
}

#endif /* UVA__CORE_WAITERS_H */
