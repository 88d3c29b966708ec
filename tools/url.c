/*
 * RFC 3986 as far as http needs it: scheme, host or IPv6 literal, port, path
 * and query. Nothing is decoded: what the user wrote is what is asked for.
 */
#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uva.h>

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static const char *parse_scheme(const char **cursor)
{
    if (strncasecmp(*cursor, "https://", 8) == 0) {
        return "https is not supported, only http";
    }
    if (strncasecmp(*cursor, "http://", 7) != 0) {
        return "not an http:// URL";
    }
    *cursor += 7;
    return NULL;
}

static const char *parse_host(url_t *url, const char **cursor)
{
    const char *text = *cursor;
    size_t size;

    url->is_ipv6 = *text == '[';
    if (url->is_ipv6) {
        text++;
        size = strcspn(text, "]/?#");
        if (text[size] != ']') {
            return "the address has no closing bracket";
        }
        *cursor = text + size + 1;
    } else {
        size = strcspn(text, ":/?#");
        *cursor = text + size;
    }
    if (size == 0) {
        return "the URL has no host";
    }
    if (size > URL_HOST_MAX_BYTES) {
        return "the host name is too long";
    }
    memcpy(url->host, text, size);
    url->host[size] = '\0';
    if (url->is_ipv6) {
        unsigned char address[16];

        return inet_pton(AF_INET6, url->host, address) == 1
                   ? NULL
                   : "not an IPv6 address in the brackets";
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_host_char(url->host[i])) {
            return "the host name has a character that none may have";
        }
    }
    return NULL;
}

static const char *parse_port(url_t *url, const char **cursor)
{
    const char *text = *cursor;
    size_t size = strcspn(text, "/?#");
    long port = 0;

    *cursor = text + size;
    if (size > 0 && *text != ':') {
        return "no port or path after the address";
    }
    if (size <= 1) {
        memcpy(url->port, "80", 3);
        return NULL;
    }
    for (size_t i = 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return "the port is no number";
        }
        port = port * 10 + (text[i] - '0');
        if (port > 65535) {
            break;
        }
    }
    if (port < 1 || port > 65535) {
        return "the port is out of range, 1 to 65535";
    }
    snprintf(url->port, sizeof url->port, "%ld", port);
    return NULL;
}

const char *url_parse(url_t *url, const char *text)
{
    const char *cursor = text;
    const char *problem;

    if (strlen(text) > URL_MAX_BYTES) {
        return "the URL is too long";
    }
    problem = parse_scheme(&cursor);
    if (problem != NULL) {
        return problem;
    }
    /* Up to the first slash, and no further: one may stand in a path. */
    if (memchr(cursor, '@', strcspn(cursor, "/?#")) != NULL) {
        return "a user name in the URL is not supported";
    }
    problem = parse_host(url, &cursor);
    if (problem == NULL) {
        problem = parse_port(url, &cursor);
    }
    url->target = cursor;
    url->target_bytes = strcspn(cursor, "#");
    return problem;
}

/* Append the target; room for three times its size is there. */
static size_t target_encode(const url_t *url, char *ret_text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *end = ret_text;

    if (url->target_bytes == 0 || url->target[0] != '/') {
        *end++ = '/';
    }
    for (size_t i = 0; i < url->target_bytes; i++) {
        unsigned char c = (unsigned char)url->target[i];

        if (c > 0x20 && c < 0x7f) {
            *end++ = (char)c;
        } else {
            *end++ = '%';
            *end++ = hex[c >> 4];
            *end++ = hex[c & 15];
        }
    }
    return (size_t)(end - ret_text);
}

char *url_request(const url_t *url, size_t *ret_bytes)
{
    size_t room = 3 * url->target_bytes + sizeof url->host + 256;
    char *text = malloc(room);
    bool is_default = strcmp(url->port, "80") == 0;
    size_t size = 4;
    int r;

    if (text == NULL) {
        return NULL;
    }
    memcpy(text, "GET ", size);
    size += target_encode(url, text + size);
    r = snprintf(text + size, room - size,
                 " HTTP/1.0\r\nHost: %s%s%s%s%s\r\n"
                 "User-Agent: uva/%s\r\nAccept: */*\r\n"
                 "Connection: close\r\n\r\n",
                 url->is_ipv6 ? "[" : "", url->host, url->is_ipv6 ? "]" : "",
                 is_default ? "" : ":", is_default ? "" : url->port,
                 uva_version_string());
    *ret_bytes = size + (size_t)r;
    return text;
}

void url_file_name(const url_t *url, char *ret_name, size_t room)
{
    size_t size = url->target_bytes;
    const char *query = memchr(url->target, '?', size);
    size_t begin;
    size_t kept = 0;

    if (query != NULL) {
        size = (size_t)(query - url->target);
    }
    begin = size;
    while (begin > 0 && url->target[begin - 1] != '/') {
        begin--;
    }
    for (; begin < size && kept + 1 < room; begin++) {
        if (is_host_char(url->target[begin])) {
            ret_name[kept++] = url->target[begin];
        }
    }
    ret_name[kept] = '\0';
}
