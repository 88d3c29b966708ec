/*
 * See the header. A connection that is to stay open is held until the peer
 * closes it, so nothing here waits for a clock.
 */
#include "bad_server.h"

#include <check.h>

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __linux__
#    include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* In memory that the server and the test share. */
typedef struct shared_s {
    int port;
    int has_ipv6;
    int accepted;
    int together;
} shared_t;

static shared_t *shared;
static pid_t server_pid;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int waiting;

unsigned char bad_server_byte(size_t i, size_t size)
{
    return (unsigned char)((i * 131 + i / 251 + size) & 0xff);
}

/* @return Whether the peer still listens. */
static bool say(int fd, const void *bytes, size_t size)
{
    const char *cursor = bytes;

    while (size > 0) {
        ssize_t sent = send(fd, cursor, size, MSG_NOSIGNAL);

        if (sent < 0) {
            return false;
        }
        cursor += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool say_text(int fd, const char *text)
{
    return say(fd, text, strlen(text));
}

static void hold(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0) {
    }
}

static void say_bytes(int fd, size_t size, bool with_length)
{
    unsigned char *body = malloc(size + 1);
    char head[100];

    for (size_t i = 0; i < size; i++) {
        body[i] = bad_server_byte(i, size);
    }
    if (with_length) {
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    } else {
        snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\n\r\n");
    }
    if (say_text(fd, head)) {
        say(fd, body, size);
    }
    free(body);
}

static void say_status(int fd, size_t status)
{
    char text[120];

    snprintf(text, sizeof text,
             "HTTP/1.0 %zu So\r\nLocation: /bytes/1\r\n"
             "Content-Length: 3\r\n\r\nso\n",
             status);
    say_text(fd, text);
}

static void say_slowly(int fd)
{
    static const char text[] =
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    for (size_t i = 0; i < sizeof text - 1; i++) {
        say(fd, text + i, 1);
    }
}

static void say_forever(int fd, const char *begin, const char *again)
{
    bool open = say_text(fd, begin);

    while (open) {
        open = say_text(fd, again);
    }
}

static void reset(int fd)
{
    const struct linger at_once = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void wait_for_others(int fd, size_t count)
{
    pthread_mutex_lock(&lock);
    waiting++;
    if (waiting > shared->together) {
        shared->together = waiting;
    }
    if ((size_t)waiting >= count) {
        waiting = 0;
        pthread_cond_broadcast(&changed);
    } else {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    say_bytes(fd, 1, true);
}

static void behave(int fd, const char *page, size_t count)
{
    if (strcmp(page, "bytes") == 0 || strcmp(page, "plain") == 0) {
        say_bytes(fd, count, page[0] == 'b');
    } else if (strcmp(page, "status") == 0) {
        say_status(fd, count);
    } else if (strcmp(page, "trickle") == 0) {
        say_slowly(fd);
    } else if (strcmp(page, "short") == 0) {
        say_text(fd,
                 "HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
    } else if (strcmp(page, "reset") == 0) {
        reset(fd);
    } else if (strcmp(page, "greeting") == 0) {
        say_text(fd, "220 mail.example ESMTP\r\n");
        hold(fd);
    } else if (strcmp(page, "halfhead") == 0) {
        say_text(fd, "HTTP/1.0 200 OK\r\nContent-Le");
    } else if (strcmp(page, "longhead") == 0) {
        say_forever(fd, "HTTP/1.0 200 OK\r\n", "X-Again: and again\r\n");
    } else if (strcmp(page, "endless") == 0) {
        say_forever(fd, "HTTP/1.0 200 OK\r\n\r\n", "and again and again\n");
    } else if (strcmp(page, "chunked") == 0) {
        say_text(fd,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    } else if (strcmp(page, "stall") == 0) {
        hold(fd);
    } else if (strcmp(page, "stallbody") == 0) {
        say_text(fd, "HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        hold(fd);
    } else if (strcmp(page, "together") == 0) {
        wait_for_others(fd, count);
    } /* nothing: nothing. */
}

static void *serve(void *data)
{
    int fd = (int)(intptr_t)data;
    char request[4096];
    char page[16] = "";
    size_t size = 0;
    size_t count = 0;
    ssize_t r = 1;

    request[0] = '\0';
    while (r > 0 && strstr(request, "\r\n\r\n") == NULL) {
        r = recv(fd, request + size, sizeof request - 1 - size, 0);
        size += r > 0 ? (size_t)r : 0;
        request[size] = '\0';
    }
    if (r > 0 && sscanf(request, "GET /%15[a-z]/%zu", page, &count) > 0) {
        behave(fd, page, count);
    }
    close(fd);
    return NULL;
}

static void *listen_on(void *data)
{
    int listener = (int)(intptr_t)data;

    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;

        if (fd < 0) {
            continue;
        }
        __atomic_add_fetch(&shared->accepted, 1, __ATOMIC_SEQ_CST);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0) {
            pthread_detach(thread);
        } else {
            close(fd);
        }
    }
    return NULL;
}

static int listener_new(int family, const void *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;

    if (family == AF_INET6 && fd >= 0) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (fd >= 0 && (bind(fd, address, size) != 0 || listen(fd, 1000) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void bad_server_start(void)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    socklen_t size = sizeof ipv4;
    int fds[2];
    pthread_t thread;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(shared != MAP_FAILED);
    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fds[0] = listener_new(AF_INET, &ipv4, sizeof ipv4);
    ck_assert_int_ge(fds[0], 0);
    getsockname(fds[0], (struct sockaddr *)&ipv4, &size);
    ipv6.sin6_addr = in6addr_loopback;
    ipv6.sin6_port = ipv4.sin_port;
    fds[1] = listener_new(AF_INET6, &ipv6, sizeof ipv6);
    shared->port = ntohs(ipv4.sin_port);
    shared->has_ipv6 = fds[1] >= 0;
    server_pid = fork();
    if (server_pid == 0) { /* No assertion here: Check's records are shared. */
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* A test that fails stops nothing. */
#endif
        if (fds[1] >= 0) {
            pthread_create(&thread, NULL, listen_on, (void *)(intptr_t)fds[1]);
        }
        listen_on((void *)(intptr_t)fds[0]);
    }
    ck_assert_int_gt(server_pid, 0);
    close(fds[0]);
    if (fds[1] >= 0) {
        close(fds[1]);
    }
}

void bad_server_stop(void)
{
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    munmap(shared, sizeof *shared);
}

int bad_server_port(void)
{
    return shared->port;
}

int bad_server_has_ipv6(void)
{
    return shared->has_ipv6;
}

int bad_server_accepted(void)
{
    return __atomic_load_n(&shared->accepted, __ATOMIC_SEQ_CST);
}

int bad_server_together(void)
{
    return shared->together;
}
