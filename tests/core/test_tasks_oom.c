/*
 * Tasks without memory: each allocation of each function fails once. A failure
 * is UV_ENOMEM and leaves everything as it was; what only describes is dropped.
 */
#include "kinds.h"

#include "base/util.h"
#include "core/extra.h"
#include "core/object.h"

/* Once with all the memory there is: what is kept for good, such as a note of
 * how deep a function's stack was, is there then. */
#define OOM_TEST(expression)             \
    do {                                 \
        ck_assert_int_ge(expression, 0); \
        UVA_OOM_TEST(expression);        \
    } while (0)

/*
 * Evaluate expression with allocation 1, 2, 3, ... failing, until it makes
 * fewer: for what goes on without memory. check is evaluated after each.
 */
#define OOM_EACH(expression, check)                          \
    do {                                                     \
        size_t bytes = 0;                                    \
        uint64_t made = UINT64_MAX;                          \
        for (uint64_t n = 0; n <= made; n++) {               \
            made = uva_testing_allocations();                \
            uva_testing_fail_allocation(n, false);           \
            expression;                                      \
            uva_testing_fail_allocation(0, false);           \
            made = uva_testing_allocations() - made;         \
            check;                                           \
            forget_failure();                                \
            bytes = n == 0 ? uva_allocated_bytes() : bytes;  \
            ck_assert_uint_eq(uva_allocated_bytes(), bytes); \
        }                                                    \
    } while (0)

/* What an await told to the running task. */
static void forget_failure(void)
{
    uva_task_t *task = uva_current_task();

    if (task->extra != NULL) {
        task->extra->error = uva_error_unref(task->extra->error);
    }
}

static uva_context_var_t variable = {"variable", NULL};

static int nothing(void *arg, void **ret_result)
{
    *ret_result = arg;
    return 0;
}

static int within_a_second(uva_coro_cb body)
{
    void *result;
    int r;

    UVA_TIMEOUT (r, UVA_SEC(1)) {
        r = body(NULL, &result);
    }
    return r;
}

static int yields(void *arg, void **ret_result)
{
    *ret_result = arg;
    return uva_sleep(0);
}

UVA_TASK(int, adds, int a; int b; char large[200];)
{
    *ret = args->a + args->b;
    return 0;
}

UVA_STACKLESS(int, adds_light, int a; int b; char large[200];)
{
    *ret = self->a + self->b;
    return 0;
}

static int join(uva_task_t *task)
{
    return uva_join(UVA_FUTURE(task), NULL);
}

/* --- making tasks --- */

UVA_TEST_STRICT(create_task)
{
    uva_awaitable_t awaitable = {NULL, yields, NULL};
    uva_loop_t *loop = uva_get_running_loop();
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    OOM_TEST(join(uva_create_task(yields, NULL)));
    OOM_TEST(join(uva_loop_create_task(loop, yields, NULL, NULL)));
    OOM_TEST(uva_join(uva_ensure_future(&awaitable, NULL), NULL));
    options.name = "named";
    OOM_TEST(join(uva_create_task_with(yields, NULL, &options)));
    /* With a context to be copied, and a place to be kept. */
    ck_assert_int_eq(uva_context_var_set(&variable, &options, NULL), 0);
    OOM_TEST(join(uva_create_task_with(yields, NULL, &options)));
    uva_loop_set_debug(loop, true);
    OOM_TEST(join(uva_create_task_with(yields, NULL, &options)));
}

UVA_TEST_STRICT(spawn)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;

    OOM_TEST(adds_await(uva_spawn(adds, 1, 2), NULL));
    OOM_TEST(adds_light_await(uva_spawn(adds_light, 1, 2), NULL));
    options.name = "named";
    ck_assert_int_eq(uva_context_var_set(&variable, &options, NULL), 0);
    OOM_TEST(adds_await(uva_spawn_with(&options, adds, 1, 2), NULL));
    OOM_TEST(
        adds_light_await(uva_spawn_with(&options, adds_light, 1, 2), NULL));
    options.eager_start = true;
    OOM_TEST(adds_await(uva_spawn_with(&options, adds, 1, 2), NULL));
    OOM_TEST(
        adds_light_await(uva_spawn_with(&options, adds_light, 1, 2), NULL));
    OOM_TEST(adds_await(
        uva_spawn_with(ON_LOOP(uva_get_running_loop()), adds, 1, 2), NULL));
}

