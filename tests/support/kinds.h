/*
 * Tests that run once for each kind of task, the stackful and the stackless
 * one: bodies are written once, in the manner of UVA_STACKLESS.
 *
 *     KIND_TASK(int, child, uint64_t delay_ns; int r;)
 *     {
 *         UVA_BEGIN
 *         AWAIT(self->r, uva_sleep, self->delay_ns);
 *         *ret = 42;
 *         UVA_END
 *         return self->r;
 *     }
 *
 *     KIND_TEST(child_returns, child_task_t *task; int value;)
 *     {
 *         UVA_BEGIN
 *         self->task = KIND_SPAWN(child, .delay_ns = UVA_MS(1));
 *         AWAIT_IS(0, child_await, self->task, &self->value);
 *         ck_assert_int_eq(self->value, 42);
 *         UVA_END
 *         return 0;
 *     }
 *
 *     KIND_ADD_TESTS(tcase, child_returns);
 *
 * A KIND_TEST is itself the main task. A UVA_TEST, whose main task is stackful,
 * and a KIND_LOOP_TEST, which drives a loop from outside, make tasks of the
 * test's kind with KIND_SPAWN as well. What lives over an await is a member.
 */
#ifndef TEST_KINDS_H
#define TEST_KINDS_H

#include "uva_test.h"

/* --- tasks --- */

/** KIND_TASK(T, name, members...) { body }: as UVA_STACKLESS, of both kinds.
 * Another task calls the body: AWAIT(r, name_call, &self->sub, &value). */
#define KIND_TASK(...) \
    UVA__CAT(KIND__TASK_, UVA__HAS_ARGS(__VA_ARGS__))(__VA_ARGS__)
#define KIND__TASK_0(T, name) KIND__TASK(T, name, kind_ops_t ops;)
#define KIND__TASK_A(T, name, ...) \
    KIND__TASK(T, name, __VA_ARGS__ kind_ops_t ops;)
#define KIND__TASK(T, name, ...)                            \
    KIND__HEAD(T, name, __VA_ARGS__)                        \
    static int name##__body(UVA_UNUSED name##_args_t *self, \
                            UVA_UNUSED name##_ret_t *ret)
