/*
 * Deadlines on a real loop: never early, equal ones in order, near and far
 * ones, many of them. There is no assertion on how late they are beyond what
 * any machine keeps.
 */
#include "kinds.h"
#include "loops.h"

#include "core/futures.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/timers.h"
#include "core/waiters.h"

/* Late beyond this is broken and not busy. */
#define FAR_TOO_LATE_NS UVA_SEC(10)

static const uint64_t delays[] = {
    UVA_NS(1),    UVA_US(1),    UVA_US(100),  UVA_US(500),  UVA_US(999),
    UVA_MS(1),    UVA_US(1001), UVA_US(1500), UVA_US(1999), UVA_MS(2),
    UVA_US(2001), UVA_US(2500), UVA_MS(3),    UVA_US(3999), UVA_MS(5),
};

enum {
    DELAYS = sizeof delays / sizeof delays[0]
};

/* --- sleeping --- */

KIND_TASK(void, sleep_each, uint64_t begin_ns; int i;)
{
    uint64_t took_ns;

    UVA_BEGIN
    for (self->i = 0; self->i < DELAYS; self->i++) {
        self->begin_ns = uv_hrtime();
        AWAIT_IS(0, uva_sleep, delays[self->i]);
        took_ns = uv_hrtime() - self->begin_ns;
        ck_assert_uint_ge(took_ns, delays[self->i]);
        ck_assert_uint_lt(took_ns, FAR_TOO_LATE_NS);
    }
    UVA_END
    return 0;
}

static int run_both(uva_loop_t *loop, uva_task_t *take_task)
{
    int r = uva_loop_run_until_complete(loop, UVA_FUTURE(take_task), NULL);

    uva_task_unref(take_task);
    return r;
}

KIND_LOOP_TEST(sleeps_are_never_too_short)
{
    uva_loop_t *loop = new_real_loop();

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(run_both(loop, UVA_ERASE(KIND_SPAWN_WITH(ON_LOOP(loop),
                                                                  sleep_each))),
                         0);
    }
    end_loop(loop);
}

/* --- calls --- */

typedef struct timed_s {
    uint64_t due_ns;
    int *left;
} timed_t;

static void check_due(void *data)
{
    const timed_t *timed = data;
    uva_loop_t *loop = uva_get_running_loop();

    ck_assert_uint_ge(uva_loop_time(loop), timed->due_ns);
    ck_assert_uint_lt(uva_loop_time(loop), timed->due_ns + FAR_TOO_LATE_NS);
    if (--*timed->left == 0) {
        uva_loop_stop(loop);
    }
}

/* Many at once, in no order, by delay and by deadline. */
START_TEST(calls_are_never_early)
{
    enum {
        COUNT = 500
    };
    uva_loop_t *loop = new_real_loop();
    static timed_t timed[COUNT];
    uint32_t random = 1;
    int left = COUNT;

    for (int i = 0; i < COUNT; i++) {
        uint64_t delay_ns;
        random = random * 1664525u + 1013904223u;
        delay_ns = (random >> 8) % UVA_MS(8);
        timed[i] = (timed_t){uva_loop_time(loop) + delay_ns, &left};
        if (i % 2 == 0) {
            call_later(loop, delay_ns, check_due, &timed[i]);
        } else {
            ck_assert_int_eq(uva_loop_call_at(loop, timed[i].due_ns, check_due,
                                              &timed[i], NULL, NULL),
                             0);
        }
    }
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(left, 0);
    end_loop(loop);
}
END_TEST

typedef struct ordered_s {
    uint64_t when_ns;
    int number;
} ordered_t;

static ordered_t last;
static int seen;

static void check_order(void *data)
{
    const ordered_t *mine = data;

    ck_assert(last.when_ns < mine->when_ns ||
              (last.when_ns == mine->when_ns && last.number < mine->number));
    last = *mine;
    seen++;
}

/* By deadline, then by age, whatever the distance: near ones and far ones, all
 * of them long due when the loop looks. */
START_TEST(order_of_deadlines)
{
    enum {
        COUNT = 600
    };
    uva_loop_t *loop = _i == 0 ? new_loop() : new_real_loop();
    uint64_t base_ns = uva_loop_time(loop);
    static ordered_t calls[COUNT];
    uint32_t random = 7;

    last = (ordered_t){0, -1};
    seen = 0;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        calls[i] = (ordered_t){base_ns + (random >> 8) % 40 * UVA_US(200), i};
        ck_assert_int_eq(uva_loop_call_at(loop, calls[i].when_ns, check_order,
                                          &calls[i], NULL, NULL),
                         0);
    }
    call_later(loop, UVA_MS(10), stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(seen, COUNT);
    end_loop(loop);
}
END_TEST

