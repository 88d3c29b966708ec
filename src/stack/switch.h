/*
 * The context switch: make, switch, destroy, self.
 *
 * A context is a suspended flow of control: the stack pointer under which its
 * callee-saved registers lie. In a plain build it is that one pointer; builds
 * under AddressSanitizer or ThreadSanitizer add what those tools must be told.
 *
 * Kept over a switch: the callee-saved general registers (and d8-d15 on
 * AArch64). Not kept: errno, the floating-point control and status words, the
 * signal mask. They belong to the thread.
 *
 * There are two forms, which mix freely, because the processor predicts them
 * differently: uva__context_yield ends with a return, which is predicted to go
 * back to the same call, and so is right where one flow after the other
 * suspends at one line; uva__context_jump ends with an indirect jump, which is
 * predicted by its history, and is right everywhere else.
 */
#ifndef UVA__STACK_SWITCH_H
#define UVA__STACK_SWITCH_H

#include <stddef.h>

#include "stack/jump.h"

#if defined(__SANITIZE_ADDRESS__)
#    define UVA__ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define UVA__ASAN 1
#    endif
#endif
#if defined(__SANITIZE_THREAD__)
#    define UVA__TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define UVA__TSAN 1
#    endif
#endif

#if defined(UVA__ASAN)
#    define UVA__NO_ASAN __attribute__((no_sanitize("address")))
#else
#    define UVA__NO_ASAN
#endif

/* Both tools must be told of every switch. */
#if defined(UVA__ASAN) || defined(UVA__TSAN)
#    define UVA__WITH_TOOLS 1
#endif

/* Assembly where we have it, ucontext elsewhere or on demand. */
#if !defined(UVA_SWITCH_UCONTEXT) && defined(__ELF__) && \
    ((defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__))
#    define UVA__SWITCH_ASSEMBLY 1
#else
#    define UVA__SWITCH_UCONTEXT 1
#endif

typedef struct uva__context_s {
    void *sp; /* Valid while suspended. */
#if defined(UVA__ASAN)
    void *fake_stack;   /* ASan's own, while suspended. */
    const void *bottom; /* Lowest byte of the stack. */
    size_t size_bytes;
#endif
#if defined(UVA__TSAN)
    void *fiber;
#endif
} uva__context_t;

/**
 * Describe the flow that runs at this moment on the thread's own stack, so
 * that it can be switched away from. Any thread; needs no stack of ours.
 */
void uva__context_self(uva__context_t *context);

/**
 * Prepare a context whose first switch calls entry() at the top of a stack.
 *
 * No byte of the stack may be in use. entry() calls uva__context_started()
 * first and never returns: in the end it stays suspended for good and is then
 * destroyed. It may run any number of tasks in a loop; the stack needs no new
 * context for the next one.
 *
 * @param low  The lowest byte of the stack.
 * @param top  The first byte above it, 16-byte aligned.
 */
void uva__context_make(uva__context_t *context,
                       char *low,
                       char *top,
                       void (*entry)(void));

/**
 * Release what the tools hold for a context that is not running and never will
 * be again. Does nothing in a plain build. The stack is the caller's.
 */
void uva__context_destroy(uva__context_t *context);

/** "x86_64", "aarch64" or "ucontext". */
const char *uva__context_backend(void);

/* The platform's part. Both keep nothing but the stack pointer. */

/** Save the flow under *save_sp and go on with the one suspended at *to_sp,
 * which may be the same. Returns when somebody resumes it. */
void uva__switch(void **save_sp, void **to_sp);
/** Lay the first frame below top (16-byte aligned), not below low; returns the
 * stack pointer to switch to. */
void *uva__switch_prepare(char *low, char *top, void (*entry)(void));

#if defined(UVA__WITH_TOOLS)

/** The switch with what ASan and TSan must be told before and after it. Out of
 * line, because nothing around the switch may be instrumented. */
void uva__context_switch_with_tools(uva__context_t *from, uva__context_t *to);
/** What ASan must be told when a flow begins. */
void uva__context_started_with_tools(void);

#endif

/**
 * Suspend `from`, which is running, and resume `to`; nothing happens if they
 * are the same. Returns when somebody switches to `from` again. For flows that
 * suspend one after the other at the same line.
 */
static inline void uva__context_yield(uva__context_t *from, uva__context_t *to)
{
#if defined(UVA__WITH_TOOLS)
    uva__context_switch_with_tools(from, to);
#else
    uva__switch(&from->sp, &to->sp);
#endif
}

/**
 * uva__context_yield for flows that suspend at different lines: the loop and a
 * task, a task and the flow that waits on an idle stack, a coroutine and its
 * driver, a producer and a consumer. The result is the same, the processor's
 * prediction is better.
 */
static inline void uva__context_jump(uva__context_t *from, uva__context_t *to)
{
#if defined(UVA__WITH_TOOLS)
    uva__context_switch_with_tools(from, to);
#elif defined(UVA__SWITCH_ASSEMBLY) && defined(UVA__SWITCH_INLINE)
    uva__switch_jump(&from->sp, &to->sp);
#else
    uva__switch(&from->sp, &to->sp);
#endif
}

/** The first thing that an entry function does, once per made context. */
static inline void uva__context_started(void)
{
#if defined(UVA__WITH_TOOLS)
    uva__context_started_with_tools();
#endif
}

#endif /* UVA__STACK_SWITCH_H */
