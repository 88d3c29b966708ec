/**
 * @file
 * Version numbers and what this build of the library can do.
 *
 * ABI promise: within one major version the sizes of embedded types and the
 * meaning of every number stay; before 1.0 a minor version may change them.
 */
#ifndef UVA_VERSION_H
#define UVA_VERSION_H

#include "uva/platform.h"

UVA_BEGIN_DECLS

/** The version of these headers. */
#define UVA_VERSION_MAJOR 0
#define UVA_VERSION_MINOR 1 /**< Of the same. */
#define UVA_VERSION_PATCH 0 /**< Of the same. */

/** The same as one number that grows: 0x000100 for 0.1.0. */
#define UVA_VERSION_HEX \
    ((UVA_VERSION_MAJOR << 16) | (UVA_VERSION_MINOR << 8) | UVA_VERSION_PATCH)

/** The same as text. */
#define UVA_VERSION_STRING         \
    UVA__STRING(UVA_VERSION_MAJOR) \
    "." UVA__STRING(UVA_VERSION_MINOR) "." UVA__STRING(UVA_VERSION_PATCH)

/** The version of the library that runs, as UVA_VERSION_HEX. @thread any */
UVA_EXTERN unsigned uva_version(void);

/** The version of the library that runs, as text: "0.1.0". @thread any */
UVA_EXTERN const char *uva_version_string(void);

/** Features of this build on this machine. */
typedef struct uva_features_s {
    const char *guard;       /* How stacks are guarded: "marker", "mprotect",
                                "canary". */
    const char *coro_switch; /* How contexts switch: "x86_64", "aarch64",
                                "ucontext". */
    const char *libuv;       /* Version of the libuv that runs. */
    const char *tools;       /* "none", "asan", "tsan", "valgrind". */
} uva_features_t;

/**
 * Tell how stacks are guarded and how contexts are switched here.
 *
 * @return Static memory.
 * @thread any
 */
UVA_EXTERN const uva_features_t *uva_features(void);

UVA_END_DECLS

#endif /* UVA_VERSION_H */
