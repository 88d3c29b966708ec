/*
 * Deadlines, on the loop's side.
 */
#ifndef UVA__CORE_TIMERS_H
#define UVA__CORE_TIMERS_H

#include "core/loop.h"

/* Timers: fire runs in the loop's drain, at the place in the ready queue where
 * asyncio's handle would run. A timer may be stopped at any moment, and freed
 * then. */

/** @retval UV_ENOMEM Not started. when_ns == UVA_FOREVER never fires. */
int uva__timer_start(uva_loop_t *loop,
                     uva__timer_t *timer,
                     uint64_t when_ns,
                     void (*fire)(uva__timer_t *timer));
void uva__timer_stop(uva_loop_t *loop, uva__timer_t *timer);

/** delay_ns from now on the loop's clock; UVA_FOREVER if beyond its end. */
static inline uint64_t uva__loop_deadline(const uva_loop_t *loop,
                                          uint64_t delay_ns)
{
    uint64_t now_ns = loop->driver.ops->now(loop);

    return delay_ns > UVA_FOREVER - now_ns ? UVA_FOREVER : now_ns + delay_ns;
}

/** Let the timers that are due join the ready queue. */
void uva__timers_collect(uva_loop_t *loop, uint64_t now_ns);

#endif /* UVA__CORE_TIMERS_H */
