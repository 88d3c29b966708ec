/*
 * gather (asyncio.tasks).
 *
 * Invariant: a gathering future is referenced by whoever holds it and by each
 * child that is not done; it owns a reference of every child to its end. So
 * nothing in it depends on the frame that called gather.
 */
#include <string.h>

#include "uva/tasks.h"

#include "base/alloc.h"
#include "base/errors.h"
#include "combine/gather.h"
#include "core/extra.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

typedef uva__gather_t gather_t;

/* Among the callbacks of a child that others wait for too, or that is no task:
 * uva__future_gatherer tells of the rest. */
typedef struct gather_node_s {
    uva__ready_t ready;
    uva_future_t *child; /* Borrowed of the gathering future. */
    gather_t *gather;    /* Counted. */
} gather_node_t;

static size_t gather_bytes(size_t count)
{
    return sizeof(gather_t) + count * sizeof(uva_future_t *);
}

static int child_code(const uva_future_t *child)
{
    return child == NULL ? UV_ENOMEM : child->code;
}

void uva__gather_free(uva_future_t *future)
{
    gather_t *gather = uva__gather_of(future);
    uva_loop_t *loop = future->loop;
    size_t count = gather->count;

    uva__list_remove(&gather->bond.link);
    for (size_t i = 0; i < count; i++) {
        uva__future_unref(gather->children[i]);
    }
    uva__free(gather->results);
    uva__extra_free(loop, gather->outer.extra);
    uva__slab_put(&loop->slab, gather, gather_bytes(count));
}

/* Copy what a failed child tells to the outer future. */
static void gather_fail(gather_t *gather, uva_future_t *child, int code)
{
    uva__extra_t *source = uva__future_has_extra(child);

    if (source != NULL && source->error != NULL && child->code == code) {
        uva__extra_t *extra = uva__future_extra(&gather->outer.base);
        if (extra != NULL) {
            extra->error = uva_error_ref(source->error);
        }
    }
    uva__future_finish(&gather->outer.base, UVA__FUTURE_FINISHED, code);
}

static void child_borrow(uva_future_t *child, uva_result_t *ret_result)
{
    if ((child->flags & UVA__MOVED) != 0) {
        ret_result->status = UVA_EINVALIDSTATE;
    } else {
        UVA_IGNORE(uva_future_result(child, &ret_result->value));
    }
}

static void gather_complete(gather_t *gather, uva_future_t *last)
{
    if (gather->cancel_requested) {
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
            uva_future_t *child = gather->children[i];
            gather->results[i].status = child_code(child);
            if (child_code(child) >= 0) {
                child_borrow(child, &gather->results[i]);
            }
        }
        gather->outer.result = gather->results;
    }
    uva__future_finish(&gather->outer.base, UVA__FUTURE_FINISHED, 0);
}

