/*
 * Three workers of a second each in one gather: a coroutine that sleeps, and
 * two threads that block. They work at the same time, so all of it takes about
 * a second.
 */
#define _POSIX_C_SOURCE 200809L /* For poll. */

#include <poll.h>
#include <stdio.h>
#include <uva.h>

UVA_TASK(int, coroutine)
{
    *ret = 1;
    return uva_sleep(UVA_SEC(1));
}

/* Runs in a thread, so it may block. */
UVA_TASK(int, thread, int number;)
{
    (void)poll(NULL, 0, 1000);
    *ret = args->number;
    return 0;
}

UVA_TASK(void, work)
{
    uint64_t begin_ns = uva_loop_time(uva_get_running_loop());
    uva_future_ref_t workers[3] = {
        UVA_FUTURE(uva_spawn(coroutine)),
        UVA_FUTURE(uva_to_thread(thread, .number = 2)),
        UVA_FUTURE(uva_to_thread(thread, .number = 3)),
    };
    int r = uva_gather(workers, 3, 0, NULL);
    uint64_t passed_ns = uva_loop_time(uva_get_running_loop()) - begin_ns;

    printf("three workers of a second took %s\n",
           passed_ns < UVA_SEC(1)   ? "less than a second"
           : passed_ns < UVA_SEC(2) ? "about a second"
                                    : "longer");
    return r;
}

int main(void)
{
    return uva_main(work);
}
