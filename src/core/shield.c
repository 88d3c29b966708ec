/*
 * shield (asyncio.tasks).
 *
 * Invariant: a shield lives until both of its nodes have run or were removed;
 * while the inner future is pending it keeps both futures.
 */
#include "uva/tasks.h"

#include "core/loop.h"

typedef struct shield_s {
    uva__ready_t inner_ready; /* Of inner's callbacks. */
    uva__ready_t outer_ready; /* Of outer's callbacks. */
    uva__bond_t bond;
    uva_future_t *inner; /* Counted. */
    uva_future_t *outer; /* Counted until inner is done or outer is. */
    unsigned refs;
} shield_t;

static void shield_unref(shield_t *shield)
{
    uva_loop_t *loop = shield->inner->loop;

    if (--shield->refs == 0) {
        uva__list_remove(&shield->bond.link);
        uva__future_unref(shield->inner);
        uva__future_unref(shield->outer);
        uva__slab_put(&loop->slab, shield, sizeof *shield);
    }
}

static void shield_inner_done(uva__ready_t *ready)
{
    shield_t *shield = UVA__CONTAINER_OF(ready, shield_t, inner_ready);
    uva_future_t *inner = shield->inner;
    uva_future_t *outer = shield->outer;
    void *value = NULL;
    int code = uva__future_code(inner);

    if (!uva__future_pending(outer)) {
        /* Cancelled alone: nobody asks how the inner one ended. */
    } else if (uva_future_cancelled(inner)) {
        (void)uva_future_cancel_message(outer,
                                        uva_future_get_cancel_message(inner));
    } else if (code >= 0) {
        (void)uva_future_result(inner, &value);
        (void)uva_future_set_result(outer, value, NULL);
    } else if (uva_future_error(inner) != NULL) {
        (void)uva_future_set_error(outer, uva_future_error(inner));
    } else {
        (void)uva_future_set_exception(outer, code, NULL);
    }
    shield_unref(shield);
}

static void shield_outer_done(uva__ready_t *ready)
{
    shield_t *shield = UVA__CONTAINER_OF(ready, shield_t, outer_ready);

    if (uva__future_pending(shield->inner) &&
        uva__future_remove_node(shield->inner, &shield->inner_ready)) {
        shield_unref(shield);
    }
    shield_unref(shield);
}

static void shield_release(uva__bond_t *bond)
{
    shield_t *shield = UVA__CONTAINER_OF(bond, shield_t, bond);

    shield->refs++;
    if (uva__future_pending(shield->inner) &&
        uva__future_remove_node(shield->inner, &shield->inner_ready)) {
        shield_unref(shield);
    }
    if (uva__future_pending(shield->outer) &&
        uva__future_remove_node(shield->outer, &shield->outer_ready)) {
        shield_unref(shield);
    }
    shield_unref(shield);
}

uva_future_t *uva__shield_of_node(uva__ready_t *ready)
{
    if (ready->run != shield_inner_done) {
        return NULL;
    }
    return UVA__CONTAINER_OF(ready, shield_t, inner_ready)->outer;
}

uva_future_t *uva_shield_future(uva_future_t *future)
{
    uva_loop_t *loop;
    uva_future_t *outer;
    shield_t *shield;

    if (!uva__future_pending(future)) {
        return uva__future_ref(future);
    }
    loop = future->loop;
    outer = uva_loop_create_future(loop);
    if (outer == NULL || outer->kind == UVA__KIND_REFUSED) {
        return outer;
    }
    shield = uva__slab_get(&loop->slab, sizeof *shield);
    if (shield == NULL) {
        uva__future_unref(outer);
        return NULL;
    }
    *shield = (shield_t){
        .inner_ready = {NULL, shield_inner_done},
        .outer_ready = {NULL, shield_outer_done},
        .bond.release = shield_release,
        .inner = uva__future_ref(future),
        .outer = uva__future_ref(outer),
        .refs = 2,
    };
    uva__list_append(&loop->bonds, &shield->bond.link);
    uva__future_add_node(future, &shield->inner_ready);
    uva__future_add_node(outer, &shield->outer_ready);
    return outer;
}

int uva_shield_poll(uva_shield_op_t *op, uva_future_t *future,
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
            return UVA_EWRONGLOOP;
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

    UVA_DRIVE(r, uva_shield_poll(&op, future, ret_result));
    return r;
}
