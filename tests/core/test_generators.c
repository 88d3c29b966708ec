/*
 * The end of coroutines that are driven by hand: closed, dropped, left behind.
 */
#include <string.h>

#include "uva_test.h"

typedef struct tale_s {
    uva_coroutine_t *self;
    int ended;   /* How often a body has come to its end. */
    int freed;   /* How often its argument was. */
    int refuses; /* Yields that go on yielding when it is closed. */
} tale_t;

static void tale_free(void *arg)
{
    ((tale_t *)arg)->freed++;
}

static int tell(void *arg, void **ret_result)
{
    tale_t *tale = arg;
    int r;

    (void)ret_result;
    do {
        r = uva_coroutine_yield(tale, NULL);
    } while (r >= 0 || tale->refuses-- > 0);
    tale->ended++;
    return r;
}

static uva_coroutine_t *begin(tale_t *tale)
{
    uva_coroutine_options_t options = UVA_COROUTINE_OPTIONS_INIT;
    uva_coroutine_t *coroutine;
    void *value = NULL;

    options.arg_destroy = tale_free;
    ck_assert_int_eq(uva_coroutine_new(tell, tale, &options, &coroutine), 0);
    ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, &value), 1);
    ck_assert_ptr_eq(value, tale);
    return coroutine;
}

UVA_TEST(close_lets_it_end)
{
    tale_t tale = {0};
    uva_coroutine_t *coroutine = begin(&tale);

    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert(uva_coroutine_done(coroutine));
    ck_assert_int_eq(tale.ended, 1);
    ck_assert_int_eq(tale.freed, 1);
    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert_int_eq(uva_coroutine_send(coroutine, NULL, NULL), UV_EALREADY);
    uva_coroutine_unref(coroutine);
    ck_assert_int_eq(tale.freed, 1);
}

UVA_TEST(close_refused)
{
    tale_t tale = {.refuses = 1};
    uva_coroutine_t *coroutine = begin(&tale);

    ck_assert_int_eq(uva_coroutine_close(coroutine), UV_EPERM);
    ck_assert(!uva_coroutine_done(coroutine));
    ck_assert_int_eq(uva_coroutine_close(coroutine), 0);
    ck_assert_int_eq(tale.ended, 1);
    uva_coroutine_unref(coroutine);
}

UVA_TEST(last_reference_lets_it_end)
{
    tale_t tale = {0};

    tale.self = begin(&tale);
    uva_coroutine_unref(uva_coroutine_ref(tale.self));
    ck_assert_int_eq(tale.ended, 0);
    uva_coroutine_unref(tale.self);
    ck_assert_int_eq(tale.ended, 1);
    ck_assert_int_eq(tale.freed, 1);
}

/* One that will not end does not hang whoever drops it. */
UVA_TEST(last_reference_of_one_that_refuses)
{
    tale_t tale = {.refuses = 1000000};

    uva_test_log_begin();
    uva_coroutine_unref(begin(&tale));
    ck_assert_ptr_nonnull(
        strstr(uva_test_log(), "A coroutine yielded while it was closed"));
    uva_test_log_end();
    ck_assert_int_eq(tale.ended, 0);
    ck_assert_int_eq(tale.freed, 1);
}

static int begin_and_leave(void *arg, void **ret_result)
{
    tale_t *tale = arg;

    (void)ret_result;
    tale->self = begin(tale);
    return 0;
}

static uva_loop_t *leave_behind(tale_t *tale)
{
    uva_loop_t *loop;
    uva_task_t *task;

    loop = new_loop();
    task = uva_loop_create_task(loop, begin_and_leave, tale, NULL);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    return loop;
}

START_TEST(dropped_while_the_loop_does_not_run)
{
    uva_test_mark_t mark = uva_test_mark();
    tale_t tale = {0};
    uva_loop_t *loop = leave_behind(&tale);

    uva_coroutine_unref(tale.self);
    ck_assert_int_eq(tale.ended, 1);
    ck_assert_int_eq(tale.freed, 1);
    end_loop(loop);
    uva_test_nothing_left(mark);
}
END_TEST

START_TEST(dropped_after_its_loop)
{
    uva_test_mark_t mark = uva_test_mark();
    tale_t tale = {0};
    uva_loop_t *loop = leave_behind(&tale);

    end_loop(loop);
    uva_test_log_begin();
    uva_coroutine_unref(tale.self);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "after its loop was closed"));
    uva_test_log_end();
    ck_assert_int_eq(tale.ended, 0);
    ck_assert_int_eq(tale.freed, 1);
    uva_test_nothing_left(mark);
}
END_TEST

static int drop_itself(void *arg, void **ret_result)
{
    tale_t *tale = arg;
    int r;

    (void)ret_result;
    tale->self = uva_coroutine_unref(tale->self);
    r = uva_coroutine_yield(tale, NULL);
    tale->ended++;
    return r;
}

/* Who drops its own last reference goes on until it yields. */
UVA_TEST(drops_itself)
{
    tale_t tale = {0};
    void *value = NULL;

    ck_assert_int_eq(uva_coroutine_new(drop_itself, &tale, NULL, &tale.self),
                     0);
    ck_assert_int_eq(uva_coroutine_send(tale.self, NULL, &value), 1);
    ck_assert_ptr_eq(value, &tale);
    ck_assert_int_eq(tale.ended, 1);
}

/* --- driven by a callback --- */

