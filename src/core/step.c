/*
 * Stepping tasks of both kinds: start, resume, leave, end.
 *
 * A stackful task that suspends, or ends, switches straight to the next task
 * that is ready, without the detour over the loop's stack. It does just what
 * the loop would do: take the next node, in order, and count the step.
 *
 * Invariant: loop->step.current is the task whose code runs, NULL in callbacks;
 * a task that is not current has been left by a function of step.h, or has not
 * started, or has ended. The flow of an idle stack is one that runs tasks.
 */
#include "uva/coroutines.h"

#include "core/debug.h"
#include "core/ending.h"
#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/scopes.h"
#include "core/services.h"
#include "core/step.h"

static inline uva__stack_t *flow_stack(uva__context_t *flow)
{
    return UVA__CONTAINER_OF(flow, uva__stack_t, context);
}

static inline size_t task_stack_bytes(const uva_task_t *task)
{
    unsigned log2 = (unsigned)task->base.flags >> UVA__STACK_SHIFT;

    return log2 == 0 ? 0 : (size_t)1 << log2;
}

/* Whether a new task was neither cancelled nor told to wait. */
static inline bool task_starts_now(const uva_task_t *task)
{
    return (task->base.flags & (UVA__MUST_CANCEL | UVA__WAITS_FOR_START)) == 0;
}

/* A task that waits for its start begins to wait here, and ends its wait. The
 * body of one that was cancelled before its first step never runs. */
static UVA__NOINLINE bool task_stays_slow(uva_task_t *task)
{
    if ((task->base.flags & UVA__MUST_CANCEL) == 0 &&
        task->base.phase == UVA__PHASE_IDLE) {
        task->base.phase = UVA__PHASE_WAIT;
        return true;
    }
    uva__list_remove(&task->waiter.link);
    if (uva__waiter_finish(task) >= 0) {
        return false;
    }
    uva__task_finish(task, UV_ECANCELED);
    return true;
}

/* Whether a new task does not begin, now or ever. */
static inline bool task_stays(uva_task_t *task)
{
    return UVA__UNLIKELY(!task_starts_now(task)) && task_stays_slow(task);
}

static void stackless_step(uva__ready_t *ready)
{
    uva_loop_t *loop = uva__task_of_ready(ready)->base.loop;

    uva__stackless_step_now(loop, ready);
    loop->step.current = NULL;
}

/* A yield of the body was cancelled: let it go on at the other label. */
static void stackless_cancel_yield(uva_task_t *task)
{
    char *frame = uva__task_frame(task);
    int *place = (int *)(void *)(frame + task->coro->place);

    if (task->base.phase == UVA__PHASE_IDLE && *place >= UVA__AT_YIELD) {
        uva__task_deliver_cancel(task);
        *place += UVA__AT_CANCELLED - UVA__AT_YIELD;
    }
}

bool uva__stackless_ready_slow(uva_task_t *task)
{
    if ((task->base.flags & UVA__NEW) == 0) {
        stackless_cancel_yield(task);
    } else if (task_stays(task)) {
        return false;
    }
    task->base.flags &= (uint16_t)~UVA__WAITS_FOR_START;
    return true;
}

/* Give a new task a stack and make it current. @return The flow to enter. */
static uva__context_t *
task_bind(uva_loop_t *loop, uva_task_t *task, uva__stack_t *stack)
{
    uva__task_stackful(task)->flow = &stack->context;
    stack->owner = task;
    task->ready.ops = &uva__stackful_ops;
    task->base.flags &= (uint16_t)~UVA__NEW;
    if (UVA__UNLIKELY(loop->stacks.checks)) {
        task->base.flags |= UVA__CHECK_AT_SUSPEND;
    }
    loop->step.current = task;
    return &stack->context;
}

static void stackful_start(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;
    uva__stack_t *stack;
    int r;

    if (task_stays(task)) {
        return;
    }
    r = uva__stack_get(&loop->stacks, task_stack_bytes(task), &stack);
    if (UVA__UNLIKELY(r < 0)) {
        uva__task_finish(task, r);
        return;
    }
    if (stack->context.sp == NULL) { /* It was never used. */
        uva__task_prepare_stack(stack);
    }
    uva__context_jump(loop->step.base, task_bind(loop, task, stack));
}

static void stackful_resume(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;

    loop->step.current = task;
    uva__context_jump(loop->step.base, uva__task_flow(task));
}

static uva_future_t *task_waiter(uva__ready_t *ready)
{
    return &uva__task_of_ready(ready)->base;
}

static void task_describe(uva__ready_t *ready, uva__work_t *work)
{
    work->task = uva__task_of_ready(ready);
}

/* The tables of the nodes of tasks. One that is dropped runs: no task of a loop
 * that closes goes on, but for what its end releases. */
#define TASK_OPS(step)                                        \
    {                                                         \
        .run = (step), .waiter = task_waiter, .drop = (step), \
        .describe = task_describe                             \
    }

const uva__ready_ops_t uva__stackless_ops = TASK_OPS(stackless_step);
const uva__ready_ops_t uva__stackful_new_ops = TASK_OPS(stackful_start);
const uva__ready_ops_t uva__stackful_ops = TASK_OPS(stackful_resume);

