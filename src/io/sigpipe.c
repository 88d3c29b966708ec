/*
 * System calls that raise SIGPIPE and know no flag against it: writev on a
 * pipe, sendfile. A library may not ignore the signal for its process, as
 * Python does for asyncio.
 *
 * Invariant: no thread is left with another mask of signals, or with a signal
 * that it did not have.
 */
#include "io/sigpipe.h"

#include <errno.h>
#include <time.h>

/* Take the SIGPIPE that a call of this thread may have raised. */
static void sigpipe_take(const sigset_t *pipe_set)
{
#if defined(__APPLE__) /* It has no sigtimedwait, and sigwait would wait. */
    sigset_t pending;
    int number;

    sigemptyset(&pending);
    (void)sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) == 1) {
        (void)sigwait(pipe_set, &number);
    }
#else
    const struct timespec now = {0, 0};

    while (sigtimedwait(pipe_set, NULL, &now) < 0 && errno == EINTR) {
    }
#endif
}

static sigset_t sigpipe_set(void)
{
    sigset_t pipe_set;

    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    return pipe_set;
}

void uva__sigpipe_block(uva__sigpipe_t *sigpipe)
{
    sigset_t pipe_set = sigpipe_set();
    sigset_t pending;

    sigemptyset(&pending);
    (void)sigpending(&pending);
    sigpipe->was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe_set, &sigpipe->before);
}

void uva__sigpipe_unblock(const uva__sigpipe_t *sigpipe, bool raised)
{
    int error = errno;

    if (raised && !sigpipe->was_pending) {
        sigset_t pipe_set = sigpipe_set();
        sigpipe_take(&pipe_set);
    }
    (void)pthread_sigmask(SIG_SETMASK, &sigpipe->before, NULL);
    errno = error;
}
