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

/** Make a context that has the variables of another; NULL stands for an empty
 * one. The copy takes the same time however many there are. @return A new
 * reference; NULL without memory. */
uva_context_t *uva__context_copy(const uva_context_t *context);
/** Set a variable in a context, or take it out (keep is false). Copies of the
 * context that were made before do not see it. @retval UV_ENOMEM Nothing has
 * changed. */
int uva__context_put(uva_context_t *context,
                     const uva_context_var_t *var,
                     void *value,
                     bool keep);

#endif /* UVA__CORE_CONTEXT_VALUE_H */
