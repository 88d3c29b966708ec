/*
 * Watchdogs. A step blocks until the watcher has found it, which it tells by a
 * hook: so no test depends on how long anything takes.
 */
#include "kinds.h"
#include "loops.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <unwind.h>

#include "uva/watchdog.h"

#include "child.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/watchdog.h"

#define HOUR UVA_SEC(3600)

static sem_t found;

/* In the handler of a signal. */
static void tell_found(void)
{
    (void)sem_post(&found);
}

static uva_loop_t *watched_loop(uint64_t threshold_ns)
{
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(loop, threshold_ns, 0), 0);
    return loop;
}

static void end_loop_of(uva_loop_t *loop)
{
    ck_assert_int_eq(uva_loop_close(loop), 0);
    uva_loop_unref(loop);
}

static void setup(void)
{
    ck_assert_int_eq(sem_init(&found, 0, 0), 0);
    atomic_store(&uva__watchdog_on_found, tell_found);
    uva_test_log_begin();
}

static void teardown(void)
{
    struct sigaction action;

    atomic_store(&uva__watchdog_on_found, NULL);
    ck_assert_int_eq(sigaction(SIGURG, NULL, &action), 0);
    ck_assert(action.sa_handler == SIG_DFL);
    sem_destroy(&found);
}

/* --- what blocks --- */

/* Block until the watcher has seen it. */
static UVA__NOINLINE void block(void)
{
    while (sem_wait(&found) != 0) {
        ck_assert_int_eq(errno, EINTR);
    }
}

static UVA__NOINLINE int block_deeply(int depth)
{
    volatile int here = depth; /* Each call has a frame. */

    if (depth == 0) {
        block();
        return 0;
    }
    return block_deeply(depth - 1) + (here == depth);
}

/* What was found last. */
static const uva__watchdog_found_t *last_found(void)
{
    const uva__watchdog_t *dog = uva__here->debug.watchdog;

    ck_assert_uint_gt(dog->found_count, 0);
    return &dog->found[dog->found_count - 1];
}

/* Whether the calls that were found have one of a function. */
static bool found_in(void (*function)(void))
{
    const uva__watchdog_found_t *seen = last_found();

    for (size_t i = 0; i < seen->frame_count; i++) {
        if (_Unwind_FindEnclosingFunction((void *)seen->frames[i]) ==
            (void *)(uintptr_t)function) {
            return true;
        }
    }
    return false;
}

static size_t count_logged(const char *words)
{
    size_t count = 0;

    for (const char *at = uva_test_log(); (at = strstr(at, words)) != NULL;
         at++) {
        count++;
    }
    return count;
}

KIND_TASK(void, blocker, int times; int i; int r;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < self->times; self->i++) {
        block();
        ck_assert(found_in(block));
        AWAIT_IS(0, uva_sleep, 0);
    }
    UVA_END
    return 0;
}

static void run_blocker(uva_loop_t *loop, const char *name, int times)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    blocker_task_t *task;

    options.loop = loop;
    options.name = name;
    task = KIND_SPAWN_WITH(&options, blocker, .times = times);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(UVA_ERASE(task));
}

KIND_LOOP_TEST(names_the_task_and_the_place)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));

    run_blocker(loop, "reader of files", 1);
    ck_assert(logged("executing a step of task 'reader of files' (function "
                     "blocker"));
    ck_assert(logged(" seconds\n  at "));
    end_loop_of(loop);
}

KIND_TASK(void, blocks_and_waits)
{
    UVA_BEGIN
    block();
    AWAIT_IS(0, uva_sleep, UVA_MS(1));
    UVA_END
    return 0;
}

/* A name is made up when the turn is over, if the task has not ended then. */
KIND_LOOP_TEST(makes_up_a_name)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));
    blocks_and_waits_task_t *task;

    run_blocker(loop, NULL, 1);
    ck_assert(logged("executing a step of a task (function blocker"));
    task = KIND_SPAWN_WITH(ON_LOOP(loop), blocks_and_waits);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    ck_assert(logged("executing a step of task 'Task-"));
    uva_task_unref(UVA_ERASE(task));
    end_loop_of(loop);
}

KIND_LOOP_TEST(tells_a_place_once)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));
    uva_blocking_place_t places[2];

    run_blocker(loop, "again", 3);
    run_blocker(loop, "and again", 1);
    ck_assert_uint_eq(uva_loop_blocking_places(loop, NULL, 0), 1);
    ck_assert_uint_eq(uva_loop_blocking_places(loop, places, 2), 1);
    ck_assert_uint_eq(places[0].count, 4);
    ck_assert_ptr_nonnull(strstr(places[0].function, "blocker"));
    ck_assert_uint_ge(places[0].longest_ns, UVA_MS(1));
    ck_assert_uint_eq(count_logged("executing"), 1);
    end_loop_of(loop);
}

