/*
 * A server of slow pages: each request is answered so many milliseconds after
 * it came, then the connection is closed. As the delay is the same for all, the
 * answers leave in the order of the requests.
 *
 *     load_pages [DELAY_MS] [PORT]
 */
#include "bench_net.h"

enum {
    EVENTS = 1024,
    WAITING = 65536
};

static const char page[] = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
                           "Content-Length: 12\r\n\r\nHello world!";

typedef struct answer_s {
    int64_t due;
    int fd;
} answer_t;

static answer_t answers[WAITING]; /* Ring. */
static size_t head;
static size_t waiting;
static char buffer[65536];

/* One read is taken for one request: ours fit into a segment. */
static void ask(int epoll, int fd, int64_t due)
{
    ssize_t size = read(fd, buffer, sizeof buffer);

    if (size < 0 && errno == EAGAIN) {
        return;
    }
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    if (size <= 0 || waiting == WAITING) {
        close(fd);
        return;
    }
    answers[(head + waiting) % WAITING].due = due;
    answers[(head + waiting) % WAITING].fd = fd;
    waiting++;
}

/* @return Milliseconds until the next answer is due; -1 for none. */
static int answer(void)
{
    int64_t now = bench_wall();

    while (waiting > 0) {
        const answer_t *first = &answers[head];
        if (first->due > now) {
            return (int)((first->due - now + 999999) / 1000000);
        }
        if (write(first->fd, page, sizeof page - 1) < 0) {
            perror("write");
        }
        close(first->fd);
        head = (head + 1) % WAITING;
        waiting--;
    }
    return -1;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    int64_t delay_ns = bench_arg(argc, argv, 1, 100) * 1000000;
    int listener = bench_listen((int)bench_arg(argc, argv, 2, 0));
    int epoll = epoll_create1(0);

    bench_watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, answer());
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                ask(epoll, fd, bench_wall() + delay_ns);
                continue;
            }
            while ((fd = bench_accept(listener)) >= 0) {
                bench_watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
            }
        }
    }
}
