/*
 * Statements that do not suspend: each is one call of uva, and its result in
 * words. In a callback body is NULL.
 */
#include "uva_conform.h"

#include <string.h>

typedef failure_t (*op_fn)(machine_t *machine,
                           body_t *body,
                           const stmt_t *stmt,
                           text_t *text);

static failure_t fail_code(int code)
{
    return (failure_t){code < 0 ? code : 0, NULL};
}

/* "ok", or the failure. */
static failure_t say_ok(text_t *text, int r)
{
    text_add(text, "ok");
    return fail_code(r);
}

/* The future of the first argument; NULL says unset. */
static uva_future_t *
future_of(machine_t *machine, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = machine_slot(machine, stmt->args[0].ref)->future;

    if (future == NULL) {
        text_add(text, "unset");
    }
    return future;
}

/* --- callbacks --- */

static void callback_run(callback_t *callback)
{
    machine_t *machine = callback->machine;
    const block_t *block = machine->program->callbacks[callback->number];

    machine->running_callback = callback->number;
    machine_emit(machine, 0, "call");
    for (const stmt_t *stmt = block->first; stmt != NULL; stmt = stmt->next) {
        text_t text = {0};
        failure_t failure = op_run(machine, NULL, stmt, &text);

        if (failure.code < 0) {
            machine_emit_failure(machine, stmt->line, "!", failure);
        } else {
            machine_emit_text(machine, stmt->line, &text);
        }
        text_clear(&text);
    }
}

static void on_call(void *data)
{
    callback_run(data);
}

static void on_done(uva_future_t *future, void *data)
{
    (void)future;
    callback_run(data);
}

static callback_t *callback_of(machine_t *machine, int number)
{
    if (machine->program->callbacks[number] == NULL) {
        refuse("no cb %d", number);
    }
    return &machine->callbacks[number];
}

static failure_t
op_addcb(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);

    (void)body;
    if (future == NULL) {
        return failure_none();
    }
    return say_ok(text, uva_future_add_done_callback(
                            future, on_done,
                            callback_of(machine, stmt->args[1].number), NULL));
}

static failure_t
op_rmcb(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);

    (void)body;
    if (future != NULL) {
        text_add(
            text, "%zu",
            uva_future_remove_done_callback(
                future, on_done, callback_of(machine, stmt->args[1].number)));
    }
    return failure_none();
}

static failure_t handle_set(
    machine_t *machine, int number, int r, uva_handle_t *handle, text_t *text)
{
    if (r >= 0) {
        uva_handle_unref(machine->handles[number]);
        machine->handles[number] = handle;
    }
    return say_ok(text, r);
}

static failure_t
op_soon(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_handle_t *handle = NULL;
    int r = uva_loop_call_soon(machine->loop, on_call,
                               callback_of(machine, stmt->args[1].number), NULL,
                               &handle);

    (void)body;
    return handle_set(machine, stmt->args[0].number, r, handle, text);
}

static failure_t
op_later(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_handle_t *handle = NULL;
    int r = uva_loop_call_later(
        machine->loop, ticks_ns(stmt->args[1].number), on_call,
        callback_of(machine, stmt->args[2].number), NULL, &handle);

    (void)body;
    return handle_set(machine, stmt->args[0].number, r, handle, text);
}

static failure_t
op_hcancel(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_handle_t *handle = machine->handles[stmt->args[0].number];

    (void)body;
    uva_handle_cancel(handle);
    text_add(text, handle == NULL ? "unset" : "ok");
    return failure_none();
}

/* --- tasks --- */

static failure_t spawn(machine_t *machine,
                       ref_t ref,
                       uva_taskgroup_t *group,
                       bool eager,
                       text_t *text)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    slot_t *slot = machine_slot(machine, ref);
    text_t name = {0};
    bool stackless;
    uva_task_t *task;
    uva_future_t *future;

    if (slot->taken) {
        text_add(text, "dup");
        return failure_none();
    }
    /* Before the task exists, so that an eager one sees itself as spawned. */
    slot->taken = true;
    text_add(&name, "T%d", ref.number);
    options.name = name.data;
    options.eager_start = eager;
    stackless = machine->kind == KIND_STACKLESS ||
                (machine->kind == KIND_MIXED && ref.number % 2 != 0);
    task = (stackless ? stackless_spawn : stackful_spawn)(
        body_new(machine, ref), group, &options);
    text_clear(&name);
    future = UVA_FUTURE(task);
    if (!(uva_future_task(future) != NULL)) {
        slot->taken = false;
        return fail_code(uva_future_exception(future));
    }
    if (group != NULL) {
        (void)uva_future_ref(future); /* The group's children are borrowed. */
    }
    slot->future = machine_keep_future(machine, future);
    machine->order[machine->order_count++] = ref.number;
    return say_ok(text, 0);
}

