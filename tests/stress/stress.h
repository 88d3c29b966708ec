/*
 * What the parts of uva_stress share: the world of one round, its actors, its
 * tokens, and what is checked of them.
 *
 * An actor is a task that does something at random with what the world holds.
 * Its body is written once, as a stackless coroutine; a stackful task calls it
 * with the calls that block, a stackless one awaits its poll.
 *
 *     ACTOR(sleeper, int i;)
 *     {
 *         UVA_BEGIN
 *         AWAIT_SLEEP(self->r);
 *         UVA_END
 *         return self->r;
 *     }
 *
 *     const actor_kind_t sleeper_kind = ACTOR_KIND(sleeper);
 *
 * Every choice comes from the world's generator, so that on a virtual loop the
 * seed of a round tells all of it.
 */
#ifndef STRESS_H
#define STRESS_H

#include "uva.h"
#include "uva/testing.h"

/* --- modes --- */

/** What a round does. */
typedef struct stress_mode_s {
    const char *name;
    const char *about;
    void (*run)(void); /* One round, in a fresh world. */
} stress_mode_t;

extern const stress_mode_t stress_modes[];

/** A round of jobs, which needs no world. */
void stress_jobs(void);

/* --- randomness and failure --- */

uint64_t stress_random(void);
/** 0 to bound - 1. */
unsigned stress_below(unsigned bound);
/** True once in so many times. */
bool stress_once_in(unsigned times);
/** Whether a task is to start eagerly. */
bool stress_eagerly(void);
/** A delay that is often 0 or equal to others. */
uint64_t stress_delay(void);

/** Tell the seed and what is wrong, and end the program. */
void stress_fail(const char *file, int line, const char *format, ...)
    UVA_PRINTF(3, 4);
#define STRESS_CHECK(condition, ...)                      \
    do {                                                  \
        if (!(condition)) {                               \
            stress_fail(__FILE__, __LINE__, __VA_ARGS__); \
        }                                                 \
    } while (0)

/* --- tokens: what has a destructor --- */

typedef enum token_state_e {
    TOKEN_HELD,   /* Somebody of ours has it. */
    TOKEN_QUEUED, /* A queue has it. */
    TOKEN_DEAD    /* Its destructor has run. */
} token_state_t;

typedef struct token_s {
    struct token_s *next; /* Of the world's; freed with it. */
    const char *what;
    token_state_t state;
    unsigned id;
    bool quiet; /* Its destructor leaves the library alone. */
} token_t;

token_t *token_new(const char *what);
/** A uva_destroy_cb: checks that it runs once, then pokes the world. */
void token_destroy(void *value);

/* --- actors --- */

typedef struct actor_s actor_t;

typedef struct actor_kind_s {
    const char *name;
    size_t frame_bytes;
    int (*poll)(void *frame);
    bool stackful; /* Has calls without a poll half. */
} actor_kind_t;

struct actor_s {
    const actor_kind_t *kind;
    unsigned id;
    uva_future_t *task; /* Counted; NULL when it was let go, or refused. */
    void *frame;        /* Owned; freed by the destructor. */
    bool stackful;      /* Calls, and does not await polls. */
    bool is_free;       /* Nobody else awaits it or cancels it. */
    bool begun;
    bool ended; /* The body has returned. */
    bool destroyed;
    bool refused;
    bool reaped;
    bool asked;        /* A cancellation was requested and not seen. */
    bool was_asked;    /* Ever. */
    bool swallows;     /* May go on after one cancellation. */
    unsigned scopes;   /* Timeouts and groups it is in: they cancel it too. */
    unsigned asks;     /* Requests less those taken back. */
    bool left_block;   /* Has left a UVA_TIMEOUT by return or goto. */
    int code;          /* What the body returned. */
    uint64_t before;   /* Iterations at the beginning of the await. */
    const char *waits; /* What it awaits. */
};

