/*
 * Stepping tasks of both kinds: start, resume, leave, end.
 *
 * A stackful task leaves its stack straight for the next task that is ready,
 * without the detour over the loop's stack; the server of a stack, when one
 * task has ended, goes on with the next new one there. Both do just what the
 * loop would do: take the next node, in order, count the step.
 *
 * Invariant: loop->current is the task whose code runs, NULL in callbacks; a
 * task that is not current has been left by a function of step.h, or has not
 * started, or has ended. The flow of an idle stack is one that runs tasks.
 */
#include "uva/coroutines.h"

#include "core/debug.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"
#include "core/scopes.h"
#include "core/step.h"

/* Down from the context of a task that has suspended not far below its body to
 * the frame it is resumed by. */
#define FLOW_NEAR_BYTES 104

static inline uva__stack_t *flow_stack(uva__context_t *flow)
{
    return UVA__CONTAINER_OF(flow, uva__stack_t, context);
}

static inline size_t task_stack_bytes(const uva_task_t *task)
{
    unsigned log2 = (unsigned)task->base.flags >> UVA__STACK_SHIFT;

    return log2 == 0 ? 0 : (size_t)1 << log2;
}

/* Give a task a stack and make it current. */
static inline void
task_bind(uva_loop_t *loop, uva_task_t *task, uva__stack_t *stack)
{
    uva__task_stackful(task)->flow = &stack->context;
    stack->owner = task;
    task->ready.run = uva__task_resume;
    task->base.flags &= (uint16_t)~UVA__NEW;
    if (UVA__UNLIKELY(loop->stacks.checks)) {
        task->base.flags |= UVA__WATCHED;
    }
    loop->current = task;
}

/* Whether a new task was neither cancelled nor held, and wants no stack but the
 * usual one. */
static inline bool task_starts_plainly(const uva_task_t *task)
{
    return (task->base.flags & (UVA__MUST_CANCEL | UVA__HELD |
                                UINT16_MAX << UVA__STACK_SHIFT)) == 0;
}

/* A task that is held begins to wait here, and ends its wait. Cancelled before
 * its first step, its body never runs. */
static UVA__NOINLINE bool task_stays_slow(uva_task_t *task)
{
    if ((task->base.flags & (UVA__MUST_CANCEL | UVA__HELD)) == UVA__HELD &&
        task->base.phase == UVA__PHASE_IDLE) {
        task->base.phase = UVA__PHASE_WAIT;
        return true;
    }
    if (uva_waiter_finish(&task->waiter) >= 0) {
        return false;
    }
    uva__task_finish(task, UV_ECANCELED);
    return true;
}

/* Whether a new task does not begin, now or ever. */
static inline bool task_stays(uva_task_t *task)
{
    return UVA__UNLIKELY(!task_starts_plainly(task)) && task_stays_slow(task);
}

void uva__stackless_step(uva__ready_t *ready)
{
    uva_loop_t *loop = uva__task_of_ready(ready)->base.loop;

    uva__stackless_step_now(loop, ready);
    loop->current = NULL;
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

static UVA__NOINLINE bool stackless_ready_slow(uva_task_t *task)
{
    if ((task->base.flags & UVA__NEW) == 0) {
        stackless_cancel_yield(task);
    } else if (task_stays(task)) {
        return false;
    }
    task->base.flags &= (uint16_t) ~(UVA__NEW | UVA__HELD);
    return true;
}

bool uva__stackless_ready(uva_task_t *task)
{
    if (UVA__UNLIKELY((task->base.flags & (UVA__MUST_CANCEL | UVA__HELD)) !=
                      0)) {
        return stackless_ready_slow(task);
    }
    task->base.flags &= (uint16_t)~UVA__NEW;
    return true;
}

void uva__stackful_start(uva__ready_t *ready)
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
    if (stack->context.sp == NULL) {
        uva__task_prepare_stack(stack);
    }
    task_bind(loop, task, stack);
    (void)uva__context_jump(loop->base, &stack->context, task);
}

void uva__task_resume(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;

    loop->current = task;
    (void)uva__context_jump(loop->base, uva__task_flow(task), task);
}

/* Its yield ends here, as nobody looks at it later. Other awaits look at the
 * task themselves, when they end. */
void uva__task_resume_cancelled(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;
    int code = 0;

    ready->run = uva__task_resume;
    if (task->base.phase == UVA__PHASE_IDLE &&
        (task->base.flags & UVA__MUST_CANCEL) != 0) {
        uva__task_deliver_cancel(task);
        code = UV_ECANCELED;
    }
    loop->current = task;
    uva__context_switch_with(loop->base, uva__task_flow(task), task, code);
}

