/*
 * The members that few futures and tasks need, in one more object of the slab.
 *
 * Invariant: a task that has an extra has UVA__HAS_EXTRA, so that the end of a
 * task without one needs to look at nothing else. A future of any other kind
 * begins with a uva__plain_future_t, which points to its extra.
 */
#include "core/extra.h"

#include <string.h>

#include "base/alloc.h"
#include "core/loop.h"
#include "core/object.h"

/* Callers pass any future: refused ones are static and have no place for a
 * pointer. */
uva__extra_t *uva__future_has_extra(const uva_future_t *future)
{
    if (future == NULL || future->kind == UVA__KIND_REFUSED) {
        return NULL;
    }
    if (future->kind == UVA__KIND_TASK) {
        return UVA__CONTAINER_OF((uintptr_t)future, uva_task_t, base)->extra;
    }
    return UVA__CONTAINER_OF((uintptr_t)future, uva__plain_future_t, base)
        ->extra;
}

uva__extra_t *uva__future_extra(uva_future_t *future)
{
    uva__extra_t *extra = uva__future_has_extra(future);

    if (extra != NULL || future == NULL || future->kind == UVA__KIND_REFUSED) {
        return extra;
    }
    extra = uva__slab_get(&future->loop->slab, sizeof *extra);
    if (extra == NULL) {
        return NULL;
    }
    memset(extra, 0, sizeof *extra);
    if (future->kind == UVA__KIND_TASK) {
        uva__future_as_task(future)->extra = extra;
        future->flags |= UVA__HAS_EXTRA;
    } else {
        UVA__CONTAINER_OF(future, uva__plain_future_t, base)->extra = extra;
    }
    return extra;
}

void uva__extra_free(uva_loop_t *loop, uva__extra_t *extra)
{
    if (extra == NULL) {
        return;
    }
    uva__free(extra->name);
    uva_error_unref(extra->request);
    uva_error_unref(extra->error);
    uva_context_unref(extra->context);
    if (extra->lent != NULL) {
        extra->lent->drop(loop, extra->lent);
    }
    /* Only in debug mode it is in a list. */
    uva__list_remove(&extra->made);
    uva__slab_put(&loop->slab, extra, sizeof *extra);
}