static void block_once(void *data)
{
    (void)data;
    block();
}

static void block_far_down(void *data)
{
    (void)data;
    ck_assert_int_eq(block_deeply(100), 100);
    ck_assert_uint_eq(last_found()->frame_count, UVA__WATCHDOG_FRAMES);
}

START_TEST(tells_callbacks_and_each_place)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));
    uva_blocking_place_t places[2];

    call_soon(loop, block_once, NULL);
    call_soon(loop, stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    call_soon(loop, block_far_down, NULL);
    call_soon(loop, stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_uint_eq(count_logged("executing a callback took "), 2);
    ck_assert_uint_eq(uva_loop_blocking_places(loop, places, 2), 2);
    ck_assert_ptr_null(places[0].function);
    ck_assert_uint_eq(places[1].count, 1);
    end_loop_of(loop);
}
END_TEST

/* A stack's frames end at its top: no frame of the loop's stack is told, and a
 * deep recursion is cut. */
static int block_on_a_stack(void *arg, void **ret_result)
{
    const uva__watchdog_found_t *seen;

    (void)arg;
    (void)ret_result;
    block();
    seen = last_found();
    for (size_t i = 0; i < seen->frame_count; i++) {
        ck_assert_ptr_ne(_Unwind_FindEnclosingFunction((void *)seen->frames[i]),
                         (void *)(uintptr_t)uva_loop_run_until_complete);
    }
    return 0;
}

START_TEST(stays_on_the_stack)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));

    ck_assert_int_eq(run_task(loop, block_on_a_stack, NULL), 0);
    ck_assert_uint_eq(count_logged("executing"), 1);
    end_loop_of(loop);
}
END_TEST

/* A task that sets the watchdog is watched from there on. */
static int watch_and_block(void *arg, void **ret_result)
{
    (void)ret_result;
    ck_assert_int_eq(uva_loop_set_watchdog(arg, UVA_MS(1), 0), 0);
    block();
    return 0;
}

START_TEST(watches_the_step_that_asks)
{
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    ck_assert_int_eq(run_task(loop, watch_and_block, loop), 0);
    ck_assert_uint_eq(count_logged("executing"), 1);
    end_loop_of(loop);
}
END_TEST

/* --- what does not, by looks at moments of the test's choice --- */

/* The turn's beginning is the beginning of its first step. */
static int looked_at(void *arg, void **ret_result)
{
    uva_loop_t *loop = uva_get_running_loop();
    const uva__watchdog_t *dog = loop->debug.watchdog;
    uint64_t begin_ns = loop->turn.round_ns;

    (void)arg;
    (void)ret_result;
    uva__watchdog_see(loop, begin_ns + HOUR / 2);
    uva__watchdog_see(loop, begin_ns + HOUR - 1);
    ck_assert_uint_eq(dog->found_count, 0);
    uva__watchdog_see(loop, begin_ns + HOUR);
    ck_assert_uint_eq(dog->found_count, 1);
    ck_assert_uint_eq(last_found()->begin_ns, begin_ns);
    return 0;
}

START_TEST(a_step_is_found_at_the_threshold)
{
    uva_loop_t *loop = watched_loop(HOUR);

    ck_assert_int_eq(run_task(loop, looked_at, NULL), 0);
    ck_assert_uint_eq(count_logged("executing a step of "), 1);
    end_loop_of(loop);
}
END_TEST