bool uva__ready_is_task(const uva__ready_t *ready)
{
    return ready->run == uva__task_resume ||
           ready->run == uva__task_resume_cancelled ||
           ready->run == uva__stackless_step ||
           ready->run == uva__stackful_start;
}

/* Whether a node is a new task that can start without the loop's help. */
static inline bool task_is_startable(uva_loop_t *loop, uva__ready_t *ready)
{
    return ready != NULL && ready->run == loop->starts &&
           task_starts_plainly(uva__task_of_ready(ready));
}

/* Begin to fetch what the task after the next is resumed by, if that one was
 * left: the context at the top of its stack, and its last frame. */
static inline void task_fetch(uva_loop_t *loop, uva__ready_t *ready)
{
    if (ready != NULL && ready->run == loop->direct) {
        char *flow = (char *)uva__task_flow(uva__task_of_ready(ready));
        UVA__PREFETCH_WRITE(flow);
        UVA__PREFETCH_WRITE(flow - FLOW_NEAR_BYTES);
    }
}

/* Whoever is next when it is no task that was left: a new one for which a stack
 * is idle, or the loop. */
static inline uva__context_t *task_next_slow(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->batch;
    uva__stack_t *stack;

    if (task_is_startable(loop, ready) &&
        (stack = uva__stack_get_idle(&loop->stacks)) != NULL) {
        loop->batch = ready->next;
        loop->budget--;
        task_bind(loop, uva__task_of_ready(ready), stack);
        return &stack->context;
    }
    loop->current = NULL;
    return loop->base;
}

/* From a catch block of C++, or a destructor while an exception looks for its
 * catch block. */
static UVA__NOINLINE uva__resumed_t task_leave_with_exceptions(uva_loop_t *loop,
                                                               uva_task_t *task)
{
    uva__exceptions_t taken = uva__exceptions_take(loop->exceptions);
    uva__resumed_t resumed = uva__task_leave_slow(loop, task);

    uva__exceptions_give(loop->exceptions, &taken);
    return resumed;
}

uva__resumed_t uva__task_leave_slow(uva_loop_t *loop, uva_task_t *task)
{
    if (UVA__UNLIKELY(uva__exceptions_any(loop->exceptions) != 0)) {
        return task_leave_with_exceptions(loop, task);
    }
    return uva__context_leave(uva__task_flow(task), task_next_slow(loop), NULL);
}

int uva__task_yield_slow(uva_loop_t *loop, uva_task_t *task)
{
    if (UVA__UNLIKELY(uva__exceptions_any(loop->exceptions) != 0)) {
        return (int)task_leave_with_exceptions(loop, task).code;
    }
    return uva__context_leave_yield(uva__task_flow(task), task_next_slow(loop),
                                    NULL);
}

static inline void
task_look_over(uva_loop_t *loop, uva_task_t *task, const char *sp)
{
    uva__scope_check(task, sp);
    uva__stack_check(&loop->stacks, flow_stack(uva__task_flow(task)));
}

uva_task_t *uva__task_leave_watched(uva_loop_t *loop, uva_task_t *task)
{
    task_look_over(loop, task, (const char *)__builtin_frame_address(0));
    return uva__task_leave_plain(loop, task);
}

int uva__task_yield_watched(uva_loop_t *loop, uva_task_t *task)
{
    task_look_over(loop, task, (const char *)__builtin_frame_address(0));
    return uva__task_yield(loop, task);
}

/* --- the first frame of every stack --- */

/* The end of a task whose stack is to be measured. */
static UVA__NOINLINE void task_end_measured(uva_task_t *task, int r)
{
    uva_loop_t *loop = task->base.loop;
    uva__stack_t *stack = flow_stack(uva__task_flow(task));

    if (uva__usage_wanted(loop, task, uva__stack_is_clean(stack))) {
        uva__usage_note(loop, task,
                        loop->limits.stack_census
                            ? uva__stack_census(stack)
                            : uva__stack_high_water(stack));
    }
    uva__task_finish(task, r);
}

/*
 * The code after a body asks for the loop and the task anew, and so hangs on
 * nothing that lies on the stack where the body ran. That may have slept for
 * long: its frames are still on their way out of memory while the processor
 * goes on already, to the next stack and the next miss.
 */
static UVA__NOINLINE void task_end(int r)
{
    uva_loop_t *loop = uva__here;
    uva_task_t *task = loop->current;

    if (UVA__UNLIKELY(loop->limits.stack_census ||
                      uva__stack_is_clean(flow_stack(uva__task_flow(task))))) {
        task_end_measured(task, r);
    } else {
        uva__task_finish(task, r);
    }
}

