/*
 * The names of tasks: the name that a user gives or that is made up, and the
 * function that a task runs (asyncio.tasks, get_name, set_name, get_coro).
 *
 * Invariant: a name, once it was asked for, stays the same until it is set.
 */
#include "core/names.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/format.h"
#include "core/extra.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"

const char *uva__coro_function(const uva__coro_t *coro, const void *args)
{
    const char *name = coro->name;

    if (name == NULL) {
        name = *(const char *const *)args;
    }
    return name == NULL ? "?" : name;
}

const char *uva__task_function(const uva_task_t *task)
{
    return uva__coro_function(
        task->coro,
        uva__task_frame(UVA__CONTAINER_OF((uintptr_t)task, uva_task_t, base)));
}

/* asyncio: tasks.py, Task.get_coro, whose __qualname__ reports use. */
const char *uva_task_get_coro(const uva_task_t *task)
{
    return task == NULL || task->base.kind == UVA__KIND_REFUSED
               ? "?"
               : uva__task_function(task);
}

/* asyncio: tasks.py, _task_name_counter. Numbers are given when a name is first
 * asked for, because most tasks are never named. Without memory the name is "".
 */
const char *uva_task_get_name(uva_task_t *task)
{
    /* Of the process, as in asyncio: names of tasks in two loops differ. */
    static atomic_ullong count;
    uva__extra_t *extra;

    if (task == NULL || task->base.kind == UVA__KIND_REFUSED) {
        return "";
    }
    extra = uva__future_has_extra(&task->base);
    if (extra != NULL && extra->name != NULL) {
        return extra->name;
    }
    /* Another thread may read a name, but not have one made up. */
    extra = uva__loop_owned(task->base.loop) ? uva__future_extra(&task->base)
                                             : NULL;
    if (extra == NULL) {
        return "";
    }
    extra->name = uva__format_new("Task-%llu", atomic_fetch_add(&count, 1) + 1);
    return extra->name == NULL ? "" : extra->name;
}

/* asyncio: tasks.py, Task.set_name. The name is copied before the old one goes:
 * it may be the same string. */
int uva_task_set_name(uva_task_t *task, const char *name)
{
    uva__extra_t *extra;
    char *copy;

    if (!uva_loop_owned(uva_future_get_loop(UVA_FUTURE(task)), __func__)) {
        return uva__loop_refusal(uva_future_get_loop(UVA_FUTURE(task)));
    }
    if (name == NULL) {
        return uva__bare(UV_EINVAL);
    }
    extra = task == NULL ? NULL : uva__future_extra(&task->base);
    copy = extra == NULL ? NULL : uva__strdup(name);
    if (copy == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    uva__free(extra->name);
    extra->name = copy;
    return 0;
}
