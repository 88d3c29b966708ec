/*
 * The driver on libuv: a loop of its own, or an application's.
 *
 *   check    after the poll: one turn of the core; on a host, which may poll by
 *            itself, the next deadline is armed here already
 *   prepare  before the poll: arm the next deadline
 *   idle     active while work is ready: the poll does not wait
 *   async    calls from other threads; referenced while the loop is busy
 *   poll     a timerfd for deadlines: libuv's timers count milliseconds and
 *            fire early by up to one, on a clock read before
 *   timer    deadlines where there is no timerfd
 *
 * Invariant: but for idle, only async holds a reference, exactly while the
 * core is busy or runs; so uv_run returns when uva has nothing to do. The data
 * of a handle is NULL: code that walks a host's handles may own it.
 */
#include "core/driver_uv.h"

#if defined(__GLIBC__) && defined(__has_include)
#    if __has_include(<sys/single_threaded.h>)
#        include <sys/single_threaded.h>
#        define UVA__SINGLE_THREADED (__libc_single_threaded != 0)
#    endif
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "core/driver.h"
#include "core/driver_inside.h"
#include "core/driver_uv_close.h"
#include "core/graph.h"
#include "core/hosts.h"
#include "core/loop.h"
#include "core/owner.h"
#include "core/services.h"
#include "core/shutdown.h"
#include "core/turn.h"

typedef uva__uv_driver_t uv_driver_t;

