/*
 * A C++17 program that uses tasks of C: it fills in the arguments by name and
 * calls the plain function that each declared task has.
 */
#include <cstdio>
#include <cstring>

#include "declared.h"

static int failed;

static void check(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "failed: %s\n", what);
        failed = 1;
    }
}

#define CHECK(condition) check(condition, #condition)

static declared_stackful_args_t stackful(int a, int b)
{
    declared_stackful_args_t args = {};

    args.a = a;
    args.b = b;
    return args;
}

static void await_one_by_one()
{
    declared_stackless_args_t light = {};
    declared_sum_t sum = {};
    int number = 0;

    CHECK(declared_stackful_await(declared_stackful_spawn(stackful(40, 2), nullptr), &sum) == 0);
    CHECK(sum.sum == 42 && std::strcmp(sum.by, "stackful") == 0);
    CHECK(declared_stackful_await(declared_stackful_spawn(stackful(UV_EIO, 0), nullptr), &sum) == UV_EIO);
    light.a = 5;
    CHECK(declared_stackless_await(declared_stackless_spawn(light, nullptr), &sum) == 0);
    CHECK(sum.sum == 5 && std::strcmp(sum.by, "stackless") == 0);
    CHECK(declared_nothing_await(declared_nothing_spawn({}, nullptr), &number) == 0);
    CHECK(number == 17);
    uva_task_unref(UVA_ERASE(declared_nothing_spawn({}, nullptr)));
    UVA_IGNORE(uva_sleep(0)); /* It ends by itself. */
}

static void gather_all()
{
    declared_stackful_task_t *tasks[3];
    declared_sum_t sums[3] = {};
    void *place = nullptr;

    for (int i = 0; i < 3; i++) {
        tasks[i] = declared_stackful_spawn(stackful(i, 10), nullptr);
    }
    CHECK(uva_wait(UVA_FUTURES(tasks), 3, UVA_FOREVER, UVA_ALL_COMPLETED,
                   nullptr, nullptr) == 3);
    CHECK(uva_future_result(UVA_FUTURE(tasks[1]), &place) == 0);
    CHECK(static_cast<declared_sum_t *>(place)->sum == 11);
    CHECK(declared_stackful_gather(tasks, 3, 0, NULL, sums) == 0);
    CHECK(sums[0].sum == 10 && sums[2].sum == 12);
}

static void forget_one()
{
    declared_stackful_task_t *task = declared_stackful_spawn(stackful(1, 1), nullptr);

    uva_task_t *plain = UVA_ERASE(task);
    CHECK(uva_task_cancel(plain));
    CHECK(uva_cancel_and_wait(UVA_FUTURE(plain)) == 0);
    CHECK(uva_future_cancelled(UVA_FUTURE(plain)));
    uva_task_unref(plain);
}

static void spawn_with_options()
{
    uva_task_options_t options = UVA_TASK_OPTIONS_INIT;
    uva_loop_t *loop = uva_get_running_loop();
    declared_stackful_task_t *task;
    declared_stackless_task_t *light;
    declared_stackless_args_t light_args = {};
    uva_taskgroup_t group;
    declared_sum_t sum = {};

    options.name = "given";
    options.loop = loop;
    task = declared_stackful_spawn(stackful(1, 2), &options);
    CHECK(std::strcmp(uva_task_get_name(UVA_ERASE(task)), "given") == 0);
    CHECK(declared_stackful_wait_for(task, UVA_SEC(60), &sum) == 0);
    CHECK(sum.sum == 3);
    light = declared_stackless_spawn(light_args, nullptr);
    CHECK(declared_stackless_wait_for(light, 0, &sum) ==
          UV_ETIMEDOUT);

    UVA_IGNORE(uva_taskgroup_enter(&group));
    options.group = &group;
    task = declared_stackful_spawn(stackful(3, 4), &options);
    CHECK(std::strcmp(uva_task_get_name(UVA_ERASE(task)), "given") == 0);
    UVA_IGNORE(declared_stackless_spawn(light_args, &options));
    uva_task_ref(UVA_ERASE(task));
    CHECK(uva_taskgroup_exit(&group, 0) == 0);
    CHECK(declared_stackful_await(task, &sum) == 0);
    CHECK(sum.sum == 7);
}

static int body(void *arg, void **)
{
    CHECK(arg == &failed);
    await_one_by_one();
    gather_all();
    forget_one();
    spawn_with_options();
    return 0;
}

int main()
{
    CHECK(uva_run(body, &failed, nullptr, nullptr) == 0);
    return failed;
}
