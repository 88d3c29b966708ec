/*
 * shield (asyncio.tasks).
 *
 *   record   among the callbacks of   when it runs
 *   inner    the inner future         outer ends as the inner future did
 *   outer    outer                    the inner record leaves: outer has ended,
 *                                     mostly because it was cancelled
 *
 * Invariant: outer has a reference of its holder, and one for each of its two
 * records until that record has run or was removed. It keeps the inner future
 * to its own end, because it borrows the inner future's result.
 */
#include "uva/tasks.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"

typedef struct shield_s {
    uva__plain_future_t outer;
    uva__cycle_t cycle;
    uva__record_t inner_record; /* Of inner's callbacks. */
    uva__record_t outer_record; /* Of outer's callbacks. */
    uva_future_t *inner;        /* Counted. */
} shield_t;

static void shield_free(uva_future_t *future)
{
    shield_t *shield = UVA__CONTAINER_OF(future, shield_t, outer.base);

    uva__list_remove(&shield->cycle.link);
    /* Before outer's own memory, which keeps the loop. */
    uva__future_unref(shield->inner);
    uva__plain_free(&shield->outer, sizeof *shield);
}

static const uva__kind_ops_t shield_kind = {
    .settable = true,
    .keeps_others = true,
    .describe = "a future",
    .free = shield_free,
};

/* --- the two records --- */

/* asyncio: tasks.py, shield, _inner_done_callback. */
static void shield_inner_done(uva__ready_t *ready)
{
    shield_t *shield = UVA__CONTAINER_OF(ready, shield_t, inner_record.ready);
    uva_future_t *inner = shield->inner;
    uva_future_t *outer = &shield->outer.base;
    void *value = NULL;
    int code = uva_future_result(inner, &value);

    if (!uva__future_pending(outer)) {
        /* outer was cancelled alone. The failure of inner counts as retrieved,
         * since its result was looked at above; so it does in asyncio. */
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

/* Wait for the inner future no more. The record's reference of outer goes: the
 * caller has one of its own. */
static void shield_leave_inner(shield_t *shield)
{
    if (uva__future_remove(shield->inner, &shield->inner_record)) {
        uva__future_unref(&shield->outer.base);
    }
}

/* asyncio: tasks.py, shield, _outer_done_callback. */
static void shield_outer_done(uva__ready_t *ready)
{
    shield_t *shield = UVA__CONTAINER_OF(ready, shield_t, outer_record.ready);

    shield_leave_inner(shield);
    uva__future_unref(&shield->outer.base);
}

/* For the call graph: the inner future makes outer go on. */
static uva_future_t *shield_waiter(uva__ready_t *ready)
{
    return &UVA__CONTAINER_OF(ready, shield_t, inner_record.ready)->outer.base;
}

static const uva__ready_ops_t inner_ops = {.run = shield_inner_done,
                                           .waiter = shield_waiter,
                                           .drop = shield_inner_done};
static const uva__ready_ops_t outer_ops = {.run = shield_outer_done,
                                           .drop = shield_outer_done};

/* The end of the loop opens cycles of futures that keep each other. */
static void shield_open(uva__cycle_t *cycle)
{
    shield_t *shield = UVA__CONTAINER_OF(cycle, shield_t, cycle);
    uva_future_t *outer = uva__future_ref(&shield->outer.base);

    shield_leave_inner(shield);
    if (uva__future_remove(outer, &shield->outer_record)) {
        uva__future_unref(outer);
    }
    uva__future_unref(outer);
}

/* --- making --- */

/* A done future needs no shield, and is returned itself. */
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
    outer = uva__future_new(loop, &shield_kind, sizeof *shield);
    if (outer == NULL) {
        return NULL;
    }
    shield = UVA__CONTAINER_OF(outer, shield_t, outer.base);
    shield->inner = uva__future_ref(future);
    shield->cycle.open = shield_open;
    uva__list_append(&loop->futures.cycles, &shield->cycle.link);
    shield->inner_record.ready.ops = &inner_ops;
    uva__future_append(future, &shield->inner_record);
    shield->outer_record.ready.ops = &outer_ops;
    uva__future_append(outer, &shield->outer_record);
    outer->refs += 2; /* The records'. */
    return outer;
}

/* The task awaits outer: cancelling the task cancels outer, and not the inner
 * future. */
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
