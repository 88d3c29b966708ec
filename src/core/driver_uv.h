/*
 * The state of the driver on libuv, and its deadlines.
 */
#ifndef UVA__CORE_DRIVER_UV_H
#define UVA__CORE_DRIVER_UV_H

#include <uv.h>

#include "uva/events.h"

typedef struct uva__uv_driver_s {
    uva_loop_t *loop;
    uv_loop_t *uv; /* own, or borrowed from the application. */
    uv_loop_t own;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_async_t async;
    uv_timer_t timer;
    uv_poll_t poll;
    int timer_fd; /* -1 until a near deadline; -2 if there is none here. */
    bool fd_expired;
    bool referenced; /* async is. */
    bool closing;
    bool fork_told;
    bool other_copy;     /* The host belongs to another copy of libuv. */
    uva_inside_t inside; /* What the host says. */
    unsigned open;       /* Handles that are not closed. */
    uint64_t armed_ns;   /* The deadline that libuv will wake us for;
                            UVA_FOREVER if it will not. */
} uva__uv_driver_t;

/** The version of the libuv that runs. */
const char *uva__driver_uv_version(void);

/** Let libuv wake us at a deadline; UVA_FOREVER: at none. @return Whether it is
 * due already. */
bool uva__uv_deadline_arm(uva__uv_driver_t *driver, uint64_t when_ns);
/** Somebody else may have closed the handle that waits for deadlines: do
 * without it then. */
void uva__uv_deadline_lost(uva__uv_driver_t *driver);
/** Give the child of a fork a timer of its own. */
int uva__uv_deadline_fork(uva__uv_driver_t *driver);
/** The handles are closed. */
void uva__uv_deadline_close(uva__uv_driver_t *driver);

#endif /* UVA__CORE_DRIVER_UV_H */
