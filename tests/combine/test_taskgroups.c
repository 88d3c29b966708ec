/*
 * Task groups: CPython's tests of children, failures and cancellation, with
 * both kinds of coroutine. test_taskgroups_misuse.c has the rest.
 */
#include "groups.h"

/* Cancel a task in the middle of what it does. @return What it ends with. */
static int join_cancelled(uva_task_t *take_task)
{
    ck_assert_int_eq(uva_sleep(UVA_MS(100)), 0);
    ck_assert(!UVA_DONE(take_task));
    uva_task_cancel(take_task);
    return UVA_JOIN(take_task);
}

/* --- children --- */

static const struct {
    const char *name;
    uint64_t pause_ns; /* Between the two children. */
} two_children[] = {
    /* test_taskgroups.py, TestTaskGroup: rows */
    {"taskgroup_01", 0},
    {"taskgroup_02", UVA_MS(150)},
};

KIND_TEST(two_results, uva_taskgroup_t g; foo_task_t * t1; foo_task_t * t2;
          int value;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    self->t1 = KIND_SPAWN_IN(&self->g, foo, UVA_MS(100), 42);
    uva_task_ref(UVA_ERASE(self->t1)); /* Borrowed until the exit. */
    if (UVA_ROW(two_children)->pause_ns > 0) {
        AWAIT_IS(0, uva_sleep, UVA_ROW(two_children)->pause_ns);
    }
    self->t2 = KIND_SPAWN_IN(&self->g, foo, UVA_MS(200), 11);
    uva_task_ref(UVA_ERASE(self->t2));
    AWAIT_IS(0, uva_taskgroup_exit, &self->g, 0);
    ck_assert(UVA_DONE(self->t1) && UVA_DONE(self->t2));
    AWAIT(self->r, foo_await, self->t1, &self->value);
    ck_assert_int_eq(self->value, 42);
    AWAIT(self->r, foo_await, self->t2, &self->value);
    ck_assert_int_eq(self->value, 11);
    UVA_END
    return 0;
}

KIND_TEST(taskgroup_03, uva_taskgroup_t g; foo_task_t * t1; foo_task_t * t2;
          int value;
          int r;)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_03 */
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    self->t1 = KIND_SPAWN_IN(&self->g, foo, UVA_SEC(1), 42);
    uva_task_ref(UVA_ERASE(self->t1));
    AWAIT(self->r, uva_sleep, UVA_MS(150));
    /* Cancelled alone: everything goes on as expected. */
    uva_task_cancel(UVA_ERASE(self->t1));
    self->t2 = KIND_SPAWN_IN(&self->g, foo, UVA_MS(200), 11);
    uva_task_ref(UVA_ERASE(self->t2));
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    ck_assert_int_eq(self->r, 0);
    ck_assert(UVA_CANCELLED(self->t1));
    uva_task_unref(UVA_ERASE(self->t1));
    AWAIT(self->r, foo_await, self->t2, &self->value);
    ck_assert_int_eq(self->value, 11);
    UVA_END
    return 0;
}

/* --- failures --- */

typedef struct shared_s {
    int num;
    int cancelled;
    bool runner_cancelled;
    uva_task_t *t1; /* References. */
    uva_task_t *t2;
} shared_t;

KIND_TASK(void, runner_04, shared_t *shared; uva_taskgroup_t g; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, crash_after, UVA_MS(100),
                        ZERO_DIVISION_ERROR);
    self->shared->t2 = uva_task_ref(UVA_ERASE(KIND_SPAWN_IN(
        &self->g, count, UVA_SEC(1), &self->shared->cancelled, 1, 100)));
    AWAIT(self->r, uva_taskgroup_exit, &self->g, 0);
    if (self->r < 0) {
        return self->r;
    }
    self->shared->num += 10;
    UVA_END
    return 0;
}

UVA_TEST(taskgroup_04)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_04 */
    shared_t shared = {0};

    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(runner_04, .shared = &shared)),
                     UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), ZERO_DIVISION_ERROR, 0));
    ck_assert_int_eq(shared.num, 0);
    ck_assert_int_eq(shared.cancelled, 1);
    ck_assert(uva_future_cancelled(UVA_FUTURE(shared.t2)));
    uva_task_unref(shared.t2);
}

