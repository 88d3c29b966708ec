/*
 * What both interpreters do at the edges of blocks and bodies: entering and
 * leaving scopes, catching, saying how it ended.
 */
#include "uva_conform.h"

outcome_t outcome_normal(void)
{
    return (outcome_t){FLOW_NORMAL, 0, {0, NULL}};
}

outcome_t outcome_failure(failure_t failure)
{
    return (outcome_t){FLOW_FAILURE, 0, failure};
}

outcome_t outcome_return(int value)
{
    return (outcome_t){FLOW_RETURN, value, {0, NULL}};
}

int outcome_code(outcome_t outcome)
{
    if (outcome.flow != FLOW_FAILURE) {
        return 0;
    }
    /* A failure that has just been awaited is passed on as in any C code, by
     * its code; only an older one has to be put back. */
    if (outcome.failure.record != NULL &&
        outcome.failure.record != uva_task_error()) {
        return uva_raise(outcome.failure.record);
    }
    return outcome.failure.code;
}

outcome_t outcome_after(machine_t *machine, outcome_t outcome, int r)
{
    if (r >= 0) {
        return outcome.flow == FLOW_FAILURE ? outcome_normal() : outcome;
    }
    if (outcome.flow == FLOW_FAILURE && r == outcome.failure.code &&
        r != UVA_EGROUP) {
        return outcome;
    }
    return outcome_failure(machine_failure(machine, r));
}

void scope_enter_timeout(scope_t *scope, body_t *body, const stmt_t *stmt)
{
    machine_t *machine = body->machine;
    bool waits = stmt->op == OP_wforb;

    scope->stmt = stmt;
    scope->timeout = arena_get(&machine->arena, sizeof *scope->timeout);
    if (!waits) {
        machine->timeouts[stmt->args[0].number] = scope->timeout;
    }
    /* A deadline that cannot be kept is told by the exit. */
    (void)uva_timeout_enter(scope->timeout,
                            ticks_ns(stmt->args[waits ? 0 : 1].number));
    machine_emit(machine, stmt->line, "enter");
}

void scope_enter_group(scope_t *scope, body_t *body, const stmt_t *stmt)
{
    machine_t *machine = body->machine;

    scope->stmt = stmt;
    scope->group = arena_get(&machine->arena, sizeof *scope->group);
    machine->groups[stmt->args[0].number] = scope->group;
    (void)uva_taskgroup_enter(scope->group);
    machine_emit(machine, stmt->line, "enter");
}

void emit_exit(machine_t *machine, const stmt_t *stmt, outcome_t outcome)
{
    if (outcome.flow == FLOW_FAILURE) {
        machine_emit_failure(machine, stmt->line, "exit !", outcome.failure);
    } else {
        machine_emit(machine, stmt->line, "exit");
    }
}

const handler_t *try_catch(body_t *body, const stmt_t *stmt, failure_t failure)
{
    const handler_t *handler = stmt->handlers;

    while (handler != NULL && !failure_matches(failure, handler->kind)) {
        handler = handler->next;
    }
    if (handler != NULL) {
        machine_emit_failure(body->machine, handler->line, "catch ", failure);
        body->handling[body->handling_count++] = failure;
    }
    return handler;
}

body_t *body_new(machine_t *machine, ref_t task)
{
    body_t *body = arena_get(&machine->arena, sizeof *body);

    body->machine = machine;
    body->task = task;
    body->block = machine->program->tasks[task.number];
    if (task.kind != 'T' || body->block == NULL) {
        refuse("no task %d", task.number);
    }
    return body;
}

int body_end(body_t *body, outcome_t outcome, value_t *ret)
{
    machine_t *machine = body->machine;

    switch (outcome.flow) {
    case FLOW_FAILURE:
        machine_emit_failure(machine, 0, "end !", outcome.failure);
        break;
    case FLOW_RETURN:
        machine_emit(machine, 0, "end %d", outcome.value);
        ret->set = true;
        ret->number = outcome.value;
        break;
    default:
        machine_emit(machine, 0, "end none");
        break;
    }
    return outcome_code(outcome);
}
