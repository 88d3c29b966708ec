/*
 * Context variables (contextvars): setting, resetting, copying, running in a
 * context; who sees what.
 */
#include "kinds.h"
#include "loops.h"

static char red[] = "red";
static char green[] = "green";
static char blue[] = "blue";
static uva_context_var_t colour = {"colour", red};
static uva_context_var_t shape = {"shape", NULL};

static const char *now(void)
{
    return uva_context_var_get(&colour);
}

static void set(char *value, uva_context_token_t *token)
{
    ck_assert_int_eq(uva_context_var_set(&colour, value, token), 0);
}

static const char *in(const uva_context_t *context)
{
    void *value = NULL;

    return uva_context_get(context, &colour, &value) ? value : NULL;
}

/* --- setting and resetting --- */

UVA_TEST(get_set_reset)
{
    uva_context_token_t first;
    uva_context_token_t second;

    ck_assert_str_eq(now(), "red"); /* The default. */
    set(green, &first);
    ck_assert_str_eq(now(), "green");
    set(blue, &second);
    ck_assert_str_eq(now(), "blue");
    ck_assert_ptr_null(uva_context_var_get(&shape));
    ck_assert_int_eq(uva_context_var_reset(&colour, &second), 0);
    ck_assert_str_eq(now(), "green");
    ck_assert_int_eq(uva_context_var_reset(&colour, &first), 0);
    ck_assert_str_eq(now(), "red");
    /* A token restores once. */
    ck_assert_int_eq(uva_context_var_reset(&colour, &first), UV_EPERM);
    ck_assert_str_eq(now(), "red");
}

UVA_TEST(reset_out_of_order)
{
    uva_context_token_t first;
    uva_context_token_t second;

    set(green, &first);
    set(blue, &second);
    ck_assert_int_eq(uva_context_var_reset(&colour, &first), 0);
    ck_assert_str_eq(now(), "red");
    ck_assert_int_eq(uva_context_var_reset(&colour, &second), 0);
    ck_assert_str_eq(now(), "green");
}

/* NULL is a value like any other. */
UVA_TEST(null_is_a_value)
{
    uva_context_t *copy;
    void *value = red;

    set(NULL, NULL);
    ck_assert_ptr_null(now());
    copy = uva_copy_context();
    ck_assert(uva_context_get(copy, &colour, &value));
    ck_assert_ptr_null(value);
    uva_context_unref(copy);
}

static void reset_in_context(void *data)
{
    uva_context_token_t *token = data;

    ck_assert_int_eq(uva_context_var_reset(&colour, token), UV_EINVAL);
}

UVA_TEST(reset_of_another)
{
    uva_context_t *other = uva_context_new();
    uva_context_token_t token;

    set(green, &token);
    ck_assert_int_eq(uva_context_var_reset(&shape, &token), UV_EINVAL);
    ck_assert_int_eq(uva_context_run(other, reset_in_context, &token), 0);
    ck_assert_str_eq(now(), "green");
    ck_assert_int_eq(uva_context_var_reset(&colour, &token), 0);
    uva_context_unref(other);
}

/* Many variables: each keeps its own. */
UVA_TEST(many_variables)
{
    uva_context_var_t vars[50];
    int values[50];

    for (int i = 0; i < 50; i++) {
        vars[i] = (uva_context_var_t){"v", NULL};
        values[i] = i;
        ck_assert_int_eq(uva_context_var_set(&vars[i], &values[i], NULL), 0);
    }
    for (int i = 0; i < 50; i++) {
        ck_assert_ptr_eq(uva_context_var_get(&vars[i]), &values[i]);
    }
}

/* --- copies --- */

UVA_TEST(copies_are_apart)
{
    uva_context_t *before = uva_copy_context();
    uva_context_t *after;

    ck_assert_ptr_null(in(before));
    set(green, NULL);
    ck_assert_ptr_null(in(before));
    after = uva_copy_context();
    ck_assert_str_eq(in(after), "green");
    set(blue, NULL);
    ck_assert_str_eq(in(after), "green");
    uva_context_unref(before);
    uva_context_unref(after);
    ck_assert(!uva_context_get(NULL, &colour, NULL));
}

/* --- running in a context --- */

