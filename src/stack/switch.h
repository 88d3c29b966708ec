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
 */
#ifndef UVA__CORE_CORO_SWITCH_H
#define UVA__CORE_CORO_SWITCH_H

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

/* The tools want to be told of every switch. */
#if defined(UVA__ASAN) || defined(UVA__TSAN)
#    define UVA__CONTEXT_TOLD 1
#endif

/* Assembly where we have it, ucontext elsewhere or on demand. */
#if !defined(UVA_SWITCH_UCONTEXT) && defined(__ELF__) && \
    ((defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__))
#    define UVA__SWITCH_ASSEMBLY 1
#else
#    define UVA__SWITCH_UCONTEXT 1
#endif

/* Whether there is uva__switch_serve. */
#if defined(UVA__SWITCH_ASSEMBLY) && defined(__x86_64__) && \
    !defined(UVA__CONTEXT_TOLD)
#    define UVA__SWITCH_SERVE 1
#endif

typedef struct uva__stack_s uva__stack_t;

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
 * Nothing of the stack may be in use. entry() calls uva__context_started()
 * first and never returns: it leaves by uva__context_exit, or stays suspended
 * for good and is then destroyed. It may serve any number of tasks in a loop;
 * the stack needs no new context for the next one.
 */
void uva__context_make(uva__context_t *context,
                       uva__stack_t *stack,
                       void (*entry)(void));

/* Where a server goes. */
typedef struct uva__way_s {
    uva__context_t *to; /* NULL: nowhere. */
    void *given;
} uva__way_t;

/* The core's part of a server. */
void uva__serve_run(void);
uva__way_t uva__serve_next(uva__stack_t *stack);

#if defined(UVA__SWITCH_SERVE)
/**
 * uva__context_make for a server: what runs one task after the other on a
 * stack. It calls uva__serve_run, then uva__serve_next, goes where that says,
 * and begins anew when somebody comes back.
 *
 * It is in assembly because it has no frame, and because it goes by a return:
 * right for who has left by a call that went to a server, by a jump.
 */
void uva__context_make_server(uva__context_t *context, uva__stack_t *stack);

/** Where a server of a stack is suspended: always under six registers, which it
 * does not keep, and the address to go on at. */
static inline void *uva__context_server_sp(void *stack_top)
{
    return (uintptr_t *)stack_top - 7;
}
#endif

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
uva__resumed_t uva__switch(void **save_sp, void **to_sp, void *given);
/** The same function by the first half of its result: a call of it can be the
 * last act of a function that returns a code, which so has no frame to come
 * back to. */
int uva__switch_code(void **save_sp, void **to_sp, void *given);
/** The two, entering the other stack by a jump. */
uva__resumed_t uva__switch_leave(void **save_sp, void **to_sp, void *given);
int uva__switch_leave_code(void **save_sp, void **to_sp, void *given);
/** uva__switch, which tells a code. */
uva__resumed_t
uva__switch_with(void **save_sp, void **to_sp, void *given, intptr_t code);
/** Lay the first frame below top (16-byte aligned), not below low; returns the
 * stack pointer to switch to. */
void *uva__switch_prepare(char *low, char *top, void (*entry)(void));

#if defined(UVA__CONTEXT_TOLD)

/* Out of line, as the tools want nothing instrumented around the switch. */
uva__resumed_t uva__context_switch_told(uva__context_t *from,
                                        uva__context_t *to,
                                        void *given,
                                        intptr_t code);
void uva__context_exit_told(uva__context_t *from, uva__context_t *to);
void uva__context_started_told(void);

static inline void *
uva__context_switch(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__context_switch_told(from, to, given, 0).given;
}

static inline int
uva__context_yield(uva__context_t *from, uva__context_t *to, void *given)
{
    return (int)uva__context_switch_told(from, to, given, 0).code;
}

static inline uva__resumed_t
uva__context_jump(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__context_switch_told(from, to, given, 0);
}

static inline uva__resumed_t
uva__context_leave(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__context_switch_told(from, to, given, 0);
}

static inline int
uva__context_leave_yield(uva__context_t *from, uva__context_t *to, void *given)
{
    return (int)uva__context_switch_told(from, to, given, 0).code;
}

static inline void uva__context_switch_with(uva__context_t *from,
                                            uva__context_t *to,
                                            void *given,
                                            intptr_t code)
{
    (void)uva__context_switch_told(from, to, given, code);
}

static inline void uva__context_exit(uva__context_t *from, uva__context_t *to)
{
    uva__context_exit_told(from, to);
}

static inline void uva__context_started(void)
{
    uva__context_started_told();
}

#else

/**
 * Suspend `from`, which is running, and resume `to`; nothing happens if they
 * are the same. Returns when somebody switches to `from` again, and what that
 * one gave: so nothing need be kept over a switch that the resumer knows. An
 * entry function is not told.
 *
 * The form for yields, where one flow after the other suspends at the same
 * line: it ends with a return instruction, which the processor predicts to go
 * back to the call. On another stack that is the right guess exactly if the
 * flow there was suspended by the same call.
 */
static inline void *
uva__context_switch(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__switch(&from->sp, &to->sp, given).given;
}

/** The same, for who wants to know but the code that it is resumed with. */
static inline int
uva__context_yield(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__switch_code(&from->sp, &to->sp, given);
}

/**
 * The same between different places: the loop and a task, a task and a stack
 * that waits for one, a coroutine and who drives it, a producer and a consumer.
 * An indirect jump, which is predicted by its own history and leaves the
 * processor's stack of return addresses as it is. Four instructions more; where
 * the return would be guessed wrong, five times as fast. The forms mix freely.
 */
static inline uva__resumed_t
uva__context_jump(uva__context_t *from, uva__context_t *to, void *given)
{
#    if defined(UVA__SWITCH_ASSEMBLY) && defined(UVA__SWITCH_INLINE)
    return uva__switch_jump(&from->sp, &to->sp, given);
#    else
    return uva__switch(&from->sp, &to->sp, given);
#    endif
}

/**
 * The same for who leaves by a call for a place that was not: it ends with the
 * jump. What the call has left with the processor's return addresses is there
 * when a return comes back to it: that of a server.
 */
static inline uva__resumed_t
uva__context_leave(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__switch_leave(&from->sp, &to->sp, given);
}

/** As uva__context_yield. */
static inline int
uva__context_leave_yield(uva__context_t *from, uva__context_t *to, void *given)
{
    return uva__switch_leave_code(&from->sp, &to->sp, given);
}

/** To tell a code. */
static inline void uva__context_switch_with(uva__context_t *from,
                                            uva__context_t *to,
                                            void *given,
                                            intptr_t code)
{
    (void)uva__switch_with(&from->sp, &to->sp, given, code);
}

/**
 * The last switch of `from`: nobody resumes it. Does not return, though the
 * compiler need not know. uva__context_destroy(from) follows on another stack.
 */
static inline void uva__context_exit(uva__context_t *from, uva__context_t *to)
{
    (void)uva__context_jump(from, to, NULL);
}

/** The first thing that an entry function does, once per made context. */
static inline void uva__context_started(void)
{
}

#endif

#endif /* UVA__CORE_CORO_SWITCH_H */
