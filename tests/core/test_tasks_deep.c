/*
 * Tasks that await each other: long chains, and rings.
 */
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

#define CHAIN_LIGHT 100000
#define CHAIN_HEAVY 20000 /* Each has a stack. */

static int chain_length(void)
{
    const char *text = getenv("UVA_TEST_STACKS");
    int heavy = text == NULL ? CHAIN_HEAVY : (int)strtol(text, NULL, 10);

    if (!kind_stackful) {
        return CHAIN_LIGHT;
    }
    return heavy < CHAIN_HEAVY ? heavy : CHAIN_HEAVY;
}

/* --- chains --- */

KIND_TASK(int, link_of_chain, uva_future_t *below; int *swallows; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_await, self->below, NULL);
    if (self->swallows != NULL && self->r == UV_ECANCELED) {
        *self->swallows += 1;
        return 0;
    }
    UVA_END
    return self->r;
}

/* Each of tasks[1] to tasks[count - 1] awaits the one before it, the first a
 * future; all of them do when it returns. */
static uva_task_t **chain_new(uva_future_t *future, int count, int *swallows)
{
    uva_task_t **tasks = calloc((size_t)count, sizeof *tasks);

    ck_assert_ptr_nonnull(tasks);
    for (int i = 0; i < count; i++) {
        tasks[i] = KIND_ERASED(
            link_of_chain, .below = i == 0 ? future : UVA_FUTURE(tasks[i - 1]),
            .swallows = i == 0 ? swallows : NULL);
        ck_assert_int_eq((uva_future_task(UVA_FUTURE(tasks[i])) != NULL), 1);
    }
    hand_run_ready();
    ck_assert_ptr_eq(hand_awaited(tasks[0]), future);
    ck_assert_ptr_eq(hand_awaited(tasks[count - 1]),
                     UVA_FUTURE(tasks[count - 2]));
    return tasks;
}

/* How a chain of tasks has ended; frees it. */
static void chain_end(uva_task_t **tasks, int count, int code)
{
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(uva_future_exception(UVA_FUTURE(tasks[i])), code);
        uva_task_unref(tasks[i]);
    }
    free(tasks);
}

KIND_LOOP_TEST(chain_cancelled)
{
    int count = chain_length();
    uva_future_t *future = hand_future();
    uva_task_t **tasks = chain_new(future, count, NULL);

    ck_assert(uva_future_cancel_message(UVA_FUTURE(tasks[count - 1]),
                                        "from the top"));
    ck_assert(uva_future_cancelled(future));
    ck_assert_uint_eq(uva_task_cancelling(tasks[0]), 1);
    ck_assert_uint_eq(uva_task_cancelling(tasks[count / 2]), 1);
    hand_run_ready();
    ck_assert_str_eq(
        uva_future_get_cancel_message(UVA_FUTURE(tasks[count - 1])),
        "from the top");
    chain_end(tasks, count, UV_ECANCELED);
    uva_future_unref(future);
}

KIND_LOOP_TEST(chain_cancelled_in_the_middle)
{
    int count = chain_length();
    uva_future_t *future = hand_future();
    uva_task_t **tasks = chain_new(future, count, NULL);

    ck_assert(uva_task_cancel(tasks[count / 2]));
    ck_assert_uint_eq(uva_task_cancelling(tasks[count / 2 + 1]), 0);
    hand_run_ready();
    chain_end(tasks, count, UV_ECANCELED);
    uva_future_unref(future);
}

KIND_LOOP_TEST(chain_cancelled_in_vain)
{
    /* The first task goes on, so all do; the requests stay counted. */
    int count = chain_length();
    int swallowed = 0;
    uva_future_t *future = hand_future();
    uva_task_t **tasks = chain_new(future, count, &swallowed);

    ck_assert(uva_task_cancel(tasks[count - 1]));
    hand_run_ready();
    ck_assert_int_eq(swallowed, 1);
    ck_assert_uint_eq(uva_task_cancelling(tasks[count - 1]), 1);
    chain_end(tasks, count, 0);
    uva_future_unref(future);
}

KIND_LOOP_TEST(chain_fails)
{
    int count = chain_length();
    uva_future_t *future = hand_future();
    uva_task_t **tasks = chain_new(future, count, NULL);
    const uva_error_t *error;

    ck_assert_int_eq(uva_future_set_exception(future, UV_EIO, "at the bottom"),
                     0);
    hand_run_ready();
    error = uva_future_error(UVA_FUTURE(tasks[count - 1]));
    ck_assert_int_eq(uva_error_code(error), UV_EIO);
    ck_assert_str_eq(uva_error_text(error), "at the bottom");
    chain_end(tasks, count, UV_EIO);
    uva_future_unref(future);
}