/** What an actor's body has besides its own members. */
typedef struct actor_ops_s {
    uint64_t delay_ns;
    uva_sleep_op_t sleep;
    uva_wait_op_t wait;
    uva_gather_op_t gather;
    uva_wait_for_op_t wait_for;
    uva_shield_op_t shield;
} actor_ops_t;

#define ACTOR(name, ...)                                              \
    struct name##_args_s;                                             \
    static int name##_poll(struct name##_args_s *self, void *ret);    \
    static int name##_run(void *frame)                                \
    {                                                                 \
        return name##_poll(frame, NULL);                              \
    }                                                                 \
    UVA_STACKLESS(void, name, actor_t *actor; actor_ops_t ops; int r; \
                  __VA_ARGS__)
#define ACTOR_KIND(name)                                \
    {                                                   \
#        name, sizeof(name##_args_t), name##_run, false \
    }
/** Of one that makes calls without a poll half. */
#define ACTOR_KIND_STACKFUL(name)                      \
    {                                                  \
#        name, sizeof(name##_args_t), name##_run, true \
    }

/* How an await may end. */
typedef enum actor_await_e {
    AWAIT_LEAF,  /* Cancelled if, and only if, the actor was. */
    AWAIT_SHARED /* What is awaited may have been cancelled, or may swallow. */
} actor_await_t;

void actor_before(actor_t *actor, const char *what);
void actor_after(actor_t *actor, actor_await_t how, int r);

/** Await a function of the library, by its poll in a stackless actor. */
#define AWAIT(r, function, ...) AWAIT__(AWAIT_LEAF, r, function, __VA_ARGS__)
#define AWAIT_OF_OTHERS(r, function, ...) \
    AWAIT__(AWAIT_SHARED, r, function, __VA_ARGS__)
