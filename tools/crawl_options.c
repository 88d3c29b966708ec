/*
 * The command line of `uva crawl`.
 */
#include "crawl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "uva crawl [OPTION]... URL...   fetch pages, many at the same time\n"
    "uva crawl [OPTION]...          compare three ways to fetch slow pages\n"
    "\n"
    "With URLs (http://host[:port]/path):\n"
    "  -c, --concurrency N  pages at the same time (10)\n"
    "      --timeout S      seconds for a page, such as 2.5 (30)\n"
    "      --repeat N       go through the list N times (1)\n"
    "      --max-body B     bytes of a body, or 512k, 64M, 2G (64M)\n"
    "  -o, --output DIR     save bodies as DIR/NNNN-NAME: place in the list, "
    "last\n"
    "                       part of the path\n"
    "      --json           print one JSON object instead of text\n"
    "\n"
    "Without URLs, from a server of its own:\n"
    "      --pages N        how many pages (50)\n"
    "      --delay MS       milliseconds that each takes (100)\n"
    "      --timeout S      as above\n"
    "\n"
    "A page succeeds if its status is 200 and its body is whole; redirects "
    "are\n"
    "not followed. Each failure is a line on standard error.\n"
    "\n"
    "Exit status: 0 if every page succeeded, 1 if not, 2 for a command line "
    "that\n"
    "makes no sense, 128 and the number of the signal that ended it (130 "
    "after\n"
    "Ctrl-C). The rate is that of the pages that succeeded.\n";

enum {
    OPTION_TIMEOUT = 256,
    OPTION_REPEAT,
    OPTION_MAX_BODY,
    OPTION_JSON,
    OPTION_PAGES,
    OPTION_DELAY,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"concurrency", required_argument, NULL, 'c'},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"max-body", required_argument, NULL, OPTION_MAX_BODY},
    {"output", required_argument, NULL, 'o'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"pages", required_argument, NULL, OPTION_PAGES},
    {"delay", required_argument, NULL, OPTION_DELAY},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool refuse(const char *option, const char *text, const char *wanted)
{
    fprintf(stderr, "uva crawl: %s '%s': %s\n", option, text, wanted);
    return false;
}

/* Digits and nothing else. @return false for other text or what does not
 * fit. */
static bool read_digits(const char *text, size_t size, uint64_t *ret_count)
{
    uint64_t count = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || count > (UINT64_MAX - 9) / 10) {
            return false;
        }
        count = count * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_count = count;
    return size > 0;
}

static bool parse_count(const char *option,
                        const char *text,
                        size_t min,
                        size_t max,
                        size_t *ret_count)
{
    char wanted[80];
    uint64_t count;

    if (!read_digits(text, strlen(text), &count) || count < min ||
        count > max) {
        snprintf(wanted, sizeof wanted, "not a number from %zu to %zu", min,
                 max);
        return refuse(option, text, wanted);
    }
    *ret_count = (size_t)count;
    return true;
}

static bool
parse_seconds(const char *option, const char *text, uint64_t *ret_ns)
{
    double seconds = 0;
    double unit = 1;
    bool fraction = false;
    bool good = strspn(text, ".") < strlen(text);

    /* By hand, because strtod takes infinities, signs and hexadecimals. */
    for (const char *c = text; good && *c != '\0'; c++) {
        if (*c == '.' && !fraction) {
            fraction = true;
        } else if (*c >= '0' && *c <= '9') {
            unit /= fraction ? 10 : 1;
            seconds = fraction ? seconds + (*c - '0') * unit
                               : seconds * 10 + (*c - '0');
        } else {
            good = false;
        }
    }
    if (!good || seconds < 0.001 || seconds > 86400) {
        return refuse(option, text,
                      "not a number of seconds from 0.001 to 86400");
    }
    *ret_ns = (uint64_t)(seconds * 1e9);
    return true;
}

static bool
parse_bytes(const char *option, const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "kmg";
    size_t size = strlen(text);
    const char *unit = size > 0 ? strchr(units, text[size - 1] | 0x20) : NULL;
    unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t count;

    if (!read_digits(text, size - (unit != NULL), &count) ||
        count > UINT64_C(1) << 40 >> shift) {
        return refuse(option, text, "not a number of bytes, at most 1024G");
    }
    *ret_bytes = count << shift;
    return true;
}

/* One option. @return false if its value makes no sense. */
static bool take_option(crawl_options_t *options, int option)
{
    size_t delay_ms;

    switch (option) {
    case 'c':
        return parse_count("-c", optarg, 1, 100000, &options->at_once);
    case 'o':
        options->folder = optarg;
        return *optarg != '\0' || refuse("-o", optarg, "not a folder");
    case OPTION_TIMEOUT:
        return parse_seconds("--timeout", optarg, &options->timeout_ns);
    case OPTION_REPEAT:
        return parse_count("--repeat", optarg, 1, 1000000, &options->repeat);
    case OPTION_MAX_BODY:
        return parse_bytes("--max-body", optarg, &options->max_body_bytes);
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_PAGES:
        return parse_count("--pages", optarg, 1, 10000, &options->demo_pages);
    case OPTION_DELAY:
        if (!parse_count("--delay", optarg, 0, 60000, &delay_ms)) {
            return false;
        }
        options->demo_delay_ns = UVA_MS(delay_ms);
        return true;
    default:
        return false; /* getopt_long has said why. */
    }
}

/* Options that would do nothing are mistakes. */
static bool options_fit(const crawl_options_t *options, const bool *given)
{
    static const struct {
        int option;
        const char *name;
        bool of_demo;
    } rules[] = {
        {'c', "-c", false},
        {'o', "-o", false},
        {OPTION_REPEAT, "--repeat", false},
        {OPTION_MAX_BODY, "--max-body", false},
        {OPTION_JSON, "--json", false},
        {OPTION_PAGES, "--pages", true},
        {OPTION_DELAY, "--delay", true},
    };
    bool is_demo = options->url_count == 0;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (given[rules[i].option] && rules[i].of_demo != is_demo) {
            fprintf(stderr, "uva crawl: %s goes only %s URLs\n", rules[i].name,
                    is_demo ? "with" : "without");
            return false;
        }
    }
    return true;
}

bool crawl_options_parse(crawl_options_t *options,
                         int argc,
                         char **argv,
                         int *ret_status)
{
    static char name[] = "uva crawl";
    const crawl_options_t defaults = {.at_once = 10,
                                      .repeat = 1,
                                      .timeout_ns = UVA_SEC(30),
                                      .max_body_bytes = UINT64_C(64) << 20,
                                      .demo_pages = 50,
                                      .demo_delay_ns = UVA_MS(100)};
    bool given[OPTION_HELP + 1] = {false};
    bool good = true;
    int option;

    *options = defaults;
    argv[0] = name; /* What getopt_long calls the program. */
    while (good && (option = getopt_long(argc, argv, "c:o:", long_options,
                                         NULL)) != -1) {
        if (option == OPTION_HELP) {
            fputs(help, stdout);
            *ret_status = fflush(stdout) == 0 ? 0 : 1;
            return false;
        }
        good = take_option(options, option);
        if (good) {
            given[option] = true;
        }
    }
    options->urls = argv + optind;
    options->url_count = (size_t)(argc - optind);
    if (!good || !options_fit(options, given)) {
        fputs("Try 'uva crawl --help'.\n", stderr);
        *ret_status = 2;
        return false;
    }
    return true;
}
