/*
 * Ending a loop whose tasks are unfinished. The loop's thread only.
 */
#ifndef UVA__CORE_SHUTDOWN_H
#define UVA__CORE_SHUTDOWN_H

#include "uva/events.h"

/* The state of a shutdown. It lies in its loop, so that to begin one needs
 * memory for the deadline alone. */
typedef struct uva__shutdown_s {
    void (*step)(uva_loop_t *loop);   /* Go on with it after a turn. */
    void (*closed)(uva_loop_t *loop); /* The loop has closed. */
    uva_loop_cb done;
    void *data;
    uva_task_t **tasks; /* Owned array of references: the tasks of this pass.
                           NULL without memory. */
    size_t count;
    uva__ready_t ready;   /* Makes the first turn come. */
    uva__timer_t warning; /* After a second: log the tasks that go on. */
    uva__timer_t limit;   /* The deadline. */
    bool timed_out;       /* It has come. */
    bool blocking;        /* uva_loop_shutdown runs the loop and closes it. */
} uva__shutdown_t;

/** End the tasks of a loop that is not running before this returns, and close
 * the loop, or let the host's turns close it. Code of users runs in it. @return
 * 0: the loop is closing. @retval UV_EBUSY Some tasks swallow every
 * cancellation and were reported; the loop stays open. */
int uva__shutdown_now(uva_loop_t *loop);

#endif /* UVA__CORE_SHUTDOWN_H */