/* --- groups --- */

static int group_below(void *arg, void **ret_result)
{
    int *depth = arg;
    uva_taskgroup_t group;

    (void)ret_result;
    if (--*depth == 0) {
        return uva_fail(UV_EIO, "at the bottom");
    }
    (void)uva_taskgroup_enter(&group);
    (void)uva_taskgroup_create_task(&group, group_below, depth, NULL);
    return uva_taskgroup_exit(&group, 0);
}

/* The record of a failure has as many groups in groups as there are tasks, and
 * is freed on the small stack of one. */
UVA_TEST(groups_fail)
{
    int depth;
    const uva_error_t *error;

    depth = chain_length();
    ck_assert_int_eq(group_below(&depth, NULL), UVA_EGROUP);
    error = uva_task_error();
    while (uva_error_member_count(error) > 0) {
        error = uva_error_member(error, 0);
    }
    ck_assert_str_eq(uva_error_text(error), "at the bottom");
    UVA_IGNORE(uva_fail(UVA_EGROUP, "another"));
    UVA_TICK();
    UVA_IGNORE(uva_fail(UVA_EGROUP, "without the first"));
}

/* --- chains that are looked at --- */

KIND_LOOP_TEST(chain_shown)
{
    int count = chain_length();
    uva_future_t *future = hand_future();
    uva_task_t **tasks = chain_new(future, count, NULL);
    uva_buffer_t text;

    ck_assert_int_eq(uva_format_call_graph(future, &text), 0);
    ck_assert_ptr_nonnull(strstr((const char *)text.data, " ...\n"));
    uva_buffer_clear(&text);
    ck_assert_int_eq(uva_loop_format_tasks(uva_test_loop, &text), 0);
    uva_buffer_clear(&text);
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    hand_run_ready();
    chain_end(tasks, count, 0);
    uva_future_unref(future);
}

START_TEST(chain_shut_down)
{
    uva_loop_t *loop = new_loop();
    uva_future_t *future = uva_loop_create_future(loop);
    uva_future_t *below = uva_future_ref(future);

    /* Each is cancelled, and asks all below it. */
    for (int i = 0; i < 2000; i++) {
        link_of_chain_args_t args = {.below = below};
        uva_task_t *task = UVA_ERASE(link_of_chain_spawn(args, ON_LOOP(loop)));
        uva_future_unref(below);
        below = UVA_FUTURE(task);
    }
    uva_future_unref(below);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    ck_assert(uva_future_cancelled(future));
    uva_future_unref(future);
    uva_loop_unref(loop);
}
END_TEST

/* --- chains through gather --- */

