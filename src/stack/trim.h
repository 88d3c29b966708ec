/*
 * Giving the memory of idle stacks back to the system.
 */
#ifndef UVA__STACK_TRIM_H
#define UVA__STACK_TRIM_H

#include "stack/slabs.h"

/**
 * Give the memory of stacks back that nobody has used since the last call, at
 * most a thousand or so per call. Slabs without a used slot are unmapped.
 *
 * @return Bytes of address space whose pages were given back; 0 when nothing
 *         was cold. The first call after a burst only marks.
 */
size_t uva__stack_pool_trim(uva__stack_pool_t *pool);

/** Give the memory of every idle stack back. Returns bytes as above. */
size_t uva__stack_pool_trim_all(uva__stack_pool_t *pool);

#endif /* UVA__STACK_TRIM_H */
