/*
 * The typed layer: arguments, results, both kinds, tasks of other files.
 */
#include <string.h>

#include "declared.h"
#include "uva_test.h"

/* --- arguments --- */

UVA_TASK(int, adds, int a, b; const char *text; double scale;)
{
    ck_assert(args->text == NULL || strcmp(args->text, "text") == 0);
    *ret = (args->a + args->b) * (args->scale > 1 ? (int)args->scale : 1);
    return 0;
}

UVA_STACKLESS(int, adds_light, int a, b; const char *text; double scale;)
{
    ck_assert(self->text == NULL || strcmp(self->text, "text") == 0);
    *ret = (self->a + self->b) * (self->scale > 1 ? (int)self->scale : 1);
    return 0;
}

UVA_TASK(int, no_arguments)
{
    *ret = 11;
    return uva_sleep(0);
}

UVA_STACKLESS(int, no_arguments_light)
{
    (void)self;
    *ret = 12;
    return 0;
}

#define CHECK_SPAWN(expected, ...)                                           \
    do {                                                                     \
        int got = -1;                                                        \
        ck_assert_int_eq(adds_await(uva_spawn(adds, __VA_ARGS__), &got), 0); \
        ck_assert_int_eq(got, expected);                                     \
        got = -1;                                                            \
        ck_assert_int_eq(                                                    \
            adds_light_await(uva_spawn(adds_light, __VA_ARGS__), &got), 0);  \
        ck_assert_int_eq(got, expected);                                     \
    } while (0)

UVA_TEST(arguments)
{
    int value = 0;

    CHECK_SPAWN(5, .a = 2, .b = 3);
    CHECK_SPAWN(7, 3, 4); /* In their order. */
    CHECK_SPAWN(4, 4);
    CHECK_SPAWN(9, .b = 9); /* Missing ones are zero. */
    CHECK_SPAWN(20, .scale = 4.0, .a = 2, .b = 3, .text = "text");
    ck_assert_int_eq(adds_await(uva_spawn(adds), &value), 0);
    ck_assert_int_eq(value, 0);
    ck_assert_int_eq(no_arguments_await(uva_spawn(no_arguments), &value), 0);
    ck_assert_int_eq(value, 11);
    ck_assert_int_eq(
        no_arguments_light_await(uva_spawn(no_arguments_light), &value), 0);
    ck_assert_int_eq(value, 12);
}

typedef struct large_s {
    char bytes[300];
    max_align_t aligned;
} large_t;

UVA_TASK(char, takes_large, char first; large_t large;)
{
    ck_assert_uint_eq((uintptr_t)&args->large % _Alignof(max_align_t), 0);
    *ret = args->large.bytes[299];
    return args->first == 'f' ? 0 : UV_EINVAL;
}

UVA_STACKLESS(char, takes_large_light, char first; large_t large;)
{
    ck_assert_uint_eq((uintptr_t)&self->large % _Alignof(max_align_t), 0);
    *ret = self->large.bytes[299];
    return self->first == 'f' ? 0 : UV_EINVAL;
}

UVA_TEST(arguments_are_copied)
{
    large_t large;
    takes_large_task_t *task;
    takes_large_light_task_t *light;
    char value = 0;

    memset(&large, 0, sizeof large);
    large.bytes[299] = 'z';
    task = uva_spawn(takes_large, 'f', large);
    light = uva_spawn(takes_large_light, 'f', large);
    memset(&large, 'x', sizeof large);
    ck_assert_int_eq(takes_large_await(task, &value), 0);
    ck_assert_int_eq(value, 'z');
    value = 0;
    ck_assert_int_eq(takes_large_light_await(light, &value), 0);
    ck_assert_int_eq(value, 'z');
}

/* --- results --- */

typedef struct odd_s {
    char bytes[3];
} odd_t;

