/*
 * The ready queue's seam to other threads.
 *
 * Invariant: what another thread has scheduled before a call of the owner runs
 * before that call: there is one queue for all threads.
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
    node = last->next;
    last->next = NULL;
    while (node != NULL) {
        uva__ready_t *next = node->next;
        loop->calls.count++;
        uva__loop_push(loop, node);
        node = next;
    }
}

/* One queue for all threads, as in asyncio: what another one has scheduled
 * before runs before. */
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
