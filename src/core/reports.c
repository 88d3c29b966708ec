/*
 * Reports: errors that no caller can receive go to the exception handler
 * (asyncio.base_events, call_exception_handler).
 *
 * Invariant: the handler runs as a plain callback, in the context of what the
 * report is about, and a report that it causes itself goes to the default one.
 */
#include "uva/events.h"

#include "base/buffer.h"
#include "base/log.h"
#include "core/calls.h"
#include "core/context.h"
#include "core/extra.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/reports.h"
#include "core/step.h"

/* --- the default exception handler --- */

/* asyncio: base_events.py, default_exception_handler. */
static const char *exception_message(const uva_exception_t *exception)
{
    return exception->message != NULL ? exception->message
                                      : "Unhandled exception in event loop";
}

void uva__failure_describe(uva_buffer_t *text,
                           int code,
                           const uva_error_t *error)
{
    if (code != 0) {
        (void)uva__buffer_printf(text, ": %s (%s)",
                                 error != NULL ? uva_error_text(error)
                                               : uva_strerror(code),
                                 uva_err_name(code));
    }
    for (size_t i = 0; i < uva_error_member_count(error); i++) {
        const uva_error_t *member = uva_error_member(error, i);
        (void)uva__buffer_printf(text, "; member: %s (%s)",
                                 uva_error_text(member),
                                 uva_err_name(uva_error_code(member)));
    }
}

/* One line: message, task or future or call, source line, failure. */
static void exception_describe(uva_buffer_t *text,
                               const uva_exception_t *exception)
{
    const char *source = exception->source != NULL
                             ? exception->source
                             : uva__handle_source(exception->handle);

    (void)uva__buffer_printf(text, "%s", exception_message(exception));
    if (exception->task != NULL) {
        (void)uva__buffer_printf(text, "; task '%s' (function %s)",
                                 uva_task_get_name(exception->task),
                                 uva__task_function(exception->task));
    } else if (exception->future != NULL) {
        (void)uva__buffer_printf(text, "; a future");
    } else if (exception->handle != NULL) {
        const char *function = uva__handle_function(exception->handle);
        (void)uva__buffer_printf(
            text, "; a %scall of %s",
            uva_handle_cancelled(exception->handle) ? "cancelled " : "",
            function == NULL ? "a callback" : function);
    }
    if (source != NULL) {
        (void)uva__buffer_printf(text, " made at %s", source);
    }
    uva__failure_describe(text, exception->code, exception->error);
}

/* Without memory for the line the message alone is logged. */
void uva_loop_default_exception_handler(uva_loop_t *loop,
                                        const uva_exception_t *exception)
{
    uva_buffer_t text = {0};

    (void)loop;
    exception_describe(&text, exception);
    uva__log(UVA_LOG_ERROR, "%s",
             text.data == NULL ? exception_message(exception)
                               : (const char *)text.data);
    uva_buffer_clear(&text);
}

/* --- the handler --- */

/* asyncio: base_events.py, set_exception_handler. */
void uva_loop_set_exception_handler(uva_loop_t *loop,
                                    uva_exception_handler_cb handler,
                                    void *data)
{
    if (uva__loop_owned(loop)) {
        loop->reports.handler = handler;
        loop->reports.handler_data = data;
    }
}

/* asyncio: base_events.py, get_exception_handler; NULL is the default one. */
uva_exception_handler_cb uva_loop_get_exception_handler(const uva_loop_t *loop,
                                                        void **ret_data)
{
    if (ret_data != NULL) {
        *ret_data = loop->reports.handler_data;
    }
    return loop->reports.handler;
}

/* asyncio: base_events.py, call_exception_handler: the context of the task or
 * call it is about, else the one of the moment. */
static uva_context_t *exception_context(const uva_exception_t *exception)
{
    uva_task_t *task = exception->task != NULL
                           ? exception->task
                           : uva_future_task(exception->future);
    uva_context_t *own = uva_handle_get_context(exception->handle);

    if (task != NULL) {
        return uva_task_get_context(task);
    }
    /* A handle that was scheduled in an empty context has none to give, even if
     * the call has set something since: then the current one counts. */
    return own != NULL ? own : uva__context_current();
}

/* No task runs inside the handler, though one may have caused the report: so
 * the handler cannot await, and a failure in it is no task's. */
void uva__report_exception(uva_loop_t *loop, const uva_exception_t *exception)
{
    uva_task_t *current;
    uva__context_t *base;
    uva_context_t *outer;

    if (loop->reports.handler == NULL || loop->reports.handling) {
        uva_loop_default_exception_handler(loop, exception);
        return;
    }
    current = loop->step.current;
    base = loop->step.base;
    /* The handler runs on the stack of the task that runs now: tasks that it
     * starts eagerly must come back to this stack, and not to the loop's. */
    outer = uva__context_enter(exception_context(exception));
    /* A report that the handler causes goes to the default handler: else a
     * handler that fails would call itself. */
    loop->reports.handling = true;
    loop->step.current = NULL;
    if (current != NULL && !uva__task_stackless(current)) {
        loop->step.base = uva__task_flow(current);
    }
    loop->reports.handler(loop, exception, loop->reports.handler_data);
    loop->step.base = base;
    loop->step.current = current;
    loop->reports.handling = false;
    uva__context_exit_to(outer);
}

/* The record that the handler gets is borrowed from the future. */
void uva__report(uva_loop_t *loop,
                 uva_future_t *future,
                 int code,
                 const char *message)
{
    uva__extra_t *extra = uva__future_has_extra(future);
    uva_exception_t exception = {
        .size = sizeof exception,
        .message = message,
        .code = code,
        .error = uva_future_error(future),
        .future = future,
        .task = uva_future_task(future),
        .source = extra == NULL ? NULL : extra->source,
    };

    if (uva__loop_owned(loop)) {
        uva__report_exception(loop, &exception);
    }
}