static failure_t
op_spawn(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return spawn(machine, stmt->args[0].ref, NULL, false, text);
}

static failure_t
op_espawn(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return spawn(machine, stmt->args[0].ref, NULL, true, text);
}

static failure_t
op_gspawn(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_taskgroup_t *group = machine->groups[stmt->args[0].number];

    (void)body;
    if (group == NULL) {
        text_add(text, "unset");
        return failure_none();
    }
    return spawn(machine, stmt->args[1].ref, group, false, text);
}

static failure_t
op_cancel(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);

    (void)body;
    if (future != NULL) {
        text_add_bool(text, uva_future_cancel(future));
    }
    return failure_none();
}

static failure_t op_cancelling(machine_t *machine,
                               body_t *body,
                               const stmt_t *stmt,
                               text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);

    (void)body;
    if (future != NULL) {
        text_add(text, "%u", uva_task_cancelling(uva_future_task(future)));
    }
    return failure_none();
}

static failure_t
op_uncancel(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)machine;
    (void)body;
    (void)stmt;
    text_add(text, "%u", uva_task_uncancel(uva_current_task()));
    return failure_none();
}

/* --- futures --- */

static failure_t
op_done(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);

    (void)body;
    if (future != NULL) {
        text_add_bool(text, uva_future_done(future));
    }
    return failure_none();
}

static failure_t op_iscancelled(machine_t *machine,
                                body_t *body,
                                const stmt_t *stmt,
                                text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);

    (void)body;
    if (future != NULL) {
        text_add_bool(text, uva_future_cancelled(future));
    }
    return failure_none();
}

static failure_t
op_result(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);
    void *value = NULL;
    int r;

    (void)body;
    if (future == NULL) {
        return failure_none();
    }
    r = uva_future_result(future, &value);
    if (r < 0) {
        return machine_future_failure(machine, r, future);
    }
    text_add_value(text, machine_slot(machine, stmt->args[0].ref)->shape,
                   value);
    return failure_none();
}

static failure_t
op_exc(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    uva_future_t *future = future_of(machine, stmt, text);
    int r;

    (void)body;
    if (future == NULL) {
        return failure_none();
    }
    r = uva_future_exception(future);
    if (!uva_future_done(future) || uva_future_cancelled(future)) {
        return fail_code(r);
    }
    if (r < 0) {
        text_add_failure(text, (failure_t){r, uva_future_error(future)});
    } else {
        text_add(text, "none");
    }
    return failure_none();
}

static uva_future_t *plain_future_of(machine_t *machine, const stmt_t *stmt)
{
    ref_t ref = stmt->args[0].ref;

    if (ref.kind != 'F' || machine_slot(machine, ref)->future == NULL) {
        refuse("line %d: no plain future", stmt->line);
    }
    return machine_slot(machine, ref)->future;
}

static failure_t
op_setres(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(text,
                  uva_future_set_result(
                      plain_future_of(machine, stmt),
                      machine_value(machine, stmt->args[1].number), NULL));
}

static failure_t
op_setexc(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(
        text, uva_future_set_exception(plain_future_of(machine, stmt),
                                       UVA_EUSER - stmt->args[1].number, NULL));
}

/* --- gather and shield --- */

static failure_t
op_shield(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    slot_t *outer = machine_slot(machine, stmt->args[0].ref);
    const slot_t *inner = machine_slot(machine, stmt->args[1].ref);

    (void)body;
    if (inner->future == NULL) {
        text_add(text, "unset");
        return failure_none();
    }
    outer->shape = inner->shape;
    outer->future =
        machine_keep_future(machine, uva_shield_future(inner->future));
    return say_ok(text, 0);
}