#define KIND__HEAD(T, name, ...)                                              \
    struct name##_args_s {                                                    \
        __VA_ARGS__ int uva__z;                                               \
    };                                                                        \
    UVA__TYPES(T, name)                                                       \
    static int name##__body(name##_args_t *self, name##_ret_t *ret);          \
    UVA__CORO(static, name, NULL, true)                                       \
    UVA__TYPED(name)                                                          \
    typedef name##_args_t name##__stackful_args_t;                            \
    typedef name##_ret_t name##__stackful_ret_t;                              \
    static int name##__stackful__body(name##_args_t *self, name##_ret_t *ret) \
    {                                                                         \
        return name##__body(self, ret);                                       \
    }                                                                         \
    UVA__CORO(static, name##__stackful, NULL, false)                          \
    UVA_UNUSED static int name##_call(name##_args_t *self, name##_ret_t *ret) \
    {                                                                         \
        return name##__body(self, ret);                                       \
    }                                                                         \
    UVA_UNUSED static int name##_call_poll(name##_args_t *self,               \
                                           name##_ret_t *ret)                 \
    {                                                                         \
        return name##__body(self, ret);                                       \
    }                                                                         \
    UVA_UNUSED static name##_task_t *name##__kind(                            \
        const uva_task_options_t *options, name##_args_t args)                \
    {                                                                         \
        return (name##_task_t *)(void *)kind_spawn(&name##__stackful__coro,   \
                                                   &name##__coro, &args,      \
                                                   options, UVA__HERE);       \
    }                                                                         \
    UVA_UNUSED static name##_task_t *name##__kind_in(uva_taskgroup_t *group,  \
                                                     name##_args_t args)      \
    {                                                                         \
        return (name##_task_t *)(void *)uva__taskgroup_spawn(                 \
            group, kind_stackful ? &name##__stackful__coro : &name##__coro,   \
            &args, NULL, UVA__HERE);                                          \
    }

/** As uva_spawn, a task of the test's kind: KIND_SPAWN(name, .argument = value,
 * ...). On the running loop, or on uva_test_loop while none runs. */
#define KIND_SPAWN(...) KIND_SPAWN_WITH(NULL, __VA_ARGS__)
/** As uva_spawn_with: KIND_SPAWN_WITH(&options, name, ...). */
#define KIND_SPAWN_WITH(options, ...) \
    KIND__SPAWN(options, __VA_ARGS__, .uva__z = 0)
#define KIND__SPAWN(options, name, ...) \
    name##__kind(options, (name##_args_t){__VA_ARGS__})
/** As uva_taskgroup_spawn: KIND_SPAWN_IN(&group, name, ...). */
#define KIND_SPAWN_IN(group, ...) \
    KIND__SPAWN_IN(group, __VA_ARGS__, .uva__z = 0)
#define KIND__SPAWN_IN(group, name, ...) \
    name##__kind_in(group, (name##_args_t){__VA_ARGS__})
/** KIND_SPAWN, as a uva_task_t. */
#define KIND_ERASED(...) UVA_ERASE(KIND_SPAWN(__VA_ARGS__))
uva_task_t *kind_spawn(const uva__coro_t *stackful,
                       const uva__coro_t *stackless,
                       const void *args,
                       const uva_task_options_t *options,
                       const char *here);

/* --- awaits --- */

/** Await in a KIND_TASK or a KIND_TEST: AWAIT(r, function, arguments...) is a
 * call in a stackful task and UVA_AWAIT in a stackless one. An operation that
 * the poll takes is the task's own where the function is named below. */
#define AWAIT(r, function, ...)                                  \
    UVA__CAT(KIND__AWAIT_, KIND__PICK(KIND__OP_##function, 0, )) \
    (r, function, __VA_ARGS__)
/** AWAIT, of which the code is known: AWAIT_IS(0, uva_sleep, delay_ns). */
#define AWAIT_IS(code, ...)                  \
    do {                                     \
        AWAIT(self->ops.r, __VA_ARGS__);     \
        ck_assert_int_eq(self->ops.r, code); \
    } while (0)
/** With an operation of the test's choice, as in UVA_AWAIT. */
#define AWAIT_OP(r, function, op, ...)               \
    do {                                             \
        if (uva__block_check() == 0) {               \
            (r) = function(__VA_ARGS__);             \
        } else {                                     \
            UVA_AWAIT(r, function, op, __VA_ARGS__); \
        }                                            \
    } while (0)
#define KIND__AWAIT_0(r, function, ...)          \
    do {                                         \
        if (uva__block_check() == 0) {           \
            (r) = function(__VA_ARGS__);         \
        } else {                                 \
            UVA_AWAIT(r, function, __VA_ARGS__); \
        }                                        \
    } while (0)

#define KIND__OP_uva_sleep               , sleep
#define KIND__OP_uva_wait                , wait
#define KIND__OP_uva_cancel_and_wait     , wait
#define KIND__OP_uva_gather              , gather
#define KIND__OP_uva_wait_for            , wait_for
#define KIND__OP_uva_shield              , shield
#define KIND__PICK(...)                  KIND__SECOND(__VA_ARGS__)
#define KIND__SECOND(first, second, ...) second
#define KIND__AWAIT_sleep(r, f, ...) \
    AWAIT_OP(r, f, &self->ops.sleep, __VA_ARGS__)
#define KIND__AWAIT_wait(r, f, ...) AWAIT_OP(r, f, &self->ops.wait, __VA_ARGS__)
#define KIND__AWAIT_gather(r, f, ...) \
    AWAIT_OP(r, f, &self->ops.gather, __VA_ARGS__)
#define KIND__AWAIT_wait_for(r, f, ...) \
    AWAIT_OP(r, f, &self->ops.wait_for, __VA_ARGS__)
#define KIND__AWAIT_shield(r, f, ...) \
    AWAIT_OP(r, f, &self->ops.shield, __VA_ARGS__)

typedef struct kind_ops_s {
    uva_sleep_op_t sleep;
    uva_wait_op_t wait;
    uva_gather_op_t gather;
    uva_wait_for_op_t wait_for;
    uva_shield_op_t shield;
    int r; /* Of AWAIT_IS. */
} kind_ops_t;

/* --- tests --- */

/** Add tests that run once for each kind: KIND_ADD_TESTS(tcase, one, another).
 */
#define KIND_ADD_TESTS(tcase, ...) UVA__ADD_TESTS(tcase, 2, __VA_ARGS__)
/** Add a test that runs once for each row of a table and each kind, as
 * UVA_ADD_TABLE. */
#define KIND_ADD_TABLE(tcase, test, rows) UVA__ADD_TABLE(tcase, 2, test, rows)

/** KIND_TEST(name, members...) { body }: a test that is the main task of a
 * fresh virtual loop. Nothing may be left when it returns. */
#define KIND_TEST(...) \
    UVA__CAT(KIND__TEST_, UVA__HAS_ARGS(T, __VA_ARGS__))(__VA_ARGS__)
#define KIND__TEST_0(name)      KIND__TEST(name, kind_ops_t ops;)
#define KIND__TEST_A(name, ...) KIND__TEST(name, __VA_ARGS__ kind_ops_t ops;)
#define KIND__TEST(name, ...)                                         \
    KIND__HEAD(void, name##_main, __VA_ARGS__)                        \
    KIND_LOOP_TEST(name)                                              \
    {                                                                 \
        name##_main_args_t args = {.uva__z = 0};                      \
        kind_run_main(UVA_ERASE(name##_main__kind(NULL, args)));      \
    }                                                                 \
    static int name##_main__body(UVA_UNUSED name##_main_args_t *self, \
                                 UVA_UNUSED name##_main_ret_t *ret)
void kind_run_main(uva_task_t *take_task);

/** Define a test that is no task: it drives uva_test_loop from outside, or
 * loops of its own. Nothing may be left when it returns. */
#define KIND_LOOP_TEST(name)            \
    static void name##_test(void);      \
    START_TEST(name)                    \
    {                                   \
        kind_run_test(_i, name##_test); \
    }                                   \
    END_TEST                            \
    static void name##_test(void)
void kind_run_test(int kind, void (*test)(void));

/* --- a loop driven by hand --- */

/** Run uva_test_loop until a task is done. @return Its code. */
int hand_run(uva_task_t *task);
/** The same, and drop the reference. */
int hand_run_take(uva_task_t *take_task);
/** asyncio's run_briefly: two iterations, the second for what the first has
 * called for. */
void hand_briefly(void);
/** Iterate while something is ready; time stands still. */
void hand_run_ready(void);

/** The int that a KIND_TASK(int, ...) which is done has given. */
int hand_int(uva_task_t *task);
/** The result of a future, or of a plain task, that is done. */
void *hand_value(uva_future_t *future);
/** Run a KIND_TASK(uva_future_t *, ...) that makes a future of the running
 * loop, and then the loop until that future has succeeded. @return The future.
 */
uva_future_t *hand_made(uva_task_t *take_task);
/** A new future of uva_test_loop. */
uva_future_t *hand_future(void);
/** What a task awaits; NULL if it is not suspended in the await of a future. */
uva_future_t *hand_awaited(const uva_task_t *task);
bool hand_has_callbacks(const uva_future_t *future);
/** The calls that uva_test_loop has for later, and when the first is due. */
size_t hand_timer_count(void);
uint64_t hand_next_timer(void);

/** What CPython's tests raise, as codes. */
enum {
    ZERO_DIVISION_ERROR = UVA_EUSER - 1,
    RUNTIME_ERROR = UVA_EUSER - 2,
    VALUE_ERROR = UVA_EUSER - 3,
    TYPE_ERROR = UVA_EUSER - 4,
    KEY_ERROR = UVA_EUSER - 5,
    CUSTOM_ERROR = UVA_EUSER - 6 /* A class of the test. */
};

#endif /* TEST_KINDS_H */
