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
    /** Whether it can close: no handle of others would be left on a loop of
     * our own. @retval UV_EBUSY It was told which. */
    int (*vacant)(uva_loop_t *loop);
    /** Give the child of a fork what it must not share with its parent; NULL
     * if it shares nothing. */
    int (*fork)(uva_loop_t *loop);
    /** The host says whether it is inside uv_run. */
    void (*say_inside)(uva_loop_t *loop, uva_inside_t inside);
} uva__driver_t;

/** Make a driver for a loop: fills loop->driver and loop->driver_data. */
int uva__driver_uv_new(uva_loop_t *loop, uv_loop_t *host);
int uva__driver_virtual_new(uva_loop_t *loop);

/** The version of the libuv that runs. */
const char *uva__driver_uv_version(void);

/** Close a handle that somebody else may have closed. callback comes when libuv
 * is through with it, which is at once if it has been already; then nothing
 * of libuv is called. */
void uva__handle_close(struct uv_handle_s *handle,
                       void (*callback)(struct uv_handle_s *handle));

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

/** Tell who waits for what, once, when nothing can wake them; once for a loop,
 * and only to who looks closely, if somebody from outside may come. */
void uva__loop_report_stuck(uva_loop_t *loop, bool outside);

/** The driver let go. */
void uva__loop_closed(uva_loop_t *loop);

#endif /* UVA__CORE_DRIVER_H */
