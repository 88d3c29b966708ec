/*
 * Pages and what came of them, whichever way they were fetched.
 */
#include "crawl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void page_fail(page_t *page, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(page->error, sizeof page->error, format, arguments);
    va_end(arguments);
}

/* The codes of getaddrinfo, which libuv numbers from -3000 down. */
static bool is_about_names(int code)
{
    return code <= UV_EAI_ADDRFAMILY && code > UV_EAI_ADDRFAMILY - 100;
}

void page_fail_code(page_t *page, int code, const http_reader_t *reader)
{
    const char *text = http_strerror(code);

    if (code == HTTP_EBODYEND) {
        page_fail(page, "the body ends after %llu of %llu bytes",
                  (unsigned long long)reader->body_bytes,
                  (unsigned long long)reader->length);
    } else if (text != NULL) {
        page_fail(page, "%s", text);
    } else if (is_about_names(code)) {
        page_fail(page, "unknown host (%s)", uva_strerror(code));
    } else {
        page_fail(page, "%s", uva_strerror(code));
    }
}

void page_answered(page_t *page, const http_reader_t *reader)
{
    page->status = reader->status;
    page->body_bytes = reader->body_bytes;
    if (page->status != 200) {
        page_fail(page, "status %d", page->status);
    }
}

int crawl_init(crawl_t *crawl,
               const crawl_options_t *options,
               char *const *urls,
               size_t url_count,
               size_t repeat)
{
    size_t count = url_count * repeat;

    memset(crawl, 0, sizeof *crawl);
    if (count / repeat != url_count) {
        return UV_ENOMEM;
    }
    crawl->pages = calloc(count, sizeof *crawl->pages);
    if (crawl->pages == NULL) {
        return UV_ENOMEM;
    }
    crawl->options = options;
    crawl->page_count = count;
    for (size_t i = 0; i < count; i++) {
        crawl->pages[i].url = urls[i % url_count];
        crawl->pages[i].index = i % url_count + 1;
    }
    progress_begin(&crawl->progress, count);
    return 0;
}

void crawl_destroy(crawl_t *crawl)
{
    for (size_t i = 0; i < crawl->page_count; i++) {
        free(crawl->pages[i].file);
    }
    free(crawl->pages);
}

/* A URL as it may go to a terminal. */
static void print_url(const char *url)
{
    for (; *url != '\0'; url++) {
        bool is_control = (unsigned char)*url < 0x20 || *url == 0x7f;

        fputc(is_control ? '?' : *url, stderr);
    }
}

void crawl_page_done(crawl_t *crawl, page_t *page)
{
    bool failed = page->error[0] != '\0';

    page->is_done = true;
    if (failed) {
        progress_clear(&crawl->progress);
        fputs("uva crawl: ", stderr);
        print_url(page->url);
        fprintf(stderr, ": %s\n", page->error);
    }
    progress_step(&crawl->progress, failed);
}

size_t crawl_failed_count(const crawl_t *crawl)
{
    size_t count = 0;

    for (size_t i = 0; i < crawl->page_count; i++) {
        count += !crawl->pages[i].is_done || crawl->pages[i].error[0] != '\0';
    }
    return count;
}
