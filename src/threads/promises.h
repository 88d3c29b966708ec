/*
 * What the threads floor does with promises beside their public functions.
 */
#ifndef UVA__THREADS_PROMISES_H
#define UVA__THREADS_PROMISES_H

#include <stdatomic.h>

#include "uva/promises.h"

#include "core/futures.h"
#include "core/loop.h"
#include "threads/service.h"

struct uva_promise_s {
    uva__ready_t ready;   /* Of the inbox, once it is claimed. */
    uva__record_t record; /* Among the callbacks of its future. */
    uva__pending_t pending;
    uva_loop_t *loop;     /* Counted. */
    uva_future_t *future; /* Counted. */
    uva_callback_cb on_cancel;
    void *on_cancel_data;
    uva_destroy_cb on_cancel_destroy;
    atomic_uint users; /* References of the program. */
    atomic_uint refs;  /* Of all users together, the inbox, the record. */
    atomic_bool claimed;
    bool over;
    int code; /* The outcome, if it is claimed: 0, or of the failure. */
    void *value;
    uva_destroy_cb destroy;
    uva_error_t *error; /* Counted: of the failure; NULL for none. */
    /* Frees the memory that the promise lies in. */
    void (*gone)(uva_promise_t *promise);
};

/** uva_promise_new on a loop that the calling thread owns. */
uva_promise_t *uva__promise_new(uva_loop_t *loop);
/** The same in memory of the caller, zeroed, which gone frees. No function of
 * promises.h may be called for it but uva_promise_future and
 * uva_promise_on_cancel. @return Whether there was memory for the future. */
bool uva__promise_init(uva_loop_t *loop,
                       uva_promise_t *promise,
                       void (*gone)(uva_promise_t *promise));
/** Complete such a promise, from any thread, exactly once. Its memory may be
 * gone then. */
void uva__promise_end(uva_promise_t *promise,
                      int code,
                      void *value,
                      uva_destroy_cb destroy);

/** Let the end of the loop wait for a promise that is made. */
void uva__promise_keep_loop(uva_promise_t *promise);

#endif /* UVA__THREADS_PROMISES_H */
