/*
 * What surrounds the switch: making contexts, and telling the tools.
 *
 * Invariant: every switch goes through one of the three functions that tell,
 * so that the tools always know on which stack the thread stands.
 */
#include "core/coro/switch.h"

#include <stdint.h>

#include "core/coro/stacks.h"

#if defined(UVA__SWITCH_ASSEMBLY)

void uva__switch_thunk(void);

#if defined(__x86_64__)
/* What uva__switch pops: r15 r14 r13 r12 rbx rbp, the address. */
enum { FRAME_ENTRY = 4, FRAME_ADDRESS = 6, FRAME_WORDS = 7 };
static const char context_backend[] = "x86_64";
#else
/* What uva__switch loads: x19-x28, x29, x30, d8-d15. */
enum { FRAME_ENTRY = 0, FRAME_ADDRESS = 11, FRAME_WORDS = 20 };
static const char context_backend[] = "aarch64";
#endif

void *uva__switch_prepare(char *low, char *top, void (*entry)(void))
{
    uintptr_t *frame = (uintptr_t *)(void *)top - FRAME_WORDS;

    (void)low;
    for (int i = 0; i < FRAME_WORDS; i++) {
        frame[i] = 0; /* A zero frame pointer ends the chain of frames. */
    }
    frame[FRAME_ENTRY] = (uintptr_t)entry;
    frame[FRAME_ADDRESS] = (uintptr_t)uva__switch_thunk;
    return frame;
}

const char *uva__context_backend(void)
{
    return context_backend;
}

#endif

void uva__context_self(uva__context_t *context)
{
    *context = (uva__context_t){0};
}

void uva__context_make(uva__context_t *context,
                       uva__stack_t *stack,
                       void (*entry)(void))
{
    *context = (uva__context_t){0};
    context->sp =
        uva__switch_prepare(stack->low, uva__stack_top(stack), entry);
}

void uva__context_destroy(uva__context_t *context)
{
    context->sp = NULL;
}
