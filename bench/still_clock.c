/*
 * A clock for counting instructions: each look at the monotonic clock finds it
 * a microsecond further. Under callgrind a program is some fifty times slower,
 * and what it does by the clock, such as looking at the outside after so much
 * work, would be counted fifty times too often. Preloaded.
 */
#include <time.h>
#include <unistd.h>

#include <sys/syscall.h>

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
    static long long microseconds = 1000000;

    if (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE) {
        return (int)syscall(SYS_clock_gettime, id, ret_time);
    }
    microseconds++;
    ret_time->tv_sec = (time_t)(microseconds / 1000000);
    ret_time->tv_nsec = (long)(microseconds % 1000000 * 1000);
    return 0;
}
