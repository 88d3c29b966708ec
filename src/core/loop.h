/*
 * struct uva_loop_s, the ready queue, futures and tasks as they are in memory:
 * the one private door, for the core and for io.
 *
 * Rules for io: wake tasks and queue nodes with the functions here, never run
 * user code inside a libuv callback; count operations in flight with
 * uva__loop_op_begin and _end, so that an attached loop stays referenced.
 */
#ifndef UVA__CORE_LOOP_H
#define UVA__CORE_LOOP_H

#include <signal.h>
#include <stdatomic.h>

#include "uva/context.h"
#include "uva/events.h"
#include "uva/futures.h"
#include "uva/tasks.h"
#include "uva/typed.h"

#include "base/assert.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/thread.h"
#include "base/util.h"
#include "base/wheel.h"
#include "core/driver.h"
#include "core/shutdown.h"
#include "stack/exceptions.h"
#include "stack/stacks.h"
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
    UVA__WATCHED = 1u << 3,   /* Something is looked at when it suspends: its
                                 scopes, one that it has left, its canary. */
    UVA__MOVED = 1u << 4,     /* The result was moved out. */
    UVA__RECORDS = 1u << 5,   /* Some callback is a uva__callback_t, or the only
                                 one a gathering future. */
    UVA__RETRIEVED = 1u << 6, /* Somebody looked at the failure. */
    UVA__QUIET = 1u << 7,     /* Never report an unseen failure. */
    UVA__VISITED = 1u << 8,   /* Mark of an algorithm that clears it. */
    UVA__KEEPS = 1u << 9,     /* A task that has an extra, or arguments to drop:
                                 there is more to do at its end. */
    UVA__HELD = 1u << 10,     /* A new task that waits to be let begin, once
                                 its node has come. */
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

/* How a task begins: what is the same for all of a kind. */
typedef struct uva__task_head_s {
    uva_future_t base;
    uva__ready_t ready; /* At the end of a queue. */
    char to_64[16];     /* To index by a shift. */
} uva__task_head_t;

/* A stackful task; the frame follows, as it follows a stackless uva_task_t. */
typedef struct uva__stackful_s {
    uva_task_t task;
    uva__context_t *flow; /* Of the stack it runs on, from its first resume to
                             its end: its own, or that of a coroutine it
                             drives. The stack's owner is a uva_future_t. */
    const char *what;     /* Static: the function it is suspended in. */
} uva__stackful_t;

/* Work for the end of a turn, before the loop polls. */
typedef struct uva__flush_s {
    uva_list_t link; /* Of uva_loop_t.flushes; unlinked before it runs. */
    void (*run)(struct uva__flush_s *flush);
} uva__flush_t;

/* A future that waits for others by nodes among their callbacks, which keep
 * it, while it keeps them: a ring that only the end of the loop can open if the
 * others never are done. */
typedef struct uva__bond_s {
    uva_list_t link; /* Of uva_loop_t.bonds. */
    void (*release)(struct uva__bond_s *bond);
} uva__bond_t;

/* Calls from a loop to io, which keeps state for it. */
typedef struct uva__io_hooks_s {
    void (*send)(uva_loop_t *loop);    /* What a task has collected. */
    void (*abandon)(uva_loop_t *loop); /* No task is left: close all. */
    void (*look)(uva_loop_t *loop);    /* A turn of a loop that others have. */
    void (*closed)(uva_loop_t *loop);  /* The loop is closed. */
} uva__io_hooks_t;

/* Settled when the loop is made. */
typedef struct uva__limits_s {
    size_t max_tasks;
    int32_t steps; /* Between two looks at the outside. */
    bool stack_census;
} uva__limits_t;

/* An iteration costs as much as so many steps, and begins if as many are left:
 * one count bounds both. */
#define UVA__ITERATION_STEPS 3

struct uva_loop_s {
    /* Members that every step touches. */
    uva__ready_t *batch; /* The rest of the running iteration. */
    uva__ready_t *head;  /* What is ready for the next one. */
    uva__ready_t **tail;
    uva_task_t *current;  /* Borrowed. */
    uva__context_t *base; /* Where a task goes that has nobody to go to. */
    int32_t budget;       /* Steps until the next look. */
    void (*direct)(uva__ready_t *ready); /* uva__task_resume: who has it is
                                            switched to straight. NULL in
                                            debug mode, which looks at each
                                            step. */
    void (*starts)(uva__ready_t *ready); /* uva__stackful_start, in the same
                                            way. */
    uva__exceptions_t *exceptions;       /* Of the owner's thread. */
    bool attended; /* The driver is going to drain: no need to tell it. */
    bool stopping; /* Return after the running iteration. */
    bool debug;
    bool spawns_plainly; /* No debug mode, factory or limit on tasks. */
    bool starts_late;    /* No task starts eagerly: one is made whose turn has
                            not come. */

