/*
 * Small macros that every floor needs.
 */
#ifndef UVA__BASE_UTIL_H
#define UVA__BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "uva/platform.h"

#if defined(__GNUC__)
#    define UVA__LIKELY(condition)   __builtin_expect(!!(condition), 1)
#    define UVA__UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#    define UVA__NOINLINE            __attribute__((noinline))
/* For functions whose callers were measured with them inline; elsewhere the
 * compiler decides. */
#    define UVA__INLINE static inline __attribute__((always_inline))
/* A function that runs when the program begins. */
#    define UVA__AT_START(name)                              \
        __attribute__((constructor)) static void name(void); \
        static void name(void)
/* Thread-local data of the library: one fixed offset, no call. */
#    define UVA__TLS _Thread_local __attribute__((tls_model("initial-exec")))
#else
#    define UVA__LIKELY(condition)   (condition)
#    define UVA__UNLIKELY(condition) (condition)
#    define UVA__NOINLINE
#    define UVA__INLINE         static inline
#    define UVA__AT_START(name) static inline void name(void)
#    define UVA__TLS            _Thread_local
#endif

/** The object of a type, of which pointer is the address of a member. Casts
 * const away: the result is as changeable as the object is. */
#define UVA__CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/**
 * Copy the options of a user, whose program may be older than the library: it
 * has fewer members then, and the others are 0, which is their default.
 *
 * @param ret_options Of size bytes.
 * @param first_size  Of the struct in the first version that has it.
 * @param options     Its first member is its size in the user's program.
 * @return Whether the size is that of a version.
 */
static inline bool uva__options_copy(void *ret_options,
                                     size_t size,
                                     size_t first_size,
                                     const void *options)
{
    size_t has;

    memcpy(&has, options, sizeof has);
    if (has < first_size) {
        return false;
    }
    memset(ret_options, 0, size);
    memcpy(ret_options, options, has < size ? has : size);
    return true;
}

/** How many elements an array has; not for pointers. */
#define UVA__COUNT(array) (sizeof(array) / sizeof *(array))

/** Begin to load the line of cache at an address, which is to be written. */
#if defined(__GNUC__)
#    define UVA__PREFETCH(address) __builtin_prefetch(address, 1)
#else
#    define UVA__PREFETCH(address) ((void)(address))
#endif

#endif /* UVA__BASE_UTIL_H */
