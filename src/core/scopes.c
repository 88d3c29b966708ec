/*
 * The scopes that a task has entered: timeouts and groups.
 *
 * Scopes lie in users' frames, so a frame that was left without the exit has
 * taken its scope along. The list of them therefore lies with the task, and
 * what is done about a lost scope uses its address alone.
 */
#include "base/alloc.h"
#include "core/loop.h"

#define SCOPE_FIRST_CAPACITY 4u

uva__scope_t *uva__scope_find(uva_task_t *task, const void *scope)
{
    uva__extra_t *extra = task->extra;

    for (uint32_t i = extra == NULL ? 0 : extra->scope_count; i > 0; i--) {
        if (extra->scopes[i - 1].scope == scope) {
            return &extra->scopes[i - 1];
        }
    }
    return NULL;
}

int uva__scope_enter(uva_task_t *task, void *scope, uva__scope_kind_t kind)
{
    uva__extra_t *extra = uva__future_extra(&task->base);

    if (extra == NULL) {
        return UV_ENOMEM;
    }
    if (uva__scope_find(task, scope) != NULL) {
        return UV_EPERM;
    }
    if (extra->scope_count == extra->scope_capacity) {
        uint32_t capacity = extra->scope_capacity == 0
                                ? SCOPE_FIRST_CAPACITY
                                : extra->scope_capacity * 2;
        uva__scope_t *scopes =
            uva__realloc(extra->scopes, capacity * sizeof *scopes);
        if (scopes == NULL) {
            return UV_ENOMEM;
        }
        extra->scopes = scopes;
        extra->scope_capacity = capacity;
    }
    extra->scopes[extra->scope_count++] = (uva__scope_t){scope, kind, NULL};
    return 0;
}

static void scope_forget(uva__extra_t *extra, uva__scope_t *entry)
{
    uva_handle_cancel(entry->soon);
    uva_handle_unref(entry->soon);
    extra->scope_count--;
    for (; entry < &extra->scopes[extra->scope_count]; entry++) {
        entry[0] = entry[1];
    }
}

void uva__scope_leave(uva_task_t *task, const void *scope)
{
    uva__scope_t *entry = uva__scope_find(task, scope);

    if (entry != NULL) {
        scope_forget(task->extra, entry);
    }
}

static bool scope_is_lost(const uva_task_t *task, const void *scope,
                          const char *sp)
{
    const uva__stackful_t *stackful;
    const uva__stack_t *stack;

    if (sp == NULL) {
        return true;
    }
    stackful = UVA__CONTAINER_OF((uintptr_t)task, uva__stackful_t, task);
    stack = UVA__CONTAINER_OF(stackful->flow, uva__stack_t, context);
    return (const char *)scope >= stack->low && (const char *)scope < sp;
}

void uva__scope_check_slow(uva_task_t *task, const char *sp)
{
    uva__extra_t *extra = task->extra;

    for (uint32_t i = extra->scope_count; i > 0; i--) {
        uva__scope_t *entry = &extra->scopes[i - 1];
        if (!scope_is_lost(task, entry->scope, sp)) {
            continue;
        }
        if (entry->kind == UVA__SCOPE_TIMEOUT) {
            uva__timer_forget(task->base.loop, entry->scope);
            uva__report(task->base.loop, &task->base, UV_EPERM,
                        "A timeout was left without uva_timeout_exit");
        } else {
            uva__taskgroup_abandon(task, entry->scope);
            uva__report(task->base.loop, &task->base, UV_EPERM,
                        "A task group was left without uva_taskgroup_exit");
        }
        scope_forget(extra, entry);
    }
}