typedef struct run_s {
    uva_context_t *context;
    const char *before;
    const char *inside;
    int again;
} run_t;

static void do_nothing(void *data)
{
    (void)data;
}

static void look_and_set(void *data)
{
    run_t *run = data;

    run->before = now();
    set(blue, NULL);
    run->inside = now();
    run->again = uva_context_run(run->context, do_nothing, NULL);
}

static void check_run(void)
{
    run_t run = {uva_copy_context(), NULL, NULL, 0};

    set(green, NULL);
    ck_assert_int_eq(uva_context_run(run.context, look_and_set, &run), 0);
    ck_assert_str_eq(run.before, "red");
    ck_assert_str_eq(run.inside, "blue");
    ck_assert_int_eq(run.again, UV_EPERM); /* It is entered already. */
    ck_assert_str_eq(now(), "green");
    ck_assert_str_eq(in(run.context), "blue");
    ck_assert_int_eq(uva_context_run(run.context, do_nothing, NULL), 0);
    uva_context_unref(run.context);
    ck_assert_int_eq(uva_context_run(NULL, do_nothing, NULL), UV_ENOMEM);
}

UVA_TEST(run_inside_a_task)
{
    check_run();
}

static void check_run_callback(void *data)
{
    check_run();
    *(bool *)data = true;
}

START_TEST(run_inside_a_callback)
{
    uva_loop_t *loop = new_loop();
    bool called = false;

    call_soon(loop, check_run_callback, &called);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    ck_assert(called);
    end_loop(loop);
}
END_TEST

static void check_run_thread(void *data)
{
    check_run();
    *(bool *)data = true;
    /* What a thread sets outside of loops lasts as long as it. */
    ck_assert_str_eq(now(), "green");
}

START_TEST(run_outside_of_loops)
{
    uv_thread_t thread;
    bool called = false;

    ck_assert_int_eq(uv_thread_create(&thread, check_run_thread, &called), 0);
    uv_thread_join(&thread);
    ck_assert(called);
    ck_assert_str_eq(now(), "red");
}
END_TEST

/* --- tasks and calls --- */

KIND_TASK(void, child, const char *expected; char *value; int r;)
{
    UVA_BEGIN
    ck_assert_str_eq(now(), self->expected);
    set(self->value, NULL);
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_str_eq(now(), self->value);
    AWAIT(self->r, uva_sleep, UVA_MS(1));
    ck_assert_str_eq(now(), self->value);
    UVA_END
    return self->r;
}

/* Each task has a copy of its own, made when it was created. */
UVA_TEST(tasks_have_their_own)
{
    child_task_t *task2 = NULL;
    child_task_t *task1 = KIND_SPAWN(child, "red", green);

    set(blue, NULL);
    task2 = KIND_SPAWN(child, "blue", red);
    set(green, NULL);
    ck_assert_int_eq(uva_join(UVA_FUTURE(task1), NULL), 0);
    ck_assert_int_eq(uva_join(UVA_FUTURE(task2), NULL), 0);
    ck_assert_str_eq(now(), "green");
}

static void note_colour(void *data)
{
    uva_test_trace(data, "%s", now());
}

/* Each call runs in a copy made when it was scheduled, or in the context it
 * was given. */
KIND_TEST(calls_have_their_own, uva_test_trace_t trace;
          uva_call_options_t given;
          uva_handle_t * handle;
          int r;)
{
    uva_loop_t *loop = uva_get_running_loop();

    UVA_BEGIN
    self->given = (uva_call_options_t)UVA_CALL_OPTIONS_INIT;
    UVA_IGNORE(uva_loop_call_soon(NULL, note_colour, &self->trace, NULL, NULL));
    set(green, NULL);
    UVA_IGNORE(uva_loop_call_soon(NULL, note_colour, &self->trace, NULL, NULL));
    self->given.context = uva_copy_context();
    UVA_IGNORE(uva_loop_call_later(NULL, UVA_MS(1), note_colour, &self->trace,
                                   NULL, NULL));
    set(blue, NULL);
    UVA_IGNORE(uva_loop_call_soon_threadsafe(loop, note_colour, &self->trace,
                                             NULL, NULL));
    UVA_IGNORE(uva_loop_call_soon(loop, note_colour, &self->trace, &self->given,
                                  &self->handle));
    ck_assert_ptr_eq(uva_handle_get_context(self->handle), self->given.context);
    uva_handle_unref(self->handle);
    AWAIT(self->r, uva_sleep, UVA_MS(2));
    ck_assert_str_eq(self->trace.text, "red green blue green green");
    uva_context_unref(self->given.context);
    UVA_END
    return 0;
}