static failure_t
op_gather(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    slot_t *outer = machine_slot(machine, stmt->args[0].ref);
    size_t bytes = stmt->ref_count * sizeof(uva_future_t *);
    uva_future_t **futures = arena_get(&machine->arena, bytes);
    shape_t *shape = arena_get(&machine->arena, sizeof *shape);

    (void)body;
    shape->children =
        arena_get(&machine->arena, stmt->ref_count * sizeof *shape->children);
    for (size_t i = 0; i < stmt->ref_count; i++) {
        const slot_t *slot = machine_slot(machine, stmt->refs[i]);

        if (slot->future != NULL) {
            shape->children[shape->count] =
                (child_t){slot->future, slot->shape};
            futures[shape->count++] = uva_future_ref(slot->future);
        }
    }
    if (shape->count == 0) {
        text_add(text, "unset");
        return failure_none();
    }
    outer->shape = shape;
    outer->future = machine_keep_future(
        machine,
        uva_gather_future(UVA_FUTURES(futures), shape->count,
                          stmt->args[1].number ? UVA_RETURN_EXCEPTIONS : 0));
    return say_ok(text, 0);
}

/* --- primitives --- */

int primitive_release(primitive_t *primitive)
{
    switch (primitive->name.kind) {
    case 'L':
        return uva_lock_release(&primitive->u.lock);
    case 'S':
        return uva_semaphore_release(&primitive->u.semaphore);
    default:
        return uva_condition_release(&primitive->u.condition);
    }
}

bool primitive_locked(primitive_t *primitive)
{
    switch (primitive->name.kind) {
    case 'L':
        return uva_lock_locked(&primitive->u.lock);
    case 'S':
        return uva_semaphore_locked(&primitive->u.semaphore);
    default:
        return uva_condition_locked(&primitive->u.condition);
    }
}

static failure_t
op_release(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(text, primitive_release(machine_primitive(
                            machine, stmt->args[0].ref, "LSC")));
}

static failure_t
op_locked(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    text_add_bool(text, primitive_locked(machine_primitive(
                            machine, stmt->args[0].ref, "LSC")));
    return failure_none();
}

static uva_event_t *event_of(machine_t *machine, const stmt_t *stmt)
{
    return &machine_primitive(machine, stmt->args[0].ref, "E")->u.event;
}

static failure_t
op_eset(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    uva_event_set(event_of(machine, stmt));
    return say_ok(text, 0);
}

static failure_t
op_eclr(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    uva_event_clear(event_of(machine, stmt));
    return say_ok(text, 0);
}

static failure_t
op_eisset(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    text_add_bool(text, uva_event_is_set(event_of(machine, stmt)));
    return failure_none();
}

static uva_condition_t *condition_of(machine_t *machine, const stmt_t *stmt)
{
    return &machine_primitive(machine, stmt->args[0].ref, "C")->u.condition;
}

static failure_t
op_notify(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(text, uva_condition_notify(condition_of(machine, stmt),
                                             (size_t)stmt->args[1].number));
}

static failure_t
op_notifyall(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(text, uva_condition_notify_all(condition_of(machine, stmt)));
}

static uva_queue_t *queue_of(machine_t *machine, const stmt_t *stmt)
{
    return &machine_primitive(machine, stmt->args[0].ref, "Q")->u.queue;
}

static failure_t
op_putnw(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(text, uva_queue_put_nowait(
                            queue_of(machine, stmt),
                            machine_value(machine, stmt->args[1].number)));
}

static failure_t
op_getnw(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    static const shape_t plain_shape = {0, NULL};
    void *item = NULL;
    int r = uva_queue_get_nowait(queue_of(machine, stmt), &item);

    (void)body;
    if (r >= 0) {
        text_add_value(text, &plain_shape, item);
    }
    return fail_code(r);
}

static failure_t
op_taskdone(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(text, uva_queue_task_done(queue_of(machine, stmt)));
}

static failure_t
op_qsize(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    text_add(text, "%zu", uva_queue_qsize(queue_of(machine, stmt)));
    return failure_none();
}

static failure_t
op_qshut(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    uva_queue_shutdown(queue_of(machine, stmt), stmt->args[1].number != 0);
    return say_ok(text, 0);
}

/* --- variables, timeouts, raising --- */

static failure_t
op_log(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)machine;
    (void)body;
    text_add(text, "%d", stmt->args[0].number);
    return failure_none();
}

