/*
 * Timeouts (asyncio.timeouts).
 *
 *   state    its entry  the entry's code   exit
 *   REFUSED  none       -                  gives code unless the block failed
 *   ACTIVE   armed      0                  gives r
 *   ACTIVE   idle       the deadline came  takes its cancellation back, may
 *                                          turn r
 *   EXPIRED  none       -                  gives r
 *   DONE     none       -                  gives r
 *
 * An ACTIVE timeout for which no entry could be had has its own code.
 *
 * Invariant: a timeout with a code has asked its task to cancel exactly once.
 * So its end takes back one request, and turns UV_ECANCELED into the code only
 * if no other request is left.
 */
#include "uva/timeouts.h"

#include "uva/tasks.h"

#include "core/failures.h"
#include "core/loop.h"
#include "core/object.h"
#include "core/owner.h"
#include "core/scopes.h"
#include "core/timers.h"

enum {
    TIMEOUT_REFUSED = 1,
    TIMEOUT_ACTIVE,
    TIMEOUT_EXPIRED,
    TIMEOUT_DONE
};

/* The timer of a timeout. It is not in the task's frame: that may be gone. */
typedef struct timeout_entry_s {
    uva__scope_t scope;
    uva__timer_t timer;
    uva_handle_t *soon; /* Counted: the call of a deadline in the past. */
    int code;
} timeout_entry_t;

/* NULL outside of enter and exit, and where the enter found no memory. */
static timeout_entry_t *timeout_entry(const uva_timeout_t *timeout)
{
    return timeout->entry == NULL
               ? NULL
               : UVA__CONTAINER_OF(timeout->entry, timeout_entry_t, scope);
}

/* The deadline has come, or could not be armed: cancel the task, and keep why.
 * asyncio: timeouts.py, Timeout._on_timeout. */
static void entry_expire(timeout_entry_t *entry, int code)
{
    entry->code = code;
    (void)uva_task_cancel(entry->scope.task);
}

static void entry_fire(uva__timer_t *timer)
{
    entry_expire(UVA__CONTAINER_OF(timer, timeout_entry_t, timer),
                 UV_ETIMEDOUT);
}

/* The call of a deadline that had passed when it was set. */
static void entry_fire_soon(void *data)
{
    entry_expire(data, UV_ETIMEDOUT);
}

/* From here on the deadline cannot come; nothing if it was not armed. */
static void entry_disarm(timeout_entry_t *entry)
{
    uva__timer_stop(entry->scope.task->base.loop, &entry->timer);
    uva_handle_cancel(entry->soon);
    entry->soon = uva_handle_unref(entry->soon);
}

/* The task has left the block without its exit. */
static void entry_abandon(uva__scope_t *entry)
{
    entry_disarm(UVA__CONTAINER_OF(entry, timeout_entry_t, scope));
}

static const uva__scope_ops_t timeout_ops = {
    entry_abandon, "A timeout was left without uva_timeout_exit", NULL};

/* asyncio: timeouts.py, Timeout.reschedule: a deadline that has passed is
 * scheduled as a call and not as a timer. */
static int entry_arm(timeout_entry_t *entry, uint64_t when_ns)
{
    uva_loop_t *loop = entry->scope.task->base.loop;

    if (when_ns == UVA_FOREVER) {
        return 0;
    }
    if (when_ns <= loop->driver.ops->now(loop)) {
        return uva_loop_call_soon(loop, entry_fire_soon, entry, NULL,
                                  &entry->soon);
    }
    return uva__timer_start(loop, &entry->timer, when_ns, entry_fire);
}

int uva_timeout_enter_at(uva_timeout_t *timeout, uint64_t when_ns)
{
    uva_task_t *task = uva__task_current();
    timeout_entry_t *entry;
    int r;

    if (task != NULL && uva__scope_entered(task, timeout)) {
        return uva__bare(UV_EPERM);
    }
    *timeout = (uva_timeout_t){.task = task, .when_ns = when_ns};
    /* A caller may ignore the code of enter: its exit tells it. */
    if (task == NULL) {
        timeout->state = TIMEOUT_REFUSED;
        timeout->code = UVA_ENOTASK;
        return UVA_ENOTASK;
    }
    timeout->cancelling = uva_task_cancelling(task);
    timeout->state = TIMEOUT_ACTIVE;
    timeout->entry =
        uva__scope_enter(task, timeout, &timeout_ops, sizeof *entry);
    if (timeout->entry == NULL) {
        /* No block runs without its deadline: it ends at its first await. */
        timeout->code = UV_ENOMEM;
        (void)uva_task_cancel(task);
        return uva__bare(UV_ENOMEM);
    }
    entry = timeout_entry(timeout);
    entry->timer = (uva__timer_t){.fire = NULL};
    entry->soon = NULL;
    entry->code = 0;
    r = entry_arm(entry, when_ns);
    if (r < 0) {
        entry_expire(entry, r);
    }
    return uva__bare(r);
}

