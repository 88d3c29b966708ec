/*
 * The contents of a done future: its code, and its result (asyncio.futures,
 * result, exception).
 *
 * Invariant: a result is moved out once; from then on it is the taker's, and
 * the future answers UVA_EINVALIDSTATE.
 */
#include "core/results.h"

#include <string.h>

#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"

/* Every kind but tasks begins with a uva__plain_future_t. */
void *uva__future_value(uva_future_t *future)
{
    if (future->kind == UVA__KIND_TASK) {
        return uva__task_ret(uva__future_as_task(future));
    }
    return &UVA__CONTAINER_OF(future, uva__plain_future_t, base)->result;
}

/* From here on the failure counts as seen, and is not reported at the end. */
int uva__future_code(uva_future_t *future)
{
    if (future == NULL) {
        return UV_ENOMEM;
    }
    if (future->code < 0 && future->kind != UVA__KIND_REFUSED) {
        future->flags |= UVA__RETRIEVED;
    }
    return future->code;
}

/* The part of a move that few need: a caller that wants more bytes than the
 * result has gets zeros behind it. */
static UVA__NOINLINE void
value_copy(uva_future_t *future, void *ret, size_t size)
{
    size_t has = sizeof(void *);

    if (future->kind == UVA__KIND_TASK) {
        has = uva__future_as_task(future)->coro->ret_bytes;
    }
    if (UVA__UNLIKELY(size > has)) {
        memset(ret, 0, size);
        size = has;
    }
    memcpy(ret, uva__future_value(future), size);
}

/* Once the value is moved it is the caller's: the free functions of futures
 * leave it alone, and a second caller finds an invalid state, and not memory
 * that belongs to the first. */
int uva__future_take(uva_future_t *future, void *ret, size_t size)
{
    int r = future->code;

    if (UVA__UNLIKELY(r < 0)) {
        return uva__future_code(future);
    }
    if (UVA__UNLIKELY((future->flags & UVA__MOVED) != 0)) {
        return UVA_EINVALIDSTATE;
    }
    if (ret == NULL || size == 0) {
        return r;
    }
    future->flags |= UVA__MOVED;
    /* An int is the most frequent result, and needs no call. */
    if (size == sizeof(int) && future->kind == UVA__KIND_TASK) {
        memcpy(ret, uva__task_ret(uva__future_as_task(future)), sizeof(int));
    } else {
        value_copy(future, ret, size);
    }
    return r;
}

/* A plain result is the pointer itself; a typed one lives in the task. */
static void *future_borrow(uva_future_t *future)
{
    if (future->kind == UVA__KIND_TASK &&
        uva__future_as_task(future)->coro != &uva__plain_coro) {
        return uva__future_value(future);
    }
    return *(void **)uva__future_value(future);
}

/* The code of a done future, for a public function that asks for it. In a task
 * the failure becomes the task's own, as if it had been awaited. */
static int future_ask(uva_future_t *future, const char *function)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (UVA__LIKELY(future != NULL && future->code >= 0)) {
        return future->code;
    }
    if (!uva_loop_owned(uva_future_get_loop(future), function)) {
        return uva__loop_refusal(future->loop);
    }
    r = uva__future_code(future);
    if (task != NULL) {
        uva__task_note_failure(task, future, r);
    }
    return r;
}

/* asyncio: futures.py, Future.result. The result stays the future's. */
int uva_future_result(uva_future_t *future, void **ret_result)
{
    int r;

    if (uva__future_pending(future)) {
        return uva__bare(UVA_EINVALIDSTATE);
    }
    r = future_ask(future, __func__);
    if (r < 0) {
        return r;
    }
    if ((future->flags & UVA__MOVED) != 0) {
        return uva__bare(UVA_EINVALIDSTATE);
    }
    if (ret_result != NULL) {
        *ret_result = future_borrow(future);
    }
    return r;
}

/* asyncio: futures.py, Future.exception. */
int uva_future_exception(uva_future_t *future)
{
    int r = uva__future_pending(future) ? uva__bare(UVA_EINVALIDSTATE)
                                        : future_ask(future, __func__);

    return r < 0 ? r : 0;
}
