/*
 * Assertions on a ladder: UVA_ASSERT_LEVEL 0 none, 1 cheap ones (the default),
 * 2 checks that cost something (dev and sanitizer builds). They check what the
 * library promises itself, and misuse that asyncio does not define; an error
 * that a caller can make or meet returns a code instead.
 */
#ifndef UVA__BASE_ASSERT_H
#define UVA__BASE_ASSERT_H

#include "base/util.h"

#ifndef UVA_ASSERT_LEVEL
#    define UVA_ASSERT_LEVEL 1
#endif

/** Write one line to standard error and abort. here: "file:line", static. */
_Noreturn void uva__assert_failed(const char *condition, const char *here);

/* A check that is switched off is still compiled, but not run: what it names
 * counts as used, and cannot rot. */
#if UVA_ASSERT_LEVEL >= 1
#    define UVA__ASSERT(condition)        \
        (UVA__LIKELY(condition) ? (void)0 \
                                : uva__assert_failed(#condition, UVA__HERE))
#else
#    define UVA__ASSERT(condition) ((void)sizeof(condition))
#endif

#if UVA_ASSERT_LEVEL >= 2
#    define UVA__ASSERT2(condition) UVA__ASSERT(condition)
#else
#    define UVA__ASSERT2(condition) ((void)sizeof(condition))
#endif

#endif /* UVA__BASE_ASSERT_H */
