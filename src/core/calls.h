/*
 * Scheduled calls, as far as the loop knows them.
 */
#ifndef UVA__CORE_CALLS_H
#define UVA__CORE_CALLS_H

#include "core/loop.h"

/** Cancel the calls that never come. */
void uva__handle_drop_never(uva_loop_t *loop);
/** Cancel a timer's call, if it is one; the timer may be gone then.
 * @return Whether it was one. */
bool uva__handle_drop_timer(uva__timer_t *timer);
/** The name of what a scheduled call calls; static; NULL if unknown. */
const char *uva__handle_function(const uva_handle_t *handle);
/** Where a scheduled call was made; static; NULL if unknown. */
const char *uva__handle_source(const uva_handle_t *handle);

/** A destructor for options that were refused. */
void uva__call_refused(void *data, const uva_call_options_t *options);

/** Whether options are none, or as large as they have to be. */
static inline bool uva__call_options_fit(const uva_call_options_t *options)
{
    return options == NULL || options->size >= sizeof *options;
}

#endif /* UVA__CORE_CALLS_H */
