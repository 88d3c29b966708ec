/*
 * All that the core asks of the outside: the clock, waiting, waking. One
 * driver lives on libuv, one in virtual time.
 */
#ifndef UVA__CORE_DRIVER_H
#define UVA__CORE_DRIVER_H

#include "uva/events.h"

typedef struct uva__driver_s {
    /** The clock, in nanoseconds. */
    uint64_t (*now)(const uva_loop_t *loop);
    /**
     * Turn until loop->stopping is set, calling uva__loop_turn.
     * @retval UV_EBUSY   The host is inside uv_run.
     * @retval UVA_EDEADLOCK Nothing is left to wait for (virtual time only).
     */
    int (*run)(uva_loop_t *loop);
    /** Something was scheduled while the driver was not looking. */
    void (*attend)(uva_loop_t *loop);
    /** Make a waiting loop turn. Any thread, while the loop is open. */
    void (*wake)(uva_loop_t *loop);
    /** Whether calling run would mean to be inside it twice. */
    bool (*inside)(const uva_loop_t *loop);
    /** Let go of everything; uva__loop_closed follows, at once or later: in
     * the host's next turn. */
    void (*close)(uva_loop_t *loop);
    /** Turn the host once, without waiting, after close: NULL where there is
     * no host. */
    void (*turn)(uva_loop_t *loop);
    /** The uv_loop_t below, or NULL. */
    uv_loop_t *(*uv)(const uva_loop_t *loop);
} uva__driver_t;

/** Make a driver for a loop: fills loop->driver and loop->driver_data. */
int uva__driver_uv_new(uva_loop_t *loop, uv_loop_t *host);
int uva__driver_virtual_new(uva_loop_t *loop);

/** The version of the libuv that runs. */
const char *uva__driver_uv_version(void);

/**
 * One look at what the driver found: read the clock, take calls from other
 * threads, let due timers join the ready queue, run iterations within the
 * budget.
 *
 * @return Whether work is ready.
 */
bool uva__loop_turn(uva_loop_t *loop);

/** Whether anything is left to do or to wait for: unfinished tasks, scheduled
 * calls, operations in flight. */
bool uva__loop_busy(const uva_loop_t *loop);

/** Tell who waits for what, once, when nothing can wake them. */
void uva__loop_report_stuck(uva_loop_t *loop);

/** The driver let go. */
void uva__loop_closed(uva_loop_t *loop);

#endif /* UVA__CORE_DRIVER_H */
