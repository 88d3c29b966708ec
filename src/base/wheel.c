/*
 * A hierarchical wheel in front of the timer heap.
 *
 * Time is cut into ticks of 2^21 ns. A slot of the lowest level holds the
 * timers of one tick, one of each other level those of as much time as the
 * level below goes round in. A timer stands on the lowest level that reaches
 * it, counted from the wheel's tick: below a second on the lowest, so that most
 * timers that fire are moved once.
 *
 * Invariant: every slot that is occupied begins later than the wheel's tick,
 * and by less than one turn of its level. Pulling moves the wheel's tick to the
 * begin of the first slot and empties all that begin there; it may run ahead
 * of the clock, as nothing but the choice between heap and wheel depends on it.
 *
 * A slot is a list of chunks, all but the first of them full, with the deadline
 * beside each timer: emptying a slot writes each timer's new place and reads
 * nothing of it.
 */
#include "base/wheel.h"

#include <string.h>

#include "uva/errors.h"

#include "base/assert.h"
#include "base/util.h"

#define WHEEL_TICK_BITS   21u
#define WHEEL_LOWEST_BITS 9u /* Of the slots of the lowest level. */
#define WHEEL_LEVEL_BITS  6u /* Of those of each other. */
#define WHEEL_LEVELS      7u

_Static_assert(UVA__WHEEL_SLOTS ==
                   (1u << WHEEL_LOWEST_BITS) +
                       (WHEEL_LEVELS - 1) * (1u << WHEEL_LEVEL_BITS),
               "the slots are those of all levels");
_Static_assert(WHEEL_TICK_BITS + WHEEL_LOWEST_BITS +
                       (WHEEL_LEVELS - 1) * WHEEL_LEVEL_BITS >=
                   64,
               "the highest level reaches the end of time");

enum {
    TIMER_IN_HEAP = 1,
    TIMER_IN_WHEEL = 3
};

/* How many slots a level has. */
static unsigned level_slots(unsigned level)
{
    return 1u << (level == 0 ? WHEEL_LOWEST_BITS : WHEEL_LEVEL_BITS);
}

/* The first of its slots. */
static unsigned level_first(unsigned level)
{
    return level == 0
               ? 0
               : (1u << WHEEL_LOWEST_BITS) + ((level - 1) << WHEEL_LEVEL_BITS);
}

/* The bits of a tick that it does not look at. */
static unsigned level_shift(unsigned level)
{
    return level == 0 ? 0 : WHEEL_LOWEST_BITS + (level - 1) * WHEEL_LEVEL_BITS;
}

static unsigned level_slot(unsigned level, uint64_t tick)
{
    return level_first(level) +
           (unsigned)(tick >> level_shift(level)) % level_slots(level);
}

/* The tick at which the first slot of a level begins that is occupied;
 * UINT64_MAX if none is. */
static uint64_t level_begin(const uva__wheel_t *wheel, unsigned level)
{
    unsigned shift = level_shift(level);
    unsigned slots = level_slots(level);
    const uint64_t *occupied = &wheel->occupied[level_first(level) / 64];
    uint64_t turn = wheel->tick >> shift;
    unsigned at = (unsigned)turn % slots;

    /* The word of the wheel's tick comes first and, for what is before it
     * there, last. */
    for (unsigned i = 0; i <= slots / 64; i++) {
        unsigned word = (at / 64 + i) % (slots / 64);
        uint64_t bits = occupied[word];
        if (i == 0) {
            bits &= UINT64_MAX << at % 64;
        }
        if (bits != 0) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            return (turn + (slot - at) % slots) << shift;
        }
    }
    return UINT64_MAX;
}

/* The tick at which the first slot of all begins; UINT64_MAX if there is
 * none. */
static uint64_t wheel_begin(const uva__wheel_t *wheel)
{
    uint64_t first = UINT64_MAX;

    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t begin = level_begin(wheel, level);
        if (begin < first) {
            first = begin;
        }
    }
    return first;
}

/* The last nanosecond before a tick that is ahead of the wheel's. */
static uint64_t tick_after(uint64_t tick)
{
    return tick == UINT64_MAX ? UINT64_MAX : (tick << WHEEL_TICK_BITS) - 1;
}

/* Add an entry to a slot. @return Whether there was memory. */
static inline bool
slot_add(uva__wheel_t *wheel, unsigned slot, uva__heap_entry_t entry)
{
    uva__wheel_chunk_t *chunk = wheel->slots[slot];

    if (chunk == NULL || chunk->count == UVA__WHEEL_ENTRIES) {
        chunk = uva__slab_get(wheel->slab, sizeof *chunk);
        if (chunk == NULL) {
            return false;
        }
        chunk->next = wheel->slots[slot];
        chunk->count = 0;
        wheel->slots[slot] = chunk;
        wheel->occupied[slot / 64] |= (uint64_t)1 << slot % 64;
    }
    chunk->entries[chunk->count] = entry;
    entry.timer->state = TIMER_IN_WHEEL;
    entry.timer->at.wheel.entry = &chunk->entries[chunk->count];
    entry.timer->at.wheel.slot = slot;
    chunk->count++;
    return true;
}

