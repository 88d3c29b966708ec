/*
 * StreamReader fed by hand: CPython's tests of it, and what C adds. Most run
 * with tasks of both kinds.
 */
#include "kinds.h"

#include <stdio.h>
#include <string.h>

#include "streams/streams.h"

#define DATA "line1\nline2\nline3\n"

/* --- one read in a task --- */

typedef enum read_op_e {
    READ,
    READ_VIEW,
    READ_ALL,
    READLINE,
    READLINE_VIEW,
    READEXACTLY,
    READUNTIL,
    READUNTIL_VIEW
} read_op_t;

/* What is asked, and what came. */
typedef struct asked_s {
    read_op_t op;
    uva_reader_t *reader;
    size_t size;
    const uva_bytes_t *separators;
    size_t count;
    int r;
    char bytes[256];
    size_t partial;
    uva_buffer_t buffer;
    uva_bytes_t view;
} asked_t;

KIND_TASK(int, reading, asked_t *asked; int r;)
{
    asked_t *asked = self->asked;

    UVA_BEGIN
    if (asked->op == READ) {
        AWAIT(self->r, uva_reader_read, self->asked->reader, self->asked->bytes,
              self->asked->size);
    } else if (asked->op == READ_VIEW) {
        AWAIT(self->r, uva_reader_read_view, self->asked->reader,
              self->asked->size, &self->asked->view);
    } else if (asked->op == READ_ALL) {
        AWAIT(self->r, uva_reader_read_all, self->asked->reader,
              self->asked->size, &self->asked->buffer);
    } else if (asked->op == READLINE) {
        AWAIT(self->r, uva_reader_readline, self->asked->reader,
              &self->asked->buffer);
    } else if (asked->op == READLINE_VIEW) {
        AWAIT(self->r, uva_reader_readline_view, self->asked->reader,
              &self->asked->view);
    } else if (asked->op == READEXACTLY) {
        AWAIT(self->r, uva_reader_readexactly, self->asked->reader,
              self->asked->bytes, self->asked->size, &self->asked->partial);
    } else if (asked->op == READUNTIL) {
        AWAIT(self->r, uva_reader_readuntil, self->asked->reader,
              self->asked->separators[0], &self->asked->buffer);
    } else {
        AWAIT(self->r, uva_reader_readuntil_view, self->asked->reader,
              self->asked->separators, self->asked->count, &self->asked->view);
    }
    self->asked->r = self->r;
    UVA_END
    return self->r == UV_ECANCELED ? self->r : 0;
}

static reading_task_t *ask(asked_t *asked)
{
    return KIND_SPAWN(reading, asked);
}

static int await(asked_t *asked)
{
    UVA_IGNORE(UVA_JOIN(ask(asked)));
    return asked->r;
}

static uva_bytes_t result(const asked_t *asked)
{
    switch (asked->op) {
    case READ_VIEW:
    case READLINE_VIEW:
    case READUNTIL_VIEW:
        return asked->view;
    case READ:
        return uva_bytes(asked->bytes, asked->r < 0 ? 0 : (size_t)asked->r);
    case READEXACTLY:
        return uva_bytes(asked->bytes,
                         asked->r < 0 ? asked->partial : (size_t)asked->r);
    default:
        return uva_bytes(asked->buffer.data, asked->buffer.size);
    }
}

static void ck_bytes(uva_bytes_t bytes, const char *text)
{
    ck_assert_uint_eq(bytes.size, strlen(text));
    ck_assert_int_eq(memcmp(bytes.data, text, bytes.size), 0);
}

/* What is left in a reader. */
static void ck_left(const uva_reader_t *reader, const char *text)
{
    ck_assert_uint_eq(reader->in.size, strlen(text));
    if (text[0] != '\0') {
        ck_assert_int_eq(memcmp(reader->in.data, text, strlen(text)), 0);
    }
}

/* Await a read that succeeds with a text. */
static void ck_reads(asked_t asked, const char *text)
{
    ck_assert_int_eq(await(&asked), (int)strlen(text));
    if (asked.r > 0) {
        ck_bytes(result(&asked), text);
    }
    uva_buffer_clear(&asked.buffer);
}

#define CK_READS(text, ...) \
    ck_reads((asked_t){.reader = reader, __VA_ARGS__}, text)

#define FAILS(...) await(&(asked_t){.reader = reader, __VA_ARGS__})

static uva_reader_t *reader_with(size_t limit)
{
    uva_reader_t *reader;

    ck_assert_int_eq(uva_reader_new(limit, &reader), 0);
    return reader;
}

static void feed(uva_reader_t *reader, const char *text)
{
    ck_assert_int_eq(uva_reader_feed_data(reader, text, strlen(text)), 0);
}

/* --- read --- */

UVA_TEST(feed_empty_data)
{
    /* test_streams.py, StreamTests.test_feed_empty_data */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "");
    ck_left(reader, "");
    uva_reader_unref(reader);
}

UVA_TEST(feed_nonempty_data)
{
    /* test_streams.py, StreamTests.test_feed_nonempty_data */
    uva_reader_t *reader = reader_with(0);

    feed(reader, DATA);
    ck_left(reader, DATA);
    uva_reader_unref(reader);
}

