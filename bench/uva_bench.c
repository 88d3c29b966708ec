/*
 * uva_bench: one benchmark a run, one line of JSON a result.
 *
 *     uva_bench [--stackless] NAME [ARGUMENT...]
 */
#include "uva_bench.h"

bool bench_stackless;

void bench_check(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "uva_bench: %s: %s (%s)\n", what, uva_strerror(r),
                uva_err_name(r));
        exit(1);
    }
}

static const struct {
    const char *name;
    bench_cb run;
    const char *arguments;
} benches[] = {
    {"ctx", bench_ctx, "TASKS COUNT"},
    {"spawn_seq", bench_spawn_seq, "COUNT"},
    {"spawn_batch", bench_spawn_batch, "COUNT BATCH"},
    {"gather", bench_gather, "COUNT"},
    {"live", bench_live, "COUNT"},
    {"timers", bench_sleeps, "COUNT"},
    {"naps", bench_naps, "COUNT"},
    {"chan", bench_chan, "COUNT CAPACITY"},
    {"jobs", bench_jobs, "COUNT BATCH"},
    {"echo", bench_echo, "stream|read|protocol [--port N]"},
    {"pair", bench_pair, "COUNT"},
    {"crawl", bench_crawl, "PORT COUNT"},
};

static int usage(void)
{
    fputs("uva_bench [--stackless] NAME [ARGUMENT...]\n", stderr);
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++) {
        fprintf(stderr, "  %s %s\n", benches[i].name, benches[i].arguments);
    }
    return 2;
}

int main(int argc, char **argv)
{
    int at = 1;

    if (at < argc && strcmp(argv[at], "--stackless") == 0) {
        bench_stackless = true;
        at++;
    }
    for (size_t i = 0; at < argc && i < sizeof benches / sizeof benches[0];
         i++) {
        if (strcmp(argv[at], benches[i].name) == 0) {
            benches[i].run(argc - at, argv + at);
            return 0;
        }
    }
    return usage();
}
