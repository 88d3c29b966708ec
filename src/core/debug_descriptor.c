/*
 * What a debugger reads of a process, or of its core file, to find its loops
 * and tasks: offsets and bits by their names, and the list of all loops. So
 * tools/uva-gdb.py needs no debug information.
 *
 * Invariant: a loop is in the list from its making until it is freed. Debuggers
 * read the list while the process stands still; a mutex orders the threads that
 * change it.
 */
#include "core/debug_descriptor.h"

#include <stddef.h>

#include "core/loop.h"
#include "core/step.h"

/* Where symbols were stripped the descriptor is found by its section, which the
 * linker may not drop for want of a reference. */
#if defined(__ELF__) && defined(__has_attribute)
#    if __has_attribute(retain)
#        define DEBUG_SECTION \
            __attribute__((used, retain, section(".uva_debug")))
#    endif
#endif
#if defined(__ELF__) && !defined(DEBUG_SECTION)
#    define DEBUG_SECTION __attribute__((used, section(".uva_debug")))
#endif
#if !defined(DEBUG_SECTION)
#    define DEBUG_SECTION
#endif

typedef struct debug_number_s {
    char name[28];
    uint32_t value;
} debug_number_t;

static const debug_number_t debug_numbers[] = {
    {"loop.debug_link", offsetof(uva_loop_t, debug_link)},
    {"loop.tasks", offsetof(uva_loop_t, tasks)},
    {"loop.current", offsetof(uva_loop_t, current)},
    {"task.base", offsetof(uva_task_t, base)},
    {"task.link", offsetof(uva_task_t, link)},
    {"task.coro", offsetof(uva_task_t, coro)},
    {"task.extra", offsetof(uva_task_t, extra)},
    {"task.future",
     offsetof(uva_task_t, waiter) + offsetof(uva_waiter_t, future)},
    {"task.flow", offsetof(uva__stackful_t, flow)},
    {"task.what", offsetof(uva__stackful_t, what)},
    {"task.stackless_frame", UVA__STACKLESS_BYTES},
    {"task.stackful_frame", UVA__STACKFUL_BYTES},
    {"future.state", offsetof(uva_future_t, state)},
    {"future.kind", offsetof(uva_future_t, kind)},
    {"future.flags", offsetof(uva_future_t, flags)},
    {"future.phase", offsetof(uva_future_t, phase)},
    {"coro.name", offsetof(uva__coro_t, name)},
    {"coro.place", offsetof(uva__coro_t, place)},
    {"extra.name", offsetof(uva__extra_t, name)},
    {"context.sp", offsetof(uva__context_t, sp)},
    {"state.pending", UVA__FUTURE_PENDING},
    {"kind.task", UVA__KIND_TASK},
    {"kind.gather", UVA__KIND_GATHER},
    {"flag.new", UVA__NEW},
    {"flag.stackless", UVA__STACKLESS},
    {"phase.idle", UVA__PHASE_IDLE},
    {"phase.future", UVA__PHASE_FUTURE},
    {"phase.wait", UVA__PHASE_WAIT},
    {"line.mask", UVA__AT_YIELD - 1},
};

static uva_list_t debug_loops; /* Of uva_loop_t.debug_link. */
static uv_once_t debug_once = UV_ONCE_INIT;
static uv_mutex_t debug_mutex;

/** private: for debuggers; version 1 has these members. */
typedef struct uva_debug_descriptor_s {
    char magic[8];
    uint32_t version;
    uint32_t count;                /* Of numbers. */
    const debug_number_t *numbers; /* Borrowed, as the next. */
    const uva_list_t *loops;
    char registers[16]; /* How they lie at the sp of a suspended task. */
} uva_debug_descriptor_t;

extern const uva_debug_descriptor_t uva_debug_descriptor;
UVA_EXTERN const uva_debug_descriptor_t uva_debug_descriptor DEBUG_SECTION = {
    .magic = "uva-dbg",
    .version = 1,
    .count = UVA__COUNT(debug_numbers),
    .numbers = debug_numbers,
    .loops = &debug_loops,
#if defined(UVA__SWITCH_UCONTEXT)
    .registers = "ucontext",
#elif defined(__x86_64__)
    .registers = "x86_64",
#else
    .registers = "aarch64",
#endif
};

static void debug_start(void)
{
    if (uv_mutex_init(&debug_mutex) == 0) {
        uva__list_init(&debug_loops);
    }
}

/* Without its mutex the list stays empty: a debugger finds no loop. */
static bool debug_lock(void)
{
    uv_once(&debug_once, debug_start);
    if (debug_loops.next == NULL) {
        return false;
    }
    uv_mutex_lock(&debug_mutex);
    return true;
}

void uva__debug_enlist(uva_loop_t *loop)
{
    if (debug_lock()) {
        uva__list_append(&debug_loops, &loop->debug_link);
        uv_mutex_unlock(&debug_mutex);
    }
}

void uva__debug_delist(uva_loop_t *loop)
{
    if (debug_lock()) {
        uva__list_remove(&loop->debug_link);
        uv_mutex_unlock(&debug_mutex);
    }
}
