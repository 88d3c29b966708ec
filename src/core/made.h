/*
 * Where futures and tasks were made, in debug mode.
 */
#ifndef UVA__CORE_MADE_H
#define UVA__CORE_MADE_H

#include "core/loop.h"

/** Remember where a future or task was made. */
void uva__made_note(uva_future_t *future, const char *here);
/** Say, once, what keeps a closed loop in memory that nobody refers to. */
void uva__made_tell_left(uva_loop_t *loop);

#endif /* UVA__CORE_MADE_H */
