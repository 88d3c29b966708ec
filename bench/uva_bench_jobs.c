/*
 * Empty jobs in the default executor: submitted, run in a thread, awaited.
 */
#include "uva_bench.h"

UVA_TASK(int, empty)
{
    *ret = 0;
    return 0;
}

UVA_TASK(int, jobs, int64_t count; int64_t batch;)
{
    empty_task_t **tasks = malloc((size_t)args->batch * sizeof *tasks);
    int r = 0;

    for (int64_t i = 0; i < args->count && r >= 0; i += args->batch) {
        for (int64_t k = 0; k < args->batch; k++) {
            tasks[k] = uva_to_thread(empty);
        }
        for (int64_t k = 0; k < args->batch; k++) {
            int value;
            int one = empty_await(tasks[k], &value);
            r = one < 0 ? one : r;
        }
    }
    free(tasks);
    *ret = 0;
    return r;
}

void bench_jobs(int argc, char **argv)
{
    int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : 100000;
    int64_t batch = argc > 2 ? strtoll(argv[2], NULL, 10) : 1;
    int value;
    bench_mark_t mark = bench_begin();

    bench_check(
        uva_run_task(jobs, NULL, &value, .count = count, .batch = batch),
        "jobs");
    bench_end(mark, batch == 1 ? "job" : "jobs", bench_peer(), (double)count);
}