UVA_TEST(read_zero)
{
    /* test_streams.py, StreamTests.test_read_zero */
    uva_reader_t *reader = reader_with(0);

    feed(reader, DATA);
    CK_READS("", .op = READ, .size = 0);
    CK_READS("", .op = READ_VIEW, .size = 0);
    ck_left(reader, DATA);
    uva_reader_unref(reader);
}

UVA_TEST(read_waits)
{
    /* test_streams.py, StreamTests.test_read */
    read_op_t ops[] = {READ, READ_VIEW};

    for (size_t i = 0; i < 2; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t asked = {.op = ops[i], .reader = reader, .size = 30};
        reading_task_t *task = ask(&asked);

        UVA_TICK();
        feed(reader, DATA);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&asked), DATA);
        ck_left(reader, "");
        uva_reader_unref(reader);
    }
}

UVA_TEST(read_line_breaks)
{
    /* test_streams.py, StreamTests.test_read_line_breaks */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "line1");
    feed(reader, "line2");
    CK_READS("line1", .op = READ, .size = 5);
    ck_left(reader, "line2");
    uva_reader_unref(reader);
}

UVA_TEST(read_eof)
{
    /* test_streams.py, StreamTests.test_read_eof */
    read_op_t ops[] = {READ, READ_VIEW};

    for (size_t i = 0; i < 2; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t asked = {.op = ops[i], .reader = reader, .size = 30};
        reading_task_t *task = ask(&asked);

        UVA_TICK();
        uva_reader_feed_eof(reader);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_assert_int_eq(asked.r, 0);
        ck_assert_int_eq(uva_reader_feed_data(reader, "x", 1), UV_EPERM);
        uva_reader_unref(reader);
    }
}

UVA_TEST(read_until_eof)
{
    /* test_streams.py, StreamTests.test_read_until_eof */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READ_ALL, .reader = reader, .size = UVA_NO_LIMIT};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "chunk1\n");
    feed(reader, "chunk2");
    uva_reader_feed_eof(reader);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_str_eq((char *)asked.buffer.data, "chunk1\nchunk2");
    ck_left(reader, "");
    uva_buffer_clear(&asked.buffer);
    CK_READS("", .op = READ_ALL, .size = UVA_NO_LIMIT);
    uva_reader_unref(reader);
}

UVA_TEST(read_all_limit)
{
    uva_reader_t *reader = reader_with(4);
    asked_t asked = {.op = READ_ALL, .reader = reader, .size = 10};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "0123456789");
    UVA_TICK();
    UVA_TICK();
    ck_assert(!UVA_DONE(task));
    feed(reader, "a");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(asked.r, UVA_ELIMITOVERRUN);
    ck_left(reader, "0123456789a");
    uva_reader_feed_eof(reader);
    CK_READS("01", .op = READ, .size = 2);
    CK_READS("23456789a", .op = READ_ALL, .size = 10);
    uva_reader_unref(reader);
}

UVA_TEST(read_all_large)
{
    /* Larger than any block: it grows, and becomes the result. */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READ_ALL, .reader = reader, .size = UVA_NO_LIMIT};
    reading_task_t *task = ask(&asked);
    char block[1000];

    UVA_TICK();
    for (int i = 0; i < 1000; i++) {
        memset(block, 'a' + i % 26, sizeof block);
        ck_assert_int_eq(uva_reader_feed_data(reader, block, sizeof block), 0);
    }
    uva_reader_feed_eof(reader);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_uint_eq(asked.buffer.size, 1000000);
    for (size_t i = 0; i < 1000000; i++) {
        ck_assert_int_eq(asked.buffer.data[i], 'a' + (int)(i / 1000) % 26);
    }
    ck_assert_int_eq(asked.buffer.data[1000000], 0);
    uva_buffer_clear(&asked.buffer);
    uva_reader_unref(reader);
}

UVA_TEST(read_exception)
{
    /* test_streams.py, StreamTests.test_read_exception */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "line\n");
    CK_READS("li", .op = READ, .size = 2);
    uva_reader_set_exception(reader, UV_EINVAL);
    ck_assert_int_eq(FAILS(.op = READ, .size = 2), UV_EINVAL);
    ck_assert_int_eq(FAILS(.op = READ_VIEW, .size = 2), UV_EINVAL);
    ck_assert_int_eq(FAILS(.op = READ_ALL, .size = 2), UV_EINVAL);
    uva_reader_unref(reader);
}

UVA_TEST(invalid_limit)
{
    /* test_streams.py, StreamTests.test_invalid_limit; 0 is the default. */
    uva_reader_t *reader = NULL;

    ck_assert_int_eq(uva_reader_new(SIZE_MAX, &reader), UV_EINVAL);
    ck_assert_int_eq(uva_reader_new(((size_t)1 << 30) + 1, &reader), UV_EINVAL);
    ck_assert_ptr_null(reader);
    ck_assert_int_eq(uva_reader_new((size_t)1 << 30, &reader), 0);
    uva_reader_unref(reader);
    ck_assert_ptr_null(uva_reader_unref(NULL));
}

UVA_TEST(read_limit)
{
    /* test_streams.py, StreamTests.test_read_limit */
    uva_reader_t *reader = reader_with(3);

    feed(reader, "chunk");
    CK_READS("chunk", .op = READ, .size = 5);
    ck_left(reader, "");
    uva_reader_unref(reader);
}

/* --- views --- */

