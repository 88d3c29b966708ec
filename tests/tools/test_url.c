/*
 * URLs, the requests and the file names made of them, JSON strings.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "url.h"
#include "uva_test.h"

static url_t parse(const char *text)
{
    url_t url;
    const char *problem = url_parse(&url, text);

    ck_assert_msg(problem == NULL, "%s: %s", text, problem);
    return url;
}

static void check_parts(const char *text,
                        const char *host,
                        const char *port,
                        const char *target)
{
    url_t url = parse(text);

    ck_assert_str_eq(url.host, host);
    ck_assert_str_eq(url.port, port);
    ck_assert_uint_eq(url.target_bytes, strlen(target));
    ck_assert_int_eq(memcmp(url.target, target, url.target_bytes), 0);
}

START_TEST(parts)
{
    check_parts("http://a", "a", "80", "");
    check_parts("HTTP://a.b-c_d:8080/x/y?q=1#part", "a.b-c_d", "8080",
                "/x/y?q=1");
    check_parts("http://a:/", "a", "80", "/");
    check_parts("http://a:00081/", "a", "81", "/");
    check_parts("http://a?q", "a", "80", "?q");
    check_parts("http://a#f/x", "a", "80", "");
    check_parts("http://1.2.3.4:65535/?@:[]", "1.2.3.4", "65535", "/?@:[]");
    check_parts("http://[::1]", "::1", "80", "");
    check_parts("http://[fe80::1]:81/z", "fe80::1", "81", "/z");
    ck_assert(parse("http://[::1]").is_ipv6);
    ck_assert(!parse("http://a/[::1]").is_ipv6);
}
END_TEST

START_TEST(refused)
{
    static const char *const texts[][2] = {
        {"", "not an http:// URL"},
        {"a/b", "not an http:// URL"},
        {"ftp://a/", "not an http:// URL"},
        {"http:/a", "not an http:// URL"},
        {"https://a/", "https is not supported, only http"},
        {"HTTPS://a/", "https is not supported, only http"},
        {"http://", "the URL has no host"},
        {"http:///x", "the URL has no host"},
        {"http://:80/", "the URL has no host"},
        {"http://[]/", "the URL has no host"},
        {"http://[::1/", "the address has no closing bracket"},
        {"http://[::g]/", "not an IPv6 address in the brackets"},
        {"http://[1.2.3.4]/", "not an IPv6 address in the brackets"},
        {"http://[::1]x/", "no port or path after the address"},
        {"http://a b/", "the host name has a character that none may have"},
        {"http://a:8\r\nX:y/", "the port is no number"},
        {"http://a\r\n/", "the host name has a character that none may have"},
        {"http://\xc3\xa4/",
         "the host name has a character that none may have"},
        {"http://a:0/", "the port is out of range, 1 to 65535"},
        {"http://a:65536/", "the port is out of range, 1 to 65535"},
        {"http://a:99999999999999999999/",
         "the port is out of range, 1 to 65535"},
        {"http://a:80x/", "the port is no number"},
        {"http://a:-1/", "the port is no number"},
        {"http://a:1:2/", "the port is no number"},
        {"http://u:p@a/", "a user name in the URL is not supported"},
    };
    url_t url;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *problem = url_parse(&url, texts[i][0]);

        ck_assert_msg(problem != NULL, "accepted: %s", texts[i][0]);
        ck_assert_str_eq(problem, texts[i][1]);
    }
}
END_TEST

START_TEST(limits)
{
    static char text[URL_MAX_BYTES + 2];
    url_t url;

    memset(text, 'a', sizeof text - 1);
    memcpy(text, "http://", 7);
    ck_assert_str_eq(url_parse(&url, text), "the URL is too long");
    text[7 + URL_HOST_MAX_BYTES + 1] = '\0';
    ck_assert_str_eq(url_parse(&url, text), "the host name is too long");
    text[7 + URL_HOST_MAX_BYTES] = '\0';
    ck_assert_uint_eq(strlen(parse(text).host), URL_HOST_MAX_BYTES);
}
END_TEST

static void check_request(const char *text, const char *line, const char *host)
{
    url_t url = parse(text);
    char expected[512];
    size_t size;
    char *request = url_request(&url, &size);

    ck_assert_ptr_nonnull(request);
    ck_assert_uint_eq(strlen(request), size);
    snprintf(expected, sizeof expected, "GET %s HTTP/1.0\r\nHost: %s\r\n", line,
             host);
    ck_assert_msg(strncmp(request, expected, strlen(expected)) == 0, "%s",
                  request);
    ck_assert_str_eq(request + size - 4, "\r\n\r\n");
    free(request);
}

START_TEST(requests)
{
    check_request("http://a", "/", "a");
    check_request("http://a?q", "/?q", "a");
    check_request("http://a:80/x#y", "/x", "a");
    check_request("http://a:81/%20\"~", "/%20\"~", "a:81");
    check_request("http://[::1]:81/", "/", "[::1]:81");
    /* Nothing gets out of the request line. */
    check_request("http://a/b c\r\nX: y\x7f\xc3\xa4",
                  "/b%20c%0D%0AX:%20y%7F%C3%A4", "a");
}
END_TEST

