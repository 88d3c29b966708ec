/*
 * What the parts of uva_bench share.
 */
#ifndef UVA_BENCH_H
#define UVA_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <uva.h>

#include "bench.h"

/** Run stackless tasks where there is a choice. */
extern bool bench_stackless;

static inline const char *bench_peer(void)
{
    return bench_stackless ? "uva-stackless" : "uva";
}

/** End the program when a benchmark does not work: its figure would lie. */
void bench_check(int r, const char *what);

/* A benchmark: arguments after its name. */
typedef void (*bench_cb)(int argc, char **argv);

/** Switch count times between two flows, there and back. */
void bench_switch(int64_t count);

void bench_ctx(int argc, char **argv);
void bench_spawn_seq(int argc, char **argv);
void bench_spawn_batch(int argc, char **argv);
void bench_gather(int argc, char **argv);
void bench_live(int argc, char **argv);
void bench_sleeps(int argc, char **argv);
void bench_naps(int argc, char **argv);
void bench_chan(int argc, char **argv);
void bench_jobs(int argc, char **argv);
void bench_echo(int argc, char **argv);
void bench_pair(int argc, char **argv);
void bench_crawl(int argc, char **argv);

#endif /* UVA_BENCH_H */
