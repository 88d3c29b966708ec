/*
 * Tests that drive a loop by hand from outside, with tasks of both kinds.
 *
 *     HAND_TEST(naps)
 *     {
 *         uva_task_t *task = HAND_SPAWN(nap, .delay_ns = UVA_MS(1));
 *
 *         ck_assert_int_eq(hand_run(task), 0);
 *         ck_assert_int_eq(hand_int(task), 42);
 *         uva_task_unref(task);
 *     }
 *
 *     UVA_TEST_BOTH(tcase, naps);
 *
 * A test has uva_test_loop, closed behind it with the proof that nothing is
 * left; its case needs no fixture.
 */
#ifndef TEST_BY_HAND_H
#define TEST_BY_HAND_H

#include "kinds.h"

/** Define a test that runs once for each kind; add it with UVA_TEST_BOTH. */
#define HAND_TEST(name)             \
    static void name##_hand(void);  \
    START_TEST(name)                \
    {                               \
        hand_test(_i, name##_hand); \
    }                               \
    END_TEST                        \
    static void name##_hand(void)
void hand_test(int kind, void (*test)(void));

/** Whether the running test makes stackful tasks. */
extern bool hand_stackful;

/** A task of that kind, on the running loop, or on uva_test_loop while none
 * runs. */
#define HAND_SPAWN(...) HAND_SPAWN_ON(hand_loop(), __VA_ARGS__)
/** The same on a loop of the test's choice. */
#define HAND_SPAWN_ON(loop, ...) \
    UVA_ERASE(KIND_SPAWN_ON(loop, hand_stackful, __VA_ARGS__))
/** The same with options. */
#define HAND_SPAWN_WITH(options, ...)                                       \
    UVA_ERASE(KIND__SPAWN(hand_loop(), hand_stackful, options, __VA_ARGS__, \
                          .uva__z = 0))
uva_loop_t *hand_loop(void);

/** Run uva_test_loop until a task is done. @return Its code. */
int hand_run(uva_task_t *task);
/** The same, and drop the reference. */
int hand_run_take(uva_task_t *take_task);
/** asyncio's run_briefly: two iterations, the second for what the first has
 * called for. */
void hand_briefly(void);
/** Iterate while something is ready; time stands still. */
void hand_run_ready(void);

/** The int that a KIND_CORO(int, ...) which is done has given. */
int hand_int(uva_task_t *task);
/** The result of a future, or of a plain task, that is done. */
void *hand_value(uva_future_t *future);
/** A new future of uva_test_loop. */
uva_future_t *hand_future(void);
/** What a task awaits; NULL if it is not suspended in the await of a future. */
uva_future_t *hand_awaited(const uva_task_t *task);

/** Another virtual loop, and its end. */
uva_loop_t *hand_loop_new(void);
void hand_loop_close(uva_loop_t *take_loop);

#endif /* TEST_BY_HAND_H */
