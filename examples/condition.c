/*
 * A condition wakes two of the three who wait, then the last.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, customer, uva_condition_t *shop; int *bread; int number;)
{
    int r = uva_condition_acquire(args->shop);
    if (r < 0) {
        return r;
    }
    while (*args->bread == 0 && r >= 0) {
        printf("customer %d waits\n", args->number);
        r = uva_condition_wait(args->shop);
    }
    if (r >= 0) {
        *args->bread -= 1;
        printf("customer %d has bread\n", args->number);
    }
    /* However the wait has ended, the lock is held. */
    uva_condition_release(args->shop);
    return r;
}

/* Bake, and call as many as there are loaves. */
static int bake(uva_condition_t *shop, int *bread, int loaves)
{
    int r = uva_condition_acquire(shop);
    if (r < 0) {
        return r;
    }
    printf("loaves baked: %d\n", loaves);
    *bread += loaves;
    uva_condition_notify(shop, (size_t)loaves);
    uva_condition_release(shop);
    return uva_sleep(UVA_MS(2));
}

UVA_TASK(void, program)
{
    uva_condition_t shop = UVA_CONDITION_INIT;
    uva_taskgroup_t group;
    int bread = 0;

    uva_taskgroup_enter(&group);
    for (int i = 1; i <= 3; i++) {
        uva_taskgroup_spawn(&group, customer, .shop = &shop, .bread = &bread,
                            .number = i);
    }
    int r = uva_sleep(UVA_MS(2));
    if (r >= 0) {
        r = bake(&shop, &bread, 2);
    }
    if (r >= 0) {
        r = bake(&shop, &bread, 1);
    }
    return uva_taskgroup_exit(&group, r);
}

int main(void)
{
    return uva_main(program);
}
