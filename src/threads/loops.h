/*
 * Loops in threads as they lie in memory, and what ends before their tasks are
 * cancelled.
 */
#ifndef UVA__THREADS_LOOPS_H
#define UVA__THREADS_LOOPS_H

#include <stdatomic.h>

#include "uva/loops.h"
#include "uva/promises.h"

#include "base/thread.h"

#define UVA__LOOPS_NAME_BYTES 16 /* What Linux keeps of a thread's name. */

/* One of the loops. */
typedef struct uva__loops_place_s {
    uva_loops_t *loops; /* Borrowed: this lies in it. */
    unsigned index;
    uv_thread_t thread;
    uva_loop_t *loop;     /* Counted; NULL if it could not be made. */
    uva_promise_t *end;   /* Counted: completed by the stop. */
    atomic_size_t placed; /* Jobs that have not ended. */
    uva_list_t kept;      /* Of uva__loops_kept_t.link: the loop's thread's. */
    bool lost;  /* Tasks of the loop go on, and so its memory stays. */
    int code;   /* Of the making. This and what follows: under the mutex. */
    bool ended; /* The thread has nothing left to do. */
    size_t left_count; /* Tasks that did not end in time. */
} uva__loops_place_t;

struct uva_loops_s {
    atomic_uint users; /* References that users have. */
    atomic_uint refs;  /* Of all users together, each thread, each job. */
    atomic_uint next;  /* For UVA_LOOP_NEXT. */
    uv_mutex_t mutex;
    uv_cond_t changed; /* begun_count or live_count. */
    unsigned begun_count;
    unsigned live_count;
    bool stopping;
    uint64_t grace_ns;           /* Set before the promises are completed. */
    uva_loops_options_t options; /* All are set, but for loop. */
    char name[UVA__LOOPS_NAME_BYTES];
    unsigned started_count; /* Threads; all of them after the start. */
    uva__loops_place_t places[];
};

/** The memory of the loops stays as long as somebody has it. In any thread. */
void uva__loops_hold(uva_loops_t *loops);
void uva__loops_drop(uva_loops_t *loops);

/* Something on one of the loops that ends by itself, as servers do. */
typedef struct uva__loops_kept_s {
    uva_list_t link;   /* Of those of its loop. */
    uva_coro_cb drain; /* The body of a task that ends it; arg is this. */
    void (*free)(
        struct uva__loops_kept_s *kept); /* Drained, or could not be. */
    uint64_t grace_ns;                   /* Set before drain. */
    uva_task_t *task;                    /* Counted: of drain. */
} uva__loops_kept_t;

/** Keep something until the loops stop, or uva__loops_let_go. In the thread of
 * the loop with that index. @retval UV_ECANCELED The loops are stopping. */
int uva__loops_keep(uva_loops_t *loops,
                    unsigned index,
                    uva__loops_kept_t *take_kept);
/** Take it back. In the same thread. */
void uva__loops_let_go(uva__loops_kept_t *kept);

#endif /* UVA__THREADS_LOOPS_H */
