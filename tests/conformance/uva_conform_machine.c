/*
 * The course of a run: objects, references, notes, the end. Everything that a
 * program counts is dropped when its tasks are done, and nothing of uva's may
 * be left then.
 */
#include "uva_conform.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TEARDOWN = 12 /* Rounds of cancelling what is left. */
};

/* A reference that is dropped at the end. */
typedef struct kept_s {
    struct kept_s *next;
    uva_future_t *future;
    uva_error_t *error;
} kept_t;

/* --- the trace --- */

static void machine_line_begin(machine_t *machine, int line)
{
    uva_task_t *task = uva_current_task();

    text_add(&machine->trace, "%llu ",
             (unsigned long long)(uva_loop_time(machine->loop) / TICK_NS));
    /* A callback may start a task eagerly, which is the one that runs then. */
    if (task != NULL) {
        text_add(&machine->trace, "%s %d ", uva_task_get_name(task), line);
    } else {
        text_add(&machine->trace, "c%d %d ", machine->running_callback, line);
    }
}

void machine_emit(machine_t *machine, int line, const char *format, ...)
{
    va_list args;
    char words[128];

    machine_line_begin(machine, line);
    va_start(args, format);
    (void)vsnprintf(words, sizeof words, format, args);
    va_end(args);
    text_add(&machine->trace, "%s\n", words);
}

void machine_emit_text(machine_t *machine, int line, const text_t *text)
{
    machine_line_begin(machine, line);
    text_add_bytes(&machine->trace, text->data, text->size);
    text_add(&machine->trace, "\n");
}

void machine_emit_failure(machine_t *machine,
                          int line,
                          const char *prefix,
                          failure_t failure)
{
    machine_line_begin(machine, line);
    text_add(&machine->trace, "%s", prefix);
    text_add_failure(&machine->trace, failure);
    text_add(&machine->trace, "\n");
}

static void machine_note(machine_t *machine)
{
    text_add(&machine->trace, "%llu - 0 ",
             (unsigned long long)(uva_loop_time(machine->loop) / TICK_NS));
}

/* --- references --- */

slot_t *machine_slot(machine_t *machine, ref_t ref)
{
    switch (ref.kind) {
    case 'T':
        return &machine->tasks[ref.number];
    case 'F':
        return &machine->futures[ref.number];
    case 'G':
        return &machine->gathers[ref.number];
    case 'H':
        return &machine->shields[ref.number];
    default:
        refuse("%c%d is no future", ref.kind, ref.number);
        return NULL;
    }
}

primitive_t *machine_primitive(machine_t *machine, ref_t ref, const char *kinds)
{
    if (strchr(kinds, ref.kind) != NULL) {
        for (primitive_t *primitive = machine->primitives; primitive != NULL;
             primitive = primitive->next) {
            if (primitive->name.kind == ref.kind &&
                primitive->name.number == ref.number) {
                return primitive;
            }
        }
    }
    refuse("%c%d is no object for this", ref.kind, ref.number);
    return NULL;
}

value_t *machine_value(machine_t *machine, int number)
{
    value_t *value = arena_get(&machine->arena, sizeof *value);

    value->set = true;
    value->number = number;
    return value;
}

static kept_t *machine_keep(machine_t *machine)
{
    kept_t *kept = arena_get(&machine->arena, sizeof *kept);

    kept->next = machine->kept;
    machine->kept = kept;
    return kept;
}

uva_future_t *machine_keep_future(machine_t *machine, uva_future_t *future)
{
    machine_keep(machine)->future = future;
    return future;
}

failure_t
machine_keep_failure(machine_t *machine, int code, const uva_error_t *record)
{
    if (code >= 0) {
        return failure_none();
    }
    if (record == NULL || uva_error_code(record) != code) {
        return (failure_t){code, NULL};
    }
    machine_keep(machine)->error = uva_error_ref(record);
    return (failure_t){code, record};
}

failure_t machine_failure(machine_t *machine, int code)
{
    return machine_keep_failure(machine, code, uva_task_error());
}

failure_t
machine_future_failure(machine_t *machine, int code, uva_future_t *future)
{
    return machine_keep_failure(machine, code, uva_future_error(future));
}

uint64_t ticks_ns(int ticks)
{
    return ticks < 0 ? UVA_FOREVER : (uint64_t)ticks * TICK_NS;
}

