/*
 * gather (asyncio.tasks).
 *
 *   a child is   its record stands           and keeps outer
 *   pending      among the child's callbacks yes
 *   done         in the ready queue          yes
 *   counted      nowhere                     no
 *
 * outer, the gathering future, ends when one child has failed and failures are
 * not returned, or when all children are counted. Children that are counted
 * later change nothing.
 *
 * Invariant: outer has a reference of its holder and one for the record of each
 * child that is not counted. It owns a reference of every child to its own end.
 * So nothing in it depends on the frame that called gather.
 */
#include <string.h>

#include "uva/tasks.h"

#include "base/alloc.h"
#include "core/extra.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/results.h"
#include "core/step.h"

typedef struct gather_child_s {
    uva__record_t record; /* Of the child's callbacks, while it is pending. */
    uva_future_t *future; /* Counted; NULL stands for UV_ENOMEM. */
} gather_child_t;

/* The gathering future with its children, one object. */
typedef struct gather_s {
    uva__parent_t outer;
    uva__cycle_t cycle;
    uva__ready_ops_t ops; /* Of the children's records, each gather's own: the
                             address of the table tells whose child runs. */
    size_t count;
    size_t finished;
    uva_result_t *results; /* Owned; made when outer completes as a future. */
    uint8_t flags;
    bool as_future; /* Somebody holds outer and looks at its result. */
    gather_child_t children[];
} gather_t;

/* Only for futures of the kind gather_kind. */
static gather_t *gather_of(uva_future_t *outer)
{
    return UVA__CONTAINER_OF(outer, gather_t, outer.plain.base);
}

/* A record has no room for a pointer to its gather. But it points to its table
 * of functions, and that lies in the gather. */
static gather_t *gather_of_child(const gather_child_t *child)
{
    return UVA__CONTAINER_OF((uintptr_t)child->record.ready.ops, gather_t, ops);
}

static uva_future_t *gather_outer(gather_t *gather)
{
    return &gather->outer.plain.base;
}

/* The children lie behind the gather, in one object. */
static size_t gather_bytes(size_t count)
{
    return sizeof(gather_t) + count * sizeof(gather_child_t);
}

/* The code of a done child. A child that could not be made is NULL, and has
 * failed for want of memory. */
static int child_code(const uva_future_t *child)
{
    return child == NULL ? UV_ENOMEM : child->code;
}

/* No record is left among the callbacks of a child, because each has a
 * reference of outer. */
static void gather_free(uva_future_t *future)
{
    gather_t *gather = gather_of(future);
    size_t count = gather->count;

    uva__list_remove(&gather->cycle.link);
    for (size_t i = 0; i < count; i++) {
        uva__future_unref(gather->children[i].future);
    }
    uva__free(gather->results);
    uva__plain_free(&gather->outer.plain, gather_bytes(count));
}

/* asyncio: tasks.py, _GatheringFuture.cancel: children are asked in order,
 * done ones too. */
static bool
gather_cancel_next(uva_future_t *future, size_t index, uva_future_t **ret_child)
{
    const gather_t *gather = gather_of(future);

    if (index >= gather->count) {
        return false;
    }
    *ret_child = gather->children[index].future;
    return true;
}

static const uva__kind_ops_t gather_kind = {
    .keeps_others = true,
    .describe = "a gathering future",
    .free = gather_free,
    .cancel_next = gather_cancel_next,
};

/* End outer with the code of a failed child, and with the child's record if it
 * tells of that code. Without memory for it the code alone is told. */
static void gather_fail(gather_t *gather, uva_future_t *child, int code)
{
    uva__extra_t *source = uva__future_has_extra(child);

    if (source != NULL && source->error != NULL && child->code == code) {
        uva__extra_t *extra = uva__future_extra(gather_outer(gather));
        if (extra != NULL) {
            extra->error = uva_error_ref(source->error);
        }
    }
    uva__future_finish(gather_outer(gather), UVA__FUTURE_FINISHED, code);
}

/* Let a result of outer point to the value of a child. The child owns the
 * value, and lives as long as outer. Where the value was moved out, the result
 * says so. */
static void child_borrow(uva_future_t *child, uva_result_t *ret_result)
{
    if ((child->flags & UVA__MOVED) != 0) {
        ret_result->status = UVA_EINVALIDSTATE;
    } else {
        UVA_IGNORE(uva_future_result(child, &ret_result->value));
    }
}

