/*
 * Queries that need the memory of the future or task alone; the futures that
 * stand for refusals; the plain form of a task as a typed one.
 *
 * Invariant: a refused future is static, done and never written to. So any
 * thread may have it, and references to it count nothing.
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

/* --- refusals --- */

#define FUTURE_REFUSED(number)                                          \
    {                                                                   \
        .refs = 1, .code = (number), .state = UVA__FUTURE_FINISHED,     \
        .kind = UVA__KIND_REFUSED, .flags = UVA__RETRIEVED | UVA__QUIET \
    }

/* One for each code that uva refuses with. They are not const, because they are
 * handed out as any other future. */
static uva_future_t refused[] = {
    FUTURE_REFUSED(UVA_ENOLOOP), FUTURE_REFUSED(UV_EPERM),
    FUTURE_REFUSED(UV_EAGAIN),   FUTURE_REFUSED(UV_EINVAL),
    FUTURE_REFUSED(UV_ENOTSUP),  FUTURE_REFUSED(UVA_EWRONGLOOP),
    FUTURE_REFUSED(UVA_ENOTASK), FUTURE_REFUSED(UVA_EINVALIDSTATE),
    FUTURE_REFUSED(UVA_EFORKED),
};

/* A function that returns a future reports a refusal by one of these, so that
 * it needs no memory to fail. */
uva_future_t *uva_future_refused(int code)
{
    for (size_t i = 0; i < UVA__COUNT(refused); i++) {
        if (refused[i].code == code) {
            return &refused[i];
        }
    }
    return NULL;
}

/* --- the plain form as a typed one --- */

static int plain_enter(void *args, void *ret)
{
    const uva__plain_frame_t *plain = args;

    return plain->body(plain->arg, ret);
}

/* A plain task's result is a member of the frame that is copied here, and is
 * NULL in it; so ret needs nothing. */
static void plain_fill(void *args, void *ret, const void *from)
{
    (void)ret;
    *(uva__plain_frame_t *)args = *(const uva__plain_frame_t *)from;
}

/* The body has ended, or never runs: destroy its argument. */
static void plain_drop(void *args)
{
    const uva__plain_frame_t *plain = args;

    if (plain->arg_destroy != NULL) {
        plain->arg_destroy(plain->arg);
    }
}

/* The name of a plain task is the first word of its frame, as .name is NULL. */
const uva__coro_t uva__plain_coro = {
    .enter = plain_enter,
    .fill = plain_fill,
    .drop = plain_drop,
    .frame_bytes = sizeof(uva__plain_frame_t),
    .ret_place = sizeof(uva__stackful_t) - sizeof(uva_task_t) +
                 offsetof(uva__plain_frame_t, result),
    .ret_bytes = sizeof(void *),
    .units = UVA__FRAME_UNITS(sizeof(uva__plain_frame_t), 0),
};