uva__context_t *uva__task_next_slow(uva_loop_t *loop, uva__ready_t *ready)
{
    uva__stack_t *stack;

    loop->ready.batch = ready;
    if (ready == NULL) {
        uva__loop_no_iteration(loop);
    } else if (ready->ops == loop->step.start_ops) {
        uva_task_t *task = uva__task_of_ready(ready);
        if (task_starts_now(task) && task_stack_bytes(task) == 0 &&
            (stack = uva__stack_get_idle(&loop->stacks)) != NULL) {
            loop->ready.batch = ready->next;
            loop->ready.budget--;
            return task_bind(loop, task, stack);
        }
    }
    loop->step.current = NULL;
    return loop->step.base;
}

/* The exceptions of C++ belong to the thread: a task that suspends in a catch
 * block, or in a destructor while an exception looks for its catch block, takes
 * its own along. */
void uva__task_leave_slow(uva_loop_t *loop, uva_task_t *task)
{
    uva__exceptions_t taken = uva__exceptions_take(loop->step.exceptions);

    if ((task->base.flags & UVA__CHECK_AT_SUSPEND) != 0) {
        uva__scope_check(task, (const char *)__builtin_frame_address(0));
        uva__stack_check(&loop->stacks, flow_stack(uva__task_flow(task)));
    }
    uva__context_jump(uva__task_flow(task), uva__task_next(loop));
    uva__exceptions_give(loop->step.exceptions, &taken);
}

/* --- the first frame of every stack --- */

static UVA__NOINLINE void
task_measure(uva_loop_t *loop, const uva_task_t *task, uva__stack_t *stack)
{
    uva__usage_note(&loop->debug.usage, uva__task_usage_key(task), stack,
                    loop->limits.stack_census);
}

/* Prefetch the control block, and the frames below it, of the task that runs
 * after the next one: among many stacks they are out of cache. A warm gather of
 * 10^5 tasks takes half as long again without this. Inlined by force, because
 * gcc drops the call of a function that only prefetches. */
UVA__INLINE void task_prefetch(const uva_loop_t *loop)
{
    uva__ready_t *next = loop->ready.batch;

    if (next != NULL && next->next != NULL &&
        next->next->ops == loop->step.resume_ops) {
        char *flow = (char *)uva__task_flow(uva__task_of_ready(next->next));
        UVA__PREFETCH(flow);
        UVA__PREFETCH(flow - 64);
        UVA__PREFETCH(flow - 128);
    }
}

/* A switch that is still to be made. */
typedef struct task_switch_s {
    uva__context_t *from;
    uva__context_t *to; /* The same if the next task is to run right here. */
} task_switch_t;

/* End the current task, and take the next one. Loop, task and stack are read
 * anew from thread-local state: the stack that the body ran on may be out of
 * cache, and nothing here should wait for it. */
static UVA__NOINLINE task_switch_t task_end(int r)
{
    uva_loop_t *loop = uva__here;
    uva_task_t *task = loop->step.current;
    uva__stack_t *stack = flow_stack(uva__task_flow(task));

    task_prefetch(loop);
    if (UVA__UNLIKELY(loop->limits.stack_census ||
                      uva__stack_is_clean(stack))) {
        task_measure(loop, task, stack);
    }
    uva__task_finish(task, r);
    stack->owner = NULL;
    uva__stack_put(&loop->stacks, stack);
    return (task_switch_t){&stack->context, uva__task_next(loop)};
}

/* Run one task after the other. A new task that is next and gets this stack
 * again needs no switch. */
static void task_entry(void)
{
    uva__context_started();
    for (;;) {
        uva_task_t *task = uva__here->step.current;
        task_switch_t next = task_end(task->coro->enter(
            uva__task_stackful(task) + 1, uva__task_ret(task)));

        if (next.to != next.from) {
            uva__context_jump(next.from, next.to);
        }
    }
}

void uva__task_prepare_stack(uva__stack_t *stack)
{
    uva__stack_make_flow(stack, task_entry);
}

/* --- eager start --- */

/*
 * The first step runs here and now: whoever the new task leaves for is the
 * caller. An empty batch and no budget keep it from taking anybody else.
 */
void uva__task_start_eager(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;
    uva_task_t *current = loop->step.current;
    uva_coroutine_t *coroutine = loop->step.coroutine;
    uva__ready_t *batch = loop->ready.batch;
    uva__context_t *base = loop->step.base;
    int32_t budget = loop->ready.budget;
    uva__context_t here = current == NULL || uva__task_stackless(current)
                              ? *base
                              : *uva__task_stackful(current)->flow;
    uva__exceptions_t taken = uva__exceptions_take(loop->step.exceptions);
    bool in_factory = loop->tasks.in_factory;
    bool attended = loop->ready.draining;
    uva__ready_t *front;

    if (!attended) { /* In a callback of libuv's, on a loop of our own. */
        uva__loop_attend(loop);
        loop->ready.draining = true;
    }
    loop->ready.batch = NULL;
    loop->ready.budget = 0;
    loop->step.base = &here;
    loop->step.coroutine = NULL; /* The task is no part of it. */
    loop->tasks.in_factory = false;
    loop->step.current = NULL; /* It may end without a step. */
    task->ready.ops->run(&task->ready);
    uva__exceptions_give(loop->step.exceptions, &taken);
    loop->tasks.in_factory = in_factory;
    loop->step.coroutine = coroutine;
    loop->step.base = base;
    loop->ready.budget = loop->stopping && loop->running ? 0 : budget;
    front = loop->ready.batch;
    loop->ready.batch = batch;
    if (front != NULL) { /* A service's, for the end of the new task's step. */
        front->ops->run(front);
    } else {
        uva__services_flush(loop);
    }
    loop->step.current = current;
    loop->ready.draining = attended;
}
