/*
 * Pipes, terminals and other character devices: the system calls that check,
 * prepare, read and write them. Nothing here knows a loop. Every call that a
 * signal interrupts is made again, and UV_EAGAIN is the one code of a
 * descriptor that is not ready.
 */
#ifndef UVA__IO_PIPES_H
#define UVA__IO_PIPES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "uva/transports.h"

/* A descriptor of a user that is to be one end of a pipe. */
typedef struct uva__pipe_s {
    int fd;                 /* Owned. */
    int flags;              /* What it had by F_GETFL; -1: it is not shared. */
    uva_medium_kind_t kind; /* A socket is UVA_MEDIUM_UNIX. */
    bool tells_end;         /* Its writing end hears when the reader leaves. */
} uva__pipe_t;

/**
 * Check a descriptor of a user, and make it non-blocking and closed on exec. A
 * terminal is opened anew if it can be: other processes share its flags.
 *
 * @param take_fd Taken, on failure too: it is closed then.
 * @param writes  Whether it is to be written, not read.
 * @return 0, or a code with a text:
 * @retval UV_EBADF  It is not open.
 * @retval UV_EINVAL It is a file, a directory or a listening socket, or is not
 *                   open in this direction.
 */
int uva__pipe_adopt(int take_fd, bool writes, uva__pipe_t *ret_pipe);
/** Give a shared descriptor its flags back, and close it. */
void uva__pipe_close(const uva__pipe_t *pipe);
/** Write count pieces in one system call; SIGPIPE is never raised. @return
 * Bytes that the system took, perhaps less than all, UV_EAGAIN, or another
 * code. */
ssize_t uva__pipe_write(int fd, const struct iovec *pieces, size_t count);
/** Whether the reader of a pipe has left: of its writing end. */
bool uva__pipe_reader_left(int fd);

#endif /* UVA__IO_PIPES_H */
