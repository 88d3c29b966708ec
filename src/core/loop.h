/*
 * A loop as it lies in memory, in named parts. The members that every step
 * touches stand first. All members but closed, thread, refs, the mutex,
 * registered, the inbox and two of debug are the owner thread's alone.
 */
#ifndef UVA__CORE_LOOP_H
#define UVA__CORE_LOOP_H

#include <signal.h>
#include <stdatomic.h>

#include "uva/events.h"
#include "uva/futures.h"
#include "uva/tasks.h"

#include "base/assert.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/thread.h"
#include "base/wheel.h"
#include "core/driver.h"
#include "core/object.h"
#include "core/services.h"
#include "core/shutdown.h"
#include "stack/exceptions.h"
#include "stack/measure.h"
#include "stack/stacks.h"
#include "stack/switch.h"

/* Work that is put off to the end of a turn, before the loop polls. */
typedef struct uva__flush_s {
    uva_list_t link; /* Of uva_loop_t.turn.flushes; unlinked before it runs. */
    void (*run)(struct uva__flush_s *flush);
} uva__flush_t;

/* A cycle of references: a future waits for others by records among their
 * callbacks, which keep it, while it keeps them. If the others are never done,
 * only the end of the loop opens the cycle. */
typedef struct uva__cycle_s {
    uva_list_t link; /* Of uva_loop_t.futures.cycles. */
    void (*open)(struct uva__cycle_s *cycle);
} uva__cycle_t;

/* The limits of a loop, which are settled when it is made. */
typedef struct uva__limits_s {
    size_t max_tasks;
    int32_t steps; /* In one poll round. */
    bool stack_census;
} uva__limits_t;

/* To begin an iteration costs as much of the budget as this many steps, and
 * needs as many: so one number bounds both steps and iterations. */
#define UVA__ITERATION_STEPS 3

/* The ready queue, and the drain that works it off. */
typedef struct uva__loop_ready_s {
    uva__ready_t *batch; /* The rest of the running iteration. */
    uva__ready_t *head;  /* The nodes for the next iteration. */
    uva__ready_t **tail;
    int32_t budget; /* Steps until the next poll round. */
    bool draining;  /* A drain follows in any case: the driver need not be told
                       of new work. */
    uint64_t iterations;
} uva__loop_ready_t;

/* The task that runs at this moment, and how tasks are resumed. */
typedef struct uva__loop_step_s {
    uva_task_t *current; /* Borrowed. */
    /* The flow that goes on when a task suspends and no task is next. */
    uva__context_t *base;
    /* The switch resumes nodes with these tables by itself: tasks that have
     * begun, and new ones. NULL in debug mode, where every step goes through
     * the loop. */
    const uva__ready_ops_t *resume_ops;
    const uva__ready_ops_t *start_ops;
    uva__exceptions_t *exceptions; /* Of the owner's thread. */
    uva_coroutine_t *coroutine; /* Borrowed: the innermost that is driven by a
                                   callback and not by a task. */
    uva__context_t context;     /* The loop's own flow. */
} uva__loop_step_t;

/* The tasks, and how they are made. */
typedef struct uva__loop_tasks_s {
    bool fast_spawn; /* No debug mode, factory or limit on tasks. */
    /* No task starts eagerly meanwhile: a task is being made that is to begin
     * later. */
    bool defers_starts;
    /* The factory runs: tasks that are made now are its own. */
    bool in_factory;
    size_t count;   /* Of all. */
    uva_list_t all; /* Of uva_task_t.link, oldest first. */
    uva_task_factory_cb factory;
    void *factory_data;
} uva__loop_tasks_t;

/* Scheduled calls. */
typedef struct uva__loop_calls_s {
    size_t count;     /* Of the ready queue, the timers and never. */
    uva_list_t never; /* Of uva_handle_t.link: calls that never come. */
} uva__loop_calls_t;

/* Deadlines. */
typedef struct uva__loop_timers_s {
    uva__wheel_t wheel;
    uva_list_t due;         /* Of uva__timer_t.at.link, in order. */
    uva__ready_t due_ready; /* Queued while due is not empty. */
    /* No timer makes the kernel wake the loop before this. */
    uint64_t next_wake_ns;
} uva__loop_timers_t;

/* Futures that keep others. */
typedef struct uva__loop_futures_s {
    const uva__kind_ops_t *kinds[UVA__KINDS]; /* By uva_future_t.kind. */
    uva_list_t cycles;                        /* Of uva__cycle_t.link. */
    /* Futures that keep others, and that are to be freed. */
    uva__ready_t *free_list;
    bool freeing; /* free_list is being worked off. */
} uva__loop_futures_t;

/* One turn, and the poll rounds in it. */
typedef struct uva__loop_turn_s {
    uva_list_t flushes;        /* Of uva__flush_t.link. */
    uint64_t round_ns;         /* The clock at the last poll round. */
    uint64_t round_iterations; /* Iterations until then. */
    int32_t round_budget;      /* The budget that it had. */
    int32_t fitting_steps;     /* The budget of the next one. */
    /* The last turn ended with work left, so the loop has not slept since. */
    bool left_work;
    uva_task_t *interrupt_task;        /* Borrowed: SIGINT cancels it. */
    volatile sig_atomic_t interrupted; /* SIGINT came and was not handled. */
} uva__loop_turn_t;

