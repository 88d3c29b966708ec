/*
 * The timers of a loop: near deadlines in a heap, far ones in a wheel.
 *
 * Most timers are deadlines that never come, so to start and stop one far away
 * costs the same however many there are: a list of one of the wheel's slots.
 * Slots that come near move to the heap, which hands out timers in the exact
 * order of (deadline, sequence).
 */
#ifndef UVA__BASE_WHEEL_H
#define UVA__BASE_WHEEL_H

#include <stddef.h>
#include <stdint.h>

#include "uva/types.h"

#include "base/heap.h"

#define UVA__WHEEL_LEVELS 8u
#define UVA__WHEEL_SLOTS  64u

typedef struct uva__wheel_level_s {
    uint64_t occupied; /* A bit for each slot that is not empty. */
    uva_list_t slots[UVA__WHEEL_SLOTS]; /* Of uva__timer_t.at.link. */
} uva__wheel_level_t;

typedef struct uva__wheel_s {
    uva__heap_t heap;
    uint64_t tick;     /* Deadlines up to this tick are in the heap. */
    uint64_t after_ns; /* Every timer of the wheel is due later than this;
                          UINT64_MAX when the wheel is empty. */
    uint64_t sequence; /* Of the newest timer. */
    size_t count;      /* In heap and wheel. */
    uva__wheel_level_t levels[UVA__WHEEL_LEVELS];
} uva__wheel_t;

/** Add a timer that is in no list. @retval UV_ENOMEM Unchanged. */
int uva__wheel_insert(uva__wheel_t *wheel,
                      uva__timer_t *timer,
                      uint64_t when_ns);
/** Take a timer out, which must be in. */
void uva__wheel_remove(uva__wheel_t *wheel, uva__timer_t *timer);
/** Let the slots move to the heap that may hold the next timer. */
void uva__wheel_pull(uva__wheel_t *wheel);
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
