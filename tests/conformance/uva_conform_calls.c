/*
 * Statements that may suspend: what they are called with, and their results
 * in words. Between begin and end an interpreter makes the call its own way.
 */
#include "uva_conform.h"

#include <string.h>

static void call_begin_wait(call_t *call)
{
    const stmt_t *stmt = call->stmt;
    size_t bytes = (stmt->ref_count + 1) * sizeof(void *);
    arena_t *arena = &call->machine->arena;

    call->names = arena_get(arena, bytes);
    call->futures = arena_get(arena, bytes);
    call->done = arena_get(arena, bytes);
    call->pending = arena_get(arena, bytes);
    for (size_t i = 0; i < stmt->ref_count; i++) {
        uva_future_t *future =
            machine_slot(call->machine, stmt->refs[i])->future;

        if (future != NULL) {
            call->names[call->count] = &stmt->refs[i];
            call->futures[call->count++] = future;
        }
    }
}

bool call_begin(call_t *call, machine_t *machine, const stmt_t *stmt)
{
    ref_t ref = stmt->args[0].ref;

    memset(call, 0, sizeof *call);
    call->stmt = stmt;
    call->machine = machine;
    switch (stmt->op) {
    case OP_sleep:
        return true;
    case OP_wait:
        call_begin_wait(call);
        return call->count > 0;
    case OP_await:
        call->slot = machine_slot(machine, ref);
        return call->slot->future != NULL;
    case OP_waitfor:
        call->slot = machine_slot(machine, stmt->args[1].ref);
        return uva_future_ref(call->slot->future) != NULL;
    case OP_acquire:
        call->primitive = machine_primitive(machine, ref, "LSC");
        return true;
    case OP_ewait:
        call->primitive = machine_primitive(machine, ref, "E");
        return true;
    case OP_cwait:
    case OP_cwaitvar:
        call->primitive = machine_primitive(machine, ref, "C");
        return true;
    case OP_bwait:
    case OP_breset:
    case OP_babort:
        call->primitive = machine_primitive(machine, ref, "B");
        return true;
    default:
        call->primitive = machine_primitive(machine, ref, "Q");
        if (stmt->op == OP_put) {
            call->value = machine_value(machine, stmt->args[1].number);
        }
        return true;
    }
}

void call_begin_acquire(call_t *call, machine_t *machine, const stmt_t *stmt)
{
    memset(call, 0, sizeof *call);
    call->stmt = stmt;
    call->machine = machine;
    call->primitive = machine_primitive(machine, stmt->args[0].ref, "LSC");
}

int call_predicate(void *data)
{
    const call_t *call = data;

    return call->machine->variables[call->stmt->args[1].number] >=
           call->stmt->args[2].number;
}

static bool
is_among(uva_future_t *future, uva_future_t *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (futures[i] == future) {
            return true;
        }
    }
    return false;
}

static void add_set(text_t *text,
                    const call_t *call,
                    const char *title,
                    uva_future_t *const *futures)
{
    size_t found = 0;

    text_add(text, "%s", title);
    for (size_t i = 0; i < call->count; i++) {
        if (is_among(call->futures[i], futures, call->count)) {
            text_add(text, "%s%c%d", found++ == 0 ? "" : ",",
                     call->names[i]->kind, call->names[i]->number);
        }
    }
    text_add(text, "%s", found == 0 ? "-" : "");
}

/* The result of a future that was awaited; the machine holds it still. */
static void add_result(text_t *text, const slot_t *slot)
{
    void *value = NULL;
    int r = uva_future_result(slot->future, &value);

    if (r < 0) {
        text_add_failure(text, (failure_t){r, NULL});
    } else {
        text_add_value(text, slot->shape, value);
    }
}

failure_t call_end(call_t *call, int r, text_t *text)
{
    static const shape_t plain_shape = {0, NULL};

    if (r < 0) {
        return machine_failure(call->machine, r);
    }
    switch (call->stmt->op) {
    case OP_await:
        text_add_value(text, call->slot->shape, call->value);
        break;
    case OP_waitfor:
        add_result(text, call->slot);
        break;
    case OP_wait:
        add_set(text, call, "done=", call->done);
        add_set(text, call, " pending=", call->pending);
        break;
    case OP_get:
        text_add_value(text, &plain_shape, call->value);
        break;
    case OP_bwait:
        text_add(text, "%d", r);
        break;
    case OP_acquire:
    case OP_ewait:
    case OP_cwait:
    case OP_cwaitvar:
        text_add_bool(text, true);
        break;
    default:
        text_add(text, "ok");
        break;
    }
    return failure_none();
}
