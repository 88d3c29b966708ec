/*
 * System calls that raise SIGPIPE and know no flag against it.
 */
#ifndef UVA__IO_SIGPIPE_H
#define UVA__IO_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct uva__sigpipe_s {
    sigset_t before; /* The mask of the thread. */
    bool was_pending;
} uva__sigpipe_t;

/** Block SIGPIPE in this thread, to which the system sends it. */
void uva__sigpipe_block(uva__sigpipe_t *sigpipe);
/** Unblock it. raised: the call may have raised it, and it is taken; one that
 * was pending before is left to whoever waits for it. Keeps errno. */
void uva__sigpipe_unblock(const uva__sigpipe_t *sigpipe, bool raised);

#endif /* UVA__IO_SIGPIPE_H */
