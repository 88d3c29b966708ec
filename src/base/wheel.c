/*
 * A hierarchical wheel in front of the timer heap.
 *
 * Time is cut into ticks of 2^21 ns (2 ms). A level is a ring of slots:
 *
 *   level   slots   a slot holds the timers of
 *   0       512     one tick; the level goes round in about a second
 *   n > 0    64     one turn of the level below
 *
 * A timer stands on the lowest level that reaches its deadline, counted from
 * the wheel's tick. A deadline within a second stands on level 0, so most
 * timers that fire are moved once: from a slot into the heap.
 *
 * Invariant: every occupied slot begins later than the wheel's tick, and by
 * less than one turn of its level; so each slot holds timers of one turn only.
 * What is due up to the wheel's tick stands in the heap. Pulling moves the
 * wheel's tick to the begin of the first occupied slot and empties all slots
 * that begin there. The wheel's tick may run ahead of the clock: it decides
 * nothing but whether a timer goes to the heap or to the wheel.
 *
 * A slot is a list of chunks, all full but the first. A chunk has the deadline
 * beside each timer: emptying a slot writes each timer's new place, and reads
 * nothing of the timer.
 */
#include "base/wheel.h"

#include <string.h>

#include "uva/errors.h"

#include "base/assert.h"

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

/* Two of the values of timer->state; core/timers.c has the others. */
enum {
    TIMER_IN_HEAP = 1,
    TIMER_IN_WHEEL = 3
};

/* How many slots a level has. */
static unsigned level_slots(unsigned level)
{
    return 1u << (level == 0 ? WHEEL_LOWEST_BITS : WHEEL_LEVEL_BITS);
}

/* The first slot of a level, in the array of all. */
static unsigned level_first(unsigned level)
{
    return level == 0
               ? 0
               : (1u << WHEEL_LOWEST_BITS) + ((level - 1) << WHEEL_LEVEL_BITS);
}

/* How many low bits of a tick a level does not look at: the levels below do. */
static unsigned level_shift(unsigned level)
{
    return level == 0 ? 0 : WHEEL_LOWEST_BITS + (level - 1) * WHEEL_LEVEL_BITS;
}

/* The slot of a level in which a tick lies. */
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

    /* The search begins at the wheel's tick and goes round. The word with the
     * wheel's tick is searched twice: first from its bit on, last up to it. */
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

/* The tick at which the first occupied slot of all levels begins; UINT64_MAX if
 * the wheel is empty. */
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

/* The last nanosecond before a tick that is ahead of the wheel's: every timer
 * of a slot that begins with the tick is due later. */
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

/* Cannot fail: uva__wheel_insert has reserved room in the heap for every timer,
 * wherever it stands. */
static void wheel_place_near(uva__wheel_t *wheel, uva__heap_entry_t entry)
{
    entry.timer->state = TIMER_IN_HEAP;
    uva__heap_insert(&wheel->heap, entry);
}

/* Put an entry where its deadline belongs. @return Whether there was memory for
 * one that is far; a near one needs none. */
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

/* Let the wheel's tick go with the clock, but not beyond the first occupied
 * slot: else a slot would begin before the tick. The farther the tick, the
 * lower the levels of new timers. */
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
    /* The heap gets room now, so that pulling cannot fail. */
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
    /* The newest entry of the slot moves into the hole, so that the chunks stay
     * full. A slot has no order. */
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

/* Empty a slot whose begin is the wheel's tick: into the heap, and into the
 * levels below. Without memory for a chunk there, a timer goes to the heap,
 * which is right for any deadline. */
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

/* after_ns is a lower bound: removing timers does not raise it. So it is worked
 * out anew before anything is pulled. */
void uva__wheel_pull(uva__wheel_t *wheel)
{
    while (wheel->after_ns < uva__heap_next(&wheel->heap)) {
        uint64_t begin = wheel_begin(wheel);
        wheel->after_ns = tick_after(begin);
        if (wheel->after_ns >= uva__heap_next(&wheel->heap)) {
            return;
        }
        /* From the highest level down. An entry that falls to a lower level
         * lands in a slot that begins later than this tick, or in the heap; so
         * no slot is emptied twice. */
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
