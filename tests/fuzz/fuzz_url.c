/*
 * URLs: one that is accepted makes a request of three parts and a file name,
 * and neither has a byte that may not stand there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good) {
        abort();
    }
}

static void check_request(const url_t *url)
{
    size_t size;
    char *request = url_request(url, &size);
    char *line_end;
    size_t line_count = 0;

    check(request != NULL);
    line_end = strstr(request, "\r\n");
    check(line_end != NULL && strncmp(line_end - 9, " HTTP/1.0", 9) == 0);
    for (const char *c = request + 4; c < line_end - 9; c++) {
        check(*c > 0x20 && *c < 0x7f);
    }
    for (const char *c = request; *c != '\0'; c++) {
        line_count += *c == '\n';
    }
    /* The request, four headers, the empty line. */
    check(line_count == 6 && strlen(request) == size);
    free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char name[32];
    url_t url;

    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (url_parse(&url, text) == NULL) {
        check(url.host[0] != '\0' && strlen(url.port) > 0);
        check_request(&url);
        url_file_name(&url, name, sizeof name);
        check(strlen(name) < sizeof name);
        check(strchr(name, '/') == NULL);
    }
    free(text);
    return 0;
}
