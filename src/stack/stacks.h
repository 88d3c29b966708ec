/*
 * Stacks for stackful coroutines: slabs of lazily backed memory, cut into slots
 * with a guard at the low end, reused last in, first out.
 *
 *     slot:  | guard | usable ... first frames | uva__stack_t | colour |
 *            low addresses                                high addresses
 *
 * The control block shares a page with the first frames, so a task that blocks
 * near its entry function keeps one page of its stack. The colour, 0 to 31
 * cache lines by slot index, keeps equal frames of many stacks out of the same
 * cache sets.
 *
 * Sizes are classes: 64 KiB, 256 KiB, 1 MiB, then powers of two up to 1 GiB.
 * They are virtual and include the guard (a sixteenth, one page to 64 KiB). A
 * library built without optimisation doubles every class, one built with ASan
 * or TSan takes it four times, as frames grow there.
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef UVA__CORE_CORO_STACKS_H
#define UVA__CORE_CORO_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uva/types.h"

#include "base/util.h"
#include "stack/switch.h"

#define UVA__STACK_CLASS_COUNT   13u
#define UVA__STACK_DEFAULT_BYTES ((size_t)256 * 1024)

/** How an overflow is noticed; the lower tiers stand in for the upper. */
typedef enum uva__stack_guard_e {
    UVA__STACK_GUARD_AUTO = 0, /* The best that the machine has. */
    UVA__STACK_GUARD_MARKER,   /* MADV_GUARD_INSTALL: splits no mapping. */
    UVA__STACK_GUARD_MPROTECT, /* Two mappings each, so only for so many. */
    UVA__STACK_GUARD_CANARY    /* A gap, looked at when a task suspends. */
} uva__stack_guard_t;

typedef struct uva__stack_slab_s uva__stack_slab_t;
typedef struct uva__stack_class_s uva__stack_class_t;

/** The control block of a stack, at the top of its slot. */
struct uva__stack_s {
    uva__stack_t *next;       /* In the idle list; the holder's while in use. */
    uva__stack_class_t *home; /* Borrowed: the class in its pool. */
    uva__stack_slab_t *slab;  /* Borrowed. */
    char *low;                /* The lowest usable byte. */
    void *owner; /* The holder's, for reports; uva never reads through it. */
    /* The holder's: the flow suspended on an idle stack, so that its entry
     * function can go on with the next task. sp is NULL on a stack that was
     * never used (make one then). The pool destroys it with the stack. */
    uva__context_t context;
    uint32_t valgrind_id;
    uint8_t guard; /* uva__stack_guard_t, never AUTO. */
    uint8_t clean; /* See uva__stack_is_clean. */
};

/** One size of stack. */
struct uva__stack_class_s {
    /* private */
    uva__stack_t *idle; /* Through next, the last used first. */
    uva__stack_t *cold; /* Below them: not used since the last trim. */
    uva_list_t open;    /* Of uva__stack_slab_t.link: some slot is untouched. */
    uva_list_t full;    /* The other slabs. */
    size_t slot_bytes;
    size_t guard_bytes;
    size_t slab_bytes;    /* Of the next slab. */
    size_t touched_count; /* Slots in use or idle. */
};

/** The stacks of one loop. Embedded; never moved after init. */
typedef struct uva__stack_pool_s {
    /* private */
    uva__stack_class_t *standard; /* The class for size 0. */
    bool checks;                  /* Some slab has canaries. */
    bool locked;                  /* Markers were refused: mlockall. */
    uint8_t guard;                /* The mode asked for; never AUTO. */
    size_t limit_bytes;
    size_t touched_bytes; /* Slots handed out and not given back since. */
    size_t mapped_bytes;
    uva__stack_class_t classes[UVA__STACK_CLASS_COUNT];
} uva__stack_pool_t;

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

/**
 * Give the memory of stacks back that nobody has used since the last call, at
 * most a thousand or so per call. Slabs without a used slot are unmapped.
 *
 * @return Bytes of address space whose pages were given back; 0 when nothing
 *         was cold. The first call after a burst only marks.
 */
size_t uva__stack_pool_trim(uva__stack_pool_t *pool);

/** Give the memory of every idle stack back. Returns bytes as above. */
size_t uva__stack_pool_trim_all(uva__stack_pool_t *pool);

/** How many stacks are handed out; walks the idle lists. */
size_t uva__stack_pool_count(const uva__stack_pool_t *pool);

/** The guard that the pool's next stack would get; never AUTO. */
uva__stack_guard_t uva__stack_pool_guard(const uva__stack_pool_t *pool);

/** The guard that this machine and environment give; probed once.
 * @thread any */
uva__stack_guard_t uva__stack_guard_probe(void);

/** "marker", "mprotect", "canary", "auto". @thread any */
const char *uva__stack_guard_name(uva__stack_guard_t guard);

#if defined(UVA__ASAN)
/* Frames that were left without a return keep their poison. */
void uva__stack_unpoison(uva__stack_t *stack);
#else
static inline void uva__stack_unpoison(uva__stack_t *stack)
{
    (void)stack;
}
#endif

int uva__stack_get_slow(uva__stack_pool_t *pool,
                        size_t size_bytes,
                        uva__stack_t **ret_stack);
void uva__stack_check_slow(uva__stack_t *stack, const char *sp);

/** Where the control block of slot number index of its slab lies. */
uva__stack_t *uva__stack_at(char *slot, size_t slot_bytes, size_t index);

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

/** Take a used stack of the default size; NULL when none is idle. */
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
 * Take a stack.
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
 * Whether everything below the control block was zero when the stack was
 * handed out, so that uva__stack_high_water tells what this use needed.
 */
static inline bool uva__stack_is_clean(const uva__stack_t *stack)
{
    return stack->clean == 1;
}

/** Note that the use ended: the next one finds the stack dirty, unless it was
 * cleaned at the end of this one. uva__stack_put does it; an entry function
 * that goes on with another task on the same stack calls it itself. */
static inline void uva__stack_used(uva__stack_t *stack)
{
    /* 2, cleaned after use, becomes 1, clean; 1 becomes 0. */
    stack->clean = (uint8_t)(stack->clean >> 1);
}

/**
 * Give a stack back; it will be the next one handed out. Its last frames may
 * still stand on it, as long as they leave before the next get is used.
 */
static inline void uva__stack_put_plain(uva__stack_t *stack)
{
    uva__stack_class_t *home = stack->home;

    uva__stack_used(stack);
    stack->next = home->idle;
    home->idle = stack;
}

/** The same; a canary is looked at. */
static inline void uva__stack_put(uva__stack_pool_t *pool, uva__stack_t *stack)
{
    if (UVA__UNLIKELY(pool->checks)) {
        uva__stack_check_slow(stack, NULL);
    }
    uva__stack_put_plain(stack);
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

/**
 * How deep the stack was used since it was last clean: bytes from the top to
 * the lowest byte that is not zero. Looks at resident pages only.
 */
size_t uva__stack_high_water(const uva__stack_t *stack);

/**
 * uva__stack_high_water, then make the stack clean for its next use. Call it
 * at the end of a use, before uva__stack_put (or uva__stack_used). It may run
 * on the stack itself; it keeps what lies above its own frame, and above
 * stack->context.sp if that is set.
 */
size_t uva__stack_census(uva__stack_t *stack);

/** Make a stack that was just handed out clean, so that this use is measured.
 * Keeps what uva__stack_census keeps. */
void uva__stack_clean(uva__stack_t *stack);

#endif /* UVA__CORE_CORO_STACKS_H */
