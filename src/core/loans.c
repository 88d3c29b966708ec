/*
 * Debug mode's watch over arguments that point into a frame: gather may return
 * while siblings still run, and what a sibling was lent may be gone by then.
 *
 * Invariant: a loan is an address and the task whose stack it lies on; the
 * address is compared and never read.
 */
#include "core/loans.h"

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/reports.h"

#include <string.h>

static const uva__stack_t *task_stack(const uva_task_t *task)
{
    const uva__stackful_t *stackful =
        UVA__CONTAINER_OF((uintptr_t)task, uva__stackful_t, task);

    return UVA__CONTAINER_OF(stackful->flow, uva__stack_t, context);
}

static bool stack_has(const uva__stack_t *stack, const char *address)
{
    return address >= stack->low && address < (const char *)stack;
}

/* Only whole words before the place of uva__z are looked at, so that none is of
 * the padding behind it; what padding is between others the macros clear. */
void uva__loan_note(uva_task_t *task, const void *args)
{
    size_t size = task->coro == &uva__plain_coro ? sizeof(uva__plain_frame_t)
                                                 : task->coro->place;
    uva_task_t *lender = uva__task_current();
    uva__extra_t *extra = task->extra;
    const char *words = args;

    if (extra == NULL || lender == NULL || uva__task_stackless(lender)) {
        return;
    }
    for (size_t i = 0; i + sizeof(char *) <= size; i += sizeof(char *)) {
        const char *address;
        memcpy(&address, words + i, sizeof address);
        if (stack_has(task_stack(lender), address)) {
            extra->lender = uva_task_ref(lender);
            extra->lent = address;
            return;
        }
    }
}

static bool loan_is_gone(const uva_task_t *lender, const char *lent)
{
    const uva__stack_t *stack;

    if (lender->base.state != UVA__FUTURE_PENDING) {
        return true;
    }
    stack = task_stack(lender);
    return stack_has(stack, lent) && lent < (const char *)stack->context.sp;
}

void uva__loan_check(uva_task_t *task)
{
    uva__extra_t *extra = task->extra;

    if (extra == NULL || extra->lender == NULL ||
        extra->lender == task->base.loop->current ||
        !loan_is_gone(extra->lender, extra->lent)) {
        return;
    }
    extra->lender = uva_task_unref(extra->lender);
    uva__report(task->base.loop, &task->base, 0,
                "A task runs on whose argument points into a frame that has "
                "returned");
}
