/*
 * The state that the runtime of C++ keeps of exceptions for each thread. A
 * stack that is left in the middle of a catch block takes its own along.
 *
 * Invariant: while a flow is suspended, the thread has nothing of its
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
    unsigned uncaught_count; /* Those that are looking for theirs. */
} uva__exceptions_t;

/* One load sees both: no address is below 256 (or, where the low half of an
 * address comes last, a multiple of 4 GiB), and no count is above 255. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#    define UVA__EXCEPTIONS_SEEN 4
#else
#    define UVA__EXCEPTIONS_SEEN 1
#endif

/** Those of the calling thread. In a process without C++ a place that stays
 * empty. */
uva__exceptions_t *uva__exceptions_here(void);

/** Not 0 if there are any. */
UVA__INLINE uint64_t uva__exceptions_any(const uva__exceptions_t *here)
{
    uint64_t seen;

    memcpy(&seen, (const char *)here + UVA__EXCEPTIONS_SEEN, sizeof seen);
    return seen;
}

/** Take what the running flow has before it is left ... */
static inline uva__exceptions_t uva__exceptions_take(uva__exceptions_t *here)
{
    uva__exceptions_t taken = {0};

    if (UVA__UNLIKELY(uva__exceptions_any(here) != 0)) {
        taken = *here;
        *here = (uva__exceptions_t){0};
    }
    return taken;
}

/** ... and give it back when it goes on. */
static inline void uva__exceptions_give(uva__exceptions_t *here,
                                        const uva__exceptions_t *taken)
{
    if (UVA__UNLIKELY(uva__exceptions_any(taken) != 0)) {
        *here = *taken;
    }
}

#endif /* UVA__STACK_EXCEPTIONS_H */
