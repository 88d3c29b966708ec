/*
 * A hierarchical wheel in front of the timer heap.
 *
 * Time is cut into ticks of 2^20 ns. A timer stands on the level of the highest
 * group of 6 bits in which its tick differs from the wheel's, in the slot that
 * this group of its tick names.
 *
 * Invariant: every slot that is occupied lies ahead of the wheel's tick on its
 * level, so all of a level comes before all of the next one, and a timer keeps
 * its level and slot until the slot is pulled. Pulling moves the wheel's tick
 * to the slot's begin; it may run ahead of the clock, as nothing but the choice
 * between heap and wheel depends on it.
 */
#include "base/wheel.h"

#include "uva/errors.h"

#include "base/list.h"
#include "base/util.h"

#define WHEEL_TICK_BITS 20u
#define WHEEL_SLOT_BITS 6u

enum {
    TIMER_IN_HEAP = 1,
    TIMER_IN_WHEEL = 3
};

static unsigned wheel_level(const uva__wheel_t *wheel, uint64_t tick)
{
    return (63u - (unsigned)__builtin_clzll(tick ^ wheel->tick)) /
           WHEEL_SLOT_BITS;
}

static unsigned wheel_slot(unsigned level, uint64_t tick)
{
    return (unsigned)(tick >> (level * WHEEL_SLOT_BITS)) % UVA__WHEEL_SLOTS;
}

/* The tick at which the wheel's turn of a level began. */
static uint64_t wheel_turn(const uva__wheel_t *wheel, unsigned level)
{
    unsigned bits = (level + 1) * WHEEL_SLOT_BITS;

    return bits >= 64 ? 0 : wheel->tick >> bits << bits;
}

/* The first slot that is occupied. @return Whether there is one. */
static bool
wheel_find(const uva__wheel_t *wheel, unsigned *ret_level, unsigned *ret_slot)
{
    for (unsigned level = 0; level < UVA__WHEEL_LEVELS; level++) {
        if (wheel->levels[level].occupied != 0) {
            *ret_level = level;
            *ret_slot =
                (unsigned)__builtin_ctzll(wheel->levels[level].occupied);
            return true;
        }
    }
    return false;
}

static uint64_t
slot_begin(const uva__wheel_t *wheel, unsigned level, unsigned slot)
{
    return wheel_turn(wheel, level) | (uint64_t)slot
                                          << (level * WHEEL_SLOT_BITS);
}

/* The last nanosecond before a slot, which is ahead of the wheel's tick. */
static uint64_t
slot_after(const uva__wheel_t *wheel, unsigned level, unsigned slot)
{
    return (slot_begin(wheel, level, slot) << WHEEL_TICK_BITS) - 1;
}

/* The heap has room for every timer, so placing one cannot fail. */
static void wheel_place(uva__wheel_t *wheel, uva__timer_t *timer)
{
    uint64_t tick = timer->when_ns >> WHEEL_TICK_BITS;
    uint64_t after_ns;
    unsigned level;
    unsigned slot;

    if (tick <= wheel->tick) {
        timer->state = TIMER_IN_HEAP;
        uva__heap_insert(&wheel->heap, timer);
        return;
    }
    level = wheel_level(wheel, tick);
    slot = wheel_slot(level, tick);
    timer->state = TIMER_IN_WHEEL;
    uva__list_append(&wheel->levels[level].slots[slot], &timer->at.link);
    wheel->levels[level].occupied |= (uint64_t)1 << slot;
    after_ns = slot_after(wheel, level, slot);
    if (after_ns < wheel->after_ns) {
        wheel->after_ns = after_ns;
    }
}

int uva__wheel_insert(uva__wheel_t *wheel,
                      uva__timer_t *timer,
                      uint64_t when_ns)
{
    if (uva__heap_reserve(&wheel->heap, wheel->count + 1) < 0) {
        return UV_ENOMEM;
    }
    if (wheel->count++ == 0) {
        wheel->after_ns = UINT64_MAX;
    }
    timer->when_ns = when_ns;
    timer->sequence = ++wheel->sequence;
    wheel_place(wheel, timer);
    return 0;
}

void uva__wheel_remove(uva__wheel_t *wheel, uva__timer_t *timer)
{
    uint64_t tick = timer->when_ns >> WHEEL_TICK_BITS;
    uva__wheel_level_t *level;
    unsigned slot;

    wheel->count--;
    if (timer->state == TIMER_IN_HEAP) {
        uva__heap_remove(&wheel->heap, timer);
        return;
    }
    uva__list_remove(&timer->at.link);
    level = &wheel->levels[wheel_level(wheel, tick)];
    slot = wheel_slot((unsigned)(level - wheel->levels), tick);
    if (uva__list_empty(&level->slots[slot])) {
        level->occupied &= ~((uint64_t)1 << slot);
    }
}

static void wheel_place_link(uva__wheel_t *wheel, uva_list_t *link)
{
    wheel_place(wheel, UVA__CONTAINER_OF(link, uva__timer_t, at.link));
}

/* Empty the first slot: into the heap, and into the levels below. From both
 * ends, as many timers lie far from each other, and so two at once come out of
 * memory; their order is in the heap. */
static void wheel_pull_slot(uva__wheel_t *wheel, unsigned level, unsigned slot)
{
    uva_list_t *timers = &wheel->levels[level].slots[slot];
    uva_list_t *first = timers->next;
    uva_list_t *last = timers->prev;

    wheel->tick = slot_begin(wheel, level, slot);
    wheel->levels[level].occupied &= ~((uint64_t)1 << slot);
    uva__list_init(timers);
    while (first != last) {
        uva_list_t *next = first->next;
        uva_list_t *previous = last->prev;
        wheel_place_link(wheel, first);
        if (next == last) {
            break;
        }
        wheel_place_link(wheel, last);
        first = next;
        last = previous;
    }
    wheel_place_link(wheel, last);
}

void uva__wheel_pull(uva__wheel_t *wheel)
{
    unsigned level;
    unsigned slot;

    while (wheel->after_ns < uva__heap_next(&wheel->heap)) {
        if (!wheel_find(wheel, &level, &slot)) {
            wheel->after_ns = UINT64_MAX;
            return;
        }
        wheel->after_ns = slot_after(wheel, level, slot);
        if (wheel->after_ns >= uva__heap_next(&wheel->heap)) {
            return;
        }
        wheel_pull_slot(wheel, level, slot);
        wheel->after_ns = wheel_find(wheel, &level, &slot)
                              ? slot_after(wheel, level, slot)
                              : UINT64_MAX;
    }
}

void uva__wheel_destroy(uva__wheel_t *wheel)
{
    uva__heap_destroy(&wheel->heap);
}
