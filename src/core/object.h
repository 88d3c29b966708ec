/*
 * Futures and tasks as they lie in memory, and the casts between their parts.
 * No function here does more than that.
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

/* Members that few futures and tasks need; allocated at the first use. */
typedef struct uva__extra_s {
    char *name;             /* Owned. */
    uva_context_t *context; /* Counted. */
    uva_error_t *error;     /* Counted: of the failure or cancellation; while a
                               task runs, of the last it awaited or named. */
    uint64_t error_at;      /* The iteration that told of it; 0: of another. */
    uva_error_t *request;   /* Counted: the words of a cancellation that is to
                               be delivered. */
    uva_task_t *lender;     /* Counted: in whose frame an argument points
                               (debug mode). */
    const char *lent;       /* The address; never read. */
    const char *source;     /* Static: where it was made (debug mode). */
    uva_list_t made;        /* Of uva_loop_t.made (debug mode). */
    uva_future_t *owner;    /* Borrowed: whose this is (debug mode). */
    struct uva__scope_s *scopes; /* Owned: entered, innermost first. */
    uint32_t cancelling;         /* Requests that uva_future_s cannot count. */
    int16_t left_code;           /* Of a timeout that was left by return when it
                                    had cancelled the task, and nobody since. */
    bool error_awaited; /* error came from an await, not from the body. */
} uva__extra_t;

typedef enum uva__future_state_e {
    UVA__FUTURE_PENDING,
    UVA__FUTURE_FINISHED, /* With a result, or a negative code. */
    UVA__FUTURE_CANCELLED
} uva__future_state_t;

typedef enum uva__future_kind_e {
    UVA__KIND_PLAIN,
    UVA__KIND_TASK,
    UVA__KIND_GATHER,
    UVA__KIND_SHIELD,
    UVA__KIND_COROUTINE, /* No future: a uva_coroutine_t. */
    UVA__KIND_REFUSED    /* Static; has no loop. */
} uva__future_kind_t;

enum {
    UVA__MUST_CANCEL = 1u << 0, /* Deliver UV_ECANCELED at the next step. */
    UVA__NEW = 1u << 1,         /* A task whose body has not begun. */
    UVA__STACKLESS = 1u << 2,
    UVA__CHECK_AT_SUSPEND = 1u << 3, /* Its scopes, one that it has left, or its
                                        canary are to be checked then. */
    UVA__MOVED = 1u << 4,            /* The result was moved out. */
    UVA__RECORDS = 1u << 5,   /* Some callback is a uva__callback_t, or the only
                                 one a gathering future. */
    UVA__RETRIEVED = 1u << 6, /* Somebody looked at the failure. */
    UVA__QUIET = 1u << 7,     /* Never report an unseen failure. */
    UVA__VISITED = 1u << 8,   /* Mark of an algorithm that clears it. */
    UVA__KEEPS = 1u << 9,     /* A task that has an extra, or arguments to drop:
                                 there is more to do at its end. */
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
 *   FUTURE     its ready node is a callback of waiter.future (counted), or was
 *              and is in the ready queue
 *   WAIT       in the list of a primitive; nobody woke it
 *   WOKEN      woken by uva_waiter_wake, in the ready queue, still in the list
 *   CANCELLED  cancelled while in WAIT, in the ready queue, still in the list
 *   TORN       cancelled while in FUTURE in a ring of tasks: in the ready queue
 *              and no more a callback; the future is pending
 */
typedef enum uva__phase_e {
    UVA__PHASE_IDLE,
    UVA__PHASE_YIELD,
    UVA__PHASE_FUTURE,
    UVA__PHASE_WAIT,
    UVA__PHASE_WOKEN,
    UVA__PHASE_CANCELLED,
    UVA__PHASE_TORN
} uva__phase_t;

struct uva_future_s {
    uva__ready_t *callbacks; /* The last of a ring; NULL when empty. Of a task
                                also a gathering future, and nobody else: see
                                uva__future_gatherer. */
    uva_loop_t *loop;        /* Borrowed: a loop outlives its objects. */
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
    uva__ready_t ready;
    uva_future_t *future; /* Borrowed, counted once it is pinned. */
    uva_done_cb callback; /* NULL while this is not in use. */
    void *data;
    uva_destroy_cb destroy;
    uva_context_t *context; /* Counted. */
    bool pinned; /* The future is done: the record keeps it until it ran. */
} uva__callback_t;

typedef struct uva__plain_future_s {
    uva_future_t base;
    void *result;
    uva_destroy_cb destroy; /* Of result; NULL if it is borrowed. */
    uva__extra_t *extra;
    uva__callback_t first; /* The first callback needs no memory. */
} uva__plain_future_t;

struct uva_task_s {
    uva_future_t base;
    uva__ready_t ready; /* Of the ready queue, or of a future's callbacks. */
    uva_waiter_t waiter;
    const uva__coro_t *coro;
    uva_list_t link; /* Of uva_loop_t.tasks. */
    uva__extra_t *extra;
};

/* A stackful task; the frame follows, as it follows a stackless uva_task_t. */
typedef struct uva__stackful_s {
    uva_task_t task;
    uva__context_t *flow; /* Of the stack it runs on, from its first resume to
                             its end: its own, or that of a coroutine it
                             drives. The stack's owner is a uva_future_t. */
    const char *what;     /* Static: the function it is suspended in. */
} uva__stackful_t;

static inline uva_task_t *uva__task_of_ready(uva__ready_t *ready)
{
    return UVA__CONTAINER_OF(ready, uva_task_t, ready);
}

static inline uva_task_t *uva__task_of_waiter(const uva_waiter_t *waiter)
{
    return UVA__CONTAINER_OF((uintptr_t)waiter, uva_task_t, waiter);
}

static inline uva_task_t *uva__future_as_task(uva_future_t *future)
{
    return UVA__CONTAINER_OF(future, uva_task_t, base);
}

static inline bool uva__task_stackless(const uva_task_t *task)
{
    return (task->base.flags & UVA__STACKLESS) != 0;
}

static inline void *uva__task_frame(uva_task_t *task)
{
    return (char *)task + (uva__task_stackless(task) ? sizeof(uva_task_t)
                                                     : sizeof(uva__stackful_t));
}

static inline void *uva__task_ret(uva_task_t *task)
{
    return (char *)uva__task_frame(task) + task->coro->ret_place;
}

_Static_assert(sizeof(uva_task_t) % 16 == 0 &&
                   sizeof(uva__stackful_t) == sizeof(uva_task_t) + 16,
               "uva__coro_units counts in units of 16 bytes");

/** Of 16 bytes: a task of this function, with its frame. */
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
