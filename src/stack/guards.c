/*
 * Guards of stacks, in tiers. Each tier stands in where the one above it does
 * not work, or is used up.
 *
 *   tier      how                            what it costs
 *   marker    MADV_GUARD_INSTALL             a system call for 256 guards
 *   mprotect  PROT_NONE                      two mappings of the process each
 *   canary    a gap that nobody may touch    a look at each suspension
 *
 * Invariant: every access to the guard of a slot that uva__guards_install
 * counts faults. Each mprotect guard is charged to one budget of the process.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif

#include "stack/guards.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__linux__)
#    include <fcntl.h>
#    include <sys/syscall.h>
#endif

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/valgrind.h>
#endif

/* Linux 6.13; not in the headers of older libcs. */
#define GUARD_INSTALL_ADVICE 102

enum {
    GUARD_BATCH_COUNT = 256
};

/* The uva__stack_guard_t that the machine gives; AUTO until it was probed. Two
 * threads may probe at once, and find the same. */
static atomic_int guard_probed;

/* How many more stacks of the process mprotect may guard; -1 until the limit of
 * the system was read. Loops in several threads draw from it. */
static atomic_long guard_budget = -1;

size_t uva__page_bytes(void)
{
    static atomic_size_t cached;
    size_t bytes = atomic_load_explicit(&cached, memory_order_relaxed);

    if (bytes == 0) {
        long r = sysconf(_SC_PAGESIZE);
        bytes = r > 0 ? (size_t)r : 4096;
        atomic_store_explicit(&cached, bytes, memory_order_relaxed);
    }
    return bytes;
}

const char *uva__stack_guard_name(uva__stack_guard_t guard)
{
    switch (guard) {
    case UVA__STACK_GUARD_MARKER:
        return "marker";
    case UVA__STACK_GUARD_MPROTECT:
        return "mprotect";
    case UVA__STACK_GUARD_CANARY:
        return "canary";
    case UVA__STACK_GUARD_AUTO:
        break;
    }
    return "auto";
}

/* The guard that the environment asks for; AUTO if it does not. */
static uva__stack_guard_t guard_of_environment(void)
{
    const char *value = getenv("UVA_STACK_GUARD");

    for (int i = UVA__STACK_GUARD_MARKER; i <= UVA__STACK_GUARD_CANARY; i++) {
        uva__stack_guard_t guard = (uva__stack_guard_t)i;
        if (value != NULL && strcmp(value, uva__stack_guard_name(guard)) == 0) {
            return guard;
        }
    }
    return UVA__STACK_GUARD_AUTO;
}

/* Whether the kernel installs guard markers, tried on a page. */
static bool guard_markers_work(void)
{
#if defined(__linux__)
    size_t page_bytes = uva__page_bytes();
    void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool works;

    if (page == MAP_FAILED) {
        return false;
    }
    /* madvise alone proves nothing: emulators accept any advice and do nothing.
     * The proof is that the kernel cannot write to the page. */
    works = madvise(page, page_bytes, GUARD_INSTALL_ADVICE) == 0 &&
            syscall(SYS_uname, page) != 0 && errno == EFAULT;
    munmap(page, page_bytes);
    return works;
#else
    return false;
#endif
}

/* The environment may ask for markers on a machine that has none; mprotect and
 * canaries work everywhere. */
uva__stack_guard_t uva__stack_guard_probe(void)
{
    int guard = atomic_load_explicit(&guard_probed, memory_order_relaxed);

    if (guard == UVA__STACK_GUARD_AUTO) {
        guard = (int)guard_of_environment();
        if (guard == UVA__STACK_GUARD_AUTO ||
            guard == UVA__STACK_GUARD_MARKER) {
            guard = guard_markers_work() ? UVA__STACK_GUARD_MARKER
                                         : UVA__STACK_GUARD_MPROTECT;
        }
        atomic_store_explicit(&guard_probed, guard, memory_order_relaxed);
    }
    return (uva__stack_guard_t)guard;
}

/* A quarter of the mappings that the system allows: each guard makes two, so
 * half of them is left to the application. */
static long guard_budget_initial(void)
{
#if defined(__linux__)
    char text[32];
    long count = 65530;
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        ssize_t size = read(fd, text, sizeof text - 1);
        if (size > 0) {
            text[size] = '\0';
            count = strtol(text, NULL, 10);
        }
        close(fd);
    }
    return count / 4;
#else
    return 1L << 30; /* No limit known: BSD and macOS have none. */
#endif
}

/* Take up to so many guards out of the budget. @return How many it had; they
 * are given back by uva__guards_release. */
