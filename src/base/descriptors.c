/*
 * Descriptors 0 to 2.
 *
 * A program that was started without them gets them for whatever it opens
 * first. libuv ends the process when it has to close one of its own there, and
 * what C writes to standard error would reach somebody's socket. So they are
 * filled before a loop opens anything, and standard error is what was open when
 * the program began.
 */
#include "base/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/util.h"

#if !defined(O_CLOEXEC)
#    define O_CLOEXEC 0
#endif

static bool stderr_missing; /* Set before main, read by any thread. */

UVA__AT_START(descriptors_look)
{
    stderr_missing = fcntl(STDERR_FILENO, F_GETFD) < 0;
}

bool uva__has_stderr(void)
{
    return !stderr_missing;
}

void uva__fill_standard_descriptors(void)
{
    int fd;

    if (fcntl(STDIN_FILENO, F_GETFD) >= 0 &&
        fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
        fcntl(STDERR_FILENO, F_GETFD) >= 0) {
        return;
    }
    /* open gives the lowest that is free: the gaps fill from below. The first
     * descriptor above them is one too many. */
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd < STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        close(fd);
    }
}
