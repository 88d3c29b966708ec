/*
 * Typed tasks: the loops that they are spawned on, running or not, and the
 * options that they are spawned with. Each test spawns both kinds.
 */
#include <stdio.h>
#include <string.h>

#include "core/futures.h"
#include "core/loop.h"
#include "core/ready.h"
#include "core/step.h"
#include "core/timers.h"
#include "core/waiters.h"
#include "host.h"

/* --- tasks that own something --- */

UVA_TASK_DROP(int, owns, owns_drop, int value; int *drops;)
{
    *ret = args->value + 1;
    return uva_sleep(UVA_US(1));
}

static void owns_drop(owns_args_t *args)
{
    ++*args->drops;
}

UVA_STACKLESS_DROP(int, owns_light, owns_light_drop, int value; int *drops;
                   uva_sleep_op_t nap;
                   int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_sleep, &self->nap, UVA_US(1));
    UVA_END
    *ret = self->value + 2;
    return self->r;
}

static void owns_light_drop(owns_light_args_t *self)
{
    ++*self->drops;
}

/* What a done task has given. */
static int value_of(uva_task_t *task)
{
    void *place = NULL;

    ck_assert_int_eq(uva_future_result(UVA_FUTURE(task), &place), 0);
    return *(int *)place;
}

/* --- loops --- */

START_TEST(loop_that_does_not_run)
{
    uva_loop_t *loop = _i == 0 ? new_loop() : new_real_loop();
    int drops = 0;
    owns_task_t *task =
        uva_spawn_with(ON_LOOP(loop), owns, 10, .drops = &drops);
    owns_light_task_t *light =
        uva_spawn_with(ON_LOOP(loop), owns_light, .drops = &drops, .value = 20);

    ck_assert_ptr_eq(uva_future_get_loop(UVA_FUTURE(task)), loop);
    ck_assert_ptr_eq(uva_future_get_loop(UVA_FUTURE(light)), loop);
    ck_assert_uint_eq(uva_loop_all_tasks(loop, NULL, 0), 2);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(light), NULL),
                     0);
    ck_assert_int_eq(value_of(UVA_ERASE(task)), 11);
    ck_assert_int_eq(value_of(UVA_ERASE(light)), 22);
    ck_assert_int_eq(drops, 2);
    uva_task_unref(UVA_ERASE(task));
    uva_task_unref(UVA_ERASE(light));
    end_loop(loop);
}
END_TEST

/* While one loop runs, on another of the same thread. */
UVA_TASK(void, spawns_beside, uva_loop_t *loop; int *drops;)
{
    owns_task_t *task =
        uva_spawn_with(ON_LOOP(args->loop), owns, 10, args->drops);
    owns_light_task_t *light =
        uva_spawn_with(ON_LOOP(args->loop), owns_light, 20, args->drops);

    ck_assert_int_eq(uva_sleep(UVA_MS(1)), 0);
    ck_assert_int_eq(*args->drops, 0);
    ck_assert_int_eq(owns_await(task, NULL), UVA_EWRONGLOOP);
    ck_assert(uva_task_cancel(UVA_ERASE(light)));
    uva_task_unref(UVA_ERASE(light));
    return 0;
}

START_TEST(loop_beside_the_running_one)
{
    uva_loop_t *loop = new_loop();
    uva_loop_t *beside = new_loop();
    int drops = 0;
    spawns_beside_task_t *task =
        uva_spawn_with(ON_LOOP(loop), spawns_beside, beside, &drops);

    ck_assert_int_eq(uva_loop_run_until_complete(loop, UVA_FUTURE(task), NULL),
                     0);
    uva_task_unref(UVA_ERASE(task));
    ck_assert_int_eq(uva_loop_run_until_idle(beside), 0);
    ck_assert_int_eq(drops, 2); /* Of one that ran, and one that did not. */
    end_loop(beside);
    end_loop(loop);
}
END_TEST

/* NULL is the running loop. */
UVA_TEST(running_loop)
{
    int drops = 0;
    int value = 0;

    ck_assert_int_eq(
        owns_await(uva_spawn_with(ON_LOOP(NULL), owns, 1, &drops), &value), 0);
    ck_assert_int_eq(value, 2);
    ck_assert_int_eq(
        owns_light_await(uva_spawn_with(ON_LOOP(uva_get_running_loop()),
                                        owns_light, 1, &drops),
                         &value),
        0);
    ck_assert_int_eq(value, 3);
    ck_assert_int_eq(drops, 2);
}

