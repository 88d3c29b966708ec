/*
 * Stacks for stackful coroutines: slots of lazily backed memory with a guard at
 * the low end, reused last in, first out.
 *
 * Sizes are classes: 64 KiB, 256 KiB, 1 MiB, then powers of two up to 1 GiB.
 * They are virtual and include the guard (a sixteenth, one page to 64 KiB). A
 * library built without optimisation doubles every class, one built with ASan
 * or TSan takes it four times, as frames grow there.
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef UVA__STACK_STACKS_H
#define UVA__STACK_STACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"
#include "stack/guards.h"
#include "stack/slabs.h"
#include "stack/slot.h"

#define UVA__STACK_DEFAULT_BYTES ((size_t)256 * 1024)

/** Zero means default. */
typedef struct uva__stack_options_s {
    size_t default_bytes;     /* Of a stack; 256 KiB. */
    size_t limit_bytes;       /* Of all stacks, virtual; no limit. */
    uva__stack_guard_t guard; /* The best. UVA_STACK_GUARD=marker|mprotect|
                               * canary in the environment wins over AUTO. */
} uva__stack_options_t;

/**
 * Make an empty pool. Maps nothing yet.
 *
 * @param options  NULL for all defaults.
 * @return 0, or UV_EINVAL: a default size above 1 GiB, an unknown guard.
 */
int uva__stack_pool_init(uva__stack_pool_t *pool,
                         const uva__stack_options_t *options);

/** Unmap everything. No stack may be in use. */
void uva__stack_pool_destroy(uva__stack_pool_t *pool);

/** How many stacks are handed out; walks the idle lists. */
size_t uva__stack_pool_count(const uva__stack_pool_t *pool);

/** The guard that the pool's next stack would get; never AUTO. */
uva__stack_guard_t uva__stack_pool_guard(const uva__stack_pool_t *pool);

/** uva__stack_get where no stack of the default size is idle. */
int uva__stack_get_slow(uva__stack_pool_t *pool,
                        size_t size_bytes,
                        uva__stack_t **ret_stack);
/** Look at the canary of a stack that has one, and whether sp, unless NULL, is
 * on the stack. Does not return if there was an overflow. */
void uva__stack_check_slow(uva__stack_t *stack, const char *sp);

/** Take a used stack of the default size; NULL when none is idle. The caller
 * holds it, and gives it back by uva__stack_put. */
static inline uva__stack_t *uva__stack_get_idle(uva__stack_pool_t *pool)
{
    uva__stack_class_t *home = pool->standard;
    uva__stack_t *stack = home->idle;

    if (UVA__LIKELY(stack != NULL)) {
        home->idle = stack->next;
        uva__stack_unpoison(stack);
    }
    return stack;
}

/**
 * Take a stack. The caller holds it, and gives it back by uva__stack_put.
 *
 * @param size_bytes  At least this class of virtual size; 0 for the default.
 * @retval UV_EAGAIN  The pool's limit is reached.
 * @retval UV_ENOMEM  The system gives no memory.
 * @retval UV_EINVAL  More than 1 GiB.
 */
static inline int uva__stack_get(uva__stack_pool_t *pool,
                                 size_t size_bytes,
                                 uva__stack_t **ret_stack)
{
    uva__stack_t *stack = size_bytes == 0 ? uva__stack_get_idle(pool) : NULL;

    if (UVA__UNLIKELY(stack == NULL)) {
        return uva__stack_get_slow(pool, size_bytes, ret_stack);
    }
    *ret_stack = stack;
    return 0;
}

/**
 * Give a stack back; it is the next one of its class that is handed out. The
 * caller may still run on it, as long as it leaves the stack before the next
 * holder begins there. An overflow that no page fault told is found here.
 */
static inline void uva__stack_put(uva__stack_pool_t *pool, uva__stack_t *stack)
{
    uva__stack_class_t *home = stack->home;

    if (UVA__UNLIKELY(pool->checks)) {
        uva__stack_check_slow(stack, NULL);
    }
    stack->clean = stack->clean == UVA__STACK_CLEANED ? UVA__STACK_CLEAN
                                                      : UVA__STACK_DIRTY;
    stack->next = home->idle;
    home->idle = stack;
}

/**
 * Look for an overflow that no page fault told. Call it on the stack itself,
 * right before each switch away from it; free where guards are pages.
 * An overflow is reported like a fault in a guard: it ends the process.
 */
static inline void uva__stack_check(uva__stack_pool_t *pool,
                                    uva__stack_t *stack)
{
    if (UVA__UNLIKELY(pool->checks)) {
        uva__stack_check_slow(stack, (const char *)__builtin_frame_address(0));
    }
}

#endif /* UVA__STACK_STACKS_H */
