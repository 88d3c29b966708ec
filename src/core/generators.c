/*
 * Coroutines driven by hand: generators.
 *
 *   state      flow                          resumed by
 *   NEW        none, or not begun            send, throw
 *   SUSPENDED  in uva_coroutine_yield        send, throw
 *   RUNNING    current, or awaits            nothing
 *   DONE       none                          nothing
 *
 * Invariant: while a coroutine runs inside a task, the task's flow is the
 * coroutine's: if it awaits, the task suspends there and resumes there.
 * Coroutines that a callback drives stand in a list from loop->step.coroutine
 * outwards, and cannot await.
 */
#include "uva/coroutines.h"

#include "base/errors.h"
#include "core/life.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/reports.h"
#include "core/step.h"

enum {
    COROUTINE_NEW,
    COROUTINE_SUSPENDED,
    COROUTINE_RUNNING,
    COROUTINE_DONE
};

struct uva_coroutine_s {
    /* Kind, loop, references; code: thrown in at the next resume. */
    uva_future_t base;
    uva_coro_cb body;
    void *arg;
    uva_destroy_cb arg_destroy;
    size_t stack_bytes;
    uva__stack_t *stack;
    void *value; /* It travels with a resume, a yield, the end. */
    /* Borrowed: the flow that goes on when it yields. */
    uva__context_t *resumer;
    /* Without a task: loop->step.base when it was resumed. */
    uva__context_t *below;
    uva_coroutine_t *outer; /* Borrowed: the coroutine that ran when this one
                               was resumed, if no task did. */
    int status;             /* 1: it has yielded; else its end's code. */
    int state;
};

static uva_coroutine_t *coroutine_of(const uva_future_t *base)
{
    return UVA__CONTAINER_OF((uintptr_t)base, uva_coroutine_t, base);
}

/* The running task if a coroutine can be part of it: stackless tasks have no
 * stack to switch from, so in them it is driven as by a callback. */
static uva__stackful_t *current_stackful(uva_loop_t *loop)
{
    return loop->step.current == NULL || uva__task_stackless(loop->step.current)
               ? NULL
               : UVA__CONTAINER_OF(loop->step.current, uva__stackful_t, task);
}

/* The innermost coroutine that runs; NULL if there is none. In a stackful task
 * the owner of the stack in use tells it. */
static uva_coroutine_t *coroutine_current(uva_loop_t *loop)
{
    uva__stackful_t *stackful = current_stackful(loop);
    uva_future_t *owner;

    if (stackful == NULL) {
        return loop->step.coroutine;
    }
    owner = UVA__CONTAINER_OF(stackful->flow, uva__stack_t, context)->owner;
    return owner->kind == UVA__KIND_COROUTINE ? coroutine_of(owner) : NULL;
}

/* The stack is taken by the first resume; an argument that is refused is
 * destroyed. */
int uva_coroutine_new(uva_coro_cb body,
                      void *arg,
                      const uva_coroutine_options_t *options,
                      uva_coroutine_t **ret_coroutine)
{
    uva_loop_t *loop = uva__running();
    uva_destroy_cb destroy = options == NULL ? NULL : options->arg_destroy;
    uva_coroutine_t *coroutine = NULL;
    int r = UV_ENOMEM;

    if (loop == NULL) {
        r = UVA_ENOLOOP;
    } else if (body == NULL ||
               (options != NULL && options->size < sizeof *options)) {
        r = UV_EINVAL;
    } else {
        coroutine = uva__slab_get(&loop->slab, sizeof *coroutine);
    }
    if (coroutine == NULL) {
        if (destroy != NULL) {
            destroy(arg);
        }
        return uva__bare(r);
    }
    *coroutine = (uva_coroutine_t){
        .base = {.loop = loop, .refs = 1, .kind = UVA__KIND_COROUTINE},
        .body = body,
        .arg = arg,
        .arg_destroy = destroy,
        .stack_bytes = options == NULL ? 0 : options->stack_bytes,
    };
    *ret_coroutine = coroutine;
    return 0;
}

/* Destroy the argument, once: the body has ended, or never runs. */
static void coroutine_drop_arg(uva_coroutine_t *coroutine)
{
    uva_destroy_cb destroy = coroutine->arg_destroy;

    coroutine->arg_destroy = NULL;
    if (destroy != NULL) {
        destroy(coroutine->arg);
    }
}

/* Switch from the coroutine to the flow that resumed it. Returns when the
 * coroutine is resumed; not after its end. C++ exceptions that are being
 * handled belong to a stack, so they are put aside meanwhile. */