    uva__context_t context;                  /* The loop's own flow. */
    uva__task_head_t heads[UVA__CORO_KINDS]; /* By uva__coro_t.kind. */
    uva__slab_t slab;
    uva__stack_pool_t stacks;
    uva_list_t tasks; /* Of uva_task_t.link, oldest first. */
    size_t task_count;
    size_t call_count; /* Scheduled calls. */
    size_t op_count;   /* Operations in flight. */
    uint64_t iterations;

    uva__wheel_t timers;
    uint64_t apart_ns;      /* From one wake-up for timers to the next. */
    uint64_t calm_ns;       /* There is none before. */
    uva_list_t due;         /* Of uva__timer_t.at.link, in order. */
    uva__ready_t due_ready; /* Queued while due is not empty. */
    uva_list_t flushes;     /* Of uva__flush_t.link. */
    uva_list_t never;       /* Of uva_handle_t.link: calls that never come. */
    uva_list_t bonds;       /* Of uva__bond_t.link: gathers and shields. */
    uva_list_t made;        /* Of uva__extra_t.made, oldest first. */
    uva__ready_t *dying;    /* Of futures that keep others: to be freed. */
    struct uva__scope_s *lost_scopes; /* Of scopes whose task has ended. */
    uint64_t looked_ns;               /* The clock at the last look. */
    uint64_t looked_iterations;
    int32_t looked_budget;
    int32_t fitting_steps; /* How many the next look allows. */
    bool looked_ready;     /* The turn after it left work behind. */

    const uva__driver_t *driver;
    void *driver_data;
    uva__limits_t limits;
    _Atomic(uv_thread_t) thread; /* Whom the loop belongs to. */
    atomic_uint refs;            /* The last one is dropped under the mutex. */
    uint8_t aside;               /* UVA__ASIDE_... */
    bool running;                /* Inside run_forever or run_until_complete. */
    bool hosted;                 /* On an application's uv_loop_t. */
    bool forked;   /* This is a child, and was not told of the fork. */
    bool lost;     /* Somebody else has closed its handles, and it was told. */
    bool alone;    /* Nobody has asked for the uv_loop_t: from outside come but
                      calls of other threads, Ctrl-C, and what io has opened. */
    bool has_io;   /* It has opened something. */
    bool has_late; /* Of its sockets, some that the last poll found are yet to
                      be read. */
    bool closing;  /* uva_loop_close has begun. */
    _Atomic(bool) closed; /* What is left belongs to no thread: mutex. */
    bool driver_open;
    bool inbox_woken;          /* The driver was told of calls in the inbox. */
    bool stuck;                /* Reported, and nothing has run since. */
    bool stuck_outside;        /* Reported once: only an outsider can wake. */
    bool handling;             /* The exception handler runs. */
    bool freeing;              /* The list of the dying is being freed. */
    bool told_left;            /* Of a timeout that was left by return. */
    uva__shutdown_t *shutdown; /* While one is under way. */
    uva__shutdown_t shutdown_place; /* Its memory: to end needs none. */

    uva_exception_handler_cb handler;
    void *handler_data;
    uint64_t slow_ns;
    uva_task_factory_cb factory;
    void *factory_data;
    bool in_factory; /* Tasks that are made now are the factory's own. */
    uva_task_t *interrupt_task;        /* Borrowed: what SIGINT cancels. */
    volatile sig_atomic_t interrupted; /* SIGINT came and was not handled. */
    uva_coroutine_t *coroutine; /* Borrowed: the innermost that is driven by a
                                   callback and not by a task. */
    struct uva__usage_s *usage; /* Stack high-water marks; owned. */
    struct uva__io_s *io;       /* Of src/io; NULL until it opens something. */
    const uva__io_hooks_t *io_hooks; /* Set with it. */