static void wheel_place_near(uva__wheel_t *wheel, uva__heap_entry_t entry)
{
    entry.timer->state = TIMER_IN_HEAP;
    uva__heap_insert(&wheel->heap, entry);
}

/* The heap has room for every timer. @return Whether there was memory for one
 * that is far. */
static bool wheel_place(uva__wheel_t *wheel, uva__heap_entry_t entry)
{
    uint64_t tick = entry.when_ns >> WHEEL_TICK_BITS;
    unsigned level = 0;
    unsigned shift = 0;
    uint64_t after_ns;

    if (tick <= wheel->tick) {
        wheel_place_near(wheel, entry);
        return true;
    }
    while ((tick >> shift) - (wheel->tick >> shift) >= level_slots(level)) {
        level++;
        shift = level_shift(level);
    }
    if (!slot_add(wheel, level_slot(level, tick), entry)) {
        return false;
    }
    after_ns = tick_after(tick >> shift << shift);
    if (after_ns < wheel->after_ns) {
        wheel->after_ns = after_ns;
    }
    return true;
}

void uva__wheel_init(uva__wheel_t *wheel, uva__slab_t *slab)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->slab = slab;
    wheel->after_ns = UINT64_MAX;
}

/* Let the wheel's tick go with the time, up to the first slot. */
static inline void wheel_follow(uva__wheel_t *wheel, uint64_t now_ns)
{
    if (now_ns <= wheel->after_ns && now_ns >> WHEEL_TICK_BITS > wheel->tick) {
        wheel->tick = now_ns >> WHEEL_TICK_BITS;
    }
}

int uva__wheel_insert(uva__wheel_t *wheel,
                      uva__timer_t *timer,
                      uint64_t when_ns,
                      uint64_t now_ns)
{
    wheel_follow(wheel, now_ns);
    timer->when_ns = when_ns;
    timer->sequence = wheel->sequence + 1;
    if (uva__heap_reserve(&wheel->heap, wheel->count + 1) < 0 ||
        !wheel_place(wheel, (uva__heap_entry_t){when_ns, timer})) {
        return UV_ENOMEM;
    }
    wheel->sequence++;
    wheel->count++;
    return 0;
}

void uva__wheel_remove(uva__wheel_t *wheel, uva__timer_t *timer)
{
    uva__wheel_chunk_t **slot;
    uva__wheel_chunk_t *chunk;
    uva__heap_entry_t *hole;

    wheel->count--;
    if (timer->state == TIMER_IN_HEAP) {
        uva__heap_remove(&wheel->heap, timer);
        return;
    }
    /* The newest entry takes its place. */
    slot = &wheel->slots[timer->at.wheel.slot];
    chunk = *slot;
    hole = timer->at.wheel.entry;
    *hole = chunk->entries[--chunk->count];
    hole->timer->at.wheel.entry = hole;
    if (chunk->count == 0) {
        *slot = chunk->next;
        uva__slab_put(wheel->slab, chunk, sizeof *chunk);
        if (*slot == NULL) {
            wheel->occupied[timer->at.wheel.slot / 64] &=
                ~((uint64_t)1 << timer->at.wheel.slot % 64);
        }
    }
}

/* Empty a slot: into the heap, and into the levels below. */
static void wheel_pull_slot(uva__wheel_t *wheel, unsigned slot)
{
    uva__wheel_chunk_t *chunk = wheel->slots[slot];

    wheel->slots[slot] = NULL;
    wheel->occupied[slot / 64] &= ~((uint64_t)1 << slot % 64);
    while (chunk != NULL) {
        uva__wheel_chunk_t *next = chunk->next;
        for (size_t i = 0; i < chunk->count; i++) {
            if (!wheel_place(wheel, chunk->entries[i])) {
                wheel_place_near(wheel, chunk->entries[i]);
            }
        }
        uva__slab_put(wheel->slab, chunk, sizeof *chunk);
        chunk = next;
    }
}

void uva__wheel_pull(uva__wheel_t *wheel)
{
    while (wheel->after_ns < uva__heap_next(&wheel->heap)) {
        uint64_t begin = wheel_begin(wheel);
        wheel->after_ns = tick_after(begin);
        if (wheel->after_ns >= uva__heap_next(&wheel->heap)) {
            return;
        }
        /* From the highest level down: what falls to one that is lower begins
         * later, or is near. */
        wheel->tick = begin;
        for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
            unsigned slot = level_slot(level, begin);
            if (wheel->slots[slot] != NULL) {
                wheel_pull_slot(wheel, slot);
            }
        }
        wheel->after_ns = tick_after(wheel_begin(wheel));
    }
}

void uva__wheel_destroy(uva__wheel_t *wheel)
{
    UVA__ASSERT(wheel->count == 0);
    uva__heap_destroy(&wheel->heap);
}
