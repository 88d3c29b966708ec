/*
 * `uva crawl` from the outside: the program itself against a server that
 * misbehaves, its output, its files, its status.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

#include "bad_server.h"
#include "crawl.h"
#include "json_check.h"
#include "uva_test.h"

enum {
    OUTPUT_MAX_BYTES = 1024 * 1024,
    ARGUMENTS_MAX = 300
};

/* --- running the program --- */

/* What a run of the program left. */
static int status;
static char *output;
static char *errors;

/* Its command line, put together by add(). */
static char *arguments[ARGUMENTS_MAX + 1];
static size_t argument_count;

/* That it may have; 0: as many as we. */
static rlim_t descriptors;

static char folder[] = "/tmp/uva_test_crawl_XXXXXX";

UVA_PRINTF(1, 2) static void add(const char *format, ...)
{
    va_list values;

    ck_assert_uint_lt(argument_count, ARGUMENTS_MAX);
    va_start(values, format);
    ck_assert_int_ge(vasprintf(&arguments[argument_count++], format, values),
                     0);
    va_end(values);
}

/* A page of the server, with a number if its name ends with a slash. */
static void add_page(const char *page)
{
    add("http://127.0.0.1:%d/%s", bad_server_port(), page);
}

static char *file_text(int fd)
{
    char *text = malloc(OUTPUT_MAX_BYTES + 1);
    ssize_t size = pread(fd, text, OUTPUT_MAX_BYTES, 0);

    ck_assert_int_ge(size, 0);
    text[size] = '\0';
    close(fd);
    return text;
}

static int temporary_file(void)
{
    char name[] = "/tmp/uva_test_crawl_XXXXXX";
    int fd = mkstemp(name);

    ck_assert_int_ge(fd, 0);
    unlink(name);
    return fd;
}

static void arguments_drop(void)
{
    while (argument_count > 0) {
        free(arguments[--argument_count]);
        arguments[argument_count] = NULL;
    }
}

/* Start what add() put together. */
static pid_t start(int out, int err)
{
    const struct rlimit limit = {descriptors, descriptors};
    pid_t pid = fork();

    if (pid == 0) { /* No assertion here: both would write Check's records. */
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
        setenv("TERM", "xterm", 1);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        if (descriptors > 0) {
            setrlimit(RLIMIT_NOFILE, &limit);
        }
        execv(UVA_COMMAND, arguments);
        _exit(127);
    }
    ck_assert_int_gt(pid, 0);
    arguments_drop();
    return pid;
}

static void finish(pid_t pid, int out, int err)
{
    free(output);
    free(errors);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    output = file_text(out);
    errors = file_text(err);
    ck_assert_msg(WIFEXITED(status), "signal %d: %s", status, errors);
    status = WEXITSTATUS(status);
}

static void run(void)
{
    int out = temporary_file();
    int err = temporary_file();

    finish(start(out, err), out, err);
}

static void uva(const char *word)
{
    add("uva");
    if (word != NULL) {
        add("%s", word);
    }
}

