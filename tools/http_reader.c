/*
 * An answer is lines up to an empty one, then the body. The invariant: line
 * holds the beginning of the line that is being read, line_bytes is its true
 * length, and only a whole line moves the state. A header that is folded is one
 * line: it is whole when the next line does not begin with a blank.
 */
#include "http_reader.h"

#include <string.h>
#include <strings.h>

typedef enum state_e {
    STATE_STATUS, /* In the status line. */
    STATE_HEADER, /* In a header line. */
    STATE_BODY,
    STATE_DONE
} state_t;

static const char version[] = "HTTP/1.";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9110, 5.6.2: what the name of a header is made of. */
static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !is_digit(c) &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return size > 0;
}

/* Whether what there is of the line may become a status line: bytes that are
 * no HTTP are told at once, not when a newline or the limit comes. */
static bool status_is_possible(const http_reader_t *reader)
{
    size_t size = reader->line_bytes;

    if (size > sizeof version - 1) {
        size = sizeof version - 1;
    }
    return memcmp(reader->line, version, size) == 0;
}

/* "HTTP/1.1 200" and, after a space, anything. */
static int status_line(http_reader_t *reader)
{
    const char *line = reader->line;
    const char *code = line + sizeof version + 1;
    size_t size = reader->line_bytes;

    reader->line_bytes = 0;
    if (size < sizeof version + 4 || !is_digit(line[sizeof version - 1]) ||
        line[sizeof version] != ' ' || code[0] < '1' || !is_digit(code[0]) ||
        !is_digit(code[1]) || !is_digit(code[2]) ||
        (size > sizeof version + 4 && code[3] != ' ')) {
        return HTTP_ENOTHTTP;
    }
    reader->status =
        (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
    reader->state = STATE_HEADER;
    return 0;
}

static int length_header(http_reader_t *reader, const char *text, size_t size)
{
    uint64_t length = 0;

    if (size == 0) {
        return HTTP_EHEADER;
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]) || length > (UINT64_MAX - 9) / 10) {
            return HTTP_EHEADER;
        }
        length = length * 10 + (uint64_t)(text[i] - '0');
    }
    /* Two that differ: nobody knows where the body ends. */
    if (reader->has_length && reader->length != length) {
        return HTTP_EHEADER;
    }
    reader->has_length = true;
    reader->length = length;
    return 0;
}

static bool is_named(const char *text, size_t size, const char *name)
{
    return size == strlen(name) && strncasecmp(text, name, size) == 0;
}

/* The whole of a header. */
static int header_line(http_reader_t *reader)
{
    bool cut = reader->line_bytes > sizeof reader->line;
    size_t size = cut ? sizeof reader->line : reader->line_bytes;
    const char *line = reader->line;
    const char *colon = memchr(line, ':', size);
    const char *end = line + size;
    const char *value;
    size_t name_size;

    reader->line_bytes = 0;
    reader->line_whole = false;
    if (colon == NULL || !is_token(line, (size_t)(colon - line))) {
        return HTTP_EHEADER;
    }
    name_size = (size_t)(colon - line);
    value = colon + 1;
    while (value < end && is_blank(*value)) {
        value++;
    }
    while (end > value && is_blank(end[-1])) {
        end--;
    }
    if (is_named(line, name_size, "content-length")) {
        return cut ? HTTP_EHEADER
                   : length_header(reader, value, (size_t)(end - value));
    }
    if (is_named(line, name_size, "transfer-encoding") &&
        !is_named(value, (size_t)(end - value), "identity")) {
        return HTTP_ECODING;
    }
    return 0;
}

/* The empty line. */
static int head_end(http_reader_t *reader)
{
    if (reader->status < 200 && reader->status != 101) {
        reader->state = STATE_STATUS; /* An interim answer: one more comes. */
        reader->status = 0;
        reader->has_length = false;
        return 0;
    }
    if (reader->status == 204 || reader->status == 304) {
        reader->has_length = true; /* They have no body, whatever they say. */
        reader->length = 0;
    }
    if (reader->has_length && reader->length > reader->body_max_bytes) {
        return HTTP_EBODYLONG;
    }
    reader->state = STATE_BODY;
    return 0;
}

/* A line without its newline. */
static int line_end(http_reader_t *reader)
{
    bool kept = reader->line_bytes <= sizeof reader->line;

    if (kept && reader->line_bytes > 0 &&
        reader->line[reader->line_bytes - 1] == '\r') {
        reader->line_bytes--;
    }
    if (reader->state == STATE_HEADER && reader->line_bytes > 0) {
        reader->line_whole = true;
        return 0;
    }
    if (reader->state == STATE_HEADER) {
        return head_end(reader);
    }
    return status_line(reader);
}

