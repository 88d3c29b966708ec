/*
 * The crawl itself: fetchers in a group, each taking the next page until there
 * is none. A page's failure is the page's; only a signal ends a fetcher before.
 */
#include "crawl.h"

#include <signal.h>
#include <stdlib.h>

#include "tool.h"

enum {
    READ_MAX_BYTES = 256 * 1024
};

/* What one fetch needs beside its page. */
typedef struct fetch_s {
    crawl_t *crawl;
    page_t *page;
    url_t url;
    http_reader_t answer;
    body_file_t file;
} fetch_t;

static int fetch_send(fetch_t *self, uva_writer_t *writer)
{
    size_t size;
    char *request = url_request(&self->url, &size);
    int r =
        request != NULL ? uva_writer_write(writer, request, size) : UV_ENOMEM;

    free(request);
    return r;
}

static int fetch_receive(fetch_t *self, uva_reader_t *reader)
{
    page_t *page = self->page;
    uva_bytes_t bytes;
    uva_bytes_t body;
    int r = 0;

    while (r == 0) {
        r = uva_reader_read_view(reader, READ_MAX_BYTES, &bytes);
        if (r <= 0) {
            return r < 0 ? r : http_reader_end(&self->answer);
        }
        r = http_reader_feed(&self->answer, bytes.data, bytes.size, &body);
        page->status = self->answer.status;
        page->body_bytes = self->answer.body_bytes;
        if (r >= 0 && page->status == 200 &&
            !body_file_add(&self->file, self->crawl, &self->url, page, body)) {
            return 0; /* The page knows why. */
        }
    }
    return r;
}

static int fetch_talk(fetch_t *self)
{
    uva_reader_t *reader;
    uva_writer_t *writer;
    int r = uva_open_connection(self->url.host, self->url.port, NULL, &reader,
                                &writer);

    if (r < 0) {
        return r;
    }
    r = fetch_send(self, writer);
    if (r >= 0) {
        r = fetch_receive(self, reader);
    }
    /* The answer is all that is wanted: nothing is left to be sent. */
    uva_transport_abort(uva_writer_transport(writer));
    uva_connection_close(reader, writer);
    return r;
}

/* @return UV_ECANCELED, or 0: every other failure is the page's. */
static int page_fetch(crawl_t *crawl, page_t *page)
{
    fetch_t fetch = {.crawl = crawl, .page = page, .file = BODY_FILE_INIT};
    const char *problem = url_parse(&fetch.url, page->url);
    uint64_t began_ns = clock_ns();
    uva_timeout_t deadline;
    int r;

    if (problem != NULL) {
        page_fail(page, "%s", problem);
        return 0;
    }
    http_reader_init(&fetch.answer, crawl->options->max_body_bytes);
    uva_timeout_enter(&deadline, crawl->options->timeout_ns);
    r = fetch_talk(&fetch);
    r = uva_timeout_exit(&deadline, r);
    if (uva_timeout_expired(&deadline)) {
        page_fail(page, "not answered within %g s",
                  (double)crawl->options->timeout_ns / 1e9);
    } else if (r < 0) {
        page_fail_code(page, r, &fetch.answer);
    } else {
        page_answered(page, &fetch.answer);
    }
    body_file_close(&fetch.file, page);
    page->duration_ns = clock_ns() - began_ns;
    return r == UV_ECANCELED ? r : 0;
}

UVA_TASK(void, fetcher, crawl_t *crawl;)
{
    crawl_t *crawl = args->crawl;
    int r = 0;

    while (r == 0 && crawl->next < crawl->page_count) {
        page_t *page = &crawl->pages[crawl->next++];

        r = page_fetch(crawl, page);
        if (r == 0) {
            crawl_page_done(crawl, page);
        }
    }
    return r;
}

/* --- SIGHUP asks for the end, beside the signals that uva_run watches --- */

typedef struct hangup_s {
    crawl_t *crawl;
    uva_task_t *task; /* Borrowed: what the signal cancels. */
} hangup_t;

/* As with the others: a second one has its default action. */
static void hangup_came(void *data)
{
    hangup_t *hangup = data;

    (void)uva_loop_remove_signal_handler(NULL, SIGHUP);
    hangup->crawl->ended_by = SIGHUP;
    (void)uva_task_cancel(hangup->task);
}

/* As with the others: not if somebody has the program ignore it. Without memory
 * it has its default action. */
static void hangup_watch(hangup_t *hangup)
{
    struct sigaction action;

    if (sigaction(SIGHUP, NULL, &action) == 0 &&
        (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
        UVA_IGNORE(
            uva_loop_add_signal_handler(NULL, SIGHUP, hangup_came, hangup));
    }
}

/* --- all of it --- */

UVA_TASK(void, fetch_all, crawl_t *crawl; size_t at_once;)
{
    hangup_t hangup = {args->crawl, uva_current_task()};
    uva_taskgroup_t group;
    int r;

    hangup_watch(&hangup);
    uva_taskgroup_enter(&group);
    for (size_t i = 0; i < args->at_once; i++) {
        uva_taskgroup_spawn(&group, fetcher, .crawl = args->crawl);
    }
    r = uva_taskgroup_exit(&group, 0);
    (void)uva_loop_remove_signal_handler(NULL, SIGHUP);
    return r;
}

int crawl_with_uva(crawl_t *crawl, size_t at_once)
{
    uva_run_options_t options = UVA_RUN_OPTIONS_INIT;
    int number = 0;
    int r;

    if (at_once > crawl->page_count) {
        at_once = crawl->page_count;
    }
    options.ret_signal = &number;
    r = uva_run_task(fetch_all, &options, NULL, .crawl = crawl,
                     .at_once = at_once);
    if (number != 0) {
        crawl->ended_by = number;
    }
    return r == UV_ECANCELED && crawl->ended_by != 0 ? UV_EINTR : r;
}