static int drops;

UVA_TASK_DROP(int, drops_argument, drop_argument, int unused;)
{
    *ret = args->unused;
    return 0;
}

static void drop_argument(drops_argument_args_t *args)
{
    (void)args;
    drops++;
}

static int spawn_in_group(const uva_task_options_t *options)
{
    uva_task_options_t own = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t group;

    if (options != NULL) {
        own = *options;
    }
    drops = 0;
    (void)uva_taskgroup_enter(&group);
    (void)uva_taskgroup_spawn(&group, drops_argument);
    own.group = &group;
    UVA_IGNORE(uva_spawn_with(&own, drops_argument));
    return uva_taskgroup_exit(&group, 0);
}

static int group_result;

UVA_TEST_STRICT(spawn_of_children)
{
    uva_task_options_t named = UVA_TASK_OPTIONS_INIT;
    const uva_task_options_t *options[] = {NULL, &named};

    named.name = "named";
    uva_test_log_begin();
    for (int i = 0; i < 2; i++) {
        OOM_EACH(group_result = spawn_in_group(options[i]), {
            ck_assert(group_result == 0 || group_result == UVA_EGROUP ||
                      group_result == UV_ENOMEM);
            ck_assert_int_eq(drops, 2);
            ck_assert_uint_eq(uva_task_cancelling(uva_current_task()), 0);
        });
        ck_assert_int_eq(spawn_in_group(options[i]), 0);
    }
    uva_test_log_end();
}

UVA_TEST_STRICT(names)
{
    uva_task_t *task = uva_create_task(yields, NULL);
    const char *name = NULL;

    OOM_TEST(uva_task_set_name(task, "a name"));
    ck_assert_str_eq(uva_task_get_name(task), "a name");
    ck_assert_int_eq(join(task), 0);
    for (uint64_t n = 1; n <= 2; n++) {
        task = uva_create_task(yields, NULL);
        uva_testing_fail_allocation(n, false);
        name = uva_task_get_name(task);
        uva_testing_fail_allocation(0, false);
        ck_assert_str_eq(name, "");
        ck_assert_str_ne(uva_task_get_name(task), "");
        ck_assert_int_eq(join(task), 0);
    }
}

/* --- waiting --- */

static int wait_for_both(uva_future_t **futures, uint64_t timeout_ns)
{
    int r = uva_wait(futures, 2, timeout_ns, UVA_ALL_COMPLETED, NULL, NULL);

    return r < 0 ? r : 0;
}

static int gather_both(uva_future_t **futures, unsigned flags)
{
    uva_future_ref(futures[0]);
    uva_future_ref(futures[1]);
    return uva_gather(futures, 2, flags, NULL);
}

static int gather_as_future(uva_future_t **futures)
{
    uva_future_ref(futures[0]);
    uva_future_ref(futures[1]);
    return uva_join(uva_gather_future(futures, 2, 0), NULL);
}

static int shield_as_future(uva_future_t *future)
{
    return uva_join(uva_shield_future(future), NULL);
}

static int first_of(uva_future_t **futures)
{
    uva_as_completed_t iterator;
    uva_future_t *next;
    int r = uva_as_completed_start(&iterator, futures, 2, UVA_SEC(1));

    if (r >= 0) {
        r = uva_as_completed_next(&iterator, &next);
    }
    uva_as_completed_destroy(&iterator);
    return r < 0 ? r : 0;
}

UVA_TEST_STRICT(waits)
{
    /* Done already, so that nothing has to end while memory is short. */
    uva_future_t *futures[] = {uva_create_future(), uva_create_future()};

    ck_assert_int_eq(uva_future_set_result(futures[0], NULL, NULL), 0);
    ck_assert_int_eq(uva_future_set_result(futures[1], NULL, NULL), 0);
    OOM_TEST(uva_sleep(0));
    OOM_TEST(uva_sleep(UVA_MS(1)));
    OOM_TEST(uva_await(futures[0], NULL));
    OOM_TEST(wait_for_both(futures, UVA_FOREVER));
    OOM_TEST(wait_for_both(futures, UVA_SEC(1)));
    OOM_TEST(gather_both(futures, 0));
    OOM_TEST(gather_both(futures, UVA_RETURN_EXCEPTIONS));
    OOM_TEST(gather_as_future(futures));
    OOM_TEST(uva_shield(futures[0], NULL));
    OOM_TEST(shield_as_future(futures[0]));
    OOM_TEST(first_of(futures));
    OOM_TEST(within_a_second(yields));
    OOM_TEST(within_a_second(nothing));
    uva_future_unref(futures[0]);
    uva_future_unref(futures[1]);
}