KIND_TASK(int, link_by_gather, uva_future_t *below[2]; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_gather, self->below, 2, 0, NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(gathers_cancelled)
{
    int count = chain_length();
    uva_future_t *future = hand_future();
    uva_task_t *task = NULL;

    for (int i = 0; i < count; i++) {
        /* The one before, and a future that is done. */
        uva_future_t *below =
            i == 0 ? uva_future_ref(future) : UVA_FUTURE(task);
        uva_future_t *done = hand_future();
        ck_assert_int_eq(uva_future_set_result(done, NULL, NULL), 0);
        task = KIND_ERASED(link_by_gather, .below = {below, done});
    }
    hand_run_ready();
    ck_assert(uva_future_cancel_message(UVA_FUTURE(task), "all of you"));
    ck_assert(uva_future_cancelled(future));
    ck_assert_int_eq(hand_run(task), UV_ECANCELED);
    ck_assert_str_eq(uva_future_get_cancel_message(UVA_FUTURE(task)),
                     "all of you");
    uva_task_unref(task);
    uva_future_unref(future);
}

KIND_TASK(int, cancels, uva_task_t *task;)
{
    *ret = uva_task_cancel(self->task);
    return 0;
}

KIND_LOOP_TEST(gathers_cancelled_by_task)
{
    /* From a stack that is short. */
    int count = chain_length();
    uva_future_t *future = hand_future();
    uva_task_t *task = NULL;
    uva_task_t *canceller;

    for (int i = 0; i < count; i++) {
        uva_future_t *below =
            i == 0 ? uva_future_ref(future) : UVA_FUTURE(task);
        uva_future_t *done = hand_future();
        ck_assert_int_eq(uva_future_set_result(done, NULL, NULL), 0);
        task = KIND_ERASED(link_by_gather, .below = {done, below});
    }
    hand_run_ready();
    canceller = KIND_ERASED(cancels, .task = task);
    ck_assert_int_eq(hand_run_take(canceller), 0);
    ck_assert(uva_future_cancelled(future));
    ck_assert_int_eq(hand_run_take(task), UV_ECANCELED);
    uva_future_unref(future);
}

START_TEST(gathers_of_gathers)
{
    /* Futures alone, dropped from the outside in. */
    uva_future_t *future = hand_future();
    uva_future_t *outer = uva_future_ref(future);

    for (int i = 0; i < CHAIN_LIGHT; i++) {
        outer = uva_gather_future(&outer, 1, 0);
        ck_assert(!uva_future_done(outer));
    }
    ck_assert(uva_future_cancel(outer));
    ck_assert(uva_future_cancelled(future));
    hand_run_ready();
    ck_assert_int_eq(uva_future_exception(outer), UV_ECANCELED);
    uva_future_unref(outer);
    uva_future_unref(future);
}
END_TEST

START_TEST(gathers_of_gathers_done)
{
    int value = 0;
    uva_future_t *future = hand_future();
    uva_future_t *outer = uva_future_ref(future);

    for (int i = 0; i < CHAIN_LIGHT; i++) {
        outer = uva_gather_future(&outer, 1, 0);
    }
    ck_assert_int_eq(uva_future_set_result(future, &value, NULL), 0);
    uva_future_unref(future);
    hand_run_ready();
    ck_assert_int_eq(uva_future_exception(outer), 0);
    uva_future_unref(outer);
}
END_TEST

START_TEST(shields_of_shields)
{
    uva_future_t *future = hand_future();
    uva_future_t *outer = uva_future_ref(future);

    for (int i = 0; i < CHAIN_LIGHT; i++) {
        uva_future_t *inner = outer;
        outer = uva_shield_future(inner);
        uva_future_unref(inner);
    }
    ck_assert(!uva_future_done(outer));
    if (_i == 0) { /* Else the loop's end lets go of them. */
        ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
        hand_run_ready();
        ck_assert_int_eq(uva_future_exception(outer), 0);
    }
    uva_future_unref(outer);
    uva_future_unref(future);
}
END_TEST

KIND_LOOP_TEST(gather_of_one_twice)
{
    /* Each place asks: that is how it is counted. */
    uva_future_t *future = hand_future();
    uva_task_t *one = KIND_ERASED(link_of_chain, .below = future);
    uva_task_t *task =
        KIND_ERASED(link_by_gather, .below = {UVA_FUTURE(uva_task_ref(one)),
                                              UVA_FUTURE(uva_task_ref(one))});

    hand_run_ready();
    ck_assert(uva_task_cancel(task));
    ck_assert_uint_eq(uva_task_cancelling(one), 2);
    ck_assert_uint_eq(uva_task_cancelling(task), 1);
    ck_assert_int_eq(hand_run_take(task), UV_ECANCELED);
    ck_assert_int_eq(hand_run_take(one), UV_ECANCELED);
    uva_future_unref(future);
}

/* --- rings: nothing but a cancellation ever ends them --- */

#define RING_MAX 5

KIND_TASK(int, link_of_ring, uva_task_t **next; bool gathers;
          uva_future_t * below[1];
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    if (self->gathers) {
        self->below[0] = uva_future_ref(UVA_FUTURE(*self->next));
        AWAIT(self->r, uva_gather, self->below, 1, 0, NULL);
    } else {
        AWAIT(self->r, uva_await, UVA_FUTURE(*self->next), NULL);
    }
    UVA_END
    return self->r;
}

/* Which links of a ring gather: none, all, or one of them. */
static void check_ring(int count, unsigned gathers)
{
    uva_task_t *tasks[RING_MAX];

    for (int i = 0; i < count; i++) {
        tasks[i] = KIND_ERASED(link_of_ring, .next = &tasks[(i + 1) % count],
                               .gathers = (gathers & 1u << i) != 0);
    }
    hand_run_ready();
    uva_test_log_begin();
    ck_assert_int_eq(hand_run(tasks[0]), UVA_EDEADLOCK);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "link_of_ring"));
    uva_test_log_end();
    ck_assert(uva_task_cancel(tasks[0]));
    hand_run_ready();
    for (int i = 0; i < count; i++) {
        ck_assert_msg(uva_future_cancelled(UVA_FUTURE(tasks[i])),
                      "task %d of %d, gathers %x", i, count, gathers);
        uva_task_unref(tasks[i]);
    }
}

KIND_LOOP_TEST(ring_cancelled)
{
    for (int count = 2; count <= RING_MAX; count++) {
        check_ring(count, 0);
    }
}

KIND_LOOP_TEST(ring_of_gathers_cancelled)
{
    for (int count = 1; count <= RING_MAX; count++) {
        for (unsigned gathers = 1; gathers < 1u << count; gathers++) {
            check_ring(count, gathers);
        }
    }
}