failure_t failure_none(void)
{
    return (failure_t){0, NULL};
}

/* --- objects --- */

static int value_compare(const void *a, const void *b, void *data)
{
    const value_t *x = a;
    const value_t *y = b;

    (void)data;
    return (x->number > y->number) - (x->number < y->number);
}

static void queue_make(uva_queue_t *queue, const object_t *object)
{
    size_t limit = (size_t)object->value;

    if (object->variant == 'f') {
        uva_queue_init(queue, limit);
    } else if (object->variant == 'l') {
        uva_lifo_queue_init(queue, limit);
    } else {
        uva_priority_queue_init(queue, limit, value_compare, NULL);
    }
}

static void primitive_make(machine_t *machine,
                           primitive_t *primitive,
                           const object_t *object)
{
    int value = object->value;
    int r = 0;

    switch (object->name.kind) {
    case 'L':
        uva_lock_init(&primitive->u.lock);
        break;
    case 'S':
        if (object->variant == 'b') {
            r = uva_bounded_semaphore_init(&primitive->u.semaphore, value);
        } else {
            r = uva_semaphore_init(&primitive->u.semaphore, value);
        }
        break;
    case 'E':
        uva_event_init(&primitive->u.event);
        break;
    case 'C':
        uva_condition_init(
            &primitive->u.condition,
            object->lock.kind == 0
                ? NULL
                : &machine_primitive(machine, object->lock, "L")->u.lock);
        break;
    case 'B':
        r = uva_barrier_init(&primitive->u.barrier, value);
        break;
    default:
        queue_make(&primitive->u.queue, object);
        break;
    }
    if (r < 0) {
        refuse("%c%d cannot be made: %s", object->name.kind,
               object->name.number, uva_strerror(r));
    }
}

static void context_variable_make(machine_t *machine, int number)
{
    uva_context_var_t *variable = arena_get(&machine->arena, sizeof *variable);

    variable->name = "X";
    variable->default_value = machine_value(machine, 0);
    machine->context_variables[number] = variable;
}

static void machine_make_object(machine_t *machine, const object_t *object)
{
    int number = object->name.number;
    primitive_t *primitive;

    switch (object->name.kind) {
    case 'F':
        machine->futures[number].future =
            machine_keep_future(machine, uva_loop_create_future(machine->loop));
        break;
    case 'V':
        machine->variable_set[number] = true;
        break;
    case 'X':
        context_variable_make(machine, number);
        break;
    case 'T':
    case 'G':
    case 'H':
        refuse("%c%d cannot be an object", object->name.kind, number);
        break;
    default:
        primitive = arena_get(&machine->arena, sizeof *primitive);
        primitive->name = object->name;
        primitive_make(machine, primitive, object);
        if (machine->last_primitive == NULL) {
            machine->primitives = primitive;
        } else {
            machine->last_primitive->next = primitive;
        }
        machine->last_primitive = primitive;
        break;
    }
}

/* --- the final state --- */

static void
note_state(machine_t *machine, uva_future_t *future, const shape_t *shape)
{
    text_t *trace = &machine->trace;
    void *value = NULL;
    int code;

    if (!uva_future_done(future)) {
        text_add(trace, "pending");
    } else if (uva_future_cancelled(future)) {
        text_add(trace, "cancelled");
    } else if ((code = uva_future_result(future, &value)) < 0) {
        text_add(trace, "!");
        text_add_failure(trace, (failure_t){code, uva_future_error(future)});
    } else {
        text_add_value(trace, shape, value);
    }
    text_add(trace, "\n");
}

static void note_slots(machine_t *machine, char kind, const slot_t *slots)
{
    for (int i = 0; i < MAX_NUMBER; i++) {
        if (slots[i].future != NULL) {
            machine_note(machine);
            text_add(&machine->trace, "final %c%d ", kind, i);
            note_state(machine, slots[i].future, slots[i].shape);
        }
    }
}

/* What stands behind a title in the description of an object; 0 if it is not
 * there. asyncio has no other way to look at these numbers. */
static int described(const char *description, const char *title)
{
    const char *at = strstr(description, title);

    return at == NULL ? 0 : (int)strtol(at + strlen(title), NULL, 10);
}

