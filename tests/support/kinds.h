/*
 * Whole tests as a task of both kinds, the stackful and the stackless one.
 *
 *     KIND_CORO(int, child, uint64_t delay_ns; int r;)
 *     {
 *         UVA_BEGIN
 *         AWAIT_SLEEP(self->r, self->delay_ns);
 *         *ret = 42;
 *         UVA_END
 *         return self->r;
 *     }
 *
 *     KIND_TEST(child_returns, child_task_t *task; int value; int r;)
 *     {
 *         UVA_BEGIN
 *         self->task = KIND_SPAWN(child, .delay_ns = UVA_MS(1));
 *         AWAIT_TYPED(self->r, child, self->task, &self->value);
 *         ck_assert_int_eq(self->r, 0);
 *         UVA_END
 *         return 0;
 *     }
 *
 *     UVA_TEST_BOTH(tcase, child_returns);
 *
 * What KIND_SPAWN makes is of the kind of the task it is called in. The rules
 * are those of stackless bodies: what lives over an await is a member.
 */
#ifndef TEST_KINDS_H
#define TEST_KINDS_H

#include "uva_test.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/tasks.h"
#include "core/timers.h"
#include "core/waiters.h"

/* What the awaits of a stackless body keep. */
typedef struct kind_ops_s {
    uva_sleep_op_t sleep;
    uva_wait_op_t wait;
    uva_gather_op_t gather;
    uva_wait_for_op_t wait_for;
    uva_shield_op_t shield;
} kind_ops_t;

/** KIND_CORO(T, name, members...) { body }: a coroutine of both kinds. */
#define KIND_CORO(...) \
    UVA__CAT(KIND__CORO_, UVA__HAS_ARGS(__VA_ARGS__))(__VA_ARGS__)
#define KIND__CORO_0(T, name) KIND__CORO(T, name, kind_ops_t ops;)
#define KIND__CORO_A(T, name, ...) \
    KIND__CORO(T, name, __VA_ARGS__ kind_ops_t ops;)
