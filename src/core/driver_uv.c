/*
 * The driver on libuv: a loop of its own, or an application's.
 *
 *   check    after the poll: one turn of the core
 *   prepare  before it: send what writers hold, arm the next deadline
 *   idle     active while work is ready: the poll does not wait
 *   async    calls from other threads; referenced while the loop is busy
 *   timer    deadlines more than 2 ms away, rounded down
 *   poll     a timerfd for the nearer ones: libuv's timers count milliseconds
 *            and fire early by up to one, on a clock read before
 *
 * Invariant: but for idle, only async holds a reference, exactly while the
 * core is busy or runs; so uv_run returns when uva has nothing to do.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#    include <sys/timerfd.h>
#endif

#if defined(__GNUC__)
#    include <dlfcn.h>
#    include <unwind.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/driver.h"
#include "core/loop.h"

#define NS_PER_MS     1000000u
#define TIMER_NEAR_NS (2 * (uint64_t)NS_PER_MS)
/* A day: libuv and timerfd need no larger numbers. */
#define TIMER_FAR_NS ((uint64_t)86400 * 1000 * NS_PER_MS)

typedef struct uv_driver_s {
    uva_loop_t *loop;
    uv_loop_t *uv; /* own, or borrowed from the application. */
    uv_loop_t own;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_async_t async;
    uv_timer_t timer;
    uv_poll_t poll;
    int timer_fd; /* -1 until a near deadline; -2 if there is none here. */
    bool fd_expired;
    bool referenced; /* async is. */
    bool closing;
    unsigned open;     /* Handles that are not closed. */
    uint64_t armed_ns; /* The deadline that libuv will wake us for;
                          UVA_FOREVER if it will not. */
} uv_driver_t;

static uv_driver_t *driver_of(const uva_loop_t *loop)
{
    return loop->driver_data;
}

static uint64_t driver_now(const uva_loop_t *loop)
{
    (void)loop;
    return uva__clock_ns();
}

static uv_loop_t *driver_uv(const uva_loop_t *loop)
{
    return driver_of(loop)->uv;
}

static void driver_reference(uv_driver_t *driver, bool wanted)
{
    if (wanted != driver->referenced) {
        driver->referenced = wanted;
        if (wanted) {
            uv_ref((uv_handle_t *)&driver->async);
        } else {
            uv_unref((uv_handle_t *)&driver->async);
        }
    }
}

const char *uva__driver_uv_version(void)
{
    return uv_version_string();
}

/* --- deadlines --- */

static void timer_cb(uv_timer_t *timer)
{
    uv_driver_t *driver = timer->data;

    driver->armed_ns = UVA_FOREVER;
}

#if defined(__linux__)

static void poll_cb(uv_poll_t *poll, int status, int events)
{
    uv_driver_t *driver = poll->data;

    (void)status;
    (void)events;
    driver->armed_ns = UVA_FOREVER;
    driver->fd_expired = true;
}

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
    driver->poll.data = driver;
    uv_unref((uv_handle_t *)&driver->poll);
    if (uv_poll_start(&driver->poll, UV_READABLE, poll_cb) < 0) {
        /* Kept open until the driver closes, and not used. */
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
    driver->fd_expired = false; /* Arming forgets an expiry. */
    return true;
}

/* An expiry that no new deadline replaced would wake every poll. */
static void timer_fd_clear(uv_driver_t *driver)
{
    uint64_t count;

    if (driver->fd_expired) {
        ssize_t size = read(driver->timer_fd, &count, sizeof count);
        (void)size;
        driver->fd_expired = false;
    }
}

