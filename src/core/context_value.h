/*
 * Contexts as values: which variable has which value.
 */
#ifndef UVA__CORE_CONTEXT_VALUE_H
#define UVA__CORE_CONTEXT_VALUE_H

#include <stdatomic.h>

#include "uva/context.h"

struct uva_context_s {
    atomic_size_t refs;
    struct uva__context_map_s *map; /* Counted; NULL when empty. */
    bool entered;                   /* By uva_context_run. */
};

/** A context with the same variables as another; an empty one of NULL.
 * @return NULL without memory. */
uva_context_t *uva__context_copy(const uva_context_t *context);
/** Set a variable in a context, or (keep false) take it out. No copy of the
 * context sees it. @retval UV_ENOMEM */
int uva__context_put(uva_context_t *context,
                     const uva_context_var_t *var,
                     void *value,
                     bool keep);

#endif /* UVA__CORE_CONTEXT_VALUE_H */
