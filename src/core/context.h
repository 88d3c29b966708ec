/*
 * The context in which code runs: of the task, or of the thread.
 */
#ifndef UVA__CORE_CONTEXT_H
#define UVA__CORE_CONTEXT_H

#include "core/loop.h"

/** The context in which the calling code runs; borrowed; NULL if it is empty,
 * as everywhere. */
uva_context_t *uva__context_current(void);
/** Copy the current context for a call or task that is being made. *ret_context
 * is a new reference, or NULL if the current context is empty: then nothing is
 * allocated. @retval UV_ENOMEM */
int uva__context_copy_current(uva_context_t **ret_context);
/** Make a context current for a callback, while no task runs; NULL stands for
 * an empty one. The thread holds a reference meanwhile. @return The context
 * before it, for uva__context_exit_to. */
uva_context_t *uva__context_enter(uva_context_t *context);
/** End the context that uva__context_enter made current, or the one that the
 * callback has made by setting a variable; takes the reference of outer. */
void uva__context_exit_to(uva_context_t *outer);

#endif /* UVA__CORE_CONTEXT_H */
