/*
 * Bodies by an explicit stack of blocks: the whole interpreter is one
 * stackless coroutine with one await, whose poll is that of the statement
 * that is under way.
 *
 *   walk->pending   what is awaited               then
 *   STATEMENT       a statement                   its line, or its failure
 *   ENTER           the acquire of a with         its block begins
 *   EXIT            the exit of the innermost     the block is left
 *                   group
 *   NEVER           a wforb of 0: a task that     the block is left
 *                   must not begin
 */
#include "uva_conform.h"

typedef enum part_e {
    PART_BODY,
    PART_HANDLER,
    PART_FINALLY
} part_t;

/* A block that is entered. */
typedef struct level_s {
    const stmt_t *stmt; /* NULL: the body itself. */
    const stmt_t *next; /* NULL: it has ended. */
    part_t part;        /* Of a try. */
    outcome_t saved;    /* What a finally goes on with. */
    scope_t scope;
} level_t;

typedef enum pending_e {
    PENDING_STATEMENT,
    PENDING_ENTER,
    PENDING_EXIT,
    PENDING_NEVER
} pending_t;

typedef struct walk_s {
    level_t levels[MAX_DEPTH + 1];
    size_t depth;
    outcome_t outcome; /* Of the last statement: not normal unwinds. */
    pending_t pending;
    int code;           /* What the exit of a group is given. */
    uva_future_t *task; /* NEVER: taken by wait_for. */
    call_t call;
} walk_t;

static level_t *walk_top(walk_t *walk)
{
    return &walk->levels[walk->depth - 1];
}

static level_t *
walk_push(walk_t *walk, const stmt_t *stmt, const block_t *block)
{
    level_t *level = &walk->levels[walk->depth++];

    *level = (level_t){.stmt = stmt, .next = block->first};
    return level;
}

static void walk_begin(body_t *body)
{
    body->walk = arena_get(&body->machine->arena, sizeof *body->walk);
    machine_emit(body->machine, 0, "start");
    (void)walk_push(body->walk, NULL, body->block);
}

/* --- what is awaited --- */

static int poll_primitive(call_t *call)
{
    primitive_t *primitive = call->primitive;

    switch (call->stmt->op) {
    case OP_acquire:
    case OP_with:
        if (primitive->name.kind == 'L') {
            return uva_lock_acquire_poll(&primitive->u.lock);
        }
        if (primitive->name.kind == 'S') {
            return uva_semaphore_acquire_poll(&primitive->u.semaphore);
        }
        return uva_condition_acquire_poll(&primitive->u.condition);
    case OP_ewait:
        return uva_event_wait_poll(&primitive->u.event);
    case OP_cwait:
        return uva_condition_wait_poll(&primitive->u.condition);
    case OP_cwaitvar:
        return uva_condition_wait_for_poll(&primitive->u.condition,
                                           call_predicate, call);
    case OP_bwait:
        return uva_barrier_wait_poll(&primitive->u.barrier);
    case OP_breset:
        return uva_barrier_reset_poll(&primitive->u.barrier);
    case OP_babort:
        return uva_barrier_abort_poll(&primitive->u.barrier);
    case OP_put:
        return uva_queue_put_poll(&primitive->u.queue, call->value);
    case OP_get:
        return uva_queue_get_poll(&primitive->u.queue, &call->value);
    default:
        return uva_queue_join_poll(&primitive->u.queue);
    }
}

static int poll_statement(call_t *call)
{
    const arg_t *args = call->stmt->args;

    switch (call->stmt->op) {
    case OP_sleep:
        if (args[0].number == 0) {
            return uva_yield_poll();
        }
        return uva_sleep_poll(&call->op.sleep, ticks_ns(args[0].number));
    case OP_await:
        return uva_await_poll(call->slot->future, &call->value);
    case OP_waitfor:
        return uva_wait_for_poll(&call->op.wait_for, call->slot->future,
                                 ticks_ns(args[0].number), NULL);
    case OP_wait:
        return uva_wait_poll(&call->op.wait, UVA_FUTURES(call->futures),
                             call->count, ticks_ns(args[1].number),
                             (uva_return_when_t)args[0].number, call->done,
                             call->pending);
    default:
        return poll_primitive(call);
    }
}

