/*
 * The floor of a crawl: COUNT connections at once, one GET each, one thread.
 *
 *     floor_crawl_epoll PORT [COUNT]
 */
#include "bench_net.h"

static const char request[] = "GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
static char buffer[65536];

static void start(int epoll, int port)
{
    struct sockaddr_in address = bench_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 ||
        (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 &&
         errno != EINPROGRESS)) {
        bench_die("connect");
    }
    bench_watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT);
}

/* @return 1 if the page is complete. */
static int step(int epoll, const struct epoll_event *event)
{
    int fd = event->data.fd;
    ssize_t size;

    if ((event->events & EPOLLIN) == 0) {
        if (write(fd, request, sizeof request - 1) < 0) {
            bench_die("write");
        }
        bench_watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
        return 0;
    }
    size = read(fd, buffer, sizeof buffer);
    if (size < 0) {
        bench_die("read");
    }
    if (size > 0) {
        return 0;
    }
    close(fd);
    return 1;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[256];
    int port = (int)bench_arg(argc, argv, 1, 80);
    int64_t count = bench_arg(argc, argv, 2, 10);
    int64_t left = count;
    int epoll = epoll_create1(0);
    bench_mark_t mark = bench_begin();

    for (int64_t i = 0; i < count; i++) {
        start(epoll, port);
    }
    while (left > 0) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            left -= step(epoll, &events[i]);
        }
    }
    bench_end_seconds(mark, "crawl", "floor-epoll", count);
    return 0;
}
