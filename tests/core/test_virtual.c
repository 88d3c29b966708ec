/*
 * The loop of virtual time (uva/testing.h): steps, iterations, the clock, and
 * what it says when nothing can happen any more.
 */
#include "kinds.h"
#include "loops.h"

/* --- steps and iterations --- */

static uva_test_trace_t trace;

static void note(void *data)
{
    uva_test_trace(&trace, "%s", (const char *)data);
}

static char a[] = "a";
static char b[] = "b";
static char c[] = "c";

static void note_and_call(void *data)
{
    note(data);
    ck_assert_int_eq(uva_loop_call_soon(NULL, note, c, NULL, NULL), 0);
}

/* A step is one iteration: what was ready when it began. */
START_TEST(step_is_an_iteration)
{
    uva_loop_t *loop = new_loop();

    memset(&trace, 0, sizeof trace);
    ck_assert_int_eq(uva_loop_step(loop), 0); /* Nothing is there. */
    ck_assert_uint_eq(uva_loop_iterations(loop), 0);
    call_soon(loop, note_and_call, a);
    call_soon(loop, note, b);
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert_str_eq(trace.text, "a b");
    ck_assert_uint_eq(uva_loop_iterations(loop), 1);
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert_str_eq(trace.text, "a b c");
    ck_assert_uint_eq(uva_loop_iterations(loop), 2);
    ck_assert_int_eq(uva_loop_step(loop), 0);
    ck_assert_uint_eq(uva_loop_iterations(loop), 2);
    ck_assert_ptr_null(uva_get_running_loop());
    end_loop(loop);
}
END_TEST

KIND_TASK(void, sleeper, uint64_t delay_ns; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    UVA_END
    return self->r;
}

/* As many iterations as asyncio takes: one to begin, one for the deadline, one
 * for the task; a sleep of nothing takes one. */
KIND_LOOP_TEST(iterations_of_a_sleep)
{
    uva_loop_t *loop = new_loop();
    sleeper_task_t *task = KIND_SPAWN_WITH(ON_LOOP(loop), sleeper, UVA_MS(1));

    for (int i = 1; i <= 3; i++) {
        ck_assert(!UVA_DONE(task));
        ck_assert_int_eq(uva_loop_step(loop), 1);
        ck_assert_uint_eq(uva_loop_iterations(loop), (unsigned)i);
    }
    ck_assert(UVA_DONE(task));
    ck_assert_int_eq(uva_loop_step(loop), 0);
    uva_task_unref(UVA_ERASE(task));

    task = KIND_SPAWN_WITH(ON_LOOP(loop), sleeper, 0);
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert(!UVA_DONE(task));
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert(UVA_DONE(task));
    uva_task_unref(UVA_ERASE(task));
    end_loop(loop);
}

/* --- the clock --- */

START_TEST(clock_jumps_when_nothing_is_ready)
{
    uva_loop_t *loop = new_loop();

    memset(&trace, 0, sizeof trace);
    call_later(loop, UVA_SEC(5), note, a);
    call_later(loop, UVA_SEC(3), note, b);
    call_soon(loop, note, c);
    ck_assert_uint_eq(uva_loop_time(loop), 0);
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert_uint_eq(uva_loop_time(loop), 0);
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(3));
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(5));
    ck_assert_str_eq(trace.text, "c b a");
    ck_assert_int_eq(uva_loop_step(loop), 0);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(5));
    end_loop(loop);
}
END_TEST

START_TEST(advance)
{
    uva_loop_t *loop = new_loop();

    memset(&trace, 0, sizeof trace);
    call_later(loop, UVA_SEC(5), note, a);
    ck_assert_int_eq(uva_loop_advance(loop, UVA_SEC(4)), 0);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(4));
    ck_assert_int_eq(uva_loop_advance(loop, UVA_SEC(2)), 0);
    ck_assert_str_eq(trace.text, "");
    ck_assert_int_eq(uva_loop_step(loop), 1);
    ck_assert_str_eq(trace.text, "a");
    ck_assert_uint_eq(uva_loop_time(loop),
                      UVA_SEC(6)); /* It never goes back. */
    ck_assert_int_eq(uva_loop_advance(loop, UVA_FOREVER), 0);
    ck_assert(uva_loop_time(loop) == UVA_FOREVER);
    end_loop(loop);
}
END_TEST

KIND_LOOP_TEST(run_until_idle)
{
    uva_loop_t *loop = new_loop();
    sleeper_task_t *tasks[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = KIND_SPAWN_WITH(ON_LOOP(loop), sleeper, UVA_SEC(i + 1));
    }
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(3));
    for (int i = 0; i < 3; i++) {
        ck_assert(UVA_DONE(tasks[i]));
        uva_task_unref(UVA_ERASE(tasks[i]));
    }
    end_loop(loop);
}

/* --- misuse --- */

static void step_inside(void *data)
{
    uva_loop_t *loop = data;

    ck_assert_int_eq(uva_loop_step(loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), UV_EPERM);
    note(a);
}

