/*
 * Futures: their states, their kinds, and the records among their callbacks.
 */
#ifndef UVA__CORE_FUTURES_H
#define UVA__CORE_FUTURES_H

#include "core/loop.h"
#include "core/object.h"
#include "core/ready.h"

/* --- records: what stands among a future's callbacks --- */

/** Append a record to those of a pending future. */
UVA__INLINE void uva__future_append(uva_future_t *future, uva__record_t *record)
{
    uva__record_t *last = future->callbacks;

    UVA__ASSERT2(future->state == UVA__FUTURE_PENDING);
    UVA__ASSERT2(record->ready.ops->run != NULL);
    UVA__ASSERT2(record->ready.ops->drop != NULL);
    if (last == NULL) {
        record->ready.next = &record->ready;
        record->previous = record;
    } else {
        record->ready.next = last->ready.next;
        record->previous = last;
        uva__record_of_ready(last->ready.next)->previous = record;
        last->ready.next = &record->ready;
    }
    future->callbacks = record;
}

/** The same; if the future is done, the record is queued at once. */
static inline void uva__future_add(uva_future_t *future, uva__record_t *record)
{
    if (future->state == UVA__FUTURE_PENDING) {
        uva__future_append(future, record);
    } else {
        uva__loop_push(future->loop, &record->ready);
    }
}

/** Take a record out of those of a future.
 * @return Whether it stood there: it does not once the future is done, and not
 * when it was removed before. */
static inline bool uva__future_remove(uva_future_t *future,
                                      uva__record_t *record)
{
    uva__record_t *previous = record->previous;

    if (!uva__future_pending(future) || previous == NULL) {
        return false;
    }
    if (previous == record) {
        future->callbacks = NULL;
    } else {
        previous->ready.next = record->ready.next;
        uva__record_of_ready(record->ready.next)->previous = previous;
        if (future->callbacks == record) {
            future->callbacks = previous;
        }
    }
    record->previous = NULL;
    return true;
}

/** Whether futures can be waited for in a loop. NULL and refused ones belong to
 * none. */
bool uva__futures_of_loop(const uva_loop_t *loop,
                          const uva_future_ref_t *futures,
                          size_t count);
/** How the futures of its kind behave; not for NULL and refused ones. */
static inline const uva__kind_ops_t *
uva__future_kind(const uva_future_t *future)
{
    return future->loop->futures.kinds[future->kind];
}

extern const uva__kind_ops_t uva__task_kind;

/** Make a pending future of size bytes. They begin with a uva__plain_future_t,
 * or with a uva__parent_t if the kind has a cancel_next: that part is zeroed,
 * and what follows is not set. @return NULL without memory. */
uva_future_t *
uva__future_new(uva_loop_t *loop, const uva__kind_ops_t *kind, size_t size);
/** Queue the records of a future that was just done: the ring is cut open
 * behind its last and put at the end of the ready queue as it is, so that the
 * order of registration holds. There are some, done callbacks among them were
 * given their references, and the driver knows that work comes. */
UVA__INLINE void uva__future_queue_records(uva_loop_t *loop,
                                           uva_future_t *future)
{
    uva__record_t *last = future->callbacks;

    future->callbacks = NULL;
    *loop->ready.tail = last->ready.next;
    last->ready.next = NULL;
    loop->ready.tail = &last->ready.next;
}

/** End a future and queue its callbacks. */
void uva__future_finish(uva_future_t *future,
                        uva__future_state_t state,
                        int code);
void uva__future_free(uva_future_t *future);
/** Free the memory of a plain future, or of what begins with one and has size
 * bytes. */
void uva__plain_free(uva__plain_future_t *future, size_t size);
static inline uva_future_t *uva__future_ref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED) {
        future->refs++;
    }
    return future;
}

static inline void uva__future_unref(uva_future_t *future)
{
    if (future != NULL && future->kind != UVA__KIND_REFUSED &&
        --future->refs == 0) {
        uva__future_free(future);
    }
}

#endif /* UVA__CORE_FUTURES_H */
