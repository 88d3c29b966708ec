/*
 * What a wait and an as_completed have in common: the futures that they wait
 * for. Each future has a record among its callbacks, until the future is done
 * or the wait is over.
 */
#ifndef UVA__COMBINE_MEMBERS_H
#define UVA__COMBINE_MEMBERS_H

#include "core/loop.h"
#include "core/object.h"

typedef struct uva__members_s uva__members_t;

/* A place in the array of futures. */
typedef struct uva__member_s {
    uva__record_t record; /* Of the future's callbacks. */
    uva_future_t *future; /* Counted; NULL failed with UV_ENOMEM. */
    uva__members_t *members;
    bool counted; /* Not the second place of the same future. */
} uva__member_t;

/* The part in which a wait and an as_completed differ. */
typedef struct uva__members_ops_s {
    size_t bytes; /* Of their state, which begins with a uva__members_t. */
    /** A member is done, and the wait is not over. */
    void (*done)(uva__members_t *members, uva__member_t *member);
    /** The timeout has come. */
    void (*expired)(uva__members_t *members);
} uva__members_ops_t;

struct uva__members_s {
    const uva__members_ops_t *ops;
    uva_loop_t *loop;     /* Borrowed. */
    uva_waiter_t *waiter; /* Borrowed: the task that waits for all of them; NULL
                             if there is none, or it goes on. */
    uva__timer_t timer;
    size_t count; /* Places. */
    size_t left;  /* Futures that are not known to be done; 0 once the wait is
                     over. */
    size_t refs;  /* One for each record that did not run and was not removed,
                     and one of the caller of uva__members_new. */
    uva__member_t *places; /* Behind the state. */
};

/** Begin to wait: make the state of ops->bytes, zeroed behind its members, with
 * one reference. The futures are borrowed, and kept by references of their own;
 * a future that stands there twice counts once. No function of ops is called
 * before this returns.
 * @retval UV_EINVAL Too many futures. @retval UVA_EWRONGLOOP
 * @retval UV_ENOMEM */
int uva__members_new(uva_loop_t *loop,
                     const uva__members_ops_t *ops,
                     const uva_future_ref_t *futures,
                     size_t count,
                     uint64_t timeout_ns,
                     uva__members_t **ret_members);
/** The wait is over: take the records of unfinished futures out and stop the
 * timer. No function of the table is called any more. */
void uva__members_leave(uva__members_t *members);
/** Drop the reference that uva__members_new gave, after uva__members_leave. */
void uva__members_unref(uva__members_t *members);

#endif /* UVA__COMBINE_MEMBERS_H */