/* asyncio: tasks.py, gather, _done_callback. */
static inline void gather_count(gather_t *gather, uva_future_t *child)
{
    int code = UVA__LIKELY(child != NULL && child->code >= 0)
                   ? 0
                   : uva__future_code(child);

    gather->finished++;
    if (!uva__future_pending(&gather->outer.base)) {
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

void uva__gather_task_done(uva__ready_t *ready)
{
    uva_future_t *child = &uva__task_of_ready(ready)->base;
    uva_future_t *outer = uva__future_gatherer(child);

    child->callbacks = NULL;
    gather_count(uva__gather_of(outer), child);
    uva__future_unref(outer);
}

static void gather_node_done(uva__ready_t *ready)
{
    gather_node_t *node = UVA__CONTAINER_OF(ready, gather_node_t, ready);
    gather_t *gather = node->gather;
    uva_future_t *child = node->child;

    uva__slab_put(&child->loop->slab, node, sizeof *node);
    gather_count(gather, child);
    uva__future_unref(&gather->outer.base);
}

uva_future_t *uva__gather_of_node(uva__ready_t *ready)
{
    if (ready->run != gather_node_done) {
        return NULL;
    }
    return &UVA__CONTAINER_OF(ready, gather_node_t, ready)->gather->outer.base;
}

static gather_node_t *gather_node_new(gather_t *gather, uva_future_t *child)
{
    gather_node_t *node = uva__slab_get(&child->loop->slab, sizeof *node);

    if (node != NULL) {
        *node = (gather_node_t){{NULL, gather_node_done}, child, gather};
    }
    return node;
}

int uva__future_make_room(uva_future_t *future)
{
    uva_future_t *outer;
    gather_node_t *node;

    if (!uva__future_pending(future)) {
        return 0;
    }
    outer = uva__future_gatherer(future);
    if (UVA__LIKELY(outer == NULL)) {
        return 0;
    }
    node = gather_node_new(uva__gather_of(outer), future);
    if (node == NULL) {
        return UV_ENOMEM;
    }
    future->callbacks = NULL;
    return uva__future_append_node(future, &node->ready);
}

/* Wait for a pending child. */
static int gather_hang(gather_t *gather, uva_future_t *child)
{
    gather_node_t *node;
    int r;

    if (UVA__LIKELY(child->kind == UVA__KIND_TASK &&
                    child->callbacks == NULL)) {
        uva__future_set_gatherer(child, &gather->outer.base);
        return 0;
    }
    node = gather_node_new(gather, child);
    if (node == NULL) {
        return UV_ENOMEM;
    }
    r = uva__future_append_node(child, &node->ready);
    if (r < 0) {
        uva__slab_put(&child->loop->slab, node, sizeof *node);
    }
    return r;
}

/* Wait for a child no more. @return Whether it was waited for. */
static bool gather_unhang(const gather_t *gather, uva_future_t *child)
{
    uva_future_t *outer = uva__future_gatherer(child);
    uva__ready_t *ready = child->callbacks;

    if (outer != NULL || ready == NULL) {
        if (outer != &gather->outer.base) {
            return false;
        }
        child->callbacks = NULL;
        return true;
    }
    do {
        gather_node_t *node = UVA__CONTAINER_OF(ready, gather_node_t, ready);
        if (ready->run == gather_node_done && node->gather == gather) {
            (void)uva__future_remove_node(child, ready);
            uva__slab_put(&child->loop->slab, node, sizeof *node);
            return true;
        }
        ready = ready->next;
    } while (ready != child->callbacks);
    return false;
}

static void gather_release(uva__bond_t *bond)
{
    gather_t *gather = UVA__CONTAINER_OF(bond, gather_t, bond);
    uva_future_t *outer = uva__future_ref(&gather->outer.base);

    for (size_t i = 0; i < gather->count; i++) {
        if (uva__future_pending(gather->children[i]) &&
            gather_unhang(gather, gather->children[i])) {
            uva__future_unref(outer);
        }
    }
    uva__future_unref(outer);
}

static void futures_unref(const uva_future_ref_t *futures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (uva_loop_owned(uva_future_get_loop(futures[i]), "uva_gather")) {
            uva__future_unref(futures[i]);
        }
    }
}

/* Wait for the children that are pending, and count the others. */
static int gather_hang_all(gather_t *gather)
{
    uva_future_t *outer = &gather->outer.base;
    size_t done = 0;

    for (size_t i = 0; i < gather->count; i++) {
        uva_future_t *child = gather->children[i];
        if (!uva__future_pending(child)) {
            done++;
        } else if (gather_hang(gather, child) < 0) {
            gather_release(&gather->bond);
            return UV_ENOMEM;
        } else {
            outer->refs++;
        }
    }
    for (size_t i = 0; done > 0; i++) {
        if (!uva__future_pending(gather->children[i])) {
            gather_count(gather, gather->children[i]);
            done--;
        }
    }
    return 0;
}

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
    outer = uva__future_new(loop, UVA__KIND_GATHER, gather_bytes(count));
    if (outer == NULL) {
        futures_unref(take_futures, count);
        return NULL;
    }
    gather = uva__gather_of(outer);
    gather->count = count;
    gather->finished = 0;
    gather->results = NULL;
    gather->flags = (uint8_t)flags;
    gather->cancel_requested = false;
    gather->as_future = as_future;
    gather->bond.release = gather_release;
    uva__list_append(&loop->bonds, &gather->bond.link);
    if (count > 0) {
        memcpy(gather->children, take_futures, count * sizeof *take_futures);
    }
    if (gather_hang_all(gather) < 0) {
        uva__future_unref(outer);
        return NULL;
    }
    if (count == 0) {
        uva__future_finish(outer, UVA__FUTURE_FINISHED, 0);
    }
    return outer;
}

static uva_loop_t *gather_loop(const uva_future_ref_t *futures, size_t count)
{
    for (size_t i = 0; uva__running() == NULL && i < count; i++) {
        if (futures[i] != NULL && futures[i]->loop != NULL) {
            return futures[i]->loop;
        }
    }
    return uva__running();
}

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

/* asyncio: one child may fill several places. The first of them moves its
 * result out, the others have a copy of what that place got. */
static size_t gather_first_place(const gather_t *gather, size_t i)
{
    const uva_future_t *future = gather->children[i];
    size_t first = 0;

    if ((future->flags & UVA__MOVED) == 0) {
        return i;
    }
    while (gather->children[first] != future) {
        first++;
    }
    return first;
}

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

static int gather_move_one(gather_t *gather, size_t i, const gather_out_t *out)
{
    uva_future_t *future = gather->children[i];
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

/* @return 0, or UVA_EINVALIDSTATE where somebody was faster and nothing tells
 * it beside the results. */
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
        r = gather_move(uva__gather_of(outer), out);
    }
    op->outer = NULL;
    uva__future_unref(outer);
    return r;
}

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