static void coroutine_leave(uva_coroutine_t *coroutine)
{
    uva_loop_t *loop = coroutine->base.loop;
    uva__stackful_t *stackful = current_stackful(loop);
    uva__exceptions_t taken;

    if (stackful != NULL) {
        stackful->flow = coroutine->resumer;
    } else {
        loop->step.coroutine = coroutine->outer;
        loop->step.base = coroutine->below;
    }
    uva__stack_check(&loop->stacks, coroutine->stack);
    taken = uva__exceptions_take(loop->step.exceptions);
    uva__context_jump(&coroutine->stack->context, coroutine->resumer);
    uva__exceptions_give(loop->step.exceptions, &taken);
}

/* The first frame of a coroutine's stack. It never returns: a stack that is
 * given back gets another entry function. */
static void coroutine_entry(void)
{
    uva__context_started();
    for (;;) {
        uva_coroutine_t *coroutine = coroutine_current(uva__here);
        void *result = NULL;

        coroutine->status =
            uva__code_of_body(coroutine->body(coroutine->arg, &result));
        coroutine->value = result;
        coroutine->state = COROUTINE_DONE;
        coroutine_leave(coroutine);
    }
}

/* The body has returned, or its frames are given up: the stack goes back to the
 * pool. */
static void coroutine_end(uva_coroutine_t *coroutine)
{
    uva__stack_t *stack = coroutine->stack;

    coroutine->stack = NULL;
    stack->owner = NULL;
    /* Tasks go on in their own entry function, not in ours. */
    uva__context_destroy(&stack->context);
    uva__task_prepare_stack(stack);
    uva__stack_put(&coroutine->base.loop->stacks, stack);
    coroutine_drop_arg(coroutine);
}

/* Switch from the running flow to the coroutine. Returns when the coroutine
 * yields or has ended. */
static void coroutine_enter(uva_coroutine_t *coroutine)
{
    uva_loop_t *loop = coroutine->base.loop;
    uva__stackful_t *stackful = current_stackful(loop);
    uva__context_t own_flow = *loop->step.base; /* Used without a task only. */
    uva__exceptions_t taken = uva__exceptions_take(loop->step.exceptions);

    coroutine->state = COROUTINE_RUNNING;
    if (stackful != NULL) {
        coroutine->resumer = stackful->flow;
        stackful->flow = &coroutine->stack->context;
        if (UVA__UNLIKELY(loop->stacks.checks)) {
            stackful->task.base.flags |= UVA__CHECK_AT_SUSPEND;
        }
        uva__context_jump(coroutine->resumer, &coroutine->stack->context);
    } else {
        coroutine->resumer = &own_flow;
        coroutine->outer = loop->step.coroutine;
        loop->step.coroutine = coroutine;
        /* Coroutines that it drives, and tasks that it starts, go back to its
         * flow and not to the loop's. */
        coroutine->below = loop->step.base;
        loop->step.base = &coroutine->stack->context;
        uva__context_jump(&own_flow, &coroutine->stack->context);
    }
    uva__exceptions_give(loop->step.exceptions, &taken);
}

/* A coroutine is resumed by its own loop's code, and not by itself. @retval
 * UV_EPERM @retval UV_EALREADY It has ended. */
static int coroutine_resumable(const uva_coroutine_t *coroutine,
                               const char *function)
{
    if (!uva__loop_owned_for(coroutine->base.loop, function) ||
        coroutine->base.loop != uva__here ||
        coroutine->state == COROUTINE_RUNNING) {
        return UV_EPERM;
    }
    return coroutine->state == COROUTINE_DONE ? UV_EALREADY : 0;
}

/* Run a coroutine to its next yield or its end. code < 0 is returned by the
 * yield that it is suspended in. The first resume takes a stack. */
static int coroutine_resume(uva_coroutine_t *coroutine,
                            void *value,
                            int code,
                            void **ret_value)
{
    uva_loop_t *loop = coroutine->base.loop;
    int r;

    if (coroutine->state == COROUTINE_NEW) {
        r = uva__stack_get(&loop->stacks, coroutine->stack_bytes,
                           &coroutine->stack);
        if (r < 0) {
            return r;
        }
        if (coroutine->stack->context.sp != NULL) {
            uva__context_destroy(&coroutine->stack->context);
        }
        uva__stack_make_flow(coroutine->stack, coroutine_entry);
        coroutine->stack->owner = &coroutine->base;
    }
    coroutine->value = value;
    coroutine->base.code = code;
    coroutine->status = 1;
    coroutine->base.refs++; /* The body may drop the last reference of its own
                               coroutine. */
    coroutine_enter(coroutine);
    r = coroutine->status;
    if (coroutine->state == COROUTINE_DONE) {
        coroutine_end(coroutine);
        r = r > 0 ? 0 : r;
    }
    if (ret_value != NULL && r >= 0) {
        *ret_value = coroutine->value;
    }
    uva_coroutine_unref(coroutine);
    return r;
}

/* Python: generator.send. 1 is a yield, 0 or less the end. */
int uva_coroutine_send(uva_coroutine_t *coroutine,
                       void *value,
                       void **ret_value)
{
    int r = coroutine_resumable(coroutine, __func__);

    return r < 0 ? uva__bare(r)
                 : coroutine_resume(coroutine, value, 0, ret_value);
}