/* Every byte may need three. */
START_TEST(longest_request)
{
    static char text[URL_MAX_BYTES + 1];
    url_t url;
    size_t size;
    char *request;

    memset(text, '\x01', sizeof text - 1);
    memcpy(text, "http://a?", 9);
    url = parse(text);
    request = url_request(&url, &size);
    ck_assert_ptr_nonnull(request);
    ck_assert_uint_eq(strlen(request), size);
    ck_assert_uint_gt(size, 3 * (URL_MAX_BYTES - 9));
    free(request);
}
END_TEST

static void check_name(const char *text, const char *expected)
{
    url_t url = parse(text);
    char name[16];

    url_file_name(&url, name, sizeof name);
    ck_assert_str_eq(name, expected);
}

START_TEST(file_names)
{
    check_name("http://a", "");
    check_name("http://a/", "");
    check_name("http://a/b/", "");
    check_name("http://a?b", "");
    check_name("http://a/b/c.txt?d/e#f", "c.txt");
    check_name("http://a/b%20c d\xc3\xa4-_.A9", "b20cd-_.A9");
    check_name("http://a/..", "..");
    check_name("http://a/..\\..\\x", "....x");
    check_name("http://a/0123456789abcdefgh", "0123456789abcde");
}
END_TEST

static void check_json(const char *text, const char *expected)
{
    char *printed;
    size_t size;
    FILE *out = open_memstream(&printed, &size);

    ck_assert_ptr_nonnull(out);
    json_string(out, text);
    fclose(out);
    ck_assert_str_eq(printed, expected);
    free(printed);
}

START_TEST(json_strings)
{
    check_json(NULL, "null");
    check_json("", "\"\"");
    check_json("a\"b\\c/", "\"a\\\"b\\\\c/\"");
    check_json("\n\x01\x7f", "\"\\u000a\\u0001\\u007f\"");
    check_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
               "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}
END_TEST

/* Lone, cut, overlong, surrogate, too large. */
START_TEST(json_no_utf8)
{
    check_json("\x80z", "\"\\ufffdz\"");
    check_json("\xffz", "\"\\ufffdz\"");
    check_json("\xc3", "\"\\ufffd\"");
    check_json("\xe2\x82", "\"\\ufffd\\ufffd\"");
    check_json("\xc0\xaf", "\"\\ufffd\\ufffd\"");
    check_json("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    check_json("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("url");
    TCase *urls = UVA_TCASE(suite, "Url");
    TCase *json = UVA_TCASE(suite, "Json");

    UVA_ADD_TESTS(urls, parts, refused, limits, requests, longest_request,
                  file_names);
    UVA_ADD_TESTS(json, json_strings, json_no_utf8);
    return uva_test_main(suite);
}
