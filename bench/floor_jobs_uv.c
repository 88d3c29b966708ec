/*
 * The floor of jobs: uv_queue_work, as many at a time.
 *
 *     floor_jobs_uv COUNT BATCH
 */
#include <uv.h>

#include "bench.h"

static int64_t left;
static int64_t batch;
static int64_t running;
static uv_work_t *works;

static void run(uv_work_t *work)
{
    (void)work;
}

static void submit(void);

static void done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
    if (--running == 0 && left > 0) {
        submit();
    }
}

static void submit(void)
{
    left -= batch;
    running = batch;
    for (int64_t i = 0; i < batch; i++) {
        uv_queue_work(uv_default_loop(), &works[i], run, done);
    }
}

int main(int argc, char **argv)
{
    int64_t count = argc > 1 ? strtoll(argv[1], NULL, 10) : 100000;
    bench_mark_t mark = bench_begin();

    batch = argc > 2 ? strtoll(argv[2], NULL, 10) : 1;
    works = malloc((size_t)batch * sizeof *works);
    left = count;
    submit();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    bench_end(mark, batch == 1 ? "job" : "jobs", "libuv", (double)count);
    free(works);
    return 0;
}
