/*
 * The current context, and its variables (contextvars).
 *
 * A task has its context in its extra; callbacks, and code outside of loops,
 * have the thread's.
 *
 * Invariant: NULL stands for an empty context everywhere. So a program that
 * uses no variable pays for none.
 */
#include "uva/context.h"

#include <pthread.h>

#include "core/context.h"
#include "core/context_value.h"
#include "core/extra.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"

/* The context of callbacks, and of a thread outside of loops. Counted. While a
 * task runs, its own one is the current context and this one rests. */
static UVA__TLS uva_context_t *thread_context;

uva_context_t *uva__context_current(void)
{
    uva_task_t *task = uva__task_current();

    if (task != NULL) {
        return task->extra == NULL ? NULL : task->extra->context;
    }
    return thread_context;
}

/* A copy of a context without variables is NULL as well. */
int uva__context_copy_current(uva_context_t **ret_context)
{
    uva_context_t *current = uva__context_current();

    *ret_context = NULL;
    if (current == NULL || current->map == NULL) {
        return 0;
    }
    *ret_context = uva__context_copy(current);
    return *ret_context == NULL ? UV_ENOMEM : 0;
}

uva_context_t *uva_copy_context(void)
{
    return uva__context_copy(uva__context_current());
}

uva_context_t *uva__context_enter(uva_context_t *context)
{
    uva_context_t *outer = thread_context;

    thread_context = uva_context_ref(context);
    return outer;
}

/* The reference that enter took, or that of a context made since. */
void uva__context_exit_to(uva_context_t *outer)
{
    uva_context_unref(thread_context);
    thread_context = outer;
}

/* When a thread ends, its context is freed: the variables that it has set
 * outside of loops. uv_key_t has no destructor, so the key is one of pthread.
 */
static pthread_key_t thread_key;
static uv_once_t thread_once = UV_ONCE_INIT;
static bool thread_watched;

/* Called when a thread ends that has set a variable outside of tasks. */
static void thread_exit(void *data)
{
    (void)data;
    thread_context = uva_context_unref(thread_context);
}

static void thread_key_make(void)
{
    thread_watched = pthread_key_create(&thread_key, thread_exit) == 0;
}

/* The value of the key only has to differ from NULL, for thread_exit to be
 * called. If no key could be made, the context leaks. */
static void thread_watch(void)
{
    uv_once(&thread_once, thread_key_make);
    if (thread_watched) {
        (void)pthread_setspecific(thread_key, &thread_once);
    }
}

/* The current context to write to: one is made if nothing was ever set in it.
 * NULL without memory. */
static uva_context_t *context_make_current(void)
{
    uva_task_t *task = uva__task_current();
    uva_context_t *context = uva__context_current();
    uva__extra_t *extra;

    if (context != NULL) {
        return context;
    }
    if (task == NULL) {
        thread_context = uva_context_new();
        thread_watch();
        return thread_context;
    }
    extra = uva__future_extra(&task->base);
    if (extra == NULL) {
        return NULL;
    }
    /* NULL without memory, which is an empty context still. */
    extra->context = uva_context_new();
    return extra->context;
}

/* contextvars: ContextVar.get; the default where the variable was never set. */
void *uva_context_var_get(const uva_context_var_t *var)
{
    void *value = var->default_value;

    (void)uva_context_get(uva__context_current(), var, &value);
    return value;
}

/* contextvars: ContextVar.set. The token keeps the earlier value, and which
 * context it belongs to. */
int uva_context_var_set(uva_context_var_t *var,
                        void *value,
                        uva_context_token_t *ret_token)
{
    uva_context_t *context = context_make_current();
    uva_context_token_t token = {context, var, NULL, false, false};
    int r;

    if (context == NULL) {
        return uva__bare(UV_ENOMEM);
    }
    token.was_set = uva_context_get(context, var, &token.value);
    r = uva__context_put(context, var, value, true);
    if (r >= 0 && ret_token != NULL) {
        *ret_token = token;
    }
    return r;
}

/* contextvars: ContextVar.reset. A token serves once (RuntimeError), and only
 * for its own variable in its own context (ValueError). */
int uva_context_var_reset(uva_context_var_t *var, uva_context_token_t *token)
{
    uva_context_t *context = uva__context_current();
    int r;

    if (token->used) {
        return uva__bare(UV_EPERM);
    }
    if (token->var != var || token->context != context || context == NULL) {
        return uva__bare(UV_EINVAL);
    }
    r = uva__context_put(context, var, token->value, token->was_set);
    if (r >= 0) {
        token->used = true;
    }
    return r;
}

/* contextvars: Context.run. A context cannot be entered while it is entered. */
int uva_context_run(uva_context_t *context,
                    uva_callback_cb callback,
                    void *data)
{
    uva_loop_t *loop = uva__running();
    uva_task_t *task = uva__task_current();
    uva_context_t *outer;

    if (callback == NULL) {
        return uva__bare(UV_EINVAL);
    }
    if (context == NULL || context->entered) {
        return uva__bare(context == NULL ? UV_ENOMEM : UV_EPERM);
    }
    /* In a task the context of the task counts, so it is exchanged for the time
     * of the call. */
    if (task != NULL) {
        uva__extra_t *extra = uva__future_extra(&task->base);
        if (extra == NULL) {
            return uva__bare(UV_ENOMEM);
        }
        outer = extra->context;
        extra->context = uva_context_ref(context);
        context->entered = true;
        callback(data);
        context->entered = false;
        UVA__ASSERT(loop->step.current == task);
        uva_context_unref(extra->context);
        extra->context = outer;
        return 0;
    }
    outer = uva__context_enter(context);
    context->entered = true;
    callback(data);
    context->entered = false;
    uva__context_exit_to(outer);
    return 0;
}

uva_context_t *uva_task_get_context(uva_task_t *task)
{
    uva__extra_t *extra = uva__future_has_extra(UVA_FUTURE(task));

    return extra == NULL ? NULL : extra->context;
}
