/*
 * Watchdogs: what a loop keeps to be watched, and what its turn tells.
 */
#ifndef UVA__CORE_WATCHDOG_H
#define UVA__CORE_WATCHDOG_H

#include "uva/watchdog.h"

#include "core/loop.h"

#define UVA__WATCHDOG_PLACES 64u
#define UVA__WATCHDOG_FRAMES 16u
#define UVA__WATCHDOG_NAME   128u
#define UVA__WATCHDOG_FOUND  4u /* Steps that are told of one turn. */

/* What tells two steps of a turn apart. An iteration uses up the budget step by
 * step. */
typedef struct uva__watchdog_step_s {
    unsigned turn;
    int32_t budget;
    uint64_t iterations;
    const uva_task_t *task; /* Compared, and not followed. */
} uva__watchdog_step_t;

/* A step that has blocked, from the moment it was found until the end of the
 * turn. Its strings are copies, or static: the task may have ended. */
typedef struct uva__watchdog_found_s {
    const uva_task_t *task; /* NULL for a callback. */
    const char *function;
    char name[UVA__WATCHDOG_NAME]; /* "" if the task had none. */
    uint64_t begin_ns;
    uint64_t end_ns;
    size_t frame_count;
    uintptr_t frames[UVA__WATCHDOG_FRAMES];
} uva__watchdog_found_t;

typedef struct uva__watchdog_place_s {
    uint64_t key; /* Of the calls, and of the task's function. */
    uva_blocking_place_t told;
} uva__watchdog_place_t;

typedef struct uva__watchdog_s {
    uva_loop_t *loop;   /* Borrowed. */
    uva__flush_t flush; /* At the end of a turn. */
    /* Counts beginnings and ends of turns, so it is odd in a turn. The owner
     * writes, the watcher reads. */
    atomic_uint turn;
    /* Under the registry's lock, but for reading in the owner's thread. */
    uint64_t threshold_ns;
    uint64_t process;      /* The one whose watcher counts this watchdog. */
    unsigned seen;         /* The watcher's: turn at its last look. */
    uint64_t stack_thread; /* The thread whose alternate stack was asked for. */
    /* The rest is the owner's, and that of the handler in its thread. */
    uintptr_t end; /* No frame of a step begins above this address. */
    uva__watchdog_step_t noted;
    uint64_t noted_ns;
    uint64_t noted_round_ns;
    uint64_t begin_ns;
    bool found_noted; /* What is noted is the last one of found. */
    size_t found_count;
    uva__watchdog_found_t found[UVA__WATCHDOG_FOUND];
    uva__watchdog_place_t places[UVA__WATCHDOG_PLACES];
    size_t place_count;
} uva__watchdog_t;

/** Told, in the handler, that a step was found that blocks. For tests. */
typedef void (*uva__watchdog_found_cb)(void);
extern _Atomic(uva__watchdog_found_cb) uva__watchdog_on_found;

/** Look, at now_ns, at what the loop of the calling thread runs. The handler
 * does, so this only reads and writes memory. */
void uva__watchdog_see(uva_loop_t *loop, uint64_t now_ns);
/** End the watchdog of a loop, if there is one. */
void uva__watchdog_end(uva_loop_t *loop);

/** A turn of a loop with a watchdog begins: the watchdog hears of its end by
 * the loop's flushes. */
void uva__watchdog_enter(uva_loop_t *loop);

#endif /* UVA__CORE_WATCHDOG_H */
