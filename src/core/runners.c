/*
 * run, main and Runner (asyncio.runners).
 *
 *   state        set by               the runner has
 *   CREATED      uva_runner_init      options
 *   INITIALIZED  the first run        a loop, and a context once one was needed
 *   CLOSED       uva_runner_close     nothing
 *
 * Invariant: a runner that a signal has ended closes its loop all the same; its
 * caller learns the signal from the runner. interrupts.c watches the signals.
 */
#include "uva/runners.h"

#include <string.h>

#include "uva/coroutines.h"

#include "base/buffer.h"
#include "base/log.h"
#include "core/calls.h"
#include "core/extra.h"
#include "core/interrupts.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/reports.h"
#include "core/results.h"
#include "core/tasks.h"
#include "stack/overflow.h"

enum {
    RUNNER_CREATED,
    RUNNER_INITIALIZED,
    RUNNER_CLOSED
};

/* --- overflow reports --- */

/* The name of the task on a stack, for the report of an overflow. It runs in a
 * handler of SIGSEGV, so it only reads, and makes up no name. */
static const char *overflow_describe(uva__stack_t *stack,
                                     const char **ret_function)
{
    const uva_future_t *owner = stack->owner;
    const uva_task_t *task;

    *ret_function = NULL;
    if (owner == NULL || owner->kind != UVA__KIND_TASK) {
        return owner == NULL ? NULL : "a coroutine";
    }
    task = UVA__CONTAINER_OF((uintptr_t)owner, uva_task_t, base);
    *ret_function = uva__task_function(task);
    return task->extra == NULL || task->extra->name == NULL
               ? "Task without a name"
               : task->extra->name;
}

/* The report is the process's; the stack for the handler is the thread's. */
int uva_install_overflow_report(void)
{
    int r = uva__overflow_install(overflow_describe);

    return r < 0 ? r : uva__overflow_thread_init();
}

/* --- runners --- */

/* asyncio: runners.py, Runner.__init__; the loop is made by the first run. */
void uva_runner_init(uva_runner_t *runner, const uva_run_options_t *options)
{
    memset(runner, 0, sizeof *runner);
    if (options != NULL) {
        runner->options = *options;
    }
}

/* asyncio: runners.py, Runner._lazy_init. Make the loop, once. @retval UV_EPERM
 * The runner is closed. */
static int runner_start(uva_runner_t *runner)
{
    int r;

    if (runner->state == RUNNER_CLOSED) {
        return uva__bare(UV_EPERM);
    }
    if (runner->state == RUNNER_INITIALIZED) {
        return 0;
    }
    r = runner->options.loop_factory != NULL
            ? runner->options.loop_factory(&runner->loop)
            : uva_loop_new(runner->options.loop, &runner->loop);
    if (r >= 0) {
        runner->state = RUNNER_INITIALIZED;
    }
    return r;
}

uva_loop_t *uva_runner_get_loop(uva_runner_t *runner)
{
    return runner_start(runner) < 0 ? NULL : runner->loop;
}

/* Give the record of a failure to the log, as its caller gets the code alone:
 * nobody takes the record. */
static void runner_tell(uva_runner_t *runner, uva_future_t *future)
{
    uva__extra_t *extra = uva__future_has_extra(future);
    uva_exception_t exception = {
        .size = sizeof exception,
        .message = "The main task of a run failed",
        .code = future->code,
        .error = uva_future_error(future),
        .task = uva_future_task(future),
        .source = extra == NULL ? NULL : extra->source,
    };

    uva_loop_default_exception_handler(runner->loop, &exception);
}

/* asyncio: runners.py, Runner.run. Run a task to its end, with SIGINT and
 * SIGTERM; takes the reference. The result is moved to ret, which has ret_bytes
 * bytes. A task that ends by a signal's cancellation gives UV_EINTR, for
 * KeyboardInterrupt. */
static int runner_run(uva_runner_t *runner,
                      uva_task_t *take_task,
                      void *ret,
                      size_t ret_bytes)
{
    uva_future_t *future = UVA_FUTURE(take_task);
    bool watched = uva__future_pending(future) &&
                   !runner->options.keep_signals &&
                   uva__interrupts_watch(runner->loop, take_task);
    int r = uva_loop_run_until_complete(runner->loop, future, NULL);
    int asked = watched ? uva__interrupts_unwatch(runner->loop, take_task) : 0;

    runner->interrupted = r == UV_ECANCELED ? asked : 0;
    if (r >= 0) {
        r = uva__future_take(future, ret, ret_bytes);
    } else if (runner->interrupted != 0) {
        r = UV_EINTR;
    }
    if (runner->options.ret_signal != NULL) {
        *runner->options.ret_signal = runner->interrupted;
    }
    if (runner->options.ret_error != NULL) {
        *runner->options.ret_error = uva_error_ref(uva_future_error(future));
    } else if (r < 0 && (uva_future_task(future) != NULL) &&
               future->state == UVA__FUTURE_FINISHED) {
        runner_tell(runner, future);
    }
    /* The last reference may go, and destructors call functions of the loop as
     * code inside of it does. */
    uva__here = runner->loop;
    uva_task_unref(take_task);
    uva__here = &uva__nowhere;
    return r;
}

