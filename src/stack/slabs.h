/*
 * Slabs of slots: the memory of the stacks of one pool, and how it is cut.
 *
 * Only stacks.c and trim.c call these functions; others take stacks by
 * stacks.h.
 */
#ifndef UVA__STACK_SLABS_H
#define UVA__STACK_SLABS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uva/types.h"

#include "stack/guards.h"
#include "stack/slot.h"

#define UVA__STACK_CLASS_COUNT 13u

/** One mapping, cut into slots of one class. */
struct uva__stack_slab_s {
    uva_list_t link; /* In open or full of its class. */
    char *base;
    size_t bytes;
    uint32_t slot_count;
    uint32_t fresh_count;
    uint32_t guarded_count; /* The first so many slots. */
    int watch_number;
    uva__stack_guard_t guard; /* Of those. */
    uint64_t fresh[];         /* A bit per slot. */
};

/** One size of stack. */
struct uva__stack_class_s {
    /* private */
    uva__stack_t *idle; /* Through next, the last used first. */
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

/** How many times larger the slots of this build are than those of a plain
 * one, as a power of two: frames grow without optimisation and under tools. */
unsigned uva__slab_scale(void);

/** Begin a class of slots of a size that is a power of two. */
void uva__slab_class_init(uva__stack_class_t *home, size_t slot_bytes);
/** Unmap all slabs of a class. No stack may be in use. */
void uva__slab_class_destroy(uva__stack_class_t *home, uva__stack_pool_t *pool);

/** Take a fresh slot of a class, of a new slab if there is none. The caller
 * holds the stack, and has asked for the pool's limit.
 * @retval UV_ENOMEM  The system gives no memory. */
int uva__slab_take(uva__stack_class_t *home,
                   uva__stack_pool_t *pool,
                   uva__stack_t **ret_stack);

/** Let a slot whose pages were given back be fresh; a slab of nothing but
 * fresh slots is unmapped. */
void uva__slab_refresh(uva__stack_slab_t *slab,
                       uint32_t index,
                       uva__stack_class_t *home,
                       uva__stack_pool_t *pool);

#endif /* UVA__STACK_SLABS_H */
