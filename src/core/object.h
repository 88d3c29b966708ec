/*
 * Futures and tasks as they lie in memory, and the casts between their parts.
 * No function here changes anything.
 */
#ifndef UVA__CORE_OBJECT_H
#define UVA__CORE_OBJECT_H

#include "uva/context.h"
#include "uva/events.h"
#include "uva/futures.h"
#include "uva/stackless.h"
#include "uva/tasks.h"
#include "uva/typed.h"

#include "base/assert.h"
#include "base/list.h"
#include "base/util.h"
#include "stack/switch.h"

/* The work that a node of the ready queue stands for, in the words of reports.
 * All strings are static. */
typedef struct uva__work_s {
    uva_task_t *task; /* Borrowed: the work is a step of it. NULL for none. */
    const char *what;
    const char *function; /* NULL if unknown. */
    const char *source;   /* NULL if unknown. */
} uva__work_t;

/* The functions of a node. Each node has one of these tables, and each table
 * belongs to one kind of node. */
typedef struct uva__ready_ops_s {
    /** The node's turn in the ready queue has come. */
    void (*run)(uva__ready_t *ready);
    /** The future that goes on when the node runs; NULL if there is none. A
     * table may lack this function, which means that there never is one. */
    uva_future_t *(*waiter)(uva__ready_t *ready);
    /** Release what the node keeps: its loop closes or its future is freed, and
     * it never runs. No code of users is called but destructors. */
    void (*drop)(uva__ready_t *ready);
    /** Fill in what the node stands for. Nodes whose table lacks this function
     * are the loop's own work. */
    void (*describe)(uva__ready_t *ready, uva__work_t *work);
    /** The node is a done callback: it keeps its future from the moment that
     * the future is done until the callback has run, or was dropped. */
    bool pins;
} uva__ready_ops_t;

/*
 * A node that stands among a future's callbacks: a ring in the order of
 * registration, linked in both directions, so that a record leaves it at once
 * however many there are. uva__future_append and uva__future_remove put it in
 * and take it out. When the future is done, the record runs in the ready queue.
 */
typedef struct uva__record_s {
    uva__ready_t ready;
    struct uva__record_s *previous; /* NULL before it is appended, and once it
                                       was removed. */
} uva__record_t;

/* Arguments of a task that were lent to it (debug mode). */
typedef struct uva__lent_args_s {
    void (*drop)(uva_loop_t *loop, struct uva__lent_args_s *take_lent);
    uva_task_t *lender;  /* Counted: the task in whose frame they lie. */
    const char *address; /* In the lender's frame; never read. */
} uva__lent_args_t;

/* Members that few futures and tasks need; allocated at the first use. */
typedef struct uva__extra_s {
    char *name;             /* Owned. */
    uva_context_t *context; /* Counted. */
    uva_error_t *error;     /* Counted: of the failure or cancellation; while a
                               task runs, of the last it awaited or named. */
    uint64_t error_at; /* The iteration in which it was set; 0: it is not of the
                          last call. */
    uva_error_t *request; /* Counted: the words of a cancellation that is not
                             delivered yet. */
    struct uva__lent_args_s *lent; /* Owned: an argument that points into a
                                      frame (debug mode). */
    const char *source;            /* Static: where it was made (debug mode). */
    uva_list_t made;               /* Of uva_loop_t.debug.made (debug mode). */
    uva_future_t *owner; /* Borrowed: the future of this extra (debug mode). */
    struct uva__scope_s *scopes; /* Owned: entered, innermost first. */
    uint32_t cancelling;         /* Requests that uva_future_s cannot count. */
    int16_t left_code;  /* The code of a timeout that has cancelled the task and
                           was left by return; 0 if none was, or a later
                           cancellation came. */
    bool error_awaited; /* error came from an await, not from the body. */
} uva__extra_t;

typedef enum uva__future_state_e {
    UVA__FUTURE_PENDING,
    UVA__FUTURE_FINISHED, /* With a result, or a negative code. */
    UVA__FUTURE_CANCELLED
} uva__future_state_t;

/* The core itself knows these numbers. A loop gives the others to the kinds
 * that register, in the order of their first futures. */
typedef enum uva__future_kind_e {
    UVA__KIND_TASK,
    UVA__KIND_COROUTINE, /* No future: a uva_coroutine_t. */
    UVA__KIND_REFUSED,   /* Static; has no loop. */
    UVA__KIND_OTHERS,    /* The first number that a loop gives. */
    UVA__KINDS = 16
} uva__future_kind_t;