/* The same with what is pending: a task of its own, whose making can fail too,
 * or a future that a call completes. */

static int wait_for_task(void)
{
    return uva_wait_for(UVA_FUTURE(uva_create_task(yields, NULL)), UVA_SEC(1),
                        NULL);
}

static int shield_task(void)
{
    uva_task_t *task = uva_create_task(yields, NULL);
    int r = uva_shield(UVA_FUTURE(task), NULL);

    if (task != NULL && !uva_future_done(UVA_FUTURE(task))) {
        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
    }
    uva_task_unref(task);
    return r;
}

static int cancel_task(void)
{
    uva_task_t *task = uva_create_task(yields, NULL);
    int r = task == NULL ? UV_ENOMEM : uva_cancel_and_wait(UVA_FUTURE(task));

    if (task != NULL && !uva_future_done(UVA_FUTURE(task))) {
        (void)uva_task_cancel(task);
        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), UV_ECANCELED);
    }
    uva_task_unref(task);
    return r;
}

static int gather_tasks(void)
{
    uva_task_t *tasks[] = {uva_create_task(yields, NULL),
                           uva_create_task(yields, NULL)};
    int r = uva_gather(UVA_FUTURES(tasks), 2, 0, NULL);

    if (r < 0) { /* The others go on: let them end. */
        ck_assert_int_eq(uva_sleep(0), 0);
        ck_assert_int_eq(uva_sleep(0), 0);
        ck_assert_int_eq(uva_sleep(0), 0);
    }
    return r;
}

static int gather_typed_tasks(bool all)
{
    adds_task_t *tasks[] = {uva_spawn(adds, 1, 2), uva_spawn(adds, 3, 4)};
    int codes[2] = {0, 0};
    int sums[2];
    int r = all ? adds_gather(tasks, 2, UVA_RETURN_EXCEPTIONS, codes, sums)
                : adds_gather(tasks, 2, 0, NULL, sums);

    if (r >= 0 && all) {
        r = codes[0] < 0 ? codes[0] : codes[1];
    }
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_sleep(0), 0);
    return r;
}

static int wait_for_tasks(void)
{
    uva_task_t *tasks[] = {uva_create_task(yields, NULL),
                           uva_create_task(yields, NULL)};
    int r = uva_wait(UVA_FUTURES(tasks), 2, UVA_SEC(1), UVA_ALL_COMPLETED, NULL,
                     NULL);

    for (int i = 0; i < 2; i++) {
        int code = uva_join(UVA_FUTURE(tasks[i]), NULL);
        ck_assert(code == 0 || (code == UV_ENOMEM && tasks[i] == NULL));
        r = code < 0 ? code : r;
    }
    return r < 0 ? r : 0;
}

UVA_TEST_STRICT(waits_for_tasks)
{
    OOM_TEST(wait_for_task());
    OOM_TEST(shield_task());
    OOM_TEST(cancel_task());
    OOM_TEST(gather_tasks());
    OOM_TEST(gather_typed_tasks(false));
    OOM_TEST(gather_typed_tasks(true));
    OOM_TEST(wait_for_tasks());
}

/* --- a second to wait for a task that is gathered --- */

static int await_it(uva_future_t *task)
{
    return uva_await(task, NULL);
}

static int join_it(uva_future_t *task)
{
    return uva_join(uva_future_ref(task), NULL);
}

static int wait_for_it(uva_future_t *task)
{
    int r = uva_wait(&task, 1, UVA_FOREVER, UVA_ALL_COMPLETED, NULL, NULL);

    return r < 0 ? r : 0;
}

static int complete_it(uva_future_t *task)
{
    uva_as_completed_t iterator;
    uva_future_t *next;
    int r = uva_as_completed_start(&iterator, &task, 1, UVA_FOREVER);

    if (r >= 0) {
        r = uva_as_completed_next(&iterator, &next);
    }
    uva_as_completed_destroy(&iterator);
    return r < 0 ? r : 0;
}

