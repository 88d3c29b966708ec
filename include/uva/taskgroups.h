/**
 * @file
 * Task groups: children never outlive the scope.
 */
#ifndef UVA_TASKGROUPS_H
#define UVA_TASKGROUPS_H

#include "uva/tasks.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * A group of child tasks. Embedded; itself allocates nothing; each child costs
 * a node beside the task.
 *
 * The first child that fails cancels the others and the body; the exit waits
 * for all and tells every failure. A cancelled child is no failure. A child
 * that cannot be made fails its group: a refusal is told by the exit. A group
 * that is left without its exit is reported when the task next suspends or
 * ends.
 *
 * @asyncio TaskGroup
 */
typedef struct uva_taskgroup_s {
    /* private */
    uva_task_t *parent;      /* Borrowed: outlives its scopes. */
    uva_list_t children;     /* Of the children's nodes, oldest first. */
    uva_waiter_t *waiter;    /* The parent's, while it waits in the exit. */
    struct uva__group_errors_s *errors; /* Owned; NULL while there are none. */
    int code;                /* A failure that found no memory for a record. */
    int body;                /* What the body returned. */
    int pending;             /* What the exit has to return in the end. */
    uint8_t state;
    bool aborting;
    bool cancelled;          /* By uva_taskgroup_cancel. */
    bool parent_cancelled;   /* The group has cancelled its parent. */
} uva_taskgroup_t;

/**
 * Enter a group.
 * @retval UVA_ENOTASK Not in a task. The exit returns it too.
 * @retval UV_EPERM    It is entered already.
 */
UVA_EXTERN int uva_taskgroup_enter(uva_taskgroup_t *group);

/**
 * Run body(arg) as a child. Children may create siblings.
 *
 * @param options NULL for the defaults.
 * @return Borrowed until the exit returns; when refused a failed future:
 *         UV_EPERM when the group was left or is shutting down, which does not
 *         fail the group (asyncio's RuntimeError goes to the caller). The
 *         destructor of arg runs then.
 * @asyncio TaskGroup.create_task
 */
UVA_EXTERN uva_task_t *
uva_taskgroup_create_task(uva_taskgroup_t *group, uva_coro_cb body, void *arg,
                          const uva_task_options_t *options);

/** Cancel the children and the body; the exit then returns normally. Works
 * from inside, from a child and from outside. @asyncio TaskGroup.cancel (3.15)
 */
UVA_EXTERN void uva_taskgroup_cancel(uva_taskgroup_t *group);

/**
 * Wait for all children and leave the group.
 *
 * @param r What the body returns: a failure cancels the children.
 * @return r, or:
 * @retval UVA_EGROUP   Children, or the body, have failed: the members of the
 *                      error record that the running task ends with if it
 *                      returns this code (uva_task_error gives it before).
 * @retval UV_ECANCELED The task was cancelled from outside.
 * @suspends Only while children run. A cancellation does not end the wait: it
 *           cancels the children.
 */
UVA_EXTERN UVA_CORO int uva_taskgroup_exit(uva_taskgroup_t *group, int r);
/** The poll half of uva_taskgroup_exit; r counts in its first call. */
UVA_EXTERN int uva_taskgroup_exit_poll(uva_taskgroup_t *group, int r);

/** The error record that goes with the last code an awaiting call returned to
 * the running task: text, cause, members. Borrowed until the next await; NULL
 * if there is none. */
UVA_EXTERN const uva_error_t *uva_task_error(void);

UVA_END_DECLS

#endif /* UVA_TASKGROUPS_H */
