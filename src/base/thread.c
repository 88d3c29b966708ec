/*
 * Threads: what libuv lacks, or has in newer versions only.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#if defined(__linux__)
#    include <sched.h>
#    include <sys/syscall.h>
#endif

uint64_t uva__thread_number(void)
{
#if defined(__linux__)
    return (uint64_t)syscall(SYS_gettid);
#else
    return (uint64_t)(uintptr_t)uv_thread_self();
#endif
}

/* Not pthread_kill, which may not be called for a thread that has ended. */
int uva__thread_signal(uint64_t number, int signal_number)
{
#if defined(__linux__)
    return syscall(SYS_tgkill, (long)getpid(), (long)number,
                   (long)signal_number) == 0
               ? 0
               : -errno;
#else
    (void)number;
    (void)signal_number;
    return UV_ENOTSUP;
#endif
}

int uva__thread_start(uv_thread_t *ret_thread,
                      size_t stack_bytes,
                      void (*entry)(void *data),
                      void *data)
{
    uv_thread_options_t options = {.flags = UV_THREAD_NO_FLAGS};

    if (stack_bytes > 0) {
        options.flags = UV_THREAD_HAS_STACK_SIZE;
        options.stack_size = stack_bytes;
    }
    return uv_thread_create_ex(ret_thread, &options, entry, data);
}

/* Linux refuses a name of more than 15 bytes: the callers cut theirs. */
void uva__thread_name(const char *name)
{
#if defined(__linux__)
    (void)pthread_setname_np(pthread_self(), name);
#else
    (void)name;
#endif
}

void uva__thread_pin(unsigned index)
{
#if defined(__linux__)
    cpu_set_t all;
    cpu_set_t one;
    unsigned place = 0;

    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        return;
    }
    index %= (unsigned)CPU_COUNT(&all);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && place++ == index) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            return;
        }
    }
#else
    (void)index;
#endif
}

void uva__thread_end(const uv_thread_t *thread)
{
    if (pthread_equal(*thread, pthread_self()) != 0) {
        uva__thread_detach(thread);
    } else {
        (void)pthread_join(*thread, NULL);
    }
}

void uva__thread_detach(const uv_thread_t *thread)
{
    (void)pthread_detach(*thread);
}

unsigned uva__cpu_count(void)
{
#if defined(__linux__)
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (unsigned)count : 1;
}
