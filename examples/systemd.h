/*
 * What a service needs of systemd, without its library: the sockets that it
 * passes, sd_listen_fds(3), and the word that the service is ready,
 * sd_notify(3). Started by anything else, both do nothing.
 */
#ifndef EXAMPLES_SYSTEMD_H
#define EXAMPLES_SYSTEMD_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Take the sockets that were passed to this process. @return How many. */
static inline size_t systemd_sockets(int *ret_fds, size_t most_count)
{
    const char *pid = getenv("LISTEN_PID");
    const char *text = getenv("LISTEN_FDS");
    size_t count = 0;

    if (pid != NULL && text != NULL && atol(pid) == (long)getpid()) {
        while (count < most_count && count < strtoul(text, NULL, 10)) {
            ret_fds[count] = 3 + (int)count; /* SD_LISTEN_FDS_START */
            count++;
        }
    }
    /* They are not for programs that this one starts. */
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return count;
}

/* Tell the state of this process, "READY=1" or another. */
static inline void systemd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (path == NULL || strlen(path) >= sizeof address.sun_path) {
        return;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = 0; /* A name without a file. */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd >= 0) {
        size_t size = offsetof(struct sockaddr_un, sun_path) + strlen(path);
        (void)sendto(fd, state, strlen(state), 0, (struct sockaddr *)&address,
                     (socklen_t)size);
        close(fd);
    }
}

#endif /* EXAMPLES_SYSTEMD_H */
