/*
 * Whose loop this is, references of it, and the ready queue's seam to other
 * threads.
 *
 * Invariant: what belongs to a loop is touched by the thread that owns it, or,
 * once the loop is closed, by one thread at a time under its mutex.
 */
#include "core/ready.h"

#include "uva/events.h"

#include "base/alloc.h"
#include "base/log.h"
#include "core/debug.h"
#include "core/loop.h"
#include "core/registry.h"
#include "core/waiters.h"

uva_loop_t uva__nowhere;
UVA__TLS uva_loop_t *uva__here = &uva__nowhere;

uva_loop_t *uva_get_running_loop(void)
{
    return uva__running();
}

static void loop_tell_wrong_thread(const char *function, bool hosted)
{
    uva__log(UVA_LOG_ERROR,
             "non-thread-safe operation invoked on an event loop from a "
             "thread that does not own it: %s in thread %llu%s",
             function, (unsigned long long)uva__thread_number(),
             hosted ? "; if this thread turns the host, uva_loop_adopt comes "
                      "first"
                    : "");
}

bool uva__loop_owned_slow(const uva_loop_t *loop, const char *function)
{
    if (uva__loop_is_owner(loop) || loop->closed) {
        return !loop->forked;
    }
    loop_tell_wrong_thread(function, loop->hosted);
    return false;
}

bool uva_loop_owned(const uva_loop_t *loop, const char *function)
{
    return loop == NULL || uva__loop_owned_for(loop, function);
}

/* Asked under the registry's mutex, so that the loop cannot go meanwhile. */
bool uva__loop_owned_or_gone(const uva_loop_t *loop, const char *function)
{
    bool mine = true;
    bool forked = false;
    bool hosted = false;

    if (loop == NULL || uva__here == loop) {
        return true;
    }
    uva__registry_lock();
    if (uva__registry_has(loop)) {
        mine = uva__loop_is_owner(loop) || loop->closed;
        forked = loop->forked;
        hosted = loop->hosted;
    }
    uva__registry_unlock();
    if (!mine) {
        loop_tell_wrong_thread(function, hosted);
    }
    return mine && !forked;
}

/* --- calls of other threads --- */

void uva__loop_take_inbox(uva_loop_t *loop)
{
    uva__ready_t *last;
    uva__ready_t *node;

    uv_mutex_lock(&loop->mutex);
    last = loop->inbox;
    loop->inbox = NULL;
    uv_mutex_unlock(&loop->mutex);
    if (last == NULL) {
        return;
    }
    node = last->next;
    last->next = NULL;
    while (node != NULL) {
        uva__ready_t *next = node->next;
        loop->call_count++;
        uva__loop_push(loop, node);
        node = next;
    }
}

/* One queue for all threads, as in asyncio: what another one has scheduled
 * before runs before. */
void uva__loop_inbox_first(uva_loop_t *loop)
{
    if (UVA__UNLIKELY(
            atomic_load_explicit(&loop->inbox, memory_order_relaxed) != NULL)) {
        uva__loop_take_inbox(loop);
    }
}

void uva__loop_attend(uva_loop_t *loop)
{
    loop->driver->attend(loop);
    uva__loop_inbox_first(loop);
}

/* --- references --- */

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

/* Give the mutex back and free a closed loop that nothing refers to. Whoever
 * waits for the mutex meanwhile has a reference, or an object of the loop. */
void uva__loop_unlock(uva_loop_t *loop)
{
    bool over = loop->closed && loop->refs == 0;
    bool left = loop->slab.live > 0;

    if (over && left && loop->debug) {
        uva__debug_tell_left(loop);
    }
    uv_mutex_unlock(&loop->mutex);
    if (over && !left) {
        uva__usage_free(&loop->usage);
        uva__wheel_destroy(&loop->timers);
        uva__loop_discard(loop);
    }
}

void uva__loop_maybe_free(uva_loop_t *loop)
{
    if (loop->refs == 0) {
        uv_mutex_lock(&loop->mutex);
        uva__loop_unlock(loop);
    }
}

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
