/*
 * The constant by which a debugger finds the tasks of all loops: offsets and
 * bits by their names. So tools/uva-gdb.py works on a process or a core file
 * without debug information.
 *
 * Invariant: a name keeps its meaning as long as the version stays. Debuggers
 * read the list of loops while the process stands still.
 */
#include "core/loop.h"
#include "core/object.h"
#include "core/registry.h"

#include <stddef.h>

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

/* The name's room is fixed, so that a debugger reads an array. */
typedef struct debug_number_s {
    char name[28];
    uint32_t value;
} debug_number_t;

static const debug_number_t debug_numbers[] = {
    {"loop.registered", offsetof(uva_loop_t, registered)},
    {"loop.tasks", offsetof(uva_loop_t, tasks.all)},
    {"loop.kinds", offsetof(uva_loop_t, futures.kinds)},
    {"loop.current", offsetof(uva_loop_t, step.current)},
    {"task.base", offsetof(uva_task_t, base)},
    {"task.link", offsetof(uva_task_t, link)},
    {"task.coro", offsetof(uva_task_t, coro)},
    {"task.extra", offsetof(uva_task_t, extra)},
    {"task.future", offsetof(uva_task_t, waiter.await.future)},
    {"task.flow", offsetof(uva__stackful_t, flow)},
    {"task.what", offsetof(uva__stackful_t, what)},
    {"task.stackless_frame", sizeof(uva_task_t)},
    {"task.stackful_frame", sizeof(uva__stackful_t)},
    {"future.state", offsetof(uva_future_t, state)},
    {"future.kind", offsetof(uva_future_t, kind)},
    {"future.loop", offsetof(uva_future_t, loop)},
    {"future.flags", offsetof(uva_future_t, flags)},
    {"future.phase", offsetof(uva_future_t, phase)},
    {"coro.name", offsetof(uva__coro_t, name)},
    {"coro.place", offsetof(uva__coro_t, place)},
    {"extra.name", offsetof(uva__extra_t, name)},
    {"context.sp", offsetof(uva__context_t, sp)},
    {"state.pending", UVA__FUTURE_PENDING},
    {"kind.task", UVA__KIND_TASK},
    {"kind.describe", offsetof(uva__kind_ops_t, describe)},
    {"flag.new", UVA__NEW},
    {"flag.stackless", UVA__STACKLESS},
    {"phase.idle", UVA__PHASE_IDLE},
    {"phase.future", UVA__PHASE_FUTURE},
    {"phase.wait", UVA__PHASE_WAIT},
    {"line.mask", UVA__AT_YIELD - 1},
};

/* Defined here, so that a program that is linked with the static library has
 * this file, which nothing else refers to. */
uva_list_t uva__registry;

/** private: for debuggers; version 1 has these members. */
typedef struct uva_debug_descriptor_s {
    char magic[8];
    uint32_t version;
    uint32_t count;                /* Of numbers. */
    const debug_number_t *numbers; /* Borrowed, as the next. */
    const uva_list_t *loops;
    char registers[16]; /* Which layout of registers the sp of a suspended task
                           points to. */
} uva_debug_descriptor_t;

extern const uva_debug_descriptor_t uva_debug_descriptor;
UVA_EXTERN const uva_debug_descriptor_t uva_debug_descriptor DEBUG_SECTION = {
    .magic = "uva-dbg",
    .version = 1,
    .count = UVA__COUNT(debug_numbers),
    .numbers = debug_numbers,
    .loops = &uva__registry,
#if defined(UVA__SWITCH_UCONTEXT)
    .registers = "ucontext",
#elif defined(__x86_64__)
    .registers = "x86_64",
#else
    .registers = "aarch64",
#endif
};