KIND_TASK(void, runner_on_error, shared_t *shared; uva_taskgroup_t g; int i;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    for (self->i = 0; self->i < 3; self->i++) {
        (void)KIND_SPAWN_IN(&self->g, crash_after, UVA_MS(100),
                            ZERO_DIVISION_ERROR);
    }
    (void)KIND_SPAWN_IN(&self->g, count, UVA_SEC(5), &self->shared->cancelled,
                        1, 100);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    self->shared->runner_cancelled = self->r == UV_ECANCELED;
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    if (self->r < 0) {
        return self->r;
    }
    self->shared->num += 10;
    UVA_END
    return 0;
}

UVA_TEST(cancel_children_on_child_error)
{
    /* test_taskgroups.py, TestTaskGroup.test_cancel_children_on_child_error */
    shared_t shared = {0};

    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(runner_on_error, .shared = &shared)),
                     UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), ZERO_DIVISION_ERROR, 0));
    /* All three had ended when the first was seen. */
    ck_assert_uint_eq(uva_error_member_count(uva_task_error()), 3);
    ck_assert_int_eq(shared.num, 0);
    ck_assert_int_eq(shared.cancelled, 1);
    ck_assert(shared.runner_cancelled);
}

/* --- cancellation from outside --- */

/* Five children that count, and a body that may sleep and count too. */
KIND_TASK(void, runner_of_five, int *num; bool sleeps; uva_taskgroup_t g; int i;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    for (self->i = 0; self->i < 5; self->i++) {
        (void)KIND_SPAWN_IN(&self->g, count, UVA_SEC(5), self->num, 1, 100);
    }
    if (self->sleeps) {
        AWAIT(self->r, uva_sleep, UVA_SEC(10));
        *self->num += self->r == UV_ECANCELED ? 10 : 100;
    }
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    UVA_END
    return self->r;
}

/* Five children that fail when they are cancelled, in `depth` groups of which
 * the inner has them; the outer one may have a child of its own. */
KIND_TASK(void, runner_that_crashes, int depth; bool sibling;
          uva_taskgroup_t outer;
          uva_taskgroup_t inner;
          int i;
          int r;)
{
    UVA_BEGIN
    if (self->depth == 2) {
        ck_assert_int_eq(uva_taskgroup_enter(&self->outer), 0);
    }
    if (self->sibling) {
        (void)KIND_SPAWN_IN(&self->outer, foo, UVA_SEC(10));
    }
    ck_assert_int_eq(uva_taskgroup_enter(&self->inner), 0);
    for (self->i = 0; self->i < 5; self->i++) {
        (void)KIND_SPAWN_IN(&self->inner, crash_after, UVA_SEC(10),
                            ZERO_DIVISION_ERROR, true);
    }
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    AWAIT(self->r, uva_taskgroup_exit, &self->inner, self->r);
    if (self->depth == 2) {
        AWAIT(self->r, uva_taskgroup_exit, &self->outer, self->r);
    }
    UVA_END
    return self->r;
}

/* --- a body that fails --- */

KIND_TASK(void, runner_that_fails, shared_t *shared; uint64_t delay_ns;
          uva_taskgroup_t g;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    self->shared->t1 =
        uva_task_ref(UVA_ERASE(KIND_SPAWN_IN(&self->g, foo, UVA_SEC(1), 42)));
    self->shared->t2 =
        uva_task_ref(UVA_ERASE(KIND_SPAWN_IN(&self->g, foo, UVA_SEC(2), 11)));
    if (self->delay_ns > 0) {
        AWAIT(self->r, uva_sleep, self->delay_ns);
    }
    AWAIT(self->r, uva_taskgroup_exit, &self->g, ZERO_DIVISION_ERROR);
    UVA_END
    return self->r;
}

static const struct {
    const char *name;
    uint64_t delay_ns;
} failing_bodies[] = {
    /* test_taskgroups.py, TestTaskGroup: rows */
    {"taskgroup_09", UVA_MS(100)},
    {"taskgroup_10", 0},
};

UVA_TEST(body_fails)
{
    shared_t shared = {0};

    ck_assert_int_eq(UVA_JOIN(KIND_SPAWN(runner_that_fails, &shared,
                                         UVA_ROW(failing_bodies)->delay_ns)),
                     UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), ZERO_DIVISION_ERROR, 0));
    ck_assert(UVA_CANCELLED(shared.t1));
    ck_assert(UVA_CANCELLED(shared.t2));
    uva_task_unref(shared.t1);
    uva_task_unref(shared.t2);
}

/* --- groups in groups --- */

/* The only member of a group is a group, with members of this code. */
static bool error_types_nested(const uva_error_t *error, int code)
{
    return uva_error_member_count(error) == 1 &&
           error_types(error, UVA_EGROUP, 0) &&
           error_types(uva_error_member(error, 0), code, 0);
}

