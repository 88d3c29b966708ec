/*
 * Reads the answer of an HTTP/1.0 server in pieces, as they come: status line,
 * header, body. It has no input and no output of its own and allocates
 * nothing.
 */
#ifndef UVA_TOOLS_HTTP_READER_H
#define UVA_TOOLS_HTTP_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uva.h>

enum {
    /** Status line and header together, interim answers included. */
    HTTP_HEAD_MAX_BYTES = 64 * 1024,
    /** What is kept of a line; no header that matters is longer. */
    HTTP_LINE_KEPT_BYTES = 256
};

/** What can be wrong with an answer. */
enum {
    HTTP_ENOTHTTP = UVA_EUSER,    /* It does not begin as one. */
    HTTP_EHEADER = UVA_EUSER - 1, /* A header line is malformed. */
    HTTP_EHEADLONG = UVA_EUSER - 2,
    HTTP_EBODYLONG = UVA_EUSER - 3,
    HTTP_ECODING = UVA_EUSER - 4,   /* A transfer coding, which 1.0 lacks. */
    HTTP_ENOANSWER = UVA_EUSER - 5, /* The stream ended before a byte, */
    HTTP_EHEADEND = UVA_EUSER - 6,  /* within the header, */
    HTTP_EBODYEND = UVA_EUSER - 7   /* before the Content-Length. */
};

typedef struct http_reader_s {
    int status;          /* 100 to 999; 0 before it is known. */
    bool has_length;     /* Whether there is a Content-Length, */
    uint64_t length;     /* and which, in bytes. */
    uint64_t body_bytes; /* Of the body, so far. */
    /* private */
    uint64_t body_max_bytes;
    size_t head_bytes;
    size_t line_bytes; /* May be more than what is kept. */
    int state;
    bool line_whole; /* Unless the next byte says that a header goes on. */
    bool after_cr;   /* The last byte was one: only a newline may follow. */
    char line[HTTP_LINE_KEPT_BYTES];
} http_reader_t;

/** Begin with an answer whose body may have body_max_bytes. */
void http_reader_init(http_reader_t *reader, uint64_t body_max_bytes);

/**
 * Take the next bytes of the stream.
 *
 * @param[out] ret_body The part of data that belongs to the body; may be
 *                      empty.
 * @retval 1 The answer is complete; what follows is no part of it.
 * @retval 0 More bytes are wanted, or the end of the stream.
 * @return Or one of the codes above; the reader is of no more use then.
 */
int http_reader_feed(http_reader_t *reader,
                     const void *data,
                     size_t size,
                     uva_bytes_t *ret_body);

/** Say that the stream has ended.
 * @return 0 if the answer is complete, or one of the codes above. */
int http_reader_end(const http_reader_t *reader);

/** What one of the codes above means; NULL for any other. */
const char *http_strerror(int code);

#endif /* UVA_TOOLS_HTTP_READER_H */
