/*
 * The bar is one line that is drawn over itself, at most twenty times a second:
 * a crawl must not wait for its terminal.
 */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum {
    BAR_CHARS = 30,
    REDRAW_NS = 50 * 1000 * 1000
};

static void progress_draw(progress_t *progress)
{
    static const char full[] = "##############################";
    static const char empty[] = "..............................";
    double elapsed_s = (double)(clock_ns() - progress->began_ns) / 1e9;
    size_t came = progress->done - progress->failed;
    int chars = (int)(progress->done * BAR_CHARS / progress->total);

    fprintf(stderr, "\r[%.*s%.*s] %zu/%zu  %.1f pages/s", chars, full,
            BAR_CHARS - chars, empty, progress->done, progress->total,
            elapsed_s > 0 ? (double)came / elapsed_s : 0.0);
    if (progress->failed > 0) {
        fprintf(stderr, "  %zu failed", progress->failed);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
}

void progress_begin(progress_t *progress, size_t total)
{
    const char *terminal = getenv("TERM");

    memset(progress, 0, sizeof *progress);
    progress->total = total;
    progress->began_ns = clock_ns();
    progress->is_shown = isatty(STDERR_FILENO) && terminal != NULL &&
                         strcmp(terminal, "dumb") != 0;
    if (progress->is_shown) {
        progress_draw(progress);
    }
}

void progress_step(progress_t *progress, bool failed)
{
    uint64_t now_ns;

    progress->done++;
    progress->failed += failed;
    if (!progress->is_shown) {
        return;
    }
    now_ns = clock_ns();
    if (now_ns - progress->drawn_ns >= REDRAW_NS) {
        progress->drawn_ns = now_ns;
        progress_draw(progress);
    }
}

void progress_clear(progress_t *progress)
{
    if (progress->is_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->drawn_ns = 0;
    }
}
