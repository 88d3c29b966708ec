/*
 * Where futures and tasks were made, in debug mode.
 */
#ifndef UVA__CORE_MADE_H
#define UVA__CORE_MADE_H

#include "core/loop.h"

/** Remember where a future or task was made: source is a static "file:line".
 * Without memory for its extra nothing is noted. */
void uva__made_note(uva_future_t *future, const char *source);
/** Log what keeps a closed loop in memory that has no reference left; once for
 * a loop. Under the loop's mutex. */
void uva__made_tell_left(uva_loop_t *loop);

#endif /* UVA__CORE_MADE_H */