/* The runs of one runner share a context, which is copied at the first. */
int uva_runner_run(uva_runner_t *runner,
                   uva_coro_cb body,
                   void *arg,
                   const uva_task_options_t *options,
                   void **ret_result)
{
    uva_task_options_t own = UVA_TASK_OPTIONS_INIT;
    int r = uva__running() != NULL ? uva__bare(UV_EPERM) : runner_start(runner);

    if (options != NULL) {
        own = *options;
    }
    if (r < 0) {
        if (own.arg_destroy != NULL) {
            own.arg_destroy(arg);
        }
        return r;
    }
    if (own.context == NULL) {
        if (runner->context == NULL) {
            runner->context = uva_copy_context();
        }
        if (runner->context == NULL) {
            uva__call_refused(arg,
                              &(uva_call_options_t){sizeof(uva_call_options_t),
                                                    NULL, own.arg_destroy});
            return UV_ENOMEM;
        }
        own.context = runner->context;
    }
    return runner_run(runner,
                      uva_loop_create_task(runner->loop, body, arg, &own),
                      ret_result, sizeof *ret_result);
}

/* asyncio: runners.py, Runner.close. If tasks swallow their cancellation, the
 * runner stays as it is, and can be closed again. */
int uva_runner_close(uva_runner_t *runner)
{
    int r;

    if (runner->state != RUNNER_INITIALIZED) {
        return 0;
    }
    r = uva_loop_shutdown(runner->loop, NULL);
    if (r < 0) {
        return r;
    }
    runner->context = uva_context_unref(runner->context);
    runner->loop = uva_loop_unref(runner->loop);
    runner->state = RUNNER_CLOSED;
    return 0;
}

/* --- run --- */

/* Close the runner of a run. A loop that could not be closed is kept, because
 * its tasks are still there. The code of the main task tells more than that of
 * the close. */
static int run_end(uva_runner_t *runner, int r)
{
    int closed = uva_runner_close(runner);

    uva__overflow_thread_exit();
    uva__overflow_uninstall();
    return r < 0 ? r : closed < 0 ? closed : r;
}

/* asyncio: runners.py, run. */
int uva_run(uva_coro_cb body,
            void *arg,
            const uva_run_options_t *options,
            void **ret_result)
{
    uva_runner_t runner;
    int r;

    if (uva__running() != NULL) {
        return uva__bare(UV_EPERM);
    }
    uva_runner_init(&runner, options);
    (void)uva_install_overflow_report();
    r = runner_start(&runner);
    if (r >= 0) {
        r = runner_run(&runner,
                       uva_loop_create_task(runner.loop, body, arg, NULL),
                       ret_result, sizeof *ret_result);
    }
    return run_end(&runner, r);
}

/* Run a typed task on a loop of its own. Its arguments are destroyed here if no
 * task was made; uva__task_new does it for its own failures. */
static int run_typed(uva_runner_t *runner,
                     const uva__coro_t *coro,
                     const void *args,
                     void *ret,
                     const char *here)
{
    uva_task_t *task;
    int r = uva__running() != NULL ? uva__bare(UV_EPERM) : 0;

    if (r >= 0) {
        (void)uva_install_overflow_report();
        r = runner_start(runner);
        if (r < 0) {
            r = run_end(runner, r);
        }
    }
    if (r < 0) {
        if (coro->drop != NULL) {
            coro->drop((void *)(uintptr_t)args);
        }
        return r;
    }
    task = uva__task_new(runner->loop, coro, args, NULL, here);
    return run_end(runner,
                   runner_run(runner, task, coro->ret_bytes == 0 ? NULL : ret,
                              coro->ret_bytes));
}

int uva__run_task(const uva__coro_t *coro,
                  const void *args,
                  const uva_run_options_t *options,
                  void *ret,
                  const char *here)
{
    uva_runner_t runner;

    uva_runner_init(&runner, options);
    return run_typed(&runner, coro, args, ret, here);
}

/* --- main --- */

enum {
    STATUS_FAILED = 1,
    STATUS_SIGNALLED = 128 /* As shells do: plus the number of the signal. */
};

static void
main_tell(const uva__coro_t *coro, int code, const uva_error_t *error)
{
    uva_buffer_t text = {0};

    (void)uva__buffer_printf(&text, "%s failed", coro->name);
    uva__failure_describe(&text, code, error);
    uva__tell_user(text.data == NULL ? uva_err_name(code)
                                     : (const char *)text.data);
    uva_buffer_clear(&text);
}

/* Run a task as a program: one line on standard error says why it failed. The
 * typed result of the task is not the status. */
int uva__main(const uva__coro_t *coro, const void *args, const char *here)
{
    uva_error_t *error = NULL;
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uva_runner_t runner;
    int r;

    options.ret_error = &error; /* The record comes here and not to the log. */
    uva_runner_init(&runner, &options);
    r = run_typed(&runner, coro, args, NULL, here);
    if (r < 0 && runner.interrupted == 0) {
        main_tell(coro, r, error);
    }
    uva_error_unref(error);
    if (r >= 0) {
        return 0;
    }
    return runner.interrupted != 0 ? STATUS_SIGNALLED + runner.interrupted
                                   : STATUS_FAILED;
}
