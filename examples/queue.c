/*
 * A producer and a consumer over a queue that holds two items.
 */
#include <stdio.h>

#include <uva.h>

static char dishes[][8] = {"soup", "bread", "fish", "salad", "cake"};

UVA_TASK(void, cook, uva_queue_t *counter;)
{
    int r = 0;

    for (int i = 0; i < 5 && r >= 0; i++) {
        r = uva_queue_put(args->counter, dishes[i]); /* Waits while full. */
        printf("cooked %s\n", dishes[i]);
    }
    uva_queue_shutdown(args->counter, false); /* No more to come. */
    return r;
}

UVA_TASK(void, waiter, uva_queue_t *counter;)
{
    void *dish;
    int r;

    while ((r = uva_queue_get(args->counter, &dish)) >= 0) {
        printf("served %s\n", (const char *)dish);
        uva_queue_task_done(args->counter);
    }
    return r == UVA_EQUEUESHUTDOWN ? 0 : r;
}

UVA_TASK(void, program)
{
    uva_queue_t counter = UVA_QUEUE_INIT(2);
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, cook, .counter = &counter);
    uva_taskgroup_spawn(&group, waiter, .counter = &counter);
    int r = uva_taskgroup_exit(&group, 0);
    uva_queue_destroy(&counter);
    return r;
}

int main(void)
{
    return uva_main(program);
}
