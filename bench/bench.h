/*
 * Clocks, memory and one-line JSON results, shared by the benchmarks and the
 * floor programs. A line is one measurement:
 *
 *     {"bench":"ctx2","peer":"uva","n":1000000,"wall_ns":6.1,"cpu_ns":6.0}
 */
#ifndef BENCH_H
#define BENCH_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline int64_t bench_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t bench_wall(void)
{
    return bench_clock(CLOCK_MONOTONIC);
}

typedef struct bench_mark_s {
    int64_t wall_ns;
    int64_t cpu_ns;
} bench_mark_t;

static inline bench_mark_t bench_begin(void)
{
    bench_mark_t mark = {bench_wall(), bench_clock(CLOCK_PROCESS_CPUTIME_ID)};

    return mark;
}

/** A line of /proc/self/status in bytes: "VmRSS:", "VmPTE:"; -1 elsewhere. */
static inline int64_t bench_status(const char *name)
{
    char line[256];
    int64_t bytes = -1;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            bytes = strtoll(line + strlen(name), NULL, 10) * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

/** Lines of /proc/self/maps. */
static inline int64_t bench_mappings(void)
{
    int64_t lines = 0;
    int c;
    FILE *file = fopen("/proc/self/maps", "r");

    while (file != NULL && (c = getc(file)) != EOF) {
        lines += c == '\n';
    }
    if (file != NULL) {
        fclose(file);
    }
    return lines;
}

/** Wall and CPU nanoseconds per unit of work. */
static inline void
bench_end(bench_mark_t mark, const char *bench, const char *peer, double units)
{
    int64_t cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;
    int64_t wall_ns = bench_wall() - mark.wall_ns;

    printf("{\"bench\":\"%s\",\"peer\":\"%s\",\"n\":%.0f,\"wall_ns\":%.2f,"
           "\"cpu_ns\":%.2f}\n",
           bench, peer, units, (double)wall_ns / units, (double)cpu_ns / units);
    fflush(stdout);
}

/** Seconds of the whole, for work that is mostly waiting. */
static inline void bench_end_seconds(bench_mark_t mark,
                                     const char *bench,
                                     const char *peer,
                                     int64_t count)
{
    int64_t cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;
    int64_t wall_ns = bench_wall() - mark.wall_ns;

    printf("{\"bench\":\"%s\",\"peer\":\"%s\",\"n\":%" PRId64
           ",\"wall_s\":%.4f,\"cpu_s\":%.4f}\n",
           bench, peer, count, (double)wall_ns / 1e9, (double)cpu_ns / 1e9);
    fflush(stdout);
}

static inline int bench_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/** late: actual - requested nanoseconds of count timers; sorted by it. */
static inline void bench_timers(const char *bench,
                                const char *peer,
                                int64_t count,
                                int64_t *late,
                                bench_mark_t mark)
{
    int64_t cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;
    int64_t wall_ns = bench_wall() - mark.wall_ns;

    qsort(late, (size_t)count, sizeof *late, bench_compare);
    printf("{\"bench\":\"%s\",\"peer\":\"%s\",\"n\":%" PRId64
           ",\"cpu_s\":%.4f,\"wall_s\":%.4f,\"late_min_us\":%.1f,"
           "\"late_p50_us\":%.1f,\"late_p99_us\":%.1f,\"late_max_us\":%.1f}\n",
           bench, peer, count, (double)cpu_ns / 1e9, (double)wall_ns / 1e9,
           (double)late[0] / 1e3, (double)late[count / 2] / 1e3,
           (double)late[count * 99 / 100] / 1e3, (double)late[count - 1] / 1e3);
    fflush(stdout);
}

/** A delay below one second: the same sequence in every program. */
static inline int64_t bench_delay(void)
{
    static uint64_t seed = 88172645463325252u;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int64_t)(seed % 1000000000u);
}

/** A number of the command line; a benchmark that guessed one would measure
 * something else. */
static inline double bench_number(const char *text)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end != '\0' || !(number >= 0 && number < 1e18)) {
        fprintf(stderr, "not a number: '%s'\n", text);
        exit(2);
    }
    return number;
}

static inline int64_t
bench_arg(int argc, char **argv, int index, int64_t missing)
{
    return argc > index ? (int64_t)bench_number(argv[index]) : missing;
}

#endif /* BENCH_H */
