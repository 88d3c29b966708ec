/**
 * @file
 * Forward names of every opaque type, so that no header includes another only
 * to name a pointer; the list link and the byte view that many of them embed.
 */
#ifndef UVA_TYPES_H
#define UVA_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uva/platform.h"

UVA_BEGIN_DECLS

typedef struct uva_loop_s uva_loop_t;           /**< events.h; counted. */
typedef struct uva_handle_s uva_handle_t;       /**< events.h; counted. */
typedef struct uva_future_s uva_future_t;       /**< futures.h; counted. */
typedef struct uva_task_s uva_task_t;           /**< tasks.h; counted. */
typedef struct uva_waiter_s uva_waiter_t;       /**< futures.h; a task's. */
typedef struct uva_error_s uva_error_t;         /**< errors.h; counted. */
typedef struct uva_context_s uva_context_t;     /**< context.h; counted. */
typedef struct uva_coroutine_s uva_coroutine_t; /**< coroutines.h; counted. */
typedef struct uva_promise_s uva_promise_t;     /**< promises.h; counted. */
typedef struct uva_executor_s uva_executor_t;   /**< executors.h; counted. */
typedef struct uva_job_s uva_job_t;             /**< executors.h; counted. */
typedef struct uva_server_s uva_server_t;       /**< sockets.h; counted. */
typedef struct uva_transport_s uva_transport_t; /**< transports.h; counted. */
/** filters.h; a struct of the user's. */
typedef struct uva_filter_kind_s uva_filter_kind_t;
typedef struct uva_reader_s uva_reader_t; /**< streams.h; counted. */
typedef struct uva_writer_s uva_writer_t; /**< streams.h; counted. */

/** An element of an array of futures, whatever tasks it was declared with. */
typedef uva_future_t *UVA__MAY_ALIAS uva_future_ref_t;

/** A link of an intrusive circular list, or its head. */
typedef struct uva_list_s {
    /* private */
    struct uva_list_s *next;
    struct uva_list_s *prev;
} uva_list_t;

/** private: a node of a loop's ready queue; ops says what it is. */
typedef struct uva__ready_s {
    struct uva__ready_s *next;
    const struct uva__ready_ops_s *ops;
} uva__ready_t;

/** private: a deadline, in the timer heap, in a slot of the wheel, or among
 * those that are due. */
typedef struct uva__timer_s {
    union {
        size_t index; /* In the heap. */
        struct {
            void *entry;
            size_t slot;
        } wheel;
        uva_list_t link; /* Of those due. */
    } at;
    uint64_t when_ns;
    uint64_t sequence;    /* Equal deadlines fire in this order. */
    uva_waiter_t *waiter; /* Whom fire wakes; NULL if it does something else. */
    void (*fire)(struct uva__timer_s *timer);
    int state; /* 0 idle, 1 in the heap, 2 due, 3 in the wheel. */
} uva__timer_t;

/** A borrowed view of bytes; the function that gives it says how long it
 * lives. */
typedef struct uva_bytes_s {
    const uint8_t *data;
    size_t size;
} uva_bytes_t;

/**
 * Bytes that their holder owns. Zero-initialise, or let a reader fill it; free
 * with uva_buffer_clear. The byte behind the last is always 0, so that text
 * can be used as a C string.
 */
typedef struct uva_buffer_s {
    uint8_t *data; /* Owned, and not from malloc: never freed alone. NULL when
                      nothing was ever stored. */
    size_t size;   /* Bytes in use. */
    /* private */
    size_t capacity;
} uva_buffer_t;

/** Free the bytes of a buffer and make it empty again. @thread any */
UVA_EXTERN void uva_buffer_clear(uva_buffer_t *buffer);

/** How one of several awaited things ended. */
typedef struct uva_result_s {
    int status;  /* 0, or the negative code of its failure. */
    void *value; /* Its result; NULL when it failed. */
} uva_result_t;

/** Frees what a void pointer stands for; called exactly once. */
typedef void (*uva_destroy_cb)(void *value);

UVA_END_DECLS

#endif /* UVA_TYPES_H */
