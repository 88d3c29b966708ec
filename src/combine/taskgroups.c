/*
 * The scope of a task group (asyncio.taskgroups).
 *
 *   state    children                   create_task
 *   ENTERED  any                        makes one, unless aborting
 *   EXITING  waited for                 the same while there are any
 *   DONE     none                       refuses
 *
 * Invariant: all that the children touch is the group's entry among the scopes
 * of its parent, from enter to the end of exit. The frame that the scope lies
 * in may be gone before: then the entry is lost, and the children are cut off.
 */
#include "uva/taskgroups.h"

#include "base/errors.h"
#include "combine/group_children.h"
#include "combine/groups.h"
#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/scopes.h"
#include "core/tasks.h"

/* NULL outside of enter and exit, and when the task of the scope has ended in
 * between. */
static uva__group_t *group_of(const uva_taskgroup_t *scope)
{
    return scope->entry == NULL || uva__scope_lost(scope->entry)
               ? NULL
               : UVA__CONTAINER_OF(scope->entry, uva__group_t, scope);
}

/* Release what a group owns beside its children. */
static void group_free(uva__group_t *group)
{
    uva__group_free_errors(group);
    uva_error_unref(group->failure);
}

/* The parent has left the scope without its exit: nobody is there to wait for
 * the children, nor to be told of their failures. */
static void group_abandon(uva__scope_t *entry)
{
    uva__group_t *group = UVA__CONTAINER_OF(entry, uva__group_t, scope);

    uva__group_cut_children(group);
    group_free(group);
}

/* --- children --- */

/* uva_task_options_t.group: a task is made with a group that is entered. */
static uva_task_t *group_spawn(uva__scope_t *entry,
                               const uva__coro_t *coro,
                               const void *args,
                               const uva_task_options_t *options,
                               const char *here)
{
    return uva__group_make_child(UVA__CONTAINER_OF(entry, uva__group_t, scope),
                                 coro, args, options, NULL, here);
}

/* The common way of the functions that make a child by its scope. A scope that
 * could not be entered refuses with the code that its enter gave. */
static uva_task_t *scope_spawn(const uva_taskgroup_t *scope,
                               const uva__coro_t *coro,
                               const void *args,
                               const uva_task_options_t *options,
                               void *ret,
                               const char *here)
{
    uva__group_t *group = group_of(scope);

    if (group == NULL) {
        return uva__task_refuse(coro, args, here,
                                scope->code != 0 ? scope->code : UV_EPERM);
    }
    return uva__group_make_child(group, coro, args, options, ret, here);
}

uva_task_t *uva__taskgroup_spawn(uva_taskgroup_t *scope,
                                 const uva__coro_t *coro,
                                 const void *args,
                                 void *ret,
                                 const char *here)
{
    return scope_spawn(scope, coro, args, NULL, ret, here);
}

uva_task_t *uva_taskgroup_create_task(uva_taskgroup_t *scope,
                                      uva_coro_cb body,
                                      void *arg,
                                      const uva_task_options_t *options)
{
    uva__plain_frame_t frame = {.body = body, .arg = arg};

    if (options != NULL) {
        frame.arg_destroy = options->arg_destroy;
        frame.result_destroy = options->result_destroy;
    }
    return scope_spawn(scope, &uva__plain_coro, &frame, options, NULL, NULL);
}

static const uva__scope_ops_t group_ops = {
    group_abandon, "A task group was left without uva_taskgroup_exit",
    group_spawn};

/* --- enter --- */

/* A refused scope keeps its code: every later call with it, and its exit, tells
 * the same. */
int uva_taskgroup_enter_with(uva_taskgroup_t *scope,
                             const uva_taskgroup_options_t *options)
{
    static const uva_taskgroup_options_t defaults = UVA_TASKGROUP_OPTIONS_INIT;
    uva_task_t *task = uva__task_current();
    uva__group_t *group;

    if (task != NULL && uva__scope_entered(task, scope)) {
        return uva__bare(UV_EPERM);
    }
    options = options == NULL ? &defaults : options;
    *scope = (uva_taskgroup_t){0};
    if (task == NULL) {
        scope->code = UVA_ENOTASK;
    } else if (options->size < sizeof *options ||
               options->policy > UVA_GROUP_FIRST_SUCCESS) {
        scope->code = UV_EINVAL;
    }
    if (scope->code < 0) {
        return uva__bare(scope->code);
    }
    scope->entry = uva__scope_enter(task, scope, &group_ops, sizeof *group);
    if (scope->entry == NULL) {
        scope->code = UV_ENOMEM;
        return uva__bare(UV_ENOMEM);
    }
    group = group_of(scope);
    /* A request that is not delivered yet ends the body at its first await,
     * so it counts as made inside of the scope. */
    *group = (uva__group_t){
        .scope = group->scope,
        .state = UVA__GROUP_ENTERED,
        .policy = options->policy,
        .max_running =
            options->max_running == 0 ? SIZE_MAX : options->max_running,
        .cancelling = (task->base.flags & UVA__MUST_CANCEL) != 0
                          ? 0
                          : uva_task_cancelling(task),
    };
    uva__list_init(&group->children);
    return 0;
}

