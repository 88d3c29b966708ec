/*
 * One mistake for each value of WRONG, none for 0: the compiler must find it.
 */
#include "uva.h"

UVA_TASK(int, fetch, const char *path; int port;)
{
    *ret = args->port;
#if WRONG == 1 /* The arguments are the task's own, and const. */
    args->port = 1;
#endif
    return 0;
}

UVA_STACKLESS(double, measure, int times;)
{
    *ret = self->times;
    return 0;
}

int uses(void);
int drops(fetch_task_t *task);

int uses(void)
{
    fetch_task_t *task = uva_spawn(fetch, .path = "/", .port = 1);
    fetch_task_t *tasks[2] = {uva_spawn(fetch), uva_spawn(fetch, "/")};
    measure_task_t *measuring = uva_spawn(measure, .times = 1);
    int number = 0;
    int numbers[2];
    double width;
    int r;

#if WRONG == 2 /* A result of another type. */
    r = fetch_await(task, &width);
#elif WRONG == 3  /* A task of another function. */
    r = fetch_await(measuring, &number);
#elif WRONG == 4  /* An array of other results. */
    r = fetch_gather(tasks, 2, 0, NULL, &width);
#elif WRONG == 5  /* Tasks of another function. */
    r = measure_gather(tasks, 2, 0, NULL, &width);
#elif WRONG == 6  /* An argument that it does not have. */
    task = uva_spawn(fetch, .host = "localhost");
#elif WRONG == 7  /* An argument of another type. */
    task = uva_spawn(fetch, .path = &width);
#elif WRONG == 8  /* Too many arguments. */
    task = uva_spawn(measure, 1, 2, 3);
#elif WRONG == 9  /* No task. */
    r = uva_await(UVA_FUTURE(&number), NULL);
#elif WRONG == 10 /* An array of no tasks. */
    r = uva_gather(UVA_FUTURES(numbers), 2, 0, NULL);
#elif WRONG == 11 /* A task where an array of tasks belongs. */
    r = uva_gather(UVA_FUTURES(task), 1, 0, NULL);
#elif WRONG == 12 /* No task as one without its type. */
    uva_task_unref(UVA_ERASE(&number));
#elif WRONG == 13 /* A typed task as one without its type, and not a word. */
    uva_task_unref(task);
#elif WRONG == 14 /* No function of that name. */
    r = uva_run_task(fetched, NULL, &number);
#elif WRONG == 15 /* A task of one function as that of another. */
    task = measuring;
#elif WRONG == 16 /* A child's argument of another type. */
    uva_taskgroup_t group;
    (void)uva_taskgroup_spawn(&group, fetch, .port = "80");
#elif WRONG == 17 /* With options, an argument that it does not have. */
    task = uva_spawn_with(NULL, fetch, .host = "localhost");
#elif WRONG == 18 /* The task of another function. */
    task = uva_spawn_with(NULL, measure, .times = 1);
#elif WRONG == 19 /* No options. */
    task = uva_spawn_with(&number, fetch, .port = 80);
#elif WRONG == 20 /* A child's result of another type. */
    uva_taskgroup_t group;
    (void)uva_taskgroup_spawn_into(&group, &width, fetch, .port = 80);
#elif WRONG == 21 /* A result of another type, with a deadline. */
    r = fetch_wait_for(task, UVA_SEC(1), &width);
#elif WRONG == 22 /* A task of another function, with a deadline. */
    r = fetch_wait_for(measuring, UVA_SEC(1), &number);
#endif
    uva_go(measure, .times = 1);
    uva_task_unref(UVA_ERASE(uva_spawn_with(NULL, fetch, "/")));
    r = measure_wait_for(uva_spawn(measure), UVA_SEC(1), &width);
    r = r < 0 ? r : fetch_await(task, &number);
    r = r < 0 ? r : fetch_gather(tasks, 2, 0, NULL, numbers);
    r = r < 0 ? r : uva_gather(UVA_FUTURES(&measuring), 1, 0, NULL);
    r = r < 0 ? r : measure_await(uva_spawn(measure, 1), &width);
    return r < 0 ? r : number + numbers[1] + (int)width;
}

/* Results that must not be dropped. */
int drops(fetch_task_t *task)
{
#if WRONG == 23 /* A task that nobody has. */
    uva_spawn(fetch, .port = 80);
#elif WRONG == 24 /* The same with options. */
    uva_spawn_with(NULL, measure, .times = 1);
#elif WRONG == 25 /* A cancellation that nobody hears of. */
    uva_sleep(UVA_SEC(1));
#elif WRONG == 26 /* A failure that nobody hears of. */
    fetch_await(task, NULL);
#elif WRONG == 27 /* The same of a plain await. */
    uva_join(UVA_FUTURE(task), NULL);
#endif
    UVA_IGNORE(uva_sleep(UVA_SEC(1)));
    return uva_join(UVA_FUTURE(task), NULL);
}
