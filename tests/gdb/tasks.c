/*
 * Tasks that wait in several ways when the program aborts; what a debugger
 * finds of them is compared by test_gdb.sh.
 */
#include <stdlib.h>

#include <uva.h>

static uva_lock_t lock = UVA_LOCK_INIT;

/* Frames below the one that waits. */
static __attribute__((noinline)) int acquire_below(int depth)
{
    int r = depth > 0 ? acquire_below(depth - 1) : uva_lock_acquire(&lock);

    __asm__ volatile(""); /* So that the call is not the last act. */
    return r;
}

UVA_TASK(void, locker)
{
    return acquire_below(3);
}

UVA_STACKLESS(void, dozer, uva_sleep_op_t op;)
{
    int r = 0;

    UVA_BEGIN
    UVA_AWAIT(r, uva_sleep, &self->op, UVA_SEC(100));
    UVA_END
    return r;
}

static void abort_here(void *data)
{
    (void)data;
    abort();
}

UVA_TASK(void, waiter)
{
    uva_task_t *children[2];

    children[0] = UVA_ERASE(uva_spawn(locker));
    children[1] = UVA_ERASE(uva_spawn(dozer));
    if (uva_task_set_name(children[0], "the locker") < 0 ||
        uva_loop_call_later(NULL, UVA_MS(1), abort_here, NULL, NULL, NULL) <
            0) {
        return UV_ENOMEM;
    }
    return uva_gather(UVA_FUTURES(children), 2, 0, NULL);
}

UVA_TASK(void, top)
{
    int r = uva_lock_acquire(&lock);

    return r < 0 ? r : uva_join(UVA_FUTURE(uva_spawn(waiter)), NULL);
}

int main(void)
{
    return uva_main(top);
}
