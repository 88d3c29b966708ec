/*
 * The inbox: how calls of other threads come to the ready queue
 * (asyncio.base_events, call_soon_threadsafe).
 *
 * Invariant: a call that another thread has scheduled before a call of the
 * owner runs before it: there is one queue for all threads, as in asyncio.
 */
#include "core/ready.h"

#include "core/loop.h"
#include "core/owner.h"

/* The inbox is a ring whose last node the loop points to. A node that comes
 * while the loop closes may own objects of it, so the loop's thread drops it.
 */
int uva__loop_post(uva_loop_t *loop, uva__ready_t *ready)
{
    uva__ready_t *last;
    bool own;

    uv_mutex_lock(&loop->mutex);
    if (loop->closed) {
        uv_mutex_unlock(&loop->mutex);
        return UV_EPERM;
    }
    last = loop->inbox.last;
    ready->next = last == NULL ? ready : last->next;
    if (last != NULL) {
        last->next = ready;
    }
    loop->inbox.last = ready;
    if (loop->inbox.closed) {
        uv_mutex_unlock(&loop->mutex);
        return 0;
    }
    /* Under the mutex, so that the driver cannot be closed meanwhile. Only the
     * first node of a batch wakes the loop. */
    if (last == NULL) {
        loop->driver.ops->wake(loop);
    }
    own = uva__loop_is_owner(loop);
    uv_mutex_unlock(&loop->mutex);
    if (own && !loop->ready.draining) {
        /* attend makes an attached loop count as alive for the host, which may
         * ask before libuv has noticed the wake-up. */
        uva__loop_attend(loop);
    }
    return 1;
}

void uva__loop_take_inbox(uva_loop_t *loop)
{
    uva__ready_t *last;
    uva__ready_t *node;

    uv_mutex_lock(&loop->mutex);
    last = loop->inbox.last;
    loop->inbox.last = NULL;
    uv_mutex_unlock(&loop->mutex);
    if (last == NULL) {
        return;
    }
    /* The inbox is a ring whose last node is known: its first one follows. */
    node = last->next;
    last->next = NULL;
    while (node != NULL) {
        uva__ready_t *next = node->next;
        loop->calls.count++;
        uva__loop_push(loop, node);
        node = next;
    }
}

/* Without the mutex: a call that is put into the inbox at this moment has no
 * order to the owner's. One that was put there before, as the owner knows, is
 * seen. */
void uva__loop_inbox_first(uva_loop_t *loop)
{
    if (UVA__UNLIKELY(atomic_load_explicit(&loop->inbox.last,
                                           memory_order_relaxed) != NULL)) {
        uva__loop_take_inbox(loop);
    }
}

void uva__loop_attend(uva_loop_t *loop)
{
    loop->driver.ops->attend(loop);
    uva__loop_inbox_first(loop);
}
