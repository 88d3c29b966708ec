/*
 * Task groups (asyncio.taskgroups).
 *
 *   state    children                   create_task
 *   ENTERED  any                        makes one, unless aborting
 *   EXITING  waited for                 the same while there are any
 *   DONE     none                       refuses
 *
 * Invariant: a child stands in the group's list from before the child is
 * made, and its record among the task's callbacks, until that is done: what
 * runs meanwhile may end the group, but not without it. All that children touch
 * is the group's entry among its parent's scopes, from enter to the end of
 * exit: the frame that the scope lies in may be gone.
 */
#include "uva/taskgroups.h"

#include <string.h>

#include "base/alloc.h"
#include "base/errors.h"
#include "core/failures.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/results.h"
#include "core/scopes.h"
#include "core/tasks.h"

enum {
    GROUP_ENTERED,
    GROUP_EXITING,
    GROUP_DONE
};

typedef struct group_s group_t;

typedef struct group_child_s {
    uva__record_t record; /* Of the child's callbacks. */
    uva_list_t link;      /* Of group_t.children. */
    uva_list_t queue;     /* Of group_t.queue: waits for its turn. */
    uva_task_t *task;     /* Counted; NULL while it is being made. */
    group_t *group;       /* Borrowed; NULL once the group was lost. */
    void *ret;            /* Where its result goes; may be NULL. */
    bool running;         /* Has its turn. */
} group_child_t;

/* A child that is being made. */
typedef struct birth_s {
    uva_loop_t *loop;
    group_child_t *child;
    bool starts_late; /* The loop's, before. */
} birth_t;

typedef struct uva__group_errors_s {
    uva_error_t **members; /* Owned array of owned references. */
    size_t count;
    size_t capacity;
} group_errors_t;

struct group_s {
    uva__scope_t scope;
    uva_list_t children; /* Of group_child_t.link, oldest first. */
    uva_list_t queue;    /* Of group_child_t.queue, oldest first. */
    size_t running;      /* Children that have their turn. */
    size_t max_running;
    uva_group_policy_t policy;
    uva_waiter_t *waiter;   /* The parent's, while it waits in the exit. */
    group_errors_t *errors; /* Owned; NULL while there are none. */
    int code;               /* A failure that found no memory for a record. */
    int body;               /* What the body returned. */
    uva_error_t *failure;   /* Counted: the record that goes with it. */
    int pending;            /* What the exit has to return in the end. */
    unsigned cancelling;    /* Requests that were delivered before it. */
    uint8_t state;
    bool aborting;
    bool cancelled;        /* By uva_taskgroup_cancel. */
    bool parent_cancelled; /* The group has cancelled its parent. */
    bool succeeded;        /* A child has, and that was enough. */
};

/* NULL outside of enter and exit, and when its task has ended in between. */
static group_t *group_of(const uva_taskgroup_t *scope)
{
    return scope->entry == NULL || uva__scope_lost(scope->entry)
               ? NULL
               : UVA__CONTAINER_OF(scope->entry, group_t, scope);
}

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
static void group_add_error(group_t *group, int code, const uva_error_t *error)
{
    uva_error_t *member;

    group->code = code;
    if (group->errors == NULL) {
        group->errors = uva__calloc(1, sizeof *group->errors);
    }
    if (group->errors == NULL || !errors_reserve(group->errors)) {
        return;
    }
    member =
        error != NULL ? uva_error_ref(error) : uva__error_new(code, NULL, NULL);
    if (member != NULL) {
        group->errors->members[group->errors->count++] = member;
    }
}

static void group_free_errors(group_t *group)
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

static void group_free(group_t *group)
{
    group_free_errors(group);
    uva_error_unref(group->failure);
}

/* Turn the failures into the running task's error. */
static void group_raise(group_t *group)
{
    group_errors_t *errors = group->errors;
    uva_error_t *error =
        errors == NULL ? NULL
                       : uva__error_group_new(errors->members, errors->count);

    if (error != NULL) {
        group->errors = NULL;
        uva__free(errors);
    }
    uva__task_set_error(group->scope.task, UVA_EGROUP, error);
}

