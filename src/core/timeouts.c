/*
 * Timeouts (asyncio.timeouts).
 *
 *   state     deadline     exit
 *   REFUSED   -            gives code unless the block failed
 *   ACTIVE    armed, soon  gives r
 *   EXPIRING  has come     takes its cancellation back, may turn r
 *   EXPIRED   has come     gives r
 *   DONE      off          gives r
 *
 * Invariant: a timeout that is EXPIRING has asked its task to cancel once.
 */
#include "uva/timeouts.h"

#include "uva/tasks.h"

#include "core/loop.h"

enum {
    TIMEOUT_REFUSED = 1,
    TIMEOUT_ACTIVE,
    TIMEOUT_EXPIRING,
    TIMEOUT_EXPIRED,
    TIMEOUT_DONE
};

static void timeout_expire(uva_timeout_t *timeout, int code)
{
    timeout->code = code;
    timeout->state = TIMEOUT_EXPIRING;
    (void)uva_task_cancel(timeout->task);
}

static void timeout_fire(uva__timer_t *timer)
{
    timeout_expire(UVA__CONTAINER_OF(timer, uva_timeout_t, timer),
                   UV_ETIMEDOUT);
}

static void timeout_fire_soon(void *data)
{
    timeout_expire(data, UV_ETIMEDOUT);
}

static void timeout_disarm(uva_timeout_t *timeout)
{
    uva__scope_t *entry = uva__scope_find(timeout->task, timeout);

    uva__timer_stop(timeout->task->base.loop, &timeout->timer);
    if (entry != NULL && entry->soon != NULL) {
        uva_handle_cancel(entry->soon);
        entry->soon = uva_handle_unref(entry->soon);
    }
}

/* asyncio: timeouts.py, Timeout.reschedule: a deadline that has passed is
 * scheduled as a call and not as a timer. */
static int timeout_arm(uva_timeout_t *timeout, uint64_t when_ns)
{
    uva_loop_t *loop = timeout->task->base.loop;

    timeout->when_ns = when_ns;
    if (when_ns == UVA_FOREVER) {
        return 0;
    }
    if (when_ns <= loop->driver->now(loop)) {
        return uva_loop_call_soon(
            loop, timeout_fire_soon, timeout, NULL,
            &uva__scope_find(timeout->task, timeout)->soon);
    }
    return uva__timer_start(loop, &timeout->timer, when_ns, timeout_fire);
}

int uva_timeout_at_enter(uva_timeout_t *timeout, uint64_t when_ns)
{
    uva_task_t *task = uva__task_current();
    int r;

    if (task != NULL && uva__scope_find(task, timeout) != NULL) {
        return UV_EPERM;
    }
    *timeout = (uva_timeout_t){.task = task, .when_ns = when_ns};
    if (task == NULL) {
        timeout->state = TIMEOUT_REFUSED;
        timeout->code = UVA_ENOTASK;
        return UVA_ENOTASK;
    }
    timeout->cancelling = uva_task_cancelling(task);
    timeout->state = TIMEOUT_ACTIVE;
    r = uva__scope_enter(task, timeout, UVA__SCOPE_TIMEOUT);
    if (r >= 0) {
        r = timeout_arm(timeout, when_ns);
    }
    if (r < 0) {
        timeout_expire(timeout, r);
    }
    return r;
}

int uva_timeout_enter(uva_timeout_t *timeout, uint64_t delay_ns)
{
    uva_loop_t *loop = uva__running;

    return uva_timeout_at_enter(
        timeout, loop == NULL ? 0 : uva__loop_deadline(loop, delay_ns));
}

int uva_timeout_exit(uva_timeout_t *timeout, int r)
{
    if (timeout->state == TIMEOUT_REFUSED) {
        timeout->state = TIMEOUT_DONE;
        return r < 0 ? r : timeout->code;
    }
    if (timeout->state != TIMEOUT_ACTIVE &&
        timeout->state != TIMEOUT_EXPIRING) {
        return r;
    }
    timeout_disarm(timeout);
    uva__scope_leave(timeout->task, timeout);
    if (timeout->state == TIMEOUT_ACTIVE) {
        timeout->state = TIMEOUT_DONE;
        return r;
    }
    timeout->state = TIMEOUT_EXPIRED;
    if (uva_task_uncancel(timeout->task) <= timeout->cancelling &&
        r == UV_ECANCELED) {
        uva__task_set_error(timeout->task, NULL);
        return timeout->code;
    }
    return r;
}

uint64_t uva_timeout_when(const uva_timeout_t *timeout)
{
    return timeout->when_ns;
}

bool uva_timeout_expired(const uva_timeout_t *timeout)
{
    return timeout->state == TIMEOUT_EXPIRING ||
           timeout->state == TIMEOUT_EXPIRED;
}

int uva_timeout_reschedule(uva_timeout_t *timeout, uint64_t when_ns)
{
    int r;

    if (timeout->state != TIMEOUT_ACTIVE) {
        return UV_EPERM;
    }
    timeout_disarm(timeout);
    r = timeout_arm(timeout, when_ns);
    if (r < 0) {
        timeout_expire(timeout, r);
    }
    return r;
}

void uva__timeout_leave(uva_timeout_t *timeout)
{
    /* Whatever is returned past the block, it is not turned. */
    if (timeout->state != 0) {
        (void)uva_timeout_exit(timeout, 0);
    }
}