static bool says(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static size_t lines_of(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void setup(void)
{
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    bad_server_start();
}

static void folder_empty(const char *path)
{
    DIR *entries = opendir(path);
    struct dirent *entry;
    char name[600];

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            unlink(name);
            rmdir(name);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
}

static void teardown(void)
{
    char name[64];

    bad_server_stop();
    snprintf(name, sizeof name, "%s/bodies", folder);
    folder_empty(name);
    folder_empty(folder);
    rmdir(folder);
    free(output);
    free(errors);
    output = NULL;
    errors = NULL;
}

/* --- words and options --- */

START_TEST(help_and_version)
{
    uva("--help");
    run();
    ck_assert_int_eq(status, 0);
    ck_assert(says(output, "crawl"));
    ck_assert_str_eq(errors, "");
    uva("--version");
    run();
    ck_assert_int_eq(status, 0);
    ck_assert(says(output, "uva " UVA_VERSION_STRING "\n"));
    uva("crawl");
    add("--help");
    run();
    ck_assert_int_eq(status, 0);
    ck_assert(says(output, "--max-body"));
    ck_assert_str_eq(errors, "");
}
END_TEST

START_TEST(unknown_words)
{
    uva(NULL);
    run();
    ck_assert_int_eq(status, 2);
    ck_assert_str_eq(output, "");
    ck_assert(says(errors, "crawl"));
    uva("crow");
    run();
    ck_assert_int_eq(status, 2);
    ck_assert(says(errors, "no such word: crow"));
    uva("crawl");
    add("--frobnicate");
    run();
    ck_assert_int_eq(status, 2);
    ck_assert(says(errors, "--frobnicate"));
    ck_assert_str_eq(output, "");
}
END_TEST

static const char *const bad_options[][2] = {
    {"-c0", "-c '0': not a number from 1 to 100000"},
    {"-c-1", "-c '-1': not a number"},
    {"-cx", "-c 'x': not a number"},
    {"-c1x", "-c '1x': not a number"},
    {"-c 1", "-c ' 1': not a number"},
    {"-c99999999999999999999999", "-c '99999999999999999999999': not a number"},
    {"--repeat=0", "--repeat '0': not a number"},
    {"--repeat=", "--repeat '': not a number"},
    {"--timeout=0", "--timeout '0': not a number of seconds"},
    {"--timeout=", "--timeout '': not a number of seconds"},
    {"--timeout=-1", "--timeout '-1': not a number of seconds"},
    {"--timeout=1e3", "--timeout '1e3': not a number of seconds"},
    {"--timeout=nan", "--timeout 'nan': not a number of seconds"},
    {"--timeout=.", "--timeout '.': not a number of seconds"},
    {"--timeout=1.2.3", "--timeout '1.2.3': not a number of seconds"},
    {"--timeout=99999999", "--timeout '99999999': not a number of seconds"},
    {"--max-body=", "--max-body '': not a number of bytes"},
    {"--max-body=k", "--max-body 'k': not a number of bytes"},
    {"--max-body=1t", "--max-body '1t': not a number of bytes"},
    {"--max-body=1kk", "--max-body '1kk': not a number of bytes"},
    {"--max-body=-1", "--max-body '-1': not a number of bytes"},
    {"--max-body=2000G", "--max-body '2000G': not a number of bytes"},
    {"--max-body=9999999999999999999999999999",
     "--max-body '9999999999999999999999999999': not a number of bytes"},
    {"--output=", "-o '': not a folder"},
    {"--pages=5", "--pages goes only without URLs"},
    {"--delay=5", "--delay goes only without URLs"},
};

START_TEST(bad_numbers)
{
    uva("crawl");
    add("%s", bad_options[_i][0]);
    add_page("bytes/1");
    run();
    ck_assert_int_eq(status, 2);
    ck_assert_str_eq(output, "");
    ck_assert_msg(says(errors, bad_options[_i][1]), "%s", errors);
    ck_assert_msg(says(errors, "Try 'uva crawl --help'"), "%s", errors);
    ck_assert_int_eq(bad_server_accepted(), 0);
}
END_TEST

START_TEST(missing_value)
{
    uva("crawl");
    add_page("bytes/1");
    add("--timeout");
    run();
    ck_assert_int_eq(status, 2);
    ck_assert_msg(says(errors, "Try 'uva crawl --help'"), "%s", errors);
}
END_TEST

START_TEST(options_that_need_urls)
{
    static const char *const options[] = {"-c5", "--repeat=2", "--max-body=5",
                                          "--json", "-ox"};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        uva("crawl");
        add("%s", options[i]);
        run();
        ck_assert_int_eq(status, 2);
        ck_assert(says(errors, "goes only with URLs"));
    }
    uva("crawl");
    add("--pages=0");
    run();
    ck_assert_int_eq(status, 2);
    uva("crawl");
    add("--delay=x");
    run();
    ck_assert_int_eq(status, 2);
}
END_TEST

/* --- pages --- */

START_TEST(pages_that_come)
{
    uva("crawl");
    add("-c");
    add("2");
    add_page("bytes/1000");
    add_page("plain/1001");
    add_page("trickle");
    add_page("bytes/0");
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert_str_eq(errors, "");
    ck_assert_msg(strncmp(output, "4 pages, 2.0 KiB, ", 18) == 0, "%s", output);
    ck_assert(!says(output, "failed"));
    ck_assert_uint_eq(lines_of(output), 1);
}
END_TEST

typedef struct case_s {
    const char *url; /* %d: the port of the server. */
    int http_status; /* 0: null. */
    uint64_t bytes;
    const char *reason; /* The beginning of it; NULL: it succeeds. */
} case_t;

static const case_t cases[] = {
    {"http://127.0.0.1:%d/bytes/70000", 200, 70000, NULL},
    {"http://127.0.0.1:%d/status/404", 404, 3, "status 404"},
    {"http://127.0.0.1:%d/status/301", 301, 3, "status 301"},
    {"http://127.0.0.1:%d/status/201", 201, 3, "status 201"},
    {"http://127.0.0.1:%d/short", 200, 10,
     "the body ends after 10 of 100 bytes"},
    {"http://127.0.0.1:%d/nothing", 0, 0,
     "the server closed the connection without an answer"},
    {"http://127.0.0.1:%d/reset", 0, 0, "connection reset"},
    {"http://127.0.0.1:%d/greeting", 0, 0, "the answer is no HTTP"},
    {"http://127.0.0.1:%d/halfhead", 200, 0,
     "the answer ends within its header"},
    {"http://127.0.0.1:%d/longhead", 200, 0,
     "the header of the answer is too long"},
    {"http://127.0.0.1:%d/bytes/100001", 200, 0,
     "the body is longer than --max-body allows"},
    {"http://127.0.0.1:%d/chunked", 200, 0,
     "the answer has a transfer coding, which HTTP/1.0 lacks"},
    {"http://127.0.0.1:%d/stall", 0, 0, "not answered within 3 s"},
    {"http://127.0.0.1:%d/stallbody", 200, 4, "not answered within 3 s"},
    {"http://127.0.0.1:%d/trickle", 200, 5, NULL},
    {"http://127.0.0.1:%d/plain/100000", 200, 100000, NULL},
    {"http://nosuch.invalid/%d", 0, 0, "unknown host"},
    {"https://127.0.0.1:%d/", 0, 0, "https is not supported, only http"},
    {"http://127.0.0.1:0/%d", 0, 0, "the port is out of range, 1 to 65535"},
    {"http://127.0.0.1:65536/%d", 0, 0, "the port is out of range, 1 to 65535"},
    {"gopher://127.0.0.1:%d/", 0, 0, "not an http:// URL"},
    {"http://127.0.0.1:%d/bytes/3\r\nX: y", 200, 3, NULL},
};

enum {
    CASE_COUNT = sizeof cases / sizeof *cases
};

static void add_cases(void)
{
    for (size_t i = 0; i < CASE_COUNT; i++) {
        add(cases[i].url, bad_server_port());
    }
}

static void check_page(size_t i, const case_t *expected)
{
    char path[64];

    snprintf(path, sizeof path, "pages.%zu.index", i);
    ck_assert_int_eq(json_integer(output, path), (long long)i + 1);
    snprintf(path, sizeof path, "pages.%zu.status", i);
    if (expected->http_status == 0) {
        ck_assert_str_eq(json_value(output, path), "null");
    } else {
        ck_assert_int_eq(json_integer(output, path), expected->http_status);
    }
    snprintf(path, sizeof path, "pages.%zu.bytes", i);
    ck_assert_int_eq(json_integer(output, path), (long long)expected->bytes);
    snprintf(path, sizeof path, "pages.%zu.error", i);
    if (expected->reason == NULL) {
        ck_assert_str_eq(json_value(output, path), "null");
    } else {
        const char *value = json_value(output, path);

        ck_assert_msg(
            strncmp(value + 1, expected->reason, strlen(expected->reason)) == 0,
            "page %zu: %s", i + 1, value);
    }
}

/* Each page gets the right result or a clear reason, and the others arrive. */
START_TEST(every_failure)
{
    size_t failures = 0;

    uva("crawl");
    add("--timeout=3");
    add("--max-body=100000");
    add("--json");
    add_cases();
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_msg(json_is_valid(output), "%s", output);
    ck_assert_int_eq(json_count(output, "pages"), CASE_COUNT);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        check_page(i, &cases[i]);
        failures += cases[i].reason != NULL;
    }
    ck_assert_uint_eq(lines_of(errors), failures);
    ck_assert(says(errors, "/short: the body ends after 10 of 100 bytes\n"));
    ck_assert(says(errors, "uva crawl: https://127.0.0.1:"));
}
END_TEST

