/*
 * Task groups (asyncio.taskgroups).
 *
 *   state    children                   create_task
 *   ENTERED  any                        makes one, unless aborting
 *   EXITING  waited for                 the same while there are any
 *   DONE     none                       refuses
 *
 * Invariant: a child's node stands in the group's list and among the child's
 * callbacks until the child is done; the group is in the list of its parent's
 * scopes from enter to the end of exit.
 */
#include "uva/taskgroups.h"

#include "base/alloc.h"
#include "base/errors.h"
#include "core/loop.h"

enum { GROUP_REFUSED = 1, GROUP_ENTERED, GROUP_EXITING, GROUP_DONE };

typedef struct group_child_s {
    uva__ready_t ready;     /* Of the child's callbacks. */
    uva_list_t link;        /* Of uva_taskgroup_t.children. */
    uva_task_t *task;       /* Counted. */
    uva_taskgroup_t *group; /* Borrowed; NULL once the group was lost. */
} group_child_t;

typedef struct uva__group_errors_s {
    uva_error_t **members; /* Owned array of owned references. */
    size_t count;
    size_t capacity;
} group_errors_t;

/* --- failures --- */

static bool errors_reserve(group_errors_t *errors)
{
    size_t capacity = errors->capacity == 0 ? 4 : errors->capacity * 2;
    void *members;

    if (errors->count < errors->capacity) {
        return true;
    }
    members = uva__realloc(errors->members, capacity * sizeof(uva_error_t *));
    if (members == NULL) {
        return false;
    }
    errors->members = members;
    errors->capacity = capacity;
    return true;
}

/* Add a failure. Without memory only the fact is kept. */
static void group_add_error(uva_taskgroup_t *group, int code,
                            const uva_error_t *error)
{
    uva_error_t *member;

    group->code = code;
    if (group->errors == NULL) {
        group->errors = uva__calloc(1, sizeof *group->errors);
    }
    if (group->errors == NULL || !errors_reserve(group->errors)) {
        return;
    }
    member = error != NULL ? uva_error_ref(error)
                           : uva__error_new(code, NULL, NULL);
    if (member != NULL) {
        group->errors->members[group->errors->count++] = member;
    }
}

static void group_free_errors(uva_taskgroup_t *group)
{
    group_errors_t *errors = group->errors;

    group->errors = NULL;
    if (errors != NULL) {
        for (size_t i = 0; i < errors->count; i++) {
            uva_error_unref(errors->members[i]);
        }
        uva__free(errors->members);
        uva__free(errors);
    }
}

/* Turn the failures into the running task's error. */
static void group_raise(uva_taskgroup_t *group)
{
    group_errors_t *errors = group->errors;
    uva_error_t *error =
        errors == NULL ? NULL
                       : uva__error_group_new(errors->members, errors->count);

    if (error != NULL) {
        group->errors = NULL;
        uva__free(errors);
    }
    uva__task_set_error(group->parent, error);
}

static void group_abort(uva_taskgroup_t *group)
{
    group->aborting = true;
    UVA__LIST_FOREACH (child, &group->children, group_child_t, link) {
        (void)uva_task_cancel(child->task);
    }
}

/* A failure ends the group: the children, and the body if it still runs. */
static void group_fail(uva_taskgroup_t *group)
{
    if (!group->aborting && !group->parent_cancelled) {
        group_abort(group);
        group->parent_cancelled = true;
        (void)uva_task_cancel(group->parent);
    }
}

/* --- children --- */

static void child_ended(uva_taskgroup_t *group, uva_task_t *task)
{
    int code;

    if (group->waiter != NULL && uva__list_empty(&group->children)) {
        (void)uva_waiter_wake(group->waiter);
    }
    if (uva_task_cancelled(task)) {
        return;
    }
    code = uva__future_code(&task->base);
    if (code >= 0) {
        return;
    }
    group_add_error(group, code, uva_future_error(&task->base));
    group_fail(group);
}