static size_t guard_budget_take(size_t wanted_count)
{
    long left = atomic_load(&guard_budget);
    long taken;

    if (left < 0) {
        /* Only the first thread sets it: another may have drawn from it since.
         */
        long unknown = -1;
        atomic_compare_exchange_strong(&guard_budget, &unknown,
                                       guard_budget_initial());
        left = atomic_load(&guard_budget);
    }
    do {
        taken = (long)wanted_count < left ? (long)wanted_count : left;
    } while (!atomic_compare_exchange_weak(&guard_budget, &left, left - taken));
    return (size_t)taken;
}

void uva__guards_release(size_t guarded_count, uva__stack_guard_t guard)
{
    if (guard == UVA__STACK_GUARD_MPROTECT) {
        atomic_fetch_add(&guard_budget, (long)guarded_count);
    }
}

#if defined(__linux__) && defined(SYS_process_madvise) && \
    defined(SYS_pidfd_open)
/* One process_madvise for many ranges of this process. The descriptor that old
 * kernels need is closed at once: after a fork it would name the parent.
 * @return Whether all ranges took the advice. If not, any number may have: the
 * caller repeats it range by range. */
static bool
guard_advise_batch(const struct iovec *ranges, size_t count, int advice)
{
    /* PIDFD_SELF_THREAD_GROUP of Linux 6.14 needs no descriptor. */
    enum {
        PIDFD_SELF = -10001
    };
    static atomic_bool
        missing; /* The kernel, or a sandbox, refuses the call. */
    size_t bytes = 0;
    long r;

#    if defined(UVA_HAVE_VALGRIND)
    if (RUNNING_ON_VALGRIND) {
        return false; /* It does not know the call, and says so each time. */
    }
#    endif
    if (atomic_load_explicit(&missing, memory_order_relaxed)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += ranges[i].iov_len;
    }
    r = syscall(SYS_process_madvise, PIDFD_SELF, ranges, count, advice, 0u);
    if (r < 0 && errno == EBADF) {
        int fd = (int)syscall(SYS_pidfd_open, getpid(), 0u);
        if (fd < 0) {
            return false;
        }
        r = syscall(SYS_process_madvise, fd, ranges, count, advice, 0u);
        close(fd);
    }
    if (r < 0 && (errno == ENOSYS || errno == EPERM)) {
        atomic_store_explicit(&missing, true, memory_order_relaxed);
    }
    return r >= 0 && (size_t)r == bytes;
}
#else
static bool
guard_advise_batch(const struct iovec *ranges, size_t count, int advice)
{
    (void)ranges;
    (void)count;
    (void)advice;
    return false;
}
#endif

size_t uva__guards_advise(const struct iovec *ranges, size_t count, int advice)
{
    if (count > 1 && guard_advise_batch(ranges, count, advice)) {
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        if (madvise(ranges[i].iov_base, ranges[i].iov_len, advice) != 0) {
            return i;
        }
    }
    return count;
}

/* Install markers, batch by batch. @return How many slots have one, from the
 * first on. */
static size_t guards_mark(const uva__guard_range_t *range)
{
    struct iovec ranges[GUARD_BATCH_COUNT];
    size_t done = 0;

    while (done < range->count) {
        size_t count = range->count - done;
        size_t r;

        if (count > GUARD_BATCH_COUNT) {
            count = GUARD_BATCH_COUNT;
        }
        for (size_t i = 0; i < count; i++) {
            ranges[i].iov_base = range->base + (done + i) * range->slot_bytes;
            ranges[i].iov_len = range->guard_bytes;
        }
        r = uva__guards_advise(ranges, count, GUARD_INSTALL_ADVICE);
        done += r;
        if (r < count) {
            break;
        }
    }
    return done;
}

/* Protect guards while the budget lasts. @return How many, from the first
 * slot on; what the system refused goes back to the budget. */
static size_t guards_protect(const uva__guard_range_t *range)
{
    size_t count = guard_budget_take(range->count);

    for (size_t i = 0; i < count; i++) {
        char *guard = range->base + i * range->slot_bytes;
        if (mprotect(guard, range->guard_bytes, PROT_NONE) != 0) {
            uva__guards_release(count - i, UVA__STACK_GUARD_MPROTECT);
            return i;
        }
    }
    return count;
}

/* One tier for all slots of the range: a slab remembers one tier and a count.
 * Where a tier guards only some slots, the others have a gap, and are looked at
 * in each suspension. */
size_t uva__guards_install(const uva__guard_range_t *range,
                           uva__stack_guard_t guard,
                           uva__stack_guard_t *ret_guard)
{
    size_t count = 0;

    if (guard == UVA__STACK_GUARD_MARKER) {
        *ret_guard = UVA__STACK_GUARD_MARKER;
        count = guards_mark(range);
        if (count > 0) {
            return count;
        }
    }
    if (guard != UVA__STACK_GUARD_CANARY) {
        *ret_guard = UVA__STACK_GUARD_MPROTECT;
        count = guards_protect(range);
        if (count > 0) {
            return count;
        }
    }
    *ret_guard = UVA__STACK_GUARD_CANARY;
    return 0;
}
