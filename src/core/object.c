/*
 * What a future or task tells from its own memory alone, and the plain form of
 * a task as a typed one.
 */
#include "core/object.h"

uva_loop_t *uva_future_get_loop(const uva_future_t *future)
{
    return future == NULL ? NULL : future->loop;
}

bool uva_future_done(const uva_future_t *future)
{
    return !uva__future_pending(future);
}

bool uva_future_cancelled(const uva_future_t *future)
{
    return future != NULL && future->state == UVA__FUTURE_CANCELLED;
}

uva_task_t *uva_future_task(uva_future_t *future)
{
    return future != NULL && future->kind == UVA__KIND_TASK
               ? uva__future_as_task(future)
               : NULL;
}

/* --- the plain form as a typed one --- */

static int plain_enter(void *args, void *ret)
{
    const uva__plain_frame_t *plain = args;

    return plain->body(plain->arg, ret);
}

static void plain_fill(void *args, void *ret, const void *from)
{
    (void)ret; /* A member of the arguments, that is NULL in from. */
    *(uva__plain_frame_t *)args = *(const uva__plain_frame_t *)from;
}

static void plain_drop(void *args)
{
    const uva__plain_frame_t *plain = args;

    if (plain->arg_destroy != NULL) {
        plain->arg_destroy(plain->arg);
    }
}

const uva__coro_t uva__plain_coro = {
    .enter = plain_enter,
    .fill = plain_fill,
    .drop = plain_drop,
    .frame_bytes = sizeof(uva__plain_frame_t),
    .ret_place = offsetof(uva__plain_frame_t, result),
    .ret_bytes = sizeof(void *),
    .units = UVA__FRAME_UNITS(sizeof(uva__plain_frame_t), 0),
};
