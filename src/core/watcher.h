/*
 * The watcher: the thread and the signal that all watchdogs of a process share.
 */
#ifndef UVA__CORE_WATCHER_H
#define UVA__CORE_WATCHER_H

#include "core/watchdog.h"

/** Have a watchdog, which is not its loop's yet, watched, and make it that: the
 * first one starts the thread and sets the handler. @retval UV_EBUSY See
 * uva_loop_set_watchdog. */
int uva__watcher_add(uva_loop_t *loop,
                     uva__watchdog_t *dog,
                     int signal_number,
                     void (*handle)(int signal_number));
/** Change the threshold of a watchdog that is watched. @retval UV_EBUSY By
 * another signal. */
int uva__watcher_change(uva__watchdog_t *dog,
                        uint64_t threshold_ns,
                        int signal_number);
/** Take the watchdog from a loop. The last one ends the thread, and gives the
 * signal back. @return The watchdog, which the caller frees; NULL. */
uva__watchdog_t *uva__watcher_remove(uva_loop_t *loop);

/** Whether the watchdog belongs to this process, and not to the parent. */
bool uva__watcher_has(const uva__watchdog_t *dog);

#endif /* UVA__CORE_WATCHER_H */
