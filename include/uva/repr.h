/**
 * @file
 * Locks and queues as text for people.
 */
#ifndef UVA_REPR_H
#define UVA_REPR_H

#include "uva/locks.h"
#include "uva/queues.h"

UVA_BEGIN_DECLS

/** private */
UVA_EXTERN size_t uva__lock_repr(const uva_lock_t *lock,
                                 char *text,
                                 size_t size);
/** private */
UVA_EXTERN size_t uva__event_repr(const uva_event_t *event,
                                  char *text,
                                  size_t size);
/** private */
UVA_EXTERN size_t uva__condition_repr(const uva_condition_t *condition,
                                      char *text,
                                      size_t size);
/** private */
UVA_EXTERN size_t uva__semaphore_repr(const uva_semaphore_t *semaphore,
                                      char *text,
                                      size_t size);
/** private */
UVA_EXTERN size_t uva__barrier_repr(const uva_barrier_t *barrier,
                                    char *text,
                                    size_t size);
/** private */
UVA_EXTERN size_t uva__queue_repr(const uva_queue_t *queue,
                                  char *text,
                                  size_t size);

UVA_END_DECLS

/**
 * Describe a lock, an event, a condition, a semaphore, a barrier or a queue for
 * people, as asyncio's repr does: "<Lock object at 0x55e0 [locked,
 * waiters:2]>", "<Queue at 0x55e0 maxsize=2 size=1 getters[1]>", what is 0 left
 * out but maxsize.
 *
 * uva_repr(&lock, text, size): text has room for size bytes, and is cut if need
 * be, always with a 0 behind.
 *
 * @return How many bytes the whole text has, without its 0.
 */
#ifdef __cplusplus
#    define UVA__REPR(type)                                         \
        static inline size_t uva_repr(const uva_##type##_t *object, \
                                      char *text, size_t size)      \
        {                                                           \
            return uva__##type##_repr(object, text, size);          \
        }
UVA__REPR(lock)
UVA__REPR(event)
UVA__REPR(condition)
UVA__REPR(semaphore)
UVA__REPR(barrier)
UVA__REPR(queue)
#else
#    define UVA__REPR(type)                    \
        uva_##type##_t * : uva__##type##_repr, \
                           const uva_##type##_t * : uva__##type##_repr
#    define uva_repr(object, text, size)                       \
        (_Generic((object), UVA__REPR(lock), UVA__REPR(event), \
                  UVA__REPR(condition), UVA__REPR(semaphore),  \
                  UVA__REPR(barrier), UVA__REPR(queue))(object, text, size))
#endif

#endif /* UVA_REPR_H */
