/*
 * Giving the memory of idle stacks back to the system.
 */
#ifndef UVA__STACK_TRIM_H
#define UVA__STACK_TRIM_H

#include "stack/slabs.h"

/**
 * Give the memory of every idle stack back to the system. Slabs without a used
 * slot are unmapped.
 *
 * @return Bytes of address space whose pages were given back.
 */
size_t uva__stack_pool_trim(uva__stack_pool_t *pool);

#endif /* UVA__STACK_TRIM_H */
