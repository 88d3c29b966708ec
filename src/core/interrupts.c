/*
 * SIGINT and SIGTERM of a run (asyncio.runners, the part with signals; asyncio
 * has SIGINT alone).
 *
 * Invariant: the handler of a signal is this file's exactly while one runner of
 * the process runs its main task, and only if the signal had its default
 * action. The handler does what is safe in a handler: it counts, and wakes the
 * loop. In the child of a fork the parent's run does not go on, so that the
 * signals have their default action there.
 */
#include "core/interrupts.h"

#include <stdatomic.h>
#include <string.h>

#include "base/util.h"
#include "core/driver.h"
#include "core/object.h"

/* A signal that ends a run. */
typedef struct interrupt_s {
    int number;
    _Atomic(bool) watched;  /* Its handler was set for the present run. */
    struct sigaction outer; /* The action that was there before. */
} interrupt_t;

static interrupt_t interrupts[] = {{.number = SIGINT}, {.number = SIGTERM}};

#define INTERRUPTS_EACH(interrupt)                                          \
    for (interrupt_t *interrupt = interrupts;                               \
         interrupt < interrupts + sizeof interrupts / sizeof interrupts[0]; \
         interrupt++)

/* The loop whose main task the signals cancel. */
static _Atomic(uva_loop_t *) interrupt_loop;
/* How many have come since the main task began, and which was the first. */
static volatile sig_atomic_t interrupt_count;
static volatile sig_atomic_t interrupt_first;

/* Take the default action of a signal, in its handler. */
static void interrupt_default(int number)
{
    INTERRUPTS_EACH(interrupt)
    {
        if (interrupt->number == number) {
            (void)sigaction(number, &interrupt->outer, NULL);
        }
    }
    (void)raise(number);
}

/* asyncio: runners.py, Runner._on_sigint. The loop cancels the task in its next
 * turn. atomic_load is safe in a handler: the pointer is lock-free. */
static void interrupt_handler(int number)
{
    uva_loop_t *loop = atomic_load(&interrupt_loop);

    if (loop != NULL && !loop->driver.forked && ++interrupt_count == 1 &&
        !uva_future_done(UVA_FUTURE(loop->turn.interrupt_task))) {
        interrupt_first = number;
        loop->turn.interrupted = 1;
        loop->driver.ops->wake(loop); /* uv_async_send is safe in a handler. */
        return;
    }
    /* The second signal, or the task is done, or this process is a child. */
    interrupt_default(number);
}

static bool interrupt_is_handler(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) == 0 &&
           action->sa_handler == interrupt_handler;
}

/* Set the handler of one signal, if it has its default action. */
static bool interrupt_set(interrupt_t *interrupt)
{
    struct sigaction action;
    bool set;

    if (sigaction(interrupt->number, NULL, &action) < 0 ||
        (action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_DFL) {
        return false;
    }
    interrupt->outer = action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt_handler;
    (void)sigemptyset(&action.sa_mask);
    action.sa_flags = SA_ONSTACK; /* A task's stack is small. */
    set = sigaction(interrupt->number, &action, NULL) == 0;
    atomic_store(&interrupt->watched, set);
    return set;
}

/* Other code may have set a handler meanwhile, which is its own. */
static void interrupt_restore(interrupt_t *interrupt)
{
    struct sigaction current;

    if (interrupt->watched &&
        sigaction(interrupt->number, NULL, &current) == 0 &&
        interrupt_is_handler(&current)) {
        (void)sigaction(interrupt->number, &interrupt->outer, NULL);
    }
    atomic_store(&interrupt->watched, false);
}

bool uva__interrupts_watch(uva_loop_t *loop, uva_task_t *task)
{
    uva_loop_t *none = NULL;
    bool watched = false;

    if (loop->driver.ops->uv(loop) == NULL ||
        !atomic_compare_exchange_strong(&interrupt_loop, &none, loop)) {
        return false;
    }
    interrupt_count = 0;
    interrupt_first = 0;
    loop->turn.interrupted = 0;
    loop->turn.interrupt_task = task;
    INTERRUPTS_EACH(interrupt)
    {
        watched = interrupt_set(interrupt) || watched;
    }
    if (!watched) {
        loop->turn.interrupt_task = NULL;
        atomic_store(&interrupt_loop, NULL);
    }
    return watched;
}

/* asyncio: runners.py, run. Without a signal a cancellation is the user's own.
 */
int uva__interrupts_unwatch(uva_loop_t *loop, uva_task_t *task)
{
    bool asked = interrupt_count > 0 && loop->turn.interrupted == 0;
    int first = interrupt_first;

    INTERRUPTS_EACH(interrupt)
    {
        interrupt_restore(interrupt);
    }
    atomic_store(&interrupt_loop, NULL);
    loop->turn.interrupt_task = NULL;
    loop->turn.interrupted = 0;
    if (first == 0) {
        return 0;
    }
    return (asked ? uva_task_uncancel(task) : uva_task_cancelling(task)) == 0
               ? first
               : 0;
}

void uva__interrupts_settle(int number, struct sigaction *action)
{
    INTERRUPTS_EACH(interrupt)
    {
        if (interrupt->number == number && !interrupt->watched &&
            interrupt_is_handler(action)) {
            *action = interrupt->outer;
        }
    }
}
