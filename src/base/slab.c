/*
 * The slow half of the slab: what to do when no object of a class is idle.
 *
 * Blocks grow from 4 KiB to 1 MiB, so that a small program takes little memory
 * and a large one asks the allocator seldom.
 *
 * Invariant: the carved rest is a multiple of the unit, and every byte of a
 * block but its first unit (the link to the block before) belongs to a live
 * object, to an idle one, or to the rest.
 */
#include "base/slab.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

#define SLAB_FIRST_BYTES   4096u
#define SLAB_LARGEST_BYTES (1024u * 1024u)

/* Strict mode is decided once for each slab: an object must be given back the
 * way it was got. */
void uva__slab_init(uva__slab_t *slab)
{
    memset(slab, 0, sizeof *slab);
    slab->block_bytes = SLAB_FIRST_BYTES;
    slab->classes =
        UVA_ASSERT_LEVEL >= 2 || uva__alloc_strict() ? 0 : UVA__SLAB_CLASSES;
}

void uva__slab_destroy(uva__slab_t *slab)
{
    UVA__ASSERT(slab->live == 0);
    while (slab->blocks != NULL) {
        void *block = slab->blocks;
        slab->blocks = *(void **)block;
        uva__free(block);
    }
}

/* Give the rest of the old block to the free lists, in pieces as large as
 * possible, so that a new block wastes nothing. */
static void slab_reuse_rest(uva__slab_t *slab)
{
    size_t index = slab->carve_bytes / UVA__SLAB_UNIT;

    while (index > 0) {
        size_t piece =
            index < UVA__SLAB_CLASSES ? index : UVA__SLAB_CLASSES - 1;
        *(void **)(void *)slab->carve = slab->idle[piece];
        slab->idle[piece] = slab->carve;
        slab->carve += piece * UVA__SLAB_UNIT;
        index -= piece;
    }
    slab->carve_bytes = 0;
}

/* Begin a new block. @return Whether there was memory; without, nothing has
 * changed. */
static bool slab_grow(uva__slab_t *slab)
{
    char *block = uva__malloc(slab->block_bytes);

    if (block == NULL) {
        return false;
    }
    slab_reuse_rest(slab);
    *(void **)(void *)block = slab->blocks;
    slab->blocks = block;
    slab->carve = block + UVA__SLAB_UNIT;
    slab->carve_bytes = slab->block_bytes - UVA__SLAB_UNIT;
    if (slab->block_bytes < SLAB_LARGEST_BYTES) {
        slab->block_bytes *= 2;
    }
    return true;
}

void *uva__slab_get_slow(uva__slab_t *slab, size_t units)
{
    size_t bytes = units * UVA__SLAB_UNIT;
    void *object;

    /* Large objects, and all objects in strict mode. */
    if (units >= slab->classes) {
        object = uva__malloc(bytes);
        if (object != NULL) {
            slab->live++;
        }
        return object;
    }
    if (slab->carve_bytes < bytes && !slab_grow(slab)) {
        return NULL;
    }
    object = slab->carve;
    slab->carve += bytes;
    slab->carve_bytes -= bytes;
    slab->live++;
    return object;
}

void uva__slab_put_slow(uva__slab_t *slab, void *object)
{
    slab->live--;
    uva__free(object);
}
