/*
 * Access to the members that few futures and tasks need (uva__extra_t).
 */
#ifndef UVA__CORE_EXTRA_H
#define UVA__CORE_EXTRA_H

#include "core/loop.h"
#include "core/object.h"

/** The extra of a future or task, made if it is not there; owned by the future.
 * NULL without memory, and for NULL and refused futures, which have none. */
uva__extra_t *uva__future_extra(uva_future_t *future);
/** The same, but none is made: NULL if there is none. */
uva__extra_t *uva__future_has_extra(const uva_future_t *future);
/** Free an extra and what it holds; NULL is nothing to be done. For the free
 * functions of the kinds. */
void uva__extra_free(uva_loop_t *loop, uva__extra_t *extra);

#endif /* UVA__CORE_EXTRA_H */
