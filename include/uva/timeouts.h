/**
 * @file
 * Deadlines as scopes.
 */
#ifndef UVA_TIMEOUTS_H
#define UVA_TIMEOUTS_H

#include "uva/events.h"
#include "uva/time.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * A deadline for what is done between its enter and its exit. Embedded,
 * usually on the stack; nests. When the deadline comes the task is cancelled,
 * and the exit turns that UV_ECANCELED into UV_ETIMEDOUT.
 *
 * Entering never needs a check: a deadline that cannot be armed counts as one
 * that has come, with its own code. A scope that is left without its exit is
 * reported when the task next suspends, or at the latest when it ends.
 *
 * @asyncio Timeout
 */
typedef struct uva_timeout_s {
    /* private */
    struct uva__scope_s *entry; /* Its part that belongs to the task; NULL
                                   outside of enter and exit. */
    uva_task_t *task;           /* Borrowed: the task outlives its scopes. */
    uint64_t when_ns;
    int code;            /* What the exit gives when the deadline came. */
    unsigned cancelling; /* Requests at entry. */
    int state;
} uva_timeout_t;

/**
 * Enter a scope that may last delay_ns; UVA_FOREVER has no deadline.
 *
 * @retval UVA_ENOTASK Not in a task. The exit returns it too.
 * @retval UV_ENOMEM   The deadline cannot be kept: it has come.
 * @suspends Never.
 * @asyncio timeout
 */
UVA_EXTERN int uva_timeout_enter(uva_timeout_t *timeout, uint64_t delay_ns);
/** The same with a point on the clock. @asyncio timeout_at */
UVA_EXTERN int uva_timeout_enter_at(uva_timeout_t *timeout, uint64_t when_ns);

/**
 * Leave a scope with the result of what was done in it. A second exit returns
 * its r, and so does one when the task of the scope has ended.
 *
 * @return r; but UV_ETIMEDOUT if r is UV_ECANCELED because of this deadline.
 * @suspends Never.
 */
UVA_EXTERN UVA_NODISCARD int uva_timeout_exit(uva_timeout_t *timeout, int r);

/** The deadline; UVA_FOREVER for none. @asyncio Timeout.when */
UVA_EXTERN uint64_t uva_timeout_when(const uva_timeout_t *timeout);
/** Whether the deadline came inside the scope. @asyncio Timeout.expired */
UVA_EXTERN bool uva_timeout_expired(const uva_timeout_t *timeout);
/** Move the deadline. @retval UV_EPERM It has come, or the scope was left.
 * @asyncio Timeout.reschedule */
UVA_EXTERN UVA_NODISCARD int uva_timeout_reschedule(uva_timeout_t *timeout,
                                                    uint64_t when_ns);

#ifdef UVA__HAVE_CLEANUP
/** private: what UVA_TIMEOUT leaves by return or goto. */
UVA_EXTERN void uva__timeout_leave(uva_timeout_t *timeout);

/**
 * The same as a block: r is what the block left in it, turned as the exit
 * does; break and continue leave the block so too. return and goto disarm the
 * deadline and cannot turn the code: leave by break. A task's body that returns
 * UV_ECANCELED out of the block because of the deadline ends its task with
 * UV_ETIMEDOUT all the same; out of a function that it calls UV_ECANCELED
 * comes, which the log tells once.
 *
 *     UVA_TIMEOUT (r, UVA_MS(500)) {
 *         r = talk(peer);
 *     }
 */
#    define UVA_TIMEOUT(r, delay_ns)                                 \
        UVA__TIMEOUT(r, delay_ns, UVA__CAT(uva__timeout_, __LINE__), \
                     UVA__CAT(uva__once_, __LINE__))
#    define UVA__TIMEOUT(r, delay_ns, scope, once)                      \
        for (int once = 1; once; once = 0)                              \
            for (uva_timeout_t scope UVA__CLEANUP(uva__timeout_leave) = \
                     uva__timeout_block(delay_ns);                      \
                 once && (uva__timeout_begin(&scope), 1);               \
                 (r) = uva_timeout_exit(&scope, (r)), once = 0)         \
                for (; once == 1; once = 2)

/** private */
static inline uva_timeout_t uva__timeout_block(uint64_t delay_ns)
{
    uva_timeout_t timeout = {NULL, NULL, delay_ns, 0, 0, 0};
    return timeout;
}
/** private */
static inline void uva__timeout_begin(uva_timeout_t *timeout)
{
    (void)uva_timeout_enter(timeout, timeout->when_ns);
}
#endif

UVA_END_DECLS

#endif /* UVA_TIMEOUTS_H */