int uva_taskgroup_enter(uva_taskgroup_t *scope)
{
    return uva_taskgroup_enter_with(scope, NULL);
}

void uva_taskgroup_cancel(uva_taskgroup_t *scope)
{
    uva__group_t *group = group_of(scope);

    if (group == NULL || !uva__loop_owned(group->scope.task->base.loop)) {
        return;
    }
    group->cancelled = true;
    uva__group_cancel(group);
}

/* --- exit --- */

/* Take back the request by which the group has cancelled its parent. asyncio
 * compares the count with 0. Here it is compared with the count at enter: a
 * parent that swallowed an earlier request still counts it, and would else be
 * told that the group's own request came from outside. */
static void group_uncancel(uva__group_t *group)
{
    uva_task_t *parent = group->scope.task;

    if (uva_task_uncancel(parent) <= group->cancelling) {
        uva__task_drop_cancel(parent); /* Not delivered: it is the group's. */
        group->pending = 0;
        if (group->cancelled && group->body == UV_ECANCELED) {
            group->body = 0;
        }
    }
}

/* End the group and return its code, once no child is left: UVA_EGROUP if
 * anything failed, else a cancellation from outside, else what the body
 * returned. asyncio: taskgroups.py, TaskGroup._aexit, from where no child is
 * left. */
static int group_end(uva__group_t *group)
{
    uva_task_t *parent = group->scope.task;
    int r;

    group->state = UVA__GROUP_DONE;
    if (group->parent_cancelled) {
        group_uncancel(group);
    }
    r = group->body;
    if (group->succeeded) {
        group->code = 0; /* Failures beside a success count for nothing. */
        uva__group_free_errors(group);
    }
    if (r < 0 && r != UV_ECANCELED) {
        uva__group_add_error(group, r, group->failure);
    }
    if (group->code == 0) {
        return group->pending < 0 ? uva__bare(group->pending) : r;
    }
    if (uva_task_cancelling(parent) > 0) {
        /* A failure goes before a cancellation from outside, which the next
         * await delivers: uncancel forgets it, cancel asks anew. */
        (void)uva_task_uncancel(parent);
        (void)uva_task_cancel(parent);
    }
    uva__group_raise(group);
    return UVA_EGROUP;
}

/* The first call of the exit: keep what the body ended with. A body that failed
 * or was cancelled takes the children with it. */
static void group_begin_exit(uva__group_t *group, int r)
{
    group->state = UVA__GROUP_EXITING;
    group->body = r; /* The next polls may be given what this one returned. */
    group->failure = uva_error_ref(uva__task_error_of(group->scope.task, r));
    group->pending = r == UV_ECANCELED ? r : 0;
    if (r < 0 && !group->aborting) {
        uva__group_abort(group);
    }
}

/* The parent was woken in its exit: the last child has left, or the parent was
 * cancelled. It waits on then until the children have ended. */
static void group_resume_exit(uva__group_t *group)
{
    int woken = uva_waiter_finish(&group->scope.task->waiter);

    group->waiter = NULL;
    if (woken == UV_ECANCELED) {
        group->pending = woken;
        if (!group->aborting) {
            uva__group_abort(group);
        }
    }
}

/* asyncio: taskgroups.py, TaskGroup._aexit. Its loop over the children is the
 * repetition of the poll. */
int uva_taskgroup_exit_poll(uva_taskgroup_t *scope, int r)
{
    uva__group_t *group = group_of(scope);
    uva_waiter_t *self;

    if (group == NULL) {
        return scope->code < 0 && r >= 0 ? uva__bare(scope->code) : r;
    }
    self = &group->scope.task->waiter;
    if (uva_waiter_current() != self) {
        return uva__bare(UV_EPERM);
    }
    if (group->state == UVA__GROUP_ENTERED) {
        group_begin_exit(group, uva__code_of_body(r));
    } else {
        group_resume_exit(group);
    }
    if (!uva__list_empty(&group->children)) {
        group->waiter = self;
        return uva_waiter_suspend(self, NULL, NULL);
    }
    r = group_end(group);
    group_free(group);
    uva__scope_leave(&group->scope);
    scope->entry = NULL;
    return r;
}

int uva_taskgroup_exit(uva_taskgroup_t *scope, int r)
{
    int result;

    if (scope->entry == NULL) {
        return uva_taskgroup_exit_poll(scope, r); /* Without a wait. */
    }
    UVA_DRIVE(result, uva_taskgroup_exit, scope, r);
    return result;
}

int uva_taskgroup_cancel_and_wait(uva_taskgroup_t *scope)
{
    const uva__group_t *group = group_of(scope);

    /* The exit refuses other tasks, so these must not cancel the group. */
    if (group != NULL && group->scope.task == uva_current_task()) {
        uva_taskgroup_cancel(scope);
    }
    return uva_taskgroup_exit(scope, 0);
}
