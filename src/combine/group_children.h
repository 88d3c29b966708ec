/*
 * The children of a task group: how they are made, wait for their turn, and
 * leave. taskgroups.c alone calls these functions.
 */
#ifndef UVA__COMBINE_GROUP_CHILDREN_H
#define UVA__COMBINE_GROUP_CHILDREN_H

#include "combine/groups.h"

/**
 * Make a task that is a child of the group.
 *
 * The factory and, if it starts eagerly, the body of the child run before this
 * returns: the group may be over, or lost, by then.
 *
 * @param args  Copied into the task's frame; what they own is dropped where no
 *              task is made.
 * @param ret   Where the result of a child that succeeds is copied to, or NULL.
 *              Borrowed until the group's exit.
 * @param here  Static: the caller's source, or NULL.
 * @return The task, borrowed; or a refused future, or NULL without memory.
 * UV_EPERM: the group makes no children any more. Any other failure fails the
 *         group.
 */
uva_task_t *uva__group_make_child(uva__group_t *group,
                                  const uva__coro_t *coro,
                                  const void *args,
                                  const uva_task_options_t *options,
                                  void *ret,
                                  const char *here);

/** Cut the children off from a group that was lost, and cancel them. From then
 * on none of them touches the group. */
void uva__group_cut_children(uva__group_t *group);

#endif /* UVA__COMBINE_GROUP_CHILDREN_H */
