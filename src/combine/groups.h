/*
 * A task group as it lies in memory, its failures, and how it ends early.
 *
 * taskgroups.c has the scope that the parent enters and exits,
 * group_children.c makes the children and hears of their ends.
 */
#ifndef UVA__COMBINE_GROUPS_H
#define UVA__COMBINE_GROUPS_H

#include "uva/taskgroups.h"

#include "core/object.h"
#include "core/scopes.h"

typedef struct uva__group_s uva__group_t;
typedef struct uva__group_errors_s uva__group_errors_t;

/* The state of a group; taskgroups.c has the table. */
enum {
    UVA__GROUP_ENTERED,
    UVA__GROUP_EXITING,
    UVA__GROUP_DONE
};

/* One child. Its memory is freed once its record has run or was dropped. */
typedef struct uva__group_child_s {
    uva__record_t record; /* Of the child's callbacks. */
    uva_list_t link;      /* Of uva__group_t.children. */
    uva_list_t queue;     /* Of uva__group_t.queue: waits for its turn. */
    uva_task_t *task;     /* Counted; NULL while it is being made. */
    uva__group_t *group;  /* Borrowed; NULL once the child has left the group,
                             or the group was lost. */
    void *ret;            /* Borrowed: where its result goes; may be NULL. */
    bool running;         /* It has its turn. */
} uva__group_child_t;

/* The entry of a group among the scopes of its parent. */
struct uva__group_s {
    uva__scope_t scope;
    uva_list_t children; /* Of uva__group_child_t.link, oldest first. */
    uva_list_t queue;    /* Of uva__group_child_t.queue, oldest first. */
    size_t running;      /* Children that have their turn. */
    size_t max_running;
    uva_group_policy_t policy;
    uva_waiter_t *waiter; /* Borrowed: the parent's, while it waits in the
                             exit. */
    uva__group_errors_t *errors; /* Owned; NULL while there are none. */
    int code;                    /* Of the last failure; 0 while there is none.
                                    Set even if its record found no memory. */
    int body;                    /* What the body returned. */
    uva_error_t *failure;        /* Counted: the record that goes with body. */
    int pending;                 /* The cancellation that the exit is to return
                                    if no child failed; else 0. */
    unsigned cancelling;         /* Requests that the parent had been told of
                                    before it entered. */
    uint8_t state;               /* UVA__GROUP_... */
    bool aborting;               /* The children were asked to cancel. */
    bool cancelled;              /* By uva_taskgroup_cancel. */
    bool parent_cancelled;       /* The group has cancelled its parent. */
    bool succeeded;              /* A child has, and that was enough. */
};

/** Add a failure: code, and the record that goes with it or NULL. Takes
 * references of its own. Without memory only the code is kept, so that the exit
 * fails in any case. */
void uva__group_add_error(uva__group_t *group,
                          int code,
                          const uva_error_t *error);
/** Forget the failures, but not group->code. */
void uva__group_free_errors(uva__group_t *group);
/** Make the failures the members of one UVA_EGROUP, the error of the parent. */
void uva__group_raise(uva__group_t *group);

/** Ask every child to cancel, and refuse new ones from now on. */
void uva__group_abort(uva__group_t *group);
/** End the group early because it has what it wants: the children, and the body
 * if it still runs. May be called again. */
void uva__group_cancel(uva__group_t *group);
/** End the group early because something failed: the children, and the parent,
 * also while it waits in the exit. Only the first failure does anything. */
void uva__group_fail(uva__group_t *group);

#endif /* UVA__COMBINE_GROUPS_H */
