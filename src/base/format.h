/*
 * Formatted text into memory: the one place that calls printf's family.
 */
#ifndef UVA__BASE_FORMAT_H
#define UVA__BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "uva/platform.h"

/** Format into size bytes, cut if need be, always with a 0 behind (unless size
 * is 0). @return Bytes that the whole text has, without its 0. */
size_t uva__format(char *text, size_t size, const char *format, ...)
    UVA_PRINTF(3, 4);
size_t uva__vformat(char *text, size_t size, const char *format, va_list list)
    UVA_PRINTF(3, 0);
/** Format into memory of its own, which the caller frees with uva__free; NULL
 * without memory. */
char *uva__vformat_new(const char *format, va_list list) UVA_PRINTF(1, 0);
char *uva__format_new(const char *format, ...) UVA_PRINTF(1, 2);

#endif /* UVA__BASE_FORMAT_H */
