/*
 * References to a loop, and the end of its memory. asyncio leaves this to
 * Python's garbage collector.
 *
 * Invariant: a loop is freed when it is closed, nothing refers to it, and no
 * object of it is left. The thread that drops the last of these frees it, under
 * the loop's mutex.
 */
#include "core/life.h"

#include "uva/events.h"

#include "base/alloc.h"
#include "core/loop.h"
#include "core/registry.h"

uva_loop_t *uva_loop_ref(uva_loop_t *loop)
{
    if (loop != NULL) {
        atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    }
    return loop;
}

void uva__loop_discard(uva_loop_t *loop)
{
    uva__registry_remove(loop);
    uv_mutex_destroy(&loop->mutex);
    uva__slab_destroy(&loop->slab);
    uva__stack_pool_destroy(&loop->stacks);
    uva__free(loop);
}

/* Whether the loop is to be freed is decided under the mutex. A thread that
 * waits for the mutex at this moment has a reference, or an object of the loop,
 * so then it is not. */
void uva__loop_unlock(uva_loop_t *loop)
{
    bool over = loop->closed && loop->refs == 0;
    bool left = loop->slab.live > 0;

    if (over && left && loop->debug.tell_left != NULL) {
        loop->debug.tell_left(loop);
    }
    uv_mutex_unlock(&loop->mutex);
    if (over && !left) {
        uva__usage_free(&loop->debug.usage);
        uva__wheel_destroy(&loop->timers.wheel);
        uva__loop_discard(loop);
    }
}

/* The objects of the loop that are left are counted by its slab. */
void uva__loop_maybe_free(uva_loop_t *loop)
{
    if (loop->refs == 0) {
        uv_mutex_lock(&loop->mutex);
        uva__loop_unlock(loop);
    }
}

/* The reference keeps the loop, and its mutex, until uva__loop_leave. */
uva_loop_t *uva__loop_enter_closed(uva_loop_t *loop)
{
    uv_mutex_lock(&loop->mutex);
    return uva_loop_ref(loop);
}

void uva__loop_leave(uva_loop_t *entered)
{
    if (entered != NULL) {
        atomic_fetch_sub(&entered->refs, 1);
        uva__loop_unlock(entered);
    }
}
