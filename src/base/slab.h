/*
 * Small objects of one loop: free lists by size, carved from large blocks.
 *
 * Invariant: an object comes from the free list of its class or from a block;
 * in strict mode the free lists stay empty and every object is an allocation
 * of its own, so that tools see it and tests can make it fail.
 *
 * Belongs to one thread. Blocks are freed with the slab.
 */
#ifndef UVA__BASE_SLAB_H
#define UVA__BASE_SLAB_H

#include <stddef.h>

#include "base/util.h"

#define UVA__SLAB_UNIT 16u /* Bytes that a class steps by. */
#define UVA__SLAB_CLASSES                              \
    33u /* Larger objects are allocated by themselves. \
         */

typedef struct uva__slab_s {
    void *idle[UVA__SLAB_CLASSES]; /* Linked through their first word. */
    char *carve;                   /* The rest of the newest block. */
    size_t carve_bytes;
    void *blocks; /* Owned; linked through their first word. */
    size_t block_bytes;
    size_t live;    /* Objects handed out. */
    size_t classes; /* Reused ones: all, or, in strict mode, none. */
} uva__slab_t;

/** Make a slab without blocks. It is never moved: its users keep its address.
 */
void uva__slab_init(uva__slab_t *slab);
/** Free all blocks. No object may be live. */
void uva__slab_destroy(uva__slab_t *slab);
/** An object of so many units where none is idle; NULL without memory. */
void *uva__slab_get_slow(uva__slab_t *slab, size_t units);
/** Free an object that is an allocation of its own. */
void uva__slab_put_slow(uva__slab_t *slab, void *object);

/** An idle object of so many units: 16-byte aligned, used before, not cleared.
 * NULL if there is none. */
static inline void *uva__slab_get_idle(uva__slab_t *slab, size_t units)
{
    void *object;

    if (UVA__UNLIKELY(units >= UVA__SLAB_CLASSES)) {
        return NULL;
    }
    object = slab->idle[units];
    if (UVA__LIKELY(object != NULL)) {
        slab->idle[units] = *(void **)object;
        slab->live++;
    }
    return object;
}

/** An object of so many units, from new memory if none is idle; NULL without
 * memory. The caller gives it back with the same number of units. */
static inline void *uva__slab_get_units(uva__slab_t *slab, size_t units)
{
    void *object = uva__slab_get_idle(slab, units);

    return UVA__LIKELY(object != NULL) ? object
                                       : uva__slab_get_slow(slab, units);
}

/** Give back an object whose units are fewer than slab->classes: it is idle
 * then, and the next one of its size. */
static inline void
uva__slab_put_idle(uva__slab_t *slab, void *object, size_t units)
{
    *(void **)object = slab->idle[units];
    slab->idle[units] = object;
    slab->live--;
}

/** Give an object back, with as many units as it was asked for. */
static inline void
uva__slab_put_units(uva__slab_t *slab, void *object, size_t units)
{
    if (UVA__UNLIKELY(units >= slab->classes)) {
        uva__slab_put_slow(slab, object);
        return;
    }
    uva__slab_put_idle(slab, object, units);
}

/** How many units an object of size bytes takes. */
static inline size_t uva__slab_units(size_t size)
{
    return (size + UVA__SLAB_UNIT - 1) / UVA__SLAB_UNIT;
}

/** uva__slab_get_units by bytes. */
static inline void *uva__slab_get(uva__slab_t *slab, size_t size)
{
    return uva__slab_get_units(slab, uva__slab_units(size));
}

/** uva__slab_put_units by bytes. */
static inline void uva__slab_put(uva__slab_t *slab, void *object, size_t size)
{
    size_t units = uva__slab_units(size);

    if (units >= UVA__SLAB_CLASSES) {
        /* Decided when compiled, since size is a constant at most calls. */
        uva__slab_put_slow(slab, object);
    } else {
        uva__slab_put_units(slab, object, units);
    }
}

#endif /* UVA__BASE_SLAB_H */