static uv_driver_t *driver_of(const uva_loop_t *loop)
{
    return loop->driver.data;
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

/* Whether the host has closed the handles. Only memory of the driver is read:
 * the host's may be gone. */
static bool driver_lost(const uva_loop_t *loop)
{
    const uv_driver_t *driver = driver_of(loop);

    return !driver->closing &&
           uv_is_closing((const uv_handle_t *)&driver->check) != 0;
}

/* Have uv_run wait for the loop, or let it return. libuv counts its references
 * by handle, and does not nest them. */
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

/* --- the turn --- */

/* idle only has to be active: then the poll does not wait. */
static void idle_cb(uv_idle_t *idle)
{
    (void)idle;
}

/* Whether tasks may be woken from a side that libuv does not know: by another
 * thread, or by a host that has more to poll than libuv. */
static bool driver_has_outside(const uv_driver_t *driver)
{
#if defined(UVA__SINGLE_THREADED)
    return driver->loop->driver.hosted || !UVA__SINGLE_THREADED;
#else
    (void)driver;
    return true;
#endif
}

/* Before a poll that waits: report the unfinished tasks if no operation, no
 * timer and no handle of the application can wake them. Our own reference is
 * taken away while libuv is asked. */
static void driver_check_stuck(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;
    bool was = driver->referenced;
    bool alive;

    if (loop->reports.stuck || loop->tasks.count == 0 || loop->op_count > 0 ||
        loop->wakers > 0 || loop->timers.wheel.count > 0 ||
        loop->inbox.holds > 0) {
        return;
    }
    driver_reference(driver, false);
    alive = uv_loop_alive(driver->uv) != 0;
    driver_reference(driver, was);
    if (!alive) {
        uva__loop_report_stuck(loop, driver_has_outside(driver));
    }
}

/* Before the poll: arm the next deadline, and let uv_run go on exactly while
 * there is something to wait for. @return Whether work is ready: the poll will
 * not wait. */
static inline bool driver_settle(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;
    bool ready =
        loop->ready.head != NULL || (loop->stopping && loop->running) ||
        uva__uv_deadline_arm(driver, uva__wheel_next(&loop->timers.wheel));

    if (ready) {
        (void)uv_idle_start(&driver->idle, idle_cb);
    } else {
        (void)uv_idle_stop(&driver->idle);
    }
    driver_reference(driver, loop->running || uva__loop_busy(loop));
    return ready;
}

/* A turn in the child of a fork before uva_loop_fork: nothing runs, and nothing
 * that the loop shares with the parent's is touched. */
static void driver_forked(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;

    if (!driver->fork_reported) {
        driver->fork_reported = true;
        uva__log(UVA_LOG_ERROR, "a loop is turned in the child of a fork: "
                                "uva_loop_fork comes first");
    }
    (void)uv_idle_stop(&driver->idle);
    driver_reference(driver, false);
    if (loop->running) {
        loop->stopping = true;
        uv_stop(driver->uv);
    }
}

/* Decide about a turn for which driver.aside has a reason. @return Whether the
 * core may run in it. */
static UVA__NOINLINE bool driver_enter(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;

    if (loop->driver.forked) {
        driver_forked(driver);
        return false;
    }
    if ((loop->driver.aside & UVA__ASIDE_TURNING) != 0 ||
        (loop->driver.hosted && uva__here == loop)) {
        /* A task or a callback of the loop calls uv_run. That must return when
         * only this loop has work, because its work waits for the caller. */
        loop->driver.aside |= UVA__ASIDE_NESTED;
        (void)uv_idle_stop(&driver->idle);
        driver_reference(driver, false);
        uva__services_look(loop); /* The turn around this one cannot. */
        return false;
    }
    if (!loop->running) {
        uva__loop_own(loop);
    }
    return true;
}

/* The turn of a uv_loop_t that others have too: any code in it may close
 * handles, turn the loop again, or fork. */
static UVA__NOINLINE void driver_turn_shared(uv_driver_t *driver)
{
    uva_loop_t *loop = driver->loop;

    if (!driver_enter(driver)) {
        return;
    }
    uva__services_look(loop);
    loop->driver.aside |= UVA__ASIDE_TURNING;
    (void)uva__loop_turn(loop);
    loop->driver.aside &= (uint8_t)~UVA__ASIDE_TURNING;
    if (loop->stopping && loop->running) {
        uv_stop(driver->uv);
    }
    /* Code in the turn may have closed the handles. */
    if (driver->closing || driver_lost(loop) || loop->driver.forked) {
        return;
    }
    uva__services_look(loop); /* Before libuv calls the callbacks of a close. */
    uva__uv_deadline_lost(driver);
    (void)driver_settle(driver);
    if ((loop->driver.aside & UVA__ASIDE_NESTED) != 0) {
        /* A turn inside this one may have left work that it did not run. */
        loop->driver.aside &= (uint8_t)~UVA__ASIDE_NESTED;
        (void)uv_idle_start(&driver->idle, idle_cb);
    }
}

/* Before the poll. On a loop of its own nothing else runs until check_cb, so
 * the drain is announced here and work that libuv's callbacks queue tells
 * nobody. */
static void prepare_cb(uv_prepare_t *prepare)
{
    uv_driver_t *driver = UVA__CONTAINER_OF(prepare, uv_driver_t, prepare);
    uva_loop_t *loop = driver->loop;

    if (UVA__UNLIKELY(loop->driver.aside != 0) && !driver_enter(driver)) {
        return;
    }
    if (!driver_settle(driver)) {
        driver_check_stuck(driver);
    }
    /* A host may have prepare callbacks that run after this one. */
    loop->ready.draining = !loop->driver.hosted;
}

/* After the poll: one turn. */
static void check_cb(uv_check_t *check)
{
    uv_driver_t *driver = UVA__CONTAINER_OF(check, uv_driver_t, check);
    uva_loop_t *loop = driver->loop;

    if (UVA__UNLIKELY(loop->driver.aside != 0)) {
        driver_turn_shared(driver);
        return;
    }
    (void)uva__loop_turn(loop);
    if (loop->stopping && loop->running) {
        uv_stop(driver->uv);
    }
}

/* Other threads have queued calls; the turn takes them. */
static void async_cb(uv_async_t *async)
{
    uv_driver_t *driver = UVA__CONTAINER_OF(async, uv_driver_t, async);

    driver->loop->inbox.woken = true;
}

/* With idle active the next poll does not wait. */
static void driver_attend(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);

    if (!driver->closing && !driver_lost(loop)) {
        (void)uv_idle_start(&driver->idle, idle_cb);
    }
}

/* uv_async_send is safe in any thread and in signal handlers. */
static void driver_wake(uva_loop_t *loop)
{
    if (!loop->driver.forked && !driver_lost(loop)) {
        (void)uv_async_send(&driver_of(loop)->async);
    }
}

/* A stop that came before the run still gives one turn, as in asyncio. uv_run
 * returns also when other code has called uv_stop: then it is called again. */
static int driver_run(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);

    driver_reference(driver, true);
    if (loop->stopping) {
        (void)uv_run(driver->uv, UV_RUN_NOWAIT);
    }
    while (!loop->stopping && !driver_lost(loop)) {
        (void)uv_run(driver->uv, UV_RUN_DEFAULT);
    }
    if (loop->driver.forked) {
        return UVA_EFORKED;
    }
    if (driver_lost(loop)) {
        return UV_ECANCELED;
    }
    driver_reference(driver, uva__loop_busy(loop));
    return 0;
}