/* The functions of the futures of one kind. uva__future_new registers a kind
 * with the loop of the future, in loop->futures.kinds. */
typedef struct uva__kind_ops_s {
    bool settable;        /* uva_future_set_result and the like may end it. */
    bool keeps_others;    /* Freeing it drops references of other futures, so
                             the loop frees these one after another. */
    const char *describe; /* Its name in reports, with an article. */
    /** Free the memory of a future that nobody refers to, and what it keeps.
     * Its callbacks are gone. */
    void (*free)(uva_future_t *future);
    /** The child that is asked as number index when the future is cancelled;
     * false if there are not so many. Kinds with this function begin with a
     * uva__parent_t. */
    bool (*cancel_next)(uva_future_t *future,
                        size_t index,
                        uva_future_t **ret_child);
} uva__kind_ops_t;

enum {
    UVA__MUST_CANCEL = 1u << 0, /* Deliver UV_ECANCELED at the next step. */
    UVA__NEW = 1u << 1,         /* A task whose body has not begun. */
    UVA__STACKLESS = 1u << 2,
    UVA__CHECK_AT_SUSPEND = 1u << 3, /* Its scopes, one that it has left, or its
                                        canary are to be checked then. */
    UVA__MOVED = 1u << 4,            /* The result was moved out. */
    UVA__HAS_CALLBACKS = 1u << 5, /* Some record is, or was, a done callback. */
    UVA__RETRIEVED = 1u << 6,     /* The failure was read. */
    UVA__QUIET = 1u << 7,         /* Never report an unseen failure. */
    UVA__VISITED = 1u << 8,       /* Mark of an algorithm that clears it. */
    UVA__HAS_EXTRA = 1u << 9,     /* A task that has an extra, or arguments to
                                     drop: there is more to do at its end. */
    UVA__WAITS_FOR_START = 1u << 10, /* A new task that waits to be let begin,
                                        once its node has come. */
    /* The five bits from here: the stack that a task wants, as the exponent of
     * its bytes; 0 is the default. */
    UVA__STACK_SHIFT = 11
};

/*
 * The phase of a task's await:
 *
 *   IDLE       nothing; the body runs, or has not started
 *   YIELD      in the ready queue for one iteration
 *   FUTURE     its record stands among the callbacks of waiter.await.future
 *              (counted), or did so and is in the ready queue
 *   WAIT       in the list of a primitive; nobody woke it
 *   WOKEN      woken by uva_waiter_wake, in the ready queue, still in the list
 *   CANCELLED  cancelled while in WAIT, in the ready queue, still in the list
 *   DETACHED   cancelled while in FUTURE in a ring of tasks: its record was
 *              removed and is in the ready queue; the future is pending
 */
typedef enum uva__phase_e {
    UVA__PHASE_IDLE,
    UVA__PHASE_YIELD,
    UVA__PHASE_FUTURE,
    UVA__PHASE_WAIT,
    UVA__PHASE_WOKEN,
    UVA__PHASE_CANCELLED,
    UVA__PHASE_DETACHED
} uva__phase_t;

struct uva_future_s {
    uva__record_t *callbacks; /* The last of a ring; NULL when empty. */
    uva_loop_t *loop;         /* Borrowed: a loop outlives its objects. */
    uint32_t refs;
    int32_t code;  /* Of the failure; of a pending task the waiter's
                      value. */
    uint8_t state; /* uva__future_state_t */
    uint8_t kind;  /* uva__future_kind_t */
    uint16_t flags;
    uint8_t phase;       /* uva__phase_t; tasks only. */
    uint8_t stage;       /* The waiter's; tasks only. */
    uint16_t cancelling; /* Tasks only; those beyond its most in the extra. */
};

/* A registered done callback. */
typedef struct uva__callback_s {
    uva__record_t record;
    uva_future_t *future; /* Borrowed; counted once the future is done. */
    uva_done_cb callback; /* NULL while this is not in use. */
    void *data;
    uva_destroy_cb destroy;
    uva_context_t *context; /* Counted. */
} uva__callback_t;

typedef struct uva__plain_future_s {
    uva_future_t base;
    void *result;
    uva_destroy_cb destroy; /* Of result; NULL if it is borrowed. */
    uva__extra_t *extra;
    uva__callback_t first; /* The first callback needs no memory. */
} uva__plain_future_t;

