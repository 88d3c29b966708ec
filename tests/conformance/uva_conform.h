/*
 * The runner of the conformance language (README.md): what its parts share.
 *
 *   uva_conform.c             command line
 *   uva_conform_corpus.c      recorded programs, comparison of traces
 *   uva_conform_lang.c        text to program
 *   uva_conform_trace.c       memory, text, values and failures in words
 *   uva_conform_machine.c     objects, references, the course of a run
 *   uva_conform_ops.c         statements that do not suspend
 *   uva_conform_calls.c       statements that may: arguments and results
 *   uva_conform_blocks.c      what both interpreters do at the edge of a block
 *   uva_conform_stackful.c    bodies by recursion on the task's stack
 *   uva_conform_stackless.c   bodies by an explicit stack of blocks
 */
#ifndef UVA_CONFORM_H
#define UVA_CONFORM_H

#include "uva.h"
#include "uva/locks.h"
#include "uva/queues.h"
#include "uva/testing.h"

enum {
    MAX_NUMBER = 512, /* Of a reference, a block or a slot. */
    MAX_TOKENS = 64,  /* On a line. */
    MAX_DEPTH = 64    /* Of blocks, the body included. */
};

/* One tick of the language's time. */
#define TICK_NS UVA_MS(1)

/* Memory of a program and its run, freed at once; zeroed, never NULL. */

typedef struct arena_s {
    struct arena_piece_s *pieces;
} arena_t;

void *arena_get(arena_t *arena, size_t size);
void arena_clear(arena_t *arena);

/** Say why on standard error and end with status 2. */
void refuse(const char *format, ...) UVA_PRINTF(1, 2);

typedef struct text_s {
    char *data; /* Owned, ends with a 0; NULL while empty. */
    size_t size;
    size_t capacity;
} text_t;

void text_add(text_t *text, const char *format, ...) UVA_PRINTF(2, 3);
void text_add_bytes(text_t *text, const char *data, size_t size);
void text_clear(text_t *text);

/* The program. */

/* name, kinds of its arguments, whether callbacks may use it: lang.py. */
#define CONFORM_OPS(XX)        \
    XX(log, "i", true)         \
    XX(spawn, "r", true)       \
    XX(espawn, "r", true)      \
    XX(gspawn, "kr", false)    \
    XX(cancel, "r", true)      \
    XX(done, "r", true)        \
    XX(iscancelled, "r", true) \
    XX(result, "r", true)      \
    XX(exc, "r", true)         \
    XX(setres, "ri", true)     \
    XX(setexc, "ri", true)     \
    XX(shield, "rr", false)    \
    XX(gather, "riR", false)   \
    XX(addcb, "rk", true)      \
    XX(rmcb, "rk", true)       \
    XX(soon, "kk", true)       \
    XX(later, "kik", true)     \
    XX(hcancel, "k", true)     \
    XX(eset, "r", true)        \
    XX(eclr, "r", true)        \
    XX(eisset, "r", true)      \
    XX(release, "r", true)     \
    XX(locked, "r", true)      \
    XX(putnw, "ri", true)      \
    XX(getnw, "r", true)       \
    XX(taskdone, "r", true)    \
    XX(qsize, "r", true)       \
    XX(qshut, "ri", true)      \
    XX(add, "ki", true)        \
    XX(cvset, "ki", true)      \
    XX(cvget, "k", true)       \
    XX(sleep, "i", false)      \
    XX(await, "r", false)      \
    XX(wait, "mdR", false)     \
    XX(waitfor, "dr", false)   \
    XX(acquire, "r", false)    \
    XX(ewait, "r", false)      \
    XX(cwait, "r", false)      \
    XX(cwaitvar, "rki", false) \
    XX(notify, "ri", false)    \
    XX(notifyall, "r", false)  \
    XX(bwait, "r", false)      \
    XX(breset, "r", false)     \
    XX(babort, "r", false)     \
    XX(put, "ri", false)       \
    XX(get, "r", false)        \
    XX(join, "r", false)       \
    XX(uncancel, "", false)    \
    XX(cancelling, "r", false) \
    XX(resched, "kd", false)   \
    XX(expired, "k", false)    \
    XX(raise, "i", false)      \
    XX(raisecancel, "", false) \
    XX(reraise, "", false)     \
    XX(return, "i", false)     \
    XX(timeout, "kd", false)   \
    XX(wforb, "d", false)      \
    XX(tg, "k", false)         \
    XX(with, "r", false)       \
    XX(try, "", false)

typedef enum op_e {
#define CONFORM_OP_ENUM(name, kinds, callback) OP_##name,
    CONFORM_OPS(CONFORM_OP_ENUM)
#undef CONFORM_OP_ENUM
    OP_COUNT
} op_t;

/* Those from here on open a block. */
#define OP_FIRST_BLOCK OP_timeout

/* T3, F0, L1, ... */
typedef struct ref_s {
    char kind; /* 0: no reference. */
    int number;
} ref_t;

typedef struct arg_s {
    int number; /* Kinds i, k, d (-1: none) and m (a uva_return_when_t). */
    ref_t ref;  /* Kind r. */
} arg_t;

