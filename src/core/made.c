/*
 * Where futures and tasks were made, in debug mode: the source line of each,
 * and which are left of them when their loop has closed (as asyncio's
 * _source_traceback).
 *
 * Invariant: loop->debug.made has the extra of every noted future until it is
 * freed.
 */
#include "core/made.h"

#include "base/log.h"
#include "core/extra.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"

/* So many objects are named one by one; the rest is only counted. */
#define LEFT_NAMED 20u

void uva__made_note(uva_future_t *future, const char *source)
{
    uva__extra_t *extra = uva__future_extra(future);

    if (extra != NULL) {
        extra->source = source;
        extra->owner = future;
        /* uva__extra_free takes it out of the list. */
        uva__list_append(&future->loop->debug.made, &extra->made);
    }
}

/* One line for an object; it may be freed by another thread only after the
 * mutex is given back. */
static void left_tell(const uva__extra_t *extra)
{
    uva_task_t *task = uva_future_task(extra->owner);

    uva__log(UVA_LOG_WARNING, "left behind by a closed loop: %s%s made at %s",
             task != NULL ? "a task of function " : "a future",
             task != NULL ? uva__task_function(task) : "",
             extra->source == NULL ? "?" : extra->source);
}

void uva__made_tell_left(uva_loop_t *loop)
{
    unsigned named = 0;

    loop->debug.tell_left = NULL; /* Once. */
    uva__log(UVA_LOG_WARNING,
             "a closed loop stays in memory: %zu objects are left behind",
             loop->slab.live);
    if (uva__list_empty(&loop->debug.made)) {
        return;
    }
    UVA__LIST_FOREACH (extra, &loop->debug.made, uva__extra_t, made) {
        if (named++ < LEFT_NAMED) {
            left_tell(extra);
        }
    }
}