/* A coroutine that has not begun ends without running, as in Python. */
int uva_coroutine_throw(uva_coroutine_t *coroutine, int code, void **ret_value)
{
    int r = coroutine_resumable(coroutine, __func__);

    if (r < 0) {
        return uva__bare(r);
    }
    if (!uva__code_fails(code)) {
        return uva__bare(UV_EINVAL);
    }
    if (coroutine->state == COROUTINE_NEW) {
        coroutine->state = COROUTINE_DONE;
        coroutine_drop_arg(coroutine);
        return code;
    }
    return coroutine_resume(coroutine, NULL, code, ret_value);
}

/* Python: generator.close. A coroutine that yields instead of ending has
 * ignored it (RuntimeError). */
int uva_coroutine_close(uva_coroutine_t *coroutine)
{
    int r = uva_coroutine_throw(coroutine, UV_ECANCELED, NULL);

    if (r == UV_EPERM) {
        return r;
    }
    return r == 1 ? uva__bare(UV_EPERM) : 0;
}

bool uva_coroutine_done(const uva_coroutine_t *coroutine)
{
    return coroutine->state == COROUTINE_DONE;
}

uva_coroutine_t *uva_coroutine_ref(uva_coroutine_t *coroutine)
{
    if (coroutine != NULL && uva__loop_owned(coroutine->base.loop)) {
        uva_loop_t *entered = uva__loop_enter(coroutine->base.loop);
        coroutine->base.refs++;
        uva__loop_leave(entered);
    }
    return coroutine;
}

/* The last reference of a suspended coroutine went: it is closed. If it yields
 * instead, its frames go with the stack, and what they own is lost. The same
 * happens once the loop is closed, which has taken the stack. */
static void coroutine_abandon(uva_coroutine_t *coroutine)
{
    uva_loop_t *loop = coroutine->base.loop;
    uva_loop_t *outer = uva__here;

    if (loop->closed) {
        uva__report(loop, NULL, UV_EPERM,
                    "A coroutine was dropped after its loop was closed");
        coroutine->state = COROUTINE_DONE;
        return;
    }
    uva__here = loop; /* The loop may not be running: the coroutine may call its
                         functions all the same, and cannot await. */
    UVA_IGNORE(uva_coroutine_close(coroutine));
    uva__here = outer;
    if (coroutine->state != COROUTINE_DONE) {
        uva__report(loop, NULL, UV_EPERM,
                    "A coroutine yielded while it was closed");
        coroutine->state = COROUTINE_DONE;
        coroutine_end(coroutine);
    }
}

/* Drop a reference; the last one ends the coroutine. */
static void coroutine_drop(uva_coroutine_t *coroutine)
{
    uva_loop_t *loop = coroutine->base.loop;

    if (--coroutine->base.refs > 0) {
        return;
    }
    coroutine->base.refs = 1; /* It may be looked at while it ends. */
    if (coroutine->state == COROUTINE_SUSPENDED) {
        coroutine_abandon(coroutine);
    }
    coroutine_drop_arg(coroutine);
    if (--coroutine->base.refs > 0) {
        return; /* Its end has kept it. */
    }
    uva__slab_put(&loop->slab, coroutine, sizeof *coroutine);
}

uva_coroutine_t *uva_coroutine_unref(uva_coroutine_t *coroutine)
{
    if (coroutine != NULL && uva__loop_owned(coroutine->base.loop)) {
        uva_loop_t *entered = uva__loop_enter(coroutine->base.loop);
        coroutine_drop(coroutine);
        uva__loop_leave(entered);
    }
    return NULL;
}

/* --- inside --- */

/* Suspend the innermost coroutine; the next resume goes on here. */
int uva_coroutine_yield(void *value, void **ret_sent)
{
    uva_coroutine_t *coroutine = coroutine_current(uva__here);

    if (coroutine == NULL) {
        return uva__bare(UVA_ENOTASK);
    }
    coroutine->value = value;
    coroutine->status = 1;
    coroutine->state = COROUTINE_SUSPENDED;
    coroutine_leave(coroutine);
    if (coroutine->base.code < 0) {
        return coroutine->base.code;
    }
    if (ret_sent != NULL) {
        *ret_sent = coroutine->value;
    }
    return 0;
}

/* Python's "yield from". */
int uva_coroutine_delegate(uva_coroutine_t *inner, void **ret_result)
{
    void *value = NULL;
    int r = uva_coroutine_send(inner, NULL, &value);

    while (r == 1) {
        void *sent = NULL;
        int thrown = uva_coroutine_yield(value, &sent);
        r = thrown < 0 ? uva_coroutine_throw(inner, thrown, &value)
                       : uva_coroutine_send(inner, sent, &value);
    }
    if (r == 0 && ret_result != NULL) {
        *ret_result = value;
    }
    return r;
}
