/*
 * A semaphore of two lets two of three workers in at once.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, worker, uva_semaphore_t *seats; int *inside; int number;)
{
    int r = uva_semaphore_acquire(args->seats);
    if (r < 0) {
        return r;
    }
    *args->inside += 1;
    printf("worker %d comes in: %d inside\n", args->number, *args->inside);
    for (int turn = 0; turn < 3 * args->number && r >= 0; turn++) {
        r = uva_sleep(0); /* Some work, in which the others have their turn. */
    }
    *args->inside -= 1;
    printf("worker %d leaves: %d inside\n", args->number, *args->inside);
    uva_semaphore_release(args->seats);
    return r;
}

UVA_TASK(void, program)
{
    uva_semaphore_t seats = UVA_SEMAPHORE_INIT(2);
    uva_taskgroup_t group;
    int inside = 0;

    uva_taskgroup_enter(&group);
    for (int i = 1; i <= 3; i++) {
        uva_taskgroup_spawn(&group, worker, .seats = &seats, .inside = &inside,
                            .number = i);
    }
    return uva_taskgroup_exit(&group, 0);
}

int main(void)
{
    return uva_main(program);
}
