/*
 * Timers of a loop. The timer is the caller's memory, and is not moved or
 * reused before it has fired or was stopped. The loop's thread only.
 */
#ifndef UVA__CORE_TIMERS_H
#define UVA__CORE_TIMERS_H

#include "core/loop.h"

/* fire runs in the loop's drain, at the place in the ready queue where
 * asyncio's handle would run. A timer may be stopped at any moment, by other
 * timers that are due in the same round too, and freed then. */

/** Start a timer: fire is called once, at or after when_ns of the loop's clock.
 * UVA_FOREVER is no deadline: the timer never fires. @retval UV_ENOMEM Not
 * started. */
int uva__timer_start(uva_loop_t *loop,
                     uva__timer_t *timer,
                     uint64_t when_ns,
                     void (*fire)(uva__timer_t *timer));
/** Stop a timer that was started once; one that has fired or was stopped stays
 * as it is. */
void uva__timer_stop(uva_loop_t *loop, uva__timer_t *timer);

/** delay_ns from now on the loop's clock; UVA_FOREVER if beyond its end. */
static inline uint64_t uva__loop_deadline(const uva_loop_t *loop,
                                          uint64_t delay_ns)
{
    uint64_t now_ns = loop->driver.ops->now(loop);

    return delay_ns > UVA_FOREVER - now_ns ? UVA_FOREVER : now_ns + delay_ns;
}

/** Move the timers whose deadline has come to the ready queue, in the order of
 * their deadlines. In each poll round. */
void uva__timers_collect(uva_loop_t *loop, uint64_t now_ns);

#endif /* UVA__CORE_TIMERS_H */
