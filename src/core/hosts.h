/*
 * A loop whose host has gone, or whose process was forked.
 */
#ifndef UVA__CORE_HOSTS_H
#define UVA__CORE_HOSTS_H

#include "core/loop.h"

/** Whether a loop cannot be used from here: closed, another thread's, the
 * parent's of this process; function: who asks. Notices that the host has
 * closed the handles, and ends the loop then. @retval UV_EPERM @retval
 * UVA_EFORKED */
int uva__loop_refuses(uva_loop_t *loop, const char *function);

/** The code of a call that uva__loop_owned refuses. */
static inline int uva__loop_refusal(const uva_loop_t *loop)
{
    return loop->forked ? UVA_EFORKED : UV_EPERM;
}

/** Notice that somebody else has closed the handles: end the loop as far as its
 * tasks let it. @return Whether it is so. */
bool uva__loop_host_lost(uva_loop_t *loop);

/** Have loops told of forks in their children, from the first call on. */
void uva__forks_watch(void);

#endif /* UVA__CORE_HOSTS_H */
