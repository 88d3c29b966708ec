/*
 * Bodies by recursion: a block of the language is a C function that awaits on
 * the task's own stack.
 */
#include "uva_conform.h"

static outcome_t run_block(body_t *body, const block_t *block);

/* The call itself; everything else is the same in both interpreters. */
static int call_primitive(call_t *call)
{
    primitive_t *primitive = call->primitive;

    switch (call->stmt->op) {
    case OP_acquire:
    case OP_with:
        if (primitive->name.kind == 'L') {
            return uva_lock_acquire(&primitive->u.lock);
        }
        if (primitive->name.kind == 'S') {
            return uva_semaphore_acquire(&primitive->u.semaphore);
        }
        return uva_condition_acquire(&primitive->u.condition);
    case OP_ewait:
        return uva_event_wait(&primitive->u.event);
    case OP_cwait:
        return uva_condition_wait(&primitive->u.condition);
    case OP_cwaitvar:
        return uva_condition_wait_for(&primitive->u.condition, call_predicate,
                                      call);
    case OP_bwait:
        return uva_barrier_wait(&primitive->u.barrier);
    case OP_breset:
        return uva_barrier_reset(&primitive->u.barrier);
    case OP_babort:
        return uva_barrier_abort(&primitive->u.barrier);
    case OP_put:
        return uva_queue_put(&primitive->u.queue, call->value);
    case OP_get:
        return uva_queue_get(&primitive->u.queue, &call->value);
    default:
        return uva_queue_join(&primitive->u.queue);
    }
}

static int call_make(call_t *call)
{
    const arg_t *args = call->stmt->args;

    switch (call->stmt->op) {
    case OP_sleep:
        return uva_sleep(ticks_ns(args[0].number));
    case OP_await:
        return uva_await(call->slot->future, &call->value);
    case OP_waitfor:
        return uva_wait_for(call->slot->future, ticks_ns(args[0].number), NULL);
    case OP_wait:
        return uva_wait(
            UVA_FUTURES(call->futures), call->count, ticks_ns(args[1].number),
            (uva_return_when_t)args[0].number, call->done, call->pending);
    default:
        return call_primitive(call);
    }
}

/* --- blocks --- */

static outcome_t run_timeout(body_t *body, const stmt_t *stmt)
{
    scope_t scope;
    outcome_t outcome;
    int r;

    scope_enter_timeout(&scope, body, stmt);
    outcome = run_block(body, &stmt->body);
    r = uva_timeout_exit(scope.timeout, outcome_code(outcome));
    outcome = outcome_after(body->machine, outcome, r);
    emit_exit(body->machine, stmt, outcome);
    return outcome;
}

static outcome_t run_group(body_t *body, const stmt_t *stmt)
{
    scope_t scope;
    outcome_t outcome;
    int r;

    scope_enter_group(&scope, body, stmt);
    outcome = run_block(body, &stmt->body);
    r = uva_taskgroup_exit(scope.group, outcome_code(outcome));
    outcome = outcome_after(body->machine, outcome, r);
    emit_exit(body->machine, stmt, outcome);
    return outcome;
}

static outcome_t run_with(body_t *body, const stmt_t *stmt)
{
    outcome_t outcome;
    call_t call;
    int r;

    call_begin_acquire(&call, body->machine, stmt);
    r = call_make(&call);
    outcome = outcome_after(body->machine, outcome_normal(), r);
    if (r >= 0) {
        machine_emit(body->machine, stmt->line, "enter");
        outcome = run_block(body, &stmt->body);
        r = primitive_release(call.primitive);
        if (r < 0) {
            outcome = outcome_failure((failure_t){r, NULL});
        }
    }
    emit_exit(body->machine, stmt, outcome);
    return outcome;
}

/* The body of a wforb, which wait_for calls. */
typedef struct inner_s {
    body_t *body;
    const stmt_t *stmt;
    outcome_t outcome;
} inner_t;

static int run_inner(void *arg, void **ret_result)
{
    inner_t *inner = arg;

    (void)ret_result; /* The task that never begins has this form. */
    machine_emit(inner->body->machine, inner->stmt->line, "enter");
    inner->outcome = run_block(inner->body, &inner->stmt->body);
    return outcome_code(inner->outcome);
}

