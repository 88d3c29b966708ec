/*
 * Waiting for some of several tasks, and for some time.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(int, work, uint64_t duration_ns;)
{
    return uva_sleep(args->duration_ns);
}

UVA_TASK(int, program)
{
    work_task_t *tasks[] = {
        uva_spawn(work, .duration_ns = UVA_SEC(60)),
        uva_spawn(work, .duration_ns = UVA_MS(5)),
        uva_spawn(work, .duration_ns = UVA_SEC(60)),
    };
    uva_future_t *done[3];
    uva_future_t *pending[3];

    int count = uva_wait(UVA_FUTURES(tasks), 3, UVA_SEC(30),
                         UVA_FIRST_COMPLETED, done, pending);
    printf("%d done, it is the second: %s\n", count,
           count == 1 && done[0] == UVA_FUTURE(tasks[1]) ? "yes" : "no");

    /* A wait that is over cancels nothing: the others still run. */
    count = uva_wait(pending, 2, UVA_MS(5), UVA_ALL_COMPLETED, NULL, NULL);
    printf("%d of the other two done\n", count);

    for (int i = 0; i < 2; i++) {
        uva_future_cancel(pending[i]);
    }
    int r = work_gather(tasks, 3, UVA_RETURN_EXCEPTIONS, NULL, NULL);
    printf("all ended: %s\n", r == 0 ? "yes" : uva_err_name(r));
    return r;
}

int main(void)
{
    return uva_main(program);
}
