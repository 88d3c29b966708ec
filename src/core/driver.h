/*
 * Drivers: everything that the core needs from outside, which is the clock,
 * waiting and waking. One driver lives on libuv, one in virtual time. All
 * functions but now and wake are for the loop's thread.
 */
#ifndef UVA__CORE_DRIVER_H
#define UVA__CORE_DRIVER_H

#include "uva/events.h"

/* The reasons for which a turn of the driver takes the slow way. */
enum {
    UVA__ASIDE_SHARED = 1u << 0, /* Others have the uv_loop_t as well, and may
                                    turn it anywhere. */
    /* A turn of a shared loop is under way: a call of libuv's comes from code
     * of users in it. */
    UVA__ASIDE_TURNING = 1u << 1,
    UVA__ASIDE_NESTED = 1u << 2, /* libuv was called so in this turn. */
    UVA__ASIDE_FORKED = 1u << 3  /* This is a child, the loop its parent's. */
};

/* The state that a loop keeps for a fork of the process. */
typedef struct uva__forks_s {
    /* In the child: the nodes that were ready in the fork; uva_loop_fork gives
     * them back. */
    uva__ready_t *batch;
    uva__ready_t *head;
    uva__ready_t **tail;
} uva__forks_t;

typedef struct uva__driver_s {
    /** The clock, in nanoseconds; it never goes back. */
    uint64_t (*now)(const uva_loop_t *loop);
    /**
     * Turn until loop->stopping is set, calling uva__loop_turn.
     * @retval UV_EBUSY   The host is inside uv_run.
     * @retval UVA_EDEADLOCK Nothing is left to wait for (virtual time only).
     */
    int (*run)(uva_loop_t *loop);
    /** Work was scheduled outside of the drain: the next wait must not wait.
     * Does nothing once the handles are closed. */
    void (*attend)(uva_loop_t *loop);
    /** Make a waiting loop turn. Any thread, under the loop's mutex while the
     * loop is open, and signal handlers. */
    void (*wake)(uva_loop_t *loop);
    /** Whether the caller is inside run or the host's uv_run, or may be for all
     * that can be known: then run must not be called. */
    bool (*inside)(const uva_loop_t *loop);
    /** Release everything, the driver too. uva__loop_closed follows, at once or
     * in the host's next turn. */
    void (*close)(uva_loop_t *loop);
    /** Turn the host once, without waiting, after close: NULL where there is
     * no host. */
    void (*turn)(uva_loop_t *loop);
    /** The uv_loop_t below, borrowed, or NULL. */
    uv_loop_t *(*uv)(const uva_loop_t *loop);
    /** Whether somebody else has closed the driver's handles: libuv is not to
     * be called any more. */
    bool (*lost)(const uva_loop_t *loop);
    /** Somebody else has closed the driver's handles: end the loop as far as
     * its tasks let it. NULL where nobody can close them. @retval UV_EBUSY
     * Tasks are left. */
    int (*on_lost)(uva_loop_t *loop);
    /** Whether the driver can close: on a uv_loop_t of its own no handle of
     * others is open. @retval UV_EBUSY Some are, and were logged. */
    int (*vacant)(uva_loop_t *loop);
    /** Give the child of a fork what it must not share with its parent; NULL
     * if it shares nothing. */
    int (*fork)(uva_loop_t *loop);
    /** The host says whether it is inside uv_run. */
    void (*say_inside)(uva_loop_t *loop, uva_inside_t inside);
} uva__driver_t;

/** Make a driver for a loop, and fill loop->driver.ops and loop->driver.data.
 * host is the application's uv_loop_t, borrowed, or NULL. On failure nothing is
 * left. */
typedef int (*uva__driver_open_cb)(uva_loop_t *loop, uv_loop_t *host);

#endif /* UVA__CORE_DRIVER_H */
