/*
 * Whether a host is inside uv_run.
 *
 * libuv keeps no flag that tells, and none of our handles brackets the phases
 * of timers and closing: so the stack is asked, where a host is turned by hand,
 * which is rare. A frame of uv_run needs its loop after every call that it
 * makes, so it has the address in a register that calls preserve, or in memory
 * of its own. What its caller had in such registers is in one of these places
 * as well, and does not count.
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
    const uintptr_t *low; /* Of a frame of uv_run, which is next below. */
    size_t found;         /* In its registers. */
    uintptr_t last;       /* The outermost address that was seen. */
    bool inside;
} inside_t;

#    if defined(__x86_64__)
static const int inside_registers[] = {3, 6, 12, 13, 14, 15};
#    elif defined(__aarch64__)
static const int inside_registers[] = {19, 20, 21, 22, 23, 24,
                                       25, 26, 27, 28, 29};
#    else
static const int inside_registers[] = {-1}; /* Each frame may be the host's. */
#    endif

static size_t inside_of_registers(struct _Unwind_Context *frame, uintptr_t host)
{
    size_t found = 0;

    for (size_t i = 0; i < UVA__COUNT(inside_registers); i++) {
        found += inside_registers[i] < 0 ||
                 _Unwind_GetGR(frame, inside_registers[i]) == host;
    }
    return found;
}

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
    /* A frame has words that nobody has written; they count as what they are.
     */
    (void)VALGRIND_MAKE_MEM_DEFINED(&found, sizeof found);
#    endif
    return found;
}

static bool inside_is_uv_run(uintptr_t ip)
{
    Dl_info info;

    return _Unwind_FindEnclosingFunction((void *)ip) ==
               (void *)(uintptr_t)uv_run ||
           (dladdr((void *)ip, &info) != 0 && info.dli_sname != NULL &&
            strcmp(info.dli_sname, "uv_run") == 0);
}

static _Unwind_Reason_Code inside_frame(struct _Unwind_Context *frame,
                                        void *data)
{
    inside_t *look = data;
    uintptr_t sp = _Unwind_GetCFA(frame);
    size_t found = inside_of_registers(frame, look->host);

    look->last = _Unwind_GetIP(frame);
    if (look->low != NULL) { /* The caller of uv_run. */
        size_t own = look->found + inside_of_memory(look->low, sp, look->host);
        look->low = NULL;
        look->inside = own > found || inside_registers[0] < 0;
        if (look->inside) {
            return _URC_NORMAL_STOP;
        }
    }
    if (look->last != 0 && inside_is_uv_run(look->last)) {
        look->low = (const uintptr_t *)sp;
        look->found = found;
    }
    return _URC_NO_REASON;
}

/* Whether the outermost frame that was seen is where threads begin; else a
 * frame of which the unwinder knows nothing hides what lies below it. */
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
    inside_t look = {.host = (uintptr_t)host};

    _Unwind_Backtrace(inside_frame, &look);
    return look.inside || look.low != NULL || !inside_is_origin(look.last);
}

#else

/* Without an unwinder nothing is known. */
bool uva__inside_by_stack(const uv_loop_t *host)
{
    (void)host;
    return true;
}

#endif

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
