/*
 * Whether a host is inside uv_run.
 *
 * libuv has no flag for it, and no handle of ours brackets the phases of timers
 * and of closing: so the stack is searched, where a host is turned by hand,
 * which is rare.
 *
 * Invariant: a frame of uv_run uses its loop after every call that it makes, so
 * it has the address in a register that calls preserve, or in memory of its
 * own. The values that its caller had in these registers are in one of the two
 * places as well, and are not counted.
 */
#include "core/driver_inside.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <uv.h>

#include "base/util.h"

#if defined(__linux__)
#    include <sys/auxv.h>
#endif

#if defined(__GNUC__)
#    include <dlfcn.h>
#    include <unwind.h>
#endif

#if defined(UVA_HAVE_VALGRIND)
#    include <valgrind/memcheck.h>
#endif

#if defined(__GNUC__)

typedef struct inside_s {
    uintptr_t host;
    const uintptr_t *low; /* The stack pointer of a frame of uv_run, if it was
                             the last one; else NULL. */
    size_t found;         /* How often its registers had the host. */
    uintptr_t last;       /* The outermost code address so far. */
    bool inside;
} inside_t;

#    if defined(__x86_64__)
static const int inside_registers[] = {3, 6, 12, 13, 14, 15};
#    elif defined(__aarch64__)
static const int inside_registers[] = {19, 20, 21, 22, 23, 24,
                                       25, 26, 27, 28, 29};
#    else
/* The registers are not known: each uv_run may be the host's. */
static const int inside_registers[] = {-1};
#    endif

/* How many of the registers that calls preserve have the host's address in a
 * frame, after the frames below it have restored them. */
static size_t inside_of_registers(struct _Unwind_Context *frame, uintptr_t host)
{
    size_t found = 0;

    for (size_t i = 0; i < UVA__COUNT(inside_registers); i++) {
        found += inside_registers[i] < 0 ||
                 _Unwind_GetGR(frame, inside_registers[i]) == host;
    }
    return found;
}

/* How many words of a frame have the host's address. Frames of others are read,
 * which sanitizers would report. */
__attribute__((no_sanitize("address"),
               no_sanitize("thread"),
               noinline)) static size_t
inside_of_memory(const uintptr_t *low, uintptr_t high, uintptr_t host)
{
    size_t found = 0;

    for (; (uintptr_t)low < high; low++) {
        found += *(const volatile uintptr_t *)low == host;
    }
#    if defined(UVA_HAVE_VALGRIND)
    /* Words that no code has written count as well. */
    (void)VALGRIND_MAKE_MEM_DEFINED(&found, sizeof found);
#    endif
    return found;
}

/* Whether an address of code lies in uv_run: in the one that is linked here,
 * or, by its name, in the one of another library. */
static bool inside_is_uv_run(uintptr_t ip)
{
    Dl_info info;

    return _Unwind_FindEnclosingFunction((void *)ip) ==
               (void *)(uintptr_t)uv_run ||
           (dladdr((void *)ip, &info) != 0 && info.dli_sname != NULL &&
            strcmp(info.dli_sname, "uv_run") == 0);
}

/* Called for each frame, innermost first. At the caller of uv_run the frame of
 * uv_run is known: from its own stack pointer to this one's. */
static _Unwind_Reason_Code inside_frame(struct _Unwind_Context *frame,
                                        void *data)
{
    inside_t *search = data;
    uintptr_t sp = _Unwind_GetCFA(frame);
    size_t found = inside_of_registers(frame, search->host);

    search->last = _Unwind_GetIP(frame);
    if (search->low != NULL) { /* The frame is the caller of uv_run. */
        size_t own =
            search->found + inside_of_memory(search->low, sp, search->host);
        search->low = NULL;
        search->inside = own > found || inside_registers[0] < 0;
        if (search->inside) {
            return _URC_NORMAL_STOP;
        }
    }
    if (search->last != 0 && inside_is_uv_run(search->last)) {
        search->low = (const uintptr_t *)sp;
        search->found = found;
    }
    return _URC_NO_REASON;
}

/* Whether the outermost frame is one in which threads begin. If not, the
 * unwinder has stopped at a frame of which it knows nothing, and frames behind
 * it are hidden. */
static bool inside_is_origin(uintptr_t ip)
{
    Dl_info libc;
    Dl_info info;

#    if defined(__linux__)
    if (ip - getauxval(AT_ENTRY) < 256) {
        return true;
    }
#    endif
    return ip == 0 ||
           (dladdr((void *)(uintptr_t)pthread_create, &libc) != 0 &&
            dladdr((void *)ip, &info) != 0 && libc.dli_fbase == info.dli_fbase);
}

bool uva__inside_by_stack(const uv_loop_t *host)
{
    inside_t search = {.host = (uintptr_t)host};

    _Unwind_Backtrace(inside_frame, &search);
    return search.inside || search.low != NULL ||
           !inside_is_origin(search.last);
}

#else

/* Without an unwinder nothing is known. */
bool uva__inside_by_stack(const uv_loop_t *host)
{
    (void)host;
    return true;
}

#endif

/* libuv's private callback for its thread pool tells the copies apart: each has
 * its own. */
bool uva__inside_other_copy(const uv_loop_t *host)
{
    static _Atomic(uv_async_cb) mine;
    uv_async_cb known = atomic_load(&mine);
    uv_loop_t probe;

    if (known == NULL && uv_loop_init(&probe) >= 0) {
        known = probe.wq_async.async_cb;
        atomic_store(&mine, known);
        (void)uv_loop_close(&probe);
    }
    return known != host->wq_async.async_cb;
}