    /* Members that other threads touch, under the mutex. */
    uv_mutex_t mutex;              /* Recursive. */
    _Atomic(uva__ready_t *) inbox; /* Calls, the last of a ring. The owner may
                                      see without the mutex that it is empty. */
    unsigned holds;                /* uva_loop_hold. */
    bool inbox_closed; /* Calls are refused, and dropped in the close. */

    uva_list_t registered; /* Of uva__registry, which has a mutex of its own. */
    uva__forks_t forks;
};

/** The loop whose tasks and callbacks run in this thread. Never NULL: a loop
 * without a task stands for none, so who asks for the task need not ask for the
 * loop. */
extern UVA__TLS uva_loop_t *uva__here;
extern uva_loop_t uva__nowhere;

/** The same; NULL if none. */
static inline uva_loop_t *uva__running(void)
{
    return uva__here == &uva__nowhere ? NULL : uva__here;
}

/** uva__loop_owned where the loop does not run in this thread. */
bool uva__loop_owned_slow(const uva_loop_t *loop, const char *function);

/** Whether the loop belongs to the calling thread. Any thread may ask. */
static inline bool uva__loop_is_owner(const uva_loop_t *loop)
{
    uv_thread_t owner =
        atomic_load_explicit(&loop->thread, memory_order_relaxed);
    uv_thread_t self = uv_thread_self();

    return uv_thread_equal(&self, &owner) != 0;
}

/** Make the calling thread the owner. Others may be asking whether they are. */
static inline void uva__loop_own(uva_loop_t *loop)
{
    if (UVA__UNLIKELY(!uva__loop_is_owner(loop))) {
        atomic_store_explicit(&loop->thread, uv_thread_self(),
                              memory_order_relaxed);
        loop->exceptions = uva__exceptions_here();
        uva__context_self(&loop->context); /* Tools: it is another stack. */
    }
}

/**
 * Whether the calling thread may touch what belongs to the loop. If not, the
 * log names the public function that asks, and the thread. Every public
 * function that is not for any thread asks before it changes anything.
 */
static inline bool uva__loop_owned_for(const uva_loop_t *loop,
                                       const char *function)
{
    return UVA__LIKELY(uva__here == loop) ||
           uva__loop_owned_slow(loop, function);
}

/** The same in the public function itself. */
#define uva__loop_owned(loop) uva__loop_owned_for(loop, __func__)

/** Work is about to be queued while the driver does not look: tell it, and let
 * go first what other threads have queued before. */
void uva__loop_attend(uva_loop_t *loop);

/** Append a node to the ready queue: it runs in the next iteration. */
static inline void uva__loop_push(uva_loop_t *loop, uva__ready_t *ready)
{
    if (UVA__UNLIKELY(!loop->attended)) {
        uva__loop_attend(loop);
    }
    ready->next = NULL;
    *loop->tail = ready;
    loop->tail = &ready->next;
}

/** The same in the drain, where the driver has been told, for a node that is
 * fit to be the last. */
UVA__INLINE void uva__loop_push_last(uva_loop_t *loop, uva__ready_t *ready)
{
    UVA__ASSERT2(loop->attended && ready->next == NULL);
    *loop->tail = ready;
    loop->tail = &ready->next;
}

/** The same for any: what a running task queues. */
UVA__INLINE void uva__loop_push_running(uva_loop_t *loop, uva__ready_t *ready)
{
    ready->next = NULL;
    uva__loop_push_last(loop, ready);
}

/** Begin the next iteration inside a drain: the caller sets loop->batch.
 * @return Its first node; NULL when the budget is used (a stop takes it away),
 * or nothing is ready. */
UVA__INLINE uva__ready_t *uva__loop_next_iteration(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->head;

    if (ready == NULL) {
        return NULL;
    }
    loop->budget -= UVA__ITERATION_STEPS;
    if (UVA__UNLIKELY(loop->budget < 0)) {
        UVA__FORGET(loop->budget);
        loop->budget += UVA__ITERATION_STEPS;
        return NULL;
    }
    loop->iterations++;
    loop->head = NULL;
    loop->tail = &loop->head;
    return ready;
}

/** Drop a node that was taken out of the ready queue of a loop that closes, or
 * that would join it. The library's own run, so that their memory is released;
 * users' calls do not. Both may queue more. */
void uva__ready_drop(uva__ready_t *ready);

/** The uv_loop_t for io, NULL if there is none (any more). */
uv_loop_t *uva__loop_uv(uva_loop_t *loop);

