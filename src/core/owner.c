/*
 * Which thread owns a loop, and whether it can be used from here
 * (asyncio.base_events, _check_thread; asyncio.events, get_running_loop).
 *
 * Invariant: what belongs to a loop is touched by the thread that owns it, or,
 * once the loop is closed, by one thread at a time under its mutex.
 */
#include "core/owner.h"

#include "uva/events.h"

#include "base/log.h"
#include "base/thread.h"
#include "core/driver.h"
#include "core/loop.h"
#include "core/registry.h"

uva_loop_t uva__nowhere;
UVA__TLS uva_loop_t *uva__here = &uva__nowhere;

uva_loop_t *uva_get_running_loop(void)
{
    return uva__running();
}

/* asyncio raises RuntimeError in debug mode only; here the function refuses in
 * every mode, and the log says why. */
static void loop_tell_wrong_thread(const char *function, bool hosted)
{
    uva__log(UVA_LOG_ERROR,
             "non-thread-safe operation invoked on an event loop from a "
             "thread that does not own it: %s in thread %llu%s",
             function, (unsigned long long)uva__thread_number(),
             hosted ? "; if this thread turns the host, uva_loop_adopt comes "
                      "first"
                    : "");
}

/* A closed loop belongs to every thread that has a reference of it or of its
 * objects: they only count references and read. */
bool uva__loop_owned_slow(const uva_loop_t *loop, const char *function)
{
    if (uva__loop_is_owner(loop) || loop->closed) {
        return !loop->driver.forked;
    }
    loop_tell_wrong_thread(function, loop->driver.hosted);
    return false;
}

bool uva_loop_owned(const uva_loop_t *loop, const char *function)
{
    return loop == NULL || uva__loop_owned_for(loop, function);
}

/* Under the registry's mutex, so that another thread cannot free the loop
 * meanwhile. */
bool uva__loop_owned_or_gone(const uva_loop_t *loop, const char *function)
{
    bool mine = true;
    bool forked = false;
    bool hosted = false;

    if (loop == NULL || uva__here == loop) {
        return true;
    }
    uva__registry_lock();
    if (uva__registry_has(loop)) {
        mine = uva__loop_is_owner(loop) || loop->closed;
        forked = loop->driver.forked;
        hosted = loop->driver.hosted;
    }
    uva__registry_unlock();
    if (!mine) {
        loop_tell_wrong_thread(function, hosted);
    }
    return mine && !forked;
}

/* --- a loop that cannot be used --- */

/* The child of a fork comes first: the loop's mutex and handles are the
 * parent's, and must not be touched. */
int uva__loop_refuses(uva_loop_t *loop, const char *function)
{
    if (loop->driver.forked) {
        return UVA_EFORKED;
    }
    if (!uva__loop_owned_for(loop, function) || loop->closing ||
        uva__loop_host_lost(loop)) {
        return UV_EPERM;
    }
    return 0;
}

bool uva__loop_host_lost(uva_loop_t *loop)
{
    if (loop->closing || !loop->driver.ops->lost(loop)) {
        return false;
    }
    /* Not from inside of the loop's own turn: its tasks end when the turn is
     * over. */
    if (!loop->driver.lost && uva__here != loop) {
        loop->driver.lost = true;
        uva__log(
            UVA_LOG_WARNING,
            "the handles of a loop were closed by its host: the loop ends, "
            "its unfinished tasks (%zu) are cancelled",
            loop->tasks.count);
        UVA_IGNORE(loop->driver.ops->on_lost(loop));
    }
    return true;
}
