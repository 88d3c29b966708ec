/*
 * `uva crawl`: fetch what the command line names, tell what came of it.
 */
#include "crawl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "json.h"
#include "tool.h"

enum {
    EXIT_SIGNAL = 128, /* And its number, as shells tell it. */
    SPARE_DESCRIPTORS = 32
};

/* As many descriptors as the system lets us have; pages at once that they are
 * enough for, with a socket and a file each. */
static size_t descriptors_allow(size_t at_once)
{
    struct rlimit limit;
    size_t most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return at_once;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == RLIM_INFINITY) {
        return at_once;
    }
    most = limit.rlim_cur > SPARE_DESCRIPTORS + 2
               ? (size_t)(limit.rlim_cur - SPARE_DESCRIPTORS) / 2
               : 1;
    return at_once < most ? at_once : most;
}

static bool make_folder(const char *path)
{
    struct stat info;

    if (mkdir(path, 0777) == 0) {
        return true;
    }
    if (errno == EEXIST && stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) {
            return true;
        }
        errno = ENOTDIR;
    }
    fprintf(stderr, "uva crawl: %s: %s\n", path, strerror(errno));
    return false;
}

static void print_size(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;

    while (size >= 1024 && unit < 4) {
        size /= 1024;
        unit++;
    }
    printf("%.*f %s", unit > 0, size, units[unit]);
}

static void print_summary(const crawl_t *crawl, double wall_ms)
{
    size_t failed = crawl_failed_count(crawl);
    double seconds = wall_ms > 0 ? wall_ms / 1e3 : 1e-3;
    uint64_t bytes = 0;

    for (size_t i = 0; i < crawl->page_count; i++) {
        bytes += crawl->pages[i].body_bytes;
    }
    printf("%zu page%s, ", crawl->page_count,
           crawl->page_count == 1 ? "" : "s");
    print_size(bytes);
    printf(", %.2f s, %.1f pages/s", wall_ms / 1e3,
           (double)(crawl->page_count - failed) / seconds);
    if (failed > 0) {
        printf(", %zu failed", failed);
    }
    putchar('\n');
}

static void print_json_page(const page_t *page)
{
    const char *error = page->is_done ? page->error : "not fetched";

    printf("{\"index\":%zu,\"url\":", page->index);
    json_string(stdout, page->url);
    if (page->status != 0) {
        printf(",\"status\":%d", page->status);
    } else {
        fputs(",\"status\":null", stdout);
    }
    printf(",\"bytes\":%llu,\"ms\":%.3f,\"file\":",
           (unsigned long long)page->body_bytes,
           (double)page->duration_ns / 1e6);
    json_string(stdout, page->file);
    fputs(",\"error\":", stdout);
    json_string(stdout, error[0] != '\0' ? error : NULL);
    putchar('}');
}

static void print_json(const crawl_t *crawl, double wall_ms)
{
    fputs("{\"pages\":[", stdout);
    for (size_t i = 0; i < crawl->page_count; i++) {
        fputs(i > 0 ? ",\n" : "\n", stdout);
        print_json_page(&crawl->pages[i]);
    }
    printf("\n],\"wall_ms\":%.3f,\"cpu_ms\":%.3f}\n", wall_ms, cpu_ms());
}

/* @return Exit status. */
static int crawl_report(const crawl_t *crawl, int r, double wall_ms)
{
    if (crawl->options->json) {
        print_json(crawl, wall_ms);
    } else {
        print_summary(crawl, wall_ms);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "uva crawl: standard output: %s\n", strerror(errno));
        return 1;
    }
    if (r == UV_EINTR) {
        fprintf(stderr, "uva crawl: %s\n",
                crawl->ended_by == SIGINT ? "interrupted"
                                          : strsignal(crawl->ended_by));
        return EXIT_SIGNAL + crawl->ended_by;
    }
    if (r < 0) {
        fprintf(stderr, "uva crawl: %s\n", uva_strerror(r));
        return 1;
    }
    return crawl_failed_count(crawl) > 0;
}

static int crawl_urls(const crawl_options_t *options, size_t at_once)
{
    uint64_t began_ns = clock_ns();
    crawl_t crawl;
    int status;
    int r;

    if (options->folder != NULL && !make_folder(options->folder)) {
        return 1;
    }
    r = crawl_init(&crawl, options, options->urls, options->url_count,
                   options->repeat);
    if (r < 0) {
        fprintf(stderr, "uva crawl: %s\n", uva_strerror(r));
        return 1;
    }
    if (at_once < options->at_once && at_once < crawl.page_count) {
        progress_clear(&crawl.progress);
        fprintf(stderr, "uva crawl: -c %zu: only %zu, as descriptors allow\n",
                options->at_once, at_once);
    }
    r = crawl_with_uva(&crawl, at_once);
    progress_clear(&crawl.progress);
    status = crawl_report(&crawl, r, (double)(clock_ns() - began_ns) / 1e6);
    crawl_destroy(&crawl);
    return status;
}

int crawl_main(int argc, char **argv)
{
    crawl_options_t options;
    size_t at_once;
    int status;

    if (!crawl_options_parse(&options, argc, argv, &status)) {
        return status;
    }
    at_once = descriptors_allow(options.at_once);
    return options.url_count > 0 ? crawl_urls(&options, at_once)
                                 : crawl_demo(&options);
}