/* Run a new task that was made current. */
void uva__serve_run(void)
{
    uva_task_t *task = uva__here->current;

    task_end(task->coro->enter(uva__task_frame(task), uva__task_ret(task)));
}

/* Neither a task that was left nor a new one: back to the loop, or to a new one
 * on another stack. */
static UVA__NOINLINE uva__way_t serve_next_slow(uva__stack_t *stack)
{
    uva_loop_t *loop = uva__here;
    uva__way_t way = {0};

    uva__stack_put(&loop->stacks, stack);
    way.to = task_next_slow(loop);
    if (way.to == &stack->context) {
        way.to = NULL;
    }
    return way;
}

/* Where to from a stack whose task has ended: to a task that was left, or
 * nowhere, as a new task runs here. */
uva__way_t uva__serve_next(uva__stack_t *stack)
{
    uva_loop_t *loop = uva__here;
    uva__ready_t *ready = loop->batch;
    uva__way_t way = {0};

    stack->owner = NULL;
#if defined(UVA__SWITCH_SERVE)
    stack->context.sp = uva__context_server_sp(uva__stack_top(stack));
#endif
    if (ready == NULL) {
        ready = uva__loop_next_iteration(loop);
        loop->batch = ready;
    }
    if (UVA__UNLIKELY(ready == NULL || loop->stacks.checks)) {
        return serve_next_slow(stack);
    }
    if (ready->run == loop->direct) {
        uva__stack_put_plain(stack);
        way.given = uva__task_take(loop, ready);
        way.to = uva__task_flow(way.given);
        /* Many tasks that end one after another have slept for long: each would
         * be waited for, at the latest when its frame is. */
        task_fetch(loop, loop->batch);
        return way;
    }
    if (UVA__UNLIKELY(!task_is_startable(loop, ready) ||
                      stack->home != loop->stacks.standard)) {
        return serve_next_slow(stack);
    }
    uva__stack_used(stack);
    loop->batch = ready->next;
    loop->budget--;
    task_bind(loop, uva__task_of_ready(ready), stack);
    return way;
}

#if defined(UVA__SWITCH_SERVE)

void uva__task_prepare_stack(uva__stack_t *stack)
{
    uva__context_make_server(&stack->context, stack);
}

#else

static void task_entry(void)
{
    uva__context_started();
    for (;;) {
        uva__stack_t *stack = flow_stack(uva__task_flow(uva__here->current));
        uva__way_t way;

        uva__serve_run();
        way = uva__serve_next(stack);
        if (way.to != NULL) {
            (void)uva__context_jump(&stack->context, way.to, way.given);
        }
    }
}

void uva__task_prepare_stack(uva__stack_t *stack)
{
    uva__context_make(&stack->context, stack, task_entry);
}

#endif

/* --- eager start --- */

/*
 * The first step runs here and now: whoever the new task leaves for is the
 * caller. An empty batch and no budget keep it from taking anybody else.
 */
void uva__task_start_eager(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;
    uva_task_t *current = loop->current;
    uva_coroutine_t *coroutine = loop->coroutine;
    uva__ready_t *batch = loop->batch;
    uva__context_t *base = loop->base;
    int32_t budget = loop->budget;
    uva__context_t here = current == NULL || uva__task_stackless(current)
                              ? *base
                              : *uva__task_stackful(current)->flow;
    uva__exceptions_t taken = uva__exceptions_take(loop->exceptions);
    bool in_factory = loop->in_factory;
    bool attended = loop->attended;
    uva__ready_t *front;

    if (!attended) { /* In a callback of libuv's, on a loop of our own. */
        uva__loop_attend(loop);
        loop->attended = true;
    }
    loop->batch = NULL;
    loop->budget = 0;
    loop->base = &here;
    loop->coroutine = NULL; /* The task is no part of it. */
    loop->in_factory = false;
    loop->current = NULL; /* It may end without a step. */
    task->ready.run(&task->ready);
    uva__exceptions_give(loop->exceptions, &taken);
    loop->in_factory = in_factory;
    loop->coroutine = coroutine;
    loop->base = base;
    loop->budget = loop->stopping && loop->running ? 0 : budget;
    front = loop->batch;
    loop->batch = batch;
    if (front != NULL) { /* io's, by the new task. */
        front->run(front);
    } else if (loop->io != NULL) {
        loop->io_hooks->send(loop);
    }
    loop->current = current;
    loop->attended = attended;
}
