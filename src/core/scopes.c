/*
 * The scopes that a task has entered: timeouts and groups.
 *
 * A scope lies in the frame of a user's function, so a frame that is left
 * without the exit takes its scope along. For this reason an entry in the task
 * has all that timers and children touch while the task is away; only calls of
 * the user touch the scope itself.
 *
 * Invariant: the first word of an entered scope points to its entry. A scope on
 * a stack is lost if it lies below the stack pointer, or if its first word
 * points elsewhere. If no other frame has written there, the loss is found when
 * the task ends.
 */
#include "core/scopes.h"

#include "base/log.h"
#include "core/extra.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"
#include "core/reports.h"
#include "core/step.h"

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif

/* The entry of the scope at this address, innermost first; NULL if there is
 * none. It may have been left by a frame that is gone. */
static uva__scope_t *scope_find(const uva_task_t *task, const void *scope)
{
    uva__scope_t *entry = task->extra == NULL ? NULL : task->extra->scopes;

    /* A scope that begins mostly lies deeper on the stack than all that are
     * entered: then the bounds of the first entry end the search. */
    while (entry != NULL && entry->scope != scope) {
        bool beyond = scope < entry->low || scope > entry->high;
        entry = beyond ? NULL : entry->outer;
    }
    return entry;
}

/* Whether the memory of a scope still says that it is entered. It may belong
 * to another frame by now, of which any byte may be poisoned or unset. */
static UVA__NO_ASAN bool scope_is_marked(const uva__scope_t *entry)
{
#if defined(UVA_HAVE_VALGRIND)
    (void)VALGRIND_MAKE_MEM_DEFINED(entry->scope, sizeof entry);
#endif
    return *(uva__scope_t *const *)entry->scope == entry;
}

/* Suspensions need no check once the last scope is left, unless the guard of
 * stacks is a canary, which is checked then too. */
static void task_unwatch(uva_task_t *task)
{
    if (task->extra->scopes == NULL && !task->base.loop->stacks.checks) {
        task->base.flags &= (uint16_t)~UVA__CHECK_AT_SUSPEND;
    }
}

/* Take an entry out of the list of its task, where it is mostly the first. */
static void scope_unlink(uva__scope_t *entry)
{
    uva__scope_t **place = &entry->task->extra->scopes;

    while (*place != entry) {
        place = &(*place)->outer;
    }
    *place = entry->outer;
    task_unwatch(entry->task);
}

/* Whether the scope lies where the task's own code runs: in the frame of a
 * stackless task, or on the stack of a stackful one, above the lowest byte and
 * below the uva__stack_t, which stands at its top. Of other scopes the task's
 * stack pointer says nothing. */
static bool scope_is_in_frame(const uva__scope_t *entry)
{
    uva_task_t *task = entry->task;
    const uva__stack_t *stack;
    const char *scope = entry->scope;
    const char *frame;

    if (uva__task_stackless(task)) {
        frame = uva__task_frame(task);
        return scope >= frame && scope < frame + task->coro->frame_bytes;
    }
    stack = UVA__CONTAINER_OF(uva__task_flow(task), uva__stack_t, context);
    return scope >= stack->low && scope < (const char *)stack;
}

static void scope_free(uva__scope_t *entry)
{
    uva__slab_put(&entry->task->base.loop->slab, entry, entry->bytes);
}

/* Keep the entry of a scope that lies in the frame of a coroutine and whose
 * task has ended. Another task may go on with the coroutine, and leave the
 * scope: its exit then finds the entry without a task. The end of the loop
 * frees it. */
static void scope_keep(uva__scope_t *entry)
{
    uva_loop_t *loop = entry->task->base.loop;

    entry->task = NULL;
    entry->outer = loop->scopes.lost;
    loop->scopes.lost = entry;
}

/* Report a scope that was left without its exit. The report comes last: the
 * handler is code of users, and may enter and leave scopes. */