/* Many steps that together take long: each is another one. */
static int one_of_many(void *arg, void **ret_result)
{
    uva_loop_t *loop = uva_get_running_loop();
    const uva__watchdog_t *dog = loop->debug.watchdog;
    uint64_t *now_ns = arg;

    (void)ret_result;
    for (int i = 0; i < 20; i++) {
        *now_ns += HOUR / 2;
        uva__watchdog_see(loop, *now_ns);
        ck_assert_uint_eq(dog->found_count, 0);
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    return 0;
}

START_TEST(short_steps_are_never_told)
{
    uva_loop_t *loop = watched_loop(HOUR);
    uint64_t now_ns = uva_loop_time(loop);
    uva_task_t *other = uva_loop_create_task(loop, one_of_many, &now_ns, NULL);

    ck_assert_int_eq(run_task(loop, one_of_many, &now_ns), 0);
    uva_task_unref(other);
    ck_assert_str_eq(uva_test_log(), "");
    end_loop_of(loop);
}
END_TEST

static void look_outside(uv_timer_t *timer)
{
    uva_loop_t *loop = timer->data;
    uva__watchdog_t *dog = loop->debug.watchdog;

    ck_assert_uint_eq(dog->turn & 1u, 0);
    uva__watchdog_see(loop, uva_loop_time(loop) + HOUR);
    uva__watchdog_see(loop, uva_loop_time(loop) + 3 * HOUR);
    ck_assert_uint_eq(dog->found_count, 0);
    uv_close((uv_handle_t *)timer, NULL);
}

START_TEST(a_host_is_not_watched)
{
    uv_loop_t host;
    uv_timer_t timer;
    uva_loop_t *loop;

    ck_assert_int_eq(uv_loop_init(&host), 0);
    ck_assert_int_eq(uva_loop_attach(&host, NULL, &loop), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(loop, HOUR, 0), 0);
    ck_assert_int_eq(uv_timer_init(&host, &timer), 0);
    timer.data = loop;
    ck_assert_int_eq(uv_timer_start(&timer, look_outside, 0, 0), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uva_loop_close(loop), 0);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    uva_loop_unref(loop);
    ck_assert_int_eq(uv_loop_close(&host), 0);
    ck_assert_str_eq(uva_test_log(), "");
}
END_TEST

/* --- setting and ending --- */

static void own_handler(int signal_number)
{
    (void)signal_number;
}

START_TEST(refused)
{
    uva_loop_t *loop = watched_loop(HOUR);
    uva_loop_t *other;
    sigset_t set;

    ck_assert_int_eq(uva_loop_set_watchdog(NULL, HOUR, 0), UVA_ENOLOOP);
    ck_assert_int_eq(uva_loop_new_virtual(NULL, &other), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, 0), UV_ENOTSUP);
    end_loop_of(other);

    ck_assert_int_eq(uva_loop_new(NULL, &other), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, SIGUSR1), UV_EBUSY);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, -1), UV_EINVAL);
    ck_assert_int_eq(uva_loop_set_watchdog(other, 0, 0), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(loop, HOUR, SIGUSR1), UV_EBUSY);
    ck_assert_int_eq(uva_loop_set_watchdog(loop, 2 * HOUR, SIGURG), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(loop, 0, 0), 0);
    ck_assert_uint_eq(uva_loop_blocking_places(loop, NULL, 0), 0);

    signal(SIGUSR1, own_handler);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, SIGUSR1), UV_EBUSY);
    ck_assert(signal(SIGUSR1, SIG_IGN) == own_handler);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, SIGUSR1), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(other, 0, 0), 0);
    ck_assert(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, SIGKILL), UV_EINVAL);
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    ck_assert_int_eq(uva_loop_set_watchdog(other, HOUR, 0), UV_EINVAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    end_loop_of(other);
    end_loop_of(loop);
}
END_TEST

START_TEST(without_memory)
{
    uva_loop_t *loop;

    ck_assert_int_eq(uva_loop_new(NULL, &loop), 0);
    UVA_OOM_TEST(uva_loop_set_watchdog(loop, HOUR, 0));
    end_loop_of(loop);
}
END_TEST

static void end_by_the_log(uva_log_level_t level, const char *text, void *data)
{
    (void)level;
    (void)text;
    ck_assert_int_eq(uva_loop_set_watchdog(data, 0, 0), 0);
}

START_TEST(ended_while_it_reports)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));

    uva_set_log(end_by_the_log, loop);
    call_soon(loop, block_once, NULL);
    call_soon(loop, stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_ptr_null(loop->debug.watchdog);
    uva_test_log_begin();
    end_loop_of(loop);
}
END_TEST

static void end_while_found(void *data)
{
    block();
    ck_assert_int_eq(uva_loop_set_watchdog(data, 0, 0), 0);
    ck_assert_int_eq(uva_loop_set_watchdog(data, UVA_MS(1), 0), 0);
}