/* A task of each kind that writes its result, and one that leaves it. */
#define RESULT_OF(T, name, sample)                                             \
    UVA_TASK(T, gives_##name, char pad; bool writes;)                          \
    {                                                                          \
        T value = sample;                                                      \
        if (args->writes) {                                                    \
            *ret = value;                                                      \
        }                                                                      \
        return 0;                                                              \
    }                                                                          \
    UVA_STACKLESS(T, gives_##name##_light, char pad; bool writes;)             \
    {                                                                          \
        T value = sample;                                                      \
        if (self->writes) {                                                    \
            *ret = value;                                                      \
        }                                                                      \
        return 0;                                                              \
    }                                                                          \
    static void check_##name(void)                                             \
    {                                                                          \
        T value = sample;                                                      \
        T zero;                                                                \
        T got[3];                                                              \
        void *place;                                                           \
        gives_##name##_task_t *tasks[] = {uva_spawn(gives_##name, 'p', true),  \
                                          uva_spawn(gives_##name, 'p'),        \
                                          uva_spawn(gives_##name, 'p', true)}; \
        gives_##name##_light_task_t *light =                                   \
            uva_spawn(gives_##name##_light, 'p', true);                        \
        memset(&zero, 0, sizeof zero);                                         \
        ck_assert_int_eq(uva_await(UVA_FUTURE(tasks[0]), &place), 0);          \
        ck_assert_uint_eq((uintptr_t)place % _Alignof(T), 0);                  \
        ck_assert_mem_eq(place, &value, sizeof(T));                            \
        memset(got, 0x55, sizeof got);                                         \
        ck_assert_int_eq(gives_##name##_gather(tasks, 3, 0, NULL, got), 0);    \
        ck_assert_mem_eq(&got[0], &value, sizeof(T));                          \
        ck_assert_mem_eq(&got[1], &zero, sizeof(T));                           \
        ck_assert_mem_eq(&got[2], &value, sizeof(T));                          \
        memset(got, 0x55, sizeof got);                                         \
        ck_assert_int_eq(gives_##name##_light_await(light, &got[1]), 0);       \
        ck_assert_mem_eq(&got[1], &value, sizeof(T));                          \
        memset(&zero, 0x55, sizeof zero);                                      \
        ck_assert_mem_eq(&got[0], &zero, sizeof(T));                           \
        ck_assert_mem_eq(&got[2], &zero, sizeof(T));                           \
        ck_assert_int_eq(gives_##name##_light_await(                           \
                             uva_spawn(gives_##name##_light, 'p'), NULL),      \
                         0);                                                   \
    }

RESULT_OF(bool, bool, true)
RESULT_OF(char, char, 'c')
RESULT_OF(short, short, 1234)
RESULT_OF(int, int, 123456789)
RESULT_OF(int64_t, long, INT64_C(1234567890123456789))
RESULT_OF(double, double, 1.5)
RESULT_OF(const char *, pointer, "text")
RESULT_OF(odd_t, odd, {"od"})

UVA_TEST(results_of_all_sizes)
{
    check_bool();
    check_char();
    check_short();
    check_int();
    check_long();
    check_double();
    check_pointer();
    check_odd();
}

UVA_TASK(large_t, gives_large, char fill;)
{
    ck_assert_uint_eq((uintptr_t)ret % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < sizeof ret->bytes; i++) {
        ck_assert_int_eq(ret->bytes[i], 0);
    }
    memset(ret->bytes, args->fill, sizeof ret->bytes);
    return 0;
}

UVA_TEST(result_larger_than_a_slab_object)
{
    static large_t large[2];
    gives_large_task_t *tasks[] = {uva_spawn(gives_large, 'a'),
                                   uva_spawn(gives_large, 'b')};

    ck_assert_int_eq(gives_large_gather(tasks, 2, 0, NULL, large), 0);
    ck_assert_int_eq(large[0].bytes[0], 'a');
    ck_assert_int_eq(large[1].bytes[299], 'b');
}

UVA_TASK(void, gives_nothing, int code;)
{
    (void)ret;
    return args->code;
}

UVA_STACKLESS(void, gives_nothing_light, int code;)
{
    return self->code;
}

UVA_TEST(no_result)
{
    gives_nothing_task_t *tasks[] = {uva_spawn(gives_nothing),
                                     uva_spawn(gives_nothing)};

    ck_assert_int_eq(gives_nothing_await(uva_spawn(gives_nothing), NULL), 0);
    ck_assert_int_eq(
        gives_nothing_await(uva_spawn(gives_nothing, UV_EIO), NULL), UV_EIO);
    ck_assert_int_eq(
        gives_nothing_light_await(uva_spawn(gives_nothing_light, UV_EIO), NULL),
        UV_EIO);
    ck_assert_int_eq(gives_nothing_gather(tasks, 2, 0, NULL, NULL), 0);
}

UVA_TEST(result_taken_once)
{
    adds_task_t *task = uva_spawn(adds, 1, 2);
    int value = 0;

    uva_task_ref(UVA_ERASE(task));
    ck_assert_int_eq(adds_await(task, &value), 0);
    ck_assert_int_eq(value, 3);
    value = 0;
    ck_assert_int_eq(adds_await(task, &value), UVA_EINVALIDSTATE);
    ck_assert_int_eq(value, 0);
}

UVA_TEST(result_untouched_on_failure)
{
    int value = 77;
    int codes[3] = {1, 1, 1};
    odd_t odd = {"xx"};
    gives_odd_task_t *odds[] = {NULL, uva_spawn(gives_odd, 'p', true)};
    adds_task_t *tasks[] = {uva_spawn(adds, 1, 2), NULL, uva_spawn(adds, 3, 4)};
    int values[3] = {-1, -1, -1};

    ck_assert_int_eq(adds_await(NULL, &value), UV_ENOMEM);
    ck_assert_int_eq(value, 77);
    ck_assert_int_eq(
        adds_await((adds_task_t *)(void *)uva_future_refused(UV_EAGAIN),
                   &value),
        UV_EAGAIN);
    ck_assert_int_eq(value, 77);
    ck_assert_int_eq(gives_odd_gather(odds, 2, 0, NULL, &odd), UV_ENOMEM);
    ck_assert_str_eq(odd.bytes, "xx");
    ck_assert_int_eq(
        adds_gather(tasks, 3, UVA_RETURN_EXCEPTIONS, codes, values), 0);
    ck_assert_int_eq(codes[0], 0);
    ck_assert_int_eq(codes[1], UV_ENOMEM);
    ck_assert_int_eq(codes[2], 0);
    ck_assert_int_eq(values[0], 3);
    ck_assert_int_eq(values[1], -1);
    ck_assert_int_eq(values[2], 7);
    ck_assert_int_eq(uva_sleep(0), 0);
}

/* --- options, groups, runs --- */

UVA_TASK(void, checks_name, const char *name;)
{
    (void)ret;
    ck_assert_str_eq(uva_task_get_name(uva_current_task()), args->name);
    return 0;
}

UVA_TEST(spawn_with_options)
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    checks_name_task_t *task;
    takes_large_light_task_t *light;

    options.name = "given";
    task = uva_spawn_with(&options, checks_name, "given");
    ck_assert_str_eq(uva_task_get_name(UVA_ERASE(task)), "given");
    ck_assert_int_eq(checks_name_await(task, NULL), 0);

    options.eager_start = true;
    light = uva_spawn_with(&options, takes_large_light, .first = 'f');
    ck_assert(uva_future_done(UVA_FUTURE(light)));
    ck_assert_int_eq(takes_large_light_await(light, NULL), 0);
}

UVA_TEST(group_children)
{
    uva_taskgroup_t group;
    adds_task_t *task;
    adds_light_task_t *light;
    void *value;

    (void)uva_taskgroup_enter(&group);
    task = uva_taskgroup_spawn(&group, adds, 1, .b = 2);
    light = uva_taskgroup_spawn(&group, adds_light, .a = 5);
    (void)uva_taskgroup_spawn(&group, no_arguments);
    uva_task_ref(UVA_ERASE(task));
    uva_task_ref(UVA_ERASE(light));
    ck_assert_int_eq(uva_taskgroup_exit(&group, 0), 0);
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(task), &value), 0);
    ck_assert_int_eq(*(int *)value, 3);
    ck_assert_int_eq(uva_future_result(UVA_FUTURE(light), &value), 0);
    ck_assert_int_eq(*(int *)value, 5);
    uva_task_unref(UVA_ERASE(task));
    uva_task_unref(UVA_ERASE(light));
}

UVA_STACKLESS(int, runs_light, int value; uva_sleep_op_t nap; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_sleep, &self->nap, UVA_US(1));
    UVA_END
    *ret = self->value;
    return self->r;
}

START_TEST(runs)
{
    uva_test_mark_t mark;
    int value = -1;

    /* libuv opens a pipe for the whole process with its first loop. */
    ck_assert_int_eq(uva_run_task(no_arguments, NULL, NULL), 0);
    mark = uva_test_mark();
    ck_assert_int_eq(uva_run_task(no_arguments, NULL, &value), 0);
    ck_assert_int_eq(value, 11);
    ck_assert_int_eq(uva_run_task(adds, NULL, &value, .a = 8, .b = 1), 0);
    ck_assert_int_eq(value, 9);
    ck_assert_int_eq(uva_run_task(adds, NULL, NULL, .a = 8, .b = 1), 0);
    ck_assert_int_eq(uva_run_task(runs_light, NULL, &value, 21), 0);
    ck_assert_int_eq(value, 21);
    ck_assert_int_eq(uva_run_task(gives_nothing, NULL, NULL, UV_EIO), UV_EIO);
    uva_test_nothing_left(mark);
}
END_TEST

/* --- stackless bodies that call each other --- */

UVA_STACKLESS(int, yields, int times; int code; int done; int r;)
{
    UVA_BEGIN
    while (self->done < self->times) {
        UVA_YIELD(self->r);
        if (self->r < 0) {
            return self->r;
        }
        self->done++;
    }
    UVA_END
    *ret = self->done;
    return self->code;
}

UVA_STACKLESS(int, naps, uint64_t delay_ns; uva_sleep_op_t nap; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, uva_sleep, &self->nap, self->delay_ns);
    UVA_END
    *ret = 1;
    return self->r;
}

UVA_STACKLESS(int, calls, int times; int code; yields_args_t sub;
              naps_args_t nap;
              int a;
              int b;
              int r;)
{
    UVA_BEGIN
    self->sub.times = self->times;
    self->sub.code = self->code;
    UVA_AWAIT(self->r, yields, &self->sub, &self->a);
    if (self->r < 0) {
        return self->r;
    }
    self->nap.delay_ns = UVA_MS(5);
    UVA_AWAIT(self->r, naps, &self->nap, &self->b);
    if (self->r < 0) {
        return self->r;
    }
    UVA_YIELD(self->r);
    UVA_END
    *ret = self->a + self->b;
    return self->r;
}

UVA_STACKLESS(int, calls_deeper, int times; int code; calls_args_t sub; int r;)
{
    UVA_BEGIN
    self->sub.times = self->times;
    self->sub.code = self->code;
    UVA_AWAIT(self->r, calls, &self->sub, ret);
    UVA_END
    return self->r;
}

UVA_TEST(calls_of_stackless_bodies)
{
    uva_loop_t *loop = uva_get_running_loop();
    uint64_t begin;
    int value = -1;

    ck_assert_int_eq(calls_deeper_await(uva_spawn(calls_deeper, 3), &value), 0);
    ck_assert_int_eq(value, 4);
    ck_assert_uint_eq(uva_loop_time(loop), UVA_MS(5));
    ck_assert_int_eq(
        calls_deeper_await(uva_spawn(calls_deeper, 3, UV_EIO), &value), UV_EIO);

    /* A call takes no iteration of its own: as many as the yields alone. */
    begin = uva_loop_iterations(loop);
    ck_assert_int_eq(yields_await(uva_spawn(yields, 3), NULL), 0);
    begin = uva_loop_iterations(loop) - begin;
    ck_assert_uint_eq(begin, 5);
    begin = uva_loop_iterations(loop);
    ck_assert_int_eq(calls_await(uva_spawn(calls, 3, UV_EIO), NULL), UV_EIO);
    ck_assert_uint_eq(uva_loop_iterations(loop) - begin, 5);
}

UVA_TEST(cancelled_inside_calls)
{
    /* At a yield of the innermost, in its nap, and at one's own yield, which
     * is where it stands when the nap has ended. */
    static const struct {
        int yields;
        uint64_t delay_ns;
    } places[] = {{1, 0}, {3, 0}, {5, UVA_MS(1)}, {5, UVA_MS(5)}};

    for (int i = 0; i < 4; i++) {
        calls_deeper_task_t *task = uva_spawn(calls_deeper, 3);
        for (int k = 0; k < places[i].yields; k++) {
            ck_assert_int_eq(uva_sleep(0), 0);
        }
        if (places[i].delay_ns > 0) {
            ck_assert_int_eq(uva_sleep(places[i].delay_ns), 0);
        }
        ck_assert_msg(!uva_future_done(UVA_FUTURE(task)), "place %d", i);
        ck_assert(uva_future_cancel(UVA_FUTURE(task)));
        ck_assert_int_eq(calls_deeper_await(task, NULL), UV_ECANCELED);
    }
}

UVA_STACKLESS(int, swallows, int delivered; int times; int r;)
{
    UVA_BEGIN
    while (self->times < 4) {
        self->times++;
        UVA_YIELD(self->r);
        self->delivered += self->r == UV_ECANCELED;
    }
    UVA_END
    *ret = self->delivered;
    return 0;
}

UVA_STACKLESS(int, calls_swallower, swallows_args_t sub; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, swallows, &self->sub, ret);
    UVA_END
    return self->r;
}

UVA_TEST(yield_tells_of_cancellation)
{
    swallows_task_t *task = uva_spawn(swallows);
    calls_swallower_task_t *call = uva_spawn(calls_swallower);
    int value = -1;

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(uva_sleep(0), 0);
        if (i != 1) {
            ck_assert(uva_future_cancel(UVA_FUTURE(task)));
            ck_assert(uva_future_cancel(UVA_FUTURE(call)));
        }
    }
    ck_assert_int_eq(swallows_await(task, &value), 0);
    ck_assert_int_eq(value, 2);
    value = -1;
    ck_assert_int_eq(calls_swallower_await(call, &value), 0);
    ck_assert_int_eq(value, 2);
}

UVA_STACKLESS(int, polls_again, yields_args_t sub; int value; int r;)
{
    UVA_BEGIN
    UVA_AWAIT(self->r, yields, &self->sub, &self->value);
    ck_assert_int_eq(self->r, 0);
    UVA_AWAIT(self->r, yields, &self->sub, &self->value);
    UVA_END
    *ret = 0;
    return self->r;
}

UVA_TEST(ended_body_called_again)
{
    uva_test_log_begin();
    ck_assert_int_eq(polls_again_await(uva_spawn(polls_again), NULL),
                     UV_EINVAL);
    ck_assert_ptr_nonnull(strstr(uva_test_log(), "yields"));
    uva_test_log_end();
}

/* --- both kinds together --- */

UVA_TASK(int, heavy_awaits_light, int times;)
{
    return yields_await(uva_spawn(yields, args->times), ret);
}

UVA_STACKLESS(int, light_awaits_heavy, int times;
              heavy_awaits_light_task_t * task;
              int r;)
{
    UVA_BEGIN
    self->task = uva_spawn(heavy_awaits_light, self->times);
    UVA_AWAIT(self->r, heavy_awaits_light_await, self->task, ret);
    UVA_END
    return self->r;
}

UVA_STACKLESS(int, light_gathers, int count; adds_task_t * heavy[3];
              int heavies[3];
              adds_light_task_t * light[3];
              int lights[3];
              uva_gather_op_t op;
              int r;)
{
    UVA_BEGIN
    for (int i = 0; i < 3; i++) {
        self->heavy[i] = uva_spawn(adds, i, 1);
        self->light[i] = uva_spawn(adds_light, i, 10);
    }
    UVA_AWAIT(self->r, adds_gather, &self->op, self->heavy, 3, 0, NULL,
              self->heavies);
    if (self->r < 0) {
        return self->r;
    }
    UVA_AWAIT(self->r, adds_light_gather, &self->op, self->light, 3, 0, NULL,
              self->lights);
    UVA_END
    for (int i = 0; i < 3; i++) {
        *ret += self->heavies[i] * 100 + self->lights[i];
    }
    return self->r;
}

UVA_TEST(kinds_await_each_other)
{
    int value = -1;
    uva_task_t *mixed[] = {
        UVA_ERASE(uva_spawn(yields, 2)),
        UVA_ERASE(uva_spawn(heavy_awaits_light, 3)),
        UVA_ERASE(uva_spawn(light_awaits_heavy, 4)),
    };

    ck_assert_int_eq(uva_gather(UVA_FUTURES(mixed), 3, 0, NULL), 0);
    ck_assert_int_eq(
        light_awaits_heavy_await(uva_spawn(light_awaits_heavy, 5), &value), 0);
    ck_assert_int_eq(value, 5);
    ck_assert_int_eq(light_gathers_await(uva_spawn(light_gathers), &value), 0);
    ck_assert_int_eq(value, 6 * 100 + 33);
}

UVA_TEST(cancelled_through_kinds)
{
    light_awaits_heavy_task_t *task = uva_spawn(light_awaits_heavy, 1000);

    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert_int_eq(uva_sleep(0), 0);
    ck_assert(uva_future_cancel(UVA_FUTURE(task)));
    ck_assert_int_eq(light_awaits_heavy_await(task, NULL), UV_ECANCELED);
    ck_assert_uint_eq(uva_loop_all_tasks(uva_get_running_loop(), NULL, 0), 1);
}

/* --- tasks of another file --- */

UVA_STACKLESS(declared_sum_t, calls_declared, declared_stackless_args_t sub;
              int r;)
{
    UVA_BEGIN
    self->sub.a = 20;
    self->sub.b = 1;
    UVA_AWAIT(self->r, declared_stackless, &self->sub, ret);
    UVA_END
    return self->r;
}

UVA_TEST(declared_tasks)
{
    declared_sum_t sum = {0, NULL};
    declared_stackful_args_t args = {.a = 1, .b = 2};
    int value = 0;

    ck_assert_int_eq(
        declared_stackful_await(uva_spawn(declared_stackful, 40, 2), &sum), 0);
    ck_assert_int_eq(sum.sum, 42);
    ck_assert_str_eq(sum.by, "stackful");
    ck_assert_int_eq(
        declared_stackful_await(declared_stackful_spawn(args, NULL), &sum), 0);
    ck_assert_int_eq(sum.sum, 3);
    ck_assert_int_eq(
        declared_stackless_await(uva_spawn(declared_stackless, .b = 7), &sum),
        0);
    ck_assert_int_eq(sum.sum, 7);
    ck_assert_str_eq(sum.by, "stackless");
    ck_assert_int_eq(declared_stackless_await(
                         uva_spawn(declared_stackless, .a = UV_EIO), &sum),
                     UV_EIO);
    ck_assert_int_eq(calls_declared_await(uva_spawn(calls_declared), &sum), 0);
    ck_assert_int_eq(sum.sum, 21);
    ck_assert_int_eq(
        declared_nothing_await(uva_spawn(declared_nothing), &value), 0);
    ck_assert_int_eq(value, 17);
    ck_assert_int_eq(declared_stackless_nothing_await(
                         uva_spawn(declared_stackless_nothing), &value),
                     0);
    ck_assert_int_eq(value, 18);
}

int main(void)
{
    Suite *suite = suite_create("typed");
    TCase *arguments_case = UVA_TCASE(suite, "Arguments");
    TCase *results = UVA_TCASE(suite, "Results");
    TCase *ways = UVA_TCASE(suite, "Ways");
    TCase *stackless = UVA_TCASE(suite, "StacklessCalls");
    TCase *mixed = UVA_TCASE(suite, "Mixed");

    UVA_ADD_TESTS(arguments_case, arguments, arguments_are_copied);
    UVA_ADD_TESTS(results, results_of_all_sizes,
                  result_larger_than_a_slab_object, no_result,
                  result_taken_once, result_untouched_on_failure);
    UVA_ADD_TESTS(ways, spawn_with_options, group_children, runs,
                  declared_tasks);
    UVA_ADD_TESTS(stackless, calls_of_stackless_bodies, cancelled_inside_calls,
                  yield_tells_of_cancellation, ended_body_called_again);
    UVA_ADD_TESTS(mixed, kinds_await_each_other, cancelled_through_kinds);
    return uva_test_main(suite);
}
