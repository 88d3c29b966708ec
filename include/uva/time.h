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

#endif /* UVA_TIME_H */