/* A page as long as the limit is no failure; one that does not say its length
 * and goes on is. */
START_TEST(body_limit)
{
    uva("crawl");
    add("--max-body=1k");
    add_page("plain/1024");
    add_page("bytes/1024");
    run();
    ck_assert_int_eq(status, 0);
    uva("crawl");
    add("--max-body=1k");
    add_page("plain/1025");
    add_page("endless");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_uint_eq(lines_of(errors), 2);
    ck_assert(says(errors, "/plain/1025: the body is longer than --max-body"));
    ck_assert(says(errors, "/endless: the body is longer than --max-body"));
}
END_TEST

/* A port that is taken, but on which nobody listens. */
START_TEST(refused)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    uva("crawl");
    add("http://127.0.0.1:%d/x", ntohs(address.sin_port));
    add_page("bytes/5");
    run();
    close(fd);
    ck_assert_int_eq(status, 1);
    ck_assert_msg(says(errors, "/x: connection refused\n"), "%s", errors);
    ck_assert(says(output, "2 pages, 5 bytes"));
    ck_assert(says(output, ", 1 failed\n"));
}
END_TEST

START_TEST(ipv6_literal)
{
    if (!bad_server_has_ipv6()) {
        return; /* This machine has none. */
    }
    uva("crawl");
    add("http://[::1]:%d/bytes/7", bad_server_port());
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert(says(output, "1 page, 7 bytes"));
}
END_TEST

