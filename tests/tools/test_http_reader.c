/*
 * The answer of a server, whole and in pieces of every size.
 */
#include <stdio.h>
#include <string.h>

#include "http_reader.h"
#include "uva_test.h"

enum {
    BODY_MAX_BYTES = 64
};

static http_reader_t reader;
static char body[BODY_MAX_BYTES + 1];

/* Feed an answer in pieces of step bytes, then its end. @return The first
 * code that is not 0, or that of the end. */
static int feed(const char *text, size_t size, size_t step)
{
    size_t body_size = 0;
    int r = 0;

    http_reader_init(&reader, BODY_MAX_BYTES);
    for (size_t at = 0; r == 0 && at < size; at += step) {
        uva_bytes_t view;

        r = http_reader_feed(&reader, text + at,
                             size - at < step ? size - at : step, &view);
        if (r >= 0) {
            ck_assert_uint_le(body_size + view.size, BODY_MAX_BYTES);
            memcpy(body + body_size, view.data, view.size);
            body_size += view.size;
        }
    }
    body[body_size] = '\0';
    return r == 0 ? http_reader_end(&reader) : r;
}

/* The same result however the bytes are cut. */
static int read_bytes(const char *text, size_t size)
{
    int whole = feed(text, size, size + 1);

    for (size_t step = 1; step < size; step++) {
        ck_assert_int_eq(feed(text, size, step), whole);
    }
    return whole;
}

static int read_answer(const char *text)
{
    return read_bytes(text, strlen(text));
}

START_TEST(answer_with_length)
{
    ck_assert_int_eq(read_answer("HTTP/1.1 200 OK\r\n"
                                 "Server: x\r\n"
                                 "content-LENGTH:\t5 \r\n"
                                 "\r\n"
                                 "hello, and more that is ignored"),
                     1);
    ck_assert_int_eq(reader.status, 200);
    ck_assert(reader.has_length);
    ck_assert_uint_eq(reader.length, 5);
    ck_assert_uint_eq(reader.body_bytes, 5);
    ck_assert_str_eq(body, "hello");
}
END_TEST

START_TEST(answer_to_the_end)
{
    ck_assert_int_eq(read_answer("HTTP/1.0 404\n\nnot here"), 0);
    ck_assert_int_eq(reader.status, 404);
    ck_assert(!reader.has_length);
    ck_assert_str_eq(body, "not here");
}
END_TEST

START_TEST(answer_without_body)
{
    ck_assert_int_eq(read_answer("HTTP/1.0 200 \r\nContent-Length: 0\r\n\r\n"),
                     1);
    ck_assert_int_eq(read_answer("HTTP/1.0 204 No Content\r\n\r\n"), 1);
    ck_assert_int_eq(
        read_answer("HTTP/1.1 304 Same\r\nContent-Length: 70000\r\n\r\n"), 1);
    ck_assert_uint_eq(reader.body_bytes, 0);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n\r\n"), 0);
}
END_TEST

START_TEST(interim_answers)
{
    ck_assert_int_eq(read_answer("HTTP/1.1 100 Continue\r\n\r\n"
                                 "HTTP/1.1 103 Hints\r\n"
                                 "Content-Length: 9\r\n\r\n"
                                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
                                 "ok"),
                     1);
    ck_assert_int_eq(reader.status, 200);
    ck_assert_str_eq(body, "ok");
    ck_assert_int_eq(read_answer("HTTP/1.1 100 Continue\r\n\r\n"),
                     HTTP_EHEADEND);
}
END_TEST

START_TEST(repeated_headers)
{
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n"
                                 "Content-Length: 1\r\n"
                                 "Content-Length: 01\r\n\r\n!"),
                     1);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n"
                                 "Content-Length: 2\r\n\r\n!!"),
                     HTTP_EHEADER);
}
END_TEST