KIND_TASK(void, runner_nested, uint64_t outer_ns; uint64_t inner_ns;
          uva_taskgroup_t g1;
          uva_taskgroup_t g2;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g1), 0);
    (void)KIND_SPAWN_IN(&self->g1, crash_after, self->outer_ns, VALUE_ERROR);
    ck_assert_int_eq(uva_taskgroup_enter(&self->g2), 0);
    (void)KIND_SPAWN_IN(&self->g2, crash_after, self->inner_ns, VALUE_ERROR);
    AWAIT(self->r, uva_taskgroup_exit, &self->g2, 0);
    AWAIT(self->r, uva_taskgroup_exit, &self->g1, self->r);
    UVA_END
    return self->r;
}

UVA_TEST(taskgroup_13)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_13 */
    ck_assert_int_eq(
        UVA_JOIN(KIND_SPAWN(runner_nested, UVA_MS(100), UVA_SEC(10))),
        UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), VALUE_ERROR, 0));
}

UVA_TEST(taskgroup_14)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_14 */
    ck_assert_int_eq(
        UVA_JOIN(KIND_SPAWN(runner_nested, UVA_SEC(10), UVA_MS(100))),
        UVA_EGROUP);
    ck_assert(error_types_nested(uva_task_error(), VALUE_ERROR));
}

/* --- a body that takes its time over a cancellation --- */

KIND_TASK(void, runner_slow_to_cancel, uva_taskgroup_t g1; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g1), 0);
    (void)KIND_SPAWN_IN(&self->g1, crash_after, UVA_MS(300),
                        ZERO_DIVISION_ERROR);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    if (self->r == UV_ECANCELED) {
        AWAIT(self->r, uva_sleep, UVA_MS(500));
        self->r = UV_ECANCELED;
    }
    AWAIT(self->r, uva_taskgroup_exit, &self->g1, self->r);
    UVA_END
    return self->r;
}

KIND_TASK(void, runner_16, runner_slow_to_cancel_task_t *task; int r;)
{
    UVA_BEGIN
    self->task = KIND_SPAWN(runner_slow_to_cancel);
    AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
    UVA_END
    /* The same error, with its members. */
    return self->r == UVA_EGROUP ? uva_raise(uva_task_error()) : self->r;
}

/* --- a body that is cancelled --- */

/* Ends with a code of its own if one is given and it is cancelled. */
KIND_TASK(void, runner_alone, int *num; int code; uva_taskgroup_t g; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    if (self->r == UV_ECANCELED) {
        *self->num += 10;
        self->r = self->code != 0 ? self->code : self->r;
    }
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->r);
    UVA_END
    return self->r;
}

/* What is cancelled from outside in the middle of it. */
typedef enum runner_e {
    FIVE,
    FIVE_AND_A_BODY,
    CRASHES,
    CRASHES_INSIDE,
    CRASHES_BESIDE,
    SLOW,
    SLOW_INSIDE,
    ALONE,
    ALONE_AND_FAILS
} runner_t;

static const struct {
    const char *name;
    runner_t runner;
    int code;   /* With which it ends. */
    int member; /* Of the group's error. */
    int num;    /* What children and body have counted. */
    bool nested;
} cancelled[] = {
    /* test_taskgroups.py, TestTaskGroup: rows */
    {"cancellation", FIVE, UV_ECANCELED, 0, 5, false},
    {"taskgroup_07", FIVE_AND_A_BODY, UV_ECANCELED, 0, 15, false},
    {"taskgroup_08", CRASHES, UVA_EGROUP, ZERO_DIVISION_ERROR, 0, false},
    {"taskgroup_11", CRASHES_INSIDE, UVA_EGROUP, ZERO_DIVISION_ERROR, 0, true},
    {"taskgroup_12", CRASHES_BESIDE, UVA_EGROUP, ZERO_DIVISION_ERROR, 0, true},
    {"taskgroup_15", SLOW, UVA_EGROUP, ZERO_DIVISION_ERROR, 0, false},
    {"taskgroup_16", SLOW_INSIDE, UVA_EGROUP, ZERO_DIVISION_ERROR, 0, false},
    {"taskgroup_17", ALONE, UV_ECANCELED, 0, 10, false},
    {"taskgroup_18", ALONE_AND_FAILS, UVA_EGROUP, CUSTOM_ERROR, 10, false},
};