static void
primitive_describe(const primitive_t *primitive, char *description, size_t size)
{
    switch (primitive->name.kind) {
    case 'L':
        (void)uva_repr(&primitive->u.lock, description, size);
        break;
    case 'S':
        (void)uva_repr(&primitive->u.semaphore, description, size);
        break;
    case 'E':
        (void)uva_repr(&primitive->u.event, description, size);
        break;
    case 'C':
        (void)uva_repr(&primitive->u.condition, description, size);
        break;
    case 'B':
        (void)uva_repr(&primitive->u.barrier, description, size);
        break;
    default:
        (void)uva_repr(&primitive->u.queue, description, size);
        break;
    }
}

static void note_primitive(machine_t *machine, primitive_t *primitive)
{
    text_t *trace = &machine->trace;
    char description[256];

    primitive_describe(primitive, description, sizeof description);
    machine_note(machine);
    text_add(trace, "final %c%d ", primitive->name.kind,
             primitive->name.number);
    switch (primitive->name.kind) {
    case 'L':
    case 'C':
        text_add(trace, "locked=");
        text_add_bool(trace, primitive_locked(primitive));
        break;
    case 'S':
        text_add(trace, "value=%d", described(description, "value:"));
        break;
    case 'E':
        text_add(trace, "set=");
        text_add_bool(trace, uva_event_is_set(&primitive->u.event));
        break;
    case 'B':
        text_add(trace, "waiting=%d broken=",
                 uva_barrier_n_waiting(&primitive->u.barrier));
        text_add_bool(trace, uva_barrier_broken(&primitive->u.barrier));
        break;
    default:
        text_add(trace, "size=%zu unfinished=%d",
                 uva_queue_qsize(&primitive->u.queue),
                 described(description, "tasks="));
        break;
    }
    text_add(trace, "\n");
}

/* When every task is done nobody may stand in any line. */
static void machine_look_for_waiters(machine_t *machine)
{
    for (const primitive_t *primitive = machine->primitives; primitive != NULL;
         primitive = primitive->next) {
        char description[256];

        primitive_describe(primitive, description, sizeof description);
        if (described(description, "waiters:") > 0 ||
            described(description, "getters[") > 0 ||
            described(description, "putters[") > 0) {
            text_add(&machine->complaints, "left behind: %c%d %s\n",
                     primitive->name.kind, primitive->name.number, description);
        }
    }
}

static void machine_finals(machine_t *machine)
{
    note_slots(machine, 'T', machine->tasks);
    note_slots(machine, 'F', machine->futures);
    note_slots(machine, 'G', machine->gathers);
    note_slots(machine, 'H', machine->shields);
    for (primitive_t *primitive = machine->primitives; primitive != NULL;
         primitive = primitive->next) {
        note_primitive(machine, primitive);
    }
    for (int i = 0; i < MAX_NUMBER; i++) {
        if (machine->variable_set[i]) {
            machine_note(machine);
            text_add(&machine->trace, "final V%d %d\n", i,
                     machine->variables[i]);
        }
    }
}

/* --- the run --- */

static bool machine_pending(const machine_t *machine, size_t index)
{
    return !uva_future_done(machine->tasks[machine->order[index]].future);
}

/* "T1,T4", or "-". @return How many. */
static size_t note_pending(machine_t *machine)
{
    size_t count = 0;

    for (size_t i = 0; i < machine->order_count; i++) {
        if (machine_pending(machine, i)) {
            text_add(&machine->trace, "%sT%d", count == 0 ? "" : ",",
                     machine->order[i]);
            count++;
        }
    }
    text_add(&machine->trace, count == 0 ? "-\n" : "\n");
    return count;
}

static void machine_start(void *data)
{
    machine_t *machine = data;
    stmt_t stmt = {.op = OP_spawn, .args[0].ref = {'T', 0}};
    text_t text = {0};

    (void)op_run(machine, NULL, &stmt, &text);
    text_clear(&text);
}

static void machine_cancel_pending(void *data)
{
    machine_t *machine = data;
    bool pending[MAX_NUMBER];

    for (size_t i = 0; i < machine->order_count; i++) {
        pending[i] = machine_pending(machine, i);
    }
    for (size_t i = 0; i < machine->order_count; i++) {
        if (pending[i]) {
            (void)uva_future_cancel(machine->tasks[machine->order[i]].future);
        }
    }
}

