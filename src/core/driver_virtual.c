/*
 * The driver of virtual time, for tests: the clock jumps to the next deadline
 * when nothing is ready, and stands still while a thread holds it
 * (uva_loop_hold).
 *
 * Invariant: an iteration is a turn, so the timers are looked at before every
 * iteration, as in asyncio, and the order of everything that runs depends on
 * nothing outside of the program.
 */
#include "uva/testing.h"

#include "base/alloc.h"
#include "core/driver.h"
#include "core/graph.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/timers.h"
#include "core/turn.h"

typedef struct virtual_driver_s {
    uint64_t now_ns;
    /* With the loop's mutex: the inbox or holds have changed. */
    uv_cond_t woken;
} virtual_driver_t;

static virtual_driver_t *driver_of(const uva_loop_t *loop)
{
    return loop->driver.data;
}

/* A closed loop has no driver: its clock stands at the moment of the close. */
static uint64_t virtual_now(const uva_loop_t *loop)
{
    const virtual_driver_t *driver = driver_of(loop);

    return driver == NULL ? loop->turn.round_ns : driver->now_ns;
}

/* No libuv, so no sockets and no Ctrl-C. */
static uv_loop_t *virtual_uv(const uva_loop_t *loop)
{
    (void)loop;
    return NULL;
}

/* Every iteration looks at the ready queue before it waits. */
static void virtual_attend(uva_loop_t *loop)
{
    (void)loop;
}

/* The caller holds the mutex, so that a waiting loop cannot miss it. */
static void virtual_wake(uva_loop_t *loop)
{
    uv_cond_signal(&driver_of(loop)->woken);
}

static bool virtual_inside(const uva_loop_t *loop)
{
    return loop->running;
}

/* There is no host that could close or turn anything, and nothing that a child
 * could share with its parent. */

static bool virtual_lost(const uva_loop_t *loop)
{
    (void)loop;
    return false;
}

static int virtual_vacant(uva_loop_t *loop)
{
    (void)loop;
    return 0;
}

static void virtual_say_inside(uva_loop_t *loop, uva_inside_t inside)
{
    (void)loop;
    (void)inside;
}

/* Wait for a call of another thread while one holds the clock. @return Whether
 * calls are in the inbox. */
static bool virtual_wait_inbox(uva_loop_t *loop)
{
    bool any;

    uv_mutex_lock(&loop->mutex);
    while (loop->inbox.last == NULL && loop->inbox.holds > 0) {
        uv_cond_wait(&driver_of(loop)->woken, &loop->mutex);
    }
    any = loop->inbox.last != NULL;
    uv_mutex_unlock(&loop->mutex);
    return any;
}

/* With the mutex: a call that was made before this counts. */
static bool virtual_has_inbox(uva_loop_t *loop)
{
    bool any;

    uv_mutex_lock(&loop->mutex);
    any = loop->inbox.last != NULL;
    uv_mutex_unlock(&loop->mutex);
    return any;
}

/* Run one iteration, at the next deadline if nothing is ready before. @return
 * Whether there was anything to do; if not, nothing will ever come. */
static bool virtual_iterate(uva_loop_t *loop)
{
    virtual_driver_t *driver = driver_of(loop);
    uint64_t next_ns = uva__wheel_next(&loop->timers.wheel);

    if (loop->ready.head == NULL && uva__list_empty(&loop->turn.flushes) &&
        !virtual_has_inbox(loop) && next_ns > driver->now_ns &&
        !virtual_wait_inbox(loop)) {
        if (next_ns == UVA_FOREVER) {
            return false;
        }
        driver->now_ns = next_ns;
    }
    /* The turn takes the inbox only when it was told of calls; here it always
     * looks. */
    loop->inbox.woken = true;
    (void)uva__loop_turn(loop);
    return true;
}

