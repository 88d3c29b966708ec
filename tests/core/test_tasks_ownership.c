/*
 * Who owns what a task is given and what it gives: destructors of arguments
 * run once, whatever happens to the task; results are moved out once.
 */
#include "kinds.h"

#include <pthread.h>

/* --- a task in each form, whose argument counts its end --- */

static int bodies;
static uva_task_t *cancelled_by_drop; /* Borrowed; NULL for none. */

static void count_drop(void *value)
{
    *(int *)value += 1;
    if (cancelled_by_drop != NULL) {
        ck_assert(uva_task_cancel(cancelled_by_drop));
    }
}

static int plain_body(void *arg, void **ret_result)
{
    ck_assert_int_eq(*(int *)arg, 0);
    bodies++;
    (void)ret_result;
    return uva_sleep(0);
}

UVA_TASK_DROP(int, stackful_body, stackful_drop, int *drops; char large[100];)
{
    ck_assert_int_eq(*args->drops, 0);
    bodies++;
    *ret = 1;
    return uva_sleep(0);
}

static void stackful_drop(stackful_body_args_t *args)
{
    count_drop(args->drops);
}

UVA_STACKLESS_DROP(int, stackless_body, stackless_drop, int *drops;)
{
    int r;

    UVA_BEGIN
    ck_assert_int_eq(*self->drops, 0);
    bodies++;
    UVA_AWAIT(r, uva_yield);
    UVA_END
    *ret = 1;
    return r;
}

static void stackless_drop(stackless_body_args_t *self)
{
    count_drop(self->drops);
}

enum {
    PLAIN,
    STACKFUL,
    STACKLESS,
    FORMS
};

/* Make one on a loop, or (NULL) as user code does, on the running one. */
static uva_task_t *make(uva_loop_t *loop, int form, int *drops)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    stackful_body_args_t stackful = {.drops = drops};
    stackless_body_args_t stackless = {.drops = drops};

    options.arg_destroy = count_drop;
    switch (form) {
    case PLAIN:
        return loop == NULL
                   ? uva_create_task_with(plain_body, drops, &options)
                   : uva_loop_create_task(loop, plain_body, drops, &options);
    case STACKFUL:
        return loop == NULL
                   ? UVA_ERASE(uva_spawn(stackful_body, .drops = drops))
                   : UVA_ERASE(stackful_body_spawn(stackful, ON_LOOP(loop)));
    default:
        return loop == NULL
                   ? UVA_ERASE(uva_spawn(stackless_body, .drops = drops))
                   : UVA_ERASE(stackless_body_spawn(stackless, ON_LOOP(loop)));
    }
}

/* The argument went with the call that refused it. */
static void check_refused(uva_task_t *task, int code, int *drops)
{
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), code);
    ck_assert_int_eq(*drops, 1);
    *drops = 0;
    uva_task_unref(task);
}

static const struct {
    const char *name;
    bool begins;
    bool cancelled;
} drops_once[] = {
    {"dropped_after_body", true, false},
    {"dropped_before_first_step", false, true},
    {"dropped_when_cancelled", true, true},
};

START_TEST(dropped_once)
{
    bool begins;
    bool cancelled;

    UVA_FIND_ROW();
    begins = UVA_ROW(drops_once)->begins;
    cancelled = UVA_ROW(drops_once)->cancelled;
    for (int form = PLAIN; form < FORMS; form++) {
        int drops = 0;
        uva_task_t *task = make(uva_test_loop, form, &drops);

        bodies = 0;
        ck_assert(!begins || uva_loop_step(uva_test_loop) == 1);
        ck_assert_int_eq(bodies, begins);
        ck_assert(!cancelled || uva_task_cancel(task));
        ck_assert_int_eq(drops, 0); /* Never inside the call that caused it. */
        ck_assert_int_eq(hand_run(task), cancelled ? UV_ECANCELED : 0);
        ck_assert_int_eq(bodies, begins);
        ck_assert_int_eq(drops, 1);
        uva_task_unref(task);
        ck_assert_int_eq(drops, 1);
    }
}
END_TEST

/* The task is not done before its arguments are gone: a request that their
 * destructor makes is one that was not delivered. */
