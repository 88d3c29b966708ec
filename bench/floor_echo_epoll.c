/*
 * The floor of an echo with epoll: for each ready connection one read and one
 * write, level-triggered, one shared buffer, no allocation. No error is told
 * and nothing can be cancelled: a bound and not a design.
 *
 *     floor_echo_epoll [PORT]
 */
#include "bench_net.h"

enum {
    DESCRIPTORS = 65536,
    BYTES = 65536,
    EVENTS = 1024
};

/* Unsent bytes, of a peer that is slow. */
typedef struct pending_s {
    char *data;
    size_t size;
    size_t sent;
} pending_t;

static pending_t pendings[DESCRIPTORS];
static char buffer[BYTES];
static int epoll;

static void hang_up(int fd)
{
    free(pendings[fd].data);
    pendings[fd].data = NULL;
    close(fd);
}

static void send_rest(int fd)
{
    pending_t *pending = &pendings[fd];
    ssize_t sent =
        write(fd, pending->data + pending->sent, pending->size - pending->sent);

    if (sent < 0) {
        if (errno != EAGAIN) {
            hang_up(fd);
        }
        return;
    }
    pending->sent += (size_t)sent;
    if (pending->sent == pending->size) {
        free(pending->data);
        pending->data = NULL;
        bench_watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
    }
}

static void keep_rest(int fd, size_t sent, size_t size)
{
    pending_t *pending = &pendings[fd];

    pending->size = size - sent;
    pending->sent = 0;
    pending->data = malloc(pending->size);
    memcpy(pending->data, buffer + sent, pending->size);
    bench_watch(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void echo(int fd)
{
    ssize_t size;
    ssize_t sent;

    if (pendings[fd].data != NULL) {
        send_rest(fd);
        return;
    }
    size = read(fd, buffer, sizeof buffer);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) {
            hang_up(fd);
        }
        return;
    }
    sent = write(fd, buffer, (size_t)size);
    if (sent == size) {
        return;
    }
    if (sent < 0 && errno != EAGAIN) {
        hang_up(fd);
        return;
    }
    keep_rest(fd, sent < 0 ? 0 : (size_t)sent, (size_t)size);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS];
    int listener = bench_listen((int)bench_arg(argc, argv, 1, 0));

    epoll = epoll_create1(0);
    bench_watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                echo(fd);
                continue;
            }
            while ((fd = bench_accept(listener)) >= 0) {
                bench_watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
            }
        }
    }
}
