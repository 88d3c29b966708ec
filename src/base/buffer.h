/*
 * A growable byte buffer with a hard maximum. The byte behind the last is
 * always 0.
 */
#ifndef UVA__BASE_BUFFER_H
#define UVA__BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

#include "uva/types.h"

/** Copy size bytes behind the last; they may not lie in the buffer itself.
 * @retval UV_ENOMEM  Unchanged.
 * @retval UV_ENOBUFS It would hold more than limit bytes; unchanged. */
int uva__buffer_append(uva_buffer_t *buffer,
                       const void *data,
                       size_t size,
                       size_t limit);
/** Append text. @retval UV_ENOMEM Unchanged. */
int uva__buffer_printf(uva_buffer_t *buffer, const char *format, ...)
    UVA_PRINTF(2, 3);
int uva__buffer_vprintf(uva_buffer_t *buffer, const char *format, va_list list)
    UVA_PRINTF(2, 0);

#endif /* UVA__BASE_BUFFER_H */