START_TEST(steps_of_the_wrong_loop)
{
    uva_loop_t *loop = new_loop();
    uva_loop_t *real = new_real_loop();

    memset(&trace, 0, sizeof trace);
    ck_assert_int_eq(uva_loop_step(real), UV_ENOTSUP);
    ck_assert_int_eq(uva_loop_run_until_idle(real), UV_ENOTSUP);
    ck_assert_int_eq(uva_loop_advance(real, 1), UV_ENOTSUP);
    ck_assert_int_eq(uva_loop_step(NULL), UV_ENOTSUP);
    ck_assert_int_eq(uva_loop_advance(NULL, 1), UV_ENOTSUP);
    call_soon(loop, step_inside, loop);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_str_eq(trace.text, "a");
    ck_assert_ptr_null(uva_loop_uv(loop));
    ck_assert_ptr_nonnull(uva_loop_uv(real));
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(uva_loop_step(loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_advance(loop, 1), UV_EPERM);
    uva_loop_hold(loop);
    uva_loop_release(loop);
    uva_loop_unref(loop);
    end_loop(real);
}
END_TEST

/* --- nothing can happen any more --- */

KIND_TASK(void, wait_in_vain, uva_future_t *future; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->future, NULL);
    UVA_END
    return self->r;
}

/* The run ends with a code, the log says who waits for what, and all can be
 * put right. */
KIND_LOOP_TEST(deadlock)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    wait_in_vain_task_t *task =
        KIND_SPAWN_WITH(ON_LOOP(loop), wait_in_vain, future);

    ck_assert_int_eq(uva_task_set_name(UVA_ERASE(task), "the waiter"), 0);
    for (int i = 0; i < 2; i++) {
        uva_test_log_begin();
        ck_assert_int_eq(
            uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
            UVA_EDEADLOCK);
        /* Once, until something runs again. */
        ck_assert(logged("nothing can wake the unfinished tasks") == (i == 0));
        ck_assert(logged("task 'the waiter' (wait_in_vain") == (i == 0));
        ck_assert(logged("for a future") == (i == 0));
    }
    ck_assert(!UVA_DONE(task));
    ck_assert_int_eq(uva_loop_run_forever(loop), UVA_EDEADLOCK);
    (void)uva_future_set_result(future, NULL, NULL);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(UVA_ERASE(task));
    uva_future_unref(future);
    end_loop(loop);
}

/* A future that nobody completes is one too; a task that sleeps for ever
 * another. */
KIND_LOOP_TEST(deadlock_without_a_deadline)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    sleeper_task_t *task = KIND_SPAWN_WITH(ON_LOOP(loop), sleeper, UVA_FOREVER);

    uva_test_log_begin();
    ck_assert_int_eq(uva_loop_run_until_complete(loop, future, NULL),
                     UVA_EDEADLOCK);
    ck_assert(logged("(sleeper"));
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     UV_ECANCELED);
    uva_task_unref(UVA_ERASE(task));
    uva_future_unref(future);
    end_loop(loop);
}

/* --- the same on a real loop: it says so and goes on waiting --- */

static void complete(void *data)
{
    (void)uva_future_set_result(data, NULL, NULL);
}

static void complete_from_a_thread(void *data)
{
    uva_future_t *future = data;

    ck_assert_int_eq(uva_loop_call_soon_threadsafe(uva_future_get_loop(future),
                                                   complete, future, NULL,
                                                   NULL),
                     0);
}

static uv_thread_t helper;

/* The log's hook starts the thread that helps: it was told before. */
static void help(uva_log_level_t level, const char *text, void *data)
{
    /* Where there is another thread already it may come. */
    ck_assert_ptr_nonnull(strstr(text, level == UVA_LOG_WARNING
                                           ? "nothing can wake"
                                           : "only another thread"));
    ck_assert_ptr_nonnull(strstr(text, "(wait_in_vain"));
    ck_assert_int_eq(uv_thread_create(&helper, complete_from_a_thread, data),
                     0);
}

KIND_LOOP_TEST(real_loop_that_is_stuck)
{
    uva_loop_t *loop = new_real_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    wait_in_vain_task_t *task =
        KIND_SPAWN_WITH(ON_LOOP(loop), wait_in_vain, future);

    uva_set_log(help, future);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uv_thread_join(&helper);
    uva_task_unref(UVA_ERASE(task));
    uva_future_unref(future);
    end_loop(loop);
}

static void complete_timer(uv_timer_t *timer)
{
    (void)uva_future_set_result(timer->data, NULL, NULL);
    uv_close((uv_handle_t *)timer, NULL);
}

/* Not while the host has something that may wake them. */
KIND_LOOP_TEST(host_that_may_wake_them)
{
    uva_loop_t *loop;
    uv_loop_t host;
    uv_timer_t timer;
    uva_future_t *future;
    wait_in_vain_task_t *task;

    ck_assert_int_eq(uv_loop_init(&host), 0);
    ck_assert_int_eq(uva_loop_attach(&host, NULL, &loop), 0);
    future = uva_loop_create_future(loop);
    task = KIND_SPAWN_WITH(ON_LOOP(loop), wait_in_vain, future);
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = future;
    ck_assert_int_eq(uv_timer_start(&timer, complete_timer, 2, 0), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_str_eq(uva_test_log(), "");
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(UVA_ERASE(task));
    uva_future_unref(future);
    end_loop(loop);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&host), 0);
}

int main(void)
{
    Suite *suite = suite_create("virtual");
    TCase *steps = UVA_LOOPS_TCASE(suite, "Steps");
    TCase *stuck = UVA_LOOPS_TCASE(suite, "Stuck");

    UVA_ADD_TESTS(steps, step_is_an_iteration);
    KIND_ADD_TESTS(steps, iterations_of_a_sleep);
    UVA_ADD_TESTS(steps, clock_jumps_when_nothing_is_ready, advance);
    KIND_ADD_TESTS(steps, run_until_idle);
    UVA_ADD_TESTS(steps, steps_of_the_wrong_loop);
    KIND_ADD_TESTS(stuck, deadlock, deadlock_without_a_deadline,
                   real_loop_that_is_stuck, host_that_may_wake_them);
    return uva_test_main(suite);
}