/** Run what is to be done at the end of a turn. */
void uva__loop_flush(uva_loop_t *loop);
/** Have flush->run called at the end of a turn; nothing if it is queued. */
void uva__loop_add_flush(uva_loop_t *loop, uva__flush_t *flush);

static inline void uva__loop_op_begin(uva_loop_t *loop)
{
    loop->op_count++;
}

static inline void uva__loop_op_end(uva_loop_t *loop)
{
    UVA__ASSERT2(loop->op_count > 0);
    loop->op_count--;
}

/** Close a loop that has no task and no operation. */
void uva__loop_close_now(uva_loop_t *loop);
/** Free a closed loop that nothing refers to any more. */
void uva__loop_maybe_free(uva_loop_t *loop);

/** The slow half of uva__loop_enter. */
uva_loop_t *uva__loop_enter_closed(uva_loop_t *loop);
/** Let other threads in again; the loop may be gone then. */
void uva__loop_leave(uva_loop_t *entered);
/** Before references of what belongs to a loop change: any thread may do that
 * once it is closed, one at a time. @return For uva__loop_leave. */
static inline uva_loop_t *uva__loop_enter(uva_loop_t *loop)
{
    return UVA__LIKELY(!loop->closed) ? NULL : uva__loop_enter_closed(loop);
}

/* Timers: fire runs in the loop's drain, at the place in the ready queue where
 * asyncio's handle would run. A timer may be stopped at any moment, and freed
 * then. */

/** @retval UV_ENOMEM Not started. when_ns == UVA_FOREVER never fires. */
int uva__timer_start(uva_loop_t *loop,
                     uva__timer_t *timer,
                     uint64_t when_ns,
                     void (*fire)(uva__timer_t *timer));
void uva__timer_stop(uva_loop_t *loop, uva__timer_t *timer);

/** delay_ns from now on the loop's clock; UVA_FOREVER if beyond its end. */
static inline uint64_t uva__loop_deadline(const uva_loop_t *loop,
                                          uint64_t delay_ns)
{
    uint64_t now_ns = loop->driver->now(loop);

    return delay_ns > UVA_FOREVER - now_ns ? UVA_FOREVER : now_ns + delay_ns;
}

/* Futures. */

static inline bool uva__future_pending(const uva_future_t *future)
{
    return future != NULL && future->state == UVA__FUTURE_PENDING;
}

/*
 * A task that is gathered and that nobody else waits for has no callback node,
 * but the address of the gathering future, marked as odd: when the task is done
 * its own ready node is free to tell that one. So a child costs the gathering
 * future 8 bytes. The second to wait for the task makes a node of the first.
 */

/** The gathering future that alone waits for this one; else NULL. */
static inline uva_future_t *uva__future_gatherer(const uva_future_t *future)
{
    uintptr_t mark = (uintptr_t)future->callbacks;

    return (mark & 1) == 0 ? NULL : (uva_future_t *)(mark - 1);
}

/** Let a gathering future alone wait for a pending task. */
static inline void uva__future_set_gatherer(uva_future_t *future,
                                            uva_future_t *gatherer)
{
    UVA__ASSERT2(future->kind == UVA__KIND_TASK && future->callbacks == NULL);
    future->callbacks = (uva__ready_t *)((uintptr_t)gatherer + 1);
    future->flags |= UVA__RECORDS;
}

/** Give the gathering future that alone waits for this one a node, if there is
 * one, so that others can follow; nothing if it is done, or NULL.
 * @retval UV_ENOMEM It still waits alone. */
int uva__future_make_room(uva_future_t *future);

/** Let a node be the first callback of a pending future. */
UVA__INLINE void uva__future_append_first(uva_future_t *future,
                                          uva__ready_t *ready)
{
    UVA__ASSERT2(future->callbacks == NULL);
    ready->next = ready;
    future->callbacks = ready;
}

/** Append a callback node to those of a pending future. @retval UV_ENOMEM */
static inline int uva__future_append_node(uva_future_t *future,
                                          uva__ready_t *ready)
{
    uva__ready_t *last = future->callbacks;

    if (last == NULL) {
        uva__future_append_first(future, ready);
        return 0;
    }
    if (UVA__UNLIKELY(uva__future_gatherer(future) != NULL)) {
        if (uva__future_make_room(future) < 0) {
            return UV_ENOMEM;
        }
        last = future->callbacks;
    }
    ready->next = last->next;
    last->next = ready;
    future->callbacks = ready;
    return 0;
}

