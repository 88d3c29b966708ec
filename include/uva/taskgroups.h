/**
 * @file
 * Task groups: children never outlive the scope.
 */
#ifndef UVA_TASKGROUPS_H
#define UVA_TASKGROUPS_H

#include "uva/tasks.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** The policy of a group: what the end of a child means for it. */
typedef enum uva_group_policy_e {
    UVA_GROUP_FAIL_FAST,    /* The first failure cancels the others and the
                               body: asyncio's. */
    UVA_GROUP_COLLECT_ALL,  /* Failures cancel nobody; the exit tells all. */
    UVA_GROUP_FIRST_SUCCESS /* The first success cancels the others and the
                               body, and the exit returns 0; failures count
                               only if none succeeds. */
} uva_group_policy_t;

/** Settings of a group; zero means default. */
typedef struct uva_taskgroup_options_s {
    size_t size; /* sizeof(uva_taskgroup_options_t). */
    uva_group_policy_t policy;
    size_t max_running; /* Children that have begun and not ended; others wait
                           for their turn in order of creation. Default no
                           bound. */
} uva_taskgroup_options_t;

/** The defaults. */
#define UVA_TASKGROUP_OPTIONS_INIT                              \
    {                                                           \
        sizeof(uva_taskgroup_options_t), UVA_GROUP_FAIL_FAST, 0 \
    }

/**
 * A group of child tasks. Embedded; costs the task a small object, and each
 * child a node beside its own.
 *
 * The first child that fails cancels the others and the body; the exit waits
 * for all and tells every failure. A cancelled child is no failure. A child
 * that cannot be made fails its group: a refusal is told by the exit. A group
 * that is left without its exit is reported when the task next suspends, or at
 * the latest when it ends; its children are cancelled then.
 *
 * @asyncio TaskGroup
 */
typedef struct uva_taskgroup_s {
    /* private */
    struct uva__scope_s *entry; /* Its part that belongs to the task; NULL
                                   outside of enter and exit. */
    int code;                   /* Why it could not be entered. */
} uva_taskgroup_t;

/**
 * Enter a group.
 * @retval UVA_ENOTASK Not in a task. The exit returns it too.
 * @retval UV_ENOMEM   It makes no children. The exit returns it too.
 * @retval UV_EPERM    It is entered already.
 */
UVA_EXTERN int uva_taskgroup_enter(uva_taskgroup_t *group);
/** @param options NULL for the defaults.
 * @retval UV_EINVAL An option is out of its range; the exit returns it too. */
UVA_EXTERN int uva_taskgroup_enter_with(uva_taskgroup_t *group,
                                        const uva_taskgroup_options_t *options);

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
uva_taskgroup_create_task(uva_taskgroup_t *group,
                          uva_coro_cb body,
                          void *arg,
                          const uva_task_options_t *options);

/** Cancel the children and the body; the exit then returns normally, unless
 * somebody else cancels the task. Works from inside, from a child and from
 * outside. @asyncio TaskGroup.cancel (3.15) */
UVA_EXTERN void uva_taskgroup_cancel(uva_taskgroup_t *group);

/** uva_taskgroup_cancel, then uva_taskgroup_exit of a body that succeeded.
 * Whom the exit refuses cancels nothing. For stackful tasks only. */
UVA_EXTERN UVA_CORO UVA_NODISCARD int
uva_taskgroup_cancel_and_wait(uva_taskgroup_t *group);

/**
 * Wait for all children and leave the group. When the task that entered it has
 * ended, nothing is left to wait for.
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
UVA_EXTERN UVA_CORO UVA_NODISCARD int uva_taskgroup_exit(uva_taskgroup_t *group,
                                                         int r);
/** The poll half of uva_taskgroup_exit; r counts in its first call. */
UVA_EXTERN UVA_NODISCARD int uva_taskgroup_exit_poll(uva_taskgroup_t *group,
                                                     int r);

/** The error record of the last failure that the running task was told of since
 * it last suspended: text, cause, members; of a cancellation the message.
 * Borrowed until the next await; NULL if that failure has none.
 * @asyncio sys.exception() */
UVA_EXTERN const uva_error_t *uva_task_error(void);

UVA_END_DECLS

#endif /* UVA_TASKGROUPS_H */
