/*
 * Stepping tasks of both kinds: start, resume, leave, end.
 *
 * A stackful task leaves its stack straight for the next task that is ready,
 * without the detour over the loop's stack; an entry function that has
 * finished one task goes on with the next new one on the same stack. Both do
 * just what the loop would do: take the next node, in order, count the step.
 *
 * Invariant: loop->current is the task whose code runs, NULL in callbacks; a
 * task that is not current is suspended in uva__task_leave, or has not
 * started, or has ended.
 */
#include "uva/coroutines.h"

#include "core/loop.h"

static void task_entry(void);
static void task_resume(uva__ready_t *ready);

static inline uva__stackful_t *task_stackful(uva_task_t *task)
{
    return UVA__CONTAINER_OF(task, uva__stackful_t, task);
}

static inline uva__stack_t *flow_stack(uva__context_t *flow)
{
    return UVA__CONTAINER_OF(flow, uva__stack_t, context);
}

static inline size_t task_stack_bytes(uva_task_t *task)
{
    return task->coro == &uva__plain_coro
               ? ((uva__plain_frame_t *)uva__task_frame(task))->stack_bytes
               : 0;
}

/* Give a task a stack and make it current. */
static inline void task_bind(uva_loop_t *loop, uva_task_t *task,
                             uva__stack_t *stack)
{
    task_stackful(task)->flow = &stack->context;
    stack->owner = task;
    task->ready.run = task_resume;
    task->base.flags |= UVA__STARTED;
    loop->current = task;
    if (UVA__UNLIKELY(stack->context.sp == NULL)) {
        uva__context_make(&stack->context, stack, task_entry);
    }
}

/* Cancelled before its first step: the body never runs. */
static inline bool task_cancelled_early(uva_task_t *task)
{
    if (UVA__LIKELY((task->base.flags & UVA__MUST_CANCEL) == 0)) {
        return false;
    }
    uva__task_deliver_cancel(task);
    uva__task_finish(task, UV_ECANCELED);
    return true;
}

static void stackless_step(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;
    int r;

    loop->current = task;
    r = task->coro->enter(uva__task_frame(task), uva__task_ret(task));
    if (r != UVA_PENDING) {
        uva__task_finish(task, r);
    }
    loop->current = NULL;
}

static void stackless_start(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);

    if (task_cancelled_early(task)) {
        return;
    }
    task->ready.run = stackless_step;
    task->base.flags |= UVA__STARTED;
    stackless_step(ready);
}

static void stackful_start(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;
    uva__stack_t *stack;
    int r;

    if (task_cancelled_early(task)) {
        return;
    }
    r = uva__stack_get(&loop->stacks, task_stack_bytes(task), &stack);
    if (UVA__UNLIKELY(r < 0)) {
        uva__task_finish(task, r);
        return;
    }
    task_bind(loop, task, stack);
    uva__context_switch(loop->base, &stack->context);
}

static void task_resume(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);
    uva_loop_t *loop = task->base.loop;

    loop->current = task;
    uva__context_switch(loop->base, task_stackful(task)->flow);
}

void uva__task_start(uva__ready_t *ready)
{
    uva_task_t *task = uva__task_of_ready(ready);

    ready->run = uva__task_stackless(task) ? stackless_start : stackful_start;
}

bool uva__ready_is_task(const uva__ready_t *ready)
{
    return ready->run == task_resume || ready->run == stackless_step ||
           ready->run == stackful_start || ready->run == stackless_start;
}

/* Whether a new task can start without the loop's help. */
static inline bool task_starts_here(uva_task_t *task)
{
    return (task->base.flags & UVA__MUST_CANCEL) == 0 &&
           task_stack_bytes(task) == 0;
}