/* What goes on in the next line belongs to the value. */
START_TEST(folded_headers)
{
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n"
                                 "X-Long: a\r\n b: c\r\n\td\r\n \r\n"
                                 "Content-Length:\r\n 1\r\n\t \r\n\r\n!"),
                     1);
    ck_assert_str_eq(body, "!");
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\n"
                                 "Content-Length:\n\t5\nX: y\n\nhello"),
                     1);
    ck_assert_str_eq(body, "hello");
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n"
                                 "Content-Length: 1\r\n 0\r\n\r\n0123456789"),
                     HTTP_EHEADER);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n"
                                 "Transfer-Encoding:\r\n chunked\r\n\r\n0"),
                     HTTP_ECODING);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\nTransfer-Encoding: "
                                 "identity,\r\n chunked\r\n\r\n0"),
                     HTTP_ECODING);
    /* There is nothing that this could belong to. */
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n X: y\r\n\r\n"),
                     HTTP_EHEADER);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\nX: y\r\n z\r\n"),
                     HTTP_EHEADEND);
}
END_TEST

/* Of every header, and behind what is kept of a line. */
START_TEST(nul_and_cr_in_headers)
{
    static const char *const forms[] = {
        "HTTP/1.0 200 O@K\r\n\r\n",
        "HTTP/1.0 200 OK@\r\n\r\n",
        "HTTP/1.0 200 OK\r\nX: a@b\r\n\r\n",
        "HTTP/1.0 200 OK\r\nX: @\r\n\r\n",
        "HTTP/1.0 200 OK\r\nX: a\r\n@\r\n\r\n",
        "HTTP/1.0 200 OK\r\nX: %0400d@b\r\n\r\n",
        "HTTP/1.0 200 OK\nContent-Length: 1@\r\n\r\n!",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: identity@\r\n\r\n!",
    };
    char text[600];

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t size = (size_t)snprintf(text, sizeof text, forms[i], 0);
        int expected = i < 2 ? HTTP_ENOTHTTP : HTTP_EHEADER;
        char *at = strchr(text, '@');

        *at = '\0';
        ck_assert_int_eq(read_bytes(text, size), expected);
        *at = '\r';
        ck_assert_int_eq(read_bytes(text, size), expected);
    }
    /* A body has any bytes. */
    ck_assert_int_eq(read_bytes("HTTP/1.0 200 OK\r\n\r\n\0\r!", 22), 0);
    ck_assert_uint_eq(reader.body_bytes, 3);
}
END_TEST

START_TEST(no_http)
{
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\r\n",
        "x",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.x 200 OK\r\n\r\n",
        "HTTP/1.0  200 OK\r\n\r\n",
        "HTTP/1.0\t200 OK\r\n\r\n",
        "HTTP/1.0 20 OK\r\n\r\n",
        "HTTP/1.0 2000 OK\r\n\r\n",
        "HTTP/1.0 099 OK\r\n\r\n",
        "HTTP/1.0 -20 OK\r\n\r\n",
        "HTTP/1.0 200OK\r\n\r\n",
        "HTTP/1.0 20",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts - 1; i++) {
        ck_assert_int_eq(read_answer(texts[i]), HTTP_ENOTHTTP);
    }
    ck_assert_int_eq(read_answer("HTTP/1.0 20"), HTTP_EHEADEND);
    ck_assert_int_eq(feed("\0\0", 2, 1), HTTP_ENOTHTTP);
}
END_TEST

START_TEST(malformed_headers)
{
    static const char *const lines[] = {
        "no colon",
        ": no name",
        "A name: with a space",
        "Name : with a space behind it",
        "Content-Length: ",
        "Content-Length: 5x",
        "Content-Length: -5",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 99999999999999999999",
    };
    char text[128];

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n%s\r\n\r\n", lines[i]);
        ck_assert_int_eq(read_answer(text), HTTP_EHEADER);
    }
}
END_TEST

