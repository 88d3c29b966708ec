/*
 * Tasks: switch, yield, spawn, gather, memory, sleeps.
 */
#include "uva_bench.h"

/* --- yield --- */

UVA_TASK(int, yielder, int64_t count;)
{
    for (int64_t i = args->count; i > 0; i--) {
        int r = uva_sleep(0);
        if (r < 0) {
            return r;
        }
    }
    *ret = 0;
    return 0;
}

UVA_STACKLESS(int, yielder_s, int64_t count;)
{
    int r;

    UVA_BEGIN
    do {
        UVA_YIELD(r);
        if (r < 0) {
            return r;
        }
    } while (--self->count != 0);
    UVA_END
    return 0;
}

/* Make count tasks that each yield so many times, and join them. */
UVA_TASK(int, ctx_main, int64_t tasks; int64_t each;)
{
    uva_future_t **futures = calloc((size_t)args->tasks, sizeof *futures);
    int r = 0;

    for (int64_t i = 0; i < args->tasks; i++) {
        futures[i] = bench_stackless
                         ? UVA_FUTURE(uva_spawn(yielder_s, .count = args->each))
                         : UVA_FUTURE(uva_spawn(yielder, .count = args->each));
    }
    for (int64_t i = 0; i < args->tasks; i++) {
        int one = uva_join(futures[i], NULL);
        r = one < 0 ? one : r;
    }
    free(futures);
    *ret = r;
    return r;
}

void bench_ctx(int argc, char **argv)
{
    int64_t tasks = bench_arg(argc, argv, 1, 2);
    int64_t count = bench_arg(argc, argv, 2, 50000000);
    char name[32];
    bench_mark_t mark;

    if (tasks == 1) {
        bench_switch(count);
        return;
    }
    mark = bench_begin();
    bench_check(uva_run_task(ctx_main, NULL, NULL, .tasks = tasks,
                             .each = count / tasks),
                "ctx");
    snprintf(name, sizeof name, "ctx%d", (int)tasks);
    bench_end(mark, name, bench_peer(), (double)count);
}

/* --- spawn --- */

UVA_TASK(int, leaf)
{
    *ret = 1;
    return 0;
}

UVA_STACKLESS(int, leaf_s)
{
    (void)self;
    *ret = 1;
    return 0;
}

UVA_TASK(int, spawn_seq_main, int64_t count;)
{
    int r = 0;

    for (int64_t i = 0; i < args->count && r >= 0; i++) {
        r = bench_stackless ? leaf_s_await(uva_spawn(leaf_s), ret)
                            : leaf_await(uva_spawn(leaf), ret);
    }
    return r;
}

/* The same from a stackless parent: nothing of it has a stack. */
UVA_STACKLESS(int, spawn_seq_main_s, int64_t count; int64_t i;
              leaf_s_task_t * task;
              int one;)
{
    int r;

    UVA_BEGIN
    for (self->i = 0; self->i < self->count; self->i++) {
        self->task = uva_spawn(leaf_s);
        UVA_AWAIT(r, leaf_s_await, self->task, &self->one);
        if (r < 0) {
            return r;
        }
    }
    UVA_END
    return 0;
}

void bench_spawn_seq(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 1000000);
    bench_mark_t mark = bench_begin();

    bench_check(bench_stackless
                    ? uva_run_task(spawn_seq_main_s, NULL, NULL, .count = count)
                    : uva_run_task(spawn_seq_main, NULL, NULL, .count = count),
                "spawn_seq");
    bench_end(mark, "spawn_seq", bench_peer(), (double)count);
}

UVA_TASK(int, spawn_batch_main, int64_t count; int64_t batch;)
{
    uva_future_t **futures = calloc((size_t)args->batch, sizeof *futures);
    int r = 0;

    for (int64_t k = 0; k < args->count && r >= 0; k += args->batch) {
        for (int64_t i = 0; i < args->batch; i++) {
            futures[i] = bench_stackless ? UVA_FUTURE(uva_spawn(leaf_s))
                                         : UVA_FUTURE(uva_spawn(leaf));
        }
        for (int64_t i = 0; i < args->batch; i++) {
            int one = uva_join(futures[i], NULL);
            r = one < 0 ? one : r;
        }
    }
    free(futures);
    *ret = r;
    return r;
}

void bench_spawn_batch(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 1000000);
    int64_t batch = bench_arg(argc, argv, 2, 100000);
    bench_mark_t mark = bench_begin();

    bench_check(uva_run_task(spawn_batch_main, NULL, NULL, .count = count,
                             .batch = batch),
                "spawn_batch");
    bench_end(mark, "spawn_batch", bench_peer(), (double)count);
}

/* --- gather --- */

UVA_TASK(int, gather_main, int64_t count;)
{
    uva_future_t **futures = calloc((size_t)args->count, sizeof *futures);
    int r;

    for (int64_t i = 0; i < args->count; i++) {
        futures[i] = bench_stackless
                         ? UVA_FUTURE(uva_spawn(yielder_s, .count = 1))
                         : UVA_FUTURE(uva_spawn(yielder, .count = 1));
    }
    r = uva_gather(UVA_FUTURES(futures), (size_t)args->count, 0, NULL);
    free(futures);
    *ret = r;
    return r;
}

UVA_TASK(int, gather_rounds, int64_t count;)
{
    bench_mark_t mark = bench_begin();
    int r =
        gather_main_await(uva_spawn(gather_main, .count = args->count), ret);

    bench_end(mark, "gather", bench_peer(), (double)args->count);
    if (r >= 0) {
        /* Again, with the memory of the first time. */
        mark = bench_begin();
        r = gather_main_await(uva_spawn(gather_main, .count = args->count),
                              ret);
        bench_end(mark, "gather_warm", bench_peer(), (double)args->count);
    }
    return r;
}