/* Take the next node if it is a task that a stack can be left for. */
static inline uva__context_t *task_next(uva_loop_t *loop)
{
    uva__ready_t *ready = loop->batch;
    uva_task_t *task;
    uva__stack_t *stack;

    if (ready == NULL) {
        ready = uva__loop_next_iteration(loop);
    }
    if (ready != NULL && !loop->debug) {
        task = uva__task_of_ready(ready);
        if (UVA__LIKELY(ready->run == task_resume)) {
            loop->batch = ready->next;
            loop->steps++;
            loop->current = task;
            return task_stackful(task)->flow;
        }
        if (ready->run == stackful_start && task_starts_here(task) &&
            uva__stack_get(&loop->stacks, 0, &stack) >= 0) {
            loop->batch = ready->next;
            loop->steps++;
            task_bind(loop, task, stack);
            return &stack->context;
        }
    }
    loop->current = NULL;
    return loop->base;
}

void uva__task_leave(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;
    uva__context_t *flow = task_stackful(task)->flow;
    uva__context_t *next;

    uva__scope_check(task, (const char *)__builtin_frame_address(0));
    uva__stack_check(&loop->stacks, flow_stack(flow));
    next = task_next(loop);
    if (UVA__LIKELY(next != flow)) {
        uva__context_switch(flow, next);
    }
}

/* --- the first frame of every stack --- */

static UVA__NOINLINE void task_measure(uva_loop_t *loop, uva_task_t *task,
                                       uva__stack_t *stack)
{
    if (uva__usage_wanted(loop, task, uva__stack_is_clean(stack))) {
        uva__usage_note(loop, task,
                        loop->limits.stack_census
                            ? uva__stack_census(stack)
                            : uva__stack_high_water(stack));
    }
}

/* A new task that is next runs on this stack. */
static inline bool task_takes_over(uva_loop_t *loop, uva__stack_t *stack)
{
    uva__ready_t *ready = loop->batch;

    if (ready == NULL) {
        ready = uva__loop_next_iteration(loop);
    }
    if (ready == NULL || loop->debug || ready->run != stackful_start ||
        !task_starts_here(uva__task_of_ready(ready)) ||
        stack->home != loop->stacks.standard) {
        return false;
    }
    loop->batch = ready->next;
    loop->steps++;
    uva__stack_used(stack);
    task_bind(loop, uva__task_of_ready(ready), stack);
    return true;
}

static void task_entry(void)
{
    uva__context_started();
    for (;;) {
        uva_loop_t *loop = uva__running;
        uva_task_t *task = loop->current;
        uva__stack_t *stack = flow_stack(task_stackful(task)->flow);
        int r =
            task->coro->enter(uva__task_frame(task), uva__task_ret(task));

        if (UVA__UNLIKELY(loop->limits.stack_census ||
                          uva__stack_is_clean(stack))) {
            task_measure(loop, task, stack);
        }
        stack->owner = NULL;
        uva__task_finish(task, r);
        if (!task_takes_over(loop, stack)) {
            uva__context_t *next;
            uva__stack_put(&loop->stacks, stack);
            next = task_next(loop);
            if (next != &stack->context) {
                uva__context_switch(&stack->context, next);
            }
        }
    }
}

/* --- eager start --- */

/*
 * The first step runs here and now: whoever the new task leaves for is the
 * caller. An empty batch and loop->eager keep it from taking anybody else.
 */
void uva__task_start_eager(uva_task_t *task)
{
    uva_loop_t *loop = task->base.loop;
    uva_task_t *current = loop->current;
    uva_loop_t *running = uva__running;
    uva__ready_t *batch = loop->batch;
    uva__context_t *base = loop->base;
    bool eager = loop->eager;
    uva__context_t here = current == NULL || uva__task_stackless(current)
                              ? *base
                              : *task_stackful(current)->flow;

    loop->batch = NULL;
    loop->eager = true;
    loop->base = &here;
    uva__running = loop;
    task->ready.run(&task->ready);
    uva__running = running;
    loop->base = base;
    loop->eager = eager;
    loop->batch = batch;
    loop->current = current;
}