START_TEST(transfer_coding)
{
    ck_assert_int_eq(read_answer("HTTP/1.1 200 OK\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                     HTTP_ECODING);
    ck_assert_int_eq(read_answer("HTTP/1.1 200 OK\r\n"
                                 "Transfer-Encoding: Identity\r\n\r\nx"),
                     0);
}
END_TEST

START_TEST(ends_early)
{
    ck_assert_int_eq(feed("", 0, 1), HTTP_ENOANSWER);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\nContent-Le"),
                     HTTP_EHEADEND);
    ck_assert_int_eq(read_answer("HTTP/1.0 200 OK\r\n"), HTTP_EHEADEND);
    ck_assert_int_eq(
        read_answer("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
        HTTP_EBODYEND);
    ck_assert_uint_eq(reader.body_bytes, 4);
    ck_assert_uint_eq(reader.length, 5);
}
END_TEST

START_TEST(body_limit)
{
    char text[256];

    snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\n%064d", 0);
    ck_assert_int_eq(read_answer(text), 0);
    ck_assert_uint_eq(reader.body_bytes, BODY_MAX_BYTES);
    strncat(text, "1", 2);
    ck_assert_int_eq(read_answer(text), HTTP_EBODYLONG);
    /* Told from the header, before a byte of the body. */
    ck_assert_int_eq(
        read_answer("HTTP/1.0 200 OK\r\nContent-Length: 65\r\n\r\n"),
        HTTP_EBODYLONG);
}
END_TEST

START_TEST(head_limit)
{
    static const char line[] = "X-Y: z\r\n";
    size_t line_bytes = sizeof line - 1;
    size_t fed = 17;
    uva_bytes_t view;
    int r;

    http_reader_init(&reader, 0);
    r = http_reader_feed(&reader, "HTTP/1.0 200 OK\r\n", fed, &view);
    while (r == 0 && fed <= HTTP_HEAD_MAX_BYTES) {
        r = http_reader_feed(&reader, line, line_bytes, &view);
        fed += line_bytes;
    }
    ck_assert_int_eq(r, HTTP_EHEADLONG);
    ck_assert_uint_gt(fed, HTTP_HEAD_MAX_BYTES);
    ck_assert_uint_le(fed, HTTP_HEAD_MAX_BYTES + line_bytes);
}
END_TEST

/* A line that has no end is refused too, however it is cut. */
START_TEST(line_without_end)
{
    static char text[HTTP_HEAD_MAX_BYTES + 1];
    static const char begin[] = "HTTP/1.0 200 OK\r\nX: ";

    memset(text, 'a', sizeof text);
    memcpy(text, begin, sizeof begin - 1);
    ck_assert_int_eq(feed(text, sizeof text, 1), HTTP_EHEADLONG);
    ck_assert_int_eq(feed(text, sizeof text, 4096), HTTP_EHEADLONG);
    ck_assert_int_eq(feed(text, sizeof text, sizeof text), HTTP_EHEADLONG);
    ck_assert_int_eq(feed(text, sizeof text - 1, 4096), HTTP_EHEADEND);
}
END_TEST

/* What is cut off a long line must not change what it means. */
START_TEST(long_lines)
{
    char text[1200];
    size_t begin =
        (size_t)snprintf(text, sizeof text, "HTTP/1.0 200 %0900d\r\n\r\nx", 0);

    ck_assert_int_eq(feed(text, begin, 7), 0);
    begin = (size_t)snprintf(text, sizeof text,
                             "HTTP/1.0 200 OK\r\nX: %0900d\r\n\r\nx", 0);
    ck_assert_int_eq(feed(text, begin, 7), 0);
    ck_assert_str_eq(body, "x");
    begin = (size_t)snprintf(
        text, sizeof text, "HTTP/1.0 200 OK\r\nContent-Length: %0900d\r\n\r\n",
        5);
    ck_assert_int_eq(feed(text, begin, 7), HTTP_EHEADER);
}
END_TEST

START_TEST(texts)
{
    for (int code = UVA_EUSER; code >= HTTP_EBODYEND; code--) {
        ck_assert_ptr_nonnull(http_strerror(code));
    }
    ck_assert_ptr_null(http_strerror(HTTP_EBODYEND - 1));
    ck_assert_ptr_null(http_strerror(0));
    ck_assert_ptr_null(http_strerror(UV_ECONNRESET));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_reader");
    TCase *answers = UVA_TCASE(suite, "Answers");
    TCase *refusals = UVA_TCASE(suite, "Refusals");

    UVA_ADD_TESTS(answers, answer_with_length, answer_to_the_end,
                  answer_without_body, interim_answers, repeated_headers,
                  folded_headers, long_lines);
    UVA_ADD_TESTS(refusals, no_http, malformed_headers, nul_and_cr_in_headers,
                  transfer_coding, ends_early, body_limit, head_limit,
                  line_without_end, texts);
    return uva_test_main(suite);
}