static outcome_t run_wait_for(body_t *body, const stmt_t *stmt)
{
    inner_t inner = {body, stmt, outcome_normal()};
    uint64_t timeout_ns = ticks_ns(stmt->args[0].number);
    uva_timeout_t timeout;
    outcome_t outcome;
    int r;

    if (timeout_ns == 0) {
        r = uva_wait_for(UVA_FUTURE(uva_create_task(run_inner, &inner)), 0,
                         NULL);
    } else {
        UVA_IGNORE(uva_timeout_enter(&timeout, timeout_ns));
        r = uva_timeout_exit(&timeout, run_inner(&inner, NULL));
    }
    outcome = outcome_after(body->machine, inner.outcome, r);

    emit_exit(body->machine, stmt, outcome);
    return outcome;
}

static outcome_t run_handled(body_t *body, const stmt_t *stmt)
{
    outcome_t outcome = run_block(body, &stmt->body);
    const handler_t *handler;

    if (outcome.flow != FLOW_FAILURE) {
        return outcome;
    }
    handler = try_catch(body, stmt, outcome.failure);
    if (handler != NULL) {
        outcome = run_block(body, &handler->block);
        body->handling_count--;
    }
    return outcome;
}

static outcome_t run_try(body_t *body, const stmt_t *stmt)
{
    outcome_t outcome = run_handled(body, stmt);
    outcome_t last;

    if (stmt->final == NULL) {
        return outcome;
    }
    machine_emit(body->machine, stmt->final_line, "finally");
    last = run_block(body, stmt->final);
    /* As in the reference: a return in there does not count. */
    return last.flow == FLOW_FAILURE ? last : outcome;
}

/* --- statements --- */

static outcome_t run_plain(body_t *body, const stmt_t *stmt)
{
    machine_t *machine = body->machine;
    text_t text = {0};
    failure_t failure = failure_none();
    call_t call;

    if (!op_suspends(stmt->op)) {
        failure = op_run(machine, body, stmt, &text);
    } else if (call_begin(&call, machine, stmt)) {
        failure = call_end(&call, call_make(&call), &text);
    } else {
        text_add(&text, "unset");
    }
    if (failure.code < 0) {
        machine_emit_failure(machine, stmt->line, "!", failure);
    } else {
        machine_emit_text(machine, stmt->line, &text);
    }
    text_clear(&text);
    return failure.code < 0 ? outcome_failure(failure) : outcome_normal();
}

static outcome_t run_statement(body_t *body, const stmt_t *stmt)
{
    switch (stmt->op) {
    case OP_timeout:
        return run_timeout(body, stmt);
    case OP_wforb:
        return run_wait_for(body, stmt);
    case OP_tg:
        return run_group(body, stmt);
    case OP_with:
        return run_with(body, stmt);
    case OP_try:
        return run_try(body, stmt);
    case OP_return:
        machine_emit(body->machine, stmt->line, "return");
        return outcome_return(stmt->args[0].number);
    default:
        return run_plain(body, stmt);
    }
}

static outcome_t run_block(body_t *body, const block_t *block)
{
    for (const stmt_t *stmt = block->first; stmt != NULL; stmt = stmt->next) {
        outcome_t outcome = run_statement(body, stmt);

        if (outcome.flow != FLOW_NORMAL) {
            return outcome;
        }
    }
    return outcome_normal();
}

/* --- tasks --- */

static int run_body(void *arg, void **ret_result)
{
    body_t *body = arg;
    value_t *value = arena_get(&body->machine->arena, sizeof *value);

    machine_emit(body->machine, 0, "start");
    *ret_result = value;
    return body_end(body, run_block(body, body->block), value);
}

uva_task_t *stackful_spawn(body_t *body,
                           uva_taskgroup_t *group,
                           const uva_task_options_t *options)
{
    if (group != NULL) {
        return uva_taskgroup_create_task(group, run_body, body, options);
    }
    return uva_create_task_with(run_body, body, options);
}
