/*
 * The number of a thread, as debuggers and the system's own tools show it.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "base/thread.h"

#if defined(__linux__)
#    include <sys/syscall.h>
#    include <unistd.h>
#endif

uint64_t uva__thread_number(void)
{
#if defined(__linux__)
    return (uint64_t)syscall(SYS_gettid);
#else
    return (uint64_t)(uintptr_t)uv_thread_self();
#endif
}