UVA_TEST(view_stays)
{
    /* A view stays as it is while more comes, whatever that needs. */
    uva_reader_t *reader = reader_with(0);
    static char more[5000];
    uva_bytes_t view;
    uva_bytes_t next;

    memset(more, 'x', sizeof more);
    feed(reader, "first second");
    ck_assert_int_eq(uva_reader_read_view(reader, 5, &view), 5);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(uva_reader_feed_data(reader, more, sizeof more), 0);
        ck_bytes(view, "first");
    }
    ck_assert_int_eq(uva_reader_read_view(reader, 7, &next), 7);
    ck_bytes(next, " second");
    ck_assert_uint_eq(reader->in.size, 500000);
    uva_reader_unref(reader);
}

UVA_TEST(view_of_nothing_left_holds_no_memory)
{
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READ_VIEW, .reader = reader, .size = 100};
    reading_task_t *task;

    feed(reader, "once");
    CK_READS("once", .op = READ_VIEW, .size = 100);
    ck_assert_ptr_nonnull(reader->in.block);
    task = ask(&asked);
    UVA_TICK();
    ck_assert_ptr_null(reader->in.block);
    uva_task_cancel(UVA_ERASE(task));
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    uva_reader_unref(reader);
}

/* --- readline --- */

UVA_TEST(readline_waits)
{
    /* test_streams.py, StreamTests.test_readline */
    read_op_t ops[] = {READLINE, READLINE_VIEW};

    for (size_t i = 0; i < 2; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t asked = {.op = ops[i], .reader = reader};
        reading_task_t *task;

        feed(reader, "chunk1 ");
        task = ask(&asked);
        UVA_TICK();
        feed(reader, "chunk2 ");
        feed(reader, "chunk3 ");
        feed(reader, "\n chunk4");
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&asked), "chunk1 chunk2 chunk3 \n");
        ck_left(reader, " chunk4");
        uva_buffer_clear(&asked.buffer);
        uva_reader_unref(reader);
    }
}

UVA_TEST(readline_limit_with_existing_data)
{
    /* test_streams.py, StreamTests.test_readline_limit_with_existing_data */
    uva_reader_t *reader = reader_with(3);

    feed(reader, "li");
    feed(reader, "ne1\nline2\n");
    ck_assert_int_eq(FAILS(.op = READLINE), UVA_ELIMITOVERRUN);
    ck_left(reader, "line2\n");
    uva_reader_unref(reader);

    reader = reader_with(3);
    feed(reader, "li");
    feed(reader, "ne1");
    feed(reader, "li");
    ck_assert_int_eq(FAILS(.op = READLINE), UVA_ELIMITOVERRUN);
    ck_left(reader, "");
    uva_reader_unref(reader);
}

UVA_TEST(at_eof)
{
    /* test_streams.py, StreamTests.test_at_eof */
    uva_reader_t *reader = reader_with(0);

    ck_assert(!uva_reader_at_eof(reader));
    feed(reader, "some data\n");
    ck_assert(!uva_reader_at_eof(reader));
    CK_READS("some data\n", .op = READLINE);
    ck_assert(!uva_reader_at_eof(reader));
    feed(reader, "some data\n");
    uva_reader_feed_eof(reader);
    ck_assert(!uva_reader_at_eof(reader));
    CK_READS("some data\n", .op = READLINE);
    ck_assert(uva_reader_at_eof(reader));
    uva_reader_unref(reader);
}

UVA_TEST(readline_limit)
{
    /* test_streams.py, StreamTests.test_readline_limit */
    uva_reader_t *reader = reader_with(7);
    asked_t asked = {.op = READLINE, .reader = reader};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "chunk1");
    feed(reader, "chunk2");
    feed(reader, "chunk3\n");
    uva_reader_feed_eof(reader);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(asked.r, UVA_ELIMITOVERRUN);
    ck_left(reader, "");
    uva_reader_unref(reader);

    reader = reader_with(7);
    asked.reader = reader;
    task = ask(&asked);
    UVA_TICK();
    feed(reader, "chunk1");
    feed(reader, "chunk2\n");
    feed(reader, "chunk3\n");
    uva_reader_feed_eof(reader);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(asked.r, UVA_ELIMITOVERRUN);
    ck_left(reader, "chunk3\n");
    uva_reader_unref(reader);

    reader = reader_with(7);
    feed(reader, "1234567\n");
    CK_READS("1234567\n", .op = READLINE);
    ck_left(reader, "");
    feed(reader, "12345678\n");
    ck_assert_int_eq(FAILS(.op = READLINE), UVA_ELIMITOVERRUN);
    ck_left(reader, "");
    feed(reader, "12345678");
    ck_assert_int_eq(FAILS(.op = READLINE), UVA_ELIMITOVERRUN);
    ck_left(reader, "");
    uva_reader_unref(reader);
}

UVA_TEST(readline_nolimit_nowait)
{
    /* test_streams.py, StreamTests.test_readline_nolimit_nowait */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "line1\n");
    feed(reader, "line2\nline3\n");
    CK_READS("line1\n", .op = READLINE);
    ck_left(reader, "line2\nline3\n");
    uva_reader_unref(reader);
}

