/*
 * The uva command: what its first word says.
 */
#include <stdio.h>
#include <string.h>

#include <uva.h>

#include "tool.h"

static const char help[] =
    "uva WORD [OPTION]...\n"
    "\n"
    "  crawl    fetch pages concurrently; without URLs, a demonstration\n"
    "\n"
    "  --help      this text; uva WORD --help tells about a word\n"
    "  --version   the version, and what the library found on this machine\n";

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} words[] = {
    {"crawl", crawl_main},
};

static int print_version(void)
{
    const uva_features_t *features = uva_features();

    printf("uva %s\nlibuv %s, stacks switched by %s, guarded by %s\n",
           uva_version_string(), features->libuv, features->coro_switch,
           features->guard);
    return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(help, stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, stdout);
        return fflush(stdout) != 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(argv[1], words[i].name) == 0) {
            return words[i].main(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "uva: no such word: %s\nTry 'uva --help'.\n", argv[1]);
    return 2;
}
