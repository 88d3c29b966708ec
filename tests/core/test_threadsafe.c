/*
 * Several threads and a loop: calls of other threads, their order, count and
 * destructors; what a wrong thread is refused; loops that change threads.
 */
#include "loops.h"

#include <stdatomic.h>

#include "stack/switch.h"

enum {
    THREADS = 4,
    CALLS = 2000
};

typedef struct poster_s poster_t;

typedef struct shared_s {
    uva_loop_t *loop;
    poster_t *posters;
    int total;
    atomic_int destroyed;
} shared_t;

typedef struct post_s {
    poster_t *poster;
    int number;
} post_t;

struct poster_s {
    shared_t *shared;
    uv_thread_t thread;
    int next; /* The number that is to come. */
    int refused;
    post_t posts[CALLS];
};

static void destroy_post(void *data)
{
    const post_t *sent = data;

    atomic_fetch_add(&sent->poster->shared->destroyed, 1);
}

static const uva_call_options_t destroying = {sizeof(uva_call_options_t), NULL,
                                              destroy_post};

static void receive(void *data)
{
    const post_t *sent = data;
    poster_t *poster = sent->poster;

    ck_assert_int_eq(sent->number, poster->next);
    poster->next++;
    if (++poster->shared->total == THREADS * CALLS) {
        uva_loop_stop(uva_get_running_loop());
    }
}

static void post_all(void *data)
{
    poster_t *poster = data;

    for (int i = 0; i < CALLS; i++) {
        poster->posts[i] = (post_t){poster, i};
        int r =
            uva_loop_call_soon_threadsafe(poster->shared->loop, receive,
                                          &poster->posts[i], &destroying, NULL);
        ck_assert(r == 0 || r == UV_EPERM);
        poster->refused += r < 0;
    }
}

static void post_and_release(void *data)
{
    poster_t *poster = data;

    post_all(data);
    uva_loop_release(poster->shared->loop);
}

static void start(shared_t *shared, uv_thread_cb body)
{
    shared->posters = calloc(THREADS, sizeof *shared->posters);
    ck_assert_ptr_nonnull(shared->posters);
    for (int i = 0; i < THREADS; i++) {
        shared->posters[i].shared = shared;
        ck_assert_int_eq(uv_thread_create(&shared->posters[i].thread, body,
                                          &shared->posters[i]),
                         0);
    }
}

static void join(shared_t *shared)
{
    for (int i = 0; i < THREADS; i++) {
        uv_thread_join(&shared->posters[i].thread);
    }
}

/* Every call comes once, those of a thread in their order. */
START_TEST(calls_of_several_threads)
{
    shared_t shared = {.loop = _i == 0 ? new_loop() : new_real_loop()};

    if (_i == 0) {
        for (int i = 0; i < THREADS; i++) {
            uva_loop_hold(shared.loop);
        }
    }
    start(&shared, _i == 0 ? post_and_release : post_all);
    ck_assert_int_eq(uva_loop_run_forever(shared.loop), 0);
    join(&shared);
    ck_assert_int_eq(shared.total, THREADS * CALLS);
    ck_assert_int_eq(atomic_load(&shared.destroyed), THREADS * CALLS);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(shared.posters[i].next, CALLS);
        ck_assert_int_eq(shared.posters[i].refused, 0);
    }
    free(shared.posters);
    end_loop(shared.loop);
}
END_TEST

/* A loop that closes meanwhile: each call is run, dropped or refused, and its
 * destructor runs once. */