static int walk_poll(walk_t *walk)
{
    switch (walk->pending) {
    case PENDING_EXIT:
        return uva_taskgroup_exit_poll(walk_top(walk)->scope.group, walk->code);
    case PENDING_NEVER:
        return uva_wait_for_poll(&walk->call.op.wait_for, walk->task, 0, NULL);
    default:
        return poll_statement(&walk->call);
    }
}

/* --- statements --- */

static void
walk_said(body_t *body, const stmt_t *stmt, failure_t failure, text_t *text)
{
    if (failure.code < 0) {
        machine_emit_failure(body->machine, stmt->line, "!", failure);
        body->walk->outcome = outcome_failure(failure);
    } else {
        machine_emit_text(body->machine, stmt->line, text);
    }
    text_clear(text);
}

/* @return Whether there is something to await. */
static bool walk_plain(body_t *body, const stmt_t *stmt)
{
    walk_t *walk = body->walk;
    text_t text = {0};
    failure_t failure = failure_none();

    if (!op_suspends(stmt->op)) {
        failure = op_run(body->machine, body, stmt, &text);
    } else if (call_begin(&walk->call, body->machine, stmt)) {
        walk->pending = PENDING_STATEMENT;
        return true;
    } else {
        text_add(&text, "unset");
    }
    walk_said(body, stmt, failure, &text);
    return false;
}

/* Never entered: its task is cancelled before the first step. */
UVA_STACKLESS(void, never, body_t *body; const stmt_t *stmt;)
{
    machine_emit(self->body->machine, self->stmt->line, "enter");
    return 0;
}

/* @return Whether there is something to await. */
static bool walk_wait_for(body_t *body, const stmt_t *stmt)
{
    walk_t *walk = body->walk;

    if (stmt->args[0].number == 0) {
        walk->task = UVA_FUTURE(uva_spawn(never, .body = body, .stmt = stmt));
        walk->call = (call_t){.stmt = stmt, .machine = body->machine};
        walk->pending = PENDING_NEVER;
        return true;
    }
    scope_enter_timeout(&walk_push(walk, stmt, &stmt->body)->scope, body, stmt);
    return false;
}

/* @return Whether there is something to await. */
static bool walk_statement(body_t *body, const stmt_t *stmt)
{
    walk_t *walk = body->walk;

    switch (stmt->op) {
    case OP_timeout:
        scope_enter_timeout(&walk_push(walk, stmt, &stmt->body)->scope, body,
                            stmt);
        return false;
    case OP_wforb:
        return walk_wait_for(body, stmt);
    case OP_tg:
        scope_enter_group(&walk_push(walk, stmt, &stmt->body)->scope, body,
                          stmt);
        return false;
    case OP_with:
        call_begin_acquire(&walk->call, body->machine, stmt);
        walk->pending = PENDING_ENTER;
        return true;
    case OP_try:
        (void)walk_push(walk, stmt, &stmt->body);
        return false;
    case OP_return:
        machine_emit(body->machine, stmt->line, "return");
        walk->outcome = outcome_return(stmt->args[0].number);
        return false;
    default:
        return walk_plain(body, stmt);
    }
}

/* --- leaving blocks --- */

static void walk_left(body_t *body, int r)
{
    walk_t *walk = body->walk;
    const stmt_t *stmt = walk_top(walk)->stmt;

    walk->outcome = outcome_after(body->machine, walk->outcome, r);
    walk->depth--;
    emit_exit(body->machine, stmt, walk->outcome);
}

static void walk_leave_with(body_t *body)
{
    walk_t *walk = body->walk;
    int r = primitive_release(walk_top(walk)->scope.primitive);

    if (r < 0) {
        walk->outcome = outcome_failure((failure_t){r, NULL});
    }
    emit_exit(body->machine, walk_top(walk)->stmt, walk->outcome);
    walk->depth--;
}

static void walk_begin_part(level_t *level, part_t part, const block_t *block)
{
    level->part = part;
    level->next = block->first;
}

