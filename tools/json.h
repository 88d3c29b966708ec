/*
 * The one part of writing JSON that is not printf.
 */
#ifndef UVA_TOOLS_JSON_H
#define UVA_TOOLS_JSON_H

#include <stdio.h>

/** Print text as a JSON string; NULL as null. Bytes that are no UTF-8 become
 * U+FFFD. */
void json_string(FILE *out, const char *text);

#endif /* UVA_TOOLS_JSON_H */