START_TEST(calls_while_the_loop_closes)
{
    for (int round = 0; round < 20; round++) {
        shared_t shared = {.loop = _i == 0 ? new_loop() : new_real_loop()};
        int refused = 0;
        int ran = 0;
        uva_loop_ref(shared.loop); /* The posters' own. */
        start(&shared, post_all);
        for (int i = 0; i < round; i++) {
            uva_loop_stop(shared.loop);
            UVA_IGNORE(uva_loop_run_forever(shared.loop));
        }
        end_loop(shared.loop);
        join(&shared);
        for (int i = 0; i < THREADS; i++) {
            refused += shared.posters[i].refused;
            ran += shared.posters[i].next;
        }
        ck_assert_int_eq(ran, shared.total);
        ck_assert_int_le(ran + refused, THREADS * CALLS);
        ck_assert_int_eq(atomic_load(&shared.destroyed), THREADS * CALLS);
        free(shared.posters);
        uva_loop_unref(shared.loop);
    }
}
END_TEST

/* --- what data keeps of the loop --- */

typedef struct kept_s {
    uva_loop_t *loop;
    uva_future_t *future;
    uv_thread_t freed_in;
    int refused;
} kept_t;

static void keep(kept_t *kept, uva_loop_t *loop)
{
    kept->loop = uva_loop_ref(loop);
    kept->future = uva_loop_create_future(loop);
}

static void complete_kept(void *data)
{
    kept_t *kept = data;

    ck_assert_int_eq(uva_future_set_result(kept->future, NULL, NULL), 0);
}

static void free_kept(void *data)
{
    kept_t *kept = data;

    kept->freed_in = uv_thread_self();
    uva_future_unref(kept->future);
    uva_loop_unref(kept->loop);
}

static void complete_it(void *data)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    kept_t *kept = data;

    options.destroy = free_kept;
    kept->refused = uva_loop_call_soon_threadsafe(kept->loop, complete_kept,
                                                  kept, &options, NULL);
}

static void complete_many(void *data)
{
    kept_t *kept = data;

    for (int i = 0; i < CALLS / THREADS; i++) {
        uva_loop_t *loop = uva_loop_ref(kept[i].loop);
        complete_it(&kept[i]);
        uva_loop_unref(loop);
    }
}

/* Each future is let go of, in whichever thread, however late its call comes;
 * the loop is freed by the last of them. */
START_TEST(completed_while_the_loop_closes)
{
    for (int round = 0; round < 20; round++) {
        uva_loop_t *loop = _i == 0 ? new_loop() : new_real_loop();
        kept_t *kept = calloc(CALLS, sizeof *kept);
        uv_thread_t threads[THREADS];
        uva_future_t *own[CALLS];

        ck_assert_ptr_nonnull(kept);
        for (int i = 0; i < CALLS; i++) {
            keep(&kept[i], loop);
            own[i] = uva_future_ref(kept[i].future);
        }
        for (int i = 0; i < THREADS; i++) {
            ck_assert_int_eq(uv_thread_create(&threads[i], complete_many,
                                              &kept[i * (CALLS / THREADS)]),
                             0);
        }
        for (int i = 0; i < round; i++) {
            uva_loop_stop(loop);
            UVA_IGNORE(uva_loop_run_forever(loop));
        }
        end_loop(loop);
        for (int i = 0; i < CALLS; i++) {
            uva_future_unref(own[i]);
        }
        for (int i = 0; i < THREADS; i++) {
            uv_thread_join(&threads[i]);
        }
        free(kept);
    }
}
END_TEST

static void complete_in_a_thread(void *data)
{
    uv_thread_t thread;

    ck_assert_int_eq(uv_thread_create(&thread, complete_it, data), 0);
    uv_thread_join(&thread);
}

/* Refused while the loop closes, a call is freed by its owner; once the loop is
 * closed, by the thread that calls. */