static void group_abort(group_t *group)
{
    group->aborting = true;
    UVA__LIST_FOREACH (child, &group->children, group_child_t, link) {
        (void)uva_task_cancel(child->task);
    }
}

static void child_take_turn(group_t *group, group_child_t *child)
{
    child->running = true;
    group->running++;
}

/* Let those begin whose turn it is. One that was cancelled while it waited
 * needs no turn. */
static void group_let_begin(group_t *group)
{
    while (group->running < group->max_running &&
           !uva__list_empty(&group->queue)) {
        group_child_t *child =
            UVA__LIST_FIRST(&group->queue, group_child_t, queue);
        uva_task_t *task = child->task;

        uva__list_remove(&child->queue);
        if (task->base.phase == UVA__PHASE_IDLE) {
            task->base.flags &=
                (uint16_t)~UVA__WAITS_FOR_START; /* It did not wait yet. */
            child_take_turn(group, child);
        } else if (uva_waiter_wake(&task->waiter)) {
            child_take_turn(group, child);
        }
    }
}

/* End the group early: the children, and the body if it still runs. */
static void group_cancel(group_t *group)
{
    if (group->state == GROUP_ENTERED && !group->parent_cancelled) {
        group->parent_cancelled = true;
        (void)uva_task_cancel(group->scope.task);
    }
    if (!group->aborting) {
        group_abort(group);
    }
}

/* A failure ends the group: the children, and the body if it still runs. */
static void group_fail(group_t *group)
{
    if (!group->aborting && !group->parent_cancelled) {
        group_abort(group);
        group->parent_cancelled = true;
        (void)uva_task_cancel(group->scope.task);
    }
}

/* --- children --- */

/* Take a child out: it has ended, or could not be made. */
static void child_leave(group_t *group, group_child_t *child)
{
    child->group = NULL;
    uva__list_remove(&child->link);
    uva__list_remove(&child->queue);
    if (child->running) {
        group->running--;
        group_let_begin(group);
    }
    if (group->waiter != NULL && uva__list_empty(&group->children)) {
        (void)uva_waiter_wake(group->waiter);
    }
}

/* Copy the result of a child to where it is wanted: whoever else takes it, the
 * bytes stay in the task. */
static void child_give(const group_child_t *child)
{
    uva_task_t *task = child->task;

    if (child->ret != NULL) {
        memcpy(child->ret, uva__task_ret(task), task->coro->ret_bytes);
    }
}

static void child_ended(group_t *group, const group_child_t *child)
{
    uva_task_t *task = child->task;
    int code;

    if (uva_future_cancelled(UVA_FUTURE(task))) {
        return;
    }
    code = uva__future_code(&task->base);
    if (code >= 0) {
        child_give(child);
    }
    if (code < 0) {
        group_add_error(group, code, uva_future_error(&task->base));
        if (group->policy == UVA_GROUP_FAIL_FAST) {
            group_fail(group);
        }
    } else if (group->policy == UVA_GROUP_FIRST_SUCCESS) {
        group->succeeded = true;
        group->cancelled = true;
        group_cancel(group);
    }
}

static void child_done(uva__ready_t *ready)
{
    group_child_t *child =
        UVA__CONTAINER_OF(ready, group_child_t, record.ready);
    uva_task_t *task = child->task;
    group_t *group = child->group;

    if (group != NULL) {
        child_leave(group, child);
        child_ended(group, child);
    }
    uva__slab_put(&task->base.loop->slab, child, sizeof *child);
    uva_task_unref(task);
}

static uva_future_t *child_waiter(uva__ready_t *ready)
{
    const group_t *group =
        UVA__CONTAINER_OF(ready, group_child_t, record.ready)->group;

    return group == NULL ? NULL : &group->scope.task->base;
}

static const uva__ready_ops_t child_ops = {
    .run = child_done, .waiter = child_waiter, .drop = child_done};

/* The children are cut off and cancelled. */
static void group_abandon(uva__scope_t *entry)
{
    group_t *group = UVA__CONTAINER_OF(entry, group_t, scope);

    UVA__LIST_FOREACH_SAFE(child, &group->children, group_child_t, link)
    {
        uva__list_remove(&child->link);
        uva__list_remove(&child->queue);
        child->group = NULL;
        (void)uva_task_cancel(child->task);
    }
    group_free(group);
}

