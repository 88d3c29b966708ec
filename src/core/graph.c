/*
 * The call graph: which future waits for which (asyncio.graph, asyncio.tools).
 *
 * Nothing is recorded for it while tasks run: each record among a future's
 * callbacks knows the future that goes on when it runs (ops->waiter). Only for
 * edges that the user alone knows there are callbacks of their own, see
 * callbacks.c.
 *
 * Invariant: nothing here changes a future but the mark UVA__VISITED, which is
 * gone at the end.
 */
#include "uva/graph.h"

#include "base/buffer.h"
#include "base/log.h"
#include "core/extra.h"
#include "core/futures.h"
#include "core/graph.h"
#include "core/loop.h"
#include "core/names.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/ready.h"
#include "core/step.h"

#define GRAPH_DEPTH 32u /* Deeper chains are cut, and end in "...". */

/* --- one task --- */

/* A word for the state of a future. */
static const char *future_state(const uva_future_t *future)
{
    if (future->state == UVA__FUTURE_CANCELLED) {
        return "cancelled";
    }
    if (future->state == UVA__FUTURE_FINISHED) {
        return future->code < 0 ? "failed" : "finished";
    }
    return "pending";
}

/* A word for the state of a task. One that awaits what is done already, or
 * was woken or cancelled, stands in the ready queue. */
static const char *task_state(const uva_task_t *task)
{
    if (task->base.state != UVA__FUTURE_PENDING) {
        return future_state(&task->base);
    }
    if (task->base.loop->step.current == task) {
        return "running";
    }
    if ((task->base.flags & UVA__NEW) != 0) {
        return "not started";
    }
    switch ((uva__phase_t)task->base.phase) {
    case UVA__PHASE_FUTURE:
        return uva__future_pending(task->waiter.await.future) ? "waiting"
                                                              : "ready";
    case UVA__PHASE_WAIT:
        return "waiting";
    default:
        return "ready";
    }
}

/* The line of the await in which a stackless body is suspended: its frame has
 * it. */
static int task_line(const uva_task_t *task)
{
    const char *frame =
        uva__task_frame(UVA__CONTAINER_OF((uintptr_t)task, uva_task_t, base));

    return *(const int *)(const void *)(frame + task->coro->place) &
           (UVA__AT_YIELD - 1);
}

/* Append the words for a future: for a task its name and function, for others
 * their kind. */
static int format_future(uva_buffer_t *text, uva_future_t *future)
{
    uva_task_t *task = uva_future_task(future);

    if (task != NULL) {
        return uva__buffer_printf(text, "task '%s' (%s)",
                                  uva_task_get_name(task),
                                  uva__task_function(task));
    }
    return uva__buffer_printf(text, "%s",
                              future == NULL || future->loop == NULL
                                  ? "a future"
                                  : uva__future_kind(future)->describe);
}

/* Append the place in which a task is suspended, and the future that it awaits.
 */
static int format_place(uva_buffer_t *text, uva_task_t *task)
{
    int r;

    if (uva__task_stackless(task)) {
        r = uva__buffer_printf(text, " at line %d", task_line(task));
    } else {
        r = uva__buffer_printf(text, " in %s", uva__task_stackful(task)->what);
    }
    if (r >= 0 && task->base.phase == UVA__PHASE_FUTURE) {
        r = uva__buffer_printf(text, " for ");
        r = r < 0 ? r : format_future(text, task->waiter.await.future);
    }
    return r;
}

/* Append the source line where a future was made, which is known in debug mode.
 */
static int format_source(uva_buffer_t *text, const uva_future_t *future)
{
    const uva__extra_t *extra = uva__future_has_extra(future);

    return extra == NULL || extra->source == NULL
               ? 0
               : uva__buffer_printf(text, ", made at %s", extra->source);
}

/* A future that is no task, as the head of a graph. */
static int format_plain(uva_buffer_t *text, uva_future_t *future)
{
    int r = format_future(text, future);

    if (r >= 0) {
        r = uva__buffer_printf(text, ", %s", future_state(future));
    }
    if (r >= 0 && future->state == UVA__FUTURE_FINISHED && future->code < 0) {
        r = uva__buffer_printf(text, " with %s (%d)",
                               uva_err_name(future->code), future->code);
    }
    return r < 0 ? r : format_source(text, future);
}

/* A line for a task: its name, its state, and if it waits, where and for
 * what. */
static int format_task(uva_buffer_t *text, uva_task_t *task)
{
    bool pending = task->base.state == UVA__FUTURE_PENDING;
    int r = format_future(text, &task->base);

    if (r >= 0) {
        r = uva__buffer_printf(
            text, ", %s%s",
            pending && task->base.cancelling > 0 ? "cancelling, " : "",
            task_state(task));
    }
    if (r >= 0 && pending && task->base.phase != UVA__PHASE_IDLE &&
        (task->base.flags & UVA__NEW) == 0) {
        r = format_place(text, task);
    }
    return r < 0 || !pending ? r : format_source(text, &task->base);
}

/* --- the graph --- */

/* Graphs are as deep as tasks wait for each other: recursion is bounded by
 * GRAPH_DEPTH. */
static int
format_waiters(uva_buffer_t *text, uva_future_t *future, unsigned depth);

/* A line for the waiter, and below it those of the futures that wait for it. A
 * waiter that stands on the way already closes a cycle, and is not followed
 * again. */