static void timer_fd_close(uv_driver_t *driver)
{
    if (driver->timer_fd >= 0) {
        close(driver->timer_fd);
    }
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

static void timer_fd_close(uv_driver_t *driver)
{
    (void)driver;
}

#endif

/* How long libuv is to sleep before a timerfd takes over: rounded down, so that
 * the rest is left to that; up where there is none. */
static void timer_arm(uv_driver_t *driver, uint64_t now_ns, uint64_t delay_ns)
{
    uint64_t delay_ms;

    if (delay_ns > TIMER_FAR_NS) {
        delay_ns = TIMER_FAR_NS;
    }
    delay_ms = driver->timer_fd == -2 ? delay_ns / NS_PER_MS + 1
                                      : delay_ns / NS_PER_MS - 1;
    uv_update_time(driver->uv);
    (void)uv_timer_start(&driver->timer, timer_cb, delay_ms, 0);
    driver->armed_ns = now_ns + delay_ms * NS_PER_MS;
}

/* @return Whether a deadline is due already. */
static bool driver_arm(uv_driver_t *driver, uint64_t when_ns)
{
    uint64_t calm_ns = driver->loop->calm_ns;
    uint64_t now_ns;

    if (when_ns >= driver->armed_ns) {
        timer_fd_clear(driver);
        return false;
    }
    now_ns = uva__clock_ns();
    if (when_ns <= now_ns) {
        return true;
    }
    if (when_ns - now_ns <= TIMER_NEAR_NS &&
        timer_fd_arm(driver, when_ns < calm_ns ? calm_ns : when_ns)) {
        driver->armed_ns = when_ns;
    } else {
        timer_fd_clear(driver);
        timer_arm(driver, now_ns, when_ns - now_ns);
    }
    return false;
}

/* --- the turn --- */

static void idle_cb(uv_idle_t *idle)
{
    (void)idle;
}

/* Nothing but the outside can wake the tasks. Say so if there is no outside:
 * no operation of ours, no handle of the application. */
static void driver_check_stuck(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;
    bool was = driver->referenced;
    bool alive;

    if (loop->stuck || loop->task_count == 0 || loop->op_count > 0 ||
        loop->timers.count > 0 || loop->holds > 0) {
        return;
    }
    driver_reference(driver, false);
    alive = uv_loop_alive(driver->uv) != 0;
    driver_reference(driver, was);
    if (!alive) {
        uva__loop_report_stuck(loop);
    }
}

static void prepare_cb(uv_prepare_t *prepare)
{
    uv_driver_t *driver = prepare->data;
    uva_loop_t *loop = driver->loop;
    bool ready;

    ready = loop->head != NULL || (loop->stopping && loop->running) ||
            loop->shutdown != NULL ||
            driver_arm(driver, uva__wheel_next(&loop->timers));
    if (ready) {
        (void)uv_idle_start(&driver->idle, idle_cb);
    } else {
        (void)uv_idle_stop(&driver->idle);
        driver_check_stuck(driver);
    }
    driver_reference(driver, loop->running || uva__loop_busy(loop));
    /* A host may have prepare callbacks that run after this one. */
    loop->attended = !loop->hosted;
}

static void check_cb(uv_check_t *check)
{
    uv_driver_t *driver = check->data;
    uva_loop_t *loop = driver->loop;

    (void)uva__loop_turn(loop);
    if (loop->stopping && loop->running) {
        uv_stop(driver->uv);
    }
}

static void async_cb(uv_async_t *async)
{
    uv_driver_t *driver = async->data;

    driver->loop->inbox_woken = true;
}

static void driver_attend(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);

    if (!driver->closing) {
        (void)uv_idle_start(&driver->idle, idle_cb);
    }
}

static void driver_wake(uva_loop_t *loop)
{
    (void)uv_async_send(&driver_of(loop)->async);
}

static int driver_run(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);

    driver_reference(driver, true);
    if (loop->stopping) {
        (void)uv_run(driver->uv, UV_RUN_NOWAIT);
    }
    while (!loop->stopping) {
        (void)uv_run(driver->uv, UV_RUN_DEFAULT);
    }
    driver_reference(driver, uva__loop_busy(loop));
    return 0;
}

/* --- whether the host is inside uv_run --- */

#if defined(__GNUC__)

/* libuv keeps no flag that tells, and none of our handles brackets the phases
 * of timers and closing: so the stack is asked, where an attached loop is run
 * by hand, which is rare. */
static _Unwind_Reason_Code inside_frame(struct _Unwind_Context *frame,
                                        void *data)
{
    bool *inside = data;
    void *ip = (void *)(uintptr_t)_Unwind_GetIP(frame);
    Dl_info info;

    if (_Unwind_FindEnclosingFunction(ip) == (void *)(uintptr_t)uv_run ||
        (dladdr(ip, &info) != 0 && info.dli_sname != NULL &&
         strcmp(info.dli_sname, "uv_run") == 0)) {
        *inside = true;
        return _URC_NORMAL_STOP;
    }
    return _URC_NO_REASON;
}

