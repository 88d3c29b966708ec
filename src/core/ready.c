/*
 * The inbox: how calls of other threads come to the ready queue
 * (asyncio.base_events, call_soon_threadsafe).
 *
 * Invariant: a call that another thread has scheduled before a call of the
 * owner runs before it: there is one queue for all threads, as in asyncio.
 */
#include "core/ready.h"

#include "core/loop.h"

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
