/*
 * Tests that run once for each kind of task.
 */
#include "kinds.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/timers.h"

uva_task_t *kind_spawn(const uva__coro_t *stackful,
                       const uva__coro_t *stackless,
                       const void *args,
                       const uva_task_options_t *options,
                       const char *here)
{
    uva_task_options_t with = UVA_TASK_OPTIONS_INIT;

    if (uva_get_running_loop() == NULL) {
        with = options != NULL ? *options : with;
        with.loop = with.loop != NULL ? with.loop : uva_test_loop;
        options = &with;
    }
    return uva__spawn(kind_stackful ? stackful : stackless, args, options,
                      here);
}

void kind_run_test(int kind, void (*test)(void))
{
    kind_stackful = kind % 2 == 0;
    uva_test_row = kind / 2;
    uva_test_loop_setup();
    test();
    uva_test_loop_teardown();
}

void kind_run_main(uva_task_t *take_task)
{
    int r = hand_run_take(take_task);

    ck_assert_msg(r == 0, "the main task ended with %s", uva_err_name(r));
    ck_assert_msg(uva_loop_run_until_idle(uva_test_loop) >= 0,
                  "the loop is stuck");
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

uva_future_t *hand_made(uva_task_t *take_task)
{
    uva_future_t *made;

    ck_assert_int_eq(hand_run(take_task), 0);
    made = *(uva_future_t **)hand_value(UVA_FUTURE(take_task));
    uva_task_unref(take_task);
    ck_assert_ptr_eq(uva_future_get_loop(made), uva_test_loop);
    ck_assert_int_eq(uva_loop_run_until_complete(uva_test_loop, made, NULL), 0);
    return made;
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

bool hand_has_callbacks(const uva_future_t *future)
{
    return future->callbacks != NULL;
}

size_t hand_timer_count(void)
{
    return uva_test_loop->timers.wheel.count;
}

uint64_t hand_next_timer(void)
{
    return uva__wheel_next(&uva_test_loop->timers.wheel);
}