/** The same; queue it if the future is done. */
static inline int uva__future_add_node(uva_future_t *future,
                                       uva__ready_t *ready)
{
    if (future->state != UVA__FUTURE_PENDING) {
        uva__loop_push(future->loop, ready);
        return 0;
    }
    return uva__future_append_node(future, ready);
}

/** Whether futures can be waited for in a loop. NULL and refused ones belong to
 * none. */
bool uva__futures_of_loop(const uva_loop_t *loop,
                          const uva_future_ref_t *futures,
                          size_t count);
/** Before a node is appended to each of them. @retval UVA_EWRONGLOOP
 * @retval UV_ENOMEM */
int uva__futures_admit(const uva_loop_t *loop,
                       const uva_future_ref_t *futures,
                       size_t count);

/** Take a node out of a pending future's callbacks. @return Whether it was
 * there. */
bool uva__future_remove_node(uva_future_t *future, uva__ready_t *ready);

/** Make a plain future's memory into a pending future of a loop. */
uva_future_t *
uva__future_new(uva_loop_t *loop, uva__future_kind_t kind, size_t size);
/** Queue the callbacks of a future that was just done. There are some, and the
 * driver knows that work comes. */
UVA__INLINE void uva__future_wake_nodes(uva_loop_t *loop, uva_future_t *future)
{
    uva__ready_t *last = future->callbacks;

    future->callbacks = NULL;
    *loop->tail = last->next;
    last->next = NULL;
    loop->tail = &last->next;
}

/** End a future and queue its callbacks. */
void uva__future_finish(uva_future_t *future,
                        uva__future_state_t state,
                        int code);
/** Where a done future keeps its result: a task's return value, or the void
 * pointer of a plain future. */
void *uva__future_value(uva_future_t *future);
/** Move the result of a done future out, size bytes: those of a typed task, or
 * a void pointer, which a typed task fills as far as its own result goes.
 * @return 0, its code, or UVA_EINVALIDSTATE. */
int uva__future_take(uva_future_t *future, void *ret, size_t size);
/** uva_join_poll for a result of any size: that of a task, or a void pointer.
 */
int uva__join_poll(uva_future_t *take_future, void *ret, size_t size);
/** The code of a done future; marks it as seen. NULL failed with ENOMEM. */
int uva__future_code(uva_future_t *future);
void uva__future_free(uva_future_t *future);
/** Free a plain future, or what begins with one and has size bytes. */
void uva__plain_free(uva__plain_future_t *future, size_t size);
/** The extra of a future or task, made if it is not there; NULL without
 * memory. */
uva__extra_t *uva__future_extra(uva_future_t *future);
/** The same, not made. */
uva__extra_t *uva__future_has_extra(const uva_future_t *future);
void uva__extra_free(uva_loop_t *loop, uva__extra_t *extra);

static inline uva_future_t *uva__future_ref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED) {
        future->refs++;
    }
    return future;
}

static inline void uva__future_unref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED &&
        --future->refs == 0) {
        uva__future_free(future);
    }
}

/* Gathering futures. */

void uva__gather_free(uva_future_t *future);
/** The gathering future whose child has this callback node; else NULL. */
uva_future_t *uva__gather_of_node(uva__ready_t *ready);
void uva__shield_free(uva_future_t *future);
/** The shield whose inner future has this callback node; else NULL. */
uva_future_t *uva__shield_of_node(uva__ready_t *ready);
/** The task whose uva_wait has hung this node in; else NULL. */
uva_future_t *uva__wait_of_node(uva__ready_t *ready);
/** The parent of the group whose child has this callback node; else NULL. */
uva_task_t *uva__taskgroup_of_node(uva__ready_t *ready);
/** Before a node is appended to a task that was just made, and that its own
 * body may have let be gathered. @return The task; NULL without memory, and it
 * is cancelled and dropped then. */
uva_task_t *uva__task_admit(uva_task_t *take_task);

/* Callbacks and their contexts. */

/** Drop a record that ran, was removed, or never will run. */
void uva__callback_release(uva__callback_t *callback);
/** Run a done callback whose future is done. */
void uva__callback_run(uva__ready_t *ready);
/** A destructor for options that were refused. */
void uva__call_refused(void *data, const uva_call_options_t *options);

