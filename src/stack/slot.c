/*
 * One stack: where its control block lies, and what tools are told of it.
 *
 * Invariant: a tool that keeps something for each stack hears of a stack once
 * when its slot is first taken and once when the slot is given back.
 */
#include "stack/slot.h"

#include <assert.h>

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif
#if defined(UVA__ASAN)
#    include <sanitizer/asan_interface.h>
#endif

enum {
    SLOT_LINE_BYTES = 64,
    SLOT_COLOUR_COUNT = 32,
    SLOT_BLOCK_BYTES = ((int)sizeof(uva__stack_t) + SLOT_LINE_BYTES - 1) /
                       SLOT_LINE_BYTES * SLOT_LINE_BYTES
};

/* Half a page is left for the first frames of the last colour. */
static_assert(SLOT_BLOCK_BYTES + SLOT_COLOUR_COUNT * SLOT_LINE_BYTES <= 2304,
              "control block and colour leave room on their page");

uva__stack_t *uva__stack_at(char *slot, size_t slot_bytes, size_t index)
{
    size_t colour = index % SLOT_COLOUR_COUNT;

    return (uva__stack_t *)(void *)(slot + slot_bytes - SLOT_BLOCK_BYTES -
                                    colour * SLOT_LINE_BYTES);
}

/* Valgrind takes a switch to a stack that it does not know for a jump of the
 * stack pointer, and calls everything between undefined. */
void uva__stack_enter_tools(uva__stack_t *stack)
{
#if defined(UVA_HAVE_VALGRIND)
    stack->valgrind_id = (uint32_t)VALGRIND_STACK_REGISTER(
        stack->low, uva__stack_top(stack) - 1);
#else
    (void)stack;
#endif
}

void uva__stack_leave_tools(uva__stack_t *stack)
{
    if (stack->context.sp != NULL) {
        uva__context_destroy(&stack->context);
    }
#if defined(UVA_HAVE_VALGRIND)
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
    uva__stack_unpoison(stack);
}

#if defined(UVA__ASAN)
void uva__stack_unpoison(uva__stack_t *stack)
{
    /* Frames that are still suspended keep their red zones. Clean shadow is not
     * written, as that would cost an eighth of the stack in memory. */
    char *end =
        stack->context.sp != NULL ? stack->context.sp : uva__stack_top(stack);
    char *first =
        __asan_region_is_poisoned(stack->low, (size_t)(end - stack->low));

    if (first != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(first, (size_t)(end - first));
    }
}
#endif
