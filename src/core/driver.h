/*
 * All that the core asks of the outside: the clock, waiting, waking. One
 * driver lives on libuv, one in virtual time.
 */
#ifndef UVA__CORE_DRIVER_H
#define UVA__CORE_DRIVER_H

#include "uva/events.h"

/* Why a turn of the driver is not like any other. */
enum {
    UVA__ASIDE_SHARED = 1u << 0,  /* Others have the uv_loop_t as well, and may
                                     turn it anywhere. */
    UVA__ASIDE_TURNING = 1u << 1, /* A turn of such a loop is under way: who
                                     turns libuv is our own user code. */
    UVA__ASIDE_NESTED = 1u << 2,  /* It did, in this turn. */
    UVA__ASIDE_FORKED = 1u << 3   /* This is a child, the loop its parent's. */
};

/* The state that a loop keeps for a fork of the process. */
typedef struct uva__forks_s {
    /* In the child: what was ready when it began, for uva_loop_fork to give
     * back. */
    uva__ready_t *batch;
    uva__ready_t *head;
    uva__ready_t **tail;
} uva__forks_t;

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
    /** Whether calling run would mean to be inside it twice, or may mean that
     * for all that can be known. */
    bool (*inside)(const uva_loop_t *loop);
    /** Let go of everything; uva__loop_closed follows, at once or later: in
     * the host's next turn. */
    void (*close)(uva_loop_t *loop);
    /** Turn the host once, without waiting, after close: NULL where there is
     * no host. */
    void (*turn)(uva_loop_t *loop);
    /** The uv_loop_t below, or NULL. */
    uv_loop_t *(*uv)(const uva_loop_t *loop);
    /** Whether somebody else has closed the driver's handles: libuv is not to
     * be called any more. */
    bool (*lost)(const uva_loop_t *loop);
    /** Somebody else has closed the driver's handles: end the loop as far as
     * its tasks let it. NULL where nobody can close them. @retval UV_EBUSY
     * Tasks are left. */
    int (*on_lost)(uva_loop_t *loop);
    /** Whether it can close: no handle of others would be left on a loop of
     * our own. @retval UV_EBUSY It was told which. */
    int (*vacant)(uva_loop_t *loop);
    /** Give the child of a fork what it must not share with its parent; NULL
     * if it shares nothing. */
    int (*fork)(uva_loop_t *loop);
    /** The host says whether it is inside uv_run. */
    void (*say_inside)(uva_loop_t *loop, uva_inside_t inside);
} uva__driver_t;

/** Make a driver for a loop: fill loop->driver.ops and loop->driver.data. host:
 * the application's uv_loop_t, or NULL. */
typedef int (*uva__driver_open_cb)(uva_loop_t *loop, uv_loop_t *host);

#endif /* UVA__CORE_DRIVER_H */