typedef struct block_s {
    struct stmt_s *first;
    struct stmt_s *last;
} block_t;

typedef enum catch_e {
    CATCH_CANCEL,
    CATCH_TIMEOUT,
    CATCH_USER,
    CATCH_GROUP,
    CATCH_EXC,
    CATCH_ALL
} catch_t;

typedef struct handler_s {
    struct handler_s *next;
    catch_t kind;
    int line;
    block_t block;
} handler_t;

typedef struct stmt_s {
    struct stmt_s *next;
    op_t op;
    int line;
    arg_t args[3];
    ref_t *refs; /* Kind R. */
    size_t ref_count;
    block_t body; /* Blocks. */
    handler_t *handlers;
    handler_t *last_handler;
    block_t *final; /* try: NULL without a finally. */
    int final_line;
} stmt_t;

typedef struct object_s {
    struct object_s *next;
    ref_t name;
    int value;    /* S: permits, B: parties, Q: limit. */
    char variant; /* S: b(ounded) or p(lain). Q: f(ifo), l(ifo), p(rio). */
    ref_t lock;   /* C: kind 0 for one of its own. */
} object_t;

typedef struct program_s {
    arena_t arena;
    long long seed;
    bool spread; /* Compare task by task. */
    object_t *objects;
    object_t *last_object;
    block_t *tasks[MAX_NUMBER]; /* NULL: not there. */
    block_t *callbacks[MAX_NUMBER];
    text_t problem; /* Why it could not be parsed. */
} program_t;

/** Parse a program; false leaves the reason in problem. */
bool program_parse(program_t *program, const char *text);
void program_clear(program_t *program);

/* Values and failures. */

/* What tasks, plain futures and queues carry; NULL is none. */
typedef struct value_s {
    bool set; /* false: none. */
    int number;
} value_t;

/* What a reference's result is: a value_t, or what its gather collected. */
typedef struct shape_s {
    size_t count; /* 0: a value_t. */
    struct child_s *children;
} shape_t;

typedef struct child_s {
    uva_future_t *future;
    const shape_t *shape;
} child_t;

typedef struct failure_s {
    int code;                  /* 0: none. */
    const uva_error_t *record; /* NULL for a bare code. */
} failure_t;

/** Append a value in words: what uva_future_result gave. */
void text_add_value(text_t *text, const shape_t *shape, const void *value);
void text_add_bool(text_t *text, bool value);
void text_add_failure(text_t *text, failure_t failure);
bool failure_matches(failure_t failure, catch_t kind);

/* The run of a program. */

/* A lock, semaphore, event, condition, barrier or queue. */
typedef struct primitive_s {
    struct primitive_s *next;
    ref_t name;
    union {
        uva_lock_t lock;
        uva_semaphore_t semaphore;
        uva_event_t event;
        uva_condition_t condition;
        uva_barrier_t barrier;
        uva_queue_t queue;
    } u;
} primitive_t;

typedef struct slot_s {
    uva_future_t *future; /* Counted by the machine; NULL: unset. */
    const shape_t *shape;
    bool taken; /* T: it was spawned, or is being spawned. */
} slot_t;

/* Which coroutines the tasks of a run are. */
typedef enum kind_e {
    KIND_STACKFUL,
    KIND_STACKLESS,
    KIND_MIXED /* Stackless those with an odd number. */
} kind_t;

/* What a scheduled callback is told. */
typedef struct callback_s {
    struct machine_s *machine;
    int number;
} callback_t;

typedef struct machine_s {
    const program_t *program;
    kind_t kind;
    arena_t arena;
    uva_loop_t *loop;
    text_t trace;
    slot_t tasks[MAX_NUMBER];
    slot_t futures[MAX_NUMBER];
    slot_t gathers[MAX_NUMBER];
    slot_t shields[MAX_NUMBER];
    int order[MAX_NUMBER]; /* Tasks in the order of their creation. */
    size_t order_count;
    primitive_t *primitives; /* In the order of their lines. */
    primitive_t *last_primitive;
    int variables[MAX_NUMBER];
    bool variable_set[MAX_NUMBER];
    uva_context_var_t *context_variables[MAX_NUMBER];
    uva_taskgroup_t *groups[MAX_NUMBER];
    uva_timeout_t *timeouts[MAX_NUMBER];
    uva_handle_t *handles[MAX_NUMBER];
    callback_t callbacks[MAX_NUMBER];
    int running_callback;
    struct kept_s *kept; /* References dropped at the end. */
    text_t complaints;   /* What uva reported and should not have. */
} machine_t;

/**
 * Run a program; the trace stays in machine->trace until machine_clear.
 * machine->complaints tells what else went wrong (a leak, a report).
 */
void machine_run(machine_t *machine, const program_t *program, kind_t kind);
void machine_clear(machine_t *machine);

/** Append a line of whoever runs. */
void machine_emit(machine_t *machine, int line, const char *format, ...)
    UVA_PRINTF(3, 4);
