/*
 * The timers of a loop: near deadlines in a heap, far ones in a wheel.
 *
 * Most timers are deadlines that never come, so to start and stop one far away
 * costs the same however many there are: an entry in one of the wheel's slots.
 * Slots that come near move to the heap, which hands out timers in the exact
 * order of (deadline, sequence).
 */
#ifndef UVA__BASE_WHEEL_H
#define UVA__BASE_WHEEL_H

#include <stddef.h>
#include <stdint.h>

#include "uva/types.h"

#include "base/heap.h"
#include "base/slab.h"

/* 512 of the lowest level, 64 of each of the six others. */
#define UVA__WHEEL_SLOTS   896u
#define UVA__WHEEL_ENTRIES 15u /* They and the rest make 256 bytes. */

typedef struct uva__wheel_chunk_s {
    struct uva__wheel_chunk_s *next; /* Owned; always full. */
    size_t count;
    uva__heap_entry_t entries[UVA__WHEEL_ENTRIES];
} uva__wheel_chunk_t;

typedef struct uva__wheel_s {
    uva__slab_t *slab; /* Borrowed: of the chunks. */
    uva__heap_t heap;
    uint64_t tick;     /* Deadlines up to this tick are in the heap. */
    uint64_t after_ns; /* Every timer of the wheel is due later than this;
                          UINT64_MAX when the wheel is empty. */
    uint64_t sequence; /* Of the newest timer. */
    size_t count;      /* In heap and wheel. */
    uint64_t occupied[UVA__WHEEL_SLOTS / 64];    /* A bit for each slot. */
    uva__wheel_chunk_t *slots[UVA__WHEEL_SLOTS]; /* Owned; in no order. */
} uva__wheel_t;

/** Make an empty wheel. The slab is borrowed, and outlives the wheel. */
void uva__wheel_init(uva__wheel_t *wheel, uva__slab_t *slab);
/** Add an idle timer, which the wheel borrows until it is taken out. now_ns is
 * the present or the past: slots are counted from there.
 * @retval UV_ENOMEM Unchanged. */
int uva__wheel_insert(uva__wheel_t *wheel,
                      uva__timer_t *timer,
                      uint64_t when_ns,
                      uint64_t now_ns);
/** Take out a timer, which must be in. Its state is the caller's to set. */
void uva__wheel_remove(uva__wheel_t *wheel, uva__timer_t *timer);
/** Move every slot that may hold the next timer into the heap. */
void uva__wheel_pull(uva__wheel_t *wheel);
/** Free the heap's array. No timer may be in. */
void uva__wheel_destroy(uva__wheel_t *wheel);

/** The first timer; NULL when there is none. Borrowed. */
static inline uva__timer_t *uva__wheel_first(uva__wheel_t *wheel)
{
    if (wheel->after_ns < uva__heap_next(&wheel->heap)) {
        uva__wheel_pull(wheel);
    }
    return wheel->heap.count == 0 ? NULL : wheel->heap.entries[0].timer;
}

/** The earliest deadline; UINT64_MAX when there is none. */
static inline uint64_t uva__wheel_next(uva__wheel_t *wheel)
{
    if (wheel->after_ns < uva__heap_next(&wheel->heap)) {
        uva__wheel_pull(wheel);
    }
    return uva__heap_next(&wheel->heap);
}

#endif /* UVA__BASE_WHEEL_H */
