/*
 * Tasks and their contexts.
 */
#include "kinds.h"

#include <stdio.h>

static uva_context_var_t cvar = {"cvar", NULL};
static int numbers[128];

static void *number(int value)
{
    ck_assert_int_lt(value, 128);
    numbers[value] = value;
    return &numbers[value];
}

static int cvar_get(void)
{
    const int *value = uva_context_var_get(&cvar);

    return value == NULL ? -1 : *value;
}

static void cvar_set(int value)
{
    ck_assert_int_eq(uva_context_var_set(&cvar, number(value), NULL), 0);
}

/* --- a copy for each task --- */

KIND_TASK(int, sub_sets, int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_MS(10));
    ck_assert_int_eq(cvar_get(), -1);
    cvar_set(99);
    UVA_END
    return self->r;
}

KIND_TASK(int, main_of_1, uva_task_t *sub; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(cvar_get(), -1);
    self->sub = KIND_ERASED(sub_sets);
    cvar_set(1);
    ck_assert_int_eq(cvar_get(), 1);
    AWAIT(self->r, uva_join, UVA_FUTURE(self->sub), NULL);
    ck_assert_int_eq(cvar_get(), 1);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(context_1)
{
    /* test_tasks.py, BaseTaskTests.test_context_1 */
    ck_assert_int_eq(hand_run_take(KIND_ERASED(main_of_1)), 0);
}

static void pollute(uva_future_t *future, void *data)
{
    (void)future;
    cvar_set(99);
    *(int *)data += 1;
}

static void complete(void *data)
{
    ck_assert_int_eq(uva_future_set_result(data, NULL, NULL), 0);
}

KIND_TASK(int, main_of_2, uva_future_t *future; int i; int j; int calls; int r;)
{
    UVA_BEGIN
    ck_assert_int_eq(cvar_get(), -1);
    for (self->j = 0; self->j < 2; self->j++) {
        self->future = uva_create_future();
        ck_assert_int_eq(uva_future_add_done_callback(self->future, pollute,
                                                      &self->calls, NULL),
                         0);
        cvar_set(self->j);
        ck_assert_int_eq(
            uva_loop_call_soon(NULL, complete, self->future, NULL, NULL), 0);
        AWAIT_IS(0, uva_join, self->future, NULL);
        ck_assert_int_eq(cvar_get(), self->j);
        for (self->i = 0; self->i < 3; self->i++) {
            cvar_set(10 * self->i + self->j);
            AWAIT(self->r, uva_sleep, UVA_MS(1));
            ck_assert_int_eq(cvar_get(), 10 * self->i + self->j);
        }
    }
    UVA_END
    *ret = self->calls;
    return 0;
}

KIND_LOOP_TEST(context_2)
{
    /* test_tasks.py, BaseTaskTests.test_context_2 */
    uva_task_t *task = KIND_ERASED(main_of_2);

    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_int_eq(hand_int(task), 2);
    ck_assert_int_eq(cvar_get(), -1);
    uva_task_unref(task);
}

static unsigned random_state = 1;

static unsigned random_below(unsigned end)
{
    random_state = random_state * 1103515245u + 12345u;
    return (random_state >> 16) % end;
}

KIND_TASK(int, sub_of_3, int number; int i; int r;)
{
    UVA_BEGIN
    for (self->i = 0; self->i < 10; self->i++) {
        cvar_set(self->number + self->i);
        AWAIT(self->r, uva_sleep, UVA_US(1000 + random_below(49000)));
        ck_assert_int_eq(cvar_get(), self->number + self->i);
    }
    UVA_END
    return self->r;
}

KIND_TASK(int, main_of_3, uva_task_t **tasks; int r;)
{
    UVA_BEGIN
    for (int i = 0; i < 100; i++) {
        self->tasks[i] = KIND_ERASED(sub_of_3, .number = (int)random_below(11));
    }
    AWAIT(self->r, uva_gather, UVA_FUTURES(self->tasks), 100, 0, NULL);
    UVA_END
    return self->r;
}

KIND_LOOP_TEST(context_3)
{
    /* test_tasks.py, BaseTaskTests.test_context_3 */
    static uva_task_t *tasks[100];

    ck_assert_int_eq(hand_run_take(KIND_ERASED(main_of_3, .tasks = tasks)), 0);
    ck_assert_int_eq(cvar_get(), -1);
}

/* --- a context that is given --- */

/* The number that the variable has in a context; -1 if it was never set. */
static int number_in(const uva_context_t *context)
{
    void *value;

    return uva_context_get(context, &cvar, &value) ? *(int *)value : -1;
}

KIND_TASK(int, sets, int number; int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, 0);
    cvar_set(self->number);
    UVA_END
    return self->r;
}