UVA_TEST(readline_eof)
{
    /* test_streams.py, StreamTests.test_readline_eof */
    read_op_t ops[] = {READLINE, READLINE_VIEW};

    for (size_t i = 0; i < 2; i++) {
        uva_reader_t *reader = reader_with(0);

        feed(reader, "some data");
        uva_reader_feed_eof(reader);
        CK_READS("some data", .op = ops[i]);
        uva_reader_unref(reader);
    }
}

UVA_TEST(readline_empty_eof)
{
    /* test_streams.py, StreamTests.test_readline_empty_eof */
    read_op_t ops[] = {READLINE, READLINE_VIEW};

    for (size_t i = 0; i < 2; i++) {
        uva_reader_t *reader = reader_with(0);

        uva_reader_feed_eof(reader);
        CK_READS("", .op = ops[i]);
        uva_reader_unref(reader);
    }
}

UVA_TEST(readline_read_byte_count)
{
    /* test_streams.py, StreamTests.test_readline_read_byte_count */
    uva_reader_t *reader = reader_with(0);

    feed(reader, DATA);
    CK_READS("line1\n", .op = READLINE);
    CK_READS("line2\nl", .op = READ, .size = 7);
    ck_left(reader, "ine3\n");
    uva_reader_unref(reader);
}

UVA_TEST(readline_exception)
{
    /* test_streams.py, StreamTests.test_readline_exception */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "line\n");
    CK_READS("line\n", .op = READLINE);
    uva_reader_set_exception(reader, UV_EINVAL);
    ck_assert_int_eq(FAILS(.op = READLINE), UV_EINVAL);
    ck_left(reader, "");
    uva_reader_unref(reader);
}

/* --- readuntil --- */

#define SEPARATORS(...)                               \
    .separators = (const uva_bytes_t[]){__VA_ARGS__}, \
    .count = sizeof((const uva_bytes_t[]){__VA_ARGS__}) / sizeof(uva_bytes_t)

UVA_TEST(readuntil_separator)
{
    /* test_streams.py, StreamTests.test_readuntil_separator */
    uva_reader_t *reader = reader_with(0);
    uva_bytes_t none = UVA_BYTES("");

    feed(reader, "x");
    ck_assert_int_eq(FAILS(.op = READUNTIL, .separators = &none, .count = 1),
                     UV_EINVAL);
    ck_assert_int_eq(
        FAILS(.op = READUNTIL_VIEW, .separators = &none, .count = 1),
        UV_EINVAL);
    ck_assert_int_eq(
        FAILS(.op = READUNTIL_VIEW, .separators = &none, .count = 0),
        UV_EINVAL);
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_multi_chunks)
{
    /* test_streams.py, StreamTests.test_readuntil_multi_chunks */
    uva_reader_t *reader = reader_with(0);
    read_op_t ops[] = {READUNTIL, READUNTIL_VIEW};

    for (size_t i = 0; i < 2; i++) {
        feed(reader, "lineAAA");
        CK_READS("lineAAA", .op = ops[i], SEPARATORS(UVA_BYTES("AAA")));
        ck_left(reader, "");
        feed(reader, "lineAAAxxx");
        CK_READS("lineAAA", .op = ops[i], SEPARATORS(UVA_BYTES("AAA")));
        ck_left(reader, "xxx");
        CK_READS("xxx", .op = READ, .size = 10);
    }
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_multi_chunks_1)
{
    /* test_streams.py, StreamTests.test_readuntil_multi_chunks_1 */
    static const char *const chunks[][5] = {
        {"QWEaa", "XYaa", "a", NULL},
        {"QWEaa", "XYa", "aa", NULL},
        {"aaa", NULL},
        {"Xaaa", NULL},
        {"XXX", "a", "a", "a", NULL},
    };
    static const char *const expected[] = {"QWEaaXYaaa", "QWEaaXYaaa", "aaa",
                                           "Xaaa", "XXXaaa"};
    uva_bytes_t separator = UVA_BYTES("aaa");
    uva_reader_t *reader = reader_with(0);

    for (size_t i = 0; i < 5; i++) {
        asked_t asked = {.op = READUNTIL,
                         .reader = reader,
                         .separators = &separator,
                         .count = 1};
        reading_task_t *task;

        for (size_t j = 0; chunks[i][j] != NULL; j++) {
            feed(reader, chunks[i][j]);
        }
        CK_READS(expected[i], .op = READUNTIL, SEPARATORS(UVA_BYTES("aaa")));
        ck_left(reader, "");

        /* The same when each chunk comes by itself. */
        task = ask(&asked);
        UVA_TICK();
        for (size_t j = 0; chunks[i][j] != NULL; j++) {
            ck_assert(!UVA_DONE(task));
            feed(reader, chunks[i][j]);
            UVA_TICK();
        }
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&asked), expected[i]);
        uva_buffer_clear(&asked.buffer);
    }
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_eof)
{
    /* test_streams.py, StreamTests.test_readuntil_eof */
    uva_bytes_t separator = UVA_BYTES("AAA");
    read_op_t ops[] = {READUNTIL, READUNTIL_VIEW};

    for (size_t i = 0; i < 2; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t asked = {.op = ops[i],
                         .reader = reader,
                         .separators = &separator,
                         .count = 1};

        feed(reader, "some dataAA");
        uva_reader_feed_eof(reader);
        ck_assert_int_eq(await(&asked), UVA_EINCOMPLETEREAD);
        ck_bytes(result(&asked), "some dataAA");
        ck_left(reader, "");
        uva_buffer_clear(&asked.buffer);
        uva_reader_unref(reader);
    }
}

