/*
 * Tasks (asyncio.tasks): making, ending, naming.
 *
 *   state      its ready node                     left by
 *   new        ready queue                        first step, cancellation
 *   running    nowhere                            suspending, ending
 *   suspended  what wakes it (see uva__phase_t)   its next step
 *   done       nowhere                            never
 *
 * Invariant: the loop holds a reference of every task that is not done, and
 * the arguments are dropped once: when the body has ended, or instead of it.
 */
#include "uva/tasks.h"

#include "uva/taskgroups.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/errors.h"
#include "base/format.h"
#include "base/log.h"
#include "core/context.h"
#include "core/extra.h"
#include "core/futures.h"
#include "core/lent_args.h"
#include "core/loop.h"
#include "core/made.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/scopes.h"
#include "core/step.h"
#include "core/tasks.h"

/* --- making --- */

static int task_name_options(uva_task_t *task,
                             const uva_task_options_t *options,
                             const char *here)
{
    uva_context_t *context = NULL;
    const char *name = options == NULL ? NULL : options->name;
    bool debug = task->base.loop->debug.enabled;
    uva__extra_t *extra;

    if (options != NULL && options->context != NULL) {
        context = uva_context_ref(options->context);
    } else if (uva__context_copy_current(&context) < 0) {
        return UV_ENOMEM;
    }
    if (context == NULL && name == NULL && !debug) {
        return 0;
    }
    extra = uva__future_extra(&task->base);
    if (extra == NULL) {
        uva_context_unref(context);
        return UV_ENOMEM;
    }
    extra->context = context;
    if (debug) {
        uva__made_note(&task->base, here);
    }
    if (name != NULL) {
        extra->name = uva__strdup(name);
        return extra->name == NULL ? UV_ENOMEM : 0;
    }
    return 0;
}

/* Make memory into a new task of a loop, in no queue. Its frame is still to be
 * filled. */
static inline void
task_init(uva_loop_t *loop, uva_task_t *task, const uva__coro_t *coro)
{
    bool stackless = coro->stackless != 0;

    task->base = (uva_future_t){
        .loop = loop,
        .refs = 2, /* The caller's and the loop's. */
        .kind = UVA__KIND_TASK,
        .flags = UVA__NEW | (stackless ? UVA__STACKLESS : 0),
    };
    if (UVA__UNLIKELY(coro->drop != NULL)) {
        task->base.flags |= UVA__HAS_EXTRA;
    }
    task->ready.next = NULL;
    task->ready.ops = stackless ? &uva__stackless_ops : &uva__stackful_new_ops;
    task->waiter.link.next = NULL;
    task->coro = coro;
    task->extra = NULL;
}

/* Copy the arguments, and clear the result. */
static inline void task_fill(uva_task_t *task, const void *args)
{
    task->coro->fill(uva__task_frame(task), uva__task_ret(task), args);
}

static uva_task_t *
task_refuse(const uva__coro_t *coro, const void *args, int code)
{
    uva_future_t *refused = uva_future_refused(code);

    if (coro->drop != NULL) {
        /* Destructors take what they free, though args is a const copy. */
        coro->drop((void *)(uintptr_t)args);
    }
    return refused == NULL ? NULL : uva__future_as_task(refused);
}

uva_task_t *uva__task_refuse(const uva__coro_t *coro,
                             const void *args,
                             const char *here,
                             int code)
{
    static uva__log_limit_t limit;
    const char *function = uva__coro_function(coro, args);
    char address[32];

    if (strcmp(function, "?") == 0) { /* A plain one that has no name. */
        const uva__plain_frame_t *plain = args;
        (void)uva__format(address, sizeof address, "0x%" PRIxPTR,
                          (uintptr_t)plain->body);
        function = address;
    }
    uva__log_limited(&limit, UVA_LOG_WARNING,
                     "a task was refused: function %s%s%s: %s (%s)", function,
                     here == NULL ? "" : " at ", here == NULL ? "" : here,
                     uva_strerror(code), uva_err_name(code));
    return task_refuse(coro, args, code);
}

/* Stacks come in powers of two, so the exponent of the next one asks for the
 * same stack; what is beyond the largest, 1 GiB, stays beyond it. 0 is the
 * default: a single byte counts as two. */
static void task_want_stack(uva_task_t *task, size_t bytes)
{
    unsigned log2 = 1;

    if (bytes == 0) {
        return;
    }
    while (log2 < 31 && (size_t)1 << log2 < bytes) {
        log2++;
    }
    task->base.flags |= (uint16_t)(log2 << UVA__STACK_SHIFT);
}

/* Let the factory of a loop make a plain task. The task is to be made on this
 * loop, and its group has a place for it already. */
static uva_task_t *task_from_factory(uva_loop_t *loop,
                                     const uva__plain_frame_t *frame,
                                     const uva_task_options_t *options)
{
    uva_task_options_t own;
    uva_task_t *task;

    if (options != NULL && options->group != NULL) {
        own = *options;
        own.group = NULL;
        options = &own;
    }
    loop->tasks.in_factory = true;
    task = loop->tasks.factory(loop, frame->body, frame->arg, options,
                               loop->tasks.factory_data);
    loop->tasks.in_factory = false;
    return task;
}