int uva_timeout_enter(uva_timeout_t *timeout, uint64_t delay_ns)
{
    uva_loop_t *loop = uva__running();

    return uva_timeout_enter_at(
        timeout, loop == NULL ? 0 : uva__loop_deadline(loop, delay_ns));
}

/* The code of a deadline that came in an ACTIVE scope; else 0. */
static int timeout_code(const uva_timeout_t *timeout)
{
    const timeout_entry_t *entry = timeout_entry(timeout);

    return entry == NULL ? timeout->code : entry->code;
}

/* Whether there is something to leave. If the task has ended without the exit,
 * which was reported, the timeout becomes DONE here. */
static bool timeout_is_active(uva_timeout_t *timeout)
{
    if (uva__scope_lost(timeout->entry)) {
        timeout->entry = NULL;
        timeout->state = TIMEOUT_DONE;
    }
    return timeout->state == TIMEOUT_ACTIVE;
}

/* Leave the scope, and take back the request to cancel if the deadline has
 * come.
 * @return Whether it has come, and no request of others is left since enter.
 * asyncio: timeouts.py, Timeout.__aexit__. */
static bool timeout_end(uva_timeout_t *timeout)
{
    timeout->code = timeout_code(timeout);
    if (timeout->entry != NULL) {
        entry_disarm(timeout_entry(timeout));
        uva__scope_leave(timeout->entry);
        timeout->entry = NULL;
    }
    if (timeout->code == 0) {
        timeout->state = TIMEOUT_DONE;
        return false;
    }
    timeout->state = TIMEOUT_EXPIRED;
    return uva_task_uncancel(timeout->task) <= timeout->cancelling;
}

int uva_timeout_exit(uva_timeout_t *timeout, int r)
{
    if (timeout->state == TIMEOUT_REFUSED) {
        timeout->state = TIMEOUT_DONE;
        return r < 0 ? r : timeout->code;
    }
    if (!timeout_is_active(timeout)) {
        return r;
    }
    if (!uva__loop_owned(timeout->task->base.loop)) {
        return r < 0 ? r : uva__bare(UV_EPERM);
    }
    if (timeout_end(timeout) && r == UV_ECANCELED) {
        uva__task_set_error(timeout->task, timeout->code, NULL);
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
    return timeout->state == TIMEOUT_EXPIRED ||
           (timeout->state == TIMEOUT_ACTIVE && timeout_code(timeout) < 0);
}

int uva_timeout_reschedule(uva_timeout_t *timeout, uint64_t when_ns)
{
    timeout_entry_t *entry;
    int r;

    if (!timeout_is_active(timeout) ||
        !uva__loop_owned(timeout->task->base.loop) ||
        timeout_code(timeout) < 0) {
        return uva__bare(UV_EPERM);
    }
    entry = timeout_entry(timeout);
    entry_disarm(entry);
    timeout->when_ns = when_ns;
    r = entry_arm(entry, when_ns);
    if (r < 0) {
        entry_expire(entry, r);
    }
    return r;
}

/* The end of a UVA_TIMEOUT block that was left by return or goto, so that no
 * exit can turn what it returns into the code. If the task was told of the
 * cancellation, the code is noted: uva__scope_check_slow reports it. */
void uva__timeout_leave(uva_timeout_t *timeout)
{
    bool told;

    if (!timeout_is_active(timeout)) {
        return;
    }
    told = (timeout->task->base.flags & UVA__MUST_CANCEL) == 0;
    if (timeout_end(timeout) && told) {
        uva__scope_note_left(timeout->task, timeout->code);
    }
}
