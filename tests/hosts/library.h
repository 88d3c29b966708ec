/*
 * A library with a uv_loop_t as its host, in an application that owns the loop
 * and has a guest on it: what the C hosts share, with main.
 */
#ifndef TEST_HOSTS_LIBRARY_H
#define TEST_HOSTS_LIBRARY_H

#include <uv.h>

#include "guest.h"

typedef struct library_s {
    /** Start it on the loop; place is the program's second argument. @return
     * 0, UV_ENOTSUP if it knows no libuv here, or another code. */
    int (*open)(uv_loop_t *loop, const char *place);
    /** Tasks that await its callbacks. */
    void (*work)(guest_t *guest);
    /** Begin to close it. */
    void (*close)(void);
    /** Every handle of it is closed, or is closing. */
    bool (*closed)(void);
} library_t;

/** Each host defines it. */
extern const library_t library;

/* --- awaiting a callback --- */

/** A future that the running task awaits and a callback completes: each holds
 * one of its two references. NULL without memory. */
uva_future_t *library_future(void);
/** In the callback: complete it, and give the callback's reference back. */
void library_done(uva_future_t *take_future, int code, intptr_t value);
/** In the task: wait, and give the task's reference back. @return The value,
 * or a negative code. */
int library_await(uva_future_t *take_future);

#endif /* TEST_HOSTS_LIBRARY_H */