static int delegate(void *arg, void **ret_result)
{
    uva_coroutine_t *inner = begin(arg);
    int r = uva_coroutine_delegate(inner, NULL);

    (void)ret_result;
    uva_coroutine_unref(inner);
    return r;
}

static int yield_once(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    return uva_sleep(0);
}

/* Its eager tasks leave for it, and not for the loop. */
static int spawn_eagerly(void *arg, void **ret_result)
{
    uva_task_options_t eager = UVA_TASK_OPTIONS_INIT;
    tale_t *tale = arg;
    int r = 0;

    (void)ret_result;
    eager.eager_start = true;
    for (int i = 0; i < 3 && r >= 0; i++) {
        uva_task_unref(uva_create_task_with(yield_once, NULL, &eager));
        tale->ended++;
        r = uva_coroutine_yield(NULL, NULL);
    }
    return r;
}

typedef struct driven_s {
    uva_coro_cb body;
    tale_t tale;
    int sent;
} driven_t;

static void drive(void *data)
{
    driven_t *driven = data;
    uva_coroutine_t *coroutine;

    ck_assert_int_eq(
        uva_coroutine_new(driven->body, &driven->tale, NULL, &coroutine), 0);
    while (driven->sent < 3 && uva_coroutine_send(coroutine, NULL, NULL) == 1) {
        driven->sent++;
    }
    uva_coroutine_unref(coroutine);
}

/* The tools are told which flow is left for: a coroutine that drives another,
 * or starts a task, is one. */
UVA_TEST(in_callbacks)
{
    driven_t driven[] = {{delegate, {0}, 0}, {spawn_eagerly, {0}, 0}};

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            uva_loop_call_soon(NULL, drive, &driven[i], NULL, NULL), 0);
    }
    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(driven[0].sent, 3);
    ck_assert_int_eq(driven[0].tale.ended, 1);
    ck_assert_int_eq(driven[1].sent, 3);
    ck_assert_int_eq(driven[1].tale.ended, 3);
}

/* --- scopes --- */

typedef struct stay_s {
    uva_coroutine_t *coroutine;
    bool has_group; /* Its scope is a group, not a timeout. */
    bool uses;      /* It does more with it than to leave it. */
    int left;       /* What the exit gave. */
} stay_t;

static int stay_in_timeout(stay_t *stay)
{
    uva_timeout_t timeout;
    int r = uva_timeout_enter(&timeout, UVA_SEC(1));

    ck_assert_int_eq(r, 0);
    r = uva_coroutine_yield(NULL, NULL);
    ck_assert(!uva_timeout_expired(&timeout));
    if (stay->uses) {
        ck_assert_int_eq(uva_timeout_reschedule(&timeout, UVA_FOREVER),
                         UV_EPERM);
    }
    return uva_timeout_exit(&timeout, r);
}

static int stay_in_group(stay_t *stay)
{
    uva_taskgroup_t group;
    int r = uva_taskgroup_enter(&group);
    uva_task_t *refused;

    ck_assert_int_eq(r, 0);
    r = uva_coroutine_yield(NULL, NULL);
    if (stay->uses) {
        uva_taskgroup_cancel(&group);
        refused = uva_taskgroup_create_task(&group, tell, NULL, NULL);
        ck_assert_int_eq(uva_future_exception(UVA_FUTURE(refused)), UV_EPERM);
    }
    return uva_taskgroup_exit(&group, r);
}

static int stay(void *arg, void **ret_result)
{
    stay_t *stay = arg;

    (void)ret_result;
    stay->left = stay->has_group ? stay_in_group(stay) : stay_in_timeout(stay);
    return 0;
}

static int stay_begin(void *arg, void **ret_result)
{
    stay_t *begun = arg;

    (void)ret_result;
    ck_assert_int_eq(uva_coroutine_new(stay, begun, NULL, &begun->coroutine),
                     0);
    ck_assert_int_eq(uva_coroutine_send(begun->coroutine, NULL, NULL), 1);
    return 0;
}

/* A coroutine yields in a scope, and is resumed when the task that entered it
 * has ended. CPython keeps that task for the scope. */
UVA_TEST_STRICT(scope_outlives_its_task)
{
    uva_test_log_begin();
    for (int i = 0; i < 4; i++) {
        stay_t begun = {.has_group = i % 2 != 0, .uses = i >= 2, .left = 1};

        ck_assert_int_eq(
            uva_join(UVA_FUTURE(uva_create_task(stay_begin, &begun)), NULL), 0);
        ck_assert_int_eq(uva_coroutine_send(begun.coroutine, NULL, NULL), 0);
        ck_assert_int_eq(begun.left, 0);
        uva_coroutine_unref(begun.coroutine);
    }
    ck_assert_int_eq(uva_sleep(UVA_SEC(2)), 0); /* No deadline is left. */
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "without uva_timeout_exit"));
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "without uva_taskgroup_exit"));
    uva_test_log_end();
}

int main(void)
{
    Suite *suite = suite_create("generators");
    TCase *end = UVA_TCASE(suite, "End");
    TCase *scopes = UVA_TCASE(suite, "Scopes");

    UVA_ADD_TESTS(
        end, close_lets_it_end, close_refused, last_reference_lets_it_end,
        last_reference_of_one_that_refuses, dropped_while_the_loop_does_not_run,
        dropped_after_its_loop, drops_itself, in_callbacks);
    UVA_ADD_TESTS(scopes, scope_outlives_its_task);
    return uva_test_main(suite);
}
