/**
 * @file
 * Tasks and callbacks that block the loop: found while they do, with the place.
 *
 * asyncio has the slow callbacks of debug mode, which are told afterwards and
 * without the place (uva_loop_set_slow_callback). A watchdog costs a step of
 * the loop nothing, so it can stay on.
 */
#ifndef UVA_WATCHDOG_H
#define UVA_WATCHDOG_H

#include "uva/errors.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/**
 * Report steps of tasks, and callbacks, that keep the loop for longer than a
 * threshold.
 *
 * One thread of the process looks after all loops that have a watchdog, twice
 * in each threshold. It sends a signal to a loop's thread whose turn lasts; the
 * handler notes what runs, and, when the same step has run for the threshold,
 * its calls. When the turn is over the log gets a warning: the task, the time,
 * the calls, once for each place. What ends before the threshold is never
 * told, what lasts half as long again always, up to four steps of one turn.
 *
 * The signal interrupts calls of the system: sleep, poll, select and
 * epoll_wait return early (EINTR), others go on. The signal must not be blocked
 * in the loop's thread. What a host runs outside of the loop's turns is not
 * watched. The child of a fork has no watchdog until it asks for one.
 *
 * The thread and the handler are there from the first watchdog to the last;
 * then the signal is as it was before.
 *
 * @param threshold_ns Nanoseconds, at least a millisecond; 0 ends the watchdog.
 *                     Called again, it changes the threshold.
 * @param signal_number The signal; 0 for SIGURG, which is ignored where nobody
 *                     waits for it.
 * @retval UV_EBUSY   The program has a handler for this signal, or another
 *                    loop is watched by another signal.
 * @retval UV_EINVAL  The signal cannot be caught, or is blocked in this thread.
 * @retval UV_ENOTSUP The loop is of virtual time, or the system is not Linux.
 * @retval UV_ENOMEM  Nothing was changed.
 */
UVA_EXTERN UVA_NODISCARD int uva_loop_set_watchdog(uva_loop_t *loop,
                                                   uint64_t threshold_ns,
                                                   int signal_number);

/** A place that has blocked a loop. */
typedef struct uva_blocking_place_s {
    const char *function; /* The task's, as in reports; NULL: a callback. */
    uintptr_t address;    /* Of the innermost call; 0 if there is none. */
    size_t count;         /* How often it was found there. */
    uint64_t longest_ns;
} uva_blocking_place_t;

/**
 * The places that a loop's watchdog has found, the first 64.
 *
 * @param places Room for count entries; may be NULL if count is 0.
 * @return How many there are; 0 without a watchdog.
 */
UVA_EXTERN size_t uva_loop_blocking_places(const uva_loop_t *loop,
                                           uva_blocking_place_t *places,
                                           size_t count);

UVA_END_DECLS

#endif /* UVA_WATCHDOG_H */
