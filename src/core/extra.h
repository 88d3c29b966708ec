/*
 * The members that few futures and tasks need.
 */
#ifndef UVA__CORE_EXTRA_H
#define UVA__CORE_EXTRA_H

#include "core/loop.h"
#include "core/object.h"

/** The extra of a future or task, made if it is not there; NULL without
 * memory. */
uva__extra_t *uva__future_extra(uva_future_t *future);
/** The same, not made. */
uva__extra_t *uva__future_has_extra(const uva_future_t *future);
void uva__extra_free(uva_loop_t *loop, uva__extra_t *extra);

#endif /* UVA__CORE_EXTRA_H */