/* -c is how many at once: as many, and no more. */
START_TEST(pages_at_once)
{
    uva("crawl");
    add("-c5");
    add("--repeat=3");
    for (int i = 0; i < 5; i++) {
        add_page("together/5");
    }
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert(says(output, "15 pages, 15 bytes"));
    ck_assert_int_eq(bad_server_accepted(), 15);
    ck_assert_int_eq(bad_server_together(), 5);
}
END_TEST

/* A socket and a file each, and a few for the rest. */
START_TEST(few_descriptors)
{
    if (uva_test_on_valgrind()) {
        return;
    }
    descriptors = 52;
    uva("crawl");
    add("-c100");
    for (int i = 0; i < 30; i++) {
        add_page("bytes/5");
    }
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert_str_eq(errors,
                     "uva crawl: -c 100: only 10, as descriptors allow\n");
    uva("crawl");
    add("-c100");
    add_page("bytes/5");
    run();
    ck_assert_str_eq(errors, "");
    descriptors = 0;
}
END_TEST

START_TEST(standard_output_full)
{
    int out = open("/dev/full", O_WRONLY);
    int err = temporary_file();

    if (out < 0) {
        return; /* Not on this system. */
    }
    uva("crawl");
    add_page("bytes/5");
    finish(start(out, err), temporary_file(), err);
    close(out);
    ck_assert_int_eq(status, 1);
    ck_assert(says(errors, "standard output"));
}
END_TEST

/* --- files --- */