START_TEST(ended_in_the_step_that_blocks)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));

    call_soon(loop, end_while_found, loop);
    call_soon(loop, stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    call_soon(loop, block_once, NULL);
    call_soon(loop, stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_uint_eq(count_logged("executing"), 1);
    end_loop_of(loop);
}
END_TEST

/* --- threads and forks --- */

static sem_t founds[4];

/* Each thread's own semaphore: the handler finds it by the thread's loop. */
static void tell_found_here(void)
{
    const uva_task_t *task = uva__here->step.current;
    const uva__plain_frame_t *frame =
        (const void *)((const char *)task + sizeof(uva__stackful_t));

    (void)sem_post(frame->arg);
}

static int block_by(void *arg, void **ret_result)
{
    (void)ret_result;
    while (sem_wait(arg) != 0) {
    }
    return 0;
}

static void run_in_thread(void *arg)
{
    uva_loop_t *loop;
    uva_blocking_place_t place;

    if (uva_loop_new(NULL, &loop) < 0) {
        return;
    }
    for (int i = 0; i < 20; i++) {
        /* The last watchdog may be this one: the thread ends and begins. */
        if (uva_loop_set_watchdog(loop, UVA_MS(1), 0) < 0 ||
            run_task(loop, block_by, arg) < 0 ||
            uva_loop_blocking_places(loop, &place, 1) != 1 ||
            uva_loop_set_watchdog(loop, 0, 0) < 0) {
            return;
        }
    }
    uva_loop_unref(loop);
    (void)sem_post(arg);
}

START_TEST(loops_in_threads)
{
    uv_thread_t threads[UVA__COUNT(founds)];

    uva_set_log(NULL, NULL);
    atomic_store(&uva__watchdog_on_found, tell_found_here);
    for (size_t i = 0; i < UVA__COUNT(founds); i++) {
        ck_assert_int_eq(sem_init(&founds[i], 0, 0), 0);
        ck_assert_int_eq(
            uv_thread_create(&threads[i], run_in_thread, &founds[i]), 0);
    }
    for (size_t i = 0; i < UVA__COUNT(founds); i++) {
        ck_assert_int_eq(uv_thread_join(&threads[i]), 0);
        ck_assert_int_eq(sem_trywait(&founds[i]), 0);
        sem_destroy(&founds[i]);
    }
    uva_test_log_begin();
}
END_TEST

/* In the child of a fork: the parent's watchdog is silent, and one of its own
 * works, on the parent's loop and on another. */
static int watch_in_child(void *arg)
{
    uva_loop_t *loop = arg;
    uva_loop_t *other;

    uva_set_log(NULL, NULL);
    if (uva_loop_set_watchdog(loop, UVA_MS(1), 0) != UVA_EFORKED ||
        uva_loop_fork(loop) < 0 || uva_loop_new(NULL, &other) < 0 ||
        uva_loop_set_watchdog(other, UVA_MS(1), 0) < 0 ||
        uva_loop_set_watchdog(loop, UVA_MS(1), 0) < 0 ||
        uva_loop_call_soon(loop, block_once, NULL, NULL, NULL) < 0 ||
        uva_loop_call_soon(loop, stop, loop, NULL, NULL) < 0 ||
        uva_loop_run_forever(loop) < 0 ||
        uva_loop_blocking_places(loop, NULL, 0) != 1 ||
        uva_loop_close(other) < 0 || uva_loop_close(loop) < 0) {
        return 1;
    }
    return 0;
}

START_TEST(forked)
{
    uva_loop_t *loop = watched_loop(UVA_MS(1));
    child_t child;

    child_run(&child, watch_in_child, loop);
    ck_assert(child_exited(&child, 0));
    end_loop_of(loop);
}
END_TEST

/* --- the suite --- */

int main(void)
{
    Suite *suite = suite_create("watchdog");
    TCase *finds = UVA_LOOPS_TCASE(suite, "Finds");
    TCase *looks = UVA_LOOPS_TCASE(suite, "Looks");
    TCase *life = UVA_LOOPS_TCASE(suite, "Life");
    TCase *threads = UVA_LOOPS_TCASE(suite, "Threads");

    tcase_add_checked_fixture(finds, setup, teardown);
    tcase_add_checked_fixture(looks, setup, teardown);
    tcase_add_checked_fixture(life, setup, teardown);
    tcase_add_checked_fixture(threads, setup, teardown);
    KIND_ADD_TESTS(finds, names_the_task_and_the_place, makes_up_a_name,
                   tells_a_place_once);
    UVA_ADD_TESTS(finds, tells_callbacks_and_each_place, stays_on_the_stack,
                  watches_the_step_that_asks);
    UVA_ADD_TESTS(looks, a_step_is_found_at_the_threshold,
                  short_steps_are_never_told, a_host_is_not_watched);
    UVA_ADD_TESTS(life, refused, without_memory, ended_while_it_reports,
                  ended_in_the_step_that_blocks);
    UVA_ADD_TESTS(threads, loops_in_threads);
#if !defined(UVA__TSAN) /* It knows no threads in the child of a fork. */
    UVA_ADD_TESTS(threads, forked);
#else
    (void)forked;
#endif
    return uva_test_main(suite);
}
