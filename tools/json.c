/*
 * Strings of JSON. Command lines hold any bytes, JSON is UTF-8: what is none
 * must not get through.
 */
#include "json.h"

#include <stddef.h>

/* How many bytes the UTF-8 character at text has; 0 if it is none. The order
 * of the checks keeps them from reading behind the terminating zero. */
static size_t utf8_bytes(const unsigned char *text)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned long code;
    size_t size;

    if (text[0] < 0x80) {
        return 1;
    }
    if (text[0] < 0xc0 || text[0] >= 0xf8) {
        return 0;
    }
    size = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    code = text[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3fu);
    }
    if (code < least[size] || code > 0x10ffff ||
        (code >= 0xd800 && code <= 0xdfff)) {
        return 0;
    }
    return size;
}

void json_string(FILE *out, const char *text)
{
    const unsigned char *cursor = (const unsigned char *)text;

    if (text == NULL) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    while (*cursor != '\0') {
        size_t size = utf8_bytes(cursor);

        if (size == 0) {
            fputs("\\ufffd", out);
            size = 1;
        } else if (*cursor == '"' || *cursor == '\\') {
            fprintf(out, "\\%c", *cursor);
        } else if (*cursor < 0x20 || *cursor == 0x7f) {
            fprintf(out, "\\u%04x", *cursor);
        } else {
            fwrite(cursor, 1, size, out);
        }
        cursor += size;
    }
    fputc('"', out);
}