/* Whether a file holds the body of a page of size bytes. */
static bool file_holds(const char *name, size_t size)
{
    char path[600];
    unsigned char *bytes = malloc(size + 2);
    ssize_t r;
    bool good;
    int fd;

    snprintf(path, sizeof path, "%s/bodies/%s", folder, name);
    fd = open(path, O_RDONLY | O_NOFOLLOW);
    r = fd >= 0 ? read(fd, bytes, size + 1) : -1;
    good = r == (ssize_t)size;
    for (size_t i = 0; good && i < size; i++) {
        good = bytes[i] == bad_server_byte(i, size);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
    return good;
}

static size_t file_count(void)
{
    char path[64];
    DIR *entries;
    size_t count = 0;

    snprintf(path, sizeof path, "%s/bodies", folder);
    entries = opendir(path);
    while (entries != NULL && readdir(entries) != NULL) {
        count++;
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return count >= 2 ? count - 2 : 0;
}

/* 200 pages of all sizes, byte for byte. */
START_TEST(files_of_200_pages)
{
    char name[64];

    uva("crawl");
    add("-o");
    add("%s/bodies", folder);
    for (size_t i = 0; i < 200; i++) {
        char page[64];

        snprintf(page, sizeof page, "bytes/%zu", i * i * 3);
        add_page(page);
    }
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert_uint_eq(file_count(), 200);
    for (size_t i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "%04zu-%zu", i + 1, i * i * 3);
        ck_assert_msg(file_holds(name, i * i * 3), "%s", name);
    }
}
END_TEST

/* Whatever the URL, the file is in the folder, and only pages that came have
 * one. */
START_TEST(file_names)
{
    uva("crawl");
    add("--timeout=3");
    add("--json");
    add("-o%s/bodies", folder);
    add_page("bytes/5?/../../x");
    add_page("bytes/5/..");
    add_page("bytes/5/");
    add_page("bytes/5/a%2f..%5c b;c");
    add_page("short");
    add_page("status/404");
    add_page("stallbody");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_uint_eq(file_count(), 4);
    ck_assert(file_holds("0001-5", 5));
    ck_assert(file_holds("0002-..", 5));
    ck_assert(file_holds("0003-", 5));
    ck_assert(file_holds("0004-a2f..5cbc", 5));
    ck_assert(says(json_value(output, "pages.0.file"), "/bodies/0001-5\""));
    ck_assert_str_eq(json_value(output, "pages.4.file"), "null");
}
END_TEST

/* A link that lies in the folder is replaced, not written through. */
START_TEST(file_link)
{
    char path[64];
    char target[64];
    struct stat info;

    snprintf(path, sizeof path, "%s/bodies", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/bodies/0001-5", folder);
    snprintf(target, sizeof target, "%s/outside", folder);
    ck_assert_int_eq(symlink(target, path), 0);
    uva("crawl");
    add("-o%s/bodies", folder);
    add_page("bytes/5");
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert(file_holds("0001-5", 5));
    ck_assert_int_ne(lstat(target, &info), 0);
}
END_TEST

START_TEST(files_of_repeats)
{
    uva("crawl");
    add("-c8");
    add("--repeat=4");
    add("-o%s/bodies", folder);
    add_page("bytes/3000000"); /* Several of them at the same time. */
    add_page("bytes/7");
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert_uint_eq(file_count(), 2);
    ck_assert(file_holds("0001-3000000", 3000000));
    ck_assert(file_holds("0002-7", 7));
}
END_TEST

/* Two programs write files of the same name: neither touches what the other is
 * writing, and what each leaves is whole. */
START_TEST(files_of_two_crawls)
{
    int files[4];
    pid_t pids[2];

    for (int i = 0; i < 2; i++) {
        uva("crawl");
        add("-c1");
        add("-o%s/bodies", folder);
        add_page("bytes/5");
        add_page("stallbody");
        files[2 * i] = temporary_file();
        files[2 * i + 1] = temporary_file();
        pids[i] = start(files[2 * i], files[2 * i + 1]);
    }
    while (bad_server_accepted() < 4 || file_count() < 3) {
        poll(NULL, 0, 5);
    }
    for (int i = 0; i < 2; i++) {
        kill(pids[i], SIGTERM);
        finish(pids[i], files[2 * i], files[2 * i + 1]);
        ck_assert_int_eq(status, 128 + SIGTERM);
        ck_assert_uint_eq(file_count(), i == 0 ? 2 : 1);
    }
    ck_assert(file_holds("0001-5", 5));
}
END_TEST

START_TEST(no_folder)
{
    uva("crawl");
    add("-o/dev/null");
    add_page("bytes/5");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_msg(says(errors, "/dev/null: "), "%s", errors);
    uva("crawl");
    add("-o%s/not/there", folder);
    add_page("bytes/5");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_int_eq(bad_server_accepted(), 0);
}
END_TEST

/* A name that is taken by a folder: the page fails, and says why. */
START_TEST(file_refused)
{
    char path[64];

    snprintf(path, sizeof path, "%s/bodies", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/bodies/0001-5", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    uva("crawl");
    add("-o%s/bodies", folder);
    add_page("bytes/5");
    add_page("bytes/6");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_msg(says(errors, "cannot write "), "%s", errors);
    ck_assert(file_holds("0002-6", 6));
    ck_assert_uint_eq(file_count(), 2);
}
END_TEST

/* --- output --- */

START_TEST(json_shape)
{
    static const char *const keys[] = {"index", "url",  "status", "bytes",
                                       "ms",    "file", "error"};

    uva("crawl");
    add("--json");
    add_page("bytes/5");
    add("http://a\"\\\x01\xff/\n");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_msg(json_is_valid(output), "%s", output);
    ck_assert_int_eq(json_count(output, ""), 3);
    ck_assert_int_eq(json_count(output, "pages"), 2);
    ck_assert_int_eq(json_count(output, "pages.0"), 7);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char path[32];

        snprintf(path, sizeof path, "pages.0.%s", keys[i]);
        ck_assert_ptr_nonnull(json_value(output, path));
    }
    ck_assert_str_eq(json_value(output, "pages.1.url"),
                     "\"http://a\\\"\\\\\\u0001\\ufffd/\\u000a\"");
    ck_assert(strtod(json_value(output, "pages.0.ms"), NULL) > 0);
    ck_assert(strtod(json_value(output, "wall_ms"), NULL) > 0);
    ck_assert(strtod(json_value(output, "cpu_ms"), NULL) > 0);
    /* A URL's control characters do not reach a terminal. */
    ck_assert_uint_eq(lines_of(errors), 1);
    ck_assert(!says(errors, "\x01"));
}
END_TEST

START_TEST(index_of_repeats)
{
    uva("crawl");
    add("--json");
    add("--repeat=2");
    add_page("bytes/5");
    add_page("bytes/6");
    run();
    ck_assert_int_eq(json_count(output, "pages"), 4);
    for (int i = 0; i < 4; i++) {
        char path[32];

        snprintf(path, sizeof path, "pages.%d.index", i);
        ck_assert_int_eq(json_integer(output, path), i % 2 + 1);
    }
}
END_TEST

/* Everything that a terminal was shown. */
static size_t terminal_read(int master, char *text, size_t room)
{
    size_t size = 0;
    ssize_t r = 1;

    while (r > 0 && size < room - 1) {
        r = read(master, text + size, room - 1 - size);
        size += r > 0 ? (size_t)r : 0;
    }
    text[size] = '\0';
    return size;
}

START_TEST(bar_on_a_terminal)
{
    static char text[65536];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int out = temporary_file();
    int slave;
    pid_t pid;
    size_t size;

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    uva("crawl");
    add("-c1");
    for (int i = 0; i < 5; i++) {
        add_page("bytes/5");
    }
    add_page("status/500");
    pid = start(out, slave);
    close(slave);
    size = terminal_read(master, text, sizeof text);
    finish(pid, out, temporary_file());
    close(master);
    ck_assert_int_eq(status, 1);
    ck_assert_msg(says(text, "\r[....."), "%s", text);
    ck_assert(says(text, "] 0/6  0.0 pages/s"));
    ck_assert(says(text, "\r\033[Kuva crawl: http://127.0.0.1"));
    /* In the end the bar is gone. */
    ck_assert_str_eq(text + size - 4, "\r\033[K");
    ck_assert(!says(output, "\r"));
    ck_assert(!says(output, "["));
}
END_TEST

START_TEST(no_bar_in_a_pipe)
{
    uva("crawl");
    add_page("bytes/5");
    add_page("status/500");
    run();
    ck_assert(!says(errors, "\r"));
    ck_assert(!says(errors, "\033"));
    ck_assert_uint_eq(lines_of(errors), 1);
}
END_TEST

/* The rate is that of the pages that succeeded: failures are quick. */
START_TEST(rate)
{
    const char *seconds;
    double pages;

    uva("crawl");
    add("--timeout=0.5");
    add_page("stall");
    add_page("bytes/5");
    for (int i = 0; i < 100; i++) {
        add_page("status/404");
    }
    run();
    ck_assert(says(output, ", 101 failed\n"));
    seconds = strstr(output, " bytes, ");
    ck_assert_ptr_nonnull(seconds);
    ck_assert_double_ge(strtod(seconds + 8, NULL), 0.5);
    pages = strtod(strstr(seconds, " s, ") + 4, NULL);
    ck_assert_msg(pages <= 2, "%s", output);
    uva("crawl");
    add_page("status/404");
    run();
    ck_assert_msg(says(output, ", 0.0 pages/s, 1 failed\n"), "%s", output);
}
END_TEST

/* --- Ctrl-C, and what else asks for an end --- */

static const struct {
    int number;
    const char *text;
} endings[] = {
    {SIGINT, "uva crawl: interrupted\n"},
    {SIGTERM, "uva crawl: Terminated\n"},
    {SIGHUP, "uva crawl: Hangup\n"},
};

START_TEST(interrupted)
{
    int out = temporary_file();
    int err = temporary_file();
    pid_t pid;

    uva("crawl");
    add("--json");
    add("-c1");
    add("-o%s/bodies", folder);
    add_page("bytes/5");
    add_page("stallbody");
    add_page("bytes/6");
    pid = start(out, err);
    while (bad_server_accepted() < 2) {
        poll(NULL, 0, 5);
    }
    kill(pid, endings[_i].number);
    finish(pid, out, err);
    ck_assert_int_eq(status, 128 + endings[_i].number);
    ck_assert_str_eq(errors, endings[_i].text);
    ck_assert_msg(json_is_valid(output), "%s", output);
    ck_assert_str_eq(json_value(output, "pages.0.error"), "null");
    ck_assert_str_eq(json_value(output, "pages.1.error"), "\"not fetched\"");
    ck_assert_str_eq(json_value(output, "pages.2.error"), "\"not fetched\"");
    ck_assert_uint_eq(file_count(), 1);
}
END_TEST

/* --- the demonstration --- */

/* The four figures of a row. */
static void row_read(const char *name, double figures[4])
{
    const char *row = strstr(output, name);

    ck_assert_msg(row != NULL, "no %s in: %s", name, output);
    ck_assert_int_eq(sscanf(row + strlen(name), "%lf s %lf s %lf MiB %lf",
                            &figures[0], &figures[1], &figures[2], &figures[3]),
                     4);
    for (int i = 0; i < 4; i++) {
        ck_assert_msg(figures[i] > 0 || i == 1, "%s", row);
    }
}

START_TEST(demonstration)
{
    double in_turn[4];
    double threads[4];
    double own[4];

    uva("crawl");
    add("--pages=20");
    add("--delay=40");
    run();
    ck_assert_msg(status == 0, "%s", errors);
    ck_assert_str_eq(errors, "");
    ck_assert(says(output, "20 pages, each answered after 40 ms\n"));
    ck_assert(says(output, "wall"));
    ck_assert(says(output, "peak memory"));
    ck_assert_uint_eq(lines_of(output), 6);
    row_read("\none after another", in_turn);
    row_read("\na thread for each page", threads);
    row_read("\nuva", own);
    /* This much is certain on a machine however slow. */
    ck_assert_double_ge(in_turn[0], 20 * 0.040);
    ck_assert_double_ge(own[0], 0.040);
    ck_assert_double_lt(own[0], in_turn[0]);
}
END_TEST

/* Pages that time out are told, and are a failure. */
START_TEST(demonstration_fails)
{
    uva("crawl");
    add("--pages=2");
    add("--delay=20000");
    add("--timeout=0.05");
    run();
    ck_assert_int_eq(status, 1);
    ck_assert_uint_eq(lines_of(output), 6);
    ck_assert_msg(lines_of(errors) == 6, "%s", errors);
    ck_assert(says(errors, "not answered within 0.05 s"));
}
END_TEST

/* The server does not outlive the program, even one that is killed: whoever
 * still has the pipe would keep it open. */
START_TEST(demonstration_killed)
{
    struct pollfd end = {.events = POLLIN};
    char bytes[4096];
    int pipes[2];
    pid_t pid;

    ck_assert_int_eq(pipe(pipes), 0);
    uva("crawl");
    add("--pages=1");
    add("--delay=60000");
    pid = start(pipes[1], pipes[1]);
    close(pipes[1]);
    ck_assert_int_gt(read(pipes[0], bytes, sizeof bytes), 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    end.fd = pipes[0];
    do {
        ck_assert_int_eq(poll(&end, 1, 20000), 1);
    } while (read(pipes[0], bytes, sizeof bytes) > 0);
    close(pipes[0]);
}
END_TEST

/* The two ways with blocking sockets judge pages as uva's does. */
START_TEST(blocking_ways)
{
    static const char *const pages[][2] = {
        {"bytes/70000", ""},
        {"plain/5", ""},
        {"status/404", "status 404"},
        {"short", "the body ends after 10 of 100 bytes"},
        {"nothing", "the server closed the connection without an answer"},
        {"greeting", "the answer is no HTTP"},
        {"stall", "connection timed out"},
    };
    enum {
        COUNT = sizeof pages / sizeof *pages
    };
    const crawl_options_t options = {
        .timeout_ns = UVA_MS(200), .max_body_bytes = 100000, .repeat = 1};
    int (*const ways[])(crawl_t *) = {crawl_in_turn, crawl_with_threads};
    char *urls[COUNT];
    crawl_t crawl;

    for (size_t i = 0; i < COUNT; i++) {
        add_page(pages[i][0]);
        urls[i] = arguments[i];
    }
    ck_assert_int_eq(crawl_init(&crawl, &options, urls, COUNT, 1), 0);
    ck_assert_int_eq(ways[_i](&crawl), 0);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert(crawl.pages[i].is_done);
        ck_assert_str_eq(crawl.pages[i].error, pages[i][1]);
    }
    ck_assert_uint_eq(crawl.pages[0].body_bytes, 70000);
    ck_assert_int_eq(crawl.pages[2].status, 404);
    ck_assert_uint_eq(crawl_failed_count(&crawl), COUNT - 2);
    crawl_destroy(&crawl);
    arguments_drop();
}
END_TEST

static void add_cases_of_options(Suite *suite)
{
    TCase *options = UVA_TCASE(suite, "Options");
    int count = sizeof bad_options / sizeof *bad_options;

    tcase_add_checked_fixture(options, setup, teardown);
    UVA_ADD_TESTS(options, help_and_version, unknown_words);
    tcase_add_loop_test(options, bad_numbers, 0, count);
    UVA_ADD_TESTS(options, missing_value, options_that_need_urls);
}

static void add_cases_of_files(Suite *suite)
{
    TCase *files = UVA_TCASE(suite, "Files");

    tcase_add_checked_fixture(files, setup, teardown);
    UVA_ADD_TESTS(files, files_of_200_pages, file_names, file_link,
                  files_of_repeats, files_of_two_crawls, no_folder,
                  file_refused);
}

int main(void)
{
    Suite *suite = suite_create("crawl");
    TCase *pages = UVA_TCASE(suite, "Pages");
    TCase *printed = UVA_TCASE(suite, "Output");
    TCase *demo = UVA_TCASE(suite, "Demonstration");

    add_cases_of_options(suite);
    add_cases_of_files(suite);
    tcase_add_checked_fixture(pages, setup, teardown);
    UVA_ADD_TESTS(pages, pages_that_come, every_failure, body_limit, refused,
                  ipv6_literal, pages_at_once, few_descriptors,
                  standard_output_full);
    tcase_add_loop_test(pages, interrupted, 0,
                        sizeof endings / sizeof *endings);
    tcase_add_checked_fixture(printed, setup, teardown);
    UVA_ADD_TESTS(printed, json_shape, index_of_repeats, rate,
                  bar_on_a_terminal, no_bar_in_a_pipe);
    tcase_add_checked_fixture(demo, setup, teardown);
    UVA_ADD_TESTS(demo, demonstration, demonstration_fails,
                  demonstration_killed);
    tcase_add_loop_test(demo, blocking_ways, 0, 2);
    return uva_test_main(suite);
}