UVA_TEST(readuntil_limit_found_sep)
{
    /* test_streams.py, StreamTests.test_readuntil_limit_found_sep */
    uva_reader_t *reader = reader_with(3);

    feed(reader, "some dataAA");
    ck_assert_int_eq(FAILS(.op = READUNTIL, SEPARATORS(UVA_BYTES("AAA"))),
                     UVA_ELIMITOVERRUN);
    ck_assert_uint_eq(uva_reader_consumed(reader), 9);
    ck_left(reader, "some dataAA");
    feed(reader, "A");
    ck_assert_int_eq(FAILS(.op = READUNTIL, SEPARATORS(UVA_BYTES("AAA"))),
                     UVA_ELIMITOVERRUN);
    ck_assert_uint_eq(uva_reader_consumed(reader), 9);
    ck_left(reader, "some dataAAA");
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_multi_separator)
{
    /* test_streams.py, StreamTests.test_readuntil_multi_separator */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "line 1\nline 2\r");
    CK_READS("line 1\n", .op = READUNTIL_VIEW,
             SEPARATORS(UVA_BYTES("\r"), UVA_BYTES("\n")));
    CK_READS("line 2\r", .op = READUNTIL_VIEW,
             SEPARATORS(UVA_BYTES("\r"), UVA_BYTES("\n")));
    ck_left(reader, "");
    /* The first end wins, even of a longer separator. */
    feed(reader, "ABCDEFG");
    CK_READS("ABCDE", .op = READUNTIL_VIEW,
             SEPARATORS(UVA_BYTES("DEF"), UVA_BYTES("BCDE")));
    ck_left(reader, "FG");
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_multi_separator_limit)
{
    /* test_streams.py, StreamTests.test_readuntil_multi_separator_limit */
    uva_reader_t *reader = reader_with(3);

    feed(reader, "some dataA");
    ck_assert_int_eq(FAILS(.op = READUNTIL_VIEW,
                           SEPARATORS(UVA_BYTES("A"), UVA_BYTES("ome dataA"))),
                     UVA_ELIMITOVERRUN);
    ck_assert_uint_eq(uva_reader_consumed(reader), 9);
    ck_left(reader, "some dataA");
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_multi_separator_negative_offset)
{
    /* test_streams.py,
     * StreamTests.test_readuntil_multi_separator_negative_offset */
    uva_bytes_t separators[] = {UVA_BYTES("A"), UVA_BYTES("long sep")};
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READUNTIL_VIEW,
                     .reader = reader,
                     .separators = separators,
                     .count = 2};
    reading_task_t *task;

    feed(reader, "data");
    task = ask(&asked);
    UVA_TICK();
    feed(reader, "Z");
    feed(reader, "Aaaa");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_bytes(asked.view, "dataZA");
    ck_left(reader, "aaa");
    uva_reader_unref(reader);
}

UVA_TEST(readuntil_bytes)
{
    /* test_streams.py, StreamTests.test_readuntil_bytearray */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "some data\r\n");
    CK_READS("some data\r\n", .op = READUNTIL, SEPARATORS(UVA_BYTES("\r\n")));
    ck_left(reader, "");
    uva_reader_unref(reader);
}

/* --- readexactly --- */

UVA_TEST(readexactly_zero)
{
    /* test_streams.py, StreamTests.test_readexactly_zero_or_less */
    uva_reader_t *reader = reader_with(0);

    feed(reader, DATA);
    CK_READS("", .op = READEXACTLY, .size = 0);
    ck_left(reader, DATA);
    uva_reader_unref(reader);
}

UVA_TEST(readexactly_waits)
{
    /* test_streams.py, StreamTests.test_readexactly */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {
        .op = READEXACTLY, .reader = reader, .size = 2 * strlen(DATA)};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, DATA);
    UVA_TICK();
    feed(reader, DATA);
    feed(reader, DATA);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_bytes(result(&asked), DATA DATA);
    ck_left(reader, DATA);
    uva_reader_unref(reader);
}

UVA_TEST(readexactly_limit)
{
    /* test_streams.py, StreamTests.test_readexactly_limit */
    uva_reader_t *reader = reader_with(3);

    feed(reader, "chunk");
    CK_READS("chunk", .op = READEXACTLY, .size = 5);
    ck_left(reader, "");
    uva_reader_unref(reader);
}

UVA_TEST(readexactly_eof)
{
    /* test_streams.py, StreamTests.test_readexactly_eof */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {
        .op = READEXACTLY, .reader = reader, .size = 2 * strlen(DATA)};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, DATA);
    uva_reader_feed_eof(reader);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(asked.r, UVA_EINCOMPLETEREAD);
    ck_assert_uint_eq(asked.partial, strlen(DATA));
    ck_bytes(result(&asked), DATA);
    ck_left(reader, "");
    uva_reader_unref(reader);

    reader = reader_with(0);
    feed(reader, "abc");
    uva_reader_feed_eof(reader);
    asked.reader = reader;
    ck_assert_int_eq(await(&asked), UVA_EINCOMPLETEREAD);
    ck_bytes(result(&asked), "abc");
    uva_reader_unref(reader);
}