static int
format_waiter(uva_buffer_t *text, uva_future_t *waiter, unsigned depth)
{
    uva_task_t *task = uva_future_task(waiter);
    int r = uva__buffer_printf(text, "%*s+ awaited by ", (int)(2 * depth), "");

    if (r >= 0) {
        r = task != NULL ? format_task(text, task)
                         : format_future(text, waiter);
    }
    if (r >= 0 && (waiter->flags & UVA__VISITED) != 0) {
        return uva__buffer_printf(text, " (a cycle)\n");
    }
    if (r >= 0) {
        r = uva__buffer_printf(text, "\n");
    }
    return r < 0 ? r : format_waiters(text, waiter, depth + 1);
}

/* A line for each future that waits for this one, in the order in which they go
 * on. */
static int
format_records(uva_buffer_t *text, uva_future_t *future, unsigned depth)
{
    uva__ready_t *node = &future->callbacks->ready;
    int r = 0;

    do {
        uva_future_t *waiter;
        node = node->next;
        waiter = uva__ready_waiter(node);
        if (waiter != NULL) {
            r = format_waiter(text, waiter, depth);
        }
    } while (r >= 0 && node != &future->callbacks->ready);
    return r;
}

/* Futures on the way down are marked, and unmarked on the way back. */
static int
format_waiters(uva_buffer_t *text, uva_future_t *future, unsigned depth)
{
    int r;

    if (future->callbacks == NULL || !uva__future_pending(future)) {
        return 0;
    }
    if (depth > GRAPH_DEPTH) {
        return uva__buffer_printf(text, "%*s...\n", (int)(2 * depth), "");
    }
    future->flags |= UVA__VISITED;
    r = format_records(text, future, depth);
    future->flags &= (uint16_t)~UVA__VISITED;
    return r;
}

/* asyncio: graph.py, format_call_graph. Without a future the running task is
 * the head. */
int uva_format_call_graph(uva_future_t *future, uva_buffer_t *ret_buffer)
{
    uva_buffer_t text = {0};
    uva_task_t *task;
    int r;

    if (future == NULL) {
        future = UVA_FUTURE(uva__task_current());
    }
    if (future == NULL) {
        return uva__bare(UV_EINVAL);
    }
    if (!uva_loop_owned(uva_future_get_loop(future), __func__)) {
        return uva__bare(UV_EPERM);
    }
    task = uva_future_task(future);
    r = uva__buffer_printf(&text, "* ");
    if (r >= 0) {
        r = task != NULL ? format_task(&text, task)
                         : format_plain(&text, future);
    }
    if (r >= 0) {
        r = uva__buffer_printf(&text, "\n");
    }
    if (r >= 0) {
        r = format_waiters(&text, future, 1);
    }
    if (r < 0) {
        uva_buffer_clear(&text);
        return r;
    }
    *ret_buffer = text;
    return 0;
}

/* One line for each unfinished task, the oldest first. */
int uva_loop_format_tasks(uva_loop_t *loop, uva_buffer_t *ret_buffer)
{
    uva_buffer_t text = {0};
    int r = 0;

    if (loop == NULL) {
        return uva__bare(UVA_ENOLOOP);
    }
    if (!uva__loop_owned(loop)) {
        return uva__bare(UV_EPERM);
    }
    UVA__LIST_FOREACH (task, &loop->tasks.all, uva_task_t, link) {
        r = format_task(&text, task);
        if (r >= 0) {
            r = uva__buffer_printf(&text, "\n");
        }
        if (r < 0) {
            uva_buffer_clear(&text);
            return r;
        }
    }
    *ret_buffer = text;
    return 0;
}

/* --- to a file --- */

/* Write a text to a file and free it; r < 0 says that it could not be made, and
 * is passed on. */
static int print_take(int r, uva_buffer_t *text, FILE *file)
{
    if (r >= 0 && text->size > 0 &&
        fwrite(text->data, 1, text->size, file) != text->size) {
        r = UV_EIO;
    }
    uva_buffer_clear(text);
    return r;
}

/* asyncio: graph.py, print_call_graph. */
int uva_print_call_graph(uva_future_t *future, FILE *file)
{
    uva_buffer_t text = {0};
    int r = uva_format_call_graph(future, &text);

    return print_take(r, &text, file);
}

/* asyncio: tools.py, which does the same from another process. */
int uva_loop_print_tasks(uva_loop_t *loop, FILE *file)
{
    uva_buffer_t text = {0};
    int r = uva_loop_format_tasks(loop, &text);

    return print_take(r, &text, file);
}

/* The turn in which something runs clears stuck. */
void uva__loop_report_stuck(uva_loop_t *loop, bool outside)
{
    uva_buffer_t text = {0};
    bool listed;

    if (loop->reports.stuck || (outside && loop->reports.stuck_outside)) {
        return;
    }
    loop->reports.stuck = true;
    loop->reports.stuck_outside = loop->reports.stuck_outside || outside;
    listed = uva_loop_format_tasks(loop, &text) >= 0 && text.data != NULL;
    uva__log(outside ? UVA_LOG_DEBUG : UVA_LOG_WARNING,
             "%s can wake the unfinished tasks%s%s",
             outside ? "only another thread, or a host," : "nothing",
             listed ? ":\n" : "", listed ? (const char *)text.data : "");
    uva_buffer_clear(&text);
}
