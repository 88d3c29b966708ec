/*
 * Gathering futures as they are in memory.
 */
#ifndef UVA__CORE_GATHER_H
#define UVA__CORE_GATHER_H

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

typedef struct uva__gather_s uva__gather_t;

/* Where a cancellation comes back to when all children were asked. */
typedef struct uva__gather_asks_s {
    uva__gather_t *gather; /* Whose child leads here; NULL for none. */
    uva_future_t *start;   /* That child, or where the cancellation began. */
    uva_task_t *asker;     /* The task that awaits this one and asks it. */
    size_t next;           /* The child to be asked next. */
    int answer;
} uva__gather_asks_t;

struct uva__gather_s {
    uva__plain_future_t outer;
    uva__bond_t bond;
    size_t count;
    size_t finished;
    uva_result_t *results; /* Owned; made when outer completes as a future. */
    uint8_t flags;
    bool cancel_requested;
    bool as_future;          /* Somebody holds outer and looks at its result. */
    uva__gather_asks_t asks; /* Valid while it is asked to cancel. */
    uva_future_t *children[]; /* Counted; NULL stands for UV_ENOMEM. */
};

static inline uva__gather_t *uva__gather_of(uva_future_t *outer)
{
    return UVA__CONTAINER_OF(outer, uva__gather_t, outer.base);
}

/** The node function of a task that is done, and that only a gathering future
 * waited for. */
void uva__gather_task_done(uva__ready_t *ready);
/** Queue that node: it tells the gathering future. */
static inline void uva__gather_tell(uva_task_t *task)
{
    task->ready.run = uva__gather_task_done;
    uva__loop_push(task->base.loop, &task->ready);
}

#endif /* UVA__CORE_GATHER_H */
