/*
 * shield (asyncio.tasks).
 *
 * Invariant: outer is kept by whoever holds it and by each of its two nodes
 * until that has run or was removed; it keeps the inner future to its own end,
 * because its result is borrowed from there.
 */
#include "uva/tasks.h"

#include "core/futures.h"
#include "core/hosts.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

typedef struct shield_s {
    uva__plain_future_t outer;
    uva__bond_t bond;
    uva__ready_t inner_ready; /* Of inner's callbacks. */
    uva__ready_t outer_ready; /* Of outer's callbacks. */
    uva_future_t *inner;      /* Counted. */
} shield_t;

void uva__shield_free(uva_future_t *future)
{
    shield_t *shield = UVA__CONTAINER_OF(future, shield_t, outer.base);

    uva__list_remove(&shield->bond.link);
    /* Before outer's own memory, which keeps the loop. */
    uva__future_unref(shield->inner);
    uva__plain_free(&shield->outer, sizeof *shield);
}

static void shield_inner_done(uva__ready_t *ready)
{
    shield_t *shield = UVA__CONTAINER_OF(ready, shield_t, inner_ready);
    uva_future_t *inner = shield->inner;
    uva_future_t *outer = &shield->outer.base;
    void *value = NULL;
    int code = uva_future_result(inner, &value);

    if (!uva__future_pending(outer)) {
        /* Cancelled alone: nobody asks how the inner one ended. */
    } else if (uva_future_cancelled(inner)) {
        /* asyncio: without its message. */
        (void)uva_future_cancel(outer);
    } else if (code >= 0) {
        (void)uva_future_set_result(outer, value, NULL);
    } else if (uva_future_error(inner) != NULL) {
        (void)uva_future_set_error(outer, uva_future_error(inner));
    } else {
        (void)uva_future_set_exception(outer, code, NULL);
    }
    uva__future_unref(outer);
}

/* Take the inner node back, if it waits still. */
static void shield_let_go(shield_t *shield)
{
    if (uva__future_pending(shield->inner) &&
        uva__future_remove_node(shield->inner, &shield->inner_ready)) {
        uva__future_unref(&shield->outer.base);
    }
}

static void shield_outer_done(uva__ready_t *ready)
{
    shield_t *shield = UVA__CONTAINER_OF(ready, shield_t, outer_ready);

    shield_let_go(shield);
    uva__future_unref(&shield->outer.base);
}

static void shield_release(uva__bond_t *bond)
{
    shield_t *shield = UVA__CONTAINER_OF(bond, shield_t, bond);
    uva_future_t *outer = uva__future_ref(&shield->outer.base);

    shield_let_go(shield);
    if (uva__future_pending(outer) &&
        uva__future_remove_node(outer, &shield->outer_ready)) {
        uva__future_unref(outer);
    }
    uva__future_unref(outer);
}

uva_future_t *uva__shield_of_node(uva__ready_t *ready)
{
    if (ready->run != shield_inner_done) {
        return NULL;
    }
    return &UVA__CONTAINER_OF(ready, shield_t, inner_ready)->outer.base;
}

uva_future_t *uva_shield_future(uva_future_t *future)
{
    uva_loop_t *loop;
    uva_future_t *outer;
    shield_t *shield;

    if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        return future;
    }
    loop = future->loop;
    if (!uva__loop_owned(loop)) {
        return uva_future_refused(uva__loop_refusal(loop));
    }
    if (!uva__future_pending(future)) {
        return uva__future_ref(future);
    }
    if (loop->closing) {
        return uva_future_refused(UV_EPERM);
    }
    if (uva__future_make_room(future) < 0) {
        return NULL;
    }
    outer = uva__future_new(loop, UVA__KIND_SHIELD, sizeof *shield);
    if (outer == NULL) {
        return NULL;
    }
    shield = UVA__CONTAINER_OF(outer, shield_t, outer.base);
    shield->inner = uva__future_ref(future);
    shield->bond.release = shield_release;
    uva__list_append(&loop->bonds, &shield->bond.link);
    shield->inner_ready.run = shield_inner_done;
    (void)uva__future_append_node(future, &shield->inner_ready);
    shield->outer_ready.run = shield_outer_done;
    (void)uva__future_append_node(outer, &shield->outer_ready);
    outer->refs += 2; /* The nodes'. */
    return outer;
}

int uva_shield_poll(uva_shield_op_t *op,
                    uva_future_t *future,
                    void **ret_result)
{
    uva_task_t *task = uva__task_current();
    uva_future_t *outer;
    int r;

    if (task == NULL) {
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        if (future != NULL && future->kind != UVA__KIND_REFUSED &&
            future->loop != task->base.loop) {
            return uva__bare(UVA_EWRONGLOOP);
        }
        op->outer = uva_shield_future(future);
    }
    outer = op->outer;
    r = uva_await_poll(outer, ret_result);
    if (r != UVA_PENDING) {
        op->outer = NULL;
        uva__future_unref(outer);
    }
    return r;
}

int uva_shield(uva_future_t *future, void **ret_result)
{
    uva_shield_op_t op = {NULL};
    int r;

    UVA_DRIVE(r, uva_shield, &op, future, ret_result);
    return r;
}