START_TEST(dropped_and_cancelled)
{
    int drops = 0;

    cancelled_by_drop = make(uva_test_loop, _i, &drops);
    ck_assert_int_eq(hand_run(cancelled_by_drop), UV_ECANCELED);
    ck_assert(UVA_CANCELLED(cancelled_by_drop));
    ck_assert_int_eq(drops, 1);
    ck_assert_int_eq(bodies, 1);
    cancelled_by_drop = uva_task_unref(cancelled_by_drop);
}
END_TEST

START_TEST(dropped_at_limit)
{
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *loop;
    int first = 0;
    int drops = 0;
    uva_task_t *task;

    options.max_tasks = 1;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    task = make(loop, _i, &first);
    check_refused(make(loop, _i, &drops), UV_EAGAIN, &drops);
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    ck_assert_int_eq(first, 1);

    first = 0; /* A task that has ended makes room. */
    task = make(loop, _i, &first);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(task);
    end_loop(loop);
}
END_TEST

START_TEST(dropped_without_loop)
{
    int drops = 0;

    check_refused(make(NULL, _i, &drops), UVA_ENOLOOP, &drops);
}
END_TEST

START_TEST(dropped_on_closed_loop)
{
    uva_loop_t *loop = new_loop();
    int drops = 0;

    ck_assert_int_eq(uva_loop_close(loop), 0);
    check_refused(make(loop, _i, &drops), UV_EPERM, &drops);
    uva_loop_unref(loop);
}
END_TEST

START_TEST(dropped_by_shutdown)
{
    uva_loop_t *loop = new_loop();
    int drops = 0;

    uva_task_unref(make(loop, _i, &drops));
    ck_assert_int_eq(uva_loop_shutdown(loop, NULL), 0);
    ck_assert_int_eq(drops, 1);
    ck_assert_int_eq(bodies, 0);
    uva_loop_unref(loop);
}
END_TEST

START_TEST(dropped_without_memory)
{
    uva_loop_t *loop;
    int drops = 0;

    uva_testing_strict_allocation(true);
    loop = new_loop();
    uva_testing_strict_allocation(false);
    uva_testing_fail_allocation(1, true);
    check_refused(make(loop, _i, &drops), UV_ENOMEM, &drops);
    uva_testing_fail_allocation(0, false);
    ck_assert_uint_eq(uva_loop_all_tasks(loop, NULL, 0), 0);
    end_loop(loop);
}
END_TEST

/* What another thread does, and what came of it. */
typedef struct foreign_s {
    int form;
    int drops;
    uva_task_t *task;
} foreign_t;

static void *make_from_thread(void *data)
{
    foreign_t *foreign = data;

    foreign->task = make(uva_test_loop, foreign->form, &foreign->drops);
    return NULL;
}

START_TEST(dropped_in_wrong_thread)
{
    foreign_t foreign = {_i, 0, NULL};
    pthread_t thread;

    uva_test_log_begin();
    ck_assert_int_eq(pthread_create(&thread, NULL, make_from_thread, &foreign),
                     0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    check_refused(foreign.task, UV_EPERM, &foreign.drops);
    ck_assert_str_ne(uva_test_log(), "");
    uva_test_log_end();
}
END_TEST

START_TEST(dropped_without_stack)
{
    /* The first stack of a pool is the whole of its limit. */
    uva_loop_options_t options = UVA_LOOP_OPTIONS_INIT;
    uva_loop_t *loop;
    int drops = 0;
    uva_task_t *task;
    int r;

    options.max_stack_bytes = 4096;
    ck_assert_int_eq(uva_loop_new_virtual(&options, &loop), 0);
    task = make(loop, _i, &drops);
    r = uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL);
    ck_assert(r == UV_EAGAIN || r == UV_ENOMEM);
    ck_assert_int_eq(drops, 1);
    ck_assert_int_eq(bodies, 0);
    uva_task_unref(task);
    end_loop(loop);
}
END_TEST

START_TEST(dropped_for_bad_options)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    int drops = 0;

    options.arg_destroy = count_drop;
    check_refused(uva_loop_create_task(uva_test_loop, NULL, &drops, &options),
                  UV_EINVAL, &drops);
    options.size = 0;
    check_refused(
        uva_loop_create_task(uva_test_loop, plain_body, &drops, &options),
        UV_EINVAL, &drops);
}
END_TEST