static failure_t
op_add(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    int *variable = &machine->variables[stmt->args[0].number];

    (void)body;
    *variable += stmt->args[1].number;
    text_add(text, "%d", *variable);
    return failure_none();
}

static uva_context_var_t *context_variable_of(machine_t *machine,
                                              const stmt_t *stmt)
{
    uva_context_var_t *variable =
        machine->context_variables[stmt->args[0].number];

    if (variable == NULL) {
        refuse("line %d: no such context variable", stmt->line);
    }
    return variable;
}

static failure_t
op_cvset(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    return say_ok(
        text, uva_context_var_set(context_variable_of(machine, stmt),
                                  machine_value(machine, stmt->args[1].number),
                                  NULL));
}

static failure_t
op_cvget(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    const value_t *value =
        uva_context_var_get(context_variable_of(machine, stmt));

    (void)body;
    text_add(text, "%d", value->number);
    return failure_none();
}

static uva_timeout_t *timeout_of(machine_t *machine, const stmt_t *stmt)
{
    uva_timeout_t *timeout = machine->timeouts[stmt->args[0].number];

    if (timeout == NULL) {
        refuse("line %d: the timeout was never entered", stmt->line);
    }
    return timeout;
}

static failure_t
op_resched(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    int delay = stmt->args[1].number;
    uint64_t when_ns = delay < 0
                           ? UVA_FOREVER
                           : uva_loop_time(machine->loop) + ticks_ns(delay);

    (void)body;
    return say_ok(text,
                  uva_timeout_reschedule(timeout_of(machine, stmt), when_ns));
}

static failure_t
op_expired(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)body;
    text_add_bool(text, uva_timeout_expired(timeout_of(machine, stmt)));
    return failure_none();
}

static failure_t
op_raise(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)machine;
    (void)body;
    (void)text;
    return fail_code(UVA_EUSER - stmt->args[0].number);
}

static failure_t op_raisecancel(machine_t *machine,
                                body_t *body,
                                const stmt_t *stmt,
                                text_t *text)
{
    (void)machine;
    (void)body;
    (void)stmt;
    (void)text;
    return fail_code(UV_ECANCELED);
}

static failure_t
op_reraise(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    (void)machine;
    (void)text;
    if (body->handling_count == 0) {
        refuse("line %d: nothing is being handled", stmt->line);
    }
    return body->handling[body->handling_count - 1];
}

/* --- the table --- */

static const op_fn op_table[OP_COUNT] = {
    [OP_log] = op_log,
    [OP_spawn] = op_spawn,
    [OP_espawn] = op_espawn,
    [OP_gspawn] = op_gspawn,
    [OP_cancel] = op_cancel,
    [OP_done] = op_done,
    [OP_iscancelled] = op_iscancelled,
    [OP_result] = op_result,
    [OP_exc] = op_exc,
    [OP_setres] = op_setres,
    [OP_setexc] = op_setexc,
    [OP_shield] = op_shield,
    [OP_gather] = op_gather,
    [OP_addcb] = op_addcb,
    [OP_rmcb] = op_rmcb,
    [OP_soon] = op_soon,
    [OP_later] = op_later,
    [OP_hcancel] = op_hcancel,
    [OP_eset] = op_eset,
    [OP_eclr] = op_eclr,
    [OP_eisset] = op_eisset,
    [OP_release] = op_release,
    [OP_locked] = op_locked,
    [OP_putnw] = op_putnw,
    [OP_getnw] = op_getnw,
    [OP_taskdone] = op_taskdone,
    [OP_qsize] = op_qsize,
    [OP_qshut] = op_qshut,
    [OP_add] = op_add,
    [OP_cvset] = op_cvset,
    [OP_cvget] = op_cvget,
    [OP_notify] = op_notify,
    [OP_notifyall] = op_notifyall,
    [OP_uncancel] = op_uncancel,
    [OP_cancelling] = op_cancelling,
    [OP_resched] = op_resched,
    [OP_expired] = op_expired,
    [OP_raise] = op_raise,
    [OP_raisecancel] = op_raisecancel,
    [OP_reraise] = op_reraise,
};

bool op_suspends(op_t op)
{
    return op < OP_return && op_table[op] == NULL;
}

failure_t
op_run(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text)
{
    return op_table[stmt->op](machine, body, stmt, text);
}
