/*
 * Helpers that the primitives of this floor share on top of uva_waiter_t.
 *
 * The stage byte of a waiter belongs to two layers, because a barrier waits
 * through its condition: bits 0 and 1 are the condition's, bits 2 and 3 the
 * barrier's. Each leaves the other's alone and its own 0 when its await ends.
 * Bit 4 tells a cancelled waiter that somebody has taken it out of its list.
 * The value is that of uva_select: the case that woke it.
 */
#ifndef UVA__SYNC_WAITERS_H
#define UVA__SYNC_WAITERS_H

#include "uva/events.h"
#include "uva/futures.h"

#include "base/list.h"
#include "core/waiters.h"

enum {
    UVA__STAGE_CONDITION = 3 << 0,
    UVA__STAGE_BARRIER = 3 << 2,
    UVA__STAGE_OUT = 1 << 4
};

static inline int uva__stage_get(const uva_waiter_t *waiter, int layer)
{
    return uva_waiter_get_stage(waiter) & layer;
}

static inline void uva__stage_set(uva_waiter_t *waiter, int layer, int stage)
{
    uva_waiter_set_stage(
        waiter, (uint8_t)((uva_waiter_get_stage(waiter) & ~layer) | stage));
}

/** Whether a primitive can be bound to the running loop, as uva_waiter_suspend
 * binds it: it belongs to none, or to this one. */
static inline bool uva__sync_bindable(const uva_loop_t *owner)
{
    return owner == NULL || owner == uva_get_running_loop();
}

/** How many links a list has; for descriptions. */
static inline size_t uva__sync_count(const uva_list_t *list)
{
    size_t count = 0;

    if (!uva__list_empty(list)) {
        for (const uva_list_t *at = list->next; at != list; at = at->next) {
            count++;
        }
    }
    return count;
}

/** "<type object at 0x55e0 [state, waiters:2]>" into size bytes of text.
 * @return The bytes of the whole, without its 0. */
size_t uva__sync_repr(char *text,
                      size_t size,
                      const char *type,
                      const void *object,
                      const char *state,
                      size_t waiter_count);

#endif /* UVA__SYNC_WAITERS_H */