/** The context that code runs in at this moment; borrowed; NULL if empty. */
uva_context_t *uva__context_current(void);
/** A reference to a copy of it, or *ret NULL if it is empty.
 * @retval UV_ENOMEM */
int uva__context_copy_current(uva_context_t **ret_context);
/** Make a context (NULL: an empty one) current for a callback; returns the
 * outer one, for uva__context_exit_to. */
uva_context_t *uva__context_enter(uva_context_t *context);
void uva__context_exit_to(uva_context_t *outer);

/* Tasks. */

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
    return (char *)task + task->coro->ret_place;
}

_Static_assert(sizeof(uva_task_t) == UVA__STACKLESS_BYTES &&
                   sizeof(uva__stackful_t) == UVA__STACKFUL_BYTES,
               "the macros of uva/typed.h know the sizes of tasks");

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

/** Fill loop->heads. */
void uva__loop_make_heads(uva_loop_t *loop);
/** Settle loop->spawns_plainly after a change. */
void uva__loop_settle_spawns(uva_loop_t *loop);
/** Make a task whose frame is a copy of args and schedule it. Refuses with a
 * future; drops args then. */
uva_task_t *uva__task_new(uva_loop_t *loop,
                          const uva__coro_t *coro,
                          const void *args,
                          const uva_task_options_t *options,
                          const char *here);
/** The node function of a stackless task. */
void uva__stackless_step(uva__ready_t *ready);
/** The node functions of a stackful task: not begun; begun; begun, and to be
 * cancelled when it yields. */
void uva__stackful_start(uva__ready_t *ready);
void uva__task_resume(uva__ready_t *ready);
void uva__task_resume_cancelled(uva__ready_t *ready);
/** Let the flow of a stack be one that runs tasks, as every idle stack's is. */
void uva__task_prepare_stack(uva__stack_t *stack);
/** Run the first step of a new task now. */
void uva__task_start_eager(uva_task_t *task);
/** End a task whose body returned r, or never ran. */
void uva__task_finish(uva_task_t *task, int r);
/** Deliver a cancellation: its message becomes the task's error record. */
void uva__task_deliver_cancel(uva_task_t *task);
/** Whether a node of a ready queue or callback ring is a task's. */
bool uva__ready_is_task(const uva__ready_t *ready);
/** The name of the function that a task runs. */
const char *uva__task_function(const uva_task_t *task);

/** The running task if it can wait; else NULL. */
static inline uva_task_t *uva__task_current(void)
{
    return uva__here->current;
}

/* Waiters, inline where it counts: what uva_waiter_suspend, _wake and _finish
 * do. */

/** Begin to wait, in no list. The task runs, so its loop is the running one. */
UVA__INLINE int uva__waiter_suspend(uva_task_t *task)
{
    task->waiter.link.next = NULL;
    task->base.phase = UVA__PHASE_WAIT;
    if (UVA__UNLIKELY((task->base.flags & UVA__MUST_CANCEL) != 0)) {
        task->base.flags &= (uint16_t)~UVA__MUST_CANCEL;
        task->base.phase = UVA__PHASE_CANCELLED;
        uva__loop_push(task->base.loop, &task->ready);
    }
    return UVA_PENDING;
}

/** Wake a waiter of a loop that the calling thread owns. */
UVA__INLINE bool uva__waiter_wake(uva_waiter_t *waiter)
{
    uva_task_t *task = uva__task_of_waiter(waiter);

    if (task->base.phase != UVA__PHASE_WAIT) {
        return false;
    }
    task->base.phase = UVA__PHASE_WOKEN;
    uva__loop_push(task->base.loop, &task->ready);
    return true;
}

/** End a wait of the running task that has left its list, if it was in one. */
UVA__INLINE int uva__waiter_finish(uva_task_t *task)
{
    bool cancelled = task->base.phase == UVA__PHASE_CANCELLED ||
                     (task->base.flags & UVA__MUST_CANCEL) != 0;

    task->base.phase = UVA__PHASE_IDLE;
    if (UVA__UNLIKELY(cancelled)) {
        uva__task_deliver_cancel(task);
        return UV_ECANCELED;
    }
    return 0;
}

/* Reports. */

/** Tell the exception handler. */
void uva__report(uva_loop_t *loop,
                 uva_future_t *future,
                 int code,
                 const char *message);

#endif /* UVA__CORE_LOOP_H */