/* Both kinds are refused with a code, and their arguments dropped. */
static void check_refused(const uva_task_options_t *options, int code)
{
    int drops = 0;
    owns_task_t *task = uva_spawn_with(options, owns, .drops = &drops);
    owns_light_task_t *light =
        uva_spawn_with(options, owns_light, .drops = &drops);

    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(task)), code);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(light)), code);
    /* One for each code, and nobody's to free. */
    ck_assert_ptr_eq(UVA_ERASE(task), UVA_ERASE(light));
    ck_assert_int_eq(drops, 2);
}

static void check_foreign_thread(void *loop)
{
    check_refused(ON_LOOP(loop), UV_EPERM);
}

START_TEST(loops_that_refuse)
{
    uva_loop_options_t limits = UVA_LOOP_OPTIONS_INIT;
    uva_task_options_t wrong = UVA_TASK_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();
    uv_thread_t thread;

    check_refused(NULL, UVA_ENOLOOP);
    wrong.size = sizeof wrong - 1;
    wrong.loop = loop;
    check_refused(&wrong, UV_EINVAL);
    uva_test_log_begin();
    ck_assert_int_eq(uv_thread_create(&thread, check_foreign_thread, loop), 0);
    ck_assert_int_eq(uv_thread_join(&thread), 0);
    ck_assert(logged("thread"));
    uva_test_log_end();
    ck_assert_int_eq(uva_loop_close(loop), 0);
    check_refused(ON_LOOP(loop), UV_EPERM);
    uva_loop_unref(loop);

    limits.max_tasks = 1;
    ck_assert_int_eq(uva_loop_new_virtual(&limits, &loop), 0);
    uva_task_unref(uva_loop_create_task(loop, nothing, NULL, NULL));
    check_refused(ON_LOOP(loop), UV_EAGAIN);
    ck_assert_int_eq(uva_loop_run_until_idle(loop), 0);
    end_loop(loop);
}
END_TEST

/* --- a host's callback --- */

static int dropped;

static void spawn_from_host(void *data)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    options.eager_start = true; /* Means nothing: no loop runs. */
    options.loop = guest;
    ck_assert_ptr_null(uva_get_running_loop());
    uva_task_unref(UVA_ERASE(uva_spawn_with(ON_LOOP(guest), owns, 0, data)));
    uva_task_unref(
        UVA_ERASE(uva_spawn_with(&options, owns_light, 0, .drops = data)));
    ck_assert_int_eq(
        uva_future_exception(UVA_FUTURE(uva_spawn(owns, .drops = &dropped))),
        UVA_ENOLOOP);
}

START_TEST(hosts_callbacks)
{
    dropped = 0;
    ck_assert_int_eq(in_each_callback(spawn_from_host), 2 * HOST_CALLBACKS);
    ck_assert_int_eq(dropped, HOST_CALLBACKS);
}
END_TEST

static bool has_children;

/* A group takes children from there as well. */
UVA_TASK(int, has_group, uva_taskgroup_t **group; int *drops;)
{
    uva_taskgroup_t group;
    int r = uva_taskgroup_enter(&group);

    *args->group = &group;
    for (int i = 0; i < 10000 && r == 0 && !has_children; i++) {
        r = uva_sleep(UVA_MS(1));
    }
    r = uva_taskgroup_exit(&group, r);
    *args->group = NULL;
    *ret = *args->drops;
    return r;
}

static int child_drops;

static void spawn_into_group(void *data)
{
    uva_taskgroup_t *group = *(uva_taskgroup_t **)data;

    ck_assert_ptr_null(uva_get_running_loop());
    ck_assert_ptr_nonnull(group);
    (void)uva_taskgroup_spawn(group, owns, .drops = &child_drops);
    (void)uva_taskgroup_spawn(group, owns_light, .drops = &child_drops);
    has_children = true;
}

