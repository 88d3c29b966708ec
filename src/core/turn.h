/*
 * One turn of a loop, and what is done at its end.
 */
#ifndef UVA__CORE_TURN_H
#define UVA__CORE_TURN_H

#include "core/loop.h"

/**
 * Poll rounds, one at least: read the clock, take calls from other
 * threads, let due timers join the ready queue, run iterations within the
 * budget.
 *
 * @return Whether work is ready.
 */
bool uva__loop_turn(uva_loop_t *loop);
/** Whether anything is left to do or to wait for: unfinished tasks, scheduled
 * calls, operations in flight. */
bool uva__loop_busy(const uva_loop_t *loop);

/** Run what is to be done at the end of a turn. */
void uva__loop_flush(uva_loop_t *loop);
/** Have flush->run called at the end of a turn; nothing if it is queued. */
void uva__loop_add_flush(uva_loop_t *loop, uva__flush_t *flush);

#endif /* UVA__CORE_TURN_H */
