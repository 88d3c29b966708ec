/*
 * Scheduled calls: what the rest of the core needs of them beside the public
 * functions. The loop's thread only.
 */
#ifndef UVA__CORE_CALLS_H
#define UVA__CORE_CALLS_H

#include "core/loop.h"

/** Cancel every call whose deadline is UVA_FOREVER, for a loop that closes. The
 * destructors of their data run. */
void uva__handle_drop_never(uva_loop_t *loop);
/** Cancel the call that a timer belongs to; its handle may be freed by that,
 * with the timer in it. @return false if the timer belongs to no scheduled
 * call: nothing was done. */
bool uva__handle_drop_timer(uva__timer_t *timer);
/** The name of the function that a handle calls; static; NULL if it is unknown,
 * or if the handle is NULL. */
const char *uva__handle_function(const uva_handle_t *handle);
/** The source line where a handle was made; static; NULL if it is unknown, or
 * if the handle is NULL. */
const char *uva__handle_source(const uva_handle_t *handle);

/** Destroy the data of a call that is refused, as its options say (NULL:
 * nothing is to be done). Every function that takes data with a destructor
 * calls this before it returns an error. */
void uva__call_refused(void *data, const uva_call_options_t *options);

/** Whether options are none, or as large as they have to be. */
static inline bool uva__call_options_fit(const uva_call_options_t *options)
{
    return options == NULL || options->size >= sizeof *options;
}

#endif /* UVA__CORE_CALLS_H */