void machine_emit_text(machine_t *machine, int line, const text_t *text);
/** Append the line of a statement that failed. */
void machine_emit_failure(machine_t *machine,
                          int line,
                          const char *prefix,
                          failure_t failure);

/** The slot of a T, F, G or H. */
slot_t *machine_slot(machine_t *machine, ref_t ref);
/** A primitive of one of the kinds (letters). */
primitive_t *
machine_primitive(machine_t *machine, ref_t ref, const char *kinds);
/** A value that lives as long as the run. */
value_t *machine_value(machine_t *machine, int number);
/** Keep a counted thing until the end of the run; takes the reference. */
uva_future_t *machine_keep_future(machine_t *machine, uva_future_t *future);
failure_t
machine_keep_failure(machine_t *machine, int code, const uva_error_t *record);
/** The failure that an awaiting call has just returned. */
failure_t machine_failure(machine_t *machine, int code);
/** The failure of a done future that was asked for its result. */
failure_t
machine_future_failure(machine_t *machine, int code, uva_future_t *future);
/** Duration of the language to one of uva: none is for ever. */
uint64_t ticks_ns(int ticks);

/* Bodies. */

typedef enum flow_e {
    FLOW_NORMAL,
    FLOW_RETURN,
    FLOW_FAILURE
} flow_t;

/* How a block ended. */
typedef struct outcome_s {
    flow_t flow;
    int value; /* Of a return. */
    failure_t failure;
} outcome_t;

/* A statement that may suspend, under way. */
typedef struct call_s {
    const stmt_t *stmt;
    machine_t *machine;
    const slot_t *slot;     /* await, waitfor */
    primitive_t *primitive; /* acquire, get, ... */
    const ref_t **names;    /* wait: those that are set. */
    uva_future_t **futures;
    uva_future_t **done;
    uva_future_t **pending;
    size_t count;
    void *value; /* Result, or the item to put. */
    union {
        uva_sleep_op_t sleep;
        uva_wait_op_t wait;
        uva_wait_for_op_t wait_for;
    } op;
} call_t;

typedef struct body_s {
    machine_t *machine;
    const block_t *block;
    ref_t task;
    failure_t handling[MAX_DEPTH]; /* reraise: innermost last. */
    size_t handling_count;
    struct walk_s *walk; /* Stackless. */
} body_t;

/* A block that was entered: what it needs until it is left. */
typedef struct scope_s {
    const stmt_t *stmt;
    uva_timeout_t *timeout;
    uva_taskgroup_t *group;
    primitive_t *primitive;
} scope_t;

failure_t failure_none(void);
outcome_t outcome_normal(void);
outcome_t outcome_return(int value);
outcome_t outcome_failure(failure_t failure);

/**
 * Run a statement that does not suspend; body is NULL in a callback. Its
 * result in words goes to text.
 */
failure_t
op_run(machine_t *machine, body_t *body, const stmt_t *stmt, text_t *text);
/** Whether a statement may suspend. */
bool op_suspends(op_t op);

/** Resolve the arguments of a statement that may suspend; false if it has
 * nothing to wait for and yields unset. */
bool call_begin(call_t *call, machine_t *machine, const stmt_t *stmt);
/** What uva returned, in words. */
failure_t call_end(call_t *call, int r, text_t *text);
/** Prepare the acquire of a with block. */
void call_begin_acquire(call_t *call, machine_t *machine, const stmt_t *stmt);
/** Condition.wait_for's predicate, of a cwaitvar. */
int call_predicate(void *call);

/** Release a primitive that can be acquired. */
int primitive_release(primitive_t *primitive);
bool primitive_locked(primitive_t *primitive);

/** Enter a timeout or a group: it is in the machine's table. */
void scope_enter_timeout(scope_t *scope, body_t *body, const stmt_t *stmt);
void scope_enter_group(scope_t *scope, body_t *body, const stmt_t *stmt);
/** Let uva see how a block ended: 0, or its code with its record in place. */
int outcome_code(outcome_t outcome);
/** How a block ends after its exit returned r. */
outcome_t outcome_after(machine_t *machine, outcome_t outcome, int r);
/** Say that a block is left. */
void emit_exit(machine_t *machine, const stmt_t *stmt, outcome_t outcome);
/** The handler of a try for a failure; says that it catches. NULL: none. */
const handler_t *try_catch(body_t *body, const stmt_t *stmt, failure_t failure);
/** End a body: say how, give the result. @return What the task returns. */
int body_end(body_t *body, outcome_t outcome, value_t *ret);

body_t *body_new(machine_t *machine, ref_t task);

/** Make the task of a body; group NULL: none. As uva_create_task_with. */
uva_task_t *stackful_spawn(body_t *body,
                           uva_taskgroup_t *group,
                           const uva_task_options_t *options);
uva_task_t *stackless_spawn(body_t *body,
                            uva_taskgroup_t *group,
                            const uva_task_options_t *options);

/* The corpus. */

/** Compare the programs of an open file with their traces, or print the trace
 * of a single program. @return The exit status. */
int corpus_run(void *file, const char *name, kind_t kind);

#endif /* UVA_CONFORM_H */