void bench_gather(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 100000);

    bench_check(uva_run_task(gather_rounds, NULL, NULL, .count = count),
                "gather");
}

/* --- memory of blocked tasks --- */

UVA_TASK(int, blocked, uva_future_t *gate;)
{
    (void)ret;
    return uva_await(args->gate, NULL);
}

UVA_STACKLESS(int, blocked_s, uva_future_t *gate;)
{
    int r;

    UVA_BEGIN
    UVA_AWAIT(r, uva_await, self->gate, NULL);
    if (r < 0) {
        return r;
    }
    UVA_END
    return 0;
}

static void
live_report(int64_t count, int64_t rss, int64_t pte, bench_mark_t mark)
{
    int64_t cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;

    printf("{\"bench\":\"live\",\"peer\":\"%s\",\"n\":%" PRId64
           ",\"rss_per\":%.1f,\"pte_per\":%.1f,\"cpu_ns\":%.2f,"
           "\"mappings\":%" PRId64 ",\"guard\":\"%s\"}\n",
           bench_peer(), count,
           (double)(bench_status("VmRSS:") - rss) / (double)count,
           (double)(bench_status("VmPTE:") - pte) / (double)count,
           (double)cpu_ns / (double)count, bench_mappings(),
           uva_features()->guard);
    fflush(stdout);
}

/* The tasks are the loop's alone: their references are dropped at once, so
 * that the figure is the tasks' and not that of an array of pointers. */
UVA_TASK(int, live_main, int64_t count;)
{
    uva_future_t *gate = uva_create_future();
    int64_t rss = bench_status("VmRSS:");
    int64_t pte = bench_status("VmPTE:");
    bench_mark_t mark = bench_begin();
    int r = 0;

    for (int64_t i = 0; i < args->count; i++) {
        uva_future_t *task =
            bench_stackless ? UVA_FUTURE(uva_spawn(blocked_s, .gate = gate))
                            : UVA_FUTURE(uva_spawn(blocked, .gate = gate));
        if (uva_future_done(task)) {
            r = UV_ENOMEM; /* Refused: nothing has run yet. */
        }
        uva_future_unref(task);
    }
    if (r >= 0) {
        r = uva_sleep(0);
    }
    live_report(args->count, rss, pte, mark);
    (void)uva_future_set_result(gate, NULL, NULL);
    uva_future_unref(gate);
    *ret = r;
    return r < 0 ? r : uva_sleep(0);
}

void bench_live(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 100000);

    bench_check(uva_run_task(live_main, NULL, NULL, .count = count), "live");
}

/* --- sleeps --- */

UVA_TASK(int, sleeper, int64_t delay_ns; int64_t * late;)
{
    int64_t due = bench_wall() + args->delay_ns;
    int r = uva_sleep((uint64_t)args->delay_ns);

    *args->late = bench_wall() - due;
    *ret = r;
    return r;
}

UVA_STACKLESS(int, sleeper_s, int64_t delay_ns; int64_t * late; int64_t due;
              uva_sleep_op_t nap;)
{
    int r;

    UVA_BEGIN
    self->due = bench_wall() + self->delay_ns;
    UVA_AWAIT(r, uva_sleep, &self->nap, (uint64_t)self->delay_ns);
    *self->late = bench_wall() - self->due;
    if (r < 0) {
        return r;
    }
    UVA_END
    return 0;
}

UVA_TASK(int, sleeps_main, int64_t count; int64_t * late;)
{
    uva_future_t **futures = calloc((size_t)args->count, sizeof *futures);
    int r;

    for (int64_t i = 0; i < args->count; i++) {
        int64_t delay_ns = bench_delay() + 1;
        int64_t *late = &args->late[i];
        futures[i] = bench_stackless
                         ? UVA_FUTURE(uva_spawn(sleeper_s, .delay_ns = delay_ns,
                                                .late = late))
                         : UVA_FUTURE(uva_spawn(sleeper, .delay_ns = delay_ns,
                                                .late = late));
    }
    r = uva_gather(UVA_FUTURES(futures), (size_t)args->count, 0, NULL);
    free(futures);
    *ret = r;
    return r;
}

void bench_sleeps(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 100000);
    int64_t *late = calloc((size_t)count, sizeof *late);
    bench_mark_t mark = bench_begin();

    bench_check(
        uva_run_task(sleeps_main, NULL, NULL, .count = count, .late = late),
        "timers");
    bench_timers("timers", bench_peer(), count, late, mark);
    free(late);
}

/* One sleep of 100 us after another: how late each is. */
UVA_TASK(int, naps_main, int64_t count; int64_t * late;)
{
    int r = 0;

    for (int64_t i = 0; i < args->count && r >= 0; i++) {
        int64_t due = bench_wall() + 100000;
        r = uva_sleep(UVA_US(100));
        args->late[i] = bench_wall() - due;
    }
    *ret = r;
    return r;
}

void bench_naps(int argc, char **argv)
{
    int64_t count = bench_arg(argc, argv, 1, 2000);
    int64_t *late = calloc((size_t)count, sizeof *late);
    bench_mark_t mark = bench_begin();

    bench_check(
        uva_run_task(naps_main, NULL, NULL, .count = count, .late = late),
        "naps");
    bench_timers("naps", bench_peer(), count, late, mark);
    free(late);
}