/* The end of a part of a try: the next part begins, or it is left. */
static void walk_leave_try(body_t *body)
{
    walk_t *walk = body->walk;
    level_t *level = walk_top(walk);
    const stmt_t *stmt = level->stmt;
    const handler_t *handler;

    if (level->part == PART_BODY && walk->outcome.flow == FLOW_FAILURE) {
        handler = try_catch(body, stmt, walk->outcome.failure);
        if (handler != NULL) {
            walk->outcome = outcome_normal();
            walk_begin_part(level, PART_HANDLER, &handler->block);
            return;
        }
    } else if (level->part == PART_HANDLER) {
        body->handling_count--;
    }
    if (level->part != PART_FINALLY && stmt->final != NULL) {
        machine_emit(body->machine, stmt->final_line, "finally");
        level->saved = walk->outcome;
        walk->outcome = outcome_normal();
        walk_begin_part(level, PART_FINALLY, stmt->final);
        return;
    }
    if (level->part == PART_FINALLY && walk->outcome.flow != FLOW_FAILURE) {
        walk->outcome = level->saved;
    }
    walk->depth--;
}

/* @return Whether there is something to await. */
static bool walk_leave(body_t *body)
{
    walk_t *walk = body->walk;
    level_t *level = walk_top(walk);

    if (level->stmt == NULL) {
        walk->depth--;
        return false;
    }
    switch (level->stmt->op) {
    case OP_tg:
        walk->code = outcome_code(walk->outcome);
        walk->pending = PENDING_EXIT;
        return true;
    case OP_with:
        walk_leave_with(body);
        return false;
    case OP_try:
        walk_leave_try(body);
        return false;
    default:
        walk_left(body, uva_timeout_exit(level->scope.timeout,
                                         outcome_code(walk->outcome)));
        return false;
    }
}

/* --- the walk --- */

/* Go on until something has to be awaited; false at the end. */
static bool walk_advance(body_t *body)
{
    walk_t *walk = body->walk;

    while (walk->depth > 0) {
        level_t *level = walk_top(walk);
        const stmt_t *stmt = level->next;
        bool waits;

        if (stmt == NULL || walk->outcome.flow != FLOW_NORMAL) {
            waits = walk_leave(body);
        } else {
            level->next = stmt->next;
            waits = walk_statement(body, stmt);
        }
        if (waits) {
            return true;
        }
    }
    return false;
}

static void walk_entered(body_t *body, int r)
{
    walk_t *walk = body->walk;
    const stmt_t *stmt = walk->call.stmt;

    walk->outcome = outcome_after(body->machine, walk->outcome, r);
    if (r < 0) {
        emit_exit(body->machine, stmt, walk->outcome);
        return;
    }
    machine_emit(body->machine, stmt->line, "enter");
    walk_push(walk, stmt, &stmt->body)->scope.primitive = walk->call.primitive;
}

static void walk_resume(body_t *body, int r)
{
    walk_t *walk = body->walk;
    text_t text = {0};

    switch (walk->pending) {
    case PENDING_ENTER:
        walk_entered(body, r);
        break;
    case PENDING_EXIT:
        walk_left(body, r);
        break;
    case PENDING_NEVER:
        walk->outcome = outcome_after(body->machine, walk->outcome, r);
        emit_exit(body->machine, walk->call.stmt, walk->outcome);
        break;
    default:
        walk_said(body, walk->call.stmt, call_end(&walk->call, r, &text),
                  &text);
        break;
    }
}

UVA_STACKLESS(value_t, interpret, body_t *body;)
{
    int r;

    UVA_BEGIN
    walk_begin(self->body);
    while (walk_advance(self->body)) {
        UVA_AWAIT(r, walk, self->body->walk);
        walk_resume(self->body, r);
    }
    UVA_END
    return body_end(self->body, self->body->walk->outcome, ret);
}

uva_task_t *stackless_spawn(body_t *body,
                            uva_taskgroup_t *group,
                            const uva_task_options_t *options)
{
    uva_task_t *task;

    if (group == NULL) {
        return UVA_ERASE(uva_spawn_with(options, interpret, .body = body));
    }
    task = UVA_ERASE(uva_taskgroup_spawn(group, interpret, .body = body));
    if ((uva_future_task(UVA_FUTURE(task)) != NULL)) {
        (void)uva_task_set_name(task, options->name);
    }
    return task;
}
