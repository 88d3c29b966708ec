/*
 * The table: runs each way as a program of its own against the server of slow
 * pages, and prints what it has cost.
 *
 *     build/release/bin/crawl_ways
 */
#include "crawl.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "slow_pages.h"

static const char *const ways[] = {
    "blocking",        "processes", "threads",       "busy_loop",
    "epoll_callbacks", "by_hand",   "uva_stackless", "uva_stackful",
};

enum {
    WAY_COUNT = sizeof ways / sizeof *ways
};

typedef struct cost_s {
    double wall_s;
    struct rusage usage;
} cost_t;

static double clock_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Become the program of a way, which stands beside this one. */
_Noreturn static void way_exec(const char *way, const char *self, int port)
{
    const char *slash = strrchr(self, '/');
    int folder_length = slash != NULL ? (int)(slash + 1 - self) : 0;
    char program[4096];
    char port_text[8];

    snprintf(program, sizeof program, "%.*scrawl_%s", folder_length, self, way);
    snprintf(port_text, sizeof port_text, "%d", port);
    execlp(program, program, port_text, (char *)NULL);
    perror(program);
    _exit(127);
}

/* The peak of memory that the system tells of a program includes the process
 * that became the program. A fork has only the few pages that it has written; a
 * vfork, as posix_spawn makes it, would have all those of this program.
 *
 * @return Whether the way got every page. */
static bool way_run(const char *way, const char *self, int port, cost_t *cost)
{
    double began_s = clock_s();
    pid_t pid = fork();
    int status;

    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        way_exec(way, self, port);
    }
    while (wait4(pid, &status, 0, &cost->usage) < 0) {
        if (errno != EINTR) {
            die("wait4");
        }
    }
    cost->wall_s = clock_s() - began_s;
    return status == 0;
}

/* @return Lines of a way that are not empty and no comment; 0 if its source is
 * not there. Comments stand on lines of their own, or behind code. */
static int way_lines(const char *way)
{
    char text[4096];
    bool in_comment = false;
    int count = 0;
    FILE *file;

    snprintf(text, sizeof text, "%s/%s.c", CRAWL_WAYS_SOURCES, way);
    file = fopen(text, "r");
    while (file != NULL && fgets(text, sizeof text, file) != NULL) {
        const char *code = text + strspn(text, " \t\n");
        bool begins_comment = strncmp(code, "/*", 2) == 0;

        count += *code != '\0' && !in_comment && !begins_comment;
        in_comment = (in_comment || begins_comment) && !strstr(code, "*/");
    }
    if (file != NULL) {
        fclose(file);
    }
    return count;
}

static double cpu_ms(const struct rusage *usage)
{
    double seconds = (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec);
    double more_us =
        (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);

    return seconds * 1e3 + more_us / 1e3;
}

/* Run a way and print its line. @return Whether every page came. */
static bool
way_measure(const char *way, const char *self, const slow_pages_t *server)
{
    slow_pages_counts_t counts;
    cost_t cost;
    bool is_good = way_run(way, self, server->port, &cost);

    if (slow_pages_take_counts(server, &counts) < 0) {
        fprintf(stderr, "crawl_ways: the server is gone\n");
        return false;
    }
    if (!is_good) {
        fprintf(stderr, "crawl_ways: %s did not get every page\n", way);
    }
    printf("%-16s %5d %8d %8.3f s %7.1f ms %7.1f MiB %6d\n", way, counts.served,
           counts.at_once, cost.wall_s, cpu_ms(&cost.usage),
           (double)cost.usage.ru_maxrss / 1024, way_lines(way));
    fflush(stdout); /* Before the next fork: nothing is printed twice. */
    return is_good && counts.served == PAGE_COUNT;
}

int main(int argc, char **argv)
{
    slow_pages_t server;
    bool is_good = true;

    if (argc != 1 || slow_pages_start(&server) < 0) {
        fprintf(stderr, "usage: crawl_ways\n");
        return 1;
    }
    printf("%-16s %5s %8s %10s %10s %11s %6s\n", "", "pages", "at once", "wall",
           "CPU", "memory", "lines");
    fflush(stdout);
    for (int i = 0; i < WAY_COUNT; i++) {
        is_good = way_measure(ways[i], argv[0], &server) && is_good;
    }
    return slow_pages_stop(&server) == 0 && is_good ? 0 : 1;
}