static int shield_it(uva_future_t *task)
{
    return uva_shield(task, NULL);
}

static int gather_it_again(uva_future_t *task)
{
    uva_future_t *twice[] = {uva_future_ref(task), uva_future_ref(task)};

    return uva_gather(twice, 2, 0, NULL);
}

static void count_one(UVA_UNUSED uva_future_t *task, void *data)
{
    ++*(int *)data;
}

static int call_after_it(uva_future_t *task)
{
    int calls = 0;
    int r = uva_future_add_done_callback(task, count_one, &calls, NULL);

    if (r >= 0) {
        r = uva_await(task, NULL);
        ck_assert(r == UV_ENOMEM || calls == 1);
        (void)uva_future_remove_done_callback(task, count_one, &calls);
    }
    return r;
}

/* The gather and its child go on, whoever could not join them. */
static int gathered_too(uva_future_t *take_task,
                        int (*second)(uva_future_t *task))
{
    uva_future_t *taken = uva_future_ref(take_task);
    uva_future_t *outer = uva_gather_future(&taken, 1, 0);
    int r = take_task == NULL || outer == NULL ? UV_ENOMEM : second(take_task);

    uva_testing_fail_allocation(0, false);
    UVA_IGNORE(uva_future_exception(outer)); /* Of a task that was not made. */
    if (take_task != NULL) {
        int code = uva_await(outer != NULL ? outer : take_task, NULL);
        ck_assert(code == 0 || (code == UV_ENOMEM && outer != NULL));
        ck_assert(uva_future_done(take_task));
        r = r < 0 ? r : code;
    }
    uva_future_unref(outer);
    uva_future_unref(take_task);
    return r;
}

UVA_TEST_STRICT(second_of_a_gathered)
{
    int (*const seconds[])(uva_future_t *) = {
        await_it,  join_it,         wait_for_it,  complete_it,
        shield_it, gather_it_again, call_after_it};

    for (size_t i = 0; i < UVA__COUNT(seconds); i++) {
        OOM_TEST(gathered_too(UVA_FUTURE(uva_create_task(yields, NULL)),
                              seconds[i]));
    }
}

UVA_TASK(int, yields_typed)
{
    *ret = 5;
    return uva_sleep(0);
}

UVA_STACKLESS(int, joins_light, yields_typed_task_t *take_task;)
{
    int r;

    UVA_BEGIN
    UVA_AWAIT(r, yields_typed_await, self->take_task, ret);
    UVA_END
    return r;
}

static int join_typed_it(uva_future_t *task)
{
    int value = 0;
    int r = yields_typed_await(
        (yields_typed_task_t *)(void *)uva_future_ref(task), &value);

    ck_assert(r < 0 || value == 5);
    return r;
}

static int join_light_it(uva_future_t *task)
{
    yields_typed_task_t *taken =
        (yields_typed_task_t *)(void *)uva_future_ref(task);
    joins_light_task_t *joins = uva_spawn(joins_light, .take_task = taken);
    int value = 0;
    int r;

    if (joins == NULL) {
        uva_future_unref(task);
        return UV_ENOMEM;
    }
    r = joins_light_await(joins, &value);
    ck_assert(r < 0 || value == 5);
    return r;
}

UVA_TEST_STRICT(second_of_a_gathered_typed)
{
    OOM_TEST(gathered_too(UVA_FUTURE(uva_spawn(yields_typed)), join_typed_it));
    OOM_TEST(gathered_too(UVA_FUTURE(uva_spawn(yields_typed)), join_light_it));
}

static uva_future_t *own_gather;

static int gathers_itself(void *arg, void **ret_result)
{
    uva_future_t *self = uva_future_ref(UVA_FUTURE(uva_current_task()));

    own_gather = uva_gather_future(&self, 1, 0);
    *ret_result = arg;
    return uva_sleep(0);
}

