/*
 * Sockets on loopback, as the floors and the load programs need them.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

static inline void bench_die(const char *what)
{
    perror(what);
    exit(1);
}

static inline struct sockaddr_in bench_loopback(int port)
{
    struct sockaddr_in address;

    if (port < 0 || port > 65535) {
        fprintf(stderr, "not a port: %d\n", port);
        exit(2);
    }
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/** Tell whoever started us; port 0 has become a number. */
static inline void bench_say_port(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        bench_die("getsockname");
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static inline int bench_listen(int port)
{
    struct sockaddr_in address = bench_loopback(port);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    signal(SIGPIPE, SIG_IGN);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 4096) < 0) {
        bench_die("bind");
    }
    bench_say_port(fd);
    return fd;
}

/** The next connection, without delay and without waiting; -1 for none. */
static inline int bench_accept(int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return fd;
}

/** EPOLL_CTL_ADD or EPOLL_CTL_MOD a descriptor, known by its number. */
static inline void bench_watch(int epoll, int how, int fd, uint32_t events)
{
    struct epoll_event event;

    memset(&event, 0, sizeof event);
    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll, how, fd, &event) < 0) {
        bench_die("epoll_ctl");
    }
}

#endif /* BENCH_NET_H */