/* Where asyncio would wait for ever, virtual time ends with an error. */
static int virtual_run(uva_loop_t *loop)
{
    do {
        if (!virtual_iterate(loop) && !loop->stopping) {
            uva__loop_report_stuck(loop, false);
            return UVA_EDEADLOCK;
        }
    } while (!loop->stopping);
    return 0;
}

/* There is nothing to wait for: the loop has closed when this returns. */
static void virtual_close(uva_loop_t *loop)
{
    virtual_driver_t *driver = driver_of(loop);

    loop->turn.round_ns = driver->now_ns;
    loop->driver.data = NULL;
    uv_cond_destroy(&driver->woken);
    uva__free(driver);
    uva__loop_closed(loop);
}

static const uva__driver_t virtual_driver = {
    .now = virtual_now,
    .run = virtual_run,
    .attend = virtual_attend,
    .wake = virtual_wake,
    .inside = virtual_inside,
    .close = virtual_close,
    .uv = virtual_uv,
    .lost = virtual_lost,
    .vacant = virtual_vacant,
    .say_inside = virtual_say_inside,
};

static int virtual_open(uva_loop_t *loop, uv_loop_t *host)
{
    virtual_driver_t *driver = uva__calloc(1, sizeof *driver);
    int r;

    (void)host;
    if (driver == NULL) {
        return UV_ENOMEM;
    }
    r = uv_cond_init(&driver->woken);
    if (r < 0) {
        uva__free(driver);
        return r;
    }
    /* A budget of one step, after which no further iteration fits, makes one
     * iteration a poll round. */
    loop->limits.steps = 1;
    loop->turn.fitting_steps = 1;
    loop->driver.ops = &virtual_driver;
    loop->driver.data = driver;
    return 0;
}

int uva_loop_new_virtual(const uva_loop_options_t *options,
                         uva_loop_t **ret_loop)
{
    return uva__loop_new(options, virtual_open, NULL, ret_loop);
}

/* --- what tests drive it with --- */

/* Whether a test may turn the loop: it is of virtual time, and not running. */
static int virtual_check(const uva_loop_t *loop)
{
    if (loop == NULL || loop->driver.ops != &virtual_driver) {
        return UV_ENOTSUP;
    }
    return loop->running || loop->closing || uva__running() != NULL ? UV_EPERM
                                                                    : 0;
}

/* One iteration. @return 1, 0 if there was nothing to do, or a code. */
int uva_loop_step(uva_loop_t *loop)
{
    int r = virtual_check(loop);

    if (r < 0) {
        return uva__bare(r);
    }
    uva__loop_own(loop);
    return virtual_iterate(loop) ? 1 : 0;
}

/* Until nothing is ready, nothing is due and time has nowhere to go. */
int uva_loop_run_until_idle(uva_loop_t *loop)
{
    int r;

    do {
        r = uva_loop_step(loop);
    } while (r == 1);
    return r;
}

/* Time moves, and nothing runs: the next iteration finds the timers due. */
int uva_loop_advance(uva_loop_t *loop, uint64_t delay_ns)
{
    if (loop == NULL || loop->driver.ops != &virtual_driver) {
        return uva__bare(UV_ENOTSUP);
    }
    if (!uva__loop_owned(loop) || loop->closing) {
        return uva__bare(UV_EPERM);
    }
    driver_of(loop)->now_ns = uva__loop_deadline(loop, delay_ns);
    return 0;
}

/* Any thread: holds are counted under the mutex. */
void uva_loop_hold(uva_loop_t *loop)
{
    uv_mutex_lock(&loop->mutex);
    loop->inbox.holds++;
    uv_mutex_unlock(&loop->mutex);
}

/* The last release lets a waiting loop move its clock. */
void uva_loop_release(uva_loop_t *loop)
{
    uv_mutex_lock(&loop->mutex);
    loop->inbox.holds--;
    /* The driver is there as long as the inbox is open. */
    if (!loop->inbox.closed) {
        loop->driver.ops->wake(loop);
    }
    uv_mutex_unlock(&loop->mutex);
}
