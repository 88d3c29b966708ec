/*
 * The children of a task group (asyncio.taskgroups: create_task,
 * _on_task_done).
 *
 *   a child is   in children  in queue  its record stands      running
 *   being made   yes          no        nowhere                has its turn?
 *   waiting      yes          yes       among its callbacks    no
 *   running      yes          no        among its callbacks    yes
 *   done         no           no        in the ready queue     -
 *   cut off      no           no        wherever it stood      -
 *
 * Invariant: a child with child->group set stands in the children of that group
 * and counts in group->running exactly if it has its turn. A factory or an
 * eager body that runs while the child is made may end the group, but not
 * without this child.
 */
#include "combine/group_children.h"

#include <string.h>

#include "base/list.h"
#include "core/futures.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/results.h"
#include "core/tasks.h"

/* A child that is being made. The loop stands here too, because the group may
 * be gone when the task has been made. */
typedef struct birth_s {
    uva_loop_t *loop;
    uva__group_child_t *child;
    bool starts_late; /* loop->tasks.defers_starts before this birth. */
} birth_t;

/* --- turns: at most max_running children run at once --- */

static void child_take_turn(uva__group_t *group, uva__group_child_t *child)
{
    child->running = true;
    group->running++;
}

/* Let the oldest waiting children begin, as many as there are turns. A child
 * that was cancelled while it waited cannot be woken; it ends without a turn.
 */
static void group_let_begin(uva__group_t *group)
{
    while (group->running < group->max_running &&
           !uva__list_empty(&group->queue)) {
        uva__group_child_t *child =
            UVA__LIST_FIRST(&group->queue, uva__group_child_t, queue);
        uva_task_t *task = child->task;

        uva__list_remove(&child->queue);
        if (task->base.phase == UVA__PHASE_IDLE) {
            /* Its first step has not come yet: it is not to wait then. */
            task->base.flags &= (uint16_t)~UVA__WAITS_FOR_START;
            child_take_turn(group, child);
        } else if (uva_waiter_wake(&task->waiter)) {
            child_take_turn(group, child);
        }
    }
}

/* Let a new child wait for its turn. An eager child has begun already, turn or
 * not: it runs on, and counts. */
static void child_hold(uva__group_t *group, uva__group_child_t *child)
{
    uva_task_t *task = child->task;

    if ((task->base.flags & UVA__NEW) == 0) {
        child_take_turn(group, child);
        return;
    }
    task->base.flags |= UVA__WAITS_FOR_START;
    uva__list_append(&group->queue, &child->queue);
}

/* --- the end of a child --- */

/* Take a child out of its group: it has ended, or could not be made. The turn
 * passes on, and the exit goes on after the last child. */
static void child_leave(uva__group_t *group, uva__group_child_t *child)
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

/* Copy the result of a child to where uva_taskgroup_spawn_into wants it. The
 * bytes stay in the task even if somebody has moved the result out. */
static void child_give(const uva__group_child_t *child)
{
    uva_task_t *task = child->task;

    if (child->ret != NULL) {
        memcpy(child->ret, uva__task_ret(task), task->coro->ret_bytes);
    }
}

/* Judge the end of a child for its group. asyncio: taskgroups.py,
 * TaskGroup._on_task_done: a cancelled child is no failure. */
static void child_ended(uva__group_t *group, const uva__group_child_t *child)
{
    uva_task_t *task = child->task;
    int code;

    if (uva_future_cancelled(UVA_FUTURE(task))) {
        return;
    }
    code = uva__future_code(&task->base);
    if (code < 0) {
        uva__group_add_error(group, code, uva_future_error(&task->base));
        if (group->policy == UVA_GROUP_FAIL_FAST) {
            uva__group_fail(group);
        }
        return;
    }
    child_give(child);
    if (group->policy == UVA_GROUP_FIRST_SUCCESS) {
        group->succeeded = true;
        group->cancelled = true;
        uva__group_cancel(group);
    }
}