KIND_TASK(int, gathers_pair, uva_task_t **pair; uva_future_t * below[2]; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    self->below[0] = uva_future_ref(UVA_FUTURE(self->pair[0]));
    self->below[1] = uva_future_ref(UVA_FUTURE(self->pair[1]));
    AWAIT(self->r, uva_gather, self->below, 2, 0, NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(rings_that_meet)
{
    /* The first gathers itself and the second, which awaits it: two ways back
     * to it, and it is asked once. */
    uva_task_t *tasks[2];

    tasks[0] = KIND_ERASED(gathers_pair, .pair = tasks);
    tasks[1] = KIND_ERASED(link_of_ring, .next = &tasks[0]);
    hand_run_ready();
    ck_assert(uva_task_cancel(tasks[0]));
    ck_assert_uint_eq(uva_task_cancelling(tasks[0]), 1);
    ck_assert_uint_eq(uva_task_cancelling(tasks[1]), 1);
    hand_run_ready();
    for (int i = 0; i < 2; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        uva_task_unref(tasks[i]);
    }
}

KIND_LOOP_TEST(ring_uncancelled)
{
    /* The request is taken back, but the ring is broken: what was decided is
     * delivered. */
    uva_task_t *tasks[2];

    for (int i = 0; i < 2; i++) {
        tasks[i] = KIND_ERASED(link_of_ring, .next = &tasks[1 - i]);
    }
    hand_run_ready();
    ck_assert(uva_task_cancel(tasks[0]));
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(uva_task_uncancel(tasks[i]), 0);
    }
    hand_run_ready();
    for (int i = 0; i < 2; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        uva_task_unref(tasks[i]);
    }
}

KIND_LOOP_TEST(ring_shown)
{
    uva_task_t *tasks[2];
    uva_buffer_t text;

    for (int i = 0; i < 2; i++) {
        tasks[i] = KIND_ERASED(link_of_ring, .next = &tasks[1 - i]);
        ck_assert_int_eq(uva_task_set_name(tasks[i], i == 0 ? "a" : "b"), 0);
    }
    hand_run_ready();
    ck_assert_int_eq(uva_format_call_graph(UVA_FUTURE(tasks[0]), &text), 0);
    ck_assert_ptr_nonnull(
        strstr((const char *)text.data, "  + awaited by task 'b'"));
    ck_assert_ptr_nonnull(
        strstr((const char *)text.data, "    + awaited by task 'a'"));
    ck_assert_ptr_nonnull(strstr((const char *)text.data, " (a cycle)\n"));
    uva_buffer_clear(&text);
    ck_assert(uva_task_cancel(tasks[1]));
    hand_run_ready();
    for (int i = 0; i < 2; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        uva_task_unref(tasks[i]);
    }
}

START_TEST(ring_shut_down)
{
    uva_loop_t *loop = new_loop();
    uva_task_t *tasks[3];

    for (int i = 0; i < 3; i++) {
        link_of_ring_args_t args = {.next = &tasks[(i + 1) % 3]};
        tasks[i] = UVA_ERASE(link_of_ring_spawn(args, ON_LOOP(loop)));
    }
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(uva_future_cancelled(UVA_FUTURE(tasks[i])));
        uva_task_unref(tasks[i]);
    }
    uva_loop_unref(loop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tasks_deep");
    TCase *chain = UVA_TCASE(suite, "Chain");
    TCase *gathers = UVA_TCASE(suite, "Gathers");
    TCase *ring = UVA_TCASE(suite, "Ring");
    TCase *outside = UVA_TCASE(suite, "Outside");

    KIND_ADD_TESTS(chain, chain_cancelled, chain_cancelled_in_the_middle,
                   chain_cancelled_in_vain, chain_fails);
    UVA_ADD_TESTS(chain, groups_fail);
    KIND_ADD_TESTS(chain, chain_shown);
    KIND_ADD_TESTS(gathers, gathers_cancelled, gathers_cancelled_by_task,
                   gather_of_one_twice);
    KIND_ADD_TESTS(ring, ring_cancelled, rings_that_meet, ring_uncancelled,
                   ring_of_gathers_cancelled, ring_shown);
    UVA_ADD_TESTS(ring, ring_shut_down);
    UVA_ADD_TESTS(chain, chain_shut_down);
    tcase_add_checked_fixture(outside, uva_test_loop_setup,
                              uva_test_loop_teardown);
    UVA_ADD_TESTS(outside, gathers_of_gathers, gathers_of_gathers_done);
    tcase_add_loop_test(outside, shields_of_shields, 0, 2);
    return uva_test_main(suite);
}
