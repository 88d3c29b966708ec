/*
 * The two ways that uva is compared with: blocking sockets, one page after
 * another and a thread for each page. They only ever talk to the embedded
 * server.
 */
#include "crawl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tool.h"

enum {
    THREAD_STACK_BYTES = 256 * 1024 /* As much as a task of uva's has. */
};

static int socket_connect(const url_t *url, uint64_t timeout_ns, int *ret_fd)
{
    struct timeval timeout = {(time_t)(timeout_ns / UVA_SEC(1)),
                              (suseconds_t)(timeout_ns % UVA_SEC(1) / 1000)};
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0) {
        return -errno;
    }
    address.sin_port = htons((uint16_t)strtoul(url->port, NULL, 10));
    if (inet_pton(AF_INET, url->host, &address.sin_addr) != 1) {
        close(fd);
        return UV_EINVAL;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int code = -errno;

        close(fd);
        return code;
    }
    *ret_fd = fd;
    return 0;
}

/* What errno means after a call with a timeout. */
static int socket_code(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? UV_ETIMEDOUT : -errno;
}

static int socket_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR) {
            return socket_code();
        }
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
    }
    return 0;
}

static int socket_read_answer(int fd, http_reader_t *reader)
{
    uint8_t bytes[16 * 1024];
    uva_bytes_t body;
    int r = 0;

    while (r == 0) {
        ssize_t size = recv(fd, bytes, sizeof bytes, 0);

        if (size == 0) {
            return http_reader_end(reader);
        }
        if (size > 0) {
            r = http_reader_feed(reader, bytes, (size_t)size, &body);
        } else if (errno != EINTR) {
            return socket_code();
        }
    }
    return r;
}

static void page_fetch(crawl_t *crawl, page_t *page)
{
    http_reader_t reader;
    uint64_t began_ns = clock_ns();
    size_t size = 0;
    url_t url;
    char *request;
    int fd = -1;
    int r;

    http_reader_init(&reader, crawl->options->max_body_bytes);
    url_parse(&url, page->url);
    request = url_request(&url, &size);
    r = request != NULL ? socket_connect(&url, crawl->options->timeout_ns, &fd)
                        : UV_ENOMEM;
    if (r >= 0) {
        r = socket_send(fd, request, size);
    }
    if (r >= 0) {
        r = socket_read_answer(fd, &reader);
    }
    if (r >= 0) {
        page_answered(page, &reader);
    } else {
        page_fail_code(page, r, &reader);
    }
    free(request);
    if (fd >= 0) {
        close(fd);
    }
    page->duration_ns = clock_ns() - began_ns;
}

int crawl_in_turn(crawl_t *crawl)
{
    for (size_t i = 0; i < crawl->page_count; i++) {
        page_fetch(crawl, &crawl->pages[i]);
        crawl_page_done(crawl, &crawl->pages[i]);
    }
    return 0;
}

typedef struct fetcher_s {
    crawl_t *crawl;
    page_t *page;
    pthread_mutex_t *lock; /* Of what a page that is done touches. */
    pthread_t thread;
    bool is_running;
} fetcher_t;

static void *fetcher_main(void *data)
{
    fetcher_t *self = data;

    page_fetch(self->crawl, self->page);
    pthread_mutex_lock(self->lock);
    crawl_page_done(self->crawl, self->page);
    pthread_mutex_unlock(self->lock);
    return NULL;
}

int crawl_with_threads(crawl_t *crawl)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    fetcher_t *fetchers = calloc(crawl->page_count, sizeof *fetchers);
    pthread_attr_t attributes;

    if (fetchers == NULL) {
        return UV_ENOMEM;
    }
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    for (size_t i = 0; i < crawl->page_count; i++) {
        fetcher_t *fetcher = &fetchers[i];
        int error;

        fetcher->crawl = crawl;
        fetcher->page = &crawl->pages[i];
        fetcher->lock = &lock;
        error = pthread_create(&fetcher->thread, &attributes, fetcher_main,
                               fetcher);
        fetcher->is_running = error == 0;
        if (error != 0) {
            page_fail(fetcher->page, "no thread: %s", strerror(error));
            pthread_mutex_lock(&lock);
            crawl_page_done(crawl, fetcher->page);
            pthread_mutex_unlock(&lock);
        }
    }
    for (size_t i = 0; i < crawl->page_count; i++) {
        if (fetchers[i].is_running) {
            pthread_join(fetchers[i].thread, NULL);
        }
    }
    pthread_attr_destroy(&attributes);
    free(fetchers);
    return 0;
}