UVA_TEST(readexactly_exception)
{
    /* test_streams.py, StreamTests.test_readexactly_exception */
    uva_reader_t *reader = reader_with(0);

    feed(reader, "line\n");
    CK_READS("li", .op = READEXACTLY, .size = 2);
    uva_reader_set_exception(reader, UV_EINVAL);
    ck_assert_int_eq(FAILS(.op = READEXACTLY, .size = 2), UV_EINVAL);
    uva_reader_unref(reader);
}

/* --- exceptions, cancellation, misuse --- */

UVA_TEST(exception)
{
    /* test_streams.py, StreamTests.test_exception */
    uva_reader_t *reader = reader_with(0);

    ck_assert_int_eq(uva_reader_exception(reader), 0);
    uva_reader_set_exception(reader, UV_EINVAL);
    ck_assert_int_eq(uva_reader_exception(reader), UV_EINVAL);
    uva_reader_unref(reader);
}

UVA_TEST(exception_waiter)
{
    /* test_streams.py, StreamTests.test_exception_waiter */
    uva_bytes_t separator = UVA_BYTES("!");

    for (int op = READ; op <= READUNTIL_VIEW; op++) {
        uva_reader_t *reader = reader_with(0);
        asked_t asked = {.op = (read_op_t)op,
                         .reader = reader,
                         .size = 30,
                         .separators = &separator,
                         .count = 1};
        reading_task_t *task = ask(&asked);

        UVA_TICK();
        uva_reader_set_exception(reader, UV_EINVAL);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_assert_int_eq(asked.r, UV_EINVAL);
        uva_reader_unref(reader);
    }
}

UVA_TEST(exception_cancel)
{
    /* test_streams.py, StreamTests.test_exception_cancel */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READLINE, .reader = reader};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    uva_task_cancel(UVA_ERASE(task));
    UVA_TICK();
    uva_reader_set_exception(reader, UV_EINVAL);
    UVA_TICK();
    ck_assert_ptr_null(reader->in.waiter);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    uva_reader_unref(reader);
}

UVA_TEST(cancel_leaves_data)
{
    /* Whatever has come when a read is cancelled is there for the next one:
     * before the wake-up, between it and the step, and for each read. */
    uva_bytes_t separator = UVA_BYTES("!");

    for (int op = READ; op <= READUNTIL_VIEW; op++) {
        for (int when = 0; when < 3; when++) {
            uva_reader_t *reader = reader_with(0);
            asked_t asked = {.op = (read_op_t)op,
                             .reader = reader,
                             .size = 30,
                             .separators = &separator,
                             .count = 1};
            reading_task_t *task = ask(&asked);

            UVA_TICK();
            if (when > 0) {
                feed(reader, "some");
                feed(reader, " data");
            }
            if (when > 1) {
                uva_task_cancel(UVA_ERASE(task));
                feed(reader, "\n!");
            } else {
                uva_task_cancel(UVA_ERASE(task));
            }
            ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
            ck_left(reader, when == 0   ? ""
                            : when == 1 ? "some data"
                                        : "some data\n!");
            ck_assert_ptr_null(reader->in.waiter);
            uva_reader_unref(reader);
        }
    }
}

UVA_TEST(second_reader)
{
    /* asyncio: called while another coroutine is already waiting. */
    uva_bytes_t separator = UVA_BYTES("!");
    uva_reader_t *reader = reader_with(0);
    asked_t first = {.op = READEXACTLY, .reader = reader, .size = 6};
    reading_task_t *task = ask(&first);

    UVA_TICK();
    for (int op = READ; op <= READUNTIL_VIEW; op++) {
        ck_assert_int_eq(FAILS(.op = (read_op_t)op, .size = 30,
                               .separators = &separator, .count = 1),
                         UV_EPERM);
    }
    feed(reader, "abc");
    for (int op = READ_ALL; op <= READUNTIL_VIEW; op++) {
        ck_assert_int_eq(FAILS(.op = (read_op_t)op, .size = 30,
                               .separators = &separator, .count = 1),
                         UV_EPERM);
    }
    feed(reader, "def");
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_bytes(result(&first), "abcdef");
    uva_reader_unref(reader);
}

UVA_TEST(second_reader_takes_what_is_there)
{
    /* As in asyncio: one that need not wait is no second one, and the first
     * goes on with what comes later. */
    uva_bytes_t separators[] = {UVA_BYTES("3"), UVA_BYTES("!")};

    for (int op = READ_ALL; op <= READUNTIL_VIEW; op++) {
        uva_reader_t *reader = reader_with(0);
        asked_t first = {.op = (read_op_t)op,
                         .reader = reader,
                         .size = op == READ_ALL ? 100 : 6,
                         .separators = &separators[1],
                         .count = 1};
        reading_task_t *task = ask(&first);
        UVA_TICK();
        feed(reader, op == READEXACTLY ? "01234" : "0123456789");
        UVA_TICK();
        CK_READS("0", .op = READ, .size = 1);
        CK_READS("1", .op = READEXACTLY, .size = 1);
        CK_READS("23", .op = READUNTIL, .separators = separators, .count = 1);
        ck_assert_int_eq(FAILS(.op = READLINE), UV_EPERM);
        CK_READS("4", .op = READ_VIEW, .size = 1);
        ck_left(reader, op == READEXACTLY ? "" : "56789");
        feed(reader, "abcdef!\n");
        uva_reader_feed_eof(reader);
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&first), op == READEXACTLY ? "abcdef"
                                 : op >= READUNTIL ? "56789abcdef!"
                                                   : "56789abcdef!\n");
        uva_buffer_clear(&first.buffer);
        uva_reader_unref(reader);
    }
}