/* --- whether the host is inside uv_run --- */

/* The host's own word goes before the search of the stack, which cannot find
 * the uv_run of another copy of libuv. */
static bool driver_inside(const uva_loop_t *loop)
{
    const uv_driver_t *driver = driver_of(loop);

    if (loop->driver.exclusive || driver->inside == UVA_INSIDE_NO) {
        return false;
    }
    return driver->inside == UVA_INSIDE_YES || driver->other_copy ||
           uva__inside_by_stack(driver->uv);
}

static void driver_say_inside(uva_loop_t *loop, uva_inside_t inside)
{
    driver_of(loop)->inside = inside;
}

/* --- opening and closing --- */

/* data of the handles is not used (see above): the type of a handle tells the
 * member that it is. */
static uv_driver_t *driver_of_handle(uv_handle_t *handle)
{
    switch (uv_handle_get_type(handle)) {
    case UV_PREPARE:
        return UVA__CONTAINER_OF(handle, uv_driver_t, prepare);
    case UV_CHECK:
        return UVA__CONTAINER_OF(handle, uv_driver_t, check);
    case UV_IDLE:
        return UVA__CONTAINER_OF(handle, uv_driver_t, idle);
    case UV_ASYNC:
        return UVA__CONTAINER_OF(handle, uv_driver_t, async);
    case UV_TIMER:
        return UVA__CONTAINER_OF(handle, uv_driver_t, timer);
    default:
        return UVA__CONTAINER_OF(handle, uv_driver_t, poll);
    }
}

/* The last of the handles that is closed ends the driver. On a loop of its own
 * driver_close does this, after uv_run. */
static void close_cb(uv_handle_t *handle)
{
    uv_driver_t *driver = driver_of_handle(handle);

    if (--driver->open == 0) {
        uva_loop_t *loop = driver->loop;
        uva__uv_deadline_close(driver);
        if (driver->uv != &driver->own) {
            uva__free(driver);
            uva__loop_closed(loop);
        }
    }
}

/* The open handles of others on a uv_loop_t of our own. */
typedef struct vacant_s {
    const uv_driver_t *driver;
    unsigned counts[UV_HANDLE_TYPE_MAX];
    unsigned count;
} vacant_t;

/* Count a handle that does not lie in the driver. */
static void vacant_cb(uv_handle_t *handle, void *data)
{
    vacant_t *vacant = data;
    uintptr_t place = (uintptr_t)handle - (uintptr_t)vacant->driver;

    /* Handles of io are closing, because no operation is in flight. */
    if (place >= sizeof *vacant->driver && !uv_is_closing(handle) &&
        !uva__services_own(vacant->driver->loop, handle)) {
        vacant->counts[uv_handle_get_type(handle)]++;
        vacant->count++;
    }
}

/* Refuse to close over open handles of others: libuv would not close its loop,
 * and they would never be called again. */
static int driver_vacant(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);
    vacant_t vacant = {.driver = driver};
    char text[256];
    size_t size = 0;

    if (loop->driver.exclusive || driver->uv != &driver->own ||
        driver_lost(loop)) {
        return 0;
    }
    uv_walk(driver->uv, vacant_cb, &vacant);
    if (vacant.count == 0) {
        return 0;
    }
    for (int type = 0; type < UV_HANDLE_TYPE_MAX; type++) {
        if (vacant.counts[type] > 0 && size < sizeof text) {
            size += uva__format(text + size, sizeof text - size, "%s%u %s",
                                size == 0 ? "" : ", ", vacant.counts[type],
                                uv_handle_type_name((uv_handle_type)type));
        }
    }
    uva__log(UVA_LOG_WARNING,
             "the loop cannot be closed: handles of others are open on it: %s",
             text);
    return UV_EBUSY;
}

/* Close all handles. On a loop of its own this waits for their callbacks; a
 * host's next turn calls them. */