/* --- children of groups --- */

static uva_task_t *make_child(uva_taskgroup_t *group, int form, int *drops)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    options.arg_destroy = count_drop;
    switch (form) {
    case PLAIN:
        return uva_taskgroup_create_task(group, plain_body, drops, &options);
    case STACKFUL:
        return UVA_ERASE(
            uva_taskgroup_spawn(group, stackful_body, .drops = drops));
    default:
        return UVA_ERASE(
            uva_taskgroup_spawn(group, stackless_body, .drops = drops));
    }
}

UVA_TEST(dropped_by_group)
{
    uva_taskgroup_t group;
    int ran = 0;
    int cancelled = 0;
    int late = 0;

    bodies = 0;
    (void)uva_taskgroup_enter(&group);
    (void)make_child(&group, loop_test, &ran);
    ck_assert_int_eq(uva_sleep(0), 0);
    (void)make_child(&group, loop_test, &cancelled);
    uva_taskgroup_cancel(&group);
    check_refused(make_child(&group, loop_test, &late), UV_EPERM, &late);
    ck_assert_int_eq(uva_taskgroup_exit(&group, uva_sleep(0)), 0);
    ck_assert_int_eq(ran, 1);
    ck_assert_int_eq(cancelled, 1);
    ck_assert_int_eq(bodies, 1);

    check_refused(make_child(&group, loop_test, &late), UV_EPERM, &late);
}

/* --- results --- */

static int *counter;

static void count_free(void *value)
{
    ck_assert_ptr_eq(value, counter);
    *counter += 1;
}

static int gives_arg(void *arg, void **ret_result)
{
    *ret_result = arg;
    return uva_sleep(0);
}

static int gives_and_fails(void *arg, void **ret_result)
{
    *ret_result = arg;
    return UV_EIO;
}

static uva_task_t *giver(uva_coro_cb body, int *frees)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    options.result_destroy = count_free;
    counter = frees;
    *frees = 0;
    return uva_create_task_with(body, frees, &options);
}

UVA_TEST(result_moved_by_join)
{
    int frees;
    uva_task_t *task = giver(gives_arg, &frees);
    void *result = NULL;

    uva_task_ref(task);
    uva_task_ref(task);
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), &result), 0);
    ck_assert_ptr_eq(result, &frees);
    /* The second taker. */
    result = NULL;
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), &result), UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), &result), UVA_EINVALIDSTATE);
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(task), &result),
                     UVA_EINVALIDSTATE);
    ck_assert_ptr_null(result);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), 0);
    uva_task_unref(task);
    ck_assert_int_eq(frees, 0);
}

UVA_TEST(result_dropped)
{
    int frees;
    uva_task_t *task = giver(gives_arg, &frees);
    void *result = NULL;

    /* Nobody wants it. */
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), 0);
    ck_assert_int_eq(frees, 1);

    /* Borrowed by await, for as long as the task lives. */
    task = giver(gives_arg, &frees);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), &result), 0);
    ck_assert_ptr_eq(result, &frees);
    ck_assert_int_eq(uva_await(UVA_FUTURE(task), &result), 0);
    ck_assert_int_eq(frees, 0);
    uva_task_unref(task);
    ck_assert_int_eq(frees, 1);

    /* Given by a body that failed in the end. */
    task = giver(gives_and_fails, &frees);
    ck_assert_int_eq(uva_join(UVA_FUTURE(task), &result), UV_EIO);
    ck_assert_int_eq(frees, 1);

    /* Given by one that was cancelled. */
    task = giver(gives_arg, &frees);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_cancel_and_wait(UVA_FUTURE(task)), 0);
    ck_assert(uva_future_cancelled(UVA_FUTURE(task)));
    uva_task_unref(task);
    ck_assert_int_eq(frees, 1);
}

