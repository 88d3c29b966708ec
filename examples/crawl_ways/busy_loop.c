/*
 * One thread that never waits: it tries every socket again and again, until
 * every page is there. All pages are under way at once
 * without a second thread, but the processor is busy all the time, mostly with
 * calls that fail with EAGAIN.
 */
#include "crawl.h"

/* What is next for a page. A function cannot stop in its middle and go on
 * later, so this stands in a variable. */
typedef enum {
    ASK,
    READ,
    END
} next_t;

static next_t page_try(page_t *page, next_t next)
{
    if (next == ASK) {
        return page_ask(page) ? READ : ASK;
    }
    return page_read(page) ? END : READ;
}

int main(int argc, char **argv)
{
    page_t pages[PAGE_COUNT];
    next_t next[PAGE_COUNT];
    int end_count = 0;
    int good_count = 0;

    if (argc != 2) {
        return 1;
    }
    for (int i = 0; i < PAGE_COUNT; i++) {
        page_connect(&pages[i], i, argv[1], SOCK_NONBLOCK);
        next[i] = ASK;
    }
    while (end_count < PAGE_COUNT) {
        for (int i = 0; i < PAGE_COUNT; i++) {
            if (next[i] == END) {
                continue;
            }
            next[i] = page_try(&pages[i], next[i]);
            if (next[i] == END) {
                end_count++;
                good_count += page_is_good(i, pages[i].answer, pages[i].size);
            }
        }
    }
    return crawl_status(good_count);
}
