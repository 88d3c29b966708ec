/*
 * The surroundings of the switch: how a context is made, and what the tools are
 * told.
 *
 * Invariant: in a build under ASan or TSan every switch goes through
 * uva__context_switch_with_tools, so that the tool knows on which stack the
 * thread runs.
 */
#include "stack/switch.h"

#include <stdint.h>

#include "base/util.h"

#if defined(UVA__ASAN)
#    include <sanitizer/common_interface_defs.h>
#endif
#if defined(UVA__TSAN)
#    include <sanitizer/tsan_interface.h>
#endif

#if defined(UVA__SWITCH_ASSEMBLY)

void uva__switch_thunk(void);

#    if defined(__x86_64__)
/* The words that uva__switch pops: r15 r14 r13 r12 rbx rbp, the address. */
enum {
    FRAME_ENTRY = 4,
    FRAME_ADDRESS = 6,
    FRAME_WORDS = 7
};
static const char context_backend[] = "x86_64";
#    else
/* The words that uva__switch loads: x19 to x28, x29, x30, d8 to d15. */
enum {
    FRAME_ENTRY = 0,
    FRAME_ADDRESS = 11,
    FRAME_WORDS = 20
};
static const char context_backend[] = "aarch64";
#    endif

/* Lay the frame that a suspended flow would have left, with the thunk as the
 * address to go on at. The thunk calls entry, and ends every walk of the
 * stack. */
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
    /* ASan tells the bounds of the thread's stack at the first switch away from
     * it: context_arrive writes them here. */
    *context = (uva__context_t){0};
#if defined(UVA__TSAN)
    context->fiber = __tsan_get_current_fiber();
#endif
}

void uva__context_make(uva__context_t *context,
                       char *low,
                       char *top,
                       void (*entry)(void))
{
    *context = (uva__context_t){0};
    context->sp = uva__switch_prepare(low, top, entry);
#if defined(UVA__ASAN)
    context->bottom = low;
    context->size_bytes = (size_t)(top - low);
#endif
#if defined(UVA__TSAN)
    context->fiber = __tsan_create_fiber(0);
#endif
}

void uva__context_destroy(uva__context_t *context)
{
#if defined(UVA__TSAN)
    if (context->fiber != NULL) {
        __tsan_destroy_fiber(context->fiber);
    }
#endif
    *context = (uva__context_t){0};
}

#if defined(UVA__WITH_TOOLS)

#    if defined(UVA__ASAN)
/* The context that this thread left last. ASan tells its bounds to the flow
 * that runs next, which stores them there. */
static UVA__TLS uva__context_t *context_left;

/* Tell ASan that the switch is over: the first thing that a flow does when it
 * goes on. fake_stack: what ASan gave it when it was left; NULL at its start.
 */
static void context_arrive(void *fake_stack)
{
    const void *bottom;
    size_t size_bytes;

    __sanitizer_finish_switch_fiber(fake_stack, &bottom, &size_bytes);
    if (context_left != NULL) {
        context_left->bottom = bottom;
        context_left->size_bytes = size_bytes;
    }
}
#    endif

#    if defined(UVA__TSAN)
/* Not instrumented: a call that TSan notes between its own call and the switch
 * would be noted for the other flow, whose shadow call stack would run empty.
 */
__attribute__((no_sanitize("thread"), noinline))
#    endif
static void
context_go(uva__context_t *from, uva__context_t *to)
{
#    if defined(UVA__TSAN)
    __tsan_switch_to_fiber(to->fiber, 0);
#    endif
    uva__switch(&from->sp, &to->sp);
}

void uva__context_switch_with_tools(uva__context_t *from, uva__context_t *to)
{
    if (from == to) {
        return;
    }
#    if defined(UVA__ASAN)
    context_left = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom,
                                   to->size_bytes);
#    endif
    context_go(from, to);
#    if defined(UVA__ASAN)
    context_arrive(from->fake_stack);
#    endif
}

void uva__context_started_with_tools(void)
{
#    if defined(UVA__ASAN)
    context_arrive(NULL);
#    endif
}

#endif