static void driver_close(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);
    bool own = driver->uv == &driver->own;
    bool has_poll = driver->open > 5;

    driver->closing = true;
    uva__uv_handle_close((uv_handle_t *)&driver->prepare, close_cb);
    uva__uv_handle_close((uv_handle_t *)&driver->check, close_cb);
    uva__uv_handle_close((uv_handle_t *)&driver->idle, close_cb);
    uva__uv_handle_close((uv_handle_t *)&driver->async, close_cb);
    if (has_poll) {
        uva__uv_handle_close((uv_handle_t *)&driver->poll, close_cb);
    }
    /* The last one: if the host has closed all before, the callback comes at
     * once and frees the driver. */
    uva__uv_handle_close((uv_handle_t *)&driver->timer, close_cb);
    if (!own) {
        return; /* The host's next turn closes them. */
    }
    (void)uv_run(driver->uv, UV_RUN_DEFAULT);
    if (uv_loop_close(driver->uv) >= 0) { /* Else others still use it. */
        uva__free(driver);
    }
    uva__loop_closed(loop);
}

/* uv_loop_fork is called for a loop of our own only: a host does it for its
 * own. Deadlines are armed anew. */
static int driver_fork(uva_loop_t *loop)
{
    uv_driver_t *driver = driver_of(loop);
    int r = driver->uv == &driver->own ? uv_loop_fork(driver->uv) : 0;

    driver->fork_reported = false;
    driver->armed_ns = UVA_FOREVER;
    return r < 0 ? r : uva__uv_deadline_fork(driver);
}

/* For a shutdown that waits until its host has called the callbacks of the
 * closed handles. */
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
    .lost = driver_lost,
    .on_lost = uva__shutdown_now,
    .vacant = driver_vacant,
    .fork = driver_fork,
    .say_inside = driver_say_inside,
};

/* Have libuv call check behind the check callbacks of the host, so that the
 * turn finds what those close before libuv calls the callbacks of a close.
 * libuv puts each handle that is started before the others; so this one stays
 * the last. It has no function for that, but its list is public in all its
 * versions: in each handle the next one and the previous one. */
static void driver_go_last(uv_driver_t *driver)
{
#if !defined(_WIN32)
    typedef struct link_s {
        struct link_s *next;
        struct link_s *prev;
    } link_t;
    link_t *list = (link_t *)(void *)&driver->uv->check_handles;
    link_t *link = (link_t *)(void *)&driver->check.queue;

    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->next = list;
    link->prev = list->prev;
    link->prev->next = link;
    list->prev = link;
#else
    (void)driver;
#endif
}

/* Open the handles on a uv_loop_t of our own, or on the host's. They hold no
 * reference: an idle loop must not keep uv_run from returning. */
static int driver_open(uva_loop_t *loop, uv_loop_t *host)
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
    /* First, as it is the only one of the five that can fail. */
    r = uv_async_init(driver->uv, &driver->async, async_cb);
    if (r < 0) {
        goto fail_async;
    }
    (void)uv_prepare_init(driver->uv, &driver->prepare);
    (void)uv_check_init(driver->uv, &driver->check);
    (void)uv_idle_init(driver->uv, &driver->idle);
    (void)uv_timer_init(driver->uv, &driver->timer);
    driver->prepare.data = driver->check.data = driver->idle.data =
        driver->async.data = driver->timer.data = NULL;
    driver->open = 5;
    (void)uv_prepare_start(&driver->prepare, prepare_cb);
    (void)uv_check_start(&driver->check, check_cb);
    driver_go_last(driver);
    uv_unref((uv_handle_t *)&driver->prepare);
    uv_unref((uv_handle_t *)&driver->check);
    uv_unref((uv_handle_t *)&driver->timer);
    uv_unref((uv_handle_t *)&driver->async);
    if (host != NULL) {
        loop->driver.aside = UVA__ASIDE_SHARED;
        driver->other_copy = uva__inside_other_copy(host);
    }
    loop->driver.exclusive = host == NULL;
    loop->driver.ops = &uv_driver;
    loop->driver.data = driver;
    uva__forks_watch();
    return 0;

fail_async:
    if (host == NULL) {
        (void)uv_loop_close(&driver->own);
    }
fail_init:
    uva__free(driver);
    return r;
}

int uva_loop_new(const uva_loop_options_t *options, uva_loop_t **ret_loop)
{
    return uva__loop_new(options, driver_open, NULL, ret_loop);
}

int uva_loop_attach(uv_loop_t *host,
                    const uva_loop_options_t *options,
                    uva_loop_t **ret_loop)
{
    return host == NULL ? uva__bare(UV_EINVAL)
                        : uva__loop_new(options, driver_open, host, ret_loop);
}
