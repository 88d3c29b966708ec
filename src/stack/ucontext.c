/*
 * The switch where we have no assembly: correct, slow, a system call or two.
 *
 * Differs from the assembly in one thing: each context has a signal mask of
 * its own, the one of its last suspension.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/switch.h"

#if defined(UVA__SWITCH_UCONTEXT)

#    include <stdint.h>
#    include <ucontext.h>

void uva__switch(void **save_sp, void **to_sp)
{
    ucontext_t here; /* On the stack that is left: it lives until the return. */

    *save_sp = &here;
    (void)swapcontext(&here, *to_sp);
}

/* The ucontext_t of a flow that has not begun lies at the top of its stack, and
 * the frames of the flow below it. */
void *uva__switch_prepare(char *low, char *top, void (*entry)(void))
{
    uintptr_t end = (uintptr_t)top - sizeof(ucontext_t);
    size_t bytes = (uintptr_t)top - (end - end % 64);
    ucontext_t *context = (ucontext_t *)(void *)(top - bytes);

    (void)getcontext(context);
    context->uc_link = NULL;
    context->uc_stack.ss_sp = low;
    context->uc_stack.ss_size = (size_t)((char *)context - low);
    makecontext(context, entry, 0);
    return context;
}

const char *uva__context_backend(void)
{
    return "ucontext";
}

#else

typedef int ucontext_unused_t; /* ISO C wants a declaration in each file. */

#endif