/* A child that is gathered before its group has it. */
static int group_with_own_gather(void)
{
    uva_task_options_t eager = UVA_TASK_OPTIONS_INIT;
    uva_taskgroup_t group;
    int r;

    own_gather = NULL;
    eager.eager_start = true;
    (void)uva_taskgroup_enter(&group);
    (void)uva_taskgroup_create_task(&group, gathers_itself, NULL, &eager);
    r = uva_taskgroup_exit(&group, 0);
    if (own_gather != NULL) {
        int code = uva_await(own_gather, NULL);
        ck_assert(code == 0 || code == UV_ENOMEM || r < 0);
        uva_future_unref(own_gather);
    }
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(uva_sleep(0), 0);
    forget_failure();
    return r == UVA_EGROUP || own_gather == NULL ? UV_ENOMEM : r;
}

UVA_TEST_STRICT(child_gathered_by_its_body)
{
    uva_test_log_begin();
    OOM_TEST(group_with_own_gather());
    uva_test_log_end();
}

/* A future that is no task needs a node, which fails after a task had its
 * gather: that one is let go. */
static int gather_mixed(void)
{
    uva_task_t *task = uva_create_task(yields, NULL);
    uva_future_t *future = uva_create_future();
    uva_future_t *futures[] = {uva_future_ref(UVA_FUTURE(task)),
                               uva_future_ref(future)};
    uva_future_t *outer = uva_gather_future(futures, 2, 0);
    int r = task == NULL || future == NULL || outer == NULL ? UV_ENOMEM : 0;

    uva_testing_fail_allocation(0, false);
    if (task != NULL) {
        ck_assert(outer != NULL || !hand_has_callbacks(UVA_FUTURE(task)));
        ck_assert_int_eq(uva_await(UVA_FUTURE(task), NULL), 0);
    }
    if (future != NULL) {
        ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    }
    if (outer != NULL) {
        int code = uva_await(outer, NULL);
        ck_assert(code == 0 || r < 0);
    }
    ck_assert_int_eq(uva_sleep(0), 0); /* The gather has seen the task. */
    uva_future_unref(outer);
    uva_future_unref(future);
    uva_task_unref(task);
    return r;
}

UVA_TEST_STRICT(gather_of_other_futures)
{
    OOM_TEST(gather_mixed());
}

KIND_TASK(int, light_waits, uva_future_t *futures[2]; uva_future_t * pair[2];
          uva_result_t results[2];
          int r;)
{
    UVA_BEGIN
    AWAIT(self->r, uva_sleep, UVA_MS(1));
    if (self->r >= 0) {
        AWAIT(self->r, uva_wait, self->futures, 2, UVA_SEC(1),
              UVA_ALL_COMPLETED, NULL, NULL);
    }
    if (self->r >= 0) {
        self->pair[0] = uva_future_ref(self->futures[0]);
        self->pair[1] = uva_future_ref(self->futures[1]);
        AWAIT(self->r, uva_gather, self->pair, 2, UVA_RETURN_EXCEPTIONS, NULL);
    }
    if (self->r >= 0) {
        AWAIT(self->r, uva_shield, self->futures[0], NULL);
    }
    if (self->r >= 0) {
        self->pair[0] = uva_future_ref(self->futures[0]);
        AWAIT(self->r, uva_wait_for, self->pair[0], UVA_SEC(1), NULL);
    }
    UVA_END
    return self->r < 0 ? self->r : 0;
}

UVA_TEST_STRICT(waits_of_stackless)
{
    uva_future_t *futures[] = {uva_create_future(), uva_create_future()};

    ck_assert_int_eq(uva_future_set_result(futures[0], NULL, NULL), 0);
    ck_assert_int_eq(uva_future_set_result(futures[1], NULL, NULL), 0);
    OOM_TEST(light_waits_await(
        uva_spawn(light_waits, .futures = {futures[0], futures[1]}), NULL));
    uva_future_unref(futures[0]);
    uva_future_unref(futures[1]);
}

/* --- words: dropped, never the code --- */

static int fails(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_fail(UV_EIO, "text number %d", *(int *)arg);
}

static int fails_further(void *arg, void **ret_result)
{
    int r = uva_join(UVA_FUTURE(uva_create_task(fails, arg)), NULL);

    (void)ret_result;
    return r == UV_ENOMEM ? r : uva_fail(UVA_EUSER, "because of it");
}

static int passes_on(void *arg, void **ret_result)
{
    (void)ret_result;
    return uva_join(UVA_FUTURE(uva_create_task(fails, arg)), NULL);
}

static int last_code;