/* Run callback in an iteration of its own, and all that follows from it. */
static void machine_settle(machine_t *machine, uva_callback_cb callback)
{
    int r = uva_loop_call_soon(machine->loop, callback, machine, NULL, NULL);

    if (r >= 0) {
        r = uva_loop_run_until_idle(machine->loop);
    }
    if (r < 0) {
        refuse("the loop does not run: %s", uva_strerror(r));
    }
}

static size_t machine_play(machine_t *machine)
{
    size_t pending;

    machine_settle(machine, machine_start);
    machine_note(machine);
    text_add(&machine->trace, "idle pending=");
    pending = note_pending(machine);
    for (int i = 1; pending > 0 && i <= MAX_TEARDOWN; i++) {
        machine_note(machine);
        text_add(&machine->trace, "teardown %d\n", i);
        machine_settle(machine, machine_cancel_pending);
        pending = 0;
        for (size_t k = 0; k < machine->order_count; k++) {
            pending += machine_pending(machine, k);
        }
    }
    if (pending > 0) {
        machine_note(machine);
        text_add(&machine->trace, "stuck ");
        (void)note_pending(machine);
    }
    machine_finals(machine);
    return pending;
}

/* "Never retrieved" and a loop with nothing left to do belong to these
 * programs; every other report is a mistake of somebody's. */
static void
machine_report(uva_loop_t *loop, const uva_exception_t *exception, void *data)
{
    machine_t *machine = data;

    (void)loop;
    if (strstr(exception->message, "never retrieved") == NULL &&
        strstr(exception->message, "nothing to wake") == NULL) {
        text_add(&machine->complaints, "report: %s\n", exception->message);
    }
}

static void machine_drop(machine_t *machine)
{
    for (size_t i = 0; i < MAX_NUMBER; i++) {
        uva_handle_unref(machine->handles[i]);
        machine->handles[i] = NULL;
    }
    for (primitive_t *primitive = machine->primitives; primitive != NULL;
         primitive = primitive->next) {
        if (primitive->name.kind == 'Q') {
            uva_queue_destroy(&primitive->u.queue);
        }
    }
    while (machine->kept != NULL) {
        kept_t *kept = machine->kept;

        machine->kept = kept->next;
        uva_future_unref(kept->future);
        uva_error_unref(kept->error);
    }
}

static void machine_close(machine_t *machine)
{
    int r = uva_loop_close(machine->loop);

    if (r < 0) {
        text_add(&machine->complaints, "close: %s\n", uva_strerror(r));
    }
    uva_loop_unref(machine->loop);
    machine->loop = NULL;
}

/* Tasks that cannot be ended keep their loop, and what they use, to the end of
 * the process. */
static void machine_abandon(machine_t *machine)
{
    typedef struct abandoned_s {
        uva_loop_t *loop;
        arena_t arena;
    } abandoned_t;
    static arena_t all;
    abandoned_t *abandoned = arena_get(&all, sizeof *abandoned);

    *abandoned = (abandoned_t){machine->loop, machine->arena};
    machine->arena.pieces = NULL;
}

void machine_run(machine_t *machine, const program_t *program, kind_t kind)
{
    static const shape_t plain_shape = {0, NULL};
    size_t bytes = uva_allocated_bytes();

    memset(machine, 0, sizeof *machine);
    machine->program = program;
    machine->kind = kind;
    for (int i = 0; i < MAX_NUMBER; i++) {
        machine->callbacks[i] = (callback_t){machine, i};
        machine->tasks[i].shape = &plain_shape;
        machine->futures[i].shape = &plain_shape;
    }
    if (uva_loop_new_virtual(NULL, &machine->loop) < 0) {
        refuse("no loop");
    }
    uva_loop_set_exception_handler(machine->loop, machine_report, machine);
    for (const object_t *object = program->objects; object != NULL;
         object = object->next) {
        machine_make_object(machine, object);
    }
    if (machine_play(machine) > 0) {
        machine_abandon(machine);
        return;
    }
    machine_look_for_waiters(machine);
    machine_drop(machine);
    machine_close(machine);
    if (uva_allocated_bytes() != bytes) {
        text_add(&machine->complaints, "leak: %zu bytes\n",
                 uva_allocated_bytes() - bytes);
    }
}

void machine_clear(machine_t *machine)
{
    arena_clear(&machine->arena);
    text_clear(&machine->trace);
    text_clear(&machine->complaints);
}
