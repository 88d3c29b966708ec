/**
 * @file
 * Time is a count of nanoseconds in a uint64_t, both for durations and for
 * points on the loop's clock, which is monotonic and starts anywhere.
 */
#ifndef UVA_TIME_H
#define UVA_TIME_H

#include <stdint.h>

#define UVA_NS(n)  ((uint64_t)(n))             /**< Nanoseconds. */
#define UVA_US(n)  ((uint64_t)(n)*1000u)       /**< Microseconds. */
#define UVA_MS(n)  ((uint64_t)(n)*1000000u)    /**< Milliseconds. */
#define UVA_SEC(n) ((uint64_t)(n)*1000000000u) /**< Seconds. */

/** No deadline: what asyncio writes as None. */
#define UVA_FOREVER UINT64_MAX

/** What is left until a deadline: 0 once it has passed, UVA_FOREVER for none.
 * @thread any */
static inline uint64_t uva_time_left(uint64_t now_ns, uint64_t deadline_ns)
{
    if (deadline_ns == UVA_FOREVER) {
        return UVA_FOREVER;
    }
    return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

#endif /* UVA_TIME_H */