/* What few tasks need at their begin. @return 0, or UV_ENOMEM. */
static int task_settle_options(uva_task_t *task,
                               const void *args,
                               const uva_task_options_t *options,
                               const char *here)
{
    if (task_name_options(task, options, here) < 0) {
        return UV_ENOMEM;
    }
    if (task->base.loop->debug.enabled) {
        uva__lent_args_note(task, args);
    }
    if (options != NULL) {
        task_want_stack(task, options->stack_bytes);
    }
    return 0;
}

static inline void task_enlist(uva_loop_t *loop, uva_task_t *task)
{
    uva__list_insert_before(&loop->tasks.all, &task->link);
    loop->tasks.count++;
}

/* Put a new task among those of its loop, and let it begin. */
static void task_begin(uva_task_t *task, const uva_task_options_t *options)
{
    uva_loop_t *loop = task->base.loop;

    task_enlist(loop, task);
    if (uva__here == loop && !loop->tasks.defers_starts &&
        /* asyncio: tasks.py, Task.__init__ */
        ((options != NULL && options->eager_start) ||
         loop->tasks.factory == uva_eager_task_factory)) {
        uva__task_start_eager(task);
    } else {
        uva__loop_push(loop, &task->ready);
    }
}

/* Why no task can be made of this function with these options; 0 if one can. */
static int task_forbidden(const uva__coro_t *coro,
                          const void *args,
                          const uva_task_options_t *options)
{
    if (options != NULL && options->size < sizeof *options) {
        return UV_EINVAL;
    }
    if (coro == &uva__plain_coro &&
        ((const uva__plain_frame_t *)args)->body == NULL) {
        return UV_EINVAL;
    }
    return 0;
}

/* Why a loop takes no more tasks; 0 if it does. */
static int loop_forbids_task(uva_loop_t *loop)
{
    if (loop->closing ||
        (UVA__UNLIKELY(uva__here != loop) && uva__loop_host_lost(loop))) {
        return UV_EPERM;
    }
    return loop->tasks.count >= loop->limits.max_tasks ? UV_EAGAIN : 0;
}

uva_task_t *uva__task_new(uva_loop_t *loop,
                          const uva__coro_t *coro,
                          const void *args,
                          const uva_task_options_t *options,
                          const char *here)
{
    bool plain = coro == &uva__plain_coro;
    uva_task_t *task;
    int r = task_forbidden(coro, args, options);

    if (r == 0 && loop == NULL) {
        r = UVA_ENOLOOP;
    }
    if (r < 0) {
        return uva__task_refuse(coro, args, here, r);
    }
    if (!uva__loop_owned_for(loop, plain ? "uva_create_task" : "uva_spawn")) {
        return task_refuse(coro, args, uva__loop_refusal(loop));
    }
    if (plain && loop->tasks.factory != NULL && !loop->tasks.in_factory) {
        return task_from_factory(loop, args, options);
    }
    r = loop_forbids_task(loop);
    if (r < 0) {
        return uva__task_refuse(coro, args, here, r);
    }
    task = uva__slab_get_units(&loop->slab, uva__coro_units(coro));
    if (task == NULL) {
        return uva__task_refuse(coro, args, here, UV_ENOMEM);
    }
    task_init(loop, task, coro);
    task_fill(task, args);
    if ((options != NULL || loop->debug.enabled ||
         uva__context_current() != NULL) &&
        task_settle_options(task, args, options, here) < 0) {
        uva__extra_free(loop, task->extra);
        uva__slab_put_units(&loop->slab, task, uva__coro_units(coro));
        return uva__task_refuse(coro, args, here, UV_ENOMEM);
    }
    task_begin(task, options);
    return task;
}

/* A child of a group, which makes it by its entry among its task's scopes. */
static uva_task_t *task_new_in(const uva_taskgroup_t *group,
                               const uva__coro_t *coro,
                               const void *args,
                               const uva_task_options_t *options,
                               const char *here)
{
    uva__scope_t *entry = group->entry;

    if (entry == NULL || uva__scope_lost(entry)) {
        return uva__task_refuse(coro, args, here,
                                group->code != 0 ? group->code : UV_EPERM);
    }
    return entry->ops->spawn(entry, coro, args, options, here);
}

void uva__loop_settle_spawns(uva_loop_t *loop)
{
    loop->tasks.fast_spawn = !loop->debug.enabled &&
                             loop->tasks.factory == NULL &&
                             loop->limits.max_tasks == SIZE_MAX;
}

static UVA__NOINLINE uva_task_t *spawn_slow(const uva__coro_t *coro,
                                            const void *args,
                                            const uva_task_options_t *options,
                                            const char *here)
{
    uva_loop_t *loop = uva__running();

    if (options != NULL && options->size >= sizeof *options) {
        if (options->group != NULL) {
            return task_new_in(options->group, coro, args, options, here);
        }
        loop = options->loop != NULL ? options->loop : loop;
    }
    return uva__task_new(loop, coro, args, options, here);
}

