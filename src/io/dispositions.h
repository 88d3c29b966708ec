/*
 * The actions of signals, which belong to the process: what uva's watches do to
 * them, and how they come back.
 */
#ifndef UVA__IO_DISPOSITIONS_H
#define UVA__IO_DISPOSITIONS_H

#include <uv.h>

/** Signals are 1 to this, on every system. */
#define UVA__SIGNALS_MOST 64

/** uv_signal_start, noting the action that stood before the first one of uva
 * on this number. @thread any */
int uva__disposition_start(uv_signal_t *handle, uv_signal_cb cb, int number);
/** uv_signal_stop of a handle that was started so, which its host may have
 * closed since. With the last one of uva, if libuv has no other, the action
 * that was noted is set again. @thread any */
void uva__disposition_stop(uv_signal_t *handle, int number);
/** The same in the child, inside fork, where the lock is held. */
void uva__disposition_stop_in_fork(uv_signal_t *handle, int number);

#endif /* UVA__IO_DISPOSITIONS_H */