/* Equal deadlines in the order they were made, hundreds of them. */
START_TEST(equal_deadlines)
{
    enum {
        COUNT = 600
    };
    uva_loop_t *loop = _i == 0 ? new_loop() : new_real_loop();
    uint64_t when_ns = uva_loop_time(loop) + UVA_MS(1 + 4 * _i);
    static ordered_t calls[COUNT];

    last = (ordered_t){0, -1};
    seen = 0;
    for (int i = 0; i < COUNT; i++) {
        calls[i] = (ordered_t){when_ns, i};
        ck_assert_int_eq(
            uva_loop_call_at(loop, when_ns, check_order, &calls[i], NULL, NULL),
            0);
    }
    ck_assert_int_eq(uva_loop_call_at(loop, when_ns, stop, loop, NULL, NULL),
                     0);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(seen, COUNT);
    end_loop(loop);
}
END_TEST

/* --- many at once --- */

static void note_seen(void *data)
{
    *(int *)data = seen;
}

static void soon_note_seen(void *data)
{
    seen++;
    call_soon(uva_get_running_loop(), note_seen, data);
}

/* What the first of COUNT calls queues runs after so many of them. */
static int seen_after_first(uint64_t apart_ns)
{
    enum {
        COUNT = 2000
    };
    uva_loop_t *loop = new_loop();
    uint64_t when_ns = uva_loop_time(loop) + 1;
    int after_first = 0;

    seen = 0;
    call_at(loop, when_ns, soon_note_seen, &after_first);
    for (int i = 1; i < COUNT; i++) {
        when_ns += apart_ns;
        call_at(loop, when_ns, count_up, &seen);
    }
    ck_assert_int_eq(uva_loop_advance(loop, UVA_SEC(1)), 0);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(seen, COUNT);
    end_loop(loop);
    return after_first;
}

/* A poll round takes some hundreds of what is due; it does not part those of
 * one deadline. */
START_TEST(due_in_portions)
{
    ck_assert_int_eq(seen_after_first(1), 512);
    ck_assert_int_eq(seen_after_first(0), 2000);
}
END_TEST

/* Let count timers fire at once. @return How long the kernel is not asked for
 * another wake-up. */
static uint64_t gap_after(uva_loop_t *loop, int count)
{
    uint64_t when_ns = uva_loop_time(loop) + UVA_MS(1);

    for (int i = 0; i < count; i++) {
        call_at(loop, when_ns, count_up, &seen);
    }
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_uint_eq(uva_loop_time(loop), when_ns);
    return loop->timers.next_wake_ns - when_ns;
}

START_TEST(dense_wake_ups_are_further_apart)
{
    uva_loop_t *loop = new_loop();

    ck_assert_uint_eq(gap_after(loop, 7), UVA_US(100));
    ck_assert_uint_eq(gap_after(loop, 8), UVA_US(400));
    ck_assert_uint_eq(gap_after(loop, 1), UVA_US(100));
    end_loop(loop);
}
END_TEST

static void count_poll(uv_prepare_t *prepare)
{
    ++*(int *)prepare->data;
}

/* Between two polls that wait lie 100 us, so there are no more than fit. Each
 * has one beside it that does not wait. */
START_TEST(dense_deadlines_share_wake_ups)
{
    enum {
        COUNT = 20000
    };
    uva_loop_t *loop = new_real_loop();
    uv_prepare_t prepare;
    uint64_t begin_ns = uv_hrtime() + UVA_MS(20);
    int polls = 0;

    uv_prepare_init(uva_loop_uv(loop), &prepare);
    prepare.data = &polls;
    seen = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        call_at(loop, begin_ns + i * UVA_US(2), count_up, &seen);
    }
    call_at(loop, begin_ns + COUNT * UVA_US(2), stop, loop);
    uv_prepare_start(&prepare, count_poll);
    begin_ns = uv_hrtime();
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(seen, COUNT);
    ck_assert_int_le(polls,
                     (int)((uv_hrtime() - begin_ns) / UVA_US(100)) * 2 + 50);
    uv_close((uv_handle_t *)&prepare, NULL);
    end_loop(loop);
}
END_TEST

/* --- moving and cancelling what the loop sleeps for --- */

static void cancel_handle(void *data)
{
    uva_handle_cancel(data);
}