/* Most tasks are made by a task that runs, without options, in memory that
 * another one has given back: then nothing has to be settled. */
uva_task_t *uva__spawn(const uva__coro_t *coro,
                       const void *args,
                       const uva_task_options_t *options,
                       const char *here)
{
    uva_loop_t *loop = uva__here;
    const uva_task_t *maker = loop->step.current;
    uva_task_t *task = NULL;

    if (options == NULL && maker != NULL && loop->tasks.fast_spawn &&
        (maker->base.flags & UVA__HAS_EXTRA) == 0) {
        task = uva__slab_get_idle(&loop->slab, uva__coro_units(coro));
    }
    if (UVA__UNLIKELY(task == NULL)) {
        return spawn_slow(coro, args, options, here);
    }
    task_init(loop, task, coro);
    task_enlist(loop, task);
    uva__loop_push_last(loop, &task->ready);
    task_fill(task, args);
    return task;
}

uva_task_t *uva__create_task(uva_loop_t *loop,
                             uva_coro_cb body,
                             void *arg,
                             const uva_task_options_t *options,
                             const char *function,
                             const char *here)
{
    uva__plain_frame_t frame = {.body = body, .arg = arg, .function = function};

    if (options != NULL) {
        frame.arg_destroy = options->arg_destroy;
        frame.result_destroy = options->result_destroy;
    }
    if (loop != NULL) {
        return uva__task_new(loop, &uva__plain_coro, &frame, options, here);
    }
    return spawn_slow(&uva__plain_coro, &frame, options, here);
}

uva_task_t *(uva_create_task)(uva_coro_cb body, void *arg)
{
    return uva__create_task(NULL, body, arg, NULL, NULL, NULL);
}

uva_task_t *(uva_create_task_with)(uva_coro_cb body,
                                   void *arg,
                                   const uva_task_options_t *options)
{
    return uva__create_task(NULL, body, arg, options, NULL, NULL);
}

uva_task_t *uva_loop_create_task(uva_loop_t *loop,
                                 uva_coro_cb body,
                                 void *arg,
                                 const uva_task_options_t *options)
{
    return uva__create_task(loop, body, arg, options, NULL, NULL);
}

uva_future_t *uva_ensure_future(const uva_awaitable_t *awaitable,
                                uva_loop_t *loop)
{
    uva_future_t *future = awaitable->future;

    if (future == NULL && awaitable->body != NULL) {
        return UVA_FUTURE(
            uva_loop_create_task(loop, awaitable->body, awaitable->arg, NULL));
    }
    if (future != NULL && loop != NULL && future->loop != NULL &&
        future->loop != loop) {
        return uva_future_refused(UV_EINVAL);
    }
    if (!uva_loop_owned(uva_future_get_loop(future), __func__)) {
        return uva_future_refused(uva__loop_refusal(future->loop));
    }
    return uva__future_ref(future);
}

void uva_loop_set_task_factory(uva_loop_t *loop,
                               uva_task_factory_cb factory,
                               void *data)
{
    if (!uva__loop_owned(loop)) {
        return;
    }
    loop->tasks.factory = factory;
    loop->tasks.factory_data = data;
    uva__loop_settle_spawns(loop);
}

uva_task_factory_cb uva_loop_get_task_factory(const uva_loop_t *loop,
                                              void **ret_data)
{
    if (ret_data != NULL) {
        *ret_data = loop->tasks.factory_data;
    }
    return loop->tasks.factory;
}

uva_task_t *uva_eager_task_factory(uva_loop_t *loop,
                                   uva_coro_cb body,
                                   void *arg,
                                   const uva_task_options_t *options,
                                   void *data)
{
    uva_task_options_t eager = UVA_TASK_OPTIONS_INIT;

    (void)data;
    if (options != NULL) {
        eager = *options;
    }
    eager.eager_start = true;
    return uva_loop_create_task(loop, body, arg, &eager);
}

/* --- looking --- */

uva_task_t *uva_task_ref(uva_task_t *task)
{
    (void)uva_future_ref(UVA_FUTURE(task));
    return task;
}

uva_task_t *uva_task_unref(uva_task_t *task)
{
    (void)uva_future_unref(UVA_FUTURE(task));
    return NULL;
}

uva_task_t *uva_current_task(void)
{
    return uva__task_current();
}

uva_task_t *uva_loop_current_task(uva_loop_t *loop)
{
    return loop == NULL ? NULL : loop->step.current;
}

size_t uva_loop_all_tasks(uva_loop_t *loop, uva_task_t **tasks, size_t count)
{
    size_t i = 0;

    if (tasks != NULL) {
        UVA__LIST_FOREACH (task, &loop->tasks.all, uva_task_t, link) {
            if (i == count) {
                break;
            }
            tasks[i++] = task;
        }
    }
    return loop->tasks.count;
}

int uva__bad_resume(const char *function)
{
    uva__log(UVA_LOG_ERROR,
             "stackless body %s was resumed at no await: it had ended, or "
             "awaits inside a switch of its own",
             function);
    return UV_EINVAL;
}
