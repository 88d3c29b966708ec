/*
 * The failures of a task group, and how a group ends early
 * (asyncio.taskgroups: TaskGroup._errors, _abort, _on_task_done).
 *
 * Invariant: a failure is never lost. group->code is set before anything is
 * allocated for it, and the exit of a group with a code fails.
 */
#include "combine/groups.h"

#include "base/alloc.h"
#include "base/errors.h"
#include "base/list.h"
#include "core/failures.h"

/* Allocated with the first failure, so that a group without one stays small. */
struct uva__group_errors_s {
    uva_error_t **members; /* Owned array of owned references. */
    size_t count;
    size_t capacity;
};

/* Make room for one more member. @return Whether there was memory. */
static bool errors_reserve(uva__group_errors_t *errors)
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

void uva__group_add_error(uva__group_t *group,
                          int code,
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
    member =
        error != NULL ? uva_error_ref(error) : uva__error_new(code, NULL, NULL);
    if (member != NULL) {
        group->errors->members[group->errors->count++] = member;
    }
}

void uva__group_free_errors(uva__group_t *group)
{
    uva__group_errors_t *errors = group->errors;

    group->errors = NULL;
    if (errors != NULL) {
        for (size_t i = 0; i < errors->count; i++) {
            uva_error_unref(errors->members[i]);
        }
        uva__free(errors->members);
        uva__free(errors);
    }
}

/* The record of the group takes the array over. Where it cannot be made, the
 * parent fails with UVA_EGROUP alone, and the array stays for the free. */
void uva__group_raise(uva__group_t *group)
{
    uva__group_errors_t *errors = group->errors;
    uva_error_t *error =
        errors == NULL ? NULL
                       : uva__error_group_new(errors->members, errors->count);

    if (error != NULL) {
        group->errors = NULL;
        uva__free(errors);
    }
    uva__task_set_error(group->scope.task, UVA_EGROUP, error);
}

/* --- the early end --- */

/* asyncio: taskgroups.py, TaskGroup._abort. A child that is being made has no
 * task yet: child_adopt sees aborting and cancels it. */
void uva__group_abort(uva__group_t *group)
{
    group->aborting = true;
    UVA__LIST_FOREACH (child, &group->children, uva__group_child_t, link) {
        (void)uva_task_cancel(child->task);
    }
}

/* The parent is left alone while it waits in the exit: the children end, and
 * with the last of them the exit. */
void uva__group_cancel(uva__group_t *group)
{
    if (group->state == UVA__GROUP_ENTERED && !group->parent_cancelled) {
        group->parent_cancelled = true;
        (void)uva_task_cancel(group->scope.task);
    }
    if (!group->aborting) {
        uva__group_abort(group);
    }
}

/* asyncio: taskgroups.py, TaskGroup._on_task_done: the children are asked
 * before the parent. */
void uva__group_fail(uva__group_t *group)
{
    if (!group->aborting && !group->parent_cancelled) {
        uva__group_abort(group);
        group->parent_cancelled = true;
        (void)uva_task_cancel(group->scope.task);
    }
}