static void child_done(uva__ready_t *ready)
{
    group_child_t *child = UVA__CONTAINER_OF(ready, group_child_t, ready);
    uva_task_t *task = child->task;
    uva_taskgroup_t *group = child->group;

    if (group != NULL) {
        uva__list_remove(&child->link);
        child_ended(group, task);
    }
    uva__slab_put(&task->base.loop->slab, child, sizeof *child);
    uva_task_unref(task);
}

uva_task_t *uva__taskgroup_of_node(uva__ready_t *ready)
{
    const uva_taskgroup_t *group;

    if (ready->run != child_done) {
        return NULL;
    }
    group = UVA__CONTAINER_OF(ready, group_child_t, ready)->group;
    return group == NULL ? NULL : group->parent;
}

/* The group's frame is gone: its children are cut off and cancelled. */
void uva__taskgroup_abandon(uva_task_t *task, const void *scope)
{
    UVA__LIST_FOREACH (other, &task->base.loop->tasks, uva_task_t, link) {
        uva__ready_t *node = other->base.callbacks;
        if (node == NULL) {
            continue;
        }
        do {
            group_child_t *child =
                UVA__CONTAINER_OF(node, group_child_t, ready);
            if (node->run == child_done && child->group == scope) {
                child->group = NULL;
                (void)uva_task_cancel(other);
            }
            node = node->next;
        } while (node != other->base.callbacks);
    }
}

/* @return 0, or why no child can be made: UV_EPERM is told to the caller
 * alone, as asyncio's RuntimeError is. */
static int group_open(const uva_taskgroup_t *group)
{
    if (group->state != GROUP_ENTERED &&
        (group->state != GROUP_EXITING ||
         uva__list_empty(&group->children))) {
        return UV_EPERM;
    }
    return group->aborting ? UV_EPERM : 0;
}

static uva_task_t *group_adopt(uva_taskgroup_t *group, group_child_t *child,
                               uva_task_t *task)
{
    uva_loop_t *loop = group->parent->base.loop;

    if (task == NULL || task->base.kind == UVA__KIND_REFUSED) {
        uva__slab_put(&loop->slab, child, sizeof *child);
        group_add_error(group, task == NULL ? UV_ENOMEM : task->base.code,
                        NULL);
        group_fail(group);
        return task;
    }
    *child = (group_child_t){.ready = {NULL, child_done},
                             .task = task, /* Takes the caller's reference. */
                             .group = group};
    uva__list_append(&group->children, &child->link);
    if (!uva__future_pending(&task->base)) {
        /* Started eagerly and done: asyncio calls at once. A borrowed task
         * stays until the next iteration, as if its callback ran then. */
        uva__list_remove(&child->link);
        child->group = NULL;
        child_ended(group, task);
    }
    uva__future_add_node(&task->base, &child->ready);
    return task;
}

uva_task_t *uva__spawn_in(uva_taskgroup_t *group, const uva__coro_t *coro,
                          const void *args, const char *here)
{
    int r = group->state == GROUP_REFUSED ? UVA_ENOTASK : group_open(group);
    group_child_t *child = NULL;

    if (r >= 0) {
        child = uva__slab_get(&group->parent->base.loop->slab, sizeof *child);
        if (child != NULL) {
            return group_adopt(group, child, uva__spawn(coro, args, here));
        }
        r = UV_ENOMEM;
        group_add_error(group, r, NULL);
        group_fail(group);
    }
    if (coro->drop != NULL) {
        coro->drop((void *)(uintptr_t)args);
    }
    return (uva_task_t *)(void *)uva_future_refused(r);
}

uva_task_t *uva_taskgroup_create_task(uva_taskgroup_t *group, uva_coro_cb body,
                                      void *arg,
                                      const uva_task_options_t *options)
{
    int r = group->state == GROUP_REFUSED ? UVA_ENOTASK : group_open(group);
    group_child_t *child = NULL;

    if (r >= 0) {
        uva_loop_t *loop = group->parent->base.loop;
        child = uva__slab_get(&loop->slab, sizeof *child);
        if (child != NULL) {
            return group_adopt(group, child,
                               uva_loop_create_task(loop, body, arg, options));
        }
        r = UV_ENOMEM;
        group_add_error(group, r, NULL);
        group_fail(group);
    }
    if (options != NULL && options->arg_destroy != NULL) {
        options->arg_destroy(arg);
    }
    return (uva_task_t *)(void *)uva_future_refused(r);
}

