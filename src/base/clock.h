/*
 * The monotonic clock.
 */
#ifndef UVA__BASE_CLOCK_H
#define UVA__BASE_CLOCK_H

#include <stdint.h>

#include <uv.h>

/** Nanoseconds. Not libuv's cached time, which is up to a loop turn old. */
static inline uint64_t uva__clock_ns(void)
{
    return uv_hrtime();
}

#endif /* UVA__BASE_CLOCK_H */
