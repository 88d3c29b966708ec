/*
 * The surroundings of the switch: contexts are made, the tools are told.
 *
 * Invariant: in a build under ASan or TSan every switch goes through a
 * function here that tells, so that the tool knows on which stack the thread
 * stands.
 */
#include "stack/switch.h"

#include <stdint.h>

#include "base/util.h"
#include "stack/stacks.h"

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

#    if defined(UVA__SWITCH_SERVE)
void uva__switch_serve(void);

void uva__context_make_server(uva__context_t *context, uva__stack_t *stack)
{
    uintptr_t *frame = uva__context_server_sp(uva__stack_top(stack));

    for (int i = 0; i < FRAME_WORDS; i++) {
        frame[i] = 0;
    }
    frame[FRAME_ADDRESS] = (uintptr_t)uva__switch_serve;
    context->sp = frame;
}
#    endif

const char *uva__context_backend(void)
{
    return context_backend;
}

#endif

void uva__context_self(uva__context_t *context)
{
    /* For ASan the bounds are learnt when it is first switched away from. */
    *context = (uva__context_t){0};
#if defined(UVA__TSAN)
    context->fiber = __tsan_get_current_fiber();
#endif
}

void uva__context_make(uva__context_t *context,
                       uva__stack_t *stack,
                       void (*entry)(void))
{
    *context = (uva__context_t){0};
    context->sp = uva__switch_prepare(stack->low, uva__stack_top(stack), entry);
#if defined(UVA__ASAN)
    context->bottom = stack->low;
    context->size_bytes = uva__stack_bytes(stack);
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

#if defined(UVA__CONTEXT_TOLD)

#    if defined(UVA__ASAN)
/* Whom this thread left last; whoever runs next learns its bounds. */
static UVA__TLS uva__context_t *context_left;

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
/* TSan wants nothing instrumented between its call and the switch, or its
 * shadow of the call stack runs empty. */
__attribute__((no_sanitize("thread"), noinline))
#    endif
static uva__resumed_t
context_go(uva__context_t *from, uva__context_t *to, void *given, intptr_t code)
{
#    if defined(UVA__TSAN)
    __tsan_switch_to_fiber(to->fiber, 0);
#    endif
    return uva__switch_with(&from->sp, &to->sp, given, code);
}

uva__resumed_t uva__context_switch_told(uva__context_t *from,
                                        uva__context_t *to,
                                        void *given,
                                        intptr_t code)
{
    uva__resumed_t told = {.code = code, .given = given};

    if (from == to) {
        return told;
    }
#    if defined(UVA__ASAN)
    context_left = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom,
                                   to->size_bytes);
#    endif
    told = context_go(from, to, given, code);
#    if defined(UVA__ASAN)
    context_arrive(from->fake_stack);
#    endif
    return told;
}

void uva__context_exit_told(uva__context_t *from, uva__context_t *to)
{
#    if defined(UVA__ASAN)
    /* NULL: its fake stack can go. */
    context_left = NULL;
    __sanitizer_start_switch_fiber(NULL, to->bottom, to->size_bytes);
#    endif
    (void)context_go(from, to, NULL, 0);
}

void uva__context_started_told(void)
{
#    if defined(UVA__ASAN)
    context_arrive(NULL);
#    endif
}

#endif