/* The record of a child has run, or its loop closes. It leaves before its end
 * is judged: what the group does then is for the other children. */
static void child_done(uva__ready_t *ready)
{
    uva__group_child_t *child =
        UVA__CONTAINER_OF(ready, uva__group_child_t, record.ready);
    uva_task_t *task = child->task;
    uva__group_t *group = child->group;

    if (group != NULL) {
        child_leave(group, child);
        child_ended(group, child);
    }
    uva__slab_put(&task->base.loop->slab, child, sizeof *child);
    uva_task_unref(task);
}

/* For the call graph: the parent waits for the child. */
static uva_future_t *child_waiter(uva__ready_t *ready)
{
    const uva__group_t *group =
        UVA__CONTAINER_OF(ready, uva__group_child_t, record.ready)->group;

    return group == NULL ? NULL : &group->scope.task->base;
}

static const uva__ready_ops_t child_ops = {
    .run = child_done, .waiter = child_waiter, .drop = child_done};

/* The children keep their memory: each frees it when its record runs. */
void uva__group_cut_children(uva__group_t *group)
{
    UVA__LIST_FOREACH_SAFE(child, &group->children, uva__group_child_t, link)
    {
        uva__list_remove(&child->link);
        uva__list_remove(&child->queue);
        child->group = NULL;
        (void)uva_task_cancel(child->task);
    }
}

/* --- making a child --- */

/* @return 0, or why no child can be made: UV_EPERM does not fail the group, as
 * asyncio's RuntimeError does not. */
static int group_open(const uva__group_t *group)
{
    if (group->state != UVA__GROUP_ENTERED &&
        (group->state != UVA__GROUP_EXITING ||
         uva__list_empty(&group->children))) {
        return UV_EPERM;
    }
    return group->aborting ? UV_EPERM : 0;
}

/* Enter a child without a task into the group, with a turn if one is free.
 * child_adopt must follow. @return 0, or why there is no child. */
static int child_begin(uva__group_t *group,
                       birth_t *ret_birth,
                       void *ret,
                       const char *function)
{
    uva__group_child_t *child;
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
        uva__group_add_error(group, UV_ENOMEM, NULL);
        uva__group_fail(group);
        return UV_ENOMEM;
    }
    *child = (uva__group_child_t){
        .record = {.ready = {NULL, &child_ops}}, .group = group, .ret = ret};
    uva__list_append(&group->children, &child->link);
    if (group->running < group->max_running) {
        child_take_turn(group, child);
    }
    ret_birth->child = child;
    /* Without a turn the body must not run before child_hold, even eagerly. */
    ret_birth->starts_late = ret_birth->loop->tasks.defers_starts;
    ret_birth->loop->tasks.defers_starts = !child->running;
    return 0;
}

/* The task could not be made: the child leaves, and the group fails. */
static uva_task_t *child_refused(const birth_t *birth, uva_task_t *refused)
{
    uva__group_child_t *child = birth->child;
    uva__group_t *group = child->group;

    if (group != NULL) {
        child_leave(group, child);
        uva__group_add_error(
            group, refused == NULL ? UV_ENOMEM : refused->base.code, NULL);
        uva__group_fail(group);
    }
    uva__slab_put(&birth->loop->slab, child, sizeof *child);
    return refused;
}

/* Take in the task that was made for a child. A factory and the task's first
 * step may have run: the group may have ended, or have been lost. */
static uva_task_t *child_adopt(const birth_t *birth, uva_task_t *task)
{
    uva__group_child_t *child = birth->child;
    uva__group_t *group;

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
    /* Read child->group again: the lines above may have changed it. */
    if (child->group != NULL && !child->running) {
        child_hold(child->group, child);
    }
    uva__future_add(&task->base, &child->record);
    return task;
}

uva_task_t *uva__group_make_child(uva__group_t *group,
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
