/*
 * http:// URLs: taking them apart, and the request for one.
 */
#ifndef UVA_TOOLS_URL_H
#define UVA_TOOLS_URL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    URL_MAX_BYTES = 8192,
    URL_HOST_MAX_BYTES = 255
};

/** Where a page is. The pointers are borrowed from the text that was taken
 * apart. */
typedef struct url_s {
    char host[URL_HOST_MAX_BYTES + 1]; /* Without the brackets of IPv6. */
    char port[6];                      /* "1" to "65535". */
    bool is_ipv6;                      /* The host is an IPv6 literal. */
    const char *target;                /* Path and query, as they stand; empty
                                          or a query alone means "/" first. */
    size_t target_bytes;
} url_t;

/** Take a URL apart. @return NULL, or why it cannot be fetched. */
const char *url_parse(url_t *url, const char *text);

/**
 * The HTTP/1.0 request for a URL. What may not stand in a request line is
 * percent-encoded, so that no URL adds a header.
 *
 * @param[out] ret_bytes Its length.
 * @return Owned, from malloc; NULL without memory.
 */
char *url_request(const url_t *url, size_t *ret_bytes);

/**
 * The last part of the path with what [A-Za-z0-9._-] allows, cut to fit.
 *
 * @param[out] ret_name May become empty.
 */
void url_file_name(const url_t *url, char *ret_name, size_t room);

#endif /* UVA_TOOLS_URL_H */
