/*
 * The state of the driver on libuv, and its deadlines.
 */
#ifndef UVA__CORE_DRIVER_UV_H
#define UVA__CORE_DRIVER_UV_H

#include <uv.h>

#include "uva/events.h"

typedef struct uva__uv_driver_s {
    uva_loop_t *loop;
    uv_loop_t *uv; /* Points to own, or is the host's, borrowed. */
    uv_loop_t own;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_async_t async;
    uv_timer_t timer;
    uv_poll_t poll;
    int timer_fd; /* -1 before the first deadline; -2 if it cannot be used. */
    bool fd_expired;
    bool referenced; /* async holds a reference of libuv's loop. */
    bool closing;
    bool fork_reported;
    bool other_copy;     /* The host belongs to another copy of libuv. */
    uva_inside_t inside; /* As the host says. */
    unsigned open;       /* Handles that are not closed. */
    uint64_t armed_ns;   /* The deadline that libuv will wake us for;
                            UVA_FOREVER if it will not. */
} uva__uv_driver_t;

/** The version of the libuv that is linked; static. */
const char *uva__driver_uv_version(void);

/** Have libuv wake the loop at a deadline of its clock; UVA_FOREVER is none. A
 * deadline that is armed and nearer stays: its wake-up finds nothing due, and
 * arms the next one. @return Whether the deadline has come already; then
 * nothing is armed. */
bool uva__uv_deadline_arm(uva__uv_driver_t *driver, uint64_t when_ns);
/** Called when code of others has run: if it has closed the handle of the
 * timerfd, libuv's timer serves from then on. */
void uva__uv_deadline_lost(uva__uv_driver_t *driver);
/** Give the child of a fork a timerfd of its own. @return 0 or libuv's code. */
int uva__uv_deadline_fork(uva__uv_driver_t *driver);
/** Release the timerfd, when all handles are closed. */
void uva__uv_deadline_close(uva__uv_driver_t *driver);

#endif /* UVA__CORE_DRIVER_UV_H */
