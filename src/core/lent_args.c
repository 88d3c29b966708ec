/*
 * Debug mode's watch over arguments that point into a frame. gather may return
 * while siblings still run, and the frame that lent a sibling its argument may
 * be gone by then.
 *
 * Invariant: an address and the task on whose stack it lies are remembered; the
 * address is compared and never read.
 */
#include "core/lent_args.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/reports.h"

#include <string.h>

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif

/* The stack that a stackful task runs on; it has begun and has not ended. */
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

static void lent_drop(uva_loop_t *loop, uva__lent_args_t *take_lent)
{
    uva__future_unref(&take_lent->lender->base);
    uva__slab_put(&loop->slab, take_lent, sizeof *take_lent);
}

/* Without memory the arguments go unwatched. */
static uva__lent_args_t *lent_new(uva_task_t *lender, const char *address)
{
    uva__lent_args_t *lent =
        uva__slab_get(&lender->base.loop->slab, sizeof *lent);

    if (lent != NULL) {
        uva__future_ref(&lender->base);
        *lent = (uva__lent_args_t){lent_drop, lender, address};
    }
    return lent;
}

/* Every whole word of the arguments is taken for a pointer, and compared. Only
 * words before the place of uva__z count, so that none is of the padding behind
 * it; the macros clear the padding between arguments where the compiler can
 * (UVA__CLEAR_PADDING). */
void uva__lent_args_note(uva_task_t *task, const void *args)
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
#if defined(UVA_HAVE_VALGRIND)
        /* It may be padding that the compiler cannot clear. */
        (void)VALGRIND_MAKE_MEM_DEFINED(&address, sizeof address);
#endif
        if (stack_has(task_stack(lender), address)) {
            extra->lent = lent_new(lender, address);
            return;
        }
    }
}

/* The frame is gone if its task has ended, or has returned so far that its
 * stack pointer lies above the address. A task on the stack of a coroutine is
 * left out: its own stack pointer is not at hand. */
static bool lent_is_gone(const uva__lent_args_t *lent)
{
    const uva_task_t *lender = lent->lender;
    const uva__stack_t *stack;

    if (lender->base.state != UVA__FUTURE_PENDING) {
        return true;
    }
    stack = task_stack(lender);
    return stack_has(stack, lent->address) &&
           lent->address < (const char *)stack->context.sp;
}

void uva__lent_args_check(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;
    uva__lent_args_t *lent = task->extra == NULL ? NULL : task->extra->lent;

    if (lent == NULL || lent->lender == loop->step.current ||
        !lent_is_gone(lent)) {
        return;
    }
    task->extra->lent = NULL;
    lent_drop(loop, lent);
    uva__report(loop, &task->base, 0,
                "A task runs on whose argument points into a frame that has "
                "returned");
}