START_TEST(groups_in_hosts_callbacks)
{
    uva_taskgroup_t *group = NULL;
    host_call_t call = {spawn_into_group, &group};
    has_group_task_t *task;
    union uv_any_handle handle;

    child_drops = 0;
    has_children = false;
    task = uva_spawn_with(ON_LOOP(guest), has_group, &group, &child_drops);
    /* The host's callback may come before the task's first step. */
    while (group == NULL) {
        (void)uv_run(&host, UV_RUN_ONCE);
    }
    host_make(1, &handle, &call);
    ck_assert_int_eq(uv_run(&host, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(value_of(UVA_ERASE(task)), 2);
    uva_task_unref(UVA_ERASE(task));
}
END_TEST

/* --- options --- */

static uva_context_var_t colour = {"colour", NULL};
static char red[] = "red";

/* What a task finds about itself. */
typedef struct report_s {
    char name[16];
    const char *colour;
    size_t stack_bytes; /* Of its slot, as of the loop that doubles none. */
} report_t;

static size_t own_stack_bytes(void)
{
    uva_task_t *task = uva__task_current();
    const uva__stack_pool_t *pool = &task->base.loop->stacks;
    const uva__stack_t *stack = UVA__CONTAINER_OF(
        uva__task_stackful(task)->flow, uva__stack_t, context);

    return stack->home->slot_bytes /
           (pool->standard->slot_bytes / UVA__STACK_DEFAULT_BYTES);
}

static void note(report_t *report)
{
    (void)snprintf(report->name, sizeof report->name, "%s",
                   uva_task_get_name(uva_current_task()));
    report->colour = uva_context_var_get(&colour);
}

UVA_TASK(void, notes, report_t *report;)
{
    note(args->report);
    args->report->stack_bytes = own_stack_bytes();
    return 0;
}

UVA_STACKLESS(void, notes_light, report_t *report;)
{
    note(self->report);
    return 0;
}

static void paint(void *data)
{
    ck_assert_int_eq(uva_context_var_set(&colour, data, NULL), 0);
}

/* Each way to spawn with options. */
enum {
    WAY_RUNNING,
    WAY_LOOP,
    WAY_GROUP,
    WAYS
};

typedef struct reports_s {
    report_t heavy;
    report_t light;
} reports_t;

static void
spawn_both(int way, const uva_task_options_t *options, reports_t *reports)
{
    uva_task_options_t own = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t group;
    notes_task_t *task;
    notes_light_task_t *light;
    bool eager = options != NULL && options->eager_start;

    if (options != NULL) {
        own = *options;
    }
    (void)uva_taskgroup_enter(&group);
    if (way == WAY_GROUP) {
        own.group = &group;
        task = uva_spawn_with(&own, notes, &reports->heavy);
        light = uva_spawn_with(&own, notes_light, &reports->light);
        uva_task_ref(UVA_ERASE(task));
        uva_task_ref(UVA_ERASE(light));
    } else if (way == WAY_LOOP) {
        own.loop = uva_get_running_loop();
        task = uva_spawn_with(&own, notes, &reports->heavy);
        light = uva_spawn_with(&own, notes_light, &reports->light);
    } else {
        task = uva_spawn_with(options, notes, &reports->heavy);
        light = uva_spawn_with(options, notes_light, &reports->light);
    }
    ck_assert(uva_future_done(UVA_FUTURE(task)) == eager);
    ck_assert(uva_future_done(UVA_FUTURE(light)) == eager);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(notes_await(task, NULL), 0);
    ck_assert_int_eq(notes_light_await(light, NULL), 0);
}

UVA_TEST(all_options)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_context_t *context = uva_context_new();

    ck_assert_int_eq(uva_context_run(context, paint, red), 0);
    for (int eager = 0; eager <= 1; eager++) {
        reports_t reports = {.light = {.name = ""}};
        options = (uva_task_options_t)UVA_TASK_OPTIONS_INIT;
        spawn_both(loop_test, NULL, &reports);
        ck_assert_ptr_null(reports.heavy.colour);
        ck_assert_ptr_null(reports.light.colour);
        ck_assert_uint_eq(reports.heavy.stack_bytes, UVA__STACK_DEFAULT_BYTES);
        options.name = "given";
        options.context = context;
        options.eager_start = eager == 1;
        options.stack_bytes = 1024 * 1024;
        spawn_both(loop_test, &options, &reports);
        ck_assert_str_eq(reports.heavy.name, "given");
        ck_assert_str_eq(reports.light.name, "given");
        ck_assert_ptr_eq(reports.heavy.colour, red);
        ck_assert_ptr_eq(reports.light.colour, red);
        ck_assert_uint_eq(reports.heavy.stack_bytes, 1024 * 1024);
    }
    uva_context_unref(context);
}

/* What was asked for, and what comes: classes of powers of two. */
static const struct {
    size_t wanted;
    size_t given;
} sizes[] = {
    {0, 256 * 1024},
    {1, 64 * 1024},
    {2, 64 * 1024},
    {64 * 1024, 64 * 1024},
    {64 * 1024 + 1, 256 * 1024},
    {256 * 1024, 256 * 1024},
    {1000 * 1000, 1024 * 1024},
    {1024 * 1024, 1024 * 1024},
    {1024 * 1024 + 1, 2048 * 1024},
    {4096 * 1024, 4096 * 1024},
};

static int notes_plainly(void *arg, void **ret_result)
{
    (void)ret_result;
    *(size_t *)arg = own_stack_bytes();
    return 0;
}

UVA_TEST(stacks_of_any_size)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t plain = 0;
        reports_t reports;
        options.stack_bytes = sizes[i].wanted;
        spawn_both(loop_test, &options, &reports);
        ck_assert_uint_eq(reports.heavy.stack_bytes, sizes[i].given);
        ck_assert_int_eq(uva_join(UVA_FUTURE(uva_create_task_with(
                                      notes_plainly, &plain, &options)),
                                  NULL),
                         0);
        ck_assert_uint_eq(plain, sizes[i].given);
        /* The next one has its own again. */
        spawn_both(loop_test, NULL, &reports);
        ck_assert_uint_eq(reports.heavy.stack_bytes, UVA__STACK_DEFAULT_BYTES);
    }
}

