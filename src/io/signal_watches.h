/*
 * The signals that a loop watches: what libuv tells of them goes to handlers
 * and to the tasks that wait.
 */
#ifndef UVA__IO_SIGNAL_WATCHES_H
#define UVA__IO_SIGNAL_WATCHES_H

#include <uv.h>

#include "uva/signals.h"

#include "core/object.h"
#include "core/services.h"

/* What a loop keeps for signals. */
typedef struct uva__signals_s {
    uva__service_t service;
    uva_loop_t *loop;   /* Borrowed. */
    uva_list_t watches; /* Of uva__signal_watch_t.link. */
    uva_list_t waits;   /* Of uva_signal_wait_op_t.link, oldest first. */
    uint64_t kept;      /* Signals that came for nobody, and wait for a wait. */
} uva__signals_t;

/* One signal that a loop watches. It is freed when libuv is done with the
 * handle and the node is in no queue. */
typedef struct uva__signal_watch_s {
    uv_signal_t handle;      /* data is NULL: hosts may look at it. */
    uva_list_t link;         /* Of uva__signals_t.watches, until it ends. */
    uva__signals_t *signals; /* Borrowed; valid until it ends. */
    uva__ready_t ready;      /* Calls the handler. */
    int number;
    unsigned wait_count;      /* Tasks that wait for it. */
    bool handled;             /* It has a handler: the three members below. */
    bool queued;              /* ready is in the ready queue. */
    bool closed;              /* libuv is done with the handle. */
    uva_callback_cb callback; /* May be NULL. */
    void *data;               /* Borrowed. */
    uva_context_t *context;   /* Counted; NULL is an empty one. */
} uva__signal_watch_t;

static inline uint64_t uva__signal_bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

/** The watch of a signal; NULL if the loop has none. */
uva__signal_watch_t *uva__signal_watch_find(uva__signals_t *signals,
                                            int number);
/** Begin to watch a signal, if the loop does not do it already. The caller
 * gives the watch a handler or a waiting task next. On failure nothing is
 * watched. */
int uva__signal_watch_get(uva__signals_t *signals,
                          int number,
                          uva__signal_watch_t **ret_watch);
/** End a watch, if it has neither a handler nor a task. */
void uva__signal_watch_release(uva__signal_watch_t *watch);
/** Take the handler away, and release the watch. */
void uva__signal_watch_unhandle(uva__signal_watch_t *watch);
/** In the child of a fork: go on with a watch, if it does not run. */
int uva__signal_watch_fork(uva__signal_watch_t *watch);

#endif /* UVA__IO_SIGNAL_WATCHES_H */
