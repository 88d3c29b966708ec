/*
 * Pipes, terminals and other character devices: the system calls that check,
 * prepare and write them (asyncio.unix_events, what _UnixReadPipeTransport and
 * _UnixWritePipeTransport ask of the system).
 *
 * Invariant: no call raises SIGPIPE.
 */
#include "io/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/util.h"
#include "core/owner.h"
#include "io/sigpipe.h"

/* --- descriptors of users --- */

/* What is wrong with a descriptor; NULL if nothing is. A file would be refused
 * by epoll, and always be ready elsewhere. asyncio: ValueError. */
static const char *
pipe_wrong(const struct stat *info, int fd, int flags, bool writes)
{
    int listens = 0;
    socklen_t size = sizeof listens;

    if (!S_ISFIFO(info->st_mode) && !S_ISSOCK(info->st_mode) &&
        !S_ISCHR(info->st_mode)) {
        return "is no pipe, socket or character device";
    }
    if ((flags & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY)) {
        return writes ? "is not open for writing" : "is not open for reading";
    }
    if (S_ISSOCK(info->st_mode) &&
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
        listens != 0) {
        return "listens";
    }
    return NULL;
}

/* Open a terminal anew, so that its flags are not those of the processes that
 * share it. The master of a pair has no name that would lead to it again.
 * @return The descriptor, or -1: the one that there is must do. */
static int tty_reopen(int fd, bool writes)
{
    char name[256];
#if defined(TIOCGPTN) /* Only a master answers. */
    unsigned number;

    if (ioctl(fd, TIOCGPTN, &number) == 0) {
        return -1;
    }
#endif
    if (ttyname_r(fd, name, sizeof name) != 0) {
        return -1;
    }
    return open(name, (writes ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY |
                          O_CLOEXEC);
}

/* Let pipe->fd be non-blocking, by a descriptor of its own if it is a terminal.
 */
static int pipe_prepare(uva__pipe_t *pipe, bool writes)
{
    int opened =
        pipe->kind == UVA_MEDIUM_TTY ? tty_reopen(pipe->fd, writes) : -1;

    if (opened >= 0) {
        close(pipe->fd);
        pipe->fd = opened;
        pipe->flags = -1;
        return 0;
    }
    if (fcntl(pipe->fd, F_SETFL, pipe->flags | O_NONBLOCK) < 0 ||
        fcntl(pipe->fd, F_SETFD, FD_CLOEXEC) < 0) {
        return uva__bare(uv_translate_sys_error(errno));
    }
    return 0;
}

int uva__pipe_adopt(int take_fd, bool writes, uva__pipe_t *ret_pipe)
{
    uva__pipe_t pipe = {.fd = take_fd, .flags = fcntl(take_fd, F_GETFL)};
    const char *wrong;
    struct stat info;
    int r;

    if (pipe.flags < 0 || fstat(take_fd, &info) < 0) {
        r = uv_translate_sys_error(errno);
        wrong = uva_strerror(r);
    } else {
        r = UV_EINVAL;
        wrong = pipe_wrong(&info, take_fd, pipe.flags, writes);
    }
    if (wrong != NULL) {
        r = uva_fail(r, "the descriptor %d cannot be used: %s", take_fd, wrong);
        close(take_fd);
        return r;
    }
    pipe.kind = S_ISSOCK(info.st_mode) ? UVA_MEDIUM_UNIX
                : isatty(take_fd)      ? UVA_MEDIUM_TTY
                                       : UVA_MEDIUM_PIPE;
    pipe.tells_end = !S_ISCHR(info.st_mode); /* asyncio: its reader trick. */
    r = pipe_prepare(&pipe, writes);
    if (r < 0) {
        uva__pipe_close(&pipe);
        return r;
    }
    *ret_pipe = pipe;
    return 0;
}

void uva__pipe_close(const uva__pipe_t *pipe)
{
    if (pipe->flags >= 0 && (pipe->flags & O_NONBLOCK) == 0) {
        (void)fcntl(pipe->fd, F_SETFL, pipe->flags);
    }
    close(pipe->fd);
}

bool uva__pipe_reader_left(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents != 0;
}

/* --- writing --- */

/* writev without SIGPIPE, which comes also if the reader leaves when some bytes
 * were written, and their count is returned. errno is that of writev. */
static ssize_t
pipe_write_masked(int fd, const struct iovec *pieces, size_t count)
{
    uva__sigpipe_t sigpipe;
    ssize_t sent;

    uva__sigpipe_block(&sigpipe);
    sent = writev(fd, pieces, (int)count);
    uva__sigpipe_unblock(&sigpipe, sent >= 0 || errno == EPIPE);
    return sent;
}

#if defined(__linux__)

#    if !defined(RWF_NOSIGNAL) /* Linux 6.18. */
#        define RWF_NOSIGNAL 0x100
#    endif

/* The kernel has refused RWF_NOSIGNAL: it is asked no more. */
static atomic_bool nosignal_refused;

static ssize_t pipe_write_once(int fd, const struct iovec *pieces, size_t count)
{
    ssize_t sent;

    if (!atomic_load_explicit(&nosignal_refused, memory_order_relaxed)) {
        sent = pwritev2(fd, pieces, (int)count, -1, RWF_NOSIGNAL);
        if (sent >= 0 ||
            (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)) {
            return sent;
        }
        atomic_store_explicit(&nosignal_refused, true, memory_order_relaxed);
    }
    return pipe_write_masked(fd, pieces, count);
}

#else

static ssize_t pipe_write_once(int fd, const struct iovec *pieces, size_t count)
{
    return pipe_write_masked(fd, pieces, count);
}

#endif

ssize_t uva__pipe_write(int fd, const struct iovec *pieces, size_t count)
{
    ssize_t sent;

    do {
        sent = pipe_write_once(fd, pieces, count);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent
           : errno == EAGAIN || errno == EWOULDBLOCK
               ? UV_EAGAIN
               : uv_translate_sys_error(errno);
}
