/*
 * Ending a loop whose tasks are unfinished.
 */
#ifndef UVA__CORE_SHUTDOWN_H
#define UVA__CORE_SHUTDOWN_H

#include "uva/events.h"

/* The state of a uva_loop_shutdown. */
typedef struct uva__shutdown_s {
    void (*step)(uva_loop_t *loop);   /* Go on with it after a turn. */
    void (*closed)(uva_loop_t *loop); /* The loop has closed. */
    uva_loop_cb done;
    void *data;
    uva_task_t **tasks; /* Owned array of references: this pass. */
    size_t count;
    uva__ready_t ready; /* Brings the first turn. */
    uva__timer_t tell;  /* A second: who swallows. */
    uva__timer_t limit; /* The deadline. */
    bool timed_out;     /* It has come. */
    bool blocking;      /* uva_loop_shutdown runs the loop and closes it. */
} uva__shutdown_t;

/** End the tasks of a loop that is not running, here and now, and close it, or
 * let the host's turns close it. @retval UV_EBUSY Some swallow every
 * cancellation, and were reported. */
int uva__shutdown_now(uva_loop_t *loop);

#endif /* UVA__CORE_SHUTDOWN_H */
