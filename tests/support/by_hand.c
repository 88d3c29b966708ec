/*
 * Tests that drive a loop by hand from outside, with tasks of both kinds.
 */
#include "by_hand.h"

bool hand_stackful;

void hand_test(int kind, void (*test)(void))
{
    hand_stackful = kind == 0;
    uva_test_loop_setup();
    test();
    uva_test_loop_teardown();
}

uva_loop_t *hand_loop(void)
{
    uva_loop_t *running = uva_get_running_loop();

    return running == NULL ? uva_test_loop : running;
}

int hand_run(uva_task_t *task)
{
    return uva_loop_run_until_complete(uva_test_loop, UVA_FUTURE(task), NULL);
}

int hand_run_take(uva_task_t *take_task)
{
    int r = hand_run(take_task);

    uva_task_unref(take_task);
    return r;
}

static int nothing(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return 0;
}

void hand_briefly(void)
{
    ck_assert_int_eq(
        hand_run_take(uva_loop_create_task(uva_test_loop, nothing, NULL, NULL)),
        0);
}

void hand_run_ready(void)
{
    while (uva_test_loop->ready.head != NULL) {
        ck_assert_int_eq(uva_loop_step(uva_test_loop), 1);
    }
}

int hand_int(uva_task_t *task)
{
    const int *value = hand_value(UVA_FUTURE(task));

    ck_assert_ptr_nonnull(value);
    return *value;
}

void *hand_value(uva_future_t *future)
{
    void *value = NULL;

    ck_assert_int_ge(uva_future_result(future, &value), 0);
    return value;
}

uva_future_t *hand_future(void)
{
    uva_future_t *future = uva_loop_create_future(uva_test_loop);

    ck_assert_ptr_nonnull(future);
    return future;
}

uva_future_t *hand_awaited(const uva_task_t *task)
{
    return task->base.phase == UVA__PHASE_FUTURE ? task->waiter.await.future
                                                 : NULL;
}

uva_loop_t *hand_loop_new(void)
{
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new_virtual(NULL, &loop), 0);
    return loop;
}

void hand_loop_close(uva_loop_t *take_loop)
{
    ck_assert_int_eq(uva_loop_close(take_loop), 0);
    uva_loop_unref(take_loop);
}
