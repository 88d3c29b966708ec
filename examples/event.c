/*
 * An event wakes all who wait for it.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, runner, uva_event_t *start; int number;)
{
    printf("runner %d is ready\n", args->number);
    int r = uva_event_wait(args->start);
    if (r < 0) {
        return r;
    }
    printf("runner %d runs\n", args->number);
    return 0;
}

UVA_TASK(void, program)
{
    uva_event_t start = UVA_EVENT_INIT;
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    for (int i = 1; i <= 3; i++) {
        uva_taskgroup_spawn(&group, runner, .start = &start, .number = i);
    }
    int r = uva_sleep(UVA_MS(2));
    printf("go\n");
    uva_event_set(&start);
    return uva_taskgroup_exit(&group, r);
}

int main(void)
{
    return uva_main(program);
}
