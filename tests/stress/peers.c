/*
 * The other side: plain sockets that do not block, moved by the director. They
 * write in pieces, read slowly or not at all, stop sending, reset, close while
 * much is under way, or at once.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEERS = 64,
    PIECE_BYTES = 65536
};

typedef struct peer_s {
    int fd;
    side_t *side;
    bool slow;  /* Reads nothing until it is served. */
    bool ended; /* Sends no more. */
    bool heard; /* Got the end of the stream. */
    bool lost;  /* Was told of a reset: what looks like the end is none. */
} peer_t;

static peer_t peers[PEERS];
static unsigned peer_count;
static int listener = -1;

static uint8_t piece[PIECE_BYTES];

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static uint16_t port_of(int fd,
                        int (*name)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;

    return name(fd, (struct sockaddr *)&address, &size) == 0
               ? ntohs(address.sin_port)
               : 0;
}

/* A socket that listens with room for few, or that nobody can reach. */
static int bound(bool listens)
{
    struct sockaddr_in address = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    STRESS_CHECK(
        fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            (!listens || listen(fd, 16) == 0),
        "cannot bind: error %d", errno);
    return fd;
}

static void peer_add(int fd, side_t *side)
{
    peers[peer_count++] =
        (peer_t){.fd = fd, .side = side, .slow = stress_once_in(5)};
}

static void peer_end(peer_t *peer)
{
    (void)close(peer->fd);
    *peer = peers[--peer_count];
}

static void peer_reset(peer_t *peer)
{
    struct linger linger = {1, 0};
    int unsent = 0;

    /* What the other side's system has acknowledged lies there to be read. */
    if (ioctl(peer->fd, TIOCOUTQ, &unsent) == 0 &&
        (size_t)unsent <= peer->side->sent) {
        peer->side->arrived = peer->side->sent - (size_t)unsent;
        peer->side->reset = true;
    }
    (void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    peer_end(peer);
}

void peer_dial(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (peer_count == PEERS ||
        (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 &&
         errno != EINPROGRESS)) {
        (void)close(fd);
        return;
    }
    if (stress_once_in(3)) {
        int bytes = 4096;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
    peer_add(fd, side_new(true, port_of(fd, getsockname), port));
    if (stress_once_in(10)) {
        peer_t *peer = &peers[peer_count - 1];
        if (stress_once_in(2)) {
            peer_reset(peer);
        } else {
            peer_end(peer);
        }
    }
}

uint16_t peers_listen(void)
{
    if (listener < 0) {
        listener = bound(true);
    }
    return port_of(listener, getsockname);
}

uint16_t peers_refused_port(void)
{
    int fd = bound(false);
    uint16_t port = port_of(fd, getsockname);

    (void)close(fd);
    return port;
}

static void accept_all(void)
{
    int fd = 0;

    while (listener >= 0 && peer_count < PEERS && fd >= 0) {
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            peer_add(fd, side_new(false, port_of(fd, getpeername),
                                  port_of(fd, getsockname)));
        }
    }
}

/* @return Whether it is still there. */
static bool peer_read(peer_t *peer, size_t most)
{
    size_t left = most;

    while (left > 0 && !peer->heard) {
        ssize_t n =
            recv(peer->fd, piece, left < PIECE_BYTES ? left : PIECE_BYTES, 0);
        if (n > 0) {
            side_got(peer->side, piece, (size_t)n);
            left -= (size_t)n;
        } else if (n == 0) {
            if (!peer->lost) {
                side_ended(peer->side);
            }
            peer->heard = true;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else {
            peer_end(peer);
            return false;
        }
    }
    return true;
}

static void peer_write(peer_t *peer, size_t most)
{
    size_t left = most;

    while (left > 0 && !peer->ended) {
        size_t size = left < PIECE_BYTES ? left : PIECE_BYTES;
        ssize_t n;
        side_fill(peer->side, piece, size);
        n = send(peer->fd, piece, size, MSG_NOSIGNAL);
        if (n > 0) {
            peer->side->sent += (size_t)n;
            left -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK ||
                   errno == ENOTCONN) {
            break;
        } else {
            /* What it got before the reset is still there. */
            peer->lost = true;
            peer->ended = true;
        }
    }
}

static void peer_finish(peer_t *peer)
{
    peer->ended = true;
    (void)shutdown(peer->fd, SHUT_WR);
}

void peers_step(void)
{
    peer_t *peer;

    accept_all();
    if (peer_count == 0) {
        return;
    }
    peer = &peers[stress_below(peer_count)];
    switch (stress_below(12)) {
    case 0:
        peer_finish(peer);
        break;
    case 1:
        peer_end(peer);
        break;
    case 2:
        peer_reset(peer);
        break;
    case 3:
    case 4:
    case 5:
        if (!peer->slow) {
            (void)peer_read(peer, 1 + stress_below(100000));
        }
        break;
    case 6:
        peer_write(peer, 1 + stress_below(300000));
        break;
    default:
        peer_write(peer, 1 + stress_below(600));
        break;
    }
}

void peers_serve(void)
{
    accept_all();
    for (unsigned i = peer_count; i > 0; i--) {
        peer_t *peer = &peers[i - 1];
        if (!peer->ended) {
            peer_finish(peer);
        }
        if (peer_read(peer, SIZE_MAX) && peer->heard) {
            peer_end(peer);
        }
    }
}

void peers_close(void)
{
    while (peer_count > 0) {
        peer_end(&peers[0]);
    }
    if (listener >= 0) {
        (void)close(listener);
        listener = -1;
    }
}