UVA_TEST(second_reader_takes_what_was_searched)
{
    /* Bytes that readuntil has looked at are gone when it looks again. */
    uva_bytes_t separator = UVA_BYTES("\n");
    read_op_t ops[] = {READLINE, READLINE_VIEW, READUNTIL, READUNTIL_VIEW};
    read_op_t takers[] = {READ, READ_VIEW};

    for (size_t i = 0; i < 8; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t first = {.op = ops[i / 2],
                         .reader = reader,
                         .separators = &separator,
                         .count = 1};
        reading_task_t *task = ask(&first);
        feed(reader, "0123456789");
        UVA_TICK();
        CK_READS("0123456789", .op = takers[i % 2], .size = 100);
        feed(reader, "ab\n");
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&first), "ab\n");
        uva_buffer_clear(&first.buffer);
        ck_left(reader, "");
        uva_reader_unref(reader);
    }
}

UVA_TEST(second_reader_overruns)
{
    /* What it is told of stays apart from what the first has searched. */
    uva_bytes_t separators[] = {UVA_BYTES("!"), UVA_BYTES("\n")};
    uva_reader_t *reader = reader_with(4);
    asked_t first = {
        .op = READUNTIL, .reader = reader, .separators = separators};
    reading_task_t *task = ask(&first);
    uva_buffer_t buffer;

    feed(reader, "abcd");
    UVA_TICK();
    feed(reader, "!ef\n");
    ck_assert_int_eq(uva_reader_readuntil(reader, separators[1], &buffer),
                     UVA_ELIMITOVERRUN);
    ck_assert_uint_eq(uva_reader_consumed(reader), 7);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_bytes(result(&first), "abcd!");
    uva_buffer_clear(&first.buffer);
    uva_reader_unref(reader);
}

UVA_TEST(second_reader_comes_before_the_first_goes_on)
{
    /* The first was woken for what the second takes: it waits for more. In
     * asyncio its read is empty then, as at the end. */
    read_op_t ops[] = {READ, READ_VIEW, READLINE, READLINE_VIEW, READEXACTLY};

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        uva_reader_t *reader = reader_with(0);
        asked_t first = {.op = ops[i], .reader = reader, .size = 3};
        reading_task_t *task = ask(&first);
        char bytes[8];
        UVA_TICK();
        feed(reader, "ab\n");
        ck_assert_int_eq(uva_reader_read(reader, bytes, 8), 3);
        UVA_TICK();
        ck_assert(!UVA_DONE(task));
        feed(reader, "cd\n");
        ck_assert_int_eq(UVA_JOIN(task), 0);
        ck_bytes(result(&first), "cd\n");
        uva_buffer_clear(&first.buffer);
        uva_reader_unref(reader);
    }
}

UVA_TEST(at_eof_with_a_part)
{
    /* asyncio: the part lies in the buffer until readexactly goes on. */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READEXACTLY, .reader = reader, .size = 6};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "abc");
    uva_reader_feed_eof(reader);
    ck_assert(!uva_reader_at_eof(reader));
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(asked.r, UVA_EINCOMPLETEREAD);
    ck_bytes(result(&asked), "abc");
    ck_assert(uva_reader_at_eof(reader));
    uva_reader_unref(reader);
}

UVA_TEST(exception_leaves_a_part)
{
    /* asyncio: it was not taken. */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READEXACTLY, .reader = reader, .size = 6};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "abc");
    uva_reader_set_exception(reader, UV_EIO);
    ck_assert_int_eq(UVA_JOIN(task), 0);
    ck_assert_int_eq(asked.r, UV_EIO);
    ck_left(reader, "abc");
    uva_reader_unref(reader);
}

static void read_without_task(void *data)
{
    uva_reader_t *reader = data;
    uva_bytes_t view;
    char bytes[8];
    size_t partial;

    ck_assert_int_eq(uva_reader_read(reader, bytes, 8), UVA_ENOTASK);
    ck_assert_int_eq(uva_reader_readexactly_poll(reader, bytes, 8, &partial),
                     UVA_ENOTASK);
    ck_left(reader, "xy");
    ck_assert_int_eq(uva_reader_readline_view_poll(reader, &view), UVA_ENOTASK);
    /* What needs no waiting needs no task. */
    ck_assert_int_eq(uva_reader_read_view_poll(reader, 8, &view), 2);
    ck_assert_int_eq(uva_reader_read_view_poll(reader, 8, &view), UVA_ENOTASK);
}

UVA_TEST(no_task)
{
    uva_reader_t *reader = reader_with(0);

    feed(reader, "xy");
    ck_assert_int_eq(
        uva_loop_call_soon(NULL, read_without_task, reader, NULL, NULL), 0);
    UVA_TICK();
    ck_left(reader, "");
    uva_reader_unref(reader);
}

START_TEST(no_loop)
{
    uva_reader_t *reader;

    ck_assert_int_eq(uva_reader_new(0, &reader), UVA_ENOLOOP);
}
END_TEST

