/*
 * struct uva_loop_s.
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

/* Work for the end of a turn, before the loop polls. */
typedef struct uva__flush_s {
    uva_list_t link; /* Of uva_loop_t.flushes; unlinked before it runs. */
    void (*run)(struct uva__flush_s *flush);
} uva__flush_t;

/* A cycle of references: a future waits for others by records among their
 * callbacks, which keep it, while it keeps them. If the others are never done,
 * only the end of the loop opens the cycle. */
typedef struct uva__cycle_s {
    uva_list_t link; /* Of uva_loop_t.cycles. */
    void (*open)(struct uva__cycle_s *cycle);
} uva__cycle_t;

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
    /* Nodes with these tables are tasks that the switch takes by itself: begun,
     * and new. NULL in debug mode, where the loop looks at each step. */
    const uva__ready_ops_t *resume_ops;
    const uva__ready_ops_t *start_ops;
    uva__exceptions_t *exceptions; /* Of the owner's thread. */
    bool attended; /* The driver is going to drain: no need to tell it. */
    bool stopping; /* Return after the running iteration. */
    bool debug;
    bool spawns_plainly; /* No debug mode, factory or limit on tasks. */
    bool starts_late;    /* No task starts eagerly: one is made whose turn has
                            not come. */

    uva__context_t context; /* The loop's own flow. */
    uva__slab_t slab;
    uva__stack_pool_t stacks;
    uva_list_t tasks; /* Of uva_task_t.link, oldest first. */
    size_t task_count;
    size_t call_count; /* Scheduled calls. */
    size_t op_count;   /* Operations in flight. */
    uint64_t iterations;

    uva__wheel_t timers;
    uva_list_t due;          /* Of uva__timer_t.at.link, in order. */
    uva__ready_t due_ready;  /* Queued while due is not empty. */
    uva_list_t flushes;      /* Of uva__flush_t.link. */
    uva_list_t never;        /* Of uva_handle_t.link: calls that never come. */
    uva_list_t cycles;       /* Of uva__cycle_t.link. */
    uva_list_t made;         /* Of uva__extra_t.made, oldest first. */
    uva__ready_t *free_list; /* Of futures that keep others: to be freed. */
    const uva__kind_ops_t *kinds[UVA__KINDS]; /* By uva_future_t.kind. */
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
    bool forked;  /* This is a child, and was not told of the fork. */
    bool lost;    /* Somebody else has closed its handles, and it was told. */
    bool alone;   /* Nobody has asked for the uv_loop_t: from outside come but
                     calls of other threads, Ctrl-C, and what services have
                     opened. */
    bool polls;   /* A service has opened something: only a poll tells what has
                     come to it. */
    bool behind;  /* A service has still to work off what the last poll found:
                     the next poll can wait. */
    bool closing; /* uva_loop_close has begun. */
    _Atomic(bool) closed; /* What is left belongs to no thread: mutex. */
    bool driver_open;
    bool inbox_woken;   /* The driver was told of calls in the inbox. */
    bool stuck;         /* Reported, and nothing has run since. */
    bool stuck_outside; /* Reported once: only an outsider can wake. */
    bool handling;      /* The exception handler runs. */
    bool freeing;       /* The free list is being freed. */
    bool told_left;     /* Of a timeout that was left by return. */
    void (*tell_left)(uva_loop_t *loop); /* Debug mode: say what keeps a closed
                                            loop in memory. */
    uva__shutdown_t *shutdown;           /* While one is under way. */
    uva__shutdown_t shutdown_place;      /* Its memory: to end needs none. */

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
    uva__usage_t *usage;        /* Stack high-water marks; owned. */
    uva__service_t *services[UVA__SERVICES]; /* Each NULL until it is used; they
                                                free themselves. */

    /* Members that other threads touch, under the mutex. */
    uv_mutex_t mutex;              /* Recursive. */
    _Atomic(uva__ready_t *) inbox; /* Calls, the last of a ring. The owner may
                                      see without the mutex that it is empty. */
    unsigned holds;                /* uva_loop_hold. */
    bool inbox_closed; /* Calls are refused, and dropped in the close. */

    uva_list_t registered; /* Of uva__registry, which has a mutex of its own. */
    uva__forks_t forks;
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

/** Make a loop, and its driver. */
int uva__loop_new(const uva_loop_options_t *options,
                  uva__driver_open_cb open_driver,
                  uv_loop_t *host,
                  uva_loop_t **ret_loop);

/** The uv_loop_t for a service, NULL if there is none (any more). */
uv_loop_t *uva__loop_uv(uva_loop_t *loop);

/** Close a loop that has no task and no operation. */
void uva__loop_close_now(uva_loop_t *loop);
/** The driver let go. */
void uva__loop_closed(uva_loop_t *loop);

#endif /* UVA__CORE_LOOP_H */