KIND_TASK(int, main_of_4, uva_task_options_t options; int i; int seen[3];
          uva_task_t * task;
          int r;)
{
    UVA_BEGIN
    self->options.size = sizeof self->options;
    self->options.context = uva_copy_context();
    self->seen[0] = number_in(self->options.context);
    for (self->i = 1; self->i < 3; self->i++) {
        self->task =
            UVA_ERASE(KIND_SPAWN_WITH(&self->options, sets, .number = self->i));
        AWAIT(self->r, uva_join, UVA_FUTURE(self->task), NULL);
        self->seen[self->i] = number_in(self->options.context);
    }
    ck_assert_int_eq(cvar_get(), -1);
    uva_context_unref(self->options.context);
    UVA_END
    ck_assert_int_eq(self->seen[0], -1);
    ck_assert_int_eq(self->seen[1], 1);
    ck_assert_int_eq(self->seen[2], 2);
    return self->r;
}

KIND_LOOP_TEST(context_4)
{
    /* test_tasks.py, BaseTaskTests.test_context_4 */
    ck_assert_int_eq(hand_run_take(KIND_ERASED(main_of_4)), 0);
}

static int plain_sets(void *arg, void **ret_result)
{
    (void)ret_result;
    if (uva_sleep(0) < 0) {
        return UV_ECANCELED;
    }
    return uva_context_var_set(&cvar, arg, NULL);
}

static void check_given_context(bool with_loop)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    int seen[3];

    options.context = uva_copy_context();
    seen[0] = number_in(options.context);
    for (int i = 1; i < 3; i++) {
        uva_task_t *task =
            with_loop ? uva_loop_create_task(uva_get_running_loop(), plain_sets,
                                             number(i), &options)
                      : uva_create_task_with(plain_sets, number(i), &options);
        ck_assert_int_eq(uva_join(UVA_FUTURE(task), NULL), 0);
        seen[i] = number_in(options.context);
    }
    uva_context_unref(options.context);
    ck_assert_int_eq(seen[0], -1);
    ck_assert_int_eq(seen[1], 1);
    ck_assert_int_eq(seen[2], 2);
}

UVA_TEST(context_5)
{
    /* test_tasks.py, BaseTaskTests.test_context_5 */
    check_given_context(false);
}

UVA_TEST(context_6)
{
    /* test_tasks.py, BaseTaskTests.test_context_6 */
    check_given_context(true);
}

KIND_TASK(int, nothing)
{
    *ret = 0;
    return 0;
}

KIND_LOOP_TEST(get_context)
{
    /* test_tasks.py, BaseTaskTests.test_get_context */
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;

    options.context = uva_copy_context();
    task = UVA_ERASE(KIND_SPAWN_WITH(&options, nothing));
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_ptr_eq(uva_task_get_context(task), options.context);
    uva_task_unref(task);
    uva_context_unref(options.context);

    task = KIND_ERASED(nothing);
    ck_assert_int_eq(hand_run(task), 0);
    ck_assert_ptr_null(uva_task_get_context(task));
    uva_task_unref(task);
}

int main(void)
{
    Suite *suite = suite_create("tasks_context");
    TCase *copies = UVA_TCASE(suite, "Context");

    KIND_ADD_TESTS(copies, context_1, context_2, context_3, context_4);
    UVA_ADD_TESTS(copies, context_5, context_6);
    KIND_ADD_TESTS(copies, get_context);
    return uva_test_main(suite);
}
