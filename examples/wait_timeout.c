/*
 * A wait with a timeout shorter than the work: nothing is done, all is
 * pending, nothing is cancelled.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, download, uint64_t duration_ns;)
{
    return uva_sleep(args->duration_ns);
}

UVA_TASK(void, program)
{
    download_task_t *tasks[] = {
        uva_spawn(download, .duration_ns = UVA_SEC(60)),
        uva_spawn(download, .duration_ns = UVA_SEC(60)),
    };
    uva_future_t *done[2];
    uva_future_t *pending[2];

    int count = uva_wait(UVA_FUTURES(tasks), 2, UVA_MS(5), UVA_ALL_COMPLETED,
                         done, pending);
    printf("done: %d, pending: %d\n", count, 2 - count);
    for (int i = 0; i < 2; i++) {
        printf("download %d was cancelled: %s\n", i + 1,
               uva_future_cancelled(pending[i]) ? "yes" : "no");
    }

    /* Whoever does not want them any more says so. */
    for (int i = 0; i < 2; i++) {
        uva_future_cancel(pending[i]);
    }
    int r = uva_gather(UVA_FUTURES(tasks), 2, UVA_RETURN_EXCEPTIONS, NULL);
    printf("ended\n");
    return r;
}

int main(void)
{
    return uva_main(program);
}