/* Reports to the exception handler, and to the log. */
typedef struct uva__loop_reports_s {
    uva_exception_handler_cb handler;
    void *handler_data;
    bool handling; /* The exception handler runs. */
    /* The log says that nothing wakes the tasks; nothing has run since. */
    bool stuck;
    /* The log says that only another thread or a host can. */
    bool stuck_outside;
} uva__loop_reports_t;

/* Debug mode, and stack usage. */
typedef struct uva__loop_debug_s {
    bool enabled;
    uint64_t slow_ns;
    uva_list_t made; /* Of uva__extra_t.made, oldest first. */
    /* Logs what keeps a closed loop in memory; NULL without debug mode. */
    void (*tell_left)(uva_loop_t *loop);
    uva__usage_t *usage; /* Stack high-water marks; owned. */
    /* Owned; NULL without a watchdog. Changes under the registry's lock. */
    struct uva__watchdog_s *watchdog;
    /* The owner's, while there is a watchdog: uva__thread_number. */
    atomic_uint thread_number;
} uva__loop_debug_t;

/* Scopes that were left without their exit. */
typedef struct uva__loop_scopes_s {
    struct uva__scope_s *lost; /* Of scopes whose task has ended. */
    bool warned_left; /* The log says that a timeout was left by return. */
} uva__loop_scopes_t;

/* The driver, and what is known of the world outside of the loop. */
typedef struct uva__loop_driver_s {
    const uva__driver_t *ops;
    void *data;
    bool open;   /* It has not let go. */
    bool hosted; /* On an application's uv_loop_t. */
    /* This process is a child, and uva_loop_fork was not called. */
    bool forked;
    bool lost; /* The host has closed its handles, which was reported. */
    /* No code outside of uva has the uv_loop_t: from outside come only calls of
     * other threads, Ctrl-C, and events of what services have opened. */
    bool exclusive;
    uint8_t aside; /* UVA__ASIDE_... */
    uva__forks_t forks;
} uva__loop_driver_t;

/* Calls of other threads: under the mutex, but for woken. */
typedef struct uva__loop_inbox_s {
    _Atomic(uva__ready_t *) last; /* Calls, the last of a ring. The owner may
                                      see without the mutex that it is empty. */
    unsigned holds;               /* uva_loop_hold. */
    bool closed; /* Calls are refused, and dropped in the close. */
    bool woken;  /* libuv has told that calls are in the inbox. */
} uva__loop_inbox_t;

struct uva_loop_s {
    uva__loop_ready_t ready;
    uva__loop_step_t step;
    bool stopping; /* Return after the running iteration. */
    /* Inside uva_loop_run_forever or uva_loop_run_until_complete. */
    bool running;
    bool closing; /* uva_loop_close has begun. */
    /* From then on any thread may drop references of the loop and of its
     * objects, under the mutex. */
    _Atomic(bool) closed;
    bool polls;  /* A service has used libuv on this loop: only a poll shows its
                    events. */
    bool behind; /* A service has not worked off all that the last poll found:
                    the next poll can wait. */
    /* shutdown_place, while a shutdown is under way. */
    uva__shutdown_t *shutdown;
    size_t op_count; /* Operations in flight. */
    size_t wakers;   /* Signals that are watched: one may wake a task at any
                        time, and none keeps the loop running. */
    uva__loop_tasks_t tasks;
    uva__slab_t slab;
    uva__stack_pool_t stacks;
    uva__loop_timers_t timers;
    uva__loop_turn_t turn;
    uva__loop_calls_t calls;
    uva__loop_futures_t futures;
    uva__loop_driver_t driver;
    uva__limits_t limits;
    uva__loop_reports_t reports;
    uva__loop_debug_t debug;
    uva__loop_scopes_t scopes;
    _Atomic(uv_thread_t) thread; /* The thread that owns the loop. */
    atomic_uint refs;            /* The last one is dropped under the mutex. */
    /* Lies in the loop, so that to end one needs no memory. */
    uva__shutdown_t shutdown_place;
    uva__service_t *services[UVA__SERVICES]; /* Each NULL until it is used; they
                                                free themselves. */
    uv_mutex_t mutex;                        /* Recursive. */
    uva_list_t registered; /* Of uva__registry, which has a mutex of its own. */
    uva__loop_inbox_t inbox;
};

static inline void uva__loop_op_begin(uva_loop_t *loop)
{
    loop->op_count++;
}

static inline void uva__loop_op_end(uva_loop_t *loop)
{
    UVA__ASSERT2(loop->op_count > 0);
    loop->op_count--;
}

/** Make a loop with a driver, for the public functions of the drivers. host is
 * the application's uv_loop_t, or NULL. @param[out] ret_loop New reference;
 * unset on failure. */
int uva__loop_new(const uva_loop_options_t *options,
                  uva__driver_open_cb open_driver,
                  uv_loop_t *host,
                  uva_loop_t **ret_loop);

/** The uv_loop_t for a service, borrowed. NULL if the driver has none, if the
 * loop is closed, or if the host has closed its handles. From then on the loop
 * polls in every turn. */
uv_loop_t *uva__loop_uv(uva_loop_t *loop);

/** Close a loop that has no task and no operation: drop everything that is
 * scheduled, then let the driver go, which calls uva__loop_closed at once or in
 * the host's next turn. */
void uva__loop_close_now(uva_loop_t *loop);
/** The driver has let go: the loop ends. It may be freed by this. */
void uva__loop_closed(uva_loop_t *loop);

#endif /* UVA__CORE_LOOP_H */
