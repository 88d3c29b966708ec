/*
 * The three ways to guard the low end of a slot, so that a stack overflow is
 * noticed before it overwrites the stack below.
 */
#ifndef UVA__STACK_GUARDS_H
#define UVA__STACK_GUARDS_H

#include <stddef.h>
#include <sys/uio.h>

/** How an overflow is noticed; the lower tiers stand in for the upper. */
typedef enum uva__stack_guard_e {
    UVA__STACK_GUARD_AUTO = 0, /* The best that the machine has. */
    UVA__STACK_GUARD_MARKER,   /* MADV_GUARD_INSTALL: splits no mapping. */
    UVA__STACK_GUARD_MPROTECT, /* Two mappings each, so only for so many. */
    UVA__STACK_GUARD_CANARY    /* A gap, looked at when a task suspends. */
} uva__stack_guard_t;

/** Slots of one slab: count of them from base on, each with a guard of
 * guard_bytes at its low end. */
typedef struct uva__guard_range_s {
    char *base;
    size_t slot_bytes;
    size_t guard_bytes;
    size_t count;
} uva__guard_range_t;

/**
 * Guard slots by the best tier from `guard` down that works here and now.
 *
 * @param[out] ret_guard  The tier of the guarded ones; CANARY if none is.
 * @return How many are guarded, from the first on; the others have a gap.
 */
size_t uva__guards_install(const uva__guard_range_t *range,
                           uva__stack_guard_t guard,
                           uva__stack_guard_t *ret_guard);

/** Give back to the budget for mappings what uva__guards_install took, with the
 * results of that call. The guards go with their mapping. @thread any */
void uva__guards_release(size_t guarded_count, uva__stack_guard_t guard);

/** The guard that this machine and environment give; probed once.
 * @thread any */
uva__stack_guard_t uva__stack_guard_probe(void);

/** "marker", "mprotect", "canary", "auto". @thread any */
const char *uva__stack_guard_name(uva__stack_guard_t guard);

/**
 * madvise() over many ranges at once: one process_madvise where the kernel
 * takes it, else one call each. The advice must bear repetition.
 *
 * @return How many ranges, from the first on, took the advice.
 */
size_t uva__guards_advise(const struct iovec *ranges, size_t count, int advice);

/** Bytes of a page. @thread any */
size_t uva__page_bytes(void);

#endif /* UVA__STACK_GUARDS_H */
