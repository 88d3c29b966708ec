/*
 * A lock turns three workers serial, in the order they came.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, worker, uva_lock_t *lock; int number;)
{
    int r = uva_lock_acquire(args->lock);
    if (r < 0) {
        return r; /* Cancelled while it waited: it does not hold the lock. */
    }
    printf("worker %d begins\n", args->number);
    r = uva_sleep(UVA_MS(2)); /* The others run, and wait. */
    printf("worker %d ends\n", args->number);
    uva_lock_release(args->lock);
    return r;
}

UVA_TASK(void, program)
{
    uva_lock_t lock = UVA_LOCK_INIT;
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    for (int i = 1; i <= 3; i++) {
        uva_taskgroup_spawn(&group, worker, .lock = &lock, .number = i);
    }
    return uva_taskgroup_exit(&group, 0);
}

int main(void)
{
    return uva_main(program);
}