static uva_task_t *make_runner(runner_t runner, int *num)
{
    switch (runner) {
    case FIVE:
    case FIVE_AND_A_BODY:
        return KIND_ERASED(runner_of_five, .num = num,
                           .sleeps = runner != FIVE);
    case CRASHES:
    case CRASHES_INSIDE:
    case CRASHES_BESIDE:
        return KIND_ERASED(runner_that_crashes,
                           .depth = runner == CRASHES ? 1 : 2,
                           .sibling = runner == CRASHES_BESIDE);
    case SLOW:
        return KIND_ERASED(runner_slow_to_cancel);
    case SLOW_INSIDE:
        return KIND_ERASED(runner_16);
    default:
        return KIND_ERASED(runner_alone, .num = num,
                           .code = runner == ALONE ? 0 : CUSTOM_ERROR);
    }
}

UVA_TEST(cancelled_from_outside)
{
    int member = UVA_ROW(cancelled)->member;
    int num = 0;

    ck_assert_int_eq(
        join_cancelled(make_runner(UVA_ROW(cancelled)->runner, &num)),
        UVA_ROW(cancelled)->code);
    ck_assert_int_eq(num, UVA_ROW(cancelled)->num);
    if (UVA_ROW(cancelled)->nested) {
        ck_assert(error_types_nested(uva_task_error(), member));
    } else if (member != 0) {
        ck_assert(error_types(uva_task_error(), member, 0));
    }
}

/* A child crashes with one code, the body it cancels with another. */
KIND_TASK(void, runner_and_child_fail, int child_code; int body_code;
          uva_taskgroup_t g;
          int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, crash_after, UVA_MS(100), self->child_code);
    AWAIT(self->r, uva_sleep, UVA_SEC(10));
    AWAIT(self->r, uva_taskgroup_exit, &self->g, self->body_code);
    UVA_END
    return self->r;
}

static const struct {
    const char *name;
    int child_code;
    int body_code;
} both_fail[] = {
    /* test_taskgroups.py, TestTaskGroup: rows */
    {"taskgroup_19", ZERO_DIVISION_ERROR, CUSTOM_ERROR},
    /* There are no codes that pass a group by as KeyboardInterrupt does. */
    {"taskgroup_20", ZERO_DIVISION_ERROR, UV_EINTR},
    {"taskgroup_20a", ZERO_DIVISION_ERROR, CUSTOM_ERROR},
    {"taskgroup_21a", CUSTOM_ERROR, TYPE_ERROR},
};

UVA_TEST(body_and_child_fail)
{
    int child_code = UVA_ROW(both_fail)->child_code;
    int body_code = UVA_ROW(both_fail)->body_code;

    ck_assert_int_eq(
        UVA_JOIN(KIND_SPAWN(runner_and_child_fail, child_code, body_code)),
        UVA_EGROUP);
    ck_assert(error_types(uva_task_error(), body_code, child_code));
}

KIND_TASK(void, runner_22, uva_taskgroup_t g; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(uva_taskgroup_enter(&self->g), 0);
    (void)KIND_SPAWN_IN(&self->g, foo, UVA_SEC(1), 42);
    (void)KIND_SPAWN_IN(&self->g, foo, UVA_SEC(2), 11);
    AWAIT(self->r, uva_taskgroup_exit, &self->g, 0);
    UVA_END
    return self->r;
}

UVA_TEST(taskgroup_22)
{
    /* test_taskgroups.py, TestTaskGroup.test_taskgroup_22 */
    runner_22_task_t *task = KIND_SPAWN(runner_22);

    ck_assert_int_eq(uva_sleep(UVA_MS(50)), 0);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), UV_ECANCELED);
}

/* --- the suite --- */

static void add_failures(TCase *tcase)
{
    KIND_ADD_TABLE(tcase, body_fails, failing_bodies);
    KIND_ADD_TABLE(tcase, body_and_child_fail, both_fail);
    KIND_ADD_TESTS(tcase, taskgroup_04, cancel_children_on_child_error,
                   taskgroup_13, taskgroup_14);
}

int main(void)
{
    Suite *suite = suite_create("taskgroups");
    TCase *children = UVA_TCASE(suite, "Children");
    TCase *cancelling = UVA_TCASE(suite, "Cancellation");

    KIND_ADD_TABLE(children, two_results, two_children);
    KIND_ADD_TESTS(children, taskgroup_03);
    add_failures(UVA_TCASE(suite, "Failures"));
    KIND_ADD_TABLE(cancelling, cancelled_from_outside, cancelled);
    KIND_ADD_TESTS(cancelling, taskgroup_22);
    return uva_test_main(suite);
}