/* The largest is 1 GiB: beyond it the task fails, and its body does not run. */
UVA_TEST(stacks_that_there_are_not)
{
    const size_t wanted[] = {((size_t)1 << 30) + 1, SIZE_MAX / 2 + 1, SIZE_MAX};
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int drops = 0;
        int value = -1;
        options.stack_bytes = wanted[i];
        ck_assert_int_eq(
            owns_await(uva_spawn_with(&options, owns, 1, .drops = &drops),
                       &value),
            UV_EINVAL);
        ck_assert_int_eq(drops, 1);
        ck_assert_int_eq(value, -1);
        ck_assert_int_eq(owns_light_await(uva_spawn_with(&options, owns_light,
                                                         1, .drops = &drops),
                                          &value),
                         0); /* Has none. */
    }
}

UVA_TEST(group_refuses_options)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t group;
    uva_task_t *child;
    int drops = 0;

    options.size--;
    (void)uva_taskgroup_enter(&group);
    child = uva_taskgroup_create_task(&group, notes_plainly, NULL, &options);
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(child)), UV_EINVAL);
    /* As each child that cannot be made it fails its group, which makes no
     * other. */
    child = UVA_ERASE(uva_taskgroup_spawn(&group, owns_light, .drops = &drops));
    ck_assert_int_eq(uva_future_exception(UVA_FUTURE(child)), UV_EPERM);
    ck_assert_int_eq(drops, 1);
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), UVA_EGROUP);
    ck_assert_int_eq(uva_error_code(uva_error_member(uva_task_error(), 0)),
                     UV_EINVAL);
}

int main(void)
{
    Suite *suite = suite_create("typed_spawn");
    TCase *loops = UVA_LOOPS_TCASE(suite, "Loops");
    TCase *attached = UVA_HOST_TCASE(suite, "Attached");
    TCase *with = UVA_TCASE(suite, "Options");

    tcase_add_loop_test(loops, loop_that_does_not_run, 0, 2);
    UVA_ADD_TESTS(loops, loop_beside_the_running_one, running_loop,
                  loops_that_refuse);
    UVA_ADD_TESTS(attached, hosts_callbacks, groups_in_hosts_callbacks);
    tcase_add_loop_test(with, all_options, 0, WAYS);
    tcase_add_loop_test(with, stacks_of_any_size, 0, WAYS);
    UVA_ADD_TESTS(with, stacks_that_there_are_not, group_refuses_options);
    return uva_test_main(suite);
}
