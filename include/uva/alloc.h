/**
 * @file
 * The allocator hook and the log hook: process-wide, set before the first use.
 */
#ifndef UVA_ALLOC_H
#define UVA_ALLOC_H

#include "uva/types.h"

UVA_BEGIN_DECLS

/** An allocator; the functions have the contracts of their namesakes in libc
 * and may be called from any thread. */
typedef struct uva_allocator_s {
    size_t size; /* sizeof(uva_allocator_t). */
    void *(*malloc)(size_t size);
    void *(*realloc)(void *pointer, size_t size);
    void *(*calloc)(size_t count, size_t size);
    void (*free)(void *pointer);
} uva_allocator_t;

enum {
    /** Hand the allocator to libuv as well (uv_replace_allocator). */
    UVA_ALLOCATOR_LIBUV = 1u << 0
};

/**
 * Replace malloc and its kin for everything that the library allocates.
 *
 * Stacks are mapped from the system and do not come from here.
 *
 * @param flags 0 or UVA_ALLOCATOR_LIBUV.
 * @retval UV_EINVAL A function is missing.
 * @retval UV_EBUSY  Something was allocated already.
 * @thread any, but before every other call.
 */
UVA_EXTERN UVA_NODISCARD int uva_set_allocator(const uva_allocator_t *allocator,
                                               unsigned flags);

/** Bytes that the library holds from the allocator. @thread any */
UVA_EXTERN size_t uva_allocated_bytes(void);

/** How grave a record of the log is. */
typedef enum uva_log_level_e {
    UVA_LOG_DEBUG,
    UVA_LOG_INFO,
    UVA_LOG_WARNING,
    UVA_LOG_ERROR
} uva_log_level_t;

/** Receives one record of the log: text without a newline at its end, borrowed
 * for the call. A list in it has its items on lines of their own. Threads that
 * log at the same time call it at the same time. */
typedef void (*uva_log_cb)(uva_log_level_t level, const char *text, void *data);

/**
 * Say where the log goes; NULL silences it.
 *
 * Until the first call warnings and errors go to standard error.
 *
 * @thread any
 */
UVA_EXTERN void uva_set_log(uva_log_cb log, void *data);

UVA_END_DECLS

#endif /* UVA_ALLOC_H */