#define AWAIT__(how, r, function, ...)           \
    do {                                         \
        actor_before(self->actor, #function);    \
        if (self->actor->stackful) {             \
            (r) = function(__VA_ARGS__);         \
        } else {                                 \
            UVA_AWAIT(r, function, __VA_ARGS__); \
        }                                        \
        actor_after(self->actor, how, r);        \
    } while (0)
/** The same for those whose poll takes an operation. */
#define AWAIT_WITH(how, r, function, op, ...)        \
    do {                                             \
        actor_before(self->actor, #function);        \
        if (self->actor->stackful) {                 \
            (r) = function(__VA_ARGS__);             \
        } else {                                     \
            UVA_AWAIT(r, function, op, __VA_ARGS__); \
        }                                            \
        actor_after(self->actor, how, r);            \
    } while (0)
/** Sleep as long as stress_delay says. */
#define AWAIT_SLEEP(r)                                         \
    do {                                                       \
        self->ops.delay_ns = stress_delay();                   \
        AWAIT_WITH(AWAIT_LEAF, r, uva_sleep, &self->ops.sleep, \
                   self->ops.delay_ns);                        \
    } while (0)

/** Whether an actor goes on after a result: it does after a success, and
 * sometimes after a cancellation. */
bool actor_goes_on(actor_t *actor, int r);

/** Spawn an actor at random: kind of task, options, whose loop function.
 * @return It; its task may be NULL or refused. */
actor_t *actor_spawn(const actor_kind_t *kind);
/** The same as a child of a group. */
actor_t *actor_spawn_in(uva_taskgroup_t *group, const actor_kind_t *kind);
/** A task of an actor that somebody will await: a new reference, NULL without
 * memory. The actor counts as shared. */
uva_future_t *actor_future(const actor_kind_t *kind);
/** The record of a task that the library made, such as that of a server's
 * handler; ended by actor_end. */
actor_t *actor_adopt(const actor_kind_t *kind, bool stackful);
void actor_end(actor_t *actor, int code);
/** The same, and its frame goes too. */
void actor_release(actor_t *actor, int code);
/** Cancel an actor, now or twice, with or without a message. */
void actor_cancel(actor_t *actor);
/** An actor whose task is held; NULL if there is none. */
actor_t *actor_any(void);
/** Look at those that have ended, and let them go. */
void actors_reap(bool all);
/** How many have not ended. */
size_t actors_alive(void);
/** Tell which actors have not ended, and where they wait. */
void actors_print(void);

/* --- the world --- */

enum {
    FUTURES = 8, /* Held by the world at once. */
    HANDLES = 8,
    LOCKS = 2,
    QUEUES = 4
};

typedef struct world_s {
    uint64_t state; /* Of the generator. */
    uint64_t seed;
    const stress_mode_t *mode;
    uva_loop_t *loop; /* Borrowed. */
    int budget;       /* What may still be made. */
    int depth;        /* Of pokes in pokes. */
    bool settling;    /* Nobody begins anything; all that wait are served. */
    bool closing;     /* Every task was cancelled, or will be. */
    bool failing;     /* Allocations may fail. */
    bool shuts;       /* The loop is shut down with everything alive. */
    bool sockets;     /* The loop has them. */
    token_t *tokens;
    unsigned token_count;
    actor_t **actors;
    size_t actor_count;
    size_t actor_room;
    uva_future_t *futures[FUTURES]; /* Counted. */
    bool awaited[FUTURES];          /* Somebody waits for it, or did. */
    uva_future_t **orphans;         /* Counted: let go, and awaited. */
    size_t orphan_count;
    size_t orphan_room;
    uva_handle_t *handles[HANDLES]; /* Counted. */
    uva_future_t *kept;             /* Counted: of an exception handler. */
    unsigned reports;
} world_t;

extern world_t world;

/** Do something at random with the library. It is called from everywhere that
 * user code may run: bodies, callbacks, destructors, handlers. */
void stress_poke(void);
/** Put a future, whose reference is taken, in the place of another; NULL lets
 * that go. Somebody may wait for what is let go: it is completed in the end. */
void world_put(uva_future_t *take_future);
/** A new reference of a future of the world's that somebody will wait for. */
uva_future_t *world_future(void);
/** Let go of the futures and handles. */
void world_drop(void);
/** An actor of a kind that the mode has. */
const actor_kind_t *stress_any_kind(void);
/** Of those that hold up nobody: they sleep, and end in each way. */
const actor_kind_t *stress_simple_kind(void);

/* --- the parts --- */

/* A part of the world: what it has, and how it is served in the end. All but
 * kinds may be NULL. */
typedef struct part_s {
    const actor_kind_t *kinds; /* Up to one without a name. */
    void (*begin)(void);       /* Before the loop runs. */
    void (*start)(void);       /* In the director, before all else. */
    void (*step)(void);        /* In the director, now and then. */
    void (*check)(void);       /* All who can run have run: nobody waits for
                                  what is there. Virtual time only. */
    void (*serve)(void);       /* Let who waits go on; called repeatedly. */
    void (*leave)(void);       /* Instead: the loop is to be shut down. */
    void (*end)(void);         /* Every actor has ended; the director runs. */
    void (*closed)(void);      /* The loop is closed. */
} part_t;

extern const part_t locks_part;
extern const part_t conditions_part;
extern const part_t queues_part;
extern const part_t waits_part;
extern const part_t scopes_part;
extern const part_t calls_part;
extern const part_t sockets_part;

/** A round of these parts, on virtual time unless world.sockets is set. */
void stress_round(const part_t *const *parts, unsigned count);
/** Let the director wait, until everything else has had time to run. */
void stress_rest(void);

/** Let a sanitizer tell what is left, and where it was made; NULL if there is
 * none. */
extern void (*stress_find_leaks)(void);

/** What a loop reports is counted; some futures are kept. */
void stress_exception(uva_loop_t *loop,
                      const uva_exception_t *exception,
                      void *data);

#endif /* STRESS_H */