UVA_TEST(result_moved_by_others)
{
    int frees;
    uva_task_t *task = giver(gives_arg, &frees);
    void *result = NULL;
    uva_result_t told;

    ck_assert_int_eq(uva_wait_for(UVA_FUTURE(task), UVA_SEC(1), &result), 0);
    ck_assert_ptr_eq(result, &frees);
    ck_assert_int_eq(frees, 0);

    task = giver(gives_arg, &frees);
    result = NULL;
    ck_assert_int_eq(uva_gather(UVA_FUTURES(&task), 1, 0, &result), 0);
    ck_assert_ptr_eq(result, &frees);
    ck_assert_int_eq(frees, 0);

    task = giver(gives_arg, &frees);
    ck_assert_int_eq(
        uva_gather(UVA_FUTURES(&task), 1, UVA_RETURN_EXCEPTIONS, &told), 0);
    ck_assert_int_eq(told.status, 0);
    ck_assert_ptr_eq(told.value, &frees);
    ck_assert_int_eq(frees, 0);

    /* Shield borrows: who made the task owns it on. */
    task = giver(gives_arg, &frees);
    ck_assert_int_eq(uva_shield(UVA_FUTURE(task), &result), 0);
    ck_assert_ptr_eq(result, &frees);
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(task), &result), 0);
    uva_task_unref(task);
    ck_assert_int_eq(frees, 1);
}

UVA_TEST(result_of_gather_future)
{
    int frees;
    uva_task_t *task = giver(gives_arg, &frees);
    uva_future_t *outer = uva_gather_future(UVA_FUTURES(&task), 1, 0);
    void *results = NULL;

    ck_assert_int_eq(uva_await(outer, &results), 0);
    ck_assert_ptr_eq(((uva_result_t *)results)[0].value, &frees);
    ck_assert_int_eq(frees, 0);
    uva_future_unref(outer);
    ck_assert_int_eq(frees, 1);
}

UVA_TEST(result_of_failed_gather)
{
    /* One fails at once: the other ends later, and its result is nobody's. */
    int frees;
    uva_task_t *tasks[] = {giver(gives_arg, &frees),
                           uva_create_task(gives_and_fails, NULL)};
    void *results[2] = {NULL, NULL};

    ck_assert_int_eq(uva_gather(UVA_FUTURES(tasks), 2, 0, results), UV_EIO);
    ck_assert_ptr_null(results[0]);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(frees, 1);
}

UVA_TEST(result_taken_twice_in_gather)
{
    int frees;
    uva_task_t *task = giver(gives_arg, &frees);
    uva_task_t *tasks[] = {task, uva_task_ref(task)};
    uva_result_t told[2];

    ck_assert_int_eq(
        uva_gather(UVA_FUTURES(tasks), 2, UVA_RETURN_EXCEPTIONS, told), 0);
    ck_assert_int_eq(told[0].status, 0);
    ck_assert_ptr_eq(told[0].value, &frees);
    /* One child, one result, in each of its places. */
    ck_assert_int_eq(told[1].status, 0);
    ck_assert_ptr_eq(told[1].value, &frees);
    ck_assert_int_eq(frees, 0);
}

static void reset(void)
{
    bodies = 0;
    uva_test_loop_setup();
}

int main(void)
{
    Suite *suite = suite_create("tasks_ownership");
    TCase *drop = UVA_TCASE(suite, "ArgumentDestructor");
    TCase *group = UVA_TCASE(suite, "GroupArgumentDestructor");
    TCase *result = UVA_TCASE(suite, "Result");

    tcase_add_checked_fixture(drop, reset, uva_test_loop_teardown);
    UVA_ADD_TABLE(drop, dropped_once, drops_once);
    tcase_add_loop_test(drop, dropped_and_cancelled, 0, FORMS);
    tcase_add_loop_test(drop, dropped_at_limit, 0, FORMS);
    tcase_add_loop_test(drop, dropped_without_loop, 0, FORMS);
    tcase_add_loop_test(drop, dropped_on_closed_loop, 0, FORMS);
    tcase_add_loop_test(drop, dropped_by_shutdown, 0, FORMS);
    tcase_add_loop_test(drop, dropped_without_memory, 0, FORMS);
    tcase_add_loop_test(drop, dropped_in_wrong_thread, 0, FORMS);
    tcase_add_loop_test(drop, dropped_without_stack, 0, STACKLESS);
    UVA_ADD_TESTS(drop, dropped_for_bad_options);
    tcase_add_loop_test(group, dropped_by_group, 0, FORMS);
    UVA_ADD_TESTS(result, result_moved_by_join, result_dropped,
                  result_moved_by_others, result_of_gather_future,
                  result_of_failed_gather, result_taken_twice_in_gather);
    return uva_test_main(suite);
}
