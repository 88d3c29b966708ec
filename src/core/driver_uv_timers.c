/*
 * Deadlines of the driver on libuv: a timerfd where there is one, else libuv's
 * timer, which counts milliseconds.
 *
 *   timer_fd   deadlines wake by
 *   -1         none was armed yet: the first one opens the timerfd
 *   0 or more  the timerfd, in nanoseconds
 *   -2         libuv's timer: there is no timerfd, or its handle was closed
 *
 * Invariant: armed_ns is when libuv will wake the loop, and no deadline of the
 * loop is nearer. It moves to a later time only after libuv has woken the loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(__linux__)
#    include <sys/timerfd.h>
#endif

#include "base/clock.h"
#include "core/driver_uv.h"
#include "core/loop.h"

typedef uva__uv_driver_t uv_driver_t;

#define NS_PER_MS 1000000u
/* A day: libuv needs no larger numbers. */
#define TIMER_FAR_NS ((uint64_t)86400 * 1000 * NS_PER_MS)

/* libuv's timer has expired: none is armed. check_cb follows in the same turn
 * and runs what is due. */
static void timer_cb(uv_timer_t *timer)
{
    uv_driver_t *driver = UVA__CONTAINER_OF(timer, uv_driver_t, timer);

    driver->armed_ns = UVA_FOREVER;
}

#if defined(__linux__)

/* The timerfd has expired. It is not read here: most often the next deadline is
 * armed before the next poll, which spares the read. */
static void poll_cb(uv_poll_t *poll, int status, int events)
{
    uv_driver_t *driver = UVA__CONTAINER_OF(poll, uv_driver_t, poll);

    (void)status;
    (void)events;
    driver->armed_ns = UVA_FOREVER;
    driver->fd_expired = true;
}

/* Open the timerfd and its handle, which is not referenced. A failure leaves
 * -2, and libuv's timer serves. */
static void timer_fd_open(uv_driver_t *driver)
{
    driver->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (driver->timer_fd < 0) {
        driver->timer_fd = -2;
        return;
    }
    if (uv_poll_init(driver->uv, &driver->poll, driver->timer_fd) < 0) {
        close(driver->timer_fd);
        driver->timer_fd = -2;
        return;
    }
    driver->open++;
    driver->poll.data = NULL;
    uv_unref((uv_handle_t *)&driver->poll);
    if (uv_poll_start(&driver->poll, UV_READABLE, poll_cb) < 0) {
        /* The handle stays until the driver closes, unused. */
        close(driver->timer_fd);
        driver->timer_fd = -2;
    }
}

static bool timer_fd_arm(uv_driver_t *driver, uint64_t when_ns)
{
    struct itimerspec spec = {0};

    if (driver->timer_fd == -1) {
        timer_fd_open(driver);
    }
    if (driver->timer_fd < 0) {
        return false;
    }
    spec.it_value.tv_sec = (time_t)(when_ns / 1000000000u);
    spec.it_value.tv_nsec = (long)(when_ns % 1000000000u);
    if (timerfd_settime(driver->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0) {
        return false;
    }
    driver->fd_expired = false; /* Arming forgets an earlier expiry. */
    return true;
}

/* Read an expiry that no new deadline has replaced: it would wake every poll.
 */
static void timer_fd_clear(uv_driver_t *driver)
{
    uint64_t count;

    if (driver->fd_expired) {
        ssize_t size = read(driver->timer_fd, &count, sizeof count);
        (void)size;
        driver->fd_expired = false;
    }
}

void uva__uv_deadline_close(uv_driver_t *driver)
{
    if (driver->timer_fd >= 0) {
        close(driver->timer_fd);
    }
}

/* The host has closed the handle of the timerfd: libuv's timer serves from now
 * on. */
void uva__uv_deadline_lost(uv_driver_t *driver)
{
    if (driver->timer_fd >= 0 &&
        uv_is_closing((const uv_handle_t *)&driver->poll)) {
        close(driver->timer_fd);
        driver->timer_fd = -2;
        driver->fd_expired = false;
        driver->armed_ns = UVA_FOREVER;
    }
}

/* A timerfd of the child takes the number of the one that it shares with its
 * parent, which would steal the parent's expiries. The handle stops polling
 * meanwhile: epoll knows open files and not numbers. */
int uva__uv_deadline_fork(uv_driver_t *driver)
{
    int fd;
    int r;

    if (driver->timer_fd < 0) {
        return 0;
    }
    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        return uv_translate_sys_error(errno);
    }
    (void)uv_poll_stop(&driver->poll);
    r = dup3(fd, driver->timer_fd, O_CLOEXEC) < 0
            ? uv_translate_sys_error(errno)
            : uv_poll_start(&driver->poll, UV_READABLE, poll_cb);
    close(fd);
    driver->fd_expired = false;
    return r;
}

#else

static bool timer_fd_arm(uv_driver_t *driver, uint64_t when_ns)
{
    (void)driver;
    (void)when_ns;
    return false;
}

static void timer_fd_clear(uv_driver_t *driver)
{
    (void)driver;
}

void uva__uv_deadline_close(uv_driver_t *driver)
{
    (void)driver;
}

void uva__uv_deadline_lost(uv_driver_t *driver)
{
    (void)driver;
}

int uva__uv_deadline_fork(uv_driver_t *driver)
{
    (void)driver;
    return 0;
}

#endif

/* Arm libuv's timer. Milliseconds are rounded up: a wake-up before the deadline
 * would be one too many. */
static void timer_arm(uv_driver_t *driver, uint64_t now_ns, uint64_t delay_ns)
{
    uint64_t delay_ms;

    if (delay_ns > TIMER_FAR_NS) {
        delay_ns = TIMER_FAR_NS;
    }
    delay_ms = delay_ns / NS_PER_MS + 1;
    uv_update_time(driver->uv);
    (void)uv_timer_start(&driver->timer, timer_cb, delay_ms, 0);
    driver->armed_ns = now_ns + delay_ms * NS_PER_MS;
}

/* Near deadlines are armed no sooner than the gap after the last timers allows
 * (TIMERS_WAKE_GAP_NS); libuv's timer is coarser anyway. */
bool uva__uv_deadline_arm(uv_driver_t *driver, uint64_t when_ns)
{
    uint64_t wake_ns = driver->loop->timers.next_wake_ns;
    uint64_t now_ns;

    if (when_ns >= driver->armed_ns) {
        timer_fd_clear(driver);
        return false;
    }
    now_ns = uva__clock_ns();
    if (when_ns <= now_ns) {
        return true;
    }
    if (timer_fd_arm(driver, when_ns < wake_ns ? wake_ns : when_ns)) {
        driver->armed_ns = when_ns;
    } else {
        timer_arm(driver, now_ns, when_ns - now_ns);
    }
    return false;
}
