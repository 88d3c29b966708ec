/*
 * Contexts of what runs.
 */
#ifndef UVA__CORE_CONTEXT_H
#define UVA__CORE_CONTEXT_H

#include "core/loop.h"

/** The context that code runs in at this moment; borrowed; NULL if empty. */
uva_context_t *uva__context_current(void);
/** A reference to a copy of it, or *ret NULL if it is empty.
 * @retval UV_ENOMEM */
int uva__context_copy_current(uva_context_t **ret_context);
/** Make a context (NULL: an empty one) current for a callback; returns the
 * outer one, for uva__context_exit_to. */
uva_context_t *uva__context_enter(uva_context_t *context);
void uva__context_exit_to(uva_context_t *outer);

#endif /* UVA__CORE_CONTEXT_H */