START_TEST(refused_call_is_freed_where_it_may)
{
    uva_loop_t *loop = _i == 0 ? new_loop() : new_real_loop();
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uv_thread_t self = uv_thread_self();
    kept_t during = {0};
    kept_t after = {0};

    keep(&during, loop);
    keep(&after, loop);
    options.destroy = complete_in_a_thread;
    ck_assert_int_eq(
        uva_loop_call_soon(loop, count_up, &during, &options, NULL), 0);
    end_loop(loop);
    ck_assert_int_eq(during.refused, UV_EPERM);
    ck_assert(uv_thread_equal(&during.freed_in, &self));
    complete_in_a_thread(&after);
    ck_assert_int_eq(after.refused, UV_EPERM);
    ck_assert(!uv_thread_equal(&after.freed_in, &self));
}
END_TEST

static void cancel_it(void *data)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    kept_t *kept = data;
    uva_handle_t *handle;

    options.destroy = free_kept;
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(kept->loop, complete_kept,
                                                   kept, &options, &handle),
                     0);
    uva_handle_cancel(handle);
    uva_handle_unref(handle);
}

/* Cancelled by another thread, a call is freed by the loop's, which runs or
 * closes. */
START_TEST(cancelled_call_is_freed_by_the_owner)
{
    uva_loop_t *loop = new_loop();
    uv_thread_t self = uv_thread_self();
    uv_thread_t thread;
    kept_t kept = {0};

    keep(&kept, loop);
    ck_assert_int_eq(uv_thread_create(&thread, cancel_it, &kept), 0);
    uv_thread_join(&thread);
    if (_i == 0) {
        uva_loop_stop(loop);
        ck_assert_int_eq(uva_loop_run_forever(loop), 0);
        ck_assert(uv_thread_equal(&kept.freed_in, &self));
    }
    end_loop(loop);
    ck_assert(uv_thread_equal(&kept.freed_in, &self));
}
END_TEST

static void drop_loop(void *data)
{
    uva_loop_unref(data);
}

/* The last reference of an open loop stays: another thread cannot close it. */
START_TEST(last_reference_in_a_wrong_thread)
{
    uva_loop_t *loop = new_loop();
    uv_thread_t thread;

    uva_test_log_begin();
    ck_assert_int_eq(uv_thread_create(&thread, drop_loop, loop), 0);
    uv_thread_join(&thread);
    ck_assert(logged("uva_loop_unref in thread"));
    end_loop(loop);
}
END_TEST

/* --- handles of other threads --- */

typedef struct cancelled_s {
    uva_loop_t *loop;
    atomic_int ran;
    atomic_int destroyed;
    int cancelled;
} cancelled_t;

static void ran_it(void *data)
{
    atomic_fetch_add(&((cancelled_t *)data)->ran, 1);
}

static void destroyed_it(void *data)
{
    atomic_fetch_add(&((cancelled_t *)data)->destroyed, 1);
}

static void post_and_cancel(void *data)
{
    cancelled_t *state = data;
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;

    options.destroy = destroyed_it;
    for (int i = 0; i < CALLS; i++) {
        uva_handle_t *handle;
        ck_assert_int_eq(uva_loop_call_soon_threadsafe(
                             state->loop, ran_it, state, &options, &handle),
                         0);
        uva_handle_cancel(handle);
        state->cancelled += uva_handle_cancelled(handle);
        uva_handle_unref(handle);
    }
    ck_assert_int_eq(uva_loop_call_soon_threadsafe(state->loop, stop,
                                                   state->loop, NULL, NULL),
                     0);
    uva_loop_release(state->loop);
}

START_TEST(cancel_from_another_thread)
{
    cancelled_t state = {.loop = new_loop()};
    uv_thread_t thread;

    uva_loop_hold(state.loop);
    ck_assert_int_eq(uv_thread_create(&thread, post_and_cancel, &state), 0);
    ck_assert_int_eq(uva_loop_run_forever(state.loop), 0);
    uv_thread_join(&thread);
    ck_assert_int_eq(atomic_load(&state.ran) + state.cancelled, CALLS);
    ck_assert_int_eq(atomic_load(&state.destroyed), CALLS);
    end_loop(state.loop);
}
END_TEST

/* --- waking --- */