static bool driver_inside(const uva_loop_t *loop)
{
    bool inside = false;

    if (driver_of(loop)->uv == &driver_of(loop)->own) {
        return loop->running;
    }
    _Unwind_Backtrace(inside_frame, &inside);
    return inside;
}

#else

/* Without an unwinder only our own turns are known. */
static bool driver_inside(const uva_loop_t *loop)
{
    return loop->running || loop->attended;
}

#endif

/* --- opening and closing --- */

static void driver_closed(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;

    timer_fd_close(driver);
    if (driver->uv != &driver->own) {
        uva__free(driver);
        uva__loop_closed(loop);
    }
}

static void close_cb(uv_handle_t *handle)
{
    uv_driver_t *driver = handle->data;

    if (--driver->open == 0) {
        driver_closed(driver);
    }
}

static void walk_cb(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle)) {
        uva__log(UVA_LOG_WARNING, "a handle was left open on a closed loop: %s",
                 uv_handle_type_name(uv_handle_get_type(handle)));
        uv_close(handle, NULL);
    }
}

static void driver_close(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);

    driver->closing = true;
    uv_close((uv_handle_t *)&driver->prepare, close_cb);
    uv_close((uv_handle_t *)&driver->check, close_cb);
    uv_close((uv_handle_t *)&driver->idle, close_cb);
    uv_close((uv_handle_t *)&driver->async, close_cb);
    uv_close((uv_handle_t *)&driver->timer, close_cb);
    if (driver->open > 5) {
        uv_close((uv_handle_t *)&driver->poll, close_cb);
    }
    if (driver->uv != &driver->own) {
        return; /* The host's next turn closes them. */
    }
    uv_walk(driver->uv, walk_cb, NULL);
    (void)uv_run(driver->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(driver->uv);
    uva__free(driver);
    uva__loop_closed(loop);
}

static void driver_turn(uva_loop_t *loop)
{
    (void)uv_run(driver_of(loop)->uv, UV_RUN_NOWAIT);
}

static const uva__driver_t uv_driver = {
    .now = driver_now,
    .run = driver_run,
    .attend = driver_attend,
    .wake = driver_wake,
    .inside = driver_inside,
    .close = driver_close,
    .turn = driver_turn,
    .uv = driver_uv,
};

int uva__driver_uv_new(uva_loop_t *loop, uv_loop_t *host)
{
    uv_driver_t *driver = uva__calloc(1, sizeof *driver);
    int r;

    if (driver == NULL) {
        return UV_ENOMEM;
    }
    driver->loop = loop;
    driver->uv = host == NULL ? &driver->own : host;
    driver->timer_fd = -1;
    driver->armed_ns = UVA_FOREVER;
    r = host == NULL ? uv_loop_init(&driver->own) : 0;
    if (r < 0) {
        goto fail_init;
    }
    /* The only one of the five that can fail. */
    r = uv_async_init(driver->uv, &driver->async, async_cb);
    if (r < 0) {
        goto fail_async;
    }
    (void)uv_prepare_init(driver->uv, &driver->prepare);
    (void)uv_check_init(driver->uv, &driver->check);
    (void)uv_idle_init(driver->uv, &driver->idle);
    (void)uv_timer_init(driver->uv, &driver->timer);
    driver->prepare.data = driver->check.data = driver->idle.data =
        driver->async.data = driver->timer.data = driver;
    driver->open = 5;
    (void)uv_prepare_start(&driver->prepare, prepare_cb);
    (void)uv_check_start(&driver->check, check_cb);
    uv_unref((uv_handle_t *)&driver->prepare);
    uv_unref((uv_handle_t *)&driver->check);
    uv_unref((uv_handle_t *)&driver->timer);
    uv_unref((uv_handle_t *)&driver->async);
    loop->alone = host == NULL;
    loop->driver = &uv_driver;
    loop->driver_data = driver;
    return 0;

fail_async:
    if (host == NULL) {
        (void)uv_loop_close(&driver->own);
    }
fail_init:
    uva__free(driver);
    return r;
}
