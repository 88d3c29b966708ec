/*
 * Futures: their states, and the nodes among their callbacks.
 */
#ifndef UVA__CORE_FUTURES_H
#define UVA__CORE_FUTURES_H

#include "core/extra.h"
#include "core/loop.h"
#include "core/ready.h"

static inline bool uva__future_pending(const uva_future_t *future)
{
    return future != NULL && future->state == UVA__FUTURE_PENDING;
}

/*
 * A task that is gathered and that nobody else waits for has no callback node,
 * but the address of the gathering future, marked as odd: when the task is done
 * its own ready node is free to tell that one. So a child costs the gathering
 * future 8 bytes. The second to wait for the task makes a node of the first.
 */

/** The gathering future that alone waits for this one; else NULL. */
static inline uva_future_t *uva__future_gatherer(const uva_future_t *future)
{
    uintptr_t mark = (uintptr_t)future->callbacks;

    return (mark & 1) == 0 ? NULL : (uva_future_t *)(mark - 1);
}

/** Let a gathering future alone wait for a pending task. */
static inline void uva__future_set_gatherer(uva_future_t *future,
                                            uva_future_t *gatherer)
{
    UVA__ASSERT2(future->kind == UVA__KIND_TASK && future->callbacks == NULL);
    future->callbacks = (uva__ready_t *)((uintptr_t)gatherer + 1);
    future->flags |= UVA__RECORDS;
}

/** Give the gathering future that alone waits for this one a node, if there is
 * one, so that others can follow; nothing if it is done, or NULL.
 * @retval UV_ENOMEM It still waits alone. */
int uva__future_make_room(uva_future_t *future);

/** Let a node be the first callback of a pending future. */
UVA__INLINE void uva__future_append_first(uva_future_t *future,
                                          uva__ready_t *ready)
{
    UVA__ASSERT2(future->callbacks == NULL);
    ready->next = ready;
    future->callbacks = ready;
}

/** Append a callback node to those of a pending future. @retval UV_ENOMEM */
static inline int uva__future_append_node(uva_future_t *future,
                                          uva__ready_t *ready)
{
    uva__ready_t *last = future->callbacks;

    if (last == NULL) {
        uva__future_append_first(future, ready);
        return 0;
    }
    if (UVA__UNLIKELY(uva__future_gatherer(future) != NULL)) {
        if (uva__future_make_room(future) < 0) {
            return UV_ENOMEM;
        }
        last = future->callbacks;
    }
    ready->next = last->next;
    last->next = ready;
    future->callbacks = ready;
    return 0;
}

/** The same; queue it if the future is done. */
static inline int uva__future_add_node(uva_future_t *future,
                                       uva__ready_t *ready)
{
    if (future->state != UVA__FUTURE_PENDING) {
        uva__loop_push(future->loop, ready);
        return 0;
    }
    return uva__future_append_node(future, ready);
}

/** Whether futures can be waited for in a loop. NULL and refused ones belong to
 * none. */
bool uva__futures_of_loop(const uva_loop_t *loop,
                          const uva_future_ref_t *futures,
                          size_t count);
/** Before a node is appended to each of them. @retval UVA_EWRONGLOOP
 * @retval UV_ENOMEM */
int uva__futures_admit(const uva_loop_t *loop,
                       const uva_future_ref_t *futures,
                       size_t count);

/** Take a node out of a pending future's callbacks. @return Whether it was
 * there. */
bool uva__future_remove_node(uva_future_t *future, uva__ready_t *ready);

/** Make a plain future's memory into a pending future of a loop. */
uva_future_t *
uva__future_new(uva_loop_t *loop, uva__future_kind_t kind, size_t size);
/** Queue the callbacks of a future that was just done. There are some, and the
 * driver knows that work comes. */
UVA__INLINE void uva__future_wake_nodes(uva_loop_t *loop, uva_future_t *future)
{
    uva__ready_t *last = future->callbacks;

    future->callbacks = NULL;
    *loop->tail = last->next;
    last->next = NULL;
    loop->tail = &last->next;
}

/** End a future and queue its callbacks. */
void uva__future_finish(uva_future_t *future,
                        uva__future_state_t state,
                        int code);
/** Where a done future keeps its result: a task's return value, or the void
 * pointer of a plain future. */
void *uva__future_value(uva_future_t *future);
/** Move the result of a done future out, size bytes: those of a typed task, or
 * a void pointer, which a typed task fills as far as its own result goes.
 * @return 0, its code, or UVA_EINVALIDSTATE. */
int uva__future_take(uva_future_t *future, void *ret, size_t size);
/** The code of a done future; marks it as seen. NULL failed with ENOMEM. */
int uva__future_code(uva_future_t *future);
void uva__future_free(uva_future_t *future);
/** Free a plain future, or what begins with one and has size bytes. */
void uva__plain_free(uva__plain_future_t *future, size_t size);
static inline uva_future_t *uva__future_ref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED) {
        future->refs++;
    }
    return future;
}

static inline void uva__future_unref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED &&
        --future->refs == 0) {
        uva__future_free(future);
    }
}

/* Gathering futures. */

void uva__gather_free(uva_future_t *future);
/** The gathering future whose child has this callback node; else NULL. */
uva_future_t *uva__gather_of_node(uva__ready_t *ready);
void uva__shield_free(uva_future_t *future);
/** The shield whose inner future has this callback node; else NULL. */
uva_future_t *uva__shield_of_node(uva__ready_t *ready);
/** The task whose uva_wait has hung this node in; else NULL. */
uva_future_t *uva__wait_of_node(uva__ready_t *ready);
/** The parent of the group whose child has this callback node; else NULL. */
uva_task_t *uva__taskgroup_of_node(uva__ready_t *ready);
/** Before a node is appended to a task that was just made, and that its own
 * body may have let be gathered. @return The task; NULL without memory, and it
 * is cancelled and dropped then. */
uva_task_t *uva__task_admit(uva_task_t *take_task);

/** Drop a record that ran, was removed, or never will run. */
void uva__callback_release(uva__callback_t *callback);
/** Run a done callback whose future is done. */
void uva__callback_run(uva__ready_t *ready);
/** Drop a node that was taken out of the ready queue of a loop that closes, or
 * that would join it. The library's own run, so that their memory is released;
 * users' calls do not. Both may queue more. */
void uva__ready_drop(uva__ready_t *ready);

#endif /* UVA__CORE_FUTURES_H */
