/*
 * What the files of `uva crawl` share: its options, its pages, and the three
 * ways to fetch them.
 */
#ifndef UVA_TOOLS_CRAWL_H
#define UVA_TOOLS_CRAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http_reader.h"
#include "progress.h"
#include "url.h"

/** What the command line says; what it does not say has its default. */
typedef struct crawl_options_s {
    char *const *urls;   /* Borrowed from argv. */
    size_t url_count;    /* 0: the demonstration. */
    size_t at_once;      /* Pages at the same time. */
    size_t repeat;       /* How often the whole list. */
    uint64_t timeout_ns; /* For a page. */
    uint64_t max_body_bytes;
    const char *folder; /* Where bodies go; NULL: nowhere. */
    bool json;
    size_t demo_pages;
    uint64_t demo_delay_ns;
} crawl_options_t;

/**
 * Read the command line behind `uva crawl`.
 *
 * @param[out] ret_status What to exit with if false is returned: help was asked
 *                        for, or something was wrong and a message says what.
 */
bool crawl_options_parse(crawl_options_t *options,
                         int argc,
                         char **argv,
                         int *ret_status);

enum {
    PAGE_ERROR_MAX_BYTES = 159
};

/** A page: what to fetch and what came of it. */
typedef struct page_s {
    const char *url;     /* Borrowed. */
    size_t index;        /* Place in the argument list, from 1. */
    int status;          /* Of HTTP; 0 if it did not come to that. */
    bool is_done;        /* Fetched, or failed for good. */
    uint64_t body_bytes; /* That came. */
    uint64_t duration_ns;
    char *file; /* Owned; where the body is, NULL if nowhere. */
    char error[PAGE_ERROR_MAX_BYTES + 1]; /* Why it failed; "" if it did not. */
} page_t;

/** Say why a page failed. */
void page_fail(page_t *page, const char *format, ...) UVA_PRINTF(2, 3);
/** Say it for a code of uva or of the http reader; reader may be NULL. */
void page_fail_code(page_t *page, int code, const http_reader_t *reader);
/** Take the result from a complete answer: any status but 200 is a failure. */
void page_answered(page_t *page, const http_reader_t *reader);

/** Pages to fetch, by whichever way. */
typedef struct crawl_s {
    const crawl_options_t *options; /* Borrowed. */
    page_t *pages;                  /* Owned. */
    size_t page_count;
    progress_t progress;
    size_t next;  /* The first page that nobody has begun. */
    int ended_by; /* The signal that ended it; 0 if none did. */
} crawl_t;

/** Make the pages of a list that is gone through repeat times.
 * @retval UV_ENOMEM Nothing was made. */
int crawl_init(crawl_t *crawl,
               const crawl_options_t *options,
               char *const *urls,
               size_t url_count,
               size_t repeat);
void crawl_destroy(crawl_t *crawl);
/** A page is done: its line, if it failed, and the bar. */
void crawl_page_done(crawl_t *crawl, page_t *page);
/** How many pages did not succeed. */
size_t crawl_failed_count(const crawl_t *crawl);

/** Fetch all pages, at_once of them at a time, with uva.
 * @retval UV_EINTR A signal, which stands in ended_by; some pages are not
 *                  done. */
int crawl_with_uva(crawl_t *crawl, size_t at_once);
/** With blocking sockets, one after another. */
int crawl_in_turn(crawl_t *crawl);
/** With blocking sockets, a thread for each page. */
int crawl_with_threads(crawl_t *crawl);

/** Fetch the pages of an embedded server in all three ways and print the
 * table. @return Exit status. */
int crawl_demo(const crawl_options_t *options);

/** The embedded server, in a process of its own that ends with this one. */
typedef struct slow_server_s {
    int pid;
    int port;
    /* private */
    int lifeline; /* The server lives until its other end is closed. */
} slow_server_t;

/** @return 0, or a negative code. */
int slow_server_start(slow_server_t *server, uint64_t delay_ns);
void slow_server_stop(slow_server_t *server);
/** In a child process: let go of the server, which must not live until the
 * child ends. */
void slow_server_leave(const slow_server_t *server);

/** A body on its way into a file. It takes its name when it is whole. */
typedef struct body_file_s {
    /* private */
    int fd; /* -1: there is none. */
    char *path;
    char *part_path;
} body_file_t;

#define BODY_FILE_INIT \
    {                  \
        -1, NULL, NULL \
    }

/** Add bytes to the file of a page, which the first call opens. Without a
 * folder in the options that is nothing.
 * @return Whether it worked; if not, the page has failed. */
bool body_file_add(body_file_t *file,
                   const crawl_t *crawl,
                   const url_t *url,
                   page_t *page,
                   uva_bytes_t bytes);
/** Keep the file if the page has not failed, else remove it. */
void body_file_close(body_file_t *file, page_t *page);

#endif /* UVA_TOOLS_CRAWL_H */