/* @return 0, or why no child can be made: UV_EPERM does not fail the group, as
 * asyncio's RuntimeError does not. */
static int group_open(const group_t *group)
{
    if (group->state != GROUP_ENTERED &&
        (group->state != GROUP_EXITING || uva__list_empty(&group->children))) {
        return UV_EPERM;
    }
    return group->aborting ? UV_EPERM : 0;
}

/* Begin to make a child. @return 0, or why there is none. */
static int
child_begin(group_t *group, birth_t *ret_birth, void *ret, const char *function)
{
    group_child_t *child;
    int r = UV_EPERM;

    if (uva__loop_owned_for(group->scope.task->base.loop, function)) {
        r = group_open(group);
    }
    if (r < 0) {
        return r;
    }
    ret_birth->loop = group->scope.task->base.loop;
    child = uva__slab_get(&ret_birth->loop->slab, sizeof *child);
    if (child == NULL) {
        group_add_error(group, UV_ENOMEM, NULL);
        group_fail(group);
        return UV_ENOMEM;
    }
    *child = (group_child_t){
        .record = {.ready = {NULL, &child_ops}}, .group = group, .ret = ret};
    uva__list_append(&group->children, &child->link);
    if (group->running < group->max_running) {
        child_take_turn(group, child);
    }
    ret_birth->child = child;
    ret_birth->starts_late = ret_birth->loop->tasks.defers_starts;
    ret_birth->loop->tasks.defers_starts = !child->running;
    return 0;
}

static uva_task_t *child_refused(const birth_t *birth, uva_task_t *refused)
{
    group_child_t *child = birth->child;
    group_t *group = child->group;

    if (group != NULL) {
        child_leave(group, child);
        group_add_error(group, refused == NULL ? UV_ENOMEM : refused->base.code,
                        NULL);
        group_fail(group);
    }
    uva__slab_put(&birth->loop->slab, child, sizeof *child);
    return refused;
}

/* Let a child wait for its turn. One that began already has it. */
static void child_hold(group_t *group, group_child_t *child)
{
    uva_task_t *task = child->task;

    if ((task->base.flags & UVA__NEW) == 0) {
        child_take_turn(group, child);
        return;
    }
    task->base.flags |= UVA__WAITS_FOR_START;
    uva__list_append(&group->queue, &child->queue);
}

/* Take in a child that was made. A factory and its own first step have run
 * since: the group may have ended, or have been left. */
static uva_task_t *child_adopt(const birth_t *birth, uva_task_t *task)
{
    group_child_t *child = birth->child;
    group_t *group;

    birth->loop->tasks.defers_starts = birth->starts_late;
    if (task == NULL || task->base.kind == UVA__KIND_REFUSED) {
        return child_refused(birth, task);
    }
    child->task = task; /* Takes the caller's reference. */
    group = child->group;
    if (!uva__future_pending(&task->base)) {
        /* Started eagerly and done: asyncio calls at once. A borrowed task
         * stays until the next iteration, as if its callback ran then. */
        if (group != NULL) {
            child_leave(group, child);
            child_ended(group, child);
        }
    } else if (group == NULL || group->aborting) {
        (void)uva_task_cancel(task);
    }
    if (child->group != NULL && !child->running) {
        child_hold(child->group, child);
    }
    uva__future_add(&task->base, &child->record);
    return task;
}

static uva_task_t *group_make_child(group_t *group,
                                    const uva__coro_t *coro,
                                    const void *args,
                                    const uva_task_options_t *options,
                                    void *ret,
                                    const char *here)
{
    birth_t birth;
    int r = child_begin(group, &birth, ret,
                        coro == &uva__plain_coro ? "uva_taskgroup_create_task"
                                                 : "uva_taskgroup_spawn");

    if (r >= 0) {
        return child_adopt(
            &birth, uva__task_new(birth.loop, coro, args, options, here));
    }
    return uva__task_refuse(coro, args, here, r);
}

static uva_task_t *group_spawn(uva__scope_t *entry,
                               const uva__coro_t *coro,
                               const void *args,
                               const uva_task_options_t *options,
                               const char *here)
{
    return group_make_child(UVA__CONTAINER_OF(entry, group_t, scope), coro,
                            args, options, NULL, here);
}