UVA_TEST(many_lines)
{
    /* No memory is taken for a line beyond its own. */
    uva_reader_t *reader = reader_with(0);
    uva_bytes_t line;
    char text[32];

    for (int i = 0; i < 10000; i++) {
        int size = snprintf(text, sizeof text, "line %d\n", i);
        ck_assert_int_eq(uva_reader_feed_data(reader, text, (size_t)size), 0);
        if (i % 7 == 6) {
            for (int j = i - 6; j <= i; j++) {
                size = snprintf(text, sizeof text, "line %d\n", j);
                ck_assert_int_eq(uva_reader_readline_view(reader, &line), size);
                ck_bytes(line, text);
            }
        }
    }
    uva_reader_unref(reader);
}

/* --- without memory --- */

static int make_reader(uva_reader_t **ret_reader)
{
    return uva_reader_new(0, ret_reader);
}

static int feed_again(uva_reader_t *reader)
{
    return uva_reader_feed_data(reader, DATA, strlen(DATA));
}

static int line_again(uva_reader_t *reader, uva_buffer_t *ret_line)
{
    int r = uva_reader_readline(reader, ret_line);

    if (r < 0) {
        ck_left(reader, DATA);
    }
    return r;
}

UVA_TEST_STRICT(oom)
{
    uva_reader_t *reader = NULL;
    uva_buffer_t buffer;

    UVA_OOM_TEST(make_reader(&reader));
    UVA_OOM_TEST(feed_again(reader));
    ck_left(reader, DATA);
    UVA_OOM_TEST(line_again(reader, &buffer));
    ck_assert_str_eq((char *)buffer.data, "line1\n");
    uva_buffer_clear(&buffer);
    UVA_OOM_TEST(uva_reader_readuntil(reader, UVA_BYTES("3"), &buffer));
    uva_buffer_clear(&buffer);
    uva_reader_feed_eof(reader);
    UVA_OOM_TEST(uva_reader_read_all(reader, UVA_NO_LIMIT, &buffer));
    ck_assert_str_eq((char *)buffer.data, "\n");
    uva_buffer_clear(&buffer);
    uva_reader_unref(reader);
}

UVA_TEST_STRICT(oom_after_cancel)
{
    /* Bytes that cannot be put back are lost; nothing behind them is read. */
    uva_reader_t *reader = reader_with(0);
    asked_t asked = {.op = READEXACTLY, .reader = reader, .size = 30};
    reading_task_t *task = ask(&asked);

    UVA_TICK();
    feed(reader, "some");
    uva_task_cancel(UVA_ERASE(task));
    uva_testing_fail_allocation(1, false);
    UVA_TICK();
    uva_testing_fail_allocation(0, false);
    ck_assert_int_eq(UVA_JOIN(task), UV_ECANCELED);
    feed(reader, "more");
    ck_assert_int_eq(uva_reader_exception(reader), UV_ENOMEM);
    asked.r = 0;
    ck_assert_int_eq(await(&asked), UV_ENOMEM);
    uva_reader_unref(reader);
}

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *read = UVA_TCASE(suite, "Read");
    TCase *view = UVA_TCASE(suite, "View");
    TCase *line = UVA_TCASE(suite, "ReadLine");
    TCase *until = UVA_TCASE(suite, "ReadUntil");
    TCase *exactly = UVA_TCASE(suite, "ReadExactly");
    TCase *failure = UVA_TCASE(suite, "Failure");

    UVA_ADD_TESTS(read, feed_empty_data, feed_nonempty_data);
    KIND_ADD_TESTS(read, read_zero, read_waits, read_line_breaks, read_eof,
                   read_until_eof, read_all_limit, read_all_large,
                   read_exception);
    UVA_ADD_TESTS(read, invalid_limit);
    KIND_ADD_TESTS(read, read_limit);

    UVA_ADD_TESTS(view, view_stays);
    KIND_ADD_TESTS(view, view_of_nothing_left_holds_no_memory);
    UVA_ADD_TESTS(view, many_lines);

    KIND_ADD_TESTS(line, readline_waits, readline_limit_with_existing_data,
                   at_eof, readline_limit, readline_nolimit_nowait,
                   readline_eof, readline_empty_eof, readline_read_byte_count,
                   readline_exception);

    KIND_ADD_TESTS(until, readuntil_separator, readuntil_multi_chunks,
                   readuntil_multi_chunks_1, readuntil_eof,
                   readuntil_limit_found_sep, readuntil_multi_separator,
                   readuntil_multi_separator_limit,
                   readuntil_multi_separator_negative_offset, readuntil_bytes);

    KIND_ADD_TESTS(exactly, readexactly_zero, readexactly_waits,
                   readexactly_limit, readexactly_eof, readexactly_exception);

    UVA_ADD_TESTS(failure, exception);
    KIND_ADD_TESTS(
        failure, exception_waiter, exception_cancel, cancel_leaves_data,
        second_reader, second_reader_takes_what_is_there,
        second_reader_takes_what_was_searched, second_reader_overruns,
        second_reader_comes_before_the_first_goes_on, at_eof_with_a_part,
        exception_leaves_a_part);
    UVA_ADD_TESTS(failure, no_task, no_loop, oom, oom_after_cancel);
    return uva_test_main(suite);
}