/* All children are done, and none has ended outer by a failure. asyncio: an
 * outer that was asked to cancel ends as cancelled even if its children
 * swallowed the cancellation. An awaited gather makes no array: the task takes
 * the results from the children when it goes on. */
static void gather_complete(gather_t *gather, uva_future_t *last)
{
    if (gather->outer.cancel_requested) {
        gather_fail(gather, last, UV_ECANCELED);
        return;
    }
    if (gather->as_future) {
        gather->results = uva__calloc(gather->count, sizeof *gather->results);
        if (gather->results == NULL) {
            gather_fail(gather, NULL, UV_ENOMEM);
            return;
        }
        for (size_t i = 0; i < gather->count; i++) {
            uva_future_t *child = gather->children[i].future;
            gather->results[i].status = child_code(child);
            if (child_code(child) >= 0) {
                child_borrow(child, &gather->results[i]);
            }
        }
        gather->outer.plain.result = gather->results;
    }
    uva__future_finish(gather_outer(gather), UVA__FUTURE_FINISHED, 0);
}

/* A child is done; outer may have ended before. asyncio: tasks.py, gather,
 * _done_callback. */
static inline void gather_count(gather_t *gather, uva_future_t *child)
{
    int code = UVA__LIKELY(child != NULL && child->code >= 0)
                   ? 0
                   : uva__future_code(child);

    gather->finished++;
    if (!uva__future_pending(gather_outer(gather))) {
        return;
    }
    if ((gather->flags & UVA_RETURN_EXCEPTIONS) == 0 && code < 0) {
        gather_fail(gather, child, code);
        return;
    }
    if (UVA__UNLIKELY(gather->finished == gather->count)) {
        gather_complete(gather, child);
    }
}

/* --- children --- */

/* A child that was pending is done. The reference of its record goes last,
 * since the gather lies around it. */
static void child_done(uva__ready_t *ready)
{
    gather_child_t *child =
        UVA__CONTAINER_OF(ready, gather_child_t, record.ready);
    gather_t *gather = gather_of_child(child);

    gather_count(gather, child->future);
    uva__future_unref(gather_outer(gather));
}

/* For the call graph: a child makes outer go on. */
static uva_future_t *child_waiter(uva__ready_t *ready)
{
    return gather_outer(gather_of_child(
        UVA__CONTAINER_OF(ready, gather_child_t, record.ready)));
}

/* The end of the loop opens cycles of futures that keep each other: outer waits
 * for no child any more. The extra reference keeps outer until all records are
 * out. */
static void gather_open(uva__cycle_t *cycle)
{
    gather_t *gather = UVA__CONTAINER_OF(cycle, gather_t, cycle);
    uva_future_t *outer = uva__future_ref(gather_outer(gather));

    for (size_t i = 0; i < gather->count; i++) {
        gather_child_t *child = &gather->children[i];
        if (uva__future_remove(child->future, &child->record)) {
            uva__future_unref(outer);
        }
    }
    uva__future_unref(outer);
}

/* Drop futures that were taken and cannot be gathered. The futures of another
 * thread's loop are not touched: the log has told of them. */
static void futures_unref(const uva_future_ref_t *futures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (uva_loop_owned(uva_future_get_loop(futures[i]), "uva_gather")) {
            uva__future_unref(futures[i]);
        }
    }
}

/* Take the children: append the records of pending ones, then count the others.
 * Counting comes second, since it may end outer. asyncio: tasks.py, gather,
 * done_futs. */
static void gather_attach(gather_t *gather,
                          const uva_future_ref_t *take_futures)
{
    uva_future_t *outer = gather_outer(gather);
    size_t done = 0;

    for (size_t i = 0; i < gather->count; i++) {
        gather_child_t *child = &gather->children[i];
        *child =
            (gather_child_t){{{NULL, &gather->ops}, NULL}, take_futures[i]};
        if (uva__future_pending(child->future)) {
            uva__future_append(child->future, &child->record);
            outer->refs++;
        } else {
            done++;
        }
    }
    for (size_t i = 0; done > 0; i++) {
        if (!uva__future_pending(gather->children[i].future)) {
            gather_count(gather, gather->children[i].future);
            done--;
        }
    }
}

/* Make outer. as_future: the caller gets outer as a future, whose result is an
 * array; else a task awaits it, and takes the results itself. Takes the futures
 * also where it refuses. NULL without memory. */
