/**
 * @file
 * Context variables: values that follow the task, not the thread.
 *
 * Every task runs in a copy of the context it was created in, every scheduled
 * call in that of its registration. Contexts in which no variable was ever set
 * cost nothing.
 */
#ifndef UVA_CONTEXT_H
#define UVA_CONTEXT_H

#include "uva/events.h"
#include "uva/types.h"

UVA_BEGIN_DECLS

/** A variable, usually static; its address is its identity. Embedded; never
 * allocates by itself. @asyncio contextvars.ContextVar */
typedef struct uva_context_var_s {
    const char *name;    /* Borrowed. */
    void *default_value; /* What get gives where it was never set. */
} uva_context_var_t;

/** The value that uva_context_var_set replaced, for uva_context_var_reset.
 * Embedded. */
typedef struct uva_context_token_s {
    /* private */
    uva_context_t *context; /* Borrowed, compared only. */
    uva_context_var_t *var;
    void *value;
    bool was_set;
    bool used;
} uva_context_token_t;

/** The variable's value in the current context. @asyncio ContextVar.get */
UVA_EXTERN void *uva_context_var_get(const uva_context_var_t *var);

/**
 * Set the variable in the current context: that of the running task, of the
 * running callback, or of the thread outside loops.
 *
 * @param value     Borrowed for as long as a context may hold it.
 * @param ret_token May be NULL.
 * @retval UV_ENOMEM Unchanged.
 * @asyncio ContextVar.set
 */
UVA_EXTERN UVA_NODISCARD int uva_context_var_set(
    uva_context_var_t *var, void *value, uva_context_token_t *ret_token);

/**
 * Restore what the token replaced.
 * @retval UV_EPERM  The token was used already.
 * @retval UV_EINVAL It was made in another context or for another variable.
 * @retval UV_ENOMEM Unchanged; the token is not used up.
 * @asyncio ContextVar.reset
 */
UVA_EXTERN int uva_context_var_reset(uva_context_var_t *var,
                                     uva_context_token_t *token);

/** Make an empty context. @return New reference; NULL without memory. */
UVA_EXTERN UVA_NODISCARD uva_context_t *uva_context_new(void);
/** Copy the current context. @return New reference; NULL without memory.
 * @asyncio contextvars.copy_context */
UVA_EXTERN UVA_NODISCARD uva_context_t *uva_copy_context(void);
/** Take a reference. @return context itself; NULL for NULL. @thread any */
UVA_EXTERN uva_context_t *uva_context_ref(uva_context_t *context);
/** Drop a reference. @return NULL. @thread any */
UVA_EXTERN uva_context_t *uva_context_unref(uva_context_t *context);

/**
 * Call callback(data) with context as the current one. Not for code that
 * suspends.
 * @retval UV_EPERM  The context is entered already.
 * @retval UV_EINVAL callback is NULL.
 * @retval UV_ENOMEM context is NULL.
 * @asyncio Context.run
 */
UVA_EXTERN UVA_NODISCARD int
uva_context_run(uva_context_t *context, uva_callback_cb callback, void *data);

/** The value in a context that need not be current; *ret_value is unset if the
 * variable is not in it. @return Whether it is. @asyncio Context.get */
UVA_EXTERN bool uva_context_get(const uva_context_t *context,
                                const uva_context_var_t *var,
                                void **ret_value);

UVA_END_DECLS

#endif /* UVA_CONTEXT_H */
