/*
 * Error records: text, cause and members of a failure.
 */
#ifndef UVA__BASE_ERRORS_H
#define UVA__BASE_ERRORS_H

#include "uva/errors.h"

/** Whether code is a failure. UVA_PENDING and UVA__YIELD are negative, but mean
 * that a poll has not ended. */
static inline bool uva__code_fails(int code)
{
    return code < 0 && code != UVA_PENDING && code != UVA__YIELD;
}

/** The code of a body that returned r. UVA_PENDING is no end of a body, and
 * becomes UV_EINVAL. */
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

/** The text that the first failure in the chain of causes gave. Borrowed from
 * the record; NULL if no text was given, and for NULL. */
const char *uva__error_words(const uva_error_t *error);

#endif /* UVA__BASE_ERRORS_H */