static uva_task_t *scope_spawn(const uva_taskgroup_t *scope,
                               const uva__coro_t *coro,
                               const void *args,
                               const uva_task_options_t *options,
                               void *ret,
                               const char *here)
{
    group_t *group = group_of(scope);

    if (group == NULL) {
        return uva__task_refuse(coro, args, here,
                                scope->code != 0 ? scope->code : UV_EPERM);
    }
    return group_make_child(group, coro, args, options, ret, here);
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

/* --- the scope --- */

int uva_taskgroup_enter_with(uva_taskgroup_t *scope,
                             const uva_taskgroup_options_t *options)
{
    static const uva_taskgroup_options_t defaults = UVA_TASKGROUP_OPTIONS_INIT;
    uva_task_t *task = uva__task_current();
    group_t *group;

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
        return UV_ENOMEM;
    }
    group = group_of(scope);
    *group = (group_t){
        .scope = group->scope,
        .state = GROUP_ENTERED,
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
    group_t *group = group_of(scope);

    if (group == NULL || !uva__loop_owned(group->scope.task->base.loop)) {
        return;
    }
    group->cancelled = true;
    group_cancel(group);
}

/* Take the group's own request back. asyncio compares with 0; but a task that
 * has swallowed a request goes on with it counted, and without an error here
 * the group's own would be told to it for another. */
static void group_uncancel(group_t *group)
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

/* asyncio: taskgroups.py, TaskGroup._aexit, from where no child is left. */
static int group_end(group_t *group)
{
    uva_task_t *parent = group->scope.task;
    int r;

    group->state = GROUP_DONE;
    if (group->parent_cancelled) {
        group_uncancel(group);
    }
    r = group->body;
    if (group->succeeded) {
        group->code = 0; /* Failures beside a success count for nothing. */
        group_free_errors(group);
    }
    if (r < 0 && r != UV_ECANCELED) {
        group_add_error(group, r, group->failure);
    }
    if (group->code == 0) {
        return group->pending < 0 ? uva__bare(group->pending) : r;
    }
    if (uva_task_cancelling(parent) > 0) {
        /* A cancellation from outside is delivered by the next await. */
        (void)uva_task_uncancel(parent);
        (void)uva_task_cancel(parent);
    }
    group_raise(group);
    return UVA_EGROUP;
}

int uva_taskgroup_exit_poll(uva_taskgroup_t *scope, int r)
{
    group_t *group = group_of(scope);
    uva_waiter_t *self;
    int woken;

    if (group == NULL) {
        return scope->code < 0 && r >= 0 ? uva__bare(scope->code) : r;
    }
    self = &group->scope.task->waiter;
    if (uva_waiter_current() != self) {
        return uva__bare(UV_EPERM);
    }
    r = uva__code_of_body(r);
    if (group->state == GROUP_ENTERED) {
        group->state = GROUP_EXITING;
        group->body = r; /* The caller may keep its r where we return to. */
        group->failure =
            uva_error_ref(uva__task_error_of(group->scope.task, r));
        group->pending = r == UV_ECANCELED ? r : 0;
        if (r < 0 && !group->aborting) {
            group_abort(group);
        }
    } else {
        woken = uva_waiter_finish(self);
        group->waiter = NULL;
        if (woken == UV_ECANCELED) {
            group->pending = woken;
            if (!group->aborting) {
                group_abort(group);
            }
        }
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
    int result = scope->entry == NULL ? 0 : uva__block_check();

    if (result < 0) {
        return result;
    }
    while ((result = uva_taskgroup_exit_poll(scope, r)) == UVA_PENDING) {
        uva__block("uva_taskgroup_exit");
    }
    return result;
}

int uva_taskgroup_cancel_and_wait(uva_taskgroup_t *scope)
{
    const group_t *group = group_of(scope);

    /* Whom the exit refuses cancels nothing. */
    if (group != NULL && group->scope.task == uva_current_task()) {
        uva_taskgroup_cancel(scope);
    }
    return uva_taskgroup_exit(scope, 0);
}