/* RFC 9110, 5.5: a NUL, or a CR that ends no line, may mean one thing to us and
 * another to whoever else reads the answer. */
static bool
line_is_text(http_reader_t *reader, const char *data, size_t size, bool ends)
{
    const char *cr = memchr(data, '\r', size);
    bool broken = reader->after_cr && size > 0;

    reader->after_cr = cr != NULL && !ends;
    return !broken && (cr == NULL || cr == data + size - 1) &&
           memchr(data, '\0', size) == NULL;
}

/* Take bytes up to the end of a line. @return How many, or a code. */
static ptrdiff_t line_feed(http_reader_t *reader, const char *data, size_t size)
{
    const char *newline = memchr(data, '\n', size);
    size_t line_size = newline != NULL ? (size_t)(newline - data) : size;
    size_t taken = newline != NULL ? line_size + 1 : size;
    size_t most = HTTP_HEAD_MAX_BYTES - reader->head_bytes;
    int r = 0;

    if (reader->line_whole && is_blank(data[0])) {
        reader->line_whole = false; /* It goes on, behind that blank. */
    } else if (reader->line_whole) {
        r = header_line(reader);
    }
    if (r < 0) {
        return r;
    }
    if (reader->line_bytes < sizeof reader->line) {
        size_t room = sizeof reader->line - reader->line_bytes;

        memcpy(reader->line + reader->line_bytes, data,
               line_size < room ? line_size : room);
    }
    reader->line_bytes += line_size;
    if (reader->state == STATE_STATUS && !status_is_possible(reader)) {
        return HTTP_ENOTHTTP;
    }
    /* Not beyond the limit: the answer must not hang on how it is cut. */
    if (!line_is_text(reader, data, line_size < most ? line_size : most,
                      newline != NULL && taken <= most)) {
        return reader->state == STATE_STATUS ? HTTP_ENOTHTTP : HTTP_EHEADER;
    }
    if (taken > most) {
        return HTTP_EHEADLONG;
    }
    reader->head_bytes += taken;
    r = newline != NULL ? line_end(reader) : 0;
    return r < 0 ? r : (ptrdiff_t)taken;
}

static int body_feed(http_reader_t *reader,
                     const uint8_t *data,
                     size_t size,
                     uva_bytes_t *ret_body)
{
    if (reader->has_length && size > reader->length - reader->body_bytes) {
        size = (size_t)(reader->length - reader->body_bytes);
    }
    if (size > reader->body_max_bytes - reader->body_bytes) {
        return HTTP_EBODYLONG;
    }
    reader->body_bytes += size;
    ret_body->data = data;
    ret_body->size = size;
    if (reader->has_length && reader->body_bytes == reader->length) {
        reader->state = STATE_DONE;
        return 1;
    }
    return 0;
}

void http_reader_init(http_reader_t *reader, uint64_t body_max_bytes)
{
    memset(reader, 0, sizeof *reader);
    reader->body_max_bytes = body_max_bytes;
}

int http_reader_feed(http_reader_t *reader,
                     const void *data,
                     size_t size,
                     uva_bytes_t *ret_body)
{
    const uint8_t *bytes = data;

    ret_body->data = bytes;
    ret_body->size = 0;
    while (size > 0 && reader->state < STATE_BODY) {
        ptrdiff_t taken = line_feed(reader, (const char *)bytes, size);

        if (taken < 0) {
            return (int)taken;
        }
        bytes += taken;
        size -= (size_t)taken;
    }
    /* Without bytes too: an empty body is complete with its header. */
    if (reader->state == STATE_BODY) {
        return body_feed(reader, bytes, size, ret_body);
    }
    return reader->state == STATE_DONE;
}

int http_reader_end(const http_reader_t *reader)
{
    if (reader->head_bytes == 0) {
        return HTTP_ENOANSWER;
    }
    if (reader->state < STATE_BODY) {
        return HTTP_EHEADEND;
    }
    if (reader->has_length && reader->body_bytes < reader->length) {
        return HTTP_EBODYEND;
    }
    return 0;
}

const char *http_strerror(int code)
{
    switch (code) {
    case HTTP_ENOTHTTP:
        return "the answer is no HTTP";
    case HTTP_EHEADER:
        return "the answer has a malformed header";
    case HTTP_EHEADLONG:
        return "the header of the answer is too long";
    case HTTP_EBODYLONG:
        return "the body is longer than --max-body allows";
    case HTTP_ECODING:
        return "the answer has a transfer coding, which HTTP/1.0 lacks";
    case HTTP_ENOANSWER:
        return "the server closed the connection without an answer";
    case HTTP_EHEADEND:
        return "the answer ends within its header";
    case HTTP_EBODYEND:
        return "the body is shorter than its Content-Length";
    default:
        return NULL;
    }
}