/* --- the scope --- */

int uva_taskgroup_enter(uva_taskgroup_t *group)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (task != NULL && uva__scope_find(task, group) != NULL) {
        return UV_EPERM;
    }
    *group = (uva_taskgroup_t){.parent = task, .state = GROUP_REFUSED};
    uva__list_init(&group->children);
    if (task == NULL) {
        group->code = UVA_ENOTASK;
        return UVA_ENOTASK;
    }
    group->state = GROUP_ENTERED;
    r = uva__scope_enter(task, group, UVA__SCOPE_GROUP);
    if (r < 0) {
        /* It works all the same, only nobody would notice its loss. */
        group_add_error(group, r, NULL);
        group_fail(group);
    }
    return r;
}

void uva_taskgroup_cancel(uva_taskgroup_t *group)
{
    if (group->state != GROUP_ENTERED && group->state != GROUP_EXITING) {
        return;
    }
    group->cancelled = true;
    if (group->state == GROUP_ENTERED && !group->parent_cancelled) {
        group->parent_cancelled = true;
        (void)uva_task_cancel(group->parent);
    }
    if (!group->aborting) {
        group_abort(group);
    }
}

/* asyncio: taskgroups.py, TaskGroup._aexit, from where no child is left. */
static int group_end(uva_taskgroup_t *group)
{
    uva_task_t *parent = group->parent;
    int r = group->body;

    group->state = GROUP_DONE;
    uva__scope_leave(parent, group);
    if (group->parent_cancelled && uva_task_uncancel(parent) == 0) {
        group->pending = 0;
        if (group->cancelled && r == UV_ECANCELED) {
            r = 0;
        }
    }
    if (group->pending < 0 && group->code == 0) {
        return group->pending;
    }
    if (r < 0 && r != UV_ECANCELED) {
        const uva_error_t *error = uva_task_error();
        group_add_error(group, r, uva_error_code(error) == r ? error : NULL);
    }
    if (group->code == 0) {
        return r;
    }
    if (uva_task_cancelling(parent) > 0) {
        /* A cancellation from outside is delivered by the next await. */
        (void)uva_task_uncancel(parent);
        (void)uva_task_cancel(parent);
    }
    group_raise(group);
    group_free_errors(group);
    return UVA_EGROUP;
}

int uva_taskgroup_exit_poll(uva_taskgroup_t *group, int r)
{
    uva_waiter_t *self;
    int woken;

    if (group->state != GROUP_ENTERED && group->state != GROUP_EXITING) {
        return group->state == GROUP_REFUSED && r >= 0 ? group->code : r;
    }
    self = &group->parent->waiter;
    if (uva_waiter_current() != self) {
        return UV_EPERM;
    }
    if (group->state == GROUP_ENTERED) {
        group->state = GROUP_EXITING;
        group->body = r; /* The caller may keep its r where we return to. */
        group->pending = r == UV_ECANCELED ? r : 0;
        if (r < 0 && !group->aborting) {
            group_abort(group);
        }
    } else {
        woken = uva_waiter_finish(self);
        group->waiter = NULL;
        if (woken == UV_ECANCELED && !group->aborting) {
            group->pending = woken;
            group_abort(group);
        }
    }
    if (!uva__list_empty(&group->children)) {
        group->waiter = self;
        return uva_waiter_suspend(self, NULL, NULL);
    }
    return group_end(group);
}

int uva_taskgroup_exit(uva_taskgroup_t *group, int r)
{
    int result = group->state == GROUP_REFUSED ? 0 : uva_block_check();

    if (result < 0) {
        return result;
    }
    while ((result = uva_taskgroup_exit_poll(group, r)) == UVA_PENDING) {
        uva_block("uva_taskgroup_exit");
    }
    return result;
}