/* The nearest deadline goes, a nearer one comes: the sleep is set anew. */
START_TEST(nearest_deadline_changes)
{
    uva_loop_t *loop = new_real_loop();
    uint64_t begin_ns = uv_hrtime();
    uva_handle_t *near;
    uva_handle_t *nearer;

    /* From one moment on: the order holds however late the loop gets there. */
    ck_assert_int_eq(uva_loop_call_at(loop, begin_ns + UVA_MS(3), count_up,
                                      &seen, NULL, &near),
                     0);
    ck_assert_int_eq(uva_loop_call_at(loop, begin_ns + UVA_US(1500), count_up,
                                      &seen, NULL, &nearer),
                     0);
    seen = 0;
    call_at(loop, begin_ns + UVA_US(200), cancel_handle, nearer);
    call_at(loop, begin_ns + UVA_US(300), cancel_handle, near);
    call_at(loop, begin_ns + UVA_MS(4), stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(seen, 0);
    ck_assert_uint_ge(uv_hrtime() - begin_ns, UVA_MS(4));
    uva_handle_unref(near);
    uva_handle_unref(nearer);

    begin_ns = uv_hrtime();
    call_later(loop, UVA_SEC(60), count_up, &seen);
    call_later(loop, UVA_SEC(3000000), count_up, &seen);
    call_later(loop, UVA_FOREVER - 1, count_up, &seen);
    call_later(loop, UVA_MS(1), stop, loop);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_uint_ge(uv_hrtime() - begin_ns, UVA_MS(1));
    ck_assert_uint_lt(uv_hrtime() - begin_ns, FAR_TOO_LATE_NS);
    ck_assert_int_eq(seen, 0);
    end_loop(loop);
}
END_TEST

typedef struct chain_s {
    int left;
    uint64_t due_ns;
} chain_t;

static void next_in_chain(void *data)
{
    chain_t *chain = data;
    uva_loop_t *loop = uva_get_running_loop();

    ck_assert_uint_ge(uva_loop_time(loop), chain->due_ns);
    if (--chain->left == 0) {
        uva_loop_stop(loop);
        return;
    }
    chain->due_ns = uva_loop_time(loop) + UVA_US(50);
    ck_assert_int_eq(
        uva_loop_call_at(NULL, chain->due_ns, next_in_chain, chain, NULL, NULL),
        0);
}

/* Each deadline is made when the one before came. */
START_TEST(chain_of_deadlines)
{
    uva_loop_t *loop = new_real_loop();
    chain_t chain = {200, 0};

    call_soon(loop, next_in_chain, &chain);
    ck_assert_int_eq(uva_loop_run_forever(loop), 0);
    ck_assert_int_eq(chain.left, 0);
    end_loop(loop);
}
END_TEST

/* --- the end of the clock --- */

KIND_TASK(void, sleep_for_ever, uint64_t delay_ns; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, self->delay_ns);
    UVA_END
    return self->r;
}

/* Sleeps, timeouts and waits beyond it last until they are cancelled. */
KIND_TEST(delays_beyond_the_clock, sleep_for_ever_task_t *tasks[2];
          uva_timeout_t timeout;
          uva_future_ref_t futures[1];
          int r;)
{
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    ck_assert_int_eq(uva_loop_advance(loop, UVA_SEC(1)), 0);
    self->tasks[0] = KIND_SPAWN(sleep_for_ever, UVA_FOREVER);
    self->tasks[1] = KIND_SPAWN(sleep_for_ever, UVA_FOREVER - UVA_MS(1));
    ck_assert_int_eq(uva_timeout_enter(&self->timeout, UVA_FOREVER - 1), 0);
    ck_assert(uva_timeout_when(&self->timeout) == UVA_FOREVER);
    self->futures[0] = UVA_FUTURE(self->tasks[0]);
    AWAIT(self->r, uva_wait, self->futures, 1, UVA_SEC(1), UVA_ALL_COMPLETED,
          NULL, NULL);
    ck_assert_int_eq(self->r, 0);
    ck_assert_int_eq(uva_timeout_exit(&self->timeout, self->r), 0);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_SEC(2));
    uva_task_cancel(UVA_ERASE(self->tasks[0]));
    uva_task_cancel(UVA_ERASE(self->tasks[1]));
    AWAIT_IS(UV_ECANCELED, uva_join, UVA_FUTURE(self->tasks[0]), NULL);
    AWAIT_IS(UV_ECANCELED, uva_join, UVA_FUTURE(self->tasks[1]), NULL);
    UVA_END
    return 0;
}

int main(void)
{
    Suite *suite = suite_create("timers");
    TCase *early = UVA_LOOPS_TCASE(suite, "Early");
    TCase *order = UVA_LOOPS_TCASE(suite, "Order");
    TCase *dense = UVA_LOOPS_TCASE(suite, "Dense");
    TCase *changes = UVA_LOOPS_TCASE(suite, "Changes");

    KIND_ADD_TESTS(early, sleeps_are_never_too_short);
    UVA_ADD_TESTS(early, calls_are_never_early, chain_of_deadlines);
    tcase_add_loop_test(order, order_of_deadlines, 0, 2);
    tcase_add_loop_test(order, equal_deadlines, 0, 2);
    UVA_ADD_TESTS(dense, due_in_portions, dense_wake_ups_are_further_apart,
                  dense_deadlines_share_wake_ups);
    UVA_ADD_TESTS(changes, nearest_deadline_changes);
    KIND_ADD_TESTS(changes, delays_beyond_the_clock);
    return uva_test_main(suite);
}