/* A future that waits for others, its children, and asks them to cancel when it
 * is asked itself. */
typedef struct uva__parent_s {
    uva__plain_future_t plain;
    /* It was asked to cancel, and a child was not done. */
    bool cancel_requested;
    /* The way back of a cancellation that asks the children, valid while one
     * does (cancel.c). */
    struct {
        /* The parent whose child led here; NULL. */
        struct uva__parent_s *parent;
        uva_future_t
            *start;        /* The child, or the future where the walk began. */
        uva_task_t *asker; /* The task that awaits this future and asks. */
        size_t next;       /* The child to be asked next. */
        int answer;
    } cancel_walk;
} uva__parent_t;

struct uva_task_s {
    uva_future_t base;
    union {
        struct {
            uva__ready_t ready; /* Of the ready queue. */
            uva_waiter_t waiter;
        };
        uva__record_t record; /* While it awaits a future: the ready node, and
                                 the first word of the waiter. */
    };
    const uva__coro_t *coro;
    uva_list_t link; /* Of uva_loop_t.tasks.all. */
    uva__extra_t *extra;
};

/* A stackful task; the frame follows, as it follows a stackless uva_task_t. */
typedef struct uva__stackful_s {
    uva_task_t task;
    uva__context_t *flow; /* Borrowed: of the stack it runs on, from its first
                             resume to its end: its own, or that of a coroutine
                             it drives. The stack's owner is a uva_future_t. */
    const char *what;     /* Static: the function it is suspended in. */
} uva__stackful_t;

static inline uva__record_t *uva__record_of_ready(uva__ready_t *ready)
{
    return UVA__CONTAINER_OF(ready, uva__record_t, ready);
}

static inline uva_task_t *uva__task_of_ready(uva__ready_t *ready)
{
    return UVA__CONTAINER_OF(ready, uva_task_t, ready);
}

static inline uva_task_t *uva__task_of_waiter(const uva_waiter_t *waiter)
{
    return UVA__CONTAINER_OF((uintptr_t)waiter, uva_task_t, waiter);
}

static inline bool uva__future_pending(const uva_future_t *future)
{
    return future != NULL && future->state == UVA__FUTURE_PENDING;
}

static inline uva_task_t *uva__future_as_task(uva_future_t *future)
{
    return UVA__CONTAINER_OF(future, uva_task_t, base);
}

static inline bool uva__task_stackless(const uva_task_t *task)
{
    return (task->base.flags & UVA__STACKLESS) != 0;
}

static inline uva__stackful_t *uva__task_stackful(uva_task_t *task)
{
    return UVA__CONTAINER_OF(task, uva__stackful_t, task);
}

/** The context by which a stackful task is left and resumed. */
static inline uva__context_t *uva__task_flow(uva_task_t *task)
{
    return uva__task_stackful(task)->flow;
}

static inline void *uva__task_frame(uva_task_t *task)
{
    return (char *)task + (uva__task_stackless(task) ? sizeof(uva_task_t)
                                                     : sizeof(uva__stackful_t));
}

static inline void *uva__task_ret(uva_task_t *task)
{
    return (char *)(task + 1) + task->coro->ret_place;
}

_Static_assert(offsetof(uva_task_t, record.previous) ==
                   offsetof(uva_task_t, waiter.await.unused),
               "a task that awaits a future has room for its record");
_Static_assert(sizeof(uva_task_t) % 16 == 0 &&
                   sizeof(uva__stackful_t) == sizeof(uva_task_t) + 16,
               "uva__coro_t counts in units of 16 bytes, and its places");

/** The size of a task of this function, with its frame, in units of 16 bytes.
 */
static inline size_t uva__coro_units(const uva__coro_t *coro)
{
    return coro->units + sizeof(uva__stackful_t) / 16;
}

/* The frame of a plain task: body(arg). */
typedef struct uva__plain_frame_s {
    const char *function; /* Static; the body's name or NULL. */
    uva_coro_cb body;
    void *arg;
    uva_destroy_cb arg_destroy;
    uva_destroy_cb result_destroy;
    void *result; /* The body's return value. */
} uva__plain_frame_t;

extern const uva__coro_t uva__plain_coro;

#endif /* UVA__CORE_OBJECT_H */