static void post_stop(void *data)
{
    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(data, stop, data, NULL, NULL), 0);
}

/* A loop that sleeps wakes at once, and not at its next deadline. */
START_TEST(call_wakes_a_sleeping_loop)
{
    uva_loop_t *loop = new_real_loop();
    uint64_t begin_ns = uv_hrtime();
    uv_thread_t thread;

    call_later(loop, UVA_SEC(30), stop, loop);
    ck_assert_int_eq(uv_thread_create(&thread, post_stop, loop), 0);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    uv_thread_join(&thread);
    ck_assert_uint_lt(uv_hrtime() - begin_ns, UVA_SEC(20));
    end_loop(loop);
}
END_TEST

/* --- virtual time and threads --- */

static void post_set(void *data)
{
    uva_future_t *future = data;
    uva_loop_t *loop = uva_future_get_loop(future);

    ck_assert_int_eq(
        uva_loop_call_soon_threadsafe(loop, stop, loop, NULL, NULL), 0);
    uva_loop_release(loop);
}

/* Held, virtual time waits for the thread; else it would jump. */
START_TEST(held_clock_stands_still)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    int fired = 0;
    uv_thread_t thread;

    call_later(loop, UVA_SEC(1), count_up, &fired);
    uva_loop_hold(loop);
    ck_assert_int_eq(uv_thread_create(&thread, post_set, future), 0);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    uv_thread_join(&thread);
    ck_assert_int_eq(fired, 0);
    ck_assert_uint_eq(uva_loop_time(loop), 0);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(fired, 1);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(1));
    uva_future_unref(future);
    end_loop(loop);
}
END_TEST

/* --- a wrong thread --- */

typedef struct wrong_s {
    uva_loop_t *loop;
    uva_task_t *task;
    uva_future_t *future;
    uva_handle_t *handle;
} wrong_t;

static void do_everything_wrong(void *data)
{
    wrong_t *wrong = data;

    ck_assert(!uva_task_cancel(wrong->task));
    ck_assert(!uva_future_cancel(wrong->future));
    ck_assert_int_eq(uva_future_set_result(wrong->future, NULL, NULL),
                     UV_EPERM);
    uva_handle_cancel(wrong->handle);
    ck_assert(!uva_handle_cancelled(wrong->handle));
    uva_loop_stop(wrong->loop);
    ck_assert_int_eq(uva_loop_close(wrong->loop), UV_EPERM);
    ck_assert_int_eq(uva_loop_shutdown(wrong->loop, NULL), UV_EPERM);
    ck_assert_int_eq(uva_loop_advance(wrong->loop, 1), UV_EPERM);
    ck_assert_uint_eq(uva_loop_trim_stacks(wrong->loop), 0);
}

START_TEST(wrong_thread_changes_nothing)
{
    uva_loop_t *loop = new_loop();
    uint64_t delay_ns = UVA_SEC(1);
    int called = 0;
    wrong_t wrong = {
        loop,
        uva_loop_create_task(loop, sleep_for, &delay_ns, NULL),
        uva_loop_create_future(loop),
        NULL,
    };
    uv_thread_t thread;

    ck_assert_int_eq(
        uva_loop_call_soon(loop, count_up, &called, NULL, &wrong.handle), 0);
    uva_test_log_begin();
    ck_assert_int_eq(uv_thread_create(&thread, do_everything_wrong, &wrong), 0);
    uv_thread_join(&thread);
    ck_assert(logged("non-thread-safe operation invoked on an event loop from "
                     "a thread that does not own it"));
    ck_assert_uint_eq(uva_task_cancelling(wrong.task), 0);
    ck_assert_int_eq(
        uva_loop_run_until_complete(loop, UVA_FUTURE(wrong.task), NULL), 0);
    ck_assert_int_eq(called, 1);
    ck_assert(!uva_future_done(wrong.future));
    uva_task_unref(wrong.task);
    uva_future_unref(wrong.future);
    uva_handle_unref(wrong.handle);
    end_loop(loop);
}
END_TEST