static uva_future_t *gather_new(uva_loop_t *loop,
                                const uva_future_ref_t *take_futures,
                                size_t count,
                                unsigned flags,
                                bool as_future)
{
    uva_future_t *outer;
    gather_t *gather;

    if (flags > UVA_RETURN_EXCEPTIONS ||
        !uva__futures_of_loop(loop, take_futures, count)) {
        futures_unref(take_futures, count);
        return uva_future_refused(
            flags > UVA_RETURN_EXCEPTIONS ? UV_EINVAL : UVA_EWRONGLOOP);
    }
    outer = uva__future_new(loop, &gather_kind, gather_bytes(count));
    if (outer == NULL) {
        futures_unref(take_futures, count);
        return NULL;
    }
    gather = gather_of(outer);
    gather->ops = (uva__ready_ops_t){
        .run = child_done, .waiter = child_waiter, .drop = child_done};
    gather->count = count;
    gather->finished = 0;
    gather->results = NULL;
    gather->flags = (uint8_t)flags;
    gather->as_future = as_future;
    gather->cycle.open = gather_open;
    uva__list_append(&loop->futures.cycles, &gather->cycle.link);
    gather_attach(gather, take_futures);
    if (count == 0) {
        uva__future_finish(outer, UVA__FUTURE_FINISHED, 0);
    }
    return outer;
}

/* The running loop, or outside of one that of the first future that has any. */
static uva_loop_t *gather_loop(const uva_future_ref_t *futures, size_t count)
{
    for (size_t i = 0; uva__running() == NULL && i < count; i++) {
        if (futures[i] != NULL && futures[i]->loop != NULL) {
            return futures[i]->loop;
        }
    }
    return uva__running();
}

/* asyncio: tasks.py, gather, whose result is this future. */
uva_future_t *uva_gather_future(const uva_future_ref_t *take_futures,
                                size_t count,
                                unsigned flags)
{
    uva_loop_t *loop = gather_loop(take_futures, count);

    int r = loop == NULL                                      ? UVA_ENOLOOP
            : !uva__loop_owned(loop) || loop->closing         ? UV_EPERM
            : (flags & ~(unsigned)UVA_RETURN_EXCEPTIONS) != 0 ? UV_EINVAL
                                                              : 0;

    if (r < 0) {
        futures_unref(take_futures, count);
        return uva_future_refused(r);
    }
    return gather_new(loop, take_futures, count, flags, true);
}

/* --- the awaiting forms --- */

/* Where the results of an await go. */
typedef struct gather_out_s {
    void *values; /* Array of void pointers or typed values. */
    size_t value_bytes;
    int *codes;            /* Array, or NULL. */
    uva_result_t *results; /* Array, or NULL. */
} gather_out_t;

/* asyncio: one child may fill several places. Its result is moved out into the
 * first of them; the others get a copy of what that place got. @return i if
 * nothing was moved out yet, else the first place of the same child. */
static size_t gather_first_place(const gather_t *gather, size_t i)
{
    const uva_future_t *future = gather->children[i].future;
    size_t first = 0;

    if ((future->flags & UVA__MOVED) == 0) {
        return i;
    }
    while (gather->children[first].future != future) {
        first++;
    }
    return first;
}

/* Fill place i of an array of results: status and value. @return The status. */
static int gather_move_result(uva_future_t *future,
                              size_t i,
                              size_t first,
                              uva_result_t *results)
{
    if (first != i) {
        results[i] = results[first];
    } else {
        results[i].value = NULL;
        results[i].status =
            uva__future_take(future, &results[i].value, sizeof(void *));
    }
    return results[i].status;
}

/* Fill place i of an array of values. The place is zeroed if the value was
 * moved out by somebody else. @return The child's code. */
static int gather_move_value(uva_future_t *future,
                             size_t i,
                             size_t first,
                             const gather_out_t *out)
{
    char *places = out->values;
    char *place = places + i * out->value_bytes;
    int code = future->code;

    if (first != i) {
        memcpy(place, places + first * out->value_bytes, out->value_bytes);
        return code;
    }
    code = uva__future_take(future, place, out->value_bytes);
    if (code < 0) {
        memset(place, 0, out->value_bytes);
    }
    return code;
}