static void set_blue(void *data)
{
    (void)data;
    set(blue, NULL);
}

/* What a call sets is gone with it, unless its context is somebody's. */
KIND_TEST(calls_leave_nothing, uva_call_options_t given; int r;)
{
    UVA_BEGIN
    self->given = (uva_call_options_t)UVA_CALL_OPTIONS_INIT;
    self->given.context = uva_context_new();
    UVA_IGNORE(uva_loop_call_soon(NULL, set_blue, NULL, NULL, NULL));
    UVA_IGNORE(uva_loop_call_soon(uva_get_running_loop(), set_blue, NULL,
                                  &self->given, NULL));
    AWAIT(self->r, uva_sleep, 0);
    ck_assert_str_eq(now(), "red");
    ck_assert_str_eq(in(self->given.context), "blue");
    uva_context_unref(self->given.context);
    UVA_END
    return 0;
}

/* A task that awaits another keeps its own; an eager task has its own too. */
static int set_green(void *arg, void **ret_result)
{
    (void)arg;
    (void)ret_result;
    set(green, NULL);
    return 0;
}

UVA_TEST(eager_tasks_have_their_own)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_task_t *task;

    options.eager_start = true;
    set(blue, NULL);
    task = uva_create_task_with(set_green, NULL, &options);
    ck_assert(uva_future_done(UVA_FUTURE(task)));
    ck_assert_str_eq(now(), "blue");
    ck_assert_str_eq(in(uva_task_get_context(task)), "green");
    uva_task_unref(task);
}

/* --- without memory --- */

static int set_and_copy(void)
{
    uva_context_token_t token;
    uva_context_t *copy;
    int r = uva_context_var_set(&colour, green, &token);

    if (r < 0) {
        ck_assert_str_eq(now(), "red");
        return r;
    }
    copy = uva_copy_context();
    r = uva_context_var_reset(&colour, &token);
    if (r < 0) {
        ck_assert_str_eq(now(), "green");
        uva_testing_fail_allocation(0, false);
        ck_assert_int_eq(uva_context_var_reset(&colour, &token), 0);
    }
    if (copy == NULL) {
        r = UV_ENOMEM;
    }
    uva_context_unref(copy);
    return r;
}

UVA_TEST_STRICT(context_oom)
{
    ck_assert_int_eq(set_and_copy(), 0); /* What the task keeps. */
    UVA_OOM_TEST(set_and_copy());
}

/* A task whose context cannot be copied is none. */
static int spawn_with_context(void)
{
    uva_task_t *task;

    task = uva_create_task(nothing, NULL);
    uva_testing_fail_allocation(0, false);
    if (task == NULL) {
        return UV_ENOMEM;
    }
    return UVA_JOIN(task);
}

UVA_TEST_STRICT(task_context_oom)
{
    set(green, NULL);
    ck_assert_int_eq(spawn_with_context(), 0);
    UVA_OOM_TEST(spawn_with_context());
}

int main(void)
{
    Suite *suite = suite_create("context");
    TCase *variables = UVA_TCASE(suite, "Variables");
    TCase *running = UVA_LOOPS_TCASE(suite, "Running");
    TCase *tasks = UVA_TCASE(suite, "Tasks");
    TCase *memory = UVA_TCASE(suite, "Memory");

    UVA_ADD_TESTS(variables, get_set_reset, reset_out_of_order, null_is_a_value,
                  reset_of_another, many_variables, copies_are_apart);
    UVA_ADD_TESTS(running, run_inside_a_task, run_inside_a_callback,
                  run_outside_of_loops);
    KIND_ADD_TESTS(tasks, tasks_have_their_own, calls_have_their_own,
                   calls_leave_nothing);
    UVA_ADD_TESTS(tasks, eager_tasks_have_their_own);
    UVA_ADD_TESTS(memory, context_oom, task_context_oom);
    return uva_test_main(suite);
}
