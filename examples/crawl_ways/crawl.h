/*
 * What the eight ways share: the pages, the request, the check of an answer,
 * and a page by plain sockets. A way is started with the port of the server,
 * and its status is 0 if every page came.
 */
#ifndef EXAMPLES_CRAWL_H
#define EXAMPLES_CRAWL_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "127.0.0.1"

/* The requests are for /0 to /9. */
#define PAGE_COUNT   10
#define PAGE_REQUEST "GET /%d HTTP/1.0\r\nHost: " HOST "\r\n\r\n"

/* A page says its number in its last line. */
#define PAGE_ANSWER "HTTP/1.0 200 OK\r\n\r\npage %d\n"

/* @return Whether an answer is the whole page of this number. */
static inline bool page_is_good(int number, const void *answer, size_t size)
{
    char expected[64];
    int length = snprintf(expected, sizeof expected, PAGE_ANSWER, number);

    return size == (size_t)length && memcmp(answer, expected, size) == 0;
}

/* End the program: the call of this name has failed. */
_Noreturn static inline void die(const char *call)
{
    perror(call);
    exit(1);
}

/* A page that is fetched by a socket. */
typedef struct page_s {
    int number;
    int fd;
    char answer[64];
    size_t size; /* Bytes of the answer that have come. */
} page_t;

/* Begin to connect; flags are 0, or SOCK_NONBLOCK for a socket whose calls
 * never wait, but fail with EAGAIN instead. */
static inline void
page_connect(page_t *page, int number, const char *port, int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    page->number = number;
    page->size = 0;
    page->fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    if (page->fd < 0) {
        die("socket");
    }
    if (connect(page->fd, (struct sockaddr *)&address, sizeof address) < 0 &&
        errno != EINPROGRESS) {
        die("connect");
    }
}

/* @return Whether the request is sent; if not, it is too early. */
static inline bool page_ask(const page_t *page)
{
    char request[64];
    int length = snprintf(request, sizeof request, PAGE_REQUEST, page->number);

    if (send(page->fd, request, (size_t)length, MSG_NOSIGNAL) == length) {
        return true;
    }
    if (errno != EAGAIN) {
        die("send");
    }
    return false;
}

/* Take a part of the answer. @return Whether that was the end of it, and the
 * socket is closed; if not, more will come. */
static inline bool page_read(page_t *page)
{
    ssize_t size = recv(page->fd, page->answer + page->size,
                        sizeof page->answer - page->size, 0);

    if (size < 0 && errno != EAGAIN) {
        die("recv");
    }
    if (size > 0) {
        page->size += (size_t)size;
    }
    if (size != 0) {
        return false;
    }
    close(page->fd);
    return true;
}

/* The same from beginning to end, on a socket whose calls wait.
 * @return Whether the page is good. */
static inline bool page_fetch(int number, const char *port)
{
    page_t page;

    page_connect(&page, number, port, 0);
    page_ask(&page);
    while (!page_read(&page)) {
    }
    return page_is_good(number, page.answer, page.size);
}

/* @return The status of a way that got so many good pages. */
static inline int crawl_status(int good_count)
{
    return good_count == PAGE_COUNT ? 0 : 1;
}

#endif /* EXAMPLES_CRAWL_H */