/* Move what place i is to have; a failed child has nothing to move. */
static int gather_move_one(gather_t *gather, size_t i, const gather_out_t *out)
{
    uva_future_t *future = gather->children[i].future;
    int code = child_code(future);
    size_t first = code < 0 ? i : gather_first_place(gather, i);

    if (code >= 0 && out->results != NULL) {
        code = gather_move_result(future, i, first, out->results);
    } else if (code >= 0 && out->values != NULL && out->value_bytes > 0) {
        code = gather_move_value(future, i, first, out);
    } else if (out->results != NULL) {
        out->results[i] = (uva_result_t){code, NULL};
    }
    if (out->codes != NULL) {
        out->codes[i] = first == i ? code : out->codes[first];
    }
    return code;
}

/* Move the results of all children out. @return 0, or UVA_EINVALIDSTATE if a
 * result had been moved out before, and failures are not returned: then no
 * status beside the value tells it. */
static int gather_move(gather_t *gather, const gather_out_t *out)
{
    bool wanted = out->results != NULL || out->codes != NULL ||
                  (out->values != NULL && out->value_bytes > 0);
    int r = 0;

    for (size_t i = 0; wanted && i < gather->count; i++) {
        int code = gather_move_one(gather, i, out);
        if (code == UVA_EINVALIDSTATE &&
            (gather->flags & UVA_RETURN_EXCEPTIONS) == 0) {
            r = code;
        }
    }
    return r;
}

/* The poll of all awaiting forms: make the future, await it, take the
 * results out of the children, drop it. */
static int gather_poll(uva_gather_op_t *op,
                       const uva_future_ref_t *take_futures,
                       size_t count,
                       unsigned flags,
                       const gather_out_t *out)
{
    uva_task_t *task = uva__task_current();
    uva_future_t *outer;
    int r;

    if (task == NULL) {
        futures_unref(take_futures, count);
        return UVA_ENOTASK;
    }
    if (task->base.phase == UVA__PHASE_IDLE) {
        op->outer =
            gather_new(task->base.loop, take_futures, count, flags, false);
    }
    outer = op->outer;
    r = uva_await_poll(outer, NULL);
    if (r == UVA_PENDING) {
        return r;
    }
    if (r >= 0) {
        r = gather_move(gather_of(outer), out);
    }
    op->outer = NULL;
    uva__future_unref(outer);
    return r;
}

/* uva_gather fills an array of results or of void pointers, as flags say. */
static gather_out_t gather_plain_out(unsigned flags, void *ret_results)
{
    gather_out_t out = {0};

    if ((flags & UVA_RETURN_EXCEPTIONS) != 0) {
        out.results = ret_results;
    } else {
        out.values = ret_results;
        out.value_bytes = sizeof(void *);
    }
    return out;
}

int uva_gather_poll(uva_gather_op_t *op,
                    const uva_future_ref_t *take_futures,
                    size_t count,
                    unsigned flags,
                    void *ret_results)
{
    gather_out_t out = gather_plain_out(flags, ret_results);

    return gather_poll(op, take_futures, count, flags, &out);
}

/* The drive of both awaiting forms. Not UVA_DRIVE, which would not drop the
 * futures where the caller cannot block. */
static int gather_drive(const uva_future_ref_t *take_futures,
                        size_t count,
                        unsigned flags,
                        const gather_out_t *out)
{
    uva_gather_op_t op = {NULL};
    int r = uva__block_check();

    if (r < 0) {
        futures_unref(take_futures, count);
        return r;
    }
    while ((r = gather_poll(&op, take_futures, count, flags, out)) ==
           UVA_PENDING) {
        uva__block("uva_gather");
    }
    return r;
}

int uva_gather(const uva_future_ref_t *take_futures,
               size_t count,
               unsigned flags,
               void *ret_results)
{
    gather_out_t out = gather_plain_out(flags, ret_results);

    return gather_drive(take_futures, count, flags, &out);
}

/* The forms of typed tasks: values of their type, and codes if wanted. */
int uva__gather_typed(const uva_future_ref_t *take_tasks,
                      size_t count,
                      unsigned flags,
                      int *ret_codes,
                      void *ret,
                      size_t ret_bytes)
{
    gather_out_t out = {ret, ret_bytes, ret_codes, NULL};

    return gather_drive(take_tasks, count, flags, &out);
}

int uva__gather_typed_poll(uva_gather_op_t *op,
                           const uva_future_ref_t *take_tasks,
                           size_t count,
                           unsigned flags,
                           int *ret_codes,
                           void *ret,
                           size_t ret_bytes)
{
    gather_out_t out = {ret, ret_bytes, ret_codes, NULL};

    return gather_poll(op, take_tasks, count, flags, &out);
}
