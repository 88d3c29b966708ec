/*
 * SIGINT and SIGTERM of a run: the first of them cancels the main task.
 */
#ifndef UVA__CORE_INTERRUPTS_H
#define UVA__CORE_INTERRUPTS_H

#include <signal.h>

#include "core/loop.h"

/** Watch the signals that have their default action while the main task of a
 * loop runs. @return Whether any is watched: none in virtual time, and none if
 * another thread's run watches already. */
bool uva__interrupts_watch(uva_loop_t *loop, uva_task_t *task);
/** End it. @return The signal that came first, if no other code has asked the
 * main task to end: a cancellation is a KeyboardInterrupt then; else 0. */
int uva__interrupts_unwatch(uva_loop_t *loop, uva_task_t *task);
/** An action that was noted while a run watched is to be restored: if it is
 * that of a run that has ended, replace it by the one that the run had found.
 */
void uva__interrupts_settle(int number, struct sigaction *action);

#endif /* UVA__CORE_INTERRUPTS_H */
