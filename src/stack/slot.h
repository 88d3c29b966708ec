/*
 * One stack: a slot of memory with a guard at its low end and a control block
 * at its top.
 *
 *     slot:  | guard | usable ... first frames | uva__stack_t | colour |
 *            low addresses                                high addresses
 *
 * The control block shares a page with the first frames, so a task that blocks
 * near its entry function keeps one page of its stack. The colour, 0 to 31
 * cache lines by slot index, keeps equal frames of many stacks out of the same
 * cache sets.
 */
#ifndef UVA__STACK_SLOT_H
#define UVA__STACK_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/switch.h"

typedef struct uva__stack_s uva__stack_t;
typedef struct uva__stack_slab_s uva__stack_slab_t;
typedef struct uva__stack_class_s uva__stack_class_t;

/* Values of clean in the control block. */
enum {
    UVA__STACK_DIRTY,  /* Earlier frames have left bytes on the stack. */
    UVA__STACK_CLEAN,  /* All zero when this use began. */
    UVA__STACK_CLEANED /* Zeroed at the end of this use: the next is clean. */
};

/** The control block of a stack, at the top of its slot. */
struct uva__stack_s {
    uva__stack_t *next;       /* In the idle list. The holder's to use while it
                                 has the stack. */
    uva__stack_class_t *home; /* Borrowed: the class in its pool. */
    uva__stack_slab_t *slab;  /* Borrowed. */
    char *low;                /* The lowest usable byte. */
    void *owner; /* The holder's, for reports; the pool never reads it. */
    /* The holder's: a flow stays suspended on an idle stack, so that its entry
     * function can go on with the next task. sp is NULL on a stack that was
     * never used: the holder makes a flow then. The pool destroys the flow with
     * the stack. */
    uva__context_t context;
    uint32_t valgrind_id;
    uint8_t guard;     /* uva__stack_guard_t, never AUTO. */
    uint8_t clean;     /* UVA__STACK_DIRTY, _CLEAN or _CLEANED. */
    uint8_t size_log2; /* The slot has 2 to this power bytes. */
};

/** Where the control block of slot number index of its slab lies. */
uva__stack_t *uva__stack_at(char *slot, size_t slot_bytes, size_t index);

/** Tell the tools that a stack begins: its slot was fresh, its control block is
 * written. */
void uva__stack_enter_tools(uva__stack_t *stack);
/** Tell the tools that a stack ends, and destroy the flow on it. Its slot is
 * about to be fresh, or unmapped. */
void uva__stack_leave_tools(uva__stack_t *stack);

#if defined(UVA__ASAN)
/** Before a stack is used again: take away the poison of frames that were left
 * without a return. */
void uva__stack_unpoison(uva__stack_t *stack);
#else
static inline void uva__stack_unpoison(uva__stack_t *stack)
{
    (void)stack;
}
#endif

/** The first byte above the usable part: frames begin below it. 64-byte
 * aligned. */
static inline char *uva__stack_top(uva__stack_t *stack)
{
    return (char *)stack;
}

/** Bytes that frames can use. */
static inline size_t uva__stack_bytes(const uva__stack_t *stack)
{
    return (size_t)((const char *)stack - stack->low);
}

/** uva__context_make for the flow that the stack holds. */
static inline void uva__stack_make_flow(uva__stack_t *stack,
                                        void (*entry)(void))
{
    uva__context_make(&stack->context, stack->low, uva__stack_top(stack),
                      entry);
}

/**
 * Whether everything below the control block was zero when the stack was
 * handed out, so that uva__stack_high_water tells what this use needed.
 */
static inline bool uva__stack_is_clean(const uva__stack_t *stack)
{
    return stack->clean == UVA__STACK_CLEAN;
}

#endif /* UVA__STACK_SLOT_H */