UVA_TEST_STRICT(texts)
{
    int number = 7;

    OOM_EACH(last_code = join(uva_create_task(fails, &number)),
             { ck_assert(last_code == UV_EIO || last_code == UV_ENOMEM); });
    OOM_EACH(last_code = join(uva_create_task(passes_on, &number)),
             { ck_assert(last_code == UV_EIO || last_code == UV_ENOMEM); });
    OOM_EACH(last_code = join(uva_create_task(fails_further, &number)),
             { ck_assert(last_code == UVA_EUSER || last_code == UV_ENOMEM); });
}

static int cancel_with_words(void)
{
    uva_task_t *task = uva_create_task(yields, NULL);
    int r;

    if (task == NULL) {
        return UV_ENOMEM;
    }
    if (uva_sleep(0) < 0 ||
        !uva_future_cancel_message(UVA_FUTURE(task), "some words")) {
        ck_abort_msg("not cancelled");
    }
    r = uva_await(UVA_FUTURE(task), NULL);
    uva_task_unref(task);
    return r;
}

UVA_TEST_STRICT(cancel_messages)
{
    OOM_EACH(last_code = cancel_with_words(), {
        ck_assert(last_code == UV_ECANCELED || last_code == UV_ENOMEM);
    });
}

static int format(uva_future_t *future)
{
    uva_buffer_t text = {NULL, 0, 0};
    int r = future == NULL
                ? uva_loop_format_tasks(uva_get_running_loop(), &text)
                : uva_format_call_graph(future, &text);

    uva_buffer_clear(&text);
    return r;
}

UVA_TEST_STRICT(dumps)
{
    uva_future_t *future = uva_create_future();
    uva_task_t *task =
        UVA_ERASE(KIND_SPAWN(light_waits, .futures = {future, future}));

    ck_assert_int_eq(uva_task_set_name(uva_current_task(), "main"), 0);
    ck_assert_int_eq(uva_task_set_name(task, "waits"), 0);
    ck_assert_int_eq(uva_sleep(UVA_MS(2)), 0);
    OOM_TEST(format(NULL));
    OOM_TEST(format(future));
    OOM_TEST(format(UVA_FUTURE(task)));
    ck_assert_int_eq(uva_future_set_result(future, NULL, NULL), 0);
    ck_assert_int_eq(join(task), 0);
    uva_future_unref(future);
}

/* --- coroutines and whole runs --- */

static int gives_twice(void *arg, void **ret_result)
{
    int r = uva_coroutine_yield(arg, NULL);

    *ret_result = arg;
    return r;
}

static int drive(void)
{
    uva_coroutine_t *coroutine;
    int r = uva_coroutine_new(gives_twice, NULL, NULL, &coroutine);

    if (r < 0) {
        return r;
    }
    r = uva_coroutine_send(coroutine, NULL, NULL);
    if (r == 1) {
        r = uva_coroutine_send(coroutine, NULL, NULL);
    }
    uva_coroutine_unref(coroutine);
    return r;
}

UVA_TEST_STRICT(coroutines)
{
    OOM_TEST(drive());
}

START_TEST(runs)
{
    int sum = 0;

    ck_assert_int_eq(uva_run_task(adds, NULL, NULL, 1, 2), 0);
    uva_testing_strict_allocation(true);
    uva_test_log_begin();
    OOM_TEST(uva_run_task(adds, NULL, &sum, 1, 2));
    ck_assert_int_eq(sum, 3);
    sum = 0;
    OOM_TEST(uva_run_task(adds_light, NULL, &sum, 1, 2));
    ck_assert_int_eq(sum, 3);
    uva_test_log_end();
    uva_testing_strict_allocation(false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tasks_oom");
    TCase *make = UVA_TCASE(suite, "Make");
    TCase *wait = UVA_TCASE(suite, "Wait");
    TCase *words = UVA_TCASE(suite, "Words");
    TCase *run = UVA_TCASE(suite, "Run");

    UVA_ADD_TESTS(make, create_task, spawn, spawn_of_children, names);
    UVA_ADD_TESTS(wait, waits, waits_for_tasks, second_of_a_gathered,
                  second_of_a_gathered_typed, child_gathered_by_its_body,
                  gather_of_other_futures, waits_of_stackless);
    UVA_ADD_TESTS(words, texts, cancel_messages, dumps);
    UVA_ADD_TESTS(run, coroutines, runs);
    return uva_test_main(suite);
}
