/*
 * The demonstration: the same slow pages in three ways. Each way runs in a
 * process of its own, so that the time and the memory the system reports for
 * it are its own.
 */
#include "crawl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

enum {
    URL_ROOM = 48
};

static int all_with_uva(crawl_t *crawl)
{
    return crawl_with_uva(crawl, crawl->page_count);
}

typedef struct way_s {
    const char *name;
    int (*crawl)(crawl_t *crawl);
} way_t;

/* What every way is given. */
typedef struct demo_s {
    const crawl_options_t *options;
    slow_server_t server;
    char **urls;
} demo_t;

static const way_t ways[] = {
    {"one after another", crawl_in_turn},
    {"a thread for each page", crawl_with_threads},
    {"uva", all_with_uva},
};

/* What a way's process tells of itself. */
typedef struct outcome_s {
    int code;
    uint64_t wall_ns;
    size_t failed_count;
} outcome_t;

static void way_process(const way_t *way, const demo_t *demo, int outcome_pipe)
{
    size_t count = demo->options->demo_pages;
    outcome_t outcome;
    crawl_t crawl;

    memset(&outcome, 0, sizeof outcome); /* What lies between, too. */
    outcome.failed_count = count;
    slow_server_leave(&demo->server);
    outcome.code = crawl_init(&crawl, demo->options, demo->urls, count, 1);
    if (outcome.code == 0) {
        uint64_t began_ns = clock_ns();

        outcome.code = way->crawl(&crawl);
        outcome.wall_ns = clock_ns() - began_ns;
        outcome.failed_count = crawl_failed_count(&crawl);
        progress_clear(&crawl.progress);
        crawl_destroy(&crawl);
    }
    _exit(write(outcome_pipe, &outcome, sizeof outcome) != sizeof outcome);
}

/* @return 0, or a code if the process did not come to its end. */
static int way_measure(const way_t *way,
                       const demo_t *demo,
                       outcome_t *ret_outcome,
                       struct rusage *ret_usage)
{
    int outcome_pipe[2];
    ssize_t size;
    pid_t pid;

    if (pipe(outcome_pipe) != 0) {
        return -errno;
    }
    pid = fork();
    if (pid < 0) {
        size = -errno;
        close(outcome_pipe[0]);
        close(outcome_pipe[1]);
        return (int)size;
    }
    if (pid == 0) {
        close(outcome_pipe[0]);
        way_process(way, demo, outcome_pipe[1]);
    }
    close(outcome_pipe[1]);
    do {
        size = read(outcome_pipe[0], ret_outcome, sizeof *ret_outcome);
    } while (size < 0 && errno == EINTR);
    close(outcome_pipe[0]);
    while (wait4(pid, NULL, 0, ret_usage) < 0 && errno == EINTR) {
    }
    return size == sizeof *ret_outcome ? ret_outcome->code : UV_EPIPE;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* ru_maxrss counts kilobytes, but bytes on a Mac. */
static double peak_mib(const struct rusage *usage)
{
#ifdef __APPLE__
    return (double)usage->ru_maxrss / 1048576;
#else
    return (double)usage->ru_maxrss / 1024;
#endif
}

/* @return Whether every page came. */
static bool way_run(const way_t *way, const demo_t *demo)
{
    outcome_t outcome;
    struct rusage usage;
    double wall_s;
    size_t came;
    int r = way_measure(way, demo, &outcome, &usage);

    if (r < 0) {
        fprintf(stderr, "uva crawl: %s: %s\n", way->name, uva_strerror(r));
        return false;
    }
    wall_s = (double)outcome.wall_ns / 1e9;
    came = demo->options->demo_pages - outcome.failed_count;
    printf("%-24s %8.3f s %8.3f s %8.1f MiB %10.1f\n", way->name, wall_s,
           seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
           peak_mib(&usage), (double)came / wall_s);
    fflush(stdout);
    return outcome.failed_count == 0;
}

/* The array and its texts in one block, owned by the caller. */
static char **urls_make(size_t count, int port)
{
    char **urls = calloc(count, sizeof *urls + URL_ROOM);

    for (size_t i = 0; urls != NULL && i < count; i++) {
        urls[i] = (char *)(urls + count) + i * URL_ROOM;
        snprintf(urls[i], URL_ROOM, "http://127.0.0.1:%d/%zu", port, i + 1);
    }
    return urls;
}

static void print_heading(const crawl_options_t *options)
{
    printf("%zu pages, each answered after %g ms\n\n", options->demo_pages,
           (double)options->demo_delay_ns / 1e6);
    printf("%-24s %10s %10s %12s %10s\n", "", "wall", "cpu", "peak memory",
           "pages/s");
    fflush(stdout); /* Before the forks: nothing is printed twice. */
}

int crawl_demo(const crawl_options_t *options)
{
    demo_t demo = {.options = options};
    bool good = true;
    int r = slow_server_start(&demo.server, options->demo_delay_ns);

    if (r < 0) {
        fprintf(stderr, "uva crawl: no server: %s\n", uva_strerror(r));
        return 1;
    }
    demo.urls = urls_make(options->demo_pages, demo.server.port);
    if (demo.urls != NULL) {
        print_heading(options);
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            good = way_run(&ways[i], &demo) && good;
        }
    } else {
        fprintf(stderr, "uva crawl: %s\n", uva_strerror(UV_ENOMEM));
        good = false;
    }
    free(demo.urls);
    slow_server_stop(&demo.server);
    return good ? 0 : 1;
}
