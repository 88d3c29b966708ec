/*
 * Error records: text, cause and members of a failure.
 */
#ifndef UVA__BASE_ERRORS_H
#define UVA__BASE_ERRORS_H

#include <stdarg.h>

#include "uva/errors.h"

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

#endif /* UVA__BASE_ERRORS_H */
