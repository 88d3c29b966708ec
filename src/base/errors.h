/*
 * Error records: text, cause and members of a failure.
 */
#ifndef UVA__BASE_ERRORS_H
#define UVA__BASE_ERRORS_H

#include <stdarg.h>

#include "uva/errors.h"

/** Whether something can fail with code: it is negative, and says of no poll
 * that it goes on. */
static inline bool uva__code_fails(int code)
{
    return code < 0 && code != UVA_PENDING && code != UVA__YIELD;
}

/** The code that a body ends with which returned r: UVA_PENDING becomes
 * UV_EINVAL. */
static inline int uva__code_of_body(int r)
{
    return r < 0 && !uva__code_fails(r) ? UV_EINVAL : r;
}

/**
 * Make a record.
 *
 * @param take_text  Owned text from uva__malloc, or NULL.
 * @param take_cause A reference, or NULL.
 * @return New reference; NULL without memory, then both are freed.
 */
uva_error_t *uva__error_new(int code, char *take_text, uva_error_t *take_cause);

/** A record of a group.
 * @param take_members  Owned array from uva__malloc of owned references.
 * @return New reference; NULL without memory, and nothing was taken. */
uva_error_t *uva__error_group_new(uva_error_t **take_members, size_t count);

/** The words of whoever failed first; NULL if nobody said, or for NULL. */
const char *uva__error_words(const uva_error_t *error);

#endif /* UVA__BASE_ERRORS_H */
