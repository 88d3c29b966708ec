/*
 * The state of exceptions that the runtime of C++ keeps for each thread. A task
 * that suspends in the middle of a catch block must take its exceptions along,
 * or the next task would rethrow or free them.
 *
 * Invariant: while a flow is suspended, the thread's state holds none of its
 * exceptions. The flow keeps them in the frame that it is suspended in.
 */
#ifndef UVA__STACK_EXCEPTIONS_H
#define UVA__STACK_EXCEPTIONS_H

#include <stdint.h>
#include <string.h>

#include "base/util.h"

/* Itanium C++ ABI, 2.2.2: __cxa_eh_globals. */
typedef struct uva__exceptions_s {
    void *caught; /* Exceptions that are being handled; the last first. */
    unsigned uncaught_count; /* Exceptions that were thrown and have not reached
                                their handler. */
} uva__exceptions_t;

/* One load of 8 bytes, from this offset on, sees both members: the upper 7
 * bytes of the address and the low byte of the count (or, big-endian, the low
 * half of the address and the count). It is 0 only if both members are: no
 * address is below 256, none is a multiple of 4 GiB, no count is a multiple of
 * 256. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#    define UVA__EXCEPTIONS_SEEN 4
#else
#    define UVA__EXCEPTIONS_SEEN 1
#endif

/** The state of the calling thread, borrowed for the thread's life. In a
 * process without C++ a state that stays empty. */
uva__exceptions_t *uva__exceptions_here(void);

/** Not 0 if a state holds any exception. */
UVA__INLINE uint64_t uva__exceptions_any(const uva__exceptions_t *here)
{
    uint64_t seen;

    memcpy(&seen, (const char *)here + UVA__EXCEPTIONS_SEEN, sizeof seen);
    return seen;
}

/** Take the exceptions of the running flow out of the thread, before a switch.
 * The caller keeps them in its frame for uva__exceptions_give. */
static inline uva__exceptions_t uva__exceptions_take(uva__exceptions_t *here)
{
    uva__exceptions_t taken = {0};

    if (UVA__UNLIKELY(uva__exceptions_any(here) != 0)) {
        taken = *here;
        *here = (uva__exceptions_t){0};
    }
    return taken;
}

/** Put the exceptions of a flow back, right after the switch to it. */
static inline void uva__exceptions_give(uva__exceptions_t *here,
                                        const uva__exceptions_t *taken)
{
    if (UVA__UNLIKELY(uva__exceptions_any(taken) != 0)) {
        *here = *taken;
    }
}

#endif /* UVA__STACK_EXCEPTIONS_H */