static void scope_lost(uva__scope_t *entry, bool ended)
{
    uva_task_t *task = entry->task;
    const char *lost = entry->ops->lost;

    scope_unlink(entry);
    entry->ops->abandon(entry);
    if (ended && !scope_is_in_frame(entry)) {
        scope_keep(entry);
    } else {
        scope_free(entry);
    }
    uva__report(task->base.loop, &task->base, UV_EPERM, lost);
}

bool uva__scope_entered(const uva_task_t *task, const void *scope)
{
    uva__scope_t *entry = scope_find(task, scope);

    if (entry != NULL && !scope_is_marked(entry)) {
        /* Another frame has a scope at its address. */
        scope_lost(entry, false);
        entry = NULL;
    }
    return entry != NULL;
}

/* Widen the bounds of a new entry to those of the outer ones. */
static void scope_set_bounds(uva__scope_t *entry)
{
    const uva__scope_t *outer = entry->outer;

    if (outer != NULL && outer->low < entry->low) {
        entry->low = outer->low;
    }
    if (outer != NULL && outer->high > entry->high) {
        entry->high = outer->high;
    }
}

uva__scope_t *uva__scope_enter(uva_task_t *task,
                               const void *scope,
                               const uva__scope_ops_t *ops,
                               size_t size)
{
    uva__extra_t *extra = uva__future_extra(&task->base);
    uva__scope_t *entry =
        extra == NULL ? NULL : uva__slab_get(&task->base.loop->slab, size);

    if (entry != NULL) {
        *entry = (uva__scope_t){.outer = extra->scopes,
                                .task = task,
                                .scope = scope,
                                .low = scope,
                                .high = scope,
                                .ops = ops,
                                .bytes = (uint32_t)size};
        scope_set_bounds(entry);
        extra->scopes = entry;
        task->base.flags |= UVA__CHECK_AT_SUSPEND;
    }
    return entry;
}

void uva__scope_leave(uva__scope_t *entry)
{
    scope_unlink(entry);
    scope_free(entry);
}

void uva__loop_free_scopes(uva_loop_t *loop)
{
    while (loop->scopes.lost != NULL) {
        uva__scope_t *entry = loop->scopes.lost;

        loop->scopes.lost = entry->outer;
        uva__slab_put(&loop->slab, entry, entry->bytes);
    }
}

/* Whether the frame of a scope is gone, as far as can be seen; all are, once
 * the task has ended (sp is NULL). */
static bool scope_is_lost(const uva__scope_t *entry, const char *sp)
{
    if (sp == NULL) {
        return true;
    }
    return scope_is_in_frame(entry) &&
           ((const char *)entry->scope < sp || !scope_is_marked(entry));
}

void uva__scope_note_left(uva_task_t *task, int code)
{
    if (task->extra != NULL) {
        task->extra->left_code = (int16_t)code;
        /* The next suspension finds it. */
        task->base.flags |= UVA__CHECK_AT_SUSPEND;
    }
}

/* A task whose body left a timeout by return has ended. If it suspends instead,
 * a function below the body has returned, and its caller took the time-out for
 * a cancellation. */
static void scope_warn_left(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;

    task_unwatch(task);
    if (!loop->scopes.warned_left) {
        loop->scopes.warned_left = true;
        uva__log(UVA_LOG_WARNING,
                 "task '%s' (function %s) goes on after a UVA_TIMEOUT that was "
                 "left by return or goto when its deadline had come: the code "
                 "stayed %s; leave the block by break (told once)",
                 uva_task_get_name(task), uva__task_function(task),
                 uva_err_name(UV_ECANCELED));
    }
}

void uva__scope_check_slow(uva_task_t *task, const char *sp)
{
    uva__scope_t *entry = task->extra->scopes;

    while (entry != NULL) {
        if (!scope_is_lost(entry, sp)) {
            entry = entry->outer;
        } else {
            scope_lost(entry, sp == NULL);
            /* The report's handler may have left some. */
            entry = task->extra->scopes;
        }
    }
    if (sp != NULL && task->extra->left_code != 0) {
        scope_warn_left(task);
    }
}
