/*
 * vsnprintf, with sizes that cannot be negative: no caller needs a branch for a
 * format that fails, which gives an empty text here.
 */
#include "base/format.h"

#include <stdio.h>

#include "base/alloc.h"

size_t uva__vformat(char *text, size_t size, const char *format, va_list list)
{
    int length = vsnprintf(text, size, format, list);

    return length < 0 ? 0 : (size_t)length;
}

size_t uva__format(char *text, size_t size, const char *format, ...)
{
    va_list list;
    size_t length;

    va_start(list, format);
    length = uva__vformat(text, size, format, list);
    va_end(list);
    return length;
}

/* Formats twice: the first time into nothing, to learn the size. */
char *uva__vformat_new(const char *format, va_list list)
{
    va_list again;
    size_t size;
    char *text;

    va_copy(again, list);
    size = uva__vformat(NULL, 0, format, again);
    va_end(again);
    text = uva__malloc(size + 1);
    if (text != NULL) {
        (void)uva__vformat(text, size + 1, format, list);
    }
    return text;
}

char *uva__format_new(const char *format, ...)
{
    va_list list;
    char *text;

    va_start(list, format);
    text = uva__vformat_new(format, list);
    va_end(list);
    return text;
}
