/*
 * One thread that waits for all sockets at once: epoll tells which of them are
 * ready, and only those are tried. What is next for a page is a callback. Ten
 * thousand pages would work in the same way. But the one function of a page,
 * from connect to close, is cut into pieces, and each piece names the next one.
 */
#include "crawl.h"

#include <sys/epoll.h>

typedef struct fetch_s fetch_t;

struct fetch_s {
    page_t page;
    void (*on_ready)(fetch_t *self); /* What is next. */
};

static int epoll;
static int end_count;
static int good_count;

/* Call on_ready when the socket is ready for these events. */
static void fetch_wait(fetch_t *self,
                       int operation,
                       uint32_t events,
                       void (*on_ready)(fetch_t *self))
{
    struct epoll_event event = {.events = events, .data.ptr = self};

    self->on_ready = on_ready;
    if (epoll_ctl(epoll, operation, self->page.fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void on_readable(fetch_t *self)
{
    if (page_read(&self->page)) {
        page_t *page = &self->page;

        end_count++;
        good_count += page_is_good(page->number, page->answer, page->size);
    }
}

static void on_connected(fetch_t *self)
{
    page_ask(&self->page);
    fetch_wait(self, EPOLL_CTL_MOD, EPOLLIN, on_readable);
}

int main(int argc, char **argv)
{
    fetch_t fetches[PAGE_COUNT];
    struct epoll_event events[PAGE_COUNT];

    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (argc != 2 || epoll < 0) {
        return 1;
    }
    for (int i = 0; i < PAGE_COUNT; i++) {
        page_connect(&fetches[i].page, i, argv[1], SOCK_NONBLOCK);
        fetch_wait(&fetches[i], EPOLL_CTL_ADD, EPOLLOUT, on_connected);
    }
    while (end_count < PAGE_COUNT) {
        int count = epoll_wait(epoll, events, PAGE_COUNT, -1);

        for (int i = 0; i < count; i++) {
            fetch_t *fetch = events[i].data.ptr;

            fetch->on_ready(fetch);
        }
    }
    close(epoll);
    return crawl_status(good_count);
}