/* --- loops that change threads --- */

typedef struct moved_s {
    uva_loop_t *loop;
    uva_task_t *task;
    int ran;
    int again;
    int closed;
} moved_t;

static void run_and_close(void *data)
{
    moved_t *moved = data;
    uint64_t delay_ns = UVA_MS(1);

    moved->ran =
        uva_loop_run_until_complete(moved->loop, UVA_FUTURE(moved->task), NULL);
    moved->again = run_task(moved->loop, sleep_for, &delay_ns);
    moved->task = uva_task_unref(moved->task);
    moved->closed = uva_loop_close(moved->loop);
}

/* Who runs a loop owns it from then on. */
START_TEST(loop_that_changes_threads)
{
    uva_loop_t *loop = _i == 0 ? new_loop() : new_real_loop();
    uint64_t delay_ns = UVA_MS(1);
    moved_t moved = {loop, NULL, 1, 1, 1};
    uv_thread_t thread;

    ck_assert_int_eq(run_task(loop, sleep_for, &delay_ns), 0);
    moved.task = uva_loop_create_task(loop, sleep_for, &delay_ns, NULL);
    ck_assert_int_eq(uv_thread_create(&thread, run_and_close, &moved), 0);
    uv_thread_join(&thread);
    ck_assert_int_eq(moved.ran, 0);
    ck_assert_int_eq(moved.again, 0);
    ck_assert_int_eq(moved.closed, 0);
    ck_assert(uva_loop_is_closed(loop));
    uva_loop_unref(loop);
}
END_TEST

static int make_loop(uva_loop_t **ret_loop)
{
#if defined(UVA__TSAN)
    /* libuv closes descriptors by a raw system call: to TSan a number that
     * another thread gets again is a race. */
    return uva_loop_new_virtual(NULL, ret_loop);
#else
    return uva_loop_new(NULL, ret_loop);
#endif
}

static void run_one_of_many(void *data)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    uint64_t delay_ns = UVA_US(300);

    options.loop_factory = make_loop;
    for (int i = 0; i < 20; i++) {
        *(int *)data += uva_run(sleep_for, &delay_ns, &options, NULL) == 0;
    }
}

/* Loops of several threads have nothing in common. */
START_TEST(loops_of_several_threads)
{
    uv_thread_t threads[THREADS];
    int ran[THREADS] = {0};

    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(
            uv_thread_create(&threads[i], run_one_of_many, &ran[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        uv_thread_join(&threads[i]);
        ck_assert_int_eq(ran[i], 20);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threadsafe");
    TCase *calls = UVA_LOOPS_TCASE(suite, "Calls");
    TCase *wrong = UVA_LOOPS_TCASE(suite, "Wrong");
    TCase *loops = UVA_LOOPS_TCASE(suite, "Loops");

    tcase_add_loop_test(calls, calls_of_several_threads, 0, 2);
    tcase_add_loop_test(calls, calls_while_the_loop_closes, 0, 2);
    tcase_add_loop_test(calls, completed_while_the_loop_closes, 0, 2);
    tcase_add_loop_test(calls, refused_call_is_freed_where_it_may, 0, 2);
    tcase_add_loop_test(calls, cancelled_call_is_freed_by_the_owner, 0, 2);
    UVA_ADD_TESTS(calls, cancel_from_another_thread);
    UVA_ADD_TESTS(wrong, last_reference_in_a_wrong_thread);
    UVA_ADD_TESTS(calls, call_wakes_a_sleeping_loop, held_clock_stands_still);
    UVA_ADD_TESTS(wrong, wrong_thread_changes_nothing);
    tcase_add_loop_test(loops, loop_that_changes_threads, 0, 2);
    UVA_ADD_TESTS(loops, loops_of_several_threads);
    return uva_test_main(suite);
}