#define KIND__CORO(T, name, ...)                            \
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
    UVA_UNUSED static int name##__body_poll(name##_args_t *self,              \
                                            name##_ret_t *ret)                \
    {                                                                         \
        return name##__body(self, ret);                                       \
    }                                                                         \
    UVA__CORO(static, name##__stackful, NULL, false)                          \
    UVA_UNUSED static name##_task_t *name##__kind(                            \
        uva_loop_t *loop, bool stackful, const uva_task_options_t *options,   \
        name##_args_t args)                                                   \
    {                                                                         \
        return (name##_task_t *)(void *)uva__task_new(                        \
            loop, stackful ? &name##__stackful__coro : &name##__coro, &args,  \
            options, UVA__HERE);                                              \
    }                                                                         \
    UVA_UNUSED static name##_task_t *name##__kind_in(uva_taskgroup_t *group,  \
                                                     name##_args_t args)      \
    {                                                                         \
        return (name##_task_t *)(void *)uva__taskgroup_spawn(                 \
            group, KIND_STACKFUL() ? &name##__stackful__coro : &name##__coro, \
            &args, NULL, UVA__HERE);                                          \
    }

/** KIND_TEST(name, members...) { body }: a test that is the main task of a
 * fresh virtual loop. Add it with UVA_TEST_BOTH. */
#define KIND_TEST(...) \
    UVA__CAT(KIND__TEST_, UVA__HAS_ARGS(T, __VA_ARGS__))(__VA_ARGS__)
#define KIND__TEST_0(name)      KIND__TEST(name, kind_ops_t ops;)
#define KIND__TEST_A(name, ...) KIND__TEST(name, __VA_ARGS__ kind_ops_t ops;)
#define KIND__TEST(name, ...)                                                 \
    KIND__HEAD(void, name##_main, __VA_ARGS__)                                \
    START_TEST(name)                                                          \
    {                                                                         \
        uva_test_mark_t mark = uva_test_mark();                               \
        name##_main_args_t args = {.uva__z = 0};                              \
        uva_loop_t *loop;                                                     \
        ck_assert_int_eq(uva_loop_new_virtual(NULL, &loop), 0);               \
        kind_finish(loop, mark,                                               \
                    UVA_ERASE(name##_main__kind(loop, _i == 0, NULL, args))); \
    }                                                                         \
    END_TEST                                                                  \
    static int name##_main__body(UVA_UNUSED name##_main_args_t *self,         \
                                 UVA_UNUSED name##_main_ret_t *ret)

static UVA_UNUSED void
kind_finish(uva_loop_t *loop, uva_test_mark_t mark, uva_task_t *take_task)
{
    int r = uva_loop_run_until_complete(loop, UVA_FUTURE(take_task), NULL);

    ck_assert_msg(r == 0, "the main task ended with %s", uva_err_name(r));
    uva_task_unref(take_task);
    ck_assert_msg(uva_loop_run_until_idle(loop) >= 0, "the loop is stuck");
    ck_assert_int_eq(uva_loop_close(loop), 0);
    uva_loop_unref(loop);
    uva_test_nothing_left(mark);
}

/** Whether the running task has a stack. */
#define KIND_STACKFUL() (uva__block_check() == 0)

/** KIND_SPAWN(name, .argument = value, ...), as uva_spawn. */
#define KIND_SPAWN(...) KIND_SPAWN_WITH(NULL, __VA_ARGS__)
/** With options, as uva_spawn_with. */
#define KIND_SPAWN_WITH(options, ...)                                          \
    KIND__SPAWN(uva_get_running_loop(), KIND_STACKFUL(), options, __VA_ARGS__, \
                .uva__z = 0)
/** On a loop that need not run. */
#define KIND_SPAWN_ON(loop, stackful, ...) \
    KIND__SPAWN(loop, stackful, NULL, __VA_ARGS__, .uva__z = 0)
#define KIND__SPAWN(loop, stackful, options, name, ...) \
    name##__kind(loop, stackful, options, (name##_args_t){__VA_ARGS__})
/** As uva_taskgroup_spawn. */
#define KIND_SPAWN_IN(group, ...) \
    KIND__SPAWN_IN(group, __VA_ARGS__, .uva__z = 0)
#define KIND__SPAWN_IN(group, name, ...) \
    name##__kind_in(group, (name##_args_t){__VA_ARGS__})

#define KIND__AWAIT(r, function, ...)            \
    do {                                         \
        if (KIND_STACKFUL()) {                   \
            (r) = function(__VA_ARGS__);         \
        } else {                                 \
            UVA_AWAIT(r, function, __VA_ARGS__); \
        }                                        \
    } while (0)
/** Of a function whose poll takes an operation. */
#define KIND__AWAIT_OP(r, function, op, ...)         \
    do {                                             \
        if (KIND_STACKFUL()) {                       \
            (r) = function(__VA_ARGS__);             \
        } else {                                     \
            UVA_AWAIT(r, function, op, __VA_ARGS__); \
        }                                            \
    } while (0)
#define AWAIT_FUTURE(r, future, ret)    KIND__AWAIT(r, uva_await, future, ret)
#define AWAIT_JOIN(r, future, ret)      KIND__AWAIT(r, uva_join, future, ret)
#define AWAIT_TYPED(r, name, task, ret) KIND__AWAIT(r, name##_await, task, ret)
#define AWAIT_SLEEP(r, delay_ns) \
    KIND__AWAIT_OP(r, uva_sleep, &self->ops.sleep, delay_ns)
#define AWAIT_WAIT(r, ...) \
    KIND__AWAIT_OP(r, uva_wait, &self->ops.wait, __VA_ARGS__)
#define AWAIT_GATHER(r, ...) \
    KIND__AWAIT_OP(r, uva_gather, &self->ops.gather, __VA_ARGS__)
#define AWAIT_WAIT_FOR(r, ...) \
    KIND__AWAIT_OP(r, uva_wait_for, &self->ops.wait_for, __VA_ARGS__)
#define AWAIT_WAIT_FOR_TYPED(r, name, ...) \
    KIND__AWAIT_OP(r, name##_wait_for, &self->ops.wait_for, __VA_ARGS__)
#define AWAIT_SHIELD(r, ...) \
    KIND__AWAIT_OP(r, uva_shield, &self->ops.shield, __VA_ARGS__)
#define AWAIT_GROUP(r, group, body_r) \
    KIND__AWAIT(r, uva_taskgroup_exit, group, body_r)
/** Run the body of another coroutine in this task; sub is a member with its
 * arguments, all else zero. */
#define AWAIT_CALL(r, name, sub, ret) KIND__AWAIT(r, name##__body, sub, ret)

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
